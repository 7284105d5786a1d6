"""What a vertex holds. Not tested here: what networks make of it."""

from dataclasses import replace

import numpy as np
import pytest

from geolive.errors import InputError
from geolive.graphs.batches import batches
from geolive.graphs.edges import parse_edges
from geolive.graphs.node_features import fit_vertices
from geolive.places import ImageFeatures
from tests.graphs.places import make_places


def with_features(places, width=20, dtype=np.float32, seed=0):
    rng, n = np.random.default_rng(seed), len(places.image_positions)
    array = (rng.normal(3, 1, (n + 5, width)) * rng.uniform(1, 10, width)).astype(dtype)
    array[:, 0] = 7
    return replace(places, features=ImageFeatures("resnet34", array, rng.permutation(n + 5)[:n]))


@pytest.fixture(scope="module")
def places():
    return with_features(make_places(np.array([3, 40, 1, 200, 17])))


@pytest.mark.parametrize(("kind", "size"), [("objects", 66), ("features", 20), ("objects,features", 86)])
def test_vertices_are_standardised_over_the_training_images(places, kind, size):
    vertices = fit_vertices(places, kind).of(places)
    found = vertices.read(np.arange(261)).astype(float)
    assert found.shape == (261, vertices.size) == (261, size)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    features, objects = (found[:, :20], found[:, 20:]) if kind == "objects,features" else (found, found)
    if "features" in kind:
        assert (features[:, 0] == 0).all()
        assert np.allclose(features[:, 1:].std(axis=0), features[:, 1].std(), rtol=1e-3)
    for part in (features, objects):
        assert part.std(axis=0).max() == pytest.approx(1, rel=1e-3)


def test_rows_are_the_images_and_their_counts_enter_as_logarithms(places):
    scaling = fit_vertices(places, "objects,features")
    images = np.array([200, 3, 3, 17])
    found = scaling.of(places).read(images)
    raw = np.hstack([places.features.read(images), np.log1p(places.objects[images])])
    np.testing.assert_allclose(found, (raw - scaling.mean) * scaling.factor, atol=1e-4)


def test_scale_does_not_depend_on_the_size_of_a_cluster(places):
    scaling = fit_vertices(places, "objects,features")
    alone = places.take(np.array([3])).keep_images(np.array([7]))
    whole = scaling.of(places).read(np.array([places.offsets[3] + 7]))
    assert np.array_equal(scaling.of(alone).read(np.array([0])), whole)


def test_batches_hold_them(places):
    vertices = fit_vertices(places, "objects,features").of(places)
    for batch in batches(places, vertices, parse_edges("distance"), 5.0, batch_size=2):
        for row, found, mask in zip(batch.rows, batch.vertices, batch.mask, strict=True):
            n = int(mask.sum())
            images = np.arange(places.offsets[row], places.offsets[row + 1])
            assert np.array_equal(found[:n], vertices.read(images))
            assert found[n:].count_nonzero() == 0


def test_half_precision_features_are_read_as_they_are(places):
    half = with_features(make_places(np.array([5, 5])), dtype=np.float16)
    single = replace(half, features=replace(half.features, array=half.features.array.astype(np.float32)))
    read = [fit_vertices(p, "features").of(p).read(np.arange(10)) for p in (half, single)]
    assert np.array_equal(*read)


def test_what_cannot_be_a_vertex_ends_in_one_line(places):
    plain = make_places(np.array([2]))
    with pytest.raises(InputError, match="inputs='objects,features': the places have no image features"):
        fit_vertices(plain, "objects,features")
    with pytest.raises(InputError, match=r"^inputs=.obj.: must be one or more of objects"):
        fit_vertices(plain, "obj")
    scaling = fit_vertices(places, "features")
    with pytest.raises(InputError, match="8 numbers each, and training saw 20"):
        scaling.of(with_features(plain, width=8))
    array = places.features.array.copy()
    array[places.features.rows[places.offsets[3] + 4], 2] = np.nan
    broken = replace(places, features=replace(places.features, array=array))
    for act in (lambda: fit_vertices(broken, "objects,features"), lambda: scaling.of(broken).read(np.arange(261))):
        with pytest.raises(
            InputError, match="'resnet34': an image of place 'place-3' has features that are not numbers"
        ):
            act()
    array[:] = 6e4
    assert np.isfinite(
        fit_vertices(replace(places, features=replace(places.features, array=array)), "features").factor
    ).all()
