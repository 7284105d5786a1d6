"""Rows of an evaluation that several processes compute ahead of the one that scores them and writes the report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from geolive.dataset import Dataset
from geolive.evaluation.comparison import predict_or_resume
from geolive.evaluation.cross_validation import Predicted, shared_fits
from geolive.evaluation.model_specs import NETWORKS_OF_PHOTOS, ModelSpec
from geolive.evaluation.tasks import EvaluationTask
from geolive.worker_processes import computed_ahead, usable_processes

PredictRow = Callable[[ModelSpec], list[Predicted]]


@contextmanager
def rows_ahead(
    dataset: Dataset, specs: Sequence[ModelSpec], tasks: Sequence[EvaluationTask], n_jobs: int | None, **options: Any
) -> Iterator[list[PredictRow | None]]:
    """Start to compute all rows of all tasks, short ones first; a row and the same with kriged residuals share their fits.

    Rows that train a network on photos' pixels are computed in this process when they are asked for: one of them uses all cores.

    Parameters
    ----------
    dataset, specs
        As for `geolive.evaluation.comparison.run_task`.
    tasks : sequence of EvaluationTask
    n_jobs : int, optional
        See `geolive.worker_processes.usable_processes`.
    options
        The other parameters of `geolive.evaluation.comparison.predict_or_resume`, without `progress`.

    Yields
    ------
    list of callable
        For each task the function that `run_task` takes as `predict`; None where this process computes all rows itself.

    Examples
    --------
    >>> from geolive.evaluation.model_specs import find_specs
    >>> from geolive.evaluation.tasks import make_task
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> dataset, specs = make_sample("goa", seed=0), find_specs("mean,neighbours")
    >>> task = make_task(dataset, "pov", "regression", RandomSplit())
    >>> options = {"protocol": "nested", "features": None, "random_state": 0, "resume": None}
    >>> with rows_ahead(dataset, specs, [task], 2, **options) as (predict,):
    ...     [predict(spec)[0].model for spec in specs]
    ['mean', 'neighbours']
    """
    if usable_processes(n_jobs) < 2:
        yield [None] * len(tasks)
        return

    features = options["features"]
    wanted = [
        (number, spec)
        for number, task in enumerate(tasks)
        for spec in specs
        if task.task in spec.tasks and not spec.missing(dataset, features) and "photos" not in spec.needs
    ]
    for _, spec in wanted:
        if spec.make is not None:
            with suppress(Exception):  # the row itself reports what it lacks
                spec.make()  # loads the libraries of the model once, for all processes
    groups = _groups(wanted)
    at = {(number, spec.name): i for i, (number, group) in enumerate(groups) for spec in group}
    calls = [partial(_compute, dataset, group, tasks[number], options) for number, group in groups]
    known: dict[int, dict[str, list[Predicted]]] = {}
    with computed_ahead(calls, n_jobs) as ahead:

        def predict(number: int, spec: ModelSpec) -> list[Predicted]:
            rows, group = None, at.get((number, spec.name))
            if group is not None:
                if group not in known:
                    known[group] = ahead.result(group)
                rows = known[group].get(spec.name)
            # a row that failed is computed again here, where its error is shown
            return rows or predict_or_resume(dataset, spec, tasks[number], progress=None, **options)

        yield [partial(predict, number) for number in range(len(tasks))]


def _groups(wanted: Sequence[tuple[int, ModelSpec]]) -> list[tuple[int, list[ModelSpec]]]:
    """Put a row and the same row with kriged residuals together, since they share fits; the dearest of the networks come first.

    The longest calls start first, so that no process waits long for another at the end; but rows that take seconds stay in front.
    """
    groups: dict[tuple[int, str], list[ModelSpec]] = {}
    for number, spec in wanted:
        groups.setdefault((number, spec.plain or spec.name), []).append(spec)
    # the row without kriged residuals comes first, whatever the order in which they were asked for
    ordered = [(number, sorted(group, key=lambda spec: bool(spec.plain))) for (number, _), group in groups.items()]
    return sorted(ordered, key=lambda one: 0 if not _is_network(one[1][0]) else 1 if len(one[1]) > 1 else 2)


def _is_network(spec: ModelSpec) -> bool:
    return spec.name.startswith(NETWORKS_OF_PHOTOS)


def _compute(
    dataset: Dataset, group: list[ModelSpec], task: EvaluationTask, options: dict[str, Any]
) -> dict[str, list[Predicted]]:
    """Compute the rows of a group; those that fail are left out."""
    fits, found = shared_fits(group), {}
    for spec in group:
        with suppress(Exception):
            found[spec.name] = predict_or_resume(dataset, spec, task, progress=None, fits=fits, **options)
    return found
