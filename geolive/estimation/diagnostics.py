"""Diagnostics of area-level estimates: normality, precision gained, coherence with the survey, and disagreements."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.estimation.area_checks import Values, check_direct


@dataclass(frozen=True)
class BrownTest:
    """Test of coherence of Brown et al. (2001).

    Attributes
    ----------
    statistic : float
        Sum over areas of (direct - estimate)^2 / (variance + mse).
    n_areas : int
        Degrees of freedom.
    p_value : float
        A small value says that the estimates differ from the direct ones by more than both errors explain.
    """

    statistic: float
    n_areas: int
    p_value: float


@dataclass(frozen=True)
class AreaDiagnostics:
    """Diagnostics of a set of area-level estimates.

    Attributes
    ----------
    normality : DataFrame
        Shapiro-Wilk `statistic` and `p_value`, `skewness` and `excess_kurtosis` of the standardised residuals, the area
        effects and the sampling residuals.
    variation : DataFrame
        `cv_direct`, `cv_estimate` (coefficients of variation, in per cent) and `reduction` (of the root mean squared
        error, in per cent) of each surveyed area.
    brown : BrownTest
    disagreements : DataFrame
        Areas where direct and synthetic are furthest apart for their errors: `direct`, `synthetic`, `estimate`, `gamma`
        and `z`.
    """

    normality: pd.DataFrame
    variation: pd.DataFrame
    brown: BrownTest
    disagreements: pd.DataFrame


def diagnose_areas(
    estimates: pd.DataFrame, variance: Values, effects: pd.DataFrame, *, n_disagreements: int = 10
) -> AreaDiagnostics:
    """Collect the diagnostics of a fitted area-level model.

    Parameters
    ----------
    estimates : DataFrame
        As `FayHerriot.predict` returns it.
    variance : Series or array
        Sampling variances of the direct estimates, in full size.
    effects : DataFrame
        As `FayHerriot.area_effects` returns it.
    n_disagreements : int
        Number of areas listed.

    Returns
    -------
    AreaDiagnostics

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from geolive.estimation.fay_herriot import FayHerriot
    >>> rng, x = np.random.default_rng(0), pd.DataFrame({"light": np.arange(30.0)})
    >>> variance = np.full(30, 0.5)
    >>> direct = x["light"] + rng.normal(size=30) + rng.normal(size=30) * np.sqrt(0.5)
    >>> model = FayHerriot().fit(x, direct, variance)
    >>> diagnostics = diagnose_areas(model.predict(x, direct, variance), variance, model.area_effects())
    >>> diagnostics.brown.n_areas, bool(diagnostics.brown.p_value > 0.05), len(diagnostics.disagreements)
    (30, True, 10)
    """
    return AreaDiagnostics(
        normality(effects),
        variation(estimates, variance),
        brown_test(estimates, variance),
        disagreements(estimates, effects).head(n_disagreements),
    )


def normality(effects: pd.DataFrame) -> pd.DataFrame:
    """Test residuals and area effects for normality (Shapiro-Wilk).

    Parameters
    ----------
    effects : DataFrame
        As `FayHerriot.area_effects` returns it.

    Returns
    -------
    DataFrame
        A row for each kind of residual; NaN where there are fewer than three areas, or all are alike.

    Examples
    --------
    >>> import pandas as pd
    >>> residuals = [-1.0, 0.2, 1.1]
    >>> table = {"standardised_residual": residuals, "area_effect": residuals, "sampling_residual": residuals}
    >>> normality(pd.DataFrame(table))["statistic"].round(2).tolist()
    [0.99, 0.99, 0.99]
    """
    from scipy.stats import kurtosis, shapiro, skew

    rows = {}
    for name in ("standardised_residual", "area_effect", "sampling_residual"):
        values = effects[name].to_numpy()
        usable = len(values) >= 3 and np.ptp(values) > 0
        test = shapiro(values) if usable else (np.nan, np.nan)
        shape = (float(skew(values)), float(kurtosis(values))) if usable else (np.nan, np.nan)
        rows[name] = [float(test[0]), float(test[1]), *shape]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["statistic", "p_value", "skewness", "excess_kurtosis"])


def variation(estimates: pd.DataFrame, variance: Values) -> pd.DataFrame:
    """Compute the coefficients of variation of direct estimates and of EBLUPs, for areas with a direct estimate.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"direct": [2.0], "estimate": [2.5], "mse": [0.01]}, index=["a"])
    >>> variation(table, [0.04]).round(1).to_dict("records")
    [{'cv_direct': 10.0, 'cv_estimate': 4.0, 'reduction': 50.0}]
    """
    direct, error = check_direct(estimates.index, estimates["direct"], variance)
    surveyed = ~np.isnan(direct)
    with np.errstate(divide="ignore"):
        table = {
            "cv_direct": 100 * np.sqrt(error) / np.abs(direct),
            "cv_estimate": 100 * np.sqrt(estimates["mse"]) / estimates["estimate"].abs(),
            "reduction": 100 * (1 - np.sqrt(estimates["mse"] / error)),
        }
    return pd.DataFrame(table, index=estimates.index)[surveyed]


def brown_test(estimates: pd.DataFrame, variance: Values) -> BrownTest:
    """Test whether the estimates are coherent with the direct ones (Brown, Chambers, Heady and Heasman 2001).

    Under the null hypothesis the statistic is a chi-squared variable with as many degrees of freedom as areas. Direct and
    EBLUP share the survey's error, so the test is conservative: it rejects too rarely.

    Examples
    --------
    >>> import pandas as pd
    >>> brown_test(pd.DataFrame({"direct": [2.0], "estimate": [5.0], "mse": [0.5]}), [0.5]).statistic
    9.0
    """
    from scipy.stats import chi2

    direct, error = check_direct(estimates.index, estimates["direct"], variance)
    surveyed = ~np.isnan(direct)
    gap = (direct - estimates["estimate"].to_numpy())[surveyed]
    statistic = float((gap**2 / (error + estimates["mse"].to_numpy())[surveyed]).sum())
    return BrownTest(statistic, int(surveyed.sum()), float(chi2.sf(statistic, surveyed.sum())))


def disagreements(estimates: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """Order areas by the distance between direct and synthetic estimates, in standard deviations under the model.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"direct": [2.0, 1.0], "synthetic": 1.0, "estimate": [1.5, 1.0], "gamma": 0.5}, index=list("ab"))
    >>> effects = pd.DataFrame({"standardised_residual": [1.2, 0.0]}, index=list("ab"))
    >>> disagreements(table, effects)["z"].to_dict()
    {'a': 1.2, 'b': 0.0}
    """
    absent = effects.index.difference(estimates.index)
    if len(absent):
        raise InputError(f"effects: area {absent[0]} is not in the estimates; give the estimates of the same areas")
    table = estimates.loc[effects.index, ["direct", "synthetic", "estimate", "gamma"]].assign(
        z=effects["standardised_residual"]
    )
    return table.sort_values("z", key=np.abs, ascending=False, kind="stable")
