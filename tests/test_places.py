import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from geolive.covariate_tables import CovariateTables
from geolive.places import MOST_IMAGES, Places, group_images
from geolive.simulation.sample import make_sample
from geolive.tables import lonlat, points


def test_at_most_200_images_chosen_whatever_the_order_of_rows():
    n = 500
    keys = [f"k{i:04d}" for i in range(n)]
    images = gpd.GeoDataFrame({"key": keys}, geometry=points(np.full(n, 85.0), np.full(n, 25.0)))
    objects = np.zeros((n, 66), np.uint16)
    objects[:, 0] = np.arange(n)
    place = pd.Series(["a"] * n)
    ids, where = np.array(["a"]), np.array([[85.0, 25.0]])
    order = np.random.default_rng(0).permutation(n)
    one = group_images(ids, where, images, objects, place)
    two = group_images(ids, where, images.iloc[order].reset_index(drop=True), objects[order], place)
    assert one.n_images.tolist() == [MOST_IMAGES]
    assert one.objects[:, 0].tolist() == two.objects[:, 0].tolist()
    assert 150 < one.objects[:, 0].mean() < 350  # a choice from all of them, not the first 200


def test_counts_are_sums_over_images_and_their_number():
    rng = np.random.default_rng(1)
    sizes = np.array([3, 0, 2])
    objects = rng.integers(0, 60000, (5, 66)).astype(np.uint16)
    offsets = np.array([0, 3, 3, 5])
    places = Places(np.array(list("abc")), np.zeros((3, 2)), offsets, rng.random((5, 2)), objects)
    wide = objects.astype(float)
    expected = np.array([wide[:3].sum(0), np.zeros(66), wide[3:].sum(0)])
    assert places.counts()[:, :66].tolist() == expected.tolist()
    assert places.counts()[:, 66].tolist() == sizes.tolist()
    taken = places.take(np.array([2, 0]))
    assert taken.ids.tolist() == ["c", "a"]
    assert taken.counts().tolist() == places.counts()[[2, 0]].tolist()
    assert taken.image_positions.tolist() == places.image_positions[[3, 4, 0, 1, 2]].tolist()
    assert [part.ids.tolist() for part in places.parts(2)] == [["a", "b"], ["c"]]
    assert np.array_equal(np.concatenate([part.counts() for part in places.parts(2)]), places.counts())
    assert [part is places for part in places.parts(3)] == [True]
    both = places.joined(taken)
    assert both.counts().tolist() == np.concatenate([places.counts(), taken.counts()]).tolist()


def with_covariate(dataset, names=("rain", "heat")):
    """The dataset with longitudes and latitudes as covariates."""
    tables = [
        pd.DataFrame(dict(zip(names, lonlat(table.geometry).T, strict=True)))
        for table in (dataset.clusters, dataset.images)
    ]
    return dataset.with_covariates(CovariateTables(*tables, {name: {"kind": "table"} for name in names}))


def test_clusters_have_the_covariates_of_their_rows_in_any_order():
    dataset = with_covariate(make_sample("goa", seed=0))
    rows = np.array([5, 0, 3])
    places = dataset.cluster_places(dataset.clusters.iloc[rows].reset_index(drop=True))
    assert places.covariate_names == ("rain", "heat")
    np.testing.assert_array_equal(places.covariates, lonlat(dataset.clusters.geometry)[rows])
    np.testing.assert_array_equal(places.take(np.array([2, 0])).covariates, places.covariates[[2, 0]])
    np.testing.assert_array_equal(places.keep_images(np.arange(1)).covariates, places.covariates)


def test_a_site_has_the_mean_of_all_its_images_without_missing_ones():
    dataset = with_covariate(make_sample("goa", seed=0))
    images = dataset.covariates.images.copy()
    first = np.flatnonzero(dataset.site_of_image == 0)
    images.iloc[first[0], 0] = np.nan
    images.iloc[np.flatnonzero(dataset.site_of_image == 1), 1] = np.nan
    dataset = dataset.with_covariates(CovariateTables(dataset.covariates.clusters, images, dataset.covariates.about))
    places = dataset.site_places(dataset.sites)
    assert places.covariates[0, 0] == pytest.approx(images.iloc[first[1:], 0].mean())
    assert np.isnan(places.covariates[1, 1])
    assert np.isfinite(places.covariates[2:]).all()


def test_joined_places_without_a_covariate_have_none():
    where = np.array([[85.1, 25.6]])
    wet = Places.without_images(np.array(["a"]), where, np.array([[1.0, 2.0]]), ("rain", "heat"))
    dry = Places.without_images(np.array(["b"]), where, np.array([[3.0]]), ("heat",))
    joined = wet.joined(dry)
    assert joined.covariate_names == ("rain", "heat")
    np.testing.assert_array_equal(joined.covariates, [[1, 2], [np.nan, 3]])
