"""The graph network of Lee et al. (2021) as a model of places: each image a vertex, joined to others by edges."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from geolive.graphs.batches import Batch, batches_in_blocks
from geolive.graphs.edges import check_k
from geolive.graphs.network import GraphNetwork
from geolive.graphs.node_features import Vertices
from geolive.models.photoset_model import PhotoSetModel
from geolive.places import Places


class GraphCNN(PhotoSetModel):
    """The network of Lee et al. (2021), "GCN"; parameters as for `geolive.models.photoset_model.PhotoSetModel`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> where = rng.normal([85.0, 25.0], 0.01, (20, 2))
    >>> counts = rng.poisson(1.0, (20, 66)).astype(np.uint16)
    >>> places = Places(np.array(list("abcd")), where[::5], np.arange(0, 21, 5), where, counts)
    >>> model = GraphCNN("regression", seed=0, epochs=2).fit(places, np.array([0.0, 1.0, 2.0, 3.0]))
    >>> model.name, model.predict(places).shape
    ('gcn-obj-distance', (4,))
    """

    arch = kind = "gcn"

    def _prepare(self, places: Places, values: np.ndarray) -> None:
        check_k(self._edges, int(places.n_images.max()), "the place with the most images has {n} of them")
        super()._prepare(places, values)

    def _new_network(self, features: int, outputs: int, generator: torch.Generator) -> nn.Module:
        return GraphNetwork(features, outputs, self._edges.n_types, generator, width=self.params["width"])

    def _batches(
        self, places: Places, vertices: Vertices, batch_size: int, generator: torch.Generator | None
    ) -> Iterator[list[Batch]]:
        settings = {"batch_size": batch_size, "seed": self.seed, "generator": generator, "device": self._device}
        return batches_in_blocks(places, vertices, self._edges, self._d_max_km, **settings)

    def _forward(self, blocks: list[Batch]) -> torch.Tensor:
        return self._network.forward_blocks(blocks)
