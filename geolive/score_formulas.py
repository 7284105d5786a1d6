"""The formulas behind `geolive.metrics`: scores from sums over rows, so that resamples of groups cost little."""

import numpy as np
import pandas as pd

REGRESSION = ("r2", "r2_own_mean", "pearson_r2", "rmse", "pearson_r", "calibration_slope")
CONFUSION = ("true_positives", "false_positives", "false_negatives", "true_negatives")
CLASSIFICATION = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "brier", *CONFUSION)
# log odds of a probability of 0 or 1 would be infinite
_LEAST_PROBABILITY = 1e-3
_NEWTON_STEPS = 25
# a variance below this, of numbers in units of their own spread, is rounding
_NO_VARIANCE = 1e-12


class RegressionFormula:
    """Scores of predicted values from sums over rows.

    Parameters
    ----------
    values, predictions, reference : array of float, shape (n,)
        As for `geolive.metrics.scores`.

    Attributes
    ----------
    columns : array of float, shape (n, 9)
        What is summed over rows.

    Examples
    --------
    >>> y = np.array([0.0, 1.0, 2.0, 3.0])
    >>> formula = RegressionFormula(y, np.array([0.5, 0.5, 2.5, 2.5]), np.full(4, 1.0))
    >>> dict(zip(REGRESSION, formula(formula.columns.sum(axis=0, keepdims=True))[0].round(3).tolist()))["r2_own_mean"]
    0.8
    """

    def __init__(self, values: np.ndarray, predictions: np.ndarray, reference: np.ndarray) -> None:
        squares, without_model = (values - predictions) ** 2, (values - reference) ** 2
        y, p = _standardised(values), _standardised(predictions)
        # gains are summed, in place of subtracting two sums, so that a model that predicts the reference scores exactly 0
        gain = without_model - squares
        self.columns = np.column_stack(
            [np.ones(len(y)), gain, without_model, squares, y, p, y * y, p * p, y * p],
        )
        self._ranks = not constant_in_folds(predictions, reference)
        # y and p are in units of their own spread
        self._spread = values.std() or 1.0
        self._scale = self._spread / (predictions.std() or 1.0)

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """Compute the scores in `REGRESSION` from sums of `columns`, shape (resamples, 9); NaN where not defined."""
        n, gain, without_model, squares, sum_y, sum_p, sum_yy, sum_pp, sum_yp = sums.T
        r2 = np.where(without_model > 0, gain / without_model, np.nan)
        variance = (sum_yy / n - (sum_y / n) ** 2, sum_pp / n - (sum_p / n) ** 2)
        own_mean = np.where(
            variance[0] > _NO_VARIANCE, 1 - squares / n / (variance[0] * self._spread * self._spread), np.nan
        )
        pearson = (sum_yp / n - sum_y / n * sum_p / n) / np.sqrt(variance[0] * variance[1])
        defined = (variance[0] > _NO_VARIANCE) & (variance[1] > _NO_VARIANCE) & self._ranks
        slope = np.where(defined, pearson * np.sqrt(variance[0] / variance[1]) * self._scale, np.nan)
        pearson = np.where(defined, np.clip(pearson, -1, 1), np.nan)
        return finite(np.column_stack([r2, own_mean, pearson**2, np.sqrt(squares / n), pearson, slope]))


class ClassificationFormula:
    """Scores of predicted probabilities of label 1 from sums over rows.

    Parameters
    ----------
    labels, probabilities : array of float, shape (n,)

    Attributes
    ----------
    columns : array of float, shape (n, 5)
        What is summed over rows: the four cells of the confusion matrix, and the squared error.

    Examples
    --------
    >>> formula = ClassificationFormula(np.array([1.0, 1.0, 0.0]), np.array([0.9, 0.2, 0.7]))
    >>> dict(zip(CLASSIFICATION, formula(formula.columns.sum(axis=0, keepdims=True))[0].tolist()))["precision"]
    0.5
    """

    def __init__(self, labels: np.ndarray, probabilities: np.ndarray) -> None:
        is_one, says_one = labels == 1, probabilities >= 0.5
        cells = [is_one & says_one, ~is_one & says_one, is_one & ~says_one, ~is_one & ~says_one]
        self.columns = np.column_stack([*cells, (probabilities - labels) ** 2]).astype(float)

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """Compute the scores in `CLASSIFICATION` from sums of `columns`, shape (resamples, 5); NaN where not defined.

        The counts of the confusion matrix are scaled to the number of rows, because resamples differ in it.
        """
        true_ones, false_ones, false_zeros, true_zeros, squares = sums.T
        n = true_ones + false_ones + false_zeros + true_zeros
        recall, precision = true_ones / (true_ones + false_zeros), true_ones / (true_ones + false_ones)
        balanced = (recall + true_zeros / (true_zeros + false_ones)) / 2
        f1 = 2 * true_ones / (2 * true_ones + false_ones + false_zeros)
        counts = sums[:, :4] * (len(self.columns) / n)[:, None]
        scores = [(true_ones + true_zeros) / n, balanced, precision, recall, f1, squares / n]
        return finite(np.column_stack([*scores, counts]))


class RankingFormula:
    """AUC and calibration slope of predicted probabilities, which need the rows themselves and not only sums.

    Parameters
    ----------
    labels, probabilities, reference : array of float, shape (n,)
        As for `geolive.metrics.scores`.

    Examples
    --------
    >>> formula = RankingFormula(np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.6, 0.3]), np.full(3, 0.5))
    >>> formula(np.ones((1, 3)))[0, 0]
    np.float64(0.5)
    """

    def __init__(self, labels: np.ndarray, probabilities: np.ndarray, reference: np.ndarray) -> None:
        self._labels = labels
        self._order = np.argsort(probabilities, kind="stable")
        ordered = probabilities[self._order]
        self._starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self._positive = labels[self._order] == 1
        self._ranks = not constant_in_folds(probabilities, reference)
        clipped = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
        self._odds = np.log(clipped / (1 - clipped))
        # fits of resamples start from the fit of the sample
        self._start = np.full(2, np.nan)
        if self._ranks:
            self._start = _logistic(self._odds, labels, np.ones((1, len(labels))), np.array([0.0, 1.0]))[0]

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Compute AUC and slope for weights of rows, shape (resamples, n); NaN where not defined."""
        if not self._ranks:
            return np.full((len(weights), 2), np.nan)
        sorted_weights = weights[:, self._order]
        ones = np.add.reduceat(sorted_weights * self._positive, self._starts, axis=1)
        zeros = np.add.reduceat(sorted_weights * ~self._positive, self._starts, axis=1)
        # the share of pairs of a 1 and a 0 in which the 1 has the higher probability; a tie counts half
        below = np.cumsum(zeros, axis=1) - zeros / 2
        auc = (ones * below).sum(axis=1) / (ones.sum(axis=1) * zeros.sum(axis=1))
        slope = np.full(len(weights), np.nan)
        if np.isfinite(self._start).all():
            slope = _logistic(self._odds, self._labels, weights, self._start)[:, 1]
        return finite(np.column_stack([auc, slope]))


def constant_in_folds(predictions: np.ndarray, reference: np.ndarray) -> bool:
    """Return whether predictions are constant within each fold; folds differ in their training mean.

    Examples
    --------
    >>> constant_in_folds(np.array([1.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.7]))
    True
    """
    by_fold = pd.Series(predictions).groupby(reference)
    return bool((by_fold.max() == by_fold.min()).all())


def finite(table: np.ndarray) -> np.ndarray:
    """Replace infinite numbers by NaN.

    Examples
    --------
    >>> finite(np.array([1.0, np.inf]))
    array([ 1., nan])
    """
    return np.where(np.isfinite(table), table, np.nan)


def _logistic(x: np.ndarray, labels: np.ndarray, weights: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Fit a logistic regression for each row of weights, by Newton's method: intercept and slope, NaN where there is none."""
    beta = np.tile(start, (len(weights), 1))
    xx = x * x
    for _ in range(_NEWTON_STEPS):
        p = 1 / (1 + np.exp(-(beta[:, :1] + beta[:, 1:] * x)))
        error, spread = weights * (labels - p), weights * p * (1 - p)
        gradient = np.column_stack([error.sum(axis=1), error @ x])
        a, b, c = spread.sum(axis=1), spread @ x, spread @ xx
        determinant = a * c - b * b
        step = np.column_stack([c * gradient[:, 0] - b * gradient[:, 1], a * gradient[:, 1] - b * gradient[:, 0]])
        step = np.clip(step / determinant[:, None], -2, 2)
        beta = beta + step
        if not (np.abs(step) > 1e-6).any():
            break
    # classes that the probabilities separate completely have no finite slope
    settled = (np.abs(step) <= 1e-3).all(axis=1) & (np.abs(beta) < 50).all(axis=1)
    return np.where(settled[:, None], beta, np.nan)


def _standardised(numbers: np.ndarray) -> np.ndarray:
    spread = numbers.std()
    return (numbers - numbers.mean()) / (spread if spread > 0 else 1.0)
