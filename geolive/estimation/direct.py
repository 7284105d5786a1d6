"""Direct estimates of districts: estimates from the survey alone, with the variance of its design."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolive.errors import InputError
from geolive.estimation.area_checks import check_choice
from geolive.estimation.design_matrix import label
from geolive.tables import lonlat

Array = NDArray[np.float64]

VARIANCES = ("design", "pooled", "gvf")
# a pooled variance, or a function of size, needs as many degrees of freedom or districts
_FEWEST = 3


@dataclass(frozen=True)
class Design:
    """The survey's design, unit by unit.

    Attributes
    ----------
    district, psu, stratum : array of int, shape (n,)
        Number of each unit's district, primary sampling unit and stratum.
    weight : array of shape (n,)
    districts : Index
        Names of the districts, sorted.
    stratified : bool
        Whether strata were given; otherwise each district is taken as a stratum.
    """

    district: NDArray[np.int_]
    psu: NDArray[np.int_]
    stratum: NDArray[np.int_]
    weight: Array
    districts: pd.Index
    stratified: bool


def direct_estimates(
    units: pd.DataFrame,
    indicator: str,
    district: str = "district_id",
    *,
    denominator: str | None = None,
    weight: str | None = None,
    stratum: str | None = None,
    psu: str | None = None,
    variance: str = "design",
    fallback: str = "pooled",
) -> pd.DataFrame:
    """Estimate the mean, or the ratio of two totals, in each district from the survey alone.

    Parameters
    ----------
    units : DataFrame of n rows
        Survey clusters, or households; the points of a GeoDataFrame show which rows are one place. Rows without a
        value of the indicator are ignored.
    indicator : str
        Column with the values, or with the numerators of a rate.
    district : str
        Column with the districts.
    denominator : str, optional
        Column with the denominators of a rate, such as the number of children measured.
    weight : str, optional
        Column with survey weights. Without it all units have the same weight.
    stratum : str, optional
        Column with the strata. Without it each district is a stratum, which conditions on the number of units in the
        district.
    psu : str, optional
        Column with the primary sampling units. Without it each place is a unit: rows with the same coordinates, or
        each row if there are no coordinates.
    variance : {"design", "pooled", "gvf"}
        Source of the variances of all districts. "design": linearised, from each district's own units. "pooled": one
        variance within districts, over the effective number of units. "gvf": a generalised variance function, the
        logarithm of the variance as a linear function of that of the number of units. The design's own variance is a
        poor guide in a district of two or three units; the other two borrow strength.
    fallback : {"pooled", "gvf"}
        Source of the variance of a district that has one primary sampling unit, or for which "design" gives 0.

    Returns
    -------
    DataFrame
        Index `district`, sorted; `direct`, `variance` (always above 0), `standard_error`, `cv` (standard error over the
        size of the estimate), `n_units`, `n_psus`, `n_places`, `n_effective` (Kish: squared sum of weights over sum of
        squared weights, of primary sampling units), `variance_source` ("design", "pooled" or "gvf").

    Raises
    ------
    InputError
        A column is missing, a weight is negative or missing, all weights are zero, a primary sampling unit lies in
        two strata, a unit has no district, or no variance can be pooled because no district has two primary sampling
        units.

    See Also
    --------
    geolive.estimate_areas : Small-area estimates from one table.
    geolive.FayHerriot : The area-level model with fitted parameters.

    Notes
    -----
    The estimate is the Hájek mean sum(w y) / sum(w), or sum(w y) / sum(w x) for a rate. With z = w (y - r x) / sum(w x)
    in the district and 0 elsewhere, its variance is the sum over strata of n_h / (n_h - 1) times the sum of squares of
    the totals of z by primary sampling unit about their mean, as for sampling with replacement (R's survey package does
    the same). A stratum with one primary sampling unit counts with its squared deviation from the mean over all strata
    (R's option "adjust"). For rates, the pooled variance is p (1 - p) / n with p = (events + 1) / (n + 2), so that it is
    above 0 even where p is 0 or 1, times the pooled design effect (at least 1).

    Examples
    --------
    >>> units = pd.DataFrame({"district_id": list("aaabbc"), "pov": [1.0, 2.0, 3.0, 4.0, 6.0, 5.0]})
    >>> direct_estimates(units, "pov")[["direct", "variance", "n_psus", "variance_source"]].round(3)
                 direct  variance  n_psus variance_source
    district_id
    a               2.0     0.333       3          design
    b               5.0     1.000       2          design
    c               5.0     1.333       1          pooled
    """
    check_choice("variance", variance, VARIANCES)
    check_choice("fallback", fallback, VARIANCES[1:])
    units = _measured(units, indicator, denominator)
    design = _read_design(units, district, weight, stratum, psu)
    y = units[indicator].to_numpy(float)
    x = np.ones(len(units)) if denominator is None else units[denominator].to_numpy(float)
    n = len(design.districts)
    base = np.bincount(design.district, design.weight * x, n)
    if (base <= 0).any():
        name = design.districts[base <= 0][0]
        raise InputError(
            f"{weight or denominator}: district {name}: adds up to 0; leave the district out, or correct its rows"
        )
    direct = np.bincount(design.district, design.weight * y, n) / base
    z = design.weight * (y - direct[design.district] * x) / base[design.district]
    table = _counts(units, design, x)
    own = linearised_variance(z, design)
    # by rounding a variance of 0 may come out as 1e-33
    own[(table["n_psus"] < 2) | (own <= 1e-24 * np.maximum(direct**2, np.abs(y).max() ** 2))] = np.nan
    if denominator is None:
        unit = _pooled_mean_variance(y, design) / table["n_effective"].to_numpy(float)
    else:
        unit = _pooled_rate_variance(direct, own, np.bincount(design.district, x, n).astype(float))
    final, source = _choose(own, unit, table["n_psus"].to_numpy(float), variance, fallback)
    with np.errstate(divide="ignore"):
        table.insert(0, "direct", direct)
        table.insert(1, "variance", final)
        table.insert(2, "standard_error", np.sqrt(final))
        table.insert(3, "cv", np.sqrt(final) / np.abs(direct))
    return table.assign(variance_source=source).rename_axis(district)


def linearised_variance(z: Array, design: Design) -> Array:
    """Compute the variance of an estimate in each district from its linearised values; shape (districts,).

    Parameters
    ----------
    z : array of shape (n,)
        The linearised value of each unit in its own district's estimate; they add up to 0 in each district.
    design : Design

    Examples
    --------
    >>> a = np.zeros(2, int)
    >>> linearised_variance(np.array([-0.5, 0.5]), Design(a, np.array([0, 1]), a, np.ones(2), pd.Index(["a"]), False))
    array([1.])
    """
    # a primary sampling unit may lie in several districts, and is then one in each
    total = pd.DataFrame({"d": design.district, "h": design.stratum, "p": design.psu, "z": z})
    total = total.groupby(["d", "h", "p"])["z"].sum().reset_index()
    total["square"] = total["z"] ** 2
    in_stratum = pd.Series(design.psu).groupby(design.stratum).nunique()
    if not design.stratified:
        in_stratum = total.groupby("h")["p"].nunique()
    by = total.groupby(["d", "h"])[["z", "square"]].sum().reset_index()
    n_h = by["h"].map(in_stratum).to_numpy(float)
    # primary sampling units of the stratum outside the district have z = 0
    squares = by["square"].to_numpy(float) - by["z"].to_numpy(float) ** 2 / n_h
    part = np.where(n_h > 1, n_h / np.maximum(n_h - 1, 1) * squares, by["square"].to_numpy(float))
    return np.bincount(by["d"], np.maximum(part, 0.0), len(design.districts)).astype(float)


def _measured(units: pd.DataFrame, indicator: str, denominator: str | None) -> pd.DataFrame:
    for name in (indicator, denominator):
        if name is not None and name not in units:
            raise InputError(f"units: no column {name!r}; its columns are: {', '.join(map(str, units.columns))}")
    numbers = units[indicator]
    if not pd.api.types.is_numeric_dtype(numbers) and not pd.api.types.is_bool_dtype(numbers):
        raise InputError(f"{indicator}: is not numeric; give numbers, and leave missing values empty")
    kept = units[numbers.notna()]
    if not len(kept):
        raise InputError(f"{indicator}: has no value in any row; choose another indicator")
    if denominator is not None:
        x, y = kept[denominator].to_numpy(float), kept[indicator].to_numpy(float)
        if (bad := ~(np.isfinite(x) & (x > 0))).any():
            raise InputError(f"{denominator}: {label(kept.index[bad][0])}: must be above 0; drop rows without any")
        if (bad := (y < 0) | (y > x)).any():
            row = label(kept.index[bad][0])
            raise InputError(
                f"{indicator}: {row}: {y[bad][0]:g} of {x[bad][0]:g} is not a rate; give the number of events "
                "and the number of units"
            )
    return kept


def _read_design(
    units: pd.DataFrame, district: str, weight: str | None, stratum: str | None, psu: str | None
) -> Design:
    for name in (district, weight, stratum, psu):
        if name is not None and name not in units:
            raise InputError(f"units: no column {name!r}; its columns are: {', '.join(map(str, units.columns))}")
        if name is not None and (absent := units[name].isna().to_numpy()).any():
            raise InputError(f"{name}: {label(units.index[absent][0])}: is missing; fill it in, or drop the row")
    weights = np.ones(len(units)) if weight is None else units[weight].to_numpy(float)
    if (bad := ~np.isfinite(weights) | (weights < 0)).any():
        raise InputError(f"{weight}: {label(units.index[bad][0])}: is {weights[bad][0]:g}, and must not be negative")
    if not weights.any():
        raise InputError(f"{weight}: all weights are 0; leave the option out to weigh all units alike")
    number, names = pd.factorize(units[district], sort=True)
    psus = pd.factorize(units[psu])[0] if psu is not None else _places(units)
    if stratum is None:
        return Design(number, psus, number, weights, pd.Index(names), False)
    strata = pd.factorize(units[stratum])[0]
    several = pd.Series(strata).groupby(psus).nunique()
    if (several > 1).any():
        row = int(np.flatnonzero(psus == several.index[several > 1][0])[0])
        name = units[psu].iloc[row] if psu is not None else label(units.index[row])
        raise InputError(
            f"{psu or 'place'}: {name} lies in more than one stratum of {stratum}; make the names of primary sampling units "
            "unique over strata"
        )
    return Design(number, psus, strata, weights, pd.Index(names), True)


def _places(units: pd.DataFrame) -> NDArray[np.int_]:
    """Number of each row's place: rows at the same coordinates are one."""
    if not isinstance(units, gpd.GeoDataFrame):
        return np.arange(len(units))
    return np.asarray(pd.factorize(pd.MultiIndex.from_arrays(lonlat(units.geometry).T))[0])


def _counts(units: pd.DataFrame, design: Design, x: Array) -> pd.DataFrame:
    """Count units, primary sampling units and places, and compute the effective number of primary sampling units."""
    by = pd.DataFrame({"d": design.district, "p": design.psu, "w": design.weight * x, "place": _places(units)})
    weight = by.groupby(["d", "p"])["w"].sum()
    summed, squared = weight.groupby("d").sum(), (weight**2).groupby("d").sum()
    groups = by.groupby("d")
    counts = {
        "n_units": groups.size(),
        "n_psus": groups["p"].nunique(),
        "n_places": groups["place"].nunique(),
        "n_effective": summed**2 / squared,
    }
    return pd.DataFrame(counts).set_index(design.districts)


def _pooled_mean_variance(y: Array, design: Design) -> float:
    """Compute the variance of the means of primary sampling units, pooled within districts; NaN where no district has two."""
    units = pd.DataFrame({"d": design.district, "p": design.psu, "w": design.weight, "wy": design.weight * y})
    units = units[units["w"] > 0].groupby(["d", "p"])[["w", "wy"]].sum()
    mean = units["wy"] / units["w"]
    centred = mean - mean.groupby("d").transform("mean")
    freedom = len(mean) - mean.index.get_level_values("d").nunique()
    pooled = float(centred @ centred) / freedom if freedom > 0 else np.nan
    return pooled if pooled > 0 else np.nan


def _pooled_rate_variance(p: Array, own: Array, n: Array) -> Array:
    """Compute binomial variances times the pooled design effect; above 0 even where no event, or no other, was seen."""
    smoothed = (p * n + 1) / (n + 2)
    binomial = smoothed * (1 - smoothed) / n
    known = np.isfinite(own)
    effect = own[known].sum() / binomial[known].sum() if known.any() else 1.0
    return binomial * max(effect, 1.0)


def _choose(own: Array, pooled: Array, n: Array, variance: str, fallback: str) -> tuple[Array, NDArray[np.str_]]:
    """Choose the variance of each district, and say where it comes from."""
    made = {"design": own, "pooled": pooled}
    needs_fallback = variance == "design" and bool(np.isnan(own).any())
    if "gvf" in (variance, fallback if needs_fallback else ""):
        made["gvf"] = _generalised_variance(own, n)
    final = made[variance].copy()
    source = np.full(len(n), variance, dtype=object)
    lacking = np.isnan(final)
    if needs_fallback:
        final[lacking], source[lacking] = made[fallback][lacking], fallback
    if np.isnan(final).any():
        raise InputError(
            "variance: cannot be estimated, since no district has two primary sampling units with different values; give larger "
            "districts"
        )
    return final, source.astype(str)


def _generalised_variance(own: Array, n: Array) -> Array:
    """Smooth variances by a regression of their logarithm on that of the number of primary sampling units.

    The logarithm of an estimated variance is biased and varies by known amounts, digamma(f / 2) - log(f / 2) and
    trigamma(f / 2) with f degrees of freedom, so that small districts neither bias nor dominate the line.
    """
    from scipy.special import digamma, polygamma

    known = np.isfinite(own)
    if known.sum() < _FEWEST or np.ptp(n[known]) == 0:
        raise InputError(
            "variance gvf: needs three districts with two or more primary sampling units, of different numbers; choose pooled"
        )
    half = (n[known] - 1) / 2
    logs = np.log(own[known]) - (digamma(half) - np.log(half))
    slope, level = np.polyfit(np.log(n[known]), logs, 1, w=1 / np.sqrt(polygamma(1, half)))
    return np.exp(level + slope * np.log(n))
