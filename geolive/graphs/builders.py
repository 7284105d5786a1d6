"""Builders of edges: they take points and return sparse edges (source, target, weight).

The same builders serve graphs of the images of a cluster and graphs of clusters or sites. Every edge exists in both directions,
and in every kind each point has a loop of weight 1 to itself. Distances are great circles, so neither the antimeridian nor a
pole separates neighbours. A single point has only its loop. Points less than a millimetre apart count as one position; their
distance is 0, which is a distance like any other.

`geolive.graphs.dense` has a second implementation for training, which makes the adjacency of a whole batch of small graphs at
once on the device of the network; its docstring says why there are two.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geolive.errors import InputError
from geolive.geodesy import chord_to_km, km_to_chord, unit_sphere
from geolive.graphs.delaunay import triangle_pairs
from geolive.graphs.random_pairs import chosen_pairs

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from scipy.spatial import cKDTree

DEFAULT_K = 8
# 8 of the 157 images that a surveyed cluster has on average, which gives about as many edges as knn:8
DEFAULT_SHARE = 0.05
# chords of the unit sphere are compared in steps of 0.6 mm, so that rounding does not make equal distances differ
CHORD_STEP = 1e-10
# more pairs than this fill the memory of a laptop
MOST_PAIRS = 100_000_000


@dataclass(frozen=True)
class Edges:
    """Directed edges between n points, sorted by target, then source; no edge occurs twice.

    Parameters
    ----------
    source, target : array of int64, shape (edges,)
        Row numbers of points.
    weight : array of float32, shape (edges,)
        Weights above 0 and at most 1.
    """

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray

    def matrix(self, n: int) -> "csr_array":
        """Return the weights as a sparse matrix, shape (n, n), with targets as rows and sources as columns.

        Examples
        --------
        >>> neighbours = knn_edges(np.array([[85.0, 25.0], [85.0, 25.1], [85.0, 25.3]]), k=1).matrix(3)
        >>> (neighbours @ np.array([1.0, 2.0, 4.0])).tolist()
        [3.0, 7.0, 6.0]
        """
        from scipy.sparse import csr_array

        starts = np.searchsorted(self.target, np.arange(n + 1))
        return csr_array((self.weight, self.source, starts), shape=(n, n))


def distance_edges(positions: np.ndarray, d_max_km: float) -> Edges:
    """Join each pair of points nearer than `d_max_km`, with the weight 1 - d / d_max.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    d_max_km : float
        Great-circle distance in kilometres at which and beyond which there is no edge: the largest distance within any cluster of
        the dataset. (Lee et al. 2021 fixed 19.890915 km, so that larger distances got negative weights.) With 0, only points at
        one position are joined.

    Returns
    -------
    Edges

    Raises
    ------
    InputError
        A position is not a number, or the edges would fill the memory.

    Examples
    --------
    >>> edges = distance_edges(np.array([[85.0, 25.0], [85.0, 25.01], [85.0, 25.1]]), d_max_km=2.0)
    >>> np.column_stack([edges.source, edges.target]).tolist(), edges.weight.round(2)
    ([[0, 0], [1, 0], [0, 1], [1, 1], [2, 2]], array([1.  , 0.44, 0.44, 1.  , 1.  ], dtype=float32))
    """
    from scipy.spatial import cKDTree

    points = sphere_points(positions)
    tree, reach = cKDTree(points), max(float(km_to_chord(np.asarray(d_max_km))), CHORD_STEP)
    check_pairs(tree.count_neighbors(tree, reach) if len(points) else 0, f"distance edges up to {d_max_km:g} km")
    first, second = tree.query_pairs(reach, output_type="ndarray").T
    km = chord_to_km(np.linalg.norm(points[first] - points[second], axis=1))
    weight = (1 - km / d_max_km if d_max_km > 0 else np.ones(len(km))).astype(np.float32)
    return symmetric_edges(first[weight > 0], second[weight > 0], len(points), weight[weight > 0])


def knn_edges(positions: np.ndarray, k: int = DEFAULT_K) -> Edges:
    """Join each point to its k nearest others, in both directions, with weight 1.

    A point has more than k neighbours where it is among the k nearest of more points. Of points at equal distances, those with
    lower row numbers are nearer. With k + 1 points or fewer, all are joined.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees; distances are great circles.
    k : int
        At least 1.

    Returns
    -------
    Edges

    Raises
    ------
    InputError
        A position is not a number.

    Examples
    --------
    >>> edges = knn_edges(np.array([[85.0, 25.0], [85.0, 25.1], [85.0, 25.3]]), k=1)
    >>> np.column_stack([edges.source, edges.target]).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1], [2, 1], [1, 2], [2, 2]]
    """
    points = sphere_points(positions)
    if len(points) <= k + 1:
        return symmetric_edges(*np.triu_indices(len(points), 1), len(points))
    target, source = _nearest(points, k)
    return symmetric_edges(source, target, len(points))


def delaunay_edges(positions: np.ndarray) -> Edges:
    """Join points that share a side of a Delaunay triangle on the sphere, with weight 1.

    Points within a hemisphere have triangles only within their hull. Points at one position are joined to each other, and to all
    points at the neighbouring positions. Positions on one great circle form a chain.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.

    Returns
    -------
    Edges

    Raises
    ------
    InputError
        A position is not a number, or so many points are at one position that the edges would fill the memory.

    Examples
    --------
    >>> corners = np.array([[85.0, 25.0], [85.2, 25.0], [85.2, 25.1], [85.0, 25.1], [85.1, 25.05]])
    >>> np.diff(delaunay_edges(corners).matrix(5).indptr).tolist()
    [4, 4, 4, 4, 5]
    """
    points = sphere_points(positions)
    _, at, size = np.unique(np.rint(points / CHORD_STEP), axis=0, return_inverse=True, return_counts=True)
    at = at.reshape(-1)
    members = np.argsort(at, kind="stable")
    starts = np.cumsum(size) - size
    first, second = triangle_pairs(points[members[starts]])
    alone = np.arange(len(size))
    first, second = np.concatenate([first, alone]), np.concatenate([second, alone])
    check_pairs(int((size[first] * size[second]).sum()), "delaunay edges")
    pair = np.repeat(np.arange(len(first)), size[first] * size[second])
    which = np.arange(len(pair)) - np.searchsorted(pair, pair)
    one, other = np.divmod(which, size[second][pair])
    return symmetric_edges(members[starts[first][pair] + one], members[starts[second][pair] + other], len(points))


def random_edges(positions: np.ndarray, share: float = DEFAULT_SHARE, seed: int = 0) -> Edges:
    """Join each pair of points with probability `share`, whatever their positions, with weight 1.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Only the number of rows matters.
    share : float
        Expected share of the n (n - 1) / 2 pairs that are joined, above 0 and at most 1; loops are not counted.
    seed : int
        Whether rows i and j are joined depends only on the seed, i and j.

    Returns
    -------
    Edges

    Raises
    ------
    InputError
        The edges would fill the memory.

    Examples
    --------
    >>> edges = random_edges(np.zeros((100, 2)), share=0.1, seed=0)
    >>> bool(abs((len(edges.source) - 100) / (100 * 99) - 0.1) < 0.02)
    True
    """
    n = len(positions)
    check_pairs(int(share * n * n), f"random edges between {share:g} of the pairs")
    return symmetric_edges(*chosen_pairs(n, share, seed), n)


def sequence_edges(sequences: np.ndarray) -> Edges:
    """Join consecutive images of each sequence, with weight 1.

    Parameters
    ----------
    sequences : array of int, shape (n, 2)
        Number of the sequence (negative for images of no sequence), and a number by which the images of a sequence are ordered;
        among equal numbers the lower row comes first. Images that are left out do not interrupt a sequence.

    Returns
    -------
    Edges

    Examples
    --------
    >>> edges = sequence_edges(np.array([[0, 30], [0, 10], [-1, 0], [0, 20]]))
    >>> edges.matrix(4).toarray().astype(int).tolist()
    [[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 0], [1, 1, 0, 1]]
    """
    sequence, order = np.asarray(sequences, np.int64).reshape(-1, 2).T
    rows = np.lexsort((order, sequence))
    joined = (sequence[rows[1:]] == sequence[rows[:-1]]) & (sequence[rows[1:]] >= 0)
    return symmetric_edges(rows[:-1][joined], rows[1:][joined], len(sequence))


def complete_edges(positions: np.ndarray) -> Edges:
    """Join all points to each other, with weight 1.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Only the number of rows matters.

    Returns
    -------
    Edges

    Raises
    ------
    InputError
        The edges would fill the memory.

    Examples
    --------
    >>> complete_edges(np.zeros((2, 2))).matrix(2).toarray().tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    n = len(positions)
    check_pairs(n * n, "complete edges")
    return symmetric_edges(*np.triu_indices(n, 1), n)


def sphere_points(positions: np.ndarray) -> np.ndarray:
    """Check positions and put them on the unit sphere.

    Raises
    ------
    InputError
        A position is not a number, or a latitude is beyond a pole.

    Examples
    --------
    >>> sphere_points(np.array([[85.0, 25.0], [85.0, np.nan]]))
    Traceback (most recent call last):
    geolive.errors.InputError: row 1: (85, nan) is not a longitude and latitude in degrees; leave that point out
    """
    positions = np.asarray(positions, float).reshape(-1, 2)
    wrong = ~np.isfinite(positions).all(axis=1) | (np.abs(positions[:, 1]) > 90)
    if wrong.any():
        row = int(np.argmax(wrong))
        lon, lat = positions[row]
        raise InputError(
            f"row {row}: ({lon:g}, {lat:g}) is not a longitude and latitude in degrees; leave that point out"
        )
    return unit_sphere(positions)


def _nearest(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return targets (each row number k times) and sources (its k nearest others); of equal distances, lower row numbers win."""
    from scipy.spatial import cKDTree

    tree, rows = cKDTree(points), np.arange(len(points))
    # the point itself, k others, and one more that shows whether the k-th has a tie
    chord, near = tree.query(points, k + 2, workers=-1)
    tied = _steps(chord[:, k]) == _steps(chord[:, k + 1])
    clear = (near[:, : k + 1] != rows[:, None]) & ~tied[:, None]
    target, source = np.repeat(rows[~tied], k), near[:, : k + 1][clear]
    if not tied.any():
        return target, source
    more_target, more_source = _nearest_of_tied(tree, points, rows[tied], chord[tied, k], k)
    return np.concatenate([target, more_target]), np.concatenate([source, more_source])


def _nearest_of_tied(
    tree: "cKDTree", points: np.ndarray, rows: np.ndarray, reach: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Do as `_nearest` does for rows whose k-th neighbour is one of several at the same distance, all of which are compared."""
    _, first, at = np.unique(points[rows], axis=0, return_index=True, return_inverse=True)
    # points at one position have the same neighbours, which are searched once
    middle, far = points[rows[first]], _steps(reach[first])
    within = tree.query_ball_point(middle, (far + 1) * CHORD_STEP, workers=-1)
    of = np.repeat(np.arange(len(first)), [len(others) for others in within])
    near = np.concatenate(within).astype(np.int64)
    steps = _steps(np.linalg.norm(points[near] - middle[of], axis=1))
    order = np.lexsort((near, steps, of))
    of, near = of[order], near[order]
    # the first k + 1 at each position: either one of them is the point itself, or the last one is dropped
    first_k = np.searchsorted(of, np.arange(len(first)))[:, None] + np.arange(k + 1)
    nearest = near[first_k][at.reshape(-1)]
    dropped = nearest == rows[:, None]
    dropped[~dropped.any(axis=1), k] = True
    return np.repeat(rows, k), nearest[~dropped]


def _steps(chord: np.ndarray) -> np.ndarray:
    return np.rint(chord / CHORD_STEP)


def symmetric_edges(source: np.ndarray, target: np.ndarray, n: int, weight: np.ndarray | None = None) -> Edges:
    """Return each of these edges once in both directions, and a loop for each point.

    Parameters
    ----------
    source, target : array of int, shape (pairs,)
        Row numbers of the points that are joined.
    n : int
        Number of points.
    weight : array of float32, shape (pairs,), optional
        By default all weights are 1.

    Examples
    --------
    >>> symmetric_edges(np.array([0]), np.array([1]), 2).matrix(2).toarray().tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    from scipy.sparse import coo_array

    loops = np.arange(n)
    source, target = np.concatenate([source, target, loops]), np.concatenate([target, source, loops])
    if weight is None:
        # a matrix is sorted by row and column in half the time of a sort of pairs
        joined = coo_array((np.ones(len(source), bool), (target, source)), shape=(n, n)).tocsr()
        joined.sum_duplicates()
        source, target = joined.indices.astype(np.int64), np.repeat(loops, np.diff(joined.indptr))
        return Edges(source, target, np.ones(len(source), np.float32))
    pair, where = np.unique(target * n + source, return_index=True)
    weight = np.concatenate([weight, weight, np.ones(n, np.float32)])[where]
    target = pair // max(n, 1)
    return Edges(pair - target * n, target, weight)


def check_pairs(pairs: int, what: str) -> None:
    """Raise where so many pairs of points would fill the memory.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_pairs(10**9, "random edges")
    Traceback (most recent call last):
    geolive.errors.InputError: random edges: about 1,000,000,000 edges would fill the memory; choose fewer points or fewer edges
    """
    if pairs > MOST_PAIRS:
        raise InputError(f"{what}: about {pairs:,} edges would fill the memory; choose fewer points or fewer edges")
