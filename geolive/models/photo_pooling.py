"""Means over the photos of each place, plain and by attention, of what a hidden layer makes of a photo: with their gradients.

The products and sums of a step of such a network take a fifth of a millisecond. Automatic differentiation and padding to the
largest place would take several times as long. So the gradients are written out here, and the photos of all places stand one
after the other: all sums over places are those of `torch.embedding_bag`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

_relu_backward = torch.ops.aten.threshold_backward.default


@dataclass(frozen=True)
class PhotoBatch:
    """The images of b places, one place after the other.

    Parameters
    ----------
    rows : array of int64, shape (b,)
        Row numbers of the places.
    vertices : tensor of float32, shape (images, features)
    images : tensor of int64, shape (images,)
        Numbers of the images, from 0.
    first : tensor of int64, shape (b,)
        Number of the first image of each place.
    place : tensor of int64, shape (images,)
        Number of the place of each image, from 0 to b - 1.
    slots : tensor of int64, shape (images,)
        Where each image would stand if all places had as many images as the largest.
    largest : int
        Number of images of the largest place.
    shares : tensor of float32, shape (images,)
        1 / number of images of the place.
    """

    rows: np.ndarray
    vertices: torch.Tensor
    images: torch.Tensor
    first: torch.Tensor
    place: torch.Tensor
    slots: torch.Tensor
    largest: int
    shares: torch.Tensor

    @classmethod
    def of(cls, rows: np.ndarray, vertices: torch.Tensor, sizes: np.ndarray) -> "PhotoBatch":
        """Make a batch of places of these sizes, each of at least one image.

        Examples
        --------
        >>> batch = PhotoBatch.of(np.array([8, 9]), torch.ones(3, 66), np.array([1, 2]))
        >>> batch.place.tolist(), batch.slots.tolist(), batch.shares.tolist()
        ([0, 1, 1], [0, 2, 3], [1.0, 0.5, 0.5])
        """
        sizes, device = np.asarray(sizes, np.int64), vertices.device
        largest, first = int(sizes.max(initial=1)), np.cumsum(sizes) - sizes
        place = np.repeat(np.arange(len(sizes)), sizes)
        images = np.arange(len(place))
        slots = images + (np.arange(len(sizes)) * largest - first)[place]
        shares = torch.from_numpy((1 / sizes)[place]).to(device, vertices.dtype)
        index = {"images": images, "first": first, "place": place, "slots": slots}
        tensors = {name: torch.from_numpy(array).to(device) for name, array in index.items()}
        return cls(rows, vertices, largest=largest, shares=shares, **tensors)

    def mean_vertices(self) -> torch.Tensor:
        """Return the mean of the vertices of each place, shape (b, features)."""
        return _weighted_sums(self.vertices, self.images, self.first, self.shares)


@dataclass(frozen=True)
class PooledPhotos:
    """The means of a hidden layer, relu(vertices · weights + bias), over the photos of each place, and what its gradient needs.

    Parameters
    ----------
    hidden : tensor of float32, shape (images, width)
    shares : tensor of float32, shape (1 + heads, images)
        How much each photo counts in the means of its place: first equally, then with the attention of each head.
    means : tensor of float32, shape (1 + heads, b, width)
    """

    hidden: torch.Tensor
    shares: torch.Tensor
    means: torch.Tensor

    @classmethod
    def of(
        cls, batch: PhotoBatch, weights: torch.Tensor, bias: torch.Tensor, gate: torch.Tensor | None
    ) -> "PooledPhotos":
        """Pool a hidden layer over the photos of each place.

        The first mean is plain. In the mean of an attention head, a photo counts in proportion to exp(hidden layer · gate).
        Source: Ilse, Tomczak & Welling 2018, arXiv 1802.04712, equation 8.

        Parameters
        ----------
        batch : PhotoBatch
        weights : tensor, shape (features, width)
        bias : tensor, shape (width,)
        gate : tensor, shape (width, heads), optional
            Without it there is only the plain mean.

        Examples
        --------
        >>> batch = PhotoBatch.of(np.array([0]), torch.tensor([[1.0], [3.0]]), np.array([2]))
        >>> PooledPhotos.of(batch, torch.ones(1, 1), torch.zeros(1), torch.tensor([[100.0]])).means.flatten().tolist()
        [2.0, 3.0]
        """
        hidden = torch.relu_(torch.addmm(bias, batch.vertices, weights))
        shares = batch.shares[None]
        if gate is not None:
            shares = torch.cat([shares, _softmax_by_place(gate.T @ hidden.T, batch)])
        n, images = shares.shape
        # the photos of all places once for each mean, one mean after the other
        first = torch.arange(0, n * images, images, device=hidden.device)[:, None] + batch.first
        sums = _weighted_sums(hidden, batch.images.repeat(n), first.flatten(), shares.flatten())
        return cls(hidden, shares, sums.view(n, -1, hidden.shape[1]))

    def gradients(
        self, batch: PhotoBatch, gate: torch.Tensor | None, of_means: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the gradients of weights, bias and gate, where `of_means`, shape (1 + heads, b, width), is that of the means."""
        n, b, width = of_means.shape
        # each photo gets the gradients of all means of its place, in proportion to its shares
        table = of_means.reshape(n * b, width)
        rows = batch.place[:, None] + torch.arange(0, n * b, b, device=table.device)
        of_hidden = _weighted_sums(
            table, rows.flatten(), torch.arange(0, rows.numel(), n, device=table.device), self.shares.T.flatten()
        )
        of_gate = None
        if gate is not None:
            # the derivative of the softmax over the photos of a place
            of_place = (self.means[1:] * of_means[1:]).sum(2)
            of_photos = of_means[1:].index_select(1, batch.place).mul_(self.hidden).sum(2)
            of_scores = of_photos.sub_(of_place.index_select(1, batch.place)).mul_(self.shares[1:])
            of_hidden.addmm_(of_scores.T, gate.T)
            # the optimiser takes the numbers of a gradient as they lie in memory
            of_gate = (of_scores @ self.hidden).T.contiguous()
        of_hidden = _relu_backward(of_hidden, self.hidden, 0)
        return batch.vertices.T @ of_hidden, of_hidden.sum(0), of_gate


def _weighted_sums(table: torch.Tensor, rows: torch.Tensor, first: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum rows of a table, each times its weight; each sum has the entries from `first` on, up to the next one's first."""
    found: Any = torch.embedding_bag(table, rows, first, mode=0, per_sample_weights=weights)
    return found[0]


def _softmax_by_place(scores: torch.Tensor, batch: PhotoBatch) -> torch.Tensor:
    """Compute the softmax over the photos of each place; scores have shape (heads, images)."""
    padded = scores.new_full((len(scores), len(batch.first) * batch.largest), -torch.inf)
    padded.index_copy_(1, batch.slots, scores)
    shares = torch.softmax(padded.view(len(scores), -1, batch.largest), 2)
    return shares.flatten(1).index_select(1, batch.slots)
