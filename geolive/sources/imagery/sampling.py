"""Samples the images to fetch: a limited number per site, chosen by a hash of their ids."""

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

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
    min_quality : float or None
        Lowest quality score of an image, 0 to 1; images without a score are left out.
    camera_types : tuple of str
        Types of cameras, as the source names them; images of others are left out. Empty for all types.

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
    min_quality: float | None = None
    camera_types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.since and self.until and self.since > self.until:
            raise InputError(f"since='{self.since}': is after until='{self.until}'; exchange them", parameter="since")
        if self.max_per_site < 1:
            raise InputError(f"max_per_site={self.max_per_site}: must be 1 or more", parameter="max_per_site")
        if self.min_quality is not None and not 0 <= self.min_quality <= 1:
            raise InputError(f"min_quality={self.min_quality:g}: must be from 0 to 1", parameter="min_quality")

    def as_text(self) -> dict:
        """Return the values as JSON, for the ledger and dataset.json."""
        texts: dict[str, Any] = {}
        for name, value in asdict(self).items():
            texts[name] = str(value) if isinstance(value, datetime.date) else value
        return texts | {"camera_types": list(self.camera_types)}

    def why_unwanted(self, facts: Mapping[str, Any], listed: bool = True) -> str | None:
        """Return why an image is not wanted, by its facts; None where it is.

        Parameters
        ----------
        facts : mapping
            As `geolive.sources.imagery.source.Source` describes them.
        listed : bool
            Whether its date and whether it is a panorama were known, and looked at, when it was sampled.

        Examples
        --------
        >>> wanted = Wanted(min_quality=0.5, camera_types=("perspective",))
        >>> wanted.why_unwanted({"quality_score": 0.2, "camera_type": "perspective"})
        'its quality score is below 0.5'
        >>> wanted.why_unwanted({"quality_score": 0.7, "camera_type": "fisheye"})
        'its camera type is fisheye'
        """
        if self.min_quality is not None:
            quality = facts.get("quality_score")
            if quality is None:
                return "it has no quality score"
            if quality < self.min_quality:
                return f"its quality score is below {self.min_quality:g}"
        if self.camera_types and facts.get("camera_type") not in self.camera_types:
            return f"its camera type is {facts.get('camera_type') or 'unknown'}"
        return None if listed else self._why_not_listed(facts)

    def _why_not_listed(self, facts: Mapping[str, Any]) -> str | None:
        if not self.pano and facts.get("is_pano"):
            return "a panorama"
        taken = facts.get("captured_at")
        if taken is None:
            return "it has no date" if self.since or self.until else None
        if self.since and taken < _milliseconds(self.since):
            return f"taken before {self.since}"
        if self.until and taken >= _milliseconds(self.until + datetime.timedelta(days=1)):
            return f"taken after {self.until}"
        return None


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
