"""An array that grows in order, image by image, and goes on where it was stopped or killed."""

import json
from pathlib import Path

import numpy as np

from geolive.errors import InputError
from geolive.files import replacing

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


class GrowingArray:
    """A file of features in the making, in a folder of its own; nothing else reads it.

    Rows are written in order. What is done is told by `progress.json`, which is replaced after the rows that it tells of
    are written, so that a process killed at any moment loses the rows since then and nothing more.

    Parameters
    ----------
    folder : Path
        Made if need be.
    shape : tuple of int
        Of the whole array; row i belongs to image i.
    dtype : str
    made_by : dict
        All that the numbers depend on, JSON-able; work begun with anything else is not continued.

    Raises
    ------
    InputError
        The folder holds work begun with other settings, or another process is at it.

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
        self.done, self.failures = 0, {}
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            self._take_lock()
            begun = self._read_progress()
            mode = "r+" if begun else "w+"
            self._array = np.lib.format.open_memmap(self.file, mode, dtype=np.dtype(dtype), shape=tuple(shape))
            if self._array.shape != tuple(shape) or self._array.dtype != np.dtype(dtype):
                raise InputError(f"{self.file}: not as geolive writes it; remove that folder to begin anew")
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> "GrowingArray":
        return self

    def __exit__(self, *error: object) -> None:
        self._array = None
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
            Row of the whole array → reason.
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
            # not flock: workers would inherit that, and outlive this process for seconds where it is killed
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{self.folder}: another process is at work on it; wait for it to end") from None

    def _read_progress(self) -> bool:
        path = self.folder / "progress.json"
        if not path.is_file():
            return False
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            made_by, done = found["made_by"], int(found["done"])
            failures = {int(row): str(why) for row, why in found["failures"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}: cannot be read ({type(error).__name__}); remove its folder to begin anew"
            ) from None
        if made_by != self.made_by:
            names = sorted(k for k in {*made_by, *self.made_by} if made_by.get(k) != self.made_by.get(k))
            raise InputError(
                f"{self.folder}: holds work begun with another {' and '.join(names)}; run the command as it was then to finish "
                "it, or remove that folder to begin anew"
            )
        self.done, self.failures = done, failures
        return True
