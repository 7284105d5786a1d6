"""Which rows of a survey's file are read: those that have the wanted values, for example of one year of a panel."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from geolive.errors import InputError
from geolive.sources.survey.tables import SurveyTable, shown
from geolive.wording import count_of, listed

Where = Mapping[str, "str | float | Sequence[str | float]"]
_MOST_NAMED = 8


def wanted_values(path: Path, where: Where | None) -> dict[str, list[str]]:
    """Return the wanted values of each column as texts.

    Raises
    ------
    InputError
        `where` is not a mapping, or a column has no value.

    Examples
    --------
    >>> wanted_values(Path("a.csv"), {"year": 2015, "country": ["et", "ng"]})
    {'year': ['2015'], 'country': ['et', 'ng']}
    """
    if not isinstance(where or {}, Mapping):
        raise InputError(
            f"where={where!r}: must give a value for each column; give where={{'COLUMN': 'VALUE'}}", "where"
        )
    wanted = {}
    for column, values in (where or {}).items():
        texts = [str(value).strip() for value in ([values] if isinstance(values, str | int | float) else values)]
        if not texts or "" in texts:
            raise InputError(
                f"{path}: no value is given for column {column!r}; give where={{'COLUMN': 'VALUE'}}", parameter="where"
            )
        wanted[column] = texts
    return wanted


def rows_where(table: SurveyTable, wanted: Mapping[str, Sequence[str]]) -> SurveyTable:
    """Return the rows that have, in each of the columns, one of its wanted values.

    Parameters
    ----------
    table : SurveyTable
        Has these columns.
    wanted : mapping of str to sequence of str
        A value is that of a cell, as text or as number, or the label of its code where the file has labels.

    Returns
    -------
    SurveyTable
        The rows keep their numbers.

    Raises
    ------
    InputError
        No row has them; the message lists the values of the column.

    Examples
    --------
    >>> table = SurveyTable(Path("a.csv"), "line", [2, 3], {"year": ["2011", "2013.0"]}, [None, None])
    >>> rows_where(table, {"year": ["2013"]}).row_numbers
    [3]
    >>> rows_where(table, {"year": ["2012"]})
    Traceback (most recent call last):
    geolive.errors.InputError: a.csv: no row has '2012' in column 'year'; its values are: '2011' (1), '2013.0' (1)
    """
    keep = np.ones(len(table), bool)
    for column, values in wanted.items():
        texts, labels = table.texts[column], table.labels.get(column, {})
        known = {text: _is_one_of(text, labels.get(text), values) for text in set(texts)}
        if not any(known.values()):
            counts = [f"{shown(text)} ({n:,})" for text, n in Counter(texts).most_common()]
            raise InputError(
                f"{table.path}: no row has {' or '.join(map(shown, values))} in column {column!r}; its values are: "
                f"{listed(counts, _MOST_NAMED)}",
                parameter="where",
            )
        keep &= np.array([known[text] for text in texts], bool)
    if not keep.any():
        named = " and ".join(f"{column}={'|'.join(values)}" for column, values in wanted.items())
        raise InputError(f"{table.path}: no row has {named} together; ask for fewer of these", parameter="where")
    return table if keep.all() else _rows(table, np.flatnonzero(keep))


def pooled_years(years: np.ndarray) -> dict[str, int]:
    """Count the rows of each year, in their order.

    Examples
    --------
    >>> pooled_years(np.array([2013, 2011, 2013]))
    {'2011': 1, '2013': 2}
    """
    known, counts = np.unique(years, return_counts=True)
    return {str(int(year)): int(n) for year, n in zip(known, counts, strict=True)}


def words_of_years(years: Mapping[str, int], noun: str) -> str:
    """Say how many rows, or whatever the noun is, each year has.

    Examples
    --------
    >>> words_of_years({"2011": 1, "2013": 1200}, "row")
    '2011 (1 row), 2013 (1,200 rows)'
    """
    return ", ".join(f"{year} ({count_of(n, noun)})" for year, n in years.items())


def _is_one_of(text: str, label: str | None, values: Sequence[str]) -> bool:
    if text in values or (label is not None and label.strip() in values):
        return True
    number = _number(text)
    return number is not None and number in [_number(value) for value in values]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _rows(table: SurveyTable, at: np.ndarray) -> SurveyTable:
    def chosen(cells: Sequence) -> list:
        return [cells[i] for i in at]

    return replace(
        table,
        row_numbers=chosen(table.row_numbers),
        texts={name: chosen(cells) for name, cells in table.texts.items()},
        reasons=chosen(table.reasons),
        positions=None if table.positions is None else table.positions[at],
        missing_codes={name: chosen(cells) for name, cells in table.missing_codes.items()},
    )
