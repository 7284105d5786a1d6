"""Real wealth: what a covariate, kriging, and both together say of DHS clusters in blocks that were left out.

    python -m benchmarks.census_clusters FILE --seeds 3

FILE has a row for each cluster: `country`, `lat`, `lon`, `urban`, `wealth` and the covariate, the prediction of a satellite
network that never saw the country (replication data of Yeh et al. 2020). Folds are ten groups of blocks of 100 km, without a
buffer. R² compares with the mean of the training clusters, within a country or stratum with the mean of the training clusters
there. The last table is the share of left-out clusters whose measured value lies in the 90 % interval; the interval's width is
learnt from the other folds.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from geolive import Kriging, add_covariates, evaluate, read_survey, train
from geolive.dataset import Dataset
from geolive.splits import BlockSplit
from geolive.uncertainty.conformal import place_error

MODELS = "ridge-cov,kriging,kriging-covariates,ridge-cov+kriged"
NAMES = {
    "clusterwise-ridge-cov": "covariate alone",
    "kriging": "kriging alone",
    "kriging-covariates": "covariate with kriged residuals (external drift)",
    "clusterwise-ridge-cov+kriged": "covariate, then kriging of left-out residuals",
}


def survey_of(path: Path, covariate: str) -> Dataset:
    """Read the clusters, with the covariate from the table itself."""
    dataset = read_survey(path, "lon", "lat", {"wealth": "wealth"}, urban="urban", country="country")
    table = pd.read_csv(path)
    # a table of covariates names clusters by their id
    keyed = dataset.clusters[["unique_cluster"]].assign(**{covariate: table[covariate].to_numpy()})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        keyed.to_csv(file, index=False)
        return add_covariates(dataset, table=file, join="unique_cluster")


def r2_of(dataset: Dataset, seed: int) -> pd.DataFrame:
    """Compute R² of each model (rows) over all clusters, within each country, and within towns and villages."""
    splitter = BlockSplit(km=100, n_splits=10, random_state=seed)
    found = evaluate(dataset, MODELS, "wealth", split={"blocks": splitter}, random_state=seed)
    whole = found.results.query("metric == 'r2'").assign(stratum="all")
    within = found.results.query("metric == 'r2_within_country'").assign(stratum="within countries")
    table = pd.concat([whole, within, found.strata.query("metric == 'r2'")])
    return table.pivot_table(index="model", columns="stratum", values="value", sort=False).loc[list(NAMES)]


def coverage_of(dataset: Dataset, level: float, seed: int) -> pd.Series:
    """Compute the share of left-out clusters whose value lies in their interval: all, and those of each country and stratum."""
    residuals = train(dataset, Kriging(inputs="covariates"), "wealth", random_state=seed).residuals
    error = (residuals["value"] - residuals["prediction"]).abs().to_numpy()
    held = np.zeros(len(residuals), bool)
    for fold in residuals["fold"].unique():
        here = (residuals["fold"] == fold).to_numpy()
        held[here] = error[here] <= place_error(residuals[~here]).half_width(np.ones(here.sum()), level)
    clusters = dataset.clusters.set_index("unique_cluster").loc[residuals["unique_cluster"]]
    parts = {"all": np.ones(len(held), bool)}
    parts |= {country: (clusters["country"] == country).to_numpy() for country in clusters["country"].unique()}
    parts |= {"urban": clusters["urban"].to_numpy(bool), "rural": ~clusters["urban"].to_numpy(bool)}
    return pd.Series({name: held[part].mean() for name, part in parts.items()})


def main() -> None:
    """Print two tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--covariate", default="satellite_prediction")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--level", type=float, default=0.9)
    given = parser.parse_args()
    dataset = survey_of(given.file, given.covariate)
    tables = [r2_of(dataset, seed) for seed in range(given.seeds)]
    mean = sum(tables) / len(tables)
    print(f"R² in blocks of 100 km, mean of {given.seeds} divisions into folds; {len(dataset.clusters):,} clusters\n")
    print(f"| | {' | '.join(mean.columns)} |\n|---{'|---' * len(mean.columns)}|")
    for model, row in mean.iterrows():
        print(f"| {NAMES[model]} | {' | '.join(f'{value:.3f}' for value in row)} |")
    shares = sum(coverage_of(dataset, given.level, seed) for seed in range(given.seeds)) / given.seeds
    print(f"\nShare of measured values in the {given.level:.0%} interval of the external drift\n")
    print(f"| {' | '.join(shares.index)} |\n|{'---|' * len(shares)}")
    print(f"| {' | '.join(f'{share:.3f}' for share in shares)} |")


if __name__ == "__main__":
    main()
