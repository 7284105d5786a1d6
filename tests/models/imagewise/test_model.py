"""Image-wise models on a dataset's clusters: parts, honest predictions, bundles, and the authors' networks."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")

from geolive.dataset_folder import read_dataset
from geolive.errors import InputError
from geolive.mapping.prediction import predict
from geolive.models.bundle import load_model, save_model
from geolive.models.imagewise.cnn import load_authors_weights, load_pretrained
from geolive.models.imagewise.parts import clusters_with_photos, plan_runs
from geolive.models.imagewise.training import train_from, train_imagewise
from geolive.models.registry import describe
from geolive.models.trained_model import FoldFacts
from geolive.regions import find_region
from geolive.tables import lonlat
from geolive.vision.backbones import load_backbone
from geolive.vision.devices import Device
from geolive.vision.images import photo_files
from tests.models.imagewise.helpers import SIDE, TINY, pretrained, quick, write_coloured_survey

CPU = Device("cpu", "float32")


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return write_coloured_survey(tmp_path_factory.mktemp("data") / "survey")


def train(survey, work, begun=None, *, task="regression", **more):
    settings = quick(task=task, epochs=10, batch_size=16, learning_rate=1e-2, patience=10)
    return train_from(begun or pretrained(task), survey, photo_files(survey), "pov", settings, work, **more)


@pytest.fixture(scope="module")
def trained(survey, tmp_path_factory):
    return train(
        survey,
        tmp_path_factory.mktemp("work"),
        load_pretrained("regression", TINY, weights="none", size=SIDE),
        split="random",
    )


@pytest.fixture(scope="module")
def bundle(trained, tmp_path_factory):
    return save_model(trained, tmp_path_factory.mktemp("bundles") / "tiny")


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), folds=st.sampled_from([0, 2, 5]), split=st.sampled_from(["random", "district"]))
def test_no_cluster_or_district_stands_on_two_sides(small_sample, seed, folds, split):
    table = small_sample.dataset.clusters
    runs, units = plan_runs(table, split, folds, seed)
    assert len(runs) == folds + 1
    for run in runs:
        sides = [set(units[part]) for part in (run.train, run.validation, run.test)]
        assert sum(map(len, sides)) == len(set.union(*sides))
        everything = np.sort(np.concatenate([run.train, run.validation, run.test]))
        assert np.array_equal(everything, np.arange(len(table)))
        assert len(run.train) > len(run.validation) > 0
    tested = np.concatenate([run.test for run in runs])
    assert len(np.unique(tested)) == len(tested)
    assert len(tested) == len(table) if folds else 0 < len(tested) < len(table) / 2


def test_the_split_that_came_with_the_data_is_kept(small_sample):
    lists = np.array(["train", "train", "val", "test"] * 20, object)
    table = small_sample.dataset.clusters.assign(split=lists)
    (run,), _ = plan_runs(table, "official", 0, 0)
    for part, name in ((run.train, "train"), (run.validation, "val"), (run.test, "test")):
        assert np.array_equal(part, np.flatnonzero(lists == name))
    with pytest.raises(InputError, match="the official split has no folds"):
        plan_runs(table, "official", 5, 0)
    with pytest.raises(InputError, match=r"^folds=1"):
        plan_runs(table, "random", 1, 0)


def test_colour_is_learnt_and_judged_on_clusters_that_were_not_seen(trained):
    card, residuals = trained.card, trained.residuals
    assert card.metrics["r2"][0] > 0.5
    assert card.metrics["r2"][0] > card.metrics_per_image["r2"][0] - 0.05
    assert residuals["part"].value_counts().to_dict() == card.parts
    honest = residuals["prediction"].notna()
    assert (residuals["part"][honest] == "test").all()
    assert honest.sum() == card.parts["test"]
    of_train = residuals["value"][residuals["part"] == "train"]
    assert residuals["reference"][honest].to_numpy() == pytest.approx(of_train.mean())
    assert trained.model.target_ == pytest.approx((of_train.mean(), of_train.std(ddof=0)))
    assert "only there are" in card.honest
    assert card.simulated
    assert len(card.history) == 10


def test_a_tanh_head_keeps_predictions_within_the_range_of_the_training_values(survey, tmp_path):
    begun = load_pretrained("regression", TINY, weights="none", size=SIDE, head="tanh")
    trained = train(survey, tmp_path / "work", begun, split="random")
    assert trained.card.params["head"] == "tanh"
    values = trained.residuals.loc[trained.residuals["part"] == "train", "value"]
    middle, half = trained.model.target_
    assert (middle - half, middle + half) == pytest.approx((values.min(), values.max()))
    assert trained.residuals["prediction"].dropna().between(values.min(), values.max()).all()
    assert trained.card.metrics["r2"][0] > 0.3
    again = load_model(save_model(trained, tmp_path / "bundle")).model
    assert again.network_.tanh
    assert again.target_ == trained.model.target_
    with pytest.raises(InputError, match="choose head='linear'"):
        load_pretrained("classification", TINY, weights="none", size=SIDE, head="tanh")


def test_photos_vote_for_the_label_of_their_cluster(survey, tmp_path):
    by_mean, by_vote = (
        train(survey, tmp_path / pool, split="random", task="classification", pool=pool) for pool in ("mean", "vote")
    )
    files = photo_files(survey)
    known = clusters_with_photos(survey, files, "pov", "classification")
    seen = by_vote.model.predict_photos(survey, files, known.images, CPU)
    places = seen.cluster_places(known.table, "imagewise")
    of_photo = seen.features["imagewise"][known.images, 0]
    votes = [(of_photo[known.cluster == number] > 0.5).mean() for number in range(len(known.table))]
    assert by_vote.model.predict(places) == pytest.approx(votes)
    tested = by_vote.residuals["prediction"].notna().to_numpy()
    assert by_vote.residuals["prediction"][tested].to_numpy() == pytest.approx(np.array(votes)[tested])
    # the photos are the same; only how they are pooled differs
    assert by_vote.card.metrics_per_image == by_mean.card.metrics_per_image
    assert not np.allclose(by_vote.residuals["prediction"][tested], by_mean.residuals["prediction"][tested])
    assert by_vote.model.save(tmp_path)["pool"] == "vote"
    with pytest.raises(InputError, match="photos vote for labels"):
        train_imagewise(survey, "pov", pool="vote")


def test_clusters_with_few_photos_are_left_out_and_counted(survey):
    files = photo_files(survey)
    files = replace(files, paths=[None, None, *files.paths[2:]])
    whole = clusters_with_photos(survey, files, "pov", "regression")
    photos = np.bincount(whole.cluster)
    fewest = int(photos.max())
    some = clusters_with_photos(survey, files, "pov", "regression", min_images=fewest)
    assert len(some.table) == (photos >= fewest).sum()
    assert some.with_few_photos == len(photos) - len(some.table) > 0
    with pytest.raises(InputError, match=r"^min_images=9999: the cluster .* with the most photos has"):
        clusters_with_photos(survey, files, "pov", "regression", min_images=9999)


def test_permuted_labels_are_not_learnt(survey, trained, tmp_path):
    mixed = train(survey, tmp_path / "work", split="random", permute_labels=True)
    assert mixed.card.permuted
    assert sorted(mixed.residuals["value"]) == pytest.approx(sorted(trained.residuals["value"]))
    assert mixed.card.metrics["r2"][0] < 0.3


def test_folds_give_every_cluster_an_honest_prediction(survey, tmp_path):
    trained = train(survey, tmp_path / "work", split="district", folds=2, task="classification")
    residuals = trained.residuals
    assert residuals["prediction"].between(0, 1).all()
    assert set(residuals["fold"]) == {0, 1}
    assert residuals.groupby("district_id")["fold"].nunique().max() == 1
    assert trained.card.metrics["auc"][0] > 0.7
    assert trained.card.folds == FoldFacts(kind="districts", number=2, units=38, seed=0)


def test_a_bundle_predicts_as_the_model_did(survey, trained, bundle):
    loaded = load_model(bundle)
    rows = np.arange(6)
    found = [
        t.model.predict_photos(survey, photo_files(survey), rows, CPU).features["imagewise"][rows]
        for t in (trained, loaded)
    ]
    assert np.isfinite(found[0]).all()
    assert np.array_equal(*found)
    assert describe(loaded.model).startswith("A network that predicts each photo")
    readme = (bundle / "README.md").read_text()
    assert "SIMULATED" in readme
    assert "maps leave them out" in " ".join(readme.split())


def test_embed_takes_the_bundles_trunk(bundle, trained):
    backbone = load_backbone(str(bundle))
    assert backbone.arch == trained.model.arch
    assert backbone.preprocessing == trained.model.preprocessing_
    images = torch.randn(2, 3, SIDE, SIDE)
    with torch.inference_mode():
        trained.model.network_.eval()
        found = backbone.trunk(images)
        # memory formats differ, and with them the order of sums
        torch.testing.assert_close(found, trained.model.network_.trunk(images), atol=1e-4, rtol=1e-4)


def test_a_map_shows_no_prediction_where_the_network_learnt(survey, bundle):
    loaded, region = load_model(bundle), find_region("bihar")
    drawn = predict(survey, loaded, region, device="cpu")
    learnt = loaded.residuals["unique_cluster"][loaded.residuals["part"] != "test"]
    test = loaded.residuals[loaded.residuals["part"] == "test"].set_index("unique_cluster")
    sites = drawn.sites.set_index("site_id")
    assert not set(learnt) & set(sites.index)
    assert np.allclose(sites.loc[test.index, "pov"], test["prediction"])
    assert (~drawn.sites["surveyed"]).sum() > 20
    unsurveyed = drawn.sites[~drawn.sites["surveyed"]]
    assert np.isfinite(lonlat(unsurveyed.geometry)).all()
    with pytest.raises(InputError, match="call predict_photos first"):
        loaded.model.predict(survey.cluster_places(survey.clusters))


def test_work_begun_otherwise_is_not_continued(survey, tmp_path):
    work = tmp_path / "work"
    settings = quick(epochs=1, batch_size=16)
    arguments = (pretrained(), survey, photo_files(survey), "pov")
    train_from(*arguments, settings, work, split="random")
    with pytest.raises(InputError, match="another learning_rate"):
        train_from(*arguments, replace(settings, learning_rate=0.5), work, split="random")
    with pytest.raises(InputError, match="another split and folds"):
        train_from(*arguments, settings, work, split="district")


def test_photos_that_cannot_be_used_are_left_out_and_counted(survey, tmp_path):
    folder = tmp_path / "survey"
    shutil.copytree(survey.path, folder)
    damaged = survey.images["img_path"][survey.images["unique_cluster"].notna()].iloc[:4]
    for path in damaged:
        (folder / path).write_bytes(b"no photo")
    found = train_from(
        pretrained(), read_dataset(folder), photo_files(survey, folder), "pov", quick(epochs=1), tmp_path / "work",
        split="random",
    )  # fmt: skip
    assert found.card.photos_not_used == 4


@pytest.mark.parametrize(("task", "head"), [("classification", "fc"), ("regression", "fc.0")])
def test_the_authors_networks_answer_as_theirs(task, head, tmp_path):
    from torchvision.models import resnet34

    theirs = resnet34(weights=None)
    theirs.fc = nn.Linear(512, 2) if task == "classification" else nn.Sequential(nn.Linear(512, 1), nn.Tanh())
    torch.save({f"module.{name}": tensor for name, tensor in theirs.state_dict().items()}, tmp_path / "theirs.pth")
    begun = load_authors_weights(tmp_path / "theirs.pth", task, size=64)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(begun.network.eval()(images), theirs.eval()(images))
    other = {"classification": "regression", "regression": "classification"}[task]
    with pytest.raises(InputError, match=f"not a network of the authors for {other}: its head is for {task}"):
        load_authors_weights(tmp_path / "theirs.pth", other)


def test_files_that_are_no_network_are_refused(tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"neither fc\.weight nor fc\.0\.weight"):
        load_authors_weights(tmp_path / "other.pth", "regression")
    torch.save(nn.Linear(2, 2), tmp_path / "code.pth")
    with pytest.raises(InputError, match="cannot be read as weights alone"):
        load_authors_weights(tmp_path / "code.pth", "regression")


def test_a_card_that_was_tampered_with_is_refused(bundle, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    card = json.loads((folder / "card.json").read_text())
    for broken in ({"target": ["nan", 1]}, {"target": []}, {"task": "other"}, {"preprocessing": {}}):
        changed = card | {"settings": card["settings"] | broken}
        (folder / "card.json").write_text(json.dumps(changed))
        with pytest.raises(InputError, match="train"):
            load_model(folder)
