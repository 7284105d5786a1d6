import json
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from geolive.boundary_files import read_boundaries
from geolive.coverage import polygonal_parts
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


DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", ["spike.geojson", "spike_tiny.geojson"])
def test_a_spike_is_no_part_of_a_district(name):
    region = find_region(boundaries=DATA / name)
    assert set(region.districts.geom_type) == {"MultiPolygon"}
    assert shapely.area(region.districts.geometry.to_numpy()).tolist() == pytest.approx([1, 1], rel=1e-3)
    assert region.notes == ("borders that cross themselves, or have a spike, were repaired: A",)


BOW_TIE = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
ZERO_WIDTH = shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.Polygon([(2, 0), (3, 0), (2, 0)])])
WITH_LABEL = shapely.GeometryCollection([shapely.box(0, 0, 1, 1), shapely.Point(0.5, 0.5)])
WITH_SPIKED = shapely.GeometryCollection(
    [shapely.GeometryCollection([shapely.box(0, 0, 1, 1)]), shapely.LineString([(0, 0), (5, 5)])]
)


@pytest.mark.parametrize(
    ("shape", "area"),
    [(BOW_TIE, 0.5), (ZERO_WIDTH, 1), (WITH_LABEL, 1), (WITH_SPIKED, 1)],
    ids=["bow-tie", "width", "label", "nested"],
)
def test_what_has_an_area_is_kept(tmp_path, shape, area):
    path = tmp_path / "units.geojson"
    gpd.GeoDataFrame({"name": ["A", "B"]}, geometry=[shape, shapely.box(1, 0, 2, 1)], crs=4326).to_file(path)
    districts = find_region(boundaries=path).districts
    assert shapely.area(districts.geometry.to_numpy()).tolist() == pytest.approx([area, 1], rel=1e-3)


def test_a_unit_without_area_is_named_and_left_out_on_request(tmp_path):
    path = tmp_path / "units.geojson"
    flat = shapely.Polygon([(0, 0), (1, 0), (0.5, 0)])
    shapes = [shapely.box(1, 0, 2, 1), flat, None, shapely.Point(1, 1)]
    gpd.GeoDataFrame({"name": ["A", "Flat", "Empty", "Town"]}, geometry=shapes, crs=4326).to_file(path)
    with pytest.raises(
        InputError, match=r"row 1 \(Flat\): not a polygon: a Polygon has no area; .*drop_invalid=True \(3 of 4\)"
    ):
        read_boundaries(path)
    file = read_boundaries(path, drop_invalid=True)
    assert file.districts["district"].tolist() == ["A"]
    assert file.notes == ("3 of 4 units are not polygons with an area and were left out: Flat, Empty, Town",)


def test_districts_on_both_sides_of_the_antimeridian():
    for name in ("antimeridian.geojson", "antimeridian_over.geojson"):
        region = find_region(boundaries=DATA / name)
        districts = region.districts.set_index("district")
        area = districts.to_crs("EPSG:6933").area / 1e6
        # on the sphere: R² · (sin φ1 − sin φ2) · Δλ
        assert area["Cakaudrove"] == pytest.approx(10386, rel=2e-3)
        assert districts.is_valid.all()
        assert shapely.coverage_is_valid(districts.geometry.to_numpy())
        assert shapely.intersects_xy(region.area, [179.9, -179.9, 0, 179.25], [-16.5, -16.5, -16.5, -16.5]).tolist() == [
            True, True, False, False,
        ]  # fmt: skip
        both = find_region("179.5,-18,-179.2,-16", DATA / name)
        assert sorted(both.districts["district"]) == ["Cakaudrove", "Lau"]
    with pytest.raises(InputError, match="west > east across the antimeridian, as in 177,-19,-178,-16"):
        find_region("10,-18,-10,-16", DATA / name)


def test_neighbours_across_the_antimeridian_share_their_border(tmp_path):
    # gaps and overlaps of a few metres on both sides, which are closed there, too
    columns = {"name": ["South", "North"]}
    south = shapely.MultiPolygon([shapely.box(179, 0, 180, 1.0001), shapely.box(-180, 0, -179, 1.00005)])
    north = shapely.Polygon([(179, 1), (-179, 1), (-179, 2), (179, 2)])
    path = tmp_path / "neighbours.geojson"
    gpd.GeoDataFrame(columns, geometry=[south, north], crs=4326).to_file(path)
    shapes = find_region(boundaries=path).districts.geometry.to_numpy()
    assert shapely.coverage_is_valid(shapes)
    assert shapely.bounds(shapes)[:, [0, 2]].tolist() == [[-180, 180]] * 2
    assert shapely.area(shapely.intersection(shapes[0], shapes[1])) == 0
    assert shapely.union_all(shapes).area == pytest.approx(4, rel=1e-4)


def test_metres_without_a_reference_system():
    path = DATA / "projected_without_crs.geojson"
    with pytest.raises(
        InputError, match=r"reaches from 9462156.717, .* which are not degrees; .*crs='EPSG:32645'"
    ) as wrong:
        read_boundaries(path)
    assert wrong.value.parameter == "crs"
    found = read_boundaries(path, crs="EPSG:3857").districts
    assert found.total_bounds.tolist() == pytest.approx([85, 25, 87, 26], abs=0.1)
    with pytest.raises(InputError, match="no coordinates of EPSG:4326"):
        read_boundaries(path, crs="EPSG:4326")
    with pytest.raises(InputError, match="crs='EPSG:0': is not known"):
        read_boundaries(path, crs="EPSG:0")


def test_a_shapefile_without_prj_needs_a_reference_system(tmp_path):
    path = units(tmp_path / "units.shp", name=["A", "B"])
    path.with_suffix(".prj").unlink()
    with pytest.raises(InputError, match=r"names no coordinate reference system; .* or crs='EPSG:4326' for degrees"):
        read_boundaries(path)
    assert read_boundaries(path, crs="EPSG:4326").districts.total_bounds.tolist() == [10, 50, 12, 51]


def encoded(folder, names, encoding, cpg=None):
    """A shapefile in an encoding, with what its .cpg states, if it has one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "communes.shp"
    squares = [shapely.box(i, 0, i + 1, 1) for i in range(len(names))]
    gpd.GeoDataFrame({"name": names}, geometry=squares, crs=4326).to_file(path, encoding=encoding)
    path.with_suffix(".cpg").unlink()
    if cpg:
        path.with_suffix(".cpg").write_text(cpg)
    return path


def test_the_encoding_of_names_is_detected_and_told(tmp_path):
    region = find_region(boundaries=DATA / "b_ISO-8859-1.shp")
    assert {"Ouémé", "Kédougou", "Thiès"} <= set(region.districts["district"])
    assert set(region.districts["state"]) == {"Région é"}
    assert region.notes == (
        "b_ISO-8859-1.shp does not state the encoding of its texts: read as CP1252; choose another with encoding='NAME'",
    )
    utf8 = read_boundaries(encoded(tmp_path / "utf8", ["Ouémé", "云南省"], "UTF-8"))
    assert (utf8.districts["district"].tolist(), utf8.notes) == (["Ouémé", "云南省"], ())
    ascii_only = read_boundaries(encoded(tmp_path / "ascii", ["A", "B"], "ISO-8859-1"))
    assert ascii_only.notes == ()


def test_the_encoding_of_names_is_chosen(tmp_path):
    russian = encoded(tmp_path / "russian", ["Москва", "Тула"], "CP1251")
    assert read_boundaries(russian, encoding="CP1251").districts["district"].tolist() == ["Москва", "Тула"]
    packed = tmp_path / "russian.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for part in russian.parent.iterdir():
            archive.write(part, part.name)
    assert read_boundaries(packed, encoding="CP1251").districts["district"].tolist() == ["Москва", "Тула"]
    assert "read as CP1252" in read_boundaries(packed).notes[0]
    wrong = encoded(tmp_path / "wrong", ["Ouémé", "Zou"], "ISO-8859-1", cpg="UTF-8")
    with pytest.raises(
        InputError, match=r"communes.shp: its texts are not encoded in utf-8, .*; give encoding='CP1252'"
    ):
        read_boundaries(wrong)
    assert read_boundaries(wrong, encoding="CP1252").districts["district"].tolist() == ["Ouémé", "Zou"]
    with pytest.raises(InputError, match="encoding='latin-99': is not known"):
        read_boundaries(wrong, encoding="latin-99")


def test_a_geojson_in_another_encoding(tmp_path):
    path = units(tmp_path / "communes.geojson", name=["Ouémé", "Zou"])
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    file = read_boundaries(path)
    assert file.districts["district"].tolist() == ["Ouémé", "Zou"]
    assert "read as CP1252" in file.notes[0]
    with pytest.raises(InputError, match="its texts are not encoded in ascii"):
        read_boundaries(path, encoding="ascii")


def test_of_levels_as_layers_the_finest_is_read_and_told(tmp_path):
    path = units(tmp_path / "gadm41_XYZ.gpkg", "ADM_ADM_0", COUNTRY=["XYZ"])
    units(path, "ADM_ADM_1", NAME_1=["South", "North"])
    units(path, "ADM_ADM_2", NAME_1=["South", "South", "North"], NAME_2=["A", "B", "C"])
    file = read_boundaries(path)
    assert file.districts["district"].tolist() == ["A", "B", "C"]
    [note] = file.notes
    assert note == (
        "gadm41_XYZ.gpkg has the layers ADM_ADM_0 (1 units), ADM_ADM_1 (2 units), ADM_ADM_2 (3 units): 'ADM_ADM_2' is read, the "
        "finest; choose another with layer='NAME'"
    )
    states = read_boundaries(path, layer="ADM_ADM_1")
    assert (states.districts["district"].tolist(), states.notes) == (["South", "North"], ())
    with pytest.raises(InputError, match=r"layer='districts' is not a layer of .*; its layers are: ADM_ADM_0, ADM"):
        read_boundaries(path, layer="districts")


def test_tables_of_programs_are_no_layers(tmp_path):
    path = units(tmp_path / "districts.gpkg", "districts", name=["A", "B"])
    styles = pd.DataFrame({"styleName": ["a", "b", "c"], "styleQML": ["<qgis/>"] * 3})
    pyogrio.write_dataframe(styles, path, layer="layer_styles", append=True)
    file = read_boundaries(path)
    assert (file.districts["district"].tolist(), file.notes) == (["A", "B"], ())


KML = """<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Folder><name>Labels</name>{labels}</Folder><Folder><name>Districts</name>{districts}</Folder></Document></kml>"""


def test_of_the_folders_of_a_kml_file_one_holds_polygons(tmp_path):
    place = "<Placemark><name>{}</name><Point><coordinates>{},0.5</coordinates></Point></Placemark>"
    ring = "<outerBoundaryIs><LinearRing><coordinates>{0},0 {1},0 {1},1 {0},1 {0},0</coordinates></LinearRing></outerBoundaryIs>"
    labels = "".join(place.format(name, i) for i, name in enumerate("abcdef"))
    districts = "".join(
        f"<Placemark><name>{name}</name><Polygon>{ring.format(i, i + 1)}</Polygon></Placemark>"
        for i, name in enumerate(["A", "B"])
    )
    path = tmp_path / "map.kml"
    path.write_text(KML.format(labels=labels, districts=districts))
    file = read_boundaries(path)
    assert file.districts["district"].tolist() == ["A", "B"]
    assert "layer 'Districts', names from column 'Name'" in file.source


def test_topojson_and_parquet(tmp_path):
    topology = {
        "type": "Topology",
        "arcs": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]],
        "objects": {"zones": {"type": "GeometryCollection", "geometries": [
            {"type": "Polygon", "arcs": [[0]], "properties": {"name": "A"}}]}},
    }  # fmt: skip
    path = tmp_path / "zones.topojson"
    path.write_text(json.dumps(topology))
    assert read_boundaries(path).districts["district"].tolist() == ["A"]
    squares = gpd.GeoDataFrame({"name": ["A"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=4326)
    squares.to_parquet(tmp_path / "zones.geoparquet")
    assert read_boundaries(tmp_path / "zones.geoparquet").districts["district"].tolist() == ["A"]


def test_a_blank_name_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"column 'name', row 1: no name; fill it in"):
        read_boundaries(units(tmp_path / "units.geojson", name=["A", "  ", "C"]))


def city(tmp_path, gap_m):
    """A hundred square units of 1 km, and a lane of some width around the hundredth."""
    step = 1000 + np.zeros(11)
    edges = np.concatenate([[0], np.cumsum(step[:10])])
    lane = gap_m / 2
    boxes, names = [], []
    for i in range(10):
        for j in range(10):
            inset = lane if (i, j) == (5, 5) else 0
            boxes.append(shapely.box(edges[i] + inset, edges[j] + inset, edges[i + 1] - inset, edges[j + 1] - inset))
            names.append(f"Ward {i}-{j}")
    boxes = gpd.GeoDataFrame({"name": names}, geometry=boxes, crs="EPSG:32645")
    boxes["geometry"] = boxes.translate(xoff=500_000, yoff=2_800_000)
    path = tmp_path / "city.gpkg"
    boxes.to_file(path)
    return path


def test_gaps_follow_the_size_of_units(tmp_path):
    wide = find_region(boundaries=city(tmp_path, 300))
    # a lane of 150 m around a ward of 1 km is no fault of the drawing
    assert sum(len(part.interiors) for part in shapely.get_parts(wide.area)) == 1
    assert wide.notes == ()
    (tmp_path / "city.gpkg").unlink()
    narrow = find_region(boundaries=city(tmp_path, 40))
    assert sum(len(part.interiors) for part in shapely.get_parts(narrow.area)) == 0
    [note] = narrow.notes
    assert note.startswith(
        "gaps up to 50 m wide and overlaps were closed, which changed 1 district by more than 1 %: Ward 5-5 +"
    )


def test_units_that_overlap_are_told(tmp_path):
    path = tmp_path / "overlap.geojson"
    shapes = [shapely.box(0, 0, 1, 1), shapely.box(0.7, 0, 2, 1)]
    gpd.GeoDataFrame({"name": ["A", "B"]}, geometry=shapes, crs=4326).to_file(path)
    [note] = find_region(boundaries=path).notes
    assert "overlaps were closed, which changed" in note
    assert "A -30.0 %" in note or "B -23.1 %" in note


def test_a_state_that_is_drawn_a_little_otherwise_still_holds_its_districts(tmp_path):
    path = tmp_path / "levels.geojson"
    shapes = [shapely.box(0.001, 0.001, 1.999, 0.999), shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    gpd.GeoDataFrame({"name": ["State", "A", "B"]}, geometry=shapes, crs=4326).to_file(path)
    with pytest.raises(InputError, match="'State' holds 'A', 'State' holds 'B'"):
        read_boundaries(path)


@pytest.mark.parametrize(
    ("states", "asked", "found"),
    [
        (["बिहार", "बहार"], "बिहार", "बिहार"),
        (["Ｔｏｋｙｏ", "Osaka"], "tokyo", "Ｔｏｋｙｏ"),
        (["İzmir", "Isparta"], "izmir", "İzmir"),
        (["مِصر", "ليبيا"], "مصر", "مِصر"),
        (["Łódzkie", "Śląskie"], "lodzkie", "Łódzkie"),
        (["Mizoram", "mizoram "], "MIZORAM", "Mizoram"),
    ],
)
def test_names_of_any_script(tmp_path, states, asked, found):
    path = units(tmp_path / "units.geojson", NAME_1=states, NAME_2=["A", "B"])
    if found.strip() == "Mizoram":
        with pytest.raises(InputError, match="names Mizoram and mizoram; write one of them exactly"):
            find_region(asked, path)
    else:
        assert find_region(asked, path).name == found


def test_a_name_without_letters_matches_nothing_else(tmp_path):
    path = units(tmp_path / "units.geojson", NAME_1=["—", "B"], NAME_2=["x", "y"])
    for asked in ("", "?", "…"):
        with pytest.raises(InputError, match="no state of that name"):
            find_region(asked, path)
    assert find_region("—", path).districts["district"].tolist() == ["x"]


def test_a_name_comes_before_a_file_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bihar").write_text("notes")
    assert len(find_region("bihar").districts) == 38
    with pytest.raises(InputError, match="bihar: a nameless file is not accepted"):
        find_region("./bihar")


def test_the_whole_world_is_cleaned(tmp_path):
    # Antarctica lies round the pole, and Russia on both sides of 180°
    antarctica = shapely.Polygon([(-180, -80), (-60, -70), (60, -70), (180, -80), (180, -90), (-180, -90)])
    russia = shapely.MultiPolygon([shapely.box(30, 50, 180, 75), shapely.box(-180, 64, -170, 70)])
    shapes = [
        antarctica,
        russia,
        shapely.box(-120, 20, -70, 60),
        shapely.box(-10, 40, 30, 60),
        shapely.box(115, -38, 150, -12),
    ]
    path = tmp_path / "world.gpkg"
    gpd.GeoDataFrame({"name": list("ABCDE")}, geometry=shapes, crs=4326).to_file(path)
    region = find_region(boundaries=path)
    assert shapely.area(region.districts.geometry.to_numpy()) == pytest.approx(
        [shape.area for shape in shapes], rel=1e-2
    )
    assert region.districts.is_valid.all()


def test_a_file_without_columns_is_refused(tmp_path):
    path = tmp_path / "bare.gpkg"
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=4326).to_file(path)
    with pytest.raises(InputError, match="has no columns, so its units have no names"):
        read_boundaries(path)


def test_objects_and_lists_among_the_properties_are_no_names(tmp_path):
    """As files of OpenStreetMap have them: {"name": "A", "tags": {"admin_level": "5"}}."""
    squares = [shapely.box(85 + i, 25, 86 + i, 26) for i in range(2)]
    properties = [{"name": name, "tags": {"admin_level": "5"}, "sources": ["a", "b"]} for name in "AB"]
    features = [
        {"type": "Feature", "properties": own, "geometry": shapely.geometry.mapping(square)}
        for own, square in zip(properties, squares, strict=True)
    ]
    path = tmp_path / "districts.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    assert read_boundaries(path).districts["district"].tolist() == ["A", "B"]
    # a damaged file, whose second unit has its properties under another key
    features[1]["foreign"] = features[1].pop("properties")
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    with pytest.raises(InputError, match=r"column 'name', row 1: no name; fill it in"):
        read_boundaries(path)
    nested = gpd.GeoDataFrame({"name": ["A", "B"], "sources": [["a"], ["b", "c"]]}, geometry=squares, crs=4326)
    nested.to_parquet(tmp_path / "districts.parquet")
    assert read_boundaries(tmp_path / "districts.parquet").districts["district"].tolist() == ["A", "B"]


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_coordinate_that_is_no_number_is_named_and_left_out_on_request(tmp_path):
    squares = [shapely.box(10, 50, 11, 51), shapely.Polygon([(12, 50), (np.nan, 50), (13, 51), (12, 50)])]
    gpd.GeoDataFrame({"name": ["A", "B"]}, geometry=squares, crs=4326).to_parquet(tmp_path / "units.parquet")
    with pytest.raises(
        InputError, match=r"row 1 \(B\): not a polygon: a coordinate is not a number; correct it, or leave such"
    ):
        read_boundaries(tmp_path / "units.parquet")
    found = read_boundaries(tmp_path / "units.parquet", drop_invalid=True)
    assert found.districts["district"].tolist() == ["A"]


def test_a_border_that_crosses_itself_very_often_is_repaired():
    # one method of repair takes minutes for it
    rng, angle = np.random.default_rng(0), np.linspace(0, 2 * np.pi, 4001)
    at = np.c_[np.cos(angle) * (1 + 0.2 * rng.random(4001)), np.sin(angle) * (1 + 0.2 * rng.random(4001))]
    [repaired] = polygonal_parts(np.array([shapely.Polygon(at)]))
    assert repaired.is_valid
    # between the circles of radius 1 and 1.2
    assert np.pi < repaired.area < np.pi * 1.2**2


def test_a_feature_a_line_is_read_as_a_collection_is(tmp_path):
    columns = {"name": ["Ouémé", "Zou", "Mono"]}
    expected = read_boundaries(units(tmp_path / "units.geojson", **columns)).districts
    features = json.loads((tmp_path / "units.geojson").read_text(encoding="utf-8"))["features"]
    lines = "\n".join(json.dumps(feature, ensure_ascii=False) for feature in features)
    for encoding in ("utf-8", "cp1252"):
        (tmp_path / "lines.geojson").write_text(lines, encoding=encoding)
        found = read_boundaries(tmp_path / "lines.geojson").districts
        assert found["district"].tolist() == columns["name"]
        assert found.geometry.geom_equals_exact(expected.geometry, 1e-9).all()


def test_what_a_file_lacks_is_named(tmp_path):
    path = units(tmp_path / "units.shp", name=["A", "B"])
    path.with_suffix(".shx").unlink()
    with pytest.raises(InputError, match=r"units.shp: its .shx file is missing; copy all its files"):
        read_boundaries(path)
    empty = '<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document></Document></kml>'
    (tmp_path / "empty.kml").write_text(empty)
    with pytest.raises(InputError, match="it holds no layer"):
        read_boundaries(tmp_path / "empty.kml")


def test_a_scribble_is_named_or_left_out(tmp_path):
    corners = np.random.default_rng(0).uniform(0, 1, (600, 2))
    districts = gpd.GeoDataFrame(
        {"name": ["Scribble", "Square"]}, geometry=[shapely.Polygon(corners), shapely.box(2, 0, 3, 1)], crs="EPSG:4326"
    )
    districts.to_file(tmp_path / "districts.geojson")
    with pytest.raises(
        InputError, match=r"row 0 \(Scribble\): not a polygon: its border crosses itself about [34]\d,\d+ times"
    ):
        read_boundaries(tmp_path / "districts.geojson")
    file = read_boundaries(tmp_path / "districts.geojson", drop_invalid=True)
    assert file.districts["district"].tolist() == ["Square"]
    assert file.notes == ("1 of 2 units are not polygons with an area and were left out: Scribble",)
