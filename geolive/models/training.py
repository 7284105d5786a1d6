"""Training: a model fitted to all surveyed clusters, with out-of-fold predictions that show how good it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import geopandas as gpd
import numpy as np
import pandas as pd
from sklearn.base import clone

import geolive
from geolive.dataset import Dataset, check_dataset
from geolive.errors import InputError
from geolive.files import today
from geolive.geodesy import unit_sphere
from geolive.metrics import scores, training_means
from geolive.models.aoa_features import aoa_features
from geolive.models.cross_validation import fit_model
from geolive.models.interface import Model, check_inputs, check_integer, check_model
from geolive.models.trained_model import FoldFacts, ModelCard, TrainedModel, check_residuals, figure_of
from geolive.models.training_clusters import TrainingClusters, training_clusters
from geolive.places import Places
from geolive.splits import BlockSplit, DistrictSplit, RandomSplit, fold_numbers, place_numbers, positions_of
from geolive.worker_processes import computed_ahead, is_worker_process

FOLDS = 10
BLOCK_KM = 100.0
Progress = Callable[[str], None] | None
# sites, and their predictions of each indicator
_OfSites = tuple[pd.DataFrame, np.ndarray]


def train(
    dataset: Dataset,
    model: Model,
    indicator: str,
    *,
    features: str | None = None,
    min_images: int = 0,
    random_state: int = 0,
    progress: Progress = None,
    prepare: Callable[[Model], object] | None = None,
    n_jobs: int | None = 1,
) -> TrainedModel:
    """Fit a model to a dataset's surveyed clusters, and predict each cluster by a model that was not trained on its district.

    Ten folds keep whole districts together, or blocks of 100 km if clusters have no district. Ten further folds leave
    out single places. Their predictions (`prediction_near`) show the errors among surveyed places, where most sites
    of a map lie.

    Parameters
    ----------
    dataset : Dataset
    model : Model
        An unfitted model. It is not changed: clones of it are fitted.
    indicator : str
        The indicator to predict.
    features : str, optional
        Name of the image feature set that the model uses. Clusters are left out where none of their images has these features.
    min_images : int
        Clusters with fewer images (that have these features) are left out, and counted in the card. Where the model needs
        images, sites with fewer images enter no district of a map.
    random_state : int
        Seed of the folds and of the intervals of metrics. The model has its own seed.
    progress : callable, optional
        Called with sentences about the progress.
    prepare : callable, optional
        Called with each unfitted clone before it is fitted: twenty times for the folds, and then for the model of all
        clusters.
    n_jobs : int, optional
        Number of processes in which folds are fitted (`geolive.worker_processes.usable_processes`); None means one
        for each core. The results do not depend on it.

    Returns
    -------
    TrainedModel

    Raises
    ------
    InputError
        There is no such indicator, no labelled cluster with images, or there are too few clusters or districts for the folds.

    See Also
    --------
    train_together : One model for several indicators.
    geolive.models.cache.fit_cached : The same, kept in the cache folder.

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10)
    >>> trained = train(dataset, Forest(n_estimators=5), "pov")
    >>> len(trained.residuals), trained.card.folds.kind
    (60, 'districts')
    """
    return _train(dataset, model, [indicator], features, min_images, random_state, progress, prepare, n_jobs)[indicator]


def train_together(
    dataset: Dataset,
    model: Model,
    indicators: Sequence[str],
    *,
    features: str | None = None,
    min_images: int = 0,
    random_state: int = 0,
    progress: Progress = None,
    prepare: Callable[[Model], object] | None = None,
    n_jobs: int | None = 1,
) -> dict[str, TrainedModel]:
    """Train one model on several indicators at once, for example a network of photos.

    All clusters with a value of any indicator are training clusters. The folds, and so the kinds of residuals and
    intervals, are those of `train`. All indicators together cost about as much as one alone, since the model is fitted
    as often.

    Parameters
    ----------
    dataset : Dataset
    model : Model
        An unfitted model that takes values of shape (n, m), NaN where a cluster has none; its `column(i)` is a model of the i-th
        indicator.
    indicators : sequence of str
        The indicators to learn.
    features, min_images, random_state, progress, prepare, n_jobs
        As for `train`.

    Returns
    -------
    dict of str to TrainedModel
        One for each indicator, with residuals of the clusters that have a value of it.

    Raises
    ------
    InputError
        As for `train`, or the model learns one indicator at a time.

    Examples
    --------
    >>> from geolive.models.attention import MeanPooling
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10)
    >>> trained = train_together(dataset, MeanPooling(epochs=1), ["pov", "bmi"])
    >>> list(trained), "prediction_near" in trained["bmi"].residuals
    (['pov', 'bmi'], True)
    """
    indicators = list(dict.fromkeys(indicators))
    if not indicators:
        raise InputError("indicators=[]: name at least one", parameter="indicators")
    return _train(dataset, model, indicators, features, min_images, random_state, progress, prepare, n_jobs)


@dataclass(frozen=True)
class _Folds:
    """The fold and the unit of each cluster; `near` are folds of single places, None where there are too few places."""

    numbers: np.ndarray
    units: np.ndarray
    kind: str
    near: np.ndarray | None
    random_state: int

    @property
    def all_numbers(self) -> list[tuple[bool, int]]:
        """Whether a fold is of single places, and its number: the folds of units first."""
        far = [(False, int(fold)) for fold in np.unique(self.numbers)]
        return far if self.near is None else [*far, *((True, int(fold)) for fold in np.unique(self.near))]

    def of(self, is_near: bool) -> np.ndarray:
        """Return the fold of each cluster."""
        if not is_near:
            return self.numbers
        assert self.near is not None
        return self.near


def _train(
    dataset: Dataset,
    model: Model,
    indicators: list[str],
    features: str | None,
    min_images: int,
    random_state: int,
    progress: Progress,
    prepare: Callable[[Model], object] | None,
    n_jobs: int | None,
) -> dict[str, TrainedModel]:
    check_dataset(dataset)
    check_model(model)
    check_inputs(dataset, model, features)
    if len(indicators) > 1 and type(model).column is Model.column:
        model.column(0)  # says that it learns one indicator at a time
    check_integer("min_images", min_images, 0)
    clusters = training_clusters(dataset, model, indicators, features, min_images)
    clusters = replace(clusters, places=model.prepared(clusters.places))
    folds = _folds(dataset, clusters.table, random_state)
    values = clusters.values if len(indicators) > 1 else clusters.values[:, 0]

    left_out = _left_out_sites(dataset, model, features, clusters, folds)
    predict_fold = _FoldPredictions(model, clusters, values, folds, left_out, prepare, progress)
    numbers = folds.all_numbers
    far, near = (np.full(values.shape, np.nan) for _ in range(2))
    at_sites: list[_OfSites] = []
    with computed_ahead([partial(predict_fold, *fold) for fold in numbers], n_jobs) as ahead:
        for number, (is_near, fold) in enumerate(numbers):
            if progress:
                progress(_fold_words(folds, is_near, fold))
            test, predicted, of_sites = ahead.result(number)
            (near if is_near else far)[test] = predicted
            at_sites += [of_sites] if of_sites else []
    final = clone(model)
    if prepare:
        prepare(final)
    if progress:
        progress(f"fitting {model.name} to {len(clusters.places)} clusters")
    fit_model(final, clusters.places, values, progress, clusters.sample_sizes)
    trained = {}
    for number, indicator in enumerate(indicators):
        one = final.column(number) if len(indicators) > 1 else final
        residuals = _residuals(one, clusters, folds, number, far, None if folds.near is None else near)
        card = _card(dataset, one, indicator, features, min_images, residuals, clusters, folds)
        others = tuple(name for name in indicators if name != indicator)
        own_sites = (
            pd.concat([table.assign(prediction=predicted[:, number]) for table, predicted in at_sites])
            if at_sites
            else None
        )
        trained[indicator] = TrainedModel(one, residuals, replace(card, learnt_with=others), own_sites)
    return trained


@dataclass(frozen=True)
class _FoldPredictions:
    """The predictions of a fold by a clone of the model that was fitted without it."""

    model: Model
    clusters: TrainingClusters
    values: np.ndarray
    folds: _Folds
    left_out: tuple[Places, np.ndarray] | None
    prepare: Callable[[Model], object] | None
    progress: Progress

    def __call__(self, is_near: bool, fold: int) -> tuple[np.ndarray, np.ndarray, _OfSites | None]:
        """Fit; gives the fold's rows, their predictions, and those of the sites that belong to a fold of units."""
        places, numbers, sizes = self.clusters.places, self.folds.of(is_near), self.clusters.sample_sizes
        train, test = np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold)
        copy = clone(self.model)
        if self.prepare:
            self.prepare(copy)
        progress = None if is_worker_process() else self.progress
        fit_model(copy, places.take(train), self.values[train], progress, None if sizes is None else sizes[train])
        predicted = copy.predict(places.take(test))
        if is_near or self.left_out is None:
            return test, predicted, None
        n_indicators = 1 if self.values.ndim == 1 else self.values.shape[1]
        return test, predicted, _predicted_sites(copy, self.left_out, fold, n_indicators)


def _fold_words(folds: _Folds, is_near: bool, fold: int) -> str:
    numbers = np.unique(folds.of(is_near)).tolist()
    what = "single places, fold" if is_near else "fold"
    return f"leaving out {what} {numbers.index(fold) + 1} of {len(numbers)}"


def _left_out_sites(
    dataset: Dataset, model: Model, features: str | None, clusters: TrainingClusters, folds: _Folds
) -> tuple[Places, np.ndarray] | None:
    """Return the dataset's sites with the fold of the nearest training cluster; None for a model that needs no images."""
    if not model.needs_images or dataset.sites.empty:
        return None
    places = dataset.site_places(dataset.sites, features)
    places = places.take(np.flatnonzero(places.n_images > 0))
    return (places, nearest_fold(places.positions, clusters.places.positions, folds.numbers)) if len(places) else None


def _predicted_sites(
    model: Model, left_out: tuple[Places, np.ndarray], fold: int, n_indicators: int
) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the sites of a fold, and their predictions by the model that was fitted without it, shape (sites, indicators)."""
    places, folds = left_out
    there = places.take(np.flatnonzero(folds == fold))
    predicted = model.predict(there) if len(there) else np.zeros(0)
    table = pd.DataFrame(
        {
            "site_id": there.ids,
            "fold": fold,
            "lon": there.positions[:, 0],
            "lat": there.positions[:, 1],
            "digest": site_digests(model, there),
        }
    )
    return table, np.asarray(predicted).reshape(len(there), n_indicators)


def site_digests(model: Model, places: Places) -> np.ndarray:
    """Return a number for each place that changes with what the model sees of it.

    Parameters
    ----------
    model : Model
    places : Places

    Returns
    -------
    array of uint64, shape (n,)

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[85.1, 25.6], [84.0, 25.0]]))
    >>> digests = site_digests(Mean(), places)
    >>> bool(digests[0] == digests[1])
    False
    """
    seen = pd.DataFrame(aoa_features(model, places))
    return pd.util.hash_pandas_object(seen, index=False).to_numpy()


def nearest_fold(positions: np.ndarray, training: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the fold of the training cluster that is nearest to each place.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude and latitude of the places, degrees.
    training : array of float, shape (m, 2)
        The same of the training clusters.
    folds : array of int, shape (m,)
        The fold of each training cluster.

    Returns
    -------
    array of int, shape (n,)

    Examples
    --------
    >>> nearest_fold(np.array([[85.0, 25.1]]), np.array([[85.0, 25.0], [87.0, 25.0]]), np.array([3, 4])).tolist()
    [3]
    """
    from scipy.spatial import cKDTree

    return np.asarray(folds)[cKDTree(unit_sphere(training)).query(unit_sphere(positions))[1]]


def _folds(dataset: Dataset, clusters: gpd.GeoDataFrame, random_state: int) -> _Folds:
    """Make folds of whole districts where all clusters have one, else of blocks; and folds of single places."""
    by_district = clusters["district_id"].notna().all()
    blocks = BlockSplit(km=BLOCK_KM, n_splits=FOLDS, random_state=random_state)
    splitter = DistrictSplit(n_splits=FOLDS, random_state=random_state) if by_district else blocks
    kind = "districts" if by_district else f"blocks of {BLOCK_KM:g} km"
    units = splitter.units(clusters)
    n_units = len(np.unique(units))
    if n_units < 2:
        raise InputError(
            f"{dataset.name}: all {len(clusters)} clusters lie in one of the {kind}, and folds need two; name the column of "
            "smaller units when the survey is read (read_survey(group='COLUMN'))"
        )
    numbers = fold_numbers(replace(splitter, n_splits=min(FOLDS, n_units)), clusters)
    units = clusters["district_id"].to_numpy(object) if by_district else units.astype(str).astype(object)
    near = None
    if len(np.unique(place_numbers(positions_of(clusters)))) >= FOLDS:
        near = fold_numbers(RandomSplit(n_splits=FOLDS, random_state=random_state), clusters)
    return _Folds(numbers, units, kind, near, random_state)


def _residuals(
    model: Model,
    clusters: TrainingClusters,
    folds: _Folds,
    number: int,
    far: np.ndarray,
    near: np.ndarray | None,
) -> gpd.GeoDataFrame:
    """Make one indicator's table of residuals at the clusters that have its value; `far` and `near` have a column for each."""
    known = np.flatnonzero(np.isfinite(clusters.values[:, number]))
    table, places = clusters.table.iloc[known], clusters.places.take(known)
    values, numbers = clusters.values[known, number], folds.numbers[known]
    columns = {
        "unique_cluster": table["unique_cluster"].to_numpy(object),
        "value": values,
        "prediction": far.reshape(len(far), -1)[known, number],
        "reference": training_means(values, numbers),
        "fold": numbers,
        "district_id": folds.units[known],
        "predictors": list(aoa_features(model, places)),
    }
    if model.needs_images:  # errors of a model of positions do not depend on images
        columns["n_images"] = places.n_images
    if clusters.sample_sizes is not None:
        columns["sample_size"] = clusters.sample_sizes[known]
    if near is not None:
        columns["prediction_near"] = near.reshape(len(near), -1)[known, number]
    return check_residuals(gpd.GeoDataFrame(columns, geometry=table.geometry.to_numpy(), crs=table.crs))


def _card(
    dataset: Dataset,
    model: Model,
    indicator: str,
    features: str | None,
    min_images: int,
    residuals: gpd.GeoDataFrame,
    clusters: TrainingClusters,
    folds: _Folds,
) -> ModelCard:
    values, predictions, reference = (residuals[name].to_numpy() for name in ("value", "prediction", "reference"))
    unit = residuals["district_id"].to_numpy(object)
    table = scores(model.task, values, predictions, reference, unit, random_state=folds.random_state)
    return ModelCard(
        model=model.name,
        params=model.params,
        indicator=indicator,
        task=model.task,
        needs_images=model.needs_images,
        features=features,
        trained_on=dataset.name if dataset.path is None else dataset.source,
        training_checksum=dataset.checksum,
        simulated=dataset.simulated,
        label_threshold=dataset.thresholds.get(indicator),
        is_rate=clusters.sample_sizes is not None,
        clusters=len(residuals),
        clusters_without_images=clusters.without_images,
        min_images=min_images,
        clusters_with_few_images=clusters.with_few_images,
        clusters_without_covariates=clusters.without_covariates,
        folds=FoldFacts(folds.kind, int(residuals["fold"].max()) + 1, len(np.unique(unit)), folds.random_state),
        metrics={row.metric: figure_of(row.value, row.lower, row.upper) for row in table.itertuples()},
        made=today().isoformat(),
        geolive=geolive.__version__,
    )
