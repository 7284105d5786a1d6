"""What a graph sees of an image: object counts, image features, or both, on a scale learnt from the training places."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from geolive.clusters import Places
from geolive.errors import InputError
from geolive.tables import N_CLASSES

KINDS = ("obj", "feats", "both")
# a column that hardly varies would have a tiny spread, and one sighting would outweigh all else; in units of log(1 + count)
# for objects, and of the mean spread of all columns for features
LEAST_SPREAD = 0.1
_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True)
class VertexScaling:
    """How an image's numbers become the features of a vertex: less `mean`, times `factor`.

    Object counts enter as log(1 + count). Every column that varies in training has about unit variance there; a column that
    never varies has the factor 0. With "both", object counts and image features each make up half of the expected squared norm of
    a vertex, whatever the size of its cluster.

    Parameters
    ----------
    kind : {"obj", "feats", "both"}
    mean, factor : array of float64, shape (f,)
        Of 66 object classes, of the image features, or of the features and then the classes.

    Examples
    --------
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01]])
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 2]), where, np.eye(2, 66, dtype=np.uint16))
    >>> vertices = fit_vertices(places, "obj").of(places)
    >>> vertices.size, vertices.read(np.array([0, 1]))[:, :3].round(2).tolist()
    (66, [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])
    """

    kind: str
    mean: np.ndarray
    factor: np.ndarray

    def of(self, places: Places) -> "Vertices":
        """The vertices of all images of these places, to be made when they are needed.

        Raises
        ------
        InputError
            The places have no image features, or other ones than those of training.
        """
        size = _size(places, self.kind)
        if size != len(self.mean):
            raise InputError(
                f"the images have {size} numbers each, and training saw {len(self.mean)}; use the feature set of training"
            )
        return Vertices(self, places)


@dataclass(frozen=True)
class Vertices:
    """Vertices of the images of places; nothing is held beside the places' own arrays.

    Parameters
    ----------
    scaling : VertexScaling
    places : Places
    """

    scaling: VertexScaling
    places: Places

    @property
    def size(self) -> int:
        """Features of a vertex, f."""
        return len(self.scaling.mean)

    def read(self, images: np.ndarray) -> np.ndarray:
        """The vertices of these images of the places, float32, shape (images, f).

        Raises
        ------
        InputError
            An image has features that are no numbers.
        """
        found = _raw(self.places, self.scaling.kind, images)
        found -= self.scaling.mean.astype(np.float32)
        found *= self.scaling.factor.astype(np.float32)
        return found


def fit_vertices(places: Places, kind: str) -> VertexScaling:
    """Learn the scale of vertices from training places, in one pass over their images.

    Parameters
    ----------
    places : Places
        With an image at least.
    kind : {"obj", "feats", "both"}

    Raises
    ------
    InputError
        The places have no image features and `kind` asks for some, or some features are no numbers.

    Examples
    --------
    >>> fit_vertices(Places.without_images(np.array(["a"]), np.zeros((1, 2))), "feats")
    Traceback (most recent call last):
    geolive.errors.InputError: vertices 'feats' need image features, and there are none; add some with embed or ingest features
    """
    if kind not in KINDS:
        raise InputError(f"vertices {kind!r}: no such kind; choose {', '.join(KINDS)}")
    size, n = _size(places, kind), len(places.image_positions)
    if n == 0:
        raise InputError("none of the places has an image, so there is nothing to learn from")
    total, squares, origin = np.zeros(size), np.zeros(size), None
    for rows in _blocks(n):
        block = _raw(places, kind, rows).astype(np.float64)
        # about the first block's mean, so that squares do not cancel
        origin = block.mean(axis=0) if origin is None else origin
        block -= origin
        total += block.sum(axis=0)
        squares += np.square(block, out=block).sum(axis=0)
    spread = np.sqrt(np.maximum(squares / n - np.square(total / n), 0))
    return VertexScaling(kind, origin + total / n, _factor(spread, kind))


def _factor(spread: np.ndarray, kind: str) -> np.ndarray:
    features = spread[: len(spread) - N_CLASSES] if kind == "both" else spread if kind == "feats" else spread[:0]
    objects = spread[len(features) :]
    parts = []
    for part, least in ((features, LEAST_SPREAD * features.mean() if len(features) else 0.0), (objects, LEAST_SPREAD)):
        factor = np.where(part > 0, 1 / np.maximum(part, max(least, np.finfo(float).tiny)), 0.0)
        norm = np.sqrt(np.square(part * factor).sum())
        # alone, a part keeps unit variance a column; together, each has half of all columns' variance
        share = np.sqrt(len(spread) / 2) / norm if kind == "both" and norm > 0 else 1.0
        parts.append(factor * share)
    return np.concatenate(parts)


def _size(places: Places, kind: str) -> int:
    if kind != "obj" and places.features is None:
        raise InputError(
            f"vertices {kind!r} need image features, and there are none; add some with embed or ingest features"
        )
    return (places.features.size if kind != "obj" else 0) + (N_CLASSES if kind != "feats" else 0)


def _raw(places: Places, kind: str, images: np.ndarray | slice) -> np.ndarray:
    """The numbers of these images before scaling, float32, in memory of their own."""
    objects = np.log1p(places.objects[images], dtype=np.float32) if kind != "feats" else None
    if kind == "obj":
        return objects
    features = places.features.read(images)
    # a sum is a number only where all are
    if not np.isfinite(features.sum()) and not np.isfinite(features).all():
        image = np.flatnonzero(~np.isfinite(features).all(axis=1))[0]
        row = np.arange(len(places.image_positions))[images][image]
        place = places.ids[np.searchsorted(places.offsets, row, side="right") - 1]
        raise InputError(
            f"feature set {places.features.name!r}: an image of place {str(place)!r} has features that are no numbers; "
            "make the feature set again"
        )
    return features.copy() if objects is None else np.hstack([features, objects])


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(n, start + _ROWS_AT_ONCE)) for start in range(0, n, _ROWS_AT_ONCE))
