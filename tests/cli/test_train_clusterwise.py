"""The command `train clusterwise`: which estimators it offers, and what it refuses."""

import json
from dataclasses import replace

import pytest

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.models.bundle import load_model
from geolive.models.registry import CLUSTERWISE, DEFAULT_MODEL, MODEL_KINDS
from geolive.simulation.sample import make_sample


@pytest.fixture(scope="module")
def goa(tmp_path_factory):
    return write_dataset(make_sample("goa", 0, most_images=4), tmp_path_factory.mktemp("goa") / "data")


@pytest.mark.parametrize("name", ["boosting", "boosting-authors", "ridge"])
def test_an_estimator_from_the_closed_list_is_trained_and_kept(run, goa, tmp_path, name):
    code, said, errors = run("train", "clusterwise", goa, "--estimator", name, "--out", tmp_path / "bundle")
    assert code == 0, errors
    assert f"SIMULATED: clusterwise-{name}" in said
    trained = load_model(tmp_path / "bundle")
    assert isinstance(trained.model, MODEL_KINDS[name].load_class())
    card = json.loads((tmp_path / "bundle" / "card.json").read_text())
    assert card["kind"] == name
    card["versions"] = {"scikit-learn": "0.1"}
    (tmp_path / "bundle" / "card.json").write_text(json.dumps(card))
    code, _, errors = run(
        "predict", "--region", "goa", "--model", tmp_path / "bundle", "--dataset", goa, "--out", "x.html"
    )
    assert code == 2
    assert f"train clusterwise --estimator {name} DATASET --indicator pov --task regression --out BUNDLE" in errors


def test_the_default_is_that_of_predict(run, goa, tmp_path):
    code, _, errors = run("train", "clusterwise", goa, "--trees", "2", "--out", tmp_path / "bundle")
    assert code == 0, errors
    assert json.loads((tmp_path / "bundle" / "card.json").read_text())["kind"] == DEFAULT_MODEL
    # without covariates in the dataset this ends in an error, which names what a model of covariates alone needs
    code, _, errors = run("train", "clusterwise", goa, "--inputs", "covariates", "--out", tmp_path / "forest")
    assert code == 2
    assert "needs photos" not in errors


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--estimator", "svm"], f"--estimator svm: must be one of {', '.join(CLUSTERWISE)}"),
        (["--estimator", "ridge", "--trees", "9"], "--trees 9: ridge has no trees; leave --trees out"),
        (["--estimator", "ridge", "--depth", "9"], "--depth 9: only boosting and boosting-authors have it"),
        (["--estimator", "knn", "--inputs", "features"], "knn uses object counts only; leave --inputs out"),
        (["--inputs", "everything"], "--inputs everything: must be"),
        (["--features", "lite0"], "--features lite0: --inputs objects uses no image features; add --inputs features"),
    ],
)
def test_what_an_estimator_does_not_have_is_one_line(run, goa, tmp_path, options, match):
    code, _, errors = run("train", "clusterwise", goa, *options, "--out", tmp_path / "bundle")
    lines = [line for line in errors.splitlines() if line.startswith("error:")]
    assert (code, len(lines)) == (2, 1), errors
    assert match in lines[0]
    assert not (tmp_path / "bundle").exists()


def test_without_object_counts_the_remedy_is_an_option_of_the_command(run, tmp_path):
    data = make_sample("goa", 0, most_images=4)
    write_dataset(replace(data, features={}), tmp_path / "data")
    code, _, errors = run("train", "clusterwise", tmp_path / "data", "--out", tmp_path / "bundle")
    assert code == 2
    assert "has no object counts" in errors
    assert "--inputs features" in errors


def test_clusters_with_few_images_are_left_out_and_told(run, goa, tmp_path):
    photos = read_dataset(goa).images["unique_cluster"].value_counts()
    assert (photos < 4).sum() == 0
    data = read_dataset(goa)
    first = data.clusters["unique_cluster"].iloc[0]
    kept = ~((data.images["unique_cluster"] == first) & (data.images["unique_cluster"].duplicated()))
    few = replace(
        data, images=data.images[kept].reset_index(drop=True), features={"objects": data.features["objects"][kept]}
    )
    write_dataset(few, tmp_path / "few")
    words = ["--min-images", "2", "--trees", "5", "--out", tmp_path / "bundle"]
    code, _, errors = run("train", "clusterwise", tmp_path / "few", *words)
    assert code == 0, errors
    assert "1 surveyed cluster has fewer images than --min-images and was left out of training" in " ".join(
        errors.split()
    )
    assert json.loads((tmp_path / "bundle" / "card.json").read_text())["clusters_with_few_images"] == 1
    assert "too few images" in (tmp_path / "bundle" / "README.md").read_text()


def test_a_survey_without_photos_is_offered_a_model_that_needs_none(run, tmp_path):
    points = "".join(f"{85 + i % 4 / 5},{25 + i // 4 / 5},{i}\n" for i in range(12))
    (tmp_path / "points.csv").write_text("lon,lat,wealth\n" + points)
    columns = ["--lon", "lon", "--lat", "lat", "--value", "wealth"]
    code, _, errors = run("ingest", "survey", tmp_path / "points.csv", *columns, "--out", tmp_path / "data")
    assert code == 0, errors
    drawn = ["predict", "--dataset", tmp_path / "data", "--indicator", "wealth", "--boundaries", "hex:80km"]
    drawn += ["--out", tmp_path / "map.geojson"]
    code, _, errors = run(*drawn)
    assert code == 2
    assert "it has no photos, so use positions (--model kriging) or covariates (--inputs covariates)" in errors
    assert "detect" not in errors
    code, _, errors = run(*drawn, "--model", "kriging")
    assert code == 0, errors
