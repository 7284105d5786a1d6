"""Write files and folders whole or not at all; checksums, today's date and the cache folder."""

import contextlib
import datetime
import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from geolive.disk_space import full_disk, full_disk_named, is_full
from geolive.errors import InputError
from geolive.remote_paths import local_only
from geolive.temporary_files import (
    TEMPORARY,
    make_file,
    make_locked_folder,
    make_temporary,
    remove_abandoned_folders,
    remove_old_files,
    temporary_name,
)

if TYPE_CHECKING:
    import pandas as pd

# with these a spreadsheet takes a text for a formula and runs it
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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
        The folder cannot be made or written to, or its disk is full.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    local_only(path)
    path = Path(path)
    with _temporary_file(path) as temporary, full_disk_named(path.parent):
        yield temporary
        temporary.replace(path)


@contextlib.contextmanager
def replacing_together(paths: Sequence[str | Path]) -> Iterator[dict[Path, Path]]:
    """Give a temporary file for each path; they replace the paths together when the block ends without an error, or none does.

    The former files are set aside before the first new one takes its place, and put back if a later one cannot. So a process
    that is killed in between leaves a file missing, and never a new file beside a former one.

    Parameters
    ----------
    paths : sequence of str or Path
        The files to write.

    Yields
    ------
    dict of Path to Path
        The temporary file of each path.

    Raises
    ------
    InputError
        A folder cannot be made or written to, or its disk is full.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing_together([folder / "a.txt", folder / "b.txt"]) as temporary:
    ...     for path, file in temporary.items():
    ...         _ = file.write_text(path.stem)
    >>> sorted(p.name for p in folder.iterdir())
    ['a.txt', 'b.txt']
    """
    with contextlib.ExitStack() as stack:
        files = {path: stack.enter_context(_temporary_file(path)) for path in map(Path, paths)}
        for folder in {path.parent for path in files}:
            stack.enter_context(full_disk_named(folder))
        yield files
        _take_places(files)


def _take_places(files: dict[Path, Path]) -> None:
    """Rename each temporary file to its path; all or none."""
    former: dict[Path, Path] = {}
    placed: list[Path] = []
    try:
        for path in files:
            if path.exists():
                aside = path.with_name(temporary_name(path))
                path.replace(aside)
                former[path] = aside
        for path, temporary in files.items():
            temporary.replace(path)
            placed.append(path)
    except BaseException:
        for path in placed:
            path.unlink(missing_ok=True)
        for path, aside in former.items():
            aside.replace(path)
        raise
    for aside in former.values():
        aside.unlink(missing_ok=True)


@contextlib.contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    """Make an empty file beside `path`, and remove it at the end if it is still there."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder, so no file can have this name; give another name", parameter="out")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_old_files(path.parent.absolute())
        temporary = make_temporary(path, make_file)
    except OSError as error:
        if is_full(error, path.parent):
            raise full_disk(path.parent) from error
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); {_another_folder(path)}", parameter="out"
        ) from error
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder to fill, which becomes `path` when the block ends without an error.

    Where `path` is an empty folder that cannot be replaced (a mount point, the current folder, or one in a folder that is not
    writable), the temporary folder is in it, and its content is moved up at the end.

    Parameters
    ----------
    path : str or Path
        The folder to make; it must not exist, or be empty.

    Yields
    ------
    Path
        An empty folder on the disk of `path`.

    Raises
    ------
    InputError
        `path` exists and is not an empty folder, cannot be written, or its disk is full.

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
    beside = _sibling(path, "x")
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned_folders(beside.parent)
        temporary, lock = make_locked_folder(beside.parent)
    except OSError as error:
        if is_full(error, beside.parent):
            raise full_disk(beside.parent) from error
        raise InputError(
            f"{path}: cannot be made there ({error.strerror}); {_another_folder(path)}", parameter="out"
        ) from error
    try:
        with full_disk_named(beside.parent):
            yield temporary
            place_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def check_new_folder(path: str | Path) -> None:
    """Check that `path` can become a new folder, before long work begins.

    Raises
    ------
    InputError
        `path` exists and is not an empty folder, is a link to nothing, or is in a place that cannot be written to.

    Examples
    --------
    >>> check_new_folder("no/such/folder")
    """
    local_only(path)
    path = Path(path)
    try:
        if path.is_symlink() and not path.exists():
            raise InputError(
                f"{path}: is a link to {path.readlink()}, which does not exist; make that folder, or choose another",
                parameter="out",
            )
        if path.exists() and not (path.is_dir() and not _content(path)):
            raise InputError(
                f"{path}: exists already, and geolive overwrites nothing; choose another folder, or remove it first",
                parameter="out",
            )
        folder = _sibling(path, "x").parent
        while not folder.exists():
            folder = folder.parent
    except OSError as error:
        raise InputError(
            f"{path}: cannot be made ({error.strerror}); {_another_folder(path)}", parameter="out"
        ) from None
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        why = "is not writable" if folder.is_dir() else "is not a folder"
        raise InputError(f"{path}: cannot be made, since {folder} {why}; {_another_folder(path)}", parameter="out")


def place_folder(folder: Path, path: str | Path) -> None:
    """Give a finished folder the name `path`, where nothing is, or an empty folder.

    Parameters
    ----------
    folder : Path
        On the disk of `path`, as `new_folder` and `work_folder` give it.
    path : str or Path

    Raises
    ------
    InputError
        Another process has made `path` in the meantime.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> place_folder(folder, folder.with_name(folder.name + "-done"))
    >>> folder.exists()
    False
    """
    path = Path(path)
    check_new_folder(path)
    target = path.resolve()
    try:
        if _is_filled_in_place(target):
            # the file of facts last, without which the rest is not taken for a whole result
            for file in sorted(folder.iterdir(), key=lambda file: (file.suffix == ".json", file.name)):
                file.rename(target / file.name)
            return
        if os.name == "nt" and target.is_dir():
            target.rmdir()
        # replaces an empty folder in one step, and no other
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise InputError(
                f"{path}: another process has made it in the meantime, and geolive overwrites nothing; choose another folder",
                parameter="out",
            ) from error
        raise


# the kinds of work that a folder is kept for until it is done
_PURPOSES = ("fetch", "rows", "training")


def work_folder(path: str | Path, purpose: str) -> Path:
    """Return the folder that keeps unfinished work on `path` until it is done, on the same disk.

    Parameters
    ----------
    path : str or Path
        The folder to make.
    purpose : str
        fetch, rows or training.

    Examples
    --------
    >>> work_folder("data/goa", "fetch").name
    '.goa.fetch'
    """
    return _sibling(Path(path), purpose)


def _sibling(path: Path, purpose: str) -> Path:
    """A hidden name beside `path`, or in it where it is filled in place."""
    target = path.resolve() if path.is_symlink() or path.name in ("", "..") else path
    resolved = path.resolve()
    folder = target if _is_filled_in_place(resolved) else target.parent
    return folder / f".{resolved.name}.{purpose}"


def _is_filled_in_place(target: Path) -> bool:
    """Whether an existing folder must stay the same folder, since it cannot be replaced or others stand in it."""
    if not target.is_dir():
        return False
    is_current = target == Path.cwd()
    return is_current or _is_mount(target) or not os.access(target.parent, os.W_OK | os.X_OK)


def _is_mount(target: Path) -> bool:
    if os.path.ismount(target):
        return True
    try:
        # a folder mounted at another place of the same disk shows only here
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return False
    escaped = re.sub(r"[ \t\n\\]", lambda found: f"\\{ord(found[0]):03o}", str(target))
    return any(line.split(" ")[4] == escaped for line in mounts.splitlines())


def _content(folder: Path) -> list[str]:
    """Names of what is in a folder; unfinished work in a folder that is filled in place does not count."""
    names = sorted(file.name for file in folder.iterdir())
    target = folder.resolve()
    if not _is_filled_in_place(target):
        return names
    unfinished = {f".{target.name}.{purpose}" for purpose in _PURPOSES}
    return [name for name in names if name not in unfinished and not TEMPORARY.fullmatch(name)]


def spreadsheet_safe(value: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would run as a formula; other values stay as they are.

    Examples
    --------
    >>> spreadsheet_safe("=HYPERLINK(1)"), spreadsheet_safe("Patna"), spreadsheet_safe(-1.5)
    ("'=HYPERLINK(1)", 'Patna', -1.5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_csv(table: "pd.DataFrame", path: str | Path, *, index: bool = False) -> None:
    """Write a table as CSV in UTF-8; texts that a spreadsheet would run as formulas get an apostrophe before them.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> path = Path(tempfile.mkdtemp()) / "table.csv"
    >>> write_csv(pd.DataFrame({"district": ["=1+1"], "pov": [-0.5]}), path)
    >>> path.read_text()
    "district,pov\\n'=1+1,-0.5\\n"
    """
    safe = table.copy()
    for name in table.select_dtypes(exclude=["number", "bool", "datetime"]).columns:
        safe[name] = table[name].astype(object).map(spreadsheet_safe, na_action="ignore")
    safe = safe.rename(columns=spreadsheet_safe)
    if index:
        name = safe.index.name
        safe.index = safe.index.map(spreadsheet_safe).rename(spreadsheet_safe(name))
    safe.to_csv(path, index=index, lineterminator="\n", encoding="utf-8", errors="replace")


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


def _another_folder(path: Path) -> str:
    """Return the words that say how to choose another folder for a path."""
    cache = cache_folder()
    if path.absolute().is_relative_to(cache):
        return f"it is in the cache folder {cache}: name another one with the environment variable GEOLIVE_CACHE"
    return "choose another folder"


def cache_folder() -> Path:
    """Return the folder where samples and fitted models are kept between runs; GEOLIVE_CACHE names another folder.

    Examples
    --------
    >>> cache_folder().is_absolute()
    True
    """
    return Path(os.environ.get("GEOLIVE_CACHE") or platformdirs.user_cache_path("geolive", appauthor=False)).absolute()
