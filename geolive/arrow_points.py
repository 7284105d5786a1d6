"""Points of GeoParquet files: from Arrow tables to arrays and GeoDataFrames."""

import json
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np

from geolive.errors import InputError
from geolive.tables import collector_paused

if TYPE_CHECKING:
    import pyarrow as pa

_WKB_POINT = 21


def geodataframe(table: "pa.Table") -> gpd.GeoDataFrame:
    """Return an Arrow table of a GeoParquet file as a GeoDataFrame; positions are decoded from their WKB.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pyarrow.parquet as pq
    >>> from geolive.tables import points
    >>> path = Path(tempfile.mkdtemp()) / "images.parquet"
    >>> gpd.GeoDataFrame({"key": ["a"]}, geometry=points([85.1], [25.6])).to_parquet(path)
    >>> geodataframe(pq.read_table(path)).geometry.x.tolist()
    [85.1]
    """
    crs = geo_facts(table)["columns"]["geometry"].get("crs", "OGC:CRS84")
    plain = table.drop_columns(["geometry"]).to_pandas()
    where = _coordinates_in_wkb(table["geometry"])
    with collector_paused():
        if where is None or np.isnan(where).any():
            geometry = gpd.GeoSeries.from_wkb(table["geometry"].to_numpy(), index=plain.index, crs=crs)
        else:
            geometry = gpd.GeoSeries(gpd.points_from_xy(*where.T, crs=crs), index=plain.index)
    plain.insert(table.column_names.index("geometry"), "geometry", geometry)
    return gpd.GeoDataFrame(plain, geometry="geometry")


def geo_facts(table: "pa.Table") -> dict[str, Any]:
    """Return what a GeoParquet file says of its geometry.

    Raises
    ------
    InputError
        It says nothing of the column `geometry`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> geo_facts(pa.table({"key": ["a"]}))
    Traceback (most recent call last):
    geolive.errors.InputError: images: not a GeoParquet file with the column geometry; make the dataset again
    """
    try:
        about = json.loads(table.schema.metadata[b"geo"])
        _ = about["columns"]["geometry"]
    except (KeyError, TypeError, ValueError):
        raise InputError("images: not a GeoParquet file with the column geometry; make the dataset again") from None
    return about


def positions_of(table: "pa.Table") -> np.ndarray:
    """Return the longitudes and latitudes of an Arrow table of points, shape (n, 2), degrees.

    Examples
    --------
    >>> import pyarrow as pa
    >>> import shapely
    >>> positions_of(pa.table({"geometry": [shapely.Point(85.1, 25.6).wkb]})).tolist()
    [[85.1, 25.6]]
    """
    import shapely

    where = _coordinates_in_wkb(table["geometry"])
    if where is not None:
        return where
    with collector_paused():
        return shapely.get_coordinates(shapely.from_wkb(table["geometry"].to_numpy()))


def _coordinates_in_wkb(column: "pa.ChunkedArray") -> np.ndarray | None:
    """Read the coordinates of points in their WKB, without an object for each; None where one is of another kind.

    The WKB of a point has 21 bytes: the order of bytes (1 for the low one first), the kind (1), longitude and latitude.
    """
    import pyarrow as pa

    found = [np.empty((0, 2))]
    for chunk in column.chunks:
        if chunk.null_count or not (pa.types.is_binary(chunk.type) or pa.types.is_large_binary(chunk.type)):
            return None
        if not len(chunk):
            continue
        _, offsets, data = chunk.buffers()
        whole = np.frombuffer(offsets, np.int32 if pa.types.is_binary(chunk.type) else np.int64)
        begins = whole[chunk.offset : chunk.offset + len(chunk) + 1]
        if (np.diff(begins) != _WKB_POINT).any():
            return None
        rows = np.frombuffer(data, np.uint8)[begins[0] : begins[-1]].reshape(-1, _WKB_POINT)
        if (rows[:, :5] != (1, 1, 0, 0, 0)).any():
            return None
        found.append(rows[:, 5:].copy().view("<f8"))
    return np.concatenate(found)
