"""Image features in the columns of a table: a column a number, or lists of numbers in one column."""

import fnmatch
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from geolive.dataset_facts import is_word
from geolive.errors import InputError
from geolive.sources.image_tables.blocks import ImageTable
from geolive.sources.image_tables.cells import numbers_of
from geolive.wording import listed

_MOST_NAMED = 10
_MOST_WIDE = 1 << 16


class FeatureColumns(NamedTuple):
    """The columns of one feature set.

    Parameters
    ----------
    name : str
    columns : list of str
        Columns of numbers, or one column of lists.
    width : int
        Number of features.
    """

    name: str
    columns: list[str]
    width: int

    def values(self, columns: Mapping[str, pa.Array]) -> np.ndarray:
        """Return the features of a block, float32, shape (rows, width); NaN in rows where one is missing or not finite."""
        first = columns[self.columns[0]]
        if pa.types.is_nested(first.type):
            values = _of_lists(first, self.width)
        else:
            values = np.column_stack([numbers_of(columns[name]).values for name in self.columns])
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        values[~np.isfinite(values).all(axis=1)] = np.nan
        return values


def find_feature_columns(table: ImageTable, name: str, pattern: str) -> FeatureColumns:
    """Find the columns of a feature set in a table.

    Parameters
    ----------
    table : ImageTable
    name : str
        Name of the feature set.
    pattern : str
        A column, or several as a pattern: `f*` means every column whose name begins with f, in the order of the table.

    Raises
    ------
    InputError
        The name is no name of a feature set, or no column fits.

    Examples
    --------
    >>> from pathlib import Path
    >>> find_feature_columns(ImageTable(Path("a.csv"), ["key", "f0", "f1"]), "net", "f*")
    FeatureColumns(name='net', columns=['f0', 'f1'], width=2)
    """
    if not is_word(name) or name == "objects":
        raise InputError(
            f"features={name!r}: is not a name for a feature set; use letters, digits, _, - and ., and not objects"
        )
    columns = [column for column in dict.fromkeys(table.header) if fnmatch.fnmatchcase(column, pattern)]
    if not columns:
        raise InputError(
            f"{table.path}: no column fits {pattern!r}, the features {name!r}; its columns are: "
            f"{listed(table.header, _MOST_NAMED)}"
        )
    if len(columns) > 1:
        return FeatureColumns(name, columns, len(columns))
    width = 1
    for block in table.blocks(columns):
        column = block.columns[columns[0]]
        if not pa.types.is_nested(column.type):
            break
        if widths := [len(cell) for cell in column.to_pylist() if cell is not None]:
            width = widths[0]
            break
    if not 0 < width <= _MOST_WIDE:
        raise InputError(
            f"{table.path}: column {columns[0]!r} holds lists of {width:,} numbers; give 1 to {_MOST_WIDE:,}"
        )
    return FeatureColumns(name, columns, width)


def _of_lists(column: pa.Array, width: int) -> np.ndarray:
    """Return the numbers of lists; NaN for a list that is missing or has another length."""
    import pyarrow.compute as pc

    values = np.full((len(column), width), np.nan)
    if not hasattr(column, "flatten") or pa.types.is_struct(column.type) or pa.types.is_map(column.type):
        return values
    fits = pc.fill_null(pc.equal(pc.list_value_length(column), width), False)
    flat = numbers_of(column.filter(fits).flatten()).values
    values[fits.to_numpy(zero_copy_only=False)] = flat.reshape(-1, width)
    return values
