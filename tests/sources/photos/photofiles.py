"""Small photos with EXIF as cameras write it, made with Pillow."""

import io
from fractions import Fraction

from PIL import Image, TiffImagePlugin

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF"}
TAKEN, DIGITISED, PART, ZONE = 0x9003, 0x9004, 0x9291, 0x9011


def rational(value):
    """A number as EXIF writes it; a pair stands for itself, so that its denominator may be 0."""
    pair = value if isinstance(value, tuple) else Fraction(value).limit_denominator(1_000_000).as_integer_ratio()
    return TiffImagePlugin.IFDRational(*pair)


def dms(degrees):
    minutes = abs(degrees) * 60
    return tuple(map(rational, (int(minutes // 60), int(minutes % 60), round(minutes % 1 * 60, 4))))


def gps_of(lon, lat, **more):
    """GPS entries of a position; `more` by tag number, as _17=…; None leaves an entry out."""
    entries = {1: "N" if lat >= 0 else "S", 2: dms(lat), 3: "E" if lon >= 0 else "W", 4: dms(lon)}
    entries |= {int(tag[1:]): value for tag, value in more.items()}
    return {tag: value for tag, value in entries.items() if value is not None}


def photo_bytes(gps=None, times=None, suffix=".jpg", size=(8, 6), endian=None):
    exif = Image.Exif()
    exif.endian = endian
    for directory, entries in ((0x8769, times), (0x8825, gps)):
        if entries:
            exif.get_ifd(directory).update(entries)
    file = io.BytesIO()
    Image.new("RGB", size, "#808080").save(file, FORMATS[suffix], exif=exif.tobytes() if gps or times else b"")
    return file.getvalue()


def write_photo(path, lon=None, lat=None, time=None, **more):
    """A photo at a position and time ("2020:01:02 03:04:05"), or without them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gps = None if lon is None else gps_of(lon, lat, **more)
    path.write_bytes(photo_bytes(gps, {TAKEN: time} if time else None, path.suffix.lower()))
    return path
