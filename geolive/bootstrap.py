"""The bootstrap of whole groups: resamples in which the rows of one place, block or district stay together."""

import warnings
from collections.abc import Iterator

import numpy as np

N_RESAMPLES = 1000
LEVEL = 0.95
_CHUNK = 2_000_000


def resamples(n_groups: int, random_state: int = 0, width: int = 0) -> Iterator[np.ndarray]:
    """Yield how often each group is drawn, shape (some resamples, n_groups), until there are 1,000 resamples.

    Equal numbers of groups and equal seeds give equal resamples, so that differences between models are paired.

    Parameters
    ----------
    n_groups : int
    random_state : int
        Seed of the random number generator.
    width : int
        Number of rows that each weight will be spread to; it limits how many resamples are yielded at once.

    Examples
    --------
    >>> chunks = list(resamples(3))
    >>> sum(len(chunk) for chunk in chunks), set(np.concatenate(chunks).sum(axis=1).tolist())
    (1000, {3.0})
    """
    rng = np.random.default_rng(random_state)
    size = max(1, _CHUNK // max(n_groups, width))
    for start in range(0, N_RESAMPLES, size):
        count = min(size, N_RESAMPLES - start)
        drawn = rng.integers(n_groups, size=(count, n_groups)) + n_groups * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * n_groups).reshape(count, n_groups).astype(float)


def group_numbers(groups: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the groups from 0: the number of each row's group, shape (n,), and how many groups there are.

    Examples
    --------
    >>> group_numbers(np.array(["b", "a", "b"]))
    (array([1, 0, 1]), 2)
    """
    names, number = np.unique(groups, return_inverse=True)
    return number.reshape(-1), len(names)


def sums_by_group(columns: np.ndarray, number: np.ndarray, n_groups: int) -> np.ndarray:
    """Add up the rows of each group, shape (n_groups, columns).

    Examples
    --------
    >>> sums_by_group(np.array([[1.0], [2.0], [4.0]]), np.array([0, 1, 0]), 2).tolist()
    [[5.0], [2.0]]
    """
    return np.column_stack([np.bincount(number, weights=column, minlength=n_groups) for column in columns.T])


def interval(resampled: np.ndarray) -> np.ndarray:
    """Compute lower and upper end of the 95 % interval of each column; NaN where the column has no number.

    Examples
    --------
    >>> interval(np.arange(101.0)[:, None]).ravel().round(3).tolist()
    [2.5, 97.5]
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanquantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)


def resampled_sums(amounts: np.ndarray, groups: np.ndarray, random_state: int = 0) -> np.ndarray:
    """Compute the sums of 1,000 resamples of whole groups, shape (1000,); all NaN for a single group.

    Examples
    --------
    >>> resampled_sums(np.array([1.0, 1.0, 1.0]), np.arange(3))[:2].tolist()
    [3.0, 3.0]
    """
    number, n_groups = group_numbers(groups)
    if n_groups < 2:
        return np.full(N_RESAMPLES, np.nan)
    by_group = np.bincount(number, weights=amounts, minlength=n_groups)
    return np.concatenate([weights @ by_group for weights in resamples(n_groups, random_state)])


def wilson_interval(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the 95 % interval of a share by Wilson's score method; it lies within 0 and 1, and its width is never 0.

    Parameters
    ----------
    share : array of float
        Observed shares, 0 to 1.
    n : array of int
        Numbers of observations, at least 1.

    Returns
    -------
    lower, upper : array of float

    Source: Wilson 1927, doi 10.1080/01621459.1927.10502953: with z = 1.96, (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n).

    Examples
    --------
    >>> lower, upper = wilson_interval(np.array([0.0, 0.5, 1.0]), np.array([10, 10, 10]))
    >>> lower.round(3).tolist(), upper.round(3).tolist()
    ([0.0, 0.237, 0.722], [0.278, 0.763, 1.0])
    """
    z = 1.959963984540054
    centre = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    lower, upper = (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)
    return np.clip(lower, 0, 1), np.clip(upper, 0, 1)
