"""Batches for training on a CPU: the vertices of all graphs of a batch one after the other, and edges as means over neighbours.

The edges of many steps are made together, in groups of graphs of similar size, which takes a fraction of the time of making them
step by step. `geolive.graphs.gradients` trains on these batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from geolive.graphs.batches import BatchSource, cuts_of_sizes, rows_of_batches
from geolive.graphs.edges import EdgeSpec
from geolive.graphs.node_features import Vertices
from geolive.places import Places

# weights of edges that are made together, and at most kept: 1 MB, which stays in the cache, and 32 MB
_WEIGHTS_TOGETHER, _WEIGHTS_KEPT = 2**18, 2**23


@dataclass(frozen=True)
class PackedBlock:
    """Graphs of similar size; n is the number of vertices of the largest, and L the number of edge types.

    Parameters
    ----------
    means : tensor of float32, shape (b, n, L * n)
        The weights of edges, divided by their sums over the neighbours of a vertex; 0 at padding.
    sums : tensor of float32, shape (b, n, L, 1)
        These sums.
    take : tensor of int64, shape (b * n,)
        Which of the batch's vertices stands in each row; that of padding has no meaning.
    slots : tensor of int64, shape (vertices,), or None
        In which of the b * n rows each vertex of the block stands; None where there is no padding.
    padding : tensor of float32, shape (b, n, 1), or None
        0 at vertices, and -inf at padding.
    """

    means: torch.Tensor
    sums: torch.Tensor
    take: torch.Tensor
    slots: torch.Tensor | None
    padding: torch.Tensor | None


@dataclass(frozen=True)
class PackedBatch:
    """The graphs of a batch, in blocks of graphs of similar size.

    Parameters
    ----------
    rows : array of int64, shape (graphs,)
        Row numbers of the places.
    vertices : tensor of float32, shape (vertices, features)
    blocks : list of PackedBlock
        In the order of `rows` and `vertices`.
    """

    rows: np.ndarray
    vertices: torch.Tensor
    blocks: list[PackedBlock]


def packed_batches(
    places: Places,
    features: np.ndarray | Vertices,
    edges: EdgeSpec,
    d_max_km: float,
    *,
    batch_size: int,
    generator: torch.Generator | None,
    n_blocks: int = 4,
    seed: int = 0,
) -> Iterator[PackedBatch]:
    """Yield batches of the same graphs as `geolive.graphs.batches.batches_in_blocks`, for training.

    The parameters are those of `batches_in_blocks`.

    Raises
    ------
    InputError
        As for `batches_in_blocks`.

    Examples
    --------
    >>> from geolive.graphs.edges import parse_edges
    >>> where, counts = np.full((3, 2), 25.0), np.ones((3, 66), np.uint16)
    >>> places = Places(np.array(["a", "b"]), where[1:], np.array([0, 1, 3]), where, counts)
    >>> options = {"batch_size": 2, "generator": torch.Generator().manual_seed(0)}
    >>> (batch,) = packed_batches(places, counts, parse_edges("complete"), 0.0, **options)
    >>> batch.vertices.shape, batch.blocks[0].means.tolist()
    (torch.Size([3, 66]), [[[1.0, 0.0], [0.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]]])
    """
    source = BatchSource.of(places, features, edges, d_max_km, seed)
    sizes, steps = places.n_images, rows_of_batches(places, batch_size, generator)
    weights = np.cumsum([edges.n_types * int(np.square(sizes[rows]).sum()) for rows in steps])
    for part in _parts(steps, weights):
        made = _Edges(source, np.concatenate(part))
        for rows in part:
            rows = rows[np.argsort(sizes[rows], kind="stable")]
            bounds = [0, *cuts_of_sizes(sizes[rows], n_blocks).tolist(), len(rows)]
            blocks, first = [], 0
            for start, stop in pairwise(bounds):
                blocks.append(made.block(rows[start:stop], first))
                first += int(sizes[rows[start:stop]].sum())
            yield PackedBatch(rows, torch.from_numpy(source.vertices(source.images(rows))), blocks)


def _parts(steps: list[np.ndarray], weights: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Divide steps into parts whose edges are kept together; `weights` is the running number of weights of edges."""
    number = (weights - 1) // _WEIGHTS_KEPT
    for part in np.unique(number):
        yield [steps[i] for i in np.flatnonzero(number == part)]


class _Edges:
    """The edges of some places, made in groups of graphs of similar size."""

    def __init__(self, source: BatchSource, rows: np.ndarray) -> None:
        self._sizes = source.places.n_images
        self._of: dict[int, tuple[Any, Any, int]] = {}
        rows = rows[np.argsort(self._sizes[rows], kind="stable")]
        while len(rows):
            weights = np.arange(1, len(rows) + 1) * np.square(self._sizes[rows]) * source.edges.n_types
            n = max(1, int(np.searchsorted(weights, _WEIGHTS_TOGETHER, side="right")))
            adjacency = source.adjacency(rows[:n])
            sums = adjacency.sum(3, keepdim=True)
            adjacency /= sums.clamp(min=torch.finfo(sums.dtype).tiny)
            group = adjacency.numpy(), sums.numpy()
            self._of |= {row: (*group, number) for number, row in enumerate(rows[:n].tolist())}
            rows = rows[n:]

    def block(self, rows: np.ndarray, first: int) -> PackedBlock:
        """Return the block of these places; `first` is the number of vertices of the batch before it."""
        sizes = self._sizes[rows]
        b, n = len(rows), int(sizes[-1])
        n_types = self._of[int(rows[0])][0].shape[2]
        means, sums = np.zeros((b, n, n_types, n), np.float32), np.zeros((b, n, n_types, 1), np.float32)
        for i, (row, size) in enumerate(zip(rows.tolist(), sizes.tolist(), strict=True)):
            group_means, group_sums, number = self._of[row]
            means[i, :size, :, :size] = group_means[number, :size, :, :size]
            sums[i, :size] = group_sums[number, :size]
        take, slots, padding = np.arange(first, first + b * n), None, None
        if sizes[0] < n:
            mask = np.arange(n) < sizes[:, None]
            filled = np.flatnonzero(mask)
            take = np.full(b * n, first)
            take[filled] = np.arange(first, first + len(filled))
            slots = torch.from_numpy(filled)
            padding = torch.from_numpy(np.where(mask, np.float32(0), np.float32(-np.inf))[..., None])
        return PackedBlock(
            torch.from_numpy(means.reshape(b, n, -1)), torch.from_numpy(sums), torch.from_numpy(take), slots, padding
        )
