"""Intervals for single places, by conformal prediction from residuals of spatial folds.

There are two targets: the survey's value at a place, which includes the survey's own error, and the place's mean, which does not.
MAPIE's regressors would fit every model again; here the out-of-fold residuals of whole districts are kept with the model, so only
their quantile is computed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# fewer residuals cannot show how errors depend on the number of images
LEAST_TO_SCALE = 40
# the largest share of the residuals' variance that is attributed to the survey's own error
MOST_NOISE = 0.9


@dataclass(frozen=True)
class PlaceError:
    """How far off predictions of single places are.

    Parameters
    ----------
    scores : array of float, shape (n,)
        Sizes of out-of-fold residuals over their spread, in ascending order.
    fixed, by_image : float
        The squared spread at a place with n images is `fixed + by_image / n`.

    Examples
    --------
    >>> PlaceError(np.arange(1.0, 20.0), 1.0, 8.0).half_width(np.array([1, 8]), 0.9).round(2)
    array([54.  , 25.46])
    """

    scores: np.ndarray
    fixed: float
    by_image: float

    def variance(self, n_images: np.ndarray) -> np.ndarray:
        """Return the squared spread at places with these numbers of images."""
        return self.fixed + self.by_image / np.maximum(np.asarray(n_images, float), 1.0)

    def half_width(self, n_images: np.ndarray, level: float, survey_variance: float | np.ndarray = 0.0) -> np.ndarray:
        """Return half the width of the interval at a place that was not surveyed.

        Parameters
        ----------
        n_images : array of int, shape (n,)
            Number of images of each place.
        level : float
            Level of the interval.
        survey_variance : float or array, shape (n,)
            Variance of the survey's own error. With 0 the interval is for the survey's value, otherwise for the place's mean.

        Returns
        -------
        array of float, shape (n,)
            Infinite where there are too few residuals for the level.
        """
        # rounded first: 20 times 0.9 must be 18 exactly
        rank = int(np.ceil(round((len(self.scores) + 1) * level, 9)))
        quantile = float(self.scores[rank - 1]) if rank <= len(self.scores) else np.inf
        variance = self.variance(n_images)
        return quantile * np.sqrt(np.maximum(variance - survey_variance, (1 - MOST_NOISE) * variance))


def place_error(residuals: pd.DataFrame) -> PlaceError:
    """Learn the error at single places from out-of-fold residuals.

    This is split conformal prediction with a scale. Residuals are divided by a spread that falls with the number of images,
    because a site with few photos is predicted less well than the surveyed clusters, most of which have many. The intervals are
    valid if sites are otherwise like training clusters.

    Source: Lei et al. 2018, doi 10.1080/01621459.2017.1307116, section 5.2 (locally weighted). The intervals put
    out-of-fold residuals around the model that was fitted to all clusters, as the jackknife does, not CV+ (Barber et al. 2021,
    doi 10.1214/20-AOS1965). Their coverage is near the level for models that one fold hardly changes, without a guarantee.

    Parameters
    ----------
    residuals : DataFrame
        `value`, `prediction` (out of fold), and `n_images` where errors may depend on it.

    Returns
    -------
    PlaceError

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> n = rng.integers(1, 50, 4000)
    >>> table = pd.DataFrame({"value": rng.normal(0, np.sqrt(1 + 5 / n)), "prediction": 0.0, "n_images": n})
    >>> error = place_error(table)
    >>> round(error.fixed, 1), bool(4 < error.by_image < 6)
    (1.0, True)
    """
    error = np.abs(residuals["value"] - residuals["prediction"]).to_numpy(float)
    fixed, by_image = 1.0, 0.0
    if "n_images" in residuals and len(error) >= LEAST_TO_SCALE and error.any():
        n = np.maximum(residuals["n_images"].to_numpy(float), 1.0)
        fixed, by_image = _spread(error, n)
    elif error.any():
        fixed = float(np.mean(error**2))
    return PlaceError(np.sort(error / np.sqrt(fixed + by_image / np.maximum(_n(residuals), 1.0))), fixed, by_image)


def _n(residuals: pd.DataFrame) -> np.ndarray:
    return residuals["n_images"].to_numpy(float) if "n_images" in residuals else np.ones(len(residuals))


def _spread(error: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Find the two variances with the largest normal likelihood; both at least 0."""
    from scipy.optimize import minimize

    whole = float(np.mean(error**2))

    def minus_log_likelihood(logs: np.ndarray) -> float:
        variance = np.exp(logs[0]) + np.exp(logs[1]) / n
        return float(np.sum(np.log(variance) + error**2 / variance)) / 2

    ends = [(np.log(whole) - 6, np.log(whole) + 2), (np.log(whole) - 8, np.log(whole) + 5)]
    optimum = minimize(minus_log_likelihood, [np.log(whole), np.log(whole) - 1], bounds=ends, method="L-BFGS-B")
    fixed, by_image = np.exp(optimum.x)
    return float(fixed), float(by_image)


def interval_score(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: float) -> np.ndarray:
    """Score intervals by their width, plus a penalty where they miss the truth; smaller is better.

    Source: Gneiting & Raftery 2007, doi 10.1198/016214506000001437, section 6.2.

    Examples
    --------
    >>> interval_score(np.array([0.0, 3.0]), np.array([-1.0, -1.0]), np.array([1.0, 1.0]), 0.9).round(1).tolist()
    [2.0, 42.0]
    """
    missed = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
    return upper - lower + 2 / (1 - level) * missed
