"""Parses and checks the replies of the API: nothing from the network is used or kept without these checks."""

import re
from collections import Counter

from geolive.sources.imagery.reply_values import LARGEST_INTEGER, number, position, text
from geolive.sources.imagery.source import ListedImage

FIELDS = (
    "id,geometry,computed_geometry,captured_at,sequence,compass_angle,computed_compass_angle,is_pano,camera_type,creator,"
    "quality_score"
)


def is_image_id(id: object) -> bool:
    """Return whether a value is an image id: only digits, so that it can be part of an address and of a file name.

    Examples
    --------
    >>> is_image_id("498763468214164"), is_image_id("../../x"), is_image_id("１２"), is_image_id("07")
    (True, False, False, False)
    """
    return isinstance(id, str) and re.fullmatch(r"[1-9][0-9]{0,18}", id) is not None and int(id) <= LARGEST_INTEGER


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
        1970), sequence_id, compass_angle (degrees, the computed one or else the original), is_pano, creator, creator_id,
        camera_type (perspective, fisheye, equirectangular or spherical), quality_score (0 to 1).

    Examples
    --------
    >>> facts = image_facts({"geometry": {"type": "Point", "coordinates": [85.1, 25.6]}, "captured_at": 1600000000000})
    >>> facts["lon"], facts["lat"], facts["sequence_id"]
    (85.1, 25.6, None)
    """
    original, computed = position(reply.get("geometry")), position(reply.get("computed_geometry"))
    best = computed or original or (None, None)
    angles = [number(reply.get(name), -360, 720) for name in ("computed_compass_angle", "compass_angle")]
    angle = next((angle for angle in angles if angle is not None), None)
    creator = reply.get("creator")
    creator = creator if isinstance(creator, dict) else {}
    captured_at = number(reply.get("captured_at"), 0, 2**53)
    pano, camera = reply.get("is_pano"), text(reply.get("camera_type"))
    return {
        "lon": best[0],
        "lat": best[1],
        "lon_original": original[0] if original else None,
        "lat_original": original[1] if original else None,
        "captured_at": None if captured_at is None else int(captured_at),
        "sequence_id": text(reply.get("sequence")),
        "compass_angle": None if angle is None else angle % 360,
        "is_pano": pano if isinstance(pano, bool) else camera in ("equirectangular", "spherical"),
        "creator": text(creator.get("username")),
        "creator_id": text(creator.get("id")),
        "camera_type": camera,
        "quality_score": number(reply.get("quality_score"), 0, 1),
    }


def listed_images(reply: dict) -> list[ListedImage] | None:
    """Read the images of a search, with their facts; None where the reply is no list of images.

    An image without a position is left out.

    Examples
    --------
    >>> point = {"type": "Point", "coordinates": [85.1, 25.6]}
    >>> [image.id for image in listed_images({"data": [{"id": "7", "geometry": point}, {"id": "8"}]})]
    ['7']
    """
    data = reply.get("data")
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        return None
    images = []
    for one in data:
        facts = image_facts(one)
        if facts["lon"] is not None and facts["lat"] is not None:
            images.append(
                ListedImage(
                    str(one.get("id")), facts["lon"], facts["lat"], facts["captured_at"], bool(facts["is_pano"]), facts
                )
            )
    return images


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
    return dict(sorted(Counter(text(one.get("value")) or "" for one in data).items()))
