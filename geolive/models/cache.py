"""The model that `predict` uses where none is named: fitted once to a dataset, and kept by checksum."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from functools import partial
from importlib import metadata

import geolive
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.files import cache_folder
from geolive.models.bundle import load_bundle, save_bundle
from geolive.models.registry import model_maker
from geolive.models.trained_model import TrainedModel
from geolive.models.training import train


def cached_forest(
    dataset: Dataset, indicator: str, seed: int = 0, progress: Callable[[str], None] | None = None
) -> TrainedModel:
    """The cluster-wise forest of a dataset, from the cache folder, fitted first where it is not there.

    Parameters
    ----------
    dataset : Dataset
        Read from a folder, so that it has a checksum.
    indicator : str
    seed : int
    progress : callable, optional
        Told in words what is under way.

    Returns
    -------
    TrainedModel

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from geolive.dataset import read_dataset
    >>> from geolive.simulation.sample import simulate, write_sample
    >>> folder = write_sample(simulate("goa", seed=0), Path(tempfile.mkdtemp()) / "goa")
    >>> cached_forest(read_dataset(folder), "pov").card.model
    'clusterwise-forest-100'
    """
    depends_on = [
        "predictors",
        dataset.checksum,
        indicator,
        seed,
        geolive.__version__,
        metadata.version("scikit-learn"),
    ]
    folder = cache_folder() / "models" / hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:24]
    if folder.exists():
        with contextlib.suppress(InputError):
            return load_bundle(folder)
        shutil.rmtree(folder)  # the cache's own file, damaged: it is made again
    make = partial(model_maker("forest"), task="regression", seed=seed)
    trained = train(dataset, make, indicator, seed=seed, progress=progress)
    # another process may have been faster: its forest is the same
    with contextlib.suppress(InputError):
        save_bundle(trained, folder)
    return trained
