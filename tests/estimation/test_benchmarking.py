"""Benchmarked estimates add up, and move as each method says."""

import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.estimation.benchmarking import METHODS, benchmark


def make_estimates(n: int = 12) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    rng = np.random.default_rng(0)
    estimate = rng.uniform(1, 3, n)
    table = pd.DataFrame(
        {"estimate": estimate, "mse": rng.uniform(0.01, 0.4, n), "lower": estimate - 1, "upper": estimate + 1}
    )
    return table, pd.Series(rng.integers(10, 900, n)), pd.Series(np.repeat(["north", "south"], n // 2))


@pytest.mark.parametrize("method", METHODS)
def test_weighted_means_are_the_targets(method):
    table, weights, state = make_estimates()
    targets = {"north": 2.5, "south": 1.4}
    before = table.copy()
    result = benchmark(table, weights, targets, method=method, group=state)
    for name, target in targets.items():
        rows = state == name
        assert np.average(result["estimate"][rows], weights=weights[rows]) == pytest.approx(target)
    move = result["estimate"] - result["unbenchmarked"]
    wider = np.sqrt(result["mse"] / table["mse"])
    for end in ("lower", "upper"):
        np.testing.assert_allclose(result[end] - result["estimate"], wider * (table[end] - table["estimate"]))
    np.testing.assert_allclose(result["mse"], table["mse"] + move**2)
    pd.testing.assert_frame_equal(table, before)


def test_bell_datta_ghosh_is_the_nearest_under_the_constraint():
    table, weights, _ = make_estimates()
    result = benchmark(table, weights, 2.2, method="bell-datta-ghosh")

    def distance(estimate):
        return (((estimate - table["estimate"]) ** 2) / table["mse"]).sum()

    rng, share = np.random.default_rng(1), weights / weights.sum()
    for _ in range(20):
        step = pd.Series(rng.normal(size=12) * 0.01)
        other = result["estimate"] + step - share * (share @ step) / (share @ share)
        assert share @ other == pytest.approx(2.2)
        assert distance(other) > distance(result["estimate"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights": pd.Series([-1.0] * 12)}, "negative or missing"),
        ({"weights": pd.Series([1.0] * 3)}, "3 values for 12 areas"),
        ({"target": {"north": 2.0}}, "lacks for group south"),
        ({"target": -2.0}, "use difference"),
        ({"method": "raking"}, "method 'raking'"),
    ],
)
def test_bad_input(change, words):
    table, weights, state = make_estimates()
    with pytest.raises(InputError, match=words):
        benchmark(table, **{"weights": weights, "target": 2.0, "group": state} | change)
