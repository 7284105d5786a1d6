"""Resolves host names, and refuses those that lead to private networks."""

import socket
from collections.abc import Iterable

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from geolive.sources.imagery.addresses import is_private


class PrivateNetworkError(OSError):
    """A host name leads to a private network."""


class PublicResolver(AbstractResolver):
    """Resolves host names to addresses on the public internet only.

    The connection is made to the addresses that were checked, so that a name cannot lead elsewhere the second time.

    Parameters
    ----------
    own : iterable of str
        Host names that may be private: that of the API, and proxies.
    """

    def __init__(self, own: Iterable[str]):
        self._own = frozenset(own)
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host; raise PrivateNetworkError where all are private."""
        found = await self._resolver.resolve(host, port, family)
        if host in self._own:
            return found
        public = [one for one in found if not is_private(one["host"])]
        if not public:
            raise PrivateNetworkError("a private network")
        return public

    async def close(self) -> None:
        """Release nothing: the threads are the event loop's."""
        await self._resolver.close()
