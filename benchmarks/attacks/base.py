"""What all kinds of attack share: a place to work, a command to run, and the table of what was found.

A new kind is a module in this folder with a function `run(attack, budget_s)`, named in KINDS of `benchmarks/attack.py`.
"""

import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
# a command that takes longer than that hangs
LONGEST_S = 180


@dataclass
class Ended:
    """How a command ended."""

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

    Attributes
    ----------
    counts : Counter
        `tries`, and of faults: `crashes` (exit code 1, a traceback or a signal of its own), `mismatches` (other results than of a
        run that nothing disturbed), `leaks` (content of other files or of the environment, escapes at the terminal, a request),
        `half-written` (a file or folder that is neither whole nor absent), `hangs`.
    faults : list of str
        A line on each fault, with what makes it happen again.
    """

    name: str
    folder: Path
    random: random.Random
    until: float
    most: int
    counts: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def more(self) -> bool:
        """Whether time and tries are left."""
        return time.monotonic() < self.until and self.counts["tries"] < self.most

    def fault(self, kind: str, words: str) -> None:
        """Count a fault and keep a line on it."""
        self.counts[kind] += 1
        self.faults.append(f"{self.name}: {kind}: {words}"[:600])

    def run(self, *words: object, expected: tuple[int, ...] = (0, 2), limit_bytes: int | None = None) -> Ended:
        """Run a command, and count a fault where it ends otherwise than it may."""
        self.counts["tries"] += 1
        command = [str(word) for word in words]
        ended = _in_copy(command, self.folder, limit_bytes)
        if ended.code == -signal.SIGKILL:
            self.fault("hangs", " ".join(command))
        else:
            self.judge(ended, expected)
        return ended

    def judge(self, ended: Ended, expected: tuple[int, ...] = (0, 2)) -> None:
        """Count a fault where a command crashed, or printed what a terminal acts on."""
        last = ended.err.splitlines()[-1] if ended.err.splitlines() else ""
        if ended.code not in expected or "Traceback" in ended.err:
            self.fault("crashes", f"exit {ended.code}: {' '.join(ended.words)!r}: {last!r}")
        elif ended.code == 2 and not last.startswith("error: "):
            self.fault("crashes", f"no line of error: {' '.join(ended.words)!r}: {last!r}")
        if {"\x1b", "\x07", "\x9b", "\u202e"} & set(ended.out + ended.err):
            self.fault("leaks", f"an escape at the terminal: {' '.join(ended.words)!r}")


def _in_copy(words: list[str], folder: Path, limit_bytes: int | None) -> Ended:
    """Run a command in a copy of this process, in which the libraries are loaded; it is killed after `LONGEST_S`."""
    import geopandas  # noqa: F401
    import sklearn.ensemble  # noqa: F401

    import geolive.cli

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        copy = os.fork()
        if copy == 0:
            code = 1
            try:
                signal.alarm(0)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                # whoever started this process may have put its own streams in their place
                sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
                os.chdir(folder)
                os.environ.update(environment())
                sys.argv = [str(ROOT / "cli.py"), *words]
                if limit_bytes:
                    limit_files(limit_bytes)
                geolive.cli.main()
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                sys.stderr.flush()
                os._exit(code)
        until, status = time.monotonic() + LONGEST_S, 0
        while (found := os.waitpid(copy, os.WNOHANG))[0] == 0:
            if time.monotonic() > until:
                os.kill(copy, signal.SIGKILL)
            time.sleep(0.005)
        status = os.waitstatus_to_exitcode(found[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="surrogateescape"))
    return Ended(words, status, *texts)


def environment() -> dict[str, str]:
    """The environment of commands that are attacked: nothing of the user's cache, equal dates."""
    own = {"SOURCE_DATE_EPOCH": "1800000000", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **own, "PYTHONPATH": str(ROOT)}


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
