"""Mapillary's vector tiles: which tiles cover a place, and the images that a tile lists.

A reader of its own, for of the format (Mapbox Vector Tile 2.1, in protocol buffers) only points with attributes are
needed, and the bytes come from a network: every length is checked against what is there.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import shapely
from shapely import Geometry

from geolive.errors import InputError

ZOOM = 14
N = 2**ZOOM
MOST_TILES = 1_000_000
TILES_A_DAY = 50_000
MOST_LATITUDE = 85.0511
_MOST_CANDIDATES = 20_000_000


class TileError(ValueError):
    """The bytes are not a vector tile, or were cut short."""


class TileImage(NamedTuple):
    """An image as a tile lists it: id, position in degrees (to about half a metre), milliseconds since 1970, panorama."""

    id: str
    lon: float
    lat: float
    captured_at: int | None
    is_pano: bool


def tile_of(degrees: np.ndarray) -> np.ndarray:
    """Column and row of the tile of zoom 14 that each point lies in.

    Parameters
    ----------
    degrees : array, shape (n, 2)
        Longitude, latitude; latitudes beyond 85.05° belong to the last row.

    Returns
    -------
    array of int, shape (n, 2)

    Examples
    --------
    >>> tile_of([[85.14, 25.6]])
    array([[12066,  6986]])
    """
    lon, lat = np.asarray(degrees, float).reshape(-1, 2).T
    lat = np.radians(np.clip(lat, -MOST_LATITUDE, MOST_LATITUDE))
    x = (lon / 360 + 0.5) * N
    y = (0.5 - np.arcsinh(np.tan(lat)) / (2 * np.pi)) * N
    return np.clip(np.floor(np.column_stack([x, y])), 0, N - 1).astype(np.int64)


def tile_bounds(tiles: np.ndarray) -> np.ndarray:
    """West, south, east, north of tiles, degrees.

    Parameters
    ----------
    tiles : array of int, shape (n, 2)

    Returns
    -------
    array of float, shape (n, 4)

    Examples
    --------
    >>> tile_bounds([[12066, 6986]]).round(3)
    array([[85.122, 25.582, 85.144, 25.602]])
    """
    x, y = np.asarray(tiles, float).reshape(-1, 2).T
    return np.column_stack([_lon(x), _lat(y + 1), _lon(x + 1), _lat(y)])


def tiles_covering(area: Geometry) -> np.ndarray:
    """The tiles of zoom 14 that a polygon touches, row by row.

    Parameters
    ----------
    area : Geometry
        EPSG:4326.

    Returns
    -------
    array of int, shape (n, 2)
        Column, row.

    Raises
    ------
    InputError
        More than a million tiles.

    Examples
    --------
    >>> tiles_covering(shapely.box(85.13, 25.59, 85.15, 25.595)).tolist()
    [[12066, 6986], [12067, 6986]]
    """
    west, south, east, north = area.bounds
    (first_x, first_y), (last_x, last_y) = tile_of([[west, north], [east, south]])
    if (last_x - first_x + 1) * (last_y - first_y + 1) > _MOST_CANDIDATES:
        raise _too_large()
    shapely.prepare(area)
    rows = []
    for y in range(first_y, last_y + 1):
        row = np.column_stack([np.arange(first_x, last_x + 1), np.full(last_x - first_x + 1, y)])
        rows.append(row[shapely.intersects(area, shapely.box(*tile_bounds(row).T))])
    return check_number(np.concatenate(rows))


def check_number(tiles: np.ndarray) -> np.ndarray:
    """Raise where there are more tiles than can sensibly be asked for; return them as they were given."""
    if len(tiles) > MOST_TILES:
        raise _too_large()
    return tiles


def read_tile(data: bytes, x: int, y: int) -> list[TileImage]:
    """The images that a vector tile lists in its layer `image`; points of neighbouring tiles in its margin are left out.

    Parameters
    ----------
    data : bytes
        Without compression; no bytes are a tile without layers.
    x, y : int
        The tile's column and row at zoom 14.

    Returns
    -------
    list of TileImage
        In the tile's order; a feature without a point or a whole number as id is left out.

    Raises
    ------
    TileError
        Not a vector tile, or cut short.

    Examples
    --------
    >>> read_tile(b"", 12066, 6986)
    []
    >>> read_tile(b"<html>", 12066, 6986)
    Traceback (most recent call last):
    geolive.sources.mapillary.tiles.TileError: not a vector tile
    """
    images = []
    for number, wire, value in _fields(memoryview(data)):
        if number == 3 and wire == 2:
            images += _read_layer(value, x, y)
    return images


def _lon(x: np.ndarray | float) -> np.ndarray | float:
    return x / N * 360 - 180


def _lat(y: np.ndarray | float) -> np.ndarray | float:
    return np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y / N))))


def _too_large() -> InputError:
    return InputError(
        f"the area needs more than {MOST_TILES:,} tiles of about 5 km² (the API gives {TILES_A_DAY:,} a day); name a smaller one"
    )


def _read_layer(layer: memoryview, x: int, y: int) -> Iterator[TileImage]:
    name, extent, keys, values, features = "", 4096, [], [], []
    for number, wire, value in _fields(layer):
        match number, wire:
            case 1, 2:
                name = _text(value)
            case 2, 2:
                features.append(value)
            case 3, 2:
                keys.append(_text(value))
            case 4, 2:
                values.append(_value(value))
            case 5, 0:
                extent = value
    if name != "image":
        return
    if not 0 < extent <= 2**24:
        raise TileError("not a vector tile")
    for feature in features:
        image = _read_feature(feature, keys, values, extent, x, y)
        if image is not None:
            yield image


def _read_feature(feature: memoryview, keys: list[str], values: list, extent: int, x: int, y: int) -> TileImage | None:
    tags, kind, geometry = [], 0, []
    for number, wire, value in _fields(feature):
        match number, wire:
            case 2, 2:
                tags = _packed(value)
            case 3, 0:
                kind = value
            case 4, 2:
                geometry = _packed(value)
    if len(tags) % 2 or any(k >= len(keys) for k in tags[::2]) or any(v >= len(values) for v in tags[1::2]):
        raise TileError("not a vector tile")
    about = {keys[k]: values[v] for k, v in zip(tags[::2], tags[1::2], strict=True)}
    # a point is one "move to" command with one pair
    if kind != 1 or len(geometry) < 3 or geometry[0] & 7 != 1:
        return None
    across, down = _zigzag(geometry[1]), _zigzag(geometry[2])
    id = about.get("id")
    if not (0 <= across < extent and 0 <= down < extent) or isinstance(id, bool | float) or id is None:
        return None
    captured_at = about.get("captured_at")
    return TileImage(
        str(id),
        float(_lon(x + across / extent)),
        float(_lat(y + down / extent)),
        int(captured_at) if isinstance(captured_at, int | float) and 0 <= captured_at < 2**53 else None,
        about.get("is_pano") in (True, 1),
    )


def _value(data: memoryview) -> str | int | float | bool | None:
    found = None
    for number, wire, value in _fields(data):
        match number, wire:
            case 1, 2:
                found = _text(value)
            case 2, 5:
                found = struct.unpack("<f", value)[0]
            case 3, 1:
                found = struct.unpack("<d", value)[0]
            case 4, 0:
                found = value - 2**64 if value >= 2**63 else value
            case 5, 0:
                found = value
            case 6, 0:
                found = _zigzag(value)
            case 7, 0:
                found = bool(value)
    return found


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and content of each field of a protocol-buffers message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield tag >> 3, wire, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise TileError("not a vector tile")
        if size > len(data) - at:
            raise TileError("cut short")
        yield tag >> 3, wire, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise TileError("cut short")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), at
    raise TileError("not a vector tile")


def _packed(data: memoryview) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = _varint(data, at)
        numbers.append(number)
    return numbers


def _zigzag(number: int) -> int:
    return (number >> 1) ^ -(number & 1)


def _text(data: memoryview) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise TileError("not a vector tile") from None
