"""A dataset: images, surveyed clusters, feature sets and the facts about them."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.covariate_tables import CovariateTables
from geolive.dataset_checksum import content_checksum
from geolive.dataset_places import DatasetPlaces
from geolive.errors import InputError
from geolive.partition_files import Partitions
from geolive.partitioned_array import FeatureArray, take_rows
from geolive.rates import sample_sizes
from geolive.remote_paths import remote_origin
from geolive.tables import N_CLASSES, Rows, check_clusters, check_images, row_numbers


def _no_rejects() -> pd.DataFrame:
    return pd.DataFrame({"row": pd.Series(dtype=np.int64), "reason": pd.Series(dtype="str")})


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(DatasetPlaces):
    """Images and surveyed clusters, with the facts that make results reproducible.

    A dataset is checked when it is made, so its parts always belong together. A dataset cannot be changed;
    `select_images`, `select_clusters`, `with_features` and `dataclasses.replace` make a new one. The new dataset has
    neither the `path` nor the `checksum` of the folder of the first one.

    Parameters
    ----------
    images, clusters : GeoDataFrame
        As `geolive.tables` defines them.
    features : dict of str to array
        Feature sets; row i belongs to row i of `images`. "objects" holds object counts, uint16, shape (images, 66).
    indicators : list of str
        The indicators that `clusters` holds.
    source, command : str
        The source of the dataset, and the command that made it.
    simulated : bool
        Whether the survey or the images are simulated.
    thresholds : dict of str to float
        For each indicator, the smallest value whose label is 1.
    rejects : DataFrame
        Rows of the source that were left out: `row` (number) and `reason`.
    extra : dict
        Further metadata to keep in dataset.json.
    covariates : CovariateTables, optional
        Numbers at the places of clusters and images, from rasters and tables (`geolive.covariates`).

    Attributes
    ----------
    path : Path or None
        The folder from which the dataset was read.
    partitions : Partitions or None
        The partitions of a partitioned folder.

    Raises
    ------
    InputError
        A table breaks its contract, or a feature set has another number of rows than `images`.

    See Also
    --------
    geolive.read_dataset : Read a dataset from its folder.
    geolive.make_sample : Simulate a survey and photos.
    geolive.train : Fit a model, with out-of-fold residuals.

    Examples
    --------
    >>> import geolive
    >>> dataset = geolive.make_sample("bihar", n_clusters=40, n_sites=10)
    >>> dataset.simulated, dataset.indicators
    (True, ['pov', 'pop', 'bmi'])
    """

    images: gpd.GeoDataFrame
    clusters: gpd.GeoDataFrame
    features: Mapping[str, FeatureArray]
    indicators: list[str]
    source: str
    command: str
    simulated: bool
    thresholds: dict[str, float] = field(default_factory=dict)
    rejects: pd.DataFrame = field(default_factory=_no_rejects)
    extra: dict[str, Any] = field(default_factory=dict)
    covariates: CovariateTables | None = None
    # not parameters, so that dataclasses.replace does not carry them to a dataset that differs
    path: Path | None = field(init=False, default=None)
    partitions: Partitions | None = field(init=False, default=None)
    _folder_checksum: str | None = field(init=False, default=None)
    # the files of the folder whose checksum was verified; no other is read
    _listed: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        # a dictionary that the caller changes later must not change the dataset
        object.__setattr__(self, "features", dict(self.features))
        object.__setattr__(self, "indicators", list(self.indicators))
        check_images(self.images)
        check_clusters(self.clusters, self.indicators)
        for name, array in self.features.items():
            if np.ndim(array) != 2 or len(array) != len(self.images):
                raise InputError(
                    f"features: {name!r} has shape {np.shape(array)}, and there are {len(self.images):,} images; give one "
                    "row of numbers for each image, or choose images with select_images",
                    parameter="features",
                )
        if "objects" in self.features and self.features["objects"].shape[1] != N_CLASSES:
            raise InputError(
                f"features: 'objects' has {self.features['objects'].shape[1]} columns; object counts have {N_CLASSES}",
                parameter="features",
            )
        if self.covariates is not None:
            rows = len(self.covariates.clusters), len(self.covariates.images)
            if rows != (len(self.clusters), len(self.images)):
                raise InputError(
                    f"covariates: have rows of {rows[0]:,} clusters and {rows[1]:,} images, and there are "
                    f"{len(self.clusters):,} and {len(self.images):,}; give a row for each, or covariates=None",
                    parameter="covariates",
                )

    def __repr__(self) -> str:
        return f"<Dataset: {self._summary()}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(words)}</td></tr>"
            for name, words in (
                ("Dataset", ("SIMULATED: " if self.simulated else "") + self.name),
                ("Images", f"{len(self.images):,}"),
                ("Clusters", f"{len(self.clusters):,}"),
                ("Indicators", ", ".join(self.indicators) or "none"),
                ("Feature sets", ", ".join(self.features) or "none"),
                ("Covariates", ", ".join(self.covariates.names) if self.covariates else "none"),
                ("Source", self.source),
                ("Command", self.command),
            )
        )
        return f"<table>{rows}</table>"

    def _summary(self) -> str:
        simulated = "SIMULATED, " if self.simulated else ""
        of = f" with {', '.join(self.indicators)}" if self.indicators else ""
        features = f"; features: {', '.join(self.features)}" if self.features else ""
        covariates = f"; covariates: {', '.join(self.covariates.names)}" if self.covariates else ""
        return f"{simulated}{len(self.images):,} images, {len(self.clusters):,} clusters{of}{features}{covariates}"

    @property
    def name(self) -> str:
        """Name of the dataset in messages."""
        return remote_origin(self.path) or (str(self.path) if self.path else self.source)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the content: of the folder's list of files if the dataset was read, else of its tables and features."""
        if self._folder_checksum is not None:
            return self._folder_checksum
        names = ("indicators", "source", "simulated", "thresholds", "extra")
        facts = {name: getattr(self, name) for name in names}
        if self.covariates is None:
            return content_checksum([self.images, self.clusters], self.features, facts)
        facts["covariates"] = self.covariates.about
        tables = [self.images, self.clusters, self.covariates.images, self.covariates.clusters]
        return content_checksum(tables, self.features, facts)

    def select_images(self, rows: Rows) -> "Dataset":
        """Return a dataset with some of the images, their features, and all clusters, whose `n_images` is counted again.

        Parameters
        ----------
        rows : array of bool or int, or slice
            A mask of length (images,), or row numbers.

        Raises
        ------
        InputError
            The mask has another length, or a row number is out of range or occurs twice.

        Examples
        --------
        >>> import geolive
        >>> dataset = geolive.make_sample("goa")
        >>> few = dataset.select_images(dataset.images["unique_cluster"].notna())
        >>> len(few.images) == len(few.features["objects"]) == dataset.clusters["n_images"].sum()
        np.True_
        """
        chosen = row_numbers(rows, len(self.images))
        images = self.images.iloc[chosen].reset_index(drop=True)
        count = images["unique_cluster"].value_counts()
        n_images = self.clusters["unique_cluster"].map(count).fillna(0).astype(np.int64)
        return replace(
            self,
            images=images,
            features={name: take_rows(array, chosen) for name, array in self.features.items()},
            clusters=self.clusters.assign(n_images=n_images),
            extra=self.extra_with_photos(),
            covariates=self.covariates and self.covariates.take(slice(None), chosen),
        )

    def select_clusters(self, rows: Rows) -> "Dataset":
        """Return a dataset with some of the clusters. Images of the other clusters are left out; images of no cluster stay.

        Parameters
        ----------
        rows : array of bool or int, or slice
            A mask of length (clusters,), or row numbers.

        Raises
        ------
        InputError
            The mask has another length, or a row number is out of range or occurs twice.

        Examples
        --------
        >>> import geolive
        >>> dataset = geolive.make_sample("goa")
        >>> urban = dataset.select_clusters(dataset.clusters["pop"] > 1000)
        >>> bool((urban.clusters["pop"] > 1000).all())
        True
        """
        chosen = row_numbers(rows, len(self.clusters))
        clusters = self.clusters.iloc[chosen].reset_index(drop=True)
        of_image = self.images["unique_cluster"]
        kept = np.flatnonzero(of_image.isna() | of_image.isin(clusters["unique_cluster"]))
        return replace(
            self,
            images=self.images.iloc[kept].reset_index(drop=True),
            features={name: take_rows(array, kept) for name, array in self.features.items()},
            clusters=clusters,
            extra=self.extra_with_photos(),
            covariates=self.covariates and self.covariates.take(chosen, kept),
        )

    def with_features(self, name: str, array: np.ndarray) -> "Dataset":
        """Return the dataset with a feature set added. It replaces a feature set of the same name.

        Parameters
        ----------
        name : str
        array : array of float, shape (images, columns)

        Raises
        ------
        InputError
            The array has another number of rows than `images`.

        Examples
        --------
        >>> import geolive
        >>> dataset = geolive.make_sample("goa")
        >>> list(dataset.with_features("ones", np.ones((len(dataset.images), 2))).features)
        ['objects', 'ones']
        """
        return self._of_the_same_images(features={**self.features, name: array})

    def with_covariates(self, tables: CovariateTables) -> "Dataset":
        """Return the dataset with covariates added; they replace covariates of the same names.

        Parameters
        ----------
        tables : CovariateTables
            Row i belongs to row i of `clusters` and of `images`.

        Raises
        ------
        InputError
            The tables have another number of rows than `clusters` and `images`.

        Examples
        --------
        >>> import geolive
        >>> dataset = geolive.make_sample("goa")
        >>> clusters, images = (pd.DataFrame({"lat": table.geometry.y}) for table in (dataset.clusters, dataset.images))
        >>> dataset.with_covariates(CovariateTables(clusters, images, {"lat": {"kind": "table"}})).covariates.names
        ('lat',)
        """
        return self._of_the_same_images(covariates=self.covariates.joined(tables) if self.covariates else tables)

    def _of_the_same_images(self, **changes: Any) -> "Dataset":
        changed = replace(self, **changes, extra=self.extra_with_photos())
        if "_sites_and_images" in self.__dict__:
            # the images are the same, so the sites are
            changed.__dict__["_sites_and_images"] = self._sites_and_images
        return changed

    def extra_with_photos(self) -> dict[str, Any]:
        """Return `extra` with the folder of the photos: relative paths of photos start at the dataset's own folder."""
        if self.path is None or "img_path" not in self.images or "photos_folder" in self.extra:
            return self.extra
        return self.extra | {"photos_folder": remote_origin(self.path) or str(self.path)}

    def labelled(self, indicator: str) -> gpd.GeoDataFrame:
        """Return the clusters that have a value of an indicator.

        Raises
        ------
        InputError
            The dataset has no such indicator, or no cluster with a value.
        """
        if indicator not in self.indicators:
            known = ", ".join(self.indicators) or "none"
            raise InputError(
                f"indicator={indicator!r} is not in the dataset {self.name}; it has: {known}", parameter="indicator"
            )
        rows = self.clusters[self.clusters[indicator].notna()]
        if rows.empty:
            raise InputError(
                f"indicator={indicator!r}: no cluster of {self.name} has a value; choose another of: "
                f"{', '.join(self.indicators)}",
                parameter="indicator",
            )
        return rows

    def is_rate(self, indicator: str) -> bool:
        """Return whether an indicator is a rate: its number of cases, `NAME_n`, is known, and `geolive.rates` finds counts.

        Examples
        --------
        >>> import geolive
        >>> geolive.make_sample("goa").is_rate("pov")
        False
        """
        return sample_sizes(self.clusters, indicator) is not None

    def feature_set(self, name: str | None = None) -> str:
        """Return the name of a feature set; without a name, the only one beside the object counts.

        Raises
        ------
        InputError
            There is no such feature set, or there are none or several to choose from.
        """
        there = [known for known in self.features if known != "objects"]
        if name in there:
            return name
        if name is None and len(there) == 1:
            return there[0]
        if not there:
            raise InputError(
                f"{self.name}: has no image features; add some with embed or ingest features", parameter="features"
            )
        if name is None:
            raise InputError(
                f"{self.name}: has several feature sets; choose one with features={there[0]!r}: {', '.join(there)}",
                parameter="features",
            )
        raise InputError(
            f"features={name!r} is not in the dataset {self.name}; it has: {', '.join(there)}", parameter="features"
        )


def check_dataset(dataset: Any) -> None:
    """Raise where an object is not a dataset.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_dataset("data/bihar")
    Traceback (most recent call last):
    geolive.errors.InputError: dataset=str: is not a Dataset; read one with read_dataset(folder)
    """
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"dataset={type(dataset).__name__}: is not a Dataset; read one with read_dataset(folder)",
            parameter="dataset",
        )
