"""Folds of whole administrative units: districts, states, countries."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.splits.base import Splitter, n_rows
from geolive.splits.positions import is_points, place_numbers
from geolive.wording import count_of


@dataclass(frozen=True, repr=False)
class AdminSplit(Splitter):
    """Base class of splits by the column of a clusters table that names an administrative unit."""

    column: ClassVar[str] = ""
    plural: ClassVar[str] = ""
    remedy: ClassVar[str] = ""

    def units(self, X=None, groups=None) -> np.ndarray:
        """Return the number of each row's unit: of `groups` or else of the column; units that share a place are one."""
        if groups is None and isinstance(X, pd.DataFrame):
            groups = X.get(self.column)
        n = n_rows(self.positions if X is None and self.positions is not None else X)
        names = np.full(n, None, object) if groups is None else np.array(groups, object)
        if len(names) != n:
            raise InputError(f"groups has {len(names):,} entries and X has {n:,} rows; give one for each row of X")
        missing = pd.isna(names) | (names == "")
        if missing.any():
            raise InputError(
                f"split {self.name!r}: {missing.sum():,} of {count_of(n, 'cluster')} have no {self.column}; {self.remedy}"
            )
        # a district's id may occur in two countries
        if isinstance(X, pd.DataFrame) and "country" in X and self.column != "country":
            names = X["country"].astype(str).to_numpy(object) + "\n" + names.astype(str)
        unit = pd.factorize(names.astype(str), sort=True)[0]
        # units are given as groups, so positions are not indispensable: they only join units that share a place
        if self.positions is None and not is_points(X):
            return unit
        return join_units(unit, place_numbers(self.positions_for(X)))

    def _too_few(self, count: int) -> str:
        return (
            f"{count_of(count, self.name, self.plural)} with a value cannot make {self.n_splits} folds of whole "
            f"{self.plural}; use fewer folds, or the split random or blocks:100km"
        )


@dataclass(frozen=True, repr=False)
class DistrictSplit(AdminSplit):
    """Split by districts; a district is never divided between folds.

    Use it to learn how well a model predicts in a district without a survey. Do not use it where units differ much in
    size: the largest unit then decides how difficult a fold is.

    Parameters
    ----------
    n_splits : int, default 10
        Number of folds; they hold about the same number of rows.
    random_state : int, default 0
        Seed of the random number generator.
    positions : array of float, shape (n, 2), GeoSeries or GeoDataFrame, optional
        Position of each row of X. Districts that share a place are kept together where positions are known.

    See Also
    --------
    geolive.BlockSplit : Folds of blocks of an equal-area grid.
    geolive.KnndmSplit : Folds whose distances are like those to the places of a map.

    Examples
    --------
    The districts are the column `district_id` of a clusters table, or the argument `groups`:

    >>> from geolive.splits import fold_numbers
    >>> district = np.array(list("aabbccdd"))
    >>> fold_numbers(DistrictSplit(n_splits=2), np.zeros((8, 5)), groups=district)
    array([1, 1, 0, 0, 0, 0, 1, 1])
    """

    n_splits: int = 10

    name = "district"
    column = "district_id"
    plural = "districts"
    remedy = (
        "name the column when the survey is read (read_survey(group='COLUMN')), or use the split random or blocks:100km"
    )


@dataclass(frozen=True, repr=False)
class StateSplit(AdminSplit):
    """Whole states or provinces to a fold.

    Use it where whole states have no survey. Do not use it to judge a map of states that were surveyed.

    Parameters
    ----------
    n_splits : int, default 5
        Number of folds; they hold about the same number of rows.
    random_state : int, default 0
        Seed of the random number generator.
    positions : array of float, shape (n, 2), GeoSeries or GeoDataFrame, optional
        Position of each row of X. States that share a place are kept together where positions are known.

    Examples
    --------
    The states are the column `state` of a clusters table, or the argument `groups`:

    >>> from geolive.splits import fold_numbers
    >>> fold_numbers(StateSplit(n_splits=2), np.zeros((4, 5)), groups=np.array(["Bihar", "Bihar", "Goa", "Goa"]))
    array([0, 0, 1, 1])
    """

    name = "state"
    column = "state"
    plural = "states"
    remedy = "use the split district, random or blocks:100km"


@dataclass(frozen=True, repr=False)
class CountrySplit(AdminSplit):
    """Whole countries to a fold.

    Use it where the question is whether a model that was trained in one country holds in another. Do not use it where values
    mean different things in different countries, such as wealth indices that each survey scales for itself.

    Parameters
    ----------
    n_splits : int, default 5
        Number of folds; they hold about the same number of rows.
    random_state : int, default 0
        Seed of the random number generator.
    positions : array of float, shape (n, 2), GeoSeries or GeoDataFrame, optional
        Position of each row of X. Countries that share a place are kept together where positions are known.

    Examples
    --------
    The countries are the column `country` of a clusters table, or the argument `groups`:

    >>> from geolive.splits import fold_numbers
    >>> fold_numbers(CountrySplit(n_splits=2), np.zeros((3, 5)), groups=np.array(["ia", "ia", "ke"]))
    array([0, 0, 1])
    """

    name = "country"
    column = "country"
    plural = "countries"
    remedy = "name it when the survey is read (read_survey(country='COLUMN')), or use the split random or blocks:100km"


def join_units(groups: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Number of each row's unit, where rows of one group and rows at one place belong together.

    Examples
    --------
    >>> join_units(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]))
    array([0, 0, 0, 1])
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_groups, n = int(groups.max(initial=-1)) + 1, len(groups)
    size = n_groups + int(places.max(initial=-1)) + 1
    links = coo_array((np.ones(n), (groups, n_groups + places)), shape=(size, size))
    joined = connected_components(links, directed=False)[1][groups]
    return np.unique(joined, return_inverse=True)[1].reshape(-1)
