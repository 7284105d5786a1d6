"""People in the cells of a population raster, and the shares of cells that borders of districts cut."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geolive.errors import InputError
from geolive.extras import require_extra
from geolive.gdal_files import open_raster
from geolive.tables import CRS
from geolive.wording import percent_text

if TYPE_CHECKING:
    import rasterio

MOST_CELLS = 100_000
# cells of the raster that are in memory at once
CELLS_AT_ONCE = 2_000_000
# borders of two sources differ along a coast; a raster of another country covers far less
LEAST_COVERED = 0.95


@dataclass(frozen=True)
class CellGrid:
    """The grid that cells lie on.

    Parameters
    ----------
    transform : tuple of six floats
        From column and row of the grid to the coordinates of its reference system, as the first six numbers of an `Affine`.
    height, width : int
    crs : str
        The reference system, as text that rasterio and pyproj read.
    """

    transform: tuple[float, float, float, float, float, float]
    height: int
    width: int
    crs: str


@dataclass(frozen=True)
class PopulationCells:
    """The inhabited cells of a population raster that lie in districts.

    Parameters
    ----------
    cells : DataFrame
        One cell in each row: `row` and `column` in the grid, `lon` and `lat` (degrees: the mean position of the cell's people),
        `people` (in all districts together).
    shares : DataFrame
        One row for each cell and each district that has people of it: `cell` (row number of `cells`), `district_id`, `people`.
    grid : CellGrid
    source : str
        Which file it is and how wide the cells are, in words.
    """

    cells: pd.DataFrame
    shares: pd.DataFrame
    grid: CellGrid
    source: str

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def positions(self) -> np.ndarray:
        """Longitude and latitude of the cells, degrees, shape (n, 2)."""
        return self.cells[["lon", "lat"]].to_numpy(float)


def read_population(
    path: str | Path, districts: gpd.GeoDataFrame, *, mapped: int | None = None, most_cells: int = MOST_CELLS
) -> PopulationCells:
    """Read how many people live in the cells of a raster, and in which district.

    A cell that a border cuts belongs to each district with the share of its area that lies there. Where the raster is fine,
    square blocks of its cells are joined to one cell, whose position is the mean position of its people. The raster is read
    in windows, so that the memory does not depend on its size.

    Parameters
    ----------
    path : str or Path
        A GeoTIFF with the number of people in each cell, in any coordinate reference system.
    districts : GeoDataFrame
        `district_id` and `geometry` (polygons, EPSG:4326).
    mapped : int, optional
        How many of the first districts the raster must cover; by default all.
    most_cells : int
        About the largest number of cells.

    Returns
    -------
    PopulationCells

    Raises
    ------
    InputError
        The file cannot be read, has no reference system, is rotated, does not cover the districts, holds negative numbers, or
        holds nobody there; or an optional package is not installed.

    Notes
    -----
    Cells without data have no people. The shares are those of exactextract (Baston 2018), which computes them exactly
    in the coordinates of the raster.

    Examples
    --------
    >>> import tempfile
    >>> import rasterio as rio
    >>> path = Path(tempfile.mkdtemp()) / "people.tif"
    >>> corner = rio.transform.from_origin(10, 2, 1, 1)
    >>> about = {"driver": "GTiff", "width": 2, "height": 2, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    >>> with rio.open(path, "w", transform=corner, **about) as raster:
    ...     raster.write(np.array([[4, 0], [8, 2]], "float32"), 1)
    >>> halves = [shapely.box(10, 0, 10.5, 2), shapely.box(10.5, 0, 12, 2)]
    >>> districts = gpd.GeoDataFrame({"district_id": ["west", "east"]}, geometry=halves, crs="EPSG:4326")
    >>> read_population(path, districts).shares.groupby("district_id")["people"].sum().to_dict()
    {'east': 8.0, 'west': 6.0}
    """
    require_extra("raster")
    with open_raster(path) as raster:
        here = _checked(raster, districts, path, mapped)
        frame = _Frame.around(raster, here, most_cells)
        parts = [part for window in frame.windows() for part in _people_in(raster, window, frame, here, path)]
    people = np.concatenate([part.people for part in parts]) if parts else np.zeros(0)
    if not people.sum() > 0:
        raise _error(path, "holds no people in the region; check that it counts people, and its nodata value")
    return _joined(parts, frame, districts["district_id"].to_numpy(object), Path(path).name)


def check_population(path: str | Path, districts: gpd.GeoDataFrame) -> None:
    """Raise where a population raster cannot be used for districts, before any long work; the people are not read yet.

    Raises
    ------
    InputError
        As `read_population` does.

    Examples
    --------
    >>> check_population("people.vrt", gpd.GeoDataFrame())
    Traceback (most recent call last):
    geolive.errors.InputError: people.vrt: a .vrt file is not accepted; save it as a GeoTIFF (.tif)
    """
    require_extra("raster")
    with open_raster(path) as raster:
        _checked(raster, districts, path, None)


def _checked(
    raster: "rasterio.DatasetReader", districts: gpd.GeoDataFrame, path: str | Path, mapped: int | None
) -> np.ndarray:
    """Return the districts' polygons in the coordinates of the raster, which must cover the first of them."""
    _check_raster(raster, path)
    here = _in_crs_of(raster, districts, path)
    covered = _covered(raster, here[:mapped])
    if covered < LEAST_COVERED:
        share = percent_text(covered) if covered > 0 else "nothing"
        raise _error(path, f"covers {share} of the region's area; give a raster that covers the whole region")
    return here


@dataclass(frozen=True)
class _Frame:
    """The part of a raster that districts need: blocks of `factor` x `factor` cells, aligned to the raster's corner."""

    transform: "rasterio.Affine"
    crs: str
    factor: int
    top: int  # first row and column of the raster, a multiple of the factor
    left: int
    bottom: int  # exclusive; not beyond the raster
    right: int

    @classmethod
    def around(cls, raster: "rasterio.DatasetReader", polygons: np.ndarray, most_cells: int) -> "_Frame":
        """Find the smallest blocks of which about `most_cells` cover the polygons."""
        at = raster.transform
        west, south, east, north = shapely.total_bounds(polygons)
        top, bottom = (int(np.clip((y - at.f) / at.e, 0, raster.height)) for y in (north, south))
        left, right = (int(np.clip((x - at.c) / at.a, 0, raster.width)) for x in (west, east))
        cells = float(shapely.area(polygons).sum()) / abs(at.a * at.e)
        factor = max(1, int(np.ceil(np.sqrt(cells / most_cells) - 1e-6)))
        return cls(
            at,
            CRS if raster.crs.to_epsg() == 4326 else raster.crs.to_wkt(),
            factor,
            top // factor * factor,
            left // factor * factor,
            min(bottom + 1, raster.height),
            min(right + 1, raster.width),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        return -(-(self.bottom - self.top) // self.factor), -(-(self.right - self.left) // self.factor)

    def windows(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield top, left, bottom, right of windows of whole blocks, which together fill the frame."""
        width = self.right - self.left
        columns = max(min(width, CELLS_AT_ONCE // self.factor) // self.factor, 1) * self.factor
        columns = width if columns + self.factor > width else columns
        rows = max(CELLS_AT_ONCE // columns // self.factor, 1) * self.factor
        for top in range(self.top, self.bottom, rows):
            for left in range(self.left, self.right, columns):
                yield top, left, min(top + rows, self.bottom), min(left + columns, self.right)

    def grid(self) -> CellGrid:
        """Return the grid of the blocks."""
        at = self.transform
        height, width = self.shape
        corner = self.coordinates(self.left, self.top)
        step = (at.a * self.factor, 0.0, corner[0], 0.0, at.e * self.factor, corner[1])
        return CellGrid(step, height, width, self.crs)

    def coordinates(self, column: Any, row: Any) -> tuple[Any, Any]:
        """Return the coordinates of columns and rows of the raster, which is north-up."""
        at = self.transform
        return at.c + at.a * column, at.f + at.e * row


@dataclass(frozen=True)
class _Part:
    """People of one window: a row for each block and district."""

    block: np.ndarray
    district: np.ndarray
    people: np.ndarray
    x: np.ndarray  # people times coordinate
    y: np.ndarray


def _error(path: str | Path, words: str) -> InputError:
    return InputError(f"population={str(path)!r}: {words}", parameter="population")


def _check_raster(raster: "rasterio.DatasetReader", path: str | Path) -> None:
    if raster.crs is None or not raster.crs.to_wkt():
        raise _error(
            path,
            "has no coordinate reference system; write the right one into it, for example with: gdal_edit.py -a_srs "
            f"EPSG:4326 {path}",
        )
    at = raster.transform
    if at.b or at.d or at.a <= 0 or at.e >= 0:
        raise _error(path, f"is rotated, or its rows run from south to north; warp it: gdalwarp {path} north-up.tif")
    if raster.dtypes[0].startswith("complex"):
        raise _error(path, "holds complex numbers; give a raster of real numbers")
    if raster.count != 1:
        raise _error(
            path, f"has {raster.count} bands where one is needed; take one out: gdal_translate -b 1 {path} people.tif"
        )


def _in_crs_of(raster: "rasterio.DatasetReader", districts: gpd.GeoDataFrame, path: str | Path) -> np.ndarray:
    """Return the districts' polygons in the coordinates of the raster; one that has none there is empty."""
    from pyproj.exceptions import ProjError

    try:
        polygons = districts.geometry.to_crs(raster.crs.to_wkt()).to_numpy()
    except ProjError as error:
        reason = " ".join(str(error).split())
        raise _error(path, f"has a reference system that cannot be used ({reason}); warp it to EPSG:4326") from error
    finite = np.isfinite(shapely.bounds(polygons)).all(axis=1)
    return np.where(finite, polygons, shapely.Polygon())


def _covered(raster: "rasterio.DatasetReader", polygons: np.ndarray) -> float:
    """Return the share of the polygons' area that lies inside the raster's frame."""
    area = float(shapely.area(polygons).sum())
    left, bottom, right, top = raster.bounds
    clipped = shapely.clip_by_rect(shapely.make_valid(polygons), left, bottom, right, top)
    return float(shapely.area(clipped).sum()) / area if area else 0.0


def _people_in(
    raster: "rasterio.DatasetReader",
    window: tuple[int, int, int, int],
    frame: _Frame,
    polygons: np.ndarray,
    path: str | Path,
) -> Iterator[_Part]:
    """Yield the people of one window by block and district; nothing where it holds nobody."""
    from exactextract import exact_extract
    from exactextract.raster import NumPyRasterSource
    from rasterio.windows import Window

    top, left, bottom, right = window
    (west, north), (east, south) = frame.coordinates(left, top), frame.coordinates(right, bottom)
    near = np.flatnonzero(shapely.intersects(polygons, shapely.box(west, south, east, north)))
    if not len(near):
        return
    people = _read(raster, Window(left, top, right - left, bottom - top), path)
    if not people.any():
        return
    source = NumPyRasterSource(people, west, south, east, north, srs_wkt=frame.crs)
    touched = gpd.GeoDataFrame({"number": near}, geometry=polygons[near], crs=frame.crs)
    found = exact_extract(source, touched, ["cell_id", "coverage"], include_cols=["number"], output="pandas")
    for number, cell, share in found[["number", "cell_id", "coverage"]].itertuples(index=False):
        there = people.ravel()[cell] * np.asarray(share, float)
        row, column = np.divmod(cell[there > 0], right - left)
        there = there[there > 0]
        block = (row + top - frame.top) // frame.factor * frame.shape[1] + (column + left - frame.left) // frame.factor
        block, of_cell = np.unique(block, return_inverse=True)
        x, y = frame.coordinates(left + column + 0.5, top + row + 0.5)
        sums = [np.bincount(of_cell, weights, len(block)) for weights in (there, there * x, there * y)]
        yield _Part(block, np.full(len(block), number), *sums)


def _read(raster: "rasterio.DatasetReader", window: "rasterio.windows.Window", path: str | Path) -> np.ndarray:
    """Read people as float64; 0 where there is no data."""
    read = raster.read(1, window=window, masked=True)
    people = np.ma.filled(read.astype(np.float64), 0.0) * raster.scales[0] + raster.offsets[0]
    people[np.ma.getmaskarray(read) | np.isnan(people)] = 0.0
    if not (people >= 0).all() or np.isinf(people).any():
        wrong = float(people[(people < 0) | np.isinf(people)][0])
        raise _error(
            path,
            f"holds {wrong:g} people in a cell; if that means no data, declare it: gdal_edit.py -a_nodata {wrong:g} {path}",
        )
    return people


def _joined(parts: list[_Part], frame: _Frame, ids: np.ndarray, name: str) -> PopulationCells:
    """Join the windows' people to cells and shares."""
    from pyproj import Transformer

    block, district, people, x, y = (
        np.concatenate([getattr(part, column) for part in parts])
        for column in ("block", "district", "people", "x", "y")
    )
    blocks, cell = np.unique(block, return_inverse=True)
    of_cell, mean_x, mean_y = (np.bincount(cell, weights) for weights in (people, x, y))
    row, column = np.divmod(blocks, frame.shape[1])
    lon, lat = Transformer.from_crs(frame.crs, CRS, always_xy=True).transform(mean_x / of_cell, mean_y / of_cell)
    cells = pd.DataFrame({"row": row, "column": column, "lon": lon, "lat": lat, "people": of_cell})
    shares = pd.DataFrame({"cell": cell, "district_id": ids[district], "people": people})
    joined = f", joined by {frame.factor} x {frame.factor}" if frame.factor > 1 else ""
    return PopulationCells(cells, shares, frame.grid(), f"{name} ({len(cells):,} inhabited cells{joined})")
