"""The row `previous-survey`: the value of each place in its latest earlier survey. It is not a model, and needs no folds."""

import numpy as np

from geolive.errors import InputError
from geolive.evaluation.tasks import EvaluationTask
from geolive.geodesy import chord_to_km, unit_sphere

# DHS displaces points by up to 10 km: an earlier survey's cluster within that may be the same place
PREVIOUS_KM = 10.0


def previous_values(task: EvaluationTask) -> np.ndarray:
    """Find the value of the nearest cluster of the latest earlier survey within 10 km, in the same country.

    Parameters
    ----------
    task : EvaluationTask
        Its clusters have the column `year`.

    Returns
    -------
    array of float, shape (n,)
        NaN where no earlier cluster is near.

    Raises
    ------
    InputError
        No cluster has an earlier one nearby.
    """
    from scipy.spatial import cKDTree

    clusters = task.clusters
    year, country = clusters["year"].to_numpy(float), clusters["country"].astype(str).to_numpy()
    sphere = unit_sphere(task.places.positions)
    values = np.full(len(clusters), np.nan)
    for name in np.unique(country):
        own = country == name
        # from the earliest survey on, so that the latest earlier one has the last word
        for then in np.unique(year[own & np.isfinite(year)]):
            earlier, later = np.flatnonzero(own & (year == then)), np.flatnonzero(own & (year > then))
            if len(later):
                chord, nearest = cKDTree(sphere[earlier]).query(sphere[later])
                near = chord_to_km(chord) <= PREVIOUS_KM
                values[later[near]] = task.values[earlier[nearest[near]]]
    if not np.isfinite(values).any():
        raise InputError(f"no cluster has one of an earlier survey within {PREVIOUS_KM:g} km in its country")
    return values
