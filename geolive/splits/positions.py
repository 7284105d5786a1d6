"""Positions of rows, apart from their features, and the distinct places among them."""

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.tables import CRS, lonlat, points

SAME_PLACE_DEGREES = 1e-9


def positions_of(X) -> np.ndarray:
    """Return longitudes and latitudes of points.

    Parameters
    ----------
    X : GeoDataFrame, GeoSeries or array of float, shape (n, 2)
        Points in any coordinate reference system, or longitudes and latitudes in degrees.

    Returns
    -------
    array of float, shape (n, 2)
        Longitude, latitude in degrees (EPSG:4326).

    Raises
    ------
    InputError
        X has another shape or other geometries than points, or a position is missing or out of range.

    Examples
    --------
    >>> positions_of([[80.0, 25.0]]).tolist()
    [[80.0, 25.0]]
    """
    if is_points(X):
        positions = _from_geometry(X.geometry)
    else:
        try:
            positions = np.asarray(X, float)
        except (TypeError, ValueError) as error:
            raise InputError(f"positions must be numbers: longitude and latitude in degrees ({error})") from error
    if positions.ndim != 2 or positions.shape[1] != 2:
        raise InputError(
            f"positions of shape {positions.shape}: they must have shape (n, 2), with longitude and latitude in degrees"
        )
    missing = ~np.isfinite(positions).all(axis=1)
    if missing.any():
        raise InputError(f"cluster {int(np.argmax(missing))} has no position; remove it")
    beyond = (np.abs(positions[:, 1]) > 90) | (np.abs(positions[:, 0]) > 360)
    if beyond.any():
        row = int(np.argmax(beyond))
        lon, lat = positions[row].tolist()
        raise InputError(
            f"positions: row {row} has longitude {lon:g} and latitude {lat:g}; give longitude, then latitude, in degrees"
        )
    return positions


def is_points(X) -> bool:
    """Return whether X holds positions in a geometry.

    Examples
    --------
    >>> is_points(points([80.0], [25.0])), is_points(np.zeros((4, 2)))
    (True, False)
    """
    return isinstance(X, gpd.GeoDataFrame | gpd.GeoSeries)


def as_points(X):
    """Return longitudes and latitudes as a GeoSeries; anything but an array of shape (n, 2) is returned unchanged.

    Examples
    --------
    >>> as_points(np.array([[80.0, 25.0]])).iloc[0].wkt
    'POINT (80 25)'
    """
    if is_points(X) or isinstance(X, pd.DataFrame) or np.ndim(X) != 2 or np.shape(X)[1] != 2:
        return X
    return points(*positions_of(X).T)


def place_numbers(positions: np.ndarray) -> np.ndarray:
    """Number the distinct places among positions; those within 1e-9 degrees of each other are one place.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.

    Returns
    -------
    array of int, shape (n,)
        From 0 without gaps, by longitude and then latitude, whatever the order of rows.

    Examples
    --------
    >>> place_numbers(np.array([[85.1, 25.6], [84.0, 25.0], [85.1, 25.6 + 1e-12]]))
    array([1, 0, 1])
    """
    positions = np.asarray(positions, float).reshape(-1, 2)
    pairs = np.column_stack([_run_numbers(axis) for axis in positions.T])
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)


def _from_geometry(geometry: gpd.GeoSeries) -> np.ndarray:
    present = geometry[geometry.notna() & ~geometry.is_empty]
    if not (present.geom_type == "Point").all():
        kind = present.geom_type[present.geom_type != "Point"].iloc[0]
        raise InputError(f"a splitter needs points, and the geometry holds a {kind}; take its representative_point()")
    if geometry.crs is not None and geometry.crs != CRS:
        geometry = geometry.to_crs(CRS)
    return lonlat(geometry)


def _run_numbers(numbers: np.ndarray) -> np.ndarray:
    """Number the runs of nearly equal numbers; unlike rounding, this never parts two numbers at a rounding boundary."""
    order = np.argsort(numbers)
    run = np.empty(len(numbers), int)
    run[order] = np.cumsum(np.diff(numbers[order], prepend=numbers[order][:1]) > SAME_PLACE_DEGREES)
    return run
