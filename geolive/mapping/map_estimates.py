"""Which values the districts of a map show: composite, predicted or direct, and why."""

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import pandas as pd

from geolive.dataset import Dataset
from geolive.errors import ConvergenceError, InputError
from geolive.estimation.benchmarking import METHODS
from geolive.languages import phrase
from geolive.mapping.composite import COMPOSITES, ESTIMATORS, DistrictEstimates, direct_table, estimate_districts
from geolive.mapping.cross_fitting import CrossFitted
from geolive.mapping.district_survey import DistrictSurvey, survey_districts
from geolive.models.trained_model import TrainedModel
from geolive.phrases import sentences


@dataclass(frozen=True)
class EstimateOptions:
    """Which estimates a map shows.

    Parameters
    ----------
    estimator : {"composite", "spatial", "predicted", "direct"}, optional
        Without it the composite, or the predicted value where the survey is too small for a composite.
    benchmark : {"ratio", "difference", "bell-datta-ghosh"}, optional
        How composite estimates are made to add up to the survey's own estimate of the region.
    level : float
        Level of the intervals.
    limits : tuple of float
        Values that no estimate exceeds.

    Examples
    --------
    >>> EstimateOptions(estimator="mean").check()
    Traceback (most recent call last):
    geolive.errors.InputError: estimator='mean': must be one of composite, spatial, predicted, direct
    """

    estimator: str | None = None
    benchmark: str | None = None
    level: float = 0.9
    limits: tuple[float, float] = (float("-inf"), float("inf"))

    def check(self) -> None:
        """Raise InputError where an option cannot be used, before any work."""
        if self.estimator is not None and self.estimator not in ESTIMATORS:
            raise InputError(
                f"estimator={self.estimator!r}: must be one of {', '.join(ESTIMATORS)}", parameter="estimator"
            )
        if self.benchmark is None:
            return
        if self.benchmark not in METHODS:
            raise InputError(
                f"benchmark={self.benchmark!r}: must be one of {', '.join(METHODS)}", parameter="benchmark"
            )
        if self.estimator in ("predicted", "direct"):
            raise InputError(
                f"benchmark={self.benchmark!r}: is for composite estimates; leave estimator={self.estimator!r} out",
                parameter="benchmark",
            )


@dataclass(frozen=True)
class MapEstimates:
    """The estimates of a map's districts.

    Parameters
    ----------
    survey : DistrictSurvey or None
        What the survey measured; None without a survey in these districts.
    estimates : DistrictEstimates or None
        Direct and, where possible, composite estimates.
    estimator : str
        Whose values are shown.
    about : str
        How these are made, in sentences; they say why, where a composite was not possible.
    """

    survey: DistrictSurvey | None
    estimates: DistrictEstimates | None
    estimator: str
    about: str

    @property
    def areas(self) -> pd.DataFrame | None:
        """The table of composite estimates; None without a composite."""
        return self.estimates.table if self.estimates and self.estimates.has_composite else None


def estimate_map(
    dataset: Dataset,
    trained: TrainedModel,
    around: gpd.GeoDataFrame,
    cross_fit: Callable[[], CrossFitted],
    options: EstimateOptions,
    over: str = "sites",
) -> MapEstimates:
    """Estimate the districts of a map and choose which values it shows.

    Parameters
    ----------
    dataset : Dataset
    trained : TrainedModel
    around : GeoDataFrame
        All districts of the boundaries: `district_id`, `district`, `geometry`.
    cross_fit : callable
        Returns predictions at sites by models that were not trained on the site's district, as `estimate_districts` takes them.
    options : EstimateOptions
    over : {"sites", "people"}
        What predicted values are means over.

    Returns
    -------
    MapEstimates

    Raises
    ------
    InputError
        The chosen estimator is not possible.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60, most_images=5)
    >>> trained = gl.train(dataset, gl.Forest(n_estimators=5), "pov")
    >>> gl.predict(dataset, trained, "bihar").estimator
    'composite'
    """
    name = trained.card.indicator
    if name not in dataset.indicators:
        return _without_survey(options, phrase("about.no_survey", dataset=dataset.name, indicator=name), over)
    survey, direct = None, None
    impossible: str = phrase("about.no_cluster", dataset=dataset.name, indicator=name)
    try:
        survey = survey_districts(dataset, trained.card, around)
        if survey is not None:
            direct = direct_table(survey, around)
    except InputError as error:
        impossible = error.args[0]
    if survey is None or direct is None:
        return _without_survey(options, impossible, over)
    estimates, impossible = direct, ""
    try:
        crossed = cross_fit()
        estimates = estimate_districts(
            survey,
            around,
            crossed.sites,
            trained.residuals,
            options.level,
            options.limits,
            options.estimator == "spatial",
            at_clusters=crossed.clusters,
        )
    except InputError as error:
        if options.estimator in COMPOSITES or options.benchmark:
            reason = _reason(error, trained, survey)
            remedy = "give estimator='predicted'" if options.estimator else f"leave benchmark={options.benchmark!r} out"
            raise _impossible(options, f"{reason}; {remedy}") from error
        impossible = _reason(error, trained, survey)
    chosen = options.estimator or ("composite" if estimates.has_composite else "predicted")
    about = _words(chosen, estimates, "" if options.estimator else impossible, over)
    if survey.n_outside and chosen != "predicted":
        about = sentences(about, phrase("about.outside", count=survey.n_outside))
    return MapEstimates(survey, estimates, chosen, about)


def _without_survey(options: EstimateOptions, reason: str, over: str) -> MapEstimates:
    if options.benchmark or options.estimator not in (None, "predicted"):
        raise _impossible(options, f"{reason}; give estimator='predicted'")
    return MapEstimates(None, None, "predicted", _words("predicted", None, "" if options.estimator else reason, over))


def _impossible(options: EstimateOptions, reason: str) -> InputError:
    name = "estimator" if options.estimator else "benchmark"
    return InputError(f"{name}={getattr(options, name)!r}: {reason}", parameter=name)


def _reason(error: InputError, trained: TrainedModel, survey: DistrictSurvey) -> str:
    if isinstance(error, ConvergenceError):
        surveyed = phrase("counts.surveyed_districts", count=survey.places["district_id"].nunique())
        return phrase("about.no_variance", districts=surveyed)
    if "do not vary within any area" in str(error):
        return phrase("about.same_everywhere", model=trained.card.model)
    # a phrase, where the page has words for it
    return error.args[0]


def _words(estimator: str, estimates: DistrictEstimates | None, impossible: str, over: str) -> str:
    if estimator in COMPOSITES and estimates:
        return phrase("about.composite", how=estimates.about)
    if estimator == "direct":
        return phrase("about.direct")
    predicted = phrase(f"about.predicted_{over}")
    return sentences(predicted, phrase("about.impossible", reason=impossible)) if impossible else predicted
