"""Models that are fitted once, to a dataset or to places, and then kept in the cache folder."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

import geolive
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.files import cache_folder, new_folder
from geolive.models.bundle import SCHEMA_VERSION, load_model, save_model
from geolive.models.cross_validation import fit_model
from geolive.models.interface import Model
from geolive.models.registry import ModelKind, kind_of
from geolive.models.trained_model import TrainedModel
from geolive.models.training import train
from geolive.places import Places

_SETTINGS = "settings.json"


def fit_cached(
    dataset: Dataset,
    model: Model,
    indicator: str,
    *,
    features: str | None = None,
    random_state: int = 0,
    progress: Callable[[str], None] | None = None,
    n_jobs: int | None = None,
) -> TrainedModel:
    """Train as `train` does, or read the model from the cache folder if it was trained on equal data with equal parameters.

    The cache is keyed by the dataset's checksum, the model's parameters, the indicator, the features, the seed, and the versions
    of geolive and of the library that the model depends on. Models that are not kept in bundles are trained each time.

    Parameters
    ----------
    dataset, model, indicator, features, random_state, progress
        As for `geolive.models.training.train`.
    n_jobs : int, optional
        Number of processes in which folds are fitted; by default one for each core. The results do not depend on it.

    Returns
    -------
    TrainedModel

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.simulation.sample import make_sample
    >>> fit_cached(make_sample("goa", seed=0), Forest(n_estimators=5), "pov").card.model
    'clusterwise-forest-5'
    """
    options: dict[str, Any] = {
        "features": features,
        "random_state": random_state,
        "progress": progress,
        "n_jobs": n_jobs,
    }
    kind = _kept_kind(model)
    if kind is None:
        return train(dataset, model, indicator, **options)
    folder = _folder_of(kind, model, [dataset.checksum, indicator, features, random_state])
    if folder.exists():
        with contextlib.suppress(InputError):
            return load_model(folder)
        shutil.rmtree(folder)  # the cache's own file is damaged, and made again
    trained = train(dataset, model, indicator, **options)
    # another process may have been faster: its model is the same
    with contextlib.suppress(InputError):
        save_model(trained, folder)
    return trained


def fit_places_cached(
    model: Model, places: Places, values: np.ndarray, *, sample_sizes: np.ndarray | None = None
) -> Model:
    """Fit a model that needs no images as `fit_model` does, or read it from the cache folder if it was fitted to equal places.

    The cache is keyed by the places' positions and covariates, the values, the sample sizes, the model's parameters and the
    version of geolive. Use it for models of positions that are slow to fit, such as kriging, where a map needs many of them.

    Parameters
    ----------
    model : Model
        An unfitted model; it is not changed: a clone is fitted.
    places : Places
    values : array of float, shape (n,)
    sample_sizes : array of float, shape (n,), optional
        For rates: the number of persons that each was measured of.

    Returns
    -------
    Model
        Fitted.

    Examples
    --------
    >>> from geolive.models.kriging import Kriging
    >>> places = Places.without_images(np.arange(9).astype(str), np.column_stack([np.linspace(80, 83, 9), np.full(9, 25.0)]))
    >>> models = [fit_places_cached(Kriging(), places, np.arange(9.0)) for _ in range(2)]
    >>> bool(np.array_equal(models[0].predict(places), models[1].predict(places)))
    True
    """
    kind = _kept_kind(model)
    if kind is None or model.needs_images:
        fitted = clone(model)
        fit_model(fitted, places, values, sample_sizes=sample_sizes)
        return fitted
    names = places.covariate_names if model.uses("covariates") else ()
    arrays = [places.positions, values, places.covariate_columns(names)]
    arrays += [] if sample_sizes is None or not model.takes_sample_sizes else [sample_sizes]
    folder = _folder_of(kind, model, [list(names), [_digest(array) for array in arrays]])
    if folder.exists():
        with contextlib.suppress(InputError, OSError, ValueError, TypeError):
            return kind.load_class().load(folder, json.loads((folder / _SETTINGS).read_text(encoding="utf-8")))
        shutil.rmtree(folder)
    fitted = clone(model)
    fit_model(fitted, places, values, sample_sizes=sample_sizes)
    with contextlib.suppress(InputError), new_folder(folder) as temporary:
        settings = fitted.save(temporary)
        (temporary / _SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    return fitted


def _kept_kind(model: Model) -> ModelKind | None:
    """Return the row of the table of models, or None where bundles do not keep such models."""
    kind = kind_of(model)
    return kind if kind is not None and kind.kept else None


def _folder_of(kind: ModelKind, model: Model, learnt_from: list[Any]) -> Path:
    """Return the folder of a model with these parameters that was fitted to these data."""
    depends_on = [
        SCHEMA_VERSION,
        kind.name,
        {name: repr(value) for name, value in model.get_params().items()},
        *learnt_from,
        geolive.__version__,
        kind.library and metadata.version(kind.library),
    ]
    return cache_folder() / "models" / hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:24]


def _digest(array: np.ndarray) -> str:
    array = np.ascontiguousarray(array, float)
    return hashlib.sha256(f"{array.shape}".encode() + array.tobytes()).hexdigest()
