"""Read a user's file of districts: its polygons, and the columns that name them."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import shapely

from geolive.antimeridian import cut
from geolive.boundary_columns import named_districts, people_of_districts
from geolive.coverage import crossings, polygonal_parts
from geolive.errors import InputError
from geolive.gdal_files import check_beginning, vector_encoding, vector_source
from geolive.storage.views import local_input
from geolive.table_files import read_geoparquet
from geolive.tables import CRS
from geolive.terminal_text import as_unicode
from geolive.text_encodings import not_decoded
from geolive.wording import listed

_MOST_LISTED = 5
# borders with fewer corners are repaired, however they cross themselves
_FEW_CORNERS = 500
# a unit of which another holds so much lies in it
_NESTED_SHARE = 0.9
_DEGREES = (540, 90.001)
_NAME_CRS = "give its coordinate reference system, for example crs='EPSG:32645' for UTM zone 45 north"


@dataclass(frozen=True, eq=False)
class BoundaryFile:
    """The districts of a file, and whose borders they are.

    Wherever a function takes `boundaries`, it takes this object in place of the file's name.

    Parameters
    ----------
    path : Path
    districts : GeoDataFrame
        `district_id` (unique), `district`, `state` ("" where the file does not say), `geometry` (MultiPolygon), EPSG:4326, with
        borders as the file has them, but valid, and cut at the antimeridian.
    source : str
        Whose borders these are, and the column that the names were taken from.
    notes : tuple of str
        What was chosen, repaired and left out.
    choices : tuple of (str, str or bool)
        Parameters that the user chose for reading the file, by name; `layer`, for example.
    """

    path: Path
    districts: gpd.GeoDataFrame
    source: str
    notes: tuple[str, ...] = ()
    choices: tuple[tuple[str, str | bool], ...] = ()

    def __str__(self) -> str:
        return str(self.path)


# a file of districts, or its name
Boundaries = str | Path | BoundaryFile


def read_boundaries(
    path: str | Path,
    *,
    layer: str | None = None,
    name_column: str | None = None,
    id_column: str | None = None,
    people_column: str | None = None,
    encoding: str | None = None,
    crs: str | None = None,
    drop_invalid: bool = False,
) -> BoundaryFile:
    """Read the districts of a file.

    Parameters
    ----------
    path : str or Path
        Polygons: GeoPackage, GeoJSON, TopoJSON, shapefile (also in a .zip), FlatGeobuf, KML or GeoParquet.
    layer : str, optional
        Layer of a file with several. By default the one with the most polygons.
    name_column : str, optional
        Column with the districts' names. By default the most specific column of names whose values are unique: in a file with
        the columns `block`, `district` and `st_nm`, the names are those of `block`.
    id_column : str, optional
        Column with unique ids. By default the most specific of the usual columns of ids whose values are unique
        (`GID_3`, `ADM2_PCODE`, `shapeID`, …), else the names.
    people_column : str, optional
        Column with the number of people of each district, which benchmarked maps weight by; kept as `people`.
    encoding : str, optional
        Encoding of the texts of a shapefile or GeoJSON file, for example "CP1251". By default as the file states; where it does
        not, UTF-8 if its texts can be read so, else CP1252, and a note says so.
    crs : str, optional
        Coordinate reference system of the file's coordinates, for example "EPSG:32645", where the file names none or a wrong
        one.
    drop_invalid : bool
        Leave out the units that have no area (no geometry, points or lines alone, a scribble), instead of raising at the first.

    Returns
    -------
    BoundaryFile
        Polygons that cross themselves are repaired, and what has no area in them is left out (spikes, lines and points); notes
        name these units.

    Raises
    ------
    InputError
        The file cannot be read, a column is missing or holds no name or id in some row, the ids are not unique, a unit holds
        others, or has no area.

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
    path = local_input(path)
    given = {"layer": layer, "name_column": name_column, "id_column": id_column, "encoding": encoding, "crs": crs}
    asked = tuple((name, value) for name, value in (given | {"drop_invalid": drop_invalid}).items() if value)
    raw, words, chosen = _read_layer(path, layer, encoding, crs)
    columns, name_column = named_districts(path, raw, name_column, id_column)
    if people_column is not None:
        columns["people"] = people_of_districts(path, raw, people_column).to_numpy()
    shapes, repaired = _repaired(raw.geometry.to_numpy())
    names = columns["district"].tolist()
    kept, left_out = _with_area(path, raw, shapes, names, drop_invalid)
    districts = gpd.GeoDataFrame(columns[kept], geometry=shapes[kept], crs=CRS).reset_index(drop=True)
    _refuse_nested(path, districts)
    notes = [*chosen, *left_out]
    if said := [names[i] for i in np.flatnonzero(repaired & kept)]:
        notes.append(f"borders that cross themselves, or have a spike, were repaired: {listed(said, _MOST_LISTED)}")
    source = f"{_owner(path)}{words}, names from column {name_column!r}"
    return BoundaryFile(path, districts, source, tuple(notes), asked)


def read_polygons(path: str | Path) -> gpd.GeoDataFrame:
    """Read the polygons of a vector file, with its columns, in EPSG:4326, valid and cut at the antimeridian.

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
    raw, _, _ = _read_layer(Path(path))
    shapes, _ = _repaired(raw.geometry.to_numpy())
    _with_area(Path(path), raw, shapes, None, drop_invalid=False)
    return raw.set_geometry(gpd.GeoSeries(shapes, index=raw.index, crs=CRS))


def _read_layer(
    path: Path, layer: str | None = None, encoding: str | None = None, crs: str | None = None
) -> tuple[gpd.GeoDataFrame, str, list[str]]:
    """Return the rows of a layer in degrees, words that name the layer where the file has several, and notes on the choice."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a polygon file such as .geojson, .gpkg or .shp")
    words = ""
    notes: list[str] = []
    try:
        if path.suffix.lower() in (".parquet", ".geoparquet"):
            check_beginning(path)
            raw = read_geoparquet(path)
        else:
            found = vector_encoding(path) if encoding is None else None
            with vector_source(path, encoding) as source:
                chosen, words, notes = _choose_layer(path, source, layer)
                raw = pyogrio.read_dataframe(source, layer=chosen)
            if found is not None and found.guessed:
                notes.append(found.note(path))
        if not isinstance(raw, gpd.GeoDataFrame) or raw.empty:
            raise ValueError("it holds no polygon")
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise not_decoded(path, error) from error
    except Exception as error:  # any error of GDAL or Arrow about a user's file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: cannot be read as polygons: {reason}; check that the file is whole") from error
    return _in_degrees(path, _without_nested_values(raw), crs), words, notes


def _without_nested_values(raw: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the rows without columns of lists or objects, as GeoJSON may have them; these name no unit."""
    nested = [
        column
        for column in raw.columns.drop(raw.geometry.name)
        if raw[column].map(lambda value: isinstance(value, dict | list | np.ndarray)).any()
    ]
    return raw.drop(columns=nested)


def _choose_layer(path: Path, source: str, layer: str | None) -> tuple[str | None, str, list[str]]:
    """Return the layer to read (None for the only one), words that name it, and a note where there was a choice."""
    kinds = {str(name): kind for name, kind in pyogrio.list_layers(source)}
    if not kinds:
        raise ValueError("it holds no layer")
    if layer is not None:
        if layer not in kinds:
            raise InputError(
                f"layer={layer!r} is not a layer of {path}; its layers are: {', '.join(kinds)}", parameter="layer"
            )
        return layer, f", layer {layer!r}" if len(kinds) > 1 else "", []
    # tables without geometry are QGIS's styles and the like
    polygons = {
        name: _count(source, name) for name, kind in kinds.items() if kind and _holds_polygons(source, name, kind)
    }
    if len(kinds) < 2 or not polygons:
        return None, "", []
    chosen = max(polygons, key=lambda name: polygons[name])
    if len(polygons) == 1:
        return chosen, f", layer {chosen!r}", []
    shown = listed([f"{name} ({n:,} units)" for name, n in polygons.items()], 2 * _MOST_LISTED)
    note = f"{path.name} has the layers {shown}: {chosen!r} is read, the finest; choose another with layer='NAME'"
    return chosen, f", layer {chosen!r}", [note]


def _count(source: str, layer: str) -> int:
    return int(pyogrio.read_info(source, layer=layer, force_feature_count=True)["features"])


def _holds_polygons(source: str, layer: str, kind: str) -> bool:
    if "Polygon" in kind or "MultiSurface" in kind:
        return True
    if kind not in ("Unknown", "GeometryCollection", "Unknown Z", "GeometryCollection Z"):
        return False
    # the folders of a KML file do not say what they hold
    first = pyogrio.read_dataframe(source, layer=layer, max_features=1, columns=[])
    return bool(first.geom_type.str.contains("Polygon|GeometryCollection").any()) if len(first) else False


def _in_degrees(path: Path, raw: gpd.GeoDataFrame, crs: str | None) -> gpd.GeoDataFrame:
    """Return the rows with longitudes and latitudes."""
    if crs is not None:
        raw = raw.set_crs(checked_crs(crs), allow_override=True)
    if raw.crs is None and path.suffix.lower() in (".topojson", ".json"):
        raw = raw.set_crs(CRS)  # the format has no place for another one
    if raw.crs is None:
        raise InputError(
            f"{path}: names no coordinate reference system; {_NAME_CRS}, or crs='EPSG:4326' for degrees",
            parameter="crs",
        )
    try:
        degrees = raw.to_crs(CRS)
    except (pyproj.exceptions.ProjError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: its coordinate reference system cannot be used ({reason}); {_NAME_CRS}", parameter="crs"
        ) from error
    bounds = shapely.total_bounds(degrees.geometry.to_numpy())
    # without any shape, the bounds are no numbers, and another check says so
    if (
        np.isinf(bounds).any()
        or (np.abs(bounds[[0, 2]]) > _DEGREES[0]).any()
        or (np.abs(bounds[[1, 3]]) > _DEGREES[1]).any()
    ):
        west, south, east, north = shapely.total_bounds(raw.geometry.to_numpy())
        raise InputError(
            f"{path}: reaches from {west:.10g}, {south:.10g} to {east:.10g}, {north:.10g}, which are not degrees"
            f"{'' if crs is None else ' and no coordinates of ' + crs}; {_NAME_CRS}",
            parameter="crs",
        )
    return degrees


def checked_crs(name: str) -> pyproj.CRS:
    """Return the coordinate reference system of a name, such as "EPSG:32645".

    Raises
    ------
    InputError
        There is no such system.

    Examples
    --------
    >>> checked_crs("EPSG:32645").name
    'WGS 84 / UTM zone 45N'
    >>> checked_crs("EPSG:0")
    Traceback (most recent call last):
    geolive.errors.InputError: crs='EPSG:0': is not known; give for example crs='EPSG:32645' for UTM zone 45 north
    """
    try:
        return pyproj.CRS.from_user_input(name)
    except (pyproj.exceptions.CRSError, ValueError, TypeError):
        raise InputError(
            f"crs={name!r}: is not known; give for example crs='EPSG:32645' for UTM zone 45 north", parameter="crs"
        ) from None


def _repaired(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return valid MultiPolygons, cut at the antimeridian, and which of them had to be repaired."""
    areal = np.isin(shapely.get_type_id(shapes), (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON))
    broken = areal & ~shapely.is_valid(shapes)
    shapes = shapes.copy()
    shapes[_beyond_repair(shapes, broken)] = None
    areal &= ~shapely.is_missing(shapes)
    # a ring that steps over the antimeridian looks as if it crossed the whole globe, so it is cut before it is repaired
    cut_shapes = shapely.force_2d(shapes)
    cut_shapes[areal] = cut(cut_shapes[areal])
    return polygonal_parts(cut_shapes), broken


def _beyond_repair(shapes: np.ndarray, broken: np.ndarray) -> np.ndarray:
    """Return which of the broken shapes nothing can repair."""
    found = np.zeros(len(shapes), bool)
    for i in np.flatnonzero(broken):
        found[i] = not np.isfinite(shapely.get_coordinates(shapes[i])).all() or _is_scribble(shapes[i])
    return found


def _is_scribble(shape: shapely.Geometry) -> bool:
    """Return whether borders cross themselves more often than they have corners: the inside of such a shape means nothing."""
    corners = shapely.get_num_coordinates(shape)
    return corners > _FEW_CORNERS and crossings(shape) > corners


def _with_area(
    path: Path, raw: gpd.GeoDataFrame, shapes: np.ndarray, names: list[str] | None, drop_invalid: bool
) -> tuple[np.ndarray, list[str]]:
    """Return which rows have an area, and a note on those that are left out."""
    kept = shapely.area(shapes) > 0
    if kept.all():
        return kept, []
    rows = np.flatnonzero(~kept)
    if not drop_invalid or not kept.any():
        row = int(rows[0])
        shape = raw.geometry.iloc[row]
        what = "it has no geometry" if shape is None or shape.is_empty else f"a {shape.geom_type} has no area"
        if shape is not None and not np.isfinite(shapely.get_coordinates(shape)).all():
            what = "a coordinate is not a number"
        elif shape is not None and _is_scribble(shape):
            what = f"its border crosses itself about {crossings(shape):,} times"
        who = f" ({names[row]})" if names else ""
        remedy = "correct it"
        if kept.any():
            remedy = f"correct it, or leave such rows out with drop_invalid=True ({len(rows):,} of {len(kept):,})"
        raise InputError(f"{path}: row {row}{who}: not a polygon: {what}; {remedy}")
    left_out = listed([names[i] for i in rows] if names else [f"row {i}" for i in rows], _MOST_LISTED)
    return kept, [f"{len(rows):,} of {len(kept):,} units are not polygons with an area and were left out: {left_out}"]


def _refuse_nested(path: Path, districts: gpd.GeoDataFrame) -> None:
    """Raise where a unit holds another: a state among its districts would leave nothing of them."""
    shapes, names = districts.geometry.to_numpy(), districts["district"]
    inside = shapely.point_on_surface(shapes)
    inner, outer = shapely.STRtree(shapes).query(inside, predicate="within")
    inner, outer = inner[inner != outer], outer[inner != outer]
    # of two equal units, each holds the other; borders of a state and of its districts may differ a little
    shared = shapely.area(shapely.intersection(shapes[inner], shapes[outer]))
    nested = np.flatnonzero(shared > _NESTED_SHARE * shapely.area(shapes[inner]))
    if len(nested):
        pairs = [f"{names[outer[i]]!r} holds {names[inner[i]]!r}" for i in nested]
        raise InputError(
            f"{path}: {listed(pairs, 2)}; remove units that hold others, or that occur twice, or choose a layer without them"
        )


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
    return f"districts as in {as_unicode(path.name)}"
