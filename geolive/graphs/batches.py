"""Places as padded batches of graphs: each image is a vertex, and its numbers are the features of the vertex."""

from collections.abc import Callable, Iterator
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

# what one more block costs besides its padded adjacency, for calls of the network's operations; in squares of vertices
_BLOCK_COST = 100.0**2
MakeAdjacency = Callable[[EdgeSpec, GraphPoints, float], torch.Tensor]


@dataclass(frozen=True)
class Batch:
    """b graphs, padded with zeros to the n vertices of the largest; L is the number of edge types.

    Parameters
    ----------
    rows : array of int64, shape (b,)
        Row numbers of the places.
    vertices : tensor of float32, shape (b, n, features)
    adjacency : tensor of float32, shape (b, n, L, n)
        At [g, i, l, j] the weight of the edge of type l from vertex j to vertex i.
    mask : tensor of float32, shape (b, n)
        1 at vertices and 0 at padding.
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
    """Yield the graph of each place once, in batches.

    The features of vertices are read when their batch is made, and so are the edges, on `device`.

    Parameters
    ----------
    places : Places
        Places that each have at least one image.
    features : array of float, shape (images, f), or Vertices
        Vertex features; row i belongs to image i of `places`.
    edges : EdgeSpec
        The edges between the images of a place.
    d_max_km : float
        See `geolive.graphs.builders.distance_edges`.
    batch_size : int
        Largest number of graphs in a batch.
    seed : int
        Seed of random edges. The edges of a place depend only on this, the place's id and the order of its images.
    generator : torch.Generator, optional
        Shuffles the graphs, for training: each batch then has places of all sizes, because batch normalisation over places of
        one size would hide differences between sizes. `batches_in_blocks` does the same with little padding. Without a generator,
        for prediction, places of similar size share a batch.
    device : str or torch.device
        Device of the batches.

    Raises
    ------
    InputError
        A place has no image, an image has no position or features, or the images lack facts that the edges depend on.

    Examples
    --------
    >>> from geolive.graphs.edges import parse_edges
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01], [86.0, 25.0]])
    >>> places = Places(np.array(["a", "b"]), where[1:], np.array([0, 2, 3]), where, np.ones((3, 66), np.uint16))
    >>> batch = next(batches(places, places.objects, parse_edges("distance"), 2.0, batch_size=2))
    >>> batch.rows.tolist(), batch.vertices.shape, batch.mask.tolist()
    ([1, 0], torch.Size([2, 2, 66]), [[1.0, 0.0], [1.0, 1.0]])
    """
    for (batch,) in batches_in_blocks(
        places,
        features,
        edges,
        d_max_km,
        batch_size=batch_size,
        n_blocks=1,
        seed=seed,
        generator=generator,
        device=device,
    ):
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
    make_adjacency: MakeAdjacency = adjacency,
    share: tuple[int, int] = (0, 1),
) -> Iterator[list[Batch]]:
    """Yield batches as `batches` does, each cut into blocks of graphs of similar size, so that there is little padding.

    `GraphNetwork.forward_blocks` treats the blocks of a batch as one batch; its outputs do not depend on where a batch is cut.

    Parameters
    ----------
    n_blocks : int
        Largest number of blocks in a batch. The other parameters are those of `batches`.
    make_adjacency : callable
        Makes the edges of a block, as `geolive.graphs.dense.adjacency` does.
    share : tuple of int
        (k, n): only every n-th place of each batch, from the k-th on, for n processes that share each batch.

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
    source = BatchSource.of(places, features, edges, d_max_km, seed, device, make_adjacency)
    sizes = places.n_images
    for rows in rows_of_batches(places, batch_size, generator):
        rows = rows[np.argsort(sizes[rows], kind="stable")] if n_blocks > 1 else rows
        rows = rows[share[0] :: share[1]]
        yield [source.batch(block) for block in np.split(rows, cuts_of_sizes(sizes[rows], n_blocks))]


def rows_of_batches(places: Places, batch_size: int, generator: torch.Generator | None) -> list[np.ndarray]:
    """Return the rows of the places of each batch: drawn by the generator, or without one by ascending size.

    Examples
    --------
    >>> where = np.zeros((3, 2))
    >>> places = Places(np.array(["a", "b"]), where[:2], np.array([0, 2, 3]), where, np.ones((3, 66), np.uint16))
    >>> [rows.tolist() for rows in rows_of_batches(places, 1, None)]
    [[1], [0]]
    """
    order = np.argsort(places.n_images, kind="stable")
    if generator is not None:
        order = torch.randperm(len(places), generator=generator).numpy()
    return np.array_split(order, -(-len(order) // batch_size))


def subsample_images(places: Places, fewest: int, most: int, generator: torch.Generator) -> tuple[Places, np.ndarray]:
    """Draw some of the images of each place: between `fewest` and `most`, with every order of magnitude equally likely.

    Parameters
    ----------
    places : Places
    fewest, most : int
        At least 1; a place with fewer images than are drawn keeps all of them.
    generator : torch.Generator

    Returns
    -------
    places : Places
    images : array of int64
        Row numbers of the images that were drawn, ascending.

    Examples
    --------
    >>> where = np.zeros((100, 2))
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 100]), where, np.ones((100, 66), np.uint16))
    >>> thinned, images = subsample_images(places, 5, 5, torch.Generator().manual_seed(0))
    >>> thinned.n_images.tolist(), len(images)
    ([5], 5)
    """
    images = draw_images(places, fewest, most, generator)
    return places.keep_images(images), images


def draw_images(places: Places, fewest: int, most: int, generator: torch.Generator) -> np.ndarray:
    """Draw some of the images of each place, as `subsample_images` does; gives their row numbers, ascending.

    Examples
    --------
    >>> where = np.zeros((100, 2))
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 100]), where, np.ones((100, 66), np.uint16))
    >>> len(draw_images(places, 5, 5, torch.Generator().manual_seed(0)))
    5
    """
    sizes = places.n_images
    share = torch.rand(len(places), generator=generator, dtype=torch.float64).numpy()
    kept = np.minimum(sizes, (fewest * ((most + 1) / fewest) ** share).astype(np.int64))
    return _lowest(torch.rand(int(places.offsets[-1]), generator=generator).numpy(), places.offsets, kept)


def _lowest(chance: np.ndarray, offsets: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the rows of the lowest `kept` numbers of each place, ascending."""
    sizes = np.diff(offsets)
    place = np.repeat(np.arange(len(sizes)), sizes)
    if len(sizes) * sizes.max(initial=0) <= 8 * len(chance):
        # sorting the numbers of each place takes a fraction of the time of sorting all
        table = np.full((len(sizes), sizes.max(initial=0)), np.inf, np.float32)
        table[place, np.arange(len(place)) - offsets[place]] = chance
        table.sort(axis=1)
        highest = table[np.arange(len(sizes)), np.maximum(kept, 1) - 1]
        rows = np.flatnonzero((chance <= highest[place]) & (kept > 0)[place])
        if len(rows) == kept.sum():
            return rows
    # places are in order already, so one key sorts by place and then by chance
    order = np.argsort(place + chance.astype(np.float64))
    rank = np.arange(len(place)) - offsets[place]
    return np.sort(order[rank < kept[place]])


def largest_distance_km(places: Places) -> float:
    """Compute the largest great-circle distance between two images of one place, in kilometres.

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
        # relative to one of the points, so that the squares of small distances do not cancel
        near = points[start:stop] - points[start : start + 1]
        square = np.square(near).sum(axis=1)
        apart = square[:, None] + square - 2 * (near @ near.T)
        largest = max(largest, apart.max(initial=0.0))
    return float(chord_to_km(np.sqrt(largest)))


@dataclass(frozen=True)
class BatchSource:
    """Everything that batches are made from; the parameters are those of `batches_in_blocks`."""

    places: Places
    features: np.ndarray | Vertices
    edges: EdgeSpec
    d_max_km: float
    keys: np.ndarray
    device: str | torch.device = "cpu"
    make_adjacency: MakeAdjacency = adjacency

    @classmethod
    def of(
        cls,
        places: Places,
        features: np.ndarray | Vertices,
        edges: EdgeSpec,
        d_max_km: float,
        seed: int = 0,
        device: str | torch.device = "cpu",
        make_adjacency: MakeAdjacency = adjacency,
    ) -> "BatchSource":
        """Check the places and the edges, and make the keys of random edges.

        Raises
        ------
        InputError
            As for `batches`.
        """
        _check(places, edges)
        keys = seed_keys(seed, places.ids.astype(str).tolist())
        return cls(places, features, edges, d_max_km, keys, device, make_adjacency)

    def batch(self, rows: np.ndarray) -> Batch:
        """Make one block of these places."""
        images, points = self.images(rows), self._points(rows)
        vertices = self._padded(self.vertices(images), points.mask.cpu().numpy())
        return Batch(rows, vertices, self.make_adjacency(self.edges, points, self.d_max_km), points.mask.float())

    def images(self, rows: np.ndarray) -> np.ndarray:
        """Return the row numbers of the images of these places."""
        sizes, starts = self.places.n_images[rows], self.places.offsets[rows]
        return np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())

    def vertices(self, images: np.ndarray) -> np.ndarray:
        """Return the vertices of images, float32, shape (images, f)."""
        if isinstance(self.features, Vertices):
            return self.features.read(images)
        return np.asarray(self.features[images], np.float32)

    def adjacency(self, rows: np.ndarray) -> torch.Tensor:
        """Make the edges of these places as one block, shape (b, n, L, n)."""
        return self.make_adjacency(self.edges, self._points(rows), self.d_max_km)

    def _points(self, rows: np.ndarray) -> GraphPoints:
        sizes, images = self.places.n_images[rows], self.images(rows)
        mask = np.arange(sizes.max()) < sizes[:, None]
        where, kinds = self.places.image_positions[images], self.edges.kinds
        valid = torch.from_numpy(mask).to(self.device)
        keys = torch.from_numpy(self.keys[rows]).to(self.device)
        objects = (
            self._padded(self.places.objects[images].astype(np.float32), mask) if self.edges.uses_objects else None
        )
        sequences = self.places.sequences[images] if "sequence" in kinds and self.places.sequences is not None else None
        by_graph = np.split(where, np.cumsum(sizes)[:-1])
        return GraphPoints(self._padded(sphere_points(where), mask), valid, keys, by_graph, sequences, objects)

    def _padded(self, rows: np.ndarray, mask: np.ndarray) -> torch.Tensor:
        """Return the rows of vertices, with zeros at padding, shape (b, n, columns)."""
        values = torch.from_numpy(rows).to(self.device)
        if mask.all():
            return values.view(*mask.shape, -1)
        padded = values.new_zeros(mask.size, values.shape[1])
        at = torch.from_numpy(np.flatnonzero(mask)).to(self.device)
        return padded.index_copy_(0, at, values).view(*mask.shape, -1)


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
            "edges='sequence': the images belong to no known sequence; they need the columns sequence_id and captured_at"
        )


def cuts_of_sizes(sizes: np.ndarray, n_blocks: int) -> np.ndarray:
    """Find where to cut ascending sizes into blocks so that the sum of the squares of the padded sizes is smallest.

    Parameters
    ----------
    sizes : array of int, shape (n,)
    n_blocks : int
        Largest number of blocks.

    Returns
    -------
    array of int64
        The first row of each block but the first.

    Examples
    --------
    >>> cuts_of_sizes(np.array([1, 2, 300]), 4).tolist()
    [2]
    """
    if n_blocks == 1 or sizes[0] == sizes[-1]:
        return np.zeros(0, np.int64)
    n = len(sizes)
    # cost[i, j]: cost of one block of the graphs i to j - 1, padded to the size of the last, with the fixed cost of a block
    start, stop = np.arange(n)[:, None], np.arange(1, n + 1)
    cost = np.where(stop > start, (stop - start) * sizes[stop - 1].astype(float) ** 2 + _BLOCK_COST, np.inf)
    best, last_cuts = cost[0], []
    for _ in range(n_blocks - 1):
        total = np.concatenate([[np.inf], best[:-1]])[:, None] + cost
        cheapest = total.argmin(axis=0)
        better = total[cheapest, np.arange(n)] < best
        last_cuts.append(np.where(better, cheapest, -1))
        best = np.where(better, total[cheapest, np.arange(n)], best)
    cuts, end = [], n
    for last_cut in reversed(last_cuts):
        if end and last_cut[end - 1] >= 0:
            end = int(last_cut[end - 1])
            cuts.append(end)
    return np.array(sorted(cuts), np.int64)
