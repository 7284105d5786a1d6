"""Scores of pooled out-of-fold predictions, with intervals from resamples of whole units.

Every figure compares one prediction for each cluster with its measured value; the model did not see the cluster's fold.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd

from geolive.bootstrap import N_RESAMPLES, group_numbers, interval, resamples, sums_by_group
from geolive.score_formulas import (
    CLASSIFICATION,
    CONFUSION,
    REGRESSION,
    ClassificationFormula,
    RankingFormula,
    RegressionFormula,
    finite,
)

METRICS = {
    "regression": REGRESSION,
    "classification": (
        "accuracy", "auc", "balanced_accuracy", "precision", "recall", "f1", "brier", "calibration_slope", *CONFUSION,
    ),
}  # fmt: skip
MAIN_METRIC = {"regression": "r2", "classification": "accuracy"}
# scores of single images, from sums over rows: there may be a million
IMAGE_METRICS = {
    "regression": ("r2", "r2_own_mean", "pearson_r2", "rmse", "pearson_r"),
    "classification": ("accuracy", "balanced_accuracy", "precision", "recall", "f1", *CONFUSION),
}
PER_IMAGE = "_per_image"
NAMES = {
    "r2": "R²",
    "r2_own_mean": "R² against own mean",
    "pearson_r2": "Pearson r²",
    "rmse": "RMSE",
    "pearson_r": "Pearson r",
    "accuracy": "accuracy",
    "auc": "AUC",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "brier": "Brier score",
    "calibration_slope": "calibration slope",
    "true_positives": "true positives",
    "false_positives": "false positives",
    "false_negatives": "false negatives",
    "true_negatives": "true negatives",
    "r2_within_country": "R² within countries",
    "log_density": "log predictive density",
}
NAMES |= {
    f"{name}{PER_IMAGE}": f"{NAMES[name]} per image" for metrics in IMAGE_METRICS.values() for name in metrics
}  # fmt: skip


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
        `metric`, `value`, `lower`, `upper`, `n` (clusters). Regression has `r2`, `r2_own_mean`, `pearson_r2`, `rmse` (in the
        values' unit), `pearson_r` and `calibration_slope` (of measured on predicted values: below 1 where predictions vary too
        much). Classification has `accuracy`, `balanced_accuracy`, `precision`, `recall` and `f1` of label 1 (threshold 0.5),
        `auc`, `brier`, `calibration_slope` (of the log odds), and the confusion matrix as numbers of clusters:
        `true_positives`, `false_positives`, `false_negatives` and `true_negatives`.

    Notes
    -----
    Three numbers are called R² in papers. `r2` is predictive: 1 − Σ(y − ŷ)² / Σ(y − reference)², so that predicting the
    training folds' mean scores exactly 0. `r2_own_mean` is 1 − Σ(y − ŷ)² / Σ(y − ȳ)² with the mean ȳ of the tested clusters
    themselves, as `sklearn.metrics.r2_score` computes it. `pearson_r2` is the square of Pearson's r: it ignores bias and scale,
    so it is never below 0.

    A score that is not defined is null, not 0: `r2` where values equal their reference, `auc` of one class, `precision` where
    nothing is predicted as 1, `pearson_r` of values without variance, and all scores where a prediction is missing. `auc`,
    `pearson_r`, `pearson_r2` and `calibration_slope` are also null where predictions are constant within each fold: such a model
    does not order places, and pooled over folds it would score below chance, because the training mean is low where the fold's
    values are high. Intervals are null for a single group.

    Examples
    --------
    >>> y = np.array([0.0, 1.0, 2.0, 3.0])
    >>> table = scores("regression", y, np.array([0.5, 0.5, 2.5, 2.5]), np.full(4, 1.0), np.arange(4))
    >>> table[["metric", "value"]]
                  metric     value
    0                 r2  0.833333
    1        r2_own_mean  0.800000
    2         pearson_r2  0.800000
    3               rmse  0.500000
    4          pearson_r  0.894427
    5  calibration_slope  1.000000
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
    (1.0, (1000, 6))
    """
    number, n_groups = group_numbers(groups)
    values, predictions, reference = (np.asarray(a, float) for a in (values, predictions, reference))
    with _quietly():
        formula = _formula(task, values, predictions, reference)
        names, figures = _NAMES_OF_SUMS[task], _resampled_figures(formula, number, n_groups, random_state)
        if task == "classification":
            names, ranking = (*names, "auc", "calibration_slope"), RankingFormula(values, predictions, reference)
            weights = _row_weights(number, n_groups, random_state)
            figures = np.hstack([figures, np.vstack([ranking(np.ones((1, len(values)))), *map(ranking, weights)])])
    table = figures[:, [names.index(name) for name in METRICS[task]]]
    return table[0], table[1:] if n_groups > 1 else np.full((N_RESAMPLES, table.shape[1]), np.nan)


def resampled_image_scores(
    task: str,
    values: np.ndarray,
    predictions: np.ndarray,
    reference: np.ndarray,
    groups: np.ndarray,
    random_state: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute scores of single images, each with the value of its cluster, and those of 1,000 resamples of whole groups.

    Parameters
    ----------
    task, values, predictions, reference, groups, random_state
        As for `scores`, with one image in each row; all finite, n at least 1.

    Returns
    -------
    value : array, shape (metrics,)
        In the order of `IMAGE_METRICS[task]`; NaN where not defined.
    resampled : array, shape (1000, metrics)
        All NaN for a single group.

    Examples
    --------
    >>> labels, clusters = np.array([1.0, 1.0, 0.0]), np.array([0, 0, 1])
    >>> value, _ = resampled_image_scores("classification", labels, np.array([0.9, 0.2, 0.1]), np.full(3, 0.5), clusters)
    >>> dict(zip(IMAGE_METRICS["classification"], value.tolist()))["recall"]
    0.5
    """
    number, n_groups = group_numbers(groups)
    with _quietly():
        formula = _formula(task, *(np.asarray(a, float) for a in (values, predictions, reference)))
        figures = _resampled_figures(formula, number, n_groups, random_state)
    table = figures[:, [_NAMES_OF_SUMS[task].index(name) for name in IMAGE_METRICS[task]]]
    return table[0], table[1:] if n_groups > 1 else np.full((N_RESAMPLES, table.shape[1]), np.nan)


def score_table(task: str, value: np.ndarray, resampled: np.ndarray, n: int) -> pd.DataFrame:
    """Make the table that `scores` returns: scores with the 95 % interval of their resamples.

    Examples
    --------
    >>> score_table("regression", np.full(6, 0.5), np.full((3, 6), 0.5), 9).upper.tolist()
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    """
    return _with_intervals(list(METRICS[task]), value, resampled, n)


def image_score_table(task: str, value: np.ndarray, resampled: np.ndarray, n: int) -> pd.DataFrame:
    """Make the table of scores of single images, whose names end in `_per_image`; n is a number of images.

    Examples
    --------
    >>> image_score_table("regression", np.full(5, 0.5), np.full((3, 5), 0.5), 90).metric[0]
    'r2_per_image'
    """
    return _with_intervals([f"{name}{PER_IMAGE}" for name in IMAGE_METRICS[task]], value, resampled, n)


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
    number, n_groups = group_numbers(groups)
    by_group = sums_by_group(np.column_stack([merit, total]), number, n_groups)
    sums = by_group.sum(axis=0, keepdims=True)
    if n_groups > 1:
        sums = np.concatenate([sums, *(weights @ by_group for weights in resamples(n_groups, random_state))])
    else:
        sums = np.concatenate([sums, np.full((N_RESAMPLES, sums.shape[1]), np.nan)])
    with np.errstate(all="ignore"):
        return finite((sums[:, one] - sums[:, other]) / sums[:, -1:])


def no_scores(task: str, n: int) -> pd.DataFrame:
    """Make the table of scores where there are none: every figure is null.

    Examples
    --------
    >>> no_scores("classification", 40).value.isna().all()
    np.True_
    """
    return pd.DataFrame({"metric": METRICS[task], "value": np.nan, "lower": np.nan, "upper": np.nan, "n": n})


_NAMES_OF_SUMS = {"regression": REGRESSION, "classification": CLASSIFICATION}


def _formula(
    task: str, values: np.ndarray, predictions: np.ndarray, reference: np.ndarray
) -> RegressionFormula | ClassificationFormula:
    if task == "regression":
        return RegressionFormula(values, predictions, reference)
    return ClassificationFormula(values, predictions)


def _resampled_figures(
    formula: RegressionFormula | ClassificationFormula, number: np.ndarray, n_groups: int, random_state: int
) -> np.ndarray:
    """Compute the figures of all rows, and of 1,000 resamples of groups, shape (1001, figures)."""
    by_group = sums_by_group(formula.columns, number, n_groups)
    drawn = [weights @ by_group for weights in resamples(n_groups, random_state)]
    return formula(np.vstack([formula.columns.sum(axis=0, keepdims=True), *drawn]))


def _row_weights(number: np.ndarray, n_groups: int, random_state: int) -> Iterator[np.ndarray]:
    """Yield how often each row is drawn, shape (some resamples, n)."""
    return (weights[:, number] for weights in resamples(n_groups, random_state, len(number)))


def _with_intervals(names: list[str], value: np.ndarray, resampled: np.ndarray, n: int) -> pd.DataFrame:
    lower, upper = interval(resampled)
    undefined = np.isnan(value)
    lower, upper = np.where(undefined, np.nan, lower), np.where(undefined, np.nan, upper)
    return pd.DataFrame({"metric": names, "value": value, "lower": lower, "upper": upper, "n": n})


@contextmanager
def _quietly() -> Iterator[None]:
    """Let what is not defined be NaN without a warning."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
