"""The outcome of an evaluation: figures, predictions, and its report."""

import html
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from geolive.dataset import Dataset
from geolive.evaluation.comparison import TaskResult
from geolive.evaluation.tables import wide_table
from geolive.metrics import MAIN_METRIC, NAMES
from geolive.wording import count_of


@dataclass(frozen=True)
class Evaluation:
    """Result of `evaluate`: figures, predictions, and the report.

    Parameters
    ----------
    dataset : Dataset
    task_results : tuple of TaskResult
        One for each indicator, task and split.
    protocol : {"nested", "authors"}
    random_state : int
    notes : tuple of str
        What a reader of all figures must know.

    Examples
    --------
    >>> from geolive.evaluation.evaluate import evaluate
    >>> from geolive.simulation.sample import make_sample
    >>> evaluation = evaluate(make_sample("goa", seed=0), ["mean"], "pov", split="random")
    >>> evaluation.results[["model", "metric", "value"]].head(1)
      model metric  value
    0  mean     r2    0.0
    """

    dataset: Dataset
    task_results: tuple[TaskResult, ...]
    protocol: str
    random_state: int = 0
    notes: tuple[str, ...] = ()

    @cached_property
    def results(self) -> pd.DataFrame:
        """One score in each row: model, params, indicator, task, split, protocol, metric, value, lower, upper, n (clusters)."""
        return self._joined("results")

    @cached_property
    def strata(self) -> pd.DataFrame:
        """The figures within towns, within villages, and within each country; the column `stratum` says which."""
        return self._joined("strata")

    @cached_property
    def differences(self) -> pd.DataFrame:
        """The difference of each two rows' main figures, with paired intervals."""
        return self._joined("differences")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One prediction in each row: model, unique_cluster, lon, lat, fold, value, prediction, indicator, task and split."""
        about = [
            {name: getattr(one.task, name) for name in ("indicator", "task", "split")} for one in self.task_results
        ]
        tables = [one.predictions.assign(**facts) for one, facts in zip(self.task_results, about, strict=True)]
        return pd.concat(tables, ignore_index=True)

    @property
    def lacking(self) -> dict[str, str]:
        """What rows need that the dataset lacks, by the name of the row."""
        return {name: words for one in self.task_results for name, words in one.lacking.items()}

    def table(self, task: str | None = None) -> pd.DataFrame:
        """Make a table of the main figure of each model, one column for each indicator and split.

        Parameters
        ----------
        task : {"regression", "classification"}, optional
            By default the first task that was evaluated.
        """
        return wide_table(self.results, task or self.task_results[0].task.task)

    def write_report(self, folder: str | Path) -> list[Path]:
        """Write `report.html`, the tables as CSV and Markdown, and the predictions, to a new folder, all or nothing.

        Parameters
        ----------
        folder : str or Path
            Must not exist, or be empty.

        Returns
        -------
        list of Path
            The files.

        Raises
        ------
        InputError
            The folder is not free, or cannot be written.
        """
        from geolive.evaluation.report import write_report

        return write_report(self, folder)

    def _joined(self, name: str) -> pd.DataFrame:
        return pd.concat([getattr(one, name) for one in self.task_results], ignore_index=True)

    def __repr__(self) -> str:
        """Return models, indicators, tasks and splits in short."""
        tasks = [one.task for one in self.task_results]
        models = list(dict.fromkeys(self.results["model"]))
        shown = ", ".join(models) if len(models) <= 4 else count_of(len(models), "model")
        parts = [
            ", ".join(dict.fromkeys(getattr(task, name) for task in tasks)) for name in ("indicator", "task", "split")
        ]
        return f"<Evaluation of {shown}: {parts[0]}, {parts[1]}, split {parts[2]}>"

    def _repr_html_(self) -> str:
        """Return the main figures as tables, for notebooks."""
        parts = ["<p><b>SIMULATED data</b></p>"] if self.dataset.simulated else []
        for task in dict.fromkeys(one.task.task for one in self.task_results):
            title = f"{task.capitalize()}: {NAMES[MAIN_METRIC[task]]} out of fold, with 95 % interval"
            parts += [f"<p>{html.escape(title)}</p>", self.table(task).to_html(escape=True)]
        apart = dict.fromkeys(one.model for result in self.task_results for one in result.apart)
        parts += [
            f"<p>{html.escape(name)} is not out of fold; the report shows it in a table of its own</p>"
            for name in apart
        ]
        notes = dict.fromkeys(words for one in self.task_results for words in one.task.notes)
        parts += [f"<p>{html.escape(words)}</p>" for words in (*self.notes, *notes)]
        return "\n".join(parts)
