"""Embeddings in the layouts of AlphaEarth and TESSERA; the files are synthetic."""

import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio import Affine
from rasterio.enums import Resampling

import geolive
from geolive.covariates import sampling
from geolive.covariates.sampling import covariates_at
from geolive.errors import InputError
from tests.rasters import write_raster

UTM_31 = "EPSG:32631"
# 10 m cells in Benin; AlphaEarth's files begin in the south
NORTH_UP, SOUTH_UP = Affine(10, 0, 400_000, 0, -10, 800_640), Affine(10, 0, 400_000, 0, 10, 800_000)
NAMES = [f"A{band:02d}" for band in range(64)]


def stored(vectors):
    """Quantise values between −1 and 1 as AlphaEarth does."""
    return (np.sign(vectors) * np.round(np.sqrt(np.abs(vectors)) * 127.5)).clip(-127, 127).astype(np.int8)


@pytest.fixture
def vectors():
    """Two unit vectors, of the western and of the eastern half."""
    made = np.random.default_rng(0).normal(size=(2, 64))
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def alphaearth(path, vectors, transform=NORTH_UP, **changes):
    cells = np.repeat(stored(vectors).T[:, None, :], 64, axis=1).repeat(32, axis=2)
    about = {"descriptions": NAMES, "nodata": -128, "interleave": "pixel"} | changes
    return write_raster(path, cells, transform, UTM_31, **about)


def position(col, row):
    import pyproj

    return pyproj.Transformer.from_crs(UTM_31, 4326, always_xy=True).transform(400_000 + 10 * col, 800_640 - 10 * row)


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP])
def test_alphaearth_is_recognised_and_its_means_have_length_1(tmp_path, vectors, transform):
    path = alphaearth(tmp_path / "aef.tiff", vectors, transform)
    positions = [position(10, 32), position(50, 32), position(32, 32)]
    found = covariates_at([f"aef={path}"], positions, [0, 0.1, 0.2])
    assert list(found) == [f"aef_{band:02d}" for band in range(64)]
    assert np.allclose(found.to_numpy()[:2], vectors, atol=0.008)
    both = vectors.sum(axis=0) / np.linalg.norm(vectors.sum(axis=0))
    assert np.allclose(found.to_numpy()[2], both, atol=0.012)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-12)


def test_masked_cells_of_alphaearth_are_left_out(tmp_path, vectors):
    cells = np.repeat(stored(vectors).T[:, None, :], 64, axis=1).repeat(32, axis=2)
    cells[:, :, 32:] = -128
    path = write_raster(tmp_path / "aef.tif", cells, NORTH_UP, UTM_31, descriptions=NAMES, nodata=-128)
    found = covariates_at([f"aef={path}"], [position(32, 32), position(60, 32)], 0.1)
    assert np.allclose(found.to_numpy()[0], vectors[0], atol=0.008)
    assert found.loc[1].isna().all()


def test_large_buffers_are_read_from_overviews_of_published_files(tmp_path, vectors, monkeypatch):
    path = alphaearth(tmp_path / "aef.tif", vectors, tiled=True, blockxsize=16, blockysize=16)
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews([2, 4], Resampling.average)
    exact = covariates_at([f"aef={path}"], [position(32, 32)], 0.3)
    # as if the published files had 64 cells, and circles of 8 cells had enough
    monkeypatch.setattr("geolive.covariates.embeddings._ALPHAEARTH_SIDE", 64)
    monkeypatch.setattr("geolive.covariates.embeddings._CELLS_OF_RADIUS", 7)
    widths = []
    real = sampling.add_grid
    monkeypatch.setattr(
        sampling, "add_grid", lambda sums, grid, *rest: (widths.append(grid.width), real(sums, grid, *rest))
    )
    for radius in (0, 0.1, 0.2, 0.3):
        found = covariates_at([f"aef={path}"], [position(32, 32)], radius)
        assert np.linalg.norm(found.loc[0]) == pytest.approx(1)
    assert widths == [64, 64, 32, 16]
    assert np.allclose(found, exact, atol=1e-6)


def test_one_band_of_alphaearth(tmp_path, vectors):
    path = alphaearth(tmp_path / "aef.tif", vectors)
    by_name, by_number = (covariates_at([f"x={path}:{band}"], [position(10, 32)], 0)["x"] for band in ("A07", 8))
    assert by_name.tolist() == by_number.tolist()
    assert by_name[0] == pytest.approx(vectors[0, 7], abs=0.01)


@pytest.mark.parametrize("changes", [{"descriptions": ()}, {"nodata": None}])
def test_other_rasters_of_64_bands_are_not_taken_for_alphaearth(tmp_path, vectors, changes):
    path = alphaearth(tmp_path / "other.tif", vectors, **changes)
    with pytest.raises(InputError, match=r"has 64 bands .*choose one with x=FILE:BAND"):
        covariates_at([f"x={path}"], [position(10, 32)], 0)
    found = covariates_at([f"x={path}:all"], [position(10, 32)], 0)
    assert (found.to_numpy()[0] == stored(vectors)[0]).all()


def tessera(folder, scales, quantised):
    tile = folder / "global_0.1_degree_representation" / "2024" / "grid_2.15_7.25"
    (folder / "landmasks").mkdir(parents=True)
    tile.mkdir(parents=True)
    np.save(tile / "grid_2.15_7.25.npy", quantised)
    np.save(tile / "grid_2.15_7.25_scales.npy", scales)
    write_raster(folder / "landmasks" / "grid_2.15_7.25.tiff", np.ones((64, 64), np.uint8), NORTH_UP, UTM_31)
    return str(tile / "grid_2.15_7.25.npy")


def test_arrays_of_tessera_are_multiplied_with_their_scales(tmp_path):
    rng = np.random.default_rng(0)
    quantised = rng.integers(-127, 128, (64, 64, 128), dtype=np.int8)
    scales = rng.uniform(0.01, 0.05, (64, 64)).astype(np.float32)
    path, values = tessera(tmp_path, scales, quantised), quantised * scales[..., None]
    found = covariates_at([f"t={path}"], [position(10.5, 20.5), position(32, 32)], [0, 0.2])
    assert list(found)[::127] == ["t_000", "t_127"]
    assert np.allclose(found.to_numpy()[0], values[20, 10], atol=1e-6)
    rows, cols = np.mgrid[:64, :64] + 0.5
    near = np.hypot(rows - 32, cols - 32) <= 20
    # whole cells here, shares of them there; means of 128 bands differ by 0.06
    assert np.abs(found.to_numpy()[1] - values[near].mean(axis=0)).max() < 0.03
    folder = covariates_at(
        [f"t={tmp_path / 'global_0.1_degree_representation' / '2024' / 'grid_2.15_7.25'}"], [position(10.5, 20.5)]
    )
    assert folder.loc[0].tolist() == found.loc[0].tolist()


def test_cells_of_tessera_without_a_scale_hold_no_data(tmp_path):
    scales = np.full((64, 64), 0.5, np.float32)
    scales[:, 32:] = np.nan
    path = tessera(tmp_path, scales, np.full((64, 64, 128), 4, np.int8))
    found = covariates_at([f"t={path}"], [position(32, 32), position(60, 32)], 0.1)
    assert (found.loc[0] == 2).all()
    assert found.loc[1].isna().all()


def test_incomplete_tiles_of_tessera(tmp_path):
    scales, quantised = np.ones((64, 64), np.float32), np.ones((64, 64, 128), np.int8)
    path = tessera(tmp_path / "a", scales, quantised)
    next((tmp_path / "a").rglob("*_scales.npy")).unlink()
    with pytest.raises(InputError, match=r"_scales\.npy: no such file; TESSERA's arrays come in pairs"):
        covariates_at([f"t={path}"], [position(10, 20)])
    path = tessera(tmp_path / "b", scales[:, 1:], quantised)
    with pytest.raises(InputError, match=r"its scales are float32 of shape \(64, 63\)"):
        covariates_at([f"t={path}"], [position(10, 20)])
    path = tessera(tmp_path / "c", scales, quantised)
    next((tmp_path / "c").rglob("*.tiff")).unlink()
    with pytest.raises(
        InputError, match=r"no GeoTIFF says where it is; put landmasks/grid_2\.15_7\.25\.tiff beside it"
    ):
        covariates_at([f"t={path}"], [position(10, 20)])


def test_embeddings_of_a_dataset_are_kept_in_single_precision(tmp_path, vectors):
    path = alphaearth(tmp_path / "aef.tif", vectors)
    lon, lat = np.transpose([position(col, row) for col in range(4, 62, 6) for row in range(4, 62, 6)])
    table = pd.DataFrame({"lon": lon, "lat": lat, "wealth": np.arange(100.0)})
    table.to_csv(tmp_path / "survey.csv", index=False)
    survey = geolive.read_survey(tmp_path / "survey.csv", "lon", "lat", {"wealth": "wealth"})
    added = geolive.add_covariates(survey, {"aef": path}, buffer_km=0.05)
    assert added.covariates.names == tuple(f"aef_{band:02d}" for band in range(64))
    assert set(added.covariates.clusters.dtypes) == {np.dtype("float32")}
    about = added.covariates.about["aef_07"]
    assert (about["band"], about["statistic"]) == (8, "mean, scaled to length 1")
    read = geolive.read_dataset(geolive.write_dataset(added, tmp_path / "copy"))
    pd.testing.assert_frame_equal(read.covariates.clusters, added.covariates.clusters)
