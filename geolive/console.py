"""Output of commands at the terminal: progress on standard error, results on standard output."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table
from rich.text import Text

from geolive.remote_paths import with_addresses
from geolive.terminal_text import clean
from geolive.wording import count_of


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the command line say what happened: rich would end the process with code 1 and no word."""
        raise BrokenPipeError


# a table is not squeezed where no terminal sets its width, and a line is never wrapped
OUT = _Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 160)
PROGRESS = _Console(stderr=True, soft_wrap=True, highlight=False)


def plain(words: str, style: str = "") -> Text:
    """Make text that is printed unchanged: rich would take "[x]" for markup and ":100:" for an emoji, and a terminal
    acts on escapes. Copies of files in object storage are named by their addresses.

    Everything that commands print goes through this function.

    Examples
    --------
    >>> OUT.print(plain("split blocks:100:km [red]"))
    split blocks:100:km [red]
    """
    return Text(clean(with_addresses(str(words))), style=style)


@contextmanager
def step(words: str) -> Iterator[Callable[[str], None]]:
    """Show that a step is under way and, at its end, how long it took.

    Yields
    ------
    callable
        Call it with a sentence on what is under way within the step.

    Examples
    --------
    >>> with step("Counting") as progress:
    ...     progress("one")
    """
    start = time.perf_counter()
    with PROGRESS.status(plain(f"{words} …")) as status:
        yield lambda detail: status.update(plain(f"{words}: {detail} …"))
    took = plain(f" ({time.perf_counter() - start:.1f} s)", "dim")
    PROGRESS.print(plain("✓ ", "green") + plain(words) + took)


def silence() -> None:
    """Print nothing from here on, in a process that works beside the one that prints."""
    OUT.quiet = PROGRESS.quiet = True


def say(words: str, style: str = "") -> None:
    """Print a line of results unchanged."""
    OUT.print(plain(words, style))


def note(words: str) -> None:
    """Print a line that is not a result, to standard error."""
    PROGRESS.print(plain("note: ", "yellow") + plain(words))


def note_dropped(without_images: int, without_covariates: int = 0, with_few_images: int = 0) -> None:
    """Say how many surveyed clusters were left out of training because they have no or few images, or lack a covariate."""
    reasons = (
        (without_images, "no images"),
        (with_few_images, "fewer images than --min-images"),
        (without_covariates, "no number of some covariate"),
    )
    for clusters, what in reasons:
        if clusters:
            several = f"has {what} and was" if clusters == 1 else f"have {what} and were"
            note(f"{count_of(clusters, 'surveyed cluster')} {several} left out of training")


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; every column but the first two is aligned to the right.

    Examples
    --------
    >>> show_table("Highest", ["rank", "district"], [["1", "Patna"]])  # doctest: +ELLIPSIS
    Highest
    ...
    """
    table = Table(title=plain(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(plain(column), justify="left" if i < 2 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    OUT.print(table)
