"""Commands run as a user runs them, without the wait for libraries.

A server, one for all processes of tests, loads slow libraries once. Each command is a copy of it, with the arguments,
environment, folder and streams of its own that a new process would have.
"""

import atexit
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).parent.parent
# the folder where the server of this run of tests listens; processes that xdist starts inherit it
FOLDER = "GEOLIVE_TEST_SERVER"
# what Python and libraries read as they are loaded; commands with other values than the server's get a process of their own
READ_AT_START = (
    "PYTHON",
    "LC_",
    "LANG",
    "OMP_",
    "OPENBLAS_",
    "MKL_",
    "TQDM_",
    "COLUMNS",
    "TERM",
    "NO_COLOR",
    "FORCE_COLOR",
    "GDAL_",
    "PROJ_",
)


# what rasterio sets for the process that imports it
SET_BY_LIBRARIES = ("GDAL_CURL_CA_BUNDLE", "PROJ_CURL_CA_BUNDLE")
_at_start = {}
_lock = threading.Lock()


def begin():
    """Choose where the server will listen, in the process that starts the others; the server ends with that one."""
    if FOLDER not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="geolive-tests-"))
        (folder / "owner").write_text(str(os.getpid()), encoding="utf-8")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ[FOLDER] = str(folder)
    _at_start.update(os.environ)


def run(*words, **environment):
    """Run `python cli.py WORDS` in the root folder, and return its exit code and what it printed."""
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, words)]
    environment = os.environ | environment
    if not is_as_at_start(environment):
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, _connected() as server:
        streams = [f"/proc/{os.getpid()}/fd/{stream.fileno()}" for stream in (out, err)]
        asked = {"words": command[1:], "environment": environment, "streams": streams}
        server.sendall(json.dumps(asked).encode() + b"\n")
        with server.makefile() as answer:
            code = int(answer.readline())
        printed = []
        for stream in (out, err):
            stream.seek(0)
            printed.append(stream.read().decode().replace("\r\n", "\n"))
    return subprocess.CompletedProcess(command, code, *printed)


def is_as_at_start(environment):
    """Whether a command with this environment can be a copy of the server."""
    return _read_at_start(environment) == _read_at_start(_at_start)


def _read_at_start(environment):
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(READ_AT_START) and name not in SET_BY_LIBRARIES
    }


def _connected():
    """A connection to the server, which the first process that needs it starts."""
    folder = Path(os.environ[FOLDER])
    connection = socket.socket(socket.AF_UNIX)
    with _lock, (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "socket").exists():
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(folder / "socket"))
                listening.listen(64)
                command = [sys.executable, "-m", "tests.command_server", str(listening.fileno()), str(folder)]
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, env=_at_start, cwd=ROOT, pass_fds=[listening.fileno()]
                )
    connection.connect(str(folder / "socket"))
    return connection
