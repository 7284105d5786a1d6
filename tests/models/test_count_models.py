import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor

from geolive.errors import InputError
from geolive.models import clusterwise
from geolive.models.baselines import Mean, NeighbourImages
from geolive.models.boosting import AuthorsBoosting, Boosting
from geolive.models.count_models import ExtraTrees, NearestCounts, RidgeCounts
from geolive.models.cross_validation import cross_val_predict
from geolive.models.dense_network import DenseNetwork
from geolive.models.residual_kriging import ResidualKriging
from geolive.places import Places


@pytest.fixture(scope="module")
def world():
    """200 places of 3 images; the value follows objects of class 5, and a smooth field."""
    rng = np.random.default_rng(0)
    where = rng.uniform([80, 25], [82, 27], (200, 2))
    counts = rng.poisson(3, (600, 66)).astype(np.uint16)
    counts[:, 5] = rng.poisson(np.repeat(rng.gamma(2, 4, 200), 3))
    images = np.repeat(where, 3, axis=0) + rng.normal(0, 0.01, (600, 2))
    places = Places(np.arange(200).astype(str), where, np.arange(0, 601, 3), images, counts)
    signal = np.log1p(places.counts()[:, 5])
    field = np.sin(3 * where[:, 0]) + np.cos(3 * where[:, 1])
    return places, signal, field


def r2(model, places, values):
    folds = np.arange(len(places)) % 4
    predicted = cross_val_predict(model, places, values, folds)
    return 1 - ((values - predicted) ** 2).sum() / ((values - values.mean()) ** 2).sum()


@pytest.mark.parametrize(
    ("model", "least"),
    [
        (Boosting(), 0.8),
        (Boosting(max_depth=6), 0.8),
        (AuthorsBoosting(max_depth=5, n_estimators=60), 0.8),
        (ExtraTrees(n_estimators=30), 0.8),
        (RidgeCounts(), 0.7),
        (DenseNetwork(epochs=25), 0.4),
    ],
)
def test_objects_are_learnt_from(world, model, least):
    places, signal, _ = world
    assert r2(model, places, signal) > least
    assert r2(model, places, np.random.default_rng(1).permutation(signal)) < 0.1


def test_k_nearest_counts_are_scikit_learns(world):
    places, signal, _ = world
    expected = KNeighborsRegressor(3).fit(places.counts()[50:], signal[50:]).predict(places.counts()[:50])
    rest, first = places.take(np.arange(50, 200)), places.take(np.arange(50))
    assert np.array_equal(NearestCounts().fit(rest, signal[50:]).predict(first), expected)


def test_many_places_are_predicted_in_parts(world, monkeypatch):
    places, signal, _ = world
    model = NearestCounts().fit(places, signal)
    whole, none = model.predict(places), model.predict(places.take(np.arange(0)))
    monkeypatch.setattr(clusterwise, "_PLACES", 30)
    assert np.array_equal(model.predict(places), whole)
    assert none.shape == (0,)


@pytest.mark.parametrize("make", [NearestCounts, Boosting, AuthorsBoosting, ExtraTrees, RidgeCounts])
def test_labels_give_probabilities(world, make):
    places, signal, _ = world
    label = (signal > np.median(signal)).astype(float)
    found = make(task="classification").fit(places, label).predict(places)
    assert ((found >= 0) & (found <= 1)).all()
    assert ((found >= 0.5) == (label == 1)).mean() > 0.8
    assert (make(task="classification").fit(places, np.ones(200)).predict(places) == 1).all()


def test_the_network_keeps_its_best_epoch_on_the_validation_part_and_repeats(world):
    places, signal, _ = world
    learn, validate = places.take(np.arange(150)), places.take(np.arange(150, 200))
    noise = np.random.default_rng(2).normal(size=150)
    settings = {"epochs": 40, "learning_rate": 0.01}
    errors = [
        ((DenseNetwork(**settings).fit(learn, noise, part).predict(validate) - signal[150:]) ** 2).mean()
        for part in (None, (validate, signal[150:]))
    ]
    assert errors[1] < errors[0]
    first, again = (DenseNetwork(epochs=2, random_state=3).fit(learn, signal[:150]).predict(validate) for _ in range(2))
    assert np.array_equal(first, again)


def test_kriged_residuals_add_what_neighbours_share(world):
    places, signal, field = world
    both = signal + field
    boosting = Boosting(n_estimators=30)
    alone, kriged = (r2(model, places, both) for model in (boosting, ResidualKriging(boosting)))
    assert kriged > alone + 0.1
    assert r2(ResidualKriging(Mean()), places, field) > 0.8
    noise = np.random.default_rng(4).normal(size=200)
    assert r2(ResidualKriging(Mean()), places, noise) < 0.05


def test_neighbouring_images_vote(world):
    places, _, field = world
    assert r2(NeighbourImages(n_neighbors=9), places, field) > 0.5
    assert NeighbourImages().fit(places, field).predict(places) == pytest.approx(np.full(200, field.mean()))
    for make in (NearestCounts, Boosting, DenseNetwork, NeighbourImages):
        with pytest.raises(InputError, match="needs images"):
            make().fit(Places.without_images(np.array(["a"]), np.zeros((1, 2))), np.zeros(1))


@pytest.mark.parametrize(("task", "trees"), [("regression", 300), ("classification", 100)])
@pytest.mark.parametrize("depth", [5, 10])
def test_trees_of_the_authors_depth_are_not_ended_by_other_limits(task, trees, depth):
    rng = np.random.default_rng(0)
    counts = rng.poisson(3, (150, 66)).astype(np.uint16)
    places = Places(np.arange(150).astype(str), np.zeros((150, 2)), np.arange(151), np.zeros((150, 2)), counts)
    values = rng.permutation(np.arange(150) % 2 if task == "classification" else np.arange(150)).astype(float)
    model = AuthorsBoosting(task, max_depth=depth).fit(places, values)
    assert model.estimator_.n_iter_ == trees == model.params["n_estimators"]
    nodes = model.estimator_._predictors[0][0].nodes
    # values without order need all the questions that they may ask, and leaves with a single cluster
    assert nodes["depth"].max() == depth
    assert nodes["count"][nodes["is_leaf"] == 1].min() == 1
