"""Rows of the tables: what they are, what they lack, what they predict."""

import copy
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import confusion_matrix, f1_score, precision_score, r2_score, recall_score

from geolive.errors import InputError
from geolive.evaluation.best_of import BestOf
from geolive.evaluation.comparison import run_task
from geolive.evaluation.cross_validation import FoldError, predict_spec, shared_fits
from geolive.evaluation.model_specs import ModelSpec, find_specs, given_specs
from geolive.evaluation.rows_ahead import rows_ahead
from geolive.evaluation.tables import WITHIN_COUNTRY, differences, row_results, stratum_results
from geolive.evaluation.tasks import make_task
from geolive.evaluation.training_options import notes_on_options, options_by_kind
from geolive.models.baselines import Mean, Neighbours
from geolive.splits import CountrySplit, OfficialSplit, RandomSplit
from tests.panels import panel


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The panel in two countries, one far richer, with surveys of two years and towns."""
    data = panel(tmp_path_factory.mktemp("panel"))
    east = (data.clusters.geometry.x > 83).to_numpy()
    second = data.clusters.duplicated("geometry").to_numpy()
    wealth = data.clusters["wealth"] + 20 * east
    urban = np.arange(len(east)) % 3 == 0
    changed = data.clusters.assign(
        country=np.where(east, "ke", "ia"), year=2010 + 5 * second, wealth=wealth, urban=urban,
        wealth_label=(wealth >= wealth.median()).astype(float),
    )  # fmt: skip
    return replace(data, clusters=changed)


def asked(dataset, task="regression", splitter=None, **options):
    return make_task(dataset, "wealth", task, splitter or RandomSplit(), "random", **options)


def test_every_row_has_a_name_and_says_what_it_lacks(dataset):
    rows = find_specs("all")
    lacking = {row.name: row.missing(dataset, None) for row in rows}
    assert lacking["neighbours"] == lacking["previous-survey"] == ""
    assert lacking["forest"] == "needs object counts (detect, or fetch images with objects)"
    assert "image features" in lacking["gcn-both"]
    assert "surveys of two years" in find_specs("previous-survey")[0].missing(panel_of_one_year(dataset), None)
    assert "two countries" in find_specs("mean+own-country")[0].missing(panel_of_one_year(dataset), None)
    assert [row.name for row in find_specs("mean,baselines")][:2] == ["mean", "random"]
    for wrong in ("forest+smoothed", "previous-survey+kriged", "+kriged"):
        with pytest.raises(InputError, match="no model"):
            find_specs(wrong)


def panel_of_one_year(dataset):
    return replace(dataset, clusters=dataset.clusters.drop(columns="year").assign(country="ia"))


def test_a_model_that_knows_the_countries_only_scores_nothing_within_them(dataset):
    task = asked(dataset)

    class CountryMean(Mean):
        def fit(self, places, values):
            east = places.positions[:, 0] > 83
            self.mean_, self.rich_ = 0.0, (values[east].mean(), values[~east].mean())
            return self

        def predict(self, places):
            return np.where(places.positions[:, 0] > 83, *self.rich_)

    (predicted,) = predict_spec(ModelSpec("countries", CountryMean), task, "nested")
    table = row_results(task, predicted, "nested").set_index("metric")["value"]
    assert table["r2"] > 0.9
    assert table[WITHIN_COUNTRY] == pytest.approx(0, abs=1e-12)
    strata = stratum_results(task, predicted, "nested")
    assert set(strata["stratum"]) == {"urban", "rural", "country ia", "country ke"}
    r2 = strata[strata["metric"] == "r2"].set_index("stratum")["value"]
    assert r2[["country ia", "country ke"]].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert (r2[["urban", "rural"]] > 0.9).all()


def test_the_previous_survey_is_the_places_own_earlier_value(dataset):
    task = asked(dataset)
    predicted = predict_spec(find_specs("previous-survey")[0], task, "nested")[0].values[0]
    later = (task.clusters["year"] == 2015).to_numpy()
    # read_survey's panel: the second visit is 0.1 richer
    assert np.allclose((task.values - predicted)[later & np.isfinite(predicted)].mean(), 0.1, atol=0.15)
    assert np.isnan(predicted[~later]).all()
    assert np.isfinite(predicted[later]).all()


def test_countries_apart_and_halves_of_them(dataset):
    seen = []

    class Spy(Mean):
        def fit(self, places, values):
            seen.append(places.positions[:, 0] > 83)
            return super().fit(places, values)

    task = asked(dataset)
    (apart,) = predict_spec(ModelSpec("spy", Spy, variant="own-country"), task, "nested")
    assert apart.model == "mean+own-country"
    assert all(len(set(east)) == 1 for east in seen)
    assert len(seen) == 10
    seen.clear()
    predict_spec(ModelSpec("spy", Spy, variant="pooled-50"), task, "nested")
    for east, (learn, _) in zip(seen, task.partitions[0], strict=True):
        own = task.clusters.geometry.x.to_numpy()[learn] > 83
        assert len(east) == pytest.approx(len(learn) / 2, abs=1)
        assert east.sum() == pytest.approx(own.sum() / 2, abs=1)


def test_a_country_without_training_clusters_is_named_as_people_write_it(dataset):
    task = asked(dataset, splitter=CountrySplit(n_splits=2))
    with pytest.raises((InputError, FoldError), match=r"no training cluster in country '\w+'") as caught:
        predict_spec(ModelSpec("mean", Mean, variant="own-country"), task, "nested")
    assert "np.str_" not in str(caught.value)


def test_nested_chooses_within_training_and_authors_on_the_test(dataset):
    row = ModelSpec("best", lambda: BestOf([Neighbours(n_neighbors=k) for k in (1, 5, 400)]))
    rng = np.random.default_rng(0)
    clusters = dataset.clusters.assign(wealth=rng.normal(size=len(dataset.clusters)))
    task = asked(replace(dataset, clusters=clusters))
    nested, authors = (predict_spec(row, task, protocol)[0] for protocol in ("nested", "authors"))
    r2 = [row_results(task, p, "nested").set_index("metric").loc["r2", "value"] for p in (nested, authors)]
    assert r2[1] >= r2[0]
    assert sum(nested.params["chosen"].values()) == 5

    # what the folds that are tested hold has no say in a nested choice
    _, test = task.partitions[0][0]
    changed = clusters.assign(wealth=np.where(np.isin(np.arange(len(clusters)), test), 99.0, clusters["wealth"]))
    other = asked(replace(dataset, clusters=changed))
    assert np.array_equal(predict_spec(row, other, "nested")[0].values[0][test], nested.values[0][test])


def test_authors_protocol_gives_the_test_part_to_checkpoints(dataset):
    given = []

    class Checkpointed(Mean):
        takes_validation = True

        def fit(self, places, values, validation=None):
            given.append(validation)
            return super().fit(places, values)

    task = asked(dataset)
    row = ModelSpec("net", Checkpointed)
    (authors,) = predict_spec(row, task, "authors")
    assert authors.params["checkpoint"] == "best on validation (optimistic)"
    assert [len(part[1]) for part in given] == [len(test) for _, test in task.partitions[0]]
    given.clear()
    predict_spec(row, task, "nested")
    assert given == [None] * 5


def test_the_best_and_the_last_checkpoint_are_two_rows_and_the_best_is_called_optimistic(dataset):
    class Checkpointed(Mean):
        takes_validation = True
        name = "net"

        def fit(self, places, values, validation=None):
            self.best_ = None if validation is None else validation[1].mean()
            return super().fit(places, values)

        def last_checkpoint(self):
            last = copy.copy(self)
            last.best_ = None
            return last

        def predict(self, places):
            return super().predict(places) if self.best_ is None else np.full(len(places), self.best_)

    task = asked(dataset)
    result = run_task(dataset, [ModelSpec("net", Checkpointed), *find_specs("mean")], task, protocol="authors")
    r2 = result.results[result.results["metric"] == "r2"].set_index("model")
    by_fold = pd.Series(task.values).groupby(task.folds()).transform("mean").to_numpy()
    without = ((task.values - task.reference()) ** 2).sum()
    assert r2.loc["net", "value"] == pytest.approx(1 - ((task.values - by_fold) ** 2).sum() / without)
    assert r2.loc["net+last", "value"] == 0
    assert r2["protocol"].to_dict() == {
        "net": "authors (best checkpoint on validation, optimistic), 5 folds",
        "net+last": "authors (last checkpoint), 5 folds",
        "mean": "authors (takes no validation set), 5 folds",
    }
    params = r2["params"].map(json.loads)
    assert [params[name]["checkpoint"] for name in ("net", "net+last", "mean")] == [
        "best on validation (optimistic)", "last", "takes no validation set",
    ]  # fmt: skip
    (nested,) = predict_spec(ModelSpec("net", Checkpointed), task, "nested")
    assert (nested.model, nested.selection, "checkpoint" in nested.params) == ("net", "", False)


def test_image_wise_models_have_figures_of_single_images(small_sample):
    """The predictions of single images are those of ten lines of scikit-learn's kind, and n is the number of images."""
    rng = np.random.default_rng(0)
    dataset = small_sample.dataset
    clusters = dataset.clusters.set_index("unique_cluster")["pov"]
    signal = dataset.images["unique_cluster"].map(clusters).fillna(0).to_numpy()
    features = np.column_stack([signal, np.ones(len(signal))]) + rng.normal(0, 0.5, (len(signal), 2))
    dataset = dataset.with_features("two", features.astype(np.float32))
    task = make_task(dataset, "pov", "classification", RandomSplit(n_splits=2), features="two", needs_images=True)
    (predicted,) = predict_spec(find_specs("imagewise")[0], task, "nested")
    table = row_results(task, predicted, "nested").set_index("metric")
    n = task.places.n_images.sum()
    assert table.loc["accuracy_per_image", "n"] == n > len(task.values) == table.loc["accuracy", "n"]
    _, row, probability = predicted.images.T
    label, says_one = task.values[row.astype(int)], probability >= 0.5
    assert table.loc["accuracy_per_image", "value"] == pytest.approx((label == says_one).mean())
    assert table.loc["precision_per_image", "value"] == pytest.approx(precision_score(label, says_one))
    assert table.loc["recall_per_image", "value"] == pytest.approx(recall_score(label, says_one))
    assert table.loc["f1_per_image", "value"] == pytest.approx(f1_score(label, says_one))
    cells = [f"{name}_per_image" for name in ("true_negatives", "false_positives", "false_negatives", "true_positives")]
    assert table.loc[cells, "value"].tolist() == confusion_matrix(label, says_one).ravel().tolist()
    assert table.loc["accuracy_per_image", "lower"] < table.loc["accuracy_per_image", "value"]


def test_a_place_of_the_image_wise_ridge_is_the_mean_of_its_images(small_sample):
    features = np.random.default_rng(0).normal(size=(len(small_sample.dataset.images), 3)).astype(np.float32)
    dataset = small_sample.dataset.with_features("three", features)
    task = make_task(dataset, "pov", "regression", RandomSplit(n_splits=2), features="three", needs_images=True)
    (predicted,) = predict_spec(find_specs("imagewise")[0], task, "nested")
    _, row, of_images = predicted.images.T
    means = pd.Series(of_images).groupby(row.astype(int)).mean()
    assert predicted.values[0][means.index] == pytest.approx(means.to_numpy())
    table = row_results(task, predicted, "nested").set_index("metric")
    values = task.values[row.astype(int)]
    assert table.loc["r2_own_mean_per_image", "value"] == pytest.approx(r2_score(values, of_images))
    assert table.loc["pearson_r2_per_image", "value"] == pytest.approx(np.corrcoef(values, of_images)[0, 1] ** 2)


def test_own_models_are_rows_named_by_their_keys_and_anything_else_is_refused():
    two = given_specs({"a": Neighbours(n_neighbors=3), "b": Neighbours(n_neighbors=3)})
    assert [(spec.name, spec.label, spec.uses_images) for spec in two] == [("a", "a", False), ("b", "b", False)]
    with pytest.raises(InputError, match=r"models\['m'\] is a class; give an unfitted model, as Mean\(\)"):
        given_specs({"m": Mean})
    with pytest.raises(InputError, match=r"wrap an estimator of scikit-learn, as CountModel\(LinearRegression\(\)\)"):
        given_specs({"m": LinearRegression()})


def test_a_fold_that_fails_is_named(dataset):
    class Broken(Mean):
        calls = 0

        def fit(self, places, values):
            Broken.calls += 1
            if Broken.calls == 3:
                raise RuntimeError("out of\nluck")
            return super().fit(places, values)

        def predict(self, places):
            return super().predict(places)

    class Endless(Mean):
        def predict(self, places):
            return np.full(len(places), np.inf)

    with pytest.raises(FoldError, match="fold 3 of 5: RuntimeError: out of luck"):
        predict_spec(ModelSpec("broken", Broken), asked(dataset), "nested")
    with pytest.raises(FoldError, match="not finite"):
        predict_spec(ModelSpec("endless", Endless), asked(dataset), "nested")


def test_official_lists_test_once(dataset):
    split = np.where(np.arange(len(dataset.clusters)) % 5 == 0, "val", "train")
    task = asked(replace(dataset, clusters=dataset.clusters.assign(split=split)), splitter=OfficialSplit())
    (predicted,) = predict_spec(find_specs("neighbours")[0], task, "nested")
    assert np.array_equal(np.isfinite(predicted.values[0]), split == "val")
    assert row_results(task, predicted, "nested")["n"].eq((split == "val").sum()).all()


def test_differences_are_paired_and_antisymmetric(dataset):
    task = asked(dataset)
    predicted = [predict_spec(row, task, "nested")[0] for row in find_specs("mean,neighbours,previous-survey")]
    table = differences(task, predicted, "nested").set_index(["model", "other"])
    r2 = [row_results(task, p, "nested").set_index("metric").loc["r2", "value"] for p in predicted]
    assert table.loc[("neighbours", "mean"), "value"] == pytest.approx(r2[1] - r2[0])
    assert table.loc[("previous-survey", "mean"), "n"] < len(task.values)
    assert (table["lower"] <= table["value"]).all()
    swapped = differences(task, predicted[::-1], "nested").set_index(["model", "other"])
    assert swapped.loc[("mean", "neighbours"), "value"] == pytest.approx(-table.loc[("neighbours", "mean"), "value"])
    assert pd.notna(table["upper"]).all()


@pytest.mark.parametrize("name", ["gcn-obj", "mlp"])
def test_a_network_shows_its_best_and_its_last_epoch_under_the_authors_protocol_only(small_sample, name):
    """The last checkpoint is what the network is without a validation part, since that has no say in training."""
    task = make_task(small_sample.dataset, "pov", "regression", RandomSplit(n_splits=2), "random", needs_images=True)
    options = {"gcn": {"epochs": 4}}
    (row,) = find_specs(name, options=options)
    best, last = predict_spec(row, task, "authors")
    (nested,) = predict_spec(row, task, "nested")
    assert (best.model, last.model) == (nested.model, f"{nested.model}+last")
    assert best.params["checkpoint"] == "best on validation (optimistic)"
    assert "checkpoint" not in nested.params
    assert last.values == pytest.approx(nested.values, abs=1e-6)
    for curve in best.curves:
        assert len(curve["validation"]) == len(curve["train"])
        assert curve["best"] == 1 + np.argmin(curve["validation"])
    if any(curve["best"] < len(curve["train"]) for curve in best.curves):
        assert not np.allclose(best.values, last.values)
    assert last.curves == []
    assert all(curve["validation"] == [] for curve in nested.curves)


def test_stacked_says_that_it_takes_no_validation_set(small_sample):
    task = make_task(small_sample.dataset, "pov", "regression", RandomSplit(n_splits=2), "random", needs_images=True)
    specs = find_specs("stacked", options={"attention": {"epochs": 1}})
    result = run_task(small_sample.dataset, specs, task, protocol="authors")
    assert set(result.results["protocol"]) == {"authors (takes no validation set), 2 folds"}


@pytest.mark.parametrize(("name", "curves", "epochs"), [("stacked", 3, 2), ("mlp", 1, 60), ("attention+kriged", 1, 2)])
def test_every_network_of_a_fold_shows_how_it_was_trained(small_sample, name, curves, epochs):
    task = make_task(small_sample.dataset, "pov", "regression", RandomSplit(n_splits=2), "random", needs_images=True)
    (predicted,) = predict_spec(find_specs(name, options={"attention": {"epochs": 2}})[0], task, "nested")
    assert [curve["fold"] for curve in predicted.curves] == [1] * curves + [2] * curves
    for curve in predicted.curves:
        assert len(curve["train"]) == curve["best"] == epochs
        assert np.isfinite(curve["train"]).all()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_row_with_kriged_residuals_shares_the_fits_of_the_row_without(small_sample, monkeypatch, n_jobs):
    dataset, names = small_sample.dataset, "neighbours,neighbours+kriged"
    task = make_task(dataset, "pov", "regression", RandomSplit(n_splits=2), "random", needs_images=True)
    alone = [predict_spec(spec, task, "nested")[0] for spec in find_specs(names)]
    fits, specs, fitted, real = shared_fits(find_specs(names)), find_specs(names), [], Neighbours.fit

    def counted(self, *args, **options):
        fitted.append(self)
        return real(self, *args, **options)

    monkeypatch.setattr(Neighbours, "fit", counted)
    if n_jobs == 1:
        together = [predict_spec(spec, task, "nested", fits=fits)[0] for spec in specs]
        # two folds, each fitted to once, and without each of three inner folds
        assert len(fitted) == 2 * (1 + 3)
    else:
        options = {"protocol": "nested", "features": None, "random_state": 0, "resume": None}
        with rows_ahead(dataset, specs[::-1], [task], n_jobs, **options) as (predict,):
            together = [predict(spec)[0] for spec in specs]
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.values, other.values)
        assert (one.model, one.params, one.about) == (other.model, other.params, other.about)
    assert not np.array_equal(together[0].values, together[1].values)


def test_the_options_of_training_reach_the_rows_that_the_notes_name():
    given = {"epochs": 3, "batch_size": 5, "learning_rate": 0.02}
    rows = ["forest", "mlp", "gcn-obj", "gcn-obj+pooled-50", "gcn-authors-obj", "attention", "stacked-obj+cov"]
    for options in (given, {"iterations": 7}):
        notes = notes_on_options(rows, options)
        for option, value in options.items():
            made = find_specs(rows, options=options_by_kind(options))
            reached = [one.name for one in made if one.make().get_params().get(option) == value]
            if set(reached) == set(rows[1:]):
                assert not any(words.startswith(option) for words in notes)
            else:
                [words] = [words for words in notes if words.startswith(f"{option}={value}")]
                assert words.partition(" used by ")[2].partition(";")[0].split(", ") == reached
    assert notes_on_options(["imagewise-trained", "mlp"], {"learning_rate": 0.1}) == [
        "learning_rate=0.1: is used by mlp; not by imagewise-trained, which trains as imagewise='ARCH:EPOCHS:SIZE' says"
    ]
