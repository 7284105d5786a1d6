"""Passports in the files of a map: read back as they are, and never trusted."""

import json
import sqlite3
from dataclasses import replace

import pytest

import geolive as gl
from geolive.auditing.page import page_text, write_passports
from geolive.auditing.passport import FORMAT, Check, Passport
from geolive.errors import InputError
from geolive.mapping.exports import write_files
from tests.mapping.districtmaps import EVIL, SCRIPT

KINDS = ["geojson", "gpkg", "xlsx", "parquet", "kml", "html", "tif"]


@pytest.fixture(scope="module")
def drawn():
    dataset = gl.make_sample("goa")
    return gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")


def hostile(text):
    check = Check("labels", "dataset", "WARN", f"{text}.", remedy=text, title=text, figure_text=text, threshold=text)
    return Passport(text, "map", (check,), {text: text}, True, "2026-01-01", "0.1.0")


@pytest.fixture(scope="module")
def files(drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    names = [folder / (f"goa_surface.{kind}" if kind == "tif" else f"goa.{kind}") for kind in KINDS]
    write_files(drawn, names)
    return dict(zip(KINDS, names, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_holds_the_whole_passport(drawn, files, kind):
    assert gl.audit(files[kind]) == drawn.passport == gl.audit(drawn)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", [EVIL, SCRIPT, '=HYPERLINK("x")', "]]> & &amp;quot; \\ \" ' é पटना"])
def test_hostile_text_comes_back_as_it_is(drawn, tmp_path, kind, text):
    name = tmp_path / (f"a_surface.{kind}" if kind == "tif" else f"a.{kind}")
    made = replace(drawn, passport=hostile(text), heading=text)
    write_files(made, [name])
    assert gl.audit(name) == made.passport
    if kind == "html":
        assert SCRIPT not in name.read_text().partition('type="application/json"')[2]


def test_a_map_with_another_title_has_a_passport_of_that_name(drawn, tmp_path):
    (path, *_) = drawn.with_words(title="Wealth of Goa").to_file(tmp_path / "a.geojson")
    assert gl.audit(path).name == "Wealth of Goa"


def test_a_page_of_several_indicators_holds_one_for_each(drawn, tmp_path):
    from geolive.auditing.embedded import read_passports

    path = tmp_path / "two.html"
    other = replace(drawn, indicator=drawn.indicator.with_words(label="Wealth again"))
    write_files(drawn, [path], others=[replace(other, heading="Second")])
    assert [passport.name for passport in read_passports(path)] == [drawn.title, "Second"]


@pytest.mark.parametrize("name", ["a.csv", "a.png", "a.fgb", "a.qgz"])
def test_a_file_without_room_says_which_has_one(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match=r"holds no passport, since .*; audit"):
        gl.audit(tmp_path / name)


def test_a_file_that_another_program_saved_says_so(files, tmp_path):
    data = json.loads(files["geojson"].read_text())
    del data["passport"]
    (tmp_path / "saved.geojson").write_text(json.dumps(data))
    with pytest.raises(InputError, match="holds no passport, as where another program has saved it"):
        gl.audit(tmp_path / "saved.geojson")


GOOD = hostile("x").to_json()


@pytest.mark.parametrize(
    "passport",
    [
        [],
        "x",
        {**GOOD, "format": "geolive passport 99"},
        {**GOOD, "checks": [{}]},
        {**GOOD, "checks": GOOD["checks"] * 101},
        {**GOOD, "checks": [{**GOOD["checks"][0], "status": "GREAT"}]},
        {**GOOD, "checks": [{**GOOD["checks"][0], "figure": "1"}]},
        {**GOOD, "name": "x" * 2001},
        {**GOOD, "facts": {"a": 1}},
        {**GOOD, "simulated": "no"},
        {**GOOD, "simulated": 0},
    ],
)
def test_what_is_no_passport_is_refused_in_one_line(tmp_path, passport):
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "passport": passport, "features": []}))
    with pytest.raises(InputError, match="not in geolive's format") as caught:
        gl.audit(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b"{", b"null", b""])
@pytest.mark.parametrize("kind", [*KINDS, "json"])
def test_damaged_files_end_in_one_line(tmp_path, kind, content):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(content)
    with pytest.raises(InputError):
        gl.audit(path)


def test_a_view_in_place_of_the_metadata_is_not_run(tmp_path):
    path = tmp_path / "a.gpkg"
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE VIEW gpkg_metadata AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
            "SELECT i AS metadata, i AS md_standard_uri FROM n"
        )
    with pytest.raises(InputError, match="holds no passport"):
        gl.audit(path)


def test_the_page_escapes_and_runs_nothing():
    text = page_text([hostile(EVIL), hostile(SCRIPT)])
    assert "<script" not in text
    assert "<img" not in text
    assert "default-src 'none'" in text
    assert "SIMULATED" in text


def test_json_is_read_back(drawn, tmp_path):
    path = write_passports([drawn.passport], tmp_path / "audit.json")
    assert json.loads(path.read_text())["format"] == FORMAT
    assert gl.audit(path) == drawn.passport


def test_a_passport_is_small(drawn):
    assert len(json.dumps(drawn.passport.to_json())) < 12_000
