"""Choice between estimators: against counting by hand, and on districts whose law is known."""

import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.estimation.composite import CompositeEstimator
from geolive.estimation.selection import compare_estimators, within_area_folds


def test_folds_take_one_cluster_of_a_district_and_leave_one():
    areas = np.repeat(np.arange(6), [1, 2, 3, 5, 8, 1])
    folds = within_area_folds(areas, n_folds=4)
    for fold in range(4):
        assert np.bincount(areas[folds == fold], minlength=6).max() == 1
    assert (folds[(areas == 0) | (areas == 5)] == -1).all()
    assert [(folds[areas == area] >= 0).sum() for area in range(6)] == [0, 2, 3, 4, 4, 0]


def test_errors_are_those_of_leaving_one_out():
    y, areas = np.array([1.0, 3.0, 2.0, 6.0]), np.array(["a", "a", "b", "b"])
    found = compare_estimators(
        {
            "direct": lambda used: pd.Series(y)[used].groupby(areas[used]).mean(),
            "four": lambda used: pd.Series(4.0, ["a", "b"]),
        },
        y,
        areas,
        within_area_folds(areas),
    )
    # direct misses by 2 and 2, 4 and 4; four by 3, 1, 2 and 2
    assert found["mse"].to_dict() == {"four": pytest.approx(18 / 4), "direct": pytest.approx(40 / 4)}
    assert found.loc["direct", "difference"] == pytest.approx(22 / 4)
    # sums by district of the differences (-5, 3) and (12, 12) about their mean of 5.5
    assert found.loc["direct", "difference_se"] == pytest.approx(np.hypot(-2 - 11, 24 - 11) / 4)


def test_finds_the_better_estimator_of_district_means():
    rng = np.random.default_rng(0)
    truth, areas, sites = rng.normal(size=60), np.repeat(np.arange(60), 4), np.repeat(np.arange(60), 20)
    y = pd.Series(truth[areas] + rng.normal(0, 1.5, 240))
    predicted = 0.7 * truth[sites] + rng.normal(0, 0.3, 60)[sites] + rng.normal(0, 0.5, 1200)

    def composite(used):
        return CompositeEstimator().fit(y[used], areas[used], predicted, sites).predict(np.arange(60))["estimate"]

    def direct(used):
        return y[used].groupby(areas[used]).mean()

    found = compare_estimators(
        {"direct": direct, "composite": composite}, y, areas, within_area_folds(areas, n_folds=3)
    )
    assert found.index[0] == "composite"
    assert found.loc["direct", "difference"] > 2 * found.loc["direct", "difference_se"]
    real = [((f(np.ones(240, bool)) - truth) ** 2).mean() for f in (direct, composite)]
    # the difference is that of the errors about the means, from three clusters where the whole survey has four
    assert found.loc["direct", "difference"] == pytest.approx((real[0] - real[1]) * 4 / 3, rel=0.5)


@pytest.mark.parametrize(
    ("folds", "words"),
    [(np.full(4, -1), "no cluster is left out"), (np.array([0, 0, 1, 1]), "direct: has no estimate of district 'a'")],
)
def test_bad_input_is_told_in_one_line(folds, words):
    y, areas = pd.Series([1.0, 3.0, 2.0, 6.0]), np.array(["a", "a", "b", "b"])
    with pytest.raises(InputError, match=words):
        compare_estimators({"direct": lambda used: y[used].groupby(areas[used]).mean()}, y, areas, folds)
