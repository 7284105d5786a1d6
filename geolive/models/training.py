"""Training: a model fitted to all surveyed clusters, with out-of-fold predictions that tell how good it is."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np

import geolive
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.files import today
from geolive.metrics import scores, training_means
from geolive.models.aoa_features import COLUMN, predictors
from geolive.models.cross_validation import NEAR, out_of_fold
from geolive.models.interface import MakeModel, Model, check_seen
from geolive.models.trained_model import FoldFacts, ModelCard, TrainedModel, check_residuals, figure_of
from geolive.places import Places
from geolive.splits import BlockSplit, DistrictSplit, RandomSplit, fold_numbers, place_numbers, positions_of

FOLDS = 10
BLOCK_KM = 100.0


def train(
    dataset: Dataset,
    make_model: MakeModel,
    indicator: str,
    *,
    seed: int = 0,
    needs_images: bool = True,
    features: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> TrainedModel:
    """Fit a model to a dataset's surveyed clusters, and predict each cluster by models that saw nothing of its district.

    Parameters
    ----------
    dataset : Dataset
    make_model : callable
        Makes an unfitted model.
    indicator : str
    seed : int
        For the folds and the intervals of the metrics.
    needs_images : bool
        Whether clusters without images are left out.
    features : str, optional
        The feature set that the model looks at, where it looks at one; clusters none of whose images has any are left out.
    progress : callable, optional
        Told in words what is under way.

    Returns
    -------
    TrainedModel
        Folds keep whole districts together; where clusters have no district, blocks of 100 km.

    Raises
    ------
    InputError
        No such indicator, no labelled cluster with images, or too few clusters or districts for the folds.

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10)
    >>> trained = train(dataset, lambda: Forest(trees=5), "pov")
    >>> len(trained.residuals), trained.card.folds.kind
    (60, 'districts')
    """
    model = make_model()
    if needs_images:
        check_seen(dataset, model, features)
    clusters, places, n_dropped = _training_clusters(dataset, indicator, needs_images, features)
    column = indicator if model.task == "regression" else f"{indicator}_label"
    values = clusters[column].to_numpy(float)
    if model.task == "classification":
        _check_classes(dataset, values[:, None], [column])
    folds, unit, kind = _folds(dataset, clusters, seed)
    predictions = out_of_fold(_telling(make_model, folds, progress), places, values, folds)
    residuals = _residuals(clusters, values, predictions, folds, unit).assign(**_seen(model, places, needs_images))
    alone = _single_places(clusters, seed)
    if alone is not None:
        # how errors are among surveyed places, where most sites of a map lie
        near = out_of_fold(_telling(make_model, alone, progress, "single places, fold"), places, values, alone)
        residuals[NEAR] = near
    if progress:
        progress(f"fitting {model.name} to {len(places)} clusters")
    model.fit(places, values)
    card = _card(dataset, model, indicator, needs_images, features, residuals, n_dropped, kind, seed)
    return TrainedModel(model, check_residuals(residuals), card)


def train_together(
    dataset: Dataset,
    make_model: MakeModel,
    indicators: Sequence[str],
    *,
    seed: int = 0,
    features: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[str, TrainedModel]:
    """As `train`, with one model that learns several indicators at once, for example a network of photos.

    Parameters
    ----------
    make_model : callable
        Makes an unfitted model that takes values of shape (n, m), NaN where a cluster has none; its `column(i)` is a model of
        the i-th.
    indicators : sequence of str
        Clusters with a value of any of them are learnt from; the other parameters are as for `train`.

    Returns
    -------
    dict of str to TrainedModel
        One for each indicator, with the clusters that have a value of it.

    Raises
    ------
    InputError
        As for `train`.

    Examples
    --------
    >>> from geolive.models.attention import MeanPooling
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10)
    >>> list(train_together(dataset, lambda: MeanPooling(epochs=1), ["pov", "bmi"]))
    ['pov', 'bmi']
    """
    model = make_model()
    check_seen(dataset, model, features)
    for indicator in indicators:
        dataset.labelled(indicator)
    columns = [name if model.task == "regression" else f"{name}_label" for name in indicators]
    # whoever has a value of any of them
    either = dataset.clusters[list(indicators)].bfill(axis=1).iloc[:, 0]
    anywhere = replace(dataset, clusters=dataset.clusters.assign(**{indicators[0]: either}))
    clusters, places, n_dropped = _training_clusters(anywhere, indicators[0], True, features)
    clusters = dataset.clusters.set_index("unique_cluster").loc[clusters["unique_cluster"]].reset_index()
    values = clusters[columns].to_numpy(float)
    if model.task == "classification":
        _check_classes(dataset, values, columns)
    folds, unit, kind = _folds(dataset, clusters, seed)
    predictions = out_of_fold(_telling(make_model, folds, progress), places, values, folds)
    if progress:
        progress(f"fitting {model.name} to {len(places)} clusters")
    model.fit(places, values)
    trained = {}
    for number, indicator in enumerate(indicators):
        known = np.isfinite(values[:, number])
        rows, own = clusters[known], (values[known, number], predictions[known, number], folds[known], unit[known])
        residuals, one = _residuals(rows, *own), model.column(number)
        residuals = residuals.assign(**_seen(model, places.take(np.flatnonzero(known)), True))
        card = _card(dataset, one, indicator, True, features, residuals, n_dropped, kind, seed)
        others = tuple(name for name in indicators if name != indicator)
        trained[indicator] = TrainedModel(one, check_residuals(residuals), replace(card, learnt_with=others))
    return trained


def _card(dataset, model, indicator, needs_images, features, residuals, n_dropped, kind, seed) -> ModelCard:
    values, predictions, reference = (residuals[name].to_numpy() for name in ("value", "prediction", "reference"))
    unit = residuals["district_id"].to_numpy(object)
    table = scores(model.task, values, predictions, reference, unit, seed=seed)
    return ModelCard(
        model=model.name,
        params=model.params,
        indicator=indicator,
        task=model.task,
        needs_images=needs_images,
        features=features,
        trained_on=dataset.name if dataset.path is None else dataset.source,
        training_checksum=dataset.checksum,
        simulated=dataset.simulated,
        label_threshold=dataset.thresholds.get(indicator),
        clusters=len(residuals),
        clusters_without_images=n_dropped,
        folds=FoldFacts(kind, int(residuals["fold"].max()) + 1, len(np.unique(unit)), seed),
        metrics={row.metric: figure_of(row.value, row.lower, row.upper) for row in table.itertuples()},
        made=today().isoformat(),
        geolive=geolive.__version__,
    )


def _training_clusters(
    dataset: Dataset, indicator: str, needs_images: bool, features: str | None
) -> tuple[gpd.GeoDataFrame, Places, int]:
    """The clusters to learn from, what is seen of them, and how many were left out since they have no images."""
    labelled = dataset.labelled(indicator)
    places = dataset.cluster_places(labelled, features)
    if not needs_images:
        return labelled.reset_index(drop=True), places, 0
    seen = places.n_images > 0
    if not seen.any():
        what = "an image" if features is None else f"an image with features {features!r}"
        raise InputError(
            f"{dataset.name}: none of the {len(labelled)} clusters with {indicator!r} has {what}; add images"
        )
    return labelled[seen].reset_index(drop=True), places.take(np.flatnonzero(seen)), int((~seen).sum())


def _folds(dataset: Dataset, clusters: gpd.GeoDataFrame, seed: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Fold and unit of each cluster, and the units' kind: whole districts where they are known, else blocks."""
    by_district = clusters["district_id"].notna().all()
    blocks = BlockSplit(km=BLOCK_KM, n_splits=FOLDS, random_state=seed)
    splitter = DistrictSplit(n_splits=FOLDS, random_state=seed) if by_district else blocks
    kind = "districts" if by_district else f"blocks of {BLOCK_KM:g} km"
    unit = splitter.units(clusters)
    n_units = len(np.unique(unit))
    if n_units < 2:
        raise InputError(
            f"{dataset.name}: all {len(clusters)} clusters lie in one of the {kind}, and folds need two; name the column of "
            "smaller units when the survey is read (ingest survey --group COLUMN)"
        )
    folds = fold_numbers(replace(splitter, n_splits=min(FOLDS, n_units)), clusters)
    return folds, clusters["district_id"].to_numpy(object) if by_district else unit.astype(str).astype(object), kind


def _single_places(clusters: gpd.GeoDataFrame, seed: int) -> np.ndarray | None:
    """Folds of single places, whatever their district; None where there are too few."""
    n_places = len(np.unique(place_numbers(positions_of(clusters))))
    return None if n_places < FOLDS else fold_numbers(RandomSplit(n_splits=FOLDS, random_state=seed), clusters)


def _check_classes(dataset: Dataset, labels: np.ndarray, columns: Sequence[str]) -> None:
    for column, values in zip(columns, labels.T, strict=True):
        if len(np.unique(values[np.isfinite(values)])) < 2:
            raise InputError(f"{dataset.name}: column {column!r} has one class only; there is nothing to tell apart")


def _telling(
    make_model: MakeModel, folds: np.ndarray, progress: Callable[[str], None] | None, what: str = "fold"
) -> MakeModel:
    """`make_model`, telling which fold it is for."""
    number = itertools.count(1)

    def make() -> Model:
        if progress:
            progress(f"leaving out {what} {next(number)} of {folds.max() + 1}")
        return make_model()

    return make


def _residuals(clusters, values, predictions, folds, unit) -> gpd.GeoDataFrame:
    columns = {
        "unique_cluster": clusters["unique_cluster"].to_numpy(object),
        "value": values,
        "prediction": predictions,
        "reference": training_means(values, folds),
        "fold": folds,
        "district_id": unit,
    }
    return gpd.GeoDataFrame(columns, geometry=clusters.geometry.to_numpy(), crs=clusters.crs)


def _seen(model: Model, places: Places, needs_images: bool) -> dict:
    """What was seen of training places, so that a bundle knows where it may be applied."""
    seen = {COLUMN: list(predictors(model, places, needs_images))}
    # errors of a model of positions do not go with images
    return seen | ({"n_images": places.n_images} if needs_images else {})
