"""What every network of photos has in common: vertices, targets, training, early stopping, search, weights in and out.

A photo is a vertex; its numbers are object counts, image features or both. One network may learn several indicators at once.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch import nn

from geolive.errors import InputError
from geolive.graphs.batches import Batch, largest_distance_km, subsample_images
from geolive.graphs.edges import parse_edges
from geolive.graphs.node_features import KINDS, VertexScaling, Vertices, fit_vertices
from geolive.models.inner_folds import inner_folds
from geolive.models.interface import Unconverted, check_images
from geolive.models.modality_scaling import balanced
from geolive.models.target_scaler import Targets
from geolive.models.trainer import Curve, Schedule, fit_network, one_thread
from geolive.places import Places

FILE = "model.safetensors"
WEIGHT_DECAY = 5e-4
# images of a place seen in one epoch, chosen anew each time: learning from small and large places alike, several times faster
FEWEST_SEEN, MOST_SEEN = 2, 64
PREDICT_BATCH = 64
HELD_OUT = 5
LEAST_HELD_OUT = 10
ROWS_AT_ONCE = 16_384
RATES, WIDTHS = (3e-4, 1e-3, 3e-3), (32, 64)
WORDS = {
    "obj": "object counts of each image (66)",
    "feats": "image features",
    "both": "image features, object counts (66)",
}


class PhotoSetModel(Unconverted):
    """A network from the photos of a place to its values; `GraphCNN` and `AttentionPooling` say which network.

    On CPU one seed gives the same bits, whatever the number of cores and the state of torch's global generator. In each epoch a
    place shows between 2 and 64 of its images. A predicted value is never outside the range of the training values.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
    vertices : {"obj", "feats", "both"}
        What a photo brings: object counts, image features (places must have some), or both.
    edges : str
        As `geolive.graphs.edges.parse_edges` reads it.
    epochs, batch_size : int
    learning_rate : float
    width : int
        Of the first layer; the others follow.
    patience : int
        With 0 training goes on for all epochs. Else a fifth of the places, near ones together, is held out, and training stops
        after so many epochs without a lower loss there; the weights of the lowest are kept.
    search : bool
        Try three learning rates and two widths first, each on the held-out part, and take the best: seven times the work.
    device : {"auto", "cpu", "cuda"}
    checkpoint : Path, optional
        See `geolive.models.trainer.fit_network`.
    progress : callable, optional
        Told the epoch and the loss in words.
    """

    arch = ""
    decay = False

    def __init__(
        self,
        task: str = "regression",
        seed: int = 0,
        edges: str = "distance",
        vertices: str = "obj",
        epochs: int = 30,
        batch_size: int = 16,
        learning_rate: float = 1e-3,
        width: int = 64,
        patience: int = 0,
        search: bool = False,
        device: str = "auto",
        checkpoint: Path | None = None,
        progress: Callable[[str], None] | None = None,
    ):
        if min(epochs, batch_size, width) < 1 or patience < 0 or not learning_rate > 0:
            raise InputError(
                f"{self.arch}: epochs ({epochs}), batch size ({batch_size}) and width ({width}) must be at least 1, "
                f"the learning rate ({learning_rate}) above 0, and patience ({patience}) not below"
            )
        if task not in ("regression", "classification"):
            raise InputError(f"task {task!r}: must be regression or classification")
        if vertices not in KINDS:
            raise InputError(f"--vertices {vertices!r}: no such vertices; choose {', '.join(KINDS)}")
        self.task, self.seed, self.progress = task, seed, progress
        self._edges = parse_edges(edges)
        self.vertices = vertices
        self.params = {
            "edges": str(self._edges),
            "vertices": vertices,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "width": width,
            "patience": patience,
            "search": bool(search),
        }
        self._device, self._checkpoint = find_device(device), checkpoint
        self.curve: Curve | None = None
        self._network: nn.Module | None = None
        self._scaling: VertexScaling | None = None
        self._targets: Targets | None = None
        self._d_max_km = 0.0

    @property
    def name(self) -> str:
        """Architecture, vertices and edges."""
        return f"{self.arch}-{self.vertices}-{self._edges}"

    @property
    def inputs(self) -> str:
        """What it looks at, in words."""
        return f"{WORDS[self.vertices]}, positions of images"

    def fit(
        self, places: Places, values: np.ndarray, validation: tuple[Places, np.ndarray] | None = None
    ) -> "PhotoSetModel":
        """Train on values, or on labels 0 and 1, of places that have images.

        Parameters
        ----------
        places : Places
        values : array of float, shape (n,) or (n, m)
            Of one indicator, or of m at once; NaN where a place has none.
        validation : tuple of Places and array, optional
            Places and values of one indicator that decide whose epoch's weights are kept, in place of a part of `places`.

        Raises
        ------
        InputError
            A place has no images, the vertices or edges ask for what there is not, or a checkpoint is of another training.
        """
        check_images(places, self.name)
        values = np.asarray(values, float)
        values = values[:, None] if values.ndim == 1 else values
        with one_thread():
            self._prepare(places, values)
            if self.params["search"]:
                self._search(places, values)
            self.curve = self._train(places, values, self._checkpoint, validation=validation)
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Values of places, or the probability of label 1; shape (n,), or (n, m) after training on m indicators.

        Raises
        ------
        InputError
            A place has no images, or other features than the training places.
        """
        check_images(places, self.name)
        found = self._targets_of(self._raw(places))
        return found[:, 0] if found.shape[1] == 1 else found

    def column(self, number: int) -> "PhotoSetModel":
        """A model of one of the indicators it was trained on, with the same weights."""
        import copy

        one = copy.copy(self)
        one.params = self.params | {"indicators": len(self._targets.table), "column": number}
        one.predict = lambda places: np.asarray(self.predict(places)).reshape(len(places), -1)[:, number]
        return one

    def unbounded(self) -> "PhotoSetModel":
        """The same model, whose values are not kept within the range of the training values: what changes a value shows."""
        import copy

        one = copy.copy(self)
        one._targets = self._targets.unbounded()
        return one

    # what a kind of network says

    def _new_network(self, features: int, outputs: int, generator: torch.Generator) -> nn.Module:
        raise NotImplementedError

    def _batches(
        self, places: Places, vertices: Vertices, batch_size: int, generator: torch.Generator | None
    ) -> Iterator[list[Batch]]:
        """Batches of the places, each in one or more blocks."""
        raise NotImplementedError

    def _forward(self, blocks: list[Batch]) -> torch.Tensor:
        """Outputs for the places of a batch, in the order of its blocks' rows, shape (b, m)."""
        raise NotImplementedError

    # training

    def _prepare(self, places: Places, values: np.ndarray) -> None:
        self._scaling = balanced(fit_vertices(places, self.vertices), places, values, self.seed)
        self._targets = Targets.of(values)
        self._d_max_km = largest_distance_km(places) if "distance" in self._edges.kinds else 0.0

    def _train(
        self, places: Places, values: np.ndarray, checkpoint: Path | None, held_out: bool = False, validation=None
    ) -> Curve:
        """Train a new network; `held_out`: with a validation part even where training is not stopped by it."""
        generator = torch.Generator().manual_seed(self.seed)
        network = self._new_network(len(self._scaling.mean), values.shape[1], generator)
        self._network = network.to(self._device)
        optimizer = self._optimizer()
        wanted = self._wanted(values)
        learn, test = np.arange(len(places)), None
        if validation is None and (self.params["patience"] or held_out):
            learn, test = _parts(places, self.seed)
        seen, seen_wanted = places.take(learn), wanted[torch.from_numpy(learn).to(self._device)]
        schedule = Schedule(self.params["epochs"], self.params["learning_rate"], self.params["patience"], self.decay)
        return fit_network(
            self._network,
            optimizer,
            generator,
            schedule,
            lambda: self._epoch(seen, seen_wanted, optimizer, generator),
            self._judge(validation if test is None else (places.take(test), values[test])),
            checkpoint=checkpoint,
            fingerprint="" if checkpoint is None else self._fingerprint(places, values),
            tell=self.progress and (lambda words: self.progress(f"{self.name}: {words}")),
        )

    def _judge(self, held_out: tuple[Places, np.ndarray] | None) -> Callable[[], float] | None:
        """What tells the loss at places that are not learnt from; None where there are none."""
        if held_out is None:
            return None
        places, values = held_out
        wanted = self._wanted(np.asarray(values, float).reshape(len(places), -1))
        return lambda: self._loss_at(places, wanted)

    def _search(self, places: Places, values: np.ndarray) -> None:
        """Set learning rate and width to those that do best on the held-out part."""
        tried = []
        for rate, width in product(RATES, WIDTHS):
            self.params |= {"learning_rate": rate, "width": width}
            curve = self._train(places, values, None, held_out=True)
            tried.append((min(curve.validation), rate, width))
            if self.progress:
                self.progress(f"{self.name}: learning rate {rate:g}, width {width}: {tried[-1][0]:.3f} held out")
        _, rate, width = min(tried)
        self.params |= {"learning_rate": rate, "width": width}

    def _optimizer(self) -> torch.optim.Optimizer:
        weights = [p for p in self._network.parameters() if p.ndim >= 2]
        others = [p for p in self._network.parameters() if p.ndim < 2]
        groups = [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": others}]
        return torch.optim.Adam(groups, lr=self.params["learning_rate"], fused=True)

    def _wanted(self, values: np.ndarray) -> torch.Tensor:
        wanted = values if self.task == "classification" else self._targets.standardised(values)
        return torch.from_numpy(wanted.astype(np.float32)).to(self._device)

    def _epoch(self, places, wanted, optimizer, generator) -> float:
        """One pass over the places; the mean loss."""
        total = 0.0
        seen, _ = subsample_images(places, FEWEST_SEEN, MOST_SEEN, generator)
        for blocks in self._batches(seen, self._scaling.of(seen), self.params["batch_size"], generator):
            rows = np.concatenate([block.rows for block in blocks])
            with self._precision():
                outputs = self._forward(blocks)
            loss = self._loss(outputs.float(), wanted[torch.from_numpy(rows).to(self._device)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        return total / len(places)

    def _loss(self, outputs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        known = wanted.isfinite()
        outputs, wanted = outputs[known], wanted[known]
        if not len(wanted):
            return outputs.sum()
        if self.task == "classification":
            return nn.functional.binary_cross_entropy_with_logits(outputs, wanted)
        return nn.functional.mse_loss(outputs, wanted)

    def _loss_at(self, places: Places, wanted: torch.Tensor) -> float:
        return self._loss(torch.from_numpy(self._raw(places)).float(), wanted.cpu()).item()

    def _raw(self, places: Places) -> np.ndarray:
        """Outputs of the network at places, shape (n, m)."""
        self._network.eval()
        found = np.zeros((len(places), len(self._targets.table)))
        with one_thread(), torch.inference_mode(), self._precision():
            for blocks in self._batches(places, self._scaling.of(places), PREDICT_BATCH, None):
                rows = np.concatenate([block.rows for block in blocks])
                found[rows] = self._forward(blocks).double().cpu().numpy()
        return found

    def _targets_of(self, outputs: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-outputs)) if self.task == "classification" else self._targets.in_units(outputs)

    def _precision(self) -> contextlib.AbstractContextManager:
        """bfloat16 where the GPU has it; on CPU float32, whose sums are the same everywhere."""
        if self._device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def _fingerprint(self, places: Places, values: np.ndarray) -> str:
        about = [self.arch, self.task, self.seed, self.params, self._device.type, torch.__version__, list(places.ids)]
        digest = hashlib.sha256(json.dumps(about, default=str).encode())
        for array in (values, places.objects, places.image_positions, places.offsets):
            digest.update(np.ascontiguousarray(array).data)
        n = len(places.image_positions) if self.vertices != "obj" else 0
        for start in range(0, n, ROWS_AT_ONCE):
            digest.update(places.features.read(np.arange(start, min(n, start + ROWS_AT_ONCE))).data)
        return digest.hexdigest()

    # weights in and out

    def save(self, folder: Path) -> dict:
        """Write weights and scaling to `folder`; what comes back is needed to load them."""
        from safetensors.torch import save_file

        save_file(self.tensors(), Path(folder) / FILE)
        return {"task": self.task, "seed": self.seed, **self.params}

    def tensors(self) -> dict[str, torch.Tensor]:
        """Weights and scaling by name."""
        weights = {f"network.{name}": tensor.cpu().contiguous() for name, tensor in self._network.state_dict().items()}
        numbers = {
            "mean": self._scaling.mean,
            "factor": self._scaling.factor,
            self.task: self._targets.table,
            "d_max_km": np.array([self._d_max_km]),
        }
        return weights | {f"scaling.{name}": torch.from_numpy(np.array(array)) for name, array in numbers.items()}

    @classmethod
    def load(cls, folder: Path, settings: dict) -> "PhotoSetModel":
        """Read what `save` wrote, with the settings that it gave back.

        Raises
        ------
        InputError
            The file is missing, cut short or not of this network, or the settings are not as `save` gives them.
        """
        path = Path(folder) / FILE
        settings = dict(settings)
        count, number = settings.pop("indicators", 1), settings.pop("column", None)
        try:
            model = cls(**settings)
            model.set_tensors(read_tensors(path), path, outputs=int(count))
        except InputError:
            raise
        except (TypeError, AttributeError, ValueError):
            raise InputError(f"{path}: not settings of a {cls.arch}: {json.dumps(settings)}; train it again") from None
        return model if number is None else model.column(int(number))

    def set_tensors(self, tensors: dict[str, torch.Tensor], path: Path, outputs: int) -> None:
        """Take weights and scaling; InputError where they are not those of such a network."""
        features = len(tensors["scaling.mean"]) if "scaling.mean" in tensors else 0
        network = self._new_network(max(features, 1), outputs, torch.Generator()).to(self._device)
        expected = {f"network.{name}": tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        expected |= {"scaling.mean": (features,), "scaling.factor": (features,)}
        expected |= {f"scaling.{self.task}": (outputs, 4), "scaling.d_max_km": (1,)}
        if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != expected:
            raise InputError(f"{path}: not the tensors of a {self.name} network; train it again")
        if not all(tensor.is_floating_point() and tensor.isfinite().all() for tensor in tensors.values()):
            raise InputError(f"{path}: holds numbers that are not finite; train it again")
        network.load_state_dict({name.removeprefix("network."): t for name, t in tensors.items() if "network." in name})
        self._network = network.eval()
        mean, factor, target, d_max_km = (
            tensors[f"scaling.{name}"].numpy() for name in ("mean", "factor", self.task, "d_max_km")
        )
        self._scaling, self._targets = VertexScaling(self.vertices, mean, factor), Targets(target)
        self._d_max_km = float(d_max_km[0])


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file; InputError where it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]}); train it again") from None


def find_device(name: str) -> torch.device:
    """The device of that name; "auto" is a GPU where there is one.

    Raises
    ------
    InputError
        There is no such device here.

    Examples
    --------
    >>> find_device("cpu")
    device(type='cpu')
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"--device {name!r}: must be auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device here; use --device cpu, or auto")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _parts(places: Places, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and a fifth to validate on: near places stay together."""
    folds = inner_folds(places.positions, HELD_OUT, seed)
    if len(places) < LEAST_HELD_OUT or folds.max() == 0:
        raise InputError(
            f"{len(places)} training places at {len(np.unique(folds))} positions are too few to hold some out for stopping early "
            "or for a search; use --patience 0, and no --search"
        )
    return np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
