"""`ingest photos` as a user meets it: from files to a dataset, and on to the map of a baseline."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from tests.commands import run
from tests.sources.photos.photofiles import write_photo

LUND = Path(__file__).parents[3] / "shared" / "data" / "lund"


def survey_csv(path, west=12.1, south=54.9):
    """A survey on a grid of 0.2°, richer to the east."""
    rows = [f"{west + i * 0.2:.1f},{south + j * 0.2:.1f},{i + j / 10}" for i in range(12) for j in range(10)]
    path.write_text("lon,lat,wealth\n" + "\n".join(rows) + "\n")
    return path


def districts_file(path, west=12.0, south=54.8):
    boxes = [shapely.box(west + i, south + j, west + i + 1, south + j + 1) for i in range(2) for j in range(2)]
    names = {"district": [f"<b>D{i}</b>" for i in range(4)], "state": "Skåne"}
    gpd.GeoDataFrame(names, geometry=boxes, crs="EPSG:4326").to_file(path)
    return path


@pytest.fixture(scope="module")
def surveyed(tmp_path_factory):
    """A survey dataset around Lund."""
    folder = tmp_path_factory.mktemp("survey")
    done = run("ingest", "survey", survey_csv(folder / "s.csv"), "--lon", "lon", "--lat", "lat", "--value", "wealth", "--out",
               folder / "data")  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "data"


def refused(done, match):
    assert done.returncode == 2, done.stderr
    assert match in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_photos_and_survey_from_files_to_a_map(surveyed, tmp_path):
    photos = tmp_path / "photos"
    for i in range(30):  # at a survey point, and far from all of them
        write_photo(photos / "a" / f"{i}.jpg", 13.1 + i * 1e-4, 55.5, f"2020:01:02 10:{i:02d}:00")
        write_photo(photos / "b" / f"{i}.jpg", 13.2, 55.6 + i * 1e-4)
    write_photo(photos / "c.jpg")
    joined = tmp_path / "joined"
    done = run("ingest", "photos", photos, "--survey", surveyed, "--out", joined)
    assert done.returncode == 0, done.stderr
    assert "60 photos in 2 sequences; 1 left out, listed in" in done.stdout
    assert "30 photos belong to 1 of 120 survey points" in done.stdout
    assert "1 of 61 photos left out: no position" in " ".join(done.stderr.split())
    facts = json.loads((joined / "dataset.json").read_text())
    assert facts["counts"] == {"images": 60, "clusters": 120}
    assert facts["extra"]["photos_folder"] == str(photos)
    assert pd.read_parquet(joined / "rejects.parquet")["path"].tolist() == ["c.jpg"]
    assert gpd.read_parquet(joined / "clusters.parquet")["n_images"].sum() == 30

    boundaries = districts_file(tmp_path / "districts.geojson")
    out = tmp_path / "wealth.geojson"
    done = run("predict", "--boundaries", boundaries, "--dataset", joined, "--model", "neighbours", "--indicator", "wealth",
               "--out", out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    drawn = gpd.read_file(out)
    assert drawn["n_images"].sum() == 60
    assert drawn["n_sites"].sum() == 100 + 1  # the survey points inside of the districts, and one site of images
    assert not drawn["simulated"].any()
    words = ["--boundaries", boundaries, "--dataset", joined, "--indicator", "wealth"]
    refused(run("predict", *words, "--out", tmp_path / "forest.html"), "no object counts")


def test_the_radius(surveyed, tmp_path):
    write_photo(tmp_path / "photos" / "1.jpg", 13.1, 55.52)  # 2.2 km from a survey point
    words = ["ingest", "photos", tmp_path / "photos", "--survey", surveyed]
    done = run(*words, "--radius", "2", "--out", tmp_path / "near")
    assert "0 photos belong to 0 of" in done.stdout
    refused(run(*words, "--radius", "urban=2,rural=5", "--out", tmp_path / "x"), "which points are urban")
    refused(run(*words, "--radius", "wide", "--out", tmp_path / "x"), "give kilometres")
    refused(run(*words[:3], "--radius", "2", "--out", tmp_path / "x"), "add --survey")
    assert not (tmp_path / "x").exists()


def test_what_cannot_be_read(surveyed, tmp_path):
    refused(run("ingest", "photos", tmp_path / "none", "--out", tmp_path / "x"), "no such folder")
    refused(run("ingest", "photos", tmp_path, "--out", surveyed), "geolive overwrites nothing")
    assert list(tmp_path.iterdir()) == []


def test_photos_alone_tell_what_a_map_needs(tmp_path):
    write_photo(tmp_path / "photos" / "1.jpg", 13.2, 55.6)
    assert run("ingest", "photos", tmp_path / "photos", "--out", tmp_path / "data").returncode == 0
    words = ["--boundaries", districts_file(tmp_path / "districts.geojson"), "--dataset", tmp_path / "data"]
    refused(run("predict", *words, "--model", "idw", "--out", tmp_path / "x.html"), "pov is not in the dataset")


@pytest.mark.skipif(not LUND.is_dir(), reason="the real photos are not here (../shared/data/lund)")
def test_lund_with_a_survey_near_it(tmp_path):
    path = tmp_path / "tiny.csv"
    path.write_text("lon,lat,wealth,urban\n13.19,55.70,2,1\n13.30,55.75,1,0\n")
    done = run(
        "ingest", "survey", path, "--lon", "lon", "--lat", "lat", "--value", "wealth", "--out", tmp_path / "survey"
    )
    assert done.returncode == 0, done.stderr
    done = run("ingest", "photos", LUND, "--survey", tmp_path / "survey", "--out", tmp_path / "lund")
    assert done.returncode == 0, done.stderr
    assert "29 photos belong to 1 of 2 survey points" in done.stdout
    assert gpd.read_parquet(tmp_path / "lund" / "clusters.parquet")["n_images"].tolist() == [29, 0]
    done = run("info", tmp_path / "lund", "--map", tmp_path / "lund.png")
    assert done.returncode == 0, done.stderr
    assert "min 0, median 14.5, mean 14.5, max 29; 1 of 2 clusters have none" in done.stdout
    assert np.frombuffer((tmp_path / "lund.png").read_bytes()[:4], np.uint8).tolist() == [137, 80, 78, 71]
