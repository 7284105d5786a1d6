"""Training of image-wise models on a dataset's clusters: the parts, the runs, and what may honestly be said of the result."""

import copy
import hashlib
import importlib.util
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np

import geolive
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.files import replacing, today
from geolive.metrics import scores
from geolive.models.imagewise.model import FEATURES, ImageWise, Pretrained, answers_of_pixels
from geolive.models.imagewise.photo_cache import Pixels, decode
from geolive.models.trained_model import Figure, FoldFacts, ModelCard, TrainedModel, check_residuals, figure_of
from geolive.places import Places, group_images
from geolive.splits import RandomSplit, parse_split
from geolive.tables import lonlat
from geolive.vision.devices import choose_workers
from geolive.vision.images import PhotoFiles

INSTALL = "pip install 'geolive[imagewise]'"
TEST_FOLDS, VALIDATION_FOLDS = 5, 8
# as in the authors' code
LEARNING_RATE = {"classification": 1e-3, "regression": 1e-4}
_REQUEST = "request.json"


@dataclass(frozen=True)
class Run:
    """One training: the clusters to learn from, to choose the epoch by, and to predict; row numbers."""

    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Clusters:
    """The clusters with a value and photos, and the photos' rows.

    Parameters
    ----------
    table : GeoDataFrame
    values : array of float, shape (n,)
    images : array of int, shape (photos,)
        Rows of the images table.
    cluster : array of int, shape (photos,)
        The cluster of each.
    """

    table: gpd.GeoDataFrame
    values: np.ndarray
    images: np.ndarray
    cluster: np.ndarray


def check_lightning() -> None:
    """Raise where PyTorch Lightning is not installed.

    Raises
    ------
    InputError
    """
    for name in ("lightning", "tensorboard"):
        if importlib.util.find_spec(name) is None:
            raise InputError(f"train imagewise needs {name}; install it with: {INSTALL}")


def plan_runs(table: gpd.GeoDataFrame, split: str, folds: int, seed: int) -> tuple[list[Run], np.ndarray]:
    """Which clusters each training learns from; photos follow their cluster.

    Parameters
    ----------
    table : GeoDataFrame
        A clusters table.
    split : str
        As `geolive.splits.parse_split` reads it; "official" uses the lists that came with the data.
    folds : int
        0: one training, with a fifth of the clusters as test part. Else so many trainings, each of which leaves one fold out,
        and one that leaves out none.
    seed : int

    Returns
    -------
    runs : list of Run
        The last is the one whose network is kept. An eighth of what a training may see is its validation part.
    units : array, shape (n,)
        What stays together in parts and in intervals.

    Raises
    ------
    InputError
        There are too few places, or units, for the parts.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> runs, _ = plan_runs(make_sample("bihar", seed=0, n_sites=38).clusters, "random", folds=0, seed=0)
    >>> [len(part) for part in (runs[0].train, runs[0].validation, runs[0].test)]
    [119, 18, 35]
    """
    if folds == 1:
        raise InputError("--folds 1: one fold leaves nothing to learn from; use 0 (a test part) or at least 2")
    if split == "official" and folds:
        raise InputError("--folds: the official split has none; leave it out, or use another --split")
    splitter = parse_split(split, seed, folds or TEST_FOLDS)
    pairs, nothing = list(splitter.split(table)), np.zeros(0, np.int64)
    named = table["split"].to_numpy(object) if split == "official" else None

    def run(name: str, learn: np.ndarray, test: np.ndarray) -> Run:
        if named is not None and (named[learn] == "val").any():
            return Run(name, learn[named[learn] != "val"], learn[named[learn] == "val"], test)
        inner = RandomSplit(n_splits=VALIDATION_FOLDS, random_state=seed) if named is not None else None
        inner = inner or parse_split(split, seed, VALIDATION_FOLDS)
        train, validation = next(iter(inner.split(table.iloc[learn])))
        return Run(name, learn[train], learn[validation], test)

    if not folds:
        return [run("model", *pairs[0])], splitter.units(table)
    left_out = [run(f"fold-{i + 1}", *pair) for i, pair in enumerate(pairs)]
    return [*left_out, run("model", np.arange(len(table)), nothing)], splitter.units(table)


def photos_by_cluster(dataset: Dataset, files: PhotoFiles, table: gpd.GeoDataFrame) -> Places:
    """Clusters as places whose images are those that have a photo."""
    has_photo = np.array([path is not None for path in files.paths])
    of_image = dataset.images["unique_cluster"].where(has_photo)
    return group_images(table["unique_cluster"].to_numpy(), lonlat(table.geometry), dataset.images, None, of_image)


def clusters_with_photos(dataset: Dataset, files: PhotoFiles, indicator: str, task: str) -> tuple[Clusters, int]:
    """The clusters to learn from, and how many with a value have no photo.

    Raises
    ------
    InputError
        No such indicator, no labelled cluster with a photo, or one class only.
    """
    labelled = dataset.labelled(indicator)
    places = photos_by_cluster(dataset, files, labelled)
    seen = np.flatnonzero(places.n_images > 0)
    if not len(seen):
        raise InputError(
            f"{dataset.name}: none of the {len(labelled)} clusters with {indicator!r} has a photo; add photos"
        )
    places, table = places.take(seen), labelled.iloc[seen].reset_index(drop=True)
    column = indicator if task == "regression" else f"{indicator}_label"
    values = table[column].to_numpy(float)
    if task == "classification" and len(np.unique(values)) < 2:
        raise InputError(f"{dataset.name}: column {column!r} has one class only; there is nothing to tell apart")
    cluster = np.repeat(np.arange(len(places)), places.n_images)
    return Clusters(table, values, places.image_rows, cluster), len(labelled) - len(seen)


def train_imagewise(
    dataset: Dataset,
    files: PhotoFiles,
    pretrained: Pretrained,
    indicator: str,
    settings,
    work: Path,
    *,
    split: str = "district",
    folds: int = 0,
    permute: bool = False,
    logs: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> TrainedModel:
    """Train an image-wise model; killed and called again with the same arguments it goes on, and ends with the same weights.

    Parameters
    ----------
    dataset : Dataset
        Read from a folder.
    files : PhotoFiles
        Its photos.
    pretrained : Pretrained
        The network to begin with.
    indicator : str
    settings : Settings
        Of `geolive.models.imagewise.learner`.
    work : Path
        Folder for decoded photos and checkpoints; the caller removes it when the result is safe.
    split, folds
        As in `plan_runs`.
    permute : bool
        Give each cluster another's value: what is reached then is reached without any relation between photos and values.
    logs : Path, optional
        Folder for figures of each epoch, as CSV and for TensorBoard.
    progress : callable, optional

    Returns
    -------
    TrainedModel
        Residuals have a row a cluster. `prediction` is null at clusters that the network has learnt from, or was chosen by,
        and for which no other network was trained: without folds, at all but the test part.

    Raises
    ------
    InputError
        There is nothing to learn from, or `work` holds work begun with other settings.
    """
    known, n_dropped = clusters_with_photos(dataset, files, indicator, settings.task)
    runs, units = plan_runs(known.table, split, folds, settings.seed)
    if permute:
        mixed = np.random.default_rng(settings.seed).permutation(len(known.values))
        known = Clusters(known.table, known.values[mixed], known.images, known.cluster)
    _check_request(work, dataset, pretrained, indicator, settings, split, folds, permute)
    made_by = {"images": dataset.checksum, "photos": str(Path(files.root).resolve()), "rows": _digest(known.images)}
    workers = choose_workers(None, settings.device)
    pixels = decode(files, known.images, pretrained.preprocessing, work / "pixels", made_by, workers, progress)
    answers = np.full(len(known.images), np.nan)
    for run in runs:
        parts = (run, known.values, known.cluster, pixels, pretrained, settings)
        model, history = train_run(*parts, work / run.name, logs, progress)
        rows = usable(pixels, np.flatnonzero(np.isin(known.cluster, run.test)))
        answers[rows] = answers_of_pixels(model, pixels, rows, settings.device)
    by_district = split == "district"
    unit = known.table["district_id"].to_numpy(object) if by_district else units.astype(str).astype(object)
    residuals = _residuals(known, runs, answers, unit)
    metrics, per_image = _metrics(settings, known, residuals, answers, units)
    card = _card(dataset, model, indicator, settings, known, n_dropped, runs, pixels)
    card |= {
        "metrics": metrics,
        "metrics_per_image": per_image,
        "folds": FoldFacts(_kind(split), folds or 1, len(np.unique(units)), settings.seed),
        "honest": _honest(folds, int(residuals["prediction"].notna().sum()), len(residuals)),
        "permuted": permute,
        "history": history,
    }
    return TrainedModel(model, check_residuals(residuals), ModelCard(**card))


def _residuals(known: Clusters, runs: list[Run], answers: np.ndarray, unit: np.ndarray) -> gpd.GeoDataFrame:
    n = len(known.values)
    reference, fold, part = np.full(n, np.nan), np.full(n, -1), np.full(n, "train", object)
    for number, run in enumerate(runs):
        reference[run.test], fold[run.test] = known.values[run.train].mean(), number
    part[runs[-1].validation], part[runs[-1].test] = "validation", "test"
    seen = np.isfinite(answers)
    count = np.bincount(known.cluster[seen], minlength=n)
    total = np.bincount(known.cluster[seen], answers[seen], minlength=n)
    columns = {
        "unique_cluster": known.table["unique_cluster"].to_numpy(object),
        "value": known.values,
        "prediction": np.where(count > 0, total / np.maximum(count, 1), np.nan),
        "reference": reference,
        "fold": fold,
        "district_id": unit,
        "part": part,
    }
    return gpd.GeoDataFrame(columns, geometry=known.table.geometry.to_numpy(), crs=known.table.crs)


def _metrics(
    settings, known: Clusters, residuals: gpd.GeoDataFrame, answers: np.ndarray, units: np.ndarray
) -> tuple[dict[str, Figure], ...]:
    """Figures of clusters, the mean of their photos, and of photos, each with its cluster's value."""
    prediction, reference = residuals["prediction"].to_numpy(), residuals["reference"].to_numpy()
    judged, seen = np.flatnonzero(np.isfinite(prediction)), np.flatnonzero(np.isfinite(answers))
    of = known.cluster[seen]
    per_cluster = (known.values[judged], prediction[judged], reference[judged], units[judged])
    per_image = (known.values[of], answers[seen], reference[of], units[of])
    return tuple(
        {row.metric: figure_of(row.value, row.lower, row.upper) for row in table.itertuples()}
        for table in (scores(settings.task, *judged, random_state=settings.seed) for judged in (per_cluster, per_image))
    )


def train_run(
    run: Run,
    values: np.ndarray,
    cluster: np.ndarray,
    pixels: Pixels,
    pretrained: Pretrained,
    settings,
    folder: Path,
    logs: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[ImageWise, list[dict]]:
    """Train one network; the epoch is chosen by the run's validation part.

    Parameters
    ----------
    run : Run
    values : array of float, shape (clusters,)
        Only those of the run's clusters are looked at.
    cluster : array of int, shape (photos,)
        The cluster of each row of `pixels`.
    pixels : Pixels
    pretrained : Pretrained
        Stays as it is.
    settings : Settings
        Of `geolive.models.imagewise.learner`.
    folder : Path
        For checkpoints; where it holds some, training goes on from there.
    logs : Path, optional
    progress : callable, optional

    Returns
    -------
    model : ImageWise
    history : list of dict
        As `geolive.models.imagewise.learner.learn` gives it.

    Raises
    ------
    InputError
        A part of the run has no photo that can be used.
    """
    from geolive.models.imagewise.learner import Photos, fit_photos

    classifies = settings.task == "classification"
    of_train = values[run.train]
    target = (0.0, 1.0) if classifies else (float(of_train.mean()), float(of_train.std()) or 1.0)
    train, validation = (usable(pixels, np.flatnonzero(np.isin(cluster, part))) for part in (run.train, run.validation))
    for part, rows in (("to learn from", train), ("of the validation part", validation)):
        if not len(rows):
            raise InputError(f"none of the photos {part} can be used; add photos, or use another --split")
    wanted = (values - target[0]) / target[1]
    photos = Photos(pixels, pretrained.preprocessing, train, validation, cluster, wanted)
    network = copy.deepcopy(pretrained.network)
    history: list[dict] = []
    if settings.epochs:
        tell = progress and (lambda words: progress(words if run.name == "model" else f"{run.name}: {words}"))
        state, history = fit_photos(network, photos, settings, folder, logs and logs / run.name, tell)
        network = copy.deepcopy(pretrained.network)
        network.load_state_dict(state)
    params = {
        name: value
        for name, value in asdict(settings).items()
        if name not in ("task", "seed", "device", "workers", "bar")
    }
    params |= {
        "size": pretrained.preprocessing.crop,
        "weights": pretrained.weights,
        "precision": settings.device.precision,
    }
    model = ImageWise(settings.task, settings.seed, pretrained.arch, network, pretrained.preprocessing, target, params)
    return model, history


def usable(pixels: Pixels, rows: np.ndarray) -> np.ndarray:
    """Those of these rows whose photos could be decoded."""
    return rows[~np.isin(rows, list(pixels.failures))] if pixels.failures else rows


def _check_request(work: Path, dataset: Dataset, pretrained: Pretrained, indicator, settings, *rest) -> None:
    """Keep what was asked for beside the work, and raise where work was begun on something else."""
    decided = asdict(settings) | {"precision": settings.device.precision}
    for name in ("device", "workers", "bar"):
        decided.pop(name)
    decided |= {
        "dataset": dataset.checksum,
        "indicator": indicator,
        "arch": pretrained.arch,
        "weights": pretrained.weights,
    }
    decided |= {"size": pretrained.preprocessing.crop, "split and folds": list(rest)}
    request = json.loads(json.dumps(decided))
    path = work / _REQUEST
    if not path.is_file():
        with replacing(path) as file:
            file.write_text(json.dumps(request, indent=1) + "\n", encoding="utf-8")
        return
    try:
        begun = json.loads(path.read_text(encoding="utf-8"))
        other = sorted(name for name in {*request, *begun} if request.get(name) != begun.get(name))
    except (OSError, ValueError, AttributeError, TypeError):
        other = ["settings that cannot be read"]
    if other:
        raise InputError(
            f"{work}: holds a training begun with another {' and '.join(other)}; run the command as it was then to finish "
            "it, or remove that folder to begin anew"
        )


def _card(dataset, model, indicator, settings, known, n_dropped, runs, pixels) -> dict:
    last = runs[-1]
    return {
        "model": model.name,
        "params": model.params,
        "indicator": indicator,
        "task": settings.task,
        "needs_images": True,
        "features": FEATURES,
        "trained_on": dataset.source,
        "training_checksum": dataset.checksum,
        "simulated": dataset.simulated,
        "label_threshold": dataset.thresholds.get(indicator),
        "clusters": len(known.values),
        "clusters_without_images": n_dropped,
        "parts": {"train": len(last.train), "validation": len(last.validation), "test": len(last.test)},
        "photos": len(known.images),
        "photos_not_used": len(pixels.failures),
        "made": today().isoformat(),
        "geolive": geolive.__version__,
    }


def _honest(folds: int, judged: int, clusters: int) -> str:
    if folds:
        return (
            f"Each of {judged} clusters is predicted by one of {folds} networks that learnt nothing from its fold; the network "
            "that is kept was trained once more, on all clusters but its validation part."
        )
    return (
        f"One network was trained. It neither learnt from the {judged} clusters of the test part nor was chosen by them, and "
        f"only there is its prediction known to be honest: at the other {clusters - judged} clusters there is none, and maps "
        "leave them out. For one at every cluster train with --folds 5."
    )


def _kind(split: str) -> str:
    return {"district": "districts", "random": "places", "official": "lists that came with the data"}.get(split, split)


def _digest(rows: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows, "<i8").tobytes()).hexdigest()


def remove_work(work: Path) -> None:
    """Remove decoded photos and checkpoints, when the bundle is in place."""
    shutil.rmtree(work, ignore_errors=True)
