"""The values of a survey's indicators: numbers or rates, without codes for "missing", and what is to be told about them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from geolive.sources.survey import columns
from geolive.sources.survey.missing_codes import known_codes, suspicious
from geolive.sources.survey.tables import SurveyTable


@dataclass(frozen=True)
class Measure:
    """An indicator and the column of its values, or the columns of a rate's numerator and denominator.

    Parameters
    ----------
    name, column : str
    denominator : str or None

    Examples
    --------
    >>> Measure("stunted", "cases", "children").columns
    ['cases', 'children']
    """

    name: str
    column: str
    denominator: str | None = None

    @property
    def columns(self) -> list[str]:
        """The columns of the file that the indicator needs."""
        return [self.column] if self.denominator is None else [self.column, self.denominator]


def measure_of(name: str, text: str, header: list[str]) -> Measure:
    """Read NAME=TEXT: the text names a column, or two columns as A/B.

    Parameters
    ----------
    name, text : str
    header : list of str
        The file's columns; one of them may have a slash in its name.

    Examples
    --------
    >>> measure_of("stunted", "cases/children", ["cases", "children"]).denominator
    'children'
    """
    numerator, slash, denominator = text.rpartition("/")
    if text in header or not slash:
        return Measure(name, text)
    return Measure(name, numerator.strip(), denominator.strip())


def measured_values(
    table: SurveyTable, measures: list[Measure], missing: Sequence[float]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the columns of all indicators, and what is to be told about missing values and those that look so.

    A row is of use while any indicator has a value; what is wrong with a row is noted in `table.reasons`.

    Parameters
    ----------
    table : SurveyTable
    measures : list of Measure
    missing : sequence of float
        Values that mean "missing", beside the known ones.

    Returns
    -------
    measured : dict of str to array of float, shape (rows,)
        Each indicator, and of a rate NAME also `NAME_n` and `NAME_se`.
    told : dict
        `missing_codes`, `far_values`, `rows_without`, where there are any, and `titles` of the columns that these name.

    Examples
    --------
    >>> from pathlib import Path
    >>> table = SurveyTable(Path("a.csv"), "line", [2, 3], {"bmi": ["21.5", "99.98"]}, [None, None])
    >>> measured_values(table, [Measure("bmi", "bmi")], [])
    ({'bmi': array([21.5,  nan])}, {'missing_codes': {'bmi': {'99.98': 1}}})
    """
    measured: dict[str, np.ndarray] = {}
    told: dict[str, Any] = {}
    labelled = {column: Counter(filter(None, codes)) for column, codes in table.missing_codes.items()}
    if any(labelled.values()):
        told["missing_codes"] = {column: dict(codes.most_common()) for column, codes in labelled.items() if codes}
    numbers: dict[str, np.ndarray] = {}
    for one in measures:
        for column in one.columns:
            numbers[column] = _without_codes(table, column, one.name, missing, told)
        if far := suspicious(one.column, table.texts[one.column], numbers[one.column]):
            told.setdefault("far_values", {})[one.name] = asdict(far)
        measured |= _measured(table, one, numbers)
    has_value = np.isfinite(np.column_stack([measured[one.name] for one in measures]))
    empty = ~has_value.any(axis=1)
    for one in measures:
        for column in one.columns:
            meaning = "value" if column == one.column else "number of cases"
            columns.note(table, column, table.texts[column], empty & np.isnan(numbers[column]), f"missing {meaning}")
    partly = ~has_value & ~empty[:, None]
    if partly.any():
        told["rows_without"] = {one.name: int(n) for one, n in zip(measures, partly.sum(axis=0), strict=True) if n}
    named = {*told.get("missing_codes", {}), *(far["column"] for far in told.get("far_values", {}).values())}
    if titles := {column: table.titles[column] for column in sorted(named) if column in table.titles}:
        told["titles"] = titles
    return measured, told


def _without_codes(
    table: SurveyTable, column: str, indicator: str, missing: Sequence[float], told: dict[str, Any]
) -> np.ndarray:
    """Return the numbers of a column, NaN where they are missing or a code for that; count the codes."""
    values = columns.numbers(table, column, may_be_missing=True)
    coded = known_codes(column, indicator, values) | np.isin(values, list(missing))
    if coded.any():
        codes = Counter(table.texts[column][i] for i in np.flatnonzero(coded))
        known = told.setdefault("missing_codes", {})
        known[column] = known.get(column, {}) | dict(codes.most_common())
    return np.where(coded, np.nan, values)


def _measured(table: SurveyTable, measure: Measure, numbers: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the indicator's columns: its value, and for a rate the number of cases and the standard error."""
    name, value = measure.name, numbers[measure.column]
    if measure.denominator is None:
        return {name: value}
    n = numbers[measure.denominator]
    both = np.isfinite(value) & np.isfinite(n)
    columns.note(
        table, measure.denominator, table.texts[measure.denominator], both & ~(n > 0), "not a number of cases above 0"
    )
    outside = both & ~((value >= 0) & (value <= n))
    columns.note(
        table, measure.column, table.texts[measure.column], outside, f"not between 0 and {measure.denominator!r}"
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = value / n
        # a standard error of 0 would say that the rate is known exactly
        smoothed = np.where((rate > 0) & (rate < 1), rate, (value + 0.5) / (n + 1))
        error = np.sqrt(smoothed * (1 - smoothed) / n)
    return {name: rate, f"{name}_n": n, f"{name}_se": error}
