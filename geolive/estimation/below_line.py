"""Shares below a line: of clusters' means, and the poverty headcount and gap of households."""

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.estimation.design_matrix import label
from geolive.estimation.direct import direct_estimates


def share_below(
    clusters: pd.DataFrame,
    indicator: str,
    line: float,
    district: str = "district_id",
    *,
    weight: str | None = None,
    stratum: str | None = None,
    psu: str | None = None,
    variance: str = "design",
) -> pd.DataFrame:
    """Estimate in each district the share of clusters whose mean is below a line.

    It is a share of places, not of people: a cluster above the line has poor households, too. Where there are households'
    data use `poverty_rates`.

    Parameters
    ----------
    clusters : DataFrame of n rows
    indicator : str
        Column with the clusters' means.
    line : float
        In the indicator's unit.
    district, weight, stratum, psu, variance
        As in `direct_estimates`; a variance of 0, where no cluster or every cluster is below the line, is replaced by the
        binomial one.

    Returns
    -------
    DataFrame
        As `direct_estimates` gives it; `direct` is the share.

    Raises
    ------
    InputError
        The line is not a number, or the design cannot be used.

    Examples
    --------
    >>> clusters = pd.DataFrame({"district_id": list("aaaabbb"), "pov": [-1.0, 0.5, -0.5, 1.0, 1.0, 2.0, 3.0]})
    >>> share_below(clusters, "pov", 0.0)[["direct", "variance", "variance_source"]].round(3)
                 direct  variance variance_source
    district_id
    a               0.5     0.083          design
    b               0.0     0.071          pooled
    """
    _check(clusters, indicator, line)
    below = (clusters[indicator] < line).where(clusters[indicator].notna()).astype(float)
    units = clusters.assign(**{indicator: below, "_one": 1.0})
    return direct_estimates(
        units, indicator, district, denominator="_one", weight=weight, stratum=stratum, psu=psu, variance=variance
    )


def poverty_rates(
    households: pd.DataFrame,
    welfare: str,
    line: float,
    district: str = "district_id",
    *,
    size: str | None = None,
    weight: str | None = None,
    stratum: str | None = None,
    psu: str | None = None,
) -> pd.DataFrame:
    """Estimate the poverty headcount and the poverty gap of each district from households.

    Parameters
    ----------
    households : DataFrame of n rows
    welfare : str
        Column with consumption or income per person, at least 0. A wealth index has no zero, so it has a headcount (by
        `share_below`) and no gap.
    line : float
        Poverty line in the same unit, above 0.
    district : str
    size : str, optional
        Column with the number of household members, so that people are counted; by default households are counted.
    weight, stratum, psu
        As in `direct_estimates`; name the clusters as `psu`, since households of one cluster are alike.

    Returns
    -------
    DataFrame
        Index `district`; `headcount`, `headcount_variance`, `gap`, `gap_variance` (all above 0), `n_households`, `n_psus`.

    Raises
    ------
    InputError
        The line is not above 0, welfare is negative, or the design cannot be used.

    Notes
    -----
    The measures of Foster, Greer and Thorbecke (1984): FGT0 is the share with welfare y below the line z, FGT1 the mean of
    max(0, 1 - y / z). Both are design-weighted means with linearised variances.

    Examples
    --------
    >>> households = pd.DataFrame({
    ...     "district_id": list("aaaabbbb"), "cluster": list("ppqqrrss"), "spent": [0.5, 1.5, 0.8, 2, 3, 4, 0.9, 2]})
    >>> poverty_rates(households, "spent", 1.0, psu="cluster")[["headcount", "gap", "n_psus"]].round(3)
                 headcount    gap  n_psus
    district_id
    a                 0.50  0.175       2
    b                 0.25  0.025       2
    """
    _check(households, welfare, line)
    if line <= 0:
        raise InputError(
            f"line={line:g}: a poverty line must be above 0; for an index without a zero use share_below", "line"
        )
    y = households[welfare].astype(float)
    if (bad := (y < 0).to_numpy()).any():
        raise InputError(
            f"{welfare}: {label(households.index[bad][0])}: is {y.to_numpy()[bad][0]:g}, and must be at least 0; "
            "correct it, or "
            "use share_below for an index"
        )
    households = households.assign(_weight=_weights(households, size, weight))
    rates = {}
    for name, measure in (("headcount", (y < line).astype(float)), ("gap", np.maximum(1 - y / line, 0.0))):
        units = households.assign(**{welfare: measure.where(y.notna())})
        if not units[welfare].any():
            raise InputError(
                f"line={line:g}: no household is below it, so there is no error to estimate; give a higher one", "line"
            )
        rates[name] = direct_estimates(units, welfare, district, weight="_weight", stratum=stratum, psu=psu)
    headcount, gap = rates["headcount"], rates["gap"]
    return pd.DataFrame(
        {
            "headcount": headcount["direct"],
            "headcount_variance": headcount["variance"],
            "gap": gap["direct"],
            "gap_variance": gap["variance"],
            "n_households": headcount["n_units"],
            "n_psus": headcount["n_psus"],
        }
    )


def _check(table: pd.DataFrame, column: str, line: float) -> None:
    if column not in table:
        raise InputError(f"no column {column!r}; the columns are: {', '.join(map(str, table.columns))}")
    if not pd.api.types.is_numeric_dtype(table[column]):
        raise InputError(f"{column}: is not numeric; give numbers, and leave missing values empty")
    if not np.isfinite(line):
        raise InputError(f"line={line}: must be a number", "line")


def _weights(households: pd.DataFrame, size: str | None, weight: str | None) -> np.ndarray:
    weights = np.ones(len(households))
    for name in (size, weight):
        if name is None:
            continue
        if name not in households:
            raise InputError(f"no column {name!r}; the columns are: {', '.join(map(str, households.columns))}")
        weights = weights * households[name].to_numpy(float)
        if (bad := ~np.isfinite(weights) | (weights < 0)).any():
            raise InputError(
                f"{name}: {label(households.index[bad][0])}: is negative or missing; correct it, or drop the row"
            )
    return weights
