"""Models evaluated on the same folds of a dataset's surveyed clusters: the one call behind the command `evaluate`."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from geolive.dataset import Dataset, check_dataset
from geolive.errors import InputError
from geolive.evaluation.comparison import AUTHORS_WARNING, LAST_WARNING, TaskResult, check_protocol, run_task
from geolive.evaluation.cross_validation import LAST
from geolive.evaluation.evaluation_result import Evaluation
from geolive.evaluation.imagewise_options import imagewise_options, parse_imagewise
from geolive.evaluation.model_specs import ModelSpec, find_specs, given_specs
from geolive.evaluation.resume import ResumeFolder, check_report_folder
from geolive.evaluation.rows_ahead import rows_ahead
from geolive.evaluation.split_setup import splitter_for
from geolive.evaluation.tasks import EvaluationTask, make_task
from geolive.evaluation.training_options import notes_on_options, options_by_kind, training_options
from geolive.models.interface import TASKS, Model, check_integer
from geolive.models.pooling import check_pool
from geolive.splits import parse_split

DEFAULT_SPLITS = ("random", "blocks:100km")
ROWS_WARNING = (
    "split rows: where places repeat, rows of one place are on both sides of the split, so these figures flatter"
)


@dataclass(frozen=True)
class ImagewiseSettings:
    """Settings of the image-wise rows: `pool` of both, the others of the network that `imagewise-trained` trains in every fold.

    Parameters
    ----------
    architecture : str
        ARCH, ARCH:EPOCHS or ARCH:EPOCHS:SIZE, for example "resnet34:10:224".
    weights : str or Path, optional
        A file with its first weights, or "none" for random ones; by default ImageNet's.
    photos : str or Path, optional
        The folder that `img_path` starts from.
    head : {"linear", "tanh"}
        tanh bounds predictions to the range of the training values; only in regression.
    pool : {"mean", "vote"}
        How photos make a cluster's prediction; only labels can be voted on.
    """

    architecture: str = "resnet34:10"
    weights: str | Path | None = None
    photos: str | Path | None = None
    head: str = "linear"
    pool: str = "mean"


def evaluate(
    dataset: Dataset,
    models: str | Iterable[str] | Mapping[str, Model] = "baselines",
    indicators: str | Iterable[str] | None = None,
    *,
    split: Any = DEFAULT_SPLITS,
    task: str | Iterable[str] = "regression",
    protocol: str = "nested",
    features: str | None = None,
    n_splits: int | None = None,
    buffer_km: float | None = None,
    n_neighbors: int = 10,
    n_neighbor_images: int = 1000,
    min_images: int = 0,
    epochs: int | None = None,
    iterations: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    imagewise: ImagewiseSettings | None = None,
    repeats: int = 5,
    random_state: int = 0,
    out: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
    on_task: Callable[[EvaluationTask], None] | None = None,
    on_row: Callable[[pd.DataFrame], None] | None = None,
    n_jobs: int | None = 1,
) -> Evaluation:
    """Evaluate models on the same folds of the same clusters.

    If a model fails, or if the dataset lacks its inputs, the report says so, and the other models are evaluated.

    Parameters
    ----------
    dataset : Dataset
    models : str, list of str, or dict of str to Model
        Names of models, as for the command `evaluate`, or unfitted models whose keys name their rows.
    indicators : str or list of str, optional
        By default all indicators of the dataset.
    split : str, splitter, list of these, or dict of str to splitter
        A split that is given by its name, such as "random", "blocks:100km", "knndm" or "district", gets the buffer of
        its kind (see `with_buffer`). A splitter is used unchanged. The default is random folds and blocks, side by
        side.
    task : {"regression", "classification"} or list of these
        Predict the values of an indicator, or its labels.
    protocol : {"nested", "authors"}
        nested: settings and epochs are chosen within the training part. authors: they are chosen on the test
        clusters, as by Lee et al., which makes scores too high.
    features : str, optional
        The feature set that models use beside object counts; by default the only one of the dataset.
    n_splits : int, optional
        Number of folds of splits that are given by name; by default that of each split.
    buffer_km : float, optional
        Buffer of splits given by name, in kilometres.
    n_neighbors : int, default 10
        Number of clusters in the mean of the row `neighbours`.
    n_neighbor_images : int, default 1000
        Number of images in the mean of the row `neighbours-images`.
    min_images : int, default 0
        Clusters with fewer images are left out for all models, and counted in the notes of each task.
    epochs, iterations, batch_size : int, optional
        How long the networks of photos given by name train, in passes over the training clusters or in steps of the optimiser,
        and how many clusters are in a step. All but `iterations` are also for the row mlp. `imagewise` is for imagewise-trained.
    learning_rate : float, optional
        Learning rate of these networks, and of mlp. A note says which rows do not use one of these.
    imagewise : ImagewiseSettings, optional
        Training and pooling of the image-wise rows.
    repeats : int, default 5
        Number of partitions of a spatial split that has fewer than 30 units.
    random_state : int, default 0
        Seed of folds, models and resamples.
    out : str or Path, optional
        A new folder for the report. If the evaluation is stopped, the same call continues after the last finished row.
    progress : callable, optional
        Called with a sentence about the progress.
    on_task, on_row : callable, optional
        `on_task` is called with each `EvaluationTask` before its rows, and `on_row` with the scores of each row.
    n_jobs : int, optional
        Number of processes that compute rows at once (`geolive.worker_processes.usable_processes`); None means one
        for each core. The results do not depend on it.

    Returns
    -------
    Evaluation

    Raises
    ------
    InputError
        A parameter, an indicator, a model or a split cannot be used, or the dataset has too few clusters for it.

    See Also
    --------
    geolive.train : Fit a model, with out-of-fold residuals.
    geolive.BlockSplit : Folds of blocks of an equal-area grid.
    geolive.KnndmSplit : Folds whose distances are like those to the places of a map.

    Examples
    --------
    >>> from geolive.models.baselines import Neighbours
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import BlockSplit
    >>> dataset = make_sample("goa", seed=0)
    >>> models = {"nearest": Neighbours(n_neighbors=1), "five nearest": Neighbours(n_neighbors=5)}
    >>> evaluate(dataset, models, "pov", split=BlockSplit("25km"))
    <Evaluation of nearest, five nearest: pov, regression, split blocks:25km>
    """
    check_dataset(dataset)
    _check_models(models)
    check_protocol(protocol)
    tasks = _listed(task, "task", TASKS)
    if out is not None:
        check_report_folder(out)
    splits = _named_splits(split, random_state, n_splits)
    given = given_specs(models) if isinstance(models, Mapping) else None
    specs = given if given is not None else find_specs(models)  # an unknown name is reported before photos are decoded
    training = training_options(epochs, iterations, batch_size, learning_rate)
    imagewise = imagewise or ImagewiseSettings()
    for name in tasks:
        check_pool(imagewise.pool, name)
    check_integer("n_neighbor_images", n_neighbor_images, 1)
    check_integer("min_images", min_images, 0)
    features = choose_features(dataset, features)
    with _resume_folder(out) as resume:
        options, among = _options(
            dataset, specs, tasks, features, training, imagewise, random_state, resume.path, progress
        )
        options |= {"neighbours-images": {"n_neighbors": n_neighbor_images}, "imagewise": {"pool": imagewise.pool}}
        if given is None:
            specs = find_specs(models, n_neighbors, features, options, covariates=dataset.covariates is not None)
        if progress:
            progress("making folds")
        splitters = {
            name: splitter_for(dataset, one, random_state, n_splits, buffer_km) if isinstance(one, str) else one
            for name, one in splits.items()
        }
        chosen = dataset.indicators if indicators is None else _listed(indicators, "indicators")
        every_task = _make_tasks(dataset, specs, features, chosen, tasks, splitters, among, min_images, repeats)
        results: list[TaskResult] = []
        settings: dict[str, Any] = {
            "protocol": protocol, "features": features, "random_state": random_state, "resume": resume,
        }  # fmt: skip
        with rows_ahead(dataset, specs, every_task, n_jobs, **settings) as predict_rows:
            for one, predict in zip(every_task, predict_rows, strict=True):
                if on_task:
                    on_task(one)
                own_progress = _within(progress, one, len(results) + 1, len(every_task))
                result = run_task(
                    dataset, specs, one, progress=own_progress, on_row=on_row, predict=predict, **settings
                )  # fmt: skip
                results.append(result)
        has_last = any(one.selection == LAST for result in results for one in result.predicted)
        authors = LAST_WARNING if has_last else AUTHORS_WARNING
        notes = [authors] * (protocol == "authors") + [ROWS_WARNING] * ("rows" in splits)
        notes += notes_on_options([spec.name for spec in specs] if given is None else [], training)
        evaluation = Evaluation(dataset, tuple(results), protocol, random_state, tuple(notes))
        if out is not None:
            if progress:
                progress(f"writing {out}")
            evaluation.write_report(out)
            resume.remove()
    return evaluation


def _check_models(models: Any) -> None:
    if isinstance(models, Mapping) and not models:
        raise InputError("models={}: holds no model; give {'forest': Forest()}", parameter="models")
    listed = list(models) if isinstance(models, list | tuple) else [models]
    for model in listed:
        name = getattr(model, "__name__", type(model).__name__)
        if not isinstance(model, str | Mapping | Iterable):
            message = "models are given by name, or in a dict of names to models"
            raise InputError(
                f"models={name}: {message}; give models={{'{name.lower()}': {name}()}}", parameter="models"
            )


def choose_features(dataset: Dataset, name: str | None) -> str | None:
    """Choose the feature set that models use: the named one, or else the only one beside the object counts; None
    where there is none.

    Raises
    ------
    InputError
        There is none of that name, or there are several and none is named.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> choose_features(make_sample("goa", seed=0), None) is None
    True
    """
    sets = sorted(set(dataset.features) - {"objects"})
    if name is not None and name not in sets:
        raise InputError(f"features={name!r} is not in the dataset; it has {', '.join(sets) or 'none'}", "features")
    if name is None and len(sets) > 1:
        raise InputError(
            f"features=None: the dataset has several feature sets; choose one of {', '.join(sets)}", "features"
        )
    return name or (sets[0] if sets else None)


def _named_splits(split: Any, random_state: int, n_splits: int | None) -> dict[str, Any]:
    """Return the splits by their names in the results: as text where a split is given by name, else as a splitter."""
    if isinstance(split, Mapping):
        splits = {str(name): one for name, one in split.items()}
    else:
        several = split if isinstance(split, list | tuple) else [split]
        named = [(one if isinstance(one, str) else getattr(one, "name", str(one)), one) for one in several]
        splits = dict(named)
        if len(splits) < len(named):
            raise InputError("split: two splits have the same name; give a dict of names to splitters", "split")
    for one in splits.values():
        if isinstance(one, str):
            parse_split(one, random_state, n_splits)
        elif not hasattr(one, "units"):
            raise InputError(
                f"split={one!r}: must be a name, such as 'blocks:100km', or a splitter of geolive.splits", "split"
            )
    return splits


def _options(
    dataset: Dataset,
    specs: list[ModelSpec],
    tasks: list[str],
    features: str | None,
    training: dict[str, Any],
    imagewise: ImagewiseSettings,
    random_state: int,
    folder: Path,
    progress: Callable[[str], None] | None,
):
    """Return further parameters by the kind of model, and the clusters whose photos were decoded (None without such a row)."""
    options = options_by_kind(training)
    parse_imagewise(imagewise.architecture)
    if not any("photos" in spec.needs and not spec.missing(dataset, features) for spec in specs):
        return options, None
    from geolive.models.imagewise.cnn import check_head

    for task in tasks:
        check_head(imagewise.head, task)
    options["imagewise-trained"] = imagewise_options(
        dataset,
        imagewise.architecture,
        folder / "pixels",
        photos=imagewise.photos,
        weights=imagewise.weights,
        head=imagewise.head,
        pool=imagewise.pool,
        random_state=random_state,
        progress=progress,
    )
    return options, options["imagewise-trained"]["library"].ids


def _make_tasks(
    dataset, specs, features, indicators, tasks, splitters, among, min_images, repeats
) -> list[EvaluationTask]:
    of_images = [spec for spec in specs if spec.uses_images and not spec.missing(dataset, features)]
    # a feature set that no row uses must not decide which clusters count
    used = features if any("features" in spec.needs for spec in of_images) else None
    covariates = any("covariates" in spec.needs and not spec.missing(dataset, features) for spec in specs)
    held: dict = {}
    return [
        make_task(
            dataset, indicator, task, splitter, name,
            features=used, needs_images=bool(of_images), needs_covariates=covariates, among=among, min_images=min_images,
            repeats=repeats, held=held,
        )
        for task in tasks
        for indicator in indicators
        for name, splitter in splitters.items()
    ]  # fmt: skip


def _listed(given: str | Iterable[str], parameter: str, known: Iterable[str] | None = None) -> list[str]:
    """Return names as a list, each once; text is split at commas."""
    names = [name.strip() for name in (given.split(",") if isinstance(given, str) else given)]
    for name in names:
        if known is not None and name not in known:
            raise InputError(f"{parameter}={name!r}: must be {' or '.join(known)}", parameter)
    return list(dict.fromkeys(names))


def _within(
    progress: Callable[[str], None] | None, task: EvaluationTask, number: int, of: int
) -> Callable[[str], None] | None:
    """Make a progress callable that also names the task."""
    if progress is None:
        return None
    words = f"{task.indicator}, {task.task}, split {task.split} ({number} of {of})"
    return lambda detail: progress(f"{words}: {detail}")


@contextmanager
def _resume_folder(out: str | Path | None) -> Iterator[ResumeFolder]:
    """Return where finished rows are kept: beside the report, or in a temporary folder where there is none."""
    if out is not None:
        yield ResumeFolder(out)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield ResumeFolder(Path(folder) / "report")
