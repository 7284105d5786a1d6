"""Evaluation tasks: which clusters, values and folds a model is judged on, with leaks reported."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.evaluation.leaks import Pairs, label_rule, leaks
from geolive.metrics import training_means_of
from geolive.models.covariate_inputs import has_covariates
from geolive.places import Places
from geolive.rates import sample_sizes
from geolive.splits import (
    BlockSplit,
    CountrySplit,
    DistrictSplit,
    KnndmSplit,
    RowSplit,
    StateSplit,
    with_random_state,
)
from geolive.wording import count_of

FEWEST_UNITS = 30
SPATIAL = (BlockSplit, KnndmSplit, DistrictSplit, StateSplit, CountrySplit)


@dataclass(frozen=True)
class EvaluationTask:
    """One indicator to be predicted, as values or as labels, on the folds of one split.

    Parameters
    ----------
    indicator, task, split : str
        As in the results.
    clusters : GeoDataFrame
        The clusters with a value; all arrays below are in their order.
    places : Places
        What models know of the clusters.
    values : array of float, shape (n,)
        Values, or labels 0 and 1.
    splitters : tuple
        One for each partition.
    partitions : tuple of Pairs
        Row numbers of the training and of the test part, for each fold of each partition.
    unit_numbers : tuple of arrays of int, shape (n,)
        Number of the unit that is resampled as a whole, in each partition: places, blocks, or districts.
    notes : tuple of str
        What a reader of the figures must know.
    sample_sizes : array of float, shape (n,), optional
        For rates: the number of persons that each was measured of.
    """

    indicator: str
    task: str
    split: str
    clusters: gpd.GeoDataFrame
    places: Places
    values: np.ndarray
    splitters: tuple
    partitions: tuple[Pairs, ...]
    unit_numbers: tuple[np.ndarray, ...]
    notes: tuple[str, ...]
    sample_sizes: np.ndarray | None = None

    def __repr__(self) -> str:
        """Return the task in short."""
        clusters, folds = count_of(len(self.values), "cluster"), count_of(len(self.partitions[0]), "fold")
        return f"<EvaluationTask {self.indicator}, {self.task}, split {self.split}: {clusters}, {folds}>"

    def reference(self, partition: int = 0, strata: np.ndarray | None = None) -> np.ndarray:
        """Compute the mean of the training clusters of each cluster's fold: what is known without a model."""
        return training_means_of(self.values, self.partitions[partition], strata)

    def folds(self, partition: int = 0) -> np.ndarray:
        """Return the fold that each cluster is tested in; -1 where it is tested in none."""
        folds = np.full(len(self.clusters), -1)
        for fold, (_, test) in enumerate(self.partitions[partition]):
            folds[test] = fold
        return folds


def make_task(
    dataset: Dataset,
    indicator: str,
    task: str,
    splitter,
    split: str | None = None,
    *,
    features: str | None = None,
    needs_images: bool = False,
    needs_covariates: bool = False,
    among: np.ndarray | None = None,
    min_images: int = 0,
    repeats: int = 5,
    held: dict[tuple, Places] | None = None,
) -> EvaluationTask:
    """Fix the clusters, values and folds of a task.

    Parameters
    ----------
    dataset : Dataset
    indicator : str
    task : {"regression", "classification"}
    splitter
        A splitter of `geolive.splits`.
    split : str, optional
        Name of the split in the results; by default the splitter's own name, for example "blocks:100km".
    features : str, optional
        The feature set that models use.
    needs_images : bool
        Leave out clusters without images (or without these features), so that all models are judged on the same ones.
    needs_covariates : bool
        Leave out clusters where a covariate has no number.
    among : array of str, optional
        The only clusters with images that some model can predict: those whose photos can be used.
    min_images : int
        Leave out clusters with fewer images (that have these features).
    repeats : int
        Partitions of a spatial split that has fewer than 30 units, too few to resample.
    held : dict, optional
        Places of earlier tasks. Give the same dict to each task: tasks of the same clusters then share places and memory.

    Raises
    ------
    InputError
        There is no such indicator or no value, one class only, constant values, or fewer units than folds.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> make_task(make_sample("goa", seed=0), "pov", "regression", RandomSplit())
    <EvaluationTask pov, regression, split random: 14 clusters, 5 folds>
    """
    split = split or splitter.name
    column = indicator if task == "regression" else f"{indicator}_label"
    clusters, notes = _clusters_with_value(dataset, indicator, column)
    if needs_images:
        clusters, left_out = _clusters_with_images(dataset, clusters, indicator, features, among)
        notes += left_out
    if min_images:
        clusters, left_out = _clusters_with_enough_images(dataset, clusters, features, min_images)
        notes += left_out
    if needs_covariates:
        clusters, left_out = _clusters_with_covariates(dataset, clusters, indicator)
        notes += left_out
    places = _places(dataset, clusters, features, held if held is not None else {})
    values = clusters[column].to_numpy(float)
    _check_values(dataset, indicator, task, column, values)
    units = splitter.units(clusters)
    splitters, few_units = _splitters(splitter, len(np.unique(units)), split, repeats)
    partitions = tuple(list(one.split(clusters)) for one in splitters)
    if any(not len(test) for pairs in partitions for _, test in pairs):
        raise InputError(f"split {split!r}: a fold has no cluster with {indicator!r}; use fewer folds or another split")
    notes += few_units + leaks(dataset, clusters, places, partitions[0], split)
    if task == "classification" and (words := label_rule(clusters, indicator)):
        notes.append(words)
    unit_numbers = (units, *(one.units(clusters) for one in splitters[1:]))
    sizes = sample_sizes(clusters, indicator) if task == "regression" else None
    return EvaluationTask(
        indicator, task, split, clusters, places, values, splitters, partitions, unit_numbers, tuple(notes), sizes
    )


def _clusters_with_value(dataset: Dataset, indicator: str, column: str) -> tuple[gpd.GeoDataFrame, list[str]]:
    clusters = dataset.labelled(indicator)
    without = int(clusters[column].isna().sum())
    notes = []
    if without:
        several = "has" if without == 1 else "have"
        notes.append(
            f"{count_of(without, 'cluster')} {several} a value but no label, and {'is' if without == 1 else 'are'} left out"
        )
    return clusters[clusters[column].notna()].reset_index(drop=True), notes


def _clusters_with_images(
    dataset: Dataset, clusters: gpd.GeoDataFrame, indicator: str, features: str | None, among: np.ndarray | None
) -> tuple[gpd.GeoDataFrame, list[str]]:
    seen = clusters["unique_cluster"].isin(_with_images(dataset, features)).to_numpy()
    seen = seen if among is None else seen & clusters["unique_cluster"].isin(among).to_numpy()
    if not seen.any():
        raise InputError(
            f"{dataset.name}: no cluster with {indicator!r} has an image; evaluate the baselines, or add images"
        )
    if seen.all():
        return clusters, []
    without = f"{int((~seen).sum()):,} of {count_of(len(seen), 'cluster')} have no images that can be used"
    return clusters[seen].reset_index(drop=True), [f"{without}, and are left out for all models"]


def _clusters_with_enough_images(
    dataset: Dataset, clusters: gpd.GeoDataFrame, features: str | None, min_images: int
) -> tuple[gpd.GeoDataFrame, list[str]]:
    n_images = clusters["unique_cluster"].map(_with_images(dataset, features).value_counts()).fillna(0)
    enough = (n_images >= min_images).to_numpy()
    if not enough.any():
        raise InputError(
            f"min_images={min_images}: the cluster of {dataset.name} with the most images has {int(n_images.max())}; choose a "
            "smaller number",
            parameter="min_images",
        )
    if enough.all():
        return clusters, []
    without = f"{int((~enough).sum()):,} of {count_of(len(enough), 'cluster')} have fewer than {min_images} images"
    return clusters[enough].reset_index(drop=True), [f"{without}, and are left out for all models"]


def _clusters_with_covariates(
    dataset: Dataset, clusters: gpd.GeoDataFrame, indicator: str
) -> tuple[gpd.GeoDataFrame, list[str]]:
    known = has_covariates(dataset.cluster_places(clusters))
    if not known.any():
        raise InputError(f"{dataset.name}: no cluster with {indicator!r} has a number for each covariate")
    if known.all():
        return clusters, []
    without = f"{int((~known).sum()):,} of {count_of(len(known), 'cluster')} lack a number for some covariate"
    return clusters[known].reset_index(drop=True), [f"{without}, and are left out for all models"]


def _with_images(dataset: Dataset, features: str | None) -> pd.Series:
    """Select the clusters that have an image, with these features where features are named."""
    of_image = dataset.images["unique_cluster"]
    return of_image.dropna() if features is None else of_image[dataset.has_features(features)].dropna()


def _places(dataset: Dataset, clusters: gpd.GeoDataFrame, features: str | None, held: dict[tuple, Places]) -> Places:
    key = (features, *clusters["unique_cluster"])
    if key not in held:
        held[key] = dataset.cluster_places(clusters, features)
    return held[key]


def _splitters(splitter, n_units: int, split: str, repeats: int) -> tuple[tuple, list[str]]:
    """Make the splitter of each partition: several for a spatial split with few units."""
    inner = getattr(splitter, "splitter", splitter)
    if repeats < 2 or not isinstance(inner, SPATIAL) or n_units >= FEWEST_UNITS:
        return (splitter,), []
    again = (with_random_state(splitter, splitter.random_state + 1000 * i) for i in range(1, repeats))
    few = f"only {count_of(n_units, 'unit')}, too few to resample alone"
    return (splitter, *again), [f"split {split}: {few}; intervals also span {repeats} partitions"]


def units_in_words(task: EvaluationTask) -> str:
    """Say what the split keeps together, for example "172 places that stay together".

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> dataset = make_sample("goa", seed=0)
    >>> units_in_words(make_task(dataset, "pov", "regression", RandomSplit()))
    'RandomSplit, 14 units that stay together'
    >>> units_in_words(make_task(dataset, "pov", "regression", RowSplit()))
    'RowSplit, which parts rows at one place'
    """
    inner = getattr(task.splitters[0], "splitter", task.splitters[0])
    kind = type(inner).__name__
    if isinstance(inner, RowSplit):
        return f"{kind}, which parts rows at one place"
    return f"{kind}, {count_of(len(np.unique(task.unit_numbers[0])), 'unit')} that stay together"


def _check_values(dataset: Dataset, indicator: str, task: str, column: str, values: np.ndarray) -> None:
    if task == "classification" and len(np.unique(values)) < 2:
        raise InputError(
            f"{dataset.name}: column {column!r} has one class only; evaluate regression, or use other labels"
        )
    if task == "regression" and np.ptp(values) == 0:
        raise InputError(
            f"{dataset.name}: all {len(values):,} values of {indicator!r} are {values[0]:g}; leave it out of the indicators"
        )
