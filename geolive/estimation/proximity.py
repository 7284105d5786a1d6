"""Proximity of areas: which areas are neighbours, as a row-standardised matrix."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolive.errors import InputError
from geolive.table_files import read_csv

Array = NDArray[np.floating]


def contiguity(areas: gpd.GeoDataFrame, name: str) -> pd.DataFrame:
    """Make the row-standardised contiguity matrix of areas: each row shares 1 among the areas that border on its area.

    Parameters
    ----------
    areas : GeoDataFrame
        Polygons in any CRS.
    name : str
        Column that names the areas.

    Returns
    -------
    DataFrame of shape (n, n)
        Rows and columns are named after the areas; the row of an area without neighbours is zero.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import box
    >>> squares = gpd.GeoDataFrame({"area": list("abc")}, geometry=[box(i, 0, i + 1, 1) for i in range(3)])
    >>> contiguity(squares, "area")
         a    b    c
    a  0.0  1.0  0.0
    b  0.5  0.0  0.5
    c  0.0  1.0  0.0
    """
    left, right = areas.sindex.query(areas.geometry, predicate="intersects")
    matrix = np.zeros((len(areas), len(areas)))
    matrix[left, right] = 1.0
    np.fill_diagonal(matrix, 0.0)
    sums = matrix.sum(axis=1, keepdims=True)
    names = areas[name].tolist()
    return pd.DataFrame(np.divide(matrix, sums, out=matrix, where=sums > 0), index=names, columns=names)


def read_proximity(path: str | Path) -> pd.DataFrame:
    """Read a proximity matrix from a CSV file, with or without the names of the areas.

    Parameters
    ----------
    path : str or Path
        Either numbers alone, or names of the areas in the first row and the first column.

    Returns
    -------
    DataFrame
        Named after the areas (as text) where the file names them, else numbered.

    Raises
    ------
    InputError
        The file cannot be read, or a cell is not a number.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "w.csv"
    >>> _ = path.write_text("area,a,b\\na,0,1\\nb,1,0\\n")
    >>> read_proximity(path).loc["a", "b"].item()
    1.0
    """
    try:
        cells = read_csv(path, header=None, dtype=str)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as a CSV table ({' '.join(str(error).split())}); give a matrix"
        ) from error
    named = pd.to_numeric(cells.iloc[0, :1], errors="coerce").isna().item()
    body = cells.iloc[1:, 1:] if named else cells
    numbers = body.apply(pd.to_numeric, errors="coerce")
    if numbers.isna().to_numpy().any():
        row, column = np.argwhere(numbers.isna().to_numpy())[0]
        raise InputError(
            f"{path}: row {row + 1 + named}, column {column + 1 + named}: {body.iloc[row, column]!r} is not a number; give a "
            "proximity matrix, with the names of the areas in the first row and column or without any"
        )
    matrix = numbers.to_numpy(dtype=float)
    if not named:
        return pd.DataFrame(matrix)
    return pd.DataFrame(matrix, index=cells.iloc[1:, 0].tolist(), columns=cells.iloc[0, 1:].tolist())


def check_proximity(proximity: pd.DataFrame | Array, areas: pd.Index) -> Array:
    """Check a proximity matrix and return it as an array.

    Parameters
    ----------
    proximity : DataFrame or array of shape (n, n)
        A DataFrame that names its rows must have the areas in the table's order.
    areas : Index of length n
        Names of the areas in the table's order.

    Returns
    -------
    array of shape (n, n)

    Raises
    ------
    InputError
        It is not square, not of the table's areas in their order, has a diagonal or negative weights, or a row does not sum
        to 1. A row may sum to less where the area has k neighbours of weight 1/k each and some of them, or all, are outside
        the table.

    Examples
    --------
    >>> import pandas as pd
    >>> check_proximity(np.array([[0.0, 2.0], [1.0, 0.0]]), pd.Index(["a", "b"]))
    Traceback (most recent call last):
    geolive.errors.InputError: proximity: row 1 (area a) sums to 2, not to 1; divide each row by its sum (an area without \
neighbours keeps a row of zeros)
    """
    matrix = np.asarray(proximity, dtype=float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise InputError(
            f"proximity: has the shape {matrix.shape}, and must be square, with one row and one column for each area"
        )
    if len(matrix) != len(areas):
        raise InputError(
            f"proximity: has {len(matrix)} rows for {len(areas)} areas of the table; give one for each area"
        )
    if isinstance(proximity, pd.DataFrame) and not isinstance(proximity.index, pd.RangeIndex):
        _check_order(proximity, [str(area) for area in areas])
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise InputError("proximity: has negative or missing weights; give 0 or more for each pair of areas")
    if np.diagonal(matrix).any():
        own = int(np.flatnonzero(np.diagonal(matrix))[0])
        raise InputError(f"proximity: row {own + 1} (area {areas[own]}) is its own neighbour; set the diagonal to 0")
    sums = matrix.sum(axis=1)
    wrong = [i for i in np.flatnonzero(np.abs(sums - 1) > 1e-6) if not _has_neighbours_outside(matrix[i])]
    if len(wrong):
        raise InputError(
            f"proximity: row {wrong[0] + 1} (area {areas[wrong[0]]}) sums to {sums[wrong[0]]:.4g}, not to 1; divide each row by "
            "its sum (an area without neighbours keeps a row of zeros)"
        )
    return matrix


def _has_neighbours_outside(row: Array) -> bool:
    """Return whether a row is that of an area with k neighbours of weight 1/k each, fewer than k of them in the table."""
    weights = row[row > 0]
    if len(weights) == 0:
        return True
    k = max(float(np.round(1 / weights[0])), 1.0)
    return bool(np.allclose(weights, 1 / k, rtol=1e-6) and len(weights) < k)


def _check_order(proximity: pd.DataFrame, areas: list[str]) -> None:
    for axis, names in (("rows", proximity.index), ("columns", proximity.columns)):
        given = [str(name) for name in names]
        if given == areas:
            continue
        place = next(i for i, (one, other) in enumerate(zip(given, areas, strict=True)) if one != other)
        cause = "is in another order than the table" if set(given) == set(areas) else "is of other areas than the table"
        raise InputError(
            f"proximity: {cause}: number {place + 1} of its {axis} is {given[place]}, and of the table {areas[place]}; reorder "
            "rows and columns to the table's order"
        )
