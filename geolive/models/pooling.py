"""How the predictions of a place's photos become the prediction of the place: their mean, or a vote."""

import numpy as np

from geolive.errors import InputError
from geolive.models.interface import check_choice

POOLS = ("mean", "vote")


def check_pool(pool: str, task: str) -> None:
    """Raise where there is no such way to pool photos, or the task does not allow it.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_pool("vote", "regression")
    Traceback (most recent call last):
    geolive.errors.InputError: pool='vote': photos vote for labels, not for values; choose pool='mean', or task='classification'
    """
    check_choice("pool", pool, POOLS)
    if pool == "vote" and task != "classification":
        raise InputError(
            f"pool={pool!r}: photos vote for labels, not for values; choose pool='mean', or task='classification'",
            parameter="pool",
        )


def pool_photos(predictions: np.ndarray, place: np.ndarray, n_places: int, pool: str = "mean") -> np.ndarray:
    """Pool the predictions of photos by place.

    Parameters
    ----------
    predictions : array of float, shape (photos,)
        Predicted values, or probabilities of label 1.
    place : array of int, shape (photos,)
        The place of each photo, from 0 to n_places - 1.
    n_places : int
    pool : {"mean", "vote"}
        mean: the mean over photos. vote: the share of photos whose label is predicted as 1; above 0.5 most photos voted for it
        (Lee et al. 2021 evaluate their image-wise classifier so).

    Returns
    -------
    array of float, shape (n_places,)
        NaN where a place has no photo.

    Examples
    --------
    >>> predictions, place = np.array([0.9, 0.4, 0.3]), np.array([0, 0, 0])
    >>> pool_photos(predictions, place, 2).round(2), pool_photos(predictions, place, 2, "vote").round(2)
    (array([0.53,  nan]), array([0.33,  nan]))
    """
    votes = (predictions > 0.5).astype(float) if pool == "vote" else np.asarray(predictions, float)
    photos = np.bincount(place, minlength=n_places)
    total = np.bincount(place, votes, minlength=n_places)
    return np.where(photos > 0, total / np.maximum(photos, 1), np.nan)
