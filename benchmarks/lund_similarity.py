"""Are photos taken near each other more alike? Rank correlation of feature distance with position distance.

    python cli.py ingest photos PHOTOS --out /tmp/photos
    python cli.py embed /tmp/photos --model timm:efficientnet_lite0 --name lite0
    python -m benchmarks.lund_similarity /tmp/photos lite0

Over all pairs of a dataset's images that have features: Spearman's correlation of the Euclidean distance of their features
with the distance of their positions.
"""

import sys

import numpy as np

from geolive.dataset import Dataset
from geolive.dataset_folder import read_dataset
from geolive.geodesy import unit_sphere
from geolive.tables import lonlat


def rank_correlation(dataset: Dataset, name: str) -> float:
    """Spearman's correlation over all pairs of images with features."""
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    features = np.asarray(dataset.features[name], float)
    known = np.isfinite(features).all(axis=1)
    apart = pdist(unit_sphere(lonlat(dataset.images.geometry))[known])
    return float(spearmanr(pdist(features[known]), apart).statistic)


def main() -> None:
    """Print the number of images with features, and the correlation."""
    dataset, name = read_dataset(sys.argv[1]), sys.argv[2]
    known = np.isfinite(np.asarray(dataset.features[name], float)).all(axis=1)
    print(f"{dataset.name}, {name}: {known.sum()} finite vectors of {len(known)}")
    print(f"rank correlation of feature distance with position distance: {rank_correlation(dataset, name):.3f}")


if __name__ == "__main__":
    main()
