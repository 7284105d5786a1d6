"""Any line gives a row or a reason, the same from Arrow and line by line. test_reader.py has the files around the lines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.sources.paper.blocks import _PIECE, read_blocks, read_line_by_line, read_usual_block
from geolive.sources.paper.rows import RowReader
from tests.sources.paper.papertable import NAMES, row, text

HEADER = text([row()]).split("\n")[0].split(",")
GOOD = text([row(objects=(0, 2, 10, 64, 255))]).split("\n")[1]


def line(**changed):
    return text([row(**changed)]).removesuffix("\n").partition("\n")[2]


def outcome(reader, parts):
    parts = list(parts)
    rows = [
        (*r.values(), reader.clusters[r["cluster"]], {int(i): int(counts[i]) for i in np.flatnonzero(counts)})
        for part in parts
        for r, counts in zip(part.table.to_pylist(), part.objects, strict=True)
    ]
    return rows, [reject for part in parts for reject in part.rejects]


def both(block, header=HEADER, good=GOOD):
    """What becomes of a block of lines after a good one, which must not depend on how it is read."""
    first = good.encode() + b"\n"
    block = block.encode(errors="surrogateescape") if isinstance(block, str) else block
    scanned, book = RowReader(header), RowReader(header)
    found = outcome(scanned, read_blocks(scanned, [lambda: first, lambda: block], 2))
    assert found == outcome(book, (read_line_by_line(book, part, n) for part, n in ((first, 2), (block, 3))))
    return found


def only(block):
    """Row or reason of a block of one line."""
    rows, rejects = both(block)
    assert len(rows) + len(rejects) == 2
    return rows[1] if len(rows) == 2 else rejects[0][1]


def test_a_row_is_read():
    number, key, lon, lat, _, path, cluster, objects = only(line(key="k", objects=(2, 2, 255)))
    assert (number, key, lon, lat, path, objects) == (3, "k", 85.1, 25.6, "", {2: 2, 65: 1})
    assert cluster == ("ia_50001", "ia", (85.0, 25.5), (-0.5, 0, 900.5, 1, 20.25, 0))


@pytest.mark.parametrize(
    "usual",
    [
        GOOD,
        GOOD + "\r\n",
        line(objects=()),
        line(objects=(10,)),
        line(confidence=[1e-7, 0, 1.0]),
        line(ilon=-85, ilat="-0.0"),
        line(unique_cluster="ia_50002"),
    ],
)
def test_arrow_reads_usual_lines(usual):
    expected = only(usual)
    reader = RowReader(HEADER)
    assert read_usual_block(reader, GOOD.encode() + b"\n", 2) is None  # the names of its classes are not known yet
    reader.read(GOOD.encode(), 2)
    block = read_usual_block(reader, usual.encode(), 3)
    assert block.rejects == []
    assert block.table["key"].to_pylist() == [expected[1]]


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
    assert only(line(**changed)) == reason


@pytest.mark.parametrize(
    "broken",
    [
        "a,b",
        GOOD + ",",
        GOOD[:-30],
        GOOD.replace("]", '"', 1),
        GOOD.replace(",", '"', 1),
        '"',
        ",",
        "é",
        "\udcff",
        "\0",
        "\r\r",
    ],
)
def test_a_broken_line_is_rejected(broken):
    assert isinstance(only(broken), str)


@pytest.mark.parametrize("between", ['"', '""', '","', ',"', '",', ""])
def test_what_stands_between_two_lists(between):
    assert GOOD.count(']","[') == 2
    both(GOOD.replace(']","[', f"]{between}["))


def test_many_objects_of_one_class():
    for n in (63, 64, 65, 128, 129, 300):
        rows, _ = both(line(objects=(2,) * n + (10,) + (2,) * n))
        assert rows[1][7] == {2: 2 * n, 10: 1}


def test_a_line_of_any_length_is_rejected():
    assert only(line(key="k" * 200_000)) == "line: quotes do not match, or a field is too long"
    assert only(line(key="k" * 2_000_000)) == "line: too long"


def test_deep_nesting_is_bad_json():
    assert only(line(confidence="[" * 60_000)) == "confidence: bad JSON"


def test_empty_lines_are_no_rows_and_numbers_go_on():
    rows, rejects = both("\n\r\n" + line(key="k") + "\n\nbad\n" + line(key="l"))
    assert [r[:2] for r in rows] == [(2, "a"), (5, "k"), (8, "l")]
    assert [number for number, _ in rejects] == [7]


def test_one_unusual_line_among_many_and_a_class_that_is_named_late():
    many = [line(key=f"k{i}") for i in range(600)]
    named = line(key="n", features=[5, 5, 5], features_name=["Pole"] * 3)
    lines = [*many[:250], "bad", *many[250:400], named, *many[400:], line(key="l", features=[5] * 3)]
    block = "\n".join(lines)
    assert len(block) > 2 * _PIECE
    rows, rejects = both(block)
    assert [r[1] for r in rows] == ["a", *(f"k{i}" for i in range(400)), "n", *(f"k{i}" for i in range(400, 600))]
    assert rejects == [(253, "line: wrong number of fields"), (605, "features_name: two names for one class")]
    assert rows[401][7] == {5: 3}


def test_a_bad_value_of_a_cluster_rejects_all_its_rows():
    bad = line(key="b", pov="x")
    rows, rejects = both("\n".join([bad, bad, line(key="g"), bad]))
    assert [r[1] for r in rows] == ["a", "g"]
    assert rejects == [(number, "pov: not a number") for number in (3, 4, 6)]


def test_kenyas_bmi_of_0_is_missing():
    assert only(line(unique_cluster="ke_7", bmi=0, bmi_label=0))[6].surveyed == (-0.5, 0, 900.5, 1, None, None)
    assert only(line(bmi=0, bmi_label=0))[6].surveyed[4:] == (0, 0)


def test_a_class_of_two_names_in_one_row():
    twice = line(features=[10, 10], features_name=["Road", "Street"], confidence=[0.5, 0.5])
    assert only(twice) == "features_name: two names for one class"
    assert only(line(features_name=["Guard Rail", "x" * 201, "Void"])) == "features_name: a name is too long"


@pytest.mark.parametrize("first", [["confidence"], ["features", "features_name", "confidence"]])
def test_columns_may_come_in_any_order(first):
    columns = [*first, "", *reversed([c for c in HEADER if c not in first])]
    header, good, other = text([row("a") | {"": 7}, row("b") | {"": 8}], columns).splitlines()
    rows, rejects = both(other, header.split(","), good)
    assert [r[1:4] for r in rows] == [("a", 85.1, 25.6), ("b", 85.1, 25.6)]
    assert not rejects


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_gives_rows_or_reasons(anything):
    assert both(anything)


# a good line, damaged in a few places: what random text never gets past
pieces = st.sampled_from(
    ['"', ",", "[", "]", '""', '","[', ']"', "\r", " ", "e", "1", "-", ".", "true", "null", "\0", "é", "_", "\n"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 6), pieces | st.just("")), min_size=1, max_size=4))
def test_a_damaged_line_gives_the_same_both_ways(edits):
    damaged = GOOD
    for at, cut, put in edits:
        damaged = damaged[:at] + put + damaged[at + cut :]
    assert both(damaged)


numbers = (
    st.floats(allow_nan=False).map(repr)
    | st.integers().map(str)
    | st.sampled_from(["0", "1", "255", "64", "1e3", "01"])
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([*NAMES]) | st.integers(-1, 300), max_size=4),
    st.lists(numbers, max_size=4),
    st.dictionaries(
        st.sampled_from(["ilon", "ilat", "lon", "lat", "pov", "bmi", "pov_label", "key"]), numbers | st.text()
    ),
)
def test_lists_and_numbers_give_the_same_both_ways(objects, confidence, changed):
    plain = {name: value.replace("\n", "") for name, value in changed.items()}
    assert both(line(objects=objects, confidence=f"[{', '.join(confidence)}]", **plain))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.just(GOOD.encode()) | st.just(GOOD.encode() + b"\r"), max_size=6))
def test_any_bytes_give_a_row_or_a_reject_each(lines):
    block = b"\n".join(lines)
    rows, rejects = both(block)
    numbers = [n for n, each in enumerate(block.split(b"\n"), 3) if each not in (b"", b"\r")]
    assert sorted([r[0] for r in rows] + [n for n, _ in rejects]) == [2, *numbers]
