"""Large coverages that are cleaned once and then kept in the cache folder, since closing thousands of gaps takes many seconds."""

import contextlib
import hashlib
import zipfile
import zlib

import geopandas as gpd
import numpy as np
import shapely

from geolive.coverage import Coverage, clean_coverage
from geolive.errors import InputError
from geolive.files import cache_folder, replacing
from geolive.tables import CRS

# a state of 38 districts is cleaned in a tenth of a second, and each command cleans it; all of India takes about ten seconds
KEPT_FROM_DISTRICTS = 20
# increased whenever `clean_coverage` gives other borders for the same polygons
_VERSION = 1
# what reading a damaged file raises; it is made again
_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, shapely.GEOSException)


def clean_or_kept_coverage(geometry: gpd.GeoSeries) -> Coverage:
    """Clean a coverage as `clean_coverage` does; one of many districts is read from the cache folder if it was cleaned before.

    The cache is keyed by the polygons and the version of GEOS, which cleans them. A cache that cannot be written or read changes
    only the time that this takes.

    Parameters
    ----------
    geometry : GeoSeries
        As for `clean_coverage`.

    Examples
    --------
    >>> squares = gpd.GeoSeries([shapely.box(85, 25, 86, 26), shapely.box(85.999, 25, 87, 26)], crs=4326)
    >>> clean_or_kept_coverage(squares).geometry.equals(clean_coverage(squares).geometry)
    True
    """
    if len(geometry) < KEPT_FROM_DISTRICTS:
        return clean_coverage(geometry)
    digest = hashlib.sha256(f"{_VERSION} {shapely.geos_version_string}".encode())
    for shape in shapely.to_wkb(geometry.to_numpy()):
        digest.update(shape)
    path = cache_folder() / "coverages" / f"{digest.hexdigest()[:24]}.npz"
    with contextlib.suppress(*_DAMAGED), np.load(path, allow_pickle=False) as kept:
        ends, text = kept["ends"], kept["wkb"].tobytes()
        shapes = shapely.from_wkb([text[a:b] for a, b in zip([0, *ends], ends, strict=False)])
        if len(shapes) == len(geometry) == len(kept["change"]):
            return Coverage(
                gpd.GeoSeries(shapes, index=geometry.index, crs=CRS), float(kept["gap_width_m"]), kept["change"]
            )
    made = clean_coverage(geometry)
    wkb = shapely.to_wkb(made.geometry.to_numpy())
    with contextlib.suppress(InputError, OSError), replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            wkb=np.frombuffer(b"".join(wkb), np.uint8),
            ends=np.cumsum([len(shape) for shape in wkb]),
            change=made.change,
            gap_width_m=np.array(made.gap_width_m),
        )
    return made
