"""How far off predictions are, learnt from districts and places that the model had not seen.

Two targets are kept apart: the survey's value at a place, and the mean of a district.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class DistrictError:
    """Variance of the error of a district's mean: `shared + single / n_sites`.

    Parameters
    ----------
    shared : float
        Variance of the error that all sites of a district share.
    single : float
        Variance of a site's own error, which averages out over sites.
    n_districts : int
        Districts that they were learnt from.
    """

    shared: float
    single: float
    n_districts: int

    def half_width(self, n_sites: np.ndarray, level: float) -> np.ndarray:
        """Half the width of an interval for the mean of districts with so many sites.

        Examples
        --------
        >>> DistrictError(0.09, 0.0, 10_000).half_width(np.array([4]), 0.9).round(3)
        array([0.494])
        """
        from scipy.stats import t

        quantile = t.ppf((1 + level) / 2, max(self.n_districts - 1, 1))
        return quantile * np.sqrt(self.shared + self.single / np.asarray(n_sites, float))


def district_error(residuals: pd.DataFrame) -> DistrictError:
    """Learn the error of district means from out-of-fold residuals, where whole districts were left out.

    The mean residual of a left-out district with n clusters has variance a + b/n. b is the pooled variance within districts; a
    maximises the likelihood times a, so that it is never estimated as 0 from few districts.

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
    >>> found = district_error(pd.DataFrame({"value": error, "prediction": 0.0, "district_id": district}))
    >>> round(found.shared, 1), round(found.single, 1)
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

    found = minimize_scalar(minus_log_likelihood, bounds=(np.log(most * 1e-6), np.log(most * 10)), method="bounded")
    return DistrictError(float(np.exp(found.x)), single, len(n))


def place_half_width(residuals: pd.DataFrame, level: float) -> float:
    """Half the width of an interval for the survey's value at a place that was not surveyed.

    Split conformal: the quantile of absolute out-of-fold residuals, with the correction for their number; infinite where there
    are too few of them for the level.

    Source: Lei et al. 2018, doi 10.1080/01621459.2017.1307116.

    Examples
    --------
    >>> table = pd.DataFrame({"value": np.arange(1.0, 20.0), "prediction": 0.0})
    >>> place_half_width(table, 0.9)
    18.0
    """
    size = np.sort(np.abs(residuals["value"] - residuals["prediction"]).to_numpy(float))
    # rounded first: 20 times 0.9 must be 18 whatever the last bit says
    rank = int(np.ceil(round((len(size) + 1) * level, 9)))
    return float(size[rank - 1]) if rank <= len(size) else float("inf")


def rank_ranges(lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best and worst rank each district may have, 1 for the highest: districts whose intervals overlap may change places.

    Parameters
    ----------
    lower, upper : array, shape (n,)
        Ends of the intervals; NaN where there is none.

    Returns
    -------
    best, worst : array of float, shape (n,)
        NaN where there is no interval.

    Examples
    --------
    >>> rank_ranges(np.array([3.0, 1.0, 1.5]), np.array([4.0, 2.0, 2.5]))
    (array([1., 2., 2.]), array([1., 3., 3.]))
    """
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    known = np.isfinite(lower) & np.isfinite(upper)
    above = (lower[None, :] > upper[:, None]).sum(axis=1)
    below = (upper[None, :] < lower[:, None]).sum(axis=1)
    best, worst = 1.0 + above, float(known.sum()) - below
    return np.where(known, best, np.nan), np.where(known, worst, np.nan)
