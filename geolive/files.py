"""Write files and folders whole or not at all; checksums, today's date and the cache folder."""

import contextlib
import datetime
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from geolive.errors import InputError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary file beside `path` to write to, which replaces `path` when the block ends without an error.

    Parameters
    ----------
    path : str or Path
        The file to write; its folder is made if it does not exist.

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
        raise InputError(f"{path}: is a folder, so no file can have that name; give another name", parameter="out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _make_temporary(path, _make_file)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); choose another folder", parameter="out"
        ) from error
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder to fill, which becomes `path` when the block ends without an error.

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
        temporary = _make_temporary(path, _make_folder)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be made there ({error.strerror}); choose another folder", parameter="out"
        ) from error
    try:
        yield temporary
        check_new_folder(path)  # another process may have made it in the meantime
        if path.is_dir():
            path.rmdir()
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_new_folder(path: str | Path) -> None:
    """Check that `path` can become a new folder, before long work begins.

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
        raise InputError(
            f"{path}: exists already and nothing is overwritten; choose another folder, or remove it first",
            parameter="out",
        )


def checksum(path: str | Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits.

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
    """Return the date to write into results: the date of SOURCE_DATE_EPOCH if it is set, else today's date, in UTC.

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
    """Return the folder where samples and fitted models are kept between runs; GEOLIVE_CACHE names another folder.

    Examples
    --------
    >>> cache_folder().is_absolute()
    True
    """
    return Path(os.environ.get("GEOLIVE_CACHE") or platformdirs.user_cache_path("geolive", appauthor=False)).absolute()


def _make_temporary(path: Path, make: Callable[[Path], None]) -> Path:
    """Make a hidden file or folder beside `path`, under a name that nothing has.

    The system gives it the permissions of any new file. The module tempfile would make it private, and giving it the usual
    permissions later needs the umask, which a process can only read by changing it for all of its threads.
    """
    while True:
        temporary = path.with_name(f".{path.stem}-{secrets.token_hex(6)}{path.suffix}")
        with contextlib.suppress(FileExistsError):
            make(temporary)
            return temporary


def _make_file(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def _make_folder(path: Path) -> None:
    path.mkdir(mode=0o777)
