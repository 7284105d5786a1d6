"""The report of an evaluation: tables as CSV and Markdown, predictions, and one HTML page that needs no network."""

import html
import importlib.util
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import geolive
from geolive.dataset import Dataset
from geolive.evaluation import plots
from geolive.evaluation.autocorrelation import morans_i
from geolive.evaluation.crossfold import Predicted
from geolive.evaluation.protocols import AUTHORS_WARNING, Answer, write_tables
from geolive.evaluation.tables import metric_order, protocol_words
from geolive.files import new_folder, today
from geolive.indicators import MEANS_OF_AREAS
from geolive.metrics import MAIN_METRIC, NAMES
from geolive.models.registry import BASELINES
from geolive.splits import KnndmSplit, describe_folds
from geolive.tables import lonlat

LABELS = NAMES | {"r2_within_country": "R² within countries"}
_BASELINE_NAMES = {*BASELINES, "majority", "neighbours-1000-images", "previous-survey"}


@dataclass(frozen=True)
class Written:
    """The names of the files in a report's folder, and what to tell its reader."""

    files: tuple[str, ...]
    notes: tuple[str, ...]


def write_report(dataset: Dataset, answers: list[Answer], folder: str | Path, protocol: str, seed: int = 0) -> Written:
    """Write a report to a new folder, whole or not at all.

    Parameters
    ----------
    dataset : Dataset
    answers : list of Answer
        As `geolive.evaluation.protocols.answer` gives them; one at least.
    folder : str or Path
        Must not exist, or be empty.
    protocol : {"nested", "authors"}
    seed : int

    Returns
    -------
    Written
        `results.csv`, `strata.csv`, `differences.csv`, `predictions.parquet`, `results.md`, `report.html`.

    Raises
    ------
    InputError
        The folder is not free, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.evaluation.protocols import answer
    >>> from geolive.evaluation.questions import ask
    >>> from geolive.evaluation.rows import find_rows
    >>> from geolive.sources.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> dataset = make_sample("goa", seed=0).dataset
    >>> found = answer(dataset, find_rows("mean"), ask(dataset, "pov", "regression", RandomSplit(), "random"))
    >>> write_report(dataset, [found], Path(tempfile.mkdtemp()) / "report", "nested").files[0]
    'results.csv'
    """
    results = pd.concat([found.results for found in answers], ignore_index=True)
    predictions = pd.concat([_with_question(found) for found in answers], ignore_index=True)
    strata = pd.concat([found.strata for found in answers], ignore_index=True)
    differences = pd.concat([found.differences for found in answers], ignore_index=True)
    notes = () if _can_plot() else ("no plots in the report: they need matplotlib (pip install matplotlib)",)
    with new_folder(folder) as temporary:
        write_tables(results, predictions, temporary)
        for name, table in (("strata", strata), ("differences", differences)):
            table.to_csv(temporary / f"{name}.csv", index=False, lineterminator="\n")
        words = _about(dataset, answers, protocol, seed)
        (temporary / "results.md").write_text(_markdown(results, words, dataset.simulated), encoding="utf-8")
        page = _page(dataset, answers, results, strata, differences, words, protocol)
        (temporary / "report.html").write_text(page, encoding="utf-8", errors="replace")
    files = ("results.csv", "strata.csv", "differences.csv", "predictions.parquet", "results.md", "report.html")
    return Written(files, notes)


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
    shown = [_figure(*row) for row in part[["value", "lower", "upper"]].to_numpy(float)]
    models, columns = (
        list(dict.fromkeys(rows)) for rows in (part["model"], zip(part["indicator"], part["split"], strict=True))
    )
    table = pd.DataFrame("–", index=models, columns=pd.MultiIndex.from_tuples(columns))
    for cell, model, indicator, split in zip(shown, part["model"], part["indicator"], part["split"], strict=True):
        table.loc[model, (indicator, split)] = cell
    return table


def _figure(value: float, lower: float, upper: float, digits: int = 2) -> str:
    if np.isnan(value):
        return "–"
    words = f"{value + 0.0:.{digits}f}"
    words += "" if np.isnan(lower) else f" [{lower + 0.0:.{digits}f}, {upper + 0.0:.{digits}f}]"
    return words.replace("-", "\N{MINUS SIGN}")


def _with_question(found: Answer) -> pd.DataFrame:
    about = {"indicator": found.question.indicator, "task": found.question.task, "split": found.question.split}
    return found.predictions.assign(**about)


def _about(dataset: Dataset, answers: list[Answer], protocol: str, seed: int) -> dict:
    first = answers[0].question
    n = ", ".join(dict.fromkeys(f"{len(found.question.values):,} with {found.question.indicator}" for found in answers))
    command = shlex.join(["geolive", *sys.argv[1:]]) if Path(sys.argv[0]).name in ("geolive", "cli.py") else "in Python"
    notes = [AUTHORS_WARNING] if protocol == "authors" else []
    notes += dict.fromkeys(words for found in answers for words in found.question.notes)
    return {
        "title": f"Models compared: {dataset.path.resolve().name if dataset.path else dataset.source}",
        "facts": {
            "Data": f"{dataset.source}; clusters: {n}",
            "Protocol": protocol_words(first, protocol).split(",")[0],
            "Splits": ", ".join(dict.fromkeys(found.question.split for found in answers)),
            "Seed": str(seed),
            "Command": command,
            "Made": f"{today().isoformat()} with geolive {geolive.__version__}",
        },
        "notes": notes,
    }


def _markdown(results: pd.DataFrame, words: dict, simulated: bool) -> str:
    parts = [f"# {'SIMULATED: ' if simulated else ''}{_plain(words['title'])}", ""]
    parts += ["**SIMULATED data: nothing here says anything of the real world.**", ""] if simulated else []
    parts += [f"- {name}: {_plain(text)}" for name, text in words["facts"].items()]
    parts += ["", *(f"> {_plain(text)}" for text in words["notes"])]
    for task in dict.fromkeys(results["task"]):
        table = wide_table(results, task)
        parts += ["", f"## {task.capitalize()}: {NAMES[MAIN_METRIC[task]]} out of fold, with 95 % interval", ""]
        heads = [f"{_plain(indicator)}, {_plain(split)}" for indicator, split in table.columns]
        parts += [f"| model | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
        parts += [
            f"| {_plain(model)} | {' | '.join(row)} |" for model, row in zip(table.index, table.to_numpy(), strict=True)
        ]
    parts += [f"- {_plain(line)}" for line in ["", *_without_figures(results)] if line]
    return "\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text in which nothing is Markdown or HTML."""
    return (
        html.escape(" ".join(str(text).split()), quote=False).replace("|", "\\|").replace("*", "\\*").replace("`", "'")
    )


def _without_figures(results: pd.DataFrame) -> list[str]:
    """Why there are rows without figures: what failed where, and what rows lack, each reason once."""
    part = results[results["protocol"].str.startswith(("failed", "not run"))]
    part = part.drop_duplicates(["model", "indicator", "task", "split"])
    failed = [
        f"{row.model} ({row.indicator}, {row.task}, {row.split}) {row.protocol}"
        for row in part[part["protocol"].str.startswith("failed")].itertuples()
    ]
    lacking = part[part["protocol"].str.startswith("not run")].groupby("protocol", sort=False)["model"]
    return failed + [f"{', '.join(dict.fromkeys(models))}: {words}" for words, models in lacking]


def _page(dataset: Dataset, answers: list[Answer], results, strata, differences, words: dict, protocol: str) -> str:
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("geolive.evaluation"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    gallery = _Gallery(dataset.simulated)
    context = {
        **words,
        "simulated": dataset.simulated,
        "means_of_areas": MEANS_OF_AREAS,
        "version": geolive.__version__,
        "missing": _without_figures(results),
        "tasks": [_task_section(task, results, gallery) for task in dict.fromkeys(results["task"])],
        "questions": [_question_section(found, strata, differences, gallery) for found in answers],
        "splits": _split_sections(answers, gallery),
        "plots": _can_plot(),
    }
    return environment.get_template("report.html").render(context)


class _Gallery:
    """Draws plots, numbered through the page; without matplotlib there are none."""

    def __init__(self, simulated: bool) -> None:
        self.simulated, self.number, self.here = simulated, 0, _can_plot()

    def plot(self, draw, sentence: str, size: tuple[float, float] = plots.SIZE) -> list[dict]:
        """A plot and its sentence, in a list; an empty one where nothing can be drawn."""
        if not self.here:
            return []
        self.number += 1
        mark = "SIMULATED. " if self.simulated else ""
        return [{"svg": plots.apart(plots.drawn(draw, self.simulated, size), self.number), "sentence": mark + sentence}]


def _task_section(task: str, results: pd.DataFrame, gallery: _Gallery) -> dict:
    metric = MAIN_METRIC[task]
    table = wide_table(results, task)
    part = results[(results["task"] == task) & (results["metric"] == metric) & results["value"].notna()]
    drawn = []
    for indicator in dict.fromkeys(part["indicator"]):
        own = part[part["indicator"] == indicator]
        height = 1.2 + (0.18 + 0.06 * own["split"].nunique()) * own["model"].nunique()
        sentence = f"{NAMES[metric]} of {indicator} by model and split, with 95 % intervals; further right is better."
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


def _question_section(found: Answer, strata: pd.DataFrame, differences: pd.DataFrame, gallery: _Gallery) -> dict:
    question = found.question
    metric = MAIN_METRIC[question.task]
    keys = {"indicator": question.indicator, "task": question.task, "split": question.split}
    figures = found.results[found.results["metric"] == metric].set_index("model")["value"]
    shown = _most_telling(found.predicted, figures)
    drawn, curves = [], []
    for predicted in shown:
        drawn += _model_plots(found, predicted, gallery)
    for predicted in found.predicted:
        if predicted.curves:
            sentence = (
                f"{predicted.model}: loss after each epoch, {len(predicted.curves)} folds of the first partition."
            )
            drawn += gallery.plot(plots.curves_plot(predicted), sentence)
    own = differences[(differences[list(keys)] == pd.Series(keys)).all(axis=1)]
    return {
        **keys,
        "protocol": found.results["protocol"].iloc[0] if len(found.results) else "",
        "heads": [LABELS[name] for name in metric_order(question.task) if name in set(found.results["metric"])],
        "rows": _metric_rows(found.results, question.task),
        "strata": _strata_table(strata[(strata[list(keys)] == pd.Series(keys)).all(axis=1)], metric),
        "best": shown[0].model if shown else "",
        "versus": _versus_best(own, shown[0].model) if shown else [],
        "metric": NAMES[metric],
        "plots": drawn,
        "curves": curves,
    }


def _model_plots(found: Answer, predicted: Predicted, gallery: _Gallery) -> list[dict]:
    question = found.question
    known = np.isfinite(predicted.values[0])
    residual = (question.values - predicted.values[0])[known]
    moran = morans_i(lonlat(question.clusters.geometry)[known], residual)
    where = f"{question.indicator}, split {question.split}, {predicted.model}"
    if question.task == "regression":
        sentence = f"{where}: measured against predicted, out of fold; on the dashed line both are equal."
        drawn = gallery.plot(plots.scatter_plot(question, predicted), sentence)
    else:
        sentence = f"{where}: reliability; on the dashed line probabilities are as good as they say."
        drawn = gallery.plot(plots.reliability_plot(question, predicted), sentence)
    scattered = (
        "errors of near places go together" if moran.p < 0.05 else "no sign that errors of near places go together"
    )
    about = (
        f"Moran's I {moran.value:.2f} (8 nearest places, p = {moran.p:.3f}): {scattered}."
        if np.isfinite(moran.value)
        else "Moran's I is not defined."
    )
    sentence = f"{where}: errors on the map, red where measured is higher. {about}".replace(" -", " \N{MINUS SIGN}")
    return drawn + gallery.plot(plots.residuals_map(question, predicted), sentence)


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
            _figure(*by_metric.loc[name, ["value", "lower", "upper"]].to_numpy(float), digits=3)
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
            _figure(*by_stratum.loc[name, ["value", "lower", "upper"]].to_numpy(float))
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
                (row.other if row.model == best else row.model, _figure(sign * row.value, *ends, digits=3), told)
            )
    return rows


def _split_sections(answers: list[Answer], gallery: _Gallery) -> list[dict]:
    sections = {}
    for found in answers:
        question = found.question
        if question.split in sections:
            continue
        splitter, clusters = question.splitters[0], question.clusters
        about = describe_folds(splitter, clusters)
        inner = getattr(splitter, "splitter", splitter)
        sentence = f"Split {question.split}: the fold in which each of {len(clusters):,} clusters is tested."
        words = [f"{inner.__class__.__name__}, {len(np.unique(question.unit_numbers[0]))} units that stay together"]
        if km := getattr(splitter, "km", 0) if inner is not splitter else 0:
            words.append(f"training clusters within {km:g} km of the fold are left out")
        if isinstance(inner, KnndmSplit):
            wanted, between = inner.distances_km(clusters)
            words.append(
                f"median distance of a place to predict to the survey {np.median(wanted):.1f} km, between folds "
                f"{np.median(between):.1f} km"
            )
        sections[question.split] = {
            "split": question.split,
            "about": "; ".join(words),
            "rows": [[int(x) if i < 4 else f"{x:.1f}" for i, x in enumerate(row)] for row in about.to_numpy().tolist()],
            "plots": gallery.plot(plots.folds_map(question), sentence),
        }
    return list(sections.values())


def _can_plot() -> bool:
    return importlib.util.find_spec("matplotlib") is not None
