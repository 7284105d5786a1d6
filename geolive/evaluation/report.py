"""The report of an evaluation: tables as CSV and Markdown, predictions, and a page (`geolive.evaluation.report_page`)."""

import html
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import geolive
from geolive.dataset import Dataset
from geolive.evaluation.protocols import AUTHORS_WARNING, EvaluationResult, write_tables
from geolive.evaluation.report_page import can_plot, report_page
from geolive.evaluation.tables import protocol_words, wide_table
from geolive.files import new_folder, today
from geolive.metrics import MAIN_METRIC, NAMES


@dataclass(frozen=True)
class Written:
    """The names of the files in a report's folder, and what to tell its reader."""

    files: tuple[str, ...]
    notes: tuple[str, ...]


def write_report(
    dataset: Dataset, answers: list[EvaluationResult], folder: str | Path, protocol: str, seed: int = 0
) -> Written:
    """Write a report to a new folder, whole or not at all.

    Parameters
    ----------
    dataset : Dataset
    answers : list of EvaluationResult
        As `geolive.evaluation.protocols.run_task` gives them; one at least.
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
    >>> from geolive.evaluation.protocols import run_task
    >>> from geolive.evaluation.tasks import make_task
    >>> from geolive.evaluation.model_specs import find_specs
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> dataset = make_sample("goa", seed=0)
    >>> found = run_task(dataset, find_specs("mean"), make_task(dataset, "pov", "regression", RandomSplit(), "random"))
    >>> write_report(dataset, [found], Path(tempfile.mkdtemp()) / "report", "nested").files[0]
    'results.csv'
    """
    results = pd.concat([found.results for found in answers], ignore_index=True)
    predictions = pd.concat([_with_task(found) for found in answers], ignore_index=True)
    strata = pd.concat([found.strata for found in answers], ignore_index=True)
    differences = pd.concat([found.differences for found in answers], ignore_index=True)
    notes = () if can_plot() else ("no plots in the report: they need matplotlib (pip install matplotlib)",)
    with new_folder(folder) as temporary:
        write_tables(results, predictions, temporary)
        for name, table in (("strata", strata), ("differences", differences)):
            table.to_csv(temporary / f"{name}.csv", index=False, lineterminator="\n")
        words = _about(dataset, answers, protocol, seed)
        (temporary / "results.md").write_text(_markdown(results, words, dataset.simulated), encoding="utf-8")
        page = report_page(dataset, answers, results, words, _without_figures(results))
        (temporary / "report.html").write_text(page, encoding="utf-8", errors="replace")
    files = ("results.csv", "strata.csv", "differences.csv", "predictions.parquet", "results.md", "report.html")
    return Written(files, notes)


def _with_task(found: EvaluationResult) -> pd.DataFrame:
    about = {
        "indicator": found.evaluation_task.indicator,
        "task": found.evaluation_task.task,
        "split": found.evaluation_task.split,
    }
    return found.predictions.assign(**about)


def _about(dataset: Dataset, answers: list[EvaluationResult], protocol: str, seed: int) -> dict:
    first = answers[0].evaluation_task
    n = ", ".join(
        dict.fromkeys(
            f"{len(found.evaluation_task.values):,} with {found.evaluation_task.indicator}" for found in answers
        )
    )
    command = shlex.join(["geolive", *sys.argv[1:]]) if Path(sys.argv[0]).name in ("geolive", "cli.py") else "in Python"
    notes = [AUTHORS_WARNING] if protocol == "authors" else []
    notes += dict.fromkeys(words for found in answers for words in found.evaluation_task.notes)
    return {
        "title": f"Models compared: {dataset.path.resolve().name if dataset.path else dataset.source}",
        "facts": {
            "Data": f"{dataset.source}; clusters: {n}",
            "Protocol": protocol_words(first, protocol).split(",")[0],
            "Splits": ", ".join(dict.fromkeys(found.evaluation_task.split for found in answers)),
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
