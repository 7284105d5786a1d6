"""Parses and checks the replies of the API: nothing from the network is used or kept without these checks."""

import re
from collections import Counter

from geolive.tables import not_located

FIELDS = "id,geometry,computed_geometry,captured_at,sequence,compass_angle,computed_compass_angle,is_pano,camera_type,creator"
_LARGEST_ID = 2**63 - 1
_MOST_TEXT = 200


def is_image_id(id: object) -> bool:
    """Return whether a value is an image id: only digits, so that it can be part of an address and of a file name.

    Examples
    --------
    >>> is_image_id("498763468214164"), is_image_id("../../x"), is_image_id("１２"), is_image_id("07")
    (True, False, False, False)
    """
    return isinstance(id, str) and re.fullmatch(r"[1-9][0-9]{0,18}", id) is not None and int(id) <= _LARGEST_ID


def image_facts(reply: dict) -> dict:
    """Extract the facts on an image; a missing or malformed value becomes None.

    Parameters
    ----------
    reply : dict
        The reply of the API.

    Returns
    -------
    dict
        lon, lat (the computed position, or else the original one), lon_original, lat_original, captured_at (milliseconds since
        1970), sequence_id, compass_angle (degrees, the computed one or else the original), is_pano, creator, creator_id.

    Examples
    --------
    >>> facts = image_facts({"geometry": {"type": "Point", "coordinates": [85.1, 25.6]}, "captured_at": 1600000000000})
    >>> facts["lon"], facts["lat"], facts["sequence_id"]
    (85.1, 25.6, None)
    """
    original, computed = _position(reply.get("geometry")), _position(reply.get("computed_geometry"))
    best = computed or original or (None, None)
    angles = [_number(reply.get(name), -360, 720) for name in ("computed_compass_angle", "compass_angle")]
    angle = next((angle for angle in angles if angle is not None), None)
    creator = reply.get("creator")
    creator = creator if isinstance(creator, dict) else {}
    captured_at = _number(reply.get("captured_at"), 0, 2**53)
    pano = reply.get("is_pano")
    return {
        "lon": best[0],
        "lat": best[1],
        "lon_original": original[0] if original else None,
        "lat_original": original[1] if original else None,
        "captured_at": None if captured_at is None else int(captured_at),
        "sequence_id": _text(reply.get("sequence")),
        "compass_angle": None if angle is None else angle % 360,
        "is_pano": pano if isinstance(pano, bool) else reply.get("camera_type") in ("equirectangular", "spherical"),
        "creator": _text(creator.get("username")),
        "creator_id": _text(creator.get("id")),
    }


def detected_values(reply: dict) -> dict[str, int] | None:
    """Count how often each value was detected, in alphabetical order; None where the reply is no list of detections.

    Examples
    --------
    >>> detected_values({"data": [{"id": "1", "value": "nature--sky"}, {"id": "2", "value": "nature--sky"}]})
    {'nature--sky': 2}
    """
    data = reply.get("data")
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        return None
    return dict(sorted(Counter(_text(one.get("value")) or "" for one in data).items()))


def _position(geometry: object) -> tuple[float, float] | None:
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        return None
    at = geometry.get("coordinates")
    if not isinstance(at, list) or len(at) < 2:
        return None
    lon, lat = _number(at[0], -180, 180), _number(at[1], -90, 90)
    return None if lon is None or lat is None or not_located(lon, lat) else (lon, lat)


def _number(value: object, low: float, high: float) -> float | None:
    # the comparison is false for NaN
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return float(value)


def _text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) <= _LARGEST_ID else None
    if not isinstance(value, str) or not value:
        return None
    # lone surrogates cannot be written, and control characters could control a terminal
    return "".join(c for c in value[:_MOST_TEXT] if c.isprintable())
