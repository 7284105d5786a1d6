"""Where a model may be applied: places that resemble some of its training places."""

from dataclasses import dataclass

import numpy as np

_AT_ONCE = 2000


@dataclass(frozen=True)
class Applicability:
    """The area of applicability of a model.

    The dissimilarity of a place is its distance to the most similar training place, divided by the mean distance between training
    places; predictors are standardised and weighted by their importance to the model. A place is not supported if it is more
    dissimilar than training places are to those outside their own fold (leaving out outliers), because nothing is known about the
    model's errors there.

    Source: Meyer & Pebesma 2021, doi 10.1111/2041-210X.13650.

    Parameters
    ----------
    middle, factor : array of float, shape (p,)
        Distances are measured between `(predictors - middle) * factor`.
    training : array of float, shape (n, p)
        The training places in that space.
    mean_distance : float
    threshold : float
        The largest dissimilarity that is supported.
    """

    middle: np.ndarray
    factor: np.ndarray
    training: np.ndarray
    mean_distance: float
    threshold: float

    def dissimilarity(self, predictors: np.ndarray) -> np.ndarray:
        """Compute the dissimilarity of places, shape (n, p) to (n,); 0 for a training place."""
        scaled = (np.asarray(predictors, float) - self.middle) * self.factor
        return _nearest(scaled, self.training) / self.mean_distance

    def holds(self, predictors: np.ndarray) -> np.ndarray:
        """Return whether places are supported, shape (n, p) to (n,) of bool."""
        # the order of a sum must not make a place differ from itself
        return self.dissimilarity(predictors) <= self.threshold * (1 + 1e-9) + 1e-9


def area_of_applicability(predictors: np.ndarray, folds: np.ndarray, importance: np.ndarray) -> Applicability:
    """Learn from the training places and their folds which places are unlike them.

    Parameters
    ----------
    predictors : array of float, shape (n, p)
    folds : array of int, shape (n,)
    importance : array of float, shape (p,)
        How much each predictor matters to the model, at least 0; all 1 where this is not known.

    Returns
    -------
    Applicability

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> known = area_of_applicability(rng.normal(size=(200, 2)), np.arange(200) % 10, np.array([1.0, 0.0]))
    >>> known.holds(np.array([[0.1, 0.0], [0.1, 90.0], [9.0, 0.0]])).tolist()
    [True, True, False]
    """
    predictors, folds = np.asarray(predictors, float), np.asarray(folds)
    spread, weight = predictors.std(axis=0), np.asarray(importance, float)
    # a model cannot learn from a predictor that does not vary among its training places
    varies = spread > 1e-12
    factor = np.where(varies, weight / np.where(varies, spread, 1.0), 0.0)
    middle = predictors.mean(axis=0)
    training = (predictors - middle) * factor
    mean_distance = _mean_distance(training) or 1.0
    own = np.full(len(training), np.nan)
    for fold in np.unique(folds):
        here, others = folds == fold, folds != fold
        if others.any():
            own[here] = _nearest(training[here], training[others]) / mean_distance
    return Applicability(middle, factor, training, mean_distance, _upper_whisker(own[np.isfinite(own)]))


def _upper_whisker(values: np.ndarray) -> float:
    """Return the largest value that is no outlier, as a box plot draws it."""
    if not len(values):
        return np.inf
    first, third = np.quantile(values, [0.25, 0.75])
    return float(values[values <= third + 1.5 * (third - first)].max())


def _nearest(points: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Return the distance of each point to the nearest of others; inf where there are no others."""
    if not len(to):
        return np.full(len(points), np.inf)
    squares, nearest = (to**2).sum(axis=1), np.empty(len(points))
    for start in range(0, len(points), _AT_ONCE):
        part = points[start : start + _AT_ONCE]
        # |a - b|² = |a|² + |b|² - 2ab, by one product of matrices, says which is nearest, and the difference how far it is
        product = part @ (-2 * to.T)
        product += squares
        found = to[np.argmin(product, axis=1)]
        nearest[start : start + _AT_ONCE] = np.sqrt(((part - found) ** 2).sum(axis=1))
    return nearest


def _mean_distance(points: np.ndarray) -> float:
    """Return the mean distance between two different points; 0 where there are fewer than two."""
    n, total, squares = len(points), 0.0, (points**2).sum(axis=1)
    for start in range(0, n, _AT_ONCE):
        part = points[start : start + _AT_ONCE]
        # as in `_nearest`; what rounding makes of the distance of a point from itself must not count
        apart = part @ (-2 * points.T)
        apart += squares
        apart += squares[start : start + _AT_ONCE, None]
        np.sqrt(np.maximum(apart, 0, out=apart), out=apart)
        apart[np.arange(len(part)), start + np.arange(len(part))] = 0
        total += float(apart.sum())
    return total / max(n * (n - 1), 1)
