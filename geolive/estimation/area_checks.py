"""Checks of direct estimates and their sampling variances, each with one line that names the area."""

from collections.abc import Hashable, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolive.errors import InputError
from geolive.estimation.design_matrix import label

Array = NDArray[np.floating]
Values: TypeAlias = pd.Series | NDArray[np.float64] | Sequence[float]


def as_covariates(covariates: "pd.DataFrame | NDArray[np.float64]") -> pd.DataFrame:
    """Return a table of covariates; the columns of an array are named x1, x2, …

    Raises
    ------
    InputError
        It is neither a DataFrame nor an array with two dimensions.

    Examples
    --------
    >>> as_covariates(np.eye(2)).columns.tolist()
    ['x1', 'x2']
    """
    if isinstance(covariates, pd.DataFrame):
        return covariates
    array = np.asarray(covariates)
    if array.ndim != 2:
        raise InputError(
            f"covariates: has {array.ndim} dimensions; give a DataFrame, or an array of shape (areas, covariates)",
            parameter="covariates",
        )
    return pd.DataFrame(array, columns=[f"x{i + 1}" for i in range(array.shape[1])])


def check_direct(index: pd.Index, direct: Values, variance: Values) -> tuple[Array, Array]:
    """Return direct estimates and sampling variances as arrays; areas without a direct estimate have NaN in both.

    Parameters
    ----------
    index : Index of length n
        Names the areas in error messages.
    direct : Series or array of length n
        NaN where the survey did not visit an area.
    variance : Series or array of length n

    Returns
    -------
    direct, variance : array of shape (n,)

    Raises
    ------
    InputError
        A length differs, a value is not a number, or a variance is zero, negative or missing beside a direct estimate.

    Examples
    --------
    >>> import pandas as pd
    >>> check_direct(pd.Index(["a", "b"]), [1.0, float("nan")], [0.5, 0.5])[1]
    array([0.5, nan])
    >>> check_direct(pd.Index(["a", "b"]), [1.0, 2.0], [0.5, 0.0])
    Traceback (most recent call last):
    geolive.errors.InputError: variance: area b: is 0, and must be above 0: an area is never measured without error; give a \
pooled or generalised variance
    """
    y, d = _as_numbers("direct", direct, len(index)), _as_numbers("variance", variance, len(index))
    of_direct, of_variance = _name(direct, "direct"), _name(variance, "variance")
    surveyed = ~np.isnan(y)
    if np.isinf(y).any():
        raise InputError(
            f"{of_direct}: {_first(index, np.isinf(y))}: is infinite; leave it empty where there is no estimate"
        )
    if not surveyed.any():
        raise InputError(
            f"{of_direct}: no area has a direct estimate; give at least one more than there are coefficients"
        )
    absent = surveyed & ~np.isfinite(d)
    if absent.any():
        raise InputError(
            f"{of_variance}: {_first(index, absent)}: is missing beside a direct estimate; give a pooled or generalised "
            "variance, or leave the direct estimate empty"
        )
    wrong = surveyed & (d <= 0)
    if wrong.any():
        raise InputError(
            f"{of_variance}: {_first(index, wrong)}: is {d[wrong][0]:g}, and must be above 0: an area is never measured without "
            "error; give a pooled or generalised variance"
        )
    return y, np.where(surveyed, d, np.nan)


def check_areas(areas: pd.Series) -> None:
    """Raise where an area has no name or occurs twice.

    Examples
    --------
    >>> import pandas as pd
    >>> check_areas(pd.Series(["a", "b", "a"], name="district"))
    Traceback (most recent call last):
    geolive.errors.InputError: district: area a occurs in rows 0 and 2; give each area one row
    """
    if areas.isna().any():
        raise InputError(f"{areas.name}: row {areas.index[areas.isna()][0]}: the area has no name; fill it in")
    if areas.duplicated().any():
        twice = areas[areas.duplicated()].iloc[0]
        rows = areas.index[areas == twice]
        raise InputError(f"{areas.name}: area {twice} occurs in rows {rows[0]} and {rows[1]}; give each area one row")


def check_choice(name: str, value: Hashable, choices: Sequence[Hashable]) -> None:
    """Raise where a parameter is not one of its choices.

    Examples
    --------
    >>> check_choice("method", "remI", ["reml", "ml"])
    Traceback (most recent call last):
    geolive.errors.InputError: method 'remI': must be one of reml, ml
    """
    if value not in choices:
        raise InputError(f"{name} {value!r}: must be one of {', '.join(map(str, choices))}")


def check_level(level: float) -> None:
    """Raise where the probability of intervals is not between 0 and 1.

    Examples
    --------
    >>> check_level(0.9)
    """
    if not 0 < level < 1:
        raise InputError(f"level {level}: must be between 0 and 1, such as 0.9")


def _as_numbers(name: str, values: Values, n: int) -> Array:
    name = _name(values, name)
    if isinstance(values, pd.Series):
        if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            bad = values[pd.to_numeric(values, errors="coerce").isna() & values.notna()]
            where = f"{label(bad.index[0])}: {bad.iloc[0]!r}" if len(bad) else f"type {values.dtype}"
            raise InputError(f"{name}: {where} is not a number; give numbers, and leave missing values empty")
        array = values.to_numpy(dtype=float, na_value=np.nan)
    else:
        array = np.asarray(values, dtype=float)
    if array.shape != (n,):
        raise InputError(f"{name}: has {len(array)} values for {n} areas; give one for each")
    return array


def _first(index: pd.Index, mask: NDArray[np.bool_]) -> str:
    return label(index[mask][0])


def _name(values: Values, parameter: str) -> str:
    """Name of a column where there is one, else that of the parameter."""
    return str(getattr(values, "name", None) or parameter)
