import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.places import MOST_IMAGES, Places, group_images
from geolive.tables import points


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
    both = places.joined(taken)
    assert both.counts().tolist() == np.concatenate([places.counts(), taken.counts()]).tolist()
