from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.auditing.audit import audit
from geolive.cli.ingest_survey import remarks
from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.sources.survey.reader import read_survey
from geolive.tables import check_clusters

GOOD = "lon,lat,wealth,id,region,country\n85.1,25.6,0.5,a,north,ia\n84.0,25.0,-1.5,b,south,ia\n84.5,25.2,2,c,south,ia\n"


def survey(tmp_path, text, **options):
    path = tmp_path / "survey.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_survey(path, **{"lon": "lon", "lat": "lat", "values": {"wealth": "wealth"}, **options})


def error(tmp_path, text, **options):
    with pytest.raises(InputError) as caught:
        survey(tmp_path, text, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_survey_becomes_a_dataset(tmp_path):
    read = survey(tmp_path, GOOD, id="id", group="region", values={"pov": "wealth"})
    clusters = read_dataset(write_dataset(read, tmp_path / "dataset")).clusters
    assert clusters["unique_cluster"].tolist() == ["a", "b", "c"]
    assert clusters["district_id"].tolist() == ["north", "south", "south"]
    assert clusters["country"].tolist() == ["ia"] * 3
    assert clusters["pov"].tolist() == [0.5, -1.5, 2]
    assert clusters["pov_label"].tolist() == [1, 0, 1]
    assert clusters.geometry.x.tolist() == [85.1, 84.0, 84.5]
    assert (read.thresholds, read.source, read.simulated) == ({"pov": 0.5}, "survey.csv", False)
    assert "--value pov=wealth --id id --group region" in read.command


def test_a_table_in_memory_is_read_as_its_file_is(tmp_path):
    expected = survey(tmp_path, GOOD, id="id", group="region")
    frame = pd.read_csv(tmp_path / "survey.csv").set_index("country", drop=False)
    points = gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(frame["lon"], frame["lat"]), crs=4326)
    options = {"values": {"wealth": "wealth"}, "id": "id", "group": "region"}
    for table, named in ((frame, {"lon": "lon", "lat": "lat"}), (points, {}), (points.to_crs(32645), {})):
        before = table.copy()
        read = read_survey(table, **named, **options)
        pd.testing.assert_frame_equal(table, before)
        pd.testing.assert_frame_equal(
            pd.DataFrame(read.clusters.drop(columns="geometry")),
            pd.DataFrame(expected.clusters.drop(columns="geometry")),
        )
        assert read.clusters.geometry.geom_equals_exact(expected.clusters.geometry, 1e-9).all()
        assert read.command == f"geolive.read_survey({type(table).__name__})" != expected.command
    for table, named, words in (
        (frame, {}, "DataFrame: .* name their columns with lon='COLUMN' and lat='COLUMN'"),
        (frame.assign(wealth="?"), {"lon": "lon", "lat": "lat"}, "DataFrame: row 1, column 'wealth': not a number"),
        (points.set_crs(None, allow_override=True), {}, "GeoDataFrame: names no coordinate reference system"),
        (frame.iloc[:0], {"lon": "lon", "lat": "lat"}, "DataFrame: has no rows"),
    ):
        with pytest.raises(InputError, match=words):
            read_survey(table, **named, **options)


def test_rows_are_numbered_as_wide_as_needed(tmp_path):
    rows = "".join(f"{i},1,2\n" for i in range(12))
    ids = survey(tmp_path, "lon,lat,wealth\n" + rows).clusters["unique_cluster"]
    assert ids.iloc[[0, 11]].tolist() == ["row-01", "row-12"]


def test_without_country_or_group_they_are_unknown(tmp_path):
    clusters = survey(tmp_path, "lon,lat,wealth\n1,2,3\n").clusters
    assert clusters["country"].tolist() == [""]
    assert clusters["district_id"].isna().all()


def test_several_indicators_and_one_column_for_two(tmp_path):
    read = survey(tmp_path, "lon,lat,a,b\n1,2,3,4\n", values={"x": "a", "y": "b", "z": "a"})
    assert read.clusters[["x", "y", "z"]].to_numpy().tolist() == [[3, 4, 3]]
    assert read.indicators == ["x", "y", "z"]


@pytest.mark.parametrize(
    "text",
    [
        "\ufefflon,lat,wealth\r\n1,2,3\r\n",  # as spreadsheets save it
        "lon , lat, wealth\n 1, 2 ,+3.0e0\n\n,,\n",  # spaces, a blank line, a row of empty cells
        '"lon","lat","wealth"\n"1","2","3"',
        'wealth,note,lat,lon\n3,"two\nlines, one cell",2,1\n',
        "lon,lat,wealth\r1,2,3\r",
    ],
)
def test_ways_to_write_the_same(tmp_path, text):
    clusters = survey(tmp_path, text).clusters
    assert (clusters.geometry.iloc[0].wkt, clusters["wealth"].tolist()) == ("POINT (1 2)", [3.0])


@pytest.mark.parametrize(
    ("row", "column", "cause"),
    [
        ("x,25,1", "lon", "not a number 'x'"),
        ("80,25,12abc", "wealth", "not a number '12abc'"),
        ('80,25,"0,5"', "wealth", "not a number '0,5'"),
        ("80,25,1_000", "wealth", "not a number"),
        ("80,,1", "lat", "missing coordinate"),
        ("NaN,25,1", "lon", "missing coordinate 'NaN'"),
        ("80,25,", "wealth", "missing value"),
        ("80,25,NA", "wealth", "missing value 'NA'"),
        ("80,25,inf", "wealth", "infinite"),
        ("80,25,1e999", "wealth", "infinite or too large"),
        ("181,25,1", "lon", "out of range"),
        ("80,-90.5,1", "lat", "out of range"),
    ],
)
def test_a_row_that_cannot_be_used(tmp_path, row, column, cause):
    good = "80,25,1\n" * 20
    text = f"lon,lat,wealth\n{good}\n{row}\n{good}"  # after a blank line: the row is in line 23
    message = error(tmp_path, text)
    assert f"survey.csv: line 23, column '{column}': {cause}" in message
    assert "drop_invalid=True (1 of 41)" in message
    read = survey(tmp_path, text, drop_invalid=True)
    assert len(read.clusters) == 40
    assert read.rejects["row"].tolist() == [23]
    assert cause in read.rejects["reason"][0]
    assert read.clusters["unique_cluster"].iloc[[19, 20]].tolist() == ["row-20", "row-22"]
    assert len(read_dataset(write_dataset(read, tmp_path / "dataset")).rejects) == 1


def test_large_counts_have_separators(tmp_path):
    text = "lon,lat,wealth\n" + "80,25,1\n" * 1500 + "80,25,much\n" * 1200
    assert "drop_invalid=True (1,200 of 2,700)" in error(tmp_path, text)


def test_a_row_of_another_length(tmp_path):
    text = "lon,lat,wealth\n80,25,1\n80,25\n80,25,1,2\n"
    assert "line 3, 2 fields where the header has 3" in error(tmp_path, text)
    assert survey(tmp_path, text, drop_invalid=True).rejects["row"].tolist() == [3, 4]


def test_ids_are_there_and_unique(tmp_path):
    text = "lon,lat,wealth,id\n80,25,1,a\n81,25,2,\n82,25,3,a\n"
    assert "line 3, column 'id': missing" in error(tmp_path, text, id="id")
    assert "line 3, column 'id': name 'a' occurs already in line 2" in error(
        tmp_path, text.replace("2,\n", "2,a\n"), id="id"
    )
    assert "without a column of ids, rows are numbered" in error(tmp_path, text.replace("2,\n", "2,b\n"), id="id")
    read = survey(tmp_path, text, id="id", drop_invalid=True)
    assert read.rejects["row"].tolist() == [3, 4]
    assert "line 3, column 'id': missing" in error(tmp_path, text, group="id")


def test_swapped_coordinates(tmp_path):
    assert "look swapped" in error(tmp_path, GOOD, lon="lat", lat="lon")
    renamed = GOOD.replace("lon,lat", "x,y")
    for drop_invalid in (False, True):
        message = error(tmp_path, renamed, lon="y", lat="x", drop_invalid=drop_invalid)
        assert "3 of 3 latitudes" in message
        assert "exchange the columns of longitude and latitude" in message
    one_of_many = "x,y,wealth\n" + "40,25,1\n" * 20 + "25,85,1\n"
    assert "line 22, column 'y': next to a pole (longitude and latitude look swapped)" in error(
        tmp_path, one_of_many, lon="x", lat="y"
    )
    assert survey(tmp_path, one_of_many, lon="x", lat="y", drop_invalid=True).rejects["row"].tolist() == [22]


def test_semicolons_and_decimal_commas_of_spreadsheet_programs(tmp_path):
    plain = "name,lon,lat,wealth\nA,85.25,25.5,1234.5\nB,85.5,25.75,-0.7\nC,85.75,26,2000\n"
    expected = survey(tmp_path, plain)
    in_excel = 'name;lon;lat;wealth\nA;85,25;25,5;1.234,5\n"B";85,5;25,75;-0,7\nC;85,75;26;2.000\n'
    for text in (in_excel, in_excel.replace(";", "\t"), plain.replace(",", ";"), "\n\n" + in_excel):
        read = survey(tmp_path, text)
        assert read.clusters["wealth"].tolist() == [1234.5, -0.7, 2000] == expected.clusters["wealth"].tolist()
        assert read.clusters.geometry.geom_equals(expected.clusters.geometry).all()
    # signs that no one file uses together are not guessed
    assert "not a number '0,5'" in error(tmp_path, plain.replace("-0.7", '"0,5"'))


def test_columns_that_are_not_there(tmp_path):
    assert "no column 'weath'; its columns are: 'wealth', " in error(tmp_path, GOOD, values={"w": "weath"})
    assert "no column 'zone'" in error(tmp_path, GOOD, group="zone")
    assert "separate columns with commas, semicolons or tabs" in error(tmp_path, GOOD.replace(",", "|"))
    assert "'lon' occurs 2 times" in error(tmp_path, "lon,lon,lat,wealth\n1,1,2,3\n")
    hostile = 'lon,"a\nb\x1b[31m",' + ",".join(f"c{i}" for i in range(500)) + "\n1,2\n"
    assert len(error(tmp_path, hostile)) < 1000


def test_names_that_cannot_be_indicators(tmp_path):
    for name in ("", "a b", "<b>", "1st", "geometry", "country", "n_images"):
        assert "values={'NAME': 'COLUMN'}" in error(tmp_path, GOOD, values={name: "wealth"})
    assert "values={'NAME': 'COLUMN'}" in error(tmp_path, GOOD, values={"a": "wealth", "a_label": "wealth"})
    assert "values={'NAME': 'COLUMN'}" in error(tmp_path, GOOD, values={})
    assert "its own column" in error(tmp_path, GOOD, lon="wealth", lat="wealth")


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"lon,lat,wealth\n", "no rows"),
        (b"lon,lat,wealth\n1,2,\x81\n", "is not a text file in CP1252"),
        ("lon,lat,wealth\n1,2,3\n".encode("utf-16")[:-1], "is not a text file in UTF-16"),
        (b"PK\x03\x04\x00\x00\x00", "not a text file"),
        (b'lon,lat,wealth\n1,2,3\n1,"2,3\n', "line 3 is not CSV"),
        (b'lon,lat,wealth\n1,2,"3"x\n', "line 2 is not CSV"),
        (b"lon,lat,wealth\n1,2," + b"3" * 200_000, "line 2 is not CSV"),
        (b"lon,lat,wealth\n,,1\nx,y,2\n", "line 2, column 'lon': missing coordinate, nor can any other row be used"),
        (b"lon,lat,wealth\n1,2,x\n", "line 2, column 'wealth': not a number 'x'; correct it"),
    ],
)
def test_files_that_are_no_survey(tmp_path, content, cause):
    assert cause in error(tmp_path, content)
    assert error(tmp_path, content, drop_invalid=True)


def test_paths_that_cannot_be_read(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, cause in (("none.csv", "no such file"), (".", "is a folder"), ("loop", "cannot be read")):
        with pytest.raises(InputError, match=cause):
            read_survey(tmp_path / name, "lon", "lat", {"wealth": "wealth"})


cells = st.sampled_from(
    ["80", "25.5", "-1e3", "", "NaN", "inf", "181", "1e40", '"', '"x"', "\n", "\r", "\0", "٣", "1_0", "é"]
)
tables = st.lists(st.lists(cells | st.text(max_size=3), max_size=5).map(",".join), max_size=6).map("\n".join)


def dataset_or_error(path, drop_invalid):
    try:
        return read_survey(path, "lon", "lat", {"wealth": "wealth"}, drop_invalid=drop_invalid)
    except InputError as failure:
        return failure


@settings(max_examples=200, deadline=None)
@given(text=st.text() | tables | tables.map("lon,lat,wealth\n80,25,1\n".__add__), drop_invalid=st.booleans())
def test_any_text_is_a_dataset_or_an_input_error(tmp_path_factory, text, drop_invalid):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    read = dataset_or_error(path, drop_invalid)
    if isinstance(read, InputError):
        assert str(read).isprintable()
        return
    assert len(check_clusters(read.clusters, ["wealth"])) > 0
    assert np.isfinite(read.clusters["wealth"]).all()
    assert drop_invalid or read.rejects.empty


def test_the_design_and_rates_are_kept(tmp_path):
    path = tmp_path / "survey.csv"
    path.write_text(
        "x,y,cases,children,a/b,w,s,u\n85,25,3,12,1,0.5,n,1\n84,25,0,10,2,2,n,1\n83,25,7,7,3,1,s,2\n82,25,1,4,4,1,s,3\n"
    )
    dataset = read_survey(
        path, "x", "y", {"stunted": "cases/children", "ratio": "a/b"}, weight="w", strata="s", psu="u"
    )
    clusters = dataset.clusters
    assert dataset.indicators == ["stunted", "ratio"]
    assert clusters["stunted"].tolist() == [0.25, 0, 1, 0.25]
    assert clusters["stunted_n"].tolist() == [12, 10, 7, 4]
    error = clusters["stunted_se"].to_numpy()
    assert error[[0, 3]] == pytest.approx([0.125, np.sqrt(0.25 * 0.75 / 4)])
    # a rate of 0 or 1 is not known exactly
    assert error[1] == pytest.approx(np.sqrt((0.5 / 11) * (10.5 / 11) / 10))
    assert error[2] == pytest.approx(np.sqrt((0.5 / 8) * (7.5 / 8) / 7))
    assert clusters["ratio"].tolist() == [1, 2, 3, 4]  # the name of a column, although it has a slash
    assert "ratio_n" not in clusters
    assert clusters[["weight", "stratum", "psu"]].values.tolist() == [
        [0.5, "n", "1"], [2, "n", "1"], [1, "s", "2"], [1, "s", "3"]
    ]  # fmt: skip
    assert "--weight w --strata s --psu u" in dataset.command
    assert "--value stunted=cases/children" in dataset.command


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("5,4", "column 'cases': not between 0 and 'children' '5'"),
        ("-1,4", "column 'cases': not between 0 and 'children' '-1'"),
        ("0,0", "column 'children': not a number of cases above 0 '0'"),
        ("1,", "column 'children': missing number of cases"),
    ],
)
def test_rates_that_are_none(tmp_path, row, said):
    path = tmp_path / "survey.csv"
    path.write_text(f"x,y,cases,children\n84,25,1,2\n85,25,{row}\n")
    with pytest.raises(InputError, match=f"line 3, {said}"):
        read_survey(path, "x", "y", {"stunted": "cases/children"})
    left = read_survey(path, "x", "y", {"stunted": "cases/children"}, drop_invalid=True)
    assert left.clusters["stunted"].tolist() == [0.5]


def test_a_name_that_a_rate_needs_is_taken(tmp_path):
    path = tmp_path / "survey.csv"
    path.write_text("x,y,a,b\n84,25,1,2\n")
    with pytest.raises(InputError, match="'stunted_se': tables have another column of that name"):
        read_survey(path, "x", "y", {"stunted": "a/b", "stunted_se": "b"})
    with pytest.raises(InputError, match="no column 'c'"):
        read_survey(path, "x", "y", {"stunted": "a/c"})


DATA = Path(__file__).parent.parent.parent / "data"


def test_a_position_at_0_0_is_missing():
    read = read_survey(DATA / "null_island.csv", "LONGNUM", "LATNUM", {"pov": "wealth"}, urban="URBAN_RURA")
    source = pd.read_csv(DATA / "null_island.csv")
    missing = source.index[source["SOURCE"] == "MIS"]
    assert read.rejects["row"].tolist() == (missing + 2).tolist()
    assert set(read.rejects["reason"]) == {"not located: the position is 0, 0"}
    assert len(read.clusters) == len(source) - len(missing)
    assert read.clusters.geometry.x.abs().min() > 1


def test_nothing_but_0_0_is_an_error(tmp_path):
    assert "line 2, not located: the position is 0, 0" in error(tmp_path, "lon,lat,wealth\n0,0.0001,1\n")
    # the equator and Greenwich are places
    assert len(survey(tmp_path, "lon,lat,wealth\n0,51.5,1\n32.5,0,2\n0,0,3\n").clusters) == 2


def test_dhs_codes_of_urban_and_rural():
    read = read_survey(DATA / "urban_coded_1_2.csv", "lon", "lat", {"pov": "wealth"}, urban="hv025")
    source = pd.read_csv(DATA / "urban_coded_1_2.csv")
    assert read.clusters["urban"].tolist() == (source["hv025"] == 1).tolist()


@pytest.mark.parametrize("drop_invalid", [False, True])
def test_no_remedy_removes_all_rural_places(tmp_path, drop_invalid):
    text = (DATA / "urban_coded_1_2.csv").read_text().replace("hv025", "zone")
    said = error(tmp_path, text, urban="zone", drop_invalid=drop_invalid)
    assert "column 'zone': '2' is neither urban" in said
    assert "in 42 of 60 rows; rename it to 'hv025' if 1 is urban and 2 rural" in said
    assert "drop_invalid" not in said
    other = text.replace(",2\n", ",village\n")
    assert "'village' is neither urban" in error(tmp_path, other, urban="zone", drop_invalid=drop_invalid)


def test_a_row_is_kept_while_any_indicator_has_a_value():
    values = {"pov": "asset_index", "bmi": "women_bmi"}
    read = read_survey(DATA / "two_indicators_partial.csv", "lon", "lat", values)
    source = pd.read_csv(DATA / "two_indicators_partial.csv")
    assert len(read.clusters) == len(source) == 60
    assert read.clusters["pov"].tolist() == source["asset_index"].tolist()
    assert read.clusters["bmi"].notna().sum() == source["women_bmi"].notna().sum() == 20
    assert read.extra["survey"] == {"rows_without": {"bmi": 40}}
    # labels are by the median of those that have a value
    assert read.thresholds["bmi"] == source["women_bmi"].median()


def test_a_row_without_any_value_cannot_be_used(tmp_path):
    text = "lon,lat,a,b\n80,25,1,\n80,25,,\n80,25,,2\n"
    values = {"a": "a", "b": "b"}
    assert "line 3, column 'a': missing value; correct it" in error(tmp_path, text, values=values)
    read = survey(tmp_path, text, values=values, drop_invalid=True)
    np.testing.assert_array_equal(read.clusters[["a", "b"]], [[1, np.nan], [np.nan, 2]])


@pytest.mark.parametrize(
    ("column", "name", "text", "expected"),
    [
        ("women_bmi", "bmi", "99.98", np.nan),
        ("women_bmi", "bmi", "-9999", np.nan),
        ("v445", "thin", "9998", np.nan),
        ("hv271", "pov", "99999998", np.nan),
        ("HAZ2", "stunting", "99.98", np.nan),
        ("hc70", "stunting", "9998", np.nan),
        ("HH48", "members", "98", np.nan),
        ("HC2", "rooms", "99", np.nan),
        ("helevel", "schooling", "9", np.nan),
        ("income", "income", "-99", np.nan),
        ("income", "income", "9998", 9998.0),
        ("score", "score", "-99", -99.0),
    ],
)
def test_known_codes_are_missing(tmp_path, column, name, text, expected):
    rows = "".join(f"80,25,{value},1\n" for value in (21.0, 22.5, 19.8, 20.1))
    read = survey(tmp_path, f"lon,lat,{column},other\n{rows}81,25,{text},2\n", values={name: column, "other": "other"})
    np.testing.assert_array_equal(read.clusters[name].iloc[-1], expected)
    assert ("missing_codes" in read.extra.get("survey", {})) == np.isnan(expected)


def test_what_looks_like_a_code_is_pointed_out(tmp_path):
    rng = np.random.default_rng(0)
    rows = "".join(f"80,25,{value:.3f}\n" for value in rng.normal(0, 1, 40))
    text = f"lon,lat,score\n{rows}80,25,-999\n80,25,-999\n"
    far = survey(tmp_path, text, values={"score": "score"}).extra["survey"]["far_values"]["score"]
    assert (far["values"], far["rows"]) == (("-999",), 2)
    named = survey(tmp_path, text, values={"score": "score"}, missing=[-999], drop_invalid=True)
    assert (len(named.clusters), named.rejects["row"].tolist()) == (40, [42, 43])
    assert "--missing -999" in named.command
    # a long tail is no code
    wealth = "".join(f"80,25,{value:.3f}\n" for value in rng.lognormal(0, 1, 200))
    assert "survey" not in survey(tmp_path, f"lon,lat,score\n{wealth}", values={"score": "score"}).extra


def test_a_table_in_another_encoding(tmp_path):
    text = "lon,lat,wealth,id\n80,25,1,Ouémé\n81,25,2,Zou\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        read = survey(tmp_path, text.encode(encoding), id="id")
        assert (read.clusters["unique_cluster"][0], read.extra) == ("Ouémé", {})
    read = survey(tmp_path, text.encode("latin-1"), id="id")
    assert (read.clusters["unique_cluster"][0], read.extra["survey"]["encoding"]) == ("Ouémé", "CP1252")
    russian = text.replace("Ouémé", "Москва").encode("cp1251")
    assert survey(tmp_path, russian, id="id", encoding="cp1251").clusters["unique_cluster"][0] == "Москва"
    assert "encoding='nought': is not known" in error(tmp_path, russian, id="id", encoding="nought")


PANEL = "lon,lat,wealth,year,country\n1,2,1,2011,et\n1,2,2,2013,et\n5,6,3,2013,ng\n5,6,x,2015,ng\n"


def test_rows_of_several_years_are_counted_and_kept_apart(tmp_path):
    read = survey(tmp_path, PANEL.replace("x", "4"))
    assert read.clusters["year"].tolist() == [2011, 2013, 2013, 2015]
    assert read.extra["survey"] == {"years": {"2011": 1, "2013": 2, "2015": 1}, "year_column": "year"}
    said = list(remarks(tmp_path / "survey.csv", read))
    assert (
        "rows of 3 years are pooled: 2011 (1 row), 2013 (2 rows), 2015 (1 row); to read one year, add --where year=2015"
        in said
    )
    assert "years" not in survey(tmp_path, PANEL, where={"year": 2011}).extra["survey"]
    assert audit(read).facts["survey years"] == "2011 (1 cluster), 2013 (2 clusters), 2015 (1 cluster)"


def test_only_the_wanted_rows_are_read_and_checked(tmp_path):
    read = survey(tmp_path, PANEL, where={"year": ["2011", 2013], "country": "et"})
    assert read.clusters["wealth"].tolist() == [1, 2]
    assert "--where year=2011 --where year=2013 --where country=et" in read.command
    assert read.extra["survey"]["rows_not_wanted"] == 2
    assert "line 5, column 'wealth'" in error(tmp_path, PANEL)
    assert error(tmp_path, PANEL, where={"year": "2012"}).endswith(
        "no row has '2012' in column 'year'; its values are: '2013' (2), '2011' (1), '2015' (1)"
    )
    assert "no row has year=2011 and country=ng together" in error(
        tmp_path, PANEL, where={"year": 2011, "country": "ng"}
    )
    assert "no column 'round'" in error(tmp_path, PANEL, where={"round": 1})


def test_a_column_named_year_that_holds_something_else_is_not_taken(tmp_path):
    read = survey(tmp_path, "lon,lat,wealth,year\n1,2,3,second\n1,3,4,2011\n")
    assert "year" not in read.clusters
    assert any("column 'year' is not kept" in words for words in remarks(tmp_path / "survey.csv", read))
