"""The base class of all networks of photos: their parameters, and the device that they run on."""

import copy
import json
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from geolive.errors import InputError
from geolive.model_inputs import canonical_inputs, parse_inputs, photo_inputs, short_name
from geolive.models.covariate_inputs import checked_names, covariate_words, covariates_as_trained, training_covariates
from geolive.models.interface import Model, check_choice, check_images, check_integer, check_positive
from geolive.models.network_weights import read_tensors, write_tensors
from geolive.models.target_scaler import TargetScaler
from geolive.places import Places

DEVICES = ("auto", "cpu", "cuda")
_WORDS = {
    "features": "image features",
    "objects": "object counts of each image (66)",
}


class NetworkModel(Model):
    """A network of the photos of a place; `GraphCNN`, `AttentionPooling` and `StackedNetwork` say which network.

    On CPU one seed gives the same weights, bit for bit, whatever the number of cores and the state of torch's global generator.
    A predicted value is never outside the range of the training values.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
    inputs : str
        What the network uses, separated by commas: objects (object counts), features (image features), or both, and covariates,
        which join the pooled photos of a place.
    epochs : int
        Passes over the training places, at most.
    iterations : int, optional
        Steps of the optimiser, at most, in place of `epochs`.
    batch_size : int
        Places in one step of the optimiser.
    learning_rate : float
    width : int
        Width of the first layer; the widths of the others follow from it.
    patience : int
        With 0 training runs for all epochs. Else a fifth of the places, near ones together, is held out, and training stops
        after this many epochs without a lower loss there; the weights with the lowest loss are kept.
    search : bool
        Whether to first try three learning rates and two widths on the held-out part and take the best: seven times the work.
    device : {"auto", "cpu", "cuda"}
        "auto" takes a CUDA device where there is one.
    checkpoints : Path, optional
        Folder in which each fit keeps its state in a file of its own, so that a fit that was stopped continues when it
        is called again with the same data and parameters.
    """

    arch = ""
    takes_progress = True
    inputs: str
    targets_: TargetScaler
    # which of the indicators that the network was trained on this model predicts; None: all
    column_: int | None = None

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
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
        super().__init__(task, random_state=random_state)
        self.inputs = inputs
        self.epochs = epochs
        self.iterations = iterations
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.width = width
        self.patience = patience
        self.search = search
        self.device = device
        self.checkpoints = checkpoints

    @property
    def name(self) -> str:
        """Architecture and inputs."""
        return f"{self.arch}-{short_name(self.inputs)}"

    @property
    def input_words(self) -> str:  # type: ignore[override]
        """What the network uses, in words."""
        words = [text for name, text in _WORDS.items() if name in parse_inputs(self.inputs)]
        return ", ".join([*words, "positions of images", *covariate_words(self)])

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that decide the weights."""
        params = {
            "inputs": canonical_inputs(self.inputs),
            **({"epochs": self.epochs} if self.iterations is None else {"iterations": self.iterations}),
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "width": self.width,
            "patience": self.patience,
            "search": bool(self.search),
        }
        if self.column_ is not None:
            params |= {"indicators": len(self.targets_.table), "column": self.column_}
        return params

    def check_parameters(self) -> None:
        """Raise where a parameter has a value that the network cannot use."""
        super().check_parameters()
        for name in ("epochs", "batch_size", "width"):
            check_integer(name, getattr(self, name), 1)
        if self.iterations is not None:
            check_integer("iterations", self.iterations, 1)
        check_integer("patience", self.patience, 0)
        check_positive("learning_rate", self.learning_rate)
        check_choice("device", self.device, DEVICES)
        torch_device(self.device)
        if not photo_inputs(self.inputs):
            raise InputError(
                f"inputs={self.inputs!r}: a network of photos needs objects or features beside covariates; for covariates alone "
                "use kriging-covariates, ridge or forest",
                parameter="inputs",
            )

    def _check_training_places(self, places: Places) -> None:
        """Raise where a training place lacks an image or a covariate, and keep the names of covariates."""
        check_images(places, self.name)
        self.covariate_names_: tuple[str, ...] = ()
        if self.uses("covariates"):
            training_covariates(places, self.name)
            self.covariate_names_ = places.covariate_names

    def predict(self, places: Places) -> np.ndarray:
        """Predict values, or probabilities of label 1: shape (n,), or (n, m) after training on m indicators.

        A place that lacks a covariate gets NaN.

        Raises
        ------
        InputError
            A place has no images, or other features than the training places.
        sklearn.exceptions.NotFittedError
        """
        self.check_fitted()
        check_images(places, self.name)
        known = np.arange(len(places))
        if self.uses("covariates"):
            known = np.flatnonzero(
                np.isfinite(covariates_as_trained(places, self.covariate_names_, self.name)).all(axis=1)
            )
        predictions = np.full((len(places), len(self.targets_.table)), np.nan)
        if len(known):
            predictions[known] = self._predict_all(places if len(known) == len(places) else places.take(known))
        if self.column_ is not None:
            return predictions[:, self.column_]
        return predictions[:, 0] if predictions.shape[1] == 1 else predictions

    def _predict_all(self, places: Places) -> np.ndarray:
        """Predict all indicators, shape (n, m)."""
        raise NotImplementedError

    def save(self, folder: Path) -> dict[str, Any]:
        """Write weights and scaling to `folder`; `load` needs the returned settings."""
        self.check_fitted()
        write_tensors(self.tensors(), folder)
        names = {"covariate_names": list(self.covariate_names_)} if self.uses("covariates") else {}
        return {"task": self.task, "random_state": self.random_state, **self.params, **names}

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> Self:
        """Read the model that `save` wrote, with the returned settings.

        Raises
        ------
        InputError
            The file is missing, cut short or not of this network, or the settings are not those of `save`.
        """
        settings, (tensors, path) = dict(settings), read_tensors(folder)
        count, number = settings.pop("indicators", 1), settings.pop("column", None)
        names = settings.pop("covariate_names", ())
        try:
            model = cls(**settings)
            model.covariate_names_ = checked_names(names) if model.uses("covariates") else ()
            model.set_tensors(tensors, path, outputs=int(count))
        except InputError:
            raise
        except (TypeError, AttributeError, ValueError, KeyError, IndexError):
            raise InputError(
                f"{path}: does not fit the settings of a {cls.arch}: {json.dumps(settings)}; train it again"
            ) from None
        return model if number is None else model.column(int(number))

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return weights and scaling by name."""
        raise NotImplementedError

    def set_tensors(self, tensors: dict[str, torch.Tensor], path: Path, outputs: int) -> None:
        """Take weights and scaling from tensors; `path` is the file that errors name.

        Raises
        ------
        InputError
            They are not the tensors of a network with these parameters.
        """
        raise NotImplementedError

    def column(self, number: int) -> Self:
        """Return the model of one of the indicators that the network was trained on, with the same weights."""
        self.check_fitted()
        one = copy.copy(self)
        one.column_ = number
        return one

    def unbounded(self) -> Self:
        """Return the same model, whose predictions may leave the range of the training values."""
        self.check_fitted()
        free = copy.copy(self)
        free.targets_ = self.targets_.unbounded()
        return free


def torch_device(name: str) -> torch.device:
    """Return the torch device with this name; "auto" is a CUDA device where there is one.

    Raises
    ------
    InputError
        There is no CUDA device.

    Examples
    --------
    >>> torch_device("cpu")
    device(type='cpu')
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device='cuda': torch finds no CUDA device here; choose 'cpu' or 'auto'", parameter="device")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
