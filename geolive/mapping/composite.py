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
from geolive.models.trained_model import TrainedModel
from geolive.models.training import nearest_fold
from geolive.places import Places
from geolive.regions import assign_districts
from geolive.tables import lonlat, points

ESTIMATORS = ("composite", "predicted", "direct")
# optional columns of clusters that describe the survey's design
_DESIGN = {"weight": "weight", "stratum": "stratum", "psu": "psu"}


@dataclass(frozen=True)
class DistrictEstimates:
    """Direct and composite estimates of districts.

    Parameters
    ----------
    table : DataFrame
        Index `district_id`: `n_clusters`, `direct`, `direct_error` (standard error), `estimate`, `error` (root of the mean
        squared error), `lower`, `upper` and `gamma` (weight of the survey).
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
        All districts that may hold clusters or sites: `district_id`, `geometry`.
    sites : DataFrame
        `prediction` at places that are not clusters, cross-fitted where the district has clusters, and their `district_id`.
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
    """
    name, classifies = trained.card.indicator, trained.card.task == "classification"
    column = f"{name}_label" if classifies else name
    clusters = dataset.clusters[dataset.clusters[column].notna()].reset_index(drop=True)
    clusters = clusters.assign(district_id=assign_districts(clusters.geometry, districts).to_numpy())
    clusters = clusters[clusters["district_id"].notna()].reset_index(drop=True)
    if clusters.empty:
        raise InputError(f"{dataset.name}: no surveyed cluster with {name!r} lies in these districts")
    design = {
        argument: column
        for argument, column in _DESIGN.items()
        if column in clusters and clusters[column].notna().all()
    }
    direct = direct_estimates(clusters, column, **design)
    ids = pd.Index(pd.unique(pd.concat([districts["district_id"], clusters["district_id"]])))
    composite = CompositeEstimator(level=level).fit(
        clusters[column], clusters["district_id"], sites["prediction"], sites["district_id"]
    )
    about = "survey clusters and cross-fitted predictions, joined by a nested-error model"
    if "weight" in design:
        found = _area_level(composite, direct, ids, level)
        about = "design-weighted survey means and cross-fitted predictions, joined by the Fay-Herriot model"
    else:
        found = composite.predict(ids)
    table = pd.DataFrame(
        {
            "n_clusters": direct["n_places"].reindex(ids).fillna(0).astype(int),
            "direct": direct["direct"].reindex(ids),
            "direct_error": direct["standard_error"].reindex(ids),
            "estimate": found["estimate"].clip(*limits),
            "error": np.sqrt(found["mse"]),
            "lower": found["lower"].clip(*limits),
            "upper": found["upper"].clip(*limits),
            "gamma": found["gamma"],
        },
        index=ids,
    )
    return DistrictEstimates(table.rename_axis("district_id"), about)


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
        clusters.
    """
    name = trained.card.indicator
    fitted = pd.DataFrame({"site_id": sites["site_id"].to_numpy(object), "prediction": sites[name].to_numpy(float)})
    district = assign_districts(sites.geometry, districts).to_numpy()
    if trained.fold_models:
        surveyed = set(assign_districts(trained.residuals.geometry, districts).dropna())
        inside = np.flatnonzero(pd.Series(district).isin(surveyed).to_numpy())
        fitted.loc[inside, "prediction"] = _by_fold_models(trained, places.take(inside))
    known = trained.site_predictions
    if known is not None:
        known = _of_this_dataset(known, dataset)
        elsewhere = known[~known["site_id"].isin(fitted["site_id"])]
        own = known.set_index("site_id")["prediction"].reindex(fitted["site_id"])
        fitted["prediction"] = np.where(own.notna(), own, fitted["prediction"])
        beyond = assign_districts(points(elsewhere["lon"], elsewhere["lat"]), districts).to_numpy()
        fitted = pd.concat([fitted, elsewhere[["site_id", "prediction"]]], ignore_index=True)
        district = np.concatenate([district, beyond])
    fitted["district_id"] = district
    return fitted[fitted["district_id"].notna()].reset_index(drop=True)


def _by_fold_models(trained: TrainedModel, places: Places) -> np.ndarray:
    """Predict places by the models that were fitted without the training cluster nearest to each."""
    residuals = trained.residuals
    folds = nearest_fold(places.positions, lonlat(residuals.geometry), residuals["fold"].to_numpy())
    predicted = np.empty(len(places))
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        predicted[rows] = trained.fold_models[int(fold)].predict(places.take(rows))
    return predicted


def _of_this_dataset(known: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Those of the predicted sites that the dataset has at the same place: two datasets may number their sites alike."""
    here = dataset.sites.set_index("site_id").geometry.reindex(known["site_id"])
    there = here.notna().to_numpy()
    known, where = known[there], lonlat(gpd.GeoSeries(here[there]))
    same = np.abs(where - known[["lon", "lat"]].to_numpy()).max(axis=1) < 1e-6
    return known[same].reset_index(drop=True)


def _area_level(composite: CompositeEstimator, direct: pd.DataFrame, ids: pd.Index, level: float) -> pd.DataFrame:
    """Fit the Fay-Herriot model on design-weighted direct estimates; its covariate is each district's estimated prediction."""
    means = composite.predict(ids)["synthetic"].rename("predicted").to_frame()
    model = FayHerriot(level=level).fit(
        means.loc[direct.index], direct["direct"].to_numpy(), direct["variance"].to_numpy()
    )
    survey = direct.reindex(ids)
    return model.predict(means, survey["direct"].to_numpy(), survey["variance"].to_numpy())
