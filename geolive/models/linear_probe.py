"""An image-wise model that trains no network: ridge regression on each image's features, averaged over a place."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from geolive.errors import InputError
from geolive.models.inner_folds import inner_folds
from geolive.models.interface import Model, check_images
from geolive.models.pooling import check_pool, pool_photos
from geolive.places import Places

PENALTIES = (1.0, 10.0, 100.0, 1000.0)
INNER_FOLDS = 3
_CHUNK = 50_000


class ImageProbe(Model):
    """Ridge regression from the features of an image to its cluster's value; a place's value is the mean over its images.

    The network that made the features is not trained, while `train imagewise` trains it, too. As in Lee et al.'s image-wise
    learning every image has its cluster's value, but a cluster counts the same however many images it has. Folds within the
    training places choose the penalty. Labels are fitted as numbers, and predictions are clipped to 0 … 1.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Seed of the inner folds.
    pool : {"mean", "vote"}
        How images make a place's prediction, see `geolive.models.pooling.pool_photos`.

    Examples
    --------
    >>> from geolive.places import ImageFeatures
    >>> where = np.random.default_rng(0).normal([85, 25], 1, (40, 2))
    >>> features = ImageFeatures("two", np.column_stack([np.arange(40.0), np.ones(40)]), np.arange(40))
    >>> objects = np.zeros((40, 66), np.uint16)
    >>> places = Places(np.arange(40).astype(str), where, np.arange(41), where, objects, features)
    >>> ImageProbe().fit(places, np.arange(40.0)).predict(places)[:3].round()
    array([0., 1., 2.])
    """

    kind = "imagewise-linear"
    input_words = "image features, one image by one"
    inputs = "features"

    def __init__(self, task: str = "regression", *, random_state: int = 0, pool: str = "mean") -> None:
        self.task = task
        self.random_state = random_state
        self.pool = pool

    @property
    def params(self) -> dict[str, Any]:
        """The penalties that the inner folds choose from, and how images are pooled."""
        return {"penalties": list(PENALTIES), "trunk": "as it is", "pool": self.pool}

    def check_parameters(self) -> None:
        """Raise where a parameter has a value that the model cannot use."""
        super().check_parameters()
        check_pool(self.pool, self.task)

    def fit(self, places: Places, values: np.ndarray) -> "ImageProbe":
        """Fit the line.

        Raises
        ------
        InputError
            A parameter has no such value, a place has no images, or places have no image features.
        """
        self.check_parameters()
        check_images(places, self.name)
        values = np.asarray(values, float)
        folds = inner_folds(places.positions, INNER_FOLDS, self.random_state)
        self._fit_scale(places)
        sums = [self._sums(places, values, folds == fold) for fold in range(folds.max() + 1)]
        gram, moment = (np.sum([part[i] for part in sums], axis=0) for i in (0, 1))
        means = self._means(places)
        errors = []
        for penalty in PENALTIES:
            # the sums over all images less those of a fold are the sums without it, so no fold is read twice
            lines = [_solve(gram - own, moment - away, penalty) for own, away in sums]
            squares = [(((means @ line) - values)[folds == fold] ** 2).sum() for fold, line in enumerate(lines)]
            errors.append(sum(squares))
        self.line_ = _solve(gram, moment, PENALTIES[int(np.argmin(errors))])
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Predict each place by the mean over its images, or by their vote, shape (n,)."""
        self.check_fitted()
        if self.pool == "vote":
            place, predictions = self.predict_images(places)
            return pool_photos(predictions, place, len(places), self.pool)
        check_images(places, self.name)
        predicted = self._means(places) @ self.line_
        return np.clip(predicted, 0, 1) if self.task == "classification" else predicted

    def predict_images(self, places: Places) -> tuple[np.ndarray, np.ndarray]:
        """Predict single images: the row of each image's place, and the image's prediction, both of shape (images,)."""
        self.check_fitted()
        check_images(places, self.name)
        parts = [(place, self._inputs(features) @ self.line_) for place, features in _chunks(places)]
        place, predicted = (np.concatenate(column) for column in zip(*parts, strict=True))
        return place, np.clip(predicted, 0, 1) if self.task == "classification" else predicted

    def _fit_scale(self, places: Places) -> None:
        total = squares = 0.0
        for _, features in _chunks(places):
            total, squares = total + features.sum(axis=0), squares + (features**2).sum(axis=0)
        n = places.offsets[-1]
        self.mean_ = total / n
        self.spread_ = np.sqrt(np.maximum(squares / n - self.mean_**2, 0))
        self.spread_[self.spread_ < 1e-12] = np.inf

    def _inputs(self, features: np.ndarray) -> np.ndarray:
        scaled = (features - self.mean_) / self.spread_
        return np.column_stack([np.ones(len(scaled)), scaled])

    def _sums(self, places: Places, values: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute Σ w x xᵀ and Σ w x y over the images of the chosen places, whose weights add up to 1 a place."""
        size = len(self.mean_) + 1
        gram, moment = np.zeros((size, size)), np.zeros(size)
        for place, features in _chunks(places):
            inside = chosen[place]
            x = self._inputs(features[inside])
            weighted = x / places.n_images[place[inside]][:, None]
            gram, moment = gram + x.T @ weighted, moment + weighted.T @ values[place[inside]]
        return gram, moment

    def _means(self, places: Places) -> np.ndarray:
        means = np.zeros((len(places), len(self.mean_) + 1))
        for place, features in _chunks(places):
            np.add.at(means, place, self._inputs(features) / places.n_images[place][:, None])
        return means


def _chunks(places: Places) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield places and features of as many images at a time as fit in memory."""
    if places.features is None:
        raise InputError("imagewise-linear needs image features; embed the photos, or ingest features")
    place = np.repeat(np.arange(len(places)), places.n_images)
    for start in range(0, len(place), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(place)))
        yield place[part], places.features.read(part).astype(np.float64)


def _solve(gram: np.ndarray, moment: np.ndarray, penalty: float) -> np.ndarray:
    penalties = np.full(len(gram), penalty)
    penalties[0] = 1e-9
    return np.linalg.solve(gram + np.diag(penalties), moment)
