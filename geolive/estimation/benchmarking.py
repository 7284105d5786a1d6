"""Benchmarking: estimates of areas that add up to a figure of the whole."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.estimation.area_checks import check_choice

METHODS = ("ratio", "difference", "bell-datta-ghosh")


def benchmark(
    estimates: pd.DataFrame,
    weights: pd.Series,
    target: float | Mapping[str, float],
    *,
    method: str = "ratio",
    group: pd.Series | None = None,
) -> pd.DataFrame:
    """Adjust estimates so that their weighted mean is a given figure, such as the state's direct estimate.

    Use "ratio" for positive quantities, "difference" where zero has no meaning, and "bell-datta-ghosh" to move uncertain
    areas most. Benchmarking protects against a wrong model in the whole, and costs a little precision in each area.

    Parameters
    ----------
    estimates : DataFrame of n areas
        With `estimate`, `mse`, `lower` and `upper`, as `FayHerriot.predict` and `estimate_areas` give them.
    weights : Series of length n
        Population of each area; only its proportions count.
    target : float or mapping of str to float
        What the weighted mean must be; one for each group where there are groups.
    method : {"ratio", "difference", "bell-datta-ghosh"}
    group : Series of length n, optional
        Group of each area, such as its state.

    Returns
    -------
    DataFrame
        A copy with `estimate` moved, `mse` larger by the square of the move, `lower` and `upper` moved and as much wider as the
        root of `mse` is larger, and `unbenchmarked`, the estimate before.

    Raises
    ------
    InputError
        A weight is negative or missing, a target is missing, or a ratio is not defined.

    Notes
    -----
    With weights w that sum to 1 and the target t, the methods are estimate * t / sum(w estimate), estimate + t - sum(w
    estimate), and the minimiser of sum((benchmarked - estimate)^2 / mse) under the constraint: estimate + (t - sum(w
    estimate)) w mse / sum(w^2 mse) (Bell, Datta and Ghosh 2013, with the inverse mean squared errors as the loss's
    weights). The squared move is added to the mean squared error as a bias that is not known to be smaller.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"estimate": [1.0, 3.0], "mse": [0.1, 0.3], "lower": [0.0, 2.0], "upper": [2.0, 4.0]})
    >>> for method in METHODS:
    ...     print(method, benchmark(table, pd.Series([1, 1]), 2.2, method=method)["estimate"].round(2).tolist())
    ratio [1.1, 3.3]
    difference [1.2, 3.2]
    bell-datta-ghosh [1.1, 3.3]
    """
    check_choice("method", method, list(METHODS))
    groups = pd.Series("all", index=estimates.index) if group is None else group.astype(str).set_axis(estimates.index)
    targets = target if isinstance(target, Mapping) else dict.fromkeys(groups.unique(), target)
    _check(estimates, weights, groups, targets)
    result = estimates.copy()
    result["unbenchmarked"] = estimates["estimate"]
    for name in groups.unique():
        rows = (groups == name).to_numpy()
        share = weights.to_numpy(dtype=float)[rows] / weights.to_numpy(dtype=float)[rows].sum()
        part = estimates[rows]
        estimate = part["estimate"].to_numpy()
        gap = float(targets[name]) - float(share @ estimate)
        if method == "ratio":
            move = estimate * _ratio_minus_one(name, float(share @ estimate), float(targets[name]))
        elif method == "difference":
            move = np.full(len(part), gap)
        else:
            spread = share * part["mse"].to_numpy()
            move = gap * spread / (share @ spread)
        wider = np.sqrt(1 + move**2 / part["mse"].to_numpy())
        result.loc[rows, "estimate"] = estimate + move
        for column in ("lower", "upper"):
            result.loc[rows, column] = estimate + move + wider * (part[column].to_numpy() - estimate)
        result.loc[rows, "mse"] = part["mse"] + move**2
    return result


def _ratio_minus_one(group: str, mean: float, target: float) -> float:
    if mean == 0 or (mean > 0) != (target > 0):
        raise InputError(
            f"method ratio: group {group}: the estimates' weighted mean is {mean:.4g} and the target {target:.4g}, so their "
            "ratio is not above 0; use difference"
        )
    return target / mean - 1


def _check(estimates: pd.DataFrame, weights: pd.Series, groups: pd.Series, targets: Mapping[str, float]) -> None:
    for column in ("estimate", "mse", "lower", "upper"):
        if column not in estimates.columns:
            raise InputError(f"estimates: no column {column!r}; give the table of estimate_areas")
    if len(weights) != len(estimates):
        raise InputError(f"weights: has {len(weights)} values for {len(estimates)} areas; give one for each")
    wrong = ~(weights.to_numpy(dtype=float) >= 0)
    if wrong.any():
        raise InputError(
            f"weights: row {np.flatnonzero(wrong)[0]}: is negative or missing; give the population of each area"
        )
    for name in groups.unique():
        if name not in targets or not np.isfinite(targets[name]):
            raise InputError(f"target: lacks for group {name}; give a figure for each group")
        if not weights.to_numpy(dtype=float)[(groups == name).to_numpy()].sum() > 0:
            raise InputError(f"weights: group {name}: sum to 0; give the population of its areas")
