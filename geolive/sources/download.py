"""Download a small file, with limits on its size, on the time it takes, and on the addresses it may come from."""

import http.client
import ipaddress
import time
import urllib.error
import urllib.parse
import urllib.request

from geolive import __version__
from geolive.errors import InputError

_STALLED_S = 30
# without a network, or behind a firewall that drops packets, waiting longer is of no use
_CONNECT_S = 10
_LONGEST_S = 900
_MOST_REDIRECTS = 5
_BLOCK = 1 << 16


def check_address(address: str, as_local_as: str | None = None) -> None:
    """Check that an address may be downloaded from: https, or http on this machine.

    Parameters
    ----------
    address : str
    as_local_as : str, optional
        The address that named this one. What a server elsewhere names is never on this machine.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_address("https://www.geoboundaries.org/api")
    >>> check_address("file:///etc/passwd")
    Traceback (most recent call last):
    geolive.errors.InputError: 'file:///etc/passwd': is not an https address; geolive downloads nothing else
    """
    try:
        parts = urllib.parse.urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise InputError(f"{address[:200]!r}: is not an address") from None
    local = _is_this_machine(host)
    if not host or parts.username or not (parts.scheme == "https" or (parts.scheme == "http" and local)):
        raise InputError(f"{address[:200]!r}: is not an https address; geolive downloads nothing else")
    if local and as_local_as is not None and not _is_this_machine(urllib.parse.urlsplit(as_local_as).hostname or ""):
        raise InputError(
            f"{address[:200]!r}: is an address on this machine, but another server named it; geolive does not download it"
        )


def download(address: str, most_bytes: int, missing: str, otherwise: str) -> bytes:
    """Download what is at an address.

    Parameters
    ----------
    address : str
        See `check_address`, which redirects are held to as well.
    most_bytes : int
        More than that is refused.
    missing : str
        What it means if the server says "not found", and the remedy.
    otherwise : str
        The way to the file without this download, for the message where it fails.

    Raises
    ------
    InputError
        The address cannot be reached, its server refuses, or the answer is cut off, too large or too slow.

    Examples
    --------
    >>> download("http://127.0.0.1:9/", 1000, "no such file", "bring the file")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: http://127.0.0.1:9/: cannot be reached (...); bring the file
    """
    check_address(address)
    # what is spaced or accented in an address is written as a server reads it
    quoted = urllib.parse.quote(address, safe=":/?#[]@!$&'()*+,;=%~")
    request = urllib.request.Request(quoted, headers={"User-Agent": f"geolive/{__version__}"})
    opener = urllib.request.build_opener(_CheckedRedirects(address), _Http(), _Https())
    deadline = time.monotonic() + _LONGEST_S
    try:
        with opener.open(request, timeout=_STALLED_S) as answer:
            return _read(answer, address, most_bytes, deadline, otherwise)
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise InputError(f"{address}: {missing}") from None
        raise InputError(f"{address}: its server says {error.code}; try again later, or {otherwise}") from None
    except http.client.IncompleteRead:
        raise InputError(f"{address}: was cut off; try again, or {otherwise}") from None
    except InputError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())[:200] or type(error).__name__
        raise InputError(f"{address}: cannot be reached ({reason}); {otherwise}") from None


def _read(answer, address: str, most_bytes: int, deadline: float, otherwise: str) -> bytes:
    blocks, size = [], 0
    # read1 returns what has come, so that a server that sends a byte at a time cannot stretch a read
    while block := answer.read1(_BLOCK):
        size += len(block)
        if size > most_bytes:
            raise InputError(f"{address}: is larger than {most_bytes / 1e6:.0f} MB; {otherwise}")
        if time.monotonic() > deadline:
            raise InputError(f"{address}: takes longer than {_LONGEST_S // 60} minutes; {otherwise}")
        blocks.append(block)
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(blocks)


class _Connection(http.client.HTTPConnection):
    """A connection that waits less long to be made than for data."""

    def connect(self) -> None:
        patient, self.timeout = self.timeout, _CONNECT_S
        super().connect()
        self.sock.settimeout(patient)


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    """The same over https."""


class _Http(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req)


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    max_redirections = _MOST_REDIRECTS

    def __init__(self, first: str) -> None:
        self.first = first

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        check_address(newurl, as_local_as=self.first)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_this_machine(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
