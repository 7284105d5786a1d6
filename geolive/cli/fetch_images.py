"""`fetch images`."""

import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geolive.cli.apps import Address, EngineName, NewFolder, fetch
from geolive.cli.boundary_options import Crs, DropInvalid, Encoding, IdColumn, Layer, NameColumn, open_boundaries
from geolive.cli.next_steps import say_next
from geolive.cli.parameters import as_options
from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.boundary_files import Boundaries
    from geolive.engine.interface import Engine
    from geolive.sources.imagery.area import Area
    from geolive.sources.imagery.retry_policy import RetryPolicy
    from geolive.sources.imagery.sampling import Wanted
    from geolive.sources.imagery.source import Source

CAMERA_TYPES = ("perspective", "fisheye", "equirectangular", "spherical")


@fetch.command("images")
def fetch_images(
    context: typer.Context,
    out: NewFolder,
    source: Annotated[
        str,
        typer.Option(
            help="Source of the images: mapillary, panoramax, or a source of another package (plugins lists them).",
            metavar="SOURCE",
        ),
    ] = "mapillary",
    api: Annotated[
        str | None,
        typer.Option(
            help="Address of a Panoramax API; by default the catalogue of all servers.",
            metavar="URL",
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="A state's name, a box or a polygon file: images in all districts that it overlaps.", metavar="REGION"
        ),
    ] = None,
    bbox: Annotated[
        str | None, typer.Option(help="A box in degrees: images within west,south,east,north.", metavar="W,S,E,N")
    ] = None,
    clusters: Annotated[
        Path | None,
        typer.Option(
            help="A dataset with a survey: images within 5 km of its clusters. With --keys: the images are joined to these "
            "clusters.",
            metavar="DATASET",
        ),
    ] = None,
    around: Annotated[
        str | None, typer.Option(help="A point in degrees: images within --radius-m of this point.", metavar="LON,LAT")
    ] = None,
    radius_m: Annotated[float | None, typer.Option(help="With --around: radius in metres.", metavar="M")] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            help="A file with one image key on each line, or with --keys-column a table: these images, wherever they are.",
            metavar="FILE",
        ),
    ] = None,
    keys_column: Annotated[str | None, typer.Option(help="Column of --keys with the keys.", metavar="COLUMN")] = None,
    boundaries: Annotated[
        Path | None, typer.Option(help="A file of districts in place of India's.", metavar="FILE")
    ] = None,
    layer: Layer = None,
    name_column: NameColumn = None,
    id_column: IdColumn = None,
    encoding: Encoding = None,
    crs: Crs = None,
    drop_invalid: DropInvalid = False,
    min_quality: Annotated[
        float | None,
        typer.Option(
            help="Lowest quality score of an image, 0 to 1; images without a score are left out.", min=0, max=1
        ),
    ] = None,
    camera_type: Annotated[
        list[str] | None,
        typer.Option(
            help="Type of camera: perspective, fisheye, equirectangular or spherical. Images of other cameras are left "
            "out. May be repeated.",
            metavar="TYPE",
        ),
    ] = None,
    since: Annotated[
        datetime.datetime | None,
        typer.Option(help="First day of the images, UTC.", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD"),
    ] = None,
    until: Annotated[
        datetime.datetime | None,
        typer.Option(help="Last day of the images, UTC.", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD"),
    ] = None,
    leave_out_panoramas: Annotated[
        bool,
        typer.Option(
            "--leave-out-panoramas",
            help="Leave out panoramas. Without this option, embed and detect cut each panorama into four views.",
        ),
    ] = False,
    max_per_site: Annotated[int, typer.Option(help="Largest number of images of a cluster or a site.", min=1)] = 200,
    objects: Annotated[bool, typer.Option(help="Count objects from Mapillary's own detections.")] = False,
    thumb: Annotated[
        str | None,
        typer.Option(
            help="Size of the photos in pixels, or original: 256, 1024 (the default) or 2048 from Mapillary, 500 or 2048 (the "
            "default) from Panoramax.",
            metavar="SIZE",
        ),
    ] = None,
    images: Annotated[bool, typer.Option(help="Download the photos.")] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the numbers of images and bytes by district, and download nothing.")
    ] = False,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token, in place of MAPILLARY_TOKEN.", metavar="FILE")
    ] = None,
    leave_out_failed: Annotated[
        bool, typer.Option("--leave-out-failed", help="Make the dataset even if some images cannot be fetched.")
    ] = False,
    at_once: Annotated[
        int | None,
        typer.Option(
            help="Number of requests at the same time; by default 16 to Mapillary and 4 to Panoramax.", min=1, max=256
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Largest number of requests per second; by default 100 to Mapillary and 10 to Panoramax.", min=0.01
        ),
    ] = None,
    tries: Annotated[int, typer.Option(help="Largest number of tries of a request.", min=1)] = 8,
    delay: Annotated[
        float, typer.Option(help="Seconds before the second try; doubled for each further try.", min=0)
    ] = 1.0,
    timeout: Annotated[
        float, typer.Option(help="Seconds without an answer after which a request has failed.", min=0.01)
    ] = 30,
    engine: EngineName = "local",
    address: Address = None,
) -> None:
    """Fetch the images of an area from Mapillary or Panoramax; after an interruption, the same command continues.

    For Mapillary, the environment variable MAPILLARY_TOKEN must hold a free token from mapillary.com/dashboard/developers.
    Panoramax needs no token.
    """
    from geolive.console import note
    from geolive.engine.choosing import choose_engine
    from geolive.sources.imagery.retry_policy import RetryPolicy
    from geolive.sources.imagery.sampling import Wanted

    chosen = choose_engine(engine, address)
    where = _find_source(source, api, token_file)
    first, last = (day.date() if day else None for day in (since, until))
    size = (where.default_size if thumb is None else thumb) if images else None
    cameras = camera_types(camera_type or [])
    wanted = Wanted(first, last, not leave_out_panoramas, max_per_site, size, objects, min_quality, cameras)
    where.check(wanted.thumb, wanted.objects)
    retry_policy = RetryPolicy(
        at_once or where.at_once, rate or where.rate, tries, delay, max(60.0, delay), timeout=timeout
    )
    districts = open_boundaries(
        boundaries, layer=layer, name_column=name_column, id_column=id_column, encoding=encoding, crs=crs,
        drop_invalid=drop_invalid,
    )  # fmt: skip
    for words in districts.notes if districts else ():
        note(as_options(words, context.command))
    named = {"region": region, "bbox": bbox, "clusters": clusters, "around": around, "radius_m": radius_m}
    area = _find_images(keys, keys_column, named, districts)
    n_tiles = len(area.tiles_at(where.zoom))
    if where.tiles_a_day is not None and n_tiles > where.tiles_a_day:
        note(
            f"{n_tiles:,} tiles, and {where.name} gives {where.tiles_a_day:,} a day: when it refuses more, run the same command "
            "again the next day"
        )
    if dry_run:
        _show_plan(where, area, wanted, out, retry_policy, districts)
    else:
        _fetch(where, area, wanted, out, retry_policy, leave_out_failed, chosen)


def _find_source(name: str, api: str | None, token_file: Path | None) -> "Source":
    from geolive.sources.added import ADDED_SOURCES, added_imagery
    from geolive.sources.mapillary.access import GRAPH, TILES, Access, find_token
    from geolive.sources.mapillary.source import Mapillary
    from geolive.sources.panoramax.source import API, Panoramax

    if name == "panoramax":
        if token_file is not None:
            raise InputError("Panoramax needs no token; leave out --token-file")
        return Panoramax(api or API)
    if name != "mapillary" and name not in ADDED_SOURCES:
        raise InputError(f"source={name!r}: must be mapillary or panoramax", parameter="source")
    if api is not None:
        raise InputError("--api is the address of a Panoramax API; add --source panoramax")
    if name != "mapillary":
        if token_file is not None:
            raise InputError(f"--token-file is for Mapillary; leave it out with --source {name}")
        return added_imagery(name)
    return Mapillary(
        Access(
            find_token(token_file, os.environ.get("MAPILLARY_TOKEN")),
            os.environ.get("GEOLIVE_MAPILLARY_GRAPH", GRAPH),
            os.environ.get("GEOLIVE_MAPILLARY_TILES", TILES),
        )
    )


def camera_types(values: list[str]) -> tuple[str, ...]:
    """Check the options `--camera-type`; each type counts once.

    Examples
    --------
    >>> camera_types(["perspective", "fisheye", "perspective"])
    ('perspective', 'fisheye')
    """
    for value in values:
        if value not in CAMERA_TYPES:
            raise InputError(f"--camera-type {value!r}: must be one of {', '.join(CAMERA_TYPES)}")
    return tuple(dict.fromkeys(values))


def _find_images(
    keys: Path | None, keys_column: str | None, named: dict[str, Any], districts: "Boundaries | None"
) -> "Area":
    """Find the area that the options name, or the images that a file names."""
    from geolive.console import step
    from geolive.dataset_folder import read_dataset
    from geolive.sources.imagery.area import find_area
    from geolive.sources.imagery.keys import images_of_keys

    if keys is None:
        if keys_column is not None:
            raise InputError("--keys-column is a column of a file of keys; add --keys FILE")
        with step("Finding the tiles of the area"):
            return find_area(**named, boundaries=districts)
    clusters = named.pop("clusters")
    if given := next((name for name, value in named.items() if value is not None), None):
        raise InputError(f"--{given.replace('_', '-')}: --keys names the images already; leave one of the two out")
    with step(f"Reading {keys}"):
        return images_of_keys(keys, keys_column, None if clusters is None else read_dataset(clusters))


def _show_plan(
    source: "Source",
    area: "Area",
    wanted: "Wanted",
    out: Path,
    retry_policy: "RetryPolicy",
    boundaries: "Boundaries | None",
) -> None:
    from geolive.console import say, show_table, step
    from geolive.sources.imagery.area import districts_of
    from geolive.sources.imagery.fetch import fetch_folder, plan_fetch
    from geolive.sources.imagery.sampling import plan_table
    from geolive.wording import count_of

    n_tiles = len(area.tiles_at(source.zoom))
    with step(f"Requesting {count_of(n_tiles, 'tile')}") as progress:
        listed, sampled, n_empty = plan_fetch(source, area, wanted, out, retry_policy, progress)
    if area.keys is not None:
        _show_plan_of_keys(source, area, wanted, len(listed), len(sampled))
        return
    with step("Counting by district"):
        table = plan_table(listed, sampled, districts_of(area, boundaries), source.bytes_per_photo(wanted.thumb))
    rows = [[d.district, "", f"{d.listed:,}", f"{d.sampled:,}", _size(d.bytes)] for d in table.itertuples()]
    _note_empty_tiles(source, n_empty, n_tiles, "after an hour, the same command requests them again")
    show_table(f"Images of {area.name}", ["district", "", "found", "to fetch", "about"], rows)
    say(
        f"{len(listed):,} images found, {len(sampled):,} to fetch, about {_size(int(table['bytes'].sum()))} of photos; nothing "
        f"was downloaded yet. Run it without --dry-run to fetch them (the tiles are kept in {fetch_folder(out)})."
    )


def _show_plan_of_keys(source: "Source", area: "Area", wanted: "Wanted", n_keys: int, n_usable: int) -> None:
    from geolive.console import note, say
    from geolive.wording import count_of

    if n_usable < n_keys:
        example = next(key for key in area.keys or () if not source.is_image_id(key))
        n_wrong = count_of(n_keys - n_usable, "key")
        note(f"{n_wrong} cannot be fetched; {example[:40]!r}, for example, is {source.why_no_id(example)}")
    size = _size(n_usable * source.bytes_per_photo(wanted.thumb))
    say(
        f"{n_usable:,} of {area.name} to fetch, about {size} of photos; {source.name} was not asked yet whether it has them. "
        "Run it without --dry-run to fetch them."
    )


def _fetch(
    source: "Source",
    area: "Area",
    wanted: "Wanted",
    out: Path,
    retry_policy: "RetryPolicy",
    leave_out_failed: bool,
    engine: "Engine",
) -> None:
    from geolive.console import note, say, step
    from geolive.dataset_folder import read_dataset
    from geolive.sources.imagery.fetch import fetch_images
    from geolive.wording import count_of

    by_tiles = f" ({count_of(len(area.tiles_at(source.zoom)), 'tile')})" if area.keys is None else ""
    with step(f"Fetching images of {area.name}{by_tiles}") as progress, engine:
        fetch_images(
            source, area, wanted, out, retry_policy, leave_out_failed=leave_out_failed, engine=engine, progress=progress
        )
    dataset = read_dataset(out)
    again = f"to request them again, fetch into another folder than {out}"
    _note_empty_tiles(source, dataset.extra["fetch"]["empty_tiles"], dataset.extra["fetch"]["tiles"], again)
    for reason, number in dataset.rejects["reason"].value_counts().items():
        note(f"{count_of(number, 'image')} left out: {reason}" + (f" ({out}/rejects.parquet)" if area.keys else ""))
    if unmatched := dataset.extra.get("detections_without_class"):
        shown = ", ".join(f"{value} ({number:,})" for value, number in list(unmatched.items())[:5])
        note(f"detections without a class, counted as void: {shown}")
    near = ""
    if len(dataset.clusters):
        with_images = (dataset.clusters["n_images"] > 0).sum()
        near = f", near {with_images:,} of {count_of(len(dataset.clusters), 'cluster')}"
    photos = count_of(int(dataset.images["img_path"].notna().sum()), "photo")
    say(f"{out}: {count_of(len(dataset.images), 'image')}{near}, {photos}; {dataset.extra['attribution']}")
    say_next("info", out, to="shows what it holds")


def _note_empty_tiles(source: "Source", n_empty: int, n_tiles: int, again: str) -> None:
    from geolive.console import note
    from geolive.wording import count_of

    if n_empty:
        answered = "answered twice" if source.empty_answers == 2 else "answered"
        note(f"{source.name} {answered} that {n_empty:,} of {count_of(n_tiles, 'tile')} have no image; {again}")


def _size(n_bytes: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} bytes"
