import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor

from geolive.errors import InputError
from geolive.evaluation import comparison, cross_validation
from geolive.evaluation.evaluate import ImagewiseSettings, evaluate
from geolive.evaluation.evaluation_result import Evaluation
from geolive.evaluation.tables import NOT_OUT_OF_FOLD, RESULT_COLUMNS, WITHIN_COUNTRY
from geolive.metrics import METRICS
from geolive.models.baselines import InverseDistance, Mean, Neighbours
from geolive.models.count_models import CountModel
from geolive.models.registry import BASELINES
from geolive.simulation.sample import make_sample
from geolive.sources.survey.reader import read_survey
from geolive.splits import BlockSplit, BufferedSplit, RandomSplit, fold_numbers, parse_split
from tests.panels import panel

LSMS = Path(__file__).parents[2].parent / "shared/data/lsms_clusters.csv"
SPLITS = ["rows", "random", "blocks:100km", "district"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return panel(tmp_path_factory.mktemp("panel"))


def figures(dataset, models, split, indicator="wealth", task="regression"):
    evaluation = evaluate(dataset, models, indicator, split=parse_split(split), task=task, repeats=1)
    results = evaluation.results
    return results.pivot(index="model", columns="metric", values="value"), results, evaluation.predictions


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
    columns = ["model", "unique_cluster", "lon", "lat", "fold", "value", "prediction", "indicator", "task", "split"]
    assert predictions.columns.tolist() == columns
    assert (predictions.groupby("model").size() == len(dataset.clusters)).all()
    assert not predictions.duplicated(["model", "unique_cluster"]).any()
    assert predictions["prediction"].notna().all()


def test_the_leak_shows_and_blocks_are_harder(dataset):
    r2 = {split: figures(dataset, {"idw": InverseDistance()}, split)[0].loc["idw", "r2"] for split in SPLITS}
    assert r2["rows"] > r2["random"] > r2["blocks:100km"]


def test_labels_have_their_own_figures(dataset):
    table, results, _ = figures(dataset, BASELINES, "random", task="classification")
    assert table.columns.tolist() == [
        "accuracy", "auc", "balanced_accuracy", "brier", "calibration_slope", "f1", "false_negatives", "false_positives",
        "precision", "recall", "true_negatives", "true_positives",
    ]  # fmt: skip
    cells = ["true_positives", "false_positives", "false_negatives", "true_negatives"]
    assert (table[cells].sum(axis=1) == len(dataset.clusters)).all()
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
        def predict(self, places):
            raise RuntimeError("out of\nluck")

    class Unfit(Mean):
        def fit(self, places, values):
            raise InputError("needs images")

    models = {"first": Broken(), "forest": Unfit(), "mean": Mean()}
    table, results, predictions = figures(dataset, models, "random")
    assert set(predictions["model"]) == {"mean"}
    failed = results[results["protocol"].str.startswith("failed")]
    assert failed["value"].isna().all()
    assert set(failed["protocol"]) == {
        "failed: fold 1 of 5: RuntimeError: out of luck",
        "failed: fold 1 of 5: InputError: needs images",
    }
    assert table.loc[["first", "forest"]].isna().all(axis=None)
    assert len(results) == 3 * len(METRICS["regression"])


def test_two_models_of_one_name_are_two_rows_named_by_their_keys(dataset):
    models = {"three": Neighbours(n_neighbors=3), "ten": Neighbours(n_neighbors=10)}
    table, _, predictions = figures(dataset, models, "random")
    assert set(table.index) == set(predictions["model"]) == {"three", "ten"}
    assert table.loc["three", "r2"] != table.loc["ten", "r2"]
    # what was given is not changed
    assert not hasattr(models["three"], "n_features_in_")
    assert models["three"].get_params()["n_neighbors"] == 3


def test_any_estimator_of_scikit_learn_is_a_row(small_sample):
    models = {"ridge": CountModel(Ridge()), "stronger": CountModel(Ridge(1000.0))}
    evaluation = evaluate(small_sample.dataset, models, "pov", split=RandomSplit())
    counts = evaluation.task_results[0].task.places.counts()
    values, folds = evaluation.task_results[0].task.values, evaluation.task_results[0].task.folds()
    predicted = np.empty(len(values))
    for fold in range(5):
        fitted = Ridge().fit(counts[folds != fold], values[folds != fold])
        predicted[folds == fold] = fitted.predict(counts[folds == fold])
    own = evaluation.predictions.query("model == 'ridge'")
    assert own["prediction"].to_numpy() == pytest.approx(predicted)
    with pytest.raises(InputError, match=r"CountModel\(Ridge\(\)\)"):
        evaluate(small_sample.dataset, {"ridge": Ridge()}, "pov")


def test_a_splitter_is_used_as_it_is_and_a_name_gets_its_buffer(dataset):
    own = BlockSplit("100km", n_splits=4)
    evaluation = evaluate(dataset, ["mean"], "wealth", split=["blocks:50km", own])
    by_name, as_given = (one.task for one in evaluation.task_results)
    assert isinstance(by_name.splitters[0], BufferedSplit)
    assert as_given.splitters[0] is own
    assert as_given.split == "blocks:100km"
    assert repr(evaluation) == "<Evaluation of mean: wealth, regression, split blocks:50km, blocks:100km>"
    assert "blocks:100km" in evaluation._repr_html_()
    both = evaluate(dataset, ["mean"], "wealth", split={"mine": own, "yours": RandomSplit()})
    assert both.table().columns.tolist() == [("wealth", "mine"), ("wealth", "yours")]


def test_parameters_are_checked_before_anything_is_fitted(dataset):
    class Forbidden(Mean):
        def fit(self, places, values):
            raise AssertionError("fitted")

    for given, match in (
        ({"task": "ranking"}, "task='ranking'"),
        ({"protocol": "best"}, "protocol='best'"),
        ({"features": "lite0"}, "features='lite0' is not in the dataset"),
        ({"split": "kmeans"}, "no split 'kmeans'"),
        ({"split": KFold(3)}, "must be a name, such as 'blocks:100km', or a splitter"),
        ({"split": [RandomSplit(), RandomSplit(3)]}, "two splits have the same name"),
    ):
        with pytest.raises(InputError, match=match):
            evaluate(dataset, {"mean": Forbidden()}, "wealth", **given)


def test_a_changed_dataset_does_not_reuse_the_rows_of_an_earlier_run(dataset, tmp_path, monkeypatch):
    """A run is stopped after its rows; the same call with other values, or other counts, must compute all of them."""
    fitted = []
    real = cross_validation.predict_spec

    def predict(spec, *given):
        fitted.append(spec.name)
        return real(spec, *given)

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "predict_spec", predict)
    settings = {"split": "random", "out": tmp_path / "report"}
    with monkeypatch.context() as stopping:
        stopping.setattr(Evaluation, "write_report", stopped)
        with pytest.raises(KeyboardInterrupt):
            evaluate(dataset, ["mean", "neighbours"], "wealth", **settings)
        with pytest.raises(KeyboardInterrupt):
            evaluate(dataset, ["mean", "neighbours"], "wealth", **settings)
        assert fitted == ["mean", "neighbours"]
        changed = replace(dataset, clusters=dataset.clusters.assign(urban=True))
        with pytest.raises(KeyboardInterrupt):
            evaluate(changed, ["mean", "neighbours"], "wealth", **settings)
        assert fitted == ["mean", "neighbours"] * 2
    evaluate(dataset, ["mean", "neighbours"], "wealth", **settings)
    assert len(fitted) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_the_previous_survey_stands_apart_from_predictions_out_of_fold(dataset, tmp_path):
    second = dataset.clusters.duplicated("geometry").to_numpy()
    panel_of_years = replace(dataset, clusters=dataset.clusters.assign(year=2010 + 5 * second))
    evaluation = evaluate(panel_of_years, ["mean", "neighbours", "previous-survey"], "wealth", split=["random"])
    results = evaluation.results
    apart = results[results["model"] == "previous-survey"]
    assert apart["protocol"].str.startswith(NOT_OUT_OF_FOLD).all()
    assert apart["n"].eq(second.sum()).all()
    assert evaluation.table().index.tolist() == ["neighbours", "mean"]
    assert "previous-survey is not out of fold" in evaluation._repr_html_()
    folder = evaluation.write_report(tmp_path / "report")[0].parent
    markdown = (folder / "results.md").read_text()
    main, own = markdown.split("## Not out of fold")
    assert "previous-survey" not in main
    # beside it stands the best model on the same clusters
    (line,) = (line for line in own.splitlines() if "| neighbours (best model" in line)
    prediction = (
        evaluation.predictions.query("model == 'neighbours'")
        .set_index("unique_cluster")
        .reindex(panel_of_years.clusters["unique_cluster"][second])
    )
    reference = evaluation.task_results[0].task.reference()[second]
    error = ((prediction["value"] - prediction["prediction"]) ** 2).sum()
    assert f" {1 - error / ((prediction['value'] - reference) ** 2).sum():.2f} [" in line
    page = (folder / "report.html").read_text()
    assert "previous-survey" not in page[: page.index("<h2>Not out of fold</h2>")]
    details = page[page.index("<h2>wealth, regression, split random</h2>") : page.index("<h2>What the names mean</h2>")]
    assert "neighbours" in details
    assert "previous-survey" not in details


def test_a_missing_indicator_is_an_input_error(dataset):
    with pytest.raises(InputError, match="'height' is not in the dataset"):
        evaluate(dataset, BASELINES, "height")


def test_clusters_without_a_value_are_left_out(dataset):
    wealth = dataset.clusters["wealth"].where(np.arange(len(dataset.clusters)) > 9)
    partial = replace(dataset, clusters=dataset.clusters.assign(wealth=wealth))
    assert (figures(partial, {"mean": Mean()}, "random")[1]["n"] == len(wealth) - 10).all()


def test_results_are_written_and_nothing_is_overwritten(dataset, tmp_path):
    evaluation = evaluate(dataset, BASELINES, split="blocks:100km", out=tmp_path / "report")
    read = pd.read_csv(tmp_path / "report" / "results.csv")
    pd.testing.assert_frame_equal(read, evaluation.results, check_dtype=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "report" / "predictions.parquet"), evaluation.predictions)
    with pytest.raises(InputError, match="geolive overwrites nothing"):
        evaluation.write_report(tmp_path / "report")
    with pytest.raises(InputError, match="geolive overwrites nothing"):
        evaluate(dataset, BASELINES, split="blocks:100km", out=tmp_path / "report")


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


def test_the_number_of_processes_changes_nothing(dataset):
    class Broken(Neighbours):
        def fit(self, places, values):
            raise ZeroDivisionError("no luck")

    models = {"near": Neighbours(n_neighbors=3), "broken": Broken(), "far": Neighbours(n_neighbors=30)}
    found, shown = [], []
    for n_jobs in (1, 2):
        rows = []
        found.append(evaluate(dataset, models, "wealth", split=RandomSplit(), n_jobs=n_jobs, on_row=rows.append))
        shown.append([table["model"].iloc[0] for table in rows])
    pd.testing.assert_frame_equal(*(one.results for one in found))
    pd.testing.assert_frame_equal(*(one.predictions for one in found))
    assert shown[0] == shown[1] == ["near", "broken", "far"]
    assert [type(one.task_results[0].failed["broken"]) for one in found] == [ZeroDivisionError] * 2


def test_the_dense_network_trains_as_it_is_told_to(small_sample):
    settings = {"split": RandomSplit(n_splits=2), "batch_size": 7, "epochs": 3, "learning_rate": 0.02}
    (row,) = evaluate(small_sample.dataset, "mlp", "pov", **settings).task_results[0].predicted
    assert len(row.curves[0]["train"]) == 3
    other = evaluate(small_sample.dataset, "mlp", "pov", **(settings | {"batch_size": 30}))
    assert not np.allclose(row.values, other.task_results[0].predicted[0].values)


def test_networks_train_as_they_are_told_to(small_sample):
    dataset = small_sample.dataset
    settings = {"split": RandomSplit(n_splits=2), "batch_size": 7, "iterations": 3, "learning_rate": 0.02}
    evaluation = evaluate(dataset, "gcn-obj,attention,mean", "pov", **settings)
    assert evaluation.results["value"].notna().any()
    params = evaluation.results.drop_duplicates("model")["params"].map(json.loads).tolist()
    for one in params[:2]:
        assert (one["batch_size"], one["iterations"], one["learning_rate"]) == (7, 3, 0.02)
        assert "epochs" not in one
    other = evaluate(dataset, "gcn-obj", "pov", split=RandomSplit(n_splits=2), batch_size=7, iterations=9)
    values = [one.predictions.query("model.str.startswith('gcn')")["prediction"] for one in (evaluation, other)]
    assert not np.allclose(*values)
    for given, match in (
        ({"iterations": 3, "epochs": 2}, "give one of them"),
        ({"batch_size": 0}, "batch_size=0: must be an integer of at least 1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0: must be a number above 0"),
    ):
        with pytest.raises(InputError, match=match):
            evaluate(dataset, "gcn-obj", "pov", **given)


def test_the_authors_rows_boosted_trees_and_pools():
    dataset = make_sample("goa", 1, n_clusters=60, most_images=12, with_features=True)
    settings = {
        "split": RandomSplit(n_splits=2),
        "task": "classification",
        "iterations": 2,
        "batch_size": 8,
        "n_neighbor_images": 30,
    }
    names = "gcn-authors-obj,gcn-authors-feats,gcn-authors-both,boosting-5,boosting-7,boosting-10,neighbours-images,imagewise"
    by_vote = evaluate(dataset, names, "pov", **settings, imagewise=ImagewiseSettings(pool="vote"))
    assert not by_vote.results["protocol"].str.startswith(("failed", "not run")).any()
    found = by_vote.results.drop_duplicates("model").set_index("model")["params"].map(json.loads)
    assert list(found.index) == [
        *(f"gcn-authors-{inputs}-distance" for inputs in ("obj", "feats", "both")),
        *(f"clusterwise-boosting-authors-{depth}" for depth in (5, 7, 10)),
        "neighbours-30-images",
        "imagewise-linear",
    ]
    assert (found.iloc[0]["iterations"], found.iloc[0]["batch_size"]) == (2, 8)
    assert found["clusterwise-boosting-authors-7"]["n_estimators"] == 100
    assert found["imagewise-linear"]["pool"] == "vote"
    photos = dataset.cluster_places(dataset.clusters, "simfeats").n_images
    predicted = by_vote.predictions.set_index(["model", "unique_cluster"])["prediction"]["imagewise-linear"]
    shares = predicted * pd.Series(photos, dataset.clusters["unique_cluster"]).reindex(predicted.index)
    np.testing.assert_allclose(shares, shares.round(), atol=1e-9)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"imagewise": ImagewiseSettings(pool="vote")}, "photos vote for labels, not for values"),
        ({"imagewise": ImagewiseSettings(pool="median")}, "pool='median': must be 'mean' or 'vote'"),
        ({"n_neighbor_images": 0}, "n_neighbor_images=0: must be an integer of at least 1"),
        ({"min_images": -1}, "min_images=-1: must be an integer of at least 0"),
    ],
)
def test_options_of_images_are_checked_before_anything_is_fitted(dataset, given, match):
    with pytest.raises(InputError, match=match):
        evaluate(dataset, "mean", "wealth", **given)
