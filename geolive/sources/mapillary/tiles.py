"""Mapillary's vector tiles: the images that a tile lists."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from geolive.sources.imagery.source import ListedImage
from geolive.sources.imagery.tile_grid import ZOOM, N, tile_lat, tile_lon

# half the width of the world in metres of EPSG:3857, to which GDAL georeferences tiles
HALF_WORLD = 20_037_508.342789244
TILES_A_DAY = 50_000
_COMPRESSED = b"\x1f\x8b"
# a thousandth of the distance between neighbouring positions in a tile
_ROUNDING = 1e-3 / 4096


class TileError(ValueError):
    """The bytes are not a vector tile, or were cut short."""


def read_tile(data: bytes, x: int, y: int) -> list[ListedImage]:
    """Read the images that a vector tile lists in its layer `image`; points of neighbouring tiles in its margin are left out.

    Parameters
    ----------
    data : bytes
        The tile without compression; no bytes are a tile without layers.
    x, y : int
        The tile's column and row at zoom 14.

    Returns
    -------
    list of ListedImage
        In the order of the tile. A feature that is no point or has no id is left out.

    Raises
    ------
    TileError
        The bytes are not a vector tile, or were cut short.

    Examples
    --------
    >>> read_tile(b"", 12066, 6986)
    []
    >>> read_tile(b"<html>", 12066, 6986)
    Traceback (most recent call last):
    geolive.sources.mapillary.tiles.TileError: not a vector tile
    """
    if not data:
        return []
    layer = _read_layer(data, x, y)
    if layer is None:
        return []
    if layer.num_rows == 0 or "id" not in layer.column_names:
        raise TileError("a vector tile whose images cannot be read")
    if not (pa.types.is_integer(layer["id"].type) or pa.types.is_string(layer["id"].type)):
        raise TileError("a vector tile whose image ids are neither whole numbers nor texts")
    points = shapely.from_wkb(layer["wkb_geometry"].to_pylist())
    is_point = shapely.get_type_id(points) == shapely.GeometryType.POINT
    # in units of the tile, from its upper left corner
    across = (shapely.get_x(points) / HALF_WORLD + 1) / 2 * N - x
    down = (1 - shapely.get_y(points) / HALF_WORLD) / 2 * N - y
    inside = (across > -_ROUNDING) & (across < 1 - _ROUNDING) & (down > -_ROUNDING) & (down < 1 - _ROUNDING)
    rows = np.flatnonzero(is_point & inside & layer["id"].is_valid().to_numpy())
    attributes = {
        name: layer[name].to_pylist() for name in ("id", "captured_at", "is_pano") if name in layer.column_names
    }
    return [
        _image(attributes, row, float(tile_lon(x + across[row])), float(tile_lat(y + down[row])))
        for row in rows.tolist()
    ]


def _read_layer(data: bytes, x: int, y: int) -> pa.Table | None:
    """Return the layer `image` of a tile as GDAL reads it, or None where the tile has no such layer.

    The bytes come from a network, so only GDAL's driver of vector tiles may read them (`MVT:`), from a folder without any other
    file, and without compression, which could expand to any size.
    """
    import pyogrio

    if data.startswith(_COMPRESSED):
        raise TileError("not a vector tile")
    with tempfile.TemporaryDirectory() as folder:
        tile = Path(folder) / "tile.pbf"
        tile.write_bytes(data)
        options = {"X": x, "Y": y, "Z": ZOOM, "CLIP": False, "METADATA_FILE": ""}
        try:
            layers = pyogrio.list_layers(f"MVT:{tile}")[:, 0]
            if len(layers) == 0:
                raise TileError("not a vector tile")
            return pyogrio.read_arrow(f"MVT:{tile}", layer="image", **options)[1] if "image" in layers else None
        # pyogrio's errors are RuntimeErrors; names that are not UTF-8 give ValueErrors
        except (RuntimeError, ValueError) as error:
            raise TileError("not a vector tile") from error


def _image(attributes: dict[str, list], row: int, lon: float, lat: float) -> ListedImage:
    about = {name: values[row] for name, values in attributes.items()}
    time = about.get("captured_at")
    captured_at = int(time) if isinstance(time, int | float) and 0 <= time < 2**53 else None
    return ListedImage(str(about["id"]), lon, lat, captured_at, about.get("is_pano") in (True, 1))
