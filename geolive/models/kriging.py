"""Kriging: the best linear prediction where values are alike the nearer they are, with or without covariates."""

from pathlib import Path
from typing import Any

import numpy as np

from geolive.errors import InputError
from geolive.geodesy import EARTH_RADIUS_KM, unit_sphere
from geolive.model_inputs import parse_inputs
from geolive.models.array_files import load_arrays, save_arrays, unreadable
from geolive.models.baselines import average_at_places
from geolive.models.covariate_inputs import (
    checked_names,
    covariate_scale,
    covariate_words,
    covariates_as_trained,
    training_covariates,
)
from geolive.models.interface import Model, check_integer, settings_of_bundle
from geolive.models.spatial_covariance import Covariance, fit_covariance
from geolive.places import Places
from geolive.processors import one_library_thread
from geolive.rates import binomial_variance

# of more training places only the nearest ones predict a place
MOST_AT_ONCE = 5000
_BATCH = 512
# the arrays that a bundle keeps: their type and number of dimensions; without weights, `weights` is empty
_ARRAYS = dict.fromkeys(("noise", "coefficients", "residuals", "weights", "covariance"), ("float64", 1))
_ARRAYS |= {"xyz": ("float64", 2), "scale": ("float64", 2)}


class Kriging(Model):
    """Kriging with an exponential covariance fitted by restricted maximum likelihood.

    The model first averages the rows at one coordinate to one place. The covariance of two places is sill · exp(−d /
    range). d is the straight-line distance through the Earth, which keeps the covariance valid everywhere; up to 900
    km it differs from the great-circle distance by less than 0.1 %. The variance at a place also contains a nugget
    (variation that distance does not explain) and the known noise of its value. This noise is p(1 − p)/n for a rate.
    If rows repeat, it is their pooled variance divided by the number of rows. The mean is unknown, and with
    covariates it is linear in them (kriging with an external drift, or universal kriging). Predictions are smooth: at
    a training place the prediction is not equal to the value.

    Source: Wackernagel 2003, Multivariate Geostatistics, chapters 11 and 38.

    Parameters
    ----------
    task : {"regression", "classification"}
        Labels are kriged as numbers, and predictions are clipped to [0, 1].
    random_state : int
        Not used: the model has nothing random.
    n_neighbors : int, optional
        Number of nearest training places that a prediction uses. By default all, or 64 if there are more than 5,000.
    inputs : {None, "covariates"}
        Whether the mean is linear in covariates.

    Attributes
    ----------
    covariance_ : Covariance
        Sill, range and nugget.
    coefficients_ : array of float, shape (1 + k,)
        The mean, and its change for one standard deviation of each covariate.
    is_rate_ : bool
        Whether the values were rates; predictions are then clipped to [0, 1].

    See Also
    --------
    geolive.InverseDistance : Surveyed clusters weighted by distance.
    geolive.Neighbours : The mean of the nearest surveyed clusters.

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
    takes_sample_sizes = True

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        n_neighbors: int | None = None,
        inputs: str | None = None,
    ) -> None:
        self.task = task
        self.random_state = random_state
        self.n_neighbors = n_neighbors
        self.inputs = inputs

    @property
    def name(self) -> str:
        """ "kriging", or "kriging-covariates"."""
        return "kriging-covariates" if self.inputs else "kriging"

    @property
    def input_words(self) -> str:  # type: ignore[override]
        """The inputs of the model, in words."""
        return ", ".join(["positions of places", *covariate_words(self)])

    @property
    def params(self) -> dict[str, Any]:
        """The parameters, and the kind of covariance."""
        return super().params | {"covariance": "exponential"}

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the model cannot use."""
        super().check_parameters()
        if self.n_neighbors is not None:
            check_integer("n_neighbors", self.n_neighbors, 1)
        if self.inputs is not None and parse_inputs(self.inputs) != ("covariates",):
            raise InputError(f"inputs={self.inputs!r}: kriging uses covariates or nothing", parameter="inputs")

    def fit(
        self,
        places: Places,
        values: np.ndarray,
        *,
        sample_sizes: np.ndarray | None = None,
        noise: np.ndarray | None = None,
    ) -> "Kriging":
        """Fit the covariance and the mean.

        Parameters
        ----------
        places : Places
        values : array of float, shape (n,)
            Values, labels 0 and 1, or rates.
        sample_sizes : array of float, shape (n,), optional
            For rates: the number of persons that each was measured of.
        noise : array of float, shape (n,), optional
            Known variances of the values' errors, if the values are not rates.

        Raises
        ------
        InputError
            A parameter has no such value, or a covariate is missing.
        """
        from scipy.spatial import cKDTree

        self.check_parameters()
        values = np.asarray(values, float)
        covariates = self._training_covariates(places)
        self.is_rate_ = sample_sizes is not None
        together = average_at_places(places.positions, values, sample_sizes, covariates)
        self.xyz_ = EARTH_RADIUS_KM * unit_sphere(together.positions)
        self.tree_ = cKDTree(self.xyz_)
        self.scale_ = covariate_scale(together.covariates)
        trend = self._trend(together.covariates)
        if sample_sizes is None:
            known = together.variance / together.rows
            if noise is not None:
                # of a mean over rows; repeated rows do not show more than this
                known = average_at_places(places.positions, np.asarray(noise, float)).means / together.rows
            self._fit(together.means, trend, known)
            return self
        # first with the variance of the pooled rate everywhere, then with that of the rate that kriging finds
        pooled = np.average(together.means, weights=together.sizes)
        self._fit(together.means, trend, binomial_variance(np.full(len(trend), pooled), together.sizes))
        smooth = self._predict(self.xyz_, trend)
        self._fit(together.means, trend, binomial_variance(smooth, together.sizes), start=self.covariance_)
        return self

    def _training_covariates(self, places: Places) -> np.ndarray:
        if not self.uses("covariates"):
            return np.zeros((len(places), 0))
        covariates = training_covariates(places, self.name)
        self.covariate_names_ = places.covariate_names
        if covariates.shape[1] + 2 > len(places):
            raise InputError(
                f"{self.name}: {covariates.shape[1]} covariates are too many for {len(places)} places; use fewer, or ridge"
            )
        return covariates

    def _trend(self, covariates: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(covariates)), (covariates - self.scale_[0]) * self.scale_[1]])

    def _fit(self, means: np.ndarray, trend: np.ndarray, noise: np.ndarray, start: Covariance | None = None) -> None:
        from scipy.linalg import cho_factor, cho_solve

        self.covariance_ = covariance = fit_covariance(self.xyz_, means, trend, noise, start)
        # a trace of the sill keeps the equations solvable where places almost coincide
        self.noise_ = noise + covariance.nugget + 1e-9 * covariance.sill
        self.n_used_ = self._number_used(len(means))
        if self.n_used_ >= len(means) and covariance.sill > 0:
            matrix = covariance.between(_km(self.xyz_, self.xyz_))
            matrix[np.diag_indices_from(matrix)] = covariance.sill + self.noise_
            with one_library_thread("blas"):
                factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
                weighed = cho_solve(factor, trend, check_finite=False)
                self.coefficients_ = np.linalg.lstsq(trend.T @ weighed, weighed.T @ means, rcond=None)[0]
                self.residuals_ = means - trend @ self.coefficients_
                self.weights_ = cho_solve(factor, self.residuals_, check_finite=False)
            return
        root = 1 / np.sqrt(self.noise_ + covariance.sill) if covariance.sill > 0 else np.ones(len(means))
        self.coefficients_ = np.linalg.lstsq(trend * root[:, None], means * root, rcond=None)[0]
        self.residuals_, self.weights_ = means - trend @ self.coefficients_, None

    def predict(self, places: Places) -> np.ndarray:
        """Predict values of places, shape (n,); NaN where a place lacks a covariate."""
        self.check_fitted()
        names = self.covariate_names_ if self.uses("covariates") else ()
        trend = self._trend(covariates_as_trained(places, names, self.name))
        predictions = self._predict(EARTH_RADIUS_KM * unit_sphere(places.positions), trend)
        return np.clip(predictions, 0, 1) if self.task == "classification" or self.is_rate_ else predictions

    def _predict(self, xyz: np.ndarray, trend: np.ndarray) -> np.ndarray:
        """Predict places at positions in km, shape (n, 3), with these columns of the mean."""
        starts = range(0, len(xyz), _BATCH)
        near = [self._from_neighbours(xyz[start : start + _BATCH]) for start in starts]
        return trend @ self.coefficients_ + np.concatenate([np.empty(0), *near])

    def _from_neighbours(self, xyz: np.ndarray) -> np.ndarray:
        """Return what training places add to the mean, shape (n,)."""
        covariance = self.covariance_
        if covariance.sill == 0:
            return np.zeros(len(xyz))
        if self.weights_ is not None:
            return covariance.between(_km(xyz, self.xyz_)) @ self.weights_
        km, index = self.tree_.query(xyz, k=np.arange(1, min(self.n_used_, len(self.residuals_)) + 1))
        near = self.xyz_[index]
        squared = (near**2).sum(axis=2)
        between = squared[:, :, None] + squared[:, None, :] - 2 * near @ near.transpose(0, 2, 1)
        matrix = covariance.between(np.sqrt(np.maximum(between, 0)))
        diagonal = np.arange(index.shape[1])
        matrix[:, diagonal, diagonal] = covariance.sill + self.noise_[index]
        to_place = covariance.between(km)
        solved = np.linalg.solve(matrix, np.stack([to_place, np.ones_like(to_place)], axis=2))
        simple, ones = solved[:, :, 0], solved[:, :, 1]
        # weights that sum to 1 need no knowledge of the mean
        missing = (1 - simple.sum(axis=1)) / ones.sum(axis=1)
        return ((simple + missing[:, None] * ones) * self.residuals_[index]).sum(axis=1)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the fitted model to `folder`; `load` needs the returned settings."""
        self.check_fitted()
        covariance = self.covariance_
        arrays = {
            "xyz": self.xyz_,
            "scale": self.scale_,
            "noise": self.noise_,
            "coefficients": self.coefficients_,
            "residuals": self.residuals_,
            "weights": np.empty(0) if self.weights_ is None else self.weights_,
            "covariance": np.array([covariance.sill, covariance.range_km, covariance.nugget]),
        }
        save_arrays({name: np.asarray(array, float) for name, array in arrays.items()}, folder)
        names = {"covariate_names": list(self.covariate_names_)} if self.uses("covariates") else {}
        return {**self.get_params(deep=False), **names, "is_rate": self.is_rate_}

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "Kriging":
        """Read the model that `save` wrote, with the returned settings.

        Raises
        ------
        InputError
            The file is damaged or holds something else, or the settings are not those of `save`.
        """
        settings = dict(settings)
        with settings_of_bundle(folder, cls):
            is_rate, names = bool(settings.pop("is_rate")), settings.pop("covariate_names", ())
            model = cls(**settings)
            model.check_parameters()
            model.covariate_names_ = checked_names(names) if model.uses("covariates") else ()
        arrays = load_arrays(folder, _ARRAYS, "kriging")
        try:
            _check_shapes(arrays, len(model.covariate_names_))
        except ValueError as error:
            raise unreadable(folder, "kriging", error) from error
        model.is_rate_ = is_rate
        model._set_arrays(arrays)
        return model

    def _set_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        from scipy.spatial import cKDTree

        self.xyz_, self.scale_, self.noise_ = arrays["xyz"], arrays["scale"], arrays["noise"]
        self.coefficients_, self.residuals_ = arrays["coefficients"], arrays["residuals"]
        self.weights_ = arrays["weights"] if len(arrays["weights"]) else None
        self.covariance_ = Covariance(*(float(number) for number in arrays["covariance"]))
        self.tree_, self.n_used_ = cKDTree(self.xyz_), self._number_used(len(self.xyz_))

    def _number_used(self, n_places: int) -> int:
        """Return from how many training places the model predicts."""
        return self.n_neighbors or (n_places if n_places <= MOST_AT_ONCE else 64)

    @property
    def importances_(self) -> np.ndarray | None:
        """Absolute change of the mean with each standardised covariate, summing to 1; None without covariates."""
        self.check_fitted()
        sizes = np.abs(self.coefficients_[1:])
        return sizes / sizes.sum() if sizes.any() else None


def _check_shapes(arrays: dict[str, np.ndarray], n_covariates: int) -> None:
    """Raise ValueError where arrays do not fit together, or where a number is not finite."""
    n_places = len(arrays["xyz"])
    shapes = {
        "xyz": (n_places, 3),
        "scale": (2, n_covariates),
        "noise": (n_places,),
        "coefficients": (1 + n_covariates,),
        "residuals": (n_places,),
        "covariance": (3,),
    }
    if not n_places or any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise ValueError("its arrays have other shapes")
    if len(arrays["weights"]) not in (0, n_places):
        raise ValueError("it has a weight for other places")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("a number in it is not finite")
    sill, range_km, nugget = arrays["covariance"]
    if sill < 0 or range_km <= 0 or nugget < 0:
        raise ValueError("its covariance is none")


def _km(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return cdist(one, other)
