"""Requests with a limited rate and retries; `mapillary.client` and `panoramax.client` say what is requested.

No error below contains an address, which may hold a token, and no message of aiohttp is passed on.
"""

import asyncio
import random
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urljoin, urlsplit

import aiohttp

from geolive import __version__
from geolive.engine.interface import Budget
from geolive.errors import InputError
from geolive.sources.imagery.addresses import is_own_machine, may_open
from geolive.sources.imagery.failures import GivenUp, Gone, NoConnection, Trouble, UnknownHost, retry_after
from geolive.sources.imagery.photo_check import PhotoError, check_photo
from geolive.sources.imagery.resolver import PrivateNetworkError, PublicResolver
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.source import ListedImage

MOST_BYTES = 50_000_000
_REDIRECTS = {301, 302, 303, 307, 308}

T = TypeVar("T")

Reply = tuple[int, Mapping[str, str], bytes]


class Client(ABC):
    """Requests what a source has, and retries failed requests.

    Every method raises `GivenUp` after `retry_policy.tries` failures, `Gone` for a deleted image, and InputError where further
    requests are useless: for a pause longer than `retry_policy.longest_wait`, and where no connection was ever made for
    `retry_policy.unreachable` seconds.

    Parameters
    ----------
    name : str
        Name of the source in messages.
    api : str
        Address of its API.
    retry_policy : RetryPolicy
    """

    def __init__(self, name: str, api: str, retry_policy: RetryPolicy):
        self._name, self._api, self._retry_policy = name, api, retry_policy
        self._jitter = random.Random()
        self._reached = False
        # replaced where several clients share one
        self.budget: Budget = _OwnBudget(retry_policy.rate)

    async def __aenter__(self) -> Self:
        limits = aiohttp.ClientTimeout(
            total=20 * self._retry_policy.timeout,
            sock_connect=min(self._retry_policy.timeout, self._retry_policy.unreachable),
            sock_read=self._retry_policy.timeout,
        )
        # use the proxies of the environment, except for a server on this machine
        with_proxies = not is_own_machine(self._api)
        own = [self._api, *(urllib.request.getproxies().values() if with_proxies else ())]
        resolver = PublicResolver(_host(address) for address in own)
        self._session = aiohttp.ClientSession(
            timeout=limits,
            connector=aiohttp.TCPConnector(limit=self._retry_policy.at_once, resolver=resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"geolive/{__version__}"},
            trust_env=with_proxies,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    @abstractmethod
    async def list_tile(self, x: int, y: int) -> list[ListedImage]:
        """Request the images in a tile of the source's zoom."""

    async def list_circle(self, lon: float, lat: float, radius_m: float) -> list[ListedImage] | None:
        """Search for the images around a point; None where the source may have more than it lists."""
        return None

    @abstractmethod
    async def photo(self, id: str, size: str, facts: dict[str, Any]) -> bytes:
        """Download the photo of an image and check it."""

    async def facts(self, id: str) -> dict[str, Any]:
        """Request the facts on an image that was listed without them."""
        raise NotImplementedError

    async def detections(self, id: str) -> dict[str, int]:
        """Request how often each value was detected in an image."""
        raise NotImplementedError

    @abstractmethod
    async def check_address(self) -> None:
        """Raise InputError where the address of the API is wrong; called before the first tile is listed."""

    @abstractmethod
    async def check_access(self, west: float, south: float) -> None:
        """Raise InputError where access is refused; called when no tile has any image."""

    def _may_open(self, address: object) -> bool:
        return isinstance(address, str) and may_open(address, self._api)

    async def _download_photo(self, address: object, redirects: int = 0, gone: Collection[int] = ()) -> bytes:
        """Download a photo from an address that a reply named, and check both.

        So many redirects are followed, to addresses that are checked, too; HTTP codes in `gone` mean that it was deleted.
        """
        for left in reversed(range(redirects + 1)):
            if not isinstance(address, str) or not self._may_open(address):
                raise Trouble("no usable address of the photo")
            status, headers, body = await self._get(address)
            if status not in _REDIRECTS or not left:
                break
            address = urljoin(address, headers.get("Location", ""))
        if status in gone:
            raise Gone
        if status == 429 or status >= 500:
            raise Trouble(f"HTTP {status} for the photo", retry_after(headers))
        if status != 200:
            raise Trouble(f"HTTP {status} for the photo")
        try:
            await asyncio.to_thread(check_photo, body)
        except PhotoError as error:
            raise Trouble(str(error)) from None
        return body

    async def _get(
        self,
        address: str,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> Reply:
        await self.budget.turn()
        try:
            async with self._session.get(address, params=params, headers=headers, allow_redirects=False) as reply:
                self._reached = True
                body = bytearray()
                async for part in reply.content.iter_any():
                    body += part
                    if len(body) > most_bytes:
                        raise Trouble(f"an answer of more than {most_bytes // 10**6} MB")
                return reply.status, reply.headers, bytes(body)
        except aiohttp.ConnectionTimeoutError:
            raise NoConnection("no connection in time") from None
        except TimeoutError:
            raise Trouble("no answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(getattr(error, "os_error", None), PrivateNetworkError):
                raise Trouble("an address on a private network, which was not opened") from None
            if isinstance(error, aiohttp.ClientConnectorDNSError):
                raise UnknownHost("no host of that name is known") from None
            # the message may contain the address, and with it the token
            if isinstance(error, aiohttp.ClientConnectorError):
                raise NoConnection(_why_no_connection(error)) from None
            raise Trouble(f"the connection failed ({type(error).__name__})") from None

    async def _with_retries(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try until it works; wait twice as long after each failure, with jitter, so that requests spread over time."""
        delay, clock = self._retry_policy.first_delay, asyncio.get_running_loop().time
        useless_from = clock() + self._retry_policy.unreachable
        for left in reversed(range(self._retry_policy.tries)):
            try:
                return await attempt()
            except Trouble as error:
                trouble = error
            if trouble.wait is not None:
                if trouble.wait > self._retry_policy.longest_wait:
                    raise InputError(
                        f"{self._name} asks to wait {trouble.wait:.0f} s before the next request; run the same command again "
                        "then, which keeps what was fetched"
                    )
                self.budget.pause(trouble.wait)
            wait = delay * self._jitter.uniform(0.5, 1.5)
            if isinstance(trouble, NoConnection) and not self._reached and (not left or clock() + wait > useless_from):
                raise InputError(
                    f"{self._name} cannot be reached ({trouble}); check the network and its proxy (HTTPS_PROXY), and run the "
                    "same command again then, which keeps what was fetched"
                )
            if left:
                await asyncio.sleep(wait)
                delay = min(2 * delay, self._retry_policy.longest_delay)
        raise self._given_up(trouble)

    def _given_up(self, trouble: Trouble) -> Exception:
        """Return the error for a request that failed as often as the retry policy allows."""
        return GivenUp(f"{trouble}, {self._retry_policy.tries} times")


class _OwnBudget:
    """The requests per second of one client."""

    def __init__(self, rate: float) -> None:
        self._rate, self._next_turn = rate, 0.0

    async def turn(self) -> None:
        clock = asyncio.get_running_loop().time
        while (at := max(self._next_turn, clock())) > clock():
            await asyncio.sleep(at - clock())
        self._next_turn = at + 1 / self._rate

    def pause(self, seconds: float) -> None:
        self._next_turn = max(self._next_turn, asyncio.get_running_loop().time() + seconds)


def _why_no_connection(error: aiohttp.ClientConnectorError) -> str:
    """Say why no connection was made, without the message of aiohttp, which may contain the address."""
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return "the proxy does not answer"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no secure connection is possible"
    return (
        "the connection was refused"
        if isinstance(error.os_error, ConnectionRefusedError)
        else "no connection is possible"
    )


def _host(address: str) -> str:
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""
