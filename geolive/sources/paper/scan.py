"""The usual lines of the paper's data.csv, read byte by byte in compiled code.

Usual is a line in which nothing but the three lists is quoted, these follow one another and are written as `json.dumps` writes
them, classes have the names they had before, and positions and confidences are plain decimals. Of such a line all is checked
here but what it says of its cluster, and that only where it differs from the line before. Any other line is left to the book
(paper_rows.py), so a mistake here could only be to take too much for usual: tests compare the two.
"""

import csv
from typing import NamedTuple

import numba
import numpy as np
import pyarrow as pa

from geolive.tables import N_CLASSES

# what a field outside the lists is
IGNORED, KEY, LON, LAT, CLUSTER, IMG_PATH = range(6)
# what a line is
EMPTY, USUAL, BY_THE_BOOK = range(3)
LONGEST_NAME = 64
_WORD = 8
_MOST_DIGITS = 15  # so many digits divided by a power of ten give the nearest float

_QUOTE, _COMMA, _MINUS, _DOT, _SPACE, _OPEN, _CLOSE, _ZERO, _E, _TILDE = b'",-. []0e~'
_NEWLINE, _RETURN = b"\n\r"
_HIGH, _SIXES, _DIGITS = (np.uint64(int(byte * 8, 16)) for byte in ("f0", "06", "33"))


class Layout(NamedTuple):
    """How the lines of a file are laid out.

    Parameters
    ----------
    roles : array of uint8, shape (columns,)
        KEY, LON, … of each column.
    first_list : int
        The column of the first of the three lists.
    names : array of uint64, shape (256, 8)
        The name of each class index as it stands in a line, with its quotes, eight bytes to a number.
    sizes : array of int, shape (256,)
        Their lengths; -1 where no line with that index is usual.
    longest : int
        Longer lines are not usual: the book limits the length of a field.
    """

    roles: np.ndarray
    first_list: int
    names: np.ndarray
    sizes: np.ndarray
    longest: int

    @classmethod
    def of(cls, roles: np.ndarray, first_list: int, names: list[bytes]) -> "Layout":
        """A layout from 256 names as they stand in a line; an empty one is not known."""
        table, sizes = np.zeros((len(names), LONGEST_NAME), np.uint8), np.full(len(names), -1)
        for index, name in enumerate(names):
            if 0 < len(name) <= LONGEST_NAME:
                table[index, : len(name)], sizes[index] = np.frombuffer(name, np.uint8), len(name)
        return cls(roles, first_list, table.view(np.uint64), sizes, csv.field_size_limit())


class Scan(NamedTuple):
    """The lines of a block; where a line is not usual, only the first three hold something.

    Parameters
    ----------
    start, end : array of int, shape (lines,)
        Where each begins and ends in the block, without its line break.
    kind : array of int, shape (lines,)
        EMPTY, USUAL or BY_THE_BOOK.
    key, img_path : array of int, shape (lines, 2)
        Where these begin and end in the block.
    lists : array of int, shape (lines, 2)
        Where the three lists begin and end, quotes included.
    position : array of float, shape (lines, 2)
        Longitude, latitude of the image, degrees.
    as_before : array of bool, shape (lines,)
        Whether all that is said of the cluster stood so in the usual line before.
    objects : array of uint16, shape (lines, 66)
    """

    start: np.ndarray
    end: np.ndarray
    kind: np.ndarray
    key: np.ndarray
    img_path: np.ndarray
    lists: np.ndarray
    position: np.ndarray
    as_before: np.ndarray
    objects: np.ndarray


def scan(block: bytes, layout: Layout) -> Scan:
    """Scan a block of whole lines.

    Parameters
    ----------
    block : bytes
    layout : Layout

    Returns
    -------
    Scan

    Examples
    --------
    >>> roles = np.array([KEY, LON, LAT, IGNORED, IGNORED, IGNORED, CLUSTER], np.uint8)
    >>> names = [b""] * 256
    >>> names[2] = b'""Wall""'
    >>> block = b'a,85.1,25.6,"[2]","[""Wall""]","[0.5]",x\\nb,85.1,25.6,"[2]","[""Curb""]","[0.5]",x\\n'
    >>> found = scan(block, Layout.of(roles, 3, names))
    >>> found.kind.tolist(), found.position[0].tolist(), found.objects[0, :3].tolist()
    ([1, 2], [85.1, 25.6], [0, 0, 1])
    """
    content = np.frombuffer(block.ljust(_WORD), np.uint8)
    # at i the eight bytes from i on
    words = np.lib.stride_tricks.as_strided(content[:_WORD].view(np.uint64), (len(content) - 7,), (1,), writeable=False)
    breaks = np.flatnonzero(content == _NEWLINE)
    if not block.endswith(b"\n"):
        breaks = np.append(breaks, len(block))
    n = len(breaks)
    found = Scan(
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.uint8),
        np.zeros((n, 2), np.int64),
        np.zeros((n, 2), np.int64),
        np.zeros((n, 2), np.int64),
        np.zeros((n, 2)),
        np.zeros(n, np.bool_),
        np.zeros((n, N_CLASSES), np.uint16),
    )
    _scan_lines(content, words, breaks, *layout, found)
    return found


def gather(block: bytes, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of the spans, one after the other, and the offsets between them, as Arrow keeps texts.

    Examples
    --------
    >>> data, offsets = gather(b"abcdef", np.array([[0, 2], [3, 6]]))
    >>> data.tobytes(), offsets.tolist()
    (b'abdef', [0, 2, 5])
    """
    offsets = np.concatenate([[0], np.cumsum(spans[:, 1] - spans[:, 0])])
    data = np.empty(offsets[-1], np.uint8)
    _gather(np.frombuffer(block, np.uint8), spans, offsets, data)
    return data, offsets


def all_different(texts: pa.ChunkedArray) -> bool:
    """Whether no two of many texts are the same; faster than asking which are.

    Parameters
    ----------
    texts : arrow ChunkedArray of large_string

    Returns
    -------
    bool
        False also where two different ones have the same hash of 64 bits, which is next to never.

    Examples
    --------
    >>> all_different(pa.chunked_array([["a", "b"], ["c"]], pa.large_string()))
    True
    >>> all_different(pa.chunked_array([["a", "b"], ["a"]], pa.large_string()))
    False
    """
    hashes = [np.zeros(len(part), np.uint64) for part in texts.chunks]
    for part, found in zip(texts.chunks, hashes, strict=True):
        _, offsets, data = part.buffers()
        offsets = np.frombuffer(offsets, np.int64)[part.offset : part.offset + len(part) + 1]
        _hash(np.frombuffer(data or b"", np.uint8), offsets, found)
    ordered = np.sort(np.concatenate([np.zeros(0, np.uint64), *hashes]))
    return bool((ordered[1:] != ordered[:-1]).all())


def _compiled(function):
    # small functions become part of those that call them: a call with a dozen arrays takes longer than their work
    options = {"nogil": True, "forceinline": function.__name__ not in ("_scan_lines", "_gather", "_hash")}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # there is no place where compiled code can be kept: compile it in every run
        return numba.njit(**options)(function)


@_compiled
def _gather(block, spans, offsets, data):
    for i in range(len(spans)):
        data[offsets[i] : offsets[i + 1]] = block[spans[i, 0] : spans[i, 1]]


@_compiled
def _hash(data, offsets, found):
    """Fowler, Noll and Vo's hash (FNV-1a) of each text."""
    for i in range(len(found)):
        value = np.uint64(0xCBF29CE484222325)
        for k in range(offsets[i], offsets[i + 1]):
            value = (value ^ np.uint64(data[k])) * np.uint64(0x100000001B3)
        found[i] = value


@_compiled
def _decimal(line, at, end):
    """A plain decimal that fills the bytes from `at` to `end`: value, and whether it is one."""
    negative = at < end and line[at] == _MINUS
    at += negative
    number, digits, after_dot, scale = 0, 0, False, 1.0
    for i in range(at, end):
        digit = line[i] - _ZERO
        if 0 <= digit < 10:
            number = 10 * number + digit
            digits += 1
            if after_dot:
                scale *= 10.0
        elif line[i] == _DOT and not after_dot and digits > 0:
            after_dot = True
        else:
            return 0.0, False
        if digits > _MOST_DIGITS:
            return 0.0, False
    if digits == 0 or (after_dot and scale == 1.0):
        return 0.0, False
    return (-number / scale if negative else number / scale), True


@_compiled
def _next_item(line, at, end):
    """Where the next item of a list begins, if `at` is a comma; -1 if it is none."""
    if at >= end or line[at] != _COMMA:
        return -1
    return at + 2 if at + 1 < end and line[at + 1] == _SPACE else at + 1


@_compiled
def _after_digits(line, words, at, end):
    # eight at once: digits are the bytes 0x30 to 0x39, which 6 more leaves below 0x40
    while at + _WORD <= end:
        word = words[at]
        if ((word & _HIGH) | (((word + _SIXES) & _HIGH) >> np.uint64(4))) != _DIGITS:
            break
        at += _WORD
    while at < end and 0 <= line[at] - _ZERO < 10:
        at += 1
    return at


@_compiled
def _classes(line, words, at, end, classes):
    """Class indexes from `at` to a bracket: how many, which go to `classes`, and where the bracket is; -1 if not usual."""
    n = 0
    if at < end and line[at] == _CLOSE:
        return 0, at
    while True:
        first, value = at, 0
        while at < end and at < first + 4:
            digit = line[at] - _ZERO
            if digit < 0 or digit > 9:
                break
            value = 10 * value + digit
            at += 1
        # no 01, and no number that is none of 256
        if at == first or value > 255 or (line[first] == _ZERO and at > first + 1):
            return -1, at
        classes[n] = value
        n += 1
        if at < end and line[at] == _CLOSE:
            return n, at
        at = _next_item(line, at, end)
        if at < 0:
            return -1, at


@_compiled
def _begins_with(words, at, names, index, size):
    """Whether the first `size` bytes of a name, given in words of 8, stand at `at`."""
    for k in range(0, size, _WORD):
        different = words[at + k] ^ names[index, k >> 3]
        if size - k < _WORD:
            different &= (np.uint64(1) << np.uint64(8 * (size - k))) - np.uint64(1)
        if different != 0:
            return False
    return True


@_compiled
def _after_names(line, words, at, end, classes, n, names, sizes):
    """Where n names from `at` on end; -1 if they are not those of the classes."""
    for i in range(n):
        if i > 0:
            at = _next_item(line, at, end)
        size = sizes[classes[i]]
        # the last: a word of 8 would end behind the block, so it is left to the book
        if at < 0 or size < 0 or at + size > end or at + -(-size // _WORD) * _WORD > len(line):
            return -1
        if not _begins_with(words, at, names, classes[i], size):
            return -1
        at += size
    return at


@_compiled
def _after_numbers(line, words, at, end, n):
    """Where n numbers such as 0.8, 1 or 9.5e-07 from `at` on end; -1 if they are none."""
    for i in range(n):
        if i > 0:
            at = _next_item(line, at, end)
        # one digit before the point: no leading zero to look for
        if at < 0 or at >= end or not 0 <= line[at] - _ZERO < 10:
            return -1
        at += 1
        if at < end and line[at] == _DOT:
            first = at + 1
            at = _after_digits(line, words, first, end)
            if at == first:
                return -1
        if at + 1 < end and line[at] == _E and line[at + 1] == _MINUS:
            first = at + 2
            at = _after_digits(line, words, first, end)
            if at == first:
                return -1
    return at


@_compiled
def _lists(line, words, at, end, classes, names, sizes):
    """Read the three lists: how many objects, and where the lists end; -1 if they are not usual."""
    n = 0
    for i in range(3):
        if i > 0:
            if at >= end or line[at] != _COMMA:
                return -1, at
            at += 1
        quoted = at < end and line[at] == _QUOTE
        at += quoted
        if at >= end or line[at] != _OPEN:
            return -1, at
        at += 1
        if i == 0:
            n, at = _classes(line, words, at, end, classes)
        elif i == 1:
            at = _after_names(line, words, at, end, classes, n, names, sizes)
        else:
            at = _after_numbers(line, words, at, end, n)
        if n < 0 or at < 0 or at >= end or line[at] != _CLOSE:
            return -1, at
        at += 1
        if quoted:
            if at >= end or line[at] != _QUOTE:
                return -1, at
            at += 1
        elif n > 1 or (i == 1 and n > 0):  # a comma or a quote outside quotes
            return -1, at
    return n, at


@_compiled
def _scan_lines(block, words, breaks, roles, first_list, names, sizes, longest, found):
    n_columns = len(roles)
    classes = np.zeros(longest + 1, np.uint8)
    before = np.zeros((n_columns, 2), np.int64)  # where the fields were of the usual line before
    now = np.zeros((n_columns, 2), np.int64)
    known = False
    at = 0
    for row in range(len(breaks)):
        end = breaks[row]
        if end > at and block[end - 1] == _RETURN:
            end -= 1
        found.start[row], found.end[row] = at, end
        if end == at:
            found.kind[row] = EMPTY
        else:
            found.kind[row] = BY_THE_BOOK
            if end - at <= longest and _usual(
                block, words, at, end, roles, first_list, names, sizes, classes, now, row, found
            ):
                found.kind[row] = USUAL
                same = known
                for i in range(n_columns):
                    if same and roles[i] == CLUSTER:
                        size = now[i, 1] - now[i, 0]
                        same = size == before[i, 1] - before[i, 0]
                        k = 0
                        while same and k < size:
                            same = block[now[i, 0] + k] == block[before[i, 0] + k]
                            k += 1
                found.as_before[row] = same
                before[:] = now
                known = True
        at = breaks[row] + 1


@_compiled
def _usual(block, words, at, end, roles, first_list, names, sizes, classes, now, row, found):
    n_columns = len(roles)
    column, n = 0, -1
    while True:
        if column == first_list:
            found.lists[row, 0] = at
            n, at = _lists(block, words, at, end, classes, names, sizes)
            if n < 0:
                return False
            found.lists[row, 1] = at
            column += 2
        else:
            first = at
            while at < end and block[at] != _COMMA:
                if block[at] == _QUOTE or block[at] < _SPACE or block[at] > _TILDE:
                    return False
                at += 1
            now[column, 0], now[column, 1] = first, at
            role = roles[column]
            if role == KEY:
                if first == at:
                    return False
                found.key[row, 0], found.key[row, 1] = first, at
            elif role == IMG_PATH:
                found.img_path[row, 0], found.img_path[row, 1] = first, at
            elif role in (LON, LAT):
                value, good = _decimal(block, first, at)
                if not good or abs(value) > (180 if role == LON else 90):
                    return False
                found.position[row, 0 if role == LON else 1] = value
        column += 1
        if at == end:
            break
        if block[at] != _COMMA or column == n_columns:
            return False
        at += 1
    if column != n_columns:
        return False
    for i in range(n):
        found.objects[row, N_CLASSES - 1 if classes[i] == 255 else classes[i]] += 1
    return True
