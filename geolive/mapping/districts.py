"""The district map: what the page and every export are drawn from."""

import datetime
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
from shapely import Geometry

from geolive.indicators import Indicator, class_breaks


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
        value is the out-of-fold prediction).
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
