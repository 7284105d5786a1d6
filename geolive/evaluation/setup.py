"""A split's name and a dataset become a splitter: folds that the dataset can fill, targets to aim at, room around folds."""

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

# fewer sites than this tell little of where a map will be made
FEWEST_TARGETS = 30


def splitter_for(dataset: Dataset, text: str, seed: int = 0, folds: int | None = None, buffer_km: float | None = None):
    """The splitter that a command line names, fitted to a dataset.

    Parameters
    ----------
    dataset : Dataset
        kNNDM aims at the sites that its images outside of clusters form; with fewer than 30, at a grid over the survey.
    text : str
        As `geolive.splits.parse_split` reads it.
    seed : int
    folds : int, optional
        Without it each split's own number, or one a district, state or country where there are fewer of these.
    buffer_km : float, optional
        See `with_buffer`.

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
    splitter = parse_split(text, seed, folds)
    if folds is None and isinstance(splitter, DistrictSplit | StateSplit | CountrySplit):
        units = len(np.unique(splitter.units(dataset.clusters)))
        if units < 2:
            raise InputError(
                f"split {text!r}: all clusters lie in one {splitter.name}, and folds need two; use --split random or blocks:50km"
            )
        splitter = replace(splitter, n_splits=min(splitter.n_splits, units))
    if isinstance(splitter, KnndmSplit):
        sites = dataset.sites
        if len(sites) >= FEWEST_TARGETS:
            splitter = replace(splitter, targets=lonlat(sites.geometry))
    return with_buffer(splitter, dataset, buffer_km)


def with_buffer(splitter, dataset: Dataset, km: float | None = None):
    """A splitter with the buffer of its kind (10 km around spatial folds) and without photo sequences on both sides.

    Parameters
    ----------
    splitter
    dataset : Dataset
    km : float, optional
        Buffer for every split but the official lists and `rows`; without it 10 km around blocks, districts, states and
        countries, and none around random folds and kNNDM, whose distances would no longer be what they are for.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> with_buffer(parse_split("blocks:50km"), make_sample("goa", seed=0)).km
    10.0
    """
    if isinstance(splitter, RowSplit) or not isinstance(splitter, Splitter):
        return splitter
    by_kind = 10.0 if isinstance(splitter, SPATIAL) and not isinstance(splitter, KnndmSplit) else 0.0
    return BufferedSplit(
        splitter=splitter, km=by_kind if km is None else km, sequences=shared_sequences(dataset.images)
    )


def feature_set(dataset: Dataset, name: str | None) -> str | None:
    """The feature set to look at: the one named, or else the only one besides objects; None where there is none.

    Raises
    ------
    InputError
        There is none of that name, or there are several and none is named.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> feature_set(make_sample("goa", seed=0), None) is None
    True
    """
    sets = sorted(set(dataset.features) - {"objects"})
    if name is not None and name not in sets:
        raise InputError(f"{dataset.name}: no feature set {name!r}; it has: {', '.join(sets) or 'none'}")
    if name is None and len(sets) > 1:
        raise InputError(f"{dataset.name}: has several feature sets; choose one with --features: {', '.join(sets)}")
    return name or (sets[0] if sets else None)
