"""A passing outage, in which a server answers that tiles are empty, and photos that were damaged between two runs."""

import contextlib
import sqlite3

import pytest

from geolive.dataset_folder import read_dataset
from geolive.errors import InputError
from geolive.sources.imagery.area import area_of_box
from geolive.sources.imagery.fetch import fetch_folder, plan_fetch
from geolive.sources.imagery.sampling import Wanted
from tests.sources.mapillary.fetching import BOX, FAST, access_to, fetch_box
from tests.sources.mapillary.server import FakeMapillary, fake_images

IMAGES = fake_images(30, seed=1)


def test_tiles_that_are_empty_once_are_requested_again(tmp_path):
    with FakeMapillary(IMAGES) as server:
        server.fail("tile", "empty", times=1)
        out = fetch_box(server, tmp_path / "patna", Wanted(thumb=None))
    made = read_dataset(out)
    assert len(made.images) == len(IMAGES)
    assert made.extra["fetch"]["empty_tiles"] < made.extra["fetch"]["tiles"]


@pytest.mark.parametrize("status", [200, 204, 404])
def test_an_area_without_images_is_requested_again_by_the_same_command(tmp_path, status):
    with FakeMapillary([], empty_tile=status) as server:
        with pytest.raises(InputError, match=r"no image there .*the same command requests them again"):
            fetch_box(server, tmp_path / "patna", Wanted(thumb=None))
        server.images = {image.id: image for image in IMAGES}
        out = fetch_box(server, tmp_path / "patna", Wanted(thumb=None))
    assert len(read_dataset(out).images) == len(IMAGES)


def test_an_empty_answer_expires(tmp_path):
    area, out = area_of_box(BOX), tmp_path / "patna"
    with FakeMapillary(IMAGES) as server:
        lost = next(key for key in _tiles_with_images(server, area, tmp_path / "other"))
        server.fail("tile", "empty", times=2, key=lost)
        listed, _, n_empty = plan_fetch(access_to(server), area, Wanted(), out, FAST)
        assert 0 < len(listed) < len(IMAGES)
        asked = server.count("tile")
        assert len(plan_fetch(access_to(server), area, Wanted(), out, FAST)[0]) == len(listed)
        assert server.count("tile") == asked  # believed for an hour
        with contextlib.closing(sqlite3.connect(fetch_folder(out) / "ledger.sqlite", isolation_level=None)) as ledger:
            ledger.execute("UPDATE tiles SET asked = asked - 7200")
        assert len(plan_fetch(access_to(server), area, Wanted(), out, FAST)[0]) == len(IMAGES)
        assert server.count("tile") == asked + n_empty


def _tiles_with_images(server, area, out):
    """Keys of the tiles that list an image, as the server names them."""
    plan_fetch(access_to(server), area, Wanted(), out, FAST)
    with contextlib.closing(sqlite3.connect(fetch_folder(out) / "ledger.sqlite")) as ledger:
        return [f"{x}/{y}" for x, y in ledger.execute("SELECT x, y FROM tiles WHERE empty = 0 ORDER BY number")]


def test_a_photo_with_other_bytes_of_the_same_size_is_fetched_again(tmp_path):
    out = tmp_path / "patna"
    with FakeMapillary(IMAGES) as server:
        server.fail("photo", "cut", times=99, key=IMAGES[-1].id)
        with pytest.raises(InputError, match="could not be fetched"):
            fetch_box(server, out)
        photo = fetch_folder(out) / "photos" / f"{IMAGES[0].id}.jpg"
        photo.write_bytes(bytes(len(photo.read_bytes())))
        server.rules.clear()
        fetch_box(server, out)
    assert (out / "photos" / f"{IMAGES[0].id}.jpg").read_bytes() == IMAGES[0].jpeg
