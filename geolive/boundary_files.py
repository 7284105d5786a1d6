"""Read a user's file of districts: its polygons, and the columns that name them."""

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from geolive.errors import InputError
from geolive.gdal_files import check_beginning, vector_source
from geolive.tables import CRS

# columns of names, each with the administrative level that it names: 1 is a state, 2 a district; "own" names the unit itself
_NAME_PATTERNS = (
    (r"(?:name|adm|admin)_?(?P<level>[1-5])(?:_?(?:en|fr|es|pt|name|ref))?", None),
    (r"(?:village|gram|ward|locality|settlement|suco)(?:_?(?:name|nm))?", 4),
    (r"(?:sub_?district|sub_?county|block|taluka?|tehsil|mandal|commune|municipality|sdt|blk)(?:_?(?:name|nm))?", 3),
    (r"(?:district|dist|dt|county|zila|department|departement)(?:_?(?:name|nm))?", 2),
    (r"shapename|name|unit(?:_?name)?", 2.5),
    (r"(?:state|st|state_ut|province|region|division)(?:_?(?:name|nm))?", 1),
)
_ID_PATTERNS = (
    (r"(?:gid|adm|admin)_?(?P<level>[1-5])(?:_?(?:pcode|code|id))?", None),
    (r"(?:sub_?district|block|taluka?|tehsil|sdt)(?:_?(?:id|code|lgd|pcode))", 3),
    (r"(?:district|dist|dt)_?(?:id|code|lgd|pcode|cen_cd)", 2),
    (r"shapeid|id|code|pcode|fid|geoid", 2.5),
)
_STATE_LEVEL = 1
# a column of districts may hold some names twice (Aurangabad is in two states of India); fewer distinct names are another level's
_LEAST_DISTINCT = 0.9


@dataclass(frozen=True)
class BoundaryFile:
    """The districts of a file, and whose borders they are.

    Parameters
    ----------
    districts : GeoDataFrame
        `district_id` (unique), `district`, `state` ("" where the file does not say), `geometry`, EPSG:4326, with borders as the
        file has them.
    source : str
        Whose borders these are, and the column that the names were taken from.
    """

    districts: gpd.GeoDataFrame
    source: str


def read_boundaries(path: str | Path, *, name_column: str | None = None, id_column: str | None = None) -> BoundaryFile:
    """Read the districts of a file.

    Parameters
    ----------
    path : str or Path
        Polygons: GeoPackage, GeoJSON, TopoJSON, shapefile (also in a .zip), FlatGeobuf, KML or GeoParquet. Of several layers, the
        one with the most polygons is read.
    name_column : str, optional
        Column with the districts' names. By default the most specific column of names whose values are unique: in a file with
        the columns `block`, `district` and `st_nm`, the names are those of `block`.
    id_column : str, optional
        Column with unique ids. By default the most specific of the usual columns of ids whose values are unique
        (`GID_3`, `ADM2_PCODE`, `shapeID`, …), else the names.

    Returns
    -------
    BoundaryFile

    Raises
    ------
    InputError
        The file cannot be read, a column is missing or holds no name or id in some row, the ids are not unique, or a unit
        holds others.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "blocks.geojson"
    >>> columns = {"block": ["A", "B"], "district": ["Patna", "Patna"], "st_nm": ["Bihar", "Bihar"]}
    >>> squares = [shapely.box(85, 25, 86, 26), shapely.box(86, 25, 87, 26)]
    >>> gpd.GeoDataFrame(columns, geometry=squares, crs=4326).to_file(path)
    >>> districts_of_file = read_boundaries(path)
    >>> districts_of_file.districts["district"].tolist(), districts_of_file.districts["state"].tolist()
    (['A', 'B'], ['Bihar', 'Bihar'])
    >>> districts_of_file.source
    "districts as in blocks.geojson, names from column 'block'"
    """
    path = Path(path)
    raw, layer = _read_layer(path)
    name_column = _given(path, raw, name_column, "name_column") or _find_name_column(path, raw)
    id_column = _given(path, raw, id_column, "id_column")
    name = _texts(path, raw, name_column, "name")
    state = _states(raw, name_column)
    _refuse_nested(path, raw, name)
    columns = {
        "district_id": _ids(path, raw, name, state, id_column),
        "district": name,
        "state": state,
    }
    districts = gpd.GeoDataFrame(columns, geometry=raw.geometry.values, crs=CRS).astype(dict.fromkeys(columns, object))
    return BoundaryFile(districts, f"{_owner(path)}{layer}, names from column {name_column!r}")


def read_polygons(path: str | Path) -> gpd.GeoDataFrame:
    """Read the polygons of a vector file, with its columns, in EPSG:4326.

    Raises
    ------
    InputError
        The file cannot be read, has no coordinate reference system, or holds other geometries.

    Examples
    --------
    >>> read_polygons("none.geojson")
    Traceback (most recent call last):
    geolive.errors.InputError: none.geojson: no such file; give a polygon file such as .geojson, .gpkg or .shp
    """
    return _read_layer(Path(path))[0]


def _read_layer(path: Path) -> tuple[gpd.GeoDataFrame, str]:
    """Return the polygons, and words that name the layer where the file has several."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a polygon file such as .geojson, .gpkg or .shp")
    try:
        layer = None
        if path.suffix.lower() in (".parquet", ".geoparquet"):
            check_beginning(path)
            raw = gpd.read_parquet(path)
        else:
            with vector_source(path) as source:
                layer = _finest_layer(source)
                raw = pyogrio.read_dataframe(source, layer=layer)
        if not isinstance(raw, gpd.GeoDataFrame) or raw.empty:
            raise ValueError("it holds no polygon")
        if raw.crs is None:
            raise ValueError("it has no coordinate reference system; assign one")
        raw = raw.to_crs(CRS)
    except InputError:
        raise
    except Exception as error:  # any error of GDAL or Arrow about a user's file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: cannot be read as polygons: {reason}") from error
    polygonal = raw.geometry.geom_type.isin(["Polygon", "MultiPolygon"])
    if not polygonal.all():
        row = int(np.argmin(polygonal))
        raise InputError(f"{path}: row {row}: not a polygon ({raw.geometry.geom_type.iloc[row]}); keep polygons only")
    west, south, east, north = raw.total_bounds
    if not (-540 <= west <= east <= 540 and -90.001 <= south <= north <= 90.001):
        raise InputError(
            f"{path}: reaches from {west:.10g}, {south:.10g} to {east:.10g}, {north:.10g}, which are no degrees; "
            "assign the coordinate reference system of its metres to the file, or convert it to longitudes and latitudes"
        )
    valid = shapely.make_valid(shapely.force_2d(raw.geometry.values))
    return raw.set_geometry(gpd.GeoSeries(valid, crs=CRS)), f", layer {layer!r}" if layer else ""


def _finest_layer(source: str) -> str | None:
    """Return the polygon layer with the most units; None where there is one layer only."""
    layers = pyogrio.list_layers(source)
    polygons = [str(name) for name, kind in layers if kind and "Polygon" in kind]
    if len(layers) < 2 or not polygons:
        return None
    return max(polygons, key=lambda name: pyogrio.read_info(source, layer=name)["features"])


def _given(path: Path, raw: gpd.GeoDataFrame, column: str | None, parameter: str) -> str | None:
    """Return a column that the user named."""
    if column is not None and (column not in raw.columns or column == raw.geometry.name):
        raise InputError(
            f"{parameter}={column!r} is not a column of {path}; its columns are: {_listed(raw)}", parameter=parameter
        )
    return column


def _find_name_column(path: Path, raw: gpd.GeoDataFrame) -> str:
    """Return the most specific column of names whose values are unique."""
    known = _known_columns(raw, _NAME_PATTERNS)
    distinct = {column: raw[column].nunique() for column in raw.columns.drop(raw.geometry.name)}
    best = max(known, key=lambda column: (distinct[column], known[column]), default=None)
    if best is None or distinct[best] < _LEAST_DISTINCT * len(raw):
        # a column of an unusual name may hold the names of the units
        others = [column for column in distinct if distinct[column] == len(raw) and _holds_names(raw[column])]
        best = next((column for column in others if column not in known), best)
    if best is None:
        raise InputError(
            f"{path}: no column is known to hold the districts' names; choose one of [{_listed(raw)}] with "
            f"name_column={_listed(raw).split(', ')[0]!r}",
            parameter="name_column",
        )
    return best


def _ids(path: Path, raw: gpd.GeoDataFrame, name: pd.Series, state: pd.Series, column: str | None) -> pd.Series:
    """Return unique ids: those of the column that the user named, of a usual column, or made of the names."""
    if column is not None:
        ids = _texts(path, raw, column, "id")
        if ids.duplicated().any():
            row = int(np.argmax(ids.duplicated()))
            raise InputError(
                f"id_column={column!r} of {path}: {ids.iloc[row]!r} in row {row} occurs twice; choose a column of unique ids",
                parameter="id_column",
            )
        return ids
    known = _known_columns(raw, _ID_PATTERNS)
    unique = [column for column in known if raw[column].is_unique and raw[column].notna().all()]
    if unique:
        return raw[max(unique, key=lambda column: known[column])].astype(str)
    for ids in (name, state + "/" + name):
        if ids.is_unique:
            return ids
    return name + "/" + pd.Series(np.arange(len(raw)) + 1, index=raw.index).astype(str)


def _states(raw: gpd.GeoDataFrame, name_column: str) -> pd.Series:
    """Return the state of each district; "" where the file does not say."""
    known = _known_columns(raw, _NAME_PATTERNS)
    column = next((c for c in known if known[c] == _STATE_LEVEL and c != name_column), None)
    return raw[column].fillna("").astype(str) if column else pd.Series("", index=raw.index)


def _known_columns(raw: gpd.GeoDataFrame, patterns: tuple) -> dict[str, float]:
    """Return the columns with a usual name, each with its administrative level."""
    levels: dict[str, float] = {}
    for column in raw.columns.drop(raw.geometry.name):
        for pattern, level in patterns:
            match = re.fullmatch(pattern, str(column), re.IGNORECASE)
            if match:
                levels[column] = float(match["level"]) if level is None else level
                break
    return levels


def _holds_names(column: pd.Series) -> bool:
    """Return whether most values are words without digits, unlike ids."""
    texts = column.dropna().astype(str)
    return bool(len(texts) == len(column) and texts.str.fullmatch(r"[^\d]*[^\W\d_]{2}[^\d]*").mean() > 0.5)


def _texts(path: Path, raw: gpd.GeoDataFrame, column: str, what: str) -> pd.Series:
    texts = raw[column].fillna("").astype(str)
    if texts.eq("").any():
        row = int(np.argmax(texts.eq("")))
        raise InputError(f"{path}: column {column!r}, row {row}: no {what}; fill it in")
    return texts


def _refuse_nested(path: Path, raw: gpd.GeoDataFrame, name: pd.Series) -> None:
    """Raise where a unit holds another: a state among its districts would leave nothing of them."""
    holder, held = shapely.STRtree(raw.geometry.values).query(raw.geometry.values, predicate="covers")
    nested = np.flatnonzero(holder != held)
    if len(nested):
        outer, inner = (name.iloc[int(rows[nested[0]])] for rows in (holder, held))
        raise InputError(f"{path}: {outer!r} holds {inner!r}; remove units that hold others, or that occur twice")


def _listed(raw: gpd.GeoDataFrame) -> str:
    return ", ".join(map(str, raw.columns.drop(raw.geometry.name)))


def _owner(path: Path) -> str:
    """Return whose borders a file holds: what `fetch boundaries` wrote into it, since the licence asks for that, or its name."""
    if path.suffix.lower() == ".geojson":
        with contextlib.suppress(OSError, ValueError, RecursionError):
            document = json.loads(path.read_text(encoding="utf-8"))
            if (
                isinstance(document, dict)
                and "geoBoundaries" in document
                and isinstance(document.get("description"), str)
            ):
                return document["description"].rstrip(".")
    return f"districts as in {path.name}"
