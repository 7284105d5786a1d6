"""What can fail in requests to a source of images, and how replies say it."""

import datetime
import email.utils
import json
import re
from collections.abc import Mapping


class Trouble(Exception):
    """A request failed, perhaps temporarily; `wait` is the pause in seconds that the server asked for."""

    def __init__(self, words: str, wait: float | None = None):
        super().__init__(words)
        self.wait = wait


class NoConnection(Trouble):
    """No connection can be made: nothing was sent."""


class UnknownHost(NoConnection):
    """No address is known for the name of a host."""


class Gone(Exception):
    """The image was deleted, or never existed."""


class GivenUp(Exception):
    """A request failed as often as the retry policy allows; the message is the last reason."""


def json_object(body: bytes) -> dict | None:
    """Parse a reply as a JSON object; return None where it is none.

    Examples
    --------
    >>> json_object(b'{"id": "7"}'), json_object(b"<html>")
    ({'id': '7'}, None)
    """
    if body.lstrip()[:1] != b"{":
        return None
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return reply if isinstance(reply, dict) else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the pause in seconds that a server asks for, as a number or a date.

    Examples
    --------
    >>> retry_after({"Retry-After": "30"}), retry_after({})
    (30.0, None)
    """
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value):
        return float(value)
    try:
        at = email.utils.parsedate_to_datetime(value)
        return max(0.0, (at - datetime.datetime.now(datetime.UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
