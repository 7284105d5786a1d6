"""Models on covariates, alone and beside what photos show."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from geolive.covariate_tables import CovariateTables
from geolive.errors import InputError
from geolive.explain.explanation import explain
from geolive.geodesy import EARTH_RADIUS_KM, unit_sphere
from geolive.mapping.prediction import predict
from geolive.models.attention import AttentionPooling, MeanPooling
from geolive.models.boosting import AuthorsBoosting, Boosting
from geolive.models.bundle import load_model, save_model
from geolive.models.clusterwise import Forest
from geolive.models.count_models import CountModel, ExtraTrees, RidgeCounts
from geolive.models.graphcnn import GraphCNN
from geolive.models.kriging import Kriging
from geolive.models.stacked import StackedNetwork
from geolive.models.training import train
from geolive.places import Places
from geolive.simulation.sample import make_sample
from geolive.tables import lonlat

CLUSTERWISE = {
    "forest": partial(Forest, n_estimators=20),
    "extra-trees": partial(ExtraTrees, n_estimators=20),
    "boosting": partial(Boosting, n_estimators=10),
    "authors-boosting": partial(AuthorsBoosting, n_estimators=2),
    "ridge": RidgeCounts,
}
NETWORKS = (GraphCNN, MeanPooling, AttentionPooling, StackedNetwork)


def add(dataset, **columns):
    """The dataset with covariates, which are functions of longitude and latitude."""
    tables = [
        pd.DataFrame({name: column(*lonlat(table.geometry).T) for name, column in columns.items()})
        for table in (dataset.clusters, dataset.images)
    ]
    return dataset.with_covariates(CovariateTables(*tables, {name: {"kind": "table"} for name in columns}))


@pytest.fixture(scope="module")
def plain():
    return make_sample("bihar", seed=0, n_clusters=60, n_sites=10)


@pytest.fixture(scope="module")
def dataset(plain):
    return add(plain, east=lambda lon, lat: lon - 85, north=lambda lon, lat: 100 * lat)


def of_places(places, columns, names):
    return replace(places, covariates=columns, covariate_names=names)


@pytest.mark.parametrize("kind", CLUSTERWISE.values(), ids=CLUSTERWISE)
@pytest.mark.parametrize("inputs", ["covariates", "covariates,objects"])
def test_clusterwise_models_use_covariates_by_name(dataset, plain, tmp_path, kind, inputs):
    trained = train(dataset, kind(inputs=inputs), "pov")
    assert trained.model.needs_images == ("objects" in inputs)
    save_model(trained, tmp_path / "bundle")
    loaded = load_model(tmp_path / "bundle")
    assert loaded.model.covariate_names_ == ("east", "north")
    places = dataset.cluster_places(dataset.clusters)
    found = loaded.model.predict(places)
    swapped = of_places(places, places.covariates[:, ::-1], ("north", "east"))
    np.testing.assert_array_equal(loaded.model.predict(swapped), found)
    holes = places.covariates.copy()
    holes[7, 1] = np.nan
    without = loaded.model.predict(of_places(places, holes, places.covariate_names))
    assert np.flatnonzero(np.isnan(without)).tolist() == [7]
    with pytest.raises(
        InputError, match=r"lacks the covariates 'east', 'north'.*covariates DATASET --raster east=FILE"
    ):
        predict(plain, loaded, region="bihar")


@pytest.mark.parametrize("kind", [NETWORKS[0], *(pytest.param(kind, marks=pytest.mark.slow) for kind in NETWORKS[1:])])
def test_networks_join_covariates_to_the_pooled_photos(dataset, tmp_path, kind):
    model = kind(inputs="covariates,objects", epochs=3)
    trained = train(dataset, model, "pov")
    places = dataset.cluster_places(dataset.clusters)
    moved = of_places(places, places.covariates + np.array([2.0, 300.0]), places.covariate_names)
    assert not np.allclose(trained.model.unbounded().predict(moved), trained.model.unbounded().predict(places))
    save_model(trained, tmp_path / "bundle")
    loaded = load_model(tmp_path / "bundle").model
    np.testing.assert_array_equal(loaded.predict(places), trained.model.predict(places))
    scaled = of_places(
        places, places.covariates * np.array([1000.0, 0.01]) + np.array([5.0, 0.0]), places.covariate_names
    )
    again = kind(inputs="covariates,objects", epochs=3).fit(scaled, dataset.clusters["pov"].to_numpy(float))
    # covariates are standardised on the training places, so their units do not matter
    assert again.predict(scaled) == pytest.approx(trained.model.predict(places), rel=1e-2, abs=1e-2)


def test_networks_need_photos_beside_covariates():
    with pytest.raises(InputError, match="inputs='covariates': a network of photos needs objects or features"):
        MeanPooling(inputs="covariates").check_parameters()


def test_a_linear_model_on_covariates_is_that_of_scikit_learn(dataset):
    places, values = dataset.cluster_places(dataset.clusters), dataset.clusters["pov"].to_numpy(float)
    model = CountModel(LinearRegression(), inputs="covariates").fit(places, values)
    expected = LinearRegression().fit(places.covariates, values).predict(places.covariates)
    assert model.predict(places) == pytest.approx(expected)


def test_clusters_without_a_number_are_left_out_and_counted(dataset):
    clusters = dataset.covariates.clusters.copy()
    clusters.iloc[[3, 8], 0] = np.nan
    holes = dataset.with_covariates(CovariateTables(clusters, dataset.covariates.images, dataset.covariates.about))
    trained = train(holes, RidgeCounts(inputs="covariates"), "pov")
    assert (trained.card.clusters, trained.card.clusters_without_covariates) == (58, 2)
    assert not set(dataset.clusters["unique_cluster"].iloc[[3, 8]]) & set(trained.residuals["unique_cluster"])


def test_places_unlike_the_training_places_in_a_covariate_are_not_supported(dataset):
    trained = train(dataset, Forest(n_estimators=10, inputs="covariates"), "pov")
    strange = add(dataset, east=lambda lon, lat: lon + 900, north=lambda lon, lat: 100 * lat)
    assert predict(dataset, trained, region="bihar").sites["applicable"].mean() > 0.9
    surveyed = predict(strange, trained, region="bihar").sites
    assert not surveyed["applicable"].any()


@pytest.mark.parametrize(
    "model",
    [Forest(n_estimators=30, inputs="covariates,objects"), AttentionPooling(inputs="covariates,objects", epochs=8)],
)
@pytest.mark.slow
def test_importance_finds_the_covariate_that_tells(plain, model):
    truth = pd.Series(plain.clusters["pov"].to_numpy(float))
    tables = [
        pd.DataFrame({"telling": column, "noise": np.random.default_rng(0).normal(size=len(column))})
        for column in (truth + 0.01, np.zeros(len(plain.images)))
    ]
    dataset = plain.with_covariates(CovariateTables(*tables, {"telling": {}, "noise": {}}))
    importance = explain(dataset, train(dataset, model, "pov")).importance
    assert importance["group"].iloc[0] == "telling"


def test_kriging_with_an_external_drift_is_generalised_least_squares():
    rng = np.random.default_rng(0)
    where = np.column_stack([rng.uniform(80, 86, 150), rng.uniform(20, 26, 150)])
    rain = rng.normal(size=150)
    values = 3 + 2 * rain + np.sin(where[:, 0]) + rng.normal(0, 0.3, 150)
    places = Places.without_images(np.arange(150).astype(str), where, rain[:, None], ("rain",))
    model = Kriging(inputs="covariates").fit(places, values)
    assert model.name == "kriging-covariates"
    covariance = model.covariance_.between(np.linalg.norm(model.xyz_[:, None] - model.xyz_, axis=2))
    covariance += np.diag(model.noise_)
    xyz = EARTH_RADIUS_KM * unit_sphere(where)
    order = np.linalg.norm(model.xyz_[:, None] - xyz, axis=2).argmin(axis=1)
    trend = np.column_stack([np.ones(150), (rain - rain.mean()) / rain.std()])[order]
    weighed = np.linalg.solve(covariance, trend)
    assert model.coefficients_ == pytest.approx(np.linalg.solve(trend.T @ weighed, weighed.T @ values[order]))
    assert model.coefficients_[1] / rain.std() == pytest.approx(2, abs=0.1)
    # far from all places only the mean is left
    far = Places.without_images(
        np.array(["f"]), np.array([[-60.0, -20.0]]), np.array([[rain.mean() + rain.std()]]), ("rain",)
    )
    assert model.predict(far) == pytest.approx(model.coefficients_.sum(), abs=0.01)


def test_more_covariates_than_places():
    where = np.column_stack([np.linspace(80, 83, 5), np.full(5, 25.0)])
    places = Places.without_images(np.arange(5).astype(str), where, np.eye(5), tuple("abcde"))
    with pytest.raises(InputError, match="5 covariates are too many for 5 places; use fewer, or ridge"):
        Kriging(inputs="covariates").fit(places, np.arange(5.0))
