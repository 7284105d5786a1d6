"""`info`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import app
from geolive.cli.boundary_options import Crs, DropInvalid, Encoding, IdColumn, Layer, NameColumn, open_boundaries
from geolive.cli.next_steps import say_next
from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.dataset import Dataset
    from geolive.mapping.summary import Summary

_MOST_REASONS = 15


@app.command()
def info(
    context: typer.Context,
    dataset: Annotated[
        Path,
        typer.Argument(
            help="A dataset folder that sample or ingest made; with --boundaries and --column also a table.",
            metavar="DATASET",
        ),
    ],
    map: Annotated[Path | None, typer.Option(help="A picture of the dataset to write (.png).", metavar="FILE")] = None,
    indicator: Annotated[
        str | None,
        typer.Option(
            help="Indicator that gives the colours of clusters in the picture; by default the first indicator."
        ),
    ] = None,
    boundaries: Annotated[
        Path | None,
        typer.Option(
            help="A file of districts: the command compares its names with those of the dataset, and the picture shows its "
            "districts in place of India's.",
            metavar="FILE",
        ),
    ] = None,
    column: Annotated[
        str | None, typer.Option(help="With a table: the column with names or ids of districts.", metavar="COLUMN")
    ] = None,
    join_report: Annotated[
        Path | None,
        typer.Option(
            help="With --boundaries: file to write with the comparison of names (.csv or .json).", metavar="FILE"
        ),
    ] = None,
    name_column: NameColumn = None,
    id_column: IdColumn = None,
    layer: Layer = None,
    encoding: Encoding = None,
    crs: Crs = None,
    drop_invalid: DropInvalid = False,
) -> None:
    """Show what a dataset holds, compare its names of districts with those of a file, and draw a map of it."""
    from geolive.cli.join_report import check_report, show_report
    from geolive.cli.parameters import as_options
    from geolive.console import note, say, step
    from geolive.dataset_folder import read_dataset
    from geolive.mapping.overview import check_picture, draw_overview
    from geolive.mapping.summary import summarise

    if map is None and indicator:
        raise InputError("--indicator needs a picture; add --map FILE.png")
    check_report(dataset, boundaries, column, join_report)
    if map is not None:
        check_picture(map)
    file = open_boundaries(
        boundaries, layer=layer, name_column=name_column, id_column=id_column, encoding=encoding, crs=crs,
        drop_invalid=drop_invalid,
    )  # fmt: skip
    for words in file.notes if file else ():
        note(as_options(words, context.command))
    if file is not None and column is not None:
        show_report(dataset, file, column, join_report)
        return
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    _show(data, summarise(data))
    if file is not None:
        show_report(data, file, None, join_report)
    if map is not None:
        with step(f"Drawing {map}"):
            draw_overview(data, map, indicator, file)
        say(f"Written: {map}")
    say_next("audit", dataset, to="checks its quality")


def _show(data: "Dataset", summary: "Summary") -> None:
    from geolive.console import say, show_table

    simulated = "SIMULATED: " if data.simulated else ""

    def show(title: str, table) -> None:
        if len(table):
            say("")
            show_table(f"{simulated}{title}", list(table.columns), [_cells(row) for row in table.to_numpy(object)])

    say(f"{simulated}{data.name}")
    for name, words in summary.facts.items():
        say(f"{name + ':':<14} {words}")
    show("Clusters by state and split", summary.clusters)
    if n := summary.images_per_cluster:
        say("")
        say(
            f"{simulated}Images per cluster: min {n['min']:,}, median {n['median']:,g}, mean {n['mean']:,.1f}, "
            f"max {n['max']:,}; {n['without_images']:,} of {n['clusters']:,} clusters have none"
        )
    show("Indicators", summary.indicators.rename(columns={"share_1": "share of label 1"}))
    show("Feature sets", summary.features)
    show("Covariates", summary.covariates)
    show("Years of photos and survey", summary.dates)
    if after := summary.years_after:
        say(
            f"{simulated}Photos of clusters were taken {after['min']:+g} to {after['max']:+g} years after the survey, "
            f"median {after['median']:+g} ({after['n']:,} photos)"
        )
    show("Left out, by reason", summary.rejects.head(_MOST_REASONS))
    if (more := len(summary.rejects) - _MOST_REASONS) > 0:
        say(f"and {more:,} further reasons, in {data.path}/rejects.parquet")


def _cells(row) -> list[str]:
    from geolive.wording import significant

    return [
        significant(cell, 4) if isinstance(cell, float) else f"{cell:,}" if isinstance(cell, int) else str(cell)
        for cell in row
    ]
