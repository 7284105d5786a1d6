"""Predict a row of the results fold by fold: fit to the training part of each fold, and predict its test part."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from geolive.errors import InputError
from geolive.evaluation.best_of import BestOf
from geolive.evaluation.leaks import Pairs
from geolive.evaluation.model_specs import ModelSpec
from geolive.evaluation.name_words import model_words
from geolive.evaluation.previous_survey import PREVIOUS_KM, previous_values
from geolive.evaluation.tasks import EvaluationTask
from geolive.models.cross_validation import fit_folds
from geolive.models.interface import Model
from geolive.models.residual_kriging import ResidualKriging

PROTOCOLS = ("nested", "authors")
# how the tested fold has a say in a model under the authors' protocol: by the best of its checkpoints, not in those of its
# last epoch, by the choice of settings, or not at all, because the model takes no validation set
SELECTIONS = BEST, LAST, CHOSEN, NONE = ("best checkpoint", "last checkpoint", "chosen", "none")
# fitted models by the name of the row, one for each fold of each partition
Fits = dict[str, list[Model]]
# ends the names of rows that are the last checkpoints of the row before
LAST_ENDING = "+last"


@dataclass(frozen=True)
class Predicted:
    """The predictions of a row.

    Parameters
    ----------
    model : str
        Name of the row in the results.
    params : dict
        Facts about the model that JSON can hold.
    values : array of float, shape (partitions, n)
        NaN where a cluster is not tested or not predicted.
    curves : list of dict
        Learning curves of the first partition, one or several networks a fold: `fold`, `train`, `validation`, `best`.
    out_of_fold : bool
        Whether the predictions come from models that were fitted without the cluster's fold.
    uses_images : bool
        Whether the row uses images; a row that does not is a baseline.
    selection : str
        Under the authors' protocol, how the tested fold has a say in the model, one of `SELECTIONS`; else "".
    about : str
        What the model does, in a sentence or two.
    images : array of float, shape (images, 3)
        Models that predict image by image: partition, row of the cluster, and prediction of each tested image.
    """

    model: str
    params: dict
    values: np.ndarray
    curves: list[dict] = field(default_factory=list)
    out_of_fold: bool = True
    uses_images: bool = True
    selection: str = ""
    about: str = ""
    images: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))

    @property
    def is_optimistic(self) -> bool:
        """Whether the tested clusters chose the model's checkpoint or settings."""
        return self.selection in (BEST, CHOSEN)


class FoldError(Exception):
    """A model failed in a fold; `cause` is what it raised."""

    def __init__(self, cause: Exception, fold: int, of: int) -> None:
        reason = " ".join(f"{type(cause).__name__}: {cause}".split())
        super().__init__(f"fold {fold} of {of}: {reason}")
        self.cause = cause


def predict_spec(
    spec: ModelSpec,
    task: EvaluationTask,
    protocol: str,
    random_state: int = 0,
    progress: Callable[[str], None] | None = None,
    fits: Fits | None = None,
) -> list[Predicted]:
    """Predict each tested cluster of each partition by a model that was fitted without its fold.

    A model that trains with checkpoints gives two rows under the authors' protocol: its best checkpoints on the tested folds,
    which flatter, and its last ones.

    Parameters
    ----------
    spec : ModelSpec
    task : EvaluationTask
    protocol : {"nested", "authors"}
        nested: settings and epochs are chosen within the training part. authors: they are chosen on the fold that the figures
        are of, as Lee et al. did, which flatters.
    random_state : int
        Seed of the models.
    progress : callable, optional
        Called with a sentence before each fold.
    fits : dict of str to list of Model, optional
        By the names of rows, the models that were fitted to each fold, see `shared_fits`. The row adds its own where its name is
        there. A row with kriged residuals takes those of the row without.

    Raises
    ------
    FoldError
        A fold failed; the message names the fold and the reason.

    Returns
    -------
    list of Predicted
        One row, or two.

    Examples
    --------
    >>> from geolive.evaluation.tasks import make_task
    >>> from geolive.evaluation.model_specs import find_specs
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> task = make_task(make_sample("goa", seed=0), "pov", "regression", RandomSplit())
    >>> (predicted,) = predict_spec(find_specs("mean")[0], task, "nested")
    >>> predicted.model, predicted.values.shape == (1, len(task.values))
    ('mean', True)
    """
    if spec.make is None:
        return [_previous_survey(task)]
    model = spec.make().for_task(task.task, random_state)
    known = iter((fits or {}).get(spec.plain, []) if protocol == "nested" else [])
    best, last = _OutOfFold(task), _OutOfFold(task)
    fitted: list[Model] = []
    curves: list[dict] = []
    for number, pairs in enumerate(task.partitions):
        report_progress = _progress(progress, spec.name, number, len(task.partitions))
        for fold, test, one in _fit_partition(
            model, spec.variant, task, pairs, protocol, random_state, report_progress, known
        ):
            with _errors_of_fold(fold, len(pairs)):
                best.predict(one, number, test)
                checkpoint = one.last_checkpoint() if protocol == "authors" and one.takes_validation else one
                if checkpoint is not one:
                    last.predict(checkpoint, number, test)
            fitted.append(one)
            if number == 0:
                curves += [{"fold": fold + 1} | curve for curve in _curves(one)]
    if fits is not None and spec.name in fits:
        fits[spec.name] = fitted
    name, params = _name(spec, fitted[0]), _params(spec, fitted)
    about = model_words(fitted[0], spec.variant)
    if protocol == "nested":
        alone = Predicted(name, params, best.values, curves, uses_images=spec.uses_images, about=about)
        return [replace(alone, images=best.images)]
    selection = CHOSEN if fitted[0].takes_validation else NONE
    kinds = [(name, selection, best)] if last.is_empty else [(name, BEST, best), (name + LAST_ENDING, LAST, last)]
    return [
        Predicted(
            own,
            params | {"checkpoint": _CHECKPOINTS[kind]},
            found.values,
            curves if found is best else [],
            uses_images=spec.uses_images,
            selection=kind,
            about=" ".join(filter(None, (about, _OF_CHECKPOINTS.get(kind)))),
            images=found.images,
        )
        for own, kind, found in kinds
    ]


def shared_fits(specs: Iterable[ModelSpec]) -> Fits:
    """Return a dictionary for the fitted models of the rows that are also asked for with kriged residuals.

    Examples
    --------
    >>> from geolive.evaluation.model_specs import find_specs
    >>> shared_fits(find_specs("mean,forest,forest+kriged"))
    {'forest': []}
    """
    specs = list(specs)
    names = {spec.name for spec in specs}
    return {spec.plain: [] for spec in specs if spec.plain in names}


class _OutOfFold:
    """Collects the predictions of the tested clusters of a task, fold by fold."""

    def __init__(self, task: EvaluationTask) -> None:
        self._task = task
        self.values = np.full((len(task.partitions), len(task.values)), np.nan)
        self._images = [np.empty((0, 3))]

    @property
    def is_empty(self) -> bool:
        return bool(np.isnan(self.values).all())

    @property
    def images(self) -> np.ndarray:
        """Partition, row of the cluster, and prediction of each image, shape (images, 3)."""
        return np.concatenate(self._images)

    def predict(self, model: Model, partition: int, test: np.ndarray) -> None:
        """Predict the tested rows of a partition by a fitted model."""
        places = self._task.places.take(test)
        self.values[partition, test] = model.predict(places)
        if not np.isfinite(self.values[partition, test]).all():
            raise InputError(f"{model.name} predicted a value that is not finite")
        if (of_images := model.predict_images(places)) is not None:
            row, predictions = of_images
            self._images.append(np.column_stack([np.full(len(row), partition), test[row], predictions]))


def _progress(
    progress: Callable[[str], None] | None, name: str, partition: int, partitions: int
) -> Callable[[str], None] | None:
    """Make a progress callable that also names the row and the partition."""
    if progress is None:
        return None
    again = f", partition {partition + 1} of {partitions}" if partitions > 1 else ""
    return lambda words: progress(f"{name}: {words}{again}")


@contextmanager
def _errors_of_fold(fold: int, of: int) -> Iterator[None]:
    """Raise what goes wrong as an error that names the fold."""
    try:
        yield
    except Exception as error:
        raise FoldError(error, fold + 1, of) from error


def _fit_partition(
    model: Model,
    variant: str,
    task: EvaluationTask,
    pairs: Pairs,
    protocol: str,
    random_state: int,
    progress: Callable[[str], None] | None,
    known: Iterator[Model],
) -> Iterator[tuple[int, np.ndarray, Model]]:
    """Yield each fold's number, the rows to predict, and the model that was fitted for them.

    `known` are the fitted models of the same row without kriged residuals, as far as there are any.
    """
    parts = []
    for fold, (train, test) in enumerate(pairs):
        with _errors_of_fold(fold, len(pairs)):
            parts += [(fold, own, tested) for own, tested in _parts(variant, task, train, test, random_state)]
    rows = [(own, tested) for _, own, tested in parts]
    validate = protocol == "authors"
    options: dict[str, Any] = {"sample_sizes": task.sample_sizes, "validate": validate, "progress": progress}

    def reuse(copy: Model, _: int) -> None:
        if isinstance(copy, ResidualKriging) and (one := next(known, None)) is not None:
            copy.reuse(one)

    options["prepare"] = reuse
    fits = fit_folds(model, task.places, task.values, rows, **options)
    for fold, _, tested in parts:
        with _errors_of_fold(fold, len(pairs)):
            fit = next(fits)
        yield fold, tested, fit.model


def _parts(variant: str, task: EvaluationTask, train: np.ndarray, test: np.ndarray, random_state: int) -> Pairs:
    """Return the pairs of rows to fit and to predict in a fold: the fold itself, half of each country, or each country alone."""
    countries = task.clusters["country"].astype(str).to_numpy(object)
    if variant == "pooled-50":
        rng = np.random.default_rng(random_state)
        parts = [np.flatnonzero(countries[train] == c) for c in np.unique(countries[train])]
        halves = [np.sort(rng.permutation(part)[: -(-len(part) // 2)]) for part in parts]
        return [(train[np.sort(np.concatenate(halves))], test)]
    if variant != "own-country":
        return [(train, test)]
    pairs = []
    for country in np.unique(countries[test]):
        own = train[countries[train] == country]
        if not len(own):
            raise InputError(f"no training cluster in country {str(country)!r}, so it has no model of its own")
        pairs.append((own, test[countries[test] == country]))
    return pairs


def _name(spec: ModelSpec, model: Model) -> str:
    """Name of the row: as given, else the model's own, with its variant."""
    if spec.label:
        return spec.label
    return f"{model.name}+{spec.variant}" if spec.variant else model.name


_OF_CHECKPOINTS = {
    BEST: "These are its best checkpoints on the tested clusters, so the figures are optimistic.",
    LAST: "These are its checkpoints of the last epoch.",
    CHOSEN: "The tested clusters chose its settings, so the figures are optimistic.",
}
_CHECKPOINTS = {
    BEST: "best on validation (optimistic)",
    LAST: "last",
    CHOSEN: "best on validation (optimistic)",
    NONE: "takes no validation set",
}


def _params(spec: ModelSpec, fitted: list[Model]) -> dict:
    first = fitted[0]
    if isinstance(first, BestOf):
        return {"chosen": dict(sorted(Counter(model.chosen_.name for model in fitted).items()))}
    params = json.loads(json.dumps(first.params, default=str))
    return params | ({"countries": spec.variant} if spec.variant else {})


def _curves(model: Model) -> list[dict]:
    """Return the learning curves of the model's networks; none for other models."""
    return [
        {
            "model": model.name,
            "train": [float(loss) for loss in curve.train],
            "validation": [float(loss) for loss in curve.validation],
            "best": int(curve.best),
        }
        for curve in model.curves
        if curve.train
    ]


def _previous_survey(task: EvaluationTask) -> Predicted:
    values = previous_values(task)
    tested = np.stack([task.folds(number) >= 0 for number in range(len(task.partitions))])
    values = np.where(tested, values, np.nan)
    about = f"The value of an earlier survey within {PREVIOUS_KM:g} km of the place. It is not a model."
    facts = {"within_km": PREVIOUS_KM}
    return Predicted("previous-survey", facts, values, out_of_fold=False, uses_images=False, about=about)
