"""Explanations of trained models: which inputs matter, how predictions follow them, and which photos weigh most.

Each kind of model is explained in its own way. Cluster-wise models get permutation importance, partial dependence and a small
tree. Networks of photos get permutation importance, and the change of a place's prediction without a photo or a class.
Image-wise models get the contribution of each photo, and Grad-CAM in the gallery.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

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
from geolive.explain.inputs import Group, Inputs, Numbers, PhotoColumns, input_names
from geolive.explain.occlusion import Weights, spread_over, weights_in_means, weights_of
from geolive.extras import require_extra
from geolive.model_inputs import parse_inputs
from geolive.models.clusterwise import ClusterwiseModel
from geolive.models.cross_validation import FittedFold, fit_folds
from geolive.models.interface import Model
from geolive.models.trained_model import TrainedModel
from geolive.places import Places
from geolive.tables import N_CLASSES, vistas_classes

if TYPE_CHECKING:
    from geolive.explain.gallery import Gallery
    from geolive.vision.images import PhotoFiles

SHOWN = 6
REPEATS, REPEATS_OF_NETWORKS = 5, 2
# largest number of groups of image features that are left out, the most important ones
MOST_FEATURE_GROUPS = 10
Progress = Callable[[str], None] | None


@dataclass(frozen=True)
class Explanation:
    """Explanation of a trained model; parts that its kind of model does not have are None or empty.

    Parameters
    ----------
    dataset : Dataset
        The dataset that the model was trained on.
    trained : TrainedModel
    importance : DataFrame, optional
        One group of inputs a row, the most important first: `group`, `columns` (tuple of numbers), `value`, `lower`,
        `upper`. The value is the growth of the mean squared error at left-out places when the group is exchanged among
        the places of a fold, divided by the variance of the values, with a 95 % interval by bootstrap over whole units.
    truth : Agreement, optional
        Agreement of importance with the truth, on a simulated sample and for object counts.
    dependence : dict of str to array, shape (m, 2)
        For the most important inputs of a cluster-wise model, amounts and the mean prediction if all places had that amount.
    tree : SmallTree, optional
        A small tree fitted to the predictions of a cluster-wise model.
    weights : Weights, optional
        For a model of single photos: what changes the predictions of single places.
    gallery : Gallery, optional
        Photos to show; None without a gallery.
    notes : list of str
        Sentences on what was left out or differs from training.
    """

    dataset: Dataset
    trained: TrainedModel
    importance: pd.DataFrame | None = None
    truth: Agreement | None = None
    dependence: dict[str, np.ndarray] = field(default_factory=dict)
    tree: SmallTree | None = None
    weights: Weights | None = None
    gallery: "Gallery | None" = None
    notes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Explanation of {self.trained.card.model}: {self.trained.card.indicator}>"

    def write_report(self, folder: str | Path) -> list[str]:
        """Write `explain.html` and its tables to a new folder, see `geolive.explain.page.write_page`."""
        from geolive.explain.page import write_page

        return write_page(self, folder)


def explain(
    dataset: Dataset,
    trained: TrainedModel,
    *,
    gallery: bool = False,
    photos: str | Path | None = None,
    device: str = "auto",
    random_state: int = 0,
    progress: Progress = None,
) -> Explanation:
    """Explain a trained model by the places that it was trained on.

    Parameters
    ----------
    dataset : Dataset
        The dataset that the model was trained on.
    trained : TrainedModel
    gallery : bool
        Whether to show the photos that weigh most, which may show people; for image-wise models with Grad-CAM.
    photos : str or Path, optional
        The folder that `img_path` starts from; by default the dataset's own.
    device : str
        auto, cpu, cuda or, for image-wise models, mps.
    random_state : int
        Seed of the exchanges and of the intervals.
    progress : callable, optional
        Called with sentences about the progress.

    Returns
    -------
    Explanation

    Raises
    ------
    InputError
        Models of this kind are not explained, or the dataset lacks clusters, features or photos that the model was trained on.

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.models.training import train
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10)
    >>> explanation = explain(dataset, train(dataset, Forest(n_estimators=5), "pov"))
    >>> explanation.importance.columns.tolist(), len(explanation.dependence)
    (['group', 'columns', 'value', 'lower', 'upper'], 6)
    """
    kind = kind_of(trained.model)
    rng = np.random.default_rng(random_state)
    files = _photo_files(dataset, trained, kind, gallery, photos) if gallery or kind == "imagewise" else None
    if kind == "imagewise" and files is not None:
        explanation = _explain_imagewise(dataset, trained, files, device, progress)
    elif kind == "clusterwise":
        explanation = _explain_clusterwise(dataset, trained, rng, progress)
    else:
        explanation = _explain_photos(dataset, trained, device, rng, progress)
    if files is not None and gallery and explanation.weights is not None:
        from geolive.explain.gallery import draw_gallery

        if progress:
            progress("drawing the gallery")
        return replace(explanation, gallery=draw_gallery(dataset, trained, explanation.weights, files))
    return explanation


def _photo_files(
    dataset: Dataset, trained: TrainedModel, kind: str, gallery: bool, photos: str | Path | None
) -> "PhotoFiles":
    """Find the photos that an explanation needs; raise where they are missing, before the long part begins."""
    if kind == "clusterwise":
        raise InputError(f"gallery=True: {trained.card.model} does not use single photos; leave gallery out", "gallery")
    if kind == "imagewise" and gallery:
        require_extra("gradcam")
    from geolive.vision.images import photo_files

    files = photo_files(dataset, photos)
    if (
        gallery
        and photos is None
        and dataset.path is not None
        and not files.root.resolve().is_relative_to(dataset.path.resolve())
    ):
        raise InputError(
            f"{dataset.name}: its photos are in {files.root}, outside of its folder, and the gallery would publish some; if that "
            f"folder is right, give it with photos={str(files.root)!r}"
        )
    return files


def kind_of(model: Model) -> str:
    """Return how a model is explained: "clusterwise", "photos" (of a model that sees the photos of a place) or "imagewise".

    Raises
    ------
    InputError
        Models of this kind are not explained.

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> kind_of(Forest())
    'clusterwise'
    """
    if isinstance(model, ClusterwiseModel):
        return "clusterwise"
    if hasattr(model, "predict_photos"):
        return "imagewise"
    if hasattr(model, "as_unfitted"):
        return "photos"
    raise InputError(
        f"{model.name} is not explained; give a model of train clusterwise, gcn or imagewise, for example ridge on covariates"
    )


@dataclass(frozen=True)
class _Survey:
    """The places that a model was trained on, in the order of its residuals, and their images by row."""

    places: Places
    images: np.ndarray
    values: np.ndarray
    folds: np.ndarray
    units: np.ndarray


def _survey(dataset: Dataset, trained: TrainedModel) -> _Survey:
    clusters, features = _clusters(dataset, trained), trained.card.features
    if features is not None and features not in dataset.features:
        raise InputError(
            f"{dataset.name}: lacks the image features {features!r} that the model was trained on; add them with embed or "
            "ingest features"
        )
    places = dataset.cluster_places(clusters, features)
    columns = (trained.residuals[name].to_numpy() for name in ("value", "fold", "district_id"))
    assert places.image_rows is not None
    return _Survey(places, places.image_rows, *columns)


def _clusters(dataset: Dataset, trained: TrainedModel) -> gpd.GeoDataFrame:
    residuals = trained.residuals
    missing = ~residuals["unique_cluster"].isin(dataset.clusters["unique_cluster"])
    if missing.any():
        raise InputError(
            f"{dataset.name}: lacks {int(missing.sum())} of the {len(residuals)} clusters that the model was trained on, "
            f"for example {residuals['unique_cluster'][missing].iloc[0]!r}; name the dataset it was trained on"
        )
    return dataset.clusters.set_index("unique_cluster").loc[residuals["unique_cluster"]].reset_index()


def _explain_clusterwise(
    dataset: Dataset, trained: TrainedModel, rng: np.random.Generator, progress: Progress
) -> Explanation:
    survey, model = _survey(dataset, trained), trained.model
    assert isinstance(model, ClusterwiseModel)
    inputs = Numbers(model.table(survey.places), input_names(model.inputs or "objects", survey.places))
    folds = _fit_folds(clone(model), survey, progress)
    table, of_column = _importance(
        inputs, folds, survey, REPEATS, parse_inputs(model.inputs) == ("objects",), rng, progress
    )
    ranked = sorted(of_column, key=lambda column: -of_column[column])[:SHOWN]
    predicted = model.predict_table(inputs.table)
    return Explanation(
        dataset,
        trained,
        importance=table,
        truth=_truth(dataset, trained, of_column),
        dependence={inputs.names[column]: partial_dependence(model, inputs.table, column) for column in ranked},
        tree=small_tree(predicted, inputs.table, survey.folds, inputs.names),
        notes=_notes(inputs, model),
    )


def _explain_photos(
    dataset: Dataset, trained: TrainedModel, device: str, rng: np.random.Generator, progress: Progress
) -> Explanation:
    survey, model = _survey(dataset, trained), trained.model
    inputs = PhotoColumns(survey.places, model.inputs or "objects")
    unfitted: Model = model.as_unfitted()
    if "device" in unfitted.get_params(deep=False):
        unfitted.set_params(device=device)
    folds = _fit_folds(unfitted, survey, progress)
    table, of_column = _importance(
        inputs, folds, survey, REPEATS_OF_NETWORKS, parse_inputs(model.inputs) == ("objects",), rng, progress
    )
    keys, names = dataset.images["key"].to_numpy(object)[survey.images], [*vistas_classes()["name"], "Void"]
    groups = _feature_groups(table, inputs.n_features)
    weights = weights_of(folds, survey.places, keys, model.inputs or "objects", groups, names, progress)
    return Explanation(
        dataset,
        trained,
        importance=table,
        truth=_truth(dataset, trained, of_column),
        weights=weights,
        notes=[*_notes(inputs, model), *_notes_of_photos(trained, model, weights)],
    )


def _fit_folds(model: Model, survey: _Survey, progress: Progress) -> list[FittedFold]:
    return list(fit_folds(model, survey.places, survey.values, survey.folds, progress=progress))


def _explain_imagewise(
    dataset: Dataset, trained: TrainedModel, files: "PhotoFiles", device: str, progress: Progress
) -> Explanation:
    from geolive.models.imagewise.model import FEATURES, ImageWise
    from geolive.vision.devices import choose_device

    model, residuals, clusters = trained.model, trained.residuals, _clusters(dataset, trained)
    assert isinstance(model, ImageWise)
    has_prediction = residuals["prediction"].notna().to_numpy()
    judged = np.flatnonzero(has_prediction) if has_prediction.any() else np.arange(len(residuals))
    # where the model has no out-of-fold predictions, the places are spread over the measured values
    ranked_by = residuals["prediction" if has_prediction.any() else "value"].to_numpy()[judged]
    chosen = clusters.iloc[judged[spread_over(ranked_by)]]
    has_photo = np.array([path is not None for path in files.paths])
    of_chosen = dataset.images["unique_cluster"].isin(chosen["unique_cluster"]).to_numpy()
    rows = np.flatnonzero(has_photo & of_chosen)
    predicted = model.predict_photos(dataset, files, rows, choose_device(device), progress=progress)
    places = predicted.cluster_places(chosen, FEATURES)
    places = places.take(np.flatnonzero(places.n_images))
    part = residuals.set_index("unique_cluster").get("part", pd.Series(dtype=object)).reindex(places.ids).to_numpy()
    keys = dataset.images["key"].to_numpy(object)[places.image_rows]
    weights = weights_in_means(places, keys, part, len(residuals))
    return Explanation(dataset, trained, weights=weights, notes=_notes_of_imagewise(trained, len(places)))


def _importance(
    inputs: Inputs,
    folds: list[FittedFold],
    survey: _Survey,
    repeats: int,
    every_column: bool,
    rng: np.random.Generator,
    progress: Progress,
) -> tuple[pd.DataFrame, dict[int, float]]:
    """Compute the importance of groups, and of single columns: of every column, or of those in the most important groups."""
    groups = correlated_groups(inputs.table)
    if not groups:
        raise InputError("all places look the same to the model, so no input can matter; explain it with more clusters")
    grown = growth(folds, inputs, survey.values, groups, repeats, rng, progress)
    table = importance_table(grown, groups, inputs.names, survey.units, rng)
    of_group = dict(zip(groups, grown.mean(axis=1), strict=True))
    columns = [(column,) for group in (groups if every_column else table["columns"][:SHOWN]) for column in group]
    missing = [column for column in columns if column not in of_group]
    if missing:
        grown = growth(folds, inputs, survey.values, missing, repeats, rng, progress)
        of_group |= dict(zip(missing, grown.mean(axis=1), strict=True))
    return table, {column: float(of_group[column,]) for (column,) in columns}


def _truth(dataset: Dataset, trained: TrainedModel, of_column: dict[int, float]) -> Agreement | None:
    if parse_inputs(trained.model.inputs) != ("objects",):
        return None
    of_class = np.array([of_column.get(column, 0.0) for column in range(N_CLASSES)])
    return agreement_with_truth(dataset, trained, of_class)


def _feature_groups(table: pd.DataFrame, n_features: int) -> dict[str, Group]:
    """Find the most important groups of image features, by name; classes of objects are left out one by one."""
    groups: dict[str, Group] = {}
    for row in table.itertuples():
        features = tuple(column for column in row.columns if column < n_features)
        if features and len(groups) < MOST_FEATURE_GROUPS:
            groups[row.group] = features
    return groups


def _notes(inputs: Inputs, model: Model) -> list[str]:
    notes = []
    if model.uses("features"):
        notes.append(
            "Image features are named by their set and column, counted from 0; the meaning of a column is unknown."
        )
    if len(correlated_groups(inputs.table, len(inputs.names))) > MOST_GROUPS:
        notes.append(
            f"Inputs are in {MOST_GROUPS} groups: the most similar ones were joined, even where their correlation is below 0.7."
        )
    return notes


def _notes_of_photos(trained: TrainedModel, model: Model, weights: Weights) -> list[str]:
    notes = []
    n_shown = weights.photos["unique_cluster"].nunique()
    if weights.places > n_shown:
        notes.append(
            f"Photos and classes were left out at {n_shown} of the {weights.places} places, evenly spread over the predictions."
        )
    if trained.card.learnt_with:
        notes.append(
            "The model was trained on several indicators together; the models that leave out a fold are trained on "
            "this indicator only."
        )
    if model.params.get("search"):
        notes.append(
            "Learning rate and width were not searched again in each fold: they are those found with all places."
        )
    return notes


def _notes_of_imagewise(trained: TrainedModel, n_shown: int) -> list[str]:
    residuals = trained.residuals
    notes = []
    if n_shown < len(residuals):
        notes.append(f"The photos of {n_shown} of the {len(residuals)} places were predicted.")
    part = residuals.get("part")
    if part is not None and (part == "test").any():
        return [*notes, "These are places of the test part, which the network has not seen."]
    return [*notes, "The network was trained on all places: its predictions of photos here are not out of fold."]
