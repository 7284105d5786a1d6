"""Object counts, image features, or both: what models make of each on the sample with simulated features.

    python -m benchmarks.inputs --seeds 3

R² of pov out of fold (three folds of 100 km blocks), means over countrysides ± standard errors.
"""

import argparse

import numpy as np

from geolive.models.clusterwise import Forest
from geolive.models.cross_validation import cross_val_predict
from geolive.models.graphcnn import GraphCNN
from geolive.models.stacked import StackedNetwork
from geolive.simulation.sample import make_sample
from geolive.splits import BlockSplit, fold_numbers

MODELS = {"forest": Forest, "gcn": GraphCNN, "stacked": StackedNetwork}
INPUTS = ("objects", "features", "objects,features")


def figures_of(seed: int, models: list[str]) -> np.ndarray:
    """R² of each model (rows) on each of the inputs (columns)."""
    dataset = make_sample("bihar", seed, n_sites=38, with_features=True)
    places, values = dataset.cluster_places(dataset.clusters, "simfeats"), dataset.clusters["pov"].to_numpy()
    folds = fold_numbers(BlockSplit(km=100, n_splits=3, random_state=seed), dataset.clusters)
    means = np.array([values[folds != fold].mean() for fold in range(3)])[folds]
    found = np.empty((len(models), len(INPUTS)))
    for row, name in enumerate(models):
        for column, kind in enumerate(INPUTS):
            predicted = cross_val_predict(MODELS[name](inputs=kind, random_state=seed), places, values, folds)
            found[row, column] = 1 - ((values - predicted) ** 2).sum() / ((values - means) ** 2).sum()
    return found


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", default=",".join(MODELS))
    given = parser.parse_args()
    models = given.models.split(",")
    found = np.array([figures_of(seed, models) for seed in range(given.seeds)])
    mean, error = found.mean(0), found.std(0, ddof=1) / np.sqrt(given.seeds)
    print(f"| | {' | '.join(INPUTS)} |\n|---|---|---|---|")
    for row, name in enumerate(models):
        cells = [f"{mean[row, column]:.3f} ± {error[row, column]:.3f}" for column in range(len(INPUTS))]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
