"""Image-wise models: a network predicts single photos, and the prediction of a place is the mean over its photos.

Source: Lee et al. 2021, "Image-wise learning". `geolive.models.imagewise.training` trains such models.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from geolive.dataset import Dataset
from geolive.engine.interface import Engine
from geolive.engine.local import LocalEngine
from geolive.errors import InputError
from geolive.models.imagewise.cnn import PhotoCNN, PretrainedCNN
from geolive.models.imagewise.photo_cache import DecodedPhotos
from geolive.models.interface import TASKS, Model, check_images
from geolive.models.network_weights import FILE, write_tensors
from geolive.models.pooling import POOLS, pool_photos
from geolive.places import Places
from geolive.vision.backbones import TRUNK, build_trunk
from geolive.vision.devices import Device, choose_workers
from geolive.vision.images import Batch, PhotoFiles, PhotoWork
from geolive.vision.preprocessing import Preprocessing
from geolive.vision.weights import load_trunk, read_state

HEAD = "head."
# the feature set that holds the network's predictions of single photos
FEATURES = "imagewise"
_AT_ONCE = 64
# so many batches are given to a worker of a cluster together
_BATCHES_A_PART = 16


class ImageWise(Model):
    """A network that predicts each photo of a place; the prediction of the place is the mean over its photos, or their vote.

    `geolive.models.imagewise.training.train_imagewise` trains it, because its samples are photos rather than places.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
    arch : str
        Architecture of the trunk, as `geolive.vision.backbones.build_trunk` knows it.
    pool : {"mean", "vote"}
        How photos make a place's prediction, see `geolive.models.pooling.pool_photos`.

    Attributes
    ----------
    network_ : PhotoCNN
    preprocessing_ : Preprocessing
    target_ : tuple of float
        Mean and standard deviation of the training clusters' values (with a tanh head the middle and half of their
        range); 0 and 1 in classification.
    training_ : dict
        How the network was trained, as JSON-able facts.

    Examples
    --------
    >>> from geolive.models.imagewise.cnn import load_pretrained
    >>> start = load_pretrained("regression", "resnet18", weights="none", size=32)
    >>> ImageWise.from_network(start).name
    'imagewise-resnet18'
    """

    kind = "imagewise"
    input_words = "photos, one by one"
    inputs = "features"

    def __init__(
        self, task: str = "regression", *, random_state: int = 0, arch: str = "resnet34", pool: str = "mean"
    ) -> None:
        super().__init__(task, random_state=random_state)
        self.arch = arch
        self.pool = pool

    @classmethod
    def from_network(
        cls,
        trained: PretrainedCNN,
        *,
        task: str = "regression",
        random_state: int = 0,
        pool: str = "mean",
        target: tuple[float, float] = (0.0, 1.0),
        training: dict[str, Any] | None = None,
    ) -> Self:
        """Make a fitted model with this network.

        Parameters
        ----------
        trained : PretrainedCNN
            The network, its architecture and its preprocessing.
        task, random_state, pool
            The parameters of the model.
        target : tuple of float
            What the network's outputs are multiplied by (second) and shifted by (first): mean and standard deviation of the
            training clusters' values; with a tanh head the middle and half of their range; 0 and 1 in classification.
        training : dict, optional
            How the network was trained, as JSON-able facts.
        """
        model = cls(task, random_state=random_state, arch=trained.arch, pool=pool)
        model.network_, model.preprocessing_ = trained.network, trained.preprocessing
        model.target_, model.training_ = target, dict(training or {})
        return model

    @property
    def name(self) -> str:
        """Name of the model in results."""
        return f"imagewise-{self.arch.removeprefix('timm:')}"

    @property
    def params(self) -> dict[str, Any]:
        """How the network was trained, and how photos are pooled."""
        return getattr(self, "training_", {"arch": self.arch}) | {"pool": self.pool}

    def fit(self, places: Places, values: np.ndarray) -> Self:
        """Raise: the network is trained on photos, which places do not have.

        Raises
        ------
        InputError
        """
        raise InputError(f"{self.name} is trained on photos; train it with train_imagewise(dataset, indicator)")

    def predict(self, places: Places) -> np.ndarray:
        """Predict values, or probabilities of label 1, shape (n,): photos are pooled by place, see `pool`.

        The network's predictions of single photos must be the image features of the places: take the places from the dataset
        that `predict_photos` returns, with the feature set `imagewise`.

        Raises
        ------
        InputError
            A place has no photos, or the photos were not predicted yet.
        sklearn.exceptions.NotFittedError
        """
        self.check_fitted()
        check_images(places, self.name)
        if places.features is None or places.features.name != FEATURES:
            raise InputError(
                f"{self.name} predicts photos; call predict_photos first, and take places from what it returns"
            )
        place = np.repeat(np.arange(len(places)), places.n_images)
        return pool_photos(places.features.read()[:, 0].astype(float), place, len(places), self.pool)

    def predict_pixels(self, pixels: torch.Tensor, device: Device) -> np.ndarray:
        """Predict values, or probabilities of label 1, of photos.

        Parameters
        ----------
        pixels : tensor of uint8, shape (n, 3, crop, crop)
        device : Device
            Where the network is, see `on`.

        Returns
        -------
        array of float, shape (n,)
        """
        inputs = self.preprocessing_.normalise(device.pixels(pixels))
        outputs = device.run(self.network_, inputs).double().cpu().numpy()
        if self.task == "classification":
            return 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1]))
        return outputs[:, 0] * self.target_[1] + self.target_[0]

    def on(self, device: Device) -> Self:
        """Move the network to a device, to predict photos there."""
        self.check_fitted()
        device.place(self.network_).eval()
        return self

    def predict_photos(
        self,
        dataset: Dataset,
        files: PhotoFiles,
        rows: np.ndarray,
        device: Device,
        workers: int | None = None,
        progress: Callable[[str], None] | None = None,
        engine: Engine | None = None,
    ) -> Dataset:
        """Predict single photos, so that `predict` can predict the places of the dataset.

        Parameters
        ----------
        dataset : Dataset
        files : PhotoFiles
            The dataset's photos.
        rows : array of int
            Rows of the images to predict.
        device : Device
        workers : int, optional
            Processes that decode photos.
        progress : callable, optional
        engine : Engine, optional
            Where photos are predicted; by default in this process, with equal results.

        Returns
        -------
        Dataset
            A copy with the feature set `imagewise`, float32, shape (images, 1): the prediction of each photo, and NaN where a
            photo was not predicted or cannot be used. The prediction of a panorama is the mean over its four views.

        Raises
        ------
        InputError
            None of these photos can be used.
        """
        self.on(device)
        chosen, rows = engine or LocalEngine(), np.asarray(rows, np.int64)
        n_workers = 0 if chosen.name != "local" and device.name == "cpu" else choose_workers(workers, device)
        rows_of = partial(self._photo_rows, device)
        photos = PhotoWork(
            files.take([]), self.preprocessing_.prepare, self.preprocessing_.size, rows_of, _AT_ONCE, n_workers,
            device=device.name,
        )  # fmt: skip
        # in this process photos are decoded ahead without a stop
        most = len(rows) if chosen.name == "local" else _AT_ONCE * _BATCHES_A_PART
        parts = [rows[start : start + most] for start in range(0, len(rows), max(1, most))]
        predictions = np.full((len(dataset.images), 1), np.nan, np.float32)
        reasons: dict[int, str] = {}
        seen = 0

        def said(n: int) -> None:
            nonlocal seen
            seen += n
            if progress:
                progress(f"predicted {seen:,} of {len(rows):,} photos")

        make = partial(_photo_predictor, photos, said if chosen.name == "local" else None)
        found = chosen.map_partitions(make, [files.take(part) for part in parts], device=device.name)
        for number, (values, failures) in found:
            predictions[parts[number], 0] = values
            reasons |= {int(parts[number][row]): why for row, why in failures.items()}
            if chosen.name != "local":
                said(len(parts[number]))
        if len(reasons) == len(rows):
            why = next(iter(reasons.values()), "there is none")
            raise InputError(
                f"{dataset.name}: none of {len(rows):,} photos can be used: {why}; name their folder, photos=FOLDER"
            )
        return dataset.with_features(FEATURES, predictions)

    def _photo_rows(self, device: Device, batch: Batch) -> tuple[np.ndarray, dict[int, str]]:
        """The predictions of the photos of a batch, NaN where a photo cannot be used, and why."""
        values = np.full(len(batch.rows), np.nan, np.float32)
        if len(batch.pixels):
            image, of_view = batch.image.numpy(), self.predict_pixels(batch.pixels, device)
            views = np.bincount(image, minlength=len(batch.rows))
            total = np.bincount(image, of_view, minlength=len(batch.rows))
            values[views > 0] = total[views > 0] / views[views > 0]
        return values, batch.failures

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the weights to `folder`; `load` needs the settings that come back."""
        self.check_fitted()
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self.network_.state_dict().items()}
        write_tensors(state, folder)
        return {
            "task": self.task,
            "random_state": self.random_state,
            "arch": self.arch,
            "pool": self.pool,
            "preprocessing": self.preprocessing_.as_json(),
            "target": list(self.target_),
            "tanh": self.network_.tanh,
            "training": self.training_,
        }

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> Self:
        """Read the model that `save` wrote, with the returned settings.

        Raises
        ------
        InputError
            The file is missing, cut short or not of this network, or the settings are not those of `save`.
        """
        path = Path(folder) / FILE
        try:
            task, seed, arch, pool, tanh = (settings[name] for name in ("task", "random_state", "arch", "pool", "tanh"))
            (mean, spread), training = map(float, settings["target"]), dict(settings["training"])
            sound = task in TASKS and pool in POOLS and math.isfinite(mean) and math.isfinite(spread)
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            raise InputError(f"{path}: not settings of an image-wise model; train it again")
        preprocessing = Preprocessing.from_json(settings["preprocessing"], f"{folder}/card.json")
        trunk, _ = build_trunk(str(arch))
        state = read_state(path)
        heads = {name.removeprefix(HEAD): value for name, value in state.items() if name.startswith(HEAD)}
        if set(heads) != {"weight", "bias"} or heads["weight"].ndim != 2:
            raise InputError(f"{path}: not the tensors of an image-wise model; train it again")
        network = PhotoCNN(trunk, heads["weight"].shape[1], task, bool(tanh))
        load_trunk(
            network.trunk, {k.removeprefix(TRUNK): v for k, v in state.items() if k.startswith(TRUNK)}, (), str(path)
        )
        load_trunk(network.head, heads, (), str(path))
        if not all(tensor.isfinite().all() for tensor in state.values()):
            raise InputError(f"{path}: holds numbers that are not finite; train it again")
        network.eval()
        loaded = PretrainedCNN(network, str(arch), preprocessing, {})
        return cls.from_network(
            loaded, task=task, random_state=int(seed), pool=pool, target=(mean, spread), training=training
        )


def _photo_predictor(
    photos: PhotoWork, said: Callable[[int], None] | None
) -> Callable[[PhotoFiles], tuple[np.ndarray, dict[int, str]]]:
    """Make the function of a worker, which predicts the photos of some files."""

    def predict(files: PhotoFiles) -> tuple[np.ndarray, dict[int, str]]:
        values: list[np.ndarray] = []
        failures: dict[int, str] = {}
        for some, why in replace(photos, files=files).results(np.arange(len(files))):
            values.append(some)
            failures |= why
            if said is not None:
                said(len(some))
        return np.concatenate([np.zeros(0, np.float32), *values]), failures

    return predict


def predict_decoded(model: ImageWise, pixels: DecodedPhotos, rows: np.ndarray, device: Device) -> np.ndarray:
    """Predict decoded photos by their row numbers, shape (rows,)."""
    model.on(device)
    parts = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
    return np.concatenate([np.zeros(0), *(model.predict_pixels(pixels.read(part), device) for part in parts)])
