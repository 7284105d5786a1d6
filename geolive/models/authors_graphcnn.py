"""The graph network of Lee et al. (2021) exactly as their code has it, as a model of places to compare with."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from geolive.errors import InputError
from geolive.graphs.authors_graphs import D_MAX_KM, AuthorsScaling, authors_batches
from geolive.graphs.authors_network import AuthorsNetwork
from geolive.graphs.batches import Batch
from geolive.graphs.edges import check_k, parse_edges
from geolive.graphs.node_features import Vertices, fit_vertices
from geolive.model_inputs import canonical_inputs, photo_inputs
from geolive.models.adam import FusedAdam
from geolive.models.graphcnn import GraphCNN
from geolive.models.target_scaler import TargetScaler
from geolive.models.trainer import Validated
from geolive.places import Places

# their code measures the accuracy on the validation clusters after as many iterations
ITERATIONS_PER_TEST = 50
_LARGEST = np.finfo(np.float64).max


class AuthorsGraphCNN(GraphCNN):
    """The graph network of Lee et al. (2021), trained as their code trains it.

    `GraphCNN` is the better model; this one is for comparison with their figures. Its vertices are raw numbers
    (`geolive.graphs.authors_graphs`), its network is theirs with all its flaws (`geolive.graphs.authors_network`), and it takes
    all images of a place in every iteration. Adam (1e-3) minimises cross entropy or squared error, plus 5e-4 ‖W‖² / 2 of each
    weight matrix. Values are not standardised, and predictions may leave the range of the training values.

    Their code tests the network after every 50 iterations and reports the best of these figures. Here a validation part that is
    given to `fit` chooses the weights in the same way, by accuracy or by squared error; `last_checkpoint` has the last weights.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
    edges : str
        As for `GraphCNN`. Weights of `distance` are theirs: 1 - d / 19.890915 km, negative beyond.
    inputs : str
        objects, features, or both, separated by a comma.
    iterations : int
        Steps of the optimiser.
    batch_size : int
        Places in one step.
    learning_rate : float
        1e-3 is what their code used: their option `--lr` did not reach the optimiser.
    device, checkpoints
        See `geolive.models.network_model.NetworkModel`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> where = rng.normal([85.0, 25.0], 0.01, (20, 2))
    >>> counts = rng.poisson(1.0, (20, 66)).astype(np.uint16)
    >>> places = Places(np.array(list("abcd")), where[::5], np.arange(0, 21, 5), where, counts)
    >>> model = AuthorsGraphCNN(iterations=2).fit(places, np.array([0.0, 1.0, 2.0, 3.0]))
    >>> model.name, model.predict(places).shape
    ('gcn-authors-obj-distance', (4,))
    """

    kind = arch = "gcn-authors"
    epoch_word = f"round of {ITERATIONS_PER_TEST} iterations"

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        edges: str = "distance",
        inputs: str = "objects",
        iterations: int = 3000,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        device: str = "auto",
        checkpoints: Path | None = None,
    ) -> None:
        super().__init__(
            task,
            random_state=random_state,
            edges=edges,
            inputs=inputs,
            iterations=iterations,
            batch_size=batch_size,
            learning_rate=learning_rate,
            device=device,
            checkpoints=checkpoints,
        )

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that decide the weights."""
        names = ("iterations", "batch_size", "learning_rate")
        shown = {"edges": str(parse_edges(self.edges)), "inputs": canonical_inputs(self.inputs)}
        return shown | {name: getattr(self, name) for name in names}

    def check_parameters(self) -> None:
        """Raise where a parameter has a value that the network cannot use."""
        super().check_parameters()
        if self.uses("covariates"):
            raise InputError(
                f"inputs={self.inputs!r}: the authors' network takes no covariates; choose objects, features or "
                "objects,features",
                parameter="inputs",
            )

    def as_unfitted(self) -> Self:
        """Return an unfitted model with these parameters."""
        return clone(self)

    def column(self, number: int) -> Self:
        """Raise: the network learns one indicator at a time.

        Raises
        ------
        InputError
        """
        raise InputError(f"{self.name} can be trained on one indicator at a time; train it once for each")

    def _prepare(self, places: Places, values: np.ndarray) -> None:
        if values.shape[1] > 1:
            raise InputError(f"{self.name} can be trained on one indicator at a time; fit it once for each")
        edges = parse_edges(self.edges)
        check_k(edges, int(places.n_images.max()), "the place with the most images has {n} of them")
        fit_vertices(places, photo_inputs(self.inputs))  # raises where features are missing or are not numbers
        self.scaling_ = AuthorsScaling.for_places(places, photo_inputs(self.inputs))
        # nothing is standardised, and predictions have no limits
        self.targets_ = TargetScaler(np.array([[0.0, 1.0, -_LARGEST, _LARGEST]]))
        self.d_max_km_ = D_MAX_KM

    def _new_network(self, features: int, outputs: int, generator: torch.Generator) -> nn.Module:
        outputs = 2 if self.task == "classification" else 1
        return AuthorsNetwork(features, outputs, parse_edges(self.edges).n_types, generator)

    def _length(self, n_places: int) -> tuple[int, Callable[[int], int]]:
        total = int(self.iterations or 0)
        rounds = -(-total // ITERATIONS_PER_TEST)
        return rounds, lambda number: min(ITERATIONS_PER_TEST, total - number * ITERATIONS_PER_TEST)

    def _run_epoch(
        self,
        places: Places,
        vertices: Vertices,
        targets: torch.Tensor,
        optimizer: FusedAdam,
        generator: torch.Generator,
        steps: int,
    ) -> float:
        total = 0.0
        for rows in _drawn_rows(len(places), self.batch_size, steps, generator):
            drawn = places.take(rows)
            (blocks,) = self._batches(drawn, self.scaling_.of(drawn), len(rows), None)
            order = np.concatenate([block.rows for block in blocks])
            wanted = targets[torch.from_numpy(rows[order]).to(targets.device)]
            loss = self._loss(self._forward(blocks, None), wanted)
            loss.backward()
            optimizer.descend()
            total += loss.item()
        return total / steps

    def _batches(
        self, places: Places, vertices: Vertices, batch_size: int, generator: torch.Generator | None
    ) -> Iterator[list[Batch]]:
        edges, seed, device = parse_edges(self.edges), self.random_state, self._device
        return authors_batches(places, vertices, edges, batch_size=batch_size, seed=seed, device=device)

    def _forward(self, blocks: list[Batch], covariates: torch.Tensor | None) -> torch.Tensor:
        outputs = super()._forward(blocks, None)
        # the cross entropy of two logits is that of their difference
        return outputs[:, 1:] - outputs[:, :1] if self.task == "classification" else outputs

    def _validated(self, outputs: torch.Tensor, targets: torch.Tensor) -> Validated:
        """Return the loss, and the error by which the best checkpoint is chosen: 1 - accuracy, or the squared error."""
        loss = self._loss(outputs, targets).item()
        if self.task == "regression":
            return Validated(loss, loss)
        return Validated(loss, ((outputs > 0).float() != targets).float().mean().item())

    def _precision(self) -> contextlib.AbstractContextManager:
        return contextlib.nullcontext()

    def _set_scales(self, arrays: dict[str, np.ndarray]) -> None:
        super()._set_scales(arrays)
        self.scaling_ = AuthorsScaling(photo_inputs(self.inputs), arrays["mean"], arrays["factor"])


def _drawn_rows(n: int, batch_size: int, steps: int, generator: torch.Generator) -> Iterator[np.ndarray]:
    """Yield the rows of each batch: all places in a random order, again and again, cut into batches of one size."""
    size = min(batch_size, n)
    passes = -(-size * steps // n)
    order = torch.cat([torch.randperm(n, generator=generator) for _ in range(passes)]).numpy()
    for step in range(steps):
        yield order[step * size : (step + 1) * size]
