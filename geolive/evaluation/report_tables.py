"""The tables of a report: figures of all models side by side, of one task, within strata, and less those of the best."""

from dataclasses import replace

import numpy as np
import pandas as pd

from geolive.evaluation.comparison import TaskResult
from geolive.evaluation.ranking import Ranking, mark_of
from geolive.evaluation.result_table import Cell, Column, Figure, ResultTable
from geolive.evaluation.tables import NOT_OUT_OF_FOLD, metric_order, same_clusters
from geolive.evaluation.tasks import EvaluationTask
from geolive.metrics import MAIN_METRIC, NAMES, PER_IMAGE
from geolive.score_formulas import CONFUSION
from geolive.splits import describe_folds

_NONE = "–"
_FOLD_COLUMNS = ("test", "training", "left out", "median distance to the nearest training cluster, km")


def overview_table(
    results: pd.DataFrame, task: str, metric: str, rankings: dict[tuple[str, str], Ranking]
) -> ResultTable:
    """Make the table of one figure of all models, the best first: a column for each indicator and split.

    Parameters
    ----------
    results : DataFrame
        As in results.csv.
    task, metric : str
    rankings : dict of (str, str) to Ranking
        By indicator and split; the main figure is marked by them.
    """
    part = results[(results["task"] == task) & (results["metric"] == metric)]
    part = part[~part["protocol"].str.startswith(("not run", NOT_OUT_OF_FOLD))]
    columns = list(dict.fromkeys(zip(part["indicator"], part["split"], strict=True)))
    figures = part.set_index(["indicator", "split", "model"])[["value", "lower", "upper"]]
    rows: list[tuple[str, list[Cell]]] = []
    for model in sorted_models(part):
        cells: list[Cell] = []
        for indicator, split in columns:
            key = (indicator, split, model)
            value, lower, upper = (
                figures.loc[key].to_numpy(float).ravel()[:3] if key in figures.index else (np.nan,) * 3
            )
            ranking = rankings.get((indicator, split)) if metric == MAIN_METRIC[task] else None
            cells.append(Figure(value, lower, upper, mark=mark_of(ranking, model) if ranking else ""))
        rows.append((model, cells))
    heads = [Column(split, indicator) for indicator, split in columns]
    caption = f"{task.capitalize()}: {NAMES[metric]} of each model, out of fold, with 95 % intervals"
    return ResultTable(caption, "model", heads, rows)


def optimistic_models(results: tuple[TaskResult, ...]) -> frozenset[str]:
    """Return the names of models whose checkpoint or settings the tested clusters chose.

    Examples
    --------
    >>> optimistic_models(())
    frozenset()
    """
    return frozenset(one.model for result in results for one in result.predicted if one.is_optimistic)


def sorted_models(results: pd.DataFrame) -> list[str]:
    """Return the names of models by their value, the highest first, in the first indicator and split that has one.

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["a", "b"], "indicator": "pov", "split": "random", "value": [0.1, 0.2]})
    >>> sorted_models(table)
    ['b', 'a']
    """
    wide = results.pivot_table(
        index="model", columns=["indicator", "split"], values="value", aggfunc="first", sort=False, dropna=False
    )
    wide = wide.reindex(list(dict.fromkeys(results["model"])))
    ordered = wide.sort_values(list(wide.columns), ascending=False, kind="stable", na_position="last")
    return list(ordered.index)


def figures_table(result: TaskResult, ranking: Ranking) -> ResultTable:
    """Make the table of all figures of a task but the confusion matrix and those of single images."""
    metrics = [name for name in _known(result) if name not in CONFUSION and not name.endswith(PER_IMAGE)]
    caption = f"{_about(result.task)}: all figures, out of fold, with 95 % intervals"
    return _metric_table(result, ranking, metrics, caption, "clusters")


def confusion_table(result: TaskResult, ranking: Ranking) -> ResultTable | None:
    """Make the table of confusion matrices; None in regression."""
    if result.task.task == "regression":
        return None
    caption = f"{_about(result.task)}: confusion matrices, as numbers of clusters with 95 % intervals"
    return _metric_table(result, ranking, list(CONFUSION), caption, "clusters")


def image_table(result: TaskResult, ranking: Ranking) -> ResultTable | None:
    """Make the table of figures of single images; None where no model predicts image by image."""
    metrics = [name for name in _known(result) if name.endswith(PER_IMAGE)]
    if not metrics:
        return None
    caption = f"{_about(result.task)}: figures of single images of the models that predict image by image"
    table = _metric_table(result, ranking, metrics, caption, "images")
    return replace(table, note="Each image is judged by the value of its cluster, and whole clusters are resampled.")


def strata_table(result: TaskResult, ranking: Ranking) -> ResultTable | None:
    """Make the table of main figures within strata; None where there are no strata."""
    metric = MAIN_METRIC[result.task.task]
    part = result.strata[result.strata["metric"] == metric]
    if part.empty:
        return None
    figures = part.set_index(["model", "stratum"])[["value", "lower", "upper"]]
    counts = part.groupby("stratum", sort=False)["n"].max()
    rows: list[tuple[str, list[Cell]]] = [
        (
            model,
            [Figure(*figures.loc[(model, name)]) if (model, name) in figures.index else _NONE for name in counts.index],
        )
        for model in ranking.models
    ]
    heads = [Column(f"{name} ({int(n):,} clusters)") for name, n in counts.items()]
    caption = f"{_about(result.task)}: {NAMES[metric]} within strata"
    note = (
        "Each stratum is compared with the mean of its own training clusters, so a model that only distinguishes towns from "
        "villages, or countries, has an R² of about 0 here."
    )
    return ResultTable(caption, "model", heads, rows, note if result.task.task == "regression" else "")


def versus_table(result: TaskResult, ranking: Ranking) -> ResultTable | None:
    """Make the table of differences from the best; None where there is one model only."""
    best = ranking.best
    gains: dict[str, tuple[float, float, float]] = {}
    for row in result.differences.itertuples():
        if row.model == best:
            gains[row.other] = (-row.value, -row.upper, -row.lower)
        elif row.other == best:
            gains[row.model] = (row.value, row.lower, row.upper)
    rows: list[tuple[str, list[Cell]]] = [
        (model, [Figure(*gains[model], digits=3), "no" if model in ranking.level else "yes"])
        for model in ranking.models
        if model in gains
    ]
    if not rows:
        return None
    metric = NAMES[MAIN_METRIC[result.task.task]]
    note = (
        "Both models are judged on the same resamples of the same clusters. Each pair is judged by itself, without a correction "
        "for the number of pairs."
    )
    caption = f"{_about(result.task)}: {metric} of each model less that of {best}"
    return ResultTable(caption, "model", [Column("difference"), Column("significant")], rows, note)


def apart_table(results: tuple[TaskResult, ...], random_state: int) -> ResultTable | None:
    """Make the table of rows that see the fold, each followed by the best other model on the same clusters; None
    where there are no such rows.

    Parameters
    ----------
    results : tuple of TaskResult
    random_state : int
        Seed of the resamples.
    """
    rows: list[tuple[str, list[Cell]]] = []
    for result in results:
        task = result.task
        for one in result.apart:
            own, *others = same_clusters(task, one, result.out_of_fold, random_state)
            others = [row for row in others if np.isfinite(row[1][0])]
            best = [max(others, key=lambda row: row[1][0])] if others else []
            for i, (name, figures, n) in enumerate([own, *best]):
                words = f"{name} (best model, the same clusters)" if i else name
                cells: list[Cell] = [_about(task), f"{n:,} of {len(task.values):,}", NAMES[MAIN_METRIC[task.task]]]
                rows.append((words, [*cells, Figure(*figures)]))
    if not rows:
        return None
    heads = [Column(name) for name in ("indicator, task, split", "clusters", "metric", "value")]
    return ResultTable("Rows that are not out of fold", "row", heads, rows)


def folds_table(task: EvaluationTask) -> ResultTable:
    """Make the table of a split's folds: how many clusters are tested, trained on and left out."""
    described = describe_folds(task.splitters[0], task.clusters).to_numpy().tolist()
    rows: list[tuple[str, list[Cell]]] = [
        (f"{int(row[0]):,}", [*(f"{int(x):,}" for x in row[1:4]), f"{row[4]:.1f}"]) for row in described
    ]
    return ResultTable(
        f"Split {task.split}: clusters of each fold", "fold", [Column(name) for name in _FOLD_COLUMNS], rows
    )


def _metric_table(result: TaskResult, ranking: Ranking, metrics: list[str], caption: str, unit: str) -> ResultTable:
    """Make a table with a column for each metric; models without a main figure come last."""
    part = result.results[result.results["metric"].isin(metrics)]
    part = part[~part["protocol"].str.startswith(("not run", NOT_OUT_OF_FOLD))]
    known = dict(tuple(part.groupby("model", sort=False)))
    names = [
        *(name for name in ranking.models if name in known),
        *(name for name in known if name not in ranking.models),
    ]
    rows: list[tuple[str, list[Cell]]] = []
    for model in names:
        own = known[model].set_index("metric")
        figures = own.reindex(metrics)[["value", "lower", "upper"]].to_numpy(float)
        cells: list[Cell] = [
            Figure(value, lower, upper, digits=0 if name.removesuffix(PER_IMAGE) in CONFUSION else 3)
            for name, (value, lower, upper) in zip(metrics, figures, strict=True)
        ]
        rows.append((model, [f"{int(own['n'].iloc[0]):,}", *cells]))
    heads = [Column(NAMES[name].removesuffix(" per image")) for name in metrics]
    return ResultTable(caption, "model", [Column(unit), *heads], rows)


def _known(result: TaskResult) -> list[str]:
    there = set(result.results["metric"])
    return [name for name in metric_order(result.task.task) if name in there]


def _about(task: EvaluationTask) -> str:
    return f"{task.indicator}, {task.task}, split {task.split}"
