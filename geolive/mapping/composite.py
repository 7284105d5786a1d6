"""Direct and composite estimates of a map's districts: what the survey measured there enters their values."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from sklearn.base import clone

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.estimation.composite import CompositeEstimator
from geolive.estimation.direct import direct_estimates
from geolive.estimation.fay_herriot import FayHerriot
from geolive.estimation.nested_error import normal_quantile
from geolive.mapping.site_predictions import are_applicable
from geolive.models.trained_model import TrainedModel
from geolive.models.training import FOLDS, site_digests
from geolive.places import Places
from geolive.regions import assign_districts
from geolive.splits import DistrictSplit, fold_numbers, place_numbers
from geolive.tables import lonlat, points
from geolive.uncertainty.distance_error import DistanceError, distance_error, nearest_km
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
        a model of positions `nearest_km`, as `cross_fitted_sites` returns it.
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
    composite = CompositeEstimator(level=level).fit(
        clusters[column], clusters["district_id"], sites["prediction"], sites["district_id"]
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


def cross_fitted_sites(
    dataset: Dataset,
    trained: TrainedModel,
    districts: gpd.GeoDataFrame,
    sites: gpd.GeoDataFrame,
    places: Places,
) -> pd.DataFrame:
    """Return predictions at sites by models that did not learn from the site's district, with the district of each.

    Parameters
    ----------
    dataset : Dataset
    trained : TrainedModel
    districts : GeoDataFrame
        `district_id`, `geometry`.
    sites : GeoDataFrame
        Applicable sites of the map that are not clusters: `site_id`, the indicator's column with the fitted model's prediction,
        `geometry`.
    places : Places
        The same sites with what the model uses of them.

    Returns
    -------
    DataFrame
        `site_id`, `prediction`, `district_id`. A model that needs images brings the predictions of all the dataset's sites from
        its training; sites that it does not know keep the fitted model's prediction, which is right where the district has no
        clusters. A model of positions is fitted again, ten times, each time without the clusters of a tenth of these districts;
        its table has also `nearest_km`, the distance of each site to the nearest cluster that its prediction was learnt from.
    """
    name = trained.card.indicator
    fitted = pd.DataFrame({"site_id": sites["site_id"].to_numpy(object), "prediction": sites[name].to_numpy(float)})
    district = assign_districts(sites.geometry, districts).to_numpy()
    if not trained.model.needs_images:
        fitted["district_id"] = district
        inside = np.flatnonzero(fitted["district_id"].notna().to_numpy())
        fitted = fitted.iloc[inside].reset_index(drop=True)
        return _without_own_district(trained, districts, fitted, places.take(inside))
    known = trained.site_predictions
    if known is not None:
        known = _applicable_sites(known, dataset, trained)
        elsewhere = known[~known["site_id"].isin(fitted["site_id"])]
        own = known.set_index("site_id")["prediction"].reindex(fitted["site_id"])
        fitted["prediction"] = np.where(own.notna(), own, fitted["prediction"])
        beyond = assign_districts(points(elsewhere["lon"], elsewhere["lat"]), districts).to_numpy()
        fitted = pd.concat([fitted, elsewhere[["site_id", "prediction"]]], ignore_index=True)
        district = np.concatenate([district, beyond])
    fitted["district_id"] = district
    return fitted[fitted["district_id"].notna()].reset_index(drop=True)


def _without_own_district(
    trained: TrainedModel, districts: gpd.GeoDataFrame, sites: pd.DataFrame, places: Places
) -> pd.DataFrame:
    """Return the predictions of sites by a model of positions that was fitted without the clusters of the site's district.

    Folds of training may cut the districts of this map, so they do not serve here.
    """
    residuals = trained.residuals.reset_index(drop=True)
    values = residuals["value"].to_numpy(float)
    clusters = Places.without_images(residuals["unique_cluster"].to_numpy(object), lonlat(residuals.geometry))
    predicted = sites["prediction"].to_numpy(float).copy()
    nearest = nearest_km(places.positions, clusters.positions)
    surveyed = assign_districts(residuals.geometry, districts).to_numpy(object)
    own = sites["district_id"].to_numpy(object)
    # clusters outside all districts are always learnt from
    known = np.flatnonzero(pd.notna(surveyed))
    n_districts = len(set(surveyed[known]))
    if n_districts < 2:
        return sites.assign(nearest_km=nearest)
    splitter = DistrictSplit(n_splits=min(FOLDS, n_districts))
    folds = fold_numbers(splitter, residuals.iloc[known], groups=surveyed[known])
    for fold in np.unique(folds):
        left_out = known[folds == fold]
        there = np.flatnonzero(np.isin(own, surveyed[left_out]))
        learn = np.setdiff1d(np.arange(len(values)), left_out)
        seen = clusters.take(learn)
        model = clone(trained.model).fit(seen, values[learn])
        predicted[there] = model.predict(places.take(there))
        nearest[there] = nearest_km(places.positions[there], seen.positions)
    return sites.assign(prediction=predicted, nearest_km=nearest)


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
    usual = float(error.at(km[inside]).mean())
    growth = pd.Series(error.growth(km[~inside], usual)).groupby(sites["district_id"].to_numpy()[~inside]).mean()
    mse = estimates["mse"] + growth.reindex(estimates.index, fill_value=0.0)
    half = normal_quantile(level) * np.sqrt(mse)
    return estimates.assign(mse=mse, lower=estimates["estimate"] - half, upper=estimates["estimate"] + half)


def _applicable_sites(known: pd.DataFrame, dataset: Dataset, trained: TrainedModel) -> pd.DataFrame:
    """Return those of the predicted sites that are like the places the model learnt from: only they enter districts."""
    places = dataset.site_places(dataset.sites, trained.card.features)
    row = pd.Series(np.arange(len(places)), index=places.ids).reindex(known["site_id"])
    known, row = known[row.notna().to_numpy()].reset_index(drop=True), row.dropna().astype(int)
    places = places.take(row.to_numpy())
    # where a site's photos have changed since training, the prediction is of other photos
    same = site_digests(trained.model, places) == known["digest"].to_numpy()
    return known[same & are_applicable(trained, places)].reset_index(drop=True)


def _area_level(composite: CompositeEstimator, direct: pd.DataFrame, ids: pd.Index, level: float) -> pd.DataFrame:
    """Fit the Fay-Herriot model on design-weighted direct estimates; its covariate is each district's estimated prediction."""
    means = composite.predict(ids)["synthetic"].rename("predicted").to_frame()
    model = FayHerriot(level=level).fit(
        means.loc[direct.index], direct["direct"].to_numpy(), direct["variance"].to_numpy()
    )
    survey = direct.reindex(ids)
    return model.predict(means, survey["direct"].to_numpy(), survey["variance"].to_numpy())
