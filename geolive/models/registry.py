"""The table of models: their names, classes, descriptions, and whether and how bundles keep them."""

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.models.interface import Model


@dataclass(frozen=True)
class ModelKind:
    """A row of the table of models.

    Parameters
    ----------
    name : str
        On the command line and in bundles; the class has it as `kind`.
    module, class_name : str
        Where the class is, below `geolive.models`.
    sentence : str
        What the model does; `{...}` stands for a parameter. Where it is empty, the model's own `about` says it.
    kept : bool
        Whether `save_model` keeps it.
    command : str
        The words after `train` that make such a bundle; empty where it is trained in Python only.
    library : str
        The library whose version must be the same when a bundle is read; empty where any version will do.
    """

    name: str
    module: str
    class_name: str
    sentence: str = ""
    kept: bool = False
    command: str = ""
    library: str = ""

    def load_class(self) -> type["Model"]:
        """Import the class."""
        return getattr(importlib.import_module(f"geolive.models.{self.module}"), self.class_name)

    def is_of(self, model: "Model") -> bool:
        """Return whether a model is of exactly this class."""
        return (type(model).__module__, type(model).__name__) == (f"geolive.models.{self.module}", self.class_name)


def _clusterwise(name: str, module: str, class_name: str, sentence: str) -> ModelKind:
    command = "clusterwise" if name == "forest" else f"clusterwise --estimator {name}"
    # forests are kept as plain arrays, which no version of scikit-learn changes
    library = "" if name in ("forest", "extra-trees") else "scikit-learn"
    return ModelKind(name, module, class_name, sentence, True, command, library)


def _network(name: str, module: str, class_name: str, sentence: str) -> ModelKind:
    command = {"stacked": "gcn", "gcn-authors": "gcn --arch gcn --compat authors"}.get(name, f"gcn --arch {name}")
    return ModelKind(name, module, class_name, sentence, True, command)


_KINDS = (
    ModelKind("random", "baselines", "Random", "values drawn at random from the surveyed ones"),
    ModelKind("mean", "baselines", "Mean", "the mean of all surveyed clusters, everywhere"),
    ModelKind(
        "neighbours",
        "baselines",
        "Neighbours",
        "the average of the {n_neighbors} nearest surveyed clusters; images are not used",
    ),
    ModelKind(
        "neighbours-images",
        "baselines",
        "NeighbourImages",
        "the average of the clusters of the {n_neighbors} nearest images; where images are is used, what they show is not",
    ),
    ModelKind(
        "idw",
        "baselines",
        "InverseDistance",
        "the average of the {n_neighbors} nearest surveyed places, weighted by inverse distance; images are not used",
    ),
    ModelKind("kriging", "kriging", "Kriging", "ordinary kriging of the surveyed clusters; images are not used"),
    ModelKind("residual-kriging", "residual_kriging", "ResidualKriging"),
    _clusterwise(
        "forest",
        "clusterwise",
        "Forest",
        "a random forest of {n_estimators} trees on what is known of each place ({inputs})",
    ),
    _clusterwise(
        "extra-trees",
        "count_models",
        "ExtraTrees",
        "{n_estimators} extremely randomised trees on what is known of each place ({inputs})",
    ),
    _clusterwise(
        "boosting",
        "boosting",
        "Boosting",
        "{n_estimators} boosted trees on what is known of each place ({inputs})",
    ),
    _clusterwise(
        "boosting-authors",
        "boosting",
        "AuthorsBoosting",
        "{n_estimators} boosted trees of depth {max_depth} on what is known of each place ({inputs})",
    ),
    _clusterwise(
        "ridge",
        "count_models",
        "RidgeCounts",
        "ridge regression on what is known of each place ({inputs})",
    ),
    _clusterwise(
        "knn",
        "count_models",
        "NearestCounts",
        "the mean of the {n_neighbors} surveyed clusters whose object counts are most alike",
    ),
    ModelKind("count-model", "count_models", "CountModel", kept=True, library="scikit-learn"),
    ModelKind("mlp", "dense_network", "DenseNetwork", "a dense network on the objects counted in each place's images"),
    ModelKind(
        "imagewise-linear",
        "linear_probe",
        "ImageProbe",
        "ridge regression on each image's features, averaged over a place; the network that made them is not trained",
    ),
    _network("gcn", "graphcnn", "GraphCNN", "a graph network on the images of a place ({inputs}), with {edges} edges"),
    _network(
        "gcn-authors",
        "authors_graphcnn",
        "AuthorsGraphCNN",
        "the graph network of Lee et al. as their code has it, on the images of a place ({inputs}), with {edges} edges",
    ),
    _network("mean-pooling", "attention", "MeanPooling", "a network on the mean over a place's images ({inputs})"),
    _network("attention", "attention", "AttentionPooling", "a network with attention over a place's images ({inputs})"),
    _network(
        "stacked",
        "stacked",
        "StackedNetwork",
        "networks with attention over a place's images, stacked with ridge regressions on summaries of the images "
        "({inputs}, {edges} edges)",
    ),
    ModelKind(
        "imagewise",
        "imagewise.model",
        "ImageWise",
        "a network that looks at each photo of a place; the place's value is their mean",
        kept=True,
        command="imagewise",
    ),
    ModelKind(
        "imagewise-trained",
        "imagewise.folds",
        "TrainedInFolds",
        "a network trained on photos, one by one ({arch})",
    ),
)
MODEL_KINDS = {kind.name: kind for kind in _KINDS}
BASELINES = ("random", "mean", "neighbours", "idw", "kriging")
# the closed list of `train clusterwise --estimator`
CLUSTERWISE = tuple(kind.name for kind in _KINDS if kind.command.startswith("clusterwise"))


def find_kind(name: str) -> ModelKind:
    """Find the row of the table with this name.

    Raises
    ------
    InputError
        There is no such model.

    Examples
    --------
    >>> find_kind("forest").class_name
    'Forest'
    >>> find_kind("neighbors")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no model 'neighbors'; did you mean 'neighbours'? There are: ...
    """
    if name not in MODEL_KINDS:
        near = difflib.get_close_matches(name, MODEL_KINDS, n=1)
        hint = f" did you mean {near[0]!r}? There are:" if near else " there are:"
        raise InputError(f"no model {name!r};{hint} {', '.join(MODEL_KINDS)}")
    return MODEL_KINDS[name]


def make_model(name: str, **params: Any) -> "Model":
    """Make an unfitted model by its name.

    Parameters
    ----------
    name : str
        A name of the table, for example "forest" or "kriging".
    **params
        Parameters of that model.

    Raises
    ------
    InputError
        There is no such model, or it has no such parameter.

    Examples
    --------
    >>> make_model("neighbours", n_neighbors=5)
    Neighbours(n_neighbors=5)
    >>> make_model("kriging", trees=5)
    Traceback (most recent call last):
    geolive.errors.InputError: trees=5: model 'kriging' has no such parameter; it has inputs, n_neighbors, random_state, task
    """
    kind = find_kind(name).load_class()
    known = kind._get_param_names() if hasattr(kind, "_get_param_names") else list(params)
    for param, value in params.items():
        if param not in known:
            raise InputError(
                f"{param}={value!r}: model {name!r} has no such parameter; it has {', '.join(known)}", param
            )
    return kind(**params)


def describe(model: "Model") -> str:
    """Say in one sentence what a model does.

    A model that is not in the table says it itself: in its attribute `about`, or else in the first sentence of its docstring.

    Examples
    --------
    >>> describe(make_model("mean"))
    'The mean of all surveyed clusters, everywhere.'
    """
    kind = next((kind for kind in _KINDS if kind.sentence and kind.is_of(model)), None)
    if model.uses("covariates"):
        # the sentences of the table say what is used without covariates: "a random forest on 67 numbers"
        words = f"{model.about.split(' on ')[0].rstrip(',')}; it uses {model.input_words}"
    else:
        words = model.about if kind is None else kind.sentence.format(**model.params)
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."
