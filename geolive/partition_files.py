"""The files of a partitioned dataset folder: which there are, and how they are read and written."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.arrow_points import geo_facts, geodataframe, positions_of
from geolive.dataset_facts import FACTS
from geolive.dataset_files import unreadable_named
from geolive.errors import InputError
from geolive.partitioned_array import PartitionedArray
from geolive.table_files import check_expansion
from geolive.tables import collector_paused

if TYPE_CHECKING:
    import pyarrow as pa

# columns of a partition's images beside those of the images table: the row of an image in the whole table, and that of its
# site in sites.parquet (-1 for none)
ROW, SITE = "_row", "_site"
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Partitions:
    """The partitions of a dataset, in the order of their names.

    Parameters
    ----------
    by : str
        How the images were divided, for example quadkey:6.
    names : tuple of str
        COUNTRY or COUNTRY/CELL.
    sizes : tuple of int
        Number of images of each.
    boxes : tuple of (west, south, east, north)
        The positions of the images of each, degrees.

    Examples
    --------
    >>> partitions = Partitions("country", ("ia", "ke"), (3, 2), ((70, 8, 97, 35), (34, -5, 42, 5)))
    >>> partitions.touching((36, 0, 37, 1)).names
    ('ke',)
    """

    by: str
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    boxes: tuple[Box, ...]

    def __len__(self) -> int:
        return len(self.names)

    def touching(self, box: Box) -> "Partitions":
        """Return the partitions whose images may lie in a box (west, south, east, north)."""
        west, south, east, north = box
        near = [i for i, (w, s, e, n) in enumerate(self.boxes) if w <= east and e >= west and s <= north and n >= south]
        return self.take(near)

    def take(self, numbers: Sequence[int]) -> "Partitions":
        """Return the partitions of these numbers."""
        return Partitions(
            self.by,
            tuple(self.names[i] for i in numbers),
            tuple(self.sizes[i] for i in numbers),
            tuple(self.boxes[i] for i in numbers),
        )

    def facts(self) -> dict[str, Any]:
        """Return what dataset.json holds of the partitions."""
        parts = zip(self.names, self.sizes, self.boxes, strict=True)
        return {
            "by": self.by,
            "parts": [{"name": name, "images": size, "box": list(box)} for name, size, box in parts],
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "Partitions | None":
        """Return the partitions that dataset.json lists, which `read_facts` has checked; None for a plain dataset."""
        about = facts.get("partitions")
        if about is None:
            return None
        parts = about["parts"]
        return cls(
            about["by"],
            tuple(part["name"] for part in parts),
            tuple(part["images"] for part in parts),
            tuple(tuple(part["box"]) for part in parts),
        )


def images_file(name: str) -> str:
    """Return the file of a partition's images in a dataset folder.

    Examples
    --------
    >>> images_file("ia/123133")
    'images/ia/123133.parquet'
    """
    return f"images/{name}.parquet"


def features_file(feature_set: str, name: str) -> str:
    """Return the file of a partition's features of one set.

    Examples
    --------
    >>> features_file("objects", "ia/123133")
    'features/objects/ia/123133.npy'
    """
    return f"features/{feature_set}/{name}.npy"


def covariates_file(number: int, name: str) -> str:
    """Return the file of a partition's covariates of images that one addition has made.

    Examples
    --------
    >>> covariates_file(1, "ia/123133")
    'covariates/images-1/ia/123133.parquet'
    """
    return f"covariates/images-{number}/{name}.parquet"


def files_of(names: Sequence[str], checksums: Mapping[str, str]) -> set[str]:
    """Return which of the listed files of a dataset belong to some of its partitions.

    Examples
    --------
    >>> names = ("images/ia.parquet", "images/ke.parquet", "features/net/ia.npy", "features/net.json")
    >>> sorted(files_of(["ia"], dict.fromkeys(names, "")))
    ['features/net/ia.npy', 'images/ia.parquet']
    """
    chosen, found = set(names), set()
    for file in checksums:
        kind, _, rest = file.partition("/")
        name = rest if kind == "images" else rest.partition("/")[2] if kind in ("features", "covariates") else ""
        if name.rpartition(".")[0] in chosen:
            found.add(file)
    return found


def read_partitions(
    folder: Path, partitions: Partitions, columns: Sequence[str] | None = None
) -> tuple[gpd.GeoDataFrame, np.ndarray, np.ndarray]:
    """Read the images of some partitions, in the order of the whole images table.

    Parameters
    ----------
    folder : Path
        A partitioned dataset.
    partitions : Partitions
        Those to read.
    columns : sequence of str, optional
        Columns to read, `geometry` among them; those that are not there are left out. Without it all.

    Returns
    -------
    images : GeoDataFrame
    order : array of int, shape (images,)
        For each image its place in the partitions one after the other.
    site : array of int32, shape (images,)
        Row of its site; -1 for none.

    Raises
    ------
    InputError
        A file cannot be read, or does not hold what dataset.json lists.

    Examples
    --------
    >>> read_partitions(Path("no/such/folder"), Partitions("country", ("ia",), (1,), ((0, 0, 1, 1),)))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/folder/images/ia.parquet: cannot be read (...); make the dataset again
    """
    table = read_images_tables(folder, partitions, None if columns is None else [*columns, ROW, SITE])
    rows = table[ROW].to_numpy()
    order = np.argsort(rows, kind="stable")
    if (np.diff(rows[order]) <= 0).any() or (len(rows) and rows.min() < 0):
        raise InputError(f"{folder}: two images of its partitions have the same row; make the dataset again")
    site = table[SITE].to_numpy().astype(np.int32)[order]
    ordered = table.drop_columns([ROW, SITE])
    return geodataframe(ordered if (np.diff(order) == 1).all() else ordered.take(order)), order, site


def read_images_tables(folder: Path, partitions: Partitions, columns: Sequence[str] | None = None) -> "pa.Table":
    """Read the images of some partitions one after the other as an Arrow table, with the columns `_row` and `_site`.

    Raises
    ------
    InputError
        A file cannot be read, or has another number of rows than dataset.json lists.
    """
    files = [folder / images_file(name) for name in partitions.names]
    table = _read_tables(files, columns)
    missing = [name for name in (ROW, SITE, "geometry") if name not in table.column_names]
    if missing:
        raise InputError(f"{files[0]}: has no column {missing[0]!r}; make the dataset again")
    if table.num_rows != sum(partitions.sizes):
        raise InputError(
            f"{folder}: its partitions hold {table.num_rows:,} images, and {FACTS} lists {sum(partitions.sizes):,}; make the "
            "dataset again"
        )
    return table


def _read_tables(files: Sequence[Path], columns: Sequence[str] | None = None) -> "pa.Table":
    """Read Parquet files of one schema one after the other; columns that they do not have are left out."""
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    for file in files:
        with unreadable_named(file):
            check_expansion(file)
    with unreadable_named(files[0]):
        schema = pq.read_schema(files[0])
    with unreadable_named(files[0].parent), collector_paused():
        dataset = ds.dataset([str(file) for file in files], schema=schema, format="parquet")
        chosen = None if columns is None else [name for name in schema.names if name in columns]
        return dataset.to_table(columns=chosen)


def write_images(table: "pa.Table", path: Path) -> Box | None:
    """Write an Arrow table of images as GeoParquet, with the bounds of its own points; return them, None without images.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow.parquet as pq
    >>> from geolive.tables import points
    >>> folder = Path(tempfile.mkdtemp())
    >>> gpd.GeoDataFrame({"key": ["a", "b"]}, geometry=points([85.1, 84.0], [25.6, 25.0])).to_parquet(folder / "all.parquet")
    >>> write_images(pq.read_table(folder / "all.parquet").slice(0, 1), folder / "a.parquet")
    (85.1, 25.6, 85.1, 25.6)
    """
    where, about = positions_of(table), geo_facts(table)
    box = (*where.min(axis=0).tolist(), *where.max(axis=0).tolist()) if len(where) else None
    about["columns"]["geometry"].pop("bbox", None)
    if box is not None:
        about["columns"]["geometry"]["bbox"] = list(box)
    write_arrow(table.replace_schema_metadata(table.schema.metadata | {b"geo": json.dumps(about).encode()}), path)
    return box


def write_arrow(table: "pa.Table", path: Path) -> None:
    """Write an Arrow table as Parquet.

    Examples
    --------
    >>> import tempfile
    >>> import pyarrow as pa
    >>> path = Path(tempfile.mkdtemp()) / "part" / "rain.parquet"
    >>> write_arrow(pa.table({"rain": [800.0]}), path)
    >>> read_arrow(path)["rain"].to_pylist()
    [800.0]
    """
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.combine_chunks(), path, compression="zstd")


def read_arrow(*files: Path) -> "pa.Table":
    """Read Parquet files of one schema, one after the other, as an Arrow table.

    Raises
    ------
    InputError
        One cannot be read.
    """
    return _read_tables(files)


def write_array(array: np.ndarray, path: Path) -> None:
    """Write an array as npy.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "ia" / "123133.npy"
    >>> write_array(np.ones((2, 3)), path)
    >>> np.load(path).shape
    (2, 3)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=False)


def read_features_array(
    folder: Path, partitions: Partitions, feature_set: str, order: np.ndarray | None
) -> PartitionedArray:
    """Open a feature set of some partitions as one array in the order of the images table.

    Raises
    ------
    InputError
        A file cannot be read, or has other rows than its partition.
    """
    files = [folder / features_file(feature_set, name) for name in partitions.names]
    return PartitionedArray(files, partitions.sizes, order)


def read_partitioned_table(folder: Path, files: Sequence[str], n_rows: int, order: np.ndarray) -> pd.DataFrame:
    """Read a table without positions from a file for each partition, in the order of the images table.

    Parameters
    ----------
    folder : Path
    files : sequence of str
        A file for each partition.
    n_rows : int
        Number of images of these partitions.
    order : array of int
        For each row its place in the files one after the other.

    Raises
    ------
    InputError
        A file cannot be read, or the table has other rows than the partitions.
    """
    table = _read_tables([folder / file for file in files]).to_pandas()
    if len(table) != n_rows:
        raise InputError(f"{folder / files[0]}: has other rows than its partition; make the dataset again")
    return table.iloc[order].reset_index(drop=True)


def rows_of_partitions(folder: Path, partitions: Partitions) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name of each partition, and the rows of its images in the whole table.

    Raises
    ------
    InputError
        A file cannot be read.
    """
    for name in partitions.names:
        yield name, _read_tables([folder / images_file(name)], [ROW])[ROW].to_numpy()
