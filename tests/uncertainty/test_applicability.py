"""Where a model may be applied."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from geolive.mapping.prediction import predict
from geolive.models.bundle import load_model, save_model
from geolive.models.clusterwise import Forest
from geolive.models.training import train
from geolive.regions import find_region
from geolive.uncertainty.applicability import area_of_applicability


def test_it_is_the_papers_arithmetic():
    training, folds = np.array([[0.0], [1.0], [2.0], [4.0], [7.0]]), np.array([0, 1, 0, 1, 0])
    found = area_of_applicability(training, folds, np.ones(1))
    pairs = [abs(a - b) for a in training[:, 0] for b in training[:, 0] if a != b]
    own = np.array([1, 1, 1, 2, 3]) / np.mean(pairs)
    first, third = np.quantile(own, [0.25, 0.75])
    assert found.threshold == pytest.approx(own[own <= third + 1.5 * (third - first)].max())
    assert found.dissimilarity(np.array([[5.0], [9.0], [1.0]])) == pytest.approx(np.array([1, 2, 0]) / np.mean(pairs))


def test_many_training_places_have_the_mean_distance_of_all_pairs():
    training = np.random.default_rng(3).normal(size=(2300, 3)) * [1, 5, 0.2]
    found = area_of_applicability(training, np.arange(2300) % 10, np.ones(3))
    assert found.mean_distance == pytest.approx(pdist(found.training).mean(), rel=1e-12)


def test_units_do_not_matter_and_importance_does():
    rng = np.random.default_rng(0)
    training, folds, new = rng.normal(size=(150, 3)), np.arange(150) % 5, rng.normal(size=(40, 3)) * 3
    one = area_of_applicability(training, folds, np.array([1.0, 0.5, 0.0]))
    other = area_of_applicability(training * [1, 1000, 1] + 7, folds, np.array([1.0, 0.5, 0.0]))
    assert np.allclose(one.dissimilarity(new), other.dissimilarity(new * [1, 1000, 1] + 7))
    away = new + np.array([0, 0, 1e6])
    assert np.array_equal(one.holds(new), one.holds(away))
    assert not area_of_applicability(training, folds, np.ones(3)).holds(away).any()


def test_training_places_are_supported_and_so_are_nearly_all_that_are_like_them():
    rng = np.random.default_rng(1)
    training = rng.normal(size=(200, 10))
    found = area_of_applicability(training, np.arange(200) % 10, np.ones(10))
    assert found.holds(training).all()
    assert found.holds(rng.normal(size=(500, 10))).mean() > 0.9


def test_one_fold_or_constant_predictors_forbid_nothing():
    assert area_of_applicability(np.eye(4), np.zeros(4), np.ones(4)).holds(np.full((1, 4), 9.0)).all()
    assert area_of_applicability(np.ones((4, 2)), np.arange(4), np.ones(2)).holds(np.full((1, 2), 9.0)).all()


@pytest.fixture(scope="module")
def trained(small_sample):
    return train(small_sample.dataset, Forest(n_estimators=10), "pov")


def test_a_site_unlike_all_training_places_enters_no_district(small_sample, trained):
    dataset, region = small_sample.dataset, find_region("bihar")
    before = predict(dataset, trained, region, min_sites=1, min_images=1)
    many = before.sites["n_images"] >= 100
    assert before.sites["applicable"][many].mean() > 0.95
    assert before.sites["applicable"][before.sites["surveyed"]].all()
    # the images of Gaya that no survey point is near to: thousands of everything in each
    objects = np.array(dataset.features["objects"])
    gaya = region.districts[region.districts["district"] == "Gaya"].geometry.iloc[0]
    strange = dataset.images["unique_cluster"].isna().to_numpy() & dataset.images.within(gaya).to_numpy()
    objects[strange] = 5000
    after = predict(replace(dataset, features={"objects": objects}), trained, region, min_sites=1, min_images=1)
    changed = after.sites.within(gaya) & ~after.sites["surveyed"]
    assert changed.any()
    assert not after.sites["applicable"][changed].any()
    row = after.districts.set_index("district").loc["Gaya"]
    own = after.sites[after.sites.within(gaya) & after.sites["surveyed"]]
    assert row["n_sites"] == len(own)
    assert row["pov_predicted"] == pytest.approx(own["pov"].mean())
    # what those images would predict does not reach the composite either: it is as with other strange images
    objects[strange] = 3000
    other = predict(replace(dataset, features={"objects": objects}), trained, region, min_sites=1, min_images=1)
    assert row["pov"] == pytest.approx(other.districts.set_index("district").loc["Gaya", "pov"])
    assert "too unlike the surveyed places" in after.support


def test_a_bundle_keeps_what_it_takes(small_sample, trained, tmp_path):
    region = find_region("bihar")
    kept = load_model(save_model(trained, tmp_path / "bundle"))
    one, other = (predict(small_sample.dataset, t, region).sites for t in (trained, kept))
    assert one["applicable"].tolist() == other["applicable"].tolist()
    old = replace(kept, residuals=kept.residuals.drop(columns=["predictors", "n_images"]))
    assert predict(small_sample.dataset, old, region).sites["applicable"].all()
