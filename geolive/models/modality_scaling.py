"""The relative scale of image features and object counts, where a network uses both."""

from dataclasses import replace

import numpy as np

from geolive.graphs.node_features import VertexScaling
from geolive.models.inner_folds import inner_folds
from geolive.models.ridge import fit_ridge
from geolive.places import Places
from geolive.tables import N_CLASSES

# spread of an image feature divided by that of an object class
RATIOS = tuple(2.0**power for power in range(-3, 4))
INNER_FOLDS = 3
_MOST_PLACES = 2_000
_FEWEST_TO_CHOOSE = 12


def balanced(scaling: VertexScaling, places: Places, values: np.ndarray, seed: int = 0) -> VertexScaling:
    """Make image features or object counts smaller, whichever predicts left-out training places better.

    A network learns fastest from its largest inputs. Where these say little about the values and have many columns, the network
    learns them by heart. The ratio of the two scales is chosen by ridge regression on the means over each place's images, with
    near places left out together and one penalty for both parts: the ratio with the least error, on average over the
    indicators.

    Source: banded ridge regression, Nunez-Elizalde, Huth & Gallant 2019, doi 10.1016/j.neuroimage.2019.04.012, with one of
    seven ratios, from an eighth to eight.

    Parameters
    ----------
    scaling : VertexScaling
        Only a scaling of objects and features is changed.
    places : Places
        Training places; of more than 2,000 places an evenly spaced part is used.
    values : array of float, shape (n, m)
        NaN where a place has no value.
    seed : int
        Seed of the folds.

    Returns
    -------
    VertexScaling
        The larger of the two parts keeps its scale.

    Examples
    --------
    Features that say nothing about the values shrink to an eighth.

    >>> from geolive.graphs.node_features import fit_vertices
    >>> from geolive.places import ImageFeatures
    >>> rng = np.random.default_rng(0)
    >>> where, counts = rng.normal([85.0, 25.0], 1.0, (60, 2)), rng.poisson(2.0, (60, 66)).astype(np.uint16)
    >>> features = ImageFeatures("none", rng.normal(size=(60, 8)).astype(np.float32), np.arange(60))
    >>> places = Places(np.arange(60).astype(str), where, np.arange(61), where, counts, features)
    >>> before = fit_vertices(places, "objects,features")
    >>> after = balanced(before, places, np.log1p(counts[:, :1].astype(float)))
    >>> (after.factor / before.factor)[[0, 8]].tolist()
    [0.125, 1.0]
    """
    if scaling.inputs != "objects,features" or len(places) < _FEWEST_TO_CHOOSE:
        return scaling
    rows = np.arange(0, len(places), -(-len(places) // _MOST_PLACES))
    places, values = places.take(rows), values[rows]
    folds, means = inner_folds(places.positions, INNER_FOLDS, seed), _means(scaling, places)
    errors = [_error(means * _weights(means.shape[1], ratio), values, folds) for ratio in RATIOS]
    if not np.isfinite(errors).all():
        return scaling
    chosen = RATIOS[int(np.argmin(errors))]
    return replace(scaling, factor=scaling.factor * _weights(means.shape[1], chosen))


def _weights(size: int, ratio: float) -> np.ndarray:
    features = size - N_CLASSES
    return np.r_[np.full(features, min(ratio, 1.0)), np.full(N_CLASSES, min(1 / ratio, 1.0))]


def _means(scaling: VertexScaling, places: Places) -> np.ndarray:
    """Compute the mean vertex of each place, shape (n, f); the images of one place are read at a time."""
    vertices = scaling.of(places)
    bounds = zip(places.offsets[:-1], places.offsets[1:], strict=True)
    return np.stack([vertices.read(np.arange(start, end)).mean(0, dtype=float) for start, end in bounds])


def _error(inputs: np.ndarray, values: np.ndarray, folds: np.ndarray) -> float:
    """Compute squared error by variance at left-out places, averaged over the indicators; NaN where none can be judged."""
    errors = []
    for column in values.T:
        known = np.isfinite(column)
        y, fold = column[known], folds[known]
        if len(np.unique(fold)) > 1 and np.ptp(y) > 0:
            _, left_out = fit_ridge(inputs[known], y, fold, standardise=False)
            errors.append(np.square(y - left_out).mean() / y.var())
    return float(np.mean(errors)) if errors else np.nan
