"""What a benchmark measured: printed as a line, and kept as a row of the report that `benchmarks/all.py` writes."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

# all.py names the file of rows here
ROWS = "GEOLIVE_BENCHMARK_ROWS"


@dataclass(frozen=True)
class Measured:
    """One quantity, measured once or in several rounds, and its limit.

    Attributes
    ----------
    what : str
        What was measured, in words that need no further context.
    values : list of float
        One value a round.
    unit : str
        "×" for a ratio of two things in one run; else "s", "MB", "rows/s" and the like.
    at_most, at_least : float or None
        The limit.
    """

    what: str
    values: list[float]
    unit: str = "×"
    at_most: float | None = None
    at_least: float | None = None

    def limit(self) -> str:
        """Return the limit as it is written, such as "≤ 2 ×"."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g} {self.unit}"
        return "" if self.at_least is None else f"≥ {self.at_least:g} {self.unit}"

    def kept(self) -> str:
        """Return whether the median keeps the limit: "yes", "no" or nothing where there is none."""
        middle = median(self.values)
        if self.at_most is not None:
            return "yes" if middle <= self.at_most else "**no**"
        if self.at_least is not None:
            return "yes" if middle >= self.at_least else "**no**"
        return ""

    def cells(self) -> list[str]:
        """Return the cells of the report's row: what, median, lowest to highest, rounds, limit, kept."""
        spread = f"{_short(min(self.values))} to {_short(max(self.values))}" if len(self.values) > 1 else ""
        middle = f"{_short(median(self.values))} {self.unit}"
        return [self.what, middle, spread, str(len(self.values)), self.limit(), self.kept()]


def record(
    what: str,
    values: float | Sequence[float],
    unit: str = "×",
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> None:
    """Print a quantity, and keep it for the report.

    Parameters
    ----------
    what : str
        What was measured.
    values : float or sequence of float
        One value a round. A ratio is formed within each round, not of two medians.
    unit : str
    at_most, at_least : float, optional
        The limit.
    """
    rounds = [float(values)] if isinstance(values, int | float) else [float(value) for value in values]
    row = Measured(what, rounds, unit, at_most, at_least)
    what, middle, spread, n, limit, kept = row.cells()
    words = [f"{what}: {middle}"]
    words += [f"median of {n}, {spread}"] if spread else []
    words += [f"wanted {limit}: {kept.strip('*')}"] if limit else []
    print("; ".join(words), flush=True)
    if os.environ.get(ROWS):
        with Path(os.environ[ROWS]).open("a", encoding="utf-8") as rows:
            rows.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")


class Used(NamedTuple):
    """What a command and the processes that it waited for used: seconds, and MB of the one with the most memory."""

    elapsed: float
    processor: float
    memory: float


def of_command(*command: str) -> Used:
    """Run a command, and measure it from its start to its end."""
    started = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert running.stderr is not None
    said = running.stderr.read()
    _, status, used = os.wait4(running.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}\n{said.decode(errors='replace')[-2000:]}")
    return Used(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def in_turns(rounds: int, *ways: Callable[[], float]) -> list[list[float]]:
    """Call each way once a round, in turn, and return each way's values.

    A machine that is slow for a while is slow for all of them then.
    """
    found: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for values, way in zip(found, ways, strict=True):
            values.append(way())
    return found


def ratios(ours: Sequence[float], peer: Sequence[float]) -> list[float]:
    """Divide ours by the peer's, round by round."""
    return [a / b for a, b in zip(ours, peer, strict=True)]


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
