"""Scores of pooled out-of-fold predictions, with intervals that respect what stays together.

Every figure is of one number a cluster, predicted by a model that did not see the cluster's fold.
"""

import warnings

import numpy as np
import pandas as pd

METRICS = {"regression": ("r2", "rmse", "pearson_r"), "classification": ("accuracy", "auc")}
NAMES = {"r2": "R²", "rmse": "RMSE", "pearson_r": "Pearson r", "accuracy": "accuracy", "auc": "AUC"}
N_RESAMPLES = 1000
LEVEL = 0.95
_CHUNK = 2_000_000


def training_means(values: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """For each cluster the mean value of the clusters outside its fold: all that is known without a model.

    Parameters
    ----------
    values : array of float, shape (n,)
    folds : array of int, shape (n,)

    Returns
    -------
    array of float, shape (n,)

    Examples
    --------
    >>> training_means(np.array([0.0, 1.0, 5.0]), np.array([0, 0, 1]))
    array([5. , 5. , 0.5])
    """
    means = np.empty(len(values))
    for fold in np.unique(folds):
        means[folds == fold] = values[folds != fold].mean()
    return means


def scores(
    task: str, values: np.ndarray, predictions: np.ndarray, reference: np.ndarray, groups: np.ndarray, seed: int = 0
) -> pd.DataFrame:
    """Scores of pooled out-of-fold predictions, with 95 % intervals from a bootstrap of whole groups.

    Parameters
    ----------
    task : {"regression", "classification"}
    values : array of float, shape (n,)
        Measured values, or labels 0 and 1.
    predictions : array of float, shape (n,)
        Predicted values, or probabilities of label 1.
    reference : array of float, shape (n,)
        What is known without a model: for each cluster the mean of the clusters outside its fold (`training_means`).
    groups : array, shape (n,)
        What is drawn together in the bootstrap: a number for each place where rows repeat at one coordinate, for each
        block or district where folds are made of these.
    seed : int

    Returns
    -------
    DataFrame
        `metric`, `value`, `lower`, `upper`, `n` (clusters). Regression has `r2`, `rmse` (in the values' unit) and
        `pearson_r`; classification `accuracy` (threshold 0.5) and `auc`.

    Notes
    -----
    `r2` is predictive: 1 − Σ(y − ŷ)² / Σ(y − reference)², so that predicting the training folds' mean scores exactly 0.
    A score that is not defined is null, not 0: `r2` where values equal their reference, `auc` of one class, `pearson_r`
    of values without variance; all where a prediction is missing. `auc` and `pearson_r` are also null where predictions
    are constant within each fold: such a model orders no two places, and pooled over folds it would score below chance,
    because the training mean is low where the fold's values are high. Intervals are null for a single group.

    Examples
    --------
    >>> y = np.array([0.0, 1.0, 2.0, 3.0])
    >>> scores("regression", y, np.array([0.5, 0.5, 2.5, 2.5]), np.full(4, 1.5), np.arange(4))[["metric", "value"]]
          metric     value
    0         r2  0.800000
    1       rmse  0.500000
    2  pearson_r  0.894427
    """
    values, predictions, reference = (np.asarray(a, float) for a in (values, predictions, reference))
    names, n = METRICS[task], len(values)
    if n == 0 or not (np.isfinite(values).all() and np.isfinite(predictions).all()):
        return no_scores(task, n)
    measure = _regression if task == "regression" else _classification
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        prepared = measure(values, predictions, reference)
        value = prepared(np.ones((1, n)))[0]
        resampled = np.concatenate([prepared(weights) for weights in _resamples(groups, seed)])
        lower, upper = np.nanquantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    if len(np.unique(groups)) < 2:
        lower = upper = np.full(len(names), np.nan)
    undefined = np.isnan(value)
    lower, upper = np.where(undefined, np.nan, lower), np.where(undefined, np.nan, upper)
    return pd.DataFrame({"metric": names, "value": value, "lower": lower, "upper": upper, "n": n})


def no_scores(task: str, n: int) -> pd.DataFrame:
    """The table of scores where there is none: every figure null.

    Examples
    --------
    >>> no_scores("classification", 40).value.tolist()
    [nan, nan]
    """
    return pd.DataFrame({"metric": METRICS[task], "value": np.nan, "lower": np.nan, "upper": np.nan, "n": n})


def _resamples(groups: np.ndarray, seed: int):
    """How often each row is drawn, shape (resamples, n), a chunk at a time."""
    group, n_groups = np.unique(groups, return_inverse=True)[1].reshape(-1), len(np.unique(groups))
    rng = np.random.default_rng(seed)
    size = max(1, _CHUNK // len(group))
    for start in range(0, N_RESAMPLES, size):
        count = min(size, N_RESAMPLES - start)
        drawn = rng.integers(n_groups, size=(count, n_groups)) + n_groups * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * n_groups).reshape(count, n_groups)[:, group].astype(float)


def _regression(values: np.ndarray, predictions: np.ndarray, reference: np.ndarray):
    squares, without_model = (values - predictions) ** 2, (values - reference) ** 2
    # the gain is summed, not two sums subtracted: a model that predicts the reference scores 0 to the last bit
    gain = without_model - squares
    y, p = _standardised(values), _standardised(predictions)
    moments = np.column_stack([np.ones(len(y)), y, p, y * y, p * p, y * p])
    ranks = not _constant_in_folds(predictions, reference)

    def measure(weights: np.ndarray) -> np.ndarray:
        n, sum_y, sum_p, sum_yy, sum_pp, sum_yp = (weights @ moments).T
        total = weights @ without_model
        r2 = np.where(total > 0, weights @ gain / total, np.nan)
        spread = (sum_yy / n - (sum_y / n) ** 2, sum_pp / n - (sum_p / n) ** 2)
        pearson = (sum_yp / n - sum_y / n * sum_p / n) / np.sqrt(spread[0] * spread[1])
        defined = (spread[0] > 1e-12) & (spread[1] > 1e-12) & ranks
        pearson = np.where(defined, np.clip(pearson, -1, 1), np.nan)
        return _finite(np.column_stack([r2, np.sqrt(weights @ squares / n), pearson]))

    return measure


def _classification(labels: np.ndarray, probabilities: np.ndarray, reference: np.ndarray):
    right = ((probabilities >= 0.5) == (labels == 1)).astype(float)
    order = np.argsort(probabilities, kind="stable")
    ordered = probabilities[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    positive = labels[order] == 1
    ranks = not _constant_in_folds(probabilities, reference)

    def measure(weights: np.ndarray) -> np.ndarray:
        accuracy = weights @ right / weights.sum(axis=1)
        sorted_weights = weights[:, order]
        ones = np.add.reduceat(sorted_weights * positive, starts, axis=1)
        zeros = np.add.reduceat(sorted_weights * ~positive, starts, axis=1)
        # of all pairs of a 1 and a 0, the share in which the 1 has the higher probability; a tie is half
        below = np.cumsum(zeros, axis=1) - zeros / 2
        auc = (ones * below).sum(axis=1) / (ones.sum(axis=1) * zeros.sum(axis=1))
        return _finite(np.column_stack([accuracy, auc if ranks else np.full(len(weights), np.nan)]))

    return measure


def _constant_in_folds(predictions: np.ndarray, reference: np.ndarray) -> bool:
    """Whether predictions differ at most where the training mean, and so the fold, differs."""
    by_fold = pd.Series(predictions).groupby(reference)
    return bool((by_fold.max() == by_fold.min()).all())


def _standardised(numbers: np.ndarray) -> np.ndarray:
    spread = numbers.std()
    return (numbers - numbers.mean()) / (spread if spread > 0 else 1.0)


def _finite(table: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(table), table, np.nan)
