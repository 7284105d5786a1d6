"""Variance components of the nested-error model: sums over units, and the likelihood of the two variances."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geolive.errors import ConvergenceError

Array = NDArray[np.float64]

METHODS = {
    "reml": "restricted maximum likelihood",
    "ml": "maximum likelihood",
    "amrl": "adjusted maximum residual likelihood: reml times sigma2_u, as Li and Lahiri (2010); never zero",
    "ampl": "adjusted maximum profile likelihood: ml times sigma2_u, as Li and Lahiri (2010); never zero",
}
RESIDUAL = {"reml", "amrl"}
ADJUSTED = {"amrl", "ampl"}


@dataclass(frozen=True)
class UnitSums:
    """Sums over units that the likelihood needs, so that each evaluation costs the number of areas, not of units.

    Attributes
    ----------
    n_units : int
    size : array of shape (m,)
        Sum of the units' k in each area; the number of units where all k are 1.
    count : array of shape (m,)
        Number of units in each area.
    x : array of shape (m, p)
        Mean of the covariates in each area, weighted by k.
    y : array of shape (m,)
        Mean of the values in each area, weighted by k.
    within_xx, within_xy, within_yy : array of shape (p, p), (p,) and float
        Sums of squares and products about the areas' means, weighted by k.
    log_k : float
        Sum of the logarithms of the units' k.
    """

    n_units: int
    size: Array
    count: Array
    x: Array
    y: Array
    within_xx: Array
    within_xy: Array
    within_yy: float
    log_k: float


@dataclass(frozen=True)
class UnitFit:
    """The regression by generalised least squares, and both variances.

    Attributes
    ----------
    coefficients : array of shape (p,)
    covariance : array of shape (p, p)
        Covariance matrix of the coefficients.
    sigma2_u, sigma2_e : float
        Variance of the area effects, and of a unit's error where its k is 1.
    gamma : array of shape (m,)
        Share of the variance of each area's mean that is the area's effect.
    log_likelihood : float
        Of the values, not adjusted; restricted for reml and amrl.
    """

    coefficients: Array
    covariance: Array
    sigma2_u: float
    sigma2_e: float
    gamma: Array
    log_likelihood: float


def unit_sums(design: Array, values: Array, area: NDArray[np.int_], n_areas: int, k: Array) -> UnitSums:
    """Sum the units by area.

    Parameters
    ----------
    design : array of shape (n, p)
    values : array of shape (n,)
    area : array of int, shape (n,)
        Number of each unit's area, below `n_areas`.
    n_areas : int
    k : array of shape (n,)
        The error of a unit has variance sigma2_e / k.

    Examples
    --------
    >>> sums = unit_sums(np.ones((3, 1)), np.array([1.0, 3.0, 5.0]), np.array([0, 0, 1]), 2, np.ones(3))
    >>> sums.y.tolist(), sums.within_yy
    ([2.0, 5.0], 2.0)
    """

    def mean(column: Array) -> Array:
        return np.bincount(area, k * column, n_areas) / size

    size = np.bincount(area, k, n_areas).astype(float)
    x, y = np.column_stack([mean(column) for column in design.T]), mean(values)
    dx, dy = design - x[area], values - y[area]
    return UnitSums(
        len(values),
        size,
        np.bincount(area, minlength=n_areas).astype(float),
        x,
        y,
        (dx * k[:, None]).T @ dx,
        dx.T @ (k * dy),
        float(k @ dy**2),
        float(np.log(k).sum()),
    )


def fit_at_ratio(sums: UnitSums, ratio: float, method: str, extra: Array | float = 0.0) -> UnitFit:
    """Fit the regression and sigma2_e where the ratio sigma2_u / sigma2_e is given.

    Parameters
    ----------
    sums : UnitSums
    ratio : float
        At least 0.
    method : str
        One of `METHODS`.
    extra : float or array of shape (m,)
        Known further variance of each area's effect, as a ratio to sigma2_e.

    Notes
    -----
    The inverse of an area's covariance matrix is known exactly, (diag(k) - gamma k k' / k.) / sigma2_e with gamma = ratio
    k. / (1 + ratio k.), so that the sums of squares are those within areas plus (1 - gamma) k. times those of the areas'
    means.

    Examples
    --------
    >>> sums = unit_sums(np.ones((4, 1)), np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1]), 2, np.ones(4))
    >>> fit_at_ratio(sums, 1.0, "ml").coefficients
    array([4.])
    """
    n, p = sums.n_units, sums.x.shape[1]
    relative: Array = (ratio + extra) * sums.size
    gamma = relative / (1 + relative)
    between = (1 - gamma) * sums.size
    matrix = sums.within_xx + (sums.x * between[:, None]).T @ sums.x
    inverse = np.asarray(np.linalg.inv(matrix), float)
    coefficients = inverse @ (sums.within_xy + sums.x.T @ (between * sums.y))
    residual = sums.y - sums.x @ coefficients
    within = sums.within_yy - 2 * coefficients @ sums.within_xy + coefficients @ sums.within_xx @ coefficients
    square_sum = float(within + between @ residual**2)
    freedom = n - (p if method in RESIDUAL else 0) - (2 if method in ADJUSTED else 0)
    sigma2_e = square_sum / freedom
    whole = n - (p if method in RESIDUAL else 0)
    log_likelihood = -0.5 * (
        whole * np.log(2 * np.pi * sigma2_e)
        + square_sum / sigma2_e
        + np.log1p(relative).sum()
        - sums.log_k
        + (np.linalg.slogdet(matrix)[1] if method in RESIDUAL else 0.0)
    )
    return UnitFit(coefficients, sigma2_e * inverse, ratio * sigma2_e, sigma2_e, gamma, float(log_likelihood))


def fit_units(sums: UnitSums, method: str, extra: Array | float = 0.0) -> UnitFit:
    """Estimate both variances and the coefficients.

    Parameters
    ----------
    sums : UnitSums
    method : str
        One of `METHODS`.
    extra : float or array of shape (m,)
        Known further variance of each area's effect, as a ratio to sigma2_e.

    Returns
    -------
    UnitFit
        sigma2_u is zero where the likelihood is highest there; reml and ml only.

    Raises
    ------
    InputError
        The likelihood has no maximum within the range that the data allow.

    Notes
    -----
    sigma2_e and the coefficients have closed forms at a given ratio sigma2_u / sigma2_e, so the likelihood is profiled
    over the ratio alone: on a grid over 16 powers of ten, then by Brent's method around the best point.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> area = np.repeat(np.arange(200), 5)
    >>> y = rng.normal(0, 2, 200)[area] + rng.normal(0, 1, 1000)
    >>> fit = fit_units(unit_sums(np.ones((1000, 1)), y, area, 200, np.ones(1000)), "reml")
    >>> round(fit.sigma2_u, 1), round(fit.sigma2_e, 1)
    (3.7, 1.0)
    """
    from scipy.optimize import minimize_scalar

    def objective(ratio: float) -> float:
        fit = fit_at_ratio(sums, ratio, method, extra)
        return fit.log_likelihood + (np.log(fit.sigma2_u) if method in ADJUSTED else 0.0)

    grid = np.geomspace(1e-8, 1e8, 81) / np.median(sums.size)
    if method not in ADJUSTED:
        grid = np.concatenate([[0.0], grid])
    values = np.array([objective(float(ratio)) for ratio in grid])
    best = int(np.argmax(values))
    if not np.isfinite(values[best]) or best == len(grid) - 1:
        raise ConvergenceError(
            f"method={method!r}: the likelihood has no maximum, so the estimation did not converge; leave covariates out, or try "
            f"another of {', '.join(METHODS)}"
        )
    if best == 0:
        return fit_at_ratio(sums, float(grid[0]), method, extra)
    low, high = np.log(max(grid[best - 1], grid[best] * 1e-3)), np.log(grid[best + 1])
    optimum = minimize_scalar(
        lambda log: -objective(float(np.exp(log))), bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    )
    return fit_at_ratio(sums, float(np.exp(optimum.x)), method, extra)


def weighted_precision(k: Array, weights: Array, area: NDArray[np.int_], n_areas: int) -> Array:
    """Compute the k of units that makes their means in `unit_sums` the survey-weighted ones, with the variance that these have.

    The weighted mean of an area is sum(w y) / sum(w). Its variance is sigma2_e sum(w^2 / k) / sum(w)^2, and so the area's k add
    up to sum(w)^2 / sum(w^2 / k): Kish's effective sample size where all k are 1.

    Parameters
    ----------
    k : array of shape (n,)
        The error of a unit has variance sigma2_e / k.
    weights : array of shape (n,)
        Survey weights, above 0.
    area : array of int, shape (n,)
    n_areas : int

    Examples
    --------
    >>> weighted_precision(np.ones(3), np.array([3.0, 1.0, 7.0]), np.array([0, 0, 1]), 2)
    array([1.2, 0.4, 1. ])
    """
    total, squares = np.bincount(area, weights, n_areas), np.bincount(area, weights**2 / k, n_areas)
    return weights * (total / squares)[area]


def refit_coefficients(sums: UnitSums, fit: UnitFit, extra: Array | float = 0.0) -> UnitFit:
    """Estimate the coefficients from other sums, with the variances of a fit.

    With the sums of `weighted_precision` this is generalised least squares on the areas' weighted means. The equations of You and
    Rao (2002) differ from it in counting an area by the sum of its weights, which makes their estimates add up by themselves.

    Parameters
    ----------
    sums : UnitSums
    fit : UnitFit
        Its variances are kept.
    extra : float or array of shape (m,)
        Known further variance of each area's effect, as a ratio to sigma2_e.

    Examples
    --------
    >>> area, y = np.array([0, 0, 1, 1]), np.array([1.0, 3.0, 5.0, 7.0])
    >>> fit = fit_at_ratio(unit_sums(np.ones((4, 1)), y, area, 2, np.ones(4)), 1.0, "reml")
    >>> k = weighted_precision(np.ones(4), np.array([1.0, 3.0, 1.0, 1.0]), area, 2)
    >>> again = refit_coefficients(unit_sums(np.ones((4, 1)), y, area, 2, k), fit)
    >>> again.coefficients.round(3), again.sigma2_e == fit.sigma2_e
    (array([4.32]), True)
    """
    again = fit_at_ratio(sums, fit.sigma2_u / fit.sigma2_e, "reml", extra)
    return replace(
        again,
        covariance=again.covariance * (fit.sigma2_e / again.sigma2_e),
        sigma2_u=fit.sigma2_u,
        sigma2_e=fit.sigma2_e,
        log_likelihood=fit.log_likelihood,
    )
