"""Sentences to read aloud: that they say what the table holds."""

from dataclasses import replace

import numpy as np
import pytest

from geolive.indicators import indicator
from geolive.mapping.page_sentences import comparison_sentences, district_sentences, rank_words, region_sentences
from geolive.mapping.region_mean import compare_with_mean, region_mean
from geolive.wording import decimal_text
from tests.mapping.districtmaps import fake_district_map


def said_of(made, name: str) -> str:
    at = int((made.districts["district"] == name).to_numpy().argmax())
    return district_sentences(made, made.districts.iloc[at].to_dict(), int(compare_with_mean(made)[at]))


def test_a_district_in_a_sentence():
    made = fake_district_map()
    patna = made.districts.set_index("district").loc["Patna"]
    value, lower, upper, mean = (
        decimal_text(number, 2) for number in (patna["pov"], patna["pov_lower"], patna["pov_upper"], region_mean(made))
    )
    side = ("below", "not", "above")[int(compare_with_mean(made)[made.districts["district"] == "Patna"][0])]
    said = said_of(made, "Patna")
    assert said.startswith(
        f"In Patna, asset wealth is about {value}. We are 90 % sure that it lies in the range {lower} to {upper}."
    )
    assert f"{side} " in said
    assert f"the mean of Bihar ({mean})." in said
    assert said.endswith(f"Counted from the poorest, its rank is {patna.rank_best} to {patna.rank_worst} of 36.")


def test_a_district_without_a_value_says_why():
    assert said_of(fake_district_map(), "Sheohar") == (
        "Sheohar has no value, since its places are too few or too unlike the surveyed places."
    )


def test_the_region_in_a_paragraph():
    made = fake_district_map()
    below, alike, above = (int((compare_with_mean(made) == side).sum()) for side in (0, 1, 2))
    said = region_sentences(made)
    assert said.startswith("Asset wealth in Bihar: 36 of 38 districts have a value. The mean over the districts is ")
    for count, words in (
        (below, "are surely below it"),
        (above, "are surely above it"),
        (alike, "cannot be distinguished"),
    ):
        assert f"{count} districts {words}" in said
    table = made.districts
    sure = table.loc[table["rank_worst"] <= 9, "district"].tolist()
    assert said.endswith(
        f"Surely among the 9 poorest: {', '.join(sure)}. Each “surely” holds with a certainty of 90 %."
    )
    wide = replace(made, districts=table.assign(rank_best=1, rank_worst=36).where(table["supported"], table))
    assert "The order of the districts is not known exactly" in region_sentences(wide)


def test_districts_that_are_surely_among_the_first_are_named():
    made = fake_district_map()
    rank = made.districts["pov"].rank()
    certain = replace(made, districts=made.districts.assign(rank_best=rank, rank_worst=rank))
    poorest = made.districts.sort_values("pov")["district"].head(9).tolist()
    assert f"Surely among the 9 poorest: {', '.join(poorest)}." in region_sentences(certain)
    assert rank_words(certain, {"rank_best": 3.0, "rank_worst": 3.0}) == "3 of 36"


def test_a_region_without_any_value():
    made = fake_district_map()
    districts = made.districts.assign(supported=False, pov=np.nan, pov_lower=np.nan, pov_upper=np.nan)
    nothing = replace(made, districts=districts)
    assert region_sentences(nothing) == "No district of Bihar has a value."
    assert comparison_sentences(nothing) == ["", "", ""]


@pytest.mark.parametrize(
    ("shown", "first"),
    [
        (indicator("pov"), "poorest"),
        (indicator("bmi"), "lowest"),
        (indicator("pop"), "densest"),
        (indicator("pov_below"), "worst off"),
        (indicator("stunted").with_words(higher_is="worse"), "worst off"),
        (indicator("literacy").with_words(higher_is="better"), "worst off"),
    ],
)
def test_ranks_count_from_the_end_that_the_indicator_says(shown, first):
    made = fake_district_map()
    columns = {f"pov{end}": f"{shown.name}{end}" for end in ("", "_lower", "_upper", "_label")}
    renamed = replace(
        made, districts=made.districts.rename(columns=columns), indicator=replace(made.indicator, name=shown.name)
    )
    turned = renamed.with_indicator(shown)
    ranked = turned.districts[turned.districts["supported"]].sort_values(["rank_best", "rank_worst"])
    lowest = ranked[shown.name].iloc[0] < ranked[shown.name].iloc[-1]
    assert lowest == (shown.ranked_from == "lowest") == (first in ("poorest", "lowest") or shown.name == "literacy")
    assert f"Counted from the {first}, its rank is" in said_of(turned, "Patna")
    assert turned.with_indicator(made.indicator).districts["rank_best"].equals(made.districts["rank_best"])


def test_a_long_list_of_names_is_cut():
    made = fake_district_map()
    rank = np.ceil(made.districts["pov"].rank() / 40)
    alike = replace(made, districts=made.districts.assign(rank_best=rank, rank_worst=rank))
    said = region_sentences(alike)
    assert "and 26 more. " in said
    assert said.split("poorest: ")[1].count(",") == 10


def test_nothing_is_sure_where_all_districts_are_alike():
    made = fake_district_map()
    table = made.districts
    wide = table.assign(pov_lower=-9.0, pov_upper=9.0, rank_best=1, rank_worst=36).where(table["supported"], table)
    said = region_sentences(replace(made, districts=wide))
    assert "No district can be distinguished from this mean." in said
    assert "surely" not in said.lower()
