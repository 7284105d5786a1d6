"""Summary of a district map that `predict` prints at the terminal."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geolive.auditing.rules import FAIL
from geolive.command_line import command_line
from geolive.console import say, show_table
from geolive.estimation.ranks import stepdown_words
from geolive.hexagons import area_noun
from geolive.mapping.caution import caution
from geolive.mapping.map_words import map_language
from geolive.mapping.region_mean import ABOVE, BELOW, compare_with_mean
from geolive.wording import count_of, decimal_text, decimals_to_show, percent_text

if TYPE_CHECKING:
    from geolive.mapping.district_map import DistrictMap

_MOST_NAMED = 5
_MOST_SHOWN = 10
# kinds of files that hold a passport; the page has those of all indicators
_AUDITED = (".html", ".gpkg", ".geojson", ".parquet", ".xlsx", ".kml", ".tif")
# the head of a column of the table, and the noun of a single count
_COUNTS = {
    "n_clusters": ("surveyed", "surveyed place"),
    "n_sites": ("sites", "site"),
    "n_images": ("images", "image"),
    "people": ("people", "person"),
}


def show_map(drawn: "DistrictMap", written: list[Path], *, everything: bool = False) -> None:
    """Print the first and last districts of the ranking, or all, their estimator, what is not supported or fails, and the files.

    Where no district is distinguished from the region's mean, a sentence says so in place of the first and last ones.
    """
    name, districts = drawn.indicator.name, drawn.districts
    ranked = districts[districts["supported"]].sort_values(
        name, ascending=drawn.indicator.ranked_from == "lowest", kind="stable"
    )
    simulated = "SIMULATED: " if drawn.provenance.simulated else ""
    language = map_language(drawn)
    direction = drawn.indicator.direction or drawn.indicator.unit
    say(f"{simulated}{drawn.title}, {direction}. {drawn.indicator.meaning}")
    if warning := caution(drawn):
        say(f"Caution: {language.of(warning)}", "bold")
    several = len(ranked) > _MOST_SHOWN and not everything
    if several and (words := none_apart_words(drawn)):
        say(words)
    else:
        _show_ranking(drawn, ranked, several)
    weights = drawn.weights_about if "people_supported" in drawn.districts else ""
    for words in (drawn.estimator_about, weights, drawn.covariates_about):
        if words:
            say(language.of(words))
    if words := not_supported_words(drawn):
        say(words)
    if words := failed_words(drawn, written):
        say(words)
    if written:
        say("Written: " + ", ".join(str(path) for path in written))
    if words := next_words(written):
        say(words)


def _show_ranking(drawn: "DistrictMap", ranked: pd.DataFrame, several: bool) -> None:
    """Print the ends of the ranking, or all of it, and what its ties mean."""
    name = drawn.indicator.name
    ends = {"First five of": ranked.head(5), "Last five of": ranked.tail(5)} if several else {"All": ranked}
    columns = [
        "rank",
        area_noun(drawn.districts),
        drawn.indicator.unit,
        f"{percent_text(drawn.level)} interval",
        *(_count_words(count, drawn)[0] for count in _counts(drawn)),
    ]
    decimals = decimals_to_show(ranked[[f"{name}_lower", f"{name}_upper"]].to_numpy(float))
    supported = count_of(len(ranked), f"supported {area_noun(drawn.districts)}")
    for title, part in ends.items():
        rows = [_district_row(district, drawn, decimals) for _, district in part.iterrows()]
        show_table(f"{title} {supported}; rank 1 is {drawn.indicator.first_words}", columns, rows)
    say(f"Tied: not distinguishable from other {area_noun(drawn.districts)}s, so any rank in the range is possible.")
    if note := stepdown_words(len(ranked)):
        say(note)


def none_apart_words(drawn: "DistrictMap") -> str:
    """Say that no district is distinguished from the region's mean; empty where one is."""
    compared = compare_with_mean(drawn)
    if np.isin(compared, (BELOW, ABOVE)).any():
        return ""
    districts = count_of(int(drawn.districts["supported"].sum()), f"supported {area_noun(drawn.districts)}")
    return f"None of {districts} can be distinguished from the region's mean, so none is ranked here; --all prints them all."


def failed_words(drawn: "DistrictMap", written: list[Path]) -> str:
    """Say which checks of the passport fail, and how to read them all; empty where none fails."""
    failed = [] if drawn.passport is None else [one for one in drawn.passport.checks if one.status == FAIL]
    if not failed:
        return ""
    titles = ", ".join(dict.fromkeys(check.title.partition(" (")[0] for check in failed))
    words = f"Passport: {FAIL} in {count_of(len(failed), 'check')} ({titles})"
    file = next((path for suffix in _AUDITED for path in written if path.suffix.lower() == suffix), None)
    return f"{words}; {command_line('audit', file)} shows all" if file else words


def next_words(written: list[Path]) -> str:
    """Say what to do with the files that were written; empty where no page and no layer is among them."""
    page = next((path for path in written if path.suffix == ".html"), None)
    layer = next((path for suffix in (".gpkg", ".geojson") for path in written if path.suffix == suffix), None)
    steps = [
        *([f"open {page} in a browser"] if page else []),
        *([f"drag {layer} into QGIS, which finds its style"] if layer else []),
    ]
    return f"Next: {', or '.join(steps)}." if steps else ""


def not_supported_words(drawn: "DistrictMap") -> str:
    """Say how many districts are not supported, and name the first few; empty where all are supported."""
    missing = drawn.districts[~drawn.districts["supported"].astype(bool)]
    if missing.empty:
        return ""
    names = [
        f"{_shown_name(row, drawn)} ({', '.join(_missing_counts(row, drawn))})"
        for _, row in missing.head(_MOST_NAMED).iterrows()
    ]
    more = len(missing) - len(names)
    named = ", ".join(names) + (f" and {more:,} more" if more else "")
    of_all = f"{len(missing):,} of {count_of(len(drawn.districts), area_noun(drawn.districts))}"
    return f"Not supported: {of_all}, with {map_language(drawn).of(drawn.support)}: {named}"


def _shown_name(district: pd.Series, drawn: "DistrictMap") -> str:
    """Return the name of a district, with its state where several districts have the name."""
    # a line break would break the table
    name, state = " ".join(str(district["district"]).splitlines()), district["state"]
    several = (drawn.districts["district"] == district["district"]).sum() > 1
    return f"{name} ({state})" if several and isinstance(state, str) and state else name


def _count_words(count: str, drawn: "DistrictMap") -> tuple[str, str]:
    """Return the head of a column and the noun of a count; places of a grid are no sites."""
    return ("places", "place") if count == "n_sites" and drawn.grid else _COUNTS[count]


def _counts(drawn: "DistrictMap") -> list[str]:
    """Say which counts of a district are shown; a map without photos has no images, and one by people no grid of sites."""
    counts = ["n_clusters"] if "n_clusters" in drawn.districts else []
    by_people = "people_supported" in drawn.districts
    sites = [] if by_people and counts and not drawn.has_images else ["n_sites"]
    people = ["people"] if "people" in drawn.districts else []
    return [*counts, *sites, *(["n_images"] if drawn.has_images else []), *people]


def _missing_counts(district: pd.Series, drawn: "DistrictMap") -> list[str]:
    """Return the counts of a district that is not supported, with their nouns."""
    words = [count_of(district[count], _count_words(count, drawn)[1]) for count in _counts(drawn) if count != "people"]
    if "people_supported" in district and not pd.isna(district["people_supported"]):
        words.append(f"{percent_text(round(district['people_supported'], 3))} of its people")
    return words


def _district_row(district: pd.Series, drawn: "DistrictMap", decimals: int) -> list[str]:
    name = drawn.indicator.name
    best, worst = int(district["rank_best"]), int(district["rank_worst"])
    rank = f"{best}" if best == worst else f"{best}–{worst} (tied)"
    value, lower, upper = (decimal_text(district[f"{name}{end}"], decimals) for end in ("", "_lower", "_upper"))
    interval = f"{lower} to {upper}" if np.isfinite(district[f"{name}_lower"]) else "–"
    return [
        rank,
        _shown_name(district, drawn),
        value,
        interval,
        *(f"{round(district[count]):,}" for count in _counts(drawn)),
    ]
