"""Covariates of a dataset's clusters and images as two tables, and the files of a dataset folder that hold them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geolive.dataset_facts import is_word
from geolive.dataset_files import check_listed, read_plain_table, write_table
from geolive.errors import InputError
from geolive.partition_files import Partitions, covariates_file, read_partitioned_table

_FOLDER = "covariates"
# each addition is a part of its own, so that files which the facts list are never replaced
_PART = re.compile(rf"{_FOLDER}/clusters-(\d+)\.parquet")


@dataclass(frozen=True, eq=False)
class CovariateTables:
    """Named numbers at the places of clusters and images, with the facts about them.

    Parameters
    ----------
    clusters, images : DataFrame
        One column of float32 or float64 for each covariate, the same names in the same order in both; row i belongs to row i of
        the dataset's table. NaN means missing.
    about : dict of str to dict
        Facts about each covariate: `kind` (raster or table), `file` (a name, never a path), and what else is known: `sha256`,
        `band`, `statistic`, `buffer_km`, `nodata_share`.

    Raises
    ------
    InputError
        The tables differ in their columns, a name is no plain word or occurs twice, or a column does not hold numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> clusters, images = pd.DataFrame({"rain": [800.0, 650.0]}), pd.DataFrame({"rain": [810.0]})
    >>> tables = CovariateTables(clusters, images, {"rain": {"kind": "raster", "file": "rain.tif"}})
    >>> tables.names
    ('rain',)
    """

    clusters: pd.DataFrame
    images: pd.DataFrame
    about: dict[str, dict[str, Any]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "clusters", self.clusters.reset_index(drop=True))
        object.__setattr__(self, "images", self.images.reset_index(drop=True))
        object.__setattr__(self, "about", {name: dict(facts) for name, facts in self.about.items()})
        check_covariate_names(self.clusters.columns)
        if list(self.clusters.columns) != list(self.images.columns) or set(self.about) != set(self.clusters.columns):
            raise InputError(
                "covariates: the tables of clusters and images and the facts must have the same names in the same order",
                parameter="covariates",
            )
        for table in (self.clusters, self.images):
            for name, kind in table.dtypes.items():
                if kind not in (np.dtype("float32"), np.dtype("float64")):
                    raise InputError(
                        f"covariates: {name!r} has the type {kind}; covariates are numbers of type float64 or float32",
                        parameter="covariates",
                    )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the covariates, in the order of the columns."""
        return tuple(self.clusters.columns)

    def take(self, clusters: np.ndarray | slice, images: np.ndarray | slice) -> "CovariateTables":
        """Return the rows of some clusters and some images.

        Examples
        --------
        >>> import pandas as pd
        >>> table = pd.DataFrame({"rain": [800.0, 650.0]})
        >>> CovariateTables(table, table, {"rain": {}}).take([1], []).clusters["rain"].tolist()
        [650.0]
        """
        return CovariateTables(self.clusters.iloc[clusters], self.images.iloc[images], self.about)

    def joined(self, other: "CovariateTables") -> "CovariateTables":
        """Return these covariates and those of `other`, which replace covariates of the same names.

        Examples
        --------
        >>> import pandas as pd
        >>> one, two = (pd.DataFrame({name: [1.0]}) for name in ("rain", "heat"))
        >>> CovariateTables(one, one, {"rain": {}}).joined(CovariateTables(two, two, {"heat": {}})).names
        ('rain', 'heat')
        """
        kept = [name for name in self.names if name not in other.about]
        clusters = pd.concat([self.clusters[kept], other.clusters], axis=1)
        images = pd.concat([self.images[kept], other.images], axis=1)
        return CovariateTables(clusters, images, {name: self.about[name] for name in kept} | other.about)


def check_covariate_names(names: Iterable[object], where: str = "covariates") -> None:
    """Raise InputError if a name is no plain word (letters, digits, `_`, `-`, `.`) or occurs twice.

    Examples
    --------
    >>> check_covariate_names(["rain", "rain"])
    Traceback (most recent call last):
    geolive.errors.InputError: covariates: the name 'rain' occurs twice; give each covariate its own name
    """
    seen = set()
    for name in names:
        if not is_word(name):
            raise InputError(f"{where}: the name {name!r} is not usable; use letters, digits, _, - and . only")
        if name in seen:
            raise InputError(f"{where}: the name {name!r} occurs twice; give each covariate its own name")
        seen.add(name)


def next_part(checksums: Mapping[str, str]) -> int:
    """Return the number of the part that covariates added to a dataset folder make.

    Parameters
    ----------
    checksums : dict of str to str
        The files of the folder, as `dataset.json` lists them.

    Examples
    --------
    >>> next_part({"clusters.parquet": "…", "covariates/clusters-1.parquet": "…"})
    2
    """
    return max(covariate_parts(checksums), default=0) + 1


def part_files(number: int) -> tuple[str, str]:
    """Return the names of the files of one part in a dataset folder: that of clusters, and that of images.

    Examples
    --------
    >>> part_files(1)
    ('covariates/clusters-1.parquet', 'covariates/images-1.parquet')
    """
    return f"{_FOLDER}/clusters-{number}.parquet", f"{_FOLDER}/images-{number}.parquet"


def write_covariates(tables: CovariateTables, folder: Path) -> None:
    """Write covariates as the first part of a new dataset folder.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> table, folder = pd.DataFrame({"rain": [800.0]}), Path(tempfile.mkdtemp())
    >>> write_covariates(CovariateTables(table, table, {"rain": {}}), folder)
    >>> sorted(file.name for file in (folder / "covariates").iterdir())
    ['clusters-1.parquet', 'images-1.parquet']
    """
    for table, name in zip((tables.clusters, tables.images), part_files(1), strict=True):
        (folder / name).parent.mkdir(exist_ok=True)
        write_table(table, folder / name)


def read_covariates(
    folder: Path, facts: Mapping[str, Any], partitions: Partitions | None = None, order: np.ndarray | None = None
) -> CovariateTables | None:
    """Read the covariates of a dataset folder whose checksums were verified; None where it has none.

    Parameters
    ----------
    folder : Path
    facts : dict
        The content of dataset.json.
    partitions : Partitions, optional
        Those whose images are read.
    order : array of int, optional
        With partitions: for each image its place in the partitions one after the other.

    Raises
    ------
    InputError
        A file cannot be read, or the files and the facts do not agree.

    Examples
    --------
    >>> read_covariates(Path("data/bihar"), {"checksums": {}}) is None
    True
    """
    about = facts.get("covariates", {})
    if not about:
        return None
    numbers = covariate_parts(facts["checksums"])
    if not numbers:
        raise InputError(f"{folder}: no file holds its covariates {', '.join(about)}; make the dataset again")
    clusters = [_read(folder, part_files(number)[0], facts) for number in numbers]
    if partitions is None or order is None:
        images = [_read(folder, part_files(number)[1], facts) for number in numbers]
    else:
        images = [_read_parts(folder, number, facts, partitions, order) for number in numbers]
    return CovariateTables(pd.concat(clusters, axis=1), pd.concat(images, axis=1), about)


def covariate_parts(checksums: Mapping[str, str]) -> list[int]:
    """Return the numbers of the additions of covariates to a dataset folder, ascending.

    Examples
    --------
    >>> covariate_parts({"covariates/clusters-2.parquet": "…", "covariates/clusters-1.parquet": "…"})
    [1, 2]
    """
    return sorted(int(found[1]) for found in map(_PART.fullmatch, checksums) if found)


def _read(folder: Path, name: str, facts: Mapping[str, Any]) -> pd.DataFrame:
    check_listed(folder, name, facts)
    return read_plain_table(folder / name)


def _read_parts(
    folder: Path, number: int, facts: Mapping[str, Any], partitions: Partitions, order: np.ndarray
) -> pd.DataFrame:
    files = [covariates_file(number, name) for name in partitions.names]
    for file in files:
        check_listed(folder, file, facts)
    return read_partitioned_table(folder, files, sum(partitions.sizes), order)
