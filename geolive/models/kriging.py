"""Ordinary kriging: the best linear prediction where values are alike the nearer they are."""

import warnings
from typing import Any

import numpy as np

from geolive.geodesy import EARTH_RADIUS_KM, unit_sphere
from geolive.models.baselines import average_at_places
from geolive.models.interface import Model, check_integer
from geolive.places import Places

MOST_FOR_LIKELIHOOD = 500
_BATCH = 512


class Kriging(Model):
    """Local ordinary kriging with an exponential covariance fitted by maximum likelihood.

    The model first averages the rows at one coordinate to one place. The covariance of two places is sill · exp(−d / range);
    d is the straight-line distance through the Earth, which keeps the covariance valid everywhere; up to 900 km it
    differs from the great circle by less than 0.1 %. A place's own value adds a nugget (variation that no distance
    explains) and, where rows repeat, their pooled variance divided by the number of rows. The mean is unknown and may
    differ between regions, since only the nearest training places are used. Predictions smooth: at a training place
    they are not its value.

    Parameters
    ----------
    task : {"regression", "classification"}
        Labels are kriged as numbers, and predictions are clipped to 0 … 1.
    random_state : int
        Seed of the choice of places (at most 500) that the covariance is fitted to.
    n_neighbors : int
        Number of nearest training places to predict from.

    Attributes
    ----------
    sill_, range_km_, nugget_ : float
        The fitted covariance.

    Examples
    --------
    >>> positions = np.column_stack([np.linspace(80, 83, 30), np.full(30, 25.0)])
    >>> places = Places.without_images(np.arange(30).astype(str), positions)
    >>> between = Places.without_images(np.array(["c"]), np.array([[81.03, 25.0]]))
    >>> Kriging().fit(places, np.linspace(0, 3, 30)).predict(between).round(1)
    array([1.])
    """

    kind = "kriging"
    needs_images = False

    def __init__(self, task: str = "regression", *, random_state: int = 0, n_neighbors: int = 64) -> None:
        self.task = task
        self.random_state = random_state
        self.n_neighbors = n_neighbors

    @property
    def params(self) -> dict[str, Any]:
        """The number of neighbours, and the kind of covariance."""
        return super().params | {"covariance": "exponential"}

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the model cannot use."""
        super().check_parameters()
        check_integer("n_neighbors", self.n_neighbors, 1)

    def fit(self, places: Places, values: np.ndarray) -> "Kriging":
        """Fit the covariance, and keep the training places in a search tree."""
        from scipy.spatial import cKDTree

        self.check_parameters()
        positions, self.means_, rows, repeat_variance = average_at_places(places.positions, values)
        self.xyz_ = EARTH_RADIUS_KM * unit_sphere(positions)
        self.tree_ = cKDTree(self.xyz_)
        noise = repeat_variance / rows
        self.sill_, self.range_km_, self.nugget_ = _fit_covariance(self.xyz_, self.means_, noise, self.random_state)
        # a trace of the sill keeps the equations solvable where places almost coincide
        self.noise_ = noise + self.nugget_ + 1e-9 * self.sill_
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Predict values of places, shape (n,)."""
        self.check_fitted()
        xyz = EARTH_RADIUS_KM * unit_sphere(places.positions)
        batches = [self._predict_batch(xyz[start : start + _BATCH]) for start in range(0, len(xyz), _BATCH)]
        predictions = np.concatenate([np.empty(0), *batches])
        return np.clip(predictions, 0, 1) if self.task == "classification" else predictions

    def _predict_batch(self, xyz: np.ndarray) -> np.ndarray:
        km, index = self.tree_.query(xyz, k=np.arange(1, min(self.n_neighbors, len(self.means_)) + 1))
        if self.sill_ == 0:
            return self.means_[index].mean(axis=1)
        near = self.xyz_[index]
        squared = (near**2).sum(axis=2)
        between = squared[:, :, None] + squared[:, None, :] - 2 * near @ near.transpose(0, 2, 1)
        covariance = self.sill_ * np.exp(-np.sqrt(np.maximum(between, 0)) / self.range_km_)
        diagonal = np.arange(index.shape[1])
        covariance[:, diagonal, diagonal] = self.sill_ + self.noise_[index]
        to_place = self.sill_ * np.exp(-km / self.range_km_)
        solved = np.linalg.solve(covariance, np.stack([to_place, np.ones_like(to_place)], axis=2))
        simple, ones = solved[:, :, 0], solved[:, :, 1]
        # weights that sum to 1 need no knowledge of the mean
        missing = (1 - simple.sum(axis=1)) / ones.sum(axis=1)
        return ((simple + missing[:, None] * ones) * self.means_[index]).sum(axis=1)


def _fit_covariance(xyz: np.ndarray, values: np.ndarray, noise: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Estimate sill, range in km and nugget by maximum likelihood; all 0 (range 1) where values do not vary."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    spread = values.std()
    if not spread > 1e-12 * np.abs(values).max():
        return 0.0, 1.0, 0.0
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(values))[:MOST_FOR_LIKELIHOOD])
    extent = float(np.linalg.norm(np.ptp(xyz[chosen], axis=0)))
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(extent / 10, (extent / 1e4, extent * 10), nu=0.5)
    process = GaussianProcessRegressor(
        kernel + WhiteKernel(0.5, (1e-6, 10.0)), alpha=1e-10 + noise[chosen] / spread**2, random_state=seed
    )
    with warnings.catch_warnings():
        # a parameter at its bound, as for values that no distance explains, is an answer and no failure
        warnings.simplefilter("ignore", ConvergenceWarning)
        process.fit(xyz[chosen], (values[chosen] - values[chosen].mean()) / spread)
    fitted = process.kernel_
    sill, nugget = fitted.k1.k1.constant_value * spread**2, fitted.k2.noise_level * spread**2
    return float(sill), float(fitted.k1.k2.length_scale), float(nugget)
