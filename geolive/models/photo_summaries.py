"""Summaries of the photos of a place as vectors of fixed length, for regressions: rates, kinds of photos and others.

Each is a mean over a place's photos, shrunk towards the mean over all training photos, so that a place with few photos is near
the average.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from geolive.errors import InputError
from geolive.model_inputs import parse_inputs, photo_inputs
from geolive.models.photo_sums import PhotoSums, blocks_of_photos, photo_numbers, sum_by_place, with_sums
from geolive.places import Places
from geolive.processors import one_library_thread
from geolive.tables import N_CLASSES

# how many photos of the average place are added to each place's own
PRIOR_PHOTOS = 5.0
KINDS_OF_PHOTOS = 4
MOST_FOR_KINDS = 5000
# number of photos from which spreads of columns are computed
_MOST_FOR_SCALE = 32_768
LEAST_RATE = 1e-4
_LEAST_SHARE = 1e-3
# a column that hardly varies is not enlarged to the spread of the others
_LEAST_SPREAD = 0.1


@dataclass(frozen=True)
class PartMeans:
    """Means over all training photos of one part of the inputs, towards which the summaries of places are shrunk.

    Parameters
    ----------
    x, squares : array of float64, shape (q,)
        Of the numbers of a photo, and of their squared differences from the mean of the place.
    rates : array of float64, shape (66,) or (q,)
        Of the object counts; of image features the same as `x`.
    of_kind : array of float64, shape (kinds, 66) or (kinds, q)
        As `rates`, over the photos of each kind.
    """

    x: np.ndarray
    squares: np.ndarray
    rates: np.ndarray
    of_kind: np.ndarray


@dataclass(frozen=True)
class KindsOfPhotos:
    """Which kind a photo is of: the nearest of some typical photos.

    Parameters
    ----------
    slopes : array of float32, shape (q, kinds)
    offsets : array of float32, shape (kinds,)
        A photo with the numbers x is of the kind with the smallest x · slopes + offsets.
    shares : array of float64, shape (kinds,)
        Share of the training photos that is of each kind.
    """

    slopes: np.ndarray
    offsets: np.ndarray
    shares: np.ndarray

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """Return the kind of each photo, shape (images,), from its numbers, shape (images, q)."""
        return (numbers @ self.slopes + self.offsets).argmin(axis=1)


@dataclass(frozen=True)
class PhotoSummaries:
    """Summaries of places, with what they need to know about the training photos.

    Parameters
    ----------
    inputs : str
        "objects", "features" or "objects,features".
    kinds : KindsOfPhotos
    means : dict of str to PartMeans
        For each part of the inputs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> where = rng.normal([85.0, 25.0], 0.01, (20, 2))
    >>> counts = rng.poisson(1.0, (20, 66)).astype(np.uint16)
    >>> places = Places(np.array(list("abcd")), where[::5], np.arange(0, 21, 5), where, counts)
    >>> {name: view.shape[1] for name, view in fit_summaries(places, "objects", 0).of(places).items()}
    {'object rates': 66, 'object logarithms': 66, 'object kinds': 268, 'object spread': 66, 'object centrality': 66}
    """

    inputs: str
    kinds: KindsOfPhotos
    means: dict[str, PartMeans]

    def of(self, places: Places) -> dict[str, np.ndarray]:
        """Compute the summaries of places that each have a photo; each is an array with a row for each place.

        - `rates`: logarithms of the number of objects of each class in a photo; of image features there are none.
        - `logarithms`: means over photos of log(1 + count), or of image features.
        - `kinds`: the rates, or the means of features, of each kind of photos separately, and the share of that kind.
        - `spread`: how much photos differ within the place.
        - `centrality`: whether objects stand where photos have many neighbours, or where they have few.

        Raises
        ------
        InputError
            The places lack image features, or have another number of them than the training places.
        """
        self._check_features(places)
        summed = with_sums(places, self.inputs)
        sums = {part: summed.sums[part] for part in self.means}
        n_kind, of_kind = _by_kind(places, self.kinds, tuple(self.means))
        return self._from(places.n_images, sums, n_kind, of_kind)

    def _check_features(self, places: Places) -> None:
        if "features" not in self.means or places.features is None:  # `with_sums` says that they are missing
            return
        found, wanted = places.features.size, len(self.means["features"].x)
        if found != wanted:
            raise InputError(
                f"the images have {found} features each, and training saw {wanted}; use the feature set of training"
            )

    def _from(
        self, n_images: np.ndarray, sums: dict[str, PhotoSums], n_kind: np.ndarray, of_kind: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        n, views = n_images[:, None].astype(float), {}
        shares = np.log((n_kind + PRIOR_PHOTOS * self.kinds.shares + _LEAST_SHARE) / (n + PRIOR_PHOTOS))
        for part, own in sums.items():
            means, word = self.means[part], part.removesuffix("s")
            by_kind = (of_kind[part] + PRIOR_PHOTOS * means.of_kind) / (n_kind[..., None] + PRIOR_PHOTOS)
            if part == "objects":
                views[f"{word} rates"] = np.log(_shrunk(own.counts, means.rates, n) + LEAST_RATE)
                by_kind = np.log(by_kind + LEAST_RATE)
            views[f"{word} logarithms" if part == "objects" else f"{word} means"] = _shrunk(own.x, means.x, n)
            views[f"{word} kinds"] = np.concatenate([by_kind.reshape(len(n), -1), shares], axis=1)
            views[f"{word} spread"] = _shrunk(own.squares, means.squares, n)
            views[f"{word} centrality"] = own.centrality / (n + PRIOR_PHOTOS)
        return views

    def widths(self) -> dict[str, int]:
        """Return the number of columns of each summary."""
        kinds = len(self.kinds.shares)
        size = {part: len(means.x) for part, means in self.means.items()}
        return {
            name: size[f"{name.split()[0]}s"] * (kinds if name.endswith("kinds") else 1)
            + kinds * name.endswith("kinds")
            for name in view_names(self.inputs)
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that must be saved, by name."""
        arrays = {f"kinds.{name}": getattr(self.kinds, name) for name in ("slopes", "offsets", "shares")}
        for part, means in self.means.items():
            arrays |= {f"{part}.{name}": getattr(means, name) for name in PartMeans.__dataclass_fields__}
        return arrays

    @classmethod
    def of_arrays(cls, inputs: str, arrays: dict[str, np.ndarray]) -> "PhotoSummaries":
        """Make the summaries again from `arrays`; ValueError where their shapes do not fit together."""
        _check_shapes(inputs, arrays)
        kinds = KindsOfPhotos(**{name: arrays[f"kinds.{name}"] for name in ("slopes", "offsets", "shares")})
        parts = parse_inputs(photo_inputs(inputs))
        means = {
            part: PartMeans(**{n: arrays[f"{part}.{n}"] for n in PartMeans.__dataclass_fields__}) for part in parts
        }
        return cls(photo_inputs(inputs), kinds, means)


def view_names(inputs: str) -> tuple[str, ...]:
    """Return the names of the summaries, in the order of `PhotoSummaries.of`.

    Examples
    --------
    >>> view_names("features")
    ('feature means', 'feature kinds', 'feature spread', 'feature centrality')
    """
    words = {"objects": ("rates", "logarithms"), "features": ("means",)}
    parts = parse_inputs(photo_inputs(inputs))
    return tuple(f"{part[:-1]} {word}" for part in parts for word in (*words[part], "kinds", "spread", "centrality"))


def summary_types(inputs: str) -> dict[str, tuple[str, int]]:
    """Return the type and the number of dimensions of each array that `PhotoSummaries.arrays` returns.

    Examples
    --------
    >>> summary_types("objects")["objects.of_kind"]
    ('float64', 2)
    """
    types = {"kinds.slopes": ("float32", 2), "kinds.offsets": ("float32", 1), "kinds.shares": ("float64", 1)}
    for part in parse_inputs(photo_inputs(inputs)):
        types |= {f"{part}.{name}": ("float64", 1) for name in ("x", "squares", "rates")}
        types[f"{part}.of_kind"] = ("float64", 2)
    return types


def _check_shapes(inputs: str, arrays: dict[str, np.ndarray]) -> None:
    kinds, total = len(arrays["kinds.shares"]), 0
    for part in parse_inputs(photo_inputs(inputs)):
        q = N_CLASSES if part == "objects" else len(arrays[f"{part}.x"])
        total += q
        shapes = {"x": (q,), "squares": (q,), "rates": (q,), "of_kind": (kinds, q)}
        if any(arrays[f"{part}.{name}"].shape != shape for name, shape in shapes.items()):
            raise ValueError("its summaries have other shapes")
    if not kinds or arrays["kinds.slopes"].shape != (total, kinds) or arrays["kinds.offsets"].shape != (kinds,):
        raise ValueError("its kinds of photos have other shapes")


def fit_summaries(places: Places, inputs: str, random_state: int) -> PhotoSummaries:
    """Learn the kinds of photos by k-means, and the means over all training photos.

    Parameters
    ----------
    places : Places
        Training places that each have a photo.
    inputs : str
        "objects", "features" or both.
    random_state : int
        Seed of the choice of photos for k-means, and of its start.
    """
    parts, summed = parse_inputs(photo_inputs(inputs)), with_sums(places, inputs)
    kinds = _fit_kinds(places, parts, random_state)
    n_by_place, of_by_place = _by_kind(places, kinds, parts)
    n, n_kind = len(places.image_positions), n_by_place.sum(axis=0)
    means = {}
    for part in parts:
        own = summed.sums[part]
        rates = (own.counts if part == "objects" else own.x).sum(axis=0) / n
        # the mean of a rare kind is shrunk towards that of all photos
        of_kind = (of_by_place[part].sum(axis=0) + PRIOR_PHOTOS * rates) / (n_kind[:, None] + PRIOR_PHOTOS)
        means[part] = PartMeans(own.x.sum(axis=0) / n, own.squares.sum(axis=0) / n, rates, of_kind)
    return PhotoSummaries(photo_inputs(inputs), replace(kinds, shares=n_kind / n), means)


def _shrunk(sums: np.ndarray, mean: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return means over a place's photos, as if some average photos were among them."""
    return (sums + PRIOR_PHOTOS * mean) / (n + PRIOR_PHOTOS)


def _fit_kinds(places: Places, parts: tuple[str, ...], random_state: int) -> KindsOfPhotos:
    """Find typical photos by k-means on the standardised numbers of photos."""
    from sklearn.cluster import KMeans

    n = len(places.image_positions)
    numbers = _numbers(places, parts, np.arange(0, n, max(1, n // _MOST_FOR_SCALE)))
    mean, spread = numbers.mean(axis=0, dtype=float), numbers.std(axis=0, dtype=float)
    factor = np.where(spread > 0, 1 / np.maximum(spread, _LEAST_SPREAD), 0.0)
    if len(numbers) > MOST_FOR_KINDS:
        rows = np.random.default_rng(random_state).choice(len(numbers), MOST_FOR_KINDS, replace=False)
        numbers = numbers[np.sort(rows)]
    standardised = ((numbers - mean) * factor).astype(np.float32)
    # photos that differ have different sums of this kind, but for chance
    distinct = len(np.unique(standardised @ np.sqrt(np.arange(2, standardised.shape[1] + 2, dtype=np.float32))))
    # sums on several threads would depend on their number
    with one_library_thread():
        fitted = KMeans(min(KINDS_OF_PHOTOS, distinct), n_init=2, random_state=random_state).fit(standardised)
    centres = fitted.cluster_centers_.astype(float)
    # |z - centre|² = |z|² - 2 z · centre + |centre|² with z = (x - mean) · factor, without what all kinds have in common
    slopes = -2 * (centres * factor).T
    offsets = (centres**2).sum(axis=1) + 2 * centres @ (mean * factor)
    return KindsOfPhotos(slopes.astype(np.float32), offsets.astype(np.float32), np.zeros(len(centres)))


def _numbers(places: Places, parts: Sequence[str], images: slice | np.ndarray) -> np.ndarray:
    """Return the numbers of some photos, all parts beside each other."""
    own = [photo_numbers(places, part, images) for part in parts]
    return own[0] if len(own) == 1 else np.concatenate(own, axis=1)


def _by_kind(places: Places, kinds: KindsOfPhotos, parts: Sequence[str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Count the photos of each kind, shape (n, kinds), and sum counts or features by kind, shape (n, kinds, q)."""
    k, n_kind = len(kinds.shares), []
    of_kind: dict[str, list[np.ndarray]] = {part: [] for part in parts}
    for rows, images in blocks_of_photos(places):
        offsets = places.offsets[rows.start : rows.stop + 1] - images.start
        numbers = _numbers(places, parts, images)
        is_kind = kinds.of(numbers)[:, None] == np.arange(k)
        n_kind.append(sum_by_place(is_kind, offsets))
        place = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        for part in parts:
            own = places.objects[images] if part == "objects" else photo_numbers(places, part, images)
            of_kind[part].append(_sum_by_kind(own, place * k + is_kind.argmax(axis=1), (len(offsets) - 1) * k))
    return (
        np.concatenate([np.empty((0, k)), *n_kind]),
        {part: np.concatenate(own).reshape(len(places), k, own[0].shape[1]) for part, own in of_kind.items()},
    )


def _sum_by_kind(numbers: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
    from scipy.sparse import csr_matrix

    ones = np.ones(len(group), np.float64)
    return csr_matrix((ones, (group, np.arange(len(group)))), shape=(n_groups, len(group))) @ numbers.astype(np.float64)
