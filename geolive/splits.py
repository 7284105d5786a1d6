"""Ways to divide clusters into folds, in scikit-learn's form.

A figure from random folds says how well a model fills in between surveyed places; one from spatial folds says how well
it does away from them. The two are the ends between interpolation and extrapolation, and neither is "the" truth: report
both. In every splitter but `RowSplit`, clusters at one coordinate share a fold: a place is no test of what was learnt
from it.
"""

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.tables import lonlat

KNOWN_SPLITS = "random, rows, blocks:100km (any size), district"
SAME_PLACE_DEGREES = 1e-9


def place_numbers(positions: np.ndarray) -> np.ndarray:
    """Number the distinct places among positions; those within 1e-9 degrees of each other are one place.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.

    Returns
    -------
    array of int, shape (n,)
        From 0 without gaps, by longitude and then latitude: the order of rows plays no part.

    Examples
    --------
    >>> place_numbers(np.array([[85.1, 25.6], [84.0, 25.0], [85.1, 25.6 + 1e-12]]))
    array([1, 0, 1])
    """
    positions = np.asarray(positions, float).reshape(-1, 2)
    pairs = np.column_stack([_runs(axis) for axis in positions.T])
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True, kw_only=True)
class _Splitter:
    n_splits: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_splits < 2:
            raise InputError(f"{self.n_splits} folds: at least 2 are needed, one to learn from and one to test on")

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Number of folds."""
        return self.n_splits

    def split(self, X, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row numbers to learn from and to test on, for each fold.

        Parameters
        ----------
        X : GeoDataFrame or array of float, shape (n, 2)
            Clusters (points, EPSG:4326), or their longitudes and latitudes in degrees.
        y
            Not used; scikit-learn passes it.
        groups : array of str, shape (n,), optional
            Administrative unit of each cluster; only `DistrictSplit` uses it.

        Raises
        ------
        InputError
            There are fewer units to keep together than folds.
        """
        folds = self._folds(X, groups)
        for fold in range(self.n_splits):
            yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)

    def units(self, X, groups=None) -> np.ndarray:
        """Number of each row's unit: rows of one unit stay together, and are resampled together in intervals."""
        return place_numbers(_positions(X))

    def _folds(self, X, groups) -> np.ndarray:
        units = self.units(X, groups)
        if (count := len(np.unique(units))) < self.n_splits:
            raise InputError(self._too_few(count))
        return _deal(units, self.n_splits, self.seed)

    def _too_few(self, count: int) -> str:
        return f"{count} places with a value cannot make {self.n_splits} folds; use fewer folds, or survey more places"


@dataclass(frozen=True, kw_only=True)
class RandomSplit(_Splitter):
    """Places at random.

    Use it to learn how well a model fills in between surveyed places. Do not use it alone to say how well a model does
    where nobody surveyed: validation and training places lie side by side, so a model that only remembers the
    neighbourhood does well (Roberts et al. 2017, doi:10.1111/ecog.02881).

    Parameters
    ----------
    n_splits : int
        Number of folds; they hold about the same number of clusters.
    seed : int

    Examples
    --------
    Folds of a row of eight places, of which the first two are one place:

    >>> eight = np.column_stack([[80, 80, 81, 82, 83, 84, 85, 86], np.full(8, 25)])
    >>> fold_numbers(RandomSplit(n_splits=2), eight)
    array([0, 0, 1, 1, 0, 1, 0, 1])
    """


@dataclass(frozen=True, kw_only=True)
class RowSplit(_Splitter):
    """Rows at random, even those at one coordinate: leaks where places repeat.

    Use it only to show the leak, beside `RandomSplit`: where a survey came back to its places, a model tested on one
    visit has learnt from the others. Where each place has one row the two splits mean the same.

    Parameters
    ----------
    n_splits : int
    seed : int

    Examples
    --------
    The first two rows are one place, and do not share a fold:

    >>> eight = np.column_stack([[80, 80, 81, 82, 83, 84, 85, 86], np.full(8, 25)])
    >>> fold_numbers(RowSplit(n_splits=2), eight)
    array([1, 0, 0, 0, 1, 0, 1, 1])
    """

    def _folds(self, X, groups) -> np.ndarray:
        n = len(_positions(X))
        if n < self.n_splits:
            raise InputError(self._too_few(n))
        return _deal(np.arange(n), self.n_splits, self.seed)


@dataclass(frozen=True, kw_only=True)
class BlockSplit(_Splitter):
    """Square blocks of an equal-area grid (EPSG:6933), whole blocks to a fold.

    Use it to learn how well a model does away from surveyed places. A block should be wider than the reach of spatial
    correlation; places near a block's edge still have near neighbours in training. Do not use it to judge a map of a
    densely surveyed country, for which it is too strict (Wadoux et al. 2021, doi:10.1016/j.ecolmodel.2021.109692).

    Parameters
    ----------
    n_splits : int
        Number of folds; they hold about the same number of clusters.
    seed : int
    km : float
        Side of a block in kilometres, 0.1 to 10,000; true in area everywhere, in shape near 30° north and south.

    Examples
    --------
    Folds of 4 rows of 8 places, 0.5° apart, in blocks of about 1.9 by 2.3 places each:

    >>> lon, lat = np.meshgrid(np.arange(80, 84, 0.5), np.arange(25, 23, -0.5))
    >>> places = np.column_stack([lon.ravel(), lat.ravel()])
    >>> fold_numbers(BlockSplit(n_splits=2, km=100), places).reshape(4, 8)
    array([[0, 0, 0, 0, 0, 0, 1, 1],
           [0, 0, 0, 0, 0, 0, 1, 1],
           [1, 1, 0, 0, 1, 1, 1, 1],
           [1, 1, 0, 0, 1, 1, 1, 1]])
    """

    km: float = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.1 <= self.km <= 10_000:
            raise InputError(f"blocks of {self.km:g} km: the side of a block must be from 0.1 to 10,000 km")

    def units(self, X, groups=None) -> np.ndarray:
        """Number of each row's block; rows at one place are in the block of the place's first row."""
        from pyproj import Transformer

        positions = _positions(X)
        _, first, place = np.unique(place_numbers(positions), return_index=True, return_inverse=True)
        to_metres = Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)
        metres = np.column_stack(to_metres.transform(*positions[first].T))
        block = np.unique(np.floor(metres / (1000 * self.km)), axis=0, return_inverse=True)[1].reshape(-1)
        return block[place.reshape(-1)]

    def _too_few(self, count: int) -> str:
        return (
            f"{count} blocks of {self.km:g} km hold all clusters, too few for {self.n_splits} folds; "
            f"use smaller blocks (blocks:{self.km / 2:g}km) or fewer folds"
        )


@dataclass(frozen=True, kw_only=True)
class DistrictSplit(_Splitter):
    """Whole administrative units to a fold.

    Use it where the question is how well a model does in a district without a survey. Do not use it where units differ
    much in size: a fold is then as hard as its largest unit is wide.

    Parameters
    ----------
    n_splits : int
        Number of folds; they hold about the same number of clusters.
    seed : int

    Examples
    --------
    >>> eight = np.column_stack([np.arange(80, 88), np.full(8, 25)])
    >>> district = np.array(list("aabbccdd"))
    >>> fold_numbers(DistrictSplit(n_splits=2), eight, district)
    array([1, 1, 0, 0, 0, 0, 1, 1])
    """

    n_splits: int = 10

    def units(self, X, groups=None) -> np.ndarray:
        """Number of each row's unit, by `groups` or else the column `district_id`; units that share a place are one."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        if groups is None:
            groups = X.get("district_id") if isinstance(X, pd.DataFrame) else None
        without = len(X) if groups is None else int(pd.isna(np.asarray(groups, object)).sum())
        if without:
            raise InputError(
                f"split 'district': {without} of {len(X)} clusters have no district_id; name the column when the "
                "survey is read (ingest survey --group COLUMN), or use --split random or blocks:100km"
            )
        district, n_districts = pd.factorize(np.asarray(groups, object).astype(str), sort=True)
        place = place_numbers(_positions(X))
        links = coo_array((np.ones(len(place)), (district, len(n_districts) + place)), shape=(2 * len(place),) * 2)
        joined = connected_components(links, directed=False)[1][district]
        return np.unique(joined, return_inverse=True)[1].reshape(-1)

    def _too_few(self, count: int) -> str:
        return (
            f"{count} districts with a value cannot make {self.n_splits} folds of whole districts; "
            "use --split random or blocks:100km"
        )


def parse_split(text: str, seed: int = 0) -> RandomSplit | RowSplit | BlockSplit | DistrictSplit:
    """The splitter that a command line names.

    Parameters
    ----------
    text : str
        "random", "rows", "blocks:100km" (any size in kilometres) or "district".
    seed : int

    Raises
    ------
    InputError
        There is no such split, or the block size is no number in range.

    Examples
    --------
    >>> parse_split("blocks:50km")
    BlockSplit(n_splits=5, seed=0, km=50.0)
    """
    known = {"random": RandomSplit, "rows": RowSplit, "district": DistrictSplit}
    name = text.strip().lower()
    if name in known:
        return known[name](seed=seed)
    kind, _, size = name.partition(":")
    if kind != "blocks":
        raise InputError(f"no split {text!r}; use one of: {KNOWN_SPLITS}")
    if not (number := re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+) ?(km)?", size)):
        raise InputError(f"split {text!r}: the block size must be a number of kilometres, as in blocks:100km")
    return BlockSplit(km=float(number[1]), seed=seed)


def fold_numbers(splitter, clusters: gpd.GeoDataFrame | np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """The fold in which each cluster is tested.

    Parameters
    ----------
    splitter
        One of this module's, or any of scikit-learn's that tests each row once.
    clusters : GeoDataFrame or array of float, shape (n, 2)
    groups : array, shape (n,), optional

    Returns
    -------
    array of int, shape (n,)

    Raises
    ------
    ValueError
        The splitter does not test each row exactly once.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> fold_numbers(KFold(2), np.zeros((4, 2)))
    array([0, 0, 1, 1])
    """
    folds = np.full(len(clusters), -1)
    times = np.zeros(len(clusters), int)
    for fold, (_, test) in enumerate(splitter.split(clusters, groups=groups)):
        folds[test] = fold
        times[test] += 1
    if (times != 1).any():
        raise ValueError(f"{splitter!r} does not test each row exactly once")
    return folds


def _positions(X) -> np.ndarray:
    positions = lonlat(X.geometry) if isinstance(X, gpd.GeoDataFrame) else np.asarray(X, float).reshape(-1, 2)
    if not np.isfinite(positions).all():
        raise InputError(f"cluster {int(np.argmin(np.isfinite(positions).all(1)))} has no position; remove it")
    return positions


def _runs(numbers: np.ndarray) -> np.ndarray:
    """Number the runs of nearly equal numbers; unlike rounding, no boundary parts two that are equal but for noise."""
    order = np.argsort(numbers)
    run = np.empty(len(numbers), int)
    run[order] = np.cumsum(np.diff(numbers[order], prepend=numbers[order][:1]) > SAME_PLACE_DEGREES)
    return run


def _deal(units: np.ndarray, n_splits: int, seed: int) -> np.ndarray:
    """Fold of each row: units in random order, the largest first, each to the fold that has the fewest rows."""
    sizes = np.bincount(units)
    order = np.random.default_rng(seed).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled = [(0, fold) for fold in range(n_splits)]
    fold_of_unit = np.zeros(len(sizes), int)
    for unit in order:
        rows, fold = filled[0]
        fold_of_unit[unit] = fold
        heapq.heapreplace(filled, (rows + int(sizes[unit]), fold))
    return fold_of_unit[units]
