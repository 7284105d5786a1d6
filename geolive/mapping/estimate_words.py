"""A district's estimates in words: names of columns, and sentences on what the survey and the photos alone say."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from geolive.mapping.district_map import DistrictMap
from geolive.wording import count_of, decimal_text, percent_text


def estimate_columns(district_map: DistrictMap) -> dict[str, str]:
    """Return the columns of estimates that the districts table has, each with its words and unit for readers.

    Parameters
    ----------
    district_map : DistrictMap

    Returns
    -------
    dict of str to str
        Empty where there is no survey of the indicator.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60)
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Forest(n_estimators=5), "pov"), "bihar")
    >>> estimate_columns(result)["pov_direct_error"]
    'Standard error of the direct estimate, DHS asset-wealth index'
    """
    name, unit = district_map.indicator.name, district_map.indicator.unit
    level = f"{percent_text(district_map.level)} interval"
    source, _ = _source(district_map)
    words = {
        "n_clusters": "Surveyed places",
        f"{name}_direct": f"Direct estimate (survey alone), {unit}",
        f"{name}_direct_error": f"Standard error of the direct estimate, {unit}",
        f"{name}_predicted": f"Predicted value ({source} alone), {unit}",
        f"{name}_predicted_lower": f"Lower end of the predicted value's {level}, {unit}",
        f"{name}_predicted_upper": f"Upper end of the predicted value's {level}, {unit}",
        f"{name}_synthetic": f"Predicted value without the district's survey, calibrated to the survey of all, {unit}",
        f"{name}_gamma": "Weight of the direct estimate in the composite (0 to 1)",
        f"{name}_unbenchmarked": f"Composite before benchmarking, {unit}",
    }
    return {column: text for column, text in words.items() if column in district_map.districts}


def estimate_sentences(district_map: DistrictMap, district: Mapping[Hashable, Any], decimals: int) -> list[str]:
    """Write the sentences on what the survey alone and the photos alone say of a district, and on how much each counts.

    Parameters
    ----------
    district_map : DistrictMap
    district : mapping
        A row of its districts table.
    decimals : int
        Decimals of the values.

    Returns
    -------
    list of str
        Empty where there is no survey of the indicator.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60)
    >>> result = gl.predict(dataset, gl.train(dataset, gl.InverseDistance(), "pov"), "bihar", min_sites=1, estimator="direct")
    >>> patna = result.districts.set_index("district").loc["Patna"]
    >>> estimate_sentences(result, patna.to_dict(), 1)[-1]
    'The value shown is what the survey alone says.'
    """
    columns = estimate_columns(district_map)
    if f"{district_map.indicator.name}_direct" not in columns:
        return []
    own = {column: float(district[column]) for column in columns if pd.notna(district[column])}
    name, level = district_map.indicator.name, percent_text(district_map.level)
    source, says = _source(district_map)
    sentences = [
        _survey_sentence(own, name, decimals),
        _model_sentence(own, name, decimals, f"{source} alone {says}", level),
    ]
    if bool(district["supported"]):
        sentences.append(_shown_sentence(district_map, own, decimals))
    return sentences


def other_sites_words(district_map: DistrictMap) -> str:
    """Say what the sites are that are not survey places.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> other_sites_words(gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa"))
    'Place with images, no survey'
    """
    return "Place of a grid, no survey" if district_map.grid else "Place with images, no survey"


def _source(district_map: DistrictMap) -> tuple[str, str]:
    """Return what predicts, and its verb: a model that uses no images has nothing from the photos."""
    return ("photos", "say") if district_map.provenance.uses_images else ("model", "says")


def _survey_sentence(own: dict[str, float], name: str, decimals: int) -> str:
    if f"{name}_direct" not in own:
        return "The survey has no place in this district."
    error = own.get(f"{name}_direct_error")
    spread = "" if error is None else f" ± {decimal_text(error, decimals)} (standard error)"
    places = count_of(int(own.get("n_clusters", 0)), "place")
    return f"The survey alone says {decimal_text(own[f'{name}_direct'], decimals)}{spread}, from {places}."


def _model_sentence(own: dict[str, float], name: str, decimals: int, says: str, level: str) -> str:
    value, lower, upper = (own.get(f"{name}_predicted{end}") for end in ("", "_lower", "_upper"))
    if value is None:
        return f"The {says} nothing: too few places can be predicted."
    interval = ""
    if lower is not None and upper is not None:
        interval = f" ({level} interval {decimal_text(lower, decimals)} to {decimal_text(upper, decimals)})"
    return f"The {says} {decimal_text(value, decimals)}{interval}."


def _shown_sentence(district_map: DistrictMap, own: dict[str, float], decimals: int) -> str:
    """Say what the district's value is made of."""
    name = district_map.indicator.name
    source, says = _source(district_map)
    if district_map.estimator == "direct":
        return "The value shown is what the survey alone says."
    if district_map.estimator == "predicted":
        return f"The value shown is what the {source} alone {says}."
    source_says = f"what the {source} {says} where the model did not learn from this district, calibrated to the survey"
    rest = decimal_text(own[f"{name}_synthetic"], decimals) if f"{name}_synthetic" in own else "not known"
    if district_map.estimator == "spatial":
        share = round(100 * own.get(f"{name}_gamma", 0.0))
        words = (
            f"In the value shown the survey of this district counts {share} %. The rest is {source_says} ({rest}), and by how "
            "much the surveys of neighbouring districts differ from that."
        )
    elif f"{name}_direct" not in own:
        words = f"The value shown is that of the {source}, calibrated to the survey in other districts."
    else:
        share = round(100 * own[f"{name}_gamma"])
        words = f"In the value shown the survey counts {share} %. The rest is {source_says}: {rest}."
    if f"{name}_unbenchmarked" in own:
        before = decimal_text(own[f"{name}_unbenchmarked"], decimals)
        words += f" Before benchmarking, the value was {before}."
    return words
