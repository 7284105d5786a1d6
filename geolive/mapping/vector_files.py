"""The districts as GeoParquet and FlatGeobuf, for programs that read these faster than GeoJSON."""

import json
from pathlib import Path
from typing import Any

import pyogrio

from geolive.mapping.district_map import DistrictMap
from geolive.mapping.export_table import district_table
from geolive.mapping.map_passport import passport_json
from geolive.mapping.qgis_metadata import WRITTEN_BY, abstract, layer_title

_KEY = b"geolive"


def write_geoparquet(district_map: DistrictMap, path: Path) -> None:
    """Write the districts as GeoParquet 1.1, with title and description among the file's facts.

    Parameters
    ----------
    district_map : DistrictMap
    path : Path
        A file to write; it replaces an older file.

    Examples
    --------
    >>> import tempfile
    >>> import geopandas as gpd
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> path = Path(tempfile.mkdtemp()) / "pov.parquet"
    >>> write_geoparquet(result, path)
    >>> len(gpd.read_parquet(path)), is_our_geoparquet(path)
    (3, True)
    """
    import pyarrow.parquet as pq

    district_table(district_map).to_parquet(path, index=False, schema_version="1.1.0", write_covering_bbox=True)
    table = pq.read_table(path)
    facts: dict[str, Any] = {
        "title": layer_title(district_map),
        "description": abstract(district_map),
        "generator": f"geolive {district_map.provenance.version}",
        "simulated": district_map.provenance.simulated,
    }
    if (passport := passport_json(district_map)) is not None:
        facts["passport"] = passport
    about = {**(table.schema.metadata or {}), _KEY: json.dumps(facts, ensure_ascii=False).encode()}
    pq.write_table(table.replace_schema_metadata(about), path, compression="zstd")


def is_our_geoparquet(path: Path) -> bool:
    """Return whether geolive wrote a GeoParquet file.

    Examples
    --------
    >>> is_our_geoparquet(Path("no.parquet"))
    False
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _KEY in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def write_flatgeobuf(district_map: DistrictMap, path: Path) -> None:
    """Write the districts as FlatGeobuf, with title and description in its header.

    Parameters
    ----------
    district_map : DistrictMap
    path : Path
        A file to write; it replaces an older file.

    Examples
    --------
    >>> import tempfile
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> path = Path(tempfile.mkdtemp()) / "pov.fgb"
    >>> write_flatgeobuf(result, path)
    >>> path.read_bytes()[:3]
    b'fgb'
    """
    from geolive.mapping.geopackage import failures_named

    path.unlink(missing_ok=True)
    about = f"{WRITTEN_BY} {district_map.provenance.version}. {abstract(district_map)}"
    with failures_named(path.parent, "FlatGeobuf file"):
        pyogrio.write_dataframe(
            district_table(district_map),
            path,
            layer="districts",
            driver="FlatGeobuf",
            geometry_type="MultiPolygon",
            layer_options={"TITLE": layer_title(district_map), "DESCRIPTION": about},
        )
