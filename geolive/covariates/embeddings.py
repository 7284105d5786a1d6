"""Layouts in which others publish embeddings of satellite images: AlphaEarth Foundations and TESSERA.

AlphaEarth Foundations (https://developers.google.com/earth-engine/guides/aef_on_gcs_readme): Cloud-Optimized GeoTIFFs of 64
bands A00 to A63 of int8. A value v stands for sign(v) (v / 127.5)², −128 for no data, and each cell is a vector of length 1. The
published files have 8192 × 8192 cells of 10 m, and overviews whose cells are the means of the finest ones, scaled to length 1.

TESSERA (https://geotessera.readthedocs.io): for each tile of 0.1 degrees an array GRID.npy of int8, shape (rows, columns, 128),
an array GRID_scales.npy of float32, shape (rows, columns), and a GeoTIFF landmasks/GRID.tiff that says where the cells are. A
value is the product of the two; cells without a scale hold no data.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from geolive.errors import InputError

_ALPHAEARTH_BANDS = 64
_ALPHAEARTH_NODATA = -128
_ALPHAEARTH_DIVISOR = 127.5
# the published files; whoever cuts a part out of one makes overviews in some other way
_ALPHAEARTH_SIDE = 8192
_ALPHAEARTH_CELL_KM = 0.01
# a circle's radius has so many cells, at least
_CELLS_OF_RADIUS = 32


def is_alphaearth(dtypes: Sequence[str], descriptions: Sequence[str | None], nodata: float | None) -> bool:
    """Return whether a GeoTIFF has the layout of AlphaEarth's embeddings: 64 bands A00 to A63 of int8, nodata −128.

    Examples
    --------
    >>> names = [f"A{i:02d}" for i in range(64)]
    >>> is_alphaearth(["int8"] * 64, names, -128), is_alphaearth(["int8"] * 64, [None] * 64, -128)
    (True, False)
    """
    return (
        len(dtypes) == _ALPHAEARTH_BANDS
        and set(dtypes) == {"int8"}
        and nodata == _ALPHAEARTH_NODATA
        and list(descriptions) == [f"A{band:02d}" for band in range(_ALPHAEARTH_BANDS)]
    )


def alphaearth_overview(width: int, height: int, factors: Sequence[int], least_km: float) -> int | None:
    """Return the number of the coarsest overview that is fine enough for means over circles, or None for the finest cells.

    Parameters
    ----------
    width, height : int
        Cells of the file; only in published files are overviews known to be means.
    factors : sequence of int
        How many cells wide a cell of each overview is, in growing order.
    least_km : float
        Radius of the smallest circle.

    Examples
    --------
    >>> alphaearth_overview(8192, 8192, [2, 4, 8, 16, 32], 5.0), alphaearth_overview(8192, 8192, [2, 4, 8, 16, 32], 0.0)
    (2, None)
    """
    if (width, height) != (_ALPHAEARTH_SIDE, _ALPHAEARTH_SIDE):
        return None
    fine = [i for i, factor in enumerate(factors) if factor * _ALPHAEARTH_CELL_KM * _CELLS_OF_RADIUS <= least_km]
    return max(fine, default=None)


def alphaearth_values(stored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values that stored numbers of AlphaEarth stand for, and which cells are valid.

    Parameters
    ----------
    stored : array of int8, shape (bands, rows, columns)

    Returns
    -------
    values : array of float, shape (bands, rows, columns)
        sign(v) (v / 127.5)².
    valid : array of bool, shape (1, rows, columns)
        A masked cell holds −128 in every band.

    Examples
    --------
    >>> values, valid = alphaearth_values(np.array([[[51, -51, -128]]], np.int8))
    >>> values[0, 0, :2].round(3).tolist(), valid[0, 0].tolist()
    ([0.16, -0.16], [True, True, False])
    """
    valid = stored[:1] != _ALPHAEARTH_NODATA
    scaled = stored.astype(np.float64) / _ALPHAEARTH_DIVISOR
    return np.sign(scaled) * scaled**2, valid


def landmask_file(file: str) -> str:
    """Return the GeoTIFF that says where an array of TESSERA is: beside it, or in the folder `landmasks` of a folder above.

    Raises
    ------
    InputError
        There is none.

    Examples
    --------
    >>> landmask_file("2024/grid_2.35_9.35.npy")
    Traceback (most recent call last):
    geolive.errors.InputError: 2024/grid_2.35_9.35.npy: no GeoTIFF says where it is; put landmasks/grid_2.35_9.35.tiff beside it
    """
    path = Path(file)
    folders = [path.parent, *(folder / "landmasks" for folder in [path.parent, *list(path.absolute().parents)[1:5]])]
    for folder in folders:
        for suffix in (".tiff", ".tif"):
            if (folder / f"{path.stem}{suffix}").is_file():
                return str(folder / f"{path.stem}{suffix}")
    raise InputError(f"{file}: no GeoTIFF says where it is; put landmasks/{path.stem}.tiff beside it")


def open_tessera(file: str, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Map an array of TESSERA and its scales from disk.

    Parameters
    ----------
    file : str
        GRID.npy; GRID_scales.npy stands beside it.
    shape : (int, int)
        Rows and columns of the GeoTIFF that says where it is.

    Returns
    -------
    quantised : array of int8, shape (rows, columns, bands)
    scales : array of float, shape (rows, columns)

    Raises
    ------
    InputError
        A file is missing, is no array, or has another shape or type.
    """
    path = Path(file)
    quantised, scales = (_mapped(one) for one in (path, path.with_name(f"{path.stem}_scales.npy")))
    if quantised.dtype != np.int8 or quantised.ndim != 3 or quantised.shape[:2] != shape or not quantised.shape[2]:
        raise InputError(
            f"{file}: is {quantised.dtype} of shape {quantised.shape}; an array of TESSERA there is int8 of shape "
            f"{(*shape, 128)}, as its GeoTIFF has {shape[0]} × {shape[1]} cells"
        )
    if scales.dtype.kind != "f" or scales.shape != shape:
        raise InputError(
            f"{file}: its scales are {scales.dtype} of shape {scales.shape}; needed are floats of shape {shape}"
        )
    return quantised, scales


def tessera_values(quantised: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of an array of TESSERA and which cells are valid.

    Parameters
    ----------
    quantised : array of int8, shape (rows, columns, bands)
    scales : array of float, shape (rows, columns)

    Returns
    -------
    values : array of float, shape (bands, rows, columns)
    valid : array of bool, shape (1, rows, columns)

    Examples
    --------
    >>> values, valid = tessera_values(np.array([[[10, -4], [1, 1]]], np.int8), np.array([[0.5, np.nan]]))
    >>> values[:, 0, 0].tolist(), valid[0, 0].tolist()
    ([5.0, -2.0], [True, False])
    """
    valid = np.isfinite(scales) & (scales > 0)
    factors = np.where(valid, scales, 0).astype(np.float64)
    return np.moveaxis(quantised.astype(np.float64) * factors[..., None], 2, 0), valid[None]


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; TESSERA's arrays come in pairs, GRID.npy and GRID_scales.npy"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check that the file is whole") from None
