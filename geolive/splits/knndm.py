"""Folds as far from each other as the places to predict are from the survey (kNNDM)."""

from dataclasses import dataclass, field

import numpy as np

from geolive.errors import InputError
from geolive.geodesy import EARTH_RADIUS_KM, chord_to_km, unit_sphere
from geolive.splits.base import Splitter, assign_folds, between_folds_km, place_numbers, positions_of

# more places than this are first put together in the cells of a grid, so that distances fit in memory
_MOST_TO_CLUSTER = 3000
_N_CANDIDATES = 40
# no fold may hold more than this share of places
_LARGEST_SHARE = 0.5
_GRID_POINTS = 2000


@dataclass(frozen=True, kw_only=True)
class KnndmSplit(Splitter):
    """Folds whose distances to training clusters are distributed as those of the places to predict (k-fold NNDM).

    Use it to learn how well a map will do that is made for given places: random folds are too easy where the survey is
    clustered, blocks too hard where it is dense. Do not use it where the places to predict are not known.

    Places are joined by average linkage into q spatial groups, the groups merged into folds, and of many q the one is taken whose
    nearest-neighbour distances between folds are most like those from the places to predict to the survey (Wasserstein
    distance); places at random are among the candidates, so a survey that is not clustered gets random folds.

    Source: Linnenbrink et al. 2024, doi 10.5194/gmd-17-5897-2024. Here random folds compete on the same measure, where the
    paper tests first whether the survey is clustered.

    Parameters
    ----------
    n_splits : int
        Number of folds.
    seed : int
        For random folds, and where groups are dealt to folds.
    targets : array of float, shape (m, 2), optional
        Longitude and latitude of the places to predict, degrees; without it a grid over the survey's convex hull.

    Examples
    --------
    Four towns that were surveyed, and targets between them: towns stay whole.

    >>> from geolive.splits import fold_numbers
    >>> town = np.repeat([[80.0, 25.0], [82.0, 25.0], [80.0, 27.0], [82.0, 27.0]], 5, axis=0)
    >>> survey = town + np.random.default_rng(0).normal(0, 0.02, (20, 2))
    >>> folds = fold_numbers(KnndmSplit(n_splits=4, targets=np.array([[81.0, 26.0], [82.0, 26.0]])), survey)
    >>> [len(set(folds[i : i + 5])) for i in (0, 5, 10, 15)]
    [1, 1, 1, 1]
    """

    targets: np.ndarray | None = field(default=None, compare=False, repr=False)

    def units(self, X, groups=None) -> np.ndarray:
        """Number of each row's spatial group; a place, where random folds fit best."""
        return self._chosen(X)[0]

    def distances_km(self, X) -> tuple[np.ndarray, np.ndarray]:
        """How far the places to predict are from the survey, and how far each place is from the nearest in another fold.

        Returns
        -------
        wanted : array, shape (m,)
        found : array, shape (places,)
            Kilometres.
        """
        positions = positions_of(X)
        _, first = np.unique(place_numbers(positions), return_index=True)
        return self._wanted(positions[first]), between_folds_km(positions[first], self._folds(X, None)[first])

    def _folds(self, X, groups) -> np.ndarray:
        return self._chosen(X)[1]

    def _wanted(self, positions: np.ndarray) -> np.ndarray:
        from scipy.spatial import cKDTree

        targets = prediction_grid(positions) if self.targets is None else positions_of(self.targets)
        if not len(targets):
            raise InputError("split 'knndm': there is no place to predict; use --split random or blocks:100km")
        return chord_to_km(cKDTree(unit_sphere(positions)).query(unit_sphere(targets))[0])

    def _chosen(self, X) -> tuple[np.ndarray, np.ndarray]:
        """Unit and fold of each row."""
        from scipy.stats import wasserstein_distance

        positions = positions_of(X)
        place = place_numbers(positions)
        _, first = np.unique(place, return_index=True)
        if len(first) < self.n_splits:
            raise InputError(self._too_few(len(first)))
        sphere, wanted = unit_sphere(positions[first]), self._wanted(positions[first])
        everyone = np.arange(len(first))
        best, least = (everyone, assign_folds(everyone, self.n_splits, self.seed)), np.inf
        for groups in [everyone, *_spatial_groups(positions[first], self.n_splits)]:
            folds = best[1] if groups is everyone else _merge(groups, sphere, self.n_splits, self.seed)
            if groups is not everyone and np.bincount(folds).max() > max(_LARGEST_SHARE * len(first), 1):
                continue
            distance = wasserstein_distance(between_folds_km(positions[first], folds), wanted)
            if distance < least:
                best, least = (groups, folds), distance
        return best[0][place], best[1][place]


def prediction_grid(positions: np.ndarray) -> np.ndarray:
    """About 2,000 places on a regular grid over the convex hull of a survey, for want of places to predict.

    Parameters
    ----------
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.

    Returns
    -------
    array of float, shape (m, 2)
        Longitude, latitude in degrees; the survey's own places where their hull has no area.

    Examples
    --------
    >>> prediction_grid(np.array([[80.0, 25.0], [82.0, 25.0], [81.0, 26.0]])).shape[1]
    2
    """
    import shapely
    from pyproj import Transformer

    transform = Transformer.from_crs("EPSG:4326", "EPSG:6933", always_xy=True)
    hull = shapely.MultiPoint(np.column_stack(transform.transform(*positions.T))).convex_hull
    if hull.area == 0:
        return positions
    west, south, east, north = hull.bounds
    step = np.sqrt(hull.area / _GRID_POINTS)
    x, y = np.meshgrid(np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step))
    inside = shapely.contains_xy(hull, x.ravel(), y.ravel())
    if not inside.any():
        return positions
    return np.column_stack(transform.transform(x.ravel()[inside], y.ravel()[inside], direction="INVERSE"))


def _spatial_groups(positions: np.ndarray, n_splits: int):
    """Groupings of places from as many groups as folds to nearly as many as places."""
    from scipy.cluster.hierarchy import fcluster, linkage

    cell = _cells(positions)
    sphere = unit_sphere(positions)
    middle = np.column_stack([np.bincount(cell, weights=axis) / np.bincount(cell) for axis in sphere.T])
    if len(middle) <= n_splits:
        return
    tree = linkage(middle * EARTH_RADIUS_KM, "average")
    for q in np.unique(np.exp(np.linspace(np.log(n_splits), np.log(len(middle)), _N_CANDIDATES)).round().astype(int)):
        groups = fcluster(tree, q, "maxclust")
        if len(np.unique(groups)) >= n_splits:
            yield np.unique(groups, return_inverse=True)[1].reshape(-1)[cell]


def _cells(positions: np.ndarray) -> np.ndarray:
    """Number of each place's cell: a place a cell, where there are few enough."""
    sphere, side = unit_sphere(positions), 1e-6
    cell = np.arange(len(positions))
    while cell.max() + 1 > _MOST_TO_CLUSTER:
        cell = np.unique(np.floor(sphere / side), axis=0, return_inverse=True)[1].reshape(-1)
        side *= 1.3
    return cell


def _merge(groups: np.ndarray, sphere: np.ndarray, n_splits: int, seed: int) -> np.ndarray:
    """Fold of each place: groups as large as a fold are one each; the others take turns along their main axis."""
    sizes = np.bincount(groups)
    large = np.flatnonzero(sizes >= len(groups) / n_splits)
    if len(large) >= n_splits:
        return assign_folds(groups, n_splits, seed)
    middle = np.column_stack([np.bincount(groups, weights=axis) / sizes for axis in sphere.T])
    main = np.linalg.svd(middle - middle.mean(axis=0), full_matrices=False)[2][0]
    main *= np.sign(main[np.argmax(np.abs(main))])
    fold_of_group = np.full(len(sizes), -1)
    fold_of_group[large] = np.arange(len(large))
    others = [group for group in np.argsort(middle @ main, kind="stable") if fold_of_group[group] < 0]
    fold_of_group[others] = len(large) + np.arange(len(others)) % (n_splits - len(large))
    return fold_of_group[groups]
