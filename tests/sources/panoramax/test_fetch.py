"""From a recorded reply of a real server, by way of a local server that fails, to a dataset."""

import copy
import hashlib
import json
import multiprocessing
import os
import signal

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from aiohttp.resolver import ThreadedResolver

from geolive.dataset_folder import read_dataset
from geolive.errors import InputError
from geolive.sources.imagery import client as shared_client
from geolive.sources.imagery.area import area_of_region
from geolive.sources.imagery.fetch import fetch_folder, fetch_images
from geolive.sources.imagery.keys import images_of_keys
from geolive.sources.imagery.sampling import Wanted
from geolive.sources.panoramax import client as panoramax_client
from geolive.sources.panoramax.source import Panoramax
from tests.sources.panoramax.fetching import FAST, contents, fetch_box
from tests.sources.panoramax.server import FakePanoramax, photo_of, recorded_items, walk

# a process that has imported all there is, from which others are forked in no time
START = multiprocessing.get_context("forkserver")
START.set_forkserver_preload(["tests.sources.panoramax.fetching", "PIL.Image"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A port, and the files of a fetch that nothing disturbed; the address of the API is part of the dataset."""
    out = tmp_path_factory.mktemp("undisturbed") / "lund"
    with FakePanoramax() as server:
        fetch_box(server.api, out)
    return out


def without_address(folder):
    """Every file's bytes but those of dataset.json, which holds the address and thus the port."""
    return {name: data for name, data in contents(folder).items() if name != "dataset.json"}


def test_a_dataset_of_a_recorded_reply(undisturbed):
    dataset, items = read_dataset(undisturbed), recorded_items()
    assert dataset.images["key"].tolist() == [item["id"] for item in items]
    for row, item in zip(dataset.images.itertuples(), items, strict=True):
        assert [row.geometry.x, row.geometry.y] == item["geometry"]["coordinates"]
        assert row.captured_at == pd.Timestamp(item["properties"]["datetime"])
        assert (row.sequence_id, row.licence) == (item["collection"], "etalab-2.0")
        assert (row.creator, row.creator_id) == ("Default account", item["providers"][0]["id"])
        assert row.compass_angle == item["properties"]["view:azimuth"]
        assert (undisturbed / row.img_path).read_bytes() == photo_of(item["id"], "thumb")
        assert hashlib.sha256(photo_of(item["id"], "thumb")).hexdigest() == row.sha256
    assert dataset.images["is_pano"].tolist() == [False] * 5 + [True]
    assert dataset.images["field_of_view"].tolist()[-1] == 360
    assert json.loads(dataset.images["semantics"][0]) == [
        {"key": "osm|traffic_sign", "value": "stop"},
        {"key": "surface", "value": "asphalt"},
    ]
    assert dataset.images["semantics"][1:].isna().all()
    assert dataset.extra["licence"] == "etalab-2.0"
    assert "Panoramax" in dataset.source
    assert not dataset.simulated
    assert not fetch_folder(undisturbed).exists()


FAULTS = [
    ("any", "429"), ("any", "429 wait"), ("any", "500"), ("any", "stall"), ("any", "cut"), ("any", "reset"),
    ("search", "html"), ("search", "half"), ("search", "empty"), ("search", "404"), ("search", "403"),
    ("photo", "html"), ("photo", "empty"), ("photo", "half"), ("photo", "403"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fault"), FAULTS)
def test_faults_that_pass_leave_no_trace(undisturbed, tmp_path, kind, fault):
    with FakePanoramax() as server:
        server.fail(kind, fault)
        fetch_box(server.api, tmp_path / "lund")
    assert without_address(tmp_path / "lund") == without_address(undisturbed)


@pytest.mark.parametrize("pages", [True, False])
def test_all_images_are_found_whether_or_not_the_server_has_pages(tmp_path, monkeypatch, pages):
    monkeypatch.setattr(panoramax_client, "PAGE", 4)
    items = walk(43)
    with FakePanoramax(items, pages) as server:
        dataset = read_dataset(fetch_box(server.api, tmp_path / "lund", thumb=None, box="13.19,55.69,13.21,55.72"))
        searches = [key for kind, key in server.requests if kind == "search"]
    assert dataset.images["key"].tolist() == [item["id"] for item in items]
    assert len(searches) > len(items) / 4
    # with pages one box a tile is enough; without, it is requested in quarters
    assert (len(set(searches)) == len(searches)) != pages


def test_a_reply_that_says_that_there_is_more_is_believed(tmp_path):
    items = walk(12)

    class Capped(FakePanoramax):
        async def _search(self, request):
            reply = await super()._search(request)
            body = json.loads(reply.body)
            body |= {"numberMatched": len(body["features"]), "features": body["features"][:3]}
            reply.body = json.dumps(body).encode()
            return reply

    with Capped(items) as server:
        dataset = read_dataset(fetch_box(server.api, tmp_path / "lund", thumb=None))
    assert dataset.images["key"].tolist() == [item["id"] for item in items]


@pytest.mark.parametrize("href", ["https://elsewhere.invalid/api/search?page=2", "file:///etc/passwd", "{own}", 7])
def test_links_to_other_hosts_and_in_circles_are_not_followed_for_ever(tmp_path, href):
    class Linked(FakePanoramax):
        async def _search(self, request):
            reply = await super()._search(request)
            link = {"rel": "next", "href": str(request.url) if href == "{own}" else href}
            reply.body = json.dumps(json.loads(reply.body) | {"links": [link]}).encode()
            return reply

    with Linked() as server:
        dataset = read_dataset(fetch_box(server.api, tmp_path / "lund", thumb=None))
        assert server.count("search") < 60
    assert len(dataset.images) == 6


def test_a_wrong_address_no_image_and_an_outage_are_told_apart(tmp_path):
    with FakePanoramax([]) as server:
        with pytest.raises(InputError, match="Panoramax has no image there"):
            fetch_box(server.api, tmp_path / "lund")
        server.fail("any", "503", times=99)
        with pytest.raises(
            InputError, match=r"does not answer as it should \(HTTP 503, 4 times\); check the network, and run"
        ):
            fetch_box(server.api, tmp_path / "lund")
        with pytest.raises(InputError, match=r"is not the address of a Panoramax API \(HTTP 404\)"):
            fetch_box(f"{server.root}/nothing", tmp_path / "lund")
    for fault in ("html", "no stac", "empty"):
        with FakePanoramax() as server:
            server.fail("landing", fault)
            with pytest.raises(InputError, match="its answer is not a STAC catalogue"):
                fetch_box(server.api, tmp_path / "lund")
    with pytest.raises(InputError, match=r"Panoramax cannot be reached \(the connection was refused"):
        fetch_box("http://127.0.0.1:9/api", tmp_path / "lund")


def test_an_unknown_host_is_a_wrong_address(tmp_path, monkeypatch):
    async def nowhere(self, host, port=0, family=0):
        raise OSError("Name or service not known")

    monkeypatch.setattr(ThreadedResolver, "resolve", nowhere)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=r"api='https://panoramax.invalid/api': no host of this name is known"):
        fetch_box("https://panoramax.invalid/api", tmp_path / "lund")


def test_after_a_wrong_address_the_right_one_fetches_into_the_same_folder(tmp_path, undisturbed):
    with FakePanoramax() as server:
        with pytest.raises(InputError, match="is not the address"):
            fetch_box(f"{server.root}/nothing", tmp_path / "lund")
        fetch_box(server.api, tmp_path / "lund")
    assert without_address(tmp_path / "lund") == without_address(undisturbed)


@pytest.mark.parametrize(
    "api",
    ["http://panoramax.org/api", "ftp://127.0.0.1/api", "panoramax.org", "https://me:secret@panoramax.org/api", "https://",
     "https://panoramax.org/api?x=1", "https://panoramax.org/\x1b[2J", "https://[", "https://panoramax.org:x/api"],
)  # fmt: skip
def test_addresses_that_are_refused(api):
    with pytest.raises(InputError, match="must be an address that starts with https://") as caught:
        Panoramax(api)
    assert str(caught.value).isprintable()


def test_photos_on_another_host(tmp_path):
    with FakePanoramax() as server, FakePanoramax() as photos:
        server.assets = photos.api
        dataset = read_dataset(fetch_box(server.api, tmp_path / "lund"))
        assert (server.count("photo"), photos.count("photo")) == (0, 6)
    assert dataset.images["img_path"].notna().all()


@pytest.mark.parametrize(
    "assets",
    ["http://photos.example.org", "https://10.1.2.3", "https://169.254.169.254", "https://[::ffff:10.0.0.1]", "file:///etc",
     "https://user:word@example.org", "//example.org", "javascript:alert(1)"],
)  # fmt: skip
def test_photos_at_addresses_that_are_not_opened(tmp_path, assets):
    with FakePanoramax() as server:
        server.assets = assets
        with pytest.raises(InputError, match="no usable address of the photo"):
            fetch_box(server.api, tmp_path / "lund")


def test_a_name_that_leads_to_a_private_network_is_not_opened(tmp_path, monkeypatch):
    async def inside(self, host, port=0, family=0):
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 6, "flags": 0}]

    monkeypatch.setattr(ThreadedResolver, "resolve", inside)
    with FakePanoramax() as server:
        server.assets = f"https://rebound.example.org:{server.root.rsplit(':')[-1]}"
        with pytest.raises(InputError, match="an address on a private network, which was not opened"):
            fetch_box(server.api, tmp_path / "lund")
        assert server.count("photo") == 0


def test_redirects_are_followed_to_checked_addresses(tmp_path):
    with FakePanoramax() as server:
        dataset = read_dataset(fetch_box(server.api, tmp_path / "lund", thumb="original"))
        assert server.count("elsewhere") == 6
        for key, path in zip(dataset.images["key"], dataset.images["img_path"], strict=True):
            assert (tmp_path / "lund" / path).read_bytes() == photo_of(key, "hd")
        for number, target in enumerate(
            ["file:///etc/passwd", "https://192.168.0.1/x.jpg", "http://example.org/x.jpg"]
        ):
            server.redirect_to = target
            with pytest.raises(InputError, match="no usable address of the photo"):
                fetch_box(server.api, tmp_path / f"redirected{number}", thumb="original")
        server.redirect_to = "/api/pictures/{id}/{size}.jpg"  # in a circle
        with pytest.raises(InputError, match="HTTP 302 for the photo"):
            fetch_box(server.api, tmp_path / "circle", thumb="original")


def test_deleted_photos_are_rejected_and_not_requested_again(tmp_path):
    first = recorded_items()[0]["id"]
    with FakePanoramax() as server:
        server.fail("photo", "404", times=99, key=first)
        dataset = read_dataset(fetch_box(server.api, tmp_path / "lund"))
        assert server.requests.count(("photo", first)) == 1
    assert dataset.rejects["key"].tolist() == [first]
    assert dataset.rejects["reason"].tolist() == ["deleted at Panoramax"]


def test_answers_without_bounds_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(panoramax_client, "MOST_BYTES", 20_000)
    with FakePanoramax() as server, pytest.raises(InputError, match="an answer of more than 0 MB"):
        fetch_box(server.api, tmp_path / "lund")
    monkeypatch.undo()
    monkeypatch.setattr(shared_client.Client._get, "__defaults__", (None, None, 100))
    with FakePanoramax() as server, pytest.raises(InputError, match="an answer of more than 0 MB"):
        fetch_box(server.api, tmp_path / "lund")


def test_nothing_in_an_item_becomes_a_path_or_moves_the_terminal(tmp_path):
    good = recorded_items()[0]
    names = ["../../../../escaped", "/etc/escaped", "", None, 7, {}, good["id"].upper() + "x", good["id"] + "\n"]
    evil = [copy.deepcopy(good) | {"id": name} for name in names]
    good["properties"] |= {"license": "\x1b[31mred", "geovisio:producer": "\x1b]0;title\x07you\u202e"}
    good["collection"] = "../" * 100
    with FakePanoramax([*evil, good, {"id": 5}, "text", None]) as server:
        dataset = read_dataset(fetch_box(server.api, tmp_path / "a" / "b" / "lund"))
    assert dataset.images["key"].tolist() == [good["id"]]
    image = dataset.images.iloc[0]
    assert (image["licence"], image["creator"]) == ("[31mred", "]0;titleyou")
    assert len(image["sequence_id"]) == 200
    assert [path.name for path in tmp_path.rglob("*escaped*")] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_panoramas_and_a_sample_by_site(tmp_path):
    with FakePanoramax() as server:
        dataset = read_dataset(fetch_box(server.api, tmp_path / "flat", pano=False, thumb=None))
        assert len(dataset.images) == 5
        assert not dataset.images["is_pano"].any()
    items = walk(40)
    for name, order in (("a", items), ("b", items[::-1])):
        with FakePanoramax(order) as server:
            fetch_box(server.api, tmp_path / name, max_per_site=3)
    assert without_address(tmp_path / "a") == without_address(tmp_path / "b")
    assert 3 <= len(read_dataset(tmp_path / "a").images) < 40


def test_images_by_their_keys(tmp_path):
    wanted = [item["id"] for item in recorded_items()[1:4]]
    unknown = wanted[0].replace("0", "f", 1)
    (tmp_path / "keys.txt").write_text("\n".join([*wanted, unknown, "../escaped"]))
    area = images_of_keys(tmp_path / "keys.txt", None)
    with FakePanoramax() as server:
        with pytest.raises(InputError, match="is not the address of a Panoramax API"):
            fetch_images(Panoramax(f"{server.root}/no"), area, Wanted(thumb="500"), tmp_path / "some", FAST)
        server.fail("facts", "500")
        dataset = read_dataset(fetch_images(Panoramax(server.api), area, Wanted(thumb="500"), tmp_path / "some", FAST))
        assert server.count("search") == 0
    assert sorted(dataset.images["key"]) == sorted(wanted)
    assert dataset.images["img_path"].notna().all()
    assert set(dataset.rejects["key"]) == {unknown, "../escaped"}


def test_what_panoramax_does_not_have_is_refused(tmp_path):
    with FakePanoramax() as server:
        with pytest.raises(InputError, match="no object counts"):
            fetch_box(server.api, tmp_path / "lund", objects=True)
        with pytest.raises(InputError, match="Panoramax has no quality scores"):
            fetch_box(server.api, tmp_path / "lund", min_quality=0.5)
        with pytest.raises(InputError, match="must be one of 500, 2048, original for Panoramax"):
            fetch_box(server.api, tmp_path / "lund", thumb="1024")
        assert server.requests == []


@pytest.mark.parametrize("moment", [2, 4, 7])
def test_killed_and_continued(tmp_path, undisturbed, moment):
    with FakePanoramax() as server:
        child = START.Process(target=fetch_box, args=(server.api, tmp_path / "lund"))

        def strike(kind, key):
            if len(server.requests) == moment:
                os.kill(child.pid, signal.SIGKILL)

        server.before_each = strike
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        assert not (tmp_path / "lund").exists()
        server.before_each = lambda kind, key: None
        done = server.count("photo")
        fetch_box(server.api, tmp_path / "lund")
        # what was fetched before is kept: four at once may have been under way
        assert server.count("photo") <= 6 + min(done, 4)
    assert without_address(tmp_path / "lund") == without_address(undisturbed)


def test_a_polygon_of_a_file(tmp_path):
    triangle = shapely.Polygon([(13.194, 55.698), (13.196, 55.698), (13.195, 55.6988)])
    frame = gpd.GeoDataFrame({"name": ["Lund"]}, geometry=[triangle], crs="EPSG:4326")
    frame.to_file(tmp_path / "lund.geojson")
    area = area_of_region(None, tmp_path / "lund.geojson")
    with FakePanoramax() as server:
        out = fetch_images(Panoramax(server.api), area, Wanted(thumb=None), tmp_path / "lund", FAST)
    inside = [
        item["id"] for item in recorded_items() if triangle.covers(shapely.Point(item["geometry"]["coordinates"]))
    ]
    assert 1 < len(inside) < 6
    assert read_dataset(out).images["key"].tolist() == inside
