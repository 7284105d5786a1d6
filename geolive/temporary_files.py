"""Temporary files and folders beside the final ones, the locks that show that they are in use, and the removal of old ones."""

import contextlib
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from geolive.errors import InputError

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]  # Windows has no fcntl

_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:6]
TEMPORARY = re.compile(r"\.geolive-([0-9a-f]{6})-[0-9a-f]{12}(\.[^.]*)?")
# a file of this age is not being written any more; a folder of another machine, whose lock may not be visible, has a longer time
_OLD_FILE, _OLD_FOLDER = 24 * 3600, 7 * 24 * 3600


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder for the block; another process or thread that asks for it waits.

    Parameters
    ----------
    folder : Path
        The system lets go of the lock when a process ends in any way.

    Examples
    --------
    >>> import tempfile
    >>> with locked(Path(tempfile.mkdtemp())):
    ...     pass
    """
    lock = _lock_folder(folder, wait=True)
    with contextlib.ExitStack() as stack:
        if lock is not None:
            stack.callback(os.close, lock)
        elif fcntl is not None:
            # network disks lock only files that can be written
            fcntl.flock(stack.enter_context((folder / ".lock").open("ab")), fcntl.LOCK_EX)
        yield


def lock_alone(lock: IO[bytes], folder: Path) -> None:
    """Take the lock of unfinished work in a folder by an open file in it, until that file is closed.

    Where the system has no such locks, nothing is done.

    Raises
    ------
    InputError
        Another process has the lock.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with (folder / "lock").open("wb") as lock:
    ...     lock_alone(lock, folder)
    """
    if fcntl is None:
        return
    try:
        # not flock: worker processes inherit it, and live on for seconds after this process is killed
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InputError(f"{folder}: another process works on it; wait until that process ends") from None


def temporary_name(path: Path) -> str:
    """Return a new hidden name with the suffix of `path`."""
    return f".geolive-{_HOST}-{secrets.token_hex(6)}{path.suffix}"


def make_temporary(path: Path, make: Callable[[Path], None]) -> Path:
    """Make a hidden file or folder beside `path`, under a name that nothing has.

    The system gives it the permissions of any new file. The module tempfile would make it private, and giving it the usual
    permissions later needs the umask, which a process can only read by changing it for all of its threads.
    """
    while True:
        temporary = path.with_name(temporary_name(path))
        with contextlib.suppress(FileExistsError):
            make(temporary)
            return temporary


def make_file(path: Path) -> None:
    """Make an empty file; FileExistsError where there is one."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def _make_folder(path: Path) -> None:
    path.mkdir(mode=0o777)


def make_locked_folder(parent: Path) -> tuple[Path, int | None]:
    """Make a temporary folder and lock it, so that other processes see that it is in use; return it and the lock to close."""
    while True:
        temporary = make_temporary(parent / "folder", _make_folder)
        lock = _lock_folder(temporary, wait=True)
        # another process may have taken it for an abandoned one before it was locked
        if temporary.is_dir():
            return temporary, lock
        if lock is not None:
            os.close(lock)


def _lock_folder(folder: Path, *, wait: bool) -> int | None:
    """Lock a folder by a descriptor; None where it is locked already, or the system has no such locks."""
    if fcntl is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        return descriptor
    except OSError:
        os.close(descriptor)
        return None


def remove_abandoned_folders(parent: Path) -> None:
    """Remove temporary folders of processes that were killed."""
    with contextlib.suppress(OSError):
        for folder in list(parent.iterdir()):
            found = TEMPORARY.fullmatch(folder.name)
            if not found or folder.is_symlink() or not folder.is_dir():
                continue
            if found[1] != _HOST and time.time() - folder.stat().st_mtime < _OLD_FOLDER:
                continue
            lock = _lock_folder(folder, wait=False)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


@functools.lru_cache(maxsize=1000)
def remove_old_files(parent: Path) -> None:
    """Remove temporary files of processes that were killed; once for each folder, since listing a large one takes time."""
    with contextlib.suppress(OSError):
        for file in list(parent.iterdir()):
            if (
                TEMPORARY.fullmatch(file.name)
                and file.is_file()
                and not file.is_symlink()
                and time.time() - file.stat().st_mtime > _OLD_FILE
            ):
                file.unlink(missing_ok=True)
