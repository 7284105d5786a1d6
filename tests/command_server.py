"""The server of `tests.commands`: reads what to run, a line of JSON each, and answers with the exit code."""

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import sys
import traceback

import geolive

LIBRARIES = [
    "attr",
    "exactextract",
    "geopandas",
    "jinja2",
    "markdown_it",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pydantic",
    "pyogrio",
    "rasterio",
    "rich.console",
    "rich.markdown",
    "sklearn.ensemble",
    "torch",
    "typer",
]


def main():
    # copies share what is loaded; where a library is missing, commands say so themselves
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for module in pkgutil.walk_packages(geolive.__path__, "geolive."):
        with contextlib.suppress(ImportError):
            importlib.import_module(module.name)
    gc.freeze()
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run(**asked)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _run(words, environment, streams):
    """Run a command in this process, and end it."""
    code = 1
    try:
        for number, (name, path) in enumerate(zip(("stdout", "stderr"), streams, strict=True), start=1):
            usual = getattr(sys, name)
            os.dup2(os.open(path, os.O_WRONLY), number)
            stream = open(number, "w", encoding=usual.encoding, errors=usual.errors, closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = words
        try:
            runpy.run_path(words[0], run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        except BaseException:
            traceback.print_exc()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
