"""Sources that other packages add: functions that read files into datasets, and classes of images from the network."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from geolive.dataset import Dataset, check_dataset
from geolive.errors import InputError
from geolive.plugins import PluginGroup, plain_name_fault
from geolive.sources.imagery.source import Source

# names of `fetch images --source` and of the commands of `ingest`
_OWN = (
    "mapillary",
    "panoramax",
    "paper",
    "survey",
    "dhs",
    "photos",
    "images",
    "objects",
    "features",
    "plugin",
    "sample",
)


def _name_fault(name: str) -> str:
    return "the name is geolive's own" if name in _OWN else plain_name_fault(name)


def _source_fault(loaded: Any, name: str) -> str:
    if isinstance(loaded, type):
        return "" if issubclass(loaded, Source) else f"the class does not derive from {Source.__module__}.Source"
    return "" if callable(loaded) else "it is neither a function nor a class"


ADDED_SOURCES = PluginGroup("geolive.sources", "source", _name_fault, _source_fault)


def added_imagery(name: str) -> Source:
    """Make the source of images of a given name, which another package adds.

    Raises
    ------
    InputError
        It is a reader of files, or cannot be used.
    """
    loaded = ADDED_SOURCES.load(name)
    if not isinstance(loaded, type):
        raise InputError(
            f"source={name!r}: reads files, and fetches nothing; use it with: ingest plugin {name}", parameter="source"
        )
    return loaded()


def read_added(name: str, path: str | Path, options: Mapping[str, str] | None = None) -> Dataset:
    """Read a file with a reader that another package adds.

    Parameters
    ----------
    name : str
        Name of the reader, as its package registers it in the group `geolive.sources` of entry points.
    path : str or Path
        What to read; the reader says whether it is a file or a folder.
    options : dict of str to str, optional
        Passed to the reader as keyword arguments.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        There is no such reader, it has no such option or lacks one, or it returns something else than a dataset.

    Examples
    --------
    >>> read_added("no-such-reader", "survey.xyz")
    Traceback (most recent call last):
    geolive.errors.InputError: no reader 'no-such-reader'; no installed package adds one (plugins lists what packages add)
    """
    if name not in ADDED_SOURCES:
        names = ADDED_SOURCES.names()
        there = f"there are: {', '.join(names)}" if names else "no installed package adds one"
        raise InputError(f"no reader {name!r}; {there} (plugins lists what packages add)")
    reader = ADDED_SOURCES.load(name)
    if isinstance(reader, type):
        raise InputError(f"{name!r} fetches images, and reads no files; use it with: fetch images --source {name}")
    _check_options(name, reader, options or {})
    if not Path(path).exists():
        raise InputError(f"{path}: no such file; check the name")
    dataset = reader(Path(path), **(options or {}))
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"the reader {name!r} of the package {ADDED_SOURCES.package(name)} returned a {type(dataset).__name__}, not a "
            "Dataset; report it to its authors"
        )
    check_dataset(dataset)
    return dataset


def _check_options(name: str, reader: Callable[..., Any], options: Mapping[str, str]) -> None:
    """Raise where the options are none that the reader takes, or one that it needs is missing."""
    parameters = list(inspect.signature(reader).parameters.values())[1:]
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return
    known = [one.name for one in parameters]
    there = f"it has: {', '.join(known)}" if known else "it has none"
    if unknown := next((option for option in options if option not in known), None):
        raise InputError(f"the reader {name!r} has no option {unknown!r}; {there}")
    needed = [one.name for one in parameters if one.default is one.empty and one.kind is not one.VAR_POSITIONAL]
    if missing := next((option for option in needed if option not in options), None):
        raise InputError(f"the reader {name!r} needs the option {missing!r}; add --set {missing}=VALUE")
