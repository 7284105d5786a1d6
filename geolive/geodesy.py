"""Great-circle distances, by chords of the unit sphere, and projections in metres."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

EARTH_RADIUS_KM = 6371.0088
_WIDE_DEGREES = 120.0


def unit_sphere(degrees: np.ndarray) -> np.ndarray:
    """Put positions on the unit sphere; the chord between two grows with their great-circle distance.

    Parameters
    ----------
    degrees : array, shape (n, 2)
        Longitude, latitude.

    Returns
    -------
    array, shape (n, 3)

    Examples
    --------
    >>> unit_sphere(np.array([[0.0, 0.0]]))
    array([[1., 0., 0.]])
    """
    lon, lat = np.radians(np.asarray(degrees, float)).reshape(-1, 2).T
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def chord_to_km(chord: np.ndarray) -> np.ndarray:
    """Convert a chord of the unit sphere to a great-circle distance in kilometres.

    Examples
    --------
    >>> float(chord_to_km(2.0).round())
    20015.0
    """
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.clip(np.asarray(chord) / 2, 0, 1))


def km_to_chord(km: ArrayLike) -> np.ndarray:
    """Convert a great-circle distance in kilometres to a chord of the unit sphere.

    Examples
    --------
    >>> float(km_to_chord(20015.114).round(3))
    2.0
    """
    return 2 * np.sin(np.minimum(np.asarray(km, float) / (2 * EARTH_RADIUS_KM), np.pi / 2))


def metric_crs(bounds: Sequence[float] | np.ndarray) -> str:
    """Return an equal-area projection in metres that is centred on some bounds: azimuthal, or cylindrical where they are wide.

    Parameters
    ----------
    bounds : sequence of four floats
        West, south, east, north in degrees; east is larger than 180 where they lie across the antimeridian.

    Examples
    --------
    >>> metric_crs([84, 24, 86, 26])
    '+proj=laea +lat_0=25.0 +lon_0=85.0 +datum=WGS84 +units=m'
    """
    west, south, east, north = (float(b) for b in bounds)
    if max(east - west, north - south) > _WIDE_DEGREES:
        # the azimuthal projection tears what lies on the other side of the globe
        return f"+proj=cea +lat_ts=30 +lon_0={(west + east) / 2} +datum=WGS84 +units=m"
    return f"+proj=laea +lat_0={(south + north) / 2} +lon_0={(west + east) / 2} +datum=WGS84 +units=m"
