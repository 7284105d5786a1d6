"""The server of `tests.commands`: each connection says what to run, in a line of JSON, and is answered with the exit code."""

import atexit
import contextlib
import gc
import importlib
import json
import multiprocessing.util
import os
import pkgutil
import runpy
import selectors
import shutil
import socket
import sys
import traceback
import weakref
from pathlib import Path

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
    # what libraries that did nothing do at the end of a process takes longer than a short command
    atexit._clear()
    weakref.finalize._registry.clear()
    for at_end in (multiprocessing.util._exit_function, weakref.finalize._exitfunc):
        atexit.register(at_end)
    folder = Path(sys.argv[2])
    owner = Path("/proc", (folder / "owner").read_text(encoding="utf-8"))
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        _serve(listening, owner.exists)
    shutil.rmtree(folder, ignore_errors=True)


def _serve(listening, is_needed):
    """Run what is asked for, several commands at a time, as long as the tests run."""
    waiting = selectors.DefaultSelector()
    waiting.register(listening, selectors.EVENT_READ)
    while is_needed():
        for ready, _ in waiting.select(timeout=1):
            if ready.fileobj is listening:
                connection, _ = listening.accept()
                with connection.makefile() as line:
                    asked = json.loads(line.readline())
                pid = os.fork()
                if pid == 0:
                    _run(**asked)
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
            else:
                pid, connection = ready.data
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                # a test that was stopped no longer listens
                with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    connection.sendall(f"{code}\n".encode())
                waiting.unregister(ready.fd)
                os.close(ready.fd)


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
