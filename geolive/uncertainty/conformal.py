"""Intervals for single places, by conformal prediction from residuals of spatial folds.

Two targets: the survey's value at a place, which holds the survey's own error, and the place's mean, which does not. MAPIE's
regressors fit models to arrays anew, while here the out-of-fold residuals of whole districts are kept with every model; all that
remains is their quantile.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# fewer residuals cannot tell how errors go with the number of images
LEAST_TO_SCALE = 40
# the survey's own error is never thought to be more of the residuals' variance than that
MOST_NOISE = 0.9


@dataclass(frozen=True)
class PlaceError:
    """How far off predictions of single places are.

    Parameters
    ----------
    scores : array of float, shape (n,)
        Sizes of out-of-fold residuals over their spread, in ascending order.
    fixed, by_image : float
        The spread's square at a place of n images is `fixed + by_image / n`.

    Examples
    --------
    >>> PlaceError(np.arange(1.0, 20.0), 1.0, 8.0).half_width(np.array([1, 8]), 0.9).round(2)
    array([54.  , 25.46])
    """

    scores: np.ndarray
    fixed: float
    by_image: float

    def variance(self, n_images: np.ndarray) -> np.ndarray:
        """The spread's square at places of so many images."""
        return self.fixed + self.by_image / np.maximum(np.asarray(n_images, float), 1.0)

    def half_width(self, n_images: np.ndarray, level: float, survey_variance: float | np.ndarray = 0.0) -> np.ndarray:
        """Half the width of the interval of a place that was not surveyed.

        Parameters
        ----------
        n_images : array of int, shape (n,)
            Its images.
        level : float
        survey_variance : float or array, shape (n,)
            The variance of the survey's own error: 0 for an interval of the survey's value; where it is known, the interval
            is that of the place's mean.

        Returns
        -------
        array of float, shape (n,)
            Infinite where there are too few residuals for the level.
        """
        # rounded first: 20 times 0.9 must be 18 whatever the last bit says
        rank = int(np.ceil(round((len(self.scores) + 1) * level, 9)))
        quantile = float(self.scores[rank - 1]) if rank <= len(self.scores) else np.inf
        variance = self.variance(n_images)
        return quantile * np.sqrt(np.maximum(variance - survey_variance, (1 - MOST_NOISE) * variance))


def place_error(residuals: pd.DataFrame) -> PlaceError:
    """Learn the error at single places from out-of-fold residuals.

    Split conformal with a scale: residuals are divided by a spread that falls with the number of images, since a site seen in
    few photos is predicted less well than the surveyed clusters, most of which have many. Validity rests on sites being like
    training clusters but for that.

    Source: Lei et al. 2018, doi 10.1080/01621459.2017.1307116, section 5.2 (locally weighted). The intervals take out-of-fold
    residuals about the model fitted to all clusters, so they are the jackknife's rather than CV+'s (Barber et al. 2021,
    doi 10.1214/20-AOS1965): near to the level for models that one fold hardly moves, without a guarantee.

    Parameters
    ----------
    residuals : DataFrame
        `value`, `prediction` (out of fold), and `n_images` where errors may go with it.

    Returns
    -------
    PlaceError

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> n = rng.integers(1, 50, 4000)
    >>> table = pd.DataFrame({"value": rng.normal(0, np.sqrt(1 + 5 / n)), "prediction": 0.0, "n_images": n})
    >>> found = place_error(table)
    >>> round(found.fixed, 1), bool(4 < found.by_image < 6)
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
    """The variances that make normal errors most likely; both at least 0."""
    from scipy.optimize import minimize

    whole = float(np.mean(error**2))

    def minus_log_likelihood(logs: np.ndarray) -> float:
        variance = np.exp(logs[0]) + np.exp(logs[1]) / n
        return float(np.sum(np.log(variance) + error**2 / variance)) / 2

    ends = [(np.log(whole) - 6, np.log(whole) + 2), (np.log(whole) - 8, np.log(whole) + 5)]
    found = minimize(minus_log_likelihood, [np.log(whole), np.log(whole) - 1], bounds=ends, method="L-BFGS-B")
    return tuple(float(np.exp(x)) for x in found.x)


def interval_score(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray, level: float) -> np.ndarray:
    """Width of an interval, plus a penalty where it misses the truth; smaller is better.

    Source: Gneiting & Raftery 2007, doi 10.1198/016214506000001437, section 6.2.

    Examples
    --------
    >>> interval_score(np.array([0.0, 3.0]), np.array([-1.0, -1.0]), np.array([1.0, 1.0]), 0.9).round(1).tolist()
    [2.0, 42.0]
    """
    missed = np.maximum(lower - truth, 0) + np.maximum(truth - upper, 0)
    return upper - lower + 2 / (1 - level) * missed
