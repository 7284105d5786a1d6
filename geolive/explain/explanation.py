"""What a model looks at: `explain` asks each kind of bundle in the way that it can answer.

Forests: permutation importance, partial dependence and a small tree. Networks of photos: permutation importance, and what a
place's prediction loses without a photo or a class. Image-wise models: what each photo adds, and Grad-CAM in the gallery.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import geopandas as gpd
import numpy as np
import pandas as pd
from sklearn.base import clone

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.explain.dependence import SmallTree, partial_dependence, small_tree
from geolive.explain.importance import (
    MOST_GROUPS,
    Agreement,
    agreement_with_truth,
    correlated_groups,
    growth,
    importance_table,
)
from geolive.explain.inputs import Group, Inputs, LeftOut, Numbers, PhotoColumns, input_names, left_out_models
from geolive.explain.occlusion import Weights, spread_over, weights_in_means, weights_of
from geolive.models.clusterwise import ClusterwiseModel
from geolive.models.interface import Model
from geolive.models.trained_model import TrainedModel
from geolive.places import Places
from geolive.tables import N_CLASSES, vistas_classes

SHOWN = 6
REPEATS, REPEATS_OF_NETWORKS = 5, 2
# image features are left out in so many groups, the most important ones
MOST_FEATURE_GROUPS = 10
Tell = Callable[[str], None] | None


@dataclass(frozen=True)
class Explanation:
    """What a model looks at; what a kind of model has no answer to is None or empty.

    Parameters
    ----------
    importance : DataFrame, optional
        A row a group of inputs, the most important first: `group`, `columns` (tuple of numbers), `value`, `lower`, `upper`: by
        how much the mean squared error out of fold grows when the group is exchanged among the places of a fold, as a
        share of the values' variance, with a 95 % interval by bootstrap over whole units.
    truth : Agreement, optional
        On a simulated sample and for object counts, how far importance goes with the truth.
    dependence : dict of str to array, shape (m, 2)
        For the most important inputs of a forest, amounts and the mean prediction over all places that would have them.
    tree : SmallTree, optional
        Fitted to a forest's predictions.
    weights : Weights, optional
        What weighs in the predictions of single places, of a model that looks at photos one by one.
    notes : list of str
        What was left out or differs from training, in sentences.
    """

    importance: pd.DataFrame | None = None
    truth: Agreement | None = None
    dependence: dict[str, np.ndarray] = field(default_factory=dict)
    tree: SmallTree | None = None
    weights: Weights | None = None
    notes: list[str] = field(default_factory=list)


def explain(
    dataset: Dataset, trained: TrainedModel, seed: int = 0, *, files=None, device: str = "auto", progress: Tell = None
) -> Explanation:
    """Explain a trained model by the places that it was trained on.

    Parameters
    ----------
    dataset : Dataset
        That it was trained on.
    trained : TrainedModel
    seed : int
        Of what is exchanged and of the intervals.
    files : PhotoFiles, optional
        The dataset's photos, where the model is image-wise; by default those that the dataset names.
    device : str
        auto, cpu, cuda or, for image-wise models, mps.
    progress : callable, optional
        Told in words what is under way.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        The model is of a kind that is not explained, or the dataset lacks clusters, features or photos that it was trained on.

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.models.training import train
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10)
    >>> found = explain(dataset, train(dataset, Forest(n_estimators=5), "pov"))
    >>> found.importance.columns.tolist(), len(found.dependence)
    (['group', 'columns', 'value', 'lower', 'upper'], 6)
    """
    kind = kind_of(trained)
    if kind == "imagewise":
        return _explain_imagewise(dataset, trained, files, device, progress)
    survey = _survey(dataset, trained)
    if kind == "forest":
        return _explain_forest(dataset, trained, survey, np.random.default_rng(seed), progress)
    make = partial(_unfitted_network, trained.model, device=device)
    return _explain_network(dataset, trained, survey, make, np.random.default_rng(seed), progress)


def kind_of(trained: TrainedModel) -> str:
    """In which way a model is explained: "forest", "network" or "imagewise".

    Raises
    ------
    InputError
        In none: it looks at no images.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from geolive.models.clusterwise import Forest
    >>> kind_of(SimpleNamespace(model=Forest()))
    'forest'
    """
    model = trained.model
    if isinstance(model, ClusterwiseModel):
        return "forest"
    if hasattr(model, "predict_photos"):
        return "imagewise"
    if hasattr(model, "arch") and hasattr(model, "column"):
        return "network"
    raise InputError(
        f"{trained.card.model}: looks at no images, so there is nothing to explain; give a bundle of train "
        "clusterwise, gcn or imagewise"
    )


@dataclass(frozen=True)
class _Survey:
    """The places that a model was trained on, in the order of its residuals, and the images they have by row."""

    places: Places
    images: np.ndarray
    values: np.ndarray
    folds: np.ndarray
    units: np.ndarray


def _survey(dataset: Dataset, trained: TrainedModel) -> _Survey:
    clusters, features = _clusters(dataset, trained), trained.card.features
    if features is not None and features not in dataset.features:
        raise InputError(
            f"{dataset.name}: lacks the image features {features!r} that the bundle was trained on; add them with embed or "
            "ingest features"
        )
    places = dataset.cluster_places(clusters, features)
    columns = (trained.residuals[name].to_numpy() for name in ("value", "fold", "district_id"))
    return _Survey(places, places.image_rows, *columns)


def _clusters(dataset: Dataset, trained: TrainedModel) -> gpd.GeoDataFrame:
    residuals = trained.residuals
    missing = ~residuals["unique_cluster"].isin(dataset.clusters["unique_cluster"])
    if missing.any():
        raise InputError(
            f"{dataset.name}: lacks {int(missing.sum())} of the {len(residuals)} clusters that the bundle was trained on, "
            f"for example {residuals['unique_cluster'][missing].iloc[0]!r}; name the dataset it was trained on"
        )
    return dataset.clusters.set_index("unique_cluster").loc[residuals["unique_cluster"]].reset_index()


def _explain_forest(
    dataset, trained: TrainedModel, survey: _Survey, rng: np.random.Generator, tell: Tell
) -> Explanation:
    model, places = trained.model, survey.places
    inputs = Numbers(model.table(places), input_names(model.vertices, places))
    fits = left_out_models(partial(clone, model), places, survey.values, survey.folds, tell)
    table, alone = _importance(inputs, fits, survey, REPEATS, model.vertices == "obj", rng, tell)
    ranked = sorted(alone, key=lambda column: -alone[column])[:SHOWN]
    predicted = model.predict_table(inputs.table)
    return Explanation(
        table,
        _truth(dataset, trained, alone),
        {inputs.names[column]: partial_dependence(model, inputs.table, column) for column in ranked},
        small_tree(predicted, inputs.table, survey.folds, inputs.names),
        notes=_notes(inputs, model),
    )


def _explain_network(
    dataset, trained: TrainedModel, survey: _Survey, make: Callable[[], Model], rng: np.random.Generator, tell: Tell
) -> Explanation:
    model, places = trained.model, survey.places
    inputs = PhotoColumns(places, model.vertices)
    fits = left_out_models(make, places, survey.values, survey.folds, tell)
    table, alone = _importance(inputs, fits, survey, REPEATS_OF_NETWORKS, model.vertices == "obj", rng, tell)
    keys, names = dataset.images["key"].to_numpy(object)[survey.images], [*vistas_classes()["name"], "Void"]
    weights = weights_of(fits, places, keys, model.vertices, _feature_groups(table, inputs.n_features), names, tell)
    notes = _notes(inputs, model)
    if weights.places > weights.photos["unique_cluster"].nunique():
        looked = weights.photos["unique_cluster"].nunique()
        notes.append(
            f"Photos and classes were left out at {looked} of the {weights.places} places, evenly spread over the predictions."
        )
    if trained.card.learnt_with:
        notes.append(
            "The bundle learnt several indicators at once; the networks that leave out a fold learn this one alone."
        )
    if trained.model.params.get("search"):
        notes.append(
            "Learning rate and width were not searched again in each fold: they are those found with all places."
        )
    return Explanation(table, _truth(dataset, trained, alone), weights=weights, notes=notes)


def _explain_imagewise(dataset: Dataset, trained: TrainedModel, files, device: str, tell: Tell) -> Explanation:
    from geolive.models.imagewise.model import FEATURES
    from geolive.vision.devices import choose_device
    from geolive.vision.images import photo_files

    files = files or photo_files(dataset)
    residuals, clusters = trained.residuals, _clusters(dataset, trained)
    apart = residuals["prediction"].notna().to_numpy()
    judged = np.flatnonzero(apart) if apart.any() else np.arange(len(residuals))
    # what other networks said where there is nothing better tells how the predictions spread
    about = residuals["prediction" if apart.any() else "value"].to_numpy()[judged]
    chosen = clusters.iloc[judged[spread_over(about)]]
    has_photo = np.array([path is not None for path in files.paths])
    of_these = dataset.images["unique_cluster"].isin(chosen["unique_cluster"]).to_numpy()
    seen = trained.model.predict_photos(
        dataset, files, np.flatnonzero(has_photo & of_these), choose_device(device), progress=tell
    )
    places = seen.cluster_places(chosen, FEATURES)
    places = places.take(np.flatnonzero(places.n_images))
    part = residuals.set_index("unique_cluster").get("part", pd.Series(dtype=object)).reindex(places.ids).to_numpy()
    keys = dataset.images["key"].to_numpy(object)[places.image_rows]
    weights = weights_in_means(places, keys, part, len(residuals))
    return Explanation(weights=weights, notes=_notes_of_imagewise(trained, len(places)))


def _unfitted_network(model: Model, **options) -> Model:
    """A network of the same kind and settings that has learnt nothing; options are further parameters of that kind."""
    settings = {name: value for name, value in model.params.items() if name not in ("indicators", "column")}
    if "search" in settings:
        settings["search"] = False
    return type(model)(model.task, model.seed, **settings, **options)


def _importance(
    inputs: Inputs, fits: list[LeftOut], survey: _Survey, repeats: int, all_alone: bool, rng, tell: Tell
) -> tuple[pd.DataFrame, dict[int, float]]:
    """Of groups, and of single columns: all of them, or those of the most important groups."""
    groups = correlated_groups(inputs.table)
    if not groups:
        raise InputError("all places look the same to the model, so nothing it looks at can matter")
    grown = growth(fits, inputs, survey.values, groups, repeats, rng, tell)
    table = importance_table(grown, groups, inputs.names, survey.units, rng)
    of_group = dict(zip(groups, grown.mean(axis=1), strict=True))
    wanted = groups if all_alone else table["columns"][:SHOWN]
    columns = [(column,) for group in wanted for column in group]
    left = [column for column in columns if column not in of_group]
    if left:
        of_group |= dict(
            zip(left, growth(fits, inputs, survey.values, left, repeats, rng, tell).mean(axis=1), strict=True)
        )
    return table, {column: float(of_group[column,]) for (column,) in columns}


def _truth(dataset: Dataset, trained: TrainedModel, alone: dict[int, float]) -> Agreement | None:
    if trained.model.vertices != "obj":
        return None
    return agreement_with_truth(dataset, trained, np.array([alone.get(column, 0.0) for column in range(N_CLASSES)]))


def _feature_groups(table: pd.DataFrame, n_features: int) -> dict[str, Group]:
    """The most important groups of image features, by name; classes of objects are left out one by one."""
    found = {}
    for row in table.itertuples():
        features = tuple(column for column in row.columns if column < n_features)
        if features and len(found) < MOST_FEATURE_GROUPS:
            found[row.group] = features
    return found


def _notes(inputs: Inputs, model: Model) -> list[str]:
    notes = []
    if model.vertices != "obj":
        notes.append(
            "Image features are named by their set and column, counted from 0; what a column stands for, nobody can say."
        )
    if len(correlated_groups(inputs.table, len(inputs.names))) > MOST_GROUPS:
        notes.append(
            f"Inputs are in {MOST_GROUPS} groups: the most alike were joined, even where their correlation is below 0.7."
        )
    return notes


def _notes_of_imagewise(trained: TrainedModel, looked: int) -> list[str]:
    residuals = trained.residuals
    notes = [f"Photos of {looked} of the {len(residuals)} places were looked at."] if looked < len(residuals) else []
    part = residuals.get("part")
    if part is not None and (part == "test").any():
        return [*notes, "These are places of the test part: the network has not seen them."]
    return [*notes, "The network was trained on all places: what it says of a photo here is not out of fold."]
