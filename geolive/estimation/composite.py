"""The composite estimate: the survey's mean in a district, and the predictions of a model at all of its sites."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from geolive.errors import ConvergenceError, InputError
from geolive.estimation.area_checks import Values, check_choice, check_level
from geolive.estimation.design_matrix import check_rank
from geolive.estimation.nested_error import area_numbers, check_enough, normal_quantile, unit_numbers
from geolive.estimation.site_means import estimated_means, known_means, read_sites
from geolive.estimation.unit_mse import Targets, eblup, second_order_mse
from geolive.estimation.unit_variance import (
    METHODS,
    UnitFit,
    UnitSums,
    fit_units,
    refit_coefficients,
    unit_sums,
    weighted_precision,
)

Array = NDArray[np.float64]

_MOST_ROUNDS = 50


class CompositeEstimator(BaseEstimator):
    """Means of districts from the survey's clusters and the predictions at sites.

    The model of cluster j in district i is y_ij = a + b X_i + c (x_ij - X_i) + u_i + e_ij. X_i is the mean of the
    prediction over the whole district, x_ij the prediction at the cluster, u_i ~ N(0, sigma2_u), e_ij ~ N(0, sigma2_e /
    k_ij). The district's mean is a + b X_i + u_i. Two things make this different from a nested-error model on the
    predictions at clusters:

    - Slopes between districts (b) and within them (c) are apart. A prediction from a few photos is noisy, so that within
      a district it says little, while its mean over many sites says much; one slope for both is wrong for each.
    - X_i is not known but estimated from the district's sites. It is estimated by a nested-error model of its own,
    which moves a
      mean over few sites towards the mean of all, and the error that remains enters the weights and the mean squared error: a
      district with few sites relies more on its survey.

    With survey weights the estimate is a pseudo-EBLUP as in You and Rao (2002): the district's weighted mean takes the place of
    its plain mean, and its weight follows from the variance that a weighted mean has. Where clusters are many, it
    approaches the survey's own weighted mean, whatever the model. The variances are estimated without the weights, and
    the coefficients by generalised least squares on the weighted means.

    Use it where a survey with at least some twenty districts meets a model's predictions. Do not use it where the survey chose
    its clusters by what it measures and its weights do not say how.

    Parameters
    ----------
    method : {"amrl", "reml", "ml", "ampl"}
        Estimator of the variances, as in `NestedError`.
    level : float
        Probability of the intervals.

    Attributes
    ----------
    sigma2_u_, sigma2_e_ : float
        Variance of the district effects, and of a cluster's error where its k is 1.
    coefficients_ : Series
        `intercept`, `between` (b) and, where clusters have predictions, `within` (c).
    site_means_ : DataFrame
        For each district with clusters or sites: `n_sites` (with the clusters where they have predictions), `predicted` (mean
        over its sites), `calibrated` (the estimate of X_i) and `variance` (of its error).
    sampling_variance_ : Series
        Variance of the direct estimate of each district with clusters: sigma2_e over the sum of its k, or with weights sigma2_e
        sum(w^2 / k) / sum(w)^2.

    See Also
    --------
    NestedError : One covariate whose means are known.
    geolive.estimation.fay_herriot.FayHerriot : The area-level model, for direct estimates whose variances are given.

    References
    ----------
    Battese, Harter and Fuller (1988), JASA 83; You and Rao (2002), Canadian Journal of Statistics 30 (survey weights); Ybarra
    and Lohr (2008), Biometrika 95 (error in covariates); Carroll et al. (2006), Measurement Error in Nonlinear Models,
    chapter 4 (regression calibration); Rao and Molina (2015), sections 7.1 and 7.6.2.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.normal(size=30)
    >>> site_district, district = np.repeat(np.arange(30), 20), np.repeat(np.arange(30), 4)
    >>> predicted = 0.7 * truth[site_district] + rng.normal(0, 0.5, 600)
    >>> model = CompositeEstimator().fit(truth[district] + rng.normal(size=120), district, predicted, site_district)
    >>> estimates = model.predict([0, 1])
    >>> estimates[["n_units", "n_sites", "direct", "predicted", "estimate", "gamma"]].round(2)
       n_units  n_sites  direct  predicted  estimate  gamma
    0        4       20    0.18       0.34      0.36    0.3
    1        4       20    0.70      -0.11      0.08    0.3
    """

    def __init__(self, method: str = "amrl", *, level: float = 0.9) -> None:
        self.method = method
        self.level = level

    def fit(
        self,
        values: Values,
        areas: Values,
        site_predictions: Values,
        site_areas: Values,
        *,
        site_weights: Values | None = None,
        complete: bool = False,
        predictions: Values | None = None,
        k: Values | None = None,
        weights: Values | None = None,
    ) -> Self:
        """Estimate the variances, the slopes and the districts' means of the prediction.

        Parameters
        ----------
        values, areas : Series or array of length n
            What the survey measured at each cluster, and the cluster's district.
        site_predictions, site_areas : Series or array of length s
            Predictions at sites that are not clusters, and the district of each. Clusters must not be among them: what a model
            predicts at a cluster shares the cluster's error. Best are predictions by a model that was fitted without the
            district's clusters (cross-fitted); of a model that follows its neighbours, such as kriging, they must be, since the
            survey would otherwise count twice.
        site_weights : Series or array of length s, optional
            How much each site counts in X_i, for example its people. A district's mean over sites then has the
            precision of their effective number, (sum w)² / sum w² (Kish 1965).
        complete : bool
            Whether the sites are all inhabited places of their districts, as the cells of a population raster are. X_i is then
            known without error.
        predictions : Series or array of length n, optional
            Cross-fitted predictions at the clusters, from as many photos as at other sites; the clusters then count as sites,
            too. A prediction from more photos varies more, and the difference between a cluster and its district's sites would
            be one of photos: leave these predictions out where that is so. With `complete` they do not count as sites,
            which have the places of the clusters already.
        k : Series or array of length n, optional
            The error of a cluster has variance sigma2_e / k: the number of its households or, for a rate p of n cases, n /
            (p (1 - p)).
        weights : Series or array of length n, optional
            Survey weights; a cluster counts in its district by its weight alone. For a rate give the weight of a case times the
            number of cases. Clusters of weight 0 take no part.

        Returns
        -------
        CompositeEstimator
            The estimator itself.

        Raises
        ------
        InputError
            A value cannot be used, districts are too few, or the estimation does not converge.
        """
        check_choice("method", self.method, list(METHODS))
        check_level(self.level)
        clusters = _clusters(values, areas, predictions, k, weights)
        self.areas_ = clusters.areas
        own = (None, None) if complete else (clusters.predictions, clusters.areas[clusters.number])
        sites = read_sites(site_predictions, site_areas, site_weights, *own)
        self.site_means_ = (known_means if complete else estimated_means)(sites, self.areas_)
        own = self.site_means_.loc[self.areas_]
        design, names = _design(clusters, own["calibrated"].to_numpy())
        n_areas = len(self.areas_)
        check_enough(len(clusters.y), n_areas, names)
        check_rank(design, names)
        sums = unit_sums(design, clusters.y, clusters.number, n_areas, clusters.k)
        fit, extra = _fit_with_error(sums, own["variance"].to_numpy(), self.method)
        self._variances_from = (sums, fit)
        if clusters.weights is not None:
            k = weighted_precision(clusters.k, clusters.weights, clusters.number, n_areas)
            sums = unit_sums(design, clusters.y, clusters.number, n_areas, k)
            fit = refit_coefficients(sums, fit, extra)
        self._sums, self._fit = sums, fit
        self.sigma2_u_, self.sigma2_e_ = fit.sigma2_u, fit.sigma2_e
        self.sampling_variance_ = pd.Series(fit.sigma2_e / sums.size, index=self.areas_)
        self.coefficients_ = pd.Series(fit.coefficients, index=list(names))
        return self

    def predict(self, areas: pd.Index | Values | list) -> pd.DataFrame:
        """Estimate the means of districts.

        Parameters
        ----------
        areas : Index or array of length d
            Districts; each needs clusters or sites for an estimate of its own. One with neither gets the mean of all districts
            with the error that this has.

        Returns
        -------
        DataFrame
            Index as given; `n_units`, `n_sites`, `direct` (mean of the clusters, weighted by `weights` or else k), `predicted`
            (mean over sites),
            `synthetic` (a + b X), `estimate`, `gamma` (weight of the survey; with predictions at clusters whose slope c
            is of the other sign than b, it can exceed 1 a little), `mse`, `lower`, `upper`.
        """
        check_is_fitted(self)
        wanted = pd.Index(areas)
        known = self.site_means_.reindex(wanted)
        mean = known["calibrated"].fillna(self._grand_mean).to_numpy()
        variance = known["variance"].fillna(self._between_variance).to_numpy()
        x = np.column_stack([np.ones(len(wanted)), mean, *([np.zeros(len(wanted))] * (self._sums.x.shape[1] - 2))])
        between, difference = _slopes(self._fit)
        row = self.areas_.get_indexer(wanted)
        targets = Targets(
            x,
            row,
            difference**2 * variance,
            between * difference * variance,
            np.broadcast_to(between**2 * variance, len(row)),
        )
        synthetic, estimate, gamma = eblup(self._sums, self._fit, targets)
        mse = second_order_mse(self._sums, self._fit, targets, self.method, self._variances_from)
        half = normal_quantile(self.level) * np.sqrt(mse)
        columns = {
            "n_units": targets.of(self._sums.count, 0.0).astype(int),
            "n_sites": known["n_sites"].fillna(0).to_numpy(int),
            "direct": targets.of(self._sums.y, np.nan),
            "predicted": known["predicted"].to_numpy(),
            "synthetic": synthetic,
            "estimate": estimate,
            "gamma": gamma,
            "mse": mse,
            "lower": estimate - half,
            "upper": estimate + half,
        }
        return pd.DataFrame(columns, index=wanted)

    @property
    def _grand_mean(self) -> float:
        return float(self.site_means_.attrs["mean"])

    @property
    def _between_variance(self) -> float:
        return float(self.site_means_.attrs["variance"])


@dataclass(frozen=True)
class _Clusters:
    """The surveyed clusters that count: `number` is the row of each in `areas`."""

    y: Array
    number: NDArray[np.int_]
    areas: pd.Index
    k: Array
    predictions: Array | None
    weights: Array | None


def _clusters(
    values: Values, areas: Values, predictions: Values | None, k: Values | None, weights: Values | None
) -> _Clusters:
    index = pd.RangeIndex(len(np.asarray(values)))
    y = unit_numbers("values", values, index)
    size = np.ones(len(y)) if k is None else unit_numbers("k", k, index)
    if (size <= 0).any():
        raise InputError(
            f"k: row {int(np.flatnonzero(size <= 0)[0])}: must be above 0; drop clusters without households"
        )
    own = None if predictions is None else unit_numbers("predictions", predictions, index)
    number, names = area_numbers(areas, index)
    if weights is None:
        return _Clusters(y, number, names, size, own, None)
    weight = unit_numbers("weights", weights, index)
    if (weight < 0).any():
        row = int(np.flatnonzero(weight < 0)[0])
        raise InputError(
            f"weights: row {row}: is {weight[row]:g}, and must not be negative; correct it, or drop the cluster"
        )
    counts = weight > 0
    if not counts.any():
        raise InputError("weights: all weights are 0; leave them out to weigh all clusters alike")
    number, names = area_numbers(names[number[counts]], pd.RangeIndex(int(counts.sum())))
    return _Clusters(y[counts], number, names, size[counts], None if own is None else own[counts], weight[counts])


def _design(clusters: _Clusters, mean: Array) -> tuple[Array, tuple[str, ...]]:
    """Make the design matrix of the clusters, and the names of its columns; `mean` is X_i of each district."""
    columns = [np.ones(len(clusters.y)), mean[clusters.number]]
    if clusters.predictions is not None:
        columns.append(clusters.predictions - mean[clusters.number])
    return np.column_stack(columns), ("intercept", "between", "within")[: len(columns)]


def _slopes(fit: UnitFit) -> tuple[float, float]:
    """Return the slope between districts, and its difference from the slope within districts."""
    within = float(fit.coefficients[2]) if len(fit.coefficients) > 2 else 0.0
    return float(fit.coefficients[1]), float(fit.coefficients[1]) - within


def _fit_with_error(sums: UnitSums, variance: Array, method: str) -> tuple[UnitFit, Array]:
    """Fit where the covariate's means have errors, whose part in the districts' effects depends on the slopes themselves.

    Returned are the fit and that part of each district's effect, as a ratio to sigma2_e.
    """
    extra = np.zeros(len(variance))
    for _ in range(_MOST_ROUNDS):
        fit = fit_units(sums, method, extra)
        new = _slopes(fit)[1] ** 2 * variance / fit.sigma2_e
        if np.allclose(new, extra, rtol=1e-4, atol=1e-9):
            return fit, extra
        extra = new
    raise ConvergenceError(
        f"method={method!r}: the slopes and the errors of the predictions' means did not converge; leave predictions=None, or "
        "use the area-level model (FayHerriot)"
    )
