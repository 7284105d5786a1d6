"""The words of a map: hexagons or districts, places of a grid or sites, and what opens it where data are few."""

import json
import re
from dataclasses import replace
from importlib import resources

import pytest

from geolive.auditing.audit import make_passport
from geolive.auditing.passport import measured
from geolive.cli.map_summary import show_map
from geolive.languages import LANGUAGES, open_language
from geolive.mapping.column_words import column_words
from geolive.mapping.page_data import page_data
from geolive.mapping.qgis_styles import count_tips
from geolive.mapping.webmap import page_bytes
from tests.mapping.districtmaps import fake_district_map

DISTRICT = {"en": "district", "fr": "district", "hi": "ज़िल"}


def hexagon_map():
    made = fake_district_map()
    ids = [f"hex25km_5_{i}_0" for i in range(len(made.districts))]
    return replace(made, districts=made.districts.assign(district_id=ids))


def grid_map():
    made = fake_district_map()
    sites = made.sites.assign(n_images=0, surveyed=[i % 3 == 0 for i in range(len(made.sites))])
    return replace(made, sites=sites)


def with_checks(*checks):
    return replace(fake_district_map(), passport=make_passport("a", "map", checks, {}, simulated=False))


@pytest.mark.parametrize("name", LANGUAGES)
def test_words_for_hexagons_leave_no_district_and_every_placeholder(name):
    plain, changed = open_language(name), open_language(name).of_hexagons()
    for key, text in changed.words.items():
        forms = list(text.values()) if isinstance(text, dict) else [text]
        before = plain.words[key]
        for form, was in zip(forms, before.values() if isinstance(before, dict) else [before], strict=True):
            assert re.findall(r"\{\w+\}", form) == re.findall(r"\{\w+\}", was), key
            outside = re.sub(r"\{\w+\}", "", form)
            assert key.startswith("source.") or DISTRICT[name] not in outside.lower(), key
            assert not any(
                f"{article} hexagone" in f" {outside}" for article in (" le", " du", " de", " ce", " que")
            ), key


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_page_of_a_hexagon_map_names_no_district(name):
    page = page_data(hexagon_map(), name)
    shown = [page[part] for part in ("facts", "sides", "region", "layers", "unsupported")]
    assert DISTRICT[name] not in json.dumps(shown, ensure_ascii=False).lower()
    assert DISTRICT[name] in json.dumps(page_data(fake_district_map(), name)["region"], ensure_ascii=False).lower()


def test_the_terminal_says_hexagons_and_places_of_a_grid(capsys):
    show_map(replace(hexagon_map(), sites=grid_map().sites), [])
    said = capsys.readouterr().out
    assert "36 supported hexagons" in said
    assert "Not supported: 2 of 38 hexagons" in said
    assert "1 place" in said
    assert "district" not in said.lower().replace("\n", " ")


def test_places_of_a_grid_are_called_so_wherever_they_are_counted():
    made = grid_map()
    page = page_data(made)
    heading = "Places (grid and survey)"
    assert page["sites"]["choice"] == heading
    assert heading in page["facts"]
    assert column_words(made)["n_sites"] == heading
    assert count_tips(made) == [f'{heading}: [% "n_sites" %]']
    assert column_words(fake_district_map())["n_sites"] == "Sites"


def test_a_map_of_few_places_opens_with_one_sentence_on_page_and_terminal(capsys):
    few = with_checks(
        measured("training_size", "model", 10.0, "few"), measured("skill_regression", "model", -0.5, "none")
    )
    sentence = (
        "The model was trained on only 10 places. This is too few to estimate districts: use this map as a sketch, and do not "
        "base decisions on it."
    )
    page = page_bytes(few).decode()
    assert sentence in page[: page.index("geolive-unit")] or sentence in page.split("<main", 1)[0]
    show_map(few, [])
    assert sentence in " ".join(capsys.readouterr().out.split())
    assert (
        "no better than the mean"
        in page_data(with_checks(measured("skill_regression", "model", -0.5, "none")))["caution"]
    )
    enough = with_checks(measured("training_size", "model", 500.0, "many"))
    assert page_data(enough)["caution"] == page_data(fake_district_map())["caution"] == ""
    assert '<p class="geolive-caution"' not in page_bytes(enough).decode()


def test_catalogues_with_wrong_pairs_are_refused(tmp_path):
    from geolive.errors import InputError

    words = json.loads(resources.files("geolive").joinpath("words/en.json").read_text(encoding="utf-8"))
    (tmp_path / "mine.json").write_text(json.dumps(words | {"hexagons": [["district"]]}))
    with pytest.raises(InputError, match='"hexagons" must be a list of pairs'):
        open_language(tmp_path / "mine.json")
