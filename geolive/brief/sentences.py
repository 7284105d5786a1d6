"""What a brief says of a map, in sentences that can be read aloud."""

import numpy as np
import pandas as pd

from geolive.mapping.district_map import DistrictMap
from geolive.mapping.region_mean import ABOVE, BELOW, compare_with_mean, region_mean
from geolive.wording import count_of, decimal_text, percent_text

_NAMED, _LISTED = 3, 12


def ranked(district_map: DistrictMap) -> pd.DataFrame:
    """Return the districts with a value as the map ranks them, with the column `compared` (`region_mean.BELOW` and so on).

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> bool(ranked(result)["pov"].is_monotonic_increasing)
    True
    """
    table = pd.DataFrame(district_map.districts.drop(columns="geometry")).assign(
        compared=compare_with_mean(district_map)
    )
    known = table["supported"].to_numpy(bool) & np.isfinite(table[district_map.indicator.name].to_numpy(float))
    up = district_map.indicator.ranked_from == "lowest"
    return table[known].sort_values(district_map.indicator.name, ascending=up, kind="stable").reset_index(drop=True)


def tells_apart(table: pd.DataFrame) -> bool:
    """Return whether the interval of any district leaves out the region's mean.

    Parameters
    ----------
    table : DataFrame
        As `ranked` returns it.

    Examples
    --------
    >>> tells_apart(pd.DataFrame({"compared": [BELOW, -1]}))
    True
    """
    return bool(table["compared"].isin([BELOW, ABOVE]).any())


def number_of(district_map: DistrictMap, value: float) -> str:
    """Write a value of the map's indicator with as many decimals as its intervals deserve."""
    return decimal_text(value, district_map.decimals) if np.isfinite(value) else "–"


def read_aloud(district_map: DistrictMap) -> list[str]:
    """Say in three sentences what a map shows, how sure that is, and where nothing is known.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> len(read_aloud(result))
    3
    """
    return [_ends(district_map), _told_apart(district_map), _unknown(district_map)]


def _ends(district_map: DistrictMap) -> str:
    table, shown = ranked(district_map), district_map.indicator
    what = f"{shown.title[:1].upper()}{shown.title[1:]}"
    if len(table) < 2:
        return f"{what} is known in {count_of(len(table), 'district')} of {district_map.region} only, so nothing is compared."
    if not tells_apart(table):
        return (
            f"Districts cannot be distinguished from the region's mean of {shown.title_in_text}, so none is called the lowest or "
            "the highest."
        )
    n = min(_NAMED, len(table) // 2)
    first, last = joined(table["district"].head(n)), joined(table["district"].tail(n).iloc[::-1])
    ends = ("lowest", "highest") if shown.ranked_from == "lowest" else ("highest", "lowest")
    return f"{what} is estimated to be {ends[0]} in {first}, and {ends[1]} in {last}."


def _told_apart(district_map: DistrictMap) -> str:
    table = ranked(district_map)
    below, above = (int((table["compared"] == side).sum()) for side in (BELOW, ABOVE))
    rest = len(table) - below - above
    mean = number_of(district_map, region_mean(district_map))
    if len(table) > 1 and not tells_apart(table):
        return f"Of {count_of(len(table), 'district')} with a value, none can be distinguished from the region's mean of {mean}."
    parts = f"{below or 'none'} {_are(below)} below the region's mean of {mean} and {above or 'none'} {_are(above)} above it"
    alike = (
        "all others can be distinguished from it"
        if not rest
        else f"the other {rest:,} cannot be distinguished from it"
        if rest > 1
        else "one cannot be distinguished from it"
    )
    if not rest:
        return f"Of {count_of(len(table), 'district')} with a value, {parts}."
    return f"Of {count_of(len(table), 'district')} with a value, {parts}; {alike}."


def _are(number: int) -> str:
    return "is" if number <= 1 else "are"


def _unknown(district_map: DistrictMap) -> str:
    missing = unsupported(district_map)
    if missing.empty:
        table = district_map.districts
        without = int((table["n_clusters"].fillna(0) == 0).sum()) if "n_clusters" in table else 0
        alone = (
            f"; in the {count_of(without, 'district')} without a surveyed place it is predicted only" if without else ""
        )
        return f"Every district has a value{alone}."
    names, n = joined(missing["district"].head(_LISTED), len(missing)), len(missing)
    has, it = ("has", "it has") if n == 1 else ("have", "they have")
    return f"{count_of(n, 'district')} {has} no value, since {it} {district_map.support.partition(' (')[0]}: {names}."


def unsupported(district_map: DistrictMap) -> pd.DataFrame:
    """Return the districts without a value, by name."""
    table = pd.DataFrame(district_map.districts.drop(columns="geometry"))
    known = table["supported"].to_numpy(bool) & np.isfinite(table[district_map.indicator.name].to_numpy(float))
    return table[~known].sort_values("district", kind="stable").reset_index(drop=True)


def joined(names: pd.Series | list[str], total: int | None = None) -> str:
    """Join names with commas and a last "and"; say how many further ones there are.

    Examples
    --------
    >>> joined(["Gaya", "Patna", "Nalanda"]), joined(["Gaya", "Patna"], 5), joined(["Gaya"])
    ('Gaya, Patna and Nalanda', 'Gaya, Patna and 3 others', 'Gaya')
    """
    words = [str(name) for name in names]
    more = 0 if total is None else total - len(words)
    if more:
        return f"{', '.join(words)} and {count_of(more, 'other')}"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def coverage_sentences(district_map: DistrictMap) -> list[str]:
    """Say what the map rests on: surveyed places, photos, sites, people, and how wide the intervals are.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> coverage_sentences(result)[0][:32]
    'The map rests on predictions at '
    """
    sites, table, name = district_map.sites, district_map.districts, district_map.indicator.name
    applicable = sites["applicable"].astype(bool)
    surveyed, unlike = int((sites["surveyed"].astype(bool) & applicable).sum()), int((~applicable).sum())
    # what entered the districts' values, without the sites that were left out
    used, images = int(table["n_sites"].sum()), int(table["n_images"].sum())
    photos = f" with {count_of(images, 'photo')}" if images else ""
    said = [
        f"The map rests on predictions at {count_of(used, 'place')}{photos}; {surveyed:,} of these places were surveyed."
    ]
    if "n_clusters" in table:
        none = int((table["n_clusters"].fillna(0) == 0).sum())
        some = f"{none:,} of {count_of(len(table), 'district')} {'has' if none == 1 else 'have'} no surveyed place."
        said.append(some if none else "Every district has a surveyed place.")
    if unlike:
        said.append(
            f"{unlike:,} of {count_of(len(sites), 'place')} {'is' if unlike == 1 else 'are'} too unlike the surveyed places and "
            f"{'was' if unlike == 1 else 'were'} left out."
        )
    if {"people", "people_supported"} <= set(table.columns) and table["people"].sum() > 0:
        share = float((table["people"] * table["people_supported"].fillna(0)).sum() / table["people"].sum())
        said.append(f"{percent_text(share)} of the region's people live within reach of a supported prediction.")
    widths = (table[f"{name}_upper"] - table[f"{name}_lower"])[table["supported"].astype(bool)].dropna()
    if len(widths):
        first, middle, last = (number_of(district_map, float(w)) for w in (widths.min(), widths.median(), widths.max()))
        level = percent_text(district_map.level)
        spread = f"{first} to {last} wide; half of them are wider than {middle}" if first != last else f"{first} wide"
        said.append(f"The {level} intervals of districts are {spread}.")
    return said
