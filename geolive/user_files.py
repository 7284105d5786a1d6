"""Files that users give: what keeps one from being opened, in one line with a remedy."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from geolive.errors import InputError


@contextlib.contextmanager
def opening(path: str | Path) -> Iterator[None]:
    """Let errors of opening and reading a user's file name the file and a remedy.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    InputError
        There is no such file, it is a folder, or it cannot be read.

    Examples
    --------
    >>> with opening("survey.csv"):
    ...     open("survey.csv")
    Traceback (most recent call last):
    geolive.errors.InputError: survey.csv: no such file; check the name
    """
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name the file in it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file and its permissions") from None
