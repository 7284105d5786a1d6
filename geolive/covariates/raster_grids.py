"""Open rasters of any kind as grids of numbers that are read by window."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyproj

from geolive.covariates import embeddings
from geolive.covariates.raster_names import ALL_BANDS, RasterCovariate
from geolive.errors import InputError
from geolive.gdal_files import open_raster

if TYPE_CHECKING:
    import rasterio.windows
    from affine import Affine

# rows and columns of a window, each from and to; values of the bands and which are valid
Reader = Callable[[int, int, int, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class RasterGrid:
    """A grid of cells with the numbers of one or several bands.

    Parameters
    ----------
    shown : str
        What to call it in messages.
    names : tuple of str
        Name of the covariate that each band gives.
    crs : pyproj.CRS
    transform : Affine
        From column and row to the coordinates of `crs`.
    width, height : int
        Cells.
    block_height : int
        Rows that are stored together.
    read : callable
        From (first row, row after the last, first column, column after the last) to values, numbers of shape (bands, rows,
        columns), and to whether they are valid, bool of shape (bands or 1, rows, columns).
    unit_length : bool
        Whether the bands together are a vector of length 1, as their mean shall be, too.
    bands : tuple of int
        Number of each band in the file, from 1.
    """

    shown: str
    names: tuple[str, ...]
    crs: pyproj.CRS
    transform: "Affine"
    width: int
    height: int
    block_height: int
    read: Reader
    unit_length: bool
    bands: tuple[int, ...]

    def coordinates(self, col: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the coordinates of columns and rows, counted from the first cell's outer corner."""
        a, b, c, d, e, f = self.transform[:6]
        return a * col + b * row + c, d * col + e * row + f

    def cells(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns and rows of coordinates, as fractions."""
        a, b, c, d, e, f = self.transform[:6]
        scale = a * e - b * d
        return (e * (x - c) - b * (y - f)) / scale, (a * (y - f) - d * (x - c)) / scale

    @property
    def is_longitude_latitude(self) -> bool:
        """Whether columns are meridians and rows parallels, in degrees."""
        degrees = all(abs(axis.unit_conversion_factor - np.pi / 180) < 1e-12 for axis in self.crs.axis_info)
        straight = self.transform.b == self.transform.d == 0
        return self.crs.is_geographic and not self.crs.is_derived and degrees and straight

    @property
    def goes_round(self) -> bool:
        """Whether the first column continues the last one, all around the Earth."""
        step = abs(self.transform.a)
        return self.is_longitude_latitude and abs(self.width * step - 360) < step / 2


@contextlib.contextmanager
def open_grid(raster: RasterCovariate, file: str, least_km: float = 0.0) -> Iterator[RasterGrid]:
    """Open one file of a raster.

    Parameters
    ----------
    raster : RasterCovariate
    file : str
        One of `raster.files`.
    least_km : float
        Radius of the smallest circle that will be read; of AlphaEarth's files, an overview that is fine enough for it is opened.

    Yields
    ------
    RasterGrid

    Raises
    ------
    InputError
        The file cannot be read, does not say where it is, has no such band, or several where none is chosen.
    """
    if file.endswith(".npy"):
        with open_raster(embeddings.landmask_file(file)) as place:
            yield _tessera_grid(raster, file, place)
        return
    with open_raster(file) as dataset:
        if not embeddings.is_alphaearth(dataset.dtypes, dataset.descriptions, dataset.nodata):
            yield _geotiff_grid(raster, file, dataset, dataset, _plain_reader)
            return
        overview = embeddings.alphaearth_overview(dataset.width, dataset.height, dataset.overviews(1), least_km)
        if overview is None:
            yield _geotiff_grid(raster, file, dataset, dataset, _alphaearth_reader)
            return
        with open_raster(file, overview) as coarse:
            yield _geotiff_grid(raster, file, dataset, coarse, _alphaearth_reader)


def _geotiff_grid(
    raster: RasterCovariate,
    file: str,
    dataset: "rasterio.DatasetReader",
    cells: "rasterio.DatasetReader",
    reader: Callable[["rasterio.DatasetReader", tuple[int, ...]], Reader],
) -> RasterGrid:
    """Describe a GeoTIFF by its facts, and read its cells, or those of an overview."""
    crs, is_embedding = _checked_crs(file, dataset), reader is _alphaearth_reader
    bands = _chosen_bands(raster, file, [text or "" for text in dataset.descriptions], is_embedding=is_embedding)
    _check_types(file, dataset, bands)
    return RasterGrid(
        file, _names(raster, bands, dataset.count), crs, cells.transform, cells.width, cells.height,
        cells.block_shapes[0][0], reader(cells, bands), is_embedding and len(bands) == dataset.count, bands,
    )  # fmt: skip


def _tessera_grid(raster: RasterCovariate, file: str, place: "rasterio.DatasetReader") -> RasterGrid:
    crs = _checked_crs(embeddings.landmask_file(file), place)
    quantised, scales = embeddings.open_tessera(file, (place.height, place.width))
    count = quantised.shape[2]
    bands = _chosen_bands(raster, file, [""] * count, is_embedding=True)

    def read(row: int, row_end: int, col: int, col_end: int) -> tuple[np.ndarray, np.ndarray]:
        values = quantised[row:row_end, col:col_end, [band - 1 for band in bands]]
        return embeddings.tessera_values(values, scales[row:row_end, col:col_end])

    return RasterGrid(
        file, _names(raster, bands, count), crs, place.transform, place.width, place.height, 1, read, False, bands
    )


def _checked_crs(file: str, dataset: "rasterio.DatasetReader") -> pyproj.CRS:
    """Return the coordinate reference system; raise where the raster does not say where it is."""
    if dataset.crs is None or not dataset.crs.to_wkt():
        raise InputError(
            f"{file}: has no coordinate reference system; assign the one it is in, for example with "
            "gdal_edit -a_srs EPSG:4326 FILE"
        )
    if dataset.transform.is_identity or dataset.transform.is_degenerate:
        raise InputError(f"{file}: does not say where its cells are (no geotransform); georeference it first")
    try:
        crs = pyproj.CRS.from_wkt(dataset.crs.to_wkt())
        pyproj.Transformer.from_crs(4326, crs, always_xy=True)
    except pyproj.exceptions.ProjError as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{file}: its coordinate reference system has no relation to longitude and latitude ({reason}); assign the right one"
        ) from None
    a, b, c, d, e, f = dataset.transform[:6]
    xs = [a * col + b * row + c for col in (0, dataset.width) for row in (0, dataset.height)]
    ys = [d * col + e * row + f for col in (0, dataset.width) for row in (0, dataset.height)]
    west, south, east, north = min(xs), min(ys), max(xs), max(ys)
    if crs.is_geographic and not (west > -541 and east < 541 and south > -91 and north < 91):
        raise InputError(
            f"{file}: reaches from {west:.10g}, {south:.10g} to {east:.10g}, {north:.10g}, which are not degrees; assign the "
            "coordinate reference system of its metres"
        )
    return crs


def _check_types(file: str, dataset: "rasterio.DatasetReader", bands: tuple[int, ...]) -> None:
    if any(dataset.dtypes[band - 1].startswith("complex") for band in bands):
        raise InputError(f"{file}: holds complex numbers; give a raster of real numbers")


def _chosen_bands(
    raster: RasterCovariate, file: str, descriptions: list[str], *, is_embedding: bool
) -> tuple[int, ...]:
    """Return the numbers of the bands that the user chose, from 1."""
    count, chosen = len(descriptions), raster.band
    if chosen == ALL_BANDS or (chosen is None and (is_embedding or count == 1)):
        return tuple(range(1, count + 1))
    if chosen is None:
        raise InputError(
            f"{file}: has {count} bands ({_listed(descriptions)}); choose one with {raster.name}=FILE:BAND, or all of them with "
            f"{raster.name}=FILE:{ALL_BANDS}",
            parameter="rasters",
        )
    if chosen in descriptions:
        return (descriptions.index(chosen) + 1,)
    if chosen.isdigit() and 1 <= int(chosen) <= count:
        return (int(chosen),)
    raise InputError(
        f"{file}: has no band {chosen!r}; choose one of its bands: {_listed(descriptions)}", parameter="rasters"
    )


def _listed(descriptions: list[str]) -> str:
    shown = [f"{i}{f' ({text[:40]})' if text else ''}" for i, text in enumerate(descriptions[:12], 1)]
    return ", ".join(shown) + (f", … {len(descriptions)}" if len(descriptions) > 12 else "")


def _names(raster: RasterCovariate, bands: tuple[int, ...], count: int) -> tuple[str, ...]:
    """Name the covariates: NAME for one band, NAME_00, NAME_01, … for all of several."""
    if len(bands) == 1 and (raster.band != ALL_BANDS or count == 1):
        return (raster.name,)
    width = max(2, len(str(count - 1)))
    return tuple(f"{raster.name}_{band - 1:0{width}d}" for band in bands)


def _window(row: int, row_end: int, col: int, col_end: int) -> "rasterio.windows.Window":
    from rasterio.windows import Window

    return Window(col, row, col_end - col, row_end - row)


def _plain_reader(dataset: "rasterio.DatasetReader", bands: tuple[int, ...]) -> Reader:
    """Read numbers with the file's scale and offset; nodata, masked and infinite cells are not valid."""
    from rasterio.enums import MaskFlags

    chosen = [band - 1 for band in bands]
    scales = np.array([dataset.scales[i] for i in chosen])[:, None, None]
    offsets = np.array([dataset.offsets[i] for i in chosen])[:, None, None]
    is_scaled = bool((scales != 1).any() or (offsets != 0).any())
    flags = {tuple(dataset.mask_flag_enums[i]) for i in chosen}
    nodata = [_stored_nodata(dataset.nodatavals[i], np.dtype(dataset.dtypes[i])) for i in chosen]

    def read(row: int, row_end: int, col: int, col_end: int) -> tuple[np.ndarray, np.ndarray]:
        window = _window(row, row_end, col, col_end)
        values = dataset.read(list(bands), window=window)
        # GDAL would read everything a second time for its mask
        if flags == {(MaskFlags.nodata,)}:
            valid = np.ones(values.shape, bool)
            for of_band, band, number in zip(valid, values, nodata, strict=True):
                if number is not None:
                    np.not_equal(band, number, out=of_band)
        elif flags == {(MaskFlags.all_valid,)}:
            valid = np.ones(values.shape, bool)
        else:
            valid = dataset.read_masks(list(bands), window=window) > 0
        if values.dtype.kind == "f":
            valid &= np.isfinite(values)
        return values * scales + offsets if is_scaled else values, valid

    return read


def _stored_nodata(nodata: float | None, kind: np.dtype) -> np.generic | None:
    """Return the number that stands for no data as cells hold it, or None where no cell can hold it."""
    if nodata is None or np.isnan(nodata):
        return None
    if kind.kind == "f":
        largest = np.finfo(kind).max
        return kind.type(np.clip(nodata, -largest, largest))
    fits = float(nodata).is_integer() and np.iinfo(kind).min <= nodata <= np.iinfo(kind).max
    return kind.type(int(nodata)) if fits else None


def _alphaearth_reader(dataset: "rasterio.DatasetReader", bands: tuple[int, ...]) -> Reader:
    def read(row: int, row_end: int, col: int, col_end: int) -> tuple[np.ndarray, np.ndarray]:
        return embeddings.alphaearth_values(dataset.read(list(bands), window=_window(row, row_end, col, col_end)))

    return read
