import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geolive.dataset import add_labels, read_dataset, write_dataset
from geolive.errors import InputError


def test_a_dataset_comes_back_as_it_was(small_sample, small_folder):
    made, read = small_sample.dataset, read_dataset(small_folder)
    pd.testing.assert_frame_equal(pd.DataFrame(made.clusters), pd.DataFrame(read.clusters), check_dtype=False)
    assert read.images["key"].tolist() == made.images["key"].tolist()
    assert read.images.geometry.geom_equals(made.images.geometry).all()
    assert np.array_equal(read.features["objects"], made.features["objects"])
    assert read.features["objects"].dtype == np.uint16
    assert (read.simulated, read.thresholds, read.indicators) == (True, made.thresholds, made.indicators)


def test_simulation_survives_in_the_facts(small_folder):
    facts = json.loads((small_folder / "dataset.json").read_text())
    assert facts["simulated"] is True
    assert "SIMULATED" in facts["source"]
    listed = set(facts["checksums"])
    there = {p.relative_to(small_folder).as_posix() for p in small_folder.rglob("*") if p.is_file()}
    assert there - listed == {"dataset.json"}


def test_nothing_is_overwritten(small_sample, small_folder):
    before = (small_folder / "dataset.json").read_bytes()
    with pytest.raises(InputError, match="exists already"):
        write_dataset(small_sample.dataset, small_folder)
    assert (small_folder / "dataset.json").read_bytes() == before


def test_a_feature_set_of_another_length_is_refused_and_nothing_written(small_sample, tmp_path):
    broken = replace(small_sample.dataset, features={"objects": np.zeros((3, 66), np.uint16)})
    with pytest.raises(InputError, match="has 3 rows"):
        write_dataset(broken, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["clusters.parquet", "images.parquet", "features/objects.npy", "rejects.parquet"])
@pytest.mark.parametrize("harm", ["cut", "remove"])
def test_a_damaged_file_is_named(small_folder, tmp_path, name, harm):
    folder = shutil.copytree(small_folder, tmp_path / "copy")
    path = folder / name
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    else:
        path.unlink()
    with pytest.raises(InputError, match=f"{name}: missing, altered or cut short"):
        read_dataset(folder)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"schema_version": 9}', '{"schema_version": 1}', '{"schema_version": 1, "features": 3}'],
)
def test_facts_that_geolive_did_not_write(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError, match=r"dataset\.json"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "a/b"])
def test_no_path_is_taken_from_the_facts(small_folder, tmp_path, name):
    folder = shutil.copytree(small_folder, tmp_path / "copy")
    facts = json.loads((folder / "dataset.json").read_text())
    facts["features"] = [name]
    (folder / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="not as geolive writes it"):
        read_dataset(folder)


def test_labels_are_cut_at_the_median_of_all_that_have_a_value():
    table, thresholds = add_labels(pd.DataFrame({"pov": [3.0, 1.0, np.nan, 2.0]}), ["pov"])
    assert thresholds == {"pov": 2.0}
    assert table["pov_label"].tolist()[:2] == [1.0, 0.0]
    assert np.isnan(table["pov_label"][2])


def test_an_indicator_that_is_not_there(small_sample):
    with pytest.raises(InputError, match="it has: pov, pop, bmi"):
        small_sample.dataset.labelled("height")
