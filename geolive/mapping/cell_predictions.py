"""Predictions for the people in the cells of a population raster."""

from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.geodesy import chord_to_km, unit_sphere
from geolive.mapping.population_cells import CellGrid, PopulationCells
from geolive.mapping.site_predictions import SitePredictions, are_applicable
from geolive.models.trained_model import TrainedModel
from geolive.places import Places
from geolive.tables import lonlat
from geolive.uncertainty.distance_error import distance_error, nearest_km
from geolive.uncertainty.district_intervals import DistrictError
from geolive.uncertainty.site_intervals import are_near, site_errors

# images and clusters within this distance belong together when a model is trained
REACH_KM = 5.0
# cells whose photos are in memory at once
CELLS_AT_ONCE = 256


@dataclass(frozen=True)
class CellPredictions:
    """Predictions at the cells of a grid, and for the people of districts.

    Parameters
    ----------
    cells : DataFrame
        One cell in each row: `row`, `column`, `lon`, `lat`, `people`, and NAME, NAME_lower, NAME_upper, which are NaN
        where the cell is not within reach of a supported prediction.
    shares : DataFrame
        People of places and districts, as `geolive.mapping.districts.districts_from_cells` takes them.
    error : DistrictError
        The errors of predictions, a number for each row of `shares`.
    complete : bool
        Whether every cell has a prediction of its own, and not that of the nearest site.
    grid : CellGrid
    source : str
        Which population raster it is, in words.
    """

    cells: pd.DataFrame
    shares: pd.DataFrame
    error: DistrictError
    complete: bool
    grid: CellGrid
    source: str


def cell_places(population: PopulationCells) -> Places:
    """Return the cells as places without images.

    Parameters
    ----------
    population : PopulationCells

    Examples
    --------
    >>> cells = pd.DataFrame({"row": [3], "column": [0], "lon": [2.5], "lat": [9.0], "people": [10.0]})
    >>> cell_places(PopulationCells(cells, pd.DataFrame(), CellGrid((1, 0, 0, 0, -1, 0), 9, 9, "EPSG:4326"), "")).ids.tolist()
    ['cell 3 0']
    """
    ids = "cell " + population.cells["row"].astype(str) + " " + population.cells["column"].astype(str)
    return Places.without_images(ids.to_numpy(object), population.positions)


def predict_cells(
    trained: TrainedModel,
    population: PopulationCells,
    places: Places,
    level: float,
    limits: tuple[float, float],
) -> CellPredictions:
    """Predict each cell by a model that needs no images.

    Parameters
    ----------
    trained : TrainedModel
    population : PopulationCells
    places : Places
        The cells, as `cell_places` makes them.
    level : float
        Level of the intervals.
    limits : tuple of float
        Values that no end of an interval exceeds.

    Returns
    -------
    CellPredictions
        Cells unlike all training places of the model, and those whose covariates are missing, have no value.

    Examples
    --------
    >>> import geolive as gl
    >>> from geolive.mapping.population_cells import PopulationCells
    >>> cells = pd.DataFrame({"row": [0], "column": [0], "lon": [85.1], "lat": [25.6], "people": [10.0]})
    >>> shares = pd.DataFrame({"cell": [0], "district_id": ["a"], "people": [10.0]})
    >>> one = PopulationCells(cells, shares, CellGrid((1, 0, 85, 0, -1, 26), 1, 1, "EPSG:4326"), "people.tif")
    >>> trained = gl.train(gl.make_sample("bihar", n_clusters=60, n_sites=10), gl.Neighbours(), "pov")
    >>> predict_cells(trained, one, cell_places(one), 0.9, (-np.inf, np.inf)).shares["pov"].notna().tolist()
    [True]
    """
    name = trained.card.indicator
    value = np.full(len(places), np.nan)
    value[:] = trained.model.predict(places)
    known = np.flatnonzero(np.isfinite(value))
    value[known[~are_applicable(trained, places.take(known))]] = np.nan
    judged = trained.residuals[trained.residuals["prediction"].notna()]
    near = are_near(places.positions, lonlat(judged.geometry), judged["fold"].to_numpy())
    errors, nothing = site_errors(judged), np.zeros(len(places), np.int64)
    half = errors.half_width(nothing, near, level)
    half[~np.isfinite(half)] = np.nan
    cells = population.cells.assign(
        **{
            name: value,
            f"{name}_lower": np.clip(value - half, *limits),
            f"{name}_upper": np.clip(value + half, *limits),
        }
    )
    cell = population.shares["cell"].to_numpy()
    shares = population.shares.assign(**{name: value[cell]})
    error = errors.of_districts(nothing, near)
    error = replace(error, shared=np.asarray(error.shared) + _growth(judged, places.positions, near)).take(cell)
    return CellPredictions(cells, shares, error, True, population.grid, population.source)


def _growth(residuals: gpd.GeoDataFrame, positions: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return how much larger the variance of predictions is at places than at the clusters whose residuals are known.

    A survey has its clusters where people live, so many cells are farther from the next cluster than clusters are.
    """
    km = nearest_km(positions, lonlat(residuals.geometry))
    value = residuals["value"].to_numpy(float)
    kinds = ["prediction_near" if "prediction_near" in residuals else "prediction", "prediction"]
    usual = [float(np.nanmean((value - residuals[kind].to_numpy(float)) ** 2)) for kind in kinds]
    return distance_error(residuals).growth(km, np.where(near, *usual))


def cells_of_sites(
    name: str, population: PopulationCells, predicted: SitePredictions, reach_km: float = REACH_KM
) -> CellPredictions:
    """Give each cell the prediction of the nearest site, for models that need images.

    Parameters
    ----------
    name : str
        Column of the indicator.
    population : PopulationCells
    predicted : SitePredictions
        Sites that are not applicable are left out.
    reach_km : float
        Cells farther than this from every site have no value.

    Returns
    -------
    CellPredictions
        Its `shares` have a row for each site and district, so that many people at one site count as one place in the
        interval.

    Examples
    --------
    >>> from geolive.tables import points
    >>> import geopandas as gpd
    >>> columns = {"pov": [1.5], "pov_lower": [1.0], "pov_upper": [2.0], "applicable": [True]}
    >>> sites = gpd.GeoDataFrame(columns, geometry=points([85.1], [25.6]))
    >>> cells = pd.DataFrame({"row": 0, "column": [0, 1], "lon": [85.11, 86], "lat": [25.6, 25.6], "people": [10.0, 5.0]})
    >>> shares = pd.DataFrame({"cell": [0, 1], "district_id": "a", "people": [10.0, 5.0]})
    >>> two = PopulationCells(cells, shares, CellGrid((1, 0, 85, 0, -1, 26), 1, 2, "EPSG:4326"), "people.tif")
    >>> cells_of_sites("pov", two, SitePredictions(sites, DistrictError(0.1, 0.1, 30))).shares["pov"].tolist()
    [nan, 1.5]
    """
    sites = predicted.sites
    # the last row stands for no site in reach
    usable, site = _served(predicted, name, population, reach_km)
    row = np.append(usable, -1)[site]
    columns = [name, f"{name}_lower", f"{name}_upper"]
    numbers = np.vstack([sites[columns].to_numpy(float), np.full(3, np.nan)])[row]
    cells = population.cells.assign(**dict(zip(columns, numbers.T, strict=True)))
    served = people_of_sites(population, site)
    of_share = np.append(usable, -1)[served["site"].to_numpy()]
    value = np.append(sites[name].to_numpy(float), np.nan)[of_share]
    shares = served[["district_id", "people"]].assign(**{name: value})
    shared = predicted.district_error.shared
    error = predicted.district_error
    if np.ndim(shared):
        error = DistrictError(np.append(np.asarray(shared), 0.0)[of_share], error.single, error.n_districts)
    return CellPredictions(cells, shares, error, False, population.grid, population.source)


def _served(
    predicted: SitePredictions, name: str, population: PopulationCells, reach_km: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the sites that serve cells, and which of these is the nearest to each cell, -1 for none."""
    sites = predicted.sites
    usable = np.flatnonzero(sites["applicable"].to_numpy(bool) & sites[name].notna().to_numpy())
    return usable, nearest_sites(population, lonlat(sites.geometry)[usable], reach_km)


def with_cell_covariates(
    trained: TrainedModel,
    population: PopulationCells,
    found: CellPredictions,
    predicted: SitePredictions,
    places: Places,
    cells: Places,
    reach_km: float = REACH_KM,
) -> CellPredictions:
    """Predict each cell from its own covariates and the photos of the nearest site.

    Cells whose nearest site is a cluster that the model was trained on keep that cluster's out-of-fold prediction.

    Parameters
    ----------
    trained : TrainedModel
        It uses images and covariates.
    population : PopulationCells
    found : CellPredictions
        As `cells_of_sites` returns it.
    predicted : SitePredictions
    places : Places
        The sites with their images.
    cells : Places
        The cells with their covariates.
    reach_km : float
        As for `cells_of_sites`.

    Returns
    -------
    CellPredictions
        A cell with a missing covariate, or unlike all training places, has no value.
    """
    name = trained.card.indicator
    usable, site = _served(predicted, name, population, reach_km)
    ids = np.append(predicted.sites["site_id"].to_numpy(object)[usable], [None])[site]
    known = predicted.sites["surveyed"] & predicted.sites["site_id"].isin(trained.residuals["unique_cluster"])
    is_own = np.append(~known.to_numpy(bool)[usable], False)[site]
    row = pd.Series(np.arange(len(places)), index=places.ids).reindex(ids).to_numpy(float)
    value, change = found.cells[name].to_numpy(float).copy(), np.zeros(len(cells))
    own, covariates = np.flatnonzero(is_own), cells.covariate_columns(cells.covariate_names)
    for start in range(0, len(own), CELLS_AT_ONCE):
        part = own[start : start + CELLS_AT_ONCE]
        seen = places.take(row[part].astype(int))
        seen = replace(seen, covariates=covariates[part], covariate_names=cells.covariate_names)
        made = np.asarray(trained.model.predict(seen), float).copy()
        sound = np.flatnonzero(np.isfinite(made))
        made[sound[~are_applicable(trained, seen.take(sound))]] = np.nan
        change[part], value[part] = made - value[part], made
    ends = {f"{name}{end}": found.cells[f"{name}{end}"] + change for end in ("_lower", "_upper")}
    table = found.cells.assign(**{name: value}, **ends)
    return _by_site(found, table, name, population, site)


def _by_site(
    found: CellPredictions, cells: pd.DataFrame, name: str, population: PopulationCells, site: np.ndarray
) -> CellPredictions:
    """Average the cells' values over the people of each site and district; people without a value stand apart."""
    cell = population.shares["cell"].to_numpy()
    value = cells[name].to_numpy(float)[cell]
    # rows of `found` are those of `people_of_sites`, whose order groupby gives
    served = population.shares.assign(site=site[cell], value=value, known=np.isfinite(value))
    served["weighted"] = served["people"] * served["value"].fillna(0.0)
    sums = served.groupby(["district_id", "site", "known"], as_index=False)[["people", "weighted"]].sum()
    keys = people_of_sites(population, site)[["district_id", "site"]]
    row = pd.Series(np.arange(len(keys)), index=pd.MultiIndex.from_frame(keys))
    of_found = row.reindex(pd.MultiIndex.from_frame(sums[["district_id", "site"]])).to_numpy(int)
    mean = np.where(sums["known"], sums["weighted"] / sums["people"], np.nan)
    shares = sums[["district_id", "people"]].assign(**{name: mean})
    return replace(found, cells=cells, shares=shares, error=found.error.take(of_found))


def nearest_sites(population: PopulationCells, positions: np.ndarray, reach_km: float) -> np.ndarray:
    """Return the row number of the site that is nearest to each cell, -1 where none is in reach.

    Parameters
    ----------
    population : PopulationCells
    positions : array of float, shape (m, 2)
        Longitude and latitude of the sites, degrees.
    reach_km : float

    Examples
    --------
    >>> cells = pd.DataFrame({"lon": [85.11, 86.0], "lat": [25.6, 25.6]})
    >>> two = PopulationCells(cells, pd.DataFrame(), CellGrid((1, 0, 85, 0, -1, 26), 1, 2, "EPSG:4326"), "people.tif")
    >>> nearest_sites(two, np.array([[85.1, 25.6]]), 5.0).tolist()
    [0, -1]
    """
    from scipy.spatial import cKDTree

    if not len(positions):
        return np.full(len(population), -1)
    chord, site = cKDTree(unit_sphere(positions)).query(unit_sphere(population.positions))
    return np.where(chord_to_km(chord) <= reach_km, site, -1)


def people_of_sites(population: PopulationCells, site: np.ndarray) -> pd.DataFrame:
    """Sum the people of each site and district.

    Parameters
    ----------
    population : PopulationCells
    site : array of int, shape (n,)
        The site of each cell, -1 for none.

    Returns
    -------
    DataFrame
        `district_id`, `site`, `people`.

    Examples
    --------
    >>> shares = pd.DataFrame({"cell": [0, 1, 1], "district_id": ["a", "a", "b"], "people": [1.0, 2.0, 3.0]})
    >>> three = PopulationCells(pd.DataFrame(), shares, CellGrid((1, 0, 85, 0, -1, 26), 1, 2, "EPSG:4326"), "people.tif")
    >>> people_of_sites(three, np.array([7, 7])).values.tolist()
    [['a', 7, 3.0], ['b', 7, 3.0]]
    """
    served = population.shares.assign(site=site[population.shares["cell"].to_numpy()])
    return served.groupby(["district_id", "site"], as_index=False)["people"].sum()[["district_id", "site", "people"]]
