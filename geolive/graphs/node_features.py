"""Features of vertices: the object counts of an image, its image features, or both, on a scale that training places set."""

import functools
from dataclasses import dataclass, replace

import numpy as np
import torch

from geolive.errors import InputError
from geolive.model_inputs import parse_inputs
from geolive.places import Places
from geolive.tables import N_CLASSES

# A column that hardly varies has a tiny spread, and after scaling a single sighting would outweigh everything else. The least
# spread is in units of log(1 + count) for objects, and of the mean spread of all columns for features.
LEAST_SPREAD = 0.1
_ROWS_AT_ONCE = 16_384
MOST_BYTES_IN_MEMORY = 256 * 2**20
# more images would change means and spreads by less than a percent
_MOST_FOR_SCALE = 32_768


@dataclass(frozen=True)
class VertexScaling:
    """The linear scaling from the numbers of an image to the features of a vertex: (numbers - mean) · factor.

    Object counts are first transformed to log(1 + count). Each column that varies among the training images has about unit
    variance there; a column that does not vary has the factor 0. The scale does not depend on the size of a cluster. With
    both, `geolive.models.modality_scaling` reduces the scale of the part that predicts the values less well.

    Parameters
    ----------
    inputs : str
        "objects", "features" or "objects,features".
    mean, factor : array of float64, shape (f,)
        For 66 object classes, for the image features, or for the features followed by the classes.

    Examples
    --------
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01]])
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 2]), where, np.eye(2, 66, dtype=np.uint16))
    >>> vertices = fit_vertices(places, "objects").of(places)
    >>> vertices.size, vertices.read(np.array([0, 1]))[:, :3].round(2).tolist()
    (66, [[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])
    """

    inputs: str
    mean: np.ndarray
    factor: np.ndarray

    def of(self, places: Places) -> "Vertices":
        """Return the vertices of all images of these places; they are computed when they are read.

        Raises
        ------
        InputError
            The places have no image features, or another number of them than the training places.
        """
        size = self._size_of(places)
        if size != len(self.mean):
            raise InputError(
                f"the images have {size} numbers each, and training saw {len(self.mean)}; use the feature set of training"
            )
        return self._vertices(places)

    def _size_of(self, places: Places) -> int:
        return _size(places, self.inputs)

    def _vertices(self, places: Places) -> "Vertices":
        return Vertices(self, places)


@dataclass(frozen=True)
class Vertices:
    """Vertices of the images of places, computed from the arrays of the places when they are read.

    Parameters
    ----------
    scaling : VertexScaling
    places : Places
    """

    scaling: VertexScaling
    places: Places

    @property
    def size(self) -> int:
        """Number of features of a vertex, f."""
        return len(self.scaling.mean)

    def read(self, images: np.ndarray) -> np.ndarray:
        """Compute the vertices of these images of the places, float32, shape (images, f).

        Raises
        ------
        InputError
            An image has a feature that is not a number.
        """
        factor = torch.from_numpy(self.scaling.factor.astype(np.float32))
        shift = torch.from_numpy((-self.scaling.mean * self.scaling.factor).astype(np.float32))
        vertices, start = torch.empty(len(images), self.size), 0
        for part in _parts(self.places, self.scaling.inputs, images):
            columns = slice(start, start + part.shape[1])
            torch.addcmul(shift[columns], part, factor[columns], out=vertices[:, columns])
            start = columns.stop
        return vertices.numpy()

    def computed(self) -> "Vertices":
        """Return the same vertices, computed once and kept in memory, where they take less than 256 MB."""
        n = len(self.places.image_positions)
        if n * self.size * np.dtype(np.float32).itemsize > MOST_BYTES_IN_MEMORY:
            return self
        return ComputedVertices(self.scaling, self.places, self.read(np.arange(n)), np.arange(n))

    def keep_images(self, images: np.ndarray, places: Places) -> "Vertices":
        """Return the vertices of some images only, which are those of `places`."""
        return replace(self, places=places)


@dataclass(frozen=True)
class ComputedVertices(Vertices):
    """Vertices that are in memory.

    Parameters
    ----------
    scaling, places
        As for `Vertices`.
    array : array of float32, shape (n, f)
    rows : array of int, shape (images,)
        The row of `array` of each image of the places.
    """

    array: np.ndarray
    rows: np.ndarray

    def read(self, images: np.ndarray) -> np.ndarray:
        """Return the vertices of these images, float32, shape (images, f)."""
        return self.array.take(self.rows[images], axis=0)

    def keep_images(self, images: np.ndarray, places: Places) -> "ComputedVertices":
        """Return the vertices of some images only, which are those of `places`."""
        return replace(self, places=places, rows=self.rows[images])


def fit_vertices(places: Places, inputs: str) -> VertexScaling:
    """Learn the scale of vertices from the images of training places; of more than 65,535 images an evenly spaced part is used.

    Parameters
    ----------
    places : Places
        Places that together have at least one image.
    inputs : str
        "objects", "features" or "objects,features".

    Raises
    ------
    InputError
        The places lack image features that `inputs` names, or a feature is not a number.

    Examples
    --------
    >>> fit_vertices(Places.without_images(np.array(["a"]), np.zeros((1, 2))), "features")
    Traceback (most recent call last):
    geolive.errors.InputError: inputs='features': the places have no image features; add some with embed or ingest features
    """
    if "covariates" in parse_inputs(inputs):
        raise InputError(f"inputs={inputs!r}: photos have object counts and features; covariates belong to places")
    size, n = _size(places, inputs), len(places.image_positions)
    if n == 0:
        raise InputError("none of the places has an image, so there is nothing to train on")
    total, squares = np.zeros(size), np.zeros(size)
    origin: list[torch.Tensor] | None = None
    every = max(1, n // _MOST_FOR_SCALE)
    chosen = np.arange(0, n, every)
    for start in range(0, len(chosen), _ROWS_AT_ONCE):
        rows = chosen[start : start + _ROWS_AT_ONCE]
        parts = _parts(places, inputs, rows)
        # relative to the mean of the first block, so that squares do not cancel
        origin = [part.mean(0) for part in parts] if origin is None else origin
        for part, middle in zip(parts, origin, strict=True):
            part -= middle
        total += torch.cat([part.sum(0) for part in parts]).double().numpy()
        squares += torch.cat([part.square_().sum(0) for part in parts]).double().numpy()
    mean = total / len(chosen)
    spread = np.sqrt(np.maximum(squares / len(chosen) - np.square(mean), 0))
    assert origin is not None
    return VertexScaling(inputs, torch.cat(origin).double().numpy() + mean, _factor(spread, inputs))


def _factor(spread: np.ndarray, inputs: str) -> np.ndarray:
    objects = N_CLASSES if "objects" in parse_inputs(inputs) else 0
    features, counts = spread[: len(spread) - objects], spread[len(spread) - objects :]
    least = np.r_[
        np.full(len(features), LEAST_SPREAD * features.mean() if len(features) else 0.0),
        np.full(len(counts), LEAST_SPREAD),
    ]
    return np.where(spread > 0, 1 / np.maximum(spread, np.maximum(least, np.finfo(float).tiny)), 0.0)


def _size(places: Places, inputs: str) -> int:
    names = parse_inputs(inputs)
    if "features" in names and places.features is None:
        raise InputError(
            f"inputs={inputs!r}: the places have no image features; add some with embed or ingest features"
        )
    features = 0 if "features" not in names or places.features is None else places.features.size
    return features + (N_CLASSES if "objects" in names else 0)


def _parts(places: Places, inputs: str, images: np.ndarray) -> list[torch.Tensor]:
    """Return the numbers of these images before scaling, float32: features, then log(1 + count)."""
    parts, names = [], parse_inputs(inputs)
    if "features" in names and places.features is not None:
        # torch converts float16 several times faster than numpy does
        features = torch.from_numpy(np.asarray(places.features.array[places.features.rows[images]])).float()
        # the sum is finite only where all numbers are
        if not features.sum().isfinite() and not features.isfinite().all():
            _refuse(places, places.features.name, images[int(features.isfinite().all(1).int().argmin())])
        parts.append(features)
    if "objects" in names:
        parts.append(torch.from_numpy(_log_table()[places.objects[images]]))
    return parts


@functools.cache
def _log_table() -> np.ndarray:
    """Return log(1 + count) for all counts that a uint16 can hold."""
    return np.log1p(np.arange(2**16), dtype=np.float32)


def _refuse(places: Places, name: str, image: int) -> None:
    place = places.ids[np.searchsorted(places.offsets, image, side="right") - 1]
    raise InputError(
        f"feature set {name!r}: an image of place {str(place)!r} has features that are not numbers; "
        "make the feature set again"
    )
