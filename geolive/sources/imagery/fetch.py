"""Fetches images: lists them by tiles, samples them, requests facts and detections, downloads photos, and makes the dataset.

A ledger in a folder beside the output, `.NAME.fetch`, records everything that was done; the folder is removed when the dataset
is in place. A fetch that was stopped, or killed at any moment, continues from the ledger when it is started again.
"""

import asyncio
import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd

from geolive.command_line import command_line
from geolive.dataset_facts import FACTS
from geolive.engine.interface import Engine
from geolive.errors import InputError
from geolive.files import check_new_folder, checksum, work_folder
from geolive.sources.imagery.area import Area
from geolive.sources.imagery.assemble import PHOTOS, make_dataset, move_into_place, rescue_photos
from geolive.sources.imagery.collecting import Collection, collect, photo_path, unfinished
from geolive.sources.imagery.ledger import Ledger
from geolive.sources.imagery.listing import Progress, list_images
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.sampling import Wanted
from geolive.sources.imagery.source import Source


def fetch_folder(out: str | Path) -> Path:
    """Return the folder of the ledger and the photos of an unfinished fetch.

    Examples
    --------
    >>> fetch_folder("data/goa").as_posix()
    'data/.goa.fetch'
    """
    return work_folder(out, "fetch")


def plan_fetch(
    source: Source,
    area: Area,
    wanted: Wanted,
    out: str | Path,
    retry_policy: RetryPolicy,
    progress: Progress = lambda words: None,
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """List the images of an area and sample them; `fetch_images` continues from there.

    Parameters
    ----------
    source, area, wanted, out, retry_policy, progress
        As in `fetch_images`.

    Returns
    -------
    listed, sampled : DataFrame
        id, lon, lat, captured_at, is_pano of all images that the source lists, and of those to fetch.
    n_empty : int
        Number of tiles without any image.

    Raises
    ------
    InputError
        As in `fetch_images`.
    """
    with _opened(source, area, wanted, out) as ledger:
        return *asyncio.run(list_images(ledger, source, area, wanted, retry_policy, progress)), ledger.n_empty()


def fetch_images(
    source: Source,
    area: Area,
    wanted: Wanted,
    out: str | Path,
    retry_policy: RetryPolicy | None = None,
    *,
    leave_out_failed: bool = False,
    engine: Engine | None = None,
    progress: Progress = lambda words: None,
) -> Path:
    """Fetch the images of an area into a dataset; after an interruption, the same call continues the fetch.

    Parameters
    ----------
    source : Source
    area : Area
    wanted : Wanted
    out : str or Path
        The dataset folder to make; photos are written to its folder `photos`.
    retry_policy : RetryPolicy, optional
    leave_out_failed : bool
        Make the dataset even where some images could not be fetched; the rejects list these.
    engine : Engine, optional
        Whose workers request facts and photos (`geolive.engine.choosing.choose_engine`); all together keep the rate of the retry
        policy. By default this process does. The tiles are always requested by this process.
    progress : callable, optional
        Called with words that say how far it is.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        Access was refused, there is no image, the server fails repeatedly, the output exists, or there is an unfinished
        fetch with other options. What was fetched is kept.
    """
    out = Path(out)
    if is_finished(source, area, wanted, out):
        shutil.rmtree(fetch_folder(out), ignore_errors=True)
        return out
    with _opened(source, area, wanted, out) as ledger:
        listed, _ = asyncio.run(list_images(ledger, source, area, wanted, retry_policy or RetryPolicy(), progress))
        if area.keys is not None:
            ledger.put_all_gone((key, source.why_no_id(key)) for key in area.keys if not source.is_image_id(key))
        rescue_photos(fetch_folder(out))
        photos = fetch_folder(out) / PHOTOS
        photos.mkdir(exist_ok=True)
        _check_photos(ledger, source, photos)
        job = Collection(source, area, wanted, photos, retry_policy or RetryPolicy())
        failed = collect(ledger, job, engine, progress)
        if failed and not leave_out_failed:
            raise unfinished(failed, ledger)
        progress("writing")
        request = {"request": _digest(_request(source, area, wanted)), "found": len(listed), **wanted.as_text()}
        request |= {"tiles": len(area.tiles_at(source.zoom)), "empty_tiles": ledger.n_empty()}
        command = fetch_command(source, area, wanted)
        move_into_place(make_dataset(ledger, source, area, wanted, failed, command, request), fetch_folder(out), out)
    shutil.rmtree(fetch_folder(out), ignore_errors=True)
    return out


def fetch_command(source: Source, area: Area, wanted: Wanted) -> str:
    """Return the command line that makes the dataset again; options with their default are left out.

    Examples
    --------
    >>> from geolive.sources.imagery.area import area_of_region
    >>> from geolive.sources.mapillary.access import Access
    >>> from geolive.sources.mapillary.source import Mapillary
    >>> fetch_command(Mapillary(Access("MLY|1|abc")), area_of_region("goa"), Wanted(pano=False))
    'geolive fetch images --region goa --leave-out-panoramas --out images'
    """
    default, words = Wanted(thumb=source.default_size), ["fetch", "images", *source.options, *area.options]
    for name in ("since", "until", "max_per_site", "thumb"):
        if (value := getattr(wanted, name)) not in (None, getattr(default, name)):
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += [] if wanted.pano else ["--leave-out-panoramas"]
    words += ["--objects"] if wanted.objects else []
    words += [] if wanted.thumb else ["--no-images"]
    words += [] if wanted.min_quality is None else ["--min-quality", f"{wanted.min_quality:g}"]
    words += [word for kind in wanted.camera_types for word in ("--camera-type", kind)]
    # not the real folder, so that equal requests give equal datasets in any folder
    return command_line(*words, "--out", "images")


def is_finished(source: Source, area: Area, wanted: Wanted, out: str | Path) -> bool:
    """Return whether the dataset is in place and only the removal of the work folder was interrupted."""
    if not fetch_folder(out).is_dir():
        return False
    try:
        facts = json.loads((Path(out) / FACTS).read_text(encoding="utf-8"))
        return facts["extra"]["fetch"]["request"] == _digest(_request(source, area, wanted))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _opened(source: Source, area: Area, wanted: Wanted, out: str | Path) -> Ledger:
    """Open the ledger of this fetch: a new one, or that of the same fetch if it was interrupted."""
    source.check(wanted.thumb, wanted.objects)
    _check_wanted(source, area, wanted)
    check_new_folder(out)
    folder = fetch_folder(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made there ({error.strerror}); give another folder, out='DIR'") from None
    ledger = Ledger(folder / "ledger.sqlite", str(out))
    try:
        asked, before = _request(source, area, wanted), ledger.request()
        remedy = f"repeat the former options, give another folder out='DIR', or remove {folder}"
        if before and before != asked and not (ledger.n_listed() or ledger.n_begun()):
            # such as after a wrong address
            ledger.forget_request()
            before = {}
        if before and before["source"] != asked["source"]:
            raise InputError(f"{out}: an unfinished fetch from another source is there; {remedy}")
        if before and before["area"] != asked["area"]:
            raise InputError(f"{out}: an unfinished fetch of another area is there; {remedy}")
        if before and before != asked:
            if ledger.n_begun():
                raise InputError(f"{out}: an unfinished fetch with other options is there; {remedy}")
            ledger.set_sample([])
        ledger.set_request(asked)
        ledger.start_tiles(area.tiles_at(source.zoom))
    except BaseException:
        ledger.__exit__()
        raise
    return ledger


def _check_wanted(source: Source, area: Area, wanted: Wanted) -> None:
    """Raise where the source, or a list of keys, does not know what is wanted."""
    if wanted.min_quality is not None and "quality_score" not in source.columns:
        raise InputError(
            f"min_quality={wanted.min_quality:g}: {source.name} has no quality scores; leave it out",
            parameter="min_quality",
        )
    if wanted.camera_types and "camera_type" not in source.columns:
        raise InputError(
            f"camera_type={wanted.camera_types[0]!r}: {source.name} has no types of cameras; leave it out",
            parameter="camera_types",
        )
    if area.keys is not None and wanted.max_per_site != Wanted.max_per_site:
        raise InputError(
            "max_per_site: all images that the file names are fetched; leave it out", parameter="max_per_site"
        )


def _request(source: Source, area: Area, wanted: Wanted) -> dict:
    return {"source": [source.name, *source.options], "area": area.key, "wanted": wanted.as_text()}


def _digest(request: dict) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _check_photos(ledger: Ledger, source: Source, photos: Path) -> None:
    """Mark photos whose file is missing or has other bytes (after a power cut) as missing, and remove incomplete files."""
    for id, sha256, size in ledger.photos():
        path = photo_path(source, photos, id)
        if not path.is_file() or path.stat().st_size != size or checksum(path) != sha256:
            ledger.forget_photo(id)
    known = {f"{id}.jpg" for id, _, _ in ledger.photos()}
    for path in photos.iterdir():
        if path.name not in known:
            path.unlink()
