"""The image-wise network as a model that is trained on the clusters of each fold, with photos that are decoded once."""

import copy
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.extras import require_extra
from geolive.models.imagewise.cnn import PretrainedCNN
from geolive.models.imagewise.model import predict_decoded
from geolive.models.imagewise.parts import VALIDATION_FOLDS, TrainingRun, photos_by_cluster
from geolive.models.imagewise.photo_cache import DecodedPhotos, decode_photos
from geolive.models.imagewise.runs import LEARNING_RATE, train_run, usable
from geolive.models.inner_folds import inner_folds
from geolive.models.interface import Model, check_integer, check_positive
from geolive.models.pooling import check_pool, pool_photos
from geolive.models.trainer import Curve
from geolive.places import Places
from geolive.vision.devices import choose_device, choose_workers
from geolive.vision.images import PhotoFiles
from geolive.vision.preprocessing import Preprocessing


@dataclass(frozen=True)
class PhotoLibrary:
    """The decoded photos of a dataset's clusters.

    Parameters
    ----------
    ids : array of str, shape (clusters,)
        Names of the clusters that have a photo that can be used.
    cluster : array of int, shape (photos,)
        The cluster of each row of `pixels`, -1 for a photo that cannot be used.
    pixels : DecodedPhotos

    Examples
    --------
    >>> library = PhotoLibrary(np.array(["a", "b"]), np.array([0, 1, 1]), DecodedPhotos(Path("array.npy"), 32))
    >>> library.numbers(np.array(["b", "a"]))
    array([1, 0])
    """

    ids: np.ndarray
    cluster: np.ndarray
    pixels: DecodedPhotos

    def numbers(self, ids: np.ndarray) -> np.ndarray:
        """Return the numbers of clusters by their names.

        Raises
        ------
        InputError
            A cluster has no photo that can be used.
        """
        known = {name: number for number, name in enumerate(self.ids)}
        try:
            return np.array([known[name] for name in ids], np.int64)
        except KeyError as error:
            raise InputError(f"cluster {str(error.args[0])!r} has no photo that can be used") from None


def decode_library(
    dataset: Dataset,
    files: PhotoFiles,
    preprocessing: Preprocessing,
    folder: Path,
    progress: Callable[[str], None] | None = None,
) -> PhotoLibrary:
    """Decode the photos of all clusters, at most 200 of each; a call after an interruption continues the work.

    Parameters
    ----------
    dataset : Dataset
    files : PhotoFiles
        The dataset's photos.
    preprocessing : Preprocessing
        Preprocessing of the network that will use them.
    folder : Path
        Folder of the decoded photos.
    progress : callable, optional

    Raises
    ------
    InputError
        No cluster has a photo that can be used, or the disk is too small.
    """
    places = photos_by_cluster(dataset, files, dataset.clusters)
    if not places.n_images.any():
        raise InputError(f"{dataset.name}: none of its clusters has a photo; add photos")
    made_by = {"images": dataset.checksum, "photos": files.place}
    workers = choose_workers(None, choose_device())
    if places.image_rows is None:
        raise TypeError("places of a dataset know their images")
    pixels = decode_photos(files, places.image_rows, preprocessing, folder, made_by, workers, progress)
    cluster = np.repeat(np.arange(len(places)), places.n_images)
    rows = usable(pixels, np.arange(len(cluster)))
    kept = np.unique(cluster[rows])
    numbers = np.full(len(cluster), -1)
    numbers[rows] = np.searchsorted(kept, cluster[rows])
    return PhotoLibrary(places.ids[kept], numbers, pixels)


class TrainedInFolds(Model):
    """A network trained on photos, one by one: `fit` trains it on the photos of the places that it is given.

    Each photo has the value of its cluster, and the prediction of a place pools its photos (Lee et al. 2021). An
    eighth of the training places, near ones together, chooses the epoch; under the authors' protocol the fold that is predicted
    does.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
    library : PhotoLibrary
        Decoded photos of all places that will be fitted or predicted.
    load_network : callable
        Takes the task and returns the network before training, a `PretrainedCNN`.
    epochs, batch_size : int
    learning_rate : float, optional
        The highest learning rate; by default 1e-3 in classification and 1e-4 in regression.
    pool : {"mean", "vote"}
        How photos make a place's prediction, see `geolive.models.pooling.pool_photos`.
    device : str
        As `geolive.vision.devices.choose_device` takes it.

    Attributes
    ----------
    model_ : ImageWise
        The trained network.
    last_model_ : ImageWise
        The network with the weights of the last epoch.
    curve_ : Curve
        Losses of the training.
    """

    kind = "imagewise-trained"
    input_words = "photos, one by one"
    takes_validation = True

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        library: PhotoLibrary,
        load_network: Callable[[str], PretrainedCNN],
        epochs: int = 10,
        batch_size: int = 256,
        learning_rate: float | None = None,
        pool: str = "mean",
        device: str = "auto",
    ) -> None:
        super().__init__(task, random_state=random_state)
        self.library = library
        self.load_network = load_network
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.pool = pool
        self.device = device

    @property
    def name(self) -> str:
        """Name of the model in results."""
        return f"imagewise-{self._start.arch.removeprefix('timm:')}"

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that decide the weights."""
        return {
            "arch": self._start.arch,
            "weights": self._start.weights,
            "size": self._start.preprocessing.crop,
            "head": "tanh" if self._start.network.tanh else "linear",
            "pool": self.pool,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate or LEARNING_RATE[self.task],
        }

    @property
    def curves(self) -> list[Curve]:
        """The learning curve of the network, in a list of one."""
        return [self.curve_] if hasattr(self, "curve_") else []

    @property
    def _start(self) -> PretrainedCNN:
        """The network before training, loaded once for each task."""
        kept = self.__dict__.get("_loaded")
        if kept is None or kept[0] != self.task:
            kept = self._loaded = (self.task, self.load_network(self.task))
        return kept[1]

    def check_parameters(self) -> None:
        """Raise where a parameter has a value that the network cannot use."""
        super().check_parameters()
        check_pool(self.pool, self.task)
        check_integer("epochs", self.epochs, 1)
        check_integer("batch_size", self.batch_size, 2)
        if self.learning_rate is not None:
            check_positive("learning_rate", self.learning_rate)

    def fit(self, places: Places, values: np.ndarray, *, validation: tuple[Places, np.ndarray] | None = None) -> Self:
        """Train a network on the photos of places.

        Parameters
        ----------
        places : Places
        values : array of float, shape (n,)
        validation : tuple of Places and array, optional
            Places and values that choose the epoch, in place of a part of `places`.

        Raises
        ------
        InputError
            A place has no photo, there are too few places to hold some out, or Lightning is not installed.
        """
        self.check_parameters()
        require_extra("imagewise")
        from geolive.models.imagewise.learner import TrainingSettings

        learn, targets = self.library.numbers(places.ids), np.full(len(self.library.ids), np.nan)
        targets[learn] = values
        if validation is None:
            is_held_out = inner_folds(places.positions, VALIDATION_FOLDS, self.random_state) == 0
            learn, held_out = learn[~is_held_out], learn[is_held_out]
        else:
            held_out = self.library.numbers(validation[0].ids)
            targets[held_out] = validation[1]
        settings = TrainingSettings(
            self.task,
            self.random_state,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate or LEARNING_RATE[self.task],
            device=choose_device(self.device),
        )
        run = TrainingRun("fold", learn, held_out, held_out[:0])
        with tempfile.TemporaryDirectory() as folder:
            photos = (self.library.cluster, self.library.pixels)
            self.model_, history, self.last_model_ = train_run(
                run, targets, *photos, self._start, settings, Path(folder)
            )
        train, held = ([epoch[name] for epoch in history] for name in ("train_loss", "val_loss"))
        self.curve_ = Curve(train, held, best=1 + int(np.argmin(held)))
        return self

    def last_checkpoint(self) -> Self:
        """Return the same model with the weights of its last epoch."""
        self.check_fitted()
        last = copy.copy(self)
        last.model_ = self.last_model_
        return last

    def predict(self, places: Places) -> np.ndarray:
        """Predict values, or probabilities of label 1, shape (n,): photos are pooled by place, see `pool`."""
        numbers, (cluster, predictions) = self.library.numbers(places.ids), self._predict_photos(places)
        return pool_photos(predictions, cluster, len(self.library.ids), self.pool)[numbers]

    def predict_images(self, places: Places) -> tuple[np.ndarray, np.ndarray]:
        """Predict single photos: the row of each photo's place, and the photo's prediction, both of shape (photos,)."""
        cluster, predictions = self._predict_photos(places)
        row = np.empty(len(self.library.ids), np.int64)
        row[self.library.numbers(places.ids)] = np.arange(len(places))
        return row[cluster], predictions

    def _predict_photos(self, places: Places) -> tuple[np.ndarray, np.ndarray]:
        """Predict the photos of places: the number of each photo's cluster in the library, and its prediction."""
        self.check_fitted()
        rows = np.flatnonzero(np.isin(self.library.cluster, self.library.numbers(places.ids)))
        predictions = predict_decoded(self.model_, self.library.pixels, rows, choose_device(self.device))
        return self.library.cluster[rows], predictions
