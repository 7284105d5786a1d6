"""A district map as a `folium.Map`, to which a user can add layers."""

import html
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np

from geolive.antimeridian import running_longitudes
from geolive.indicators import NOT_SUPPORTED_COLOUR
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.estimate_words import other_sites_words
from geolive.mapping.page_data import page_data
from geolive.tables import lonlat, points
from geolive.wording import decimal_text

if TYPE_CHECKING:
    import folium

_HATCH = "url(#geolive-hatch)"
_SITE_COLOURS = {True: "#111111", False: "#ffffff"}


def explore_districts(district_map: DistrictMap, tiles: str | None = "OpenStreetMap") -> "folium.Map":
    """Make a folium map of the districts and sites, with a legend.

    Parameters
    ----------
    district_map : DistrictMap
        It is not changed.
    tiles : str or None
        The base map, as for `folium.Map`.

    Returns
    -------
    folium.Map
        With the layers "Districts" and "Sites" (hidden at first) and a control to choose among them and those added later.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> type(explore_districts(result)).__name__
    'Map'
    """
    import folium

    page = page_data(district_map)
    drawn = folium.Map(tiles=tiles, zoom_snap=0.25)
    _district_layer(page).add_to(drawn)
    if len(district_map.sites):
        _site_layer(district_map).add_to(drawn)
    folium.LayerControl().add_to(drawn)
    root: Any = drawn.get_root()
    root.title = _text(f"SIMULATED: {page['title']}" if page["simulated"] else page["title"])
    root.html.add_child(folium.Element(_legend(page, district_map.indicator.meaning)))
    drawn.fit_bounds(page["bounds"])
    return drawn


def _district_layer(page: dict) -> "folium.GeoJson":
    import folium

    layer = page["layers"][0]
    colours = [item["colour"] for item in layer["items"]]
    # folium writes properties into tooltips as HTML, so they are escaped here
    fields = {f"fact_{i}": label for i, label in enumerate(page["facts"])}
    rows = page["districts"]
    shown = [name for i, name in enumerate(fields) if any(row["facts"][i] is not None for row in rows)]
    says = ["says"] if any(row["says"] for row in rows) else []
    features = [
        {
            "type": "Feature",
            "id": str(number),
            "properties": {"district": _text(row["name"]), "colour": colours[row_class] if row_class >= 0 else _HATCH}
            | {name: _text(row["facts"][i] or "–") for i, name in enumerate(fields)}
            | {"says": "<br>".join(map(_text, row["says"]))},
            "geometry": {"type": "MultiPolygon", "coordinates": row["shape"]},
        }
        for number, (row, row_class) in enumerate(zip(rows, layer["classes"], strict=True))
    ]
    border = layer["border"]
    return folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        name="Districts",
        style_function=lambda feature: {
            "fillColor": feature["properties"]["colour"],
            "fillOpacity": 0.8,
            "color": border,
            "weight": 1,
        },
        highlight_function=lambda _: {"color": "#111111", "weight": 2.5},
        tooltip=folium.GeoJsonTooltip(
            fields=["district", *shown, *says],
            aliases=["District", *(_text(fields[name]) for name in shown), *("Estimates" for _ in says)],
            sticky=True,
        ),
    )


def _site_layer(district_map: DistrictMap) -> "folium.GeoJson":
    import folium

    sites, name = district_map.sites, district_map.indicator.name
    values = sites[name].to_numpy(float) if name in sites else np.full(len(sites), np.nan)
    other = other_sites_words(district_map)
    columns = {
        "value": [decimal_text(value, 2) if np.isfinite(value) else "–" for value in values],
        "images": [f"{n:,}" for n in sites["n_images"]],
        "place": ["Survey place" if surveyed else other for surveyed in sites["surveyed"]],
        "colour": [_SITE_COLOURS[bool(surveyed)] for surveyed in sites["surveyed"]],
    }
    where = lonlat(sites.geometry)
    lon = running_longitudes(where[:, 0], district_map.districts.geometry)
    return folium.GeoJson(
        gpd.GeoDataFrame(columns, geometry=points(lon, where[:, 1])),
        name="Sites",
        show=False,
        marker=folium.CircleMarker(radius=3, weight=1.2, color="#111111", fill=True, fill_opacity=1.0),
        style_function=lambda feature: {"fillColor": feature["properties"]["colour"]},
        tooltip=folium.GeoJsonTooltip(fields=["place", "value", "images"], aliases=["Place", "Value", "Images"]),
    )


def _legend(page: dict, meaning: str) -> str:
    """Draw legend, hatching and the mark of a simulation, as HTML above the map."""
    layer = page["layers"][0]
    items = [(item["colour"], item["label"]) for item in layer["items"]]
    items += [(_HATCH, page["unsupported"]["label"])] if page["unsupported"] else []
    rows = "".join(
        f'<div style="margin: 2px 0"><svg width="22" height="14" style="vertical-align: -2px; margin-right: 7px">'
        f'<rect width="22" height="14" fill="{colour}" stroke="#1c243055"/></svg>{_text(label)}</div>'
        for colour, label in items
    )
    mark = (
        '<div style="position: fixed; inset: 0; z-index: 900; pointer-events: none; display: grid; place-items: center; '
        'overflow: hidden"><span style="transform: rotate(-27deg); font: 800 13vw sans-serif; color: #ffffff55; '
        '-webkit-text-stroke: 1.5px #1c243088">SIMULATED</span></div>'
    )
    return (
        '<svg width="0" height="0" style="position: absolute"><defs><pattern id="geolive-hatch" '
        'patternUnits="userSpaceOnUse" width="6" height="6" patternTransform="rotate(45)"><rect width="6" height="6" '
        f'fill="{NOT_SUPPORTED_COLOUR}"/><rect width="1.6" height="6" fill="#8a8f98"/></pattern></defs></svg>'
        '<div id="geolive-legend" style="position: fixed; left: 12px; bottom: 24px; z-index: 1000; max-width: 260px; '
        "padding: 10px 12px; background: #fffffff2; border-radius: 6px; box-shadow: 0 1px 5px #0004; font: 13px/1.35 "
        f'sans-serif"><strong>{_text(page["title"])}</strong><div>{_text(layer["title"])}</div>'
        f'<div style="color: #56606d; margin-bottom: 5px">{_text(layer["unit"])}. {_text(meaning)}</div>{rows}</div>'
        f"{mark if page['simulated'] else ''}"
    )


def _text(words: str) -> str:
    """Return text as HTML that folium does not take for a template ({{ … }}, {% … %})."""
    return html.escape(words).replace("{", "&#123;").replace("}", "&#125;")
