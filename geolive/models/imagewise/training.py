"""Training of image-wise models on the photos of a dataset's clusters."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np

import geolive
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.extras import require_extra
from geolive.files import replacing, today
from geolive.metrics import scores
from geolive.models.imagewise.cnn import PretrainedCNN, check_head, load_authors_weights, load_pretrained
from geolive.models.imagewise.model import FEATURES, ImageWise, predict_decoded
from geolive.models.imagewise.parts import PhotoClusters, TrainingRun, clusters_with_photos, plan_runs
from geolive.models.imagewise.photo_cache import DecodedPhotos, decode_photos
from geolive.models.imagewise.runs import HOW, LEARNING_RATE, train_run, usable
from geolive.models.interface import TASKS, check_choice
from geolive.models.pooling import check_pool, pool_photos
from geolive.models.trained_model import Figure, FoldFacts, ModelCard, TrainedModel, check_residuals, figure_of
from geolive.process_group import check_devices, launched, once
from geolive.vision.devices import choose_device, choose_workers
from geolive.vision.images import PhotoFiles, photo_files

if TYPE_CHECKING:
    from geolive.models.imagewise.learner import TrainingSettings

_REQUEST = "request.json"


def train_imagewise(
    dataset: Dataset,
    indicator: str,
    *,
    task: str = "regression",
    arch: str = "resnet34",
    weights: str | Path | None = None,
    from_authors: str | Path | None = None,
    size: int | None = None,
    head: str = "linear",
    pool: str = "mean",
    epochs: int = 10,
    batch_size: int = 256,
    learning_rate: float | None = None,
    patience: int = 5,
    accumulate: int = 1,
    split: str | None = None,
    folds: int = 0,
    min_images: int = 0,
    photos: str | Path | None = None,
    device: str = "auto",
    devices: int | None = None,
    nodes: int | None = None,
    precision: str = "auto",
    workers: int = 0,
    random_state: int = 0,
    permute_labels: bool = False,
    work: str | Path | None = None,
    logs: str | Path | None = None,
    bar: bool = False,
    progress: Callable[[str], None] | None = None,
) -> TrainedModel:
    """Train a network on the photos of a dataset's clusters, one by one (Lee et al. 2021, "Image-wise learning").

    Each photo has the value of its cluster, and the prediction of a cluster is the mean over its photos, or their vote.

    Parameters
    ----------
    dataset : Dataset
        Read from a folder, with photos.
    indicator : str
    task : {"regression", "classification"}
    arch : str
        resnet18, resnet34, resnet50, timm:NAME, or the folder of an image-wise bundle, whose network is trained further.
    weights : str or Path, optional
        Weights of the trunk before training: a file, "none" for random weights, or by default those of ImageNet.
    from_authors : str or Path, optional
        A network that the authors' code saved, in place of `arch` and `weights`.
    size : int, optional
        Width and height of photos in pixels; by default those that the weights were trained with.
    head : {"linear", "tanh"}
        tanh bounds predictions to the range of the training values, as in the authors' regression; `from_authors` has its own.
    pool : {"mean", "vote"}
        How photos make a cluster's prediction: the mean over them, or, for labels, the share of photos that vote for 1.
    epochs : int
        Passes over the training photos; with 0 the weights do not change.
    batch_size : int
        Photos in one step, over all devices and accumulated parts.
    learning_rate : float, optional
        The highest learning rate; by default 1e-3 in classification and 1e-4 in regression.
    patience : int
        Epochs without a better validation score after which training stops.
    accumulate : int
        Number of parts of a batch that are processed one after the other, to save memory.
    split : str, optional
        How clusters are divided into parts or folds: "district", "random", "blocks:100km", "official" and so on; by default
        whole districts where all clusters have one, else blocks of 100 km.
    folds : int
        With 0 one network is trained and judged on a test part. Else as many more networks are trained, so that each cluster is
        predicted by a network that was not trained on its fold.
    min_images : int
        Clusters with fewer photos are left out, and counted in the card.
    photos : str or Path, optional
        The folder that `img_path` starts from; by default the dataset's own.
    device : str
        auto, cpu, cuda or mps.
    devices : int, optional
        Number of devices of each host that share each batch; by default those that torchrun or srun started processes for, else
        all CUDA devices, else one.
    nodes : int, optional
        Number of hosts, each with the same number of devices; by default those that torchrun or srun started processes on.
    precision : str
        float32, bfloat16, float16, or auto.
    workers : int
        Processes that read pixels, for each device.
    random_state : int
    permute_labels : bool
        Whether to permute the values among clusters, which shows the score by chance alone.
    work : str or Path, optional
        Folder of decoded photos and checkpoints. A call with the same arguments continues from them and ends with the same
        weights. The caller removes the folder when the result is saved. Without it a temporary folder is used and removed.
    logs : str or Path, optional
        Folder for the scores of each epoch, as CSV and for TensorBoard.
    bar : bool
        Whether to show a progress bar.
    progress : callable, optional
        Called with sentences about the progress.

    Returns
    -------
    TrainedModel
        The residuals have one cluster in each row. `prediction` is null at clusters that the network was trained on,
        or that chose the epoch, and for which no other network was trained; without folds, at all clusters outside the
        test part.

    Raises
    ------
    InputError
        A parameter cannot be used, there are no training clusters, a library is missing, or `work` holds another training.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> train_imagewise(make_sample("goa", seed=0), "pov", task="ranking")
    Traceback (most recent call last):
    geolive.errors.InputError: task='ranking': must be 'regression' or 'classification'
    """
    check_choice("task", task, TASKS)
    check_head(head, task)
    check_pool(pool, task)
    if from_authors and weights:
        raise InputError(
            f"weights={str(weights)!r}: from_authors names weights already; leave one of them out", "weights"
        )
    dataset.labelled(indicator)
    require_extra("imagewise")
    import torch

    from geolive.models.imagewise.learner import TrainingSettings

    files, chosen = photo_files(dataset, photos), choose_device(device, precision)
    if from_authors:
        start = load_authors_weights(from_authors, task, size)
    else:
        start = load_pretrained(task, arch, weights=weights, size=size, head=head, random_state=random_state)
    if split is None:
        split = "district" if dataset.clusters["district_id"].notna().all() else "blocks:100km"
    group = launched()
    check_devices(group, devices, nodes)
    if devices is None:
        devices = group.on_host if group else torch.cuda.device_count() if chosen.name == "cuda" else 1
    settings = TrainingSettings(
        task=task,
        random_state=random_state,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate or LEARNING_RATE[task],
        patience=patience,
        device=chosen,
        devices=devices,
        nodes=group.nodes if group else 1,
        accumulate=accumulate,
        workers=workers,
        bar=bar,
    )
    if progress:
        on = f"{start.preprocessing.crop} pixels, on {settings.processes} × {chosen.name}, {chosen.precision}"
        progress(f"training {start.arch}, {on}")
    with tempfile.TemporaryDirectory() as temporary:
        return train_from(
            start,
            dataset,
            files,
            indicator,
            settings,
            Path(work or temporary),
            split=split,
            folds=folds,
            min_images=min_images,
            pool=pool,
            permute_labels=permute_labels,
            logs=None if logs is None else Path(logs),
            progress=progress,
        )


def train_from(
    start: PretrainedCNN,
    dataset: Dataset,
    files: PhotoFiles,
    indicator: str,
    settings: "TrainingSettings",
    work: Path,
    *,
    split: str = "district",
    folds: int = 0,
    min_images: int = 0,
    pool: str = "mean",
    permute_labels: bool = False,
    logs: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> TrainedModel:
    """Train from a given network; `train_imagewise` makes network and settings from plain arguments.

    Parameters
    ----------
    start : PretrainedCNN
        The network before training; it is not changed.
    dataset : Dataset
        Read from a folder.
    files : PhotoFiles
        The dataset's photos.
    indicator : str
    settings : TrainingSettings
    work : Path
        Folder of decoded photos and checkpoints.
    split, folds, min_images, pool, permute_labels, logs, progress
        As for `train_imagewise`.

    Returns
    -------
    TrainedModel

    Raises
    ------
    InputError
        There are no training clusters, or `work` holds another training.
    """
    known = clusters_with_photos(dataset, files, indicator, settings.task, min_images)
    runs, units = plan_runs(known.table, split, folds, settings.random_state)
    if permute_labels:
        known = known.with_permuted_values(settings.random_state)
    request = [split, folds, permute_labels, min_images]
    made_by = {"images": dataset.checksum, "photos": files.place, "rows": _digest(known.images)}
    workers = choose_workers(None, settings.device)

    def begin() -> dict[str, Any]:
        _check_request(work, dataset, start, indicator, settings, request)
        decoded = decode_photos(files, known.images, start.preprocessing, work / "pixels", made_by, workers, progress)
        return {"path": str(decoded.path), "failures": sorted(decoded.failures.items())}

    # the first process decodes, and the others read what it wrote
    begun = once("decoding", begin)
    pixels = DecodedPhotos(Path(begun["path"]), start.preprocessing.crop, dict(begun["failures"]))
    predictions = np.full(len(known.images), np.nan)
    for run in runs:
        model, history, _ = train_run(
            run, known.values, known.cluster, pixels, start, settings, work / run.name, logs, progress, pool
        )
        rows = usable(pixels, np.flatnonzero(np.isin(known.cluster, run.test)))
        predictions[rows] = _predict_shared(model, pixels, rows, settings)
    unit = known.table["district_id"].to_numpy(object) if split == "district" else units.astype(str).astype(object)
    residuals = check_residuals(_residuals(known, runs, predictions, unit, pool))
    metrics, per_image = _metrics(settings, known, residuals, predictions, units)
    card = ModelCard(
        **_facts(dataset, model, indicator, settings, known, runs[-1], pixels),
        min_images=min_images,
        folds=FoldFacts(_kind(split), folds or 1, len(np.unique(units)), settings.random_state),
        metrics=metrics,
        metrics_per_image=per_image,
        honest=_honest(folds, int(residuals["prediction"].notna().sum()), len(residuals)),
        permuted=permute_labels,
        history=history,
    )
    return TrainedModel(model, residuals, card)


def _predict_shared(
    model: ImageWise, pixels: DecodedPhotos, rows: np.ndarray, settings: "TrainingSettings"
) -> np.ndarray:
    """Predict decoded photos; processes that train together predict a part each, and all get the whole."""
    import torch

    from geolive.collectives import rank_and_size, sum_of_all

    rank, size = rank_and_size()
    predictions = np.zeros(len(rows))
    predictions[rank::size] = predict_decoded(model, pixels, rows[rank::size], settings.device)
    shared = torch.from_numpy(predictions).to(settings.device.name if size > 1 else "cpu")
    return sum_of_all(shared).cpu().numpy()


def _residuals(
    known: PhotoClusters, runs: list[TrainingRun], predictions: np.ndarray, unit: np.ndarray, pool: str
) -> gpd.GeoDataFrame:
    """Return the table of residuals, from the predictions of single photos."""
    n = len(known.values)
    reference, fold, part = np.full(n, np.nan), np.full(n, -1), np.full(n, "train", object)
    for number, run in enumerate(runs):
        reference[run.test], fold[run.test] = known.values[run.train].mean(), number
    part[runs[-1].validation], part[runs[-1].test] = "validation", "test"
    seen = np.isfinite(predictions)
    columns = {
        "unique_cluster": known.table["unique_cluster"].to_numpy(object),
        "value": known.values,
        "prediction": pool_photos(predictions[seen], known.cluster[seen], n, pool),
        "reference": reference,
        "fold": fold,
        "district_id": unit,
        "part": part,
    }
    return gpd.GeoDataFrame(columns, geometry=known.table.geometry.to_numpy(), crs=known.table.crs)


def _metrics(
    settings: "TrainingSettings",
    known: PhotoClusters,
    residuals: gpd.GeoDataFrame,
    predictions: np.ndarray,
    units: np.ndarray,
) -> tuple[dict[str, Figure], dict[str, Figure]]:
    """Compute metrics of clusters and of photos, each with the value of its cluster."""
    prediction, reference = residuals["prediction"].to_numpy(), residuals["reference"].to_numpy()
    judged, seen = np.flatnonzero(np.isfinite(prediction)), np.flatnonzero(np.isfinite(predictions))
    of = known.cluster[seen]
    per_cluster = (known.values[judged], prediction[judged], reference[judged], units[judged])
    per_image = (known.values[of], predictions[seen], reference[of], units[of])
    metrics = []
    for truth, predicted, references, groups in (per_cluster, per_image):
        table = scores(settings.task, truth, predicted, references, groups, random_state=settings.random_state)
        metrics.append({row.metric: figure_of(row.value, row.lower, row.upper) for row in table.itertuples()})
    return metrics[0], metrics[1]


def _check_request(
    work: Path, dataset: Dataset, start: PretrainedCNN, indicator: str, settings: "TrainingSettings", parts: list
) -> None:
    """Write what decides the weights into the folder of the work, and raise where it holds another training."""
    own = asdict(settings)
    decided = {name: own[name] for name in own if name not in HOW} | {"precision": settings.device.precision}
    decided |= {"dataset": dataset.checksum, "indicator": indicator, "arch": start.arch, "weights": start.weights}
    decided |= {"size": start.preprocessing.crop, "head": "tanh" if start.network.tanh else "linear"}
    decided |= {"split and folds": parts}
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
            f"{work}: holds a training with another {' and '.join(other)}; repeat that call to finish it, or remove the folder "
            "to start again"
        )


def _facts(
    dataset: Dataset,
    model: ImageWise,
    indicator: str,
    settings: "TrainingSettings",
    known: PhotoClusters,
    last: TrainingRun,
    pixels: DecodedPhotos,
) -> dict[str, Any]:
    """Return the card's facts about data and model."""
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
        "clusters_without_images": known.without_photos,
        "clusters_with_few_images": known.with_few_photos,
        "parts": {"train": len(last.train), "validation": len(last.validation), "test": len(last.test)},
        "photos": len(known.images),
        "photos_not_used": len(pixels.failures),
        "made": today().isoformat(),
        "geolive": geolive.__version__,
    }


def _honest(folds: int, judged: int, clusters: int) -> str:
    if folds:
        return (
            f"Each of {judged} clusters is predicted by one of {folds} networks, which was not trained on its fold; "
            "the network "
            "that is kept was trained on all clusters except its validation part."
        )
    return (
        f"One network was trained. It did not learn from the {judged} clusters of the test part, which did not choose its epoch "
        f"either; only there are its predictions out of fold. The other {clusters - judged} clusters have no such prediction, "
        "and maps leave them out. Train with folds=5 (--folds 5) to get one at every cluster."
    )


def _kind(split: str) -> str:
    return {"district": "districts", "random": "places", "official": "lists that came with the data"}.get(split, split)


def _digest(rows: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows, "<i8").tobytes()).hexdigest()
