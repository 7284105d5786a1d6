"""Samples the images to fetch: a limited number per site, chosen by a hash of their ids."""

import datetime
from dataclasses import asdict, dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.clusters import form_sites, join_images
from geolive.errors import InputError
from geolive.places import MOST_IMAGES, key_hash
from geolive.regions import assign_districts
from geolive.sources.imagery.area import Area
from geolive.tables import points


@dataclass(frozen=True)
class Wanted:
    """The images of an area to fetch, and what to fetch of them.

    Parameters
    ----------
    since, until : date or None
        First and last day of the images, UTC.
    pano : bool
        Whether to include panoramas.
    max_per_site : int
        Largest number of images of a cluster, or of a site where there is no survey.
    thumb : str or None
        Size of photos, as the source names it; None for no photos.
    objects : bool
        Whether to fetch object counts.

    Raises
    ------
    InputError
        A value is not allowed.

    Examples
    --------
    >>> Wanted(until=datetime.date(2020, 1, 1)).as_text()["until"]
    '2020-01-01'
    """

    since: datetime.date | None = None
    until: datetime.date | None = None
    pano: bool = True
    max_per_site: int = MOST_IMAGES
    thumb: str | None = "1024"
    objects: bool = False

    def __post_init__(self) -> None:
        if self.since and self.until and self.since > self.until:
            raise InputError(f"since='{self.since}': is after until='{self.until}'; exchange them", parameter="since")
        if self.max_per_site < 1:
            raise InputError(f"max_per_site={self.max_per_site}: must be 1 or more", parameter="max_per_site")

    def as_text(self) -> dict:
        """Return the values as JSON, for the ledger and dataset.json."""
        return {
            name: value if not isinstance(value, datetime.date) else str(value) for name, value in asdict(self).items()
        }


def sample_images(listed: pd.DataFrame, area: Area, wanted: Wanted) -> pd.DataFrame:
    """Sample the images to fetch.

    Parameters
    ----------
    listed : DataFrame
        The images that a source lists, by id: id, lon, lat, captured_at, is_pano. With `since` or `until`, images without a
        date are left out.
    area : Area
    wanted : Wanted

    Returns
    -------
    DataFrame
        Rows of `listed` in its order; the sample depends only on ids and positions.

    Examples
    --------
    >>> from geolive.sources.imagery.area import area_of_box
    >>> listed = pd.DataFrame({"id": ["1", "2", "3"], "lon": 85.15, "lat": 25.55, "captured_at": np.nan, "is_pano": False})
    >>> len(sample_images(listed, area_of_box("85.1,25.5,85.2,25.6"), Wanted(max_per_site=2)))
    2
    """
    keep = np.ones(len(listed), bool)
    taken = listed["captured_at"].to_numpy(float)  # a comparison with a missing date is false
    if wanted.since:
        keep &= taken >= _milliseconds(wanted.since)
    if wanted.until:
        keep &= taken < _milliseconds(wanted.until + datetime.timedelta(days=1))
    if not wanted.pano:
        keep &= ~listed["is_pano"].to_numpy(bool)
    rows = listed[keep].reset_index(drop=True)
    site = _sites(rows, area)
    # images of equal hashes stay in the order of their ids
    order = np.lexsort((key_hash(rows["id"].to_numpy(object)), site))
    rank = np.arange(len(order)) - np.searchsorted(site[order], site[order])
    sampled = np.sort(order[rank < wanted.max_per_site])
    return rows.iloc[sampled].reset_index(drop=True)


def plan_table(
    listed: pd.DataFrame, sampled: pd.DataFrame, districts: gpd.GeoDataFrame | None, bytes_per_photo: int
) -> pd.DataFrame:
    """Count the images that a source lists and the images to fetch, by district.

    Returns
    -------
    DataFrame
        district, listed, sampled, bytes (typical size of the photos); by name, with "outside known districts" last.

    Examples
    --------
    >>> listed = pd.DataFrame({"id": ["1", "2"], "lon": 85.14, "lat": 25.6})
    >>> plan_table(listed, listed[:1], None, 150_000)
                      district  listed  sampled   bytes
    0  outside known districts       2        1  150000
    """
    outside = "outside known districts"
    names = []
    for rows in (listed, sampled):
        name = pd.Series(outside, index=rows.index, dtype=object)
        if districts is not None and len(rows):
            by_id = districts.set_index("district_id")["district"]
            name = assign_districts(points(rows["lon"].to_numpy(), rows["lat"].to_numpy()), districts).map(by_id)
            name = name.fillna(outside)
        names.append(name.value_counts())
    table = pd.DataFrame({"listed": names[0], "sampled": names[1]}).fillna(0).astype(int)
    table = (
        table.rename_axis("district")
        .reset_index()
        .sort_values("district", key=lambda n: (n == outside).astype(str) + n)
    )
    return table.assign(bytes=table["sampled"] * bytes_per_photo).reset_index(drop=True)


def _milliseconds(day: datetime.date) -> float:
    return datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp() * 1000


def _sites(rows: pd.DataFrame, area: Area) -> np.ndarray:
    """Number of the cluster or site of each image."""
    if len(rows) == 0:
        return np.zeros(0, np.int64)
    at = points(rows["lon"].to_numpy(float), rows["lat"].to_numpy(float))
    images = gpd.GeoDataFrame({"key": rows["id"], "country": ""}, geometry=at)
    of_image = (
        form_sites(images)[1] if area.survey is None else join_images(images, area.survey.clusters)[0].unique_cluster
    )
    return pd.factorize(of_image)[0].astype(np.int64)
