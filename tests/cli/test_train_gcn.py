"""`train gcn` as a user meets it: bundles that feed `predict`, one line for what cannot be done, and a run that was killed."""

import json
import signal
import subprocess
import sys
import time

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.simulation.sample import make_sample
from tests.commands import ROOT

QUICK = ["--epochs", "2"]


@pytest.fixture(scope="module")
def goa(tmp_path_factory):
    """14 clusters and 32 other places, with simulated features."""
    return write_dataset(
        make_sample("goa", 1, most_images=12, with_features=True), tmp_path_factory.mktemp("d") / "goa"
    )


@pytest.fixture
def refused(run):
    def refuse(*words, match):
        code, _, errors = run(*words)
        lines = [line for line in errors.splitlines() if line.startswith("error:")]
        assert (code, len(lines)) == (2, 1), errors
        assert match in lines[0]
        assert "Traceback" not in errors

    return refuse


@pytest.mark.parametrize(
    "words",
    [
        ["--arch", "gcn", "--inputs", "objects,features", "--edges", "knn:3+sequence"],
        ["--inputs", "features"],
        ["--arch", "attention", "--batch-size", "4", "--lr", "0.01", "--width", "8"],
    ],
)
def test_a_bundle_feeds_predict(run, goa, tmp_path, words):
    bundle, curves = tmp_path / "bundle", tmp_path / "curves.png"
    code, said, errors = run("train", "gcn", goa, *words, *QUICK, "--curves", curves, "--out", bundle)
    assert code == 0, errors
    assert "SIMULATED" in said
    assert "R²" in said
    assert curves.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "curves.png"]
    drawn = tmp_path / "pov.geojson"
    code, _, errors = run("predict", "--region", "goa", "--dataset", goa, "--model", bundle, "--out", drawn)
    assert code == 0, errors
    assert gpd.read_file(drawn)["pov"].notna().any()


def test_all_indicators_at_once_with_missing_labels(run, goa, tmp_path):
    whole = read_dataset(goa)
    clusters = whole.clusters.copy()
    clusters.loc[:2, ["bmi", "bmi_label"]] = np.nan
    dataset = write_dataset(
        type(whole)(whole.images, clusters, dict(whole.features), whole.indicators, "x", "y", True), tmp_path / "data"
    )
    out = tmp_path / "three"
    together = ["--indicator", "all", "--task", "classification", "--arch", "mean-pooling"]
    code, _, errors = run("train", "gcn", dataset, *together, *QUICK, "--out", out)
    assert code == 0, errors
    found = {name: pd.read_parquet(out / name / "residuals.parquet") for name in ("pov", "pop", "bmi")}
    assert (len(found["pov"]), len(found["bmi"])) == (14, 11)
    assert all(table["prediction"].between(0, 1).all() for table in found.values())
    card = json.loads((out / "bmi" / "card.json").read_text())
    assert (card["indicator"], card["learnt_with"]) == ("bmi", ["pov", "pop"])
    given = ["--region", "goa", "--dataset", dataset, "--model", out / "bmi", "--indicator", "bmi"]
    code, _, errors = run("predict", *given, "--out", tmp_path / "bmi.geojson")
    assert code == 0, errors


@pytest.mark.slow
def test_killed_and_started_again_it_gives_the_same_bytes(run, goa, tmp_path):
    words = ["train", "gcn", str(goa), "--arch", "gcn", "--edges", "knn:3", "--epochs", "30", "--out"]
    code, _, errors = run(*words, tmp_path / "whole")
    assert code == 0, errors
    command = [sys.executable, str(ROOT / "cli.py"), *words, str(tmp_path / "killed")]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    work, deadline = tmp_path / ".killed.training", time.monotonic() + 120
    while not (work / "fit-1.safetensors").exists() and time.monotonic() < deadline:
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert not (tmp_path / "killed").exists()
    assert (work / "fit-1.safetensors").exists()
    code, _, errors = run(*words, tmp_path / "killed")
    assert code == 0, errors
    names = sorted(p.name for p in (tmp_path / "whole").iterdir())
    assert "model.safetensors" in names
    for name in names:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not work.exists()


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--arch", "resnet"], "gcn, mean-pooling, attention or stacked"),
        (["--inputs", "pixels"], "--inputs pixels: must be one or more of objects, features and covariates"),
        (["--inputs", "features", "--features", "resnet34"], "simfeats"),
        (["--arch", "gcn", "--edges", "knn:12"], "choose a smaller k"),
        (["--arch", "gcn", "--edges", "near"], "no such kind"),
        (["--indicator", "height"], "it has: pov, pop, bmi"),
        (["--indicator", "pov,height"], "it has: pov, pop, bmi"),
        (["--device", "tpu"], "--device tpu: must be 'auto' or 'cpu' or 'cuda'"),
        (["--lr", "0"], "--lr 0.0: must be a number above 0"),
        (["--arch", "attention", "--edges", "knn:3"], "'attention' has no such parameter"),
        (["--curves", "curves.bmp"], ".png, .svg or .pdf"),
        (["--patience", "3"], "too few"),
    ],
)
def test_what_cannot_be_done_is_one_line(refused, goa, tmp_path, words, match):
    refused("train", "gcn", goa, *words, *QUICK, "--out", tmp_path / "bundle", match=match)
    assert list(tmp_path.iterdir()) == []


def test_data_that_cannot_be_learnt_from_is_one_line(refused, goa, tmp_path):
    whole = read_dataset(goa)

    def written(name, clusters=None, features=None):
        features = {**whole.features, **(features or {})}
        clusters = whole.clusters if clusters is None else clusters
        made = type(whole)(whole.images, clusters, features, whole.indicators, "x", "y", True)
        return write_dataset(made, tmp_path / name)

    one = written("one", clusters=whole.clusters.assign(pov_label=1.0))
    refused("train", "gcn", one, "--task", "classification", "--out", tmp_path / "b", match="one label only")
    array = np.array(whole.features["simfeats"])
    array[:, 3] = np.nan
    lost = written("lost", features={"simfeats": array})
    refused("train", "gcn", lost, "--inputs", "features", "--out", tmp_path / "b", match="not numbers")
    short = written("short")
    np.save(short / "features" / "simfeats.npy", array[:5])
    refused("train", "gcn", short, "--inputs", "features", "--out", tmp_path / "b", match="simfeats.npy")
    assert not (tmp_path / "b").exists()


def test_the_authors_network_is_trained_and_feeds_predict(run, goa, tmp_path):
    bundle = tmp_path / "bundle"
    authors = ["--arch", "gcn", "--compat", "authors", "--inputs", "objects,features", "--iterations", "2"]
    code, said, errors = run("train", "gcn", goa, *authors, "--task", "classification", "--out", bundle)
    assert code == 0, errors
    assert "gcn-authors-both-distance" in said
    # it is not for maps: its training says what it is for, and predict says so
    last = said.strip().splitlines()[-1]
    compared = "--models mean,gcn-authors-both --indicators pov --tasks classification --features"
    assert last.startswith("Next: ")
    assert f" evaluate {goa} {compared} " in last
    assert "predict" not in last
    assert json.loads((bundle / "card.json").read_text())["params"]["iterations"] == 2
    drawn = tmp_path / "pov.geojson"
    code, _, errors = run("predict", "--region", "goa", "--dataset", goa, "--model", bundle, "--out", drawn)
    assert code == 0, errors
    assert gpd.read_file(drawn)["pov"].notna().any()
    assert "not to map; train one to map with: " in " ".join(errors.split())


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--compat", "authors"], "--compat authors: the authors have no network stacked; add --arch gcn"),
        (["--arch", "gcn", "--compat", "tensorflow"], "--compat tensorflow: must be authors"),
        (
            ["--arch", "gcn", "--compat", "authors", "--epochs", "5"],
            "--epochs 5: model 'gcn-authors' has no such parameter",
        ),
        (["--epochs", "5", "--iterations", "5"], "leave one out"),
    ],
)
def test_options_that_do_not_go_together_are_refused(goa, tmp_path, refused, words, match):
    refused("train", "gcn", goa, *words, "--out", tmp_path / "bundle", match=match)


def test_other_networks_train_for_iterations_too(run, goa, tmp_path):
    bundle = tmp_path / "bundle"
    code, _, errors = run("train", "gcn", goa, "--iterations", "2", "--batch-size", "4", "--out", bundle)
    assert code == 0, errors
    assert json.loads((bundle / "card.json").read_text())["params"]["iterations"] == 2
