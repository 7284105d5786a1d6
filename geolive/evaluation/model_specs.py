"""The rows of the results: which models are compared, what each needs, and what a name means."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.model_inputs import INPUTS_OF_SHORT, parse_inputs, photo_inputs
from geolive.models.interface import TASKS, Model
from geolive.models.registry import ADDED_MODELS, BASELINES, make_model

# what is done to a model besides fitting it, by the ending of its name
VARIANTS = ("kriged", "pooled-50", "pooled-100", "own-country")
_NEEDS = {
    "images": "images (ingest photos, fetch images, or ingest paper)",
    "photos": "photos (ingest photos, fetch images, or a sample with photos)",
    "objects": "object counts (detect, or fetch images with objects)",
    "features": "image features (embed, or ingest features)",
    "covariates": "covariates (covariates DATASET --raster NAME=FILE)",
    "years": "surveys of two years or more (read_survey(year='COLUMN'))",
    "countries": "clusters of two countries or more",
}
NETWORKS_OF_PHOTOS = ("gcn", "mean-pooling", "attention", "stacked")
# models whose rows may name their inputs; the second need photos
_CLUSTERWISE, _OF_PHOTOS = ("forest", "extra-trees", "boosting", "ridge"), ("ensemble", *NETWORKS_OF_PHOTOS)
_WITH_COVARIATES = (
    "kriging-covariates",
    "forest-cov",
    "ridge-cov",
    "ridge-cov+kriged",
    "forest-obj+cov",
    "stacked-obj+cov",
)
AUTHORS_DEPTHS = (5, 7, 10)
_BEST_OF = ("knn", "forest", "forest-300", "boosting", "boosting-6")


@dataclass(frozen=True)
class ModelSpec:
    """A row of the results.

    Parameters
    ----------
    name : str
        As the user names it.
    make : callable or None
        Makes the unfitted model; None for the previous survey, which is no model. Models are made when they are used, because
        some of them load torch.
    needs : tuple of str
        Of "images", "photos", "objects", "features", "covariates", "years", "countries".
    tasks : tuple of str
        The tasks that the model can do.
    variant : str
        "" or one of `VARIANTS` but "kriged", which is a model of its own.
    label : str
        Name of the row in the results; "" for the model's own name.
    plain : str
        Of a row with kriged residuals: the name of the row without.
    """

    name: str
    make: Callable[[], Model] | None = None
    needs: tuple[str, ...] = ()
    tasks: tuple[str, ...] = TASKS
    variant: str = ""
    label: str = ""
    plain: str = ""

    @property
    def uses_images(self) -> bool:
        """Whether the row uses images; a row that does not is a baseline."""
        return bool({"images", "photos", "objects", "features"} & set(self.needs))

    def missing(self, dataset: Dataset, features: str | None) -> str:
        """Say which of the row's inputs the dataset lacks; "" where it lacks nothing.

        Examples
        --------
        >>> from geolive.simulation.sample import make_sample
        >>> dataset = make_sample("goa", seed=0)
        >>> find_specs("gcn-feats")[0].missing(dataset, None)
        'needs image features (embed, or ingest features)'
        """
        clusters = dataset.clusters
        has = {
            "images": len(dataset.images) > 0 and dataset.images["unique_cluster"].notna().any(),
            "photos": "img_path" in dataset.images and dataset.images["img_path"].notna().any(),
            "objects": "objects" in dataset.features,
            "features": features is not None,
            "covariates": dataset.covariates is not None,
            "years": "year" in clusters.columns and clusters["year"].nunique() > 1,
            "countries": clusters["country"].nunique() > 1,
        }
        lacking = [_NEEDS[need] for need in self.needs if not has[need]]
        return f"needs {' and '.join(lacking)}" if lacking else ""


def find_specs(
    names: str | Iterable[str],
    n_neighbors: int = 10,
    features: str | None = None,
    options: Mapping[str, dict] | None = None,
    covariates: bool = False,
) -> list[ModelSpec]:
    """Find the rows of given names, each once.

    Parameters
    ----------
    names : str or iterable of str
        Names, or names joined by commas: of models, "baselines", or "all" (which leaves out imagewise-trained). NAME+kriged adds
        kriged residuals; NAME-cov, NAME-obj+cov, NAME-feats+cov and NAME-all are forest, extra-trees, boosting, ridge, ensemble
        and the networks of photos on covariates, alone or beside object counts and image features; NAME+pooled-50 fits to half of
        each country's clusters, NAME+pooled-100 to all, and NAME+own-country to each country alone.
    n_neighbors : int
        Number of clusters that the average of neighbours takes.
    features : str, optional
        The feature set of the dataset; the networks with attention use it, too, where there is one.
    options : dict of str to dict, optional
        Further parameters by the kind of model: "mlp", "gcn", "gcn-authors", "attention", "neighbours-images", "imagewise", and
        "imagewise-trained" (which needs them).
    covariates : bool
        Whether the dataset has covariates; "all" then includes models that use them.

    Raises
    ------
    InputError
        There is no such row.

    Examples
    --------
    >>> [spec.name for spec in find_specs("baselines,forest+kriged")][-2:]
    ['kriging', 'forest+kriged']
    >>> find_specs("neighbors")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no model 'neighbors'; did you mean 'neighbours'? There are: all, baselines, random, ...
    """
    known = _known_specs(n_neighbors, features, options or {})
    listed = names.split(",") if isinstance(names, str) else names
    specs: dict[str, ModelSpec] = {}
    for name in (part.strip() for part in listed):
        for one in {"all": _all_names(covariates), "baselines": BASELINES}.get(name, (name,)):
            specs[one] = _find_spec(one, known, options or {})
    return list(specs.values())


def given_specs(models: Mapping[str, Model]) -> list[ModelSpec]:
    """Make the rows of a user's own models, named by the keys.

    Parameters
    ----------
    models : dict of str to Model
        Unfitted; copies are fitted.

    Raises
    ------
    InputError
        An entry is no model.

    Examples
    --------
    >>> from geolive.models.baselines import Neighbours
    >>> [spec.label for spec in given_specs({"five": Neighbours(n_neighbors=5), "ten": Neighbours()})]
    ['five', 'ten']
    """
    from sklearn.base import clone

    specs = []
    for name, model in models.items():
        if isinstance(model, type):
            raise InputError(f"models[{name!r}] is a class; give an unfitted model, as {model.__name__}()")
        if not isinstance(model, Model):
            wrapped = f"CountModel({type(model).__name__}())" if hasattr(model, "fit") else "CountModel(estimator)"
            remedy = f"give a model of geolive, or wrap an estimator of scikit-learn, as {wrapped}"
            raise InputError(f"models[{name!r}] is a {type(model).__name__}; {remedy}")
        specs.append(ModelSpec(str(name), partial(clone, model), _needs_of(model), model.tasks, label=str(name)))
    return specs


def _needs_of(model: Model) -> tuple[str, ...]:
    return parse_inputs(model.inputs) or (("images",) if model.needs_images else ())


def _added_spec(name: str) -> ModelSpec | None:
    """Make the row of a model that another package adds; None where none adds it."""
    if name not in ADDED_MODELS:
        return None
    model = make_model(name)
    return ModelSpec(name, _maker(name), _needs_of(model), model.tasks)


def _find_spec(name: str, known: dict[str, ModelSpec], options: Mapping[str, dict]) -> ModelSpec:
    inputs = _spec_of_inputs(name, options)
    base, plus, variant = (name, "", "") if inputs else name.rpartition("+") if "+" in name else (name, "", "")
    of_inputs = inputs or _spec_of_inputs(base, options)
    if base not in known and of_inputs is None:
        of_inputs = _added_spec(base)
    if base not in known and of_inputs is None:
        base = base.partition("+")[0]
        there = ["all", "baselines", *known, *ADDED_MODELS.names()]
        near = difflib.get_close_matches(base, there, n=1)
        hint = f"did you mean {near[0]!r}? There are:" if near else "there are:"
        raise InputError(f"no model {base!r}; {hint} {', '.join(there)}")
    spec = known.get(base, of_inputs)
    assert spec is not None
    if not plus:
        return spec
    if variant not in VARIANTS or spec.make is None:
        raise InputError(f"no model {name!r}; a model's name may end in {', '.join(f'+{v}' for v in VARIANTS)}")
    if variant == "kriged":
        return replace(spec, name=name, make=_kriged(spec.make), plain=spec.name)
    return replace(spec, name=name, variant=variant, needs=(*spec.needs, "countries"))


def _spec_of_inputs(name: str, options: Mapping[str, dict]) -> ModelSpec | None:
    """Make the row of a model with its inputs in its name, for example ridge-cov; None where the name is no such row."""
    for kind in (*_CLUSTERWISE, *_OF_PHOTOS):
        inputs = INPUTS_OF_SHORT.get(name.removeprefix(f"{kind}-"))
        if name.startswith(f"{kind}-") and inputs and (kind in _CLUSTERWISE or photo_inputs(inputs)):
            own = options.get("gcn" if kind == "gcn" else "attention", {}) if kind in NETWORKS_OF_PHOTOS else {}
            return ModelSpec(name, _maker(kind, **{**own, "inputs": inputs}), parse_inputs(inputs))
    return None


def _all_names(covariates: bool) -> tuple[str, ...]:
    graphs = ("gcn-obj", "gcn-feats", "gcn-both", "gcn-both-random", "gcn-both-knn", "attention", "stacked")
    pooled = ("forest+own-country", "forest+pooled-50", "forest+pooled-100")
    kriged = ("forest+kriged", "gcn-obj+kriged", "gcn-both+kriged", "stacked+kriged")
    clusterwise = (*_BEST_OF, "mlp", "clusterwise-best", "ensemble")
    with_covariates = _WITH_COVARIATES if covariates else ()
    others = ("neighbours-images", "previous-survey", "imagewise", *clusterwise, *graphs, *kriged, *pooled)
    return (*BASELINES, *with_covariates, *others)


def _known_specs(n_neighbors: int, features: str | None, options: Mapping[str, dict]) -> dict[str, ModelSpec]:
    settings = {"neighbours": {"n_neighbors": n_neighbors}}
    specs = [ModelSpec(name, _maker(name, **settings.get(name, {}))) for name in BASELINES]
    specs += [
        ModelSpec("kriging-covariates", _maker("kriging", inputs="covariates"), ("covariates",)),
        ModelSpec(
            "neighbours-images",
            _maker("neighbours-images", **options.get("neighbours-images", {})),
            ("images", "objects"),
        ),
        ModelSpec("previous-survey", None, ("years",)),
        ModelSpec("imagewise", _maker("imagewise-linear", **options.get("imagewise", {})), ("features",)),
        # not among all: a network in every fold takes hours
        ModelSpec(
            "imagewise-trained", _maker("imagewise-trained", **options.get("imagewise-trained", {})), ("photos",)
        ),
    ]
    return {spec.name: spec for spec in (*specs, *_clusterwise_specs(options), *_network_specs(features, options))}


def _clusterwise_specs(options: Mapping[str, dict]) -> list[ModelSpec]:
    makers = {
        "knn": _maker("knn"),
        "forest": _maker("forest", n_estimators=100),
        "forest-300": _maker("forest", n_estimators=300),
        "boosting": _maker("boosting", max_depth=3),
        "boosting-6": _maker("boosting", max_depth=6),
        # not among all: the depths of the authors' code
        **{f"boosting-{depth}": _maker("boosting-authors", max_depth=depth) for depth in AUTHORS_DEPTHS},
    }

    def best() -> Model:
        from geolive.evaluation.best_of import BestOf

        return BestOf([makers[name]() for name in _BEST_OF])

    specs = [ModelSpec(name, make, ("objects",)) for name, make in makers.items()]
    specs.append(ModelSpec("ensemble", _maker("ensemble"), ("objects",)))
    specs.append(ModelSpec("mlp", _maker("mlp", **options.get("mlp", {})), ("objects",), ("regression",)))
    return [*specs, ModelSpec("clusterwise-best", best, ("objects",), label="clusterwise-best")]


def _network_specs(features: str | None, options: Mapping[str, dict]) -> list[ModelSpec]:
    gcn, authors, both = options.get("gcn", {}), options.get("gcn-authors", {}), ("objects", "features")
    specs = [
        ModelSpec("gcn-obj", _maker("gcn", **gcn), ("objects",)),
        ModelSpec("gcn-feats", _maker("gcn", inputs="features", **gcn), ("features",)),
        ModelSpec("gcn-both", _maker("gcn", inputs="objects,features", **gcn), both),
        ModelSpec("gcn-both-random", _maker("gcn", inputs="objects,features", edges="random", **gcn), both),
        ModelSpec("gcn-both-knn", _maker("gcn", inputs="objects,features", edges="knn:8", **gcn), both),
        # not among all: exactly the authors' network takes many times as long
        ModelSpec("gcn-authors-obj", _maker("gcn-authors", **authors), ("objects",)),
        ModelSpec("gcn-authors-feats", _maker("gcn-authors", inputs="features", **authors), ("features",)),
        ModelSpec("gcn-authors-both", _maker("gcn-authors", inputs="objects,features", **authors), both),
    ]
    attention = {"inputs": "objects,features" if features else "objects"} | options.get("attention", {})
    return specs + [ModelSpec(name, _maker(name, **attention), ("objects",)) for name in ("attention", "stacked")]


def _maker(kind: str, **parameters) -> Callable[[], Model]:
    """Make a model when it is called: a table of names must not load torch."""
    return lambda: make_model(kind, **parameters)


def _kriged(make: Callable[[], Model]) -> Callable[[], Model]:
    def kriged() -> Model:
        from geolive.models.residual_kriging import ResidualKriging

        return ResidualKriging(make())

    return kriged
