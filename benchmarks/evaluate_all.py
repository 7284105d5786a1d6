"""`evaluate --models all` on both tasks, split official: processor time of each row, and time with a process for each core.

    python -m benchmarks.evaluate_all FOLDER --ids SPLITS [--clusters 1000] [--indicators pov] [--rows]

A stand-in of the paper's table with image features is made in FOLDER, as `benchmarks/paper_tables.py` makes it, where it is not
there yet. --rows computes the rows one after the other and prints what each takes.
"""

import argparse
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from benchmarks.measured import record
from benchmarks.paper_tables import CLI, NAME, simulate_features
from geolive.dataset import Dataset
from geolive.dataset_folder import read_dataset
from geolive.evaluation import comparison
from geolive.evaluation.evaluate import evaluate

TASKS = ["classification", "regression"]


def stand_in(folder: Path, ids: str, clusters: int) -> Dataset:
    """Make the dataset where it is not there yet, and read it."""
    folder.mkdir(parents=True, exist_ok=True)
    table, data = folder / f"table-{clusters}", folder / f"dataset-{clusters}"
    if not data.exists():
        for words in (
            ["sample", "--paper-format", "--clusters", str(clusters), "--ids", ids, "--out", str(table)],
            ["ingest", "paper", str(table / "data.csv"), "--splits", str(table), "--out", str(data)],
        ):
            subprocess.run([sys.executable, str(CLI), *words], check=True, stdout=subprocess.DEVNULL)
    if NAME not in read_dataset(data).features:
        simulate_features(data, 0)
    return read_dataset(data)


def timed(predict: Callable, used: dict[str, float]) -> Callable:
    """Add the processor time of each row to `used`."""

    def predict_and_time(spec, *given, **named):
        before = time.process_time()
        try:
            return predict(spec, *given, **named)
        finally:
            used[spec.name] += time.process_time() - before

    return predict_and_time


def main() -> None:
    """Evaluate in one way or the other."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--ids", required=True, help="folder of split lists")
    options.add_argument("--clusters", type=int, default=1000)
    options.add_argument("--indicators", default="pov,pop,bmi")
    options.add_argument("--rows", action="store_true")
    chosen = options.parse_args()
    used: dict[str, float] = defaultdict(float)
    if chosen.rows:
        comparison.predict_spec = timed(comparison.predict_spec, used)
    dataset, began = stand_in(chosen.folder, chosen.ids, chosen.clusters), time.perf_counter()
    # 12 minutes for three indicators before, which were to be halved
    limit = None if chosen.rows or chosen.clusters != 1000 else 120.0 * len(chosen.indicators.split(","))
    evaluate(dataset, "all", chosen.indicators, split="official", task=TASKS, n_jobs=1 if chosen.rows else None)
    record(f"evaluate --models all, {len(dataset.clusters)} clusters", time.perf_counter() - began, "s", at_most=limit)
    total = sum(used.values())
    print("| row | processor time, s | share |\n|---|---|---|" if used else "")
    for name, seconds in sorted(used.items(), key=lambda row: -row[1]):
        print(f"| {name} | {seconds:.1f} | {seconds / total:.0%} |")


if __name__ == "__main__":
    main()
