"""Whether errors of near places go together: Moran's I of residuals."""

from dataclasses import dataclass

import numpy as np

from geolive.geodesy import unit_sphere
from geolive.splits import place_numbers

NEIGHBOURS = 8
PERMUTATIONS = 499


@dataclass(frozen=True)
class Moran:
    """Moran's I, and how often chance gives as much.

    Parameters
    ----------
    value : float
        About 0 where errors are scattered, towards 1 where near places err alike.
    p : float
        Share of permutations, this one included, with an I at least as high.
    n : int
        Places.
    """

    value: float
    p: float
    n: int


def morans_i(positions: np.ndarray, residuals: np.ndarray, k: int = NEIGHBOURS, seed: int = 0) -> Moran:
    """Moran's I of residuals at places, each with its k nearest as neighbours, weights adding up to 1.

    Rows at one coordinate are averaged first: otherwise a place would be its own neighbour. Equal to esda's `Moran` on
    libpysal's row-standardised k nearest neighbours (a test); written out here, since importing those takes longer than all of
    this evaluation's figures.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    residuals : array of float, shape (n,)
    k : int
        Neighbours; fewer where there are not so many places.
    seed : int
        Of the permutations.

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
    # the place itself is the nearest, but for places that nearly coincide
    others = np.array([row[row != i][:k] for i, row in enumerate(near)])
    rng = np.random.default_rng(seed)
    found = (z @ z[others].mean(axis=1)) / (z @ z)
    chance = np.empty(PERMUTATIONS)
    for i in range(PERMUTATIONS):
        shuffled = rng.permutation(z)
        chance[i] = (shuffled @ shuffled[others].mean(axis=1)) / (z @ z)
    return Moran(float(found), float((1 + (chance >= found).sum()) / (1 + PERMUTATIONS)), n)
