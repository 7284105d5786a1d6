"""What commands say at the terminal: progress on standard error, results on standard output."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from geolive.metrics import NAMES

# a table is not squeezed where no terminal sets its width, and a line is never wrapped
OUT = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 160)
PROGRESS = Console(stderr=True, soft_wrap=True, highlight=False)
_SHOWN = {"regression": ("r2", "rmse", "pearson_r"), "classification": ("accuracy", "balanced_accuracy", "auc")}


@contextmanager
def step(words: str) -> Iterator[Callable[[str], None]]:
    """Show that a step is under way and, at its end, how long it took.

    Yields
    ------
    callable
        Takes words on what is under way within the step.

    Examples
    --------
    >>> with step("Counting") as tell:
    ...     tell("one")
    """
    start = time.perf_counter()
    with PROGRESS.status(f"{escape(words)} …") as status:
        yield lambda detail: status.update(f"{escape(words)}: {escape(detail)} …")
    PROGRESS.print(f"[green]✓[/green] {escape(words)} [dim]({time.perf_counter() - start:.1f} s)[/dim]")


def say(words: str) -> None:
    """Print a line of results as it is."""
    OUT.print(escape(words))


def note(words: str) -> None:
    """Print a line that is not a result, to standard error."""
    PROGRESS.print(f"[yellow]note:[/yellow] {escape(words)}")


def note_dropped(clusters: int) -> None:
    """Tell how many surveyed clusters were left out of training because they have no images."""
    if clusters:
        note(f"{clusters} surveyed clusters have no images and were left out of training")


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; every column but the first two is aligned to the right.

    Examples
    --------
    >>> show_table("Highest", ["rank", "district"], [["1", "Patna"]])  # doctest: +ELLIPSIS
    Highest
    ...
    """
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < 2 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    OUT.print(table)


def show_task(indicator: str, task: str, split: str, simulated: bool) -> None:
    """Print the head of a table that fills row by row."""
    OUT.print()
    mark = "SIMULATED: " if simulated else ""
    OUT.print(f"[bold]{escape(f'{mark}{indicator}, {task}, split {split}, out of fold (95 % interval)')}[/bold]")
    heads = "".join(f"{NAMES[metric]:>25}" for metric in _SHOWN[task])
    OUT.print(f"[bold]{'model':<30}{'n':>7}{heads}[/bold]")


def show_row(results: pd.DataFrame) -> None:
    """Print the figures of one model, or why it has none."""
    first, figures = results.iloc[0], results.set_index("metric")
    if first["protocol"].startswith(("failed", "not run")):
        say(f"{first['model']:<30}{'–':>7}  {first['protocol']}")
        return
    shown = figures.loc[list(_SHOWN[first["task"]]), ["value", "lower", "upper"]].to_numpy(float)
    cells = [
        "–" if np.isnan(value) else f"{_brief(value)} [{_brief(low)}, {_brief(high)}]" for value, low, high in shown
    ]
    say(f"{first['model']:<30}{first['n']:>7}" + "".join(f"{cell:>25}" for cell in cells))


def _brief(value: float) -> str:
    """Three decimals, and none where the figure has three digits before them: columns must not meet."""
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.0f}"
