"""A row of the table predicted fold by fold: fitted to what a fold learns from, asked for what it tests."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from geolive.errors import InputError
from geolive.evaluation.model_specs import ModelSpec
from geolive.evaluation.tasks import EvaluationTask
from geolive.geodesy import chord_to_km, unit_sphere
from geolive.models.cross_validation import cross_val_predict
from geolive.models.interface import Model
from geolive.places import Places

PROTOCOLS = ("nested", "authors")
INNER_FOLDS = 3
# DHS displaces points by up to 10 km: an earlier survey's cluster within that may be the same place
PREVIOUS_KM = 10.0


@dataclass(frozen=True)
class Predicted:
    """What a row predicts.

    Parameters
    ----------
    model : str
        Its name in the results.
    params : dict
        As JSON.
    values : array of float, shape (partitions, n)
        NaN where a cluster is not tested or not predicted.
    curves : list of dict
        Learning curves of the first partition, one or several networks a fold: `fold`, `train`, `validation`, `best`.
    """

    model: str
    params: dict
    values: np.ndarray
    curves: list[dict] = field(default_factory=list)


def predict_spec(
    row: ModelSpec,
    evaluation_task: EvaluationTask,
    protocol: str,
    seed: int = 0,
    tell: Callable[[str], None] | None = None,
) -> Predicted:
    """Predict each tested cluster of each partition by a model that was fitted without its fold.

    Parameters
    ----------
    row : ModelSpec
    evaluation_task : EvaluationTask
    protocol : {"nested", "authors"}
        nested: what there is to choose is chosen within the training part. authors: on the fold that the figures are of, as
        Lee et al. did: flattering.
    seed : int
    tell : callable, optional
        Told in words what is under way.

    Raises
    ------
    FoldError
        A fold failed; its message names the fold and the reason.

    Examples
    --------
    >>> from geolive.evaluation.tasks import make_task
    >>> from geolive.evaluation.model_specs import find_specs
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> evaluation_task = make_task(make_sample("goa", seed=0), "pov", "regression", RandomSplit(), "random")
    >>> predicted = predict_spec(find_specs("mean")[0], evaluation_task, "nested")
    >>> predicted.model, predicted.values.shape == (1, len(evaluation_task.values))
    ('mean', True)
    """
    if not row.makers:
        return _previous_survey(evaluation_task)
    found = np.full((len(evaluation_task.partitions), len(evaluation_task.values)), np.nan)
    about, curves, chosen = None, [], []
    for number, pairs in enumerate(evaluation_task.partitions):
        for fold, (learn, test) in enumerate(pairs):
            if tell:
                partition = (
                    f", partition {number + 1} of {len(evaluation_task.partitions)}"
                    if len(evaluation_task.partitions) > 1
                    else ""
                )
                tell(f"{row.name}: fold {fold + 1} of {len(pairs)}{partition}")
            try:
                for part, model in _fitted(row, evaluation_task, learn, test, protocol, seed):
                    found[number, part] = model.predict(evaluation_task.places.take(part))
                    chosen.append(model.name)
                    about = about or model
                    if number == 0:
                        curves += [{"fold": fold + 1} | curve for curve in _curves(model)]
            except Exception as error:
                raise FoldError(error, fold + 1, len(pairs)) from error
            if not np.isfinite(found[number, test]).all():
                reason = InputError(f"{about.name} predicted a value that is not finite")
                raise FoldError(reason, fold + 1, len(pairs))
    return Predicted(*_name_and_params(row, about, chosen, protocol), found, curves)


class FoldError(Exception):
    """A model failed in a fold; `cause` is what it raised."""

    def __init__(self, cause: Exception, fold: int, of: int) -> None:
        said = " ".join(f"{type(cause).__name__}: {cause}".split())
        super().__init__(f"fold {fold} of {of}: {said}")
        self.cause = cause


def _name_and_params(row: ModelSpec, model: Model, chosen: list[str], protocol: str) -> tuple[str, dict]:
    name, params = model.name, json.loads(json.dumps(model.params, default=str))
    if protocol == "authors" and model.takes_validation:
        params |= {"checkpoint": "best on validation"}
    if len(row.makers) > 1:
        names, counts = np.unique(chosen, return_counts=True)
        return row.name, {"chosen": dict(zip(names.tolist(), counts.tolist(), strict=True))}
    if row.variant:
        return f"{name}+{row.variant}", params | {"countries": row.variant}
    return name, params


def _fitted(row: ModelSpec, evaluation_task: EvaluationTask, learn, test, protocol: str, seed: int):
    """Rows to predict and the model fitted for them; several pairs where each country has its own."""
    countries = evaluation_task.clusters["country"].to_numpy(object)
    if row.variant == "pooled-50":
        rng = np.random.default_rng(seed)
        parts = [np.flatnonzero(countries[learn] == c) for c in np.unique(countries[learn].astype(str))]
        halves = [np.sort(rng.permutation(part)[: -(-len(part) // 2)]) for part in parts]
        learn = learn[np.sort(np.concatenate(halves))]
    if row.variant != "own-country":
        yield test, _fit(row.makers, evaluation_task, learn, test, protocol, seed)
        return
    for country in np.unique(countries[test].astype(str)):
        own, tested = learn[countries[learn] == country], test[countries[test] == country]
        if not len(own):
            raise InputError(f"no training cluster in country {country!r}, so it has no model of its own")
        yield tested, _fit(row.makers, evaluation_task, own, tested, protocol, seed)


def _fit(makers, evaluation_task: EvaluationTask, learn, test, protocol: str, seed: int) -> Model:
    places, values = evaluation_task.places.take(learn), evaluation_task.values[learn]
    validation = (evaluation_task.places.take(test), evaluation_task.values[test])
    ready = [partial(make, task=evaluation_task.task, random_state=seed) for make in makers]
    if len(ready) > 1 and protocol == "nested":
        ready = [_chosen_within(ready, places, values, seed)]
    fitted = [_fit_one(make(), places, values, validation if protocol == "authors" else None) for make in ready]
    if len(fitted) == 1:
        return fitted[0]
    return min(fitted, key=lambda model: _squares(model.predict(validation[0]), validation[1]))


def _fit_one(model: Model, places: Places, values: np.ndarray, validation) -> Model:
    if validation is not None and model.takes_validation:
        return model.fit(places, values, validation=validation)
    return model.fit(places, values)


def _chosen_within(makers, places: Places, values: np.ndarray, seed: int):
    """The maker whose models have the least squared error out of fold, within the training part."""
    from geolive.models.inner_folds import inner_folds

    folds = inner_folds(places.positions, INNER_FOLDS, seed)
    return min(makers, key=lambda make: _squares(cross_val_predict(make(), places, values, folds), values))


def _squares(predictions: np.ndarray, values: np.ndarray) -> float:
    return float(((predictions - values) ** 2).mean())


def _curves(model: Model) -> list[dict]:
    """How the model's networks were trained; none for other models."""
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


def _previous_survey(evaluation_task: EvaluationTask) -> Predicted:
    """The value of the nearest cluster of the latest earlier survey within 10 km, in the same country."""
    from scipy.spatial import cKDTree

    clusters = evaluation_task.clusters
    year = clusters["year"].to_numpy(float)
    sphere = unit_sphere(evaluation_task.places.positions)
    found = np.full(len(clusters), np.nan)
    for country in clusters["country"].astype(str).unique():
        own = (clusters["country"].astype(str) == country).to_numpy()
        # from the earliest on, so that the latest earlier survey has the last word
        for then in np.unique(year[own & np.isfinite(year)]):
            earlier, later = np.flatnonzero(own & (year == then)), np.flatnonzero(own & (year > then))
            if len(later):
                chord, nearest = cKDTree(sphere[earlier]).query(sphere[later])
                near = chord_to_km(chord) <= PREVIOUS_KM
                found[later[near]] = evaluation_task.values[earlier[nearest[near]]]
    if not np.isfinite(found).any():
        raise InputError(f"no cluster has one of an earlier survey within {PREVIOUS_KM:g} km in its country")
    tested = np.stack([evaluation_task.folds(number) >= 0 for number in range(len(evaluation_task.partitions))])
    return Predicted("previous-survey", {"within_km": PREVIOUS_KM}, np.where(tested, found, np.nan))
