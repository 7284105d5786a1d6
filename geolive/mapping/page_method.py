"""The text "How this was made" of the page: model, accuracy, estimator, intervals, data."""

import numpy as np

from geolive.mapping.district_map import DistrictMap
from geolive.wording import decimal_text, decimals_to_show, percent_text


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
    made, unit = district_map.provenance, district_map.indicator.unit
    simulated = " (simulated)" if made.simulated and "simulated" not in made.dataset.lower() else ""
    return [
        *([("Values of districts", district_map.estimator_about)] if district_map.estimator_about else []),
        *([("Weights", district_map.weights_about)] if district_map.weights_about else []),
        *([("Covariates", district_map.covariates_about)] if district_map.covariates_about else []),
        ("Model", f"{made.model}. {made.model_about}"),
        ("How sure the model is", _accuracy(made.metrics, unit)),
        ("Meaning of the interval", _interval_words(district_map)),
        ("Not supported", f"A district has no value where it has {district_map.support}"),
        ("Data", f"{made.dataset}{simulated}"),
        ("Boundaries", made.boundaries),
        *([("Command", made.command)] if made.command else []),
        ("Made", f"{made.made.isoformat()} with geolive {made.version}"),
    ]


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
    return f"Data: {made.dataset}. Boundaries: {made.boundaries}. geolive {made.version}, {made.made.isoformat()}."


def _interval_words(district_map: DistrictMap) -> str:
    level = percent_text(district_map.level)
    meaning = f"The {level} interval is expected to contain the mean of a district in {level} of districts."
    where_from = {
        "spatial": "It comes from the mean squared error of the estimate where neighbouring districts are alike.",
        "composite": "It comes from the mean squared error of the estimate: the survey's sampling, how much districts differ "
        "from what the model predicts, and that these were themselves estimated.",
        "direct": "It comes from the standard error of the survey's mean.",
        "predicted": "Places in one district have similar errors, so the intervals come from predictions of whole districts that "
        "the model had not seen.",
    }
    return f"{meaning} {where_from[district_map.estimator]}"


def _accuracy(metrics: dict[str, float], unit: str) -> str:
    """Say in words how well the model predicts surveyed places that it had not seen."""
    known = {name: value for name, value in metrics.items() if np.isfinite(value)}
    parts = []
    if "r2" in known:
        share = f"{percent_text(max(round(known['r2'], 2), 0))} of the differences between them"
        parts.append(f"its predictions explain {share} (R² {decimal_text(known['r2'], 2)})")
    if "rmse" in known:
        error = decimal_text(known["rmse"], max(decimals_to_show(np.array([known["rmse"]])) - 1, 0))
        parts.append(f"a typical error is {error} ({unit})")
    if "accuracy" in known:
        parts.append(
            f"it says rightly for {percent_text(round(known['accuracy'], 2))} whether they are above the threshold"
        )
    if "auc" in known:
        parts.append(f"the area under the ROC curve is {decimal_text(known['auc'], 2)}")
    if not parts:
        return "Not measured"
    return f"At surveyed places that the model had not seen, {', and '.join(parts)}."
