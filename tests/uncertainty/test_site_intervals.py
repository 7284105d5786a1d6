"""Errors at sites, near training clusters and far. Not tested here: coverage on countrysides (benchmarks/coverage.py)."""

import numpy as np
import pandas as pd
import pytest

from geolive.models.clusterwise import Forest
from geolive.models.training import train
from geolive.simulation.sample import make_sample
from geolive.uncertainty.site_intervals import are_near, site_errors

LEVEL = 0.9


def residuals(seed, near_spread=0.5, districts=60, each=5):
    rng, n = np.random.default_rng(seed), districts * each
    images = rng.integers(1, 60, n)
    error = rng.normal(0, np.sqrt(0.5 + 6 / images))
    columns = {"value": error, "prediction": 0.0, "prediction_near": (1 - near_spread) * error, "n_images": images}
    return pd.DataFrame(columns | {"district_id": np.repeat(np.arange(districts), each)})


def test_intervals_hold_as_often_as_they_say_near_and_far():
    held = {True: [], False: []}
    for seed in range(30):
        rng, found = np.random.default_rng(1000 + seed), site_errors(residuals(seed))
        images = rng.integers(1, 8, 400)
        for near, size in ((True, 0.5), (False, 1.0)):
            new = np.abs(rng.normal(0, size * np.sqrt(0.5 + 6 / images)))
            held[near].append(np.mean(new <= found.half_width(images, np.full(400, near), LEVEL)))
    assert np.mean(held[True]) == pytest.approx(LEVEL, abs=0.02)
    assert np.mean(held[False]) == pytest.approx(LEVEL, abs=0.02)


def test_errors_of_districts_grow_where_sites_have_few_images():
    found, near = site_errors(residuals(0)), np.array([False, False, True])
    error = found.of_districts(np.array([2, 200, 200]), near)
    assert error.shared.shape == (3,)
    assert error.shared[0] > 2 * error.shared[1] > 2 * error.shared[2]
    widths = error.of_means(np.zeros(3), np.arange(3), np.arange(3)).half_width(LEVEL)
    assert widths[0] > widths[1] > widths[2]


@pytest.mark.parametrize("lacking", ["absent", "null"])
def test_without_residuals_near_training_clusters_all_are_taken_as_far(lacking):
    table = residuals(0)
    table = table.drop(columns="prediction_near") if lacking == "absent" else table.assign(prediction_near=np.nan)
    far, near = site_errors(table).half_width(np.array([9, 9]), np.array([False, True]), LEVEL)
    assert far == near


def test_a_perfect_model_has_no_error():
    found = site_errors(residuals(0).assign(prediction=lambda t: t["value"], prediction_near=lambda t: t["value"]))
    images, near = np.array([1, 50]), np.array([True, False])
    assert found.half_width(images, near, LEVEL).tolist() == [0, 0]
    assert found.of_districts(images, near).of_means(np.ones(2), np.zeros(2), [0]).half_width(LEVEL).tolist() == [0]


def test_with_one_fold_every_site_is_near():
    assert are_near(np.array([[0.0, 0.0]]), np.array([[1.0, 1.0], [2.0, 2.0]]), np.zeros(2, int)).all()


def test_training_keeps_predictions_by_models_that_saw_the_district():
    dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10)
    trained = train(dataset, Forest(n_estimators=5), "pov")
    again = train(dataset, Forest(n_estimators=5), "pov")
    near = trained.residuals["prediction_near"]
    assert near.notna().all()
    assert not near.equals(trained.residuals["prediction"])
    assert near.equals(again.residuals["prediction_near"])


def test_too_few_places_to_leave_out_singly_leave_the_column_out():
    dataset = make_sample("goa", seed=0, n_clusters=8, n_sites=3)
    assert "prediction_near" not in train(dataset, Forest(n_estimators=5), "pov").residuals
