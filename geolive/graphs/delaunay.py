"""Delaunay triangles on the sphere."""

import itertools
from collections.abc import Callable

import numpy as np

# points are on one great circle where they are nearer to it than this share of their spread
_FLAT = 1e-7
# points this near to the rim of the hemisphere about their middle (a cosine) would be projected too far out
_HORIZON = 0.01


def triangle_pairs(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of points that share a side of a Delaunay triangle.

    Parameters
    ----------
    points : array of float, shape (n, 3)
        On the unit sphere, no two at one position.

    Returns
    -------
    first, second : array of int64
        Row numbers; each pair once, or more often.

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
    # points around the whole sphere: their convex hull is their Delaunay triangulation
    if length < _FLAT or (points @ (middle / length)).min() < _HORIZON:
        return _sides(points, _hull)
    flat = _projected(points, middle / length)
    flat -= flat.mean(axis=0)
    _, spread, axes = np.linalg.svd(flat, full_matrices=False)
    if spread[1] <= _FLAT * spread[0]:
        return _chain(flat @ axes[0])
    # brought to one scale: qhull would take the points of a small neighbourhood for a single one
    return _sides(flat / spread[0], _delaunay)


def _projected(points: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Stereographic projection about `middle`: circles stay circles, so triangles are Delaunay in the plane as on the sphere."""
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
        # one great circle around the sphere
        first, second = np.linalg.svd(points, full_matrices=False)[2][:2] @ points.T
        return np.column_stack(_chain(np.arctan2(second, first)))


def _delaunay(points: np.ndarray) -> np.ndarray:
    from scipy.spatial import Delaunay

    found = Delaunay(points)
    # points that qhull took for a neighbour of theirs are in no triangle
    return np.concatenate([_pairs_of(found.simplices), found.coplanar[:, [0, 2]]])


def _pairs_of(triangles: np.ndarray) -> np.ndarray:
    return np.concatenate([triangles[:, pair] for pair in itertools.combinations(range(3), 2)]).astype(np.int64)
