"""Delaunay triangles on the sphere."""

import itertools
from collections.abc import Callable

import numpy as np

# points count as on one great circle where they are nearer to it than this share of their spread
_FLAT = 1e-7
# smallest cosine between a point and the middle of all points at which the projection is still used
_HORIZON = 0.01


def triangle_pairs(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the pairs of points that share a side of a Delaunay triangle.

    Parameters
    ----------
    points : array of float, shape (n, 3)
        Points on the unit sphere, no two at one position.

    Returns
    -------
    first, second : array of int64
        Row numbers; a pair can occur more than once.

    Examples
    --------
    >>> first, second = triangle_pairs(np.eye(3))
    >>> sorted(zip(first.tolist(), second.tolist()))
    [(0, 1), (0, 2), (1, 2)]
    """
    if len(points) < 3:
        return np.triu_indices(len(points), 1)
    middle = points.mean(axis=0)
    length = np.linalg.norm(middle)
    # for points around the whole sphere the convex hull is the Delaunay triangulation
    if length < _FLAT or (points @ (middle / length)).min() < _HORIZON:
        return _sides(points, _hull)
    flat = _projected(points, middle / length)
    flat -= flat.mean(axis=0)
    _, spread, axes = np.linalg.svd(flat, full_matrices=False)
    if spread[1] <= _FLAT * spread[0]:
        return _chain(flat @ axes[0])
    # scaled, because qhull would merge the points of a small neighbourhood
    return _sides(flat / spread[0], _delaunay)


def _projected(points: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Project stereographically about `middle`; circles stay circles, so Delaunay triangles stay Delaunay triangles."""
    east = np.cross(np.eye(3)[np.argmin(np.abs(middle))], middle)
    east /= np.linalg.norm(east)
    return points @ np.column_stack([east, np.cross(middle, east)]) / (1 + points @ middle)[:, None]


def _chain(along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(along, kind="stable")
    return order[:-1], order[1:]


def _sides(points: np.ndarray, triangulate: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    if len(points) == 3:
        return np.array([0, 0, 1]), np.array([1, 2, 2])
    sides = triangulate(points)
    return sides[:, 0], sides[:, 1]


def _hull(points: np.ndarray) -> np.ndarray:
    from scipy.spatial import ConvexHull, QhullError

    try:
        return _pairs_of(ConvexHull(points).simplices)
    except QhullError:
        # all points are on one great circle around the sphere
        first, second = np.linalg.svd(points, full_matrices=False)[2][:2] @ points.T
        return np.column_stack(_chain(np.arctan2(second, first)))


def _delaunay(points: np.ndarray) -> np.ndarray:
    from scipy.spatial import Delaunay

    triangulation = Delaunay(points)
    # points that qhull merged with a neighbour are in no triangle; they are joined to that neighbour
    return np.concatenate([_pairs_of(triangulation.simplices), triangulation.coplanar[:, [0, 2]]])


def _pairs_of(triangles: np.ndarray) -> np.ndarray:
    return np.concatenate([triangles[:, pair] for pair in itertools.combinations(range(3), 2)]).astype(np.int64)
