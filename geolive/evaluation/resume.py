"""Finished rows of an evaluation under way, so that a stopped one goes on where it was."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np

import geolive
from geolive.evaluation.cross_validation import Predicted
from geolive.files import replacing


class ResumeFolder:
    """A folder beside the report, `.NAME.rows`, with a file a finished row; gone when the report is there.

    A row is found again by what it depends on: the dataset, clusters and folds, the model and its settings, the seed, geolive's
    version. What fits nothing is left alone until the end.

    Parameters
    ----------
    out : str or Path
        The report's folder.

    Examples
    --------
    >>> import tempfile
    >>> work = ResumeFolder(Path(tempfile.mkdtemp()) / "report")
    >>> work.keep("a", Predicted("mean", {"k": 3}, np.array([[1.0, np.nan]])))
    >>> work.find("a").params, work.find("b")
    ({'k': 3}, None)
    >>> work.remove()
    """

    def __init__(self, out: str | Path) -> None:
        out = Path(out)
        self.path = out.parent / f".{out.name}.rows"

    @staticmethod
    def key(*parts) -> str:
        """A name for a row from all that it depends on: texts, numbers, arrays, lists of them.

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
        """The row of that name, where it was finished."""
        try:
            with np.load(self.path / f"{key}.npz", allow_pickle=False) as held:
                about = json.loads(str(held["about"]))
                return Predicted(about["model"], about["params"], held["values"], about["curves"])
        except (OSError, ValueError, KeyError, TypeError, EOFError):
            return None

    def keep(self, key: str, predicted: Predicted) -> None:
        """Keep a finished row, whole or not at all."""
        about = {"model": predicted.model, "params": predicted.params, "curves": predicted.curves}
        with replacing(self.path / f"{key}.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, values=predicted.values, about=np.array(json.dumps(about)))

    def remove(self) -> None:
        """Remove it all: the report is in place."""
        shutil.rmtree(self.path, ignore_errors=True)
