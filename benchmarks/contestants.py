"""Which model does best, in scenarios that differ in where the signal sits: the forest, the ensemble, networks and others.

    python -m benchmarks.contestants --seeds 10 --out contestants.csv
    python -m benchmarks.contestants --seeds 10 --out contestants.csv --table

Every seed is another simulated countryside of 172 clusters; every figure is the R² of an indicator (--indicator, by default
pov) at a third of them, whole blocks of 100 km left out, with the training clusters' mean as 0. Within the training clusters the
forest and the networks choose between two settings by two further spatial folds; the others, among them the ensemble and the
stacked network, which set weights by inner folds of their own, have one. `kriged` adds ordinary kriging
of the residuals of those inner folds. Figures are appended as they come: started again, it goes on.
"""

import argparse
import itertools
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

from geolive.models.attention import AttentionPooling, MeanPooling
from geolive.models.boosting import Boosting
from geolive.models.count_models import CountModel, RidgeCounts
from geolive.models.cross_validation import cross_val_predict
from geolive.models.ensemble import Ensemble
from geolive.models.graphcnn import GraphCNN
from geolive.models.inner_folds import inner_folds
from geolive.models.interface import Model
from geolive.models.kriging import Kriging
from geolive.models.stacked import StackedNetwork
from geolive.places import Places
from geolive.simulation.sample import make_sample
from geolive.simulation.scenarios import SCENARIOS
from geolive.splits import BlockSplit, fold_numbers

OUTER, INNER, BLOCK_KM = 3, 2, 100.0
COLUMNS = ["scenario", "seed", "contestant", "kriged", "r2", "cpu_seconds"]
GCN = {"epochs": 20}


def settings_of(contestant: str, seed: int) -> list[Model]:
    """The settings that a contestant chooses from."""
    rates = (1e-3, 3e-3)
    if contestant.startswith("gcn-"):
        edges = contestant.removeprefix("gcn-")
        return [GraphCNN(random_state=seed, edges=edges, learning_rate=rate, **GCN) for rate in rates]
    return {
        "forest": [
            CountModel(RandomForestRegressor(100, max_features=share, random_state=seed)) for share in (1.0, 1 / 3)
        ],
        "mean": [MeanPooling(random_state=seed, learning_rate=rate) for rate in rates],
        "attention": [AttentionPooling(random_state=seed, learning_rate=rate) for rate in rates],
        "ridge": [RidgeCounts(random_state=seed)],
        "boosting": [Boosting(random_state=seed)],
        "ensemble": [Ensemble(random_state=seed)],
        "stacked": [StackedNetwork(random_state=seed)],
    }[contestant]


def predict(
    contestant: str, places: Places, values: np.ndarray, learn, test, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of the test rows by the setting that does best within the training rows; without and with kriging."""
    known, y = places.take(learn), values[learn]
    settings = settings_of(contestant, seed)
    if contestant in ("ensemble", "stacked"):
        model = settings[0].fit(known, y)
        left_out = model.left_out_.reshape(len(y), -1)[:, 0]
    else:
        folds = inner_folds(known.positions, INNER, seed)
        tried = [cross_val_predict(model, known, y, folds) for model in settings]
        best = int(np.argmin([np.sum((y - found) ** 2) for found in tried]))
        model, left_out = settings[best].fit(known, y), tried[best]
    plain = model.predict(places.take(test))
    return plain, plain + Kriging(random_state=seed).fit(known, y - left_out).predict(places.take(test))


@lru_cache(maxsize=1)
def survey_of(scenario: str, seed: int, indicator: str) -> tuple[Places, np.ndarray, np.ndarray]:
    """Places, values and outer folds."""
    dataset = make_sample("bihar", seed, n_sites=38, scenario=scenario)
    places, values = dataset.cluster_places(dataset.clusters), dataset.clusters[indicator].to_numpy()
    return places, values, fold_numbers(BlockSplit(km=BLOCK_KM, n_splits=OUTER, random_state=seed), dataset.clusters)


def figures_of(scenario: str, seed: int, contestant: str, indicator: str) -> list[dict]:
    """R² without and with kriging."""
    start = time.process_time()
    places, values, folds = survey_of(scenario, seed, indicator)
    learn, test = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    found = np.array(predict(contestant, places, values, learn, test, seed))
    r2 = 1 - ((values[test] - found) ** 2).sum(1) / ((values[test] - values[learn].mean()) ** 2).sum()
    took = time.process_time() - start
    return [
        dict(
            zip(COLUMNS, (scenario, seed, contestant, kriged, round(float(r2[kriged]), 4), round(took, 1)), strict=True)
        )
        for kriged in (0, 1)
    ]


def run(scenarios: list[str], contestants: list[str], seeds: range, out: Path, indicator: str) -> None:
    """Append what is not there yet, seed by seed."""
    done = set()
    if out.exists():
        done = {tuple(row) for row in pd.read_csv(out)[["scenario", "seed", "contestant"]].itertuples(index=False)}
    for seed, scenario, contestant in itertools.product(seeds, scenarios, contestants):
        if (scenario, seed, contestant) in done:
            continue
        rows = pd.DataFrame(figures_of(scenario, seed, contestant, indicator))
        rows.to_csv(out, mode="a", header=not out.exists(), index=False)
        print(scenario, seed, contestant, rows["r2"].tolist(), f"{rows['cpu_seconds'][0]} s", flush=True)


def tables(path: Path, ours: str = "ensemble") -> str:
    """Means ± standard errors over seeds, and paired differences from the best other, as Markdown."""
    figures = pd.read_csv(path)
    lines = []
    for kriged in (0, 1):
        wide = figures[figures["kriged"] == kriged].pivot(index=["scenario", "seed"], columns="contestant", values="r2")
        others = [
            name
            for name in ("forest", "ridge", "boosting", "gcn-distance", "mean", "stacked")
            if name in wide and name != ours
        ]
        names = [*others, *(name for name in wide if name not in (*others, ours)), ours]
        lines += [
            f"kriged residuals: {'yes' if kriged else 'no'}",
            "",
            f"| scenario | {' | '.join(names)} | against the best other |",
        ]
        lines.append("|---" * (len(names) + 2) + "|")
        for scenario in [scenario for scenario in SCENARIOS if scenario in wide.index.get_level_values(0)]:
            rows = wide.loc[scenario]
            best = rows[others].mean().idxmax()
            cells = [_mean(rows[name].dropna()) for name in names]
            lines.append(
                f"| {scenario} | {' | '.join(cells)} | {_mean((rows[ours] - rows[best]).dropna(), '+')} ({best}) |"
            )
        lines.append("")
        if "gcn-random" in wide:
            apart = (wide["gcn-distance"] - wide["gcn-random"]).dropna()
            lines += [
                f"distance less random edges, {scenario}: {_mean(apart.loc[scenario], '+')}"
                for scenario in apart.index.unique(0)
            ]
            lines.append("")
    return "\n".join(lines)


def _mean(values: pd.Series, sign: str = "") -> str:
    error = values.std() / np.sqrt(len(values))
    return f"{values.mean():{sign}.3f} ± {error:.3f}" if len(values) else "–"


def main() -> None:
    """Run the comparison, or print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument("--contestants", default="forest,ensemble,stacked,mean,gcn-distance")
    parser.add_argument("--out", type=Path, default=Path("contestants.csv"))
    parser.add_argument("--indicator", default="pov", help="each indicator needs a file of its own")
    parser.add_argument(
        "--ours", default="ensemble", help="the contestant whose difference from the best other is shown"
    )
    parser.add_argument("--table", action="store_true", help="print the tables of what is there")
    given = parser.parse_args()
    if given.table:
        print(tables(given.out, given.ours))
        return
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    run(given.scenarios.split(","), given.contestants.split(","), seeds, given.out, given.indicator)


if __name__ == "__main__":
    main()
