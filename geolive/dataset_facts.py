"""Read dataset.json, the facts about a dataset folder."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geolive.errors import InputError

SCHEMA_VERSION = 1
FACTS = "dataset.json"


def read_facts(folder: Path) -> dict:
    """Read and check dataset.json of a folder.

    Raises
    ------
    InputError
        The folder is not a dataset, or geolive did not write the file.

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
        typed
        and all(map(is_word, facts["features"] + facts["indicators"]))
        and all(map(_is_inner, facts["checksums"]))
        and ("partitions" not in facts or _are_partitions(facts["partitions"]))
    ):
        raise InputError(f"{path}: is not in geolive's format; make the dataset again")
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


def images_checksum(facts: Mapping[str, Any]) -> str:
    """Return a checksum of the images table of a dataset, whose files dataset.json lists.

    Examples
    --------
    >>> images_checksum({"checksums": {"images.parquet": "1f0c", "clusters.parquet": "93aa"}})
    '1f0c'
    """
    checksums = facts["checksums"]
    if "partitions" not in facts:
        return checksums["images.parquet"]
    of_parts = [checksums[f"images/{part['name']}.parquet"] for part in facts["partitions"]["parts"]]
    return hashlib.sha256(" ".join(of_parts).encode()).hexdigest()


def is_word(name: object) -> bool:
    """Return whether a name has only letters, digits, `_`, `-` and `.`, so that it can be a file's name.

    Examples
    --------
    >>> is_word("resnet34"), is_word("../resnet34")
    (True, False)
    """
    return isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name) is not None


def _are_partitions(about: object) -> bool:
    """Whether facts of partitions are as `geolive.partition_files` reads them."""
    parts = about.get("parts") if isinstance(about, dict) else None
    if not (isinstance(about, dict) and isinstance(about.get("by"), str) and isinstance(parts, list) and parts):
        return False
    return all(map(_is_partition, parts)) and len({part["name"] for part in parts}) == len(parts)


def _is_partition(part: object) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("name"), str) or not isinstance(part.get("box"), list):
        return False
    name, images, box = part["name"], part.get("images"), part["box"]
    # a name becomes a path of one or two parts
    named = re.fullmatch(r"[\w%~-][\w.%~-]*(/[\w-]+)?", name) is not None
    counted = isinstance(images, int) and not isinstance(images, bool) and images > 0
    return named and counted and len(box) == 4 and all(isinstance(value, int | float) for value in box)


def _is_inner(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")
