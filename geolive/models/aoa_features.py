"""Places as a model sees them, in numbers, on which the area of applicability is measured."""

import numpy as np

from geolive.geodesy import EARTH_RADIUS_KM, unit_sphere
from geolive.model_inputs import parse_inputs
from geolive.models.clusterwise import mean_features
from geolive.models.interface import Model
from geolive.places import Places


def aoa_features(model: Model, places: Places) -> np.ndarray:
    """Return the numbers by which a model distinguishes places.

    These are logarithms of object counts and of the number of images, means of image features, or both, according to the model's
    `inputs`; for a model that does not need images, positions on the sphere in kilometres.

    Parameters
    ----------
    model : Model
    places : Places

    Returns
    -------
    array of float32, shape (n, p)

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> aoa_features(Mean(), Places.without_images(np.array(["a"]), np.array([[0.0, 0.0]]))).round()
    array([[6371.,    0.,    0.]], dtype=float32)
    """
    if not model.needs_images:
        return (unit_sphere(places.positions) * EARTH_RADIUS_KM).astype(np.float32)
    counts = np.log1p(places.counts())
    if "features" not in parse_inputs(model.inputs) or places.features is None:
        return counts.astype(np.float32)
    # in the order of the inputs of cluster-wise models, so that their importances fit
    counts = counts if "objects" in parse_inputs(model.inputs) else counts[:, -1]
    return np.column_stack([mean_features(places), counts]).astype(np.float32)


def aoa_weights(model: Model, training: np.ndarray) -> np.ndarray:
    """Return how much each of these numbers matters to a model: its own importances, or equal weights where it has none.

    Parameters
    ----------
    model : Model
        Fitted.
    training : array of float, shape (n, p)
        `aoa_features` of its training places.

    Returns
    -------
    array of float, shape (p,)

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> aoa_weights(Mean(), np.array([[1.0], [3.0]]))
    array([1.])
    """
    if not model.needs_images:
        return training.std(axis=0)  # kilometres stay kilometres when they are standardised
    own = model.importances_
    return np.ones(training.shape[1]) if own is None or len(own) != training.shape[1] else own
