"""Which points of a set are joined, and how strongly: positions in, (source, target, weight) out.

The same builders serve the images of a cluster and clusters among each other. Every edge is there in both directions,
and every point has a loop of weight 1 to itself: in each kind of edge alike, a vertex counts among its own neighbours.
Points at one position are at distance 0, an ordinary distance; a single point has its loop only; no point has no edge.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from geolive.clusters import chord_to_km, unit_sphere
from geolive.errors import InputError

DEFAULT_K = 8
# 8 of the 157 images that a surveyed cluster has on average: about as many edges as knn:8
DEFAULT_SHARE = 0.05


@dataclass(frozen=True)
class Edges:
    """Directed edges between n points, sorted by target, then source; none is there twice.

    Parameters
    ----------
    source, target : array of int64, shape (edges,)
        Row numbers of points.
    weight : array of float32, shape (edges,)
        Above 0, at most 1.
    """

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray


def distance_edges(positions: np.ndarray, d_max_km: float) -> Edges:
    """Every pair nearer than `d_max_km`, with the weight 1 - d / d_max.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    d_max_km : float
        Great-circle distance in kilometres from which on there is no edge: the largest within any cluster of the data
        set (Lee et al. 2021 fixed 19.890915 km, and larger distances got negative weights). With 0, only points at one
        position are joined.

    Returns
    -------
    Edges

    Examples
    --------
    >>> edges = distance_edges(np.array([[85.0, 25.0], [85.0, 25.01], [85.0, 25.1]]), d_max_km=2.0)
    >>> np.column_stack([edges.source, edges.target]).tolist(), edges.weight.round(2)
    ([[0, 0], [1, 0], [0, 1], [1, 1], [2, 2]], array([1.  , 0.44, 0.44, 1.  , 1.  ], dtype=float32))
    """
    from scipy.spatial.distance import pdist, squareform

    km = (
        squareform(chord_to_km(pdist(unit_sphere(positions))))
        if len(positions) > 1
        else np.zeros((len(positions),) * 2)
    )
    weight = np.clip(1 - km / d_max_km, 0, 1) if d_max_km > 0 else (km == 0).astype(float)
    return _from_dense(weight)


def knn_edges(positions: np.ndarray, k: int = DEFAULT_K) -> Edges:
    """Each point and its k nearest others, in both directions, with weight 1.

    A point has more than k neighbours where it is among the k nearest of others. Of others at one distance, those at
    lower row numbers come first. With k + 1 points or fewer, all are joined.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees; near is by great circle.
    k : int
        At least 1.

    Returns
    -------
    Edges

    Examples
    --------
    >>> edges = knn_edges(np.array([[85.0, 25.0], [85.0, 25.1], [85.0, 25.3]]), k=1)
    >>> np.column_stack([edges.source, edges.target]).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1], [2, 1], [1, 2], [2, 2]]
    """
    n = len(positions)
    if n <= k + 1:
        return _from_dense(np.ones((n, n)))
    target, source = _nearest(unit_sphere(positions), k)
    return _symmetric(source, target, n)


def random_edges(positions: np.ndarray, share: float = DEFAULT_SHARE, seed: int | Sequence[int] = 0) -> Edges:
    """Each pair of points with the probability `share`, wherever they are, with weight 1.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Only their number matters.
    share : float
        Expected share of the n (n - 1) / 2 pairs that are joined, above 0, at most 1; loops come on top.
    seed : int or sequence of int
        As numpy's SeedSequence takes it.

    Returns
    -------
    Edges

    Examples
    --------
    >>> edges = random_edges(np.zeros((100, 2)), share=0.1, seed=0)
    >>> bool(abs((len(edges.source) - 100) / (100 * 99) - 0.1) < 0.02)
    True
    """
    n = len(positions)
    first, second = np.triu_indices(n, 1)
    drawn = np.random.default_rng(seed).random(len(first)) < share
    return _symmetric(first[drawn], second[drawn], n)


@dataclass(frozen=True)
class EdgeSpec:
    """A kind of edge with its setting, as `parse_edges` reads it.

    Parameters
    ----------
    kind : str
        "distance", "knn" or "random".
    setting : int, float or None
        k, or the share of pairs.
    """

    kind: str
    setting: float | None = None

    def __str__(self) -> str:
        return self.kind if self.setting is None else f"{self.kind}:{self.setting}"

    def build(self, positions: np.ndarray, d_max_km: float, seed: int | Sequence[int] = 0) -> Edges:
        """Edges of this kind between points; a kind that needs no `d_max_km` or `seed` does not look at it.

        Examples
        --------
        >>> parse_edges("knn:3").build(np.zeros((2, 2)), d_max_km=20.0).weight.tolist()
        [1.0, 1.0, 1.0, 1.0]
        """
        return _KINDS[self.kind].build(positions, self.setting, d_max_km, seed)


def parse_edges(text: str) -> EdgeSpec:
    """Read a kind of edge as the command line names it.

    Parameters
    ----------
    text : str
        "distance", "knn:K" or "random:SHARE"; "knn" is knn:8, "random" is random:0.05.

    Returns
    -------
    EdgeSpec

    Raises
    ------
    InputError
        No such kind, or no such setting of it.

    Examples
    --------
    >>> str(parse_edges("knn")), parse_edges("random:0.2")
    ('knn:8', EdgeSpec(kind='random', setting=0.2))
    >>> parse_edges("nearest")
    Traceback (most recent call last):
    geolive.errors.InputError: edges 'nearest': no such kind; choose distance, knn:K (from 1) or random:SHARE (0 to 1)
    """
    name, colon, setting = text.partition(":")
    kind = _KINDS.get(name)
    if kind is None:
        raise InputError(f"edges {text!r}: no such kind; choose {_choices()}")
    try:
        return EdgeSpec(name, kind.setting(setting if colon else None))
    except ValueError:
        raise InputError(f"edges {text!r}: no such setting; choose {_choices()}") from None


@dataclass(frozen=True)
class _Kind:
    """How a kind of edge is written, how its setting is read (ValueError where it cannot be), and how it is built."""

    usage: str
    setting: Callable[[str | None], float | None]
    build: Callable[[np.ndarray, float | None, float, int | Sequence[int]], Edges]


def _no_setting(text: str | None) -> None:
    if text is not None:
        raise ValueError(text)


def _k(text: str | None) -> int:
    k = DEFAULT_K if text is None else int(text)
    if k < 1:
        raise ValueError(text)
    return k


def _share(text: str | None) -> float:
    share = DEFAULT_SHARE if text is None else float(text)
    if not (math.isfinite(share) and 0 < share <= 1):
        raise ValueError(text)
    return share


_KINDS = {
    "distance": _Kind(
        "distance", _no_setting, lambda positions, _, d_max_km, seed: distance_edges(positions, d_max_km)
    ),
    "knn": _Kind("knn:K (from 1)", _k, lambda positions, k, d_max_km, seed: knn_edges(positions, k)),
    "random": _Kind(
        "random:SHARE (0 to 1)",
        _share,
        lambda positions, share, d_max_km, seed: random_edges(positions, share, seed),
    ),
}


def _choices() -> str:
    *others, last = [kind.usage for kind in _KINDS.values()]
    return f"{', '.join(others)} or {last}"


def _nearest(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Each point's row number k times, and those of its k nearest others; ties go to lower row numbers."""
    from scipy.spatial import cKDTree

    tree = cKDTree(points)
    # the k-th other is the (k + 1)-th with the point itself; a hair more, so that rounding parts no ties
    reach = tree.query(points, k + 1)[0][:, -1] * (1 + 1e-9)
    near = tree.query_ball_point(points, reach, return_sorted=True)
    target = np.repeat(np.arange(len(points)), [len(n) for n in near])
    source = np.concatenate(near).astype(np.int64)
    target, source = target[source != target], source[source != target]
    chord = np.linalg.norm(points[source] - points[target], axis=1)
    order = np.lexsort((source, chord, target))
    target, source = target[order], source[order]
    rank = np.arange(len(target)) - np.searchsorted(target, target)
    return target[rank < k], source[rank < k]


def _symmetric(source: np.ndarray, target: np.ndarray, n: int) -> Edges:
    """Edges of weight 1, made symmetric and with loops."""
    loops = np.arange(n)
    both = np.concatenate([target, source, loops]) * n + np.concatenate([source, target, loops])
    target, source = np.divmod(np.unique(both), max(n, 1))
    return Edges(source, target, np.ones(len(source), np.float32))


def _from_dense(weight: np.ndarray) -> Edges:
    weight = weight.astype(np.float32)
    target, source = np.nonzero(weight)
    return Edges(source, target, weight[target, source])
