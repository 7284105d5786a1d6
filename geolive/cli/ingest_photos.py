"""`ingest photos`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, ingest
from geolive.cli.next_steps import say_next
from geolive.cli.survey_join import Radius, Survey, join, joined_words, parse_radius
from geolive.errors import InputError


@ingest.command("photos")
def ingest_photos(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder of photos with positions in their EXIF.", metavar="FOLDER")],
    out: NewFolder,
    survey: Survey = None,
    radius: Radius = None,
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
            "--leave-out-panoramas",
            help="Leave out panoramas. Without this option, embed and detect cut each panorama into four views.",
        ),
    ] = False,
) -> None:
    """Read a folder of photos, and with --survey join them to survey points."""
    import pandas as pd

    from geolive.cli.parameters import recorded_command
    from geolive.console import note, say, step
    from geolive.dataset_folder import read_dataset, write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.photos.position_table import PHOTO, read_positions
    from geolive.sources.photos.reader import read_photos
    from geolive.wording import count_of, listed

    radius_km = parse_radius(radius, survey)
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
            # join_survey records these
            command=recorded_command(context, leaving_out={"survey", "radius"}),
            progress=progress,
        )
    rejects = dataset.rejects
    of_photos = rejects.get("kind", pd.Series(PHOTO, index=rejects.index)) == PHOTO
    n_rejects = int(of_photos.sum())
    # texts of cells are left out, so that equal causes are counted together
    reasons = rejects["reason"].str.replace(r",? '[^']*'$", "", regex=True)
    for reason, count in reasons[of_photos].value_counts().items():
        note(f"{count:,} of {len(dataset.images) + n_rejects:,} photos left out: {reason}")
    for reason, count in reasons[~of_photos].value_counts().items():
        note(f"{count_of(count, 'row')} of {table} left out: {reason}")
    if others := dataset.extra.get("other_files"):
        counts = listed([f"{n:,} {ending}" for ending, n in others.items()], 5)
        note(f"other files that were not read: {count_of(sum(others.values()), 'other file')} in the folder: {counts}")
    if n_panoramas := int(dataset.images["is_pano"].sum()):
        note(f"panoramas: {count_of(n_panoramas, 'photo')}; embed and detect cut each into four views")
    if survey is not None:
        dataset = join(dataset, surveyed, radius_km, out)
    with step(f"Writing {out}"):
        write_dataset(dataset, out)
    images, n_sequences = dataset.images, dataset.images["sequence_id"].nunique()
    left_out = f"; {n_rejects:,} left out, listed in {out}/rejects.parquet" if n_rejects else ""
    simulated = "SIMULATED survey: " if dataset.simulated else ""
    say(f"{out}: {simulated}{count_of(len(images), 'photo')} in {count_of(n_sequences, 'sequence')}{left_out}")
    if survey is not None:
        say(joined_words(dataset, "photos"))
    say_next("embed", out, to="computes image features; detect counts objects")
