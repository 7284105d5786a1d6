"""Places as padded batches of graphs: an image is a vertex, its numbers are the vertex's features."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from geolive.clusters import Places, chord_to_km, unit_sphere
from geolive.errors import InputError
from geolive.graphs.edges import EdgeSpec


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
    features: np.ndarray,
    edges: EdgeSpec,
    d_max_km: float,
    *,
    batch_size: int,
    seed: int = 0,
    generator: torch.Generator | None = None,
) -> Iterator[Batch]:
    """The graph of each place, once, in batches.

    Parameters
    ----------
    places : Places
        Each with an image at least.
    features : array of float, shape (images, f)
        Vertex features; row i belongs to image i of `places`.
    edges : EdgeSpec
        How the images of a place are joined.
    d_max_km : float
        See `geolive.graphs.edges.distance_edges`.
    batch_size : int
        The most graphs in a batch.
    seed : int
        For random edges; those of a place depend on this, its id and its number of images alone.
    generator : torch.Generator, optional
        Shuffles the graphs, for training: places of all sizes meet in a batch, since batch normalisation in batches of one
        size would hide what differs between sizes. Without it, for prediction, places of similar size are put together,
        so that there is little padding.

    Raises
    ------
    InputError
        A place has no image.

    Examples
    --------
    >>> from geolive.graphs.edges import parse_edges
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01], [86.0, 25.0]])
    >>> places = Places(np.array(["a", "b"]), where[1:], np.array([0, 2, 3]), where, np.ones((3, 66), np.uint16))
    >>> batch = next(batches(places, places.objects, parse_edges("distance"), 2.0, batch_size=2))
    >>> batch.rows.tolist(), batch.vertices.shape, batch.mask.tolist()
    ([1, 0], torch.Size([2, 2, 66]), [[1.0, 0.0], [1.0, 1.0]])
    """
    empty = np.flatnonzero(places.n_images == 0)
    if len(empty):
        raise InputError(f"place {str(places.ids[empty[0]])!r} has no images, so it has no graph; leave it out")
    if generator is None:
        order = np.argsort(places.n_images, kind="stable")
    else:
        order = torch.randperm(len(places), generator=generator).numpy()
    for rows in np.array_split(order, -(-len(order) // batch_size)):
        yield _batch(places, features, edges, d_max_km, rows, seed)


def thin(places: Places, fewest: int, most: int, generator: torch.Generator) -> tuple[Places, np.ndarray]:
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
    >>> thinned, images = thin(places, 5, 5, torch.Generator().manual_seed(0))
    >>> thinned.n_images.tolist(), len(images)
    ([5], 5)
    """
    sizes = places.n_images
    share = torch.rand(len(places), generator=generator, dtype=torch.float64).numpy()
    kept = np.minimum(sizes, (fewest * ((most + 1) / fewest) ** share).astype(np.int64))
    place = np.repeat(np.arange(len(places)), sizes)
    order = np.lexsort((torch.rand(len(place), generator=generator).numpy(), place))
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
    from scipy.spatial.distance import pdist

    points = unit_sphere(places.image_positions)
    bounds = zip(places.offsets[:-1], places.offsets[1:], strict=True)
    return float(chord_to_km(max((pdist(points[i:j]).max() for i, j in bounds if j - i > 1), default=0.0)))


def _batch(
    places: Places, features: np.ndarray, edges: EdgeSpec, d_max_km: float, rows: np.ndarray, seed: int
) -> Batch:
    sizes = places.n_images[rows]
    n = int(sizes.max())
    vertices = np.zeros((len(rows), n, features.shape[1]), np.float32)
    adjacency = np.zeros((len(rows), n, 1, n), np.float32)
    for graph, (row, size) in enumerate(zip(rows, sizes, strict=True)):
        images = slice(places.offsets[row], places.offsets[row] + size)
        vertices[graph, :size] = features[images]
        # a seed of its own, so that a place's edges do not depend on the places beside it
        own = (seed, zlib.crc32(str(places.ids[row]).encode()))
        found = edges.build(places.image_positions[images], d_max_km, own)
        adjacency[graph, found.target, 0, found.source] = found.weight
    mask = (np.arange(n) < sizes[:, None]).astype(np.float32)
    return Batch(rows, *map(torch.from_numpy, (vertices, adjacency, mask)))
