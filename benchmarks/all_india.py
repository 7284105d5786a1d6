"""All India in one map: 780 districts and 100,000 sites, from a simulated survey to the page; time and memory of each step.

    python -m benchmarks.all_india [--sites 100000] [--images 10]

The simulation runs in one process, and everything after it in another, as two commands would. Processor time is of all threads;
on two cores that have nothing else to do, a step takes between half of it (folds are fitted on all cores) and all of it.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measured import record


def main() -> None:
    """Run both processes in turn, and write a row for each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=100_000)
    parser.add_argument("--images", type=int, default=10, help="largest number of images of a place")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--step", choices=["simulate", "map"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step == "simulate":
        _simulate(arguments.folder, arguments.sites, arguments.images)
    elif arguments.step == "map":
        _map(arguments.folder)
    else:
        print(
            "| step | elapsed, s | processor time, s | peak memory of the process so far, MB |\n|---|---|---|---|",
            flush=True,
        )
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            for step in ("simulate", "map"):
                options = [*sys.argv[1:], "--folder", folder, "--step", step]
                subprocess.run([sys.executable, "-m", "benchmarks.all_india", *options], check=True)
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            record("all of India: processor time of all steps, with imports", used.ru_utime + used.ru_stime, "s")
            record("all of India: elapsed time", time.perf_counter() - started, "s", at_most=60)
            record("all of India: peak memory of the larger process", used.ru_maxrss / 1000, "MB", at_most=2000)


def _processor_time() -> float:
    """Seconds of this process and of the processes that it started and that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _timed(what: str, work: Callable[[], Any]) -> Any:
    elapsed, worked = time.perf_counter(), _processor_time()
    made = work()
    elapsed, worked = time.perf_counter() - elapsed, _processor_time() - worked
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"| {what} | {elapsed:.1f} | {worked:.1f} | {memory:,.0f} |", flush=True)
    return made


def _simulate(folder: Path, sites: int, images: int) -> None:
    from geolive.regions import find_region
    from geolive.simulation.sample import simulate, write_sample

    _timed("find India's districts", lambda: find_region("india"))
    sample = _timed("simulate", lambda: simulate("india", n_sites=sites, most_images=images))
    _timed("write the dataset", lambda: write_sample(sample, folder / "india"))


def _map(folder: Path) -> None:
    import geolive as gl

    dataset = _timed("read the dataset", lambda: gl.read_dataset(folder / "india"))
    print(f"| {len(dataset.clusters):,} clusters, {len(dataset.images):,} images | | | |")
    trained = _timed("fit the default model, 21 times", lambda: gl.train(dataset, gl.Ensemble(), "pov", n_jobs=None))
    made = _timed("predict", lambda: gl.predict(dataset, trained, "india"))
    _timed("write the page", lambda: made.to_file(folder / "india.html"))
    size = (folder / "india.html").stat().st_size / 1e6
    print(f"| page: {size:.2f} MB, {len(made.districts):,} districts, {len(made.sites):,} sites | | | |")


if __name__ == "__main__":
    main()
