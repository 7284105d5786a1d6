"""The passport of a map: what the page says of it, in each language."""

import json
from importlib import resources

import pytest

import geolive as gl
from geolive.auditing.rules import RULES
from geolive.languages import LANGUAGES, open_language
from geolive.mapping.page_method import how_it_was_made
from geolive.mapping.passport_words import passport_words
from geolive.mapping.webmap import page_bytes


@pytest.fixture(scope="module")
def drawn():
    dataset = gl.make_sample("goa")
    return gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")


def test_the_catalogue_has_the_title_of_every_check():
    words = json.loads(resources.files("geolive").joinpath("words/en.json").read_text(encoding="utf-8"))["words"]
    assert {f"passport.check_{id}": rule.title for id, rule in RULES.items()} == {
        key: text for key, text in words.items() if key.startswith("passport.check_")
    }


@pytest.mark.parametrize("tag", LANGUAGES)
def test_the_page_says_how_many_checks_fail_and_which(drawn, tag):
    language = open_language(tag)
    said = language.of(passport_words(drawn.passport))
    page = page_bytes(drawn, language=tag).decode()
    assert language.text("how.passport") in page
    assert said.replace("'", "&#39;") in page or said in page
    assert language.text("passport.check_simulation") in said
    counts = [sum(check.status == status for check in drawn.passport.checks) for status in ("FAIL", "PASS")]
    assert all(language.number(count) in said for count in counts)


def test_a_map_without_a_passport_says_nothing_of_it(drawn):
    from dataclasses import replace

    terms = [str(term) for term, _ in how_it_was_made(replace(drawn, passport=None))]
    assert "Passport" not in terms
    assert "Passport" in [str(term) for term, _ in how_it_was_made(drawn)]
