"""Means over the photos of each place, plain and by attention, of what a hidden layer makes of a photo: with their gradients.

A step of such a network takes less than a millisecond, most of which would go into the many small operations of automatic
differentiation. Here the photos of a batch of places are padded to those of the largest, so that one product serves all places.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class PhotoBatch:
    """The images of b places, one place after the other; n is the number of images of the largest place.

    Parameters
    ----------
    rows : array of int64, shape (b,)
        Row numbers of the places.
    vertices : tensor of float32, shape (images, features)
    sizes : tensor of int64, shape (b,)
        Number of images of each place.
    slots : tensor of int64, shape (images,)
        Where each image stands among the b · n rows of the padded photos.
    shares : tensor of float32, shape (b, n, 1)
        1 / size at the images of a place, and 0 at padding.
    """

    rows: np.ndarray
    vertices: torch.Tensor
    sizes: torch.Tensor
    slots: torch.Tensor
    shares: torch.Tensor

    @classmethod
    def of(cls, rows: np.ndarray, vertices: torch.Tensor, sizes: np.ndarray) -> "PhotoBatch":
        """Make a batch of places of these sizes, each of at least one image.

        Examples
        --------
        >>> batch = PhotoBatch.of(np.array([8, 9]), torch.ones(3, 66), np.array([1, 2]))
        >>> batch.slots.tolist(), batch.shares[..., 0].tolist()
        ([0, 2, 3], [[1.0, 0.0], [0.5, 0.5]])
        """
        real = np.arange(sizes.max(initial=1)) < sizes[:, None]
        shares = (real / sizes[:, None]).astype(np.float32)[..., None]
        arrays = (np.asarray(sizes, np.int64), np.flatnonzero(real), shares)
        return cls(rows, vertices, *(torch.from_numpy(array).to(vertices.device) for array in arrays))


def pooled_photos(
    batch: PhotoBatch, weights: torch.Tensor, bias: torch.Tensor, gate: torch.Tensor | None
) -> torch.Tensor:
    """Pool a hidden layer, relu(vertices · weights + bias), over the photos of each place.

    The first mean is plain. In the mean of an attention head, a photo counts in proportion to exp(hidden layer · gate). Source:
    Ilse, Tomczak & Welling 2018, arXiv 1802.04712, equation 8.

    Parameters
    ----------
    batch : PhotoBatch
    weights : tensor, shape (features, width)
    bias : tensor, shape (width,)
    gate : tensor, shape (width, heads), optional
        Without it there is only the plain mean.

    Returns
    -------
    tensor of float32, shape (b, (1 + heads) * width)
        The plain mean, then that of each head.

    Examples
    --------
    >>> batch = PhotoBatch.of(np.array([0]), torch.tensor([[1.0], [3.0]]), np.array([2]))
    >>> pooled_photos(batch, torch.ones(1, 1), torch.zeros(1), torch.tensor([[100.0]])).tolist()
    [[2.0, 3.0]]
    """
    return _Pooled.apply(batch.vertices, weights, bias, gate, batch.slots, batch.shares).flatten(1)


class _Pooled(torch.autograd.Function):
    """The means of `pooled_photos`, shape (b, 1 + heads, width)."""

    @staticmethod
    def forward(ctx: Any, vertices, weights, bias, gate, slots, shares):
        b, n, _ = shares.shape
        hidden = torch.relu_(torch.addmm(bias, vertices, weights))
        padded = hidden.new_zeros(b * n, hidden.shape[1]).index_copy_(0, slots, hidden).view(b, n, -1)
        if gate is not None:
            scores = hidden.new_full((b * n, gate.shape[1]), -torch.inf).index_copy_(0, slots, hidden @ gate)
            shares = torch.cat([shares, torch.softmax(scores.view(b, n, -1), 1)], 2)
        ctx.save_for_backward(vertices, gate, slots, hidden, padded, shares)
        return torch.bmm(shares.transpose(1, 2), padded)

    @staticmethod
    def backward(ctx: Any, of_means):
        vertices, gate, slots, hidden, padded, shares = ctx.saved_tensors
        of_hidden = torch.bmm(shares, of_means).flatten(0, 1).index_select(0, slots)
        of_gate = None
        if gate is not None:
            of_shares = torch.bmm(padded, of_means[:, 1:].transpose(1, 2))
            own = shares[:, :, 1:]
            # the derivative of the softmax over the photos of a place
            of_scores = torch._softmax_backward_data(of_shares, own, 1, own.dtype).flatten(0, 1).index_select(0, slots)
            of_hidden.addmm_(of_scores, gate.T)
            of_gate = hidden.T @ of_scores
        of_hidden = torch.where(hidden > 0, of_hidden, 0)
        return None, vertices.T @ of_hidden, of_hidden.sum(0), of_gate, None, None
