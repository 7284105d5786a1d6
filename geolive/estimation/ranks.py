"""Confidence sets for ranks, and for which districts are among the best or the worst."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geolive.errors import InputError

Array = NDArray[np.float64]

N_DRAWS = 1000
# marginal sets of more districts are made without stepdown, whose time grows with the square of their number
MOST_STEPDOWN = 500
# and so are sets of all districts together, and of the best and the worst
MOST_STEPDOWN_TOGETHER = 1000
# so few districts are compared with each other faster than their hull is found
_FEW = 64


def rank_sets(
    estimate: ArrayLike,
    standard_error: ArrayLike,
    level: float = 0.9,
    *,
    freedom: float = np.inf,
    simultaneous: bool = False,
    stepdown: bool = True,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Compute confidence sets for ranks; rank 1 is the highest value.

    A district ranks below another with confidence where their difference is larger than chance makes the largest of many
    differences at that level. Marginal sets hold a district's own rank with that probability, whichever district one asks
    about; simultaneous sets hold the ranks of all districts at once, and are wider. Use the marginal ones to tell a reader
    about one district, and the simultaneous ones to speak of the whole table.

    Parameters
    ----------
    estimate, standard_error : array of shape (n,)
        NaN where there is none; an error of 0 says that a value is known exactly. Errors of districts are taken as
        independent.
    level : float
    freedom : float
        Degrees of freedom of the standard errors where they share an estimated scale: errors are then t-distributed.
    simultaneous : bool
    stepdown : bool
        Test again without the differences already found, which narrows the sets at the same level (Romano and Wolf 2005).
        Marginal sets of more than 500 districts, and simultaneous ones of more than 1,000, are made without it: they are as
        valid, and a little wider.
    seed : int
        Seed of the random draws.

    Returns
    -------
    best, worst : array of float, shape (n,)
        The smallest and the largest rank of each set; NaN where there is no value.

    Raises
    ------
    InputError
        A standard error is negative, or the level is not between 0 and 1.

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm (2024), doi 10.1093/restud/rdad006, sections 3.1 to 3.3.

    Examples
    --------
    >>> rank_sets(np.array([3.0, 1.0, 1.5]), np.full(3, 0.3))
    (array([1., 2., 2.]), array([1., 3., 3.]))
    """
    value, error = np.asarray(estimate, float), np.asarray(standard_error, float)
    _check_level(level)
    known = _known(value, error)
    at, error = value[known], _above_zero(value, error)[known]
    draws = _draws(error, freedom, seed)
    if simultaneous:
        above, below = _counts_together(at, error, draws, level, stepdown=stepdown, two_sided=True)
    elif len(known) > MOST_STEPDOWN or not stepdown:
        above, below = _counts_in_one_step(at, error, draws, level)
    else:
        counts = [_counts_of_one(i, at, error, draws, level) for i in range(len(known))]
        above, below = (np.array([pair[side] for pair in counts], float) for side in (0, 1))
    best, worst = np.full(len(value), np.nan), np.full(len(value), np.nan)
    best[known] = 1 + above
    worst[known] = len(known) - below
    return best, worst


def stepdown_words(n: int) -> str | None:
    """Return the sentence that a user reads where so many districts are ranked that stepdown is left out; else None.

    Examples
    --------
    >>> stepdown_words(501)
    'Ranks of more than 500 districts are computed without stepdown: they are as valid, and their ranges a little wider.'
    >>> stepdown_words(500) is None
    True
    """
    if n <= MOST_STEPDOWN:
        return None
    return (
        f"Ranks of more than {MOST_STEPDOWN} districts are computed without stepdown: they are as valid, and their ranges a "
        "little wider."
    )


def best_set(
    estimate: ArrayLike,
    standard_error: ArrayLike,
    tau: int,
    level: float = 0.9,
    *,
    freedom: float = np.inf,
    stepdown: bool = True,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Compute the set of districts that holds all of the `tau` highest with a given probability.

    Parameters
    ----------
    estimate, standard_error : array of shape (n,)
        NaN where there is none; such a district is in no set.
    tau : int
        Number of highest districts, 1 to n.
    level, freedom, stepdown, seed
        As in `rank_sets`.

    Returns
    -------
    array of bool, shape (n,)
        Whether each district may be among the `tau` highest.

    Raises
    ------
    InputError
        As `rank_sets`; `tau` is out of range.

    Notes
    -----
    The set is made of the districts for which fewer than `tau` others are higher with confidence, by one-sided tests of all
    pairs at once (the projection of Mogstad et al., section 3.5). With more than 1,000 districts there is no stepdown.

    Examples
    --------
    >>> best_set(np.array([3.0, 1.0, 1.5]), np.full(3, 0.3), tau=2)
    array([ True,  True,  True])
    >>> best_set(np.array([3.0, 1.0, 1.5]), np.full(3, 0.03), tau=2)
    array([ True, False,  True])
    """
    value, error = np.asarray(estimate, float), np.asarray(standard_error, float)
    _check_level(level)
    known = _known(value, error)
    if not 1 <= tau <= len(known):
        raise InputError(
            f"tau={tau}: must be between 1 and the number of districts with an estimate, {len(known)}", "tau"
        )
    error = _above_zero(value, error)
    draws = _draws(error[known], freedom, seed)
    above, _ = _counts_together(value[known], error[known], draws, level, stepdown=stepdown, two_sided=False)
    chosen = np.zeros(len(value), bool)
    chosen[known] = above < tau
    return chosen


def worst_set(
    estimate: ArrayLike,
    standard_error: ArrayLike,
    tau: int,
    level: float = 0.9,
    *,
    freedom: float = np.inf,
    stepdown: bool = True,
    seed: int = 0,
) -> NDArray[np.bool_]:
    """Compute the set of districts that holds all of the `tau` lowest with a given probability; parameters as in `best_set`.

    Examples
    --------
    >>> worst_set(np.array([3.0, 1.0, 1.5]), np.full(3, 0.1), tau=2)
    array([False,  True,  True])
    """
    return best_set(
        -np.asarray(estimate, float), standard_error, tau, level, freedom=freedom, stepdown=stepdown, seed=seed
    )


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise InputError(f"level={level}: must be between 0 and 1, such as 0.9", "level")


def _known(value: Array, error: Array) -> NDArray[np.int_]:
    """Return the rows that have a value and a standard error."""
    known = np.isfinite(value) & np.isfinite(error)
    if (wrong := known & (error < 0)).any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"standard_error: row {row}: is {error[row]:g}, and must not be negative; leave the estimate empty where its error "
            "is not known"
        )
    return np.flatnonzero(known)


def _above_zero(value: Array, error: Array) -> Array:
    """Replace errors of 0 by a billionth of the range of the values, so that differences can be divided by them."""
    spread = np.nanmax(value) - np.nanmin(value) if np.isfinite(value).any() else 0.0
    return np.maximum(error, 1e-9 * spread if spread > 0 else 1e-9)


def _draws(error: Array, freedom: float, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((N_DRAWS, len(error))) * error
    if np.isfinite(freedom):
        # the standard errors are estimated together, so one draw of their scale goes for all districts
        drawn /= np.sqrt(rng.chisquare(freedom, (N_DRAWS, 1)) / freedom)
    return drawn.astype(np.float32)


def _counts_in_one_step(
    at: Array, error: Array, draws: NDArray[np.float32], level: float, *, together: bool = False
) -> tuple[Array, Array]:
    """Count how many districts are above and below each of them with confidence, by two-sided tests without stepdown."""
    largest = _largest_of_each(draws, error)
    critical = np.quantile(largest.max(axis=1) if together else largest, level, axis=0)
    return _counts_beyond(at, error, np.broadcast_to(critical, len(at)).astype(float))


def _counts_beyond(at: Array, error: Array, critical: Array) -> tuple[Array, Array]:
    """Count the districts that are above, and below, each by more than `critical` times the error of their difference.

    Districts with errors alike form a group in ascending order. The smallest and the largest error of a group bound the
    difference that is needed: districts on either side of these bounds are counted by bisection, and only those between
    them one by one. With √n groups of √n districts, time grows with n√n, and not with n², for any sizes of errors.
    """
    above, below = np.zeros(len(at)), np.zeros(len(at))
    scale = np.abs(at).max(initial=0.0)
    for group in np.array_split(np.argsort(error, kind="stable"), max(1, int(np.sqrt(len(at))))):
        group = group[np.argsort(at[group], kind="stable")]
        values, errors = at[group], error[group]
        least, most = (critical * np.hypot(end, error) for end in (errors.min(initial=0), errors.max(initial=0)))
        # wider by more than what rounding can do
        rounding = 1e-12 * (scale + most)
        least, most = least - rounding, most + rounding
        surely = np.searchsorted(values, at + most, side="right")
        above += len(group) - surely
        rows, others = _between(np.searchsorted(values, at + least), surely)
        gap = (values[others] - at[rows]) / np.hypot(errors[others], error[rows])
        above += np.bincount(rows[gap > critical[rows]], minlength=len(at))
        surely = np.searchsorted(values, at - most)
        below += surely
        rows, others = _between(surely, np.searchsorted(values, at - least, side="right"))
        gap = (values[others] - at[rows]) / np.hypot(errors[others], error[rows])
        below += np.bincount(rows[gap < -critical[rows]], minlength=len(at))
    return above, below


def _between(starts: NDArray[np.int_], ends: NDArray[np.int_]) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return the pairs of a row and each number from its start to before its end."""
    lengths = np.maximum(ends - starts, 0)
    rows = np.repeat(np.arange(len(starts)), lengths)
    return rows, np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths - starts, lengths)


def _largest_of_each(draws: NDArray[np.float32], error: Array) -> NDArray[np.float32]:
    """Return the largest difference of each district from any other in each draw, shape (draws, n).

    The squared difference (x - x_i)² / (v + v_i) is a convex function of another district's draw x and variance v. So its
    maximum over all districts lies at a corner of their convex hull, and hulls have few corners.
    """
    variance = error.astype(np.float32) ** 2
    if len(error) <= _FEW:
        squared = (draws[:, :, None] - draws[:, None, :]) ** 2
        squared /= variance[:, None] + variance
        return np.sqrt(squared.max(axis=1, initial=0))
    largest = np.zeros_like(draws)
    for draw, row in zip(draws, largest, strict=True):
        corners = _hull(draw, variance)
        squared = (draw[corners, None] - draw) ** 2
        squared /= variance[corners, None] + variance
        np.sqrt(squared.max(axis=0), out=row)
    return largest


def _hull(draw: NDArray[np.float32], variance: NDArray[np.float32]) -> NDArray[np.int_]:
    """Return the districts at the corners of the convex hull of draws and variances."""
    from scipy.spatial import ConvexHull, QhullError

    ends = np.array([draw.argmin(), draw.argmax()]) if len(draw) else np.zeros(0, np.int_)
    if len(draw) < 3 or np.ptp(variance) <= 1e-9 * variance.max():
        return ends
    # on one scale, so that no side of the hull is lost to rounding
    points = np.column_stack([draw / max(np.abs(draw).max(), 1e-30), variance / variance.max()])
    try:
        return ConvexHull(points).vertices
    except QhullError:  # all districts lie on a line
        return np.unique([*ends, variance.argmin(), variance.argmax()])


def _counts_of_one(i: int, at: Array, error: Array, draws: NDArray[np.float32], level: float) -> tuple[int, int]:
    """Count how many districts are above and below one of them with confidence, by two-sided tests."""
    spread = np.hypot(error, error[i])
    difference = (at - at[i]) / spread
    chance = np.abs((draws - draws[:, [i]]) / spread.astype(np.float32))
    left = np.arange(len(at)) != i
    while left.any():
        critical = np.quantile(chance[:, left].max(axis=1), level)
        new = left & (np.abs(difference) > critical)
        left &= ~new
        if not new.any():
            break
    left[i] = True
    return int((difference[~left] > 0).sum()), int((difference[~left] < 0).sum())


def _counts_together(
    at: Array, error: Array, draws: NDArray[np.float32], level: float, *, stepdown: bool, two_sided: bool
) -> tuple[Array, Array]:
    """Count how many districts are above and below each of them with confidence, by tests of all pairs at once."""
    if not stepdown or len(at) > MOST_STEPDOWN_TOGETHER:
        # each pair counts in both directions, so that one side has the same largest difference as both
        return _counts_in_one_step(at, error, draws, level, together=True)
    spread = np.hypot(error[:, None], error)
    difference = (at - at[:, None]) / spread  # [i, j]: how far j is above i
    left = ~np.eye(len(at), dtype=bool)
    while left.any():
        critical = np.quantile(_largest(draws, spread, left, two_sided), level)
        new = left & ((np.abs(difference) if two_sided else difference) > critical)
        left &= ~new
        if not new.any():
            break
    np.fill_diagonal(left, True)
    return ((difference > 0) & ~left).sum(axis=1), ((difference < 0) & ~left).sum(axis=1)


def _largest(
    draws: NDArray[np.float32], spread: Array, left: NDArray[np.bool_], two_sided: bool
) -> NDArray[np.float32]:
    """Return the largest difference of each draw over the pairs that are left; shape (draws,)."""
    largest = np.full(len(draws), -np.inf, np.float32)
    for i in np.flatnonzero(left.any(axis=1)):
        # where both directions of a pair count alike, one is enough
        columns = np.flatnonzero(left[i, i:]) + i if two_sided else np.flatnonzero(left[i])
        if len(columns):
            chance = (draws[:, columns] - draws[:, [i]]) / spread[i, columns].astype(np.float32)
            np.maximum(largest, (np.abs(chance) if two_sided else chance).max(axis=1), out=largest)
    return largest
