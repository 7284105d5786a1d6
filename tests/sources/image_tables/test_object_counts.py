"""Object counts of other tools: from a table of any form to a dataset."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.sources.image_tables.object_counts import read_object_counts
from geolive.sources.image_tables.object_lists import objects_in
from geolive.tables import vistas_classes

CLASSES = vistas_classes()["name"].tolist()
CAR, PERSON, LIGHT, VOID = CLASSES.index("Car"), CLASSES.index("Person"), CLASSES.index("Traffic Light"), 65
IMAGES = pd.DataFrame({"key": ["a", "b", "c"]})


def read(path, content, images=IMAGES, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_object_counts(path, images, CLASSES, **options)


def table_of(counts, columns=(CAR, PERSON, VOID)):
    assert counts.sum() == counts[:, list(columns)].sum(), "objects in other classes"
    return counts[:, list(columns)].tolist()


EXPECTED = [[2, 1, 0], [0, 0, 0], [1, 0, 0]]
FORMS = {
    "wide": ("key,CAR,person,\nc,1,,x\na,2.0,1,y\nb,0,NA,\n", {}),
    "long": (
        "id,what,n\na,car,2\nb,,0\nc,car,1\na,Person,1\n",
        {"class_column": "what", "count_column": "n", "key": "id"},
    ),
    "a row an object": ("key,what\nc,car\nb,\na,car\na,person\na,CAR\n", {"class_column": "what"}),
    "names": ('key,o\na,"[""car"",""person"",""car""]"\nb,[]\nc,"[""Car""]"\n', {"list_column": "o"}),
    "Python": ("key,o\na,\"['car', 'person', 'car']\"\nb,\nc,\"{'car': 1, 'person': 0}\"\n", {"list_column": "o"}),
    "object": ('key,o\nb,{}\na,"{""car"": 2, ""person"": 1}"\nc,"{""car"": [[0,0,5,5]]}"\n', {"list_column": "o"}),
    "detections": (
        'key,o\na,"[{""label"": ""car"", ""count"": 2}, {""class"": ""person"", ""score"": 0.5}]"\nb,null\n'
        'c,"{""class_name"": ""car""}"\n',
        {"list_column": "o"},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_a_table(tmp_path, form):
    content, options = FORMS[form]
    got = read(tmp_path / "counts.csv", content, **options)
    assert table_of(got.counts) == EXPECTED
    assert got.counts.dtype == np.uint16
    assert got.missing.empty
    assert not got.unmatched


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["gzip", "UTF-16", "CRLF", "BOM"])
def test_kinds_of_csv_files(tmp_path, form, kind):
    content, options = FORMS[form]
    content = {
        "gzip": lambda: gzip.compress(content.encode()),
        "UTF-16": lambda: content.encode("utf-16"),
        "CRLF": lambda: content.replace("\n", "\r\n\r\n").encode(),
        "BOM": lambda: content.encode("utf-8-sig"),
    }[kind]()
    assert table_of(read(tmp_path / "counts", content, **options).counts) == EXPECTED


def test_parquet_with_lists_structs_and_numbers(tmp_path):
    path = tmp_path / "counts.parquet"
    lists = [["car", "person", "car"], [], ["car"]]
    structs = [[{"label": "car", "n": 2}, {"label": "person", "n": None}], None, [{"label": "car", "n": 1}]]
    table = pd.DataFrame(
        {"id": [1.0, 2.0, 3.0], "Car": [2, 0, 1], "Person": [1.0, None, 0.0], "lists": lists, "structs": structs}
    )
    table.to_parquet(path)
    images = pd.DataFrame({"key": ["1", "2", "3"]})
    for options in ({}, {"list_column": "lists"}, {"list_column": "structs"}):
        got = read_object_counts(path, images, CLASSES, key="id", **options)
        assert table_of(got.counts) == EXPECTED
    assert read_object_counts(path, images, CLASSES, key="id").ignored == ["lists", "structs"]


def test_classes_that_the_dataset_lacks_are_void_and_named(tmp_path):
    got = read(tmp_path / "c.csv", "key,o\na,\"['dodo', 'car', 'dodo']\"\nb,['dodo']\nz,['moa']\n", list_column="o")
    assert table_of(got.counts) == [[1, 0, 2], [0, 0, 1], [0, 0, 0]]
    assert dict(got.unmatched) == {"dodo": 3}  # not those of images that the dataset lacks
    assert (got.n_unknown, got.missing.to_dict("list")) == (1, {"key": ["c"], "reason": ["no row in the table"]})
    got = read(tmp_path / "c.csv", "key,dodo,Car\na,7,1\nb,1,1\nc,1,1\n")
    assert (got.ignored, table_of(got.counts)[0]) == (["dodo"], [1, 0, 0])
    renamed = {"dodo": "void", "moa": None}
    got = read(tmp_path / "c.csv", "key,dodo,moa\na,7,1\nb,1,1\nc,1,1\n", renamed=renamed)
    assert (got.ignored, table_of(got.counts)[0], got.columns["moa"]) == ([], [0, 0, 7], None)


def test_names_of_mapillary_and_numbers_of_a_list_of_classes(tmp_path):
    got = read(
        tmp_path / "c.csv", 'key,o\na,"[""object--vehicle--car"", ""human--person--individual""]"\n', list_column="o"
    )
    assert table_of(got.counts)[0] == [1, 1, 0]
    numbered = {"numbered": ["person", "bicycle", "car"], "list_column": "o"}
    got = read(tmp_path / "c.csv", 'key,o\na,"[2, 0, 2, 9]"\n', **numbered)
    assert (table_of(got.counts)[0], dict(got.unmatched)) == ([2, 1, 1], {"9": 1})
    got = read(tmp_path / "c.csv", "key,0,2\na,1,2\n", numbered=numbered["numbered"])
    assert table_of(got.counts)[0] == [2, 1, 0]


def test_an_image_with_a_cell_that_is_no_count_is_listed_and_zero(tmp_path):
    for content, options, reason in (
        ("key,Car,Person\na,1,1\nb,-1,5\nc,1,1\n", {}, "row 2, column 'Car': '-1' is not a count"),
        ("key,Car,Person\na,1,1\nb,4,1.5\nc,1,1\n", {}, "row 2, column 'Person': '1.5' is not a count"),
        (
            "key,w,n\na,car,1\nb,car,9\nb,car,many\nc,car,1\n",
            {"class_column": "w", "count_column": "n"},
            "'many' is not a count",
        ),
        (
            "key,o\na,['car']\nb,[car\nc,['car']\n",
            {"list_column": "o"},
            "row 2, column 'o': is neither JSON nor a list '[car'",
        ),
        (
            "key,o\na,['car']\nb,{'car': -1}\nc,['car']\n",
            {"list_column": "o"},
            "a number of objects that is not a count '-1'",
        ),
        ("key,o\na,['car']\nb,[{'x': 1}]\nc,['car']\n", {"list_column": "o"}, "an object without a class"),
    ):
        got = read(tmp_path / "c.csv", content, **options)
        assert got.counts[:, CAR].tolist() == [1, 0, 1]
        assert got.counts[1].sum() == 0
        assert got.missing["key"].tolist() == ["b"]
        assert reason in got.missing["reason"][0]


def test_of_rows_with_one_key_the_first_usable_one_counts_as_for_tables_of_images(tmp_path):
    letters = pd.Series([*"abcdefghijklmnopqrstuvwxyz"])
    got = read(
        tmp_path / "c.csv", "key,Car\na,x\nb,1\n" + "".join(f"{key},2\n" for key in letters), letters.to_frame("key")
    )
    assert got.counts[:3, CAR].tolist() == [2, 1, 2]
    assert (got.missing.empty, got.n_repeated) == (True, 2)


def test_row_numbers_do_not_move_with_rows_that_are_left_out(tmp_path):
    got = read(tmp_path / "c.csv", "key,Car\na,1,9\n\nz,1\nb,x\nc,1\n")
    assert got.broken == [(1, "3 fields where the header has 2")]
    assert got.missing.set_index("key")["reason"].to_dict() == {
        "a": "no row in the table",
        "b": "row 3, column 'Car': 'x' is not a count",
    }


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("", {}, "is empty"),
        ("key,Car\n", {}, "column names but no rows"),
        (
            "key,lon,lat\na,1,2\n",
            {},
            r"none of its columns is a class of the dataset: lon, lat; .*class_column='COLUMN'",
        ),
        (
            "key,Car\na,1\na,1\nb,1\nb,2\n",
            {},
            "row 2: key 'a' occurs already, as do 2 rows of 2 images; if a row is an object",
        ),
        ("key,Car\nx,1\n", {}, "none of its keys is an image of the dataset: the table has 'x', the dataset 'a'"),
        ("image,Car\na,1\n", {}, r"no column 'key'; its columns are: .*'image'"),
        ("key,Car,Car\na,1,2\n", {}, "column 'Car' occurs 2 times"),
        ("key,w\na,car\n", {"count_column": "w"}, "belongs to a column of classes"),
        ("key,w\na,car\n", {"class_column": "w", "list_column": "w"}, "give one of them"),
        (
            "key,Car\na,x\nb,x\nc,y\n",
            {},
            "no image has counts that can be used: row 1, column 'Car': 'x' is not a count",
        ),
        (b"\xff\x00\xff\x00,\n", {"encoding": "utf-8"}, "not a text file in utf-8"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, content, options, words):
    with pytest.raises(InputError, match=words):
        read(tmp_path / "c.csv", content, **options)


def test_counts_above_the_largest_are_the_largest(tmp_path):
    content = "key,w,n\na,car,60000\na,car,60000\nb,car,4000000000\n"
    got = read(tmp_path / "c.csv", content, class_column="w", count_column="n")
    assert got.counts[:, CAR].tolist() == [65535, 65535, 0]
    assert (got.n_without, got.missing.empty) == (1, True)


def test_many_rows_are_those_of_pandas(tmp_path):
    rng = np.random.default_rng(0)
    n = 150_000  # several blocks
    table = pd.DataFrame(
        {"key": [f"k{i}" for i in rng.permutation(n)], "Car": rng.integers(0, 9, n), "Person": rng.integers(0, 3, n)}
    )
    table.to_csv(tmp_path / "c.csv", index=False)
    images = pd.DataFrame({"key": [f"k{i}" for i in range(n)]})
    expected = table.set_index("key").loc[images["key"]]
    got = read_object_counts(tmp_path / "c.csv", images, CLASSES)
    assert np.array_equal(got.counts[:, [CAR, PERSON]], expected[["Car", "Person"]])
    melted = table.melt("key", var_name="what", value_name="n").sample(frac=1, random_state=0)
    melted.to_parquet(tmp_path / "c.parquet")
    got = read_object_counts(tmp_path / "c.parquet", images, CLASSES, class_column="what", count_column="n")
    assert np.array_equal(got.counts[:, [CAR, PERSON]], expected[["Car", "Person"]])


names = st.sampled_from(["car", "Person", "traffic_light"])
objects = st.dictionaries(names, st.integers(0, 70), max_size=3)


@given(counts=st.lists(objects, min_size=1, max_size=6), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_every_form_gives_the_same_counts(tmp_path_factory, counts, seed):
    folder, rng = tmp_path_factory.mktemp("forms"), np.random.default_rng(seed)
    keys = [f"image {i}" for i in range(len(counts))]
    images = pd.DataFrame({"key": keys})
    column = {"car": CAR, "Person": PERSON, "traffic_light": LIGHT}
    expected = np.zeros((len(counts), 66), np.uint16)
    for row, one in zip(expected, counts, strict=True):
        for name, n in one.items():
            row[column[name]] = n
    wide = pd.DataFrame([{name: one.get(name) for name in column} for one in counts]).assign(key=keys)
    lists = [
        json.dumps(rng.permutation([name for name, n in one.items() for _ in range(n)]).tolist()) for one in counts
    ]
    cells = pd.DataFrame(
        {"key": keys, "list": lists, "json": [json.dumps(one) for one in counts], "text": list(map(str, counts))}
    )
    long = pd.DataFrame(
        [(key, name, n) for key, one in zip(keys, counts, strict=True) for name, n in one.items()]
        + [("other", "car", 1)],
        columns=["key", "class", "count"],
    )
    forms = [(wide, {}), *((cells, {"list_column": name}) for name in ("list", "json", "text"))]
    if len(long) > 1:
        forms.append((long, {"class_column": "class", "count_column": "count"}))
    for table, options in forms:
        table = table.sample(frac=1, random_state=seed)
        table.to_csv(folder / "c.csv", index=False)
        assert np.array_equal(read_object_counts(folder / "c.csv", images, CLASSES, **options).counts, expected)


@given(
    st.one_of(st.text(max_size=40), st.recursive(st.none() | st.floats() | st.text(max_size=4), st.lists, max_leaves=5))
)
@settings(max_examples=200, deadline=None)
def test_any_cell_is_counted_or_refused(cell):
    try:
        counts = objects_in(cell)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(name, str) and n > 0 for name, n in counts.items())


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_file_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "c.csv"
    for options in ({}, {"list_column": "o"}, {"class_column": "o"}):
        with pytest.raises(InputError):
            read(path, b"key,o\n" + content, IMAGES.iloc[:0], **options)
