"""The split that comes with the data."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.splits.base import place_numbers, positions_of

_REMEDY = "read the table with its split lists (ingest paper --splits), or use --split random or blocks:100km"


@dataclass(frozen=True, kw_only=True)
class OfficialSplit:
    """The lists that came with the data: the column `split` of the clusters, one fold.

    Learns from "train" (and "val", where there is a "test") and tests on "test", or on "val" where there is no test list.
    Use it to stand beside published figures. Do not use it for more: the authors' lists are one random draw, so training
    and validation clusters lie side by side.

    Examples
    --------
    >>> from geolive.tables import points
    >>> import geopandas as gpd
    >>> clusters = gpd.GeoDataFrame({"split": ["train", "val", None]}, geometry=points([80, 81, 82], [25, 25, 25]))
    >>> [(learn.tolist(), test.tolist()) for learn, test in OfficialSplit().split(clusters)]
    [([0], [1])]
    """

    seed: int = 0
    n_splits: int = 1

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """One."""
        return 1

    def split(self, X, y=None, groups=None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row numbers to learn from and to test on, once.

        Parameters
        ----------
        X : GeoDataFrame
            Clusters with the column `split`; `groups` are its values where X is anything else.

        Raises
        ------
        InputError
            No cluster is in the lists, or none to learn from or to test on.
        """
        names = X["split"] if isinstance(X, pd.DataFrame) and "split" in X else groups
        if names is None or pd.isna(np.asarray(names, object)).all():
            raise InputError(f"split 'official': no cluster is in a split list; {_REMEDY}")
        names = np.asarray(names, object)
        tested = "test" if (names == "test").any() else "val"
        learn, test = (
            np.flatnonzero(np.isin(names, ["train", "val"]) & (names != tested)),
            np.flatnonzero(names == tested),
        )
        for part, rows in (("train", learn), (tested, test)):
            if not len(rows):
                raise InputError(f"split 'official': no cluster with a value is in the list {part!r}; {_REMEDY}")
        yield learn, test

    def units(self, X, groups=None) -> np.ndarray:
        """Number of each row's place."""
        return place_numbers(positions_of(X))
