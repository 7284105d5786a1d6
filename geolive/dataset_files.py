"""Read and write the files of a dataset folder."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset_facts import FACTS
from geolive.errors import InputError
from geolive.files import checksum
from geolive.table_files import read_geoparquet, read_parquet
from geolive.tables import collector_paused

SITES, SITE_OF_IMAGE = "sites.parquet", "site_of_image.npy"


def check_listed_files(folder: Path, facts: Mapping[str, Any]) -> None:
    """Check that the files that dataset.json lists are there as they were written, and that it lists those that are needed.

    Parameters
    ----------
    folder : Path
    facts : dict
        The content of dataset.json.

    Raises
    ------
    InputError
        A file is missing, altered or cut short, or is not listed.

    Examples
    --------
    >>> check_listed_files(Path("data"), {"checksums": {}, "features": []})
    Traceback (most recent call last):
    geolive.errors.InputError: data/dataset.json: does not list the file images.parquet, so it is not read; make the dataset again
    """
    for name, expected in facts["checksums"].items():
        path = folder / name
        if not path.is_file() or checksum(path) != expected:
            raise InputError(
                f"{path}: missing, altered or cut short since the dataset was made; make the dataset again"
            )
    needed = ["images.parquet", "clusters.parquet", "rejects.parquet"]
    needed += [f"features/{name}.npy" for name in facts["features"]]
    needed += [SITE_OF_IMAGE] if SITES in facts["checksums"] else []
    for name in needed:
        if name not in facts["checksums"]:
            raise InputError(
                f"{folder / FACTS}: does not list the file {name}, so it is not read; make the dataset again"
            )


def read_sites(folder: Path, n_images: int) -> tuple[gpd.GeoDataFrame, np.ndarray]:
    """Read the sites of a dataset folder, and the row of the site of each image, −1 for none.

    Raises
    ------
    InputError
        The rows are not those of the images and sites.

    Examples
    --------
    >>> read_sites(Path("no/such/folder"), 3)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/folder/sites.parquet: cannot be read (...); make the dataset again
    """
    sites, site_of_image = read_table(folder / SITES), np.array(read_array(folder / SITE_OF_IMAGE))
    whole = np.issubdtype(site_of_image.dtype, np.integer) and site_of_image.shape == (n_images,)
    if not (whole and (site_of_image >= -1).all() and (site_of_image < len(sites)).all()):
        raise InputError(f"{folder / SITE_OF_IMAGE}: not the sites of the images; make the dataset again")
    return sites, site_of_image


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as Parquet; one with positions as GeoParquet 1.1.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "rain.parquet"
    >>> write_table(pd.DataFrame({"rain": [800.0]}), path)
    >>> read_plain_table(path)["rain"].tolist()
    [800.0]
    """
    version = {"schema_version": "1.1.0"} if isinstance(table, gpd.GeoDataFrame) else {}
    with collector_paused():
        table.to_parquet(path, index=False, compression="zstd", **version)


def read_array(path: Path) -> np.ndarray:
    """Map an npy file from disk.

    Raises
    ------
    InputError
        The file is no npy file, or holds objects.

    Examples
    --------
    >>> read_array(Path("no/such.npy"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no/such.npy: cannot be read (...); make the dataset again
    """
    with _unreadable_named(path):
        return np.load(path, mmap_mode="r", allow_pickle=False)


def read_plain_table(path: Path) -> pd.DataFrame:
    """Read a table without positions from Parquet.

    Raises
    ------
    InputError
        The file is no Parquet file.

    Examples
    --------
    >>> read_plain_table(Path("no/such.parquet"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no/such.parquet: cannot be read (...); make the dataset again
    """
    with _unreadable_named(path):
        return read_parquet(path)


def read_table(path: Path) -> gpd.GeoDataFrame:
    """Read a table with positions from GeoParquet.

    Raises
    ------
    InputError
        The file is no GeoParquet file.

    Examples
    --------
    >>> read_table(Path("no/such.parquet"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no/such.parquet: cannot be read (...); make the dataset again
    """
    with _unreadable_named(path), collector_paused():
        return read_geoparquet(path)


@contextlib.contextmanager
def _unreadable_named(path: Path) -> Iterator[None]:
    """Name the file that a library cannot read, and what to do."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); make the dataset again") from None
