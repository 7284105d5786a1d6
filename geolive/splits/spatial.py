"""Folds by position alone: places at random, rows at random, and blocks of a grid."""

from dataclasses import dataclass, field

import numpy as np

from geolive.errors import InputError
from geolive.splits.base import Splitter, assign_folds, n_rows, parse_km
from geolive.splits.positions import place_numbers
from geolive.wording import count_of


@dataclass(frozen=True, repr=False)
class RandomSplit(Splitter):
    """Split places at random; rows at one place share a fold.

    Use it to learn how well a model fills gaps between surveyed places. Do not use it alone to learn how well a model
    predicts away from surveyed places: test and training places lie side by side, so a model that only remembers its
    neighbourhood has high scores (Roberts et al. 2017, doi:10.1111/ecog.02881).

    Parameters
    ----------
    n_splits : int, default 5
        Number of folds; they hold about the same number of rows.
    random_state : int, default 0
        Seed of the random number generator.
    positions : array of float, shape (n, 2), GeoSeries or GeoDataFrame, optional
        Position of each row of X, as longitude and latitude in degrees or as points; needed where X holds features.

    See Also
    --------
    BlockSplit : Leaves out whole blocks of a grid.
    RowSplit : Parts the rows of one place.

    Examples
    --------
    Use it with scikit-learn:

    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> lonlat = np.column_stack([np.arange(80, 90), np.full(10, 25)])
    >>> X, y = np.arange(40).reshape(10, 4), np.arange(10)
    >>> len(cross_val_score(KNeighborsRegressor(2), X, y, cv=RandomSplit(positions=lonlat)))
    5

    Folds of 4 rows of 8 places, 0.5° apart:

    >>> from geolive.splits import fold_numbers
    >>> lon, lat = np.meshgrid(np.arange(80, 84, 0.5), np.arange(25, 23, -0.5))
    >>> fold_numbers(RandomSplit(2), np.column_stack([lon.ravel(), lat.ravel()])).reshape(4, 8)
    array([[0, 0, 1, 0, 0, 0, 0, 1],
           [0, 1, 0, 1, 0, 1, 1, 1],
           [1, 1, 0, 1, 0, 1, 0, 0],
           [1, 1, 0, 1, 1, 0, 0, 1]])
    """

    name = "random"


@dataclass(frozen=True, repr=False)
class RowSplit(Splitter):
    """Rows at random, even those at one place: leaks where places repeat.

    Use it only to show the leak beside `RandomSplit`: where a survey came back to its places, a model that is tested on one
    visit was trained on the others. Where each place has one row, the two splits mean the same. It needs no positions.

    Parameters
    ----------
    n_splits : int, default 5
        Number of folds; they hold about the same number of rows.
    random_state : int, default 0
        Seed of the random number generator.
    positions : array of float, shape (n, 2), GeoSeries or GeoDataFrame, optional
        Only needed for `units` and for distances between folds.

    Examples
    --------
    The first two rows are one place, and do not share a fold:

    >>> from geolive.splits import fold_numbers
    >>> eight = np.column_stack([[80, 80, 81, 82, 83, 84, 85, 86], np.full(8, 25)])
    >>> fold_numbers(RowSplit(n_splits=2), eight)
    array([1, 0, 0, 0, 1, 0, 1, 1])
    """

    name = "rows"

    def _folds(self, X, groups) -> np.ndarray:
        n = n_rows(self.positions if X is None and self.positions is not None else X)
        if n < self.n_splits:
            raise InputError(
                f"{count_of(n, 'row')} cannot make {self.n_splits} folds; use fewer folds, or survey more places"
            )
        return assign_folds(np.arange(n), self.n_splits, self.random_state)


@dataclass(frozen=True, repr=False)
class BlockSplit(Splitter):
    """Split by square blocks of an equal-area grid (EPSG:6933); places in one block share a fold.

    Use it to learn how well a model predicts away from surveyed places. A block should be wider than the range of
    spatial correlation. Places near the edge of a block still have near neighbours in training, unless
    `BufferedSplit` leaves these out. Do not use it to judge a map of a densely surveyed country, for which it is too
    strict (Wadoux et al. 2021, doi:10.1016/j.ecolmodel.2021.109692).

    Parameters
    ----------
    km : float or str, default 100
        Side of a block in kilometres, 0.1 to 10,000, as 100 or "100km"; the grid is true in area everywhere, and in shape
        near 30° north and south.
    n_splits : int, default 5
        Number of folds; they hold about the same number of rows.
    random_state : int, default 0
        Seed of the random number generator.
    positions : array of float, shape (n, 2), GeoSeries or GeoDataFrame, optional
        Position of each row of X, as longitude and latitude in degrees or as points; needed where X holds features.

    See Also
    --------
    BufferedSplit : Drops training rows near the test rows.
    KnndmSplit : Matches the distances to those of the places to predict.

    Examples
    --------
    >>> BlockSplit("100km")
    BlockSplit(km=100.0, n_splits=5, random_state=0)

    Folds of 4 rows of 8 places, 0.5° apart, in blocks of about 1.9 by 2.3 places each:

    >>> from geolive.splits import fold_numbers
    >>> lon, lat = np.meshgrid(np.arange(80, 84, 0.5), np.arange(25, 23, -0.5))
    >>> places = np.column_stack([lon.ravel(), lat.ravel()])
    >>> fold_numbers(BlockSplit("100km", n_splits=2), places).reshape(4, 8)
    array([[0, 0, 0, 0, 0, 0, 1, 1],
           [0, 0, 0, 0, 0, 0, 1, 1],
           [1, 1, 0, 0, 1, 1, 1, 1],
           [1, 1, 0, 0, 1, 1, 1, 1]])
    """

    n_splits: int = field(default=5, kw_only=True)
    km: float | str = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        km = parse_km(self.km, f"km={self.km!r}: the side of a block", "100km")
        if not 0.1 <= km <= 10_000:
            raise InputError(f"km={self.km!r}: the side of a block must be from 0.1 to 10,000 km")
        object.__setattr__(self, "km", km)

    @property
    def name(self) -> str:  # type: ignore[override]
        """Name of the split in results, for example "blocks:100km"."""
        return f"blocks:{self.km:g}km"

    def units(self, X=None, groups=None) -> np.ndarray:
        """Return the number of each row's block; rows at one place are in the block of the place's first row."""
        from pyproj import Transformer

        positions = self.positions_for(X)
        _, first, place = np.unique(place_numbers(positions), return_index=True, return_inverse=True)
        to_metres = Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)
        metres = np.column_stack(to_metres.transform(*positions[first].T))
        block = np.unique(np.floor(metres / (1000 * float(self.km))), axis=0, return_inverse=True)[1].reshape(-1)
        return block[place.reshape(-1)]

    def _too_few(self, count: int) -> str:
        return (
            f"{count_of(count, 'block')} of {self.km:g} km hold{'s' if count == 1 else ''} all clusters, too few for "
            f"{self.n_splits} folds; use smaller blocks (blocks:{float(self.km) / 2:g}km) or fewer folds"
        )
