"""Columns of text become numbers, years, flags and names; what cannot be used is noted for its row, with the reason.

Each function writes into `table.reasons`, but only for rows in which nothing was wrong so far.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.sources.survey.tables import SurveyTable, shown
from geolive.sources.survey.value_labels import urban_or_rural
from geolive.tables import bad_positions, not_located, swapped_hint

_MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>"}
_INFINITE = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_LARGEST = float(np.finfo(np.float32).max)
_YEARS = (1900, 2100)
NOT_LOCATED = "not located: the position is 0, 0"
NO_POSITION = "not located: the file of positions lacks it"
# columns of DHS and MICS surveys in which 1 is urban and 2 rural
_URBAN_1_RURAL_2 = re.compile(r"m?h?v025|mv025|hh6|urban_?rura?l?|type_of_(?:place_of_)?residence", re.IGNORECASE)
_URBAN = {"u": True, "urban": True, "1": True, "1.0": True, "true": True, "yes": True}
_RURAL = {"r": False, "rural": False, "0": False, "0.0": False, "false": False, "no": False}
# where more rows than this look swapped, it is the columns that are, and leaving rows out would keep wrong ones
_MOST_SWAPPED_ROWS = 0.1
# a code of a kind of place that is unknown in more rows than this is no slip
_MOST_SLIPS = 0.05


def numbers(table: SurveyTable, column: str, meaning: str = "value", *, may_be_missing: bool = False) -> np.ndarray:
    """Convert a column to numbers; a text that is no usable number becomes NaN, and the reason is noted.

    Parameters
    ----------
    table : SurveyTable
    column : str
    meaning : str
        What a missing one is called: "coordinate", "value".
    may_be_missing : bool
        Whether a missing one is no reason to leave its row out.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = SurveyTable(Path("a.csv"), "line", [2, 3], {"x": ["1e3", "one"]}, [None, None])
    >>> numbers(table, "x"), table.reasons
    (array([1000.,   nan]), [None, "column 'x': not a number 'one'"])
    """
    texts = table.texts[column]
    missing = np.array([text.lower() in _MISSING for text in texts], bool)
    if not may_be_missing:
        note(table, column, texts, missing, f"missing {meaning}")
    values = np.array([float(text) if _NUMBER.fullmatch(text) else math.nan for text in texts])
    infinite = [text.lower() in _INFINITE or abs(n) > _LARGEST for text, n in zip(texts, values, strict=True)]
    note(table, column, texts, infinite, "infinite or too large")
    note(table, column, texts, np.isnan(values) & ~missing, "not a number")
    return np.where(infinite, math.nan, values)


def years(table: SurveyTable, column: str) -> np.ndarray:
    """Convert a column to whole years; a text that is no year becomes 0, and the reason is noted.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = SurveyTable(Path("a.csv"), "line", [2, 3], {"y": ["2011", "11"]}, [None, None])
    >>> years(table, "y"), table.reasons
    (array([2011,    0]), [None, "column 'y': not a year from 1900 to 2100 '11'"])
    """
    values = numbers(table, column, "year")
    usable = (values == np.round(values)) & (values >= _YEARS[0]) & (values <= _YEARS[1])
    note(table, column, table.texts[column], ~usable, f"not a year from {_YEARS[0]} to {_YEARS[1]}")
    return np.where(usable, values, 0).astype(np.int64)


def has_years(table: SurveyTable, column: str) -> bool:
    """Return whether the file has the column, and every cell of it is a whole year.

    Examples
    --------
    >>> from pathlib import Path
    >>> has_years(SurveyTable(Path("a.csv"), "line", [2, 3], {"y": ["2011", "11"]}, [None, None]), "y")
    False
    """
    if column not in table.texts:
        return False
    apart = SurveyTable(table.path, table.row_word, table.row_numbers, table.texts, [None] * len(table))
    return bool(years(apart, column).all())


def weights(table: SurveyTable, column: str) -> np.ndarray:
    """Convert a column to weights: numbers that are not negative.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = SurveyTable(Path("a.csv"), "line", [2, 3], {"w": ["0.5", "-1"]}, [None, None])
    >>> _ = weights(table, "w")
    >>> table.reasons
    [None, "column 'w': negative weight '-1'"]
    """
    values = numbers(table, column, "weight")
    note(table, column, table.texts[column], values < 0, "negative weight")
    return values


def urban(table: SurveyTable, column: str) -> list[bool | None]:
    """Convert a column to True (U, urban, 1, true, yes), False (R, rural, 0, false, no) or None (missing), in any case.

    In the columns of DHS and MICS surveys (hv025, v025, HH6, urban_rural), 1 is urban and 2 is rural. Where a file has labels of
    codes, they say which are urban and which are rural.

    Raises
    ------
    InputError
        The column holds another code in many rows: leaving these out would remove a kind of place.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = SurveyTable(Path("a.csv"), "line", [2, 3, 4], {"u": ["U", "rural", ""]}, [None] * 3)
    >>> urban(table, "u")
    [True, False, None]
    """
    texts = table.texts[column]
    known = _URBAN | _RURAL
    codes = {text.lower().removesuffix(".0") for text in texts} - _MISSING
    if _URBAN_1_RURAL_2.fullmatch(column) and codes <= {"1", "2"}:
        known = {"1": True, "1.0": True, "2": False, "2.0": False}
    kinds = {code: urban_or_rural(label) for code, label in table.labels.get(column, {}).items()}
    if any(kind is not None for kind in kinds.values()):
        known = {code.lower(): kind for code, kind in kinds.items() if kind is not None}
    _refuse_unknown_kinds(table, column, known)
    wrong = [text.lower() not in known and text.lower() not in _MISSING for text in texts]
    note(table, column, texts, wrong, "neither urban (U, urban, 1, true) nor rural (R, rural, 0, false):")
    return [known.get(text.lower()) for text in texts]


def _refuse_unknown_kinds(table: SurveyTable, column: str, known: dict[str, bool]) -> None:
    """Raise where a code that is not known is in so many rows that it is a kind of place, and no slip."""
    unknown = [text for text in table.texts[column] if text.lower() not in known and text.lower() not in _MISSING]
    counts = Counter(unknown)
    often = [text for text, n in counts.most_common() if n > max(1, _MOST_SLIPS * len(table))]
    if not often:
        return
    codes = {text.lower().removesuffix(".0") for text in table.texts[column]} - _MISSING
    remedy = "write U and R in it"
    if codes <= {"1", "2"}:
        remedy = "rename it to 'hv025' if 1 is urban and 2 rural, as in DHS and MICS files, or else write U and R in it"
    code = shown(often[0])
    if label := table.labels.get(column, {}).get(often[0]):
        code, remedy = f"{code} ({label[:40]})", "write U and R in it, or leave it out"
    raise InputError(
        f"{table.path}: column {column!r}: {code} is neither urban (U, urban, 1, true) nor rural (R, rural, 0, "
        f"false), in {counts[often[0]]:,} of {len(table):,} rows; {remedy}"
    )


def labelled_names(table: SurveyTable, column: str) -> list[str]:
    """Convert a column to names, as the labels of its codes say where the file has them; a missing name is noted.

    Codes whose labels are not different from each other stay codes.

    Examples
    --------
    >>> from pathlib import Path
    >>> labels = {"region": {"1": "Centre", "2": "Nord"}}
    >>> table = SurveyTable(Path("a.sav"), "row", [1, 2], {"region": ["1", "3"]}, [None, None], labels=labels)
    >>> labelled_names(table, "region")
    ['Centre', '3']
    """
    labels = {code: label.strip() for code, label in table.labels.get(column, {}).items() if label.strip()}
    if len(set(labels.values())) < len(labels):
        labels = {}
    return [labels.get(text, text) for text in names(table, column)]


def names(table: SurveyTable, column: str) -> list[str]:
    """Convert a column to names; a missing name is noted.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = SurveyTable(Path("a.csv"), "line", [2, 3], {"id": ["a", ""]}, [None, None])
    >>> _ = names(table, "id")
    >>> table.reasons
    [None, "column 'id': missing"]
    """
    texts = table.texts[column]
    note(table, column, texts, [not text for text in texts], "missing")
    return texts


def unique_names(table: SurveyTable, column: str) -> list[str]:
    """Convert a column to unique names; a missing name, and the second row of a name, are noted.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = SurveyTable(Path("a.csv"), "line", [2, 3], {"id": ["a", "a"]}, [None, None])
    >>> _ = unique_names(table, "id")
    >>> table.reasons[1]
    "column 'id': name 'a' occurs already in line 2 (without a column of ids, rows are numbered)"
    """
    first: dict[str, int] = {}
    for i, text in enumerate(table.texts[column]):
        if text and first.setdefault(text, i) != i and table.reasons[i] is None:
            where = f"occurs already in {table.place_of(first[text])} (without a column of ids, rows are numbered)"
            table.reasons[i] = f"column {column!r}: name {shown(text)} {where}"
    return names(table, column)


def check_positions(table: SurveyTable, lon: str, lat: str, x: np.ndarray, y: np.ndarray) -> None:
    """Note positions out of range, and those whose longitude and latitude look exchanged.

    Parameters
    ----------
    table : SurveyTable
    lon, lat : str
        The columns' names, for messages.
    x, y : array of float, shape (rows,)
        Degrees; NaN where something is wrong already.

    Raises
    ------
    InputError
        So many look exchanged that it must be the columns.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = SurveyTable(Path("a.csv"), "line", [2], {}, [None])
    >>> check_positions(table, "x", "y", np.array([181.0]), np.array([25.0]))
    >>> table.reasons
    ["column 'x': out of range, −180 to 180 degrees, '181'"]
    """
    given = np.isfinite(x) & np.isfinite(y)
    hint = swapped_hint(x[given], y[given])
    # no survey reaches so near to a pole: a latitude that only the exchange explains
    swapped = given & bool(hint) & ((y >= 79) | (y <= -60))
    if swapped.sum() > _MOST_SWAPPED_ROWS * len(x):
        raise InputError(
            f"{table.path}: columns {lon!r} and {lat!r}: {swapped.sum():,} of {len(x):,} latitudes are out of range or next to "
            f"a pole{hint}; exchange the columns of longitude and latitude"
        )
    # all readers agree on this rule: such a row is left out, whatever else is asked for
    for i in np.flatnonzero(given & not_located(x, y)):
        table.reasons[i] = table.reasons[i] or NOT_LOCATED
    for column, values, others, limit in ((lon, x, np.zeros_like(x), 180), (lat, np.zeros_like(y), y, 90)):
        wrong = given & bad_positions(values, others)
        own = x if column == lon else y
        note(table, column, [f"{n:g}" for n in own], wrong, f"out of range, −{limit} to {limit} degrees{hint},")
    note(table, lat, [f"{n:g}" for n in y], swapped, f"next to a pole{hint},")


def usable(table: SurveyTable, drop_invalid: bool) -> np.ndarray:
    """Return which rows can be used.

    Raises
    ------
    InputError
        One cannot, unless `drop_invalid` or its position is not known; or none can.

    Examples
    --------
    >>> from pathlib import Path
    >>> usable(SurveyTable(Path("a.csv"), "line", [2, 3], {}, [None, "bad"]), drop_invalid=True)
    array([ True, False])
    """
    keep = np.array([reason is None for reason in table.reasons])
    wrong = np.array([reason not in (None, NOT_LOCATED, NO_POSITION) for reason in table.reasons])
    first = int(np.argmax(wrong if wrong.any() else ~keep))
    where = f"{table.path}: {table.place_of(first)}, {table.reasons[first]}"
    if not keep.any():
        others = (
            ", nor can any other row be used; check the columns that are named" if len(keep) > 1 else "; correct it"
        )
        raise InputError(where + others)
    if wrong.any() and not drop_invalid:
        count = f"{wrong.sum():,} of {len(keep):,}"
        raise InputError(f"{where}; correct it, or leave such rows out with drop_invalid=True ({count})")
    return keep


def note(
    table: SurveyTable, column: str, texts: list[str], wrong: Sequence[bool] | np.ndarray | pd.Series, what: str
) -> None:
    """Note what is wrong with rows in which nothing was wrong so far.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = SurveyTable(Path("a.csv"), "line", [2], {}, [None])
    >>> note(table, "x", ["-1"], [True], "negative")
    >>> table.reasons
    ["column 'x': negative '-1'"]
    """
    for i in np.flatnonzero(wrong):
        if table.reasons[i] is None:
            table.reasons[i] = f"column {column!r}: {what}" + (f" {shown(texts[i])}" if texts[i] else "")
