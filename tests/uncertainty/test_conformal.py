"""Intervals of places. Coverage over simulated countrysides is measured by benchmarks/coverage.py."""

import numpy as np
import pandas as pd
import pytest

from geolive.uncertainty.conformal import interval_score, place_error


def test_intervals_hold_new_places_as_often_as_they_say():
    rng, held = np.random.default_rng(3), []
    for _ in range(1000):
        error = rng.standard_t(3, 40)
        half = place_error(pd.DataFrame({"value": error[:39], "prediction": 0.0})).half_width(np.array([9]), 0.8)
        held.append(abs(error[39]) <= half[0])
    assert np.mean(held) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_places_seen_in_few_photos_have_intervals_that_hold_as_often(level):
    rng, held, blind = np.random.default_rng(4), [], []
    few = np.full(50, 2)
    for _ in range(60):
        n = np.where(np.arange(60) % 4, 200, 5)
        table = pd.DataFrame({"value": rng.normal(0, np.sqrt(1 + 8 / n)), "prediction": 0.0, "n_images": n})
        new = np.abs(rng.normal(0, np.sqrt(1 + 8 / few)))
        held.append(np.mean(new <= place_error(table).half_width(few, level)))
        blind.append(np.mean(new <= place_error(table.drop(columns="n_images")).half_width(few, level)))
    assert np.mean(held) == pytest.approx(level, abs=0.06)
    assert np.mean(blind) < level - 0.1


def test_the_places_mean_has_a_narrower_interval_than_the_surveys_value():
    rng = np.random.default_rng(5)
    truth, noise = rng.normal(0, 1, 4000), rng.normal(0, 0.7, 4000)
    found = place_error(pd.DataFrame({"value": truth + noise, "prediction": 0.0}))
    value, mean = (found.half_width(np.ones(4000), 0.8, known) for known in (0.0, 0.49))
    assert np.mean(np.abs(truth + noise) <= value) == pytest.approx(0.8, abs=0.01)
    assert np.mean(np.abs(truth) <= mean) == pytest.approx(0.8, abs=0.02)
    assert np.mean(np.abs(truth) <= value) > 0.85


def test_a_survey_that_claims_more_error_than_there_is_leaves_an_interval():
    found = place_error(pd.DataFrame({"value": np.arange(-20.0, 20.0), "prediction": 0.0}))
    assert found.half_width(np.array([3]), 0.8, 1e9)[0] > 0


def test_too_few_residuals_promise_nothing_and_no_error_needs_no_width():
    assert place_error(pd.DataFrame({"value": [1.0, 2.0], "prediction": 0.0})).half_width([5], 0.9).tolist() == [np.inf]
    exact = place_error(pd.DataFrame({"value": np.ones(60), "prediction": 1.0, "n_images": 3}))
    assert exact.half_width([5], 0.9).tolist() == [0.0]


def test_the_score_is_least_for_the_right_width():
    rng = np.random.default_rng(6)
    truth, widths = rng.normal(size=4000), np.array([0.8, 1.2, 1.645, 2.2, 3.0])
    scores = [interval_score(truth, -w, w, 0.9).mean() for w in widths]
    assert widths[int(np.argmin(scores))] == 1.645
