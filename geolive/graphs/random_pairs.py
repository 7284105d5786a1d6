"""Which pairs of points are joined at random: by a hash of seed and pair, for numpy and torch alike.

Drawn this way, whether two points are joined depends on nothing else, and whole batches of graphs are drawn at once.
"""

import zlib
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

Ints = TypeVar("Ints", np.ndarray, "torch.Tensor")
# of the finaliser of SplitMix64 (Steele, Lea and Flood 2014), as signed numbers
_FIRST, _SECOND = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64).astype(np.int64).tolist()
_GOLDEN = np.array([0x9E3779B97F4A7C15], np.uint64).astype(np.int64).item()
_BITS = 53
_ROWS_AT_ONCE = 4_000_000


def chosen_pairs(n: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of n points that are joined, lower row number first.

    Examples
    --------
    >>> first, second = chosen_pairs(50, 0.5, seed=0)
    >>> bool((first < second).all()), 550 < len(first) < 675
    (True, True)
    """
    found, start = [(np.zeros(0, np.int64), np.zeros(0, np.int64))], 0
    key = seed_keys(seed, [""])
    while start < n - 1:
        stop = min(n - 1, start + max(1, _ROWS_AT_ONCE // n))
        first, second = np.nonzero(np.arange(start, stop)[:, None] < np.arange(n))
        first += start
        drawn = is_chosen(key, first, second, share)
        found.append((first[drawn], second[drawn]))
        start = stop
    first, second = zip(*found, strict=True)
    return np.concatenate(first), np.concatenate(second)


def is_chosen(keys: Ints, first: Ints, second: Ints, share: float) -> Ints:
    """Whether pairs are joined; keys and row numbers (int64, each below 2^32) are broadcast against each other.

    Examples
    --------
    >>> is_chosen(np.array([7]), np.array([0, 0, 1]), np.array([1, 2, 2]), share=1.0).tolist()
    [True, True, True]
    """
    mixed = _mix(_mix(first * 2**32 + second + _GOLDEN) ^ keys)
    return (mixed & (2**_BITS - 1)) < round(share * 2**_BITS)


def seed_keys(seed: int, names: list[str]) -> np.ndarray:
    """A key for each graph, int64: of the seed and the graph's name, so that its edges do not depend on the graphs beside it."""
    named = np.array([zlib.crc32(name.encode()) for name in names], np.int64)
    return _mix(_mix(np.array([seed], np.int64) + _GOLDEN) ^ named)


def _mix(values: Ints) -> Ints:
    values = (values ^ _right(values, 30)) * _FIRST
    values = (values ^ _right(values, 27)) * _SECOND
    return values ^ _right(values, 31)


def _right(values: Ints, bits: int) -> Ints:
    """Shifted to the right with zeros coming in."""
    return (values >> bits) & (2 ** (64 - bits) - 1)
