"""Attention pooling over the photos of a place (Ilse et al. 2018), and mean pooling (Zaheer et al. 2017) to compare it with."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from geolive.graphs.node_features import Vertices
from geolive.models.photoset_model import PhotoSetModel
from geolive.places import Places

HEADS = 4


class AttentionNetwork(nn.Module):
    """Photos to hidden vectors; their means, one weighted by each head's attention and one plain; a linear answer.

    The plain mean of the vertices goes into the answer, too, so that a linear relation need not be learnt through the hidden
    layer. Deep multiple-instance learning: Ilse, Tomczak & Welling 2018, arXiv 1802.04712.

    Parameters
    ----------
    features, outputs, width : int
    heads : int
        0: mean pooling only ("Deep Sets", Zaheer et al. 2017, arXiv 1703.06114).
    generator : torch.Generator
        Draws the weights.

    Examples
    --------
    >>> network = AttentionNetwork(66, 1, 32, heads=4, generator=torch.Generator())
    >>> network(torch.ones(7, 66), torch.tensor([0, 0, 0, 1, 1, 1, 1]), 2).shape
    torch.Size([2, 1])
    """

    def __init__(self, features: int, outputs: int, width: int, heads: int, generator: torch.Generator):
        super().__init__()
        self.hidden = _drawn(features, width, generator)
        self.hidden_bias = nn.Parameter(torch.zeros(width))
        self.gate = _drawn(width, heads, generator) if heads else None
        self.answer = nn.Parameter(torch.zeros(width * (heads + 1) + features, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, vertices: torch.Tensor, place: torch.Tensor, n_places: int) -> torch.Tensor:
        """Answers, shape (b, outputs), from vertices (images, features) and the number of each image's place (images,).

        Places are as many as `n_places`, each with an image.
        """
        hidden = torch.relu(vertices @ self.hidden + self.hidden_bias)
        # sums over the images of a place are one product: no place is padded to the largest
        of_place = torch.nn.functional.one_hot(place, n_places).to(hidden.dtype).T
        pooled = [of_place @ torch.cat([hidden, vertices], 1) / of_place.sum(1, keepdim=True)]
        if self.gate is not None:
            scores = hidden @ self.gate
            index = place[:, None].expand_as(scores)
            most = scores.new_zeros(n_places, scores.shape[1])
            most = most.scatter_reduce(0, index, scores.detach(), "amax", include_self=False)
            share = torch.exp(scores - most[place])
            looked_at = of_place @ (share[:, :, None] * hidden[:, None]).flatten(1)
            pooled.append((looked_at.view(n_places, -1, hidden.shape[1]) / (of_place @ share)[..., None]).flatten(1))
        return torch.cat(pooled, 1) @ self.answer + self.bias


@dataclass(frozen=True)
class Images:
    """The images of b places, one place after the other.

    Parameters
    ----------
    rows : array of int64, shape (b,)
        Which places.
    vertices : tensor of float32, shape (images, features)
    place : tensor of int64, shape (images,)
        From 0 to b - 1.
    """

    rows: np.ndarray
    vertices: torch.Tensor
    place: torch.Tensor


class AttentionPooling(PhotoSetModel):
    """A network with attention over photos; parameters as for `geolive.models.photoset_model.PhotoSetModel`; edges play no part.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> where = rng.normal([85.0, 25.0], 0.01, (20, 2))
    >>> counts = rng.poisson(1.0, (20, 66)).astype(np.uint16)
    >>> places = Places(np.array(list("abcd")), where[::5], np.arange(0, 21, 5), where, counts)
    >>> model = AttentionPooling("regression", seed=0, epochs=2).fit(places, np.array([0.0, 1.0, 2.0, 3.0]))
    >>> model.name, model.predict(places).shape
    ('attention-obj', (4,))
    """

    arch, heads, decay = "attention", HEADS, True
    kind = "attention"

    def __init__(self, task: str = "regression", seed: int = 0, **options):
        super().__init__(task, seed, **({"epochs": 60, "batch_size": 32, "learning_rate": 3e-3, "width": 32} | options))

    @property
    def name(self) -> str:
        """Architecture and vertices."""
        return f"{self.arch}-{self.vertices}"

    def _new_network(self, features: int, outputs: int, generator: torch.Generator) -> nn.Module:
        return AttentionNetwork(features, outputs, self.params["width"], self.heads, generator)

    def _batches(
        self, places: Places, vertices: Vertices, batch_size: int, generator: torch.Generator | None
    ) -> Iterator[list[Images]]:
        sizes = places.n_images
        if generator is None:
            order = np.argsort(sizes, kind="stable")
        else:
            order = torch.randperm(len(places), generator=generator).numpy()
        for rows in np.array_split(order, -(-len(order) // batch_size)):
            images = np.concatenate([np.arange(places.offsets[row], places.offsets[row + 1]) for row in rows])
            place = np.repeat(np.arange(len(rows)), sizes[rows])
            tensors = [torch.from_numpy(array).to(self._device) for array in (vertices.read(images), place)]
            yield [Images(rows, *tensors)]

    def _forward(self, blocks: list[Images]) -> torch.Tensor:
        (images,) = blocks
        return self._network(images.vertices, images.place, len(images.rows))


class MeanPooling(AttentionPooling):
    """The same without attention: the mean over photos of what a hidden layer makes of them."""

    arch, heads = "mean-pooling", 0
    kind = "mean-pooling"


def _drawn(features: int, outputs: int, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn(features, outputs, generator=generator) / math.sqrt(features))
