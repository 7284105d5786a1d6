"""`ingest images`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import NewFolder, app, ingest
from geolive.cli.ingest_objects import Classes, Encoding, ListColumn, added_columns
from geolive.cli.next_steps import say_next
from geolive.cli.parameters import as_options, recorded_command, running_command
from geolive.cli.survey_join import Radius, Survey, join, joined_words, parse_radius
from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.dataset import Dataset

_MOST_NAMED = 8


@ingest.command("images")
def ingest_images(
    context: typer.Context,
    table: Annotated[
        Path,
        typer.Argument(
            help="A table with one image in each row: CSV (plain, gzip, zstd), Parquet, or a file of points (.gpkg, "
            ".geojson, .shp, .fgb).",
            metavar="TABLE",
        ),
    ],
    out: NewFolder,
    key: Annotated[str, typer.Option(help="Column with a unique key of each image.", metavar="COLUMN")] = "key",
    lon: Annotated[
        str | None,
        typer.Option(help="Column with longitudes in degrees; by default the points of the file.", metavar="COLUMN"),
    ] = None,
    lat: Annotated[str | None, typer.Option(help="Column with latitudes in degrees.", metavar="COLUMN")] = None,
    sequence: Annotated[str | None, typer.Option(help="Column with sequences.", metavar="COLUMN")] = None,
    captured_at: Annotated[str | None, typer.Option(help="Column with times.", metavar="COLUMN")] = None,
    creator: Annotated[str | None, typer.Option(help="Column with creators.", metavar="COLUMN")] = None,
    country: Annotated[
        str | None, typer.Option(help="Column with countries, or a code of 2 or 3 letters for all rows.")
    ] = None,
    counts: Annotated[
        bool, typer.Option("--counts", help="Read object counts from the columns that have the name of a class.")
    ] = False,
    list_column: ListColumn = None,
    classes: Classes = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            help="A feature set and its columns, for example 'net=f*', or one column of lists; may be repeated.",
            metavar="NAME=COLUMNS",
        ),
    ] = None,
    survey: Survey = None,
    radius: Radius = None,
    encoding: Encoding = None,
    layer: Annotated[str | None, typer.Option(help="Layer of the file, if it has several.", metavar="NAME")] = None,
    crs: Annotated[
        str | None,
        typer.Option(help="Coordinate reference system of the points, such as EPSG:32645, if the file names none."),
    ] = None,
) -> None:
    """Read a table of images without their photos, and with --survey join them to survey points."""
    from geolive.console import note, say, step
    from geolive.dataset_folder import read_dataset, write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.image_tables.reader import read_images
    from geolive.wording import count_of

    radius_km = parse_radius(radius, survey)
    check_new_folder(out)
    if survey is not None:
        with step(f"Reading {survey}"):
            surveyed = read_dataset(survey)
    with step(f"Reading {table}") as progress:
        dataset = read_images(
            table,
            key,
            lon,
            lat,
            sequence=sequence,
            captured_at=captured_at,
            creator=creator,
            country=country,
            counts=counts,
            list_column=list_column,
            classes=classes,
            features=named_features(features or []),
            encoding=encoding,
            layer=layer,
            crs=crs,
            # join_survey records these
            command=recorded_command(context, leaving_out={"survey", "radius"}),
            progress=progress,
        )
    for words in remarks(table, dataset):
        note(as_options(words, running_command(app, ["ingest", "images"])))
    n_rejects = len(dataset.rejects)
    if survey is not None:
        dataset = join(dataset, surveyed, radius_km, out)
    with step(f"Writing {out}"):
        write_dataset(dataset, out)
    left_out = f"; {n_rejects:,} left out, listed in {out}/rejects.parquet" if n_rejects else ""
    having = f" with {', '.join(dataset.features)}" if dataset.features else ""
    say(
        f"{out}: {'SIMULATED: ' if dataset.simulated else ''}{count_of(len(dataset.images), 'image')}{having}{left_out}"
    )
    if survey is not None:
        say(joined_words(dataset, "images"))
    say_next("info", out, to="shows what it holds")


def remarks(table: Path, dataset: "Dataset") -> Iterator[str]:
    """Yield notes for the user on a table of images."""
    import numpy as np

    from geolive.text_encodings import Encoding
    from geolive.wording import count_of, listed

    told = dataset.extra["images_table"]
    if "encoding" in told:
        yield Encoding(told["encoding"], guessed=True).note(table)
    # texts of cells are left out, so that equal causes are counted together
    reasons = dataset.rejects["reason"].str.replace(r",? '[^']*'$", "", regex=True)
    reasons = reasons.str.replace(r"(?<=: )'[^']*' (?=is not a count|occurs already)", "", regex=True)
    for reason, number in reasons.value_counts().items():
        yield f"{count_of(number, 'row')} left out: {reason}"
    if named := told.get("objects_without_class"):
        shown = listed([f"{name} ({number:,})" for name, number in named.items()], _MOST_NAMED)
        yield (
            f"{count_of(sum(named.values()), 'object')} of classes that the dataset lacks, counted as void: {shown}; give the "
            "dataset's class of each in classes='FILE.csv'"
        )
    yield from added_columns(told.get("columns_of_one_class", {}))
    if columns := told.get("columns_not_counted"):
        yield f"{count_of(len(columns), 'column')} not counted as objects: {listed(columns, _MOST_NAMED)}"
    if number := told.get("times_not_understood"):
        yield f"{count_of(number, 'time')} not understood, and left empty"
    for name, array in dataset.features.items():
        if name != "objects" and (number := int(np.isnan(array[:, 0]).sum())):
            yield f"{count_of(number, 'image')} without usable features {name!r}"


def named_features(values: list[str]) -> dict[str, str]:
    """Read the options `--features NAME=COLUMNS`.

    Examples
    --------
    >>> named_features(["net=f*"])
    {'net': 'f*'}
    >>> named_features(["f*"])
    Traceback (most recent call last):
    geolive.errors.InputError: --features 'f*': give a name and its columns, for example --features 'net=f*'
    """
    named: dict[str, str] = {}
    for value in values:
        name, equals, pattern = (part.strip() for part in value.partition("="))
        if not (name and equals and pattern):
            raise InputError(
                f"--features {value!r}: give a name and its columns, for example --features 'net=f*'",
                parameter="features",
            )
        if name in named:
            raise InputError(
                f"--features {value!r}: {name!r} is given twice; choose another name", parameter="features"
            )
        named[name] = pattern
    return named
