"""Places (clusters or sites) as models see them: their positions, and what their images hold."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.partitioned_array import FeatureArray
from geolive.tables import N_CLASSES, lonlat

MOST_IMAGES = 200
# so few that their images, as numbers of double precision, stay in the processor's cache or near it
_PLACES_AT_ONCE = 64


@dataclass(frozen=True)
class ImageFeatures:
    """Features of the images of some places, which stay on disk until they are read.

    Parameters
    ----------
    name : str
        Of the feature set.
    array : array of float, shape (images of the dataset, f)
        Maybe mapped from disk.
    rows : array of int, shape (images,)
        Rows of `array` that belong to the images of the places.

    Examples
    --------
    >>> features = ImageFeatures("resnet34", np.arange(6.0).reshape(3, 2), np.array([2, 0]))
    >>> features.read().tolist(), features.read(slice(1, 2)).tolist(), features.size
    ([[4.0, 5.0], [0.0, 1.0]], [[0.0, 1.0]], 2)
    """

    name: str
    array: FeatureArray
    rows: np.ndarray

    @property
    def size(self) -> int:
        """Number of features of each image, f."""
        return self.array.shape[1]

    def read(self, images: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return the features of some images of the places, float32, shape (images, f)."""
        return np.asarray(self.array[self.rows[images]], np.float32)

    def take(self, images: np.ndarray) -> "ImageFeatures":
        """Return the features of some images, in the order given."""
        return ImageFeatures(self.name, self.array, self.rows[images])

    def joined(self, others: "ImageFeatures") -> "ImageFeatures":
        """Return the features of these images, then of the others, which must be of the same dataset."""
        if others.array is not self.array:
            raise ValueError(f"features of two datasets, {self.name!r} and {others.name!r}, cannot be joined")
        return ImageFeatures(self.name, self.array, np.concatenate([self.rows, others.rows]))


@dataclass(frozen=True)
class Places:
    """n places (clusters or sites) as a model sees them: their positions, and what their images hold.

    The images of a place are contiguous: place i has the images `offsets[i]` to `offsets[i + 1]`.

    Parameters
    ----------
    ids : array of str, shape (n,)
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    offsets : array of int, shape (n + 1,)
    image_positions : array of float, shape (images, 2)
        Longitude, latitude in degrees.
    objects : array of uint16, shape (images, 66)
        Object counts; all 0 where nothing was counted.
    features : ImageFeatures, optional
        A feature set of the same images.
    sequences : array of int64, shape (images, 2), optional
        Number of the sequence that each image belongs to, -1 for none, and its rank in the order of all images.
    image_rows : array of int64, shape (images,), optional
        Row of each image in the dataset's images table.
    covariates : array of float, shape (n, k), optional
        Numbers that belong to the place, such as rainfall; NaN where a place has none.
    covariate_names : tuple of str
        Their names, in the order of the columns.

    Examples
    --------
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[85.1, 25.6], [84.0, 25.0]]))
    >>> len(places.take(np.array([1]))), places.n_images.tolist()
    (1, [0, 0])
    """

    ids: np.ndarray
    positions: np.ndarray
    offsets: np.ndarray
    image_positions: np.ndarray
    objects: np.ndarray
    features: ImageFeatures | None = None
    sequences: np.ndarray | None = None
    image_rows: np.ndarray | None = None
    covariates: np.ndarray | None = None
    covariate_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def without_images(
        cls,
        ids: np.ndarray,
        positions: np.ndarray,
        covariates: np.ndarray | None = None,
        covariate_names: tuple[str, ...] = (),
    ) -> "Places":
        """Make places of which only the positions and maybe covariates are known."""
        nothing = np.zeros((0, N_CLASSES), np.uint16)
        rows = np.zeros(0, np.int64)
        offsets = np.zeros(len(ids) + 1, np.int64)
        return cls(
            np.asarray(ids),
            positions,
            offsets,
            np.zeros((0, 2)),
            nothing,
            image_rows=rows,
            covariates=covariates,
            covariate_names=tuple(covariate_names),
        )

    @property
    def n_images(self) -> np.ndarray:
        """Number of images of each place, shape (n,)."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> "Places":
        """Return the places at some row numbers, in the order given."""
        rows = np.asarray(rows)
        sizes = self.n_images[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        images = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], sizes)
        covariates = None if self.covariates is None else self.covariates[rows]
        chosen = replace(self, ids=self.ids[rows], positions=self.positions[rows], covariates=covariates)
        return chosen._with_images(offsets, images)

    def parts(self, most: int) -> Iterator["Places"]:
        """Yield the places in their order, at most so many at a time, so that what is computed from them takes little memory."""
        if len(self) <= most:
            yield self
            return
        for first in range(0, len(self), most):
            yield self.take(np.arange(first, min(first + most, len(self))))

    def keep_images(self, images: np.ndarray) -> "Places":
        """Return the same places with some of their images only, given by ascending row numbers."""
        offsets = np.searchsorted(images, self.offsets)
        return self._with_images(offsets, images)

    def _with_images(self, offsets: np.ndarray, images: np.ndarray) -> "Places":
        return replace(
            self,
            offsets=offsets,
            image_positions=self.image_positions[images],
            objects=self.objects[images],
            features=None if self.features is None else self.features.take(images),
            sequences=None if self.sequences is None else self.sequences[images],
            image_rows=None if self.image_rows is None else self.image_rows[images],
        )

    def joined(self, others: "Places") -> "Places":
        """Return these places, then the others, which must be of the same dataset.

        Sequences, image rows and features are kept where both have them. Covariates are kept where one has them; they are NaN at
        the places that have none of that name.
        """
        features = None
        if self.features is not None and others.features is not None:
            features = self.features.joined(others.features)
        return Places(
            np.concatenate([self.ids, others.ids]),
            np.concatenate([self.positions, others.positions]),
            np.concatenate([self.offsets, others.offsets[1:] + self.offsets[-1]]),
            np.concatenate([self.image_positions, others.image_positions]),
            np.concatenate([self.objects, others.objects]),
            features,
            _joined(self.sequences, others.sequences),
            _joined(self.image_rows, others.image_rows),
            *_joined_covariates(self, others),
        )

    def covariate_columns(self, names: Sequence[str]) -> np.ndarray:
        """Return the covariates of these names, in this order; shape (n, k), NaN where a place has none.

        Examples
        --------
        >>> where = np.array([[85.1, 25.6], [84.0, 25.0]])
        >>> rain = Places.without_images(np.array(["a", "b"]), where, np.array([[800.0], [650.0]]), ("rain",))
        >>> rain.covariate_columns(["rain", "heat"]).tolist()
        [[800.0, nan], [650.0, nan]]
        """
        columns = np.full((len(self), len(names)), np.nan)
        if self.covariates is not None:
            for column, name in enumerate(names):
                if name in self.covariate_names:
                    columns[:, column] = self.covariates[:, self.covariate_names.index(name)]
        return columns

    def counts(self) -> np.ndarray:
        """Return the cluster representation: objects of each class summed over a place's images, and the number of images.

        Returns
        -------
        array of float, shape (n, 67)
            Source: Lee et al. 2021, "Cluster-wise learning"; the paper has 65 bins, here void has its own.
        """
        n_images, table = self.n_images, np.zeros((len(self), N_CLASSES + 1))
        table[:, N_CLASSES] = n_images
        # reduceat would give a place without images the counts of the next one
        some = np.flatnonzero(n_images)
        starts, ends = self.offsets[some], self.offsets[some + 1]
        # reduceat converts number by number, so some places at a time are converted before
        for at in range(0, len(some), _PLACES_AT_ONCE):
            chosen = slice(at, at + _PLACES_AT_ONCE)
            first, last = starts[at], ends[chosen][-1]
            total = np.add.reduceat(self.objects[first:last].astype(np.float64), starts[chosen] - first)
            table[some[chosen], :N_CLASSES] = total
        return table


def _joined(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    return None if one is None or other is None else np.concatenate([one, other])


def _joined_covariates(one: Places, other: Places) -> tuple[np.ndarray | None, tuple[str, ...]]:
    names = tuple(dict.fromkeys([*one.covariate_names, *other.covariate_names]))
    if not names:
        return None, ()
    return np.concatenate([one.covariate_columns(names), other.covariate_columns(names)]), names


def key_hash(keys: np.ndarray) -> np.ndarray:
    """Return a 64-bit hash of each image's key, equal on every machine. It decides which 200 images of a place are used.

    Examples
    --------
    >>> key_hash(np.array(["498763468214164"], dtype=object)).dtype
    dtype('uint64')
    """
    return pd.util.hash_array(np.asarray(keys, object), hash_key="geolive--images.", categorize=False)


def group_images(
    ids: np.ndarray,
    positions: np.ndarray,
    images: gpd.GeoDataFrame,
    objects: FeatureArray | None,
    place_of_image: pd.Series,
    features: ImageFeatures | None = None,
) -> Places:
    """Group images by place, with at most 200 images each, chosen by a hash of the image's key.

    Parameters
    ----------
    ids : array of str, shape (n,)
        The places, in the order wanted.
    positions : array of float, shape (n, 2)
        Their longitude and latitude, degrees.
    images : GeoDataFrame
        An images table.
    objects : array, shape (images, 66), or None
        Its object counts; None where nothing was counted.
    place_of_image : Series of str, shape (images,)
        The place of each image, or null; images of places that are not in `ids` are left out.
    features : ImageFeatures, optional
        Of the same images.

    Returns
    -------
    Places
        The choice and the order of images depend on their keys alone, not on the order of rows.

    Examples
    --------
    >>> from geolive.tables import points
    >>> images = gpd.GeoDataFrame({"key": ["k1", "k2"]}, geometry=points([85.1, 85.2], [25.6, 25.6]))
    >>> counts = np.ones((2, 66), np.uint16)
    >>> places = group_images(np.array(["a"]), np.array([[85.1, 25.6]]), images, counts, pd.Series(["a", None]))
    >>> places.n_images.tolist()
    [1]
    """
    row = pd.Index(ids, dtype=object).get_indexer(pd.Index(place_of_image.to_numpy(object), dtype=object))
    return group_numbered_images(ids, positions, images, objects, row, ImageOrder.of(images), features)


@dataclass(frozen=True)
class ImageOrder:
    """What decides which images of a place are used, and in which order; it is computed once for a table of images.

    Parameters
    ----------
    hashes : array of uint64, shape (images,)
        As `key_hash` returns them.
    sequences : array of int64, shape (images, 2), or None
        As `sequences_of` returns them.
    """

    hashes: np.ndarray
    sequences: np.ndarray | None

    @classmethod
    def of(cls, images: gpd.GeoDataFrame) -> "ImageOrder":
        """Compute the order of the images of a table."""
        return cls(key_hash(images["key"].to_numpy(object)), sequences_of(images))


def group_numbered_images(
    ids: np.ndarray,
    positions: np.ndarray,
    images: gpd.GeoDataFrame,
    objects: FeatureArray | None,
    place_of_image: np.ndarray,
    order: ImageOrder,
    features: ImageFeatures | None = None,
) -> Places:
    """Group images by place as `group_images` does, by the numbers of their places.

    Parameters
    ----------
    ids, positions, images, objects, features
        As for `group_images`.
    place_of_image : array of int, shape (images,)
        The row in `ids` of each image's place; -1 for none.
    order : ImageOrder
        Of the same images.

    Examples
    --------
    >>> from geolive.tables import points
    >>> images = gpd.GeoDataFrame({"key": ["k1", "k2"]}, geometry=points([85.1, 85.2], [25.6, 25.6]))
    >>> where, none = np.array([[85.1, 25.6]]), -1
    >>> group_numbered_images(np.array(["a"]), where, images, None, np.array([none, 0]), ImageOrder.of(images)).image_rows
    array([1])
    """
    known = np.flatnonzero(place_of_image >= 0)
    place = place_of_image[known].astype(np.int64)
    sorting = _by_place_and_hash(place, order.hashes[known], images["key"], known)
    place, image = place[sorting], known[sorting]
    first = np.searchsorted(place, place)
    chosen = np.arange(len(place)) - first < MOST_IMAGES
    place, image = place[chosen], image[chosen]
    offsets = np.searchsorted(place, np.arange(len(ids) + 1))
    where = lonlat(images.geometry)[image]
    counts = np.zeros((len(image), N_CLASSES), np.uint16) if objects is None else np.asarray(objects[image], np.uint16)
    return Places(
        np.asarray(ids),
        np.asarray(positions, float),
        offsets,
        where,
        counts,
        None if features is None else features.take(image),
        None if order.sequences is None else order.sequences[image],
        image,
    )


def _by_place_and_hash(place: np.ndarray, hashes: np.ndarray, keys: pd.Series, rows: np.ndarray) -> np.ndarray:
    """Return the order of images by place, then by the hash of their key, then by the key itself.

    `keys` are those of all images, and `rows` says which of them these images are.
    """
    order = np.lexsort((hashes, place))
    tied = (np.diff(place[order]) == 0) & (np.diff(hashes[order]) == 0)
    if not tied.any():
        return order
    # keys are slow to sort by, and hashes hardly ever tie
    return np.lexsort((keys.to_numpy(object)[rows].astype(str), hashes, place))


def natural_order(path: str) -> list:
    """Return a sort key that puts IMG_2 before IMG_10.

    Examples
    --------
    >>> sorted(["a/IMG_10.jpg", "a/IMG_2.jpg"], key=natural_order)
    ['a/IMG_2.jpg', 'a/IMG_10.jpg']
    """
    pieces = [re.split(r"([0-9]+)", part.casefold()) for part in path.split("/")]
    return [[(int(piece), "") if i % 2 else (0, piece) for i, piece in enumerate(part)] for part in pieces] + [path]


def sequences_of(images: gpd.GeoDataFrame) -> np.ndarray | None:
    """Return the sequence of each image and its rank in the order of all images, by time and then by key.

    Parameters
    ----------
    images : GeoDataFrame
        An images table.

    Returns
    -------
    array of int64, shape (images, 2), or None
        Number of the sequence, -1 where an image has no `sequence_id`, and the rank; None where the table has no such column.
        Images of one moment stand in the natural order of their keys (IMG_2 before IMG_10).

    Examples
    --------
    >>> taken = pd.to_datetime(["2020-01-02", "2020-01-01", None])
    >>> sequences_of(pd.DataFrame({"key": list("abc"), "sequence_id": ["s", "s", None], "captured_at": taken})).tolist()
    [[0, 1], [0, 0], [-1, 2]]
    """
    if "sequence_id" not in images.columns:
        return None
    sequence = pd.factorize(images["sequence_id"])[0]
    moment = np.zeros(len(images), np.int64)
    if "captured_at" in images.columns:
        # images without a time come last
        taken = pd.to_datetime(images["captured_at"], utc=True, errors="coerce").dt.tz_localize(None)
        moment = np.unique(taken.to_numpy(), return_inverse=True)[1]
    order = np.argsort(moment, kind="stable")
    # names are slow to compare, and only images of one moment need it
    same = np.diff(moment[order]) == 0
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    rows = order[tied]
    order[tied] = rows[np.lexsort((_padded_numbers(images["key"].to_numpy(object)[rows]), moment[rows]))]
    rank = np.empty(len(images), np.int64)
    rank[order] = np.arange(len(images))
    return np.column_stack([sequence, rank])


def _padded_numbers(keys: np.ndarray) -> np.ndarray:
    """Return keys that sort in natural order: runs of digits of equal length sort as numbers do."""
    return np.array([re.sub(r"\d+", lambda digits: digits[0].zfill(20), key) for key in keys], dtype=object).astype(str)
