"""Surveys in files of Stata and SPSS: the same values as from CSV, labels that count, and damaged files.

The independent readers and writers are pandas (Stata) and pyreadstat's writer (SPSS).
"""

import sys

import numpy as np
import pandas as pd
import pytest

from geolive.errors import InputError
from geolive.sources.survey.labelled_files import read_labelled
from geolive.sources.survey.reader import read_survey
from geolive.sources.survey.value_labels import means_missing
from tests.commands import run

pyreadstat = pytest.importorskip("pyreadstat")
ROWS = pd.DataFrame(
    {
        "x": [85.1, 84.0, 86.25, 85.5],
        "y": [25.6, 25.0, 26.5, 25.75],
        "wealth": [0.1 + 0.2, -1.5, 9.0, 2.0],
        "zone": [1.0, 2.0, 2.0, 1.0],
        "region": [10.0, 20.0, 20.0, 10.0],
        "town": ["Thiès", "Ouémé", "c", "d"],
    }
)
LABELS = {"zone": {1: "Urbain", 2: "Rural"}, "region": {10: "Centre", 20: "Nord"}, "wealth": {9: "Missing/DK"}}
TITLES = {"wealth": "Combined wealth score", "zone": "Area"}
VALUES = {"pov": "wealth"}


def write(path, rows=ROWS, **options):
    how = {"variable_value_labels": LABELS, "column_labels": TITLES} | options
    if path.suffix == ".dta":
        pyreadstat.write_dta(rows, path, **how)
    else:
        pyreadstat.write_sav(rows, path, **how)
    return path


def survey_of(path, **options):
    how = {"id": "town", "group": "region", "urban": "zone", "drop_invalid": True} | options
    return read_survey(path, "x", "y", VALUES, **how)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.sav", {}),
        ("b.sav", {"row_compress": True}),
        ("c.zsav", {"compress": True}),
        ("d.dta", {"version": 8}),
        ("e.dta", {"version": 12}),
        ("f.dta", {"version": 13}),
        ("g.dta", {"version": 15}),
    ],
)
def test_all_formats_give_the_same_survey_as_csv_and_their_labels_count(tmp_path, name, options):
    # Stata before 14 has names in one byte a letter, which pyreadstat's writer does not do
    ascii_names = name in ("d.dta", "e.dta", "f.dta")
    rows = ROWS.assign(town=["a", "b", "c", "d"]) if ascii_names else ROWS
    plain = rows.assign(
        zone=["U", "R", "R", "U"], region=["Centre", "Nord", "Nord", "Centre"], wealth=[0.3, -1.5, np.nan, 2.0]
    )
    plain.loc[0, "wealth"] = 0.1 + 0.2
    plain.to_csv(tmp_path / "plain.csv", index=False)
    expected, found = survey_of(tmp_path / "plain.csv"), survey_of(write(tmp_path / name, rows, **options))
    pd.testing.assert_frame_equal(pd.DataFrame(found.clusters), pd.DataFrame(expected.clusters), check_dtype=False)
    assert found.clusters["urban"].tolist() == [True, False, True]
    assert found.clusters["district_id"].tolist() == ["Centre", "Nord", "Centre"]
    assert found.extra["survey"]["missing_codes"] == {"wealth": {"9 Missing/DK": 1}}
    assert found.extra["survey"]["titles"] == {"wealth": "Combined wealth score"}
    assert found.rejects.to_dict("list") == {"row": [3], "reason": ["column 'wealth': missing value"]}


@pytest.mark.parametrize("version", [114, 117, 118, 119])
def test_pandas_reads_the_same_numbers_texts_and_labels(tmp_path, version):
    rows = pd.DataFrame(
        {
            "small": np.array([1, -2, 100], np.int8),
            "whole": np.array([1, -70_000, 2_000_000_000], np.int32),
            "seven": np.array([0.1, 1e10, np.nan], np.float32),
            "sixteen": [0.1 + 0.2, -1e300, np.nan],
            "text": ["a", "bb", ""],
        }
    )
    labels = {"small": {1: "one", -2: "two below"}}
    path = tmp_path / "t.dta"
    rows.to_stata(
        path, write_index=False, version=version, value_labels=labels, variable_labels={"sixteen": "Many digits"}
    )
    table = read_labelled(path, lambda names: names)
    read = pd.read_stata(path, convert_categoricals=False)
    for name in ("small", "whole", "seven", "sixteen"):
        np.testing.assert_array_equal(table.columns[name].to_numpy(float), read[name].to_numpy(float))
    assert table.texts("text") == ["a", "bb", ""]
    assert table.texts("whole") == ["1", "-70000", "2000000000"]
    assert table.texts("seven") == ["0.1", "10000000000", ""]
    assert table.labels == {"small": {1.0: "one", -2.0: "two below"}}
    assert table.titles == {"sixteen": "Many digits"}


def test_missing_values_that_an_spss_file_declares_are_missing(tmp_path):
    rows = ROWS.assign(wealth=[0.5, -1.5, 97.0, -8.0])
    path = write(
        tmp_path / "a.sav",
        rows,
        variable_value_labels={},
        missing_ranges={"wealth": [{"lo": 90, "hi": 99}, -8.0]},
    )
    assert survey_of(path, urban=None).clusters["pov"].tolist() == [0.5, -1.5]
    # without the declaration they are values
    path = write(tmp_path / "b.sav", rows, variable_value_labels={})
    assert survey_of(path, urban=None).clusters["pov"].tolist() == [0.5, -1.5, 97.0, -8.0]


def test_extended_missing_values_of_stata_are_missing(tmp_path):
    rows = ROWS.assign(wealth=pd.Series([1.0, 2.0, "a", "z"], dtype=object))
    path = write(tmp_path / "a.dta", rows, variable_value_labels={}, missing_user_values={"wealth": ["a", "z"]})
    assert survey_of(path, urban=None).clusters["pov"].tolist() == [1.0, 2.0]


def test_the_encoding_of_an_old_stata_file_is_found_or_named(tmp_path):
    towns = ROWS.assign(town=["Thiès", "Ouémé", "é", "d"])[["x", "y", "wealth", "town"]]
    towns.to_stata(tmp_path / "latin.dta", write_index=False, version=114)
    found = survey_of(tmp_path / "latin.dta", urban=None, group=None)
    assert found.clusters["unique_cluster"].tolist() == ["Thiès", "Ouémé", "é", "d"]
    assert found.extra["survey"]["encoding"] == "CP1252"
    utf8 = towns.assign(town=[town.encode().decode("latin-1") for town in towns["town"]])
    utf8.to_stata(tmp_path / "utf8.dta", write_index=False, version=114)
    found = survey_of(tmp_path / "utf8.dta", urban=None, group=None)
    assert found.clusters["unique_cluster"].tolist() == ["Thiès", "Ouémé", "é", "d"]
    assert "encoding" not in found.extra.get("survey", {})
    russian = towns.assign(town=[town.encode("cp1251").decode("latin-1") for town in ("Ош", "Нарын", "в", "г")])
    russian.to_stata(tmp_path / "russian.dta", write_index=False, version=114)
    found = survey_of(tmp_path / "russian.dta", urban=None, group=None, encoding="CP1251")
    assert found.clusters["unique_cluster"].tolist() == ["Ош", "Нарын", "в", "г"]


def test_a_column_that_is_not_there_is_refused_with_the_labels_of_those_that_are(tmp_path):
    with pytest.raises(InputError, match=r"no column 'wscore'; its columns are: .*'wealth' \(Combined wealth score\)"):
        read_survey(write(tmp_path / "a.sav"), "x", "y", {"pov": "wscore"})
    with pytest.raises(InputError, match=r"column 'zone': '3' \(Camp\) is neither urban"):
        labels = LABELS | {"zone": {1: "Urban", 2: "Rural", 3: "Camp"}}
        survey_of(write(tmp_path / "b.sav", ROWS.assign(zone=[1.0, 3.0, 3.0, 3.0]), variable_value_labels=labels))


def test_labels_that_are_alike_name_no_units(tmp_path):
    path = write(tmp_path / "a.sav", variable_value_labels={"region": {10: "Other", 20: "Other"}})
    assert survey_of(path, urban=None).clusters["district_id"].tolist() == ["10", "20", "20", "10"]


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("a.sav", b"", "does not begin as a file of SPSS does"),
        ("a.sav", b"$FL2 and nothing else", "cannot be read as a file of SPSS"),
        ("a.dta", b"x,y\n1,2\n", "does not begin as a file of Stata does"),
        ("a.dta", b"<stata_dta><header><release>118</release>", "cannot be read as a file of Stata"),
        ("a.dta", bytes([114, 2, 1, 0]), "cannot be read as a file of Stata"),
        ("missing.sav", None, "no such file"),
    ],
)
def test_files_that_cannot_be_read_are_refused_in_one_line(tmp_path, name, content, cause):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=cause) as caught:
        survey_of(tmp_path / name)
    assert "\n" not in str(caught.value)


# what pyreadstat makes of some damaged headers of Stata
NAMELESS = """print('{"variables": [[null, "", false, []]], "encoding": ""}')"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process has no signals and limits there")
@pytest.mark.parametrize(
    "program",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "print('no JSON')",
        "print('{}')",
        "print('[' * 100_000)",
        NAMELESS,
    ],
)
def test_a_reader_that_ends_or_says_nonsense_is_an_error_of_the_file(tmp_path, monkeypatch, program):
    (tmp_path / "program.py").write_text(program)
    monkeypatch.setattr("geolive.sources.survey.labelled_files._PROGRAM", tmp_path / "program.py")
    with pytest.raises(InputError, match="cannot be read as a file of SPSS"):
        survey_of(write(tmp_path / "a.sav"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit the memory of a process")
def test_the_memory_of_the_reader_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr("geolive.sources.survey.labelled_files._MEGABYTES", 300)
    monkeypatch.setattr("geolive.sources.survey.labelled_files._TIMES_THE_FILE", 0)
    # 4 million rows of one number, which SPSS's compression and zlib make small
    rows = pd.DataFrame({"x": np.zeros(4_000_000)})
    pyreadstat.write_sav(rows, tmp_path / "a.zsav", compress=True)
    assert (tmp_path / "a.zsav").stat().st_size < 300_000
    with pytest.raises(InputError, match="cannot be read as a file of SPSS"):
        read_labelled(tmp_path / "a.zsav", lambda names: names)


def test_the_command_line_reads_spss_and_says_what_was_missing(tmp_path):
    path = write(tmp_path / "hh.sav")
    done = run(
        "ingest", "survey", path, "--lon", "x", "--lat", "y", "--value", "pov=wealth", "--urban", "zone", "--drop-invalid",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (
        "column 'wealth' (Combined wealth score): codes that count as missing, with their rows: 9 Missing/DK (1)"
        in done.stderr
    )
    done = run("ingest", "survey", path, "--value", "pov=wealth", "--out", tmp_path / "other")
    assert done.returncode == 2
    assert "--lon" in done.stderr


@pytest.mark.parametrize(
    "label",
    [
        "Don't know",
        "Don’t know",
        "DK",
        "9 Missing",
        "(Missing)",
        "Ne sait pas",
        "Non déclaré",
        "No sabe/No responde",
        "NSP",
    ],
)
def test_labels_of_missing_answers(label):
    assert means_missing(label)


@pytest.mark.parametrize("label", ["None", "No", "Missing teeth", "0", "", "Nord", "Unknown Soldier Street", "9", "N"])
def test_labels_of_answers(label):
    assert not means_missing(label)
