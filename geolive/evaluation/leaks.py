"""Leaks: clusters in both parts of a split, and labels that depend on the fold."""

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.geodesy import km_to_chord, unit_sphere
from geolive.places import Places
from geolive.rates import sample_sizes
from geolive.splits import place_numbers, shared_sequences
from geolive.tables import lonlat
from geolive.wording import count_of

# values in whole numbers repeat everywhere, so only near clusters with the same values, and few of them, count as copies
_COPY_KM, _MOST_ALIKE = 25.0, 4
Pairs = list[tuple[np.ndarray, np.ndarray]]


def leaks(dataset: Dataset, clusters: gpd.GeoDataFrame, places: Places, pairs: Pairs, split: str) -> list[str]:
    """Say which tested clusters are also in the training part: by place, by photo sequence, or as a copy.

    Parameters
    ----------
    dataset : Dataset
    clusters : GeoDataFrame
    places : Places
        Of the clusters.
    pairs : list of (array, array)
        Row numbers of the training and of the test part of each fold.
    split : str
        Name of the split.

    Returns
    -------
    list of str
        One sentence for each kind of leak.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("goa", seed=0)
    >>> clusters = dataset.clusters.iloc[[0, 1, 0]].assign(unique_cluster=list("abc"))
    >>> pairs = [(np.array([0, 1]), np.array([2]))]
    >>> leaks(dataset, clusters, dataset.cluster_places(clusters), pairs, "mine")[0]
    "LEAK: split mine: 1 of 1 tested cluster is at a training cluster's place"
    """
    kinds = [
        ("is", "are", "at a training cluster's place", _shared(place_numbers(lonlat(clusters.geometry)), pairs)),
        (
            "equals",
            "equal",
            "a training cluster in all its known values (a copy)",
            _copies(dataset, clusters, places, pairs),
        ),
        ("shares", "share", "a photo sequence with a training cluster", _share_sequence(dataset, clusters, pairs)),
    ]
    tested = count_of(sum(len(test) for _, test in pairs), "tested cluster")
    return [
        f"LEAK: split {split}: {k:,} of {tested} {one if k == 1 else several} {words}"
        for one, several, words, k in kinds
        if k
    ]


def label_rule(clusters: pd.DataFrame, indicator: str) -> str:
    """Say what is wrong with an indicator's labels; "" where one threshold explains them all.

    Parameters
    ----------
    clusters : DataFrame
        With the columns `NAME` and `NAME_label` of the indicator.
    indicator : str

    Examples
    --------
    >>> label_rule(pd.DataFrame({"pov": [1.0, 2.0, 3.0], "pov_label": [0.0, 1.0, 0.0]}), "pov")
    "LEAK: 1 of 3 labels of 'pov' do not follow from one threshold; labels that are made fold by fold reveal the fold"
    """
    known = clusters[clusters[f"{indicator}_label"].notna()]
    ordered = known.sort_values(indicator, kind="stable")[f"{indicator}_label"].to_numpy()
    # labels wrong for a threshold before the i-th value: ones before it, zeros after
    wrong = np.r_[0, np.cumsum(ordered)] + np.r_[np.cumsum((1 - ordered)[::-1])[::-1], 0]
    if not wrong.min():
        return ""
    rule = "do not follow from one threshold; labels that are made fold by fold reveal the fold"
    return f"LEAK: {int(wrong.min()):,} of {len(known):,} labels of {indicator!r} {rule}"


def _shared(numbers: np.ndarray, pairs: Pairs) -> int:
    """Count how many tested rows have a number (0 or above) that a training row has, too."""
    return sum(int((np.isin(numbers[test], numbers[train]) & (numbers[test] >= 0)).sum()) for train, test in pairs)


def _copies(dataset: Dataset, clusters: gpd.GeoDataFrame, places: Places, pairs: Pairs) -> int:
    """Count how many tested clusters equal a training cluster in values and counts; without counts, in values and nearby."""
    # rates of some twenty persons are equal by chance, so they tell nothing
    values = [name for name in dataset.indicators if sample_sizes(clusters, name) is None]
    table = pd.DataFrame(clusters[values]).reset_index(drop=True)
    counted = "objects" in dataset.features
    if not values and not counted:
        return 0
    if counted:
        table = pd.concat([table, pd.DataFrame(places.counts()).add_prefix("objects ")], axis=1)
    number = table.groupby(list(table.columns), dropna=False).ngroup().to_numpy()
    if counted:
        # clusters in which nothing was counted are no copies of each other
        return _shared(np.where(places.counts()[:, :-1].any(axis=1), number, -1), pairs)
    sphere, copies = unit_sphere(lonlat(clusters.geometry)), 0
    for train, test in pairs:
        both = np.intersect1d(number[train], number[test])
        for one in both[np.bincount(number)[both] <= _MOST_ALIKE]:
            here, there = test[number[test] == one], train[number[train] == one]
            chord = np.linalg.norm(sphere[here][:, None] - sphere[there][None], axis=2)
            copies += int((chord.min(axis=1) <= km_to_chord(np.asarray(_COPY_KM))).sum())
    return copies


def _share_sequence(dataset: Dataset, clusters: gpd.GeoDataFrame, pairs: Pairs) -> int:
    """Count how many tested clusters share a photo sequence with a training cluster."""
    sequences = shared_sequences(dataset.images)
    if sequences.empty:
        return 0
    row = pd.Series(np.arange(len(clusters)), index=clusters["unique_cluster"].to_numpy())
    sequences = sequences.assign(row=row.reindex(sequences["unique_cluster"]).to_numpy()).dropna()
    sharing = 0
    for train, test in pairs:
        in_training = set(sequences.loc[sequences["row"].isin(train), "sequence_id"])
        both = sequences["row"].isin(test) & sequences["sequence_id"].isin(in_training)
        sharing += sequences.loc[both, "row"].nunique()
    return sharing
