"""`covariates`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import Address, DatasetArgument, EngineName, app
from geolive.cli.boundary_options import Crs, DropInvalid, Encoding, IdColumn, Layer, NameColumn, open_boundaries
from geolive.cli.next_steps import say_next
from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.covariate_tables import CovariateTables


@app.command("covariates")
def covariates_command(
    dataset: DatasetArgument,
    raster: Annotated[
        list[str] | None,
        typer.Option(
            help="A GeoTIFF, a folder of its tiles, or the address of a Cloud-Optimized GeoTIFF; may be repeated.",
            metavar="NAME=FILE[:BAND]",
        ),
    ] = None,
    buffer: Annotated[
        str | None,
        typer.Option(
            help="Radius of the buffer over which the mean is taken: 2km, or urban=2km,rural=5km (the default); 0 takes "
            "the value of the cell.",
            metavar="DISTANCE",
        ),
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="A table with a row for each cluster or district.", metavar="FILE")
    ] = None,
    join: Annotated[
        str | None,
        typer.Option(
            help="Column of --table with the clusters' names or the districts' ids; or LON,LAT for two columns of positions.",
            metavar="COLUMN",
        ),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns of --table to add, joined by commas; by default all columns of numbers.")
    ] = None,
    boundaries: Annotated[
        Path | None, typer.Option(help="With --table by district: a file of the districts.", metavar="FILE")
    ] = None,
    layer: Layer = None,
    name_column: NameColumn = None,
    id_column: IdColumn = None,
    encoding: Encoding = None,
    crs: Crs = None,
    drop_invalid: DropInvalid = False,
    engine: EngineName = "local",
    address: Address = None,
) -> None:
    """Add numbers from rasters and tables to the clusters and images of a dataset."""
    from geolive.console import say, step
    from geolive.covariates.adding import compute_covariates, place_covariates
    from geolive.dataset_folder import read_dataset
    from geolive.engine.choosing import choose_engine
    from geolive.wording import count_of

    chosen = choose_engine(engine, address)
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    districts = open_boundaries(
        boundaries,
        layer=layer,
        name_column=name_column,
        id_column=id_column,
        encoding=encoding,
        crs=crs,
        drop_invalid=drop_invalid,
    )
    with step("Computing covariates") as progress, chosen:
        tables = compute_covariates(
            data,
            raster or [],
            buffer_km=parse_buffer(buffer) if buffer else None,
            table=table,
            join=join,
            columns=[name.strip() for name in columns.split(",") if name.strip()] if columns else None,
            boundaries=districts,
            engine=chosen,
            progress=progress,
        )
    with step(f"Adding them to {dataset}"):
        place_covariates(dataset, tables)
    _note_buffers(tables, data.clusters["urban"].isna().all())
    _show(tables)
    simulated = "SIMULATED: " if data.simulated else ""
    listed = ", ".join(tables.names[:4]) + (f", … {tables.names[-1]}" if len(tables.names) > 4 else "")
    say(
        f"{dataset}: {simulated}{len(tables.names):,} covariate{'s' * (len(tables.names) > 1)} added ({listed}) for "
        f"{count_of(len(data.clusters), 'cluster')} and {count_of(len(data.images), 'image')}"
    )
    if data.indicators:
        indicator, bundle = data.indicators[0], f"{dataset}-{data.indicators[0]}"
        words = ("train", "clusterwise", dataset, "--indicator", indicator, "--inputs", "covariates", "--out", bundle)
        say_next(*words, to="a forest of the covariates")
    else:
        say_next("info", dataset, to="shows what it holds")


def parse_buffer(text: str) -> float | dict[str, float]:
    """Read a distance, or one for each kind of place: `2km` or `urban=2km,rural=5km`.

    Raises
    ------
    InputError
        The text is neither.

    Examples
    --------
    >>> parse_buffer("2km"), parse_buffer("urban=2,rural=5km")
    (2.0, {'urban': 2.0, 'rural': 5.0})
    """
    try:
        if "=" not in text:
            return _kilometres(text)
        return {kind.strip(): _kilometres(km) for kind, _, km in (part.partition("=") for part in text.split(","))}
    except ValueError:
        raise InputError(
            f"--buffer {text!r}: gives no distance; give kilometres, for example 2km, or urban=2km,rural=5km"
        ) from None


def _kilometres(text: str) -> float:
    text = text.strip().lower()
    if text.endswith("km"):
        return float(text.removesuffix("km"))
    return float(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)


def _note_buffers(tables: "CovariateTables", none_known: bool) -> None:
    from geolive.console import note

    radius = next((facts["buffer_km"] for facts in tables.about.values() if "buffer_km" in facts), None)
    if radius and none_known and len(tables.clusters) and len(set(radius.values())) > 1:
        note(f"the dataset does not say which clusters are urban: all have the buffer of {radius['unknown']:g} km")


def _show(tables: "CovariateTables") -> None:
    """Print where each covariate comes from, and how many places have none; bands of one raster share a line."""
    from geolive.console import show_table

    rows, seen = [], set()
    for name in tables.names:
        facts = tables.about[name]
        missing = tuple(int(table[name].isna().sum()) for table in (tables.clusters, tables.images))
        share = facts.get("nodata_share")
        about = (facts["kind"], facts["file"], share, missing)
        if facts["kind"] == "raster" and about in seen:
            continue
        seen.add(about)
        bands = sum(1 for other in tables.names if tables.about[other]["file"] == facts["file"])
        shown = f"{name} … ({bands} bands)" if facts["kind"] == "raster" and bands > 1 else name
        rows.append(
            [shown, facts["file"], "–" if share is None else f"{share:.1%}", *(f"{count:,}" for count in missing)]
        )
    show_table(
        "Covariates", ["covariate", "from", "without data", "clusters without value", "images without value"], rows
    )
