"""The command line: one thin module for each group of commands.

Commands import what they need inside their functions, so that --help is instant.
"""

import os
import sys

import typer

from geolive.cli import (  # noqa: F401  (each registers its commands)
    detect,
    embed,
    estimate,
    evaluate,
    explain,
    fetch_boundaries,
    fetch_images,
    info,
    ingest_dhs,
    ingest_paper,
    ingest_photos,
    ingest_survey,
    predict,
    sample,
    target,
    train,
    train_gcn,
    train_imagewise,
)
from geolive.cli.apps import app
from geolive.cli.parameters import as_options, running_command
from geolive.command_line import program
from geolive.errors import InputError
from geolive.extras import missing_extra


def main() -> None:
    """Run the command line.

    Every error is one line. The exit code is 0, 2 for bad input, 1 for a fault of geolive, or 130 when the user stopped it.
    """
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        code = app(prog_name=program(), standalone_mode=False) or 0
        # typer catches Ctrl-C itself and returns only the code
        return _fail("stopped; nothing was left half-written", code) if code == 130 else code
    except InputError as error:
        return _fail(as_options(str(error), running_command(app, sys.argv[1:])), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped; nothing was left half-written", 130)
    except typer.TyperException as error:
        return _fail(f"{error.format_message()} (see --help)", 2)
    except PermissionError as error:
        return _fail(f"{error.filename}: permission denied; choose another place, or change its permissions", 2)
    except ModuleNotFoundError as error:
        missing = missing_extra(error.name or "")
        return _fail(str(missing), 2) if missing else _fail_of_ours(error)
    except Exception as error:
        return _fail_of_ours(error)


def _fail_of_ours(error: Exception) -> int:
    if os.environ.get("GEOLIVE_DEBUG"):
        raise error
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return _fail(f"geolive failed: {said} (set GEOLIVE_DEBUG=1 for the traceback, and please report it)", 1)


def _fail(words: str, code: int) -> int:
    print(f"error: {' '.join(words.split())}", file=sys.stderr)
    return code
