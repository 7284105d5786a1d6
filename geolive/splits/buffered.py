"""Room between training and test: clusters too near to a fold, or photographed on the same way, are not learnt from."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.geodesy import km_to_chord, unit_sphere
from geolive.splits.base import Splitter, positions_of


@dataclass(frozen=True, kw_only=True)
class BufferedSplit:
    """Another splitter's folds, with training clusters dropped that are too near to the fold or share a photo sequence with it.

    Surveys displace their points on purpose (DHS: by up to 10 km), so a cluster just across a block's edge may be the
    test cluster's neighbour. Photos of one sequence show the same streets in the same light.

    Parameters
    ----------
    splitter : Splitter
        Makes the folds.
    km : float
        Great-circle distance from any test cluster within which training clusters are dropped; 0 keeps them all.
    sequences : DataFrame, optional
        `unique_cluster`, `sequence_id`, as `shared_sequences` gives them; X must then be a clusters table.

    Examples
    --------
    >>> from geolive.splits import RandomSplit
    >>> places = np.column_stack([[80, 80.05, 85, 86], np.full(4, 25)])
    >>> [learn.tolist() for learn, test in BufferedSplit(splitter=RandomSplit(n_splits=4), km=10).split(places)]
    [[0, 1, 3], [2, 3], [2, 3], [0, 1, 2]]
    """

    splitter: Splitter
    km: float = 10.0
    sequences: pd.DataFrame | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.km <= 1000:
            raise InputError(f"a buffer of {self.km:g} km: it must be from 0 to 1,000 km")

    @property
    def n_splits(self) -> int:
        """Number of folds."""
        return self.splitter.n_splits

    @property
    def seed(self) -> int:
        """The splitter's seed."""
        return self.splitter.seed

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Number of folds."""
        return self.splitter.get_n_splits(X, y, groups)

    def units(self, X, groups=None) -> np.ndarray:
        """Number of each row's unit: rows of one unit stay together, and are resampled together in intervals."""
        return self.splitter.units(X, groups)

    def split(self, X, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row numbers to learn from and to test on, for each fold.

        Raises
        ------
        InputError
            Nothing is left to learn from.
        """
        sphere = unit_sphere(positions_of(X))
        for fold, (learn, test) in enumerate(self.splitter.split(X, y, groups)):
            kept = learn[~self._near(sphere, learn, test)]
            kept = kept[~self._same_sequence(X, kept, test)]
            if not len(kept):
                raise InputError(
                    f"fold {fold + 1}: every training cluster lies within {self.km:g} km of the fold or shares a photo "
                    "sequence with it; use a smaller --buffer, larger blocks or another split"
                )
            yield kept, test

    def _near(self, sphere: np.ndarray, learn: np.ndarray, test: np.ndarray) -> np.ndarray:
        from scipy.spatial import cKDTree

        if self.km == 0 or not len(test):
            return np.zeros(len(learn), bool)
        chord, _ = cKDTree(sphere[test]).query(sphere[learn])
        return chord < km_to_chord(self.km)

    def _same_sequence(self, X, learn: np.ndarray, test: np.ndarray) -> np.ndarray:
        if self.sequences is None or self.sequences.empty:
            return np.zeros(len(learn), bool)
        names = X["unique_cluster"].to_numpy(object)
        tested = self.sequences["unique_cluster"].isin(names[test])
        ways = set(self.sequences.loc[tested, "sequence_id"])
        sharing = set(self.sequences.loc[self.sequences["sequence_id"].isin(ways), "unique_cluster"])
        return np.array([name in sharing for name in names[learn]], bool)


def shared_sequences(images: gpd.GeoDataFrame) -> pd.DataFrame:
    """The photo sequences that pass through more than one cluster.

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
