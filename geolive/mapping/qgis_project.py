"""A QGIS project (.qgz): districts and sites styled, and a layout that prints a page for each district."""

import io
import uuid
import xml.etree.ElementTree as ET
import zipfile
import zlib
from pathlib import Path

import pyproj

from geolive.indicators import class_labels
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.geopackage import LAYERS
from geolive.mapping.page_method import source_line
from geolive.mapping.qgis_metadata import QGIS_VERSION, WRITTEN_BY, add, document, layer_title
from geolive.mapping.qgis_styles import count_tips, district_style, estimate_tips, site_style
from geolive.wording import percent_text

# types of the items of a layout, as QGIS numbers them
_PAGE, _MAP, _LABEL, _LEGEND, _PICTURE, _SCALE_BAR = 65638, 65639, 65641, 65642, 65640, 65646
_ARROW = ":/images/north_arrows/layout_default_north_arrow.svg"
_LEFT, _MIDDLE, _TOP = "1", "4", "32"
_ATLAS_LAYOUT = "A page for each district"
# left, top, width and height of the layout's map, mm
_MAP_PLACE = (10.0, 30.0, 192.0, 163.0)
# a project has the same ids whenever it is written
_NAMESPACE = uuid.UUID("5a0f7a0e-1f65-4b62-9a76-5c1f6fbe4ad5")


def project_bytes(district_map: DistrictMap, package: str) -> bytes:
    """Write a project that opens the layers of a GeoPackage which lies beside it.

    Parameters
    ----------
    district_map : DistrictMap
    package : str
        Name of the GeoPackage that `write_geopackage` wrote, in the folder of the project.

    Returns
    -------
    bytes
        A ZIP archive with one project file; equal maps give equal bytes.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> zipfile.ZipFile(io.BytesIO(project_bytes(result, "pov.gpkg"))).namelist()
    ['project.qgs']
    """
    root = ET.Element("qgis", version=f"{QGIS_VERSION}.0", projectname=layer_title(district_map))
    add(root, "title", layer_title(district_map))
    _add_system(add(root, "projectCrs"))
    extent = _extent(district_map)
    styles = {"districts": district_style(district_map), "sites": site_style(district_map)}
    tree = add(root, "layer-tree-group")
    # what comes first lies above
    for layer in reversed(LAYERS):
        # thousands of dots would cover the districts
        _add_tree_layer(tree, layer, package, shown=layer == "districts")
    properties = add(root, "properties")
    add(add(properties, "Measure"), "Ellipsoid", "EPSG:7030", type="QString")
    # without it, QGIS reads no reference system of the project
    add(add(properties, "SpatialRefSys"), "ProjectionsEnabled", "1", type="int")
    canvas = add(root, "mapcanvas", name="theMapCanvas")
    add(canvas, "units", "degrees")
    _add_extent(canvas, extent)
    _add_system(add(canvas, "destinationsrs"))
    layers = add(root, "projectlayers")
    for layer in LAYERS:
        _add_layer(layers, layer, package, ET.fromstring(styles[layer]), extent)
    _add_layout(add(root, "Layouts"), district_map, package, extent)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        about = zipfile.ZipInfo("project.qgs")
        about.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(about, document(root, district_map.provenance.version))
    return content.getvalue()


def is_our_project(path: Path) -> bool:
    """Return whether geolive wrote a project; one that QGIS saved since is its user's.

    Examples
    --------
    >>> is_our_project(Path("no.qgz"))
    False
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open("project.qgs") as file:
            return f"<!-- {WRITTEN_BY} ".encode() in file.read(4096)
    except (OSError, KeyError, zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, zlib.error):
        return False


def _id(layer: str) -> str:
    return f"geolive_{layer}"


def _add_system(parent: ET.Element) -> None:
    system = add(parent, "spatialrefsys")
    known = {"srsid": "3452", "srid": "4326", "authid": "EPSG:4326", "description": "WGS 84", "geographicflag": "true"}
    shape = {"projectionacronym": "longlat", "ellipsoidacronym": "EPSG:7030"}
    proj = {"wkt": pyproj.CRS(4326).to_wkt("WKT2_2019"), "proj4": "+proj=longlat +datum=WGS84 +no_defs"}
    for tag, text in {**proj, **known, **shape}.items():
        add(system, tag, text)


def _extent(district_map: DistrictMap) -> dict[str, float]:
    """Return the region's box, widened to the shape of the layout's map, which would change its size otherwise."""
    west, south, east, north = (float(bound) for bound in district_map.districts.total_bounds)
    width, height = east - west, north - south
    shape = _MAP_PLACE[2] / _MAP_PLACE[3]
    more_width, more_height = max(height * shape - width, 0.0) / 2, max(width / shape - height, 0.0) / 2
    return {
        "xmin": west - more_width,
        "ymin": south - more_height,
        "xmax": east + more_width,
        "ymax": north + more_height,
    }


def _add_extent(parent: ET.Element, extent: dict[str, float], tag: str = "extent") -> None:
    box = add(parent, tag)
    for name, value in extent.items():
        add(box, name, repr(value))


def _source(package: str, layer: str) -> str:
    return f"./{package}|layername={layer}"


def _add_tree_layer(tree: ET.Element, layer: str, package: str, *, shown: bool) -> ET.Element:
    checked = "Qt::Checked" if shown else "Qt::Unchecked"
    words = {"name": layer.capitalize(), "checked": checked, "expanded": "1", "providerKey": "ogr"}
    return add(tree, "layer-tree-layer", id=_id(layer), source=_source(package, layer), **words)


def _add_layer(layers: ET.Element, layer: str, package: str, style: ET.Element, extent: dict[str, float]) -> None:
    kind = {"districts": ("Polygon", "MultiPolygon"), "sites": ("Point", "Point")}[layer]
    own = add(layers, "maplayer", type="vector", geometry=kind[0], wkbType=kind[1], **style.attrib)
    _add_extent(own, extent)
    add(own, "id", _id(layer))
    add(own, "datasource", _source(package, layer))
    add(own, "layername", layer.capitalize())
    _add_system(add(own, "srs"))
    add(own, "provider", "ogr", encoding="UTF-8")
    own.extend(list(style))


def _add_layout(layouts: ET.Element, district_map: DistrictMap, package: str, extent: dict[str, float]) -> None:
    layout = add(layouts, "Layout", name=_ATLAS_LAYOUT, units="mm", printResolution="300")
    pages = add(layout, "PageCollection")
    _add_item(pages, _PAGE, (0, 0, 297, 210), "page")
    made, level = district_map.provenance, percent_text(district_map.level)
    mark = "SIMULATED survey and imagery. " if made.simulated else ""
    shown = _plain(district_map.indicator.legend_title)
    unit = _plain(district_map.indicator.unit)
    texts = [
        ('[% "district" %]', (10, 8, 277, 12), 22),
        (f"{mark}{_plain(district_map.title)}. {district_map.indicator.meaning}", (10, 20, 277, 7), 10),
        ("\n".join(_facts(district_map, shown, unit, level)), (208, 32, 79, 70), 10),
        (_plain(source_line(district_map)), (10, 196, 277, 9), 7),
    ]
    for number, (text, place, size) in enumerate(texts):
        label = _add_item(layout, _LABEL, place, f"text {number}", labelText=text, halign=_LEFT, valign=_TOP)
        _add_font(label, "LabelFont", size, bold=size > 20)
    _add_legend(layout, district_map, package, map_id := _item_id("map"))
    drawn = _add_item(layout, _MAP, _MAP_PLACE, "map", frame="true")
    add(drawn, "Extent", **{name: repr(value) for name, value in extent.items()})
    # the district with as much around it as shows where it lies
    add(drawn, "AtlasMap", atlasDriven="1", scalingMode="2", margin="0.6")
    arrow = {"file": _ARROW, "mapUuid": map_id, "svgFillColor": "28,36,48,255", "svgBorderColor": "28,36,48,255"}
    _add_item(layout, _PICTURE, (188, 35, 11, 13), "north arrow", background="false", **arrow)
    scale = {
        **{
            "mapUuid": map_id,
            "style": "Single Box",
            "unitType": "km",
            "unitLabel": "km",
            "numMapUnitsPerScaleBarUnit": "1",
        },
        **{
            "numSegments": "2",
            "segmentSizeMode": "1",
            "minBarWidth": "30",
            "maxBarWidth": "60",
            "numUnitsPerSegment": "10",
        },
        **{"height": "2", "labelBarSpace": "2", "boxContentSpace": "1"},
    }
    _add_item(layout, _SCALE_BAR, (12, 180, 70, 10), "scale bar", **scale)
    add(
        layout, "Atlas", enabled="1", coverageLayer=_id("districts"), coverageLayerName="Districts",
        coverageLayerProvider="ogr", coverageLayerSource=_source(package, "districts"), pageNameExpression='"district"',
        filenamePattern="\"district_id\" || '_' || \"district\"", sortFeatures="1", sortKey='"district"', sortAscending="1",
        hideCoverage="0", filterFeatures="0",
    )  # fmt: skip


def _facts(district_map: DistrictMap, shown: str, unit: str, level: str) -> list[str]:
    """Return the lines on the atlas's district, with QGIS's expressions in them."""
    name = district_map.indicator.name

    def number(ending: str) -> str:
        column = (name + ending).replace('"', '""')
        return f'format_number("{column}", 2)'

    return [
        f"{shown}, {unit}",
        f"Value: [% coalesce({number('')}, 'not supported') %]",
        f"{level} interval: [% coalesce({number('_lower')} || ' to ' || {number('_upper')}, 'none') %]",
        f"{district_map.indicator.rank_words}: [% coalesce(\"rank_best\" || ' to ' || \"rank_worst\", 'none') %]",
        *estimate_tips(district_map, number),
        *count_tips(district_map),
    ]


def _plain(text: str) -> str:
    """Return text in which QGIS finds no expression ([% … %])."""
    return text.replace("[%", "[ %")


def _item_id(name: str) -> str:
    return f"{{{uuid.uuid5(_NAMESPACE, name)}}}"


def _add_item(
    parent: ET.Element, kind: int, place: tuple[float, float, float, float], name: str, **options: str
) -> ET.Element:
    left, top, width, height = place
    where = f"{left},{top},mm"
    own = _item_id(name)
    fixed = {
        **{
            "type": str(kind),
            "uuid": own,
            "templateUuid": own,
            "id": name,
            "size": f"{width},{height},mm",
            "position": where,
        },
        **{
            "positionOnPage": where,
            "referencePoint": "0",
            "visibility": "1",
            "opacity": "1",
            "outlineWidthM": "0.2,mm",
        },
        **{
            "frame": "false",
            "background": "true",
            "excludeFromExports": "0",
            "positionLock": "false",
            "itemRotation": "0",
        },
    }
    return add(parent, "LayoutItem", **{**fixed, **options})


def _add_legend(layout: ET.Element, district_map: DistrictMap, package: str, map_id: str) -> None:
    options = {
        **{
            "map_uuid": map_id,
            "resizeToContents": "1",
            "title": _plain(district_map.indicator.unit),
            "columnCount": "1",
        },
        **{"symbolWidth": "7", "symbolHeight": "4", "lineSpacing": "1", "boxSpace": "0"},
    }
    legend = _add_item(layout, _LEGEND, (208, 106, 79, 80), "legend", **options)
    styles = add(legend, "styles")
    for kind, size in (("title", 10), ("group", 10), ("subgroup", 10), ("symbolLabel", 9)):
        style = add(styles, "style", name=kind, alignment="1", marginBottom="2" if kind == "title" else "0")
        _add_font(style, "styleFont", size, bold=kind == "title")
    layer = _add_tree_layer(add(legend, "layer-tree-group"), "districts", package, shown=True)
    # without the layer's own heading, which stands above the map; the first class is another heading, for QGIS's own legend
    shown = ",".join(str(number) for number in range(1, len(class_labels(district_map.breaks)) + 2))
    own = add(add(layer, "customproperties"), "Option", type="Map")
    add(own, "Option", type="QString", name="legend/title-style", value="hidden")
    add(own, "Option", type="QString", name="legend/node-order", value=shown)


def _add_font(parent: ET.Element, tag: str, size: int, *, bold: bool) -> None:
    """Add a font as QGIS 3.22 reads it, and as later versions do."""
    add(parent, tag, description=f"Noto Sans,{size},-1,5,{75 if bold else 50},0,0,0,0,0", style="")
    add(
        parent, "text-style", fontFamily="Noto Sans", fontSize=str(size), fontSizeUnit="Point",
        fontWeight="75" if bold else "50", textColor="28,36,48,255",
    )  # fmt: skip
