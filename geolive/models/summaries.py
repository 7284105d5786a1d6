"""Summaries of the photos of a place as vectors of fixed length: rates, kinds of photos, and how these lie in space.

Each is a mean over a place's photos, shrunk towards the mean over all training photos, so that a place with few photos is near
the average.
"""

from dataclasses import dataclass

import numpy as np
import torch

from geolive.graphs.batches import Batch, batches
from geolive.graphs.edges import EdgeSpec
from geolive.graphs.node_features import VertexScaling
from geolive.places import Places
from geolive.tables import N_CLASSES

# how many photos of the average place are added to each place's own
PRIOR_PHOTOS = 5.0
KINDS_OF_PHOTOS = 4
MOST_FOR_KINDS = 5000
BATCH = 64
LEAST_RATE = 1e-4
VIEWS = ("rates", "kinds", "spread", "likeness", "centrality")


@dataclass(frozen=True)
class Summaries:
    """Summaries of places, with what they need to know about the training photos.

    Parameters
    ----------
    scaling : VertexScaling
    edges : EdgeSpec
        Which photos are neighbours.
    d_max_km : float
    seed : int
        Seed of random edges.
    centres : array, shape (kinds, f)
        A typical photo of each kind, as features of a vertex.
    mean : array, shape (q,)
        Mean over training photos of what rates count: image features scaled as in vertices, then object counts.
    shares : array, shape (kinds,)
        Share of all training photos that is of each kind.
    mean_of_kind : array, shape (kinds, q)
        As `mean`, over the photos of each kind.
    spread : array, shape (f,)
        Mean square of the difference between a photo and the mean of its place.
    likeness : array, shape (L * f,)
        Mean product of this difference and that of the photo's neighbours.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> where = rng.normal([85.0, 25.0], 0.01, (20, 2))
    >>> counts = rng.poisson(1.0, (20, 66)).astype(np.uint16)
    >>> places = Places(np.array(list("abcd")), where[::5], np.arange(0, 21, 5), where, counts)
    >>> from geolive.graphs.edges import parse_edges
    >>> from geolive.graphs.node_features import fit_vertices
    >>> summaries, _ = fit_summaries(places, fit_vertices(places, "objects"), parse_edges("distance"), 2.0, seed=0)
    >>> {name: view.shape for name, view in summaries.of(places).items()}["rates"]
    (4, 66)
    """

    scaling: VertexScaling
    edges: EdgeSpec
    d_max_km: float
    seed: int
    centres: np.ndarray
    mean: np.ndarray
    shares: np.ndarray
    mean_of_kind: np.ndarray
    spread: np.ndarray
    likeness: np.ndarray

    def of(self, places: Places) -> dict[str, np.ndarray]:
        """Compute the summaries of places, each an array with a row for each place.

        - `rates`: logarithms of the number of objects of each class in a photo, and means of image features.
        - `kinds`: the same for each kind of photos separately, and the share of photos of that kind.
        - `spread`: how much photos differ within the place.
        - `likeness`: whether neighbouring photos differ from the place's mean in the same way.
        - `centrality`: whether objects stand where photos have many neighbours, or where they have few.
        """
        return self._from(places, _totals(places, self.scaling, self.edges, self.d_max_km, self.seed, self.centres))

    def _from(self, places: Places, totals: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        n, prior = places.n_images[:, None].astype(float), PRIOR_PHOTOS
        of_kind, n_kind = totals["of_kind"], totals["n_kind"]
        kinds = (of_kind + prior * self.mean_of_kind) / (n_kind[..., None] + prior)
        shares = np.log((n_kind + prior * self.shares + 1e-3) / (n + prior))
        return {
            "rates": self._logs((of_kind.sum(1) + prior * self.mean) / (n + prior)),
            "kinds": np.concatenate([self._logs(kinds).reshape(len(n), -1), shares], axis=1),
            "spread": (totals["spread"] + prior * self.spread) / (n + prior),
            "likeness": (totals["likeness"] + prior * self.likeness) / (n + prior),
            "centrality": totals["centrality"] / (n + prior),
        }

    def _logs(self, means: np.ndarray) -> np.ndarray:
        """Take logarithms of the means of object counts, and leave means of features unchanged."""
        if self.scaling.inputs == "features":
            return means
        features, rates = means[..., :-N_CLASSES], means[..., -N_CLASSES:]
        return np.concatenate([features, np.log(rates + LEAST_RATE)], axis=-1)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that must be saved, by name; scaling and edges are saved elsewhere."""
        names = ("centres", "mean", "shares", "mean_of_kind", "spread", "likeness")
        return {name: getattr(self, name) for name in names}


def fit_summaries(
    places: Places, scaling: VertexScaling, edges: EdgeSpec, d_max_km: float, seed: int
) -> tuple[Summaries, dict[str, np.ndarray]]:
    """Learn the kinds of photos by k-means on vertices, and the means over all training photos.

    Returns
    -------
    Summaries
    dict of str to array
        The summaries of the training places themselves.
    """
    rows = np.arange(len(places.image_positions))
    if len(rows) > MOST_FOR_KINDS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST_FOR_KINDS, replace=False))
    centres = _k_means(scaling.of(places).read(rows), seed)
    of_places = _totals(places, scaling, edges, d_max_km, seed, centres)
    totals = {name: array.sum(0) for name, array in of_places.items()}
    n, of_kind, n_kind = len(places.image_positions), totals["of_kind"], totals["n_kind"]
    mean = of_kind.sum(0) / n
    # the mean of a rare kind is shrunk towards that of all photos
    mean_of_kind = (of_kind + PRIOR_PHOTOS * mean) / (n_kind[:, None] + PRIOR_PHOTOS)
    own = totals["spread"] / n, totals["likeness"] / n
    summaries = Summaries(scaling, edges, d_max_km, seed, centres, mean, n_kind / n, mean_of_kind, *own)
    return summaries, summaries._from(places, of_places)


def _totals(
    places: Places, scaling: VertexScaling, edges: EdgeSpec, d_max_km: float, seed: int, centres: np.ndarray
) -> dict[str, np.ndarray]:
    """Compute sums over the photos of each place: counts by kind, numbers of photos by kind, and products with neighbours."""
    vertices = scaling.of(places)
    totals: dict[str, np.ndarray] = {}
    of_centres = torch.from_numpy(centres.astype(np.float32))
    for batch in batches(places, vertices, edges, d_max_km, batch_size=BATCH, seed=seed):
        x, mask = batch.vertices, batch.mask[..., None]
        kind = torch.cdist(x, of_centres[None].expand(len(x), -1, -1)).argmin(2)
        is_kind = torch.nn.functional.one_hot(kind, len(centres)).float() * mask
        apart = (x - x.sum(1, keepdim=True) / mask.sum(1, keepdim=True)) * mask
        near = batch.adjacency / batch.adjacency.sum(3, keepdim=True).clamp_min(1e-12)
        around = torch.einsum("bilj,bjf->bilf", near, apart) * mask[..., None]
        parts = {
            "of_kind": torch.einsum("bnk,bnq->bkq", is_kind, _counted(places, batch, scaling)),
            "n_kind": is_kind.sum(1),
            "spread": apart.square().sum(1),
            "likeness": (apart[:, :, None] * around).sum(1).flatten(1),
            "centrality": around.sum(1).flatten(1),
        }
        for name, part in parts.items():
            array = totals.setdefault(name, np.zeros((len(places), *part.shape[1:])))
            array[batch.rows] = part.numpy()
    return totals


def _counted(places: Places, batch: Batch, scaling: VertexScaling) -> torch.Tensor:
    """Return the numbers of each photo that rates are made from: features as in vertices, then object counts; shape (b, n, q)."""
    if scaling.inputs == "features":
        return batch.vertices
    counts = torch.zeros(*batch.mask.shape, N_CLASSES)
    images = np.concatenate([np.arange(places.offsets[row], places.offsets[row + 1]) for row in batch.rows])
    counts[batch.mask.bool()] = torch.from_numpy(places.objects[images].astype(np.float32))
    return counts if scaling.inputs == "objects" else torch.cat([batch.vertices[..., :-N_CLASSES], counts], 2)


def _k_means(vertices: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    distinct = len(np.unique(vertices, axis=0))
    # sums on several threads would depend on their number
    with threadpool_limits(1):
        return KMeans(min(KINDS_OF_PHOTOS, distinct), n_init=2, random_state=seed).fit(vertices).cluster_centers_
