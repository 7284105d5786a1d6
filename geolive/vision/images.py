"""Decodes the photos of a dataset in worker processes, in batches."""

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.remote_paths import address_of, is_remote, local_path, remote_origin
from geolive.sources.photos.image_files import UnusableImageError
from geolive.storage.views import lazy_copy
from geolive.vision.decoding import read_views

# takes an upright RGB view and the row of its image; returns an array of uint8, shape (height, width, 3)
Prepare = Callable[[Image.Image, int], np.ndarray]


@dataclass(frozen=True)
class PhotoFiles:
    """Where the photo of each image of a dataset is.

    Parameters
    ----------
    root : Path
        The folder that holds the photos; no photo is read from outside it.
    paths : list of (str or None)
        Path of each image's photo within that folder; None for an image without a photo.
    panorama : list of (bool or None)
        Whether the photo shows the whole sphere; None lets the file decide.
    address : str, optional
        Where the photos that `root` lacks are in object storage; each is read when it is needed, and not kept.
    """

    root: Path
    paths: list[str | None]
    panorama: list[bool | None]
    address: str | None = None

    @property
    def place(self) -> str:
        """The folder of the photos, however the local copy of a folder in object storage is named."""
        return self.address or str(self.root.resolve())

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, rows: Sequence[int] | np.ndarray) -> "PhotoFiles":
        """Return the photos of some rows, in the order given.

        Examples
        --------
        >>> PhotoFiles(Path("photos"), ["1.jpg", "2.jpg"], [None, None]).take([1]).paths
        ['2.jpg']
        """
        return replace(self, paths=[self.paths[row] for row in rows], panorama=[self.panorama[row] for row in rows])

    def views(self, row: int, shorter: int) -> list[Image.Image]:
        """Return the upright RGB views of one image, as `geolive.vision.decoding.read_views` makes them.

        Raises
        ------
        UnusableImageError
            The photo is missing or cannot be used; the message is the reason.
        """
        path = self.paths[row]
        if path is None:
            raise UnusableImageError("no photo: img_path is empty")
        return read_views(self.root, path, shorter, self.panorama[row], self.address)


def photo_files(dataset: Dataset, photos: str | Path | None = None) -> PhotoFiles:
    """Find the photos of a dataset.

    Parameters
    ----------
    dataset : Dataset
        Its images have the column `img_path`.
    photos : str or Path, optional
        Folder that `img_path` starts from, or its address in object storage; the default is the folder that the photos were
        ingested from, or else the dataset's.

    Returns
    -------
    PhotoFiles

    Raises
    ------
    InputError
        The dataset has no photos, or the folder is missing.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> photo_files(make_sample("goa", seed=0))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: ...: its images have no photos (no img_path); ...
    """
    column = dataset.images.get("img_path")
    if column is None or column.isna().all():
        made = "make the dataset with ingest photos, fetch images or sample --with-images"
        raise InputError(f"{dataset.name}: its images have no photos (no img_path); {made}")
    root = photos or dataset.extra.get("photos_folder") or dataset.path
    if photos is None and root is not None and is_remote(root):
        _check_bucket(dataset, address_of(root))
    if root is not None:
        root = lazy_copy(root) if is_remote(root) else local_path(root)
    if root is None or not Path(root).is_dir():
        raise InputError(f"{dataset.name}: the folder of its photos, {root}, is missing; give it with photos='DIR'")
    is_pano = dataset.images.get("is_pano")
    values = [None] * len(column) if is_pano is None else is_pano
    panorama = [None if pd.isna(value) else bool(value) for value in values]
    paths = [None if pd.isna(path) or path == "" else str(path) for path in column]
    return PhotoFiles(Path(root), paths, panorama, remote_origin(Path(root).absolute()))


def _check_bucket(dataset: Dataset, address: str) -> None:
    """Raise where a dataset, which may be a stranger's, names a bucket that the user has not."""
    own = remote_origin(dataset.path)
    if own is None or own.split("/")[:3] != address.split("/")[:3]:
        raise InputError(
            f"{dataset.name}: its photos are in {address}, in another bucket than the dataset; if that is right, give it with "
            f"photos={address!r}"
        )


@dataclass(frozen=True)
class Item:
    """The result of a worker for one image: `views`, shape (views, height, width, 3), or None and the reason."""

    row: int
    views: np.ndarray | None
    reason: str = ""


class PhotoSet(TorchDataset):
    """Images of a dataset for torch's `DataLoader`; `photo_batches` makes such a loader.

    Parameters
    ----------
    files : PhotoFiles
    rows : sequence of int
        Rows of the images, in the order wanted.
    prepare : callable
        Takes a view (RGB, upright) and the row of its image and returns uint8 pixels, shape (height, width, 3). Worker
        processes receive a copy of it. `Preprocessing.prepare` is such a function.
    shorter : int
        Pixels that `prepare` needs on the shorter side of a view; large photos are decoded at a reduced size.

    Examples
    --------
    >>> files = PhotoFiles(Path("no/such/folder"), ["1.jpg"], [None])
    >>> PhotoSet(files, [0], lambda view, row: np.asarray(view), 224)[0].reason
    'cannot be read (No such file or directory)'
    """

    def __init__(self, files: PhotoFiles, rows: Sequence[int] | np.ndarray, prepare: Prepare, shorter: int):
        self.files, self.rows, self.prepare, self.shorter = files, np.asarray(rows, np.int64), prepare, shorter

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> Item:
        row = int(self.rows[i])
        try:
            views = self.files.views(row, self.shorter)
        except UnusableImageError as error:
            return Item(row, None, str(error))
        return Item(row, np.stack([self.prepare(view, row) for view in views]))


@dataclass
class Batch:
    """The photos of a batch.

    Parameters
    ----------
    rows : array of int, shape (n,)
        Rows of the images in the order wanted, including images that cannot be used.
    pixels : tensor of uint8, shape (views, 3, height, width)
        In channels-last memory format.
    image : tensor of int64, shape (views,)
        Position in `rows` of the image of each view; most images have one view, panoramas four, unusable ones none.
    failures : dict of int to str
        Reason for each image that cannot be used, by row.
    """

    rows: np.ndarray
    pixels: torch.Tensor
    image: torch.Tensor
    failures: dict[int, str]

    def pin_memory(self) -> "Batch":
        """Move the pixels to pinned memory, which a CUDA device copies without waiting; the loader calls this."""
        return Batch(self.rows, self.pixels.pin_memory(), self.image.pin_memory(), self.failures)


def collate(items: list[Item]) -> Batch:
    """Join items of a `PhotoSet`, whose views have one size, to a batch.

    Examples
    --------
    >>> batch = collate([Item(7, np.zeros((4, 8, 8, 3), np.uint8)), Item(9, None, "cut short")])
    >>> tuple(batch.pixels.shape), batch.image.tolist(), batch.failures
    ((4, 3, 8, 8), [0, 0, 0, 0], {9: 'cut short'})
    """
    rows = np.array([item.row for item in items], np.int64)
    failures = {item.row: item.reason for item in items if item.views is None}
    views = [item.views for item in items if item.views is not None]
    counts = [0 if item.views is None else len(item.views) for item in items]
    stacked = torch.from_numpy(np.concatenate(views)) if views else torch.zeros((0, 1, 1, 3), dtype=torch.uint8)
    image = torch.repeat_interleave(torch.arange(len(items)), torch.tensor(counts, dtype=torch.int64))
    return Batch(rows, stacked.permute(0, 3, 1, 2), image, failures)


def photo_batches(photos: PhotoSet, batch_size: int, workers: int, pin_memory: bool = False, **options) -> DataLoader:
    """Make a loader of `Batch`es in the order of the rows.

    Parameters
    ----------
    photos : PhotoSet
    batch_size : int
        Number of images in a batch.
    workers : int
        Number of processes that decode; 0 decodes in the calling process.
    pin_memory : bool
        Whether the pixels go to a CUDA device.
    options
        Other options of torch's `DataLoader`: `shuffle`, `sampler`, `generator`, `drop_last`, ….

    Returns
    -------
    DataLoader

    Examples
    --------
    >>> files = PhotoFiles(Path("no/such/folder"), ["1.jpg", None], [None, None])
    >>> [batch.failures for batch in photo_batches(PhotoSet(files, [0, 1], lambda view, row: None, 224), 2, workers=0)]
    [{0: 'cannot be read (No such file or directory)', 1: 'no photo: img_path is empty'}]
    """
    return DataLoader(
        photos,
        batch_size,
        num_workers=workers,
        pin_memory=pin_memory,
        prefetch_factor=3 if workers else None,
        worker_init_fn=begin_worker,
        **{"collate_fn": collate} | options,
    )


@dataclass(frozen=True)
class PhotoWork:
    """A computation on photos, batch by batch: the unit that runs in this process or on the machines of a cluster.

    Parameters
    ----------
    files : PhotoFiles
    prepare : callable
        As `PhotoSet` takes it.
    shorter : int
        Pixels that `prepare` needs on the shorter side of a view.
    rows_of : callable
        Takes a batch that `collate` made and returns its rows, shape (images, columns), and why some are empty.
    batch_size : int
        Number of images in a batch.
    workers : int
        Number of processes that decode photos.
    collate : callable
        Takes the items of a batch and returns what `rows_of` takes.
    device : str
        cpu, cuda or mps, where `rows_of` computes.
    threads : int
        Number of batches that `rows_of` works on at the same time.
    """

    files: PhotoFiles
    prepare: Prepare
    shorter: int
    rows_of: Callable[..., tuple[np.ndarray, dict[int, str]]]
    batch_size: int
    workers: int
    collate: Callable[[list[Item]], object] = collate
    device: str = "cpu"
    threads: int = 1

    def results(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, dict[int, str]]]:
        """Yield the results of each batch of some rows of the files, in order: its rows, and why some are empty.

        Examples
        --------
        >>> files = PhotoFiles(Path("no/such/folder"), ["1.jpg", None], [None, None])
        >>> work = PhotoWork(files, lambda view, row: None, 8, lambda batch: (batch.rows, batch.failures), 2, 0)
        >>> [rows.tolist() for rows, _ in work.results(np.array([1, 0]))]
        [[1, 0]]
        """
        if len(rows):
            photos = PhotoSet(self.files, rows, self.prepare, self.shorter)
            loader = photo_batches(
                photos, self.batch_size, self.workers, self.device == "cuda", collate_fn=self.collate
            )
            yield from _at_once(self.rows_of, loader, self.threads)


def _at_once(rows_of: Callable, batches: Iterable, threads: int) -> Iterator:
    """Apply a function to several batches at a time, in order; each thread has its share of the processor's cores.

    One network on all cores waits at the end of each layer for the core that also decodes photos; networks with cores of
    their own do not wait for each other.
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


def begin_worker(worker: int) -> None:
    """Begin a process of a DataLoader: one thread, and silent where a signal reaches all processes, as Ctrl-C does.

    Parameters
    ----------
    worker : int
        Number of the process, which torch gives.
    """
    torch.set_num_threads(1)  # the network uses the other threads
    # the first process says how it ended; torch would report each process that a signal ended
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: os._exit(0))
    # the thread that hands over arrays reports that the first process has gone; errors of photos reach it by another way
    sys.excepthook = lambda *error: None
