"""The HTML page of an evaluation: tables, plots and a sentence under each, in one file that needs no network."""

import importlib.util

import numpy as np
import pandas as pd

import geolive
from geolive import svg_plots
from geolive.dataset import Dataset
from geolive.evaluation import plots
from geolive.evaluation.autocorrelation import morans_i
from geolive.evaluation.cross_validation import Predicted
from geolive.evaluation.protocols import EvaluationResult
from geolive.evaluation.tables import figure_words, metric_order, wide_table
from geolive.indicators import MEANS_OF_AREAS
from geolive.metrics import MAIN_METRIC, NAMES
from geolive.models.registry import BASELINES
from geolive.splits import KnndmSplit, describe_folds
from geolive.tables import lonlat

LABELS = NAMES | {"r2_within_country": "R² within countries"}
NETWORKS_A_PLOT = 4
_BASELINE_NAMES = {*BASELINES, "majority", "neighbours-1000-images", "previous-survey"}


def report_page(
    dataset: Dataset, answers: list[EvaluationResult], results: pd.DataFrame, words: dict, reasons: list[str]
) -> str:
    """The report as HTML; nothing that data hold becomes markup.

    Parameters
    ----------
    dataset : Dataset
    answers : list of EvaluationResult
    results : DataFrame
        Of all answers.
    words : dict
        `title`, `facts` (dict of texts) and `notes` (texts).
    reasons : list of str
        Why there are rows without figures.

    Examples
    --------
    >>> report_page.__name__
    'report_page'
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader

    environment = Environment(
        loader=ChoiceLoader([PackageLoader("geolive.evaluation"), PackageLoader("geolive")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    gallery = _Gallery(dataset.simulated)
    context = {
        **words,
        "simulated": dataset.simulated,
        "means_of_areas": MEANS_OF_AREAS,
        "version": geolive.__version__,
        "missing": reasons,
        "tasks": [_task_section(task, results, gallery) for task in dict.fromkeys(results["task"])],
        "evaluation_tasks": [_task_part(found, gallery) for found in answers],
        "splits": _split_sections(answers, gallery),
        "plots": can_plot(),
    }
    return environment.get_template("report.html").render(context)


class _Gallery:
    """Draws plots, numbered through the page; without matplotlib there are none."""

    def __init__(self, simulated: bool) -> None:
        self.simulated, self.number, self.here = simulated, 0, can_plot()

    def plot(self, draw, sentence: str, size: tuple[float, float] = svg_plots.SIZE) -> list[dict]:
        """A plot and its sentence, in a list; an empty one where nothing can be drawn."""
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


def _task_section(task: str, results: pd.DataFrame, gallery: _Gallery) -> dict:
    metric = MAIN_METRIC[task]
    table = wide_table(results, task)
    part = results[(results["task"] == task) & (results["metric"] == metric) & results["value"].notna()]
    drawn = []
    for indicator in dict.fromkeys(part["indicator"]):
        own = part[part["indicator"] == indicator]
        height = 1.2 + (0.18 + 0.06 * own["split"].nunique()) * own["model"].nunique()
        sentence = f"Of {indicator}: {NAMES[metric]} by model and split, with 95 % intervals; further right is better."
        if metric == "r2" and own["value"].min() < plots.LOWEST_R2:
            sentence += " What is below −0.3 is not drawn."
        drawn += gallery.plot(plots.intervals_plot(own, metric, {}), sentence, (5.6, height))
    heads = [
        (indicator, sum(1 for i, _ in table.columns if i == indicator))
        for indicator in dict.fromkeys(i for i, _ in table.columns)
    ]
    return {
        "task": task,
        "metric": NAMES[metric],
        "heads": heads,
        "splits": [split for _, split in table.columns],
        "rows": list(zip(table.index, table.to_numpy().tolist(), strict=True)),
        "plots": drawn,
    }


def _task_part(found: EvaluationResult, gallery: _Gallery) -> dict:
    evaluation_task = found.evaluation_task
    metric = MAIN_METRIC[evaluation_task.task]
    figures = found.results[found.results["metric"] == metric].set_index("model")["value"]
    shown = _most_telling(found.predicted, figures)
    drawn = [plot for predicted in shown for plot in _model_plots(found, predicted, gallery)]
    return {
        "indicator": evaluation_task.indicator,
        "task": evaluation_task.task,
        "split": evaluation_task.split,
        "protocol": found.results["protocol"].iloc[0] if len(found.results) else "",
        "heads": [LABELS[name] for name in metric_order(evaluation_task.task) if name in set(found.results["metric"])],
        "rows": _metric_rows(found.results, evaluation_task.task),
        "strata": _strata_table(found.strata, metric),
        "best": shown[0].model if shown else "",
        "versus": _versus_best(found.differences, shown[0].model) if shown else [],
        "metric": NAMES[metric],
        "plots": drawn,
        "curves": _curve_plots(found, gallery),
    }


def _curve_plots(found: EvaluationResult, gallery: _Gallery) -> list[dict]:
    """Learning curves of all networks, some to a plot; kriging residuals changes nothing about the network itself."""
    names = {one.model for one in found.predicted if one.curves}
    networks = [
        one for one in found.predicted if one.curves and one.model.removesuffix("+kriged") not in names - {one.model}
    ]
    drawn = []
    for start in range(0, len(networks), NETWORKS_A_PLOT):
        shown = networks[start : start + NETWORKS_A_PLOT]
        trainings = sorted({len(one.curves) for one in shown})
        number = " or ".join(map(str, trainings))
        range_of = f"mean and range of {number} trainings" if trainings[-1] > 1 else "one training"
        sentence = f"{', '.join(one.model for one in shown)}: loss after each epoch, {range_of}; lower is better."
        height = 0.9 + 1.35 * -(-len(shown) // 2)
        drawn += gallery.plot(
            plots.curves_plot(shown, found.evaluation_task.task), sentence, (svg_plots.SIZE[0], height)
        )
    return drawn


def _model_plots(found: EvaluationResult, predicted: Predicted, gallery: _Gallery) -> list[dict]:
    evaluation_task = found.evaluation_task
    known = np.isfinite(predicted.values[0])
    residual = (evaluation_task.values - predicted.values[0])[known]
    moran = morans_i(lonlat(evaluation_task.clusters.geometry)[known], residual)
    where = f"{evaluation_task.indicator}, split {evaluation_task.split}, {predicted.model}"
    if evaluation_task.task == "regression":
        sentence = f"{where}: measured against predicted, out of fold; on the dashed line both are equal."
        if known.sum() > plots.MOST_POINTS:
            sentence += f" {plots.MOST_POINTS:,} of {known.sum():,} clusters are drawn, chosen at random."
        drawn = gallery.plot(plots.scatter_plot(evaluation_task, predicted), sentence)
    else:
        sentence = (
            f"{where}: reliability with 95 % intervals; on the dashed line probabilities are as good as they say."
        )
        drawn = gallery.plot(plots.reliability_plot(evaluation_task, predicted), sentence)
    scattered = (
        "errors of near places go together" if moran.p < 0.05 else "no sign that errors of near places go together"
    )
    about = (
        f"Moran's I {round(moran.value, 2) + 0.0:.2f} (8 nearest places, p = {moran.p:.3f}): {scattered}."
        if np.isfinite(moran.value)
        else "Moran's I is not defined."
    )
    sentence = f"{where}: errors on the map, red where measured is higher. {about}".replace(" -", " \N{MINUS SIGN}")
    return drawn + gallery.plot(plots.residuals_map(evaluation_task, predicted), sentence)


def _most_telling(predicted: list[Predicted], figures: pd.Series) -> list[Predicted]:
    """The best of all rows, and the best of the baselines where that is another."""
    ranked = sorted(
        (p for p in predicted if np.isfinite(figures.get(p.model, np.nan))), key=lambda p: -figures[p.model]
    )
    baseline = next((p for p in ranked if p.model in _BASELINE_NAMES), None)
    return list({p.model: p for p in (*ranked[:1], *([baseline] if baseline else []))}.values())


def _metric_rows(results: pd.DataFrame, task: str) -> list:
    metrics = [name for name in metric_order(task) if name in set(results["metric"])]
    rows = []
    for model, part in results[~results["protocol"].str.startswith("not run")].groupby("model", sort=False):
        by_metric = part.set_index("metric")
        cells = [
            figure_words(*by_metric.loc[name, ["value", "lower", "upper"]].to_numpy(float), digits=3)
            if name in by_metric.index
            else "–"
            for name in metrics
        ]
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


def _versus_best(differences: pd.DataFrame, best: str) -> list:
    """Each other model's figure less the best one's, and whether the interval leaves out 0."""
    rows = []
    for row in differences.itertuples():
        if best in (row.model, row.other):
            sign = -1 if row.model == best else 1
            ends = sorted((sign * row.lower, sign * row.upper))
            told = "yes" if ends[1] < 0 or ends[0] > 0 else "no"
            rows.append(
                (row.other if row.model == best else row.model, figure_words(sign * row.value, *ends, digits=3), told)
            )
    return rows


def _split_sections(answers: list[EvaluationResult], gallery: _Gallery) -> list[dict]:
    sections = {}
    for found in answers:
        evaluation_task = found.evaluation_task
        if evaluation_task.split in sections:
            continue
        splitter, clusters = evaluation_task.splitters[0], evaluation_task.clusters
        about = describe_folds(splitter, clusters)
        inner = getattr(splitter, "splitter", splitter)
        sentence = f"Split {evaluation_task.split}: the fold in which each of {len(clusters):,} clusters is tested."
        words = [
            f"{inner.__class__.__name__}, {len(np.unique(evaluation_task.unit_numbers[0]))} units that stay together"
        ]
        if km := getattr(splitter, "km", 0) if inner is not splitter else 0:
            words.append(f"training clusters within {km:g} km of the fold are left out")
        if isinstance(inner, KnndmSplit):
            to_survey, between = inner.distances_km(clusters)
            words.append(
                f"median distance of a place to predict to the survey {np.median(to_survey):.1f} km, between folds "
                f"{np.median(between):.1f} km"
            )
        sections[evaluation_task.split] = {
            "split": evaluation_task.split,
            "about": "; ".join(words),
            "rows": [[int(x) if i < 4 else f"{x:.1f}" for i, x in enumerate(row)] for row in about.to_numpy().tolist()],
            "plots": gallery.plot(plots.folds_map(evaluation_task), sentence),
        }
    return list(sections.values())


def can_plot() -> bool:
    """Whether matplotlib, which plots need, is installed."""
    return importlib.util.find_spec("matplotlib") is not None
