"""Mean squared error of Fay-Herriot estimates, to the second order."""

import numpy as np
from numpy.typing import NDArray

from geolive.estimation.area_variance import ADJUSTED, RESIDUAL, AreaData, weighted_fit

Array = NDArray[np.floating]


def prediction_mse(data: AreaData, sigma2_u: float, method: str, design: Array, variance: Array) -> Array:
    """Return the mean squared error of the estimates of areas, with the sampling variances known.

    Parameters
    ----------
    data : AreaData
        The areas that the model was fitted to.
    sigma2_u : float
        Variance of the area effects.
    method : str
        The method that estimated it.
    design : array of shape (n, p)
        Covariates of the areas that are estimated.
    variance : array of shape (n,)
        Sampling variances of their direct estimates; infinite for areas without one.

    Returns
    -------
    array of shape (n,)

    Notes
    -----
    mse = g1 + g2 + 2 g3 - (1 - gamma)^2 bias, with gamma = sigma2_u / (sigma2_u + D), where

    - g1 = gamma D is the error with all parameters known,
    - g2 = (1 - gamma)^2 x' (X' V^-1 X)^-1 x is the coefficients' part,
    - g3 = D^2 / (sigma2_u + D)^3 var(sigma2_u) is the part of the estimated variance of the area effects; var(sigma2_u)
      is 2 / sum of V^-2, and for the method of moments 2 m / (sum of V^-1)^2,
    - bias is that of the estimated variance: 0 for reml (Prasad and Rao 1990; Datta and Lahiri 2000), -tr((X'V^-1X)^-1
      X'V^-2X) / sum of V^-2 for ml and ampl_yl, that plus 2 / (sigma2_u sum of V^-2) for ampl, only the latter for amrl
      (Li and Lahiri 2010), and 2 (m sum of V^-2 - (sum of V^-1)^2) / (sum of V^-1)^3 for moments (Datta, Rao and Smith
      2005).

    The correction for bias takes away at most g1, so the mean squared error is never below g2 + 2 g3.
    An area without a direct estimate has sigma2_u + x' (X' V^-1 X)^-1 x.

    Examples
    --------
    >>> import numpy as np
    >>> data = AreaData(np.array([0.0, 2.0, 3.0, 5.0]), np.ones(4), np.ones((4, 1)))
    >>> prediction_mse(data, 3.0, "reml", np.ones((2, 1)), np.array([1.0, np.inf])).round(4)
    array([1.0625, 4.    ])
    """
    covariance = weighted_fit(data, sigma2_u).covariance
    spread = np.einsum("ij,jk,ik->i", design, covariance, design)
    surveyed = np.isfinite(variance)
    d = variance[surveyed]
    gamma = sigma2_u / (sigma2_u + d)
    error, bias = _variance_error_and_bias(data, sigma2_u, method)
    known = np.maximum(gamma * d - (1 - gamma) ** 2 * bias, 0.0)
    mse = sigma2_u + spread
    mse[surveyed] = known + (1 - gamma) ** 2 * spread[surveyed] + 2 * d**2 / (sigma2_u + d) ** 3 * error
    return mse


def prediction_mse_with_factor(
    data: AreaData, sigma2_u: float, factor: float, method: str, design: Array, variance: Array
) -> Array:
    """Return the mean squared error where the factor of the sampling variances was estimated together with the
    variance of the area effects.

    Parameters
    ----------
    data : AreaData
        The areas that the model was fitted to, with sampling variances multiplied by the factor.
    sigma2_u, factor : float
    method : {"ampl", "amrl"}
    design : array of shape (n, p)
        Covariates of the areas that are estimated.
    variance : array of shape (n,)
        Sampling variances of their direct estimates, multiplied by the factor; infinite for areas without one.

    Returns
    -------
    array of shape (n,)

    Notes
    -----
    As `prediction_mse`, with two variances in the place of one: I is the information matrix of both, g3 = V grad(gamma)'
    I^-1 grad(gamma), and bias is I^-1 times the gradients of the logarithm of what the likelihood was multiplied by (and,
    for ampl, of the difference of profile and residual likelihoods), as Datta and Lahiri (2000) have it for any vector of
    variances.

    Examples
    --------
    >>> import numpy as np
    >>> data = AreaData(np.array([0.0, 2.0, 3.0, 5.0]), np.array([1.0, 1.0, 2.0, 2.0]), np.ones((4, 1)))
    >>> mse = prediction_mse_with_factor(data, 3.0, 1.0, "amrl", np.ones((2, 1)), np.array([1.0, np.inf]))
    >>> round(float(mse[1]), 2)
    4.11
    """
    fit = weighted_fit(data, sigma2_u)
    parts = np.stack([np.ones_like(fit.total), data.variance / factor])  # derivatives of V by the two variances
    inverse = np.linalg.inv(0.5 * (parts / fit.total**2) @ parts.T)
    gradient = np.array([1 / sigma2_u, 1 / factor])
    if method not in RESIDUAL:
        weighted = data.design / fit.total[:, None]
        gradient -= 0.5 * np.array(
            [np.trace(fit.covariance @ (weighted.T @ (part[:, None] * weighted))) for part in parts]
        )
    bias = inverse @ gradient
    spread = np.einsum("ij,jk,ik->i", design, fit.covariance, design)
    surveyed = np.isfinite(variance)
    d = variance[surveyed]
    gamma = sigma2_u / (sigma2_u + d)
    of_gamma = np.stack([(1 - gamma), -gamma * d / factor]) / (sigma2_u + d)
    of_g1 = np.stack([(1 - gamma) ** 2, gamma**2 * d / factor])
    g3 = (sigma2_u + d) * np.einsum("ai,ab,bi->i", of_gamma, inverse, of_gamma)
    mse = sigma2_u + spread
    mse[surveyed] = np.maximum(gamma * d - bias @ of_g1, 0.0) + (1 - gamma) ** 2 * spread[surveyed] + 2 * g3
    return mse


def _variance_error_and_bias(data: AreaData, sigma2_u: float, method: str) -> tuple[float, float]:
    """Return the variance and bias of the estimated variance of the area effects, to the first order."""
    fit = weighted_fit(data, sigma2_u)
    inverse, squares = (1 / fit.total).sum(), (1 / fit.total**2).sum()
    if method == "fh":
        m = len(fit.total)
        return 2 * m / inverse**2, 2 * (m * squares - inverse**2) / inverse**3
    bias = 0.0
    if method not in RESIDUAL:
        weighted = data.design / fit.total[:, None]
        bias = -float(np.trace(fit.covariance @ (weighted.T @ weighted))) / squares
    if method in ADJUSTED:
        bias += 2 / (sigma2_u * squares)
    return 2 / squares, bias
