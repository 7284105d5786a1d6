"""Features of a dataset's photos, by a network; killed and started again it goes on."""

import hashlib
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import geolive
from geolive.dataset import Dataset, check_feature_name, place_features
from geolive.errors import InputError
from geolive.files import checksum, today
from geolive.vision.backbones import Backbone
from geolive.vision.devices import Device, choose_workers
from geolive.vision.images import Batch, Item, PhotoFiles, PhotoSet, collate, photo_batches
from geolive.vision.resumable_array import GrowingArray

DTYPES = ("float16", "float32")
BATCH_SIZE = {"cpu": 16, "cuda": 256, "mps": 64}
# what is done is written down about so often
_SAVE_SECONDS = 1.0


@dataclass(frozen=True)
class Added:
    """A feature set that was added to a dataset.

    Parameters
    ----------
    name : str
    images, size : int
        Rows and columns.
    failures : dict of str to str
        Key of each image without features → reason.
    resumed_at : int
        How many images were done when the work was taken up.
    """

    name: str
    images: int
    size: int
    failures: dict[str, str]
    resumed_at: int


def embed(
    dataset: Dataset,
    files: PhotoFiles,
    backbone: Backbone,
    name: str,
    *,
    device: Device,
    dtype: str = "float32",
    batch_size: int | None = None,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Added:
    """Add the features that a network makes of each photo to a dataset folder.

    Parameters
    ----------
    dataset : Dataset
        Read from a folder.
    files : PhotoFiles
        Its photos, as `geolive.vision.images.photo_files` finds them.
    backbone : Backbone
    name : str
        Of the new feature set.
    device : Device
    dtype : str
        float32 or float16, of the file.
    batch_size : int, optional
        Views at a time; by default 16 on a processor, 256 on CUDA.
    workers : int, optional
        Processes that decode photos.
    progress : callable, optional
        Told in words what is under way.

    Returns
    -------
    Added
        Rows of images whose photo cannot be used are NaN, and listed with the reason in `features/NAME.missing.parquet`. A
        panorama's feature is the mean over its four views.

    Raises
    ------
    InputError
        The dataset has such a feature set, work begun under that name had other settings, or no photo can be used.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.vision.backbones import load_backbone
    >>> made = make_sample("goa", seed=0)
    >>> files = PhotoFiles(Path("no/such/folder"), [None] * len(made.images), [None] * len(made.images))
    >>> embed(made, files, load_backbone("resnet18", "none"), "r18", device=Device("cpu", "float32"))
    Traceback (most recent call last):
    geolive.errors.InputError: features are added to a dataset folder; write the dataset first
    """
    if dtype not in DTYPES:
        raise InputError(f"--dtype {dtype!r}: must be one of {', '.join(DTYPES)}")
    about = {
        "model": backbone.arch,
        "weights": backbone.weights,
        "preprocessing": backbone.preprocessing.as_json(),
        "precision": device.precision,
    }
    preprocessing, network = backbone.preprocessing, device.place(backbone.trunk)

    def rows_of(batch: Batch) -> tuple[np.ndarray, dict[int, str]]:
        rows = np.full((len(batch.rows), backbone.width), np.nan, dtype)
        if len(batch.pixels) == 0:
            return rows, batch.failures
        views = device.run(network, preprocessing.normalise(device.pixels(batch.pixels))).cpu()
        return _averaged(views, batch, rows)

    batch_size = batch_size or BATCH_SIZE[device.name]
    photos = PhotoSet(files, range(len(files)), preprocessing.prepare, preprocessing.size)
    work = Work(
        photos, rows_of, (len(files), backbone.width), dtype, about, batch_size, choose_workers(workers, device)
    )
    return add_from_photos(dataset, name, work, pin_memory=device.name == "cuda", progress=progress)


def _averaged(views: torch.Tensor, batch: Batch, rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Features of the images of a batch, the mean over an image's views, in `rows`; NaN where they are not finite."""
    total = torch.zeros(rows.shape).index_add_(0, batch.image, views)
    counts = torch.bincount(batch.image, minlength=len(rows))
    has_views = (counts > 0).numpy()
    with np.errstate(over="ignore"):
        rows[has_views] = (total / counts[:, None]).numpy()[has_views]
    beyond = np.flatnonzero(has_views & ~np.isfinite(rows).all(axis=1))
    rows[beyond] = np.nan
    why = "its feature is too large a number; use --dtype float32 and --precision float32"
    return rows, batch.failures | {int(batch.rows[i]): why for i in beyond}


@dataclass(frozen=True)
class Work:
    """What is to be made of photos, a row an image.

    Parameters
    ----------
    photos : PhotoSet
        All images of the dataset, in its order.
    rows_of : callable
        From a batch, as `collate` makes it, to its rows, shape (images, columns), and why some are empty.
    shape : tuple of int
        Images, columns.
    dtype : str
    about : dict
        All that the numbers depend on; it is kept beside them.
    batch_size, workers : int
    collate : callable
        From the items of a batch to what `rows_of` takes.
    """

    photos: PhotoSet
    rows_of: Callable[..., tuple[np.ndarray, dict[int, str]]]
    shape: tuple[int, int]
    dtype: str
    about: dict
    batch_size: int
    workers: int
    collate: Callable[[list[Item]], object] = collate


def add_from_photos(
    dataset: Dataset, name: str, work: Work, *, pin_memory: bool = False, progress: Callable[[str], None] | None = None
) -> Added:
    """Do the work image by image in their order, resumably, and add the result to the dataset folder.

    Parameters and errors are those of `embed`.
    """
    if dataset.path is None:
        raise InputError("features are added to a dataset folder; write the dataset first")
    check_feature_name(dataset, name)
    folder = dataset.path / "features" / f".{name}.partial"
    made_by = work.about | {
        "images": checksum(dataset.path / "images.parquet"),
        "photos": _paths_digest(work.photos.files),
    }
    with GrowingArray(folder, work.shape, work.dtype, made_by) as array:
        resumed_at = array.done
        left = PhotoSet(work.photos.files, range(array.done, work.shape[0]), work.photos.prepare, work.photos.shorter)
        loader = (
            photo_batches(left, work.batch_size, work.workers, pin_memory, collate_fn=work.collate) if len(left) else []
        )
        for rows, failures in _joined(map(work.rows_of, loader), _SAVE_SECONDS):
            array.add(rows, failures)
            if progress:
                progress(f"{array.done:,} of {work.shape[0]:,} photos")
        failures = array.failures
        if len(failures) == work.shape[0]:
            first = next(iter(failures.values()))
            shutil.rmtree(folder)
            raise InputError(f"{dataset.name}: none of its {work.shape[0]:,} photos can be used: {first}; see --photos")
        keys = dataset.images["key"].to_numpy(object)
        by_key = {str(keys[row]): failures[row] for row in sorted(failures)}
        missing = pd.DataFrame({"key": list(by_key), "reason": list(by_key.values())}, dtype="str")
        about = work.about | {"made": today().isoformat(), "geolive": geolive.__version__}
        place_features(dataset.path, name, array.file, missing, about)
        shutil.rmtree(folder)
    return Added(name, *work.shape, by_key, resumed_at)


def _joined(
    batches: Iterator[tuple[np.ndarray, dict[int, str]]], seconds: float
) -> Iterator[tuple[np.ndarray, dict[int, str]]]:
    """Rows of several batches together, about so many seconds' work at a time; the first batch alone."""
    rows, failures, begun = [], {}, -math.inf
    for some, why in batches:
        rows.append(some)
        failures |= why
        if time.monotonic() - begun >= seconds:
            yield np.concatenate(rows), failures
            rows, failures, begun = [], {}, time.monotonic()
    if rows:
        yield np.concatenate(rows), failures


def _paths_digest(files: PhotoFiles) -> str:
    """Tells whether photos are looked for where they were before."""
    return hashlib.sha256(str(Path(files.root).resolve()).encode()).hexdigest()
