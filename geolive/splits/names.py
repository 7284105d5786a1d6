"""Splits by the names that the command line uses."""

import re

from geolive.errors import InputError
from geolive.splits.admin import CountrySplit, DistrictSplit, StateSplit
from geolive.splits.base import Splitter
from geolive.splits.knndm import KnndmSplit
from geolive.splits.official import OfficialSplit
from geolive.splits.spatial import BlockSplit, RandomSplit, RowSplit

KNOWN_SPLITS = "random, rows, blocks:100km (any size), district, state, country, knndm, official"
_BY_NAME = {
    "random": RandomSplit,
    "rows": RowSplit,
    "district": DistrictSplit,
    "state": StateSplit,
    "country": CountrySplit,
    "knndm": KnndmSplit,
    "official": OfficialSplit,
}


def parse_split(text: str, seed: int = 0, folds: int | None = None) -> Splitter | OfficialSplit:
    """The splitter that a command line names.

    Parameters
    ----------
    text : str
        "random", "rows", "blocks:100km" (any size in kilometres), "district", "state", "country", "knndm" or "official".
    seed : int
    folds : int, optional
        Number of folds; without it each split's own. The official split has one.

    Raises
    ------
    InputError
        There is no such split, or the block size is no number in range.

    Examples
    --------
    >>> parse_split("blocks:50km")
    BlockSplit(n_splits=5, seed=0, km=50.0)
    """
    name = text.strip().lower()
    settings = {"seed": seed} | ({"n_splits": folds} if folds is not None and name != "official" else {})
    if name in _BY_NAME:
        return _BY_NAME[name](**settings)
    kind, _, size = name.partition(":")
    if kind != "blocks":
        raise InputError(f"no split {text!r}; use one of: {KNOWN_SPLITS}")
    return BlockSplit(km=parse_km(size, f"split {text!r}: the block size", "blocks:100km"), **settings)


def parse_km(text: str, what: str, example: str) -> float:
    """A number of kilometres, with or without its unit.

    Raises
    ------
    InputError
        It is none.

    Examples
    --------
    >>> parse_km("12.5 km", "the buffer", "10km")
    12.5
    """
    number = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+) ?(km)?", text.strip().lower())
    if not number:
        raise InputError(f"{what} must be a number of kilometres, as in {example}")
    return float(number[1])
