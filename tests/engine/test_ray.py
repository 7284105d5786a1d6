"""On Ray: results equal those of this process byte for byte, also where a worker is lost.

The test of detect, predict and covariates, and those of lost machines (test_ray_machines.py), run with `-m slow`.
"""

import asyncio
import json
import os
import shutil
import time
from functools import partial

import numpy as np
import pytest

from geolive.dataset_folder import read_dataset
from geolive.engine import ray_cluster
from geolive.engine.choosing import choose_engine
from geolive.errors import InputError
from geolive.partitioning import partition_dataset
from tests.commands import ROOT

ray = pytest.importorskip("ray", reason="ray is not installed")
LUND = ROOT.parent / "shared" / "data" / "lund"


@pytest.fixture(scope="module")
def engine():
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    with choose_engine("ray") as chosen:
        yield chosen
    ray.shutdown()


def checksums(folder):
    return json.loads((folder / "dataset.json").read_text())


def test_a_partition_whose_worker_dies_is_given_to_another(engine, tmp_path):
    begun = tmp_path / "begun"
    begun.mkdir()

    def make():
        (begun / str(os.getpid())).touch()

        def square(n):
            if n == 5 and not (begun / "died").exists():
                (begun / "died").touch()
                os._exit(1)
            return n * n

        return square

    found = dict(engine.map_partitions(make, list(range(12))))
    assert found == {n: n * n for n in range(12)}
    # each worker made the function once: two, and one in place of the one that died
    assert len(list(begun.iterdir())) - 1 in (2, 3)
    assert dict(engine.map_partitions(lambda: len, ["ab"])) == {0: 2}


def test_errors_of_workers_come_back(engine):
    def make():
        def function(n):
            if n == 1:
                raise InputError("level=7: must be less", parameter="level")
            os._exit(1)

        return function

    with pytest.raises(InputError, match="level=7: must be less") as caught:
        list(engine.map_partitions(make, [1]))
    assert caught.value.parameter == "level"
    with pytest.raises(InputError, match="partition 1 of 1 has ended its worker 3 times"):
        list(engine.map_partitions(make, [2]))


def test_workers_with_other_versions_are_named(engine, monkeypatch):
    ours = ray_cluster.versions()
    with monkeypatch.context() as other:
        other.setattr(ray_cluster, "versions", lambda: ours | {"numpy": "1.0"})
        with pytest.raises(
            InputError, match=f"of the cluster has numpy {ours['numpy']}, and this one 1.0; install the same"
        ):
            list(engine.map_partitions(lambda: len, ["ab"]))
    assert dict(engine.map_partitions(lambda: len, ["ab"])) == {0: 2}


def test_workers_that_cannot_start_end_the_work(engine, monkeypatch):
    class Broken:
        def __init__(self):
            raise ModuleNotFoundError("No module named 'geolive'")

        def ready(self, expected):
            return True

    with monkeypatch.context() as other, choose_engine("ray") as fresh:
        other.setattr(ray_cluster, "_Worker", Broken)
        with pytest.raises(InputError, match=r"3 workers have ended as they started .*No module named 'geolive'"):
            list(fresh.map_partitions(lambda: len, ["ab"]))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "127.0.0.1:9",
            "no Ray cluster answers there .*; check host, port and network, or start one with: ray start --head",
        ),
        ("ray://127.0.0.1:9", "no Ray cluster answers there"),
        ("head.invalid:6379", "no Ray cluster answers there"),
        ("head", "is not an address of a Ray cluster; give auto, HOST:PORT or ray://HOST:PORT"),
    ],
)
def test_an_address_without_a_cluster_is_refused_at_once(address, said):
    begun = time.monotonic()
    with pytest.raises(InputError, match=said), choose_engine("ray", address):
        pass
    assert time.monotonic() - begun < 60


def test_workers_share_a_budget_of_requests(engine):
    def make(budget):
        async def take(number):
            for _ in range(number):
                await budget.turn()
            return time.monotonic()

        return lambda number: asyncio.run(take(number))

    begun = time.monotonic()
    ends = dict(engine.map_partitions(partial(make, engine.shared_budget(20)), [12, 12]))
    # 24 requests of all workers, 20 a second
    assert max(ends.values()) - begun >= 23 / 20


def test_features_are_those_of_this_process_byte_for_byte(engine, tmp_path, monkeypatch):
    from geolive.vision import embedding
    from geolive.vision.devices import Device
    from geolive.vision.images import photo_files
    from tests.vision.networks import mean_colour
    from tests.vision.photofolder import encoded, photo_dataset, picture

    monkeypatch.setattr(embedding, "_IMAGES_A_PART", 8)
    contents = [encoded(picture(i)) for i in range(21)] + [b"no photo"]
    if LUND.is_dir():
        contents += [path.read_bytes() for path in sorted(LUND.glob("*.jpg"))[:6]]
    plain = photo_dataset(tmp_path, contents).path
    partition_dataset(plain, "quadkey:14", tmp_path / "parts")
    results = {}
    for form in (plain, tmp_path / "parts"):
        for name, chosen in (("here", None), ("ray", engine)):
            folder = shutil.copytree(form, tmp_path / f"{form.name}-{name}")
            data = read_dataset(folder)
            embedding.embed(
                data,
                photo_files(data),
                mean_colour(),
                "mean",
                device=Device("cpu", "float32"),
                batch_size=4,
                engine=chosen,
            )
            results[form.name, name] = checksums(folder)
    assert results["dataset", "here"] == results["dataset", "ray"]
    assert results["parts", "here"] == results["parts", "ray"]
    assert "features/mean.npy" in results["dataset", "ray"]["checksums"]
    here, there = (np.asarray(read_dataset(tmp_path / f"{form}-ray").features["mean"]) for form in ("dataset", "parts"))
    np.testing.assert_array_equal(here, there)


def test_a_fetch_of_all_workers_ends_with_the_same_files(engine, tmp_path, monkeypatch):
    from geolive.sources.imagery import collecting
    from tests.sources.mapillary.fetching import contents, fetch_box
    from tests.sources.mapillary.server import FakeMapillary, fake_images

    monkeypatch.setattr(collecting, "_IMAGES_A_PART", 5)
    with FakeMapillary(fake_images(30, seed=1)) as server:
        fetch_box(server, tmp_path / "here")
        said = []
        fetch_box(server, tmp_path / "ray", engine=engine, progress=said.append)
    assert contents(tmp_path / "here") == contents(tmp_path / "ray")
    assert "30 of 30 images" in said


@pytest.mark.slow
def test_detect_predict_and_covariates_are_those_of_this_process(engine, tmp_path, monkeypatch):
    import geolive
    from geolive.covariates import sampling
    from geolive.covariates.adding import compute_covariates, place_covariates
    from geolive.models.imagewise import model
    from geolive.vision.counting import count_objects
    from geolive.vision.detectors import Detector
    from geolive.vision.images import photo_files
    from tests.models.imagewise.helpers import pretrained, write_coloured_survey
    from tests.rasters import write_raster

    monkeypatch.setattr(model, "_BATCHES_A_PART", 1)
    monkeypatch.setattr(sampling, "_PLACES_A_PART", 50)
    made = write_coloured_survey(tmp_path / "made").path
    raster = write_raster(tmp_path / "rain.tif", np.random.default_rng(0).normal(size=(1, 60, 80)).astype(np.float32))
    birds = Detector("birds", ["Bird"], lambda images: [[("Bird", 1.0)] * int(i.mean() > 100) for i in images], 32, {})
    found = []
    for name, chosen in (("here", None), ("ray", engine)):
        folder = shutil.copytree(made, tmp_path / name)
        data = read_dataset(folder)
        files = photo_files(data, made)
        count_objects(data, files, birds, name="birds", workers=0, engine=chosen)
        place_covariates(folder, compute_covariates(data, {"rain": raster}, engine=chosen))
        network = model.ImageWise.from_network(pretrained(), target=(0.0, 1.0), training={})
        predicted = network.predict_photos(
            data, files, np.arange(len(data.images)), geolive.vision.devices.Device("cpu", "float32"), engine=chosen
        )
        found.append((checksums(folder), np.asarray(predicted.features["imagewise"]).tobytes()))
    assert found[0] == found[1]
