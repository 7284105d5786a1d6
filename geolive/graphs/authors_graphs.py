"""Graphs as the code of Lee et al. (2021) makes them: raw numbers as vertices, and distance weights that may be negative.

Their features of vertices are not scaled. Their object counts have 65 numbers, because their histogram counts the void class
together with class 64. With both, the counts are divided by the Frobenius norm of the counts of the whole cluster, so that they
are smaller the more images it has.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from geolive.geodesy import EARTH_RADIUS_KM
from geolive.graphs.batches import Batch, batches_in_blocks
from geolive.graphs.dense import GraphPoints, adjacency, arcs
from geolive.graphs.edges import EdgeSpec
from geolive.graphs.node_features import VertexScaling, Vertices
from geolive.model_inputs import parse_inputs
from geolive.places import Places
from geolive.tables import N_CLASSES

# the largest distance within a cluster of their data, which their code has as a constant
D_MAX_KM = 19.890915
N_COUNTS = N_CLASSES - 1


@dataclass(frozen=True)
class AuthorsScaling(VertexScaling):
    """The numbers of an image as the authors' code takes them; `mean` is 0 and `factor` 1, because nothing is scaled.

    Examples
    --------
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01]])
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 2]), where, np.eye(2, 66, 64, dtype=np.uint16))
    >>> vertices = AuthorsScaling.for_places(places, "objects").of(places)
    >>> vertices.size, vertices.read(np.array([0, 1]))[:, 64].tolist()
    (65, [1.0, 1.0])
    """

    @classmethod
    def for_places(cls, places: Places, inputs: str) -> "AuthorsScaling":
        """Return the scaling of places that have images, and image features where `inputs` names them."""
        names = parse_inputs(inputs)
        features = places.features.size if "features" in names and places.features is not None else 0
        size = features + (N_COUNTS if "objects" in names else 0)
        return cls(inputs, np.zeros(size), np.ones(size))

    def _size_of(self, places: Places) -> int:
        size = super()._size_of(places)
        return size - 1 if "objects" in parse_inputs(self.inputs) else size

    def _vertices(self, places: Places) -> "AuthorsVertices":
        return AuthorsVertices(self, places)


class AuthorsVertices(Vertices):
    """Vertices of the images of places: features, then object counts."""

    def read(self, images: np.ndarray) -> np.ndarray:
        """Return the vertices of these images of the places, float32, shape (images, f)."""
        names, parts = parse_inputs(self.scaling.inputs), []
        if "features" in names and self.places.features is not None:
            parts.append(self.places.features.read(images).astype(np.float32))
        if "objects" in names:
            counts = authors_counts(self.places.objects[images])
            if "features" in names:
                place = np.searchsorted(self.places.offsets, images, side="right") - 1
                counts = counts / self._norms[place, None]
            parts.append(counts)
        return np.concatenate(parts, axis=1)

    @functools.cached_property
    def _norms(self) -> np.ndarray:
        """Return the Frobenius norm of the counts of each place, 1 where it has none; shape (n,)."""
        counts = authors_counts(self.places.objects).astype(np.float64)
        place = np.repeat(np.arange(len(self.places)), self.places.n_images)
        norms = np.sqrt(np.bincount(place, np.square(counts).sum(axis=1), minlength=len(self.places)))
        return np.where(norms > 0, norms, 1).astype(np.float32)


def authors_counts(objects: np.ndarray) -> np.ndarray:
    """Return object counts as the authors' histogram counts them: the void class, 65, together with class 64.

    Parameters
    ----------
    objects : array of int, shape (images, 66)

    Returns
    -------
    array of float32, shape (images, 65)

    Examples
    --------
    >>> authors_counts(np.full((1, 66), 2))[0, 63:].tolist()
    [2.0, 4.0]
    """
    counts = objects[:, :N_COUNTS].astype(np.float32)
    counts[:, -1] += objects[:, N_COUNTS]
    return counts


def authors_adjacency(edges: EdgeSpec, points: GraphPoints, d_max_km: float) -> torch.Tensor:
    """Make the edges of a batch of graphs as `geolive.graphs.dense.adjacency` does, with distance edges as the authors have them.

    Their weight is 1 - d / 19.890915 km, which is negative for images farther apart; an image has weight 1 to itself.

    Examples
    --------
    >>> from geolive.geodesy import unit_sphere
    >>> from geolive.graphs.edges import parse_edges
    >>> where = np.array([[85.0, 25.0], [85.0, 25.3]])
    >>> mask, keys = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, dtype=torch.int64)
    >>> points = GraphPoints(torch.from_numpy(unit_sphere(where))[None], mask, keys, [where])
    >>> authors_adjacency(parse_edges("distance"), points, D_MAX_KM)[0, :, 0].tolist()  # doctest: +ELLIPSIS
    [[1.0, -0.67...], [-0.67..., 1.0]]
    """
    typed = []
    for part in edges.parts:
        if part.kind == "distance":
            valid = points.mask.float()
            weight = (1 - arcs(points) * (EARTH_RADIUS_KM / D_MAX_KM)) * valid[:, :, None] * valid[:, None]
            typed.append(weight[:, :, None])
        else:
            typed.append(adjacency(EdgeSpec((part,)), points, d_max_km))
    return torch.cat(typed, dim=2)


def authors_batches(
    places: Places,
    vertices: Vertices,
    edges: EdgeSpec,
    *,
    batch_size: int,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> Iterator[list[Batch]]:
    """Yield the graphs of places in batches, in blocks of similar size, with one row of padding at least for each graph.

    `geolive.graphs.authors_network.AuthorsPool` says what the padding is for.

    Parameters
    ----------
    places, vertices, edges, batch_size, seed, device
        As for `geolive.graphs.batches.batches_in_blocks`.

    Examples
    --------
    >>> from geolive.graphs.edges import parse_edges
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01], [86.0, 25.0]])
    >>> places = Places(np.array(["a", "b"]), where[1:], np.array([0, 2, 3]), where, np.ones((3, 66), np.uint16))
    >>> vertices = AuthorsScaling.for_places(places, "objects").of(places)
    >>> (batch,) = next(authors_batches(places, vertices, parse_edges("distance"), batch_size=2))
    >>> batch.mask.tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    batches = batches_in_blocks(
        places,
        vertices,
        edges,
        D_MAX_KM,
        batch_size=batch_size,
        seed=seed,
        device=device,
        make_adjacency=authors_adjacency,
    )
    for blocks in batches:
        yield [_with_padding(block) for block in blocks]


def _with_padding(block: Batch) -> Batch:
    pad = nn.functional.pad
    return Batch(
        block.rows,
        pad(block.vertices, (0, 0, 0, 1)),
        pad(block.adjacency, (0, 1, 0, 0, 0, 1)),
        pad(block.mask, (0, 1)),
    )
