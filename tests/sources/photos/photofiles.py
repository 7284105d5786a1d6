"""Small photos with EXIF as cameras write it, made with Pillow."""

import io
import zlib
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


def with_xmp(suffix, packet, size=(8, 6), gps=None, times=None):
    """A photo with an XMP packet as Pillow or, for PNG, other programs write it."""
    data = photo_bytes(gps, times, suffix, size)
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {packet}/></x:xmpmeta>'.encode()
    if suffix == ".jpg":
        segment = b"http://ns.adobe.com/xap/1.0/\0" + packet
        return data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]
    if suffix == ".png":
        text = b"XML:com.adobe.xmp\0\0\0\0\0" + packet
        chunk = len(text).to_bytes(4, "big") + b"iTXt" + text + zlib.crc32(b"iTXt" + text).to_bytes(4, "big")
        return data[:33] + chunk + data[33:]
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).save(file, "WEBP", xmp=packet, exif=Image.open(io.BytesIO(data)).getexif())
    return file.getvalue()


def write_photo(path, lon=None, lat=None, time=None, **more):
    """A photo at a position and time ("2020:01:02 03:04:05"), or without them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    gps = None if lon is None else gps_of(lon, lat, **more)
    path.write_bytes(photo_bytes(gps, {TAKEN: time} if time else None, path.suffix.lower()))
    return path
