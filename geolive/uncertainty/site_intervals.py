"""Errors of predictions at the sites of a map, some of which lie beside surveyed places and others far from any.

A model that was fitted without a whole district predicts that district from farther away than the final model predicts most
sites, which lie among its training clusters. So training keeps two sets of residuals: of clusters whose whole district was left
out (`prediction`), and of clusters that were left out one place at a time (`prediction_near`).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from geolive.geodesy import chord_to_km, unit_sphere
from geolive.splits import between_folds_km
from geolive.uncertainty.conformal import PlaceError, place_error
from geolive.uncertainty.district_intervals import DistrictError, district_error


@dataclass(frozen=True)
class SiteErrors:
    """Errors at sites far from all training clusters and at sites near some.

    Parameters
    ----------
    far, near : tuple of PlaceError, DistrictError and float
        What each kind of residuals shows, and the mean variance at the training clusters.
    """

    far: tuple[PlaceError, DistrictError, float]
    near: tuple[PlaceError, DistrictError, float]

    def half_width(
        self, n_images: np.ndarray, near: np.ndarray, level: float, survey_variance: float = 0.0
    ) -> np.ndarray:
        """Return half the width of the interval of each site, as `PlaceError.half_width`; shape (n,)."""
        far, close = (place.half_width(n_images, level, survey_variance) for place, _, _ in (self.far, self.near))
        return np.where(near, close, far)

    def of_districts(self, n_images: np.ndarray, near: np.ndarray) -> DistrictError:
        """Compute the error of districts; its `shared` has a value for each site, shape (n,).

        The shared error of training clusters is scaled by how much larger errors are at a site with so many images, because a
        model that sees few photos predicts near the mean at all sites of a district alike.
        """
        far, close = (
            district.shared * (place.variance(n_images) / usual if usual > 0 else np.ones(len(n_images)))
            for place, district, usual in (self.far, self.near)
        )
        return replace(self.far[1], shared=np.where(near, close, far))


def site_errors(residuals: pd.DataFrame) -> SiteErrors:
    """Learn the errors from out-of-fold residuals.

    Parameters
    ----------
    residuals : DataFrame
        As `geolive.models.trained_model.check_residuals` describes them. Without `prediction_near`, errors near training clusters
        are assumed to be as large as far from them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"value": rng.normal(size=80), "prediction": 0.0, "district_id": np.repeat(np.arange(20), 4)})
    >>> errors = site_errors(table.assign(prediction_near=table["value"] / 2))
    >>> far, near = errors.half_width(np.array([9, 9]), np.array([False, True]), 0.9)
    >>> round(float(near / far), 6)
    0.5
    """
    far = _learnt(residuals)
    if "prediction_near" not in residuals or residuals["prediction_near"].isna().any():
        return SiteErrors(far, far)
    return SiteErrors(far, _learnt(residuals.assign(prediction=residuals["prediction_near"])))


def _learnt(residuals: pd.DataFrame) -> tuple[PlaceError, DistrictError, float]:
    place = place_error(residuals)
    n = residuals["n_images"].to_numpy() if "n_images" in residuals else np.ones(len(residuals))
    return place, district_error(residuals), float(place.variance(n).mean())


def are_near(positions: np.ndarray, training: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return whether sites are nearer to a training cluster than most clusters are to one outside their fold.

    Parameters
    ----------
    positions : array, shape (n, 2)
        Longitude, latitude of the sites in degrees.
    training : array, shape (m, 2)
        Longitude, latitude of the training clusters.
    folds : array of int, shape (m,)
        The folds of whole districts.

    Returns
    -------
    array of bool, shape (n,)

    Examples
    --------
    >>> training = np.array([[80.0, 25.0], [80.1, 25.0], [81.0, 25.0], [81.1, 25.0]])
    >>> are_near(np.array([[80.05, 25.1], [83.0, 25.0]]), training, np.array([0, 0, 1, 1])).tolist()
    [True, False]
    """
    from scipy.spatial import cKDTree

    usual = np.median(between_folds_km(training, folds))
    return chord_to_km(cKDTree(unit_sphere(training)).query(unit_sphere(positions))[0]) < usual
