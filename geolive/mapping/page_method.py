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
    scores = "; ".join(_score(name, value, unit) for name, value in made.metrics.items() if np.isfinite(value))
    simulated = " (simulated)" if made.simulated and "simulated" not in made.dataset.lower() else ""
    return [
        *([("Values of districts", district_map.estimator_about)] if district_map.estimator_about else []),
        *([("Weights", district_map.weights_about)] if district_map.weights_about else []),
        *([("Covariates", district_map.covariates_about)] if district_map.covariates_about else []),
        ("Model", f"{made.model}. {made.model_about}"),
        ("Accuracy", f"{scores} at surveyed clusters, out of fold" if scores else "Not measured"),
        ("Meaning of the interval", _interval_words(district_map)),
        ("Not supported", f"A district has no value where it has {district_map.support}"),
        ("Data", f"{made.dataset}{simulated}"),
        ("Boundaries", made.boundaries),
        *([("Command", made.command)] if made.command else []),
        ("Made", f"{made.made.isoformat()} with geolive {made.version}"),
    ]


def _interval_words(district_map: DistrictMap) -> str:
    level = percent_text(district_map.level)
    meaning = f"The {level} interval is expected to contain the mean of a district in {level} of districts."
    where_from = {
        "composite": "It comes from the mean squared error of the estimate: the survey's sampling, how much districts differ "
        "from what the model predicts, and that these were themselves estimated.",
        "direct": "It comes from the standard error of the survey's mean.",
        "predicted": "Places in one district have similar errors, so the intervals come from predictions of whole districts that "
        "the model had not seen.",
    }
    return f"{meaning} {where_from[district_map.estimator]}"


def _score(name: str, value: float, unit: str) -> str:
    words = {
        "r2": f"R² {decimal_text(value, 2)}",
        "rmse": f"root mean square error {decimal_text(value, max(decimals_to_show(np.array([value])) - 1, 0))} ({unit})",
        "accuracy": f"accuracy {percent_text(value)}",
        "pearson_r": f"correlation {decimal_text(value, 2)}",
        "auc": f"area under the ROC curve {decimal_text(value, 2)}",
        "balanced_accuracy": f"balanced accuracy {percent_text(value)}",
        "brier": f"Brier score {decimal_text(value, 2)}",
        "calibration_slope": f"calibration slope {decimal_text(value, 2)}",
    }
    return words.get(name, f"{name} {decimal_text(value, 2)}")
