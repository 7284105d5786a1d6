"""Matches the classes of a detector or a table with those of a dataset, by name and never by number."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.table_files import bounded_lines
from geolive.tables import VOID, vistas_classes
from geolive.wording import count_of

_VOID_NAMES = ("void", "unlabeled", "unlabelled")
_MOST_LISTED = 70
# names in torchvision's lists that are no class
NO_CLASS = ("__background__", "n/a", "")


def dataset_classes(dataset: Dataset) -> list[str]:
    """Return the names of a dataset's 65 classes in the order of its object counts; the 66th column is void.

    Returns
    -------
    list of str
        The names of its source, if it has any (`extra.class_names`), else those of Mapillary Vistas in the paper's order.

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
    """Find the column of object counts for each class of a detector.

    Parameters
    ----------
    detected : sequence of str
        Classes of the detector; letter case, spaces and punctuation are ignored.
    classes : sequence of str
        Classes of the dataset.
    where : str
        Name of the detector, for error messages.
    renamed : dict of str to (str or None), optional
        The dataset's class for a class of the detector; None leaves the class out.

    Returns
    -------
    dict of str to (int or None)
        None where the class is left out.

    Raises
    ------
    InputError
        A class has no counterpart; the message lists the classes of both.

    Examples
    --------
    >>> match_classes(["Traffic sign front", "Unlabeled"], ["Bird", "Traffic Sign (Front)"], "net")
    {'Traffic sign front': 1, 'Unlabeled': 65}
    """
    matched, unmatched = find_classes(detected, classes, renamed)
    if unmatched:
        raise InputError(
            f"{where}: the dataset lacks {count_of(len(unmatched), 'class', 'classes')} of it: {_listed(unmatched)}; the "
            f"dataset has: {_listed(classes)}; give a CSV file with their counterparts, classes='FILE' (columns name and class)"
        )
    return matched


def find_classes(
    names: Sequence[str], classes: Sequence[str], renamed: dict[str, str | None] | None = None
) -> tuple[dict[str, int | None], list[str]]:
    """Find the column of object counts for each name of a class, and the names without a counterpart.

    Parameters
    ----------
    names : sequence of str
        Letter case, spaces and punctuation are ignored.
    classes : sequence of str
        Classes of the dataset.
    renamed : dict of str to (str or None), optional
        The dataset's class for a name; None leaves it out.

    Returns
    -------
    matched : dict of str to (int or None)
        None where the class is left out.
    unmatched : list of str
        Names, after they were renamed, that are no class of the dataset.

    Examples
    --------
    >>> find_classes(["bird", "Traffic_Sign_Front", "dodo"], ["Bird", "Traffic Sign (Front)"])
    ({'bird': 0, 'Traffic_Sign_Front': 1}, ['dodo'])
    """
    column = {_plain(name): index for index, name in enumerate(classes)} | dict.fromkeys(_VOID_NAMES, VOID)
    renamed, unmatched = renamed or {}, []
    matched: dict[str, int | None] = {}
    for name in names:
        target = renamed.get(name, name)
        if target is None or target.lower() in NO_CLASS:
            matched[name] = None
        elif _plain(target) in column:
            matched[name] = column[_plain(target)]
        else:
            unmatched.append(target)
    return matched, unmatched


def read_classes(path: str | Path) -> tuple[list[str], dict[str, str | None]]:
    """Read a CSV file that names the classes of a detector and, where the names differ, those of the dataset.

    Parameters
    ----------
    path : str or Path
        A file with the column `name`, in the order of the detector's labels from 0, and optionally `class`: the dataset's name,
        or empty to leave the class out.

    Returns
    -------
    names : list of str
    renamed : dict of str to (str or None)

    Raises
    ------
    InputError
        The file is missing, or has no column `name`.

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
            reader = csv.DictReader(bounded_lines(path, file), strict=True)
            rows, columns = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a CSV file with the columns name and class") from None
    if "name" not in columns:
        raise InputError(f"{path}: no column 'name'; add it (its columns are: {', '.join(columns) or 'none'})")
    names = [(row["name"] or "").strip() for row in rows]
    if "class" not in columns:
        return names, {}
    return names, {name: (row["class"] or "").strip() or None for name, row in zip(names, rows, strict=True)}


def stuff_classes(detected: dict[str, int | None]) -> set[str]:
    """Return the classes of a detector that are counted by segment, for example sky, not by instance.

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
