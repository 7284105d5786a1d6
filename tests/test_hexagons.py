"""Equal-area hexagons as districts."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geolive.errors import InputError
from geolive.hexagons import hexagon_region, parse_hexagons
from geolive.regions import assign_districts
from geolive.tables import points

SPHERE = "+proj=cea +lat_ts=5 +R=6371008.8"


@pytest.fixture(scope="module")
def places():
    rng = np.random.default_rng(0)
    return points(rng.uniform(30, 36, 200), rng.uniform(-5, 5, 200))


def test_hexagons_have_equal_areas_and_share_their_borders(places):
    districts = hexagon_region(places, 40.0).districts
    areas = districts.to_crs(SPHERE).area / 1e6
    np.testing.assert_allclose(areas, 40.0**2 * np.sqrt(3) / 2, rtol=1e-6)
    assert shapely.coverage_is_valid(districts.geometry.to_numpy())
    assert districts["district_id"].is_unique


def test_every_place_lies_in_one_hexagon_and_no_hexagon_is_empty_without_rings(places):
    districts = hexagon_region(places, 40.0, rings=0).districts
    assert set(assign_districts(places, districts)) == set(districts["district_id"])


def test_the_grid_does_not_depend_on_the_places(places):
    some = hexagon_region(places.iloc[:50], 40.0, rings=0).districts.set_index("district_id")
    whole = hexagon_region(places, 40.0, rings=0).districts.set_index("district_id")
    assert set(some.index) <= set(whole.index)
    assert some.geometry.geom_equals(whole.geometry.reindex(some.index)).all()


@pytest.mark.parametrize("text", ["hex:", "hex:50", "hex:0.2km", "hex:9000km", "hex:wide"])
def test_a_width_that_cannot_be_used_is_refused(text):
    with pytest.raises(InputError, match="for example hex:50km"):
        parse_hexagons(text)


def test_too_many_hexagons_are_refused(places):
    with pytest.raises(InputError, match="take wider ones"):
        hexagon_region(places, 1.0, rings=40)


def test_hexagons_across_the_antimeridian():
    region = hexagon_region(points([178.5, -179.5, 179.95], [-17.0, -17.5, -18.0]), 50.0)
    shapes = region.districts.geometry.to_numpy()
    assert np.abs(shapely.bounds(shapes)[:, [0, 2]]).max() == 180
    area = shapely.area(gpd.GeoSeries(shapes, crs=4326).to_crs("EPSG:6933").to_numpy())
    # 50 km wide: √3 / 2 · 50² km²
    assert area / 1e6 == pytest.approx(np.full(len(area), np.sqrt(3) / 2 * 2500), rel=5e-3)
    assert shapely.coverage_is_valid(shapes)
    assert shapely.intersects_xy(region.area, [179.99, -179.99], [-18.0, -18.0]).all()
