"""How well district estimates predict survey places that were hidden, on a real survey.

    python -m benchmarks.hidden_halves ../shared/data/lsms_clusters.csv --value asset_index --out halves.csv

The table has a row for each visit of a surveyed place: `country`, `lon`, `lat` and the measured value. Equal-area hexagons are
the districts. In every hexagon with at least four places, a random half of the places is hidden. A model of positions (kriging,
or the mean of neighbours) is trained on the others, and `geolive.predict` gives the direct, the predicted and the composite value
of each hexagon. All are compared with the mean of the hidden places.

An interval of a district's mean is not one of the mean of a few hidden places. So an interval is judged by whether it holds the
hidden mean once the hidden mean's own sampling variance is added: |estimate - hidden| <= z sqrt(mse + variance of the hidden
mean), where that variance is the pooled variance between places of a hexagon over the number of hidden places.

Printed are, for each model, width and country: the number of hexagons, the root mean squared difference (which has the hidden
mean's own error in it), the bias, the share of 90 % intervals that hold, with its Monte-Carlo error (draws of halves share their
hexagons, so the error is that of a mean over hexagons), and the mean weight of the survey. A stopped run goes on where it
stopped.
"""

import argparse
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

import geolive as gl
from geolive.estimation.direct import direct_estimates
from geolive.files import replacing
from geolive.hexagons import hexagon_region
from geolive.models.interface import Model
from geolive.regions import Region, assign_districts
from geolive.tables import points

LEVEL, QUANTILE = 0.9, 1.6448536
FEWEST_PLACES = 4
PARTS = ("direct", "predicted", "composite")
MODELS: dict[str, Model] = {"kriging": gl.Kriging(), "neighbours": gl.Neighbours()}
KEYS = ["model", "width_km", "seed", "country"]


def read_visits(path: Path, value: str) -> pd.DataFrame:
    """One visit a row: country, lon, lat, value, and `place`, the number of its coordinates."""
    table = pd.read_csv(path)[["country", "lon", "lat", value]].rename(columns={value: "value"})
    return table.assign(place=table.groupby(["country", "lon", "lat"]).ngroup())


def mean_places(visits: pd.DataFrame, region: Region) -> gpd.GeoDataFrame:
    """One place a row, with the mean of its visits and its hexagon."""
    found = visits.groupby("place", as_index=False)[["lon", "lat", "value"]].mean()
    table = gpd.GeoDataFrame(found, geometry=points(found["lon"], found["lat"]))
    return table.assign(district_id=assign_districts(table.geometry, region.districts).to_numpy())


def hide_half(places: pd.DataFrame, seed: int) -> pd.Series:
    """Whether each place is hidden: half of those of a hexagon, rounded down, where it has at least four."""
    shuffled = places.sample(frac=1, random_state=seed)
    groups = shuffled.groupby("district_id")["value"]
    hidden = (groups.cumcount() < groups.transform("size") // 2) & (groups.transform("size") >= FEWEST_PLACES)
    return hidden.reindex(places.index)


def predict_seen(visits: pd.DataFrame, region: Region, model: Model) -> gpd.GeoDataFrame:
    """The districts of the map that a survey of these visits gives."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "survey.csv"
        visits[["lon", "lat", "value"]].to_csv(path, index=False)
        dataset = gl.read_survey(path, "lon", "lat", {"value": "value"})
    drawn = gl.predict(dataset, gl.train(dataset, model, "value"), region, level=LEVEL, estimator="composite")
    return drawn.districts.set_index("district_id")


def judge(visits: pd.DataFrame, region: Region, model: Model, seed: int) -> pd.DataFrame:
    """One row for each hexagon with hidden places and each of the three values."""
    places = mean_places(visits, region)
    hidden = hide_half(places, seed)
    seen = visits[visits["place"].isin(places.loc[~hidden, "place"])]
    table = predict_seen(seen, region, model)
    target = direct_estimates(places[hidden], "value", variance="pooled")
    own = table.loc[target.index]
    half = {
        "direct": QUANTILE * own["value_direct_error"],
        "predicted": (own["value_predicted_upper"] - own["value_predicted_lower"]) / 2,
        "composite": (own["value_upper"] - own["value_lower"]) / 2,
    }
    names = {"direct": "value_direct", "predicted": "value_predicted", "composite": "value"}
    rows = [
        pd.DataFrame(
            {
                "part": part,
                "estimate": own[names[part]],
                "mse": (half[part] / QUANTILE) ** 2,
                "gamma": own["value_gamma"],
                "hidden": target["direct"],
                "hidden_variance": target["variance"],
                "n_hidden": target["n_places"],
            }
        )
        for part in PARTS
    ]
    return pd.concat(rows).reset_index()


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Root mean squared difference, bias and coverage by model, width, country and part."""
    error = table["estimate"] - table["hidden"]
    held = error.abs() <= QUANTILE * np.sqrt(table["mse"] + table["hidden_variance"])
    table = table.assign(error=error, squared=error**2, held=held.astype(float))
    table = pd.concat([table, table.assign(country="all")])
    by_unit = table.groupby([*KEYS[:2], "country", "part", "district_id"], sort=False)[
        ["error", "squared", "held", "gamma", "hidden_variance"]
    ].mean()
    groups = by_unit.groupby([*KEYS[:2], "country", "part"], sort=False)
    mean = groups.mean()
    return pd.DataFrame(
        {
            "hexagons": groups.size(),
            "rmse": np.sqrt(mean["squared"]),
            "rmse_of_hidden": np.sqrt(mean["hidden_variance"]),
            "bias": mean["error"],
            "held": 100 * mean["held"],
            "held_mc": 100 * groups["held"].std(ddof=1) / np.sqrt(groups.size()),
            "gamma": mean["gamma"],
        }
    ).reset_index()


def main() -> None:
    """Judge country after country, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--value", default="asset_index")
    parser.add_argument("--models", default="kriging,neighbours")
    parser.add_argument("--widths", default="100,60", help="widths of the hexagons in kilometres")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("halves.csv"))
    given = parser.parse_args()
    visits = read_visits(given.table, given.value)
    done = pd.read_csv(given.out) if given.out.exists() else pd.DataFrame(columns=KEYS)
    finished = set(done[KEYS].itertuples(index=False, name=None))
    for seed in range(given.seeds):
        for model in given.models.split(","):
            for width in map(float, given.widths.split(",")):
                for country, own in visits.groupby("country"):
                    if (model, width, seed, country) in finished:
                        continue
                    region = hexagon_region(points(own["lon"], own["lat"]), width)
                    about = {"model": model, "width_km": width, "seed": seed, "country": country}
                    done = pd.concat([done, judge(own, region, MODELS[model], seed).assign(**about)], ignore_index=True)
                    with replacing(given.out) as temporary:
                        done.to_csv(temporary, index=False)
        print(f"seed {seed} done", flush=True)
    pd.set_option("display.width", 160)
    print(summarise(done[done["seed"] < given.seeds]).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
