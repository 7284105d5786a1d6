"""Full disks: how an error shows one, and the message that names the folder."""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from geolive.errors import InputError

_WORDS = ("No space left on device", "database or disk is full")
_ALMOST_NONE = 1 << 16


@contextlib.contextmanager
def full_disk_named(folder: Path, needed: int | None = None) -> Iterator[None]:
    """Turn any error of the block into an InputError that names the folder, where its disk is full.

    Parameters
    ----------
    folder : Path
    needed : int, optional
        Bytes that the block writes, if they are known.

    Examples
    --------
    >>> with full_disk_named(Path("maps")):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    geolive.errors.InputError: maps: the disk is full; free some space there, or choose another folder, then run the command again
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if is_full(error, folder):
            raise full_disk(folder, needed) from error
        raise


def is_full(error: BaseException | None, folder: Path) -> bool:
    """Whether an error comes from a full disk.

    Examples
    --------
    >>> is_full(OSError(errno.ENOSPC, "No space left on device"), Path()), is_full(OSError(errno.EPERM, "no"), Path())
    (True, False)
    """
    full = (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, OSError) and error.errno is not None and error.errno not in (*full, errno.EIO):
        return False
    while error is not None:
        if (isinstance(error, OSError) and error.errno in full) or any(words in str(error) for words in _WORDS):
            return True
        error = error.__cause__
    try:
        # some libraries only say that writing failed
        return shutil.disk_usage(folder).free < _ALMOST_NONE
    except OSError:
        return False


def full_disk(folder: Path, needed: int | None = None) -> InputError:
    """Return the error that names a folder on a full disk.

    Examples
    --------
    >>> raise full_disk(Path("maps"), 1_000)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: maps: the disk is full (1,000 bytes are needed); free some space there, ...
    """
    bytes_needed = f" ({needed:,} bytes are needed)" if needed else ""
    return InputError(
        f"{folder}: the disk is full{bytes_needed}; free some space there, or choose another folder, then run the "
        "command again"
    )
