"""Random pairs of points, drawn by a hash of seed and pair, in numpy and torch alike.

Whether two points are joined depends only on the seed and their row numbers, and a whole batch of graphs is drawn at once.
"""

import zlib
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

Ints = TypeVar("Ints", np.ndarray, "torch.Tensor")
# constants of the finaliser of SplitMix64 (Steele, Lea and Flood 2014), as signed numbers
_FIRST, _SECOND = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64).astype(np.int64).tolist()
_GOLDEN = np.array([0x9E3779B97F4A7C15], np.uint64).astype(np.int64).item()
_BITS = 53
_ROWS_AT_ONCE = 4_000_000


def chosen_pairs(n: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the pairs of n points that are joined, with the lower row number first.

    Examples
    --------
    >>> first, second = chosen_pairs(50, 0.5, seed=0)
    >>> bool((first < second).all()), 550 < len(first) < 675
    (True, True)
    """
    pairs, start = [(np.zeros(0, np.int64), np.zeros(0, np.int64))], 0
    key = seed_keys(seed, [""])
    while start < n - 1:
        stop = min(n - 1, start + max(1, _ROWS_AT_ONCE // n))
        first, second = np.nonzero(np.arange(start, stop)[:, None] < np.arange(n))
        first += start
        drawn = is_chosen(key, first, second, share)
        pairs.append((first[drawn], second[drawn]))
        start = stop
    return np.concatenate([first for first, _ in pairs]), np.concatenate([second for _, second in pairs])


def is_chosen(keys: Ints, first: Ints, second: Ints, share: float) -> Ints:
    """Say which pairs are joined; keys and row numbers (int64, each below 2^32) are broadcast against each other.

    Examples
    --------
    >>> is_chosen(np.array([7]), np.array([0, 0, 1]), np.array([1, 2, 2]), share=1.0).tolist()
    [True, True, True]
    """
    mixed = _mix(_mix(first * 2**32 + second + _GOLDEN) ^ keys)
    return (mixed & (2**_BITS - 1)) < round(share * 2**_BITS)


def seed_keys(seed: int, names: list[str]) -> np.ndarray:
    """Make a key for each graph, int64, from the seed and the name of the graph, so that its edges do not depend on
    other graphs.

    Examples
    --------
    >>> one, other = seed_keys(0, ["a", "b"])
    >>> bool(one != other), bool(one == seed_keys(0, ["a"])[0])
    (True, True)
    """
    named = np.array([zlib.crc32(name.encode()) for name in names], np.int64)
    return _mix(_mix(np.array([seed], np.int64) + _GOLDEN) ^ named)


def _mix(values: Ints) -> Ints:
    values = (values ^ _right(values, 30)) * _FIRST
    values = (values ^ _right(values, 27)) * _SECOND
    return values ^ _right(values, 31)


def _right(values: Ints, bits: int) -> Ints:
    """Shift to the right and fill with zeros."""
    return (values >> bits) & (2 ** (64 - bits) - 1)
