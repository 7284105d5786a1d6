"""The area-level model: published examples, an independent likelihood, invariances and bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from geolive.errors import InputError
from geolive.estimation.fay_herriot import FayHerriot
from tests.estimation.oracles import read_oracle

METHODS = ["ampl", "amrl", "ampl_yl", "reml", "ml", "fh"]


def random_areas(seed: int, m: int = 30, sigma2_u: float = 1.0) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    rng = np.random.default_rng(seed)
    covariates = pd.DataFrame({"light": rng.normal(size=m), "roads": rng.normal(size=m)})
    variance = pd.Series(rng.uniform(0.2, 2.0, m))
    truth = 1 + 2 * covariates["light"] - covariates["roads"] + rng.normal(size=m) * np.sqrt(sigma2_u)
    return covariates, truth + rng.normal(size=m) * np.sqrt(variance), variance


def test_arrays_are_taken_as_tables_are():
    covariates, direct, variance = random_areas(0)
    expected = FayHerriot().fit(covariates, direct, variance)
    model = FayHerriot().fit(covariates.to_numpy(), direct.to_numpy(), variance.to_numpy())
    assert model.sigma2_u_ == expected.sigma2_u_
    assert model.feature_names_in_.tolist() == ["x1", "x2"]
    estimates = model.predict(covariates.to_numpy(), direct, variance)
    np.testing.assert_array_equal(estimates, expected.predict(covariates, direct, variance))
    with pytest.raises(InputError, match="has 1 dimensions; give a DataFrame, or an array of shape"):
        FayHerriot().fit(np.ones(30), direct, variance)


@pytest.mark.parametrize("method", ["ML", "REML", "AMPL", "AMRL", "AMPL_YL"])
def test_eusilc(method):
    table, expected = read_oracle("eusilc15.csv"), read_oracle(f"eusilc15_expected_{method}.csv")
    covariates = table[["cash", "self_empl"]]
    model = FayHerriot(method.lower()).fit(covariates, table["Mean"], table["Var_Mean"])
    result = model.predict(covariates, table["Mean"], table["Var_Mean"])
    assert model.sigma2_u_ == pytest.approx(expected["variance"][0], rel=1e-5)
    np.testing.assert_allclose(result["estimate"], expected["FH"], rtol=1e-6)
    np.testing.assert_allclose(result["mse"], expected["MSE"], rtol=1e-5)


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_milk_of_15_areas(method):
    table, expected = read_oracle("milk15.csv"), read_oracle(f"milk15_expected_{method}_sae.csv")
    covariates = table[["MajorArea"]].astype(str).radd("m")
    model = FayHerriot(method).fit(covariates, table["yi"], table["SD"] ** 2)
    result = model.predict(covariates, table["yi"], table["SD"] ** 2)
    assert model.sigma2_u_ == pytest.approx(expected["variance"][0], rel=1e-4)
    np.testing.assert_allclose(result["estimate"], expected["EBLUP"], rtol=1e-4)
    np.testing.assert_allclose(result["mse"], expected["MSE"], rtol=1e-3)


def test_milk_of_43_areas():
    table = read_oracle("milk43.csv")
    covariates, variance = table[["MajorArea"]].astype(str).radd("m"), table["SD"] ** 2
    model = FayHerriot("reml").fit(covariates, table["yi"], variance)
    result = model.predict(covariates, table["yi"], variance).head(5)
    assert model.sigma2_u_ == pytest.approx(0.0185503, rel=1e-4)
    np.testing.assert_allclose(
        model.coefficients_["coefficient"], [0.9681890, 0.1327801, 0.2269462, -0.2413011], rtol=1e-4
    )
    np.testing.assert_allclose(result["estimate"], [1.0219703, 1.0476018, 1.0679513, 0.7608170, 0.8461574], rtol=1e-4)
    np.testing.assert_allclose(result["mse"], [0.0134602, 0.0053729, 0.0057020, 0.0085417, 0.0095796], rtol=1e-3)
    assert FayHerriot("ml").fit(covariates, table["yi"], variance).sigma2_u_ == pytest.approx(0.0155175, rel=1e-4)
    assert FayHerriot("fh").fit(covariates, table["yi"], variance).sigma2_u_ == pytest.approx(0.0164203, rel=1e-4)


def brute_force(method: str, x: np.ndarray, y: np.ndarray, d: np.ndarray) -> float:
    """Where the likelihood of the whole covariance matrix is highest, on a fine grid."""

    def value(s: float) -> float:
        v = np.diag(s + d)
        inverse = np.linalg.inv(v)
        middle = x.T @ inverse @ x
        p = inverse - inverse @ x @ np.linalg.inv(middle) @ x.T @ inverse
        log = -0.5 * np.linalg.slogdet(v)[1] - 0.5 * y @ p @ y
        log -= 0.5 * np.linalg.slogdet(middle)[1] if method in ("reml", "amrl") else 0
        log += np.log(s) if method in ("ampl", "amrl") else 0
        return log + (np.log(np.arctan(np.trace(s * inverse))) / len(y) if method == "ampl_yl" else 0)

    grid = np.linspace(0.001, 6, 3000)
    return float(grid[np.argmax([value(s) for s in grid])])


@pytest.mark.parametrize("method", ["ampl", "amrl", "ampl_yl", "reml", "ml"])
def test_variance_is_where_the_likelihood_is_highest(method):
    covariates, direct, variance = random_areas(seed=4)
    model = FayHerriot(method).fit(covariates, direct, variance)
    x = np.column_stack([np.ones(len(covariates)), covariates])
    assert model.sigma2_u_ == pytest.approx(brute_force(method, x, direct.to_numpy(), variance.to_numpy()), abs=0.0021)


def test_moments_solve_their_equation():
    covariates, direct, variance = random_areas(seed=5)
    model = FayHerriot("fh").fit(covariates, direct, variance)
    assert (model.area_effects()["standardised_residual"] ** 2).sum() == pytest.approx(30 - 3, rel=1e-9)


@pytest.mark.parametrize("method", ["ampl", "amrl", "ampl_yl"])
def test_adjusted_likelihoods_are_never_zero(method):
    covariates, direct, variance = random_areas(seed=2, sigma2_u=0.0)
    assert FayHerriot("reml").fit(covariates, direct, variance * 3).sigma2_u_ == 0
    model = FayHerriot(method).fit(covariates, direct, variance * 3)
    result = model.predict(covariates, direct, variance * 3)
    assert model.sigma2_u_ > 0
    assert (result["mse"] > 0).all()


def test_mean_squared_error_is_that_of_simulations():
    """Over samples drawn anew, the mean of the reported errors is the mean of the squared errors."""
    rng = np.random.default_rng(0)
    covariates, _, variance = random_areas(seed=1, m=25)
    mean = 1 + covariates["light"]
    for method in ("ampl", "reml", "fh"):
        squared, reported, held = [], [], []
        for _ in range(80):
            truth = mean + rng.normal(size=25)
            direct = truth + rng.normal(size=25) * np.sqrt(variance)
            result = (
                FayHerriot(method, level=0.9).fit(covariates, direct, variance).predict(covariates, direct, variance)
            )
            squared.append(np.mean((result["estimate"] - truth) ** 2))
            reported.append(result["mse"].mean())
            held.append(((result["lower"] <= truth) & (truth <= result["upper"])).mean())
        assert np.mean(reported) == pytest.approx(np.mean(squared), rel=0.1)
        assert 0.86 < np.mean(held) < 0.94


def test_areas_without_survey_are_synthetic():
    covariates, direct, variance = random_areas(seed=3)
    direct[5] = np.nan
    model = FayHerriot("reml").fit(covariates, direct, variance)
    area = model.predict(covariates, direct, variance).loc[5]
    x = np.array([1, *covariates.loc[5]])
    b = model.coefficients_["coefficient"].to_numpy()
    assert model.n_areas_ == 29
    assert area["estimate"] == area["synthetic"] == pytest.approx(x @ b)
    assert area["gamma"] == 0
    assert area["mse"] > model.sigma2_u_
    pd.testing.assert_frame_equal(
        model.predict(covariates.loc[[5]]), model.predict(covariates, direct, variance).loc[[5]]
    )


def test_proportional_variances_find_their_factor():
    rng = np.random.default_rng(6)
    n = rng.integers(1, 30, 400)
    covariates = pd.DataFrame({"x": rng.normal(size=400)})
    direct = covariates["x"] + rng.normal(size=400) * 0.7 + rng.normal(size=400) * np.sqrt(2.0 / n)
    model = FayHerriot("amrl", sampling_variance="proportional").fit(covariates, direct, 1 / n)
    assert model.variance_factor_ == pytest.approx(2.0, rel=0.2)
    assert model.sigma2_u_ == pytest.approx(0.49, rel=0.2)
    again = FayHerriot("amrl", sampling_variance="proportional").fit(covariates, direct, 10 / n)
    assert again.variance_factor_ == pytest.approx(model.variance_factor_ / 10, rel=1e-4)
    known = FayHerriot("amrl").fit(covariates, direct, model.variance_factor_ / n)
    np.testing.assert_allclose(
        model.predict(covariates, direct, 1 / n)["mse"].mean(),
        known.predict(covariates, direct, model.variance_factor_ / n)["mse"].mean(),
        rtol=0.1,
    )


def test_both_variances_are_where_the_adjusted_likelihood_is_highest():
    rng = np.random.default_rng(8)
    n, x = rng.integers(1, 12, 80), np.column_stack([np.ones(80), rng.normal(size=80)])
    direct = x[:, 1] + rng.normal(size=80) + rng.normal(size=80) * np.sqrt(2 / n)
    model = FayHerriot("amrl", sampling_variance="proportional").fit(pd.DataFrame({"x": x[:, 1]}), direct, 1 / n)

    def value(sigma2_u, factor):
        v = np.diag(sigma2_u + factor / n)
        inverse = np.linalg.inv(v)
        middle = x.T @ inverse @ x
        p = inverse - inverse @ x @ np.linalg.inv(middle) @ x.T @ inverse
        log = -0.5 * (np.linalg.slogdet(v)[1] + np.linalg.slogdet(middle)[1] + direct @ p @ direct)
        return log + np.log(sigma2_u) + np.log(factor)

    best = value(model.sigma2_u_, model.variance_factor_)
    for one, other in [(1.01, 1), (0.99, 1), (1, 1.01), (1, 0.99), (1.01, 0.99), (0.99, 1.01)]:
        assert value(model.sigma2_u_ * one, model.variance_factor_ * other) < best


def test_mean_squared_error_with_an_estimated_factor_is_that_of_simulations():
    rng, m = np.random.default_rng(9), 250
    n, covariates = rng.integers(1, 25, m), pd.DataFrame({"x": rng.normal(size=m)})
    squared, reported = [], []
    for _ in range(40):
        truth = covariates["x"] + rng.normal(size=m) * 0.5
        direct = truth + rng.normal(size=m) * np.sqrt(2 / n)
        model = FayHerriot("amrl", sampling_variance="proportional").fit(covariates, direct, 1 / n)
        result = model.predict(covariates, direct, 1 / n)
        squared.append(np.mean((result["estimate"] - truth) ** 2))
        reported.append(result["mse"].mean())
    assert np.mean(reported) == pytest.approx(np.mean(squared), rel=0.1)


def test_bootstrap_interval_is_near_the_normal_one_and_repeats():
    covariates, direct, variance = random_areas(seed=7, m=40)
    settings_ = {"interval": "bootstrap", "n_bootstrap": 500, "random_state": 1}
    normal = FayHerriot("amrl").fit(covariates, direct, variance).predict(covariates, direct, variance)
    model = FayHerriot("amrl", **settings_).fit(covariates, direct, variance)
    first = model.predict(covariates, direct, variance)
    ratio = (first["upper"] - first["lower"]) / (normal["upper"] - normal["lower"])
    assert ratio.mean() == pytest.approx(1, abs=0.12)
    few = FayHerriot("amrl", **(settings_ | {"n_bootstrap": 50})).fit(covariates, direct, variance)
    pd.testing.assert_frame_equal(*(few.predict(covariates, direct, variance) for _ in range(2)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), method=st.sampled_from(METHODS), scale=st.floats(0.01, 100))
def test_invariances(seed, method, scale):
    covariates, direct, variance = random_areas(seed, m=15)
    first = FayHerriot(method).fit(covariates, direct, variance)
    result = first.predict(covariates, direct, variance)
    order = np.random.default_rng(seed).permutation(15)
    mixed = [part.iloc[order] for part in (covariates, direct, variance)]
    shuffled = FayHerriot(method).fit(*mixed).predict(*mixed).loc[result.index]
    pd.testing.assert_frame_equal(result, shuffled, rtol=1e-4, atol=1e-6)
    rescaled = FayHerriot(method).fit(covariates, direct * scale, variance * scale**2)
    assert rescaled.sigma2_u_ == pytest.approx(first.sigma2_u_ * scale**2, rel=1e-4, abs=1e-6 * scale**2)
    scaled = rescaled.predict(covariates, direct * scale, variance * scale**2)
    np.testing.assert_allclose(scaled["estimate"], result["estimate"] * scale, rtol=1e-4, atol=1e-5 * scale)
    assert result["gamma"].between(0, 1).all()
    low, high = result[["direct", "synthetic"]].min(axis=1), result[["direct", "synthetic"]].max(axis=1)
    assert ((result["estimate"] >= low - 1e-12) & (result["estimate"] <= high + 1e-12)).all()
    assert (result["mse"] > 0).all()


def test_is_a_scikit_learn_estimator():
    model = FayHerriot("ml", level=0.8)
    assert clone(model).get_params() == model.get_params()
    with pytest.raises(Exception, match="not fitted"):
        model.predict(pd.DataFrame({"x": [1.0]}))


def test_categorical_covariates_without_intercept_keep_all_levels():
    covariates = pd.DataFrame({"zone": list("aabbcc")})
    model = FayHerriot("reml", fit_intercept=False).fit(covariates, np.array([1, 1.2, 2, 2.2, 3, 3.2]), np.ones(6))
    assert list(model.coefficients_.index) == ["zone=a", "zone=b", "zone=c"]
    np.testing.assert_allclose(model.coefficients_["coefficient"], [1.1, 2.1, 3.1])


def change_variance(row: int, value: float):
    return lambda covariates, direct, variance: (covariates, direct, variance.where(variance.index != row, value))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (change_variance(3, 0.0), "variance: row 3: is 0"),
        (change_variance(3, -1.0), "variance: row 3: is -1"),
        (change_variance(3, np.nan), "variance: row 3: is missing"),
        (lambda c, y, v: (c.assign(light=c["light"].where(c.index != 2)), y, v), "covariates: row 2: light is missing"),
        (lambda c, y, v: (c.assign(double=c["light"] * 2), y, v), "double is collinear with intercept, light, roads"),
        (lambda c, y, v: (c.assign(one=1.0), y, v), "one is collinear"),
        (
            lambda c, y, v: (c.head(3), y.head(3), v.head(3)),
            "3 areas with a direct estimate are too few for 3 coefficients",
        ),
        (lambda c, y, v: (c, y.astype(str).replace(y.astype(str)[1], "low"), v), "'low' is not a number"),
        (lambda c, y, v: (c.assign(light="1.5"), y, v), "light looks numeric"),
        (lambda c, y, v: (c, y * np.nan, v), "no area has a direct estimate"),
        (lambda c, y, v: (c, y, v.head(9)), "has 9 values for 30 areas"),
    ],
)
def test_bad_input_is_one_line(spoil, words):
    with pytest.raises(InputError, match=words) as caught:
        FayHerriot().fit(*spoil(*random_areas(seed=0)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"method": "eblup"}, "method 'eblup': must be one of ampl, amrl"),
        ({"level": 95}, "level 95"),
        ({"sampling_variance": "proportional", "method": "reml"}, "use ampl or amrl"),
        ({"interval": "bootstrap", "n_bootstrap": 3}, "n_bootstrap 3"),
    ],
)
def test_bad_parameters(params, words):
    with pytest.raises(InputError, match=words):
        FayHerriot(**params).fit(*random_areas(seed=0))


def test_no_convergence_is_an_error():
    covariates, direct, variance = random_areas(seed=0, m=5)
    with pytest.raises(InputError, match="did not converge; leave"):
        FayHerriot("amrl").fit(covariates, direct, variance)


@pytest.mark.filterwarnings("ignore:samplics is archived:FutureWarning")
@pytest.mark.parametrize("method", ["reml", "fh"])
def test_another_implementation_agrees(method):
    """Samplics 0.6, on random tables; its ml stops early, so that R's figures above are what checks ours."""
    from samplics.sae import EblupAreaModel
    from samplics.utils.types import FitMethod

    for seed in range(5):
        covariates, direct, variance = random_areas(seed, m=40, sigma2_u=1.4)
        x = np.column_stack([np.ones(40), covariates])
        other = EblupAreaModel(FitMethod[method])
        other.fit(
            direct.to_numpy(), x, np.arange(40), np.sqrt(variance.to_numpy()), intercept=False, tol=1e-10, maxiter=500
        )
        other.predict(x, np.arange(40), intercept=False)
        model = FayHerriot(method).fit(covariates, direct, variance)
        result = model.predict(covariates, direct, variance)
        assert model.sigma2_u_ == pytest.approx(other.re_std**2, rel=1e-5)
        np.testing.assert_allclose(result["estimate"], list(other.area_est.values()), rtol=1e-5)
        np.testing.assert_allclose(result["mse"], list(other.area_mse.values()), rtol=1e-5)
