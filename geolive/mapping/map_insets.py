"""Insets of a map that is drawn on paper: islands far from the rest, and cities whose districts are too small to see."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely

from geolive.antimeridian import side_by_side

MOST_INSETS = 3
# shares of the larger side of the map: how far islands lie from the rest, how wide a group may be, how small a district is
_FAR, _WIDEST, _SMALL = 0.03, 0.3, 0.008
_FEWEST_SMALL = 3
# the longer side of an inset as a share of the map's, and the places that are tried for it along each side,
# and the room around it
_SIDE, _TRIED, _ROOM = 0.27, 13, 0.01


@dataclass(frozen=True)
class Inset:
    """A part of a map that is drawn larger beside it.

    Parameters
    ----------
    bounds : tuple of float
        West, south, east, north of the part, degrees.
    place : tuple of float
        Left, bottom, width and height of the inset, as shares of the axes.
    title : str
        Name of the state or district.
    """

    bounds: tuple[float, float, float, float]
    place: tuple[float, float, float, float]
    title: str


def find_insets(districts: gpd.GeoDataFrame, frame: tuple[float, float, float, float], squeeze: float) -> list[Inset]:
    """Find the parts of a map that need an inset, and free places for them.

    Parameters
    ----------
    districts : GeoDataFrame
        `district`, `state`, `geometry`, EPSG:4326.
    frame : tuple of float
        West, south, east, north of the map, degrees.
    squeeze : float
        Length of a degree of longitude on the map, as a share of a degree of latitude.

    Returns
    -------
    list of Inset
        At most three; none where all districts can be seen, or no place is free.

    Examples
    --------
    >>> shapes = [shapely.box(0, 0, 10, 10), *(shapely.box(20 + i / 10, 1, 20.1 + i / 10, 1.1) for i in range(3))]
    >>> table = gpd.GeoDataFrame({"district": list("abcd"), "state": ["A", "B", "B", "B"]}, geometry=shapes, crs="EPSG:4326")
    >>> [inset.title for inset in find_insets(table, (-1, -1, 21, 11), 1.0)]
    ['B']
    """
    shapes = side_by_side(districts.geometry.to_numpy())
    # as the map shows them, in units of the map's larger side
    width, height = (frame[2] - frame[0]) * squeeze, frame[3] - frame[1]
    side = max(width, height)
    scale = np.array([squeeze, 1.0]) / side
    seen = shapely.simplify(shapely.transform(shapes, lambda at: (at - [frame[0], frame[1]]) * scale), 5e-4)
    islands = _islands(seen)
    in_islands = np.concatenate([np.zeros(0, np.int64), *islands])
    groups = [*islands, *(group for group in _small(seen) if not np.isin(group, in_islands).any())][:MOST_INSETS]
    size = np.array([width, height]) / side
    taken = shapely.get_parts(seen)
    insets: list[Inset] = []
    titles = _titles(districts, groups)
    for group, title in zip(groups, titles, strict=True):
        bounds = _with_margin(shapely.total_bounds(seen[group]))
        corner, extent = _free_place(bounds, size, taken)
        if corner is None:
            continue
        box = shapely.box(*corner, *(corner + extent))
        taken = np.append(taken, box)
        degrees = (np.array([bounds[:2], bounds[2:]]) / scale + [frame[0], frame[1]]).ravel()
        west, south, east, north = map(float, degrees)
        left, bottom, wide, high = map(float, [*(corner / size), *(extent / size)])
        insets.append(Inset((west, south, east, north), (left, bottom, wide, high), title))
    return insets


def _islands(seen: np.ndarray) -> list[np.ndarray]:
    """Return groups of districts that lie far from the largest, the groups with most districts first."""
    groups = _near_groups(seen, _FAR)
    if len(groups) < 2:
        return []
    mainland = max(groups, key=lambda group: shapely.area(seen[group]).sum())
    far = [group for group in groups if group is not mainland and _extent(seen[group]) < _WIDEST]
    # a large island is seen as it is
    small = [group for group in far if np.sqrt(shapely.area(seen[group]).sum()) < _SMALL]
    return sorted(small, key=lambda group: -len(group))


def _small(seen: np.ndarray) -> list[np.ndarray]:
    """Return groups of neighbouring districts that are too small to see, the groups with most districts first."""
    small = np.flatnonzero(np.sqrt(shapely.area(seen)) < _SMALL)
    groups = [small[group] for group in _near_groups(seen[small], _SMALL / 2)]
    return sorted((group for group in groups if len(group) >= _FEWEST_SMALL), key=lambda group: -len(group))


def _near_groups(shapes: np.ndarray, distance: float) -> list[np.ndarray]:
    """Return the rows of shapes in groups; a chain of shapes within a distance of one another is a group."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(shapes):
        return []
    one, other = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=distance)
    near = coo_matrix((np.ones(len(one)), (one, other)), shape=(len(shapes), len(shapes)))
    count, group = connected_components(near, directed=False)
    return [np.flatnonzero(group == number) for number in range(count)]


def _extent(shapes: np.ndarray) -> float:
    west, south, east, north = shapely.total_bounds(shapes)
    return float(max(east - west, north - south))


def _with_margin(bounds: np.ndarray) -> np.ndarray:
    margin = 0.08 * max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    return bounds + np.array([-margin, -margin, margin, margin])


def _free_place(bounds: np.ndarray, size: np.ndarray, taken: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Return the corner and the size of the free place that is nearest to a part; no corner where none is free."""
    extent = bounds[2:] - bounds[:2]
    middle, tree = (bounds[2:] + bounds[:2]) / 2, shapely.STRtree(taken)
    for side in (_SIDE, 0.8 * _SIDE, 0.6 * _SIDE):
        wanted = extent * side / extent.max()
        if (wanted > size).any() or (wanted < 1.5 * extent).any():
            continue
        # some room above for the title
        steps = [np.linspace(0, size[axis] - wanted[axis] - (0.03 if axis else 0), _TRIED) for axis in (0, 1)]
        corners = np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 2)
        boxes = shapely.box(*corners.T, corners[:, 0] + wanted[0], corners[:, 1] + wanted[1] + 0.03)
        # the scale bar stands in the lower left corner
        free = (corners[:, 1] > 0.08) | (corners[:, 0] > 0.3)
        free[tree.query(boxes, predicate="dwithin", distance=_ROOM)[0]] = False
        if free.any():
            away = np.hypot(*(corners + wanted / 2 - middle).T)
            return corners[np.argmin(np.where(free, away, np.inf))], wanted
    return None, extent


def _titles(districts: gpd.GeoDataFrame, groups: list[np.ndarray]) -> list[str]:
    """Return the state of most districts of each group, where no other group has it, or else its largest district."""
    size = shapely.area(districts.geometry.to_numpy())
    names, states = districts["district"].to_numpy(object), districts["state"].fillna("").to_numpy(object)
    commonest = []
    for group in groups:
        found, count = np.unique(states[group].astype(str), return_counts=True)
        commonest.append(str(found[count.argmax()]) if 2 * count.max() > len(group) else "")
    titles = []
    for group, state in zip(groups, commonest, strict=True):
        largest = str(names[group[np.argmax(size[group])]])
        alone = state and commonest.count(state) == 1
        titles.append(state if alone else largest if len(group) == 1 else f"Around {largest}")
    return titles
