"""A block of lines of the paper's data.csv in which every line is written in the usual way, parsed all at once.

Usual lines hold three lists as `json.dumps` writes them, one in each of their columns, in quotes where there is a comma or a
quote in them; give classes the names that they had before; write positions and confidences as plain decimals; and quote other
fields only where they hold a comma or a quote. The lists are most of a line. They are cut out, and Arrow reads the rest.
"""

import csv
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from geolive.sources.paper.byte_sets import count_digits
from geolive.sources.paper.lines import LONGEST_LINE
from geolive.sources.paper.list_texts import (
    NameTexts,
    Texts,
    class_indexes,
    confidence_offsets,
    cut_items,
    cut_texts,
    runs_of,
    texts_of,
)
from geolive.sources.paper.rows import LISTS
from geolive.tables import N_CLASSES, VOID, bad_positions, not_located

# CSV has more forms of a degree; a block with one of those is read line by line
_DEGREES = r"^-?[0-9]{1,3}(?:\.[0-9]{1,20})?$"
_NEWLINE, _QUOTE, _OPEN, _CLOSE, _DOT, _MINUS = (ord(sign) for sign in '\n"[].-')
# arrays of a few hundred kB stay in the cache; calls for lists of fewer lines would take longer than their work
_BYTES_AT_ONCE, _LINES_AT_ONCE = 1 << 17, 2048
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class UsualBlock(NamedTuple):
    """The rows of a block; what they say about their clusters is not looked at yet.

    Parameters
    ----------
    key, img_path : arrow Array
        Texts; `img_path` is empty where there is none.
    lon, lat : array of float, shape (rows,)
        Degrees.
    clusters : list of tuple of str
        All different texts about clusters, in the order of their first rows.
    cluster : array of int, shape (rows,)
        Row of `clusters`.
    objects : array of uint16, shape (rows, 66)
        Object counts.
    """

    key: Any
    img_path: Any
    lon: np.ndarray
    lat: np.ndarray
    clusters: list[tuple[str, ...]]
    cluster: np.ndarray
    objects: np.ndarray


class _Lists(NamedTuple):
    """Where the lists of a block are: arrays of shape (lines, 3), in the order of the columns.

    Parameters
    ----------
    start, stop : array of int
        The opening bracket, and the position after the closing one.
    quoted : array of bool
        Whether quotes stand around the brackets.
    """

    start: np.ndarray
    stop: np.ndarray
    quoted: np.ndarray


def parse_usual_block(
    header: Sequence[str], cluster_columns: Sequence[str], class_names: Mapping[int, str], block: bytes
) -> UsualBlock | None:
    """Parse a block of whole lines; return None where a line is not usual, or a class has no name yet.

    Parameters
    ----------
    header, cluster_columns : sequence of str
        The columns, and those that describe the cluster.
    class_names : mapping of int to str
        The names that classes have.
    block : bytes

    Examples
    --------
    >>> header = "key,unique_cluster,ilon,ilat,features,features_name,confidence,pov".split(",")
    >>> line = b'a,ia_50001,85.1,25.6,"[2, 2]","[""Wall"", ""Wall""]","[0.9, 0.8]",-0.5\\n'
    >>> parsed = parse_usual_block(header, ["unique_cluster", "pov"], {2: "Wall"}, line)
    >>> parsed.key.to_pylist(), parsed.lon.tolist(), parsed.clusters, int(parsed.objects[0, 2])
    (['a'], [85.1], [('ia_50001', '-0.5')], 2)
    >>> parse_usual_block(header, ["pov"], {}, line) is None
    True
    """
    import pyarrow.compute as pc

    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if not block.endswith(b"\n"):
        block += b"\n"
    lists = None if block.startswith(_BYTE_ORDER_MARK) else _find_lists(block)
    fields = None if lists is None else _other_fields(header, block, lists)
    if lists is None or fields is None:
        return None
    key, *degrees = (fields[name] for name in ("key", "ilon", "ilat"))
    if pc.any(pc.equal(key, "")).as_py():
        return None
    if not all(_are_degrees(column) for column in degrees):
        return None
    lon, lat = (pc.cast(column, pa.float64()).to_numpy() for column in degrees)
    if bad_positions(lon, lat).any() or not_located(lon, lat).any():
        return None
    objects = _objects(header, class_names, block, lists)
    if objects is None:
        return None
    # no field of a line holds a line break
    of_cluster = pc.binary_join_element_wise(*(fields[name] for name in cluster_columns), "\n").dictionary_encode()
    clusters = [tuple(text.split("\n")) for text in of_cluster.dictionary.to_pylist()]
    img_path = fields["img_path"] if "img_path" in fields else pa.array([""] * len(key))
    return UsualBlock(key, img_path, lon, lat, clusters, of_cluster.indices.to_numpy(), objects)


def _find_lists(block: bytes) -> _Lists | None:
    """Find the lists, if brackets come in pairs, and the pairs in threes; `_other_fields` finds whether these are fields."""
    content = np.frombuffer(block, np.uint8)
    bracket = _brackets(content)
    n = len(LISTS)
    if not len(bracket) or len(bracket) % (2 * n):
        return None
    start, stop = bracket[::2], bracket[1::2]
    if (content[start] != _OPEN).any() or (content[stop] != _CLOSE).any():
        return None
    start, stop = start.reshape(-1, n), stop.reshape(-1, n) + 1
    if (stop - start).max() > csv.field_size_limit():
        return None
    # a line ends before the next line's first list
    ends = np.concatenate([[0], start[:, 0], [len(block)]])
    if (ends[2:] - ends[:-2]).max() > LONGEST_LINE:
        return None
    # the last byte of a block is a line break
    quoted = (start > 0) & (content[start - 1] == _QUOTE)
    if (quoted & (content[stop] != _QUOTE)).any():
        return None
    # at least a comma or the end of a line stands between two lists
    if ((stop + quoted).ravel()[:-1] >= (start - quoted).ravel()[1:]).any():
        return None
    return _Lists(start, stop, quoted)


def _brackets(content: np.ndarray) -> np.ndarray:
    """Return where opening and closing square brackets are."""
    bits, found = np.empty((2, min(len(content), _BYTES_AT_ONCE)), np.uint8)
    parts = []
    for i in range(0, len(content), _BYTES_AT_ONCE):
        piece = content[i : i + _BYTES_AT_ONCE]
        # with these two bits set, both brackets are the same byte, as are only Y and _
        np.bitwise_or(piece, _OPEN ^ _CLOSE, out=bits[: len(piece)])
        same = np.equal(bits[: len(piece)], _OPEN | _CLOSE, out=found[: len(piece)].view(bool))
        parts.append(np.flatnonzero(same) + i)
    positions = np.concatenate(parts)
    sign = content[positions]
    return positions[(sign == _OPEN) | (sign == _CLOSE)]


def _are_degrees(texts: Any) -> bool:
    """Whether texts are plain decimals, as numbers of degrees are."""
    import pyarrow.compute as pc

    content, offsets = texts_of(texts)
    begin, end = offsets[:-1], offsets[1:]
    dot = np.flatnonzero(content == _DOT)
    if len(dot) == len(texts) and (begin < dot).all() and (dot < end - 1).all():
        # each has a point, with digits before and after it, and perhaps a minus before these
        minus = content[begin] == _MINUS
        before, behind = dot - begin - minus, end - dot - 1
        if before.min() > 0 and before.max() <= 3 and behind.max() <= 20:
            return count_digits(content) + len(dot) + int(np.count_nonzero(minus)) == len(content)
    return pc.all(pc.match_substring_regex(texts, _DEGREES)).as_py()


def _other_fields(header: Sequence[str], block: bytes, lists: _Lists) -> dict[str, Any] | None:
    """Return the columns beside the lists as texts by name, if the lists stand in their columns; else None."""
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    rest = _without_lists(block, lists)
    content = np.frombuffer(rest, np.uint8)
    # without the last line break
    ends = np.flatnonzero(content == _NEWLINE)
    if len(ends) != len(lists.start) - 1 or np.diff(ends, prepend=-1, append=len(rest)).max() > csv.field_size_limit():
        return None
    numbers = [str(i) for i in range(len(header))]  # the header may have a name twice
    # texts of which only some bytes are ASCII must be proved to be UTF-8
    kind = pa.binary() if content.max(initial=0) < 128 else pa.string()
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(rest),
            arrow_csv.ReadOptions(column_names=numbers, block_size=len(rest) + 1, use_threads=False),
            arrow_csv.ParseOptions(ignore_empty_lines=False),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(numbers, kind), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    columns = [column.combine_chunks().view(pa.string()) for column in table.columns]
    if len(table) != len(lists.start):
        return None
    if not all(pc.all(pc.equal(columns[header.index(name)], "[")).as_py() for name in LISTS):
        return None
    if b'"' in rest and not _written_alike(columns, rest):
        return None
    return {name: columns[i] for i, name in reversed([*enumerate(header)])}


def _without_lists(block: bytes, lists: _Lists) -> bytes:
    """Return a block with an opening bracket in place of each list."""
    before, after = lists.start - lists.quoted, lists.stop + lists.quoted
    # what is kept: from a list's end to the next list, and each opening bracket
    start = np.stack([np.concatenate([[0], after.ravel()[:-1]]), lists.start.ravel()], axis=1).ravel()
    stop = np.stack([before.ravel(), lists.start.ravel() + 1], axis=1).ravel()
    start, stop = np.append(start, after[-1, -1]), np.append(stop, len(block) - 1)
    return cut_texts(pa.py_buffer(block), start, stop).content.tobytes()


def _written_alike(columns: list[Any], text: bytes) -> bool:
    """Whether a CSV writer would write the same bytes again, so that Python's strict reader and Arrow's agree on quotes."""
    import pyarrow.compute as pc

    lines = pc.binary_join_element_wise(*map(_quote_needed, columns), ",")
    return pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")[0].as_buffer() == text


def _quote_needed(texts: Any) -> Any:
    import pyarrow.compute as pc

    needs_quotes = pc.or_(pc.match_substring(texts, ","), pc.match_substring(texts, '"'))
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    return pc.if_else(needs_quotes, quoted, texts)


def _objects(header: Sequence[str], class_names: Mapping[int, str], block: bytes, lists: _Lists) -> np.ndarray | None:
    """Return the object counts, shape (lines, 66); None if one of the lists is not usual."""
    order = np.argsort(np.argsort([header.index(name) for name in LISTS]))
    start, stop, quoted = (array[:, order] for array in lists)
    filled = stop - start > 2
    if (filled != filled[:, :1]).any():
        return None
    names, whole = _name_texts(tuple(class_names.items())), pa.py_buffer(block)
    counts = np.zeros((len(start), N_CLASSES), np.uint16)
    rows = np.flatnonzero(filled[:, 0])
    for i in range(0, len(rows), _LINES_AT_ONCE):
        some = rows[i : i + _LINES_AT_ONCE]
        found = _count(names, whole, _Lists(start[some], stop[some], quoted[some]))
        if found is None:
            return None
        counts[some] = found
    return counts


def _count(names: NameTexts, block: pa.Buffer, lists: _Lists) -> np.ndarray | None:
    """Count the objects of some lines, whose lists are in the order of `LISTS` and not empty."""
    indexes, confidences = (cut_items(block, lists.start[:, i], lists.stop[:, i]) for i in (0, 2))
    offsets = confidence_offsets(confidences)
    number = None if offsets is None else class_indexes(indexes, offsets)
    if offsets is None or number is None:
        return None
    # a list needs quotes for a comma, and names for their own quotes
    several = np.diff(offsets) > 1
    if not (lists.quoted[:, 1].all() and lists.quoted[several].all()):
        return None
    runs = runs_of(number, offsets)
    if not names.know(runs.item) or not _equal(
        names.of(runs), cut_texts(block, lists.start[:, 1] + 1, lists.stop[:, 1])
    ):
        return None
    n = len(offsets) - 1
    cell = np.repeat(np.arange(0, n * N_CLASSES, N_CLASSES), np.diff(runs.offsets)) + np.minimum(runs.item, VOID)
    return np.bincount(cell, runs.length, n * N_CLASSES).reshape(-1, N_CLASSES)


@lru_cache(maxsize=4)
def _name_texts(names: tuple[tuple[int, str], ...]) -> NameTexts:
    return NameTexts(dict(names))


def _equal(one: Texts, other: Texts) -> bool:
    if not np.array_equal(one.offsets, other.offsets):
        return False
    return pa.py_buffer(one.content).equals(pa.py_buffer(other.content))
