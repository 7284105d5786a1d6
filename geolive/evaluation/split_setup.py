"""Make a splitter for a dataset from the name of a split: folds that it can fill, places to predict, buffers around folds."""

from dataclasses import replace

import numpy as np

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.evaluation.tasks import SPATIAL
from geolive.splits import (
    BufferedSplit,
    CountrySplit,
    DistrictSplit,
    KnndmSplit,
    RowSplit,
    Splitter,
    StateSplit,
    parse_split,
    shared_sequences,
)
from geolive.tables import lonlat

# fewer sites than this say little about where a map will be made
FEWEST_TARGETS = 30
BUFFER_KM = 10.0


def splitter_for(
    dataset: Dataset, split: str, random_state: int = 0, n_splits: int | None = None, buffer_km: float | None = None
):
    """Make the splitter of a given name, with the settings that suit a dataset.

    Parameters
    ----------
    dataset : Dataset
    split : str
        As `geolive.splits.parse_split` reads it. For "knndm", the places to predict are the dataset's sites, or a grid over the
        survey where there are fewer than 30 sites.
    random_state : int, default 0
        Seed of the random number generator.
    n_splits : int, optional
        By default each split's own number; one for each district, state or country where there are fewer of these.
    buffer_km : float, optional
        As in `with_buffer`.

    Raises
    ------
    InputError
        There is no such split, or only one unit.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> splitter_for(make_sample("goa", seed=0), "district").n_splits
    3
    """
    splitter = parse_split(split, random_state, n_splits)
    if n_splits is None and isinstance(splitter, DistrictSplit | StateSplit | CountrySplit):
        units = len(np.unique(splitter.units(dataset.clusters)))
        if units < 2:
            raise InputError(
                f"split {split!r}: all clusters lie in one {splitter.name}, and folds need two; use the split random or "
                "blocks:50km"
            )
        splitter = replace(splitter, n_splits=min(splitter.n_splits, units))
    if isinstance(splitter, KnndmSplit):
        sites = dataset.sites
        if len(sites) >= FEWEST_TARGETS:
            splitter = replace(splitter, targets=lonlat(sites.geometry))
    return with_buffer(splitter, dataset, buffer_km)


def with_buffer(splitter, dataset: Dataset, km: float | None = None):
    """Make a splitter with the buffer of its kind, and without photo sequences in both training and test part.

    Parameters
    ----------
    splitter
    dataset : Dataset
    km : float, optional
        Buffer for every split but the official lists and `rows`. By default 10 km around blocks, districts, states and
        countries, and none around random folds and kNNDM, whose distances a buffer would change.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> with_buffer(parse_split("blocks:50km"), make_sample("goa", seed=0)).km
    10.0
    """
    if isinstance(splitter, RowSplit) or not isinstance(splitter, Splitter):
        return splitter
    by_kind = BUFFER_KM if isinstance(splitter, SPATIAL) and not isinstance(splitter, KnndmSplit) else 0.0
    return BufferedSplit(splitter, by_kind if km is None else km, sequences=shared_sequences(dataset.images))
