"""A simulated raster that carries part of what the survey measures, so that covariates can be tried without other data."""

from pathlib import Path

import numpy as np
import shapely

from geolive.errors import InputError
from geolive.files import replacing
from geolive.simulation.countryside import INDICATORS, Countryside, ExponentialField, generator

# the raster's own variation, which tells nothing of the indicator
NOISE_E_FOLD_KM = 12.0


def simulate_raster(
    region: str = "bihar", seed: int = 0, indicator: str = "pov", noise: float = 0.5, cell: float = 0.02
) -> tuple[np.ndarray, tuple[float, float]]:
    """Simulate a raster over a state: the smooth part of an indicator's true values, with noise.

    The sample of the same region and seed has the same truth. Differences between neighbouring places, which photos show, are
    not in the raster.

    Parameters
    ----------
    region : str
        Name of a state of India.
    seed : int
        Seed of the random numbers.
    indicator : str
        pov, pop or bmi.
    noise : float
        Standard deviation of the noise, where that of the indicator's true values is 1.
    cell : float
        Width of a cell, degrees.

    Returns
    -------
    values : array of float32, shape (rows, columns)
        From north to south, NaN outside of the state.
    corner : (float, float)
        Longitude and latitude of the north-western corner.

    Raises
    ------
    InputError
        The state or the indicator is unknown, or a number is not above 0.

    Examples
    --------
    >>> values, corner = simulate_raster("goa", seed=1, cell=0.05)
    >>> values.shape, bool(np.isnan(values[0, -1]))
    ((22, 14), True)
    """
    if indicator not in INDICATORS:
        raise InputError(
            f"indicator={indicator!r}: is not simulated; choose {', '.join(INDICATORS)}", parameter="indicator"
        )
    if not (noise >= 0 and cell > 0):
        raise InputError(
            f"noise={noise}, cell={cell}: noise must be 0 or more and cell above 0; give noise=0.5 and cell=0.02"
        )
    land = Countryside(region, seed)
    west, south, east, north = land.districts.total_bounds
    west, north = np.floor(west / cell) * cell, np.ceil(north / cell) * cell
    shape = int(np.ceil((north - south) / cell)), int(np.ceil((east - west) / cell))
    row, col = np.mgrid[: shape[0], : shape[1]] + 0.5
    positions = np.column_stack([west + cell * col.ravel(), north - cell * row.ravel()])
    point, district = shapely.STRtree(land.districts.geometry.values).query(
        shapely.points(positions), predicate="intersects"
    )
    inside, first = np.unique(point, return_index=True)
    values = np.full(len(positions), np.nan, np.float32)
    smooth = land.expected(positions[inside], district[first])[:, INDICATORS.index(indicator)]
    own = ExponentialField(NOISE_E_FOLD_KM, generator(seed, f"raster {indicator}"))
    values[inside] = smooth + noise * own(land.km(positions[inside]))
    return values.reshape(shape), (float(west), float(north))


def write_simulated_raster(
    path: str | Path,
    region: str = "bihar",
    seed: int = 0,
    indicator: str = "pov",
    noise: float = 0.5,
    cell: float = 0.02,
) -> Path:
    """Write a simulated raster as GeoTIFF, whose tags say that it is simulated.

    Parameters
    ----------
    path : str or Path
        A file (.tif); one that exists is not overwritten.
    region, seed, indicator, noise, cell
        As for `simulate_raster`.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        See `simulate_raster`; or the file exists, or has another ending.

    Examples
    --------
    >>> import tempfile
    >>> write_simulated_raster(Path(tempfile.mkdtemp()) / "lights.tif", "goa", cell=0.05).name
    'lights.tif'
    """
    from geolive.extras import require_extra

    path = check_raster_name(path)
    require_extra("raster")
    from rasterio import Affine, MemoryFile

    values, (west, north) = simulate_raster(region, seed, indicator, noise, cell)
    height, width = values.shape
    profile = {
        "driver": "GTiff",
        "dtype": "float32",
        "count": 1,
        "height": height,
        "width": width,
        "compress": "deflate",
    }
    with MemoryFile() as memory:
        with memory.open(
            **profile, crs="EPSG:4326", nodata=np.nan, transform=Affine(cell, 0, west, 0, -cell, north)
        ) as raster:
            raster.write(values, 1)
            raster.descriptions = (f"SIMULATED, goes with {indicator}",)
            raster.update_tags(SIMULATED="yes", REGION=region, SEED=str(seed))
        with replacing(path) as temporary:
            temporary.write_bytes(memory.read())
    return path


def check_raster_name(path: str | Path) -> Path:
    """Return the path of a GeoTIFF to write; raise InputError where it has another ending, or is there already.

    Examples
    --------
    >>> check_raster_name("lights.png")
    Traceback (most recent call last):
    geolive.errors.InputError: lights.png: a raster is written as GeoTIFF; give a name that ends in .tif
    """
    path = Path(path)
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(f"{path}: a raster is written as GeoTIFF; give a name that ends in .tif")
    if path.exists():
        raise InputError(f"{path}: exists already, and geolive overwrites nothing; give another name")
    return path
