"""Adjacency of a batch of graphs as one dense tensor, on the device that the network runs on.

The edges are those of `geolive.graphs.builders`; weights differ at most by the rounding of float32. There are two
implementations because they serve two sizes. Here a graph is a place with at most a few hundred images, each epoch draws other
images of every place, and so the edges of thousands of small graphs must be made again in each epoch: one batch at a time as
tensors, on the GPU where there is one. The builders serve one graph of up to millions of points, where a dense matrix would not
fit into memory. `tests/graphs/test_dense.py` checks that both give the same edges on random places. Kinds of edges that do not
profit from tensors (delaunay, sequence) call the builders.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from geolive.geodesy import EARTH_RADIUS_KM
from geolive.graphs.builders import CHORD_STEP, delaunay_edges, sequence_edges
from geolive.graphs.edges import EdgeKind, EdgeSpec
from geolive.graphs.random_pairs import is_chosen

# below this distance the series of the arc is exact in float32
_SERIES_KM = 1000.0


@dataclass(frozen=True)
class GraphPoints:
    """The vertices of b graphs, padded to n, and the facts that edges depend on.

    Parameters
    ----------
    sphere : tensor of float64, shape (b, n, 3)
        Positions on the unit sphere.
    mask : tensor of bool, shape (b, n)
        True at vertices, False at padding; vertices come first.
    keys : tensor of int64, shape (b,)
        Keys of random edges, from `geolive.graphs.random_pairs.seed_keys`.
    positions : list of array, each of shape (vertices, 2)
        Longitude, latitude in degrees.
    sequences : array of int64, shape (vertices of all graphs, 2), optional
        See `geolive.graphs.builders.sequence_edges`.
    objects : tensor, shape (b, n, 66), optional
        Object counts.
    """

    sphere: torch.Tensor
    mask: torch.Tensor
    keys: torch.Tensor
    positions: list[np.ndarray]
    sequences: np.ndarray | None = None
    objects: torch.Tensor | None = None


def adjacency(edges: EdgeSpec, points: GraphPoints, d_max_km: float) -> torch.Tensor:
    """Make the edges of a batch of graphs.

    Parameters
    ----------
    edges : EdgeSpec
    points : GraphPoints
    d_max_km : float
        See `geolive.graphs.builders.distance_edges`.

    Returns
    -------
    tensor of float32, shape (b, n, L, n)
        At [g, i, l, j] the weight of the edge of type l from vertex j to vertex i; 0 at padding.

    Examples
    --------
    >>> from geolive.geodesy import unit_sphere
    >>> from geolive.graphs.edges import parse_edges
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01]])
    >>> mask, keys = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, dtype=torch.int64)
    >>> points = GraphPoints(torch.from_numpy(unit_sphere(where))[None], mask, keys, [where])
    >>> adjacency(parse_edges("distance"), points, 2.0)[0, :, 0].tolist()  # doctest: +ELLIPSIS
    [[1.0, 0.44...], [0.44..., 1.0]]
    """
    of_kinds = [_BUILDERS[part.kind](points, part, d_max_km) for part in edges.parts]
    typed = [weights if weights.ndim == 4 else weights[:, :, None] for weights in of_kinds]
    return typed[0] if len(typed) == 1 else torch.cat(typed, dim=2)


def arcs(points: GraphPoints) -> torch.Tensor:
    """Compute the great-circle distances between the vertices of each graph, in radians.

    Returns
    -------
    tensor of float32, shape (b, n, n)
        Without meaning at padding.

    Examples
    --------
    >>> from geolive.geodesy import unit_sphere
    >>> where = np.array([[0.0, 0.0], [0.0, 90.0]])
    >>> mask, keys = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, dtype=torch.int64)
    >>> arcs(GraphPoints(torch.from_numpy(unit_sphere(where))[None], mask, keys, [where]))[0, 0, 1].round(decimals=4)
    tensor(1.5708)
    """
    return _square_from_first(points).sqrt_().div_(2).clamp_(max=1).asin_().mul_(2)


def _square_from_first(points: GraphPoints) -> torch.Tensor:
    # relative to a vertex of each graph, so that float32 resolves millimetres
    return _square_chord((points.sphere - points.sphere[:, :1]).float())


def _distance(points: GraphPoints, _: EdgeKind, d_max_km: float) -> torch.Tensor:
    square = _square_from_first(points)
    if d_max_km <= 0:
        return _within((square <= CHORD_STEP**2).float(), points.mask)
    if d_max_km < _SERIES_KM:
        # the arc of a chord c: c + c³/24 + 3c⁵/640 + …
        arc = square.mul(3 / 640).add_(1 / 24).mul_(square).add_(1).mul_(square.sqrt_())
    else:
        arc = square.sqrt_().div_(2).clamp_(max=1).asin_().mul_(2)
    return _within(arc.mul_(-EARTH_RADIUS_KM / d_max_km).add_(1).clamp_(min=0), points.mask)


def _knn(points: GraphPoints, kind: EdgeKind, _: float) -> torch.Tensor:
    n = points.mask.shape[1]
    k = int(_number(kind))
    joined = points.mask[:, :, None] & points.mask[:, None]
    if k < n - 1:
        alone = ~joined | torch.eye(n, dtype=torch.bool, device=joined.device)
        steps = _square_chord(points.sphere).sqrt_().div_(CHORD_STEP).round_().masked_fill_(alone, torch.inf)
        reach = steps.topk(k, dim=2, largest=False).values[..., -1:]
        nearest = (steps <= reach) & ~alone
        if (nearest.sum(2) > k).any():
            nearer = steps < reach
            tied = nearest & ~nearer
            nearest = nearer | (tied & (tied.cumsum(2) <= k - nearer.sum(2, keepdim=True)))
        joined = nearest | nearest.transpose(1, 2)
    return _with_loops(joined.float(), points.mask)


def _square_chord(points: torch.Tensor) -> torch.Tensor:
    """Compute the squared chords between the points of each graph, from shape (b, n, 3) to (b, n, n)."""
    x, y, z = points.unbind(2)
    square = (x[:, :, None] - x[:, None]).square_()
    for axis in (y, z):
        apart = axis[:, :, None] - axis[:, None]
        square.addcmul_(apart, apart)
    return square


def _random(points: GraphPoints, kind: EdgeKind, _: float) -> torch.Tensor:
    b, n = points.mask.shape
    first, second = torch.triu_indices(n, n, 1, device=points.mask.device)
    drawn = is_chosen(points.keys[:, None], first, second, _number(kind))
    weight = torch.zeros(b, n, n, device=points.mask.device)
    weight[:, first, second] = weight[:, second, first] = drawn.float()
    return _with_loops(_within(weight, points.mask), points.mask)


def _delaunay(points: GraphPoints, _: EdgeKind, __: float) -> torch.Tensor:
    b, n = points.mask.shape
    weight = torch.zeros(b, n, n)
    for graph, positions in enumerate(points.positions):
        edges = delaunay_edges(positions)
        weight[graph, edges.target, edges.source] = 1
    return weight.to(points.mask.device)


def _sequence(points: GraphPoints, _: EdgeKind, __: float) -> torch.Tensor:
    assert points.sequences is not None
    b, n = points.mask.shape
    sizes = [len(positions) for positions in points.positions]
    graph = np.repeat(np.arange(b), sizes)
    row = np.arange(len(graph)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    sequence, order = points.sequences.T
    # a sequence through two graphs counts as two sequences
    own = np.where(sequence >= 0, graph * (sequence.max(initial=0) + 1) + sequence, -1)
    edges = sequence_edges(np.column_stack([own, order]))
    weight = torch.zeros(b, n, n)
    weight[graph[edges.target], row[edges.target], row[edges.source]] = 1
    return weight.to(points.mask.device)


def _objects(points: GraphPoints, _: EdgeKind, __: float) -> torch.Tensor:
    assert points.objects is not None
    counts = points.objects.float()
    most = counts.amax(1).clamp_(min=1)[:, None, :, None]
    weight = torch.minimum(counts[..., None], counts.transpose(1, 2)[:, None]) / most
    weight.diagonal(dim1=1, dim2=3)[:] = points.mask[:, None].float()
    return weight


def _similarity(points: GraphPoints, kind: EdgeKind, _: float) -> torch.Tensor:
    assert points.objects is not None
    counts = points.objects.float()
    if kind.setting == "cosine":
        rows = nn.functional.normalize(counts, dim=2)
        weight = (rows @ rows.transpose(1, 2)).clamp_(max=1)
    else:
        seen = (counts > 0).float()
        shared, classes = seen @ seen.transpose(1, 2), seen.sum(2)
        weight = shared / (classes[:, :, None] + classes[:, None] - shared).clamp_(min=1)
    return _with_loops(_within(weight, points.mask), points.mask)


def _complete(points: GraphPoints, _: EdgeKind, __: float) -> torch.Tensor:
    b, n = points.mask.shape
    return _within(torch.ones(b, n, n, device=points.mask.device), points.mask)


def _number(kind: EdgeKind) -> float:
    """Return the setting of a kind that has a number as its setting."""
    assert isinstance(kind.setting, int | float)
    return kind.setting


def _within(weight: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    if mask.all():
        return weight
    valid = mask.to(weight.dtype)
    return weight.mul_(valid[:, :, None]).mul_(valid[:, None])


def _with_loops(weight: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weight.diagonal(dim1=1, dim2=2)[:] = mask.to(weight.dtype)
    return weight


_BUILDERS = {
    "distance": _distance,
    "knn": _knn,
    "random": _random,
    "delaunay": _delaunay,
    "sequence": _sequence,
    "objects": _objects,
    "similarity": _similarity,
    "complete": _complete,
}
