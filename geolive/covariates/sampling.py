"""Values of rasters at positions: the mean over a buffer, or the value of the cell."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyproj
from numpy.typing import ArrayLike

from geolive.covariates.buffer_sums import BufferSums, add_grid
from geolive.covariates.buffers import make_buffers
from geolive.covariates.raster_grids import RasterGrid, open_grid
from geolive.covariates.raster_names import RasterCovariate, as_rasters
from geolive.engine.interface import Engine
from geolive.engine.local import LocalEngine
from geolive.errors import InputError

# so many places are computed together; sums depend on it in their last digits, so it is the same on every engine
_PLACES_A_PART = 65536
LARGEST_RADIUS_KM = 500.0

Bounds: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class RasterSample:
    """Values of a raster at n positions.

    Parameters
    ----------
    values : DataFrame, n rows
        A column of float64 for each covariate that the raster gives; NaN where the buffer holds no valid cell.
    nodata_share : array of float, shape (n,)
        Share of the buffer that has no value: no data, or outside the raster. Of several bands, the largest.
    inside : array of bool, shape (n,)
        Whether the position lies in the raster.
    bands : tuple of int
        Number of the band that each column comes from.
    unit_length : bool
        Whether the values of a place were scaled to length 1.
    """

    values: pd.DataFrame
    nodata_share: np.ndarray
    inside: np.ndarray
    bands: tuple[int, ...]
    unit_length: bool


def covariates_at(
    rasters: Iterable[str | RasterCovariate] | Mapping[str, str | Path],
    positions: ArrayLike,
    radius_km: ArrayLike = 0.0,
    progress: Callable[[str], None] | None = None,
) -> pd.DataFrame:
    """Return the values of rasters at positions, one column for each covariate.

    Parameters
    ----------
    rasters : list of str or RasterCovariate, or dict of str to path
        "NAME=FILE" or "NAME=FILE:BAND". The file is a GeoTIFF in any coordinate reference system, a folder of tiles, or the
        address of a Cloud-Optimized GeoTIFF; only the windows around the positions are read.
    positions : array of float, shape (n, 2)
        Longitude and latitude, degrees.
    radius_km : float or array of float, shape (n,)
        Great-circle radius of the buffer whose mean is taken; 0 takes the value of the cell.
    progress : callable, optional
        Called with a sentence about the progress.

    Returns
    -------
    DataFrame, n rows
        NAME for a single band; NAME_00, NAME_01, … for all bands of an embedding. NaN where there is no value.

    Raises
    ------
    InputError
        A raster cannot be read, has no coordinate reference system or no such band, or holds none of the positions.

    Notes
    -----
    The mean weighs each cell by the area that lies in the buffer, and leaves out cells without data. On grids of longitude and
    latitude the buffer is a circle on the sphere; in other projections it is the ellipse that this circle is near its centre.
    AlphaEarth's embeddings are averaged after they are de-quantised, and each mean is scaled to length 1; where the smallest
    radius is 640 m or more, the published files are read from an overview whose cells are at most a 32nd of it.

    Examples
    --------
    >>> import tempfile
    >>> from rasterio import Affine, MemoryFile
    >>> path = Path(tempfile.mkdtemp()) / "rain.tif"
    >>> about = {"driver": "GTiff", "width": 2, "height": 2, "count": 1, "dtype": "float32", "crs": 4326}
    >>> with MemoryFile() as file:
    ...     with file.open(transform=Affine(1, 0, 84, 0, -1, 26), **about) as raster:
    ...         raster.write(np.array([[1, 2], [3, 4]], np.float32), 1)
    ...     _ = path.write_bytes(file.read())
    >>> covariates_at({"rain": path}, [[84.5, 25.5], [85.0, 25.0]], [0, 20]).round(2)["rain"].tolist()
    [1.0, 2.5]
    """
    tables = [sample_raster(raster, positions, radius_km, progress).values for raster in as_rasters(rasters)]
    if not tables:
        raise InputError("rasters: none is given; give NAME=FILE", parameter="rasters")
    return pd.concat(tables, axis=1)


def sample_raster(
    raster: RasterCovariate,
    positions: ArrayLike,
    radius_km: ArrayLike = 0.0,
    progress: Callable[[str], None] | None = None,
    engine: Engine | None = None,
) -> RasterSample:
    """Return the values of one raster at positions, and how much of each buffer has no value.

    Parameters
    ----------
    raster : RasterCovariate
    positions : array of float, shape (n, 2)
        Longitude and latitude, degrees.
    radius_km : float or array of float, shape (n,)
    progress : callable, optional
    engine : Engine, optional
        Where partitions of the places are computed; by default in this process, with equal results.

    Returns
    -------
    RasterSample

    Raises
    ------
    InputError
        See `covariates_at`.
    """
    lonlat = np.asarray(positions, float).reshape(-1, 2)
    radius = _checked_radius(radius_km, len(lonlat))
    # several visits of one place are read once
    places, place_of = np.unique(np.column_stack([lonlat, radius]), axis=0, return_inverse=True)
    smallest = float(places[:, 2].min(initial=LARGEST_RADIUS_KM))
    parts = [places[start : start + _PLACES_A_PART] for start in range(0, max(1, len(places)), _PLACES_A_PART)]
    chosen = engine or LocalEngine()
    make = _SamplesPlaces(raster, smallest, progress if chosen.name == "local" else None)
    found: dict[int, _Sampled] = {}
    for number, sampled in chosen.map_partitions(make, parts):
        found[number] = sampled
        if progress is not None and len(parts) > 1:
            progress(f"{raster.name}: {len(found):,} of {len(parts):,} parts of {len(places):,} places")
    in_order, about = [found[number] for number in range(len(parts))], found[0]
    if len(places) and not any(sampled.covered for sampled in in_order):
        raise InputError(_not_covered(raster, raster.files, about.bounds, lonlat))
    rows = place_of.ravel()
    values, share = (np.concatenate([getattr(one, name) for one in in_order], axis=1) for name in ("values", "share"))
    if about.is_unit:
        values = _unit_length(values)
    table = pd.DataFrame(values.T[rows], columns=list(about.names))
    inside = np.concatenate([one.inside for one in in_order])
    return RasterSample(table, share.max(axis=0)[rows], inside[rows], about.bands, about.is_unit)


@dataclass(frozen=True)
class _Sampled:
    """The means of a raster over the buffers of some places, and facts about the raster."""

    values: np.ndarray
    share: np.ndarray
    inside: np.ndarray
    covered: bool
    names: tuple[str, ...]
    bands: tuple[int, ...]
    is_unit: bool
    bounds: Bounds | None


@dataclass(frozen=True)
class _SamplesPlaces:
    """Makes the function of a worker, which samples some places."""

    raster: RasterCovariate
    smallest_km: float
    progress: Callable[[str], None] | None

    def __call__(self) -> Callable[[np.ndarray], _Sampled]:
        return self._sample

    def _sample(self, places: np.ndarray) -> _Sampled:
        raster, files = self.raster, self.raster.files
        sums: BufferSums | None = None
        names: tuple[str, ...] = ()
        is_unit = False
        for number, file in enumerate(files, 1):
            with open_grid(raster, file, self.smallest_km) as grid:
                if sums is None:
                    sums, names, bands, is_unit = (
                        BufferSums.zeros(len(grid.names), len(places)),
                        grid.names,
                        grid.bands,
                        grid.unit_length,
                    )
                elif grid.names != names:
                    raise InputError(f"{file}: has other bands than {files[0]}; keep tiles of one raster in the folder")
                buffers, which = make_buffers(grid, places[:, :2], places[:, 2])

                def said(done: int, number: int = number) -> None:
                    if self.progress is not None:
                        tile = f", tile {number:,} of {len(files):,}" if len(files) > 1 else ""
                        self.progress(f"{raster.name}{tile}: {done:,} of {len(places):,} places")

                add_grid(sums, grid, buffers, which, said)
                if grid.goes_round:
                    # what a circle across the raster's edge lacks stands at the other edge
                    for shift in (-grid.width, grid.width):
                        add_grid(sums, grid, replace(buffers, col=buffers.col + shift), which)
                bounds = _lonlat_bounds(grid)
        assert sums is not None
        covered = bool(sums.inside.any() or (sums.valid > 0).any())
        values, share = sums.means()
        return _Sampled(values, share, sums.inside, covered, names, bands, is_unit, bounds)


def _unit_length(values: np.ndarray) -> np.ndarray:
    """Scale vectors, shape (bands, n), to length 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return values / np.linalg.norm(values, axis=0)


def _checked_radius(radius_km: ArrayLike, n: int) -> np.ndarray:
    radius = np.asarray(radius_km, float)
    if radius.shape not in ((), (n,)):
        raise InputError(
            f"radius_km: has shape {radius.shape} for {n:,} positions; give one number, or one for each",
            parameter="radius_km",
        )
    wrong = ~((radius >= 0) & (radius <= LARGEST_RADIUS_KM))
    if wrong.any():
        raise InputError(
            f"radius_km={float(radius[wrong].flat[0]):g}: must be between 0 and {LARGEST_RADIUS_KM:g} km; give for example 5",
            parameter="radius_km",
        )
    return np.broadcast_to(radius, (n,))


def _lonlat_bounds(grid: RasterGrid) -> Bounds | None:
    """West, south, east, north of a raster in degrees, or None where it reaches beyond its projection."""
    xs, ys = grid.coordinates(np.array([0, 0, grid.width, grid.width]), np.array([0, grid.height, 0, grid.height]))
    transformer = pyproj.Transformer.from_crs(grid.crs, 4326, always_xy=True)
    try:
        found = transformer.transform_bounds(xs.min(), ys.min(), xs.max(), ys.max())
    except pyproj.exceptions.ProjError:
        return None
    return found if np.isfinite(found).all() else None


def _not_covered(raster: RasterCovariate, files: list[str], bounds: Bounds | None, lonlat: np.ndarray) -> str:
    (west, south), (east, north) = lonlat.min(axis=0), lonlat.max(axis=0)
    if len(files) > 1:
        reach = f"none of its {len(files):,} tiles does"
    elif bounds is None:
        reach = "its own bounds have no longitude and latitude"
    else:
        reach = "it reaches from {:.6g},{:.6g} to {:.6g},{:.6g}".format(*bounds)
    return (
        f"{raster.file}: does not cover the region: all places lie from {west:.6g},{south:.6g} to {east:.6g},{north:.6g}, and "
        f"{reach}; give a raster of the region, or correct its coordinate reference system"
    )
