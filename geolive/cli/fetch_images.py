"""`fetch images`."""

import datetime
import os
from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, fetch
from geolive.errors import InputError


@fetch.command("images")
def fetch_images(
    out: NewFolder,
    region: Annotated[
        str | None,
        typer.Option(help="A state's name, a box or a polygon file; its districts are taken whole.", metavar="REGION"),
    ] = None,
    bbox: Annotated[
        str | None, typer.Option(help="west,south,east,north in degrees, cut at its edges.", metavar="W,S,E,N")
    ] = None,
    clusters: Annotated[
        Path | None, typer.Option(help="A dataset with a survey: images within 5 km of its places.", metavar="DATASET")
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
    pano: Annotated[bool, typer.Option(help="Take panoramas too.")] = True,
    max_per_site: Annotated[int, typer.Option(help="Most images of a survey place or of a site.", min=1)] = 200,
    objects: Annotated[bool, typer.Option(help="Count objects from Mapillary's own detections.")] = False,
    thumb: Annotated[
        str, typer.Option(help="Size of the photos: 256, 1024, 2048 (pixels) or original.", metavar="SIZE")
    ] = "1024",
    images: Annotated[bool, typer.Option(help="Download the photos.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell how many images and bytes, district by district.")
    ] = False,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token, in place of MAPILLARY_TOKEN.", metavar="FILE")
    ] = None,
    leave_out_failed: Annotated[
        bool, typer.Option("--leave-out-failed", help="Make the dataset even if some images could not be fetched.")
    ] = False,
    at_once: Annotated[int, typer.Option(help="Requests under way at a time.", min=1, max=256)] = 16,
    rate: Annotated[float, typer.Option(help="Most requests a second.", min=0.01)] = 100.0,
    tries: Annotated[int, typer.Option(help="How often a request is tried.", min=1)] = 8,
    delay: Annotated[float, typer.Option(help="Seconds before the second try; doubled each time.", min=0)] = 1.0,
    timeout: Annotated[
        float, typer.Option(help="Seconds without an answer after which a request failed.", min=0.01)
    ] = 30,
) -> None:
    """Fetch Mapillary's images of an area; run again after an interruption, it goes on where it was.

    Needs a free token from mapillary.com/dashboard/developers in the environment variable MAPILLARY_TOKEN.
    """
    if sum(given is not None for given in (region, bbox, clusters)) != 1:
        raise InputError("name one area: --region, --bbox or --clusters")
    from geolive.console import note, step
    from geolive.sources.mapillary.access import GRAPH, TILES, Access, RetryPolicy, find_token
    from geolive.sources.mapillary.sampling import Wanted

    token = find_token(token_file, os.environ.get("MAPILLARY_TOKEN"))
    access = Access(
        token,
        os.environ.get("GEOLIVE_MAPILLARY_GRAPH", GRAPH),
        os.environ.get("GEOLIVE_MAPILLARY_TILES", TILES),
    )
    wanted = Wanted(
        since.date() if since else None,
        until.date() if until else None,
        pano,
        max_per_site,
        thumb if images else None,
        objects,
    )
    retry_policy = RetryPolicy(at_once, rate, tries, delay, max(60.0, delay), timeout=timeout)
    with step("Finding the area's tiles"):
        area = _area(region, bbox, clusters, boundaries)
    _warn_of_days(len(area.tiles))
    try:
        if dry_run:
            _show_plan(area, wanted, out, access, retry_policy, boundaries)
        else:
            command = _command(region=region, bbox=bbox, clusters=clusters, boundaries=boundaries, wanted=wanted)
            _fetch(area, wanted, out, access, retry_policy, command, leave_out_failed)
    except KeyboardInterrupt:
        note("stopped; what was fetched is kept: run the same command again to go on")
        raise


def _area(region: str | None, bbox: str | None, clusters: Path | None, boundaries: Path | None):
    from geolive.dataset import read_dataset
    from geolive.sources.mapillary.area import area_around, area_of_box, area_of_region

    if clusters is not None:
        return area_around(read_dataset(clusters))
    if bbox is not None:
        return area_of_box(bbox, boundaries)
    return area_of_region(region, boundaries)


def _warn_of_days(n_tiles: int) -> None:
    from geolive.console import note
    from geolive.sources.mapillary.tiles import TILES_A_DAY

    if n_tiles > TILES_A_DAY:
        note(
            f"{n_tiles:,} tiles, and Mapillary gives {TILES_A_DAY:,} a day: when it refuses more, run the same command again "
            "the next day"
        )


def _show_plan(area, wanted, out: Path, access, retry_policy, boundaries: Path | None) -> None:
    from geolive.console import say, show_table, step
    from geolive.sources.mapillary.area import districts_of
    from geolive.sources.mapillary.fetch import plan_fetch, work_folder
    from geolive.sources.mapillary.sampling import plan_table

    with step(f"Asking {len(area.tiles):,} tiles for images") as progress:
        found, chosen = plan_fetch(area, wanted, out, access, retry_policy, progress)
    with step("Counting by district"):
        table = plan_table(found, chosen, districts_of(area, boundaries), wanted)
    rows = [[d.district, "", f"{d.found:,}", f"{d.chosen:,}", _size(d.bytes)] for d in table.itertuples()]
    show_table(f"Images of {area.name}", ["district", "", "found", "to fetch", "about"], rows)
    say(
        f"{len(found):,} images found, {len(chosen):,} to fetch, about {_size(int(table['bytes'].sum()))} of photos; nothing "
        f"was downloaded yet. Run it without --dry-run to fetch them (the tiles are kept in {work_folder(out)})."
    )


def _fetch(area, wanted, out: Path, access, retry_policy, command: str, leave_out_failed: bool) -> None:
    from geolive.console import note, say, step
    from geolive.dataset import read_dataset
    from geolive.sources.mapillary.fetch import fetch_images

    with step(f"Fetching images of {area.name} ({len(area.tiles):,} tiles)") as progress:
        fetch_images(
            area,
            wanted,
            out,
            access,
            retry_policy,
            command=command,
            leave_out_failed=leave_out_failed,
            progress=progress,
        )
    made = read_dataset(out)
    for reason, number in made.rejects["reason"].value_counts().items():
        note(f"{number:,} images left out: {reason}")
    if without := made.extra.get("detections_without_class"):
        shown = ", ".join(f"{value} ({number:,})" for value, number in list(without.items())[:5])
        note(f"detections without a class, counted as void: {shown}")
    photos = made.images["img_path"].notna().sum()
    near = (
        f", near {(made.clusters['n_images'] > 0).sum():,} of {len(made.clusters):,} clusters"
        if len(made.clusters)
        else ""
    )
    say(f"{out}: {len(made.images):,} images{near}, {photos:,} photos; {made.extra['attribution']}")


def _command(*, region, bbox, clusters, boundaries, wanted) -> str:
    """The command that makes the dataset again, without options that have their default."""
    import shlex

    words = ["fetch", "images"]
    for name, value in (
        ("--region", region),
        ("--bbox", bbox),
        ("--clusters", clusters),
        ("--boundaries", boundaries),
        ("--since", wanted.since),
        ("--until", wanted.until),
        ("--max-per-site", wanted.max_per_site if wanted.max_per_site != 200 else None),
        ("--thumb", wanted.thumb if wanted.thumb not in (None, "1024") else None),
    ):
        if value is not None:
            words += [name, str(value)]
    words += [] if wanted.pano else ["--no-pano"]
    words += ["--objects"] if wanted.objects else []
    words += [] if wanted.thumb else ["--no-images"]
    return shlex.join(words)


def _size(n_bytes: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"
