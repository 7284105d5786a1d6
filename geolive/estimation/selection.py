"""Choice between estimators of districts by how well they predict clusters that they have not seen."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolive.errors import InputError
from geolive.estimation.area_checks import Values
from geolive.estimation.nested_error import area_numbers, unit_numbers

Estimator = Callable[[NDArray[np.bool_]], pd.Series]


def within_area_folds(areas: Values, *, n_folds: int = 5, random_state: int = 0) -> NDArray[np.int_]:
    """Make folds that take at most one cluster of each district at a time, and never a district's only one.

    Parameters
    ----------
    areas : Series or array of length n
        The district of each cluster.
    n_folds : int
        So many clusters of a district are tested at most.
    random_state : int

    Returns
    -------
    array of int, shape (n,)
        The fold in which each cluster is tested; -1 where it is not tested.

    Examples
    --------
    >>> within_area_folds(["a", "a", "a", "b"], n_folds=2).tolist()
    [1, -1, 0, -1]
    """
    series = pd.Series(np.asarray(areas))
    order = np.random.default_rng(random_state).permutation(len(series))
    number = series.iloc[order].groupby(series.iloc[order]).cumcount().sort_index().to_numpy()
    several = series.groupby(series).transform("size").to_numpy() > 1
    return np.where(several & (number < n_folds), number, -1)


def compare_estimators(
    estimators: Mapping[str, Estimator], values: Values, areas: Values, folds: NDArray[np.int_]
) -> pd.DataFrame:
    """Compare estimators by their errors at clusters that were left out.

    The value of a left-out cluster is the district's mean plus an error that no estimator can know. This error adds the same to
    every estimator's mean square, so that differences between estimators are those of their errors about the districts'
    means, with less data than in the end.

    Parameters
    ----------
    estimators : dict of str to callable
        Each takes an array of bool that says which clusters it may use, and returns estimates indexed by district. A covariate
        that was fitted to left-out clusters would know their values: it must be cross-fitted.
    values, areas : Series or array of length n
    folds : array of int, shape (n,)
        As `within_area_folds` gives them, for districts that were surveyed; those of a splitter that leaves out whole
        districts, for districts that were not.

    Returns
    -------
    DataFrame
        Index: the estimators, the best first. `mse` (mean squared error at left-out clusters), `difference` (of that from the
        best one's), `difference_se` (its standard error, districts taken as independent) and `n` (clusters).

    Raises
    ------
    InputError
        No cluster is left out, or an estimator lacks a district.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> area = np.repeat(np.arange(50), 4)
    >>> y = pd.Series(rng.normal(0, 1, 50)[area] + rng.normal(0, 1, 200))
    >>> comparison = compare_estimators(
    ...     {"direct": lambda used: y[used].groupby(area[used]).mean(), "zero": lambda used: pd.Series(0.0, index=range(50))},
    ...     y, area, within_area_folds(area))
    >>> comparison.index.to_list()
    ['direct', 'zero']
    """
    index = pd.RangeIndex(len(np.asarray(values)))
    y, place = unit_numbers("values", values, index), pd.Series(np.asarray(areas))
    number, _ = area_numbers(areas, index)
    tested = np.asarray(folds) >= 0
    if not tested.any():
        raise InputError("folds: no cluster is left out; districts of two or more clusters are needed", "folds")
    squared = pd.DataFrame(np.nan, index=index, columns=list(estimators))
    for fold in np.unique(folds[tested]):
        out = folds == fold
        for name, estimator in estimators.items():
            predicted = estimator(~out).reindex(place[out]).to_numpy(float)
            if np.isnan(predicted).any():
                district = place[out].to_numpy()[np.isnan(predicted)][0]
                raise InputError(f"estimators: {name}: has no estimate of district {district!r}; choose other folds")
            squared.loc[out, name] = (y[out] - predicted) ** 2
    squared, number = squared[tested], number[tested]
    mse = squared.mean()
    difference = squared.sub(squared[mse.idxmin()], axis=0)
    # the sums of a district's differences about their mean are independent between districts
    centred = (difference - difference.mean()).groupby(number).sum()
    table = {
        "mse": mse,
        "difference": difference.mean(),
        "difference_se": np.sqrt((centred**2).sum()) / len(squared),
        "n": len(squared),
    }
    return pd.DataFrame(table).sort_values("mse", kind="stable")
