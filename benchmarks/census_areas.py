"""Area-level estimates of districts against the population census: squared correlations within countries.

    python benchmarks/census_areas.py ../shared/data/census/areas.csv

The table has a row a district: `country`, `area`, `census` (mean asset index of the census households, taken as truth),
`direct` (mean of the survey's clusters), `n_clusters`, and `synthetic` (mean prediction of a network on satellite
images, fitted in other countries). The census is used to judge alone. One Fay-Herriot model is fitted in each country,
to the districts with direct and synthetic values, in two ways:

- given variances: 0.156 / n_clusters, with the variance of clusters within districts pooled over all countries;
- sample sizes: variances in proportion to 1 / n_clusters, with their factor estimated in each country.
"""

import argparse

import numpy as np
import pandas as pd

from geolive.estimation.area_table import estimate_areas

POOLED_VARIANCE = 0.156  # of clusters within districts, over all countries of the source


def squared_correlations(table: pd.DataFrame, method: str, variances: str) -> pd.DataFrame:
    """A row for each country: squared correlations with the census of direct, synthetic and composite."""
    table = table.assign(
        id=table["country"] + " " + table["area"].astype(str), variance=POOLED_VARIANCE / table["n_clusters"]
    )
    how = {"variance": "variance"} if variances == "given" else {"sample_size": "n_clusters"}
    result = estimate_areas(
        table, direct="direct", covariates=["synthetic"], area="id", group="country", method=method, **how
    )
    table = table.assign(composite=result.table["estimate"].to_numpy(), gamma=result.table["gamma"].to_numpy())
    rows = []
    for country, part in table.dropna(subset=["census"]).groupby("country"):
        model = result.models[country]
        r2 = {name: np.corrcoef(part[name], part["census"])[0, 1] ** 2 for name in ("direct", "synthetic", "composite")}
        best = "yes" if r2["composite"] > max(r2["direct"], r2["synthetic"]) else "no"
        within = POOLED_VARIANCE if variances == "given" else model.variance_factor_
        extra = {"above both": best, "sigma2_u": model.sigma2_u_, "within": within, "mean gamma": part["gamma"].mean()}
        rows.append(
            {"country": country, "districts": len(part), **r2, **extra, "p (variances)": model.dispersion_p_value_}
        )
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("areas", help="areas.csv")
    parser.add_argument("--methods", default="ampl", help="joined by commas")
    arguments = parser.parse_args()
    table = pd.read_csv(arguments.areas).dropna(subset=["direct", "synthetic"])
    for method in arguments.methods.split(","):
        for variances in ("given", "sample sizes"):
            if variances == "given" or method in ("ampl", "amrl"):
                print(f"\nmethod {method}, {variances}")
                print(squared_correlations(table, method, variances).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
