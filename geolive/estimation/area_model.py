"""A fitted Fay-Herriot model as plain arrays, and the estimates that follow from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geolive.estimation.area_mse import prediction_mse, prediction_mse_with_factor
from geolive.estimation.area_variance import (
    AreaData,
    WeightedFit,
    estimate_both_variances,
    estimate_sigma2_u,
    weighted_fit,
)

Array = NDArray[np.floating]


@dataclass(frozen=True)
class AreaFit:
    """Everything that estimates of areas follow from.

    Attributes
    ----------
    data : AreaData
        The areas of the fit, with sampling variances in full size.
    method : str
    sigma2_u : float
        Variance of the area effects.
    factor : float or None
        What the given sampling variances were multiplied by; None where they are known.
    regression : WeightedFit
    """

    data: AreaData
    method: str
    sigma2_u: float
    factor: float | None
    regression: WeightedFit


@dataclass(frozen=True)
class AreaEstimates:
    """Estimates of n areas: arrays of shape (n,)."""

    direct: Array
    synthetic: Array
    estimate: Array
    gamma: Array
    mse: Array


def fit_area_model(data: AreaData, method: str, proportional: bool) -> AreaFit:
    """Estimate the variance of the area effects, the factor of the sampling variances if need be, and the regression.

    Examples
    --------
    >>> import numpy as np
    >>> data = AreaData(np.array([0.0, 2.0, 3.0, 5.0]), np.ones(4), np.ones((4, 1)))
    >>> round(fit_area_model(data, "reml", proportional=False).sigma2_u, 3)
    3.333
    """
    factor = None
    if proportional:
        sigma2_u, factor = estimate_both_variances(data, method)
        data = AreaData(data.direct, data.variance * factor, data.design)
    else:
        sigma2_u = estimate_sigma2_u(data, method)
    return AreaFit(data, method, sigma2_u, factor, weighted_fit(data, sigma2_u))


def estimate_from_fit(fit: AreaFit, design: Array, direct: Array, variance: Array) -> AreaEstimates:
    """Estimate areas with a fitted model.

    Parameters
    ----------
    fit : AreaFit
    design : array of shape (n, p)
        Covariates.
    direct : array of shape (n,)
        Direct estimates; NaN for areas without one.
    variance : array of shape (n,)
        Their sampling variances in full size; NaN for areas without a direct estimate.

    Returns
    -------
    AreaEstimates

    Examples
    --------
    >>> import numpy as np
    >>> data = AreaData(np.array([0.0, 2.0, 3.0, 5.0]), np.ones(4), np.ones((4, 1)))
    >>> fit = fit_area_model(data, "reml", proportional=False)
    >>> estimate_from_fit(fit, np.ones((2, 1)), np.array([5.0, np.nan]), np.array([1.0, np.nan])).estimate.round(2)
    array([4.42, 2.5 ])
    """
    variance = np.where(np.isnan(direct), np.inf, variance)
    synthetic = design @ fit.regression.coefficients
    gamma = fit.sigma2_u / (fit.sigma2_u + variance)
    estimate = np.where(np.isnan(direct), synthetic, gamma * direct + (1 - gamma) * synthetic)
    if fit.factor is None:
        mse = prediction_mse(fit.data, fit.sigma2_u, fit.method, design, variance)
    else:
        mse = prediction_mse_with_factor(fit.data, fit.sigma2_u, fit.factor, fit.method, design, variance)
    return AreaEstimates(direct, synthetic, estimate, gamma, mse)
