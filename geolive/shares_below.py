"""Indicators made from others: shares below a threshold, of places or of households, and poverty gaps."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.indicators import WORSE_COLOURS, Indicator, indicator
from geolive.labels import add_labels
from geolive.languages import phrase
from geolive.wording import number_text

# what a dataset's further facts call the indicators that were made from others
FACT = "shares_below"


def with_share_below(dataset: Dataset, name: str, threshold: float) -> Dataset:
    """Return a dataset with a further indicator: whether a place's value is below a threshold.

    Its means are shares of places, not of people: a place above the threshold has poor households, too. Where there are
    households' data, `read_survey` makes shares of households with `households` and `thresholds`.

    Parameters
    ----------
    dataset : Dataset
    name : str
        An indicator of the dataset; the new one is NAME_below.
    threshold : float
        In the indicator's unit.

    Returns
    -------
    Dataset
        NAME_below is 0 or 1, and NAME_below_n is 1: a rate of one case at each place.

    Raises
    ------
    InputError
        There is no such indicator, the name is taken, or the threshold has all values on one side.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = with_share_below(gl.make_sample("goa"), "pov", 0.0)
    >>> dataset.indicators, dataset.is_rate("pov_below")
    (['pov', 'pop', 'bmi', 'pov_below'], True)
    """
    rows = dataset.labelled(name)
    new = f"{name}_below"
    if new in dataset.clusters or new in dataset.indicators:
        raise InputError(
            f"threshold={threshold:g}: the dataset has {new!r} already; give indicator={new!r} without a threshold",
            parameter="threshold",
        )
    _check_threshold(name, rows[name].to_numpy(float), threshold)
    values = dataset.clusters[name]
    below = (values < threshold).astype(float).where(values.notna())
    clusters, labels = add_labels(dataset.clusters.assign(**{new: below, f"{new}_n": 1.0}), [new])
    return replace(
        dataset,
        clusters=clusters,
        indicators=[*dataset.indicators, new],
        thresholds=dataset.thresholds | labels,
        extra=dataset.extra_with_photos() | {FACT: dataset.extra.get(FACT, {}) | fact(new, name, threshold, "places")},
    )


def fact(new: str, name: str, threshold: float, units: str) -> dict[str, dict[str, Any]]:
    """Return what a dataset's further facts say of an indicator that was made from another.

    Examples
    --------
    >>> fact("pov_below", "pov", 0.2, "households")
    {'pov_below': {'of': 'pov', 'threshold': 0.2, 'units': 'households'}}
    """
    return {new: {"of": name, "threshold": float(threshold), "units": units}}


def dataset_indicator(dataset: Dataset, name: str) -> Indicator:
    """Return the words of a dataset's indicator; those of a share say what it is below.

    Parameters
    ----------
    dataset : Dataset
    name : str

    Examples
    --------
    >>> import geolive as gl
    >>> dataset_indicator(with_share_below(gl.make_sample("goa"), "pov", 0.0), "pov_below").title
    'Share of places with asset wealth below 0'
    """
    about = dataset.extra.get(FACT, {}).get(name)
    if not isinstance(about, dict) or not {"of", "threshold", "units"} <= set(about):
        return indicator(name)
    of, threshold = indicator(str(about["of"])).title_in_text, number_text(float(about["threshold"]))
    units, places = str(about["units"]), str(about["units"]) == "places"
    if units in ("places", "households", "people"):
        units = phrase(f"indicators.{units}")
    kind = "gap_below" if name.endswith("_gap") else "share_below"
    meaning = phrase("indicators.share_of_places") if places else phrase("indicators.share_of_units", units=units)
    return Indicator(
        name,
        phrase(f"indicators.{kind}", units=units, title=of, threshold=threshold),
        phrase(f"indicators.{kind}_unit", units=units),
        colours=WORSE_COLOURS,
        meaning=meaning,
        ranked_from="highest",
        first="worst_off",
    )


def is_share(dataset: Dataset, name: str) -> bool:
    """Return whether an indicator's values lie within 0 and 1: a rate of counts, or a share or gap below a threshold.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = with_share_below(gl.make_sample("goa"), "pov", 0.0)
    >>> is_share(dataset, "pov_below"), is_share(dataset, "pov")
    (True, False)
    """
    return name in dataset.extra.get(FACT, {}) or dataset.is_rate(name)


def household_measures(values: pd.Series, threshold: float) -> dict[str, pd.Series]:
    """Return whether each household is below a threshold and, where values have a zero, by which share of it.

    Parameters
    ----------
    values : Series
    threshold : float

    Returns
    -------
    dict of str to Series
        "below", and "gap" where the threshold is above 0 and no value below 0 (Foster, Greer and Thorbecke 1984); NaN where there
        is no value.

    Examples
    --------
    >>> measures = household_measures(pd.Series([0.5, 2.0]), 1.0)
    >>> {name: numbers.tolist() for name, numbers in measures.items()}
    {'below': [1.0, 0.0], 'gap': [0.5, 0.0]}
    """
    measures = {"below": (values < threshold).astype(float).where(values.notna())}
    if threshold > 0 and not (values < 0).any():
        measures["gap"] = np.maximum(1 - values / threshold, 0.0).where(values.notna())
    return measures


def _check_threshold(name: str, values: np.ndarray, threshold: float) -> None:
    if not np.isfinite(threshold):
        raise InputError(f"threshold={threshold}: must be a number", parameter="threshold")
    below = (values < threshold).mean()
    if below in (0.0, 1.0):
        side = "below" if below else "at or above"
        raise InputError(
            f"threshold={threshold:g}: all values of {name!r} are {side} it; give one between {values.min():.4g} and "
            f"{values.max():.4g}",
            parameter="threshold",
        )
