import geopandas as gpd
import pytest
import shapely

from geolive.boundary_files import read_boundaries
from geolive.errors import InputError
from geolive.regions import find_region


def units(path, layer=None, **columns):
    """A file of unit squares side by side, with these columns."""
    n = len(next(iter(columns.values())))
    squares = [shapely.box(10 + i, 50, 11 + i, 51) for i in range(n)]
    gpd.GeoDataFrame(columns, geometry=squares, crs=4326).to_file(path, **({"layer": layer} if layer else {}))
    return path


BLOCKS = {
    "st_nm": ["Bihar"] * 4,
    "district": ["Patna", "Patna", "Gaya", "Gaya"],
    "block": ["Maner", "Danapur", "Bodh Gaya", "Tekari"],
}


@pytest.mark.parametrize("order", [["st_nm", "district", "block"], ["block", "district", "st_nm"]])
def test_units_are_named_by_the_most_specific_column(tmp_path, order):
    path = units(tmp_path / "blocks.geojson", **{name: BLOCKS[name] for name in order})
    found = read_boundaries(path)
    assert found.districts["district"].tolist() == BLOCKS["block"]
    assert found.districts["district_id"].tolist() == BLOCKS["block"]
    assert set(found.districts["state"]) == {"Bihar"}
    assert found.source == "districts as in blocks.geojson, names from column 'block'"
    assert find_region("bihar", path).source == f"{found.source}; cleaned by geolive"


@pytest.mark.parametrize(
    ("columns", "name", "ids"),
    [
        ({"NAME_1": list("SSN"), "NAME_2": list("AAB"), "NAME_3": list("xyz")}, "NAME_3", None),
        ({"GID_3": ["a.1", "a.2", "b.1"], "GID_2": list("aab"), "NAME_2": list("AAB"), "NAME_3": list("xyz")}, "NAME_3", "GID_3"),
        ({"ADM1_FR": list("SSN"), "ADM2_FR": list("xyz"), "ADM2_PCODE": list("123")}, "ADM2_FR", "ADM2_PCODE"),
        ({"STATE": ["TN", "TN", "MS"], "NAME": list("xyz")}, "NAME", None),
        ({"shapeName": list("xyz"), "shapeID": list("123"), "shapeGroup": ["BEN"] * 3}, "shapeName", "shapeID"),
        ({"name": list("xyz"), "population": [1, 2, 3]}, "name", None),
        ({"zone_label": ["North", "South", "East"], "district": ["Patna"] * 3}, "zone_label", None),
        ({"district": ["Patna"] * 3, "code": ["IN.1", "IN.2", "IN.3"]}, "district", "code"),
    ],
)  # fmt: skip
def test_columns_of_names_and_ids(tmp_path, columns, name, ids):
    found = read_boundaries(units(tmp_path / "units.gpkg", **columns))
    assert found.source.endswith(f"names from column {name!r}")
    assert found.districts["district"].tolist() == columns[name]
    expected = columns[ids or name]
    assert found.districts["district_id"].tolist() == expected


def test_two_districts_of_one_name_stay_districts(tmp_path):
    names = [f"District {chr(65 + i)}" for i in range(19)] + ["District A"]
    columns = {"district": names, "state": ["S"] * 19 + ["T"], "seat": [f"Town {chr(65 + i)}" for i in range(20)]}
    found = read_boundaries(units(tmp_path / "districts.geojson", **columns))
    assert found.districts["district"].tolist() == names
    assert found.districts["district_id"].tolist() == [f"{s}/{n}" for s, n in zip(columns["state"], names, strict=True)]


def test_the_user_names_the_columns(tmp_path):
    path = units(tmp_path / "blocks.geojson", **BLOCKS, lgd=["1", "2", "3", "4"], twice=["1", "1", "2", "3"])
    found = find_region(None, path, name_column="district", id_column="lgd")
    assert found.districts["district"].tolist() == BLOCKS["district"]
    assert found.districts["district_id"].tolist() == ["1", "2", "3", "4"]
    assert "column 'district'" in found.source
    with pytest.raises(
        InputError, match=r"name_column='blok' is not a column of .*; its columns are: st_nm, "
    ) as wrong:
        find_region(None, path, name_column="blok")
    assert wrong.value.parameter == "name_column"
    with pytest.raises(InputError, match=r"id_column='twice' of .*: '1' in row 1 occurs twice"):
        find_region(None, path, id_column="twice")
    with pytest.raises(InputError, match="name it with boundaries="):
        find_region("bihar", name_column="district")


def test_of_several_layers_the_finest_is_read(tmp_path):
    path = units(tmp_path / "atlas.gpkg", "regions", name=["South", "North"])
    units(path, "districts", name=["A", "B", "C", "D"])
    found = read_boundaries(path)
    assert found.districts["district"].tolist() == ["A", "B", "C", "D"]
    assert found.source == "districts as in atlas.gpkg, layer 'districts', names from column 'name'"


def test_states_by_the_files_own_names(request):
    data = request.path.parent / "data"
    # TN is Tennessee here, although geolive knows it as Tamil Nadu in India
    assert find_region("TN", data / "state_codes.geojson").districts["district"].tolist() == ["Shelby", "Fayette"]
    assert find_region("云南省", data / "names_chinese.geojson").districts["district"].tolist() == ["大理", "楚雄"]
    diacritics = data / "names_diacritics.geojson"
    assert find_region("dak lak", diacritics).name == "Đắk Lắk"
    assert find_region("ILE DE FRANCE", diacritics).name == "Île-de-France"
    for unknown in ("四", "", "Bretagne"):
        with pytest.raises(InputError, match="no state of that name; nearest: "):
            find_region(unknown or " ", diacritics)


def test_a_unit_that_holds_others_is_refused(request):
    with pytest.raises(
        InputError, match="'Whole country' holds 'A', 'Whole country' holds 'B'; remove units that hold"
    ):
        find_region(None, request.path.parent / "data" / "nested_units.geojson")


def test_without_a_column_of_names_the_remedy_works(tmp_path):
    path = units(tmp_path / "units.geojson", what=[1, 2, 3])
    with pytest.raises(InputError, match=r"choose one of \[what\] with name_column='what'"):
        find_region(None, path)
    assert find_region(None, path, name_column="what").districts["district"].tolist() == ["1", "2", "3"]


def test_a_spike_is_no_part_of_a_district(tmp_path):
    spiked = shapely.Polygon([(0, 0), (1, 0), (1, 1), (0.5, 1), (0.5, 2), (0.5, 1), (0, 1)])
    path = tmp_path / "spiked.geojson"
    gpd.GeoDataFrame({"name": ["A", "B"]}, geometry=[spiked, shapely.box(1, 0, 2, 1)], crs=4326).to_file(path)
    districts = find_region(boundaries=path).districts
    assert set(districts.geom_type) == {"MultiPolygon"}
    assert shapely.area(districts.geometry.to_numpy()).tolist() == pytest.approx([1, 1], rel=1e-3)


def test_metres_without_a_reference_system_are_refused(tmp_path):
    path = tmp_path / "metres.geojson"
    box = shapely.box(9_475_000, 2_950_000, 9_480_000, 2_955_000)
    gpd.GeoDataFrame({"name": ["A"]}, geometry=[box], crs=4326).to_file(path)
    with pytest.raises(InputError, match=r"reaches from 9475000, .* no degrees; give its coordinate reference"):
        read_boundaries(path)
