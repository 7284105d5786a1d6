"""Finds the EXIF block, the XMP packet and the size in pixels of a JPEG, PNG, WebP or TIFF file.

The module decodes no pixels and copies no block, so neither a large file nor a malicious one uses much memory. (Pillow
decodes the pixels of a PNG to look for EXIF, and reads a WebP file whole. It also copies the bytes of every entry of an EXIF
directory, even where many entries point to the same bytes.)
"""

import contextlib
import os
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 1_000_000_000
# Pillow refuses to decode more pixels; the reader rejects such a photo, so that later steps do not fail on it
MOST_PIXELS = 178_956_970
_MOST_CHUNKS = 100_000
_SCAN_BYTES = 1 << 20
# what comes before the XMP packet: in a JPEG segment, and in an uncompressed chunk of text of a PNG
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_XMP = b"XML:com.adobe.xmp\0\0\0\0\0"


class UnusableImageError(Exception):
    """A photo cannot be used; the message is the reason, for the list of rejects."""


@dataclass(frozen=True)
class Block:
    """The bytes of a file from `start` to `start + size`; they hold a TIFF structure, which is the format of EXIF.

    Examples
    --------
    >>> import io
    >>> Block(io.BytesIO(b"..II*."), 2, 3).read(0, 2)
    b'II'
    """

    file: BinaryIO
    start: int
    size: int

    def read(self, offset: int, size: int) -> bytes:
        """Read a number of bytes from an offset within the block.

        Raises
        ------
        UnusableImageError
            The bytes lie outside the block.
        """
        if offset + size > self.size:
            raise UnusableImageError("damaged: its EXIF points outside itself")
        return _read(self.file, self.start + offset, size)


@dataclass(frozen=True)
class ImageFile:
    """The size of an image, its EXIF block and XMP packet, and its kind.

    Parameters
    ----------
    width, height : int
        In pixels; 0 for a TIFF file, whose size is in its EXIF block.
    exif : Block or None
        None where the file has no EXIF.
    kind : str
        For example "JPEG" or "progressive JPEG".
    xmp : Block or None
        The bytes of the XMP packet; None where the file has none, or keeps it compressed or in parts.
    """

    width: int
    height: int
    exif: Block | None
    kind: str
    xmp: Block | None = None


@contextlib.contextmanager
def open_plain(path: Path) -> Iterator[BinaryIO]:
    """Open a plain file for reading.

    Raises
    ------
    UnusableImageError
        The file cannot be read, or it is not a plain file (for example a pipe).

    Examples
    --------
    >>> with open_plain(Path("no/such/photo.jpg")):
    ...     pass
    Traceback (most recent call last):
    geolive.sources.photos.image_files.UnusableImageError: cannot be read (No such file or directory)
    """
    try:
        # checked first, because opening a pipe waits until another program writes to it
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnusableImageError("not a plain file")
        with path.open("rb") as opened:
            yield opened
    except OSError as error:
        raise UnusableImageError(f"cannot be read ({error.strerror})") from None


def open_image(file: BinaryIO) -> ImageFile:
    """Find the size and the EXIF block of an image; its content decides the format, not its name.

    Parameters
    ----------
    file : binary file
        It is open for reading and seekable.

    Returns
    -------
    ImageFile
        Its block can be read while `file` is open.

    Raises
    ------
    UnusableImageError
        The file is not an image of a known kind, or it is cut short, damaged or too large.

    Examples
    --------
    >>> import io
    >>> open_image(io.BytesIO(b"<html>sign in</html>"))
    Traceback (most recent call last):
    geolive.sources.photos.image_files.UnusableImageError: not an image: neither JPEG, PNG, WebP nor TIFF
    """
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        raise UnusableImageError("empty file")
    if size > MOST_BYTES:
        raise UnusableImageError(f"too large: over {MOST_BYTES:,} bytes")
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"\xff\xd8\xff"):
        image = _jpeg(file, size)
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        image = _png(file, size)
    elif head[:4] == b"RIFF" and head[8:] == b"WEBP":
        image = _webp(file, size, int.from_bytes(head[4:8], "little") + 8)
    elif head[:4] in (b"II*\0", b"MM\0*"):
        image = ImageFile(0, 0, Block(file, 0, size), "TIFF")
    else:
        raise UnusableImageError("not an image: neither JPEG, PNG, WebP nor TIFF")
    check_pixels(image.width, image.height)
    return image


def check_pixels(width: float, height: float) -> None:
    """Raise where an image has more pixels than later steps can decode.

    Raises
    ------
    UnusableImageError
        The image has more than `MOST_PIXELS` pixels.

    Examples
    --------
    >>> check_pixels(1024, 768)
    """
    if width * height > MOST_PIXELS:
        raise UnusableImageError(f"too large: over {MOST_PIXELS:,} pixels")


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    data = file.read(size)
    if len(data) < size:
        raise UnusableImageError("cut short")
    return data


def _jpeg(file: BinaryIO, size: int) -> ImageFile:
    pixels: tuple[int, int] | None = None
    exif: Block | None = None
    xmp: Block | None = None
    at, kind = 2, "JPEG"
    for _ in range(_MOST_CHUNKS):
        start, marker = _read(file, at, 2)
        if start != 0xFF:
            raise UnusableImageError("damaged: a JPEG marker is missing")
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers without a length
            at += 2
            continue
        if marker in (0xD9, 0xDA):
            break
        length = int.from_bytes(_read(file, at + 2, 2), "big")
        if length < 2:
            raise UnusableImageError("damaged: a JPEG segment of impossible length")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", _read(file, at + 5, 4))
            pixels, kind = (width, height), "JPEG" if marker in (0xC0, 0xC1) else "progressive JPEG"
        if marker == 0xE1 and exif is None and length >= 8 and _read(file, at + 4, 6) == b"Exif\0\0":
            exif = Block(file, at + 10, length - 8)
        named = len(_JPEG_XMP)
        if marker == 0xE1 and xmp is None and length >= 2 + named and _read(file, at + 4, named) == _JPEG_XMP:
            xmp = Block(file, at + 4 + named, length - 2 - named)
        at += 2 + length
    if pixels is None:
        raise UnusableImageError("damaged: a JPEG without an image")
    if not _ends(file, at, size):
        raise UnusableImageError("cut short")
    return ImageFile(*pixels, exif, kind, xmp)


def _ends(file: BinaryIO, at: int, size: int) -> bool:
    """Return whether a JPEG has its end marker; some cameras write other data after it."""
    if _read(file, size - 2, 2) == b"\xff\xd9":
        return True
    file.seek(at)
    last = b""
    while piece := file.read(_SCAN_BYTES):
        if b"\xff\xd9" in last + piece:
            return True
        last = piece[-1:]
    return False


def _png(file: BinaryIO, size: int) -> ImageFile:
    exif: Block | None = None
    xmp: Block | None = None
    at = 8
    width, height = struct.unpack(">II", _read(file, 16, 8))
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack(">I4s", _read(file, at, 8))
        if at + 12 + length > size:
            raise UnusableImageError("cut short")
        if kind == b"IEND":
            return ImageFile(width, height, exif, "PNG", xmp)
        if kind == b"eXIf":
            exif = Block(file, at + 8, length)
        named = len(_PNG_XMP)
        if kind == b"iTXt" and length > named and _read(file, at + 8, named) == _PNG_XMP:
            xmp = Block(file, at + 8 + named, length - named)
        at += 12 + length
    raise UnusableImageError("damaged: a PNG with too many chunks")


def _webp(file: BinaryIO, size: int, end: int) -> ImageFile:
    if end > size:
        raise UnusableImageError("cut short")
    pixels: tuple[int, int] | None = None
    exif: Block | None = None
    xmp: Block | None = None
    at = 12
    for _ in range(_MOST_CHUNKS):
        if at + 8 > end:
            break
        kind, length = struct.unpack("<4sI", _read(file, at, 8))
        if at + 8 + length > end:
            raise UnusableImageError("cut short")
        if kind in _WEBP_PIXELS and pixels is None and length >= 10:
            pixels = _WEBP_PIXELS[kind](_read(file, at + 8, 10))
        if kind == b"EXIF":
            # some programs write the six bytes that only JPEG needs
            skipped = 6 if length >= 6 and _read(file, at + 8, 6) == b"Exif\0\0" else 0
            exif = Block(file, at + 8 + skipped, length - skipped)
        if kind == b"XMP ":
            xmp = Block(file, at + 8, length)
        at += 8 + length + length % 2
    if pixels is None:
        raise UnusableImageError("damaged: a WebP without an image")
    return ImageFile(*pixels, exif, "WebP", xmp)


def _bits(data: bytes, width_at: int, height_at: int, count: int) -> tuple[int, int]:
    """Read width and height, numbers of `count` bits, from two offsets in bits."""
    number, mask = int.from_bytes(data, "little"), (1 << count) - 1
    return (number >> width_at) & mask, (number >> height_at) & mask


def _plus_one(pixels: tuple[int, int]) -> tuple[int, int]:
    return pixels[0] + 1, pixels[1] + 1


# by the kind of the chunk; VP8X and VP8L store width and height minus one
_WEBP_PIXELS: dict[bytes, Callable[[bytes], tuple[int, int]]] = {
    b"VP8X": lambda data: _plus_one(_bits(data, 32, 56, 24)),
    b"VP8L": lambda data: _plus_one(_bits(data, 8, 22, 14)),
    b"VP8 ": lambda data: _bits(data, 48, 64, 14),
}
