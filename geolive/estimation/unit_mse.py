"""Mean squared error of the nested-error model's estimates: second-order formula and parametric bootstrap."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geolive.estimation.unit_variance import ADJUSTED, RESIDUAL, UnitFit, UnitSums, fit_units

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Targets:
    """The areas to estimate.

    Attributes
    ----------
    x : array of shape (d, p)
        Mean of the covariates over all of each area.
    row : array of int, shape (d,)
        Row of each area in the sums; -1 where it has no unit.
    residual_error, cross_error, target_error : float or array of shape (d,)
        What an error in the area's covariates adds to the variance of its units' common residual, to the covariance of that
        residual with the area's mean, and to the variance of the area's mean about the regression.
    """

    x: Array
    row: NDArray[np.int_]
    residual_error: Array | float = 0.0
    cross_error: Array | float = 0.0
    target_error: Array | float = 0.0

    def of(self, numbers: Array, absent: float) -> Array:
        """Return the numbers of the surveyed areas, and `absent` where an area has no unit."""
        return np.where(self.row >= 0, numbers[np.maximum(self.row, 0)], absent)


def eblup(sums: UnitSums, fit: UnitFit, targets: Targets) -> tuple[Array, Array, Array]:
    """Compute the synthetic value, estimate and gamma of each area; shape (d,) each.

    Examples
    --------
    >>> from geolive.estimation.unit_variance import fit_at_ratio, unit_sums
    >>> sums = unit_sums(np.ones((4, 1)), np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1]), 2, np.ones(4))
    >>> eblup(sums, fit_at_ratio(sums, 0.5, "reml"), Targets(np.ones((3, 1)), np.array([0, 1, -1])))
    (array([4., 4., 4.]), array([3., 5., 4.]), array([0.5, 0.5, 0. ]))
    """
    gamma = _weights(sums, fit, targets)[0]
    residual = targets.of(sums.y - sums.x @ fit.coefficients, 0.0)
    synthetic = targets.x @ fit.coefficients
    return synthetic, synthetic + gamma * residual, gamma


def second_order_mse(
    sums: UnitSums,
    fit: UnitFit,
    targets: Targets,
    method: str,
    variances_from: tuple[UnitSums, UnitFit] | None = None,
) -> Array:
    """Estimate of the mean squared error that is unbiased to the second order; shape (d,).

    Parameters
    ----------
    sums : UnitSums
    fit : UnitFit
    targets : Targets
    method : str
        How the variances were estimated: one of `geolive.estimation.unit_variance.METHODS`.
    variances_from : tuple of UnitSums and UnitFit, optional
        The sums and the fit that the variances were estimated from, where the estimates use other sums (with survey weights).

    Notes
    -----
    g1 + g2 + 2 g3 - b' grad g1: g1 = gamma sigma2_e / k. is the error where all parameters are known (and, with an error in
    covariates, sigma2_u + target_error - gamma (sigma2_u + cross_error)), g2 comes from the
    coefficients, g3 from the variances, and b is the bias of the estimated variances: zero for reml (Prasad and Rao 1990),
    that of Datta and Lahiri (2000) for ml, and what the factor sigma2_u adds to it for the adjusted likelihoods. Where b'
    grad g1 is above g1, g1 counts as zero.

    Examples
    --------
    >>> from geolive.estimation.unit_variance import fit_units, unit_sums
    >>> rng = np.random.default_rng(0)
    >>> area = np.repeat(np.arange(300), 4)
    >>> y = rng.normal(0, 1, 300)[area] + rng.normal(0, 1, 1200)
    >>> sums = unit_sums(np.ones((1200, 1)), y, area, 300, np.ones(1200))
    >>> fit = fit_units(sums, "reml")
    >>> second_order_mse(sums, fit, Targets(np.ones((2, 1)), np.array([0, -1])), "reml").round(1)
    array([0.2, 1. ])
    """
    gamma, mean_variance = _weights(sums, fit, targets)
    learnt, learnt_fit = variances_from or (sums, fit)
    # sigma2_e plus the size times the variance of the area's effect, whatever its parts are
    total = learnt_fit.sigma2_e / (1 - learnt_fit.gamma)
    covariance = np.asarray(np.linalg.inv(_information(learnt, learnt_fit, total)), float)
    inverse_size = targets.of(1 / sums.size, 0.0)
    g1 = fit.sigma2_u + targets.target_error - gamma * (fit.sigma2_u + targets.cross_error)
    lever = targets.x - gamma[:, None] * np.where((targets.row >= 0)[:, None], sums.x[np.maximum(targets.row, 0)], 0.0)
    g2 = np.einsum("ij,jk,ik->i", lever, fit.covariance, lever)
    # gamma's derivatives by both variances; that of an area without units is 0, as its gamma always is
    slope = np.where(targets.row >= 0, np.array([1 - gamma, -gamma * inverse_size]) / mean_variance, 0.0)
    g3 = np.einsum("ji,jk,ki->i", slope, covariance, slope) * mean_variance
    gradient = np.array([(1 - gamma) ** 2, gamma**2 * inverse_size])
    bias = _bias(learnt, learnt_fit, total, covariance, method)
    return np.maximum(g1 - bias @ gradient, 0.0) + g2 + 2 * g3


def bootstrap_mse(sums: UnitSums, fit: UnitFit, targets: Targets, method: str, n_bootstrap: int, seed: int) -> Array:
    """Estimate the mean squared error by the parametric bootstrap; shape (d,).

    New area effects and errors are drawn from the fitted model, the whole estimation is repeated, and the squared error
    to the drawn areas' means is averaged.

    Source: González-Manteiga et al. 2008, doi 10.1080/00949650601141811.

    Examples
    --------
    >>> from geolive.estimation.unit_variance import fit_units, unit_sums
    >>> rng = np.random.default_rng(0)
    >>> area = np.repeat(np.arange(50), 4)
    >>> y = rng.normal(0, 1, 50)[area] + rng.normal(0, 1, 200)
    >>> sums = unit_sums(np.ones((200, 1)), y, area, 50, np.ones(200))
    >>> bootstrap_mse(sums, fit_units(sums, "reml"), Targets(np.ones((1, 1)), np.array([0])), "reml", 200, 0).round(1)
    array([0.2])
    """
    rng = np.random.default_rng(seed)
    drawn = _drawn_sums(sums, fit, rng, n_bootstrap)
    total = np.zeros(len(targets.row))
    for effects, new in drawn:
        again = fit_units(new, method)
        # an area without units has an effect too, which no estimate can know
        truth = targets.x @ fit.coefficients + np.where(
            targets.row >= 0, effects[np.maximum(targets.row, 0)], rng.normal(0, np.sqrt(fit.sigma2_u), len(total))
        )
        total += (eblup(new, again, targets)[1] - truth) ** 2
    return total / n_bootstrap


def _weights(sums: UnitSums, fit: UnitFit, targets: Targets) -> tuple[Array, Array]:
    """Return the weight of each area's mean residual, and its variance."""
    mean_variance = fit.sigma2_u + targets.residual_error + fit.sigma2_e * targets.of(1 / sums.size, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        gamma = np.where(targets.row >= 0, (fit.sigma2_u + targets.cross_error) / mean_variance, 0.0)
    return gamma, np.maximum(mean_variance, np.finfo(float).tiny)


def _drawn_sums(
    sums: UnitSums, fit: UnitFit, rng: np.random.Generator, number: int
) -> Iterator[tuple[Array, UnitSums]]:
    """Draw area effects and sums of new values; the distribution of the sums is known, so units are not drawn one by one."""
    m, p = sums.x.shape
    eigenvalues, vectors = np.linalg.eigh(sums.within_xx)
    root = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    rank = int((eigenvalues > 1e-9 * max(eigenvalues.max(), 1e-300)).sum())
    freedom = sums.n_units - m - rank
    for _ in range(number):
        effects = np.sqrt(fit.sigma2_u) * rng.standard_normal(m)
        mean_error = rng.normal(0, np.sqrt(fit.sigma2_e / sums.size))
        along = rng.normal(0, np.sqrt(fit.sigma2_e), p) * (eigenvalues > 1e-9 * max(eigenvalues.max(), 1e-300))
        across = fit.sigma2_e * rng.chisquare(freedom) if freedom > 0 else 0.0
        xy_error = root @ along
        within_xy = sums.within_xx @ fit.coefficients + xy_error
        within_yy = fit.coefficients @ sums.within_xx @ fit.coefficients + 2 * fit.coefficients @ xy_error
        yield (
            effects,
            replace(
                sums,
                y=sums.x @ fit.coefficients + effects + mean_error,
                within_xy=within_xy,
                within_yy=float(within_yy + along @ along + across),
            ),
        )


def _information(sums: UnitSums, fit: UnitFit, total: Array) -> Array:
    """Compute the Fisher information of sigma2_u and sigma2_e."""
    cross = 0.5 * (sums.size / total**2).sum()
    own = 0.5 * ((sums.count - 1) / fit.sigma2_e**2 + 1 / total**2).sum()
    return np.array([[0.5 * ((sums.size / total) ** 2).sum(), cross], [cross, own]])


def _bias(sums: UnitSums, fit: UnitFit, total: Array, covariance: Array, method: str) -> Array:
    """Compute the bias of the estimated variances, to the first order; shape (2,)."""
    score = np.zeros(2)
    if method not in RESIDUAL:
        by_u = -np.einsum("i,ij,ik->jk", (sums.size / total) ** 2, sums.x, sums.x)
        by_e = -sums.within_xx / fit.sigma2_e**2 - np.einsum("i,ij,ik->jk", sums.size / total**2, sums.x, sums.x)
        score += 0.5 * np.array([np.trace(fit.covariance @ by_u), np.trace(fit.covariance @ by_e)])
    if method in ADJUSTED:
        score[0] += 1 / fit.sigma2_u
    return covariance @ score
