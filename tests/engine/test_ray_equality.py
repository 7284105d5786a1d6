"""Each step on Ray writes the files of the same step in this process, byte for byte: on simulated photos and on those of Lund.

    python -m pytest -n 0 -m slow tests/engine/test_ray_equality.py

runs each command twice, without and with `--engine ray`. GEOLIVE_LUND names the folder of the photos of Lund, no part of
geolive; without them their tests are skipped. The photos come from a server on this machine, and networks have random weights.
"""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rasterio import Affine

from geolive import cli
from geolive.dataset_folder import read_dataset
from tests.commands import ROOT
from tests.rasters import write_raster
from tests.sources.mapillary.server import FakeImage, FakeMapillary
from tests.vision.networks import save_mask2former

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'ray[default]'")
pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")
pytestmark = pytest.mark.slow
LUND = Path(os.environ.get("GEOLIVE_LUND", ROOT.parent / "shared" / "data" / "lund"))
CPU = ("--device", "cpu", "--batch-size", "4", "--workers", "0")
TINY = ("--model", "timm:test_resnet", "--weights", "none")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """A Ray of two workers, which `--engine ray` then uses; the process itself has two threads, and each worker one."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(n_threads)
    ray.shutdown()


@pytest.fixture(scope="module", autouse=True)
def small_parts():
    """A few images make a part, so that both workers get several."""
    from geolive.covariates import sampling
    from geolive.models.imagewise import model
    from geolive.sources.imagery import collecting
    from geolive.vision import embedding

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "_IMAGES_A_PART", 8)
        patch.setattr(collecting, "_IMAGES_A_PART", 5)
        patch.setattr(sampling, "_PLACES_A_PART", 7)
        patch.setattr(model, "_AT_ONCE", 4)
        patch.setattr(model, "_BATCHES_A_PART", 2)
        yield


def command(*words, ends_with=0):
    """Run a command in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["geolive", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == ends_with, words


def files(*places):
    """The bytes of each file by its name."""
    found = {}
    for place in places:
        inside = [place] if place.is_file() else place.rglob("*")
        found |= {path.relative_to(place.parent).as_posix(): path.read_bytes() for path in inside if path.is_file()}
    return found


def both(work, words, *made):
    """Run a command in this process and on Ray, each in a folder that begins with a copy of `work`; return the files.

    DATA among the words stands for the dataset, and OUT for the folder. Its name is the same, since maps record the command.
    """
    written = []
    for engine in ("local", "ray"):
        folder = work.parent / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(work, folder)
        own = [str(word).replace("DATA", f"{folder}/data").replace("OUT", str(folder)) for word in words]
        command(*own, "--engine", engine)
        written.append(files(*(folder / name for name in made)))
    return written


def lund_images():
    """The photos of Lund as the server of the tests has them, at the positions in their descriptions."""
    images = []
    for i, path in enumerate(sorted(LUND.glob("*.jpg"))):
        with Image.open(path) as photo:
            facts = json.loads(photo.getexif()[0x010E])
        where = float(facts["MAPLongitude"]), float(facts["MAPLatitude"])
        images.append(image_of(i, *where, path.read_bytes()))
    return images


def simulated_images(folder):
    """Street scenes of a simulated Goa."""
    command("sample", "--region", "goa", "--with-images", "--max-per-place", "1", "--out", folder)
    dataset = read_dataset(folder)
    return [
        image_of(i, point.x, point.y, (folder / path).read_bytes())
        for i, (point, path) in enumerate(zip(dataset.images.geometry, dataset.images["img_path"], strict=True))
    ][:40]


def image_of(number, lon, lat, jpeg):
    taken = 1_577_836_800_000 + 10_000 * number
    id = str(9_007_199_254_740_993 + number)
    return FakeImage(id, lon, lat, taken, False, "walk", (lon, lat), ["object--vehicle--car"] * (number % 3), jpeg)


@pytest.fixture(scope="module", params=["simulated", "lund"])
def imagery(request, tmp_path_factory):
    """A server with the photos, the box that they lie in, and a folder of files about them."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "lund":
        if not any(LUND.glob("*.jpg")):
            pytest.skip(f"no photos of Lund in {LUND}; GEOLIVE_LUND names their folder")
        images = lund_images()
    else:
        images = simulated_images(folder / "sample")
    where = np.array([(image.lon, image.lat) for image in images])
    (west, south), (east, north) = where.min(axis=0) - 0.001, where.max(axis=0) + 0.001
    cells = np.random.default_rng(0).normal(size=(60, 80)).astype(np.float32)
    transform = Affine((east - west) / 80, 0, west, 0, (south - north) / 60, north)
    write_raster(folder / "rain.tif", cells, transform)
    save_mask2former(folder / "mask2former")
    with FakeMapillary(images) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield folder, ("--bbox", f"{west},{south},{east},{north}")


@pytest.fixture(scope="module")
def fetched(imagery):
    """A folder with the dataset `data`, fetched in this process."""
    folder, box = imagery
    command("fetch", "images", *box, "--objects", "--rate", "10000", "--out", folder / "work" / "data")
    return folder / "work"


@pytest.fixture(params=["plain", "partitioned"])
def work(request, fetched, tmp_path):
    """The fetched dataset in both forms."""
    shutil.copytree(fetched, tmp_path / "work")
    if request.param == "partitioned":
        data = tmp_path / "work" / "data"
        data.rename(tmp_path / "work" / "whole")
        command("partition", tmp_path / "work" / "whole", "--by", "quadkey:16", "--out", data)
    return tmp_path / "work"


def test_fetch(imagery, tmp_path):
    (tmp_path / "work").mkdir()
    words = ("fetch", "images", *imagery[1], "--objects", "--rate", "10000", "--out", "DATA")
    here, there = both(tmp_path / "work", words, "data")
    assert sum(name.endswith(".jpg") for name in here) > 20
    assert here == there


@pytest.mark.parametrize("step", ["detect", "embed", "covariates"])
def test_a_step_on_a_dataset(imagery, work, step):
    words = {
        "detect": ("detect", "DATA", "--model", imagery[0] / "mask2former", "--name", "added", *CPU),
        "embed": ("embed", "DATA", "--name", "added", *TINY, *CPU),
        "covariates": ("covariates", "DATA", "--raster", f"added={imagery[0] / 'rain.tif'}"),
    }[step]
    here, there = both(work, words, "data")
    listed = json.loads(here["data/dataset.json"])["checksums"]
    assert any("added" in name or "covariates" in name for name in listed)
    assert here == there


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A network of single photos, trained for a moment."""
    folder = tmp_path_factory.mktemp("trained")
    command("sample", "--region", "goa", "--with-images", "--max-per-place", "1", "--out", folder / "goa")
    small = ("--arch", "timm:test_resnet", "--no-pretrained", "--size", "32", "--epochs", "1", "--split", "random")
    command(
        "train", "imagewise", folder / "goa", *small, "--device", "cpu", "--workers", "0", "--out", folder / "bundle"
    )
    return folder / "bundle"


def test_predict(work, bundle):
    words = ("predict", "--dataset", "DATA", "--model", bundle, "--boundaries", "hex:1km", "--device", "cpu", "--min-images", "1",
             "--min-sites", "1", "--no-exports", "--out", "OUT/map.geojson", "--out", "OUT/map.csv")  # fmt: skip
    here, there = both(work, words, "map.geojson", "map.csv")
    assert here == there
