"""The HTML page of an evaluation: tables, plots and a sentence under each, in one file that needs no network."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import geolive
from geolive import svg_plots
from geolive.evaluation import plots
from geolive.evaluation.autocorrelation import morans_i
from geolive.evaluation.comparison import TaskResult
from geolive.evaluation.cross_validation import Predicted
from geolive.evaluation.name_words import METRIC_WORDS
from geolive.evaluation.opening import opening_sentences, split_kind
from geolive.evaluation.ranking import Ranking, rank_models
from geolive.evaluation.report_tables import (
    apart_table,
    confusion_table,
    figures_table,
    folds_table,
    image_table,
    optimistic_models,
    overview_table,
    sorted_models,
    strata_table,
    versus_table,
)
from geolive.evaluation.result_table import OPTIMISTIC_MARK, OPTIMISTIC_WORDS, ResultTable
from geolive.evaluation.tables import FURTHER_METRICS, metric_order
from geolive.evaluation.tasks import units_in_words
from geolive.extras import has_extra
from geolive.indicators import MEANS_OF_AREAS
from geolive.metrics import MAIN_METRIC, NAMES, PER_IMAGE
from geolive.pages import page_templates, script_hashes
from geolive.splits import KnndmSplit
from geolive.tables import lonlat
from geolive.wording import count_of

if TYPE_CHECKING:
    from geolive.evaluation.evaluation_result import Evaluation

NETWORKS_A_PLOT = 4
# widths of the main figure in inches: across the page, and on a phone
WIDE, NARROW = 10.6, 4.3
APART_SENTENCE = (
    "previous-survey is no model: it takes the earlier value of the test place itself, so it does not depend on folds, and it "
    "can only be judged on clusters that were surveyed before. Compare it with the figure of the best model on the same clusters."
)
KINDS = {
    "random": "Random folds: they show how well a model fills gaps between surveyed places.",
    "spatial": "Spatial folds: they show how well a model predicts away from surveyed places.",
    "other": "The dataset's own lists, or folds that a user made.",
}


@dataclass
class ReportPage:
    """A report's page, with its figures and tables as files beside it.

    Parameters
    ----------
    html : str
    simulated : bool
    optimistic : frozenset of str
        Names of models whose figures are optimistic.
    figures : dict of str to (str, bytes)
        SVG text and PDF by the name of the file, without its ending.
    tables : dict of str to ResultTable
        By the name of the file, without its ending.
    """

    html: str = ""
    simulated: bool = False
    optimistic: frozenset[str] = frozenset()
    figures: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    tables: dict[str, ResultTable] = field(default_factory=dict)

    def add_table(self, table: ResultTable, name: str) -> dict[str, Any]:
        """Number a table, and return its part of the page."""
        number = len(self.tables) + 1
        file = f"table-{number:02d}-{slug(name)}"
        if table.row_name == "model":
            table = replace(table, optimistic=self.optimistic)
        self.tables[file] = table
        return {"table": table, "number": number, "file": file}

    def add_figure(
        self, draw, sentence: str, name: str, size: tuple[float, float] = svg_plots.SIZE, narrow=None
    ) -> list[dict[str, Any]]:
        """Draw and number a figure, and return its part of the page; nothing without matplotlib.

        `narrow` is drawn in its place on narrow screens: a function that draws, and its size.
        """
        if not has_extra("plots"):
            return []
        number = len(self.figures) + 1
        file = f"figure-{number:02d}-{slug(name)}"
        svg, pdf = svg_plots.svg_and_pdf_plot(draw, self.simulated, size)
        self.figures[file] = (svg, pdf)
        drawn = [svg_plots.with_unique_ids(svg, number)]
        if narrow:
            small = svg_plots.svg_plot(narrow[0], self.simulated, narrow[1])
            drawn.append(svg_plots.with_unique_ids(small, f"{number}n"))
        mark = "SIMULATED. " if self.simulated else ""
        return [{"svgs": drawn, "sentence": mark + sentence, "number": number, "file": file}]


def slug(name: str) -> str:
    """Return a name for files: small letters, digits and hyphens.

    Examples
    --------
    >>> slug("pov, split blocks:50km <b>")
    'pov-split-blocks-50km-b'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48].rstrip("-")


def report_page(evaluation: "Evaluation", about: dict, without: list[str]) -> ReportPage:
    """Make the report as HTML, with its figures and tables; text from data never becomes markup.

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
    >>> page = report_page(evaluation, {"title": "Mine", "facts": {}, "notes": []}, [])
    >>> page.html[:15], list(page.tables)[0]
    ('<!DOCTYPE html>', 'table-01-regression-r2')
    """

    script = (Path(__file__).parent / "templates" / "names.js").read_text(encoding="utf-8")
    results = evaluation.task_results
    page = ReportPage(simulated=evaluation.dataset.simulated, optimistic=optimistic_models(results))
    abouts = {one.model: one.about for result in results for one in result.predicted}
    apart = apart_table(results, evaluation.random_state)
    context = {
        **about,
        "simulated": page.simulated,
        "means_of_areas": MEANS_OF_AREAS,
        "version": geolive.__version__,
        "missing": without,
        "opening": opening_sentences(results, evaluation.protocol),
        "overviews": [_overview(task, evaluation, page) for task in dict.fromkeys(evaluation.results["task"])],
        "apart": [page.add_table(apart, "not out of fold")] if apart else [],
        "apart_sentence": APART_SENTENCE,
        "details": [_details(one, page) for one in results],
        "splits": _split_sections(results, page),
        "plots": has_extra("plots"),
        "models": {name: words for name, words in abouts.items() if words},
        "figure_words": _figure_words(evaluation),
        "split_words": _split_words(results),
        "script": script,
        "script_hash": script_hashes([script]),
    }
    page.html = page_templates("geolive.evaluation").get_template("report.html").render(context)
    return page


def _figure_words(evaluation: "Evaluation") -> dict[str, str]:
    """Say what each figure of the report is, by its name."""
    there = set(evaluation.results["metric"])
    tasks = dict.fromkeys(evaluation.results["task"])
    metrics = [name for task in tasks for name in metric_order(task) if name in there and not name.endswith(PER_IMAGE)]
    return {NAMES[name]: METRIC_WORDS[name] for name in metrics}


def _split_words(results: tuple[TaskResult, ...]) -> dict[str, str]:
    return {one.task.split: KINDS[split_kind(one.task)] for one in reversed(results)}


def _overview(task: str, evaluation: "Evaluation", page: ReportPage) -> dict[str, Any]:
    """Make the tables and the main figures of a task: all models, indicators and splits side by side."""
    results, metric = evaluation.results, MAIN_METRIC[task]
    of_task = [one for one in evaluation.task_results if one.task.task == task]
    rankings = {(one.task.indicator, one.task.split): rank_models(one) for one in of_task}
    further = [name for name in FURTHER_METRICS[task] if name in set(results["metric"])]
    tables = [
        page.add_table(overview_table(results, task, name, rankings), f"{task} {name}") | {"metric": name}
        for name in (metric, *further)
    ]
    drawn: list[dict[str, Any]] = []
    for indicator in dict.fromkeys(one.task.indicator for one in of_task):
        own = {split: ranking for (name, split), ranking in rankings.items() if name == indicator}
        drawn += _main_figure(results, task, indicator, own, page)
    return {"task": task, "metric": NAMES[metric], "tables": tables, "plots": drawn}


def _main_figure(
    results, task: str, indicator: str, rankings: dict[str, Ranking], page: ReportPage
) -> list[dict[str, Any]]:
    """Draw the figures of all models with intervals, in the order of the table."""
    metric = MAIN_METRIC[task]
    names = {name for ranking in rankings.values() for name in ranking.models}
    part = results[(results["task"] == task) & (results["metric"] == metric) & (results["indicator"] == indicator)]
    part = part[part["model"].isin(names) & part["value"].notna()]
    if part.empty:
        return []
    order = {name: number for number, name in enumerate(sorted_models(part))}
    part = part.sort_values("model", key=lambda column: column.map(order), kind="stable")
    height = max(2.2, 1.0 + (0.2 + 0.09 * part["split"].nunique()) * len(order))
    sentence = (
        f"{indicator}: {NAMES[metric]} of each model with 95 % intervals; further right is better. Filled marks are the best of "
        "their split and the models that do not differ significantly from it, hollow marks the others."
    )
    if metric == "r2" and part["value"].min() < plots.LOWEST_R2:
        sentence += f" Arrows are values below {plots.LOWEST_R2:g}.".replace("-", "\N{MINUS SIGN}")
    signs = {name: OPTIMISTIC_MARK for name in order if name in page.optimistic}
    sentence += f" {OPTIMISTIC_MARK} {OPTIMISTIC_WORDS}." if signs else ""
    wide, narrow = (plots.intervals_plot(part, metric, rankings, letters, signs) for letters in (60, 22))
    return page.add_figure(
        wide, sentence, f"{indicator} {task} {metric}", (WIDE, height), (narrow, (NARROW, height + 0.5))
    )


def _details(result: TaskResult, page: ReportPage) -> dict[str, Any]:
    """Make the tables and plots of one task."""
    task, ranking = result.task, rank_models(result)
    name = f"{task.indicator} {task.task} {task.split}"
    shown = _best_and_best_baseline(result.out_of_fold, ranking)
    drawn = [plot for predicted in shown for plot in _model_plots(result, predicted, page)]
    made = {
        "All figures": (figures_table(result, ranking), "figures"),
        "Confusion matrices": (confusion_table(result, ranking), "confusion"),
        "Figures of single images": (image_table(result, ranking), "images"),
        f"{NAMES[MAIN_METRIC[task.task]]} within strata": (strata_table(result, ranking), "strata"),
        f"Differences from {ranking.best}": (versus_table(result, ranking), "differences"),
    }
    return {
        "indicator": task.indicator,
        "task": task.task,
        "split": task.split,
        "plots": drawn,
        "tables": {
            title: page.add_table(table, f"{name} {kind}") for title, (table, kind) in made.items() if table is not None
        },
        "curves": _curve_plots(result, page),
    }


def _curve_plots(result: TaskResult, page: ReportPage) -> list[dict[str, Any]]:
    """Draw the learning curves of all networks, four to a plot; a network with kriged residuals is the same network."""
    names = {one.model for one in result.predicted if one.curves}
    networks = [
        one for one in result.predicted if one.curves and one.model.removesuffix("+kriged") not in names - {one.model}
    ]
    drawn: list[dict[str, Any]] = []
    for start in range(0, len(networks), NETWORKS_A_PLOT):
        shown = networks[start : start + NETWORKS_A_PLOT]
        trainings = sorted({len(one.curves) for one in shown})
        number = " or ".join(map(str, trainings))
        span = f"mean and range of {number} trainings" if trainings[-1] > 1 else "one training"
        sentence = f"{', '.join(one.model for one in shown)}: loss after each epoch, {span}; lower is better."
        height = 0.9 + 1.35 * -(-len(shown) // 2)
        name = f"{result.task.indicator} {result.task.task} {result.task.split} learning curves"
        drawn += page.add_figure(
            plots.curves_plot(shown, result.task.task), sentence, name, (svg_plots.SIZE[0], height)
        )
    return drawn


def _model_plots(result: TaskResult, predicted: Predicted, page: ReportPage) -> list[dict[str, Any]]:
    task = result.task
    known = np.isfinite(predicted.values[0])
    residual = (task.values - predicted.values[0])[known]
    moran = morans_i(lonlat(task.clusters.geometry)[known], residual)
    where = f"{task.indicator}, split {task.split}, {predicted.model}"
    name = f"{task.indicator} {task.split} {predicted.model}"
    if task.task == "regression":
        sentence = f"{where}: measured against predicted, out of fold; on the dashed line both are equal."
        if known.sum() > plots.MOST_POINTS:
            sentence += f" {plots.MOST_POINTS:,} of {known.sum():,} clusters are drawn, chosen at random."
        drawn = page.add_figure(plots.scatter_plot(task, predicted), sentence, f"{name} scatter")
    else:
        sentence = f"{where}: share of label 1 by predicted probability, with 95 % intervals; on the dashed line both are equal."
        drawn = page.add_figure(plots.reliability_plot(task, predicted), sentence, f"{name} reliability")
    scattered = "errors of near places are alike" if moran.p < 0.05 else "no sign that errors of near places are alike"
    about = (
        f"Moran's I {round(moran.value, 2) + 0.0:.2f} (8 nearest places, p = {moran.p:.3f}): {scattered}."
        if np.isfinite(moran.value)
        else "Moran's I is not defined."
    )
    sentence = f"{where}: errors on the map, red where measured is higher. {about}".replace(" -", " \N{MINUS SIGN}")
    return drawn + page.add_figure(plots.residuals_map(task, predicted), sentence, f"{name} errors")


def _best_and_best_baseline(predicted: list[Predicted], ranking: Ranking) -> list[Predicted]:
    """Find the best of all rows, and the best of the baselines where that is another row."""
    by_name = {one.model: one for one in predicted}
    ranked = [by_name[name] for name in ranking.models]
    baseline = next((one for one in ranked if not one.uses_images), None)
    return list({one.model: one for one in (*ranked[:1], *([baseline] if baseline else []))}.values())


def _split_sections(results: tuple[TaskResult, ...], page: ReportPage) -> list[dict[str, Any]]:
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
        sections.append(
            {
                "split": split,
                "about": "; ".join(words),
                "table": page.add_table(folds_table(task), f"split {split}"),
                "plots": page.add_figure(plots.folds_map(task), sentence, f"split {split}"),
            }
        )
    return sections
