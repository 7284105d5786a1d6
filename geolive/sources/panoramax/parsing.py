"""Parses and checks the items of a STAC search: nothing from the network is used or kept without these checks."""

import datetime
import json
import re
from typing import Any

from geolive.sources.imagery.reply_values import number, position, text
from geolive.sources.imagery.source import ListedImage

# how the API names the sizes of a photo
ASSETS = {"500": "thumb", "2048": "sd", "original": "hd"}
_MOST_ADDRESS = 2_000
_MOST_TAGS = 100
_WHOLE_CIRCLE = 360


def is_image_id(id: object) -> bool:
    """Return whether a value is an image id: a UUID in small letters, so that it can be part of an address and of a file name.

    Examples
    --------
    >>> is_image_id("dbfabae8-2fca-40ff-91bd-eed39a6a8d79"), is_image_id("../../dbfabae8-2fca-40ff-91bd"), is_image_id("7")
    (True, False, False)
    """
    return isinstance(id, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id) is not None


def listed_image(item: object) -> ListedImage | None:
    """Extract an image and its facts from an item; a missing or malformed value becomes None.

    Parameters
    ----------
    item : object
        An item of the reply.

    Returns
    -------
    ListedImage or None
        None where the item has no position. Besides the facts that every source has: `licence` (SPDX identifier),
        `field_of_view` (degrees), `semantics` (JSON: a list of key and value of each
        tag), and `assets` (address of each size).

    Examples
    --------
    >>> item = {"id": "7", "geometry": {"type": "Point", "coordinates": [13.19, 55.7]}, "collection": "walk",
    ...         "properties": {"license": "etalab-2.0", "pers:interior_orientation": {"field_of_view": 360}}}
    >>> image = listed_image(item)
    >>> image.lon, image.is_pano, image.facts["sequence_id"], image.facts["licence"], image.facts["creator"]
    (13.19, True, 'walk', 'etalab-2.0', None)
    """
    item = _object(item)
    at = position(item.get("geometry"))
    if at is None:
        return None
    about = _object(item.get("properties"))
    angle = number(about.get("view:azimuth"), -360, 720)
    field = number(_object(about.get("pers:interior_orientation")).get("field_of_view"), 0, _WHOLE_CIRCLE)
    producers = _producers(item.get("providers"))
    captured_at, is_pano = _milliseconds(about.get("datetime")), field == _WHOLE_CIRCLE
    facts = {
        "lon": at[0],
        "lat": at[1],
        "captured_at": captured_at,
        "sequence_id": text(item.get("collection")),
        "compass_angle": None if angle is None else angle % 360,
        "is_pano": is_pano,
        "creator": text(about.get("geovisio:producer")) or next((text(one.get("name")) for one in producers), None),
        "creator_id": next((text(one.get("id")) for one in producers), None),
        "licence": text(about.get("license")),
        "field_of_view": field,
        "semantics": _tags(about),
        "assets": _assets(item.get("assets")),
    }
    return ListedImage(str(item.get("id")), *at, captured_at, is_pano, facts)


def next_page(reply: dict[str, Any]) -> str | None:
    """Return the address of the next page of a search, where the reply has one that is requested with GET.

    Examples
    --------
    >>> next_page({"links": [{"rel": "next", "href": "https://a.org/api/search?page=2"}]})
    'https://a.org/api/search?page=2'
    """
    for link in _objects(reply.get("links")):
        if link.get("rel") == "next" and link.get("method", "GET") == "GET":
            return _address(link.get("href"))
    return None


def n_matched(reply: dict[str, Any]) -> int | None:
    """Return the number of items that a search found in all, where the reply says it.

    Examples
    --------
    >>> n_matched({"numberMatched": 7}), n_matched({"context": {"matched": 8}}), n_matched({})
    (7, 8, None)
    """
    for value in (reply.get("numberMatched"), _object(reply.get("context")).get("matched")):
        if (found := number(value, 0, 2**53)) is not None:
            return int(found)
    return None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _producers(providers: object) -> list[dict[str, Any]]:
    return [one for one in _objects(providers) if isinstance(one.get("roles"), list) and "producer" in one["roles"]]


def _milliseconds(value: object) -> int | None:
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        time = datetime.datetime.fromisoformat(value)
        moment = (time if time.tzinfo else time.replace(tzinfo=datetime.UTC)).timestamp() * 1000
    except (ValueError, OverflowError):
        return None
    return round(moment) if 0 <= moment < 2**53 else None


def _tags(about: dict[str, Any]) -> str | None:
    """Return the semantic tags of a picture and of the areas marked in it as JSON, sorted, or None where there are none."""
    areas = [about, *_objects(about.get("annotations"))]
    pairs = [
        (text(one.get("key")), text(one.get("value"))) for area in areas for one in _objects(area.get("semantics"))
    ]
    tags = sorted((key, tag or "") for key, tag in pairs[:_MOST_TAGS] if key)
    return json.dumps([{"key": key, "value": tag} for key, tag in tags], ensure_ascii=False) if tags else None


def _assets(value: object) -> dict[str, str]:
    """Return the addresses of the photo by size."""
    assets = _object(value)
    found = {size: _address(_object(assets.get(name)).get("href")) for size, name in ASSETS.items()}
    return {size: address for size, address in found.items() if address}


def _address(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= _MOST_ADDRESS and value.isprintable() else None
