"""Requests the facts and photos of sampled images: in this process, or by the workers of a cluster, who share one budget."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from geolive.engine.interface import Budget, Engine
from geolive.errors import InputError
from geolive.files import replacing
from geolive.sources.imagery.area import Area
from geolive.sources.imagery.failures import GivenUp, Gone
from geolive.sources.imagery.ledger import Ledger, Task
from geolive.sources.imagery.listing import Progress, for_each
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.sampling import Wanted
from geolive.sources.imagery.source import Source

# after so many failures in a row, the fetch stops
_MOST_IN_A_ROW = 20
# so many images are given to a worker of a cluster together, and are requested again where it is killed
_IMAGES_A_PART = 64


@dataclass(frozen=True)
class Collection:
    """What is collected of images, and how.

    Parameters
    ----------
    source : Source
    area : Area
    wanted : Wanted
    photos : Path
        Folder of the photos, which workers do not need.
    retry_policy : RetryPolicy
    """

    source: Source
    area: Area
    wanted: Wanted
    photos: Path
    retry_policy: RetryPolicy


class Record(Protocol):
    """Where what was fetched is put: into place, or into notes of a worker."""

    def put_facts(self, id: str, facts: dict) -> None: ...

    def put_detections(self, id: str, values: dict[str, int]) -> None: ...

    def put_photo(self, id: str, data: bytes) -> None: ...

    def put_gone(self, id: str, reason: str) -> None: ...


class TooManyFailed(Exception):
    """So many images could not be fetched one after the other that the fetch stops."""


class InPlace:
    """Puts photos into their folder, and all else into the ledger.

    Parameters
    ----------
    ledger : Ledger
    job : Collection
    """

    def __init__(self, ledger: Ledger, job: Collection) -> None:
        self._ledger, self._job = ledger, job
        self.put_facts, self.put_detections, self.put_gone = ledger.put_facts, ledger.put_detections, ledger.put_gone

    def put_photo(self, id: str, data: bytes) -> None:
        """Write a photo, and record it."""
        folder = self._job.photos
        try:
            with replacing(photo_path(self._job.source, folder, id)) as temporary:
                temporary.write_bytes(data)
        except OSError as error:
            raise InputError(
                f"{folder}: cannot be written ({error.strerror}); free space on the disk and run the same command again"
            ) from None
        self._ledger.put_photo(id, hashlib.sha256(data).hexdigest(), len(data))


class Notes:
    """What a worker has fetched, for the process that puts it into place.

    Examples
    --------
    >>> notes = Notes()
    >>> notes.put_gone("7", "deleted at Mapillary")
    >>> notes.entries
    [('put_gone', ('7', 'deleted at Mapillary'))]
    """

    def __init__(self) -> None:
        self.entries: list[tuple[str, tuple[Any, ...]]] = []

    def put_facts(self, id: str, facts: dict) -> None:
        """Note the facts on an image."""
        self.entries.append(("put_facts", (id, facts)))

    def put_detections(self, id: str, values: dict[str, int]) -> None:
        """Note what was detected in an image."""
        self.entries.append(("put_detections", (id, values)))

    def put_photo(self, id: str, data: bytes) -> None:
        """Keep the photo of an image."""
        self.entries.append(("put_photo", (id, data)))

    def put_gone(self, id: str, reason: str) -> None:
        """Note why an image cannot be had."""
        self.entries.append(("put_gone", (id, reason)))

    def put_into(self, record: Record) -> None:
        """Put everything into place, in the order in which it was fetched."""
        for method, values in self.entries:
            getattr(record, method)(*values)


def collect(ledger: Ledger, job: Collection, engine: Engine | None, progress: Progress) -> dict[str, str]:
    """Fetch what is missing of each sampled image; return the reason for each image that was given up.

    Parameters
    ----------
    ledger : Ledger
        Where all that was fetched is recorded.
    job : Collection
    engine : Engine, optional
        Whose workers request the images; by default this process does.
    progress : callable

    Raises
    ------
    InputError
        Further requests are useless; what was fetched is recorded.
    """
    tasks = ledger.tasks(job.wanted.objects, job.wanted.thumb is not None)
    failed: dict[str, str] = {}
    done = 0

    def said(n: int = 1) -> None:
        nonlocal done
        done += n
        progress(f"{done:,} of {len(tasks):,} images" + (f", {len(failed)} failed" if failed else ""))

    try:
        if engine is None or engine.name == "local":
            asyncio.run(_fetch_all(job, tasks, InPlace(ledger, job), failed, None, said))
        else:
            _collect_by(engine, job, tasks, InPlace(ledger, job), failed, said)
    except TooManyFailed:
        raise unfinished(failed, ledger) from None
    return failed


def unfinished(failed: dict[str, str], ledger: Ledger) -> InputError:
    """Return the error that says how many images could not be fetched."""
    last = list(failed.values())[-1]
    return InputError(
        f"{len(failed):,} of {ledger.n_sampled():,} images could not be fetched (the last: {last}); run the same command again, "
        "which keeps what was fetched, or add leave_out_failed=True to make the dataset without them"
    )


def photo_path(source: Source, folder: Path, id: str) -> Path:
    """Return the file of an image's photo; the id is checked once more."""
    if not source.is_image_id(id):
        raise ValueError("not an image id")
    return folder / f"{id}.jpg"


def _collect_by(
    engine: Engine,
    job: Collection,
    tasks: list[Task],
    record: Record,
    failed: dict[str, str],
    said: Callable[[int], None],
) -> None:
    """Let the workers of an engine fetch; all of them together keep the number at once and the rate."""
    parts = [tasks[start : start + _IMAGES_A_PART] for start in range(0, len(tasks), _IMAGES_A_PART)]
    if not parts:
        return
    policy = job.retry_policy
    n_workers = max(1, min(policy.at_once, engine.n_workers, len(parts)))
    own = replace(job, retry_policy=replace(policy, at_once=max(1, policy.at_once // n_workers)))
    make = partial(_fetcher, own, engine.shared_budget(policy.rate))
    for number, (notes, why, error) in engine.map_partitions(make, parts, most_workers=n_workers):
        notes.put_into(record)
        failed |= why
        said(len(parts[number]))
        if error is not None:
            raise error


_Fetched = tuple[Notes, dict[str, str], Exception | None]


def _fetcher(job: Collection, budget: Budget | None) -> Callable[[Sequence[Task]], _Fetched]:
    """Make the function of a worker, which fetches some images; an error comes back with what was fetched before it."""

    def fetch(tasks: Sequence[Task]) -> _Fetched:
        notes = Notes()
        failed: dict[str, str] = {}
        try:
            asyncio.run(_fetch_all(job, tasks, notes, failed, budget, lambda: None))
        except (InputError, TooManyFailed) as error:
            return notes, failed, error
        return notes, failed, None

    return fetch


async def _fetch_all(
    job: Collection,
    tasks: Sequence[Task],
    record: Record,
    failed: dict[str, str],
    budget: Budget | None,
    said: Callable[[], None],
) -> None:
    in_a_row, source = 0, job.source

    async def fetch(task: Task) -> None:
        nonlocal in_a_row
        try:
            await _fetch_one(job, task, record, client)
            in_a_row = 0
        except Gone:
            named = job.area.keys is not None
            record.put_gone(task.id, f"not known to {source.name}" if named else f"deleted at {source.name}")
            in_a_row = 0
        except GivenUp as error:
            failed[task.id] = str(error)
            in_a_row += 1
            if in_a_row >= _MOST_IN_A_ROW:
                raise TooManyFailed from None
        said()

    async with source.client(job.retry_policy) as client:
        if budget is not None:
            client.budget = budget
        await for_each(tasks, fetch, job.retry_policy.at_once)


async def _fetch_one(job: Collection, task: Task, record: Record, client: Any) -> None:
    wanted, area, facts = job.wanted, job.area, task.facts
    if facts is None:
        facts = await client.facts(task.id)
        where = (facts["lon"], facts["lat"])
        if None in where or not area.holds([where])[0]:
            why = "no position" if None in where else "its computed position is outside the area"
            return record.put_gone(task.id, why)
        record.put_facts(task.id, facts)
    if reason := wanted.why_unwanted(facts, listed=area.keys is None):
        return record.put_gone(task.id, reason)
    if task.detections:
        record.put_detections(task.id, await client.detections(task.id))
    if task.photo:
        assert wanted.thumb is not None, "a task includes a photo only where a size is wanted"
        record.put_photo(task.id, await client.photo(task.id, wanted.thumb, facts))
