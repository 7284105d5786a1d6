"""The same survey in every format gives the same dataset; years, flags, weights and countries; files that cannot be used."""

import tracemalloc
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.sources.survey.reader import read_survey
from geolive.sources.survey.tables import read_table
from geolive.tables import check_clusters, points

LSMS = Path(__file__).parents[2].parent / "shared" / "data" / "lsms_clusters.csv"
FORMATS = [".gpkg", ".geojson", ".shp", ".fgb", ".parquet"]
ROWS = pd.DataFrame(
    {
        "lon": [85.123456789, 84.0, -84.5],
        "lat": [25.6, 25.00000001, -25.2],
        "wealth": [0.1 + 0.2, -1.5, 2.0],
        "bmi": [21.5, 22.25, 19.0],
        "place": ["a", "b", "ü, <b>"],
        "region": [1, 2, 2],
        "year": [2011, 2012, 2011],
        "zone": ["U", "rural", None],
        "w": [1.5, 0.0, 3.0],
    }
)
OPTIONS = {"id": "place", "group": "region", "year": "year", "urban": "zone", "weight": "w", "country": "ke"}
VALUES = {"pov": "wealth", "bmi": "bmi"}


def save(path, rows, crs=None, lon="lon", lat="lat"):
    """Write rows with points as the format of the path's suffix says."""
    rows = rows.reset_index(drop=True)
    table = gpd.GeoDataFrame(rows.drop(columns=[lon, lat]), geometry=points(rows[lon], rows[lat]))
    table = table if crs is None else table.to_crs(crs)
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        # rows in their order, positions with all their digits
        exact = {".fgb": {"SPATIAL_INDEX": "NO"}, ".geojson": {"COORDINATE_PRECISION": 15}}
        table.to_file(path, **exact.get(path.suffix, {}))
    return path


def assert_same(found, expected):
    """Equal but for the last digits, which text formats round."""
    plain = [pd.DataFrame(table.drop(columns="geometry")) for table in (found, expected)]
    pd.testing.assert_frame_equal(*plain, rtol=1e-12)
    assert found.crs == expected.crs
    for axis in "xy":
        np.testing.assert_allclose(getattr(found.geometry, axis), getattr(expected.geometry, axis), rtol=0, atol=1e-13)


def error(path, *given, **options):
    with pytest.raises(InputError) as caught:
        read_survey(path, *given, **options)
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.fixture
def from_csv(tmp_path):
    ROWS.to_csv(tmp_path / "survey.csv", index=False)
    return read_survey(tmp_path / "survey.csv", "lon", "lat", VALUES, **OPTIONS)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_gives_the_same_dataset(tmp_path, from_csv, suffix):
    read = read_survey(save(tmp_path / f"survey{suffix}", ROWS), values=VALUES, **OPTIONS)
    assert_same(read.clusters, from_csv.clusters)
    assert read.thresholds == pytest.approx(from_csv.thresholds, rel=1e-12)
    written = read_dataset(write_dataset(read, tmp_path / "dataset")).clusters
    assert written["unique_cluster"].tolist() == ["a", "b", "ü, <b>"]
    assert written["district_id"].tolist() == ["1", "2", "2"]
    assert written["urban"].tolist() == [True, False, None]
    assert written["year"].tolist() == [2011, 2012, 2011]
    assert written["weight"].tolist() == [1.5, 0, 3]
    assert written["country"].tolist() == ["ke"] * 3
    assert "--year year --urban zone --weight w --country ke" in read.command
    assert "--lon" not in read.command


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".parquet"])
def test_positions_in_metres_become_degrees(tmp_path, suffix):
    read = read_survey(save(tmp_path / f"survey{suffix}", ROWS, crs="EPSG:3857"), values=VALUES)
    np.testing.assert_allclose(read.clusters.geometry.x, ROWS["lon"], atol=1e-9)
    np.testing.assert_allclose(read.clusters.geometry.y, ROWS["lat"], atol=1e-9)
    assert read.clusters.crs == "EPSG:4326"


def test_named_columns_go_before_the_geometry(tmp_path):
    path = tmp_path / "survey.gpkg"
    gpd.GeoDataFrame(ROWS, geometry=points([0, 0, 0], [0, 0, 0])).to_file(path)
    read = read_survey(path, "lon", "lat", VALUES)
    np.testing.assert_array_equal(read.clusters.geometry.x, ROWS["lon"])


def test_parquet_without_geometry(tmp_path):
    ROWS.to_parquet(tmp_path / "survey.parquet")
    assert len(read_survey(tmp_path / "survey.parquet", "lon", "lat", VALUES).clusters) == 3
    assert "has no geometry; name the columns" in error(tmp_path / "survey.parquet", values=VALUES)


def test_points_alone_in_a_collection(tmp_path):
    many = [shapely.MultiPoint([(85, 25)]), shapely.MultiPoint([(84, 24)])]
    gpd.GeoDataFrame({"wealth": [1, 2]}, geometry=many, crs=4326).to_file(tmp_path / "survey.gpkg")
    read = read_survey(tmp_path / "survey.gpkg", values={"wealth": "wealth"})
    assert read.clusters.geometry.to_wkt().tolist() == ["POINT (85 25)", "POINT (84 24)"]


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".parquet"])
def test_rows_without_a_position_or_a_value(tmp_path, suffix):
    places = [shapely.Point(85, 25), None, shapely.Point(84, 24), shapely.Point(), shapely.Point(83, 23)]
    table = gpd.GeoDataFrame({"wealth": [1, 2, None, 4, 5]}, geometry=places, crs=4326)
    path = tmp_path / f"survey{suffix}"
    table.to_parquet(path) if suffix == ".parquet" else table.to_file(path)
    said = error(path, values={"wealth": "wealth"})
    assert f"survey{suffix}: row 2, geometry: missing position" in said
    assert "drop_invalid=True (3 of 5)" in said
    read = read_survey(path, values={"wealth": "wealth"}, drop_invalid=True)
    assert read.rejects["row"].tolist() == [2, 3, 4]
    assert read.rejects["reason"][1] == "column 'wealth': missing value"
    assert read.clusters["unique_cluster"].tolist() == ["row-1", "row-5"]


def test_geometries_that_are_not_points(tmp_path):
    areas = gpd.GeoDataFrame({"wealth": [1]}, geometry=[shapely.box(84, 24, 85, 25)], crs=4326)
    areas.to_file(tmp_path / "areas.gpkg")
    said = error(tmp_path / "areas.gpkg", values={"wealth": "wealth"}, drop_invalid=True)
    assert "row 1, geometry: not a point but a Polygon" in said
    assert "centroids" in said


def test_geospatial_files_that_cannot_be_used(tmp_path):
    wanted = {"values": {"wealth": "wealth"}}
    with pytest.warns(UserWarning, match="crs"):
        gpd.GeoDataFrame({"wealth": [1]}, geometry=[shapely.Point(1, 2)]).to_file(tmp_path / "nowhere.gpkg")
    assert "no coordinate reference system" in error(tmp_path / "nowhere.gpkg", **wanted)
    good = save(tmp_path / "good.gpkg", ROWS)
    assert "no column 'weelth'; its columns are: 'wealth', " in error(good, values={"x": "weelth"})
    gpd.GeoDataFrame({"wealth": [1]}, geometry=[shapely.Point(1, 2)], crs=4326).to_file(good, layer="second")
    assert "has 2 layers ('good', 'second')" in error(good, **wanted)
    for suffix in FORMATS:
        fake = tmp_path / f"fake{suffix}"
        fake.write_bytes(b"<OGRVRTDataSource><OGRVRTLayer name='x'/></OGRVRTDataSource>")
        assert f"does not begin as a {suffix} file does" in error(fake, **wanted)
        save(tmp_path / f"whole{suffix}", ROWS)
        fake.write_bytes((tmp_path / f"whole{suffix}").read_bytes()[:60])
        if suffix == ".shp":
            assert "its .shx file is missing" in error(fake, **wanted)
            (tmp_path / "whole.shx").rename(tmp_path / "fake.shx")
        assert "cannot be read" in error(fake, **wanted)
    (tmp_path / "empty.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    assert error(tmp_path / "empty.geojson", **wanted)
    assert "no such file" in error(tmp_path / "none.gpkg", **wanted)


def test_positions_are_named_together(tmp_path):
    path = save(tmp_path / "survey.gpkg", ROWS)
    assert "belong together" in error(path, "lon", None, VALUES)
    assert "with lon='COLUMN' and lat='COLUMN'" in error(tmp_path / "survey.csv", values=VALUES)


def test_a_projected_position_without_its_system_is_out_of_range(tmp_path):
    text = '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"wealth":1},"geometry":' \
           '{"type":"Point","coordinates":[9475000,2950000]}}]}'  # fmt: skip
    (tmp_path / "metres.geojson").write_text(text)
    assert "row 1, column 'geometry (x)': out of range" in error(
        tmp_path / "metres.geojson", values={"wealth": "wealth"}
    )


@pytest.mark.parametrize(
    ("options", "row", "cause"),
    [
        ({"year": "a"}, "80,25,1,11", "column 'a': not a year from 1900 to 2100 '11'"),
        ({"year": "a"}, "80,25,1,2011.5", "column 'a': not a year"),
        ({"year": "a"}, "80,25,1,", "column 'a': missing year"),
        ({"weight": "a"}, "80,25,1,-1", "column 'a': negative weight '-1'"),
        ({"weight": "a"}, "80,25,1,", "column 'a': missing weight"),
        (
            {"urban": "a"},
            "80,25,1,2",
            "column 'a': neither urban (U, urban, 1, true) nor rural (R, rural, 0, false): '2'",
        ),
    ],
)
def test_values_that_cannot_be_used(tmp_path, options, row, cause):
    good = {"year": "2011", "weight": "1", "urban": "u"}[next(iter(options))]
    path = tmp_path / "survey.csv"
    path.write_text(f"lon,lat,wealth,a\n80,25,1,{good}\n{row}\n")
    said = error(path, "lon", "lat", {"wealth": "wealth"}, **options)
    assert f"line 3, {cause}" in said
    read = read_survey(path, "lon", "lat", {"wealth": "wealth"}, drop_invalid=True, **options)
    assert read.rejects["row"].tolist() == [3]


def test_ways_to_write_urban(tmp_path):
    words = ["U", "R", "urban", "Rural", "1", "0", "TRUE", "false", "yes", "no", "1.0", "", "NA"]
    path = tmp_path / "survey.csv"
    path.write_text("lon,lat,wealth,zone\n" + "".join(f"80,25,1,{word}\n" for word in words))
    found = read_survey(path, "lon", "lat", {"wealth": "wealth"}, urban="zone").clusters["urban"].tolist()
    assert found == [True, False] * 5 + [True, None, None]


def test_countries(tmp_path):
    path = tmp_path / "survey.csv"
    path.write_text("lon,lat,wealth,country,land\n80,25,1,ia,India\n")
    named = [None, "ke", "land", "country"]
    found = [read_survey(path, "lon", "lat", {"w": "wealth"}, country=name).clusters["country"][0] for name in named]
    assert found == ["ia", "ke", "India", "ia"]
    assert "no column 'lnad'" in error(path, "lon", "lat", {"w": "wealth"}, country="lnad")


def test_names_of_optional_columns_are_taken(tmp_path):
    for name in ("year", "weight", "urban"):
        assert "values={'NAME': 'COLUMN'}" in error(tmp_path / "x.csv", "lon", "lat", {name: "wealth"})


@pytest.mark.skipif(not LSMS.is_file(), reason="the LSMS survey, ../shared/data/lsms_clusters.csv, is not here")
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_real_survey_is_the_same_in_every_format(tmp_path, suffix):
    rows = pd.read_csv(LSMS, dtype={"ea_id": str}).iloc[::10]
    rows.to_csv(tmp_path / "lsms.csv", index=False)
    short = {"asset_index": "asset", "infrastructure_index": "infra"}  # a Shapefile's names have 10 letters at most
    options = {"group": "country", "year": "year", "weight": "n"}
    expected = read_survey(
        tmp_path / "lsms.csv", "lon", "lat", {"asset": "asset_index", "infra": "infrastructure_index"}, **options
    )
    path = save(tmp_path / f"lsms{suffix}", rows.rename(columns=short))
    found = read_survey(path, values={"asset": "asset", "infra": "infra"}, **options)
    assert len(found.clusters) == 298
    assert set(found.clusters["country"]) == {"et", "mw", "ng", "tz", "ug"}
    assert_same(found.clusters, expected.clusters)


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return {suffix: save(folder / f"whole{suffix}", ROWS).read_bytes() for suffix in (".gpkg", ".geojson", ".parquet")}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_a_dataset_or_an_input_error(whole_files, tmp_path_factory, data):
    suffix = data.draw(st.sampled_from(sorted(whole_files)))
    content = bytearray(whole_files[suffix])
    for _ in range(data.draw(st.integers(0, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(bytes(content))
    try:
        read = read_survey(path, values={"pov": "wealth"}, drop_invalid=True)
    except InputError as failure:
        assert str(failure).startswith(str(path))
        return
    assert len(check_clusters(read.clusters, ["pov"])) > 0


def test_only_what_is_wanted_is_read(tmp_path):
    path = save(tmp_path / "survey.gpkg", ROWS)
    table = read_table(path, lambda header: [header[0]], with_positions=False)
    assert (list(table.texts), table.positions) == (["wealth"], None)


def test_a_row_without_end_takes_no_memory(tmp_path):
    path = tmp_path / "endless.csv"
    with path.open("w") as file:
        file.write("lon,lat,wealth\n85,25,1\n")
        for _ in range(50):
            file.write("1," * 500_000)
    tracemalloc.start()
    assert "endless.csv: line 3 has more than 1,048,576 characters" in error(path, "lon", "lat", {"w": "wealth"})
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_layers_of_a_geopackage(tmp_path):
    path = save(tmp_path / "survey.gpkg", ROWS)
    styles = pd.DataFrame({"styleName": ["a"], "styleQML": ["<qgis/>"]})
    pyogrio.write_dataframe(styles, path, layer="layer_styles", append=True)
    assert len(read_survey(path, values={"wealth": "wealth"}).clusters) == len(ROWS)
    # districts in the same file are no survey
    areas = gpd.GeoDataFrame({"name": ["A"]}, geometry=[shapely.box(84, 24, 85, 25)], crs=4326)
    areas.to_file(path, layer="districts")
    assert len(read_survey(path, values={"wealth": "wealth"}).clusters) == len(ROWS)
    towns = gpd.GeoDataFrame({"wealth": [1.0]}, geometry=[shapely.Point(84, 24)], crs=4326)
    towns.to_file(path, layer="towns")
    assert "where one is needed; name the survey's with layer='survey'" in error(path, values={"wealth": "wealth"})
    assert len(read_survey(path, values={"wealth": "wealth"}, layer="towns").clusters) == 1
    assert "layer='town' is not a layer of" in error(path, values={"wealth": "wealth"}, layer="town")


def test_metres_without_a_reference_system_need_one(tmp_path):
    path = tmp_path / "survey.shp"
    gpd.GeoDataFrame({"wealth": [1.0]}, geometry=[shapely.Point(500_000, 2_800_000)], crs=32645).to_file(path)
    path.with_suffix(".prj").unlink()
    said = error(path, values={"wealth": "wealth"})
    assert "names no coordinate reference system; give it, for example crs='EPSG:4326' for degrees" in said
    read = read_survey(path, values={"wealth": "wealth"}, crs="EPSG:32645")
    assert read.clusters.geometry.x.round(3).tolist() == [87.0]


def test_texts_of_a_shapefile_without_its_encoding(tmp_path):
    path = tmp_path / "survey.shp"
    gpd.GeoDataFrame({"wealth": [1.0], "town": ["Ouémé"]}, geometry=[shapely.Point(2, 7)], crs=4326).to_file(
        path, encoding="ISO-8859-1"
    )
    path.with_suffix(".cpg").unlink()
    read = read_survey(path, values={"wealth": "wealth"}, id="town")
    assert read.clusters["unique_cluster"].tolist() == ["Ouémé"]
    assert read.extra["survey"] == {"encoding": "CP1252"}
