"""Contents of objects in the cache folder: downloaded once, in pieces that an interruption keeps, and checked."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from geolive.disk_space import full_disk_named
from geolive.errors import InputError
from geolive.files import checksum, replacing
from geolive.remote_paths import inside
from geolive.storage.filesystem import filesystem, storage_errors
from geolive.storage.listing import FORMER, StoredFile, current_version

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # Windows has no fcntl

Item = TypeVar("Item")
Made = TypeVar("Made")
_PIECE = 16 << 20
# downloads at a time: requests wait for the network most of the time
_AT_ONCE = 8


def download(files: Sequence[StoredFile], folder: Path) -> dict[str, Path]:
    """Download the contents that the folder lacks.

    Parameters
    ----------
    files : sequence of StoredFile
    folder : Path
        Of the cache: a file for each content, by its key.

    Returns
    -------
    dict of str to Path
        The local file of each name.

    Raises
    ------
    InputError
        An object is missing, altered or unreadable, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stopped = threading.Event()
    try:
        with full_disk_named(folder):
            paths = list(several_at_once(lambda file: _content(file, folder, stopped), files))
    except BaseException:
        stopped.set()
        raise
    return {file.name: path for file, path in zip(files, paths, strict=True)}


def several_at_once(function: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Call a function for items by several threads, and yield the results in order; after an error no further item begins.

    Examples
    --------
    >>> list(several_at_once(len, ["a", "bc"]))
    [1, 2]
    """
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _content(file: StoredFile, folder: Path, stopped: threading.Event) -> Path:
    path = folder / file.key
    if path.exists():
        # the oldest are removed first
        with contextlib.suppress(OSError):
            os.utime(path)
        return path
    if file.content is not None:
        with replacing(path) as temporary:
            temporary.write_bytes(file.content)
        return path
    unfinished = folder / f"{file.key}.part"
    with unfinished.open("ab") as part, _alone(part.fileno()):
        if not path.exists():
            _fetch(file, part.fileno(), unfinished, stopped)
            unfinished.replace(path)
    return path


def _fetch(file: StoredFile, part: int, unfinished: Path, stopped: threading.Event) -> None:
    """Append what is missing to the unfinished file, and check the whole."""
    size = file.size if file.size is not None else current_version(file.address)[0]
    _append(file.address, size, part, stopped)
    if file.sha256 is None:
        if current_version(file.address) != (size, file.version):
            os.ftruncate(part, 0)
            raise InputError(f"{file.address}: has changed while it was read; run the same command again")
        return
    if checksum(unfinished) == file.sha256:
        return
    # another command is replacing it; the content that the facts list is kept until they are replaced, too
    os.ftruncate(part, 0)
    parent = file.address.removesuffix(file.name).rstrip("/")
    former = inside(parent, FORMER, file.sha256)
    try:
        size, _ = current_version(former)
        _append(former, size, part, stopped)
    except InputError:
        os.ftruncate(part, 0)
    if checksum(unfinished) != file.sha256:
        os.ftruncate(part, 0)
        raise InputError(
            f"{file.address}: is missing, altered or cut short since the dataset was made; make the dataset again"
        )


def _append(address: str, size: int, part: int, stopped: threading.Event) -> None:
    files = filesystem(address)
    done = os.fstat(part).st_size
    if done > size:
        os.ftruncate(part, 0)
        done = 0
    while done < size:
        if stopped.is_set():
            raise InputError(f"{address}: its download was stopped; run the same command again")
        with storage_errors(address):
            piece = files.cat_file(address, start=done, end=min(done + _PIECE, size))
        if not piece:
            raise InputError(f"{address}: the server sent less than it has; run the same command again")
        while piece:
            piece = piece[os.write(part, piece) :]
        done = os.fstat(part).st_size


@contextlib.contextmanager
def _alone(descriptor: int) -> Iterator[None]:
    """Hold the lock of an open file, where the system has such locks: two commands may want the same object."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    yield
