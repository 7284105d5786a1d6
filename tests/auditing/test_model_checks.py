"""The passport of a model: skill, calibration, urban and rural errors, leaks, and what it was trained on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import geolive as gl
from geolive.auditing.model_checks import covered_out_of_fold


@pytest.fixture(scope="module")
def sample():
    dataset = gl.make_sample("bihar", n_clusters=120, n_sites=10)
    urban = pd.array(np.arange(len(dataset.clusters)) % 3 == 0, dtype="boolean")
    return replace(dataset, clusters=dataset.clusters.assign(urban=urban))


@pytest.fixture(scope="module")
def forest(sample):
    return gl.train(sample, gl.Forest(n_estimators=10), "pov")


def with_residuals(trained, **columns):
    return replace(trained, residuals=trained.residuals.assign(**columns))


def test_a_model_and_its_dataset_are_checked_together(sample, forest):
    passport = gl.audit(forest, sample)
    assert {check.subject for check in passport.checks} == {"model", "dataset"}
    assert [check.id for check in passport.checks].count("simulation") == 1
    assert passport.check("training_data").status == "PASS"
    assert passport.check("training_size").figure == 120
    assert passport.check("skill_regression").status == "PASS"


def test_another_dataset_than_that_of_the_training_is_told(forest, sample):
    assert gl.audit(forest, replace(sample, source="another")).check("training_data").status == "WARN"


def test_the_mean_has_no_skill(sample):
    check = gl.audit(gl.train(sample, gl.Mean(), "pov")).check("skill_regression")
    assert (check.status, check.figure) == ("WARN", 0)
    assert "not distinguished from predicting the mean" in check.says


def test_coverage_of_intervals_is_measured_on_folds_that_they_were_not_made_from():
    rng = np.random.default_rng(1)
    fold = np.arange(1000) % 10
    error = rng.normal(size=1000)
    table = pd.DataFrame({"value": error, "prediction": 0.0, "fold": fold})
    assert abs(covered_out_of_fold(table, 0.9).mean() - 0.9) < 0.03
    # errors of one fold are ten times those of the others: intervals from the others miss most of them
    wild = table.assign(value=np.where(fold == 0, 10 * error, error))
    assert covered_out_of_fold(wild, 0.9)[fold == 0].mean() < 0.25


def test_intervals_that_do_not_hold_in_other_folds_fail(forest):
    half = np.arange(len(forest.residuals)) % 2
    error = np.where(half, 50.0, 0.01) * np.random.default_rng(0).normal(size=len(half))
    # of two folds one is far off: its intervals, from the other, miss nearly all of it
    off = with_residuals(forest, prediction=forest.residuals["value"] + error, fold=half)
    check = gl.audit(off).check("calibration")
    assert check.status == "FAIL"
    assert check.figure > 0.3
    assert gl.audit(with_residuals(forest, fold=0)).check("calibration").status == "NOT KNOWN"


def test_urban_and_rural_errors_are_compared(sample, forest):
    urban = np.arange(120) % 3 == 0
    row = pd.Index(sample.clusters["unique_cluster"]).get_indexer(forest.residuals["unique_cluster"])
    value = forest.residuals["value"].to_numpy()
    made = with_residuals(forest, prediction=value + np.where(urban[row], 3.0, 1.0))
    check = gl.audit(made, sample).check("urban_rural_error")
    assert (check.status, check.figure) == ("FAIL", pytest.approx(3.0))
    assert check.says == "The typical error is 3 at 40 urban places and 1 at 80 rural places."
    assert gl.audit(made).check("urban_rural_error").status == "NOT KNOWN"


def test_folds_that_part_one_place_fail(sample, forest):
    assert gl.audit(forest, sample).check("fold_leaks").status == "PASS"
    folds = forest.residuals["fold"].to_numpy()
    one, other = np.flatnonzero(folds == folds[0])[0], np.flatnonzero(folds != folds[0])[0]
    geometry = sample.clusters.geometry.to_numpy().copy()
    ids = pd.Index(sample.clusters["unique_cluster"])
    rows = ids.get_indexer(forest.residuals["unique_cluster"].iloc[[one, other]])
    geometry[rows[0]] = geometry[rows[1]]
    moved = replace(sample, clusters=sample.clusters.set_geometry(geometry, crs="EPSG:4326"))
    assert gl.audit(forest, moved).check("fold_leaks").status == "FAIL"


def test_a_model_of_permuted_labels_fails(forest):
    permuted = replace(forest, card=replace(forest.card, permuted=True))
    assert gl.audit(permuted).check("true_labels").status == "FAIL"


def test_a_classifier_is_judged_by_auc_and_slope(sample):
    trained = gl.train(sample, gl.Forest(n_estimators=10, task="classification"), "pov")
    ids = [check.id for check in gl.audit(trained).checks]
    assert "skill_classification" in ids
    assert "calibration_slope" in ids


@pytest.mark.parametrize(
    ("value", "lower", "upper", "compared", "shown"),
    [
        (-213.4, -588.1, -0.69, "it is worse than predicting the mean everywhere", "−588"),
        (-0.2, -0.6, 0.1, "it is not distinguished from predicting the mean everywhere", "−0.6"),
        (-3.65e-17, -3.65e-17, -3.65e-17, "it is not distinguished from predicting the mean everywhere", "0"),
        (0.5512, 0.4809, 0.61, "it is better than predicting the mean everywhere", "0.481"),
    ],
)
def test_skill_is_judged_by_the_whole_interval_and_its_figure_is_named(forest, value, lower, upper, compared, shown):
    score = forest.card.metrics["r2"]._replace(value=value, lower=lower, upper=upper)
    told = replace(forest, card=replace(forest.card, metrics={**forest.card.metrics, "r2": score}))
    check = gl.audit(told).check("skill_regression")
    assert compared in check.says
    assert (check.title, check.figure_text) == ("Skill (lower end of R²)", shown)
    assert "0000" not in check.says


def test_a_classifier_that_ranks_the_wrong_way_is_worse_than_guessing(sample):
    trained = gl.train(sample, gl.Forest(n_estimators=5, task="classification"), "pov")
    score = trained.card.metrics["auc"]._replace(value=0.4, lower=0.3, upper=0.48)
    told = replace(trained, card=replace(trained.card, metrics={**trained.card.metrics, "auc": score}))
    check = gl.audit(told).check("skill_classification")
    assert "it is worse than guessing" in check.says
    assert (check.title, check.figure_text) == ("Skill (lower end of AUC)", "0.3")
