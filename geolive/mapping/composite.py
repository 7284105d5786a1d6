"""Direct and composite estimates of a map's districts: what the survey measured there enters their values."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.estimation.composite import CompositeEstimator
from geolive.estimation.nested_error import normal_quantile
from geolive.estimation.proximity import contiguity
from geolive.estimation.spatial_fay_herriot import SpatialFayHerriot
from geolive.languages import phrase
from geolive.mapping.district_survey import DistrictSurvey
from geolive.tables import lonlat
from geolive.uncertainty.distance_error import DistanceError, distance_error

ESTIMATORS = ("composite", "spatial", "predicted", "direct")
COMPOSITES = ("composite", "spatial")


@dataclass(frozen=True)
class DistrictEstimates:
    """Direct and composite estimates of districts.

    Parameters
    ----------
    table : DataFrame
        Index `district_id`: `district` (name), `n_clusters`, `direct`, `direct_error` (standard error) and, where there is a
        composite, `sampling_variance` (of the direct estimate, as the composite takes it), `synthetic` (the prediction
        calibrated to the survey), `estimate`, `error` (root of the mean squared error), `lower`, `upper` and `gamma` (weight of
        the survey); estimate = gamma direct + (1 - gamma) synthetic, to which the spatial composite adds what neighbours say.
    about : str
        How the composite was made, in a sentence; empty without one.
    """

    table: pd.DataFrame
    about: str

    @property
    def has_composite(self) -> bool:
        """Whether there are composite estimates beside the direct ones."""
        return "estimate" in self.table


def direct_table(survey: DistrictSurvey, districts: gpd.GeoDataFrame) -> DistrictEstimates:
    """Collect the direct estimates of all districts.

    Parameters
    ----------
    survey : DistrictSurvey
    districts : GeoDataFrame
        `district_id`, `district`.

    Examples
    --------
    >>> import geolive as gl
    >>> from geolive.mapping.district_survey import survey_districts
    >>> dataset, region = gl.make_sample("bihar", n_clusters=80, n_sites=60, most_images=5), gl.find_region("bihar")
    >>> survey = survey_districts(dataset, gl.train(dataset, gl.Neighbours(), "pov").card, region.districts)
    >>> direct_table(survey, region.districts).table.columns.tolist()
    ['district', 'n_clusters', 'direct', 'direct_error']
    """
    names = districts.set_index("district_id")["district"]
    direct = survey.direct.reindex(names.index)
    table = pd.DataFrame(
        {
            "district": names,
            "n_clusters": direct["n_places"].fillna(0).astype(int),
            "direct": direct["direct"],
            "direct_error": direct["standard_error"],
        }
    )
    return DistrictEstimates(table.rename_axis("district_id"), "")


def estimate_districts(
    survey: DistrictSurvey,
    districts: gpd.GeoDataFrame,
    sites: pd.DataFrame,
    residuals: gpd.GeoDataFrame,
    level: float,
    limits: tuple[float, float],
    spatial: bool = False,
    *,
    at_clusters: pd.DataFrame | None = None,
) -> DistrictEstimates:
    """Estimate the means of districts from the survey's places and cross-fitted predictions at sites.

    The variances and slopes are estimated from all districts where the dataset has clusters, whatever part of them is
    mapped, so that a district's value does not depend on the frame of the map.

    Parameters
    ----------
    survey : DistrictSurvey
    districts : GeoDataFrame
        All districts that may hold clusters or sites: `district_id`, `district`, `geometry`.
    sites : DataFrame
        `prediction` at places that are not clusters, cross-fitted where the district has clusters, and their `district_id`; for
        a model of positions `nearest_km`; with a population `people`, by which they are weighted: as `cross_fitted_sites` and
        `cross_fitted_people` return it.
    residuals : GeoDataFrame
        Of the trained model; the error of a model of positions at each distance is estimated from them.
    level : float
        Level of the intervals.
    limits : tuple of float
        Values that no estimate exceeds.
    spatial : bool
        Whether the residuals of predictions are alike among neighbouring districts (spatial Fay-Herriot).
    at_clusters : DataFrame, optional
        Where the sites are all places of their districts: the predictions at surveyed places, `lon`, `lat`, `prediction`. They
        say how much of a place's difference from its district is expected there, such as that of a town.

    Returns
    -------
    DistrictEstimates

    Raises
    ------
    InputError
        Too few districts have clusters or sites for the model.

    Notes
    -----
    The composite is that of `geolive.estimation.composite.CompositeEstimator`: a nested-error model of the places and, with
    survey weights, a pseudo-EBLUP. The error of a rate of n cases has variance sigma2_e p (1 - p) / n: binomial, times a factor
    that is estimated. p is the district's synthetic rate, since its own would make the variance small where few events happened
    to be seen.

    The mean squared error of districts without clusters is that of a district that the model had not seen. For a model of
    positions it grows with the distance to the survey, as `geolive.uncertainty.distance_error` estimates it.
    """
    _check_enough(survey)
    made = direct_table(survey, districts)
    ids = made.table.index
    model = _fit(survey, sites, level, at_clusters)
    estimates = model.predict(ids)
    about = phrase("about.nested_error")
    if survey.is_rate:
        about = phrase("about.binomial", how=about)
    if "weight" in survey.places:
        about = phrase("about.survey_weights", how=about)
    if spatial:
        estimates = _spatial(model, survey, estimates, districts, level)
        about = phrase("about.spatial")
    if "nearest_km" in sites:
        estimates = _with_distance(estimates, survey.direct.index, sites, distance_error(residuals), level)
    table = made.table.assign(
        sampling_variance=model.sampling_variance_.reindex(ids),
        synthetic=estimates["synthetic"].clip(*limits),
        estimate=estimates["estimate"].clip(*limits),
        error=np.sqrt(estimates["mse"]),
        lower=estimates["lower"].clip(*limits),
        upper=estimates["upper"].clip(*limits),
        gamma=estimates["gamma"],
    )
    return DistrictEstimates(table, about)


def _check_enough(survey: DistrictSurvey) -> None:
    """Raise where the places cannot separate the variance between districts from that within them."""
    n_districts, n_places = len(survey.direct), len(survey.places)
    # the model has two coefficients, and each variance needs degrees of freedom of its own
    if n_districts < 3:
        raise InputError(phrase("about.few_districts", districts=phrase("counts.districts", count=n_districts)))
    if n_places < n_districts + 2:
        raise InputError(
            phrase(
                "about.few_places",
                places=phrase("counts.surveyed_places", count=n_places),
                districts=phrase("counts.districts", count=n_districts),
            )
        )


def _fit(
    survey: DistrictSurvey, sites: pd.DataFrame, level: float, at_clusters: pd.DataFrame | None
) -> CompositeEstimator:
    """Fit the composite; for a rate twice, since its variances follow from the synthetic rates."""
    places = survey.places
    # a model without images predicts every cell of a population, another one some places of a district
    complete = {"people", "nearest_km"} <= set(sites.columns)

    def fit(k: np.ndarray | None) -> CompositeEstimator:
        return CompositeEstimator(level=level).fit(
            places["value"],
            places["district_id"],
            sites["prediction"],
            sites["district_id"],
            site_weights=sites.get("people"),
            complete=complete,
            predictions=None if at_clusters is None else _at_places(places, sites, at_clusters),
            k=k,
            weights=survey.weights,
        )

    if not survey.is_rate:
        return fit(None)
    cases = places["n_cases"].to_numpy(float)
    first = fit(cases)
    rate = first.predict(first.areas_)["synthetic"].clip(0.0, 1.0)
    n = places.groupby("district_id")["n_cases"].sum().reindex(rate.index)
    # one event and one other beside the real ones, so that no variance is 0
    rate = places["district_id"].map((rate * n + 1) / (n + 2)).to_numpy(float)
    return fit(cases / (rate * (1 - rate)))


def _at_places(places: gpd.GeoDataFrame, sites: pd.DataFrame, at_clusters: pd.DataFrame) -> np.ndarray:
    """Return the predictions at surveyed places; one that has none gets its district's mean, which says nothing of the place."""
    known = at_clusters.drop_duplicates(["lon", "lat"]).set_index(["lon", "lat"])["prediction"]
    own = known.reindex(pd.MultiIndex.from_arrays(lonlat(places.geometry).T)).to_numpy(float)
    weighted = pd.DataFrame({"wx": sites["people"] * sites["prediction"], "w": sites["people"]})
    sums = weighted.groupby(sites["district_id"].to_numpy()).sum()
    means = (sums["wx"] / sums["w"]).reindex(places["district_id"]).fillna(sites["prediction"].mean()).to_numpy()
    return np.where(np.isfinite(own), own, means)


def _spatial(
    model: CompositeEstimator,
    survey: DistrictSurvey,
    estimates: pd.DataFrame,
    districts: gpd.GeoDataFrame,
    level: float,
) -> pd.DataFrame:
    """Estimate the districts by the spatial Fay-Herriot model, on direct estimates with the composite's sampling variances."""
    covariate = estimates["synthetic"].rename("predicted").to_frame()
    direct = survey.direct["direct"].reindex(covariate.index).to_numpy(float)
    variance = model.sampling_variance_.reindex(covariate.index).to_numpy(float)
    return (
        SpatialFayHerriot(level=level).fit(covariate, direct, variance, contiguity(districts, "district_id")).estimates_
    )


def _with_distance(
    estimates: pd.DataFrame, surveyed: pd.Index, sites: pd.DataFrame, error: DistanceError, level: float
) -> pd.DataFrame:
    """Raise the mean squared error of districts without clusters by what distance adds to it."""
    inside = sites["district_id"].isin(surveyed).to_numpy()
    if not inside.any() or inside.all():
        return estimates
    km = sites["nearest_km"].to_numpy(float)
    weight = sites["people"].to_numpy(float) if "people" in sites else np.ones(len(sites))
    usual = float(np.average(error.at(km[inside]), weights=weight[inside]))
    own = pd.DataFrame({"weighted": weight[~inside] * error.growth(km[~inside], usual), "weight": weight[~inside]})
    sums = own.groupby(sites["district_id"].to_numpy()[~inside]).sum()
    growth = sums["weighted"] / sums["weight"]
    mse = estimates["mse"] + growth.reindex(estimates.index, fill_value=0.0)
    half = normal_quantile(level) * np.sqrt(mse)
    return estimates.assign(mse=mse, lower=estimates["estimate"] - half, upper=estimates["estimate"] + half)
