"""Means over buffers: against cells counted one by one, in any projection; what is constant stays exactly constant."""

import numpy as np
import pyproj
import pytest
import rasterio
from rasterio import Affine

from geolive.covariates.buffer_sums import BufferSums
from geolive.covariates.raster_names import parse_raster
from geolive.covariates.sampling import covariates_at, sample_raster
from geolive.errors import InputError
from geolive.geodesy import chord_to_km, unit_sphere
from tests.rasters import write_raster

UTM_45 = "EPSG:32645"


def noise(shape=(30, 30), seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def counted(path, positions, radius_km, parts=30):
    """Means over buffers by cutting each cell into parts × parts and measuring the distance to each part."""
    with rasterio.open(path) as raster:
        values = raster.read(1, masked=True).astype(float).filled(np.nan)
        height, width = values.shape
        col, row = np.meshgrid((np.arange(width * parts) + 0.5) / parts, (np.arange(height * parts) + 0.5) / parts)
        a, b, c, d, e, f = raster.transform[:6]
        to_degrees = pyproj.Transformer.from_crs(raster.crs.to_wkt(), 4326, always_xy=True)
        lon, lat = to_degrees.transform((a * col + b * row + c).ravel(), (d * col + e * row + f).ravel())
        weight = np.cos(np.radians(lat)) if raster.crs.is_geographic else np.ones(len(lat))
    where, of_part = unit_sphere(np.column_stack([lon, lat])), values[row.astype(int), col.astype(int)].ravel()
    means = []
    for position in np.asarray(positions):
        km = chord_to_km(np.linalg.norm(where - unit_sphere(position[None]), axis=1))
        chosen = (km <= radius_km) & np.isfinite(of_part)
        means.append((of_part * weight)[chosen].sum() / weight[chosen].sum())
    return np.array(means)


GRIDS = {
    "degrees": (Affine(0.01, 0, 84.5, 0, -0.01, 25.5), 4326),
    "from the south up": (Affine(0.01, 0, 84.5, 0, 0.01, 25.2), 4326),
    "from 0 to 360 degrees, near the pole": (Affine(0.05, 0, 320, 0, -0.01, 78), 4326),
    "metres": (Affine(1000, 0, 250_000, 0, -1000, 2_820_000), UTM_45),
    "metres, turned": (Affine(940, 342, 250_000, 342, -940, 2_820_000), UTM_45),
    "Mollweide, far from its centre": (Affine(1000, 0, 12_000_000, 0, -1000, 4_500_000), "ESRI:54009"),
}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("radius_km", [0.6, 4])
def test_means_over_buffers_are_those_of_the_cells_within(tmp_path, grid, radius_km):
    transform, crs = GRIDS[grid]
    values = np.where(noise(seed=1) > 1.5, -9999, noise())
    path = write_raster(tmp_path / "noise.tif", values, transform, crs, nodata=-9999)
    a, b, c, d, e, f = transform[:6]
    at = np.random.default_rng(2).uniform(8, 22, (6, 2))
    x, y = a * at[:, 0] + b * at[:, 1] + c, d * at[:, 0] + e * at[:, 1] + f
    lon, lat = pyproj.Transformer.from_crs(crs, 4326, always_xy=True).transform(x, y)
    positions = np.column_stack([np.where(lon > 180, lon - 360, lon), lat])
    found = covariates_at([f"noise={path}"], positions, radius_km)["noise"]
    # the standard deviation of cells is 1
    assert np.abs(found - counted(path, positions, radius_km)).max() < 0.02


def test_a_buffer_of_nothing_is_the_cell(tmp_path):
    values = noise()
    path = write_raster(tmp_path / "noise.tif", values)
    found = covariates_at([f"noise={path}"], [[84.505, 25.495], [84.715, 25.395]], 0)["noise"]
    assert found.tolist() == [values[0, 0], values[10, 21]]
    tiny = covariates_at([f"noise={path}"], [[84.505, 25.495]], 0.01)["noise"]
    assert tiny.tolist() == [values[0, 0]]


@pytest.mark.parametrize("constant", [0.1, -3.0, 1e-30, 7e18, 0.0])
@pytest.mark.parametrize("radius_km", [0, 0.3, 3, 40])
def test_a_constant_stays_exactly_constant(tmp_path, constant, radius_km):
    path = write_raster(tmp_path / "constant.tif", np.full((60, 70), constant))
    positions = np.random.default_rng(0).uniform([84.5, 24.95], [85.1, 25.45], (50, 2))
    assert (covariates_at([f"c={path}"], positions, radius_km)["c"] == constant).all()


def test_places_well_inside_a_district_get_exactly_its_number(tmp_path):
    # districts in stripes of 20 cells, 22 km, with numbers that have no exact sum
    numbers = np.repeat([0.1, 1e6 / 3, -7.7, 12.0, 1e-3], 20)
    path = write_raster(tmp_path / "districts.tif", np.tile(numbers, (100, 1)), Affine(0.01, 0, 84, 0, -0.01, 26))
    stripe = np.arange(5).repeat(20)
    rng = np.random.default_rng(0)
    positions = np.column_stack([84 + 0.2 * stripe + rng.uniform(0.06, 0.14, 100), rng.uniform(25.1, 25.9, 100)])
    assert (covariates_at([f"n={path}"], positions, 5)["n"].to_numpy() == numbers[::20][stripe]).all()


def test_cells_without_data_are_left_out_and_their_share_is_told(tmp_path):
    values = np.full((30, 30), 5.0)
    values[:, 15:] = np.nan
    path = write_raster(tmp_path / "half.tif", values)
    sample = sample_raster(parse_raster(f"half={path}"), [[84.65, 25.35], [84.6, 25.35], [84.75, 25.35]], 3)
    assert sample.values["half"].tolist()[:2] == [5.0, 5.0]
    assert np.isnan(sample.values["half"][2])
    assert sample.nodata_share.round(2).tolist() == [0.5, 0.0, 1.0]
    # beyond the raster there is no data, either
    edge = sample_raster(parse_raster(f"half={path}"), [[84.5, 25.35]], 3)
    assert edge.nodata_share.round(2).tolist() == [0.5]
    assert edge.values["half"].tolist() == [5.0]


@pytest.mark.parametrize("nodata", [0, np.nan, -9999, -3.4028234663852886e38, 1e20])
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_all_numbers_that_may_mean_no_data(tmp_path, nodata, kind):
    values = np.where(np.arange(900).reshape(30, 30) % 30 < 15, 2.0, nodata).astype(kind)
    path = write_raster(tmp_path / "half.tif", values, nodata=nodata)
    sample = sample_raster(parse_raster(f"v={path}"), [[84.65, 25.35]], 3)
    assert sample.values["v"].tolist() == [2.0]
    assert sample.nodata_share.round(2).tolist() == [0.5]


def test_a_number_for_no_data_that_no_cell_can_hold(tmp_path):
    path = tmp_path / "bytes.tif"
    write_raster(path, np.full((30, 30), 7, np.uint8), nodata=255)
    # as other programs write it
    path.write_bytes(path.read_bytes().replace(b"255\0", b"-99\0"))
    assert covariates_at([f"v={path}"], [[84.65, 25.35]], 3)["v"].tolist() == [7]


def test_cells_that_a_mask_hides_hold_no_data(tmp_path):
    path = write_raster(tmp_path / "masked.tif", np.full((30, 30), 7, np.uint8))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as raster:
        raster.write_mask(np.arange(900).reshape(30, 30) % 30 < 15)
    sample = sample_raster(parse_raster(f"v={path}"), [[84.65, 25.35]], 3)
    assert sample.nodata_share.round(2).tolist() == [0.5]
    assert sample.values["v"].tolist() == [7]


def test_stored_numbers_are_scaled_as_the_file_says(tmp_path):
    path = write_raster(tmp_path / "scaled.tif", np.full((30, 30), 300, np.int16))
    with rasterio.open(path, "r+") as raster:
        raster.scales, raster.offsets = [0.1], [-273.15]
    assert covariates_at([f"t={path}"], [[84.65, 25.35]], 3)["t"].round(9).tolist() == [-243.15]


def test_circles_across_180_degrees(tmp_path):
    values = noise((40, 720))
    whole = write_raster(tmp_path / "earth.tif", values, Affine(0.5, 0, -180, 0, -0.5, -8))
    # the same cells, cut elsewhere
    around = write_raster(tmp_path / "around.tif", np.roll(values, 360, axis=1), Affine(0.5, 0, 0, 0, -0.5, -8))
    part = write_raster(
        tmp_path / "fiji.tif", np.roll(values, 360, axis=1)[:, 340:380], Affine(0.5, 0, 170, 0, -0.5, -8)
    )
    positions = [[179.9, -17.5], [-179.8, -16], [180, -18.2], [-180, -18.2], [178, -17]]
    expected = sample_raster(parse_raster(f"v={part}"), positions, 120)
    for path in (whole, around):
        found = sample_raster(parse_raster(f"v={path}"), positions, 120)
        assert np.allclose(found.values, expected.values, rtol=0, atol=1e-9)
        assert found.nodata_share.max() < 1e-9


def test_tiles_of_a_folder_are_one_raster(tmp_path):
    values = noise()
    whole = write_raster(tmp_path / "whole.tif", values)
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    write_raster(tiles / "west.tif", values[:, :13])
    write_raster(tiles / "east.tif", values[:, 13:], Affine(0.01, 0, 84.63, 0, -0.01, 25.5))
    positions = np.random.default_rng(0).uniform([84.55, 25.25], [84.75, 25.45], (40, 2))
    for radius in (0, 4):
        one, two = (sample_raster(parse_raster(f"v={path}"), positions, radius) for path in (whole, str(tiles)))
        assert np.allclose(one.values, two.values, rtol=0, atol=1e-12)
        assert two.nodata_share.max() == 0


def test_results_do_not_depend_on_how_much_is_read_at_once(tmp_path, monkeypatch):
    path = write_raster(tmp_path / "noise.tif", noise((300, 300)), tiled=True, blockxsize=64, blockysize=64)
    positions = np.random.default_rng(0).uniform([84.6, 22.6], [87.4, 25.4], (200, 2))
    radius = np.random.default_rng(1).choice([0, 1, 8], 200)
    at_once = sample_raster(parse_raster(f"v={path}"), positions, radius)
    for name, value in (("_NUMBERS_AT_ONCE", 700), ("_STEPS_AT_ONCE", 100), ("_SQUARE", 20)):
        monkeypatch.setattr(f"geolive.covariates.buffer_sums.{name}", value)
    alone = sample_raster(parse_raster(f"v={path}"), positions[:1], radius[:1])
    assert np.allclose(at_once.values[:1], alone.values, rtol=0, atol=1e-12)
    in_parts = sample_raster(parse_raster(f"v={path}"), positions, radius)
    assert np.allclose(at_once.values, in_parts.values, rtol=0, atol=1e-12, equal_nan=True)
    assert np.allclose(at_once.nodata_share, in_parts.nodata_share, atol=1e-12)


def test_reading_a_large_raster_takes_bounded_memory(tmp_path, monkeypatch):
    # 40,000 × 40,000 cells, of which only blocks around the places hold data
    path = tmp_path / "sparse.tif"
    about = {"driver": "GTiff", "count": 1, "width": 40_000, "height": 40_000, "dtype": "float32", "nodata": -1}
    options = {"tiled": True, "blockxsize": 512, "blockysize": 512, "sparse_ok": True, "bigtiff": "YES"}
    with rasterio.open(path, "w", crs=4326, transform=Affine(1e-4, 0, 84, 0, -1e-4, 27), **about, **options) as raster:
        raster.write(np.full((512, 512), 3, np.float32), 1, window=rasterio.windows.Window(1024, 1024, 512, 512))
    largest = []
    monkeypatch.setattr("geolive.covariates.sampling.open_grid", _recording(largest, "geolive.covariates.sampling"))
    positions = np.concatenate([[[84.128, 26.872]], np.random.default_rng(0).uniform([84, 23], [88, 27], (20, 2))])
    found = covariates_at([f"v={path}"], positions, 1)["v"]
    assert found[0] == 3
    assert found[1:].isna().all()
    assert max(largest) <= 1_500_000


def _recording(largest, module):
    import contextlib
    import importlib
    from dataclasses import replace

    real = importlib.import_module(module).open_grid

    @contextlib.contextmanager
    def opened(raster, file, least_km):
        with real(raster, file, least_km) as grid:

            def read(row, row_end, col, col_end):
                largest.append((row_end - row) * (col_end - col))
                return grid.read(row, row_end, col, col_end)

            yield replace(grid, read=read)

    return opened


def test_means_of_circles_without_any_cell():
    means, share = BufferSums.zeros(2, 3).means()
    assert np.isnan(means).all()
    assert (share == 1).all()


@pytest.mark.parametrize("radius", [-1, np.nan, 1000, [1, 2, 3]])
def test_distances_that_are_none(tmp_path, radius):
    path = write_raster(tmp_path / "v.tif", noise())
    with pytest.raises(InputError, match="radius_km"):
        covariates_at([f"v={path}"], [[84.6, 25.4], [84.6, 25.3]], radius)
