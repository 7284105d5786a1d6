"""What the map says, in sentences that can be read aloud: one on each district, and a paragraph on the region."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from geolive.languages import phrase
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.region_mean import ABOVE, BELOW, NOT_DISTINGUISHED, compare_with_mean, region_mean
from geolive.phrases import Decimal, Percent, Phrase, sentences

# by BELOW, NOT_DISTINGUISHED and ABOVE
_SIDES = ("says.below", "says.alike", "says.above")
# the paragraph names the districts that are surely among the first quarter of the ranking
_FIRST_SHARE = 4
_MOST_NAMED = 10


def district_sentences(district_map: DistrictMap, district: Mapping[Hashable, Any], compared: int) -> Phrase:
    """Say a district's value, how sure it is, how it compares with the region, and its rank.

    Parameters
    ----------
    district_map : DistrictMap
    district : mapping
        A row of its districts table.
    compared : int
        The district's place in what `geolive.mapping.region_mean.compare_with_mean` returns.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> print(district_sentences(result, result.districts.iloc[0].to_dict(), 1))  # doctest: +ELLIPSIS
    In South Goa, asset wealth is about ... We are 90 % sure that it lies in the range ...
    """
    shown, name = district_map.indicator, str(district["district"])
    numbers = [float(district[f"{shown.name}{end}"]) for end in ("", "_lower", "_upper")]
    if not (bool(district["supported"]) and np.isfinite(numbers).all()):
        return phrase("script.sentence_none", district=name)
    value, lower, upper = (Decimal(number, district_map.decimals) for number in numbers)
    said = phrase(
        "script.sentence_value",
        district=name,
        indicator=shown.title_in_text,
        value=value,
        level=Percent(district_map.level),
        interval=phrase("facts.range", lower=lower, upper=upper),
    )
    rank = rank_words(district_map, district)
    ranked = phrase("script.sentence_rank", first=shown.first_words, rank=rank) if rank else ""
    return sentences(said, comparison_sentences(district_map)[compared], ranked)


def comparison_sentences(district_map: DistrictMap) -> list[str]:
    """Say that a district is below the region's mean, is not distinguishable from it, or is above it.

    Returns
    -------
    list of str
        By what `geolive.mapping.region_mean.compare_with_mean` returns; empty texts where there is no mean.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> print(comparison_sentences(result)[0])  # doctest: +ELLIPSIS
    That is below the mean of Goa (...).
    """
    mean = Decimal(region_mean(district_map), district_map.decimals)
    if not np.isfinite(mean.value):
        return [""] * len(_SIDES)
    return [phrase(key, region=district_map.region, mean=mean) for key in _SIDES]


def rank_words(district_map: DistrictMap, district: Mapping[Hashable, Any]) -> str:
    """Say which ranks a district may have, of how many; empty where its rank is not known.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> rank_words(result, {"rank_best": 1, "rank_worst": 2})
    '1 to 2 of 3'
    """
    best, worst = district["rank_best"], district["rank_worst"]
    if pd.isna(best) or pd.isna(worst):
        return ""
    of = int(district_map.districts["rank_best"].notna().sum())
    if best == worst:
        return phrase("ranks.one", rank=int(best), of=of)
    return phrase("ranks.several", best=int(best), worst=int(worst), of=of)


def region_sentences(district_map: DistrictMap) -> Phrase:
    """Say what a map says of its region: the mean, which districts differ from it, and which are surely among the first.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> print(region_sentences(result))  # doctest: +ELLIPSIS
    Asset wealth in Goa: ... have a value. The mean over the districts is ...
    """
    compared, mean = compare_with_mean(district_map), region_mean(district_map)
    known = int((compared >= 0).sum())
    if not known or not np.isfinite(mean):
        return phrase("region.nothing", region=district_map.region)
    districts = phrase("counts.districts", count=len(compared))
    below, alike, above = (int((compared == side).sum()) for side in (BELOW, NOT_DISTINGUISHED, ABOVE))
    counted = {"below": below, "above": above, "alike": alike}
    told_apart = [phrase(f"region.{side}", count=count) for side, count in counted.items() if count]
    weighed = "people" if "people" in district_map.districts else "districts"
    first = _first_sentence(district_map, known)
    said_surely = alike < known or first.key == "region.among_first"
    return sentences(
        phrase("region.values", title=district_map.title, known=known, districts=districts),
        phrase(f"region.mean_{weighed}", mean=Decimal(mean, district_map.decimals), unit=district_map.indicator.unit),
        *([phrase("region.all_alike")] if alike == known else told_apart),
        first,
        phrase("region.surely", level=Percent(district_map.level)) if said_surely else "",
    )


def _first_sentence(district_map: DistrictMap, known: int) -> Phrase:
    """Name the districts whose every possible rank is in the first quarter; say so where no rank is known exactly."""
    table, count = district_map.districts, known // _FIRST_SHARE
    ranked = table[table["rank_worst"].notna()].sort_values("rank_worst", kind="stable")
    names = ranked.loc[ranked["rank_worst"] <= count, "district"].astype(str).tolist()
    if names:
        more = len(names) - _MOST_NAMED
        names = [*names[:_MOST_NAMED], phrase("region.more", count=more)] if more > 0 else names
        return phrase("region.among_first", count=count, first=district_map.indicator.first_words, names=names)
    exact = bool((ranked["rank_best"] == ranked["rank_worst"]).any())
    return sentences() if exact or ranked.empty else phrase("region.no_rank")
