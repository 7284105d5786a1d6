"""Open the files that users give with GDAL, each with one driver and apart from the files beside it.

GDAL chooses a driver by the content of a file, whatever its name says. Some drivers read other files, or send requests, as the
file tells them (`OGR_VRT`, `WFS`, `GDALG`), and some write files beside their input. No file that a user gives is therefore
opened by its own path: GDAL sees a link in a private folder, under a name or prefix that only one driver accepts.
"""

import contextlib
import logging
import os
import re
import shutil
import sqlite3
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from geolive.errors import InputError
from geolive.text_encodings import Encoding, check_encoding, encoding_of_table, encoding_of_text
from geolive.user_files import opening

if TYPE_CHECKING:
    import rasterio

_SQLITE = b"SQLite format 3\0"
_ZIP = b"PK\x03\x04"
# how a file of each format begins, after a byte-order mark and white space in a text
BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    ".gpkg": (_SQLITE,),
    ".geojson": (b"{",),
    ".json": (b"{",),
    ".topojson": (b"{",),
    ".shp": (b"\0\0\x27\x0a",),
    ".fgb": (b"fgb\x03fgb\0", b"fgb\x03fgb\1"),
    ".kml": (b"<?xml", b"<kml"),
    ".kmz": (_ZIP,),
    ".zip": (_ZIP,),
    ".parquet": (b"PAR1",),
    ".geoparquet": (b"PAR1",),
    ".tif": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ".tiff": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
RASTER_SUFFIXES = (".tif", ".tiff")
VECTOR_SUFFIXES = (".geojson", ".json", ".topojson", ".gpkg", ".shp", ".fgb", ".kml", ".kmz", ".zip")
_JSON = {".geojson", ".json", ".topojson"}
_TEXTS = {*_JSON, ".kml"}
_SHAPEFILE_PARTS = (".shx", ".dbf", ".prj", ".cpg")
_IN_ZIP = (".shp", ".gpkg", ".geojson", ".json", ".fgb", ".kml")
_MOST_EXTRACTED = 8 * 2**30
_LARGEST_BLOCK = 2**28
# bytes 18 and 19 of an SQLite file are 2 where it is written through a log, which readers make anew beside it
_WRITE_AHEAD = b"\2\2"
_RASTER_SETTINGS = {
    # no file beside a raster is looked for
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    # MB; the default is a share of the machine's memory
    "GDAL_CACHEMAX": 128,
    "GDAL_HTTP_CONNECTTIMEOUT": 20,
    "GDAL_HTTP_TIMEOUT": 60,
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
}
# a feature a line, without a collection around them
_FEATURE_A_LINE = re.compile(rb'\s*\{[^\n]*"type"\s*:\s*"Feature"[^\n]*\}\s*\n\s*\{')
_REACHES_OUT = re.compile(r"\b(?:ogr_|gdal_|load_extension|readfile|writefile)\w*\s*\(", re.IGNORECASE)


@contextlib.contextmanager
def vector_source(path: str | Path, encoding: str | None = None) -> Iterator[str]:
    """Give the name by which pyogrio opens a vector file with the driver of its format, and with no other.

    Parameters
    ----------
    path : str or Path
        A file in one of `VECTOR_SUFFIXES`. Of a shapefile, the parts beside it are used; of a .zip or .kmz, the one vector file
        in it.
    encoding : str, optional
        Encoding of the texts of a shapefile, GeoJSON or TopoJSON file; by default as the file states or as its texts show
        (`vector_encoding`).

    Yields
    ------
    str
        A name for `pyogrio.list_layers`, `read_info`, `read_dataframe` and `read_arrow`, valid inside the block.

    Raises
    ------
    InputError
        The format is not accepted, the file does not begin as its format does, or it refers to other files.

    Examples
    --------
    >>> import geopandas as gpd, pyogrio, shapely
    >>> path = Path(tempfile.mkdtemp()) / "square.gpkg"
    >>> gpd.GeoDataFrame({"name": ["A"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=4326).to_file(path)
    >>> with vector_source(path) as source:
    ...     pyogrio.read_info(source)["driver"]
    'GPKG'
    >>> with vector_source("layers.vrt") as source:
    ...     pass
    Traceback (most recent call last):
    geolive.errors.InputError: layers.vrt: a .vrt file is not accepted; save it as .gpkg, .geojson or .shp
    """
    path = Path(path)
    _check_vector(path)
    if encoding is not None:
        check_encoding(encoding)
    with tempfile.TemporaryDirectory(prefix="geolive-") as folder, _quiet_gdal(), _named_as_given(path, folder):
        yield _source(path, Path(folder), str(path), encoding)


def vector_encoding(path: str | Path) -> Encoding | None:
    """Return the encoding of a vector file's texts where the file does not state it and they are not ASCII.

    Parameters
    ----------
    path : str or Path
        A file in one of `VECTOR_SUFFIXES`. Only shapefiles (also in a .zip), GeoJSON and TopoJSON may have other encodings than
        UTF-8.

    Raises
    ------
    InputError
        As `vector_source`.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "communes.geojson"
    >>> _ = path.write_text('{"type": "FeatureCollection", "features": []}')
    >>> vector_encoding(path) is None
    True
    """
    path = Path(path)
    _check_vector(path)
    with tempfile.TemporaryDirectory(prefix="geolive-") as folder, _named_as_given(path, folder):
        if path.suffix.lower() == ".zip":
            path = _extract(path, Path(folder), str(path))
        if path.suffix.lower() == ".shp":
            return None if ".cpg" in _parts_of(path) else encoding_of_table(_parts_of(path).get(".dbf", path))
        if path.suffix.lower() in _JSON:
            found = encoding_of_text(path)
            return None if found.name == "UTF-8" else found
    return None


def _check_vector(path: Path) -> None:
    if path.suffix.lower() not in VECTOR_SUFFIXES:
        raise InputError(f"{path}: a {_kind(path)} file is not accepted; save it as .gpkg, .geojson or .shp")
    check_beginning(path)


@contextlib.contextmanager
def _quiet_gdal() -> Iterator[None]:
    """Keep GDAL's remarks on a file from the terminal: what is wrong with it, our own message says."""
    logger = logging.getLogger("pyogrio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _named_as_given(path: Path, folder: str) -> Iterator[None]:
    """Let errors name the file as the user does, where they name the link, the copy or the extracted file in the folder."""
    inside = re.compile(rf"(?:\b\w+:)?{re.escape(folder)}[^\s'\"`,;:]*")
    try:
        yield
    except Exception as error:
        # an error keeps its kind, by which callers tell what happened
        error.args = tuple(
            inside.sub(lambda _: str(path), part) if isinstance(part, str) else part for part in error.args
        )
        if isinstance(error, OSError) and str(error.filename).startswith(folder):
            error.filename = str(path)
        raise


@contextlib.contextmanager
def open_raster(path: str | Path, overview: int | None = None) -> "Iterator[rasterio.DatasetReader]":
    """Open a GeoTIFF with rasterio, with GDAL's driver of GeoTIFFs and without the files beside it.

    GDAL keeps at most 128 MB of decoded blocks while it is open.

    Parameters
    ----------
    path : str or Path
        A file, or an address (http or https) that the user typed: GDAL then asks the server only for the parts that are read.
    overview : int, optional
        Number of one of the coarser versions that the file holds, from 0, to open in place of the raster itself.

    Yields
    ------
    rasterio.DatasetReader

    Raises
    ------
    InputError
        The file is not a GeoTIFF, or cannot be read.

    Examples
    --------
    >>> with open_raster("population.vrt") as raster:
    ...     pass
    Traceback (most recent call last):
    geolive.errors.InputError: population.vrt: a .vrt file is not accepted; save it as a GeoTIFF (.tif)
    """
    from geolive.extras import require_extra

    require_extra("raster")
    if is_address(path):
        with _opened(f"/vsicurl/{path}", str(path), overview, "the address, and that the server is in reach") as raster:
            yield raster
        return
    path = Path(path)
    if path.suffix.lower() not in RASTER_SUFFIXES:
        raise InputError(f"{path}: a {_kind(path)} file is not accepted; save it as a GeoTIFF (.tif)")
    check_beginning(path)
    with tempfile.TemporaryDirectory(prefix="geolive-") as folder:
        link = _link(path, Path(folder) / f"{_plain(path)}.tif")
        with _opened(str(link), str(path), overview, "that the file is whole") as raster:
            yield raster


def is_address(path: str | Path) -> bool:
    """Return whether the name of a raster is an address on the web.

    Examples
    --------
    >>> is_address("https://example.org/evi.tif"), is_address("evi.tif")
    (True, False)
    """
    return isinstance(path, str) and re.match(r"https?://[^/]", path, re.IGNORECASE) is not None


@contextlib.contextmanager
def _opened(name: str, shown: str, overview: int | None, check: str) -> "Iterator[rasterio.DatasetReader]":
    """Open a raster by GDAL's name for it; errors name it as the user does."""
    import rasterio
    from rasterio.errors import RasterioError

    options = {} if overview is None else {"overview_level": overview}
    try:
        with rasterio.Env(**_RASTER_SETTINGS), rasterio.open(name, driver="GTiff", sharing=False, **options) as raster:
            _check_blocks(shown, raster)
            yield raster
    except RasterioError as error:
        # GDAL's own words are in the cause where rasterio only says that reading failed
        reason = str(error.__cause__ or error).replace(name, shown)
        raise InputError(f"{shown}: cannot be read ({reason}); check {check}") from error


def _check_blocks(shown: str, raster: "rasterio.DatasetReader") -> None:
    """Refuse a raster with very large blocks, since GDAL reads each block as a whole, however small it is in the file."""
    import numpy as np

    for kind, (height, width) in zip(raster.dtypes, raster.block_shapes, strict=True):
        if height * width * np.dtype(kind).itemsize > _LARGEST_BLOCK:
            raise InputError(
                f"{shown}: its blocks of {width:,} × {height:,} cells are too large to read one by one; save it with tiles, "
                "with: gdal_translate -co TILED=YES"
            )


def check_beginning(path: str | Path) -> None:
    """Check that a file begins as its suffix says.

    Raises
    ------
    InputError
        There is no such file, it cannot be read, or it begins otherwise.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "districts.gpkg"
    >>> _ = path.write_text("<OGRVRTDataSource>")
    >>> check_beginning(path)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: ...: does not begin as a .gpkg file does; check what it is and name it accordingly
    """
    path = Path(path)
    with opening(path), path.open("rb") as file:
        beginning = file.read(4096)
    suffix = path.suffix.lower()
    if suffix in _TEXTS:
        beginning = beginning.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if not beginning.startswith(BEGINNINGS[suffix]) or (suffix == ".kml" and b"<kml" not in beginning):
        raise InputError(f"{path}: does not begin as a {suffix} file does; check what it is and name it accordingly")


def _source(path: Path, folder: Path, named: str, encoding: str | None) -> str:
    """Return the name for GDAL of a file whose beginning was checked; `named` is how messages name it."""
    suffix = path.suffix.lower()
    if suffix in (".zip", ".kmz"):
        return _source(_extract(path, folder, named), folder / "inner", named, encoding)
    folder.mkdir(exist_ok=True)
    if suffix == ".gpkg":
        return str(_safe_geopackage(path, folder / f"{_plain(path)}.gpkg", named))
    if suffix == ".kml":
        # only the driver of KML opens a .kmz file; a .kml file could be read as XML of any other driver
        with zipfile.ZipFile(folder / f"{_plain(path)}.kmz", "w") as archive:
            archive.write(path, "doc.kml")
        return str(folder / f"{_plain(path)}.kmz")
    if suffix == ".shp":
        parts = _parts_of(path)
        if ".shx" not in parts:
            raise InputError(
                f"{named}: its .shx file is missing; copy all its files (.shp, .shx, .dbf, .prj) to one folder"
            )
        chosen = encoding
        if chosen is None and ".cpg" not in parts:
            found = encoding_of_table(parts[".dbf"]) if ".dbf" in parts else None
            chosen = found.name if found else None
        if chosen is not None:
            parts.pop(".cpg", None)
            (folder / f"{_plain(path)}.cpg").write_text(chosen, encoding="ascii")
        for kind, part in parts.items():
            _link(part, folder / f"{_plain(path)}{kind}")
    if suffix in _JSON:
        found = encoding_of_text(path, encoding)
        if found.name.upper() not in ("UTF-8", "UTF8"):
            link = _in_utf8(path, folder / f"{_plain(path)}{suffix}", found.name, named)
            return f"{_json_driver(link)}:{link}"
    link = _link(path, folder / f"{_plain(path)}{suffix}")
    return f"{_json_driver(path)}:{link}" if suffix in _TEXTS else str(link)


def _parts_of(shapefile: Path) -> dict[str, Path]:
    """Return the files beside a .shp file that belong to it, by their suffix."""
    return {
        part.suffix.lower(): part
        for part in sorted(shapefile.parent.iterdir())
        if part.stem == shapefile.stem and part.suffix.lower() in _SHAPEFILE_PARTS
    }


def _in_utf8(path: Path, target: Path, encoding: str, named: str) -> Path:
    """Write a text file anew in UTF-8."""
    try:
        target.write_text(path.read_text(encoding=encoding), encoding="utf-8")
    except (UnicodeError, LookupError) as error:
        raise InputError(
            f"{named}: its texts are not encoded in {encoding} ({error}); give another encoding='NAME'",
            parameter="encoding",
        ) from None
    return target


def _json_driver(path: Path) -> str:
    """Return GDAL's driver for a JSON file; the prefix with its name excludes all others."""
    with path.open("rb") as file:
        beginning = file.read(2**16)
    if re.search(rb'"type"\s*:\s*"Topology"', beginning):
        return "TopoJSON"
    if _FEATURE_A_LINE.match(beginning):
        return "GeoJSONSeq"
    return "ESRIJSON" if b'"esriGeometry' in beginning else "GeoJSON"


def _safe_geopackage(path: Path, target: Path, named: str) -> Path:
    """Link a GeoPackage to `target`, or copy it with its log; refuse one whose tables reach outside of it."""
    with path.open("rb") as file:
        logged = file.read(20)[18:] == _WRITE_AHEAD
    if logged:
        shutil.copyfile(path, target)
        log = path.with_name(f"{path.name}-wal")
        if log.is_file():
            shutil.copyfile(log, target.with_name(f"{target.name}-wal"))
    else:
        _link(path, target)
    try:
        unchanging = "" if logged else "&immutable=1"
        with contextlib.closing(sqlite3.connect(f"{target.as_uri()}?mode=ro{unchanging}", uri=True)) as database:
            statements = [
                str(sql) for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
            ]
    except sqlite3.Error as error:
        raise InputError(f"{named}: cannot be read ({error}); check that the file is whole") from error
    for sql in statements:
        virtual = re.match(r"\s*CREATE\s+VIRTUAL\s+TABLE.*?\bUSING\s+(\w+)", sql, re.IGNORECASE | re.DOTALL)
        if (virtual and virtual[1].lower() != "rtree") or _REACHES_OUT.search(sql):
            raise InputError(f"{named}: holds a table that reads other files; save its layer to a file of its own")
    return target


def _extract(path: Path, folder: Path, named: str) -> Path:
    """Extract the one vector file of an archive, with its parts if it is a shapefile."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and "__MACOSX" not in m.filename]
            wanted = (".kml",) if path.suffix.lower() == ".kmz" else _IN_ZIP
            files = [PurePosixPath(m.filename) for m in members]
            candidates = [f for f in files if f.suffix.lower() in wanted]
            if len(candidates) != 1:
                listed = ", ".join(f.name for f in candidates[:10]) or "none"
                raise InputError(
                    f"{named}: holds {listed} where one vector file is needed; extract it and name the one"
                )
            suffixes = {
                candidates[0].suffix.lower(),
                *(_SHAPEFILE_PARTS if candidates[0].suffix.lower() == ".shp" else ()),
            }
            taken = [
                m for m, f in zip(members, files, strict=True)
                if f.with_suffix("") == candidates[0].with_suffix("") and f.suffix.lower() in suffixes
            ]  # fmt: skip
            if sum(m.file_size for m in taken) > _MOST_EXTRACTED:
                raise InputError(
                    f"{named}: holds more than {_MOST_EXTRACTED // 2**30} GB; extract it and name the file"
                )
            for member in taken:
                suffix = PurePosixPath(member.filename).suffix.lower()
                with archive.open(member) as packed, (folder / f"{_plain(candidates[0])}{suffix}").open("wb") as file:
                    shutil.copyfileobj(packed, file)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{named}: cannot be extracted ({error}); extract it and name the file in it") from error
    inner = folder / f"{_plain(candidates[0])}{candidates[0].suffix.lower()}"
    try:
        check_beginning(inner)
    except InputError:
        raise InputError(
            f"{named}: {candidates[0].name} in it does not begin as its name says; check what it is"
        ) from None
    return inner


def _link(path: Path, target: Path) -> Path:
    try:
        target.symlink_to(path.absolute())
    except OSError:  # Windows asks for a privilege
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)
    return target


def _plain(path: Path | PurePosixPath) -> str:
    """Return the file's name without its suffix and without characters that GDAL could take for a prefix or an archive."""
    return re.sub(r"[^\w-]", "_", path.stem)[:80] or "file"


def _kind(path: Path) -> str:
    return path.suffix.lower() or "nameless"
