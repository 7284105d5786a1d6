"""The districts as KML, for Google Earth and phones."""

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import shapely

from geolive.auditing.embedded import KEY
from geolive.indicators import (
    NOT_SUPPORTED_COLOUR,
    border_colour,
    class_colours,
    class_labels,
    class_of,
)
from geolive.mapping.column_words import column_words
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.export_table import DECIMALS, district_columns, on_grid
from geolive.mapping.map_passport import passport_text
from geolive.mapping.qgis_metadata import abstract, add, document, layer_title

_NAMESPACE = "http://www.opengis.net/kml/2.2"
_UNSUPPORTED = "not-supported"


def kml_bytes(district_map: DistrictMap) -> bytes:
    """Write the districts as KML 2.2 in the classes and colours of the page, each with its columns as data.

    Parameters
    ----------
    district_map : DistrictMap

    Returns
    -------
    bytes
        An XML document.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> kml_bytes(result).count(b"<Placemark>")
    3
    """
    columns, words = district_columns(district_map), column_words(district_map)
    root = ET.Element("kml", xmlns=_NAMESPACE)
    folder = add(root, "Document")
    add(folder, "name", layer_title(district_map))
    add(folder, "description", abstract(district_map))
    _add_styles(folder, district_map)
    if passport := passport_text(district_map):
        add(add(add(folder, "ExtendedData"), "Data", name=KEY), "value", passport)
    values = np.array([np.nan if value is None else value for value in columns[district_map.indicator.name]], float)
    classes = class_of(values, district_map.breaks)
    borders = on_grid(district_map.districts).geometry.to_numpy()
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    for row, number, border in zip(rows, classes, borders, strict=True):
        style = f"#class-{number}" if number >= 0 else f"#{_UNSUPPORTED}"
        _add_district(folder, row, words, style, border, district_map.indicator.meaning)
    return document(root, district_map.provenance.version)


def _add_styles(folder: ET.Element, district_map: DistrictMap) -> None:
    shown = district_map.indicator
    labels = class_labels(district_map.breaks)
    line = _kml_colour(border_colour(shown.colours), 255)
    colours = {f"class-{i}": colour for i, colour in enumerate(class_colours(shown.colours, len(labels)))}
    for name, colour in {**colours, _UNSUPPORTED: NOT_SUPPORTED_COLOUR}.items():
        style = add(folder, "Style", id=name)
        outline = add(style, "LineStyle")
        add(outline, "color", line)
        add(outline, "width", "1")
        add(add(style, "PolyStyle"), "color", _kml_colour(colour, 204))


def _add_district(
    folder: ET.Element,
    row: dict[str, Any],
    words: dict[str, str],
    style: str,
    border: shapely.MultiPolygon,
    meaning: str,
) -> None:
    mark = add(folder, "Placemark")
    add(mark, "name", str(row["district"]))
    add(mark, "Snippet", f"SIMULATED. {meaning}" if row["simulated"] else meaning)
    add(mark, "styleUrl", style)
    data = add(mark, "ExtendedData")
    for column, value in row.items():
        if value is not None:
            item = add(data, "Data", name=column)
            add(item, "displayName", words.get(column, column))
            add(item, "value", str(value))
    parts = add(mark, "MultiGeometry")
    for polygon in border.geoms:
        shape = add(parts, "Polygon")
        add(add(add(shape, "outerBoundaryIs"), "LinearRing"), "coordinates", _coordinates(polygon.exterior))
        for hole in polygon.interiors:
            add(add(add(shape, "innerBoundaryIs"), "LinearRing"), "coordinates", _coordinates(hole))


def _coordinates(ring: shapely.LinearRing) -> str:
    return " ".join(f"{lon:.{DECIMALS}f},{lat:.{DECIMALS}f}" for lon, lat in shapely.get_coordinates(ring))


def _kml_colour(colour: str, opacity: int) -> str:
    """Return a colour "#rrggbb" as KML writes it: opacity, blue, green, red."""
    return f"{opacity:02x}{colour[5:7]}{colour[3:5]}{colour[1:3]}"
