"""The region of a map with its districts, and the other districts of the same boundaries."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely

from geolive.boundary_files import Boundaries
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.hexagons import hexagons_of_tables, parse_hexagons
from geolive.regions import INDIA_SOURCE, Region, find_area, find_region, read_districts


def map_region(
    dataset: Dataset,
    region: str | Path | Sequence[float] | Region | None,
    boundaries: Boundaries | None = None,
    *,
    name_column: str | None = None,
    id_column: str | None = None,
) -> Region:
    """Find the region to map; hexagons (`boundaries="hex:50km"`) lie around the places of the dataset.

    Parameters
    ----------
    dataset : Dataset
    region, boundaries, name_column, id_column
        As for `predict`.

    Raises
    ------
    InputError
        No such region or boundaries.

    Examples
    --------
    >>> import geolive as gl
    >>> len(map_region(gl.make_sample("goa"), None, "hex:25km").districts)
    28
    """
    if isinstance(region, Region):
        return region
    width_km = parse_hexagons(str(boundaries)) if boundaries is not None else None
    if width_km is None:
        return find_region(region, boundaries, name_column=name_column, id_column=id_column)
    whole = hexagons_of_tables([dataset.clusters, dataset.images], width_km, dataset.source)
    if region is None:
        return whole
    name, area = find_area(region)
    touched = whole.districts[whole.districts.intersects(area)].reset_index(drop=True)
    if touched.empty:
        raise InputError(
            f"region={region!r}: the dataset has no place there; give a region where it has", parameter="region"
        )
    return Region(name, shapely.coverage_union_all(touched.geometry.to_numpy()), touched, whole.source)


def with_other_districts(
    dataset: Dataset, area: Region, boundaries: Boundaries | None, columns: dict
) -> gpd.GeoDataFrame:
    """Return the districts of the map, then all others of the same boundaries: what the survey measured there counts, too.

    Parameters
    ----------
    dataset : Dataset
    area : Region
        The region of the map.
    boundaries : str, Path or BoundaryFile, optional
        Where its districts come from.
    columns : dict
        `name_column` and `id_column` of `boundaries`.

    Returns
    -------
    GeoDataFrame
        `district_id`, `district`, `geometry`.

    Examples
    --------
    >>> import geolive as gl
    >>> goa = gl.find_region("goa")
    >>> every = with_other_districts(gl.make_sample("goa"), goa, None, {})
    >>> len(goa.districts), every["district_id"].iloc[:3].tolist() == goa.districts["district_id"].tolist()
    (3, True)
    """
    if area.source == INDIA_SOURCE:
        every = read_districts()
    elif boundaries is None:
        return area.districts
    elif str(boundaries).startswith("hex:"):
        every = map_region(dataset, None, boundaries).districts
    else:
        every = read_districts(boundaries, **columns)
    others = every[~every["district_id"].isin(area.districts["district_id"])]
    shown = ["district_id", "district", "geometry"]
    return pd.concat([area.districts[shown], others[shown]], ignore_index=True)
