"""Decodes a photo to upright RGB pixels in bounded memory, or gives the reason why it cannot be used."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from geolive.errors import InputError
from geolive.remote_paths import inside
from geolive.sources.photos.exif import check_sizes, read_orientation
from geolive.sources.photos.image_files import ImageFile, UnusableImageError, check_pixels, open_image, open_plain
from geolive.storage.listing import read_object

# a JPEG is decoded at 1/2, 1/4 or 1/8 of its size if its sides then still have this many times the pixels needed: photos of
# 4000 × 3000 then take a fifth of the time, and pixels differ by less than 1 of 255 on average; the decoder of torchvision has
# no reduced sizes (benchmarks/decoding.py)
SPARE = 1.5
# memory for decoding one photo
MOST_MEMORY = 512_000_000
_MOST_FILE_BYTES = 256_000_000
_SMALLEST_SIDE = 32
# real photos have about ten scans; a scan costs an attacker a few bytes and the decoder a pass over the image
_MOST_SCANS = 200
_PANORAMA_MARK, _HEAD_BYTES = b"equirectangular", 1 << 18
_TRANSPOSED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# bytes per pixel during the conversion to RGB; any other mode takes 4, and 4 more as RGB
_PIXEL_BYTES = {"L": 1, "1": 2, "RGB": 4, "CMYK": 4, "P": 5, "I;16": 6, "I;16B": 6}
_WIDE_GREY = ("I;16", "I;16L", "I;16B", "I;16N")
_READ_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", *_WIDE_GREY)
_PLUGINS = {"JPEG": "JPEG", "progressive JPEG": "JPEG", "PNG": "PNG", "WebP": "WEBP", "TIFF": "TIFF"}
PANORAMA_VIEWS = 4


def read_views(
    root: Path, img_path: str, shorter: int, panorama: bool | None = None, address: str | None = None
) -> list[Image.Image]:
    """Read the views of a photo: the photo itself, or four views of a panorama.

    Parameters
    ----------
    root : Path
        The folder that holds the photos.
    img_path : str
        The photo's path within that folder.
    shorter : int
        Number of pixels that the shorter side of a view needs; it has about that many or more, if the file has them.
    panorama : bool, optional
        Whether the photo shows the whole sphere, twice as wide as high; None lets the file decide.
    address : str, optional
        Folder in object storage that holds the photos which `root` lacks.

    Returns
    -------
    list of Image
        RGB images, turned upright by the EXIF orientation. An animation gives its first picture. A panorama gives four views of
        90° each, from 45° below the horizon to 45° above it.

    Raises
    ------
    UnusableImageError
        The path leads out of the folder, the file is missing, is no image, is damaged, cut short or too small, or would take
        more than 512 MB to decode.

    Examples
    --------
    >>> read_views(Path("photos"), "../secret.jpg", 224)
    Traceback (most recent call last):
    geolive.sources.photos.image_files.UnusableImageError: a path that leads out of the folder of photos
    """
    with _open_photo(root, img_path, address) as file:
        image_file = open_image(file)
        check_sizes(image_file.exif)
        declared = panorama
        if panorama is None:
            panorama = _says_panorama(file)
        # a view is half as high as the panorama
        needed = shorter * (2 if panorama else 1)
        try:
            image = _decode(file, image_file, round(needed * SPARE))
        except (UnusableImageError, KeyboardInterrupt):
            raise
        except Exception as error:  # Pillow has many errors for damaged bytes
            raise UnusableImageError(_reason(error)) from None
        # Pillow turns TIFF itself
        turned = 1 if image_file.kind == "TIFF" else read_orientation(image_file.exif)
    if turned in _TRANSPOSED:
        image = image.transpose(_TRANSPOSED[turned])
    # a word in a flat photo's metadata makes no panorama
    if declared is None and not _whole_sphere(image):
        return [image]
    return _cut_panorama(image) if panorama else [image]


@contextlib.contextmanager
def _open_photo(root: Path, img_path: str, address: str | None) -> Iterator[BinaryIO]:
    path = _path_within(root, img_path)
    if address is None or path.exists():
        with open_plain(path) as file:
            yield file
        return
    try:
        content = read_object(
            inside(address, path.relative_to(root.resolve()).as_posix()), most_bytes=_MOST_FILE_BYTES + 1
        )
    except InputError as error:
        cause = str(error).removeprefix(f"{address}/")
        raise UnusableImageError(f"cannot be read ({cause.partition(': ')[2] or cause})") from None
    assert content is not None
    yield io.BytesIO(content)


def _path_within(root: Path, img_path: str) -> Path:
    if "\0" in img_path:
        raise UnusableImageError("a path that cannot be one")
    root = root.resolve()
    try:
        path = (root / img_path).resolve()
    except (OSError, RuntimeError):
        raise UnusableImageError("a link to nothing") from None
    if not path.is_relative_to(root):
        raise UnusableImageError("a path that leads out of the folder of photos")
    return path


def _says_panorama(file: BinaryIO) -> bool:
    file.seek(0)
    return _PANORAMA_MARK in file.read(_HEAD_BYTES)


def _decode(file: BinaryIO, image_file: ImageFile, needed: int) -> Image.Image:
    data = _checked_bytes(file, image_file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sizes are checked below, and metadata is not used
        with Image.open(data, formats=[_PLUGINS[image_file.kind]]) as image:
            check_pixels(*image.size)
            if min(image.size) < _SMALLEST_SIDE:
                raise UnusableImageError(f"too small: {image.width} × {image.height} pixels")
            size = image.size
            if image_file.kind.endswith("JPEG"):
                scale = max(1, min(image.size) // needed)
                image.draft(None, (image.width // scale, image.height // scale))
            _check_memory(image, size, image_file.kind)
            image.load()
            return _rgb(image, needed)


def _checked_bytes(file: BinaryIO, image_file: ImageFile) -> BinaryIO:
    size = file.seek(0, io.SEEK_END)
    if size > _MOST_FILE_BYTES:
        raise UnusableImageError(f"too large: over {_MOST_FILE_BYTES:,} bytes")
    file.seek(0)
    if image_file.kind == "progressive JPEG":
        if file.read().count(b"\xff\xda") > _MOST_SCANS:
            raise UnusableImageError(f"damaged: a JPEG of over {_MOST_SCANS} scans")
        file.seek(0)
    return file


def _check_memory(image: Image.Image, full: tuple[int, int], kind: str) -> None:
    """Raise UnusableImageError where decoding would take too much memory; the sizes are known before it starts."""
    kept, pixels = image.width * image.height, full[0] * full[1]
    needed = kept * _PIXEL_BYTES.get(image.mode, 8)
    if kind == "progressive JPEG":
        needed += pixels * 2 * max(1, getattr(image, "layers", 3))  # all coefficients of all components
    elif kind == "WebP":
        needed += pixels * 12  # the decoder's canvas, that of the former picture, and a copy
    elif kind == "TIFF":
        needed += pixels * 4  # one strip may be the whole image
    if needed > MOST_MEMORY:
        raise UnusableImageError(
            f"too large: {full[0]:,} × {full[1]:,} pixels of a {kind} would take {needed / 1e6:,.0f} MB to decode"
        )


def _rgb(image: Image.Image, needed: int) -> Image.Image:
    """Convert to RGB, and shrink by a whole number where there are many more pixels than needed."""
    if image.mode not in _READ_MODES:
        raise UnusableImageError(f"pixels of a kind that is not read ({image.mode}); convert it to JPEG, with its EXIF")
    if image.mode in _WIDE_GREY:
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode == "1":
        image = image.convert("L")
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    factor = min(image.size) // needed
    image = image.reduce(factor) if factor > 1 else image
    return image if image.mode == "RGB" else image.convert("RGB")


def _whole_sphere(image: Image.Image) -> bool:
    return abs(image.width / image.height - 2) < 0.02


def _cut_panorama(image: Image.Image) -> list[Image.Image]:
    """Cut the views out of an equirectangular panorama, whose rows and columns are degrees."""
    width, height = image.size
    if not _whole_sphere(image):
        raise UnusableImageError(
            f"a panorama of {width} × {height} pixels, not twice as wide as high; cut views out of it"
        )
    edges = [round(i * width / PANORAMA_VIEWS) for i in range(PANORAMA_VIEWS + 1)]
    return [image.crop((left, height // 4, right, height - height // 4)) for left, right in pairwise(edges)]


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "too large: there was not enough memory"
    said = " ".join(str(error).split())
    return "cut short" if "truncated" in said.lower() else f"damaged: it cannot be decoded ({said[:120]})"
