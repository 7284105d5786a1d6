"""Numbers and words of the page, which its script only has to place."""

import itertools
import json
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geolive.antimeridian import running_bounds
from geolive.indicators import (
    WIDTH_COLOURS,
    border_colour,
    break_digits,
    class_breaks,
    class_colours,
    class_of,
)
from geolive.languages import Language, phrase
from geolive.mapping.caution import caution
from geolive.mapping.column_words import column_words
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.estimate_words import estimate_sentences, other_sites_words
from geolive.mapping.export_table import district_columns
from geolive.mapping.map_words import map_language, places_heading
from geolive.mapping.page_method import how_it_was_made, source_line
from geolive.mapping.page_sentences import comparison_sentences, rank_words, region_sentences
from geolive.mapping.region_mean import (
    COMPARED_COLOURS,
    COMPARED_MARKS,
    COMPARED_WORDS,
    NOT_DISTINGUISHED,
    compare_with_mean,
    region_mean,
)
from geolive.mapping.shapes import page_shapes, page_sites
from geolive.phrases import Decimal, Percent
from geolive.region_names import other_spellings
from geolive.wording import decimals_to_show


def several_pages(maps: Sequence[DistrictMap], language: str | Path | Language = "en") -> list[dict]:
    """Return the data of maps of several indicators in one page; districts that are the same have their borders once.

    Parameters
    ----------
    maps : sequence of DistrictMap
        Of one region.
    language : {"en", "hi", "fr"}, Path or Language

    Returns
    -------
    list of dict
        As `page_data` makes them. In all but the first, a district whose borders are those of the first map has no `shape`.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> maps = [gl.predict(dataset, gl.train(dataset, gl.Neighbours(), name), "goa") for name in ("pov", "bmi")]
    >>> ["shape" in page["districts"][0] for page in several_pages(maps)]
    [True, False]
    """
    pages = [page_data(district_map, language) for district_map in maps]
    first = pages[0]["districts"]
    for page in pages[1:]:
        same = len(page["districts"]) == len(first)
        if same and all(own["shape"] == other["shape"] for own, other in zip(page["districts"], first, strict=True)):
            for district in page["districts"]:
                for name in ("shape", "middle", "room"):
                    del district[name]
    return pages


def page_data(district_map: DistrictMap, language: str | Path | Language = "en") -> dict:
    """Return everything that the page's script needs to draw a district map.

    Parameters
    ----------
    district_map : DistrictMap
    language : {"en", "hi", "fr"}, Path or Language
        Language of the texts and numbers.

    Returns
    -------
    dict
        Plain numbers, texts, lists and dicts. A district's `facts` stand in the order of `facts`; its `says` are sentences on
        its estimates; `how` are terms and texts of the panel on the method. Positions are longitude, latitude in degrees,
        except `bounds`, which is Leaflet's [[south, west], [north, east]]. Longitudes run on beyond 180° where the region lies
        across the antimeridian.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> page_data(result)["facts"][:3]
    ['Value', '90 % interval', 'Rank (1 is poorest)']
    >>> page_data(result, "fr")["facts"][0]
    'Valeur'
    """
    language = map_language(district_map, language)
    compared = compare_with_mean(district_map)
    west, south, east, north = running_bounds(district_map.districts.geometry)
    values, lower, upper = _values(district_map)
    missing = int(np.isnan(values).sum())
    shown, title = district_map.indicator, language.of(district_map.title)
    simulated = bool(district_map.provenance.simulated)
    return {
        "indicator": shown.name,
        "choice": language.of(shown.title),
        "title": title,
        "window": language.text("page.simulated_title", title=title) if simulated else title,
        "unit": language.of(unit_line(district_map)),
        "caution": language.of(caution(district_map)),
        "simulated": simulated,
        "bounds": [[south, west], [north, east]],
        "facts": [language.of(head) for head in _fact_heads(district_map)],
        "ranked_from": shown.ranked_from,
        "first_words": language.of(shown.first_words),
        "in_text": language.of(shown.title_in_text),
        "level": language.share(district_map.level),
        "sides": [language.of(text) for text in comparison_sentences(district_map)],
        "region": language.of(region_sentences(district_map)),
        "districts": _districts(district_map, language, values, lower, upper, compared),
        "spellings": other_spellings(district_map.districts["state"].dropna().astype(str)),
        # colours must not say more than the intervals do
        "first": "compared" if _mostly_alike(compared) else "value",
        "layers": _layers(district_map, language, values, upper - lower, compared),
        "table": {
            "columns": district_columns(district_map),
            "words": {column: language.of(text) for column, text in column_words(district_map).items()},
        },
        "file": file_stem(district_map),
        "source": language.of(source_line(district_map)),
        "unsupported": {
            "label": language.text("layers.unsupported", support=district_map.support),
            "count": language.number(missing),
        }
        if missing
        else None,
        "sites": _sites(district_map, language),
        "how": [(language.of(term), language.of(text)) for term, text in how_it_was_made(district_map)],
    }


def _fact_heads(district_map: DistrictMap) -> list[str]:
    """Return the words for a district's facts, in their order."""
    people = [column for column in ("people", "people_supported") if column in district_map.districts]
    return [
        phrase("facts.value"),
        phrase("facts.interval", level=Percent(district_map.level)),
        district_map.indicator.rank_words,
        *(phrase(f"facts.{name}") for name in ("compared", *people)),
        places_heading(district_map),
        *(phrase(f"facts.{name}") for name in ("images", "official")),
    ]


def _layers(
    district_map: DistrictMap, language: Language, values: np.ndarray, widths: np.ndarray, compared: np.ndarray
) -> list[dict]:
    shown, level = district_map.indicator, Percent(district_map.level)
    return [
        {
            "name": "value",
            "choice": language.text("layers.value"),
            "title": language.of(shown.legend_title),
            "unit": language.of(shown.unit),
        }
        | _classes(language, values, district_map.breaks, shown.colours),
        {
            "name": "uncertainty",
            "choice": language.text("layers.uncertainty"),
            "title": language.text("layers.uncertainty_title", level=level),
            "unit": language.text("layers.uncertainty_unit", unit=shown.unit),
        }
        | _classes(language, widths, class_breaks(widths, decimals=district_map.decimals), WIDTH_COLOURS),
        _comparison(district_map, language, compared),
    ]


def _sites(district_map: DistrictMap, language: Language) -> dict:
    """Return the sites, their words and their numbers."""
    placed = page_sites(district_map.sites, district_map.districts.geometry)
    words = {"surveyed": phrase("layers.survey_place"), "site": other_sites_words(district_map)}
    kinds = [
        kind | {"label": language.of(words[kind["name"]]), "count": language.number(kind["count"])}
        for kind in placed["kinds"]
    ]
    note = {"note": language.of(placed["note"])} if "note" in placed else {}
    return placed | {"choice": language.of(places_heading(district_map)), "kinds": kinds} | note


def _people(language: Language, row: Mapping[Hashable, Any]) -> list[tuple[str, float]]:
    """Return a district's people, and the share of them with a supported prediction, each with the number to sort by."""
    if "people" not in row:
        return []
    people = [(language.number(row["people"]), float(row["people"]))]
    # a file of districts gives the people, and only a population raster where they live
    if "people_supported" not in row:
        return people
    share = float(row["people_supported"])
    text = language.share(round(share, 3)) if np.isfinite(share) else language.text("facts.none")
    return [*people, (text, share)]


def as_json(data: dict | list) -> str:
    """Write JSON that can stand inside a script element whatever its texts hold.

    Examples
    --------
    >>> print(as_json({"name": "</script>"}))
    {"name":"\\u003c/script\\u003e"}
    """
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def unit_line(district_map: DistrictMap) -> str:
    """Say the unit, what a higher value means, and that values are means of areas.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> unit_line(gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa"))
    'Unit: asset-wealth index; higher is wealthier. Values are means of areas, not of households.'
    """
    shown = district_map.indicator
    key = "page.unit_direction" if shown.direction else "page.unit"
    return phrase(key, unit=shown.unit, direction=shown.direction, meaning=shown.meaning)


def file_stem(district_map: DistrictMap) -> str:
    """Make a name for the files that a reader saves from the page.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> file_stem(gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa"))
    'pov-goa-simulated'
    """
    simulated = ["simulated"] * district_map.provenance.simulated
    words = "-".join([district_map.indicator.name, district_map.region, *simulated])
    return re.sub(r"[^\w]+", "-", words.lower()).strip("-")[:80] or "map"


def _mostly_alike(compared: np.ndarray) -> bool:
    known = compared[compared >= 0]
    return bool(known.size and (known == NOT_DISTINGUISHED).mean() > 0.5)


def _comparison(district_map: DistrictMap, language: Language, compared: np.ndarray) -> dict:
    """Return the layer that tells which districts are above or below the region's mean."""
    shown = district_map.indicator
    weighed = "people" if "people" in district_map.districts else "districts"
    # brown is the side that is worse off
    colours = COMPARED_COLOURS[::-1] if shown.direction == "higher is worse" else COMPARED_COLOURS
    items = [
        {"colour": colour, "label": language.of(words), "mark": mark, "count": language.number((compared == i).sum())}
        for i, (colour, words, mark) in enumerate(zip(colours, COMPARED_WORDS, COMPARED_MARKS, strict=True))
        if (compared >= 0).any()
    ]
    mean, ends = region_mean(district_map), district_map.districts[[f"{shown.name}_lower", f"{shown.name}_upper"]]
    number = Decimal(mean, decimals_to_show(ends.to_numpy(float))) if np.isfinite(mean) else phrase("layers.unknown")
    return {
        "name": "compared",
        "choice": language.text("layers.compared"),
        "title": language.text("layers.compared_title", indicator=shown.title, mean=number),
        "unit": language.text(f"layers.compared_unit_{weighed}", level=Percent(district_map.level)),
        "items": items,
        "classes": compared.tolist(),
        "border": "#5d6673",
    }


def _values(district_map: DistrictMap) -> list[np.ndarray]:
    """Return value, lower and upper end of each district; NaN where it is not supported."""
    name, table = district_map.indicator.name, district_map.districts
    numbers = [table[column].to_numpy(float) for column in (name, f"{name}_lower", f"{name}_upper")]
    supported = table["supported"].to_numpy(bool) & np.isfinite(numbers).all(axis=0)
    return [np.where(supported, column, np.nan) for column in numbers]


def _districts(
    district_map: DistrictMap,
    language: Language,
    values: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    compared: np.ndarray,
) -> list[dict]:
    table = district_map.districts
    digits = decimals_to_show(np.concatenate([lower, upper]))
    several_states = table["state"].nunique() > 1
    shapes, middles, rooms = page_shapes(table.geometry)
    rows = []
    for i, row in enumerate(table.drop(columns="geometry").to_dict("records")):
        numbers = (float(values[i]), float(lower[i]), float(upper[i]))
        facts = _facts(district_map, language, row, numbers, int(compared[i]), digits)
        supported = bool(np.isfinite(values[i]))
        rows.append(
            {"id": str(row["district_id"]), "name": str(row["district"])}
            | ({"state": str(row["state"])} if several_states and pd.notna(row["state"]) else {})
            | dict(zip(("value", "lower", "upper"), numbers if supported else (None,) * 3, strict=True))
            | {
                "facts": [text for text, _ in facts],
                "sort": [None if key is None or not np.isfinite(key) else float(key) for _, key in facts],
                "says": [language.of(text) for text in estimate_sentences(district_map, row, digits)],
                "shape": shapes[i],
                "middle": middles[i],
                "room": rooms[i],
            }
        )
    return rows


def _facts(
    district_map: DistrictMap,
    language: Language,
    row: Mapping[Hashable, Any],
    numbers: tuple[float, float, float],
    compared: int,
    digits: int,
) -> list[tuple[str | None, float | None]]:
    """Return a district's facts in words, each with the number that the table sorts by."""
    value, lower, upper = numbers
    supported = bool(np.isfinite(value))
    # a statistic that a simulation was made from must not be shown beside it
    official = None if district_map.provenance.simulated else row.get("official")
    from_lowest = district_map.indicator.ranked_from == "lowest"
    interval = {"lower": Decimal(lower, digits), "upper": Decimal(upper, digits)}
    return [
        (language.number(value, digits) if supported else language.text("facts.not_supported"), value),
        (language.text("facts.range", **interval) if supported else None, upper - lower),
        (language.of(rank_words(district_map, row)) or None if supported else None, value if from_lowest else -value),
        (language.of(COMPARED_WORDS[compared]) if supported else None, value),
        *_people(language, row),
        (language.number(row["n_sites"]), row["n_sites"]),
        (language.number(row["n_images"]) if district_map.has_images else None, row["n_images"]),
        (language.of(official) if isinstance(official, str) else None, None),
    ]


def _classes(language: Language, values: np.ndarray, breaks: np.ndarray, colours: tuple[str, ...]) -> dict:
    """Return the entries of a legend from its lowest class to its highest, and each district's class."""
    digits, edges = break_digits(breaks), breaks.tolist()
    labels = [
        language.text("facts.range", lower=Decimal(low, digits), upper=Decimal(high, digits))
        if low < high
        else language.number(low, digits)
        for low, high in itertools.pairwise(edges)
    ]
    classes = class_of(values, breaks)
    items = [
        {"low": low, "high": high, "colour": colour, "label": label, "count": language.number((classes == i).sum())}
        for i, (low, high, colour, label) in enumerate(
            zip(edges, edges[1:], class_colours(colours, len(labels)), labels, strict=False)
        )
    ]
    return {"items": items, "classes": classes.tolist(), "border": border_colour(colours)}
