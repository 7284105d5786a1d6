"""Diagnostics tell a good model from a bad one."""

import numpy as np
import pandas as pd
import pytest

from geolive.estimation.diagnostics import brown_test, diagnose_areas
from geolive.estimation.fay_herriot import FayHerriot


def fitted(outlier: float = 0.0):
    rng, m = np.random.default_rng(3), 60
    covariates = pd.DataFrame({"light": rng.normal(size=m)}, index=[f"d{i}" for i in range(m)])
    variance = pd.Series(rng.uniform(0.1, 0.5, m), index=covariates.index)
    direct = covariates["light"] + rng.normal(size=m) * 0.5 + rng.normal(size=m) * np.sqrt(variance)
    direct["d7"] += outlier
    direct["d9"] = np.nan
    model = FayHerriot().fit(covariates, direct, variance)
    return model, model.predict(covariates, direct, variance), variance


def test_a_true_model_passes():
    model, estimates, variance = fitted()
    found = diagnose_areas(estimates, variance, model.area_effects())
    assert (found.normality["p_value"] > 0.01).all()
    assert found.brown.n_areas == 59
    assert found.brown.p_value > 0.05
    assert "d9" not in found.variation.index
    assert (found.variation["reduction"] > 0).mean() > 0.9


def test_an_outlier_shows():
    model, estimates, variance = fitted(outlier=6.0)
    found = diagnose_areas(estimates, variance, model.area_effects(), n_disagreements=3)
    assert found.disagreements.index[0] == "d7"
    assert len(found.disagreements) == 3
    assert found.normality.loc["standardised_residual", "p_value"] < 0.01


def test_estimates_of_something_else_are_not_coherent():
    _, estimates, variance = fitted()
    shifted = estimates.assign(estimate=estimates["estimate"] + 3)
    assert brown_test(shifted, variance).p_value < 1e-6
    gap = (shifted["direct"] - shifted["estimate"]) ** 2 / (variance + shifted["mse"])
    assert brown_test(shifted, variance).statistic == pytest.approx(gap.sum())
