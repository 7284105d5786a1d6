"""Commands run as a user runs them, without the wait for libraries.

A server, one for each process of tests, loads slow libraries once. Each command is a copy of it, with the arguments, environment,
folder and streams of its own that a new process would have.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).parent.parent
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
_lock = threading.Lock()
_servers = []


def run(*words, **environment):
    """Run `python cli.py WORDS` in the root folder, and return its exit code and what it printed."""
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, words)]
    environment = os.environ | environment
    with _lock:
        server = _server()
        if _read_at_start(environment) != server.read_at_start:
            return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
        return server.run(command, environment)


def _read_at_start(environment):
    return {name: value for name, value in environment.items() if name.startswith(READ_AT_START)}


def _server():
    if not _servers:
        _servers.append(_Server())
        atexit.register(_servers[0].stop)
    return _servers[0]


class _Server:
    def __init__(self):
        self.read_at_start = _read_at_start(os.environ)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.command_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def run(self, command, environment):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            streams = [f"/proc/{os.getpid()}/fd/{stream.fileno()}" for stream in (out, err)]
            asked = {"words": command[1:], "environment": environment, "streams": streams}
            print(json.dumps(asked), file=self._process.stdin, flush=True)
            code = int(self._process.stdout.readline())
            printed = []
            for stream in (out, err):
                stream.seek(0)
                printed.append(stream.read().decode().replace("\r\n", "\n"))
        return subprocess.CompletedProcess(command, code, *printed)

    def stop(self):
        self._process.stdin.close()
        self._process.wait()
