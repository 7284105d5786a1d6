"""Read object counts of images that another tool counted, and add them to a dataset."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from geolive.dataset_folder import read_dataset
from geolive.errors import InputError
from geolive.feature_sets import add_array, check_feature_name
from geolive.object_classes import dataset_classes, read_classes
from geolive.sources.image_tables.blocks import Block, ImageTable, open_image_table
from geolive.sources.image_tables.cells import numbers_of, texts_of
from geolive.sources.image_tables.count_columns import ClassColumns, ListedObjects, Renamed, WideCounts, wrong_counts
from geolive.sources.image_tables.image_keys import AMBIGUOUS, ImageKeys, check_rows_are_images
from geolive.tables import N_CLASSES, VOID

OBJECTS = "objects"
NO_ROW = "no row in the table"
_MOST = np.iinfo(np.uint16).max
_MOST_LISTED = 100


@dataclass(eq=False)
class ObjectCounts:
    """Object counts of images, and what a user should know of them.

    Parameters
    ----------
    counts : array of uint16, shape (images, 66)
    missing : DataFrame
        `key` and `reason` of the images whose objects are not counted; their counts are 0.
    n_without : int
        Images without a row in a table with a row an object: they have no objects.
    n_unknown, n_ambiguous, n_repeated : int
        Rows of images that the dataset lacks, rows whose key fits several photos, and, in a table with a row an image, rows
        whose image has a row already: the first usable row counts.
    broken : list of (int, str)
        Number and reason of rows that are no rows of the table.
    unmatched : Counter of str
        Number of objects of classes that the dataset lacks. They are counted as void.
    ignored : list of str
        Columns that are no class of the dataset.
    added : dict of str to list of str
        The columns of each class that has several; their counts are added.
    columns : dict of str to (int or None)
        Column of the counts for each class of the table; None where it is left out.
    guessed_encoding : str, optional
        Encoding of the file where it does not state it.
    """

    counts: np.ndarray
    missing: pd.DataFrame
    n_without: int = 0
    n_unknown: int = 0
    n_ambiguous: int = 0
    n_repeated: int = 0
    broken: list[tuple[int, str]] = field(default_factory=list)
    unmatched: Counter[str] = field(default_factory=Counter)
    ignored: list[str] = field(default_factory=list)
    added: dict[str, list[str]] = field(default_factory=dict)
    columns: dict[str, int | None] = field(default_factory=dict)
    guessed_encoding: str | None = None


def read_object_counts(
    path: str | Path,
    images: pd.DataFrame,
    classes: Sequence[str],
    *,
    key: str = "key",
    list_column: str | None = None,
    class_column: str | None = None,
    count_column: str | None = None,
    renamed: Renamed | None = None,
    numbered: Sequence[str] | None = None,
    encoding: str | None = None,
) -> ObjectCounts:
    """Read the object counts of images from a table.

    Parameters
    ----------
    path : str or Path
        CSV (plain, gzip or zstd) or Parquet. By default a row is an image, and columns are named after classes.
    images : DataFrame
        The images wanted: `key`, and `img_path` where there are photos.
    classes : sequence of str
        The dataset's 65 classes (`geolive.object_classes.dataset_classes`). Letter case, spaces and punctuation are ignored.
    key : str
        Column with the images' keys, or the paths or names of their photos.
    list_column : str, optional
        Column with the objects of each image, as `geolive.sources.image_tables.object_lists.objects_in` reads them.
    class_column, count_column : str, optional
        For a table with one object in each row, or a row a class of an image: columns of the class, and of the number
        of objects (without it 1 a row). The rows of an image are added up.
    renamed : dict of str to (str or None), optional
        The dataset's class for a class of the table; None leaves it out.
    numbered : sequence of str, optional
        Names of classes that the table gives as numbers, from 0.
    encoding : str, optional
        Encoding of the texts.

    Raises
    ------
    InputError
        The file cannot be read, a column is missing, no column is a class, more than a tenth of the images occur several times
        in a table with a row an image, or no image of the dataset is in the table.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.tables import vistas_classes
    >>> path = Path(tempfile.mkdtemp()) / "counts.csv"
    >>> _ = path.write_text("image,class,count\\na,car,2\\na,dodo,1\\nb,car,1\\nz,car,9\\n")
    >>> read = read_object_counts(
    ...     path,
    ...     pd.DataFrame({"key": ["a", "b", "c"]}),
    ...     vistas_classes()["name"].tolist(),
    ...     key="image",
    ...     class_column="class",
    ...     count_column="count",
    ... )
    >>> read.counts[:, [58, 65]].tolist(), dict(read.unmatched), read.n_unknown, read.n_without
    ([[2, 1], [1, 0], [0, 0]], {'dodo': 1}, 1, 1)
    """
    if list_column is not None and class_column is not None:
        raise InputError(
            "list_column needs one image in each row, class_column one object in each row; give one of them"
        )
    if count_column is not None and class_column is None:
        raise InputError(
            f"count_column={count_column!r}: belongs to a column of classes; give class_column='COLUMN', too"
        )
    table = open_image_table(path, encoding)
    matcher = ClassColumns(classes, renamed, numbered)
    read = ObjectCounts(np.zeros((len(images), N_CLASSES), np.uint16), pd.DataFrame())
    if table.guessed:
        read.guessed_encoding = table.encoding
    if class_column is not None:
        columns = [key, class_column, *([count_column] if count_column else [])]
        counts = np.zeros((len(images), N_CLASSES), np.uint32)
        seen, reasons = _add_rows(table, ImageKeys(images), columns, matcher, counts, read)
        np.minimum(counts, _MOST, out=counts)
        read.counts[:] = counts
        read.n_without = int((~seen).sum())
    else:
        counter = WideCounts(table, matcher, [key]) if list_column is None else ListedObjects(list_column, matcher)
        read.ignored = list(counter.ignored)
        read.added = {name: list(columns) for name, columns in counter.added.items()}
        seen, reasons = _read_rows(table, ImageKeys(images), key, counter, read)
        reasons |= dict.fromkeys(np.flatnonzero(~seen).tolist(), NO_ROW)
    _check_some(table, key, images, seen)
    read.counts[list(reasons)] = 0
    rows = sorted(reasons)
    read.missing = pd.DataFrame(
        {"key": images["key"].to_numpy()[rows], "reason": pd.Series([reasons[row] for row in rows], dtype="str")}
    )
    read.unmatched, read.columns = matcher.unmatched, matcher.named
    if len(rows) == len(images):
        raise InputError(
            f"{path}: no image has counts that can be used: {next(iter(reasons.values()))}; check the columns"
        )
    return read


def add_object_counts(
    folder: str | Path, path: str | Path, *, name: str = OBJECTS, classes: str | Path | None = None, **columns: Any
) -> ObjectCounts:
    """Read object counts from a table and add them to a dataset folder. Nothing else in the folder changes.

    Parameters
    ----------
    folder : str or Path
        A dataset without object counts.
    path : str or Path
        The table, as `read_object_counts` reads it.
    name : str
        Name of the new feature set. Models use `objects` by default.
    classes : str or Path, optional
        CSV file with the dataset's class for each of the table's (`geolive.object_classes.read_classes`).
    **columns
        `key`, `list_column`, `class_column`, `count_column` and `encoding` of `read_object_counts`.

    Returns
    -------
    ObjectCounts
        The counts. `features/NAME.missing.parquet` lists the images whose objects are not counted.

    Raises
    ------
    InputError
        The dataset has such a feature set, or the table cannot be used.

    See Also
    --------
    geolive.read_images : Read a table of images without photos.
    geolive.read_photos : Read positions and times from photos.

    Examples
    --------
    >>> import tempfile
    >>> import geolive
    >>> from dataclasses import replace
    >>> temporary = Path(tempfile.mkdtemp())
    >>> sample = geolive.make_sample("goa")
    >>> folder = geolive.write_dataset(replace(sample, features={}), temporary / "goa")
    >>> pd.DataFrame({"key": sample.images["key"], "Car": 2}).to_csv(temporary / "counts.csv", index=False)
    >>> add_object_counts(folder, temporary / "counts.csv").counts[0, 58]
    np.uint16(2)
    """
    dataset = read_dataset(folder)
    check_feature_name(dataset, name)
    numbered, renamed = read_classes(classes) if classes is not None else ([], {})
    own_classes = dataset_classes(dataset)
    read = read_object_counts(path, dataset.images, own_classes, renamed=renamed, numbered=numbered, **columns)
    about = {
        "source": Path(path).name,
        "classes": [*own_classes, "void"],
        "columns": read.columns,
        "objects_without_class": dict(read.unmatched.most_common(_MOST_LISTED)),
    }
    add_array(folder, name, read.counts, read.missing, about)
    return read


def _known_rows(block: Block, key: str, keys: ImageKeys, read: ObjectCounts) -> tuple[Block, np.ndarray, pd.Series]:
    """Return the rows of a block whose images are known, and their rows in the images table and keys."""
    read.broken += block.broken
    texts = pd.Series(texts_of(block.columns[key]).to_pylist(), dtype="str")
    rows = keys.rows_of(texts)
    read.n_ambiguous += int((rows == AMBIGUOUS).sum())
    read.n_unknown += int(((rows < 0) & (rows != AMBIGUOUS)).sum())
    known = rows >= 0
    if known.all():
        return block, rows, texts
    mask = pa.array(known)
    kept = Block(block.numbers[known], {name: column.filter(mask) for name, column in block.columns.items()}, [])
    return kept, rows[known], texts[known].reset_index(drop=True)


def _read_rows(
    table: ImageTable, keys: ImageKeys, key: str, counter: WideCounts | ListedObjects, read: ObjectCounts
) -> tuple[np.ndarray, dict[int, str]]:
    """Fill in the counts of a table with a row an image; return which images it has, and the reasons of unusable ones.

    Where several rows have the key of one image, the first usable one counts, as in `read_images`.
    """
    seen, filled = np.zeros(len(read.counts), bool), np.zeros(len(read.counts), bool)
    reasons = dict[int, str]()
    repeated: tuple[int, str] | None = None
    for block in table.blocks([key, *counter.columns]):
        known, rows, texts = _known_rows(block, key, keys, read)
        again = seen[rows] | pd.Series(rows).duplicated().to_numpy()
        if again.any() and repeated is None:
            repeated = int(known.numbers[np.argmax(again)]), texts[int(np.argmax(again))]
        read.n_repeated += int(again.sum())
        seen[rows] = True
        counted = counter.count(known.columns)
        for i, why in counted.reasons.items():
            reasons.setdefault(int(rows[i]), f"row {known.numbers[i]}, {why}")
        usable = ~filled[rows]
        usable[list(counted.reasons)] = False
        at = np.flatnonzero(usable)
        at = at[~pd.Series(rows[at]).duplicated().to_numpy()]
        read.counts[rows[at]] = np.minimum(counted.counts[at], _MOST)
        filled[rows[at]] = True
    if repeated is not None:
        remedy = "if a row is an object, give class_column='COLUMN', else keep one row of each image"
        check_rows_are_images(table.path, read.n_repeated, int(seen.sum()), repeated, remedy)
    return seen, {row: why for row, why in reasons.items() if not filled[row]}


def _add_rows(
    table: ImageTable,
    keys: ImageKeys,
    columns: list[str],
    matcher: ClassColumns,
    counts: np.ndarray,
    read: ObjectCounts,
) -> tuple[np.ndarray, dict[int, str]]:
    """Add up the rows of a table with one object in each row; return which images it has, and the reasons of unusable ones."""
    key, class_column, *of_counts = columns
    seen, reasons = np.zeros(len(counts), bool), dict[int, str]()
    for block in table.blocks(columns):
        known, rows, _ = _known_rows(block, key, keys, read)
        seen[rows] = True
        names = texts_of(known.columns[class_column]).dictionary_encode()
        name_of_row = names.indices.to_numpy(zero_copy_only=False)
        listed_names = names.dictionary.to_pylist()
        # a row without a class is an image without objects, as joins of tables leave it
        bins = np.array([-2 if name == "" else _bin(matcher, name) for name in listed_names] or [-2])[name_of_row]
        n = np.ones(len(known))
        if of_counts:
            cells = numbers_of(known.columns[of_counts[0]])
            for i in np.flatnonzero(wrong_counts(cells) & (bins > -2)):
                text = texts_of(known.columns[of_counts[0]][i : i + 1])[0].as_py()
                reasons.setdefault(
                    int(rows[i]), f"row {known.numbers[i]}, column {of_counts[0]!r}: {text!r:.40} is not a count"
                )
            n = np.where(wrong_counts(cells), 0, cells.values)
        used = bins >= -1
        np.add.at(
            counts, (rows[used], np.where(bins == -1, VOID, bins)[used]), np.minimum(n[used], _MOST).astype(np.uint32)
        )
        lacking = np.bincount(name_of_row, weights=np.where(bins == -1, n, 0), minlength=len(listed_names))
        for name, number in zip(listed_names, lacking, strict=True):
            matcher.note_unmatched(name, int(number))
    return seen, reasons


def _bin(matcher: ClassColumns, name: str) -> int:
    column = matcher.column_of(name)
    return -2 if column is None else column


def _check_some(table: ImageTable, key: str, images: pd.DataFrame, seen: np.ndarray) -> None:
    """Raise where no image of the dataset is in the table."""
    if seen.any():
        return
    first: Iterator[str] = (text for block in table.blocks([key]) for text in texts_of(block.columns[key]).to_pylist())
    example = next(first, None)
    if example is None:
        raise InputError(f"{table.path}: has column names but no rows; it needs a row for each image")
    raise InputError(
        f"{table.path}: column {key!r}: none of its keys is an image of the dataset: the table has {example!r:.60}, the dataset "
        f"{str(images['key'].iloc[0]) if len(images) else 'no image'!r:.60}; name the column of keys with key='COLUMN'"
    )
