"""Image features of a dataset's photos, computed by a network; interrupted work is continued."""

import dataclasses
import hashlib
import math
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import geolive
from geolive.dataset import Dataset
from geolive.dataset_facts import images_checksum, read_facts
from geolive.engine.interface import Engine
from geolive.engine.local import LocalEngine
from geolive.engine.parts import Part, PartFolder, run_parts
from geolive.errors import InputError
from geolive.feature_sets import check_feature_name, place_features, take_back_features
from geolive.files import today
from geolive.npy_file import NpyFile
from geolive.partition_files import rows_of_partitions
from geolive.vision.backbones import Backbone, load_backbone
from geolive.vision.devices import Device, choose_device, choose_threads, choose_workers
from geolive.vision.images import Batch, PhotoFiles, PhotoWork, photo_files
from geolive.vision.resumable_array import GrowingArray

DTYPES = ("float16", "float32")
BATCH_SIZE = {"cpu": 16, "cuda": 256, "mps": 64}
# how often progress is saved
_SAVE_SECONDS = 1.0
# so many photos are computed together where partitions are, and are lost where a worker is killed
_IMAGES_A_PART = 1024


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
    engine: Engine | None = None,
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
    engine : Engine, optional
        Where partitions are computed (`geolive.engine.choosing.choose_engine`); by default in this process.
    progress : callable, optional
        Called with a short text about the progress.

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
        engine=engine,
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
    engine: Engine | None = None,
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
    engine : Engine, optional
        Where partitions are computed (`geolive.engine.choosing.choose_engine`); by default in this process.
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
    photos = PhotoWork(
        files,
        preprocessing.prepare,
        preprocessing.size,
        rows_of,
        batch_size,
        choose_workers(workers, device),
        device=device.name,
        threads=choose_threads(device),
    )
    return add_from_photos(dataset, name, Work(photos, backbone.width, dtype, about), engine, progress)


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
    """A computation on photos that gives one row per image of a dataset.

    Parameters
    ----------
    photos : PhotoWork
        All images of the dataset, in its order.
    width : int
        Number of columns.
    dtype : str
    about : dict
        Everything that the numbers depend on; it is written beside them.
    """

    photos: PhotoWork
    width: int
    dtype: str
    about: dict

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of images and columns."""
        return len(self.photos.files), self.width


def add_from_photos(
    dataset: Dataset,
    name: str,
    work: Work,
    engine: Engine | None = None,
    progress: Callable[[str], None] | None = None,
) -> Added:
    """Compute the rows of all images, and add the result to the dataset folder; interrupted work is continued.

    In this process, rows are computed in order; on another engine, and where the dataset is partitioned, partition by
    partition. A batch has the same images in both cases. The parameters and errors are those of `embed`.
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
    if dataset.partitions is None and (engine is None or engine.name == "local"):
        array, failures, resumed_at = _in_order(work, folder, made_by, progress)
    else:
        rows = _rows_of_parts(dataset, work)
        array, failures, resumed_at = _by_parts(work, rows, folder, made_by, engine or LocalEngine(), progress)
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
    place_features(dataset.path, name, array, missing, about)
    shutil.rmtree(folder)
    return Added(name, *work.shape, by_key, resumed_at)


# the file of all rows, why some are empty, and how many were done before
_Computed = tuple[Path, dict[int, str], int]


def _in_order(work: Work, folder: Path, made_by: dict, progress: Callable[[str], None] | None) -> _Computed:
    """Compute the rows one after the other in this process."""
    with GrowingArray(folder, work.shape, work.dtype, made_by) as array:
        resumed_at = array.done
        left = np.arange(array.done, work.shape[0])
        for rows, failures in _joined(work.photos.results(left), _SAVE_SECONDS):
            array.add(rows, failures)
            if progress:
                progress(f"{array.done:,} of {work.shape[0]:,} photos")
        return array.file, array.failures, resumed_at


def _rows_of_parts(dataset: Dataset, work: Work) -> list[np.ndarray]:
    """The rows that are computed together: some batches of each partition, or of the whole table."""
    most = max(1, _IMAGES_A_PART // work.photos.batch_size) * work.photos.batch_size
    partitions: Iterable[np.ndarray] = [np.arange(work.shape[0])]
    if dataset.partitions is not None and dataset.path is not None:
        partitions = (rows for _, rows in rows_of_partitions(dataset.path, dataset.partitions))
    return [rows[start : start + most] for rows in partitions for start in range(0, len(rows), most)]


def _by_parts(
    work: Work,
    rows: list[np.ndarray],
    folder: Path,
    made_by: dict,
    engine: Engine,
    progress: Callable[[str], None] | None,
) -> _Computed:
    """Compute the rows of many parts by an engine, and join them to one file."""
    photos = work.photos
    made_by = made_by | {"batch_size": photos.batch_size, "images a part": _IMAGES_A_PART}
    own = dataclasses.replace(photos, files=photos.files.take([]))
    if engine.name != "local" and photos.device == "cpu":
        # each worker of a cluster has one processor
        own = dataclasses.replace(own, workers=0, threads=1)
    sizes = np.array([len(part) for part in rows])

    def said(done: int) -> None:
        if progress:
            progress(f"{done:,} of {len(rows):,} parts of {work.shape[0]:,} photos")

    with PartFolder(folder, made_by) as parts:
        resumed_at = int(sizes[sorted(parts.done)].sum())
        file = folder / "joined.npy"
        failures: dict[int, str] = {}
        file.unlink(missing_ok=True)
        files = [photos.files.take(part) for part in rows]
        results = run_parts(engine, _MakesRows(own, work.dtype), files, parts, device=photos.device, progress=said)
        with NpyFile(file, work.shape, work.dtype) as array:
            for part, (arrays, about) in zip(rows, results, strict=True):
                array.write(part, arrays["rows"])
                failures |= {int(part[int(row)]): why for row, why in about["failures"].items()}
            array.flush()
    return file, failures, resumed_at


class _MakesRows:
    """Makes the function of a worker, which computes the rows of some photos."""

    def __init__(self, photos: PhotoWork, dtype: str) -> None:
        self.photos, self.dtype = photos, dtype

    def __call__(self) -> Callable[[PhotoFiles], Part]:
        def compute(files: PhotoFiles) -> Part:
            results = list(dataclasses.replace(self.photos, files=files).results(np.arange(len(files))))
            failures = {str(row): why for _, some in results for row, why in some.items()}
            return {"rows": np.concatenate([rows for rows, _ in results])}, {"failures": failures}

        return compute


def check_name(dataset: Dataset, name: str) -> None:
    """As `check_feature_name`; removes the work folder of a feature set that is in place, if that was interrupted."""
    if dataset.path is not None and name in dataset.features:
        shutil.rmtree(_work_folder(dataset.path, name), ignore_errors=True)
    check_feature_name(dataset, name)


def _work_folder(dataset_folder: Path, name: str) -> Path:
    return dataset_folder / "features" / f".{name}.partial"


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
