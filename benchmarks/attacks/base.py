"""What all kinds of attack share: a place to work, a command to run in a copy of this process, and the counts of what was found.

A new kind is a module in this folder with a function `run(attack)`, named in KINDS of `benchmarks/attack.py`.
"""

import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROOT = Path(__file__).parents[2]
# a command that takes longer than that hangs
LONGEST_S = 600
# stands in a file and in the environment; wherever else it appears, something read what it was not asked to read
CANARY = "CANARY-5d1c07a9"


@dataclass
class Ended:
    """How a command ended; the code is -9 where it was killed."""

    words: list[str]
    code: int
    out: str
    err: str


@dataclass
class Attack:
    """One kind of attack under way.

    Parameters
    ----------
    name : str
    folder : Path
        An empty folder to work in.
    random : random.Random
        The only source of chance.
    until : float
        When to end, by `time.monotonic`.
    most : int
        Largest number of tries.
    commands : list of str
        The long commands to attack; all where it is empty.
    keep : callable, optional
        Called with this object before each try, to keep what was found so far.

    Attributes
    ----------
    counts : Counter
        `tries`, and of faults: `crashes` (exit code 1, a traceback or a signal of its own), `mismatches` (other results than of a
        run that nothing disturbed), `leaks` (content of other files or of the environment, escapes at the terminal),
        `half-written` (a file or folder that is neither whole nor absent), `hangs`.
    parts : Counter
        What the tries consist of, such as the number of kills of each command.
    faults : list of str
        A line on each fault, with what makes it happen again.
    """

    name: str
    folder: Path
    random: random.Random
    until: float
    most: int
    commands: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    keep: Callable[["Attack"], None] | None = None

    def more(self) -> bool:
        """Whether time and tries are left; what was found so far is kept."""
        if self.keep is not None:
            self.keep(self)
        return time.monotonic() < self.until and self.counts["tries"] < self.most

    def fault(self, kind: str, words: str) -> None:
        """Count a fault and keep a line on it."""
        self.counts[kind] += 1
        self.faults.append(f"{self.name}: {kind}: {words}"[:1000])

    def run(self, *words: object, expected: tuple[int, ...] = (0, 2), limit_bytes: int | None = None) -> Ended:
        """Run a command, and count a fault where it ends otherwise than it may."""
        command = [str(word) for word in words]
        with Copy(lambda: run_command(command), self.folder, limit_bytes) as copy:
            ended = copy.end(command)
        self.judge(ended, expected)
        return ended

    def judge(self, ended: Ended, expected: tuple[int, ...] = (0, 2)) -> None:
        """Count a fault where a command crashed, hung, or printed what a terminal acts on or what it was not given."""
        shown = " ".join(ended.words)
        last = ended.err.splitlines()[-1] if ended.err.splitlines() else ""
        if ended.code == HUNG:
            self.fault("hangs", shown)
        elif ended.code not in expected or "Traceback" in ended.err:
            self.fault("crashes", f"exit {ended.code}: {shown!r}: {last!r}")
        elif ended.code == 2 and not last.startswith("error: "):
            self.fault("crashes", f"no line of error: {shown!r}: {last!r}")
        if {"\x1b", "\x07", "\x9b", "\u202e"} & set(ended.out + ended.err):
            self.fault("leaks", f"an escape at the terminal: {shown!r}")
        if CANARY in ended.out + ended.err:
            self.fault("leaks", f"a secret at the terminal: {shown!r}")


HUNG = -1000


class Copy:
    """A copy of this process, in which the libraries are loaded, that runs a function with streams and a folder of its own."""

    def __init__(self, function: Callable[[], int], folder: Path, limit_bytes: int | None = None) -> None:
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        ready, said = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(ready)
                os.dup2(self._out.fileno(), 1)
                os.dup2(self._err.fileno(), 2)
                # whoever started this process may have put its own streams in their place
                sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
                os.chdir(folder)
                os.environ.update(environment(folder))
                if limit_bytes:
                    limit_files(limit_bytes)
                os.close(said)
                code = function()
                sys.stdout.flush()
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(said)
        os.read(ready, 1)  # ends when the copy begins its function
        os.close(ready)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._out.close()
        self._err.close()

    def end(self, words: list[str]) -> Ended:
        """Wait for the end; a process that takes too long is killed."""
        until, code = time.monotonic() + LONGEST_S, None
        while (found := os.waitpid(self.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
                code, until = HUNG, until + LONGEST_S
            time.sleep(0.005)
        code = code or os.waitstatus_to_exitcode(found[1])
        return Ended(words, code, _read(self._out), _read(self._err))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="surrogateescape")


def run_command(words: list[str]) -> int:
    """Run a command of geolive in this process and return its exit code."""
    from geolive.cli import main

    sys.argv = [str(ROOT / "cli.py"), *words]
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def load_libraries(*more: str) -> None:
    """Load what most commands load, so that copies of this process need not."""
    import gc
    import importlib

    names = [
        "geopandas",
        "sklearn.ensemble",
        "pyarrow.parquet",
        "pyogrio",
        "skops.io",
        "geolive.cli",
        "jinja2",
        "rich.console",
    ]
    for name in [*names, *more]:
        importlib.import_module(name)
    gc.freeze()  # else each copy's collector would copy all pages of memory


def environment(folder: Path) -> dict[str, str]:
    """The environment of commands that are attacked: nothing of the user's cache, equal dates, and a secret."""
    own = {
        "SOURCE_DATE_EPOCH": "1800000000",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(ROOT),
    }
    # nothing listens there, unless the attack started a server and named it
    servers = {
        "MAPILLARY_TOKEN": f"MLY|1|{CANARY}",
        "GEOLIVE_MAPILLARY_GRAPH": "http://127.0.0.1:9",
        "GEOLIVE_MAPILLARY_TILES": "http://127.0.0.1:9",
        "GEOLIVE_BOUNDARIES_API": "http://127.0.0.1:9",
    }
    return {**servers, **os.environ, **own, "GEOLIVE_CACHE": str(folder / "cache"), "TQDM_DISABLE": "1"}


def limit_files(size: int) -> None:
    """Let writes beyond this size fail, as on a disk that is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder, by name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def make_dataset(folder: Path, seed: int) -> Path:
    """A small simulated dataset in `folder`."""
    from geolive.simulation.sample import simulate, write_sample

    return write_sample(simulate("goa", seed=seed, n_clusters=40, n_sites=30), folder)
