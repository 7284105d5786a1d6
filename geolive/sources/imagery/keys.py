"""The images that a file of keys names, in place of an area."""

import hashlib
from pathlib import Path

import numpy as np

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.sources.image_tables.blocks import open_image_table
from geolive.sources.image_tables.cells import texts_of
from geolive.sources.imagery.area import Area, area_around
from geolive.table_files import bounded_lines
from geolive.wording import count_of


def images_of_keys(path: str | Path, column: str | None = None, survey: Dataset | None = None) -> Area:
    """Read the keys of the images to fetch.

    Parameters
    ----------
    path : str or Path
        A text with a key on each line; or with `column` a table, CSV (plain, gzip or zstd) or Parquet.
    column : str, optional
        Column of the keys. Large tables are read in blocks, and of this column only.
    survey : Dataset, optional
        A dataset whose clusters the images are joined to.

    Returns
    -------
    Area
        Its `keys` are in the order of the file, each once.

    Raises
    ------
    InputError
        The file cannot be read, or has no keys, or the dataset has no clusters.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "keys.txt"
    >>> _ = path.write_text("498763468214164\\n\\n17\\n17\\n")
    >>> images_of_keys(path).keys
    ('498763468214164', '17')
    """
    path = Path(path)
    keys = _keys_of_lines(path) if column is None else _keys_of_column(path, column)
    if not keys:
        raise InputError(
            f"{path}: holds no keys; give a file with one key on each line, or keys_column='COLUMN' of a table"
        )
    digest = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()
    options = ["--keys", str(path), *(("--keys-column", column) if column is not None else ())]
    if survey is not None:
        around = area_around(survey)
        digest, options = f"{digest} {around.key}", [*options, *around.options]
    name = f"{count_of(len(keys), 'key')} of {path.name}"
    return Area(name, digest, tuple(options), np.zeros((0, 2), int), survey=survey, keys=tuple(keys))


def _keys_of_lines(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            keys = dict.fromkeys(line.strip() for line in bounded_lines(path, file))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; give a file in it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as text ({type(error).__name__}); for a table give keys_column='COLUMN'"
        ) from None
    first = next(iter(keys), "")
    if "," in first:
        raise InputError(
            f"{path}: is a table, not a file with one key on each line; give keys_column='COLUMN'",
            parameter="keys_column",
        )
    return [key for key in keys if key]


def _keys_of_column(path: Path, column: str) -> list[str]:
    keys: dict[str, None] = {}
    for block in open_image_table(path).blocks([column]):
        keys |= dict.fromkeys(texts_of(block.columns[column]).to_pylist())
    return [key for key in keys if key]
