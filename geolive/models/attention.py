"""Attention pooling over the photos of a place (Ilse et al. 2018), and mean pooling (Zaheer et al. 2017) to compare it with."""

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from geolive.collectives import rank_and_size, sum_of_all
from geolive.graphs.batches import draw_images
from geolive.graphs.node_features import Vertices
from geolive.models.photo_pooling import PhotoBatch, PooledPhotos
from geolive.models.photoset_model import FEWEST_SEEN, MOST_SEEN, PhotoSetModel
from geolive.places import Places

HEADS = 4
Loss = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class AttentionNetwork(nn.Module):
    """A network that pools the photos of a place by attention.

    A hidden layer turns each photo into a vector. The vectors of a place are averaged once plainly and once for each head with
    that head's attention as weights; the output is linear in these means. It is also linear in the plain mean of the vertices,
    so that the hidden layer need not fit a linear relation. Source: deep multiple-instance learning, Ilse, Tomczak & Welling
    2018, arXiv 1802.04712. Its gradients are written out, without automatic differentiation.

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

    @torch.no_grad()
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
        columns = self._columns(batch, self._pooled(batch), covariates, self._of_covariates(covariates))
        return torch.addmm(self.bias, columns, self.answer)

    @torch.no_grad()
    def set_gradients(self, batch: PhotoBatch, covariates: torch.Tensor | None, loss: Loss) -> torch.Tensor:
        """Set the gradients of a loss, and return the loss.

        Parameters
        ----------
        batch, covariates
            As for `forward`.
        loss : callable
            Takes the outputs; gives the loss and its gradient for each output.
        """
        pooled, of_covariates = self._pooled(batch), self._of_covariates(covariates)
        columns = self._columns(batch, pooled, covariates, of_covariates)
        found, of_outputs = loss(torch.addmm(self.bias, columns, self.answer))
        self.answer.grad, self.bias.grad = columns.T @ of_outputs, of_outputs.sum(0)
        of_columns, width, gate = of_outputs @ self.answer.T, self.hidden.shape[1], self.gate
        heads = 0 if gate is None else gate.shape[1]
        by_attention = width + len(self.hidden)
        of_means = torch.cat([of_columns[:, :width], of_columns[:, by_attention : by_attention + heads * width]], 1)
        of_means = of_means.view(len(columns), 1 + heads, width).transpose(0, 1)
        self.hidden.grad, self.hidden_bias.grad, of_gate = pooled.gradients(batch, gate, of_means)
        if gate is not None:
            gate.grad = of_gate
        if self.of_place is not None:
            assert covariates is not None
            assert of_covariates is not None
            assert self.of_place_bias is not None
            of_hidden = torch.where(of_covariates > 0, of_columns[:, -width:], 0)
            self.of_place.grad, self.of_place_bias.grad = covariates.T @ of_hidden, of_hidden.sum(0)
        return found

    def _pooled(self, batch: PhotoBatch) -> PooledPhotos:
        return PooledPhotos.of(batch, self.hidden, self.hidden_bias, self.gate)

    def _of_covariates(self, covariates: torch.Tensor | None) -> torch.Tensor | None:
        """Compute the hidden layer of the covariates; None for a network without them."""
        if self.of_place is None:
            return None
        assert covariates is not None
        assert self.of_place_bias is not None
        return torch.relu(torch.addmm(self.of_place_bias, covariates, self.of_place))

    def _columns(
        self,
        batch: PhotoBatch,
        pooled: PooledPhotos,
        covariates: torch.Tensor | None,
        of_covariates: torch.Tensor | None,
    ) -> torch.Tensor:
        """Return what the outputs are linear in, in the order of the rows of `answer`.

        First come the means of the hidden layer and of the vertices, then those by attention, then covariates.
        """
        columns = [pooled.means[0], batch.mean_vertices(), *pooled.means[1:]]
        if covariates is not None and of_covariates is not None:
            columns += [covariates, of_covariates]
        return torch.cat(columns, 1)


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
    network_: AttentionNetwork

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
        return self._photo_batches(places.offsets, vertices, batch_size, generator)

    def _drawn_batches(
        self, places: Places, vertices: Vertices, generator: torch.Generator
    ) -> Iterator[list[PhotoBatch]]:
        images = draw_images(places, FEWEST_SEEN, MOST_SEEN, generator)
        seen = vertices.keep_images(images, places)
        return self._photo_batches(np.searchsorted(images, places.offsets), seen, self.batch_size, generator)

    def _photo_batches(
        self, offsets: np.ndarray, vertices: Vertices, batch_size: int, generator: torch.Generator | None
    ) -> Iterator[list[PhotoBatch]]:
        """Yield batches of places whose images begin at `offsets`: in random order, or those of like size together."""
        sizes, device = np.diff(offsets), self._device
        order = np.argsort(sizes, kind="stable")
        if generator is not None:
            order = torch.randperm(len(sizes), generator=generator).numpy()
        rank, size = (0, 1) if generator is None else rank_and_size()
        for batch in np.array_split(order, -(-len(order) // batch_size)):
            rows = batch[rank::size]
            of_rows = sizes[rows]
            first = np.cumsum(of_rows) - of_rows
            images = np.arange(of_rows.sum()) + np.repeat(offsets[rows] - first, of_rows)
            yield [PhotoBatch.of(rows, torch.from_numpy(vertices.read(images)).to(device), of_rows)]

    def _set_gradients(
        self, blocks: list[PhotoBatch], covariates: torch.Tensor | None, targets: torch.Tensor
    ) -> torch.Tensor:
        (batch,) = blocks
        return self.network_.set_gradients(batch, covariates, lambda outputs: self._loss_and_gradient(outputs, targets))

    def _loss_and_gradient(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return this process's part of the mean loss over the known values of a batch, and its gradient for each output."""
        known = targets.isfinite()
        own = known.sum()
        number = max(1.0, (own if rank_and_size()[1] == 1 else sum_of_all(own.float()[None])).item())
        if self.task == "classification":
            wanted = torch.where(known, targets, 0)
            losses = nn.functional.binary_cross_entropy_with_logits(outputs, wanted, known.float(), reduction="sum")
            return losses / number, torch.where(known, torch.sigmoid(outputs) - wanted, 0) / number
        apart = outputs - targets
        if own.item() < known.numel():
            apart = torch.where(known, apart, 0)
        return apart.square().sum() / number, apart * (2 / number)

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
