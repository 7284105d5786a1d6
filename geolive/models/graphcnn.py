"""The graph network as a model of places: each image a vertex, its object counts the features."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from geolive.clusters import Places
from geolive.errors import InputError
from geolive.graphs.batches import Batch, batches, largest_distance_km, thin
from geolive.graphs.edges import parse_edges
from geolive.graphs.network import GraphNetwork
from geolive.models.interface import check_images
from geolive.tables import N_CLASSES

FILE = "model.safetensors"
WEIGHT_DECAY = 5e-4
# images of a place seen in one epoch, chosen anew each time: learning from small and large places alike, several times faster
FEWEST_SEEN, MOST_SEEN = 2, 64
# a class that is nearly never seen would have a tiny spread, and one sighting would outweigh all else
LEAST_SPREAD = 0.1
PREDICT_BATCH = 64


@dataclass(frozen=True)
class Scaling:
    """What of the training places is needed beside the weights; each an array of float64.

    Parameters
    ----------
    mean, factor : shape (66,)
        log(1 + count) less `mean`, times `factor`, is what the network sees; the factor is 0 for classes never seen.
    target : shape (4,)
        Mean, standard deviation, lowest and highest of the training values.
    d_max_km : shape (1,)
        The largest distance between images of one training place.
    """

    mean: np.ndarray
    factor: np.ndarray
    target: np.ndarray
    d_max_km: np.ndarray


class GraphCNN:
    """The network of Lee et al. (2021), "GCN", with object counts of each image as vertices.

    It is trained for a fixed number of epochs with Adam: surveyed clusters are too few to spare some for stopping early. In
    each epoch a place shows between 2 and 64 of its images. A predicted value is never outside the range of the training
    values. On CPU one seed gives the same bits, whatever the number of cores and the state of torch's global generator.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
    edges : str
        As `geolive.graphs.edges.parse_edges` reads it: "distance", "knn:8", "random:0.05".
    epochs, batch_size : int
    learning_rate : float
    progress : callable, optional
        Told the epoch and the loss in words.

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

    inputs = "object counts of each image (66), positions of images"

    def __init__(
        self,
        task: str = "regression",
        seed: int = 0,
        edges: str = "distance",
        epochs: int = 30,
        batch_size: int = 16,
        learning_rate: float = 1e-3,
        progress: Callable[[str], None] | None = None,
    ):
        if epochs < 1 or batch_size < 1 or not learning_rate > 0:
            raise InputError(
                f"gcn: epochs ({epochs}) and batch size ({batch_size}) must be at least 1, "
                f"and the learning rate ({learning_rate}) above 0"
            )
        self.task, self.seed, self.progress = task, seed, progress
        self._edges = parse_edges(edges)
        self.name = f"gcn-obj-{self._edges}"
        self.params = {
            "edges": str(self._edges),
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
        }
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network: GraphNetwork | None = None
        self._scaling: Scaling | None = None

    def fit(self, places: Places, values: np.ndarray) -> "GraphCNN":
        """Train on values, or on labels 0 and 1, of places that have images; shape (n,).

        Raises
        ------
        InputError
            A place has no images.
        """
        check_images(places, self.name)
        self._scaling = _scaling(places, values)
        generator = torch.Generator().manual_seed(self.seed)
        self._network = self._new_network(generator)
        optimizer = self._optimizer()
        targets = self._targets(values)
        self._network.train()
        with _one_thread():
            for epoch in range(self.params["epochs"]):
                loss = self._epoch(places, targets, optimizer, generator)
                if self.progress:
                    self.progress(f"{self.name}: epoch {epoch + 1} of {self.params['epochs']}, loss {loss:.3f}")
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Values of places, or the probability of label 1; shape (n,).

        Raises
        ------
        InputError
            A place has no images.
        """
        check_images(places, self.name)
        self._network.eval()
        found = np.zeros(len(places))
        with _one_thread(), torch.inference_mode():
            for batch in self._batches(places, _features(places.objects, self._scaling), PREDICT_BATCH):
                found[batch.rows] = self._answers(self._outputs(batch).double().cpu().numpy())
        return found

    def save(self, folder: Path) -> dict:
        """Write weights and scaling to `folder`; what comes back is needed to load them."""
        from safetensors.torch import save_file

        weights = {f"network.{name}": tensor.cpu().contiguous() for name, tensor in self._network.state_dict().items()}
        scaling = {f"scaling.{name}": torch.from_numpy(array) for name, array in asdict(self._scaling).items()}
        save_file(weights | scaling, Path(folder) / FILE)
        return {"task": self.task, "seed": self.seed, **self.params}

    @classmethod
    def load(cls, folder: Path, settings: dict) -> "GraphCNN":
        """Read what `save` wrote, with the settings that it gave back.

        Raises
        ------
        InputError
            The file is missing, cut short or not of this network, or the settings are not as `save` gives them.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = Path(folder) / FILE
        try:
            model = cls(**settings)
        except (TypeError, AttributeError):
            raise InputError(f"{path}: not settings of a gcn: {json.dumps(settings)}; train it again") from None
        try:
            tensors = load_file(path)
        except (OSError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{path}: cannot be read ({reason}); train it again") from None
        network = model._new_network(torch.Generator())
        expected = {f"network.{name}": tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        expected |= {"scaling.mean": (N_CLASSES,), "scaling.factor": (N_CLASSES,)}
        expected |= {"scaling.target": (4,), "scaling.d_max_km": (1,)}
        if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != expected:
            raise InputError(f"{path}: not the tensors of a {model.name} network; train it again")
        if not all(tensor.is_floating_point() and tensor.isfinite().all() for tensor in tensors.values()):
            raise InputError(f"{path}: holds numbers that are not finite; train it again")
        network.load_state_dict({name.removeprefix("network."): t for name, t in tensors.items() if "network." in name})
        model._network = network
        model._scaling = Scaling(*(tensors[f"scaling.{name}"].numpy() for name in Scaling.__dataclass_fields__))
        return model

    def _new_network(self, generator: torch.Generator) -> GraphNetwork:
        outputs = 1 if self.task == "regression" else 2
        return GraphNetwork(N_CLASSES, outputs, edge_types=1, generator=generator).to(self._device)

    def _optimizer(self) -> torch.optim.Optimizer:
        decayed, others = self._network.decayed()
        groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others}]
        return torch.optim.Adam(groups, lr=self.params["learning_rate"])

    def _targets(self, values: np.ndarray) -> torch.Tensor:
        values = np.asarray(values, float)
        if self.task == "classification":
            return torch.from_numpy(values.astype(np.int64)).to(self._device)
        mean, spread = self._scaling.target[:2]
        return torch.from_numpy(((values - mean) / spread).astype(np.float32)).to(self._device)

    def _epoch(
        self, places: Places, targets: torch.Tensor, optimizer: torch.optim.Optimizer, generator: torch.Generator
    ) -> float:
        """One pass over the places; the mean loss."""
        total = 0.0
        seen, _ = thin(places, FEWEST_SEEN, MOST_SEEN, generator)
        features = _features(seen.objects, self._scaling)
        for batch in self._batches(seen, features, self.params["batch_size"], generator):
            wanted, outputs = targets[torch.from_numpy(batch.rows)], self._outputs(batch)
            if self.task == "classification":
                loss = torch.nn.functional.cross_entropy(outputs, wanted)
            else:
                loss = torch.nn.functional.mse_loss(outputs[:, 0], wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch.rows)
        return total / len(places)

    def _batches(self, places: Places, features: np.ndarray, batch_size: int, generator: torch.Generator | None = None):
        d_max_km = float(self._scaling.d_max_km[0])
        options = {"batch_size": batch_size, "seed": self.seed, "generator": generator}
        return batches(places, features, self._edges, d_max_km, **options)

    def _outputs(self, batch: Batch) -> torch.Tensor:
        tensors = (batch.vertices, batch.adjacency, batch.mask)
        return self._network(*(tensor.to(self._device) for tensor in tensors))

    def _answers(self, outputs: np.ndarray) -> np.ndarray:
        if self.task == "classification":
            return 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1]))
        mean, spread, lowest, highest = self._scaling.target
        return np.clip(outputs[:, 0] * spread + mean, lowest, highest)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """So small a network gains little from more threads, and sums would depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _features(objects: np.ndarray, scaling: Scaling) -> np.ndarray:
    return ((np.log1p(objects, dtype=np.float32) - scaling.mean) * scaling.factor).astype(np.float32)


def _scaling(places: Places, values: np.ndarray) -> Scaling:
    logs = np.log1p(places.objects, dtype=np.float32)
    mean, spread = logs.mean(axis=0, dtype=np.float64), logs.std(axis=0, dtype=np.float64)
    factor = np.where(logs.any(axis=0), 1 / np.maximum(spread, LEAST_SPREAD), 0.0)
    values = np.asarray(values, float)
    target = np.array([values.mean(), values.std() or 1.0, values.min(), values.max()])
    return Scaling(mean, factor, target, np.array([largest_distance_km(places)]))
