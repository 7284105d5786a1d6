"""Numbers and words of the page, which its script only has to place."""

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from geolive.antimeridian import running_bounds
from geolive.indicators import (
    WIDTH_COLOURS,
    border_colour,
    class_breaks,
    class_colours,
    class_labels,
    class_of,
)
from geolive.mapping.column_words import column_words
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.estimate_words import estimate_sentences, other_sites_words
from geolive.mapping.export_table import district_columns
from geolive.mapping.page_method import how_it_was_made, source_line
from geolive.mapping.region_mean import (
    COMPARED_COLOURS,
    COMPARED_MARKS,
    COMPARED_WORDS,
    NOT_DISTINGUISHED,
    compare_with_mean,
    region_mean,
)
from geolive.mapping.shapes import page_shapes, page_sites
from geolive.wording import decimal_text, decimals_to_show, percent_text


def several_pages(maps: Sequence[DistrictMap]) -> list[dict]:
    """Return the data of maps of several indicators in one page; districts that are the same have their borders once.

    Parameters
    ----------
    maps : sequence of DistrictMap
        Of one region.

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
    pages = [page_data(district_map) for district_map in maps]
    first = pages[0]["districts"]
    for page in pages[1:]:
        same = len(page["districts"]) == len(first)
        if same and all(own["shape"] == other["shape"] for own, other in zip(page["districts"], first, strict=True)):
            for district in page["districts"]:
                for name in ("shape", "middle", "room"):
                    del district[name]
    return pages


def page_data(district_map: DistrictMap) -> dict:
    """Return everything that the page's script needs to draw a district map.

    Parameters
    ----------
    district_map : DistrictMap

    Returns
    -------
    dict
        Plain numbers, texts, lists and dicts. A district's `facts` stand in the order of `facts`; its `says` are sentences on
        its estimates; `how` are terms and texts of the panel "How this was made". Positions are longitude, latitude in
        degrees, except `bounds`, which is Leaflet's [[south, west], [north, east]]. Longitudes run on beyond 180° where the
        region lies across the antimeridian.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> page_data(result)["facts"][:3]
    ['Value', '90 % interval', 'Rank (1 is highest)']
    """
    compared = compare_with_mean(district_map)
    level = percent_text(district_map.level)
    west, south, east, north = running_bounds(district_map.districts.geometry)
    values, lower, upper = _values(district_map)
    missing = int(np.isnan(values).sum())
    shown = district_map.indicator
    return {
        "indicator": shown.name,
        "choice": shown.title,
        "title": district_map.title,
        "unit": unit_line(district_map),
        "simulated": bool(district_map.provenance.simulated),
        "bounds": [[south, west], [north, east]],
        "facts": [
            *("Value", f"{level} interval", "Rank (1 is highest)", "Against the region's mean"),
            *_counts(district_map),
            "Official statistic",
        ],
        "districts": _districts(district_map, values, lower, upper, compared),
        # colours must not say more than the intervals do
        "first": "compared" if _mostly_alike(compared) else "value",
        "layers": [
            {"name": "value", "choice": "Value", "title": shown.legend_title, "unit": shown.unit}
            | _classes(values, district_map.breaks, shown.colours),
            {
                "name": "uncertainty",
                "choice": "Uncertainty (width of the interval)",
                "title": f"Width of the {level} interval",
                "unit": f"{shown.unit}; darker is less certain",
            }
            | _classes(upper - lower, class_breaks(upper - lower), WIDTH_COLOURS),
            _comparison(district_map, compared),
        ],
        "table": {"columns": district_columns(district_map), "words": column_words(district_map)},
        "file": file_stem(district_map),
        "source": source_line(district_map),
        "unsupported": {"label": f"Not supported: {district_map.support}", "count": f"{missing:,}"}
        if missing
        else None,
        "sites": {"choice": "Sites"}
        | page_sites(district_map.sites, other_sites_words(district_map), district_map.districts.geometry),
        "how": how_it_was_made(district_map),
    }


def _counts(district_map: DistrictMap) -> list[str]:
    """Return the words for the numbers of people, of sites and of images."""
    heads = {"people": "People", "people_supported": "People with a supported prediction"}
    people = [head for column, head in heads.items() if column in district_map.districts]
    sites = "Sites" if district_map.has_images else "Surveyed places"
    return [*people, "Places (grid and survey)" if district_map.grid else sites, "Images"]


def _people(district_map: DistrictMap, row: Mapping[Hashable, Any]) -> list[tuple[str, float]]:
    """Return a district's people, and the share of them with a supported prediction, each with the number to sort by."""
    if "people" not in row:
        return []
    people = [(decimal_text(row["people"], 0), float(row["people"]))]
    # a file of districts gives the people, and only a population raster where they live
    if "people_supported" not in row:
        return people
    share = float(row["people_supported"])
    return [*people, (percent_text(round(share, 3)) if np.isfinite(share) else "None", share)]


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
    'Unit: DHS asset-wealth index; higher is wealthier. Values are means of areas, not of households.'
    """
    shown = district_map.indicator
    direction = f"; {shown.direction}" if shown.direction else ""
    return f"Unit: {shown.unit}{direction}. {shown.meaning}"


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


def _comparison(district_map: DistrictMap, compared: np.ndarray) -> dict:
    """Return the layer that tells which districts are above or below the region's mean."""
    weighed = "people" if "people" in district_map.districts else "districts"
    level = percent_text(district_map.level)
    # brown is the side that is worse off
    colours = COMPARED_COLOURS[::-1] if district_map.indicator.direction == "higher is worse" else COMPARED_COLOURS
    items = [
        {"colour": colour, "label": words, "mark": mark, "count": f"{(compared == i).sum():,}"}
        for i, (colour, words, mark) in enumerate(zip(colours, COMPARED_WORDS, COMPARED_MARKS, strict=True))
        if (compared >= 0).any()
    ]
    mean = region_mean(district_map)
    name = district_map.indicator.name
    ends = district_map.districts[[f"{name}_lower", f"{name}_upper"]].to_numpy(float)
    text = decimal_text(mean, decimals_to_show(ends)) if np.isfinite(mean) else "unknown"
    return {
        "name": "compared",
        "choice": "Above or below the region's mean",
        "title": f"{district_map.indicator.title} against the region's mean of {text}",
        "unit": f"the {level} interval, against the mean over {weighed}",
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
    district_map: DistrictMap, values: np.ndarray, lower: np.ndarray, upper: np.ndarray, compared: np.ndarray
) -> list[dict]:
    table = district_map.districts
    digits = decimals_to_show(np.concatenate([lower, upper]))
    n_ranked = int(np.isfinite(values).sum())
    # a statistic that a simulation was made from must not be shown beside it
    show_official = "official" in table.columns and not district_map.provenance.simulated
    several_states = table["state"].nunique() > 1
    shapes, middles, rooms = page_shapes(table.geometry)
    rows = []
    for i, row in enumerate(table.drop(columns="geometry").to_dict("records")):
        supported = bool(np.isfinite(values[i]))
        # each with the number that the table sorts by; ranks count from the highest value
        facts = [
            (decimal_text(values[i], digits) if supported else "Not supported", values[i]),
            (
                f"{decimal_text(lower[i], digits)} to {decimal_text(upper[i], digits)}" if supported else None,
                upper[i] - lower[i],
            ),
            (_rank(row["rank_best"], row["rank_worst"], n_ranked) if supported else None, -values[i]),
            (COMPARED_WORDS[compared[i]] if supported else None, values[i]),
            *_people(district_map, row),
            (decimal_text(row["n_sites"], 0), row["n_sites"]),
            (decimal_text(row["n_images"], 0) if district_map.has_images else None, row["n_images"]),
            (str(row["official"]) if show_official and pd.notna(row["official"]) else None, None),
        ]
        numbers = [float(x) if supported else None for x in (values[i], lower[i], upper[i])]
        rows.append(
            {"id": str(row["district_id"]), "name": str(row["district"])}
            | ({"state": str(row["state"])} if several_states and pd.notna(row["state"]) else {})
            | dict(zip(("value", "lower", "upper"), numbers, strict=True))
            | {
                "facts": [text for text, _ in facts],
                "sort": [None if key is None or not np.isfinite(key) else float(key) for _, key in facts],
                "says": estimate_sentences(district_map, row, digits),
                "shape": shapes[i],
                "middle": middles[i],
                "room": rooms[i],
            }
        )
    return rows


def _classes(values: np.ndarray, breaks: np.ndarray, colours: tuple[str, ...]) -> dict:
    """Return the entries of a legend from its lowest class to its highest, and each district's class."""
    labels, edges = class_labels(breaks), breaks.tolist()
    classes = class_of(values, breaks)
    items = [
        {"low": low, "high": high, "colour": colour, "label": label, "count": f"{(classes == i).sum():,}"}
        for i, (low, high, colour, label) in enumerate(
            zip(edges, edges[1:], class_colours(colours, len(labels)), labels, strict=False)
        )
    ]
    return {"items": items, "classes": classes.tolist(), "border": border_colour(colours)}


def _rank(best: float, worst: float, of: int) -> str | None:
    if pd.isna(best) or pd.isna(worst):
        return None
    return f"{int(best)} of {of}" if best == worst else f"{int(best)} to {int(worst)} of {of}"
