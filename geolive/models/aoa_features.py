"""What places look like to a model, in numbers: which sites are like its training places is measured there."""

import numpy as np

from geolive.geodesy import EARTH_RADIUS_KM, unit_sphere
from geolive.models.clusterwise import mean_features
from geolive.models.interface import Model
from geolive.places import Places

COLUMN = "predictors"


def predictors(model: Model, places: Places, needs_images: bool) -> np.ndarray:
    """The predictors of places.

    Logarithms of object counts and of the number of images, means of image features, or both, as the model looks at; for a
    model that sees positions only, where they are, in kilometres.

    Parameters
    ----------
    model : Model
    places : Places
    needs_images : bool
        Whether the model learns from images.

    Returns
    -------
    array of float32, shape (n, p)

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> predictors(Mean(), Places.without_images(np.array(["a"]), np.array([[0.0, 0.0]])), False).round()
    array([[6371.,    0.,    0.]], dtype=float32)
    """
    if not needs_images:
        return (unit_sphere(places.positions) * EARTH_RADIUS_KM).astype(np.float32)
    vertices = getattr(model, "vertices", "obj")
    counts = np.log1p(places.counts())
    if vertices == "obj" or places.features is None:
        return counts.astype(np.float32)
    # in the order of the forest's own inputs
    return np.column_stack([mean_features(places), counts if vertices == "both" else counts[:, -1]]).astype(np.float32)


def importance(model: Model, training: np.ndarray, needs_images: bool) -> np.ndarray:
    """How much each predictor matters to a model: a forest's own importance, else all the same.

    Parameters
    ----------
    training : array of float, shape (n, p)
        The predictors of its training places.

    Returns
    -------
    array of float, shape (p,)

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> importance(Mean(), np.array([[1.0], [3.0]]), False)
    array([1.])
    """
    if not needs_images:
        return training.std(axis=0)  # kilometres stay kilometres when they are standardised
    own = getattr(model, "importances", None)
    return np.ones(training.shape[1]) if own is None or len(own) != training.shape[1] else own
