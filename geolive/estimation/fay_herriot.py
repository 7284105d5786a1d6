"""The area-level model of Fay and Herriot (1979): direct estimates of areas, and covariates."""

from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from geolive.errors import InputError
from geolive.estimation.area_bootstrap import pivot_quantiles
from geolive.estimation.area_checks import Values, as_covariates, check_choice, check_direct, check_level
from geolive.estimation.area_model import estimate_from_fit, fit_area_model
from geolive.estimation.area_variance import ADJUSTED, METHODS, AreaData, log_likelihood, weighted_fit
from geolive.estimation.design_matrix import DesignMatrix, check_rank

Array = NDArray[np.floating]


class FayHerriot(BaseEstimator):
    """Empirical best linear unbiased predictor (EBLUP) of areas from direct estimates and covariates.

    The model is direct_i = x_i' b + u_i + e_i with area effects u_i ~ N(0, sigma2_u) and sampling errors e_i ~ N(0, D_i),
    D_i known. The estimate of an area is gamma_i direct_i + (1 - gamma_i) x_i' b, with gamma_i = sigma2_u / (sigma2_u +
    D_i): the survey counts more where it is precise. An area that the survey did not visit gets the synthetic value x_i'
    b.

    Use it if areas have design-based estimates with reliable variances. Do not use it if the covariates were computed
    from the same direct estimates, or where fewer than about ten areas have a direct estimate.

    Parameters
    ----------
    method : {"ampl", "amrl", "ampl_yl", "reml", "ml", "fh"}
        Estimator of sigma2_u. The adjusted likelihoods ampl and amrl (Li and Lahiri 2010) and ampl_yl (Yoshimori and
        Lahiri 2014) never give zero; reml, ml and the method of moments (fh) can, and then ignore the survey in every
        area.
    fit_intercept : bool
        Whether the regression has an intercept.
    sampling_variance : {"known", "proportional"}
        Whether the sampling variances are known, or known up to a common factor that the model estimates (only ampl
        and amrl); you can then give 1 / number of clusters.
    level : float
        Probability of the intervals.
    interval : {"normal", "bootstrap"}
        Normal intervals from the mean squared error, or intervals by the parametric bootstrap, which are slower and
        have better coverage if areas are few.
    n_bootstrap : int
        Number of bootstrap samples.
    random_state : int
        Seed of the bootstrap.

    Attributes
    ----------
    sigma2_u_ : float
        Variance of the area effects.
    variance_factor_ : float
        Factor of the given sampling variances; 1 if they are known.
    coefficients_ : DataFrame
        `coefficient`, `standard_error`, `z` and `p_value` of each column of the design matrix.
    log_likelihood_, aic_, bic_ : float
        Log-likelihood and information criteria of the model at the estimated variances.
    r2_ : float
        Share of the variance of the true values that the covariates explain (Lahiri and Suntornchost 2015), in [0, 1]; NaN
        where the true values do not vary by more than the sampling.
    dispersion_ : float
        Sum of squared standardised residuals of the regression without area effects. Under the model it is not below a
        chi-squared variable with m - p degrees of freedom.
    dispersion_p_value_ : float
        Probability of a dispersion this low without area effects. A small value means that the given sampling
        variances are too large.
    warnings_ : list of str
        Warnings about the estimates, for example that the variance of the area effects is zero.
    n_areas_ : int
        Number of areas with a direct estimate.
    feature_names_in_ : array of str
        Names of the covariates.

    See Also
    --------
    SpatialFayHerriot : Area effects of neighbouring areas are alike.
    estimate_areas : The same from the columns of one table.

    References
    ----------
    Fay and Herriot (1979), JASA 74; Prasad and Rao (1990), JASA 85; Datta and Lahiri (2000), Statistica Sinica 10; Li and
    Lahiri (2010), J. Multivariate Analysis 101; Yoshimori and Lahiri (2014), J. Multivariate Analysis 124; Rao and Molina
    (2015), Small Area Estimation.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> photos = pd.DataFrame({"predicted": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}, index=list("abcdef"))
    >>> direct = pd.Series([1.2, 1.7, 3.6, 3.5, 5.4, np.nan], index=photos.index)
    >>> variance = pd.Series([0.1, 0.1, 0.2, 0.2, 0.4, np.nan], index=photos.index)
    >>> model = FayHerriot().fit(photos, direct, variance)
    >>> model.predict(photos, direct, variance)[["direct", "synthetic", "estimate", "gamma"]].round(2)
       direct  synthetic  estimate  gamma
    a     1.2       1.05      1.16   0.74
    b     1.7       2.05      1.79   0.74
    c     3.6       3.05      3.37   0.59
    d     3.5       4.05      3.73   0.59
    e     5.4       5.05      5.20   0.42
    f     NaN       6.05      6.05   0.00
    """

    def __init__(
        self,
        method: str = "ampl",
        *,
        fit_intercept: bool = True,
        sampling_variance: str = "known",
        level: float = 0.95,
        interval: str = "normal",
        n_bootstrap: int = 500,
        random_state: int = 0,
    ) -> None:
        self.method = method
        self.fit_intercept = fit_intercept
        self.sampling_variance = sampling_variance
        self.level = level
        self.interval = interval
        self.n_bootstrap = n_bootstrap
        self.random_state = random_state

    def fit(self, covariates: pd.DataFrame | Array, direct: Values, variance: Values) -> Self:
        """Estimate the variance of the area effects and the coefficients.

        Parameters
        ----------
        covariates : DataFrame of n areas, or array of shape (n, covariates)
            Numeric columns; text columns become dummies. It may have no column where there is an intercept. The columns of an
            array are named x1, x2, …
        direct : Series or array of length n
            Direct estimates; areas with NaN are ignored.
        variance : Series or array of length n
            Sampling variances of the direct estimates, or their relative sizes where `sampling_variance` is "proportional".

        Returns
        -------
        FayHerriot
            The estimator itself.

        Raises
        ------
        InputError
            A parameter or a value cannot be used, covariates are collinear or too many, or the estimation does not converge.
        """
        self._check_parameters()
        covariates = as_covariates(covariates)
        y, d = check_direct(covariates.index, direct, variance)
        surveyed = ~np.isnan(y)
        self.design_ = DesignMatrix.learn(covariates[surveyed], self.fit_intercept)
        design = self.design_.transform(covariates[surveyed])
        check_rank(design, self.design_.names)
        data = AreaData(y[surveyed], d[surveyed], design)
        self.feature_names_in_ = np.array(self.design_.columns, dtype=object)
        self.areas_ = covariates.index[surveyed]
        self.fit_ = fit_area_model(data, self.method, self.sampling_variance == "proportional")
        self.sigma2_u_, self.variance_factor_ = self.fit_.sigma2_u, self.fit_.factor or 1.0
        self.n_areas_ = len(data.direct)
        self._describe_fit()
        return self

    def predict(
        self, covariates: pd.DataFrame | Array, direct: Values | None = None, variance: Values | None = None
    ) -> pd.DataFrame:
        """Estimate areas: those of the fit, or others of the same model.

        Parameters
        ----------
        covariates : DataFrame of n areas
            With the columns of the fit.
        direct : Series or array of length n, optional
            Direct estimates; areas with NaN, or all without it, get the synthetic value.
        variance : Series or array of length n, optional
            Sampling variances, as in `fit`.

        Returns
        -------
        DataFrame of n areas
            `direct`, `synthetic`, `estimate`, `mse`, `lower`, `upper` and `gamma` (the weight of the direct estimate),
            with the index of `covariates`.

        Raises
        ------
        InputError
            A value cannot be used, or a covariate is missing.
        """
        check_is_fitted(self, "sigma2_u_")
        covariates = as_covariates(covariates)
        n = len(covariates)
        if (direct is None) != (variance is None):
            raise InputError("direct and variance: give both, or neither")
        if direct is None or variance is None or np.all(pd.isna(direct)):
            y = d = np.full(n, np.nan)
        else:
            y, d = check_direct(covariates.index, direct, variance)
            d = d * self.variance_factor_
        design = self.design_.transform(covariates)
        estimates = estimate_from_fit(self.fit_, design, y, d)
        below, above = self._half_widths(design, d, estimates.mse)
        table = {
            "direct": y,
            "synthetic": estimates.synthetic,
            "estimate": estimates.estimate,
            "mse": estimates.mse,
            "lower": estimates.estimate - below,
            "upper": estimates.estimate + above,
            "gamma": estimates.gamma,
        }
        return pd.DataFrame(table, index=covariates.index)

    def area_effects(self) -> pd.DataFrame:
        """Return the residuals of the fitted areas, for diagnostics.

        Returns
        -------
        DataFrame
            `residual` (direct less synthetic), `standardised_residual` (divided by the square root of sigma2_u + D),
            `area_effect` (the predicted u) and `sampling_residual` (direct less estimate, divided by the square root of
            D).
        """
        check_is_fitted(self, "sigma2_u_")
        fit = self.fit_.regression
        gamma = self.sigma2_u_ / fit.total
        table = {
            "residual": fit.residuals,
            "standardised_residual": fit.residuals / np.sqrt(fit.total),
            "area_effect": gamma * fit.residuals,
            "sampling_residual": (1 - gamma) * fit.residuals / np.sqrt(self.fit_.data.variance),
        }
        return pd.DataFrame(table, index=self.areas_)

    def summary(self) -> str:
        """Describe the fit in one line: method, areas, variances and criteria."""
        check_is_fitted(self, "sigma2_u_")
        factor = f", factor of the sampling variances {self.variance_factor_:.4g}" if self.fit_.factor else ""
        return (
            f"Fay-Herriot by {self.method}, {self.n_areas_} areas with a direct estimate, sigma2_u {self.sigma2_u_:.6g}{factor}, "
            f"R2 {self.r2_:.3f}, log-likelihood {self.log_likelihood_:.5g}, AIC {self.aic_:.5g}, BIC {self.bic_:.5g}"
        )

    def _check_parameters(self) -> None:
        check_choice("method", self.method, list(METHODS))
        check_choice("sampling_variance", self.sampling_variance, ["known", "proportional"])
        check_choice("interval", self.interval, ["normal", "bootstrap"])
        check_level(self.level)
        if self.sampling_variance == "proportional" and self.method not in ADJUSTED:
            raise InputError(
                f"method {self.method!r}: cannot estimate the factor of the sampling variances; use ampl or amrl"
            )
        if self.interval == "bootstrap" and self.n_bootstrap < 50:
            raise InputError(f"n_bootstrap {self.n_bootstrap}: must be 50 or more for the ends of an interval")

    def _describe_fit(self) -> None:
        """Set the attributes that describe the fit and change no estimate."""
        from scipy.stats import chi2, norm

        data, fit = self.fit_.data, self.fit_.regression
        m, p = data.design.shape
        error = np.sqrt(np.diag(fit.covariance))
        z = fit.coefficients / error
        table = {"coefficient": fit.coefficients, "standard_error": error, "z": z, "p_value": 2 * norm.sf(np.abs(z))}
        self.coefficients_ = pd.DataFrame(table, index=list(self.design_.names))
        n_parameters = p + 1 + (self.sampling_variance == "proportional")
        self.log_likelihood_ = log_likelihood(data, self.sigma2_u_)
        self.aic_ = 2 * n_parameters - 2 * self.log_likelihood_
        self.bic_ = float(np.log(m)) * n_parameters - 2 * self.log_likelihood_
        self.r2_ = _explained_share(data)
        without = weighted_fit(data, 0.0)
        self.dispersion_ = float((without.residuals**2 / without.total).sum())
        self.dispersion_p_value_ = float(chi2.cdf(self.dispersion_, m - p))
        self.warnings_ = self._collect_warnings()

    def _collect_warnings(self) -> list[str]:
        warnings_ = []
        if self.sigma2_u_ == 0:
            warnings_.append("sigma2_u is 0, so that no area's own survey counts; method ampl never gives 0")
        if self.dispersion_p_value_ < 0.01:
            warnings_.append(
                f"the given sampling variances look too large: residuals scatter less than they imply even without area effects "
                f"(p = {self.dispersion_p_value_:.2g}); check them, or give the sample sizes and let their factor be estimated"
            )
        return warnings_

    def _half_widths(self, design: Array, d: Array, mse: Array) -> tuple[Array, Array]:
        from scipy.stats import norm

        root = np.sqrt(mse)
        if self.interval == "normal":
            half = norm.ppf(0.5 + self.level / 2) * root
            return half, half
        low, high = pivot_quantiles(
            self.fit_, design, d, level=self.level, n_bootstrap=self.n_bootstrap, seed=self.random_state
        )
        return -low * root, high * root


def _explained_share(data: AreaData) -> float:
    """Estimate R² for the true values: the part of sampling is taken from both mean squares of least squares."""
    m, p = data.design.shape
    q = np.linalg.qr(data.design)[0]
    leverage = (q**2).sum(axis=1)
    residuals = data.direct - q @ (q.T @ data.direct)
    unexplained = residuals @ residuals / (m - p) - ((1 - leverage) * data.variance).sum() / (m - p)
    total = data.direct.var(ddof=1) - data.variance.mean()
    return float(np.clip(1 - unexplained / total, 0, 1)) if total > 0 else float("nan")
