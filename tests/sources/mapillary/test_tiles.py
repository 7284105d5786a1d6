"""Tiles: which cover a place, and what is read from one; never a crash, whatever the bytes."""

import contextlib
import gzip

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.sources.imagery.area import area_of_box
from geolive.sources.imagery.tile_grid import N, tile_bounds, tile_of, tiles_covering
from geolive.sources.mapillary.tiles import TileError, read_tile
from tests.sources.mapillary.vectortiles import field, image_tile, layer, varint

# written by another program: mapbox-vector-tile 2.2.0, layers "sequence" and "image", the third image in the margin
FOREIGN = bytes.fromhex(
    "1a280a0873657175656e6365120e12020000180222060900000a14141a02696422030a017328802078021af1010a05696d6167651217120c"
    "0000010102020303040405051801220509802080101214120a0006010702080309040a180122040908f43f1213120a000b010702080309040a"
    "180122030905641a0269641a0b73657175656e63655f69641a0b63617074757265645f61741a0d636f6d706173735f616e676c651a0769735f"
    "70616e6f1a0f6f7267616e697a6174696f6e5f6964220920818080808080801022060a0461422d632207208080babbc82e2209190000000000"
    "002940220238002202204d220820949fe6daf6b37122030a017822072080b0def7d32b2209190000000000000000220238012202200528802078"
    "02"
)
X, Y = 12066, 6986


def test_a_tile_that_another_program_wrote():
    first, second = read_tile(FOREIGN, X, Y)
    west, south, east, north = tile_bounds([[X, Y]])[0]
    assert first.id == "9007199254740993"  # one more than a double can tell
    assert (first.captured_at, first.is_pano) == (1_600_000_000_000, False)
    assert first.lon == pytest.approx((west + east) / 2, abs=1e-9)
    assert first.lat == pytest.approx(north - (north - south) / 4, abs=1e-5)
    assert (second.id, second.is_pano) == ("498763468214164", True)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_tile_or_an_error(data):
    with contextlib.suppress(TileError):
        assert isinstance(read_tile(data, X, Y), list)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(FOREIGN) - 1), st.integers(0, 255), st.integers(0, len(FOREIGN)))
def test_a_damaged_tile_is_a_tile_or_an_error(at, byte, end):
    for data in (FOREIGN[:at] + bytes([byte]) + FOREIGN[at + 1 :], FOREIGN[:end]):
        with contextlib.suppress(TileError):
            assert len(read_tile(data, X, Y)) <= 3


@settings(deadline=None)  # a machine may be busy
@given(
    st.lists(
        st.tuples(
            st.integers(1, 2**63 - 1),
            st.floats(0.01, 0.99),
            st.floats(0.01, 0.99),
            st.integers(0, 2**42),
            st.booleans(),
        ),
        max_size=5,
    ),
    st.integers(0, 2**14 - 1),
    st.integers(2000, 2**14 - 2000),
)
def test_what_is_written_is_read(images, x, y):
    west, south, east, north = tile_bounds([[x, y]])[0]
    given = [(str(i), west + a * (east - west), north - d * (north - south), t, p, "s") for i, a, d, t, p in images]
    read = read_tile(image_tile(x, y, given), x, y)
    assert [(i.id, i.captured_at, i.is_pano) for i in read] == [(i[0], i[3], i[4]) for i in given]
    for image, (_, lon, lat, *_) in zip(read, given, strict=True):
        assert abs(image.lon - lon) <= (east - west) / 2048
        assert abs(image.lat - lat) <= (north - south) / 2048


def test_points_of_the_margin_and_other_layers_are_left_out():
    points = [((4095, 0), {"id": 1}), ((4096, 0), {"id": 2}), ((-1, 5), {"id": 3}), ((0, 4095), {"id": 4})]
    assert [image.id for image in read_tile(layer("image", points), X, Y)] == ["1", "4"]
    assert read_tile(layer("sequence", points), X, Y) == []
    assert [image.id for image in read_tile(layer("image", [((1, 1), {}), ((2, 2), {"id": 2**53 + 1})]), X, Y)] == [
        "9007199254740993"
    ]


@pytest.mark.parametrize("id", [2.0, True])
def test_ids_that_are_no_whole_numbers_are_an_error(id):
    with pytest.raises(TileError, match="ids"):
        read_tile(layer("image", [((1, 1), {"id": id})]), X, Y)


def test_hostile_lengths():
    with pytest.raises(TileError):
        read_tile(varint(3 << 3 | 2) + varint(2**40) + b"x", X, Y)
    with pytest.raises(TileError):
        read_tile(b"\xff" * 20, X, Y)
    beyond = field(3, field(1, b"image") + field(2, field(2, varint(5) + varint(9)) + field(3, 1)))
    with pytest.raises(TileError):
        read_tile(beyond, X, Y)


def test_only_the_driver_of_vector_tiles_reads_the_bytes(tmp_path):
    """GDAL guesses the format of other data: a virtual format could name any file of this machine."""
    secret = tmp_path / "secret.geojson"
    secret.write_text('{"type": "Point", "coordinates": [85.13, 25.59]}')
    source = f"<SrcDataSource>{secret}</SrcDataSource>"
    virtual = f'<OGRVRTDataSource><OGRVRTLayer name="image">{source}</OGRVRTLayer></OGRVRTDataSource>'
    for data in (virtual.encode(), secret.read_bytes(), gzip.compress(FOREIGN)):
        with pytest.raises(TileError):
            read_tile(data, X, Y)


@given(st.floats(-179, 179), st.floats(-80, 80))
def test_a_point_lies_in_its_tile(lon, lat):
    tile = tile_of([[lon, lat]])
    west, south, east, north = tile_bounds(tile)[0]
    assert west - 1e-9 <= lon <= east + 1e-9
    assert south - 1e-9 <= lat <= north + 1e-9


def test_known_tile():
    # longitude 31, latitude 30, from a published request of Mapillary's own SDK
    assert tile_of([[31, 30]]).tolist() == [[9602, 6759]]


@settings(max_examples=25)
@given(st.integers(0, 2**32))
def test_tiles_cover_a_polygon_and_touch_it(seed):
    rng = np.random.default_rng(seed)
    area = shapely.convex_hull(shapely.multipoints(rng.uniform((85, 25), (85.3, 25.2), (6, 2))))
    tiles = tiles_covering(area)
    assert shapely.intersects(area, shapely.box(*tile_bounds(tiles).T)).all()
    inside = rng.uniform((85, 25), (85.3, 25.2), (200, 2))
    inside = inside[shapely.intersects_xy(area, *inside.T)]
    assert set(map(tuple, tile_of(inside))) <= set(map(tuple, tiles))


def test_too_large_an_area():
    with pytest.raises(InputError, match="name a smaller one"):
        tiles_covering(shapely.box(-170, -80, 170, 80))


def test_a_box_across_the_antimeridian_has_tiles_on_both_sides():
    area = area_of_box("179.97,-17,-179.97,-16.98")
    columns = np.unique(area.tiles[:, 0])
    assert columns.tolist() == [0, 1, N - 2, N - 1]
    assert area.holds([[179.99, -16.99], [-179.99, -16.99], [0, -16.99]]).tolist() == [True, True, False]
