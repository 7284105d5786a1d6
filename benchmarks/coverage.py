"""How often intervals hold the simulated truth, over many simulated countrysides.

    python -m benchmarks.coverage --seeds 100 --out coverage.csv --plot coverage.svg [--model forest]

Every seed is another countryside with its own survey, imagery and truth, made from the parts of the sample (Bihar, 172 surveyed
places, 600 others), with the default model or a forest of 50 trees, judged by leaving whole districts out. Held against the
truth are the three
targets: the survey's value and the place's mean, at 200 fresh places seen in as many photos as the survey's ("like the
survey's") and at the 600 others ("fewer photos"); and the district's mean, with ranks. Places outside the area of
applicability are left out, as in `predict`. The Monte-Carlo error is that of
the mean over countrysides, since errors within one go together. A stopped run goes on where it stopped. All of it is simulated.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone

from geolive.estimation.ranks import rank_sets
from geolive.models.aoa_features import aoa_features, aoa_weights
from geolive.models.clusterwise import Forest
from geolive.models.cross_validation import cross_val_predict
from geolive.models.ensemble import Ensemble
from geolive.models.interface import Model
from geolive.places import Places
from geolive.simulation.countryside import INDICATORS, RECIPES, Countryside, generator
from geolive.simulation.sample import BIHAR_CLUSTERS, BIHAR_SITES, SURVEYED_MEDIAN, UNSURVEYED_MEDIAN
from geolive.simulation.simulated_photos import draw_loadings, draw_photos, draw_sizes
from geolive.splits import DistrictSplit, RandomSplit, fold_numbers
from geolive.uncertainty.applicability import area_of_applicability
from geolive.uncertainty.conformal import interval_score
from geolive.uncertainty.site_intervals import are_near, site_errors

LEVELS = (0.5, 0.8, 0.9, 0.95)
FRESH, TREES, LEAST_SITES = 200, 50, 3


def simulate(land: Countryside, seed: int) -> dict:
    """Surveyed, fresh and other places of a countryside, in that order: photos, districts, truth and survey in units."""
    none = np.zeros(0, int)
    parts, sizes = [], []
    for name, number, median in (
        ("clusters", BIHAR_CLUSTERS, SURVEYED_MEDIAN),
        ("fresh", FRESH, SURVEYED_MEDIAN),
        ("sites", BIHAR_SITES, UNSURVEYED_MEDIAN),
    ):
        least = 1 if name == "clusters" else 0
        parts.append(land.draw_places(land.spread_by_population(number, least, none), generator(seed, name)))
        sizes.append(draw_sizes(number, median, generator(seed, f"sizes {name}")))
    positions, district = (np.concatenate(pair) for pair in zip(*parts, strict=True))
    sizes = np.concatenate(sizes)
    latents = land.latents(positions, district, generator(seed, "local"))
    photos = draw_photos(latents, sizes, draw_loadings(seed), generator(seed, "photos"))
    noise = generator(seed, "survey").standard_normal(latents.shape) * np.sqrt([RECIPES[i].noise for i in INDICATORS])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    ids = np.array([f"place-{i}" for i in range(len(positions))])
    return {
        "places": Places(ids, positions, offsets, positions[photos.place], photos.objects),
        "district": district,
        "truth": land.in_units(latents),
        "survey": land.in_units(latents + noise),
    }


def judge(land: Countryside, seed: int, indicator: str, unfitted: Model) -> pd.DataFrame:
    """Coverage, width and interval score of every target, level and stratum of one countryside."""
    made, column = simulate(land, seed), INDICATORS.index(indicator)
    places, district = made["places"], made["district"]
    truth, survey = made["truth"][:, column], made["survey"][:, column]
    surveyed = np.arange(BIHAR_CLUSTERS)
    values, seen = survey[surveyed], places.take(surveyed)
    folds = fold_numbers(DistrictSplit(random_state=seed), places.positions[surveyed], district[surveyed])
    alone = fold_numbers(RandomSplit(n_splits=10, random_state=seed), places.positions[surveyed])
    strata = {
        "like the survey's": np.arange(BIHAR_CLUSTERS, BIHAR_CLUSTERS + FRESH),
        "fewer photos": np.arange(BIHAR_CLUSTERS + FRESH, len(places)),
    }

    unfitted = unfitted.for_task("regression", seed)
    columns = {
        "value": values,
        "prediction": cross_val_predict(unfitted, seen, values, folds),
        "prediction_near": cross_val_predict(unfitted, seen, values, alone),
        "n_images": seen.n_images,
        "district_id": district[surveyed],
    }
    residuals = pd.DataFrame(columns)
    model = clone(unfitted).fit(seen, values)
    predicted = model.predict(places)
    training = aoa_features(model, seen)
    known_area = area_of_applicability(training, folds, aoa_weights(model, training))
    applicable = known_area.holds(aoa_features(model, places))
    strata = {name: of[applicable[of]] for name, of in strata.items()}
    # at training places the out-of-fold prediction, as in predict
    predicted[surveyed] = residuals["prediction"]
    near = are_near(places.positions, places.positions[surveyed], folds)
    near[surveyed] = False
    errors, noise = site_errors(residuals), RECIPES[indicator].noise * RECIPES[indicator].spread ** 2
    on_map = np.concatenate([surveyed, strata["fewer photos"]])
    site_error = errors.of_districts(places.n_images[on_map], near[on_map])
    true_means = land.district_truth()[indicator].to_numpy()
    rows = []
    for level in LEVELS:
        for stratum, of in strata.items():
            for target, wanted, known in (("survey's value", survey, 0.0), ("place's mean", truth, noise)):
                half = errors.half_width(places.n_images[of], near[of], level, known)
                about = {"target": target, "stratum": stratum, "level": level}
                rows.append(about | held(wanted[of], predicted[of] - half, predicted[of] + half, level))
        about = {"target": "district's mean", "stratum": "districts", "level": level}
        rows += [about | row for row in _districts(site_error, predicted[on_map], district[on_map], true_means, level)]
    return pd.DataFrame(rows).assign(seed=seed, indicator=indicator)


def held(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: float) -> dict:
    """The share of intervals that hold the truth, their mean width and score."""
    return {
        "held": float(((lower <= truth) & (truth <= upper)).mean()),
        "width": float((upper - lower).mean()),
        "score": float(interval_score(truth, lower, upper, level).mean()),
        "n": len(truth),
    }


def _districts(site_error, predicted, district, truth, level) -> list[dict]:
    by_district = pd.Series(predicted).groupby(district)
    mean, n = (found.reindex(range(len(truth))).to_numpy(float) for found in (by_district.mean(), by_district.size()))
    supported = n >= LEAST_SITES
    error = site_error.of_means(predicted, district, np.flatnonzero(supported))
    mean, truth = mean[supported], truth[supported]
    half = error.half_width(level)
    best, worst = rank_sets(mean, error.standard_error, level, freedom=error.freedom)
    rank = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
    ranks = {"target": "district's rank", "held": float(((best <= rank) & (rank <= worst)).mean()), "n": len(rank)}
    return [held(truth, mean - half, mean + half, level), ranks | {"width": float((worst - best).mean())}]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over countrysides in percent, with its Monte-Carlo error."""
    groups = table.groupby(["target", "stratum", "indicator", "level"])
    found = groups.agg(held=("held", "mean"), sd=("held", "std"), seeds=("seed", "nunique"), score=("score", "mean"))
    found["error"] = found["sd"] / np.sqrt(found["seeds"])
    found["off"] = found["held"] - found.index.get_level_values("level")
    return found.drop(columns="sd").reset_index()


def plot(summary: pd.DataFrame, path: Path) -> None:
    """Measured against nominal coverage, a panel a target, a colour an indicator, a dash a stratum."""
    from geolive.map_plots import plain_matplotlib

    targets = list(dict.fromkeys(summary["target"]))
    with plain_matplotlib() as figure_class:
        figure = figure_class(figsize=(3.2 * len(targets), 3.6), layout="constrained")
        for i, target in enumerate(targets):
            axes = figure.add_subplot(1, len(targets), i + 1)
            axes.plot([45, 100], [45, 100], color="#6b7480", lw=0.8)
            for (indicator, stratum), part in summary[summary["target"] == target].groupby(["indicator", "stratum"]):
                colour = dict(zip(INDICATORS, ("#0072b2", "#d55e00", "#009e73"), strict=True))[indicator]
                dash = "--" if "fewer" in stratum else "-"
                bars = {
                    "color": colour,
                    "ls": dash,
                    "marker": "o",
                    "ms": 3,
                    "lw": 1,
                    "label": f"{indicator}, {stratum}",
                }
                axes.errorbar(100 * part["level"], 100 * part["held"], 200 * part["error"], **bars)
            axes.set_title(f"{target} (SIMULATED)", fontsize=9)
            axes.set_xlabel("level of the interval, %")
            axes.set_ylabel("hold the truth, % (± 2 MC errors)")
            axes.legend(fontsize=6, frameon=False)
        figure.savefig(path)


def main() -> None:
    """Judge countryside after countryside, and print coverage beside the nominal one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--indicators", default="pov,pop,bmi")
    parser.add_argument("--region", default="bihar")
    parser.add_argument("--model", choices=["ensemble", "forest"], default="ensemble")
    parser.add_argument("--out", type=Path, default=Path("coverage.csv"))
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    done = pd.read_csv(given.out) if given.out.exists() else pd.DataFrame({"seed": [], "indicator": []})
    model = Forest(n_estimators=TREES) if given.model == "forest" else Ensemble()
    finished = set(zip(done["seed"], done["indicator"], strict=True))
    for indicator in given.indicators.split(","):
        for seed in range(given.seeds):
            if (seed, indicator) in finished:
                continue
            done = pd.concat([done, judge(Countryside(given.region, seed), seed, indicator, model)], ignore_index=True)
            partial = given.out.with_suffix(".partial")
            done.to_csv(partial, index=False)
            partial.replace(given.out)
            print(f"{indicator}, seed {seed} done", flush=True)
    summary = summarise(done[done["seed"] < given.seeds])
    shown = summary.assign(**{c: (100 * summary[c]).round(1) for c in ("level", "held", "error", "off")})
    print(shown.round({"score": 3}).to_string(index=False))
    ranks = summary["target"] == "district's rank"
    print(
        f"farthest from nominal: {summary.loc[~ranks, 'off'].abs().max():.1%} (ranks aside, which may hold more; simulated)"
    )
    if given.plot:
        plot(summary[~ranks], given.plot)


if __name__ == "__main__":
    main()
