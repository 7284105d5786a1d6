"""Values and intervals as a raster: predictions at cells, or the sites interpolated by inverse distance."""

from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.features import geometry_mask
from rasterio.transform import from_origin
from scipy.spatial import cKDTree

from geolive.antimeridian import running_longitudes, side_by_side
from geolive.geodesy import chord_to_km, km_to_chord, unit_sphere
from geolive.mapping.district_map import DistrictMap
from geolive.tables import CRS, lonlat

BANDS = ("value", "lower", "upper", "people")
REACH_KM = 15.0
PIXELS_AT_ONCE = 200_000


@dataclass(frozen=True)
class Surface:
    """A raster of an indicator, the northernmost row first.

    Parameters
    ----------
    values : array of float32, shape (3 or 4, height, width)
        Value, lower and upper end of the interval, in the indicator's unit, and maybe people; NaN where there is none.
    transform : rasterio.Affine
        From column and row to coordinates.
    crs : str
        The reference system of the coordinates.
    """

    values: np.ndarray
    transform: rasterio.Affine
    crs: str = CRS

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands."""
        return BANDS[: len(self.values)]


def cell_surface(district_map: DistrictMap) -> Surface:
    """Draw the predictions at the cells of a map that was made with a population raster, or by a model of covariates.

    Parameters
    ----------
    district_map : DistrictMap
        Its `cells` are drawn, on their own grid.

    Returns
    -------
    Surface
        Bands value, lower and upper, NaN where nobody lives or there is no supported prediction, and people where they are known.

    Examples
    --------
    >>> import pandas as pd
    >>> from types import SimpleNamespace
    >>> from geolive.indicators import indicator
    >>> from geolive.mapping.map_cells import MapCells
    >>> from geolive.mapping.population_cells import CellGrid
    >>> numbers = {"row": [0], "column": [1], "pov": [1.5], "pov_lower": [1.0], "pov_upper": [2.0], "people": [30.0]}
    >>> cells = MapCells(pd.DataFrame(numbers), CellGrid((1, 0, 85, 0, -1, 26), 1, 2, "EPSG:4326"))
    >>> cell_surface(SimpleNamespace(cells=cells, indicator=indicator("pov"))).values[:, 0, 1].tolist()
    [1.5, 1.0, 2.0, 30.0]
    """
    name, cells = district_map.indicator.name, district_map.cells
    assert cells is not None
    columns = [name, f"{name}_lower", f"{name}_upper", *(["people"] if "people" in cells.table else [])]
    values = np.full((len(columns), cells.grid.height, cells.grid.width), np.nan, np.float32)
    row, column = (cells.table[axis].to_numpy(int) for axis in ("row", "column"))
    values[:, row, column] = cells.table[columns].to_numpy(float).T
    return Surface(values, rasterio.Affine(*cells.grid.transform), cells.grid.crs)


def interpolate_surface(
    district_map: DistrictMap,
    resolution: float = 0.01,
    power: float = 2.0,
    n_neighbors: int = 12,
    reach_km: float = REACH_KM,
) -> Surface:
    """Interpolate the sites' values and intervals by inverse great-circle distance.

    A pixel gets the mean of its nearest sites, weighted by 1 / distance ** power. A pixel that contains a site gets the
    numbers of that site, or the mean of several. The interval is the interpolated interval of single sites: it is wider than
    the interval of a district's mean, and it is not a kriging variance.

    Parameters
    ----------
    district_map : DistrictMap
        Its sites are interpolated; those without a value and those not applicable are left out.
    resolution : float
        Side of a pixel in degrees. Pixels are aligned to multiples of it.
    power : float
        The larger it is, the more the nearest site counts.
    n_neighbors : int
        Number of nearest sites that count.
    reach_km : float
        Pixels farther than this from every site have no value.

    Returns
    -------
    Surface
        NaN in pixels whose centre lies outside the region's polygon or out of reach. Longitudes run on beyond 180 degrees
        where the region lies across the antimeridian.

    Notes
    -----
    Source: Shepard, "A two-dimensional interpolation function for irregularly-spaced data" (1968).

    Examples
    --------
    >>> import geopandas as gpd
    >>> import shapely
    >>> from types import SimpleNamespace
    >>> from geolive.indicators import indicator
    >>> from geolive.tables import points
    >>> numbers = {"pov": [1.0, 3.0], "pov_lower": [0.0, 2.0], "pov_upper": [2.0, 4.0]}
    >>> sites = gpd.GeoDataFrame(numbers, geometry=points([0.01, 0.05], [0.01, 0.01]))
    >>> line = SimpleNamespace(sites=sites, area=shapely.box(0, 0, 0.06, 0.02), indicator=indicator("pov"))
    >>> interpolate_surface(line, resolution=0.02).values[0].round(2)
    array([[1., 2., 3.]], dtype=float32)
    """
    name = district_map.indicator.name
    numbers = district_map.sites[[name, f"{name}_lower", f"{name}_upper"]].to_numpy(float)
    known = np.isfinite(numbers[:, 0])
    if "applicable" in district_map.sites:
        known &= district_map.sites["applicable"].to_numpy(bool)
    numbers, where = numbers[known], lonlat(district_map.sites.geometry)[known]
    area = side_by_side([district_map.area])[0]
    where[:, 0] = running_longitudes(where[:, 0], [district_map.area])
    transform, height, width = _grid(area.bounds, resolution)
    values = np.full((3, height, width), np.nan, np.float32)
    if len(numbers) == 0:
        return Surface(values, transform)
    tree = cKDTree(unit_sphere(where))
    rows_at_once = max(1, PIXELS_AT_ONCE // width)
    for top in range(0, height, rows_at_once):
        shape = (min(rows_at_once, height - top), width)
        strip = from_origin(transform.c, transform.f - top * resolution, resolution, resolution)
        row, column = np.nonzero(geometry_mask([area], shape, strip, invert=True))
        middles = np.column_stack([strip.c + (column + 0.5) * resolution, strip.f - (row + 0.5) * resolution])
        values[:, top + row, column] = _interpolate(tree, numbers, middles, power, n_neighbors, reach_km).T
    _set_site_pixels(values, transform, where, numbers)
    return Surface(values, transform)


def _grid(bounds: tuple[float, float, float, float], resolution: float) -> tuple[rasterio.Affine, int, int]:
    """Return transform, height and width of the pixels that cover the bounds, aligned to multiples of the resolution."""
    # a bound that is a multiple but for floating point must not add a row of pixels
    west, south = (int(np.floor(round(b / resolution, 6))) for b in bounds[:2])
    east, north = (int(np.ceil(round(b / resolution, 6))) for b in bounds[2:])
    corner = [round(i * resolution, 12) for i in (west, north)]
    return from_origin(*corner, resolution, resolution), max(north - south, 1), max(east - west, 1)


def _interpolate(
    tree: cKDTree, numbers: np.ndarray, middles: np.ndarray, power: float, n_neighbors: int, reach_km: float
) -> np.ndarray:
    """Interpolate numbers at the pixels' middles, shape (pixels, 3)."""
    result = np.full((len(middles), numbers.shape[1]), np.nan)
    on_sphere = unit_sphere(middles)
    chord, _ = tree.query(on_sphere, distance_upper_bound=float(km_to_chord(np.asarray(reach_km))), workers=-1)
    reached = np.flatnonzero(np.isfinite(chord))
    if len(reached) == 0:
        return result
    chord, site = tree.query(on_sphere[reached], k=np.arange(1, min(n_neighbors, len(numbers)) + 1), workers=-1)
    # a metre is nothing against a pixel, and keeps the weight of a site in the very middle finite
    weight = np.maximum(chord_to_km(chord), 1e-3) ** -power
    weight /= weight.sum(axis=1, keepdims=True)
    result[reached] = np.einsum("pn,pnb->pb", weight, numbers[site])
    return result


def _set_site_pixels(values: np.ndarray, transform: rasterio.Affine, where: np.ndarray, numbers: np.ndarray) -> None:
    """Give pixels with a value that sites lie in those sites' mean."""
    column = np.floor((where[:, 0] - transform.c) / transform.a).astype(int)
    row = np.floor((where[:, 1] - transform.f) / transform.e).astype(int)
    height, width = values.shape[1:]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    pixel = row[inside] * width + column[inside]
    pixel, of_site = np.unique(pixel, return_inverse=True)
    n = np.bincount(of_site)
    means = np.stack([np.bincount(of_site, band) / n for band in numbers[inside].T])
    row, column = np.divmod(pixel, width)
    shown = np.isfinite(values[0, row, column])
    values[:, row[shown], column[shown]] = means[:, shown]
