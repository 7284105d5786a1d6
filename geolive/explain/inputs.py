"""What models see of places, as columns that can be exchanged among the places of a fold, and models that did not see these."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from geolive.models.clusterwise import mean_features
from geolive.models.interface import Model
from geolive.places import ImageFeatures, Places
from geolive.tables import N_CLASSES, vistas_classes

# numbers of columns
Group = tuple[int, ...]


@dataclass(frozen=True)
class LeftOut:
    """The places of a fold, by row number, and a model fitted to all others."""

    rows: np.ndarray
    model: Model


def left_out_models(
    make_model: Callable[[], Model],
    places: Places,
    values: np.ndarray,
    folds: np.ndarray,
    progress: Callable[[str], None] | None = None,
) -> list[LeftOut]:
    """Fit a model for each fold, to the places outside it.

    Parameters
    ----------
    make_model : callable
        Makes an unfitted model.
    places : Places
    values : array of float, shape (n,)
    folds : array of int, shape (n,)
    progress : callable, optional

    Returns
    -------
    list of LeftOut

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> places = Places.without_images(np.array(list("abc")), np.array([[80.0, 25.0], [81.0, 25.0], [82.0, 25.0]]))
    >>> [fit.rows.tolist() for fit in left_out_models(Mean, places, np.array([0.0, 1.0, 5.0]), np.array([0, 0, 1]))]
    [[0, 1], [2]]
    """
    fits, numbers = [], np.unique(folds)
    for number in numbers:
        if progress:
            progress(f"fitting without fold {len(fits) + 1} of {len(numbers)}")
        learn = np.flatnonzero(folds != number)
        fits.append(LeftOut(np.flatnonzero(folds == number), make_model().fit(places.take(learn), values[learn])))
    return fits


class Inputs(Protocol):
    """What a model sees of places, with columns that can be exchanged among the places of a fold.

    `names` are the columns' names, `table` has a row a place (which columns go together is told from it), `size` is what
    the rows of a fold take in bytes.
    """

    names: list[str]
    table: np.ndarray

    def size(self, rows: np.ndarray) -> int:
        """Bytes that one exchange among these places takes."""

    def predicted(self, fit: LeftOut, groups: Sequence[Group], rng: np.random.Generator) -> np.ndarray:
        """Predictions for the fold's places after each group's columns were exchanged, shape (groups, rows)."""


@dataclass(frozen=True)
class Numbers:
    """Inputs of a forest: a row of numbers a place. An exchange gives each place the columns of another place of its fold.

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
        """Bytes that one exchange among these places takes."""
        return len(rows) * self.table.shape[1] * 8

    def predicted(self, fit: LeftOut, groups: Sequence[Group], rng: np.random.Generator) -> np.ndarray:
        """Predictions for the fold's places after each group's columns were exchanged, shape (groups, rows)."""
        own = self.table[fit.rows]
        changed = np.tile(own, (len(groups), 1, 1))
        for number, group in enumerate(groups):
            # one order for the whole group, so that its columns stay together
            changed[number][:, group] = own[rng.permutation(len(own))][:, group]
        return fit.model.predict_table(changed.reshape(-1, own.shape[1])).reshape(len(groups), -1)


@dataclass(frozen=True)
class PhotoColumns:
    """Inputs of a network of photos: columns of each photo, image features and then object counts.

    An exchange gives the photos of a place the columns of the photos of another place of its fold, in a random order and
    again from the first where that place has fewer: what differs within a place stays, and the place is another's.

    Parameters
    ----------
    places : Places
    vertices : {"obj", "feats", "both"}

    Examples
    --------
    >>> where = np.array([[85.0, 25.0], [85.0, 25.01]])
    >>> places = Places(np.array(["a"]), where[:1], np.array([0, 2]), where, np.ones((2, 66), np.uint16))
    >>> PhotoColumns(places, "obj").names[:2], PhotoColumns(places, "obj").table.shape
    (['Curb', 'Fence'], (1, 66))
    """

    places: Places
    vertices: str

    @property
    def n_features(self) -> int:
        """How many of the columns are image features."""
        return 0 if self.vertices == "obj" else self.places.features.size

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return input_names(self.vertices, self.places)[
            : self.n_features + (N_CLASSES if self.vertices != "feats" else 0)
        ]

    @property
    def table(self) -> np.ndarray:
        """Means of features and sums of counts, shape (n, p)."""
        parts = [] if self.vertices == "obj" else [mean_features(self.places)]
        return np.column_stack([*parts, self.places.counts()[:, :N_CLASSES]][: 1 if self.vertices == "feats" else None])

    def size(self, rows: np.ndarray) -> int:
        """Bytes that one exchange among these places takes."""
        return int(self.places.n_images[rows].sum()) * (self.n_features * 4 + N_CLASSES * 2)

    def predicted(self, fit: LeftOut, groups: Sequence[Group], rng: np.random.Generator) -> np.ndarray:
        """Predictions for the fold's places after each group's columns were exchanged, shape (groups, rows)."""
        own, f = self.places.take(fit.rows), self.n_features
        changed = own.take(np.tile(np.arange(len(own)), len(groups)))
        objects, n = changed.objects.copy(), len(own.objects)
        features = changed.features.read() if f else None
        before = own.features.read() if f else None
        for number, group in enumerate(groups):
            block, source = slice(number * n, (number + 1) * n), _from_another(own, rng)
            of_objects = [column - f for column in group if column >= f]
            objects[block][:, of_objects] = own.objects[source][:, of_objects]
            if f:
                of_features = [column for column in group if column < f]
                features[block][:, of_features] = before[source][:, of_features]
        if f:
            changed = replace(changed, features=ImageFeatures(own.features.name, features, np.arange(len(features))))
        return fit.model.predict(replace(changed, objects=objects)).reshape(len(groups), -1)


def _from_another(places: Places, rng: np.random.Generator) -> np.ndarray:
    """For each photo the photo of another place, one place for all of its place; shape (images,)."""
    sizes, starts = places.n_images, places.offsets[:-1]
    given = rng.permutation(len(places))
    return np.concatenate(
        [starts[d] + np.resize(rng.permutation(sizes[d]), n) for d, n in zip(given, sizes, strict=True)]
    )


def input_names(vertices: str, places: Places) -> list[str]:
    """Names of what a model of these vertices sees of a place: features by set and column, classes, the number of images.

    Examples
    --------
    >>> input_names("obj", Places.without_images(np.array(["a"]), np.zeros((1, 2))))[-2:]
    ['Void', 'Number of images']
    """
    features = [] if vertices == "obj" else [f"{places.features.name} {i}" for i in range(places.features.size)]
    classes = [] if vertices == "feats" else [*vistas_classes()["name"], "Void"]
    return [*features, *classes, "Number of images"]
