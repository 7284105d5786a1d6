"""Join images to survey clusters, and form prediction sites from the images of no cluster."""

import heapq
import itertools
import numbers
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.geodesy import km_to_chord, unit_sphere
from geolive.tables import CRS, lonlat, points

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

SITE_RADIUS_KM = 5.0
# how far an image may be from its survey point: one distance, or one each for urban and rural points
Radius = float | dict[str, float]
# points whose distances differ by less than a millimetre are equally near; at most so many of them are compared
_TIES, _TIE_CHORD = 4, 1e-10
# bounds the memory of the lists of cells near others
_CELLS_AT_ONCE = 10_000


def join_images(
    images: gpd.GeoDataFrame, clusters: gpd.GeoDataFrame, radius_km: Radius = SITE_RADIUS_KM
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Join each image to the nearest survey point whose radius reaches it.

    Surveys displace their points on purpose (DHS: urban points by up to 2 km, rural points by up to 5 km), so the distance is
    measured from the position that the survey published.

    Parameters
    ----------
    images : GeoDataFrame
        An images table.
    clusters : GeoDataFrame
        A clusters table.
    radius_km : float or dict of str to float
        Great-circle distance; {"urban": 2, "rural": 5} goes by the column `urban`, and 5 km where that is null.

    Returns
    -------
    images : GeoDataFrame
        A copy with `unique_cluster` (null where no point is within reach) and `country` of that cluster. Where several
        points are equally near, for example because a place was surveyed twice, the image belongs to the first by name.
    clusters : GeoDataFrame
        A copy with `n_images`, the number of all images of a cluster; `group_images` takes at most 200 of them.

    Raises
    ------
    InputError
        A distance is not above 0, a kind of point is missing or unknown, or the survey does not say which points are urban.

    Examples
    --------
    >>> images = gpd.GeoDataFrame({"key": list("ab"), "country": ""}, geometry=points([85.1, 86.0], [25.6, 25.6]))
    >>> survey = gpd.GeoDataFrame({"unique_cluster": ["c"], "country": ["ia"]}, geometry=points([85.12], [25.6]))
    >>> joined, counted = join_images(images, survey)
    >>> joined.unique_cluster.tolist(), counted.n_images.tolist()
    (['c', nan], [1])
    """
    from scipy.spatial import cKDTree

    radius = _radius_of_clusters(clusters, radius_km)
    # the last row, -1, means no cluster
    name, country = (_with_none(clusters[column]) for column in ("unique_cluster", "country"))
    by_name = np.argsort(name[:-1].astype(str), kind="stable")
    at_images, at_clusters = unit_sphere(lonlat(images.geometry)), unit_sphere(lonlat(clusters.geometry))
    nearest, chosen = np.full(len(images), np.inf), np.full(len(images), -1, np.int64)
    for km in np.unique(radius):
        rows = by_name[radius[by_name] == km]
        # one point for each place, else several surveys of it would crowd out the others
        rows = rows[np.sort(np.unique(at_clusters[rows], axis=0, return_index=True)[1])]
        chord, near = cKDTree(at_clusters[rows]).query(at_images, k=range(1, min(_TIES, len(rows)) + 1))
        tied = chord <= chord[:, :1] + _TIE_CHORD
        row = rows[np.where(tied, near, len(rows)).min(axis=1)]
        distance = chord[:, 0]
        better = (distance <= km_to_chord(km)) & (
            (distance < nearest - _TIE_CHORD)
            | ((distance <= nearest + _TIE_CHORD) & (name[row].astype(str) < name[chosen].astype(str)))
        )
        nearest, chosen = np.where(better, distance, nearest), np.where(better, row, chosen)
    has_cluster = chosen >= 0
    joined = images.assign(
        # row -1, of no cluster, is None
        unique_cluster=pd.Series(name[chosen], index=images.index, dtype="str"),
        country=pd.Series(np.where(has_cluster, country[chosen], images["country"]), index=images.index, dtype="str"),
    )
    return joined, clusters.assign(n_images=np.bincount(chosen[has_cluster], minlength=len(clusters)))


def _with_none(column: pd.Series) -> np.ndarray:
    return np.array([*column, None], dtype=object)


def _radius_of_clusters(clusters: gpd.GeoDataFrame, radius_km: Radius) -> np.ndarray:
    """Return the radius of each cluster, shape (clusters,), km."""
    kinds = radius_km if isinstance(radius_km, dict) else {"all": radius_km}
    if isinstance(radius_km, dict) and set(radius_km) != {"urban", "rural"}:
        raise InputError(
            f"radius_km={radius_km}: gives distances for {', '.join(map(str, radius_km)) or 'nothing'}; give one "
            "distance in kilometres, or one each for 'urban' and 'rural'",
            parameter="radius_km",
        )
    if not all(isinstance(km, numbers.Real) and np.isfinite(km) and km > 0 for km in kinds.values()):
        raise InputError(
            f"radius_km={radius_km}: a distance in kilometres must be a number, and must be above 0; give for example 5",
            parameter="radius_km",
        )
    if not isinstance(radius_km, dict):
        return np.full(len(clusters), float(radius_km))
    urban = clusters["urban"].astype("boolean")
    if urban.isna().all():
        raise InputError(
            "radius_km: the survey does not say which points are urban; give one distance, or name the column that says "
            "so when the survey is read (urban)",
            parameter="radius_km",
        )
    by_kind = np.where(urban.fillna(False), radius_km["urban"], radius_km["rural"])
    return np.where(urban.isna(), SITE_RADIUS_KM, by_kind).astype(float)


def form_sites(images: gpd.GeoDataFrame, radius_km: float = SITE_RADIUS_KM) -> tuple[gpd.GeoDataFrame, pd.Series]:
    """Form prediction sites from images that belong to no cluster, as wide as the clusters on which models are trained.

    Images are counted in cells of about 1 km. The cell with the most images within `radius_km` becomes the middle of a
    site, which takes all of these images. The next site is formed in the same way from the remaining images, until no image
    remains. The sites depend on the set of images, so form them from all images of a dataset (`Dataset.sites`).

    Parameters
    ----------
    images : GeoDataFrame
        Points, EPSG:4326; no other column is used.
    radius_km : float
        How far an image may be from its site's middle cell.

    Returns
    -------
    sites : GeoDataFrame
        `site_id`, `geometry` (mean of its images' positions, EPSG:4326), `n_images`.
    site_of_image : Series of str, shape (images,)

    Examples
    --------
    >>> images = gpd.GeoDataFrame({"key": list("abc")}, geometry=points([85.10, 85.11, 86.0], [25.6, 25.6, 25.6]))
    >>> sites, of_image = form_sites(images)
    >>> sites.n_images.tolist()
    [2, 1]
    """
    where = lonlat(images.geometry)
    cells, cell_of_image = _unique_cells(_cell(where))
    site_of_cell = _greedy_cover(cells, np.bincount(cell_of_image, minlength=len(cells)), radius_km)
    site = site_of_cell[cell_of_image]
    size = np.bincount(site, minlength=site.max() + 1 if len(site) else 0)
    # averaged on the sphere: a site may lie across the antimeridian
    middle = [np.bincount(site, weights=axis, minlength=len(size)) for axis in unit_sphere(where).T]
    lon, lat = np.degrees(np.arctan2(middle[1], middle[0])), np.degrees(np.arctan2(middle[2], np.hypot(*middle[:2])))
    ids = np.array([f"site-{i + 1:05d}" for i in range(len(size))], dtype=object)
    sites = gpd.GeoDataFrame({"site_id": ids, "n_images": size}, geometry=points(lon, lat), crs=CRS)
    return sites, pd.Series(ids[site] if len(site) else [], index=images.index, dtype=object)


def _cell(degrees: np.ndarray) -> np.ndarray:
    """Return the row and column of each position's cell of about 1 km; rows of cells are 0.009 degrees high."""
    row = np.floor(degrees[:, 1] / 0.009)
    column = np.floor(degrees[:, 0] * np.cos(np.radians((row + 0.5) * 0.009)) / 0.009)
    return np.column_stack([row, column]).astype(np.int64)


def _unique_cells(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells by row and column, each once, and the number of each image's cell among them."""
    if not len(cells):
        return cells, np.zeros(0, np.int64)
    # one number for each cell is sorted ten times as fast as a pair
    first, width = cells.min(axis=0), int(np.ptp(cells[:, 1])) + 1
    numbers, cell_of_image = np.unique((cells - first) @ np.array([width, 1]), return_inverse=True)
    return np.column_stack(np.divmod(numbers, width)) + first, cell_of_image


def _greedy_cover(cells: np.ndarray, weight: np.ndarray, radius_km: float) -> np.ndarray:
    """Number of the site of each cell. The entries of the heap are updated when they come first."""
    if len(cells) == 0:
        return np.zeros(0, np.int64)
    from scipy.spatial import cKDTree

    lat = (cells[:, 0] + 0.5) * 0.009
    lon = (cells[:, 1] + 0.5) * 0.009 / np.cos(np.radians(lat))
    tree = cKDTree(unit_sphere(np.column_stack([lon, lat])))
    near, ends = _cells_near(tree, float(km_to_chord(radius_km)))
    # each cell is near itself, so no part is empty
    starts = np.concatenate([[0], ends[:-1]])
    heap = list(zip((-np.add.reduceat(weight[near], starts)).tolist(), range(len(cells)), strict=True))
    heapq.heapify(heap)
    starts, ends = starts.tolist(), ends.tolist()
    # so few numbers at a time are summed faster in lists than in arrays
    left = weight.tolist()
    left_in = left.__getitem__
    site, count = [-1] * len(cells), 0
    while heap:
        promised, i = heap[0]
        around = near[starts[i] : ends[i]].tolist()
        now = -sum(map(left_in, around))
        if now == 0:
            heapq.heappop(heap)
        elif now != promised:
            heapq.heapreplace(heap, (now, i))
        else:
            heapq.heappop(heap)
            for cell in around:
                if site[cell] < 0:
                    site[cell], left[cell] = count, 0
            count += 1
    return np.array(site, np.int64)


def _cells_near(tree: "cKDTree", chord: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells near each cell, one cell's after the other's, and where each cell's end.

    A list of Python takes ten times the memory of the array, so there are lists of some cells at a time only.
    """
    parts: list[np.ndarray] = []
    lengths: list[int] = []
    for at in range(0, tree.n, _CELLS_AT_ONCE):
        lists = tree.query_ball_point(tree.data[at : at + _CELLS_AT_ONCE], chord, return_sorted=False)
        lengths += map(len, lists)
        parts.append(np.fromiter(itertools.chain.from_iterable(lists), np.int32))
    return np.concatenate(parts), np.cumsum(lengths)
