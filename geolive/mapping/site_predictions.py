"""The sites of a region with out-of-fold predictions and intervals."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np

from geolive.command_line import command_line
from geolive.errors import InputError
from geolive.models.aoa_features import aoa_features, aoa_weights
from geolive.models.trained_model import TrainedModel
from geolive.places import Places
from geolive.splits.positions import place_numbers
from geolive.tables import CRS, lonlat
from geolive.uncertainty.applicability import Applicability, area_of_applicability
from geolive.uncertainty.district_intervals import DistrictError
from geolive.uncertainty.site_intervals import are_near, site_errors

SAME_PLACE_DEGREES = 1e-6


@dataclass(frozen=True)
class SitePredictions:
    """Predictions at sites, and the errors of means over them.

    Parameters
    ----------
    sites : GeoDataFrame
        The sites that have a prediction, with the columns of `DistrictMap.sites`.
    district_error : DistrictError
        What districts of these sites share in their errors, site by site.
    """

    sites: gpd.GeoDataFrame
    district_error: DistrictError


def predict_sites(
    trained: TrainedModel, sites: gpd.GeoDataFrame, places: Places, level: float, limits: tuple[float, float]
) -> SitePredictions:
    """Predict sites: out of fold where the model was trained on them, by the model itself elsewhere.

    Parameters
    ----------
    trained : TrainedModel
    sites : GeoDataFrame
        `site_id`, `n_images`, `surveyed`, `geometry` (points, EPSG:4326).
    places : Places
        The same sites with the inputs of the model.
    level : float
        Level of the intervals.
    limits : tuple of float
        Values that no end of an interval exceeds.

    Raises
    ------
    InputError
        The model was trained on all of these sites and has no out-of-fold predictions.
    """
    name = trained.card.indicator
    trained_on, value = _values(trained, sites, places)
    if not np.isfinite(value).any():
        remedy = command_line("train", "imagewise", "DATASET", "--folds", 5, "--out", "BUNDLE")
        raise InputError(
            f"{trained.card.model}: was trained on every place of this region and has no out-of-fold predictions; "
            f"train it again with folds: {remedy}"
        )
    visits = sites.assign(value=value, applicable=are_applicable(trained, places), trained_on=trained_on)
    sites = join_visits(visits[np.isfinite(value)])
    value, trained_on = sites.pop("value").to_numpy(), sites.pop("trained_on").to_numpy()
    # a model that was trained once has out-of-fold predictions of some clusters only
    judged = trained.residuals[trained.residuals["prediction"].notna()]
    # at a training cluster the prediction is of a model that saw nothing of its district
    near = ~trained_on & are_near(lonlat(sites.geometry), lonlat(judged.geometry), judged["fold"].to_numpy())
    errors, n_images = site_errors(judged), sites["n_images"].to_numpy()
    half = errors.half_width(n_images, near, level)
    # too few training clusters promise nothing of a single place
    half[~np.isfinite(half)] = np.nan
    columns = {
        name: value,
        f"{name}_lower": np.clip(value - half, *limits),
        f"{name}_upper": np.clip(value + half, *limits),
        "applicable": sites.pop("applicable"),
    }
    return SitePredictions(sites.assign(**columns), errors.of_districts(n_images, near))


def join_visits(sites: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Make one site of the surveyed clusters at one position, which are visits of one place.

    Parameters
    ----------
    sites : GeoDataFrame
        `site_id`, `n_images`, `surveyed`, `value`, `applicable`, `trained_on`, `geometry` (points, EPSG:4326).

    Returns
    -------
    GeoDataFrame
        The columns of `sites`. A place has the id of its first visit, the sum of their images and the mean of their values.
        It is applicable if all its visits are, and the model was trained on it if it was trained on any.

    Examples
    --------
    >>> from geolive.tables import points
    >>> columns = {"site_id": ["a", "b", "c"], "n_images": [2, 1, 5], "surveyed": True, "value": [1.0, 2.0, 9.0],
    ...            "applicable": True, "trained_on": [True, False, False]}
    >>> sites = gpd.GeoDataFrame(columns, geometry=points([85.1, 85.1, 86.0], [25.6, 25.6, 25.6]))
    >>> join_visits(sites)[["site_id", "n_images", "value", "trained_on"]].values.tolist()
    [['a', 3, 1.5, True], ['c', 5, 9.0, False]]
    """
    place = place_numbers(lonlat(sites.geometry))
    # a site of images is a place of its own, even at the position of a cluster
    place = np.where(sites["surveyed"], place, len(sites) + np.arange(len(sites)))
    how = dict.fromkeys(sites.columns, "first")
    how |= {"n_images": "sum", "value": "mean", "applicable": "all", "trained_on": "any"}
    joined = sites.groupby(place, sort=False).agg(how).reset_index(drop=True)
    return gpd.GeoDataFrame(joined, geometry="geometry", crs=sites.crs)


def _values(trained: TrainedModel, sites: gpd.GeoDataFrame, places: Places) -> tuple[np.ndarray, np.ndarray]:
    """Return which sites are training clusters, and the values of all sites."""
    known = trained.residuals.drop_duplicates("unique_cluster").set_index("unique_cluster").reindex(sites["site_id"])
    at = gpd.GeoSeries(known.geometry.to_numpy(), crs=CRS)
    away = np.abs(np.column_stack([at.x, at.y]) - lonlat(sites.geometry)).max(axis=1)
    # ids alone do not identify a place: two surveys may both number their rows
    trained_on = sites["surveyed"].to_numpy() & (away < SAME_PLACE_DEGREES)
    value = known["prediction"].to_numpy(float).copy()
    new = np.flatnonzero(~trained_on)
    if len(new):
        value[new] = trained.model.predict(places.take(new))
    return trained_on, value


def are_applicable(trained: TrainedModel, places: Places) -> np.ndarray:
    """Return whether each place is like the training clusters; without features in the residuals, every place counts as alike.

    A place with fewer images than the training clusters were asked to have (`min_images` of the card) is unlike them.
    """
    card = trained.card
    enough = places.n_images >= card.min_images if card.needs_images else np.ones(len(places), bool)
    if "predictors" not in trained.residuals:
        return enough
    return _area_of(trained).holds(aoa_features(trained.model, places)) & enough


def _area_of(trained: TrainedModel) -> Applicability:
    """Return the model's area of applicability, which is computed once."""
    known = trained.derived.get("applicability")
    if known is None:
        training = np.stack(trained.residuals["predictors"].to_list())
        weights = aoa_weights(trained.model, training)
        known = area_of_applicability(training, trained.residuals["fold"].to_numpy(), weights)
        trained.derived["applicability"] = known
    return known
