"""Add feature sets to a dataset folder."""

import contextlib
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.dataset import Dataset, read_dataset
from geolive.dataset_facts import FACTS, is_word, read_facts
from geolive.errors import InputError
from geolive.files import checksum, replacing


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
    found, array = np.zeros(len(dataset.images), bool), None
    (folder / "features").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder / "features") as temporary:
        file = Path(temporary) / "array.npy"
        for rows, values in blocks:
            if array is None:
                shape = (len(dataset.images), values.shape[1])
                array = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
            array[rows] = values
            found[rows] = True
        if array is None or not found.any():
            raise InputError(f"{folder}: none of its images is in the features; check that the keys are this dataset's")
        array[~found] = np.nan
        array.flush()
        missing = dataset.images["key"][~found]
        place_features(folder, name, file, pd.DataFrame({"key": missing}), about)
    return missing.tolist()


def place_features(folder: str | Path, name: str, file: Path, missing: pd.DataFrame, about: dict) -> None:
    """Move a finished file of features and the facts about it into a dataset folder; `dataset.json` is written last.

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
    with contextlib.ExitStack() as stack:
        # in this order they are put into place last to first: the facts last, when what they list is there
        new_facts = stack.enter_context(replacing(folder / FACTS))
        files = {end: stack.enter_context(replacing(folder / f"{stem}{end}")) for end in (".json", ".missing.parquet")}
        missing.to_parquet(files[".missing.parquet"], index=False)
        files[".json"].write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        facts = read_facts(folder)
        facts["features"] = sorted([*facts["features"], name])
        facts["checksums"] |= {f"{stem}{end}": checksum(path) for end, path in (files | {".npy": file}).items()}
        new_facts.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        file.replace(folder / f"{stem}.npy")


def check_feature_name(dataset: Dataset, name: str) -> None:
    """Raise InputError if a feature set of that name cannot be added."""
    if not is_word(name) or name.endswith(".missing"):
        raise InputError(f"--name {name!r}: use letters, digits, _, - and . only")
    if name in dataset.features:
        raise InputError(
            f"{dataset.name}: has a feature set {name!r} already, and nothing is overwritten; use another --name"
        )
