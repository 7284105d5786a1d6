"""Count the objects of each image by class, from the columns of a table with one image in each row, or a row an object."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from geolive.errors import InputError
from geolive.object_classes import find_classes
from geolive.sources.image_tables.blocks import ImageTable
from geolive.sources.image_tables.cells import Numbers, numbers_of, texts_of
from geolive.sources.image_tables.object_lists import objects_in
from geolive.sources.mapillary.classes import class_of
from geolive.tables import N_CLASSES, VOID
from geolive.wording import listed

_MOST_NAMED = 10

Renamed = Mapping[str, str | None]


class Counted(NamedTuple):
    """The object counts of some rows.

    Parameters
    ----------
    counts : array of int64, shape (rows, 66)
        0 in rows that cannot be used.
    reasons : dict of int to str
        What is wrong with a row of the block that cannot be used.
    """

    counts: np.ndarray
    reasons: dict[int, str]


class ClassColumns:
    """Columns of object counts for the names of classes that a table uses.

    Parameters
    ----------
    classes : sequence of str
        Classes of the dataset.
    renamed : dict of str to (str or None), optional
        The dataset's class for a name; None leaves the class out.
    numbered : sequence of str, optional
        Names of classes that the table gives as numbers, from 0.

    Attributes
    ----------
    matched : dict of str to (int or None)
        Column of each name met; None where it is left out.
    unmatched : Counter of str
        How many objects there were of classes that the dataset lacks. They are counted as void.

    Examples
    --------
    >>> columns = ClassColumns(["Bird", "Car"], {"auto": "Car"}, ["bird", "auto"])
    >>> columns.add_up({"auto": 2, "1": 1, "dodo": 3})[[0, 1, 65]].tolist(), dict(columns.unmatched)
    ([0, 3, 3], {'dodo': 3})
    """

    def __init__(
        self, classes: Sequence[str], renamed: Renamed | None = None, numbered: Sequence[str] | None = None
    ) -> None:
        self._classes, self._renamed, self._numbered = list(classes), dict(renamed or {}), list(numbered or [])
        self.matched: dict[str, int | None] = {}
        self.unmatched: Counter[str] = Counter()

    def column_of(self, name: str) -> int | None:
        """Return the column of a name: None where it is left out, −1 where the dataset lacks it."""
        if name not in self.matched:
            wanted = name
            if name.isascii() and name.isdigit() and int(name) < len(self._numbered):
                wanted = self._numbered[int(name)]
            matched, unmatched = find_classes([wanted], self._classes, self._renamed)
            column = matched.get(wanted)
            if unmatched:
                # names of Mapillary's API, such as object--vehicle--car
                of_api = class_of(unmatched[0]) if "--" in unmatched[0] else None
                column = -1 if of_api is None else of_api
            self.matched[name] = column
        return self.matched[name]

    def add_up(self, objects: Mapping[str, int], times: int = 1) -> np.ndarray:
        """Return the counts of one cell, shape (66,), and note the classes that the dataset lacks for as many images."""
        counts = np.zeros(N_CLASSES, np.int64)
        for name, number in objects.items():
            column = self.column_of(name)
            if column is None:
                continue
            if column < 0:
                self.unmatched[name] += number * times
            counts[VOID if column < 0 else column] += number
        return counts

    def class_of_column(self, name: str) -> str:
        """Return the dataset's class of a name that it has."""
        column = self.column_of(name)
        assert column is not None
        assert column >= 0
        return self._classes[column] if column < len(self._classes) else "void"

    def note_unmatched(self, name: str, number: int) -> None:
        """Note objects of a class that the dataset lacks."""
        if number:
            self.unmatched[name] += number

    @property
    def named(self) -> dict[str, int | None]:
        """The column of each name that the dataset has, or that is left out."""
        return {name: column for name, column in self.matched.items() if column != -1}


class WideCounts:
    """Counts of a table with a column a class.

    Parameters
    ----------
    table : ImageTable
    classes : ClassColumns
    others : sequence of str
        Columns with another meaning, such as the key.
    row_an_object : str
        For the message where no column is a class: what to do with a table that has one object in each row.

    Attributes
    ----------
    columns : list of str
        The columns of classes.
    ignored : list of str
        Columns that are no class of the dataset.
    added : dict of str to list of str
        The columns of each class that has several; their counts are added.

    Raises
    ------
    InputError
        No column is a class of the dataset, or two names of columns differ only in letter case or spaces.
    """

    def __init__(
        self,
        table: ImageTable,
        classes: ClassColumns,
        others: Sequence[str],
        row_an_object: str = "class_column='COLUMN'",
    ) -> None:
        self._classes = classes
        names = [name for name in table.header if name and name not in others]
        found = {name: classes.column_of(name) for name in names}
        self.columns = [name for name, column in found.items() if column is not None and column >= 0]
        self.ignored = [name for name, column in found.items() if column == -1]
        self.added = self._several(table)
        if not self.columns:
            raise InputError(
                f"{table.path}: none of its columns is a class of the dataset: {listed(names, _MOST_NAMED) or 'none'}; for lists "
                f"of objects give list_column='COLUMN', for a table with one object in each row {row_an_object}, or "
                "name the dataset's class of each "
                "in classes='FILE.csv'"
            )

    def _several(self, table: ImageTable) -> dict[str, list[str]]:
        """Return the classes with several columns; refuse columns that are the same but for letter case and spaces."""
        of_class: dict[str, list[str]] = {}
        for name in self.columns:
            of_class.setdefault(self._classes.class_of_column(name), []).append(name)
        several = {name: columns for name, columns in of_class.items() if len(columns) > 1}
        for columns in several.values():
            alike: dict[str, str] = {}
            for column in columns:
                first = alike.setdefault("".join(column.split()).casefold(), column)
                if first != column:
                    raise InputError(
                        f"{table.path}: columns {first!r} and {column!r} differ only in letter case or spaces, and "
                        "would be counted twice; remove or rename one"
                    )
        return several

    def count(self, columns: Mapping[str, pa.Array]) -> Counted:
        """Return the object counts of a block's columns."""
        n = len(columns[self.columns[0]])
        counts, reasons = np.zeros((n, N_CLASSES), np.int64), dict[int, str]()
        for name in self.columns:
            cells = numbers_of(columns[name])
            for i in np.flatnonzero(wrong_counts(cells) & ~cells.missing):
                reasons.setdefault(
                    int(i), f"column {name!r}: {texts_of(columns[name][i : i + 1])[0].as_py()!r:.40} is not a count"
                )
            column = self._classes.column_of(name)
            counts[:, column] += np.where(np.isnan(cells.values), 0, cells.values).astype(np.int64)
        counts[list(reasons)] = 0
        return Counted(counts, reasons)


class ListedObjects:
    """Counts of a table with a list of objects in a column.

    Parameters
    ----------
    column : str
    classes : ClassColumns
    """

    ignored: Sequence[str] = ()
    added: Mapping[str, Sequence[str]] = MappingProxyType({})

    def __init__(self, column: str, classes: ClassColumns) -> None:
        self._classes, self.columns = classes, [column]

    def count(self, columns: Mapping[str, pa.Array]) -> Counted:
        """Return the object counts of a block's column."""
        column = columns[self.columns[0]]
        if pa.types.is_nested(column.type):
            cells, which = [_as_cell(cell) for cell in column.to_pylist()], np.arange(len(column))
        else:
            # many images have the same few objects: each text is read once
            encoded = texts_of(column).dictionary_encode()
            cells, which = encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False)
        times = np.bincount(which, minlength=len(cells))
        counts, wrong = np.zeros((len(cells), N_CLASSES), np.int64), dict[int, str]()
        for i, cell in enumerate(cells):
            try:
                counts[i] = self._classes.add_up(objects_in(cell), int(times[i]))
            except InputError as error:
                wrong[i] = f"column {self.columns[0]!r}: {error}"
        bad = np.flatnonzero(np.isin(which, list(wrong)))
        return Counted(counts[which], {int(i): wrong[int(which[i])] for i in bad})


def wrong_counts(cells: Numbers) -> np.ndarray:
    """Return which cells are no count: no number, negative, or no whole number.

    Examples
    --------
    >>> wrong_counts(numbers_of(pa.array(["3", "2.0", "1.5", "-1", "x"]))).tolist()
    [False, False, True, True, True]
    """
    values = cells.values
    with np.errstate(invalid="ignore"):
        return np.isnan(values) | (values < 0) | (values != np.round(values)) | (values >= 2.0**32)


def _as_cell(cell: object) -> object:
    """Return a nested cell; an object of Arrow has all keys of its column, those that a row lacks with null."""
    if isinstance(cell, dict):
        return {name: value for name, value in cell.items() if value is not None}
    return cell
