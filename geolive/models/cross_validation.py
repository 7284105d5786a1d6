"""Predictions of each place by a model that did not see it."""

import numpy as np

from geolive.models.interface import MakeModel
from geolive.places import Places

# column of predictions by models that saw other clusters of the district, where `prediction` left the whole district out
NEAR = "prediction_near"


def out_of_fold(make_model: MakeModel, places: Places, values: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Predict each place by a model fitted to the places outside its fold.

    Parameters
    ----------
    make_model : callable
        Makes an unfitted model; called once for each fold.
    places : Places
    values : array of float, shape (n,)
        Measured values, or labels 0 and 1; shape (n, m) for a model that learns m indicators at once.
    folds : array of int, shape (n,)
        As `geolive.splits.fold_numbers` gives them.

    Returns
    -------
    array of float, of the shape of `values`

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> places = Places.without_images(np.array(list("abc")), np.array([[80.0, 25.0], [81.0, 25.0], [82.0, 25.0]]))
    >>> out_of_fold(Mean, places, np.array([0.0, 1.0, 5.0]), np.array([0, 0, 1]))
    array([5. , 5. , 0.5])
    """
    predictions = np.full(np.shape(values), np.nan)
    for fold in np.unique(folds):
        learn, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        predictions[test] = make_model().fit(places.take(learn), values[learn]).predict(places.take(test))
    return predictions
