"""The command line: one thin module for each group of commands.

Commands import what they need inside their functions, so that --help is instant.
"""

import contextlib
import os
import sys
import warnings
from typing import Any

import typer

from geolive.cli import (  # noqa: F401  (each registers its commands)
    audit,
    covariates,
    detect,
    embed,
    estimate,
    evaluate,
    explain,
    fetch_boundaries,
    fetch_images,
    info,
    ingest_dhs,
    ingest_images,
    ingest_objects,
    ingest_paper,
    ingest_photos,
    ingest_plugin,
    ingest_survey,
    partition,
    plugins,
    predict,
    report,
    sample,
    target,
    train,
    train_gcn,
    train_imagewise,
)
from geolive.cli.apps import app
from geolive.cli.endings import (
    CLOSED,
    INPUT,
    OURS,
    fail,
    flush_output,
    mendable,
    output_closed,
    stopped_code,
    stopped_line,
    stopping,
)
from geolive.cli.parameters import as_options, running_command
from geolive.command_line import program
from geolive.errors import InputError, PluginWarning, RestartWarning
from geolive.extras import missing_extra
from geolive.plugins import package_at_fault
from geolive.terminal_text import print_safely

TYPER_STOPPED = 130


def main() -> None:
    """Run the command line.

    Every error is one line. The exit code is 0, 2 for an error that the user can correct, 1 for a fault of geolive, or
    128 and the number of the signal that stopped the command: 130 for Ctrl-C, 143 for SIGTERM.
    """
    print_safely()
    try:
        with stopping():
            code = _run()
            with contextlib.suppress(OSError):  # what could not be written was said
                flush_output()
    except KeyboardInterrupt:  # in the moments before or after the command itself
        code = fail(stopped_line(_running()), stopped_code())
    sys.exit(code)


def _run() -> int:
    _note_warnings()
    try:
        # typer catches KeyboardInterrupt itself and returns only a code
        code = app(prog_name=program(), standalone_mode=False) or 0
        if code == TYPER_STOPPED:
            return fail(stopped_line(_running()), stopped_code())
        flush_output()
        return code
    except (KeyboardInterrupt, typer.Abort):
        return fail(stopped_line(_running()), stopped_code())
    except InputError as error:
        return fail(as_options(str(error), running_command(app, sys.argv[1:])), INPUT)
    except typer.TyperException as error:
        return fail(f"{error.format_message()} (see --help)", INPUT)
    except ModuleNotFoundError as error:
        missing = missing_extra(error.name or "")
        return fail(str(missing), INPUT) if missing else _fail_of_ours(error)
    except Exception as error:
        if output_closed(error):
            return CLOSED
        said = mendable(error)
        return fail(said, INPUT) if said else _fail_of_ours(error)


def _running() -> str:
    """The command that runs, with its group: `train gcn`."""
    command: Any = typer.main.get_command(app)
    words: list[str] = []
    for word in sys.argv[1:]:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            break
        words.append(word)
    return " ".join(words)


def _note_warnings() -> None:
    """Print warnings that work is done again, and that a plug-in is left out, as notes, from now on."""
    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        from geolive.console import note

        if issubclass(category, RestartWarning | PluginWarning):
            note(str(message))
        else:
            others(message, category, *where, **more)

    warnings.simplefilter("always", RestartWarning)
    warnings.simplefilter("once", PluginWarning)
    warnings.showwarning = show


def _fail_of_ours(error: Exception) -> int:
    if os.environ.get("GEOLIVE_DEBUG"):
        raise error
    said = " ".join(f"{type(error).__name__}: {error}".split())
    if package := package_at_fault(error.__traceback__):
        return fail(
            f"the package {package}, which adds to geolive, failed: {said} (report it to its authors; GEOLIVE_DEBUG=1 shows the "
            "traceback)",
            OURS,
        )
    return fail(f"geolive failed: {said} (set GEOLIVE_DEBUG=1 for the traceback, and please report it)", OURS)
