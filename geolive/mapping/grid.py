"""A grid of places in districts, for models that need no images and regions without images."""

import geopandas as gpd
import numpy as np
import shapely

from geolive.antimeridian import running_bounds, wrapped_longitudes
from geolive.places import Places
from geolive.regions import assign_districts
from geolive.tables import points

# a district of usual size holds about as many places
PLACES_A_DISTRICT = 25
# steps in degrees; the grid of a finer step holds that of a coarser one where it divides it
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
MOST_PLACES = 50_000


def grid_step(districts: gpd.GeoDataFrame) -> float:
    """Return the step of the grid in degrees: fine enough for some 25 places in a district of median size.

    Parameters
    ----------
    districts : GeoDataFrame
        `geometry`, EPSG:4326.

    Examples
    --------
    >>> from geolive.regions import find_region
    >>> grid_step(find_region("bihar").districts)
    0.05
    """
    size = float(np.median(shapely.area(districts.geometry.to_numpy())))
    fitting = [step for step in STEPS if step <= np.sqrt(size / PLACES_A_DISTRICT)]
    return max(fitting, default=STEPS[0])


def bounded_step(districts: gpd.GeoDataFrame, step: float) -> float:
    """Return a step in degrees that makes at most 50,000 places in districts: the given one, doubled until it does.

    Examples
    --------
    >>> from geolive.regions import find_region
    >>> bounded_step(find_region("bihar").districts, 0.001)
    0.016
    """
    west, south, east, north = running_bounds(districts.geometry)
    while (east - west) * (north - south) / step**2 > 4 * MOST_PLACES:
        step *= 2
    return step


def grid_places(districts: gpd.GeoDataFrame, step: float) -> Places:
    """Return the places of a grid that lie in districts.

    The grid is fixed to the meridians and parallels, so that a place does not depend on which districts are mapped. A
    district that no place of the grid lies in gets one inside it.

    Parameters
    ----------
    districts : GeoDataFrame
        `district_id`, `geometry`, EPSG:4326.
    step : float
        Degrees between places along a parallel and along a meridian, see `bounded_step`.

    Returns
    -------
    Places
        Without images.

    Examples
    --------
    >>> from geolive.regions import find_region
    >>> districts = find_region("goa").districts
    >>> len(grid_places(districts, 0.2))
    8
    """
    west, south, east, north = running_bounds(districts.geometry)
    step = bounded_step(districts, step)
    columns = np.arange(np.floor(west / step), np.ceil(east / step) + 1)
    rows = np.arange(np.floor(south / step), np.ceil(north / step) + 1)
    where = np.stack(np.meshgrid(columns + 0.5, rows + 0.5), axis=-1).reshape(-1, 2) * step
    where[:, 0] = wrapped_longitudes(where[:, 0])
    district = assign_districts(points(*where.T), districts).to_numpy()
    where = where[district != None]  # noqa: E711  (elementwise)
    missing = ~districts["district_id"].isin(set(district)).to_numpy()
    inside = shapely.get_coordinates(shapely.point_on_surface(districts.geometry.to_numpy()[missing]))
    where = np.concatenate([where, inside])
    ids = np.array([f"grid {lon:.3f} {lat:.3f}" for lon, lat in where], dtype=object)
    return Places.without_images(ids, where)
