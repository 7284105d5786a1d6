"""Sums over the photos of each place, which summaries are made from; they depend on no other place, so folds can share them."""

import functools
import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from geolive.errors import InputError
from geolive.geodesy import EARTH_RADIUS_KM, unit_sphere
from geolive.model_inputs import parse_inputs, photo_inputs
from geolive.places import Places
from geolive.processors import available_processors
from geolive.tables import N_CLASSES
from geolive.worker_processes import is_worker_process

# photos, and numbers of distances between them, that are worked on at once
_PHOTOS = 32_768
_DISTANCES = 2_000_000


@dataclass(frozen=True)
class PhotoSums:
    """Sums over the photos of each of n places, for one part of the inputs (object counts or image features) with q columns.

    The numbers of a photo, x, are its image features, or log(1 + count) of each class of objects.

    Parameters
    ----------
    x : array of float64, shape (n, q)
        Sum of x.
    squares : array of float64, shape (n, q)
        Sum of the squared difference between x and the place's mean.
    centrality : array of float64, shape (n, q)
        Sum of c · x, where c says how near a photo is to the others of its place, see `closeness`.
    counts : array of float64, shape (n, 66) or (n, 0)
        Sum of the object counts; of image features there are none.
    """

    x: np.ndarray
    squares: np.ndarray
    centrality: np.ndarray
    counts: np.ndarray

    def take(self, rows: np.ndarray) -> "PhotoSums":
        """Return the sums of some places."""
        return PhotoSums(*(array[rows] for array in (self.x, self.squares, self.centrality, self.counts)))


@dataclass(frozen=True)
class SummedPlaces(Places):
    """Places with the sums over their photos, which a choice of places keeps.

    Parameters
    ----------
    sums : dict of str to PhotoSums
        For "objects", "features" or both.
    summed : tuple of arrays
        The photos that were summed: their positions, object counts and features.
    """

    sums: dict[str, PhotoSums] = field(default_factory=dict)
    summed: tuple[Any, ...] = ()

    def take(self, rows: np.ndarray) -> "SummedPlaces":
        """Return the places at some row numbers, in the order given."""
        chosen = super().take(rows)
        assert isinstance(chosen, SummedPlaces)
        if not self.is_current:
            return chosen
        return replace(chosen, sums={part: own.take(rows) for part, own in self.sums.items()}, summed=_photos(chosen))

    @property
    def is_current(self) -> bool:
        """Whether the places still have the photos that were summed: `dataclasses.replace` may have given them others."""
        return len(self.summed) > 0 and all(a is b for a, b in zip(self.summed, _photos(self), strict=True))


def with_sums(places: Places, inputs: str) -> SummedPlaces:
    """Return places with the sums over their photos.

    Parameters
    ----------
    places : Places
        Places that each have at least one photo.
    inputs : str
        "objects", "features" or both, separated by commas; covariates are no matter of photos.

    Raises
    ------
    InputError
        The places lack image features, or one of these is not a number.

    Examples
    --------
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01], [86.0, 25.0]])
    >>> places = Places(np.array(["a", "b"]), where[1:], np.array([0, 2, 3]), where, np.eye(3, 66, dtype=np.uint16))
    >>> with_sums(places, "objects").sums["objects"].counts[:, :3].tolist()
    [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    parts = parse_inputs(photo_inputs(inputs))
    if isinstance(places, SummedPlaces) and places.is_current and places.sums.keys() >= set(parts):
        return places
    weights = closeness(places)
    sums = {part: _sums(places, part, weights) for part in parts}
    own = {name: getattr(places, name) for name in Places.__dataclass_fields__}
    return SummedPlaces(**own, sums=sums, summed=_photos(places))


def _photos(places: Places) -> tuple[Any, ...]:
    return (places.image_positions, places.objects, places.features)


def closeness(places: Places) -> np.ndarray:
    """Return how near each photo is to the others of its place, less the mean of its place; shape (images,).

    Two photos d apart are exp(-d / m) near, where m is the mean distance between photos of the place. A photo divides what it
    gives to the others in proportion to this, and its closeness is the sum of what it receives.

    Examples
    --------
    >>> where = np.array([[85.0, 25.0], [85.01, 25.0], [85.02, 25.0]])
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 3]), where, np.ones((3, 66), np.uint16))
    >>> closeness(places).round(2)
    array([-0.03,  0.06, -0.03])
    """
    sizes, found = places.n_images, np.zeros(len(places.image_positions))
    points = unit_sphere(places.image_positions) * EARTH_RADIUS_KM
    photos: list[np.ndarray] = []
    for size in np.unique(sizes[sizes > 1]):
        of_size = np.flatnonzero(sizes == size)
        parts = np.array_split(of_size, max(1, len(of_size) * size**2 // _DISTANCES))
        photos += [places.offsets[part][:, None] + np.arange(size) for part in parts]

    def compute(images: np.ndarray) -> None:
        # relative to the first photo, so that small distances keep their digits
        near = (points[images] - points[images[:, :1]]).astype(np.float32)
        found[images] = _received(near) - 1

    # where folds are fitted in several processes, these use all processors
    with ThreadPoolExecutor(1 if is_worker_process() else available_processors()) as pool:
        list(pool.map(compute, photos))
    return found


def _received(points: np.ndarray) -> np.ndarray:
    """Return the sum of weights that each photo receives, shape (places, size), from positions in km, shape (places, size, 3)."""
    apart = np.zeros((*points.shape[:2], points.shape[1]), np.float32)
    for axis in range(3):
        difference = points[:, :, None, axis] - points[:, None, :, axis]
        apart += difference * difference
    np.sqrt(apart, out=apart)
    mean = apart.mean(axis=(1, 2), keepdims=True)
    weights = np.exp(apart / np.where(mean > 0, -mean, -1))
    return (weights / weights.sum(axis=2, keepdims=True)).sum(axis=1)


def photo_numbers(places: Places, part: str, images: slice | np.ndarray) -> np.ndarray:
    """Return the numbers of some photos, float32: their image features, or log(1 + count) of each class of objects.

    Raises
    ------
    InputError
        The places have no image features, or one of these is not a number.

    Examples
    --------
    >>> where = np.zeros((1, 2))
    >>> places = Places(np.array(["a"]), where, np.array([0, 1]), where, np.eye(1, 66, dtype=np.uint16))
    >>> photo_numbers(places, "objects", slice(0, 1))[0, :2].round(1)
    array([0.7, 0. ], dtype=float32)
    """
    if part == "objects":
        return _log_table()[places.objects[images]]
    if places.features is None:
        raise InputError("the places have no image features; add some with embed or ingest features")
    features = places.features.read(images)
    wrong = ~np.isfinite(features).all(axis=1)
    if wrong.any():
        image = np.arange(len(places.image_positions))[images][int(np.argmax(wrong))]
        place = places.ids[np.searchsorted(places.offsets, image, side="right") - 1]
        raise InputError(
            f"feature set {places.features.name!r}: an image of place {str(place)!r} has features that are not numbers; "
            "make the feature set again"
        )
    return features


def blocks_of_photos(places: Places) -> list[tuple[slice, slice]]:
    """Divide places into blocks of some ten thousand photos: the rows of the places, and those of their photos.

    Examples
    --------
    >>> where = np.zeros((2, 2))
    >>> blocks_of_photos(Places(np.array(["a"]), where[:1], np.array([0, 2]), where, np.ones((2, 66), np.uint16)))
    [(slice(0, 1, None), slice(0, 2, None))]
    """
    numbers = np.arange(0, max(int(places.offsets[-1]), 1), _PHOTOS)
    edges = np.unique([*np.searchsorted(places.offsets, numbers), len(places)])
    return [
        (slice(int(a), int(b)), slice(int(places.offsets[a]), int(places.offsets[b])))
        for a, b in itertools.pairwise(edges)
    ]


def sum_by_place(numbers: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Sum the rows of photos by place, shape (places, q); each place has at least one photo.

    Examples
    --------
    >>> sum_by_place(np.array([[1], [2], [4]], np.uint16), np.array([0, 2, 3])).tolist()
    [[3.0], [4.0]]
    """
    return np.add.reduceat(numbers, offsets[:-1], axis=0, dtype=np.float64)


def _sums(places: Places, part: str, weights: np.ndarray) -> PhotoSums:
    found: list[list[np.ndarray]] = [[], [], [], []]
    for rows, images in blocks_of_photos(places):
        offsets = places.offsets[rows.start : rows.stop + 1] - images.start
        sizes = np.diff(offsets)
        x = photo_numbers(places, part, images)
        total = sum_by_place(x, offsets)
        apart = x - np.repeat((total / sizes[:, None]).astype(np.float32), sizes, axis=0)
        counts = places.objects[images] if part == "objects" else np.zeros((len(x), 0))
        parts = (x, apart * apart, apart * weights[images, None].astype(np.float32), counts)
        for own, numbers in zip(found, parts, strict=True):
            own.append(sum_by_place(numbers, offsets))
    q = places.features.size if part == "features" and places.features is not None else N_CLASSES
    widths = (q, q, q, N_CLASSES if part == "objects" else 0)
    return PhotoSums(*(np.concatenate([np.empty((0, w)), *own]) for own, w in zip(found, widths, strict=True)))


@functools.cache
def _log_table() -> np.ndarray:
    """Return log(1 + count) for all counts that a uint16 can hold."""
    return np.log1p(np.arange(2**16), dtype=np.float32)
