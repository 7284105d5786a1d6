"""A source of images: a register of cameras, here a short list in place of a service."""

from typing import Any, ClassVar

import pandas as pd

from geolive.sources.imagery.client import Client
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.source import ListedImage, Source
from geolive.sources.imagery.tile_grid import tile_bounds

# a real source requests these from its service: id, longitude, latitude, milliseconds since 1970
_CAMERAS = [("camera-1", 85.10, 25.60, 1_700_000_000_000), ("camera-2", 85.11, 25.61, 1_700_000_060_000)]


class Register(Source):
    """The register of cameras."""

    name = "the register of cameras"
    # bytes of a typical photo of each size, for --dry-run
    photo_bytes: ClassVar[dict[str, int]] = {"500": 40_000}
    default_size = "500"
    # columns that only this source has
    columns: ClassVar[dict[str, str]] = {}

    @property
    def options(self) -> tuple[str, ...]:
        """Options of the command line that name this source; datasets record them."""
        return ("--source", "example-register")

    def client(self, retry_policy: RetryPolicy) -> "RegisterClient":
        """Return a client."""
        return RegisterClient(self.name, "https://register.example.org", retry_policy)

    def is_image_id(self, id: object) -> bool:
        """Return whether a value is an id: it becomes a part of file names, so be strict."""
        return isinstance(id, str) and id.removeprefix("camera-").isdecimal()

    def credit(self, images: pd.DataFrame) -> tuple[str, str]:
        """Return the attribution of the images, and their licence."""
        return "Register of cameras", "CC BY 4.0"


class RegisterClient(Client):
    """Requests to the register. The base class limits the rate, repeats failed requests and checks photos."""

    async def list_tile(self, x: int, y: int) -> list[ListedImage]:
        """Return the images in a tile of zoom 14."""
        west, south, east, north = tile_bounds([(x, y)])[0]
        return [
            ListedImage(id, lon, lat, taken, is_pano=False, facts=_facts(lon, lat, taken))
            for id, lon, lat, taken in _CAMERAS
            if west <= lon < east and south <= lat < north
        ]

    async def photo(self, id: str, size: str, facts: dict[str, Any]) -> bytes:
        """Download a photo."""
        return await self._download_photo(f"{self._api}/{id}/{size}.jpg")

    async def check_address(self) -> None:
        """A real source requests its address here, and raises InputError where it is wrong."""

    async def check_access(self, west: float, south: float) -> None:
        """A real source raises InputError here where access is refused."""


def _facts(lon: float, lat: float, taken: int) -> dict[str, Any]:
    known = {"lon": lon, "lat": lat, "captured_at": taken, "is_pano": False}
    return known | dict.fromkeys(["sequence_id", "compass_angle", "creator", "creator_id"])
