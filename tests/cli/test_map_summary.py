"""What the terminal says of a map: a few names, whole numbers, singular and plural."""

from dataclasses import replace

import numpy as np

from geolive.auditing.audit import make_passport
from geolive.auditing.passport import Check
from geolive.cli.map_summary import failed_words, not_supported_words, show_map
from geolive.indicators import indicator
from geolive.mapping.page_data import page_data
from tests.mapping.districtmaps import fake_district_map


def test_districts_without_support_are_counted_and_the_first_named():
    made = fake_district_map()
    words = not_supported_words(made)
    assert words.startswith("Not supported: 2 of 38 districts, with fewer than 3 sites or 100 images: ")
    assert "Sheohar (1 site, 3 images)" in words
    assert " more" not in words
    none = replace(made, districts=made.districts.assign(supported=False))
    assert not_supported_words(none).endswith(" and 33 more")
    assert len(not_supported_words(none)) < 400
    assert not_supported_words(replace(made, districts=made.districts.assign(supported=True))) == ""


def test_all_districts_on_request_and_what_to_do_next(capsys, tmp_path):
    made = fake_district_map()
    show_map(made, [tmp_path / "pov.html", tmp_path / "pov.geojson"])
    few = capsys.readouterr().out
    show_map(made, [], everything=True)
    everything = capsys.readouterr().out
    names = made.districts.loc[made.districts["supported"], "district"]
    assert sum(name in few for name in names) < 20
    assert all(name.split()[0] in everything for name in names)
    assert "All 36 supported districts" in everything
    assert "Next: open " in few
    assert "pov.geojson into QGIS" in few.replace("\n", " ").replace("  ", " ")
    assert "Next:" not in everything


def test_the_ranking_begins_where_the_page_and_the_files_begin(capsys):
    for made, first in ((fake_district_map(), "poorest"), (fake_district_map(name="pop"), "densest")):
        show_map(made, [])
        said = capsys.readouterr().out
        assert f"First five of 36 supported districts; rank 1 is {first}" in said
        name = made.indicator.name
        ranked = made.districts[made.districts["supported"]].sort_values(name, ascending=first == "poorest")
        assert ranked["district"].iloc[0] in said
        assert said.index(ranked["district"].iloc[0]) < said.index(ranked["district"].iloc[-1])
        assert ranked["rank_best"].iloc[0] == 1
        assert page_data(made)["ranked_from"] == made.indicator.ranked_from


def test_large_values_have_no_exponent(capsys):
    made = fake_district_map(name="pop")
    columns = ["pop", "pop_lower", "pop_upper"]
    made = replace(made, districts=made.districts.assign(**{c: made.districts[c] * 500 + 1500 for c in columns}))
    show_map(replace(made, indicator=indicator("pop")), [])
    said = capsys.readouterr().out
    assert "e+0" not in said
    assert "1," in said


def test_districts_of_one_name_are_told_apart_by_their_state(capsys):
    made = fake_district_map()
    districts = made.districts.copy()
    rows = districts.index[districts["supported"]][:2]
    districts.loc[rows, "district"] = "Aurangabad"
    districts.loc[rows, "state"] = ["Bihar", "Maharashtra"]
    show_map(replace(made, districts=districts), [], everything=True)
    said = capsys.readouterr().out
    assert "Aurangabad (Bihar)" in said
    assert "Aurangabad (Maharashtra)" in said
    assert "Patna (Bihar)" not in said


def test_ranks_of_very_many_districts_are_made_in_another_way_and_that_is_said(capsys, monkeypatch):
    made = fake_district_map()
    show_map(made, [])
    assert "stepdown" not in capsys.readouterr().out
    monkeypatch.setattr("geolive.estimation.ranks.MOST_STEPDOWN", 35)
    show_map(made, [])
    said = " ".join(capsys.readouterr().out.split())
    assert "Ranks of more than 35 districts are computed without stepdown: they are as valid" in said


def with_checks(made, *checks):
    passport = make_passport("a map", "map", list(checks), {}, simulated=made.provenance.simulated)
    return replace(made, passport=passport)


def test_checks_that_fail_are_named_with_the_command_that_shows_all(capsys, tmp_path):
    made = fake_district_map()
    simulated = Check("simulation", "map", "FAIL", "Simulated.")
    skill = Check("skill_regression", "model", "FAIL", "No skill.")
    passes = Check("labels", "dataset", "PASS", "Right.")
    page, layer = tmp_path / "x.html", tmp_path / "x.geojson"
    assert failed_words(with_checks(made, passes), [page]) == ""
    assert failed_words(made, [page]) == ""
    one = failed_words(with_checks(made, simulated, passes), [layer, page])
    assert one == f"Passport: FAIL in 1 check (Simulated data); geolive audit {page} shows all"
    two = failed_words(with_checks(made, simulated, passes, skill), [layer])
    assert two == f"Passport: FAIL in 2 checks (Simulated data, Skill); geolive audit {layer} shows all"
    # a picture holds no passport, so no command could show it
    assert failed_words(with_checks(made, skill), [tmp_path / "x.png"]) == "Passport: FAIL in 1 check (Skill)"
    show_map(with_checks(made, skill), [page])
    assert "Passport: FAIL in 1 check (Skill); geolive audit" in capsys.readouterr().out


def test_where_no_district_is_told_apart_none_is_called_first_or_last(capsys):
    made = fake_district_map()
    wide = made.districts.assign(pov_lower=made.districts["pov"] - 50, pov_upper=made.districts["pov"] + 50)
    show_map(replace(made, districts=wide), [])
    said = capsys.readouterr().out
    assert "None of 36 supported districts can be distinguished from the region's mean" in said
    assert "First five" not in said
    assert "Tied" not in said
    show_map(replace(made, districts=wide), [], everything=True)
    everything = capsys.readouterr().out
    assert "All 36 supported districts" in everything
    assert "None of 36" not in everything
    # one that is distinguished is enough for a ranking
    row = wide.index[wide["supported"]][0]
    wide.loc[row, ["pov", "pov_lower", "pov_upper"]] = np.array([9.0, 8.5, 9.5])
    show_map(replace(made, districts=wide), [])
    assert "First five of 36" in capsys.readouterr().out


def test_a_line_break_in_a_name_is_shown_as_a_space(capsys):
    made = fake_district_map(rename={"Patna": "Pat\nna", "Sheohar": "Sheo\r\nhar"})
    show_map(made, [], everything=True)
    said = capsys.readouterr().out
    assert "Pat na" in said
    assert "Sheo har (1 site" in said
