"""Rates: which indicators are, the noise and weights of few persons, and the log predictive density of counts."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from geolive.evaluation.evaluate import evaluate
from geolive.models.clusterwise import Forest
from geolive.models.count_models import RidgeCounts
from geolive.models.kriging import Kriging
from geolive.models.residual_kriging import ResidualKriging
from geolive.models.training import train
from geolive.places import Places
from geolive.rates import (
    beta_binomial_log_density,
    binomial_variance,
    intraclass_correlation,
    log_predictive_density,
    rate_weights,
    sample_sizes,
)
from geolive.sources.survey.reader import read_survey
from geolive.splits import RandomSplit


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    """150 clusters of a smooth rate with a trend to the east, of 5 to 40 children each."""
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(0.8, 3.8, 150), rng.uniform(6.3, 12.3, 150)
    true = 1 / (1 + np.exp(-(-0.8 + 0.5 * (lon - 2.3) + 0.8 * np.sin(lat))))
    n = rng.integers(5, 41, 150)
    table = pd.DataFrame({"x": lon, "y": lat, "stunted": rng.binomial(n, true), "children": n})
    path = tmp_path_factory.mktemp("survey") / "stunting.csv"
    table.to_csv(path, index=False)
    return read_survey(path, "x", "y", {"stunting": "stunted/children"}), true


def test_a_rate_is_a_column_of_counts():
    table = pd.DataFrame(
        {"poor": [0.25, 0.5, np.nan], "poor_n": [8, 20, 0], "wealth": [0.31, 0.5, 0.7], "wealth_n": [8, 20, 9]}
    )
    assert sample_sizes(table, "poor")[:2].tolist() == [8, 20]
    assert np.isnan(sample_sizes(table, "poor")[2])
    # means of something else, an unknown n, percentages
    assert sample_sizes(table, "wealth") is None
    assert sample_sizes(table[["poor"]], "poor") is None
    assert sample_sizes(table.assign(poor=[25.0, 50.0, 10.0], poor_n=[8, 20, 10]), "poor") is None


def test_no_rate_is_without_noise():
    assert (binomial_variance(np.array([0.0, 1.0, 0.5]), np.array([10, 10, 10])) > 0).all()


def test_the_density_is_that_of_scipy_and_sums_to_one():
    k, n, p, rho = np.arange(13.0), np.full(13, 12), np.full(13, 0.3), 0.15
    found = beta_binomial_log_density(k / n, n, p, rho)
    assert found == pytest.approx(stats.betabinom.logpmf(k, 12, 0.3 * (1 / rho - 1), 0.7 * (1 / rho - 1)))
    assert np.exp(found).sum() == pytest.approx(1)
    near_binomial = beta_binomial_log_density(k / n, n, p, 1e-7)
    assert near_binomial == pytest.approx(stats.binom.logpmf(k, 12, 0.3), abs=1e-4)


def test_the_density_does_not_use_a_places_own_count():
    rng = np.random.default_rng(0)
    sizes, predicted, folds = np.full(60, 20), rng.uniform(0.2, 0.5, 60), np.arange(60) % 5
    rates = rng.binomial(20, predicted) / 20
    before = log_predictive_density(rates, sizes, predicted, folds)
    changed = rates.copy()
    changed[folds == 0] = 1 - changed[folds == 0]
    after = log_predictive_density(changed, sizes, predicted, folds)
    rho = intraclass_correlation(rates[folds != 0], sizes[folds != 0], predicted[folds != 0])
    own = beta_binomial_log_density(changed[folds == 0], sizes[folds == 0], predicted[folds == 0], rho)
    assert after[folds == 0] == pytest.approx(own)
    assert (after[folds == 1] != before[folds == 1]).any()


def test_weights_grow_with_the_sample_until_places_differ_more_than_persons():
    rng = np.random.default_rng(0)
    sizes = rng.choice([5, 100], 400)
    alike = rng.binomial(sizes, 0.3) / sizes
    apart = rng.binomial(sizes, rng.choice([0.02, 0.9], 400)) / sizes
    ratios = [
        weights[sizes == 100].mean() / weights[sizes == 5].mean()
        for weights in (rate_weights(rates, sizes) for rates in (alike, apart))
    ]
    assert ratios[0] > 10
    assert ratios[1] < 1.5


@pytest.mark.parametrize(
    "model",
    [
        Kriging(),
        ResidualKriging(RidgeCounts(inputs="covariates")),
        RidgeCounts(inputs="covariates"),
        Forest(n_estimators=20, inputs="covariates"),
    ],
)
def test_predictions_of_rates_are_rates(survey, model):
    dataset, _ = survey
    rates, sizes = dataset.clusters["stunting"].to_numpy(), dataset.clusters["stunting_n"].to_numpy(float)
    places = dataset.cluster_places(dataset.clusters)
    places = Places.without_images(places.ids, places.positions, places.positions[:, :1], ("east",))
    fitted = model.fit(places, rates, sample_sizes=sizes)
    far = Places.without_images(
        np.array(["w", "e"]), np.array([[-40.0, 9.0], [60.0, 9.0]]), np.array([[-90.0], [90.0]]), ("east",)
    )
    found = fitted.predict(far)
    assert ((found >= 0) & (found <= 1)).all()
    assert not hasattr(model, "takes_sample_sizes") or model.takes_sample_sizes


def test_kriging_that_knows_the_noise_comes_nearer_to_the_truth(survey):
    dataset, true = survey
    places = dataset.cluster_places(dataset.clusters)
    rates, sizes = dataset.clusters["stunting"].to_numpy(), dataset.clusters["stunting_n"].to_numpy(float)
    knows = Kriging().fit(places, rates, sample_sizes=sizes).predict(places)
    not_told = Kriging().fit(places, rates).predict(places)
    assert ((knows - true) ** 2).mean() < ((not_told - true) ** 2).mean() < ((rates - true) ** 2).mean()
    # the rate of many children counts more than that of few: a single place of a thousand draws its prediction to itself
    few, many = sizes.copy(), sizes.copy()
    few[0], many[0] = 2, 100_000
    pulled = [abs(Kriging().fit(places, rates, sample_sizes=n).predict(places)[0] - rates[0]) for n in (few, many)]
    assert pulled[1] < pulled[0]


def test_evaluate_reports_the_log_density_of_rates_only(survey):
    dataset, _ = survey
    results = evaluate(dataset, "mean,kriging", split=RandomSplit(n_splits=5)).results
    density = results[results["metric"] == "log_density"].set_index("model")
    assert density.index.tolist() == ["mean", "kriging"]
    assert density.loc["mean", "value"] < density.loc["kriging", "value"] < 0
    assert (density["lower"] < density["value"]).all()
    assert (density["value"] < density["upper"]).all()
    assert "log_density" not in set(evaluate(dataset, "mean", task="classification").results["metric"])


def test_training_keeps_the_sample_sizes_and_says_that_it_is_a_rate(survey):
    dataset, _ = survey
    trained = train(dataset, Kriging(), "stunting")
    assert trained.card.is_rate
    assert trained.residuals["sample_size"].tolist() == dataset.clusters["stunting_n"].tolist()
    assert not train(dataset, Kriging(task="classification"), "stunting").card.is_rate
