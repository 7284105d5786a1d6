"""`ingest objects`: object counts from a table to a dataset of photos."""

import json

import pytest

from geolive.dataset_folder import read_dataset
from geolive.sources.image_tables.object_counts import add_object_counts
from geolive.tables import vistas_classes
from tests.sources.photos.photofiles import gps_of, photo_bytes

CAR, VOID = vistas_classes()["name"].tolist().index("Car"), 65


@pytest.fixture
def photos(run, tmp_path):
    """A dataset of photos in folders, made by the command line."""
    for name in ("x/1.jpg", "x/2.jpg", "y/2.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(photo_bytes(gps_of(85.1, 25.6)))
    assert run("ingest", "photos", tmp_path / "photos", "--out", tmp_path / "data")[0] == 0
    return tmp_path / "data"


def test_the_command(run, photos, tmp_path):
    (tmp_path / "c.csv").write_text("image,Car,cup\n1,1,5\n/home/me/x/2.jpg,2,5\nx/2.jpg,2,0\n2.jpg,9,0\n7,3,0\n")
    (tmp_path / "classes.csv").write_text("name,class\nCar,Car\ncup,void\n")
    command = ["ingest", "objects", tmp_path / "c.csv", "--dataset", photos, "--key", "image"]
    before = read_dataset(photos)
    code, out, said = run(*command)
    assert code == 0, said
    assert f"{photos}: 3 objects of 2 of 3 images, as 'objects'" in out
    assert "1 column not counted, since no class of the dataset has such a name: cup" in said
    assert "give the dataset's class of each in --classes FILE.csv" in said
    assert "2 rows left out: several photos have this name" in said
    assert "1 row of images that the dataset lacks are left out" in said
    after = read_dataset(photos)
    assert after.features["objects"][:, CAR].tolist() == [1, 2, 0]
    assert after.images.equals(before.images)
    about = json.loads((photos / "features" / "objects.json").read_text())
    assert (about["missing"], about["columns"]["Car"], about["dtype"]) == (1, CAR, "uint16")
    code, _, said = run(*command)
    assert (code, "has a feature set 'objects' already" in said) == (2, True)
    assert run(*command, "--name", "again", "--classes", tmp_path / "classes.csv")[0] == 0
    assert read_dataset(photos).features["again"][:, [CAR, VOID]].tolist() == [[1, 5], [2, 0], [0, 0]]


def test_no_photo_and_its_row_are_left_in_doubt(photos, tmp_path):
    (tmp_path / "c.csv").write_text("key,Car\n2.jpg,9\nx/1.jpg,1\n")
    got = add_object_counts(photos, tmp_path / "c.csv")
    assert (got.n_ambiguous, got.missing["key"].tolist()) == (1, ["x/2.jpg", "y/2.jpg"])
    assert {path.name for path in (photos / "features").iterdir() if path.is_dir()} == set()


def test_object_counts_are_no_features(run, photos, tmp_path):
    (tmp_path / "c.csv").write_text("key,f0\nx/1.jpg,9\n")
    code, _, said = run("ingest", "features", tmp_path / "c.csv", "--dataset", photos, "--name", "objects")
    assert (code, "add these with: ingest objects" in said) == (2, True)
