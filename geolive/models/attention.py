"""Attention pooling over the photos of a place (Ilse et al. 2018), and mean pooling (Zaheer et al. 2017) to compare it with."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from geolive.collectives import rank_and_size
from geolive.graphs.node_features import Vertices
from geolive.models.photo_pooling import PhotoBatch, pooled_photos
from geolive.models.photoset_model import PhotoSetModel
from geolive.places import Places

HEADS = 4


class AttentionNetwork(nn.Module):
    """A network that pools the photos of a place by attention.

    A hidden layer turns each photo into a vector. The vectors of a place are averaged once plainly and once for each head with
    that head's attention as weights; the output is linear in these means. It is also linear in the plain mean of the vertices,
    so that the hidden layer need not fit a linear relation. Source: deep multiple-instance learning, Ilse, Tomczak & Welling
    2018, arXiv 1802.04712.

    Parameters
    ----------
    features, outputs, width : int
        Features of a vertex, outputs for a place, and width of the hidden layer.
    heads : int
        Number of attention heads. With 0 the network only takes plain means ("Deep Sets", Zaheer et al. 2017, arXiv
        1703.06114).
    generator : torch.Generator
        Draws the weights.
    covariates : int
        Number of covariates of a place. The output is also linear in them and in a hidden layer of them.

    Examples
    --------
    >>> network = AttentionNetwork(66, 1, 32, heads=4, generator=torch.Generator())
    >>> network(PhotoBatch.of(np.arange(2), torch.ones(7, 66), np.array([3, 4]))).shape
    torch.Size([2, 1])
    """

    def __init__(
        self, features: int, outputs: int, width: int, heads: int, generator: torch.Generator, covariates: int = 0
    ):
        super().__init__()
        self.hidden = _drawn(features, width, generator)
        self.hidden_bias = nn.Parameter(torch.zeros(width))
        self.gate = _drawn(width, heads, generator) if heads else None
        self.of_place = _drawn(covariates, width, generator) if covariates else None
        self.of_place_bias = nn.Parameter(torch.zeros(width)) if covariates else None
        pooled = width * (heads + 1) + features + (covariates + width if covariates else 0)
        self.answer = nn.Parameter(torch.zeros(pooled, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, batch: PhotoBatch, covariates: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the outputs of places that have images.

        Parameters
        ----------
        batch : PhotoBatch
        covariates : tensor of float32, shape (b, covariates), optional

        Returns
        -------
        tensor of float32, shape (b, outputs)
        """
        means = pooled_photos(batch, self.hidden, self.hidden_bias, self.gate)
        plain = torch.segment_reduce(batch.vertices, "mean", lengths=batch.sizes)
        width = self.hidden.shape[1]
        # the order of the rows of `answer`: means of the hidden layer and of vertices, then those by attention
        pooled = [means[:, :width], plain, means[:, width:]]
        if self.of_place is not None:
            assert covariates is not None
            assert self.of_place_bias is not None
            pooled += [covariates, torch.relu(torch.addmm(self.of_place_bias, covariates, self.of_place))]
        return torch.addmm(self.bias, torch.cat(pooled, 1), self.answer)


class AttentionPooling(PhotoSetModel):
    """A network with attention over a place's images.

    Parameters
    ----------
    task, random_state, inputs, epochs, iterations, batch_size, learning_rate, width, patience, search, device, checkpoints
        See `geolive.models.network_model.NetworkModel`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> where = rng.normal([85.0, 25.0], 0.01, (20, 2))
    >>> counts = rng.poisson(1.0, (20, 66)).astype(np.uint16)
    >>> places = Places(np.array(list("abcd")), where[::5], np.arange(0, 21, 5), where, counts)
    >>> model = AttentionPooling(epochs=2).fit(places, np.array([0.0, 1.0, 2.0, 3.0]))
    >>> model.name, model.predict(places).shape
    ('attention-obj', (4,))
    """

    kind = arch = "attention"
    heads = HEADS
    decay = True

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        inputs: str = "objects",
        epochs: int = 60,
        iterations: int | None = None,
        batch_size: int = 32,
        learning_rate: float = 3e-3,
        width: int = 32,
        patience: int = 0,
        search: bool = False,
        device: str = "auto",
        checkpoints: Path | None = None,
    ) -> None:
        super().__init__(
            task,
            random_state=random_state,
            inputs=inputs,
            epochs=epochs,
            iterations=iterations,
            batch_size=batch_size,
            learning_rate=learning_rate,
            width=width,
            patience=patience,
            search=search,
            device=device,
            checkpoints=checkpoints,
        )

    def _new_network(self, features: int, outputs: int, generator: torch.Generator) -> nn.Module:
        covariates = len(self.covariate_names_)
        return AttentionNetwork(features, outputs, self.width_, self.heads, generator, covariates)

    def _batches(
        self, places: Places, vertices: Vertices, batch_size: int, generator: torch.Generator | None
    ) -> Iterator[list[PhotoBatch]]:
        sizes, device = places.n_images, self._device
        if generator is None:
            order = np.argsort(sizes, kind="stable")
        else:
            order = torch.randperm(len(places), generator=generator).numpy()
        rank, size = (0, 1) if generator is None else rank_and_size()
        for batch in np.array_split(order, -(-len(order) // batch_size)):
            rows = batch[rank::size]
            of_rows = sizes[rows]
            first = np.cumsum(of_rows) - of_rows
            images = np.arange(of_rows.sum()) + np.repeat(places.offsets[rows] - first, of_rows)
            yield [PhotoBatch.of(rows, torch.from_numpy(vertices.read(images)).to(device), of_rows)]

    def _forward(self, blocks: list[PhotoBatch], covariates: torch.Tensor | None) -> torch.Tensor:
        (batch,) = blocks
        return self.network_(batch, covariates)

    def _precision(self) -> contextlib.AbstractContextManager:
        """Return float32 on every device: the products are too small to gain from fewer bits."""
        return contextlib.nullcontext()


class MeanPooling(AttentionPooling):
    """A network on the mean over a place's images: `AttentionPooling` without attention.

    Parameters
    ----------
    task, random_state, inputs, epochs, iterations, batch_size, learning_rate, width, patience, search, device, checkpoints
        See `geolive.models.network_model.NetworkModel`.

    Examples
    --------
    >>> MeanPooling(inputs="objects,features").name
    'mean-pooling-both'
    """

    kind = arch = "mean-pooling"
    heads = 0


def _drawn(features: int, outputs: int, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn(features, outputs, generator=generator) / math.sqrt(features))
