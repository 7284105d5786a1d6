import geopandas as gpd
import pytest
import shapely

from geolive.errors import InputError
from geolive.mapping.map_region import map_region
from geolive.sources.survey.reader import read_survey


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """Places of Kenya, of which India's districts know nothing."""
    path = tmp_path_factory.mktemp("survey") / "kenya.csv"
    path.write_text("lon,lat,wealth\n36.8,-1.3,1\n36.9,-1.2,2\n38.9,0.5,3\n")
    return read_survey(path, lon="lon", lat="lat", values={"wealth": "wealth"})


def test_hexagons_in_a_box_of_any_country(far):
    whole = map_region(far, None, "hex:80km")
    part = map_region(far, "36,-2,37.5,0", "hex:80km")
    assert part.name == "longitudes 36° to 37.5°, latitudes −2° to 0°"
    box = shapely.box(36, -2, 37.5, 0)
    expected = whole.districts[whole.districts.intersects(box)]
    assert part.districts["district_id"].tolist() == expected["district_id"].tolist()
    assert 0 < len(part.districts) < len(whole.districts)


def test_hexagons_in_a_polygon_file_of_any_country(far, tmp_path):
    area = gpd.GeoSeries([shapely.box(36.5, -1.5, 37, -1)], crs="EPSG:4326")
    area.to_file(tmp_path / "nairobi.geojson")
    part = map_region(far, tmp_path / "nairobi.geojson", "hex:80km")
    assert part.name == "nairobi"
    assert part.districts.intersects(area.iloc[0]).all()


def test_hexagons_where_the_dataset_has_no_place(far):
    with pytest.raises(InputError, match="the dataset has no place there"):
        map_region(far, "84,25,85,26", "hex:80km")
