"""Variance of the area effects of a Fay-Herriot model: likelihoods, adjusted likelihoods and moments."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geolive.errors import ConvergenceError, InputError

Array = NDArray[np.floating]

METHODS = {
    "ampl": "adjusted maximum profile likelihood (Li and Lahiri 2010); never zero",
    "amrl": "adjusted maximum residual likelihood (Li and Lahiri 2010); never zero",
    "ampl_yl": "adjusted maximum profile likelihood (Yoshimori and Lahiri 2014); never zero",
    "reml": "restricted maximum likelihood",
    "ml": "maximum likelihood",
    "fh": "moments (Fay and Herriot 1979)",
}
RESIDUAL = {"reml", "amrl"}
ADJUSTED = {"ampl", "amrl"}


@dataclass(frozen=True)
class AreaData:
    """Data of the areas with a direct estimate.

    Attributes
    ----------
    direct : array of shape (m,)
        Direct estimates.
    variance : array of shape (m,)
        Their sampling variances.
    design : array of shape (m, p)
        Covariates.
    """

    direct: Array
    variance: Array
    design: Array


@dataclass(frozen=True)
class WeightedFit:
    """Generalised least squares at given variances.

    Attributes
    ----------
    total : array of shape (m,)
        Variance of the direct estimates around the regression: area effect plus sampling.
    coefficients : array of shape (p,)
    covariance : array of shape (p, p)
        Covariance matrix of the coefficients.
    residuals : array of shape (m,)
        Direct estimates less the regression.
    """

    total: Array
    coefficients: Array
    covariance: Array
    residuals: Array


def weighted_fit(data: AreaData, sigma2_u: float) -> WeightedFit:
    """Fit the regression by generalised least squares at a variance of the area effects.

    Examples
    --------
    >>> import numpy as np
    >>> data = AreaData(np.array([1.0, 2.0, 6.0]), np.array([1.0, 1.0, 2.0]), np.ones((3, 1)))
    >>> weighted_fit(data, sigma2_u=0.0).coefficients.round(3)
    array([2.4])
    """
    total = sigma2_u + data.variance
    root = np.sqrt(total)
    q, r = np.linalg.qr(data.design / root[:, None])
    inverse = np.linalg.inv(r)
    coefficients = inverse @ (q.T @ (data.direct / root))
    return WeightedFit(total, coefficients, inverse @ inverse.T, data.direct - data.design @ coefficients)


def log_likelihood(data: AreaData, sigma2_u: float) -> float:
    """Return the log-likelihood of a variance of the area effects, with the regression at its best.

    Examples
    --------
    >>> import numpy as np
    >>> data = AreaData(np.array([0.0, 0.0]), np.array([1.0, 1.0]), np.ones((2, 1)))
    >>> round(log_likelihood(data, 0.0), 4)
    -1.8379
    """
    fit = weighted_fit(data, sigma2_u)
    return float(-0.5 * (np.log(2 * np.pi * fit.total) + fit.residuals**2 / fit.total).sum())


def residual_log_likelihood(data: AreaData, sigma2_u: float) -> float:
    """Return the restricted log-likelihood of a variance of the area effects, up to a constant.

    Examples
    --------
    >>> import numpy as np
    >>> data = AreaData(np.array([0.0, 0.0]), np.array([1.0, 1.0]), np.ones((2, 1)))
    >>> round(residual_log_likelihood(data, 0.0), 4)
    -2.1845
    """
    covariance = weighted_fit(data, sigma2_u).covariance
    return log_likelihood(data, sigma2_u) + 0.5 * float(np.linalg.slogdet(covariance)[1])


def estimate_sigma2_u(data: AreaData, method: str) -> float:
    """Estimate the variance of the area effects, with the sampling variances known.

    Parameters
    ----------
    data : AreaData
    method : str
        One of `METHODS`.

    Returns
    -------
    float
        Zero is possible with reml, ml and fh only.

    Raises
    ------
    InputError
        The likelihood has no maximum within the range that the data allow.

    Notes
    -----
    With V_i = sigma2_u + D_i, the adjusted likelihoods multiply the profile (ampl) or residual (amrl) likelihood by sigma2_u
    (Li and Lahiri 2010), or the profile likelihood by arctan(sum of sigma2_u / V_i) to the power 1/m (ampl_yl; Yoshimori and
    Lahiri 2014). The method of moments solves sum of (y_i - x_i b)^2 / V_i = m - p.

    Examples
    --------
    >>> import numpy as np
    >>> data = AreaData(np.array([1.0, 2.0, 1.5, 1.2]), np.full(4, 0.5), np.ones((4, 1)))
    >>> estimate_sigma2_u(data, "reml")
    0.0
    >>> round(estimate_sigma2_u(data, "ampl"), 3)
    0.662
    """
    scale = _scale(data)
    if method == "fh":
        return _moments(data, scale)
    base = residual_log_likelihood if method in RESIDUAL else log_likelihood
    m = len(data.direct)

    def objective(sigma2_u: float) -> float:
        value = base(data, sigma2_u)
        if method in ADJUSTED:
            value += np.log(sigma2_u)
        elif method == "ampl_yl":
            value += np.log(np.arctan((sigma2_u / (sigma2_u + data.variance)).sum())) / m
        return value

    return _maximise(objective, scale, zero=method in ("reml", "ml"), method=method)


def estimate_both_variances(data: AreaData, method: str) -> tuple[float, float]:
    """Estimate the variance of the area effects and the factor of the sampling variances together.

    Use this where only the relative sizes of the sampling variances are known, such as 1 / number of clusters.

    Parameters
    ----------
    data : AreaData
        With sampling variances up to a common factor.
    method : {"ampl", "amrl"}

    Returns
    -------
    sigma2_u : float
        Variance of the area effects; above zero.
    factor : float
        What the given sampling variances must be multiplied by; above zero.

    Raises
    ------
    InputError
        The areas are too few, the sampling variances are all alike, or the likelihood has no maximum.

    Notes
    -----
    The likelihood, with V_i = sigma2_u + factor d_i, is multiplied by sigma2_u and by the factor, as Li and Lahiri (2010)
    do for sigma2_u alone: neither of the two variances can be estimated as zero. At a given ratio of the two, the factor
    has the closed form S / (n - 4), where S is the weighted sum of squares, and n is m (ampl) or m - p (amrl).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> size = np.repeat([1.0, 20.0], 200)
    >>> y = rng.normal(0, 1, 400) + rng.normal(0, 3 / np.sqrt(size))
    >>> data = AreaData(y, 1 / size, np.ones((400, 1)))
    >>> sigma2_u, factor = estimate_both_variances(data, "amrl")
    >>> round(sigma2_u, 1), round(factor, 1)
    (1.2, 9.1)
    """
    m, p = data.design.shape
    freedom = m - 4 - (p if method in RESIDUAL else 0)
    if freedom < 1:
        raise InputError(
            f"sampling variances: {m} areas are too few to estimate their factor; give the variances themselves"
        )
    if np.ptp(data.variance) <= 1e-9 * data.variance.max():
        raise InputError(
            "sampling variances: their factor cannot be separated from the variance of the areas if all samples are alike; give "
            "the variances themselves"
        )

    def factor_at(ratio: float) -> float:
        fit = weighted_fit(data, ratio)
        return float((fit.residuals**2 / fit.total).sum() / freedom)

    def objective(ratio: float) -> float:
        fit = weighted_fit(data, ratio)
        value = -0.5 * np.log(fit.total).sum() - 0.5 * freedom * np.log(factor_at(ratio)) + np.log(ratio)
        return value + 0.5 * float(np.linalg.slogdet(fit.covariance)[1]) if method in RESIDUAL else value

    ratio = _maximise(objective, float(np.median(data.variance)), zero=False, method=method)
    return ratio * factor_at(ratio), factor_at(ratio)


def _scale(data: AreaData) -> float:
    """Return a variance near the estimate: that of the least squares' residuals, plus the mean sampling variance."""
    residuals = data.direct - data.design @ np.linalg.lstsq(data.design, data.direct, rcond=None)[0]
    return float(residuals @ residuals / (len(residuals) - data.design.shape[1]) + data.variance.mean())


def _maximise(objective: Callable[[float], float], scale: float, *, zero: bool, method: str) -> float:
    """Find the variance that maximises a function: the best of a grid over 14 powers of ten, then Brent's method."""
    from scipy.optimize import minimize_scalar

    grid = scale * np.geomspace(1e-10, 1e4, 85)
    grid = np.concatenate([[0.0], grid]) if zero else grid
    values = np.array([objective(float(point)) for point in grid])
    best = int(np.argmax(values))
    if not np.isfinite(values[best]) or best == len(grid) - 1:
        raise ConvergenceError(
            f"method {method}: the likelihood has no maximum up to {grid[-1]:.3g}, so the estimation did not converge; leave "
            "covariates out, or try another method (reml, ml, fh)"
        )
    if best == 0:
        return float(grid[0])
    low, high = np.log(max(grid[best - 1], grid[1] * 1e-3)), np.log(grid[best + 1])
    optimum = minimize_scalar(
        lambda log: -objective(float(np.exp(log))), bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    )
    if not optimum.success:
        raise InputError(f"method {method}: the estimation did not converge; try another method (reml, ml, fh)")
    return float(np.exp(optimum.x))


def _moments(data: AreaData, scale: float) -> float:
    """Find the root of the moment equation; zero where even no variance of the areas makes the residuals too small."""
    from scipy.optimize import brentq

    m, p = data.design.shape

    def excess(sigma2_u: float) -> float:
        fit = weighted_fit(data, sigma2_u)
        return float((fit.residuals**2 / fit.total).sum()) - (m - p)

    if excess(0.0) <= 0:
        return 0.0
    upper = scale
    while excess(upper) > 0:
        upper *= 2
    return float(brentq(excess, 0.0, upper, xtol=1e-14 * scale, rtol=1e-12))
