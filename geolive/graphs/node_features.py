"""What a graph sees of an image: object counts, image features, or both, on a scale learnt from the training places."""

import functools
from dataclasses import dataclass

import numpy as np
import torch

from geolive.errors import InputError
from geolive.places import Places
from geolive.tables import N_CLASSES

KINDS = ("obj", "feats", "both")
# a column that hardly varies would have a tiny spread, and one sighting would outweigh all else; in units of log(1 + count)
# for objects, and of the mean spread of all columns for features
LEAST_SPREAD = 0.1
_ROWS_AT_ONCE = 16_384
# means and spreads of more images would be the same to a fraction of a percent
_MOST_FOR_SCALE = 32_768


@dataclass(frozen=True)
class VertexScaling:
    """How an image's numbers become the features of a vertex: less `mean`, times `factor`.

    Object counts enter as log(1 + count). Every column that varies in training has about unit variance there; a column that
    never varies has the factor 0. Nothing depends on the size of a cluster. With "both", `models.modality_scaling` makes the part
    that tells less of the values smaller.

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
        factor = torch.from_numpy(self.scaling.factor.astype(np.float32))
        shift = torch.from_numpy((-self.scaling.mean * self.scaling.factor).astype(np.float32))
        found, start = torch.empty(len(images), self.size), 0
        for part in _parts(self.places, self.scaling.kind, images):
            columns = slice(start, start + part.shape[1])
            torch.addcmul(shift[columns], part, factor[columns], out=found[:, columns])
            start = columns.stop
        return found.numpy()


def fit_vertices(places: Places, kind: str) -> VertexScaling:
    """Learn the scale of vertices from the images of training places: all, or every so many of more than 65,535.

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
    every = max(1, n // _MOST_FOR_SCALE)
    chosen = np.arange(0, n, every)
    for start in range(0, len(chosen), _ROWS_AT_ONCE):
        rows = chosen[start : start + _ROWS_AT_ONCE]
        parts = _parts(places, kind, rows)
        # about the first block's mean, so that squares do not cancel
        origin = [part.mean(0) for part in parts] if origin is None else origin
        for part, middle in zip(parts, origin, strict=True):
            part -= middle
        total += torch.cat([part.sum(0) for part in parts]).double().numpy()
        squares += torch.cat([part.square_().sum(0) for part in parts]).double().numpy()
    mean = total / len(chosen)
    spread = np.sqrt(np.maximum(squares / len(chosen) - np.square(mean), 0))
    return VertexScaling(kind, torch.cat(origin).double().numpy() + mean, _factor(spread, kind))


def _factor(spread: np.ndarray, kind: str) -> np.ndarray:
    objects = 0 if kind == "feats" else N_CLASSES
    features, counts = spread[: len(spread) - objects], spread[len(spread) - objects :]
    least = np.r_[
        np.full(len(features), LEAST_SPREAD * features.mean() if len(features) else 0.0),
        np.full(len(counts), LEAST_SPREAD),
    ]
    return np.where(spread > 0, 1 / np.maximum(spread, np.maximum(least, np.finfo(float).tiny)), 0.0)


def _size(places: Places, kind: str) -> int:
    if kind != "obj" and places.features is None:
        raise InputError(
            f"vertices {kind!r} need image features, and there are none; add some with embed or ingest features"
        )
    return (places.features.size if kind != "obj" else 0) + (N_CLASSES if kind != "feats" else 0)


def _parts(places: Places, kind: str, images: np.ndarray) -> list[torch.Tensor]:
    """The numbers of these images before scaling, float32: features, then log(1 + count)."""
    parts = []
    if kind != "obj":
        # torch converts float16 several times faster than numpy
        features = torch.from_numpy(np.asarray(places.features.array[places.features.rows[images]])).float()
        # a sum is a number only where all are
        if not features.sum().isfinite() and not features.isfinite().all():
            _refuse(places, images[int(features.isfinite().all(1).int().argmin())])
        parts.append(features)
    if kind != "feats":
        parts.append(torch.from_numpy(_log_table()[places.objects[images]]))
    return parts


@functools.cache
def _log_table() -> np.ndarray:
    """log(1 + count) of all counts that an uint16 can be."""
    return np.log1p(np.arange(2**16), dtype=np.float32)


def _refuse(places: Places, image: int) -> None:
    place = places.ids[np.searchsorted(places.offsets, image, side="right") - 1]
    raise InputError(
        f"feature set {places.features.name!r}: an image of place {str(place)!r} has features that are no numbers; "
        "make the feature set again"
    )
