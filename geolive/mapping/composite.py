"""Direct and composite estimates of a map's districts: what the survey measured there enters their values."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.estimation.composite import CompositeEstimator
from geolive.estimation.direct import direct_estimates
from geolive.estimation.fay_herriot import FayHerriot
from geolive.estimation.nested_error import normal_quantile
from geolive.models.trained_model import TrainedModel
from geolive.regions import assign_districts
from geolive.splits import place_numbers
from geolive.tables import lonlat
from geolive.uncertainty.distance_error import DistanceError, distance_error
from geolive.wording import count_of

ESTIMATORS = ("composite", "predicted", "direct")
# optional columns of clusters that describe the survey's design
_DESIGN = ("weight", "stratum", "psu")


@dataclass(frozen=True)
class DistrictEstimates:
    """Direct and composite estimates of districts.

    Parameters
    ----------
    table : DataFrame
        Index `district_id`: `district` (name), `n_clusters`, `direct`, `direct_error` (standard error), `sampling_variance`
        (of the direct estimate, as the composite takes it), `synthetic` (the prediction calibrated to the survey), `estimate`,
        `error` (root of the mean squared error), `lower`, `upper` and `gamma` (weight of the survey); estimate = gamma direct +
        (1 - gamma) synthetic.
    about : str
        How the composite was made, in a sentence.
    """

    table: pd.DataFrame
    about: str


def estimate_districts(
    dataset: Dataset,
    trained: TrainedModel,
    districts: gpd.GeoDataFrame,
    sites: pd.DataFrame,
    level: float,
    limits: tuple[float, float],
) -> DistrictEstimates:
    """Estimate the means of districts from the survey's clusters and cross-fitted predictions at sites.

    The variances and slopes are learnt from all districts where the dataset has clusters, whatever part of them is mapped, so
    that a district's value does not depend on the frame of the map.

    Parameters
    ----------
    dataset : Dataset
    trained : TrainedModel
    districts : GeoDataFrame
        All districts that may hold clusters or sites: `district_id`, `district`, `geometry`.
    sites : DataFrame
        `prediction` at places that are not clusters, cross-fitted where the district has clusters, and their `district_id`; for
        a model of positions `nearest_km`; with a population `people`, by which they are weighted: as `cross_fitted_sites` and
        `cross_fitted_people` return it.
    level : float
        Level of the intervals.
    limits : tuple of float
        Values that no estimate exceeds.

    Returns
    -------
    DistrictEstimates

    Raises
    ------
    InputError
        Too few districts have clusters or sites for the model.

    Notes
    -----
    Without survey weights the composite is that of `geolive.estimation.CompositeEstimator`, on the clusters. With weights it is
    the Fay-Herriot model on design-weighted direct estimates, whose covariate is the estimated mean of the predictions.

    Clusters at one position are visits of one place, which enters with the mean of its visits: the visits share what is
    peculiar to the place, so that two of them say little more about the district than one.

    The mean squared error of districts without clusters is that of a district that the model had not seen. For a model of
    positions it grows with the distance to the survey, as `geolive.uncertainty.distance_error` has learnt.
    """
    name, classifies = trained.card.indicator, trained.card.task == "classification"
    column = f"{name}_label" if classifies else name
    clusters = dataset.clusters[dataset.clusters[column].notna()].reset_index(drop=True)
    clusters = clusters.assign(district_id=assign_districts(clusters.geometry, districts).to_numpy())
    clusters = clusters[clusters["district_id"].notna()].reset_index(drop=True)
    _check_enough(clusters, name)
    design = {name: name for name in _DESIGN if name in clusters and clusters[name].notna().all()}
    clusters = _join_visits(clusters, column, list(design))
    direct = direct_estimates(clusters, column, **design)
    ids = pd.Index(pd.unique(pd.concat([districts["district_id"], clusters["district_id"]])))
    people = sites.get("people")
    composite = CompositeEstimator(level=level).fit(
        clusters[column],
        clusters["district_id"],
        sites["prediction"],
        sites["district_id"],
        site_weights=people,
        # a model of images predicts some places of a district, another one predicts every cell
        complete=people is not None and not trained.card.needs_images,
    )
    about = "survey clusters and cross-fitted predictions, joined by a nested-error model"
    if "weight" in design:
        estimates, sampling = _area_level(composite, direct, ids, level), direct["variance"]
        about = "design-weighted survey means and cross-fitted predictions, joined by the Fay-Herriot model"
    else:
        estimates, sampling = composite.predict(ids), composite.sigma2_e_ / direct["n_units"]
    if "nearest_km" in sites:
        estimates = _with_distance(estimates, direct.index, sites, distance_error(trained.residuals), level)
    table = pd.DataFrame(
        {
            "district": districts.set_index("district_id")["district"].reindex(ids).fillna(pd.Series(ids, ids)),
            "n_clusters": direct["n_places"].reindex(ids).fillna(0).astype(int),
            "direct": direct["direct"].reindex(ids),
            "direct_error": direct["standard_error"].reindex(ids),
            "sampling_variance": sampling.reindex(ids),
            "synthetic": estimates["synthetic"].clip(*limits),
            "estimate": estimates["estimate"].clip(*limits),
            "error": np.sqrt(estimates["mse"]),
            "lower": estimates["lower"].clip(*limits),
            "upper": estimates["upper"].clip(*limits),
            "gamma": estimates["gamma"],
        },
        index=ids,
    )
    return DistrictEstimates(table.rename_axis("district_id"), about)


def _check_enough(clusters: pd.DataFrame, name: str) -> None:
    """Raise where the clusters cannot separate the variance between districts from that within them."""
    n_districts = clusters["district_id"].nunique()
    # the model has two coefficients, and each variance needs degrees of freedom of its own
    if n_districts < 3:
        raise InputError(
            f"surveyed clusters with {name!r} lie in {count_of(n_districts, 'district')} of these boundaries, and "
            "the composite needs 3; give smaller districts, or estimator='predicted'"
        )
    if len(clusters) < n_districts + 2:
        raise InputError(
            f"{count_of(len(clusters), 'surveyed cluster')} with {name!r} in {n_districts} districts do not show "
            "the variance within districts; give larger districts, or estimator='predicted'"
        )


def _join_visits(clusters: gpd.GeoDataFrame, column: str, design: list[str]) -> gpd.GeoDataFrame:
    """Make one row for each place: the mean value of its visits, and its mean survey weight."""
    place = place_numbers(lonlat(clusters.geometry))
    if len(np.unique(place)) == len(place):
        return clusters
    weight = clusters["weight"].to_numpy(float) if "weight" in design else np.ones(len(clusters))
    weighted = clusters.assign(weight=weight, **{column: weight * clusters[column].astype(float)})
    how = {column: "mean", "weight": "mean", "district_id": "first", "geometry": "first"}
    how |= {name: "first" for name in design if name != "weight"}
    joined = weighted.groupby(place, sort=False).agg(how)
    # a place with weight 0 in all visits keeps it; its value then does not count
    joined[column] = joined[column] / joined["weight"].where(joined["weight"] > 0, 1.0)
    return gpd.GeoDataFrame(joined.reset_index(drop=True), geometry="geometry", crs=clusters.crs)


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


def _area_level(composite: CompositeEstimator, direct: pd.DataFrame, ids: pd.Index, level: float) -> pd.DataFrame:
    """Fit the Fay-Herriot model on design-weighted direct estimates; its covariate is each district's estimated prediction."""
    means = composite.predict(ids)["synthetic"].rename("predicted").to_frame()
    model = FayHerriot(level=level).fit(
        means.loc[direct.index], direct["direct"].to_numpy(), direct["variance"].to_numpy()
    )
    survey = direct.reindex(ids)
    return model.predict(means, survey["direct"].to_numpy(), survey["variance"].to_numpy())
