"""Predictions become figures: scores with intervals, by stratum, and differences between models."""

import json

import numpy as np
import pandas as pd

from geolive.evaluation.cross_validation import Predicted
from geolive.evaluation.tasks import EvaluationTask
from geolive.metrics import (
    MAIN_METRIC,
    METRICS,
    interval,
    no_scores,
    paired_gains,
    resampled_scores,
    score_table,
)
from geolive.tables import lonlat

RESULT_COLUMNS = ["model", "params", "indicator", "task", "split", "protocol", "metric", "value", "lower", "upper", "n"]
PREDICTION_COLUMNS = ["model", "unique_cluster", "lon", "lat", "fold", "value", "prediction"]
STRATA_COLUMNS = ["stratum", *RESULT_COLUMNS]
DIFFERENCE_COLUMNS = [
    "indicator", "task", "split", "protocol", "metric", "model", "other", "value", "lower", "upper", "n",
]  # fmt: skip
WITHIN_COUNTRY = "r2_within_country"
# below this a stratum's figures say nothing
FEWEST_IN_STRATUM = 20


def row_results(evaluation_task: EvaluationTask, predicted: Predicted, protocol: str, seed: int = 0) -> pd.DataFrame:
    """The figures of a row, one a line.

    Parameters
    ----------
    evaluation_task : EvaluationTask
    predicted : Predicted
    protocol : str
    seed : int
        Of the resamples.

    Returns
    -------
    DataFrame
        `RESULT_COLUMNS`. With several countries, regression also has `r2_within_country`: R² against the mean of the
        training clusters of the same country, so that a model that knows no more than the countries scores 0.
    """
    table, _ = _scores(evaluation_task, predicted.values, None, seed)
    countries = evaluation_task.clusters["country"].to_numpy(object)
    if evaluation_task.task == "regression" and len(pd.unique(countries)) > 1:
        within, _ = _scores(evaluation_task, predicted.values, countries, seed)
        table = pd.concat([table, within[within["metric"] == "r2"].assign(metric=WITHIN_COUNTRY)], ignore_index=True)
    return _described(table, evaluation_task, predicted, protocol_words(evaluation_task, protocol))


def failed_results(evaluation_task: EvaluationTask, model: str, words: str) -> pd.DataFrame:
    """The figures of a row that has none, and why.

    Examples
    --------
    >>> failed_results.__name__
    'failed_results'
    """
    table = no_scores(evaluation_task.task, len(evaluation_task.values))
    return _described(table, evaluation_task, Predicted(model, {}, np.empty((0, 0))), words)


def stratum_results(
    evaluation_task: EvaluationTask, predicted: Predicted, protocol: str, seed: int = 0
) -> pd.DataFrame:
    """The figures of a row within towns, within villages, and within each country.

    Each stratum's reference is the mean of its own training clusters: a model that only tells towns from villages has an R²
    of about 0 in both.

    Returns
    -------
    DataFrame
        `STRATA_COLUMNS`; strata with fewer than 20 clusters are left out.
    """
    found = []
    for kind, names in strata(evaluation_task.clusters).items():
        for name in pd.unique(names[pd.notna(names)]):
            inside = names == name
            table, n = _scores(evaluation_task, predicted.values, names, seed, inside)
            if n >= FEWEST_IN_STRATUM:
                described = _described(table, evaluation_task, predicted, protocol_words(evaluation_task, protocol))
                found.append(described.assign(stratum=name if kind == "urban" else f"{kind} {name}"))
    return pd.concat(found, ignore_index=True)[STRATA_COLUMNS] if found else pd.DataFrame(columns=STRATA_COLUMNS)


def strata(clusters: pd.DataFrame) -> dict[str, np.ndarray]:
    """Names of the strata of each cluster, by kind; kinds with one stratum only are left out.

    Examples
    --------
    >>> strata(pd.DataFrame({"urban": [True, False, None], "country": ["ia", "ia", "ia"]}))
    {'urban': array(['urban', 'rural', None], dtype=object)}
    """
    words = {True: "urban", False: "rural"}
    urban = np.array([None if pd.isna(x) else words[bool(x)] for x in clusters["urban"]], object)
    kinds = {"urban": urban, "country": clusters["country"].to_numpy(object)}
    return {kind: names for kind, names in kinds.items() if len(pd.unique(names[pd.notna(names)])) > 1}


def differences(
    evaluation_task: EvaluationTask, predicted: list[Predicted], protocol: str, seed: int = 0
) -> pd.DataFrame:
    """By how much each row's main figure is above each other row's, on the clusters that both predict, resampled alike.

    Returns
    -------
    DataFrame
        `DIFFERENCE_COLUMNS`: R² or accuracy of `model` less that of `other`, with a paired 95 % interval.
    """
    about = [
        evaluation_task.indicator,
        evaluation_task.task,
        evaluation_task.split,
        protocol_words(evaluation_task, protocol),
    ]
    # pairs by the clusters that both predict: nearly always all that are tested
    by_known: dict[bytes, list[tuple[int, int]]] = {}
    finite = [np.isfinite(one.values[0]) for one in predicted]
    for i in range(len(predicted)):
        for other in range(i):
            by_known.setdefault((finite[i] & finite[other]).tobytes(), []).append((i, other))
    rows = []
    for known, pairs in ((np.frombuffer(key, bool), pairs) for key, pairs in by_known.items()):
        if not known.any():
            continue
        columns = np.column_stack([one.values[0][known] for one in predicted])
        parts = (evaluation_task.reference()[known], evaluation_task.unit_numbers[0][known])
        gains = paired_gains(evaluation_task.task, evaluation_task.values[known], columns, pairs, *parts, seed)
        ends = interval(gains[1:]).T
        for (i, other), value, (lower, upper) in zip(pairs, gains[0], ends, strict=True):
            names = [MAIN_METRIC[evaluation_task.task], predicted[i].model, predicted[other].model]
            rows.append([*about, *names, float(value), lower, upper, int(known.sum())])
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def prediction_rows(evaluation_task: EvaluationTask, predicted: Predicted) -> pd.DataFrame:
    """One tested cluster a row, with its fold in the first partition."""
    folds = evaluation_task.folds()
    tested = np.flatnonzero((folds >= 0) & np.isfinite(predicted.values[0]))
    where = lonlat(evaluation_task.clusters.geometry)[tested]
    names = evaluation_task.clusters["unique_cluster"].to_numpy()[tested]
    columns = [
        predicted.model,
        names,
        *where.T,
        folds[tested],
        evaluation_task.values[tested],
        predicted.values[0][tested],
    ]
    return pd.DataFrame(dict(zip(PREDICTION_COLUMNS, columns, strict=True)))


def protocol_words(evaluation_task: EvaluationTask, protocol: str) -> str:
    """The protocol as results name it.

    Examples
    --------
    >>> protocol_words.__name__
    'protocol_words'
    """
    folds, partitions = len(evaluation_task.partitions[0]), len(evaluation_task.partitions)
    words = {"nested": "nested", "authors": "authors (best on validation)"}[protocol]
    again = f", {partitions} partitions" if partitions > 1 else ""
    return f"{words}, {folds} fold{'s' if folds > 1 else ''}{again}"


def wide_table(results: pd.DataFrame, task: str) -> pd.DataFrame:
    """The main figure of each model, a column an indicator and split: random and spatial figures stand side by side.

    Parameters
    ----------
    results : DataFrame
        As in results.csv.
    task : {"regression", "classification"}

    Returns
    -------
    DataFrame
        Texts "0.53 [0.41, 0.62]"; "–" where there is none.

    Examples
    --------
    >>> row = dict(model="mean", indicator="pov", task="regression", split="random", metric="r2", value=0.0, lower=0.0,
    ...            upper=0.0, protocol="nested", n=9)
    >>> wide_table(pd.DataFrame([row]), "regression").iloc[0, 0]
    '0.00 [0.00, 0.00]'
    """
    part = results[(results["task"] == task) & (results["metric"] == MAIN_METRIC[task])]
    part = part[~part["protocol"].str.startswith("not run")]
    shown = [figure_words(*row) for row in part[["value", "lower", "upper"]].to_numpy(float)]
    models, columns = (
        list(dict.fromkeys(rows)) for rows in (part["model"], zip(part["indicator"], part["split"], strict=True))
    )
    table = pd.DataFrame("–", index=models, columns=_two_levels(columns))
    for cell, model, indicator, split in zip(shown, part["model"], part["indicator"], part["split"], strict=True):
        table.loc[model, (indicator, split)] = cell
    return table


def _two_levels(pairs: list[tuple[str, str]]) -> pd.MultiIndex:
    # from_tuples cannot do without a pair
    return pd.MultiIndex.from_arrays([[pair[level] for pair in pairs] for level in (0, 1)])


def figure_words(value: float, lower: float, upper: float, digits: int = 2) -> str:
    """A figure and its interval as tables show them.

    Examples
    --------
    >>> figure_words(0.534, 0.41, 0.62), figure_words(float("nan"), 0.0, 0.0)
    ('0.53 [0.41, 0.62]', '–')
    """
    if np.isnan(value):
        return "–"
    words = f"{value + 0.0:.{digits}f}"
    words += "" if np.isnan(lower) else f" [{lower + 0.0:.{digits}f}, {upper + 0.0:.{digits}f}]"
    return words.replace("-", "\N{MINUS SIGN}")


def _scores(
    evaluation_task: EvaluationTask, predictions: np.ndarray, names, seed: int, inside=None
) -> tuple[pd.DataFrame, int]:
    """Scores of the first partition, with the interval over resamples of all partitions."""
    value, resampled, n = None, [], 0
    for number, predicted in enumerate(predictions):
        reference = evaluation_task.reference(number, names)
        known = np.isfinite(predicted) & np.isfinite(reference)
        known = known if inside is None else known & inside
        if not known.any():
            continue
        parts = (
            evaluation_task.values[known],
            predicted[known],
            reference[known],
            evaluation_task.unit_numbers[number][known],
        )
        found, draws = resampled_scores(evaluation_task.task, *parts, seed)
        if number == 0:
            value, n = found, int(known.sum())
        resampled.append(draws)
    if value is None:
        return no_scores(evaluation_task.task, 0), 0
    return score_table(evaluation_task.task, value, np.concatenate(resampled), n), n


def _described(
    table: pd.DataFrame, evaluation_task: EvaluationTask, predicted: Predicted, protocol: str
) -> pd.DataFrame:
    about = {"model": predicted.model, "params": json.dumps(predicted.params), "indicator": evaluation_task.indicator}
    about |= {"task": evaluation_task.task, "split": evaluation_task.split, "protocol": protocol}
    return table.assign(**about)[RESULT_COLUMNS]


def metric_order(task: str) -> list[str]:
    """The metrics of a task, in the order of tables.

    Examples
    --------
    >>> metric_order("regression")[-1]
    'r2_within_country'
    """
    return [*METRICS[task], *([WITHIN_COUNTRY] if task == "regression" else [])]
