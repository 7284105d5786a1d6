"""Checks of a district map: places unlike the survey, districts without a value, distinguishable districts, and licences."""

import re
from dataclasses import dataclass

import geopandas as gpd
import numpy as np

from geolive.auditing.dataset_checks import check_simulation
from geolive.auditing.passport import Check, measured
from geolive.auditing.rules import PASS, UNKNOWN
from geolive.wording import count_of

_LICENCE = re.compile(r"licen[cs]|public domain|CC[ -]?(?:0|BY)|ODbL|open government|made by geolive", re.IGNORECASE)


@dataclass(frozen=True)
class MapFacts:
    """What the checks of a map need of it.

    Parameters
    ----------
    districts : GeoDataFrame
        `supported` (bool), and where known `people` and `people_supported`.
    sites : GeoDataFrame
        `applicable` (bool).
    against_mean : array of int, shape (districts,)
        Whether a district's interval is above or below the region's mean (not 0), or contains it (0); only supported districts
        count.
    support : str
        When a district is not supported, in words.
    boundaries : str
        Their source.
    simulated : bool
    """

    districts: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame
    against_mean: np.ndarray
    support: str
    boundaries: str
    simulated: bool


def map_checks(facts: MapFacts) -> list[Check]:
    """Check a district map.

    Parameters
    ----------
    facts : MapFacts

    Returns
    -------
    list of Check

    Examples
    --------
    >>> districts = gpd.GeoDataFrame({"supported": [True, True, False]})
    >>> sites = gpd.GeoDataFrame({"applicable": [True] * 10})
    >>> facts = MapFacts(districts, sites, np.array([1, 0, 0]), "fewer than 3 sites", "mine, MIT licence", False)
    >>> {check.id: check.status for check in map_checks(facts)}["unsupported_districts"]
    'FAIL'
    """
    supported = facts.districts["supported"].to_numpy(bool)
    apart = (facts.against_mean != 0) & supported
    unlike, n = ~facts.sites["applicable"].to_numpy(bool), len(supported)
    return [
        check_simulation(facts.simulated, "map"),
        measured(
            "unlike_sites", "map", float(unlike.mean()) if len(unlike) else None,
            f"{int(unlike.sum()):,} of {count_of(len(unlike), 'site')} are too unlike the surveyed places and were left out.",
            "Survey places of the missing kind, or map a region that the survey covers.",
        ),
        measured(
            "unsupported_districts", "map", float((~supported).mean()) if n else None,
            f"{int((~supported).sum()):,} of {count_of(n, 'district')} have no value. A district has none where it has "
            f"{facts.support}.",
            "Add photos or surveyed places there; do not fill these districts in by hand.",
        ),
        *_people(facts),
        measured(
            "distinguishable", "map", float(apart.sum() / supported.sum()) if supported.any() else None,
            f"{int(apart.sum()):,} of {count_of(int(supported.sum()), 'supported district')} are distinguished from the region's "
            "mean.",
            "Do not rank districts whose intervals overlap: say above, below, or not distinguished.",
        ),
        _boundary_licence(facts.boundaries),
    ]  # fmt: skip


def _people(facts: MapFacts) -> list[Check]:
    if not {"people", "people_supported"} <= set(facts.districts.columns):
        return []
    people = facts.districts["people"].to_numpy(float)
    share = np.nan_to_num(facts.districts["people_supported"].to_numpy(float))
    whole = np.nansum(people)
    reached = float(np.nansum(people * share) / whole) if whole > 0 else None
    return [
        measured(
            "people_reached", "map", reached,
            f"Supported predictions are within reach of {round(np.nansum(people * share)):,} of {round(whole):,} people.",
            "Add photos where people live, or use a model of covariates, which are known everywhere.",
        )
    ]  # fmt: skip


def _boundary_licence(source: str) -> Check:
    if _LICENCE.search(source):
        return Check("boundary_licence", "map", PASS, f"Stated: {source}.")
    return Check(
        "boundary_licence", "map", UNKNOWN, f"The licence of the boundaries is not stated: {source}.",
        remedy="Find out under which licence the boundaries were published before you pass the map on; fetch boundaries "
        "states it.",
    )  # fmt: skip
