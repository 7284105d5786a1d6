"""Finished rows of an evaluation that is not finished, so that the same evaluation goes on after a stop."""

import hashlib
import json
import shutil
import warnings
from pathlib import Path

import numpy as np

import geolive
from geolive.errors import RestartWarning
from geolive.evaluation.cross_validation import Predicted
from geolive.files import replacing, work_folder

_FACTS = ("model", "params", "curves", "out_of_fold", "uses_images")


class ResumeFolder:
    """A folder beside the report, `.NAME.rows`, with one file for each finished row; it is removed when the report is written.

    The key of a row holds all that its predictions depend on: the dataset's checksum, clusters and folds, the model and its
    settings, the seed, and geolive's version.

    Parameters
    ----------
    out : str or Path
        The report's folder.

    Examples
    --------
    >>> import tempfile
    >>> resume = ResumeFolder(Path(tempfile.mkdtemp()) / "report")
    >>> resume.keep("a", Predicted("mean", {"k": 3}, np.array([[1.0, np.nan]])))
    >>> resume.find("a").params, resume.find("b")
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

    def find(self, key: str) -> Predicted | None:
        """Find the row with this key; None where it is not finished."""
        path = self.path / f"{key}.npz"
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as held:
                about = json.loads(str(held["about"]))
                return Predicted(values=held["values"], **about)
        except Exception as error:  # zipfile, zlib and numpy each have errors of their own for damaged bytes
            words = f"{path} is damaged ({type(error).__name__}), so its row of the report is computed again"
            warnings.warn(words, RestartWarning, stacklevel=2)
            path.unlink(missing_ok=True)
            return None

    def keep(self, key: str, predicted: Predicted) -> None:
        """Keep a finished row; the file appears whole or not at all."""
        about = {name: getattr(predicted, name) for name in _FACTS}
        with replacing(self.path / f"{key}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, values=predicted.values, about=np.array(json.dumps(about)))

    def remove(self) -> None:
        """Remove the folder, once the report is written."""
        shutil.rmtree(self.path, ignore_errors=True)
