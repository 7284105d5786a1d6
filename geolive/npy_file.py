"""Write an npy file by rows, without a memory map: a full disk is then an error, and not a signal that ends the process."""

import errno
import os
import zlib
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from geolive.disk_space import full_disk, full_disk_named
from geolive.errors import InputError

_ZEROS = bytes(1 << 20)


class NpyFile:
    """An npy file of two dimensions that is filled by rows; all of its space on the disk is taken when it is made.

    Parameters
    ----------
    path : str or Path
        The file; an existing one is opened and kept if it has this shape and type, and is otherwise refused.
    shape : tuple of int
        Numbers of rows and columns.
    dtype : str or dtype

    Raises
    ------
    InputError
        The disk has no space for the file, or the existing file holds something else.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "array.npy"
    >>> with NpyFile(path, (3, 2), "float32") as file:
    ...     file.write(np.array([2, 0]), np.array([[5.0, 6.0], [1.0, 2.0]]))
    >>> np.load(path).tolist()
    [[1.0, 2.0], [0.0, 0.0], [5.0, 6.0]]
    """

    def __init__(self, path: str | Path, shape: tuple[int, int], dtype: str | np.dtype) -> None:
        self.path, self.shape, self.dtype = Path(path), shape, np.dtype(dtype)
        self._row_bytes = shape[1] * self.dtype.itemsize
        try:
            existing = self.path.open("r+b")
        except FileNotFoundError:
            self._file, self._start = self._made()
        else:
            self._file, self._start = existing, self._checked(existing)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def crc32(self, n_rows: int) -> int:
        """Return the CRC-32 of the first rows."""
        self._file.seek(self._start)
        left, found = min(n_rows, self.shape[0]) * self._row_bytes, 0
        while left and (block := self._file.read(min(left, len(_ZEROS)))):
            left, found = left - len(block), zlib.crc32(block, found)
        return found

    def write(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Write some rows.

        Parameters
        ----------
        rows : array of int, shape (n,)
            Row numbers.
        values : array, shape (n, columns)
        """
        rows = np.asarray(rows)
        if len(rows) == 0:
            return
        order = np.argsort(rows, kind="stable")
        content = np.ascontiguousarray(np.asarray(values)[order], self.dtype)
        starts = np.flatnonzero(np.diff(rows[order], prepend=-2) != 1)
        with full_disk_named(self.path.parent):
            for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
                self._file.seek(self._start + int(rows[order[start]]) * self._row_bytes)
                self._file.write(content[start:stop].tobytes())

    def flush(self) -> None:
        """Wait until what was written is on the disk."""
        with full_disk_named(self.path.parent):
            self._file.flush()
            os.fsync(self._file.fileno())

    def _made(self) -> tuple[BinaryIO, int]:
        """The new file, and the first byte of its numbers."""
        size = self.shape[0] * self._row_bytes
        file = self.path.open("x+b")
        try:
            header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
            np.lib.format.write_array_header_1_0(file, header)
            start = file.tell()
            file.flush()
            _reserve(file.fileno(), start, size)
        except BaseException as error:
            file.close()
            self.path.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise full_disk(self.path.parent, size) from None
            raise
        return file, start

    def _checked(self, file: BinaryIO) -> int:
        """The first byte of the numbers."""
        size = self.shape[0] * self._row_bytes
        try:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError("another version")
            header = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
            same = header == (self.shape, False, self.dtype) and os.fstat(file.fileno()).st_size == start + size
        except (ValueError, OSError):
            same = False
        if not same:
            file.close()
            raise InputError(f"{self.path}: is damaged, or not in geolive's format; remove it to start again")
        return start


def _reserve(descriptor: int, start: int, size: int) -> None:
    """Take the space of a file on its disk, filled with zeros."""
    if size == 0:
        return
    try:
        os.posix_fallocate(descriptor, start, size)
    except AttributeError:  # macOS and Windows
        _write_zeros(descriptor, start, size)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        _write_zeros(descriptor, start, size)


def _write_zeros(descriptor: int, start: int, size: int) -> None:
    os.lseek(descriptor, start, os.SEEK_SET)
    left = size
    while left:
        left -= os.write(descriptor, _ZEROS[: min(left, len(_ZEROS))])
