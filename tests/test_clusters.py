import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.clusters import (
    MOST_IMAGES,
    Places,
    chord_to_km,
    form_sites,
    group_images,
    km_to_chord,
    unit_sphere,
)
from geolive.tables import points


def table(lon, lat):
    keys = [f"k{i:04d}" for i in range(len(lon))]
    return gpd.GeoDataFrame({"key": keys}, geometry=points(lon, lat))


def great_circle(a, b):
    return chord_to_km(np.linalg.norm(unit_sphere(a) - unit_sphere(b), axis=1))


def test_distances_are_on_the_sphere():
    quarter = great_circle(np.array([[0.0, 0.0]]), np.array([[90.0, 0.0]]))
    assert quarter == pytest.approx(6371.0088 * np.pi / 2)
    assert great_circle(np.array([[179.9, 0.0]]), np.array([[-179.9, 0.0]])) == pytest.approx(22.24, abs=0.01)
    assert chord_to_km(km_to_chord(5.0)) == pytest.approx(5.0)


positions = st.lists(st.tuples(st.floats(84.0, 84.4), st.floats(25.0, 25.4)), min_size=1, max_size=60)


@settings(deadline=None)
@given(positions)
def test_every_image_is_in_one_site_within_reach(where):
    images = table(*np.array(where).T)
    sites, of_image = form_sites(images)
    assert of_image.notna().all()
    assert of_image.value_counts().reindex(sites["site_id"]).tolist() == sites["n_images"].tolist()
    middle = sites.set_index("site_id").geometry.loc[of_image]
    away = great_circle(np.column_stack([middle.x, middle.y]), np.array(where))
    assert away.max() < 2 * 5.0 + 1.5  # both within the radius of one cell of about 1 km


@settings(deadline=None, max_examples=30)
@given(positions, st.randoms())
def test_sites_do_not_depend_on_the_order_of_rows(where, random):
    order = list(range(len(where)))
    random.shuffle(order)
    images = table(*np.array(where).T)
    _, of_image = form_sites(images)
    _, of_shuffled = form_sites(images.iloc[order].reset_index(drop=True))
    assert of_shuffled.tolist() == of_image.iloc[order].tolist()


def test_a_site_across_the_antimeridian_stays_there():
    sites, _ = form_sites(table([179.99, -179.99], [0.0, 0.0]))
    assert np.abs(sites.geometry.x).min() > 179.9


def test_no_image_gives_no_site():
    sites, of_image = form_sites(table([], []))
    assert len(sites) == len(of_image) == 0


def test_at_most_200_images_chosen_whatever_the_order_of_rows():
    n = 500
    images = table(np.full(n, 85.0), np.full(n, 25.0))
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
