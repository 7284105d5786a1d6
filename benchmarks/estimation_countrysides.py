"""Which estimator of district means is best, by how many clusters the survey has there, on simulated countrysides.

    python -m benchmarks.estimation_countrysides --seeds 10 --indicators pov,pop,bmi --out estimation.csv

Every seed is another countryside (Bihar, 172 surveyed clusters in 38 districts, 600 other sites) with its own survey and photos,
and a forest of 50 trees that leaves whole districts out. Compared with the true means of the districts are:

    direct            mean of the surveyed clusters
    predicted         mean of predictions over the district's sites, by the forest that was fitted to all clusters
    predicted-crossfit  the same by the forest that was fitted without the district
    fh, fh-plain      Fay-Herriot (adjusted likelihood) on direct and predicted-crossfit, or predicted
    fh-others         Fay-Herriot on direct and the mean of cross-fitted predictions over the sites that are not clusters
    ne                nested-error model (adjusted likelihood) on the clusters' cross-fitted predictions, with predicted-crossfit
    ne-matched        ne where clusters are seen in as few photos as other sites are, so that both predictions are alike
    composite         CompositeEstimator on the cross-fitted predictions at the other sites
    composite-within  the same with the clusters' predictions from as few photos as at other sites
    composite-plain   composite on predictions by the forest that was fitted to all clusters

Printed are, for each class of districts by number of clusters: the mean squared error over that of the direct estimate, the bias
over the root of the direct estimate's mean squared error, and how often 90 % intervals hold the truth, each with its Monte-Carlo
error over countrysides. A stopped run goes on where it stopped. All of it is simulated.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.estimation.composite import CompositeEstimator
from geolive.estimation.direct import direct_estimates
from geolive.estimation.fay_herriot import FayHerriot
from geolive.estimation.nested_error import NestedError
from geolive.files import replacing
from geolive.models.clusterwise import Forest
from geolive.models.cross_validation import cross_val_predict
from geolive.places import Places
from geolive.simulation.countryside import INDICATORS, RECIPES, Countryside, generator
from geolive.simulation.sample import BIHAR_CLUSTERS, BIHAR_SITES, SURVEYED_MEDIAN, UNSURVEYED_MEDIAN
from geolive.simulation.simulated_photos import draw_loadings, draw_photos, draw_sizes
from geolive.splits import DistrictSplit, RandomSplit, fold_numbers
from geolive.uncertainty.site_intervals import are_near, site_errors

LEVEL, TREES = 0.9, 50
CLASSES = [0, 2, 4, 6, 100]
CLASS_NAMES = ["1-2 clusters", "3-4", "5-6", "7 and more"]


def simulate(land: Countryside, seed: int) -> dict:
    """Surveyed clusters and other sites of a countryside, in that order: photos, districts and the survey's values."""
    none = np.zeros(0, int)
    parts, sizes = [], []
    for name, number, median in (
        ("clusters", BIHAR_CLUSTERS, SURVEYED_MEDIAN),
        ("sites", BIHAR_SITES, UNSURVEYED_MEDIAN),
    ):
        spread = land.spread_by_population(number, 1, none)
        parts.append(land.draw_places(spread, generator(seed, name)))
        sizes.append(draw_sizes(number, median, generator(seed, f"sizes {name}")))
    positions, district = (np.concatenate(pair) for pair in zip(*parts, strict=True))
    latents = land.latents(positions, district, generator(seed, "local"))
    sizes = np.concatenate(sizes)
    photos = draw_photos(latents, sizes, draw_loadings(seed), generator(seed, "photos"))
    noise = generator(seed, "survey").standard_normal(latents.shape) * np.sqrt([RECIPES[i].noise for i in INDICATORS])
    ids = np.array([f"place-{i}" for i in range(len(positions))])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return {
        "places": Places(ids, positions, offsets, positions[photos.place], photos.objects),
        "district": district,
        "survey": land.in_units(latents + noise)[:BIHAR_CLUSTERS],
    }


def predictions(
    make: Callable[[], Forest], places: Places, district: np.ndarray, values: np.ndarray, seed: int
) -> dict:
    """Predictions at all places, by the forest of all clusters and by the one without the place's district."""
    n = len(values)
    seen = places.take(np.arange(n))
    folds = fold_numbers(DistrictSplit(random_state=seed), places.positions[:n], district[:n])
    crossfit, from_few, few = np.full(len(places), np.nan), np.full(n, np.nan), _as_few_photos(places, n, seed)
    for fold in np.unique(folds):
        there = np.flatnonzero(np.isin(district, district[:n][folds == fold]))
        learn, left_out = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        model = make().fit(places.take(learn), values[learn])
        crossfit[there] = model.predict(places.take(there))
        from_few[left_out] = model.predict(few.take(left_out))
    matched = np.concatenate([from_few, crossfit[n:]])
    plain = make().fit(seen, values).predict(places)
    plain[:n] = crossfit[:n]
    alone = fold_numbers(RandomSplit(n_splits=10, random_state=seed), places.positions[:n])
    columns = {
        "value": values,
        "prediction": crossfit[:n],
        "prediction_near": cross_val_predict(make(), seen, values, alone),
        "n_images": seen.n_images,
        "district_id": district[:n],
    }
    near = are_near(places.positions, places.positions[:n], folds)
    near[:n] = False
    errors = site_errors(pd.DataFrame(columns)).of_districts(places.n_images, near)
    return {"plain": plain, "crossfit": crossfit, "matched": matched, "errors": errors}


def _as_few_photos(places: Places, n: int, seed: int) -> Places:
    """The first n places, each with as many photos as one of the others, drawn at random."""
    rng = generator(seed, "as few photos")
    sizes = rng.choice(places.n_images[n:], n)
    seen = places.take(np.arange(n))
    number = np.arange(int(seen.n_images.sum())) - np.repeat(seen.offsets[:-1], seen.n_images)
    return seen.keep_images(np.flatnonzero(number < np.repeat(sizes, seen.n_images)))


def estimate(district: np.ndarray, values: np.ndarray, made: dict) -> dict[str, pd.DataFrame]:
    """Estimate, lower and upper of each district by each estimator."""
    n, ids = len(values), np.unique(district)
    clusters = pd.DataFrame({"district_id": district[:n], "y": values})
    direct = direct_estimates(clusters, "y", variance="pooled")
    means = {name: _site_means(made[name], district) for name in ("plain", "crossfit", "matched")}
    half = made["errors"].of_means(made["plain"], district, ids).half_width(LEVEL)
    plain = means["plain"]["predicted"]
    found = {
        "direct": _normal(direct["direct"], direct["variance"]),
        "predicted": pd.DataFrame({"estimate": plain, "lower": plain - half, "upper": plain + half}),
        "predicted-crossfit": means["crossfit"][["predicted"]].rename(columns={"predicted": "estimate"}),
    }
    means["others"] = _site_means(made["crossfit"][n:], district[n:])
    for name, kind in (("fh", "crossfit"), ("fh-plain", "plain"), ("fh-others", "others")):
        covariates = means[kind][["predicted"]]
        model = FayHerriot("ampl", level=LEVEL).fit(covariates, direct["direct"], direct["variance"])
        found[name] = model.predict(covariates, direct["direct"], direct["variance"])
    for name, kind in (("ne", "crossfit"), ("ne-matched", "matched")):
        units = pd.DataFrame({"predicted": made[kind][:n]})
        model = NestedError("amrl", level=LEVEL).fit(units, values, district[:n])
        error = means[kind][["variance"]].rename(columns={"variance": "predicted"})
        found[name] = model.predict(means[kind][["predicted"]], error)
    for name, kind in (("composite", "crossfit"), ("composite-within", "matched"), ("composite-plain", "plain")):
        own = made[kind][:n] if kind == "matched" else None
        model = CompositeEstimator(level=LEVEL)
        model.fit(values, district[:n], made[kind][n:], district[n:], predictions=own)
        found[name] = model.predict(ids)
    return found


def _site_means(predicted: np.ndarray, district: np.ndarray) -> pd.DataFrame:
    """Mean of the predictions over each district's sites, and its variance from the pooled one between sites."""
    groups = pd.Series(predicted).groupby(district)
    n = groups.size()
    pooled = (groups.var(ddof=1).fillna(0) * (n - 1)).sum() / (n - 1).sum()
    return pd.DataFrame({"predicted": groups.mean(), "variance": pooled / n})


def _normal(value: pd.Series, variance: pd.Series) -> pd.DataFrame:
    half = 1.6449 * np.sqrt(variance)
    return pd.DataFrame({"estimate": value, "lower": value - half, "upper": value + half})


def judge(seed: int, indicator: str, region: str) -> pd.DataFrame:
    """One row for each district and estimator of a countryside."""
    land = Countryside(region, seed)
    made, column = simulate(land, seed), INDICATORS.index(indicator)
    values, district = made["survey"][:, column], made["district"]
    predicted = predictions(
        lambda: Forest(random_state=seed, n_estimators=TREES), made["places"], district, values, seed
    )
    truth = land.district_truth()[indicator].to_numpy()
    n_clusters = np.bincount(district[: len(values)], minlength=len(truth))
    tables = []
    for name, table in estimate(district, values, predicted).items():
        table = table.reindex(columns=["estimate", "lower", "upper", "gamma"])
        ids = table.index.to_numpy(int)
        about = {"seed": seed, "indicator": indicator, "estimator": name, "district": ids, "truth": truth[ids]}
        tables.append(table.assign(**about, n_clusters=n_clusters[ids]))
    return pd.concat(tables, ignore_index=True)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Relative mean squared error, bias and coverage by class of districts, with Monte-Carlo errors over seeds."""
    table = table.assign(
        districts=pd.cut(table["n_clusters"], CLASSES, labels=CLASS_NAMES).astype(str),
        squared=(table["estimate"] - table["truth"]) ** 2,
        error=table["estimate"] - table["truth"],
        held=((table["lower"] <= table["truth"]) & (table["truth"] <= table["upper"])).where(table["lower"].notna()),
    )
    table["held"] = table["held"].astype(float)
    whole = table.assign(districts="all")
    keys = ["indicator", "districts", "estimator", "seed"]
    by_seed = pd.concat([table, whole]).groupby(keys, sort=False)[["squared", "error", "held"]].mean()
    rows = []
    for (indicator, districts), part in by_seed.groupby(["indicator", "districts"], sort=False):
        part = part.droplevel(["indicator", "districts"])
        direct = part.loc["direct", "squared"]
        for name in part.index.get_level_values("estimator").unique():
            own = part.loc[name]
            ratio = own["squared"].mean() / direct.mean()
            # the ratio of two means over the same seeds, linearised
            spread = (own["squared"] - ratio * direct).std(ddof=1) / direct.mean()
            root = np.sqrt(len(own))
            rows.append(
                {
                    "indicator": indicator,
                    "districts": districts,
                    "estimator": name,
                    "mse_ratio": ratio,
                    "mse_ratio_mc": spread / root,
                    "bias": own["error"].mean() / np.sqrt(direct.mean()),
                    "held": own["held"].mean(),
                    "held_mc": own["held"].std(ddof=1) / root,
                    "seeds": len(own),
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    """Judge countryside after countryside, and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--indicators", default="pov,pop,bmi")
    parser.add_argument("--region", default="bihar")
    parser.add_argument("--out", type=Path, default=Path("estimation.csv"))
    given = parser.parse_args()
    done = pd.read_csv(given.out) if given.out.exists() else pd.DataFrame({"seed": [], "indicator": []})
    finished = set(zip(done["seed"], done["indicator"], strict=True))
    for seed in range(given.seeds):
        for indicator in given.indicators.split(","):
            if (seed, indicator) in finished:
                continue
            done = pd.concat([done, judge(seed, indicator, given.region)], ignore_index=True)
            with replacing(given.out) as temporary:
                done.to_csv(temporary, index=False)
            print(f"{indicator}, seed {seed} done", flush=True)
    shown = summarise(done[done["seed"] < given.seeds])
    pd.set_option("display.width", 160)
    for indicator, part in shown.groupby("indicator", sort=False):
        print(f"\n{indicator} (SIMULATED)")
        print(part.drop(columns="indicator").round(3).to_string(index=False))


if __name__ == "__main__":
    main()
