"""The places of a region to predict: its surveyed clusters, and the sites of other images or the places of a grid."""

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geolive.antimeridian import bounds_of
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.mapping.grid import grid_places, grid_step
from geolive.mapping.map_covariates import MapCovariates
from geolive.places import Places, group_images
from geolive.regions import Region
from geolive.tables import CRS, lonlat, points


def sites_in_region(
    dataset: Dataset,
    region: Region,
    needs_images: bool,
    features: str | None = None,
    around: gpd.GeoDataFrame | None = None,
    *,
    grid: bool = True,
    covariates: MapCovariates | None = None,
) -> tuple[gpd.GeoDataFrame, Places]:
    """Find the surveyed clusters and the sites of a dataset that lie in a region.

    Where a dataset has no images and the model needs none, the places of a grid are the sites beside the clusters.

    Parameters
    ----------
    dataset : Dataset
    region : Region
    needs_images : bool
        Whether clusters without images are left out.
    features : str, optional
        A feature set that the images bring; those without it are left out.
    around : GeoDataFrame, optional
        All districts of the boundaries. They decide how fine a grid is, so that it does not depend on the map's frame; without
        them the region's districts do.
    grid : bool
        Whether the places of a grid are sites where there are no images; the cells of a population raster take their place.
    covariates : MapCovariates, optional
        They are added to the places of a grid; clusters and sites have those of the dataset.

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

    Examples
    --------
    >>> import geolive as gl
    >>> sites, places = sites_in_region(gl.make_sample("goa"), gl.find_region("goa"), True)
    >>> len(sites) == len(places)
    True
    """
    shapely.prepare(region.area)
    clusters = dataset.clusters[_inside(dataset.clusters, region)]
    places = _surveyed_places(dataset, clusters, features)
    if needs_images:
        places = places.take(np.flatnonzero(places.n_images > 0))
    surveyed = len(places)
    unsurveyed = _unsurveyed_places(dataset, region, features)
    if grid and unsurveyed is None and not needs_images and surveyed:
        unsurveyed = grid_places(region.districts, grid_step(region.districts if around is None else around))
        unsurveyed = unsurveyed if covariates is None else covariates.add_to(unsurveyed)
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


def check_covers(dataset: Dataset, region: Region) -> None:
    """Raise where a dataset has nothing in a region, before a model is fitted in vain.

    Raises
    ------
    InputError

    Examples
    --------
    >>> import geolive as gl
    >>> check_covers(gl.make_sample("goa"), gl.find_region("goa"))
    """
    if not (_inside(dataset.clusters, region).any() or _inside(dataset.images, region).any()):
        raise _nothing_in(dataset, region, "cluster or image")


def _surveyed_places(dataset: Dataset, clusters: gpd.GeoDataFrame, features: str | None) -> Places:
    if features is not None or "objects" in dataset.features:
        return dataset.cluster_places(clusters, features)
    # images in which nothing was counted still show baselines where people are
    ids, where = clusters["unique_cluster"].to_numpy(), lonlat(clusters.geometry)
    places = group_images(ids, where, dataset.images, None, dataset.images["unique_cluster"])
    return dataset.with_covariates_of_clusters(places)


def _unsurveyed_places(dataset: Dataset, region: Region, features: str | None) -> Places | None:
    sites = dataset.sites[_inside(dataset.sites, region)]
    if sites.empty:
        return None
    places = dataset.site_places(sites, features)
    return places.take(np.flatnonzero(places.n_images > 0))


def _inside(table: pd.DataFrame, region: Region) -> np.ndarray:
    return shapely.contains_xy(region.area, lonlat(table.geometry)) if len(table) else np.zeros(0, bool)


def _nothing_in(dataset: Dataset, region: Region, what: str) -> InputError:
    table = dataset.clusters if len(dataset.clusters) else dataset.images
    if not len(table):
        return InputError(f"{dataset.name}: no {what} lies in {region.name}; the dataset is empty", parameter="region")
    lon, lat = lonlat(table.geometry).T
    if shapely.contains_xy(region.area, lat, lon).any():
        return InputError(
            f"{dataset.name}: no {what} lies in {region.name}, but some would if longitude and latitude were exchanged; read "
            "the dataset again with the two columns exchanged",
            parameter="region",
        )
    west, south, east, north = bounds_of(table.geometry)
    box = f"{west:.2f},{south:.2f},{east:.2f},{north:.2f}"
    return InputError(
        f"{dataset.name}: no {what} lies in {region.name}; the dataset covers {box}: map this box with "
        f"region='{box}', or use a "
        "dataset of this region",
        parameter="region",
    )
