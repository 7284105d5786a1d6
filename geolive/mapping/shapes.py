"""Outlines of districts and positions of sites for the page, as exact as a file of limited size allows."""

import base64

import geopandas as gpd
import numpy as np
import shapely

from geolive.antimeridian import running_longitudes, side_by_side
from geolive.geodesy import EARTH_RADIUS_KM
from geolive.languages import phrase
from geolive.phrases import Decimal, sentences
from geolive.tables import lonlat

SHAPES_BYTES = 650_000
SITES_BYTES = 700_000
# degrees
_TOLERANCES = [0.0003 * 1.5**k for k in range(22)]
# more sites than these are drawn as a picture, in which each pixel is drawn once
MANY_SITES = 5_000
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_KM_PER_DEGREE = EARTH_RADIUS_KM * np.pi / 180
# two 16-bit numbers in base64
_BYTES_A_PLACE = 16 / 3


def page_shapes(geometry: gpd.GeoSeries, most_bytes: int = SHAPES_BYTES) -> tuple[list, list, list]:
    """Compute the coordinates of the districts' outlines, and a place for each name.

    All outlines are simplified together, so shared borders stay shared, and only as far as the size requires.

    Parameters
    ----------
    geometry : GeoSeries
        Polygons or MultiPolygons, EPSG:4326.
    most_bytes : int
        Largest size of the outlines as JSON, in bytes.

    Returns
    -------
    outlines : list
        For each district the coordinates of a GeoJSON MultiPolygon: longitude and latitude in degrees. Where the districts lie
        across the antimeridian, longitudes run on beyond 180°.
    middles : list of [float, float]
        Longitude and latitude of the centre of the largest circle inside each district.
    rooms : list of float
        That circle's radius, degrees.

    Examples
    --------
    >>> outlines, middles, rooms = page_shapes(gpd.GeoSeries([shapely.box(84, 25, 86, 26)], crs="EPSG:4326"))
    >>> outlines[0][0][0]
    [[86.0, 25.0], [86.0, 26.0], [84.0, 26.0], [84.0, 25.0], [86.0, 25.0]]
    >>> rooms
    [0.5]
    """
    original = side_by_side(shapely.force_2d(geometry.to_numpy()))
    shapes, digits = _simplified(original, most_bytes)
    middles, rooms = zip(*[largest_circle(shape) for shape in shapes], strict=True)
    return [_outline(shape, digits) for shape in shapes], list(middles), list(rooms)


def page_sites(sites: gpd.GeoDataFrame, region: gpd.GeoSeries | None = None, most_bytes: int = SITES_BYTES) -> dict:
    """Compute the positions of sites on a grid, as fine as the size of the page allows.

    Parameters
    ----------
    sites : GeoDataFrame
        Points, EPSG:4326, with `surveyed`.
    region : GeoSeries, optional
        The districts; where they lie across the antimeridian, longitudes run on beyond 180°.
    most_bytes : int
        Largest size of the positions as JSON, in bytes.

    Returns
    -------
    dict
        `west`, `south` and `step` in degrees, and `kinds`: for surveyed and for other sites `name` ("surveyed" or "site"),
        `count` and `places`, the steps east and north of each place as 16-bit numbers (lower byte first) in base64. Sites at the
        same place are drawn once. `many` says whether they are drawn as a picture, and `note` what the reader has to know about
        it.

    Examples
    --------
    >>> from geolive.tables import points
    >>> sites = gpd.GeoDataFrame({"surveyed": [True, False]}, geometry=points([85.0, 85.1], [25.0, 25.2]))
    >>> made = page_sites(sites)
    >>> made["step"], made["many"], np.frombuffer(base64.b64decode(made["kinds"][1]["places"]), "<u2").tolist()
    (0.001, False, [100, 200])
    """
    where, surveyed = lonlat(sites.geometry), sites["surveyed"].to_numpy(bool)
    where[:, 0] = running_longitudes(where[:, 0], sites.geometry if region is None else region)
    corner = np.floor(where.min(axis=0)) if len(where) else np.zeros(2)
    extent = float((where - corner).max(initial=0))
    for step in _STEPS:
        if extent / step > 65_535:
            continue
        grid = np.round((where - corner) / step).astype("<u2")
        places = [np.unique(grid[rows], axis=0) for rows in (surveyed, ~surveyed)]
        if sum(map(len, places)) * _BYTES_A_PLACE <= most_bytes:
            break
    kinds = [
        {"name": name, "count": int(rows.sum()), "places": base64.b64encode(at.tobytes()).decode()}
        for name, rows, at in zip(("surveyed", "site"), (surveyed, ~surveyed), places, strict=True)
        if len(at)
    ]
    many = sum(map(len, places)) > MANY_SITES
    km = float(f"{step * _KM_PER_DEGREE:.1g}")
    rounded = phrase("layers.rounded", km=Decimal(km, 0 if km >= 1 else 1)) if step > _STEPS[0] else ""
    note = sentences(phrase("layers.many_sites") if many else "", rounded)
    return {"west": float(corner[0]), "south": float(corner[1]), "step": step, "kinds": kinds, "many": many} | (
        {"note": note} if note else {}
    )


def largest_circle(shape: shapely.Geometry) -> tuple[list[float], float]:
    """Find middle and radius of the largest circle inside a district's largest part, in degrees.

    Examples
    --------
    >>> largest_circle(shapely.box(84, 25, 85, 26))
    ([84.5, 25.5], 0.5)
    """
    part = max(shapely.get_parts(shape), key=lambda part: part.area, default=None)
    if part is None or part.is_empty:
        return [0.0, 0.0], 0.0
    circle = shapely.maximum_inscribed_circle(part, tolerance=max(part.length / 500, 1e-6))
    return [round(float(x), 4) for x in shapely.get_coordinates(circle)[0]], round(float(circle.length), 4)


def _simplified(original: np.ndarray, most_bytes: int) -> tuple[np.ndarray, int]:
    """Simplify outlines by the smallest of growing tolerances that the size allows; return them and their decimals."""
    if _bytes(original, 5) <= most_bytes:
        return original, 5
    # the larger the tolerance, the fewer the points: half of the tolerances left are ruled out by each trial
    low, high, tried = 0, len(_TOLERANCES) - 1, {}
    while low < high:
        middle = (low + high) // 2
        tried[middle] = shapely.coverage_simplify(original, _TOLERANCES[middle])
        if _bytes(tried[middle], _digits(middle)) > most_bytes:
            low = middle + 1
        else:
            high = middle
    return tried[low] if low in tried else shapely.coverage_simplify(original, _TOLERANCES[low]), _digits(low)


def _digits(number: int) -> int:
    """Return the decimals of degrees: where a border moves by hundreds of metres, a few metres need no further decimal."""
    return 5 if _TOLERANCES[number] < 0.001 else 4


def _bytes(shapes: np.ndarray, digits: int) -> int:
    """Return about the size of outlines as JSON: "[85.12345,25.12345]," with two or three figures before the point."""
    return int(shapely.get_num_coordinates(shapes).sum()) * (2 * digits + 10) + 10 * len(shapes)


def _outline(shape: shapely.Geometry, digits: int) -> list:
    parts = [part for part in shapely.get_parts(shape) if not part.is_empty]
    return [[_ring(ring, digits) for ring in (part.exterior, *part.interiors)] for part in parts]


def _ring(ring: shapely.LinearRing, digits: int) -> list:
    at = np.round(shapely.get_coordinates(ring), digits)
    moves = np.ones(len(at), bool)
    moves[1:] = (np.diff(at, axis=0) != 0).any(axis=1)
    return at[moves].tolist()
