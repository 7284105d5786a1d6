"""Fetches images: lists them by tiles, samples them, requests facts and detections, downloads photos, and makes the dataset.

A ledger in a folder beside the output, `.NAME.fetch`, records everything that was done; the folder is removed when the dataset
is in place. A fetch that was stopped, or killed at any moment, continues from the ledger when it is started again.
"""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from geolive.command_line import command_line
from geolive.dataset_facts import FACTS
from geolive.errors import InputError
from geolive.files import check_new_folder, checksum, replacing, work_folder
from geolive.sources.mapillary.access import Access, RetryPolicy
from geolive.sources.mapillary.area import Area
from geolive.sources.mapillary.assemble import PHOTOS, make_dataset, move_into_place, rescue_photos
from geolive.sources.mapillary.client import Client
from geolive.sources.mapillary.errors import GivenUp, Gone
from geolive.sources.mapillary.ledger import Ledger, Task
from geolive.sources.mapillary.parsing import is_image_id
from geolive.sources.mapillary.sampling import Wanted, sample_images
from geolive.sources.mapillary.tiles import tile_bounds

# after so many failures in a row, the fetch stops
_MOST_IN_A_ROW = 20
T = TypeVar("T")
Progress = Callable[[str], None]


def fetch_folder(out: str | Path) -> Path:
    """Return the folder of the ledger and the photos of an unfinished fetch.

    Examples
    --------
    >>> fetch_folder("data/goa").as_posix()
    'data/.goa.fetch'
    """
    return work_folder(out, "fetch")


def plan_fetch(
    area: Area,
    wanted: Wanted,
    out: str | Path,
    access: Access,
    retry_policy: RetryPolicy,
    progress: Progress = lambda words: None,
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """List the images of an area and sample them; `fetch_images` continues from there.

    Parameters
    ----------
    area, wanted, out, access, retry_policy, progress
        As in `fetch_images`.

    Returns
    -------
    listed, sampled : DataFrame
        id, lon, lat, captured_at, is_pano of all images that tiles list, and of those to fetch.
    n_empty : int
        Number of tiles without any image.

    Raises
    ------
    InputError
        As in `fetch_images`.
    """
    with _opened(area, wanted, out) as ledger:
        return *asyncio.run(_discover(ledger, area, wanted, access, retry_policy, progress)), ledger.n_empty()


def fetch_images(
    area: Area,
    wanted: Wanted,
    out: str | Path,
    access: Access,
    retry_policy: RetryPolicy | None = None,
    *,
    leave_out_failed: bool = False,
    progress: Progress = lambda words: None,
) -> Path:
    """Fetch the images of an area into a dataset; after an interruption, the same call continues the fetch.

    Parameters
    ----------
    area : Area
    wanted : Wanted
    out : str or Path
        The dataset folder to make; photos are written to its folder `photos`.
    access : Access
    retry_policy : RetryPolicy, optional
    leave_out_failed : bool
        Make the dataset even where some images could not be fetched; the rejects list these.
    progress : callable, optional
        Called with words that say how far it is.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        The token was refused, there is no image, the server fails repeatedly, the output exists, or there is an unfinished
        fetch with other options. What was fetched is kept.
    """
    out = Path(out)
    if is_finished(area, wanted, out):
        shutil.rmtree(fetch_folder(out), ignore_errors=True)
        return out
    with _opened(area, wanted, out) as ledger:
        listed, _ = asyncio.run(_discover(ledger, area, wanted, access, retry_policy or RetryPolicy(), progress))
        rescue_photos(fetch_folder(out))
        photos = fetch_folder(out) / PHOTOS
        photos.mkdir(exist_ok=True)
        _check_photos(ledger, photos)
        failed = asyncio.run(_collect(ledger, area, wanted, photos, access, retry_policy or RetryPolicy(), progress))
        if failed and not leave_out_failed:
            raise _unfinished(failed, ledger)
        progress("writing")
        request = {"request": _digest(_request(area, wanted)), "found": len(listed), **wanted.as_text()}
        request |= {"tiles": len(area.tiles), "empty_tiles": ledger.n_empty()}
        move_into_place(
            make_dataset(ledger, area, wanted, failed, fetch_command(area, wanted), request), fetch_folder(out), out
        )
    shutil.rmtree(fetch_folder(out), ignore_errors=True)
    return out


def fetch_command(area: Area, wanted: Wanted) -> str:
    """Return the command line that makes the dataset again; options with their default are left out.

    Examples
    --------
    >>> from geolive.sources.mapillary.area import area_of_region
    >>> fetch_command(area_of_region("goa"), Wanted(pano=False))
    'geolive fetch images --region goa --no-pano --out images'
    """
    default, words = Wanted(), ["fetch", "images", *area.options]
    for name in ("since", "until", "max_per_site", "thumb"):
        if (value := getattr(wanted, name)) not in (None, getattr(default, name)):
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += [] if wanted.pano else ["--no-pano"]
    words += ["--objects"] if wanted.objects else []
    words += [] if wanted.thumb else ["--no-images"]
    # not the real folder, so that equal requests give equal datasets in any folder
    return command_line(*words, "--out", "images")


def is_finished(area: Area, wanted: Wanted, out: str | Path) -> bool:
    """Return whether the dataset is in place and only the removal of the work folder was interrupted."""
    if not fetch_folder(out).is_dir():
        return False
    try:
        facts = json.loads((Path(out) / FACTS).read_text(encoding="utf-8"))
        return facts["extra"]["fetch"]["request"] == _digest(_request(area, wanted))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _opened(area: Area, wanted: Wanted, out: str | Path) -> Ledger:
    """Open the ledger of this fetch: a new one, or that of the same fetch if it was interrupted."""
    check_new_folder(out)
    folder = fetch_folder(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made there ({error.strerror}); give another folder, out='DIR'") from None
    ledger = Ledger(folder / "ledger.sqlite", str(out))
    try:
        asked, before = _request(area, wanted), ledger.request()
        remedy = f"repeat the former options, give another folder out='DIR', or remove {folder}"
        if before and before["area"] != asked["area"]:
            raise InputError(f"{out}: an unfinished fetch of another area is there; {remedy}")
        if before and before != asked:
            if ledger.n_begun():
                raise InputError(f"{out}: an unfinished fetch with other options is there; {remedy}")
            ledger.set_sample([])
        ledger.set_request(asked)
        ledger.start_tiles(area.tiles)
    except BaseException:
        ledger.__exit__()
        raise
    return ledger


def _request(area: Area, wanted: Wanted) -> dict:
    return {"area": area.key, "wanted": wanted.as_text()}


def _digest(request: dict) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


async def _discover(
    ledger: Ledger, area: Area, wanted: Wanted, access: Access, retry_policy: RetryPolicy, progress: Progress
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Request all tiles that are left; then sample the images, unless that was done before."""
    async with Client(access, retry_policy) as client:
        if left := ledger.tiles_left():
            await _ask_tiles(ledger, area, left, client, retry_policy, progress)
        if left := ledger.tiles_left():  # those that were empty
            await asyncio.sleep(retry_policy.first_delay)
            await _ask_tiles(ledger, area, left, client, retry_policy, progress)
    listed = ledger.listed()
    if listed.empty:
        west, south = tile_bounds(area.tiles[:1])[0, :2]
        async with Client(access, retry_policy) as client:
            # a server may answer a bad token with empty tiles
            await _or_stop(client.check_token(west, south))
        ledger.forget_empty_tiles()
        raise InputError(
            f"{area.name}: Mapillary has no image there ({len(area.tiles):,} tiles were requested twice, and the same command "
            "requests them again); name another area"
        )
    progress(f"sampling {len(listed):,} images")
    sampled = sample_images(listed, area, wanted)
    if sampled.empty:
        raise InputError(f"{area.name}: none of its {len(listed):,} images is wanted; change since, until or pano")
    if not ledger.n_begun():
        ledger.set_sample(sampled["id"])
    return listed, sampled


async def _ask_tiles(
    ledger: Ledger,
    area: Area,
    left: list[tuple[int, int, int]],
    client: Client,
    retry_policy: RetryPolicy,
    progress: Progress,
) -> None:
    done, n_malformed = 0, 0

    async def ask(tile: tuple[int, int, int]) -> None:
        nonlocal done, n_malformed
        number, x, y = tile
        images = await _or_stop(client.tile(x, y))
        done += 1
        if not images:
            return ledger.put_empty_tile(number)
        good = [image for image in images if is_image_id(image.id)]
        n_malformed += len(images) - len(good)
        inside = area.holds(np.array([(image.lon, image.lat) for image in good], float))
        ledger.put_tile(number, [image for image, kept in zip(good, inside, strict=True) if kept])
        progress(
            f"{done:,} of {len(left):,} tiles"
            + (f", {n_malformed} images with a malformed id left out" if n_malformed else "")
        )

    await _for_each(left, ask, retry_policy.at_once)


async def _collect(
    ledger: Ledger,
    area: Area,
    wanted: Wanted,
    photos: Path,
    access: Access,
    retry_policy: RetryPolicy,
    progress: Progress,
) -> dict[str, str]:
    """Fetch what is missing of each image; return the reason for each image given up."""
    tasks = ledger.tasks(wanted.objects, wanted.thumb is not None)
    failed: dict[str, str] = {}
    in_a_row, done = 0, 0

    async def fetch(task: Task) -> None:
        nonlocal in_a_row, done
        try:
            await _fetch_one(ledger, task, area, wanted, photos, client)
            in_a_row = 0
        except Gone:
            ledger.put_gone(task.id, "deleted at Mapillary")
            in_a_row = 0
        except GivenUp as error:
            failed[task.id] = str(error)
            in_a_row += 1
            if in_a_row >= _MOST_IN_A_ROW:
                raise _unfinished(failed, ledger) from None
        done += 1
        progress(f"{done:,} of {len(tasks):,} images" + (f", {len(failed)} failed" if failed else ""))

    async with Client(access, retry_policy) as client:
        await _for_each(tasks, fetch, retry_policy.at_once)
    return failed


async def _fetch_one(ledger: Ledger, task: Task, area: Area, wanted: Wanted, photos: Path, client: Client) -> None:
    if task.facts:
        facts = await client.facts(task.id)
        where = (facts["lon"], facts["lat"])
        if None in where or not area.holds([where])[0]:
            why = "no position" if None in where else "its computed position is outside the area"
            return ledger.put_gone(task.id, why)
        ledger.put_facts(task.id, facts)
    if task.detections:
        ledger.put_detections(task.id, await client.detections(task.id))
    if task.photo:
        assert wanted.thumb is not None, "a task includes a photo only where a size is wanted"
        data = await client.photo(task.id, wanted.thumb)
        try:
            with replacing(photo_path(photos, task.id)) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise InputError(
                f"{photos}: cannot be written ({error.strerror}); free space on the disk and run the same command again"
            ) from None
        ledger.put_photo(task.id, hashlib.sha256(data).hexdigest(), len(data))


def photo_path(folder: Path, id: str) -> Path:
    """Return the file of an image's photo; the id is checked once more.

    Examples
    --------
    >>> photo_path(Path("photos"), "498763468214164").as_posix()
    'photos/498763468214164.jpg'
    """
    if not is_image_id(id):
        raise ValueError("not an image id")
    return folder / f"{id}.jpg"


def _check_photos(ledger: Ledger, photos: Path) -> None:
    """Mark photos whose file is missing or has other bytes (after a power cut) as missing, and remove incomplete files."""
    for id, sha256, size in ledger.photos():
        path = photo_path(photos, id)
        if not path.is_file() or path.stat().st_size != size or checksum(path) != sha256:
            ledger.forget_photo(id)
    known = {f"{id}.jpg" for id, _, _ in ledger.photos()}
    for path in photos.iterdir():
        if path.name not in known:
            path.unlink()


async def _or_stop(request: Awaitable[T]) -> T:
    """Await a request without which the fetch cannot continue."""
    try:
        return await request
    except (GivenUp, Gone) as error:
        reason = str(error) or "an unexpected answer"
        raise InputError(
            f"Mapillary does not answer as it should ({reason}); run the same command again later"
        ) from None


async def _for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Work on all items, a number of them at once; the first error stops all."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    workers = [asyncio.create_task(worker()) for _ in range(at_once)]
    try:
        await asyncio.gather(*workers)
    finally:
        for one in workers:
            one.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _unfinished(failed: dict[str, str], ledger: Ledger) -> InputError:
    last = list(failed.values())[-1]
    return InputError(
        f"{len(failed):,} of {ledger.n_sampled():,} images could not be fetched (the last: {last}); run the same command again, "
        "which keeps what was fetched, or add leave_out_failed=True to make the dataset without them"
    )
