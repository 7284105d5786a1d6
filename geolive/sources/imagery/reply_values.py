"""Checks single values of replies: nothing from the network is used or kept without these checks."""

from geolive.tables import not_located

LARGEST_INTEGER = 2**63 - 1
MOST_TEXT = 200


def position(geometry: object) -> tuple[float, float] | None:
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        return None
    at = geometry.get("coordinates")
    if not isinstance(at, list) or len(at) < 2:
        return None
    lon, lat = number(at[0], -180, 180), number(at[1], -90, 90)
    return None if lon is None or lat is None or not_located(lon, lat) else (lon, lat)


def number(value: object, low: float, high: float) -> float | None:
    # the comparison is false for NaN
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return None
    return float(value)


def text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) <= LARGEST_INTEGER else None
    if not isinstance(value, str) or not value:
        return None
    # lone surrogates cannot be written, and control characters could control a terminal
    return "".join(c for c in value[:MOST_TEXT] if c.isprintable())
