"""How the error of a prediction grows with the distance from the survey, for models that know positions alone."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np

from geolive.geodesy import chord_to_km, unit_sphere
from geolive.splits import between_folds_km, place_numbers
from geolive.tables import lonlat

# mean squared residuals of so many groups of equally many clusters, by distance
GROUPS = 10


@dataclass(frozen=True)
class DistanceError:
    """The mean squared residual of single places as a monotone function of the distance to the nearest training cluster.

    Parameters
    ----------
    km : array of float, shape (g,)
        Distances, ascending.
    variance : array of float, shape (g,)
        The mean squared residual at each of them, not descending.
    """

    km: np.ndarray
    variance: np.ndarray

    def at(self, km: np.ndarray) -> np.ndarray:
        """Return the mean squared residual at distances in kilometres, interpolated; constant below the first and
        above the last.

        Examples
        --------
        >>> DistanceError(np.array([10.0, 30.0]), np.array([1.0, 2.0])).at(np.array([0.0, 20.0, 90.0]))
        array([1. , 1.5, 2. ])
        """
        return np.interp(km, self.km, self.variance)

    def growth(self, km: np.ndarray, usual: float | np.ndarray) -> np.ndarray:
        """Return how much larger the variance of a prediction is at distances `km` than at usual places; at least 0.

        The deviation of a single place from its surroundings, and the survey's own error, are part of every squared residual
        and do not depend on distance. So they cancel, and what remains is error that all sites of a district share.

        Parameters
        ----------
        km : array of float, shape (n,)
            Distance of each place to the nearest training cluster.
        usual : float, or array of float, shape (n,)
            The mean squared residual, by this function, of the places whose error is already known.

        Examples
        --------
        >>> DistanceError(np.array([10.0, 30.0]), np.array([1.0, 2.0])).growth(np.array([0.0, 20.0, 90.0]), 1.2).round(1)
        array([0. , 0.3, 0.8])
        """
        return np.maximum(self.at(km) - usual, 0.0)


def distance_error(residuals: gpd.GeoDataFrame) -> DistanceError:
    """Learn from out-of-fold residuals how errors grow with distance.

    Residuals exist at two kinds of distance: of clusters whose whole district or block was left out (`prediction`), and of
    clusters that were left out one place at a time (`prediction_near`). Both are sorted by the distance to the nearest cluster
    that the model had seen, and divided into ten groups of equal size; the mean squared residuals of the groups are made
    monotone by isotonic regression.

    Parameters
    ----------
    residuals : GeoDataFrame
        `value`, `prediction`, `fold`, `geometry` and, optionally, `prediction_near`, as
        `geolive.models.trained_model.check_residuals` describes them.

    Returns
    -------
    DistanceError

    Notes
    -----
    Isotonic regression (Barlow et al. 1972) needs no shape of the growth, but says nothing beyond the largest distance at which
    there are residuals: the variance is constant from there on, and too small where errors still grow. Such places are
    outside the area of applicability.

    Examples
    --------
    >>> from geolive.tables import points
    >>> lon = np.repeat(np.arange(40.0), 5) + np.tile(np.arange(5) / 50, 40)
    >>> error = np.where(np.arange(200) % 2 == 0, 1.0, -1.0)
    >>> columns = {"value": 2 * error, "prediction": 0.0, "prediction_near": error, "fold": np.repeat(np.arange(40), 5)}
    >>> error = distance_error(gpd.GeoDataFrame(columns, geometry=points(lon, np.zeros(200))))
    >>> error.at(np.array([2.0, 105.0]))
    array([1., 4.])
    """
    from sklearn.isotonic import IsotonicRegression

    positions, value = lonlat(residuals.geometry), residuals["value"].to_numpy(float)
    kinds = [(between_folds_km(positions, residuals["fold"].to_numpy()), residuals["prediction"].to_numpy(float))]
    if "prediction_near" in residuals:
        kinds.append((_to_next_place(positions), residuals["prediction_near"].to_numpy(float)))
    km = np.concatenate([one for one, _ in kinds])
    squared = np.concatenate([(value - prediction) ** 2 for _, prediction in kinds])
    known = np.isfinite(km) & np.isfinite(squared)
    order = np.argsort(km[known], kind="stable")
    if not len(order):
        return DistanceError(np.zeros(1), np.zeros(1))
    parts = np.array_split(order, min(GROUPS, len(order)))
    distance = np.array([km[known][part].mean() for part in parts])
    mean = np.array([squared[known][part].mean() for part in parts])
    size = np.array([len(part) for part in parts])
    return DistanceError(distance, IsotonicRegression().fit_transform(distance, mean, sample_weight=size))


def nearest_km(positions: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Return the great-circle distance of places to the nearest training cluster.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude and latitude of the places, degrees.
    training : array of float, shape (m, 2)
        The same of the training clusters.

    Returns
    -------
    array of float, shape (n,)
        Kilometres.

    Examples
    --------
    >>> nearest_km(np.array([[0.0, 1.0]]), np.array([[0.0, 0.0], [0.0, 5.0]])).round()
    array([111.])
    """
    from scipy.spatial import cKDTree

    return chord_to_km(cKDTree(unit_sphere(training)).query(unit_sphere(positions))[0])


def _to_next_place(positions: np.ndarray) -> np.ndarray:
    """Compute the distance of each row to the nearest other place, in kilometres; rows at one position are one place."""
    from scipy.spatial import cKDTree

    _, first, place = np.unique(place_numbers(positions), return_index=True, return_inverse=True)
    if len(first) < 2:
        return np.full(len(positions), np.nan)
    sphere = unit_sphere(np.asarray(positions)[first])
    return chord_to_km(cKDTree(sphere).query(sphere, k=2)[0][:, 1])[place.reshape(-1)]
