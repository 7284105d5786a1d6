"""Folds by position alone: places at random, rows at random, blocks of a grid."""

from dataclasses import dataclass

import numpy as np

from geolive.errors import InputError
from geolive.splits.base import Splitter, assign_folds, place_numbers, positions_of


@dataclass(frozen=True, kw_only=True)
class RandomSplit(Splitter):
    """Places at random.

    Use it to learn how well a model fills in between surveyed places. Do not use it alone to say how well a model does
    where nobody surveyed: validation and training places lie side by side, so a model that only remembers the
    neighbourhood does well (Roberts et al. 2017, doi:10.1111/ecog.02881).

    Parameters
    ----------
    n_splits : int
        Number of folds; they hold about the same number of clusters.
    seed : int

    Examples
    --------
    Folds of a row of eight places, of which the first two are one place:

    >>> from geolive.splits import fold_numbers
    >>> eight = np.column_stack([[80, 80, 81, 82, 83, 84, 85, 86], np.full(8, 25)])
    >>> fold_numbers(RandomSplit(n_splits=2), eight)
    array([0, 0, 1, 1, 0, 1, 0, 1])
    """


@dataclass(frozen=True, kw_only=True)
class RowSplit(Splitter):
    """Rows at random, even those at one coordinate: leaks where places repeat.

    Use it only to show the leak, beside `RandomSplit`: where a survey came back to its places, a model tested on one
    visit has learnt from the others. Where each place has one row the two splits mean the same.

    Parameters
    ----------
    n_splits : int
    seed : int

    Examples
    --------
    The first two rows are one place, and do not share a fold:

    >>> from geolive.splits import fold_numbers
    >>> eight = np.column_stack([[80, 80, 81, 82, 83, 84, 85, 86], np.full(8, 25)])
    >>> fold_numbers(RowSplit(n_splits=2), eight)
    array([1, 0, 0, 0, 1, 0, 1, 1])
    """

    def _folds(self, X, groups) -> np.ndarray:
        n = len(positions_of(X))
        if n < self.n_splits:
            raise InputError(self._too_few(n))
        return assign_folds(np.arange(n), self.n_splits, self.seed)


@dataclass(frozen=True, kw_only=True)
class BlockSplit(Splitter):
    """Square blocks of an equal-area grid (EPSG:6933), whole blocks to a fold.

    Use it to learn how well a model does away from surveyed places. A block should be wider than the reach of spatial
    correlation; places near a block's edge still have near neighbours in training. Do not use it to judge a map of a
    densely surveyed country, for which it is too strict (Wadoux et al. 2021, doi:10.1016/j.ecolmodel.2021.109692).

    Parameters
    ----------
    n_splits : int
        Number of folds; they hold about the same number of clusters.
    seed : int
    km : float
        Side of a block in kilometres, 0.1 to 10,000; true in area everywhere, in shape near 30° north and south.

    Examples
    --------
    Folds of 4 rows of 8 places, 0.5° apart, in blocks of about 1.9 by 2.3 places each:

    >>> from geolive.splits import fold_numbers
    >>> lon, lat = np.meshgrid(np.arange(80, 84, 0.5), np.arange(25, 23, -0.5))
    >>> places = np.column_stack([lon.ravel(), lat.ravel()])
    >>> fold_numbers(BlockSplit(n_splits=2, km=100), places).reshape(4, 8)
    array([[0, 0, 0, 0, 0, 0, 1, 1],
           [0, 0, 0, 0, 0, 0, 1, 1],
           [1, 1, 0, 0, 1, 1, 1, 1],
           [1, 1, 0, 0, 1, 1, 1, 1]])
    """

    km: float = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.1 <= self.km <= 10_000:
            raise InputError(f"blocks of {self.km:g} km: the side of a block must be from 0.1 to 10,000 km")

    def units(self, X, groups=None) -> np.ndarray:
        """Number of each row's block; rows at one place are in the block of the place's first row."""
        from pyproj import Transformer

        positions = positions_of(X)
        _, first, place = np.unique(place_numbers(positions), return_index=True, return_inverse=True)
        to_metres = Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)
        metres = np.column_stack(to_metres.transform(*positions[first].T))
        block = np.unique(np.floor(metres / (1000 * self.km)), axis=0, return_inverse=True)[1].reshape(-1)
        return block[place.reshape(-1)]

    def _too_few(self, count: int) -> str:
        return (
            f"{count} blocks of {self.km:g} km hold all clusters, too few for {self.n_splits} folds; "
            f"use smaller blocks (blocks:{self.km / 2:g}km) or fewer folds"
        )
