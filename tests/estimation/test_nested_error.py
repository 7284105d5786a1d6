"""The nested-error model: a published example, independent matrix algebra, and what must hold for any data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.estimation.nested_error import NestedError

CORN = Path(__file__).parents[3] / "shared" / "data" / "oracles"


def countryside(seed, n_areas=30, size=5, sigma_u=1.0, sigma_e=1.0):
    """Units with one covariate, area means of it, and the areas' true means."""
    rng = np.random.default_rng(seed)
    area = np.repeat(np.arange(n_areas), rng.integers(1, 2 * size, n_areas))
    middle = rng.normal(size=n_areas)
    x = middle[area] + rng.normal(size=len(area))
    effect = rng.normal(0, sigma_u, n_areas)
    y = 1 + 2 * x + effect[area] + rng.normal(0, sigma_e, len(area))
    return pd.DataFrame({"x": x}), y, area, pd.DataFrame({"x": middle}), 1 + 2 * middle + effect


def by_matrices(x, y, area, k, sigma2_u, sigma2_e):
    """Restricted log-likelihood (up to its constant) and EBLUP residual of areas from whole covariance matrices."""
    design = np.column_stack([np.ones(len(y)), x])
    z = (area[:, None] == np.unique(area)).astype(float)
    inverse = np.linalg.inv(sigma2_e * np.diag(1 / k) + sigma2_u * z @ z.T)
    information = design.T @ inverse @ design
    beta = np.linalg.solve(information, design.T @ inverse @ y)
    residual = y - design @ beta
    logs = np.linalg.slogdet(np.linalg.inv(inverse))[1] + np.linalg.slogdet(information)[1]
    return -0.5 * (logs + residual @ inverse @ residual), beta, sigma2_u * z.T @ inverse @ residual


@pytest.mark.skipif(not CORN.exists(), reason="the published examples are not in ../shared/data/oracles")
def test_corn_of_battese_harter_and_fuller():
    segments = pd.read_csv(CORN / "cornsoybean_segments.csv").drop(index=32)
    counties = pd.read_csv(CORN / "cornsoybean_counties.csv").set_index("CountyIndex")
    names = {"MeanCornPixPerSeg": "CornPix", "MeanSoyBeansPixPerSeg": "SoyBeansPix"}
    model = NestedError().fit(segments[["CornPix", "SoyBeansPix"]], segments["CornHec"], segments["County"])
    found = model.predict(counties.rename(columns=names)[list(names.values())])
    assert (model.sigma2_u_, model.sigma2_e_) == pytest.approx((140.024, 147.269), rel=1e-4)
    assert model.coefficients_["coefficient"].to_list() == pytest.approx([51.0704, 0.328722, -0.134568], rel=1e-4)
    published = [122.20, 126.22, 106.70, 108.44, 144.28, 112.14, 112.80, 122.00, 115.33, 124.42, 106.90, 143.01]
    assert found["estimate"].to_list() == pytest.approx(published, abs=0.006)
    ml = NestedError("ml").fit(segments[["CornPix", "SoyBeansPix"]], segments["CornHec"], segments["County"])
    # statsmodels' mixedlm gives these
    assert (ml.sigma2_u_, ml.sigma2_e_) == pytest.approx((121.064, 137.313), rel=1e-4)
    assert ml.log_likelihood_ == pytest.approx(-147.01262, abs=1e-4)


def test_agrees_with_whole_covariance_matrices():
    units, y, area, means, _ = countryside(3, n_areas=8)
    k = np.random.default_rng(0).integers(1, 30, len(y)).astype(float)
    model = NestedError().fit(units, y, area, k)
    x = units["x"].to_numpy()
    best, beta, effects = by_matrices(x, y, area, k, model.sigma2_u_, model.sigma2_e_)
    for factor_u, factor_e in ((1.02, 1), (0.98, 1), (1, 1.02), (1, 0.98)):
        assert by_matrices(x, y, area, k, factor_u * model.sigma2_u_, factor_e * model.sigma2_e_)[0] < best
    assert model.coefficients_["coefficient"].to_list() == pytest.approx(list(beta))
    found = model.predict(means)
    assert found["estimate"].to_numpy() == pytest.approx(beta[0] + beta[1] * means["x"].to_numpy() + effects)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-3, 1.0, 1e4]), shift=st.sampled_from([-50.0, 0.0, 7.0]))
def test_scale_shift_and_order_do_not_matter(seed, scale, shift):
    units, y, area, means, _ = countryside(seed)
    found = NestedError("amrl").fit(units, y, area).predict(means)
    order = np.random.default_rng(seed).permutation(len(y))
    mixed = NestedError("amrl").fit(units.iloc[order], shift + scale * y[order], area[order])
    other = mixed.predict(means.iloc[::-1]).iloc[::-1]
    assert other["estimate"].to_numpy() == pytest.approx(
        shift + scale * found["estimate"].to_numpy(), rel=1e-5, abs=1e-5
    )
    assert other["mse"].to_numpy() == pytest.approx(scale**2 * found["mse"].to_numpy(), rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), method=st.sampled_from(["reml", "ml", "amrl", "ampl"]))
def test_estimate_lies_between_survey_and_synthetic(seed, method):
    units, y, area, _, _ = countryside(seed)
    # with the units' own means as the areas' means, the estimate is a weighted mean of both
    own = units.groupby(area).mean()
    found = NestedError(method).fit(units, y, area).predict(own)
    low, high = found[["direct", "synthetic"]].min(axis=1), found[["direct", "synthetic"]].max(axis=1)
    assert ((found["estimate"] >= low - 1e-9) & (found["estimate"] <= high + 1e-9)).all()
    assert found["gamma"].between(0, 1).all()
    assert (found["mse"] > 0).all()


def test_adjusted_likelihood_is_never_zero_where_reml_is():
    units, y, area, means, _ = countryside(3, n_areas=12, sigma_u=0.0)
    assert NestedError("reml").fit(units, y, area).sigma2_u_ == 0
    adjusted = NestedError("amrl").fit(units, y, area)
    assert adjusted.sigma2_u_ > 0.01
    assert (adjusted.predict(means)["gamma"] > 0).all()


def test_mse_and_intervals_hold_over_repetitions():
    squared, told, held = [], [], []
    for seed in range(100):
        units, y, area, means, truth = countryside(seed, n_areas=25, size=3)
        found = NestedError().fit(units, y, area).predict(means)
        squared.append((found["estimate"] - truth) ** 2)
        told.append(found["mse"])
        held.append((found["lower"] <= truth) & (truth <= found["upper"]))
    # Monte-Carlo error of the ratio is about 0.03, of the coverage 0.5 points
    assert np.mean(told) / np.mean(squared) == pytest.approx(1, abs=0.1)
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)


def test_bootstrap_agrees_with_the_formula():
    units, y, area, means, _ = countryside(2, n_areas=40)
    means.loc["nowhere"] = [0.3]
    formula = NestedError().fit(units, y, area).predict(means)["mse"]
    drawn = NestedError(mse="bootstrap", n_bootstrap=250).fit(units, y, area).predict(means)["mse"]
    assert (drawn / formula).mean() == pytest.approx(1, abs=0.08)
    assert drawn["nowhere"] == pytest.approx(formula["nowhere"], rel=0.25)


def test_an_area_without_units_gets_the_synthetic_value_and_a_larger_error():
    units, y, area, means, _ = countryside(1)
    means.loc["nowhere"] = [0.0]
    found = NestedError().fit(units, y, area).predict(means)
    assert found.loc["nowhere", "estimate"] == found.loc["nowhere", "synthetic"]
    assert found.loc["nowhere", "mse"] > found["mse"].drop("nowhere").max()


def test_error_of_the_covariates_mean_is_added():
    units, y, area, means, _ = countryside(1)
    model = NestedError().fit(units, y, area)
    exact = model.predict(means)
    noisy = model.predict(means, pd.DataFrame({"x": 0.25}, index=means.index))
    slope = model.coefficients_.loc["x", "coefficient"]
    assert (noisy["mse"] - exact["mse"]).to_numpy() == pytest.approx(0.25 * slope**2)


def test_mean_of_many_households_counts_more():
    units, y, area, means, _ = countryside(4)
    few = NestedError().fit(units, y, area, np.full(len(y), 2.0)).predict(means)
    same = NestedError().fit(units, y, area).predict(means)
    assert few["estimate"].to_numpy() == pytest.approx(same["estimate"].to_numpy(), abs=1e-6)
    uneven = np.where(np.arange(len(y)) == 0, 1000.0, 1.0)
    assert NestedError().fit(units, y, area, uneven).predict(means).loc[0, "direct"] == pytest.approx(y[0], abs=0.1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.assign(y=np.nan), "values: row 0: is missing"),
        (lambda t: t.assign(k=0.0), "k: row 0: is 0, and must be above 0"),
        (lambda t: t.assign(area=None), "areas: row 0: has no area"),
        (lambda t: t.assign(x2=2 * t["x"]), "x2 is collinear"),
        (lambda t: t.assign(area=0), "1 areas with units are too few"),
        (lambda t: t.assign(area=np.arange(len(t))), "use an area-level model"),
        (lambda t: t.assign(y=t["area"]), "do not vary within any area"),
    ],
)
def test_bad_input_is_told_in_one_line(change, words):
    units, y, area, _, _ = countryside(0)
    table = change(units.assign(y=y, area=area, k=1.0))
    columns = [name for name in ("x", "x2") if name in table]
    with pytest.raises(InputError, match=words) as error:
        NestedError().fit(table[columns], table["y"], table["area"], table["k"])
    assert "\n" not in str(error.value)
