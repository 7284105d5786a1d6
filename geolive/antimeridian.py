"""Shapes and positions on both sides of the antimeridian, where longitude jumps from 180° to −180°.

Tables hold longitudes from −180° to 180°, and polygons that are cut at the antimeridian (RFC 7946, section 3.1.9). For
bounds, projections and pictures the two sides belong together: there, longitudes run on beyond 180°.
"""

import geopandas as gpd
import numpy as np
import shapely
import shapely.affinity
from numpy.typing import ArrayLike
from shapely import Geometry

# longitudes this near to the antimeridian lie on it; at the equator it is a centimetre
ON_IT_DEGREES = 1e-7
# a step of a ring over more than half of the globe goes the short way, across the antimeridian, if both of its ends are near it
_NEAR_DEGREES = 30


def lies_across(geometry: ArrayLike | gpd.GeoSeries) -> bool:
    """Return whether geometries lie on both sides of the antimeridian: whether they are narrower that way round the globe.

    Parameters
    ----------
    geometry : array of Geometry or GeoSeries
        Points or polygons in degrees.

    Examples
    --------
    >>> fiji = [shapely.box(177, -18, 180, -16), shapely.box(-180, -18, -178, -16)]
    >>> lies_across(fiji), lies_across(fiji[:1]), lies_across([shapely.box(-10, 50, 5, 60), shapely.box(5, 40, 20, 50)])
    (True, False, False)
    """
    west, east = _sides(geometry)
    if not len(west):
        return False
    width = east.max() - west.min()
    ahead = np.where(west < 0, 360.0, 0.0)
    return bool(width > 180 and (east + ahead).max() - (west + ahead).min() < width)


def bounds_of(geometry: ArrayLike | gpd.GeoSeries) -> tuple[float, float, float, float]:
    """Return west, south, east, north of geometries in degrees; west is larger than east where they lie across 180°.

    Parameters
    ----------
    geometry : array of Geometry or GeoSeries
        At least one of them is not empty.

    Examples
    --------
    >>> bounds_of([shapely.box(177, -18, 180, -16), shapely.box(-180, -18, -178, -16)])
    (177.0, -18.0, -178.0, -16.0)
    """
    west, south, east, north = running_bounds(geometry)
    return west, south, east - 360 if east > 180 + ON_IT_DEGREES else east, north


def running_bounds(geometry: ArrayLike | gpd.GeoSeries) -> tuple[float, float, float, float]:
    """Return west, south, east, north of geometries in degrees; east is larger than 180° where they lie across it.

    Examples
    --------
    >>> running_bounds([shapely.box(177, -18, 180, -16), shapely.box(-180, -18, -178, -16)])
    (177.0, -18.0, 182.0, -16.0)
    """
    west, east = _sides(geometry)
    _, south, _, north = (float(bound) for bound in shapely.total_bounds(_array(geometry)))
    ahead = np.where(west < 0, 360.0, 0.0) if lies_across(geometry) else 0.0
    return float((west + ahead).min()), south, float((east + ahead).max()), north


def side_by_side(geometry: ArrayLike | gpd.GeoSeries) -> np.ndarray:
    """Return geometries as a picture shows them: where they lie across the antimeridian, longitudes run on beyond 180°.

    Polygons that are cut at the antimeridian become whole again. Geometries on one side of it are returned unchanged.

    Parameters
    ----------
    geometry : array of Geometry or GeoSeries
        Points or polygons in degrees.

    Returns
    -------
    array of Geometry

    Examples
    --------
    >>> cut = shapely.union(shapely.box(179, 0, 180, 1), shapely.box(-180, 0, -179, 1))
    >>> side_by_side([cut])[0].bounds
    (179.0, 0.0, 181.0, 1.0)
    """
    shapes = _array(geometry)
    if not lies_across(shapes):
        return shapes
    parts, owner = shapely.get_parts(shapes, return_index=True)
    west = shapely.bounds(parts)[:, 0]
    moved = parts.copy()
    for i in np.flatnonzero(west < 0):
        moved[i] = shapely.affinity.translate(parts[i], xoff=360)
    result = shapes.copy()
    for i in np.unique(owner[west < 0]):
        own = moved[owner == i]
        result[i] = own[0] if len(own) == 1 else shapely.union_all(own)
    return result


def running_longitudes(lon: ArrayLike, around: ArrayLike | gpd.GeoSeries) -> np.ndarray:
    """Return longitudes that run on beyond 180° if geometries, or the positions themselves, lie across the antimeridian.

    Parameters
    ----------
    lon : array of float, shape (n,)
        Degrees, −180 to 180.
    around : array of Geometry or GeoSeries
        What decides.

    Examples
    --------
    >>> fiji = [shapely.box(177, -18, 180, -16), shapely.box(-180, -18, -178, -16)]
    >>> running_longitudes([178.0, -179.0], fiji).tolist()
    [178.0, 181.0]
    """
    lon = np.asarray(lon, float)
    return np.where(lon < 0, lon + 360, lon) if lies_across(around) else lon


def wrapped_longitudes(lon: ArrayLike) -> np.ndarray:
    """Return longitudes from −180° to 180°.

    Examples
    --------
    >>> wrapped_longitudes([181.0, -190.0, 180.0]).tolist()
    [-179.0, 170.0, 180.0]
    """
    lon = np.asarray(lon, float)
    return np.where(np.abs(lon) <= 180, lon, (lon + 180) % 360 - 180)


def box_of(west: float, south: float, east: float, north: float) -> Geometry:
    """Return a bounding box as a polygon; where west is larger than east, it lies across the antimeridian.

    Examples
    --------
    >>> box_of(177, -19, -178, -16).bounds
    (-180.0, -19.0, 180.0, -16.0)
    """
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.union(shapely.box(west, south, 180, north), shapely.box(-180, south, east, north))


def cut(geometry: ArrayLike | gpd.GeoSeries) -> np.ndarray:
    """Cut polygons at the antimeridian, so that all longitudes are from −180° to 180°.

    Two ways of writing a polygon across the antimeridian are understood: longitudes beyond 180°, and rings that step from
    one side to the other. Other polygons are returned unchanged.

    Parameters
    ----------
    geometry : array of Geometry or GeoSeries
        Polygons in degrees; they need not be valid.

    Returns
    -------
    array of Geometry

    Examples
    --------
    >>> beyond, stepping = shapely.box(179, 0, 181, 1), shapely.Polygon([(179, 0), (-179, 0), (-179, 1), (179, 1)])
    >>> [shapely.area(shape).item() for shape in cut([beyond, stepping])], cut([beyond])[0].bounds
    ([2.0, 2.0], (-180.0, 0.0, 180.0, 1.0))
    """
    shapes = np.array([_unstepped(shape) for shape in _array(geometry)], dtype=object)
    bounds = shapely.bounds(shapes)
    for i in np.flatnonzero((bounds[:, 0] < -180) | (bounds[:, 2] > 180)):
        near = shapely.transform(shapes[i], _snapped)
        if np.abs(shapely.bounds(near)[[0, 2]]).max() > 180:
            near = _cut_one(shapely.make_valid(near))
        shapes[i] = near
    return shapes


def _array(geometry: ArrayLike | gpd.GeoSeries) -> np.ndarray:
    return np.asarray(geometry.values if isinstance(geometry, gpd.GeoSeries) else geometry, dtype=object)


def _sides(geometry: ArrayLike | gpd.GeoSeries) -> tuple[np.ndarray, np.ndarray]:
    """Return the western and eastern end of each part, degrees."""
    parts = shapely.get_parts(_array(geometry))
    bounds = shapely.bounds(parts)
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    return bounds[:, 0], bounds[:, 2]


def _snapped(at: np.ndarray) -> np.ndarray:
    """Put longitudes that are over the antimeridian by rounding on it."""
    lon = at[:, 0]
    over = (np.abs(lon) > 180) & (np.abs(lon) <= 180 + ON_IT_DEGREES)
    return np.column_stack([np.where(over, np.copysign(180.0, lon), lon), at[:, 1]])


def _unstepped(shape: Geometry) -> Geometry:
    """Let the longitudes of rings run on where they step to the other side of the antimeridian."""
    at = shapely.get_coordinates(shape)
    # hardly any polygon is so wide
    if not len(at) or np.ptp(at[:, 0]) <= 180:
        return shape
    parts = [_unstepped_polygon(part) for part in shapely.get_parts(shape)]
    return parts[0] if shape.geom_type == "Polygon" else shapely.MultiPolygon(parts)


def _unstepped_polygon(polygon: shapely.Polygon) -> shapely.Polygon:
    rings = [shapely.get_coordinates(ring).copy() for ring in (polygon.exterior, *polygon.interiors)]
    if not any(_steps_across(ring[:, 0]) for ring in rings):
        return polygon
    for ring in rings:
        # every step of such a polygon goes the short way; a ring that then does not close runs round the globe
        ring[:, 0] = np.unwrap(ring[:, 0], period=360)
        if abs(ring[0, 0] - ring[-1, 0]) > 180:
            return polygon
    # holes belong on the side that their outline lies on
    for ring in rings[1:]:
        ring[:, 0] += 360 * np.round((rings[0][:, 0].mean() - ring[:, 0].mean()) / 360)
    whole = shapely.Polygon(rings[0], rings[1:])
    # the frame of the whole globe, from −180° to 180°, has nothing left
    return whole if whole.area > 0 else polygon


def _steps_across(lon: np.ndarray) -> bool:
    start, end = lon[:-1], lon[1:]
    near = np.minimum(np.abs(start), np.abs(end)) > 180 - _NEAR_DEGREES
    return bool(((np.abs(start - end) > 180) & near).any())


def _cut_one(shape: Geometry) -> Geometry:
    """Cut a valid polygon at 180° and −180°, and put the parts beyond these on the other side."""
    pieces = []
    for turn in (-360.0, 0.0, 360.0):
        piece = shapely.intersection(shape, shapely.box(-180 + turn, -91, 180 + turn, 91))
        polygons = [part for part in shapely.get_parts(piece) if part.geom_type == "Polygon" and part.area > 0]
        pieces += [shapely.affinity.translate(part, xoff=-turn) for part in polygons]
    return shapely.union_all(pieces)
