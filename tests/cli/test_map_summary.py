"""What the terminal says of a map: a few names, whole numbers, singular and plural."""

from dataclasses import replace

from geolive.cli.map_summary import not_supported_words, show_map
from geolive.indicators import indicator
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


def test_large_values_have_no_exponent(capsys):
    made = fake_district_map(name="pop")
    columns = ["pop", "pop_lower", "pop_upper"]
    made = replace(made, districts=made.districts.assign(**{c: made.districts[c] * 500 + 1500 for c in columns}))
    show_map(replace(made, indicator=indicator("pop")), [])
    said = capsys.readouterr().out
    assert "e+0" not in said
    assert "1," in said
