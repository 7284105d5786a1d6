"""Benchmarking of a map's districts: their values add up to the survey's own estimate of the region."""

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.estimation.benchmarking import METHODS, benchmark
from geolive.languages import phrase
from geolive.mapping.district_survey import DistrictSurvey, direct_of_places
from geolive.phrases import Decimal
from geolive.wording import decimals_to_show


def benchmark_districts(
    estimates: pd.DataFrame,
    districts: gpd.GeoDataFrame,
    survey: DistrictSurvey,
    method: str,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[pd.DataFrame, str]:
    """Move the composite estimates of a map's districts so that their mean over people is the survey's estimate of the region.

    The region is all districts of the map that have a value, and the survey's estimate is the design-weighted mean of its places
    there. Use it where the survey's estimate of the region is published and the map must not contradict it.

    Parameters
    ----------
    estimates : DataFrame
        As `geolive.mapping.composite.estimate_districts` makes it.
    districts : GeoDataFrame
        The districts of the map: `district_id`, `district`, `supported` and `people`.
    survey : DistrictSurvey
    method : {"ratio", "difference", "bell-datta-ghosh"}
        As in `geolive.estimation.benchmarking.benchmark`.
    limits : tuple of float
        Values that no estimate may exceed.

    Returns
    -------
    estimates : DataFrame
        A copy; in the districts that have a value, `estimate`, `lower`, `upper` and `error` are benchmarked, and
        `unbenchmarked` is the estimate before.
    words : str
        What was done, in a sentence.

    Raises
    ------
    InputError
        The people are not known, no district has a value, or the method is not defined for these values.

    Examples
    --------
    >>> import geolive as gl
    >>> from geolive.mapping.district_survey import survey_districts
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60, most_images=5)
    >>> trained = gl.train(dataset, gl.Forest(n_estimators=5), "pov")
    >>> drawn = gl.predict(dataset, trained, "bihar")
    >>> survey = survey_districts(dataset, trained.card, drawn.districts)
    >>> moved, words = benchmark_districts(drawn.areas, drawn.districts.assign(people=1000.0), survey, "difference")
    >>> bool((moved["estimate"] != moved["unbenchmarked"]).any())
    True
    """
    if "people" not in districts:
        raise InputError(
            f"benchmark={method!r}: needs the people of each district; give population='FILE', or a file of districts with "
            "people_column='COLUMN'",
            parameter="benchmark",
        )
    shown = districts[districts["supported"].to_numpy(bool)].set_index("district_id")
    places = survey.places[survey.places["district_id"].isin(shown.index)]
    if places.empty:
        raise InputError(f"benchmark={method!r}: no district with a value has surveyed places", parameter="benchmark")
    people = _people(shown)
    target, error = _of_region(survey, places)
    own = estimates.loc[shown.index]
    before = float(np.average(own["estimate"], weights=people))
    try:
        moved = benchmark(own.assign(mse=own["error"] ** 2), people, target, method=method)
    except InputError as problem:
        raise InputError(f"benchmark={method!r}: {problem}", parameter="benchmark") from problem
    outside = (moved["estimate"] < limits[0]) | (moved["estimate"] > limits[1])
    if outside.any():
        name = shown["district"][outside.to_numpy()].iloc[0]
        others = " or ".join(other for other in METHODS if other != method)
        raise InputError(
            f"benchmark={method!r}: moves {name} to {moved['estimate'][outside].iloc[0]:.3g}, which is outside {limits[0]:g} to "
            f"{limits[1]:g}; give {others}",
            parameter="benchmark",
        )
    moved[["lower", "upper"]] = moved[["lower", "upper"]].clip(*limits)
    result = estimates.copy()
    result["unbenchmarked"] = result["estimate"]
    result.loc[shown.index, ["estimate", "lower", "upper"]] = moved[["estimate", "lower", "upper"]]
    result.loc[shown.index, "error"] = np.sqrt(moved["mse"])
    digits = decimals_to_show(np.array([target - error, target + error]))
    numbers = {"now": target, "before": before, "error": error}
    words = phrase("about.benchmarked", method=method, **{name: Decimal(n, digits) for name, n in numbers.items()})
    return result, words


def _people(shown: pd.DataFrame) -> pd.Series:
    people = shown["people"].astype(float)
    wrong = ~(people >= 0)
    if wrong.any():
        name = shown["district"][wrong].iloc[0]
        raise InputError(f"people: {name}: is negative or missing; fill it in", parameter="benchmark")
    return people


def _of_region(survey: DistrictSurvey, places: pd.DataFrame) -> tuple[float, float]:
    """Return the survey's own estimate of a whole region and its standard error."""
    whole = places.assign(region="all")
    table = direct_of_places(whole, survey.is_rate, "region")
    return float(table["direct"].iloc[0]), float(table["standard_error"].iloc[0])
