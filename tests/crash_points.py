"""Kill a command before each of its changes of files, by SIGKILL, in a process of its own.

`python -m tests.crash_points FOLDER MODULE,...` imports the modules and then answers each line of JSON, {"step", "words"}, with
{"code", "changes"}: it forks, runs that command line, and kills the fork before change number `step` in the folder (0: never).
"""

import importlib
import json
import os
import signal
import subprocess
import sys

from tests.commands import ROOT

# what changes files, as the interpreter reports it before it is done
CHANGES = {
    "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.utime", "shutil.rmtree",
    "shutil.move", "shutil.copyfile", "tempfile.mkstemp", "tempfile.mkdtemp",
}  # fmt: skip


def kill_at(step, own):
    """Kill this process before change number `step` below the folder `own`; return a function that tells how many there were."""
    number = 0

    def watch(event, arguments):
        nonlocal number
        changes = event in CHANGES or (event == "open" and _writes(arguments))
        if changes and any(str(own) in os.fsdecode(a) for a in arguments if isinstance(a, str | bytes | os.PathLike)):
            number += 1
            if number == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    return lambda: number


def _writes(arguments):
    _, mode, flags = arguments
    return bool(isinstance(mode, str) and set(mode) & set("wax+")) or bool(
        isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    )


def run_command(step, own, words):
    """Run geolive's command line, or a function `module:name`; returns its exit code and the number of changes."""
    count = kill_at(step, own)
    if ":" in words[0]:
        module, name = words[0].split(":")
        getattr(importlib.import_module(module), name)(*words[1:])
        return 0, count()
    sys.argv = ["geolive", *words]
    from geolive import cli

    code = 0
    try:
        cli.main()
    except SystemExit as ended:
        code = ended.code or 0
    return code, count()


def in_a_fork(step, own, words):
    """Run a command in a fork of this process, which has its libraries loaded; exit code (-9: killed) and number of changes."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        code = 1
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1):
                os.dup2(null, descriptor)
            code, changes = run_command(step, own, words)
            os.write(write, str(changes).encode())
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, int(said or 0)


class Server:
    """A process that has loaded its libraries and runs commands in forks of itself."""

    def __init__(self, own, modules):
        command = [sys.executable, "-m", "tests.crash_points", str(own), ",".join(modules)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.stdin.close()
        self._process.wait(60)

    def run(self, *words, step=0):
        """Exit code (-9: killed) and number of changes of a command."""
        print(json.dumps({"step": step, "words": list(map(str, words))}), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        return answer["code"], answer["changes"]


if __name__ == "__main__":
    own, preload = sys.argv[1], sys.argv[2].split(",")
    for module in filter(None, preload):
        __import__(module)
    for line in sys.stdin:
        asked = json.loads(line)
        code, changes = in_a_fork(asked["step"], own, asked["words"])
        print(json.dumps({"code": code, "changes": changes}), flush=True)
