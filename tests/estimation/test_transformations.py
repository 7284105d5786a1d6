"""Transformed rates: the way back is unbiased, increasing and within [0, 1]."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.estimation.transformations import ARCSINE, LOGIT, transform_rates


@pytest.mark.parametrize("transformation", [ARCSINE, LOGIT])
def test_means_are_those_of_draws(transformation):
    rng = np.random.default_rng(0)
    mean, variance = transformation.forward(np.array([0.2])), np.array([0.03])
    rates = transformation.inverse(rng.normal(mean, np.sqrt(variance), 400_000))
    assert transformation.mean(mean, variance)[0] == pytest.approx(rates.mean(), abs=3e-4)
    squared = transformation.squared_error(np.array([0.25]), mean, variance)[0]
    assert squared == pytest.approx(((rates - 0.25) ** 2).mean(), rel=0.02)


@given(rate=st.floats(0.001, 0.999), wide=st.floats(0, 4))
def test_way_back_is_within_bounds(rate, wide):
    for transformation in (ARCSINE, LOGIT):
        there = transformation.forward(np.array([rate]))
        assert transformation.inverse(there)[0] == pytest.approx(rate)
        for value in (transformation.mean(there, np.array([wide])), transformation.inverse(there - wide)):
            assert 0 <= value[0] <= 1


def test_slope_is_the_derivative():
    for transformation in (ARCSINE, LOGIT):
        low, high = (transformation.forward(np.array([rate])) for rate in (0.2999, 0.3001))
        assert transformation.slope(np.array([0.3]))[0] == pytest.approx((high - low)[0] / 0.0002, rel=1e-5)


def test_arcsine_variance_is_a_quarter_over_n():
    rates, sizes = pd.Series([0.1, 0.5]), pd.Series([50.0, 20.0])
    by_size = transform_rates(ARCSINE, rates, effective_sample_size=sizes)[1]
    by_variance = transform_rates(ARCSINE, rates, rates * (1 - rates) / sizes)[1]
    np.testing.assert_allclose(by_size, [1 / 200, 1 / 80])
    np.testing.assert_allclose(by_size, by_variance)


@pytest.mark.parametrize(
    ("rates", "sizes", "words"),
    [
        ([0.0, 0.5], None, "row 0: is 0.*effective"),
        ([55.0, 20.0], [9, 9], "divide percentages"),
        ([0.1, 0.2], [5, 0], "row 1: is 0"),
    ],
)
def test_bad_rates(rates, sizes, words):
    with pytest.raises(InputError, match=words):
        transform_rates(ARCSINE, pd.Series(rates), pd.Series([0.01, 0.01]), None if sizes is None else pd.Series(sizes))
