"""From a dataset and a trained model to a district map."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import shapely

import geolive
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.files import today
from geolive.indicators import indicator as find_indicator
from geolive.mapping.districts import DistrictMap, Provenance, Support, districts_from_sites
from geolive.models.aoa_features import COLUMN, importance, predictors
from geolive.models.interface import check_seen
from geolive.models.trained_model import TrainedModel
from geolive.official_statistics import official_sentences
from geolive.places import Places, group_images
from geolive.regions import Region
from geolive.tables import CRS, lonlat, points
from geolive.uncertainty.applicability import area_of_applicability
from geolive.uncertainty.district_intervals import DistrictError
from geolive.uncertainty.site_intervals import are_near, site_errors

SAME_PLACE_DEGREES = 1e-6


def predict_map(
    dataset: Dataset,
    trained: TrainedModel,
    region: Region,
    *,
    level: float = 0.9,
    support: Support | None = None,
    about: str = "",
    command: str = "",
) -> DistrictMap:
    """Predict an indicator at the sites of a region and average it over its districts.

    Parameters
    ----------
    dataset : Dataset
        Its surveyed clusters and the sites that its other images form are predicted.
    trained : TrainedModel
        At its training clusters the out-of-fold prediction is shown, never the fitted one.
    region : Region
    level : float
        Level of the intervals.
    support : Support, optional
        When a district has enough to go on.
    about, command : str
        A sentence on the model, and the command, for the page.

    Returns
    -------
    DistrictMap

    Raises
    ------
    InputError
        No site lies in the region.

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.models.training import train
    >>> from geolive.regions import find_region
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("goa", seed=0)
    >>> trained = train(dataset, lambda: Forest(trees=5), "pov")
    >>> drawn = predict_map(dataset, trained, find_region("goa"))
    >>> drawn.title, len(drawn.districts)
    ('Asset wealth in Goa', 3)
    """
    name, classifies = trained.card.indicator, trained.card.task == "classification"
    needs_images = trained.card.needs_images
    support = support or Support()
    if not needs_images:
        support = replace(support, images=0)
    features = trained.card.features
    if needs_images:
        check_seen(dataset, trained.model, features)
    sites, places = find_sites(dataset, region, needs_images, features)
    limits = (0.0, 1.0) if classifies else (-np.inf, np.inf)
    sites, error = _with_intervals(trained, sites, places, level, limits)
    threshold = 0.5 if classifies else trained.card.label_threshold
    districts = districts_from_sites(region.districts, sites, name, error, support, level, threshold, limits)
    simulated = bool(dataset.simulated or trained.card.simulated)
    districts["simulated"] = simulated
    if not simulated:
        districts["official"] = official_sentences(name, districts["district_id"])
    shown = find_indicator(name)
    return DistrictMap(
        shown.as_probability if classifies else shown,
        region.name,
        region.area,
        districts,
        sites,
        level,
        _support_words(support, sites),
        Provenance(
            model=trained.card.model,
            model_about=about,
            dataset=dataset.source,
            boundaries=region.source,
            command=command,
            made=today(),
            version=geolive.__version__,
            simulated=simulated,
            metrics={metric: value[0] for metric, value in trained.card.metrics.items() if value[0] is not None},
        ),
    )


def _with_intervals(
    trained: TrainedModel, sites: gpd.GeoDataFrame, places: Places, level: float, limits: tuple[float, float]
) -> tuple[gpd.GeoDataFrame, DistrictError]:
    """The sites that have an honest prediction: with value, interval and applicability, and their part in errors of districts."""
    name = trained.card.indicator
    trained_on, value = _predict(trained, sites, places)
    here = np.isfinite(value)
    if not here.any():
        raise InputError(
            f"{trained.card.model}: has learnt from every place of this region and has no honest prediction of any; "
            "train it with --folds 5"
        )
    sites, value, applicable = sites[here].reset_index(drop=True), value[here], _applicable(trained, places)[here]
    # where a model that was trained once has no honest prediction, there is none
    judged = trained.residuals[trained.residuals["prediction"].notna()]
    # a training cluster is shown as predicted by a model that saw nothing of its district
    near = ~trained_on[here] & are_near(lonlat(sites.geometry), lonlat(judged.geometry), judged["fold"].to_numpy())
    errors, n_images = site_errors(judged), sites["n_images"].to_numpy()
    half = errors.half_width(n_images, near, level)
    half[~np.isfinite(half)] = np.nan  # too few training clusters to promise anything of a single place
    columns = {
        name: value,
        f"{name}_lower": np.clip(value - half, *limits),
        f"{name}_upper": np.clip(value + half, *limits),
        "applicable": applicable,
    }
    return sites.assign(**columns), errors.of_districts(n_images, near)


def find_sites(
    dataset: Dataset, region: Region, needs_images: bool, features: str | None = None
) -> tuple[gpd.GeoDataFrame, Places]:
    """The places of a region to predict: surveyed clusters, and sites formed from images that belong to none.

    Parameters
    ----------
    dataset : Dataset
    region : Region
    needs_images : bool
        Whether clusters without images are left out.
    features : str, optional
        A feature set that images bring; those without are left out.

    Returns
    -------
    sites : GeoDataFrame
        `site_id`, `geometry`, `n_images`, `surveyed`.
    places : Places
        The same, with their images.

    Raises
    ------
    InputError
        There is none.
    """
    shapely.prepare(region.area)
    clusters = dataset.clusters[_inside(dataset.clusters, region)]
    places = _surveyed_places(dataset, clusters, features)
    if needs_images:
        places = places.take(np.flatnonzero(places.n_images > 0))
    surveyed = len(places)
    unsurveyed = _unsurveyed_places(dataset, region, features)
    if unsurveyed is not None:
        places = places.joined(unsurveyed)
    if len(places) == 0:
        raise _nothing_in(dataset, region, "image" if needs_images else "cluster or image")
    sites = gpd.GeoDataFrame(
        {"site_id": places.ids, "n_images": places.n_images, "surveyed": np.arange(len(places)) < surveyed},
        geometry=points(*places.positions.T),
        crs=CRS,
    )
    return sites, places


def _surveyed_places(dataset: Dataset, clusters: gpd.GeoDataFrame, features: str | None) -> Places:
    if features is not None or "objects" in dataset.features:
        return dataset.cluster_places(clusters, features)
    # images in which nothing was counted still tell baselines where people are
    ids, where = clusters["unique_cluster"].to_numpy(), lonlat(clusters.geometry)
    return group_images(ids, where, dataset.images, None, dataset.images["unique_cluster"])


def _unsurveyed_places(dataset: Dataset, region: Region, features: str | None) -> Places | None:
    sites = dataset.sites[_inside(dataset.sites, region)]
    if sites.empty:
        return None
    places = dataset.site_places(sites, features)
    return places.take(np.flatnonzero(places.n_images > 0))


def _inside(table: gpd.GeoDataFrame, region: Region) -> np.ndarray:
    return shapely.contains_xy(region.area, lonlat(table.geometry)) if len(table) else np.zeros(0, bool)


def check_covers(dataset: Dataset, region: Region) -> None:
    """Raise where a dataset has nothing in a region, before a model is fitted in vain.

    Raises
    ------
    InputError

    Examples
    --------
    >>> from geolive.regions import find_region
    >>> from geolive.simulation.sample import make_sample
    >>> check_covers(make_sample("goa", seed=0), find_region("goa"))
    """
    if not (_inside(dataset.clusters, region).any() or _inside(dataset.images, region).any()):
        raise _nothing_in(dataset, region, "cluster or image")


def _nothing_in(dataset: Dataset, region: Region, what: str) -> InputError:
    table = dataset.clusters if len(dataset.clusters) else dataset.images
    covers = " (the dataset covers {:.2f},{:.2f},{:.2f},{:.2f})".format(*table.total_bounds) if len(table) else ""
    remedy = "name its own region with --region, or bring a dataset of this one"
    return InputError(f"{dataset.name}: no {what} lies in {region.name}{covers}; {remedy}")


def _support_words(support: Support, sites: gpd.GeoDataFrame) -> str:
    unlike = int((~sites["applicable"]).sum())
    left_out = f" ({unlike} of {len(sites):,} sites left out: unlike all places that the model learnt from)"
    return f"{support}{left_out if unlike else ''}"


def _applicable(trained: TrainedModel, places: Places) -> np.ndarray:
    """Whether each place is like those that the model was trained on; so it is taken to be where a bundle does not say."""
    if COLUMN not in trained.residuals:
        return np.ones(len(places), bool)
    needs_images = trained.card.needs_images
    training = np.stack(trained.residuals[COLUMN].to_list())
    known = area_of_applicability(
        training, trained.residuals["fold"].to_numpy(), importance(trained.model, training, needs_images)
    )
    return known.holds(predictors(trained.model, places, needs_images))


def _predict(trained: TrainedModel, sites: gpd.GeoDataFrame, places: Places) -> tuple[np.ndarray, np.ndarray]:
    """Which sites are training clusters, and the values of all: out-of-fold there, of the model itself elsewhere."""
    known = trained.residuals.drop_duplicates("unique_cluster").set_index("unique_cluster").reindex(sites["site_id"])
    at = gpd.GeoSeries(known.geometry.to_numpy(), crs=CRS)
    away = np.abs(np.column_stack([at.x, at.y]) - lonlat(sites.geometry)).max(axis=1)
    # ids alone do not tell: two surveys may both number their rows
    trained_on = sites["surveyed"].to_numpy() & (away < SAME_PLACE_DEGREES)
    value = known["prediction"].to_numpy(float).copy()
    new = np.flatnonzero(~trained_on)
    if len(new):
        value[new] = trained.model.predict(places.take(new))
    return trained_on, value
