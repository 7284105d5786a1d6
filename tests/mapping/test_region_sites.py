from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geolive.dataset_folder import read_dataset
from geolive.mapping.prediction import predict
from geolive.mapping.region_sites import sites_in_region
from geolive.models.registry import make_model
from geolive.models.training import train
from geolive.regions import find_region
from geolive.tables import points
from tests.panels import panel


def test_a_districts_sites_do_not_depend_on_the_frame(small_sample, small_folder):
    whole = find_region("bihar")
    bhojpur = whole.districts[whole.districts["district"] == "Bhojpur"].geometry.iloc[0]
    found = []
    for dataset in (small_sample.dataset, read_dataset(small_folder)):
        for region in (whole, find_region("84,25,86,26")):
            sites, places = sites_in_region(dataset, region, needs_images=True)
            inside = shapely.contains_xy(bhojpur, *np.array(sites.get_coordinates()).T)
            assert sites["n_images"].tolist() == places.n_images.tolist()
            found.append((sites["site_id"][inside].tolist(), places.take(np.flatnonzero(inside)).counts().tolist()))
    assert len(found[0][0]) >= 3
    assert found[1:] == found[:1] * 3


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    """A file of two districts that hold the panel."""
    path = tmp_path_factory.mktemp("squares") / "districts.geojson"
    boxes = [shapely.box(80, 22, 83, 27), shapely.box(83, 22, 86, 27)]
    gpd.GeoDataFrame({"district": ["West", "East"]}, geometry=boxes, crs=4326).to_file(path)
    return path


@pytest.mark.parametrize("name", ["idw", "mean"])
def test_a_place_that_was_visited_twice_is_one_site(tmp_path, squares, name):
    dataset = panel(tmp_path, n_places=100)
    assert len(dataset.clusters) == 150
    trained = train(dataset, make_model(name), "wealth")
    drawn = predict(dataset, trained, boundaries=squares)
    surveyed = drawn.sites[drawn.sites["surveyed"]]
    assert len(surveyed) == 100
    assert surveyed.geometry.is_unique
    assert drawn.districts["n_sites"].sum() == len(drawn.sites)
    visits = trained.residuals.assign(at=trained.residuals.geometry.to_wkt()).groupby("at")["prediction"].mean()
    shown = surveyed.set_index(surveyed.geometry.to_wkt())["wealth"]
    assert shown.to_numpy() == pytest.approx(visits.reindex(shown.index).to_numpy())
    # each place counts once in the district's mean
    west = drawn.sites.geometry.x < 83
    district = drawn.districts.set_index("district")["wealth"]
    assert district["West"] == pytest.approx(drawn.sites["wealth"][west].mean())


@pytest.mark.parametrize("photos", [False, True])
def test_a_districts_value_of_a_model_of_positions_does_not_depend_on_the_frame(tmp_path, photos):
    dataset = panel(tmp_path, n_places=120)
    if photos:
        rng = np.random.default_rng(0)
        images = {"key": [f"{i}" for i in range(60)], "country": "", "unique_cluster": None}
        where = points(rng.uniform(80, 86, 60), rng.uniform(22, 27, 60))
        dataset = replace(dataset, images=gpd.GeoDataFrame(images, geometry=where))
    boxes = [shapely.box(80 + i, 22.03 + 2.5 * j, 81 + i, 24.03 + 2.5 * j) for i in range(6) for j in range(2)]
    path = tmp_path / "districts.geojson"
    gpd.GeoDataFrame({"district": [f"District {i}" for i in range(12)]}, geometry=boxes, crs=4326).to_file(path)
    trained = train(dataset, make_model("idw"), "wealth")
    whole, part = (predict(dataset, trained, region, boundaries=path) for region in (None, "80.1,22.1,82.9,26.9"))
    assert (len(whole.districts), len(part.districts)) == (12, 6)
    columns = ["wealth", "wealth_lower", "wealth_upper", "wealth_direct", "wealth_predicted", "wealth_gamma"]
    framed = part.districts.set_index("district")[columns]
    assert framed["wealth_gamma"].between(0, 1, inclusive="neither").any()
    expected = whole.districts.set_index("district").loc[framed.index, columns]
    assert framed.to_numpy(float) == pytest.approx(expected.to_numpy(float), nan_ok=True)
