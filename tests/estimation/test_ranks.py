"""Rank sets: a published example, other words for the same definition, and how often they hold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from geolive.errors import InputError
from geolive.estimation import ranks
from geolive.estimation.ranks import best_set, rank_sets, worst_set

PISA = Path(__file__).parents[3] / "shared" / "data" / "oracles" / "pisa2018.csv"


@pytest.mark.skipif(not PISA.exists(), reason="the published examples are not in ../shared/data/oracles")
def test_pisa_of_mogstad_romano_shaikh_and_wilhelm():
    scores = pd.read_csv(PISA)
    value, error = scores["math_score"], scores["math_se"]
    kingdom = scores.index[scores["jurisdiction"] == "United Kingdom"][0]
    assert value.rank(ascending=False)[kingdom] == 13
    single, down = rank_sets(value, error, 0.95, stepdown=False), rank_sets(value, error, 0.95)
    assert [ends[kingdom] for ends in single] == [7, 23]
    assert [ends[kingdom] for ends in down] == [8, 23]
    assert best_set(value, error, 5, 0.9).sum() == 11


def test_of_two_districts_it_is_the_test_of_their_difference():
    for gap in np.linspace(0.5, 4, 15):
        best, worst = rank_sets([gap, 0.0], [1.0, 1.0], 0.9)
        critical = norm.ppf(0.95) * np.sqrt(2)
        if abs(gap - critical) > 0.2:  # Monte-Carlo error of the critical value
            assert (best[1] == 2) == (gap > critical)
            assert (worst[0] == 1) == (gap > critical)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(2, 25), level=st.sampled_from([0.8, 0.9]))
def test_sets_hold_the_estimated_rank_and_nest(seed, n, level):
    rng = np.random.default_rng(seed)
    value, error = rng.normal(size=n), rng.uniform(0.05, 1, n)
    rank = 1 + (value[None, :] > value[:, None]).sum(axis=1)
    best, worst = rank_sets(value, error, level)
    assert ((best <= rank) & (rank <= worst)).all()
    for options in ({"level": 0.95}, {"level": level, "stepdown": False}):
        low, high = rank_sets(value, error, **options)
        assert ((low <= best) & (worst <= high)).all()
    together = rank_sets(value, error, level, simultaneous=True, stepdown=False)
    assert ((together[0] <= low) & (high <= together[1])).all()
    tau = int(rng.integers(1, n + 1))
    may = best_set(value, error, tau, level)
    assert may[rank <= tau].all()
    assert (worst_set(-value, error, tau, level) == may).all()


def test_scale_and_shift_do_not_matter():
    rng = np.random.default_rng(0)
    value, error = rng.normal(size=20), rng.uniform(0.1, 0.5, 20)
    assert np.array_equal(rank_sets(value, error), rank_sets(5 + 1e3 * value, 1e3 * error))


def test_marginal_and_simultaneous_sets_hold_as_often_as_they_say():
    rng = np.random.default_rng(0)
    truth, error = np.sort(rng.normal(size=12))[::-1], np.full(12, 0.3)
    rank, single, all_at_once, best = np.arange(1, 13), [], [], []
    for _ in range(300):
        value = truth + rng.normal(0, 0.3, 12)
        low, high = rank_sets(value, error, 0.9)
        single.append((low <= rank) & (rank <= high))
        low, high = rank_sets(value, error, 0.9, simultaneous=True)
        all_at_once.append(((low <= rank) & (rank <= high)).all())
        best.append(best_set(value, error, 3, 0.9)[:3].all())
    # they hold at least as often as they say; a Monte-Carlo error of 1.7 points
    assert np.mean(single, axis=0).min() >= 0.9 - 0.04
    assert np.mean(all_at_once) >= 0.9 - 0.04
    assert np.mean(best) >= 0.9 - 0.04
    # and are not so wide that nothing could be told
    assert np.mean(high - low) < 9


def test_districts_without_a_value_have_no_rank_and_do_not_count():
    best, worst = rank_sets([1.0, np.nan, 3.0], np.full(3, 0.01))
    assert np.isnan(best[1])
    assert np.isnan(worst[1])
    assert (best[2], worst[0]) == (1, 2)
    assert not best_set([1.0, np.nan, 3.0], np.full(3, 0.01), 1)[1]


def test_few_degrees_of_freedom_widen_sets():
    value, error = np.linspace(0, 3, 20), np.full(20, 0.3)
    normal, t = rank_sets(value, error), rank_sets(value, error, freedom=4)
    assert (t[1] - t[0]).sum() > (normal[1] - normal[0]).sum()


def test_values_known_exactly_have_one_rank_each_and_equal_ones_share_all():
    exact = rank_sets([1.0, 3.0, 2.0], [0.0, 0.0, 0.0])
    assert [list(end) for end in exact] == [[3, 1, 2], [3, 1, 2]]
    tied = rank_sets(np.zeros(3), np.ones(3))
    assert [list(end) for end in tied] == [[1, 1, 1], [3, 3, 3]]


def test_one_district_has_rank_one():
    assert [int(end[0]) for end in rank_sets([2.0], [1.0])] == [1, 1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rank_sets([1.0, 2.0], [-1.0, 1.0]), "standard_error: row 0: is -1"),
        (lambda: rank_sets([1.0, 2.0], [1.0, 1.0], 90), "level=90: must be between 0 and 1"),
        (lambda: best_set([1.0, 2.0], [1.0, 1.0], 3), "tau=3: must be between 1 and"),
    ],
)
def test_bad_input_is_told_in_one_line(call, words):
    with pytest.raises(InputError, match=words):
        call()


@pytest.mark.parametrize("same_errors", [False, True])
def test_many_districts_take_no_square_of_their_number(monkeypatch, same_errors):
    rng = np.random.default_rng(1)
    n = 300
    value, error = rng.normal(size=n), np.full(n, 0.2) if same_errors else rng.uniform(0.05, 0.4, n)
    fast = rank_sets(value, error, 0.9, freedom=30, stepdown=False)
    # the same by the plain definition: the largest difference from any other district, in every draw
    draws = ranks._draws(error, 30, 0)
    best, worst = np.zeros(n), np.zeros(n)
    for i in range(n):
        spread = np.hypot(error, error[i])
        critical = np.quantile(np.abs((draws - draws[:, [i]]) / spread.astype(np.float32)).max(axis=1), 0.9)
        best[i] = 1 + ((value - value[i]) / spread > critical).sum()
        worst[i] = n - ((value - value[i]) / spread < -critical).sum()
    np.testing.assert_array_equal(fast, (best, worst))
    # of very many districts, sets are made so; they are as wide or wider than those with stepdown
    down = rank_sets(value, error, 0.9, freedom=30)
    monkeypatch.setattr(ranks, "MOST_STEPDOWN", 100)
    np.testing.assert_array_equal(rank_sets(value, error, 0.9, freedom=30), fast)
    assert (fast[0] <= down[0]).all()
    assert (down[1] <= fast[1]).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 60), ties=st.booleans())
def test_counting_by_bisection_is_counting_pair_by_pair(seed, n, ties):
    rng = np.random.default_rng(seed)
    value, error, critical = rng.normal(size=n), rng.gamma(0.5, 0.3, n) + 1e-9, rng.uniform(0, 3, n)
    if ties:  # differences that are exactly as large as they have to be
        value, error, critical = rng.integers(0, 4, n) / 4, rng.choice([0.3, 0.4], n), rng.choice([0, 0.5, 1.0], n)
    gap = (value - value[:, None]) / np.hypot(error, error[:, None])
    above, below = ranks._counts_beyond(value, error, critical)
    assert np.array_equal(above, (gap > critical[:, None]).sum(axis=1))
    assert np.array_equal(below, (gap < -critical[:, None]).sum(axis=1))


def test_sets_of_all_together_without_stepdown_are_the_first_step(monkeypatch):
    rng = np.random.default_rng(2)
    value, error = rng.normal(size=40), rng.uniform(0.05, 0.4, 40)
    draws, spread = ranks._draws(error, np.inf, 0), np.hypot(error, error[:, None])
    largest = (np.abs(draws[:, :, None] - draws[:, None, :]) / spread).max(axis=(1, 2))
    told_apart = (value - value[:, None]) / spread > np.quantile(largest, 0.9)
    monkeypatch.setattr(ranks, "MOST_STEPDOWN_TOGETHER", 20)
    best, worst = rank_sets(value, error, simultaneous=True)
    assert np.array_equal(best, 1 + told_apart.sum(axis=1))
    assert np.array_equal(worst, 40 - told_apart.sum(axis=0))
    assert np.array_equal(best_set(value, error, 5), told_apart.sum(axis=1) < 5)


def test_the_hull_of_draws_gives_the_largest_differences(monkeypatch):
    rng = np.random.default_rng(3)
    error = rng.uniform(0.05, 0.4, 30)
    draws = ranks._draws(error, np.inf, 0)[:50]
    pair_by_pair = ranks._largest_of_each(draws, error)
    monkeypatch.setattr(ranks, "_FEW", 5)
    assert np.array_equal(ranks._largest_of_each(draws, error), pair_by_pair)


def test_sets_of_five_thousand_districts_hold_their_own_ranks():
    # the square of their number would take a minute
    value = np.random.default_rng(0).normal(size=5_000)
    error = np.random.default_rng(1).uniform(0.05, 0.4, 5_000)
    best, worst = rank_sets(value, error, freedom=50)
    own = 1 + (value[:, None] < value[None, :]).sum(axis=1)
    assert ((best <= own) & (own <= worst)).all()
    # the highest values are distinguished from the lower half
    assert worst[value > 2.5].max() < 2_500 < best[value < -2.5].min()
