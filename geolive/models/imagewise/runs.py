"""One training of an image-wise network on decoded photos."""

import copy
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from geolive.errors import InputError
from geolive.models.imagewise.cnn import PretrainedCNN
from geolive.models.imagewise.model import ImageWise
from geolive.models.imagewise.parts import TrainingRun
from geolive.models.imagewise.photo_cache import DecodedPhotos

if TYPE_CHECKING:
    import torch

    from geolive.models.imagewise.learner import TrainingSettings

# as in the authors' code
LEARNING_RATE = {"classification": 1e-3, "regression": 1e-4}
# settings that change the weights by rounding alone
HOW = ("device", "devices", "nodes", "workers", "bar")


class TrainedRun(NamedTuple):
    """What one training gives.

    Parameters
    ----------
    model : ImageWise
        With the weights of the epoch that the validation part chose.
    history : list of dict
        Figures of each epoch, see `geolive.models.imagewise.learner.TrainedWeights`.
    last : ImageWise
        The same with the weights of the last epoch.
    """

    model: ImageWise
    history: list[dict[str, float]]
    last: ImageWise


def train_run(
    run: TrainingRun,
    values: np.ndarray,
    cluster: np.ndarray,
    pixels: DecodedPhotos,
    start: PretrainedCNN,
    settings: "TrainingSettings",
    folder: Path,
    logs: Path | None = None,
    progress: Callable[[str], None] | None = None,
    pool: str = "mean",
) -> TrainedRun:
    """Train one network; the validation part of the run chooses the epoch.

    Parameters
    ----------
    run : TrainingRun
    values : array of float, shape (clusters,)
        Values of all clusters; only those of the run's clusters are used.
    cluster : array of int, shape (photos,)
        The cluster of each row of `pixels`.
    pixels : DecodedPhotos
    start : PretrainedCNN
        The network before training; it is not changed.
    settings : TrainingSettings
    folder : Path
        Folder of checkpoints; where it holds some, training continues from them.
    logs : Path, optional
        Folder for the scores of each epoch.
    progress : callable, optional
        Called with the epoch and its losses in words.
    pool : {"mean", "vote"}
        How the model pools photos.

    Returns
    -------
    TrainedRun

    Raises
    ------
    InputError
        A part of the run has no photo that can be used.
    """
    from geolive.models.imagewise.learner import TrainingPhotos, train_cnn

    target = _target(values[run.train], settings.task, start.network.tanh)
    train, validation = (usable(pixels, np.flatnonzero(np.isin(cluster, part))) for part in (run.train, run.validation))
    for part, rows in (("training", train), ("validation", validation)):
        if not len(rows):
            raise InputError(f"none of the photos of the {part} part can be used; add photos, or choose another split")
    targets = (values - target[0]) / target[1]
    photos = TrainingPhotos(pixels, start.preprocessing, train, validation, cluster, targets)

    def model_of(weights: dict[str, "torch.Tensor"] | None) -> ImageWise:
        network = copy.deepcopy(start.network)
        if weights is not None:
            network.load_state_dict(weights)
        return ImageWise.from_network(
            PretrainedCNN(network, start.arch, start.preprocessing, start.weights),
            task=settings.task,
            random_state=settings.random_state,
            pool=pool,
            target=target,
            training=_training_facts(start, settings),
        )

    if not settings.epochs:
        return TrainedRun(model_of(None), [], model_of(None))
    named = progress and (lambda words: progress(words if run.name == "model" else f"{run.name}: {words}"))
    network = copy.deepcopy(start.network)
    trained = train_cnn(network, photos, settings, folder, logs and logs / run.name, named)
    return TrainedRun(model_of(trained.best), trained.history, model_of(trained.last))


def _target(values: np.ndarray, task: str, tanh: bool) -> tuple[float, float]:
    """Return what training values are reduced and divided by: to mean 0 and variance 1, or into the range of tanh."""
    if task == "classification":
        return 0.0, 1.0
    if tanh:
        middle = (values.max() + values.min()) / 2
        return float(middle), float(values.max() - middle) or 1.0
    return float(values.mean()), float(values.std()) or 1.0


def _training_facts(start: PretrainedCNN, settings: "TrainingSettings") -> dict[str, Any]:
    """Return how a network is trained, as the card says it."""
    own = asdict(settings)
    facts = {name: own[name] for name in own if name not in ("task", "random_state", *HOW)}
    return facts | {
        "size": start.preprocessing.crop,
        "head": "tanh" if start.network.tanh else "linear",
        "weights": start.weights,
        "precision": settings.device.precision,
        "devices": settings.processes,
    }


def usable(pixels: DecodedPhotos, rows: np.ndarray) -> np.ndarray:
    """Return the rows whose photos could be decoded."""
    return rows[~np.isin(rows, list(pixels.failures))] if pixels.failures else rows
