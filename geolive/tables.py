"""Check the tables of images and clusters: their columns, and what makes a row valid.

Positions are WGS 84 (EPSG:4326), longitude before latitude, in degrees.
"""

import contextlib
import gc
from collections.abc import Iterator
from importlib import resources
from typing import TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike

from geolive.errors import InputError
from geolive.indicators import check_indicator_names

CRS = "EPSG:4326"
N_CLASSES = 66
VOID = 65
_NEAR_ZERO = 0.001

IMAGE_COLUMNS = ["key", "country", "unique_cluster", "geometry"]
SPLITS = ["train", "val", "test"]
CLUSTER_COLUMNS = ["unique_cluster", "country", "state", "district_id", "urban", "geometry", "n_images", "split"]

Rows: TypeAlias = np.ndarray | pd.Series | list | slice


def vistas_classes() -> pd.DataFrame:
    """Return the 65 object classes of Mapillary Vistas 1.2 in the paper's order; bin 65 of a count is "void".

    Returns
    -------
    DataFrame
        Columns paper_index, vistas_index, name, kind ("stuff" or "thing"), api_value (Mapillary API v4).

    Examples
    --------
    >>> vistas_classes().name[22]
    'Vegetation'
    """
    with resources.files("geolive").joinpath("vistas_classes.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the garbage collector while a million objects are made; searching them again and again would take much longer.

    Examples
    --------
    >>> with collector_paused():
    ...     _ = points([85.1], [25.6])
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def points(lon: ArrayLike, lat: ArrayLike) -> gpd.GeoSeries:
    """Make points of longitudes and latitudes in degrees.

    Examples
    --------
    >>> points([85.1], [25.6]).iloc[0].wkt
    'POINT (85.1 25.6)'
    """
    with collector_paused():
        return gpd.GeoSeries(gpd.points_from_xy(lon, lat, crs=CRS))


def lonlat(geometry: gpd.GeoSeries) -> np.ndarray:
    """Return the longitudes and latitudes of points, shape (n, 2), degrees.

    Examples
    --------
    >>> lonlat(points([85.1], [25.6]))
    array([[85.1, 25.6]])
    """
    return np.column_stack([geometry.x.to_numpy(float), geometry.y.to_numpy(float)]).reshape(-1, 2)


def bad_positions(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Return which positions cannot be used, because they are not finite or out of range.

    Parameters
    ----------
    lon, lat : array of float, shape (n,)
        Degrees.

    Returns
    -------
    array of bool, shape (n,)

    Examples
    --------
    >>> bad_positions(np.array([85.1, 185.0, np.nan]), np.array([25.6, 25.6, 25.6]))
    array([False,  True,  True])
    """
    return ~(np.isfinite(lon) & np.isfinite(lat) & (np.abs(lon) <= 180) & (np.abs(lat) <= 90))


def not_located(lon: ArrayLike, lat: ArrayLike) -> np.ndarray:
    """Return which positions are 0, 0, which programs write where a position is missing.

    Positions within 0.001 degrees (100 m) of it count as 0, 0, since they went through other programs; it lies in the sea.

    Parameters
    ----------
    lon, lat : array of float, shape (n,)
        Degrees.

    Returns
    -------
    array of bool, shape (n,)

    Examples
    --------
    >>> not_located([0.0, 0.0, 85.1], [0.0, 51.5, 25.6]).tolist()
    [True, False, False]
    """
    return (np.abs(np.asarray(lon, float)) < _NEAR_ZERO) & (np.abs(np.asarray(lat, float)) < _NEAR_ZERO)


def swapped_hint(lon: np.ndarray, lat: np.ndarray) -> str:
    """Return a hint if longitudes and latitudes look exchanged, else an empty string.

    They look exchanged if some latitude is out of range or nearer to a pole than any town, and exchanging the two mends that.

    Examples
    --------
    >>> swapped_hint(np.array([25.6]), np.array([98.5]))
    ' (longitude and latitude look swapped)'
    >>> swapped_hint(np.array([85.1]), np.array([25.6]))
    ''
    """
    finite = np.isfinite(lon) & np.isfinite(lat)
    lon, lat = lon[finite], lat[finite]

    def inhabited(latitude: np.ndarray) -> np.ndarray:
        return (latitude < 79) & (latitude > -60)

    if len(lat) and not inhabited(lat).all() and inhabited(lon).all():
        return " (longitude and latitude look swapped)"
    return ""


def row_numbers(rows: Rows, n: int) -> np.ndarray:
    """Return the row numbers that a mask, row numbers or a slice select of a table with `n` rows.

    Raises
    ------
    InputError
        The mask has another length, or a row number is out of range or occurs twice.

    Examples
    --------
    >>> row_numbers(np.array([False, True, True]), 3)
    array([1, 2])
    """
    wanted: slice | np.ndarray = rows if isinstance(rows, slice) else np.asarray(rows)
    if isinstance(wanted, np.ndarray) and wanted.size == 0:
        wanted = wanted.astype(np.int64)
    try:
        chosen = np.arange(n)[wanted]
    except IndexError as error:
        raise InputError(
            f"rows: {error}; give a mask of length {n}, or row numbers below {n}", parameter="rows"
        ) from None
    if chosen.ndim != 1 or len(np.unique(chosen)) < len(chosen):
        raise InputError("rows: a row occurs twice; give each row once", parameter="rows")
    return chosen


def empty_clusters() -> gpd.GeoDataFrame:
    """Return a clusters table without rows, for a dataset of images without a survey.

    Examples
    --------
    >>> len(check_clusters(empty_clusters(), []))
    0
    """
    text = dict.fromkeys(["unique_cluster", "country", "state", "district_id"], pd.Series(dtype="str"))
    other = {"urban": pd.Series(dtype="boolean"), "n_images": pd.Series(dtype="int64"), "split": pd.Series(dtype="str")}
    return gpd.GeoDataFrame(text | other, geometry=points([], []))


def check_images(images: gpd.GeoDataFrame, where: str = "images") -> gpd.GeoDataFrame:
    """Check an images table and return it unchanged.

    Parameters
    ----------
    images : GeoDataFrame
        `key` (unique), `country`, `unique_cluster` (or null), `geometry` (points, EPSG:4326); others are kept.
    where : str
        What to call the table in an error.

    Raises
    ------
    InputError
        Naming the column, the row and what is wrong with it.

    Examples
    --------
    >>> import geopandas as gpd
    >>> row = dict(key=["a"], country=["ia"], unique_cluster=[None])
    >>> len(check_images(gpd.GeoDataFrame(row, geometry=points([85.1], [25.6]))))
    1
    """
    _check_table(images, IMAGE_COLUMNS, where)
    _check_names(images, "key", where, unique=True)
    _check_names(images, "country", where)
    _check_names(images, "unique_cluster", where, nullable=True)
    return images


def check_clusters(clusters: gpd.GeoDataFrame, indicators: list[str], where: str = "clusters") -> gpd.GeoDataFrame:
    """Check a clusters table and return it unchanged.

    Parameters
    ----------
    clusters : GeoDataFrame
        `unique_cluster` (unique), `country`, `state`, `district_id`, `urban`, `geometry`, `n_images`, `split`, and for each
        indicator its value and `NAME_label` (0 or 1), both of which may be missing in a row.
    indicators : list of str
        The indicators' names.
    where : str
        What to call the table in an error.

    Raises
    ------
    InputError
        Naming the column, the row and what is wrong with it.

    Examples
    --------
    >>> import geopandas as gpd
    >>> row = dict(unique_cluster=["a"], country=["ia"], state=["Bihar"], district_id=["230"], urban=[None],
    ...            n_images=[3], split=[None], pov=[0.5], pov_label=[1.0])
    >>> len(check_clusters(gpd.GeoDataFrame(row, geometry=points([85.1], [25.6])), ["pov"]))
    1
    """
    check_indicator_names(indicators)
    labels = [f"{name}_label" for name in indicators]
    _check_table(clusters, [*CLUSTER_COLUMNS, *indicators, *labels], where)
    _check_names(clusters, "unique_cluster", where, unique=True)
    n_images = clusters["n_images"]
    if not pd.api.types.is_integer_dtype(n_images):
        raise InputError(f"{where}: column 'n_images': holds {n_images.dtype}; it must hold whole numbers")
    _refuse(clusters, "n_images", n_images < 0, where, "is negative")
    split = clusters["split"]
    _refuse(clusters, "split", split.notna() & ~split.isin(SPLITS), where, f"is none of {', '.join(SPLITS)}")
    for name in [*indicators, *labels]:
        if not pd.api.types.is_float_dtype(clusters[name]):
            raise InputError(f"{where}: column {name!r}: holds {clusters[name].dtype}; it must hold numbers (float)")
        _refuse(clusters, name, np.isinf(clusters[name]), where, "is not a finite number")
    for name in labels:
        label = clusters[name]
        _refuse(clusters, name, label.notna() & ~label.isin([0, 1]), where, "is neither 0 nor 1")
    return clusters


def _check_table(table: gpd.GeoDataFrame, required: list[str], where: str) -> None:
    """Check that the columns are there and that each geometry is a point in EPSG:4326."""
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise InputError(f"{where}: no column {missing[0]!r}; its columns are: {', '.join(map(str, table.columns))}")
    if not isinstance(table, gpd.GeoDataFrame) or table.crs is None or table.crs.to_epsg() != 4326:
        raise InputError(f"{where}: positions must be in EPSG:4326; convert them first")
    shapes = table.geometry.to_numpy()
    point = (shapely.get_type_id(shapes) == shapely.GeometryType.POINT) & ~shapely.is_empty(shapes)
    if not point.all():
        raise InputError(f"{where}: column 'geometry', row {int(np.argmin(point))}: not a point; remove that row")
    wrong = bad_positions(*lonlat(table.geometry).T)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"{where}: column 'geometry', row {row}: out of range: {table.geometry.iloc[row].wkt}")


def _check_names(table: pd.DataFrame, column: str, where: str, unique: bool = False, nullable: bool = False) -> None:
    """Check that a column holds text only, and no missing or repeated values where these are not allowed."""
    values = table[column]
    missing = values.isna()
    if not nullable:
        _refuse(table, column, missing, where, "is missing")
    # a set of types is fast to make, so a million cells are not asked one by one unless one of them is wrong
    if not isinstance(values.dtype, pd.StringDtype) and not set(map(type, values[~missing])) <= {str, np.str_}:
        text = np.array([isinstance(cell, str) for cell in values], bool)
        _refuse(table, column, ~missing & ~text, where, "is not text")
    if unique:
        _refuse(table, column, values.duplicated(), where, "occurs twice")


def _refuse(table: pd.DataFrame, column: str, wrong: pd.Series, where: str, what: str) -> None:
    """Raise InputError for the first row that is wrong, if there is one."""
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"{where}: column {column!r}, row {row}: {table[column].iloc[row]!s:.40} {what}")
