"""An array on disk that is filled row by row; interrupted work is continued."""

import json
from pathlib import Path

import numpy as np

from geolive.errors import InputError
from geolive.files import replacing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


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

    Raises
    ------
    InputError
        The folder holds work that was started with other settings, or another process uses it.

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

    def __init__(self, folder: Path, shape: tuple[int, int], dtype: str, made_by: dict):
        self.folder, self.made_by = folder, json.loads(json.dumps(made_by))
        self.done = 0
        self.failures: dict[int, str] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            self._take_lock()
            begun = self._read_progress()
            mode = "r+" if begun else "w+"
            self._array = np.lib.format.open_memmap(self.file, mode, dtype=np.dtype(dtype), shape=tuple(shape))
            if self._array.shape != tuple(shape) or self._array.dtype != np.dtype(dtype):
                raise InputError(f"{self.file}: not as geolive writes it; remove this folder to start again")
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> "GrowingArray":
        return self

    def __exit__(self, *error: object) -> None:
        del self._array
        self._lock.close()

    @property
    def file(self) -> Path:
        """The npy file."""
        return self.folder / "array.npy"

    def add(self, rows: np.ndarray, failures: dict[int, str]) -> None:
        """Write the next rows, and why some of them are empty.

        Parameters
        ----------
        rows : array, shape (n, columns)
        failures : dict of int to str
            Reason for each empty row, by row of the whole array.
        """
        self._array[self.done : self.done + len(rows)] = rows
        self._array.flush()
        self.done += len(rows)
        self.failures |= failures
        progress = {
            "made_by": self.made_by,
            "done": self.done,
            "failures": {str(row): why for row, why in self.failures.items()},
        }
        with replacing(self.folder / "progress.json") as file:
            file.write_text(json.dumps(progress), encoding="utf-8")

    def _take_lock(self) -> None:
        if fcntl is None:
            return
        try:
            # not flock: worker processes inherit it, and live on for seconds after this process is killed
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{self.folder}: another process works on it; wait until that process ends") from None

    def _read_progress(self) -> bool:
        path = self.folder / "progress.json"
        if not path.is_file():
            return False
        try:
            progress = json.loads(path.read_text(encoding="utf-8"))
            made_by, done = progress["made_by"], int(progress["done"])
            failures = {int(row): str(why) for row, why in progress["failures"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}: cannot be read ({type(error).__name__}); remove its folder to start again"
            ) from None
        if made_by != self.made_by:
            names = sorted(k for k in {*made_by, *self.made_by} if made_by.get(k) != self.made_by.get(k))
            raise InputError(
                f"{self.folder}: holds work that was started with another {' and '.join(names)}; run the command with the "
                "former settings to finish it, or remove this folder to start again"
            )
        self.done, self.failures = done, failures
        return True
