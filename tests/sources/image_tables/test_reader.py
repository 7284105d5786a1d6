"""Tables of images without photos: from a table to a dataset."""

import datetime
import gzip

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.sources.image_tables import reader
from geolive.sources.image_tables.reader import read_images
from geolive.sources.survey.reader import read_survey
from geolive.tables import lonlat, points, vistas_classes

CAR = vistas_classes()["name"].tolist().index("Car")
TABLE = """id,x,y,walk,taken,who,Car,f0,f1
a,85.1,25.6,s1,2020-01-02T03:04:05Z,ann,2,0.5,1

b,0.0,0.0,s1,,ann,1,1,1
c,85.2,25.7,,yesterday,,,,1
a,85.3,25.8,s2,1577934245000,bob,4,1,1
d,85.3,95,s2,,bob,4,1,1
e,x,25.8,s2,,bob,4,1,1
f,85.3,25.8,s2,1577934245000,bob,-4,1,1
,85.3,25.8,s2,1577934245000,bob,4,1,1
g,85.4
h,85.4,25.8,s2,1577934245000,bob,4,2,3
"""
OPTIONS = {"captured_at": "taken", "sequence": "walk", "creator": "who", "counts": True, "features": {"net": "f?"}}


def test_rows_columns_and_rejects(tmp_path):
    (tmp_path / "images.csv").write_text(TABLE)
    got = read_images(tmp_path / "images.csv", "id", "x", "y", country="in", **OPTIONS)
    assert got.images["key"].tolist() == ["a", "c", "h"]
    assert lonlat(got.images.geometry).tolist() == [[85.1, 25.6], [85.2, 25.7], [85.4, 25.8]]
    assert got.images["sequence_id"].fillna("-").tolist() == ["s1", "-", "s2"]
    assert got.images["creator"].fillna("-").tolist() == ["ann", "-", "bob"]
    assert got.images["country"].tolist() == ["in"] * 3
    taken = got.images["captured_at"]
    assert taken[0] == pd.Timestamp(datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.UTC))
    assert taken.isna().tolist() == [False, True, False]
    assert got.features["objects"][:, CAR].tolist() == [2, 0, 4]
    assert np.array_equal(
        got.features["net"], np.array([[0.5, 1], [np.nan, np.nan], [2, 3]], np.float32), equal_nan=True
    )
    assert got.rejects.to_dict("split")["data"] == [
        [2, "not located: the position is 0, 0", "b"],
        [4, "column 'id': 'a' occurs already", "a"],
        [5, "column 'y': out of range, −90 to 90 degrees, '95'", "d"],
        [6, "column 'x': not a number 'x'", "e"],
        [7, "column 'Car': '-4' is not a count", "f"],
        [8, "column 'id': missing", ""],
        [9, "2 fields where the header has 9", ""],
    ]
    assert got.extra["images_table"]["times_not_understood"] == 1
    assert not got.simulated
    back = read_dataset(write_dataset(got, tmp_path / "data"))
    assert back.images.equals(got.images)
    assert back.has_features("net").tolist() == [True, False, True]


def test_rows_that_are_objects_are_not_taken_for_images(tmp_path):
    path = tmp_path / "objects.csv"
    path.write_text("key,lon,lat,Car\na,85,25,1\na,85,25,1\nb,85,25,0\nb,85,25,1\n")
    with pytest.raises(InputError, match=r"row 2: key 'a' occurs already, as do 2 rows of 2 images; .*class_column="):
        read_images(path, lon="lon", lat="lat", counts=True)
    assert len(read_images(path, lon="lon", lat="lat").images) == 2


def test_kinds_of_files_give_the_same_dataset(tmp_path):
    rng = np.random.default_rng(0)
    n = 50
    frame = pd.DataFrame(
        {
            "key": [f"i{i}" for i in range(n)],
            "lon": rng.uniform(80, 90, n),
            "lat": rng.uniform(20, 30, n),
            "Car": rng.integers(0, 9, n),
        }
    )
    frame["f0"], frame["f1"] = rng.normal(size=(2, n)).astype(np.float32)
    frame["objects"] = [str({"car": int(m)}) for m in frame["Car"]]
    placed = gpd.GeoDataFrame(frame.drop(columns=["lon", "lat"]), geometry=points(frame["lon"], frame["lat"]))
    frame.to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    frame.to_parquet(tmp_path / "a.parquet")
    placed.to_file(tmp_path / "b.gpkg", layer="images")
    placed[:5].to_file(tmp_path / "b.gpkg", layer="others")
    placed.to_crs(32645).to_parquet(tmp_path / "b.parquet")
    placed.to_crs(32645).set_crs(None, allow_override=True).to_parquet(tmp_path / "c.parquet")
    columns = {"lon": "lon", "lat": "lat"}
    more = {"counts": True, "features": {"net": "f*"}}
    expected = read_images(tmp_path / "a.csv", **columns, **more)
    assert len(expected.images) == n
    assert np.array_equal(expected.features["objects"][:, CAR], frame["Car"])
    assert np.allclose(expected.features["net"], frame[["f0", "f1"]])
    for name, options in (
        ("a.csv.gz", columns | more),
        ("a.parquet", columns | more),
        ("a.csv", columns | more | {"counts": False, "list_column": "objects"}),
        ("b.gpkg", more | {"layer": "images"}),
        ("b.parquet", more),
        ("c.parquet", more | {"crs": "EPSG:32645"}),
    ):
        got = read_images(tmp_path / name, **options)
        assert got.images["key"].tolist() == frame["key"].tolist()
        assert np.allclose(lonlat(got.images.geometry), frame[["lon", "lat"]], atol=1e-7)
        assert all(np.array_equal(got.features[one], expected.features[one]) for one in ("objects", "net"))


def test_features_in_lists(tmp_path):
    lists = [[1.0, 2.0], [3.0], None, [4.0, np.inf], [5.0, 6.0]]
    pd.DataFrame({"key": list("abcde"), "x": 85.1, "y": 25.6, "net": lists}).to_parquet(tmp_path / "a.parquet")
    got = read_images(tmp_path / "a.parquet", "key", "x", "y", features={"net": "net"}).features["net"]
    nan = np.full(2, np.nan)
    assert np.array_equal(got, np.array([[1, 2], nan, nan, nan, [5, 6]], np.float32), equal_nan=True)


def test_large_arrays_are_kept_in_a_file(tmp_path, monkeypatch):
    (tmp_path / "images.csv").write_text(TABLE)
    expected = read_images(tmp_path / "images.csv", "id", "x", "y", **OPTIONS)
    monkeypatch.setattr(reader, "_MOST_IN_MEMORY", 10)
    got = read_images(tmp_path / "images.csv", "id", "x", "y", **OPTIONS)
    assert isinstance(got.features["net"], np.memmap)
    back = read_dataset(write_dataset(got, tmp_path / "data"))
    assert np.array_equal(back.features["net"], expected.features["net"], equal_nan=True)


def test_simulated_keys_keep_their_mark(tmp_path):
    (tmp_path / "images.csv").write_text("key,x,y\nsimulated-1,85,25\n")
    assert read_images(tmp_path / "images.csv", "key", "x", "y").simulated


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("key,x,y\n", {}, "column names but no rows"),
        ("key,x,y\na,1\n", {}, "column names but no rows"),
        ("key,x,y\na,0,0\nb,0,0\n", {}, "row 1, not located: .*, nor can any other row be used; check the columns"),
        ("key,x,y\na,25,85\nb,25,85\n", {}, "columns 'x' and 'y': .*; exchange the columns"),
        ("key,x,y\na,25,1\n", {"lat": None}, "give both columns of positions, or neither"),
        (
            "key,x,y\na,25,1\n",
            {"lon": None, "lat": None},
            "has no points; name the columns of positions with lon='COLUMN'",
        ),
        ("key,x,y\na,25,1\n", {"counts": True}, "none of its columns is a class of the dataset"),
        ("key,x,y\na,25,1\n", {"features": {"net": "f*"}}, r"no column fits 'f\*', the features 'net'"),
        ("key,x,y,f\na,25,1,z\n", {"features": {"net": "f"}}, "no image has 1 finite number in 'f'"),
        ("key,x,y,f\na,25,1,1\n", {"features": {"objects": "f"}}, "is not a name for a feature set"),
        ("key,x,y\na,25,1\n", {"creator": "who"}, "no column 'who'"),
        ("key,x,y\ra,25,1\r", {}, "its line of column names is not CSV"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, content, options, words):
    (tmp_path / "images.csv").write_bytes(content.encode())
    with pytest.raises(InputError, match=words):
        read_images(tmp_path / "images.csv", **{"lon": "x", "lat": "y"} | options)


def test_semicolons_and_decimal_commas_of_spreadsheet_programs(tmp_path):
    path = tmp_path / "images.csv"
    path.write_text("ID;Länge;Breite;Car;f0\na;2,43;6,37;1.204;0,5\n\nb;2,5;6,5;0;1\n", encoding="utf-8-sig")
    got = read_images(path, "ID", "Länge", "Breite", counts=True, features={"net": "f?"})
    assert lonlat(got.images.geometry).tolist() == [[2.43, 6.37], [2.5, 6.5]]
    assert got.features["objects"][:, CAR].tolist() == [1204, 0]
    assert got.features["net"].tolist() == [[0.5], [1]]


degrees = st.sampled_from(
    ["85.1", "25.5", "0", "0.0001", "-0.0", "", "NA", "inf", "nan", "1e3", "12,5", "abc", "-179.9", "89", "95"]
)


@given(rows=st.lists(st.tuples(degrees, degrees), min_size=12, max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_rules_of_positions_are_those_of_surveys(tmp_path_factory, rows):
    """The reader of surveys, row by row, and the reader of images, block by block, keep the same rows for the same reasons."""
    path = tmp_path_factory.mktemp("rules") / "t.csv"
    rows = [("85.1", "25.5"), *rows]
    pd.DataFrame([(i, x, y, 1) for i, (x, y) in enumerate(rows)], columns=["key", "x", "y", "v"]).to_csv(
        path, index=False
    )
    try:
        survey = read_survey(path, "x", "y", {"v": "v"}, "key", drop_invalid=True)
    except InputError as error:
        with pytest.raises(InputError, match="exchange the columns"):
            read_images(path, lon="x", lat="y")
        assert "exchange the columns" in str(error)
        return
    images = read_images(path, lon="x", lat="y")
    assert images.images["key"].tolist() == survey.clusters["unique_cluster"].tolist()
    assert images.rejects["reason"].tolist() == survey.rejects["reason"].tolist()
    assert (images.rejects["row"] + 1).tolist() == survey.rejects["row"].tolist()


@pytest.mark.parametrize("column", ["key", "objects", "taken", "net"])
def test_damaged_texts_of_parquet_are_refused(tmp_path, column):
    """Every text is a pattern of bytes that stands in the file as it is; some are made other than UTF-8."""
    table = pd.DataFrame({name: [f"{name}-of-{i}-çççç" for i in range(9)] for name in ("key", "objects", "taken")})
    table["objects"] = "['" + table["objects"] + "']"
    table["x"], table["y"], table["net"] = 85.0, 25.0, [[f"net-of-{i}-çççç"] for i in range(9)]
    table.to_parquet(tmp_path / "a.parquet", compression=None)
    whole = (tmp_path / "a.parquet").read_bytes()
    options = {"captured_at": "taken", "list_column": "objects", "features": {"net": "net"}}
    mark = f"{column}-of-5-".encode()
    assert whole.count(mark + "çç".encode()) >= 1
    (tmp_path / "a.parquet").write_bytes(whole.replace(mark + "ç".encode(), mark + b"\xe1\xff"))
    with pytest.raises(InputError, match="cannot be read"):
        read_images(tmp_path / "a.parquet", "key", "x", "y", **options)
