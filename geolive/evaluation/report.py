"""The report of an evaluation: a page (`geolive.evaluation.report_page`), its tables and figures as files, predictions."""

import html
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import geolive
from geolive.command_line import command_line
from geolive.evaluation.opening import opening_sentences
from geolive.evaluation.ranking import rank_models
from geolive.evaluation.report_page import APART_SENTENCE, ReportPage, report_page
from geolive.evaluation.report_tables import apart_table, optimistic_models, overview_table
from geolive.evaluation.result_table import Figure, ResultTable, write_table
from geolive.evaluation.tables import FURTHER_METRICS, protocol_words
from geolive.files import new_folder, today, write_csv
from geolive.metrics import MAIN_METRIC, NAMES

if TYPE_CHECKING:
    from geolive.evaluation.evaluation_result import Evaluation

FILES = (
    "results.csv", "strata.csv", "differences.csv", "predictions.parquet", "results.md", "report.html", "tables", "figures",
)  # fmt: skip


def write_report(evaluation: "Evaluation", folder: str | Path) -> list[Path]:
    """Write a report to a new folder, whole or not at all.

    Parameters
    ----------
    evaluation : Evaluation
    folder : str or Path
        Must not exist, or be empty.

    Returns
    -------
    list of Path
        `results.csv`, `strata.csv`, `differences.csv`, `predictions.parquet`, `results.md`, `report.html`, and the folders
        `tables` (each table of the page as CSV and LaTeX) and `figures` (each figure as SVG and PDF).

    Raises
    ------
    InputError
        The folder is not free, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.evaluation.evaluate import evaluate
    >>> from geolive.simulation.sample import make_sample
    >>> evaluation = evaluate(make_sample("goa", seed=0), ["mean"], "pov", split="random")
    >>> write_report(evaluation, Path(tempfile.mkdtemp()) / "report")[0].name
    'results.csv'
    """
    about, without = _about(evaluation), _without_figures(evaluation.results)
    with new_folder(folder) as temporary:
        for name in ("results", "strata", "differences"):
            table: pd.DataFrame = getattr(evaluation, name)
            write_csv(table, temporary / f"{name}.csv")
        evaluation.predictions.to_parquet(temporary / "predictions.parquet", index=False)
        (temporary / "results.md").write_text(_markdown(evaluation, about, without), encoding="utf-8")
        page = report_page(evaluation, about, without)
        (temporary / "report.html").write_text(page.html, encoding="utf-8", errors="replace")
        _write_parts(page, temporary)
    return [Path(folder) / name for name in FILES]


def _write_parts(page: ReportPage, folder: Path) -> None:
    """Write the tables of a page as CSV and LaTeX, and its figures as SVG and PDF."""
    for name in ("tables", "figures"):
        (folder / name).mkdir()
    for name, table in page.tables.items():
        write_table(table, folder / "tables" / name, page.simulated)
    for name, (svg, pdf) in page.figures.items():
        text = f'<?xml version="1.0" encoding="utf-8"?>\n{svg}\n'
        (folder / "figures" / f"{name}.svg").write_text(text, encoding="utf-8", errors="replace")
        (folder / "figures" / f"{name}.pdf").write_bytes(pdf)


def _about(evaluation: "Evaluation") -> dict:
    """Return title, facts and notes, as page and Markdown show them."""
    dataset, tasks = evaluation.dataset, [one.task for one in evaluation.task_results]
    clusters = ", ".join(dict.fromkeys(f"{len(task.values):,} with {task.indicator}" for task in tasks))
    typed = Path(sys.argv[0]).name in ("geolive", "cli.py")
    return {
        "title": f"Models compared: {dataset.path.resolve().name if dataset.path else dataset.source}",
        "facts": {
            "Data": f"{dataset.source}; clusters: {clusters}",
            "Protocol": protocol_words(tasks[0], evaluation.protocol).split(",")[0],
            "Splits": ", ".join(dict.fromkeys(task.split for task in tasks)),
            "Seed": str(evaluation.random_state),
            "Command": command_line(*sys.argv[1:]) if typed else "made in Python",
            "Date": f"{today().isoformat()}, geolive {geolive.__version__}",
        },
        "notes": [*evaluation.notes, *dict.fromkeys(words for task in tasks for words in task.notes)],
    }


def _markdown(evaluation: "Evaluation", about: dict, without: list[str]) -> str:
    simulated, results = evaluation.dataset.simulated, evaluation.results
    parts = [f"# {'SIMULATED: ' if simulated else ''}{_plain(about['title'])}", ""]
    parts += ["**SIMULATED data: nothing here says anything about the real world.**", ""] if simulated else []
    parts += [f"- {name}: {_plain(text)}" for name, text in about["facts"].items()]
    parts += ["", *(f"> {_plain(text)}" for text in about["notes"])]
    for (indicator, task), sentences in opening_sentences(evaluation.task_results, evaluation.protocol).items():
        parts += ["", f"**{_plain(indicator)}, {task}.** {_plain(' '.join(sentences))}"]
    optimistic = optimistic_models(evaluation.task_results)
    for task in dict.fromkeys(results["task"]):
        of_task = [one for one in evaluation.task_results if one.task.task == task]
        rankings = {(one.task.indicator, one.task.split): rank_models(one) for one in of_task}
        further = [metric for metric in FURTHER_METRICS[task] if metric in set(results["metric"])]
        for metric in (MAIN_METRIC[task], *further):
            title = f"{task.capitalize()}: {NAMES[metric]} out of fold, with 95 % interval"
            table = replace(overview_table(results, task, metric, rankings), optimistic=optimistic)
            parts += ["", f"## {title}", "", *_markdown_table(table)]
            parts += ["", "; ".join(f"{mark} {words}" for mark, words in table.marks)] if table.marks else []
    if apart := apart_table(evaluation.task_results, evaluation.random_state):
        parts += ["", "## Not out of fold", "", APART_SENTENCE, "", *_markdown_table(apart)]
    parts += [f"- {_plain(line)}" for line in ["", *without] if line]
    return "\n".join(parts) + "\n"


def _markdown_table(table: ResultTable) -> list[str]:
    heads = [_plain(", ".join(filter(None, (column.group, column.name)))) for column in table.columns]
    lines = [f"| {_plain(table.row_name)} | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    for name, cells in table.rows:
        words = [
            " ".join(filter(None, (cell.number, cell.interval, cell.sign)))
            if isinstance(cell, Figure)
            else _plain(cell)
            for cell in cells
        ]
        lines.append(f"| {_plain(name + table.sign_of(name))} | {' | '.join(words)} |")
    return lines


def _plain(text: str) -> str:
    """Return the text without Markdown and HTML."""
    return (
        html.escape(" ".join(str(text).split()), quote=False).replace("|", "\\|").replace("*", "\\*").replace("`", "'")
    )


def _without_figures(results: pd.DataFrame) -> list[str]:
    """Say why rows have no figures: which rows failed and where, and which inputs rows lack, each reason once."""
    part = results[results["protocol"].str.startswith(("failed", "not run"))]
    part = part.drop_duplicates(["model", "indicator", "task", "split"])
    failed = [
        f"{row.model} ({row.indicator}, {row.task}, {row.split}) {row.protocol}"
        for row in part[part["protocol"].str.startswith("failed")].itertuples()
    ]
    lacking = part[part["protocol"].str.startswith("not run")].groupby("protocol", sort=False)["model"]
    return failed + [f"{', '.join(dict.fromkeys(models))}: {words}" for words, models in lacking]
