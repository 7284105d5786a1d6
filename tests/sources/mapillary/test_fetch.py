"""From a server that fails in every way known to a dataset that looks as if it never had."""

import dataclasses
import datetime
import hashlib
import sqlite3
import time
from collections import Counter

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from geolive.dataset import Dataset
from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.places import group_images, key_hash
from geolive.sources.imagery.area import area_around
from geolive.sources.imagery.fetch import fetch_folder, fetch_images, plan_fetch
from geolive.sources.imagery.ledger import Ledger
from geolive.sources.imagery.sampling import Wanted
from geolive.sources.mapillary.access import Access
from geolive.sources.mapillary.classes import count_objects
from geolive.sources.mapillary.source import Mapillary
from geolive.sources.survey.reader import read_survey
from geolive.tables import lonlat, points
from tests.sources.mapillary.fetching import BOX, FAST, access_to, contents, fetch_box
from tests.sources.mapillary.server import TOKEN, FakeMapillary, fake_images

IMAGES = fake_images(24)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "patna"
    with FakeMapillary(IMAGES) as server:
        fetch_box(server, out)
        assert server.complaints == []
    return out


def test_a_dataset_of_all_images(undisturbed):
    dataset = read_dataset(undisturbed)
    assert dataset.images["key"].tolist() == [image.id for image in IMAGES]
    assert not fetch_folder(undisturbed).exists()
    assert not dataset.simulated
    for row, image, objects in zip(dataset.images.itertuples(), IMAGES, dataset.features["objects"], strict=True):
        assert (row.geometry.x, row.geometry.y) == (image.computed or (image.lon, image.lat))
        assert (row.lon_original, row.lat_original) == (image.lon, image.lat)
        assert row.captured_at == pd.Timestamp(image.captured_at, unit="ms", tz="UTC")
        assert (row.sequence_id, row.creator, row.creator_id) == (
            image.sequence,
            f"user-{image.sequence}",
            "1784140" + "0" * 10,
        )
        assert (row.is_pano, row.compass_angle, row.country) == (image.is_pano, 12.25, "ia")
        photo = undisturbed / row.img_path
        assert photo.read_bytes() == image.jpeg
        assert hashlib.sha256(image.jpeg).hexdigest() == row.sha256
        with Image.open(photo) as opened:
            assert opened.size == (24, 16)
        assert (objects == count_objects(Counter(image.detections))[0]).all()
    assert dataset.images["unique_cluster"].isna().all()
    assert "CC BY-SA 4.0" in dataset.source
    assert dataset.extra["detections_without_class"].keys() == {"object--spaceship"}


FAULTS = [
    ("any", "429"), ("any", "429 wait"), ("any", "500"), ("any", "stall"), ("any", "cut"), ("any", "reset"),
    ("tile", "half"), ("tile", "html"), ("tile", "503"),
    ("facts", "code 4"), ("facts", "code 2"), ("facts", "html"), ("facts", "empty"), ("facts", "half"),
    ("detections", "code 4"), ("detections", "html"), ("url", "empty"), ("url", "redirect"),
    ("photo", "expired"), ("photo", "html"), ("photo", "empty"), ("photo", "half"), ("photo", "redirect"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fault"), FAULTS)
def test_faults_that_pass_leave_no_trace(undisturbed, tmp_path, kind, fault):
    with FakeMapillary(IMAGES, empty_tile=404 if fault == "html" else 204) as server:
        server.fail(kind, fault, times=1)
        fetch_box(server, tmp_path / "patna", retry_policy=dataclasses.replace(FAST, at_once=64, tries=6))
        assert server.complaints == []
        asked = Counter(server.requests)
        for met in ("tile", "facts", "url", "detections", "photo") if kind == "any" else (kind,):
            again = [key for (k, key), count in asked.items() if k == met and count >= 2]
            # half of an empty tile is an empty tile
            assert len(again) >= (2 if met == "tile" else len(IMAGES)), met
    assert contents(tmp_path / "patna") == contents(undisturbed)


def test_a_storm_of_refusals(undisturbed, tmp_path):
    with FakeMapillary(IMAGES) as server:
        server.fail("any", "429", times=2).fail("any", "429 wait", times=1).fail("any", "500", times=2)
        fetch_box(server, tmp_path / "patna", retry_policy=dataclasses.replace(FAST, tries=12, at_once=64))
    assert contents(tmp_path / "patna") == contents(undisturbed)


def test_pauses_rate_and_number_at_once_are_kept(tmp_path):
    times = []
    with FakeMapillary(IMAGES[:6]) as server:
        server.before_each = lambda kind, key: times.append((time.monotonic(), kind))
        server.fail("facts", "429 wait", key=IMAGES[0].id)
        fetch_box(server, tmp_path / "one", retry_policy=dataclasses.replace(FAST, at_once=1, rate=200))
        assert server.most_at_once == 1
        first = [kind for _, kind in times].index("facts")
        # the clocks of two threads and a timer's rounding
        assert times[first + 1][0] - times[first][0] > 0.19
        assert times[-1][0] - times[0][0] > (len(times) - 1) / 200 * 0.9
        fetch_box(server, tmp_path / "three", retry_policy=dataclasses.replace(FAST, at_once=3))
        assert server.most_at_once <= 3


def test_deleted_images_leave_a_tombstone(tmp_path):
    first, second, third = (image.id for image in IMAGES[:3])
    with FakeMapillary(IMAGES) as server:
        server.fail("facts", "gone", key=first).fail("detections", "gone", key=second).fail("url", "gone", key=third)
        server.fail("facts", "500", times=99, key=IMAGES[5].id)
        with pytest.raises(InputError, match=r"1 of 24 images could not be fetched .*HTTP 500, 4 times"):
            fetch_box(server, tmp_path / "patna")
        with pytest.raises(InputError, match="could not be fetched"):
            fetch_box(server, tmp_path / "patna")
        assert server.requests.count(("facts", first)) == 1
        server.rules.clear()
        fetch_box(server, tmp_path / "patna")
    dataset = read_dataset(tmp_path / "patna")
    assert dataset.images["key"].tolist() == [image.id for image in IMAGES[3:]]
    assert dataset.rejects["key"].tolist() == [first, second, third]
    assert set(dataset.rejects["reason"]) == {"deleted at Mapillary"}
    assert len(list((tmp_path / "patna" / "photos").iterdir())) == 21


def test_nothing_left(tmp_path):
    with FakeMapillary(IMAGES[:2]) as server:
        server.fail("facts", "gone")
        with pytest.raises(InputError, match=r"none of 2 images can be used \(deleted at Mapillary\)"):
            fetch_box(server, tmp_path / "patna")
    assert not (tmp_path / "patna").exists()


def test_what_cannot_be_fetched_can_be_left_out(tmp_path):
    broken = IMAGES[7].id
    with FakeMapillary(IMAGES) as server:
        server.fail("photo", "html", times=99, key=broken)
        fetch_box(server, tmp_path / "patna", leave_out_failed=True)
    dataset = read_dataset(tmp_path / "patna")
    assert len(dataset.images) == 23
    assert dataset.rejects["reason"].tolist() == ["not fetched: something other than a photo, 4 times"]
    assert dataset.rejects["key"].tolist() == [broken]


def test_a_server_that_always_fails_is_left_alone(tmp_path):
    with FakeMapillary(fake_images(60)) as server:
        server.fail("facts", "503", times=99)
        with pytest.raises(InputError, match="run the same command again"):
            fetch_box(server, tmp_path / "patna")
        assert server.count("facts") < 60 * FAST.tries / 2
        server.rules.clear()
        assert len(read_dataset(fetch_box(server, tmp_path / "patna")).images) == 60


def test_tiles_that_fail_stop_the_search_and_are_kept(tmp_path):
    with FakeMapillary(IMAGES) as server:
        server.fail("tile", "500", times=99, key="12066/6985")
        with pytest.raises(InputError, match=r"does not answer as it should \(HTTP 500"):
            fetch_box(server, tmp_path / "patna")
        before = server.count("tile")
        server.rules.clear()
        fetch_box(server, tmp_path / "patna")
        assert server.count("tile") - before < before


def test_a_long_pause_ends_the_command_and_says_so(tmp_path):
    with FakeMapillary(IMAGES) as server:
        server.fail("tile", "429 tomorrow")
        with pytest.raises(InputError, match="asks to wait 86400 s"):
            fetch_box(server, tmp_path / "patna")


@pytest.mark.parametrize(
    ("kind", "fault"), [("tile", "401"), ("facts", "token"), ("facts", "401"), ("detections", "token")]
)
def test_a_token_refused_on_the_way(tmp_path, kind, fault):
    with FakeMapillary(IMAGES) as server:
        server.fail(kind, fault, times=99)
        with pytest.raises(InputError, match="refused the token") as caught:
            fetch_box(server, tmp_path / "patna")
    assert TOKEN not in str(caught.value)
    # without Mapillary's word on the token, a gateway in trouble or a firewall may have answered
    assert server.count(kind) <= FAST.at_once * (FAST.tries if fault == "401" else 1)


@pytest.mark.parametrize("kind", ["tile", "facts"])
def test_a_single_401_is_no_refused_token(tmp_path, kind):
    with FakeMapillary(IMAGES) as server:
        server.fail(kind, "401", times=2)
        dataset = read_dataset(fetch_box(server, tmp_path / "patna"))
    assert len(dataset.images) == len(IMAGES)


def test_a_wrong_token_is_not_an_empty_area(tmp_path):
    with FakeMapillary([]) as server:
        with pytest.raises(InputError, match="refused the token"):
            fetch_box(server, tmp_path / "patna", token="MLY|wrong")
        with pytest.raises(InputError, match="has no image there"):
            fetch_box(server, tmp_path / "nowhere")
        # a server that answers a wrong token with empty tiles
        server.fail("search", "token")
        with pytest.raises(InputError, match="refused the token"):
            fetch_box(server, tmp_path / "empty")


@pytest.mark.parametrize("empty", [200, 204, 404])
def test_empty_tiles_are_no_error(tmp_path, empty):
    with FakeMapillary(fake_images(3, spread=0.001), empty_tile=empty) as server:
        assert len(read_dataset(fetch_box(server, tmp_path / "patna")).images) == 3


def test_no_server_at_all(tmp_path):
    gone = Mapillary(Access(TOKEN, "http://127.0.0.1:9", "http://127.0.0.1:9/{z}/{x}/{y}"))
    from geolive.sources.imagery.area import area_of_box

    many_tries = dataclasses.replace(FAST, tries=1000, first_delay=0.02, longest_delay=0.02, unreachable=0.1)
    began = time.monotonic()
    with pytest.raises(
        InputError, match=r"cannot be reached \(the connection was refused\); check the network"
    ) as caught:
        fetch_images(gone, area_of_box(BOX), Wanted(), tmp_path / "patna", many_tries)
    assert time.monotonic() - began < 5
    assert TOKEN not in str(caught.value)


def test_images_outside_the_area(tmp_path):
    inside, outside, moved = fake_images(3, spread=0.0001)
    outside = dataclasses.replace(outside, lon=85.1799, lat=25.61)
    moved = dataclasses.replace(moved, computed=(85.3, 25.6))
    with FakeMapillary([inside, outside, moved]) as server:
        dataset = read_dataset(fetch_box(server, tmp_path / "patna", box="85.1,25.56,85.179,25.64"))
        assert server.count("photo") == 1
    assert dataset.images["key"].tolist() == [inside.id]
    assert dataset.rejects["reason"].tolist() == ["its computed position is outside the area"]


def test_dates_and_panoramas(tmp_path):
    wanted = Wanted(since=datetime.date(2020, 1, 3), until=datetime.date(2020, 1, 12), pano=False, thumb=None)
    with FakeMapillary(IMAGES) as server:
        dataset = read_dataset(fetch_box(server, tmp_path / "patna", wanted))
        assert server.count("url") == server.count("photo") == server.count("detections") == 0
    assert dataset.images["key"].tolist() == [IMAGES[i].id for i in range(2, 12) if i % 5]
    assert dataset.images["img_path"].isna().all()
    assert not (tmp_path / "patna" / "photos").exists()
    assert dataset.features == {}
    with FakeMapillary(IMAGES) as server, pytest.raises(InputError, match="none of its 24 images is wanted"):
        fetch_box(server, tmp_path / "late", Wanted(since=datetime.date(2030, 1, 1)))


def test_at_most_so_many_a_site_whatever_the_order(tmp_path):
    images = fake_images(30, spread=0.003)
    for name, order in (("a", images), ("b", images[::-1])):
        with FakeMapillary(order) as server:
            fetch_box(server, tmp_path / name, Wanted(max_per_site=7, objects=True))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    ids = np.array([image.id for image in images], dtype=object)
    chosen = set(ids[np.argsort(key_hash(ids))[:7]])
    assert set(read_dataset(tmp_path / "a").images["key"]) == chosen


def test_models_choose_the_same_images_of_a_place(tmp_path):
    from geolive.sources.imagery.area import area_of_box
    from geolive.sources.imagery.sampling import sample_images

    rng = np.random.default_rng(0)
    id = [str(10**15 + 7 * i) for i in range(250)]
    found = pd.DataFrame({"id": id, "lon": rng.uniform(85.13, 85.14, 250), "lat": rng.uniform(25.6, 25.61, 250)})
    found = found.assign(captured_at=np.nan, is_pano=False)
    chosen = sample_images(found, area_of_box(BOX), Wanted())
    images = gpd.GeoDataFrame({"key": id}, geometry=points(found["lon"], found["lat"]))
    place = np.array(["a"]), np.array([[85.135, 25.605]])
    places = group_images(*place, images, np.zeros((250, 66), np.uint16), pd.Series(["a"] * 250))
    assert len(chosen) == 200
    assert set(map(tuple, chosen[["lon", "lat"]].to_numpy())) == set(map(tuple, places.image_positions))


def survey_near(tmp_path):
    path = tmp_path / "survey.csv"
    path.write_text("id,x,y,pov\na,85.14,25.6,1\nb,85.19,25.6,2\nfar,80,20,3\n")
    return read_dataset(write_dataset(read_survey(path, "x", "y", {"pov": "pov"}, id="id"), tmp_path / "survey"))


def test_around_a_survey(tmp_path):
    survey = survey_near(tmp_path)
    images = fake_images(40, spread=0.03)
    with FakeMapillary(images) as server:
        area = area_around(survey)
        out = fetch_images(access_to(server), area, Wanted(thumb=None, max_per_site=12), tmp_path / "out", FAST)
        asked = len({key for kind, key in server.requests if kind == "tile"})
    made = read_dataset(out)
    assert isinstance(made, Dataset)
    assert made.indicators == ["pov"]
    assert made.clusters["pov"].tolist() == [1, 2, 3]
    # 5 km reach about 20 of the 5 km² tiles around each of three places, two of them close by
    assert 30 < asked == len(area.tiles) < 110
    numbers = made.images["unique_cluster"].value_counts()
    assert made.clusters["n_images"].tolist() == [numbers["a"], numbers["b"], 0]
    assert numbers["a"] == 12
    near = lonlat(made.images.geometry)[made.images["unique_cluster"] == "b"]
    assert (near[:, 0] > 85.165).all()


def test_ids_that_are_no_numbers_never_come_in(tmp_path, monkeypatch):
    strange = dataclasses.replace(IMAGES[0], id="1")
    with FakeMapillary([strange, *IMAGES[1:3]]) as server:
        import tests.sources.mapillary.server as module

        honest = module.image_tile
        evil = "../../../../escaped"

        def tile(x, y, images):
            from tests.sources.mapillary.vectortiles import layer

            body = honest(x, y, images[1:])
            names = [evil, "7/../8", "7/detections?x=", "-5", "", "٣"]
            points = [((5, 5), {"id": name, "captured_at": 5}) for name in names]
            return body + layer("image", points) if body else b""

        monkeypatch.setattr(module, "image_tile", tile)
        dataset = read_dataset(fetch_box(server, tmp_path / "a" / "b" / "patna"))
        assert {key for kind, key in server.requests if kind != "tile"} == {image.id for image in IMAGES[1:3]}
    assert dataset.images["key"].tolist() == [image.id for image in IMAGES[1:3]]
    assert [p.name for p in tmp_path.rglob("*escaped*")] == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_photos_from_elsewhere_are_not_opened(tmp_path):
    with FakeMapillary(IMAGES[:1]) as server:
        server.root = "file:///etc/passwd#"
        with pytest.raises(InputError, match="no usable address of the photo"):
            fetch_box(server, tmp_path / "patna")


def test_addresses_must_not_show_the_token():
    for graph in ("http://graph.mapillary.com", "ftp://127.0.0.1", "graph.mapillary.com"):
        with pytest.raises(InputError, match="https"):
            Access(TOKEN, graph=graph)
    with pytest.raises(InputError, match="token"):
        Access("MLY|1\r\nHost: x")
    assert TOKEN not in repr(Access(TOKEN))


def test_nothing_is_overwritten_and_options_do_not_mix(tmp_path, undisturbed):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").touch()
    with FakeMapillary(IMAGES) as server:
        with pytest.raises(InputError, match="geolive overwrites nothing"):
            fetch_box(server, tmp_path / "mine")
        server.fail("photo", "500", times=99, key=IMAGES[0].id)
        with pytest.raises(InputError, match="could not be fetched"):
            fetch_box(server, tmp_path / "patna")
        with pytest.raises(InputError, match="with other options"):
            fetch_box(server, tmp_path / "patna", Wanted(objects=True, thumb="256"))
        with pytest.raises(InputError, match="of another area"):
            fetch_box(server, tmp_path / "patna", box="85.1,25.56,85.18,25.63")
        server.rules.clear()
        fetch_box(server, tmp_path / "patna")
    assert contents(tmp_path / "patna") == contents(undisturbed)


def test_after_a_plan_other_options_need_no_new_search(tmp_path, undisturbed):
    from geolive.sources.imagery.area import area_of_box

    with FakeMapillary(IMAGES) as server:
        found, chosen, _ = plan_fetch(
            access_to(server), area_of_box(BOX), Wanted(max_per_site=5), tmp_path / "patna", FAST
        )
        assert (len(found), server.count("facts")) == (24, 0)
        assert len(chosen) < 24
        asked = server.count("tile")
        fetch_box(server, tmp_path / "patna")
        assert server.count("tile") == asked
    assert contents(tmp_path / "patna") == contents(undisturbed)


def test_two_at_once_and_a_damaged_ledger(tmp_path):
    folder = fetch_folder(tmp_path / "patna")
    folder.mkdir()
    with FakeMapillary(IMAGES) as server:
        with Ledger(folder / "ledger.sqlite", "x"), pytest.raises(InputError, match="another command is fetching it"):
            fetch_box(server, tmp_path / "patna")
        for path in folder.iterdir():
            path.unlink()
        (folder / "ledger.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 100)
        with pytest.raises(InputError, match="damaged"):
            fetch_box(server, tmp_path / "patna")


def test_the_token_is_nowhere(tmp_path):
    with FakeMapillary(IMAGES[:4]) as server:
        server.fail("photo", "cut", times=99)
        with pytest.raises(InputError):
            fetch_box(server, tmp_path / "patna")
        work = fetch_folder(tmp_path / "patna")
        with sqlite3.connect(work / "ledger.sqlite") as db:
            assert db.execute("SELECT count(*) FROM images WHERE facts IS NOT NULL").fetchone() == (4,)
        for name, data in contents(tmp_path).items():
            assert b"secret" not in data, name
            assert b"signature" not in data, name
