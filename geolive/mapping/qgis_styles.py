"""Styles for QGIS (QML): the classes and colours of the page, labels, columns in words.

QGIS loads `NAME.qml` when it opens a layer NAME in the same folder. The elements are those that QGIS 3.22 writes, without
those at its defaults. Names come from files of others, so they are written as text only into XML, expressions and the
HTML of map tips.
"""

import html
import xml.etree.ElementTree as ET
from collections.abc import Callable

from geolive.indicators import (
    NOT_SUPPORTED_COLOUR,
    border_colour,
    break_digits,
    break_labels,
    class_colours,
    class_labels,
)
from geolive.mapping.column_words import column_words, site_words
from geolive.mapping.composite import COMPOSITES
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.estimate_words import estimate_columns
from geolive.mapping.map_words import places_heading
from geolive.mapping.qgis_metadata import QGIS_VERSION, add, document
from geolive.wording import percent_text

NOT_SUPPORTED = "Not supported"
SIMULATED = "SIMULATED survey and imagery"

# both are far below every value; nothing falls into the second, which is a class that shows the legend's heading
_NO_VALUE, _HEADING = "-1e+30", "-2e+30"

# lower and upper end, words, and the layers of the symbol
_Class = tuple[str, str, str, list[ET.Element]]


def legend_heading(district_map: DistrictMap) -> str:
    """Write the heading of the legend, since QGIS itself shows only the file's name.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> legend_heading(result)
    'SIMULATED Asset wealth (higher is wealthier), asset-wealth index'
    """
    shown = district_map.indicator
    return "SIMULATED " * district_map.provenance.simulated + f"{shown.legend_title}, {shown.unit}"


def district_style(district_map: DistrictMap) -> bytes:
    """Write the QML of the districts, with the classes and colours of the page, names as labels and words for the columns.

    Parameters
    ----------
    district_map : DistrictMap

    Returns
    -------
    bytes
        An XML document. The highest class comes first, because QGIS puts a value on a break into the first class that it
        fits, and it belongs to the higher one.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> b"graduatedSymbol" in district_style(result)
    True
    """
    root = ET.Element("qgis", version=QGIS_VERSION, labelsEnabled="1", styleCategories="AllStyleCategories")
    root.append(_renderer(district_map))
    root.append(_labelling())
    aliases = ET.SubElement(root, "aliases")
    for column, words in column_words(district_map).items():
        add(aliases, "alias", field=column, name=words)
    add(root, "previewExpression", '"district"')
    add(root, "mapTip", _map_tip(district_map))
    add(root, "layerGeometryType", "2")
    return document(root, district_map.provenance.version)


def site_style(district_map: DistrictMap) -> bytes:
    """Write the QML of the sites: dots in the classes of the page.

    The lowest and the highest class are open, since sites vary more than districts.

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
    >>> b"SimpleMarker" in site_style(result)
    True
    """
    root = ET.Element("qgis", version=QGIS_VERSION, styleCategories="AllStyleCategories")
    edges = [_NO_VALUE, *(repr(float(b)) for b in district_map.breaks[1:-1]), "1e+30"]
    classes: list[_Class] = [
        (low, high, label, [_layer("SimpleMarker", name="circle", size="2", color=_rgba(colour), outline_width="0.2")])
        for low, high, (_, colour, label) in zip(edges, edges[1:], _surface_classes(district_map)[1:], strict=False)
    ]
    nothing = _layer("SimpleMarker", size="0", color="0,0,0,0", outline_style="no")
    classes.append((_HEADING, _HEADING, legend_heading(district_map), [nothing]))
    root.append(_graduated(_column(district_map), "marker", classes[::-1]))
    aliases = ET.SubElement(root, "aliases")
    for column, alias in site_words(district_map).items():
        add(aliases, "alias", field=column, name=alias)
    add(root, "layerGeometryType", "0")
    return document(root, district_map.provenance.version)


def surface_style(district_map: DistrictMap) -> bytes:
    """Write the QML of the surface: band 1 in the classes of the page.

    The lowest and the highest class are open, since sites vary more than districts.

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
    >>> b"singlebandpseudocolor" in surface_style(result)
    True
    """
    breaks = district_map.breaks
    lowest, highest = (repr(float(b)) for b in (breaks[[0, -1]] if len(breaks) else (0, 0)))
    root = ET.Element("qgis", version=QGIS_VERSION, styleCategories="AllStyleCategories")
    pipe = ET.SubElement(root, "pipe")
    renderer = add(pipe, "rasterrenderer", type="singlebandpseudocolor", band="1", opacity="1", alphaBand="-1")
    renderer.attrib.update(classificationMin=lowest, classificationMax=highest, nodataColor="")
    shader = add(add(renderer, "rastershader"), "colorrampshader", colorRampType="DISCRETE", classificationMode="1")
    shader.attrib.update(minimumValue=lowest, maximumValue=highest, clip="0", labelPrecision="6")
    for upper, colour, label in _surface_classes(district_map):
        add(shader, "item", value=upper, color=colour, label=label, alpha="255")
    add(root, "blendMode", "0")
    return document(root, district_map.provenance.version)


def _renderer(district_map: DistrictMap) -> ET.Element:
    breaks = district_map.breaks
    labels = class_labels(breaks)
    colours = class_colours(district_map.indicator.colours, len(labels))
    edges = [repr(float(b)) for b in breaks]
    if len(breaks) == 2 and breaks[0] == breaks[1]:
        # QGIS puts no value into a class that does not enclose it, and these are equal as people see them only
        step = 10.0**-district_map.decimals
        edges = [repr(float(breaks[0] - step)), repr(float(breaks[1] + step))]
    border = _rgba(border_colour(colours))
    classes: list[_Class] = [
        (low, high, label, _fill(colour, border))
        for low, high, label, colour in zip(edges, edges[1:], labels, colours, strict=False)
    ][::-1]
    classes.append((_NO_VALUE, _NO_VALUE, NOT_SUPPORTED, _hatching(border)))
    nothing = _layer("SimpleFill", style="no", outline_style="no")
    classes.insert(0, (_HEADING, _HEADING, legend_heading(district_map), [nothing]))
    return _graduated(_column(district_map), "fill", classes)


def _column(district_map: DistrictMap) -> str:
    """Return the indicator's column in an expression of QGIS."""
    return '"' + district_map.indicator.name.replace('"', '""') + '"'


def _graduated(column: str, kind: str, classes: list[_Class]) -> ET.Element:
    """Make a renderer that draws each feature by the class that its value lies in."""
    renderer = ET.Element("renderer-v2", type="graduatedSymbol", graduatedMethod="GraduatedColor")
    renderer.set("attr", f"coalesce({column}, {_NO_VALUE})")
    ranges, symbols = ET.SubElement(renderer, "ranges"), ET.SubElement(renderer, "symbols")
    for i, (lower, upper, label, layers) in enumerate(classes):
        add(ranges, "range", lower=lower, upper=upper, label=label, symbol=str(i), render="true")
        add(symbols, "symbol", type=kind, name=str(i), alpha="1", clip_to_extent="1", force_rhr="0").extend(layers)
    method = add(renderer, "classificationMethod", id="Custom")
    add(method, "labelFormat", format="%1 to %2", labelprecision="4", trimtrailingzeroes="1")
    return renderer


def _fill(colour: str, border: str) -> list[ET.Element]:
    outline = {"outline_color": border, "outline_width": "0.2", "outline_width_unit": "MM"}
    return [_layer("SimpleFill", color=_rgba(colour), joinstyle="round", **outline)]


def _hatching(border: str) -> list[ET.Element]:
    hatch = _layer("LinePatternFill", angle="45", distance="1.6", distance_unit="MM")
    line = add(hatch, "symbol", type="line", name="@hatch@1", alpha="1", clip_to_extent="1", force_rhr="0")
    line.append(_layer("SimpleLine", line_color="150,150,150,255", line_width="0.25", line_width_unit="MM"))
    return [*_fill(NOT_SUPPORTED_COLOUR, border), hatch]


def _layer(kind: str, **options: str) -> ET.Element:
    layer = ET.Element("layer", {"class": kind, "enabled": "1", "locked": "0", "pass": "0"})
    values = add(layer, "Option", type="Map")
    for name, value in options.items():
        add(values, "Option", type="QString", name=name, value=value)
    return layer


def _labelling() -> ET.Element:
    labelling = ET.Element("labeling", type="simple")
    settings = add(labelling, "settings", calloutType="simple")
    text = add(settings, "text-style", fieldName="district", isExpression="0", allowHtml="0")
    text.attrib.update(
        fontSize="7.5", fontSizeUnit="Point", textColor="20,20,20,255", textOpacity="1", multilineHeight="0.9"
    )
    add(
        text, "text-buffer", bufferDraw="1", bufferSize="0.8", bufferSizeUnits="MM", bufferColor="255,255,255,255"
    ).attrib.update(bufferOpacity="0.9", bufferNoFill="1", bufferJoinStyle="128")
    add(settings, "text-format", autoWrapLength="12", useMaxLineLengthForAutoWrap="1", multilineAlign="1")
    add(settings, "placement", placement="4", priority="5", centroidInside="1")
    add(settings, "rendering", drawLabels="1", obstacle="0", limitNumLabels="0", labelPerPart="0")
    return labelling


def _map_tip(district_map: DistrictMap) -> str:
    """Write the HTML that QGIS fills in; names are escaped here, and those of features by the expression."""
    shown = district_map.indicator
    decimals = break_digits(district_map.breaks) + 1

    def number(suffix: str) -> str:
        return "format_number(" + '"' + (shown.name + suffix).replace('"', '""') + f'", {decimals})'

    district = "replace(replace(replace(\"district\", '&', '&amp;'), '<', '&lt;'), '>', '&gt;')"
    interval = f"{number('_lower')} || ' to ' || {number('_upper')}"
    lines = [
        f"<b>[% {district} %]</b>",
        f"{_template_text(shown.legend_title)}: <b>[% coalesce({number('')}, 'not supported') %]</b>",
        f"{percent_text(district_map.level)} interval: [% coalesce({interval}, 'none') %]",
        f"Unit: {_template_text(shown.unit)}",
        *estimate_tips(district_map, number),
        *_people_tips(district_map),
        *count_tips(district_map),
        html.escape(shown.meaning),
        *[f"<b>{SIMULATED}</b>"] * district_map.provenance.simulated,
    ]
    return "<br>".join(lines)


def count_tips(district_map: DistrictMap) -> list[str]:
    """Return the line on the places that were predicted, and on images where the map has some.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> count_tips(gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa"))
    ['Sites: [% "n_sites" %]; images: [% "n_images" %]']
    """
    images = '; images: [% "n_images" %]' if district_map.has_images else ""
    return [f'{places_heading(district_map)}: [% "n_sites" %]{images}']


def estimate_tips(district_map: DistrictMap, number: Callable[[str], str]) -> list[str]:
    """Return the lines on what the survey alone and the model alone say, where the layer has both.

    Parameters
    ----------
    district_map : DistrictMap
    number : callable
        Gives the expression of QGIS that formats the column with an ending, such as "_direct".

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60, most_images=5)
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Forest(n_estimators=5), "pov"), "bihar")
    >>> estimate_tips(result, str)[1][:13]
    'Photos alone:'
    """
    columns, name = estimate_columns(district_map), district_map.indicator.name
    if f"{name}_direct_error" not in columns:
        return []
    source = "Photos" if district_map.provenance.uses_images else "Model"
    survey = f"{number('_direct')} || ' ± ' || {number('_direct_error')}"
    predicted = f"{number('_predicted')} || ' (' || {number('_predicted_lower')} || ' to ' || {number('_predicted_upper')} || ')'"
    lines = [
        f"Survey alone: [% coalesce({survey}, 'none') %] (standard error); surveyed places: [% \"n_clusters\" %]",
        f"{source} alone: [% coalesce({predicted}, 'none') %]",
    ]
    if district_map.estimator in COMPOSITES:
        gamma = '"' + (name + "_gamma").replace('"', '""') + '"'
        lines.append(f"Weight of the survey in the value: [% round(100 * {gamma}) %] %")
    return lines


def _people_tips(district_map: DistrictMap) -> list[str]:
    """Return the line on people, where the layer has them."""
    if "people" not in district_map.districts:
        return []
    people = 'People: [% format_number("people", 0) %]'
    if "people_supported" not in district_map.districts:
        return [people]
    share = "coalesce(round(100 * \"people_supported\") || ' %', 'none')"
    return [f"{people}; within reach of a supported prediction: [% {share} %]"]


def _template_text(text: str) -> str:
    """Return text as HTML in which QGIS finds no expression ([% … %])."""
    return html.escape(text).replace("[", "&#91;").replace("%", "&#37;")


def _surface_classes(district_map: DistrictMap) -> list[tuple[str, str, str]]:
    """Return upper end, colour and label of each class of the surface, from the lowest."""
    breaks = district_map.breaks
    labels = class_labels(breaks) or ["No district is supported"]
    colours = class_colours(district_map.indicator.colours, len(labels)) if len(breaks) else [NOT_SUPPORTED_COLOUR]
    at = break_labels(breaks)
    if len(labels) > 1:
        labels[0], labels[-1] = f"below {at[1]}", f"{at[-2]} and above"
    ends = [*(repr(float(b)) for b in breaks[1:-1]), "inf"]
    return [(_HEADING, "#ffffff", legend_heading(district_map)), *zip(ends, colours, labels, strict=True)]


def _rgba(colour: str) -> str:
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5)) + ",255"
