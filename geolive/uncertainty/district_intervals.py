"""Intervals for the means of districts, from residuals in districts that the model had not seen.

`geolive.uncertainty.conformal` has the intervals for two other targets: the survey's value at a place, and the place's mean.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class MeanError:
    """Errors of the means of districts.

    Parameters
    ----------
    standard_error : array, shape (d,)
    freedom : int
        Degrees of freedom of the standard errors.
    """

    standard_error: np.ndarray
    freedom: int

    def half_width(self, level: float) -> np.ndarray:
        """Return half the width of an interval for each mean; shape (d,).

        Examples
        --------
        >>> MeanError(np.array([0.3]), 10_000).half_width(0.9).round(3)
        array([0.494])
        """
        from scipy.stats import t

        return t.ppf((1 + level) / 2, self.freedom) * self.standard_error


@dataclass(frozen=True)
class DistrictError:
    """Variances of prediction errors: the part that the sites of a district share, and the part of each single site.

    Parameters
    ----------
    shared : float, or array of shape (n,)
        Variance of the error that all sites of a district share; an array has a value for each site.
    single : float
        Variance of surveyed values about the predictions, within a district.
    n_districts : int
        Number of districts that the variances were estimated from.
    """

    shared: float | np.ndarray
    single: float
    n_districts: int

    def take(self, sites: np.ndarray) -> "DistrictError":
        """Return the errors of some sites, where `shared` has a value for each."""
        return replace(self, shared=np.asarray(self.shared)[sites]) if np.ndim(self.shared) else self

    def of_means(
        self,
        predicted: np.ndarray,
        district: np.ndarray,
        ids: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        complete: bool = False,
    ) -> MeanError:
        """Compute the errors of the mean predictions over the sites of each district.

        The mean over m sites has two errors: the one that the district's sites share, and the choice of the sites. Its variance
        is shared + within / m, where `within` is the variance of predictions within districts, pooled over districts. A deviation
        of a site that the model does not see is part of the district's mean, not an error of it. With weights, m is their
        effective number (sum w)² / sum w² (Kish 1965).

        Parameters
        ----------
        predicted : array, shape (n,)
            Predictions at the sites.
        district : array, shape (n,)
            The district of each site; a site without a district is left out.
        ids : array, shape (d,)
            Districts, in the order of the result; the error of a district without sites is 0.
        weights : array, shape (n,), optional
            How much each site counts in the mean, for example its people; all above 0.
        complete : bool
            Whether the sites are all places of their districts, as the cells of a population raster are. Their choice then
            brings no error; but what each cell deviates from its prediction does, and more so where few cells hold most people.

        Examples
        --------
        >>> error = DistrictError(np.array([1.0, 3.0, 5.0]), 0.0, 30)
        >>> error.of_means(np.array([2.0, 4.0, 7.0]), np.array(["a", "a", "b"]), ["b", "a"]).standard_error ** 2
        array([7., 3.])
        """
        weight = np.ones(len(predicted)) if weights is None else np.asarray(weights, float)
        columns = {"predicted": predicted, "shared": weight * self.shared, "weight": weight, "squared": weight**2}
        groups = pd.DataFrame(columns).groupby(np.asarray(district))
        total, n = groups["weight"].sum(), groups.size()
        variance = groups["shared"].sum() / total
        if complete:
            # a cell is taken to deviate as surveyed places do, whose own sampling error is part of that: rather too much
            variance = variance + self.single * groups["squared"].sum() / total**2
        else:
            freedom = int(n.sum()) - len(n)
            # with one site in every district, the variance at surveyed places takes its place
            within = (n * groups["predicted"].var(ddof=0)).sum() / freedom if freedom else self.single
            variance = variance + within * groups["squared"].sum() / total**2
        variance = variance.reindex(ids, fill_value=0.0)
        return MeanError(np.sqrt(variance.to_numpy(float)), max(self.n_districts - 1, 1))


def district_error(residuals: pd.DataFrame) -> DistrictError:
    """Estimate the error of district means from out-of-fold residuals of whole districts.

    The mean residual of a left-out district with n clusters has variance a + b/n. b is the pooled variance within districts
    (`single`); a (`shared`) maximises the likelihood times a, so that the estimate is never 0 where districts are few.

    Source: the adjusted likelihood of Li & Lahiri 2010, doi 10.1016/j.jmva.2009.10.009, for the area-level model.

    Parameters
    ----------
    residuals : DataFrame
        `value`, `prediction` (out of fold), `district_id`.

    Returns
    -------
    DistrictError

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> district = np.repeat(np.arange(200), 10)
    >>> error = rng.normal(0, 0.5, 200)[district] + rng.normal(0, 1.0, 2000)
    >>> estimated = district_error(pd.DataFrame({"value": error, "prediction": 0.0, "district_id": district}))
    >>> round(estimated.shared, 1), round(estimated.single, 1)
    (0.3, 1.0)
    """
    from scipy.optimize import minimize_scalar

    error = (residuals["value"] - residuals["prediction"]).to_numpy(float)
    groups = pd.Series(error).groupby(residuals["district_id"].to_numpy())
    mean, n = groups.mean().to_numpy(), groups.size().to_numpy()
    freedom = len(error) - len(n)
    single = float(((error - groups.transform("mean")) ** 2).sum() / freedom) if freedom > 0 else 0.0
    most = float(np.mean(error**2))
    if most == 0:
        return DistrictError(0.0, 0.0, len(n))

    def minus_log_likelihood(log_shared: float) -> float:
        variance = np.exp(log_shared) + single / n
        return 0.5 * float(np.sum(np.log(variance) + mean**2 / variance)) - log_shared

    optimum = minimize_scalar(minus_log_likelihood, bounds=(np.log(most * 1e-6), np.log(most * 10)), method="bounded")
    return DistrictError(float(np.exp(optimum.x)), single, len(n))
