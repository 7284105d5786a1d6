"""Positions of a survey's places from a second file, since MICS and other surveys deliver those of clusters apart, if at all."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geolive.errors import InputError
from geolive.sources.survey import columns
from geolive.sources.survey.tables import SurveyTable, read_table, require, shown

_WHOLE = re.compile(r"([+-]?)0*([0-9]+)(?:\.0*)?")
_MOST_NAMED = 10


@dataclass(frozen=True)
class PositionFile:
    """A file with a position for each place, and the columns that join it with a survey.

    Parameters
    ----------
    path : Path
    column : str
        Column of the survey with the names of places.
    key : str
        Column of this file with the same names.
    lon, lat : str or None
        Columns of longitude and latitude; without them, the points of a geospatial file.
    layer, crs : str or None
        As `geolive.sources.survey.tables.read_table` takes them.
    """

    path: Path
    column: str
    key: str
    lon: str | None = None
    lat: str | None = None
    layer: str | None = None
    crs: str | None = None


def position_file(
    path: Path,
    positions: str | Path | None,
    on: str | None,
    lon: str | None,
    lat: str | None,
    layer: str | None,
    crs: str | None,
) -> PositionFile | None:
    """Return which file holds a survey's positions, or None where they are in the survey's own file.

    Parameters
    ----------
    path : Path
        The survey, for messages.
    positions, on : str or None
        The file, and "COLUMN", or "COLUMN=KEY" where the columns of the two files have different names.

    Raises
    ------
    InputError
        Only one of them is given.

    Examples
    --------
    >>> position_file(Path("hh.sav"), "clusters.gpkg", "HH1=cluster", None, None, None, None).key
    'cluster'
    """
    if positions is None and on is None:
        return None
    if positions is None or on is None:
        raise InputError(
            f"{path}: positions and on belong together; give positions='FILE' and on='COLUMN' (or on='COLUMN=KEY')",
            parameter="on" if positions is None else "positions",
        )
    column, _, key = (part.strip() for part in on.partition("="))
    return PositionFile(Path(positions), column, key or column, lon, lat, layer, crs)


def joined_positions(
    table: SurveyTable, file: PositionFile, drop_invalid: bool
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Find the position of each row of a survey; rows without one are noted in `table.reasons`.

    Parameters
    ----------
    table : SurveyTable
    file : PositionFile
    drop_invalid : bool
        Leave out rows of the file of positions that cannot be used, instead of raising at the first.

    Returns
    -------
    x, y : array of float, shape (rows,)
        Longitude and latitude, degrees; NaN where there is no position.
    told : dict
        `rows` and `places` without a position, the names of the first of these places (`named`), and the number of places of the
        file of which the survey has no row (`unused`).

    Raises
    ------
    InputError
        The file cannot be read, a name is in it twice with different positions, or no row of the survey has a position.

    Notes
    -----
    Names are compared as texts, whole numbers without zeros before them and without a point: "01", "1" and "1.0" are the same.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "clusters.csv"
    >>> _ = path.write_text("cluster,x,y\\n01,85.1,25.6\\n03,84.0,25.0\\n")
    >>> survey = SurveyTable(Path("hh.sav"), "row", [1, 2], {"HH1": ["1", "2"]}, [None, None])
    >>> x, y, told = joined_positions(survey, PositionFile(path, "HH1", "cluster", "x", "y"), drop_invalid=False)
    >>> x.tolist(), told, survey.reasons
    ([85.1, nan], {'rows': 1, 'places': 1, 'named': ['2'], 'unused': 1}, [None, 'not located: the file of positions lacks it'])
    """
    places = _read_positions(file, drop_invalid)
    keys = [_key(text) for text in table.texts[file.column]]
    columns.note(table, file.column, table.texts[file.column], [not key for key in keys], "missing")
    found = np.array([places.get(key, (np.nan, np.nan)) for key in keys], float).reshape(-1, 2)
    if not any(key in places for key in keys):
        own, other = next(filter(None, table.texts[file.column]), ""), next(iter(places), "")
        raise InputError(
            f"{table.path}: no value of column {file.column!r} (such as {shown(own)}) is in column {file.key!r} of {file.path} "
            f"(such as {shown(other)}); name the columns that belong together with on='COLUMN=KEY'",
            parameter="on",
        )
    absent = [bool(key) and key not in places for key in keys]
    for i in np.flatnonzero(absent):
        table.reasons[i] = table.reasons[i] or columns.NO_POSITION
    named = list(dict.fromkeys(text for text, gone in zip(table.texts[file.column], absent, strict=True) if gone))
    told = {"rows": sum(absent), "places": len(named), "named": named[:_MOST_NAMED]}
    return found[:, 0], found[:, 1], told | {"unused": len(set(places) - set(keys))}


def _read_positions(file: PositionFile, drop_invalid: bool) -> dict[str, tuple[float, float]]:
    """Return the position of each name; those at 0, 0 have one that nobody knows, and are left out later."""
    key = [file.key]

    def choose(header: list[str]) -> list[str]:
        alike = [name for name in header if name.lower() == file.key.lower()]
        # names of variables are in capitals or not from survey to survey
        key[0] = alike[0] if len(alike) == 1 and file.key not in header else file.key
        return require(file.path, header, [name for name in (key[0], file.lon, file.lat) if name is not None])

    table = read_table(file.path, choose, with_positions=file.lon is None, layer=file.layer, crs=file.crs)
    if file.lon is None or file.lat is None:
        assert table.positions is not None  # read_table was asked for them
        (x, y), named = table.positions.T, ("geometry (x)", "geometry (y)")
    else:
        x, y = (columns.numbers(table, column, "coordinate") for column in (file.lon, file.lat))
        named = (file.lon, file.lat)
    columns.check_positions(table, *named, x, y)
    names = columns.names(table, key[0])
    _check_unique(table, key[0], names, x, y)
    not_known = [reason == columns.NOT_LOCATED for reason in table.reasons]
    usable = columns.usable(table, drop_invalid)
    return {
        _key(name): (float(x[i]), float(y[i])) for i, name in enumerate(names) if name and (usable[i] or not_known[i])
    }


def _check_unique(table: SurveyTable, column: str, names: list[str], x: np.ndarray, y: np.ndarray) -> None:
    """Note rows that give a second position to a name."""
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        at = first.setdefault(_key(name), i)
        if name and table.reasons[i] is None and (x[i], y[i]) != (x[at], y[at]):
            table.reasons[i] = (
                f"column {column!r}: {shown(name)} has another position than in {table.place_of(at)}; give each place one"
            )


def _key(text: str) -> str:
    whole = _WHOLE.fullmatch(text.strip())
    return whole[1].replace("+", "") + whole[2] if whole else text.strip()
