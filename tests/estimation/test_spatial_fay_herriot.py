"""The spatial area-level model: a published example, an independent likelihood, areas without a survey, and bad input."""

import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.estimation.fay_herriot import FayHerriot
from geolive.estimation.spatial_fay_herriot import SpatialFayHerriot
from tests.estimation.oracles import read_oracle


def lattice(side: int) -> np.ndarray:
    """Row-standardised contiguity of a square of areas."""
    cells = [(i, j) for i in range(side) for j in range(side)]
    near = np.array([[abs(a - c) + abs(b - d) == 1 for c, d in cells] for a, b in cells], dtype=float)
    return near / near.sum(axis=1, keepdims=True)


def make_areas(seed: int, side: int = 7, rho: float = 0.7):
    rng, w = np.random.default_rng(seed), lattice(side)
    n = side**2
    covariates = pd.DataFrame({"light": rng.normal(size=n)})
    truth = 1 + covariates["light"] + np.linalg.solve(np.eye(n) - rho * w, rng.normal(size=n))
    variance = pd.Series(rng.uniform(0.2, 1, n))
    return covariates, truth, truth + rng.normal(size=n) * np.sqrt(variance), variance, w


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_grapes(method):
    table = read_oracle("grapes15.csv")
    w = read_oracle("grapes15_proximity.csv", header=None)
    expected = read_oracle(f"grapes15_expected_spatial_{method}.csv")
    model = SpatialFayHerriot(method, fit_intercept=False)
    result = model.fit(table[["area", "workdays"]], table["grapehect"], table["var"], w).estimates_
    assert model.sigma2_u_ == pytest.approx(expected["variance"][0], rel=1e-4)
    assert model.rho_ == pytest.approx(expected["correlation"][0], rel=1e-4)
    np.testing.assert_allclose(result["estimate"], expected["EBLUP"], rtol=1e-4)
    np.testing.assert_allclose(result["mse"], expected["MSE"], rtol=1e-3)


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_likelihood_is_highest_at_the_estimate(method):
    from scipy.stats import multivariate_normal

    covariates, _, direct, variance, w = make_areas(1)
    model = SpatialFayHerriot(method).fit(covariates, direct, variance, w)
    x = np.column_stack([np.ones(49), covariates])

    def value(sigma2_u, rho):
        a = np.linalg.inv(np.eye(49) - rho * w)
        v = sigma2_u * a @ a.T + np.diag(variance)
        middle = x.T @ np.linalg.solve(v, x)
        b = np.linalg.solve(middle, x.T @ np.linalg.solve(v, direct))
        log = multivariate_normal(x @ b, v).logpdf(direct)
        return log - (0.5 * np.linalg.slogdet(middle)[1] if method == "reml" else 0)

    best = value(model.sigma2_u_, model.rho_)
    for factor, step in [(1.02, 0), (0.98, 0), (1, 0.02), (1, -0.02), (1.02, -0.02), (0.98, 0.02)]:
        assert value(model.sigma2_u_ * factor, model.rho_ + step) < best
    if method == "ml":
        assert model.log_likelihood_ == pytest.approx(best)


def test_neighbours_help_areas_without_survey():
    better, reported, squared = [], [], []
    for seed in range(12):
        covariates, truth, direct, variance, w = make_areas(seed, rho=0.85)
        hidden = np.arange(49) % 5 == 0
        direct[hidden] = np.nan
        spatial = SpatialFayHerriot().fit(covariates, direct, variance, w).estimates_
        plain = FayHerriot("reml").fit(covariates, direct, variance).predict(covariates, direct, variance)
        better.append(
            np.mean((spatial["estimate"] - truth)[hidden] ** 2) / np.mean((plain["estimate"] - truth)[hidden] ** 2)
        )
        squared.append(np.mean((spatial["estimate"] - truth) ** 2))
        reported.append(spatial["mse"].mean())
        assert (spatial["gamma"][hidden] == 0).all()
        assert not np.allclose(spatial["estimate"][hidden], spatial["synthetic"][hidden])
    assert np.mean(better) < 0.9
    assert np.mean(reported) == pytest.approx(np.mean(squared), rel=0.2)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda w: w[:, :-1], "must be square"),
        (lambda w: w[:-1, :-1], "48 rows for 49 areas"),
        (lambda w: w * 2, r"row 1 \(area 0\) sums to 2, not to 1"),
        (lambda w: w + np.eye(49), "is its own neighbour"),
        (lambda w: -w, "negative or missing"),
        (
            lambda w: pd.DataFrame(w, index=list(range(48, -1, -1)), columns=list(range(49))),
            "another order than the table",
        ),
        (lambda w: pd.DataFrame(w, index=[f"a{i}" for i in range(49)]), "of other areas than the table"),
    ],
)
def test_bad_proximity_is_one_line(spoil, words):
    covariates, _, direct, variance, w = make_areas(0)
    with pytest.raises(InputError, match=words):
        SpatialFayHerriot().fit(covariates, direct, variance, spoil(w))


def test_no_area_effects_is_an_error_that_says_what_to_try():
    covariates, _, _, variance, w = make_areas(0)
    with pytest.raises(InputError, match=r"estimated as 0.*by method ampl"):
        SpatialFayHerriot().fit(covariates, covariates["light"] * 2, variance, w)
