"""The text "How this was made" of the page: model, accuracy, estimator, intervals, data."""

import functools

import numpy as np

from geolive.languages import phrase, phrase_of
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.passport_words import passport_words
from geolive.phrases import Decimal, Percent, sentences
from geolive.wording import decimals_to_show


def how_it_was_made(district_map: DistrictMap) -> list[tuple[str, str]]:
    """Return terms and texts on how a map was made.

    Parameters
    ----------
    district_map : DistrictMap

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> [term for term, _ in how_it_was_made(result)][:3]
    ['Values of districts', 'Weights', 'Model']
    """
    made, shown = district_map.provenance, district_map.indicator
    data: str = known_source(made.dataset)
    if made.simulated and "simulated" not in made.dataset.lower():
        data = phrase("how.data_simulated", data=data)
    optional = {
        "how.values": district_map.estimator_about,
        "how.weights": district_map.weights_about,
        "how.covariates": district_map.covariates_about,
    }
    ranks = phrase("how.ranks_text", first=shown.first_words, level=Percent(district_map.level))
    return [
        *((phrase(term), text) for term, text in optional.items() if text),
        (phrase("how.model"), phrase("how.model_is", model=made.model, about=made.model_about)),
        (phrase("how.sure"), _accuracy(made.metrics, shown.unit)),
        (phrase("how.interval"), _interval_words(district_map)),
        (phrase("how.ranks"), ranks),
        (phrase("how.limits"), phrase("how.limits_text")),
        *([(phrase("how.passport"), passport_words(passport))] if (passport := district_map.passport) else []),
        (phrase("how.not_supported"), phrase("how.not_supported_text", support=district_map.support)),
        (phrase("how.data"), data),
        (phrase("how.boundaries"), made.boundaries),
        *([(phrase("how.command"), made.command)] if made.command else []),
        (phrase("how.made"), phrase("how.made_text", date=made.made, version=made.version)),
    ]


def known_source(text: str) -> str:
    """Return the name of a dataset as a phrase where geolive made it; a dataset keeps its name as a plain text.

    Examples
    --------
    >>> known_source("geolive's sample (SIMULATED survey and imagery on real districts), Goa, seed 0").values["region"]
    'Goa'
    >>> known_source("survey.csv")
    'survey.csv'
    """
    return phrase_of(text, "source.sample_scenario", "source.sample")


def source_line(district_map: DistrictMap) -> str:
    """Say in one line what the map was made from, for pictures and print.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> source_line(gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa"))[:6]
    'Data: '
    """
    made = district_map.provenance
    data, boundaries = known_source(made.dataset), made.boundaries
    return phrase("how.source", data=data, boundaries=boundaries, version=made.version, date=made.made)


def _interval_words(district_map: DistrictMap) -> str:
    meaning = phrase("how.interval_text", level=Percent(district_map.level))
    surveyed = f"{district_map.indicator.name}_direct" in district_map.districts
    give_or_take = phrase("how.give_or_take") if surveyed else ""
    return sentences(meaning, phrase(f"how.interval_{district_map.estimator}"), give_or_take)


def _accuracy(metrics: dict[str, float], unit: str) -> str:
    """Say in words how well the model predicts surveyed places that it had not seen."""
    known = {name: value for name, value in metrics.items() if np.isfinite(value)}
    parts = []
    if "r2" in known:
        share = Percent(max(round(known["r2"], 2), 0))
        parts.append(phrase("how.explains", share=share, r2=Decimal(known["r2"], 2)))
    if "rmse" in known:
        digits = max(decimals_to_show(np.array([known["rmse"]])) - 1, 0)
        parts.append(phrase("how.error", error=Decimal(known["rmse"], digits), unit=unit))
    if "accuracy" in known:
        parts.append(phrase("how.right", share=Percent(round(known["accuracy"], 2))))
    if "auc" in known:
        parts.append(phrase("how.auc", auc=Decimal(known["auc"], 2)))
    if not parts:
        return phrase("how.not_measured")
    joined = functools.reduce(lambda first, second: phrase("how.and", first=first, second=second), parts)
    return phrase("how.accuracy", parts=joined)
