"""Predictions at the cells of a grid, which a map's raster shows."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.mapping.population_cells import CellGrid
from geolive.tables import CRS, lonlat


@dataclass(frozen=True)
class MapCells:
    """Predictions at the cells of a grid.

    Parameters
    ----------
    table : DataFrame
        One cell of the region a row: `row`, `column` of the grid, and NAME, NAME_lower, NAME_upper, NaN where the cell is not
        within reach of a supported prediction; with a population `people` (in the region), and without cells that nobody lives
        in.
    grid : CellGrid
    """

    table: pd.DataFrame
    grid: CellGrid


def cells_of_grid_places(sites: gpd.GeoDataFrame, name: str, step: float) -> MapCells | None:
    """Return the predictions at the places of a grid as cells around them.

    Parameters
    ----------
    sites : GeoDataFrame
        The sites of a map: `n_images`, `surveyed`, `applicable`, the columns of the indicator, `geometry` (points, EPSG:4326).
    name : str
        The indicator.
    step : float
        Degrees between places of the grid, which lie in the middle of its cells.

    Returns
    -------
    MapCells or None
        None where there are no such places, or they lie on both sides of longitude 180.

    Examples
    --------
    >>> from geolive.tables import points
    >>> numbers = {"pov": [1.0, 2.0], "pov_lower": [0.0, 1.0], "pov_upper": [2.0, 3.0], "applicable": True, "surveyed": False}
    >>> sites = gpd.GeoDataFrame(numbers | {"n_images": 0}, geometry=points([85.05, 85.25], [25.05, 25.15]))
    >>> cells = cells_of_grid_places(sites, "pov", 0.1)
    >>> cells.table[["row", "column", "pov"]].values.tolist(), cells.grid.width
    ([[1.0, 0.0, 1.0], [0.0, 2.0, 2.0]], 3)
    """
    where = lonlat(sites.geometry) / step - 0.5
    # a small district has a place of its own, which is none of the grid
    on_grid = (np.abs(where - np.round(where)) < 1e-6).all(axis=1)
    usable = on_grid & ~sites["surveyed"].to_numpy(bool) & (sites["n_images"].to_numpy() == 0)
    where = np.round(where[usable]).astype(int)
    if not len(where) or np.ptp(where[:, 0]) * step > 180:
        return None
    west, north = where[:, 0].min(), where[:, 1].max()
    columns = [name, f"{name}_lower", f"{name}_upper"]
    numbers = sites.loc[usable, columns].where(sites.loc[usable, "applicable"].astype(bool)).reset_index(drop=True)
    table = pd.DataFrame({"row": north - where[:, 1], "column": where[:, 0] - west}).join(numbers)
    corner = (round(west * step, 9), round((north + 1) * step, 9))
    transform = (step, 0.0, corner[0], 0.0, -step, corner[1])
    return MapCells(table, CellGrid(transform, int(np.ptp(where[:, 1])) + 1, int(np.ptp(where[:, 0])) + 1, CRS))
