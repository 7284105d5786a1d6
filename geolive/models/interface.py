"""What every model can do, and what it asks of its places."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.places import Places


class Model(Protocol):
    """A model from places to values.

    `name` and `params` (JSON) tell which it is; `task` is "regression" (values) or "classification" (labels 0 and 1, whose
    prediction is the probability of 1). A model of images may say in `vertices` what it looks at (`check_seen`).
    """

    name: str
    params: dict
    task: str

    def fit(self, places: Places, values: np.ndarray) -> "Model":
        """Fit to values (or labels) of places, shape (n,)."""

    def predict(self, places: Places) -> np.ndarray:
        """Values (or probabilities) of places, shape (n,)."""


MakeModel = Callable[[], Model]


def check_seen(dataset: Dataset, model: Model, features: str | None) -> None:
    """Raise where a dataset lacks what a model of images looks at.

    A model's attribute `vertices` says what that is: "obj", object counts (so it is without the attribute), "feats", image
    features, or "both".

    Raises
    ------
    InputError

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from geolive.simulation.sample import make_sample
    >>> check_seen(make_sample("goa", seed=0), SimpleNamespace(vertices="obj"), None)
    """
    vertices = getattr(model, "vertices", "obj")
    if vertices != "feats" and "objects" not in dataset.features:
        remedy = "add object counts (detect), or use --model neighbours, idw or kriging"
        raise InputError(f"{dataset.name}: has no object counts for this model to look at; {remedy}")
    if vertices != "obj":
        if features is None:
            raise InputError(f"{model.name}: looks at image features, and none are named; name them with --features")
        dataset.feature_set(features)


def check_images(places: Places, model: str) -> None:
    """Raise where a place has no image to look at.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_images(Places.without_images(np.array(["a"]), np.zeros((1, 2))), "the forest")
    Traceback (most recent call last):
    geolive.errors.InputError: the forest needs images, and place 'a' has none; use a baseline, or add images
    """
    without = places.n_images == 0
    if without.any():
        name = places.ids[int(np.argmax(without))]
        raise InputError(f"{model} needs images, and place {str(name)!r} has none; use a baseline, or add images")
