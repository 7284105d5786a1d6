"""`fetch images` as a user runs it, against a local server."""

import os
import signal
import subprocess
import sys

import geopandas as gpd
import pytest
import shapely

from geolive.dataset_folder import read_dataset
from geolive.models.bundle import save_model
from geolive.models.clusterwise import Forest
from geolive.models.training import train
from geolive.tables import lonlat
from tests.commands import ROOT, run
from tests.sources.mapillary.server import TOKEN, FakeMapillary, fake_images
from tests.sources.panoramax.server import FakePanoramax

IMAGES = fake_images(60, spread=0.03)
BOX = "85.0,25.5,85.3,25.7"
FAST = ["--tries", "3", "--delay", "0.01", "--rate", "10000"]


def fetch(server, *words, timeout=2, **environment):
    return run("fetch", "images", *words, *FAST, "--timeout", str(timeout), **(server.environment | environment))


def assert_silent_about_the_token(folder, *done):
    for one in done:
        assert "secret" not in one.stdout + one.stderr
    for path in folder.rglob("*"):
        assert not path.is_file() or b"secret" not in path.read_bytes(), path
        assert "secret" not in path.name


def refused(done, match):
    assert done.returncode == 2, done.stderr
    assert match in done.stderr.splitlines()[-1]
    assert sum(line.startswith("error:") for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def bundle(small_sample, tmp_path_factory):
    trained = train(small_sample.dataset, Forest(n_estimators=5), "pov")
    return save_model(trained, tmp_path_factory.mktemp("trained") / "bundle")


def test_plan_fetch_and_predict(tmp_path, bundle):
    out = tmp_path / "patna"
    with FakeMapillary(IMAGES) as server:
        server.fail("facts", "500")
        plan = fetch(server, "--bbox", BOX, "--objects", "--out", out, "--dry-run")
        assert plan.returncode == 0, plan.stderr
        assert server.count("facts") == 0
        asked = server.count("tile")
        done = fetch(server, "--bbox", BOX, "--objects", "--out", out)
        assert done.returncode == 0, done.stderr
        assert server.count("tile") == asked
        assert server.complaints == []
    assert "Patna" in plan.stdout
    assert "60 images found, 60 to fetch, about 9.0 MB of photos" in " ".join(plan.stdout.split())
    assert "60 images, 60 photos" in done.stdout
    assert "CC BY-SA 4.0" in done.stdout
    assert "object--spaceship" in done.stderr
    assert_silent_about_the_token(tmp_path, plan, done)
    made = read_dataset(out)
    assert len(list((out / "photos").iterdir())) == 60
    assert made.command == f"python cli.py fetch images --bbox {BOX} --objects --out images"

    table = tmp_path / "pov.geojson"
    drawn = run("predict", "--region", BOX, "--dataset", out, "--model", bundle, "--out", table, "--min-sites", "1",
                "--min-images", "10")  # fmt: skip
    assert drawn.returncode == 0, drawn.stderr
    # what the server's photos show is unlike anything in the sample, so no model of the sample may speak of them
    assert "too unlike the surveyed places" in " ".join(drawn.stdout.split())
    patna = gpd.read_file(table).set_index("district").loc["Patna"]
    assert not patna["supported"]
    assert patna["n_images"] == 0
    assert "CC BY-SA 4.0" in table.read_text(encoding="utf-8")


def test_around_the_survey_of_a_dataset(tmp_path, small_folder):
    survey = read_dataset(small_folder)
    near = fake_images(40, centre=lonlat(survey.clusters.geometry)[0], spread=0.01)
    words = ["--clusters", small_folder, "--no-images", "--objects", "--max-per-site", "15"]
    with FakeMapillary(near) as server:
        done = fetch(server, *words, "--out", tmp_path / "near")
        assert done.returncode == 0, done.stderr
        assert server.count("photo") == 0
    made = read_dataset(tmp_path / "near")
    assert made.simulated  # the survey is
    assert made.clusters["unique_cluster"].tolist() == survey.clusters["unique_cluster"].tolist()
    assert made.clusters["n_images"].sum() == len(made.images) > 0
    assert made.clusters["n_images"].max() <= 15
    assert "clusters" in done.stdout


@pytest.mark.parametrize(
    ("words", "environment", "match"),
    [
        (["--bbox", BOX], {"MAPILLARY_TOKEN": "MLY|wrong"}, "refused the token"),
        (["--bbox", BOX], {"MAPILLARY_TOKEN": ""}, "no Mapillary token"),
        (["--bbox", BOX, "--token-file", "no/file"], {}, "--token-file no/file: cannot be read"),
        (["--bbox", BOX, "--region", "goa"], {}, "name one area"),
        (["--bbox", "1,2,3"], {}, "not a bounding box"),
        (["--bbox", BOX, "--since", "2021-01-02", "--until", "2021-01-01"], {}, "exchange them"),
        (["--bbox", BOX, "--thumb", "999"], {}, "256, 1024, 2048, original"),
        (["--bbox", "0,0,0.01,0.01"], {}, "has no image there"),
        (["--bbox", BOX], {"GEOLIVE_MAPILLARY_GRAPH": "http://example.org"}, "https"),
    ],
)
def test_refused_in_one_line(tmp_path, words, environment, match):
    with FakeMapillary(IMAGES) as server:
        done = fetch(server, *words, "--out", tmp_path / "new", **environment)
    refused(done, match)
    assert not (tmp_path / "new").exists()
    assert_silent_about_the_token(tmp_path, done)


def test_a_token_file_and_a_failing_server(tmp_path):
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    words = ["--bbox", BOX, "--token-file", token, "--out", tmp_path / "a" / "new"]
    with FakeMapillary(IMAGES[:3]) as server:
        server.fail("photo", "cut", times=99)
        failed = fetch(server, *words, MAPILLARY_TOKEN="")
        refused(failed, "3 of 3 images could not be fetched")
        debug = fetch(server, *words, MAPILLARY_TOKEN="", GEOLIVE_DEBUG="1")
        refused(debug, "could not be fetched")
        server.rules.clear()
        done = fetch(server, *words, MAPILLARY_TOKEN="")
    assert done.returncode == 0, done.stderr
    assert len(read_dataset(tmp_path / "a" / "new").images) == 3
    assert_silent_about_the_token(tmp_path / "a", failed, debug, done)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_the_user_and_continued(tmp_path, number, code):
    words = ["--bbox", BOX, "--out", tmp_path / "new"]
    with FakeMapillary(IMAGES) as server:
        command = [sys.executable, str(ROOT / "cli.py"), "fetch", "images", *map(str, words), *FAST, "--timeout", "2"]
        running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | server.environment)

        def stop(kind, key):
            if server.count("photo") == 10:
                running.send_signal(number)

        server.before_each = stop
        errors = running.communicate(timeout=60)[1]
        assert running.returncode == code
        assert "run the same command again to continue" in errors
        assert "Traceback" not in errors
        assert not (tmp_path / "new").exists()
        server.before_each = lambda kind, key: None
        done = fetch(server, *words)
        assert done.returncode == 0, done.stderr
        assert 60 <= server.count("photo") < 60 + 32
    assert len(read_dataset(tmp_path / "new").images) == 60


def test_help_is_there():
    done = run("fetch", "images", "--help")
    assert done.returncode == 0
    for word in ("--dry-run", "--clusters", "MAPILLARY_TOKEN"):
        assert word in done.stdout


def test_refused_token_no_coverage_and_outage_are_told_apart(tmp_path):
    """Three causes, three messages, each with its own remedy, and no dataset."""
    words = ["--bbox", BOX, "--out", tmp_path / "patna"]
    with FakeMapillary(IMAGES) as server:
        bad = fetch(server, *words, MAPILLARY_TOKEN="MLY|1|another-secret")
    with FakeMapillary([]) as server:
        nothing = fetch(server, *words)
    outages = []
    for fault in ("503", "stall", "html"):
        with FakeMapillary(IMAGES) as server:
            server.fail("tile", fault, times=99)
            outages.append(fetch(server, *words, timeout=0.3))
    refused(bad, "Mapillary refused the token")
    refused(bad, "make one at mapillary.com/dashboard/developers")
    refused(nothing, "Mapillary has no image there")
    refused(nothing, "name another area")
    for outage in outages:
        refused(outage, "Mapillary does not answer as it should")
        refused(outage, "check the network, and run the same command again later, which keeps what was fetched")
    assert_silent_about_the_token(tmp_path, bad, nothing, *outages)
    assert not (tmp_path / "patna").exists()


def test_keys_of_a_table(tmp_path):
    keys = [IMAGES[0].id, "Vj_-9Ab3kQ1LxYz0PqRsTu", "17", IMAGES[1].id]
    (tmp_path / "data.csv").write_text("n,key\n" + "".join(f"{i},{key}\n" for i, key in enumerate(keys)))
    words = ["--keys", tmp_path / "data.csv", "--out", tmp_path / "some"]
    with FakeMapillary(IMAGES) as server:
        refused(fetch(server, *words), "give --keys-column COLUMN")
        words += ["--keys-column", "key"]
        refused(fetch(server, *words, "--bbox", BOX), "--bbox: --keys names the images already")
        plan = fetch(server, *words, "--dry-run")
        assert plan.returncode == 0, plan.stderr
        assert server.requests == []
        done = fetch(server, *words)
        assert done.returncode == 0, done.stderr
    assert "3 of 4 keys of data.csv to fetch" in " ".join(plan.stdout.split())
    assert (
        "1 key cannot be fetched; 'Vj_-9Ab3kQ1LxYz0PqRsTu', for example, is a key of Mapillary's API v3" in plan.stderr
    )
    assert "1 image left out: not known to Mapillary" in done.stderr
    assert f"{tmp_path / 'some'}: 2 images, 2 photos" in done.stdout
    assert sorted(read_dataset(tmp_path / "some").rejects["key"]) == ["17", "Vj_-9Ab3kQ1LxYz0PqRsTu"]


def test_quality_cameras_and_a_point(tmp_path):
    words = ["--around", "85.14,25.6", "--radius-m", "3000", "--no-images", "--out", tmp_path / "patna"]
    with FakeMapillary(IMAGES) as server:
        refused(fetch(server, *words, "--camera-type", "round"), "must be one of perspective, fisheye")
        done = fetch(server, *words, "--camera-type", "perspective", "--camera-type", "fisheye")
    assert done.returncode == 0, done.stderr
    made = read_dataset(tmp_path / "patna")
    assert 0 < len(made.images) < len(IMAGES)
    assert (
        "--around 85.14,25.6 --radius-m 3000 --no-images --camera-type perspective --camera-type fisheye"
        in made.command
    )


def test_options_of_a_file_of_districts(tmp_path):
    squares = [shapely.box(85.0, 25.5, 85.15, 25.7), shapely.box(85.15, 25.5, 85.3, 25.7)]
    table = gpd.GeoDataFrame({"code": ["w", "e"], "unit": ["West", "East"]}, geometry=squares, crs=4326)
    table.to_file(tmp_path / "areas.gpkg", layer="units")
    table.dissolve().to_file(tmp_path / "areas.gpkg", layer="whole")
    words = ["--bbox", BOX, "--boundaries", tmp_path / "areas.gpkg", "--out", tmp_path / "patna", "--dry-run"]
    chosen = ["--layer", "units", "--name-column", "unit", "--id-column", "code"]
    with FakeMapillary(IMAGES) as server:
        plan = fetch(server, *words, *chosen)
        assert plan.returncode == 0, plan.stderr
        refused(fetch(server, *words, "--layer", "none"), "--layer none")
        refused(fetch(server, "--bbox", BOX, "--layer", "units", "--out", tmp_path / "b"), "add --boundaries FILE")
        done = fetch(server, *words[:-1], *chosen, "--no-images")
        assert done.returncode == 0, done.stderr
    assert {"West", "East"} <= set(plan.stdout.split())
    assert " ".join(chosen) in read_dataset(tmp_path / "patna").command


def fetch_from_panoramax(server, *words):
    return run("fetch", "images", "--source", "panoramax", "--api", server.api, *words, *FAST, "--timeout", "2")


def test_from_panoramax(tmp_path):
    out, box = tmp_path / "lund", "13.19,55.69,13.21,55.71"
    with FakePanoramax() as server:
        plan = fetch_from_panoramax(server, "--bbox", box, "--leave-out-panoramas", "--out", out, "--dry-run")
        assert plan.returncode == 0, plan.stderr
        assert "6 images found, 5 to fetch, about 2.5 MB of photos" in " ".join(plan.stdout.split())
        done = fetch_from_panoramax(server, "--bbox", box, "--leave-out-panoramas", "--out", out)
        assert done.returncode == 0, done.stderr
        assert (server.count("search"), server.count("photo")) == (1, 5)
        source = f"--source panoramax --api {server.api}"
    assert "5 images, 5 photos; Panoramax, images by their producers (etalab-2.0)" in done.stdout
    made = read_dataset(out).command
    assert made == f"python cli.py fetch images {source} --bbox {box} --leave-out-panoramas --out images"


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--source", "flickr"], "--source flickr: must be mapillary or panoramax"),
        (["--api", "https://panoramax.example.org/api"], "add --source panoramax"),
        (["--source", "panoramax", "--token-file", "x"], "Panoramax needs no token"),
        (
            ["--source", "panoramax", "--objects"],
            "Panoramax has no object counts; leave out --objects",
        ),
        (
            ["--source", "panoramax", "--thumb", "256"],
            "--thumb 256: must be one of 500, 2048, original for Panoramax",
        ),
        (
            ["--source", "panoramax", "--api", "panoramax.example.org"],
            "--api panoramax.example.org: must be an address",
        ),
    ],
)
def test_options_that_do_not_fit_the_source(tmp_path, words, match):
    refused(run("fetch", "images", *words, "--bbox", BOX, "--out", tmp_path / "new", MAPILLARY_TOKEN=TOKEN), match)
    assert not (tmp_path / "new").exists()


def test_a_wrong_panoramax_address_no_image_and_an_outage(tmp_path):
    words = ["--bbox", BOX, "--out", tmp_path / "new"]
    with FakePanoramax() as server:
        refused(fetch_from_panoramax(server, *words), "Panoramax has no image there")
        server.fail("landing", "404")
        refused(
            fetch_from_panoramax(server, *words),
            "is not the address of a Panoramax API (HTTP 404); give",
        )
        server.fail("any", "503", times=9)
        refused(fetch_from_panoramax(server, *words), "Panoramax does not answer as it should (HTTP 503, 3 times)")
