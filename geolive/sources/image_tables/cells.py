"""Cells of a table's column as texts and as numbers, a block of rows at a time."""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

# the words for a missing value that all readers of tables know
MISSING = ("", "na", "n/a", "nan", "null", "none", "<na>")
_NUMBER = r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
_LARGEST_WHOLE = 2.0**53


class Numbers(NamedTuple):
    """A column as numbers.

    Parameters
    ----------
    values : array of float, shape (rows,)
        NaN where a cell is missing or is no finite number.
    missing : array of bool, shape (rows,)
    """

    values: np.ndarray
    missing: np.ndarray


def texts_of(column: pa.Array) -> pa.Array:
    """Return a column as texts without spaces around them; a missing cell is an empty text.

    Parameters
    ----------
    column : arrow Array
        Texts or numbers. Whole numbers that a program stored as decimals, for they had gaps, become whole again.

    Examples
    --------
    >>> texts_of(pa.array([1.0, None, 3.0])).to_pylist(), texts_of(pa.array([" a", None])).to_pylist()
    (['1', '', '3'], ['a', ''])
    """
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False).astype(float)
        given = values[np.isfinite(values)]
        if (given == np.round(given)).all() and (np.abs(given) < _LARGEST_WHOLE).all():
            column = pa.array(np.where(np.isfinite(values), values, 0).astype(np.int64), mask=~np.isfinite(values))
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        try:
            column = column.cast(pa.string())
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            column = pa.array([None if cell is None else str(cell) for cell in column.to_pylist()], pa.string())
    return pc.utf8_trim_whitespace(pc.fill_null(column, ""))


def numbers_of(column: pa.Array) -> Numbers:
    """Return a column of texts or numbers as numbers.

    Examples
    --------
    >>> numbers_of(pa.array(["1e3", "NA", "one"]))
    Numbers(values=array([1000.,   nan,   nan]), missing=array([False,  True, False]))
    """
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        missing = np.isnan(values)
        return Numbers(np.where(np.isfinite(values), values, np.nan), missing)
    texts: Any = texts_of(column)
    missing = pc.is_in(pc.utf8_lower(texts), pa.array(MISSING, texts.type)).to_numpy(zero_copy_only=False)
    plain = pc.match_substring_regex(texts, _NUMBER)
    values = pc.cast(pc.if_else(plain, texts, None), pa.float64()).to_numpy(zero_copy_only=False)
    return Numbers(np.where(np.isfinite(values), values, np.nan), missing)
