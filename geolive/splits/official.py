"""The split that comes with the data."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.splits.positions import is_points, place_numbers, positions_of

_REMEDY = "read the table with its split lists (read_paper(splits='FOLDER')), or use the split random or blocks:100km"


@dataclass(frozen=True)
class OfficialSplit:
    """The lists that came with the data, in the column `split` of the clusters: one fold.

    It trains on "train" (and "val", where there is a "test") and tests on "test", or on "val" where there is no test list.
    Use it to compare with published figures. Do not use it for more: the authors' lists are one random draw, so training
    and validation clusters lie side by side.

    Examples
    --------
    >>> from geolive.tables import points
    >>> import geopandas as gpd
    >>> clusters = gpd.GeoDataFrame({"split": ["train", "val", None]}, geometry=points([80, 81, 82], [25, 25, 25]))
    >>> [(train.tolist(), test.tolist()) for train, test in OfficialSplit().split(clusters)]
    [([0], [1])]
    """

    n_splits: int = field(default=1, init=False, repr=False)

    name: ClassVar[str] = "official"

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """Return the number of folds, 1."""
        return 1

    def split(self, X, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the row numbers of the training and of the test part, once.

        Parameters
        ----------
        X : GeoDataFrame or array, shape (n, ...)
            Clusters with the column `split`, or any data.
        y
            Not used; scikit-learn passes it.
        groups : array of str, shape (n,), optional
            "train", "val", "test" or missing for each row, where X has no column `split`.

        Raises
        ------
        InputError
            No cluster is in the lists, or there is none to train on or to test on.
        """
        listed = X["split"] if isinstance(X, pd.DataFrame) and "split" in X else groups
        if listed is None or pd.isna(np.asarray(listed, object)).all():
            raise InputError(f"split 'official': no cluster is in a split list; {_REMEDY}")
        names = np.asarray(listed, object)
        tested = "test" if (names == "test").any() else "val"
        train = np.flatnonzero(np.isin(names, ["train", "val"]) & (names != tested))
        test = np.flatnonzero(names == tested)
        for part, rows in (("train", train), (tested, test)):
            if not len(rows):
                raise InputError(f"split 'official': no cluster with a value is in the list {part!r}; {_REMEDY}")
        yield train, test

    def units(self, X, groups=None) -> np.ndarray:
        """Return the number of each row's place."""
        return place_numbers(self.positions_for(X))

    def positions_for(self, X) -> np.ndarray:
        """Return longitude and latitude of each row of the points X."""
        if not is_points(X):
            raise InputError("OfficialSplit needs a GeoDataFrame of points to know positions; give it the clusters")
        return positions_of(X)
