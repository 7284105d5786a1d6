import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from geolive.covariate_tables import CovariateTables
from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.files import checksum
from geolive.mapping.summary import summarise
from geolive.tables import lonlat


@pytest.fixture(scope="module")
def with_positions(small_sample):
    """A dataset whose covariates are its longitudes and latitudes, and a flag that is missing at every third place."""
    dataset = small_sample.dataset
    tables = []
    for table in (dataset.clusters, dataset.images):
        lon, lat = lonlat(table.geometry).T
        every_third = np.where(np.arange(len(table)) % 3 == 0, np.nan, 1).astype(np.float32)
        tables.append(pd.DataFrame({"lon": lon, "lat": lat, "flag": every_third}))
    about = {
        "lon": {"kind": "raster", "file": "lon.tif", "band": 2, "buffer_km": {"urban": 2.0, "rural": 5.0}},
        "lat": {"kind": "raster", "file": "lat.tif", "buffer_km": {"urban": 2.0, "rural": 2.0}},
        "flag": {"kind": "table", "file": "flags.csv"},
    }
    return dataset.with_covariates(CovariateTables(*tables, about))


def test_covariates_come_back_as_they_were(with_positions, tmp_path):
    read = read_dataset(write_dataset(with_positions, tmp_path / "copy"))
    pd.testing.assert_frame_equal(read.covariates.clusters, with_positions.covariates.clusters)
    pd.testing.assert_frame_equal(read.covariates.images, with_positions.covariates.images)
    assert read.covariates.about == with_positions.covariates.about
    facts = json.loads((tmp_path / "copy" / "dataset.json").read_text())
    assert {"covariates/clusters-1.parquet", "covariates/images-1.parquet"} <= set(facts["checksums"])


def test_rows_stay_with_their_places(with_positions):
    order = np.random.default_rng(0).permutation(len(with_positions.images))[:3000]
    few = with_positions.select_images(order)
    assert np.array_equal(few.covariates.images[["lon", "lat"]], lonlat(few.images.geometry))
    some = with_positions.select_clusters(with_positions.clusters["pov"] > 0)
    assert np.array_equal(some.covariates.images[["lon", "lat"]], lonlat(some.images.geometry))
    assert np.array_equal(some.covariates.clusters[["lon", "lat"]], lonlat(some.clusters.geometry))


def test_the_checksum_depends_on_them(small_sample, with_positions):
    tables = with_positions.covariates
    moved = replace(tables, clusters=tables.clusters.assign(lon=tables.clusters["lon"] + 1e-9))
    other_file = replace(tables, about=tables.about | {"flag": {"kind": "table", "file": "other.csv"}})
    datasets = [
        small_sample.dataset,
        with_positions,
        *(replace(with_positions, covariates=c) for c in (moved, other_file)),
    ]
    assert len({dataset.checksum for dataset in datasets}) == 4


def test_added_covariates_replace_those_of_the_same_name(with_positions):
    clusters, images = (
        pd.DataFrame({"flag": np.zeros(len(t))}) for t in (with_positions.clusters, with_positions.images)
    )
    changed = with_positions.with_covariates(
        CovariateTables(clusters, images, {"flag": {"kind": "table", "file": "new.csv"}})
    )
    assert changed.covariates.names == ("lon", "lat", "flag")
    assert (changed.covariates.images["flag"] == 0).all()
    assert changed.covariates.about["flag"]["file"] == "new.csv"
    assert with_positions.covariates.clusters["flag"].isna().any()


def test_a_dataset_shows_its_covariates(with_positions):
    assert repr(with_positions).endswith("features: objects; covariates: lon, lat, flag>")
    assert "lon, lat, flag" in with_positions._repr_html_()
    shown = summarise(with_positions).covariates.set_index("covariate")
    assert shown["from"].tolist() == ["lon.tif, band 2", "lat.tif", "flags.csv"]
    assert shown["buffer"].tolist() == ["urban 2 km, rural 5 km", "2 km", "–"]
    assert shown.loc["flag", ["clusters", "images"]].tolist() == [53, 15556]
    assert shown.loc["lat", "max"] == with_positions.clusters.geometry.y.max()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clusters": pd.DataFrame({"b": [1.0]})}, "the same names in the same order"),
        ({"about": {}}, "the same names in the same order"),
        ({"clusters": pd.DataFrame({"a": ["x"]})}, "'a' has the type"),
        ({"clusters": pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])}, "the name 'a' occurs twice"),
        ({"clusters": pd.DataFrame({"../a": [1.0]})}, r"the name '\.\./a' is not usable"),
    ],
)
def test_tables_that_do_not_fit_together(changes, said):
    table = pd.DataFrame({"a": [1.0]})
    with pytest.raises(InputError, match=said):
        CovariateTables(**({"clusters": table, "images": table, "about": {"a": {}}} | changes))


def test_tables_of_another_dataset(small_sample):
    table = pd.DataFrame({"a": [1.0]})
    with pytest.raises(InputError, match="have rows of 1 clusters and 1 images, and there are 80 and 23,335"):
        small_sample.dataset.with_covariates(CovariateTables(table, table, {"a": {}}))


@pytest.mark.parametrize("covariates", [[], {"lon": 3}, {"../lon": {}}, {"height": {}}])
def test_facts_that_geolive_did_not_write(with_positions, tmp_path, covariates):
    folder = write_dataset(with_positions, tmp_path / "copy")
    facts = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(facts | {"covariates": covariates}))
    with pytest.raises(InputError, match="make the dataset again"):
        read_dataset(folder)


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_a_file_that_a_stranger_replaced_and_listed(with_positions, tmp_path, content):
    folder = write_dataset(with_positions, tmp_path / "copy")
    path = folder / "covariates" / "images-1.parquet"
    if content is None:
        shutil.copy(folder / "covariates" / "clusters-1.parquet", path)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"images-1\.parquet: is missing, altered or cut short"):
        read_dataset(folder)
    facts = json.loads((folder / "dataset.json").read_text())
    facts["checksums"]["covariates/images-1.parquet"] = checksum(path)
    (folder / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match="make the dataset again"):
        read_dataset(folder)
