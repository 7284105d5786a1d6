"""The real server: what `panoramax_cli` uploads to `geovisio` is fetched, also by a fetch that is killed and continued."""

import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from PIL import Image, ImageChops

from geolive.dataset_folder import read_dataset
from geolive.sources.imagery.fetch import fetch_folder
from tests.commands import ROOT, run
from tests.sources.panoramax.fetching import contents
from tests.sources.panoramax.photos import LUND, copy_lund, draw_photos
from tests.sources.panoramax.real_server import LICENCE, panoramax, what_is_missing

MISSING = what_is_missing()
pytestmark = [pytest.mark.panoramax, pytest.mark.skipif(bool(MISSING), reason=f"missing: {MISSING}")]
BOX = "13.19,55.69,13.20,55.71"


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of photos: six drawn ones, and those of Lund where they are."""
    folder = draw_photos(tmp_path_factory.mktemp("photos") / "drawn")
    return [folder, copy_lund(folder.parent / "lund")] if LUND.is_dir() else [folder]


@pytest.fixture(scope="module")
def server(tmp_path_factory, photos):
    with panoramax(tmp_path_factory.mktemp("server")) as server:
        for folder in photos:
            server.upload(folder)
        yield server


def words(server, out, *more):
    return ["fetch", "images", "--source", "panoramax", "--api", server.api, "--bbox", BOX, "--out", out, *more]


@pytest.fixture(scope="module")
def fetched(server, tmp_path_factory):
    out = tmp_path_factory.mktemp("fetched") / "lund"
    done = run(*words(server, out, "--thumb", "original"))
    assert done.returncode == 0, done.stderr
    return out


def test_every_photo_is_fetched_with_its_facts(server, photos, fetched):
    items = {item["id"]: item for item in server.get("/search?limit=1000")["features"]}
    dataset = read_dataset(fetched)
    assert sorted(dataset.images["key"]) == sorted(items)
    assert len(items) >= 6 + 25 * (len(photos) - 1)
    originals = {path.stat().st_size: path for folder in photos for path in folder.glob("*.jpg")}
    for row in dataset.images.itertuples():
        about = items[row.key]["properties"]
        assert [row.geometry.x, row.geometry.y] == items[row.key]["geometry"]["coordinates"]
        assert row.captured_at == pd.Timestamp(about["datetime"]).floor("ms")
        assert (row.sequence_id, row.licence, row.creator) == (items[row.key]["collection"], LICENCE, "Default account")
        # the server writes EXIF anew and keeps the picture
        with Image.open(fetched / row.img_path) as got, Image.open(originals[about["original_file:size"]]) as sent:
            assert ImageChops.difference(got.convert("RGB"), sent.convert("RGB")).getbbox() is None
    assert dataset.images["is_pano"].sum() == 1
    assert dataset.images["sequence_id"].nunique() == len(photos)
    assert dataset.extra["licence"] == LICENCE


def test_killed_and_continued_it_is_the_same(server, fetched, tmp_path):
    out = tmp_path / "lund"
    more = words(server, out, "--thumb", "original", "--at-once", "1", "--rate", "10")
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, more)]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=os.environ)
    end = time.monotonic() + 60
    while len(list((fetch_folder(out) / "photos").glob("*.jpg"))) < 3:
        assert running.poll() is None, "it ended before it was killed"
        assert time.monotonic() < end
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    assert running.wait(30) == -signal.SIGKILL
    assert not out.exists()
    done = run(*words(server, out, "--thumb", "original"))
    assert done.returncode == 0, done.stderr
    assert contents(out) == contents(fetched)


def test_tags_sizes_and_a_box_without_images(server, tmp_path):
    pano = next(
        item
        for item in server.get("/search?limit=1000")["features"]
        if item["properties"]["pers:interior_orientation"].get("field_of_view") == 360
    )
    server.tag(pano, surface="asphalt")
    done = run(*words(server, tmp_path / "tags", "--thumb", "500", "--max-per-site", "4"))
    assert done.returncode == 0, done.stderr
    images = read_dataset(tmp_path / "tags").images
    assert len(images) == 4
    with Image.open(tmp_path / "tags" / images["img_path"][0]) as photo:
        assert photo.width == 500
    done = run(*words(server, tmp_path / "all", "--no-images"))
    tagged = read_dataset(tmp_path / "all").images.set_index("key")["semantics"].dropna()
    assert tagged.to_dict() == {pano["id"]: '[{"key": "surface", "value": "asphalt"}]'}
    (tmp_path / "keys.txt").write_text(pano["id"])
    one = [
        word for word in words(server, tmp_path / "one", "--keys", tmp_path / "keys.txt") if word not in ("--bbox", BOX)
    ]
    done = run(*one)
    assert done.returncode == 0, done.stderr
    assert read_dataset(tmp_path / "one").images["key"].tolist() == [pano["id"]]
    plan = run(*words(server, tmp_path / "plan", "--leave-out-panoramas", "--dry-run"))
    assert f"{len(read_dataset(tmp_path / 'all').images) - 1:,} to fetch" in " ".join(plan.stdout.split())
    nowhere = [word if word != BOX else "14,56,14.01,56.01" for word in words(server, tmp_path / "nowhere")]
    empty = run(*nowhere)
    assert empty.returncode == 2
    assert "Panoramax has no image there" in empty.stderr
    wrong = run(
        *[word if word != server.api else f"{server.api}/nothing" for word in words(server, tmp_path / "wrong")]
    )
    assert wrong.returncode == 2
    assert "is not the address of a Panoramax API (HTTP 404)" in wrong.stderr
