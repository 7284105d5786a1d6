import json

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive import regions
from geolive.coverage import Coverage
from geolive.errors import InputError
from geolive.geodesy import metric_crs
from geolive.official_statistics import bihar_statistics
from geolive.regions import assign_districts, find_region
from geolive.tables import points


@pytest.fixture(scope="module")
def bihar():
    return find_region("bihar")


def test_the_area_is_the_union_of_the_districts(bihar):
    union = shapely.union_all(bihar.districts.geometry.values)
    assert shapely.normalize(bihar.area) == shapely.normalize(union)


def test_bihar_is_a_clean_coverage_of_its_38_districts(bihar):
    districts = bihar.districts
    assert set(districts["district_id"]) == set(bihar_statistics().index)
    assert shapely.coverage_is_valid(districts.geometry.values)
    assert districts.is_valid.all()
    assert set(districts.geom_type) == {"MultiPolygon"}
    assert sum(len(part.interiors) for part in shapely.get_parts(bihar.area)) == 0
    assert "Kaimur (Bhabua)" in set(districts["district"])


def test_areas_are_near_the_censuss(bihar):
    # 94,163 km²: Census of India 2011
    area = bihar.districts.to_crs(metric_crs(bihar.districts.total_bounds)).area.sum() / 1e6
    assert abs(area / 94163 - 1) < 0.02


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("BIHAR", "Bihar"),
        ("uttar pradesh", "Uttar Pradesh"),
        ("UttarPradesh", "Uttar Pradesh"),
        ("orissa", "Odisha"),
        ("Jammu & Kashmir", "Jammu and Kashmir"),
        ("pondicherry", "Puducherry"),
        ("tamilnadu", "Tamil Nadu"),
    ],
)
def test_states_in_common_spellings(said, meant):
    found = find_region(said)
    assert found.name == meant
    assert set(found.districts["state"]) == {meant}


@pytest.mark.parametrize("said", ["india", "INDIA"])
def test_india_is_all_its_states(said, monkeypatch):
    # cleaning 780 districts takes ten seconds, and its result is tested with Bihar's
    monkeypatch.setattr(regions, "clean_or_kept_coverage", lambda shapes: Coverage(shapes, 0.0, np.zeros(len(shapes))))
    india = find_region(said)
    assert (india.name, len(india.districts), len(india.states)) == ("India", 780, 36)
    assert india.districts["district_id"].is_unique
    # from Lakshadweep to Arunachal Pradesh, and from Great Nicobar to Ladakh
    assert np.allclose(india.area.bounds, (68.2, 6.75, 97.4, 37.1), atol=0.1)


@pytest.mark.slow
def test_india_is_a_clean_coverage():
    india = find_region("india")
    assert shapely.coverage_is_valid(india.districts.geometry.values)
    assert india.districts.is_valid.all()
    # 3,287,263 km²: Census of India 2011
    area = india.districts.to_crs(metric_crs(india.districts.total_bounds)).area.sum() / 1e6
    assert abs(area / 3_287_263 - 1) < 0.02


@pytest.mark.parametrize("text", ["biharr", "bihra", "Behar"])
def test_a_name_that_does_not_exist_gets_the_nearest(text):
    with pytest.raises(InputError, match="nearest: Bihar"):
        find_region(text)


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=30))
def test_any_name_gives_a_region_or_an_error(text):
    try:
        assert len(find_region(text).districts) > 0
    except InputError as error:
        assert "\n" not in str(error).replace(text, "")


@pytest.mark.parametrize("box", ["86,25,85,26", "85,26,86,25", "-181,0,5,5", "85,25,86,91", "nan,1,2,3"])
def test_impossible_boxes(box):
    with pytest.raises(InputError, match="bounding box"):
        find_region(box)


def test_a_box_takes_whole_districts_it_overlaps(bihar):
    found = find_region("85.0,25.5,85.2,25.7")
    assert "Patna" in set(found.districts["district"])
    ours = found.districts.set_index("district").loc["Patna", "geometry"]
    theirs = bihar.districts.set_index("district").loc["Patna", "geometry"]
    assert abs(ours.area / theirs.area - 1) < 0.01
    with pytest.raises(InputError, match="boundaries='FILE'"):
        find_region("10,50,11,51")


def test_a_polygon_file_takes_the_districts_it_overlaps(tmp_path, bihar):
    path = tmp_path / "patna.geojson"
    bihar.districts[bihar.districts["district"] == "Patna"].to_file(path)
    found = find_region(str(path))
    assert found.districts["district"].tolist() == ["Patna"]
    assert found.name == "patna"


def squares(tmp_path, **columns):
    boxes = [shapely.box(36 + i, -1, 37 + i, 0) for i in range(3)]
    path = tmp_path / "kenya.geojson"
    gpd.GeoDataFrame(columns, geometry=boxes, crs=4326).to_file(path)
    return path


def test_other_boundaries(tmp_path):
    path = squares(tmp_path, shapeName=["A", "B", "B"], NAME_1=["West", "East", "East"])
    whole = find_region(None, path)
    assert whole.districts["district"].tolist() == ["A", "B", "B"]
    assert whole.districts["district_id"].is_unique
    assert find_region("east", path).districts["district"].tolist() == ["B", "B"]
    assert find_region("36.2,-0.8,36.4,-0.2", path).districts["district"].tolist() == ["A"]
    with pytest.raises(InputError, match="nearest: West"):
        find_region("wset", path)


def test_states_of_india_cut_boundaries_that_have_no_states(tmp_path, bihar):
    path = tmp_path / "mine.geojson"
    bihar.districts[["district", "geometry"]].iloc[:5].to_file(path)
    assert len(find_region("bihar", path).districts) == 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "does not begin as"),
        (b"not a map", "does not begin as"),
        (json.dumps({"type": "FeatureCollection", "features": []}).encode(), "holds no polygon"),
    ],
)
def test_unreadable_boundaries(tmp_path, content, said):
    path = tmp_path / "bad.geojson"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        find_region(None, path)


def test_boundaries_must_have_names_and_polygons(tmp_path):
    with pytest.raises(InputError, match="name_column='what'"):
        find_region(None, squares(tmp_path, what=[1, 2, 3]))
    path = tmp_path / "points.geojson"
    gpd.GeoDataFrame({"district": ["A"]}, geometry=points([36.0], [-1.0])).to_file(path)
    with pytest.raises(InputError, match=r"row 0 \(A\): not a polygon: a Point has no area"):
        find_region(None, path)
    with pytest.raises(InputError, match="no such file"):
        find_region(None, tmp_path / "none.geojson")
    with pytest.raises(InputError, match="region='bihar'"):
        find_region(None)


def test_a_file_that_points_elsewhere_is_refused(tmp_path):
    path = tmp_path / "trick.vrt"
    path.write_text("<OGRVRTDataSource/>")
    with pytest.raises(InputError, match="vrt"):
        find_region(None, path)


def test_points_find_their_district(bihar):
    inside = shapely.point_on_surface(bihar.districts.geometry.values)
    found = assign_districts(gpd.GeoSeries(inside, crs=4326), bihar.districts)
    assert found.tolist() == bihar.districts["district_id"].tolist()
    assert assign_districts(points([0.0], [0.0]), bihar.districts).tolist() == [None]


def test_no_named_district_of_india_is_lost():
    states = ["Assam", "Jammu and Kashmir", "Delhi"]
    numbers = [len(find_region(state).districts) for state in states]
    assert numbers == [35, 22, 12]
    names = find_region("assam").districts["district"]
    assert not names.str.contains("x000D", case=False).any()
    assert np.all(names.str.strip() == names)


def test_a_fetched_file_names_its_source_and_licence(tmp_path):
    path = squares(tmp_path, shapeName=["A", "B", "C"])
    document = json.loads(path.read_text())
    assert (
        find_region(None, path).source
        == "districts as in kenya.geojson, names from column 'shapeName'; cleaned by geolive"
    )
    document |= {"geoBoundaries": {}, "description": "Districts of Kenya: somebody's survey. Licence: CC BY 4.0."}
    path.write_text(json.dumps(document))
    assert find_region(None, path).source.startswith("Districts of Kenya: somebody's survey. Licence: CC BY 4.0, names")
