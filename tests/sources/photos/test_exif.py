"""Position, time and heading from what a file holds; Pillow, which writes the photos, is the other opinion on valid ones."""

import datetime
import io
import math
import struct

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from geolive.sources.photos.exif import PhotoFacts, read_facts
from geolive.sources.photos.image_files import MOST_PIXELS, Block, UnusableImageError, open_image
from geolive.sources.photos.xmp import read_xmp
from tests.sources.photos.photofiles import (
    DIGITISED,
    FORMATS,
    PART,
    TAKEN,
    ZONE,
    dms,
    gps_of,
    photo_bytes,
    rational,
    with_xmp,
)

PATNA = gps_of(85.1, 25.6)


def facts(data: bytes) -> PhotoFacts:
    return read_facts(open_image(io.BytesIO(data)).exif)


def reason(data: bytes) -> str:
    with pytest.raises(UnusableImageError) as caught:
        facts(data)
    return str(caught.value)


def utc(*parts):
    return datetime.datetime(*parts)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_kind_of_file(suffix):
    found = facts(photo_bytes(gps_of(-70.25, -33.5, _17=rational(271.5)), {TAKEN: "2020:01:02 03:04:05"}, suffix))
    assert (found.lon, found.lat) == pytest.approx((-70.25, -33.5), abs=1e-7)
    assert found.compass_angle == 271.5
    assert (found.time, found.zone) == (utc(2020, 1, 2, 3, 4, 5), "unknown")


@settings(deadline=None, max_examples=60)
@given(st.floats(-180, 180), st.floats(-90, 90), st.sampled_from(sorted(FORMATS)))
def test_positions_in_all_hemispheres(lon, lat, suffix):
    assume(abs(lon) > 0.001 or abs(lat) > 0.001)
    found = facts(photo_bytes(gps_of(lon, lat), suffix=suffix))
    assert (found.lon, found.lat) == pytest.approx((lon, lat), abs=1e-6)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("endian", "<>")
def test_both_byte_orders(suffix, endian):
    assert facts(photo_bytes(PATNA, suffix=suffix, endian=endian)).lat == pytest.approx(25.6)


def test_sizes_agree_with_pillow():
    for suffix in (".jpg", ".png", ".webp"):
        data = photo_bytes(PATNA, suffix=suffix, size=(37, 21))
        found = open_image(io.BytesIO(data))
        assert (found.width, found.height) == Image.open(io.BytesIO(data)).size
    assert MOST_PIXELS == 2 * Image.MAX_IMAGE_PIXELS  # from there on Pillow raises


@pytest.mark.parametrize(
    ("gps", "expected"),
    [
        (None, "no GPS in its EXIF"),
        (gps_of(85.1, 25.6, _2=None, _4=None), "no GPS in its EXIF"),
        (gps_of(85.1, 25.6, _2=None), "make no sense"),
        (gps_of(85.1, 25.6, _1=None), "its hemisphere is missing"),
        (gps_of(85.1, 25.6, _3=None), "its hemisphere is missing"),
        (gps_of(85.1, 25.6, _3="X"), "its hemisphere is missing"),
        (gps_of(0.0, 0.0), "0, 0"),
        (gps_of(85.1, 25.6, _2=(rational((0, 0)),) * 3), "make no sense"),
        (gps_of(85.1, 25.6, _2=(rational(25), rational(36), rational((5, 0)))), "make no sense"),
        (gps_of(85.1, 25.6, _2=(rational(25), rational(61), rational(0))), "make no sense"),
        (gps_of(85.1, 25.6, _2=dms(91)), "out of range"),
        (gps_of(85.1, 25.6, _4=dms(180.5)), "out of range"),
    ],
)
def test_unusable_positions_are_told_apart(gps, expected):
    data = photo_bytes(gps, {TAKEN: "2020:01:02 03:04:05"})
    assert expected in reason(data)
    assert reason(data).startswith("no position: ")


def test_positions_that_cameras_write_in_their_own_ways():
    whole = (rational(25), rational(36), rational(0))
    assert facts(photo_bytes(gps_of(85.1, 25.6, _2=whole[:2]))).lat == pytest.approx(25.6)  # no seconds
    assert facts(photo_bytes(gps_of(85.1, 25.6, _1="s", _2=whole))).lat == pytest.approx(-25.6)
    assert facts(photo_bytes(gps_of(0.0, 51.5))).lon == 0  # on the meridian of Greenwich
    assert facts(photo_bytes(gps_of(9.5, 0.0))).lat == 0  # on the equator


@pytest.mark.parametrize(
    ("times", "gps", "expected", "zone"),
    [
        ({}, {}, None, None),
        ({TAKEN: "2020:01:02 03:04:05"}, {}, utc(2020, 1, 2, 3, 4, 5), "unknown"),
        ({TAKEN: "2020-01-02T03:04:05"}, {}, utc(2020, 1, 2, 3, 4, 5), "unknown"),
        ({TAKEN: "2020:01:02 03:04:05", PART: "25"}, {}, utc(2020, 1, 2, 3, 4, 5, 250_000), "unknown"),
        ({TAKEN: "2020:01:02 03:04:05", PART: "  "}, {}, utc(2020, 1, 2, 3, 4, 5), "unknown"),
        ({TAKEN: "2020:01:02 03:04:05", ZONE: "+05:30"}, {}, utc(2020, 1, 1, 21, 34, 5), "UTC"),
        ({TAKEN: "2020:01:02 03:04:05", ZONE: "-03:00"}, {}, utc(2020, 1, 2, 6, 4, 5), "UTC"),
        ({TAKEN: "2020:01:02 03:04:05", ZONE: "+00:00"}, {}, utc(2020, 1, 2, 3, 4, 5), "UTC"),
        ({TAKEN: "2020:01:02 03:04:05", ZONE: "+99:00"}, {}, utc(2020, 1, 2, 3, 4, 5), "unknown"),
        ({DIGITISED: "2020:01:02 03:04:05"}, {}, utc(2020, 1, 2, 3, 4, 5), "unknown"),
        ({TAKEN: "0000:00:00 00:00:00"}, {}, None, None),
        ({TAKEN: "2020:13:45 99:99:99"}, {}, None, None),
        ({TAKEN: "9999:01:01 00:00:00"}, {}, None, None),
        ({TAKEN: "yesterday"}, {}, None, None),
        # satellites alone, and satellites that tell the zone of the camera's clock
        ({}, {7: (3, 4, 5.5), 29: "2020:01:02"}, utc(2020, 1, 2, 3, 4, 5, 500_000), "UTC"),
        ({TAKEN: "2020:01:02 08:34:07", PART: "5"}, {7: (3, 4, 5), 29: "2020:01:02"}, utc(2020, 1, 2, 3, 4, 7, 500_000), "UTC"),
        ({TAKEN: "2000:01:01 00:00:00"}, {7: (3, 4, 5), 29: "2020:01:02"}, utc(2020, 1, 2, 3, 4, 5), "UTC"),
        # receivers without a fix, and those that count weeks anew, know the date less well than the camera
        ({TAKEN: "2020:01:02 03:04:05"}, {7: (0, 0, 0), 29: "1970:01:01"}, utc(2020, 1, 2, 3, 4, 5), "unknown"),
        ({TAKEN: "2020:01:02 03:04:05"}, {7: (0, 0, 0), 29: "1980:01:06"}, utc(2020, 1, 2, 3, 4, 5), "unknown"),
        ({TAKEN: "2020:01:02 03:04:05"}, {7: (3, 4, 5), 29: "2000:05:18"}, utc(2020, 1, 2, 3, 4, 5), "unknown"),
        ({TAKEN: "2020:01:02 03:04:05"}, {7: (3, 4, 5), 29: "2190:01:01"}, utc(2020, 1, 2, 3, 4, 5), "unknown"),
        ({}, {7: (0, 0, 0), 29: "1970:01:01"}, None, None),
        ({TAKEN: "2020:01:02 10:11:12 PM"}, {}, utc(2020, 1, 2, 22, 11, 12), "unknown"),
        ({TAKEN: "2020:01:02 12:11:12 am"}, {}, utc(2020, 1, 2, 0, 11, 12), "unknown"),
        ({TAKEN: "2020:01:02 12:11:12 p.m."}, {}, utc(2020, 1, 2, 12, 11, 12), "unknown"),
        ({TAKEN: "2020:01:02 03:04:05", ZONE: "Z"}, {}, utc(2020, 1, 2, 3, 4, 5), "UTC"),
        ({TAKEN: "2020:01:02 03:04:05", ZONE: "+5:30"}, {}, utc(2020, 1, 1, 21, 34, 5), "UTC"),
        ({}, {7: (3, 4, 5)}, None, None),
        ({}, {29: "2020:01:02"}, None, None),
        ({}, {7: (25, 4, 5), 29: "2020:01:02"}, None, None),
        ({}, {7: ((0, 0), 4, 5), 29: "2020:01:02"}, None, None),
    ],
)  # fmt: skip
def test_times(times, gps, expected, zone):
    more = {tag: tuple(map(rational, value)) if isinstance(value, tuple) else value for tag, value in gps.items()}
    found = facts(photo_bytes(PATNA | more, times))
    assert (found.time, found.zone) == (expected, zone)


@pytest.mark.parametrize(
    ("angle", "expected"), [(0, 0), (360, 0), (359.25, 359.25), (361, math.nan), ((1, 0), math.nan)]
)
def test_headings(angle, expected):
    assert facts(photo_bytes(PATNA | {17: rational(angle)})).compass_angle == pytest.approx(expected, nan_ok=True)


def test_files_that_are_no_photos():
    good = photo_bytes(PATNA)
    assert reason(b"") == "empty file"
    assert reason(b"<!DOCTYPE html><html>please sign in</html>").startswith("not an image")
    assert reason(b"GIF89a" + bytes(100)).startswith("not an image")
    assert reason(b"\xff\xd8\xff").startswith("cut short")
    assert reason(good[:-2]) == "cut short"
    assert reason(photo_bytes(PATNA, suffix=".png")[:-20]) == "cut short"
    assert reason(photo_bytes(PATNA, suffix=".webp")[:-20]) == "cut short"
    assert facts(good + b"what the camera writes after the photo").lat == pytest.approx(25.6)


def test_images_with_too_many_pixels_for_any_later_step():
    png = bytearray(photo_bytes(PATNA, suffix=".png"))
    png[16:24] = struct.pack(">II", 100_000, 100_000)
    assert reason(bytes(png)).startswith("too large: over 178,956,970 pixels")


class Counted(io.BytesIO):
    """A file that counts the bytes read from it."""

    n_read = 0

    def read(self, size=-1):
        found = super().read(size)
        self.n_read += len(found)
        return found


def test_entries_that_all_point_to_the_same_bytes_cost_nothing():
    """Each of 60,000 entries claims the same 100 kB: a reader that copies them all needs 6 GB."""
    entries = b"".join(struct.pack("<HHII", 0x1000 + i % 0x7000, 7, 100_000, 8) for i in range(60_000))
    at = 8 + 100_000
    tiff = b"II*\0" + struct.pack("<I", at) + bytes(100_000) + struct.pack("<H", 60_000) + entries + bytes(4)
    file = Counted(tiff)
    with pytest.raises(UnusableImageError, match="no GPS"):
        read_facts(open_image(file).exif)
    assert file.n_read < 2 * len(tiff)


def test_only_the_header_of_a_large_photo_is_read():
    data = photo_bytes(PATNA)
    file = Counted(data[:-2] + bytes(5_000_000) + b"\xff\xd9")
    assert read_facts(open_image(file).exif).lat == pytest.approx(25.6)
    assert file.n_read < 10_000


def is_a_row_or_a_reject(data: bytes) -> bool:
    try:
        found = facts(data)
    except UnusableImageError as error:
        return bool(str(error))
    return (
        -180 <= found.lon <= 180
        and -90 <= found.lat <= 90
        and (math.isnan(found.compass_angle) or 0 <= found.compass_angle < 360)
        and (found.time is None) == (found.zone is None)
    )


heads = st.sampled_from(
    [b"", b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"RIFF\x20\0\0\0WEBP", b"II*\0", b"MM\0*", b"II*\0\x08\0\0\0"]
)


@settings(deadline=None, max_examples=300)
@given(heads, st.binary(max_size=400))
def test_any_bytes_give_a_row_or_a_reject(head, rest):
    assert is_a_row_or_a_reject(head + rest)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([photo_bytes(PATNA, {TAKEN: "2020:01:02 03:04:05"}, suffix) for suffix in FORMATS]),
    st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=8)), max_size=6),
    st.integers(0, 2000),
)
def test_damaged_photos_give_a_row_or_a_reject(data, damages, cut):
    damaged = bytearray(data)
    for at, piece in damages:
        damaged[at : at + len(piece)] = piece
    assert is_a_row_or_a_reject(bytes(damaged[: len(damaged) - cut % 3 * (cut // 3)]))


whole_numbers = st.integers(0, 2**32 - 1)
values = st.one_of(
    st.lists(st.tuples(whole_numbers, whole_numbers), max_size=4).map(
        lambda pairs: (10 if len(pairs) % 2 else 5, pairs)
    ),
    st.binary(max_size=40).map(lambda data: (2, data)),
    st.lists(whole_numbers, max_size=9).map(lambda numbers: (4, numbers)),
    st.lists(st.floats(width=64), max_size=4).map(lambda numbers: (12, numbers)),
)


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(st.sampled_from([1, 2, 3, 4, 7, 17, 29]), values),
    st.dictionaries(st.sampled_from([TAKEN, PART, ZONE]), values),
)
def test_any_values_of_any_type_give_a_row_or_a_reject(gps, times):
    assert is_a_row_or_a_reject(tiff_of(gps, times))


def tiff_of(gps, times) -> bytes:
    """A TIFF with these entries, each a type and its values, sensible or not."""
    packed = {2: bytes, 4: lambda v: struct.pack(f"<{len(v)}I", *v), 12: lambda v: struct.pack(f"<{len(v)}d", *v)}
    pairs = dict.fromkeys((5, 10), lambda v: b"".join(struct.pack("<II", *pair) for pair in v))

    def directory(entries: dict, at: int) -> bytes:
        table, data, after = b"", b"", at + 6 + 12 * len(entries)
        for tag, (kind, value) in sorted(entries.items()):
            body = (packed | pairs)[kind](value)
            place = body.ljust(4, b"\0") if len(body) <= 4 else struct.pack("<I", after + len(data))
            data += body if len(body) > 4 else b""
            table += struct.pack("<HHI", tag, kind, len(value)) + place
        return struct.pack("<H", len(entries)) + table + bytes(4) + data

    first_at = 8 + len(directory({0x8769: (4, [0]), 0x8825: (4, [0])}, 8))
    one = directory(gps, first_at)
    two = directory(times, first_at + len(one))
    main = directory({0x8769: (4, [first_at + len(one)]), 0x8825: (4, [first_at])}, 8)
    return b"II*\0" + struct.pack("<I", 8) + main + one + two


def test_the_maker_of_arbitrary_values_can_make_a_sensible_photo():
    found = facts(tiff_of({1: (2, b"N\0"), 2: (5, [(25, 1), (36, 1), (0, 1)]), 3: (2, b"E\0"), 4: (5, [(85, 1), (6, 1)])},
                          {TAKEN: (2, b"2020:01:02 03:04:05\0")}))  # fmt: skip
    assert (found.lon, found.lat, found.time.year) == (pytest.approx(85.1), pytest.approx(25.6), 2020)


def xmp_facts(data):
    image = open_image(io.BytesIO(data))
    return read_facts(image.exif, read_xmp(image.xmp))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_position_in_xmp_alone(suffix):
    packet = (
        'exif:GPSLatitude="33,30,0S" exif:GPSLongitude="70,15.0W" exif:DateTimeOriginal="2020-01-02T03:04:05+05:30"'
    )
    found = xmp_facts(with_xmp(suffix, packet))
    assert (found.lon, found.lat) == pytest.approx((-70.25, -33.5))
    assert (found.time, found.zone, found.is_pano) == (utc(2020, 1, 1, 21, 34, 5), "UTC", False)


def test_exif_comes_before_xmp():
    packet = 'exif:GPSLatitude="33,30,0S" exif:GPSLongitude="70,15.0W" exif:GPSImgDirection="181/2"'
    found = xmp_facts(with_xmp(".jpg", packet, gps=PATNA, times={TAKEN: "2020:01:02 03:04:05"}))
    assert (found.lon, found.lat) == pytest.approx((85.1, 25.6))
    assert found.compass_angle == 90.5
    # the time of EXIF is taken where its position is missing
    found = xmp_facts(with_xmp(".jpg", packet, times={TAKEN: "2020:01:02 03:04:05"}))
    assert (found.lat, found.time) == (-33.5, utc(2020, 1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    "packet",
    [
        "",
        'exif:GPSLatitude="0,0N" exif:GPSLongitude="0,0E"',
        'exif:GPSLatitude="91,0N" exif:GPSLongitude="10,0E"',
        'exif:GPSLatitude="25,61N" exif:GPSLongitude="10,0E"',
        'exif:GPSLatitude="25,30N"',
        'exif:GPSLatitude="north" exif:GPSLongitude="east"',
    ],
)
def test_xmp_without_a_position(packet):
    with pytest.raises(UnusableImageError, match="no position"):
        xmp_facts(with_xmp(".jpg", packet))


def test_elements_and_drones():
    text = b"<exif:GPSLatitude>25,36.0N</exif:GPSLatitude><exif:GPSLongitude>85,6.0E</exif:GPSLongitude>"
    assert read_xmp(Block(io.BytesIO(text), 0, len(text))).position == pytest.approx((85.1, 25.6))
    drone = 'drone-dji:GpsLatitude="-1.25" drone-dji:GpsLongtitude="+36.75"'
    assert xmp_facts(with_xmp(".jpg", drone)).lon == 36.75


def test_panoramas_are_marked():
    packet = 'GPano:ProjectionType="equirectangular" GPano:PoseHeadingDegrees="271.5"'
    found = xmp_facts(with_xmp(".jpg", packet, size=(64, 32), gps=PATNA))
    assert (found.is_pano, found.compass_angle) == (True, 271.5)
    sides = 'GPano:FullPanoWidthPixels="400" GPano:FullPanoHeightPixels="200" GPano:CroppedAreaImageWidthPixels="100" '
    cropped = xmp_facts(with_xmp(".jpg", packet + " " + sides + 'GPano:CroppedAreaImageHeightPixels="50"', gps=PATNA))
    assert not cropped.is_pano


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_packet_is_read(data):
    read_xmp(Block(io.BytesIO(data), 0, len(data)))
