"""`predict` with options about its estimates, as a user types them."""

import json

import numpy as np
import pytest

from geolive.dataset_folder import write_dataset
from geolive.regions import find_region
from geolive.simulation.sample import make_sample
from tests import commands


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("estimates")
    write_dataset(make_sample("bihar", n_clusters=120, n_sites=80), folder / "data")
    districts = find_region("bihar").districts
    districts.assign(census=np.arange(len(districts)) * 1000 + 500).to_file(folder / "bihar.geojson")
    return folder


def run(folder, *options):
    return commands.run("predict", "--dataset", folder / "data", "--model", "neighbours", "--no-exports", *options)


def test_benchmarked_districts_add_up_in_the_file_and_the_terminal_says_so(files):
    out = files / "map.geojson"
    done = run(files, "--boundaries", files / "bihar.geojson", "--people-column", "census", "--benchmark", "difference",
               "--out", out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = [feature["properties"] for feature in json.loads(out.read_text())["features"]]
    shown = [row for row in rows if row["supported"]]
    mean = np.average([row["pov"] for row in shown], weights=[row["people"] for row in shown])
    before = np.average([row["pov_unbenchmarked"] for row in shown], weights=[row["people"] for row in shown])
    told = " ".join(done.stdout.split()).replace("−", "-")
    sentence = told[told.index("Values are benchmarked (difference)") :]
    now, was = sentence.split("for these, ")[1].split(" ")[0], sentence.split("it was ")[1].split(" ")[0].rstrip(".")
    assert float(now) == pytest.approx(mean, abs=0.006)
    assert float(was) == pytest.approx(before, abs=0.006)
    assert abs(mean - before) > 0.001


def test_a_threshold_maps_a_share(files):
    out = files / "share.geojson"
    done = run(files, "--region", "bihar", "--threshold", "0", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "Share of places with asset wealth below 0 in Bihar" in " ".join(done.stdout.split())
    values = [feature["properties"]["pov_below"] for feature in json.loads(out.read_text())["features"]]
    known = [value for value in values if value is not None]
    assert len(known) > 10
    assert all(0 <= value <= 1 for value in known)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--benchmark", "ratio"], "--benchmark ratio: needs the people of each district; add --population FILE, or"),
        (["--benchmark", "sum"], "--benchmark sum: must be one of ratio, difference, bell-datta-ghosh"),
        (["--benchmark", "ratio", "--estimator", "direct"], "--benchmark ratio: is for composite estimates; leave"),
        (["--language", "klingon"], "--language klingon: must be en, hi, fr, or the name of a .json file of words"),
        (["--size", "slide"], "--size slide: is for pictures, and none is written; add --formats png"),
        (["--size", "huge", "--formats", "png"], "--size huge: there is no such size; choose slide, column or page"),
        (["--estimator", "mean"], "--estimator mean: must be one of composite, spatial, predicted, direct"),
        (["--people-column", "census"], "--people-column needs a file of districts; add --boundaries FILE"),
        (["--threshold", "99"], "--threshold 99: all values of 'pov' are below it; give one between"),
        (["--threshold", "0", "--indicator", "pov,bmi"], "--threshold 0: is for one indicator; give one of: pov, bmi"),
    ],
)
def test_options_that_cannot_be_are_one_line(files, options, words):
    done = run(files, "--region", "bihar", "--out", files / "x.html", *options)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith(f"error: {words}")
    assert not (files / "x.html").exists()


def test_a_language_without_a_page_is_one_line(files):
    done = run(files, "--region", "bihar", "--out", files / "x.csv", "--language", "fr")
    assert done.returncode == 2
    assert done.stderr.strip() == "error: --language fr: is for the page, and none is written; add --formats html"
