"""Circles around positions as they lie on the cells of a raster."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyproj

from geolive.covariates.raster_grids import RasterGrid
from geolive.errors import InputError
from geolive.geodesy import EARTH_RADIUS_KM

_KM_OF_DEGREE = EARTH_RADIUS_KM * np.pi / 180
# how far apart, in km, the positions are whose images in the raster give the shape of a circle there
_STEP_KM = 0.5


@dataclass(frozen=True)
class LatLonBuffers:
    """Circles on a grid of meridians and parallels, exact on the sphere.

    A parallel at latitude φ cuts the circle of angular radius δ around (λ₀, φ₀) at λ₀ ± Δλ, with
    sin²(Δλ/2) = (sin²(δ/2) − sin²((φ−φ₀)/2)) / (cos φ cos φ₀).

    Parameters
    ----------
    col, row : array of float, shape (n,)
        Centres.
    reach_cols, reach_rows : array of float, shape (n,)
        How far the circles reach from their centres.
    radius : array of float, shape (n,)
        Radians.
    north : float
        Latitude of row 0, degrees.
    degrees_of_row, degrees_of_col : float
        Steps from row to row (negative where latitudes fall) and from column to column.
    """

    col: np.ndarray
    row: np.ndarray
    reach_cols: np.ndarray
    reach_rows: np.ndarray
    radius: np.ndarray
    north: float
    degrees_of_row: float
    degrees_of_col: float

    def chords(self, which: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return where circles cut lines of constant row.

        Parameters
        ----------
        which : array of int, shape (m,)
            Numbers of circles.
        rows : array of float, shape (m,)
            A line for each.

        Returns
        -------
        left, right : array of float, shape (m,)
            Columns; equal where the line does not meet the circle.
        area : array of float, shape (m,)
            Of a cell there, km².
        """
        at, centre = (np.radians(self.north + self.degrees_of_row * r) for r in (rows, self.row[which]))
        cosines = np.cos(at)
        squared = np.sin(self.radius[which] / 2) ** 2 - np.sin((at - centre) / 2) ** 2
        with np.errstate(divide="ignore", invalid="ignore"):
            sine = np.sqrt(np.clip(np.nan_to_num(squared / (cosines * np.cos(centre))), 0, 1))
        half = np.degrees(2 * np.arcsin(sine)) / self.degrees_of_col
        area = cosines * self.degrees_of_col * abs(self.degrees_of_row) * _KM_OF_DEGREE**2
        return self.col[which] - half, self.col[which] + half, area


@dataclass(frozen=True)
class LocalBuffers:
    """Circles on a grid of any projection, as the ellipses that they are near their centres.

    A displacement u on the ground (km east, km north) moves the cell by J u. The circle |u| = r is the ellipse
    a x² + 2 b x y + c y² = r² of displacements (x, y) in columns and rows, with [[a, b], [b, c]] = (J Jᵀ)⁻¹.

    Parameters
    ----------
    col, row, reach_cols, reach_rows : array of float, shape (n,)
        As of `LatLonBuffers`.
    radius_km : array of float, shape (n,)
    a, b, determinant : array of float, shape (n,)
        Of the matrix (J Jᵀ)⁻¹.
    """

    col: np.ndarray
    row: np.ndarray
    reach_cols: np.ndarray
    reach_rows: np.ndarray
    radius_km: np.ndarray
    a: np.ndarray
    b: np.ndarray
    determinant: np.ndarray

    def chords(self, which: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return where ellipses cut lines of constant row; see `LatLonBuffers.chords`."""
        y, a, determinant = rows - self.row[which], self.a[which], self.determinant[which]
        middle = self.col[which] - self.b[which] / a * y
        half = np.sqrt(np.maximum(a * self.radius_km[which] ** 2 - determinant * y**2, 0)) / a
        return middle - half, middle + half, np.sqrt(determinant)


Buffers: TypeAlias = LatLonBuffers | LocalBuffers


def make_buffers(grid: RasterGrid, lonlat: np.ndarray, radius_km: np.ndarray) -> tuple[Buffers, np.ndarray]:
    """Place circles on a raster.

    Parameters
    ----------
    grid : RasterGrid
    lonlat : array of float, shape (n, 2)
        Centres, degrees.
    radius_km : array of float, shape (n,)
        Great-circle radii.

    Returns
    -------
    buffers : Buffers
        Of the positions that have a place in the raster's coordinate reference system.
    which : array of int
        Rows of `lonlat` that they belong to.
    """
    transformer = pyproj.Transformer.from_crs(4326, grid.crs, always_xy=True)
    if not grid.is_longitude_latitude:
        return _local(grid, transformer, lonlat, radius_km)
    lon, lat = transformer.transform(lonlat[:, 0], lonlat[:, 1])
    step, north_step = grid.transform.a, grid.transform.e
    # longitudes count from −180 in one raster, from 0 in another
    middle = grid.transform.c + step * grid.width / 2
    lon = middle + np.mod(lon - middle + 180, 360) - 180
    col, row = grid.cells(lon, lat)
    angle = radius_km / EARTH_RADIUS_KM
    reach_rows = np.degrees(angle) / abs(north_step)
    # the widest chord lies a little towards the pole
    ratio = np.sin(angle) / np.maximum(np.cos(np.radians(lat)), 1e-9)
    widest = np.where(ratio < 1, np.arcsin(np.minimum(ratio, 1)), np.pi)
    reach_cols = np.degrees(widest) / abs(step)
    return (
        LatLonBuffers(col, row, reach_cols, reach_rows, angle, grid.transform.f, north_step, abs(step)),
        np.arange(len(lonlat)),
    )


def _local(
    grid: RasterGrid, transformer: pyproj.Transformer, lonlat: np.ndarray, radius_km: np.ndarray
) -> tuple[LocalBuffers, np.ndarray]:
    lon, lat = lonlat.T
    east = _STEP_KM / _KM_OF_DEGREE / np.maximum(np.cos(np.radians(lat)), 1e-6)
    north = np.full(len(lat), _STEP_KM / _KM_OF_DEGREE)

    def cells(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return grid.cells(*transformer.transform(lon, lat))

    try:
        col, row = cells(lon, lat)
        (col_e, row_e), (col_w, row_w) = cells(lon + east, lat), cells(lon - east, lat)
        (col_n, row_n), (col_s, row_s) = cells(lon, lat + north), cells(lon, lat - north)
    except pyproj.exceptions.ProjError as error:
        raise InputError(
            f"{grid.shown}: positions cannot be converted to its coordinates ({error}); convert it to EPSG:4326"
        ) from None
    # columns of J: displacement of the cell by 1 km east, and by 1 km north
    xe, ye = (col_e - col_w) / (2 * _STEP_KM), (row_e - row_w) / (2 * _STEP_KM)
    xn, yn = (col_n - col_s) / (2 * _STEP_KM), (row_n - row_s) / (2 * _STEP_KM)
    with np.errstate(all="ignore"):
        squared = (xe * yn - xn * ye) ** 2
        a, b, c = (ye**2 + yn**2) / squared, -(xe * ye + xn * yn) / squared, (xe**2 + xn**2) / squared
        determinant = a * c - b**2
        reach_rows, reach_cols = radius_km * np.sqrt(a / determinant), radius_km * np.sqrt(c / determinant)
        usable = np.isfinite(col + row + a + b + determinant + reach_rows + reach_cols) & (determinant > 0)
    which = np.flatnonzero(usable)
    arrays = (array[which] for array in (col, row, reach_cols, reach_rows, radius_km, a, b, determinant))
    return LocalBuffers(*arrays), which
