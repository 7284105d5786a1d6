"""What edges between photos are good for: distance edges against random ones, where they should matter and where not.

    python -m benchmarks.graph_use --seeds 5 --out graph_use.csv

R² of pov at a third of the simulated clusters, whole blocks of 100 km left out, by the authors' graph network. In the scenario
`arrangement` the signal is in where telling things stand, in `alike` neighbouring photos share nothing that distant ones do
not. 172 clusters are too few for this network to learn the first, hence more. Every seed is another countryside; differences are
paired. Figures are appended as they come: started again, it goes on.
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.models.graphcnn import GraphCNN
from geolive.simulation.sample import make_sample
from geolive.splits import BlockSplit, fold_numbers

SCENARIOS, EDGES = ("arrangement", "alike"), ("distance", "random")
SETTINGS = {"learning_rate": 3e-3, "epochs": 30}


def r2(scenario: str, seed: int, edges: str, clusters: int) -> float:
    """At the clusters of the blocks left out."""
    dataset = make_sample("bihar", seed, n_clusters=clusters, n_sites=38, scenario=scenario)
    places, values = dataset.cluster_places(dataset.clusters), dataset.clusters["pov"].to_numpy()
    folds = fold_numbers(BlockSplit(km=100.0, n_splits=3, random_state=seed), dataset.clusters)
    learn, test = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    model = GraphCNN(random_state=seed, edges=edges, **SETTINGS).fit(places.take(learn), values[learn])
    error = np.square(values[test] - model.predict(places.take(test))).sum()
    return 1 - error / np.square(values[test] - values[learn].mean()).sum()


def table(figures: pd.DataFrame) -> str:
    """Means ± standard errors over seeds, as Markdown."""

    def mean(values: pd.Series, sign: str = "") -> str:
        return f"{values.mean():{sign}.3f} ± {values.std() / np.sqrt(len(values)):.3f}"

    wide = figures.pivot(index=["scenario", "seed"], columns="edges", values="r2").dropna()
    lines = [f"| scenario | {' | '.join(EDGES)} | difference | seeds |", "|---|---|---|---|---|"]
    for scenario in wide.index.unique(0):
        rows = wide.loc[scenario]
        apart = mean(rows["distance"] - rows["random"], "+")
        lines.append(f"| {scenario} | {' | '.join(mean(rows[edges]) for edges in EDGES)} | {apart} | {len(rows)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is not there yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--clusters", type=int, default=1200)
    parser.add_argument("--out", type=Path, default=Path("graph_use.csv"))
    given = parser.parse_args()
    done = pd.read_csv(given.out) if given.out.exists() else pd.DataFrame(columns=["scenario", "seed", "edges", "r2"])
    finished = set(done[["scenario", "seed", "edges"]].itertuples(index=False, name=None))
    for seed, scenario, edges in itertools.product(range(given.seeds), SCENARIOS, EDGES):
        if (scenario, seed, edges) in finished:
            continue
        row = pd.DataFrame(
            [(scenario, seed, edges, round(r2(scenario, seed, edges, given.clusters), 4))], columns=done.columns
        )
        row.to_csv(given.out, mode="a", header=not given.out.exists(), index=False)
        print(*row.iloc[0], flush=True)
    print(table(pd.read_csv(given.out)))


if __name__ == "__main__":
    main()
