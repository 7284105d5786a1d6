"""Kinds of edges by name: what users write is parsed here, and `EdgeSpec.build` calls the builder of each kind.

The builders are in `geolive.graphs.builders`, with what all kinds have in common.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from geolive.errors import InputError
from geolive.graphs.builders import (
    DEFAULT_K,
    DEFAULT_SHARE,
    Edges,
    complete_edges,
    delaunay_edges,
    distance_edges,
    knn_edges,
    random_edges,
    sequence_edges,
)
from geolive.graphs.object_edges import SIMILARITIES, object_edges, similarity_edges
from geolive.places import Places
from geolive.tables import N_CLASSES

JOIN = "+"
_OF_OBJECTS = {"objects", "similarity"}
Setting = int | float | str | None


@dataclass(frozen=True)
class Points:
    """Points to be joined, and the other facts that edges can depend on.

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
        "distance", "knn", "random", "delaunay", "sequence", "objects", "similarity" or "complete".
    setting : int, float, str or None
        k of "knn", the share of pairs of "random", or the measure of "similarity".
    """

    kind: str
    setting: Setting = None

    def __str__(self) -> str:
        return self.kind if self.setting is None else f"{self.kind}:{self.setting}"

    @property
    def n_types(self) -> int:
        """Number of edge types of this kind."""
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

    @property
    def uses_objects(self) -> bool:
        """Whether edges depend on object counts."""
        return bool(self.kinds & _OF_OBJECTS)

    def build(self, points: Points, d_max_km: float = 0.0, seed: int = 0) -> list[Edges]:
        """Make the edges of each type between points.

        Parameters
        ----------
        points : Points
        d_max_km : float
            For distance edges, see `geolive.graphs.builders.distance_edges`; other kinds ignore it.
        seed : int
            Seed of random edges.

        Raises
        ------
        InputError
            A position is not a number, or the points lack facts that a kind of edges depends on.

        Examples
        --------
        >>> where = np.array([[85.0, 25.0], [85.0, 25.01], [85.0, 25.1]])
        >>> near, nearest = parse_edges("distance+knn:1").build(Points(where), d_max_km=2.0)
        >>> len(near.source), len(nearest.source)
        (5, 7)
        """
        return [edges for part in self.parts for edges in _KINDS[part.kind].build(points, part.setting, d_max_km, seed)]


def parse_edges(text: str) -> EdgeSpec:
    """Read kinds of edges as users write them.

    Parameters
    ----------
    text : str
        "distance", "knn:K", "random:SHARE", "delaunay", "sequence", "objects", "similarity:cosine", "similarity:jaccard" or
        "complete", or several of these joined by "+". Each is an edge type of its own, and "objects" is 66 types, one for each
        class. "knn" means knn:8, "random" random:0.05, and "similarity" similarity:cosine.

    Returns
    -------
    EdgeSpec

    Raises
    ------
    InputError
        There is no such kind or no such setting of it, or a kind occurs twice.

    Examples
    --------
    >>> str(parse_edges("knn")), parse_edges("random:0.2").parts
    ('knn:8', (EdgeKind(kind='random', setting=0.2),))
    >>> parse_edges("nearest")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: edges='nearest': no such kind; choose distance, knn:K (from 1), random:SHARE (0 to 1), ...
    """
    parts = tuple(_parse_kind(text, part) for part in text.split(JOIN))
    if len(set(parts)) < len(parts):
        raise InputError(f"edges={text!r}: a kind occurs twice; name each once")
    return EdgeSpec(parts)


def place_edges(places: Places, edges: EdgeSpec, d_max_km: float = 0.0, seed: int = 0) -> list[Edges]:
    """Make the edges of one graph whose vertices are places: clusters or sites.

    Parameters
    ----------
    places : Places
    edges : EdgeSpec
        Any kinds except "sequence".
    d_max_km : float
        For distance edges: places at this distance and beyond are not joined.
    seed : int
        Seed of random edges.

    Returns
    -------
    list of Edges
        One for each edge type, between row numbers of places.

    Raises
    ------
    InputError
        k is not below the number of places, a position is not a number, or `edges` contains "sequence".

    Examples
    --------
    >>> places = Places.without_images(np.array(list("abc")), np.array([[85.0, 25.0], [85.0, 25.1], [86.0, 25.0]]))
    >>> (nearest,) = place_edges(places, parse_edges("knn:1"))
    >>> nearest.matrix(3).toarray().astype(int).tolist()
    [[1, 1, 1], [1, 1, 0], [1, 0, 1]]
    """
    check_k(edges, len(places), "there are {n} places")
    objects = places.counts()[:, :N_CLASSES] if edges.uses_objects else None
    return edges.build(Points(places.positions, objects=objects), d_max_km, seed)


def check_k(edges: EdgeSpec, n: int, words: str) -> None:
    """Raise where k of knn edges is not below a number of points.

    Parameters
    ----------
    edges : EdgeSpec
    n : int
        Number of points.
    words : str
        What the points are, in words, with {n} in place of the number.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_k(parse_edges("knn:3"), 3, "there are {n} places")
    Traceback (most recent call last):
    geolive.errors.InputError: edges='knn:3': there are 3 places, and k must be below that; choose a smaller k
    """
    for part in edges.parts:
        if part.kind == "knn" and isinstance(part.setting, int) and part.setting >= n:
            raise InputError(f"edges={str(edges)!r}: {words.format(n=n)}, and k must be below that; choose a smaller k")


@dataclass(frozen=True)
class _Kind:
    """How a kind of edges is written, read and built; `setting` raises ValueError where a setting cannot be read."""

    usage: str
    setting: Callable[[str | None], Setting]
    build: Callable[[Points, Any, float, int], list[Edges]]


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


def _measure(text: str | None) -> str:
    measure = SIMILARITIES[0] if text is None else text
    if measure not in SIMILARITIES:
        raise ValueError(text)
    return measure


def _sequence(points: Points) -> Edges:
    if points.sequences is None:
        raise InputError(
            "edges='sequence': the images do not say which follow each other; they need the columns sequence_id and captured_at"
        )
    return sequence_edges(points.sequences)


def _random(points: Points, share: float, _: float, seed: int) -> list[Edges]:
    return [random_edges(points.positions, share, seed)]


def _objects(points: Points, kind: str) -> np.ndarray:
    if points.objects is None:
        raise InputError(f"edges={kind!r}: the points have no object counts; choose other edges")
    return points.objects


def _similarity(points: Points, measure: str, _: float, __: int) -> list[Edges]:
    return [similarity_edges(_objects(points, "similarity"), measure)]


_KINDS = {
    "distance": _Kind("distance", _no_setting, lambda points, _, km, seed: [distance_edges(points.positions, km)]),
    "knn": _Kind("knn:K (from 1)", _k, lambda points, k, km, seed: [knn_edges(points.positions, k)]),
    "random": _Kind("random:SHARE (0 to 1)", _share, _random),
    "delaunay": _Kind("delaunay", _no_setting, lambda points, _, km, seed: [delaunay_edges(points.positions)]),
    "sequence": _Kind("sequence", _no_setting, lambda points, _, km, seed: [_sequence(points)]),
    "objects": _Kind("objects", _no_setting, lambda points, _, km, seed: object_edges(_objects(points, "objects"))),
    "similarity": _Kind("similarity:cosine, similarity:jaccard", _measure, _similarity),
    "complete": _Kind("complete", _no_setting, lambda points, _, km, seed: [complete_edges(points.positions)]),
}


def _parse_kind(whole: str, text: str) -> EdgeKind:
    name, colon, setting = text.partition(":")
    kind = _KINDS.get(name)
    if kind is None:
        raise InputError(f"edges={whole!r}: no such kind; choose {_choices()}")
    try:
        return EdgeKind(name, kind.setting(setting if colon else None))
    except ValueError:
        raise InputError(f"edges={whole!r}: no such setting; choose {_choices()}") from None


def _choices() -> str:
    *others, last = [kind.usage for kind in _KINDS.values()]
    return f"{', '.join(others)} or {last}, or several joined by {JOIN}"
