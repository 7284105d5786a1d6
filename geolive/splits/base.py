"""What all splitters share: places, units that stay together, and folds of about equal size."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.geodesy import chord_to_km, unit_sphere
from geolive.tables import lonlat

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
class Splitter:
    """What splitters share: the number of folds, the seed, and folds made of whole units.

    Parameters
    ----------
    n_splits : int
        Number of folds.
    seed : int
    """

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
        return place_numbers(positions_of(X))

    def _folds(self, X, groups) -> np.ndarray:
        units = self.units(X, groups)
        if (count := len(np.unique(units))) < self.n_splits:
            raise InputError(self._too_few(count))
        return assign_folds(units, self.n_splits, self.seed)

    def _too_few(self, count: int) -> str:
        return f"{count} places with a value cannot make {self.n_splits} folds; use fewer folds, or survey more places"


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


def describe_folds(splitter, clusters: gpd.GeoDataFrame | np.ndarray, groups: np.ndarray | None = None) -> pd.DataFrame:
    """What each fold holds, and how far it is from what is learnt.

    Parameters
    ----------
    splitter
        One of this room's.
    clusters : GeoDataFrame or array of float, shape (n, 2)
    groups : array, shape (n,), optional

    Returns
    -------
    DataFrame
        A row a fold: `fold` (from 1), `tested` and `learnt` (clusters), `left_out` (neither: too near to the fold, or not
        in the lists), `nearest_km` (median distance of a tested cluster to the nearest learnt one).

    Examples
    --------
    >>> from geolive.splits import RandomSplit
    >>> describe_folds(RandomSplit(n_splits=2), np.column_stack([np.arange(80, 84), np.full(4, 0)])).round(1)
       fold  tested  learnt  left_out  nearest_km
    0     1       2       2         0       111.2
    1     2       2       2         0       111.2
    """
    from scipy.spatial import cKDTree

    sphere, rows = unit_sphere(positions_of(clusters)), []
    for fold, (learn, test) in enumerate(splitter.split(clusters, groups=groups)):
        km = chord_to_km(cKDTree(sphere[learn]).query(sphere[test])[0])
        left_out = len(sphere) - len(learn) - len(test)
        rows.append([fold + 1, len(test), len(learn), left_out, float(np.median(km))])
    return pd.DataFrame(rows, columns=["fold", "tested", "learnt", "left_out", "nearest_km"])


def with_seed(splitter, seed: int):
    """The same splitter with another seed, for a further partition.

    Examples
    --------
    >>> from geolive.splits import RandomSplit
    >>> with_seed(RandomSplit(), 3)
    RandomSplit(n_splits=5, seed=3)
    """
    inner = getattr(splitter, "splitter", None)
    return replace(splitter, seed=seed) if inner is None else replace(splitter, splitter=with_seed(inner, seed))


def between_folds_km(positions: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Distance of each place to the nearest in another fold.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    folds : array of int, shape (n,)

    Returns
    -------
    array of float, shape (n,)
        Kilometres; infinite where there is one fold only.

    Examples
    --------
    >>> between_folds_km(np.array([[80.0, 0.0], [80.1, 0.0], [81.0, 0.0]]), np.array([0, 0, 1])).round().tolist()
    [111.0, 100.0, 100.0]
    """
    from scipy.spatial import cKDTree

    sphere, km = unit_sphere(positions), np.full(len(positions), np.inf)
    for fold in np.unique(folds):
        inside = folds == fold
        if not inside.all():
            km[inside] = chord_to_km(cKDTree(sphere[~inside]).query(sphere[inside])[0])
    return km


def positions_of(X) -> np.ndarray:
    """Longitude and latitude in degrees, shape (n, 2), of a table of clusters or of an array of them.

    Raises
    ------
    InputError
        A position is missing.

    Examples
    --------
    >>> positions_of([[80.0, 25.0]]).tolist()
    [[80.0, 25.0]]
    """
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


def assign_folds(units: np.ndarray, n_splits: int, seed: int) -> np.ndarray:
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


def join(groups: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Number of each row's unit, where rows of one group and rows at one place belong together.

    Examples
    --------
    >>> join(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]))
    array([0, 0, 0, 1])
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_groups, n = int(groups.max(initial=-1)) + 1, len(groups)
    size = n_groups + int(places.max(initial=-1)) + 1
    links = coo_array((np.ones(n), (groups, n_groups + places)), shape=(size, size))
    joined = connected_components(links, directed=False)[1][groups]
    return np.unique(joined, return_inverse=True)[1].reshape(-1)
