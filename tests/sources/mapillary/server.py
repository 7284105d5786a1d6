"""A local server that speaks the shapes of Mapillary's API v4 over real sockets, and fails as told."""

import base64
import dataclasses
import io

import numpy as np
from aiohttp import web
from PIL import Image

from tests.sources.imagery.faulty_server import FaultyServer
from tests.sources.mapillary.vectortiles import image_tile

TOKEN = "MLY|4142|secretsecretsecret"
DAY = 86_400_000
DETECTIONS = [
    "nature--vegetation", "nature--sky", "construction--structure--building", "object--vehicle--motorcycle",
    "object--vehicle--car", "human--person--individual", "object--traffic-sign--regulatory--stop--g1",
    "construction--flat--road", "object--spaceship",
]  # fmt: skip


@dataclasses.dataclass
class FakeImage:
    """An image as the API has it."""

    id: str
    lon: float
    lat: float
    captured_at: int
    is_pano: bool
    sequence: str
    computed: tuple[float, float] | None
    detections: list[str]
    jpeg: bytes
    camera: str = "perspective"
    quality: float | None = None

    def facts(self):
        """What the graph tells of it."""
        facts = {
            "id": self.id,
            "geometry": {"type": "Point", "coordinates": [self.lon, self.lat]},
            "captured_at": self.captured_at,
            "compass_angle": 400.5,
            "computed_compass_angle": 12.25,
            "sequence": self.sequence,
            "is_pano": self.is_pano,
            "camera_type": self.camera,
            "creator": {"username": f"user-{self.sequence}", "id": "17841400000000000"},
        }
        if self.quality is not None:
            facts["quality_score"] = self.quality
        if self.computed:
            facts["computed_geometry"] = {"type": "Point", "coordinates": list(self.computed)}
        return facts


def fake_images(n, seed=0, centre=(85.14, 25.6), spread=0.01, size=(24, 16)):
    """Images about a place near Patna; ids are beyond 2^53, every third has no computed position."""
    rng = np.random.default_rng(seed)
    images = []
    for i in range(n):
        lon, lat = (float(c + d) for c, d in zip(centre, rng.normal(0, spread, 2), strict=True))
        jpeg = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), np.uint8)).save(jpeg, "JPEG")
        images.append(
            FakeImage(
                id=str(9_007_199_254_740_993 + 2 * i + 1_000_000 * seed),
                lon=lon,
                lat=lat,
                captured_at=1_577_836_800_000 + i * DAY,
                is_pano=i % 5 == 0,
                sequence=f"seq-{i // 4}",
                computed=None if i % 3 == 0 else (lon + 1e-5, lat - 1e-5),
                detections=[str(d) for d in rng.choice(DETECTIONS, rng.integers(0, 12))],
                jpeg=jpeg.getvalue(),
            )
        )
    return images


class FakeMapillary(FaultyServer):
    """Kinds of requests: tile, facts, url, detections, photo, search."""

    def __init__(self, images, empty_tile=200):
        super().__init__()
        self.images = {image.id: image for image in images}
        self.empty_tile = empty_tile
        self._fresh = {}

    async def _start(self):
        await super()._start()
        self.graph, self.tiles = f"{self.root}/graph", f"{self.root}/tiles/{{z}}/{{x}}/{{y}}"

    @property
    def environment(self):
        """Variables that send the command line here."""
        return {
            "MAPILLARY_TOKEN": TOKEN,
            "GEOLIVE_MAPILLARY_GRAPH": self.graph,
            "GEOLIVE_MAPILLARY_TILES": self.tiles,
        }

    def routes(self):
        return [
            web.get("/tiles/{z}/{x}/{y}", self._tile),
            web.get("/graph/images", self._search),
            web.get("/graph/{id}/detections", self._detections),
            web.get("/graph/{id}", self._image),
            web.get("/cdn/{id}/{nonce}", self._photo),
        ]

    def own_fault(self, fault):
        match fault:
            case "code 4":
                return _error(400, "OAuthException", 4)
            case "code 2":
                return _error(500, "OAuthException", 2)
            case "gone":
                return _error(400, "GraphMethodException", 100, 33)
            case "token":
                return _error(400, "OAuthException", 190, words=f"Invalid OAuth access token {TOKEN}")
        return None

    async def _tile(self, request):
        if request.query.get("access_token") != TOKEN:
            return web.Response(status=403, text="Forbidden")
        x, y = int(request.match_info["x"]), int(request.match_info["y"])
        body = image_tile(
            x, y, [(i.id, i.lon, i.lat, i.captured_at, i.is_pano, i.sequence) for i in self.images.values()]
        )
        status = 200 if body else self.empty_tile
        return await self._answer(request, "tile", f"{x}/{y}", body, "application/x-protobuf", status)

    async def _search(self, request):
        if refused := self._refused(request):
            return refused
        found = []
        if "radius" in request.query:
            lon, lat, radius = (float(request.query[name]) for name in ("lng", "lat", "radius"))
            if radius > 50:  # as the API does
                return _error(400, "OAuthException", 100)
            wide = radius / 111_195
            # the nearest first
            for image in sorted(self.images.values(), key=lambda one: abs(one.lat - lat)):
                if abs(image.lat - lat) <= wide and abs(image.lon - lon) * np.cos(np.radians(lat)) <= wide:
                    fields = request.query["fields"].split(",")
                    found.append({name: fact for name, fact in image.facts().items() if name in fields})
        return await self._json(request, "search", "", {"data": found[: int(request.query.get("limit", 1))]})

    async def _image(self, request):
        id, fields = request.match_info["id"], request.query["fields"].split(",")
        kind = "url" if any(field.startswith("thumb") for field in fields) else "facts"
        image = self.images.get(id)
        if refused := self._refused(request):
            return refused
        if image is None:
            return _error(400, "GraphMethodException", 100, 33)
        nonce = f"{len(self.requests)}"
        whole = image.facts() | {"thumb_1024_url": f"{self.root}/cdn/{id}/{nonce}?oh=signature"}
        self._fresh[id] = nonce
        return await self._json(request, kind, id, {name: whole[name] for name in fields if name in whole})

    async def _detections(self, request):
        id = request.match_info["id"]
        if refused := self._refused(request):
            return refused
        if id not in self.images:
            return _error(400, "GraphMethodException", 100, 33)
        found = [{"id": str(i), "value": value} for i, value in enumerate(self.images[id].detections)]
        return await self._json(request, "detections", id, {"data": found})

    async def _photo(self, request):
        id, nonce = request.match_info["id"], request.match_info["nonce"]
        if "Authorization" in request.headers or "access_token" in request.query:
            self.complaints.append("the token went to the photos' server")
        if self._fresh.get(id) != nonce:
            self.complaints.append("an old address was used")
            return web.Response(status=403, text="URL signature expired")
        return await self._answer(request, "photo", id, self.images[id].jpeg, "image/jpeg")

    def _refused(self, request):
        if "access_token" in request.query:
            self.complaints.append("the token was in an address of the graph")
        if request.headers.get("Authorization") != f"OAuth {TOKEN}":
            return _error(400, "OAuthException", 190)
        return None


def _error(status, kind, code, subcode=None, words="(#) something"):
    error = {"message": words, "type": kind, "code": code, "fbtrace_id": base64.b64encode(b"trace").decode()}
    return web.json_response({"error": error | ({"error_subcode": subcode} if subcode else {})}, status=status)
