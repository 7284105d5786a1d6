"""Reads position, time, heading and the kind of panorama from the XMP packet of a photo.

Sources: XMP specification parts 1 and 2 (Adobe; the exif namespace), Photo Sphere XMP metadata (Google). The packet is searched
for the few properties that are needed and never parsed as XML, so that no document can expand in memory.
"""

import datetime
import math
import re
from dataclasses import dataclass

from geolive.sources.photos.image_files import Block, UnusableImageError

_MOST_BYTES = 1 << 20
# 25,35.5N and 25,35,30N: degrees and minutes, or degrees, minutes and seconds
_COORDINATE = re.compile(r"(\d{1,3}),(\d{1,2}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?([NSEW])", re.IGNORECASE)
_DATE_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d\d:\d\d)?")
_YEARS = range(1900, 2200)


@dataclass(frozen=True)
class XmpFacts:
    """What the XMP packet of a photo says; None or NaN where it says nothing.

    Parameters
    ----------
    position : tuple of float, or None
        Longitude and latitude, WGS 84, degrees.
    time : datetime or None
        In UTC where the packet has a time zone, else the time of the camera's clock.
    zone : str or None
        "UTC", or "unknown" where the packet has none; None without a time.
    compass_angle : float
        Degrees clockwise from north, at least 0 and below 360.
    whole_sphere : bool
        Whether the photo is an equirectangular panorama of the whole sphere.
    """

    position: tuple[float, float] | None = None
    time: datetime.datetime | None = None
    zone: str | None = None
    compass_angle: float = math.nan
    whole_sphere: bool = False


def read_xmp(block: Block | None) -> XmpFacts:
    """Read the facts of an XMP packet; a packet that is missing, too large or no text says nothing.

    Parameters
    ----------
    block : Block or None
        As `geolive.sources.photos.image_files.open_image` finds it.

    Examples
    --------
    >>> import io
    >>> text = b'<x exif:GPSLatitude="25,36.0N" exif:GPSLongitude="85,6,0E" GPano:ProjectionType="equirectangular"/>'
    >>> facts = read_xmp(Block(io.BytesIO(text), 0, len(text)))
    >>> facts.position, facts.whole_sphere
    ((85.1, 25.6), True)
    >>> read_xmp(None).position is None
    True
    """
    if block is None or block.size > _MOST_BYTES:
        return XmpFacts()
    try:
        text = block.read(0, block.size).decode("utf-8", "replace")
    except UnusableImageError:
        return XmpFacts()
    lat, lon = (_coordinate(_property(text, f"exif:{name}")) for name in ("GPSLatitude", "GPSLongitude"))
    if lat is None or lon is None:
        # drones write signed degrees, and some of them misspell the name
        lat, lon = (_number(text, *names) for names in (["GpsLatitude"], ["GpsLongitude", "GpsLongtitude"]))
    usable = lat is not None and lon is not None and abs(lat) <= 90 and abs(lon) <= 180
    time, zone = _time(text)
    return XmpFacts(
        (lon, lat) if usable and lat is not None and lon is not None else None,
        time,
        zone,
        _angle(text),
        _property(text, "GPano:ProjectionType").lower() == "equirectangular" and _is_whole(text),
    )


def _property(text: str, name: str) -> str:
    """Return the text of a property, which is an attribute or an element; "" where it is missing."""
    name = re.escape(name)
    match = re.search(rf"{name}\s*=\s*[\"']([^\"'<]{{0,100}})[\"']|<{name}>([^<]{{0,100}})<", text)
    return (match[1] or match[2] or "").strip() if match else ""


def _coordinate(text: str) -> float | None:
    match = _COORDINATE.fullmatch(text)
    if match is None or float(match[2]) >= 60 or float(match[3] or 0) >= 60:
        return None
    degrees = int(match[1]) + float(match[2]) / 60 + float(match[3] or 0) / 3600
    return -degrees if match[4].upper() in "SW" else degrees


def _number(text: str, *names: str) -> float | None:
    for name in names:
        value = _property(text, f"drone-dji:{name}")
        if re.fullmatch(r"[+-]?\d{1,3}(?:\.\d+)?", value):
            return float(value)
    return None


def _angle(text: str) -> float:
    fraction = re.fullmatch(r"(\d{1,9})/(\d{1,9})", _property(text, "exif:GPSImgDirection"))
    if fraction and int(fraction[2]):
        angle = int(fraction[1]) / int(fraction[2])
    else:
        plain = _property(text, "GPano:PoseHeadingDegrees") or _property(text, "exif:GPSImgDirection")
        angle = float(plain) if re.fullmatch(r"\d{1,3}(?:\.\d+)?", plain) else math.nan
    return angle % 360 if 0 <= angle <= 360 else math.nan


def _is_whole(text: str) -> bool:
    """Return whether a panorama is not cropped."""
    whole = [_property(text, f"GPano:FullPano{side}Pixels") for side in ("Width", "Height")]
    shown = [_property(text, f"GPano:CroppedAreaImage{side}Pixels") for side in ("Width", "Height")]
    return not all([*whole, *shown]) or whole == shown


def _time(text: str) -> tuple[datetime.datetime | None, str | None]:
    for name in ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate"):
        match = _DATE_TIME.fullmatch(_property(text, name))
        if match is None or int(match[1]) not in _YEARS:
            continue
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        try:
            time = datetime.datetime(year, month, day, hour, minute, second, int((match[7] or "0").ljust(6, "0")))
        except ValueError:
            continue
        if match[8] is None:
            return time, "unknown"
        if match[8] == "Z":
            return time, "UTC"
        hours, minutes = match[8][1:].split(":")
        ahead = datetime.timedelta(hours=int(hours), minutes=int(minutes))
        return time - ahead * (-1 if match[8][0] == "-" else 1), "UTC"
    return None, None
