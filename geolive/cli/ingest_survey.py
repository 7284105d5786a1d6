"""`ingest survey`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, ingest


@ingest.command("survey")
def ingest_survey(
    file: Annotated[Path, typer.Argument(help="A table of points with measured values (.csv).", metavar="FILE")],
    lon: Annotated[str, typer.Option(help="Column with longitudes, degrees.")],
    lat: Annotated[str, typer.Option(help="Column with latitudes, degrees.")],
    value: Annotated[
        list[str], typer.Option(help="Indicator, or NAME=COLUMN; may be repeated.", metavar="NAME[=COLUMN]")
    ],
    out: NewFolder,
    id: Annotated[str | None, typer.Option(help="Column with a unique id; rows are numbered without it.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column with districts or other units that folds keep whole.")
    ] = None,
    drop_invalid: Annotated[bool, typer.Option(help="Leave out rows that cannot be used, and list them.")] = False,
) -> None:
    """Read a survey: points with a measured value."""
    from geolive.dataset import write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.surveys import read_survey
    from geolive.terminal import say, step

    check_new_folder(out)
    with step(f"Reading {file}"):
        dataset = read_survey(file, lon, lat, _named_columns(value), id=id, group=group, drop_invalid=drop_invalid)
    with step(f"Writing {out}"):
        write_dataset(dataset, out)
    n_rejects = 0 if dataset.rejects is None else len(dataset.rejects)
    left_out = f"; {n_rejects} rows left out, listed in {out}/rejects.parquet" if n_rejects else ""
    say(f"{out}: {len(dataset.clusters)} survey rows with {', '.join(dataset.indicators)}{left_out}")


def _named_columns(values: list[str]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    return {name.strip(): (column or name).strip() for name, _, column in pairs}
