"""Means over sites with weights, and over all places of a district."""

import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.estimation.composite import CompositeEstimator
from geolive.estimation.site_means import estimated_means, known_means, read_sites

RNG = np.random.default_rng(0)
AREAS = np.repeat(np.arange(12), 5)
X = RNG.normal(size=12)[AREAS] + RNG.normal(0, 0.7, 60)


def test_means_over_all_places_are_known():
    weights = np.linspace(1, 9, 60)
    table = known_means(read_sites(X, AREAS, weights), pd.Index([0, 99]))
    own = [np.average(X[i == AREAS], weights=weights[i == AREAS]) for i in range(12)]
    assert table.loc[list(range(12)), "calibrated"].to_numpy() == pytest.approx(own)
    assert (table.loc[list(range(12)), "variance"] == 0).all()
    assert table.loc[99, "calibrated"] == pytest.approx(np.mean(own))
    assert table.loc[99, "variance"] == pytest.approx(np.var(own, ddof=1))


def test_equal_weights_are_no_weights_but_for_the_error_of_the_mean_of_all():
    plain, equal = (estimated_means(read_sites(X, AREAS, w), pd.Index([0])) for w in (None, np.full(60, 3.0)))
    np.testing.assert_allclose(equal["predicted"], plain["predicted"])
    np.testing.assert_allclose(equal["calibrated"], plain["calibrated"], atol=1e-6)


def test_a_mean_that_one_site_dominates_is_less_certain():
    weights = np.ones(60)
    weights[0] = 1000.0
    table = estimated_means(read_sites(X, AREAS, weights), pd.Index([0]))
    assert table.loc[0, "predicted"] == pytest.approx(X[0], abs=0.02)
    assert table.loc[0, "variance"] > 2 * table.loc[1, "variance"]


def test_predictions_at_clusters_tell_a_town_from_its_district():
    """Clusters lie in towns, which differ from their districts as the predictions say."""
    errors = {True: [], False: []}
    held = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cells = rng.normal(size=(30, 40))
        predicted = rng.normal(0, 0.5, 30)[:, None] + cells
        truth = predicted.mean(axis=1) + rng.normal(0, 0.3, 30)
        town = np.argsort(predicted, axis=1)[:, -3:]
        at_towns = np.take_along_axis(predicted, town, axis=1)
        values = at_towns + (truth - predicted.mean(axis=1))[:, None] + rng.normal(0, 0.3, (30, 3))
        areas = np.repeat(np.arange(30), 3)
        for given in (True, False):
            options = {"predictions": at_towns.ravel()} if given else {}
            model = CompositeEstimator().fit(
                values.ravel(), areas, predicted.ravel(), np.repeat(np.arange(30), 40), complete=True, **options
            )
            found = model.predict(np.arange(30))
            errors[given].append(np.mean((found["estimate"] - truth) ** 2))
            if given:
                held.append(np.mean((found["lower"] <= truth) & (truth <= found["upper"])))
    assert np.mean(errors[True]) < 0.1 * np.mean(errors[False])
    assert np.mean(held) == pytest.approx(0.9, abs=0.04)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((X, AREAS[:5]), "site_areas: has 5 names for 60 sites"),
        ((X, AREAS, np.zeros(60)), "site_weights: row 0: must be above 0"),
        ((X, AREAS, np.ones(60), np.ones(2), [0, 1]), "clusters without a weight cannot count as sites"),
    ],
)
def test_what_cannot_be_used_is_one_line(arguments, said):
    with pytest.raises(InputError, match=said):
        read_sites(*arguments)
