from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.models.baselines import Neighbours
from geolive.models.clusterwise import Forest
from geolive.models.training import train, train_together
from geolive.simulation.sample import make_sample


def forest(task="regression", seed=0):
    return Forest(task, random_state=seed, n_estimators=8)


@pytest.fixture(scope="module")
def dataset():
    return make_sample("bihar", seed=0, n_sites=38)


@pytest.fixture(scope="module")
def trained(dataset):
    return train(dataset, forest(), "pov")


def test_each_cluster_is_predicted_by_a_model_that_saw_nothing_of_its_district(dataset, trained):
    residuals = trained.residuals
    assert residuals.groupby("district_id")["fold"].nunique().max() == 1
    fold = residuals["fold"] == 3
    learn = dataset.clusters[~fold.to_numpy()]
    test = dataset.clusters[fold.to_numpy()]
    model = forest().fit(dataset.cluster_places(learn), learn["pov"].to_numpy())
    assert np.array_equal(model.predict(dataset.cluster_places(test)), residuals.loc[fold, "prediction"])
    assert residuals.loc[fold, "reference"].to_numpy() == pytest.approx(learn["pov"].mean())


def test_scores_on_the_card_are_those_of_the_residuals(trained):
    value, predicted, reference = (trained.residuals[name] for name in ("value", "prediction", "reference"))
    r2 = 1 - ((value - predicted) ** 2).sum() / ((value - reference) ** 2).sum()
    found, lower, upper = trained.card.metrics["r2"]
    assert found == pytest.approx(r2)
    assert lower < found < upper
    assert found > 0.3
    assert trained.card.simulated is True


@pytest.mark.slow
def test_permuted_values_teach_nothing(dataset):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(3):
        clusters = dataset.clusters.assign(pov=rng.permutation(dataset.clusters["pov"].to_numpy()))
        found.append(train(replace(dataset, clusters=clusters), forest(), "pov").card.metrics["r2"][0])
    assert np.mean(found) < 0.05


def test_other_images_other_predictions(dataset, trained):
    objects = np.array(dataset.features["objects"])[::-1]
    other = train(replace(dataset, features={"objects": objects}), forest(), "pov")
    assert not np.allclose(other.residuals["prediction"], trained.residuals["prediction"])
    assert other.card.metrics["r2"][0] < trained.card.metrics["r2"][0]


def test_classification_gives_probabilities(dataset):
    trained = train(dataset, forest("classification"), "pov")
    assert trained.residuals["prediction"].between(0, 1).all()
    assert trained.card.metrics["accuracy"][0] > 0.6
    assert trained.card.metrics["auc"][0] > 0.65


def test_clusters_without_images_are_dropped_with_a_count(dataset):
    images = dataset.images.copy()
    mine = images["unique_cluster"].isin(["sim_0001", "sim_0002"])
    images.loc[mine, "unique_cluster"] = None
    trained = train(replace(dataset, images=images), forest(), "pov")
    assert trained.card.clusters_without_images == 2
    assert len(trained.residuals) == 170
    with pytest.raises(InputError, match="none of the 172 clusters"):
        train(replace(dataset, images=images.assign(unique_cluster=None)), forest(), "pov")
    with pytest.raises(InputError, match="no object counts"):
        train(replace(dataset, features={}), forest(), "pov")
    assert len(train(replace(dataset, features={}), Neighbours(), "pov").residuals) == 172


def test_missing_values_and_single_classes(dataset):
    clusters = dataset.clusters.copy()
    clusters.loc[:4, ["pov", "pov_label"]] = np.nan
    assert len(train(replace(dataset, clusters=clusters), forest(), "pov").residuals) == 167
    with pytest.raises(InputError, match="one label only"):
        train(replace(dataset, clusters=dataset.clusters.assign(pov_label=1.0)), forest("classification"), "pov")
    with pytest.raises(InputError, match="has a value; choose another"):
        train(replace(dataset, clusters=dataset.clusters.assign(pov=np.nan)), forest(), "pov")


def test_without_districts_blocks_are_left_out(dataset):
    clusters = dataset.clusters.assign(district_id=None)
    trained = train(replace(dataset, clusters=clusters), forest(), "pov")
    assert trained.card.folds.kind == "blocks of 100 km"
    assert trained.residuals.groupby("district_id")["fold"].nunique().max() == 1
    here = gpd.GeoSeries([clusters.geometry.iloc[0]] * len(clusters), crs=4326)
    with pytest.raises(InputError, match="group='COLUMN'"):
        train(replace(dataset, clusters=clusters.set_geometry(here)), forest(), "pov")


def test_the_same_seed_gives_the_same_model(dataset, trained):
    again = train(dataset, forest(), "pov")
    assert again.card == trained.card
    assert np.array_equal(again.residuals["prediction"], trained.residuals["prediction"])


def test_images_that_do_not_fit_their_counts_are_refused(dataset):
    with pytest.raises(InputError, match="choose images with select_images"):
        train(replace(dataset, images=dataset.images.iloc[100:]), forest(), "pov")


def test_models_of_several_indicators_have_residuals_of_single_places_too(dataset):
    """So the same indicator has the same kind of intervals, however it was learnt."""
    pytest.importorskip("torch")
    from geolive.models.attention import MeanPooling

    clusters = dataset.clusters.assign(bmi=dataset.clusters["bmi"].where(np.arange(len(dataset.clusters)) > 9))
    together = train_together(replace(dataset, clusters=clusters), MeanPooling(epochs=1), ["pov", "bmi"])
    alone = train(dataset, MeanPooling(epochs=1), "pov")
    assert set(together["pov"].residuals) == set(alone.residuals)
    for one, n in (("pov", 172), ("bmi", 162)):
        residuals = together[one].residuals
        assert len(residuals) == n
        assert residuals["prediction_near"].notna().all()
        assert not np.allclose(residuals["prediction_near"], residuals["prediction"])
        assert together[one].model.predict(dataset.cluster_places(dataset.clusters)).shape == (172,)
    assert together["bmi"].card.learnt_with == ("pov",)
    # the folds of all clusters are those of one indicator that all of them have
    assert np.array_equal(together["pov"].residuals["fold"], alone.residuals["fold"])


def test_one_indicator_at_a_time_where_a_model_learns_one(dataset):
    with pytest.raises(InputError, match="use train in place of train_together"):
        train_together(dataset, forest(), ["pov", "bmi"])


def test_each_clone_can_be_prepared_and_the_given_model_is_not_changed(dataset):
    model, copies = Forest(n_estimators=2), []
    trained = train(dataset, model, "pov", prepare=copies.append)
    assert len(copies) == 21
    assert copies[-1] is trained.model
    assert not hasattr(model, "estimator_")


def test_the_number_of_processes_changes_nothing(dataset, trained):
    said = []
    again = train(dataset, forest(), "pov", n_jobs=2, progress=said.append)
    pd.testing.assert_frame_equal(again.residuals, trained.residuals)
    assert again.card == trained.card
    pd.testing.assert_frame_equal(again.site_predictions, trained.site_predictions)
    assert said[0] == "leaving out fold 1 of 10"


def test_a_trained_model_shows_itself_in_short_and_escapes_what_it_shows(trained):
    assert repr(trained).startswith("<TrainedModel clusterwise-forest-8: pov, r2 0.")
    card = replace(trained.card, trained_on="<script>", model="<b>")
    page = replace(trained, card=card)._repr_html_()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;" in page
    assert "SIMULATED" in page


def test_clusters_with_few_images_are_left_out_and_counted(dataset):
    photos = dataset.cluster_places(dataset.clusters).n_images
    fewest = int(photos.max())
    trained = train(dataset, Neighbours(), "pov", min_images=fewest)
    assert set(trained.residuals["unique_cluster"]) == set(dataset.clusters["unique_cluster"][photos >= fewest])
    assert trained.card.clusters_with_few_images == (photos < fewest).sum() > 0
    assert trained.card.clusters_without_images == 0
    with pytest.raises(InputError, match=r"^min_images=9999: the cluster .* with the most images has"):
        train(dataset, Neighbours(), "pov", min_images=9999)
    with pytest.raises(InputError, match=r"^min_images=-1: must be an integer"):
        train(dataset, Neighbours(), "pov", min_images=-1)
