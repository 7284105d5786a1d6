"""Boundaries from a server on this machine that answers as geoBoundaries does, well or badly."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.files import checksum
from geolive.regions import find_region
from geolive.sources import boundaries, download
from geolive.sources.boundaries import fetch_boundaries

LICENCE = "Creative Commons Attribution 4.0 International (CC BY 4.0)"
NAMES = ["Nairobi", "<img src=x onerror=alert(1)>", "Lamu"]
DISTRICTS = {
    "type": "FeatureCollection",
    "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
    "features": [
        {
            "type": "Feature",
            "properties": {
                "shapeName": name,
                "shapeISO": "",
                "shapeID": f"ID{i}",
                "shapeGroup": "KEN",
                "shapeType": "ADM2",
            },
            "geometry": json.loads(shapely.to_geojson(shapely.box(36 + i, -1, 37 + i, 0))),
        }
        for i, name in enumerate(NAMES)
    ],
}


class Server(ThreadingHTTPServer):
    """Pages by path: bytes, or a function that answers; `asked` lists what was asked for."""

    def __init__(self):
        self.pages, self.asked = {}, []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, **changes):
        """Put geoBoundaries' answer for Kenya's level 2, with changes."""
        facts = {
            "boundaryID": "KEN-ADM2-1234",
            "boundaryName": "Kenya",
            "boundaryISO": "KEN",
            "boundaryType": "ADM2",
            "boundaryYearRepresented": "2019",
            "boundarySource": "IEBC\nand others",
            "boundaryLicense": LICENCE,
            "gjDownloadURL": f"{self.address}/full.geojson",
            "simplifiedGeometryGeoJSON": f"{self.address}/simple.geojson",
            "admUnitCount": "3",
        }
        self.pages["/api/KEN/ADM2/"] = json.dumps(facts | changes).encode()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        page = self.server.pages.get(self.path)
        if page is None:
            self.send_error(404)
        elif callable(page):
            page(self)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

    def log_message(self, *_):
        pass


def redirect(to):
    def page(handler):
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return page


def cut_off(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"type": ')


def cut_off_between_chunks(handler):
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"5\r\nabcde\r\n")
    handler.close_connection = True


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" " * 100_000)
    except OSError:
        pass


def busy(handler):
    handler.send_error(503)


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    served = Server()
    served.answer()
    served.pages["/full.geojson"] = served.pages["/simple.geojson"] = json.dumps(DISTRICTS).encode()
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


@pytest.fixture
def fetch(server, tmp_path):
    def fetched(country="ken", level=2, out="kenya.geojson", **options):
        return fetch_boundaries(country, level, tmp_path / out, **{"api": f"{server.address}/api", **options})

    return fetched


def test_a_country_is_fetched_and_used(server, fetch, tmp_path):
    got = fetch()
    assert (got.n_districts, got.source, got.licence, got.from_cache) == (3, "IEBC and others", LICENCE, False)
    assert server.asked == ["/api/KEN/ADM2/", "/full.geojson"]
    written = json.loads((tmp_path / "kenya.geojson").read_text())
    assert written["features"] == DISTRICTS["features"]
    assert "Source: IEBC and others. Licence: Creative Commons" in written["description"]
    facts = written["geoBoundaries"]
    assert (facts["boundaryID"], facts["fetched"], facts["simplified"]) == ("KEN-ADM2-1234", "2027-01-15", False)
    (tmp_path / "same.geojson").write_bytes(server.pages["/full.geojson"])
    assert facts["sha256"] == checksum(tmp_path / "same.geojson")
    region = find_region(None, tmp_path / "kenya.geojson")
    assert sorted(region.districts["district"]) == sorted(NAMES)
    assert set(region.districts["district_id"]) == {"ID0", "ID1", "ID2"}
    assert find_region("36.1,-0.9,36.9,-0.1", tmp_path / "kenya.geojson").name == "Nairobi"


def test_what_was_fetched_is_kept(server, fetch, tmp_path):
    fetch()
    server.pages.clear()
    again = fetch(out="again.geojson")
    assert again.from_cache
    assert len(server.asked) == 2
    assert (tmp_path / "again.geojson").read_bytes() == (tmp_path / "kenya.geojson").read_bytes()
    with pytest.raises(InputError, match="no level 2 of KEN"):
        fetch(out="new.geojson", refresh=True)
    with pytest.raises(InputError, match="no level 2 of KEN"):
        fetch(out="new.geojson", simplified=True)


def test_what_was_kept_and_altered_is_fetched_again(server, fetch, tmp_path):
    fetch()
    [kept] = (tmp_path / "cache" / "boundaries").glob("*.geojson")
    kept.write_text(kept.read_text().replace("Nairobi", "Mombasa"))
    assert not fetch(out="again.geojson").from_cache
    assert "Mombasa" not in (tmp_path / "again.geojson").read_text()


def test_the_simplified_version_and_redirects(server, fetch):
    server.pages["/simple.geojson"] = redirect("/moved%20here.geojson")
    server.pages["/moved%20here.geojson"] = json.dumps(DISTRICTS).encode()
    assert fetch(simplified=True).n_districts == 3
    assert server.asked == ["/api/KEN/ADM2/", "/simple.geojson", "/moved%20here.geojson"]


def test_an_answer_in_a_list(server, fetch):
    server.pages["/api/KEN/ADM2/"] = b"[" + server.pages["/api/KEN/ADM2/"] + b"]"
    assert fetch().n_districts == 3


@pytest.mark.parametrize(
    ("pages", "cause"),
    [
        ({"/api/KEN/ADM2/": None}, "geoBoundaries has no level 2 of KEN; check country and level"),
        ({"/api/KEN/ADM2/": busy}, "its server says 503"),
        ({"/api/KEN/ADM2/": b"<html>Welcome</html>"}, "is not JSON"),
        ({"/api/KEN/ADM2/": b"[" * 100_000}, "is not JSON"),
        ({"/api/KEN/ADM2/": b"[]"}, "not as geoBoundaries answers"),
        ({"/api/KEN/ADM2/": b"{}"}, "names no gjDownloadURL"),
        ({"/api/KEN/ADM2/": endless}, "is larger than 1 MB"),
        ({"/full.geojson": None}, "the file that geoBoundaries names is not there"),
        ({"/full.geojson": cut_off}, "was cut off"),
        ({"/full.geojson": cut_off_between_chunks}, "was cut off"),
        ({"/full.geojson": redirect("/full.geojson")}, "its server says 302"),
        ({"/full.geojson": redirect("file:///etc/passwd")}, "its server says 302"),
        ({"/full.geojson": redirect("http://example.org/x")}, "is not an https address"),
        ({"/full.geojson": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"}, "pointer to a large file"),
        ({"/full.geojson": b'{"type": "FeatureCollection", "features": []}'}, "holds no districts"),
        ({"/full.geojson": json.dumps(DISTRICTS).replace("shapeName", "name").encode()}, "feature 1 has no shapeName"),
        ({"/full.geojson": json.dumps(DISTRICTS).replace("Polygon", "MultiPoint", 1).encode()}, "geometry"),
        (
            {"/full.geojson": json.dumps(DISTRICTS).replace("39.0", "3900.0").encode()},
            "feature 3 is not a polygon in degrees",
        ),
        ({"/full.geojson": json.dumps(DISTRICTS).replace("39.0", "NaN").encode()}, "is not JSON"),
    ],
)
def test_answers_that_cannot_be_used(server, fetch, tmp_path, pages, cause):
    server.pages |= pages
    with pytest.raises(InputError, match=re.escape(cause)) as caught:
        fetch()
    assert str(caught.value).isprintable()
    assert not list(tmp_path.rglob("*.geojson"))


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "http://example.org/x", "ftp://example.org/x", "//x", "https://", "https://u:p@x/", 7, "http://["]
)  # fmt: skip
def test_addresses_that_are_not_asked(server, fetch, address):
    server.answer(gjDownloadURL=address)
    with pytest.raises(InputError, match=r"is not an https address|is not an address|names no gjDownloadURL"):
        fetch()
    assert server.asked == ["/api/KEN/ADM2/"]


def test_a_server_elsewhere_names_nothing_on_this_machine():
    for address in ("http://localhost:80/", "https://127.0.0.1/", "http://[::1]/"):
        download.check_address(address)
        with pytest.raises(InputError, match="on this machine"):
            download.check_address(address, as_local_as="https://www.geoboundaries.org")


def test_without_a_network(server, fetch, tmp_path):
    with pytest.raises(InputError, match=r"cannot be reached \(.*refused.*predict\(boundaries='FILE'\)"):
        fetch(api="http://127.0.0.1:9/api")
    assert not (tmp_path / "kenya.geojson").exists()


def test_a_server_that_stalls(server, fetch, monkeypatch):
    monkeypatch.setattr(download, "_STALLED_S", 0.05)
    go_on = threading.Event()
    server.pages["/full.geojson"] = lambda handler: go_on.wait(20)
    try:
        with pytest.raises(InputError, match="cannot be reached"):
            fetch()
    finally:
        go_on.set()


def test_what_cannot_be_asked_for(server, fetch, tmp_path):
    for options in ({"country": "Kenya"}, {"country": "../"}, {"country": "ÄÄÄ"}, {"level": 6}, {"level": -1}):
        with pytest.raises(InputError, match=r"country=|level="):
            fetch(**options)
    with pytest.raises(InputError, match=r"named \.geojson"):
        fetch(out="kenya.shp")
    (tmp_path / "mine.geojson").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        fetch(out="mine.geojson")
    assert (server.asked, (tmp_path / "mine.geojson").read_text()) == ([], "mine")


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "features", "properties", "geometry", "coordinates", "shapeName"]),
            inner,
            max_size=5,
        )
    ),
)


@settings(deadline=None)
@given(content=st.binary(max_size=50) | anything.map(lambda value: json.dumps({"features": [value]}).encode()))
def test_any_answer_is_districts_or_an_input_error(content):
    try:
        features = boundaries._districts(boundaries._parsed(content, "here"), "here")
    except InputError as failure:
        assert str(failure).startswith("here: ")
    else:
        assert features[0]["geometry"]["type"] in ("Polygon", "MultiPolygon")
