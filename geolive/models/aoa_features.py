"""Places as a model sees them, in numbers, on which the area of applicability is measured."""

import numpy as np

from geolive.geodesy import EARTH_RADIUS_KM, unit_sphere
from geolive.models.clusterwise import mean_features
from geolive.models.covariate_inputs import covariates_as_trained
from geolive.models.interface import Model
from geolive.places import Places


def aoa_features(model: Model, places: Places) -> np.ndarray:
    """Return the numbers by which a model distinguishes places.

    These are logarithms of object counts and of the number of images, means of image features, or both, according to the model's
    `inputs`, and covariates; for a model that uses neither images nor covariates, positions on the sphere in kilometres.

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
    if not model.needs_images and not model.uses("covariates"):
        return (unit_sphere(places.positions) * EARTH_RADIUS_KM).astype(np.float32)
    # in the order of the inputs of cluster-wise models, so that their importances fit
    parts = []
    if model.needs_images:
        counts = np.log1p(places.counts())
        use_features = model.uses("features") and places.features is not None
        parts += [mean_features(places)] if use_features else []
        parts.append(counts if model.uses("objects") or not use_features else counts[:, -1])
    if model.uses("covariates"):
        names = getattr(model, "covariate_names_", places.covariate_names)
        parts.append(covariates_as_trained(places, names, model.name))
    return np.column_stack(parts).astype(np.float32)


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
    if not model.needs_images and not model.uses("covariates"):
        return training.std(axis=0)  # kilometres stay kilometres when they are standardised
    own = model.importances_
    return np.ones(training.shape[1]) if own is None or len(own) != training.shape[1] else own
