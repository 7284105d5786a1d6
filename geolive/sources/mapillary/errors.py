"""The meaning of Mapillary's error replies: wait, try again, deleted image, or refused token."""

from collections.abc import Mapping

from geolive.errors import InputError
from geolive.sources.imagery.failures import Gone, Trouble, json_object, retry_after
from geolive.sources.mapillary.access import TOKEN_REMEDY

# codes of Facebook's Graph API, which Mapillary's API follows
_RATE_CODES = {4, 17, 32, 613}
_PASSING_CODES = {1, 2}
_TOKEN_CODES = {102, 190}
_GONE = (100, 33)


class Refused(Trouble):
    """A request was refused without Mapillary's word on the token: by a gateway that is in trouble, or by a firewall."""


def check_reply(status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raise the error that a reply of the API means; return for a reply without an error.

    Raises
    ------
    Trouble
        The failure may be temporary.
    Gone
        The image was deleted.
    InputError
        The API refuses the token.

    Examples
    --------
    >>> check_reply(200, {}, b'{"id": "7"}')
    >>> check_reply(400, {}, b'{"error": {"type": "OAuthException", "code": 190}}')  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: Mapillary refused the token (code 190); make one at ...
    """
    reply = json_object(body)
    error = (reply or {}).get("error")
    error = error if isinstance(error, dict) else {}
    if status == 200 and not error:
        return
    code, subcode = (
        error.get(name) if isinstance(error.get(name), int) else None for name in ("code", "error_subcode")
    )
    if status == 429 or code in _RATE_CODES:
        raise Trouble("asked to slow down", retry_after(headers))
    if (code, subcode) == _GONE:
        raise Gone
    oauth = error.get("type") == "OAuthException" and code not in (*_PASSING_CODES, 100)
    if code in _TOKEN_CODES or oauth:
        said = f"code {code}" if code is not None else f"HTTP {status}"
        raise InputError(f"Mapillary refused the token ({said}); {TOKEN_REMEDY}")
    if status in (401, 403):
        raise Refused(f"HTTP {status}, from Mapillary or from a firewall on the way")
    raise Trouble(f"error code {code}" if code is not None else f"HTTP {status}", retry_after(headers))
