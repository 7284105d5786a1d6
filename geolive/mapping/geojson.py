"""The districts as GeoJSON (RFC 7946)."""

import json
from typing import Any

import geopandas as gpd
import shapely

from geolive.mapping.district_map import DistrictMap
from geolive.mapping.export_table import district_columns
from geolive.mapping.map_passport import passport_json
from geolive.mapping.qgis_metadata import abstract, layer_title


def geojson_bytes(district_map: DistrictMap, districts: gpd.GeoDataFrame, bounds: tuple[float, ...]) -> bytes:
    """Write a FeatureCollection of the districts, in UTF-8.

    Parameters
    ----------
    district_map : DistrictMap
    districts : GeoDataFrame
        Its districts with their borders on the grid of `export_table.on_grid`.
    bounds : tuple of float
        West, south, east, north in degrees; west is larger than east where the districts lie across the antimeridian.
    """
    columns = district_columns(district_map)
    rows = zip(*columns.values(), strict=True)
    geometries = map(shapely.geometry.mapping, districts.geometry)
    features = []
    for row, geometry in zip(rows, geometries, strict=True):
        properties = dict(zip(columns, row, strict=True))
        feature = {"type": "Feature", "id": properties["district_id"], "properties": properties, "geometry": geometry}
        features.append(json.dumps(feature, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    head: dict[str, Any] = {
        "type": "FeatureCollection",
        "name": layer_title(district_map),
        "description": abstract(district_map),
        "generator": f"geolive {district_map.provenance.version}",
        "bbox": bounds,
    }
    if (passport := passport_json(district_map)) is not None:
        head["passport"] = passport
    opening = json.dumps(head, ensure_ascii=False, allow_nan=False)[:-1]
    text = opening + ', "features": [\n' + ",\n".join(features) + "\n]}\n"
    # a lone surrogate, as in a file name that is not UTF-8, has no place in UTF-8
    return text.encode("utf-8", "replace")
