"""Targeting: against counting by hand and known probabilities, and what must hold for any table."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from geolive.errors import InputError
from geolive.estimation.target_report import assess_target
from geolive.estimation.target_table import TargetTable
from geolive.estimation.targeting import (
    Budget,
    choose_districts,
    draw_values,
    expected_errors,
    real_errors,
    roc_curves,
    target_probability,
    targeting_errors,
)


def test_probability_of_two_districts_is_that_of_their_difference():
    estimate, error = np.array([0.0, 1.0]), np.array([0.6, 0.8])
    found = target_probability(draw_values(estimate, error, n_draws=20000), Budget(1, False))
    assert found == pytest.approx([norm.cdf(1.0), norm.cdf(-1.0)], abs=0.01)


def test_share_of_people_takes_the_poorest_until_the_next_goes_beyond():
    values, people = np.array([4.0, 1.0, 3.0, 2.0]), np.array([10.0, 30.0, 20.0, 40.0])
    for share, chosen in ((0.1, [1]), (0.3, [1]), (0.69, [1]), (0.7, [1, 3]), (0.9, [1, 2, 3]), (0.95, [1, 2, 3])):
        assert np.flatnonzero(choose_districts(values, Budget(share, True), people)).tolist() == chosen


def test_errors_count_what_is_left_out_and_what_is_let_in():
    chosen, poorest = np.array([True, True, False, False]), np.array([True, False, True, True])
    exclusion, inclusion = targeting_errors(chosen, poorest)
    assert (exclusion, inclusion) == (pytest.approx(2 / 3), pytest.approx(1 / 2))
    exclusion, inclusion = targeting_errors(chosen, poorest, np.array([6.0, 2.0, 1.0, 1.0]))
    assert (exclusion, inclusion) == (pytest.approx(2 / 8), pytest.approx(2 / 8))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(3, 30), of_people=st.booleans())
def test_probabilities_add_up_and_order_and_scale_do_not_matter(seed, n, of_people):
    rng = np.random.default_rng(seed)
    draws, people = rng.normal(size=(200, n)) + rng.normal(size=n), rng.uniform(1, 9, n)
    budget = Budget(0.4, True) if of_people else Budget(int(rng.integers(1, n)), False)
    found = target_probability(draws, budget, people)
    order = rng.permutation(n)
    assert target_probability(3 + 1e3 * draws[:, order], budget, people[order]) == pytest.approx(found[order])
    if not of_people:
        assert found.sum() == pytest.approx(budget.amount)
    values = rng.normal(size=n)
    errors = expected_errors({"a": values}, draws, [budget], people).iloc[0]
    assert 0 <= errors["exclusion_lower"] <= errors["exclusion_upper"] <= 1
    assert real_errors({"a": values}, values, [budget], people)[["exclusion", "inclusion"]].to_numpy() == pytest.approx(
        0, abs=1e-12
    )


def test_expected_error_is_the_mean_real_error_where_the_estimates_errors_are_right():
    rng = np.random.default_rng(0)
    expected, real = [], []
    for _ in range(200):
        # truth ~ N(0, 1) and survey error N(0, 0.5²): the composite shrinks by 0.8 and has variance 0.2
        truth = rng.normal(size=30)
        direct = truth + rng.normal(0, 0.5, 30)
        rules, budgets = {"estimate": 0.8 * direct}, [Budget(6, False)]
        draws = draw_values(0.8 * direct, np.full(30, np.sqrt(0.2)), n_draws=300)
        expected.append(expected_errors(rules, draws, budgets)["exclusion"][0])
        real.append(real_errors(rules, truth, budgets)["exclusion"][0])
    # the Monte-Carlo error of the mean of the real ones is 0.01
    assert np.mean(expected) == pytest.approx(np.mean(real), abs=0.03)


def test_auc_is_the_share_of_pairs_in_the_right_order():
    rng = np.random.default_rng(0)
    values, poorest = rng.normal(size=20), np.arange(20) < 7
    pairs = values[poorest][:, None] < values[~poorest]
    assert roc_curves({"a": values}, poorest)["a"][2] == pytest.approx(pairs.mean())
    assert roc_curves({"a": np.where(poorest, values, np.nan)}, poorest)["a"][2] == 1


def test_report_joins_all_of_it():
    rng = np.random.default_rng(1)
    truth = pd.Series(rng.normal(size=25), index=[f"d{i}" for i in range(25)])
    districts = pd.DataFrame({"name": truth.index, "estimate": truth + rng.normal(0, 0.3, 25), "standard_error": 0.3})
    districts = districts.set_axis(truth.index).assign(direct=truth + rng.normal(0, 0.8, 25), predicted=np.nan)
    report = assess_target(TargetTable(districts, "pov", [], False), Budget(5, False), truth=truth)
    made = report.districts
    assert made["estimate"].is_monotonic_increasing
    assert made["chosen"].sum() == made["chosen_direct"].sum() == made["truly_poorest"].sum() == 5
    assert made.loc[made["chosen"], "in_confidence_set"].all()
    mirrored = districts.assign(**{name: -districts[name] for name in ("estimate", "direct")})
    other = assess_target(TargetTable(mirrored, "rate", [], False), Budget(5, False), truth=-truth, highest=True)
    assert other.districts.index.to_list() == made.index.to_list()
    assert other.districts["probability"].to_list() == pytest.approx(made["probability"].to_list())
    at = report.errors[report.errors["budget"] == 5].set_index("rule")
    assert at.loc["estimate", "exclusion"] <= at.loc["direct", "exclusion"]
    assert report.roc["estimate"][2] > 0.8


def test_budget_of_all_districts_leaves_nothing_to_choose():
    with pytest.raises(InputError, match="budget='3': 3 districts have an estimate"):
        choose_districts(np.arange(3.0), Budget(3, False))
