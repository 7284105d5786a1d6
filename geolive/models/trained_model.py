"""A trained model with all that is known about its errors: the fitted model, its residuals and its card."""

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from html import escape
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.models.interface import Model

# columns that every table of residuals has, and those that it may have
REQUIRED_COLUMNS = ("unique_cluster", "value", "prediction", "reference", "fold", "district_id")
OPTIONAL_COLUMNS = ("n_images", "predictors", "prediction_near", "part", "sample_size")


class Figure(NamedTuple):
    """A metric with its 95 % interval; None where it cannot be computed."""

    value: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class FoldFacts:
    """How the clusters were divided into folds.

    Parameters
    ----------
    kind : str
        What each fold keeps whole, in the plural: "districts", "blocks of 100 km", ...
    number : int
        Number of folds.
    units : int
        Number of districts, blocks, ...
    seed : int
        Seed of the division.
    """

    kind: str
    number: int
    units: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """The facts about a trained model that travel with it.

    Parameters
    ----------
    model : str
        Name of the model, for example "clusterwise-forest-100".
    params : dict
        Parameters of the model.
    indicator : str
        The indicator that the model predicts.
    task : str
        "regression" or "classification".
    needs_images : bool
        Whether the model can only predict places with images.
    features : str or None
        The image feature set that the model uses.
    trained_on : str
        The dataset's source, or its name where it was not read from a folder.
    training_checksum : str
        Checksum of the dataset.
    simulated : bool
        Whether the survey or the imagery is simulated.
    label_threshold : float or None
        Value from which on a label is 1.
    clusters : int
        Number of training clusters.
    clusters_without_images : int
        Number of surveyed clusters that were left out because they have no images.
    folds : FoldFacts
    metrics : dict of str to Figure
        Metrics of the out-of-fold predictions.
    made : str
        Date of training, ISO 8601.
    geolive : str
        Version of geolive.
    min_images : int
        Fewest images of a cluster that the model was trained on; sites with fewer images enter no district.
    clusters_with_few_images : int
        Number of surveyed clusters that were left out because they have fewer images than that.
    clusters_without_covariates : int
        Number of surveyed clusters that were left out because a covariate has no number there.
    is_rate : bool
        Whether the indicator is a rate, whose predictions and intervals stay within 0 and 1.
    learnt_with : tuple of str
        Other indicators that the same model was trained on.
    parts : dict of str to int
        Image-wise models: number of clusters in the training, validation and test part.
    photos, photos_not_used : int or None
        Image-wise models: number of photos, and of photos that could not be decoded.
    metrics_per_image : dict of str to Figure
        Image-wise models: metrics of single photos.
    honest : str
        Image-wise models: which predictions are out of fold, in a sentence.
    permuted : bool
        Image-wise models: whether clusters were given each other's values, to see what chance reaches.
    history : list of dict
        Image-wise models: losses and scores of each epoch.

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.models.training import train
    >>> from geolive.simulation.sample import make_sample
    >>> card = train(make_sample("goa", seed=0), Forest(n_estimators=5), "pov").card
    >>> card.indicator, card.folds.kind, ModelCard.from_json(card.to_json()) == card
    ('pov', 'districts', True)
    """

    model: str
    params: dict[str, Any]
    indicator: str
    task: str
    needs_images: bool
    features: str | None
    trained_on: str
    training_checksum: str
    simulated: bool
    label_threshold: float | None
    clusters: int
    clusters_without_images: int
    folds: FoldFacts
    metrics: dict[str, Figure]
    made: str
    geolive: str
    min_images: int = 0
    clusters_with_few_images: int = 0
    clusters_without_covariates: int = 0
    is_rate: bool = False
    learnt_with: tuple[str, ...] = ()
    parts: dict[str, int] = field(default_factory=dict)
    photos: int | None = None
    photos_not_used: int | None = None
    metrics_per_image: dict[str, Figure] = field(default_factory=dict)
    honest: str = ""
    permuted: bool = False
    history: list[dict] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the card as numbers, strings, lists and dicts; optional fields only where they say something."""
        facts = dataclasses.asdict(self)
        for name in ("metrics", "metrics_per_image"):
            facts[name] = {metric: list(figure) for metric, figure in facts[name].items()}
        facts["learnt_with"] = list(self.learnt_with)
        return {name: fact for name, fact in facts.items() if name in _REQUIRED or not _says_nothing(fact)}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> "ModelCard":
        """Read what `to_json` gave; facts that are no fields of a card are left out.

        Raises
        ------
        KeyError, TypeError, ValueError
            A field is missing, or is not as `to_json` gives it.
        """
        known = {f.name: facts[f.name] for f in dataclasses.fields(cls) if f.name in facts or f.name in _REQUIRED}
        for name in ("metrics", "metrics_per_image"):
            if name in known:
                known[name] = {metric: Figure(*figure) for metric, figure in known[name].items()}
        known["folds"] = FoldFacts(**known["folds"])
        known["learnt_with"] = tuple(known.get("learnt_with", ()))
        card = cls(**known)
        figures = [figure for name in ("metrics", "metrics_per_image") for figure in (known.get(name) or {}).values()]
        for part in (card, card.folds, *figures):
            _check_types(part)
        return card


def _check_types(facts: Any) -> None:
    """Raise TypeError where a fact is a plain value of another type than its field's."""
    for name, kind in typing.get_type_hints(type(facts)).items():
        kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
        if not set(kinds) <= {str, int, float, bool, type(None)}:
            continue
        value = getattr(facts, name)
        whole_as_float = float in kinds and type(value) is int
        text = str in kinds and isinstance(value, str)
        if type(value) not in kinds and not whole_as_float and not text:
            raise TypeError(f"{name} is a {type(value).__name__}")


_REQUIRED = [
    f.name
    for f in dataclasses.fields(ModelCard)
    if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
]


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """A fitted model and what is known about its errors.

    Parameters
    ----------
    model : Model
        Fitted to all labelled clusters.
    residuals : GeoDataFrame
        One training cluster a row, as `check_residuals` describes it.
    card : ModelCard
    site_predictions : DataFrame, optional
        Cross-fitted predictions at the dataset's sites, for models that need images: `site_id`, `lon`, `lat` (degrees), `digest`
        of what the model saw of the site (`geolive.models.training.site_digests`), `fold` of the training cluster nearest to
        the site, and `prediction` by the model that was fitted without that fold.

    Examples
    --------
    >>> from geolive.models.baselines import Mean
    >>> from geolive.models.training import train
    >>> from geolive.simulation.sample import make_sample
    >>> train(make_sample("goa", seed=0), Mean(), "pov")
    <TrainedModel mean: pov, r2 0.000 out of fold, 14 clusters, SIMULATED>
    """

    model: Model
    residuals: gpd.GeoDataFrame
    card: ModelCard
    site_predictions: pd.DataFrame | None = None
    # what was computed from these and is needed again; `dataclasses.replace` does not carry it to a model that differs
    derived: dict[str, Any] = field(init=False, default_factory=dict, compare=False)

    def __repr__(self) -> str:
        """Return model, indicator and the first metric in one line."""
        card = self.card
        simulated = ", SIMULATED" if card.simulated else ""
        shown = [f"{name} {figure.value:.3f}" for name, figure in card.metrics.items() if figure.value is not None][:1]
        judged = f"{', '.join(shown)} out of fold, " if shown else ""
        return f"<TrainedModel {card.model}: {card.indicator}, {judged}{card.clusters} clusters{simulated}>"

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        card = self.card
        rows = [("indicator", card.indicator), ("task", card.task), ("trained on", card.trained_on)]
        rows += [("clusters", f"{card.clusters:,}"), ("folds", f"{card.folds.number} of whole {card.folds.kind}")]
        for name, figure in card.metrics.items():
            if figure.value is not None:
                interval = "" if figure.lower is None else f" ({figure.lower:.3f} to {figure.upper:.3f})"
                rows.append((name, f"{figure.value:.3f}{interval}"))
        cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(words))}</td></tr>" for name, words in rows)
        simulated = "SIMULATED: " if card.simulated else ""
        return f"<table><caption>{escape(f'{simulated}{card.model}')}</caption><tbody>{cells}</tbody></table>"


def check_residuals(residuals: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Check a table of out-of-fold predictions at the training clusters.

    Parameters
    ----------
    residuals : GeoDataFrame
        One training cluster a row, EPSG:4326, with the columns `unique_cluster`, `geometry`, `value`, `prediction` (out of
        fold; null where there is none), `reference` (mean of the values that the fold was trained on), `fold` and `district_id`
        (the unit that folds keep whole). Optional columns: `n_images`; `predictors` (what the place looks like to the model,
        see `geolive.models.aoa_features`); `prediction_near` (predictions of models that saw other clusters of the district);
        `part` ("train", "validation" or "test", where a model was trained once); `sample_size` (persons that a rate was
        measured of).

    Returns
    -------
    GeoDataFrame
        The same table.

    Raises
    ------
    InputError
        A required column is missing, or there is a column that no table of residuals has.

    Examples
    --------
    >>> check_residuals(gpd.GeoDataFrame({"value": [1.0]}))
    Traceback (most recent call last):
    geolive.errors.InputError: residuals lack the columns unique_cluster, prediction, reference, fold, district_id, geometry
    """
    known = (*REQUIRED_COLUMNS, "geometry")
    missing = [name for name in known if name not in residuals.columns]
    if missing:
        raise InputError(f"residuals lack the columns {', '.join(missing)}")
    unknown = [str(name) for name in residuals.columns if name not in (*known, *OPTIONAL_COLUMNS)]
    if unknown:
        raise InputError(f"residuals have unknown columns: {', '.join(unknown)}")
    return residuals


def figure_of(value: float, lower: float, upper: float) -> Figure:
    """Return a metric's figures, with None in place of numbers that are not finite.

    Examples
    --------
    >>> figure_of(0.5, 0.25, float("nan"))
    Figure(value=0.5, lower=0.25, upper=None)
    """
    return Figure(
        *(float(number) if number is not None and np.isfinite(number) else None for number in (value, lower, upper))
    )


def _says_nothing(fact: Any) -> bool:
    return fact is None or fact is False or fact in ([], {}, "", 0)


def check_trained(trained: Any) -> None:
    """Raise where an object is not a trained model.

    Raises
    ------
    InputError

    Examples
    --------
    >>> from geolive.models.clusterwise import Forest
    >>> check_trained(Forest())
    Traceback (most recent call last):
    geolive.errors.InputError: trained=Forest: is not a trained model; give what train(dataset, model, indicator) returns
    """
    if not isinstance(trained, TrainedModel):
        message = "is not a trained model; give what train(dataset, model, indicator) returns"
        raise InputError(f"trained={type(trained).__name__}: {message}", parameter="trained")
