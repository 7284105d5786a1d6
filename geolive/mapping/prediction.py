"""Make a district map from a dataset and a trained model."""

import numbers
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

import geolive
from geolive.boundary_files import Boundaries
from geolive.dataset import Dataset, check_dataset
from geolive.engine.interface import Engine
from geolive.errors import InputError
from geolive.files import today
from geolive.indicators import Indicator
from geolive.languages import phrase
from geolive.mapping.benchmarked import benchmark_districts
from geolive.mapping.cell_predictions import REACH_KM
from geolive.mapping.composite import COMPOSITES
from geolive.mapping.cross_fitting import (
    CrossFitted,
    cross_fitted_people,
    cross_fitted_sites,
    people_of_cross_fitted_sites,
)
from geolive.mapping.district_map import DistrictMap, Provenance, ranks_counted
from geolive.mapping.districts import Support, districts_from_cells, districts_from_sites, with_estimates
from geolive.mapping.grid import bounded_step, grid_step
from geolive.mapping.map_cells import MapCells, cells_of_grid_places
from geolive.mapping.map_covariates import MapCovariates, Rasters
from geolive.mapping.map_estimates import EstimateOptions, estimate_map
from geolive.mapping.map_passport import map_passport
from geolive.mapping.map_region import map_region, with_other_districts
from geolive.mapping.people import PeoplePredictions, check_people_parameters, predict_people, weights_words
from geolive.mapping.photo_inference import predict_photos
from geolive.mapping.region_sites import sites_in_region
from geolive.mapping.site_predictions import SitePredictions, predict_sites
from geolive.models.interface import check_inputs
from geolive.models.registry import describe
from geolive.models.trained_model import TrainedModel, check_trained
from geolive.official_statistics import official_sentences
from geolive.phrases import sentences
from geolive.places import Places
from geolive.regions import Region, assign_districts
from geolive.shares_below import dataset_indicator, is_share
from geolive.wording import count_of


def predict(
    dataset: Dataset,
    trained: TrainedModel,
    region: str | Path | Sequence[float] | Region | None = None,
    *,
    boundaries: Boundaries | None = None,
    name_column: str | None = None,
    id_column: str | None = None,
    level: float = 0.9,
    min_sites: int = 3,
    min_images: int = 50,
    estimator: str | None = None,
    benchmark: str | None = None,
    population: str | Path | None = None,
    rasters: Rasters = (),
    min_people_share: float = 0.5,
    reach_km: float = REACH_KM,
    photos: str | Path | None = None,
    device: str = "auto",
    engine: Engine | None = None,
    command: str = "",
    progress: Callable[[str], None] | None = None,
) -> DistrictMap:
    """Map an indicator over the districts of a region, from predictions at its sites and from the survey.

    Sites are the surveyed clusters and the places of images that belong to no cluster. A training cluster has its
    out-of-fold prediction, never the fitted one. Clusters at one position are visits of one place: they are one site,
    whose prediction is the mean over the visits.

    Parameters
    ----------
    dataset : Dataset
        Its clusters and images are the sites of the map.
    trained : TrainedModel
        A result of `geolive.train` or `geolive.load_model`. It determines the indicator.
    region : str, Path, sequence of four floats or Region, optional
        A state's name, a box of west, south, east and north in degrees, or a polygon file; all of `boundaries` without it.
    boundaries : str, Path or BoundaryFile, optional
        A file of districts in place of India's, or hexagons of equal area around the dataset's places, such as "hex:50km".
    name_column, id_column : str, optional
        The columns of `boundaries` with the districts' names and unique ids; see `geolive.find_region`.
    level : float
        Level of the intervals, between 0 and 1.
    min_sites, min_images : int
        Smallest numbers of sites and of images that support the predicted value of a district. Images do not count
        for a model that does not use them.
    estimator : {"composite", "spatial", "predicted", "direct"}, optional
        The value of a district. composite: the survey's mean and the model's predictions, weighed by their errors.
        spatial: the same with information from neighbouring districts. predicted: the mean of the predictions over
        its sites. direct: the survey's mean. By default composite, or predicted if the survey is too small for a
        composite.
    benchmark : {"ratio", "difference", "bell-datta-ghosh"}, optional
        Moves the composite estimates so that their mean over people is the survey's own estimate of the region; see
        `geolive.estimation.benchmarking.benchmark`. It needs the people of each district.
    population : str or Path, optional
        A GeoTIFF with the number of people in each cell. The model then predicts the cells, and people are the
        weights. Without it all sites of a district have the same weight.
    rasters : list of str, or dict of str to path
        For a model that uses covariates and predicts cells or places of a grid: the rasters of the dataset's
        covariates, "NAME=FILE" or "NAME=FILE:BAND".
    min_people_share : float
        With a population: a district is supported if at least this share of its people (0 to 1) live within reach of
        a supported prediction.
    reach_km : float
        With a population and a model that needs images: largest distance in km of people from the nearest site;
        people farther away are out of reach.
    photos : str or Path, optional
        For a network of single photos: the folder in which the paths of `img_path` begin, if the photos have moved.
    device : str
        For a network of single photos: "auto", "cpu", "cuda" or "mps".
    engine : Engine, optional
        For a network of single photos: the engine that predicts them (`geolive.engine.choosing.choose_engine`); by
        default this process, with equal results.
    command : str
        The command that the map's provenance records.
    progress : callable, optional
        Called with a short text about the progress.

    Returns
    -------
    DistrictMap

    Raises
    ------
    InputError
        The region does not exist or has no site, or a parameter is out of its range.

    See Also
    --------
    geolive.train : Fit a model, with out-of-fold residuals.
    geolive.DistrictMap : The result of `predict`: districts, sites and files.
    geolive.audit : Check the quality of a dataset, a model or a map.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> trained = gl.train(dataset, gl.Forest(n_estimators=5), "pov")
    >>> gl.predict(dataset, trained, region="goa").districts["district"].sort_values().tolist()
    ['Kushavati', 'North Goa', 'South Goa']
    """
    check_dataset(dataset)
    check_trained(trained)
    _check_parameters(level, min_sites, min_images)
    check_people_parameters(min_people_share, reach_km)
    card = trained.card
    bounded = card.task == "classification" or card.is_rate or is_share(dataset, card.indicator)
    limits = (0.0, 1.0) if bounded else (-np.inf, np.inf)
    options = EstimateOptions(estimator, benchmark, level, limits)
    options.check()
    columns = {"name_column": name_column, "id_column": id_column}
    area = map_region(dataset, region, boundaries, **columns)
    given = dataset
    dataset = predict_photos(dataset, trained, area, photos=photos, device=device, progress=progress, engine=engine)
    check_inputs(dataset, trained.model, card.features)
    if progress:
        progress("finding the sites")
    around = with_other_districts(dataset, area, boundaries, columns)
    covariates = MapCovariates(dataset, trained, rasters, progress)
    sites, places = sites_in_region(
        dataset, area, card.needs_images, card.features, around, grid=population is None, covariates=covariates
    )
    classifies = card.task == "classification"
    if progress:
        progress(f"predicting {count_of(len(sites), 'site')}")
    predicted = predict_sites(trained, sites, places, level, limits)
    support = Support(
        min_sites, min_images if card.needs_images else 0, None if population is None else min_people_share
    )
    threshold = 0.5 if classifies else card.label_threshold
    people = None
    if population is not None:
        people = predict_people(
            dataset, trained, area, around, predicted, places, population, level, limits, reach_km, covariates, progress
        )
    how = (card.indicator, support, level, threshold, limits)
    districts = _predicted_districts(area, predicted, people, *how)
    if progress:
        progress("estimating districts")
    sites, places = _unsurveyed(predicted.sites, places)
    if people is None and not card.needs_images and card.indicator in dataset.indicators:
        sites, places = _with_sites_beyond(dataset, trained, area, around, sites, places, covariates)

    def cross_fit() -> CrossFitted:
        return _cross_fitted(dataset, trained, around, sites, places, people, reach_km)

    made = estimate_map(dataset, trained, around, cross_fit, options, "sites" if people is None else "people")
    if made.estimates:
        shown_as = (card.indicator, made.estimator, support, level, threshold, limits)
        with_values = with_estimates(districts, made.estimates.table, *shown_as)
        if benchmark and made.survey:
            table, words = benchmark_districts(made.estimates.table, with_values, made.survey, benchmark, limits)
            with_values = with_estimates(districts, table, *shown_as)
            made = replace(made, about=sentences(made.about, words))
        districts = with_values
    provenance = _provenance(dataset, trained, area, command)
    shown = dataset_indicator(dataset, card.indicator)
    shown = shown.as_probability if classifies else shown
    drawn = DistrictMap(
        indicator=shown,
        region=area.name,
        area=area.area,
        districts=_with_facts(districts, shown, provenance.simulated),
        sites=predicted.sites,
        level=level,
        support=_support_words(support, predicted.sites, made.estimator),
        provenance=provenance,
        estimator=made.estimator,
        estimator_about=made.about,
        covariates_about=covariates.about,
        weights_about=weights_words(people, reach_km, card.needs_images),
        cells=_map_cells(area, around, predicted.sites, card.indicator, people, covariates),
        areas=made.areas,
    )
    if progress:
        progress("checking dataset, model and map")
    return replace(drawn, passport=map_passport(drawn, given, trained))


def _predicted_districts(
    area: Region,
    predicted: SitePredictions,
    people: PeoplePredictions | None,
    name: str,
    support: Support,
    level: float,
    threshold: float | None,
    limits: tuple[float, float],
) -> gpd.GeoDataFrame:
    """Average predictions over the people of districts or, where these are not known, over their sites."""
    sites = predicted.sites
    if people is not None:
        cells = people.predictions
        return districts_from_cells(
            area.districts, sites, cells.shares, name, cells.error, support, level, threshold, limits,
            complete=cells.complete,
        )  # fmt: skip
    districts = districts_from_sites(
        area.districts, sites, name, predicted.district_error, support, level, threshold, limits
    )
    # a file of districts may say how many people they have, which weigh in benchmarks
    return districts.assign(people=area.districts["people"].to_numpy()) if "people" in area.districts else districts


def _unsurveyed(sites: gpd.GeoDataFrame, places: Places) -> tuple[gpd.GeoDataFrame, Places]:
    """Return the applicable sites that are not clusters."""
    usable = sites["applicable"].to_numpy(bool) & ~sites["surveyed"].to_numpy(bool)
    chosen = sites[usable].reset_index(drop=True)
    row = pd.Series(np.arange(len(places)), index=places.ids)
    return chosen, places.take(row.reindex(chosen["site_id"]).to_numpy())


def _with_sites_beyond(
    dataset: Dataset,
    trained: TrainedModel,
    area: Region,
    around: gpd.GeoDataFrame,
    sites: gpd.GeoDataFrame,
    places: Places,
    covariates: MapCovariates,
) -> tuple[gpd.GeoDataFrame, Places]:
    """Add the sites of surveyed districts beyond the map, which the composite uses as it uses those of the map.

    A model that needs images brings the predictions of all sites from its training; this is for a model of positions.
    """
    others = around.iloc[len(area.districts) :]
    surveyed = assign_districts(dataset.clusters.geometry, others).dropna()
    others = others[others["district_id"].isin(surveyed)].reset_index(drop=True)
    if others.empty:
        return sites, places
    beyond = Region("", shapely.union_all(shapely.make_valid(others.geometry.to_numpy())), others, area.source)
    found, seen = sites_in_region(dataset, beyond, False, trained.card.features, around, covariates=covariates)
    new = np.flatnonzero(~found["surveyed"].to_numpy(bool) & ~found["site_id"].isin(places.ids).to_numpy())
    if not len(new):
        return sites, places
    found, seen = found.iloc[new], seen.take(new)
    found = found.assign(**{trained.card.indicator: trained.model.predict(seen), "applicable": True})
    return pd.concat([sites, found], ignore_index=True), places.joined(seen)


def _cross_fitted(
    dataset: Dataset,
    trained: TrainedModel,
    around: gpd.GeoDataFrame,
    sites: gpd.GeoDataFrame,
    places: Places,
    people: PeoplePredictions | None,
    reach_km: float,
) -> CrossFitted:
    """Return predictions at sites, or for people, by models that were not trained on the district's clusters."""
    if people is None:
        return CrossFitted(cross_fitted_sites(dataset, trained, around, sites, places))
    if not trained.card.needs_images:
        return cross_fitted_people(dataset, trained, around, people.predictions, people.places)
    served = cross_fitted_sites(dataset, trained, around, sites, places)
    return CrossFitted(people_of_cross_fitted_sites(served, people.population, reach_km))


def _map_cells(
    area: Region,
    around: gpd.GeoDataFrame,
    sites: gpd.GeoDataFrame,
    name: str,
    people: PeoplePredictions | None,
    covariates: MapCovariates,
) -> MapCells | None:
    """Return what the raster shows, where it is not interpolated from sites."""
    if people is not None:
        return people.mapped_cells(area)
    if not covariates.names:
        return None
    return cells_of_grid_places(sites, name, bounded_step(area.districts, grid_step(around)))


def _check_parameters(level: float, min_sites: int, min_images: int) -> None:
    for name, number in {"level": level, "min_sites": min_sites, "min_images": min_images}.items():
        if isinstance(number, bool) or not isinstance(number, numbers.Real):
            raise InputError(f"{name}={number!r}: must be a number", parameter=name)
    if not 0 < level < 1:
        raise InputError(f"level={level}: must be between 0 and 1, for example level=0.9", parameter="level")
    if min_sites < 1:
        raise InputError(f"min_sites={min_sites}: must be 1 or more", parameter="min_sites")
    if min_images < 0:
        raise InputError(f"min_images={min_images}: must be 0 or more", parameter="min_images")


def _provenance(dataset: Dataset, trained: TrainedModel, area: Region, command: str) -> Provenance:
    card = trained.card
    return Provenance(
        model=card.model,
        model_about=describe(trained.model),
        dataset=dataset.source,
        boundaries=area.source,
        command=command,
        made=today(),
        version=geolive.__version__,
        simulated=bool(dataset.simulated or card.simulated),
        metrics={metric: figure.value for metric, figure in card.metrics.items() if figure.value is not None},
        uses_images=card.needs_images,
    )


def _with_facts(districts: gpd.GeoDataFrame, indicator: Indicator, simulated: bool) -> gpd.GeoDataFrame:
    """The districts with ranks as the indicator counts them, `simulated` and, on real data, official statistics."""
    districts = ranks_counted(districts, "highest", indicator.ranked_from).assign(simulated=simulated)
    if not simulated:
        districts["official"] = official_sentences(indicator.name, districts["district_id"])
    return districts


def _support_words(support: Support, sites: gpd.GeoDataFrame, estimator: str) -> str:
    places = phrase("counts.surveyed_places", count=support.sites)
    if estimator == "direct":
        return phrase("support.direct", places=places)
    words = support.words
    if estimator in COMPOSITES:
        words = phrase("support.composite", support=words, places=places)
    unlike = int((~sites["applicable"]).sum())
    if not unlike:
        return words
    return phrase("support.unlike", support=words, unlike=unlike, sites=phrase("counts.sites", count=len(sites)))
