"""Read and write the files of a dataset folder."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.table_files import read_geoparquet, read_parquet
from geolive.tables import collector_paused


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
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); make the dataset again") from None


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
    try:
        return read_parquet(path)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); make the dataset again") from None


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
    try:
        with collector_paused():
            return read_geoparquet(path)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); make the dataset again") from None
