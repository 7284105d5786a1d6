"""How well district rates predict survey clusters that were hidden, on a real survey of stunted children.

    python -m benchmarks.hidden_rates child_stunting.csv Benin_communes.gpkg --seeds 3

The table has a row for each cluster: `x`, `y`, `indicator` (stunted children) and `samplesize` (children measured). In every
commune with at least four clusters a random half of them is hidden. A model of positions is trained on the others, and
`geolive.predict` gives the direct, the predicted and the composite rate of each commune. All are compared with the rate of the
hidden clusters' children.

As in `hidden_halves.py`, an interval holds where |estimate - hidden| <= z sqrt(mse + variance of the hidden rate). That variance
is binomial times the pooled design effect of the hidden clusters. Root mean squared differences have the hidden rate's own error
in them, so no estimate can be below it for long.
"""

import argparse
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

import geolive as gl
from geolive.estimation.direct import direct_estimates
from geolive.models.interface import Model
from geolive.regions import Region, assign_districts, find_region
from geolive.tables import points

LEVEL, QUANTILE, FEWEST = 0.9, 1.6448536, 4
PARTS = {"direct": "rate_direct", "predicted": "rate_predicted", "composite": "rate"}
MODELS: dict[str, Model] = {"kriging": gl.Kriging(), "neighbours": gl.Neighbours()}


def hide_half(clusters: pd.DataFrame, seed: int) -> pd.Series:
    """Whether each cluster is hidden: half of those of a commune, rounded down, where it has at least four."""
    shuffled = clusters.sample(frac=1, random_state=seed)
    groups = shuffled.groupby("district_id")["samplesize"]
    hidden = (groups.cumcount() < groups.transform("size") // 2) & (groups.transform("size") >= FEWEST)
    return hidden.reindex(clusters.index)


def judge(clusters: gpd.GeoDataFrame, region: Region, model: Model, seed: int) -> pd.DataFrame:
    """One row for each commune with hidden clusters and each of the three values."""
    hidden = hide_half(clusters, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "survey.csv"
        clusters.loc[~hidden, ["x", "y", "indicator", "samplesize"]].to_csv(path, index=False)
        dataset = gl.read_survey(path, "x", "y", {"rate": "indicator/samplesize"})
    drawn = gl.predict(dataset, gl.train(dataset, model, "rate"), region, level=LEVEL, estimator="composite")
    table = drawn.districts.set_index("district_id")
    target = direct_estimates(clusters[hidden], "indicator", denominator="samplesize", variance="pooled")
    own = table.loc[target.index]
    error = {
        "direct": own["rate_direct_error"],
        "predicted": (own["rate_predicted_upper"] - own["rate_predicted_lower"]) / 2 / QUANTILE,
        "composite": drawn.areas["error"].reindex(target.index),
    }
    rows = []
    for part, column in PARTS.items():
        difference = own[column] - target["direct"]
        held = difference.abs() <= QUANTILE * np.sqrt(error[part] ** 2 + target["variance"])
        columns = {"part": part, "squared": difference**2, "error": difference, "held": held.astype(float)}
        rows.append(pd.DataFrame(columns | {"own": target["variance"], "gamma": own["rate_gamma"]}))
    return pd.concat(rows).reset_index()


def main() -> None:
    """Judge draw after draw, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("boundaries", type=Path)
    parser.add_argument("--models", default="kriging,neighbours")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    region = find_region(boundaries=given.boundaries)
    table = pd.read_csv(given.table)
    clusters = gpd.GeoDataFrame(table, geometry=points(table["x"], table["y"]))
    clusters["district_id"] = assign_districts(clusters.geometry, region.districts, reach=0.1).to_numpy()
    for model in given.models.split(","):
        draws = [judge(clusters, region, MODELS[model], seed) for seed in range(given.seeds)]
        # draws of halves share their communes, so the Monte-Carlo error is that of a mean over communes
        numbers = ["squared", "error", "held", "own", "gamma"]
        by_commune = pd.concat(draws).groupby(["part", "district_id"], sort=False)[numbers].mean()
        groups = by_commune.groupby("part", sort=False)
        mean = groups.mean()
        shown = pd.DataFrame(
            {
                "communes": groups.size(),
                "rmse": np.sqrt(mean["squared"]),
                "rmse_of_hidden": np.sqrt(mean["own"]),
                "bias": mean["error"],
                "held": 100 * mean["held"],
                "held_mc": 100 * groups["held"].std(ddof=1) / np.sqrt(groups.size()),
                "gamma": mean["gamma"],
            }
        )
        print(f"\n{model}, {given.seeds} draws")
        print(shown.round(3).to_string())


if __name__ == "__main__":
    main()
