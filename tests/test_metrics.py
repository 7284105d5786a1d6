import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from geolive.metrics import scores, training_means

numbers = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 1e200])


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(0)
    y = rng.normal(size=300)
    folds = np.arange(300) % 5
    return y, y + rng.normal(0, 0.7, 300), training_means(y, folds), folds


def by_metric(*args, **kwargs):
    return scores(*args, **kwargs).set_index("metric")


def test_regression_figures_are_the_textbooks(regression):
    y, p, reference, _ = regression
    table = by_metric("regression", y, p, reference, np.arange(300))
    assert table.value["r2"] == pytest.approx(1 - ((y - p) ** 2).sum() / ((y - reference) ** 2).sum(), abs=1e-12)
    assert table.value["rmse"] == pytest.approx(np.sqrt(((y - p) ** 2).mean()), abs=1e-12)
    assert table.value["pearson_r"] == pytest.approx(np.corrcoef(y, p)[0, 1], abs=1e-12)
    assert (table.n == 300).all()
    assert ((table.lower < table.value) & (table.value < table.upper)).all()


def test_classification_figures_are_the_textbooks(regression):
    y, p, _, folds = regression
    label, probability = (y > 0).astype(float), np.round(1 / (1 + np.exp(-p)), 1)  # rounded, so that ties are many
    table = by_metric("classification", label, probability, training_means(label, folds), np.arange(300))
    assert table.value["accuracy"] == pytest.approx(((probability >= 0.5) == (label == 1)).mean())
    assert table.value["auc"] == pytest.approx(roc_auc_score(label, probability), abs=1e-12)
    assert ((table.lower < table.value) & (table.value < table.upper)).all()


def test_the_training_mean_scores_exactly_zero(regression):
    y, _, reference, _ = regression
    assert by_metric("regression", y, reference, reference, np.arange(300)).loc[
        "r2", ["value", "lower", "upper"]
    ].tolist() == [0, 0, 0]


def test_a_model_constant_in_each_fold_orders_nothing(regression):
    y, _, reference, folds = regression
    assert np.isnan(
        by_metric("regression", y, reference, reference, folds).loc["pearson_r", ["value", "lower"]].astype(float)
    ).all()
    label = (y > 0).astype(float)
    share = training_means(label, folds)
    table = by_metric("classification", label, share, share, folds)
    assert np.isnan(table.value["auc"])
    assert 0 <= table.value["accuracy"] <= 1


def test_intervals_are_wider_where_rows_repeat():
    rng = np.random.default_rng(1)
    y, p = rng.normal(size=(2, 60))
    y, p, place = np.repeat(y, 4), np.repeat(y + p, 4), np.repeat(np.arange(60), 4)
    reference = np.zeros(240)
    rows, places = (by_metric("regression", y, p, reference, groups) for groups in (np.arange(240), place))
    assert rows.value.equals(places.value)
    assert ((places.upper - places.lower) > 1.5 * (rows.upper - rows.lower)).all()


def test_intervals_cover_the_truth():
    truth = np.sqrt(0.5)
    covered = 0
    for seed in range(200):
        y, e = np.random.default_rng(seed).normal(size=(2, 80))
        row = by_metric("regression", y, y + e, np.zeros(80), np.arange(80)).loc["pearson_r"]
        covered += row.lower <= truth <= row.upper
    assert 0.88 <= covered / 200 <= 0.99


def test_the_seed_decides(regression):
    y, p, reference, folds = regression
    first = scores("regression", y, p, reference, folds, seed=1)
    assert first.equals(scores("regression", y, p, reference, folds, seed=1))
    assert not first.equals(scores("regression", y, p, reference, folds, seed=2))


def test_what_is_not_defined_is_null():
    one = np.ones(4)
    regression = by_metric("regression", one, one * 2, one, np.arange(4))
    assert regression.value.isna().tolist() == [True, False, True]
    assert regression.value["rmse"] == 1
    one_class = by_metric("classification", one, np.array([0.1, 0.9, 0.8, 0.4]), one, np.arange(4))
    assert one_class.value["accuracy"] == 0.5
    assert one_class.loc["auc", ["value", "lower", "upper"]].isna().all()
    single_group = by_metric("regression", np.arange(4.0), np.arange(4.0)[::-1], one, np.zeros(4))
    assert single_group.value.notna().all()
    assert single_group[["lower", "upper"]].isna().all(axis=None)
    for nothing in (scores("regression", *np.zeros((4, 0))), scores("classification", one, one * np.nan, one, one)):
        assert nothing[["value", "lower", "upper"]].isna().all(axis=None)


@given(
    st.sampled_from(["regression", "classification"]),
    st.lists(st.tuples(numbers, numbers, st.integers(0, 2)), min_size=1, max_size=12),
)
def test_no_numbers_crash_or_give_nonsense(task, rows):
    y, p, group = map(np.array, zip(*rows, strict=True))
    if task == "classification":
        y, p = (y > 0).astype(float), np.clip(p, 0, 1)
    table = by_metric(task, y, p, np.full(len(y), y.mean()), group)
    figures = table[["value", "lower", "upper"]].to_numpy()
    assert not np.isinf(figures).any()
    for name, low, high in (
        ("accuracy", 0, 1),
        ("auc", 0, 1),
        ("pearson_r", -1, 1),
        ("r2", -np.inf, 1),
        ("rmse", 0, np.inf),
    ):
        if name in table.index:
            known = table.loc[name, ["value", "lower", "upper"]].dropna()
            assert known.between(low, high).all()
