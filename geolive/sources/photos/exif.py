"""Reads position, time and heading from the EXIF of a photo, or from its XMP packet where EXIF has none.

Source: CIPA DC-008 (Exif 2.32), sections 4.6.2 (structure), 4.6.5 (time) and 4.6.6 (GPS).
"""

import contextlib
import datetime
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from geolive.sources.photos.image_files import Block, UnusableImageError, check_pixels
from geolive.sources.photos.xmp import XmpFacts
from geolive.tables import not_located

_EXIF_POINTER, _GPS_POINTER, _WIDTH, _HEIGHT, _ORIENTATION = 0x8769, 0x8825, 0x0100, 0x0101, 0x0112
_TAKEN, _DIGITISED, _TAKEN_PART, _DIGITISED_PART, _TAKEN_ZONE, _DIGITISED_ZONE = (
    0x9003, 0x9004, 0x9291, 0x9292, 0x9011, 0x9012,
)  # fmt: skip
_LAT_REF, _LAT, _LON_REF, _LON, _GPS_TIME, _DIRECTION, _GPS_DATE = 1, 2, 3, 4, 7, 17, 29
_MAIN_TAGS = {_EXIF_POINTER, _GPS_POINTER, _WIDTH, _HEIGHT}
_TIME_TAGS = {_TAKEN, _DIGITISED, _TAKEN_PART, _DIGITISED_PART, _TAKEN_ZONE, _DIGITISED_ZONE}
_GPS_TAGS = {_LAT_REF, _LAT, _LON_REF, _LON, _GPS_TIME, _DIRECTION, _GPS_DATE}

_NUMBERS = {1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I"}
_TEXTS = (2, 7)
_MOST_VALUE_BYTES = 128
_DATE_TIME = re.compile(
    r"(\d{4})\D(\d\d?)\D(\d\d?)\D+(\d\d?)\D(\d\d?)\D(\d\d?)(?:\s*([AP])\.?M\b)?", re.ASCII | re.IGNORECASE
)
_DATE = re.compile(r"(\d{4})\D(\d\d?)\D(\d\d?)", re.ASCII)
_ZONE = re.compile(r"([+-])(\d\d?):?(\d\d)", re.ASCII)
# receivers without a fix write their first day, and old ones count weeks anew after twenty years: both are long ago
_FIRST_SATELLITE_YEAR = 1995
_YEARS = range(1900, 2200)
# the offset of a clock is a multiple of a quarter of an hour; the clock may differ from the satellites by minutes
_QUARTER, _LARGEST_ZONE = datetime.timedelta(minutes=15), datetime.timedelta(hours=14)
_CLOCK_ERROR = datetime.timedelta(minutes=5)
_ONE_DAY = datetime.timedelta(days=1)
# weeks of satellites are counted up to 1,024
_ALL_WEEKS = datetime.timedelta(weeks=1024)


@dataclass(frozen=True)
class PhotoFacts:
    """Where and when a photo was taken.

    Parameters
    ----------
    lon, lat : float
        WGS 84, degrees.
    time : datetime or None
        In UTC, or, where the time zone is unknown, the time of the camera's clock.
    zone : str or None
        "UTC", or "unknown" where `time` is that of the camera's clock; None without a time.
    compass_angle : float
        Direction of the camera in degrees clockwise from north, at least 0 and below 360; NaN where unknown.
    is_pano : bool
        Whether the photo is an equirectangular panorama of the whole sphere.
    """

    lon: float
    lat: float
    time: datetime.datetime | None
    zone: str | None
    compass_angle: float
    is_pano: bool = False


def read_facts(block: Block | None, xmp: XmpFacts | None = None) -> PhotoFacts:
    """Read position, time and heading from an EXIF block, and what it lacks from the XMP packet.

    Parameters
    ----------
    block : Block or None
        As `geolive.sources.photos.image_files.open_image` finds it.
    xmp : XmpFacts, optional
        As `geolive.sources.photos.xmp.read_xmp` reads them.

    Returns
    -------
    PhotoFacts
        Time and heading are empty where they are missing or not valid.

    Raises
    ------
    UnusableImageError
        The position is missing or not valid, or it is 0, 0, which cameras write when they have no position.

    Examples
    --------
    >>> read_facts(None)
    Traceback (most recent call last):
    geolive.sources.photos.image_files.UnusableImageError: no position: no EXIF
    """
    xmp = xmp or XmpFacts()
    located = xmp.position is not None and not not_located(*xmp.position)
    main: dict = {}
    gps: dict = {}
    times: dict = {}
    try:
        if block is None:
            raise UnusableImageError("no position: no EXIF")
        order = _order(block)
        main = _main(block, _MAIN_TAGS)
        gps = _inner(block, order, main.get(_GPS_POINTER), _GPS_TAGS)
        lon, lat = _position(gps)
    except UnusableImageError:
        if xmp.position is None or not located:
            raise
        lon, lat = xmp.position
    check_pixels(_first(main.get(_WIDTH)) or 0, _first(main.get(_HEIGHT)) or 0)
    if block is not None:
        with contextlib.suppress(UnusableImageError):  # a photo without a time can be used, too
            times = _inner(block, _order(block), main.get(_EXIF_POINTER), _TIME_TAGS)
    time, zone = _time(times, gps)
    if time is None:
        time, zone = xmp.time, xmp.zone
    angle = _direction(gps)
    return PhotoFacts(lon, lat, time, zone, xmp.compass_angle if math.isnan(angle) else angle, xmp.whole_sphere)


def read_orientation(block: Block | None) -> int:
    """Read the orientation of an image, 1 to 8; 1 (upright) where it is missing or not valid.

    Source: CIPA DC-008 (Exif 2.32), section 4.6.4.

    Parameters
    ----------
    block : Block or None
        As `geolive.sources.photos.image_files.open_image` finds it.

    Returns
    -------
    int

    Examples
    --------
    >>> read_orientation(None)
    1
    """
    try:
        orientation = None if block is None else _first(_main(block, {_ORIENTATION}).get(_ORIENTATION))
    except UnusableImageError:
        return 1
    return int(orientation) if orientation is not None and orientation in range(1, 9) else 1


def check_sizes(block: Block | None) -> None:
    """Raise where the entries of the first directory of an EXIF block together hold more bytes than the block.

    A program that reads all entries, such as Pillow, would copy these bytes.

    Raises
    ------
    UnusableImageError
        The entries hold more bytes than the block, or the block is damaged.

    Examples
    --------
    >>> check_sizes(None)
    """
    if block is None:
        return
    order = _order(block)
    entries = _entries(block, order, struct.unpack(order + "I", block.read(4, 4))[0])
    sizes = (
        number * (1 if kind in _TEXTS else struct.calcsize(order + _NUMBERS.get(kind, "Q")))
        for _, kind, number, _ in entries
    )
    if sum(sizes) > block.size:
        raise UnusableImageError("damaged: its EXIF holds more bytes than the file")


def _order(block: Block) -> str:
    """Return the byte order of a block, as `struct` writes it."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block.read(0, 4))
    if order is None:
        raise UnusableImageError("damaged: its EXIF has no header")
    return order


def _main(block: Block, wanted: set[int]) -> dict[int, bytes | tuple[float, ...]]:
    """Read the wanted entries of the first directory."""
    order = _order(block)
    return _directory(block, order, struct.unpack(order + "I", block.read(4, 4))[0], wanted)


def _inner(block: Block, order: str, pointer: object, wanted: set[int]) -> dict:
    """Read the wanted entries of the directory that an entry points to; there are none without such an entry."""
    at = _first(pointer)
    return {} if at is None or not math.isfinite(at) else _directory(block, order, int(at), wanted)


def _directory(block: Block, order: str, at: int, wanted: set[int]) -> dict[int, bytes | tuple[float, ...]]:
    """Read the wanted entries of the directory at an offset: texts as bytes, numbers as floats (a fraction over 0 is NaN)."""
    values: dict[int, bytes | tuple[float, ...]] = {}
    for tag, kind, number, field in _entries(block, order, at):
        if tag not in wanted or tag in values or not (kind in _NUMBERS or kind in _TEXTS):
            continue
        code = _NUMBERS.get(kind, "B")
        size = struct.calcsize(order + code) * number
        if not 0 < size <= _MOST_VALUE_BYTES:
            continue
        data = field[:size] if size <= 4 else block.read(struct.unpack(order + "I", field)[0], size)
        values[tag] = data if kind in _TEXTS else _numbers(struct.iter_unpack(order + code, data))
    return values


def _entries(block: Block, order: str, at: int) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield tag, type, number of values and the four bytes that hold the values or their offset, of each entry."""
    if at < 8:
        raise UnusableImageError("damaged: its EXIF points outside itself")
    count = struct.unpack(order + "H", block.read(at, 2))[0]
    return struct.iter_unpack(order + "HHI4s", block.read(at + 2, 12 * count))


def _numbers(rows) -> tuple[float, ...]:
    return tuple(float(a) if not b else a / b[0] if b[0] else math.nan for a, *b in rows)


def _first(value: object) -> float | None:
    return value[0] if isinstance(value, tuple) else None


def _text(value: object) -> str:
    return value.split(b"\0")[0].decode("ascii", "replace").strip() if isinstance(value, bytes) else ""


def _position(gps: dict) -> tuple[float, float]:
    if _LON not in gps and _LAT not in gps:
        raise UnusableImageError("no position: no GPS in its EXIF")
    lon = _angle(gps.get(_LON), _text(gps.get(_LON_REF)), "EW", 180)
    lat = _angle(gps.get(_LAT), _text(gps.get(_LAT_REF)), "NS", 90)
    if not_located(lon, lat):
        raise UnusableImageError("no position: 0, 0")
    return lon, lat


def _angle(value: object, ref: str, signs: str, limit: int) -> float:
    """Convert degrees, minutes and seconds to degrees, which are negative in the south and the west."""
    parts = value if isinstance(value, tuple) else ()
    degrees, minutes, seconds = (*parts[:3], 0.0, 0.0, 0.0)[:3] if parts else (math.nan,) * 3
    if not (math.isfinite(degrees) and 0 <= minutes <= 60 and 0 <= seconds <= 60):
        raise UnusableImageError("no position: its degrees, minutes and seconds make no sense")
    angle = degrees + minutes / 60 + seconds / 3600
    if not 0 <= angle <= limit:
        raise UnusableImageError("no position: out of range")
    if ref[:1].upper() not in tuple(signs):
        raise UnusableImageError("no position: its hemisphere is missing")
    return angle if ref[:1].upper() == signs[0] else -angle


def _direction(gps: dict) -> float:
    angle = _first(gps.get(_DIRECTION))
    return angle % 360 if angle is not None and 0 <= angle <= 360 else math.nan


def _time(times: dict, gps: dict) -> tuple[datetime.datetime | None, str | None]:
    """Return the time and its zone: the camera's clock, in UTC where EXIF or the satellites' time gives its offset."""
    satellites = _gps_time(gps)
    taken = _clock(times, _TAKEN, _TAKEN_PART) or _clock(times, _DIGITISED, _DIGITISED_PART)
    if taken is None:
        return satellites, "UTC" if satellites else None
    zone = _zone(times.get(_TAKEN_ZONE if _clock(times, _TAKEN, _TAKEN_PART) else _DIGITISED_ZONE))
    if zone is None and satellites is not None:
        ahead = taken - satellites
        nearest = round(ahead / _QUARTER) * _QUARTER
        if abs(abs(ahead) - _ALL_WEEKS) <= _LARGEST_ZONE + _ONE_DAY:
            return taken, "unknown"  # the receiver counts weeks anew
        if abs(ahead - nearest) > _CLOCK_ERROR or abs(nearest) > _LARGEST_ZONE:
            return satellites, "UTC"  # the camera's clock was wrong
        zone = nearest
    return (taken, "unknown") if zone is None else (taken - zone, "UTC")


def _clock(times: dict, tag: int, part_tag: int) -> datetime.datetime | None:
    matched = _DATE_TIME.match(_text(times.get(tag)))
    time = _datetime(*map(int, matched.groups()[:6])) if matched else None
    if matched and matched[7] and time is not None:
        # noon is 12 PM, and midnight 12 AM
        hour = time.hour % 12 + (12 if matched[7].upper() == "P" else 0) if time.hour <= 12 else time.hour
        time = time.replace(hour=hour)
    part = re.match(r"\d{1,6}", _text(times.get(part_tag)), re.ASCII)
    return time + datetime.timedelta(seconds=float(f"0.{part[0]}")) if time and part else time


def _gps_time(gps: dict) -> datetime.datetime | None:
    date, clock = _DATE.match(_text(gps.get(_GPS_DATE))), gps.get(_GPS_TIME)
    if not (date and isinstance(clock, tuple) and len(clock) == 3):
        return None
    hour, minute, second = clock
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second < 60):
        return None
    midnight = _datetime(*map(int, date.groups()))
    if midnight is None or midnight.year < _FIRST_SATELLITE_YEAR or midnight > datetime.datetime.now() + 2 * _ONE_DAY:
        return None
    return midnight + datetime.timedelta(hours=hour, minutes=minute, seconds=second)


def _datetime(
    year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0
) -> datetime.datetime | None:
    try:
        return datetime.datetime(year, month, day, hour, minute, second) if year in _YEARS else None
    except ValueError:
        return None


def _zone(value: object) -> datetime.timedelta | None:
    if _text(value).upper() == "Z":
        return datetime.timedelta(0)
    matched = _ZONE.fullmatch(_text(value))
    if not matched:
        return None
    zone = datetime.timedelta(hours=int(matched[2]), minutes=int(matched[3]))
    if zone > _LARGEST_ZONE:
        return None
    return -zone if matched[1] == "-" else zone
