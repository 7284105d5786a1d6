"""Predictions in a district by models that were not trained on its clusters, which a composite estimate needs."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.mapping.cell_predictions import REACH_KM, CellPredictions, nearest_sites, people_of_sites
from geolive.mapping.population_cells import PopulationCells
from geolive.mapping.site_predictions import SAME_PLACE_DEGREES, are_applicable
from geolive.models.cache import fit_places_cached
from geolive.models.trained_model import TrainedModel
from geolive.models.training import FOLDS, site_digests
from geolive.places import Places
from geolive.regions import assign_districts
from geolive.splits import DistrictSplit, fold_numbers
from geolive.tables import lonlat, points
from geolive.uncertainty.distance_error import nearest_km


@dataclass(frozen=True)
class CrossFitted:
    """Predictions by models that were not trained on the district's clusters.

    Parameters
    ----------
    sites : DataFrame
        At places of the districts: `prediction`, `district_id`; of a model of positions `nearest_km`; with a population
        `people`.
    clusters : DataFrame, optional
        At the surveyed clusters, where `sites` are all places of their districts: `lon`, `lat`, `prediction`.
    """

    sites: pd.DataFrame
    clusters: pd.DataFrame | None = None


def cross_fitted_sites(
    dataset: Dataset,
    trained: TrainedModel,
    districts: gpd.GeoDataFrame,
    sites: gpd.GeoDataFrame,
    places: Places,
) -> pd.DataFrame:
    """Return predictions at sites by models that were not trained on the site's district, with the district of each.

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
        The same sites with the inputs of the model.

    Returns
    -------
    DataFrame
        `site_id`, `prediction`, `district_id`. A model that needs images brings the predictions of all the dataset's sites from
        its training; sites that it does not know keep the fitted model's prediction, which is right where the district has no
        clusters. A model of positions is fitted again, ten times, each time without the clusters of a tenth of these districts;
        its table has also `nearest_km`, the distance of each site to the nearest training cluster of its prediction.
    """
    name = trained.card.indicator
    fitted = pd.DataFrame({"site_id": sites["site_id"].to_numpy(object), "prediction": sites[name].to_numpy(float)})
    district = assign_districts(sites.geometry, districts).to_numpy()
    if not trained.model.needs_images:
        fitted["district_id"] = district
        inside = np.flatnonzero(fitted["district_id"].notna().to_numpy())
        fitted = fitted.iloc[inside].reset_index(drop=True)
        return _without_own_district(dataset, trained, districts, fitted, places.take(inside))
    fitted[["lon", "lat"]] = lonlat(sites.geometry)
    known = trained.site_predictions
    if known is not None:
        known = _applicable_sites(known, dataset, trained, places)
        elsewhere = known[~known["site_id"].isin(fitted["site_id"])]
        own = known.set_index("site_id")["prediction"].reindex(fitted["site_id"])
        fitted["prediction"] = np.where(own.notna(), own, fitted["prediction"])
        beyond = assign_districts(points(elsewhere["lon"], elsewhere["lat"]), districts).to_numpy()
        fitted = pd.concat([fitted, elsewhere[["site_id", "prediction", "lon", "lat"]]], ignore_index=True)
        district = np.concatenate([district, beyond])
    fitted["district_id"] = district
    return fitted[fitted["district_id"].notna()].reset_index(drop=True)


def cross_fitted_people(
    dataset: Dataset, trained: TrainedModel, districts: gpd.GeoDataFrame, cells: CellPredictions, places: Places
) -> CrossFitted:
    """Return predictions for the people of districts by models that were not trained on the district's clusters.

    Parameters
    ----------
    dataset : Dataset
    trained : TrainedModel
        It needs no images.
    districts : GeoDataFrame
        Their `district_id` are those of the cells.
    cells : CellPredictions
    places : Places
        The cells as the model sees them.

    Returns
    -------
    CrossFitted
        Its `sites` have `prediction`, `district_id`, `people`, `nearest_km`: one row for the people of each cell and district.
    """
    known = np.flatnonzero(cells.shares[trained.card.indicator].notna())
    own = cells.shares.iloc[known].reset_index(drop=True)
    table = own.rename(columns={trained.card.indicator: "prediction"})
    residuals = trained.residuals.reset_index(drop=True)
    clusters = _training_places(dataset, trained, residuals)
    at_clusters = pd.DataFrame(
        {
            "prediction": residuals["prediction"].to_numpy(float),
            "district_id": assign_districts(residuals.geometry, districts).to_numpy(),
        }
    )
    both = pd.concat([table, at_clusters], ignore_index=True)
    seen = places.take(own["cell"].to_numpy()).joined(clusters)
    both = _without_own_district(dataset, trained, districts, both, seen)
    positions = pd.DataFrame(lonlat(residuals.geometry), columns=["lon", "lat"])
    at_clusters = positions.assign(prediction=both["prediction"].to_numpy()[len(table) :])
    return CrossFitted(both.iloc[: len(table)], at_clusters)


def people_of_cross_fitted_sites(
    sites: pd.DataFrame, population: PopulationCells, reach_km: float = REACH_KM
) -> pd.DataFrame:
    """Return how many people of each district have each site as the nearest, with the site's prediction.

    Parameters
    ----------
    sites : DataFrame
        As `cross_fitted_sites` returns it for a model that needs images.
    population : PopulationCells
    reach_km : float
        People farther than this from every site are left out.

    Returns
    -------
    DataFrame
        `prediction`, `district_id`, `people`.

    Examples
    --------
    >>> from geolive.mapping.population_cells import CellGrid
    >>> cells, grid = pd.DataFrame({"lon": [85.11], "lat": [25.6]}), CellGrid((1, 0, 85, 0, -1, 26), 1, 1, "EPSG:4326")
    >>> shares = pd.DataFrame({"cell": [0, 0], "district_id": ["a", "b"], "people": [1.0, 2.0]})
    >>> sites = pd.DataFrame({"prediction": [0.5], "lon": [85.1], "lat": [25.6]})
    >>> people_of_cross_fitted_sites(sites, PopulationCells(cells, shares, grid, "people.tif")).values.tolist()
    [['a', 1.0, 0.5], ['b', 2.0, 0.5]]
    """
    site = nearest_sites(population, sites[["lon", "lat"]].to_numpy(float), reach_km)
    served = people_of_sites(population, site)
    served = served[served["site"] >= 0].reset_index(drop=True)
    predicted = sites["prediction"].to_numpy(float)[served["site"].to_numpy()]
    return served[["district_id", "people"]].assign(prediction=predicted)


def _without_own_district(
    dataset: Dataset, trained: TrainedModel, districts: gpd.GeoDataFrame, sites: pd.DataFrame, places: Places
) -> pd.DataFrame:
    """Return the predictions of sites by a model of positions that was fitted without the clusters of the site's district.

    Folds of training may cut the districts of this map, so they do not serve here.
    """
    residuals = trained.residuals.reset_index(drop=True)
    values = residuals["value"].to_numpy(float)
    clusters = _training_places(dataset, trained, residuals)
    sizes = residuals["sample_size"].to_numpy(float) if "sample_size" in residuals else None
    predicted = sites["prediction"].to_numpy(float).copy()
    nearest = nearest_km(places.positions, clusters.positions)
    surveyed = assign_districts(residuals.geometry, districts).to_numpy(object)
    own = sites["district_id"].to_numpy(object)
    # clusters outside all districts are always training clusters
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
        own_sizes = None if sizes is None else sizes[learn]
        model = fit_places_cached(trained.model, seen, values[learn], sample_sizes=own_sizes)
        predicted[there] = model.predict(places.take(there))
        nearest[there] = nearest_km(places.positions[there], seen.positions)
    return sites.assign(prediction=predicted, nearest_km=nearest)


def _training_places(dataset: Dataset, trained: TrainedModel, residuals: gpd.GeoDataFrame) -> Places:
    """Return the clusters on which a model without images was trained, with the covariates that it uses."""
    ids, positions = residuals["unique_cluster"].to_numpy(object), lonlat(residuals.geometry)
    if not trained.model.uses("covariates"):
        return Places.without_images(ids, positions)
    row = pd.Series(np.arange(len(dataset.clusters)), dataset.clusters["unique_cluster"]).reindex(ids).to_numpy(float)
    found = np.isfinite(row)
    there = lonlat(dataset.clusters.geometry)[row[found].astype(int)]
    if not found.all() or (np.abs(there - positions) > SAME_PLACE_DEGREES).any():
        raise InputError(
            f"{dataset.name} lacks training clusters of {trained.card.model}, and their covariates, so "
            "predict with the dataset that the model was trained on"
        )
    return dataset.cluster_places(dataset.clusters.iloc[row.astype(int)], trained.card.features)


def _applicable_sites(known: pd.DataFrame, dataset: Dataset, trained: TrainedModel, mapped: Places) -> pd.DataFrame:
    """Return those of the predicted sites that are like the training places of the model: only they enter districts.

    The sites of the map, `mapped`, are known to be so. Where a site's photos have changed since training, the prediction is of
    other photos.
    """
    digests, usable = known["digest"].to_numpy(), np.zeros(len(known), bool)
    row = pd.Series(np.arange(len(mapped)), index=mapped.ids).reindex(known["site_id"]).to_numpy()
    there = np.flatnonzero(np.isfinite(row))
    usable[there] = site_digests(trained.model, mapped)[row[there].astype(int)] == digests[there]
    others = dataset.sites[dataset.sites["site_id"].isin(known["site_id"]) & ~dataset.sites["site_id"].isin(mapped.ids)]
    if len(others):
        places = dataset.site_places(others, trained.card.features)
        row = pd.Series(np.arange(len(places)), index=places.ids).reindex(known["site_id"]).to_numpy()
        there = np.flatnonzero(np.isfinite(row))
        at = row[there].astype(int)
        same = site_digests(trained.model, places)[at] == digests[there]
        usable[there] = same & are_applicable(trained, places)[at]
    return known[usable].reset_index(drop=True)
