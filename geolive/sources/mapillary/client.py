"""Requests to Mapillary's API v4.

The token is sent in a header (graph) or a query (tiles) and appears nowhere else.
"""

from typing import Any

from geolive.errors import InputError
from geolive.sources.imagery.client import Client
from geolive.sources.imagery.failures import Trouble, json_object
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.source import ListedImage
from geolive.sources.imagery.tile_grid import ZOOM
from geolive.sources.mapillary.access import TOKEN_REMEDY, Access
from geolive.sources.mapillary.errors import Refused, check_reply
from geolive.sources.mapillary.parsing import FIELDS, detected_values, image_facts, listed_images
from geolive.sources.mapillary.tiles import TileError, read_tile

# the API's search around a point gives at most so many images
MOST_SEARCHED = 100


class MapillaryClient(Client):
    """Requests tiles, images, detections and photos; raises InputError for a refused token.

    Parameters
    ----------
    access : Access
    retry_policy : RetryPolicy
    """

    def __init__(self, access: Access, retry_policy: RetryPolicy):
        super().__init__("Mapillary", access.graph, retry_policy)
        self._access = access

    async def list_tile(self, x: int, y: int) -> list[ListedImage]:
        """Request the images of a tile of zoom 14; an empty or missing tile has none."""
        address = self._access.tiles.format(z=ZOOM, x=x, y=y)

        async def attempt() -> list[ListedImage]:
            status, headers, body = await self._get(address, params={"access_token": self._access.token})
            if status in (204, 404):
                return []
            check_reply(status, headers, body)
            try:
                return read_tile(body, x, y)
            except TileError as error:
                raise Trouble(f"a tile that cannot be read ({error})") from None

        return await self._with_retries(attempt)

    async def list_circle(self, lon: float, lat: float, radius_m: float) -> list[ListedImage] | None:
        """Search for the images within 50 m of a point, with their facts; None where there may be more than the API lists."""

        async def attempt() -> list[ListedImage]:
            where = {"lng": f"{lon:.7f}", "lat": f"{lat:.7f}", "radius": f"{radius_m:g}"}
            images = listed_images(await self._graph("/images", **where, fields=FIELDS, limit=str(MOST_SEARCHED)))
            if images is None:
                raise Trouble("an answer without images")
            return images

        images = await self._with_retries(attempt)
        return None if len(images) >= MOST_SEARCHED else images

    async def facts(self, id: str) -> dict[str, Any]:
        """Request the facts on an image, as `parsing.image_facts` returns them."""

        async def attempt() -> dict[str, Any]:
            reply = await self._graph(f"/{id}", fields=FIELDS)
            if str(reply.get("id")) != id:
                raise Trouble("an answer about another image")
            return image_facts(reply)

        return await self._with_retries(attempt)

    async def detections(self, id: str) -> dict[str, int]:
        """Request how often each value was detected in an image."""

        async def attempt() -> dict[str, int]:
            values = detected_values(await self._graph(f"/{id}/detections", fields="id,value"))
            if values is None:
                raise Trouble("an answer without detections")
            return values

        return await self._with_retries(attempt)

    async def photo(self, id: str, size: str, facts: dict[str, Any]) -> bytes:
        """Download the photo of an image and check it; each try requests its address again, since addresses expire."""

        async def attempt() -> bytes:
            name = f"thumb_{size}_url"
            reply = await self._graph(f"/{id}", fields=f"id,{name}")
            return await self._download_photo(reply.get(name))

        return await self._with_retries(attempt)

    async def check_address(self) -> None:
        """Check nothing: the first tile shows whether the address is right."""

    async def check_access(self, west: float, south: float) -> None:
        """Raise InputError where the token is refused, which a server may answer with empty tiles.

        The request is for one image in a small box.
        """
        box = f"{west:.4f},{south:.4f},{west + 0.01:.4f},{south + 0.01:.4f}"
        await self._with_retries(lambda: self._graph("/images", bbox=box, fields="id", limit="1"))

    async def _graph(self, path: str, **params: str) -> dict[str, Any]:
        headers = {"Authorization": f"OAuth {self._access.token}", "Accept": "application/json"}
        status, answered, body = await self._get(self._access.graph.rstrip("/") + path, params=params, headers=headers)
        check_reply(status, answered, body)
        reply = json_object(body)
        if reply is None:
            raise Trouble("an answer that is not JSON" if body else "an empty answer")
        return reply

    def _given_up(self, trouble: Trouble) -> Exception:
        if isinstance(trouble, Refused):
            return InputError(
                f"Mapillary refused the token ({trouble}, {self._retry_policy.tries} times); {TOKEN_REMEDY}"
            )
        return super()._given_up(trouble)
