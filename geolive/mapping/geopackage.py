"""Districts and sites as one GeoPackage, with the styles that QGIS reads from its table `layer_styles`."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyogrio
import pyogrio.errors

from geolive.auditing.embedded import STANDARD_URI
from geolive.errors import InputError
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.export_table import district_table, site_table
from geolive.mapping.map_passport import passport_text
from geolive.mapping.qgis_metadata import abstract, layer_title
from geolive.mapping.qgis_styles import district_style, site_style

LAYERS = ("districts", "sites")
_STYLES = "layer_styles"
# the columns that QGIS looks for
_STYLE_COLUMNS = (
    "id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT, "
    "f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT, "
    "owner TEXT, ui TEXT, update_time DATETIME"
)

# as OGC's GeoPackage 1.3 defines them, in annex F.8
_METADATA_TABLES = (
    "CREATE TABLE IF NOT EXISTS gpkg_metadata (id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL, "
    "md_scope TEXT NOT NULL DEFAULT 'dataset', md_standard_uri TEXT NOT NULL, mime_type TEXT NOT NULL DEFAULT 'text/xml', "
    "metadata TEXT NOT NULL DEFAULT '')",
    "CREATE TABLE IF NOT EXISTS gpkg_metadata_reference (reference_scope TEXT NOT NULL, table_name TEXT, column_name TEXT, "
    "row_id_value INTEGER, timestamp DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')), "
    "md_file_id INTEGER NOT NULL, md_parent_id INTEGER, "
    "CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id), "
    "CONSTRAINT crmr_mpi_fk FOREIGN KEY (md_parent_id) REFERENCES gpkg_metadata(id))",
    "CREATE TABLE IF NOT EXISTS gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, "
    "definition TEXT NOT NULL, scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name))",
)


def write_geopackage(district_map: DistrictMap, path: Path) -> None:
    """Write the layers `districts` and `sites`, each with its style; equal maps give equal layers.

    Parameters
    ----------
    district_map : DistrictMap
    path : Path
        A file to write; it replaces an older file.
    """
    path.unlink(missing_ok=True)
    tables = {"districts": district_table(district_map), "sites": site_table(district_map)}
    made = f"{district_map.provenance.made.isoformat()}T00:00:00.000Z"
    with _dated(made), failures_named(path.parent, "GeoPackage"):
        for number, (layer, table) in enumerate(tables.items()):
            options = {"IDENTIFIER": f"{layer_title(district_map)}: {layer}", "DESCRIPTION": abstract(district_map)}
            kind = "MultiPolygon" if layer == "districts" else "Point"
            pyogrio.write_dataframe(
                table, path, layer=layer, driver="GPKG", geometry_type=kind, append=number > 0, layer_options=options
            )
    styles = {"districts": district_style(district_map), "sites": site_style(district_map)}
    with failures_named(path.parent, "GeoPackage"), contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE {_STYLES} ({_STYLE_COLUMNS})")
        for layer, style in styles.items():
            database.execute(
                f"INSERT INTO {_STYLES} (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
                "styleQML, styleSLD, useAsDefault, description, owner, update_time) "
                "VALUES ('', '', ?, 'geom', 'geolive', ?, '', 1, 'Classes of the page', '', ?)",
                (layer, style.decode("utf-8"), made),
            )
        _write_passport(database, passport_text(district_map), made)
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
            "VALUES (?, 'attributes', ?, '', ?)",
            (_STYLES, _STYLES, made),
        )


def _write_passport(database: sqlite3.Connection, passport: str, made: str) -> None:
    """Put the passport into the tables of OGC's metadata extension, where GDAL and QGIS find it; nothing where it is empty."""
    if not passport:
        return
    for statement in _METADATA_TABLES:
        database.execute(statement)
    database.execute(
        "INSERT INTO gpkg_metadata (id, md_scope, md_standard_uri, mime_type, metadata) "
        "VALUES (1, 'dataset', ?, 'application/json', ?)",
        (STANDARD_URI, passport),
    )
    database.execute(
        "INSERT INTO gpkg_metadata_reference (reference_scope, timestamp, md_file_id) VALUES ('geopackage', ?, 1)",
        (made,),
    )
    database.executemany(
        "INSERT INTO gpkg_extensions (table_name, extension_name, definition, scope) "
        "VALUES (?, 'gpkg_metadata', 'http://www.geopackage.org/spec130/#extension_metadata', 'read-write')",
        [("gpkg_metadata",), ("gpkg_metadata_reference",)],
    )


def is_ours(path: Path) -> bool:
    """Return whether a GeoPackage holds the layers that geolive wrote and nothing else.

    Examples
    --------
    >>> is_ours(Path("no.gpkg"))
    False
    """
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database,
    ):
        rows = database.execute("SELECT table_name, description FROM gpkg_contents").fetchall()
        names = {name for name, _ in rows}
        return names == {*LAYERS, _STYLES} and all("geolive " in words for name, words in rows if name in LAYERS)
    return False


@contextlib.contextmanager
def failures_named(folder: Path, kind: str) -> Iterator[None]:
    """Raise InputError where GDAL or SQLite cannot write; they do not say why the disk took no more.

    Examples
    --------
    >>> with failures_named(Path("maps"), "GeoPackage"):
    ...     pass
    """
    try:
        yield
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, sqlite3.OperationalError) as error:
        said = " ".join(str(error).split())
        raise InputError(
            f"{folder}: a {kind} cannot be written ({said}), as where the disk is full; free some space there, or "
            "choose another "
            "folder, then run the command again"
        ) from error


@contextlib.contextmanager
def _dated(moment: str) -> Iterator[None]:
    """Let GDAL write this moment in place of the present one."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": moment})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
