"""`ingest survey`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, ingest

DESIGN_NOTE = (
    "kept for the survey's own estimates of districts, and for the noise of rates; they are no inputs of models: {}"
)


@ingest.command("survey")
def ingest_survey(
    file: Annotated[
        Path,
        typer.Argument(
            help="Points with measured values: .csv, .gpkg, .geojson, .shp, .fgb, .parquet.", metavar="FILE"
        ),
    ],
    value: Annotated[
        list[str],
        typer.Option(
            help="Indicator, or NAME=COLUMN, or a rate, NAME=NUMERATOR/DENOMINATOR; may be repeated.",
            metavar="NAME[=COLUMN[/COLUMN]]",
        ),
    ],
    out: NewFolder,
    lon: Annotated[
        str | None, typer.Option(help="Column with longitudes, degrees; by default the file's geometry.")
    ] = None,
    lat: Annotated[str | None, typer.Option(help="Column with latitudes, degrees.")] = None,
    id: Annotated[str | None, typer.Option(help="Column with a unique id; by default rows are numbered.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column with districts or other units that folds keep whole.")
    ] = None,
    year: Annotated[str | None, typer.Option(help="Column with years.")] = None,
    urban: Annotated[str | None, typer.Option(help="Column with U or R, urban or rural, 1 or 0.")] = None,
    weight: Annotated[str | None, typer.Option(help="Column with sampling weights.")] = None,
    strata: Annotated[str | None, typer.Option(help="Column with the strata of the sample.")] = None,
    psu: Annotated[str | None, typer.Option(help="Column with the primary sampling units.")] = None,
    country: Annotated[
        str | None, typer.Option(help="Column with countries, or a code of 2 or 3 letters for all rows.")
    ] = None,
    drop_invalid: Annotated[bool, typer.Option(help="Leave out rows that cannot be used, and list them.")] = False,
) -> None:
    """Read a survey: points with measured values."""
    from geolive.console import note, say, step
    from geolive.dataset import write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.survey.reader import design_columns, read_survey

    check_new_folder(out)
    with step(f"Reading {file}"):
        dataset = read_survey(
            file,
            lon,
            lat,
            named_columns(value),
            id,
            group,
            drop_invalid,
            year=year,
            urban=urban,
            weight=weight,
            strata=strata,
            psu=psu,
            country=country,
        )
    with step(f"Writing {out}"):
        write_dataset(dataset, out)
    if kept := design_columns(dataset):
        note(DESIGN_NOTE.format(", ".join(kept)))
    n_rejects = len(dataset.rejects)
    left_out = f"; {n_rejects} rows left out, listed in {out}/rejects.parquet" if n_rejects else ""
    say(f"{out}: {len(dataset.clusters)} survey rows with {', '.join(dataset.indicators)}{left_out}")


def named_columns(values: list[str]) -> dict[str, str]:
    """Read the options `--value NAME=COLUMN` as a column for each indicator; `--value NAME` means the column NAME.

    Examples
    --------
    >>> named_columns(["pov=wealth", "bmi"])
    {'pov': 'wealth', 'bmi': 'bmi'}
    """
    pairs = [value.partition("=") for value in values]
    return {name.strip(): (column or name).strip() for name, _, column in pairs}
