"""Models compared on one task: the same clusters, values and folds."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.evaluation.cross_validation import (
    LAST,
    LAST_ENDING,
    PROTOCOLS,
    Fits,
    FoldError,
    Predicted,
    predict_spec,
    shared_fits,
)
from geolive.evaluation.model_specs import ModelSpec
from geolive.evaluation.resume import ResumeFolder
from geolive.evaluation.tables import (
    DIFFERENCE_COLUMNS,
    PREDICTION_COLUMNS,
    RESULT_COLUMNS,
    STRATA_COLUMNS,
    differences,
    failed_results,
    prediction_rows,
    row_results,
    stratum_results,
)
from geolive.evaluation.tasks import EvaluationTask
from geolive.extras import MissingExtraError

AUTHORS_WARNING = (
    "protocol authors: checkpoints and settings are chosen on the clusters that the figures are of, as Lee et al. did; "
    "such figures flatter"
)
LAST_WARNING = f"{AUTHORS_WARNING}, except those of rows whose names end in {LAST_ENDING}"


@dataclass(frozen=True)
class TaskResult:
    """The rows' predictions and figures for one task.

    Parameters
    ----------
    task : EvaluationTask
    predicted : list of Predicted
        Of the rows that succeeded, in order.
    results, strata, differences, predictions : DataFrame
        As `geolive.evaluation.tables` makes them.
    failed : dict of str to Exception
        What went wrong in the rows that failed.
    lacking : dict of str to str
        What rows need that the dataset lacks.
    """

    task: EvaluationTask
    predicted: list[Predicted]
    results: pd.DataFrame
    strata: pd.DataFrame
    differences: pd.DataFrame
    predictions: pd.DataFrame
    failed: dict[str, Exception] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)

    @property
    def out_of_fold(self) -> list[Predicted]:
        """The rows whose predictions come from models that were fitted without the cluster's fold."""
        return [one for one in self.predicted if one.out_of_fold]

    @property
    def apart(self) -> list[Predicted]:
        """The rows that see the fold; they are judged in a table of their own."""
        return [one for one in self.predicted if not one.out_of_fold]


def run_task(
    dataset: Dataset,
    specs: list[ModelSpec],
    task: EvaluationTask,
    *,
    protocol: str = "nested",
    features: str | None = None,
    random_state: int = 0,
    resume: ResumeFolder | None = None,
    progress: Callable[[str], None] | None = None,
    on_row: Callable[[pd.DataFrame], None] | None = None,
    predict: Callable[[ModelSpec], list[Predicted]] | None = None,
) -> TaskResult:
    """Predict with each row and score it. A row that fails or lacks its inputs is reported, and the others go on.

    Parameters
    ----------
    dataset : Dataset
    specs : list of ModelSpec
    task : EvaluationTask
    protocol : {"nested", "authors"}
    features : str, optional
        The feature set of the task's places.
    random_state : int
        Seed of models and resamples.
    resume : ResumeFolder, optional
        Keeps finished rows; a row that is there is not computed again.
    progress : callable, optional
        Called with a sentence before each fold.
    on_row : callable, optional
        Called with the figures of each row when they are known.
    predict : callable, optional
        Returns the predictions of a row, in place of `predict_or_resume`; for rows that other processes compute.

    Returns
    -------
    TaskResult

    Examples
    --------
    >>> from geolive.evaluation.model_specs import find_specs
    >>> from geolive.evaluation.tasks import make_task
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> dataset = make_sample("goa", seed=0)
    >>> result = run_task(dataset, find_specs("mean,gcn-feats"), make_task(dataset, "pov", "regression", RandomSplit()))
    >>> result.results.groupby("model", sort=False).value.first().to_dict()
    {'mean': 0.0, 'gcn-feats': nan}
    """
    predicted: list[Predicted] = []
    results: list[pd.DataFrame] = []
    failed: dict[str, Exception] = {}
    lacking: dict[str, str] = {}
    fits = shared_fits(specs)
    for spec in specs:
        if task.task not in spec.tasks:
            continue
        if missing := spec.missing(dataset, features):
            lacking[spec.name] = missing
            results.append(failed_results(task, spec.name, f"not run: {missing}"))
            continue
        try:
            if predict is not None:
                if progress:
                    progress(spec.name)
                rows = predict(spec)
            else:
                rows = predict_or_resume(dataset, spec, task, protocol, features, random_state, resume, progress, fits)
            # two rows of one name would be one row in every table
            rows = rows if not {one.model for one in rows} & {one.model for one in predicted} else _renamed(rows, spec)
            figures = [row_results(task, one, protocol, random_state) for one in rows]
        except MissingExtraError as error:
            lacking[spec.name] = str(error)
            results.append(failed_results(task, spec.label or spec.name, f"not run: {error}"))
            continue
        except Exception as error:  # one model's failure must not cost the figures of the others
            failed[spec.name] = getattr(error, "cause", error)
            words = str(error) if isinstance(error, FoldError) else f"{type(error).__name__}: {error}"
            rows, figures = [], [failed_results(task, spec.label or spec.name, f"failed: {' '.join(words.split())}")]
        predicted += rows
        results += figures
        if on_row:
            for table in figures:
                on_row(table)
    out_of_fold = [one for one in predicted if one.out_of_fold]
    return TaskResult(
        task,
        predicted,
        _together(results, RESULT_COLUMNS),
        _together([stratum_results(task, one, protocol, random_state) for one in out_of_fold], STRATA_COLUMNS),
        _together([differences(task, predicted, protocol, random_state)], DIFFERENCE_COLUMNS),
        _together([prediction_rows(task, one) for one in predicted], PREDICTION_COLUMNS),
        failed,
        lacking,
    )


def check_protocol(protocol: str) -> None:
    """Raise InputError where there is no such protocol.

    Examples
    --------
    >>> check_protocol("best")
    Traceback (most recent call last):
    geolive.errors.InputError: protocol='best': must be nested or authors
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol={protocol!r}: must be {' or '.join(PROTOCOLS)}", "protocol")


def predict_or_resume(
    dataset: Dataset,
    spec: ModelSpec,
    task: EvaluationTask,
    protocol: str,
    features: str | None,
    random_state: int,
    resume: ResumeFolder | None,
    progress: Callable[[str], None] | None,
    fits: Fits | None = None,
) -> list[Predicted]:
    """Return the rows of a model: those that an interrupted run has kept, else new ones, which are kept.

    The parameters are those of `run_task`, and `fits` is that of `geolive.evaluation.cross_validation.predict_spec`.
    """
    model = None if spec.make is None else spec.make()
    # the code of a user's own model may change between two runs, and its parameters would not show that
    ours = model is None or type(model).__module__.startswith("geolive.")
    if resume is None or not ours:
        return predict_spec(spec, task, protocol, random_state, progress, fits)
    names = task.clusters["unique_cluster"].to_numpy(object).tolist()
    settings = [] if model is None else [type(model).__name__, model.params]
    about: list = [dataset.checksum, spec.name, spec.label, spec.variant, settings, task.indicator, task.task]
    about += [protocol, features, random_state, names]
    folds = [np.asarray(rows, np.int64) for pairs in task.partitions for pair in pairs for rows in pair]
    key = resume.key(about, task.values, *folds)
    if kept := resume.find(key):
        return kept
    predicted = predict_spec(spec, task, protocol, random_state, progress, fits)
    resume.keep(key, predicted)
    return predicted


def _renamed(rows: list[Predicted], spec: ModelSpec) -> list[Predicted]:
    """Name a model's rows as the user named the model."""
    return [replace(one, model=spec.name + (LAST_ENDING if one.selection == LAST else "")) for one in rows]


def _together(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
