"""Files and folders that appear whole or not at all, checksums, dates and the cache folder."""

import contextlib
import datetime
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from geolive.errors import InputError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes the place of `path` when the block ends without an error.

    Parameters
    ----------
    path : str or Path
        The file to write; its folder is made if need be.

    Yields
    ------
    Path
        A path with the same suffix in the same folder.

    Raises
    ------
    InputError
        The folder cannot be made or written to.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, so no file of that name can be written; give another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot write to that folder ({error.strerror}); choose another --out") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder to fill; it becomes `path` when the block ends without an error.

    Parameters
    ----------
    path : str or Path
        The folder to make; it must not exist, or be empty.

    Yields
    ------
    Path
        An empty folder beside `path`.

    Raises
    ------
    InputError
        `path` exists and is not an empty folder, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "new"
    >>> with new_folder(target) as folder:
    ...     _ = (folder / "a.txt").write_text("whole")
    >>> [p.name for p in target.iterdir()]
    ['a.txt']
    """
    path = Path(path)
    check_new_folder(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise InputError(f"{path}: cannot be made there ({error.strerror}); choose another --out") from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~umask())
        check_new_folder(path)  # another process may have made it in the meantime
        if path.is_dir():
            path.rmdir()
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_new_folder(path: str | Path) -> None:
    """Raise if `path` cannot become a new folder, so that long work is not started in vain.

    Raises
    ------
    InputError
        `path` exists and is not an empty folder.

    Examples
    --------
    >>> check_new_folder("no/such/folder")
    """
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path}: exists already and nothing is overwritten; choose another --out, or remove it first")


def checksum(path: str | Path) -> str:
    """SHA-256 of a file, as hexadecimal digits.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "empty"
    >>> path.touch()
    >>> checksum(path)[:8]
    'e3b0c442'
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def today() -> datetime.date:
    """The date to write into results: that of SOURCE_DATE_EPOCH where it is set, else today's, in UTC.

    Raises
    ------
    InputError
        SOURCE_DATE_EPOCH is not a whole number of seconds.

    Examples
    --------
    >>> import os
    >>> os.environ["SOURCE_DATE_EPOCH"] = "0"
    >>> today().isoformat()
    '1970-01-01'
    >>> del os.environ["SOURCE_DATE_EPOCH"]
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return datetime.datetime.now(datetime.UTC).date()
    try:
        return datetime.datetime.fromtimestamp(int(epoch), datetime.UTC).date()
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"SOURCE_DATE_EPOCH is {epoch!r}: it must be a whole number of seconds since 1970") from error


def cache_folder() -> Path:
    """Where samples and fitted models are kept between runs; GEOLIVE_CACHE names another folder.

    Examples
    --------
    >>> cache_folder().is_absolute()
    True
    """
    return Path(os.environ.get("GEOLIVE_CACHE") or platformdirs.user_cache_path("geolive", appauthor=False)).absolute()


def umask() -> int:
    """The permissions that new files do not have.

    Examples
    --------
    >>> 0 <= umask() <= 0o777
    True
    """
    mask = os.umask(0)
    os.umask(mask)
    return mask
