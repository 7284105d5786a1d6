"""Rasters that tests write."""

import numpy as np
import rasterio
from rasterio import Affine

# 120 × 100 cells of 0.01 degrees over Bihar's south
SOUTH_BIHAR = Affine(0.01, 0, 84.5, 0, -0.01, 25.5)


def write_raster(path, values, transform=SOUTH_BIHAR, crs="EPSG:4326", descriptions=(), tags=(), **profile):
    """Write an array of shape (rows, columns) or (bands, rows, columns) as GeoTIFF; return the path as text."""
    values = np.asarray(values)
    values = values[None] if values.ndim == 2 else values
    count, height, width = values.shape
    about = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype} | profile
    with rasterio.open(path, "w", crs=crs, transform=transform, **about) as raster:
        raster.write(values)
        if descriptions:
            raster.descriptions = descriptions
    return str(path)
