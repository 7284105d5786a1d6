"""Area-level estimates of districts against the population census: squared correlations within countries.

    python -m benchmarks.census_areas ../shared/data/census/areas.csv --clusters ../shared/data/census/clusters.csv

The table has a row a district: `country`, `area`, `census` (mean asset index of the census households, taken as truth),
`direct` (mean of the survey's clusters), `n_clusters`, and `synthetic` (mean prediction of a network on satellite
images, fitted in other countries). The census is used to judge alone. One Fay-Herriot model is fitted in each country,
to the districts with direct and synthetic values, in three ways:

- given variances: 0.156 / n_clusters, with the variance of clusters within districts pooled over all countries;
- scaled variances: the same, times the country's variance of all clusters over the mean of these (from the table of clusters,
  which has `country` and `wealth`): a wealth index varies within districts where it varies at all;
- sample sizes: variances in proportion to 1 / n_clusters, with their factor estimated in each country.
"""

import argparse

import numpy as np
import pandas as pd

from geolive.estimation.area_table import estimate_areas

POOLED_VARIANCE = 0.156  # of clusters within districts, over all countries of the source


def squared_correlations(
    table: pd.DataFrame, method: str, variances: str, scale: pd.Series | None = None
) -> pd.DataFrame:
    """A row for each country: squared correlations with the census of direct, synthetic and composite."""
    within = pd.Series(POOLED_VARIANCE, index=table["country"].unique())
    if variances == "scaled" and scale is not None:
        within = within * scale.reindex(within.index.str.lower()).to_numpy()
    table = table.assign(
        id=table["country"] + " " + table["area"].astype(str),
        variance=table["country"].map(within) / table["n_clusters"],
    )
    how = {"sample_size": "n_clusters"} if variances == "sample sizes" else {"variance": "variance"}
    result = estimate_areas(
        table, direct="direct", covariates=["synthetic"], area="id", group="country", method=method, **how
    )
    table = table.assign(composite=result.table["estimate"].to_numpy(), gamma=result.table["gamma"].to_numpy())
    rows = []
    for country, part in table.dropna(subset=["census"]).groupby("country"):
        model = result.models[country]
        r2 = {name: np.corrcoef(part[name], part["census"])[0, 1] ** 2 for name in ("direct", "synthetic", "composite")}
        best = "yes" if r2["composite"] > max(r2["direct"], r2["synthetic"]) else "no"
        own = model.variance_factor_ if variances == "sample sizes" else within[country]
        extra = {"above both": best, "sigma2_u": model.sigma2_u_, "within": own, "mean gamma": part["gamma"].mean()}
        rows.append(
            {"country": country, "districts": len(part), **r2, **extra, "p (variances)": model.dispersion_p_value_}
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("areas", help="areas.csv")
    parser.add_argument("--clusters", help="clusters.csv, for the scaled variances")
    parser.add_argument("--methods", default="ampl", help="joined by commas")
    arguments = parser.parse_args()
    table = pd.read_csv(arguments.areas).dropna(subset=["direct", "synthetic"])
    scale = None
    if arguments.clusters:
        spread = pd.read_csv(arguments.clusters).groupby("country")["wealth"].var()
        scale = spread / spread.mean()
    for method in arguments.methods.split(","):
        for variances in ("given", "scaled", "sample sizes"):
            if (variances == "scaled" and scale is None) or (
                variances == "sample sizes" and method not in ("ampl", "amrl")
            ):
                continue
            print(f"\nmethod {method}, {variances}")
            print(squared_correlations(table, method, variances, scale).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
