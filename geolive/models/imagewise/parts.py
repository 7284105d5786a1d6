"""The training clusters of an image-wise network, and their photos."""

from dataclasses import dataclass, replace
from typing import Self

import geopandas as gpd
import numpy as np

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.models.interface import check_integer
from geolive.places import Places, group_images
from geolive.splits import parse_split
from geolive.tables import lonlat
from geolive.vision.images import PhotoFiles

TEST_FOLDS, VALIDATION_FOLDS = 5, 8


@dataclass(frozen=True)
class TrainingRun:
    """One training of a network, with row numbers of the clusters in each part.

    Parameters
    ----------
    name : str
    train, validation, test : array of int
        The clusters for training, for the choice of the epoch, and for prediction.
    """

    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class PhotoClusters:
    """The clusters that have a value and photos.

    Parameters
    ----------
    table : GeoDataFrame
    values : array of float, shape (n,)
    images : array of int, shape (photos,)
        Rows of the photos in the images table.
    cluster : array of int, shape (photos,)
        The cluster of each photo.
    without_photos : int
        Number of clusters that have a value and no photo.
    with_few_photos : int
        Number of clusters that have fewer photos than were asked for.
    """

    table: gpd.GeoDataFrame
    values: np.ndarray
    images: np.ndarray
    cluster: np.ndarray
    without_photos: int
    with_few_photos: int = 0

    def with_permuted_values(self, random_state: int) -> Self:
        """Return the same clusters with their values exchanged at random."""
        permutation = np.random.default_rng(random_state).permutation(len(self.values))
        return replace(self, values=self.values[permutation])


def plan_runs(
    table: gpd.GeoDataFrame, split: str, folds: int, random_state: int
) -> tuple[list[TrainingRun], np.ndarray]:
    """Choose the clusters of each training; photos follow their cluster.

    Parameters
    ----------
    table : GeoDataFrame
        A clusters table.
    split : str
        As `geolive.splits.parse_split` reads it; "official" uses the lists that came with the data.
    folds : int
        With 0 there is one training, with a fifth of the clusters as its test part. Else there are as many trainings as folds,
        each of which leaves one fold out, and one more that leaves none out.
    random_state : int

    Returns
    -------
    runs : list of TrainingRun
        The network of the last run is kept. An eighth of the clusters that a run may use is its validation part.
    units : array, shape (n,)
        The unit of each cluster, which parts and intervals keep whole.

    Raises
    ------
    InputError
        There are too few places or units for the parts.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> runs, _ = plan_runs(make_sample("bihar", seed=0, n_sites=38).clusters, "random", folds=0, random_state=0)
    >>> [len(part) for part in (runs[0].train, runs[0].validation, runs[0].test)]
    [119, 18, 35]
    """
    if folds == 1:
        raise InputError(
            "folds=1: one fold leaves nothing to train on; choose folds=0 (a test part) or folds=5", parameter="folds"
        )
    if split == "official" and folds:
        raise InputError(
            f"folds={folds}: the official split has no folds; choose folds=0, or split='random'", parameter="folds"
        )
    splitter = parse_split(split, random_state, folds or TEST_FOLDS)
    pairs = list(splitter.split(table))
    if not folds:
        return [_run("model", *pairs[0], table, split, random_state)], splitter.units(table)
    left_out = [_run(f"fold-{i + 1}", *pair, table, split, random_state) for i, pair in enumerate(pairs)]
    everything = _run("model", np.arange(len(table)), np.zeros(0, np.int64), table, split, random_state)
    return [*left_out, everything], splitter.units(table)


def _run(
    name: str, learn: np.ndarray, test: np.ndarray, table: gpd.GeoDataFrame, split: str, random_state: int
) -> TrainingRun:
    """Make a run that is trained on `learn` without its validation part."""
    if split == "official":
        listed = table["split"].to_numpy(object)[learn] == "val"
        if listed.any():
            return TrainingRun(name, learn[~listed], learn[listed], test)
        split = "random"
    train, validation = next(iter(parse_split(split, random_state, VALIDATION_FOLDS).split(table.iloc[learn])))
    return TrainingRun(name, learn[train], learn[validation], test)


def photos_by_cluster(dataset: Dataset, files: PhotoFiles, table: gpd.GeoDataFrame) -> Places:
    """Return the clusters as places whose images are those that have a photo."""
    has_photo = np.array([path is not None for path in files.paths])
    of_image = dataset.images["unique_cluster"].where(has_photo)
    return group_images(table["unique_cluster"].to_numpy(), lonlat(table.geometry), dataset.images, None, of_image)


def clusters_with_photos(
    dataset: Dataset, files: PhotoFiles, indicator: str, task: str, min_images: int = 0
) -> PhotoClusters:
    """Select the training clusters: those with a value, a photo, and no fewer than `min_images` photos.

    Raises
    ------
    InputError
        There is no such indicator, no labelled cluster with so many photos, or only one class.
    """
    check_integer("min_images", min_images, 0)
    labelled = dataset.labelled(indicator)
    places = photos_by_cluster(dataset, files, labelled)
    seen = np.flatnonzero(places.n_images > 0)
    if not len(seen):
        raise InputError(
            f"{dataset.name}: none of the {len(labelled)} clusters with {indicator!r} has a photo; add photos"
        )
    enough = seen[places.n_images[seen] >= min_images]
    if not len(enough):
        raise InputError(
            f"min_images={min_images}: the cluster of {dataset.name} with the most photos has {places.n_images.max()}; choose "
            "a smaller number",
            parameter="min_images",
        )
    places, table = places.take(enough), labelled.iloc[enough].reset_index(drop=True)
    column = indicator if task == "regression" else f"{indicator}_label"
    values = table[column].to_numpy(float)
    if task == "classification" and len(np.unique(values)) < 2:
        raise InputError(f"{dataset.name}: column {column!r} has only one class; choose another indicator or threshold")
    cluster = np.repeat(np.arange(len(places)), places.n_images)
    rows = places.image_rows
    assert rows is not None
    return PhotoClusters(table, values, rows, cluster, len(labelled) - len(seen), len(seen) - len(enough))
