"""Read passports back from the files that geolive wrote; nothing in such a file is trusted."""

import contextlib
import html
import json
import re
import sqlite3
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geolive.auditing.passport import FORMAT, Passport
from geolive.errors import InputError

# how files name it
KEY = "geolive-passport"
STANDARD_URI = "https://pypi.org/project/geolive#passport"
# a passport has some 10 kB, and a page holds one for each indicator
_MOST_PASSPORT, _MOST_FILE, _MOST_PASSPORTS, _MOST_STEPS = 200_000, 500_000_000, 50, 5_000_000
_HEAD = 8_000_000
_NO_ROOM = {
    ".csv": "a table has no room for one; audit the .xlsx or .geojson of the same map",
    ".fgb": "FlatGeobuf has no room for one; audit the .gpkg or .parquet of the same map",
    ".pmtiles": "tiles have no room for one; audit the .gpkg or .parquet of the same map",
    ".qgz": "a project only refers to its layers; audit the .gpkg beside it",
    ".png": "pictures have no room for one; audit the page or the .geojson of the same map",
    ".svg": "pictures have no room for one; audit the page or the .geojson of the same map",
    ".pdf": "pictures have no room for one; audit the page or the .geojson of the same map",
}


def read_passports(path: str | Path) -> list[Passport]:
    """Read the passports in a map's file, or in a .json file that `audit` wrote.

    Parameters
    ----------
    path : str or Path
        .html, .geojson, .gpkg, .xlsx, .parquet, .tif, .kml or .json.

    Returns
    -------
    list of Passport
        One for each indicator of a page, else one.

    Raises
    ------
    InputError
        There is no such file, it is of another kind, it holds no passport, or its passport is not as geolive writes it.

    Examples
    --------
    >>> read_passports("map.csv")
    Traceback (most recent call last):
    geolive.errors.InputError: map.csv: there is no such file
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    suffix = path.suffix.lower()
    if suffix in _NO_ROOM:
        raise InputError(f"{path}: holds no passport, since {_NO_ROOM[suffix]}")
    reader = _READERS.get(suffix)
    if reader is None:
        raise InputError(
            f"{path}: is neither a map that geolive wrote ({', '.join(_READERS)}), nor the folder of a dataset or a bundle"
        )
    if path.stat().st_size > _MOST_FILE:
        raise InputError(f"{path}: is larger than {_MOST_FILE // 1_000_000} MB; audit another file of the same map")
    try:
        found = reader(path)
    except InputError:
        raise
    except Exception as error:
        # what a damaged or hostile file makes a parser raise is not known
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read ({type(error).__name__}: {said}); make the file again") from error
    if not found:
        raise InputError(
            f"{path}: holds no passport, as where another program has saved it; make it again with predict, or audit the dataset "
            "and the bundle"
        )
    if len(found) > _MOST_PASSPORTS:
        raise InputError(f"{path}: holds more than {_MOST_PASSPORTS} passports; make the file again with predict")
    return [Passport.from_json(data, str(path)) for data in found]


def _loads(text: str) -> list[Any]:
    """Parse JSON of a passport or of a list of them."""
    if len(text) > _MOST_PASSPORT * (_MOST_PASSPORTS if text.startswith("[") else 1):
        raise InputError("a passport is longer than geolive's passports; make the file again with predict")
    data = json.loads(text)
    return data if isinstance(data, list) else [data]


def _from_page(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.search(rf'<script type="application/json" id="{KEY}">([^<]*)</script>', text)
    return _loads(found[1]) if found else []


def _from_geojson(path: Path) -> list[Any]:
    data = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    if isinstance(data, dict) and "format" in data:
        return [data]
    return [data["passport"]] if isinstance(data, dict) and "passport" in data else []


def _from_json(path: Path) -> list[Any]:
    data = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    if isinstance(data, list):
        return data
    return _from_geojson(path)


def _from_geopackage(path: Path) -> list[Any]:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        database.execute("PRAGMA trusted_schema = OFF")
        # a view may compute for ever
        database.set_progress_handler(lambda: 1, _MOST_STEPS)
        table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'gpkg_metadata'"
        if database.execute(table).fetchone() is None:
            return []
        query = "SELECT substr(metadata, 1, ?) FROM gpkg_metadata WHERE md_standard_uri = ? AND typeof(metadata) = 'text' LIMIT 2"
        row = database.execute(query, (_MOST_PASSPORT + 1, STANDARD_URI)).fetchone()
    return _loads(row[0]) if row else []


def _from_workbook(path: Path) -> list[Any]:
    """Return the passport among a workbook's texts; the sheet Passport holds it in a hidden row."""
    name = "xl/sharedStrings.xml"
    with zipfile.ZipFile(path) as archive:
        if name not in archive.namelist() or archive.getinfo(name).file_size > _HEAD * 8:
            return []
        with archive.open(name) as file:
            for _, element in ET.iterparse(file):
                if element.tag.endswith("}t") and (element.text or "").startswith(f'{{"format":"{FORMAT}"'):
                    return _loads(element.text or "")
                if element.tag.endswith("}si"):
                    element.clear()
    return []


def _from_geoparquet(path: Path) -> list[Any]:
    import pyarrow.parquet as pq

    facts = (pq.read_metadata(path).metadata or {}).get(b"geolive")
    if facts is None or len(facts) > 2 * _MOST_PASSPORT:
        return []
    data = json.loads(facts)
    return [data["passport"]] if isinstance(data, dict) and "passport" in data else []


def _from_geotiff(path: Path) -> list[Any]:
    # GDAL keeps its tags as XML text in the file's head
    return _from_xml_text(path, rb'<Item name="PASSPORT"[^>]*>([^<]*)</Item>')


def _from_kml(path: Path) -> list[Any]:
    return _from_xml_text(path, rb'<Data name="' + KEY.encode() + rb'">\s*<value>([^<]*)</value>')


def _from_xml_text(path: Path, pattern: bytes) -> list[Any]:
    with path.open("rb") as file:
        found = re.search(pattern, file.read(_HEAD))
    if not found:
        return []
    text = html.unescape(found[1].decode("utf-8", "replace"))
    # GDAL escapes a tag twice
    return _loads(text if text.startswith('{"') else html.unescape(text))


_READERS: dict[str, Callable[[Path], list[Any]]] = {
    ".html": _from_page,
    ".geojson": _from_geojson,
    ".gpkg": _from_geopackage,
    ".xlsx": _from_workbook,
    ".parquet": _from_geoparquet,
    ".tif": _from_geotiff,
    ".kml": _from_kml,
    ".json": _from_json,
}
