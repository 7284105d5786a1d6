"""The inputs of models as columns that can be exchanged among the places of a fold."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from geolive.model_inputs import parse_inputs, photo_inputs
from geolive.models.clusterwise import mean_features
from geolive.models.cross_validation import FittedFold
from geolive.places import ImageFeatures, Places
from geolive.tables import N_CLASSES, vistas_classes

# numbers of columns
Group = tuple[int, ...]


class Inputs(Protocol):
    """The inputs of a model, with columns that can be exchanged among the places of a fold.

    `names` are the names of the columns. `table` has one place in each row; it shows which columns go together.
    """

    @property
    def names(self) -> list[str]:
        """Names of the columns."""

    @property
    def table(self) -> np.ndarray:
        """The columns, shape (n, p)."""

    def size(self, rows: np.ndarray) -> int:
        """Return the bytes that one exchange among these places needs."""

    def predicted(self, fold: FittedFold, groups: Sequence[Group], rng: np.random.Generator) -> np.ndarray:
        """Predict the fold's places after the columns of each group were exchanged, shape (groups, rows)."""


@dataclass(frozen=True)
class Numbers:
    """Inputs of a cluster-wise model, one place in each row; an exchange gives a place the columns of another one of its fold.

    Parameters
    ----------
    table : array of float, shape (n, p)
    names : list of str

    Examples
    --------
    >>> Numbers(np.ones((4, 3)), ["a", "b", "c"]).size(np.array([0, 1]))
    48
    """

    table: np.ndarray
    names: list[str]

    def size(self, rows: np.ndarray) -> int:
        """Return the bytes that one exchange among these places needs."""
        return len(rows) * self.table.shape[1] * 8

    def predicted(self, fold: FittedFold, groups: Sequence[Group], rng: np.random.Generator) -> np.ndarray:
        """Predict the fold's places after the columns of each group were exchanged, shape (groups, rows)."""
        own = self.table[fold.test]
        changed = np.tile(own, (len(groups), 1, 1))
        for number, group in enumerate(groups):
            # the whole group has one order, so that its columns stay together
            changed[number][:, group] = own[rng.permutation(len(own))][:, group]
        return fold.model.predict_table(changed.reshape(-1, own.shape[1])).reshape(len(groups), -1)


@dataclass(frozen=True)
class PhotoColumns:
    """Inputs of a model of photos: columns of each photo, image features and then object counts, and the place's covariates.

    An exchange gives the photos of a place the columns of the photos of another place of its fold, in random order, and
    from the first again where that place has fewer photos. So the differences between photos within a place are kept.

    Parameters
    ----------
    places : Places
    inputs : str

    Examples
    --------
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01]])
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 2]), where, np.ones((2, 66), np.uint16))
    >>> PhotoColumns(places, "objects").names[:2], PhotoColumns(places, "objects").table.shape
    (['Curb', 'Fence'], (1, 66))
    """

    places: Places
    inputs: str

    @property
    def n_features(self) -> int:
        """Number of columns that are image features."""
        return (
            0
            if "features" not in parse_inputs(self.inputs) or self.places.features is None
            else self.places.features.size
        )

    @property
    def n_columns(self) -> int:
        """Number of columns of each photo; covariates follow."""
        return self.n_features + (N_CLASSES if "objects" in parse_inputs(self.inputs) else 0)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        names = input_names(photo_inputs(self.inputs), self.places)[: self.n_columns]
        return [*names, *(self.places.covariate_names if "covariates" in parse_inputs(self.inputs) else ())]

    @property
    def table(self) -> np.ndarray:
        """Means of features, sums of counts, and covariates, shape (n, p)."""
        names = parse_inputs(self.inputs)
        parts = [mean_features(self.places)] if "features" in names else []
        parts += [self.places.counts()[:, :N_CLASSES]] if "objects" in names else []
        parts += [self.places.covariate_columns(self.places.covariate_names)] if "covariates" in names else []
        return np.column_stack(parts)

    def size(self, rows: np.ndarray) -> int:
        """Return the bytes that one exchange among these places needs."""
        return int(self.places.n_images[rows].sum()) * (self.n_features * 4 + N_CLASSES * 2)

    def predicted(self, fold: FittedFold, groups: Sequence[Group], rng: np.random.Generator) -> np.ndarray:
        """Predict the fold's places after the columns of each group were exchanged, shape (groups, rows)."""
        own, f, end = self.places.take(fold.test), self.n_features, self.n_columns
        changed = own.take(np.tile(np.arange(len(own)), len(groups)))
        objects, n = changed.objects.copy(), len(own.objects)
        features = changed.features.read() if changed.features is not None and f else None
        before = own.features.read() if own.features is not None and f else None
        covariates = changed.covariates.copy() if changed.covariates is not None else None
        for number, group in enumerate(groups):
            block, source = slice(number * n, (number + 1) * n), _from_another(own, rng)
            of_objects = [column - f for column in group if f <= column < end]
            objects[block][:, of_objects] = own.objects[source][:, of_objects]
            if features is not None and before is not None:
                of_features = [column for column in group if column < f]
                features[block][:, of_features] = before[source][:, of_features]
            if covariates is not None and own.covariates is not None:
                of_place = [column - end for column in group if column >= end]
                here = slice(number * len(own), (number + 1) * len(own))
                covariates[here][:, of_place] = own.covariates[rng.permutation(len(own))][:, of_place]
        if covariates is not None:
            changed = replace(changed, covariates=covariates)
        if features is not None and own.features is not None:
            changed = replace(changed, features=ImageFeatures(own.features.name, features, np.arange(len(features))))
        return fold.model.predict(replace(changed, objects=objects)).reshape(len(groups), -1)


def _from_another(places: Places, rng: np.random.Generator) -> np.ndarray:
    """Draw for each photo a photo of another place, shape (images,); all photos of a place get theirs from one place."""
    sizes, starts = places.n_images, places.offsets[:-1]
    given = rng.permutation(len(places))
    return np.concatenate(
        [starts[d] + np.resize(rng.permutation(sizes[d]), n) for d, n in zip(given, sizes, strict=True)]
    )


def input_names(inputs: str, places: Places) -> list[str]:
    """Name a model's inputs: features by set and column, classes of objects, the number of images, and covariates.

    Examples
    --------
    >>> input_names("objects", Places.without_images(np.array(["a"]), np.zeros((1, 2))))[-2:]
    ['Void', 'Number of images']
    """
    features = []
    if "features" in parse_inputs(inputs) and places.features is not None:
        features = [f"{places.features.name} {column}" for column in range(places.features.size)]
    names = parse_inputs(inputs)
    covariates = list(places.covariate_names) if "covariates" in names else []
    if names == ("covariates",):
        return covariates
    classes = [*vistas_classes()["name"], "Void"] if "objects" in parse_inputs(inputs) else []
    return [*features, *classes, "Number of images", *covariates]
