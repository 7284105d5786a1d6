"""The districts and sites as a workbook for Excel and LibreOffice (.xlsx)."""

import datetime
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from geolive.auditing.passport import Passport
from geolive.disk_space import full_disk_named
from geolive.mapping.column_words import column_words, site_words
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.export_table import district_columns, site_table
from geolive.mapping.map_passport import passport_text
from geolive.mapping.page_method import how_it_was_made
from geolive.mapping.qgis_metadata import WRITTEN_BY, layer_title, plain_text
from geolive.tables import lonlat

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

_MOST_ROWS = 1_048_576
_MOST_LETTERS = 32_767
_NUMBER, _WHOLE = "0.000", "0"


def write_workbook(district_map: DistrictMap, path: Path) -> None:
    """Write the sheets Districts, Sites, Columns, Method and Passport; equal maps give equal bytes.

    Every text is stored as text, so none is run as a formula, whatever a name begins with. The values are those of the GeoJSON.

    Parameters
    ----------
    district_map : DistrictMap
    path : Path
        A file to write; it replaces an older file.

    Examples
    --------
    >>> import tempfile
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> path = Path(tempfile.mkdtemp()) / "pov.xlsx"
    >>> write_workbook(result, path)
    >>> is_our_workbook(path)
    True
    """
    from xlsxwriter import Workbook

    with (
        full_disk_named(path.parent),
        Workbook(str(path), {"in_memory": True, "default_date_format": "yyyy-mm-dd"}) as book,
    ):
        book.set_properties(_properties(district_map))
        head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        districts = district_columns(district_map)
        sites = _site_columns(district_map)
        _write_table(book, "Districts", districts, column_words(district_map), head)
        _write_table(book, "Sites", sites, site_words(district_map), head)
        words = site_words(district_map) | {"longitude": "Longitude, degrees", "latitude": "Latitude, degrees"}
        names = list(dict.fromkeys([*districts, *sites]))
        columns = {"column": names, "meaning": [words.get(name, "") for name in names]}
        _write_table(book, "Columns", columns, {}, head, width=80)
        method = [("Title", layer_title(district_map)), *_limits(district_map), *how_it_was_made(district_map)]
        _write_table(
            book, "Method", {"subject": [s for s, _ in method], "text": [t for _, t in method]}, {}, head, width=100
        )
        if district_map.passport is not None:
            _write_passport(book, district_map, district_map.passport, head)


def _write_passport(book: "Workbook", district_map: DistrictMap, passport: Passport, head: "Format") -> None:
    """Write the checks, and in a hidden row below them the passport for programs."""
    names = ("subject", "title", "status", "figure_text", "threshold", "says", "remedy")
    heads = ("of", "check", "status", "figure", "threshold", "finding", "what to do")
    checks = passport.worst_first
    columns = {shown: [getattr(check, name) for check in checks] for name, shown in zip(names, heads, strict=True)}
    _write_table(book, "Passport", columns, {}, head)
    sheet = book.get_worksheet_by_name("Passport")
    for number, width in enumerate((9, 32, 12, 14, 34, 70, 70)):
        sheet.set_column(number, number, width)
    sheet.write_string(len(checks) + 2, 0, passport_text(district_map)[:_MOST_LETTERS])
    sheet.set_row(len(checks) + 2, None, None, {"hidden": True})


def is_our_workbook(path: Path) -> bool:
    """Return whether geolive wrote a workbook; one that was saved by a spreadsheet program since is its user's.

    Examples
    --------
    >>> is_our_workbook(Path("no.xlsx"))
    False
    """
    try:
        with zipfile.ZipFile(path) as archive:
            properties = (
                archive.read("docProps/core.xml") if archive.getinfo("docProps/core.xml").file_size < 1e6 else b""
            )
            program = archive.read("docProps/app.xml") if archive.getinfo("docProps/app.xml").file_size < 1e6 else b""
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError, EOFError, ValueError):
        return False
    by_us = f"<dc:description>{WRITTEN_BY} ".encode() in properties
    saved_again = b"<cp:lastModifiedBy>geolive</cp:lastModifiedBy>" not in properties
    return by_us and not saved_again and b"LibreOffice" not in program


def _properties(district_map: DistrictMap) -> dict[str, Any]:
    made = district_map.provenance
    created = datetime.datetime.combine(made.made, datetime.time())
    return {
        "title": layer_title(district_map),
        "author": "geolive",
        "comments": f"{WRITTEN_BY} {made.version}",
        "created": created,
    }


def _limits(district_map: DistrictMap) -> list[tuple[str, str]]:
    simulated = "Survey and imagery are simulated; the values say nothing about the real places."
    return [
        *([("SIMULATED", simulated)] if district_map.provenance.simulated else []),
        ("Values", district_map.indicator.meaning),
    ]


def _site_columns(district_map: DistrictMap) -> dict[str, list]:
    table = site_table(district_map).head(_MOST_ROWS - 1)
    where = lonlat(table.geometry)
    columns: dict[str, list] = {str(name): table[name].tolist() for name in table.columns.drop("geometry")}
    return {
        "site_id": columns.pop("site_id"),
        "longitude": where[:, 0].round(6).tolist(),
        "latitude": where[:, 1].round(6).tolist(),
        **columns,
    }


def _write_table(
    book: "Workbook",
    title: str,
    columns: Mapping[str, Sequence],
    words: Mapping[str, str],
    head: "Format",
    width: int | None = None,
) -> None:
    """Write a sheet with one column for each name: names above, which stay in sight, and their words as notes."""
    sheet = book.add_worksheet(title)
    formats = {kind: book.add_format({"num_format": kind}) for kind in (_NUMBER, _WHOLE)}
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    for number, (name, values) in enumerate(columns.items()):
        sheet.write_string(0, number, plain_text(name), head)
        if name in words:
            sheet.write_comment(0, number, plain_text(words[name]))
        for row, value in enumerate(values, start=1):
            _write_cell(sheet, row, number, value, formats, wrapped if width else None)
        sheet.set_column(number, number, width if width and number else _width(name, values))
    rows = max(map(len, columns.values()), default=0)
    sheet.freeze_panes(1, 2 if title == "Districts" else 1)
    if rows:
        sheet.autofilter(0, 0, rows, len(columns) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


def _write_cell(
    sheet: "Worksheet", row: int, column: int, value: Any, formats: dict[str, "Format"], wrapped: "Format | None"
) -> None:
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return
    if isinstance(value, bool | np.bool_):
        sheet.write_boolean(row, column, bool(value))
    elif isinstance(value, int | np.integer):
        sheet.write_number(row, column, int(value), formats[_WHOLE])
    elif isinstance(value, float | np.floating):
        sheet.write_number(row, column, float(value), formats[_NUMBER])
    else:
        sheet.write_string(row, column, plain_text(str(value))[:_MOST_LETTERS], wrapped)


def _width(name: str, values: Sequence) -> float:
    longest = max((len(str(value)) for value in values if isinstance(value, str)), default=0)
    return float(min(max(len(name) + 3, longest + 1, 9), 45))
