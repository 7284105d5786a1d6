"""Requests to Mapillary's API v4: the token, the rate, the meaning of failures, and retries.

The token is sent in a header (graph) or a query (tiles) and appears nowhere else: no error below contains an address, and no
message of aiohttp is passed on.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

import aiohttp

from geolive.errors import InputError
from geolive.sources.mapillary.access import TOKEN_REMEDY, Access, RetryPolicy, is_https, is_own_machine
from geolive.sources.mapillary.errors import GivenUp, Refused, Trouble, check_reply, json_object, retry_after
from geolive.sources.mapillary.parsing import FIELDS, detected_values, image_facts
from geolive.sources.mapillary.photo_check import PhotoError, check_photo
from geolive.sources.mapillary.tiles import ZOOM, TileError, TileImage, read_tile

MOST_BYTES = 50_000_000

T = TypeVar("T")


class Client:
    """Requests tiles, images, detections and photos, and retries failed requests.

    Every method raises `GivenUp` after `retry_policy.tries` failures, `Gone` for a deleted image, and InputError where further
    requests are useless (a refused token, a pause longer than `retry_policy.longest_wait`).

    Parameters
    ----------
    access : Access
    retry_policy : RetryPolicy
    """

    def __init__(self, access: Access, retry_policy: RetryPolicy):
        self._access, self._retry_policy = access, retry_policy
        self._jitter = random.Random()
        self._next_turn = 0.0

    async def __aenter__(self) -> Self:
        limits = aiohttp.ClientTimeout(
            total=20 * self._retry_policy.timeout,
            sock_connect=self._retry_policy.timeout,
            sock_read=self._retry_policy.timeout,
        )
        self._session = aiohttp.ClientSession(
            timeout=limits,
            connector=aiohttp.TCPConnector(limit=self._retry_policy.at_once),
            cookie_jar=aiohttp.DummyCookieJar(),
            # use the proxies of the environment, except for a server on this machine
            trust_env=not is_own_machine(self._access.graph),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def tile(self, x: int, y: int) -> list[TileImage]:
        """Request the images of a tile of zoom 14; an empty or missing tile has none."""
        address = self._access.tiles.format(z=ZOOM, x=x, y=y)

        async def attempt() -> list[TileImage]:
            status, headers, body = await self._get(address, params={"access_token": self._access.token})
            if status in (204, 404):
                return []
            check_reply(status, headers, body)
            try:
                return read_tile(body, x, y)
            except TileError as error:
                raise Trouble(f"a tile that cannot be read ({error})") from None

        return await self._with_retries(attempt)

    async def facts(self, id: str) -> dict:
        """Request the facts on an image, as `parsing.image_facts` returns them."""

        async def attempt() -> dict:
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

    async def photo(self, id: str, size: str) -> bytes:
        """Download the photo of an image and check it; each try requests its address again, since addresses expire."""

        async def attempt() -> bytes:
            name = f"thumb_{size}_url"
            reply = await self._graph(f"/{id}", fields=f"id,{name}")
            address = reply.get(name)
            if not isinstance(address, str) or not self._may_open(address):
                raise Trouble("no usable address of the photo")
            status, headers, body = await self._get(address)
            if status in (401, 403, 404, 410):
                raise Trouble("the photo's address had expired")
            if status == 429 or status >= 500:
                raise Trouble(f"HTTP {status} for the photo", retry_after(headers))
            if status != 200:
                raise Trouble(f"HTTP {status} for the photo")
            try:
                await asyncio.to_thread(check_photo, body)
            except PhotoError as error:
                raise Trouble(str(error)) from None
            return body

        return await self._with_retries(attempt)

    async def check_token(self, west: float, south: float) -> None:
        """Raise InputError where the token is refused; the request is for one image in a small box."""
        box = f"{west:.4f},{south:.4f},{west + 0.01:.4f},{south + 0.01:.4f}"
        await self._with_retries(lambda: self._graph("/images", bbox=box, fields="id", limit="1"))

    def _may_open(self, address: str) -> bool:
        """Photos are downloaded over https, or from this machine if the API is on it, too."""
        return is_https(address) or (is_own_machine(address) and is_own_machine(self._access.graph))

    async def _graph(self, path: str, **params: str) -> dict:
        headers = {"Authorization": f"OAuth {self._access.token}", "Accept": "application/json"}
        status, answered, body = await self._get(self._access.graph.rstrip("/") + path, params=params, headers=headers)
        check_reply(status, answered, body)
        reply = json_object(body)
        if reply is None:
            raise Trouble("an answer that is not JSON" if body else "an empty answer")
        return reply

    async def _get(
        self, address: str, params: dict | None = None, headers: dict | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        await self._turn()
        try:
            async with self._session.get(address, params=params, headers=headers, allow_redirects=False) as reply:
                body = bytearray()
                async for part in reply.content.iter_any():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise Trouble(f"an answer of more than {MOST_BYTES // 10**6} MB")
                return reply.status, reply.headers, bytes(body)
        except TimeoutError:
            raise Trouble("no answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # the message may contain the address, and with it the token
            raise Trouble(f"the connection failed ({type(error).__name__})") from None

    async def _turn(self) -> None:
        """Wait until the next request may start."""
        clock = asyncio.get_running_loop().time
        while (at := max(self._next_turn, clock())) > clock():
            await asyncio.sleep(at - clock())
        self._next_turn = at + 1 / self._retry_policy.rate

    def _pause(self, seconds: float) -> None:
        self._next_turn = max(self._next_turn, asyncio.get_running_loop().time() + seconds)

    async def _with_retries(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it works; wait twice as long after each failure, with jitter, so that requests spread over time."""
        delay, reason, refused = self._retry_policy.first_delay, "", False
        for left in reversed(range(self._retry_policy.tries)):
            try:
                return await attempt()
            except Trouble as trouble:
                reason, wait, refused = str(trouble), trouble.wait, isinstance(trouble, Refused)
            if wait is not None:
                if wait > self._retry_policy.longest_wait:
                    raise InputError(
                        f"Mapillary asks to wait {wait:.0f} s before the next request; run the same command again then, which "
                        "keeps what was fetched"
                    )
                self._pause(wait)
            if left:
                await asyncio.sleep(delay * self._jitter.uniform(0.5, 1.5))
                delay = min(2 * delay, self._retry_policy.longest_delay)
        if refused:
            raise InputError(
                f"Mapillary refused the token ({reason}, {self._retry_policy.tries} times); {TOKEN_REMEDY}"
            )
        raise GivenUp(f"{reason}, {self._retry_policy.tries} times")
