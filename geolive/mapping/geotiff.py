"""The surface as Cloud-Optimized GeoTIFF."""

from pathlib import Path

import numpy as np

from geolive.mapping.district_map import DistrictMap
from geolive.mapping.map_passport import passport_text
from geolive.mapping.qgis_metadata import abstract, layer_title, plain_text
from geolive.mapping.surface import Surface


def write_cog(district_map: DistrictMap, surface: Surface, path: Path) -> None:
    """Write a surface as Cloud-Optimized GeoTIFF: float32, bands value, lower, upper and maybe people, nodata NaN.

    Parameters
    ----------
    district_map : DistrictMap
        What the raster's tags say.
    surface : Surface
    path : Path
    """
    import rasterio.shutil
    from rasterio.io import MemoryFile

    about, shown = district_map.provenance, district_map.indicator
    tags = {
        "INDICATOR": shown.legend_title,
        "UNIT": shown.unit,
        "MODEL": about.model,
        "DATE": about.made.isoformat(),
        "SIMULATED": "yes" if about.simulated else "no",
        "TITLE": layer_title(district_map),
        "DESCRIPTION": abstract(district_map),
        "SOFTWARE": f"geolive {about.version}",
    }
    if passport := passport_text(district_map):
        tags["PASSPORT"] = passport
    bands, height, width = surface.values.shape
    profile = {"driver": "GTiff", "dtype": "float32", "count": bands, "height": height, "width": width}
    with MemoryFile() as memory:
        with memory.open(**profile, crs=surface.crs, transform=surface.transform, nodata=np.nan) as raster:
            raster.write(surface.values)
            raster.descriptions = surface.bands
            raster.update_tags(**{key: plain_text(value) for key, value in tags.items()})
        with memory.open() as raster:
            options = {"COMPRESS": "DEFLATE", "PREDICTOR": "YES", "BLOCKSIZE": 256, "RESAMPLING": "AVERAGE"}
            with MemoryFile(ext=".tif") as written:
                rasterio.shutil.copy(raster, written.name, driver="COG", NUM_THREADS="1", **options)
                # GDAL would not say that the disk is full
                path.write_bytes(written.read())
