"""Leakage that is planted: near neighbours, places and photo sequences on both sides."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsRegressor

from geolive.errors import InputError
from geolive.geodesy import chord_to_km, unit_sphere
from geolive.splits import (
    BlockSplit,
    BufferedSplit,
    CountrySplit,
    DistrictSplit,
    OfficialSplit,
    RandomSplit,
    StateSplit,
    describe_folds,
    fold_numbers,
    parse_split,
    shared_sequences,
    with_random_state,
)
from geolive.tables import points


def table(positions, **columns):
    names = [f"c{i}" for i in range(len(positions))]
    return gpd.GeoDataFrame({"unique_cluster": names} | columns, geometry=points(*np.asarray(positions, float).T))


def nearest_km(positions, learn, test):
    sphere = unit_sphere(positions)
    return chord_to_km(np.linalg.norm(sphere[learn][:, None] - sphere[test][None], axis=2)).min()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(80, 81), st.floats(25, 26)), min_size=8, max_size=30).map(np.array),
    st.floats(0, 40),
    st.sampled_from([RandomSplit(n_splits=3), BlockSplit(n_splits=3, km=30)]),
)
def test_no_training_cluster_is_nearer_than_the_buffer(positions, km, splitter):
    try:
        folds = list(BufferedSplit(splitter, km).split(points(*positions.T)))
    except InputError as error:
        assert "buffer" in str(error) or "folds" in str(error)
        return
    for learn, test in folds:
        assert not set(learn) & set(test)
        assert nearest_km(positions, learn, test) >= km * (1 - 1e-9)


def test_the_folds_are_the_splitters_own():
    positions = np.random.default_rng(0).uniform([80, 25], [84, 29], (200, 2))
    block = BlockSplit("100km")
    apart = BufferedSplit(block, "10 km")
    assert apart == BufferedSplit(block, km=10)
    assert apart.name == "blocks:100km"
    assert np.array_equal(fold_numbers(apart, positions), fold_numbers(block, positions))
    assert np.array_equal(apart.units(points(*positions.T)), block.units(points(*positions.T)))
    plain, buffered = describe_folds(block, positions), describe_folds(apart, positions)
    assert (plain["left_out"] == 0).all()
    assert buffered["left_out"].sum() > 0
    assert (buffered["nearest_km"] >= plain["nearest_km"]).all()
    assert with_random_state(apart, 4).splitter == BlockSplit(km=100, random_state=4)


def test_a_copy_of_test_clusters_nearby_teaches_nothing_behind_a_buffer():
    rng = np.random.default_rng(0)
    positions = rng.uniform([80, 25], [84, 29], (200, 2))
    value = rng.normal(size=200)
    leaked = np.concatenate([positions, positions + np.array([0.0, 0.01])])
    values = np.concatenate([value, value])
    model, places = KNeighborsRegressor(1), RandomSplit(random_state=1, positions=leaked)
    open_, closed = (
        cross_val_score(model, leaked, values, cv=splitter).mean() for splitter in (places, BufferedSplit(places, km=5))
    )
    assert open_ > 0.3
    assert closed < -0.5


def test_photos_of_one_sequence_are_never_on_both_sides():
    clusters = table([[80 + i, 25] for i in range(12)])
    images = pd.DataFrame(
        {
            "unique_cluster": ["c0", "c1", "c2", "c3", "c4", "c4", None, "c5"],
            "sequence_id": ["s", "s", "s", "t", "t", "u", "u", None],
        }
    )
    sequences = shared_sequences(images)
    assert set(sequences["sequence_id"]) == {"s", "t"}
    for learn, test in BufferedSplit(splitter=RandomSplit(n_splits=4), km=0, sequences=sequences).split(clusters):
        for together in ({0, 1, 2}, {3, 4}):
            assert not (together & set(learn) and together & set(test))
        assert {5, 6, 7, 8, 9, 10, 11} <= set(learn) | set(test)


def test_images_without_sequences_share_none():
    assert shared_sequences(pd.DataFrame({"unique_cluster": ["a"]})).empty


def test_nothing_left_to_learn_from_is_an_error():
    near = np.array([[80.0, 25.0], [80.01, 25.0], [80.02, 25.0]])
    with pytest.raises(InputError, match=r"within 10 km.*smaller buffer"):
        list(BufferedSplit(RandomSplit(n_splits=2, positions=near)).split())
    for km, reason in ((-1, "0 to 1,000 km"), ("wide", "a number of kilometres")):
        with pytest.raises(InputError, match=reason):
            BufferedSplit(RandomSplit(), km=km)


def test_states_and_countries_stay_whole():
    clusters = table(
        [[80 + i, 25] for i in range(8)],
        country=list("aaaabbcc"),
        state=["x", "x", "y", "y", "x", "x", "z", "z"],
        district_id=["1", "2", "1", "2", "1", "2", "1", "2"],
    )
    assert len(np.unique(CountrySplit().units(clusters))) == 3
    # state x of country a is not state x of country b
    assert StateSplit().units(clusters).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(np.unique(DistrictSplit().units(clusters))) == 6
    folds = fold_numbers(CountrySplit(n_splits=3), clusters)
    assert (
        clusters.groupby("country")["unique_cluster"].size().tolist()
        == np.bincount(folds)[[*dict.fromkeys(folds)]].tolist()
    )
    with pytest.raises(InputError, match=r"3 countries .* fewer folds"):
        fold_numbers(CountrySplit(), clusters)
    with pytest.raises(InputError, match="split 'state': 2 of 8 clusters have no state"):
        fold_numbers(StateSplit(n_splits=2), clusters.assign(state=["", None, *"yyzzxx"]))


def test_the_official_lists():
    clusters = table([[80 + i, 25] for i in range(6)], split=["train", "val", "train", None, "test", "val"])
    ((learn, test),) = OfficialSplit().split(clusters)
    assert (learn.tolist(), test.tolist()) == ([0, 1, 2, 5], [4])
    ((learn, test),) = OfficialSplit().split(clusters.assign(split=["train", "val", "train", None, None, "val"]))
    assert (learn.tolist(), test.tolist()) == ([0, 2], [1, 5])
    assert parse_split("official").get_n_splits() == 1
    for lists, match in (([None] * 6, "no cluster is in a split list"), (["val"] * 6, "in the list 'train'")):
        with pytest.raises(InputError, match=match):
            list(OfficialSplit().split(clusters.assign(split=lists)))
