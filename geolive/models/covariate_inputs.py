"""Covariates as models take them: by name, in the order of training, and with an error that says how to add a missing one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from geolive.command_line import command_line
from geolive.errors import InputError
from geolive.places import Places

if TYPE_CHECKING:
    from geolive.dataset import Dataset
    from geolive.models.interface import Model


def check_covariates(dataset: "Dataset", names: Sequence[str] | None, model: str) -> None:
    """Raise where a dataset lacks covariates of these names, or any covariate where `names` is None.

    Raises
    ------
    InputError

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> check_covariates(make_sample("goa", seed=0), ["rain"], "the forest")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: ...: lacks the covariate 'rain', which the forest uses; add it with ...
    """
    there = () if dataset.covariates is None else dataset.covariates.names
    folder = "DATASET" if dataset.path is None else dataset.path
    if names is None and not there:
        add = command_line("covariates", folder, "--raster", "NAME=FILE")
        raise InputError(f"{dataset.name}: has no covariates for {model}; add some with {add}")
    missing = [name for name in names or () if name not in there]
    if missing:
        rasters = [word for name in missing for word in ("--raster", f"{name}=FILE")]
        raise InputError(f"{dataset.name}: {_lacks(missing, model)}{command_line('covariates', folder, *rasters)}")


def training_covariates(places: Places, model: str) -> np.ndarray:
    """Return the covariates of training places, shape (n, k).

    Raises
    ------
    InputError
        The places have no covariates, or one of them lacks a number.

    Examples
    --------
    >>> where = np.array([[85.1, 25.6], [84.0, 25.0]])
    >>> training_covariates(Places.without_images(np.array(["a", "b"]), where, np.array([[1.0], [np.nan]]), ("rain",)), "ridge")
    Traceback (most recent call last):
    geolive.errors.InputError: place 'b' has no number for the covariate 'rain', which ridge uses; leave the place out
    """
    if places.covariates is None or not places.covariate_names:
        add = command_line("covariates", "DATASET", "--raster", "NAME=FILE")
        raise InputError(f"{model} uses covariates, and the places have none; add some with {add}")
    missing = ~np.isfinite(places.covariates)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise InputError(
            f"place {str(places.ids[row])!r} has no number for the covariate {places.covariate_names[column]!r}, which {model} "
            "uses; leave the place out"
        )
    return np.asarray(places.covariates, float)


def covariates_as_trained(places: Places, names: Sequence[str], model: str) -> np.ndarray:
    """Return the covariates of places by the names of training, shape (n, k); NaN where a place has no number.

    Raises
    ------
    InputError
        The places lack a covariate.

    Examples
    --------
    >>> where = np.array([[85.1, 25.6]])
    >>> places = Places.without_images(np.array(["a"]), where, np.array([[1.0, 2.0]]), ("rain", "heat"))
    >>> covariates_as_trained(places, ["heat"], "ridge").tolist()
    [[2.0]]
    """
    missing = [name for name in names if name not in places.covariate_names]
    if missing and len(places):
        rasters = [word for name in missing for word in ("--raster", f"{name}=FILE")]
        raise InputError(f"the places: {_lacks(missing, model)}{command_line('covariates', 'DATASET', *rasters)}")
    return places.covariate_columns(names)


def covariate_scale(covariates: np.ndarray) -> np.ndarray:
    """Return the mean and the inverse spread of covariates, shape (2, k); 0 in place of the latter where one does not vary.

    Examples
    --------
    >>> covariate_scale(np.array([[1.0, 5.0], [3.0, 5.0]])).tolist()
    [[2.0, 5.0], [1.0, 0.0]]
    """
    mean, spread = covariates.mean(axis=0), covariates.std(axis=0)
    varies = spread > 1e-12 * np.abs(mean)
    return np.stack([mean, np.where(varies, 1 / np.where(varies, spread, 1.0), 0.0)])


def checked_names(names: object) -> tuple[str, ...]:
    """Return the names of covariates that a bundle holds; raise ValueError where they are no names.

    Examples
    --------
    >>> checked_names(["rain", "heat"])
    ('rain', 'heat')
    """
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError("covariate_names")
    return tuple(names)


def covariate_words(model: "Model") -> list[str]:
    """Return the covariates of a model in words: one phrase, or none where it uses no covariates.

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> covariate_words(Forest(inputs="covariates"))
    ['covariates']
    """
    if not model.uses("covariates"):
        return []
    names = getattr(model, "covariate_names_", ())
    return [f"covariates ({', '.join(names)})" if names else "covariates"]


def has_covariates(places: Places, names: Sequence[str] | None = None) -> np.ndarray:
    """Return which places have a number for each covariate, shape (n,) of bool; `names` are those that count, by default all.

    Examples
    --------
    >>> where = np.array([[85.1, 25.6], [84.0, 25.0]])
    >>> has_covariates(Places.without_images(np.array(["a", "b"]), where, np.array([[1.0], [np.nan]]), ("rain",))).tolist()
    [True, False]
    """
    return np.isfinite(places.covariate_columns(places.covariate_names if names is None else names)).all(axis=1)


def _lacks(missing: Sequence[str], model: str) -> str:
    covariates = "covariate" if len(missing) == 1 else "covariates"
    them = "it" if len(missing) == 1 else "them"
    return f"lacks the {covariates} {', '.join(map(repr, missing))}, which {model} uses; add {them} with "
