"""The three lists of each row of the paper's table: texts of a whole block are parsed at once, as arrays of bytes.

A list is a JSON array as `json.dumps` writes it. Python's parser takes a hundred times as long for so many short lists.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from geolive.sources.paper.byte_sets import after, count_digits, size, sizes_before, where_equal

# as many equal names in a row are one text, since objects of one class often follow one another
_MOST_EQUAL = 64
_ZERO, _COMMA, _SPACE, _DOT, _E, _MINUS = (ord(sign) for sign in "0, .e-")


class Texts(NamedTuple):
    """Texts, one after the other.

    Parameters
    ----------
    content : array of uint8
        The bytes of all texts.
    offsets : array of int, shape (n + 1,)
        Where each text begins, and where the last one ends.
    """

    content: np.ndarray
    offsets: np.ndarray


class Runs(NamedTuple):
    """Equal items of a list that follow one another, of all lists.

    Parameters
    ----------
    item : array of int, shape (runs,)
        What the items are.
    length : array of int, shape (runs,)
        How many items; at least 1.
    offsets : array of int, shape (lists + 1,)
        First run of each list, and the number of runs.
    """

    item: np.ndarray
    length: np.ndarray
    offsets: np.ndarray


def cut_texts(block: pa.Buffer, start: np.ndarray, stop: np.ndarray) -> Texts:
    """Copy parts of a block, which do not overlap and are in its order, to one text each.

    Examples
    --------
    >>> cut_texts(pa.py_buffer(b"a,bb,c"), np.array([0, 2]), np.array([1, 4]))[0].tobytes()
    b'abb'
    """
    bounds = np.empty(2 * len(start) + 1, np.int32)
    bounds[:-1:2], bounds[1::2], bounds[-1] = start, stop, block.size
    if (bounds[1:] < bounds[:-1]).any():
        raise ValueError("parts overlap, or are not in the order of the block")  # Arrow would read other memory
    parts = pa.Array.from_buffers(pa.binary(), 2 * len(start), [None, pa.py_buffer(bounds), block])
    return texts_of(parts.take(pa.array(np.arange(0, 2 * len(start), 2))))


def texts_of(array: pa.Array) -> Texts:
    """Return the bytes of an array of texts without a copy."""
    _, offsets, content = array.buffers()
    offsets = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    content = np.frombuffer(content, np.uint8) if content is not None else np.zeros(0, np.uint8)
    return Texts(content[offsets[0] : offsets[-1]], offsets - offsets[0])


def cut_items(block: pa.Buffer, start: np.ndarray, stop: np.ndarray) -> Texts:
    """Copy lists of numbers, none of them empty, so that each number has a space before it and a comma after it.

    Parameters
    ----------
    block : arrow Buffer
    start, stop : array of int, shape (lists,)
        The opening bracket of each list, which becomes a space, and the position after its closing bracket, which becomes a
        comma.

    Examples
    --------
    >>> cut_items(pa.py_buffer(b"[2, 10],[255]"), np.array([0, 8]), np.array([7, 13])).content.tobytes()
    b' 2, 10, 255,'
    """
    texts = cut_texts(block, start, stop)
    # Arrow has just made these bytes for this array alone
    content = texts.content if texts.content.flags.writeable else texts.content.copy()
    content[texts.offsets[:-1]] = _SPACE
    content[texts.offsets[1:] - 1] = _COMMA
    return Texts(content, texts.offsets)


def confidence_offsets(texts: Texts) -> np.ndarray | None:
    """Count the numbers of lists of decimals such as 0.5, 1 and 1e-07.

    Parameters
    ----------
    texts : Texts
        As `cut_items` makes them.

    Returns
    -------
    array of int, shape (lists + 1,), or None
        First number of each list, and how many there are; None where a text is written in any other way.

    Examples
    --------
    >>> confidence_offsets(Texts(np.frombuffer(b" 0.5, 1e-07,", np.uint8), np.array([0, 12]))).tolist()
    [0, 2]
    >>> confidence_offsets(Texts(np.frombuffer(b" 0.5.1,", np.uint8), np.array([0, 7]))) is None
    True
    """
    content = texts.content
    space, comma, dot = (where_equal(content, sign) for sign in (_SPACE, _COMMA, _DOT))
    sign = space | comma | dot
    missing = len(content) - count_digits(content) - size(sign)
    broken = np.zeros_like(sign)
    second = after(space, 2)
    if missing:
        exponent, minus = (where_equal(content, sign) for sign in (_E, _MINUS))
        sign |= exponent | minus
        broken = _broken_exponents(exponent, minus, comma, sign)
        if missing != size(exponent) + size(minus):
            return None
        broken |= second & ~(dot | comma | exponent)
    else:
        broken = second & ~(dot | comma)
    # one digit comes first, and a point only after it; digits are all bytes that are no sign
    broken |= dot & ~second
    broken |= after(space | dot) & sign
    # the first space is at the beginning, and each other one after a comma, whose last one is at the end
    follows = after(comma)
    follows[0] ^= np.uint64(1)
    follows[len(content) // 64] ^= np.uint64(1) << np.uint64(len(content) % 64)
    broken |= follows ^ space
    return None if broken.any() else sizes_before(space, texts.offsets)


def _broken_exponents(exponent: np.ndarray, minus: np.ndarray, comma: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """Return where an exponent is not a digit, e, a minus, one to three digits and then the end of the number."""
    one = after(minus)
    two = after(one) & ~sign
    three = after(two) & ~sign
    return (
        (after(sign) & exponent)
        | (after(exponent) ^ minus)
        | (one & sign)
        | (after(one | two | three) & sign & ~comma)
        | (after(three) & ~sign)
    )


def class_indexes(texts: Texts, offsets: np.ndarray) -> np.ndarray | None:
    """Parse lists of whole numbers of at most three digits.

    Parameters
    ----------
    texts : Texts
        As `cut_items` makes them.
    offsets : array of int, shape (lists + 1,)
        First number of each list, and how many there are.

    Returns
    -------
    array of uint16, shape (numbers,), or None
        None where a text is written in any other way, or a list has another length.

    Examples
    --------
    >>> texts = Texts(np.frombuffer(b" 2, 10, 255,", np.uint8), np.array([0, 7, 12]))
    >>> class_indexes(texts, np.array([0, 2, 3])).tolist()
    [2, 10, 255]
    >>> class_indexes(texts, np.array([0, 1, 3])) is None
    True
    """
    content = texts.content
    position = np.flatnonzero(content == _SPACE)
    if len(position) != offsets[-1] or not np.array_equal(position[offsets[:-1]], texts.offsets[:-1]):
        return None
    # what stands 1, 2 and 3 bytes after each space; beyond the end is the last byte, a comma
    first, second, third = (content[n:].take(position, mode="clip") for n in (1, 2, 3 if len(content) > 3 else 2))
    two = second != _COMMA
    three = np.flatnonzero(two & (third != _COMMA))
    # each number has a space, digits and a comma, and no byte is left that is not looked at here
    if 3 * len(position) + np.count_nonzero(two) + len(three) != len(content):
        return None
    for digit in (first, second, third):
        digit -= np.uint8(_ZERO)
    if (first > 9).any() or (two & ((second > 9) | (first == 0))).any():
        return None
    number = first.astype(np.uint16)
    np.copyto(number, first * np.uint8(10) + second, where=two)  # at most 99
    if len(three):
        if (third[three] > 9).any() or (content[position[three] + 4] != _COMMA).any():
            return None
        number[three] = 10 * number[three] + third[three]
    return number


class NameTexts:
    """The texts of lists of names in a CSV file, whose quotes are doubled, from class indexes.

    Parameters
    ----------
    names : mapping of int to str
        Name of each class index that is known.

    Examples
    --------
    >>> texts = NameTexts({2: "Wall", 10: "Road"})
    >>> texts.of(runs_of(np.array([2, 10, 10]), np.array([0, 3]))).content.tobytes()
    b'""Wall"", ""Road"", ""Road""]'
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        known = sorted(names)
        self._row = np.full(1000, -1, np.int32)
        self._row[known] = 2 * _MOST_EQUAL * np.arange(len(known))
        texts = [_texts_of_name(names[index]) for index in known]
        self._texts = pa.concat_arrays(texts) if texts else pa.array([], pa.binary())

    def know(self, indexes: np.ndarray) -> bool:
        """Return whether all these class indexes have a name."""
        return bool((self._row[indexes] >= 0).all())

    def of(self, runs: Runs) -> Texts:
        """Return the texts of lists of known classes, without opening brackets."""
        rows = self._row[runs.item] + (2 * runs.length - 2).astype(np.int32)
        rows[runs.offsets[1:] - 1] += 1
        content, offsets = texts_of(self._texts.take(pa.array(rows)))
        return Texts(content, offsets[runs.offsets])


@lru_cache(maxsize=1000)
def _texts_of_name(name: str) -> pa.Array:
    """Return 1, 2 and so on times a name; each of these with what follows within a list, and at its end."""
    text = json.dumps(name).replace('"', '""').encode()
    times = (b", ".join([text] * n) for n in range(1, _MOST_EQUAL + 1))
    return pa.array([several + end for several in times for end in (b", ", b"]")], pa.binary())


def runs_of(items: np.ndarray, offsets: np.ndarray) -> Runs:
    """Find the equal items that follow one another in lists, none of them empty; a run is of at most 64 items.

    Parameters
    ----------
    items : array of int
    offsets : array of int, shape (lists + 1,)
        First item of each list, and the number of items.

    Examples
    --------
    >>> runs_of(np.array([2, 10, 10, 10]), np.array([0, 2, 4]))
    Runs(item=array([ 2, 10, 10]), length=array([1, 1, 2]), offsets=array([0, 2, 3]))
    """
    begins = np.empty(len(items) + 1, bool)
    np.not_equal(items[1:], items[:-1], out=begins[1:-1])
    begins[offsets] = True
    first = np.flatnonzero(begins)
    length = np.diff(first)
    if length.max(initial=0) > _MOST_EQUAL:
        parts = (length + (_MOST_EQUAL - 1)) // _MOST_EQUAL
        number = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
        first = np.append(np.repeat(first[:-1], parts) + _MOST_EQUAL * number, first[-1])
        length = np.diff(first)
    return Runs(items[first[:-1]], length, np.searchsorted(first, offsets))
