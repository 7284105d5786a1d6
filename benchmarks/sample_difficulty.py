"""How hard the simulated sample is, beside the published table (Lee et al. 2021, India, R²).

    python -m benchmarks.sample_difficulty --seeds 10

Random 5-fold cross-validation at the 172 surveyed clusters: the average of 5 neighbours, and a forest of 100 trees on object
counts. The ceiling is a forest that sees 100 times as many clusters of the same countryside.
"""

import argparse

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from geolive.evaluation.evaluate import evaluate
from geolive.models.baselines import Neighbours
from geolive.models.clusterwise import Forest
from geolive.simulation.countryside import INDICATORS, RECIPES, Countryside, generator
from geolive.simulation.sample import SURVEYED_MEDIAN, make_sample
from geolive.simulation.simulated_photos import draw_loadings, draw_photos, draw_sizes
from geolive.splits import RandomSplit

PUBLISHED = {"pov": (0.16, 0.52), "pop": (0.66, 0.81), "bmi": (0.25, 0.54)}


def scores_of(seed: int) -> dict[str, tuple[float, float]]:
    """R² of neighbours and forest for each indicator, random 5-fold."""
    dataset = make_sample("bihar", seed)
    models = {"neighbours": Neighbours(n_neighbors=5), "forest": Forest()}
    split = RandomSplit(random_state=seed)
    results = evaluate(dataset, models, INDICATORS, split=split, random_state=seed).results
    r2 = results[results["metric"] == "r2"].set_index("indicator")["value"]
    return {name: tuple(r2[name]) for name in INDICATORS}


def ceiling_of(seed: int, times: int, chunks: int = 20) -> dict[str, float]:
    """R² at the surveyed clusters of a forest that learnt from `times` as many others."""
    dataset, land = make_sample("bihar", seed), Countryside("bihar", seed)
    noise = np.sqrt([RECIPES[name].noise for name in INDICATORS])
    inputs, values = [], []
    for chunk in range(chunks):
        rng = generator(seed, f"ceiling {chunk}")
        n = land.spread_by_population(len(dataset.clusters) * times // chunks, 1, np.array([], int))
        latents = land.latents(*land.draw_places(n, rng), rng)
        sizes = draw_sizes(len(latents), SURVEYED_MEDIAN, rng)
        photos = draw_photos(latents, sizes, draw_loadings(seed), rng)
        sums = np.add.reduceat(photos.objects, np.cumsum(sizes) - sizes, axis=0, dtype=float)
        inputs.append(np.column_stack([sums, sizes]))
        values.append(land.in_units(latents + rng.standard_normal(latents.shape) * noise))
    learn, target = np.concatenate(inputs), np.concatenate(values)
    test = dataset.cluster_places(dataset.clusters).counts()
    found = {}
    for i, name in enumerate(INDICATORS):
        forest = RandomForestRegressor(100, random_state=seed, n_jobs=-1, max_features=0.5).fit(learn, target[:, i])
        measured = dataset.clusters[name].to_numpy()
        found[name] = 1 - np.mean((measured - forest.predict(test)) ** 2) / np.mean(
            (measured - target[:, i].mean()) ** 2
        )
    return found


def main() -> None:
    """Print a line for each seed, then means beside the published figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--ceiling-seeds", type=int, default=1)
    parser.add_argument("--times", type=int, default=100)
    given = parser.parse_args()
    found = []
    for seed in range(given.seeds):
        found.append(scores_of(seed))
        print(seed, {name: [round(figure, 3) for figure in pair] for name, pair in found[-1].items()}, flush=True)
    ceilings = [ceiling_of(seed, given.times) for seed in range(given.ceiling_seeds)]
    print("indicator: neighbours (published), forest (published), ceiling; R², SIMULATED")
    for name in INDICATORS:
        near, forest = np.mean([row[name] for row in found], axis=0)
        ceiling = np.mean([row[name] for row in ceilings]) if ceilings else float("nan")
        print(f"{name}: {near:.2f} ({PUBLISHED[name][0]}), {forest:.2f} ({PUBLISHED[name][1]}), {ceiling:.2f}")


if __name__ == "__main__":
    main()
