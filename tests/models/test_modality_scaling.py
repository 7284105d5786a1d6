"""How features and object counts are weighed against each other. Not tested here: what networks gain by it."""

from dataclasses import replace

import numpy as np
import pytest

from geolive.graphs.node_features import fit_vertices
from geolive.models.attention import MeanPooling
from geolive.models.modality_scaling import RATIOS, balanced
from geolive.places import ImageFeatures
from tests.graphs.places import make_places


def made(tells, n=90, width=8, seed=0):
    """Places whose features, or counts, tell the values."""
    rng = np.random.default_rng(seed)
    places = make_places(np.full(n, 4))
    of_image = np.repeat(np.arange(n), 4)
    truth = rng.standard_normal((n, 1))
    array = rng.normal(size=(4 * n, width)).astype(np.float32)
    objects = rng.poisson(3.0, places.objects.shape).astype(np.uint16)
    if tells == "features":
        array[:, :2] += 2 * truth[of_image]
    if tells == "counts":
        objects[:, :3] = rng.poisson(np.exp(1 + truth[of_image]), (4 * n, 3))
    return replace(places, objects=objects, features=ImageFeatures("made", array, np.arange(4 * n))), truth


@pytest.mark.parametrize(("tells", "quiet"), [("counts", 0), ("features", -1)])
def test_what_tells_nothing_becomes_small_and_the_other_part_stays(tells, quiet):
    places, truth = made(tells)
    before = fit_vertices(places, "objects,features")
    after = balanced(before, places, truth)
    known = before.factor > 0
    ratio = np.where(known, after.factor, 1) / np.where(known, before.factor, 1)
    assert ratio[quiet] <= 0.25
    assert ratio[-1 - quiet] == 1
    assert min(ratio[quiet], 1 / ratio[quiet]) in RATIOS
    assert np.array_equal(after.mean, before.mean)


def test_places_without_a_value_say_nothing():
    places, truth = made("counts")
    two = np.column_stack([truth, np.full(len(truth), np.nan)])
    scaling = fit_vertices(places, "objects,features")
    assert np.array_equal(balanced(scaling, places, two).factor, balanced(scaling, places, truth).factor)
    nothing = balanced(scaling, places, np.full((len(truth), 1), np.nan))
    assert np.array_equal(nothing.factor, scaling.factor)


@pytest.mark.parametrize("kind", ["objects", "features"])
def test_one_part_alone_is_left_as_it_is(kind):
    places, truth = made("counts")
    scaling = fit_vertices(places, kind)
    assert balanced(scaling, places, truth) is scaling


def test_a_network_is_saved_with_its_balance(tmp_path):
    places, truth = made("counts")
    model = MeanPooling(epochs=1, inputs="objects,features").fit(places, truth[:, 0])
    again = MeanPooling.load(tmp_path, model.save(tmp_path))
    assert np.array_equal(again.predict(places), model.predict(places))
    assert model.tensors()["scaling.factor"][0] < fit_vertices(places, "objects,features").factor[0]
