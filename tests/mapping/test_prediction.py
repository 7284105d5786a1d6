"""The numbers of a map come from the model, and from nowhere else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.mapping.prediction import predict
from geolive.mapping.region_sites import check_covers
from geolive.mapping.surface import interpolate_surface
from geolive.models.clusterwise import Forest
from geolive.models.registry import make_model
from geolive.models.training import train
from geolive.regions import find_region
from geolive.tables import points


def forest(task="regression"):
    return Forest(task, n_estimators=5)


@pytest.fixture(scope="module")
def dataset(small_sample):
    return small_sample.dataset


@pytest.fixture(scope="module")
def region():
    return find_region("bihar")


@pytest.fixture(scope="module")
def trained(dataset):
    return train(dataset, forest(), "pov")


@pytest.fixture(scope="module")
def drawn(dataset, trained, region):
    return predict(dataset, trained, region, min_sites=1, min_images=1)


def test_a_training_cluster_shows_its_out_of_fold_prediction(dataset, trained, drawn):
    sites = drawn.sites[drawn.sites["surveyed"]].set_index("site_id")
    out_of_fold = trained.residuals.set_index("unique_cluster")["prediction"]
    assert len(sites) == len(out_of_fold)
    pd.testing.assert_series_equal(sites["pov"], out_of_fold.reindex(sites.index), check_names=False)
    fitted = trained.model.predict(dataset.cluster_places(dataset.clusters))
    assert not np.allclose(fitted, out_of_fold.reindex(dataset.clusters["unique_cluster"]))


def test_a_survey_of_the_same_ids_elsewhere_is_not_taken_for_the_training_data(dataset, trained, region, drawn):
    moved = dataset.clusters.set_geometry(dataset.clusters.translate(0.001, 0.001))
    other = predict(replace(dataset, clusters=moved), trained, region)
    fitted = trained.model.predict(dataset.cluster_places(dataset.clusters))
    value = other.sites[other.sites["surveyed"]].set_index("site_id")["pov"]
    expected = pd.Series(fitted, index=dataset.clusters["unique_cluster"]).reindex(value.index)
    assert np.allclose(value, expected)


def test_the_predicted_value_of_a_district_is_the_mean_of_its_sites(drawn, region):
    from geolive.regions import assign_districts

    sites = drawn.sites[drawn.sites["applicable"]]
    means = sites["pov"].groupby(assign_districts(sites.geometry, region.districts)).mean()
    shown = drawn.districts[drawn.districts["supported"]].set_index("district_id")["pov_predicted"]
    assert np.allclose(shown, means.reindex(shown.index))
    assert drawn.districts["n_images"].sum() == sites["n_images"].sum()


def test_other_images_other_values(dataset, trained, region, drawn):
    objects = np.array(dataset.features["objects"])
    unsurveyed = dataset.images["unique_cluster"].isna().to_numpy()
    objects[unsurveyed] = np.random.default_rng(0).permutation(objects[unsurveyed])
    other = predict(replace(dataset, features={"objects": objects}), trained, region, min_sites=1, min_images=1)
    surveyed = drawn.sites["surveyed"]
    assert np.allclose(other.sites["pov"][surveyed], drawn.sites["pov"][surveyed])
    assert not np.isclose(other.sites["pov"][~surveyed], drawn.sites["pov"][~surveyed]).any(axis=None)


def test_permuted_labels_in_training_tell_nothing_of_the_truth(small_sample, dataset, region, drawn):
    truth = small_sample.districts.set_index("district_id")["pov"].reindex(drawn.districts["district_id"])
    known = drawn.districts["pov"].notna().to_numpy()
    learnt = np.corrcoef(drawn.districts["pov"][known], truth[known])[0, 1]
    rng, found = np.random.default_rng(0), []
    for _ in range(4):
        clusters = dataset.clusters.assign(pov=rng.permutation(dataset.clusters["pov"].to_numpy()))
        permuted = replace(dataset, clusters=clusters)
        other = predict(permuted, train(permuted, forest(), "pov"), region, min_sites=1, min_images=1).districts["pov"]
        found.append(np.corrcoef(other[known], truth[known])[0, 1])
    assert learnt > 0.4
    assert np.mean(found) < 0.2


def test_simulation_and_the_model_are_told(drawn, trained):
    assert drawn.provenance.simulated
    assert drawn.districts["simulated"].all()
    assert "official" not in drawn.districts
    assert drawn.provenance.metrics["r2"] == trained.card.metrics["r2"][0]


def test_official_figures_stand_beside_real_data_only(dataset, trained, region):
    real = predict(
        replace(dataset, simulated=False),
        replace(trained, card=replace(trained.card, simulated=False)),
        region,
    )
    assert real.districts["official"].notna().all()
    assert not real.districts["simulated"].any()
    half = predict(replace(dataset, simulated=False), trained, region)  # the model learnt from a simulation
    assert half.provenance.simulated
    assert "official" not in half.districts


def test_a_classifier_maps_probabilities(dataset, region):
    drawn = predict(dataset, train(dataset, forest("classification"), "pov"), region, min_sites=1, min_images=1)
    shown = drawn.districts[drawn.districts["supported"]]
    assert shown[["pov", "pov_lower", "pov_upper"]].min(axis=None) >= 0
    assert shown[["pov", "pov_lower", "pov_upper"]].max(axis=None) <= 1
    assert "Probability" in drawn.title
    assert (shown["pov_label"] == (shown["pov"] >= 0.5)).all()


@pytest.mark.parametrize("name", ["neighbours", "idw", "kriging"])
def test_baselines_draw_maps_too_and_need_no_images(dataset, region, name):
    made = train(dataset, make_model(name), "pov")
    drawn = predict(dataset, made, region, min_sites=1, min_images=50)
    assert drawn.support.split(" (")[0] == "fewer than 1 site, and fewer than 1 surveyed place"
    assert drawn.districts["supported"].all()
    without = replace(dataset, features={}, images=dataset.images.iloc[:0])
    survey_only = predict(without, made, region)
    # clusters, and the places of a grid
    assert survey_only.sites["surveyed"].sum() == len(dataset.clusters)
    grid = survey_only.sites[~survey_only.sites["surveyed"]]
    assert len(grid) > 10 * len(region.districts)
    assert grid["site_id"].str.startswith("grid ").all()


def test_a_dataset_of_another_region(dataset, trained):
    goa = find_region("goa")
    with pytest.raises(InputError, match=r"no cluster or image lies in Goa.*the dataset covers 83"):
        check_covers(dataset, goa)
    with pytest.raises(InputError, match="no image lies in Goa"):
        predict(dataset, trained, goa)
    (x, y), nothing = goa.area.representative_point().coords[0], dataset.images.iloc[:0]
    exchanged = dataset.clusters.set_geometry(points([y] * len(dataset.clusters), [x] * len(dataset.clusters)))
    with pytest.raises(InputError, match="some would if longitude and latitude were exchanged"):
        check_covers(replace(dataset, clusters=exchanged, images=nothing, features={}), goa)


def test_a_model_without_any_honest_prediction_is_one_line(dataset, trained, region):
    untold = replace(trained, residuals=trained.residuals.assign(prediction=np.nan))
    in_clusters = dataset.images["unique_cluster"].notna().to_numpy()
    images = dataset.images[in_clusters].reset_index(drop=True)
    alone = replace(dataset, images=images, features={"objects": dataset.features["objects"][in_clusters]})
    with pytest.raises(
        InputError, match=r"has no out-of-fold predictions; .*geolive train imagewise DATASET --folds 5"
    ):
        predict(alone, untold, region)


def test_too_few_training_clusters_promise_nothing_of_a_place(dataset, trained, region):
    few = replace(trained, residuals=trained.residuals.iloc[:6])
    drawn = predict(dataset, few, region, min_sites=1, min_images=1)
    assert drawn.sites["pov"].notna().all()
    assert drawn.sites[["pov_lower", "pov_upper"]].isna().all(axis=None)
    surface = interpolate_surface(drawn).values
    assert np.isfinite(surface[0]).any()
    assert np.isnan(surface[1:]).all()


def test_sites_with_fewer_images_than_the_training_clusters_enter_no_district(dataset, region, drawn):
    photos = dataset.cluster_places(dataset.clusters).n_images
    fewest = int(np.median(photos))
    trained = train(dataset, forest(), "pov", min_images=fewest)
    assert trained.card.min_images == fewest
    sites = predict(dataset, trained, region, min_sites=1, min_images=1).sites
    few = sites["n_images"] < fewest
    assert 0 < few.sum() < len(sites)
    assert not sites.loc[few, "applicable"].any()
    assert sites.loc[~few, "applicable"].any()
    assert drawn.sites.loc[drawn.sites["n_images"] < fewest, "applicable"].any()
