"""`fetch images`."""

import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import NewFolder, fetch

if TYPE_CHECKING:
    from geolive.sources.imagery.area import Area
    from geolive.sources.imagery.retry_policy import RetryPolicy
    from geolive.sources.imagery.sampling import Wanted
    from geolive.sources.imagery.source import Source


@fetch.command("images")
def fetch_images(
    out: NewFolder,
    region: Annotated[
        str | None,
        typer.Option(help="A state's name, a box or a polygon file; whole districts are taken.", metavar="REGION"),
    ] = None,
    bbox: Annotated[
        str | None, typer.Option(help="A box in degrees: images within west,south,east,north.", metavar="W,S,E,N")
    ] = None,
    clusters: Annotated[
        Path | None,
        typer.Option(help="A dataset with a survey: images within 5 km of its clusters.", metavar="DATASET"),
    ] = None,
    boundaries: Annotated[
        Path | None, typer.Option(help="A file of districts in place of India's.", metavar="FILE")
    ] = None,
    since: Annotated[
        datetime.datetime | None,
        typer.Option(help="First day of the images, UTC.", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD"),
    ] = None,
    until: Annotated[
        datetime.datetime | None,
        typer.Option(help="Last day of the images, UTC.", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD"),
    ] = None,
    pano: Annotated[bool, typer.Option(help="Include panoramas.")] = True,
    max_per_site: Annotated[int, typer.Option(help="Largest number of images of a cluster or a site.", min=1)] = 200,
    objects: Annotated[bool, typer.Option(help="Count objects from Mapillary's own detections.")] = False,
    thumb: Annotated[
        str, typer.Option(help="Size of the photos: 256, 1024, 2048 (pixels) or original.", metavar="SIZE")
    ] = "1024",
    images: Annotated[bool, typer.Option(help="Download the photos.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show the numbers of images and bytes by district.")
    ] = False,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token, in place of MAPILLARY_TOKEN.", metavar="FILE")
    ] = None,
    leave_out_failed: Annotated[
        bool, typer.Option("--leave-out-failed", help="Make the dataset even if some images cannot be fetched.")
    ] = False,
    at_once: Annotated[int, typer.Option(help="Number of requests at the same time.", min=1, max=256)] = 16,
    rate: Annotated[float, typer.Option(help="Largest number of requests per second.", min=0.01)] = 100.0,
    tries: Annotated[int, typer.Option(help="Largest number of tries of a request.", min=1)] = 8,
    delay: Annotated[
        float, typer.Option(help="Seconds before the second try; doubled for each further try.", min=0)
    ] = 1.0,
    timeout: Annotated[
        float, typer.Option(help="Seconds without an answer after which a request has failed.", min=0.01)
    ] = 30,
) -> None:
    """Fetch Mapillary's images of an area; after an interruption, the same command continues.

    The environment variable MAPILLARY_TOKEN must hold a free token from mapillary.com/dashboard/developers.
    """
    from geolive.console import note, step
    from geolive.sources.imagery.area import find_area
    from geolive.sources.imagery.retry_policy import RetryPolicy
    from geolive.sources.imagery.sampling import Wanted
    from geolive.sources.mapillary.access import GRAPH, TILES, Access, find_token
    from geolive.sources.mapillary.source import Mapillary
    from geolive.sources.mapillary.tiles import TILES_A_DAY

    source = Mapillary(
        Access(
            find_token(token_file, os.environ.get("MAPILLARY_TOKEN")),
            os.environ.get("GEOLIVE_MAPILLARY_GRAPH", GRAPH),
            os.environ.get("GEOLIVE_MAPILLARY_TILES", TILES),
        )
    )
    first, last = (day.date() if day else None for day in (since, until))
    wanted = Wanted(first, last, pano, max_per_site, thumb if images else None, objects)
    retry_policy = RetryPolicy(at_once, rate, tries, delay, max(60.0, delay), timeout=timeout)
    with step("Finding the tiles of the area"):
        area = find_area(region=region, bbox=bbox, clusters=clusters, boundaries=boundaries)
    if len(area.tiles) > TILES_A_DAY:
        note(
            f"{len(area.tiles):,} tiles, and Mapillary gives {TILES_A_DAY:,} a day: when it refuses more, run the same command "
            "again the next day"
        )
    if dry_run:
        _show_plan(source, area, wanted, out, retry_policy, boundaries)
    else:
        _fetch(source, area, wanted, out, retry_policy, leave_out_failed)


def _show_plan(
    source: "Source", area: "Area", wanted: "Wanted", out: Path, retry_policy: "RetryPolicy", boundaries: Path | None
) -> None:
    from geolive.console import say, show_table, step
    from geolive.sources.imagery.area import districts_of
    from geolive.sources.imagery.fetch import fetch_folder, plan_fetch
    from geolive.sources.imagery.sampling import plan_table

    with step(f"Requesting {len(area.tiles):,} tiles") as progress:
        listed, sampled, n_empty = plan_fetch(source, area, wanted, out, retry_policy, progress)
    with step("Counting by district"):
        table = plan_table(listed, sampled, districts_of(area, boundaries), source.bytes_per_photo(wanted.thumb))
    rows = [[d.district, "", f"{d.listed:,}", f"{d.sampled:,}", _size(d.bytes)] for d in table.itertuples()]
    _note_empty_tiles(n_empty, len(area.tiles), "after an hour, the same command requests them again")
    show_table(f"Images of {area.name}", ["district", "", "found", "to fetch", "about"], rows)
    say(
        f"{len(listed):,} images found, {len(sampled):,} to fetch, about {_size(int(table['bytes'].sum()))} of photos; nothing "
        f"was downloaded yet. Run it without --dry-run to fetch them (the tiles are kept in {fetch_folder(out)})."
    )


def _fetch(
    source: "Source", area: "Area", wanted: "Wanted", out: Path, retry_policy: "RetryPolicy", leave_out_failed: bool
) -> None:
    from geolive.console import note, say, step
    from geolive.dataset_folder import read_dataset
    from geolive.sources.imagery.fetch import fetch_images
    from geolive.wording import count_of

    with step(f"Fetching images of {area.name} ({count_of(len(area.tiles), 'tile')})") as progress:
        fetch_images(source, area, wanted, out, retry_policy, leave_out_failed=leave_out_failed, progress=progress)
    dataset = read_dataset(out)
    again = f"to request them again, fetch into another folder than {out}"
    _note_empty_tiles(dataset.extra["fetch"]["empty_tiles"], dataset.extra["fetch"]["tiles"], again)
    for reason, number in dataset.rejects["reason"].value_counts().items():
        note(f"{count_of(number, 'image')} left out: {reason}")
    if unmatched := dataset.extra.get("detections_without_class"):
        shown = ", ".join(f"{value} ({number:,})" for value, number in list(unmatched.items())[:5])
        note(f"detections without a class, counted as void: {shown}")
    near = ""
    if len(dataset.clusters):
        with_images = (dataset.clusters["n_images"] > 0).sum()
        near = f", near {with_images:,} of {count_of(len(dataset.clusters), 'cluster')}"
    photos = count_of(int(dataset.images["img_path"].notna().sum()), "photo")
    say(f"{out}: {count_of(len(dataset.images), 'image')}{near}, {photos}; {dataset.extra['attribution']}")


def _note_empty_tiles(n_empty: int, n_tiles: int, again: str) -> None:
    from geolive.console import note
    from geolive.wording import count_of

    if n_empty:
        note(f"Mapillary answered twice that {n_empty:,} of {count_of(n_tiles, 'tile')} have no image; {again}")


def _size(n_bytes: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"
