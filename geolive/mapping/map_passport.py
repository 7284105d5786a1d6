"""The passport of a map: made with it, and held by its files."""

import json
from typing import Any

from geolive.auditing.audit import dataset_facts, make_passport, model_facts
from geolive.auditing.dataset_checks import dataset_checks
from geolive.auditing.map_checks import MapFacts, map_checks
from geolive.auditing.model_checks import model_checks
from geolive.auditing.passport import Passport
from geolive.dataset import Dataset
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.region_mean import NOT_DISTINGUISHED, compare_with_mean
from geolive.models.trained_model import TrainedModel


def map_passport(district_map: DistrictMap, dataset: Dataset, trained: TrainedModel) -> Passport:
    """Check a map, its dataset and its model.

    Parameters
    ----------
    district_map : DistrictMap
    dataset, trained
        What it was made from.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> trained = gl.train(dataset, gl.Neighbours(), "pov")
    >>> result = gl.predict(dataset, trained, "goa")
    >>> {check.subject for check in map_passport(result, dataset, trained).checks} == {"dataset", "model", "map"}
    True
    """
    made = district_map.provenance
    facts = MapFacts(
        districts=district_map.districts,
        sites=district_map.sites,
        against_mean=compare_with_mean(district_map) - NOT_DISTINGUISHED,
        support=district_map.support,
        boundaries=made.boundaries,
        simulated=made.simulated,
    )
    checks = [*map_checks(facts), *model_checks(trained, dataset), *dataset_checks(dataset)]
    known = {
        **dataset_facts(dataset),
        **model_facts(trained),
        "boundaries": made.boundaries,
        "estimates": district_map.estimator_about,
        "map command": made.command,
    }
    return make_passport(district_map.title, "map", checks, known, simulated=made.simulated, version=made.version)


def passport_json(district_map: DistrictMap) -> dict[str, Any] | None:
    """Return the passport as its files hold it; None where the map has none.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> passport_json(result)["simulated"]
    True
    """
    if district_map.passport is None:
        return None
    # the title may have been changed since
    return {**district_map.passport.to_json(), "name": district_map.title}


def passport_text(district_map: DistrictMap) -> str:
    """Write the passport as one line of JSON; empty where the map has none.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> passport_text(result)[:30]
    '{"format":"geolive passport 1"'
    """
    data = passport_json(district_map)
    return "" if data is None else json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
