"""The unit-level model of Battese, Harter and Fuller (1988): survey clusters within districts, and covariates."""

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from geolive.errors import InputError
from geolive.estimation.area_checks import Values, check_choice, check_level
from geolive.estimation.design_matrix import DesignMatrix, check_rank, label
from geolive.estimation.unit_mse import Targets, bootstrap_mse, eblup, second_order_mse
from geolive.estimation.unit_variance import METHODS, fit_units, unit_sums

Array = NDArray[np.float64]


class NestedError(BaseEstimator):
    """Empirical best linear unbiased predictor (EBLUP) of the means of areas, from units and their covariates.

    The model of unit j in area i is y_ij = x_ij' b + u_i + e_ij, with area effects u_i ~ N(0, sigma2_u) and errors e_ij ~
    N(0, sigma2_e / k_ij), where k_ij is 1 or, for the mean of k_ij households, their number. The estimate of an area's
    mean is X_i' b + gamma_i (ybar_i - xbar_i' b): X_i is the mean of the covariates over the whole area, ybar_i and
    xbar_i are means of its units weighted by k, and gamma_i = sigma2_u / (sigma2_u + sigma2_e / k_i.). An area without
    units gets the synthetic value X_i' b.

    Use it where the covariates are known at each unit and their means are known for each area. The covariate of geolive is a
    model's prediction: at each unit the cross-fitted one, from a model that was fitted without the unit's district, and for
    each area the mean over all its sites. Do not use it where the survey chose its units by what is measured (an informative
    design), since survey weights do not enter; use `FayHerriot` on design-weighted direct estimates there. The units are
    taken to be a negligible share of their area.

    Parameters
    ----------
    method : {"reml", "ml", "amrl", "ampl"}
        Estimator of the variances. reml and ml can give sigma2_u = 0, and then ignore the survey in every area; the adjusted
        likelihoods amrl and ampl (Li and Lahiri 2010) never do.
    fit_intercept : bool
        Whether the regression has an intercept.
    level : float
        Probability of the intervals.
    mse : {"formula", "bootstrap"}
        Second-order formula, or parametric bootstrap, which is slower and better where areas are few.
    n_bootstrap : int
        Number of bootstrap samples.
    random_state : int
        Seed of the bootstrap.

    Attributes
    ----------
    sigma2_u_, sigma2_e_ : float
        Variance of the area effects, and of a unit's error where its k is 1.
    coefficients_ : DataFrame
        `coefficient`, `standard_error`, `z` and `p_value` of each column of the design matrix.
    log_likelihood_ : float
        At the estimated variances; restricted for reml and amrl.
    areas_ : Index
        Areas that have units, sorted.
    n_units_ : int

    See Also
    --------
    geolive.estimation.fay_herriot.FayHerriot : The area-level model.

    References
    ----------
    Battese, Harter and Fuller (1988), JASA 83; Prasad and Rao (1990), JASA 85; Datta and Lahiri (2000), Statistica Sinica
    10; Li and Lahiri (2010), J. Multivariate Analysis 101; Rao and Molina (2015), Small Area Estimation, chapter 7.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> district = np.repeat(list("abcdefgh"), 6)
    >>> units = pd.DataFrame({"predicted": rng.normal(size=48)})
    >>> value = units["predicted"] + rng.normal(size=8).repeat(6) + rng.normal(size=48)
    >>> model = NestedError().fit(units, value, district)
    >>> districts = pd.DataFrame({"predicted": [0.0, 0.5]}, index=["a", "z"])
    >>> model.predict(districts)[["n_units", "direct", "synthetic", "estimate", "gamma"]].round(2)
       n_units  direct  synthetic  estimate  gamma
    a        6    1.51       0.32      1.29   0.88
    z        0     NaN       0.79      0.79   0.00
    """

    def __init__(
        self,
        method: str = "reml",
        *,
        fit_intercept: bool = True,
        level: float = 0.9,
        mse: str = "formula",
        n_bootstrap: int = 200,
        random_state: int = 0,
    ) -> None:
        self.method = method
        self.fit_intercept = fit_intercept
        self.level = level
        self.mse = mse
        self.n_bootstrap = n_bootstrap
        self.random_state = random_state

    def fit(self, covariates: pd.DataFrame, values: Values, areas: Values, k: Values | None = None) -> Self:
        """Estimate the variances and the coefficients.

        Parameters
        ----------
        covariates : DataFrame of n units
            Numeric columns; text columns become dummies.
        values : Series or array of length n
            What the survey measured.
        areas : Series or array of length n
            The area of each unit.
        k : Series or array of length n, optional
            The error of a unit has variance sigma2_e / k: for a cluster's mean, the number of its households.

        Returns
        -------
        NestedError
            The estimator itself.

        Raises
        ------
        InputError
            A parameter or a value cannot be used, every area has one unit, covariates are collinear or too many, or the
            estimation does not converge.
        """
        check_choice("method", self.method, list(METHODS))
        check_choice("mse", self.mse, ["formula", "bootstrap"])
        check_level(self.level)
        y = unit_numbers("values", values, covariates.index)
        weight = np.ones(len(y)) if k is None else unit_numbers("k", k, covariates.index)
        if (weight <= 0).any():
            row = label(covariates.index[weight <= 0][0])
            raise InputError(
                f"k: {row}: is {weight[weight <= 0][0]:g}, and must be above 0; drop units without households"
            )
        number, self.areas_ = area_numbers(areas, covariates.index)
        self.design_ = DesignMatrix.learn(covariates, self.fit_intercept)
        design = self.design_.transform(covariates)
        names = self.design_.names
        check_rank(design, names)
        check_enough(len(y), len(self.areas_), names)
        # standardised, so that the cross products are as exact as the covariates are
        self._scale = np.where(np.abs(design).max(axis=0) > 0, np.sqrt((design**2).mean(axis=0)), 1.0)
        self._sums = unit_sums(design / self._scale, y, number, len(self.areas_), weight)
        if self._sums.within_yy <= 1e-12 * max(float(weight @ y**2), 1e-300):
            raise InputError(
                "values: do not vary within any area, so their error cannot be estimated; check that each unit has its own value"
            )
        self._fit = fit_units(self._sums, self.method)
        self.n_units_ = len(y)
        self.sigma2_u_, self.sigma2_e_ = self._fit.sigma2_u, self._fit.sigma2_e
        self.log_likelihood_ = self._fit.log_likelihood
        self.coefficients_ = _coefficient_table(
            names, self._fit.coefficients / self._scale, np.sqrt(np.diag(self._fit.covariance)) / self._scale
        )
        return self

    def predict(self, area_covariates: pd.DataFrame, covariate_variance: pd.DataFrame | None = None) -> pd.DataFrame:
        """Estimate the means of areas.

        Parameters
        ----------
        area_covariates : DataFrame of d areas
            Means of the covariates over each whole area; the index names the areas. Give the shares of each level of a text
            covariate as numbers by fitting with numeric dummies.
        covariate_variance : DataFrame of d areas, optional
            Variance of the error of each of these means, in columns named as the covariates; a column that is absent has
            none. For a mean over n sites it is their variance over n.

        Returns
        -------
        DataFrame
            Index as given; `n_units`, `direct` (mean of the units, weighted by k), `synthetic`, `estimate`, `gamma`, `mse`,
            `lower`, `upper`.

        Raises
        ------
        InputError
            A covariate or its value is missing, an area occurs twice, or a variance is negative or missing.

        Notes
        -----
        The error of the covariates' means is independent of the units, so it adds b' V b to the mean squared error (V: its
        covariance matrix, diagonal here). The error of the prediction itself is part of u and e, and needs nothing further:
        u and e are the residuals of a cross-fitted prediction.
        """
        check_is_fitted(self)
        if not area_covariates.index.is_unique:
            twice = area_covariates.index[area_covariates.index.duplicated()][0]
            raise InputError(f"area_covariates: {label(twice)} occurs twice; give each area one row")
        x = self.design_.transform(area_covariates) / self._scale
        row = self.areas_.get_indexer(area_covariates.index)
        targets = Targets(x, row)
        synthetic, estimate, gamma = eblup(self._sums, self._fit, targets)
        if self.mse == "bootstrap":
            mse = bootstrap_mse(self._sums, self._fit, targets, self.method, self.n_bootstrap, self.random_state)
        else:
            mse = second_order_mse(self._sums, self._fit, targets, self.method)
        mse = mse + self._measurement_error(covariate_variance, area_covariates.index)
        half = normal_quantile(self.level) * np.sqrt(mse)
        columns = {
            "n_units": targets.of(self._sums.count, 0.0).astype(int),
            "direct": targets.of(self._sums.y, np.nan),
            "synthetic": synthetic,
            "estimate": estimate,
            "gamma": gamma,
            "mse": mse,
            "lower": estimate - half,
            "upper": estimate + half,
        }
        return pd.DataFrame(columns, index=area_covariates.index)

    def _measurement_error(self, variance: pd.DataFrame | None, index: pd.Index) -> Array:
        if variance is None:
            return np.zeros(len(index))
        unknown = [name for name in variance.columns if name not in self.coefficients_.index]
        if unknown:
            raise InputError(
                f"covariate_variance: no numeric covariate {unknown[0]!r}; the model has {', '.join(self.coefficients_.index)}"
            )
        given = variance.reindex(index)
        bad = ~np.isfinite(given.to_numpy(float)) | (given.to_numpy(float) < 0)
        if bad.any():
            where = index[bad.any(axis=1)][0]
            raise InputError(
                f"covariate_variance: {label(where)}: is negative or missing; give 0 where there is no error"
            )
        slope = self.coefficients_.loc[list(variance.columns), "coefficient"].to_numpy(float)
        return given.to_numpy(float) @ slope**2


def unit_numbers(name: str, values: Values, index: pd.Index) -> Array:
    """Return what was given for each unit as finite numbers, or raise an error that names the first unit without one."""
    array = pd.to_numeric(pd.Series(np.asarray(values)), errors="coerce").to_numpy(float)
    if len(array) != len(index):
        raise InputError(f"{name}: has {len(array)} numbers for {len(index)} units; give one for each")
    if (bad := ~np.isfinite(array)).any():
        raise InputError(f"{name}: {label(index[bad][0])}: is missing or not a number; fill it in, or drop the unit")
    return array


def area_numbers(areas: Values, index: pd.Index) -> tuple[NDArray[np.int_], pd.Index]:
    """Return the number of each unit's area and the names of the areas, sorted."""
    series = pd.Series(np.asarray(areas))
    if len(series) != len(index):
        raise InputError(f"areas: has {len(series)} names for {len(index)} units; give one for each")
    if (absent := series.isna().to_numpy()).any():
        raise InputError(f"areas: {label(index[absent][0])}: has no area; fill it in, or drop the unit")
    number, names = pd.factorize(series, sort=True)
    return number, pd.Index(names)


def check_enough(n_units: int, n_areas: int, names: tuple[str, ...]) -> None:
    """Raise an error where the areas or the units are too few for the coefficients."""
    if n_areas <= len(names):
        raise InputError(
            f"covariates: {n_areas} areas with units are too few for {len(names)} coefficients ({', '.join(names)}); leave "
            "covariates out"
        )
    if n_units - n_areas < len(names):
        raise InputError(
            f"areas: {n_units} units in {n_areas} areas cannot separate the variance within areas from that between them; use an "
            "area-level model (FayHerriot), or merge areas"
        )


def _coefficient_table(names: tuple[str, ...], coefficients: Array, errors: Array) -> pd.DataFrame:
    from scipy.stats import norm

    z = coefficients / errors
    table = {"coefficient": coefficients, "standard_error": errors, "z": z, "p_value": 2 * norm.sf(np.abs(z))}
    return pd.DataFrame(table, index=list(names))


def normal_quantile(level: float) -> float:
    """Return the half-width of a normal interval of this level, in standard errors."""
    from scipy.stats import norm

    return float(norm.ppf((1 + level) / 2))
