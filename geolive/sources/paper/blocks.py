"""A block of lines of the paper's data.csv becomes a block of rows.

Arrow reads a block whole where every line is written in the usual way; this is several times as fast as line by line. Any other
block is read line by line by `RowReader`, which says why a line cannot be used. Both ways give the same rows.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from geolive.sources.paper.rows import LISTS, BadRow, RowReader
from geolive.tables import N_CLASSES, VOID, bad_positions, not_located

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
# JSON has more forms of a number, and CSV more forms of a degree; a block with one of those is read line by line
_NUMBER = r"[0-9](?:\.[0-9]+)?(?:e-[0-9]{1,3})?"
_NUMBERS = rf"^\[(?:{_NUMBER}(?:, {_NUMBER})*)?\]$"
_DEGREES = r"^-?[0-9]{1,3}(?:\.[0-9]{1,20})?$"


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


def read_blocks(reader: RowReader, blocks: Iterable[bytes], number: int) -> Iterator[Rows]:
    """Read blocks of whole lines, in their order.

    Parameters
    ----------
    reader : RowReader
    blocks : iterable of bytes
    number : int
        Number of the first line of the first block.

    Yields
    ------
    Rows

    Examples
    --------
    >>> header = "key,unique_cluster,ilon,ilat,features,features_name,confidence,pov,pov_label,pop,pop_label,bmi,bmi_label"
    >>> [rows.rejects for rows in read_blocks(RowReader(header.split(",")), [b"nonsense\\n"], 2)]
    [[(2, 'line: wrong number of fields')]]
    """
    for block in blocks:
        yield read_usual_block(reader, block, number) or read_line_by_line(reader, block, number)
        number += block.count(b"\n")


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

    Usual lines quote only fields with a comma or a quote, write the lists as `json.dumps` does, give classes the names that
    they had before, and write positions and confidences as plain decimals.

    Parameters
    ----------
    reader : RowReader
    block : bytes
    number : int
        Number of the first line of the block.
    """
    import pyarrow.compute as pc

    fields = _usual_fields(reader, block)
    if fields is None:
        return None
    key, *degrees = (fields[name] for name in ("key", "ilon", "ilat"))
    if pc.any(pc.equal(key, "")).as_py():
        return None
    if not all(_all_match(column, _DEGREES) for column in degrees):
        return None
    lon, lat = (pc.cast(column, pa.float64()).to_numpy() for column in degrees)
    if bad_positions(lon, lat).any() or not_located(lon, lat).any():
        return None
    objects = _usual_objects(reader, *(fields[name] for name in LISTS))
    if objects is None:
        return None
    cluster, reasons = _clusters(reader, fields)
    img_path = fields["img_path"] if "img_path" in fields else pa.array([""] * len(key))
    lines = number + np.arange(len(key))
    good = cluster >= 0
    table = pa.table([lines, key, lon, lat, cluster, img_path], names=_SCHEMA.names).cast(_SCHEMA)
    rejects = [(int(lines[i]), reasons[int(cluster[i])]) for i in np.flatnonzero(~good)]
    return Rows(table if good.all() else table.filter(pa.array(good)), objects[good], rejects)


def _usual_fields(reader: RowReader, block: bytes) -> dict[str, Any] | None:
    """Return the columns of a block as texts by name, if a CSV writer would write the same bytes again; else None.

    So no quote is where Python's strict reader and Arrow's reader could differ.
    """
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    block = block.removesuffix(b"\n")
    numbers = [str(i) for i in range(len(reader.header))]  # the header may have a name twice
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block),
            arrow_csv.ReadOptions(column_names=numbers, block_size=len(block) + 1, use_threads=False),
            arrow_csv.ParseOptions(ignore_empty_lines=False),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(numbers, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    columns = [column.combine_chunks() for column in table.columns]
    longest = max(pc.max(pc.binary_length(column)).as_py() for column in columns)
    if longest > csv.field_size_limit() or block.count(b"\n") != len(table) - 1:
        return None
    lists = [reader.header.index(name) for name in LISTS]
    for quoting in (_quote, _quote_needed):
        written = [quoting(column) if i in lists else column for i, column in enumerate(columns)]
        lines = pc.binary_join_element_wise(*written, ",")
        if pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")[0].as_buffer() == block:
            return {name: columns[i] for i, name in reversed([*enumerate(reader.header)])}
    return None


def _quote(texts: Any) -> Any:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")


def _quote_needed(texts: Any) -> Any:
    import pyarrow.compute as pc

    needs_quotes = pc.or_(pc.match_substring(texts, ","), pc.match_substring(texts, '"'))
    return pc.if_else(needs_quotes, _quote(texts), texts)


def _usual_objects(reader: RowReader, indexes: Any, names: Any, confidences: Any) -> np.ndarray | None:
    """Return the object counts, shape (rows, 66), of the three lists as texts; None if one of the lists is not usual."""
    import pyarrow.compute as pc

    inner = pc.utf8_slice_codeunits(indexes, 1, -1)
    items = pc.split_pattern(inner, ", ")
    # an empty list has one item, the empty text
    empty = pc.equal(indexes, "[]")
    known = sorted(reader.class_names)
    place = pc.index_in(items.flatten(), pa.array(["", *map(str, known)]))
    if place.null_count:
        return None
    place, row = place.to_numpy(), pc.list_parent_indices(items).to_numpy()
    name_of = pa.array(["", *(json.dumps(reader.class_names[index]) for index in known)])
    expected = pc.binary_join(pa.ListArray.from_arrays(items.offsets, name_of.take(pa.array(place))), ", ")
    same_length = pc.and_(
        pc.equal(pc.count_substring(indexes, ","), pc.count_substring(confidences, ",")),
        pc.equal(empty, pc.equal(confidences, "[]")),
    )
    usual = (
        (place == 0).sum() == pc.sum(empty).as_py()
        and pc.all(pc.equal(indexes, _in_brackets(inner))).as_py()
        and pc.all(pc.equal(names, _in_brackets(expected))).as_py()
        and pc.all(same_length).as_py()
        and _all_match(confidences, _NUMBERS)
    )
    if not usual:
        return None
    column = np.minimum([0, *known], VOID)[place]
    counts = np.bincount((row * N_CLASSES + column)[place > 0], minlength=len(indexes) * N_CLASSES)
    return counts.astype(np.uint16).reshape(-1, N_CLASSES)


def _in_brackets(texts: Any) -> Any:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise("[", texts, "]", "")


def _all_match(texts: Any, pattern: str) -> bool:
    import pyarrow.compute as pc

    return pc.all(pc.match_substring_regex(texts, pattern)).as_py()


def _clusters(reader: RowReader, fields: dict[str, Any]) -> tuple[np.ndarray, dict[int, str]]:
    """Number of each row's cluster; a negative number is the reason why the row cannot be used."""
    import pyarrow.compute as pc

    names = reader.cluster_columns
    # no field of a line holds a line break
    texts = pc.binary_join_element_wise(*(fields[name] for name in names), "\n").dictionary_encode()
    numbers: list[int] = []
    reasons: dict[int, str] = {}
    for text in texts.dictionary.to_pylist():
        try:
            numbers.append(reader.cluster_number(tuple(text.split("\n"))))
        except BadRow as reason:
            numbers.append(-1 - len(reasons))
            reasons[numbers[-1]] = str(reason)
    return np.array(numbers, np.int64)[texts.indices.to_numpy()], reasons
