"""The rows of several npy files as one array that stays on disk."""

import copy
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from geolive.errors import InputError

# each open file takes a descriptor, of which a process has few
_MOST_OPEN = 64


class PartitionedArray:
    """Features of the images of a partitioned dataset, in the order of the images table; files are opened when they are read.

    Parameters
    ----------
    files : sequence of Path
        An npy file for each partition, all with as many columns and of one type.
    sizes : sequence of int
        Number of rows of each file.
    order : array of int, shape (n,), optional
        For each row of this array, its place in the files one after the other; without it the rows are in that order.

    Raises
    ------
    InputError
        The first file cannot be read. Other files raise it when they are read.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name, first in (("a", 0.0), ("b", 4.0)):
    ...     np.save(folder / f"{name}.npy", first + np.arange(4.0).reshape(2, 2))
    >>> array = PartitionedArray([folder / "a.npy", folder / "b.npy"], [2, 2], np.array([3, 0, 1, 2]))
    >>> array.shape, array[[0, 1]].tolist(), array[1:3, 0].tolist()
    ((4, 2), [[6.0, 7.0], [0.0, 1.0]], [0.0, 2.0])
    """

    def __init__(self, files: Sequence[Path], sizes: Sequence[int], order: np.ndarray | None = None) -> None:
        self.files, self._order = list(files), order
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._open: OrderedDict[int, np.ndarray] = OrderedDict()
        first = self._load(0)
        self.dtype = first.dtype
        self._columns = first.shape[1]
        self._open[0] = first

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return (int(self._starts[-1]) if self._order is None else len(self._order)), self._columns

    @property
    def ndim(self) -> int:
        """Number of dimensions, 2."""
        return 2

    @property
    def nbytes(self) -> int:
        """Number of bytes of all rows."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the rows of several files cannot be one array without a copy")
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Read some rows, chosen as those of an array are; a second index chooses columns."""
        rows, columns = key if isinstance(key, tuple) else (key, slice(None))
        chosen = np.arange(len(self))[rows]
        found = self._read(np.atleast_1d(chosen).reshape(-1), columns)
        return found.reshape(np.shape(chosen) + found.shape[1:])

    def take(self, rows: np.ndarray) -> "PartitionedArray":
        """Return some rows in the order given, which stay on disk."""
        chosen = np.arange(len(self))[rows]
        taken = copy.copy(self)
        taken._order, taken._open = chosen if self._order is None else self._order[chosen], OrderedDict()
        return taken

    def _read(self, rows: np.ndarray, columns: Any) -> np.ndarray:
        place = rows if self._order is None else self._order[rows]
        found = np.empty((len(rows), *np.empty((0, self._columns), self.dtype)[:, columns].shape[1:]), self.dtype)
        if not len(rows):
            return found
        file = np.searchsorted(self._starts, place, "right") - 1
        by_file = np.argsort(file, kind="stable")
        numbers, begins = np.unique(file[by_file], return_index=True)
        for number, some in zip(numbers.tolist(), np.split(by_file, begins[1:]), strict=True):
            found[some] = self._file(number)[place[some] - self._starts[number]][:, columns]
        return found

    def _file(self, number: int) -> np.ndarray:
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        array = self._load(number)
        if array.dtype != self.dtype or array.shape[1] != self._columns:
            raise InputError(
                f"{self.files[number]}: holds {array.shape[1]} columns of {array.dtype}, and {self.files[0]} holds "
                f"{self._columns} of {self.dtype}; make the dataset again"
            )
        self._open[number] = array
        if len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)
        return array

    def _load(self, number: int) -> np.ndarray:
        path, n_rows = self.files[number], int(self._starts[number + 1] - self._starts[number])
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path}: cannot be read ({error}); make the dataset again") from None
        if array.ndim != 2 or len(array) != n_rows:
            raise InputError(
                f"{path}: has the shape {array.shape}, and its partition has {n_rows:,} images; make the dataset again"
            )
        return array

    def __getstate__(self) -> dict[str, Any]:
        # a process that receives this opens the files anew
        return self.__dict__ | {"_open": OrderedDict()}


FeatureArray: TypeAlias = np.ndarray | PartitionedArray


def take_rows(array: FeatureArray, rows: np.ndarray) -> FeatureArray:
    """Return some rows of features; those in several files stay on disk.

    Examples
    --------
    >>> take_rows(np.arange(6).reshape(3, 2), np.array([2, 0])).tolist()
    [[4, 5], [0, 1]]
    """
    return array.take(rows) if isinstance(array, PartitionedArray) else array[rows]
