"""Predictions for the people of a region, where a population raster says where they live."""

import numbers
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.languages import phrase
from geolive.mapping.cell_predictions import (
    CellPredictions,
    cell_places,
    cells_of_sites,
    predict_cells,
    with_cell_covariates,
)
from geolive.mapping.map_cells import MapCells
from geolive.mapping.map_covariates import MapCovariates
from geolive.mapping.population_cells import MOST_CELLS, PopulationCells, read_population
from geolive.mapping.site_predictions import SitePredictions
from geolive.models.trained_model import TrainedModel
from geolive.places import Places
from geolive.regions import Region, assign_districts
from geolive.wording import count_of

# each needs the photos of its nearest site again
MOST_CELLS_WITH_PHOTOS = 20_000


@dataclass(frozen=True)
class PeoplePredictions:
    """Predictions for the people of the map's districts, and of surveyed districts beyond them.

    Parameters
    ----------
    population : PopulationCells
    predictions : CellPredictions
    places : Places
        The cells as a model without images sees them.
    """

    population: PopulationCells
    predictions: CellPredictions
    places: Places

    def mapped_cells(self, area: Region) -> MapCells:
        """Return the predictions at the cells of a region's districts."""
        shares = self.population.shares
        inside = shares[shares["district_id"].isin(area.districts["district_id"])]
        people = inside.groupby("cell")["people"].sum()
        table = self.predictions.cells.iloc[people.index.to_numpy()].assign(people=people.to_numpy())
        return MapCells(table.reset_index(drop=True), self.predictions.grid)


def predict_people(
    dataset: Dataset,
    trained: TrainedModel,
    area: Region,
    around: gpd.GeoDataFrame,
    predicted: SitePredictions,
    site_places: Places,
    population: str | Path,
    level: float,
    limits: tuple[float, float],
    reach_km: float,
    covariates: MapCovariates,
    progress: Callable[[str], None] | None = None,
) -> PeoplePredictions:
    """Predict the cells of a population raster in a region's districts, and in surveyed districts beyond it.

    Parameters
    ----------
    dataset : Dataset
    trained : TrainedModel
    area : Region
    around : GeoDataFrame
        The region's districts, then all others of the same boundaries: `district_id`, `geometry`.
    predicted : SitePredictions
        The sites of the region, whose predictions a model that needs images lends to the cells within `reach_km`.
    site_places : Places
        The sites with their images.
    population : str or Path
    level : float
        Level of the intervals.
    limits : tuple of float
        Values that no end of an interval exceeds.
    reach_km : float
    covariates : MapCovariates
        Those of the cells. A model that uses images, too, takes those of the sites where no rasters are given.
    progress : callable, optional

    Raises
    ------
    InputError
        The raster cannot be used, see `geolive.mapping.population_cells.read_population`.
    """
    if progress:
        progress("reading the population")
    others = around.iloc[len(area.districts) :]
    surveyed = set(assign_districts(dataset.clusters.geometry, others).dropna()) if len(others) else set()
    counted = pd.concat([around.iloc[: len(area.districts)], others[others["district_id"].isin(surveyed)]])
    by_photos = trained.card.needs_images
    most = MOST_CELLS_WITH_PHOTOS if by_photos and covariates.given else MOST_CELLS
    people = read_population(population, counted, mapped=len(area.districts), most_cells=most)
    if progress:
        progress(f"predicting {count_of(len(people), 'cell')}")
    places = cell_places(people)
    if by_photos:
        found = cells_of_sites(trained.card.indicator, people, predicted, reach_km)
        if covariates.given:
            places = covariates.add_to(places)
            found = with_cell_covariates(trained, people, found, predicted, site_places, places, reach_km)
        return PeoplePredictions(people, found, places)
    places = covariates.add_to(places)
    return PeoplePredictions(people, predict_cells(trained, people, places, level, limits), places)


def weights_words(people: PeoplePredictions | None, reach_km: float, needs_images: bool) -> str:
    """Say how the places of a district are weighted.

    Examples
    --------
    >>> weights_words(None, 5.0, True)
    'All sites of a district have the same weight, since no population raster was given.'
    """
    if people is None:
        return phrase("about.sites_alike")
    key = "about.by_people_sites" if needs_images else "about.by_people"
    return phrase(key, source=people.population.source, reach=f"{reach_km:g}")


def check_people_parameters(min_people_share: float, reach_km: float) -> None:
    """Raise where a parameter of predictions for people is out of its range.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_people_parameters(50, 5.0)
    Traceback (most recent call last):
    geolive.errors.InputError: min_people_share=50: must be a share of 0 to 1, for example min_people_share=0.5
    """
    for name, number in {"min_people_share": min_people_share, "reach_km": reach_km}.items():
        if isinstance(number, bool) or not isinstance(number, numbers.Real) or not np.isfinite(float(number)):
            raise InputError(f"{name}={number!r}: must be a number", parameter=name)
    if not 0 <= min_people_share <= 1:
        raise InputError(
            f"min_people_share={min_people_share}: must be a share of 0 to 1, for example min_people_share=0.5",
            parameter="min_people_share",
        )
    if not reach_km > 0:
        raise InputError(f"reach_km={reach_km}: must be above 0, for example reach_km=5", parameter="reach_km")
