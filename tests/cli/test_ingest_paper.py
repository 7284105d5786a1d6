"""The paper's table from the command line: stand-in, dataset, features, and what takes the dataset further."""

import json

import pytest

from tests.commands import run


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    ids = [f"ia_10{i:04d}" for i in range(24)]  # Goa
    (folder / "train_clusters_ia.txt").write_text("\n".join(ids[:18]))
    (folder / "val_clusters_ia.txt").write_text("\n".join([*ids[18:], "ia_50001"]))
    done = run("sample", "--paper-format", "--clusters", 25, "--ids", folder, "--out", folder / "made")
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout
    return folder / "made"


@pytest.fixture(scope="module")
def dataset(standin):
    with (standin / "data.csv").open("a") as file:
        file.write("half a row")
    done = run("ingest", "paper", standin / "data.csv", "--splits", standin, "--out", standin / "dataset")
    assert done.returncode == 0, done.stderr
    assert "note: 1 row left out: line: wrong number of fields" in done.stderr
    assert "SIMULATED" in done.stdout
    assert "25 clusters (18 train, 7 val) with pov, pop, bmi" in done.stdout
    return standin / "dataset"


def test_strict_makes_rejects_an_error(standin, dataset):
    done = run("ingest", "paper", standin / "data.csv", "--splits", standin, "--out", standin / "strict", "--strict")
    assert done.returncode == 2
    assert "1 of " in done.stderr
    assert "line: wrong number of fields (1)" in done.stderr
    assert not (standin / "strict").exists()


def test_models_take_the_dataset(dataset, tmp_path):
    done = run(
        "evaluate",
        dataset,
        "--models",
        "neighbours,forest",
        "--indicators",
        "pov",
        "--split",
        "random",
        "--out",
        tmp_path / "r",
    )
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout


def test_features_are_added(standin, dataset):
    keys = [line.split(",")[0] for line in (standin / "data.csv").read_text().splitlines()[1:-1]]
    (standin / "f.csv").write_text("key,f0\n" + "".join(f"{key},1\n" for key in keys[1:]))
    done = run("ingest", "features", standin / "f.csv", "--dataset", dataset, "--name", "net")
    assert done.returncode == 0, done.stderr
    assert f"note: without features: 1 image ({keys[0]})" in done.stderr
    assert "net" in json.loads((dataset / "dataset.json").read_text())["features"]


def test_a_standin_needs_ids(tmp_path):
    done = run("sample", "--paper-format", "--out", tmp_path / "x")
    assert done.returncode == 2
    assert "--ids" in done.stderr
