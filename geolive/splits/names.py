"""Splits by the names that the command line and results use."""

from typing import Any

from geolive.errors import InputError
from geolive.plugins import PluginGroup, plain_name_fault
from geolive.splits.admin import CountrySplit, DistrictSplit, StateSplit
from geolive.splits.base import Splitter, parse_km
from geolive.splits.knndm import KnndmSplit
from geolive.splits.official import OfficialSplit
from geolive.splits.spatial import BlockSplit, RandomSplit, RowSplit

KNOWN_SPLITS = "random, rows, blocks:100km (any size), district, state, country, knndm, official"
_BY_NAME: dict[str, type[Splitter]] = {
    one.name: one for one in (RandomSplit, RowSplit, DistrictSplit, StateSplit, CountrySplit, KnndmSplit)
}


def _name_fault(name: str) -> str:
    own = name in _BY_NAME or name in (OfficialSplit.name, "blocks")
    return "the name is geolive's own" if own else plain_name_fault(name)


def _class_fault(loaded: Any, name: str) -> str:
    if not isinstance(loaded, type) or not issubclass(loaded, Splitter):
        return f"it is not a class that derives from {Splitter.__module__}.Splitter"
    if loaded.name != name:
        return f"the class has name = {loaded.name!r}, which must be the name of the entry point"
    return ""


ADDED_SPLITTERS = PluginGroup("geolive.splitters", "splitter", _name_fault, _class_fault)


def parse_split(text: str, random_state: int = 0, n_splits: int | None = None) -> Splitter | OfficialSplit:
    """Make the splitter of a given name.

    Parameters
    ----------
    text : str
        "random", "rows", "blocks:100km" (any size in kilometres), "district", "state", "country", "knndm" or "official",
        or the name of a splitter that another package adds.
    random_state : int, default 0
        Seed of the random number generator.
    n_splits : int, optional
        Number of folds; by default each split's own. The official split always has one.

    Raises
    ------
    InputError
        There is no such split, the package that adds it is broken, or the block size is not a number in range.

    Examples
    --------
    >>> parse_split("blocks:50km")
    BlockSplit(km=50.0, n_splits=5, random_state=0)
    """
    name = text.strip().lower()
    if name == OfficialSplit.name:
        return OfficialSplit()
    settings: dict = {"random_state": random_state} | ({} if n_splits is None else {"n_splits": n_splits})
    if name in _BY_NAME:
        return _BY_NAME[name](**settings)
    if name in ADDED_SPLITTERS:
        return ADDED_SPLITTERS.load(name)(**settings)
    kind, _, size = name.partition(":")
    if kind != "blocks":
        raise InputError(f"no split {text!r}; use one of: {', '.join([KNOWN_SPLITS, *ADDED_SPLITTERS.names()])}")
    return BlockSplit(parse_km(size, f"split {text!r}: the block size", "blocks:100km"), **settings)
