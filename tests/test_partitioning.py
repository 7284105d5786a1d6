"""Partitioned datasets: equal to the plain form in every result, read in parts, and named where they are damaged.

Networks of photos on partitions are tested with the engines that run them.
"""

import json
import shutil

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

import geolive
from geolive.covariate_tables import CovariateTables
from geolive.covariates.adding import place_covariates
from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.feature_sets import add_array
from geolive.files import checksum
from geolive.mapping.summary import summarise
from geolive.models.clusterwise import Forest
from geolive.partition_scheme import quadkeys
from geolive.partitioned_array import PartitionedArray
from geolive.partitioning import partition_dataset
from tests.commands import run


@pytest.fixture(scope="module")
def plain(small_sample, tmp_path_factory):
    """Two feature sets, covariates, sites, and a second country."""
    dataset = small_sample.dataset
    kenya = dataset.images["unique_cluster"].isna() & (dataset.images.geometry.x > 86)
    images = dataset.images.assign(country=dataset.images["country"].where(~kenya, ""))
    rows = np.random.default_rng(0).permutation(len(images))
    shuffled = geolive.Dataset(
        images.iloc[rows].reset_index(drop=True),
        dataset.clusters,
        {"objects": dataset.features["objects"][rows], "row": rows[:, None].astype(np.float32)},
        dataset.indicators,
        dataset.source,
        dataset.command,
        True,
        dataset.thresholds,
        extra=dataset.extra,
        covariates=_latitudes(dataset.clusters, images.iloc[rows]),
    )
    return write_dataset(shuffled, tmp_path_factory.mktemp("plain") / "data")


def _latitudes(clusters, images):
    tables = (pd.DataFrame({"lat": table.geometry.y.to_numpy()}) for table in (clusters, images))
    return CovariateTables(*tables, {"lat": {"kind": "table", "file": "lat.csv"}})


@pytest.fixture(scope="module")
def parts(plain):
    partition_dataset(plain, "quadkey:7", plain.with_name("parts"))
    return plain.with_name("parts")


def _checksums(folder):
    """Of all files but dataset.json, whose content stands for it."""
    checksums = {p.relative_to(folder).as_posix(): checksum(p) for p in folder.rglob("*") if p.is_file()}
    return checksums | {"dataset.json": json.loads((folder / "dataset.json").read_text())}


def test_both_forms_are_equal(plain, parts):
    one, other = read_dataset(plain), read_dataset(parts)
    pd.testing.assert_frame_equal(one.images, other.images)
    pd.testing.assert_frame_equal(one.covariates.images, other.covariates.images)
    for name in ("objects", "row"):
        assert isinstance(other.features[name], PartitionedArray)
        assert np.array_equal(one.features[name], np.asarray(other.features[name]))
    assert np.array_equal(one.site_of_image, other.site_of_image)
    assert other.partitions.by == "quadkey:7"
    assert len(other.partitions) > 5
    some = np.random.default_rng(1).permutation(len(one.images))[:999]
    assert one.select_images(some).checksum == other.select_images(some).checksum


def test_models_maps_and_scores_are_equal(plain, parts):
    def results(folder):
        dataset = read_dataset(folder)
        trained = geolive.train(dataset, Forest(n_estimators=5, inputs="objects,covariates"), "pov")
        districts = geolive.predict(dataset, trained, region="bihar").districts
        scores = geolive.evaluate(dataset, {"forest": Forest(n_estimators=3)}, "pov", split="random", repeats=1).results
        return trained.residuals["prediction"].to_numpy(), districts["pov"].to_numpy(), scores["value"].to_numpy()

    for one, other in zip(results(plain), results(parts), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("by", ["country", "h3:3", "none"])
def test_partitions_are_divided_anew_and_put_together_again(plain, parts, tmp_path, by):
    if by.startswith("h3"):
        pytest.importorskip("h3")
    partition_dataset(parts, by, tmp_path / "other")
    if by == "country":
        files = {path.name for path in (tmp_path / "other" / "images").iterdir()}
        assert files == {"ia.parquet", "none.parquet"}
    if by != "none":
        partition_dataset(tmp_path / "other", "none", tmp_path / "again")
    assert _checksums(tmp_path / ("other" if by == "none" else "again")) == _checksums(plain)


def test_each_partition_is_a_geoparquet_file_of_its_cell(parts):
    facts = json.loads((parts / "dataset.json").read_text())
    total = 0
    for part in facts["partitions"]["parts"]:
        images = gpd.read_parquet(parts / f"images/{part['name']}.parquet")
        country, cell = part["name"].split("/")
        assert set(images["country"].replace("", "none")) == {country}
        where = np.column_stack([images.geometry.x, images.geometry.y])
        assert set(quadkeys(where, 7)) == {cell}
        assert images.total_bounds.tolist() == part["box"]
        assert len(images) == part["images"]
        total += len(images)
    assert total == facts["counts"]["images"]


def test_quadkeys_are_those_of_the_published_tile_system():
    # column 3 and row 5 of level 3 is 213 (learn.microsoft.com/bingmaps/articles/bing-maps-tile-system)
    middle = np.array([[(3.5 / 8) * 360 - 180, -44.0]])
    assert quadkeys(middle, 3).tolist() == ["213"]
    assert quadkeys(np.array([[-180.0, 90.0], [180.0, -90.0]]), 2).tolist() == ["00", "33"]


@pytest.mark.parametrize("form", ["plain", "parts"])
def test_a_box_is_read_from_the_partitions_that_reach_into_it(plain, parts, form, tmp_path):
    folder, box = {"plain": plain, "parts": parts}[form], (84.0, 25.0, 84.9, 25.9)
    whole = read_dataset(plain)
    x, y = whole.images.geometry.x, whole.images.geometry.y
    inside = (x >= 84.0) & (x <= 84.9) & (y >= 25.0) & (y <= 25.9)
    if form == "parts":
        far = next(part for part in _parts_of(parts) if part["box"][0] > 86)
        folder = shutil.copytree(parts, tmp_path / "cut")
        (folder / f"images/{far['name']}.parquet").unlink()
        with pytest.raises(InputError, match="missing, altered or cut short"):
            read_dataset(folder)
    chosen = read_dataset(folder, box=box, columns=["captured_at"])
    expected = whole.select_images(inside.to_numpy())
    assert chosen.images["key"].tolist() == expected.images["key"].tolist()
    assert list(chosen.images.columns) == ["key", "country", "unique_cluster", "captured_at", "geometry"]
    assert np.array_equal(np.asarray(chosen.features["row"]), expected.features["row"])
    assert chosen.clusters["n_images"].tolist() == expected.clusters["n_images"].tolist()
    assert len(chosen.sites) == len(whole.sites)
    assert np.array_equal(chosen.site_of_image, whole.site_of_image[inside])
    assert len(read_dataset(folder, box=(0, 0, 1, 1)).images) == 0


def _parts_of(folder):
    return json.loads((folder / "dataset.json").read_text())["partitions"]["parts"]


def test_features_and_covariates_are_added_in_partitions(plain, parts, tmp_path):
    copies = [shutil.copytree(folder, tmp_path / folder.name) for folder in (plain, parts)]
    for folder in copies:
        dataset = read_dataset(folder)
        ranks = dataset.images["key"].rank().to_numpy(np.float32)[:, None]
        missing = pd.DataFrame({"key": dataset.images["key"][:2], "reason": ["none", "none"]})
        add_array(folder, "rank", ranks, missing, {"source": "a test"})
        ones = [pd.DataFrame({"rank": np.arange(len(table), dtype=float)}) for table in (dataset.clusters, ranks)]
        place_covariates(folder, CovariateTables(*ones, {"rank": {"kind": "table", "file": "rank.csv"}}))
    one, other = map(read_dataset, copies)
    assert np.array_equal(one.features["rank"], np.asarray(other.features["rank"]))
    assert np.array_equal(one.has_features("rank"), other.has_features("rank"))
    pd.testing.assert_frame_equal(one.covariates.images, other.covariates.images)
    partition_dataset(copies[1], "none", tmp_path / "again")
    assert _checksums(tmp_path / "again") == _checksums(copies[0])


@pytest.mark.parametrize("kind", ["images", "features/objects", "covariates/images-1"])
@pytest.mark.parametrize("harm", ["cut", "remove"])
def test_a_damaged_partition_is_named(parts, tmp_path, kind, harm):
    folder = shutil.copytree(parts, tmp_path / "copy")
    path = sorted(p for p in (folder / kind).rglob("*") if p.is_file())[1]
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    else:
        path.unlink()
    name = path.relative_to(folder).as_posix()
    with pytest.raises(InputError, match=f"{name}: is missing, altered or cut short"):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda parts: parts[0].update(name="../ia"), "not in geolive's format"),
        (lambda parts: parts.clear(), "not in geolive's format"),
        (lambda parts: parts[0].update(images=-1), "not in geolive's format"),
        (lambda parts: parts[1].update(parts[0]), "not in geolive's format"),
        (lambda parts: parts[0].update(images=parts[0]["images"] + 1), "dataset.json lists"),
        (lambda parts: parts.append(parts[0] | {"name": "ia/000"}), "does not list the file images/ia/000.parquet"),
    ],
)
def test_facts_of_partitions_are_checked(parts, tmp_path, change, said):
    folder = shutil.copytree(parts, tmp_path / "copy")
    facts = json.loads((folder / "dataset.json").read_text())
    change(facts["partitions"]["parts"])
    (folder / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match=said):
        read_dataset(folder)


@pytest.mark.parametrize("by", ["quadkey", "quadkey:0", "h3:16", "state", "quadkey:99"])
def test_what_is_no_scheme_is_refused(plain, tmp_path, by):
    with pytest.raises(InputError, match="must be country, quadkey:LEVEL"):
        partition_dataset(plain, by, tmp_path / "out")


def test_the_command_says_what_it_made(plain, parts, tmp_path):
    done = run("partition", plain, "--by", "quadkey:7", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert f"SIMULATED: 23,335 images in {len(_parts_of(parts))} partitions" in done.stdout
    assert _checksums(tmp_path / "out") == _checksums(parts)
    shown = summarise(read_dataset(tmp_path / "out")).facts
    assert shown["partitions"] == f"{len(_parts_of(parts))}, by quadkey:7"
    refused = run("partition", plain, "--by", "quadkey:7", "--out", tmp_path / "out")
    assert (refused.returncode, "geolive overwrites nothing" in refused.stderr) == (2, True)


def test_rows_are_read_as_from_an_array(tmp_path):
    whole = np.random.default_rng(0).normal(size=(40, 3))
    files, sizes = [], [7, 1, 32]
    for number, rows in enumerate(np.split(np.arange(40), np.cumsum(sizes)[:-1])):
        files.append(tmp_path / f"{number}.npy")
        np.save(files[-1], whole[rows])
    order = np.random.default_rng(1).permutation(40)
    array, expected = PartitionedArray(files, sizes, order), whole[order]
    for key in (
        slice(None),
        slice(3, 30, 4),
        [5, 5, -1],
        np.arange(40) > 20,
        7,
        (slice(None), 1),
        ([2, 3], slice(2)),
        [],
    ):
        np.testing.assert_array_equal(array[key], expected[key])
    np.testing.assert_array_equal(np.asarray(array.take(np.array([9, 4]))), expected[[9, 4]])
    assert (array.shape, len(array), array.ndim) == ((40, 3), 40, 2)
    np.save(files[1], whole[:2])
    with pytest.raises(InputError, match=r"1.npy: has the shape \(2, 3\), and its partition has 1 images"):
        PartitionedArray(files, sizes, order)[:]
