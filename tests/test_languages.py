"""Catalogues of words: the built-in ones hold the same, and a user's own is checked; not how the page uses them."""

import datetime
import json
import pickle
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.languages import LANGUAGES, open_language, phrase
from geolive.phrases import Decimal, Percent, sentences
from geolive.wording import decimal_text, percent_text
from tests.browser import browser, needs_browser

OTHERS = [name for name in LANGUAGES if name != "en"]


def catalogue(name: str) -> dict:
    return json.loads(resources.files("geolive").joinpath("words", f"{name}.json").read_text(encoding="utf-8"))


def placeholders(text) -> set[str]:
    import string

    texts = text.values() if isinstance(text, dict) else [text]
    return {name for each in texts for _, name, _, _ in string.Formatter().parse(each) if name}


@pytest.mark.parametrize("name", OTHERS)
def test_every_catalogue_has_the_keys_and_placeholders_of_the_english_one(name):
    english, other = catalogue("en"), catalogue(name)
    assert list(other) == list(english)
    assert list(other["words"]) == list(english["words"])
    for key, text in english["words"].items():
        translated = other["words"][key]
        assert type(translated) is type(text), key
        assert placeholders(translated) == placeholders(text), key
        assert all(translated.values() if isinstance(translated, dict) else [translated]), f"{key} is empty"


@pytest.mark.parametrize("name", OTHERS)
def test_no_sentence_is_left_in_english(name):
    english, other = open_language("en").words, open_language(name).words
    same = [
        key for key, text in english.items() if isinstance(text, str) and other[key] == text and len(text.split()) > 3
    ]
    assert same == []


def test_hindi_is_written_in_devanagari():
    for key, text in open_language("hi").words.items():
        texts = text.values() if isinstance(text, dict) else [text]
        letters = [letter for each in texts for letter in each if letter.isalpha()]
        # names of programs and formats, and patterns of placeholders alone
        if key.startswith(("page.titled", "page.title", "page.comma", "columns.value", "how.model_is", "how.and")):
            continue
        assert any("\u0900" <= letter <= "\u097f" for letter in letters), key


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_english_numbers_are_those_of_every_other_output(value, digits):
    assert open_language("en").number(value, digits) == decimal_text(value, digits)


@given(st.floats(0, 1))
def test_english_percentages_are_those_of_every_other_output(share):
    assert open_language("en").share(share) == percent_text(share)


def test_numbers_have_the_form_of_the_language():
    assert open_language("hi").number(12345678) == "1,23,45,678"
    assert open_language("fr").number(-12345.678, 2) == "−12\u202f345,68"
    assert open_language("fr").share(0.125) == "12,5\u202f%"
    assert open_language("hi").day(datetime.date(2026, 3, 9)) == "09/03/2026"
    assert open_language("fr").number(-0.001, 2) == "0,00"


@pytest.mark.browser
@needs_browser[1]
@needs_browser[2]
def test_numbers_and_plurals_are_those_of_the_browser():
    numbers = [0, 7, 999, 1000, 99999, 100000, 12345678, -1234567]
    counts = [*range(103), 1000, 100000]
    with browser() as running:
        page = running.new_page()
        for name in LANGUAGES:
            language = open_language(name)
            made = page.evaluate(
                "([tag, ns]) => ns.map(n => new Intl.NumberFormat(tag + '-u-nu-latn').format(n))", [name, numbers]
            )
            assert [text.replace("-", "−") for text in made] == [language.number(n) for n in numbers], name
            forms = page.evaluate("([tag, ns]) => ns.map(n => new Intl.PluralRules(tag).select(n))", [name, counts])
            assert forms == ["one" if n in language.singular else "other" for n in counts], name


def test_a_phrase_is_a_plain_text_that_can_be_written_in_another_language():
    sites = phrase("counts.sites", count=1)
    text = phrase("support.sites_images", sites=sites, images=phrase("counts.images", count=1200))
    assert text == "fewer than 1 site or 1,200 images"
    assert json.dumps({"text": text}) == '{"text": "fewer than 1 site or 1,200 images"}'
    assert open_language("fr").of(text) == "moins de 1 site ou de 1\u202f200 images"
    both = sentences(text, "", "Patna")
    assert (both, open_language("fr").of(both)) == (f"{text} Patna", "moins de 1 site ou de 1\u202f200 images Patna")
    again = pickle.loads(pickle.dumps(text))
    assert open_language("fr").of(again) == "moins de 1 site ou de 1\u202f200 images"


def test_values_are_written_in_the_language_and_never_read_as_templates():
    error = phrase("how.error", error=Decimal(1234.5, 1), unit="{error} {0} {unit}")
    assert open_language("fr").of(error) == "une erreur courante est de 1\u202f234,5 ({error} {0} {unit})"
    assert open_language("hi").of(phrase("facts.interval", level=Percent(0.9))) == "90% अंतराल"
    assert open_language("hi").text("about.covariates", covariates=["a", "b"]) == "सहचर: a, b।"


def own(tmp_path, **changes):
    path = tmp_path / "sw.json"
    path.write_text(json.dumps({"language": "sw", "base": "en", "words": {}} | changes), encoding="utf-8")
    return path


def test_a_catalogue_of_ones_own(tmp_path):
    path = own(
        tmp_path, decimal=",", group=".", words={"facts.value": "Thamani", "page.title": "{region}: {indicator}"}
    )
    language = open_language(path)
    assert (language.tag, language.text("facts.value"), language.text("facts.images")) == ("sw", "Thamani", "Images")
    assert language.number(1234.5, 1) == "1.234,5"
    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps(catalogue("fr")), encoding="utf-8")
    assert open_language(str(whole)) == open_language("fr")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"words": {"facts.worth": "x"}}, "'facts.worth', which is no key of the English catalogue"),
        ({"words": {"page.title": "{indicator}"}}, "'page.title' lacks the placeholder {region}"),
        ({"words": {"facts.value": "{worth}"}}, "'facts.value' has the placeholder {worth}"),
        ({"words": {"counts.sites": "{count} x"}}, "'counts.sites' depends on a number: give the two forms"),
        ({"words": {"counts.sites": {"one": "x", "other": "x"}}}, "'counts.sites' lacks the placeholder {count}"),
        ({"words": {"facts.value": 3}}, "'facts.value' must be a text"),
        ({"words": []}, 'give an object with "language" and "words"'),
        ({"base": None}, 'keys, first \'about.benchmarked\'; translate them, or add "base": "en"'),
        ({"base": "xx"}, "\"base\" is 'xx'; it must be one of en, hi, fr"),
        ({"language": "<b>"}, "give a language tag"),
        ({"direction": "up"}, 'it must be "ltr" or "rtl"'),
        ({"percent": "%"}, '"percent" must be a text with {number}'),
        ({"grouping": []}, '"grouping" must not be empty'),
        ({"grouping": [0]}, '"grouping" must be a list of whole numbers'),
        ({"decimal": "0"}, '"decimal" must be one character'),
        ({"colour": "red"}, "has 'colour'; it may have"),
    ],
)
def test_a_wrong_catalogue_is_one_line_that_names_the_place(tmp_path, changes, complaint):
    with pytest.raises(InputError) as raised:
        open_language(own(tmp_path, **changes))
    assert complaint in str(raised.value)
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_no_catalogue_is_one_line(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.json: is not a JSON file"):
        open_language(path)
    with pytest.raises(InputError, match="cannot be read"):
        open_language(tmp_path / "none.json")
