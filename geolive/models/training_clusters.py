"""The clusters that a model is trained on: those with a value and, where the model needs them, images and covariates."""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.models.covariate_inputs import has_covariates
from geolive.models.interface import Model
from geolive.places import Places
from geolive.rates import sample_sizes


@dataclass(frozen=True)
class TrainingClusters:
    """The clusters to learn from: `values` has a column for each indicator, NaN where a cluster has no value of it."""

    table: gpd.GeoDataFrame
    places: Places
    values: np.ndarray
    without_images: int
    with_few_images: int
    without_covariates: int
    # numbers of persons, where one rate is learnt
    sample_sizes: np.ndarray | None


def training_clusters(
    dataset: Dataset, model: Model, indicators: list[str], features: str | None, min_images: int
) -> TrainingClusters:
    """Select the clusters with a value of any indicator and, where the model needs them, images and covariates."""
    for indicator in indicators:
        dataset.labelled(indicator)
    labelled = dataset.clusters[dataset.clusters[indicators].notna().any(axis=1)].reset_index(drop=True)
    places, seen = dataset.cluster_places(labelled, features), np.ones(len(labelled), bool)
    if model.needs_images:
        seen = places.n_images > 0
        if not seen.any():
            what = "an image" if features is None else f"an image with features {features!r}"
            names = ", ".join(map(repr, indicators))
            raise InputError(
                f"{dataset.name}: none of the {len(labelled)} clusters with {names} has {what}; add images"
            )
        places = places.take(np.flatnonzero(seen))
    table = labelled[seen].reset_index(drop=True)
    enough = places.n_images >= min_images
    if not enough.any():
        most = int(places.n_images.max(initial=0))
        raise InputError(
            f"min_images={min_images}: the cluster of {dataset.name} with the most images has {most}; choose a smaller number",
            parameter="min_images",
        )
    places, table = places.take(np.flatnonzero(enough)), table[enough].reset_index(drop=True)
    measured = np.ones(len(places), bool)
    if model.uses("covariates"):
        measured = has_covariates(places)
        if measured.sum() < 2:
            raise InputError(
                f"{dataset.name}: {int(measured.sum())} of the {len(measured)} clusters with {', '.join(map(repr, indicators))} "
                f"have all covariates ({', '.join(places.covariate_names)}); give rasters that cover the survey"
            )
        places, table = places.take(np.flatnonzero(measured)), table[measured].reset_index(drop=True)
    columns = [name if model.task == "regression" else f"{name}_label" for name in indicators]
    values = table[columns].to_numpy(float)
    if model.task == "classification":
        _check_classes(dataset, values, columns)
    sizes = sample_sizes(table, indicators[0]) if model.task == "regression" and len(indicators) == 1 else None
    return TrainingClusters(
        table, places, values, int((~seen).sum()), int((~enough).sum()), int((~measured).sum()), sizes
    )


def _check_classes(dataset: Dataset, labels: np.ndarray, columns: Sequence[str]) -> None:
    for column, values in zip(columns, labels.T, strict=True):
        if len(np.unique(values[np.isfinite(values)])) < 2:
            raise InputError(
                f"{dataset.name}: column {column!r} has one label only, so a classifier cannot be trained; use "
                "task='regression'"
            )
