import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsRegressor

from geolive.errors import InputError
from geolive.evaluation.protocols import PREDICTION_COLUMNS, RESULT_COLUMNS, compare, write_results
from geolive.evaluation.tables import WITHIN_COUNTRY
from geolive.models.baselines import Mean, Neighbours
from geolive.models.registry import BASELINES as NAMES
from geolive.models.registry import make_model
from geolive.sources.survey.reader import read_survey
from geolive.splits import fold_numbers, parse_split
from tests.panels import panel

LSMS = Path(__file__).parents[2].parent / "shared/data/lsms_clusters.csv"
BASELINES = {name: make_model(name) for name in NAMES}
SPLITS = ["rows", "random", "blocks:100km", "district"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return panel(tmp_path_factory.mktemp("panel"))


def figures(dataset, models, split, indicator="wealth", task="regression"):
    results, predictions = compare(dataset, models, indicator, task, parse_split(split), split, repeats=1)
    return results.pivot(index="model", columns="metric", values="value"), results, predictions


@pytest.mark.parametrize("split", SPLITS)
def test_the_neighbours_row_is_what_ten_lines_of_scikit_learn_give(dataset, split):
    clusters = dataset.clusters
    X, y = np.radians(clusters.get_coordinates()[["y", "x"]].to_numpy()), clusters["wealth"].to_numpy()
    folds, error, total = fold_numbers(parse_split(split), clusters), 0.0, 0.0
    for fold in np.unique(folds):
        learn, test = folds != fold, folds == fold
        predicted = KNeighborsRegressor(10, metric="haversine").fit(X[learn], y[learn]).predict(X[test])
        error += ((y[test] - predicted) ** 2).sum()
        total += ((y[test] - y[learn].mean()) ** 2).sum()
    table, _, _ = figures(dataset, {"neighbours": Neighbours()}, split)
    assert table.loc["neighbours", "r2"] == pytest.approx(1 - error / total, abs=1e-9)
    assert table.loc["neighbours", "rmse"] == pytest.approx(np.sqrt(error / len(y)), abs=1e-9)


@pytest.mark.parametrize("split", SPLITS)
def test_baselines_on_a_panel(dataset, split):
    table, results, predictions = figures(dataset, BASELINES, split)
    assert results.columns.tolist() == RESULT_COLUMNS
    assert table.index.tolist() == ["idw", "kriging", "mean", "neighbours", "random"]
    assert table.loc["mean", "r2"] == 0
    assert table.loc["random", "r2"] < -0.5
    assert table.loc[["idw", "kriging", "neighbours"], "r2"].between(0.2, 1).all()
    assert results["params"].map(json.loads).map(type).eq(dict).all()
    assert (results["n"] == len(dataset.clusters)).all()
    assert predictions.columns.tolist() == PREDICTION_COLUMNS
    assert (predictions.groupby("model").size() == len(dataset.clusters)).all()
    assert not predictions.duplicated(["model", "unique_cluster"]).any()
    assert predictions["prediction"].notna().all()


def test_the_leak_shows_and_blocks_are_harder(dataset):
    r2 = {split: figures(dataset, {"idw": BASELINES["idw"]}, split)[0].loc["idw", "r2"] for split in SPLITS}
    assert r2["rows"] > r2["random"] > r2["blocks:100km"]


def test_labels_have_their_own_figures(dataset):
    table, results, _ = figures(dataset, BASELINES, "random", task="classification")
    assert table.columns.tolist() == ["accuracy", "auc", "balanced_accuracy", "brier", "calibration_slope"]
    assert "majority" in table.index
    assert "mean" not in table.index
    assert np.isnan(table.loc["majority", "auc"])
    assert table.loc["kriging", "accuracy"] > 0.7
    assert 0.3 < table.loc["random", "accuracy"] < 0.7
    assert results["task"].eq("classification").all()


def test_no_cluster_is_seen_by_the_model_that_predicts_it(dataset):
    values = dataset.clusters["wealth"].sample(frac=1, random_state=0).to_numpy()
    permuted, _, _ = figures(replace(dataset, clusters=dataset.clusters.assign(wealth=values)), BASELINES, "random")
    assert permuted.loc["neighbours", "r2"] < 0.1
    assert permuted.loc["kriging", "r2"] < 0.1


def test_a_model_that_fails_is_reported_and_the_others_go_on(dataset):
    class Broken(Mean):
        name = "broken"

        def predict(self, places):
            raise RuntimeError("out of\nluck")

    class Unmakable(Mean):
        def for_task(self, task, random_state):
            raise InputError("needs images")

    table, results, predictions = figures(dataset, {"first": Broken(), "forest": Unmakable(), "mean": Mean()}, "random")
    assert set(predictions["model"]) == {"mean"}
    failed = results[results["protocol"].str.startswith("failed")]
    assert failed["value"].isna().all()
    assert set(failed["protocol"]) == {
        "failed: fold 1 of 5: RuntimeError: out of luck",
        "failed: fold 1 of 5: InputError: needs images",
    }
    assert table.loc[["first", "forest"]].isna().all(axis=None)
    assert len(results) == 12


def test_a_missing_indicator_is_an_input_error(dataset):
    with pytest.raises(InputError, match="'height' is not in the dataset"):
        compare(dataset, BASELINES, "height", "regression", parse_split("random"), "random")


def test_clusters_without_a_value_are_left_out(dataset):
    wealth = dataset.clusters["wealth"].where(np.arange(len(dataset.clusters)) > 9)
    partial = replace(dataset, clusters=dataset.clusters.assign(wealth=wealth))
    assert (figures(partial, {"mean": Mean}, "random")[1]["n"] == len(wealth) - 10).all()


def test_results_are_written_and_nothing_is_overwritten(dataset, tmp_path):
    _, results, predictions = figures(dataset, BASELINES, "blocks:100km")
    folder = write_results(results, predictions, tmp_path / "report")
    pd.testing.assert_frame_equal(pd.read_csv(folder / "results.csv"), results)
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "predictions.parquet"), predictions)
    with pytest.raises(InputError, match="nothing is overwritten"):
        write_results(results, predictions, folder)


@pytest.mark.skipif(not LSMS.exists(), reason="the LSMS survey, ../shared/data/lsms_clusters.csv, is not here")
def test_ten_neighbours_on_a_real_panel():
    survey = read_survey(LSMS, "lon", "lat", {"asset_index": "asset_index"})
    r2 = {
        split: figures(survey, {"neighbours": Neighbours()}, split, "asset_index")[0].loc["neighbours", "r2"]
        for split in ("rows", "random", "blocks:100km")
    }
    assert r2 == pytest.approx({"rows": 0.60, "random": 0.56, "blocks:100km": 0.50}, abs=0.02)
    with pytest.raises(InputError, match=r"column 'ea_id': name .* occurs already"):
        read_survey(LSMS, "lon", "lat", {"asset_index": "asset_index"}, id="ea_id")


@pytest.mark.skipif(not LSMS.exists(), reason="the LSMS survey, ../shared/data/lsms_clusters.csv, is not here")
def test_country_means_explain_half_of_a_real_survey_and_scikit_learn_agrees():
    survey = read_survey(LSMS, "lon", "lat", {"asset_index": "asset_index"}, country="country")
    table, _, _ = figures(survey, {"neighbours": Neighbours()}, "random", "asset_index")
    clusters = survey.clusters
    X, y = np.radians(clusters.get_coordinates()[["y", "x"]].to_numpy()), clusters["asset_index"].to_numpy()
    p, pooled, within, by_country = np.empty(len(y)), np.empty(len(y)), np.empty(len(y)), clusters["country"].to_numpy()
    for learn, test in parse_split("random").split(clusters):
        p[test] = KNeighborsRegressor(10, metric="haversine").fit(X[learn], y[learn]).predict(X[test])
        pooled[test] = y[learn].mean()
        within[test] = pd.Series(y[learn]).groupby(by_country[learn]).mean()[by_country[test]]
    squares = ((y - p) ** 2).sum()
    assert table.loc["neighbours", "r2"] == pytest.approx(1 - squares / ((y - pooled) ** 2).sum(), abs=1e-9)
    assert table.loc["neighbours", WITHIN_COUNTRY] == pytest.approx(1 - squares / ((y - within) ** 2).sum(), abs=1e-9)
    # what knowing the country alone explains
    assert 1 - ((y - within) ** 2).sum() / ((y - pooled) ** 2).sum() == pytest.approx(0.5, abs=0.05)
    assert table.loc["neighbours", WITHIN_COUNTRY] < table.loc["neighbours", "r2"] - 0.3
