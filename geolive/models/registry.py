"""Models by name: how each is made, and what it does in a sentence."""

import difflib
import importlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.models.interface import Model

# name on the command line: module, class, what it does
_MODELS = {
    "random": ("baselines", "Random", "values drawn at random from the surveyed ones"),
    "mean": ("baselines", "Mean", "the mean of all surveyed clusters, everywhere"),
    "neighbours": ("baselines", "Neighbours", "the average of the {k} nearest surveyed clusters; images are not used"),
    "neighbours-images": (
        "baselines",
        "NeighbourImages",
        "the average over the {images} nearest images' clusters, where images are but not what they show",
    ),
    "idw": (
        "baselines",
        "InverseDistance",
        "the average of the {k} nearest surveyed places, weighted by inverse distance; images are not used",
    ),
    "kriging": ("kriging", "Kriging", "ordinary kriging of the surveyed clusters; images are not used"),
    "forest": (
        "clusterwise",
        "Forest",
        "a random forest of {trees} trees on the objects counted in each place's images",
    ),
    "imagewise-linear": (
        "linear_probe",
        "ImageProbe",
        "a linear answer to each image's features, averaged over a place; the network that made them stays as it is",
    ),
    "imagewise-trained": ("imagewise.folds", "TrainedInFolds", "a network trained on photos, one by one ({arch})"),
    "knn": (
        "count_models",
        "NearestCounts",
        "the mean of the {k} surveyed clusters whose object counts are most alike",
    ),
    "boosting": ("count_models", "Boosting", "{trees} boosted trees on the objects counted in each place's images"),
    "mlp": ("count_models", "DenseNetwork", "a dense network on the objects counted in each place's images"),
    "gcn": ("graphcnn", "GraphCNN", "a graph network on each image of a place ({vertices}), with {edges} edges"),
    "mean-pooling": ("attention", "MeanPooling", "a network on the mean over a place's images ({vertices})"),
    "attention": ("attention", "AttentionPooling", "a network with attention over a place's images ({vertices})"),
    "stacked": (
        "stacked",
        "StackedNetwork",
        "networks with attention over a place's images and lines on summaries of them, stacked ({vertices}, {edges} edges)",
    ),
}
BASELINES = ("random", "mean", "neighbours", "idw", "kriging")


def model_maker(name: str, **options) -> Callable[..., "Model"]:
    """A maker of unfitted models, to be called with `task` and `seed`.

    Parameters
    ----------
    name : str
        random, mean, neighbours, idw, kriging, forest or gcn.
    options
        Further parameters of that model.

    Raises
    ------
    InputError
        There is no such model.

    Examples
    --------
    >>> model_maker("neighbours", k=5)(task="regression", seed=0).params
    {'k': 5}
    >>> model_maker("neighbors")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no model 'neighbors'; did you mean 'neighbours'? There are: ...
    """
    if name not in _MODELS:
        near = difflib.get_close_matches(name, _MODELS, n=1)
        hint = f" did you mean {near[0]!r}? There are:" if near else " there are:"
        raise InputError(f"no model {name!r};{hint} {', '.join(_MODELS)}")
    module, kind, _ = _MODELS[name]
    return partial(getattr(importlib.import_module(f"geolive.models.{module}"), kind), **options)


def describe(model: "Model") -> str:
    """What a model does, in a sentence for people.

    Examples
    --------
    >>> describe(model_maker("mean")(task="regression", seed=0))
    'The mean of all surveyed clusters, everywhere.'
    """
    # a model that is made elsewhere, and so not by name, says itself what it does
    said = getattr(model, "about", None)
    said = said or next(words for _, kind, words in _MODELS.values() if kind == type(model).__name__)
    said = said.format(**model.params)
    return f"{said[:1].upper()}{said[1:]}."
