"""Lists the images of an area, tile by tile, or those that keys name; and samples the images to fetch."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.sources.imagery.area import Area
from geolive.sources.imagery.client import Client
from geolive.sources.imagery.failures import GivenUp, Gone
from geolive.sources.imagery.ledger import Ledger
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.sampling import Wanted, sample_images
from geolive.sources.imagery.source import Source
from geolive.sources.imagery.tile_grid import tile_bounds

T = TypeVar("T")
Progress = Callable[[str], None]


async def list_images(
    ledger: Ledger, source: Source, area: Area, wanted: Wanted, retry_policy: RetryPolicy, progress: Progress
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Request all tiles that are left; then sample the images, unless that was done before."""
    async with source.client(retry_policy) as client:
        if area.keys is not None:
            await or_stop(source, client.check_address())
            return _listed_keys(ledger, source, area.keys)
        if ledger.tiles_left():
            await or_stop(source, client.check_address())
        for turn in range(source.empty_answers):
            if left := ledger.tiles_left():
                # in later turns, those that were empty
                await asyncio.sleep(retry_policy.first_delay if turn else 0)
                await _ask_tiles(ledger, source, area, left, client, retry_policy, progress)
    listed = ledger.listed()
    if listed.empty:
        west, south = tile_bounds(area.tiles[:1])[0, :2]
        async with source.client(retry_policy) as client:
            await or_stop(source, client.check_access(west, south))
        ledger.forget_empty_tiles()
        n_tiles, times = len(area.tiles_at(source.zoom)), " twice" if source.empty_answers == 2 else ""
        raise InputError(
            f"{area.name}: {source.name} has no image there ({n_tiles:,} tiles were requested{times}, and the same command "
            "requests them again); name another area"
        )
    progress(f"sampling {len(listed):,} images")
    sampled = sample_images(listed, area, wanted)
    if sampled.empty:
        raise InputError(f"{area.name}: none of its {len(listed):,} images is wanted; change since, until or pano")
    if not ledger.n_begun():
        ledger.set_sample(sampled["id"])
    return listed, sampled


def _listed_keys(ledger: Ledger, source: Source, keys: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the images that keys name, of which nothing else is known yet; sample them all, unless that was done before."""
    table = pd.DataFrame({"id": list(keys), "lon": np.nan, "lat": np.nan, "captured_at": np.nan, "is_pano": False})
    usable = table["id"].map(source.is_image_id).to_numpy(bool)
    if ledger.n_sampled() == 0:
        ledger.set_sample(table["id"])
    return table, table[usable].reset_index(drop=True)


async def _ask_tiles(
    ledger: Ledger,
    source: Source,
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
        images = None
        if area.circle is not None and area.circle[2] <= source.most_search_m:
            images = await or_stop(source, client.list_circle(*area.circle))
        if images is None:
            images = await or_stop(source, client.list_tile(x, y))
        done += 1
        if not images:
            return ledger.put_empty_tile(number, source.empty_answers)
        good = [image for image in images if source.is_image_id(image.id)]
        n_malformed += len(images) - len(good)
        inside = area.holds(np.array([(image.lon, image.lat) for image in good], float))
        ledger.put_tile(number, [image for image, kept in zip(good, inside, strict=True) if kept])
        progress(
            f"{done:,} of {len(left):,} tiles"
            + (f", {n_malformed} images with a malformed id left out" if n_malformed else "")
        )

    await for_each(left, ask, retry_policy.at_once)


async def or_stop(source: Source, request: Awaitable[T]) -> T:
    """Await a request without which the fetch cannot continue."""
    try:
        return await request
    except (GivenUp, Gone) as error:
        reason = str(error) or "an unexpected answer"
        raise InputError(
            f"{source.name} does not answer as it should ({reason}); check the network, and run the same command again "
            "later, which keeps what was fetched"
        ) from None


async def for_each(items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
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
