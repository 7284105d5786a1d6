"""Read features of images that were computed elsewhere, from a CSV file with keys or from HDF5 rows in the order of a table."""

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.extras import require_extra
from geolive.sources.paper.lines import read_line_blocks

ROWS_AT_ONCE, NUMBERS_AT_ONCE = 8192, 1 << 24
_HDF5 = b"\x89HDF\r\n\x1a\n"

Blocks = Iterator[tuple[np.ndarray, np.ndarray]]


def read_features(
    path: str | Path, keys: pd.Series, table: str | Path | None = None, repeated: list[str] | None = None
) -> Blocks:
    """Read features of images.

    Parameters
    ----------
    path : str or Path
        A CSV file (plain, gzip or zstd) with a column `key`, all others being numbers; or an HDF5 file, shape
        (rows, columns), with further dimensions of length 1 as the authors' file has.
    keys : Series of str
        Keys of the images wanted.
    table : str or Path, optional
        For HDF5: the table (data.csv) whose rows, in that order, the features belong to.
    repeated : list of str, optional
        Takes the keys of rows that are left out, since an earlier row has the same key.

    Yields
    ------
    rows : array of int
        Rows of `keys`; features of other images are left out.
    features : array of float32, shape (len(rows), columns)

    Raises
    ------
    InputError
        The file cannot be read, a number in it is none or not finite, or an HDF5 file has not as many rows as its table.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "features.csv"
    >>> _ = path.write_text("key,f0,f1\\nb,1,2\\nz,3,4\\n")
    >>> [(rows.tolist(), values.tolist()) for rows, values in read_features(path, pd.Series(["a", "b"]))]
    [([1], [[1.0, 2.0]])]
    """
    if _is_hdf5(path):
        if table is None:
            raise InputError(f"{path}: HDF5 has no keys; name the table whose rows it follows with table='data.csv'")
        pairs = _read_hdf5(Path(path), table)
    else:
        pairs = _read_csv(path)
    return _joined(path, pairs, pd.Index(keys), [] if repeated is None else repeated)


def _joined(
    path: str | Path, pairs: Iterator[tuple[np.ndarray, np.ndarray]], keys: pd.Index, left_out: list[str]
) -> Blocks:
    seen = np.zeros(len(keys), bool)
    for some_keys, values in pairs:
        rows = keys.get_indexer(some_keys)
        values, rows, some_keys = values[rows >= 0], rows[rows >= 0], some_keys[rows >= 0]
        repeated = seen[rows] | pd.Series(rows).duplicated().to_numpy()
        seen[rows] = True
        left_out += some_keys[repeated].tolist()
        values, rows, some_keys = values[~repeated], rows[~repeated], some_keys[~repeated]
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            raise InputError(
                f"{path}: key {some_keys[bad][0]!r}: a feature is missing or not finite; correct or remove the row"
            )
        yield rows, values


def _is_hdf5(path: str | Path) -> bool:
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_HDF5)) == _HDF5
    except OSError:
        return False  # the reader of text says what is wrong


def _read_csv(path: str | Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    blocks = read_line_blocks(path)
    first, _, rest = next(blocks, b"").partition(b"\n")
    header = [name.strip() for name in _fields(path, first.removeprefix(b"\xef\xbb\xbf"))]
    if header.count("key") != 1 or len(header) < 2:
        raise InputError(f"{path}: needs one column 'key' and columns of numbers; its first line is {first[:80]!r}")
    at, line = header.index("key"), 1
    for block in chain([rest], blocks):
        yield _parsed(path, block, line, at, len(header))
        line += block.count(b"\n")


def _parsed(path: str | Path, block: bytes, line: int, at: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    keys, values = [], []
    for text in block.split(b"\n"):
        line += 1
        if not text.strip():
            continue
        fields = _fields(path, text)
        try:
            if len(fields) != width:
                raise ValueError("wrong number of fields")
            keys.append(fields.pop(at))
            values.append(np.array(fields, np.float32))
        except ValueError as error:
            raise InputError(f"{path}, line {line}: {error}; correct or remove the line") from None
    return np.array(keys, object), np.array(values, np.float32).reshape(-1, width - 1)


def _fields(path: str | Path, line: bytes) -> list[str]:
    try:
        return next(csv.reader((line.decode().rstrip("\r"),), strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        raise InputError(f"{path}: is neither CSV in UTF-8 nor HDF5; its features cannot be read") from None


def _read_hdf5(path: Path, table: str | Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    require_extra("hdf5")
    import h5py

    keys = _keys_in_order(table)
    try:
        with h5py.File(path, "r") as file:
            array = _only_array(path, file)
            if len(array) != len(keys):
                raise InputError(
                    f"{path}: has {len(array):,} rows, {table} has {len(keys):,}; give the table the features were made from"
                )
            width = int(np.prod(array.shape[1:]))
            # a file may say that it has any number of columns, which it need not hold
            at_once = max(1, min(ROWS_AT_ONCE, NUMBERS_AT_ONCE // max(width, 1)))
            for start in range(0, len(keys), at_once):
                values = np.asarray(array[start : start + at_once], np.float32)
                yield keys[start : start + at_once], values.reshape(-1, width)
    except InputError:
        raise
    except (OSError, TypeError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); get the file again") from None


def _only_array(path: Path, file):
    """Return the data set `features`, or the only one; a link to another file is refused."""
    import h5py

    name = "features" if "features" in file else next(iter(file), "")
    if name == "" or (name != "features" and len(file) > 1):
        listed = ", ".join(list(file)[:10]) or "nothing"
        raise InputError(f"{path}: holds {listed}; name its dataset 'features'")
    inside = isinstance(file.get(name, getlink=True), h5py.HardLink)
    array = file[name] if inside else None
    if not isinstance(array, h5py.Dataset) or array.is_virtual or array.external:
        raise InputError(f"{path}: {name!r} is not a dataset in this file; store the numbers in the file itself")
    if array.ndim < 2 or any(n != 1 for n in array.shape[2:]):
        raise InputError(f"{path}: {name!r} has the shape {array.shape}; needed is (images, features)")
    return array


def _keys_in_order(table: str | Path) -> np.ndarray:
    """Return the key of each row of a data.csv, or an empty text for a row whose key cannot be read."""
    blocks = read_line_blocks(table)
    first, _, rest = next(blocks, b"").partition(b"\n")
    header = [name.strip() for name in _fields(table, first.removeprefix(b"\xef\xbb\xbf"))]
    if header.count("key") != 1:
        raise InputError(f"{table}: no column 'key'; give the table the features were made from")
    at, keys = header.index("key"), []
    for block in chain([rest], blocks):
        keys += [_key(line, at) for line in block.split(b"\n") if line.removesuffix(b"\r")]
    return np.array(keys, object)


def _key(line: bytes, at: int) -> str:
    fields = line.split(b",", at + 1)[: at + 1]
    text = fields[at] if len(fields) > at else b""
    if any(b'"' in field for field in fields):
        try:
            row = next(csv.reader((line.decode(errors="replace"),)), [])
        except csv.Error:
            row = []
        return row[at] if len(row) > at else ""
    return text.decode(errors="replace")
