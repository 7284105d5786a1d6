"""Sums of a raster's values over circles, read strip by strip in bounded memory.

A circle is cut into thin bands of constant row. In each, the sum over the columns between the two ends of its chord comes from
cumulative sums along the row, with the shares of the cells that the ends cut. So a circle costs as many steps as it has rows,
however many cells it has, and a cell at its border counts with the share that lies inside.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from geolive.covariates.buffers import Buffers
from geolive.covariates.raster_grids import RasterGrid

# a circle whose radius is a smaller share of a cell is a point
_LEAST_REACH = 0.05
# bands across a circle, at least
_LEAST_BANDS = 48
_EPSILONS = 16 * np.finfo(float).eps
# numbers that are read at once, and steps of circles that are taken at once
_NUMBERS_AT_ONCE = 1_500_000
_STEPS_AT_ONCE = 400_000
# circles whose centres lie in a square of so many cells, or of twice their reach, are read together
_SQUARE = 512


@dataclass
class BufferSums:
    """Sums over n circles; `add_grid` adds the cells of a raster.

    Parameters
    ----------
    weighted : array of float, shape (bands, n)
        Sum of value times area over valid cells, km².
    valid : array of float, shape (bands, n)
        Area of the valid cells, km².
    area : array of float, shape (n,)
        Area of the circle, km².
    own : array of float, shape (bands, n)
        Value of the cell that holds the centre; NaN where there is none or it is not valid.
    inside : array of bool, shape (n,)
        Whether the centre lies in a raster.
    rounding : array of float, shape (bands, n)
        How far rounding may have moved the mean.
    """

    weighted: np.ndarray
    valid: np.ndarray
    area: np.ndarray
    own: np.ndarray
    inside: np.ndarray
    rounding: np.ndarray

    @classmethod
    def zeros(cls, bands: int, n: int) -> "BufferSums":
        """Return the sums of n circles before any raster is read."""
        shape = (bands, n)
        return cls(
            np.zeros(shape), np.zeros(shape), np.zeros(n), np.full(shape, np.nan), np.zeros(n, bool), np.zeros(shape)
        )

    def means(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the means over valid cells, NaN where there is none, and the share of the circle without valid cells.

        Returns
        -------
        means, nodata_share : array of float, shape (bands, n)
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            means, share = self.weighted / self.valid, 1 - self.valid / self.area
        point = self.area == 0
        means = np.where(point, self.own, np.where(self.valid > 0, means, np.nan))
        share = np.where(point, np.isnan(self.own), np.clip(share, 0, 1))
        # where all cells are equal, rounding in the sums must not show
        equal = np.abs(means - self.own) <= self.rounding
        return np.where(equal, self.own, means), np.where(share < 1e-9, 0, share)


def add_grid(
    sums: BufferSums,
    grid: RasterGrid,
    buffers: Buffers,
    which: np.ndarray,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Add the cells of a raster to the sums over circles.

    Parameters
    ----------
    sums : BufferSums
        Changed in place.
    grid : RasterGrid
    buffers : Buffers
    which : array of int
        Number of each of the circles in `sums`.
    progress : callable, optional
        Called with the number of circles that are done.
    """
    done, before = 0, sums.area.copy()
    sums.area[:] = 0
    for members in _squares(grid, buffers):
        one = _Square(grid, buffers, members)
        for strip in one.strips():
            strip.add_to(sums, which)
        done += len(members)
        if progress is not None:
            progress(done)
    # each tile of a raster that a circle meets has measured the whole circle
    np.maximum(sums.area, before, out=sums.area)


def _squares(grid: RasterGrid, buffers: Buffers) -> Iterator[np.ndarray]:
    """Numbers of the circles that meet the raster, those of a square of cells together, square after square."""
    touching = (
        (buffers.col + buffers.reach_cols > 0) & (buffers.col - buffers.reach_cols < grid.width)
        & (buffers.row + buffers.reach_rows > 0) & (buffers.row - buffers.reach_rows < grid.height)
    )  # fmt: skip
    chosen = np.flatnonzero(touching)
    if not len(chosen):
        return
    reach = max(buffers.reach_rows[chosen].max(), buffers.reach_cols[chosen].max())
    side = max(_SQUARE, 2 * reach)
    squares = [np.floor(at[chosen] / side).astype(np.int64) for at in (buffers.row, buffers.col)]
    order = np.lexsort((squares[1], squares[0]))
    changes = np.flatnonzero(np.any([np.diff(square[order]) for square in squares], axis=0)) + 1
    yield from np.split(chosen[order], changes)


class _Square:
    """The circles of a square, and the window of cells that they reach."""

    def __init__(self, grid: RasterGrid, buffers: Buffers, members: np.ndarray) -> None:
        self.grid, self.buffers, self.members = grid, buffers, members
        row, reach = buffers.row[members], buffers.reach_rows[members]
        col, reach_cols = buffers.col[members], buffers.reach_cols[members]
        self.first_row, self.end_row = int(np.floor((row - reach).min())), int(np.floor((row + reach).max())) + 1
        self.first_col = int(np.clip(np.floor((col - reach_cols).min()), 0, grid.width - 1))
        self.end_col = int(np.clip(np.floor((col + reach_cols).max()) + 1, self.first_col + 1, grid.width))
        # values are summed as differences from one of them, so that sums lose no digits
        self.origin: np.ndarray | None = None

    def strips(self) -> Iterator["_Strip"]:
        """Strips of rows from top to bottom; those beyond the raster are strips without values."""
        width = (self.end_col - self.first_col) * len(self.grid.names)
        most = max(1, _NUMBERS_AT_ONCE // width)
        row = self.first_row
        while row < self.end_row:
            end = min(self.end_row, row + most)
            if row < 0:
                end = min(end, 0)
            elif row < self.grid.height:
                end = min(end, self.grid.height)
                aligned = end - end % self.grid.block_height
                end = aligned if aligned > row and end < min(self.end_row, self.grid.height) else end
            yield _Strip(self, row, end)
            row = end


class _Strip:
    """A strip of a square's rows: its values as cumulative sums along each row."""

    def __init__(self, square: _Square, row: int, end: int) -> None:
        self.square, self.row, self.end = square, row, end
        self.values: np.ndarray | None = None
        if 0 <= row < square.grid.height:
            self.values, self.valid = square.grid.read(row, end, square.first_col, square.end_col)

    def add_to(self, sums: BufferSums, which: np.ndarray) -> None:
        """Add the strip to the sums of the circles that meet it."""
        square = self.square
        row, reach = square.buffers.row[square.members], square.buffers.reach_rows[square.members]
        meets = (row + reach >= self.row) & (row - reach < self.end)
        members = square.members[meets]
        if not len(members):
            return
        if self.values is not None:
            self._add_own(sums, which, members)
        wide = np.maximum(square.buffers.reach_rows, square.buffers.reach_cols)[members] >= _LEAST_REACH
        if not wide.any():
            return
        cumulative, members = self._cumulative(), members[wide]
        # bands within a row of cells, a power of 2, so that even a circle of few rows has many
        needed = _LEAST_BANDS / (2 * square.buffers.reach_rows[members])
        bands = 2 ** np.ceil(np.log2(np.maximum(needed, 1))).astype(np.int64)
        for number in np.unique(bands):
            for some, steps in self._steps(members[bands == number], number):
                self._add_steps(sums, which, some, steps, number, cumulative)

    def _add_own(self, sums: BufferSums, which: np.ndarray, members: np.ndarray) -> None:
        """Take the values of the cells that hold the centres."""
        assert self.values is not None
        row, col = (np.floor(at[members]).astype(np.int64) for at in (self.square.buffers.row, self.square.buffers.col))
        here = (row >= self.row) & (row < self.end) & (col >= 0) & (col < self.square.grid.width)
        row, col, of = row[here] - self.row, col[here] - self.square.first_col, which[members[here]]
        values = np.where(self.valid[:, row, col], self.values[:, row, col], np.nan)
        # of tiles that overlap, the first counts
        sums.own[:, of] = np.where(np.isnan(sums.own[:, of]), values, sums.own[:, of])
        sums.inside[of] = True

    def _cumulative(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Sums of values (less the origin) and of valid cells from the first column up to each, flat for each band.

        None where the strip lies beyond the raster, or has no valid cell.
        """
        if self.values is None or not self.valid.any():
            return None
        square, (bands, rows, columns) = self.square, self.values.shape
        if square.origin is None:
            square.origin = _first_valid(self.values, self.valid)
        summed = np.zeros((bands, rows, columns + 1))
        differences = np.subtract(self.values, square.origin[:, None, None], dtype=np.float64)
        counted = np.zeros((len(self.valid), rows, columns + 1))
        if self.valid.all():
            counted[:] = np.arange(columns + 1)
        else:
            differences[~np.broadcast_to(self.valid, self.values.shape)] = 0
            np.cumsum(self.valid, axis=2, out=counted[:, :, 1:])
        np.cumsum(differences, axis=2, out=summed[:, :, 1:])
        return summed.reshape(bands, -1), counted.reshape(len(counted), -1)

    def _steps(
        self, members: np.ndarray, bands: int
    ) -> Iterator[tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        """Some circles at a time: their numbers, and for each step its circle among them, its band, and where circles begin."""
        buffers = self.square.buffers
        row, reach = buffers.row[members], buffers.reach_rows[members]
        first = np.ceil((np.maximum(row - reach, self.row) - self.row) * bands - 0.5).astype(np.int64)
        last = np.floor((np.minimum(row + reach, self.end) - self.row) * bands - 0.5).astype(np.int64)
        last = np.minimum(last, (self.end - self.row) * bands - 1)
        some = last >= first
        members, first, count = members[some], first[some], (last - first + 1)[some]
        parts = np.cumsum(count) // _STEPS_AT_ONCE
        for part in np.split(np.arange(len(members)), np.flatnonzero(np.diff(parts)) + 1):
            if len(part):
                starts = np.cumsum(count[part]) - count[part]
                of = np.repeat(np.arange(len(part)), count[part])
                yield members[part], (of, np.arange(len(of)) - starts[of] + first[part][of], starts)

    def _add_steps(
        self,
        sums: BufferSums,
        which: np.ndarray,
        members: np.ndarray,
        steps: tuple[np.ndarray, np.ndarray, np.ndarray],
        bands: int,
        cumulative: tuple[np.ndarray, np.ndarray] | None,
    ) -> None:
        square, (of, band, starts) = self.square, steps
        left, right, area = square.buffers.chords(members[of], self.row + (band + 0.5) / bands)
        weight, circles = area / bands, which[members]
        sums.area[circles] += np.add.reduceat(weight * (right - left), starts)
        if cumulative is None:
            return
        width = square.end_col - square.first_col
        begin, ends = band // bands * (width + 1), []
        for end in (left, right):
            end = np.clip(end - square.first_col, 0, width)
            cell = np.minimum(end.astype(np.int64), width - 1)
            ends.append((begin + cell, end - cell))

        def between(flat: np.ndarray) -> np.ndarray:
            (i, f), (j, g) = ends
            low, high = flat[i], flat[j]
            return (high + g * (flat[j + 1] - high)) - (low + f * (flat[i + 1] - low))

        valid = [np.add.reduceat(weight * between(flat), starts) for flat in cumulative[1]]
        for band_number, flat in enumerate(cumulative[0]):
            covered = valid[band_number if len(valid) > 1 else 0]
            origin = 0.0 if square.origin is None else square.origin[band_number]
            total = np.add.reduceat(weight * between(flat), starts)
            # sums differ from the exact ones by some units in the last place of the largest
            largest = _EPSILONS * max(np.abs(flat).max(), abs(origin))
            sums.rounding[band_number, circles] = np.maximum(sums.rounding[band_number, circles], largest)
            sums.valid[band_number, circles] += covered
            sums.weighted[band_number, circles] += total + origin * covered


def _first_valid(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return a valid value of each band, 0 where it has none, shape (bands,)."""
    flat = np.broadcast_to(valid, values.shape).reshape(len(values), -1)
    first = flat.argmax(axis=1)
    each = np.arange(len(values))
    return np.where(flat[each, first], values.reshape(len(values), -1)[each, first], 0).astype(np.float64)
