"""The command `explain`."""

import sys
from dataclasses import replace

import pytest

from geolive.dataset_folder import write_dataset
from geolive.models.attention import MeanPooling
from geolive.models.bundle import save_model
from geolive.models.clusterwise import Forest
from geolive.models.training import train
from geolive.simulation.sample import make_sample


@pytest.fixture(scope="module")
def goa():
    return make_sample("goa", 1, most_images=4)


@pytest.fixture(scope="module")
def folders(goa, tmp_path_factory):
    """A dataset, a forest and a network."""
    folder = tmp_path_factory.mktemp("goa")
    write_dataset(goa, folder / "data")
    save_model(train(goa, Forest(n_estimators=5), "pov"), folder / "forest")
    save_model(train(goa, MeanPooling(epochs=1), "pov"), folder / "network")
    return folder


def test_a_report_from_a_forest_and_its_dataset(run, folders, tmp_path):
    code, said, errors = run("explain", folders / "forest", folders / "data", "--out", tmp_path / "why")
    assert code == 0, errors
    assert "SIMULATED" in said
    assert "Rank correlation with the true loadings" in said
    assert (tmp_path / "why" / "explain.html").is_file()
    code, _, errors = run("explain", folders / "forest", folders / "data", "--out", tmp_path / "why")
    assert code == 2
    assert "exists already" in errors


def test_a_report_from_a_network_without_photos(run, folders, tmp_path):
    code, said, errors = run("explain", folders / "network", folders / "data", "--out", tmp_path / "why")
    assert code == 0, errors
    assert "Rank correlation with the true loadings" in said
    assert "leaving out one of" in said
    names = ["explain.html", "importance.csv", "objects.csv", "photos.csv"]
    assert sorted(path.name for path in (tmp_path / "why").iterdir()) == names


@pytest.mark.parametrize(
    ("bundle", "match"),
    [
        ("forest", "--gallery: clusterwise-forest-5 does not use single photos; leave gallery out"),
        ("network", "its images have no photos"),
        ("kriging", "no such bundle"),
    ],
)
def test_what_cannot_be_done_is_one_line(run, folders, tmp_path, bundle, match):
    code, _, errors = run("explain", folders / bundle, folders / "data", "--gallery", "--out", tmp_path / "why")
    lines = [line for line in errors.splitlines() if line.startswith("error:")]
    assert (code, len(lines)) == (2, 1), errors
    assert match in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_lacks_the_training_clusters_is_one_line(run, folders, goa, tmp_path):
    write_dataset(replace(goa, clusters=goa.clusters.iloc[3:]), tmp_path / "fewer")
    code, _, errors = run("explain", folders / "network", tmp_path / "fewer", "--out", tmp_path / "why")
    assert code == 2
    assert "lacks 3 of the 14 clusters" in errors
    assert not (tmp_path / "why").exists()


def test_an_imagewise_bundle_with_gallery_and_without_captum(run, tmp_path, monkeypatch):
    pytest.importorskip("lightning", reason="needs the extra imagewise (lightning)")
    from geolive.models.imagewise.training import train_from
    from geolive.vision.devices import Device
    from geolive.vision.images import photo_files
    from tests.models.imagewise.helpers import begun_tiny, quick, write_coloured_survey

    survey = write_coloured_survey(tmp_path / "survey")
    settings = quick(epochs=0, device=Device("cpu", "float32"))
    trained = train_from(begun_tiny(), survey, photo_files(survey), "pov", settings, tmp_path / "work", split="random")
    save_model(trained, tmp_path / "bundle")
    words = ["explain", tmp_path / "bundle", tmp_path / "survey", "--device", "cpu"]
    code, said, errors = run(*words, "--gallery", "--out", tmp_path / "why")
    assert code == 0, errors
    assert "explain.html, photos.csv" in said
    assert "data:image/jpeg" in (tmp_path / "why" / "explain.html").read_text()
    monkeypatch.setitem(sys.modules, "captum", None)
    code, _, errors = run(*words, "--gallery", "--out", tmp_path / "other")
    assert code == 2
    assert "run: pip install captum" in errors
    assert not (tmp_path / "other").exists()
    code, _, errors = run(*words, "--out", tmp_path / "other")
    assert code == 0, errors
