"""Object counts of a dataset's photos, by a detector: the feature set `objects`."""

from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from geolive.dataset import Dataset
from geolive.tables import N_CLASSES
from geolive.vision.classes import dataset_classes, match_classes
from geolive.vision.detectors import Detector
from geolive.vision.embedding import Added, Work, add_from_photos
from geolive.vision.images import Item, PhotoFiles, PhotoSet

OBJECTS = "objects"
_MOST = np.iinfo(np.uint16).max


def count_objects(
    dataset: Dataset,
    files: PhotoFiles,
    detector: Detector,
    *,
    name: str = OBJECTS,
    renamed: dict[str, str | None] | None = None,
    batch_size: int = 1,
    workers: int = 1,
    progress: Callable[[str], None] | None = None,
) -> Added:
    """Add to a dataset folder how many objects of each class a detector finds in each photo.

    Parameters
    ----------
    dataset : Dataset
        Read from a folder, without object counts.
    files : PhotoFiles
        Its photos.
    detector : Detector
    name : str
        Of the new feature set.
    renamed : dict, optional
        As in `geolive.vision.classes.match_classes`.
    batch_size : int
        Images at a time.
    workers : int
        Processes that decode photos.
    progress : callable, optional
        Told in words what is under way.

    Returns
    -------
    Added
        Rows of images whose photo cannot be used are 0 and listed with the reason in `features/NAME.missing.parquet`. The
        counts of a panorama are the sums over its four views.

    Raises
    ------
    InputError
        The dataset has object counts, work begun had other settings, a class has no counterpart, or no photo can be used.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.vision.detectors import Detector
    >>> made = make_sample("goa", seed=0)
    >>> birds = Detector("birds", ["Dodo"], lambda images: [[("Dodo", 1.0)] for _ in images], 224, {})
    >>> count_objects(made, None, birds)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: birds: 1 of its classes are not among the dataset's: Dodo; the dataset has: Curb, ...
    """
    classes = dataset_classes(dataset)
    column = match_classes(detector.classes, classes, detector.name, renamed)
    about = detector.record | {"classes": [*classes, "void"], "columns": column}

    def rows_of(items: list[Item]) -> tuple[np.ndarray, dict[int, str]]:
        rows = np.zeros((len(items), N_CLASSES), np.uint16)
        failures = {item.row: item.reason for item in items if item.views is None}
        views = [(i, view) for i, item in enumerate(items) if item.views is not None for view in item.views]
        found = detector.detect([view for _, view in views]) if views else []
        for (i, _), objects in zip(views, found, strict=True):
            columns = [column[name] for name, _ in objects if column[name] is not None]
            counts = rows[i].astype(np.int64) + np.bincount(columns, minlength=N_CLASSES)
            rows[i] = np.minimum(counts, _MOST)
        return rows, failures

    photos = PhotoSet(files, range(len(files)), partial(_shrink, detector.shorter), detector.shorter)
    work = Work(photos, rows_of, (len(files), N_CLASSES), "uint16", about, batch_size, workers, collate=list)
    return add_from_photos(dataset, name, work, progress=progress)


def _shrink(shorter: int, view: Image.Image, row: int) -> np.ndarray:
    """A view whose shorter side has no more pixels than the detector looks at."""
    scale = shorter / min(view.size)
    if scale >= 1:
        return np.asarray(view)
    size = (max(1, round(view.width * scale)), max(1, round(view.height * scale)))
    return np.asarray(view.resize(size, Image.Resampling.BILINEAR))
