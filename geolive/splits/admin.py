"""Folds of whole administrative units: districts, states, countries."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.splits.base import Splitter, join, place_numbers, positions_of

_PLURAL = {"district": "districts", "state": "states", "country": "countries"}


@dataclass(frozen=True, kw_only=True)
class _UnitSplit(Splitter):
    """Units by a column of the clusters table."""

    kind = "district"
    column = "district_id"
    remedy = (
        "name the column when the survey is read (ingest survey --group COLUMN), or use --split random or blocks:100km"
    )

    def units(self, X, groups=None) -> np.ndarray:
        """Number of each row's unit, by `groups` or else its column; units that share a place are one."""
        if groups is None:
            groups = X.get(self.column) if isinstance(X, pd.DataFrame) else None
        names = np.full(len(X), None, object) if groups is None else np.array(groups, object)
        missing = pd.isna(names) | (names == "")
        if missing.any():
            raise InputError(
                f"split '{self.kind}': {missing.sum()} of {len(X)} clusters have no {self.column}; {self.remedy}"
            )
        # a district's id may occur in two countries
        if isinstance(X, pd.DataFrame) and "country" in X and self.column != "country":
            names = X["country"].astype(str).to_numpy(object) + "\n" + names.astype(str)
        return join(pd.factorize(names.astype(str), sort=True)[0], place_numbers(positions_of(X)))

    def _too_few(self, count: int) -> str:
        return (
            f"{count} {_PLURAL[self.kind]} with a value cannot make {self.n_splits} folds of whole "
            f"{_PLURAL[self.kind]}; use fewer folds, or --split random or blocks:100km"
        )


@dataclass(frozen=True, kw_only=True)
class DistrictSplit(_UnitSplit):
    """Whole districts to a fold.

    Use it where the question is how well a model does in a district without a survey. Do not use it where units differ
    much in size: a fold is then as hard as its largest unit is wide.

    Parameters
    ----------
    n_splits : int
        Number of folds; they hold about the same number of clusters.
    seed : int

    Examples
    --------
    >>> from geolive.splits import fold_numbers
    >>> eight = np.column_stack([np.arange(80, 88), np.full(8, 25)])
    >>> district = np.array(list("aabbccdd"))
    >>> fold_numbers(DistrictSplit(n_splits=2), eight, district)
    array([1, 1, 0, 0, 0, 0, 1, 1])
    """

    n_splits: int = 10


@dataclass(frozen=True, kw_only=True)
class StateSplit(_UnitSplit):
    """Whole states or provinces to a fold.

    Use it where whole states have no survey. Do not use it to judge a map of states that were surveyed.

    Parameters
    ----------
    n_splits : int
        Number of folds; they hold about the same number of clusters.
    seed : int

    Examples
    --------
    >>> from geolive.splits import fold_numbers
    >>> four = np.column_stack([np.arange(80, 84), np.full(4, 25)])
    >>> fold_numbers(StateSplit(n_splits=2), four, np.array(["Bihar", "Bihar", "Goa", "Goa"]))
    array([0, 0, 1, 1])
    """

    kind = "state"
    column = "state"
    remedy = "use --split district, random or blocks:100km"


@dataclass(frozen=True, kw_only=True)
class CountrySplit(_UnitSplit):
    """Whole countries to a fold.

    Use it where the question is whether what was learnt in one country holds in another. Values must mean the same in
    all of them.

    Parameters
    ----------
    n_splits : int
        Number of folds; they hold about the same number of clusters.
    seed : int

    Examples
    --------
    >>> from geolive.splits import fold_numbers
    >>> three = np.column_stack([[80, 81, 37], [25, 25, 0]])
    >>> fold_numbers(CountrySplit(n_splits=2), three, np.array(["ia", "ia", "ke"]))
    array([0, 0, 1])
    """

    kind = "country"
    column = "country"
    remedy = "name it when the survey is read (ingest survey --country), or use --split random or blocks:100km"
