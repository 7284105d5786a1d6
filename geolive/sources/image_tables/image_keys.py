"""Finds the image of a dataset that a key of a table means: its key, or the path or name of its photo.

Of rows with one key the first usable one counts, and readers say how many others are left out.
"""

from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.wording import count_of

# a table of images has few slips; where more rows repeat an image, a row is something else, such as an object
_MOST_REPEATED = 0.1
UNKNOWN, AMBIGUOUS = -1, -2


class ImageKeys:
    """The keys of a dataset's images, and the names of their photos.

    A key of a table is looked up as the image's key; then, for datasets of photos, as the photo's path, its name, and its name
    without the ending, as `ingest photos --table` does. Of a path in the table the last part is looked up, too.

    Parameters
    ----------
    images : DataFrame
        `key`, and `img_path` where there are photos.

    Examples
    --------
    >>> images = pd.DataFrame({"key": ["a/1.jpg", "a/2.jpg", "b/2.jpg"], "img_path": ["a/1.jpg", "a/2.jpg", "b/2.jpg"]})
    >>> ImageKeys(images).rows_of(pd.Series(["a/2.jpg", "1", "/home/me/1.jpg", "2.jpg", "z"])).tolist()
    [1, 0, 0, -2, -1]
    """

    def __init__(self, images: pd.DataFrame) -> None:
        self._keys = pd.Index(images["key"].astype(str))
        self._names: list[tuple[pd.Index, np.ndarray]] = []
        if "img_path" in images and images["img_path"].notna().any():
            paths = [PurePosixPath(path) if isinstance(path, str) else PurePosixPath() for path in images["img_path"]]
            for names in (
                pd.Series([str(path) for path in paths]),
                pd.Series([path.name for path in paths]),
                pd.Series([path.stem for path in paths]),
            ):
                self._names.append(_unique_names(names))

    def rows_of(self, keys: pd.Series) -> np.ndarray:
        """Return the row of the image of each key: UNKNOWN where there is none, AMBIGUOUS where there are several."""
        rows = self._keys.get_indexer(keys)
        if not self._names:
            return rows
        last_parts = keys.astype(str).str.replace("\\", "/", regex=False).str.rsplit("/", n=1).str[-1]
        for names, row in self._names:
            for wanted in (keys, last_parts):
                open_rows = np.flatnonzero(rows == UNKNOWN)
                if not len(open_rows):
                    return rows
                at = names.get_indexer(wanted.iloc[open_rows])
                rows[open_rows] = np.where(at >= 0, row[at], UNKNOWN) if len(row) else UNKNOWN
        return rows


def check_rows_are_images(
    path: str | Path, n_repeated: int, n_images: int, example: tuple[int, str], remedy: str
) -> None:
    """Raise where so many keys are repeated that a row cannot be an image.

    Parameters
    ----------
    path : str or Path
        The table, for the message.
    n_repeated : int
        Rows whose image has a row already.
    n_images : int
        Images with a row.
    example : (int, str)
        Number and key of the first repeated row.
    remedy : str

    Examples
    --------
    >>> check_rows_are_images("counts.csv", 1, 20, (3, "a"), "keep one row of each image")
    >>> check_rows_are_images("counts.csv", 3, 20, (3, "a"), "keep one row of each image")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: counts.csv: row 3: key 'a' occurs already, as do 3 rows of 20 images; keep one row of each image
    """
    if n_repeated > max(1, _MOST_REPEATED * n_images):
        row, key = example
        raise InputError(
            f"{path}: row {row}: key {key!r:.60} occurs already, as do {n_repeated:,} rows of {count_of(n_images, 'image')}; "
            f"{remedy}"
        )


def _unique_names(names: pd.Series) -> tuple[pd.Index, np.ndarray]:
    """Return each name once, and its row; AMBIGUOUS for the names of several images."""
    repeated = names.duplicated(keep=False).to_numpy()
    first = (~names.duplicated()).to_numpy() & (names != "").to_numpy()
    rows = np.where(repeated, AMBIGUOUS, np.arange(len(names)))
    return pd.Index(names[first]), rows[first]
