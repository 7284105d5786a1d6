"""Kriging and the average of neighbours on 20,000 clusters: time and memory of the whole command, report included.

    python -m benchmarks.evaluate_baselines --clusters 20000

The survey is simulated: a smooth field over a country of 2,000 by 2,000 km, and noise. Five random folds, and five of blocks of
100 km with a buffer of 10 km.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measured import of_command, record

CLI = str(Path(__file__).parent.parent / "cli.py")


def write_survey(path: Path, n: int) -> None:
    """A table of n places with a value."""
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform([70, 10], [90, 28], (n, 2)).T
    wealth = np.sin(lon / 2) + np.cos(lat) + rng.normal(0, 1, n)
    pd.DataFrame({"lon": lon, "lat": lat, "wealth": wealth}).to_csv(path, index=False)


def main() -> None:
    """Print seconds and peak memory of each command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--clusters", type=int, default=20_000)
    n = options.parse_args().clusters
    with tempfile.TemporaryDirectory() as folder:
        survey, data = Path(folder) / "survey.csv", Path(folder) / "data"
        write_survey(survey, n)
        columns = ("--lon", "lon", "--lat", "lat", "--value", "wealth")
        of_command(sys.executable, CLI, "ingest", "survey", str(survey), *columns, "--out", str(data))
        for models in ("neighbours", "kriging", "neighbours,kriging"):
            words = ("evaluate", str(data), "--models", models, "--out", f"{folder}/{models}")
            seconds, _, peak = of_command(sys.executable, CLI, *words)
            what = f"evaluate --models {models}, {n:,} clusters, 2 splits of 5 folds"
            both = "," in models
            record(what, seconds, "s", at_most=120 if both else None)
            record(f"{what}: peak memory of the largest process", peak, "MB", at_most=2000 if both else None)


if __name__ == "__main__":
    main()
