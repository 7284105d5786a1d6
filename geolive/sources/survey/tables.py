"""Read a survey's file, of any format, as columns of text with the number of each row, for messages that name it."""

import csv
import difflib
import itertools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from geolive.boundary_files import checked_crs
from geolive.errors import InputError
from geolive.gdal_files import check_beginning, vector_encoding, vector_source
from geolive.sources.survey.labelled_files import Chooser, Header, code_text, is_labelled, read_labelled
from geolive.sources.survey.value_labels import means_missing
from geolive.table_files import (
    bounded_lines,
    check_expansion,
    delimiter_of,
    has_decimal_comma,
    read_geoparquet,
    with_decimal_point,
)
from geolive.tables import CRS
from geolive.text_encodings import Encoding, encoding_of_text, not_decoded, not_text
from geolive.user_files import opening

_GEOSPATIAL = {".gpkg", ".geojson", ".json", ".shp", ".fgb", ".parquet", ".geoparquet"}
_PROGRAMS_TABLES = {"layer_styles", "qgis_projects"}
_MOST_SHOWN = 40


@dataclass(frozen=True)
class SurveyTable:
    """The chosen columns, as text, and what is wrong with each row so far.

    Parameters
    ----------
    path : Path
    row_word : str
        What a row's number counts: "line" of a text file, "row" of any other.
    row_numbers : list of int
        Of a text file the line in which the row begins, the header being line 1; else 1 for the first row.
    texts : dict of str to list of str
        The columns; empty where a cell is.
    reasons : list of str or None
        For each row what is wrong with it; whoever checks further writes into this list.
    positions : array of float, shape (rows, 2), or None
        Longitude and latitude of the geometry, degrees, if it was read; NaN where a row has none.
    encoding : Encoding or None
        Encoding of the texts, where the file does not state it.
    titles : dict of str to str
        The columns' labels, where the file has them.
    labels : dict of str to dict of str to str
        For each column the labels of its codes, where the file has them, without those that mean "missing".
    missing_codes : dict of str to list of str
        For each column with codes that are labelled as missing, the code of each row with its label, empty where the row has
        none. The cells of these codes are empty.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "survey.csv"
    >>> _ = path.write_text("x,y\\n85.1,25.6\\n")
    >>> table = read_table(path, lambda header: require(path, header, ["x"]), with_positions=False)
    >>> table.texts, table.place_of(0)
    ({'x': ['85.1']}, 'line 2')
    """

    path: Path
    row_word: str
    row_numbers: list[int]
    texts: dict[str, list[str]]
    reasons: list[str | None]
    positions: np.ndarray | None = None
    encoding: Encoding | None = None
    titles: dict[str, str] = field(default_factory=dict)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    missing_codes: dict[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.row_numbers)

    def place_of(self, i: int) -> str:
        """Name the i-th row in a message."""
        return f"{self.row_word} {self.row_numbers[i]}"


def is_geospatial(path: str | Path) -> bool:
    """Return whether a file of this name holds a geometry for each row (GeoPackage, GeoJSON, Shapefile, FlatGeobuf, GeoParquet).

    Examples
    --------
    >>> is_geospatial("clusters.gpkg"), is_geospatial("clusters.csv")
    (True, False)
    """
    return Path(path).suffix.lower() in _GEOSPATIAL


def read_table(
    path: str | Path,
    choose: Chooser,
    with_positions: bool,
    *,
    encoding: str | None = None,
    layer: str | None = None,
    crs: str | None = None,
) -> SurveyTable:
    """Read the chosen columns of a CSV, GeoPackage, GeoJSON, Shapefile, FlatGeobuf, GeoParquet, Stata or SPSS file.

    Parameters
    ----------
    path : str or Path
        The suffix says which format it is; what is not geospatial, nor a .dta, .sav or .zsav file, is read as CSV with a
        header. Commas separate the cells, or semicolons or tabs; with the latter two, numbers may have decimal commas.
    choose : callable
        Takes the file's column names and returns those wanted, or raises InputError (see `require`).
    with_positions : bool
        Whether to take positions from the geometry: points in any coordinate reference system. Geospatial files only.
    encoding : str, optional
        Encoding of the texts; by default UTF-8, UTF-16 where a CSV file begins so, and CP1252 where it cannot be read so.
    layer : str, optional
        Layer of a file with several layers.
    crs : str, optional
        Coordinate reference system of the geometry, in place of what the file names.

    Returns
    -------
    SurveyTable

    Raises
    ------
    InputError
        The file cannot be read, is empty, or holds geometries other than points.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.tables import points
    >>> path = Path(tempfile.mkdtemp()) / "survey.gpkg"
    >>> gpd.GeoDataFrame({"wealth": [1.5]}, geometry=points([85.1], [25.6])).to_crs(32645).to_file(path)
    >>> table = read_table(path, lambda header: require(path, header, ["wealth"]), with_positions=True)
    >>> table.texts, table.positions.round(6).tolist()
    ({'wealth': ['1.5']}, [[85.1, 25.6]])
    """
    path = Path(path)
    if is_labelled(path):
        return _read_labelled(path, choose, encoding)
    if not is_geospatial(path):
        with opening(path):
            return _read_csv(path, choose, encoding)
    check_beginning(path)
    return _read_geospatial(path, choose, with_positions, encoding, layer, crs)


def require(path: str | Path, header: list[str], names: list[str]) -> list[str]:
    """Return `names`; raise where one of them is not in the header, or is there twice.

    Raises
    ------
    InputError
        One is not there, or more than once; the message lists the columns, the most alike first.

    Examples
    --------
    >>> require("survey.csv", ["lon", "lat"], ["long"])
    Traceback (most recent call last):
    geolive.errors.InputError: survey.csv: no column 'long'; its columns are: 'lon', 'lat'
    """
    for name in names:
        if name not in header:
            alike = sorted(
                filter(None, dict.fromkeys(header)),
                key=lambda column: -difflib.SequenceMatcher(None, name.lower(), column.lower()[:100]).ratio(),
            )
            titles = header.titles if isinstance(header, Header) else {}
            listed = ", ".join(shown(column) + _title(titles.get(column)) for column in alike[:20])
            listed += ", …" if len(alike) > 20 else ""
            is_text = not is_geospatial(path) and not is_labelled(path)
            one = "; separate columns with commas, semicolons or tabs" if len(alike) == 1 and is_text else ""
            raise InputError(f"{path}: no column {name!r}; its columns are: {listed or 'none'}{one}")
        if header.count(name) > 1:
            raise InputError(f"{path}: column {name!r} occurs {header.count(name)} times; rename all but one")
    return names


def shown(text: str) -> str:
    """Quote a user's text for a message, and cut it where it is long.

    Examples
    --------
    >>> shown("a\\n")
    "'a\\\\n'"
    """
    return repr(text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…")


def _title(title: str | None) -> str:
    return f" ({title[:_MOST_SHOWN]})" if title else ""


def _read_labelled(path: Path, choose: Chooser, encoding: str | None) -> SurveyTable:
    """Read a file of Stata or SPSS; codes that are labelled as missing become empty cells, and are counted."""
    table = read_labelled(path, choose, encoding)
    if len(table.columns) == 0:
        raise InputError(f"{path}: has no rows; it needs a row for each surveyed place")
    texts, labels, missing_codes = {}, {}, {}
    for name in table.columns:
        of_codes = {code_text(code, name in table.short): label for code, label in table.labels.get(name, {}).items()}
        missing = {code for code, label in of_codes.items() if means_missing(label)}
        cells = table.texts(name)
        texts[name] = ["" if cell in missing else cell for cell in cells]
        if known := {code: label for code, label in of_codes.items() if code not in missing}:
            labels[name] = known
        if any(cell in missing for cell in cells):
            missing_codes[name] = [f"{cell} {of_codes[cell]}" if cell in missing else "" for cell in cells]
    numbers = list(range(1, len(table.columns) + 1))
    reasons: list[str | None] = [None] * len(numbers)
    return SurveyTable(path, "row", numbers, texts, reasons, None, table.encoding, table.titles, labels, missing_codes)


def _read_csv(path: Path, choose: Chooser, encoding: str | None) -> SurveyTable:
    lines, rows, header, chosen, at = [], [], None, [], 0
    try:
        # what is no plain file, such as a pipe, can be read once only
        found = Encoding("UTF-8") if encoding is None and not path.is_file() else encoding_of_text(path, encoding)
        name = "utf-8-sig" if found.name == "UTF-8" else found.name
        with path.open(encoding=name, newline="") as file:
            text = bounded_lines(path, file)
            begin = list(_through_header(text))
            delimiter = delimiter_of(begin[-1] if begin else "")
            # the csv module, for it knows the line of each row even after blank lines and quoted line breaks
            reader = csv.reader(itertools.chain(begin, text), strict=True, delimiter=delimiter)
            for row in reader:
                line, at = at + 1, reader.line_num
                row = [text.strip() for text in row]
                if not any(row):
                    continue
                if header is None:
                    header = row
                    if any("\0" in name for name in header):
                        raise not_text(path, found.name)
                    chosen = [*dict.fromkeys(choose(header))]
                    columns = [header.index(name) for name in chosen]
                    continue
                texts = [row[i] if i < len(row) else "" for i in columns]
                lines.append(line)
                rows.append((*texts, None if len(row) == len(header) else _n_fields(len(row), len(header))))
    except UnicodeError:
        raise not_text(path, found.name) from None
    except csv.Error as error:
        raise InputError(
            f"{path}: the row that begins in line {at + 1} is not CSV ({error}); correct its quotes"
        ) from None
    if header is None:
        raise InputError(f"{path}: is empty; it needs a line of column names and a row for each surveyed place")
    if not rows:
        raise InputError(f"{path}: has column names but no rows; it needs a row for each surveyed place")
    by_column = [list(column) for column in zip(*rows, strict=True)]
    if has_decimal_comma(delimiter, itertools.chain.from_iterable(by_column[:-1])):
        by_column[:-1] = [[with_decimal_point(cell) for cell in column] for column in by_column[:-1]]
    by_name = dict(zip(chosen, by_column[:-1], strict=True))
    return SurveyTable(path, "line", lines, by_name, reasons=by_column[-1], encoding=found)


def _through_header(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines up to the first that is not blank."""
    for line in lines:
        yield line
        if line.strip():
            return


def _n_fields(actual: int, expected: int) -> str:
    return f"{actual} fields where the header has {expected}"


def _read_geospatial(
    path: Path, choose: Chooser, with_positions: bool, encoding: str | None, layer: str | None, crs: str | None
) -> SurveyTable:
    found = None
    try:
        with warnings.catch_warnings(action="ignore"):  # what is wrong with a row, its own message says
            if path.suffix.lower().endswith("parquet"):
                table, geometry = _read_parquet(path, choose, with_positions)
            else:
                found = vector_encoding(path) if encoding is None else None
                table, geometry = _read_ogr(path, choose, with_positions, encoding, layer)
        texts = {name: [as_text(cell) for cell in table.column(name).to_pylist()] for name in table.column_names}
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise not_decoded(path, error) from error
    except Exception as error:  # any error of GDAL or Arrow about a user's file
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path}: cannot be read: {reason}; check that the file is whole") from error
    if len(table) == 0:
        raise InputError(f"{path}: has no rows; it needs a row for each surveyed place")
    reasons: list[str | None] = [None] * len(table)
    positions = None if geometry is None else positions_of_points(path, geometry, reasons, crs)
    return SurveyTable(path, "row", list(range(1, len(table) + 1)), texts, reasons, positions, found)


def _read_ogr(path: Path, choose: Chooser, with_positions: bool, encoding: str | None, layer: str | None):
    """Read the table of the chosen columns, and the geometry, as Arrow, in which whole numbers with gaps stay whole."""
    import pyogrio

    with vector_source(path, encoding) as source:
        layer = _survey_layer(path, pyogrio.list_layers(source), layer, with_positions)
        about = pyogrio.read_info(source, layer=layer)
        chosen = [*dict.fromkeys(choose([str(name) for name in about["fields"]]))]
        meta, table = pyogrio.read_arrow(source, layer=layer, columns=chosen, read_geometry=with_positions)
    geometry = None
    if with_positions:
        name = meta["geometry_name"] or "wkb_geometry"
        if about["geometry_type"] is None or name not in table.column_names:
            raise InputError(
                f"{path}: has no geometry; name the columns of positions with lon='COLUMN' and lat='COLUMN'"
            )
        geometry = gpd.GeoSeries.from_wkb(table.column(name).to_pylist(), crs=meta["crs"])
    return table.select(chosen), geometry


def _survey_layer(path: Path, layers: np.ndarray, layer: str | None, with_positions: bool) -> str:
    """Return the layer of the survey: the named one, or the only one."""
    kinds = {str(name): kind for name, kind in layers}
    if layer is not None:
        if layer not in kinds:
            raise InputError(
                f"layer={layer!r} is not a layer of {path}; its layers are: {', '.join(map(shown, kinds))}", "layer"
            )
        return layer
    # programs keep tables of their own beside the data, for example QGIS its styles
    usable = [name for name in kinds if name not in _PROGRAMS_TABLES]
    if with_positions and len(usable) > 1:
        usable = [name for name in usable if kinds[name] and "Polygon" not in kinds[name]] or usable
    if not usable:
        raise ValueError("it holds no layer")
    if len(usable) > 1:
        raise InputError(
            f"{path}: has {len(usable)} layers ({', '.join(map(shown, usable[:10]))}) where one is needed; name the survey's "
            f"with layer={usable[0]!r}"
        )
    return usable[0]


def _read_parquet(path: Path, choose: Chooser, with_positions: bool):
    import pyarrow.parquet

    check_expansion(path)
    geometry, header = None, pyarrow.parquet.read_schema(path).names
    if with_positions:
        if b"geo" not in (pyarrow.parquet.read_schema(path).metadata or {}):
            raise InputError(
                f"{path}: has no geometry; name the columns of positions with lon='COLUMN' and lat='COLUMN'"
            )
        geometry = read_geoparquet(path).geometry
        header = [name for name in header if name != geometry.name]
    chosen = [*dict.fromkeys(choose(header))]
    return pyarrow.parquet.read_table(path, columns=chosen).select(chosen), geometry


def as_text(cell: object) -> str:
    """Return a cell as text, empty where it is missing.

    Examples
    --------
    >>> as_text(0.5), as_text(" a "), as_text(float("nan"))
    ('0.5', 'a', '')
    """
    if cell is None or cell != cell:  # null or NaN
        return ""
    return (cell if isinstance(cell, str) else repr(cell) if isinstance(cell, float) else str(cell)).strip()


def positions_of_points(path: Path, geometry: gpd.GeoSeries, reasons: list[str | None], crs: str | None) -> np.ndarray:
    """Return the longitudes and latitudes of points, NaN where a row has none, with the reason in `reasons`.

    Parameters
    ----------
    path : Path
        Names the table in errors.
    geometry : GeoSeries of points
    reasons : list of str or None
        What is wrong with each row so far.
    crs : str or None
        Coordinate reference system in place of the one that `geometry` names.

    Raises
    ------
    InputError
        There is no coordinate reference system, or a geometry is not a point.

    Examples
    --------
    >>> positions_of_points(Path("a.gpkg"), gpd.GeoSeries.from_wkt(["POINT (85 25)"], crs=4326), [None], None)
    array([[85., 25.]])
    """
    if crs is not None:
        geometry = geometry.set_crs(checked_crs(crs), allow_override=True)
    if geometry.crs is None:
        raise InputError(
            f"{path}: names no coordinate reference system; give it, for example crs='EPSG:4326' for degrees, or name columns "
            "of degrees with lon='COLUMN' and lat='COLUMN'",
            parameter="crs",
        )
    shapes = geometry.to_numpy()
    # some programs write every point as a collection of one
    alone = (shapely.get_type_id(shapes) == shapely.GeometryType.MULTIPOINT) & (shapely.get_num_geometries(shapes) == 1)
    shapes = np.where(alone, shapely.get_geometry(shapes, 0), shapes)
    empty = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    other = ~empty & (shapely.get_type_id(shapes) != shapely.GeometryType.POINT)
    if other.any():
        row = int(np.argmax(other))
        raise InputError(
            f"{path}: row {row + 1}, geometry: not a point but a {shapes[row].geom_type}; a survey is of points: save their "
            "centroids, or name columns of positions with lon='COLUMN' and lat='COLUMN'"
        )
    projected = gpd.GeoSeries(np.where(empty, shapely.Point(), shapes), crs=geometry.crs).to_crs(CRS)
    positions = np.column_stack([projected.x.to_numpy(float), projected.y.to_numpy(float)])
    for i in np.flatnonzero(~np.isfinite(positions).all(axis=1)):
        reasons[i] = "geometry: missing position" if empty[i] else "geometry: has no longitude and latitude"
    positions[~np.isfinite(positions).all(axis=1)] = np.nan
    return positions
