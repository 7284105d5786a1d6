"""Intervals. Coverage over whole simulated countrysides is measured by benchmarks/coverage.py."""

import numpy as np
import pandas as pd
import pytest

from geolive.uncertainty.district_intervals import DistrictError, district_error


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
        district = np.repeat(np.arange(20), 4)
        predicted = rng.normal(0, 1.0, 80)
        truth = rng.normal(0, np.sqrt(0.2), 20)
        off = truth - predicted.reshape(20, 4).mean(axis=1)
        held.append(np.mean(np.abs(off) < error.of_means(predicted, district, np.arange(20)).half_width(0.9)))
    assert np.mean(held) == pytest.approx(0.9, abs=0.03)


def test_more_sites_narrow_an_interval_down_to_the_shared_part():
    sites = np.repeat([0, 1, 2], [2, 50, 50_000])
    widths = DistrictError(0.04, 1.0, 38).of_means(np.arange(len(sites)) % 2, sites, np.arange(3)).half_width(0.9)
    assert np.all(np.diff(widths) < 0)
    assert widths[-1] == pytest.approx(0.2 * 1.687, abs=0.001)


def test_sites_of_no_district_count_nowhere():
    error, district = DistrictError(0.0, 9.0, 38), np.array(["a", "a", None], object)
    found = error.of_means(np.array([1.0, 3.0, 100.0]), district, ["a", "b"])
    assert found.standard_error.tolist() == [1.0, 0.0]


def test_with_one_site_a_district_what_surveyed_places_tell_must_do():
    error = DistrictError(0.0, 9.0, 38)
    assert error.of_means(np.array([1.0, 5.0]), np.array([0, 1]), [0, 1]).standard_error.tolist() == [3.0, 3.0]


def test_a_model_without_error():
    table = pd.DataFrame({"value": 1.0, "prediction": 1.0, "district_id": ["a", "a", "b"]})
    assert district_error(table).of_means(np.ones(2), np.zeros(2), [0]).half_width(0.9).tolist() == [0.0]


def test_weights_count_as_so_many_sites_as_are_effective():
    error, district, predicted = DistrictError(1.0, 4.0, 38), np.array(["a"] * 4), np.array([1.0, 1.0, 3.0, 3.0])
    plain = error.of_means(predicted, district, ["a"]).standard_error ** 2
    equal = error.of_means(predicted, district, ["a"], np.full(4, 7.0)).standard_error ** 2
    assert equal == pytest.approx(plain)
    # the variance within is 4/3, and the effective number of sites (10 + 3)² / (10² + 3)
    uneven = error.of_means(predicted, district, ["a"], np.array([10.0, 1.0, 1.0, 1.0])).standard_error ** 2
    assert uneven == pytest.approx([1 + 4 / 3 * 103 / 169])


def test_of_all_places_only_what_they_deviate_is_an_error_and_most_where_people_crowd():
    error, district = DistrictError(np.array([1.0, 2.0]), 4.0, 38), np.array(["a", "a"])
    found = error.of_means(np.array([5.0, 5.0]), district, ["a"], np.array([3.0, 1.0]), complete=True)
    assert found.standard_error**2 == pytest.approx([1.25 + 4 * 10 / 16])
