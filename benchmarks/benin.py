"""Child stunting in Benin: a real survey with covariates, people and boundaries, from the table to the map of 77 communes.

    python -m benchmarks.benin FOLDER --seeds 3 --map benin.html

FOLDER holds the example data of the R package mbg: child_stunting.csv, access.tif, evi.tif, temperature.tif,
under_5_population.tif and Benin_communes.gpkg. Figures are means over seeds of ten random folds and of blocks of 100 km, with the
standard deviation over seeds: RMSE of the measured rates, R² against the mean of the training clusters, and the log predictive
density of the counts, summed over clusters. The package reports RMSE 0.1362 and log predictive density -1,238.9 for its
geostatistical model (INLA), and 0.1365 and -1,253.2 for its stacked ensemble, in ten random folds of its own. The last line is
the time and memory of one evaluation and the map.
"""

import argparse
import resource
import time
from pathlib import Path

import pandas as pd

from geolive import Kriging, add_covariates, evaluate, predict, read_survey, train
from geolive.dataset import Dataset
from geolive.splits import BlockSplit, RandomSplit

COVARIATES = ("access", "evi", "temperature")
MODELS = "mean,neighbours,kriging,ridge-cov,forest-cov,kriging-covariates,ridge-cov+kriged"
METRICS = {"rmse": 4, "r2": 3, "log_density": 1}


def survey_of(folder: Path) -> Dataset:
    """Read the survey as rates, with the covariates of the cell that each cluster lies in."""
    values = {"stunted": "indicator/samplesize"}
    dataset = read_survey(folder / "child_stunting.csv", "x", "y", values, id="cluster_id", country="BEN")
    return add_covariates(dataset, rasters_of(folder), buffer_km=0)


def rasters_of(folder: Path) -> dict[str, Path]:
    """Return the covariates' files by name."""
    return {name: folder / f"{name}.tif" for name in COVARIATES}


def figures_of(dataset: Dataset, seed: int, models: str = MODELS) -> pd.DataFrame:
    """Evaluate models on one division into random folds and one into blocks."""
    splits = {
        "ten random folds": RandomSplit(n_splits=10, random_state=seed),
        "blocks of 100 km": BlockSplit(km=100, n_splits=10, random_state=seed),
    }
    results = evaluate(dataset, models, "stunted", split=splits, random_state=seed, repeats=1).results
    return results[results["metric"].isin(list(METRICS))].assign(seed=seed)


def show_figures(figures: pd.DataFrame) -> None:
    """Print a Markdown table for each split: mean ± standard deviation over seeds."""
    for split, part in figures.groupby("split", sort=False):
        print(f"\n{split}\n\n| model | RMSE | R² | log predictive density |\n|---|---|---|---|")
        for model, own in part.groupby("model", sort=False):
            cells = []
            for metric, digits in METRICS.items():
                values = own.loc[own["metric"] == metric, "value"]
                cells.append(f"{values.mean():,.{digits}f} ± {values.std():.{digits}f}")
            print(f"| {model} | {' | '.join(cells)} |")


def main() -> None:
    """Print the figures, and write the map if it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--map", type=Path, help="a file to write the map to, for example benin.html")
    given = parser.parse_args()
    start = time.perf_counter()
    dataset = survey_of(given.folder)
    first = figures_of(dataset, 0, "kriging-covariates")
    trained = train(dataset, Kriging(inputs="covariates"), "stunted")
    communes, people = given.folder / "Benin_communes.gpkg", given.folder / "under_5_population.tif"
    drawn = predict(dataset, trained, boundaries=communes, population=people, rasters=rasters_of(given.folder))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds, cpu, mega = time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    if given.map is not None:
        drawn.to_file(given.map)
    if given.seeds > 0:
        show_figures(pd.concat([figures_of(dataset, seed) for seed in range(given.seeds)]))
    supported = int(drawn.districts["supported"].sum())
    print(
        f"\nkriging-covariates from survey to map of {supported} supported communes of {len(drawn.districts)}, with "
        f"evaluation on {first['split'].nunique()} splits: {seconds:.0f} s, {cpu:.0f} s of CPU, {mega:.0f} MB"
    )


if __name__ == "__main__":
    main()
