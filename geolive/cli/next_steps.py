"""The last line of a command: what to do next, as a command that can be pasted."""

from pathlib import Path
from typing import TYPE_CHECKING

from geolive.command_line import command_line

if TYPE_CHECKING:
    from geolive.dataset import Dataset


def say_next(*words: object, to: str) -> None:
    """Print a command to run next, and what it does; the shell takes what follows the # for a comment.

    Parameters
    ----------
    *words : object
        The command's name, its options and their values.
    to : str
        What the command does.

    Examples
    --------
    >>> say_next("info", "data/my goa", to="shows what it holds")
    Next: geolive info 'data/my goa'  # shows what it holds
    """
    from geolive.console import say

    say(f"Next: {command_line(*words)}  # {to}")


def say_open(path: Path) -> None:
    """Print that a page or a picture can be opened.

    Examples
    --------
    >>> say_open(Path("why/explain.html"))
    Next: open why/explain.html in a browser.
    """
    from geolive.console import say

    program = (
        "a spreadsheet program" if path.suffix == ".csv" else "a browser" if path.suffix == ".html" else "a viewer"
    )
    say(f"Next: open {path} in {program}.")


def say_map_of_survey(dataset: "Dataset", folder: Path) -> None:
    """Print the command that maps a survey without photos, over hexagons that need no boundaries."""
    data = ("--dataset", folder, "--indicator", dataset.indicators[0], "--model", "kriging")
    words = (*data, "--boundaries", "hex:50km", "--out", f"maps/{folder.name}.html")
    say_next("predict", *words, to="a map of the survey alone; ingest photos adds photos")
