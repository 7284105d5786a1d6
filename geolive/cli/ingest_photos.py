"""`ingest photos`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, ingest
from geolive.errors import InputError


@ingest.command("photos")
def ingest_photos(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder of photos with positions in their EXIF.", metavar="FOLDER")],
    out: NewFolder,
    survey: Annotated[
        Path | None,
        typer.Option(help="A dataset made by ingest survey, whose points the photos join.", metavar="DATASET"),
    ] = None,
    radius: Annotated[
        str | None,
        typer.Option(help="How far a photo may be from its survey point: km, or urban=2,rural=5; by default 5."),
    ] = None,
    gap_seconds: Annotated[float, typer.Option(help="A longer pause ends a sequence of photos.", min=0)] = 120,
    gap_metres: Annotated[float, typer.Option(help="A longer distance ends a sequence of photos.", min=0)] = 300,
    table: Annotated[
        Path | None,
        typer.Option(help="A table with the photos' positions, in place of those in the photos.", metavar="FILE"),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="With --table: column with the photos' paths or names.", metavar="COLUMN")
    ] = None,
    lon: Annotated[str | None, typer.Option(help="With --table: column with longitudes.", metavar="COLUMN")] = None,
    lat: Annotated[str | None, typer.Option(help="With --table: column with latitudes.", metavar="COLUMN")] = None,
    captured_at: Annotated[str | None, typer.Option(help="With --table: column with times.", metavar="COLUMN")] = None,
    sequence: Annotated[str | None, typer.Option(help="With --table: column with sequences.", metavar="COLUMN")] = None,
    creator: Annotated[str | None, typer.Option(help="With --table: column with creators.", metavar="COLUMN")] = None,
    leave_out_panoramas: Annotated[
        bool,
        typer.Option(
            "--leave-out-panoramas", help="Leave out panoramas, which embed and detect else cut into four views each."
        ),
    ] = False,
) -> None:
    """Read a folder of photos, and with --survey join them to survey points."""
    from geolive.cli.parameters import recorded_command
    from geolive.clusters import SITE_RADIUS_KM
    from geolive.command_line import program
    from geolive.console import note, say, step
    from geolive.dataset_folder import read_dataset, write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.photos.position_table import read_positions
    from geolive.sources.photos.reader import read_photos
    from geolive.sources.survey_join import join_survey
    from geolive.wording import count_of, listed

    if radius and survey is None:
        raise InputError("--radius: is about the distance to survey points; add --survey DATASET")
    radius_km = _parse_radius(radius) if radius else SITE_RADIUS_KM
    check_new_folder(out)
    positions = None
    if table is not None:
        if key is None or lon is None or lat is None:
            raise InputError("--table: needs the names of its columns; add --key COLUMN --lon COLUMN --lat COLUMN")
        positions = read_positions(table, key, lon, lat, captured_at=captured_at, sequence=sequence, creator=creator)
    elif any((key, lon, lat, captured_at, sequence, creator)):
        raise InputError(
            "--key, --lon, --lat, --captured-at, --sequence and --creator are columns of a table; add --table FILE"
        )
    if survey is not None:
        with step(f"Reading {survey}"):
            surveyed = read_dataset(survey)
    with step(f"Reading {folder}") as progress:
        dataset = read_photos(
            folder,
            gap_seconds=gap_seconds,
            gap_metres=gap_metres,
            leave_out_panoramas=leave_out_panoramas,
            positions=positions,
            command=recorded_command(context),
            progress=progress,
        )
    n_rejects = len(dataset.rejects)
    for reason, count in dataset.rejects["reason"].value_counts().items():
        note(f"{count:,} of {len(dataset.images) + n_rejects:,} photos left out: {reason}")
    if others := dataset.extra.get("other_files"):
        counts = listed([f"{n:,} {ending}" for ending, n in others.items()], 5)
        note(f"{count_of(sum(others.values()), 'other file')} in the folder are no photos: {counts}")
    if n_panoramas := int(dataset.images["is_pano"].sum()):
        note(f"{count_of(n_panoramas, 'photo')} are panoramas; embed and detect cut each into four views")
    if survey is not None:
        with step("Joining photos to survey points"):
            dataset = join_survey(dataset, surveyed, radius_km)
        if surveyed.covariates:
            note(f"covariates of the survey are not known at the photos; add them with: {program()} covariates {out} …")
    with step(f"Writing {out}"):
        write_dataset(dataset, out)
    images, n_sequences = dataset.images, dataset.images["sequence_id"].nunique()
    left_out = f"; {n_rejects:,} left out, listed in {out}/rejects.parquet" if n_rejects else ""
    simulated = "SIMULATED survey: " if dataset.simulated else ""
    say(f"{out}: {simulated}{len(images):,} photos in {n_sequences:,} {_plural('sequence', n_sequences)}{left_out}")
    if survey is not None:
        joined, reached = int(images["unique_cluster"].notna().sum()), int((dataset.clusters["n_images"] > 0).sum())
        say(
            f"{joined:,} photos belong to {reached:,} of {len(dataset.clusters):,} survey points; the others form sites"
        )


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _parse_radius(text: str) -> float | dict[str, float]:
    """Read a distance in kilometres, or one each for urban and rural points."""
    try:
        if "=" not in text:
            return float(text)
        pairs = {kind.strip(): float(km) for kind, _, km in (part.partition("=") for part in text.split(","))}
    except ValueError:
        pairs = {}
    if set(pairs) != {"urban", "rural"}:
        raise InputError(f"--radius {text!r}: give kilometres, for example 5, or urban=2,rural=5")
    return pairs
