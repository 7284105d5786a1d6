"""The spatial area-level model: area effects follow a simultaneous autoregression on the areas' proximity."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from geolive.errors import InputError
from geolive.estimation.area_checks import Values, as_covariates, check_choice, check_direct, check_level
from geolive.estimation.design_matrix import DesignMatrix, check_rank
from geolive.estimation.proximity import check_proximity

Array = NDArray[np.floating]


class SpatialFayHerriot(BaseEstimator):
    """EBLUP of areas whose effects are alike among neighbours (simultaneous autoregression, SAR).

    The model is that of `FayHerriot` with area effects u = rho W u + v, v ~ N(0, sigma2_u I), where W is a
    row-standardised proximity matrix. An area that the survey did not visit borrows from its neighbours' effects, too.

    Use it where what the covariates leave over is alike among neighbours and there are about fifty areas or more; rho is
    hardly determined by fewer.

    Parameters
    ----------
    method : {"reml", "ml"}
        Estimator of sigma2_u and rho.
    fit_intercept : bool
        Whether the regression has an intercept.
    level : float
        Probability of the intervals.

    Attributes
    ----------
    sigma2_u_ : float
        Variance of v.
    rho_ : float
        Autoregression, between -1 and 1.
    coefficients_ : DataFrame
        `coefficient`, `standard_error`, `z` and `p_value`.
    log_likelihood_, aic_, bic_ : float
    n_areas_ : int
        Number of areas with a direct estimate.
    estimates_ : DataFrame
        `direct`, `synthetic`, `estimate`, `mse`, `lower`, `upper` and `gamma` of all areas of the fit; `gamma` is the
        weight of an area's own direct estimate, and the effects of neighbours are in `estimate`.

    warnings_ : list of str
        What a user must know before using the estimates.
    effect_variance_ : array of shape (n,)
        Variance of each area's effect under the model.
    conditional_variance_ : array of shape (n,)
        The same, given the direct estimates and all parameters.

    See Also
    --------
    FayHerriot : Area effects are independent.
    contiguity : A proximity matrix from polygons.

    References
    ----------
    Singh, Shukla and Kundu (2005), Survey Methodology 31; Petrucci and Salvati (2006), JABES 11; Pratesi and Salvati (2008),
    Statistical Methods and Applications 17; Molina and Marhuenda (2015), The R Journal 7.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> ring = (np.roll(np.eye(40), 1, axis=1) + np.roll(np.eye(40), -1, axis=1)) / 2
    >>> rng = np.random.default_rng(0)
    >>> effects = np.linalg.solve(np.eye(40) - 0.8 * ring, rng.normal(size=40))
    >>> table = pd.DataFrame({"light": np.arange(40.0)})
    >>> direct = table["light"] + effects + rng.normal(size=40) * 0.5
    >>> model = SpatialFayHerriot().fit(table, direct, np.full(40, 0.25), ring)
    >>> bool(0 < model.rho_ < 1)
    True
    """

    def __init__(self, method: str = "reml", *, fit_intercept: bool = True, level: float = 0.95) -> None:
        self.method = method
        self.fit_intercept = fit_intercept
        self.level = level

    def fit(
        self, covariates: pd.DataFrame | Array, direct: Values, variance: Values, proximity: pd.DataFrame | Array
    ) -> Self:
        """Estimate variance, autoregression and coefficients, and from them all areas.

        Parameters
        ----------
        covariates : DataFrame of n areas, or array of shape (n, covariates)
        direct : Series or array of length n
            Direct estimates; NaN for areas that the survey did not visit.
        variance : Series or array of length n
            Sampling variances of the direct estimates.
        proximity : DataFrame or array of shape (n, n)
            Row-standardised; `contiguity` makes one from polygons.

        Returns
        -------
        SpatialFayHerriot
            The estimator itself.

        Raises
        ------
        InputError
            A parameter or a value cannot be used, or the estimation does not converge.
        """
        check_choice("method", self.method, ["reml", "ml"])
        check_level(self.level)
        covariates = as_covariates(covariates)
        y, d = check_direct(covariates.index, direct, variance)
        weights = check_proximity(proximity, covariates.index)
        surveyed = ~np.isnan(y)
        self.design_ = DesignMatrix.learn(covariates[surveyed], self.fit_intercept)
        x = self.design_.transform(covariates)
        check_rank(x[surveyed], self.design_.names)
        data = _SpatialData(y, d, x, weights, surveyed)
        likelihood = _Likelihood(data)
        self.sigma2_u_, self.rho_ = _maximise(data, likelihood, self.method)
        self.log_likelihood_ = likelihood(self.sigma2_u_, self.rho_, "ml")
        self.n_areas_ = int(surveyed.sum())
        self.warnings_: list[str] = []
        self.estimates_ = self._estimate(data, covariates.index)
        return self

    def predict(self) -> pd.DataFrame:
        """Return the estimates of the fitted areas, as `estimates_`; other areas would need another proximity matrix."""
        check_is_fitted(self, "estimates_")
        return self.estimates_.copy()

    def summary(self) -> str:
        """Describe the fit in one line: method, areas, variance, autoregression and criteria."""
        check_is_fitted(self, "estimates_")
        return (
            f"Spatial Fay-Herriot by {self.method}, {self.n_areas_} areas with a direct estimate, sigma2_u {self.sigma2_u_:.6g}, "
            f"rho {self.rho_:.4f}, log-likelihood {self.log_likelihood_:.5g}, AIC {self.aic_:.5g}, BIC {self.bic_:.5g}"
        )

    def _estimate(self, data: "_SpatialData", areas: pd.Index) -> pd.DataFrame:
        from scipy.stats import norm

        state = _solve(data, self.sigma2_u_, self.rho_)
        error = np.sqrt(np.diag(state.covariance))
        z = state.coefficients / error
        described = {
            "coefficient": state.coefficients,
            "standard_error": error,
            "z": z,
            "p_value": 2 * norm.sf(np.abs(z)),
        }
        self.coefficients_ = pd.DataFrame(described, index=list(self.design_.names))
        m, n_parameters = self.n_areas_, len(z) + 2
        self.aic_ = 2 * n_parameters - 2 * self.log_likelihood_
        self.bic_ = float(np.log(m)) * n_parameters - 2 * self.log_likelihood_
        synthetic = data.design @ state.coefficients
        estimate = synthetic + state.weights @ state.residuals
        gamma = np.zeros(len(areas))
        gamma[data.surveyed] = np.diag(state.weights[data.surveyed])
        self.effect_variance_ = self.sigma2_u_ * np.diag(state.effects)
        shared = self.sigma2_u_ * _diagonal(state.weights, state.effects[:, data.surveyed])
        self.conditional_variance_ = self.effect_variance_ - shared
        mse = _mse(data, state, self.sigma2_u_, self.rho_, self.method)
        half = norm.ppf(0.5 + self.level / 2) * np.sqrt(mse)
        columns = {"direct": data.direct, "synthetic": synthetic, "estimate": estimate, "mse": mse}
        return pd.DataFrame(
            {**columns, "lower": estimate - half, "upper": estimate + half, "gamma": gamma}, index=areas
        )


@dataclass(frozen=True)
class _SpatialData:
    direct: Array
    variance: Array
    design: Array
    proximity: Array
    surveyed: NDArray[np.bool_]


@dataclass(frozen=True)
class _SpatialState:
    """Matrices at given variance and autoregression: n areas, m of them surveyed, p coefficients."""

    effects: Array  # covariance of the area effects over sigma2_u, (n, n)
    inverse: Array  # of the covariance of the direct estimates, (m, m)
    covariance: Array  # of the coefficients, (p, p)
    coefficients: Array
    residuals: Array
    weights: Array  # of the residuals in each area's effect, (n, m)


def _solve(data: _SpatialData, sigma2_u: float, rho: float) -> _SpatialState:
    root = np.eye(len(data.proximity)) - rho * data.proximity
    effects = np.linalg.inv(root.T @ root)
    surveyed = np.flatnonzero(data.surveyed)
    total = sigma2_u * effects[np.ix_(surveyed, surveyed)] + np.diag(data.variance[surveyed])
    inverse = np.linalg.inv(total)
    x, y = data.design[surveyed], data.direct[surveyed]
    covariance = np.linalg.inv(x.T @ inverse @ x)
    coefficients = covariance @ (x.T @ (inverse @ y))
    weights = sigma2_u * effects[:, surveyed] @ inverse
    return _SpatialState(effects, inverse, covariance, coefficients, y - x @ coefficients, weights)


class _Likelihood:
    """Log-likelihood of variance and autoregression, with one Cholesky factor of n areas for each value.

    With Q = (I - rho W)' (I - rho W) / sigma2_u the precision of the area effects, Z the choice of surveyed areas and M =
    Q + Z' D^-1 Z, the covariance V of the direct estimates has V^-1 = D^-1 - D^-1 Z M^-1 Z' D^-1 and log|V| = log|D| +
    log|M| - log|Q|.
    """

    def __init__(self, data: _SpatialData) -> None:
        w = data.proximity
        self.both, self.square = w + w.T, w.T @ w
        self.eigenvalues = np.linalg.eigvals(w)
        self.precision = np.where(data.surveyed, 1 / np.where(data.surveyed, data.variance, 1.0), 0.0)
        values = np.column_stack([np.where(data.surveyed, data.direct, 0.0), data.design])
        self.values = np.where(data.surveyed[:, None], values, 0.0)
        self.log_d = float(np.log(data.variance[data.surveyed]).sum())
        self.m = int(data.surveyed.sum())

    def __call__(self, sigma2_u: float, rho: float, method: str) -> float:
        from scipy.linalg import cho_factor, cho_solve

        n = len(self.precision)
        matrix = (np.eye(n) - rho * self.both + rho**2 * self.square) / sigma2_u
        matrix[np.diag_indices(n)] += self.precision
        factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
        log_q = 2 * np.log(np.abs(1 - rho * self.eigenvalues)).sum() - n * np.log(sigma2_u)
        log_v = self.log_d + 2 * np.log(np.diag(factor[0])).sum() - log_q
        scaled = self.precision[:, None] * self.values
        moments = self.values.T @ scaled - scaled.T @ cho_solve(factor, scaled, check_finite=False)
        of_y, of_xy, of_x = moments[0, 0], moments[1:, 0], moments[1:, 1:]
        squares = of_y - of_xy @ np.linalg.solve(of_x, of_xy)
        value = -0.5 * (self.m * np.log(2 * np.pi) + log_v + squares)
        return float(value - 0.5 * np.linalg.slogdet(of_x)[1]) if method == "reml" else float(value)


def _maximise(data: _SpatialData, likelihood: _Likelihood, method: str) -> tuple[float, float]:
    """Find the variance and autoregression of highest likelihood: the best of a grid, then the simplex method from there."""
    from scipy.optimize import minimize

    y, d = data.direct[data.surveyed], data.variance[data.surveyed]
    x = data.design[data.surveyed]
    residuals = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    scale = float(residuals @ residuals / (len(y) - x.shape[1]) + d.mean())

    def objective(point: Array) -> float:
        return -likelihood(scale * float(np.exp(point[0])), float(np.tanh(point[1])), method)

    logs, autoregressions = (-6, -4, -2.5, -1.5, -0.5, 0.5), (-1, -0.4, 0, 0.4, 1, 1.7)
    start = min((np.array([log, atanh]) for log in logs for atanh in autoregressions), key=objective)
    optimum = minimize(objective, start, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 2000})
    log, rho = float(optimum.x[0]), float(np.tanh(optimum.x[1]))
    # near either end the likelihood is flat, and the simplex creeps on for ever
    if log < -14:
        raise InputError(
            f"method {method}: the variance of the area effects is estimated as 0, so neighbouring districts cannot "
            "inform each other; fit the "
            "model without proximity, by method ampl"
        )
    if abs(rho) > 0.999:
        raise InputError(
            f"method {method}: the autoregression goes to {np.sign(rho):.0f}, so the estimation did not converge; fit the model "
            "without proximity, or add covariates that vary over the country"
        )
    if not optimum.success:
        raise InputError(
            f"method {method}: the estimation did not converge; try the other method, or fit without proximity"
        )
    return scale * float(np.exp(log)), rho


def _mse(data: _SpatialData, state: _SpatialState, sigma2_u: float, rho: float, method: str) -> Array:
    """Compute the mean squared error g1 + g2 + 2 g3 - g4, for ml less the bias of g1 (Singh, Shukla and Kundu 2005).

    With B the weights of the residuals, Z the choice of surveyed areas and R = I - B Z, all terms are quadratic forms: g1 =
    diag(R G), its derivatives are diag(R dG R'), those of B are R dG Z' V^-1, and g4 is half the sum over pairs of
    parameters of I^-1 diag(R d2G R'). I is the restricted information matrix for both methods, as in the published
    example's software.
    """
    w, c = data.proximity, state.effects
    surveyed = np.flatnonzero(data.surveyed)
    bend = w + w.T - 2 * rho * w.T @ w
    c_rho = c @ bend @ c
    first = [c, sigma2_u * c_rho]
    second = {(0, 1): c_rho, (1, 1): sigma2_u * (2 * c @ bend @ c_rho - 2 * c @ w.T @ w @ c)}
    rest = np.eye(len(w))
    rest[:, surveyed] -= state.weights
    total = np.linalg.inv(state.inverse)
    of_total = [part[np.ix_(surveyed, surveyed)] for part in first]
    x = state.inverse @ data.design[surveyed]
    projection = state.inverse - x @ state.covariance @ x.T
    scaled = [projection @ part for part in of_total]
    information = 0.5 * np.array([[np.sum(a * b.T) for b in scaled] for a in scaled])
    inverse = np.linalg.inv(information)
    of_weights = [rest @ part[:, surveyed] @ state.inverse for part in first]
    g1 = sigma2_u * np.einsum("ij,ji->i", rest, c)
    left = data.design - state.weights @ data.design[surveyed]
    g2 = np.einsum("ij,jk,ik->i", left, state.covariance, left)
    g3 = sum(inverse[k, j] * _diagonal(of_weights[k] @ total, of_weights[j]) for k in (0, 1) for j in (0, 1))
    g4 = 0.5 * sum((2 - (k == j)) * inverse[k, j] * _diagonal(rest @ part, rest) for (k, j), part in second.items())
    mse = g1 + g2 + 2 * g3 - g4
    if method == "ml":
        score = np.array([-0.5 * np.trace(state.covariance @ x.T @ part @ x) for part in of_total])
        slope = np.stack([_diagonal(rest @ part, rest) for part in first])
        mse -= (inverse @ score) @ slope
    # the correction can take away at most g1, as in the model without proximity
    return np.maximum(mse, g2 + 2 * g3)


def _diagonal(a: Array, b: Array) -> Array:
    """Return the diagonal of a b'."""
    return np.einsum("ij,ij->i", a, b)
