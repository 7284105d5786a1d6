"""Read and write the files of a dataset folder."""

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
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

IMAGES = "images.parquet"
SITES, SITE_OF_IMAGE = "sites.parquet", "site_of_image.npy"


def check_listed_files(folder: Path, facts: Mapping[str, Any], unread: Collection[str] = ()) -> None:
    """Check that the files that dataset.json lists are there as they were written, and that it lists those that are needed.

    Parameters
    ----------
    folder : Path
    facts : dict
        The content of dataset.json.
    unread : collection of str
        Files that are not checked, since they are not read.

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
        if name in unread:
            continue
        path = folder / name
        if not path.is_file() or checksum(path) != expected:
            raise InputError(
                f"{path}: is missing, altered or cut short since the dataset was made; make the dataset again"
            )
    for name in _needed_files(facts):
        check_listed(folder, name, facts)


def check_listed(folder: Path, name: str, facts: Mapping[str, Any]) -> None:
    """Check that dataset.json lists a file.

    Raises
    ------
    InputError
        It does not.

    Examples
    --------
    >>> check_listed(Path("data"), "sites.parquet", {"checksums": {}})
    Traceback (most recent call last):
    geolive.errors.InputError: data/dataset.json: does not list the file sites.parquet, so it is not read; make the dataset again
    """
    if name not in facts["checksums"]:
        raise InputError(f"{folder / FACTS}: does not list the file {name}, so it is not read; make the dataset again")


def _needed_files(facts: Mapping[str, Any]) -> list[str]:
    needed = ["clusters.parquet", "rejects.parquet"]
    if "partitions" not in facts:
        needed = [IMAGES, *needed, *(f"features/{name}.npy" for name in facts["features"])]
        return [*needed, SITE_OF_IMAGE] if SITES in facts["checksums"] else needed
    for part in facts["partitions"]["parts"]:
        needed.append(f"images/{part['name']}.parquet")
        needed += [f"features/{name}/{part['name']}.npy" for name in facts["features"]]
    return needed


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
    check_sites(folder / SITE_OF_IMAGE, sites, site_of_image, n_images)
    return sites, site_of_image


def check_sites(file: Path, sites: gpd.GeoDataFrame, site_of_image: np.ndarray, n_images: int) -> None:
    """Check that there is a row of the table of sites, or −1, for each image.

    Raises
    ------
    InputError
        The numbers are other ones.

    Examples
    --------
    >>> check_sites(Path("site_of_image.npy"), pd.DataFrame({"site_id": ["a"]}), np.array([0, 1]), 2)
    Traceback (most recent call last):
    geolive.errors.InputError: site_of_image.npy: not the sites of the images; make the dataset again
    """
    whole = np.issubdtype(site_of_image.dtype, np.integer) and site_of_image.shape == (n_images,)
    if not (whole and (site_of_image >= -1).all() and (site_of_image < len(sites)).all()):
        raise InputError(f"{file}: not the sites of the images; make the dataset again")


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
    with unreadable_named(path):
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
    with unreadable_named(path):
        return read_parquet(path)


def read_table(path: Path, columns: Sequence[str] | None = None) -> gpd.GeoDataFrame:
    """Read a table with positions from GeoParquet.

    Parameters
    ----------
    path : Path
    columns : sequence of str, optional
        Columns to read, `geometry` among them; those that are not there are left out. Without it all.

    Raises
    ------
    InputError
        The file is not a GeoParquet file.

    Examples
    --------
    >>> read_table(Path("no/such.parquet"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no/such.parquet: cannot be read (...); make the dataset again
    """
    with unreadable_named(path), collector_paused():
        return read_geoparquet(path, columns)


@contextlib.contextmanager
def unreadable_named(path: Path) -> Iterator[None]:
    """Name the file that a library cannot read, and what to do."""
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); make the dataset again") from None
