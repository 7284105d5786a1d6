"""Rates: outcomes that are counts of n, such as stunted of measured children, with the noise that so few persons leave.

Source: the beta-binomial distribution, Griffiths 1973, doi 10.2307/2529131; weights with an intraclass correlation, Kish 1965.
"""

import numpy as np
import pandas as pd

# a rate of exactly 0 or 1 at a place would have no noise, so the rates that noise is computed from keep away from both
LEAST_RATE = 0.02
_LEAST_CORRELATION, _MOST_CORRELATION = 1e-6, 0.95


def sample_sizes(clusters: pd.DataFrame, indicator: str) -> np.ndarray | None:
    """Return the number of persons that each cluster's rate was measured of; None where the indicator is no rate.

    An indicator is a rate if the column `NAME_n` is there, its values lie within 0 and 1, and each value times its n is a
    whole number.

    Parameters
    ----------
    clusters : DataFrame
        A clusters table.
    indicator : str

    Returns
    -------
    array of float, shape (n,), or None
        NaN where a cluster has no value.

    Examples
    --------
    >>> table = pd.DataFrame({"stunted": [0.25, 0.5], "stunted_n": [8, 20], "bmi": [21.5, 24.0], "bmi_n": [8, 20]})
    >>> sample_sizes(table, "stunted").tolist(), sample_sizes(table, "bmi")
    ([8.0, 20.0], None)
    """
    column = f"{indicator}_n"
    if column not in clusters.columns:
        return None
    values, sizes = clusters[indicator].to_numpy(float), clusters[column].to_numpy(float)
    known = np.isfinite(values)
    counts = values[known] * sizes[known]
    whole = np.abs(counts - counts.round()) < 1e-4 * np.maximum(sizes[known], 1)
    if not known.any() or not (sizes[known] > 0).all() or not whole.all():
        return None
    if values[known].min() < 0 or values[known].max() > 1:
        return None
    return np.where(known, sizes, np.nan)


def binomial_variance(rates: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Compute the variance p(1 − p)/n of measured rates; `rates` must be smoothed, so that none is 0 or 1 by chance.

    Examples
    --------
    >>> binomial_variance(np.array([0.5, 0.0]), np.array([25, 25])).round(5).tolist()
    [0.01, 0.00078]
    """
    p = np.clip(rates, LEAST_RATE, 1 - LEAST_RATE)
    return p * (1 - p) / sizes


def intraclass_correlation(rates: np.ndarray, sizes: np.ndarray, expected: np.ndarray) -> float:
    """Estimate how alike persons of one place are beyond what is expected of it: ρ of a beta-binomial, by maximum likelihood.

    Parameters
    ----------
    rates, sizes : array of float, shape (n,)
        Measured rates and the numbers of persons.
    expected : array of float, shape (n,)
        Expected rate of each place.

    Returns
    -------
    float
        Between 0 and 1. The true rates of places vary by ρ p(1 − p) about the expected ones.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sizes = np.full(2000, 20)
    >>> true = rng.beta(0.3 * 9, 0.7 * 9, 2000)
    >>> round(intraclass_correlation(rng.binomial(20, true) / 20, sizes, np.full(2000, 0.3)), 2)
    0.1
    """
    from scipy.optimize import minimize_scalar

    def minus(logit: float) -> float:
        return -float(beta_binomial_log_density(rates, sizes, expected, 1 / (1 + np.exp(-logit))).sum())

    ends = [float(np.log(rho / (1 - rho))) for rho in (_LEAST_CORRELATION, _MOST_CORRELATION)]
    found = minimize_scalar(minus, bounds=ends, method="bounded", options={"xatol": 1e-3})
    return float(1 / (1 + np.exp(-found.x)))


def beta_binomial_log_density(
    rates: np.ndarray, sizes: np.ndarray, expected: np.ndarray, correlation: float
) -> np.ndarray:
    """Compute the log probability of measured counts where true rates vary about the expected ones; shape (n,).

    The true rate has a beta distribution with mean p (`expected`) and variance ρ p(1 − p), and the count is binomial:
    P(k) = C(n, k) B(k + a, n − k + b) / B(a, b), with a = p(1/ρ − 1) and b = (1 − p)(1/ρ − 1).

    Examples
    --------
    >>> beta_binomial_log_density(np.array([0.5]), np.array([2]), np.array([0.5]), 1e-9).round(4)
    array([-0.6931])
    """
    from scipy.special import betaln, gammaln

    p = np.clip(expected, 1e-6, 1 - 1e-6)
    k = np.round(np.asarray(rates) * sizes)
    a, b = p * (1 / correlation - 1), (1 - p) * (1 / correlation - 1)
    ways = gammaln(sizes + 1) - gammaln(k + 1) - gammaln(sizes - k + 1)
    return ways + betaln(k + a, sizes - k + b) - betaln(a, b)


def log_predictive_density(
    rates: np.ndarray, sizes: np.ndarray, predictions: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    """Compute the log probability of each place's count under out-of-fold predictions; shape (n,).

    The predictive distribution is the beta distribution about the prediction. Its ρ is the one that the other folds'
    out-of-fold predictions make most likely, so no place's own count enters. The sum over places is the log predictive density
    that the R package mbg reports: there the mean of binomial probabilities over draws stands for the integral.

    Parameters
    ----------
    rates, sizes, predictions : array of float, shape (n,)
        Measured rates, numbers of persons, and out-of-fold predictions.
    folds : array of int, shape (n,)
        The fold of each place.

    Examples
    --------
    >>> rates, sizes = np.array([0.2, 0.4, 0.3, 0.1]), np.full(4, 10)
    >>> log_predictive_density(rates, sizes, np.full(4, 0.25), np.array([0, 0, 1, 1])).round(2).tolist()
    [-1.27, -1.92, -1.39, -1.67]
    """
    density = np.empty(len(rates))
    for fold in np.unique(folds):
        here = folds == fold
        others = ~here if not here.all() else here
        rho = intraclass_correlation(rates[others], sizes[others], predictions[others])
        density[here] = beta_binomial_log_density(rates[here], sizes[here], predictions[here], rho)
    return density


def rate_weights(rates: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Compute the weights of measured rates in a regression, n / (1 + (n − 1)ρ), with a mean of 1; shape (n,).

    ρ is the intraclass correlation about the pooled rate: where true rates differ much, a large sample of one place says little
    more than a small one.

    Examples
    --------
    >>> rate_weights(np.array([0.1, 0.9, 0.2, 0.8]), np.array([10, 10, 100, 100])).round(1).tolist()
    [0.9, 0.9, 1.1, 1.1]
    """
    pooled = np.full(len(rates), (rates * sizes).sum() / sizes.sum())
    rho = intraclass_correlation(rates, sizes, pooled)
    weights = sizes / (1 + (sizes - 1) * rho)
    return weights / weights.mean()
