"""A block of lines of the paper's data.csv becomes a block of rows."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from geolive.sources.paper.rows import LISTS, BadRow, RowReader
from geolive.tables import N_CLASSES, VOID

SCANNERS = 2
# blocks read ahead, so that no scanner waits while rows are made of another block
WAITING = 6
_SCHEMA = pa.schema(
    {
        "line": pa.int64(),
        "key": pa.large_string(),
        "lon": pa.float64(),
        "lat": pa.float64(),
        "cluster": pa.int32(),
        "img_path": pa.large_string(),
    }
)


class Rows(NamedTuple):
    """The rows of a block that can be used, in its order, and the others.

    Parameters
    ----------
    table : arrow Table
        `line` (number in the file), `key`, `lon`, `lat` (degrees), `cluster` (row of the reader's `clusters`), `img_path`
        (empty where there is none).
    objects : array of uint16, shape (rows, 66)
        Object counts.
    rejects : list of (int, str)
        Line and reason of each other row.
    """

    table: pa.Table
    objects: np.ndarray
    rejects: list[tuple[int, str]]


def read_blocks(reader: RowReader, blocks: Iterable[bytes], number: int) -> Iterator[Rows]:
    """Read blocks of whole lines, in their order.

    The first is read by the book, from which the names of classes are learned; of the others, usual lines are read by
    compiled code (paper_scan.py), which is several times as fast.

    Parameters
    ----------
    reader : RowReader
    blocks : iterable of bytes
    number : int
        The number of the first block's first line.

    Yields
    ------
    Rows

    Raises
    ------
    InputError
        Two lines call a class by different names.

    Examples
    --------
    >>> header = "key,unique_cluster,ilon,ilat,features,features_name,confidence,pov,pov_label,pop,pop_label,bmi,bmi_label"
    >>> [rows.rejects for rows in read_blocks(RowReader(header.split(",")), [b"nonsense\\n"], 2)]
    [[(2, 'line: wrong number of fields')]]
    """
    blocks = iter(blocks)
    first = next(blocks, b"")
    yield read_by_the_book(reader, first, number)
    number += first.count(b"\n")
    if _usual_columns(reader.header):
        for block, found in _scanned(reader, blocks):
            yield _read_scanned(reader, block, found, number)
            number += len(found.kind)
    else:
        for block in blocks:
            yield read_by_the_book(reader, block, number)
            number += block.count(b"\n")


def read_by_the_book(reader: RowReader, block: bytes, number: int) -> Rows:
    """Read a block of whole lines, of which the first has that number, line by line.

    Raises
    ------
    InputError
        Two lines call a class by different names.
    """
    lines = block.split(b"\n")
    return _read_lines(reader, ((number + i, line.removesuffix(b"\r")) for i, line in enumerate(lines)))


def _read_lines(reader: RowReader, lines: Iterable[tuple[int, bytes]]) -> Rows:
    """Rows of numbered lines; an empty line is no row."""
    rows, classes, rejects = [], [], []
    for number, line in lines:
        if not line:
            continue
        try:
            key, lon, lat, cluster, found, img_path = reader.read(line, number)
        except BadRow as reason:
            rejects.append((number, str(reason)))
            continue
        rows.append((number, key, lon, lat, cluster, img_path))
        classes.append(found)
    columns = zip(*rows, strict=True) if rows else [()] * len(_SCHEMA)
    table = pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, _SCHEMA.types, strict=True)], schema=_SCHEMA
    )
    return Rows(table, _histograms(classes), rejects)


def _histograms(classes: list[bytes]) -> np.ndarray:
    """Object counts, shape (images, 66), of class indexes; a field is too short for more than 65,535 of them."""
    row = np.repeat(np.arange(len(classes)), [len(found) for found in classes])
    column = np.minimum(np.frombuffer(b"".join(classes), np.uint8), VOID)
    counts = np.bincount(row * N_CLASSES + column, minlength=len(classes) * N_CLASSES)
    return counts.astype(np.uint16).reshape(-1, N_CLASSES)


def _usual_columns(header: Sequence[str]) -> bool:
    """Whether the three lists are neighbours, as they are in the authors' file."""
    first_list = header.index(LISTS[0])
    return tuple(header[first_list : first_list + len(LISTS)]) == LISTS


def _scanned(reader: RowReader, blocks: Iterator[bytes]) -> Iterator[tuple]:
    """Blocks with what the scanner finds in them, a few at a time."""
    waiting: deque = deque()
    layout, n_names = None, -1
    with ThreadPoolExecutor(SCANNERS) as threads:
        for block in blocks:
            from geolive.sources.paper.scan import scan  # slow to import, and not needed for a small file

            if n_names != len(reader.class_names):
                layout, n_names = _layout(reader), len(reader.class_names)
            waiting.append((block, threads.submit(scan, block, layout)))
            if len(waiting) > WAITING:
                block, found = waiting.popleft()
                yield block, found.result()
        for block, found in waiting:
            yield block, found.result()


def _layout(reader: RowReader):
    """What the scanner must know of the header, and of the names of classes so far."""
    from geolive.sources.paper import scan as paper_scan

    roles = np.full(len(reader.header), paper_scan.IGNORED, np.uint8)
    roles[list(reader.about_cluster)] = paper_scan.CLUSTER
    of_column = {"key": paper_scan.KEY, "ilon": paper_scan.LON, "ilat": paper_scan.LAT, "img_path": paper_scan.IMG_PATH}
    for name, role in of_column.items():
        if name in reader.header:
            roles[reader.header.index(name)] = role
    names = [b""] * 256
    for index, name in reader.class_names.items():
        names[index] = json.dumps(name).replace('"', '""').encode()
    return paper_scan.Layout.of(roles, reader.header.index(LISTS[0]), names)


def _read_scanned(reader: RowReader, block: bytes, found, number: int) -> Rows:
    from geolive.sources.paper.scan import BY_THE_BOOK, USUAL

    usual = np.flatnonzero(found.kind == USUAL)
    cluster, reasons = _clusters(reader, block, found, usual)
    rejects = [(number + int(usual[i]), reasons[cluster[i]]) for i in np.flatnonzero(cluster < 0)]
    usual, cluster = usual[cluster >= 0], cluster[cluster >= 0]
    table = pa.table(
        [
            pa.array(usual + number),
            _texts(block, found.key[usual]),
            *(pa.array(axis) for axis in found.position[usual].T.copy()),
            pa.array(cluster.astype(np.int32)),
            _texts(block, found.img_path[usual]),
        ],
        schema=_SCHEMA,
    )
    objects = found.objects if len(usual) == len(found.kind) else found.objects[usual]
    others = np.flatnonzero(found.kind == BY_THE_BOOK)
    if not len(others) and not rejects:
        return Rows(table, objects, rejects)
    spans = zip(others.tolist(), found.start[others].tolist(), found.end[others].tolist(), strict=True)
    book = _read_lines(reader, ((number + i, block[start:end]) for i, start, end in spans))
    table = pa.concat_tables([table, book.table])
    order = np.argsort(table["line"].to_numpy())
    return Rows(table.take(order), np.concatenate([objects, book.objects])[order], sorted(rejects + book.rejects))


def _clusters(reader: RowReader, block: bytes, found, usual: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Number of the cluster of each usual line; a negative one stands for the reason why it is none."""
    new = ~found.as_before[usual]
    numbers, reasons = [], {}
    for i in usual[new].tolist():
        first, last = found.lists[i]
        head, tail = block[found.start[i] : first].decode(), block[last : found.end[i]].decode()
        fields = [*head.split(",")[:-1], *LISTS, *tail.split(",")[1:]]
        try:
            numbers.append(reader.cluster_number(fields))
        except BadRow as reason:
            numbers.append(-1 - len(reasons))
            reasons[numbers[-1]] = str(reason)
    return np.array(numbers, np.int64)[np.cumsum(new) - 1], reasons


def _texts(block: bytes, spans: np.ndarray) -> pa.Array:
    from geolive.sources.paper.scan import gather

    data, offsets = gather(block, spans)
    return pa.Array.from_buffers(pa.large_string(), len(spans), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
