"""Mapillary's vector tiles: the tiles that cover an area, and the images that a tile lists."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import ArrayLike
from shapely import Geometry

from geolive.antimeridian import lies_across
from geolive.errors import InputError

ZOOM = 14
N = 2**ZOOM
# half the width of the world in metres of EPSG:3857, to which GDAL georeferences tiles
HALF_WORLD = 20_037_508.342789244
MOST_TILES = 1_000_000
TILES_A_DAY = 50_000
MOST_LATITUDE = 85.0511
_MOST_CANDIDATES = 20_000_000
# the halves of the globe on both sides of the antimeridian
_WEST_HALF, _EAST_HALF = (0, -90, 180, 90), (-180, -90, 0, 90)
_COMPRESSED = b"\x1f\x8b"
# a thousandth of the distance between neighbouring positions in a tile
_ROUNDING = 1e-3 / 4096


class TileError(ValueError):
    """The bytes are not a vector tile, or were cut short."""


class TileImage(NamedTuple):
    """An image of a tile: id, position in degrees (precise to about half a metre), milliseconds since 1970, panorama or not."""

    id: str
    lon: float
    lat: float
    captured_at: int | None
    is_pano: bool


def tile_of(degrees: ArrayLike) -> np.ndarray:
    """Find the tile of zoom 14 that contains each point.

    Parameters
    ----------
    degrees : array, shape (n, 2)
        Longitude, latitude; latitudes beyond 85.05° belong to the last row.

    Returns
    -------
    array of int, shape (n, 2)
        Column, row.

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


def tile_bounds(tiles: ArrayLike) -> np.ndarray:
    """Return west, south, east and north of tiles, in degrees.

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
    """Return the tiles of zoom 14 that a polygon touches, row by row.

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
        The polygon needs more than a million tiles.

    Examples
    --------
    >>> tiles_covering(shapely.box(85.13, 25.59, 85.15, 25.595)).tolist()
    [[12066, 6986], [12067, 6986]]
    """
    if lies_across([area]):
        # each side has its own columns of tiles
        sides = [tiles_covering(shapely.intersection(area, shapely.box(*side))) for side in (_WEST_HALF, _EAST_HALF)]
        tiles = np.unique(np.concatenate(sides), axis=0)
        return check_number(tiles[np.lexsort(tiles.T)])
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
    """Return the tiles as given; raise InputError where there are more than `MOST_TILES`."""
    if len(tiles) > MOST_TILES:
        raise _too_large()
    return tiles


def read_tile(data: bytes, x: int, y: int) -> list[TileImage]:
    """Read the images that a vector tile lists in its layer `image`; points of neighbouring tiles in its margin are left out.

    Parameters
    ----------
    data : bytes
        The tile without compression; no bytes are a tile without layers.
    x, y : int
        The tile's column and row at zoom 14.

    Returns
    -------
    list of TileImage
        In the order of the tile. A feature that is no point or has no id is left out.

    Raises
    ------
    TileError
        The bytes are not a vector tile, or were cut short.

    Examples
    --------
    >>> read_tile(b"", 12066, 6986)
    []
    >>> read_tile(b"<html>", 12066, 6986)
    Traceback (most recent call last):
    geolive.sources.mapillary.tiles.TileError: not a vector tile
    """
    if not data:
        return []
    layer = _read_layer(data, x, y)
    if layer is None:
        return []
    if layer.num_rows == 0 or "id" not in layer.column_names:
        raise TileError("a vector tile whose images cannot be read")
    if not (pa.types.is_integer(layer["id"].type) or pa.types.is_string(layer["id"].type)):
        raise TileError("a vector tile whose image ids are neither whole numbers nor texts")
    points = shapely.from_wkb(layer["wkb_geometry"].to_pylist())
    is_point = shapely.get_type_id(points) == shapely.GeometryType.POINT
    # in units of the tile, from its upper left corner
    across = (shapely.get_x(points) / HALF_WORLD + 1) / 2 * N - x
    down = (1 - shapely.get_y(points) / HALF_WORLD) / 2 * N - y
    inside = (across > -_ROUNDING) & (across < 1 - _ROUNDING) & (down > -_ROUNDING) & (down < 1 - _ROUNDING)
    rows = np.flatnonzero(is_point & inside & layer["id"].is_valid().to_numpy())
    attributes = {
        name: layer[name].to_pylist() for name in ("id", "captured_at", "is_pano") if name in layer.column_names
    }
    return [_image(attributes, row, float(_lon(x + across[row])), float(_lat(y + down[row]))) for row in rows.tolist()]


def _lon(x: np.ndarray | float) -> np.ndarray | float:
    return x / N * 360 - 180


def _lat(y: np.ndarray | float) -> np.ndarray | float:
    return np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y / N))))


def _too_large() -> InputError:
    return InputError(
        f"the area needs more than {MOST_TILES:,} tiles of about 5 km² (the API gives {TILES_A_DAY:,} a day); name a smaller one"
    )


def _read_layer(data: bytes, x: int, y: int) -> pa.Table | None:
    """Return the layer `image` of a tile as GDAL reads it, or None where the tile has no such layer.

    The bytes come from a network, so only GDAL's driver of vector tiles may read them (`MVT:`), from a folder without any other
    file, and without compression, which could expand to any size.
    """
    import pyogrio

    if data.startswith(_COMPRESSED):
        raise TileError("not a vector tile")
    with tempfile.TemporaryDirectory() as folder:
        tile = Path(folder) / "tile.pbf"
        tile.write_bytes(data)
        options = {"X": x, "Y": y, "Z": ZOOM, "CLIP": False, "METADATA_FILE": ""}
        try:
            layers = pyogrio.list_layers(f"MVT:{tile}")[:, 0]
            if len(layers) == 0:
                raise TileError("not a vector tile")
            return pyogrio.read_arrow(f"MVT:{tile}", layer="image", **options)[1] if "image" in layers else None
        # pyogrio's errors are RuntimeErrors; names that are not UTF-8 give ValueErrors
        except (RuntimeError, ValueError) as error:
            raise TileError("not a vector tile") from error


def _image(attributes: dict[str, list], row: int, lon: float, lat: float) -> TileImage:
    about = {name: values[row] for name, values in attributes.items()}
    time = about.get("captured_at")
    captured_at = int(time) if isinstance(time, int | float) and 0 <= time < 2**53 else None
    return TileImage(str(about["id"]), lon, lat, captured_at, about.get("is_pano") in (True, 1))
