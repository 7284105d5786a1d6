"""The network for few surveyed places: attention over photos, and lines on summaries of them, stacked."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from geolive.errors import InputError
from geolive.graphs.batches import largest_distance_km
from geolive.graphs.edges import check_k, parse_edges
from geolive.graphs.node_features import VertexScaling, fit_vertices
from geolive.models.attention import AttentionPooling
from geolive.models.inner_folds import inner_folds
from geolive.models.interface import Unconverted, check_images
from geolive.models.photoset_model import FILE, WORDS, read_tensors
from geolive.models.ridge import Ridge, combine, fit_ridge
from geolive.models.summaries import VIEWS, Summaries, fit_summaries
from geolive.models.target_scaler import Targets
from geolive.models.trainer import Curve, one_thread
from geolive.places import Places

INNER_FOLDS = 3
EDGES = "distance+knn:8"
HEADS = (*VIEWS, "attention")


class StackedNetwork(Unconverted):
    """Six answers, each to a way in which photos may tell of a place, and how far each is to be believed.

    Five are lines on summaries of a place's photos (`geolive.models.summaries`), the sixth is the mean of three networks with
    attention over photos. Each is asked for training places that it did not see, whole cells of near places left out; what
    it says there sets its weight. Where nothing is to be learnt, all weights are near 0 and the prediction is the mean.

    Parameters
    ----------
    task : {"regression", "classification"}
        Labels are learnt as numbers and clipped to [0, 1].
    seed : int
    edges : str
        Which photos are neighbours, as `geolive.graphs.edges.parse_edges` reads it.
    vertices : {"obj", "feats", "both"}
    device, checkpoint, progress, options
        For the networks: see `geolive.models.photoset_model.PhotoSetModel`.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("goa", seed=0)
    >>> places = dataset.cluster_places(dataset.clusters)
    >>> model = StackedNetwork(epochs=2).fit(places, dataset.clusters["pov"].to_numpy())
    >>> model.name, model.predict(places).shape == (len(places),)
    ('stacked-obj-distance+knn:8', True)
    """

    arch = kind = "stacked"
    takes_validation = False

    def __init__(
        self,
        task: str = "regression",
        seed: int = 0,
        edges: str = EDGES,
        vertices: str = "obj",
        device: str = "auto",
        checkpoint: Path | None = None,
        progress: Callable[[str], None] | None = None,
        **options,
    ):
        self.task, self.seed, self.vertices = task, seed, vertices
        self._edges, self._checkpoint, self.progress = parse_edges(edges), checkpoint, progress
        self._options = {"vertices": vertices, "device": device, **options}
        # checks the options, and fills in what was not given
        own = AttentionPooling(task, seed, **self._options).params
        self.params = own | {"edges": str(self._edges)}
        self._members: list[AttentionPooling] = []
        self._lines: list[dict[str, Ridge]] = []
        self._summaries: Summaries | None = None
        self._targets: Targets | None = None
        self._weights: np.ndarray | None = None
        # of the training places, by answers that did not see them; shape (n, m)
        self.left_out: np.ndarray | None = None

    @property
    def name(self) -> str:
        """Architecture, vertices and edges."""
        return f"{self.arch}-{self.vertices}-{self._edges}"

    @property
    def inputs(self) -> str:
        """What it looks at, in words."""
        return f"{WORDS[self.vertices]}, positions of images"

    @property
    def curve(self) -> list[Curve]:
        """The curves of its networks."""
        return [member.curve for member in self._members]

    @property
    def weights(self) -> list[dict[str, float]]:
        """How far each answer is believed, for each indicator."""
        return [dict(zip(HEADS, map(float, row), strict=True)) for row in self._weights]

    def fit(self, places: Places, values: np.ndarray) -> "StackedNetwork":
        """Train on values, or on labels 0 and 1, of places that have images; shape (n,) or (n, m), NaN where there is none.

        Raises
        ------
        InputError
            A place has no images, there are too few places to leave some out, or what vertices or edges ask for is not there.
        """
        check_images(places, self.name)
        if self.params["edges"] != EDGES:
            # nobody asked for the k of the default, and where places are so small it joins all their photos
            check_k(self._edges, int(places.n_images.max()), "the place with the most images has {n} of them")
        values = np.asarray(values, float)
        values = values[:, None] if values.ndim == 1 else values
        folds = inner_folds(places.positions, INNER_FOLDS, self.seed)
        self._targets = Targets.of(values)
        _check_folds(folds, values, self.name)
        with one_thread():
            scaling = fit_vertices(places, self.vertices)
            d_max_km = largest_distance_km(places) if "distance" in self._edges.kinds else 0.0
            self._summaries, views = fit_summaries(places, scaling, self._edges, d_max_km, self.seed)
        attention = self._fit_members(places, values, folds)
        self._lines, weights, self.left_out = [], [], np.full(values.shape, np.nan)
        for column in range(values.shape[1]):
            known = np.isfinite(values[:, column])
            y, fold = values[known, column], folds[known]
            fitted = {name: fit_ridge(view[known], y, fold) for name, view in views.items()}
            without = np.array([y[fold != f].mean() for f in range(fold.max() + 1)])[fold]
            said = [fitted[name][1] for name in VIEWS] + [attention[known, column]]
            apart = np.column_stack(said) - without[:, None]
            weights.append(combine(apart, y - without))
            self.left_out[known, column] = without + apart @ weights[-1]
            self._lines.append({name: line for name, (line, _) in fitted.items()})
        self._weights = np.array(weights)
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Values of places, or the probability of label 1; shape (n,), or (n, m) after training on m indicators.

        Raises
        ------
        InputError
            A place has no images, or other features than the training places.
        """
        check_images(places, self.name)
        with one_thread():
            views = self._summaries.of(places)
        attention = [_columns(member.predict(places), len(places)) - member.means for member in self._members]
        answers = np.empty((len(places), len(self._lines)))
        for column, lines in enumerate(self._lines):
            apart = [lines[name].predict(views[name]) - lines[name].mean for name in VIEWS]
            apart.append(np.mean([found[:, column] for found in attention], axis=0))
            mean, _, lowest, highest = self._targets.table[column]
            answers[:, column] = np.clip(mean + np.column_stack(apart) @ self._weights[column], lowest, highest)
        return answers[:, 0] if answers.shape[1] == 1 else answers

    def column(self, number: int) -> "StackedNetwork":
        """A model of one of the indicators it was trained on, with the same weights."""
        import copy

        one = copy.copy(self)
        one.params = self.params | {"indicators": len(self._lines), "column": number}
        one.predict = lambda places: _columns(self.predict(places), len(places))[:, number]
        return one

    def unbounded(self) -> "StackedNetwork":
        """The same model, whose values are not kept within the range of the training values: what changes a value shows."""
        import copy

        one = copy.copy(self)
        one._targets = self._targets.unbounded()
        one._members = [member.unbounded() for member in self._members]
        return one

    def _fit_members(self, places: Places, values: np.ndarray, folds: np.ndarray) -> np.ndarray:
        """A network for each fold, which did not see it; what it says there, shape (n, m)."""
        found, self._members = np.empty(values.shape), []
        for fold in range(folds.max() + 1):
            learn, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            file = self._checkpoint and self._checkpoint.with_name(f"{self._checkpoint.stem}-{fold}.safetensors")
            tell = self.progress and (
                lambda words, at=fold: self.progress(f"network {at + 1} of {INNER_FOLDS}: {words}")
            )
            member = _Member(self.task, self.seed + fold, checkpoint=file, progress=tell, **self._options)
            member.fit(places.take(learn), values[learn])
            found[test] = _columns(member.predict(places.take(test)), len(test))
            self._members.append(member)
        return found

    def save(self, folder: Path) -> dict:
        """Write weights and scaling to `folder`; what comes back is needed to load them."""
        from safetensors.torch import save_file

        scaling = self._summaries.scaling
        arrays = {f"summaries.{name}": array for name, array in self._summaries.arrays().items()}
        arrays |= {"scaling.mean": scaling.mean, "scaling.factor": scaling.factor, "targets": self._targets.table}
        arrays |= {"d_max_km": np.array([self._summaries.d_max_km]), "weights": self._weights}
        for column, lines in enumerate(self._lines):
            for name, line in lines.items():
                own = f"lines.{column}.{name}"
                arrays |= {
                    f"{own}.centre": line.centre,
                    f"{own}.weights": line.weights,
                    f"{own}.mean": np.array([line.mean]),
                }
        tensors = {name: torch.from_numpy(np.array(array, np.float64)) for name, array in arrays.items()}
        for number, member in enumerate(self._members):
            tensors |= {f"members.{number}.{name}": tensor for name, tensor in member.tensors().items()}
        save_file(tensors, Path(folder) / FILE)
        return {"task": self.task, "seed": self.seed, **self.params}

    @classmethod
    def load(cls, folder: Path, settings: dict) -> "StackedNetwork":
        """Read what `save` wrote, with the settings that it gave back.

        Raises
        ------
        InputError
            The file is missing, cut short or not of this model, or the settings are not as `save` gives them.
        """
        path, settings = Path(folder) / FILE, dict(settings)
        count, number = settings.pop("indicators", 1), settings.pop("column", None)
        try:
            model = cls(**settings)
            model._set_tensors(read_tensors(path), path, int(count))
        except InputError:
            raise
        except (TypeError, AttributeError, ValueError, KeyError, IndexError):
            raise InputError(f"{path}: not what train wrote, or not its settings; train it again") from None
        return model if number is None else model.column(int(number))

    def _set_tensors(self, tensors: dict[str, torch.Tensor], path: Path, outputs: int) -> None:
        if not all(tensor.is_floating_point() and tensor.isfinite().all() for tensor in tensors.values()):
            raise InputError(f"{path}: holds numbers that are not finite; train it again")
        arrays = {name: tensor.numpy() for name, tensor in tensors.items() if not name.startswith("members.")}
        scaling = VertexScaling(self.vertices, arrays["scaling.mean"], arrays["scaling.factor"])
        parts = {name.removeprefix("summaries."): array for name, array in arrays.items() if "summaries." in name}
        self._summaries = Summaries(scaling, self._edges, float(arrays["d_max_km"][0]), self.seed, **parts)
        self._targets, self._weights = Targets(arrays["targets"]), arrays["weights"]
        self._lines = [
            {
                name: Ridge(
                    arrays[f"lines.{column}.{name}.centre"],
                    arrays[f"lines.{column}.{name}.weights"],
                    float(arrays[f"lines.{column}.{name}.mean"][0]),
                )
                for name in VIEWS
            }
            for column in range(outputs)
        ]
        if self._weights.shape != (outputs, len(HEADS)) or self._targets.table.shape != (outputs, 4):
            raise InputError(f"{path}: not the tensors of a {self.name} network; train it again")
        self._members = []
        for number in range(1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("members."))):
            own = f"members.{number}."
            member = _Member(self.task, self.seed + number, **self._options)
            member.set_tensors({n.removeprefix(own): t for n, t in tensors.items() if n.startswith(own)}, path, outputs)
            self._members.append(member)


class _Member(AttentionPooling):
    """One of the networks; it tells the mean that it learnt from."""

    @property
    def means(self) -> np.ndarray:
        """Mean of the training values of each indicator."""
        return self._targets.table[:, 0]


def _columns(predicted: np.ndarray, n: int) -> np.ndarray:
    return np.asarray(predicted).reshape(n, -1)


def _check_folds(folds: np.ndarray, values: np.ndarray, name: str) -> None:
    number = folds.max() + 1
    for column in values.T:
        known = np.isfinite(column)
        if len(np.unique(folds[known])) < number or number < 2 or known.sum() < 2 * number:
            raise InputError(
                f"{name}: {int(known.sum())} places with a value are too few, or too near each other, to leave some out; "
                "use --arch gcn or attention, or a forest"
            )
