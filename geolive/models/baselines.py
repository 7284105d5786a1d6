"""Models that do not use images: chance, the mean, and averages over neighbouring clusters.

A model of images is useful only if it does better than these at the same places and folds.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from geolive.geodesy import chord_to_km, unit_sphere
from geolive.models.interface import Model, check_images, check_integer, check_positive
from geolive.places import Places
from geolive.splits import place_numbers


class Random(Model):
    """Chance: a fair coin for a label, the value of some training cluster for a value.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Seed of the draws.

    Examples
    --------
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[85.1, 25.6], [84.0, 25.0]]))
    >>> Random(task="classification").fit(places, np.array([0.0, 1.0])).predict(places)
    array([1., 1.])
    """

    kind = "random"
    needs_images = False

    def __init__(self, task: str = "regression", *, random_state: int = 0) -> None:
        self.task = task
        self.random_state = random_state

    def fit(self, places: Places, values: np.ndarray) -> "Random":
        """Keep the values to draw from."""
        self.check_parameters()
        self.values_ = np.asarray(values, float)
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Draw a value for each place, shape (n,); it depends on the place's id only, not on the other places."""
        self.check_fitted()
        drawn = pd.util.hash_array(np.asarray(places.ids, object), hash_key=f"{self.random_state % 10**16:016d}")
        lots = np.array([0.0, 1.0]) if self.task == "classification" else self.values_
        return lots[(drawn % len(lots)).astype(np.intp)]


class Mean(Model):
    """The mean of the training clusters at every place; for labels, the share of label 1, so the majority decides.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Not used: the model has nothing random.

    See Also
    --------
    geolive.Neighbours : The mean of the nearest surveyed clusters.
    geolive.Kriging : Kriging of the survey, with or without covariates.

    Examples
    --------
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[85.1, 25.6], [84.0, 25.0]]))
    >>> Mean().fit(places, np.array([1.0, 2.0])).predict(places)
    array([1.5, 1.5])
    """

    kind = "mean"
    needs_images = False

    def __init__(self, task: str = "regression", *, random_state: int = 0) -> None:
        self.task = task
        self.random_state = random_state

    @property
    def name(self) -> str:
        """ "mean" in regression, "majority" in classification."""
        return "majority" if self.task == "classification" else "mean"

    def fit(self, places: Places, values: np.ndarray) -> "Mean":
        """Take the mean."""
        self.check_parameters()
        self.mean_ = np.asarray(values, float).mean()
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Return the mean for each place, shape (n,)."""
        self.check_fitted()
        return np.full(len(places), self.mean_)


class Neighbours(Model):
    """The mean of the nearest training clusters by great-circle distance, with equal weights.

    The predictions equal those of scikit-learn's KNeighborsRegressor with the haversine metric on (latitude,
    longitude) in radians. Clusters at one position count one by one; if not all of them are among the nearest,
    scikit-learn chooses.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Not used: the model has nothing random.
    n_neighbors : int
        Number of clusters in the mean; all training clusters if there are fewer.

    See Also
    --------
    geolive.InverseDistance : Surveyed clusters weighted by distance.
    geolive.Kriging : Kriging of the survey, with or without covariates.

    Examples
    --------
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[85.1, 25.6], [84.0, 25.0]]))
    >>> Neighbours(n_neighbors=1).fit(places, np.array([1.0, 2.0])).predict(places)
    array([1., 2.])
    """

    kind = "neighbours"
    needs_images = False

    def __init__(self, task: str = "regression", *, random_state: int = 0, n_neighbors: int = 10) -> None:
        self.task = task
        self.random_state = random_state
        self.n_neighbors = n_neighbors

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the model cannot use."""
        super().check_parameters()
        check_integer("n_neighbors", self.n_neighbors, 1)

    def fit(self, places: Places, values: np.ndarray) -> "Neighbours":
        """Keep the training clusters in a search tree."""
        from sklearn.neighbors import KNeighborsRegressor

        self.check_parameters()
        self.regressor_ = KNeighborsRegressor(min(self.n_neighbors, len(places)), metric="haversine")
        self.regressor_.fit(_radians(places), np.asarray(values, float))
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Average over the neighbours, shape (n,)."""
        self.check_fitted()
        return self.regressor_.predict(_radians(places)) if len(places) else np.empty(0)


class NeighbourImages(Model):
    """The average over the nearest training images of their clusters' values: the authors' neighbours.

    Each image has one vote. Distances run from the place to the images, on the sphere; the authors took 1,000 images
    and degrees. The model uses where images are, but not what they show.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Not used: the model has nothing random.
    n_neighbors : int
        Number of images that are averaged; all where there are fewer.

    Examples
    --------
    >>> where = np.array([[85.0, 25.0], [85.0, 25.0], [86.0, 25.0]])
    >>> places = Places(np.array(["a", "b"]), where[1:], np.array([0, 2, 3]), where, np.ones((3, 66), np.uint16))
    >>> NeighbourImages(n_neighbors=3).fit(places, np.array([0.0, 3.0])).predict(places)
    array([1., 1.])
    """

    kind = "neighbours-images"

    def __init__(self, task: str = "regression", *, random_state: int = 0, n_neighbors: int = 1000) -> None:
        self.task = task
        self.random_state = random_state
        self.n_neighbors = n_neighbors

    @property
    def name(self) -> str:
        """The number of images."""
        return f"neighbours-{self.n_neighbors}-images"

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the model cannot use."""
        super().check_parameters()
        check_integer("n_neighbors", self.n_neighbors, 1)

    def fit(self, places: Places, values: np.ndarray) -> "NeighbourImages":
        """Keep the training images in a search tree.

        Raises
        ------
        InputError
            A parameter has no such value, or a place has no images.
        """
        from scipy.spatial import cKDTree

        self.check_parameters()
        check_images(places, self.name)
        self.tree_ = cKDTree(unit_sphere(places.image_positions))
        self.values_ = np.repeat(np.asarray(values, float), places.n_images)
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Average over the nearest images, shape (n,)."""
        self.check_fitted()
        nearest = np.arange(1, min(self.n_neighbors, len(self.values_)) + 1)
        _, index = self.tree_.query(unit_sphere(places.positions), k=nearest)
        return self.values_[index].mean(axis=1)


class InverseDistance(Model):
    """The mean of the nearest training places, weighted by a power of the inverse great-circle distance.

    The model first averages the rows at one position to one place, whose weight is the number of its rows. At a
    training place the prediction is that place's mean.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Not used: the model has nothing random.
    n_neighbors : int
        Number of places in the mean; all training places if there are fewer.
    power : float
        With 0 all places have the same weight. With a higher power, the nearest place has more weight.

    See Also
    --------
    geolive.Neighbours : The mean of the nearest surveyed clusters.
    geolive.Kriging : Kriging of the survey, with or without covariates.

    Examples
    --------
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[0.0, 0.0], [3.0, 0.0]]))
    >>> between = Places.without_images(np.array(["c"]), np.array([[1.0, 0.0]]))
    >>> InverseDistance(n_neighbors=2).fit(places, np.array([0.0, 5.0])).predict(between).round(3)
    array([1.])
    """

    kind = "idw"
    needs_images = False

    def __init__(
        self, task: str = "regression", *, random_state: int = 0, n_neighbors: int = 10, power: float = 2.0
    ) -> None:
        self.task = task
        self.random_state = random_state
        self.n_neighbors = n_neighbors
        self.power = power

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the model cannot use."""
        super().check_parameters()
        check_integer("n_neighbors", self.n_neighbors, 1)
        check_positive("power", self.power, zero=True)

    def fit(self, places: Places, values: np.ndarray) -> "InverseDistance":
        """Keep the training places in a search tree."""
        from scipy.spatial import cKDTree

        self.check_parameters()
        together = average_at_places(places.positions, values)
        self.means_, self.rows_ = together.means, together.rows
        self.tree_ = cKDTree(unit_sphere(together.positions))
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Compute the weighted averages, shape (n,)."""
        self.check_fitted()
        nearest = np.arange(1, min(self.n_neighbors, len(self.means_)) + 1)
        chord, index = self.tree_.query(unit_sphere(places.positions), k=nearest)
        # distances relative to the nearest, so that no power overflows; distance 0 counts as a millimetre
        km = np.maximum(chord_to_km(chord), 1e-6)
        weight = self.rows_[index] * (km[:, :1] / km) ** self.power
        weight[km[:, 0] <= 1e-6, 1:] = 0
        return (weight * self.means_[index]).sum(axis=1) / weight.sum(axis=1)


@dataclass(frozen=True)
class AtPlaces:
    """Rows averaged at each coordinate.

    Parameters
    ----------
    positions : array of float, shape (m, 2)
        Longitude and latitude of the distinct places, degrees.
    means : array of float, shape (m,)
        Mean value at each place; of rates, weighted by the numbers of persons.
    rows : array of int, shape (m,)
        Number of rows at each place.
    variance : float
        Variance of rows about the mean of their place, pooled; 0 where no place has two rows.
    sizes : array of float, shape (m,)
        Numbers of persons at each place, all rows together; of values that are no rates, the number of rows.
    covariates : array of float, shape (m, k)
        Means of the rows' covariates.
    """

    positions: np.ndarray
    means: np.ndarray
    rows: np.ndarray
    variance: float
    sizes: np.ndarray
    covariates: np.ndarray


def average_at_places(
    positions: np.ndarray,
    values: np.ndarray,
    sample_sizes: np.ndarray | None = None,
    covariates: np.ndarray | None = None,
) -> AtPlaces:
    """Average the rows at each coordinate.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    values : array of float, shape (n,)
    sample_sizes : array of float, shape (n,), optional
        For rates: the number of persons of each row.
    covariates : array of float, shape (n, k), optional

    Examples
    --------
    >>> found = average_at_places(np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 2.0]]), np.array([1.0, 3.0, 5.0]))
    >>> found.means.tolist(), found.rows.tolist(), found.variance
    ([5.0, 2.0], [1, 2], 2.0)
    """
    values = np.asarray(values, float)
    _, first, place = np.unique(place_numbers(positions), return_index=True, return_inverse=True)
    place, m = place.reshape(-1), len(first)
    rows = np.bincount(place, minlength=m)
    weights = np.ones(len(values)) if sample_sizes is None else np.asarray(sample_sizes, float)
    sizes = np.bincount(place, weights, m)
    means = np.bincount(place, weights * values, m) / sizes
    repeats = int((rows - 1).sum())
    variance = float(((values - means[place]) ** 2).sum() / repeats) if repeats else 0.0
    table = np.zeros((len(values), 0)) if covariates is None else covariates
    averaged = [np.bincount(place, column, m) / rows for column in table.T]
    return AtPlaces(
        np.asarray(positions, float)[first],
        means,
        rows,
        variance,
        sizes,
        np.column_stack(averaged) if averaged else np.zeros((m, 0)),
    )


def _radians(places: Places) -> np.ndarray:
    return np.radians(places.positions[:, ::-1])
