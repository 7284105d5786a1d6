"""The districts as PMTiles: vector tiles in one file, for maps on the web of many districts, and for QGIS."""

import json
import math
import struct
import zlib
from pathlib import Path

import pyogrio

from geolive.antimeridian import running_bounds
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.export_table import district_table
from geolive.mapping.qgis_metadata import WRITTEN_BY, abstract, layer_title

_LEAST_ZOOM, _MOST_ZOOM = 6, 12
_HEADER, _MOST_METADATA = 127, 1_000_000


def write_pmtiles(district_map: DistrictMap, path: Path) -> None:
    """Write the districts with all columns as the layer `districts` of a PMTiles archive, with title and description.

    Parameters
    ----------
    district_map : DistrictMap
    path : Path
        A file to write; it replaces an older file.

    Notes
    -----
    The tiles go from zoom 0 to a zoom at which the region is about 32 tiles wide, between 6 and 12; a viewer enlarges those for
    nearer views. Format: PMTiles version 3, https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md.

    Examples
    --------
    >>> import tempfile
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> path = Path(tempfile.mkdtemp()) / "pov.pmtiles"
    >>> write_pmtiles(result, path)
    >>> path.read_bytes()[:7], is_our_pmtiles(path)
    (b'PMTiles', True)
    """
    from geolive.mapping.geopackage import failures_named

    table = district_table(district_map)
    west, south, east, north = running_bounds(table.geometry)
    zoom = math.floor(math.log2(360 / max(east - west, north - south, 0.01))) + 5
    path.unlink(missing_ok=True)
    about = f"{WRITTEN_BY} {district_map.provenance.version}. {abstract(district_map)}"
    with failures_named(path.parent, "PMTiles archive"):
        pyogrio.write_dataframe(
            table,
            path,
            layer="districts",
            driver="PMTiles",
            geometry_type="MultiPolygon",
            dataset_options={
                "MINZOOM": "0",
                "MAXZOOM": str(min(max(zoom, _LEAST_ZOOM), _MOST_ZOOM)),
                "NAME": layer_title(district_map),
                "DESCRIPTION": about,
                "TYPE": "overlay",
            },
        )


def is_our_pmtiles(path: Path) -> bool:
    """Return whether geolive wrote a PMTiles archive, as the description in its metadata says.

    Examples
    --------
    >>> is_our_pmtiles(Path("no.pmtiles"))
    False
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER)
            if head[:8] != b"PMTiles\x03":
                return False
            start, length = struct.unpack("<2Q", head[24:40])
            file.seek(start)
            packed = file.read(min(length, _MOST_METADATA))
        # 2 stands for gzip
        text = zlib.decompressobj(31).decompress(packed, _MOST_METADATA) if head[97] == 2 else packed
        return str(json.loads(text).get("description", "")).startswith(WRITTEN_BY)
    except (OSError, ValueError, AttributeError, OverflowError, IndexError, struct.error, zlib.error):
        return False
