"""Features that others computed: from file to dataset."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.feature_sets import add_features
from geolive.sources.features import read_features
from geolive.sources.paper.reader import read_paper
from tests.sources.paper.papertable import row, text, write


@pytest.fixture
def folder(tmp_path):
    """A dataset of the images a, c and d; the table also has a row that was rejected."""
    path = write(tmp_path / "table", [row("a"), row("b", ilat=99), row("c"), row("d")])
    return write_dataset(read_paper(path, path.parent)[0], tmp_path / "dataset")


def add(folder, path, name="net", **options):
    keys = read_dataset(folder).images["key"]
    return add_features(folder, name, read_features(path, keys, **options), {"source": path.name})


def state(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_csv_rows_are_joined_by_key_and_missing_ones_listed(folder, tmp_path):
    before = state(folder)
    path = tmp_path / "net.csv.gz"
    path.write_bytes(gzip.compress(b"f0,key,f1\n1,d,2\n5,stranger,6\n3,a,4\n"))
    assert add(folder, path) == ["c"]
    features = read_dataset(folder).features["net"]
    assert np.array_equal(features, np.array([[3, 4], [np.nan, np.nan], [1, 2]], np.float32), equal_nan=True)
    assert pd.read_parquet(folder / "features" / "net.missing.parquet")["key"].tolist() == ["c"]
    about = json.loads((folder / "features" / "net.json").read_text())
    assert (about["shape"], about["missing"], about["source"]) == ([3, 2], 1, "net.csv.gz")
    after = state(folder)
    assert {name for name in before if before[name] != after[name]} == {(folder / "dataset.json").relative_to(folder)}


def test_the_first_row_of_a_key_counts_and_the_others_are_told(folder, tmp_path):
    path = tmp_path / "net.csv"
    path.write_text("key,f0\na,1\nd,3\na,2\n")
    told: list[str] = []
    add(folder, path, repeated=told)
    assert read_dataset(folder).features["net"][:, 0].tolist()[::2] == [1, 3]
    assert told == ["a"]


def test_hdf5_rows_follow_the_table_rejected_rows_too(folder, tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["features"] = np.arange(8.0).reshape(4, 2, 1, 1)
    table = tmp_path / "table" / "data.csv"
    assert add(folder, tmp_path / "net.h5", table=table) == []
    assert read_dataset(folder).features["net"].tolist() == [[0, 1], [4, 5], [6, 7]]
    table.write_text(text([row("a")]))
    with pytest.raises(InputError, match=r"has 4 rows, .* has 1"):
        add(folder, tmp_path / "net.h5", "other", table=table)
    with pytest.raises(InputError, match=r"table='data\.csv'"):
        add(folder, tmp_path / "net.h5", "other")


def test_hdf5_that_points_elsewhere_is_refused(folder, tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["features"] = np.zeros((4, 2))
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["features"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/features")
    with pytest.raises(InputError, match="not a dataset in this file"):
        add(folder, tmp_path / "net.h5", table=tmp_path / "table" / "data.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "needs one column 'key'"),
        (b"id,f0\na,1\n", "needs one column 'key'"),
        (b"key,f0\na,nan\n", "missing or not finite"),
        (b"key,f0\na,x\n", "line 2: could not convert"),
        (b"key,f0\na,1\nb,1,2\n", "line 3: wrong number of fields"),
        (b"key,f0\nstranger,1\n", "none of its images"),
        (b"\xff\xfe", "neither CSV in UTF-8 nor HDF5"),
        (b"\x89HDF\r\n\x1a\n broken", "cannot be read"),
    ],
)
def test_a_bad_file_leaves_the_dataset_as_it_was(folder, tmp_path, content, words):
    before = state(folder)
    path = tmp_path / "net"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        add(folder, path, table=tmp_path / "table" / "data.csv")
    assert state(folder) == before


def test_no_feature_set_is_replaced(folder, tmp_path):
    path = tmp_path / "net.csv"
    path.write_text("key,f0\na,1\n")
    for name, words in (("objects", "has a feature set 'objects' already"), ("../x", "use letters, digits")):
        with pytest.raises(InputError, match=words):
            add(folder, path, name)
