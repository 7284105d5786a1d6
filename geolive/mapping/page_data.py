"""What the page shows, as numbers and words that its script only has to place."""

import json

import numpy as np
import pandas as pd

from geolive.indicators import WIDTH_COLOURS, border_colour, class_breaks, class_colours, class_of
from geolive.mapping.districts import DistrictMap
from geolive.mapping.shapes import page_shapes, page_sites


def page_data(district_map: DistrictMap) -> dict:
    """All that the page's script needs to draw a district map.

    Parameters
    ----------
    district_map : DistrictMap

    Returns
    -------
    dict
        Plain numbers, texts, lists and dicts; `how` are terms and texts of the panel "How this was made". Positions are
        longitude, latitude in degrees, except `bounds`, which is Leaflet's [[south, west], [north, east]].

    Examples
    --------
    >>> import datetime
    >>> import geopandas as gpd
    >>> import shapely
    >>> from geolive.indicators import indicator
    >>> from geolive.mapping.districts import DistrictMap, Provenance
    >>> from geolive.tables import points
    >>> area = shapely.box(84, 25, 85, 26)
    >>> row = dict(district_id="1", district="Gaya", state="Bihar", pov=0.5, pov_lower=0.2, pov_upper=0.9, n_sites=4,
    ...            n_images=300, supported=True, rank_best=1, rank_worst=1)
    >>> districts = gpd.GeoDataFrame([row], geometry=[area], crs="EPSG:4326")
    >>> sites = gpd.GeoDataFrame({"surveyed": [True]}, geometry=points([84.5], [25.5]))
    >>> made = Provenance("mean", "", "invented", "a box", "", datetime.date(2026, 1, 1), "0.1.0", True, {"r2": 0.5})
    >>> shown = DistrictMap(indicator("pov"), "Bihar", area, districts, sites, 0.9, "fewer than 3 sites", made)
    >>> page_data(shown)["districts"][0]["facts"]
    ['0.500', '0.200 to 0.900', '1 of 1', '4', '300', None]
    """
    level = _percent(district_map.level)
    west, south, east, north = (float(x) for x in district_map.districts.total_bounds)
    values, lower, upper = _values(district_map)
    missing = int(np.isnan(values).sum())
    shown = district_map.indicator
    return {
        "title": district_map.title,
        "simulated": bool(district_map.provenance.simulated),
        "bounds": [[south, west], [north, east]],
        "facts": ["Value", f"{level} interval", "Rank (1 is highest)", "Sites", "Images", "Official statistic"],
        "districts": _districts(district_map, values, lower, upper),
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
        ],
        "unsupported": {"label": f"Not supported: {district_map.support}", "count": str(missing)} if missing else None,
        "sites": {"choice": "Sites"} | page_sites(district_map.sites),
        "how": _how_it_was_made(district_map),
    }


def _how_it_was_made(district_map: DistrictMap) -> list[tuple[str, str]]:
    made = district_map.provenance
    level = _percent(district_map.level)
    interval = (
        f"The mean of a district is expected inside its {level} interval in {level} of districts. Errors of places in "
        "one district go together, so intervals come from predicting whole districts that the model had not seen."
    )
    unit = district_map.indicator.unit
    scores = "; ".join(_score(name, value, unit) for name, value in made.metrics.items() if np.isfinite(value))
    return [
        ("Model", f"{made.model}. {made.model_about}"),
        ("Accuracy", f"{scores} at surveyed clusters, out of fold" if scores else "Not measured"),
        ("Meaning of the interval", interval),
        (
            "Not supported",
            f"Districts are left without a value where there is too little to go by: {district_map.support}",
        ),
        (
            "Data",
            f"{made.dataset}{' (simulated)' if made.simulated and 'simulated' not in made.dataset.lower() else ''}",
        ),
        ("Boundaries", made.boundaries),
        ("Command", made.command),
        ("Made", f"{made.made.isoformat()} with geolive {made.version}"),
    ]


def as_json(data: dict) -> str:
    """JSON that can stand inside a script element whatever its texts hold.

    Examples
    --------
    >>> print(as_json({"name": "</script>"}))
    {"name":"\\u003c/script\\u003e"}
    """
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def number(value: float, digits: int) -> str:
    """A number as people read it.

    Examples
    --------
    >>> number(-1234.567, 1), number(-0.001, 2)
    ('−1,234.6', '0.00')
    """
    return f"{round(float(value), digits) + 0.0:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def digits_to_show(values: np.ndarray) -> int:
    """Decimals that tell values apart by about a hundredth of their spread.

    Examples
    --------
    >>> digits_to_show(np.array([-1.2, 0.9])), digits_to_show(np.array([100.0, 1800.0]))
    (2, 0)
    """
    finite = np.asarray(values, float)[np.isfinite(values)]
    spread = np.ptp(finite) if finite.size else 0
    size = spread or np.abs(finite).max(initial=0)
    return int(np.clip(2 - np.floor(np.log10(size)), 0, 6)) if size > 0 else 0


def _values(district_map: DistrictMap) -> list[np.ndarray]:
    """Value, lower and upper end of each district; NaN where it is not supported."""
    name, table = district_map.indicator.name, district_map.districts
    numbers = [table[column].to_numpy(float) for column in (name, f"{name}_lower", f"{name}_upper")]
    supported = table["supported"].to_numpy(bool) & np.isfinite(numbers).all(axis=0)
    return [np.where(supported, column, np.nan) for column in numbers]


def _districts(district_map: DistrictMap, values: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> list[dict]:
    table = district_map.districts
    digits = digits_to_show(np.concatenate([lower, upper]))
    n_ranked = int(np.isfinite(values).sum())
    # a statistic that a simulation was made from must not stand beside it
    show_official = "official" in table.columns and not district_map.provenance.simulated
    several_states = table["state"].nunique() > 1
    shapes, middles, rooms = page_shapes(table.geometry)
    rows = []
    for i, row in enumerate(table.drop(columns="geometry").to_dict("records")):
        supported = bool(np.isfinite(values[i]))
        facts = [
            number(values[i], digits) if supported else "Not supported",
            f"{number(lower[i], digits)} to {number(upper[i], digits)}" if supported else None,
            _rank(row["rank_best"], row["rank_worst"], n_ranked) if supported else None,
            number(row["n_sites"], 0),
            number(row["n_images"], 0),
            str(row["official"]) if show_official and pd.notna(row["official"]) else None,
        ]
        numbers = [float(x) if supported else None for x in (values[i], lower[i], upper[i])]
        rows.append(
            {"id": str(row["district_id"]), "name": str(row["district"])}
            | ({"state": str(row["state"])} if several_states and pd.notna(row["state"]) else {})
            | dict(zip(("value", "lower", "upper"), numbers, strict=True))
            | {"facts": facts, "shape": shapes[i], "middle": middles[i], "room": rooms[i]}
        )
    return rows


def _classes(values: np.ndarray, breaks: np.ndarray, colours: tuple[str, ...]) -> dict:
    """Entries of a legend from its lowest class to its highest, and each district's class."""
    found = class_of(values, breaks)
    digits = next((d for d in range(7) if np.array_equal(np.round(breaks, d), breaks)), digits_to_show(breaks))
    edges = list(zip(breaks[:-1].tolist(), breaks[1:].tolist(), strict=True))
    items = [
        {
            "low": low,
            "high": high,
            "colour": colour,
            "label": f"{number(low, digits)} to {number(high, digits)}" if low < high else number(low, digits),
            "count": str(int((found == i).sum())),
        }
        for i, ((low, high), colour) in enumerate(zip(edges, class_colours(colours, len(edges)), strict=False))
    ]
    return {"items": items, "classes": found.tolist(), "border": border_colour(colours)}


def _rank(best: float, worst: float, of: int) -> str | None:
    if pd.isna(best) or pd.isna(worst):
        return None
    return f"{int(best)} of {of}" if best == worst else f"{int(best)} to {int(worst)} of {of}"


def _score(name: str, value: float, unit: str) -> str:
    words = {
        "r2": f"R² {number(value, 2)}",
        "rmse": f"root mean square error {number(value, max(digits_to_show(np.array([value])) - 1, 0))} ({unit})",
        "accuracy": f"accuracy {_percent(value)}",
        "pearson_r": f"correlation {number(value, 2)}",
        "auc": f"area under the ROC curve {number(value, 2)}",
        "balanced_accuracy": f"balanced accuracy {_percent(value)}",
        "brier": f"Brier score {number(value, 2)}",
        "calibration_slope": f"calibration slope {number(value, 2)}",
    }
    return words.get(name, f"{name} {number(value, 2)}")


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"
