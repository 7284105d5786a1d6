"""Rows of an evaluation that several processes compute ahead of the one that scores them and writes the report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from geolive.dataset import Dataset
from geolive.evaluation.comparison import predict_or_resume
from geolive.evaluation.cross_validation import Predicted
from geolive.evaluation.model_specs import ModelSpec
from geolive.evaluation.tasks import EvaluationTask
from geolive.worker_processes import computed_ahead, usable_processes

PredictRow = Callable[[ModelSpec], list[Predicted]]


@contextmanager
def rows_ahead(
    dataset: Dataset, specs: Sequence[ModelSpec], tasks: Sequence[EvaluationTask], n_jobs: int | None, **options: Any
) -> Iterator[list[PredictRow | None]]:
    """Start to compute all rows of all tasks, in the order in which they are asked for.

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

    def compute(number: int, spec: ModelSpec) -> list[Predicted]:
        return predict_or_resume(dataset, spec, tasks[number], progress=None, **options)

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
    at = {(number, spec.name): i for i, (number, spec) in enumerate(wanted)}
    with computed_ahead([partial(compute, *row) for row in wanted], n_jobs) as ahead:

        def predict(number: int, spec: ModelSpec) -> list[Predicted]:
            row = at.get((number, spec.name))
            return compute(number, spec) if row is None else ahead.result(row)

        yield [partial(predict, number) for number in range(len(tasks))]
