from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, cross_val_score
from sklearn.neighbors import KNeighborsRegressor

from geolive.errors import InputError
from geolive.splits import (
    BlockSplit,
    BufferedSplit,
    DistrictSplit,
    KnndmSplit,
    OfficialSplit,
    RandomSplit,
    RowSplit,
    fold_numbers,
    parse_split,
    place_numbers,
)
from geolive.tables import points
from tests.panels import panel, panel_table

positions_of_rows = st.lists(
    st.tuples(st.integers(-180, 180), st.integers(-90, 90)).map(lambda pair: [float(x) for x in pair]),
    min_size=1,
    max_size=40,
).map(np.array)


@pytest.fixture(scope="module")
def clusters(tmp_path_factory):
    return panel(tmp_path_factory.mktemp("panel")).clusters


@given(positions_of_rows, st.integers(0, 3), st.sampled_from([RandomSplit, RowSplit, BlockSplit]))
def test_every_row_is_tested_once_and_places_stay_whole(positions, seed, splitter):
    split = splitter(n_splits=3, random_state=seed)
    together = np.arange(len(positions)) if splitter is RowSplit else split.units(points(*positions.T))
    if len(np.unique(together)) < 3:
        with pytest.raises(InputError, match="3 folds"):
            fold_numbers(split, positions)
        return
    folds = fold_numbers(split, positions)
    assert set(folds) == {0, 1, 2}
    if splitter is not RowSplit:
        for place in np.unique(positions, axis=0):
            assert len(set(folds[(positions == place).all(axis=1)])) == 1


@pytest.mark.parametrize("splitter", [RandomSplit(), BlockSplit(), DistrictSplit()])
def test_folds_hold_about_as_many_clusters_each(clusters, splitter):
    sizes = np.bincount(fold_numbers(splitter, clusters))
    assert len(sizes) == splitter.get_n_splits()
    assert sizes.max() - sizes.min() <= np.bincount(splitter.units(clusters)).max()


@pytest.mark.parametrize("splitter", [RandomSplit, BlockSplit, DistrictSplit, RowSplit])
def test_the_seed_decides(clusters, splitter):
    first = fold_numbers(splitter(random_state=1), clusters)
    assert np.array_equal(first, fold_numbers(splitter(random_state=1), clusters))
    assert not np.array_equal(first, fold_numbers(splitter(random_state=2), clusters))


def test_folds_do_not_depend_on_the_order_of_rows(clusters):
    order = np.random.default_rng(0).permutation(len(clusters))
    for splitter in (RandomSplit(), BlockSplit(), DistrictSplit()):
        shuffled = fold_numbers(splitter, clusters.iloc[order])
        assert np.array_equal(shuffled, fold_numbers(splitter, clusters)[order])


def test_rows_leak_where_places_repeat(clusters):
    place = place_numbers(np.column_stack([clusters.geometry.x, clusters.geometry.y]))
    folds_of_place = [len(set(fold_numbers(RowSplit(), clusters)[place == p])) for p in np.unique(place)]
    assert max(folds_of_place) == 2


def test_places_within_a_billionth_of_a_degree_are_one_wherever_rounding_falls():
    positions = np.array([[80.0 + 4.9e-10, 25.0], [80.0 + 5.1e-10, 25.0], [80.0 + 1e-6, 25.0], [80.0, 25.1]])
    assert place_numbers(positions).tolist()[0] == place_numbers(positions).tolist()[1]
    assert len(set(place_numbers(positions))) == 3


def test_a_place_on_the_edge_of_blocks_is_in_one():
    to_degrees = Transformer.from_crs("EPSG:6933", "EPSG:4326", always_xy=True)
    edges = np.column_stack(to_degrees.transform(np.arange(10) * 100_000.0, np.full(10, 50_000.0)))
    grid = np.repeat(edges, 2, axis=0) + np.tile([[-3e-10, 0.0], [3e-10, 0.0]], (10, 1))
    folds = fold_numbers(BlockSplit(km=100), grid)
    assert np.array_equal(folds[::2], folds[1::2])
    apart = fold_numbers(BlockSplit(km=100), grid + np.tile([[-1e-6, 0.0], [1e-6, 0.0]], (10, 1)))
    assert not np.array_equal(apart[::2], apart[1::2])


def test_blocks_are_as_wide_as_asked():
    lon = np.arange(0, 20, 0.01)
    blocks = BlockSplit(km=100).units(points(lon, np.full(len(lon), 30.0)))
    # at 30°, the grid's true scale, 20° of longitude are 1930 km
    assert len(np.unique(blocks)) == pytest.approx(19.3, abs=1.01)


def test_districts_stay_whole_and_those_that_share_a_place_are_one(clusters):
    folds = fold_numbers(DistrictSplit(), clusters)
    assert all(len(set(folds[clusters["district_id"] == d])) == 1 for d in clusters["district_id"].unique())
    positions = np.column_stack([[80, 80, 81, 82, 83], np.full(5, 25)])
    names = np.array(list("abacd"))
    assert DistrictSplit(n_splits=2, positions=positions).units(groups=names).tolist() == [0, 0, 0, 1, 2]
    assert DistrictSplit(n_splits=2).units(points(*positions.T), names).tolist() == [0, 0, 0, 1, 2]
    # without positions, units are the groups alone
    assert DistrictSplit(n_splits=2).units(np.zeros((5, 7)), names).tolist() == [0, 1, 0, 2, 3]


@pytest.fixture(scope="module")
def features():
    """Features that hold no position, the values to predict, and the positions apart from them."""
    table = panel_table()
    X = np.column_stack([np.sin(table["lon"]), np.cos(table["lat"]), table["wealth"] * 0 + 1])
    return X, table["wealth"].to_numpy(), table[["lon", "lat"]].to_numpy(), table["region"].to_numpy()


@pytest.mark.parametrize(
    "splitter",
    [RandomSplit(), BlockSplit("50km"), DistrictSplit(n_splits=5), KnndmSplit(), BufferedSplit(RandomSplit(), 1)],
)
def test_splitters_serve_scikit_learn(features, splitter):
    X, y, lonlat, region = features
    if isinstance(splitter, BufferedSplit):
        splitter = BufferedSplit(RandomSplit(positions=lonlat), 1)
    else:
        splitter = replace(splitter, positions=lonlat)
    scores = cross_val_score(KNeighborsRegressor(3), X, y, groups=region, cv=splitter)
    assert scores.shape == (5,)
    assert scores.mean() > 0
    search = GridSearchCV(KNeighborsRegressor(), {"n_neighbors": [1, 5]}, cv=splitter).fit(X, y, groups=region)
    assert search.n_splits_ == 5
    by_features, by_points = (list(splitter.split(Z, y, region)) for Z in (X, points(*lonlat.T)))
    assert all(np.array_equal(one[1], other[1]) for one, other in zip(by_features, by_points, strict=True))


def test_districts_need_groups_but_no_positions_in_scikit_learn(features):
    X, y, _, region = features
    assert cross_val_score(KNeighborsRegressor(3), X, y, groups=region, cv=DistrictSplit()).shape == (10,)
    with pytest.raises(InputError, match="no district_id"):
        cross_val_score(KNeighborsRegressor(3), X, y, cv=DistrictSplit(), error_score="raise")
    with pytest.raises(InputError, match="groups has 3 entries and X has 225 rows"):
        list(DistrictSplit().split(X, groups=["a", "b", "c"]))


@pytest.mark.parametrize("splitter", [RandomSplit, BlockSplit, KnndmSplit])
@pytest.mark.parametrize("shape", [(10, 4), (50, 6), (30, 2)])
def test_features_are_never_taken_for_positions(splitter, shape):
    X = np.random.default_rng(0).uniform(0, 1, shape)
    with pytest.raises(InputError, match=rf"use {splitter.__name__}\(positions=lonlat\)"):
        list(splitter(n_splits=2).split(X))
    lonlat = np.column_stack([np.arange(shape[0]), np.zeros(shape[0])])
    tested = np.concatenate([test for _, test in splitter(n_splits=2, positions=lonlat).split(X)])
    assert sorted(tested) == list(range(shape[0]))
    with pytest.raises(InputError, match=f"X has {shape[0]} rows and positions has {shape[0] - 1}"):
        list(splitter(n_splits=2, positions=lonlat[1:]).split(X))
    with pytest.raises(InputError, match="positions of shape"):
        splitter(positions=np.zeros((10, 4)))


def test_rows_need_no_positions():
    assert np.bincount(fold_numbers(RowSplit(), np.zeros((20, 6)))).tolist() == [4] * 5


@pytest.mark.parametrize("make", [lambda p: p, lambda p: gpd.GeoDataFrame({"a": 1}, index=p.index, geometry=p)])
def test_points_are_positions_in_any_reference_system(make):
    lonlat = np.random.default_rng(0).uniform([80, 22], [86, 27], (60, 2))
    table = make(points(*lonlat.T))
    folds = fold_numbers(BlockSplit("80km"), table)
    assert np.array_equal(folds, fold_numbers(BlockSplit("80km"), table.to_crs("EPSG:32645")))
    assert np.array_equal(
        folds, fold_numbers(BlockSplit("80km", positions=table.to_crs("EPSG:32645")), np.zeros((60, 3)))
    )
    with pytest.raises(InputError, match="Polygon"):
        fold_numbers(BlockSplit("80km"), table.to_crs("EPSG:32645").buffer(1))


def test_parameters_are_checked():
    for wrong in ({"n_splits": 1}, {"n_splits": 2.5}, {"n_splits": True}, {"random_state": None}, {"random_state": -1}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            RandomSplit(**wrong)
    with pytest.raises(InputError, match="longitude 25 and latitude 120"):
        RandomSplit(positions=[[25.0, 120.0]])
    with pytest.raises(InputError, match="must be numbers"):
        RandomSplit(positions=[["a", "b"]])


def test_a_representation_makes_the_splitter_again():
    for splitter in (BlockSplit("100km", n_splits=3), RandomSplit(4, random_state=2), DistrictSplit(), OfficialSplit()):
        assert eval(repr(splitter)) == splitter
    assert repr(RandomSplit(positions=np.zeros((3, 2)))).endswith("positions=<array of shape (3, 2)>)")


def test_scikit_learns_splitters_serve_here(clusters):
    assert np.bincount(fold_numbers(KFold(3), clusters)).sum() == len(clusters)
    with pytest.raises(ValueError, match="exactly once"):
        fold_numbers(ShuffleSplit(3, random_state=0), clusters)


@pytest.mark.parametrize(
    ("text", "splitter"),
    [
        ("random", RandomSplit()),
        ("rows", RowSplit()),
        ("blocks:100km", BlockSplit()),
        ("Blocks:12.5", BlockSplit(km=12.5)),
        (" district ", DistrictSplit()),
    ],
)
def test_splits_by_name(text, splitter):
    assert parse_split(text) == splitter
    assert parse_split(splitter.name) == splitter


@pytest.mark.parametrize(
    "text", ["blocks", "blocks:", "blocks:big", "blocks:-5km", "blocks:nan", "blocks:0km", "blocks:1e9km"]
)
def test_bad_block_sizes(text):
    with pytest.raises(InputError, match="block"):
        parse_split(text)


def test_an_unknown_split_lists_the_known():
    with pytest.raises(InputError, match=r"'kmeans'.*random, rows, blocks:100km .*district"):
        parse_split("kmeans")


def test_too_few_units_say_what_to_change(clusters):
    few = clusters.iloc[:3]
    for splitter, remedy in (
        (RandomSplit(), "fewer folds"),
        (RowSplit(), "fewer folds"),
        (BlockSplit(km=5000), "smaller blocks"),
        (DistrictSplit(), "blocks:100km"),
    ):
        with pytest.raises(InputError, match=remedy):
            fold_numbers(splitter, few)
    with pytest.raises(InputError, match="at least 2"):
        RandomSplit(n_splits=1)


def test_districts_must_be_known(clusters):
    with pytest.raises(InputError, match=r"2 of \d+ clusters have no district_id.*read_survey\(group='COLUMN'\)"):
        fold_numbers(DistrictSplit(), clusters.assign(district_id=[None, None, *clusters["district_id"][2:]]))
    with pytest.raises(InputError, match="no district_id"):
        fold_numbers(DistrictSplit(), np.zeros((4, 2)))


def test_a_row_without_a_position_is_named():
    with pytest.raises(InputError, match="cluster 1 has no position"):
        fold_numbers(RandomSplit(n_splits=2), np.array([[80.0, 25.0], [np.nan, 25.0]]))
