"""Photos of every kind, honest and hostile: upright pixels, or a reason. Speed and accuracy are not tested here."""

import io
import json
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from geolive.sources.photos.image_files import UnusableImageError
from geolive.vision.decoding import MOST_MEMORY, read_views
from tests.commands import ROOT
from tests.vision.photofolder import encoded, picture


def views_of(folder, content, shorter=48, name="photo.jpg", panorama=None):
    (folder / name).write_bytes(content)
    return read_views(folder, name, shorter, panorama)


def difference(image, other):
    return np.abs(np.asarray(image, float) - np.asarray(other.convert("RGB"), float)).mean()


def test_what_is_read_is_rgb_of_the_photo(tmp_path):
    photo = picture()
    kinds = {
        "JPEG": encoded(photo, quality=95),
        "progressive JPEG": encoded(photo, quality=95, progressive=True),
        "PNG named .jpg": encoded(photo, "PNG"),
        "palette": encoded(photo.quantize(), "PNG"),
        "alpha": encoded(photo.convert("RGBA"), "PNG"),
        "WebP": encoded(photo, "WEBP", lossless=True),
        "TIFF": encoded(photo, "TIFF"),
        "CMYK": encoded(photo.convert("CMYK"), quality=95),
    }
    for kind, content in kinds.items():
        (view,) = views_of(tmp_path, content)
        assert (view.mode, view.size) == ("RGB", photo.size), kind
        assert difference(view, photo) < 6, kind


def test_grey_one_bit_and_sixteen_bits(tmp_path):
    grey = picture().convert("L")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    for content in (encoded(grey, "PNG"), encoded(grey, quality=95), encoded(wide, "PNG"), encoded(wide, "TIFF")):
        assert difference(views_of(tmp_path, content)[0], grey) < 2
    black_and_white = grey.convert("1")
    assert difference(views_of(tmp_path, encoded(black_and_white, "PNG"))[0], black_and_white) == 0


def test_of_an_animation_the_first_picture(tmp_path):
    first = picture(1)
    content = encoded(first, "WEBP", save_all=True, append_images=[picture(2), picture(3)], lossless=True)
    assert difference(views_of(tmp_path, content)[0], first) < 1


@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, suffix, orientation):
    photo = picture()
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(photo, suffix, exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    (view,) = views_of(tmp_path, content)
    assert view.size == ((96, 64) if orientation < 5 else (64, 96))
    assert difference(view, expected) < 1


SIDES = st.integers(300, 1500)


@given(width=SIDES, height=SIDES, form=st.sampled_from(["JPEG", "PNG"]), shorter=st.integers(32, 200))
@settings(max_examples=15, deadline=None)
def test_large_photos_become_no_smaller_than_needed(tmp_path_factory, width, height, form, shorter):
    folder = tmp_path_factory.mktemp("photos")
    (view,) = views_of(folder, encoded(picture(size=(width, height)), form), shorter)
    assert shorter <= min(view.size) < 4 * shorter or view.size == (width, height)
    assert abs(view.width / view.height - width / height) < 0.1 * width / height


def test_views_of_a_panorama(tmp_path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    pixels = np.repeat(np.array(colours, np.uint8)[None], 200, axis=0).repeat(100, axis=1)
    mark = b"<GPano:ProjectionType>equirectangular</GPano:ProjectionType>"
    content = encoded(Image.fromarray(pixels), "JPEG", quality=95, xmp=mark)
    views = views_of(tmp_path, content)
    assert [view.size for view in views] == [(100, 100)] * 4
    for view, colour in zip(views, colours, strict=True):
        assert np.abs(np.asarray(view, float).mean(axis=(0, 1)) - colour).max() < 12
    assert len(views_of(tmp_path, content, panorama=False)) == 1
    with pytest.raises(UnusableImageError, match="not twice as wide as high"):
        views_of(tmp_path, encoded(picture()), panorama=True)


def test_a_flat_photo_with_the_word_for_panoramas_is_a_flat_photo(tmp_path):
    flat = Image.fromarray(np.zeros((300, 400, 3), np.uint8))
    (view,) = views_of(tmp_path, encoded(flat, "JPEG", xmp=b"not equirectangular"))
    assert view.width / view.height == 4 / 3


def reason(folder, content, **options):
    with pytest.raises(UnusableImageError) as caught:
        views_of(folder, content, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_used_has_a_reason(tmp_path):
    whole = encoded(picture(size=(400, 300)))
    assert reason(tmp_path, whole[: len(whole) // 2]) == "cut short"
    assert reason(tmp_path, b"<html>sign in</html>") == "not an image: neither JPEG, PNG, WebP nor TIFF"
    assert reason(tmp_path, b"") == "empty file"
    assert reason(tmp_path, encoded(picture(size=(31, 400)))) == "too small: 31 × 400 pixels"
    floats = Image.fromarray(np.zeros((64, 64), np.float32))
    assert "pixels of a kind that is not read (F)" in reason(tmp_path, encoded(floats, "TIFF"))


def test_no_path_leads_out_of_the_folder(tmp_path):
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "out.jpg").write_bytes(encoded(picture()))
    (inside / "link.jpg").symlink_to(tmp_path / "out.jpg")
    for path in ("../out.jpg", str(tmp_path / "out.jpg"), "link.jpg"):
        with pytest.raises(UnusableImageError, match="leads out of the folder"):
            read_views(inside, path, 48)
    for path, words in (("none.jpg", "cannot be read"), (".", "not a plain file"), ("a\0b", "cannot be one")):
        with pytest.raises(UnusableImageError, match=words):
            read_views(inside, path, 48)


def test_metadata_that_would_fill_the_memory_is_refused(tmp_path):
    """A TIFF of a megabyte, each of 4,000 entries of whose directory stands for all of it."""
    entries = b"".join(struct.pack("<HHII", 40_000 + i, 7, 1_000_000, 8) for i in range(4_000))
    bomb = b"II*\0" + struct.pack("<I", 1_000_008) + bytes(1_000_000) + struct.pack("<H", 4_000) + entries + bytes(4)
    assert reason(tmp_path, bomb) == "damaged: its EXIF holds more bytes than the file"


def test_a_jpeg_of_endless_scans_is_refused(tmp_path):
    content = encoded(picture(), progressive=True)
    last = content.rindex(b"\xff\xda")
    endless = content[:last] + content[last:-2] * 300 + b"\xff\xd9"
    assert "scans" in reason(tmp_path, endless)


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_bytes_give_an_image_or_a_reason(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("photos")
    content = bytearray(data.draw(st.sampled_from(DAMAGED)))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    try:
        (view,) = views_of(folder, bytes(content), panorama=False)
        assert view.mode == "RGB"
    except UnusableImageError as error:
        assert str(error)


_EXIF = Image.Exif()
_EXIF[0x0112] = 6
DAMAGED = [encoded(picture(), form, exif=_EXIF) for form in ("JPEG", "PNG", "WEBP", "TIFF")] + [
    encoded(picture(), "JPEG", progressive=True, exif=_EXIF)
]

MEASURE = """
import json, sys
from pathlib import Path
from geolive.vision.decoding import read_views
from geolive.sources.photos.image_files import UnusableImageError
# not getrusage's: a process begins with the peak of the one that started it
status = lambda: Path("/proc/self/status").read_text().split()
peak = lambda: int(status()[status().index("VmHWM:") + 1]) * 1024
before = peak()
try:
    result = read_views(Path(sys.argv[1]), sys.argv[2], 256)[0].size
except UnusableImageError as error:
    result = str(error)
print(json.dumps([result, peak() - before]))
"""


def measured(path):
    command = [sys.executable, "-c", MEASURE, str(path.parent), path.name]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_is_bounded_for_12000_by_12000_pixels(tmp_path):
    large = Image.new("L", (12_000, 12_000), 99)
    large.save(tmp_path / "grey.png")
    large.save(tmp_path / "grey.jpg", quality=50)
    large.save(tmp_path / "progressive.jpg", quality=50, progressive=True)
    del large
    # so large by what it says of itself; nothing of it is decoded
    header = b"IHDR" + struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0)
    pieces = [header, b"IDAT" + zlib.compress(bytes(1000)), b"IEND"]
    content = b"".join(struct.pack(">I", len(p) - 4) + p + struct.pack(">I", zlib.crc32(p)) for p in pieces)
    (tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    for name, most in (("grey.png", 220e6), ("grey.jpg", 60e6), ("progressive.jpg", MOST_MEMORY)):
        size, memory = measured(tmp_path / name)
        assert 384 <= size[0] == size[1] <= 1600, name
        assert 3e6 < memory < most, name
    why, memory = measured(tmp_path / "large.png")
    assert why.startswith("too large: 12,000 × 12,000 pixels of a PNG would take")
    assert memory < 60e6
