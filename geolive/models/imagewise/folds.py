"""The image-wise network as a model that is trained anew on each fold's clusters, from photos that are decoded once."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.models.imagewise.model import ImageWise, Pretrained, answers_of_pixels
from geolive.models.imagewise.photo_cache import Pixels, decode
from geolive.models.imagewise.training import (
    LEARNING_RATE,
    VALIDATION_FOLDS,
    Run,
    check_lightning,
    photos_by_cluster,
    train_run,
    usable,
)
from geolive.models.inner_folds import inner_folds
from geolive.models.interface import Unconverted
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
        Of the clusters that have a photo which can be used.
    cluster : array of int, shape (photos,)
        The cluster of each row of `pixels`, -1 for a photo that cannot be used.
    pixels : Pixels

    Examples
    --------
    >>> library = PhotoLibrary(np.array(["a", "b"]), np.array([0, 1, 1]), Pixels(Path("array.npy"), 32))
    >>> library.numbers(np.array(["b", "a"]))
    array([1, 0])
    """

    ids: np.ndarray
    cluster: np.ndarray
    pixels: Pixels

    def numbers(self, ids: np.ndarray) -> np.ndarray:
        """The clusters of these names, by number.

        Raises
        ------
        InputError
            One of them has no photo.
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
    """Decode the photos of all clusters, at most 200 each; killed and called again it goes on.

    Parameters
    ----------
    dataset : Dataset
    files : PhotoFiles
        Its photos.
    preprocessing : Preprocessing
        Of the network that is to look at them.
    folder : Path
        Where to put them.
    progress : callable, optional

    Raises
    ------
    InputError
        No cluster has a photo that can be used, or the disk is too small.
    """
    places = photos_by_cluster(dataset, files, dataset.clusters)
    if not places.n_images.any():
        raise InputError(f"{dataset.name}: none of its clusters has a photo; add photos")
    made_by = {"images": dataset.checksum, "photos": str(Path(files.root).resolve())}
    workers = choose_workers(None, choose_device())
    pixels = decode(files, places.image_rows, preprocessing, folder, made_by, workers, progress)
    cluster = np.repeat(np.arange(len(places)), places.n_images)
    rows = usable(pixels, np.arange(len(cluster)))
    kept = np.unique(cluster[rows])
    numbers = np.full(len(cluster), -1)
    numbers[rows] = np.searchsorted(kept, cluster[rows])
    return PhotoLibrary(places.ids[kept], numbers, pixels)


class TrainedInFolds(Unconverted):
    """Lee et al.'s image-wise learning as a model: fitting trains the network on the photos of the places it is given.

    Every photo has its cluster's value, and a place's prediction is the mean over its photos. An eighth of the training
    places, near ones together, chooses the epoch; under the authors' protocol the fold that is predicted.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
    library : PhotoLibrary
        Holds the photos of all places that will be asked for.
    load : callable
        Given the task, makes the `Pretrained`: network, preprocessing and where its weights are from.
    epochs, batch_size : int
    learning_rate : float, optional
        The highest; by default the authors', 1e-3 and 1e-4 in regression.
    device : str
        As `geolive.vision.devices.choose_device` takes it.
    """

    inputs = "photos, one by one"

    def __init__(
        self,
        task: str = "regression",
        seed: int = 0,
        *,
        library: PhotoLibrary,
        load: Callable[[str], Pretrained],
        epochs: int = 10,
        batch_size: int = 256,
        learning_rate: float | None = None,
        device: str = "auto",
    ) -> None:
        self.task, self.seed = task, seed
        self._library, self._pretrained, self._device = library, load(task), choose_device(device)
        self.name = f"imagewise-{self._pretrained.arch.removeprefix('timm:')}"
        self.params = {
            "arch": self._pretrained.arch,
            "weights": self._pretrained.weights,
            "size": self._pretrained.preprocessing.crop,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate or LEARNING_RATE[task],
        }
        self.curve: Curve | None = None
        self._model: ImageWise | None = None

    def fit(
        self, places: Places, values: np.ndarray, validation: tuple[Places, np.ndarray] | None = None
    ) -> "TrainedInFolds":
        """Train a network on these places' photos.

        Parameters
        ----------
        places : Places
        values : array of float, shape (n,)
        validation : tuple of Places and array, optional
            What chooses the epoch, in place of a part of `places`.

        Raises
        ------
        InputError
            A place has no photo, there are too few places to hold some out, or Lightning is missing.
        """
        check_lightning()
        from geolive.models.imagewise.learner import Settings

        learn, wanted = self._library.numbers(places.ids), np.full(len(self._library.ids), np.nan)
        wanted[learn] = values
        if validation is None:
            apart = inner_folds(places.positions, VALIDATION_FOLDS, self.seed) == 0
            learn, held_out = learn[~apart], learn[apart]
        else:
            held_out = self._library.numbers(validation[0].ids)
            wanted[held_out] = validation[1]
        names = ("epochs", "batch_size", "learning_rate")
        settings = Settings(self.task, self.seed, **{n: self.params[n] for n in names}, device=self._device)
        run = Run("fold", learn, held_out, held_out[:0])
        with tempfile.TemporaryDirectory() as folder:
            photos = (self._library.cluster, self._library.pixels)
            self._model, history = train_run(run, wanted, *photos, self._pretrained, settings, Path(folder))
        losses = [[epoch[name] for epoch in history] for name in ("train_loss", "val_loss")]
        self.curve = Curve(*losses, best=1 + int(np.argmin(losses[1])))
        return self

    def predict(self, places: Places) -> np.ndarray:
        """The mean over each place's photos, shape (n,); in classification of the probability of label 1."""
        numbers = self._library.numbers(places.ids)
        rows = np.flatnonzero(np.isin(self._library.cluster, numbers))
        answers, of = (
            answers_of_pixels(self._model, self._library.pixels, rows, self._device),
            self._library.cluster[rows],
        )
        total = np.bincount(of, answers, minlength=len(self._library.ids))
        return (total / np.maximum(np.bincount(of, minlength=len(total)), 1))[numbers]
