"""Read dataset.json, the facts about a dataset folder."""

import json
import re
from pathlib import Path

from geolive.errors import InputError

SCHEMA_VERSION = 1
FACTS = "dataset.json"


def read_facts(folder: Path) -> dict:
    """Read and check dataset.json of a folder.

    Raises
    ------
    InputError
        The folder is no dataset, or the file is not as geolive writes it.

    Examples
    --------
    >>> read_facts(Path("no/such/folder"))
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/folder: not a dataset (no dataset.json); make one with sample or ingest
    """
    path = folder / FACTS
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        version = facts["schema_version"]
    except FileNotFoundError:
        raise InputError(f"{folder}: not a dataset (no {FACTS}); make one with sample or ingest") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: cannot be read ({type(error).__name__}); make the dataset again") from None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema version {version}, this geolive reads {SCHEMA_VERSION}; make the dataset again"
        )
    covariates = facts.get("covariates", {})
    typed = all(isinstance(facts.get(name), kind) for name, kind in _FACT_TYPES.items()) and (
        isinstance(covariates, dict) and all(isinstance(about, dict) for about in covariates.values())
    )
    # names become paths, so a name is a plain word, and a file lies in the folder
    if not (
        typed and all(map(is_word, facts["features"] + facts["indicators"])) and all(map(_is_inner, facts["checksums"]))
    ):
        raise InputError(f"{path}: not as geolive writes it; make the dataset again")
    return facts


_FACT_TYPES = {
    "source": str,
    "command": str,
    "simulated": bool,
    "indicators": list,
    "thresholds": dict,
    "features": list,
    "extra": dict,
    "checksums": dict,
}


def is_word(name: object) -> bool:
    """Return whether a name has only letters, digits, `_`, `-` and `.`, so that it can be a file's name.

    Examples
    --------
    >>> is_word("resnet34"), is_word("../resnet34")
    (True, False)
    """
    return isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name) is not None


def _is_inner(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")
