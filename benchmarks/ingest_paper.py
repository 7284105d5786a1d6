"""Reading the paper's table: `ingest paper`, a bare polars.read_csv and the plain loop, on one file in one run.

    python cli.py sample --paper-format --clusters 7117 --ids SPLITS --out /tmp/standin
    python -m benchmarks.ingest_paper /tmp/standin [ROUNDS]

Each is a process of its own, timed from its start to its end; `ingest paper` validates, counts, writes and checks the whole
dataset, the others write nothing. Three columns of the table hold lists as JSON text, which a bare read leaves as text. So a
fourth process reads with polars and decodes the lists with polars: this is what the fastest library takes for the same content,
without a check, and no reader that looks into the lists can be expected to take less. Memory is the peak of all processes
together (proportional set size). Needs polars (the extra `bench`). The plain loop is pandas.read_csv, json.loads and a histogram
per row, a groupby per cluster.

`benchmarks/ingest_paper_parts.py` times the parts that a reader in numpy and Arrow cannot leave out. Their processor time, spread
evenly over the cores, and the import of the libraries are the limit that such a reader can come near. It is no bound of a reader
in another language.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.measured import ratios, record
from geolive.processors import available_processors

ROOT = Path(__file__).parent.parent
CLI = str(ROOT / "cli.py")
START = "import geopandas, pyarrow.csv, pyarrow.parquet, typer"
BARE = "import sys, polars; polars.read_csv(sys.argv[1])"
DECODED = """
import sys, polars
table = polars.read_csv(sys.argv[1])
kinds = {"features": polars.Int64, "features_name": polars.String, "confidence": polars.Float64}
table.with_columns(polars.col(name).str.json_decode(polars.List(kind)) for name, kind in kinds.items())
"""
PLAIN = """
import json, sys
import numpy as np, pandas as pd
table = pd.read_csv(sys.argv[1])
counts = np.array([np.bincount(json.loads(text), minlength=256) for text in table["features"]])
pd.DataFrame(counts).groupby(table["unique_cluster"].to_numpy()).sum()
"""


def measure(*command: str) -> tuple[float, float, float]:
    """Seconds of the clock and of the processor, and peak memory in MB, of a command and the processes it starts."""
    start, used, peak = time.perf_counter(), sum(os.times()[2:4]), 0.0
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while running.poll() is None:
        peak = max(peak, sum(map(memory, family(running.pid))))
        time.sleep(0.1)
    if running.returncode != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, sum(os.times()[2:4]) - used, peak


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


def parts_of(table: str, dataset: str) -> dict[str, float]:
    """Processor seconds of each part that cannot be left out."""
    command = (sys.executable, "-m", "benchmarks.ingest_paper_parts", table, dataset)
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


def main() -> None:
    """Print a row for each, and record the ratios."""
    standin = Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    table = str(standin / "data.csv")
    bare, decoded, own = "polars.read_csv", "polars.read_csv and polars' decoding of the lists", "ingest paper"
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in (bare, decoded, own, "plain loop")}
    parts: list[dict[str, float]] = []
    limits: list[float] = []
    with tempfile.TemporaryDirectory(dir=standin) as folder:
        for i in range(rounds):
            out = ("--splits", str(standin), "--out", f"{folder}/{i}")
            found[bare].append(measure(sys.executable, "-c", BARE, table))
            found[decoded].append(measure(sys.executable, "-c", DECODED, table))
            found[own].append(measure(sys.executable, CLI, "ingest", "paper", table, *out))
            parts.append(parts_of(table, f"{folder}/{i}"))
            limits.append(
                measure(sys.executable, "-c", START)[0] + sum(parts[-1].values()) / min(2, available_processors())
            )
        found["plain loop"].append(measure(sys.executable, "-c", PLAIN, table))
    print(f"{table}: {Path(table).stat().st_size / 1e9:.2f} GB")
    seconds = {name: [each[0] for each in measured] for name, measured in found.items()}
    for name, measured in found.items():
        wall, processor = (median(each[i] for each in measured) for i in range(2))
        memory = max(each[2] for each in measured)
        print(
            f"{name}: {wall:.1f} s, {processor:.1f} s of processor time (medians of {len(measured)}), peak {memory:,.0f} MB"
        )
    for name in parts[0]:
        print(f"part, {name}: {median(each[name] for each in parts):.2f} s of processor time")
    record(
        "ingest paper: limit from measured parts on at most 2 cores, against the bare read",
        ratios(limits, seconds[bare]),
    )
    record("ingest paper: share of the limit from measured parts", ratios(limits, seconds[own]), at_least=0.9)
    record(
        "ingest paper against a bare polars.read_csv of all columns", ratios(seconds[own], seconds[bare]), at_most=2.5
    )
    record(f"{decoded}, against the bare read", ratios(seconds[decoded], seconds[bare]))
    record(f"ingest paper against {decoded}", ratios(seconds[own], seconds[decoded]), at_most=1)
    processor = {name: [each[1] for each in measured] for name, measured in found.items()}
    record(f"ingest paper against {decoded}, in processor time", ratios(processor[own], processor[decoded]))
    record("ingest paper: peak memory of all its processes", [each[2] for each in found[own]], "MB", at_most=1500)
    record("the plain loop against ingest paper", median(seconds["plain loop"]) / median(seconds[own]))


if __name__ == "__main__":
    main()
