"""A local server that answers what a real Panoramax server answered (`record.py`), and fails as told."""

import copy
import io
import json
from pathlib import Path

from aiohttp import web
from PIL import Image

from tests.sources.imagery.faulty_server import FaultyServer

RECORDED = Path(__file__).parent / "recorded"
WIDTHS = {"thumb": 50, "sd": 200, "hd": 400}


def recorded_items():
    """The recorded items, of six photos of a walk; the last is a panorama."""
    return json.loads((RECORDED / "search.json").read_text(encoding="utf-8"))["features"]


def walk(n):
    """n items like the recorded ones, in a rectangle of streets, with ids of their own."""
    items = []
    for i in range(n):
        item = copy.deepcopy(recorded_items()[i % 6])
        lon, lat = 13.195 + i % 5 * 0.001, 55.698 + i // 5 * 0.001
        id = f"{i + 1:08x}-1111-4111-8111-{i + 1:012x}"
        text = json.dumps(item | {"geometry": {"type": "Point", "coordinates": [lon, lat]}})
        items.append(json.loads(text.replace(item["id"], id)))
    return items


def photo_of(id, size):
    """The photo of an item, of one colour."""
    file = io.BytesIO()
    width = WIDTHS[size]
    Image.new("RGB", (width, width // 2), (int(id[:8], 16) % 256, 80, 160)).save(file, "JPEG")
    return file.getvalue()


class FakePanoramax(FaultyServer):
    """Kinds of requests: landing, search, photo, elsewhere (a photo at an address that a redirect names).

    Parameters
    ----------
    items : list of dict
    pages : bool
        Whether replies link to a next page, as a catalogue may; the real server has no pages.
    """

    def __init__(self, items=None, pages=False):
        super().__init__()
        self.items = recorded_items() if items is None else items
        self.pages = pages
        self.redirect_to = "/moved/{id}/{size}.jpg"
        self.assets = None  # another address of the photos

    @property
    def api(self):
        return f"{self.root}/api"

    def routes(self):
        return [
            web.get("/api", self._landing),
            web.get("/api/search", self._search),
            web.get("/api/pictures/{id}/{size}.jpg", self._photo),
            web.get("/moved/{id}/{size}.jpg", self._moved),
        ]

    def own_fault(self, fault):
        match fault:
            case "404" | "403":
                return web.Response(status=int(fault), text="Not here")
            case "no stac":
                return web.json_response({"hello": "world"})
        return None

    async def _landing(self, request):
        text = (RECORDED / "landing.json").read_text(encoding="utf-8")
        return await self._answer(
            request, "landing", "", text.replace("API/", f"{self.api}/").encode(), "application/json"
        )

    async def _search(self, request):
        if "ids" in request.query:
            ids = json.loads(request.query["ids"])
            found = [item for item in self.items if item["id"] in ids]
            text = json.dumps({"type": "FeatureCollection", "features": found}).replace("API/", f"{self.api}/")
            return await self._answer(request, "facts", ids[0], text.encode(), "application/geo+json")
        west, south, east, north = map(float, request.query["bbox"].split(","))
        limit, start = int(request.query.get("limit", 10)), int(request.query.get("start", 0))
        assert 1 <= limit <= 10_000  # as the real server
        inside = [i for i in self.items if self._lies_in(i, west, south, east, north)]
        reply = {"type": "FeatureCollection", "features": inside[start : start + limit], "links": []}
        if self.pages and start + limit < len(inside):
            following = f"{self.api}/search?bbox={request.query['bbox']}&limit={limit}&start={start + limit}"
            reply["links"].append({"rel": "next", "href": following, "type": "application/geo+json"})
        text = json.dumps(reply)
        text = text.replace('"API/pictures', f'"{self.assets}/pictures') if self.assets else text
        return await self._answer(
            request,
            "search",
            request.query["bbox"],
            text.replace("API/", f"{self.api}/").encode(),
            "application/geo+json",
        )

    @staticmethod
    def _lies_in(item, west, south, east, north):
        try:
            lon, lat = item["geometry"]["coordinates"]
        except (KeyError, TypeError):
            return True
        return west <= lon <= east and south <= lat <= north

    async def _photo(self, request):
        id, size = request.match_info["id"], request.match_info["size"]
        if self.redirect_to is None or size != "hd":
            return await self._answer(request, "photo", id, photo_of(id, size), "image/jpeg")
        self.requests.append(("photo", id))
        return web.Response(status=302, headers={"Location": self.redirect_to.format(id=id, size=size)})

    async def _moved(self, request):
        id, size = request.match_info["id"], request.match_info["size"]
        return await self._answer(request, "elsewhere", id, photo_of(id, size), "image/jpeg")
