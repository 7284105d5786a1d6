"""Rates on a scale without bounds: arcsine and logit transformations, and the unbiased way back."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolive.errors import InputError
from geolive.estimation.design_matrix import label

Array = NDArray[np.floating]


@dataclass(frozen=True)
class RateTransformation:
    """A transformation of rates in [0, 1].

    Attributes
    ----------
    name : str
    forward : callable
        From rates to the transformed scale.
    inverse : callable
        From the transformed scale to rates; increasing, and within [0, 1] for any number.
    slope : callable
        Derivative of `forward` at a rate.
    """

    name: str
    forward: Callable[[Array], Array]
    inverse: Callable[[Array], Array]
    slope: Callable[[Array], Array]

    def mean(self, mean: Array, variance: Array) -> Array:
        """Compute the mean of the rate whose transform is normal with that mean and variance.

        Examples
        --------
        >>> import numpy as np
        >>> ARCSINE.mean(np.array([0.3]), np.array([0.0])).round(4)
        array([0.0873])
        >>> ARCSINE.mean(np.array([0.3]), np.array([0.04])).round(4)
        array([0.1182])
        """
        return self._integrate(lambda rate: rate, mean, variance)

    def squared_error(self, centre: Array, mean: Array, variance: Array) -> Array:
        """Compute the mean squared distance of the rate from `centre` where its transform is normal with that mean
        and variance.

        Examples
        --------
        >>> import numpy as np
        >>> LOGIT.squared_error(np.array([0.5]), np.array([0.0]), np.array([0.04])).round(5)
        array([0.00245])
        """
        return self._integrate(lambda rate: (rate - centre[:, None]) ** 2, mean, variance)

    def _integrate(self, of: Callable[[Array], Array], mean: Array, variance: Array) -> Array:
        nodes, weights = np.polynomial.hermite_e.hermegauss(61)
        points = mean[:, None] + np.sqrt(variance)[:, None] * nodes
        return of(self.inverse(points)) @ weights / weights.sum()


def _logit(rate: Array) -> Array:
    return np.log(rate) - np.log1p(-rate)


def _expit(value: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * value))


ARCSINE = RateTransformation(
    "arcsine",
    lambda rate: np.arcsin(np.sqrt(rate)),
    lambda value: np.sin(np.clip(value, 0, np.pi / 2)) ** 2,
    lambda rate: 0.5 / np.sqrt(rate * (1 - rate)),
)
LOGIT = RateTransformation("logit", _logit, _expit, lambda rate: 1 / (rate * (1 - rate)))
TRANSFORMATIONS = {"arcsine": ARCSINE, "logit": LOGIT}


def transform_rates(
    transformation: RateTransformation,
    direct: pd.Series,
    variance: pd.Series | None = None,
    effective_sample_size: pd.Series | None = None,
) -> tuple[pd.Series, pd.Series]:
    """Transform direct estimates of rates, and their variances.

    Parameters
    ----------
    transformation : RateTransformation
    direct : Series
        Rates in [0, 1]; NaN for areas without one.
    variance : Series, optional
        Sampling variances of the rates; used where no effective sample size is given.
    effective_sample_size : Series, optional
        Sample size divided by the design effect (arcsine only).

    Returns
    -------
    direct, variance : Series
        On the transformed scale.

    Raises
    ------
    InputError
        A rate is outside [0, 1]; a rate of 0 or 1 where the transformation or the variance is not defined; an effective
        sample size not above 0.

    Notes
    -----
    The variance of the arcsine of the root of a rate is 1 / (4 n), with n the effective sample size (Jiang et al. 2001;
    Hadam, Wuerz and Kreutzmann 2023), or by linearisation the variance of the rate times the squared derivative; both
    agree where the variance is p (1 - p) / n. The logit takes the linearised variance.

    Examples
    --------
    >>> import pandas as pd
    >>> rates, sizes = pd.Series([0.0, 0.5]), pd.Series([25, 100])
    >>> transformed, variance = transform_rates(ARCSINE, rates, effective_sample_size=sizes)
    >>> transformed.round(4).tolist(), variance.tolist()
    ([0.0, 0.7854], [0.01, 0.0025])
    """
    wrong = (direct < 0) | (direct > 1)
    if wrong.any():
        where = label(direct.index[wrong.to_numpy()][0])
        raise InputError(
            f"{direct.name or 'direct'}: {where}: is {direct[wrong].iloc[0]:g}, and a rate for the {transformation.name} "
            "transformation must be in [0, 1]; divide percentages by 100, or leave the transformation out"
        )
    use_size = effective_sample_size is not None and transformation.name == "arcsine"
    edge = direct.isin([0.0, 1.0])
    if edge.any() and not use_size:
        where = label(direct.index[edge.to_numpy()][0])
        raise InputError(
            f"{direct.name or 'direct'}: {where}: is {direct[edge].iloc[0]:g}, where the variance on the transformed scale is "
            "not defined; use the arcsine transformation with effective sample sizes"
        )
    if use_size:
        assert effective_sample_size is not None
        _check_sizes(direct, effective_sample_size)
        return transformation.forward(direct), 1 / (4 * effective_sample_size)
    if variance is None:
        raise InputError(
            "variance: is not given; give the sampling variances of the rates, or effective sample sizes with arcsine"
        )
    return transformation.forward(direct), variance * transformation.slope(direct) ** 2


def back_transform(
    transformation: RateTransformation,
    estimates: pd.DataFrame,
    direct: pd.Series,
    conditional_variance: Array,
    effect_variance: Array,
) -> pd.DataFrame:
    """Transform estimates back to the scale of rates.

    Parameters
    ----------
    transformation : RateTransformation
    estimates : DataFrame
        As `FayHerriot.predict` returns it, on the transformed scale.
    direct : Series
        Direct estimates as rates.
    conditional_variance : array of length n
        Variance of the true transformed value about its estimate with all parameters known: (1 - gamma) sigma2_u.
    effect_variance : array of length n
        Variance of the area effects on the transformed scale: sigma2_u.

    Returns
    -------
    DataFrame
        The same columns; `gamma` stays that of the transformed scale. All rates and ends of intervals are in [0, 1].

    Notes
    -----
    The estimate is the mean of h(t) over the normal distribution of the true transformed value t, with h the way back: h
    of the mean alone would be biased, since h is not linear (Hadam, Wuerz and Kreutzmann 2023). The mean squared error is
    the mean of (h(t) - estimate)^2 with the mean squared error of the transformed scale as the variance of t. The ends of
    the interval are h of the ends.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> table = pd.DataFrame({"synthetic": [0.0], "estimate": [1.0], "mse": [0.5], "gamma": [0.5]})
    >>> table = table.assign(lower=-0.4, upper=2.4)
    >>> result = back_transform(LOGIT, table, pd.Series([0.9]), np.array([0.4]), np.array([0.8]))
    >>> result[["direct", "synthetic", "estimate", "lower", "upper"]].round(3).to_numpy().tolist()
    [[0.9, 0.5, 0.715, 0.401, 0.917]]
    """
    middle = estimates["estimate"].to_numpy()
    estimate = transformation.mean(middle, conditional_variance)
    result = estimates.copy()
    result["direct"] = direct
    result["synthetic"] = transformation.mean(estimates["synthetic"].to_numpy(), effect_variance)
    result["estimate"] = estimate
    result["mse"] = transformation.squared_error(estimate, middle, estimates["mse"].to_numpy())
    result["lower"] = transformation.inverse(estimates["lower"].to_numpy())
    result["upper"] = transformation.inverse(estimates["upper"].to_numpy())
    return result[["direct", "synthetic", "estimate", "mse", "lower", "upper", "gamma"]]


def _check_sizes(direct: pd.Series, sizes: pd.Series) -> None:
    wrong = direct.notna() & ~(sizes > 0)
    if wrong.any():
        where = label(direct.index[wrong.to_numpy()][0])
        raise InputError(
            f"{sizes.name or 'effective_sample_size'}: {where}: is {sizes[wrong].iloc[0]}, and must be above 0; divide the "
            "sample size by the design effect, or leave the direct estimate empty"
        )
