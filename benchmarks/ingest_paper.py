"""Reading the paper's table: `ingest paper`, a bare polars.read_csv and the plain loop, on one file in one run.

    python cli.py sample --paper-format --clusters 7117 --ids SPLITS --out /tmp/standin
    python -m benchmarks.ingest_paper /tmp/standin

Each is a process of its own, timed from its start to its end; `ingest paper` validates, counts, writes and checks the whole
dataset, the other two write nothing. Memory is the peak of all processes together (proportional set size). Needs polars (the
extra `bench`). The plain loop is pandas.read_csv, json.loads and a histogram per row, a groupby per cluster.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.measured import ratios, record

CLI = str(Path(__file__).parent.parent / "cli.py")
BARE = "import sys, polars; polars.read_csv(sys.argv[1])"
PLAIN = """
import json, sys
import numpy as np, pandas as pd
table = pd.read_csv(sys.argv[1])
counts = np.array([np.bincount(json.loads(text), minlength=256) for text in table["features"]])
pd.DataFrame(counts).groupby(table["unique_cluster"].to_numpy()).sum()
"""


def measure(*command: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of a command and the processes it starts."""
    start, peak = time.perf_counter(), 0.0
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while running.poll() is None:
        peak = max(peak, sum(map(memory, family(running.pid))))
        time.sleep(0.1)
    if running.returncode != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, peak


def family(pid: int) -> list[int]:
    """A process and all its children."""
    try:
        children = [
            int(p) for task in Path(f"/proc/{pid}/task").iterdir() for p in (task / "children").read_text().split()
        ]
    except OSError:
        children = []
    return [pid, *(p for child in children for p in family(child))]


def memory(pid: int) -> float:
    """MB of a process, pages that it shares counted in part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def parts(table: str) -> dict[str, Callable[[], object]]:
    """Return work that no reader of this table can leave out, each done by the fastest library at hand."""
    import polars
    import pyarrow.csv

    lists = polars.read_csv(table, columns=["features", "features_name", "confidence"])

    def decode() -> object:
        indexes = lists["features"].str.json_decode(polars.List(polars.Int64))
        return indexes.explode().value_counts()

    return {
        "polars.read_csv of all columns, nothing else": lambda: polars.read_csv(table),
        "pyarrow.csv.read_csv of all columns, nothing else": lambda: pyarrow.csv.read_csv(table),
        "polars: lists of class indexes from JSON, counted": decode,
        "polars: lists of names from JSON": lambda: lists["features_name"].str.json_decode(polars.List(polars.String)),
        "polars: lists of confidences from JSON": lambda: lists["confidence"].str.json_decode(
            polars.List(polars.Float64)
        ),
    }


def print_parts(table: str) -> None:
    """Print the processor time of each part, as a multiple of the first."""
    print("| part, in this process | processor time, s | × the bare read |\n|---|---|---|")
    bare = None
    for name, work in parts(table).items():
        started = time.process_time()
        work()
        seconds = time.process_time() - started
        bare = bare or seconds
        print(f"| {name} | {seconds:.1f} | {seconds / bare:.2f} |", flush=True)


def main() -> None:
    """Print a row for each, and the two ratios."""
    standin = Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    table = str(standin / "data.csv")
    found: dict[str, list[tuple[float, float]]] = {"ingest paper": [], "polars.read_csv": [], "plain loop": []}
    with tempfile.TemporaryDirectory(dir=standin) as folder:
        for i in range(rounds):
            out = ("--splits", str(standin), "--out", f"{folder}/{i}")
            found["polars.read_csv"].append(measure(sys.executable, "-c", BARE, table))
            found["ingest paper"].append(measure(sys.executable, CLI, "ingest", "paper", table, *out))
            if i == 0:
                found["plain loop"].append(measure(sys.executable, "-c", PLAIN, table))
    seconds = {name: median(s for s, _ in measured) for name, measured in found.items()}
    print(f"{table}: {Path(table).stat().st_size / 1e9:.2f} GB")
    for name, measured in found.items():
        print(f"{name}: {seconds[name]:.1f} s (median of {len(measured)}), peak {max(m for _, m in measured):,.0f} MB")
    own, bare = ([s for s, _ in found[name]] for name in ("ingest paper", "polars.read_csv"))
    record("ingest paper / polars.read_csv of all columns", ratios(own, bare), at_most=2.5)
    record("ingest paper: peak memory of all its processes", [m for _, m in found["ingest paper"]], "MB", at_most=1500)
    record("the plain loop / ingest paper", seconds["plain loop"] / seconds["ingest paper"])
    print_parts(table)


if __name__ == "__main__":
    main()
