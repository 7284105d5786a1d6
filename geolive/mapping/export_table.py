"""The districts and sites as files for a GIS hold them: plain columns, and borders on a grid of a tenth of a metre."""

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geolive.mapping.district_map import DistrictMap
from geolive.mapping.estimate_words import estimate_columns

DECIMALS = 6


def district_columns(district_map: DistrictMap) -> dict[str, list]:
    """Return the columns of the districts table as JSON values; a missing value is None.

    Parameters
    ----------
    district_map : DistrictMap

    Returns
    -------
    dict of str to list
        Values and intervals rounded to a millionth of their range.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> district_columns(result)["simulated"]
    [True, True, True]
    """
    table, name = district_map.districts, district_map.indicator.name
    supported = table["supported"].astype(bool)
    decimals = _enough_decimals(table[name].to_numpy(float))

    def rounded(value: float) -> float:
        return round(float(value), decimals)

    columns = {column: _each(str, table[column]) for column in ("district_id", "district", "state")}
    for column in (name, f"{name}_lower", f"{name}_upper"):
        columns[column] = _each(rounded, table[column].where(supported))
    columns[f"{name}_label"] = _each(int, table[f"{name}_label"].where(supported))
    # an estimate from the survey stands by itself, whether or not there are enough images
    estimates = [column for column in estimate_columns(district_map) if column != "n_clusters"]
    columns |= {column: _each(rounded, table[column]) for column in estimates}
    counts = [column for column in ("n_clusters", "n_sites", "n_images") if column in table]
    for column, kind in (*((count, int) for count in counts), ("supported", bool), ("simulated", bool)):
        columns[column] = _each(kind, table[column])
    if "people" in table:
        columns["people"] = _each(round, table["people"])
    if "people_supported" in table:
        columns["people_supported"] = _each(lambda share: round(float(share), 4), table["people_supported"])
    for column in ("rank_best", "rank_worst"):
        columns[column] = _each(int, table[column].where(supported))
    return columns


def district_table(district_map: DistrictMap) -> gpd.GeoDataFrame:
    """Make a table of the districts with the columns of `district_columns`; whole numbers may be null, borders lie on the grid.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> district_table(result).geometry.geom_type.unique().tolist()
    ['MultiPolygon']
    """
    columns = district_columns(district_map)
    counts = {"n_clusters", "n_sites", "n_images", "people", "rank_best", "rank_worst"}
    whole = {f"{district_map.indicator.name}_label", *counts}
    texts = {"district_id", "district", "state"}
    typed = {
        name: pd.array(
            values, dtype="Int64" if name in whole else object if name in texts else bool if _flags(values) else float
        )
        for name, values in columns.items()
    }
    return gpd.GeoDataFrame(typed, geometry=on_grid(district_map.districts).geometry.to_numpy(), crs="EPSG:4326")


def site_table(district_map: DistrictMap) -> gpd.GeoDataFrame:
    """Make a table of the sites with values, intervals and whether they are simulated.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> site_table(result).columns.tolist()
    ['site_id', 'pov', 'pov_lower', 'pov_upper', 'n_images', 'surveyed', 'applicable', 'simulated', 'geometry']
    """
    sites, name = district_map.sites, district_map.indicator.name
    wanted = ["site_id", name, f"{name}_lower", f"{name}_upper", "n_images", "surveyed", "applicable"]
    table = sites[[column for column in wanted if column in sites]].copy()
    table["site_id"] = table["site_id"].astype(str).astype(object)
    table["simulated"] = district_map.provenance.simulated
    return gpd.GeoDataFrame(table, geometry=sites.geometry.to_numpy(), crs="EPSG:4326").reset_index(drop=True)


def on_grid(districts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the districts with 6 decimals, right-handed rings and the borders that they share still shared.

    Parameters
    ----------
    districts : GeoDataFrame
        Polygons or MultiPolygons, EPSG:4326.

    Returns
    -------
    GeoDataFrame
        MultiPolygons.

    Examples
    --------
    >>> table = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1 / 3, 1)], crs="EPSG:4326")
    >>> on_grid(table).total_bounds.tolist()
    [0.0, 0.0, 0.333333, 1.0]
    """
    geometry = shapely.force_2d(districts.geometry.to_numpy())
    rounded = shapely.transform(geometry, lambda at: np.round(at, DECIMALS))
    if not (shapely.is_valid(rounded).all() and shapely.coverage_is_valid(rounded)):
        rounded = _noded_on_grid(geometry)
    return districts.set_geometry(gpd.GeoSeries([_multi(g) for g in rounded], index=districts.index, crs=districts.crs))


def _each(kind: Callable, column: pd.Series) -> list:
    return [None if pd.isna(value) else kind(value) for value in column]


def _flags(values: list) -> bool:
    return all(isinstance(value, bool) for value in values)


def _enough_decimals(values: np.ndarray) -> int:
    """Return the number of decimals that distinguish values by a millionth of their range, which is finer than the breaks."""
    values = values[np.isfinite(values)]
    spread = np.ptp(values) if values.size else 0.0
    spread = spread or np.abs(values).max(initial=0.0) or 1.0
    return int(6 - np.ceil(np.log10(spread)))


def _noded_on_grid(geometry: np.ndarray) -> np.ndarray:
    """Make the districts anew from the faces between all their borders, after these are noded on the grid."""
    lines = shapely.union_all(shapely.boundary(geometry), grid_size=10.0**-DECIMALS)
    faces = shapely.get_parts(shapely.polygonize([lines]))
    face, district = shapely.STRtree(geometry).query(shapely.point_on_surface(faces), predicate="within")
    # where districts overlap, the first takes the face
    face, first = np.unique(face, return_index=True)
    merged = [shapely.coverage_union_all(faces[face[district[first] == i]]) for i in range(len(geometry))]
    return shapely.transform(np.array(merged), lambda at: np.round(at, DECIMALS))


def _multi(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon"]
    return shapely.orient_polygons(shapely.MultiPolygon(parts))
