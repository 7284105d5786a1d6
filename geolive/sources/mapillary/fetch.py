"""The way of a fetch: find images by tiles, choose, read facts and detections, download photos, make the dataset.

Everything that was done stands in a ledger in a folder beside the output, `.NAME.fetch`, which goes when the dataset is in
place. A command that was stopped, or killed at any moment, goes on from there when it is run again.
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

from geolive.dataset_facts import FACTS
from geolive.errors import InputError
from geolive.files import check_new_folder, replacing
from geolive.sources.mapillary.access import Access, RetryPolicy
from geolive.sources.mapillary.area import Area
from geolive.sources.mapillary.assemble import PHOTOS, make_dataset, move_into_place, rescue_photos
from geolive.sources.mapillary.client import Client
from geolive.sources.mapillary.errors import GivenUp, Gone
from geolive.sources.mapillary.ledger import Ledger, Task
from geolive.sources.mapillary.parsing import is_image_id
from geolive.sources.mapillary.sampling import Wanted, choose
from geolive.sources.mapillary.tiles import tile_bounds

# a server that fails this often in a row, with no success between, is not asked any further
_MOST_IN_A_ROW = 20
T = TypeVar("T")
Progress = Callable[[str], None]


def work_folder(out: str | Path) -> Path:
    """Where the ledger and the photos of an unfinished fetch are.

    Examples
    --------
    >>> work_folder("data/goa").as_posix()
    'data/.goa.fetch'
    """
    out = Path(out) if Path(out).name else Path(out).resolve()
    return out.parent / f".{out.name}.fetch"


def plan_fetch(
    area: Area,
    wanted: Wanted,
    out: str | Path,
    access: Access,
    retry_policy: RetryPolicy,
    progress: Progress = lambda words: None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find the images of an area and choose among them; `fetch_images` goes on from there.

    Parameters
    ----------
    area, wanted, out, access, retry_policy, tell
        As in `fetch_images`.

    Returns
    -------
    found, chosen : DataFrame
        id, lon, lat, captured_at, is_pano.

    Raises
    ------
    InputError
        As in `fetch_images`.
    """
    with _opened(area, wanted, out) as ledger:
        return asyncio.run(_discover(ledger, area, wanted, access, retry_policy, progress))


def fetch_images(
    area: Area,
    wanted: Wanted,
    out: str | Path,
    access: Access,
    retry_policy: RetryPolicy | None = None,
    *,
    command: str = "",
    leave_out_failed: bool = False,
    progress: Progress = lambda words: None,
) -> Path:
    """Fetch an area's images into a dataset; run again after any interruption, it goes on where it was.

    Parameters
    ----------
    area : Area
    wanted : Wanted
    out : str or Path
        The dataset folder to make; photos come to its folder `photos`.
    access : Access
    retry_policy : RetryPolicy, optional
    command : str
        To keep in dataset.json.
    leave_out_failed : bool
        Make the dataset even where some images could not be fetched; they are listed among the rejects.
    progress : callable, optional
        Called with words that say how far it is.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    InputError
        The token was refused, there is no image, the server fails again and again, the output is not free, or an
        unfinished fetch with other options is in the way. What was fetched is kept.
    """
    out = Path(out)
    if is_finished(area, wanted, out):
        shutil.rmtree(work_folder(out), ignore_errors=True)
        return out
    with _opened(area, wanted, out) as ledger:
        found, _ = asyncio.run(_discover(ledger, area, wanted, access, retry_policy or RetryPolicy(), progress))
        rescue_photos(work_folder(out))
        photos = work_folder(out) / PHOTOS
        photos.mkdir(exist_ok=True)
        _check_photos(ledger, photos)
        failed = asyncio.run(_collect(ledger, area, wanted, photos, access, retry_policy or RetryPolicy(), progress))
        if failed and not leave_out_failed:
            raise _unfinished(failed, ledger)
        progress("writing")
        request = {"request": _digest(_request(area, wanted)), "found": len(found), **wanted.as_text()}
        move_into_place(make_dataset(ledger, area, wanted, failed, command, request), work_folder(out), out)
    shutil.rmtree(work_folder(out), ignore_errors=True)
    return out


def is_finished(area: Area, wanted: Wanted, out: str | Path) -> bool:
    """Whether the dataset is in place and only the clearing up was interrupted."""
    if not work_folder(out).is_dir():
        return False
    try:
        facts = json.loads((Path(out) / FACTS).read_text(encoding="utf-8"))
        return facts["extra"]["fetch"]["request"] == _digest(_request(area, wanted))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _opened(area: Area, wanted: Wanted, out: str | Path) -> Ledger:
    """The ledger of this fetch: a new one, or the one of the same fetch that was interrupted."""
    check_new_folder(out)
    folder = work_folder(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made there ({error.strerror}); choose another --out") from None
    ledger = Ledger(folder / "ledger.sqlite", str(out))
    try:
        asked, before = _request(area, wanted), ledger.request()
        remedy = f"repeat the options of then, choose another --out, or remove {folder}"
        if before and before["area"] != asked["area"]:
            raise InputError(f"{out}: an unfinished fetch of another area is there; {remedy}")
        if before and before != asked:
            if ledger.n_begun():
                raise InputError(f"{out}: an unfinished fetch with other options is there; {remedy}")
            ledger.choose([])
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
    """Ask for all tiles that are left; then choose, unless that was done before."""
    left = ledger.tiles_left()
    if left:
        async with Client(access, retry_policy) as client:
            await _ask_tiles(ledger, area, left, client, retry_policy, progress)
    found = ledger.found()
    if found.empty:
        west, south = tile_bounds(area.tiles[:1])[0, :2]
        async with Client(access, retry_policy) as client:
            # a server may answer a bad token with empty tiles
            await _or_stop(client.check_token(west, south))
        raise InputError(f"{area.name}: Mapillary has no image there; name another area")
    progress(f"choosing among {len(found):,} images")
    chosen = choose(found, area, wanted)
    if chosen.empty:
        raise InputError(
            f"{area.name}: none of its {len(found):,} images is wanted; widen --since, --until or --no-pano"
        )
    if not ledger.n_chosen():
        ledger.choose(chosen["id"])
    return found, chosen


async def _ask_tiles(
    ledger: Ledger,
    area: Area,
    left: list[tuple[int, int, int]],
    client: Client,
    retry_policy: RetryPolicy,
    progress: Progress,
) -> None:
    done, strange = 0, 0

    async def ask(tile: tuple[int, int, int]) -> None:
        nonlocal done, strange
        number, x, y = tile
        images = await _or_stop(client.tile(x, y))
        good = [image for image in images if is_image_id(image.id)]
        strange += len(images) - len(good)
        inside = area.holds(np.array([(image.lon, image.lat) for image in good], float))
        ledger.put_tile(number, [image for image, kept in zip(good, inside, strict=True) if kept])
        done += 1
        progress(
            f"{done:,} of {len(left):,} tiles"
            + (f", {strange} images with an impossible id left out" if strange else "")
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
    """Fetch what is missing of each image; returns the reasons for those given up."""
    tasks = ledger.tasks(wanted.objects, wanted.thumb is not None)
    failed, in_a_row, done = {}, 0, 0

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
            why = "no position" if None in where else "its position, once computed, lies outside the area"
            return ledger.put_gone(task.id, why)
        ledger.put_facts(task.id, facts)
    if task.detections:
        ledger.put_detections(task.id, await client.detections(task.id))
    if task.photo:
        data = await client.photo(task.id, wanted.thumb)
        try:
            with replacing(photo_path(photos, task.id)) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise InputError(f"{photos}: cannot be written ({error.strerror}); make room, then run it again") from None
        ledger.put_photo(task.id, hashlib.sha256(data).hexdigest(), len(data))


def photo_path(folder: Path, id: str) -> Path:
    """The file of an image's photo; the id has been checked to be digits, and is checked again.

    Examples
    --------
    >>> photo_path(Path("photos"), "498763468214164").as_posix()
    'photos/498763468214164.jpg'
    """
    if not is_image_id(id):
        raise ValueError("not an image id")
    return folder / f"{id}.jpg"


def _check_photos(ledger: Ledger, photos: Path) -> None:
    """Fetch photos again whose file is missing or of another size (a power cut), and drop halves of files."""
    for id, size in ledger.photos():
        path = photo_path(photos, id)
        if not path.is_file() or path.stat().st_size != size:
            ledger.forget_photo(id)
    known = {f"{id}.jpg" for id, _ in ledger.photos()}
    for path in photos.iterdir():
        if path.name not in known:
            path.unlink()


async def _or_stop(request: Awaitable[T]) -> T:
    """Without this answer nothing can go on."""
    try:
        return await request
    except (GivenUp, Gone) as error:
        said = str(error) or "an unexpected answer"
        raise InputError(f"Mapillary does not answer as it should: {said}; run the same command again later") from None


async def _for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Work on all items, so many at once; the first error stops all."""
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
        f"{len(failed):,} of {ledger.n_chosen():,} images could not be fetched (the last: {last}); what was fetched is kept: "
        "run the same command again, or add --leave-out-failed to make the dataset without them"
    )
