"""The warning at the top of a map that rests on too few places, or on a model without skill."""

from geolive.auditing.rules import FAIL
from geolive.languages import phrase
from geolive.mapping.district_map import DistrictMap
from geolive.phrases import Phrase, sentences

_SKILL = ("skill_regression", "skill_classification")


def caution(district_map: DistrictMap) -> Phrase:
    """Warn that the survey has too few places, or that the model has no skill at places without training data.

    Parameters
    ----------
    district_map : DistrictMap

    Returns
    -------
    Phrase
        The words for the check of the map's passport that failed; empty if none failed, or the map has no passport.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> print(caution(gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")))
    The model was trained on only 14 places. This is too few to estimate districts: use this map as a sketch, and do not base
    decisions on it.
    """
    checks = () if district_map.passport is None else district_map.passport.checks
    failed = {check.id: check for check in checks if check.status == FAIL}
    if "training_size" in failed:
        figure = failed["training_size"].figure
        return phrase("caution.few_places", places=phrase("counts.places", count=int(figure or 0)))
    if any(id in failed for id in _SKILL):
        kind = "predicted" if district_map.estimator == "predicted" else "unsurveyed"
        return phrase(f"caution.no_skill_{kind}")
    return sentences()
