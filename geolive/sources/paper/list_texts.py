"""The three lists of each row of the paper's table: texts of a whole block are parsed at once, as arrays of bytes.

A list is a JSON array as `json.dumps` writes it. Python's parser takes a hundred times as long for so many short lists.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

# as many equal names in a row are one text, since objects of one class often follow one another
_MOST_EQUAL = 16
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


class Items(NamedTuple):
    """Items of lists of numbers.

    Parameters
    ----------
    begins : array of bool
        For each byte whether a number begins there.
    position : array of int, shape (items,)
        Where each number begins.
    offsets : array of int, shape (lists + 1,)
        First item of each list, and the number of items.
    """

    begins: np.ndarray
    position: np.ndarray
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
    parts = pa.Array.from_buffers(pa.binary(), 2 * len(start), [None, pa.py_buffer(bounds), block])
    return texts_of(parts.take(pa.array(np.arange(0, 2 * len(start), 2))))


def texts_of(array: pa.Array) -> Texts:
    """Return the bytes of an array of texts without a copy."""
    _, offsets, content = array.buffers()
    offsets = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    content = np.frombuffer(content, np.uint8) if content is not None else np.zeros(0, np.uint8)
    return Texts(content[offsets[0] : offsets[-1]], offsets - offsets[0])


def class_indexes(texts: Texts) -> tuple[np.ndarray, Items] | None:
    """Parse lists of whole numbers of at most three digits, without their brackets.

    Returns
    -------
    array of int, Items
        The numbers; None where a text is written in any other way.

    Examples
    --------
    >>> numbers, items = class_indexes(Texts(np.frombuffer(b"2, 10255", np.uint8), np.array([0, 5, 5, 8])))
    >>> numbers.tolist(), items.offsets.tolist()
    ([2, 10, 255], [0, 2, 2, 3])
    """
    digit = texts.content - np.uint8(_ZERO) < 10
    items = _split(texts, digit, int(np.count_nonzero(digit)))
    if items is None:
        return None
    further, first = _padded(digit & ~items.begins), items.position
    content = _padded(texts.content)
    second = further[first + 1]
    third = second & further[first + 2]
    number = content[first].astype(np.int16) - _ZERO
    if (second & (number == 0)).any() or len(first) + second.sum() + third.sum() != np.count_nonzero(digit):
        return None
    for more, place in ((second, 1), (third, 2)):
        number = np.where(more, 10 * number + content[first + place] - _ZERO, number)
    return number, items


def confidence_items(texts: Texts) -> Items | None:
    """Find the numbers of lists of decimals such as 0.5, 1 and 1e-07, without their brackets; None for any other text.

    Examples
    --------
    >>> confidence_items(Texts(np.frombuffer(b"0.5, 1e-07", np.uint8), np.array([0, 10]))).position.tolist()
    [0, 5]
    >>> confidence_items(Texts(np.frombuffer(b"0.5.1", np.uint8), np.array([0, 5]))) is None
    True
    """
    content = texts.content
    digit = content - np.uint8(_ZERO) < 10
    dot, exponent, minus = (content == sign for sign in (_DOT, _E, _MINUS))
    items = _split(texts, digit, sum(map(np.count_nonzero, (digit, dot, exponent, minus))))
    if items is None:
        return None
    further = digit & ~items.begins
    usual = (
        # one digit, perhaps a point with digits, perhaps an exponent
        not (items.begins[:-1] & further[1:]).any()
        and _each_after(dot, items.begins)
        and _each_before(dot, further)
        and _each_after(exponent, digit)
        and _each_before(exponent, minus)
        and _each_after(minus, exponent)
        and _each_before(minus, further)
        and _short_exponents(np.flatnonzero(exponent), content, further, items.begins)
    )
    return items if usual else None


def _short_exponents(at: np.ndarray, content: np.ndarray, further: np.ndarray, begins: np.ndarray) -> bool:
    """Whether one to three digits follow each exponent's sign, and then the number ends."""
    further, begins, content = (_padded(array) for array in (further, begins, content))
    second = further[at + 3]
    end = at + 3 + second + (second & further[at + 4])
    return bool((begins[end] | (content[end] == _COMMA) | (end >= len(content) - _PADDING)).all())


def _split(texts: Texts, digit: np.ndarray, n_signs: int) -> Items | None:
    """Split texts at ", ", if a digit stands on both sides of each, and at both ends of each text that is not empty."""
    content, offsets = texts
    comma, space = content == _COMMA, content == _SPACE
    filled = offsets[:-1] < offsets[1:]
    if n_signs + np.count_nonzero(comma) + np.count_nonzero(space) != len(content):
        return None
    if not digit[offsets[1:][filled] - 1].all():
        return None
    if not (_each_before(comma, space) and _each_after(space, comma) and _each_after(comma, digit)):
        return None
    begins = np.zeros(len(content), bool)
    begins[1:] = space[:-1]
    begins[offsets[:-1][filled]] = True
    position = np.flatnonzero(begins)
    if not digit[position].all():
        return None
    return Items(begins, position, np.searchsorted(position, offsets))


def _each_before(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether each byte of one kind has one of another kind after it."""
    return not len(one) or not (one[-1] or (one[:-1] & ~other[1:]).any())


def _each_after(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether each byte of one kind has one of another kind before it."""
    return not len(one) or not (one[0] or (one[1:] & ~other[:-1]).any())


_PADDING = 8


def _padded(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, np.zeros(_PADDING, array.dtype)])


class NameTexts:
    """The texts of lists of names in a CSV file, whose quotes are doubled, from class indexes.

    Parameters
    ----------
    names : mapping of int to str
        Name of each class index that is known.

    Examples
    --------
    >>> texts = NameTexts({2: "Wall", 10: "Road"})
    >>> texts.of(np.array([2, 10]), np.array([0, 2])).content.tobytes()
    b'""Wall"", ""Road""'
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        known = sorted(names)
        self._row = np.full(1000, -1, np.int16)
        self._row[known] = np.arange(len(known))
        quoted = [json.dumps(names[index]).replace('"', '""') for index in known]
        texts = [", ".join([text] * n) for text in quoted for n in range(1, _MOST_EQUAL + 1)]
        self._texts = pa.array([text.encode() for text in texts], pa.binary())

    def know(self, indexes: np.ndarray) -> bool:
        """Return whether all these class indexes have a name."""
        return bool((self._row[indexes] >= 0).all())

    def of(self, indexes: np.ndarray, offsets: np.ndarray) -> Texts:
        """Return the texts, without brackets, of lists that follow one another; `offsets` says where each begins."""
        import pyarrow.compute as pc

        begins = np.ones(len(indexes) + 1, bool)
        begins[1:-1] = indexes[1:] != indexes[:-1]
        begins[offsets] = True
        first = np.flatnonzero(begins)
        within = np.arange(len(indexes)) - np.repeat(first[:-1], np.diff(first))
        begins[:-1] |= within % _MOST_EQUAL == 0
        first = np.flatnonzero(begins)
        rows = self._row[indexes[first[:-1]]].astype(np.int32) * _MOST_EQUAL + np.diff(first) - 1
        parts = pa.ListArray.from_arrays(
            pa.array(np.searchsorted(first, offsets).astype(np.int32)), self._texts.take(pa.array(rows))
        )
        return texts_of(pc.binary_join(parts, b", "))
