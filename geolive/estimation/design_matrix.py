"""Covariates of areas as a design matrix: an intercept, numeric columns and dummies of text columns."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolive.errors import InputError


@dataclass(frozen=True)
class DesignMatrix:
    """How a table of covariates becomes a matrix.

    Attributes
    ----------
    columns : tuple of str
        Names of the covariates, in order.
    levels : dict of str to tuple of str
        Levels of each categorical covariate, sorted; the first one is the reference when there is an intercept.
    fit_intercept : bool
        Whether the first column is an intercept.
    """

    columns: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    fit_intercept: bool

    @classmethod
    def learn(cls, covariates: pd.DataFrame, fit_intercept: bool) -> "DesignMatrix":
        """Learn the columns and the levels of the categorical covariates from a table.

        Text, categorical and boolean columns become dummies; the first level is dropped, so that there can be an intercept
        beside them. Without an intercept the first categorical covariate keeps all its levels.

        Raises
        ------
        InputError
            A column has text and numbers mixed, is not finite or has missing values; there are no columns at all.

        Examples
        --------
        >>> import pandas as pd
        >>> table = pd.DataFrame({"light": [1.0, 2.0, 4.0], "zone": ["hill", "plain", "hill"]})
        >>> design = DesignMatrix.learn(table, fit_intercept=True)
        >>> design.names
        ('intercept', 'light', 'zone=plain')
        >>> design.transform(table).tolist()
        [[1.0, 1.0, 0.0], [1.0, 2.0, 1.0], [1.0, 4.0, 0.0]]
        """
        _check_names(covariates)
        if covariates.shape[1] == 0 and not fit_intercept:
            raise InputError("covariates: a model needs at least one covariate or an intercept; give either")
        _check_complete(covariates)
        levels = {
            str(name): tuple(sorted(covariates[name].astype(str).unique()))
            for name in covariates.columns
            if _is_categorical(covariates[name])
        }
        return cls(tuple(str(name) for name in covariates.columns), levels, fit_intercept)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each column of the matrix."""
        names = ["intercept"] if self.fit_intercept else []
        for name in self.columns:
            names += [f"{name}={level}" for level in self._dummies(name)] if name in self.levels else [name]
        return tuple(names)

    def transform(self, covariates: pd.DataFrame) -> NDArray[np.float64]:
        """Make the matrix, shape (areas, coefficients), of a table that has the columns of the fit.

        Raises
        ------
        InputError
            A column is missing, is not numeric, has missing values, or has a level that the fit did not see.
        """
        lacking = [name for name in self.columns if name not in covariates.columns]
        if lacking:
            raise InputError(
                f"covariates: no column {lacking[0]!r}; the model was fitted with {', '.join(self.columns)}"
            )
        covariates = covariates.loc[:, list(self.columns)]
        _check_complete(covariates)
        parts = [np.ones((len(covariates), 1))] if self.fit_intercept else []
        for name in self.columns:
            if name not in self.levels:
                parts.append(_numbers(covariates[name])[:, None])
                continue
            text = covariates[name].astype(str)
            unseen = ~text.isin(self.levels[name])
            if unseen.any():
                where = label(covariates.index[unseen.to_numpy()][0])
                raise InputError(
                    f"covariates: {where}: {name} is {text[unseen].iloc[0]!r}, and no area with a direct estimate has that "
                    "level; merge it with another level, or leave the covariate out"
                )
            parts.append(np.column_stack([text == level for level in self._dummies(name)]).astype(float))
        return np.hstack(parts) if parts else np.empty((len(covariates), 0))

    def _dummies(self, name: str) -> tuple[str, ...]:
        keeps_all = not self.fit_intercept and name == next(iter(self.levels))
        return self.levels[name] if keeps_all else self.levels[name][1:]


def check_rank(matrix: NDArray[np.float64], names: tuple[str, ...]) -> None:
    """Raise where the areas are too few for the coefficients, or where columns are collinear.

    Parameters
    ----------
    matrix : array of shape (areas, coefficients)
    names : tuple of str
        Name of each column.

    Raises
    ------
    InputError
        There are not more areas than coefficients, or a column is a combination of those before it.

    Examples
    --------
    >>> import numpy as np
    >>> check_rank(np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 5.0]]), ("intercept", "light"))
    """
    n_areas, n_coefficients = matrix.shape
    if n_areas <= n_coefficients:
        raise InputError(
            f"covariates: {n_areas} areas with a direct estimate are too few for {n_coefficients} coefficients "
            f"({', '.join(names)}); leave covariates out or merge levels"
        )
    norms = np.linalg.norm(matrix, axis=0)
    scaled = matrix / np.where(norms > 0, norms, 1.0)
    for i in range(n_coefficients):
        if norms[i] == 0 or np.linalg.matrix_rank(scaled[:, : i + 1], tol=1e-9) <= i:
            before = ", ".join(names[:i]) or "zero"
            raise InputError(f"covariates: {names[i]} is collinear with {before}; leave it out")


def label(index: Hashable) -> str:
    """Name a row in an error message: by its number, or by its area.

    Examples
    --------
    >>> label(3), label("Patna")
    ('row 3', 'area Patna')
    """
    return f"row {index}" if isinstance(index, int | np.integer) else f"area {index}"


def _check_names(covariates: pd.DataFrame) -> None:
    if not covariates.columns.is_unique:
        twice = covariates.columns[covariates.columns.duplicated()][0]
        raise InputError(f"covariates: column {twice!r} is given twice; name each column once")


def _check_complete(covariates: pd.DataFrame) -> None:
    for name in covariates.columns:
        column = covariates[name]
        absent = column.isna() if _is_categorical(column) else ~pd.Series(np.isfinite(_numbers(column)), column.index)
        if absent.any():
            first, n = label(column.index[absent.to_numpy()][0]), int(absent.sum())
            others = f" (and in {n - 1} more)" if n > 1 else ""
            raise InputError(
                f"covariates: {first}: {name} is missing or infinite{others}; fill it in, or drop the areas or the covariate"
            )


def _is_categorical(column: pd.Series) -> bool:
    if pd.api.types.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return True
    if pd.api.types.is_numeric_dtype(column):
        return False
    present = column.dropna()
    text = present.map(lambda value: isinstance(value, str))
    if not text.all():
        raise InputError(f"covariates: {column.name} mixes text and other values; make it all numbers or all text")
    numeric = pd.to_numeric(present, errors="coerce").notna()
    if numeric.any():
        odd = present[~numeric]
        why = f"{odd.iloc[0]!r} is not a number" if len(odd) else "its numbers are stored as text"
        raise InputError(
            f"covariates: {column.name} looks numeric, but {why}; make it all numbers, or all text for a categorical covariate"
        )
    return True


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    return column.to_numpy(dtype=float, na_value=np.nan)
