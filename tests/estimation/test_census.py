"""Districts of four countries against their population census, which enters no estimate."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geolive.estimation.area_table import estimate_areas

TABLE = Path(__file__).parents[3] / "shared" / "data" / "census" / "areas.csv"


@pytest.fixture(scope="module")
def districts():
    if not TABLE.exists():
        pytest.skip(f"{TABLE} is absent: the census table is not part of the project")
    return pd.read_csv(TABLE).dropna(subset=["direct", "synthetic"]).reset_index(drop=True)


def squared_correlations(districts, estimate) -> pd.DataFrame:
    table = districts.assign(composite=estimate.to_numpy()).dropna(subset=["census"])
    names = ["direct", "synthetic", "composite"]
    return pd.DataFrame({c: part[names].corrwith(part["census"]) ** 2 for c, part in table.groupby("country")}).T


def test_composite_is_nearer_to_the_census_than_both_its_parts(districts):
    found = estimate_areas(
        districts, direct="direct", sample_size="n_clusters", covariates=["synthetic"], area="area", group="country"
    )
    r2 = squared_correlations(districts, found.table["estimate"])
    assert len(r2) == 4
    assert (r2["composite"] > r2[["direct", "synthetic"]].max(axis=1)).all(), r2


def test_one_variance_for_all_countries_is_too_large_for_malawi_and_that_is_said(districts):
    table = districts.assign(variance=0.156 / districts["n_clusters"])
    options = {
        "direct": "direct",
        "variance": "variance",
        "covariates": ["synthetic"],
        "area": "area",
        "group": "country",
    }
    found = estimate_areas(table, **options)
    warned = [country for country, model in found.models.items() if model.warnings_]
    assert warned == ["Malawi"]
    assert "too large" in found.models["Malawi"].warnings_[0]
    r2 = squared_correlations(districts, found.table["estimate"])
    others = r2.drop(index="Malawi")
    assert (others["composite"] > others[["direct", "synthetic"]].max(axis=1)).all()
    assert estimate_areas(table, **options, method="ml").models["Malawi"].sigma2_u_ == 0
    assert np.round(r2.loc["Benin", "direct"], 3) == 0.779


def test_a_variance_in_proportion_to_each_countrys_own_gives_the_same_answer(districts):
    clusters = TABLE.with_name("clusters.csv")
    if not clusters.exists():
        pytest.skip(f"{clusters} is absent: the table of clusters is not part of the project")
    # neither the census nor the districts' values enter the variances
    spread = pd.read_csv(clusters).groupby("country")["wealth"].var()
    within = 0.156 * spread / spread.mean()
    variance = districts["country"].str.lower().map(within) / districts["n_clusters"]
    found = estimate_areas(
        districts.assign(variance=variance),
        direct="direct",
        variance="variance",
        covariates=["synthetic"],
        area="area",
        group="country",
    )
    assert not any(model.warnings_ for model in found.models.values())
    r2 = squared_correlations(districts, found.table["estimate"])
    assert (r2["composite"] > r2[["direct", "synthetic"]].max(axis=1)).all(), r2
