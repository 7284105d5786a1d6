"""A block of lines of the paper's data.csv becomes a block of rows.

A block is parsed whole where every line is written in the usual way; this is many times as fast as line by line, and blocks are
parsed at the same time, on all processors. Any other block is read line by line by `RowReader`, which says why a line cannot be
used. Both ways give the same rows.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from geolive.processors import available_processors
from geolive.sources.paper.lines import LineBlock
from geolive.sources.paper.rows import BadRow, RowReader
from geolive.sources.paper.usual_blocks import UsualBlock, parse_usual_block
from geolive.tables import N_CLASSES, VOID

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


# each holds a block in memory
_MOST_THREADS = 8
# a block of at most so many bytes is read line by line where one line is not usual
_PIECE = 1 << 15


class Rows(NamedTuple):
    """The usable rows of a block, in its order, and the others.

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


def read_blocks(reader: RowReader, blocks: Iterable[LineBlock], number: int) -> Iterator[Rows]:
    """Read blocks of whole lines, in their order.

    Parameters
    ----------
    reader : RowReader
    blocks : iterable of callable
        See `geolive.sources.paper.lines.find_line_blocks`. Threads read and parse them.
    number : int
        Number of the first line of the first block.

    Yields
    ------
    Rows

    Examples
    --------
    >>> header = "key,unique_cluster,ilon,ilat,features,features_name,confidence,pov,pov_label,pop,pop_label,bmi,bmi_label"
    >>> [rows.rejects for rows in read_blocks(RowReader(header.split(",")), [lambda: b"nonsense\\n"], 2)]
    [[(2, 'line: wrong number of fields')]]
    """
    for read, parsed in _parsed_ahead(reader, blocks):
        if parsed is not None:
            yield _usual_rows(reader, parsed, number)
            number += len(parsed.objects)
            continue
        block = read()
        yield from _read_in_halves(reader, block, number)
        number += block.count(b"\n")


def _read_in_halves(reader: RowReader, block: bytes, number: int) -> Iterator[Rows]:
    """Read a block, or each half of it, so that only a few lines around one that is not usual are read one by one.

    Lines of the first half may name classes of the second one.
    """
    rows = read_usual_block(reader, block, number)
    if rows is None and len(block) <= _PIECE:
        rows = read_line_by_line(reader, block, number)
    if rows is not None:
        yield rows
        return
    middle = block.find(b"\n", len(block) // 2) + 1 or len(block)
    if middle == len(block):
        middle = block.rfind(b"\n", 0, middle - 1) + 1
    if middle == 0:
        yield read_line_by_line(reader, block, number)
        return
    yield from _read_in_halves(reader, block[:middle], number)
    yield from _read_in_halves(reader, block[middle:], number + block.count(b"\n", 0, middle))


def _parsed_ahead(reader: RowReader, blocks: Iterable[LineBlock]) -> Iterator[tuple[LineBlock, UsualBlock | None]]:
    """Read and parse blocks ahead, in threads; each with the names of classes that are known then."""
    threads = min(available_processors(), _MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[LineBlock, Future]] = deque()
        try:
            for block in blocks:
                names = dict(reader.class_names)
                waiting.append((block, pool.submit(_parse, reader.header, reader.cluster_columns, names, block)))
                if len(waiting) > threads:
                    before, parsed = waiting.popleft()
                    yield before, parsed.result()
            while waiting:
                before, parsed = waiting.popleft()
                yield before, parsed.result()
        finally:
            for _, parsed in waiting:
                parsed.cancel()


def _parse(
    header: Sequence[str], cluster_columns: Sequence[str], class_names: Mapping[int, str], read: LineBlock
) -> UsualBlock | None:
    return parse_usual_block(header, cluster_columns, class_names, read())


def read_line_by_line(reader: RowReader, block: bytes, number: int) -> Rows:
    """Read a block of whole lines line by line; an empty line is no row.

    Parameters
    ----------
    reader : RowReader
    block : bytes
    number : int
        Number of the first line of the block.
    """
    rows, objects, rejects = [], [], []
    for i, line in enumerate(block.split(b"\n"), number):
        line = line.removesuffix(b"\r")
        if not line:
            continue
        try:
            key, lon, lat, cluster, classes, img_path = reader.read(line, i)
        except BadRow as reason:
            rejects.append((i, str(reason)))
            continue
        rows.append((i, key, lon, lat, cluster, img_path))
        columns = np.minimum(np.frombuffer(classes, np.uint8), VOID)
        objects.append(np.bincount(columns, minlength=N_CLASSES).astype(np.uint16))
    columns_of_table = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    table = pa.table(
        [pa.array(column, kind) for column, kind in zip(columns_of_table, _SCHEMA.types, strict=True)], schema=_SCHEMA
    )
    return Rows(table, np.array(objects, np.uint16).reshape(-1, N_CLASSES), rejects)


def read_usual_block(reader: RowReader, block: bytes, number: int) -> Rows | None:
    """Read a block in which every line is written in the usual way, all at once; return None for any other block.

    `geolive.sources.paper.usual_blocks` says what is usual.

    Parameters
    ----------
    reader : RowReader
    block : bytes
    number : int
        Number of the first line of the block.
    """
    parsed = parse_usual_block(reader.header, reader.cluster_columns, reader.class_names, block)
    return None if parsed is None else _usual_rows(reader, parsed, number)


def _usual_rows(reader: RowReader, parsed: UsualBlock, number: int) -> Rows:
    """Number the rows of a block and their clusters."""
    cluster, reasons = _clusters(reader, parsed)
    lines = number + np.arange(len(cluster))
    good = cluster >= 0
    columns = [lines, parsed.key, parsed.lon, parsed.lat, cluster, parsed.img_path]
    table = pa.table(columns, names=_SCHEMA.names).cast(_SCHEMA)
    if good.all():
        return Rows(table, parsed.objects, [])
    rejects = [(int(lines[i]), reasons[int(cluster[i])]) for i in np.flatnonzero(~good)]
    return Rows(table.filter(pa.array(good)), parsed.objects[good], rejects)


def _clusters(reader: RowReader, parsed: UsualBlock) -> tuple[np.ndarray, dict[int, str]]:
    """Number of each row's cluster; a negative number is the reason why the row cannot be used."""
    numbers: list[int] = []
    reasons: dict[int, str] = {}
    for texts in parsed.clusters:
        try:
            numbers.append(reader.cluster_number(texts))
        except BadRow as reason:
            numbers.append(-1 - len(reasons))
            reasons[numbers[-1]] = str(reason)
    return np.array(numbers, np.int64)[parsed.cluster], reasons
