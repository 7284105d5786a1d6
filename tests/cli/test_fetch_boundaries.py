"""`fetch boundaries` as a user meets it, and the map that its file gives."""

import json
import threading
from dataclasses import replace

import geopandas as gpd
import pytest

from geolive.dataset_folder import write_dataset
from geolive.regions import find_region
from geolive.sources.survey.reader import read_survey
from tests.commands import run as run_apart
from tests.sources.test_boundaries import Server


@pytest.fixture
def bihar():
    """A server that answers with Bihar's districts as geoBoundaries would."""
    districts = find_region("bihar").districts.rename(columns={"district": "shapeName", "district_id": "shapeID"})
    served = Server()
    served.pages["/api/IND/ADM2/"] = json.dumps(
        {
            "boundaryName": "India",
            "boundarySource": "a test",
            "boundaryLicense": "CC0",
            "boundaryYearRepresented": "2020",
            "gjDownloadURL": f"{served.address}/x",
        }
    ).encode()
    served.pages["/x"] = districts[["shapeName", "shapeID", "geometry"]].to_json().encode()
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


def test_fetched_boundaries_are_drawn(bihar, small_folder, tmp_path):
    environment = {"GEOLIVE_BOUNDARIES_API": f"{bihar.address}/api", "GEOLIVE_CACHE": str(tmp_path), "no_proxy": "*"}
    file = tmp_path / "india.geojson"
    done = run_apart("fetch", "boundaries", "--country", "ind", "--out", file, **environment)
    assert done.returncode == 0, done.stderr
    assert "38 districts from geoBoundaries; source: a test; licence: CC0" in done.stdout
    done = run_apart(
        "predict", "--boundaries", file, "--dataset", small_folder, "--model", "idw", "--out", tmp_path / "m.geojson"
    )
    assert done.returncode == 0, done.stderr
    assert len(gpd.read_file(tmp_path / "m.geojson")) == 38
    again = run_apart("fetch", "boundaries", "--country", "ind", "--out", file, **environment)
    assert again.returncode == 2
    assert "exists already, and geolive overwrites nothing" in again.stderr


def test_the_year_of_the_boundaries_is_compared_with_that_of_a_survey(bihar, tmp_path, run, monkeypatch):
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    (tmp_path / "survey.csv").write_text("x,y,wealth,year\n85.1,25.6,1,2011\n84,25,2,2012\n")
    survey = read_survey(tmp_path / "survey.csv", "x", "y", {"pov": "wealth"}, year="year")
    folder = write_dataset(survey, tmp_path / "survey")
    words = ["fetch", "boundaries", "--country", "ind", "--api", f"{bihar.address}/api"]
    code, out, err = run(*words, "--out", tmp_path / "a.geojson", "--survey", folder)
    assert code == 0, err
    assert "year of the borders: 2020" in out
    said = " ".join(err.split())
    assert "the boundaries are of 2020, and the survey is of 2011 to 2012" in said
    bihar.pages["/api/IND/ADM2/"] = bihar.pages["/api/IND/ADM2/"].replace(b"2020", b"2012")
    code, _, err = run(*words, "--out", tmp_path / "b.geojson", "--survey", folder, "--refresh")
    assert code == 0
    assert "the boundaries are of" not in err
    plain = write_dataset(replace(survey, clusters=survey.clusters.drop(columns="year")), tmp_path / "plain")
    code, _, err = run(*words, "--out", tmp_path / "c.geojson", "--survey", plain)
    assert code == 0
    assert "have no year to compare" in " ".join(err.split())


def test_without_a_network_the_way_is_named(tmp_path):
    done = run_apart(
        "fetch", "boundaries", "--country", "KEN", "--out", tmp_path / "k.geojson", "--api", "http://127.0.0.1:9/api",
        GEOLIVE_CACHE=str(tmp_path), no_proxy="*",
    )  # fmt: skip
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: http://127.0.0.1:9/api/KEN/ADM2/: cannot be reached")
    assert "predict --boundaries FILE" in line
    assert not (tmp_path / "k.geojson").exists()
