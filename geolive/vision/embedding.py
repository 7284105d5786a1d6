"""Image features of a dataset's photos, computed by a network; interrupted work is continued."""

import hashlib
import math
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import geolive
from geolive.dataset import Dataset
from geolive.dataset_facts import images_checksum, read_facts
from geolive.errors import InputError
from geolive.feature_sets import check_feature_name, place_features, take_back_features
from geolive.files import today
from geolive.vision.backbones import Backbone, load_backbone
from geolive.vision.devices import Device, choose_device, choose_threads, choose_workers
from geolive.vision.images import Batch, Item, PhotoFiles, PhotoSet, collate, photo_batches, photo_files
from geolive.vision.resumable_array import GrowingArray

DTYPES = ("float16", "float32")
BATCH_SIZE = {"cpu": 16, "cuda": 256, "mps": 64}
# how often progress is saved
_SAVE_SECONDS = 1.0


@dataclass(frozen=True)
class Added:
    """A feature set that was added to a dataset.

    Parameters
    ----------
    name : str
    images, size : int
        Numbers of rows and columns.
    failures : dict of str to str
        Reason for each image without features, by key.
    resumed_at : int
        Number of images that an interrupted run had done before.
    """

    name: str
    images: int
    size: int
    failures: dict[str, str]
    resumed_at: int


def embed_photos(
    dataset: Dataset,
    name: str,
    model: str = "resnet34",
    weights: str | Path | None = None,
    *,
    photos: str | Path | None = None,
    dtype: str = "float32",
    device: str = "auto",
    precision: str = "auto",
    batch_size: int | None = None,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Added:
    """Load a network, compute the features of each photo of a dataset, and add them to the dataset folder.

    If the work is interrupted, the same call continues it.

    Parameters
    ----------
    dataset : Dataset
        Read from a folder.
    name : str
        Name of the new feature set.
    model : str
        resnet18, resnet34, resnet50, timm:NAME, or the folder of an image-wise model.
    weights : str or Path, optional
        A file, or "none" for random weights (`geolive.vision.backbones.load_backbone`).
    photos : str or Path, optional
        Folder that `img_path` starts from, if it is not the folder that the photos were ingested from.
    dtype : str
        Number type of the file: float32 or float16.
    device : str
        auto, cpu, cuda or mps.
    precision : str
        auto, float32, bfloat16 or float16.
    batch_size : int, optional
        Number of views at a time.
    workers : int, optional
        Number of processes that decode photos.
    progress : callable, optional
        Called with words that say what is being done.

    Returns
    -------
    Added
        As `embed` returns it.

    Raises
    ------
    InputError
        The dataset has such a feature set or no photos, or the model cannot be loaded.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> embed_photos(make_sample("goa", seed=0), "r18", "resnet18", "none")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: ...: its images have no photos (no img_path); ...
    """
    check_name(dataset, name)
    files = photo_files(dataset, photos)
    chosen = choose_device(device, precision)
    if progress:
        progress(f"loading {model}")
    backbone = load_backbone(model, weights)
    if progress:
        progress(f"{backbone.arch} on {chosen.name}, {chosen.precision}")
    return embed(
        dataset,
        files,
        backbone,
        name,
        device=chosen,
        dtype=dtype,
        batch_size=batch_size,
        workers=workers,
        progress=progress,
    )


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
    """Compute the features of each photo by a network, and add them to the dataset folder.

    Parameters
    ----------
    dataset : Dataset
        Read from a folder.
    files : PhotoFiles
        The photos of the dataset, as `geolive.vision.images.photo_files` finds them.
    backbone : Backbone
    name : str
        Name of the new feature set.
    device : Device
    dtype : str
        Number type of the file: float32 or float16.
    batch_size : int, optional
        Number of views at a time; the default is 16 on a processor and 256 on CUDA.
    workers : int, optional
        Number of processes that decode photos.
    progress : callable, optional
        Called with words that say how many photos are done.

    Returns
    -------
    Added
        Images whose photo cannot be used have features of NaN, and `features/NAME.missing.parquet` lists them with the reason.
        The feature of a panorama is the mean over its four views.

    Raises
    ------
    InputError
        The dataset has such a feature set, no photo can be used, or interrupted work had other settings.

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
        raise InputError(f"dtype={dtype!r}: must be one of {', '.join(DTYPES)}", parameter="dtype")
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
    workers = choose_workers(workers, device)
    work = Work(
        photos, rows_of, (len(files), backbone.width), dtype, about, batch_size, workers, threads=choose_threads(device)
    )
    return add_from_photos(dataset, name, work, pin_memory=device.name == "cuda", progress=progress)


def _averaged(views: torch.Tensor, batch: Batch, rows: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Write the mean over the views of each image of a batch to `rows`; NaN where it is not finite."""
    total = torch.zeros(rows.shape).index_add_(0, batch.image, views)
    counts = torch.bincount(batch.image, minlength=len(rows))
    has_views = (counts > 0).numpy()
    with np.errstate(over="ignore"):
        rows[has_views] = (total / counts[:, None]).numpy()[has_views]
    beyond = np.flatnonzero(has_views & ~np.isfinite(rows).all(axis=1))
    rows[beyond] = np.nan
    why = "a feature is too large for this number type; use dtype float32 and precision float32"
    return rows, batch.failures | {int(batch.rows[i]): why for i in beyond}


@dataclass(frozen=True)
class Work:
    """A computation on photos that gives one row per image.

    Parameters
    ----------
    photos : PhotoSet
        All images of the dataset, in its order.
    rows_of : callable
        Takes a batch that `collate` made and returns its rows, shape (images, columns), and why some are empty.
    shape : tuple of int
        Numbers of images and columns.
    dtype : str
    about : dict
        Everything that the numbers depend on; it is written beside them.
    batch_size, workers : int
    collate : callable
        Takes the items of a batch and returns what `rows_of` takes.
    threads : int
        Number of batches that `rows_of` works on at the same time.
    """

    photos: PhotoSet
    rows_of: Callable[..., tuple[np.ndarray, dict[int, str]]]
    shape: tuple[int, int]
    dtype: str
    about: dict
    batch_size: int
    workers: int
    collate: Callable[[list[Item]], object] = collate
    threads: int = 1


def add_from_photos(
    dataset: Dataset, name: str, work: Work, *, pin_memory: bool = False, progress: Callable[[str], None] | None = None
) -> Added:
    """Compute the rows of all images in order, and add the result to the dataset folder; interrupted work is continued.

    The parameters and errors are those of `embed`.
    """
    if dataset.path is None:
        raise InputError("features are added to a dataset folder; write the dataset first")
    check_name(dataset, name)
    folder = _work_folder(dataset.path, name)
    if folder.is_dir():
        take_back_features(dataset.path, name, folder / GrowingArray.FILE)
    made_by = work.about | {
        "images": images_checksum(read_facts(dataset.path)),
        "photos": _paths_digest(work.photos.files),
    }
    with GrowingArray(folder, work.shape, work.dtype, made_by) as array:
        resumed_at = array.done
        left = PhotoSet(work.photos.files, range(array.done, work.shape[0]), work.photos.prepare, work.photos.shorter)
        loader: Iterable = ()
        if len(left):
            loader = photo_batches(left, work.batch_size, work.workers, pin_memory, collate_fn=work.collate)
        for rows, failures in _joined(_at_once(work.rows_of, loader, work.threads), _SAVE_SECONDS):
            array.add(rows, failures)
            if progress:
                progress(f"{array.done:,} of {work.shape[0]:,} photos")
        failures = array.failures
        if len(failures) == work.shape[0]:
            first = next(iter(failures.values()))
            shutil.rmtree(folder)
            raise InputError(
                f"{dataset.name}: none of its {work.shape[0]:,} photos can be used ({first}); give the folder of the photos with "
                "photos='DIR'"
            )
        keys = dataset.images["key"].to_numpy(object)
        by_key = {str(keys[row]): failures[row] for row in sorted(failures)}
        missing = pd.DataFrame({"key": list(by_key), "reason": list(by_key.values())}, dtype="str")
        about = work.about | {"made": today().isoformat(), "geolive": geolive.__version__}
        place_features(dataset.path, name, array.file, missing, about)
        shutil.rmtree(folder)
    return Added(name, *work.shape, by_key, resumed_at)


def check_name(dataset: Dataset, name: str) -> None:
    """As `check_feature_name`; removes the work folder of a feature set that is in place, if that was interrupted."""
    if dataset.path is not None and name in dataset.features:
        shutil.rmtree(_work_folder(dataset.path, name), ignore_errors=True)
    check_feature_name(dataset, name)


def _work_folder(dataset_folder: Path, name: str) -> Path:
    return dataset_folder / "features" / f".{name}.partial"


def _at_once(rows_of: Callable, batches: Iterable, threads: int) -> Iterator:
    """Apply a function to several batches at a time, in order; each thread has its share of the processor's cores.

    One network on all cores waits at the end of each layer for the core that also decodes photos; networks with cores of their
    own do not wait for each other.
    """
    if threads == 1:
        yield from map(rows_of, batches)
        return
    cores = torch.get_num_threads()
    each = max(1, cores // threads)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(each,)) as pool:
            waiting: deque[Future] = deque()
            for batch in batches:
                waiting.append(pool.submit(rows_of, batch))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        torch.set_num_threads(cores)


def _joined(
    batches: Iterator[tuple[np.ndarray, dict[int, str]]], seconds: float
) -> Iterator[tuple[np.ndarray, dict[int, str]]]:
    """Join the rows of several batches, about so many seconds of work at a time; the first batch is alone."""
    rows: list[np.ndarray] = []
    failures: dict[int, str] = {}
    begun = -math.inf
    for batch, why in batches:
        rows.append(batch)
        failures |= why
        if time.monotonic() - begun >= seconds:
            yield np.concatenate(rows), failures
            rows, failures, begun = [], {}, time.monotonic()
    if rows:
        yield np.concatenate(rows), failures


def _paths_digest(files: PhotoFiles) -> str:
    """A digest of the folder of the photos, which shows whether it is the same as before."""
    return hashlib.sha256(files.place.encode()).hexdigest()
