"""Requests to a Panoramax server, which speaks the STAC API (version 1.0.0) without a token."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from geolive.errors import InputError
from geolive.sources.imagery.client import Client
from geolive.sources.imagery.failures import Gone, Trouble, UnknownHost, json_object, retry_after
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.source import ListedImage
from geolive.sources.imagery.tile_grid import tile_bounds
from geolive.sources.panoramax.parsing import listed_image, n_matched, next_page

# an item has some 7 kB
PAGE = 500
MOST_BYTES = 30_000_000
MOST_PAGES = 1_000
# a tile of zoom 12 in quarters of quarters: some 10 m
_MOST_QUARTERINGS = 10
_GONE = (404, 410)
_MOST_REDIRECTS = 5
_REMEDY = "give the address of an API, such as api='https://panoramax.openstreetmap.fr/api'"

Box = tuple[float, float, float, float]


class PanoramaxClient(Client):
    """Requests items by boxes, and photos by the addresses of their assets.

    Parameters
    ----------
    api : str
    zoom : int
        Zoom of the tiles.
    retry_policy : RetryPolicy
    """

    def __init__(self, api: str, zoom: int, retry_policy: RetryPolicy):
        super().__init__("Panoramax", api, retry_policy)
        self._zoom = zoom

    async def list_tile(self, x: int, y: int) -> list[ListedImage]:
        """Request the images in a tile.

        The server returns pages where its replies link to a next page. Where they do not, a box with more images than a reply
        holds is requested again in quarters.
        """
        west, south, east, north = (float(edge) for edge in tile_bounds([(x, y)], self._zoom)[0])
        boxes, found = [((west, south, east, north), 0)], dict[str, ListedImage]()
        while boxes:
            box, depth = boxes.pop()
            images, complete = await self._search(box)
            found |= {image.id: image for image in images}
            if not complete and depth < _MOST_QUARTERINGS:
                boxes += [(quarter, depth + 1) for quarter in _quarters(box)]
        return list(found.values())

    async def facts(self, id: str) -> dict[str, Any]:
        """Request the facts on an image, as `parsing.listed_image` returns them; only images named by keys need it."""
        reply = await self._page(f"{self._api}/search", {"ids": json.dumps([id])})
        for image in _listed(reply["features"]):
            if image.id == id and image.facts is not None:
                return image.facts
        raise Gone

    async def photo(self, id: str, size: str, facts: dict[str, Any]) -> bytes:
        """Download the photo of an image, which may be on another host, and check it."""
        address = facts["assets"].get(size)
        return await self._with_retries(lambda: self._download_photo(address, _MOST_REDIRECTS, _GONE))

    async def check_address(self) -> None:
        """Raise InputError where the address is not that of a STAC API."""

        async def attempt() -> None:
            try:
                status, headers, body = await self._get(self._api, most_bytes=MOST_BYTES)
            except UnknownHost:
                raise InputError(
                    f"api={self._api!r}: no host of this name is known; check the address and the network"
                ) from None
            if status == 429 or status >= 500:
                raise Trouble(f"HTTP {status}", retry_after(headers))
            reply = json_object(body)
            if status != 200 or reply is None or not isinstance(reply.get("stac_version"), str):
                said = f"HTTP {status}" if status != 200 else "its answer is not a STAC catalogue"
                raise InputError(f"api={self._api!r}: is not the address of a Panoramax API ({said}); {_REMEDY}")

        await self._with_retries(attempt)

    async def check_access(self, west: float, south: float) -> None:
        """Check nothing: everybody may search, and an empty answer means that there is no image."""

    async def _search(self, box: Box) -> tuple[list[ListedImage], bool]:
        """Return the images in a box, and whether these are all."""
        images: dict[str, ListedImage] = {}
        address = f"{self._api}/search"
        params: dict[str, str] | None = {"bbox": ",".join(f"{edge:.9f}" for edge in box), "limit": str(PAGE)}
        for number in range(MOST_PAGES):
            reply = await self._page(address, params)
            before, features = len(images), reply["features"]
            images |= {image.id: image for image in _listed(features)}
            following, matched = next_page(reply), n_matched(reply)
            if following is None or not self._is_own(following) or len(images) == before:
                # a last page is reached, or a server without pages filled its only one
                complete = len(features) < PAGE or (number > 0 and following is None)
                return list(images.values()), complete if matched is None else len(images) >= matched
            address, params = following, None
        return list(images.values()), False

    async def _page(self, address: str, params: dict[str, str] | None) -> dict[str, Any]:
        async def attempt() -> dict[str, Any]:
            headers = {"Accept": "application/geo+json, application/json"}
            status, answered, body = await self._get(address, params, headers, MOST_BYTES)
            if status != 200:
                raise Trouble(f"HTTP {status} for a search", retry_after(answered))
            reply = json_object(body)
            if reply is None or not isinstance(reply.get("features"), list):
                raise Trouble("an answer without a list of images" if body else "an empty answer")
            return reply

        return await self._with_retries(attempt)

    def _is_own(self, address: str) -> bool:
        """Return whether an address is at this API."""
        try:
            own, other = urlsplit(self._api), urlsplit(address)
            return (own.scheme, own.netloc) == (other.scheme, other.netloc)
        except ValueError:
            return False


def _listed(features: Iterable[object]) -> list[ListedImage]:
    return [image for image in map(listed_image, features) if image is not None]


def _quarters(box: Box) -> list[Box]:
    west, south, east, north = box
    lon, lat = (west + east) / 2, (south + north) / 2
    return [(west, south, lon, lat), (lon, south, east, lat), (west, lat, lon, north), (lon, lat, east, north)]
