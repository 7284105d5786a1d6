"""Options of training in an evaluation: which rows use `epochs`, `iterations`, `batch_size` and `learning_rate`."""

from collections.abc import Iterable, Mapping
from typing import Any

from geolive.errors import InputError
from geolive.evaluation.model_specs import NETWORKS_OF_PHOTOS
from geolive.models.interface import check_integer, check_positive

_ALL = ("epochs", "iterations", "batch_size", "learning_rate")
# the dense network counts passes only, and the authors' network counts steps only
_OPTIONS: dict[str, tuple[str, ...]] = {
    "mlp": ("epochs", "batch_size", "learning_rate"),
    "gcn-authors": ("iterations", "batch_size", "learning_rate"),
    "gcn": _ALL,
    "attention": _ALL,
}


def training_options(
    epochs: int | None, iterations: int | None, batch_size: int | None, learning_rate: float | None
) -> dict[str, Any]:
    """Return the options of training that were given.

    Raises
    ------
    InputError
        A value is not a positive number, or both `epochs` and `iterations` are given.

    Examples
    --------
    >>> training_options(5, None, None, 0.01)
    {'epochs': 5, 'learning_rate': 0.01}
    """
    if epochs is not None and iterations is not None:
        raise InputError(
            f"epochs={epochs}, iterations={iterations}: both set the length of training; give one of them", "iterations"
        )
    given: dict[str, Any] = {"epochs": epochs, "iterations": iterations, "batch_size": batch_size}
    for name, value in given.items():
        if value is not None:
            check_integer(name, value, 1)
    if learning_rate is not None:
        check_positive("learning_rate", learning_rate)
    return {name: value for name, value in (given | {"learning_rate": learning_rate}).items() if value is not None}


def options_by_kind(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the options that each kind of network takes, as `model_specs.find_specs` takes them.

    Examples
    --------
    >>> options_by_kind({"epochs": 5})
    {'mlp': {'epochs': 5}, 'gcn-authors': {}, 'gcn': {'epochs': 5}, 'attention': {'epochs': 5}}
    """
    if not given:
        return {}
    return {kind: {name: given[name] for name in names if name in given} for kind, names in _OPTIONS.items()}


def notes_on_options(rows: Iterable[str], given: Mapping[str, Any]) -> list[str]:
    """Say which rows use an option of training, where not all networks among them do.

    Parameters
    ----------
    rows : iterable of str
        Names of the rows.
    given : mapping of str to number
        The options, as `training_options` returns them.

    Examples
    --------
    >>> for words in notes_on_options(["forest", "mlp", "gcn-obj"], {"epochs": 5, "iterations": 9}):
    ...     print(words)
    iterations=9: is used by gcn-obj; not by mlp, which counts epochs
    >>> notes_on_options(["forest"], {"epochs": 5})
    ['epochs=5: is used by none of these rows; it is for mlp and the networks of photos']
    """
    names, notes = list(rows), []
    for option, value in given.items():
        used = [name for name in names if option in _options_of(name)]
        if not used:
            rows_of_it = "the networks of photos" if option == "iterations" else "mlp and the networks of photos"
            notes.append(f"{option}={value}: is used by none of these rows; it is for {rows_of_it}")
            continue
        others = [f"{name}, {why}" for name in names if name not in used and (why := _why_not(name, option))]
        if others:
            notes.append(f"{option}={value}: is used by {', '.join(used)}; not by {', nor by '.join(others)}")
    return notes


def _kind_of(row: str) -> str | None:
    """Return the kind of network of a row, as `options_by_kind` names it; None where the row is no such network."""
    base = row.partition("+")[0]
    if base == "mlp" or base.startswith("gcn-authors"):
        return "mlp" if base == "mlp" else "gcn-authors"
    return next((kind if kind == "gcn" else "attention" for kind in NETWORKS_OF_PHOTOS if base.startswith(kind)), None)


def _options_of(row: str) -> tuple[str, ...]:
    kind = _kind_of(row)
    return _OPTIONS[kind] if kind else ()


def _why_not(row: str, option: str) -> str:
    """Say why a network does not use an option; empty for rows that are no networks."""
    if row.partition("+")[0] == "imagewise-trained":
        return "which trains as imagewise='ARCH:EPOCHS:SIZE' says"
    return f"which counts {'epochs' if option == 'iterations' else 'iterations'}" if _kind_of(row) else ""
