"""The HTML page of an evaluation: tables, plots and a sentence under each, in one file that needs no network."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

import geolive
from geolive import svg_plots
from geolive.evaluation import plots
from geolive.evaluation.autocorrelation import morans_i
from geolive.evaluation.comparison import TaskResult
from geolive.evaluation.cross_validation import Predicted
from geolive.evaluation.tables import (
    FURTHER_METRICS,
    LOG_DENSITY,
    WITHIN_COUNTRY,
    figure_words,
    metric_order,
    same_clusters,
    wide_table,
)
from geolive.evaluation.tasks import units_in_words
from geolive.extras import has_extra
from geolive.indicators import MEANS_OF_AREAS
from geolive.metrics import MAIN_METRIC, NAMES
from geolive.splits import KnndmSplit, describe_folds
from geolive.tables import lonlat
from geolive.wording import count_of

if TYPE_CHECKING:
    from geolive.evaluation.evaluation_result import Evaluation

NETWORKS_A_PLOT = 4
APART_SENTENCE = (
    "previous-survey is no model: it takes the earlier value of the tested place itself, so it does not depend on folds, and it "
    "can only be judged on clusters that were surveyed before. Compare it with the figure of the best model on the same clusters."
)


def report_page(evaluation: "Evaluation", about: dict, without: list[str]) -> str:
    """Make the report as HTML; text from data never becomes markup.

    Parameters
    ----------
    evaluation : Evaluation
    about : dict
        `title`, `facts` (dict of texts) and `notes` (texts).
    without : list of str
        Why there are rows without figures.

    Examples
    --------
    >>> from geolive.evaluation.evaluate import evaluate
    >>> from geolive.simulation.sample import make_sample
    >>> evaluation = evaluate(make_sample("goa", seed=0), ["mean"], "pov", split="random")
    >>> report_page(evaluation, {"title": "Mine", "facts": {}, "notes": []}, [])[:15]
    '<!DOCTYPE html>'
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("geolive.evaluation"), PackageLoader("geolive")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    results, simulated = evaluation.task_results, evaluation.dataset.simulated
    gallery = _Gallery(simulated)
    context = {
        **about,
        "simulated": simulated,
        "means_of_areas": MEANS_OF_AREAS,
        "version": geolive.__version__,
        "missing": without,
        "overviews": [_overview(task, evaluation, gallery) for task in dict.fromkeys(evaluation.results["task"])],
        "apart": [section for one in results for section in apart_sections(one, evaluation.random_state)],
        "apart_sentence": APART_SENTENCE,
        "splits": _split_sections(results, gallery),
        "details": [_details(one, gallery) for one in results],
        "plots": gallery.here,
    }
    return environment.get_template("report.html").render(context)


def apart_sections(result: TaskResult, random_state: int = 0) -> list[dict]:
    """List the rows of a task that see the fold, each with the best other model on the same clusters.

    Parameters
    ----------
    result : TaskResult
    random_state : int
        Seed of the resamples.

    Returns
    -------
    list of dict
        `title`, `metric`, and `rows` of name, number of clusters and figure.
    """
    task = result.task
    sections = []
    for one in result.apart:
        own, *others = same_clusters(task, one, result.out_of_fold, random_state)
        others = [row for row in others if np.isfinite(row[1][0])]
        best = [max(others, key=lambda row: row[1][0])] if others else []
        rows = [
            (
                f"{name} (best model, the same clusters)" if i else name,
                f"{n:,} of {len(task.values):,}",
                figure_words(*figures),
            )
            for i, (name, figures, n) in enumerate([own, *best])
        ]
        title = f"{task.indicator}, {task.task}, split {task.split}"
        sections.append({"title": title, "metric": NAMES[MAIN_METRIC[task.task]], "rows": rows})
    return sections


class _Gallery:
    """Draws plots, numbered through the page; without matplotlib there are none."""

    def __init__(self, simulated: bool) -> None:
        self.simulated, self.number, self.here = simulated, 0, has_extra("plots")

    def plot(self, draw, sentence: str, size: tuple[float, float] = svg_plots.SIZE) -> list[dict]:
        """Return a plot and its sentence, in a list; an empty one where nothing can be drawn."""
        if not self.here:
            return []
        self.number += 1
        mark = "SIMULATED. " if self.simulated else ""
        return [
            {
                "svg": svg_plots.with_unique_ids(svg_plots.svg_plot(draw, self.simulated, size), self.number),
                "sentence": mark + sentence,
            }
        ]


def _overview(task: str, evaluation: "Evaluation", gallery: _Gallery) -> dict:
    """Make the table of a task's main figures: all models, indicators and splits side by side."""
    results, metric = evaluation.results, MAIN_METRIC[task]
    names = {one.model for result in evaluation.task_results for one in result.out_of_fold}
    part = results[(results["task"] == task) & (results["metric"] == metric) & results["model"].isin(names)]
    part = part[part["value"].notna()]
    drawn = []
    for indicator in dict.fromkeys(part["indicator"]):
        own = part[part["indicator"] == indicator]
        height = 1.2 + (0.18 + 0.06 * own["split"].nunique()) * own["model"].nunique()
        sentence = f"{indicator}: {NAMES[metric]} by model and split, with 95 % intervals; further right is better."
        if metric == "r2" and own["value"].min() < plots.LOWEST_R2:
            sentence += " Values below −0.3 are not drawn."
        drawn += gallery.plot(plots.intervals_plot(own, metric, {}), sentence, (5.6, height))
    further = [name for name in FURTHER_METRICS[task] if name in set(results["metric"])]
    tables = [_wide(results, task, name) for name in (metric, *further)]
    return {"task": task, "tables": tables, "plots": drawn}


def _wide(results: pd.DataFrame, task: str, metric: str) -> dict:
    table = wide_table(results, task, metric)
    indicators = [indicator for indicator, _ in table.columns]
    return {
        "metric": NAMES[metric],
        "within": metric == WITHIN_COUNTRY,
        "density": metric == LOG_DENSITY,
        "heads": [(indicator, indicators.count(indicator)) for indicator in dict.fromkeys(indicators)],
        "splits": [split for _, split in table.columns],
        "rows": list(zip(table.index, table.to_numpy().tolist(), strict=True)),
    }


def _details(result: TaskResult, gallery: _Gallery) -> dict:
    """Make the tables and plots of one task."""
    task, metric = result.task, MAIN_METRIC[result.task.task]
    figures = result.results[result.results["metric"] == metric].set_index("model")["value"]
    shown = _best_and_best_baseline(result.out_of_fold, figures)
    best = shown[0].model if shown else ""
    return {
        "indicator": task.indicator,
        "task": task.task,
        "split": task.split,
        "heads": [NAMES[name] for name in metric_order(task.task) if name in set(result.results["metric"])],
        "rows": _metric_rows(result),
        "strata": _strata_table(result.strata, metric),
        "best": best,
        "versus": _versus_best(result, best) if shown else [],
        "metric": NAMES[metric],
        "plots": [plot for predicted in shown for plot in _model_plots(result, predicted, gallery)],
        "curves": _curve_plots(result, gallery),
    }


def _curve_plots(result: TaskResult, gallery: _Gallery) -> list[dict]:
    """Draw the learning curves of all networks, four to a plot; a network with kriged residuals is the same network."""
    names = {one.model for one in result.predicted if one.curves}
    networks = [
        one for one in result.predicted if one.curves and one.model.removesuffix("+kriged") not in names - {one.model}
    ]
    drawn = []
    for start in range(0, len(networks), NETWORKS_A_PLOT):
        shown = networks[start : start + NETWORKS_A_PLOT]
        trainings = sorted({len(one.curves) for one in shown})
        number = " or ".join(map(str, trainings))
        span = f"mean and range of {number} trainings" if trainings[-1] > 1 else "one training"
        sentence = f"{', '.join(one.model for one in shown)}: loss after each epoch, {span}; lower is better."
        height = 0.9 + 1.35 * -(-len(shown) // 2)
        drawn += gallery.plot(plots.curves_plot(shown, result.task.task), sentence, (svg_plots.SIZE[0], height))
    return drawn


def _model_plots(result: TaskResult, predicted: Predicted, gallery: _Gallery) -> list[dict]:
    task = result.task
    known = np.isfinite(predicted.values[0])
    residual = (task.values - predicted.values[0])[known]
    moran = morans_i(lonlat(task.clusters.geometry)[known], residual)
    where = f"{task.indicator}, split {task.split}, {predicted.model}"
    if task.task == "regression":
        sentence = f"{where}: measured against predicted, out of fold; on the dashed line both are equal."
        if known.sum() > plots.MOST_POINTS:
            sentence += f" {plots.MOST_POINTS:,} of {known.sum():,} clusters are drawn, chosen at random."
        drawn = gallery.plot(plots.scatter_plot(task, predicted), sentence)
    else:
        sentence = f"{where}: share of label 1 by predicted probability, with 95 % intervals; on the dashed line both are equal."
        drawn = gallery.plot(plots.reliability_plot(task, predicted), sentence)
    scattered = "errors of near places are alike" if moran.p < 0.05 else "no sign that errors of near places are alike"
    about = (
        f"Moran's I {round(moran.value, 2) + 0.0:.2f} (8 nearest places, p = {moran.p:.3f}): {scattered}."
        if np.isfinite(moran.value)
        else "Moran's I is not defined."
    )
    sentence = f"{where}: errors on the map, red where measured is higher. {about}".replace(" -", " \N{MINUS SIGN}")
    return drawn + gallery.plot(plots.residuals_map(task, predicted), sentence)


def _best_and_best_baseline(predicted: list[Predicted], figures: pd.Series) -> list[Predicted]:
    """Find the best of all rows, and the best of the baselines where that is another row."""
    ranked = sorted(
        (p for p in predicted if np.isfinite(figures.get(p.model, np.nan))), key=lambda p: -figures[p.model]
    )
    baseline = next((p for p in ranked if not p.uses_images), None)
    return list({p.model: p for p in (*ranked[:1], *([baseline] if baseline else []))}.values())


def _metric_rows(result: TaskResult) -> list:
    """Name, number of clusters and all figures of each row that is out of fold."""
    results, names = result.results, {one.model for one in result.apart}
    metrics = [name for name in metric_order(result.task.task) if name in set(results["metric"])]
    rows = []
    for model, part in results[~results["protocol"].str.startswith("not run")].groupby("model", sort=False):
        if model in names:
            continue
        figures = part.set_index("metric").reindex(metrics)[["value", "lower", "upper"]].to_numpy(float)
        cells = [figure_words(value, lower, upper, digits=3) for value, lower, upper in figures]
        rows.append((model, f"{int(part['n'].iloc[0]):,}", cells))
    return rows


def _strata_table(strata: pd.DataFrame, metric: str) -> dict:
    part = strata[strata["metric"] == metric]
    names = list(dict.fromkeys(part["stratum"]))
    rows = []
    for model, own in part.groupby("model", sort=False):
        by_stratum = own.set_index("stratum")
        cells = [
            figure_words(*by_stratum.loc[name, ["value", "lower", "upper"]].to_numpy(float))
            if name in by_stratum.index
            else "–"
            for name in names
        ]
        rows.append((model, cells))
    counts = part.groupby("stratum")["n"].max()
    return {"heads": [f"{name} ({int(counts[name]):,})" for name in names], "rows": rows}


def _versus_best(result: TaskResult, best: str) -> list:
    """Compare each row with the best: the difference of their figures, and whether its interval leaves out 0."""
    apart = {one.model for one in result.apart}
    rows = []
    for row in result.differences.itertuples():
        if best not in (row.model, row.other) or {row.model, row.other} & apart:
            continue
        sign = -1 if row.model == best else 1
        lower, upper = sorted((sign * row.lower, sign * row.upper))
        words = figure_words(sign * row.value, lower, upper, digits=3)
        rows.append((row.other if row.model == best else row.model, words, "yes" if upper < 0 or lower > 0 else "no"))
    return rows


def _split_sections(results: tuple[TaskResult, ...], gallery: _Gallery) -> list[dict]:
    """Describe each split once: its folds in words, in a table and on a map."""
    first = {one.task.split: one.task for one in reversed(results)}
    sections = []
    for split in dict.fromkeys(one.task.split for one in results):
        task = first[split]
        splitter, clusters = task.splitters[0], task.clusters
        inner = getattr(splitter, "splitter", splitter)
        words = [units_in_words(task)]
        if inner is not splitter and splitter.km:
            words.append(f"training clusters within {splitter.km:g} km of the fold are left out")
        if isinstance(inner, KnndmSplit):
            to_survey, between = inner.distances_km(clusters)
            words.append(
                f"median distance of a place to predict to the survey {np.median(to_survey):.1f} km, between folds "
                f"{np.median(between):.1f} km"
            )
        sentence = f"Split {split}: the fold in which each of {count_of(len(clusters), 'cluster')} is tested."
        rows = describe_folds(splitter, clusters).to_numpy().tolist()
        sections.append(
            {
                "split": split,
                "about": "; ".join(words),
                "rows": [[f"{int(x):,}" for x in row[:4]] + [f"{row[4]:.1f}"] for row in rows],
                "plots": gallery.plot(plots.folds_map(task), sentence),
            }
        )
    return sections
