"""Counts the objects in the photos of a dataset with a detector: the feature set `objects`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from geolive.dataset import Dataset
from geolive.engine.interface import Engine
from geolive.object_classes import dataset_classes, match_classes, read_classes, stuff_classes
from geolive.tables import N_CLASSES
from geolive.vision.detectors import MASK2FORMER, Detector, load_detector
from geolive.vision.devices import choose_device, choose_workers
from geolive.vision.embedding import Added, Work, add_from_photos, check_name
from geolive.vision.images import Item, PhotoFiles, PhotoWork, photo_files

OBJECTS = "objects"
_MOST = np.iinfo(np.uint16).max


def detect_objects(
    dataset: Dataset,
    model: str = MASK2FORMER,
    *,
    name: str = OBJECTS,
    threshold: float = 0.5,
    weights: str | Path | None = None,
    classes: str | Path | None = None,
    photos: str | Path | None = None,
    device: str = "auto",
    batch_size: int = 1,
    workers: int | None = None,
    engine: Engine | None = None,
    progress: Callable[[str], None] | None = None,
) -> Added:
    """Load a detector, count the objects in each photo of a dataset, and add the counts to the dataset folder.

    If the work is interrupted, the same call continues it.

    Parameters
    ----------
    dataset : Dataset
        Read from a folder.
    model : str
        A folder or a name on the hub of a Mask2Former, or torchvision:NAME (`geolive.vision.detectors.load_detector`).
    name : str
        Name of the new feature set. Models use `objects` by default.
    threshold : float
        Lowest confidence of an object that is counted, 0 to 1.
    weights : str or Path, optional
        For torchvision:NAME, a file of weights.
    classes : str or Path, optional
        CSV file of the model's classes (`geolive.object_classes.read_classes`).
    photos : str or Path, optional
        Folder that `img_path` starts from, if it is not the folder that the photos were ingested from.
    device : str
        auto, cpu, cuda or mps.
    batch_size : int
        Number of images at a time.
    workers : int, optional
        Number of processes that decode photos.
    engine : Engine, optional
        Where partitions are computed (`geolive.engine.choosing.choose_engine`); by default in this process.
    progress : callable, optional
        Called with a short text about the progress.

    Returns
    -------
    Added
        As `count_objects` returns it.

    Raises
    ------
    InputError
        The dataset has such a feature set or no photos, the model cannot be loaded, or a class has no counterpart.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> detect_objects(make_sample("goa", seed=0), name="detected")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: ...: its images have no photos (no img_path); ...
    """
    check_name(dataset, name)
    files = photo_files(dataset, photos)
    names, renamed = read_classes(classes) if classes else (None, None)
    chosen = choose_device(device, "float32")
    if progress:
        progress(f"loading {model}")
    detector = load_detector(
        model,
        threshold=threshold,
        stuff=lambda detected: stuff_classes(match_classes(detected, dataset_classes(dataset), model, renamed)),
        weights=weights,
        classes=names,
        device=chosen.name,
        dataset=str(dataset.path or "DATASET"),
    )
    return count_objects(
        dataset,
        files,
        detector,
        name=name,
        renamed=renamed,
        batch_size=batch_size,
        workers=choose_workers(workers, chosen),
        device=chosen.name,
        engine=engine,
        progress=progress,
    )


def count_objects(
    dataset: Dataset,
    files: PhotoFiles,
    detector: Detector,
    *,
    name: str = OBJECTS,
    renamed: dict[str, str | None] | None = None,
    batch_size: int = 1,
    workers: int = 1,
    device: str = "cpu",
    engine: Engine | None = None,
    progress: Callable[[str], None] | None = None,
) -> Added:
    """Count the objects of each class that a detector finds in each photo, and add the counts to the dataset folder.

    Parameters
    ----------
    dataset : Dataset
        Read from a folder, without object counts.
    files : PhotoFiles
        The photos of the dataset.
    detector : Detector
    name : str
        Name of the new feature set.
    renamed : dict, optional
        As in `geolive.object_classes.match_classes`.
    batch_size : int
        Number of images at a time.
    workers : int
        Number of processes that decode photos.
    device : str
        cpu, cuda or mps, where the detector computes.
    engine : Engine, optional
        Where partitions are computed; by default in this process.
    progress : callable, optional
        Called with words that say how many photos are done.

    Returns
    -------
    Added
        Images whose photo cannot be used have counts of 0, and `features/NAME.missing.parquet` lists them with the reason. The
        counts of a panorama are the sums over its four views.

    Raises
    ------
    InputError
        The dataset has such a feature set, a class has no counterpart, no photo can be used, or interrupted work had other
        settings.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.vision.detectors import Detector
    >>> made = make_sample("goa", seed=0)
    >>> birds = Detector("birds", ["Dodo"], lambda images: [[("Dodo", 1.0)] for _ in images], 224, {})
    >>> count_objects(made, None, birds)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: birds: the dataset lacks 1 class of it: Dodo; the dataset has: Curb, ...
    """
    classes = dataset_classes(dataset)
    column = match_classes(detector.classes, classes, detector.name, renamed)
    about = detector.record | {"classes": [*classes, "void"], "columns": column}

    def rows_of(items: list[Item]) -> tuple[np.ndarray, dict[int, str]]:
        rows = np.zeros((len(items), N_CLASSES), np.uint16)
        failures = {item.row: item.reason for item in items if item.views is None}
        views = [(i, view) for i, item in enumerate(items) if item.views is not None for view in item.views]
        detections = detector.detect([view for _, view in views]) if views else []
        for (i, _), objects in zip(views, detections, strict=True):
            columns = [index for name, _ in objects if (index := column[name]) is not None]
            counts = rows[i].astype(np.int64) + np.bincount(columns, minlength=N_CLASSES)
            rows[i] = np.minimum(counts, _MOST)
        return rows, failures

    photos = PhotoWork(
        files, partial(_shrink, detector.shorter), detector.shorter, rows_of, batch_size, workers, list, device
    )
    return add_from_photos(dataset, name, Work(photos, N_CLASSES, "uint16", about), engine, progress)


def _shrink(shorter: int, view: Image.Image, row: int) -> np.ndarray:
    """Shrink a view so that its shorter side has no more pixels than the detector uses."""
    scale = shorter / min(view.size)
    if scale >= 1:
        return np.asarray(view)
    size = (max(1, round(view.width * scale)), max(1, round(view.height * scale)))
    return np.asarray(view.resize(size, Image.Resampling.BILINEAR))
