"""Equal-area hexagons as districts, where no boundaries are known."""

import re

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geolive.antimeridian import cut, running_longitudes
from geolive.coverage import polygonal_parts
from geolive.errors import InputError
from geolive.geodesy import EARTH_RADIUS_KM
from geolive.languages import phrase
from geolive.regions import Region
from geolive.tables import CRS, lonlat

SMALLEST_KM, LARGEST_KM = 1.0, 500.0
MOST_HEXAGONS = 20_000
# straight edges of the plane are curves in degrees: more points keep neighbours' edges equal
_POINTS_AN_EDGE = 4
_DECIMALS = 9


def parse_hexagons(text: str) -> float | None:
    """Read the width of hexagons from `hex:WIDTHkm`.

    Parameters
    ----------
    text : str
        What a user gave as boundaries.

    Returns
    -------
    float or None
        The width in kilometres, from edge to opposite edge; None where the text does not begin with `hex:`.

    Raises
    ------
    InputError
        The width is not a number of kilometres from 1 to 500.

    Examples
    --------
    >>> parse_hexagons("hex:50km"), parse_hexagons("districts.geojson")
    (50.0, None)
    """
    if not text.startswith("hex:"):
        return None
    match = re.fullmatch(r"hex:(\d+(?:\.\d+)?)\s*km", text.strip())
    if match is None or not SMALLEST_KM <= float(match[1]) <= LARGEST_KM:
        raise InputError(
            f"boundaries={text!r}: must be hex: and a width of {SMALLEST_KM:g} to {LARGEST_KM:g} km, for example hex:50km",
            parameter="boundaries",
        )
    return float(match[1])


def are_hexagons(district_ids: pd.Series) -> bool:
    """Return whether the districts of a map are hexagons that geolive made, by their ids.

    Examples
    --------
    >>> are_hexagons(pd.Series(["hex50km_5_68_5"])), are_hexagons(pd.Series(["Patna"]))
    (True, False)
    """
    return bool(len(district_ids)) and bool(district_ids.astype(str).str.match(r"hex[\d.]+km_").all())


def area_noun(districts: pd.DataFrame) -> str:
    """Return what messages call the areas of a map.

    Examples
    --------
    >>> area_noun(pd.DataFrame({"district_id": ["hex50km_5_68_5"]})), area_noun(pd.DataFrame({"district_id": ["230"]}))
    ('hexagon', 'district')
    """
    return "hexagon" if are_hexagons(districts["district_id"]) else "district"


def hexagon_region(points: gpd.GeoSeries, width_km: float, *, rings: int = 1, name: str = "the survey") -> Region:
    """Return the equal-area hexagons around points as the districts of a region.

    The grid does not depend on the points: equal widths give equal hexagons, with equal ids, for all points in the same
    band of ten degrees of latitude.

    Parameters
    ----------
    points : GeoSeries of points, EPSG:4326
        Hexagons that hold a point are taken.
    width_km : float
        Width from edge to opposite edge.
    rings : int
        Number of rings of hexagons that are taken around each of these.
    name : str
        Name of the region.

    Returns
    -------
    Region
        Its districts are hexagons with the same area, named by column and row: `H83/-3` in every language.

    Raises
    ------
    InputError
        There is no point, or the hexagons are too many.

    Notes
    -----
    The plane is Lambert's cylindrical equal-area projection of the sphere, true to scale at the middle of the band of
    latitudes that the points lie in. Hexagons keep their area everywhere; far from the equator they are stretched.

    Examples
    --------
    >>> from geolive.tables import points
    >>> region = hexagon_region(points([36.8, 36.9], [-1.3, -1.2]), 50.0, rings=0)
    >>> region.districts["district"].tolist()
    ['H83/-3']
    """
    if not len(points):
        raise InputError(
            "boundaries: hexagons need a place to lie around, and the dataset has none", parameter="boundaries"
        )
    where = lonlat(points)
    where[:, 0] = running_longitudes(where[:, 0], points)
    parallel = _band_middle(float(where[:, 1].mean()))
    cells = _with_rings(_cells_of(_to_plane(where, parallel), width_km), rings)
    if len(cells) > MOST_HEXAGONS:
        raise InputError(
            f"boundaries: {len(cells):,} hexagons of {width_km:g} km are more than {MOST_HEXAGONS:,}; take wider ones",
            parameter="boundaries",
        )
    corners = _to_degrees(_outlines(cells, width_km), parallel)
    districts = gpd.GeoDataFrame(
        {
            "district_id": [f"hex{width_km:g}km_{parallel:g}_{q}_{r}" for q, r in cells],
            "district": [f"H{q}/{r}" for q, r in cells],
            "state": "",
        },
        geometry=polygonal_parts(_cut([shapely.Polygon(ring) for ring in corners])),
        crs=CRS,
    )
    source = phrase("source.hexagons", width=f"{width_km:g}")
    return Region(name, shapely.coverage_union_all(districts.geometry.to_numpy()), districts, source)


def _band_middle(latitude: float) -> float:
    """Return the latitude, in degrees, at which the plane of a band of ten degrees is true to scale."""
    return float(np.clip(np.floor(abs(latitude) / 10) * 10 + 5, 5, 75))


def _to_plane(degrees: np.ndarray, parallel: float) -> np.ndarray:
    """Project longitude and latitude, shape (..., 2), to kilometres."""
    scale = np.cos(np.radians(parallel))
    x = EARTH_RADIUS_KM * np.radians(degrees[..., 0]) * scale
    y = EARTH_RADIUS_KM * np.sin(np.radians(degrees[..., 1])) / scale
    return np.stack([x, y], axis=-1)


def _to_degrees(km: np.ndarray, parallel: float) -> np.ndarray:
    scale = np.cos(np.radians(parallel))
    lon = np.degrees(km[..., 0] / (EARTH_RADIUS_KM * scale))
    lat = np.degrees(np.arcsin(np.clip(km[..., 1] * scale / EARTH_RADIUS_KM, -1, 1)))
    return np.round(np.stack([lon, lat], axis=-1), _DECIMALS)


def _cut(hexagons: list[shapely.Polygon]) -> np.ndarray:
    """Cut hexagons at the antimeridian; corners that neighbours share stay equal."""
    return shapely.transform(cut(hexagons), lambda at: np.round(at, _DECIMALS))


def _cells_of(km: np.ndarray, width_km: float) -> np.ndarray:
    """Return the axial coordinates of the hexagons that hold points, shape (cells, 2); each once."""
    size = width_km / np.sqrt(3)
    r = km[:, 1] / (1.5 * size)
    q = km[:, 0] / width_km - r / 2
    # round in cube coordinates, and correct the coordinate that is farthest from a whole number
    cube = np.column_stack([q, -q - r, r])
    whole = np.rint(cube)
    away = np.abs(whole - cube)
    worst = away.argmax(axis=1)
    rows = np.arange(len(cube))
    whole[rows, worst] = 0
    whole[rows, worst] = -whole.sum(axis=1)
    return np.unique(whole[:, [0, 2]].astype(np.int64), axis=0)


def _with_rings(cells: np.ndarray, rings: int) -> np.ndarray:
    steps = [(q, r) for q in range(-rings, rings + 1) for r in range(-rings, rings + 1) if abs(q + r) <= rings]
    return np.unique((cells[:, None, :] + np.array(steps)[None]).reshape(-1, 2), axis=0)


def _outlines(cells: np.ndarray, width_km: float) -> np.ndarray:
    """Return the closed outlines of hexagons in kilometres, shape (cells, points, 2); neighbours share their corners."""
    size = width_km / np.sqrt(3)
    # corners lie on a lattice of half widths and half sizes, so that shared ones are equal to the last bit
    steps = np.array([[0, 2], [-1, 1], [-1, -1], [0, -2], [1, -1], [1, 1], [0, 2]])
    middle = np.column_stack([2 * cells[:, 0] + cells[:, 1], 3 * cells[:, 1]])
    corners = middle[:, None, :] + steps[None]
    part = np.arange(_POINTS_AN_EDGE)[:, None, None, None] / _POINTS_AN_EDGE
    between = corners[None, :, :-1] * (1 - part) + corners[None, :, 1:] * part
    ring = np.moveaxis(between, 0, 2).reshape(len(cells), -1, 2)
    ring = np.concatenate([ring, ring[:, :1]], axis=1)
    return ring * np.array([width_km / 2, size / 2])


def hexagons_of_tables(tables: list[gpd.GeoDataFrame], width_km: float, name: str) -> Region:
    """Return the hexagons around the places of several tables.

    Parameters
    ----------
    tables : list of GeoDataFrame of points, EPSG:4326
        For example the images and the clusters of a dataset.
    width_km : float
        Width of the hexagons.
    name : str
        Name of the region.

    Examples
    --------
    >>> from geolive.tables import points
    >>> table = gpd.GeoDataFrame(geometry=points([36.8], [-1.3]))
    >>> len(hexagons_of_tables([table], 50.0, "Nairobi").districts)
    7
    """
    places = pd.concat([table.geometry for table in tables if len(table)], ignore_index=True)
    return hexagon_region(gpd.GeoSeries(places, crs=CRS), width_km, name=name)
