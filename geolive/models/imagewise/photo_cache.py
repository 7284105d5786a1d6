"""Decoded photos for training, their order in each epoch, and their augmentation.

Seed, epoch and image alone decide order and augmentation, and no random state passes from one batch to the next. So a training
that was stopped and continued, or that runs on several devices, sees the same pixels as any other.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from geolive.errors import InputError
from geolive.vision.images import Batch, PhotoFiles, PhotoSet, photo_batches
from geolive.vision.preprocessing import Preprocessing
from geolive.vision.resumable_array import GrowingArray

_DECODED_AT_ONCE, _TOLD_EVERY = 64, 1000
_ROOM_LEFT = 1_000_000_000
# limits of augmentation: the smallest side of a crop, and the largest changes of light, contrast and tint
SMALLEST_CUT, MOST_LIGHT, MOST_CONTRAST, MOST_TINT = 0.8, 0.2, 0.2, 0.05


@dataclass
class DecodedPhotos:
    """Decoded photos in a file, which are read when they are needed.

    Parameters
    ----------
    path : Path
        An npy file of uint8, shape (photos, crop · crop · 3).
    crop : int
        Width and height in pixels.
    failures : dict of int to str
        For each photo that cannot be used its row and the reason.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two.npy"
    >>> np.save(path, np.zeros((2, 4 * 4 * 3), np.uint8))
    >>> tuple(DecodedPhotos(path, 4).read(np.array([1, 0])).shape)
    (2, 3, 4, 4)
    """

    path: Path
    crop: int
    failures: dict[int, str] = field(default_factory=dict)
    _array: np.ndarray | None = field(default=None, repr=False)

    def read(self, rows: np.ndarray) -> torch.Tensor:
        """Read pixels by row: uint8, shape (rows, 3, crop, crop), in channels-last memory format."""
        if self._array is None:
            self._array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        pixels = self._array[rows].reshape(len(rows), self.crop, self.crop, 3)
        return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)

    def __getstate__(self) -> dict:
        # another process opens the file itself, because a mapped array would be sent as a copy
        return self.__dict__ | {"_array": None}


def decode_photos(
    files: PhotoFiles,
    rows: np.ndarray,
    preprocessing: Preprocessing,
    folder: Path,
    made_by: dict,
    workers: int = 1,
    progress: Callable[[str], None] | None = None,
) -> DecodedPhotos:
    """Decode, resize and crop photos into a file; a call after an interruption continues the work.

    Parameters
    ----------
    files : PhotoFiles
    rows : array of int, shape (n,)
        Rows of the images to decode; row i of the file is image `rows[i]`. Of a panorama one of four views is taken, which
        depends on its row.
    preprocessing : Preprocessing
    folder : Path
        Folder of the file.
    made_by : dict
        JSON-able facts that the pixels depend on, besides the preprocessing.
    workers : int
        Number of processes that decode.
    progress : callable, optional

    Returns
    -------
    DecodedPhotos

    Raises
    ------
    InputError
        The disk is too small, no photo can be used, or the folder holds photos that were decoded with other settings.
    """
    shape = (len(rows), preprocessing.crop**2 * 3)
    folder.mkdir(parents=True, exist_ok=True)
    _check_room(folder, shape)
    made_by = made_by | {"preprocessing": preprocessing.as_json()}
    with GrowingArray(folder, shape, "uint8", made_by) as array:
        left = PhotoSet(files, rows[array.done :].tolist(), preprocessing.prepare, preprocessing.size)
        for batch in photo_batches(left, _DECODED_AT_ONCE, workers) if len(left) else ():
            before = array.done
            array.add(*_one_view_each(batch, shape[1], before))
            if progress and (before // _TOLD_EVERY < array.done // _TOLD_EVERY or array.done == len(rows)):
                progress(f"decoded {array.done:,} of {shape[0]:,} photos")
        failures, path = dict(array.failures), array.file
    if len(failures) == len(rows):
        raise InputError(
            f"none of the {len(rows):,} photos can be used: {next(iter(failures.values()), 'there is none')}"
        )
    return DecodedPhotos(path, preprocessing.crop, failures)


def _check_room(folder: Path, shape: tuple[int, int]) -> None:
    needed, free = shape[0] * shape[1], shutil.disk_usage(folder).free
    there = sum(path.stat().st_size for path in folder.glob("*.npy"))
    if needed - there > free - _ROOM_LEFT:
        raise InputError(
            f"{folder}: decoded photos need {needed / 1e6:,.0f} MB, {_ROOM_LEFT / 1e6:,.0f} MB must stay free for "
            f"checkpoints, and {free / 1e6:,.0f} MB are free; choose a smaller size, or a folder on another disk"
        )


def _one_view_each(batch: Batch, size: int, done: int) -> tuple[np.ndarray, dict[int, str]]:
    pixels = np.zeros((len(batch.rows), size), np.uint8)
    image = batch.image.numpy()
    first, count = np.searchsorted(image, np.arange(len(batch.rows))), np.bincount(image, minlength=len(batch.rows))
    for i in np.flatnonzero(count):
        view = batch.pixels[first[i] + batch.rows[i] % count[i]]
        pixels[i] = view.permute(1, 2, 0).reshape(-1).numpy()
    number = {int(row): done + i for i, row in enumerate(batch.rows)}
    return pixels, {number[row]: why for row, why in batch.failures.items()}


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """Draw the order of photos in an epoch, shape (n,).

    Examples
    --------
    >>> sorted(epoch_order(4, seed=0, epoch=2).tolist())
    [0, 1, 2, 3]
    """
    return np.random.Generator(np.random.PCG64([seed, epoch])).permutation(n)


def uniforms(seed: int, epoch: int, rows: np.ndarray, count: int) -> np.ndarray:
    """Draw numbers from 0 to 1 that depend only on seed, epoch and row, shape (rows, count), with the generator splitmix64.

    Source: Steele, Lea & Flood 2014, doi 10.1145/2660193.2660195.

    Examples
    --------
    >>> both, one = uniforms(0, 1, np.array([5, 9]), 2), uniforms(0, 1, np.array([9]), 2)
    >>> bool((both[1] == one[0]).all()), both.shape
    (True, (2, 2))
    """
    start = np.array([(seed * 1_000_003 + epoch) % 2**64], np.uint64)
    with np.errstate(over="ignore"):
        state = _mixed(_mixed(start) + np.asarray(rows, np.uint64))[:, None] + _STEP * np.arange(
            1, count + 1, dtype=np.uint64
        )
        return (_mixed(state) >> np.uint64(11)).astype(np.float64) / 2**53


_STEP = np.uint64(0x9E3779B97F4A7C15)


def _mixed(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def augment(pixels: torch.Tensor, drawn: np.ndarray) -> torch.Tensor:
    """Augment photos: mirror them, crop them a little, and change their light.

    Parameters
    ----------
    pixels : tensor of uint8, shape (n, 3, height, width)
        On any device.
    drawn : array of float, shape (n, 9)
        Numbers from 0 to 1, as `uniforms` draws them.

    Returns
    -------
    tensor of float32, shape (n, 3, height, width)
        0 to 255, in channels-last memory format. Photos are not turned upside down.

    Examples
    --------
    >>> augment(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), uniforms(0, 0, np.arange(2), 9)).shape
    torch.Size([2, 3, 8, 8])
    """
    spread = torch.from_numpy(2 * drawn - 1).to(pixels.device, torch.float32)
    side = SMALLEST_CUT + (1 - SMALLEST_CUT) * (spread[:, 1] + 1) / 2
    theta = torch.zeros(len(pixels), 2, 3, device=pixels.device)
    theta[:, 0, 0] = torch.where(spread[:, 0] < 0, -side, side)
    theta[:, 1, 1] = side
    theta[:, :, 2] = spread[:, 2:4] * (1 - side)[:, None]
    grid = torch.nn.functional.affine_grid(theta, list(pixels.shape), align_corners=False)
    cut = torch.nn.functional.grid_sample(pixels.float(), grid, padding_mode="border", align_corners=False)
    light, contrast = 1 + MOST_LIGHT * spread[:, 4], 1 + MOST_CONTRAST * spread[:, 5]
    tint = 1 + MOST_TINT * spread[:, 6:9]
    mean = cut.mean(dim=(1, 2, 3), keepdim=True)
    cut = (cut - mean) * contrast[:, None, None, None] + mean
    cut = (cut * (light[:, None] * tint)[:, :, None, None]).clamp_(0, 255)
    return cut.contiguous(memory_format=torch.channels_last)
