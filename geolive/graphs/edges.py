"""Kinds of edges by the names that the command line gives them, and which points they join.

The builders of single kinds, and what all kinds have in common, are in `geolive.graphs.builders`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geolive.errors import InputError
from geolive.graphs.builders import (
    DEFAULT_K,
    DEFAULT_SHARE,
    Edges,
    delaunay_edges,
    distance_edges,
    knn_edges,
    object_edges,
    random_edges,
    sequence_edges,
)
from geolive.places import Places
from geolive.tables import N_CLASSES

JOIN = "+"


@dataclass(frozen=True)
class Points:
    """Points to be joined, and what else edges may go by.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    sequences : array of int, shape (n, 2), optional
        See `geolive.graphs.builders.sequence_edges`.
    objects : array of int, shape (n, 66), optional
        Object counts.
    """

    positions: np.ndarray
    sequences: np.ndarray | None = None
    objects: np.ndarray | None = None


@dataclass(frozen=True)
class EdgeKind:
    """A kind of edge with its setting.

    Parameters
    ----------
    kind : str
        "distance", "knn", "random", "delaunay", "sequence" or "objects".
    setting : int, float or None
        k, or the share of pairs.
    """

    kind: str
    setting: float | None = None

    def __str__(self) -> str:
        return self.kind if self.setting is None else f"{self.kind}:{self.setting}"

    @property
    def n_types(self) -> int:
        """How many types of edges it stands for."""
        return N_CLASSES if self.kind == "objects" else 1


@dataclass(frozen=True)
class EdgeSpec:
    """One or several kinds of edges, as `parse_edges` reads them.

    Parameters
    ----------
    parts : tuple of EdgeKind

    Examples
    --------
    >>> str(parse_edges("distance+knn")), parse_edges("distance+objects").n_types
    ('distance+knn:8', 67)
    """

    parts: tuple[EdgeKind, ...]

    def __str__(self) -> str:
        return JOIN.join(map(str, self.parts))

    @property
    def n_types(self) -> int:
        """The number of edge types, L."""
        return sum(part.n_types for part in self.parts)

    @property
    def kinds(self) -> set[str]:
        """The names of the kinds, without settings."""
        return {part.kind for part in self.parts}

    def build(self, points: Points, d_max_km: float = 0.0, seed: int = 0) -> list[Edges]:
        """The edges of each type between points.

        Parameters
        ----------
        points : Points
        d_max_km : float
            For distance edges, see `geolive.graphs.builders.distance_edges`; the other kinds do not look at it.
        seed : int
            For random edges.

        Raises
        ------
        InputError
            A position is no number, or a kind needs what the points do not have.

        Examples
        --------
        >>> where = np.array([[85.0, 25.0], [85.0, 25.01], [85.0, 25.1]])
        >>> near, nearest = parse_edges("distance+knn:1").build(Points(where), d_max_km=2.0)
        >>> len(near.source), len(nearest.source)
        (5, 7)
        """
        return [edges for part in self.parts for edges in _KINDS[part.kind].build(points, part.setting, d_max_km, seed)]


def parse_edges(text: str) -> EdgeSpec:
    """Read kinds of edges as the command line names them.

    Parameters
    ----------
    text : str
        "distance", "knn:K", "random:SHARE", "delaunay", "sequence" or "objects", or several joined by "+", each a type of edges
        of its own (objects: 66 types, one for each class); "knn" is knn:8, "random" is random:0.05.

    Returns
    -------
    EdgeSpec

    Raises
    ------
    InputError
        No such kind, no such setting of it, or one kind twice.

    Examples
    --------
    >>> str(parse_edges("knn")), parse_edges("random:0.2").parts
    ('knn:8', (EdgeKind(kind='random', setting=0.2),))
    >>> parse_edges("nearest")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: edges 'nearest': no such kind; choose distance, knn:K (from 1), random:SHARE (0 to 1), ...
    """
    parts = tuple(_parse_kind(text, part) for part in text.split(JOIN))
    if len(set(parts)) < len(parts):
        raise InputError(f"edges {text!r}: one kind is there twice; name each once")
    return EdgeSpec(parts)


def place_edges(places: Places, edges: EdgeSpec, d_max_km: float = 0.0, seed: int = 0) -> list[Edges]:
    """One big graph: edges between places, clusters or sites, by their positions, or by the objects in all their images.

    Parameters
    ----------
    places : Places
    edges : EdgeSpec
        Any kinds but "sequence".
    d_max_km : float
        The distance from which on two places are not joined; for distance edges only.
    seed : int
        For random edges.

    Returns
    -------
    list of Edges
        One for each edge type; row numbers of places.

    Raises
    ------
    InputError
        k is not below the number of places, a position is no number, or there are no sequences between places.

    Examples
    --------
    >>> places = Places.without_images(np.array(list("abc")), np.array([[85.0, 25.0], [85.0, 25.1], [86.0, 25.0]]))
    >>> (nearest,) = place_edges(places, parse_edges("knn:1"))
    >>> nearest.matrix(3).toarray().astype(int).tolist()
    [[1, 1, 1], [1, 1, 0], [1, 0, 1]]
    """
    check_k(edges, len(places), "there are {n} places")
    objects = places.counts()[:, :N_CLASSES] if "objects" in edges.kinds else None
    return edges.build(Points(places.positions, objects=objects), d_max_km, seed)


def check_k(edges: EdgeSpec, n: int, said: str) -> None:
    """Raise InputError where k is not below a number of points; `said` tells in words what they are, with {n} for the number."""
    for part in edges.parts:
        if part.kind == "knn" and part.setting >= n:
            raise InputError(f"edges {edges}: {said.format(n=n)}, and k must be below that; choose a smaller k")


@dataclass(frozen=True)
class _Kind:
    """How a kind of edge is written, how its setting is read (ValueError where it cannot be), and how it is built."""

    usage: str
    setting: Callable[[str | None], float | None]
    build: Callable[[Points, float | None, float, int], list[Edges]]


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


def _sequence(points: Points) -> Edges:
    if points.sequences is None:
        raise InputError(
            "edges sequence: it is not known which images follow each other; they need the columns sequence_id and captured_at"
        )
    return sequence_edges(points.sequences)


def _objects(points: Points) -> list[Edges]:
    if points.objects is None:
        raise InputError("edges objects: the points have no object counts; choose other edges")
    return object_edges(points.objects)


_KINDS = {
    "distance": _Kind("distance", _no_setting, lambda points, _, km, seed: [distance_edges(points.positions, km)]),
    "knn": _Kind("knn:K (from 1)", _k, lambda points, k, km, seed: [knn_edges(points.positions, k)]),
    "random": _Kind(
        "random:SHARE (0 to 1)", _share, lambda points, share, km, seed: [random_edges(points.positions, share, seed)]
    ),
    "delaunay": _Kind("delaunay", _no_setting, lambda points, _, km, seed: [delaunay_edges(points.positions)]),
    "sequence": _Kind("sequence", _no_setting, lambda points, _, km, seed: [_sequence(points)]),
    "objects": _Kind("objects", _no_setting, lambda points, _, km, seed: _objects(points)),
}


def _parse_kind(whole: str, text: str) -> EdgeKind:
    name, colon, setting = text.partition(":")
    kind = _KINDS.get(name)
    if kind is None:
        raise InputError(f"edges {whole!r}: no such kind; choose {_choices()}")
    try:
        return EdgeKind(name, kind.setting(setting if colon else None))
    except ValueError:
        raise InputError(f"edges {whole!r}: no such setting; choose {_choices()}") from None


def _choices() -> str:
    *others, last = [kind.usage for kind in _KINDS.values()]
    return f"{', '.join(others)} or {last}, or several joined by {JOIN}"
