"""Covariates of a dataset: in memory, in its folder, and what cannot be added."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from rasterio import Affine

import geolive
from geolive.covariates.adding import compute_covariates, place_covariates
from geolive.errors import InputError
from geolive.regions import find_region
from geolive.simulation.sample import simulate
from geolive.tables import lonlat
from tests.commands import ROOT
from tests.rasters import write_raster

GOA = Affine(0.01, 0, 73.4, 0, -0.01, 16.0)


@pytest.fixture(scope="module")
def dataset():
    return simulate("goa", seed=1, n_clusters=12, n_sites=3, most_images=4).dataset


@pytest.fixture(scope="module")
def rasters(tmp_path_factory):
    """Rasters over Goa: 1 or 2 by halves, longitude, noise in three bands."""
    folder = tmp_path_factory.mktemp("rasters")
    lon = np.tile(73.4 + 0.01 * (np.arange(120) + 0.5), (130, 1))
    return {
        "half": write_raster(folder / "half.tif", 1 + (lon > 74), GOA),
        "lon": write_raster(folder / "lon.tif", lon, GOA),
        "three": write_raster(
            folder / "three.tif", np.stack([lon, 2 * lon, 3 * lon]), GOA, descriptions=("a", "b", "c")
        ),
    }


def test_clusters_and_images_get_the_value_where_they_are(dataset, rasters):
    found = geolive.add_covariates(dataset, {"lon": rasters["lon"], "b": f"{rasters['three']}:b"}, buffer_km=0)
    for table, covariates in ((dataset.clusters, found.covariates.clusters), (dataset.images, found.covariates.images)):
        lon = lonlat(table.geometry)[:, 0]
        assert np.abs(covariates["lon"] - lon).max() <= 0.0051
        assert np.allclose(covariates["b"], 2 * covariates["lon"])
    assert dataset.covariates is None
    about = found.covariates.about
    assert about["b"]["band"] == 2
    assert (about["lon"]["file"], about["lon"]["statistic"], about["lon"]["nodata_share"]) == ("lon.tif", "value", 0)
    assert len(about["lon"]["sha256"]) == 64


def test_urban_and_rural_places_have_buffers_of_their_own(dataset, rasters):
    clusters = dataset.clusters.assign(urban=pd.Series([True, False, None] * 4, dtype=object))
    known = geolive.Dataset(
        dataset.images, clusters, dataset.features, dataset.indicators, "test", "test", True, dataset.thresholds
    )
    both = geolive.add_covariates(known, {"half": rasters["half"]}, buffer_km={"urban": 1, "rural": 12})
    one, twelve = (geolive.add_covariates(known, {"half": rasters["half"]}, buffer_km=km) for km in (1, 12))
    large = one.covariates.clusters["half"] != twelve.covariates.clusters["half"]
    assert large.any()
    expected = np.where(clusters["urban"].eq(True), one.covariates.clusters["half"], twelve.covariates.clusters["half"])
    assert np.allclose(both.covariates.clusters["half"], expected, rtol=0, atol=1e-12)
    assert both.covariates.about["half"]["buffer_km"] == {"urban": 1, "rural": 12, "unknown": 12}
    # an image has the buffer of its cluster, and elsewhere that of unknown places
    urban = dataset.images["unique_cluster"].map(clusters.set_index("unique_cluster")["urban"].eq(True)).eq(True)
    expected = np.where(urban, one.covariates.images["half"], twelve.covariates.images["half"])
    assert np.allclose(both.covariates.images["half"], expected, rtol=0, atol=1e-12)
    default = geolive.add_covariates(known, {"half": rasters["half"]})
    assert default.covariates.about["half"]["buffer_km"] == {"urban": 2, "rural": 5, "unknown": 5}


def test_a_table_of_clusters(dataset, tmp_path):
    rows = (
        dataset.clusters[["unique_cluster"]]
        .iloc[:-2]
        .assign(height=np.arange(10) / 8, name="x", gap=[1.5] + [None] * 9)
    )
    rows.sample(frac=1, random_state=0).to_csv(tmp_path / "heights.csv", index=False)
    found = geolive.add_covariates(dataset, table=tmp_path / "heights.csv", join="unique_cluster")
    assert found.covariates.names == ("height", "gap")
    assert found.covariates.clusters["height"].tolist()[:10] == (np.arange(10) / 8).tolist()
    assert found.covariates.clusters["height"].isna().sum() == 2
    of_image = dataset.images["unique_cluster"].map(rows.set_index("unique_cluster")["height"])
    assert np.array_equal(found.covariates.images["height"], of_image, equal_nan=True)
    one = geolive.add_covariates(dataset, table=tmp_path / "heights.csv", join="unique_cluster", columns=["gap"])
    assert one.covariates.names == ("gap",)


def test_a_table_of_positions(dataset, tmp_path):
    lon, lat = lonlat(dataset.clusters.geometry).T
    rows = pd.DataFrame({"x": lon, "y": lat, "height": np.arange(12.0), "pov": dataset.clusters["pov"]})
    rows.sample(frac=1, random_state=0).to_csv(tmp_path / "survey.csv", index=False)
    found = geolive.add_covariates(dataset, table=tmp_path / "survey.csv", join="x,y")
    # neither the positions nor the measured values
    assert found.covariates.names == ("height",)
    assert found.covariates.clusters["height"].tolist() == list(range(12))
    of_image = dataset.images["unique_cluster"].map(
        dict(zip(dataset.clusters["unique_cluster"], range(12), strict=True))
    )
    assert np.array_equal(found.covariates.images["height"], of_image, equal_nan=True)


def test_measured_values_are_no_covariate(dataset, tmp_path):
    for name in ("pov", "other_name"):
        table = dataset.clusters[["unique_cluster"]].assign(**{name: dataset.clusters["pov"]})
        table.iloc[2:].to_csv(tmp_path / "leak.csv", index=False)
        with pytest.raises(InputError, match=f"the covariate '{name}' holds the measured values of 'pov'"):
            geolive.add_covariates(dataset, table=tmp_path / "leak.csv", join="unique_cluster", columns=[name])


def test_a_table_of_districts(dataset, tmp_path):
    districts = find_region("goa").districts
    districts.to_file(tmp_path / "goa.geojson")
    districts[["district"]].assign(rain=[700.0, 900.0, 800.0]).to_csv(tmp_path / "rain.csv", index=False)
    found = geolive.add_covariates(
        dataset, table=tmp_path / "rain.csv", join="district", boundaries=tmp_path / "goa.geojson"
    )
    for table, covariates in ((dataset.clusters, found.covariates.clusters), (dataset.images, found.covariates.images)):
        seen = 0
        for shape, rain in zip(districts.geometry, [700, 900, 800], strict=True):
            inside = table.geometry.within(shape)
            assert (covariates["rain"][inside] == rain).all()
            seen += inside.sum()
        assert seen > 0.9 * len(table)
    clusters = dataset.clusters
    by_id = clusters[["district_id"]].drop_duplicates().assign(rain=np.arange(clusters["district_id"].nunique()) / 4)
    by_id.to_csv(tmp_path / "by_id.csv", index=False)
    found = geolive.add_covariates(dataset, table=tmp_path / "by_id.csv", join="district_id")
    expected = clusters["district_id"].map(by_id.set_index("district_id")["rain"])
    assert found.covariates.clusters["rain"].tolist() == expected.tolist()


def test_a_raster_of_the_districts_number_gives_it_exactly(tmp_path):
    from rasterio.features import rasterize

    data = simulate("bihar", seed=2, n_clusters=60, n_sites=3, most_images=2).dataset
    districts = find_region("bihar").districts.to_crs(32645)
    transform, number = Affine(500, 0, 100_000, 0, -500, 3_060_000), np.arange(len(districts)) / 7
    shapes = zip(districts.geometry, number, strict=True)
    cells = rasterize(shapes, (800, 1200), fill=-1, transform=transform, dtype="float64")
    path = write_raster(tmp_path / "number.tif", cells, transform, "EPSG:32645", nodata=-1)
    found = geolive.add_covariates(data, {"number": path}, buffer_km=2).covariates.clusters["number"]
    where = data.clusters.geometry.to_crs(32645)
    checked = 0
    for i, shape in enumerate(districts.geometry):
        inside = where.within(shape.buffer(-3000))
        assert (found[inside] == number[i]).all()
        checked += inside.sum()
    assert checked > 20


def test_a_folder_keeps_what_it_had(dataset, rasters, tmp_path):
    folder = geolive.write_dataset(dataset, tmp_path / "goa")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for names in (["lon"], ["half", "three"]):
        read = geolive.read_dataset(folder)
        chosen = [f"{name}={rasters[name]}{':c' * (name == 'three')}" for name in names]
        place_covariates(folder, compute_covariates(read, chosen, buffer_km=3))
    facts = folder / "dataset.json"
    assert all(path.read_bytes() == content for path, content in before.items() if path != facts)
    old, new = json.loads(before[facts]), json.loads(facts.read_text())
    assert {name: new[name] for name in old if name != "checksums"} | {"checksums": old["checksums"]} == old
    read = geolive.read_dataset(folder)
    assert read.covariates.names == ("lon", "half", "three")
    at_once = geolive.add_covariates(
        dataset, {"lon": rasters["lon"], "half": rasters["half"], "three": f"{rasters['three']}:c"}, buffer_km=3
    )
    pd.testing.assert_frame_equal(read.covariates.images, at_once.covariates.images)
    assert str(tmp_path) not in facts.read_text()


def test_a_write_that_fails_changes_nothing(dataset, rasters, tmp_path, monkeypatch):
    folder = geolive.write_dataset(dataset, tmp_path / "goa")
    tables = compute_covariates(dataset, {"lon": rasters["lon"]})
    before = (folder / "dataset.json").read_bytes()

    def fail(table, path, tries=[]):  # noqa: B006
        tries.append(path)
        if len(tries) == 2:
            raise KeyboardInterrupt
        table.to_parquet(path)

    monkeypatch.setattr("geolive.covariates.adding.write_table", fail)
    with pytest.raises(KeyboardInterrupt):
        place_covariates(folder, tables)
    assert (folder / "dataset.json").read_bytes() == before
    assert geolive.read_dataset(folder).covariates is None
    assert list((folder / "covariates").iterdir()) == []
    monkeypatch.undo()
    place_covariates(folder, tables)
    assert geolive.read_dataset(folder).covariates.names == ("lon",)


def test_processes_that_add_at_once_lose_nothing(dataset, rasters, tmp_path):
    folder = geolive.write_dataset(dataset, tmp_path / "goa")
    code = (
        "import sys, geolive; from geolive.covariates.adding import compute_covariates, place_covariates\n"
        "folder, raster, who = sys.argv[1:]\n"
        "data = geolive.read_dataset(folder)\n"
        "made = [compute_covariates(data, {f'{who}{i}': raster}, buffer_km=i) for i in range(3)]\n"
        "for tables in made: place_covariates(folder, tables)\n"
    )
    words = [sys.executable, "-c", code, str(folder), rasters["lon"]]
    running = [subprocess.Popen([*words, who], cwd=ROOT) for who in "ab"]
    assert [one.wait(120) for one in running] == [0, 0]
    assert set(geolive.read_dataset(folder).covariates.names) == {f"{who}{i}" for who in "ab" for i in range(3)}


def test_names_that_are_there_already(dataset, rasters, tmp_path):
    folder = geolive.write_dataset(dataset, tmp_path / "goa")
    tables = compute_covariates(dataset, {"lon": rasters["lon"]})
    place_covariates(folder, tables)
    with pytest.raises(InputError, match="has a covariate 'lon' already, and geolive overwrites nothing"):
        place_covariates(folder, tables)
    with pytest.raises(InputError, match="has a covariate 'lon' already, and geolive overwrites nothing"):
        geolive.add_covariates(geolive.read_dataset(folder), {"lon": rasters["half"]})


def test_more_covariates_than_clusters(dataset, tmp_path):
    path = write_raster(tmp_path / "many.tif", np.random.default_rng(0).normal(size=(13, 130, 120)), GOA)
    with pytest.raises(InputError, match="13 covariates would be more than its 12 clusters"):
        geolive.add_covariates(dataset, {"many": f"{path}:all"})
    # a dataset for prediction has no clusters
    images = dataset.select_clusters([])
    assert len(geolive.add_covariates(images, {"many": f"{path}:all"}).covariates.names) == 13
