"""Read a table, plain, compressed or piped, in blocks of whole lines."""

import contextlib
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from geolive.errors import InputError

BLOCK = 8 << 20
# a row of the paper's table has about 1,300 bytes; a longer line than this cannot be one, and is not held in memory
LONGEST_LINE = 1 << 20
ENDLESS_LINE = 1 << 30
# tables are compressed to a tenth or so; a small file that becomes a thousand times as large is none
MOST_EXPANSION, ANY_EXPANSION = 100, 256 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


# reads a block of whole lines; in any thread, and as often as it is called
LineBlock = Callable[[], bytes]


class _EndlessLineError(Exception):
    """A line does not end."""


def read_line_blocks(path: str | Path) -> Iterator[bytes]:
    """Read a file in blocks of a few megabytes; each block ends with a newline.

    Parameters
    ----------
    path : str or Path
        A file, or "-" for standard input; gzip and zstd are recognised by their first bytes.

    Yields
    ------
    bytes
        A line longer than `LONGEST_LINE` may be shortened, but stays longer than that.

    Raises
    ------
    InputError
        The file cannot be read, or its compressed data are damaged, incomplete or expand beyond what a table can.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "data.csv.gz"
    >>> _ = path.write_bytes(gzip.compress(b"a,b\\n1,2"))
    >>> list(read_line_blocks(path))
    [b'a,b\\n1,2\\n']
    """
    for read in find_line_blocks(path):
        yield read()


def find_line_blocks(path: str | Path) -> Iterator[LineBlock]:
    """Find the blocks of a file; each is read when it is asked for, so that several threads can read a plain file.

    Parameters
    ----------
    path : str or Path
        As `read_line_blocks` takes it.

    Yields
    ------
    callable
        Takes no argument, and returns a block as `read_line_blocks` yields it.

    Raises
    ------
    InputError
        As `read_line_blocks`; also when a block is read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "data.csv"
    >>> _ = path.write_bytes(b"a,b\\n1,2")
    >>> [read() for read in find_line_blocks(path)]
    [b'a,b\\n1,2\\n']
    """
    with _named_errors(path), contextlib.ExitStack() as stack:
        raw = _standard_input() if str(path) == "-" else stack.enter_context(Path(path).open("rb"))
        if str(path) != "-" and _is_plain(raw):
            yield from _parts(Path(path), raw)
            return
        counted = _Counted(raw)
        source: io.BufferedReader = io.BufferedReader(counted)
        size = 0
        for block in _whole_lines(stack.enter_context(_decompressed(source))):
            size += len(block)
            if size > max(ANY_EXPANSION, MOST_EXPANSION * counted.size):
                raise InputError(
                    f"{path}: expands more than {MOST_EXPANSION} times, so it is not a table; get the file again"
                )
            yield partial(bytes, block)


@contextlib.contextmanager
def _named_errors(path: str | Path) -> Iterator[None]:
    """Raise errors of reading as InputError with the path."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; give a file in it") from None
    except _EndlessLineError as error:
        raise InputError(f"{path}: has {error}, so it is not a table; check the file") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path}: damaged or cut short ({error}); get the file again") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); check the file, or get it again"
        ) from None


def _is_plain(file: io.BufferedReader) -> bool:
    """Whether a file is on a disk and not compressed, so that its parts can be read in any order."""
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode) and not file.peek(4).startswith((_GZIP, _ZSTD))


def _parts(path: Path, file: io.BufferedReader) -> Iterator[LineBlock]:
    """Find the parts of a plain file that hold whole lines; where a line is too long, read on as a stream."""
    version = os.fstat(file.fileno())
    start = 0
    while start < version.st_size:
        stop = _end_of_line(file, min(start + BLOCK, version.st_size))
        if stop is None:
            file.seek(start)
            yield from (partial(bytes, block) for block in _whole_lines(file))
            return
        yield partial(_read_part, path, version, start, stop)
        start = stop


def _end_of_line(file: io.BufferedReader, position: int) -> int | None:
    """Return where the line of the byte before a position ends; None if it goes on for too long."""
    file.seek(position - 1)
    line = file.readline(LONGEST_LINE + 1)
    stop = position - 1 + len(line)
    return stop if line.endswith(b"\n") or stop == os.fstat(file.fileno()).st_size else None


def _read_part(path: Path, version: os.stat_result, start: int, stop: int) -> bytes:
    """Read a part of a file that must still be the same file."""
    with _named_errors(path), path.open("rb", buffering=0) as file:
        file.seek(start)
        block = file.read(stop - start)
        now = os.fstat(file.fileno())
    same = (now.st_ino, now.st_size, now.st_mtime_ns) == (version.st_ino, version.st_size, version.st_mtime_ns)
    if not same or len(block) != stop - start:
        raise InputError(f"{path}: changed while it was read; read it again when it is complete")
    # the last line of a file may have no line break
    return block if block.endswith(b"\n") else block + b"\n"


def _standard_input() -> io.BufferedReader:
    # the type hint of sys.stdin.buffer is wider than what Python opens
    return cast(io.BufferedReader, sys.stdin.buffer)


class _Counted(io.RawIOBase):
    """A file that counts the bytes read from it."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file, self.size = file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n = self._file.readinto(buffer)
        self.size += n
        return n


@contextlib.contextmanager
def _decompressed(source: io.BufferedReader) -> Iterator[Any]:
    beginning = source.peek(4)[:4]
    if beginning.startswith(_GZIP):
        with gzip.GzipFile(fileobj=source) as stream:
            yield stream
    elif beginning == _ZSTD:
        import pyarrow

        with io.BufferedReader(pyarrow.CompressedInputStream(source, "zstd")) as stream:
            yield stream
    else:
        yield source


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        if not block.endswith(b"\n"):
            block += stream.readline(LONGEST_LINE + 1)
            if not block.endswith(b"\n"):
                _skip_line(stream)
                block += b"\n"
        yield block


def _skip_line(stream: BinaryIO) -> None:
    """Read on to the end of a line; a device such as /dev/zero has none."""
    size = 0
    while (part := stream.readline(BLOCK)) and not part.endswith(b"\n"):
        size += len(part)
        if size > ENDLESS_LINE:
            raise _EndlessLineError(f"a line of more than {ENDLESS_LINE >> 30} GB")
