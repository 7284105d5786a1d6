"""The addresses that may be requested: what a server names must be encrypted and on the public internet."""

import ipaddress
from urllib.parse import urlsplit

_GATEWAY = ipaddress.IPv6Network("64:ff9b::/96")


def is_https(address: str) -> bool:
    """Return whether an address is encrypted.

    Examples
    --------
    >>> is_https("https://a.org/1.jpg"), is_https("http://a.org/1.jpg"), is_https("https://")
    (True, False, False)
    """
    try:
        parts = urlsplit(address)
        return parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        return False


def is_own_machine(address: str) -> bool:
    """Return whether an address is a server on this machine, such as a local mirror.

    Examples
    --------
    >>> is_own_machine("http://127.0.0.1:8000/x"), is_own_machine("http://127.0.0.1.a.org/x")
    (True, False)
    """
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and parts.hostname in ("127.0.0.1", "::1", "localhost")
    except ValueError:
        return False


def may_open(address: str, api: str) -> bool:
    """Return whether an address that a reply of an API names may be requested.

    It must be encrypted, without a user name in it, and not on a private network, unless the API itself is there: then its own
    host is allowed, and, for an API on this machine, this machine. `resolver.PublicResolver` checks where a host name leads.

    Parameters
    ----------
    address : str
    api : str
        The address of the API, as the user gave it.

    Examples
    --------
    >>> may_open("https://cdn.example.org/1.jpg", "https://example.org/api")
    True
    >>> [may_open(a, "https://example.org/api") for a in ("http://a.org/1", "https://10.0.0.1/1", "http://127.0.0.1/1")]
    [False, False, False]
    """
    try:
        parts, own = urlsplit(address), urlsplit(api)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None:
        return False
    if is_own_machine(address):
        return is_own_machine(api)
    return parts.scheme == "https" and (host == own.hostname or not is_private(host))


def is_private(host: str) -> bool:
    """Return whether a host is given as an IP address that is not on the public internet.

    Examples
    --------
    >>> [is_private(host) for host in ("192.168.1.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::a00:1", "169.254.169.254")]
    [True, True, True, True, True]
    >>> [is_private(host) for host in ("8.8.8.8", "2606:4700::1111", "a.org")]
    [False, False, False]
    """
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        # an IPv4 address that it stands for: mapped, by 6to4, or by a gateway (RFC 6052)
        gateway = ipaddress.IPv4Address(address.packed[-4:]) if address in _GATEWAY else None
        address = address.ipv4_mapped or address.sixtofour or gateway or address
    return not address.is_global or address.is_multicast
