"""Maps the names of detected objects in Mapillary's API to the 66 classes of object counts."""

from collections.abc import Mapping
from functools import cache

import numpy as np

from geolive.tables import N_CLASSES, VOID, vistas_classes

# the class of a parent that is not one of the 65 classes itself, so that finer names have a class
_GENERAL = {
    "animal": "animal--ground-animal",
    "construction--barrier": "construction--barrier--other-barrier",
    "construction--flat": "construction--flat--road",
    "construction--structure": "construction--structure--building",
    "human": "human--person",
    "human--rider": "human--rider--other-rider",
    "marking": "marking--general",
    "marking--discrete--crosswalk-zebra": "marking--crosswalk-zebra",
    "object--sign--advertisement": "object--billboard",
    "object--sign--store": "object--billboard",
    "object--support": "object--support--pole",
    "object--traffic-sign": "object--traffic-sign--front",
    "object--traffic-sign--direction-back": "object--traffic-sign--back",
    "object--traffic-sign--temporary-back": "object--traffic-sign--back",
    "object--vehicle": "object--vehicle--other-vehicle",
}


@cache
def class_of(value: str) -> int | None:
    """Find the class of a detected value: its own class, or that of its nearest parent.

    Parameters
    ----------
    value : str
        Name of the object in the API, with parts joined by "--".

    Returns
    -------
    int or None
        Column of the object counts; None where neither the name nor a parent is known.

    Examples
    --------
    >>> names = vistas_classes().name
    >>> names[class_of("object--vehicle--car")], names[class_of("human--person--individual")]
    ('Car', 'Person')
    >>> names[class_of("object--traffic-sign--regulatory--stop--g1")]
    'Traffic Sign (Front)'
    >>> class_of("object--spaceship") is None
    True
    """
    own = _own_classes()
    parts = value.split("--")
    for n in range(len(parts), 0, -1):
        name = "--".join(parts[:n])
        name = _GENERAL.get(name, name)
        if name in own:
            return own[name]
    return VOID if parts[0] == "void" else None


def count_objects(detections: Mapping[str, int]) -> tuple[np.ndarray, dict[str, int]]:
    """Count the objects of one image by class.

    Parameters
    ----------
    detections : mapping of str to int
        How often the API detected each value.

    Returns
    -------
    counts : array of uint16, shape (66,)
        Values without a class are counted as void.
    unmatched : dict of str to int
        The values without a class, and how often they were detected.

    Examples
    --------
    >>> counts, unmatched = count_objects({"object--vehicle--car": 2, "object--spaceship": 1})
    >>> int(counts[58]), int(counts[65]), unmatched
    (2, 1, {'object--spaceship': 1})
    """
    counts, unmatched = np.zeros(N_CLASSES, np.int64), {}
    for value, number in detections.items():
        index = class_of(value)
        if index is None:
            unmatched[value] = number
        counts[VOID if index is None else index] += number
    return np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16), unmatched


@cache
def _own_classes() -> dict[str, int]:
    table = vistas_classes()
    return dict(zip(table["api_value"], table["paper_index"].astype(int).tolist(), strict=True))
