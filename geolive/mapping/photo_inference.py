"""Prediction of the photos of a region by a network of single photos, so that its places can be predicted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import shapely

from geolive.dataset import Dataset
from geolive.engine.interface import Engine
from geolive.models.trained_model import TrainedModel
from geolive.regions import Region
from geolive.tables import lonlat


@runtime_checkable
class PhotoModel(Protocol):
    """A model that predicts single photos, which a place's prediction is the mean of."""

    def predict_photos(self, dataset: Dataset, files: Any, rows: np.ndarray, device: Any, **options: Any) -> Dataset:
        """Return the dataset with the predictions of the photos in some rows of its images table as a feature set."""
        ...


def predict_photos(
    dataset: Dataset,
    trained: TrainedModel,
    region: Region,
    *,
    photos: str | Path | None = None,
    device: str = "auto",
    progress: Callable[[str], None] | None = None,
    engine: Engine | None = None,
) -> Dataset:
    """Predict the photos of a region and add the predictions to the dataset as a feature set.

    A model of another kind leaves the dataset unchanged.

    Parameters
    ----------
    dataset : Dataset
    trained : TrainedModel
    region : Region
        Photos in it are predicted, and all photos of the clusters in it.
    photos : str or Path, optional
        The folder that `img_path` starts from, if the photos have moved.
    device : str
        auto, cpu, cuda or mps.
    progress : callable, optional
    engine : Engine, optional
        Where photos are predicted; by default in this process, with equal results.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        The dataset has no photos, or none of them can be used.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> trained = gl.train(dataset, gl.Neighbours(), "pov")
    >>> predict_photos(dataset, trained, gl.find_region("goa")) is dataset
    True
    """
    model = trained.model
    if not isinstance(model, PhotoModel):
        return dataset
    from geolive.vision.devices import choose_device
    from geolive.vision.images import photo_files

    files = photo_files(dataset, photos)
    inside = shapely.contains_xy(region.area, lonlat(dataset.clusters.geometry)) if len(dataset.clusters) else []
    clusters = dataset.clusters["unique_cluster"][np.asarray(inside, bool)]
    wanted = shapely.contains_xy(region.area, lonlat(dataset.images.geometry))
    wanted |= dataset.images["unique_cluster"].isin(clusters).to_numpy()
    wanted &= np.array([path is not None for path in files.paths], bool)
    rows = np.flatnonzero(wanted)
    return model.predict_photos(dataset, files, rows, choose_device(device), progress=progress, engine=engine)
