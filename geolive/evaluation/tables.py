"""Make figures from predictions: scores with intervals, scores by stratum, and differences between models."""

import json

import numpy as np
import pandas as pd

from geolive.bootstrap import interval, resampled_sums
from geolive.evaluation.cross_validation import BEST, CHOSEN, LAST, NONE, Predicted
from geolive.evaluation.tasks import EvaluationTask
from geolive.metrics import (
    IMAGE_METRICS,
    MAIN_METRIC,
    METRICS,
    PER_IMAGE,
    image_score_table,
    no_scores,
    paired_gains,
    resampled_image_scores,
    resampled_scores,
    score_table,
)
from geolive.rates import log_predictive_density
from geolive.tables import lonlat
from geolive.wording import count_of

RESULT_COLUMNS = ["model", "params", "indicator", "task", "split", "protocol", "metric", "value", "lower", "upper", "n"]
PREDICTION_COLUMNS = ["model", "unique_cluster", "lon", "lat", "fold", "value", "prediction"]
STRATA_COLUMNS = ["stratum", *RESULT_COLUMNS]
DIFFERENCE_COLUMNS = [
    "indicator", "task", "split", "protocol", "metric", "model", "other", "value", "lower", "upper", "n",
]  # fmt: skip
WITHIN_COUNTRY = "r2_within_country"
LOG_DENSITY = "log_density"
# figures that not every task has: of several countries, and of rates
FURTHER_METRICS = {"regression": (WITHIN_COUNTRY, LOG_DENSITY), "classification": ()}
# the column `protocol` of rows under the authors' protocol, by how the tested fold has a say in the model
_AUTHORS_WORDS = {
    "": "authors (best on validation)",
    BEST: "authors (best checkpoint on validation, optimistic)",
    LAST: "authors (last checkpoint)",
    CHOSEN: "authors (settings chosen on validation, optimistic)",
    NONE: "authors (takes no validation set)",
}
# a stratum with fewer clusters has no figures that say anything
FEWEST_IN_STRATUM = 20
# how the column `protocol` begins for rows that are not predictions of models fitted without the fold
NOT_OUT_OF_FOLD = "not out of fold"


def row_results(task: EvaluationTask, predicted: Predicted, protocol: str, random_state: int = 0) -> pd.DataFrame:
    """Make the table of a row's figures, one in each line.

    Parameters
    ----------
    task : EvaluationTask
    predicted : Predicted
    protocol : str
    random_state : int
        Seed of the resamples.

    Returns
    -------
    DataFrame
        `RESULT_COLUMNS`. A model that predicts image by image also has figures of single images, whose names end in
        `_per_image` and whose n is a number of images. With several countries, regression also has `r2_within_country`: R²
        against the mean of the training clusters of the same country, so that a model that only distinguishes countries scores 0.
        Rates also have `log_density`, the log predictive density of the counts (`geolive.rates.log_predictive_density`), summed
        over clusters.
    """
    table, _ = _scores(task, predicted.values, None, random_state)
    countries = task.clusters["country"].to_numpy(object)
    if task.task == "regression" and len(pd.unique(countries)) > 1:
        within, _ = _scores(task, predicted.values, countries, random_state)
        table = pd.concat([table, within[within["metric"] == "r2"].assign(metric=WITHIN_COUNTRY)], ignore_index=True)
    if task.sample_sizes is not None:
        table = pd.concat([table, _log_density(task, predicted.values, random_state)], ignore_index=True)
    if len(predicted.images):
        table = pd.concat([table, _image_scores(task, predicted.images, random_state)], ignore_index=True)
    return _described(table, task, predicted, protocol_words(task, protocol, predicted))


def _image_scores(task: EvaluationTask, images: np.ndarray, random_state: int) -> pd.DataFrame:
    """Compute the scores of single images of the first partition, with the interval over resamples of all partitions."""
    value, resampled, n = np.full(len(IMAGE_METRICS[task.task]), np.nan), [], 0
    for number in range(len(task.partitions)):
        _, row, predictions = images[images[:, 0] == number].T
        row = row.astype(np.int64)
        parts = (task.values[row], predictions, task.reference(number)[row], task.unit_numbers[number][row])
        if not len(row):
            continue
        scored, draws = resampled_image_scores(task.task, *parts, random_state)
        if number == 0:
            value, n = scored, len(row)
        resampled.append(draws)
    return image_score_table(task.task, value, np.concatenate(resampled), n)


def _log_density(task: EvaluationTask, predictions: np.ndarray, random_state: int) -> pd.DataFrame:
    """Make the line of the log predictive density, with an interval over resamples of all partitions."""
    assert task.sample_sizes is not None
    value, sums, n = np.nan, [], 0
    for number, predicted in enumerate(predictions):
        known = np.isfinite(predicted)
        if not known.any():
            continue
        parts = task.values[known], task.sample_sizes[known], predicted[known], task.folds(number)[known]
        density = log_predictive_density(*parts)
        units = task.unit_numbers[number][known]
        drawn = resampled_sums(np.ones(len(density)), units, random_state)
        # blocks differ in size: the resampled mean, for as many clusters as there are
        sums.append(resampled_sums(density, units, random_state) / drawn * len(density))
        if number == 0:
            value, n = float(density.sum()), int(known.sum())
    lower, upper = interval(np.concatenate(sums)) if sums else (np.nan, np.nan)
    return pd.DataFrame({"metric": [LOG_DENSITY], "value": value, "lower": lower, "upper": upper, "n": n})


def failed_results(task: EvaluationTask, model: str, words: str) -> pd.DataFrame:
    """Make the lines of a row without figures, with the reason in the column `protocol`.

    Examples
    --------
    >>> failed_results.__name__
    'failed_results'
    """
    table = no_scores(task.task, len(task.values))
    return _described(table, task, Predicted(model, {}, np.empty((0, 0))), words)


def stratum_results(task: EvaluationTask, predicted: Predicted, protocol: str, random_state: int = 0) -> pd.DataFrame:
    """Make the table of a row's figures within towns, within villages, and within each country.

    Each stratum is compared with the mean of its own training clusters, so a model that only distinguishes
    towns from villages has an R² of about 0 in both.

    Returns
    -------
    DataFrame
        `STRATA_COLUMNS`; strata with fewer than 20 clusters are left out.
    """
    tables = []
    for kind, names in strata(task.clusters).items():
        for name in pd.unique(names[pd.notna(names)]):
            inside = names == name
            table, n = _scores(task, predicted.values, names, random_state, inside)
            if n >= FEWEST_IN_STRATUM:
                described = _described(table, task, predicted, protocol_words(task, protocol, predicted))
                tables.append(described.assign(stratum=name if kind == "urban" else f"{kind} {name}"))
    return pd.concat(tables, ignore_index=True)[STRATA_COLUMNS] if tables else pd.DataFrame(columns=STRATA_COLUMNS)


def strata(clusters: pd.DataFrame) -> dict[str, np.ndarray]:
    """Name the strata of each cluster, by kind; kinds with one stratum only are left out.

    Examples
    --------
    >>> strata(pd.DataFrame({"urban": [True, False, None], "country": ["ia", "ia", "ia"]}))
    {'urban': array(['urban', 'rural', None], dtype=object)}
    """
    words = {True: "urban", False: "rural"}
    urban = np.array([None if pd.isna(x) else words[bool(x)] for x in clusters["urban"]], object)
    kinds = {"urban": urban, "country": clusters["country"].to_numpy(object)}
    return {kind: names for kind, names in kinds.items() if len(pd.unique(names[pd.notna(names)])) > 1}


def differences(task: EvaluationTask, predicted: list[Predicted], protocol: str, random_state: int = 0) -> pd.DataFrame:
    """Compute the difference of the main figures of each two rows, on the clusters that both predict and on the same
    resamples.

    Returns
    -------
    DataFrame
        `DIFFERENCE_COLUMNS`: R² or accuracy of `model` less that of `other`, with a paired 95 % interval.
    """
    about = [
        task.indicator,
        task.task,
        task.split,
        protocol_words(task, protocol),
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
        parts = (task.reference()[known], task.unit_numbers[0][known])
        gains = paired_gains(task.task, task.values[known], columns, pairs, *parts, random_state)
        ends = interval(gains[1:]).T
        for (i, other), value, (lower, upper) in zip(pairs, gains[0], ends, strict=True):
            names = [MAIN_METRIC[task.task], predicted[i].model, predicted[other].model]
            rows.append([*about, *names, float(value), lower, upper, int(known.sum())])
    return pd.DataFrame(rows, columns=DIFFERENCE_COLUMNS)


def prediction_rows(task: EvaluationTask, predicted: Predicted) -> pd.DataFrame:
    """Make a table with one tested cluster in each row, with its fold in the first partition."""
    folds = task.folds()
    tested = np.flatnonzero((folds >= 0) & np.isfinite(predicted.values[0]))
    where = lonlat(task.clusters.geometry)[tested]
    names = task.clusters["unique_cluster"].to_numpy()[tested]
    columns = [
        predicted.model,
        names,
        *where.T,
        folds[tested],
        task.values[tested],
        predicted.values[0][tested],
    ]
    return pd.DataFrame(dict(zip(PREDICTION_COLUMNS, columns, strict=True)))


def protocol_words(task: EvaluationTask, protocol: str, predicted: Predicted | None = None) -> str:
    """Name the protocol as the results name it, for one row where it is given.

    Examples
    --------
    >>> from geolive.evaluation.tasks import make_task
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> task = make_task(make_sample("goa", seed=0), "pov", "regression", RandomSplit())
    >>> stacked = Predicted("stacked", {}, np.zeros((1, 14)), selection=NONE)
    >>> protocol_words(task, "nested"), protocol_words(task, "authors", stacked)
    ('nested, 5 folds', 'authors (takes no validation set), 5 folds')
    """
    if predicted is not None and not predicted.out_of_fold:
        return f"{NOT_OUT_OF_FOLD}: earlier values of the tested places"
    words = _AUTHORS_WORDS["" if predicted is None else predicted.selection] if protocol == "authors" else "nested"
    again = f", {len(task.partitions)} partitions" if len(task.partitions) > 1 else ""
    return f"{words}, {count_of(len(task.partitions[0]), 'fold')}{again}"


def wide_table(results: pd.DataFrame, task: str, metric: str | None = None) -> pd.DataFrame:
    """Make a table of one figure of each model: one column for each indicator and split, so that splits stand side by side.

    Models are sorted by the first column, the highest figure first.

    Rows without figures, and rows that are not out of fold, are left out.

    Parameters
    ----------
    results : DataFrame
        As in results.csv.
    task : {"regression", "classification"}
    metric : str, optional
        By default the main metric: "r2" or "accuracy".

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
    part = results[(results["task"] == task) & (results["metric"] == (metric or MAIN_METRIC[task]))]
    part = part[~part["protocol"].str.startswith(("not run", NOT_OUT_OF_FOLD))]
    shown = [figure_words(*row) for row in part[["value", "lower", "upper"]].to_numpy(float)]
    models, columns = (
        list(dict.fromkeys(rows)) for rows in (part["model"], zip(part["indicator"], part["split"], strict=True))
    )
    first = part.drop_duplicates("model").set_index("model")["value"]
    models = sorted(models, key=lambda name: (np.isnan(first[name]), -first[name] if np.isfinite(first[name]) else 0))
    table = pd.DataFrame("–", index=models, columns=_two_levels(columns))
    for cell, model, indicator, split in zip(shown, part["model"], part["indicator"], part["split"], strict=True):
        table.loc[model, (indicator, split)] = cell
    return table


def _two_levels(pairs: list[tuple[str, str]]) -> pd.MultiIndex:
    # from_tuples needs at least one pair
    return pd.MultiIndex.from_arrays([[pair[level] for pair in pairs] for level in (0, 1)])


def figure_words(value: float, lower: float, upper: float, digits: int = 2) -> str:
    """Write a figure and its interval as tables show them.

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


def same_clusters(
    task: EvaluationTask, predicted: Predicted, others: list[Predicted], random_state: int = 0
) -> list[tuple[str, np.ndarray, int]]:
    """Compute the main figure of a row and of other rows on the clusters that this row predicts.

    Use it for a row that is judged on a part of the clusters: its figure says nothing beside figures of all of them.

    Parameters
    ----------
    task : EvaluationTask
    predicted : Predicted
        The row that is judged on a part of the clusters.
    others : list of Predicted
    random_state : int
        Seed of the resamples.

    Returns
    -------
    list of (str, array of float, int)
        Name of the row; value, lower and upper end of its 95 % interval; number of clusters.
    """
    inside = np.isfinite(predicted.values[0])
    rows = []
    for one in (predicted, *others):
        table, n = _scores(task, one.values, None, random_state, inside)
        figures = table.set_index("metric").loc[MAIN_METRIC[task.task], ["value", "lower", "upper"]]
        rows.append((one.model, figures.to_numpy(float), n))
    return rows


def _scores(
    task: EvaluationTask, predictions: np.ndarray, names, random_state: int, inside=None
) -> tuple[pd.DataFrame, int]:
    """Compute the scores of the first partition, with the interval over resamples of all partitions."""
    value, resampled, n = None, [], 0
    for number, predicted in enumerate(predictions):
        reference = task.reference(number, names)
        known = np.isfinite(predicted) & np.isfinite(reference)
        known = known if inside is None else known & inside
        if not known.any():
            continue
        parts = (
            task.values[known],
            predicted[known],
            reference[known],
            task.unit_numbers[number][known],
        )
        scored, draws = resampled_scores(task.task, *parts, random_state)
        if number == 0:
            value, n = scored, int(known.sum())
        resampled.append(draws)
    if value is None:
        return no_scores(task.task, 0), 0
    return score_table(task.task, value, np.concatenate(resampled), n), n


def _described(table: pd.DataFrame, task: EvaluationTask, predicted: Predicted, protocol: str) -> pd.DataFrame:
    about = {"model": predicted.model, "params": json.dumps(predicted.params), "indicator": task.indicator}
    about |= {"task": task.task, "split": task.split, "protocol": protocol}
    return table.assign(**about)[RESULT_COLUMNS]


def metric_order(task: str) -> list[str]:
    """List the metrics of a task, in the order of tables.

    Examples
    --------
    >>> metric_order("regression")[:2]
    ['r2', 'r2_own_mean']
    """
    return [*METRICS[task], *FURTHER_METRICS[task], *(f"{name}{PER_IMAGE}" for name in IMAGE_METRICS[task])]
