"""The folds that a splitter makes: as numbers, described in a table, and how far apart they are."""

from dataclasses import replace

import numpy as np
import pandas as pd

from geolive.geodesy import chord_to_km, unit_sphere
from geolive.splits.positions import as_points


def fold_numbers(splitter, X, groups: np.ndarray | None = None) -> np.ndarray:
    """Return the fold in which each row is tested.

    Parameters
    ----------
    splitter
        A splitter of geolive, or one of scikit-learn's that tests each row once.
    X : GeoDataFrame, GeoSeries or array, shape (n, ...)
        Points. An array of shape (n, 2) is taken as longitudes and latitudes in degrees.
    groups : array, shape (n,), optional
        Administrative unit of each row.

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
    folds = np.full(len(X), -1)
    times = np.zeros(len(X), int)
    for fold, (_, test) in enumerate(splitter.split(as_points(X), groups=groups)):
        folds[test] = fold
        times[test] += 1
    if (times != 1).any():
        raise ValueError(f"{splitter!r} does not test each row exactly once")
    return folds


def describe_folds(splitter, X, groups: np.ndarray | None = None) -> pd.DataFrame:
    """Describe each fold: its size, and its distance to the rows that are trained on.

    Parameters
    ----------
    splitter
        A splitter of geolive.
    X : GeoDataFrame, GeoSeries or array, shape (n, ...)
        Points. An array of shape (n, 2) is taken as longitudes and latitudes in degrees.
    groups : array, shape (n,), optional
        Administrative unit of each row.

    Returns
    -------
    DataFrame
        One fold in each row: `fold` (from 1); `test` and `train`, numbers of rows; `left_out`, the number of rows in
        neither part, because they are too near to the fold or not in the lists; `nearest_km`, the median distance of a
        test row to the nearest training row.

    Examples
    --------
    >>> from geolive.splits import RandomSplit
    >>> describe_folds(RandomSplit(n_splits=2), np.column_stack([np.arange(80, 84), np.full(4, 0)])).round(1)
       fold  test  train  left_out  nearest_km
    0     1     2      2         0       111.2
    1     2     2      2         0       111.2
    """
    from scipy.spatial import cKDTree

    X = as_points(X)
    sphere, rows = unit_sphere(splitter.positions_for(X)), []
    for fold, (train, test) in enumerate(splitter.split(X, groups=groups)):
        km = chord_to_km(cKDTree(sphere[train]).query(sphere[test])[0])
        left_out = len(sphere) - len(train) - len(test)
        rows.append([fold + 1, len(test), len(train), left_out, float(np.median(km))])
    return pd.DataFrame(rows, columns=["fold", "test", "train", "left_out", "nearest_km"])


def with_random_state(splitter, random_state: int):
    """Return the same splitter with another seed, for a further partition.

    Examples
    --------
    >>> from geolive.splits import RandomSplit
    >>> with_random_state(RandomSplit(), 3)
    RandomSplit(n_splits=5, random_state=3)
    """
    inner = getattr(splitter, "splitter", None)
    if inner is not None:
        return replace(splitter, splitter=with_random_state(inner, random_state))
    return replace(splitter, random_state=random_state)


def between_folds_km(positions: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Compute the distance of each place to the nearest place in another fold.

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
