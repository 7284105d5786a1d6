"""The rows of the results tables: which models are compared, what each needs, and what a name on the command line means."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.models.interface import Model
from geolive.models.registry import BASELINES, find_kind, make_model

TASKS = ("regression", "classification")
# what is done to a model besides fitting it, by the ending of its name
VARIANTS = ("kriged", "pooled-50", "pooled-100", "own-country")
_NEEDS = {
    "images": "images (ingest photos, fetch images, or ingest paper)",
    "photos": "photos (ingest photos, fetch images, or sample --with-images)",
    "objects": "object counts (detect, or fetch images --objects)",
    "features": "image features (embed, or ingest features)",
    "years": "surveys of two years or more (ingest survey --year)",
    "countries": "clusters of two countries or more",
}
_BEST_OF = ("knn", "forest", "forest-300", "boosting", "boosting-6")


@dataclass(frozen=True)
class ModelSpec:
    """A row of a results table.

    Parameters
    ----------
    name : str
        On the command line.
    makers : tuple of callable
        Of unfitted models, called with `task` and `random_state`; of several, one is chosen within the training part. None for
        the previous survey, which is no model.
    needs : tuple of str
        Of "images", "photos", "objects", "features", "years", "countries".
    tasks : tuple of str
        For which tasks it is.
    variant : str
        "" or one of `VARIANTS`.
    """

    name: str
    makers: tuple[Callable[..., Model], ...] = ()
    needs: tuple[str, ...] = ()
    tasks: tuple[str, ...] = TASKS
    variant: str = ""

    def missing(self, dataset: Dataset, features: str | None) -> str:
        """What of the row's inputs the dataset lacks, in words; "" where nothing.

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
            "years": "year" in clusters.columns and clusters["year"].nunique() > 1,
            "countries": clusters["country"].nunique() > 1,
        }
        lacking = [_NEEDS[need] for need in self.needs if not has[need]]
        return f"needs {' and '.join(lacking)}" if lacking else ""


def find_specs(
    names: str, neighbours: int = 10, features: str | None = None, options: dict[str, dict] | None = None
) -> list[ModelSpec]:
    """The rows that a command line names.

    Parameters
    ----------
    names : str
        "all", "baselines", or names joined by commas; "forest+kriged" is the forest with its residuals kriged,
        "forest+pooled-50" the forest fitted to half of each country's training clusters, "forest+own-country" one forest a
        country.
    neighbours : int
        How many clusters the average of neighbours takes.
    features : str, optional
        The feature set there is; the better network looks at it, too, where there is one.
    options : dict of str to dict, optional
        Further parameters by the kind of model: "gcn", "attention", "imagewise-trained" (which cannot do without).

    Raises
    ------
    InputError
        There is no such row.

    Examples
    --------
    >>> [row.name for row in find_specs("baselines,forest+kriged")][-2:]
    ['kriging', 'forest+kriged']
    >>> find_specs("neighbors")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no model 'neighbors'; did you mean 'neighbours'? There are: all, baselines, random, ...
    """
    known = _known_specs(neighbours, features, options or {})
    found: dict[str, ModelSpec] = {}
    for name in (part.strip() for part in names.split(",")):
        several = {"all": _all_names(), "baselines": BASELINES}.get(name, (name,))
        for one in several:
            found[one] = _find_spec(one, known)
    return list(found.values())


def _find_spec(name: str, known: dict[str, ModelSpec]) -> ModelSpec:
    base, plus, variant = name.partition("+")
    if base not in known:
        there = ["all", "baselines", *known]
        near = difflib.get_close_matches(base, there, n=1)
        hint = f"did you mean {near[0]!r}? There are:" if near else "there are:"
        raise InputError(f"no model {base!r}; {hint} {', '.join(there)}")
    row = known[base]
    if not plus:
        return row
    if variant not in VARIANTS or not row.makers:
        raise InputError(f"no model {name!r}; a model's name may end in {', '.join(f'+{v}' for v in VARIANTS)}")
    if variant == "kriged":
        return replace(row, name=name, makers=tuple(partial(_kriged, make) for make in row.makers))
    return replace(row, name=name, variant=variant, needs=(*row.needs, "countries"))


def _all_names() -> tuple[str, ...]:
    graphs = ("gcn-obj", "gcn-feats", "gcn-both", "gcn-both-random", "gcn-both-knn", "attention", "stacked")
    pooled = ("forest+own-country", "forest+pooled-50", "forest+pooled-100")
    kriged = ("forest+kriged", "gcn-obj+kriged", "gcn-both+kriged", "stacked+kriged")
    clusterwise = (*_BEST_OF, "mlp", "clusterwise-best")
    return (*BASELINES, "neighbours-images", "previous-survey", "imagewise", *clusterwise, *graphs, *kriged, *pooled)


def _known_specs(neighbours: int, features: str | None, options: dict[str, dict]) -> dict[str, ModelSpec]:
    settings = {"neighbours": {"n_neighbors": neighbours}}
    rows = {name: ModelSpec(name, (_maker(name, **settings.get(name, {})),)) for name in BASELINES}
    rows["neighbours-images"] = ModelSpec("neighbours-images", (_maker("neighbours-images"),), ("images", "objects"))
    rows["previous-survey"] = ModelSpec("previous-survey", (), ("years",))
    rows["imagewise"] = ModelSpec("imagewise", (_maker("imagewise-linear"),), ("features",))
    # not among all: a network in every fold takes hours
    trained = options.get("imagewise-trained", {})
    rows["imagewise-trained"] = ModelSpec("imagewise-trained", (_maker("imagewise-trained", **trained),), ("photos",))
    clusterwise = {
        "knn": _maker("knn"),
        "forest": _maker("forest", n_estimators=100),
        "forest-300": _maker("forest", n_estimators=300),
        "boosting": _maker("boosting", max_depth=3),
        "boosting-6": _maker("boosting", max_depth=6),
    }
    rows |= {name: ModelSpec(name, (make,), ("objects",)) for name, make in clusterwise.items()}
    rows["mlp"] = ModelSpec("mlp", (_maker("mlp"),), ("objects",), ("regression",))
    rows["clusterwise-best"] = ModelSpec(
        "clusterwise-best", tuple(clusterwise[name] for name in _BEST_OF), ("objects",)
    )
    gcn = options.get("gcn", {})
    for name, needs, chosen in (
        ("gcn-obj", ("objects",), {}),
        ("gcn-feats", ("features",), {"vertices": "feats"}),
        ("gcn-both", ("objects", "features"), {"vertices": "both"}),
        ("gcn-both-random", ("objects", "features"), {"vertices": "both", "edges": "random"}),
        ("gcn-both-knn", ("objects", "features"), {"vertices": "both", "edges": "knn:8"}),
    ):
        rows[name] = ModelSpec(name, (_maker("gcn", **chosen, **gcn),), needs)
    better = {"vertices": "both" if features else "obj"} | options.get("attention", {})
    rows |= {name: ModelSpec(name, (_maker(name, **better),), ("objects",)) for name in ("attention", "stacked")}
    return rows


def _maker(name: str, **options) -> Callable[..., Model]:
    """A maker that imports its model when it is called: a table of names must not load torch."""

    def make(task: str, random_state: int) -> Model:
        kind = find_kind(name).load_class()
        if not hasattr(kind, "for_task"):  # networks do not derive from Model yet
            return kind(task=task, seed=random_state, **options)
        return make_model(name, **options).for_task(task, random_state)

    return make


def _kriged(make: Callable[..., Model], task: str, random_state: int) -> Model:
    from geolive.models.residual_kriging import ResidualKriging

    return ResidualKriging(make(task=task, random_state=random_state), random_state=random_state)
