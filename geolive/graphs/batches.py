"""Places as padded batches of graphs: an image is a vertex, its numbers are the vertex's features."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from geolive.errors import InputError
from geolive.geodesy import chord_to_km, unit_sphere
from geolive.graphs.builders import sphere_points
from geolive.graphs.dense import GraphPoints, adjacency
from geolive.graphs.edges import EdgeSpec
from geolive.graphs.node_features import Vertices
from geolive.graphs.random_pairs import seed_keys
from geolive.places import Places

# of a block, beside that of its padded adjacency: calls of the network's operations; in squares of vertices
_BLOCK_COST = 100.0**2


@dataclass(frozen=True)
class Batch:
    """b graphs, padded with zeros to the n vertices of the largest; L is the number of edge types.

    Parameters
    ----------
    rows : array of int64, shape (b,)
        Which places.
    vertices : tensor of float32, shape (b, n, features)
    adjacency : tensor of float32, shape (b, n, L, n)
        At [g, i, l, j] the weight of the edge of type l from vertex j to vertex i.
    mask : tensor of float32, shape (b, n)
        1 at vertices, 0 at padding.
    """

    rows: np.ndarray
    vertices: torch.Tensor
    adjacency: torch.Tensor
    mask: torch.Tensor


def batches(
    places: Places,
    features: np.ndarray | Vertices,
    edges: EdgeSpec,
    d_max_km: float,
    *,
    batch_size: int,
    seed: int = 0,
    generator: torch.Generator | None = None,
    device: str | torch.device = "cpu",
) -> Iterator[Batch]:
    """The graph of each place, once, in batches.

    Vertices stay where `places` has them until their batch comes; edges are made from positions for each batch, on `device`.

    Parameters
    ----------
    places : Places
        Each with an image at least.
    features : array of float, shape (images, f), or Vertices
        Vertex features; row i belongs to image i of `places`.
    edges : EdgeSpec
        How the images of a place are joined.
    d_max_km : float
        See `geolive.graphs.builders.distance_edges`.
    batch_size : int
        The most graphs in a batch.
    seed : int
        For random edges; those of a place depend on this, its id and the order of its images alone.
    generator : torch.Generator, optional
        Shuffles the graphs, for training: places of all sizes meet in a batch, since batch normalisation in batches of one
        size would hide what differs between sizes; `batches_in_blocks` does so with little padding. Without it, for prediction,
        places of similar size are put together.
    device : str or torch.device
        Where the batches are.

    Raises
    ------
    InputError
        A place has no image, an image has no position or no features, or edges ask for more than there is.

    Examples
    --------
    >>> from geolive.graphs.edges import parse_edges
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01], [86.0, 25.0]])
    >>> places = Places(np.array(["a", "b"]), where[1:], np.array([0, 2, 3]), where, np.ones((3, 66), np.uint16))
    >>> batch = next(batches(places, places.objects, parse_edges("distance"), 2.0, batch_size=2))
    >>> batch.rows.tolist(), batch.vertices.shape, batch.mask.tolist()
    ([1, 0], torch.Size([2, 2, 66]), [[1.0, 0.0], [1.0, 1.0]])
    """
    settings = {"batch_size": batch_size, "seed": seed, "generator": generator, "device": device}
    for (batch,) in batches_in_blocks(places, features, edges, d_max_km, n_blocks=1, **settings):
        yield batch


def batches_in_blocks(
    places: Places,
    features: np.ndarray | Vertices,
    edges: EdgeSpec,
    d_max_km: float,
    *,
    batch_size: int,
    n_blocks: int = 4,
    seed: int = 0,
    generator: torch.Generator | None = None,
    device: str | torch.device = "cpu",
) -> Iterator[list[Batch]]:
    """As `batches`, but each batch comes in blocks of graphs of similar size, so that there is little padding.

    `GraphNetwork.forward_blocks` treats the blocks as one batch: what it gives does not depend on how a batch is cut.

    Parameters
    ----------
    n_blocks : int
        The most blocks in a batch; the others are as for `batches`.

    Raises
    ------
    InputError
        As for `batches`.

    Examples
    --------
    >>> from geolive.graphs.edges import parse_edges
    >>> where, counts = np.full((300, 2), 25.0), np.ones((300, 66), np.uint16)
    >>> places = Places(np.array(list("abcd")), where[:4], np.array([0, 140, 149, 290, 300]), where, counts)
    >>> (blocks,) = batches_in_blocks(places, counts, parse_edges("distance"), 2.0, batch_size=4)
    >>> [tuple(block.vertices.shape) for block in blocks]
    [(2, 10, 66), (2, 141, 66)]
    """
    _check(places, edges)
    source = _Source(places, features, edges, d_max_km, seed_keys(seed, places.ids.astype(str).tolist()), device)
    sizes = places.n_images
    order = np.argsort(sizes, kind="stable")
    if generator is not None:
        order = torch.randperm(len(places), generator=generator).numpy()
    for rows in np.array_split(order, -(-len(order) // batch_size)):
        rows = rows[np.argsort(sizes[rows], kind="stable")] if n_blocks > 1 else rows
        yield [source.batch(block) for block in np.split(rows, _cuts(sizes[rows], n_blocks))]


def subsample_images(places: Places, fewest: int, most: int, generator: torch.Generator) -> tuple[Places, np.ndarray]:
    """Places with some of their images, chosen anew at each call: between `fewest` and `most`, each order of magnitude alike.

    Parameters
    ----------
    places : Places
    fewest, most : int
        At least 1; a place with fewer images keeps them all.
    generator : torch.Generator

    Returns
    -------
    places : Places
    images : array of int64
        The row numbers of the images kept, ascending.

    Examples
    --------
    >>> where = np.zeros((100, 2))
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 100]), where, np.ones((100, 66), np.uint16))
    >>> thinned, images = subsample_images(places, 5, 5, torch.Generator().manual_seed(0))
    >>> thinned.n_images.tolist(), len(images)
    ([5], 5)
    """
    sizes = places.n_images
    share = torch.rand(len(places), generator=generator, dtype=torch.float64).numpy()
    kept = np.minimum(sizes, (fewest * ((most + 1) / fewest) ** share).astype(np.int64))
    place = np.repeat(np.arange(len(places)), sizes)
    # places stand in order already, so one key sorts by place and then by chance
    order = np.argsort(place + torch.rand(len(place), generator=generator).numpy().astype(np.float64))
    rank = np.arange(len(place)) - places.offsets[place]
    images = np.sort(order[rank < kept[place]])
    return places.keep_images(images), images


def largest_distance_km(places: Places) -> float:
    """The largest great-circle distance between two images of one place, in kilometres.

    Examples
    --------
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01], [86.0, 25.0]])
    >>> places = Places(np.array(["a", "b"]), where[1:], np.array([0, 2, 3]), where, np.ones((3, 66), np.uint16))
    >>> round(largest_distance_km(places), 3)
    1.112
    """
    points = unit_sphere(places.image_positions)
    largest = 0.0
    for start, stop in zip(places.offsets[:-1], places.offsets[1:], strict=True):
        # about one of them, so that the squares of small distances do not cancel
        near = points[start:stop] - points[start : start + 1]
        square = np.square(near).sum(axis=1)
        apart = square[:, None] + square - 2 * (near @ near.T)
        largest = max(largest, apart.max(initial=0.0))
    return float(chord_to_km(np.sqrt(largest)))


@dataclass(frozen=True)
class _Source:
    """What batches are made of."""

    places: Places
    features: np.ndarray | Vertices
    edges: EdgeSpec
    d_max_km: float
    keys: np.ndarray
    device: str | torch.device

    def batch(self, rows: np.ndarray) -> Batch:
        sizes, starts = self.places.n_images[rows], self.places.offsets[rows]
        images = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
        mask = np.arange(sizes.max()) < sizes[:, None]
        if isinstance(self.features, Vertices):
            found = self.features.read(images)
        else:
            found = np.asarray(self.features[images], np.float32)
        vertices = self._padded(found, mask)
        points = self._points(rows, images, sizes, mask)
        weights = adjacency(self.edges, points, self.d_max_km)
        return Batch(rows, vertices, weights, points.mask.float())

    def _points(self, rows: np.ndarray, images: np.ndarray, sizes: np.ndarray, mask: np.ndarray) -> GraphPoints:
        where, kinds = self.places.image_positions[images], self.edges.kinds
        valid = torch.from_numpy(mask).to(self.device)
        keys = torch.from_numpy(self.keys[rows]).to(self.device)
        objects = self._padded(self.places.objects[images].astype(np.float32), mask) if "objects" in kinds else None
        sequences = self.places.sequences[images] if "sequence" in kinds else None
        by_graph = np.split(where, np.cumsum(sizes)[:-1])
        return GraphPoints(self._padded(sphere_points(where), mask), valid, keys, by_graph, sequences, objects)

    def _padded(self, values: np.ndarray, mask: np.ndarray) -> torch.Tensor:
        """Rows of vertices with zeros where there is none, shape (b, n, columns)."""
        values = torch.from_numpy(values).to(self.device)
        if mask.all():
            return values.view(*mask.shape, -1)
        padded = values.new_zeros(mask.size, values.shape[1])
        return padded.index_copy_(0, torch.from_numpy(np.flatnonzero(mask)).to(self.device), values).view(
            *mask.shape, -1
        )


def _check(places: Places, edges: EdgeSpec) -> None:
    empty = np.flatnonzero(places.n_images == 0)
    if len(empty):
        raise InputError(f"place {str(places.ids[empty[0]])!r} has no images, so it has no graph; leave it out")
    wrong = ~np.isfinite(places.image_positions).all(axis=1)
    if wrong.any():
        place = places.ids[np.searchsorted(places.offsets, np.argmax(wrong), side="right") - 1]
        raise InputError(f"an image of place {str(place)!r} has no position, so it has no edges; leave it out")
    if "sequence" in edges.kinds and places.sequences is None:
        raise InputError(
            "edges sequence: the images do not say which walk they are of; they need a column sequence_id, and captured_at"
        )


def _cuts(sizes: np.ndarray, n_blocks: int) -> np.ndarray:
    """Where to cut ascending sizes into blocks so that the squares of the padded sizes sum to the least."""
    if n_blocks == 1 or sizes[0] == sizes[-1]:
        return np.zeros(0, np.int64)
    n = len(sizes)
    # cost[i, j]: of one block of graphs i to j - 1, padded to the last; a block costs something by itself, too
    start, stop = np.arange(n)[:, None], np.arange(1, n + 1)
    cost = np.where(stop > start, (stop - start) * sizes[stop - 1].astype(float) ** 2 + _BLOCK_COST, np.inf)
    best, cut = cost[0], []
    for _ in range(n_blocks - 1):
        total = np.concatenate([[np.inf], best[:-1]])[:, None] + cost
        found = total.argmin(axis=0)
        better = total[found, np.arange(n)] < best
        cut.append(np.where(better, found, -1))
        best = np.where(better, total[found, np.arange(n)], best)
    cuts, end = [], n
    for found in reversed(cut):
        if end and found[end - 1] >= 0:
            end = int(found[end - 1])
            cuts.append(end)
    return np.array(sorted(cuts), np.int64)
