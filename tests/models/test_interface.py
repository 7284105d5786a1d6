"""What every registered model promises: scikit-learn's interface, validated parameters, and a clear error before it is fitted."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.utils.estimator_checks import check_no_attributes_set_in_init, check_parameters_default_constructible

from geolive.errors import InputError
from geolive.models.baselines import Mean
from geolive.models.bundle import load_model, save_model
from geolive.models.cache import fit_cached
from geolive.models.clusterwise import Forest
from geolive.models.count_models import CountModel
from geolive.models.interface import Model
from geolive.models.registry import CLUSTERWISE, MODEL_KINDS, describe, make_model
from geolive.models.residual_kriging import ResidualKriging
from geolive.models.training import train

# models that need another object to be made
NEEDED = {"count-model": {"estimator": Ridge()}, "residual-kriging": {"model": Mean()}}
# made of photos, and tested with them
OF_PHOTOS = ("imagewise", "imagewise-trained")
NAMES = [name for name in MODEL_KINDS if name not in OF_PHOTOS]
SIMPLE = [name for name in NAMES if not MODEL_KINDS[name].command.startswith("gcn")]


def made(name):
    return make_model(name, **NEEDED.get(name, {}))


@pytest.fixture(scope="module")
def dataset(small_sample):
    return small_sample.dataset


@pytest.fixture(scope="module")
def seen(dataset):
    """Places of the sample with image features, and their values."""
    features = np.random.default_rng(0).normal(size=(len(dataset.images), 4)).astype(np.float32)
    dataset = dataset.with_features("four", features)
    return dataset.cluster_places(dataset.clusters, "four"), dataset.clusters["pov"].to_numpy()


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_scikit_learn_estimator(name):
    model = made(name)
    assert isinstance(model, BaseEstimator)
    assert model.kind == name
    if name not in NEEDED:
        check_parameters_default_constructible(name, model)
        check_no_attributes_set_in_init(name, model)
    params = model.get_params(deep=False)
    assert clone(model).get_params(deep=False).keys() == params.keys()
    assert type(model)(**params).set_params(**params).get_params(deep=False) == params
    assert describe(model).endswith(".")
    assert repr(model).startswith(type(model).__name__)


@pytest.mark.parametrize("name", NAMES)
def test_before_it_is_fitted_it_says_so(seen, name):
    with pytest.raises(NotFittedError, match="is not fitted yet; call fit"):
        made(name).predict(seen[0])


@pytest.mark.parametrize("name", SIMPLE)
def test_a_fitted_model_is_cloned_copied_and_pickled(seen, name):
    places, values = seen
    model = made(name)
    if "epochs" in model.get_params():
        model.set_params(epochs=2)
    before = model.get_params(deep=False)
    expected = model.fit(places, values).predict(places)
    assert model.get_params(deep=False) == before  # nothing that was given is changed
    for other in (pickle.loads(pickle.dumps(model)), copy.copy(model), copy.deepcopy(model), clone(model).fit(*seen)):
        assert np.array_equal(other.predict(places), expected)
    with pytest.raises(NotFittedError):
        clone(model).predict(places)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NEEDED])
def test_parameters_are_checked_when_it_is_fitted(seen, name):
    with pytest.raises(InputError, match="task='regresion': must be 'regression'"):
        made(name).set_params(task="regresion").fit(*seen)
    with pytest.raises(InputError, match="random_state=-1: must be an integer of at least 0"):
        made(name).set_params(random_state=-1).fit(*seen)
    for parameter in ("n_neighbors", "n_estimators", "max_depth", "epochs"):
        if parameter in made(name).get_params():
            with pytest.raises(InputError, match=f"{parameter}=0: must be an integer of at least 1"):
                made(name).set_params(**{parameter: 0}).fit(*seen)


def test_a_misspelt_task_is_refused_before_anything_is_learnt(dataset):
    for act in (train, fit_cached):
        with pytest.raises(InputError, match="task='regresion'"):
            act(dataset, Forest("regresion"), "pov")


def test_what_is_no_model_is_refused(dataset):
    with pytest.raises(InputError, match=r"model=Forest: is a class; give a model, for example Forest\(\)"):
        train(dataset, Forest, "pov")
    with pytest.raises(InputError, match=r"wrap a scikit-learn estimator in CountModel\(estimator\)"):
        train(dataset, RandomForestRegressor(), "pov")


class Median(Model):
    """The median of all surveyed clusters. It has no parameters of its own."""

    needs_images = False

    def fit(self, places, values):
        self.check_parameters()
        self.median_ = np.median(values)
        return self

    def predict(self, places):
        self.check_fitted()
        return np.full(len(places), self.median_)


def test_a_users_own_model_is_described_and_trained(dataset, tmp_path):
    assert describe(Median()) == "The median of all surveyed clusters."

    class Named(Median):
        about = "something {else}"

    assert describe(Named()) == "Something {else}."
    trained = train(dataset, Median(), "pov")
    assert trained.card.model == "Median"
    assert trained.residuals.groupby("fold")["prediction"].nunique().eq(1).all()
    with pytest.raises(InputError, match="Median cannot be saved in a bundle"):
        save_model(trained, tmp_path / "own")
    assert fit_cached(dataset, Median(), "pov").card == trained.card


def test_a_subclass_of_a_kept_model_is_not_kept_as_that_model(dataset, tmp_path):
    class Other(Forest):
        pass

    with pytest.raises(InputError, match="cannot be saved"):
        save_model(train(dataset, Other(n_estimators=2), "pov"), tmp_path / "other")


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestRegressor(8, random_state=0),
        HistGradientBoostingRegressor(max_iter=5),
        make_pipeline(StandardScaler(), Ridge(100.0)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_any_scikit_learn_regressor_is_a_model(dataset, tmp_path, estimator):
    before = repr(estimator.get_params())
    trained = train(dataset, CountModel(estimator), "pov")
    assert repr(estimator.get_params()) == before
    assert not hasattr(estimator, "n_features_in_")
    places, values = dataset.cluster_places(dataset.clusters), dataset.clusters["pov"].to_numpy()
    expected = clone(estimator).fit(places.counts(), values).predict(places.counts())
    assert np.allclose(trained.model.predict(places), expected)
    loaded = load_model(save_model(trained, tmp_path / "bundle"))
    assert np.array_equal(loaded.model.predict(places), trained.model.predict(places))
    assert clone(loaded.model).fit(places, values).predict(places) == pytest.approx(expected)


def test_the_forest_is_scikit_learns(dataset):
    own, theirs = Forest(n_estimators=8), CountModel(RandomForestRegressor(8, random_state=0))
    one, other = (train(dataset, model, "pov").residuals for model in (own, theirs))
    assert np.array_equal(one["prediction"], other["prediction"])
    places, values = dataset.cluster_places(dataset.clusters), dataset.clusters["pov"].to_numpy()
    few = Forest(n_estimators=8, max_features=22).fit(places, values).predict(places)
    theirs = CountModel(RandomForestRegressor(8, max_features=22, random_state=0)).fit(places, values)
    assert np.array_equal(few, theirs.predict(places))


def test_a_classifier_learns_labels_and_keeps_to_its_task(dataset):
    model = CountModel(ExtraTreesClassifier(10))
    assert model.task == "classification"
    assert train(dataset, model, "pov").residuals["prediction"].between(0, 1).all()
    seeded = model.for_task("classification", 7).estimator
    assert (seeded.random_state, model.estimator.random_state) == (7, None)
    with pytest.raises(InputError, match="give a regressor"):
        model.for_task("regression", 0)


def test_estimators_that_maps_cannot_use_are_refused(seen):
    for wrong, match in (
        (SVC(), "CalibratedClassifierCV"),
        (StandardScaler(), "not a scikit-learn regressor or classifier"),
        (Ridge, "give an unfitted one"),
    ):
        with pytest.raises(InputError, match=match):
            CountModel(wrong).fit(*seen)


def test_an_estimator_of_types_that_files_cannot_hold_safely_is_used_but_not_kept(dataset, tmp_path):
    trained = train(dataset, CountModel(SVR()), "pov")
    assert np.isfinite(trained.residuals["prediction"]).all()
    with pytest.raises(InputError, match="SVR can be used in Python, but not saved"):
        save_model(trained, tmp_path / "svr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", CLUSTERWISE)
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_models_of_the_command_line_are_kept(dataset, tmp_path, name, task):
    column = "pov" if task == "regression" else "pov_label"
    places, values = dataset.cluster_places(dataset.clusters), dataset.clusters[column].to_numpy()
    model = make_model(name, task=task).fit(places, values)
    again = type(model).load(tmp_path, model.save(tmp_path))
    assert np.array_equal(again.predict(places), model.predict(places))
    if task == "classification":
        assert ((again.predict(places) >= 0) & (again.predict(places) <= 1)).all()


def test_ridge_finds_the_inputs_that_matter(seen):
    places, _ = seen
    values = np.log1p(places.counts()[:, 5])
    importances = make_model("ridge").fit(places, values).importances_
    assert importances.argmax() == 5
    assert importances.sum() == pytest.approx(1)


def test_a_boosted_tree_whose_nodes_point_outside_is_refused(dataset, tmp_path):
    import skops.io

    model = make_model("boosting").fit(dataset.cluster_places(dataset.clusters), dataset.clusters["pov"].to_numpy())
    settings = model.save(tmp_path)
    model.estimator_._predictors[0][0].nodes["left"][0] = 60_000
    skops.io.dump(model.estimator_, tmp_path / "model.skops")
    with pytest.raises(InputError, match="points outside its tree"):
        type(model).load(tmp_path, settings)


def test_cached_models_are_told_apart_by_their_parameters_and_data(dataset):
    few, many = (fit_cached(dataset, Forest(n_estimators=n), "pov") for n in (2, 3))
    assert (few.card.model, many.card.model) == ("clusterwise-forest-2", "clusterwise-forest-3")
    shuffled = replace(dataset, features={"objects": np.array(dataset.features["objects"])[::-1]})
    other = fit_cached(shuffled, Forest(n_estimators=2), "pov")
    assert other.card.training_checksum != few.card.training_checksum
    assert not np.array_equal(other.residuals["prediction"], few.residuals["prediction"])


def test_residual_kriging_takes_the_task_of_its_model(seen):
    places, values = seen
    labels = (values > np.median(values)).astype(float)
    model = ResidualKriging(Mean()).for_task("classification", 3)
    assert (model.task, model.model.random_state, model.random_state) == ("classification", 3, 3)
    assert ((model.fit(places, labels).predict(places) >= 0) & (model.predict(places) <= 1)).all()


def test_a_logistic_pipeline_gives_probabilities(dataset):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    trained = train(dataset, CountModel(pipeline), "pov")
    assert trained.card.model == "clusterwise-LogisticRegression"
    assert trained.residuals["prediction"].between(0, 1).all()
