"""Local copies of files and folders in object storage: each version is a folder of its own in the bounded cache."""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geolive.errors import InputError
from geolive.files import cache_folder, new_folder
from geolive.remote_paths import address_of, is_remote, local_path, parent_and_name, stands_for
from geolive.storage.listing import StoredFile, check_folder, stored_files
from geolive.storage.objects import download

_LIMIT, _DEFAULT_GB = "GEOLIVE_STORAGE_GB", 20.0
# seconds
_IN_USE = 3600


def storage_folder() -> Path:
    """Return the folder of the cache that holds copies of objects, and outputs that are not yet uploaded.

    Examples
    --------
    >>> storage_folder().name
    'storage'
    """
    return cache_folder() / "storage"


def local_copy(address: str | Path, unneeded: Callable[[dict[str, Any]], set[str]] | None = None) -> Path:
    """Return a local copy of a file or folder in object storage, which is not to be changed.

    What the cache has of it is not downloaded again, also where only some files of a dataset have changed.

    Parameters
    ----------
    address : str or Path
        `s3://…` or `gs://…`.
    unneeded : callable, optional
        Called with the content of a dataset's dataset.json; returns names of files to leave out.

    Returns
    -------
    Path
        Its last name is that of the address.

    Raises
    ------
    InputError
        It is missing or cannot be read, or the disk is full.
    """
    address = address_of(address)
    files = stored_files(address, unneeded)
    name = parent_and_name(address)[1]
    is_file = files[0].address == address
    version = "\n".join([address, *(f"{file.name} {file.key}" for file in files)])
    around = storage_folder() / "views" / hashlib.sha256(version.encode()).hexdigest()[:32]
    view = around / name
    if not view.exists():
        limit_cache()
        contents = download(files, storage_folder() / "objects")
        folder = around if is_file else view
        with (
            contextlib.suppress(InputError) if around.exists() else contextlib.nullcontext(),
            new_folder(folder) as made,
        ):
            _link_all(files, contents, made)
    os.utime(around)
    stands_for(view, address)
    return view


def local_input(path: str | Path) -> Path:
    """Return the local path of what a user names: a copy of what is in object storage, or the path itself.

    Parameters
    ----------
    path : str or Path
        A path, `file:///…`, `s3://…` or `gs://…`.

    Raises
    ------
    InputError
        It is in object storage and missing there, or cannot be read.

    Examples
    --------
    >>> local_input("file:///data/benin").as_posix()
    '/data/benin'
    """
    return local_copy(path) if is_remote(path) else Path(local_path(path))


def lazy_copy(address: str | Path) -> Path:
    """Return an empty folder that stands for one in object storage, whose photos are read one by one when they are needed.

    Parameters
    ----------
    address : str or Path

    Raises
    ------
    InputError
        There is no such folder, or it cannot be read.
    """
    address = address_of(address)
    check_folder(address)
    folder = storage_folder() / "lazy" / hashlib.sha256(address.encode()).hexdigest()[:32] / parent_and_name(address)[1]
    folder.mkdir(parents=True, exist_ok=True)
    stands_for(folder, address)
    return folder


def changeable_copy(address: str | Path, folder: Path) -> Path:
    """Make a copy of a dataset in `folder` that a command may add to; files that it leaves alone take no space.

    Parameters
    ----------
    address : str or Path
    folder : Path
        Must not exist, or be empty.

    Returns
    -------
    Path
        `folder`.
    """
    view = local_copy(address)
    with new_folder(folder) as made:
        for file in sorted(view.rglob("*")):
            if file.is_file():
                target = made / file.relative_to(view)
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(file, target)
    stands_for(folder, address_of(address))
    return folder


def limit_cache() -> None:
    """Remove the copies that were used longest ago, until the cache is within its limit.

    The limit is 20 GB, or the number of gigabytes in the environment variable `GEOLIVE_STORAGE_GB`. A copy that was used within
    the last hour stays, since a command may be reading it.

    Raises
    ------
    InputError
        `GEOLIVE_STORAGE_GB` is not a number.
    """
    text = os.environ.get(_LIMIT) or str(_DEFAULT_GB)
    try:
        limit = float(text) * 1e9
    except ValueError:
        raise InputError(f"{_LIMIT} is {text!r}: it must be a number of gigabytes; for example: {_LIMIT}=20") from None
    objects = _by_age(storage_folder() / "objects")
    size = sum(file.stat().st_size for file in objects)
    if size <= limit:
        return
    for around in _by_age(storage_folder() / "views"):
        if time.time() - around.stat().st_mtime > _IN_USE:
            shutil.rmtree(around, ignore_errors=True)
            size -= _remove_single(objects, size - limit)
            if size <= limit:
                return


def _remove_single(objects: list[Path], needed: float) -> int:
    """Remove contents that are in no copy, oldest first, until as many bytes are free; return how many are."""
    freed = 0
    for file in objects:
        with contextlib.suppress(OSError):
            about = file.stat()
            if freed < needed and about.st_nlink == 1 and time.time() - about.st_mtime > _IN_USE:
                file.unlink()
                freed += about.st_size
    return freed


def _by_age(folder: Path) -> list[Path]:
    """What is in a folder, the one that was used longest ago first."""
    return sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime) if folder.is_dir() else []


def _link_all(files: list[StoredFile], contents: dict[str, Path], made: Path) -> None:
    for file in files:
        target = made / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(contents[file.name], target)


def _link(file: Path, target: Path) -> None:
    """Give a file a second name; some disks allow only copies."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)
