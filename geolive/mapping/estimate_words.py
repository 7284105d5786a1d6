"""A district's estimates in words: names of columns, and sentences on what the survey and the photos alone say."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from geolive.languages import phrase
from geolive.mapping.district_map import DistrictMap
from geolive.phrases import Decimal, Percent, sentences


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
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60, most_images=5)
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Forest(n_estimators=5), "pov"), "bihar")
    >>> estimate_columns(result)["pov_direct_error"]
    'Standard error of the direct estimate, asset-wealth index'
    """
    name, unit = district_map.indicator.name, district_map.indicator.unit
    level = Percent(district_map.level)
    words = {
        "n_clusters": phrase("columns.n_clusters"),
        f"{name}_direct": phrase("columns.direct", unit=unit),
        f"{name}_direct_error": phrase("columns.direct_error", unit=unit),
        f"{name}_predicted": phrase(f"columns.predicted_{_source(district_map)}", unit=unit),
        f"{name}_predicted_lower": phrase("columns.predicted_lower", level=level, unit=unit),
        f"{name}_predicted_upper": phrase("columns.predicted_upper", level=level, unit=unit),
        f"{name}_synthetic": phrase("columns.synthetic", unit=unit),
        f"{name}_gamma": phrase("columns.gamma"),
        f"{name}_unbenchmarked": phrase("columns.unbenchmarked", unit=unit),
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
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60, most_images=5)
    >>> result = gl.predict(dataset, gl.train(dataset, gl.InverseDistance(), "pov"), "bihar", min_sites=1, estimator="direct")
    >>> patna = result.districts.set_index("district").loc["Patna"]
    >>> estimate_sentences(result, patna.to_dict(), 1)[-1]
    'The value shown is that of the survey alone.'
    """
    columns = estimate_columns(district_map)
    if f"{district_map.indicator.name}_direct" not in columns:
        return []
    own = {column: float(district[column]) for column in columns if pd.notna(district[column])}
    source = _source(district_map)
    made = [_survey_sentence(own, district_map, decimals), _model_sentence(own, district_map, decimals, source)]
    if bool(district["supported"]):
        made.append(_shown_sentence(district_map, own, decimals, source))
    return made


def other_sites_words(district_map: DistrictMap) -> str:
    """Say what the sites are that are not survey places.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> other_sites_words(gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa"))
    'Place with images, no survey'
    """
    return phrase("layers.grid_place" if district_map.grid else "layers.photo_place")


def _source(district_map: DistrictMap) -> str:
    """Return what predicts: a model that uses no images has nothing from the photos."""
    return "photos" if district_map.provenance.uses_images else "model"


def _survey_sentence(own: dict[str, float], district_map: DistrictMap, decimals: int) -> str:
    name = district_map.indicator.name
    if f"{name}_direct" not in own:
        return phrase("says.no_survey")
    value, places = (
        Decimal(own[f"{name}_direct"], decimals),
        phrase("counts.places", count=int(own.get("n_clusters", 0))),
    )
    error = own.get(f"{name}_direct_error")
    if error is None:
        return phrase("says.survey_alone", value=value, places=places)
    return phrase("says.survey", value=value, error=Decimal(error, decimals), places=places)


def _model_sentence(own: dict[str, float], district_map: DistrictMap, decimals: int, source: str) -> str:
    name = district_map.indicator.name
    value, lower, upper = (own.get(f"{name}_predicted{end}") for end in ("", "_lower", "_upper"))
    if value is None:
        return phrase(f"says.{source}_nothing")
    if lower is None or upper is None:
        return phrase(f"says.{source}_alone", value=Decimal(value, decimals))
    ends = {"lower": Decimal(lower, decimals), "upper": Decimal(upper, decimals)}
    return phrase(f"says.{source}", value=Decimal(value, decimals), level=Percent(district_map.level), **ends)


def _shown_sentence(district_map: DistrictMap, own: dict[str, float], decimals: int, source: str) -> str:
    """Say what the district's value is made of."""
    name = district_map.indicator.name
    if district_map.estimator == "direct":
        return phrase("says.shown_direct")
    if district_map.estimator == "predicted":
        return phrase(f"says.shown_{source}")
    synthetic = own.get(f"{name}_synthetic")
    rest = phrase("says.unknown") if synthetic is None else Decimal(synthetic, decimals)
    if district_map.estimator == "spatial" or f"{name}_direct" in own:
        kind = "spatial" if district_map.estimator == "spatial" else "composite"
        share = Percent(round(own.get(f"{name}_gamma", 0.0), 2))
        words = phrase(f"says.{kind}_{source}", share=share, rest=rest)
    else:
        words = phrase(f"says.unsurveyed_{source}")
    if f"{name}_unbenchmarked" not in own:
        return words
    return sentences(words, phrase("says.unbenchmarked", before=Decimal(own[f"{name}_unbenchmarked"], decimals)))
