"""Spatial autocorrelation of errors: Moran's I of residuals."""

from dataclasses import dataclass

import numpy as np

from geolive.geodesy import unit_sphere
from geolive.splits import place_numbers

NEIGHBOURS = 8
PERMUTATIONS = 499


@dataclass(frozen=True)
class Moran:
    """Moran's I and its p-value.

    Parameters
    ----------
    value : float
        About 0 where errors are scattered, towards 1 where near places have like errors.
    p : float
        Share of permutations, the observed one included, with an I at least as high.
    n : int
        Places.
    """

    value: float
    p: float
    n: int


def morans_i(positions: np.ndarray, residuals: np.ndarray, k: int = NEIGHBOURS, random_state: int = 0) -> Moran:
    """Compute Moran's I of residuals at places, each with its k nearest places as neighbours and row-standardised weights.

    Rows at one coordinate are averaged first, because a place would otherwise be its own neighbour. The result equals esda's
    `Moran` on libpysal's row-standardised k nearest neighbours (a test checks it); it is computed here, because importing these
    libraries takes longer than all figures of an evaluation.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    residuals : array of float, shape (n,)
    k : int
        Number of neighbours; all other places where there are fewer.
    random_state : int
        Seed of the permutations.

    Returns
    -------
    Moran
        NaN for fewer than three places or residuals that do not vary.

    Source: Moran 1950, doi 10.1093/biomet/37.1-2.17.

    Examples
    --------
    >>> positions = np.column_stack([np.arange(20.0), np.zeros(20)])
    >>> morans_i(positions, np.arange(20.0), k=2).value > 0.8
    True
    """
    from scipy.spatial import cKDTree

    place = place_numbers(positions)
    rows = np.bincount(place)
    z = np.bincount(place, weights=residuals) / rows
    z = z - z.mean()
    n, k = len(z), min(k, len(z) - 1)
    if n < 3 or not np.isfinite(z).all() or (z**2).sum() <= 1e-24 * n * max(np.abs(residuals).max(), 1e-300) ** 2:
        return Moran(float("nan"), float("nan"), n)
    _, first = np.unique(place, return_index=True)
    sphere = unit_sphere(np.asarray(positions, float)[first])
    near = cKDTree(sphere).query(sphere, k=k + 1)[1]
    # the place itself is the nearest, except where places nearly coincide
    others = np.array([row[row != i][:k] for i, row in enumerate(near)])
    rng = np.random.default_rng(random_state)
    observed = (z @ z[others].mean(axis=1)) / (z @ z)
    chance = np.empty(PERMUTATIONS)
    for i in range(PERMUTATIONS):
        shuffled = rng.permutation(z)
        chance[i] = (shuffled @ shuffled[others].mean(axis=1)) / (z @ z)
    return Moran(float(observed), float((1 + (chance >= observed).sum()) / (1 + PERMUTATIONS)), n)
