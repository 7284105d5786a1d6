"""The grid of Web Mercator tiles: the tiles of zoom 14 that cover an area, and the bounds of a tile."""

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely import Geometry

from geolive.antimeridian import lies_across
from geolive.errors import InputError

ZOOM = 14
N = 2**ZOOM
MOST_TILES = 1_000_000
MOST_LATITUDE = 85.0511
_MOST_CANDIDATES = 20_000_000
# the halves of the globe on both sides of the antimeridian
_WEST_HALF, _EAST_HALF = (0, -90, 180, 90), (-180, -90, 0, 90)


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


def tile_bounds(tiles: ArrayLike, zoom: int = ZOOM) -> np.ndarray:
    """Return west, south, east and north of tiles, in degrees.

    Parameters
    ----------
    tiles : array of int, shape (n, 2)
        Column, row.
    zoom : int

    Returns
    -------
    array of float, shape (n, 4)

    Examples
    --------
    >>> tile_bounds([[12066, 6986]]).round(3)
    array([[85.122, 25.582, 85.144, 25.602]])
    """
    x, y = np.asarray(tiles, float).reshape(-1, 2).T
    n = 2**zoom
    return np.column_stack([tile_lon(x, n), tile_lat(y + 1, n), tile_lon(x + 1, n), tile_lat(y, n)])


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


def tile_lon(x: np.ndarray | float, n: int = N) -> np.ndarray | float:
    """Return the longitude of a column's western edge, of n columns."""
    return x / n * 360 - 180


def tile_lat(y: np.ndarray | float, n: int = N) -> np.ndarray | float:
    """Return the latitude of a row's northern edge, of n rows."""
    return np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y / n))))


def _too_large() -> InputError:
    return InputError(f"the area needs more than {MOST_TILES:,} tiles of about 5 km²; name a smaller one")
