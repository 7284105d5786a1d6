"""An array on disk that is filled row by row; interrupted work is continued."""

import json
import warnings
import zlib
from pathlib import Path

import numpy as np

from geolive.errors import InputError, RestartWarning
from geolive.files import replacing
from geolive.npy_file import NpyFile
from geolive.temporary_files import lock_alone


class GrowingArray:
    """An unfinished file of features, in a folder of its own that nothing else reads.

    Rows are written in order. `progress.json` says how many are done; it is replaced after these rows are written, so a process
    that is killed at any moment loses only the rows since then.

    Parameters
    ----------
    folder : Path
        Created if it is missing.
    shape : tuple of int
        Shape of the whole array; row i belongs to image i.
    dtype : str
    made_by : dict
        Everything that the numbers depend on, as JSON; work that was started with other values is not continued.

    Attributes
    ----------
    done : int
        Number of rows written so far.
    failures : dict of int to str
        Reason for each empty row.

    Raises
    ------
    InputError
        The folder holds work that was started with other settings, another process uses it, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / ".work"
    >>> with GrowingArray(folder, (3, 2), "float32", {"model": "a"}) as array:
    ...     array.add(np.ones((2, 2)), {1: "cut short"})
    >>> with GrowingArray(folder, (3, 2), "float32", {"model": "a"}) as array:
    ...     array.done, array.failures
    (2, {1: 'cut short'})
    """

    FILE = "array.npy"

    def __init__(self, folder: Path, shape: tuple[int, int], dtype: str, made_by: dict):
        self.folder, self.made_by = folder, json.loads(json.dumps(made_by))
        self.done = self._crc32 = 0
        self.failures: dict[int, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("wb")
        try:
            lock_alone(self._lock, folder)
            self._read_progress()
            try:
                if not self.done:
                    self.file.unlink(missing_ok=True)
                elif not self.file.is_file():
                    raise InputError("its array is missing")
                self._array = NpyFile(self.file, shape, dtype)
                if self._array.crc32(self.done) != self._crc32:
                    self._array.close()
                    raise InputError(f"the rows of {self.file} are not as they were written")
            except InputError as error:
                if not self.done:
                    raise
                self._start_again(str(error))
                self._array = NpyFile(self.file, shape, dtype)
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> "GrowingArray":
        return self

    def __exit__(self, *error: object) -> None:
        self._array.__exit__(*error)
        self._lock.close()

    @property
    def file(self) -> Path:
        """The npy file."""
        return self.folder / self.FILE

    def add(self, rows: np.ndarray, failures: dict[int, str]) -> None:
        """Write the next rows, and why some of them are empty.

        Parameters
        ----------
        rows : array, shape (n, columns)
        failures : dict of int to str
            Reason for each empty row, by row of the whole array.
        """
        self._array.write(np.arange(self.done, self.done + len(rows)), rows)
        self._array.flush()
        self.done += len(rows)
        self._crc32 = zlib.crc32(np.ascontiguousarray(rows, self._array.dtype).tobytes(), self._crc32)
        self.failures |= failures
        progress = {
            "made_by": self.made_by,
            "done": self.done,
            "crc32": self._crc32,
            "failures": {str(row): why for row, why in self.failures.items()},
        }
        with replacing(self.folder / "progress.json") as file:
            file.write_text(json.dumps(progress), encoding="utf-8")

    def _start_again(self, reason: str) -> None:
        warnings.warn(f"unfinished work is damaged, so it is done again: {reason}", RestartWarning, stacklevel=2)
        self.done, self._crc32, self.failures = 0, 0, {}
        for file in (self.file, self.folder / "progress.json"):
            file.unlink(missing_ok=True)

    def _read_progress(self) -> None:
        path = self.folder / "progress.json"
        if not path.is_file():
            return
        try:
            progress = json.loads(path.read_text(encoding="utf-8"))
            made_by, done, crc32 = progress["made_by"], int(progress["done"]), int(progress["crc32"])
            failures = {int(row): str(why) for row, why in progress["failures"].items()}
            made_by.items()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self._start_again(f"{path} is damaged ({type(error).__name__})")
            return
        if made_by != self.made_by:
            names = sorted(k for k in {*made_by, *self.made_by} if made_by.get(k) != self.made_by.get(k))
            raise InputError(
                f"{self.folder}: holds work that was started with another {' and '.join(names)}; run the command with the "
                "former settings to finish it, or remove this folder to start again"
            )
        self.done, self._crc32, self.failures = done, crc32, failures
