"""`ingest dhs`."""

import re
from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, ingest
from geolive.cli.ingest_survey import DESIGN_NOTE
from geolive.cli.next_steps import say_map_of_survey
from geolive.errors import InputError


@ingest.command("dhs")
def ingest_dhs(
    context: typer.Context,
    gps: Annotated[
        Path, typer.Argument(help="The survey's geographic file (GE): .shp, .csv, .gpkg, .geojson.", metavar="GPS_FILE")
    ],
    recode: Annotated[
        list[Path],
        typer.Option(
            help="Household (HR) or women's (IR) recode of Stata (.dta) or SPSS (.sav); may be repeated.",
            metavar="FILE",
        ),
    ],
    out: NewFolder,
    value: Annotated[
        list[str] | None,
        typer.Option(
            help="Further indicator from a column of a recode. Raw values of LIMIT and above are special codes. May be "
            "repeated.",
            metavar="NAME=COLUMN[:LIMIT]",
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="Encoding of the texts in GPS_FILE, such as CP1251; by default UTF-8, else CP1252."),
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Layer of GPS_FILE, if it has several.", metavar="NAME")] = None,
) -> None:
    """Read a DHS survey: clusters with wealth (pov) and women's body-mass index (bmi), weighted means of its recode files."""
    from geolive.cli.parameters import as_options
    from geolive.console import note, say, step
    from geolive.dataset_folder import write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.survey.dhs import read_dhs
    from geolive.sources.survey.reader import design_columns
    from geolive.text_encodings import Encoding
    from geolive.wording import count_of

    check_new_folder(out)
    values = parse_values(value or [])
    with step(f"Reading {gps} and {len(recode)} recode file{'s' if len(recode) > 1 else ''}") as progress:
        dataset = read_dhs(gps, recode, values, progress, encoding=encoding, layer=layer)
    with step(f"Writing {out}"):
        write_dataset(dataset, out)
    note(DESIGN_NOTE.format(", ".join(design_columns(dataset))))
    if guessed := dataset.extra.get("survey", {}).get("encoding"):
        note(as_options(Encoding(guessed, guessed=True).note(gps), context.command))
    counts = dataset.extra["dhs"]
    for count, words in (
        (counts["clusters_not_located"], "dropped clusters that are not located (their position is 0, 0)"),
        (counts["clusters_without_values"], "dropped clusters of which the recode files have no value"),
        (counts["recode_clusters_not_in_gps_file"], f"clusters of the recode files that {gps.name} lacks"),
    ):
        if count:
            note(f"{words}: {count}")
    for file, measures in counts["rows_left_out"].items():
        for name, reasons in measures.items():
            shown = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
            say(f"{file}: {name} from {counts['rows'][file]} rows" + (f"; left out: {shown}" if shown else ""))
    left_out = f"; {len(dataset.rejects)} left out, listed in {out}/rejects.parquet" if len(dataset.rejects) else ""
    say(f"{out}: {count_of(len(dataset.clusters), 'cluster')} with {', '.join(dataset.indicators)}{left_out}")
    say_map_of_survey(dataset, out)


def parse_values(options: list[str]) -> dict[str, tuple[str, float | None]]:
    """Read the options `--value NAME=COLUMN[:LIMIT]` as a column and a limit for each indicator.

    Raises
    ------
    InputError
        An option is not of that form.

    Examples
    --------
    >>> parse_values(["school=hv108_01:97", "age=v012"])
    {'school': ('hv108_01', 97.0), 'age': ('v012', None)}
    """
    values: dict[str, tuple[str, float | None]] = {}
    for option in options:
        form = re.fullmatch(r"\s*(\w+)\s*=\s*(\w+)\s*(?::\s*(-?\d+(?:\.\d+)?))?\s*", option)
        if form is None:
            raise InputError(f"--value {option!r}: is not of the form NAME=COLUMN or NAME=COLUMN:LIMIT")
        name, column, limit = form.groups()
        if name in values:
            raise InputError(f"--value {option!r}: {name!r} is given twice; choose another name")
        values[name] = (column, None if limit is None else float(limit))
    return values
