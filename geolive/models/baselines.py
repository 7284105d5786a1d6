"""Models that see no images: chance, the mean, and averages over neighbouring clusters.

A model that learns from images must beat these at the same places and folds to be worth its images.
"""

import numpy as np
import pandas as pd

from geolive.geodesy import chord_to_km, unit_sphere
from geolive.models.interface import check_images
from geolive.places import Places
from geolive.splits import place_numbers


class Random:
    """Chance: a fair coin for a label, the value of some training cluster for a value.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int

    Examples
    --------
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[85.1, 25.6], [84.0, 25.0]]))
    >>> Random(task="classification").fit(places, np.array([0.0, 1.0])).predict(places)
    array([1., 1.])
    """

    name = "random"

    def __init__(self, task: str = "regression", seed: int = 0) -> None:
        self.task, self.seed = task, seed
        self.params: dict = {}

    def fit(self, places: Places, values: np.ndarray) -> "Random":
        """Keep the values to draw from."""
        self._values = np.asarray(values, float)
        return self

    def predict(self, places: Places) -> np.ndarray:
        """One draw a place, shape (n,), fixed by its id: whatever else is asked, a place gets the same draw."""
        drawn = pd.util.hash_array(np.asarray(places.ids, object), hash_key=f"{self.seed % 10**16:016d}")
        lots = np.array([0.0, 1.0]) if self.task == "classification" else self._values
        return lots[(drawn % len(lots)).astype(np.intp)]


class Mean:
    """The mean of the training clusters everywhere; of labels, their share of 1, which is the majority's vote.

    Named `mean` in regression, `majority` in classification.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
        Not used.

    Examples
    --------
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[85.1, 25.6], [84.0, 25.0]]))
    >>> Mean().fit(places, np.array([1.0, 2.0])).predict(places)
    array([1.5, 1.5])
    """

    def __init__(self, task: str = "regression", seed: int = 0) -> None:
        self.name = "majority" if task == "classification" else "mean"
        self.task, self.seed = task, seed
        self.params: dict = {}

    def fit(self, places: Places, values: np.ndarray) -> "Mean":
        """Take the mean."""
        self._mean = np.asarray(values, float).mean()
        return self

    def predict(self, places: Places) -> np.ndarray:
        """The mean, shape (n,)."""
        return np.full(len(places), self._mean)


class Neighbours:
    """The average of the k training clusters nearest by great circle, each counting the same.

    Equal to scikit-learn's KNeighborsRegressor with the haversine metric on (latitude, longitude) in radians. Clusters
    at one coordinate count each; where not all of them are among the k, the choice is scikit-learn's.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
        Not used.
    k : int
        Number of neighbours; all training clusters where there are fewer.

    Examples
    --------
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[85.1, 25.6], [84.0, 25.0]]))
    >>> Neighbours(k=1).fit(places, np.array([1.0, 2.0])).predict(places)
    array([1., 2.])
    """

    name = "neighbours"

    def __init__(self, task: str = "regression", seed: int = 0, k: int = 10) -> None:
        self.k, self.task, self.seed = k, task, seed
        self.params = {"k": k}

    def fit(self, places: Places, values: np.ndarray) -> "Neighbours":
        """Keep the training clusters in a search tree."""
        from sklearn.neighbors import KNeighborsRegressor

        self._regressor = KNeighborsRegressor(min(self.k, len(places)), metric="haversine")
        self._regressor.fit(_radians(places), np.asarray(values, float))
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Averages of the neighbours, shape (n,)."""
        return self._regressor.predict(_radians(places)) if len(places) else np.empty(0)


class NeighbourImages:
    """The average of the training clusters of the nearest training images, one vote an image: the authors' neighbours.

    Distances are from the place to the images, on the sphere; the authors took 1,000 images and degrees. What the images
    show is not used.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
        Not used.
    images : int
        Number of images; all where there are fewer.

    Examples
    --------
    >>> where = np.array([[85.0, 25.0], [85.0, 25.0], [86.0, 25.0]])
    >>> places = Places(np.array(["a", "b"]), where[1:], np.array([0, 2, 3]), where, np.ones((3, 66), np.uint16))
    >>> NeighbourImages(images=3).fit(places, np.array([0.0, 3.0])).predict(places)
    array([1., 1.])
    """

    def __init__(self, task: str = "regression", seed: int = 0, images: int = 1000) -> None:
        self.task, self.images = task, images
        self.name, self.params = f"neighbours-{images}-images", {"images": images}

    def fit(self, places: Places, values: np.ndarray) -> "NeighbourImages":
        """Keep the training images in a search tree.

        Raises
        ------
        InputError
            A place has no images.
        """
        from scipy.spatial import cKDTree

        check_images(places, self.name)
        self._tree = cKDTree(unit_sphere(places.image_positions))
        self._values = np.repeat(np.asarray(values, float), places.n_images)
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Averages over the nearest images, shape (n,)."""
        nearest = np.arange(1, min(self.images, len(self._values)) + 1)
        _, index = self._tree.query(unit_sphere(places.positions), k=nearest)
        return self._values[index].mean(axis=1)


class InverseDistance:
    """The average of the k nearest training places, weighted by a power of the inverse great-circle distance.

    Rows at one coordinate are averaged to one place first, which weighs as many times as it has rows; at a training
    place the prediction is that place's mean.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
        Not used.
    k : int
        Number of places; all where there are fewer.
    power : float
        0 is the plain average; the higher, the more the nearest decides.

    Examples
    --------
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[0.0, 0.0], [3.0, 0.0]]))
    >>> between = Places.without_images(np.array(["c"]), np.array([[1.0, 0.0]]))
    >>> InverseDistance(k=2).fit(places, np.array([0.0, 5.0])).predict(between).round(3)
    array([1.])
    """

    name = "idw"

    def __init__(self, task: str = "regression", seed: int = 0, k: int = 10, power: float = 2.0) -> None:
        self.k, self.power, self.task, self.seed = k, power, task, seed
        self.params = {"k": k, "power": power}

    def fit(self, places: Places, values: np.ndarray) -> "InverseDistance":
        """Keep the training places in a search tree."""
        from scipy.spatial import cKDTree

        positions, self._means, self._rows, _ = average_at_places(places.positions, values)
        self._tree = cKDTree(unit_sphere(positions))
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Weighted averages, shape (n,)."""
        nearest = np.arange(1, min(self.k, len(self._means)) + 1)
        chord, index = self._tree.query(unit_sphere(places.positions), k=nearest)
        # distances relative to the nearest, so that no power overflows; a millimetre stands for none
        km = np.maximum(chord_to_km(chord), 1e-6)
        weight = self._rows[index] * (km[:, :1] / km) ** self.power
        weight[km[:, 0] <= 1e-6, 1:] = 0
        return (weight * self._means[index]).sum(axis=1) / weight.sum(axis=1)


def average_at_places(positions: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Average the rows at each coordinate.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    values : array of float, shape (n,)

    Returns
    -------
    positions : array of float, shape (m, 2)
        Of the distinct places.
    means : array of float, shape (m,)
    rows : array of int, shape (m,)
        Number of rows at each place.
    variance : float
        Of rows about the mean of their place, pooled; 0 where no place has two rows.

    Examples
    --------
    >>> average_at_places(np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 2.0]]), np.array([1.0, 3.0, 5.0]))[1:]
    (array([5., 2.]), array([1, 2]), 2.0)
    """
    _, first, place = np.unique(place_numbers(positions), return_index=True, return_inverse=True)
    by_place = pd.Series(np.asarray(values, float)).groupby(place.reshape(-1))
    means, rows = by_place.mean().to_numpy(), by_place.size().to_numpy()
    repeats = int((rows - 1).sum())
    variance = float(((values - means[place.reshape(-1)]) ** 2).sum() / repeats) if repeats else 0.0
    return np.asarray(positions, float)[first], means, rows, variance


def _radians(places: Places) -> np.ndarray:
    return np.radians(places.positions[:, ::-1])
