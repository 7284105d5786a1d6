"""Distance between training and test: training clusters too near to a fold, or in one photo sequence with it, are dropped."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.geodesy import km_to_chord, unit_sphere
from geolive.splits.base import Splitter, parse_km


@dataclass(frozen=True)
class BufferedSplit:
    """Another splitter's folds without the training rows that are too near to the fold or share a photo sequence with it.

    Use it around spatial folds: surveys displace their points on purpose (DHS: by up to 10 km), so a cluster just across a
    block's edge may be the test cluster's neighbour, and photos of one sequence show the same streets in the same light. Do
    not use a wide buffer around random folds: it may drop most of the training part.

    Parameters
    ----------
    splitter : Splitter
        Makes the folds.
    km : float or str, default 10
        Great-circle distance from any test row within which training rows are dropped, as 10 or "10km"; 0 keeps them all.
    sequences : DataFrame, optional
        `unique_cluster`, `sequence_id`, as `shared_sequences` gives them; X must then be a clusters table.

    Examples
    --------
    >>> from geolive.splits import RandomSplit
    >>> lonlat = np.column_stack([[80, 80.05, 85, 86], np.full(4, 25)])
    >>> splitter = BufferedSplit(RandomSplit(n_splits=4, positions=lonlat), "10km")
    >>> [train.tolist() for train, test in splitter.split(np.zeros((4, 3)))]
    [[0, 1, 3], [2, 3], [2, 3], [0, 1, 2]]
    """

    splitter: Splitter
    km: float | str = 10.0
    sequences: pd.DataFrame | None = field(default=None, compare=False, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        km = parse_km(self.km, f"km={self.km!r}: the buffer", "10km")
        if not 0 <= km <= 1000:
            raise InputError(f"km={self.km!r}: a buffer must be from 0 to 1,000 km")
        object.__setattr__(self, "km", km)

    @property
    def name(self) -> str:
        """Name of the split in results: that of the splitter inside."""
        return self.splitter.name

    @property
    def n_splits(self) -> int:
        """Number of folds."""
        return self.splitter.n_splits

    @property
    def random_state(self) -> int:
        """Seed of the splitter inside."""
        return self.splitter.random_state

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Return the number of folds."""
        return self.splitter.get_n_splits(X, y, groups)

    def units(self, X=None, groups=None) -> np.ndarray:
        """Return the number of each row's unit; rows of one unit share a fold and are resampled together in intervals."""
        return self.splitter.units(X, groups)

    def positions_for(self, X=None) -> np.ndarray:
        """Return longitude and latitude of each row of X."""
        return self.splitter.positions_for(X)

    def split(self, X=None, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the row numbers of the training and of the test part of each fold.

        Parameters
        ----------
        X, y, groups
            As for the splitter inside.

        Raises
        ------
        InputError
            No training row is left.
        """
        sphere = unit_sphere(self.positions_for(X))
        for fold, (train, test) in enumerate(self.splitter.split(X, y, groups)):
            kept = train[~self._near(sphere, train, test)]
            kept = kept[~self._same_sequence(X, kept, test)]
            if not len(kept):
                raise InputError(
                    f"fold {fold + 1}: every training cluster lies within {self.km:g} km of the fold or shares a photo "
                    "sequence with it; use a smaller buffer, larger blocks or another split"
                )
            yield kept, test

    def _near(self, sphere: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        from scipy.spatial import cKDTree

        if self.km == 0 or not len(test):
            return np.zeros(len(train), bool)
        chord, _ = cKDTree(sphere[test]).query(sphere[train])
        return chord < km_to_chord(np.asarray(self.km, float))

    def _same_sequence(self, X, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        if self.sequences is None or self.sequences.empty:
            return np.zeros(len(train), bool)
        if not isinstance(X, pd.DataFrame) or "unique_cluster" not in X:
            raise InputError("sequences: X must be a clusters table with the column 'unique_cluster'")
        names = X["unique_cluster"].to_numpy(object)
        tested = self.sequences["unique_cluster"].isin(names[test])
        in_test = set(self.sequences.loc[tested, "sequence_id"])
        sharing = set(self.sequences.loc[self.sequences["sequence_id"].isin(in_test), "unique_cluster"])
        return np.array([name in sharing for name in names[train]], bool)


def shared_sequences(images: gpd.GeoDataFrame) -> pd.DataFrame:
    """Find the photo sequences that pass through more than one cluster.

    Parameters
    ----------
    images : GeoDataFrame
        An images table; without the column `sequence_id` there are none.

    Returns
    -------
    DataFrame
        `unique_cluster`, `sequence_id`: a row for each cluster that a shared sequence passes through.

    Examples
    --------
    >>> images = pd.DataFrame({"unique_cluster": ["a", "b", "b", None], "sequence_id": ["s", "s", "t", "t"]})
    >>> shared_sequences(images).to_numpy().tolist()
    [['a', 's'], ['b', 's']]
    """
    columns = ["unique_cluster", "sequence_id"]
    if "sequence_id" not in images.columns:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    pairs = pd.DataFrame(images[columns]).dropna().drop_duplicates()
    shared = pairs.groupby("sequence_id")["unique_cluster"].transform("size") > 1
    return pairs[shared].sort_values(columns).reset_index(drop=True)
