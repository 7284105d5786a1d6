import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)

from geolive.bootstrap import interval
from geolive.metrics import (
    IMAGE_METRICS,
    METRICS,
    image_score_table,
    resampled_image_scores,
    resampled_scores,
    scores,
    training_means,
    training_means_of,
)

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
    assert table.value["calibration_slope"] == pytest.approx(np.polyfit(p, y, 1)[0], abs=1e-12)
    assert table.value["r2_own_mean"] == pytest.approx(r2_score(y, p), abs=1e-12)
    assert table.value["pearson_r2"] == pytest.approx(np.corrcoef(y, p)[0, 1] ** 2, abs=1e-12)
    assert (table.n == 300).all()
    assert ((table.lower < table.value) & (table.value < table.upper)).all()


def test_classification_figures_are_the_textbooks(regression):
    y, p, _, folds = regression
    label, probability = (y > 0).astype(float), np.round(1 / (1 + np.exp(-p)), 1)  # rounded, so that ties are many
    table = by_metric("classification", label, probability, training_means(label, folds), np.arange(300))
    assert table.value["accuracy"] == pytest.approx(((probability >= 0.5) == (label == 1)).mean())
    assert table.value["auc"] == pytest.approx(roc_auc_score(label, probability), abs=1e-12)
    right = probability >= 0.5
    assert table.value["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(label, right), abs=1e-12)
    assert table.value["brier"] == pytest.approx(brier_score_loss(label, probability), abs=1e-12)
    assert table.value["precision"] == pytest.approx(precision_score(label, right), abs=1e-12)
    assert table.value["recall"] == pytest.approx(recall_score(label, right), abs=1e-12)
    assert table.value["f1"] == pytest.approx(f1_score(label, right), abs=1e-12)
    cells = table.value[["true_negatives", "false_positives", "false_negatives", "true_positives"]].to_numpy()
    assert cells.tolist() == confusion_matrix(label, right).ravel().tolist()
    odds = logit(np.clip(probability, 1e-3, 1 - 1e-3))
    slope = LogisticRegression(C=1e10, tol=1e-10).fit(odds[:, None], label).coef_[0, 0]
    assert table.value["calibration_slope"] == pytest.approx(slope, abs=1e-3)
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


def test_probabilities_that_are_too_sure_have_a_slope_below_1():
    rng = np.random.default_rng(2)
    odds = rng.normal(0, 1, 4000)
    label = (rng.uniform(size=4000) < expit(odds)).astype(float)
    folds = np.arange(4000) % 2
    right, sure = (
        by_metric("classification", label, expit(k * odds), training_means(label, folds), np.arange(4000)).loc[
            "calibration_slope"
        ]
        for k in (1, 2)
    )
    assert right.lower < 1 < right.upper
    assert sure.value == pytest.approx(right.value / 2, rel=0.02)
    assert sure.upper < 0.6


def test_classes_that_are_told_apart_completely_have_no_slope():
    label = np.array([0.0, 0.0, 1.0, 1.0])
    table = by_metric("classification", label, np.array([0.1, 0.2, 0.7, 0.8]), np.full(4, 0.5), np.arange(4))
    assert np.isnan(table.value["calibration_slope"])
    assert table.value["auc"] == 1


def test_models_are_resampled_alike_so_that_differences_are_paired(regression):
    y, p, reference, _ = regression
    better = y + 0.9 * (p - y)
    draws = [
        resampled_scores("regression", y, q, reference, np.arange(300), random_state=4)[1][:, 0] for q in (better, p)
    ]
    lower, upper = interval((draws[0] - draws[1])[:, None])[:, 0]
    assert 0 < lower < upper
    apart = [interval(d[:, None])[:, 0] for d in draws]
    assert apart[0][0] < apart[1][1]


def test_the_reference_is_what_a_fold_learns_from():
    values, strata = np.array([0.0, 2.0, 10.0, 12.0]), np.array(list("aabb"))
    pairs = [(np.array([0, 2]), np.array([1, 3])), (np.array([3]), np.array([2]))]
    assert training_means_of(values, pairs).tolist()[1:] == [5, 12, 5]
    within = training_means_of(values, pairs, strata)
    assert within[[1, 3]].tolist() == [0, 10]
    assert np.isnan(within[0])


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
    first = scores("regression", y, p, reference, folds, random_state=1)
    assert first.equals(scores("regression", y, p, reference, folds, random_state=1))
    assert not first.equals(scores("regression", y, p, reference, folds, random_state=2))


def test_the_three_r2_are_what_they_say():
    """A fold apart: the training mean is far from the tested values, and the prediction is off by a constant."""
    y, reference = np.array([10.0, 11.0, 12.0, 13.0]), np.zeros(4)
    table = by_metric("regression", y, y + 2, reference, np.arange(4))
    assert table.value["r2"] == pytest.approx(1 - 4 * 4 / (10**2 + 11**2 + 12**2 + 13**2))
    assert table.value["r2_own_mean"] == pytest.approx(1 - 4 * 4 / 5)
    assert table.value["pearson_r2"] == pytest.approx(1)


def test_counts_of_the_confusion_matrix_have_intervals_for_as_many_clusters():
    """With places of different sizes a resample has more or fewer clusters; the counts still add up to n."""
    rng = np.random.default_rng(3)
    label, probability, groups = rng.integers(0, 2, 90).astype(float), rng.uniform(size=90), np.arange(90) // 7
    value, resampled = resampled_scores("classification", label, probability, np.full(90, 0.5), groups)
    assert value[-4:].sum() == 90
    assert resampled[:, -4:].sum(axis=1) == pytest.approx(np.full(1000, 90))
    accuracy = resampled[:, -4] + resampled[:, -1]
    assert resampled[:, 0] * 90 == pytest.approx(accuracy)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_scores_of_single_images_are_scores_of_rows_resampled_by_cluster(task):
    rng = np.random.default_rng(4)
    y, cluster = rng.normal(size=40), np.repeat(np.arange(40), rng.integers(1, 9, 40))
    y = (y > 0).astype(float) if task == "classification" else y
    noise = rng.normal(0, 0.5, len(cluster))
    predicted, reference = y[cluster] + noise, np.full(len(cluster), 0.3)
    value, resampled = resampled_image_scores(task, y[cluster], predicted, reference, cluster)
    images = image_score_table(task, value, resampled, len(cluster)).set_index("metric")
    rows = by_metric(task, y[cluster], predicted, reference, cluster)
    for name in IMAGE_METRICS[task]:
        ours = images.loc[f"{name}_per_image", ["value", "lower", "upper"]].astype(float)
        assert ours.tolist() == pytest.approx(
            rows.loc[name, ["value", "lower", "upper"]].astype(float).tolist(), abs=1e-12
        )
    assert (images.n == len(cluster)).all()


def test_precision_is_null_where_nothing_is_predicted_as_one():
    label = np.array([0.0, 1.0, 1.0, 0.0])
    table = by_metric("classification", label, np.array([0.1, 0.2, 0.3, 0.4]), np.full(4, 0.5), np.arange(4))
    assert np.isnan(table.value["precision"])
    assert table.value[["recall", "f1", "true_positives", "false_negatives"]].tolist() == [0, 0, 0, 2]


def test_what_is_not_defined_is_null():
    one = np.ones(4)
    regression = by_metric("regression", one, one * 2, one, np.arange(4))
    assert [name for name in METRICS["regression"] if np.isnan(regression.value[name])] == [
        "r2", "r2_own_mean", "pearson_r2", "pearson_r", "calibration_slope",
    ]  # fmt: skip
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
        ("balanced_accuracy", 0, 1),
        ("brier", 0, 1),
        ("r2_own_mean", -np.inf, 1),
        ("pearson_r2", 0, 1),
        ("precision", 0, 1),
        ("recall", 0, 1),
        ("f1", 0, 1),
        ("true_positives", 0, len(rows)),
    ):
        if name in table.index:
            known = table.loc[name, ["value", "lower", "upper"]].dropna()
            assert known.between(low, high).all()
