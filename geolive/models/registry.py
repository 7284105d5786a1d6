"""The table of models: their names, classes, descriptions, and whether and how bundles keep them."""

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from geolive.errors import InputError
from geolive.languages import open_language, phrase
from geolive.plugins import PluginGroup, plain_name_fault

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
    kept: bool = False
    command: str = ""
    library: str = ""

    def load_class(self) -> type["Model"]:
        """Import the class."""
        return getattr(importlib.import_module(f"geolive.models.{self.module}"), self.class_name)

    def is_of(self, model: "Model") -> bool:
        """Return whether a model is of exactly this class."""
        return (type(model).__module__, type(model).__name__) == (f"geolive.models.{self.module}", self.class_name)


def _clusterwise(name: str, module: str, class_name: str) -> ModelKind:
    command = "clusterwise" if name == "forest" else f"clusterwise --estimator {name}"
    # forests are kept as plain arrays, which no version of scikit-learn changes
    library = "" if name in ("ensemble", "forest", "extra-trees") else "scikit-learn"
    return ModelKind(name, module, class_name, True, command, library)


def _network(name: str, module: str, class_name: str) -> ModelKind:
    command = {"stacked": "gcn", "gcn-authors": "gcn --arch gcn --compat authors"}.get(name, f"gcn --arch {name}")
    return ModelKind(name, module, class_name, True, command)


# what each model does is said in the catalogues of words, under models.NAME
_KINDS = (
    ModelKind("random", "baselines", "Random"),
    ModelKind("mean", "baselines", "Mean"),
    ModelKind("neighbours", "baselines", "Neighbours"),
    ModelKind("neighbours-images", "baselines", "NeighbourImages"),
    ModelKind("idw", "baselines", "InverseDistance"),
    ModelKind("kriging", "kriging", "Kriging", kept=True),
    ModelKind("residual-kriging", "residual_kriging", "ResidualKriging"),
    _clusterwise("ensemble", "ensemble", "Ensemble"),
    _clusterwise("forest", "clusterwise", "Forest"),
    _clusterwise("extra-trees", "count_models", "ExtraTrees"),
    _clusterwise("boosting", "boosting", "Boosting"),
    _clusterwise("boosting-authors", "boosting", "AuthorsBoosting"),
    _clusterwise("ridge", "count_models", "RidgeCounts"),
    _clusterwise("knn", "count_models", "NearestCounts"),
    ModelKind("count-model", "count_models", "CountModel", kept=True, library="scikit-learn"),
    ModelKind("mlp", "dense_network", "DenseNetwork"),
    ModelKind("imagewise-linear", "linear_probe", "ImageProbe"),
    _network("gcn", "graphcnn", "GraphCNN"),
    _network("gcn-authors", "authors_graphcnn", "AuthorsGraphCNN"),
    _network("mean-pooling", "attention", "MeanPooling"),
    _network("attention", "attention", "AttentionPooling"),
    _network("stacked", "stacked", "StackedNetwork"),
    ModelKind("imagewise", "imagewise.model", "ImageWise", kept=True, command="imagewise"),
    ModelKind("imagewise-trained", "imagewise.folds", "TrainedInFolds"),
)
MODEL_KINDS = {kind.name: kind for kind in _KINDS}
BASELINES = ("random", "mean", "neighbours", "idw", "kriging")
# what `predict --model` fits by name, and the one that it fits where no model is named
FITTED_BY_NAME = (*BASELINES, "forest", "ensemble")
DEFAULT_MODEL, DEFAULT_WITHOUT_PHOTOS = "ensemble", "forest"
# the closed list of `train clusterwise --estimator`
CLUSTERWISE = tuple(kind.name for kind in _KINDS if kind.command.startswith("clusterwise"))


# rows of an evaluation that are no names of models
_OTHER_ROWS = ("all", "baselines", "previous-survey", "clusterwise")


def _name_fault(name: str) -> str:
    # evaluate names variants of a model NAME-VARIANT, so the beginning of a name must differ, too
    own = next((one for one in (*MODEL_KINDS, *_OTHER_ROWS) if name == one or name.startswith(f"{one}-")), None)
    if own is not None:
        return f"the name is geolive's own, or begins with {own}-" if name != own else "the name is geolive's own"
    return plain_name_fault(name)


def _class_fault(loaded: Any, name: str) -> str:
    from geolive.models.interface import Model

    if not isinstance(loaded, type) or not issubclass(loaded, Model):
        return "it is not a class that derives from geolive.Model"
    if loaded.kind != name:
        return f"the class has kind = {loaded.kind!r}, which must be the name of the entry point"
    return ""


ADDED_MODELS = PluginGroup("geolive.models", "model", _name_fault, _class_fault)


@dataclass(frozen=True)
class _AddedKind(ModelKind):
    """A row for a model that another package adds."""

    def load_class(self) -> type["Model"]:
        return ADDED_MODELS.load(self.name)

    def is_of(self, model: "Model") -> bool:
        return type(model) is self.load_class()


def _added_kind(name: str) -> ModelKind:
    from geolive.models.interface import Model

    added, package = ADDED_MODELS.load(name), ADDED_MODELS.package(name)
    kept = added.save is not Model.save
    return _AddedKind(name, added.__module__, added.__name__, kept, f"clusterwise --estimator {name}", package)


def kind_of(model: "Model") -> ModelKind | None:
    """Return the row of exactly a model's class, of geolive or of another package; None where there is none.

    Examples
    --------
    >>> kind_of(make_model("mean")).name
    'mean'
    """
    if model.kind not in MODEL_KINDS and model.kind not in ADDED_MODELS:
        return None
    kind = find_kind(model.kind)
    return kind if kind.is_of(model) else None


def find_kind(name: str) -> ModelKind:
    """Find the row of the table with this name, or of a model that another package adds.

    Raises
    ------
    InputError
        There is no such model, or the package that adds it is broken.

    Examples
    --------
    >>> find_kind("forest").class_name
    'Forest'
    >>> find_kind("neighbors")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no model 'neighbors'; did you mean 'neighbours'? There are: ...
    """
    if name in MODEL_KINDS:
        return MODEL_KINDS[name]
    if name in ADDED_MODELS:
        return _added_kind(name)
    known = [*MODEL_KINDS, *ADDED_MODELS.names()]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" did you mean {near[0]!r}? There are:" if near else " there are:"
    raise InputError(f"no model {name!r};{hint} {', '.join(known)}")


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
    """Say in one sentence what a model does; geolive's own models say it in other languages, too.

    A model that is not in the table says it itself: in its attribute `about`, or else in the first sentence of its docstring.

    Examples
    --------
    >>> describe(make_model("mean"))
    'The mean of all surveyed clusters, everywhere.'
    """
    from geolive.models.covariate_inputs import covariate_words

    key, known = next((f"models.{kind.name}" for kind in _KINDS if kind.is_of(model)), ""), open_language("en").words
    values = {name: str(value) for name, value in model.params.items()}
    if model.uses("covariates"):
        key = f"{key}-covariates" if f"{key}-covariates" in known else key
        inputs = str(model.inputs).replace(",", ", ").replace("covariates", covariate_words(model)[0])
        if "{inputs}" in known.get(key, ""):
            return phrase(key, **values | {"inputs": inputs})
        words = f"{model.about.split(' on ')[0].rstrip(',')}; it uses {model.input_words}"
    elif key in known:
        return phrase(key, **values)
    else:
        words = model.about
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."
