import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.files import checksum
from geolive.labels import add_labels


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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (lambda d: {"images": d.images.iloc[100:]}, r"'objects' has shape \(23335, 66\), and there are 23,235 images"),
        (lambda d: {"features": {"objects": np.zeros((3, 66), np.uint16)}}, r"'objects' has shape \(3, 66\)"),
        (lambda d: {"features": {"objects": np.zeros((len(d.images), 65))}}, "65 columns; object counts have 66"),
        (lambda d: {"features": {"one": np.zeros(len(d.images))}}, r"'one' has shape \(23335,\)"),
        (lambda d: {"clusters": d.clusters.drop(columns="pov")}, "no column 'pov'"),
        (lambda d: {"indicators": ["pov", "height"]}, "no column 'height'"),
        (lambda d: {"clusters": d.clusters.iloc[[0, 0]]}, "column 'unique_cluster', row 1: sim_0001 occurs twice"),
    ],
)
def test_no_dataset_of_parts_that_do_not_fit_together(small_sample, changes, said):
    with pytest.raises(InputError, match=said):
        replace(small_sample.dataset, **changes(small_sample.dataset))


def test_selected_images_keep_their_features_and_clusters(small_sample):
    dataset = small_sample.dataset
    order = np.random.default_rng(0).permutation(len(dataset.images))[:5000]
    few = dataset.select_images(order)
    assert few.images["key"].tolist() == dataset.images["key"].iloc[order].tolist()
    assert np.array_equal(few.features["objects"], dataset.features["objects"][order])
    counted = few.images["unique_cluster"].value_counts().reindex(few.clusters["unique_cluster"]).fillna(0)
    assert few.clusters["n_images"].tolist() == counted.tolist()
    kept = np.isin(np.arange(len(dataset.images)), order)
    masked = dataset.select_images(pd.Series(kept))
    assert sorted(masked.images["key"]) == sorted(few.images["key"])
    counts = [one.cluster_places(one.clusters).counts() for one in (few, masked)]
    assert np.array_equal(*counts)
    for wrong in (kept[:-1], [0, 0], [len(dataset.images)]):
        with pytest.raises(InputError, match="rows: "):
            dataset.select_images(wrong)


def test_selected_clusters_take_their_images_along(small_sample):
    dataset = small_sample.dataset
    some = dataset.select_clusters(dataset.clusters["pov"] > 0)
    assert (some.clusters["pov"] > 0).all()
    assert set(some.images["unique_cluster"].dropna()) <= set(some.clusters["unique_cluster"])
    assert some.images["unique_cluster"].isna().sum() == dataset.images["unique_cluster"].isna().sum()
    every = dataset.cluster_places(dataset.clusters).take(np.flatnonzero(dataset.clusters["pov"] > 0))
    assert np.array_equal(some.cluster_places(some.clusters).counts(), every.counts())
    assert len(dataset.select_clusters([]).clusters) == 0


def test_a_changed_dataset_is_a_new_one(small_folder):
    read = read_dataset(small_folder)
    same = read_dataset(small_folder)
    assert read.path == small_folder
    assert read.checksum == same.checksum
    shuffled = np.random.default_rng(0).permutation(read.features["objects"])
    changed = [
        replace(read),
        replace(read, features={"objects": shuffled}),
        read.with_features("ones", np.ones((len(read.images), 1))),
        read.select_images(slice(10, None)),
        read.select_clusters(slice(1, None)),
        replace(read, clusters=read.clusters.assign(pov=read.clusters["pov"].to_numpy()[::-1])),
        replace(read, images=read.images.assign(unique_cluster=read.images["unique_cluster"].to_numpy()[::-1])),
        replace(read, images=read.images.set_geometry(read.images.translate(0.1))),
        replace(read, simulated=False),
    ]
    assert all(one.path is None for one in changed)
    assert len({one.checksum for one in [read, *changed]}) == 1 + len(changed)
    assert replace(read).checksum == replace(same).checksum
    assert replace(read).name == read.source
    with pytest.raises(ValueError, match="path"):
        replace(read, path=None)


def test_a_dictionary_that_changes_later_does_not_change_the_dataset(small_sample):
    features = dict(small_sample.dataset.features)
    dataset = replace(small_sample.dataset, features=features)
    features["objects"] = features["objects"][:3]
    assert len(dataset.features["objects"]) == len(dataset.images)


def test_sites_are_formed_once_and_kept_with_the_folder(small_sample, small_folder):
    made, read = small_sample.dataset, read_dataset(small_folder)
    assert "sites.parquet" in json.loads((small_folder / "dataset.json").read_text())["checksums"]
    assert read.sites["site_id"].tolist() == made.sites["site_id"].tolist()
    assert np.array_equal(read.site_of_image, made.site_of_image)
    unassigned = made.images["unique_cluster"].isna().to_numpy()
    assert np.array_equal(made.site_of_image >= 0, unassigned)
    assert np.bincount(made.site_of_image[unassigned]).tolist() == made.sites["n_images"].tolist()
    places = made.site_places(made.sites.iloc[[5, 2]])
    assert places.ids.tolist() == made.sites["site_id"].iloc[[5, 2]].tolist()
    assert set(places.image_rows[: places.n_images[0]]) <= set(np.flatnonzero(made.site_of_image == 5))


def test_a_dataset_shows_itself_briefly(small_sample):
    dataset = small_sample.dataset
    assert repr(dataset) == "<Dataset: SIMULATED, 23,335 images, 80 clusters with pov, pop, bmi; features: objects>"
    page = replace(dataset, source="<b>x</b>")._repr_html_()
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "SIMULATED" in page


@pytest.mark.parametrize("name", ["clusters.parquet", "images.parquet", "features/objects.npy", "rejects.parquet"])
@pytest.mark.parametrize("harm", ["cut", "remove"])
def test_a_damaged_file_is_named(small_folder, tmp_path, name, harm):
    folder = shutil.copytree(small_folder, tmp_path / "copy")
    path = folder / name
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    else:
        path.unlink()
    with pytest.raises(InputError, match=f"{name}: is missing, altered or cut short"):
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
    with pytest.raises(InputError, match="not in geolive's format"):
        read_dataset(folder)


def test_labels_are_cut_at_the_median_of_all_that_have_a_value():
    table, thresholds = add_labels(pd.DataFrame({"pov": [3.0, 1.0, np.nan, 2.0]}), ["pov"])
    assert thresholds == {"pov": 2.0}
    assert table["pov_label"].tolist()[:2] == [1.0, 0.0]
    assert np.isnan(table["pov_label"][2])


def test_an_indicator_that_is_not_there(small_sample):
    with pytest.raises(InputError, match="it has: pov, pop, bmi"):
        small_sample.dataset.labelled("height")


@pytest.mark.parametrize(
    "name", ["rejects.parquet", "site_of_image.npy", "features/objects.npy", "images.parquet", "sites.parquet"]
)
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"]
)
def test_a_file_that_a_stranger_replaced_and_listed(small_folder, tmp_path, name, content):
    folder = shutil.copytree(small_folder, tmp_path / "copy")
    (folder / name).write_bytes(content)
    facts = json.loads((folder / "dataset.json").read_text())
    facts["checksums"][name] = checksum(folder / name)
    (folder / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="make the dataset again"):
        read_dataset(folder)
