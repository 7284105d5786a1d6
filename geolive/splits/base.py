"""The base class of all splitters: positions, units that stay together, and folds of about equal size."""

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import ClassVar

import numpy as np

from geolive.errors import InputError
from geolive.splits.positions import is_points, place_numbers, positions_of
from geolive.wording import count_of


@dataclass(frozen=True, repr=False)
class Splitter:
    """Base class of splitters, with the interface of scikit-learn's cross-validators.

    Parameters
    ----------
    n_splits : int, default 5
        Number of folds, at least 2.
    random_state : int, default 0
        Seed of the random number generator: equal calls give equal folds.
    positions : array of float, shape (n, 2), GeoSeries or GeoDataFrame, optional
        Position of each row of X, as longitude and latitude in degrees or as points. Give it where X holds features, as in
        `cross_val_score`. Without it, X itself must be a GeoDataFrame or GeoSeries of points.
    """

    n_splits: int = 5
    random_state: int = field(default=0, kw_only=True)
    positions: np.ndarray | None = field(default=None, kw_only=True, compare=False)

    name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if not _is_whole(self.n_splits) or self.n_splits < 2:
            raise InputError(
                f"n_splits={self.n_splits!r}: must be a whole number of at least 2, since a model is trained on one fold and "
                "tested on another"
            )
        if not _is_whole(self.random_state) or self.random_state < 0:
            raise InputError(f"random_state={self.random_state!r}: must be a whole number of 0 or more")
        if self.positions is not None:
            object.__setattr__(self, "positions", positions_of(self.positions))

    def __repr__(self) -> str:
        """Return the call that makes the splitter; positions appear by their shape only."""
        own = [one for one in fields(self) if one.name not in Splitter.__dataclass_fields__]
        shared = [one for one in fields(self) if one.name in Splitter.__dataclass_fields__]
        shown = [f"{one.name}={getattr(self, one.name)!r}" for one in (*own, *shared) if one.repr and one.compare]
        if self.positions is not None:
            shown.append(f"positions=<array of shape {self.positions.shape}>")
        return f"{type(self).__name__}({', '.join(shown)})"

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Return the number of folds; the arguments are not used."""
        return self.n_splits

    def split(self, X=None, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the row numbers of the training and of the test part of each fold.

        Parameters
        ----------
        X : GeoDataFrame, GeoSeries or array, shape (n, ...)
            Points; or, with the parameter `positions`, any data with a row for each position.
        y
            Not used; scikit-learn passes it.
        groups : array, shape (n,), optional
            Administrative unit of each row. Only splits by administrative unit use it.

        Raises
        ------
        InputError
            The positions are not known or not as many as the rows of X, or there are fewer units than folds.
        """
        folds = self._folds(X, groups)
        for fold in range(self.n_splits):
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    def units(self, X=None, groups=None) -> np.ndarray:
        """Return the number of each row's unit; rows of one unit share a fold and are resampled together in intervals."""
        return place_numbers(self.positions_for(X))

    def positions_for(self, X=None) -> np.ndarray:
        """Return longitude and latitude of each row of X, from the parameter `positions` or else from the points X.

        Raises
        ------
        InputError
            The positions are not known, or not as many as the rows of X.
        """
        if self.positions is not None:
            if X is not None and n_rows(X) != len(self.positions):
                raise InputError(
                    f"X has {n_rows(X):,} rows and positions has {len(self.positions):,}; give one position for each row of X"
                )
            return self.positions
        if not is_points(X):
            made = type(self).__name__
            raise InputError(
                f"{made} needs the position of each row, and X is not a GeoDataFrame or GeoSeries of points; "
                f"use {made}(positions=lonlat) with an array of longitudes and latitudes, shape (n, 2)"
            )
        return positions_of(X)

    def _folds(self, X, groups) -> np.ndarray:
        units = self.units(X, groups)
        if (count := len(np.unique(units))) < self.n_splits:
            raise InputError(self._too_few(count))
        return assign_folds(units, self.n_splits, self.random_state)

    def _too_few(self, count: int) -> str:
        places = count_of(count, "place")
        return f"{places} with a value cannot make {self.n_splits} folds; use fewer folds, or survey more places"


def n_rows(X) -> int:
    """Number of rows of an array, a sparse matrix, a table or a list.

    Examples
    --------
    >>> n_rows(np.zeros((4, 2))), n_rows([1, 2])
    (4, 2)
    """
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def parse_km(size: float | str, what: str, example: str) -> float:
    """Read a number of kilometres from a number, or from text with or without the unit.

    Parameters
    ----------
    size : float or str
    what : str
        Name of the value in the message.
    example : str
        An example of it, for the message.

    Raises
    ------
    InputError
        The value is not a number.

    Examples
    --------
    >>> parse_km("12.5 km", "the buffer", "10km"), parse_km(100, "the buffer", "10km")
    (12.5, 100.0)
    """
    number = re.fullmatch(r"(-?[0-9]+\.?[0-9]*|\.[0-9]+)(e[0-9]+)? ?(km)?", str(size).strip().lower())
    if not number or isinstance(size, bool):
        raise InputError(f"{what} must be a number of kilometres, as in {example}")
    return float(number[1] + (number[2] or ""))


def assign_folds(units: np.ndarray, n_splits: int, random_state: int) -> np.ndarray:
    """Assign each row to a fold: units in random order, the largest first, each to the fold that has the fewest rows.

    Examples
    --------
    >>> assign_folds(np.array([0, 0, 1, 2]), 2, 0)
    array([0, 0, 1, 1])
    """
    sizes = np.bincount(units)
    order = np.random.default_rng(random_state).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = [(0, fold) for fold in range(n_splits)]
    fold_of_unit = np.zeros(len(sizes), int)
    for unit in order:
        rows, fold = filled[0]
        fold_of_unit[unit] = fold
        heapq.heapreplace(filled, (rows + int(sizes[unit]), fold))
    return fold_of_unit[units]


def _is_whole(number) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)
