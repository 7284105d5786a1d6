"""Add feature sets to a dataset folder."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.dataset_facts import FACTS, is_word, read_facts
from geolive.dataset_folder import read_dataset
from geolive.errors import InputError
from geolive.files import checksum, replacing
from geolive.npy_file import NpyFile
from geolive.partition_files import Partitions, features_file, rows_of_partitions, write_array
from geolive.temporary_files import locked, make_locked_folder, remove_abandoned_folders

_ROWS_AT_ONCE = 8192


def add_features(
    folder: str | Path, name: str, blocks: Iterable[tuple[np.ndarray, np.ndarray]], about: dict[str, str]
) -> list[str]:
    """Add a feature set to a dataset folder. Nothing else in it is altered, and a failure leaves it as it was.

    Parameters
    ----------
    folder : str or Path
        A dataset.
    name : str
        Of the feature set: letters, digits, `_`, `-`, `.`.
    blocks : iterable of (array of int, array of float)
        Rows of the images table, and their features, shape (rows, columns): as many columns in every block.
    about : dict of str to str
        Facts to keep in the feature set's JSON file.

    Returns
    -------
    list of str
        Keys of the images without features. Their rows are NaN, and `features/NAME.missing.parquet` lists them.

    Raises
    ------
    InputError
        The folder is no sound dataset, it has a feature set of that name, or the blocks hold nothing for its images.

    Examples
    --------
    >>> import tempfile
    >>> import geolive
    >>> folder = Path(tempfile.mkdtemp()) / "goa"
    >>> _ = geolive.write_dataset(geolive.make_sample("goa"), folder)
    >>> missing = add_features(folder, "two", [(np.array([0, 2]), np.ones((2, 5)))], {"source": "an example"})
    >>> read_dataset(folder).features["two"][:3, 0].tolist()
    [1.0, nan, 1.0]
    """
    folder = Path(folder)
    dataset = read_dataset(folder)
    check_feature_name(dataset, name)
    has_features = np.zeros(len(dataset.images), bool)
    (folder / "features").mkdir(exist_ok=True)
    with _temporary_folder(folder / "features") as temporary, contextlib.ExitStack() as stack:
        array: NpyFile | None = None
        for rows, values in blocks:
            if array is None:
                shape = (len(dataset.images), values.shape[1])
                array = stack.enter_context(NpyFile(temporary / "array.npy", shape, "float32"))
            array.write(rows, values)
            has_features[rows] = True
        if array is None or not has_features.any():
            raise InputError(f"{folder}: none of its images is in the features; check that the keys are this dataset's")
        _write_nan(array, np.flatnonzero(~has_features))
        array.flush()
        missing = dataset.images["key"][~has_features]
        place_features(folder, name, array.path, pd.DataFrame({"key": missing}), about)
    return missing.tolist()


def _write_nan(array: NpyFile, rows: np.ndarray) -> None:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        array.write(some, np.full((len(some), array.shape[1]), np.nan))


@contextlib.contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
    """A folder that is removed at the end; those of killed processes are removed first."""
    remove_abandoned_folders(parent)
    folder, lock = make_locked_folder(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def add_array(folder: str | Path, name: str, array: np.ndarray, missing: pd.DataFrame, about: dict[str, Any]) -> None:
    """Add a feature set that is in memory to a dataset folder, in the array's own type.

    Parameters
    ----------
    folder : str or Path
        A dataset without a feature set of that name (`check_feature_name`).
    name : str
    array : array, shape (images, columns)
        Row i belongs to row i of the images table.
    missing : DataFrame
        `key` and `reason` of the images without features.
    about : dict
        Facts to keep in the feature set's JSON file.

    Examples
    --------
    >>> import tempfile
    >>> import geolive
    >>> folder = geolive.write_dataset(geolive.make_sample("goa"), Path(tempfile.mkdtemp()) / "goa")
    >>> ones = np.ones((len(read_dataset(folder).images), 2), np.uint16)
    >>> add_array(folder, "ones", ones, pd.DataFrame({"key": [], "reason": []}), {"source": "an example"})
    >>> read_dataset(folder).features["ones"].dtype
    dtype('uint16')
    """
    features = Path(folder) / "features"
    features.mkdir(exist_ok=True)
    with _temporary_folder(features) as temporary:
        np.save(temporary / "array.npy", array, allow_pickle=False)
        place_features(folder, name, temporary / "array.npy", missing, about)


def place_features(folder: str | Path, name: str, file: Path, missing: pd.DataFrame, about: dict) -> None:
    """Put a finished file of features and the facts about it into a dataset folder; `dataset.json` is written last.

    The file is moved; in a partitioned dataset its rows are copied to a file for each partition.

    Parameters
    ----------
    folder : str or Path
        A dataset without a feature set of that name (`check_feature_name`).
    name : str
    file : Path
        An npy file, row i for row i of the images table, on the disk where the dataset is.
    missing : DataFrame
        `key` of the images without features, and what else is known of them, `reason` for example.
    about : dict
        Facts to keep in the feature set's JSON file.

    Examples
    --------
    >>> import tempfile
    >>> import geolive
    >>> folder = geolive.write_dataset(geolive.make_sample("goa"), Path(tempfile.mkdtemp()) / "goa")
    >>> file = folder / "features" / ".ones.npy"
    >>> np.save(file, np.ones((len(read_dataset(folder).images), 2), np.float16))
    >>> place_features(folder, "ones", file, pd.DataFrame({"key": []}), {"source": "an example"})
    >>> read_dataset(folder).features["ones"].dtype
    dtype('float16')
    """
    folder, stem = Path(folder), f"features/{name}"
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    written = {"name": name, "shape": list(array.shape), "dtype": str(array.dtype), "missing": len(missing), **about}
    partitions = Partitions.from_facts(read_facts(folder))
    checksums = {f"{stem}.npy": checksum(file)} if partitions is None else {}
    # other processes may add features to the same dataset: one after the other reads the facts and writes them
    with locked(folder / "features"), contextlib.ExitStack() as stack:
        facts = read_facts(folder)
        if name in facts["features"]:
            raise InputError(
                f"{folder}: another process has added a feature set {name!r} in the meantime, and geolive overwrites "
                "nothing; use "
                "another name",
                parameter="name",
            )
        # in this order they are put into place last to first: the facts last, when what they list is there
        new_facts = stack.enter_context(replacing(folder / FACTS))
        files = {end: stack.enter_context(replacing(folder / f"{stem}{end}")) for end in (".json", ".missing.parquet")}
        missing.to_parquet(files[".missing.parquet"], index=False)
        files[".json"].write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if partitions is not None:
            checksums = _place_parts(folder, name, array, partitions)
        facts["features"] = sorted([*facts["features"], name])
        facts["checksums"] |= {f"{stem}{end}": checksum(path) for end, path in files.items()} | checksums
        new_facts.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if partitions is None:
            file.replace(folder / f"{stem}.npy")


def _place_parts(folder: Path, name: str, array: np.ndarray, partitions: Partitions) -> dict[str, str]:
    """Write the rows of each partition to a file of its own; return the checksums of these files."""
    checksums = {}
    for partition, rows in rows_of_partitions(folder, partitions):
        part = features_file(name, partition)
        with replacing(folder / part) as temporary:
            write_array(array[rows], temporary)
            checksums[part] = checksum(temporary)
    return checksums


def take_back_features(folder: str | Path, name: str, file: Path) -> None:
    """Move an array to `file` that `place_features` moved before it was killed, so that the work continues from there.

    Parameters
    ----------
    folder : str or Path
        A dataset.
    name : str
    file : Path
        The place that the array was moved from. Where it still exists, or the dataset lists the feature set, nothing is done.

    Examples
    --------
    >>> import tempfile
    >>> import geolive
    >>> folder = geolive.write_dataset(geolive.make_sample("goa"), Path(tempfile.mkdtemp()) / "goa")
    >>> file = folder / "features" / "ones.npy"
    >>> np.save(file, np.ones(3))
    >>> take_back_features(folder, "ones", folder / "taken.npy")
    >>> file.exists()
    False
    """
    folder = Path(folder)
    left = folder / "features" / f"{name}.npy"
    with locked(folder / "features"):
        if left.is_file() and not file.exists() and f"features/{name}.npy" not in read_facts(folder)["checksums"]:
            left.replace(file)


def check_feature_name(dataset: Dataset, name: str) -> None:
    """Raise InputError if a feature set of that name cannot be added."""
    if not is_word(name) or name.endswith(".missing"):
        raise InputError(f"name={name!r}: use letters, digits, _, - and . only")
    if name in dataset.features:
        raise InputError(
            f"{dataset.name}: has a feature set {name!r} already, and geolive overwrites nothing; choose another name"
        )
