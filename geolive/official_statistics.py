"""Official statistics of Bihar's districts: the start of the simulation, and figures to show beside a map of real data."""

from importlib import resources

import pandas as pd

from geolive.languages import phrase
from geolive.phrases import Decimal

# the column and its decimals; the words are in the catalogues, under official.NAME
_OFFICIAL = {
    "pov": ("mpi_headcount_pct_2019_21", 1),
    "pop": ("density_per_km2_2011", 0),
    "bmi": ("women_bmi_below_normal_pct_2019_21", 1),
}


def bihar_statistics() -> pd.DataFrame:
    """Read population, density, multidimensional poverty and women's low BMI of Bihar's 38 districts.

    Returns
    -------
    DataFrame
        Index: the district's LGD code (str). Sources are at the head of `bihar_districts.csv`.

    Examples
    --------
    >>> bihar_statistics().loc["230", "district"]
    'Patna'
    """
    with resources.files("geolive").joinpath("bihar_districts.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#", dtype={"lgd_code": str}).set_index("lgd_code")


def official_sentences(indicator: str, district_ids: pd.Series) -> pd.Series:
    """Write the official statistic nearest to an indicator as a sentence, for each district that has one.

    It is never shown beside the simulated sample, since that was made from it.

    Examples
    --------
    >>> official_sentences("pop", pd.Series(["230", "999"])).tolist()
    ['1,823 people per km² (Census 2011)', None]
    """
    if indicator not in _OFFICIAL:
        return pd.Series(None, index=district_ids.index, dtype=object)
    column, digits = _OFFICIAL[indicator]
    values = bihar_statistics()[column].reindex(district_ids).to_numpy()
    sentences = [
        phrase(f"official.{indicator}", value=Decimal(float(value), digits)) if pd.notna(value) else None
        for value in values
    ]
    return pd.Series(sentences, index=district_ids.index, dtype=object)
