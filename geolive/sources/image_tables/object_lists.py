"""Lists of objects in a cell of a table, as detectors write them: JSON, or the same as Python prints it."""

import ast
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from geolive.errors import InputError

# what tools call the class of an object, and the number of objects
_CLASS_NAMES = ("class", "class_name", "label", "name", "category", "category_name", "value", "object")
_COUNT_NAMES = ("count", "n", "number", "n_objects")
_SHOWN = 40
_MOST_NESTED = 200
MOST_OBJECTS = 1 << 32


def objects_in(cell: Any) -> Counter[str]:
    """Count the objects of a cell by class.

    Parameters
    ----------
    cell : str, list, dict or None
        One of: a list of class names; a list of objects with a class (`class`, `label`, `name`, …) and optionally a `count`;
        or an object with a number, or a list of detections, for each class. A text is read as JSON, or as Python prints such
        a list. An empty cell has no objects.

    Raises
    ------
    InputError
        The cell is none of these.

    Examples
    --------
    >>> objects_in('["car", "car", "person"]') == objects_in("{'car': 2, 'person': 1}") == {"car": 2, "person": 1}
    True
    >>> objects_in('[{"label": "car", "score": 0.9, "box": [0, 0, 5, 5]}, {"label": "person", "count": 3}]')
    Counter({'person': 3, 'car': 1})
    """
    if isinstance(cell, str):
        cell = _parsed(cell)
    counts: Counter[str] = Counter()
    if cell is None:
        return counts
    if isinstance(cell, Mapping):
        pairs: Iterable[tuple[str, int]] = _pairs_of_object(cell)
    elif isinstance(cell, list | tuple):
        pairs = (_pair(one) for one in cell)
    else:
        raise InputError(f"is neither a list nor an object {_shown(cell)}")
    for name, number in pairs:
        counts[name] += number
    return Counter({name: number for name, number in counts.items() if number})


def _parsed(text: str) -> Any:
    if text.strip().lower() in ("", "null", "none", "nan"):
        return None
    if len(text) > _MOST_NESTED and text.count("[", 0, _MOST_NESTED) + text.count("{", 0, _MOST_NESTED) >= _MOST_NESTED:
        raise InputError(f"is neither JSON nor a list {_shown(text)}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise InputError(f"is neither JSON nor a list {_shown(text)}") from None


def _pairs_of_object(cell: Mapping) -> Iterable[tuple[str, int]]:
    if any(name in cell and isinstance(cell[name], str) for name in _CLASS_NAMES):
        return [_pair(cell)]  # a single object, not in a list
    return [(_name(name), len(n) if isinstance(n, list | tuple) else _number(n)) for name, n in cell.items()]


def _pair(one: Any) -> tuple[str, int]:
    """Return class and number of an item of a list."""
    if isinstance(one, Mapping):
        name = next((one[key] for key in _CLASS_NAMES if one.get(key) is not None), None)
        if name is None:
            raise InputError(f"has an object without a class ({', '.join(_CLASS_NAMES[:4])}, …) {_shown(dict(one))}")
        count = next((one[key] for key in _COUNT_NAMES if one.get(key) is not None), 1)
        return _name(name), _number(count)
    if isinstance(one, list | tuple) and len(one) == 2:  # (class, number), also how Arrow returns an object of numbers
        return _name(one[0]), _number(one[1])
    return _name(one), 1


def _name(name: Any) -> str:
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise InputError(f"has an object whose class is not a name {_shown(name)}")
    return str(name).strip()


def _number(number: Any) -> int:
    if number is None or number != number:
        return 0
    if isinstance(number, bool) or not isinstance(number, int | float) or number % 1 or not 0 <= number < MOST_OBJECTS:
        raise InputError(f"has a number of objects that is not a count {_shown(number)}")
    return int(number)


def _shown(cell: Any) -> str:
    text = cell if isinstance(cell, str) else repr(cell)
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
