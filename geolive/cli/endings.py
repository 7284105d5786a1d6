"""How a command ends: its exit code, and the one line that says why and how to go on."""

import contextlib
import errno
import os
import select
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from geolive.errors import InputError
from geolive.remote_paths import with_addresses
from geolive.terminal_text import clean

OURS, INPUT = 1, 2
# as shells count a program that writes to one which has ended
CLOSED = 141
# commands that go on where they were stopped; the others begin again
RESUMED = {
    "detect", "embed", "evaluate", "fetch images", "train gcn", "train imagewise",
}  # fmt: skip
# beside SIGINT, for which Python raises KeyboardInterrupt
_STOPPING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
# what the system refused, and what a user can do about it
_REMEDIES = {
    errno.ENOSPC: "free some space, or choose a folder on another disk (TMPDIR and GEOLIVE_CACHE name those for work in between)",
    errno.EFBIG: "choose a folder on another disk, or raise the limit of a file's size",
    errno.EDQUOT: "free some of your quota, or choose a folder on another disk",
    errno.EROFS: "choose a folder on a disk that can be written",
    errno.EACCES: "choose another place, or change its permissions",
    errno.EPERM: "choose another place, or change its permissions",
    errno.EIO: "check the disk",
    errno.ESTALE: "check the network disk",
    errno.EMFILE: "raise the limit of open files, with: ulimit -n 4096",
    errno.ENFILE: "close other programs, or raise the system's limit of open files",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "name a file, not a folder",
    errno.ENOENT: "check the path, and whether something removed it in the meantime",
    errno.EEXIST: "choose another name",
    errno.ENOTEMPTY: "choose another folder, or remove it first",
    errno.ELOOP: "check the links on the path",
    errno.ENOMEM: "close other programs, or give less data at a time",
    errno.EBUSY: "close the program that uses it",
    errno.ETXTBSY: "close the program that uses it",
}
# how libraries that keep no error number say so
_DISK_FULL = (
    "no space left on device",
    "disk is full",
    "disk quota exceeded",
    "disk i/o error",
    "file too large",
    "requested and",
)


class _Stopped:
    """The signal that stopped this process, if one did."""

    by: int | None = None


@contextlib.contextmanager
def stopping() -> Iterator[None]:
    """Within the block, each signal that asks the process to stop raises KeyboardInterrupt, so that work is cleaned up.

    Examples
    --------
    >>> try:
    ...     with stopping():
    ...         signal.raise_signal(signal.SIGTERM)
    ... except KeyboardInterrupt:
    ...     print(stopped_code())
    143
    """
    process = os.getpid()
    _Stopped.by = None

    def stop(number: int, frame: object) -> None:
        if os.getpid() != process:  # a copy of this process that does part of the work
            os._exit(128 + number)
        _Stopped.by = number
        # whoever handles Ctrl-C in his own way, as asyncio does, handles every stop so
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)
        else:
            raise KeyboardInterrupt

    # a process that was told to ignore a signal (nohup) goes on ignoring it
    before = {number: signal.getsignal(number) for number in (*_STOPPING, signal.SIGINT)}
    try:
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stopped_code() -> int:
    """Return the exit code of a process that was stopped: 128 and the number of the signal, as shells count."""
    return 128 + (_Stopped.by or signal.SIGINT)


def stopped_line(command: str) -> str:
    """Return the line that a stopped command prints.

    Examples
    --------
    >>> stopped_line("embed")
    'stopped; the finished work is kept: run the same command again to continue'
    >>> stopped_line("predict")
    'stopped; nothing was left half-written: run the same command again to start over'
    """
    if command in RESUMED:
        return "stopped; the finished work is kept: run the same command again to continue"
    return "stopped; nothing was left half-written: run the same command again to start over"


def mendable(error: BaseException) -> str | None:
    """Return the message for an error that the user can correct, such as a full disk; None for a fault of geolive.

    Examples
    --------
    >>> mendable(OSError(errno.EROFS, "Read-only file system", "maps/pov.html"))
    'maps/pov.html: Read-only file system; choose a folder on a disk that can be written'
    >>> mendable(KeyError("column")) is None
    True
    """
    for cause in _chain(error):
        if isinstance(cause, InputError):
            return str(cause)
        if isinstance(cause, UnicodeEncodeError) and (name := _name_beyond_the_locale(cause)):
            return (
                f"{name}: the encoding of the locale ({sys.getfilesystemencoding()}) lacks letters of this name; set "
                "PYTHONUTF8=1 and run the same command again"
            )
        if isinstance(cause, MemoryError):
            return f"there was not enough memory; {_REMEDIES[errno.ENOMEM]}"
        if isinstance(cause, OSError) and cause.errno in _REMEDIES:
            where = f"{_shown(cause)}: " if cause.filename is not None else ""
            return f"{where}{os.strerror(cause.errno)}; {_REMEDIES[cause.errno]}"
        if any(words in str(cause).lower() for words in _DISK_FULL):
            return f"the disk is full or cannot be written; {_REMEDIES[errno.ENOSPC]}"
    return None


def output_closed(error: BaseException) -> bool:
    """Return whether an error is that the program which reads the output has ended, as `head` does.

    Examples
    --------
    >>> output_closed(ValueError("a number"))
    False
    """
    if not any(isinstance(cause, BrokenPipeError) for cause in _chain(error)):
        return False
    if sys.stdout is None or not hasattr(select, "poll"):
        return True
    # pipes between processes of geolive may break, too
    watch = select.poll()
    try:
        watch.register(sys.stdout.fileno(), select.POLLOUT)
        return any(events & (select.POLLERR | select.POLLHUP) for _, events in watch.poll(0))
    except (OSError, ValueError):
        return True


def fail(words: str, code: int) -> int:
    """Print an error in one line, without what could act on a terminal, and return the exit code."""
    with contextlib.suppress(OSError, AttributeError, ValueError):  # standard error may be closed
        print(f"error: {' '.join(clean(with_addresses(words)).split())}", file=sys.stderr, flush=True)
    return code


def flush_output() -> None:
    """Write what standard output holds back, so that a failure is noticed here and not when Python ends.

    Raises
    ------
    OSError
        It cannot be written; what is left of it is thrown away.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _name_beyond_the_locale(error: UnicodeEncodeError) -> str | None:
    """Return the name of a file with bytes that the locale's encoding has no letters for; None where there is none."""
    text = str(error.object)
    # Python reads such bytes of a name as these code points, which no library can write
    if sys.getfilesystemencoding().lower() == "utf-8" or not any("\udc80" <= letter <= "\udcff" for letter in text):
        return None
    return os.fsencode(text).decode("utf-8", errors="replace")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__


def _shown(error: OSError) -> str:
    name = error.filename
    return os.fsdecode(name) if isinstance(name, str | bytes | Path) else str(name)
