"""Photos and a raster together: simulated countrysides where each carries a part of what the survey measures.

    python -m benchmarks.photos_and_covariates --seeds 5

The raster holds the smooth part of the true values with noise; photos show the differences between neighbouring places, too. R²
of pov out of fold in blocks of 100 km, mean over countrysides ± standard error, and the gain of both together over each alone,
paired by countryside. Everything is simulated.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from geolive import add_covariates, evaluate, make_sample
from geolive.simulation.simulated_raster import write_simulated_raster
from geolive.splits import BlockSplit

MODELS = "forest,ridge,attention,stacked"


def figures_of(seed: int, models: list[str]) -> np.ndarray:
    """Compute R² of each model (rows) on object counts, on the raster, and on both (columns)."""
    dataset = make_sample("bihar", seed, n_sites=38)
    with tempfile.TemporaryDirectory() as folder:
        raster = Path(folder) / "raster.tif"
        write_simulated_raster(raster, "bihar", seed)
        dataset = add_covariates(dataset, {"raster": raster}, buffer_km=5)
    splitter = BlockSplit(km=100, n_splits=5, random_state=seed)
    # a network of photos needs photos: beside it stands the ridge regression on the raster
    names = [[f"{model}-obj", _on_raster(model), f"{model}-obj+cov"] for model in models]
    listed = list(dict.fromkeys(name for row in names for name in row))
    results = evaluate(dataset, listed, "pov", split={"blocks": splitter}, random_state=seed, repeats=1).results
    # rows have the models' own names, in the order that was asked for
    r2 = dict(zip(listed, results.loc[results["metric"] == "r2", "value"], strict=True))
    return np.array([[r2[name] for name in row] for row in names])


def _on_raster(model: str) -> str:
    return f"{model if model in ('forest', 'ridge') else 'ridge'}-cov"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--models", default=MODELS)
    given = parser.parse_args()
    models = given.models.split(",")
    found = np.array([figures_of(seed, models) for seed in range(given.seeds)])
    columns = np.dstack([found, found[..., 2:] - found[..., :1], found[..., 2:] - found[..., 1:2]])
    mean, error = columns.mean(axis=0), columns.std(axis=0, ddof=1) / np.sqrt(given.seeds)
    heads = ["object counts", "raster", "both", "gain over object counts", "gain over the raster"]
    print(f"| SIMULATED, {given.seeds} countrysides | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for row, model in enumerate(models):
        cells = [f"{mean[row, column]:.3f} ± {error[row, column]:.3f}" for column in range(len(heads))]
        print(f"| {model} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
