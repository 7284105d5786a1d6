"""Any line gives a row or a reason; the short way and the book give the same. The files around the lines: test_paper.py."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.sources.paper_blocks import read_block
from geolive.sources.paper_rows import BadRow, RowReader
from tests.sources.papertable import NAMES, row, text

HEADER = text([row()]).split("\n")[0].split(",")
GOOD = text([row(objects=(0, 2, 10, 64, 255))]).split("\n")[1]


def line(**changed):
    return text([row(**changed)]).removesuffix("\n").partition("\n")[2]


def taught(**options):
    """A reader that knows the classes' names, so that it may take the short way."""
    reader = RowReader(HEADER, **options)
    reader.read(GOOD, 2)
    return reader


def outcome(reader, text):
    try:
        key, lon, lat, cluster, classes, path = reader.read(text, 3)
    except (BadRow, InputError) as error:
        return type(error), str(error)
    return key, lon, lat, reader.clusters[cluster], classes, path


def both(text):
    short, book = outcome(taught(), text), outcome(taught(by_the_book_only=True), text)
    assert short == book
    return short


def test_a_row_is_read():
    key, lon, lat, cluster, classes, _ = both(line(key="k", objects=(2, 2, 255)))
    assert (key, lon, lat, list(classes)) == ("k", 85.1, 25.6, [2, 2, 255])
    assert cluster == ("ia_50001", "ia", (85.0, 25.5), (-0.5, 0, 900.5, 1, 20.25, 0))


def test_the_short_way_is_taken():
    reader = taught()
    reader._by_the_book = None
    assert reader.read(line(key="k", objects=(2, 255)), 3)[0] == "k"
    assert reader.read(line(key="l", objects=()).replace("[]", '"[]"'), 4)[4] == b""


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"key": ""}, "key: empty"),
        ({"unique_cluster": "", "country": "ia"}, "unique_cluster: empty"),
        ({"country": "xx"}, "country: neither ia nor ke"),
        ({"ilon": "nan"}, "ilon, ilat: not a number"),
        ({"ilon": "8_5"}, "ilon, ilat: not a number"),
        ({"ilat": ""}, "ilon, ilat: not a number"),
        ({"ilat": 90.5}, "ilon, ilat: out of range"),
        ({"lat": -91}, "lon, lat: out of range"),
        ({"lon": ""}, "lon, lat: not a number"),
        ({"features": "[2, 10"}, "features: bad JSON"),
        ({"features": '{"a": 1}'}, "features: not a list"),
        ({"features": "[2, 10, 1.5]"}, "features: not a list of class indexes"),
        ({"features": "[2, 10, true]"}, "features: not a list of class indexes"),
        ({"features": [2, 10, 65]}, "features: class index out of range"),
        ({"features": [2, 10, -1]}, "features: class index out of range"),
        ({"features": [2, 10]}, "features, features_name, confidence: differ in length"),
        ({"features_name": "['Road']"}, "features_name: bad JSON"),
        ({"features_name": [1, 2, 3]}, "features_name: not a list of names"),
        ({"confidence": "[0.5, 0.6, NaN]"}, "confidence: bad JSON"),
        ({"confidence": [0.5, 0.6, "a"]}, "confidence: not a list of numbers"),
        ({"confidence": [0.5, 0.6, None]}, "confidence: not a list of numbers"),
        ({"confidence": [0.5, 0.6, True]}, "confidence: not a list of numbers"),
        ({"confidence": [0.5]}, "features, features_name, confidence: differ in length"),
        ({"pov": "n/a"}, "pov: not a number"),
        ({"pov": "inf"}, "pov: not a number"),
        ({"bmi_label": 2}, "bmi_label: neither 0 nor 1"),
        ({"pop": ""}, "pop_label: without a value"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason(changed, reason):
    assert both(line(**changed)) == (BadRow, reason)


@pytest.mark.parametrize(
    "broken", ["", "a,b", GOOD + ",", GOOD[:-30], GOOD.replace("]", '"', 1), GOOD.replace(",", '"', 1), '"']
)
def test_a_broken_line_is_rejected(broken):
    assert both(broken)[0] is BadRow


def test_a_line_of_any_length_is_rejected():
    assert both(line(key="k" * 200_000)) == (BadRow, "line: quotes do not match, or a field is too long")
    assert both(line(key="k" * 2_000_000)) == (BadRow, "line: too long")


def test_kenyas_bmi_of_0_is_missing():
    assert both(line(unique_cluster="ke_7", bmi=0, bmi_label=0))[3].surveyed == (-0.5, 0, 900.5, 1, None, None)
    assert both(line(bmi=0, bmi_label=0))[3].surveyed[4:] == (0, 0)


def test_a_class_of_two_names_is_an_error():
    kind, words = both(line(features_name=["Guard Rail", "Street", "Void"]))
    assert kind is InputError
    assert words.startswith("line 3: class 10 is called 'Street', in line 2 'Road'")


def test_columns_may_come_in_any_order():
    columns = ["confidence", "", *reversed([c for c in HEADER if c != "confidence"])]
    header, body = text([row() | {"": 7}], columns).splitlines()
    assert outcome(RowReader(header.split(",")), body) == outcome(RowReader(HEADER), line())


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_text_gives_a_row_or_a_reason(anything):
    both(anything)


# a good line, damaged in a few places: what random text never gets past
pieces = st.sampled_from(
    ['"', ",", "[", "]", '""', '","[', ']"', "\r", " ", "e", "1", "-", ".", "true", "null", "\0", "é", "_"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 6), pieces | st.just("")), min_size=1, max_size=4))
def test_a_damaged_line_gives_the_same_both_ways(edits):
    damaged = GOOD
    for at, cut, put in edits:
        damaged = damaged[:at] + put + damaged[at + cut :]
    both(damaged)


numbers = (
    st.floats(allow_nan=False).map(repr)
    | st.integers().map(str)
    | st.sampled_from(["0", "1", "255", "64", "1e3", "01"])
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.sampled_from([*NAMES]) | st.integers(-1, 300), max_size=4),
    st.lists(numbers, max_size=4),
    st.dictionaries(
        st.sampled_from(["ilon", "ilat", "lon", "lat", "pov", "bmi", "pov_label", "key"]), numbers | st.text()
    ),
)
def test_lists_and_numbers_give_the_same_both_ways(objects, confidence, changed):
    plain = {name: value.replace("\n", "") for name, value in changed.items()}
    both(line(objects=objects, confidence=f"[{', '.join(confidence)}]", **plain))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.just(GOOD.encode()) | st.just(GOOD.encode() + b"\r"), max_size=6))
def test_any_bytes_give_a_row_or_a_reject_each(lines):
    block = b"\n".join(lines)
    batch = read_block(RowReader(HEADER), block, 2)
    rejected = json.loads(batch.schema.metadata[b"rejects"])
    numbers = [n for n, each in enumerate(block.split(b"\n"), 2) if each not in (b"", b"\r")]
    assert sorted(batch["line"].to_pylist() + [n for n, _ in rejected]) == numbers
