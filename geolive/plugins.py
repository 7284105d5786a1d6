"""Parts that other packages add to geolive by entry points: models, splitters, indicators and sources.

Nothing of another package is imported before a user names a part of it. A part that cannot be used is refused by name, and
changes nothing else.
"""

import functools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from geolive.errors import InputError
from geolive.terminal_text import clean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# as the command line and results write names: they may end in +VARIANT, and several are joined by commas
PLAIN_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# the first part of a module's name: the package that added it
_LOADED: dict[str, str] = {}


@dataclass(frozen=True)
class Plugin:
    """One part that a package adds.

    Parameters
    ----------
    name : str
        As a user names it.
    package : str
        Name and version of the package that adds it.
    state : str
        "ready", or why it cannot be used.
    """

    name: str
    package: str
    state: str


class PluginGroup:
    """The parts of one kind that the installed packages add.

    Parameters
    ----------
    group : str
        Name of the group of entry points, for example "geolive.models".
    what : str
        What a part is called in messages, for example "model".
    refuses : callable
        Called with a name; returns why no package may use it, or "".
    check : callable
        Called with the loaded object and its name; returns what is wrong with it, or "".

    Examples
    --------
    >>> group = PluginGroup("geolive.nothing", "model", lambda name: "", lambda loaded, name: "")
    >>> "forest" in group, group.names()
    (False, [])
    """

    def __init__(self, group: str, what: str, refuses: Callable[[str], str], check: Callable[[Any, str], str]) -> None:
        self.group, self.what, self._refuses, self._check = group, what, refuses, check

    def __contains__(self, name: object) -> bool:
        """Return whether some package adds a part of this name; it may still be refused."""
        return name in self._found()

    def names(self) -> list[str]:
        """Return the names that packages may use, in order; the parts are not loaded."""
        return [name for name in self._found() if not self._refuses(name)]

    def package(self, name: str) -> str:
        """Return the name of the package that adds a part, as `pip` knows it."""
        return _distribution(self._found()[name][0])[0]

    def load(self, name: str) -> Any:
        """Import a part and check it.

        Raises
        ------
        InputError
            Its name may not be used, several packages add it, its import fails, or it is something else.
        """
        entries = self._found()[name]
        packages = [" ".join(_distribution(entry)) for entry in entries]
        said = f"{self.what} {clean(name)!r} of the package {clean(packages[0])}"
        if reason := self._refuses(name):
            raise InputError(f"{said}: {reason}; its authors must choose another name")
        if len(entries) > 1:
            raise InputError(
                f"{self.what} {name!r}: the packages {clean(' and '.join(packages))} both add it; uninstall one of them"
            )
        _LOADED[entries[0].module.split(".")[0]] = clean(packages[0])
        try:
            loaded = entries[0].load()
            reason = self._check(loaded, name)
        # a package may also end the process as it is imported
        except (Exception, SystemExit) as error:
            reason = f"it cannot be loaded ({type(error).__name__}: {error})"
        if reason:
            remedy = f"report it to its authors, or remove it with: pip uninstall {_distribution(entries[0])[0]}"
            raise InputError(f"{said}: {clean(' '.join(reason.split()))}; {remedy}")
        return loaded

    def listed(self) -> list[Plugin]:
        """Load each part, and return what can be used and why others cannot."""
        rows = []
        for name, entries in self._found().items():
            try:
                self.load(name)
                state = "ready"
            except InputError as error:
                state = str(error)
            rows.append(Plugin(name, ", ".join(" ".join(_distribution(entry)) for entry in entries), state))
        return rows

    def _found(self) -> "dict[str, list[EntryPoint]]":
        return _entries(self.group, tuple(sys.path))


@functools.cache
def _entries(group: str, path: tuple[str, ...]) -> "dict[str, list[EntryPoint]]":
    """Return the entry points of a group by name; the search path is part of the question."""
    from importlib.metadata import entry_points

    found: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entry_points(group=group), key=lambda one: (one.name, _distribution(one))):
        found.setdefault(entry.name, []).append(entry)
    return found


def _distribution(entry: "EntryPoint") -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist is not None else (entry.module, "")


def plain_name_fault(name: str) -> str:
    """Return why a name cannot be written on the command line, or "".

    Examples
    --------
    >>> plain_name_fault("example-trend"), plain_name_fault("a,b")
    ('', 'a name has small letters and digits, with single hyphens between them')
    """
    return "" if PLAIN_NAME.fullmatch(name) else "a name has small letters and digits, with single hyphens between them"


def package_at_fault(trace: TracebackType | None) -> str:
    """Return the package whose code an error comes from, where it is one that was loaded here; else "".

    Parameters
    ----------
    trace : traceback
        Of the error.
    """
    at_fault = ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", "")).split(".")[0]
        # geolive calls the package, and the package may call geolive or another library
        at_fault = _LOADED.get(module, at_fault)
        trace = trace.tb_next
    return at_fault
