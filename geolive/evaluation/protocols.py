"""Models compared on the same folds of the same clusters."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.evaluation.cross_validation import FoldError, Predicted, predict_spec
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
from geolive.evaluation.tasks import EvaluationTask, make_task
from geolive.files import new_folder
from geolive.models.interface import Model

AUTHORS_WARNING = (
    "protocol authors: checkpoints and settings are chosen on the clusters that the figures are of, as Lee et al. did; "
    "such figures flatter"
)


@dataclass(frozen=True)
class EvaluationResult:
    """What the rows gave to one evaluation_task.

    Parameters
    ----------
    evaluation_task : EvaluationTask
    predicted : list of Predicted
        Of the rows that went through, in order.
    results, strata, differences, predictions : DataFrame
        As `geolive.evaluation.tables` makes them.
    failed : dict of str to Exception
        What went wrong in the rows that failed.
    lacking : dict of str to str
        What rows need that the dataset lacks.
    """

    evaluation_task: EvaluationTask
    predicted: list[Predicted]
    results: pd.DataFrame
    strata: pd.DataFrame
    differences: pd.DataFrame
    predictions: pd.DataFrame
    failed: dict[str, Exception] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)


def run_task(
    dataset: Dataset,
    rows: list[ModelSpec],
    evaluation_task: EvaluationTask,
    *,
    protocol: str = "nested",
    features: str | None = None,
    seed: int = 0,
    work: ResumeFolder | None = None,
    tell: Callable[[str], None] | None = None,
    show: Callable[[pd.DataFrame], None] | None = None,
) -> EvaluationResult:
    """Predict with each row, and score. A row that fails, or lacks its inputs, is reported; the others go on.

    Parameters
    ----------
    dataset : Dataset
    rows : list of ModelSpec
    evaluation_task : EvaluationTask
    protocol : {"nested", "authors"}
    features : str, optional
        The feature set that `evaluation_task.places` hold.
    seed : int
    work : ResumeFolder, optional
        Keeps finished rows; a row that is there is not computed again.
    tell : callable, optional
        Told in words what is under way.
    show : callable, optional
        Given the figures of each row as they come.

    Returns
    -------
    EvaluationResult

    Examples
    --------
    >>> from geolive.evaluation.model_specs import find_specs
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.splits import RandomSplit
    >>> dataset = make_sample("goa", seed=0)
    >>> evaluation_task = make_task(dataset, "pov", "regression", RandomSplit(), "random")
    >>> found = run_task(dataset, find_specs("mean,gcn-feats"), evaluation_task)
    >>> found.results.groupby("model", sort=False).value.first().to_dict()
    {'mean': 0.0, 'gcn-feats': nan}
    """
    predicted, results, strata, predictions, failed, lacking = [], [], [], [], {}, {}
    for row in rows:
        if evaluation_task.task not in row.tasks:
            continue
        if missing := row.missing(dataset, features):
            lacking[row.name] = missing
            results.append(failed_results(evaluation_task, row.name, f"not run: {missing}"))
        else:
            try:
                found = _predicted(dataset, row, evaluation_task, protocol, features, seed, work, tell)
                figures = row_results(evaluation_task, found, protocol, seed)
                strata.append(stratum_results(evaluation_task, found, protocol, seed))
                predictions.append(prediction_rows(evaluation_task, found))
                predicted.append(found)
                results.append(figures)
            except Exception as error:  # one model's failure must not cost the figures of the others
                failed[row.name] = getattr(error, "cause", error)
                words = str(error) if isinstance(error, FoldError) else f"{type(error).__name__}: {error}"
                results.append(failed_results(evaluation_task, row.name, f"failed: {' '.join(words.split())}"))
        if show and row.name not in lacking:
            show(results[-1])
    return EvaluationResult(
        evaluation_task,
        predicted,
        _together(results, RESULT_COLUMNS),
        _together(strata, STRATA_COLUMNS),
        differences(evaluation_task, predicted, protocol, seed)
        if predicted
        else pd.DataFrame(columns=DIFFERENCE_COLUMNS),
        _together(predictions, PREDICTION_COLUMNS),
        failed,
        lacking,
    )


def compare(
    dataset: Dataset,
    models: dict[str, Model],
    indicator: str,
    task: str,
    splitter,
    split_name: str,
    seed: int = 0,
    repeats: int = 5,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and out-of-fold predictions of one's own models on the same folds, in one call.

    A model that fails is reported and the others go on.

    Parameters
    ----------
    dataset : Dataset
        Its clusters with a value of the indicator are used.
    models : dict of str to Model
        Unfitted models, which stay as they are. A model's name in the results is
        its own (the mean of labels is "majority"); the key stands in where it fails.
    indicator : str
    task : {"regression", "classification"}
        Predict the indicator's value, or its label.
    splitter
        One of `geolive.splits`.
    split_name : str
        What to call it, for example "blocks:100km".
    seed : int
    repeats : int
        Partitions that intervals span where a spatial split has fewer than 30 units.

    Returns
    -------
    results : DataFrame
        One figure a row: `model`, `params` (JSON), `indicator`, `task`, `split`, `protocol`, `metric`, `value`,
        `lower`, `upper` (95 % interval), `n` (clusters). Where a model failed the figures are null and `protocol` says
        why.
    predictions : DataFrame
        One cluster and model a row: `model`, `unique_cluster`, `lon`, `lat` (degrees), `fold`, `value`, `prediction`.

    Raises
    ------
    InputError
        The dataset has no such indicator, or too few clusters for the split.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.models.baselines import Mean
    >>> from geolive.sources.survey.reader import read_survey
    >>> from geolive.splits import RandomSplit
    >>> survey = Path(tempfile.mkdtemp()) / "survey.csv"
    >>> _ = survey.write_text("lon,lat,wealth\\n" + "\\n".join(f"{80 + i},25,{i * i}" for i in range(10)))
    >>> dataset = read_survey(survey, lon="lon", lat="lat", values={"wealth": "wealth"})
    >>> results, predictions = compare(dataset, {"mean": Mean()}, "wealth", "regression", RandomSplit(), "random")
    >>> results.metric.tolist()[:2], float(results.value[0])
    (['r2', 'rmse'], 0.0)
    """
    evaluation_task = make_task(dataset, indicator, task, splitter, split_name, repeats=repeats)
    rows = [ModelSpec(name, (partial(_for_task, model),)) for name, model in models.items()]
    found = run_task(dataset, rows, evaluation_task, seed=seed)
    return found.results, found.predictions


def _for_task(model: Model, task: str, random_state: int) -> Model:
    return model.for_task(task, random_state)


def write_results(results: pd.DataFrame, predictions: pd.DataFrame, folder: str | Path) -> Path:
    """Write `results.csv` and `predictions.parquet` to a new folder, both or neither.

    Parameters
    ----------
    results, predictions : DataFrame
        As `compare` returns them; several may be concatenated.
    folder : str or Path
        Must not exist, or be empty.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    InputError
        The folder is not free, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> none = pd.DataFrame(columns=RESULT_COLUMNS), pd.DataFrame(columns=PREDICTION_COLUMNS)
    >>> sorted(path.name for path in write_results(*none, Path(tempfile.mkdtemp()) / "report").iterdir())
    ['predictions.parquet', 'results.csv']
    """
    with new_folder(folder) as temporary:
        write_tables(results, predictions, temporary)
    return Path(folder)


def write_tables(results: pd.DataFrame, predictions: pd.DataFrame, folder: Path) -> None:
    """Write `results.csv` and `predictions.parquet` into a folder that is there."""
    results.to_csv(folder / "results.csv", index=False, lineterminator="\n")
    predictions.to_parquet(folder / "predictions.parquet", index=False)


def _predicted(
    dataset, row: ModelSpec, evaluation_task: EvaluationTask, protocol, features, seed, work, tell
) -> Predicted:
    if work is None:
        return predict_spec(row, evaluation_task, protocol, seed, tell)
    names = evaluation_task.clusters["unique_cluster"].to_numpy(object).tolist()
    settings = [
        json.dumps(make(task=evaluation_task.task, random_state=seed).params, default=str) for make in row.makers
    ]
    folds = [array for pairs in evaluation_task.partitions for pair in pairs for array in pair]
    about = [
        dataset.checksum,
        row.name,
        settings,
        evaluation_task.indicator,
        evaluation_task.task,
        protocol,
        features,
        seed,
        names,
    ]
    key = work.key(about, evaluation_task.values, *(np.asarray(array, np.int64) for array in folds))
    if found := work.find(key):
        return found
    found = predict_spec(row, evaluation_task, protocol, seed, tell)
    work.keep(key, found)
    return found


def _together(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    tables = [table for table in tables if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def check_protocol(protocol: str) -> None:
    """Raise InputError where there is no such protocol."""
    if protocol not in ("nested", "authors"):
        raise InputError(f"--protocol {protocol!r}: must be nested or authors")
