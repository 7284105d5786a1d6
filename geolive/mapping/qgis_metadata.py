"""Description of a layer that a GIS shows: title, abstract and the metadata file (QMD) that QGIS reads from beside it."""

import re
import xml.etree.ElementTree as ET

import numpy as np

from geolive.mapping.district_map import DistrictMap
from geolive.metrics import NAMES
from geolive.tables import CRS
from geolive.wording import number_text, percent_text

QGIS_VERSION = "3.22"
WRITTEN_BY = "Written by geolive"


def layer_title(district_map: DistrictMap) -> str:
    """Write the layer's title, which says whether the map is simulated.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> layer_title(SimpleNamespace(title="Asset wealth in Bihar", provenance=SimpleNamespace(simulated=True)))
    'Asset wealth in Bihar (SIMULATED)'
    """
    return plain_text(district_map.title + (" (SIMULATED)" if district_map.provenance.simulated else ""))


def abstract(district_map: DistrictMap) -> str:
    """Write what a reader of the exported files must know, in sentences, one paragraph on each line.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> print(abstract(result).splitlines()[1])
    Asset wealth (higher is wealthier). Unit: asset-wealth index. Values are means of areas, not of households.
    """
    about, shown = district_map.provenance, district_map.indicator
    measured = {NAMES.get(key, key): value for key, value in about.metrics.items() if np.isfinite(value)}
    scores = ", ".join(f"{words} {number_text(value)}" for words, value in measured.items())
    level = percent_text(district_map.level)
    surface = "sites, interpolated" if district_map.cells is None else "cells"
    lines = [
        "SIMULATED: survey and imagery are simulated; the values say nothing about the real places." * about.simulated,
        f"{shown.legend_title}. Unit: {shown.unit}. {shown.meaning}",
        district_map.estimator_about,
        district_map.weights_about,
        district_map.covariates_about,
        f"The {level} interval is that of a district's mean; in the surface, that of single {surface}.",
        f"A district has no value where it has {district_map.support}.",
        f"Model: {about.model}. {about.model_about}",
        f"Scores at surveyed clusters, out of fold: {scores}." * bool(scores),
        f"Data: {about.dataset}.",
        ""
        if district_map.passport is None
        else f"Passport: {district_map.passport.summary.removeprefix('SIMULATED. ')}.",
        f"Boundaries: {about.boundaries}.",
        f"Made on {about.made.isoformat()} by geolive {about.version}{f': {about.command}' if about.command else '.'}",
    ]
    return plain_text("\n".join(re.sub(r"\.\.(?=\s|$)", ".", line) for line in lines if line))


def metadata(district_map: DistrictMap, layer: str, bounds: tuple[float, float, float, float], crs: str = CRS) -> bytes:
    """Write the QMD of a layer: title, abstract, keywords, rights, how it was made, reference system and extent.

    Parameters
    ----------
    district_map : DistrictMap
    layer : str
        What the file holds, in a few words.
    bounds : tuple of float
        West, south, east, north, degrees.
    crs : str
        The layer's reference system.

    Returns
    -------
    bytes
        An XML document.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> written = metadata(result, "districts", (0, 0, 1, 1))
    >>> b"<title>Asset wealth in Goa (SIMULATED): districts</title>" in written
    True
    """
    about = district_map.provenance
    root = ET.Element("qgis", version=QGIS_VERSION)
    add(root, "language", "en")
    add(root, "type", "dataset")
    add(root, "title", f"{layer_title(district_map)}: {layer}")
    add(root, "abstract", abstract(district_map))
    add(add(root, "keywords", vocabulary="gmd:topicCategory"), "keyword", "Society")
    keywords = add(root, "keywords", vocabulary="geolive")
    for word in [district_map.indicator.title, district_map.region, about.model, *["SIMULATED"] * about.simulated]:
        add(keywords, "keyword", word)
    add(root, "rights", f"Boundaries: {about.boundaries}")
    command = f" with: {about.command}" if about.command else " in Python"
    add(root, "history", f"{about.made.isoformat()}: made by geolive {about.version}{command}")
    system = add(add(root, "crs"), "spatialrefsys")
    for tag, text in _reference_system(crs).items():
        add(system, tag, text)
    west, south, east, north = bounds
    # QGIS knows no extent across the antimeridian
    extent = bounds if west <= east else (-180.0, south, 180.0, north)
    minx, miny, maxx, maxy = (repr(float(b)) for b in extent)
    spatial = add(add(root, "extent"), "spatial", crs="EPSG:4326", dimensions="2", minz="0", maxz="0")
    spatial.attrib.update(minx=minx, miny=miny, maxx=maxx, maxy=maxy)
    return document(root, about.version)


def _reference_system(crs: str) -> dict[str, str]:
    """Return what QGIS's metadata say of a reference system."""
    if crs == CRS:
        return {"srid": "4326", "authid": "EPSG:4326", "description": "WGS 84", "geographicflag": "true"}
    from pyproj import CRS as ReferenceSystem

    system = ReferenceSystem.from_user_input(crs)
    authority = system.to_authority()
    number = {} if authority is None else {"srid": authority[1], "authid": ":".join(authority)}
    flag = "true" if system.is_geographic else "false"
    return {"wkt": system.to_wkt(), **number, "description": system.name, "geographicflag": flag}


def plain_text(text: str) -> str:
    """Return the text without characters that XML and UTF-8 cannot hold; each becomes U+FFFD.

    Examples
    --------
    >>> plain_text("a" + chr(0) + chr(0xD800) + "<é>")
    'a��<é>'
    """
    return re.sub(r"[^\t\n\r -\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]", "\ufffd", text)


def add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    """Add a child element with text that XML can hold.

    Examples
    --------
    >>> ET.tostring(add(ET.Element("a"), "b", "<i>", name='"'))
    b'<b name="&quot;">&lt;i&gt;</b>'
    """
    child = ET.SubElement(parent, tag, {key: plain_text(value) for key, value in attributes.items()})
    child.text = None if text is None else plain_text(text)
    return child


def document(root: ET.Element, version: str) -> bytes:
    """Write a file for QGIS, with a comment that says which geolive wrote it.

    QGIS drops the comment when it saves such a file, so one that its user has changed is known as theirs.

    Examples
    --------
    >>> print(document(ET.Element("qgis"), "0.1.0").decode())
    <?xml version="1.0" encoding="UTF-8"?>
    <!-- Written by geolive 0.1.0 -->
    <qgis />
    """
    ET.indent(root)
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {WRITTEN_BY} {version} -->\n'
    return head.encode() + ET.tostring(root, encoding="utf-8") + b"\n"
