"""Sets of the positions in a text where certain bytes are, with one bit for each byte of the text.

Operations on such sets look at 64 positions at a time. So the rules of a text's grammar ("a digit follows each point") take far
less time than comparisons of bytes, and most of the time goes into the few comparisons that make the sets.
"""

import numpy as np

# a multiple of 64; bytes that are compared at once stay in the processor's cache, and so does the result
_BYTES_AT_ONCE = 1 << 17
_WORD = 64


def where_equal(text: np.ndarray, sign: int) -> np.ndarray:
    """Return the positions of a byte.

    Parameters
    ----------
    text : array of uint8
    sign : int

    Returns
    -------
    array of uint64
        Bit i of word j is for position 64 j + i. There is at least one bit more than there are bytes.

    Examples
    --------
    >>> where_equal(np.frombuffer(b"a-b-c", np.uint8), ord("-")).tolist()
    [10]
    """
    words = np.zeros(len(text) // _WORD + 1, np.dtype("<u8"))
    bits, found = words.view(np.uint8), np.empty(min(len(text), _BYTES_AT_ONCE), bool)
    for i in range(0, len(text), _BYTES_AT_ONCE):
        piece = text[i : i + _BYTES_AT_ONCE]
        packed = np.packbits(np.equal(piece, sign, out=found[: len(piece)]), bitorder="little")
        bits[i // 8 : i // 8 + len(packed)] = packed
    return words


def count_digits(text: np.ndarray) -> int:
    """Count the decimal digits of a text.

    Examples
    --------
    >>> count_digits(np.frombuffer(b"7/10", np.uint8))
    3
    """
    shifted = np.empty(min(len(text), _BYTES_AT_ONCE), np.uint8)
    n = 0
    for i in range(0, len(text), _BYTES_AT_ONCE):
        piece = text[i : i + _BYTES_AT_ONCE]
        # bytes below "0" become large numbers
        from_zero = np.subtract(piece, np.uint8(ord("0")), out=shifted[: len(piece)])
        n += int(np.count_nonzero(np.less(from_zero, 10, out=from_zero.view(bool))))
    return n


def after(positions: np.ndarray, n: int = 1) -> np.ndarray:
    """Return the positions that are n bytes, fewer than 64, after those of a set.

    Examples
    --------
    >>> after(where_equal(np.frombuffer(b"a-b-c", np.uint8), ord("-"))).tolist()
    [20]
    """
    shifted = positions << np.uint64(n)
    shifted[1:] |= positions[:-1] >> np.uint64(_WORD - n)
    return shifted


def size(positions: np.ndarray) -> int:
    """Return the number of positions in a set.

    Examples
    --------
    >>> size(np.array([10, 1], np.uint64))
    3
    """
    return int(np.bitwise_count(positions).sum(dtype=np.int64))


def sizes_before(positions: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return how many positions of a set are smaller than each of some numbers.

    Examples
    --------
    >>> sizes_before(np.array([10, 1], np.uint64), np.array([0, 2, 64, 65])).tolist()
    [0, 1, 2, 3]
    """
    before = np.zeros(len(positions) + 1, np.int64)
    np.cumsum(np.bitwise_count(positions), out=before[1:])
    word = bounds // _WORD
    below = (np.uint64(1) << (bounds % _WORD).astype(np.uint64)) - np.uint64(1)
    return before[word] + np.bitwise_count(positions[word] & below)
