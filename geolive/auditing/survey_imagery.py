"""Where and when photos were taken, against the survey: distances, radii and years."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.clusters import SITE_RADIUS_KM
from geolive.dataset import Dataset
from geolive.geodesy import chord_to_km, unit_sphere
from geolive.tables import lonlat

# the DHS states these for its surveys, and one rural point in a hundred is moved by up to 10 km
DHS_DISPLACEMENT_KM = {"urban": 2.0, "rural": 5.0}


@dataclass(frozen=True)
class Reach:
    """How far photos are from the points of their clusters.

    Parameters
    ----------
    radius_km : dict of str to float
        The radius within which photos were joined, for "urban" and "rural" points.
    stated : bool
        Whether the dataset states the radius; else it is the distance of the farthest photo.
    displacement_km : dict of str to float
        By how much points of each kind may be displaced; empty where that is not known.
    """

    radius_km: dict[str, float]
    stated: bool
    displacement_km: dict[str, float]


def photo_reach(dataset: Dataset) -> Reach | None:
    """Return the radius within which photos were joined to clusters, and by how much the clusters' points are displaced.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    Reach or None
        None where no photo belongs to a cluster.

    Examples
    --------
    >>> import geolive as gl
    >>> reach = photo_reach(gl.make_sample("goa"))
    >>> reach.stated, reach.displacement_km
    (False, {})
    """
    joined = dataset.images["unique_cluster"].notna().to_numpy()
    if not joined.any():
        return None
    displacement = DHS_DISPLACEMENT_KM if "dhs" in dataset.extra else {}
    stated = dataset.extra.get("join_radius_km")
    if stated is None and "fetch" in dataset.extra and len(dataset.clusters):
        stated = SITE_RADIUS_KM
    if isinstance(stated, dict) and {"urban", "rural"} <= set(stated):
        return Reach({kind: float(stated[kind]) for kind in ("urban", "rural")}, True, displacement)
    if isinstance(stated, int | float):
        return Reach(dict.fromkeys(("urban", "rural"), float(stated)), True, displacement)
    return Reach(_farthest(dataset, joined), False, displacement)


def _farthest(dataset: Dataset, joined: np.ndarray) -> dict[str, float]:
    """Return the distance of the farthest photo from its cluster's point, for urban and rural clusters, km."""
    images = dataset.images[joined]
    row = pd.Index(dataset.clusters["unique_cluster"]).get_indexer(images["unique_cluster"])
    known = row >= 0
    here, there = (unit_sphere(lonlat(table.geometry)) for table in (images, dataset.clusters))
    km = chord_to_km(np.linalg.norm(here[known] - there[row[known]], axis=1))
    urban = urban_or_null(dataset.clusters).to_numpy(float, na_value=np.nan)[row[known]]
    far = {"urban": km[urban == 1], "rural": km[urban == 0]}
    every = float(km.max(initial=0.0))
    return {kind: float(of_kind.max()) if len(of_kind) else every for kind, of_kind in far.items()}


def urban_or_null(clusters: pd.DataFrame) -> pd.Series:
    """Return whether each cluster is urban, null where that is not known.

    Examples
    --------
    >>> urban_or_null(pd.DataFrame({"urban": [True, None]})).isna().tolist()
    [False, True]
    """
    return clusters["urban"].astype("boolean")


def years_after(dataset: Dataset) -> np.ndarray:
    """Return by how many years each photo of a cluster was taken after the cluster was surveyed, where both are known.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    array of float, shape (n,)
        Whole years; negative for photos from before the survey.

    Examples
    --------
    >>> import geolive as gl
    >>> years_after(gl.make_sample("goa")).shape
    (0,)
    """
    surveyed = dataset.clusters.set_index("unique_cluster")
    year = years_of(surveyed, "year").reindex(dataset.images["unique_cluster"]).to_numpy(float)
    after = years_of(dataset.images, "captured_at").to_numpy(float) - year
    return after[np.isfinite(after)]


def years_of(table: pd.DataFrame, column: str) -> pd.Series:
    """Return the years in a column of years or times; NaN where the column is missing or a year is not known.

    Examples
    --------
    >>> years_of(pd.DataFrame({"year": ["2019", None]}), "year").tolist()
    [2019.0, nan]
    """
    if column not in table:
        return pd.Series(np.nan, index=table.index, dtype=float)
    values = table[column]
    return (values.dt.year if values.dtype.kind == "M" else pd.to_numeric(values, errors="coerce")).astype(float)


def repeated_clusters(dataset: Dataset) -> int:
    """Count the clusters that repeat another one: the same place and year, and the same values of all indicators.

    Examples
    --------
    >>> import geolive as gl
    >>> repeated_clusters(gl.make_sample("goa"))
    0
    """
    clusters = dataset.clusters
    if not dataset.indicators:
        return 0
    table = pd.DataFrame(clusters[dataset.indicators]).assign(year=years_of(clusters, "year"))
    table[["lon", "lat"]] = lonlat(clusters.geometry).round(9)
    measured = clusters[dataset.indicators].notna().any(axis=1)
    return int(table[measured].duplicated().sum())


def repeated_images(dataset: Dataset) -> int | None:
    """Count the photos that repeat another one; None where nothing distinguishes photos.

    Photos are the same if their files have one checksum, or else if they were taken at one place and moment; where no moment is
    known, if they were taken at one place and show the same objects.

    Examples
    --------
    >>> import geolive as gl
    >>> repeated_images(gl.make_sample("goa"))
    0
    """
    images = dataset.images
    if "sha256" in images and images["sha256"].notna().any():
        return int(images["sha256"].dropna().duplicated().sum())
    table = _places(images)
    if "captured_at" in images and images["captured_at"].notna().any():
        taken = images["captured_at"].notna().to_numpy()
        extra = {
            name: images[name].reset_index(drop=True) for name in ("captured_at", "compass_angle") if name in images
        }
        return int(table.assign(**extra)[taken].duplicated().sum())
    if "objects" not in dataset.features:
        return None
    # photos without any object are alike by chance
    at_one_place = np.flatnonzero(table.duplicated(keep=False).to_numpy())
    counts = np.asarray(dataset.features["objects"][at_one_place])
    seen = counts[:, :-1].any(axis=1)
    both = pd.concat([table.iloc[at_one_place].reset_index(drop=True), pd.DataFrame(counts)], axis=1)
    return int(both[seen].duplicated().sum())


def _places(images: gpd.GeoDataFrame) -> pd.DataFrame:
    return pd.DataFrame(lonlat(images.geometry).round(9), columns=["lon", "lat"])
