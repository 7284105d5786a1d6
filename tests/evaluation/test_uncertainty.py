"""Intervals. Coverage over whole simulated countrysides is measured by benchmarks/district_coverage.py."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolive.evaluation.uncertainty import DistrictError, district_error, place_half_width, rank_ranges


def residuals(rng, sizes, shared, single):
    district = np.repeat(np.arange(len(sizes)), sizes)
    error = rng.normal(0, np.sqrt(shared), len(sizes))[district] + rng.normal(0, np.sqrt(single), len(district))
    return pd.DataFrame({"value": error, "prediction": 0.0, "district_id": district})


def test_both_variances_are_found():
    rng = np.random.default_rng(0)
    found = [district_error(residuals(rng, rng.integers(1, 9, 38), 0.3, 1.0)) for _ in range(60)]
    assert np.mean([f.single for f in found]) == pytest.approx(1.0, abs=0.06)
    # the adjustment that keeps it above 0 makes it a little too large
    assert 0.28 < np.mean([f.shared for f in found]) < 0.42


def test_the_shared_error_is_never_thought_to_be_nothing():
    rng = np.random.default_rng(1)
    assert min(district_error(residuals(rng, np.full(20, 4), 0.0, 1.0)).shared for _ in range(30)) > 0.005


def test_intervals_hold_a_new_districts_error_as_often_as_they_say():
    rng = np.random.default_rng(2)
    held = []
    for _ in range(300):
        error = district_error(residuals(rng, rng.integers(1, 9, 38), 0.2, 1.0))
        truth = rng.normal(0, np.sqrt(0.2 + 1.0 / 16), 20)
        held.append(np.mean(np.abs(truth) < error.half_width(np.array(16), 0.9)))
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)


def test_more_sites_narrow_an_interval_down_to_the_shared_part():
    widths = DistrictError(0.04, 1.0, 38).half_width(np.array([1, 4, 16, 10**9]), 0.9)
    assert np.all(np.diff(widths) < 0)
    assert widths[-1] == pytest.approx(0.2 * 1.687, abs=0.001)


def test_a_model_without_error():
    table = pd.DataFrame({"value": 1.0, "prediction": 1.0, "district_id": ["a", "a", "b"]})
    assert district_error(table).half_width(np.array([3]), 0.9).tolist() == [0.0]


def test_place_intervals_hold_new_places_as_often_as_they_say():
    rng = np.random.default_rng(3)
    held = []
    for _ in range(2000):
        error = rng.standard_t(3, 60)
        half = place_half_width(pd.DataFrame({"value": error[:59], "prediction": 0.0}), 0.8)
        held.append(abs(error[59]) <= half)
    assert np.mean(held) == pytest.approx(0.8, abs=0.03)


def test_too_few_residuals_promise_nothing():
    assert place_half_width(pd.DataFrame({"value": [1.0, 2.0], "prediction": 0.0}), 0.9) == np.inf


intervals = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), min_size=1, max_size=12)


@given(intervals)
def test_rank_ranges_hold_every_order_that_the_intervals_allow(pairs):
    lower = np.array([low for low, _ in pairs], float)
    upper = lower + np.array([width for _, width in pairs])
    best, worst = rank_ranges(lower, upper)
    value = np.random.default_rng(0).uniform(lower, upper)
    rank = 1 + (value[None, :] > value[:, None]).sum(axis=1)
    assert np.all((best <= rank) & (rank <= worst))


def test_districts_without_an_interval_have_no_rank():
    best, worst = rank_ranges(np.array([1.0, np.nan, 3.0]), np.array([2.0, np.nan, 4.0]))
    assert best.tolist()[::2] == [2.0, 1.0]
    assert worst.tolist()[::2] == [2.0, 1.0]
    assert np.isnan([best[1], worst[1]]).all()
