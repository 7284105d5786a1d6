"""Checks of a trained model, from its out-of-fold residuals and its card."""

import math

import geopandas as gpd
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from geolive.auditing.dataset_checks import check_simulation
from geolive.auditing.passport import Check, measured
from geolive.auditing.rules import FAIL, PASS, RULES, UNKNOWN, WARN, figure_text
from geolive.auditing.survey_imagery import urban_or_null
from geolive.bootstrap import wilson_interval
from geolive.dataset import Dataset
from geolive.evaluation.leaks import leaks
from geolive.models.trained_model import ModelCard, TrainedModel
from geolive.uncertainty.conformal import place_error
from geolive.wording import count_of, percent_text

LEVEL = 0.9
_LEAST_KIND = 10


def model_checks(trained: TrainedModel, dataset: Dataset | None = None) -> list[Check]:
    """Check a trained model.

    Parameters
    ----------
    trained : TrainedModel
    dataset : Dataset, optional
        What the model was trained on, or is used with; without it urban and rural places and photo sequences are not known.

    Returns
    -------
    list of Check

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=10)
    >>> trained = gl.train(dataset, gl.Forest(n_estimators=5), "pov")
    >>> [check.id for check in model_checks(trained, dataset)][:4]
    ['simulation', 'training_size', 'skill_regression', 'calibration']
    """
    card, residuals = trained.card, trained.residuals
    judged = residuals[residuals["prediction"].notna()].reset_index(drop=True)
    checks = [
        check_simulation(card.simulated, "model"),
        measured(
            "training_size", "model", float(card.clusters),
            f"The model was trained on {card.indicator} of {count_of(card.clusters, 'surveyed cluster')}, and was judged by "
            f"{card.folds.number} folds of whole {card.folds.kind}.",
            "Add surveyed places: with so few, intervals are wide and errors are badly known.",
        ),
        _skill(card),
        _calibration(card, judged),
    ]  # fmt: skip
    if card.task == "regression":
        checks.append(_urban_rural_error(judged, dataset))
    checks.append(_fold_leaks(judged, dataset))
    if dataset is not None:
        checks.append(_training_data(card, dataset))
    if card.permuted:
        checks.append(
            Check(
                "true_labels", "model", FAIL, "PERMUTED: the model was trained on values of other clusters, to see what chance "
                "reaches.",
                remedy="Train the model again without permuting labels.",
            )
        )  # fmt: skip
    return checks


def _skill(card: ModelCard) -> Check:
    id, metric, words = (
        ("skill_regression", "r2", "R²") if card.task == "regression" else ("skill_classification", "auc", "AUC")
    )
    figure = card.metrics.get(metric)
    if figure is None or figure.value is None or figure.lower is None or figure.upper is None:
        return Check(id, "model", UNKNOWN, f"The model's {words} at places that it had not seen is not known.")
    says = (
        f"{words} is {figure_text(figure.value)} at places that the model had not seen ({figure_text(figure.lower)} to "
        f"{figure_text(figure.upper)})"
    )
    nothing, without_skill = ("predicting the mean everywhere", 0.0) if metric == "r2" else ("guessing", 0.5)
    if RULES[id].status(figure.lower) == PASS:
        compared = "better than"
    else:
        compared = "worse than" if figure.upper < without_skill - 1e-9 else "not distinguished from"
    few = RULES["training_size"].status(card.clusters) == FAIL
    # a survey of few places has too few in each district to be mapped alone
    last = (
        "collect more clusters, or map larger districts"
        if few
        else "map what the survey alone says (--estimator direct)"
    )
    return measured(
        id, "model", figure.lower, f"{says}: it is {compared} {nothing}.",
        f"Compare models first (evaluate), add photos or covariates, {'' if few else 'or '}{last}.",
    )  # fmt: skip


def _calibration(card: ModelCard, judged: gpd.GeoDataFrame) -> Check:
    if card.task == "classification":
        slope = card.metrics.get("calibration_slope")
        if slope is None or slope.value is None:
            return Check("calibration_slope", "model", UNKNOWN, "The calibration of the probabilities is not known.")
        return measured(
            "calibration_slope", "model", abs(slope.value - 1),
            f"Labels follow the predicted log odds with a slope of {figure_text(slope.value)}, where 1 is right.",
            "Read probabilities as ranks only: they are too bold where the slope is below 1, too timid above.",
        )  # fmt: skip
    covered = covered_out_of_fold(judged, LEVEL)
    if covered is None:
        return Check(
            "calibration", "model", UNKNOWN, "There are too few clusters or folds to check the intervals out of fold.",
            remedy="Add surveyed places.",
        )  # fmt: skip
    share = float(covered.mean())
    lower, upper = wilson_interval(np.array([share]), np.array([len(covered)]))
    return measured(
        "calibration", "model", abs(share - LEVEL),
        f"Intervals of {percent_text(LEVEL)} contain {percent_text(share)} of {len(covered):,} survey values in folds that they "
        f"were not made from ({percent_text(lower[0])} to {percent_text(upper[0])}).",
        "Read intervals as too narrow." if share < LEVEL else "Read intervals as wider than they need to be.",
    )  # fmt: skip


def covered_out_of_fold(residuals: pd.DataFrame, level: float) -> np.ndarray | None:
    """Return whether each residual is within the interval that the residuals of the other folds give.

    Parameters
    ----------
    residuals : DataFrame
        `value`, `prediction`, `fold`, and `n_images` where errors may depend on it.
    level : float
        Level of the intervals.

    Returns
    -------
    array of bool, shape (n,), or None
        None where there are fewer than two folds, or too few residuals for the level.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame({"value": rng.normal(size=500), "prediction": 0.0, "fold": np.arange(500) % 5})
    >>> 0.87 < covered_out_of_fold(table, 0.9).mean() < 0.93
    np.True_
    """
    folds = residuals["fold"].to_numpy()
    error = (residuals["value"] - residuals["prediction"]).abs().to_numpy(float)
    images = residuals["n_images"].to_numpy() if "n_images" in residuals else np.ones(len(residuals))
    if len(np.unique(folds)) < 2:
        return None
    covered = np.zeros(len(residuals), bool)
    # threads cost more than they bring for so few numbers
    with threadpool_limits(1):
        for fold in np.unique(folds):
            here = folds == fold
            half = place_error(residuals[~here]).half_width(images[here], level)
            if not np.isfinite(half).all():
                return None
            covered[here] = error[here] <= half
    return covered


def _urban_rural_error(judged: gpd.GeoDataFrame, dataset: Dataset | None) -> Check:
    unknown = Check(
        "urban_rural_error", "model", UNKNOWN, "Which places are urban is not known, so errors cannot be compared.",
        remedy="Name the column when the survey is read: ingest survey --urban COLUMN.",
    )  # fmt: skip
    if dataset is None or dataset.clusters.empty:
        return unknown
    of_cluster = urban_or_null(dataset.clusters.set_index("unique_cluster"))
    urban = of_cluster.reindex(judged["unique_cluster"]).to_numpy(float, na_value=np.nan)
    error = (judged["value"] - judged["prediction"]).to_numpy(float)
    kinds = {"urban": error[urban == 1], "rural": error[urban == 0]}
    if min(map(len, kinds.values())) < _LEAST_KIND:
        if np.isnan(urban).all():
            return unknown
        counts = f"{len(kinds['urban']):,} urban and {len(kinds['rural']):,} rural places"
        says = f"There are {counts}, too few of one kind to compare errors."
        return Check("urban_rural_error", "model", UNKNOWN, says)
    rmse = {kind: math.sqrt(float(np.mean(part**2))) for kind, part in kinds.items()}
    ratio = max(rmse.values()) / max(min(rmse.values()), 1e-300)
    words = [f"{figure_text(rmse[kind])} at {count_of(len(kinds[kind]), f'{kind} place')}" for kind in kinds]
    return measured(
        "urban_rural_error", "model", ratio, f"The typical error is {' and '.join(words)}.",
        "Read the values of the kind with the larger error with care: intervals do not tell both kinds apart.",
    )  # fmt: skip


def _fold_leaks(judged: gpd.GeoDataFrame, dataset: Dataset | None) -> Check:
    folds = judged["fold"].to_numpy()
    pairs = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]
    rows = None
    if dataset is not None:
        rows = pd.Index(dataset.clusters["unique_cluster"]).get_indexer(judged["unique_cluster"])
    if dataset is None or rows is None or (rows < 0).any() or len(pairs) < 2:
        says = "The dataset that the model was trained on is not available, so leaks between folds cannot be found."
        return Check("fold_leaks", "model", UNKNOWN, says, remedy="Name the dataset: audit BUNDLE --dataset DATASET.")
    clusters = dataset.clusters.iloc[rows].reset_index(drop=True)
    found = leaks(dataset, clusters, dataset.cluster_places(clusters), pairs, "of the model")
    if not found:
        return Check(
            "fold_leaks",
            "model",
            PASS,
            "No tested cluster is at a place, in a photo sequence or a copy of its training part.",
        )
    says = "; ".join(words.partition(": split of the model: ")[2] for words in found)
    serious = any("photo sequence" not in words for words in found)
    return Check(
        "fold_leaks", "model", FAIL if serious else WARN, f"{says[0].upper()}{says[1:]}.",
        remedy="Read the scores as too good; blocks that are larger than sequences are cleaner (evaluate --split blocks:100km).",
    )  # fmt: skip


def _training_data(card: ModelCard, dataset: Dataset) -> Check:
    if card.training_checksum == dataset.checksum:
        return Check("training_data", "model", PASS, f"The model was trained on this dataset on {card.made}.")
    return Check(
        "training_data", "model", WARN,
        f"The model was trained on {card.trained_on} on {card.made}, which is not this dataset as it is now.",
        remedy="If the dataset has changed since then, train the model again. If it is the dataset of another region, "
        "compare the two.",
    )  # fmt: skip
