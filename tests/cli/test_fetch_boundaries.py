"""`fetch boundaries` as a user meets it, and the map that its file gives."""

import json
import threading

import geopandas as gpd
import pytest

from geolive.regions import find_region
from tests.commands import run
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
    done = run("fetch", "boundaries", "--country", "ind", "--out", file, **environment)
    assert done.returncode == 0, done.stderr
    assert "38 districts from geoBoundaries; source: a test; licence: CC0" in done.stdout
    done = run(
        "predict", "--boundaries", file, "--dataset", small_folder, "--model", "idw", "--out", tmp_path / "m.geojson"
    )
    assert done.returncode == 0, done.stderr
    assert len(gpd.read_file(tmp_path / "m.geojson")) == 38
    again = run("fetch", "boundaries", "--country", "ind", "--out", file, **environment)
    assert again.returncode == 2
    assert "exists already and nothing is overwritten" in again.stderr


def test_without_a_network_the_way_is_named(tmp_path):
    done = run(
        "fetch", "boundaries", "--country", "KEN", "--out", tmp_path / "k.geojson", "--api", "http://127.0.0.1:9/api",
        GEOLIVE_CACHE=str(tmp_path), no_proxy="*",
    )  # fmt: skip
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("error: http://127.0.0.1:9/api/KEN/ADM2/: cannot be reached")
    assert "predict --boundaries FILE" in line
    assert not (tmp_path / "k.geojson").exists()
