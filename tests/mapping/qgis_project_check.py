"""Run by a Python that has QGIS: opens a project, prints what QGIS makes of it, and draws its layers and a page of its atlas.

    python3 qgis_project_check.py PROJECT.qgz FOLDER

prints one JSON object and leaves `page.png` (the atlas's page of Gaya) in FOLDER, and `saved.qgz`, as QGIS saves the project.
"""

import json
import sys

from qgis.core import QgsApplication, QgsLayoutExporter, QgsLayoutItemLabel, QgsLayoutItemMap, QgsProject
from qgis_check import colours_in, draw


def main(path, folder):
    application = QgsApplication([], False)
    application.initQgis()
    project = QgsProject.instance()
    facts = {"read": project.read(path), "title": project.title(), "crs": project.crs().authid()}
    layers = {layer.name(): layer for layer in project.mapLayers().values()}
    facts["order"] = [[node.name(), node.itemVisibilityChecked()] for node in project.layerTreeRoot().findLayers()]
    facts["layers"] = {
        name: [layer.isValid(), layer.crs().authid(), layer.featureCount(), layer.labelsEnabled()]
        for name, layer in layers.items()
    }
    colour = draw(layers["Districts"], f"{folder}/districts.png", labels=False)
    facts["colours"] = {}
    for feature in layers["Districts"].getFeatures():
        inside = feature.geometry().poleOfInaccessibility(0.001)[0].asPoint()
        facts["colours"][feature["district"]] = colour(inside.x(), inside.y())
    layout = project.layoutManager().layouts()[0]
    atlas = layout.atlas()
    atlas.updateFeatures()
    atlas.beginRender()
    facts["pages"] = []
    settings = QgsLayoutExporter.ImageExportSettings()
    settings.dpi = 100
    for number in range(atlas.count()):
        atlas.seekTo(number)
        facts["pages"].append(atlas.nameForPage(number))
        if atlas.nameForPage(number) == "Gaya":
            facts["saved"] = QgsLayoutExporter(layout).exportToImage(f"{folder}/page.png", settings)
            facts["texts"] = [item.currentText() for item in layout.items() if isinstance(item, QgsLayoutItemLabel)]
            drawn = next(item for item in layout.items() if isinstance(item, QgsLayoutItemMap))
            district = atlas.layout().reportContext().feature().geometry().boundingBox()
            facts["shown"] = drawn.extent().contains(district)
    atlas.endRender()
    facts["colours_drawn"] = colours_in(f"{folder}/page.png")
    facts["written"] = project.write(f"{folder}/saved.qgz")
    print(json.dumps(facts))


main(*sys.argv[1:])
