"""Images, the clusters they belong to, and the sites they form where there was no survey."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.tables import CRS, N_CLASSES, lonlat, points

SITE_RADIUS_KM = 5.0
MOST_IMAGES = 200
# how far an image may be from its survey point: one distance, or one each for urban and rural points
Radius = float | dict[str, float]
EARTH_RADIUS_KM = 6371.0088
# points are equally near where their distances differ by less than a millimetre; so many of them are looked at
_TIES, _TIE_CHORD = 4, 1e-10


def unit_sphere(degrees: np.ndarray) -> np.ndarray:
    """Points on the unit sphere; the chord between two grows with their great-circle distance.

    Parameters
    ----------
    degrees : array, shape (n, 2)
        Longitude, latitude.

    Returns
    -------
    array, shape (n, 3)

    Examples
    --------
    >>> unit_sphere(np.array([[0.0, 0.0]]))
    array([[1., 0., 0.]])
    """
    lon, lat = np.radians(np.asarray(degrees, float)).reshape(-1, 2).T
    return np.column_stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def chord_to_km(chord: np.ndarray) -> np.ndarray:
    """Great-circle distance in kilometres of a chord of the unit sphere.

    Examples
    --------
    >>> float(chord_to_km(2.0).round())
    20015.0
    """
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.clip(np.asarray(chord) / 2, 0, 1))


def km_to_chord(km: np.ndarray) -> np.ndarray:
    """Chord of the unit sphere of a great-circle distance in kilometres.

    Examples
    --------
    >>> float(km_to_chord(20015.114).round(3))
    2.0
    """
    return 2 * np.sin(np.minimum(np.asarray(km, float) / (2 * EARTH_RADIUS_KM), np.pi / 2))


@dataclass(frozen=True)
class ImageFeatures:
    """Features of the images of some places; they stay where they are, on disk for example, until they are read.

    Parameters
    ----------
    name : str
        Of the feature set.
    array : array of float, shape (images of the dataset, f)
        Maybe mapped from disk.
    rows : array of int, shape (images,)
        Where the images of the places stand in `array`.

    Examples
    --------
    >>> features = ImageFeatures("resnet34", np.arange(6.0).reshape(3, 2), np.array([2, 0]))
    >>> features.read().tolist(), features.read(slice(1, 2)).tolist(), features.size
    ([[4.0, 5.0], [0.0, 1.0]], [[0.0, 1.0]], 2)
    """

    name: str
    array: np.ndarray
    rows: np.ndarray

    @property
    def size(self) -> int:
        """Numbers for each image, f."""
        return self.array.shape[1]

    def read(self, images: np.ndarray | slice = slice(None)) -> np.ndarray:
        """The features of these images of the places, float32, shape (images, f)."""
        return np.asarray(self.array[self.rows[images]], np.float32)

    def take(self, images: np.ndarray) -> "ImageFeatures":
        """The features of these images, in that order."""
        return ImageFeatures(self.name, self.array, self.rows[images])

    def joined(self, others: "ImageFeatures") -> "ImageFeatures":
        """These images, then the others, of the same dataset."""
        if others.array is not self.array:
            raise ValueError(f"features of two datasets, {self.name!r} and {others.name!r}, cannot be joined")
        return ImageFeatures(self.name, self.array, np.concatenate([self.rows, others.rows]))


@dataclass(frozen=True)
class Places:
    """What a model sees of n places, clusters or sites: where they are, and what is in their images.

    The images of a place are contiguous: place i has the images `offsets[i]` to `offsets[i + 1]`.

    Parameters
    ----------
    ids : array of str, shape (n,)
    positions : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    offsets : array of int, shape (n + 1,)
    image_positions : array of float, shape (images, 2)
        Longitude, latitude in degrees.
    objects : array of uint16, shape (images, 66)
        Object counts; all 0 where nothing was counted.
    features : ImageFeatures, optional
        A feature set of the same images.
    walks : array of int64, shape (images, 2), optional
        Number of the walk that each image is of, -1 for none, and its place in the order of all images.

    Examples
    --------
    >>> places = Places.without_images(np.array(["a", "b"]), np.array([[85.1, 25.6], [84.0, 25.0]]))
    >>> len(places.take(np.array([1]))), places.n_images.tolist()
    (1, [0, 0])
    """

    ids: np.ndarray
    positions: np.ndarray
    offsets: np.ndarray
    image_positions: np.ndarray
    objects: np.ndarray
    features: ImageFeatures | None = None
    walks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def without_images(cls, ids: np.ndarray, positions: np.ndarray) -> "Places":
        """Places of which only the position is known."""
        nothing = np.zeros((0, N_CLASSES), np.uint16)
        return cls(np.asarray(ids), positions, np.zeros(len(ids) + 1, np.int64), np.zeros((0, 2)), nothing)

    @property
    def n_images(self) -> np.ndarray:
        """Number of images of each place, shape (n,)."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> "Places":
        """The places at these row numbers, in that order."""
        rows = np.asarray(rows)
        sizes = self.n_images[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        images = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], sizes)
        return self._with_images(self.ids[rows], self.positions[rows], offsets, images)

    def keep_images(self, images: np.ndarray) -> "Places":
        """The same places with some of their images only, by row number, ascending."""
        offsets = np.searchsorted(images, self.offsets)
        return self._with_images(self.ids, self.positions, offsets, images)

    def _with_images(self, ids, positions, offsets, images) -> "Places":
        features = self.features and self.features.take(images)
        walks = None if self.walks is None else self.walks[images]
        return Places(ids, positions, offsets, self.image_positions[images], self.objects[images], features, walks)

    def joined(self, others: "Places") -> "Places":
        """These places, then the others; either both have image features, of one dataset, or neither."""
        walks = None
        if self.walks is not None and others.walks is not None:
            walks = np.concatenate([self.walks, others.walks])
        return Places(
            np.concatenate([self.ids, others.ids]),
            np.concatenate([self.positions, others.positions]),
            np.concatenate([self.offsets, others.offsets[1:] + self.offsets[-1]]),
            np.concatenate([self.image_positions, others.image_positions]),
            np.concatenate([self.objects, others.objects]),
            self.features and self.features.joined(others.features),
            walks,
        )

    def counts(self) -> np.ndarray:
        """The cluster representation: objects of each class summed over a place's images, then the number of images.

        Returns
        -------
        array of float, shape (n, 67)
            Source: Lee et al. 2021, "Cluster-wise learning"; the paper has 65 bins, here void has its own.
        """
        total = np.concatenate([np.zeros((1, N_CLASSES)), np.cumsum(self.objects, axis=0, dtype=np.float64)])
        return np.column_stack([np.diff(total[self.offsets], axis=0), self.n_images])


def key_hash(keys: np.ndarray) -> np.ndarray:
    """A fixed 64-bit hash of each image's key, the same on every machine: it decides which 200 images of a place are taken.

    Examples
    --------
    >>> key_hash(np.array(["498763468214164"], dtype=object)).dtype
    dtype('uint64')
    """
    return pd.util.hash_array(np.asarray(keys, object), hash_key="geolive--images.", categorize=False)


def group_images(
    ids: np.ndarray,
    positions: np.ndarray,
    images: gpd.GeoDataFrame,
    objects: np.ndarray | None,
    place_of_image: pd.Series,
    features: ImageFeatures | None = None,
) -> Places:
    """Places with their images, at most 200 each, chosen by a hash of the image's key.

    Parameters
    ----------
    ids : array of str, shape (n,)
        The places, in the order wanted.
    positions : array of float, shape (n, 2)
        Their longitude and latitude, degrees.
    images : GeoDataFrame
        An images table.
    objects : array, shape (images, 66), or None
        Its object counts; None where nothing was counted.
    place_of_image : Series of str, shape (images,)
        The place of each image, or null; images of places that are not in `ids` are left out.
    features : ImageFeatures, optional
        Of the same images.

    Returns
    -------
    Places
        The choice and the order of images depend on their keys alone, not on the order of rows.

    Examples
    --------
    >>> images = gpd.GeoDataFrame({"key": ["k1", "k2"]}, geometry=points([85.1, 85.2], [25.6, 25.6]))
    >>> counts = np.ones((2, 66), np.uint16)
    >>> places = group_images(np.array(["a"]), np.array([[85.1, 25.6]]), images, counts, pd.Series(["a", None]))
    >>> places.n_images.tolist()
    [1]
    """
    row = pd.Series(np.arange(len(ids)), index=ids).reindex(place_of_image.to_numpy()).to_numpy(float)
    known = np.flatnonzero(np.isfinite(row))
    place = row[known].astype(np.int64)
    order = _by_place_and_hash(place, images["key"].to_numpy(object)[known])
    place, image = place[order], known[order]
    first = np.searchsorted(place, place)
    chosen = np.arange(len(place)) - first < MOST_IMAGES
    place, image = place[chosen], image[chosen]
    offsets = np.searchsorted(place, np.arange(len(ids) + 1))
    where = lonlat(images.geometry)[image]
    counts = np.zeros((len(image), N_CLASSES), np.uint16) if objects is None else np.asarray(objects[image], np.uint16)
    of_images, walks = features and features.take(image), walks_of(images)
    walks = None if walks is None else walks[image]
    return Places(np.asarray(ids), np.asarray(positions, float), offsets, where, counts, of_images, walks)


def _by_place_and_hash(place: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The order of images by place, then by the hash of their key, then by the key itself."""
    hashes = key_hash(keys)
    order = np.lexsort((hashes, place))
    tied = (np.diff(place[order]) == 0) & (np.diff(hashes[order]) == 0)
    # keys are slow to sort by, and hashes hardly ever tie
    return np.lexsort((keys.astype(str), hashes, place)) if tied.any() else order


def walks_of(images: gpd.GeoDataFrame) -> np.ndarray | None:
    """Which walk each image is of, and where it stands in the order of images: by time, then by key.

    Parameters
    ----------
    images : GeoDataFrame
        An images table.

    Returns
    -------
    array of int64, shape (images, 2), or None
        Number of the walk, -1 where an image has no `sequence_id`, and the rank; None where the table has no such column.

    Examples
    --------
    >>> taken = pd.to_datetime(["2020-01-02", "2020-01-01", None])
    >>> walks_of(pd.DataFrame({"key": list("abc"), "sequence_id": ["s", "s", None], "captured_at": taken})).tolist()
    [[0, 1], [0, 0], [-1, 2]]
    """
    if "sequence_id" not in images.columns:
        return None
    walk = pd.factorize(images["sequence_id"])[0]
    order = np.argsort(images["key"].to_numpy(object).astype(str), kind="stable")
    if "captured_at" in images.columns:
        # images without a time come last
        taken = pd.to_datetime(images["captured_at"], utc=True, errors="coerce").dt.tz_localize(None).to_numpy()
        order = order[np.argsort(taken[order], kind="stable")]
    rank = np.empty(len(images), np.int64)
    rank[order] = np.arange(len(images))
    return np.column_stack([walk, rank])


def join_images(
    images: gpd.GeoDataFrame, clusters: gpd.GeoDataFrame, radius_km: Radius = SITE_RADIUS_KM
) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """Images with the survey point that each belongs to: the nearest of those whose radius reaches it.

    Surveys displace their points on purpose (DHS: urban ones by up to 2 km, rural ones by up to 5 km), so the join is by
    distance from the position that the survey published.

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
        A copy with `unique_cluster` (null out of reach of all points) and `country` of that cluster. Of points equally
        near, one place surveyed twice for example, the first by name has the image.
    clusters : GeoDataFrame
        A copy with `n_images`: all of its images; `group_images` chooses 200 of them where there are more.

    Raises
    ------
    InputError
        A radius is not above 0, or urban and rural have their own and no cluster says which it is.

    Examples
    --------
    >>> images = gpd.GeoDataFrame({"key": list("ab"), "country": ""}, geometry=points([85.1, 86.0], [25.6, 25.6]))
    >>> survey = gpd.GeoDataFrame({"unique_cluster": ["c"], "country": ["ia"]}, geometry=points([85.12], [25.6]))
    >>> joined, counted = join_images(images, survey)
    >>> joined.unique_cluster.tolist(), counted.n_images.tolist()
    (['c', nan], [1])
    """
    from scipy.spatial import cKDTree

    radius = _radius_of(clusters, radius_km)
    # the last stands for no cluster, -1
    name, country = (np.append(clusters[column].to_numpy(object), None) for column in ("unique_cluster", "country"))
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
    found = chosen >= 0
    joined = images.assign(
        unique_cluster=pd.Series(np.where(found, name[chosen], None), index=images.index, dtype="str"),
        country=pd.Series(np.where(found, country[chosen], images["country"]), index=images.index, dtype="str"),
    )
    return joined, clusters.assign(n_images=np.bincount(chosen[found], minlength=len(clusters)))


def _radius_of(clusters: gpd.GeoDataFrame, radius_km: Radius) -> np.ndarray:
    """The radius of each cluster, km."""
    kinds = radius_km if isinstance(radius_km, dict) else {"all": radius_km}
    if not all(np.isfinite(km) and km > 0 for km in kinds.values()):
        raise InputError("--radius: a distance in kilometres must be above 0, for example 5 or urban=2,rural=5")
    if not isinstance(radius_km, dict):
        return np.full(len(clusters), float(radius_km))
    urban = clusters["urban"].astype("boolean")
    if urban.isna().all():
        raise InputError(
            "--radius: the survey does not say which points are urban; give one radius, or ingest with --urban"
        )
    by_kind = np.where(urban.fillna(False), radius_km["urban"], radius_km["rural"])
    return np.where(urban.isna(), SITE_RADIUS_KM, by_kind).astype(float)


def form_sites(images: gpd.GeoDataFrame, radius_km: float = SITE_RADIUS_KM) -> tuple[gpd.GeoDataFrame, pd.Series]:
    """Prediction sites from images that belong to no cluster, as wide as the clusters that models learn from.

    Images are counted in cells of about 1 km. The cell with the most images within `radius_km` becomes the middle of a
    site that takes them all; then the next among the images left, until none is left.

    Parameters
    ----------
    images : GeoDataFrame
        Points, EPSG:4326, with `key`.
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
    cells, cell_of_image = np.unique(_cell(where), axis=0, return_inverse=True)
    cell_of_image = cell_of_image.reshape(-1)
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
    """Row and column of cells of about 1 km, on parallels that are 0.009 degrees apart."""
    row = np.floor(degrees[:, 1] / 0.009)
    column = np.floor(degrees[:, 0] * np.cos(np.radians((row + 0.5) * 0.009)) / 0.009)
    return np.column_stack([row, column]).astype(np.int64)


def _greedy_cover(cells: np.ndarray, weight: np.ndarray, radius_km: float) -> np.ndarray:
    """Number of the site of each cell; a heap whose entries are brought up to date when they come first."""
    import heapq

    from scipy.spatial import cKDTree

    if len(cells) == 0:
        return np.zeros(0, np.int64)
    lat = (cells[:, 0] + 0.5) * 0.009
    lon = (cells[:, 1] + 0.5) * 0.009 / np.cos(np.radians(lat))
    tree = cKDTree(unit_sphere(np.column_stack([lon, lat])))
    near = tree.query_ball_point(tree.data, km_to_chord(radius_km), return_sorted=True)
    left = weight.astype(np.int64).copy()
    heap = [(-int(left[n].sum()), i) for i, n in enumerate(near)]
    heapq.heapify(heap)
    site, count = np.full(len(cells), -1, np.int64), 0
    while heap:
        promised, i = heapq.heappop(heap)
        now = -int(left[near[i]].sum())
        if now == 0:
            continue
        if now != promised:
            heapq.heappush(heap, (now, i))
            continue
        mine = [j for j in near[i] if site[j] < 0]
        site[mine] = count
        left[mine] = 0
        count += 1
    return site
