"""What a survey measured in the districts of a map: its places, their design, and the direct estimates."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.estimation.direct import direct_estimates
from geolive.models.trained_model import ModelCard
from geolive.regions import assign_districts
from geolive.splits import place_numbers
from geolive.tables import lonlat

# optional columns of clusters that describe the survey's design
_DESIGN = ("weight", "stratum", "psu")


@dataclass(frozen=True)
class DistrictSurvey:
    """What a survey measured in districts.

    Parameters
    ----------
    places : GeoDataFrame
        One surveyed place a row: `district_id`, `value`, `n_cases` (the denominator of a rate, or the households of a mean; 1
        where it is not known), `geometry`, and of the design `weight`, `stratum`, `psu` where every cluster has them.
    direct : DataFrame
        Direct estimates of the districts with places, as `geolive.estimation.direct.direct_estimates` returns them.
    is_rate : bool
        Whether values are rates with known denominators, so that their variance is binomial.
    n_outside : int
        Number of clusters that lie in none of the districts, and take no part.
    """

    places: gpd.GeoDataFrame
    direct: pd.DataFrame
    is_rate: bool
    n_outside: int = 0

    @property
    def weights(self) -> np.ndarray | None:
        """How much each place counts in its district: survey weight times cases; None where all places count alike."""
        weight = _total_weight(self.places)
        return None if (weight == 1).all() else weight


def survey_districts(dataset: Dataset, card: ModelCard, districts: gpd.GeoDataFrame) -> DistrictSurvey | None:
    """Find the surveyed places of districts, and estimate each district from them alone.

    Clusters at one position are visits of one place, which enters with the mean of its visits: the visits share what is
    peculiar to the place, so that two of them say little more about the district than one.

    Parameters
    ----------
    dataset : Dataset
    card : ModelCard
        Of the model that is mapped: its indicator, and whether it was trained on labels.
    districts : GeoDataFrame
        `district_id`, `geometry`.

    Returns
    -------
    DistrictSurvey or None
        None where no cluster with a value lies in these districts.

    Raises
    ------
    InputError
        The design cannot be used, or no district has two places, so that no variance can be estimated.

    Notes
    -----
    A rate is sum(w events) / sum(w cases) over the places of a district, with w the survey weight of a case; other values are
    averaged with the weights of the places. Where clusters have `n_households`, `weight` is the sum over these, and a case has
    the weight of a household.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60, most_images=5)
    >>> card = gl.train(dataset, gl.Neighbours(), "pov").card
    >>> survey = survey_districts(dataset, card, gl.find_region("bihar").districts)
    >>> len(survey.places), survey.direct.columns[:3].tolist()
    (80, ['direct', 'variance', 'standard_error'])
    """
    column = f"{card.indicator}_label" if card.task == "classification" else card.indicator
    clusters = dataset.clusters[dataset.clusters[column].notna()].reset_index(drop=True)
    clusters = clusters.assign(district_id=assign_districts(clusters.geometry, districts).to_numpy())
    n_outside = int(clusters["district_id"].isna().sum())
    clusters = clusters[clusters["district_id"].notna()].reset_index(drop=True)
    if clusters.empty:
        return None
    is_rate = card.task != "classification" and dataset.is_rate(card.indicator)
    cases = f"{card.indicator}_n" if is_rate else "n_households"
    n_cases = clusters[cases].to_numpy(float) if cases in clusters else np.ones(len(clusters))
    design = [name for name in _DESIGN if name in clusters and clusters[name].notna().all()]
    if "weight" in design and "n_households" in clusters:
        clusters = clusters.assign(weight=clusters["weight"] / clusters["n_households"])
    values = clusters[column].to_numpy(float)
    places = clusters[["district_id", *design, "geometry"]].assign(value=values, n_cases=n_cases)
    places = _join_visits(places, is_rate)
    return DistrictSurvey(places, direct_of_places(places, is_rate), is_rate, n_outside)


def direct_of_places(places: pd.DataFrame, is_rate: bool, district: str = "district_id") -> pd.DataFrame:
    """Estimate districts from their places alone, with the design of the survey.

    Parameters
    ----------
    places : DataFrame
        As `DistrictSurvey.places`.
    is_rate : bool
    district : str
        Column with the districts, or other domains.

    Returns
    -------
    DataFrame
        As `geolive.estimation.direct.direct_estimates` returns it.

    Examples
    --------
    >>> places = pd.DataFrame({"district_id": list("aab"), "value": [0.2, 0.4, 0.5], "n_cases": [10.0, 30.0, 20.0]})
    >>> direct_of_places(places, True)["direct"].round(3).to_dict()
    {'a': 0.35, 'b': 0.5}
    """
    design = {name: name for name in ("stratum", "psu") if name in places}
    if not is_rate:
        weighted = places.assign(weight=_total_weight(places))
        return direct_estimates(weighted, "value", district, weight="weight", **design)
    events = places.assign(value=places["value"] * places["n_cases"])
    weight = "weight" if "weight" in places else None
    return direct_estimates(events, "value", district, denominator="n_cases", weight=weight, **design)


def _total_weight(places: pd.DataFrame) -> np.ndarray:
    weight = places["weight"].to_numpy(float) if "weight" in places else np.ones(len(places))
    return weight * places["n_cases"].to_numpy(float)


def _join_visits(clusters: gpd.GeoDataFrame, is_rate: bool) -> gpd.GeoDataFrame:
    """Make one row for each place: the mean value of its visits, and their mean survey weight.

    The cases of a rate add up over visits; a mean of more visits does not count more.
    """
    number = place_numbers(lonlat(clusters.geometry))
    if len(np.unique(number)) == len(number):
        return clusters
    total, cases = _total_weight(clusters), clusters["n_cases"]
    summed = clusters.assign(value=total * clusters["value"], total=total, cases=cases)
    how = {"value": "sum", "total": "sum", "cases": "sum", "n_cases": "mean"}
    how |= {name: "first" for name in clusters.columns if name not in (*how, "weight")}
    joined = summed.groupby(number, sort=False).agg(how)
    # a place with weight 0 in all visits keeps it; its value then does not count
    joined["value"] = joined["value"] / joined["total"].where(joined["total"] > 0, 1.0)
    if "weight" in clusters:
        joined["weight"] = joined["total"] / joined["cases"]
    if is_rate and (cases > 1).any():
        joined["n_cases"] = joined["cases"]
    columns = joined.reset_index(drop=True)[list(clusters.columns)]
    return gpd.GeoDataFrame(columns, geometry="geometry", crs=clusters.crs)
