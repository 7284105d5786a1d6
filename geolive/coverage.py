"""Make polygons into a coverage: districts that share their borders, without gaps, overlaps, spikes or points."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely

from geolive.antimeridian import ON_IT_DEGREES, lies_across, running_bounds
from geolive.geodesy import metric_crs
from geolive.tables import CRS
from geolive.wording import listed

WIDEST_GAP_M = 1000.0
# a gap may be as wide as this share of a small unit's side, so that a city's small units are not filled from their neighbours
# the usual repair of shapely takes seconds for a thousand crossings, and hours for ten thousand
_MOST_CROSSINGS = 500
_SAMPLED_SIDES = 500
_GAP_SHARE, _SMALL_UNITS = 1 / 20, 10
# larger changes of a district's area are told
TOLD_CHANGE = 0.01
_MOST_TOLD = 5


@dataclass(frozen=True, eq=False)
class Coverage:
    """Polygons that share their borders, and what was changed to make them so.

    Parameters
    ----------
    geometry : GeoSeries
        A MultiPolygon for each district, EPSG:4326, cut at the antimeridian.
    gap_width_m : float
        Gaps up to this width were closed.
    change : array of float, shape (n,)
        Change of each district's area, as a share of its area before.
    """

    geometry: gpd.GeoSeries
    gap_width_m: float
    change: np.ndarray

    def notes(self, names: list[str]) -> tuple[str, ...]:
        """Return a sentence on the districts whose area changed by more than 1 %; none where there is no such district.

        Parameters
        ----------
        names : list of str
            Names of the districts.

        Examples
        --------
        >>> shape = gpd.GeoSeries([shapely.box(0, 0, 1, 1)])
        >>> Coverage(shape, 250.0, np.array([0.021])).notes(["Patna"])
        ('gaps up to 250 m wide and overlaps were closed, which changed 1 district by more than 1 %: Patna +2.1 %',)
        """
        order = np.argsort(-np.abs(self.change), kind="stable")
        changed = [int(i) for i in order if abs(self.change[i]) > TOLD_CHANGE]
        if not changed:
            return ()
        districts = "1 district" if len(changed) == 1 else f"{len(changed):,} districts"
        shown = listed([f"{names[i]} {100 * self.change[i]:+.1f} %" for i in changed], _MOST_TOLD)
        return (
            f"gaps up to {self.gap_width_m:,.0f} m wide and overlaps were closed, which changed {districts} by more than "
            f"1 %: {shown}",
        )


def clean_coverage(geometry: gpd.GeoSeries) -> Coverage:
    """Close gaps and overlaps between polygons in an equal-area projection, so that neighbours share their border.

    Parameters
    ----------
    geometry : GeoSeries
        Polygons or MultiPolygons in degrees, EPSG:4326, each with an area and cut at the antimeridian. They need not be valid.

    Returns
    -------
    Coverage
        No district is lost.

    Notes
    -----
    A gap is closed where it is enclosed by districts and nowhere wider than 1 km, or than a twentieth of the side of a square as
    large as a small district (the 10th percentile of areas) where that is less.

    Examples
    --------
    >>> squares = gpd.GeoSeries([shapely.box(85, 25, 86, 26), shapely.box(85.999, 25, 87, 26)], crs=4326)
    >>> cleaned = clean_coverage(squares)
    >>> shapely.coverage_is_valid(cleaned.geometry.to_numpy()).item(), cleaned.gap_width_m
    (True, 1000.0)
    """
    shapes = geometry.to_numpy()
    crs = metric_crs(running_bounds(shapes))
    pieces, owner, east = _sides(shapes)
    metric = polygonal_parts(gpd.GeoSeries(pieces, crs=CRS).to_crs(crs).to_numpy())
    before = np.bincount(owner, shapely.area(metric), minlength=len(shapes))
    small = np.percentile(before, _SMALL_UNITS)
    gap = float(min(WIDEST_GAP_M, np.sqrt(small) * _GAP_SHARE))
    clean = _closed(metric, gap)
    after = np.bincount(owner, shapely.area(clean), minlength=len(shapes))
    degrees = gpd.GeoSeries(polygonal_parts(clean), crs=crs).to_crs(CRS).to_numpy()
    broken = ~shapely.is_valid(degrees)
    degrees[broken] = polygonal_parts(degrees[broken])
    if east is not None:
        degrees = _joined(degrees, owner, east, len(shapes))
    return Coverage(gpd.GeoSeries(degrees, index=geometry.index, crs=CRS), gap, after / before - 1)


def polygonal_parts(geometry: np.ndarray) -> np.ndarray:
    """Repair polygons and return their parts with an area as MultiPolygons; empty ones where there is none.

    The spike of a polygon is valid only as a line beside it, and a line is no part of a district.

    Parameters
    ----------
    geometry : array of Geometry or None

    Examples
    --------
    >>> spike = shapely.Polygon([(0, 0), (1, 0), (1, 1), (0.5, 1), (0.5, 2), (0.5, 1), (0, 1)])
    >>> polygonal_parts(np.array([spike, None]))[0].bounds, polygonal_parts(np.array([spike, None]))[1].is_empty
    ((0.0, 0.0, 1.0, 1.0), True)
    """
    valid = _valid(shapely.force_2d(geometry))
    parts, owner = shapely.get_parts(valid, return_index=True)
    kind = shapely.get_type_id(parts)
    areal = np.isin(kind, (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON))
    # a collection may hold collections
    nested = np.flatnonzero(kind == shapely.GeometryType.GEOMETRYCOLLECTION)
    for i in nested:
        parts[i] = polygonal_parts(parts[[i]])[0]
        areal[i] = not parts[i].is_empty
    parts, inner = shapely.get_parts(parts[areal], return_index=True)
    owner = owner[areal][inner]
    result = np.full(len(geometry), shapely.MultiPolygon(), dtype=object)
    if len(parts):
        result[np.unique(owner)] = shapely.multipolygons(parts, indices=np.unique(owner, return_inverse=True)[1])
    return result


def _valid(geometry: np.ndarray) -> np.ndarray:
    """Make polygons valid; those whose borders cross themselves very often by the method whose time does not grow with that."""
    tangled = np.zeros(len(geometry), bool)
    large = shapely.get_num_coordinates(geometry) > _MOST_CROSSINGS
    for i in np.flatnonzero(large & ~shapely.is_valid(geometry) & ~shapely.is_missing(geometry)):
        tangled[i] = crossings(geometry[i]) > _MOST_CROSSINGS
    valid = np.array(geometry, dtype=object)
    valid[~tangled] = shapely.make_valid(valid[~tangled])
    if tangled.any():
        valid[tangled] = shapely.make_valid(valid[tangled], method="structure", keep_collapsed=False)
    return valid


def crossings(shape: shapely.Geometry) -> int:
    """Count how often the borders of a polygon cross themselves, by 500 of its sides where it has more.

    Examples
    --------
    >>> crossings(shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]))
    1
    """
    at, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(shape)), return_index=True)
    pieces = np.stack([at[:-1], at[1:]], axis=1)[ring[:-1] == ring[1:]]
    segments = shapely.linestrings(pieces)
    some = segments[:: max(1, len(segments) // _SAMPLED_SIDES)]
    first, _ = shapely.STRtree(segments).query(some, predicate="crosses")
    return round(len(first) / 2 * len(segments) / max(1, len(some)))


def _closed(metric: np.ndarray, gap: float) -> np.ndarray:
    try:
        clean = shapely.coverage_clean(metric, gap_width=gap)
    except shapely.GEOSException:
        # borders that cannot be cleaned stay as the source has them
        return metric
    # a district narrower than a gap would be merged away: then only overlaps are closed, or nothing is
    if shapely.is_empty(clean).any():
        clean = shapely.coverage_clean(metric, gap_width=0)
    return metric if shapely.is_empty(clean).any() else clean


def _sides(shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Return districts in one piece for each side of the antimeridian, the district of each piece, and whether it is east of it.

    The last is None where all districts lie on one side.
    """
    if not lies_across(shapes):
        return shapes, np.arange(len(shapes)), None
    parts, owner = shapely.get_parts(shapes, return_index=True)
    parts, inner = shapely.get_parts(parts, return_index=True)
    owner = owner[inner]
    number = 2 * owner + (shapely.bounds(parts)[:, 0] < 0)
    units, of_unit = np.unique(number, return_inverse=True)
    order = np.argsort(of_unit, kind="stable")
    return shapely.multipolygons(parts[order], indices=of_unit[order]), units // 2, units % 2 == 1


def _joined(pieces: np.ndarray, owner: np.ndarray, east: np.ndarray, n: int) -> np.ndarray:
    """Put the pieces of each district together; what rounding put over the antimeridian lies on it."""
    clamped = [
        shapely.transform(piece, _on_east if flag else _on_west) for piece, flag in zip(pieces, east, strict=True)
    ]
    parts, of_piece = shapely.get_parts(np.array(clamped, dtype=object), return_index=True)
    of_district = owner[of_piece]
    joined = np.full(n, shapely.MultiPolygon(), dtype=object)
    joined[np.unique(of_district)] = shapely.multipolygons(
        parts, indices=np.unique(of_district, return_inverse=True)[1]
    )
    return polygonal_parts(joined)


def _on_west(at: np.ndarray) -> np.ndarray:
    lon = at[:, 0]
    return np.column_stack([np.where((lon < 0) | (lon > 180 - ON_IT_DEGREES), 180.0, lon), at[:, 1]])


def _on_east(at: np.ndarray) -> np.ndarray:
    lon = at[:, 0]
    return np.column_stack([np.where((lon > 0) | (lon < -180 + ON_IT_DEGREES), -180.0, lon), at[:, 1]])
