"""The district map: what the page and every export are drawn from."""

import datetime
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely import Geometry

from geolive.estimation.ranks import rank_sets
from geolive.indicators import Indicator, class_breaks
from geolive.regions import assign_districts
from geolive.uncertainty.district_intervals import DistrictError


@dataclass(frozen=True)
class Provenance:
    """How and when a map was made.

    Parameters
    ----------
    model, model_about : str
        The model's name, and a sentence on it.
    dataset, boundaries : str
        Where images and survey come from; whose borders are drawn.
    command : str
        The command that makes the map again.
    made : date
    version : str
        geolive's.
    simulated : bool
        Whether survey or imagery are simulated.
    metrics : dict of str to float
        Out-of-fold scores of the model at the surveyed clusters ("r2", "rmse", or "accuracy", "auc").
    """

    model: str
    model_about: str
    dataset: str
    boundaries: str
    command: str
    made: datetime.date
    version: str
    simulated: bool
    metrics: dict[str, float]


@dataclass(frozen=True)
class DistrictMap:
    """Districts and sites with their predicted values, and all that a reader must know of them.

    Parameters
    ----------
    indicator : Indicator
    region : str
        The region's name, for titles.
    area : Geometry
        The region's polygon, EPSG:4326.
    districts : GeoDataFrame
        The districts table of the design: `district_id`, `district`, `state`, `geometry`, NAME, NAME_lower, NAME_upper,
        NAME_label, `n_sites`, `n_images`, `supported`, `simulated`; also `rank_best`, `rank_worst` (1 is the highest value;
        null where not supported) and, on real data only, `official` (a sentence, or null).
    sites : GeoDataFrame
        `site_id`, `geometry` (points), NAME, NAME_lower, NAME_upper, `n_images`, `surveyed` (bool: a survey cluster, whose
        value is the out-of-fold prediction), `applicable` (bool: like the training places; others do not enter districts).
    level : float
        The intervals' level, for example 0.9.
    support : str
        The rule for a district to be supported, in words.
    provenance : Provenance
    """

    indicator: Indicator
    region: str
    area: Geometry
    districts: gpd.GeoDataFrame
    sites: gpd.GeoDataFrame
    level: float
    support: str
    provenance: Provenance

    @property
    def title(self) -> str:
        """For example "Asset wealth in Bihar"."""
        return f"{self.indicator.title} in {self.region}"

    @property
    def breaks(self) -> np.ndarray:
        """Edges of the legend's classes of district values; the page and every style use these."""
        return class_breaks(self.districts[self.indicator.name].to_numpy(float))


@dataclass(frozen=True)
class Support:
    """When a district has enough to go on.

    Parameters
    ----------
    sites, images : int
        The fewest sites and images.
    """

    sites: int = 3
    images: int = 50

    def __str__(self) -> str:
        images = f" or {self.images} images" if self.images else ""
        return f"fewer than {self.sites} sites{images}"

    def holds(self, n_sites: np.ndarray, n_images: np.ndarray) -> np.ndarray:
        """Whether districts with so many sites and images are supported.

        Examples
        --------
        >>> Support(3, 50).holds(np.array([3, 2]), np.array([50, 500]))
        array([ True, False])
        """
        return (np.asarray(n_sites) >= self.sites) & (np.asarray(n_images) >= self.images)


def districts_from_sites(
    districts: gpd.GeoDataFrame,
    sites: gpd.GeoDataFrame,
    name: str,
    error: DistrictError,
    support: Support,
    level: float,
    threshold: float | None,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> gpd.GeoDataFrame:
    """Means of districts over their sites, with intervals for the means.

    Sites count equally, whatever their number of images: that follows who takes photos, not who lives there.

    Parameters
    ----------
    districts : GeoDataFrame
        `district_id`, `district`, `state`, `geometry`.
    sites : GeoDataFrame
        Points with `name` and `n_images`; those whose `applicable` is false, where there is that column, are left out.
    name : str
        The indicator's column.
    error : DistrictError
        Its `shared` the same for all sites, or an array with a number for each.
    support : Support
    level : float
        Level of the intervals.
    threshold : float or None
        From which value on the label is 1.
    limits : tuple of float
        Values that cannot be exceeded (0 and 1 for probabilities).

    Returns
    -------
    GeoDataFrame
        The districts table of `DistrictMap`, in the order of `districts`; values, interval, label and ranks are null where a
        district is not supported.

    Examples
    --------
    >>> from geolive.regions import find_region
    >>> from geolive.tables import points
    >>> patna = points([85.14, 85.2, 85.1], [25.6, 25.5, 25.55])
    >>> sites = gpd.GeoDataFrame({"pov": [1.0, 2.0, 3.0], "n_images": 60}, geometry=patna)
    >>> table = districts_from_sites(
    ...     find_region("bihar").districts, sites, "pov", DistrictError(0.1, 0.1, 30), Support(), 0.9, 0.0)
    >>> table[table.supported][["district", "pov", "n_sites"]].values.tolist()
    [['Patna', 2.0, 3]]
    """
    used = sites["applicable"].to_numpy(bool) if "applicable" in sites else np.ones(len(sites), bool)
    sites, error = sites[used], error.take(used)
    district = assign_districts(sites.geometry, districts).to_numpy()
    by_district = pd.DataFrame(sites[[name, "n_images"]]).groupby(district)
    ids = districts["district_id"]
    n_sites = by_district.size().reindex(ids, fill_value=0).to_numpy(np.int64)
    n_images = by_district["n_images"].sum().reindex(ids, fill_value=0).to_numpy(np.int64)
    supported = support.holds(n_sites, n_images)
    value = np.where(supported, by_district[name].mean().reindex(ids).to_numpy(float), np.nan)
    mean_error = error.of_means(sites[name].to_numpy(float), district, ids)
    half = mean_error.half_width(level)
    lower, upper = (np.where(supported, np.clip(end, *limits), np.nan) for end in (value - half, value + half))
    label = np.full(len(ids), np.nan) if threshold is None else (value >= threshold).astype(float)
    best, worst = rank_sets(value, mean_error.standard_error, level, freedom=mean_error.freedom)
    columns = {
        name: value,
        f"{name}_lower": lower,
        f"{name}_upper": upper,
        f"{name}_label": np.where(supported, label, np.nan),
        "n_sites": n_sites,
        "n_images": n_images,
        "supported": supported,
        "rank_best": best,
        "rank_worst": worst,
    }
    return districts[["district_id", "district", "state", "geometry"]].reset_index(drop=True).assign(**columns)
