"""What models see of a dataset: its sites, and clusters and sites as places with images and covariates."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.clusters import form_sites
from geolive.covariate_tables import CovariateTables
from geolive.dataset_files import read_plain_table
from geolive.partitioned_array import FeatureArray
from geolive.places import ImageFeatures, ImageOrder, Places, group_numbered_images
from geolive.tables import lonlat


class DatasetPlaces:
    """The part of `geolive.Dataset` that forms its sites, and gives clusters and sites to models.

    The attributes are those of `geolive.Dataset`.

    Examples
    --------
    >>> import geolive
    >>> dataset = geolive.make_sample("goa")
    >>> isinstance(dataset, DatasetPlaces), len(dataset.cluster_places(dataset.clusters))
    (True, 14)
    """

    images: gpd.GeoDataFrame
    clusters: gpd.GeoDataFrame
    features: Mapping[str, FeatureArray]
    covariates: CovariateTables | None
    path: Path | None
    _listed: frozenset[str]

    @property
    def sites(self) -> gpd.GeoDataFrame:
        """Prediction sites, formed once from all images that belong to no cluster (`geolive.clusters.form_sites`).

        Columns `site_id`, `n_images` and `geometry` (EPSG:4326). The sites do not depend on the region that is mapped.
        """
        return self._sites_and_images[0]

    @property
    def site_of_image(self) -> np.ndarray:
        """Row of `sites` for each image, shape (images,); -1 for an image that belongs to a cluster."""
        return self._sites_and_images[1]

    @cached_property
    def _sites_and_images(self) -> tuple[gpd.GeoDataFrame, np.ndarray]:
        unassigned = np.flatnonzero(self.images["unique_cluster"].isna())
        sites, site_of_unassigned = form_sites(self.images[["geometry"]].iloc[unassigned])
        site_of_image = np.full(len(self.images), -1, np.int32)
        site_of_image[unassigned] = pd.Index(sites["site_id"]).get_indexer(site_of_unassigned)
        return sites, site_of_image

    def image_features(self, name: str, rows: np.ndarray | None = None) -> ImageFeatures:
        """Return features of all images, or of some rows of the images table, which are read only when needed."""
        rows = np.arange(len(self.images)) if rows is None else rows
        return ImageFeatures(name, self.features[name], rows)

    def has_features(self, name: str) -> np.ndarray:
        """Return which images have features of a set, shape (images,); an image whose photo could not be read has none."""
        missing = f"features/{name}.missing.parquet"
        if self.path and missing in self._listed:
            return ~self.images["key"].isin(read_plain_table(self.path / missing)["key"]).to_numpy()
        return np.isfinite(self.features[name][:, 0])

    def cluster_places(self, clusters: gpd.GeoDataFrame, features: str | None = None) -> Places:
        """Return clusters as a model sees them: with covariates, and images if it has object counts or `features` is given.

        Parameters
        ----------
        clusters : GeoDataFrame
            Rows of `clusters`.
        features : str, optional
            A feature set to bring along; images without features are left out.
        """
        ids, where = clusters["unique_cluster"].to_numpy(), lonlat(clusters.geometry)
        if features is None and "objects" not in self.features:
            places = Places.without_images(ids, where)
        else:
            places = self._places(
                ids, where, _numbered(self._cluster_of_image, self.clusters["unique_cluster"], ids), features
            )
        return self.with_covariates_of_clusters(places)

    def with_covariates_of_clusters(self, places: Places) -> Places:
        """Return places whose ids are clusters, with the covariates of these clusters, if the dataset has covariates.

        Examples
        --------
        >>> import geolive
        >>> dataset = geolive.make_sample("goa")
        >>> places = dataset.cluster_places(dataset.clusters.head(2))
        >>> dataset.with_covariates_of_clusters(places).covariate_names
        ()
        """
        if self.covariates is None:
            return places
        rows = pd.Index(self.clusters["unique_cluster"]).get_indexer(places.ids)
        values = self.covariates.clusters.to_numpy(float)[rows]
        return replace(places, covariates=values, covariate_names=self.covariates.names)

    def site_places(self, sites: gpd.GeoDataFrame, features: str | None = None) -> Places:
        """Return sites as a model sees them, with their images, and with the mean of their images' covariates.

        Parameters
        ----------
        sites : GeoDataFrame
            Rows of `sites`.
        features : str, optional
            A feature set to bring along; images without features are left out.

        Examples
        --------
        >>> import geolive
        >>> dataset = geolive.make_sample("goa")
        >>> places = dataset.site_places(dataset.sites.iloc[:3])
        >>> bool((places.n_images == dataset.sites["n_images"][:3].clip(upper=200)).all())
        True
        """
        ids = sites["site_id"].to_numpy()
        of_image = _numbered(self.site_of_image, self.sites["site_id"], ids)
        places = self._places(ids, lonlat(sites.geometry), of_image, features)
        if self.covariates is None:
            return places
        # all images of a site count, not only the 200 that models look at
        known = np.flatnonzero(of_image >= 0)
        means = self.covariates.images.iloc[known].groupby(of_image[known]).mean()
        values = means.reindex(np.arange(len(places))).to_numpy(float)
        return replace(places, covariates=values, covariate_names=self.covariates.names)

    def _places(self, ids: np.ndarray, where: np.ndarray, of_image: np.ndarray, features: str | None) -> Places:
        objects = self.features.get("objects")
        if features is None:
            return group_numbered_images(ids, where, self.images, objects, of_image, self._image_order)
        of_image = np.where(self.has_features(features), of_image, -1)
        own = self.image_features(features)
        return group_numbered_images(ids, where, self.images, objects, of_image, self._image_order, own)

    @cached_property
    def _image_order(self) -> ImageOrder:
        return ImageOrder.of(self.images)

    @cached_property
    def _cluster_of_image(self) -> np.ndarray:
        """Row of `clusters` for each image; -1 for an image that belongs to none."""
        return _rows_of(self.clusters["unique_cluster"], self.images["unique_cluster"])


def _rows_of(names: pd.Series, wanted: pd.Series | np.ndarray) -> np.ndarray:
    """Return the row of each wanted name; -1 where there is none, or the name is null."""
    found = pd.Index(names.to_numpy(object), dtype=object).get_indexer(
        pd.Index(np.asarray(wanted, object), dtype=object)
    )
    return np.where(pd.isna(wanted), -1, found).astype(np.int32)


def _numbered(place_of_image: np.ndarray, names: pd.Series, wanted: np.ndarray) -> np.ndarray:
    """Return the number of each image's place among the wanted ones, -1 for none, from its row among all places."""
    number = np.full(len(names) + 1, -1, np.int32)
    number[_rows_of(names, wanted)] = np.arange(len(wanted))
    # -1, of no place, takes the last
    number[-1] = -1
    return number[place_of_image]
