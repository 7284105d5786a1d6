"""Scores of pooled out-of-fold predictions, with intervals from resamples of whole units.

Every figure compares one prediction for each cluster with its measured value; the model did not see the cluster's fold.
"""

import warnings

import numpy as np
import pandas as pd

METRICS = {
    "regression": ("r2", "rmse", "pearson_r", "calibration_slope"),
    "classification": ("accuracy", "auc", "balanced_accuracy", "brier", "calibration_slope"),
}
MAIN_METRIC = {"regression": "r2", "classification": "accuracy"}
NAMES = {
    "r2": "R²",
    "rmse": "RMSE",
    "pearson_r": "Pearson r",
    "accuracy": "accuracy",
    "auc": "AUC",
    "balanced_accuracy": "balanced accuracy",
    "brier": "Brier score",
    "calibration_slope": "calibration slope",
    "r2_within_country": "R² within countries",
    "log_density": "log predictive density",
}
N_RESAMPLES = 1000
LEVEL = 0.95
_CHUNK = 2_000_000
# log odds of a probability of 0 or 1 would be infinite
_LEAST_PROBABILITY = 1e-3
_NEWTON_STEPS = 25


def training_means(values: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Compute for each cluster the mean value of the clusters outside its fold: the prediction without a model.

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


def training_means_of(
    values: np.ndarray, pairs: list[tuple[np.ndarray, np.ndarray]], strata: np.ndarray | None = None
) -> np.ndarray:
    """Compute for each tested cluster the mean value of its fold's training clusters, of its own stratum where strata
    are given.

    Parameters
    ----------
    values : array of float, shape (n,)
    pairs : list of (array of int, array of int)
        Row numbers of the training and of the test part of each fold, as splitters yield them.
    strata : array, shape (n,), optional
        Countries, or urban and rural.

    Returns
    -------
    array of float, shape (n,)
        NaN where a cluster is not tested, or no training cluster is in its stratum.

    Examples
    --------
    >>> pairs = [(np.array([0, 1]), np.array([2])), (np.array([2]), np.array([0]))]
    >>> training_means_of(np.array([0.0, 1.0, 5.0]), pairs)
    array([5. , nan, 0.5])
    >>> training_means_of(np.array([0.0, 1.0, 5.0]), pairs, np.array(["town", "village", "village"]))
    array([nan, nan,  1.])
    """
    means = np.full(len(values), np.nan)
    for train, test in pairs:
        if strata is None:
            means[test] = values[train].mean()
        else:
            by_stratum = pd.Series(values[train]).groupby(strata[train]).mean()
            means[test] = by_stratum.reindex(strata[test]).to_numpy(float)
    return means


def scores(
    task: str,
    values: np.ndarray,
    predictions: np.ndarray,
    reference: np.ndarray,
    groups: np.ndarray,
    random_state: int = 0,
) -> pd.DataFrame:
    """Score pooled out-of-fold predictions, with 95 % intervals from a bootstrap of whole groups.

    Parameters
    ----------
    task : {"regression", "classification"}
    values : array of float, shape (n,)
        Measured values, or labels 0 and 1.
    predictions : array of float, shape (n,)
        Predicted values, or probabilities of label 1.
    reference : array of float, shape (n,)
        The prediction without a model: for each cluster the mean of the clusters outside its fold (`training_means`).
    groups : array, shape (n,)
        Number of the group of each row; the bootstrap draws whole groups. Give the place where rows repeat at one position, and
        the block or district where folds are made of these.
    random_state : int
        Seed of the resamples.

    Returns
    -------
    DataFrame
        `metric`, `value`, `lower`, `upper`, `n` (clusters). Regression has `r2`, `rmse` (in the values' unit), `pearson_r` and
        `calibration_slope` (of measured on predicted values: below 1 where predictions vary too much); classification
        `accuracy` and `balanced_accuracy` (threshold 0.5), `auc`, `brier` and `calibration_slope` (of the log odds).

    Notes
    -----
    `r2` is predictive: 1 − Σ(y − ŷ)² / Σ(y − reference)², so that predicting the training folds' mean scores exactly 0.
    A score that is not defined is null, not 0: `r2` where values equal their reference, `auc` of one class, `pearson_r`
    of values without variance, and all scores where a prediction is missing. `auc`, `pearson_r` and `calibration_slope` are also
    null where predictions are constant within each fold: such a model does not order places, and pooled over folds it would
    score below chance, because the training mean is low where the fold's values are high. Intervals are null for a single group.

    Examples
    --------
    >>> y = np.array([0.0, 1.0, 2.0, 3.0])
    >>> table = scores("regression", y, np.array([0.5, 0.5, 2.5, 2.5]), np.full(4, 1.5), np.arange(4))
    >>> table[["metric", "value"]]
                  metric     value
    0                 r2  0.800000
    1               rmse  0.500000
    2          pearson_r  0.894427
    3  calibration_slope  1.000000
    """
    n = len(values)
    if n == 0 or not (np.isfinite(values).all() and np.isfinite(predictions).all()):
        return no_scores(task, n)
    value, resampled = resampled_scores(task, values, predictions, reference, groups, random_state)
    return score_table(task, value, resampled, n)


def resampled_scores(
    task: str,
    values: np.ndarray,
    predictions: np.ndarray,
    reference: np.ndarray,
    groups: np.ndarray,
    random_state: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute scores, and the scores of 1,000 resamples of whole groups; equal groups and seeds give equal resamples.

    Parameters
    ----------
    task, values, predictions, reference, groups, random_state
        As for `scores`; all finite, n at least 1.

    Returns
    -------
    value : array, shape (metrics,)
        In the order of `METRICS[task]`; NaN where not defined.
    resampled : array, shape (1000, metrics)
        All NaN for a single group.

    Examples
    --------
    >>> y = np.array([0.0, 1.0, 2.0, 3.0])
    >>> value, resampled = resampled_scores("regression", y, y, np.full(4, 1.5), np.arange(4))
    >>> float(value[0]), resampled.shape
    (1.0, (1000, 4))
    """
    values, predictions, reference = (np.asarray(a, float) for a in (values, predictions, reference))
    measure = _regression if task == "regression" else _classification
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        prepared = measure(values, predictions, reference)
        value = prepared(np.ones((1, len(values))))[0]
        if len(np.unique(groups)) < 2:
            return value, np.full((N_RESAMPLES, len(value)), np.nan)
        return value, np.concatenate([prepared(weights) for weights in _resamples(groups, random_state)])


def score_table(task: str, value: np.ndarray, resampled: np.ndarray, n: int) -> pd.DataFrame:
    """Make the table that `scores` returns: scores with the 95 % interval of their resamples.

    Examples
    --------
    >>> score_table("regression", np.array([0.5, 1, 0.7, 1]), np.full((3, 4), 0.5), 9).upper.tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    lower, upper = interval(resampled)
    undefined = np.isnan(value)
    lower, upper = np.where(undefined, np.nan, lower), np.where(undefined, np.nan, upper)
    return pd.DataFrame({"metric": METRICS[task], "value": value, "lower": lower, "upper": upper, "n": n})


def interval(resampled: np.ndarray) -> np.ndarray:
    """Compute lower and upper end of the 95 % interval of each column; NaN where the column has no number.

    Examples
    --------
    >>> interval(np.arange(101.0)[:, None]).ravel().round(3).tolist()
    [2.5, 97.5]
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanquantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)


def wilson_interval(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the 95 % interval of a share by Wilson's score method; it lies within 0 and 1, and its width is never 0.

    Parameters
    ----------
    share : array of float
        Observed shares, 0 to 1.
    n : array of int
        Numbers of observations, at least 1.

    Returns
    -------
    lower, upper : array of float

    Source: Wilson 1927, doi 10.1080/01621459.1927.10502953: with z = 1.96, (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n).

    Examples
    --------
    >>> lower, upper = wilson_interval(np.array([0.0, 0.5, 1.0]), np.array([10, 10, 10]))
    >>> lower.round(3).tolist(), upper.round(3).tolist()
    ([0.0, 0.237, 0.722], [0.278, 0.763, 1.0])
    """
    z = 1.959963984540054
    centre = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    lower, upper = (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)
    return np.clip(lower, 0, 1), np.clip(upper, 0, 1)


def paired_gains(
    task: str,
    values: np.ndarray,
    predictions: np.ndarray,
    pairs: list[tuple[int, int]],
    reference: np.ndarray,
    groups: np.ndarray,
    random_state: int = 0,
) -> np.ndarray:
    """Compute the differences of R² (or accuracy) between models, in the sample and in 1,000 resamples of whole groups.

    Parameters
    ----------
    task : {"regression", "classification"}
    values, reference, groups : array, shape (n,)
        As for `scores`.
    predictions : array of float, shape (n, models)
    pairs : list of (int, int)
        Columns of the two models.
    random_state : int
        Seed of the resamples.

    Returns
    -------
    array of float, shape (1001, pairs)
        The differences, then those of the resamples; NaN where not defined.

    Examples
    --------
    >>> y = np.array([0.0, 1.0, 2.0, 3.0])
    >>> both = np.column_stack([y, np.full(4, 1.5)])
    >>> float(paired_gains("regression", y, both, [(0, 1)], np.full(4, 1.5), np.arange(4))[0, 0])
    1.0
    """
    if task == "regression":
        merit = -((predictions - values[:, None]) ** 2)
        total = (values - reference) ** 2
    else:
        merit = ((predictions >= 0.5) == (values == 1)[:, None]).astype(float)
        total = np.ones(len(values))
    one, other = (np.array(column, int) for column in zip(*pairs, strict=True))
    # sums over groups, drawn once for all pairs, of which there may be 300
    number = np.unique(groups, return_inverse=True)[1].reshape(-1)
    by_group = np.column_stack([np.bincount(number, weights=column) for column in (*merit.T, total)])
    sums = by_group.sum(axis=0, keepdims=True)
    if len(by_group) > 1:
        drawn = [weights @ by_group for weights in _resamples(np.arange(len(by_group)), random_state)]
        sums = np.concatenate([sums, *drawn])
    else:
        sums = np.concatenate([sums, np.full((N_RESAMPLES, sums.shape[1]), np.nan)])
    with np.errstate(all="ignore"):
        return _finite((sums[:, one] - sums[:, other]) / sums[:, -1:])


def no_scores(task: str, n: int) -> pd.DataFrame:
    """Make the table of scores where there are none: every figure is null.

    Examples
    --------
    >>> no_scores("classification", 40).value.isna().all()
    np.True_
    """
    return pd.DataFrame({"metric": METRICS[task], "value": np.nan, "lower": np.nan, "upper": np.nan, "n": n})


def resampled_sums(amounts: np.ndarray, groups: np.ndarray, random_state: int = 0) -> np.ndarray:
    """Compute the sums of 1,000 resamples of whole groups, shape (1000,); all NaN for a single group.

    Examples
    --------
    >>> resampled_sums(np.array([1.0, 1.0, 1.0]), np.arange(3))[:2].tolist()
    [3.0, 3.0]
    """
    if len(np.unique(groups)) < 2:
        return np.full(N_RESAMPLES, np.nan)
    return np.concatenate([weights @ amounts for weights in _resamples(groups, random_state)])


def _resamples(groups: np.ndarray, random_state: int):
    """Yield how often each row is drawn, shape (resamples, n), in chunks."""
    group, n_groups = np.unique(groups, return_inverse=True)[1].reshape(-1), len(np.unique(groups))
    rng = np.random.default_rng(random_state)
    size = max(1, _CHUNK // len(group))
    for start in range(0, N_RESAMPLES, size):
        count = min(size, N_RESAMPLES - start)
        drawn = rng.integers(n_groups, size=(count, n_groups)) + n_groups * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * n_groups).reshape(count, n_groups)[:, group].astype(float)


def _regression(values: np.ndarray, predictions: np.ndarray, reference: np.ndarray):
    squares, without_model = (values - predictions) ** 2, (values - reference) ** 2
    # gains are summed, in place of subtracting two sums, so that a model that predicts the reference scores exactly 0
    gain = without_model - squares
    y, p = _standardised(values), _standardised(predictions)
    moments = np.column_stack([np.ones(len(y)), y, p, y * y, p * p, y * p])
    ranks = not _constant_in_folds(predictions, reference)
    # y and p are in units of their own spread
    scale = (values.std() or 1.0) / (predictions.std() or 1.0)

    def measure(weights: np.ndarray) -> np.ndarray:
        n, sum_y, sum_p, sum_yy, sum_pp, sum_yp = (weights @ moments).T
        total = weights @ without_model
        r2 = np.where(total > 0, weights @ gain / total, np.nan)
        spread = (sum_yy / n - (sum_y / n) ** 2, sum_pp / n - (sum_p / n) ** 2)
        pearson = (sum_yp / n - sum_y / n * sum_p / n) / np.sqrt(spread[0] * spread[1])
        defined = (spread[0] > 1e-12) & (spread[1] > 1e-12) & ranks
        slope = np.where(defined, pearson * np.sqrt(spread[0] / spread[1]) * scale, np.nan)
        pearson = np.where(defined, np.clip(pearson, -1, 1), np.nan)
        return _finite(np.column_stack([r2, np.sqrt(weights @ squares / n), pearson, slope]))

    return measure


def _classification(labels: np.ndarray, probabilities: np.ndarray, reference: np.ndarray):
    right = ((probabilities >= 0.5) == (labels == 1)).astype(float)
    squares = (probabilities - labels) ** 2
    order = np.argsort(probabilities, kind="stable")
    ordered = probabilities[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    positive = labels[order] == 1
    ranks = not _constant_in_folds(probabilities, reference)
    clipped = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    odds = np.log(clipped / (1 - clipped))
    # fits of resamples start from the fit of the sample
    no_start = np.full((1, 2), np.nan)
    start = _logistic(odds, labels, np.ones((1, len(labels))), np.array([0.0, 1.0])) if ranks else no_start

    def measure(weights: np.ndarray) -> np.ndarray:
        n, n_ones = weights.sum(axis=1), weights @ labels
        accuracy = weights @ right / n
        balanced = (weights @ (right * labels) / n_ones + weights @ (right * (1 - labels)) / (n - n_ones)) / 2
        sorted_weights = weights[:, order]
        ones = np.add.reduceat(sorted_weights * positive, starts, axis=1)
        zeros = np.add.reduceat(sorted_weights * ~positive, starts, axis=1)
        # the share of pairs of a 1 and a 0 in which the 1 has the higher probability; a tie counts half
        below = np.cumsum(zeros, axis=1) - zeros / 2
        auc = (ones * below).sum(axis=1) / (ones.sum(axis=1) * zeros.sum(axis=1))
        nothing = np.full(len(weights), np.nan)
        slope = _logistic(odds, labels, weights, start[0])[:, 1] if ranks and np.isfinite(start).all() else nothing
        return _finite(np.column_stack([accuracy, auc if ranks else nothing, balanced, weights @ squares / n, slope]))

    return measure


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


def _constant_in_folds(predictions: np.ndarray, reference: np.ndarray) -> bool:
    """Return whether predictions are constant within each fold; folds differ in their training mean."""
    by_fold = pd.Series(predictions).groupby(reference)
    return bool((by_fold.max() == by_fold.min()).all())


def _standardised(numbers: np.ndarray) -> np.ndarray:
    spread = numbers.std()
    return (numbers - numbers.mean()) / (spread if spread > 0 else 1.0)


def _finite(table: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(table), table, np.nan)
