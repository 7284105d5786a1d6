"""Households' rows become places: means, shares below a threshold and gaps, with weights and the number of households."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.shares_below import household_measures

# a place's households share one position; coordinates may differ by rounding
_SAME_DEGREES = 1e-5
# what the households of a place say of the place
_OF_PLACE = ("country", "state", "n_images", "split", "district_id", "urban", "year", "stratum", "psu")


def places_of_households(
    path: Path, rows: pd.DataFrame, values: Sequence[str], thresholds: Mapping[str, float]
) -> pd.DataFrame:
    """Aggregate households to their places.

    Parameters
    ----------
    path : Path
        The file, for messages.
    rows : DataFrame
        One household in each row: `place`, `lon`, `lat`, the columns of a clusters table, each indicator with its
        `NAME_n` where it is a rate, and optionally `weight` (of a household) and `household_size`.
    values : sequence of str
        The indicators.
    thresholds : mapping of str to float
        For some of them, the line below which households are counted.

    Returns
    -------
    DataFrame
        One place in each row, in the order of their first households: `unique_cluster` (the place), `n_households`,
        `weight` (sum over its households, times their members where sizes are given), the indicators and, for each
        threshold, NAME_below with NAME_below_n (its households) and NAME_gap where the indicator has a zero.

    Raises
    ------
    InputError
        Households of one place lie at several positions, or a threshold is of no indicator.

    Notes
    -----
    A place's value is sum(w s y) / sum(w s) over its households, with weights w and sizes s. With sizes, people are counted
    instead of households, but the number of independent observations stays that of the households. Where a place's households
    differ in what they say of the place, such as its district, the most frequent value is taken, and of equally frequent ones
    the first.

    Examples
    --------
    >>> rows = pd.DataFrame({"place": ["a", "a", "b"], "lon": [85.1, 85.1, 86.0], "lat": 25.0, "spent": [0.5, 1.5, 3.0]})
    >>> table = places_of_households(Path("x.csv"), rows, ["spent"], {"spent": 1.0})
    >>> table[["unique_cluster", "n_households", "spent", "spent_below", "spent_below_n", "spent_gap"]].values.tolist()
    [['a', 2.0, 1.0, 0.5, 2.0, 0.25], ['b', 1.0, 3.0, 0.0, 1.0, 0.0]]
    """
    _check_one_position(path, rows)
    made = {name: rows[name] for name in values}
    for name, threshold in thresholds.items():
        for measure, numbers in household_measures(rows[name], threshold).items():
            made[f"{name}_{measure}"] = numbers
    total = _column(rows, "weight") * _column(rows, "household_size")
    place, names = pd.factorize(rows["place"])
    number = len(names)
    first = rows.groupby(place).first()
    table = first[[column for column in ("lon", "lat", *_OF_PLACE) if column in rows]].copy()
    for column in places_that_vary(rows):
        _take_most_frequent(table, column, rows[column], place)
    table.insert(0, "unique_cluster", pd.Series(np.asarray(names, dtype=object), dtype="str"))
    households = np.bincount(place, minlength=number).astype(float)
    table["n_households"] = households
    if "weight" in rows or "household_size" in rows:
        table["weight"] = np.bincount(place, total, number)
    for name, numbers in made.items():
        cases = rows.get(f"{name}_n", pd.Series(1.0, index=rows.index)).to_numpy(float)
        known = numbers.notna().to_numpy()
        weight = np.where(known, total * cases, 0.0)
        sums, weights = np.bincount(place, weight * numbers.fillna(0.0), number), np.bincount(place, weight, number)
        table[name] = np.divide(sums, weights, out=np.full(number, np.nan), where=weights > 0)
        if f"{name}_n" in rows or name.endswith("_below"):
            counted = np.bincount(place, np.where(known, cases, 0.0), number)
            table[f"{name}_n"] = np.where(counted > 0, counted, np.nan)
    return table.reset_index(drop=True)


def places_that_vary(rows: pd.DataFrame) -> dict[str, int]:
    """Return the columns that should be constant within a place, and in how many places they are not.

    Examples
    --------
    >>> places_that_vary(pd.DataFrame({"place": ["a", "a", "b"], "psu": ["1", "2", "3"], "year": [2015, 2015, 2016]}))
    {'psu': 1}
    """
    columns = [column for column in _OF_PLACE if column in rows]
    numbers = (rows.groupby("place")[columns].nunique() > 1).sum()
    return {column: int(n) for column, n in numbers.items() if n}


def _take_most_frequent(table: pd.DataFrame, column: str, values: pd.Series, place: np.ndarray) -> None:
    """Set the most frequent value in the places whose households differ."""
    known = values.notna().to_numpy()
    cells = pd.DataFrame({"place": place[known], "value": values.to_numpy(object)[known]})
    times = cells.groupby(["place", "value"], sort=False).size().reset_index(name="times")
    varied = times[times["place"].duplicated(keep=False)].sort_values("times", ascending=False, kind="stable")
    taken = varied.drop_duplicates("place").set_index("place")["value"]
    table.loc[taken.index, column] = taken


def _column(rows: pd.DataFrame, name: str) -> np.ndarray:
    return rows[name].to_numpy(float) if name in rows else np.ones(len(rows))


def _check_one_position(path: Path, rows: pd.DataFrame) -> None:
    spread = rows.groupby("place", sort=False)[["lon", "lat"]].agg(lambda at: at.max() - at.min())
    apart = spread.index[(spread > _SAME_DEGREES).any(axis=1)]
    if len(apart):
        raise InputError(
            f"{path}: households of place {apart[0]!r} lie at several positions; name a column whose places have one position "
            "each with households='COLUMN'"
        )
