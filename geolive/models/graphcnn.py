"""The graph network of Lee et al. (2021) as a model of places: each image is a vertex, joined to others by edges."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from geolive.collectives import rank_and_size
from geolive.graphs.batches import Batch, batches_in_blocks, largest_distance_km
from geolive.graphs.edges import check_k, parse_edges
from geolive.graphs.gradients import training_outputs
from geolive.graphs.network import GraphNetwork
from geolive.graphs.node_features import Vertices
from geolive.graphs.packed import PackedBatch, packed_batches
from geolive.models.photoset_model import PhotoSetModel
from geolive.places import Places


class GraphCNN(PhotoSetModel):
    """The graph network of Lee et al. (2021) on the images of a place.

    Parameters
    ----------
    task, random_state, inputs, epochs, iterations, batch_size, learning_rate, width, patience, search, device, checkpoints
        See `geolive.models.network_model.NetworkModel`.
    edges : str
        Edges between the images of a place, as `geolive.graphs.edges.parse_edges` reads them.

    Attributes
    ----------
    d_max_km_ : float
        The largest distance between two images of a training place, the scale of distance edges.

    See Also
    --------
    geolive.StackedNetwork : Summaries and networks of photos, stacked.
    geolive.Forest : A random forest on object counts.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> where = rng.normal([85.0, 25.0], 0.01, (20, 2))
    >>> counts = rng.poisson(1.0, (20, 66)).astype(np.uint16)
    >>> places = Places(np.array(list("abcd")), where[::5], np.arange(0, 21, 5), where, counts)
    >>> model = GraphCNN(epochs=2).fit(places, np.array([0.0, 1.0, 2.0, 3.0]))
    >>> model.name, model.predict(places).shape
    ('gcn-obj-distance', (4,))
    """

    kind = arch = "gcn"

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        edges: str = "distance",
        inputs: str = "objects",
        epochs: int = 30,
        iterations: int | None = None,
        batch_size: int = 16,
        learning_rate: float = 1e-3,
        width: int = 64,
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
        self.edges = edges

    @property
    def name(self) -> str:
        """Architecture, inputs and edges."""
        return f"{super().name}-{parse_edges(self.edges)}"

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that decide the weights."""
        return {"edges": str(parse_edges(self.edges))} | super().params

    def check_parameters(self) -> None:
        """Raise where a parameter has a value that the network cannot use."""
        super().check_parameters()
        parse_edges(self.edges)

    def _prepare(self, places: Places, values: np.ndarray) -> None:
        edges = parse_edges(self.edges)
        check_k(edges, int(places.n_images.max()), "the place with the most images has {n} of them")
        super()._prepare(places, values)
        self.d_max_km_ = largest_distance_km(places) if "distance" in edges.kinds else 0.0

    def _new_network(self, features: int, outputs: int, generator: torch.Generator) -> nn.Module:
        n_types, covariates = parse_edges(self.edges).n_types, len(self.covariate_names_)
        return GraphNetwork(features, outputs, n_types, generator, width=self.width_, covariates=covariates)

    def _batches(
        self, places: Places, vertices: Vertices, batch_size: int, generator: torch.Generator | None
    ) -> Iterator[list[Batch]] | Iterator[list[PackedBatch]]:
        made_from = places, vertices, parse_edges(self.edges), self.d_max_km_
        drawn: dict[str, Any] = {"batch_size": batch_size, "seed": self.random_state, "generator": generator}
        if generator is not None and self._device.type == "cpu" and rank_and_size()[1] == 1:
            return ([batch] for batch in packed_batches(*made_from, **drawn))
        share = (0, 1) if generator is None else rank_and_size()
        return batches_in_blocks(*made_from, **drawn, device=self._device, share=share)

    def _forward(self, blocks: list, covariates: torch.Tensor | None) -> torch.Tensor:
        network = self.network_
        assert isinstance(network, GraphNetwork)
        if isinstance(blocks[0], PackedBatch):
            return training_outputs(network, blocks[0], covariates)
        return network.forward_blocks(blocks, covariates)

    def _scales(self) -> dict[str, np.ndarray]:
        return super()._scales() | {"d_max_km": np.array([self.d_max_km_])}

    def _scale_shapes(self, features: int, outputs: int) -> dict[str, tuple[int, ...]]:
        return super()._scale_shapes(features, outputs) | {"d_max_km": (1,)}

    def _set_scales(self, arrays: dict[str, np.ndarray]) -> None:
        super()._set_scales(arrays)
        self.d_max_km_ = float(arrays["d_max_km"][0])
