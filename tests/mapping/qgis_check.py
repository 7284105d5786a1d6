"""Run by a Python that has QGIS: opens a GeoJSON, a GeoTIFF and a GeoPackage, prints what QGIS makes of them, and draws both.

    python3 qgis_check.py DISTRICTS.geojson SURFACE.tif PACKAGE.gpkg FOLDER

prints one JSON object and leaves `districts.png`, `districts_plain.png` (no labels) and `surface.png` in FOLDER,
and the districts' style as QGIS saves it, `saved.qml`.
"""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

SIZE = 1000, 700


def draw(layer, path, labels=True):
    """Draw a layer as QGIS shows it; returns what finds the colour of a place."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(layer.crs())
    settings.setOutputSize(QSize(*SIZE))
    settings.setOutputDpi(110)
    settings.setBackgroundColor(QColor("white"))
    settings.setFlag(QgsMapSettings.DrawLabeling, labels)
    extent = QgsRectangle(layer.extent())
    extent.scale(1.05)
    settings.setExtent(extent)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    image.save(path)
    to_pixel = settings.mapToPixel()

    def colour(lon, lat):
        at = to_pixel.transform(lon, lat)
        return QColor(image.pixel(int(at.x()), int(at.y()))).name()

    return colour


def colours_in(image_path):
    from qgis.PyQt.QtGui import QImage

    image = QImage(image_path)
    return len({image.pixel(x, y) for x in range(0, image.width(), 5) for y in range(0, image.height(), 5)})


def corners(box):
    return [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()]


def about(layer):
    metadata, extent = layer.metadata(), layer.metadata().extent().spatialExtents()
    return {
        "valid": layer.isValid(),
        "crs": layer.crs().authid(),
        "title": metadata.title(),
        "abstract": metadata.abstract(),
        "keywords": metadata.keywords(),
        "rights": metadata.rights(),
        "history": metadata.history(),
        "metadata_crs": metadata.crs().authid(),
        "extent": [corners(each.bounds.toRectangle()) for each in extent],
        "renderer": layer.renderer().type(),
    }


def check_districts(path, folder):
    layer = QgsVectorLayer(path, "districts", "ogr")
    abstract_of_geojson = layer.metadata().abstract()
    layer.loadDefaultMetadata()
    facts = about(layer)
    renderer = layer.renderer()
    facts["abstract_of_geojson"] = abstract_of_geojson
    facts["features"] = layer.featureCount()
    facts["ranges"] = [
        [r.lowerValue(), r.upperValue(), r.label(), r.symbol().color().name(), r.symbol().symbolLayerCount()]
        for r in renderer.ranges()
    ]
    facts["aliases"] = layer.attributeAliases()
    facts["labels"] = layer.labelsEnabled() and layer.labeling().settings().fieldName
    colour = draw(layer, f"{folder}/districts_plain.png", labels=False)
    draw(layer, f"{folder}/districts.png")
    context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(layer))
    facts["districts"] = []
    for feature in layer.getFeatures():
        context.setFeature(feature)
        inside = feature.geometry().poleOfInaccessibility(0.001)[0].asPoint()
        value = QgsExpression(renderer.classAttribute()).evaluate(context)
        facts["districts"].append(
            {
                "district": feature["district"],
                "class": renderer.rangeForValue(value).label(),
                "colour": colour(inside.x(), inside.y()),
                "tip": QgsExpression.replaceExpressionText(layer.mapTipTemplate(), context),
            }
        )
    facts["colours_drawn"] = colours_in(f"{folder}/districts.png")
    layer.saveNamedStyle(f"{folder}/saved.qml")
    return facts


def check_surface(path, folder):
    layer = QgsRasterLayer(path, "surface")
    layer.loadDefaultMetadata()
    facts = about(layer)
    shader = layer.renderer().shader().rasterShaderFunction()
    facts["band"] = layer.renderer().band()
    facts["bands"] = [layer.bandName(i + 1) for i in range(layer.bandCount())]
    facts["discrete"] = shader.colorRampType() == shader.Discrete
    facts["items"] = [[str(i.value), i.color.name(), i.label] for i in shader.colorRampItemList()]
    facts["samples"] = []
    colour = draw(layer, f"{folder}/surface.png")
    extent, block = layer.extent(), layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
    for row in range(5, layer.height(), 20):
        for column in range(5, layer.width(), 20):
            lon = extent.xMinimum() + (column + 0.5) * extent.width() / layer.width()
            lat = extent.yMaximum() - (row + 0.5) * extent.height() / layer.height()
            value = None if block.isNoData(row, column) else block.value(row, column)
            facts["samples"].append([value, colour(lon, lat)])
    facts["colours_drawn"] = colours_in(f"{folder}/surface.png")
    return facts


def check_package(path, folder):
    facts = {}
    for name in ("districts", "sites"):
        layer = QgsVectorLayer(f"{path}|layername={name}", name, "ogr")
        _, loaded = layer.loadDefaultStyle()
        facts[name] = {
            "valid": layer.isValid(),
            "loaded": loaded,
            "features": layer.featureCount(),
            "ranges": [[r.label(), r.symbol().color().name()] for r in layer.renderer().ranges()],
        }
        draw(layer, f"{folder}/package_{name}.png")
        facts[name]["colours_drawn"] = colours_in(f"{folder}/package_{name}.png")
    return facts


def main(districts, surface, package, folder):
    application = QgsApplication([], False)
    application.initQgis()
    facts = {"districts": check_districts(districts, folder), "surface": check_surface(surface, folder)}
    facts["package"] = check_package(package, folder)
    print(json.dumps(facts))
    application.exitQgis()


if __name__ == "__main__":
    main(*sys.argv[1:])
