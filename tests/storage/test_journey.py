"""The commands from ingest to predict with every input and output in object storage."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.files import checksum
from geolive.simulation.sample import make_sample
from tests.storage.conftest import SECRET

TINY = ("--model", "timm:test_resnet", "--weights", "none", "--device", "cpu")
FOREST = ("--trees", "5")


@pytest.fixture(scope="module")
def sources(s3, tmp_path_factory):
    """What users have: a table of a survey, and photos with a table of their positions; in a local folder and in the bucket."""
    folder = tmp_path_factory.mktemp("sources")
    made = make_sample("goa", seed=0, n_sites=12, most_images=1)
    lonlat = pd.DataFrame({"lon": made.clusters.geometry.x, "lat": made.clusters.geometry.y})
    clusters = lonlat.assign(wealth=made.clusters["pov"].to_numpy())
    clusters.to_csv(folder / "survey.csv", index=False)
    (folder / "photos").mkdir()
    rng = np.random.default_rng(0)
    names = [f"{i}.jpg" for i in range(len(lonlat))]
    for name in names:
        Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(folder / "photos" / name)
    lonlat.assign(photo=names).to_csv(folder / "positions.csv", index=False)
    s3.files.put(str(folder), "maps/in", recursive=True)
    return folder


def steps(sources, made):
    """The commands, with inputs in one place and outputs in another: folders, or addresses."""
    positions = ("--table", f"{sources}/positions.csv", "--key", "photo", "--lon", "lon", "--lat", "lat")
    survey = ("ingest", "survey", f"{sources}/survey.csv", "--value", "wealth", "--lon", "lon", "--lat", "lat")
    return [
        (*survey, "--out", f"{made}/survey"),
        ("ingest", "photos", f"{sources}/photos", *positions, "--survey", f"{made}/survey", "--out", f"{made}/data"),
        ("embed", f"{made}/data", "--name", "tiny", *TINY, "--workers", "0"),
        ("partition", f"{made}/data", "--by", "quadkey:8", "--out", f"{made}/parts"),
        ("info", f"{made}/parts", "--map", f"{made}/maps/info.png", "--indicator", "wealth"),
        ("train", "clusterwise", f"{made}/parts", "--indicator", "wealth", "--inputs", "features", *FOREST, "--out",
         f"{made}/models/forest"),
        ("evaluate", f"{made}/parts", "--models", "mean", "--split", "random", "--out", f"{made}/evaluated"),
        ("predict", "--region", "goa", "--dataset", f"{made}/parts", "--model", f"{made}/models/forest", "--out",
         f"{made}/maps/goa.html", "--out", f"{made}/maps/goa.csv", "--min-images", "1", "--min-sites", "1"),
        ("audit", f"{made}/models/forest", "--dataset", f"{made}/parts", "--out", f"{made}/maps/audit.json"),
    ]  # fmt: skip


def test_all_inputs_and_outputs_are_in_object_storage(s3, command, sources, tmp_path, monkeypatch):
    def run(words):
        done = command(*words)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout + done.stderr

    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    printed = "".join(run(words) for words in steps("s3://maps/in", "s3://maps/made"))
    assert list(empty.iterdir()) == []
    assert not any(path.is_file() for path in (s3.cache / "storage" / "outputs").rglob("*"))
    for words in steps(sources, tmp_path):
        if words[0] not in ("info", "evaluate", "audit"):
            run(words)
    made = {path.removeprefix("maps/made/") for path in s3.files.find("maps/made")}
    local = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file() and p.name != ".lock"}
    assert made >= local
    assert {"maps/info.png", "maps/audit.json", "evaluated/results.csv", "evaluated/predictions.parquet"} <= made
    # no output names a local place or a key, in whatever it was written
    for path in s3.files.find("maps/made"):
        content = s3.files.cat(path)
        assert str(s3.cache).encode() not in content, path
        assert SECRET.encode() not in content, path
    assert str(s3.cache) not in printed
    assert SECRET not in printed
    # the same numbers as from a local disk
    facts = json.loads(s3.files.cat("maps/made/parts/dataset.json"))
    on_disk = json.loads((tmp_path / "parts" / "dataset.json").read_text())
    assert facts["checksums"] == on_disk["checksums"]
    assert facts["extra"]["photos_folder"] == "s3://maps/in/photos"
    assert s3.files.cat("maps/made/maps/goa.csv") == (tmp_path / "maps" / "goa.csv").read_bytes()


def test_only_partitions_in_the_box_are_downloaded(s3, tmp_path, monkeypatch):
    from geolive.partitioning import partition_dataset

    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path / "cache"))
    whole = write_dataset(make_sample("goa", seed=1, n_sites=30, most_images=1), tmp_path / "goa")
    partition_dataset(whole, "quadkey:10", tmp_path / "parts")
    s3.files.put(str(tmp_path / "parts"), "maps/parts", recursive=True)
    west, south, east, north = read_dataset(whole).images.total_bounds
    box = (west, south, (west + east) / 2, (south + north) / 2)
    read = read_dataset("s3://maps/parts", box=box)
    assert 0 < len(read.images) == len(read_dataset(tmp_path / "parts", box=box).images)
    copied = {path.name for path in (tmp_path / "cache" / "storage" / "views").rglob("*/images/*/*")}
    every = {path.name for path in (tmp_path / "parts" / "images").rglob("*.parquet")}
    assert copied < every
    assert checksum(next((tmp_path / "cache" / "storage" / "views").rglob("clusters.parquet"))) == checksum(
        tmp_path / "parts" / "clusters.parquet"
    )
