"""The simulated raster goes with the sample's truth, and is called simulated."""

import numpy as np
import pytest
import rasterio

import geolive
from geolive.errors import InputError
from geolive.simulation.sample import simulate
from geolive.simulation.simulated_raster import simulate_raster, write_simulated_raster
from tests.commands import run


def test_it_carries_part_of_the_wealth_and_not_all_of_it(tmp_path, small_sample):
    path = write_simulated_raster(tmp_path / "lights.tif", "bihar", seed=3, cell=0.05)
    added = geolive.add_covariates(small_sample.dataset, {"lights": path}, buffer_km=3)
    values = added.covariates.clusters["lights"]
    truth = small_sample.places["pov"][: len(values)]
    # (0.55² / (0.55 + 0.5²)) is 0.38 in the long run
    assert 0.2 < np.corrcoef(values, truth)[0, 1] ** 2 < 0.6
    other = write_simulated_raster(tmp_path / "other.tif", "bihar", seed=4, cell=0.05)
    unrelated = geolive.add_covariates(small_sample.dataset, {"lights": other}, buffer_km=3).covariates.clusters[
        "lights"
    ]
    assert np.corrcoef(unrelated, truth)[0, 1] ** 2 < np.corrcoef(values, truth)[0, 1] ** 2


def test_equal_seeds_give_equal_files_that_say_that_they_are_simulated(tmp_path):
    one, two = (write_simulated_raster(tmp_path / f"{name}.tif", "goa", cell=0.05) for name in "ab")
    assert one.read_bytes() == two.read_bytes()
    with rasterio.open(one) as raster:
        assert raster.tags()["SIMULATED"] == "yes"
        assert "SIMULATED" in raster.descriptions[0]
        assert raster.crs.to_epsg() == 4326


def test_noise_hides_the_signal():
    clear, noisy = (simulate_raster("goa", cell=0.05, noise=noise)[0] for noise in (0, 2))
    inside = np.isfinite(clear)
    assert np.array_equal(inside, np.isfinite(noisy))
    assert np.nanstd(noisy) > 1.5 * np.nanstd(clear)


@pytest.mark.parametrize("words", [{"indicator": "height"}, {"noise": -1}, {"cell": 0}, {"region": "atlantis"}])
def test_what_cannot_be_simulated(words):
    with pytest.raises(InputError):
        simulate_raster(**words)


def test_sample_writes_it(tmp_path):
    done = run("sample", "--region", "goa", "--out", tmp_path / "goa", "--raster", tmp_path / "lights.tif")
    assert done.returncode == 0, done.stderr
    dataset = geolive.read_dataset(tmp_path / "goa")
    assert simulate("goa").dataset.checksum == geolive.make_sample("goa").checksum
    assert geolive.add_covariates(dataset, {"lights": tmp_path / "lights.tif"}).covariates.names == ("lights",)
    again = run("sample", "--region", "goa", "--out", tmp_path / "goa2", "--raster", tmp_path / "lights.tif")
    assert again.returncode == 2
    assert "exists already, and geolive overwrites nothing" in again.stderr
    assert not (tmp_path / "goa2").exists()
