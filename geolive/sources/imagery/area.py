"""The area in which images are wanted: the districts of a region, a box, a circle, or the surroundings of surveyed places."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely import Geometry

from geolive.antimeridian import bounds_of, box_of
from geolive.boundary_files import Boundaries, BoundaryFile
from geolive.clusters import SITE_RADIUS_KM
from geolive.dataset import Dataset
from geolive.dataset_folder import read_dataset
from geolive.errors import InputError
from geolive.geodesy import chord_to_km, km_to_chord, unit_sphere
from geolive.regions import INDIA_SOURCE, find_region, not_a_box, parse_box
from geolive.sources.imagery.tile_grid import ZOOM, N, check_number, tile_bounds, tile_of, tiles_covering
from geolive.tables import bad_positions, lonlat

# the tiles of a wider circle are looked for one by one
_MOST_KM = 200.0


@dataclass(frozen=True)
class Area:
    """An area, and the tiles that cover it.

    Parameters
    ----------
    name : str
        Name for people.
    key : str
        Equal for equal areas.
    options : tuple of str
        Options of the command line that name this area.
    tiles : array of int, shape (n, 2)
        Column and row at zoom 14.
    polygon : Geometry or None
        EPSG:4326; None around a survey or a point.
    districts : GeoDataFrame or None
        As `geolive.regions` reads them; None where they are unknown.
    country : str
        Code of the country of the districts, or empty where it is unknown.
    survey : Dataset or None
        A dataset; images near its clusters are wanted.
    circle : tuple of three floats, or None
        Longitude and latitude of a point, degrees, and a radius in metres; images within it are wanted.
    keys : tuple of str, or None
        Keys of images that are wanted wherever they are; such an area has no tiles.
    """

    name: str
    key: str
    options: tuple[str, ...]
    tiles: np.ndarray
    polygon: Geometry | None = None
    districts: gpd.GeoDataFrame | None = None
    country: str = ""
    survey: Dataset | None = None
    circle: tuple[float, float, float] | None = None
    keys: tuple[str, ...] | None = None

    def holds(self, degrees: ArrayLike) -> np.ndarray:
        """Return whether points (longitude, latitude; shape (n, 2)) are in the area, as an array of bool, shape (n,)."""
        degrees = np.asarray(degrees, float).reshape(-1, 2)
        if self.keys is not None:
            return np.ones(len(degrees), bool)
        if self.circle is not None:
            chord = np.linalg.norm(unit_sphere(degrees) - unit_sphere(np.array([self.circle[:2]])), axis=1)
            return chord <= km_to_chord(self.circle[2] / 1000)
        if self.polygon is not None:
            shapely.prepare(self.polygon)
            return shapely.intersects_xy(self.polygon, degrees[:, 0], degrees[:, 1])
        chord, _ = self._survey_places.query(unit_sphere(degrees))
        return chord <= km_to_chord(SITE_RADIUS_KM)

    def tiles_at(self, zoom: int) -> np.ndarray:
        """Return the tiles of another zoom, at most 14, that cover the area: column and row, shape (n, 2), row by row.

        Examples
        --------
        >>> area = area_of_box("85.1,25.5,85.2,25.6")
        >>> len(area.tiles_at(14)), area.tiles_at(12).tolist()
        (36, [[3016, 1746], [3017, 1746], [3016, 1747], [3017, 1747]])
        """
        if not len(self.tiles):
            return self.tiles
        tiles = np.unique(self.tiles >> (ZOOM - zoom), axis=0)
        return tiles[np.lexsort(tiles.T)]

    @cached_property
    def _survey_places(self):
        from scipy.spatial import cKDTree

        assert self.survey is not None, "an area without a polygon is the surroundings of a survey"
        return cKDTree(unit_sphere(lonlat(self.survey.clusters.geometry)))


def find_area(
    *,
    region: str | None = None,
    bbox: str | None = None,
    clusters: str | Path | None = None,
    around: str | None = None,
    radius_m: float | None = None,
    boundaries: Boundaries | None = None,
) -> Area:
    """Find the area that exactly one of the parameters names.

    Parameters
    ----------
    region : str, optional
        As in `area_of_region`.
    bbox : str, optional
        As in `area_of_box`.
    clusters : str or Path, optional
        Folder of a dataset, as in `area_around`.
    around, radius_m : str and float, optional
        As in `area_of_circle`.
    boundaries : str, Path or BoundaryFile, optional
        A file of districts in place of India's.

    Raises
    ------
    InputError
        None or several of them are given, or the area cannot be found or is too large.

    Examples
    --------
    >>> find_area(bbox="85.1,25.5,85.2,25.6").name
    'the box 85.1,25.5,85.2,25.6'
    """
    if sum(given is not None for given in (region, bbox, clusters, around)) != 1:
        raise InputError("name one area; give region='goa', bbox='W,S,E,N', around='LON,LAT' or clusters='DATASET'")
    if radius_m is not None and around is None:
        raise InputError(f"radius_m={radius_m:g}: needs a point; name it with around='LON,LAT'", parameter="radius_m")
    if around is not None:
        return area_of_circle(around, radius_m, boundaries)
    if clusters is not None:
        return area_around(read_dataset(clusters))
    return area_of_box(bbox, boundaries) if bbox is not None else area_of_region(region, boundaries)


def area_of_region(region: str | None, boundaries: Boundaries | None = None) -> Area:
    """Return the area of the districts of a region, which `geolive.regions.find_region` finds.

    Raises
    ------
    InputError
        The region is unknown or too large.

    Examples
    --------
    >>> area = area_of_region("goa")
    >>> area.name, area.holds([[73.9, 15.5], [85.1, 25.6]]).tolist()
    ('Goa', [True, False])
    """
    where = find_region(region, boundaries)
    country = "ia" if where.source == INDIA_SOURCE else ""
    options = _options(region=region, boundaries=boundaries)
    tiles = tiles_covering(where.area)
    return Area(where.name, _key(where.area), options, tiles, where.area, where.districts, country)


def area_of_box(text: str, boundaries: Boundaries | None = None) -> Area:
    """Return the area of a bounding box, "west,south,east,north" in degrees; images outside its edges are left out.

    Raises
    ------
    InputError
        The text is no bounding box, or the box is too large.

    Examples
    --------
    >>> area = area_of_box("85.1,25.5,85.2,25.6")
    >>> area.holds([[85.15, 25.55], [85.3, 25.55]]).tolist()
    [True, False]
    """
    bounds = parse_box(text, "bbox")
    if bounds is None:
        raise not_a_box(text, "bbox")
    box = box_of(*bounds)
    tiles = tiles_covering(box)
    districts, country = _districts_near(bounds, boundaries)
    return Area(
        f"the box {text}", _key(box), _options(bbox=text, boundaries=boundaries), tiles, box, districts, country
    )


def area_of_circle(text: str, radius_m: float | None, boundaries: Boundaries | None = None) -> Area:
    """Return the area within a distance of a point.

    Parameters
    ----------
    text : str
        "longitude,latitude" in degrees.
    radius_m : float
        Metres on the sphere.
    boundaries : str, Path or BoundaryFile, optional
        A file of districts in place of India's.

    Raises
    ------
    InputError
        The text is no position, the radius is missing or not above 0, or the area is too large.

    Examples
    --------
    >>> area = area_of_circle("85.14,25.6", 500)
    >>> area.holds([[85.144, 25.6], [85.146, 25.6]]).tolist()
    [True, False]
    """
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError:
        lon = lat = float("nan")
    if bad_positions(np.array([lon]), np.array([lat]))[0]:
        raise InputError(
            f"around={text!r}: is not a position; give longitude,latitude in degrees, for example 85.14,25.6",
            parameter="around",
        )
    if radius_m is None or not (np.isfinite(radius_m) and radius_m > 0):
        given = "is missing" if radius_m is None else f"{radius_m:g}: must be above 0"
        raise InputError(f"radius_m: {given}; give metres, for example radius_m=500", parameter="radius_m")
    tiles = _tiles_around(np.array([[lon, lat]]), radius_m / 1000)
    districts, country = _districts_near((lon, lat, lon, lat), boundaries)
    circle = (lon, lat, float(radius_m))
    digest = hashlib.sha256(repr(circle).encode()).hexdigest()
    options = _options(around=text, **{"radius-m": f"{radius_m:g}"}, boundaries=boundaries)
    name = f"{radius_m:g} m around {text}"
    return Area(name, digest, options, tiles, districts=districts, country=country, circle=circle)


def area_around(survey: Dataset) -> Area:
    """Return the area within 5 km of the clusters of a dataset.

    Raises
    ------
    InputError
        The dataset has no clusters, or they need too many tiles.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> survey = make_sample("goa", seed=0)
    >>> area = area_around(survey)
    >>> bool(area.holds(lonlat(survey.clusters.geometry)).all())
    True
    """
    if survey.clusters.empty:
        raise InputError(f"{survey.name}: has no clusters; give region='goa' or bbox='W,S,E,N'")
    where = lonlat(survey.clusters.geometry)
    tiles = _tiles_around(where, SITE_RADIUS_KM)
    digest = hashlib.sha256("\n".join(survey.clusters["unique_cluster"]).encode() + where.tobytes()).hexdigest()
    options = _options(clusters=survey.path)
    return Area(f"{len(where)} clusters of {survey.name}", digest, options, tiles, survey=survey)


def districts_of(area: Area, boundaries: Boundaries | None = None) -> gpd.GeoDataFrame | None:
    """Return the districts of an area, or None where they are unknown; those around a survey take a moment to find.

    Examples
    --------
    >>> len(districts_of(area_of_region("goa")))
    3
    """
    if area.districts is None and area.survey is not None:
        return _districts_near(bounds_of(area.survey.clusters.geometry), boundaries)[0]
    return area.districts


def _tiles_around(where: np.ndarray, km: float) -> np.ndarray:
    """Return the tiles within a distance of points, row by row."""
    if km > _MOST_KM:
        raise InputError(f"a radius of {km:g} km is too large; give at most {_MOST_KM:g} km, or a region or a box")
    reach = np.degrees(km_to_chord(km)) * 1.001
    tiles: set[tuple[int, int]] = set()
    for lon, lat in where:
        wide = reach / max(np.cos(np.radians(min(abs(lat) + reach, 89.9))), 1e-3)
        first_y, last_y = tile_of([[0, lat + reach], [0, lat - reach]])[:, 1]
        # columns beyond 180° are on the other side of the antimeridian
        first_x, last_x = (int(np.floor(((lon + side) / 360 + 0.5) * N)) for side in (-wide, wide))
        columns, rows = np.meshgrid(np.arange(first_x, last_x + 1), np.arange(first_y, last_y + 1))
        candidates = np.column_stack([columns.ravel(), rows.ravel()])
        bounds = tile_bounds(candidates)
        nearest = np.column_stack([np.clip(lon, bounds[:, 0], bounds[:, 2]), np.clip(lat, bounds[:, 1], bounds[:, 3])])
        gap = chord_to_km(np.linalg.norm(unit_sphere(nearest) - unit_sphere(np.array([[lon, lat]])), axis=1))
        # with a margin, because the nearest point of a tile is not exactly at the same longitude or latitude
        near = candidates[gap <= km * 1.02]
        tiles.update(zip((near[:, 0] % N).tolist(), near[:, 1].tolist(), strict=True))
    return check_number(np.array(sorted(tiles, key=lambda tile: (tile[1], tile[0]))))


def _districts_near(bounds: Sequence[float], boundaries: Boundaries | None) -> tuple[gpd.GeoDataFrame | None, str]:
    """Return the districts of a box and their country, if they are known."""
    # a box around a single place has no width, and must be widened to touch a district
    west, south, east, north = np.asarray(bounds, float) + np.array([-1e-3, -1e-3, 1e-3, 1e-3])
    try:
        # west and east stay as they are next to the antimeridian, where they would go over it
        near = (max(west, -180), max(south, -90), min(east, 180), min(north, 90))
        region = find_region(near, boundaries)
    except InputError:
        if boundaries is not None:
            raise
        return None, ""
    return region.districts, "ia" if region.source == INDIA_SOURCE else ""


def _options(**values: str | Path | BoundaryFile | None) -> tuple[str, ...]:
    words: list[str] = []
    for name, value in values.items():
        if value is not None:
            words += [f"--{name}", str(value)]
        if isinstance(value, BoundaryFile):
            for choice, chosen in value.choices:
                option = f"--{choice.replace('_', '-')}"
                words += [option] if chosen is True else [option, str(chosen)]
    return tuple(words)


def _key(polygon: Geometry) -> str:
    return hashlib.sha256(shapely.to_wkb(polygon)).hexdigest()
