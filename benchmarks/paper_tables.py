"""Both tables of Lee et al. from one command, on a simulated stand-in of their data with simulated image features.

    python -m benchmarks.paper_tables --ids SPLITS --out /tmp/tables --clusters 1000 -- --split official --epochs 5

What stands after `--` goes to `evaluate`. The stand-in is written and read as the real table would be; its image features are
drawn as the sample's are (`geolive.simulation.simulated_features`). Killed and started again it goes on.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from geolive.dataset_folder import read_dataset
from geolive.feature_sets import add_features
from geolive.simulation.simulated_features import NAME, draw_features

CLI = str(Path(__file__).parent.parent / "cli.py")


def geolive(*words: object) -> int:
    """Run a command; its exit code."""
    return subprocess.run([sys.executable, CLI, *map(str, words)]).returncode


def simulate_features(folder: Path, seed: int) -> None:
    """Add image features that show the clusters' values through noise."""
    dataset = read_dataset(folder)
    rng = np.random.default_rng(seed)
    values = dataset.clusters[dataset.indicators].to_numpy(float)
    latents = np.nan_to_num((values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0))
    row = dataset.clusters["unique_cluster"].reset_index().set_index("unique_cluster")["index"]
    place = row.reindex(dataset.images["unique_cluster"]).to_numpy()
    known = np.flatnonzero(np.isfinite(place))
    features = draw_features(latents, place[known].astype(int), rng)
    add_features(folder, NAME, [(known, features.astype(np.float32))], {"source": "simulated"})


def main() -> None:
    """Make what is not there yet, then evaluate."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ids", required=True, help="folder of split lists")
    options.add_argument("--out", required=True, type=Path)
    options.add_argument("--clusters", type=int, default=1000)
    options.add_argument("--seed", type=int, default=0)
    chosen, rest = options.parse_known_args()
    table, data = chosen.out / "table", chosen.out / "dataset"
    made = ["--paper-format", "--clusters", chosen.clusters, "--ids", chosen.ids, "--seed", chosen.seed, "--out", table]
    if not table.is_dir() and geolive("sample", *made):
        raise SystemExit(1)
    if not data.is_dir() and geolive("ingest", "paper", table / "data.csv", "--splits", table, "--out", data):
        raise SystemExit(1)
    if NAME not in read_dataset(data).features:
        simulate_features(data, chosen.seed)
    words = ["--models", "all", "--tasks", "classification,regression", *(word for word in rest if word != "--")]
    raise SystemExit(geolive("evaluate", data, *words, "--out", chosen.out / "report"))


if __name__ == "__main__":
    main()
