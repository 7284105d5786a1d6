"""Models that are fitted once to a dataset and then kept in the cache folder."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from importlib import metadata
from typing import Any

import geolive
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.files import cache_folder
from geolive.models.bundle import SCHEMA_VERSION, load_model, save_model
from geolive.models.interface import Model
from geolive.models.registry import kind_of
from geolive.models.trained_model import TrainedModel
from geolive.models.training import train


def fit_cached(
    dataset: Dataset,
    model: Model,
    indicator: str,
    *,
    features: str | None = None,
    random_state: int = 0,
    progress: Callable[[str], None] | None = None,
) -> TrainedModel:
    """Train as `train` does, or read the model from the cache folder if it was trained on equal data with equal parameters.

    The cache is keyed by the dataset's checksum, the model's parameters, the indicator, the features, the seed, and the versions
    of geolive and of the library that the model depends on. Models that are not kept in bundles are trained each time.

    Parameters
    ----------
    dataset, model, indicator, features, random_state, progress
        As for `geolive.models.training.train`.

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
    options: dict[str, Any] = {"features": features, "random_state": random_state, "progress": progress}
    kind = kind_of(model)
    if kind is None or not kind.kept:
        return train(dataset, model, indicator, **options)
    depends_on = [
        SCHEMA_VERSION,
        kind.name,
        {name: repr(value) for name, value in model.get_params().items()},
        dataset.checksum,
        indicator,
        features,
        random_state,
        geolive.__version__,
        kind.library and metadata.version(kind.library),
    ]
    folder = cache_folder() / "models" / hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:24]
    if folder.exists():
        with contextlib.suppress(InputError):
            return load_model(folder)
        shutil.rmtree(folder)  # the cache's own file is damaged, and made again
    trained = train(dataset, model, indicator, **options)
    # another process may have been faster: its model is the same
    with contextlib.suppress(InputError):
        save_model(trained, folder)
    return trained
