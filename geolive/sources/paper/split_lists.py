"""The paper's split lists: which clusters are for training, which for validation."""

import re
from pathlib import Path

import pandas as pd

from geolive.errors import InputError

_NAME = re.compile(r"(train|val|test)_clusters_([a-z]{2})\.txt")


def read_split_lists(folder: str | Path) -> pd.DataFrame:
    """Read every `train_clusters_XX.txt`, `val_clusters_XX.txt` and `test_clusters_XX.txt` of a folder.

    Parameters
    ----------
    folder : str or Path
        XX is the country ("ia", "ke"). A file has one cluster id per line; blank lines and repeated ids are ignored, and the
        last line may lack its newline.

    Returns
    -------
    DataFrame
        `unique_cluster` (unique), `country`, `split`, in the order of the files' names and of their lines.

    Raises
    ------
    InputError
        The folder is missing or holds no list, a list is not text, or an id is in two lists.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train_clusters_ia.txt").write_text("ia_50001\\nia_50002")
    >>> _ = (folder / "val_clusters_ia.txt").write_text("ia_50003\\n")
    >>> read_split_lists(folder)
      unique_cluster country  split
    0       ia_50001      ia  train
    1       ia_50002      ia  train
    2       ia_50003      ia    val
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give the folder with the split lists (train_clusters_ia.txt, …)")
    list_of: dict[str, tuple[str, str]] = {}
    for path in sorted(folder.iterdir()):
        if (name := _NAME.fullmatch(path.name)) is None:
            continue
        split, country = name.groups()
        for unique_cluster in _ids(path):
            before = list_of.setdefault(unique_cluster, (country, split))
            if before != (country, split):
                raise InputError(
                    f"{path}: {unique_cluster!r} is also in {before[1]}_clusters_{before[0]}.txt; a cluster can be in "
                    "one list only; remove it from one of the two"
                )
    if not list_of:
        raise InputError(
            f"{folder}: holds no split list with cluster ids; name the lists train_clusters_ia.txt, val_clusters_ia.txt and so on"
        )
    rows = [(unique_cluster, country, split) for unique_cluster, (country, split) in list_of.items()]
    return pd.DataFrame(rows, columns=["unique_cluster", "country", "split"], dtype="str")


def _ids(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file and its permissions") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not a text file in UTF-8; a split list has one cluster id on each line") from None
    return [line.strip() for line in text.split("\n") if line.strip()]
