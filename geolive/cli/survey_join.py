"""The options of commands that join images to a survey, and what they say of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.dataset import Dataset

Survey = Annotated[
    Path | None,
    typer.Option(help="A dataset made by ingest survey: the images are joined to its points.", metavar="DATASET"),
]
Radius = Annotated[
    str | None,
    typer.Option(help="Largest distance of an image from its survey point in km, or urban=2,rural=5; by default 5."),
]


def parse_radius(text: str | None, survey: Path | None) -> float | dict[str, float]:
    """Read a distance in kilometres, or one each for urban and rural points; 5 km where none is given.

    Raises
    ------
    InputError
        The text is no distance, or there is no survey.

    Examples
    --------
    >>> parse_radius("urban=2,rural=5", Path("data/survey"))
    {'urban': 2.0, 'rural': 5.0}
    """
    from geolive.clusters import SITE_RADIUS_KM

    if text is None:
        return SITE_RADIUS_KM
    if survey is None:
        raise InputError("--radius: needs survey points; add --survey DATASET")
    try:
        if "=" not in text:
            return float(text)
        pairs = {kind.strip(): float(km) for kind, _, km in (part.partition("=") for part in text.split(","))}
    except ValueError:
        pairs = {}
    if set(pairs) != {"urban", "rural"}:
        raise InputError(f"--radius {text!r}: give kilometres, for example 5, or urban=2,rural=5")
    return pairs


def join(dataset: "Dataset", surveyed: "Dataset", radius_km: float | dict[str, float], out: Path) -> "Dataset":
    """Join images and a survey, and note what the survey has that the images lack."""
    from geolive.command_line import program
    from geolive.console import note, step
    from geolive.sources.survey_join import join_survey

    with step("Joining images to survey points"):
        joined = join_survey(dataset, surveyed, radius_km)
    if surveyed.covariates:
        note(f"covariates of the survey are not known at the images; add them with: {program()} covariates {out} …")
    return joined


def joined_words(dataset: "Dataset", noun: str) -> str:
    """Say how many images belong to how many survey points."""
    joined = int(dataset.images["unique_cluster"].notna().sum())
    reached = int((dataset.clusters["n_images"] > 0).sum())
    return f"{joined:,} {noun} belong to {reached:,} of {len(dataset.clusters):,} survey points; the others form sites"
