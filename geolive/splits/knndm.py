"""Folds as far from each other as the places to predict are from the survey (kNNDM)."""

from dataclasses import dataclass, field

import numpy as np

from geolive.antimeridian import lies_across, wrapped_longitudes
from geolive.errors import InputError
from geolive.geodesy import EARTH_RADIUS_KM, chord_to_km, unit_sphere
from geolive.splits.base import Splitter, assign_folds
from geolive.splits.folds import between_folds_km
from geolive.splits.positions import place_numbers, positions_of

# more places than this are first put together in the cells of a grid, so that distances fit in memory
_MOST_TO_CLUSTER = 3000
_N_CANDIDATES = 40
# no fold may hold more than this share of places
_LARGEST_SHARE = 0.5
_GRID_POINTS = 2000


@dataclass(frozen=True, repr=False)
class KnndmSplit(Splitter):
    """Split so that distances between folds match the distances from the places to predict to the survey (k-fold NNDM).

    Use it to learn how accurate a map of given places will be: random folds are too easy where the survey is
    clustered, and blocks are too difficult where it is dense. Do not use it where the places to predict are not
    known.

    Parameters
    ----------
    n_splits : int, default 5
        Number of folds.
    random_state : int, default 0
        Seed of the random number generator, which makes random folds and distributes groups over folds.
    targets : array of float, shape (m, 2), GeoSeries or GeoDataFrame, optional
        The places to predict, as longitude and latitude in degrees or as points; by default a grid over the survey's
        convex hull.
    positions : array of float, shape (n, 2), GeoSeries or GeoDataFrame, optional
        Position of each row of X, as longitude and latitude in degrees or as points; needed where X holds features.

    See Also
    --------
    geolive.BlockSplit : Folds of blocks of an equal-area grid.
    geolive.RandomSplit : Folds of places at random.

    Notes
    -----
    Average linkage joins the places into q spatial groups, and the groups are merged into folds. The splitter tries
    many q. It takes the q whose nearest-neighbour distances between folds are most similar to the distances from the
    places to predict to the survey (by Wasserstein distance). Random folds are among the candidates, so a survey that
    is not clustered gets random folds.

    Source: Linnenbrink et al. 2024, doi 10.5194/gmd-17-5897-2024. The paper first tests whether the survey is
    clustered; here random folds are compared by the same measure.

    Examples
    --------
    Four surveyed towns of five places each, with targets between them: towns stay whole.

    >>> from geolive.splits import fold_numbers
    >>> town = np.repeat([[80.0, 25.0], [82.0, 25.0], [80.0, 27.0], [82.0, 27.0]], 5, axis=0)
    >>> survey = town + np.random.default_rng(0).normal(0, 0.02, (20, 2))
    >>> folds = fold_numbers(KnndmSplit(n_splits=4, targets=np.array([[81.0, 26.0], [82.0, 26.0]])), survey)
    >>> folds.reshape(4, 5)
    array([[0, 0, 0, 0, 0],
           [3, 3, 3, 3, 3],
           [1, 1, 1, 1, 1],
           [2, 2, 2, 2, 2]])
    """

    targets: np.ndarray | None = field(default=None, compare=False, repr=False, kw_only=True)

    name = "knndm"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.targets is not None:
            object.__setattr__(self, "targets", positions_of(self.targets))

    def units(self, X=None, groups=None) -> np.ndarray:
        """Return the number of each row's spatial group, or of its place if random folds fit best."""
        return self._chosen(X)[0]

    def distances_km(self, X=None) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances of the places to predict to the survey, and of each place to the nearest in another fold.

        Parameters
        ----------
        X : GeoDataFrame or GeoSeries, optional
            Points.

        Returns
        -------
        to_survey : array, shape (m,)
            Distance of each place to predict to the nearest surveyed place, kilometres.
        between_folds : array, shape (places,)
            Distance of each surveyed place to the nearest in another fold, kilometres.
        """
        positions = self.positions_for(X)
        _, first = np.unique(place_numbers(positions), return_index=True)
        return self._to_survey(positions[first]), between_folds_km(positions[first], self._folds(X, None)[first])

    def _folds(self, X, groups) -> np.ndarray:
        return self._chosen(X)[1]

    def _to_survey(self, positions: np.ndarray) -> np.ndarray:
        from scipy.spatial import cKDTree

        targets = prediction_grid(positions) if self.targets is None else self.targets
        if not len(targets):
            raise InputError("split 'knndm': there is no place to predict; use the split random or blocks:100km")
        return chord_to_km(cKDTree(unit_sphere(positions)).query(unit_sphere(targets))[0])

    def _chosen(self, X) -> tuple[np.ndarray, np.ndarray]:
        """Return the unit and fold of each row."""
        from scipy.stats import wasserstein_distance

        positions = self.positions_for(X)
        place = place_numbers(positions)
        _, first = np.unique(place, return_index=True)
        if len(first) < self.n_splits:
            raise InputError(self._too_few(len(first)))
        sphere, to_survey = unit_sphere(positions[first]), self._to_survey(positions[first])
        everyone = np.arange(len(first))
        best, least = (everyone, assign_folds(everyone, self.n_splits, self.random_state)), np.inf
        for groups in [everyone, *_spatial_groups(positions[first], self.n_splits)]:
            folds = best[1] if groups is everyone else _merge(groups, sphere, self.n_splits, self.random_state)
            if groups is not everyone and np.bincount(folds).max() > max(_LARGEST_SHARE * len(first), 1):
                continue
            distance = wasserstein_distance(between_folds_km(positions[first], folds), to_survey)
            if distance < least:
                best, least = (groups, folds), distance
        return best[0][place], best[1][place]


def prediction_grid(positions: np.ndarray) -> np.ndarray:
    """Make about 2,000 places on a regular grid over the convex hull of a survey, where the places to predict are not known.

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

    # a survey across the antimeridian is not torn apart where the plane has its middle there
    middle = 180 if lies_across(shapely.points(wrapped_longitudes(positions[:, 0]), positions[:, 1])) else 0
    transform = Transformer.from_crs("EPSG:4326", f"+proj=cea +lat_ts=30 +lon_0={middle} +datum=WGS84", always_xy=True)
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
    """Yield groupings of places, from as many groups as folds to nearly as many as places."""
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
    """Number of each place's cell; each place is a cell of its own where there are few."""
    sphere, side = unit_sphere(positions), 1e-6
    cell = np.arange(len(positions))
    while cell.max() + 1 > _MOST_TO_CLUSTER:
        cell = np.unique(np.floor(sphere / side), axis=0, return_inverse=True)[1].reshape(-1)
        side *= 1.3
    return cell


def _merge(groups: np.ndarray, sphere: np.ndarray, n_splits: int, random_state: int) -> np.ndarray:
    """Merge groups into folds: a group as large as a fold is a fold; the other groups take turns along their main axis."""
    sizes = np.bincount(groups)
    large = np.flatnonzero(sizes >= len(groups) / n_splits)
    if len(large) >= n_splits:
        return assign_folds(groups, n_splits, random_state)
    middle = np.column_stack([np.bincount(groups, weights=axis) / sizes for axis in sphere.T])
    main = np.linalg.svd(middle - middle.mean(axis=0), full_matrices=False)[2][0]
    main *= np.sign(main[np.argmax(np.abs(main))])
    fold_of_group = np.full(len(sizes), -1)
    fold_of_group[large] = np.arange(len(large))
    others = [group for group in np.argsort(middle @ main, kind="stable") if fold_of_group[group] < 0]
    fold_of_group[others] = len(large) + np.arange(len(others)) % (n_splits - len(large))
    return fold_of_group[groups]
