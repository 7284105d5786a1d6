"""One evaluation_task of an evaluation: which clusters, values and folds; refused where it has no answer, with leaks reported."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.geodesy import km_to_chord, unit_sphere
from geolive.metrics import training_means_of
from geolive.places import Places
from geolive.splits import place_numbers, shared_sequences, with_random_state
from geolive.splits.admin import CountrySplit, DistrictSplit, StateSplit
from geolive.splits.knndm import KnndmSplit
from geolive.splits.spatial import BlockSplit
from geolive.tables import lonlat

FEWEST_UNITS = 30
# a survey in whole numbers repeats itself everywhere; a copy is nearby, and there are few of it
_COPY_KM, _MOST_ALIKE = 25.0, 4
SPATIAL = (BlockSplit, KnndmSplit, DistrictSplit, StateSplit, CountrySplit)
Pairs = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class EvaluationTask:
    """What is predicted, where, and from what.

    Parameters
    ----------
    indicator, task, split : str
        As in the results.
    clusters : GeoDataFrame
        With a value, in the order of all arrays here.
    places : Places
    values : array of float, shape (n,)
        Values, or labels 0 and 1.
    splitters : tuple
        One for each partition.
    partitions : tuple of Pairs
        Rows learnt from and tested, for each fold of each partition.
    unit_numbers : tuple of arrays of int, shape (n,)
        What is resampled together in each partition: places, blocks, or districts.
    notes : tuple of str
        What a reader of the figures must know.
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

    def reference(self, partition: int = 0, strata: np.ndarray | None = None) -> np.ndarray:
        """What is known of each cluster without a model: the mean of the clusters that its fold learns from."""
        return training_means_of(self.values, self.partitions[partition], strata)

    def folds(self, partition: int = 0) -> np.ndarray:
        """The fold that each cluster is tested in; -1 where in none."""
        found = np.full(len(self.clusters), -1)
        for fold, (_, test) in enumerate(self.partitions[partition]):
            found[test] = fold
        return found


def make_task(
    dataset: Dataset,
    indicator: str,
    task: str,
    splitter,
    split: str,
    *,
    features: str | None = None,
    needs_images: bool = False,
    among: np.ndarray | None = None,
    repeats: int = 5,
    held: dict[tuple, Places] | None = None,
) -> EvaluationTask:
    """Fix clusters, values and folds.

    Parameters
    ----------
    dataset : Dataset
    indicator : str
    task : {"regression", "classification"}
    splitter
        One of `geolive.splits`.
    split : str
        What to call it, for example "blocks:100km".
    features : str, optional
        A feature set that models may look at.
    needs_images : bool
        Leave out clusters without images (or without these features), so that all models are judged on the same ones.
    among : array of str, optional
        The clusters that some model can predict, where it cannot predict all with images: those whose photos can be used.
    repeats : int
        Partitions of a spatial split that has fewer than 30 units, too few to resample.
    held : dict, optional
        Places of earlier evaluation_tasks, to be given to each: those of the same clusters share them, and their memory.

    Raises
    ------
    InputError
        No such indicator; no value, one class only or constant values; or fewer units than folds.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> evaluation_task = make_task(make_sample("goa", seed=0), "pov", "regression", RandomSplit(), "random")
    >>> len(evaluation_task.partitions), len(evaluation_task.partitions[0])
    (1, 5)
    """
    clusters = dataset.labelled(indicator)
    column = indicator if task == "regression" else f"{indicator}_label"
    without = int(clusters[column].isna().sum())
    clusters = clusters[clusters[column].notna()].reset_index(drop=True)
    notes = [f"{without} clusters have a value but no label, and are left out"] if without else []
    if needs_images:
        seen = clusters["unique_cluster"].isin(_with_images(dataset, features)).to_numpy()
        seen = seen if among is None else seen & clusters["unique_cluster"].isin(among).to_numpy()
        if not seen.any():
            raise InputError(f"{dataset.name}: no cluster with {indicator!r} has an image; use --models baselines")
        if not seen.all():
            notes.append(
                f"{int((~seen).sum())} of {len(seen)} clusters have no images that can be used, and are left out for all models"
            )
            clusters = clusters[seen].reset_index(drop=True)
    places = _places(dataset, clusters, features, held if held is not None else {})
    values = clusters[column].to_numpy(float)
    _check_values(dataset, indicator, task, column, values)
    plain = getattr(splitter, "splitter", splitter)
    units = splitter.units(clusters)
    few = isinstance(plain, SPATIAL) and len(np.unique(units)) < FEWEST_UNITS
    again = [with_random_state(splitter, splitter.random_state + 1000 * i) for i in range(1, repeats)] if few else []
    splitters = (splitter, *again)
    partitions = tuple(list(one.split(clusters)) for one in splitters)
    for _, test in (pair for pairs in partitions for pair in pairs):
        if not len(test):
            raise InputError(
                f"split {split!r}: a fold has no cluster with {indicator!r}; use fewer folds or another split"
            )
    if len(splitters) > 1:
        few_units = f"only {len(np.unique(units))} units, too few to resample alone"
        notes.append(f"split {split}: {few_units}; intervals also span {repeats} partitions")
    notes += leaks(dataset, clusters, places, partitions[0], split)
    notes += [label_rule(clusters, indicator)] if task == "classification" and label_rule(clusters, indicator) else []
    units = (units, *(one.units(clusters) for one in splitters[1:]))
    return EvaluationTask(indicator, task, split, clusters, places, values, splitters, partitions, units, tuple(notes))


def leaks(dataset: Dataset, clusters: gpd.GeoDataFrame, places: Places, pairs: Pairs, split: str) -> list[str]:
    """What stands on both sides of a split, in words: places, photo sequences, copies of clusters.

    Parameters
    ----------
    dataset : Dataset
    clusters : GeoDataFrame
    places : Places
        Of the clusters.
    pairs : list of (array, array)
        Rows learnt from and tested.
    split : str
        Its name.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("goa", seed=0)
    >>> clusters = dataset.clusters.iloc[[0, 1, 0]].assign(unique_cluster=list("abc"))
    >>> pairs = [(np.array([0, 1]), np.array([2]))]
    >>> leaks(dataset, clusters, dataset.cluster_places(clusters), pairs, "mine")[0]
    "LEAK: split mine: 1 of 1 tested clusters stand at a training cluster's place"
    """
    kinds = {
        "stand at a training cluster's place": _shared(place_numbers(lonlat(clusters.geometry)), pairs),
        "equal a training cluster in all that is known of them: copies": _copies(dataset, clusters, places, pairs),
        "share a photo sequence with a training cluster": _share_sequence(dataset, clusters, pairs),
    }
    n = sum(len(test) for _, test in pairs)
    return [f"LEAK: split {split}: {k} of {n} tested clusters {what}" for what, k in kinds.items() if k]


def label_rule(clusters: pd.DataFrame, indicator: str) -> str:
    """What is wrong with an indicator's labels, in words; "" where one threshold explains them all.

    Examples
    --------
    >>> label_rule(pd.DataFrame({"pov": [1.0, 2.0, 3.0], "pov_label": [0.0, 1.0, 0.0]}), "pov")
    "LEAK: 1 of 3 labels of 'pov' do not follow from one threshold; labels made fold by fold tell of the fold"
    """
    known = clusters[clusters[f"{indicator}_label"].notna()]
    ordered = known.sort_values(indicator, kind="stable")[f"{indicator}_label"].to_numpy()
    # labels wrong for a threshold before the i-th value: ones before it, zeros after
    wrong = np.r_[0, np.cumsum(ordered)] + np.r_[np.cumsum((1 - ordered)[::-1])[::-1], 0]
    if not wrong.min():
        return ""
    rule = "do not follow from one threshold; labels made fold by fold tell of the fold"
    return f"LEAK: {int(wrong.min())} of {len(known)} labels of {indicator!r} {rule}"


def _with_images(dataset: Dataset, features: str | None) -> pd.Series:
    """The clusters that have an image, with these features where they are asked for."""
    of_image = dataset.images["unique_cluster"]
    return of_image.dropna() if features is None else of_image[dataset.has_features(features)].dropna()


def _places(dataset: Dataset, clusters: gpd.GeoDataFrame, features: str | None, held: dict[tuple, Places]) -> Places:
    key = (features, *clusters["unique_cluster"])
    if key not in held:
        held[key] = dataset.cluster_places(clusters, features)
    return held[key]


def _check_values(dataset: Dataset, indicator: str, task: str, column: str, values: np.ndarray) -> None:
    if task == "classification" and len(np.unique(values)) < 2:
        raise InputError(
            f"{dataset.name}: column {column!r} has one class only; use --tasks regression, or other labels"
        )
    if task == "regression" and np.ptp(values) == 0:
        raise InputError(
            f"{dataset.name}: all {len(values)} values of {indicator!r} are {values[0]:g}; leave it out of --indicators"
        )


def _shared(numbers: np.ndarray, pairs: Pairs) -> int:
    """How many tested rows have a number (0 or above) that a training row has, too."""
    return sum(int((np.isin(numbers[test], numbers[learn]) & (numbers[test] >= 0)).sum()) for learn, test in pairs)


def _copies(dataset: Dataset, clusters: gpd.GeoDataFrame, places: Places, pairs: Pairs) -> int:
    """How many tested clusters hold what a training cluster holds; without object counts, values alone, if it is near."""
    table = pd.DataFrame(clusters[dataset.indicators]).reset_index(drop=True)
    counted = "objects" in dataset.features
    if counted:
        table = pd.concat([table, pd.DataFrame(places.counts()).add_prefix("objects ")], axis=1)
    number = table.groupby(list(table.columns), dropna=False).ngroup().to_numpy()
    if counted:
        # clusters in which nothing was counted are no copies of each other
        return _shared(np.where(places.counts()[:, :-1].any(axis=1), number, -1), pairs)
    where, found = unit_sphere(lonlat(clusters.geometry)), 0
    for learn, test in pairs:
        both = np.intersect1d(number[learn], number[test])
        for one in both[np.bincount(number)[both] <= _MOST_ALIKE]:
            here, there = test[number[test] == one], learn[number[learn] == one]
            chord = np.linalg.norm(where[here][:, None] - where[there][None], axis=2)
            found += int((chord.min(axis=1) <= km_to_chord(_COPY_KM)).sum())
    return found


def _share_sequence(dataset: Dataset, clusters: gpd.GeoDataFrame, pairs: Pairs) -> int:
    sequences = shared_sequences(dataset.images)
    if sequences.empty:
        return 0
    row = pd.Series(np.arange(len(clusters)), index=clusters["unique_cluster"].to_numpy())
    sequences = sequences.assign(row=row.reindex(sequences["unique_cluster"]).to_numpy()).dropna()
    found = 0
    for learn, test in pairs:
        ways = set(sequences.loc[sequences["row"].isin(learn), "sequence_id"])
        found += sequences.loc[sequences["row"].isin(test) & sequences["sequence_id"].isin(ways), "row"].nunique()
    return found
