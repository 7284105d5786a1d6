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

from geolive.sources.paper.lines import LONGEST_LINE
from geolive.sources.paper.list_texts import NameTexts, Texts, class_indexes, confidence_items, cut_texts
from geolive.sources.paper.rows import LISTS
from geolive.tables import N_CLASSES, VOID, bad_positions, not_located

# CSV has more forms of a degree; a block with one of those is read line by line
_DEGREES = r"^-?[0-9]{1,3}(?:\.[0-9]{1,20})?$"
_NEWLINE, _COMMA, _QUOTE, _OPEN, _CLOSE = (ord(sign) for sign in '\n,"[]')
# arrays of a few hundred kB stay in the cache, and memory is not asked of the system for each anew
_BYTES_AT_ONCE, _LINES_AT_ONCE = 1 << 18, 512
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class UsualBlock(NamedTuple):
    """The rows of a block; what they say about their clusters is not looked at yet.

    Parameters
    ----------
    fields : dict of str to arrow Array
        The columns as texts, without the lists.
    lon, lat : array of float, shape (rows,)
        Degrees.
    objects : array of uint16, shape (rows, 66)
        Object counts.
    """

    fields: dict[str, Any]
    lon: np.ndarray
    lat: np.ndarray
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


def parse_usual_block(header: Sequence[str], class_names: Mapping[int, str], block: bytes) -> UsualBlock | None:
    """Parse a block of whole lines; return None where a line is not usual, or a class has no name yet.

    Parameters
    ----------
    header : sequence of str
    class_names : mapping of int to str
        The names that classes have.
    block : bytes

    Examples
    --------
    >>> header = "key,unique_cluster,ilon,ilat,features,features_name,confidence,pov".split(",")
    >>> line = b'a,ia_50001,85.1,25.6,"[2, 2]","[""Wall"", ""Wall""]","[0.9, 0.8]",-0.5\\n'
    >>> parsed = parse_usual_block(header, {2: "Wall"}, line)
    >>> parsed.fields["key"].to_pylist(), parsed.lon.tolist(), int(parsed.objects[0, 2])
    (['a'], [85.1], 2)
    >>> parse_usual_block(header, {}, line) is None
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
    if not all(pc.all(pc.match_substring_regex(column, _DEGREES)).as_py() for column in degrees):
        return None
    lon, lat = (pc.cast(column, pa.float64()).to_numpy() for column in degrees)
    if bad_positions(lon, lat).any() or not_located(lon, lat).any():
        return None
    objects = _objects(header, class_names, block, lists)
    return None if objects is None else UsualBlock(fields, lon, lat, objects)


def _find_lists(block: bytes) -> _Lists | None:
    """Find the lists, if each line has three pairs of brackets, each of which is a whole field."""
    content = np.frombuffer(block, np.uint8)
    ends, start, stop = (_positions(content, sign) for sign in (_NEWLINE, _OPEN, _CLOSE))
    if not len(start) == len(stop) == len(LISTS) * len(ends):
        return None
    begins = np.concatenate([[-1], ends[:-1]])
    if (np.diff(ends, prepend=-1) > LONGEST_LINE).any():
        return None
    start, stop = start.reshape(-1, len(LISTS)), stop.reshape(-1, len(LISTS)) + 1
    # between the brackets of two lists are a comma and perhaps quotes
    if (start[:, 0] < begins).any() or (stop[:, -1] > ends).any() or (stop[:, :-1] >= start[:, 1:]).any():
        return None
    if (start >= stop).any() or (stop - start).max() > csv.field_size_limit():
        return None
    # what stands before the first byte of a block is as the end of a line
    quoted = (start > 0) & (content[start - 1] == _QUOTE)
    before, after = start - quoted - 1, stop + quoted
    if (before < -1).any() or (after >= len(content)).any():
        return None
    if not ((before == -1) | np.isin(content[before], (_COMMA, _NEWLINE))).all():
        return None
    if not (np.where(quoted, content[stop] == _QUOTE, True) & np.isin(content[after], (_COMMA, _NEWLINE))).all():
        return None
    return _Lists(start, stop, quoted)


def _positions(content: np.ndarray, sign: int) -> np.ndarray:
    """Return where a byte is."""
    parts = range(0, len(content), _BYTES_AT_ONCE)
    return np.concatenate([np.flatnonzero(content[i : i + _BYTES_AT_ONCE] == sign) + i for i in parts])


def _other_fields(header: Sequence[str], block: bytes, lists: _Lists) -> dict[str, Any] | None:
    """Return the columns beside the lists as texts by name, if the lists stand in their columns; else None."""
    import pyarrow.compute as pc
    from pyarrow import csv as arrow_csv

    rest = _without_lists(block, lists)
    numbers = [str(i) for i in range(len(header))]  # the header may have a name twice
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(rest),
            arrow_csv.ReadOptions(column_names=numbers, block_size=len(rest) + 1, use_threads=False),
            arrow_csv.ParseOptions(ignore_empty_lines=False),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(numbers, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    columns = [column.combine_chunks() for column in table.columns]
    if len(table) != len(lists.start):
        return None
    if not all(pc.all(pc.equal(columns[header.index(name)], "[")).as_py() for name in LISTS):
        return None
    if max(pc.max(pc.binary_length(column)).as_py() for column in columns) > csv.field_size_limit():
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
    texts, whole = _name_texts(tuple(class_names.items())), pa.py_buffer(block)
    counts = np.empty((len(lists.start), N_CLASSES), np.uint16)
    for i in range(0, len(counts), _LINES_AT_ONCE):
        some = _Lists(*(array[i : i + _LINES_AT_ONCE, order] for array in lists))
        found = _count(texts, whole, some)
        if found is None:
            return None
        counts[i : i + _LINES_AT_ONCE] = found
    return counts


def _count(texts: NameTexts, block: pa.Buffer, lists: _Lists) -> np.ndarray | None:
    """Count the objects of some lines, whose lists are in the order of `LISTS`."""
    indexes, names, confidences = (cut_texts(block, lists.start[:, i] + 1, lists.stop[:, i] - 1) for i in range(3))
    parsed, found = class_indexes(indexes), confidence_items(confidences)
    if parsed is None or found is None or not np.array_equal(parsed[1].offsets, found.offsets):
        return None
    number, items = parsed
    n_items = np.diff(items.offsets)
    # a list needs quotes for a comma, and names for their own quotes
    if (~lists.quoted & np.stack([n_items > 1, n_items > 0, n_items > 1], axis=1)).any():
        return None
    if not texts.know(number) or not _equal(texts.of(number, items.offsets), names):
        return None
    cell = np.repeat(np.arange(len(n_items)) * N_CLASSES, n_items) + np.minimum(number, VOID)
    return np.bincount(cell, minlength=len(n_items) * N_CLASSES).reshape(-1, N_CLASSES)


@lru_cache(maxsize=4)
def _name_texts(names: tuple[tuple[int, str], ...]) -> NameTexts:
    return NameTexts(dict(names))


def _equal(one: Texts, other: Texts) -> bool:
    return np.array_equal(one.offsets, other.offsets) and np.array_equal(one.content, other.content)
