"""Ridge regression whose penalty folds choose, and weights for a combination of several predictions."""

from dataclasses import dataclass

import numpy as np

from geolive.models.cross_validation import fold_pairs

PENALTIES = np.logspace(0, 6, 25)


@dataclass(frozen=True)
class Ridge:
    """A fitted line: prediction = mean + (inputs - centre) · weights.

    Parameters
    ----------
    centre : array, shape (f,)
    weights : array, shape (f,), or (f, k) for k lines
    mean : float
    """

    centre: np.ndarray
    weights: np.ndarray
    mean: float

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predict values, shape (n,), or (n, k) of k lines."""
        return self.mean + (inputs - self.centre) @ self.weights


def fit_ridge(
    inputs: np.ndarray,
    values: np.ndarray,
    folds: np.ndarray,
    standardise: bool = True,
    weights: np.ndarray | None = None,
) -> tuple[Ridge, np.ndarray]:
    """Fit a ridge regression with the penalty that predicts left-out folds best.

    Parameters
    ----------
    inputs : array, shape (n, f)
    values : array, shape (n,)
    folds : array of int, shape (n,)
    standardise : bool
        Whether to scale each input to unit variance; otherwise one factor scales all inputs.
    weights : array, shape (n,), optional
        How much each row counts; by default all count the same.

    Returns
    -------
    Ridge
        The line, fitted to all rows.
    array, shape (n,)
        Predictions of each row by a line that was fitted without the row's fold.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(60, 3))
    >>> line, left_out = fit_ridge(x, x[:, 0] + 5, np.arange(60) % 3)
    >>> np.round(line.weights, 1) + 0.0, bool(np.abs(left_out - x[:, 0] - 5).max() < 0.3)
    (array([1., 0., 0.]), True)
    """
    paths = np.empty((len(PENALTIES), len(values)))
    for train, test in fold_pairs(folds):
        own = None if weights is None else weights[train]
        paths[:, test] = _path(inputs[train], values[train], standardise, own).predict(inputs[test]).T
    squares = (paths - values) ** 2 if weights is None else (paths - values) ** 2 * weights
    best = int(squares.sum(1).argmin())
    path = _path(inputs, values, standardise, weights)
    return Ridge(path.centre, path.weights[:, best].copy(), path.mean), paths[best]


def combine(left_out: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Find weights between 0 and 1 that combine several left-out predictions.

    Stacking: Wolpert 1992; non-negative weights: Breiman 1996, doi 10.1007/BF00117832. No weight is above 1, because
    predictions that hardly differ from the mean could otherwise be enlarged without limit. All weights are then shrunk by the
    gain that as many weights reach by chance where there is nothing to learn (after James & Stein 1961).

    Parameters
    ----------
    left_out : array, shape (n, models)
        Left-out predictions, less the mean that is known without a model.
    values : array, shape (n,)
        Values, less the same mean.

    Returns
    -------
    array, shape (models,)
        All 0 where no model predicts left-out rows better than their mean.

    Examples
    --------
    >>> y = np.tile([1.0, -1.0, 2.0, -2.0], 10)
    >>> combine(np.column_stack([y / 2, -y]), y).round(2)
    array([0.98, 0.  ])
    """
    from scipy.optimize import lsq_linear

    total, (n, models) = np.square(values).sum(), left_out.shape
    weights = np.clip(lsq_linear(left_out, values, (0, 1), method="bvls").x, 0, 1)
    gain = total - np.square(values - left_out @ weights).sum()
    if not gain > 0 or n <= models:
        return np.zeros(models)
    return weights * max(0.0, 1 - models * (total - gain) / (gain * (n - models)))


def _path(inputs: np.ndarray, values: np.ndarray, standardise: bool, weights: np.ndarray | None) -> Ridge:
    """Fit a line for each penalty, from one decomposition; their weights are columns, shape (f, penalties)."""
    centre, spread, mean = inputs.mean(0), inputs.std(0), values.mean()
    if weights is not None:
        centre, mean = np.average(inputs, 0, weights), np.average(values, weights=weights)
    scale = spread + 0.1 * spread.mean() if standardise else np.full_like(spread, np.sqrt(np.square(spread).mean()))
    scale = np.where(scale > 0, scale, 1.0)
    x, y = (inputs - centre) / scale, values - mean
    if weights is not None:
        root = np.sqrt(weights)
        x, y = x * root[:, None], y * root
    # the smaller of the two products, x·xᵀ or xᵀ·x, has all that is needed
    wide = x.shape[1] > len(x)
    size, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    target = vectors.T @ (y if wide else x.T @ y)
    solved = vectors @ (target[:, None] / (np.maximum(size, 0)[:, None] + PENALTIES))
    return Ridge(centre, (x.T @ solved if wide else solved) / scale[:, None], float(mean))
