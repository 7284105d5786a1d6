"""Finished rows of an evaluation that is not finished, so that the same evaluation continues after a stop."""

import hashlib
import json
import shutil
import warnings
from pathlib import Path

import numpy as np

import geolive
from geolive.errors import InputError, RestartWarning
from geolive.evaluation.cross_validation import Predicted
from geolive.files import check_new_folder, replacing, work_folder

_FACTS = ("model", "params", "curves", "out_of_fold", "uses_images", "selection", "about")
_ARRAYS = ("values", "images")


def check_report_folder(out: str | Path) -> None:
    """Raise where a report cannot be written to a folder.

    Rows that a run has left beside a finished report are removed: it was killed after the report was in its place.

    Raises
    ------
    InputError
        The folder exists and is not empty, or cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> check_report_folder(Path(tempfile.mkdtemp()) / "report")
    """
    try:
        check_new_folder(out)
    except InputError:
        if (Path(out) / "report.html").is_file():
            ResumeFolder(out).remove()
        raise


class ResumeFolder:
    """A folder beside the report, `.NAME.rows`, with one file for each finished model; it is removed when the report is written.

    The key of a model holds all that its predictions depend on: the dataset's checksum, clusters and folds, the model and its
    settings, the seed, and geolive's version. Figures are not kept: they are computed from the predictions again.

    Parameters
    ----------
    out : str or Path
        The report's folder.

    Examples
    --------
    >>> import tempfile
    >>> resume = ResumeFolder(Path(tempfile.mkdtemp()) / "report")
    >>> resume.keep("a", [Predicted("mean", {"k": 3}, np.array([[1.0, np.nan]]))])
    >>> resume.find("a")[0].params, resume.find("b")
    ({'k': 3}, None)
    >>> resume.remove()
    """

    def __init__(self, out: str | Path) -> None:
        self.path = work_folder(out, "rows")

    @staticmethod
    def key(*parts) -> str:
        """Make a key from texts, numbers, arrays, and lists of them.

        Examples
        --------
        >>> ResumeFolder.key("forest", 1) == ResumeFolder.key("forest", 2)
        False
        """
        digest = hashlib.sha256(geolive.__version__.encode())
        for part in parts:
            content = part.tobytes() if isinstance(part, np.ndarray) else json.dumps(part, default=str).encode()
            digest.update(len(content).to_bytes(8, "big") + content)
        return digest.hexdigest()[:32]

    def find(self, key: str) -> list[Predicted] | None:
        """Find the rows of the model with this key; None where it is not finished."""
        path = self.path / f"{key}.npz"
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as held:
                rows = json.loads(str(held["about"]))
                return [
                    Predicted(**facts, **{name: held[f"{name}_{number}"] for name in _ARRAYS})
                    for number, facts in enumerate(rows)
                ]
        except Exception as error:  # zipfile, zlib and numpy each have errors of their own for damaged bytes
            words = f"{path} cannot be used ({type(error).__name__}), so its rows of the report are computed again"
            warnings.warn(words, RestartWarning, stacklevel=2)
            path.unlink(missing_ok=True)
            return None

    def keep(self, key: str, rows: list[Predicted]) -> None:
        """Keep the rows of a finished model; the file appears whole or not at all."""
        about = [{name: getattr(row, name) for name in _FACTS} for row in rows]
        arrays = {f"{name}_{number}": getattr(row, name) for number, row in enumerate(rows) for name in _ARRAYS}
        with replacing(self.path / f"{key}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)

    def remove(self) -> None:
        """Remove the folder, once the report is written."""
        shutil.rmtree(self.path, ignore_errors=True)
