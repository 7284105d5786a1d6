"""How the error of a model of positions grows with the distance from the survey."""

import geopandas as gpd
import numpy as np
import pytest

from geolive.tables import points
from geolive.uncertainty.distance_error import DistanceError, distance_error, nearest_km


def residuals(spread_far, spread_near, seed=0):
    """50 districts of 10 clusters, half a degree apart, whose clusters lie some kilometres from each other."""
    rng = np.random.default_rng(seed)
    lon = np.repeat(np.arange(50) / 2, 10) + rng.uniform(0, 0.05, 500)
    columns = {
        "value": np.zeros(500),
        "prediction": rng.normal(0, spread_far, 500),
        "prediction_near": rng.normal(0, spread_near, 500),
        "fold": np.repeat(np.arange(50), 10),
    }
    return gpd.GeoDataFrame(columns, geometry=points(lon, rng.uniform(0, 0.05, 500)))


def test_errors_near_and_far_are_told_apart():
    found = distance_error(residuals(2.0, 1.0))
    assert found.at(np.array([1.0, 53.0])) == pytest.approx([1.0, 4.0], rel=0.2)
    # what both distances share is not growth
    assert found.growth(np.array([1.0, 53.0]), usual=1.0) == pytest.approx([0.0, 3.0], abs=0.7)


def test_the_error_never_falls_with_distance():
    found = distance_error(residuals(1.0, 2.0))
    assert (np.diff(found.at(np.linspace(0, 500, 200))) >= 0).all()
    assert found.at(np.array([0.0])) == pytest.approx(found.at(np.array([500.0])))


def test_nothing_grows_beyond_the_largest_distance_that_was_seen():
    found = distance_error(residuals(2.0, 1.0))
    assert found.at(np.array([found.km[-1]])) == found.at(np.array([9000.0]))


def test_a_place_that_was_visited_twice_is_not_its_own_neighbour():
    table = residuals(2.0, 1.0)
    twice = gpd.GeoDataFrame({name: np.repeat(table[name].to_numpy(), 2) for name in table}, crs=table.crs)
    once, again = distance_error(table), distance_error(twice)
    assert again.km == pytest.approx(once.km, rel=0.05)
    assert again.km[0] > 0.1


def test_residuals_without_near_predictions_serve():
    found = distance_error(residuals(2.0, 1.0).drop(columns="prediction_near"))
    assert found.at(np.array([53.0])) == pytest.approx(4.0, rel=0.2)


def test_no_known_residual_gives_no_growth():
    table = residuals(2.0, 1.0).assign(prediction=np.nan, prediction_near=np.nan)
    assert distance_error(table).growth(np.array([0.0, 900.0]), 0.0).tolist() == [0.0, 0.0]


def test_nearest_km_is_on_the_sphere():
    assert nearest_km(np.array([[179.9, 0.0]]), np.array([[-179.9, 0.0]])) == pytest.approx(22.24, abs=0.01)


def test_growth_starts_from_what_is_known():
    error = DistanceError(np.array([0.0, 100.0]), np.array([1.0, 3.0]))
    assert error.growth(np.array([0.0, 50.0, 100.0]), 2.0).tolist() == [0.0, 0.0, 1.0]
