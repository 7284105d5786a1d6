"""Models compared on the same folds of the same clusters."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.files import new_folder
from geolive.metrics import no_scores, scores, training_means
from geolive.models.crossfit import out_of_fold
from geolive.models.interface import Model
from geolive.splits import fold_numbers
from geolive.tables import lonlat

RESULT_COLUMNS = ["model", "params", "indicator", "task", "split", "protocol", "metric", "value", "lower", "upper", "n"]
PREDICTION_COLUMNS = ["model", "unique_cluster", "lon", "lat", "fold", "value", "prediction"]


def compare(
    dataset: Dataset,
    models: dict[str, Callable[..., Model]],
    indicator: str,
    task: str,
    splitter,
    split_name: str,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and out-of-fold predictions of several models on the same folds.

    A model that fails is reported and the others go on.

    Parameters
    ----------
    dataset : Dataset
        Its clusters with a value of the indicator are used.
    models : dict of str to callable
        Makers of unfitted models, called with `task` and `seed`, as `model_maker` gives them. A model's name in the results is
        its own (the mean of labels is "majority"); the key stands in where it cannot be made.
    indicator : str
    task : {"regression", "classification"}
        Predict the indicator's value, or its label.
    splitter
        One of `geolive.splits`.
    split_name : str
        What to call it, for example "blocks:100km".
    seed : int

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
    >>> from geolive.sources.surveys import read_survey
    >>> from geolive.splits import RandomSplit
    >>> survey = Path(tempfile.mkdtemp()) / "survey.csv"
    >>> _ = survey.write_text("lon,lat,wealth\\n" + "\\n".join(f"{80 + i},25,{i * i}" for i in range(10)))
    >>> dataset = read_survey(survey, lon="lon", lat="lat", values={"wealth": "wealth"})
    >>> results, predictions = compare(dataset, {"mean": Mean}, "wealth", "regression", RandomSplit(), "random")
    >>> results.metric.tolist(), float(results.value[0])
    (['r2', 'rmse', 'pearson_r'], 0.0)
    """
    clusters = dataset.labelled(indicator)
    folds = fold_numbers(splitter, clusters)
    values = clusters[indicator if task == "regression" else f"{indicator}_label"].to_numpy(float)
    reference, together = training_means(values, folds), splitter.units(clusters)
    places = dataset.cluster_places(clusters)
    results, predictions = [], []
    for key, make in models.items():
        name, params, predicted, protocol = key, {}, None, f"out-of-fold, {folds.max() + 1} folds"
        try:
            model = make(task=task, seed=seed)
            name, params = model.name, model.params
            predicted = out_of_fold(partial(make, task=task, seed=seed), places, values, folds)
            figures = scores(task, values, predicted, reference, together, seed)
            predictions.append(_prediction_rows(name, clusters, folds, values, predicted))
        except Exception as error:  # one model's failure must not cost the figures of the others
            protocol = f"failed: {' '.join(f'{type(error).__name__}: {error}'.split())}"
            figures = no_scores(task, len(values))
        about = {"model": name, "params": json.dumps(params), "indicator": indicator, "task": task, "split": split_name}
        results.append(figures.assign(**about, protocol=protocol)[RESULT_COLUMNS])
    none = pd.DataFrame(columns=PREDICTION_COLUMNS)
    return pd.concat(results, ignore_index=True), pd.concat(predictions, ignore_index=True) if predictions else none


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
        results.to_csv(temporary / "results.csv", index=False, lineterminator="\n")
        predictions.to_parquet(temporary / "predictions.parquet", index=False)
    return Path(folder)


def _prediction_rows(
    name: str, clusters: gpd.GeoDataFrame, folds: np.ndarray, values: np.ndarray, predicted: np.ndarray
) -> pd.DataFrame:
    where = lonlat(clusters.geometry)
    columns = [name, clusters["unique_cluster"].to_numpy(), where[:, 0], where[:, 1], folds, values, predicted]
    return pd.DataFrame(dict(zip(PREDICTION_COLUMNS, columns, strict=True)))
