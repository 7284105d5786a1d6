"""A detector's classes and a dataset's: matched by name, never by number."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.tables import VOID, vistas_classes

_VOID_NAMES = ("void", "unlabeled", "unlabelled")
_MOST_LISTED = 70
# names of a detector's labels that stand for none: torchvision's lists have them
NO_CLASS = ("__background__", "n/a", "")


def dataset_classes(dataset: Dataset) -> list[str]:
    """The names of a dataset's 65 classes, column by column of its object counts; void is the 66th.

    Returns
    -------
    list of str
        Those of its source, where it had any (`extra.class_names`), else Mapillary Vistas' in the paper's order.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> dataset_classes(make_sample("goa", seed=0))[22]
    'Vegetation'
    """
    standard = vistas_classes()["name"].tolist()
    named = dataset.extra.get("class_names") or {}
    items = named.items() if isinstance(named, dict) else enumerate(named)
    known = {int(index): str(name) for index, name in items}
    return [known.get(index, name) for index, name in enumerate(standard)]


def match_classes(
    detected: Sequence[str], classes: Sequence[str], where: str, renamed: dict[str, str | None] | None = None
) -> dict[str, int | None]:
    """The column of object counts that each of a detector's classes belongs to.

    Parameters
    ----------
    detected : sequence of str
        The detector's classes; letter case, spaces and punctuation do not matter.
    classes : sequence of str
        The dataset's.
    where : str
        The detector, for errors.
    renamed : dict of str to (str or None), optional
        Dataset's class of a detector's class, None for one to leave out.

    Returns
    -------
    dict of str to (int or None)
        None: left out.

    Raises
    ------
    InputError
        A class has no counterpart; the message lists both.

    Examples
    --------
    >>> match_classes(["Traffic sign front", "Unlabeled"], ["Bird", "Traffic Sign (Front)"], "net")
    {'Traffic sign front': 1, 'Unlabeled': 65}
    """
    column = {_plain(name): index for index, name in enumerate(classes)} | dict.fromkeys(_VOID_NAMES, VOID)
    renamed, matched, unmatched = renamed or {}, {}, []
    for name in detected:
        target = renamed.get(name, name)
        if target is None or target.lower() in NO_CLASS:
            matched[name] = None
        elif _plain(target) in column:
            matched[name] = column[_plain(target)]
        else:
            unmatched.append(target)
    if unmatched:
        raise InputError(
            f"{where}: {len(unmatched)} of its classes are not among the dataset's: {_listed(unmatched)}; the dataset has: "
            f"{_listed(classes)}; tell what each is, or that it is left out, with --classes"
        )
    return matched


def read_classes(path: str | Path) -> tuple[list[str], dict[str, str | None]]:
    """Read a CSV file that names a detector's classes and, where their names differ, the dataset's.

    Parameters
    ----------
    path : str or Path
        Columns `name`, in the order of the detector's labels from 0, and optionally `class`: the dataset's name, or empty to
        leave that class out.

    Returns
    -------
    names : list of str
    renamed : dict of str to (str or None)

    Raises
    ------
    InputError
        There is no such file, or it has no column `name`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "classes.csv"
    >>> _ = path.write_text("name,class\\nperson,Person\\ncup,\\n")
    >>> read_classes(path)
    (['person', 'cup'], {'person': 'Person', 'cup': None})
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows, columns = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}); needed is a CSV file with a column 'name'") from None
    if "name" not in columns:
        raise InputError(f"{path}: no column 'name'; its columns are: {', '.join(columns) or 'none'}")
    names = [(row["name"] or "").strip() for row in rows]
    if "class" not in columns:
        return names, {}
    return names, {name: (row["class"] or "").strip() or None for name, row in zip(names, rows, strict=True)}


def stuff_classes(detected: dict[str, int | None]) -> set[str]:
    """The detector's classes that are counted by segment, sky for example, not by instance.

    Examples
    --------
    >>> stuff_classes({"sky": 20, "Person": 12}) <= {"sky", "Person"}
    True
    """
    kind = [*vistas_classes()["kind"], "stuff"]
    return {name for name, column in detected.items() if column is not None and kind[column] == "stuff"}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().casefold()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_LISTED]) + (", …" if len(names) > _MOST_LISTED else "")
