"""From sites to districts: means, intervals, labels and ranks, and which districts have enough sites and images."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.estimation.nested_error import normal_quantile
from geolive.estimation.ranks import rank_sets
from geolive.languages import phrase
from geolive.phrases import Percent, Phrase
from geolive.regions import assign_districts
from geolive.uncertainty.district_intervals import DistrictError, MeanError


@dataclass(frozen=True)
class Support:
    """When a district has enough sites and images, or enough of its people a prediction, to be given a value.

    Parameters
    ----------
    sites, images : int
        The fewest sites and images; images are not asked for where this is 0.
    people : float, optional
        The smallest share of a district's people (0 to 1) who live within reach of a supported prediction. It takes the place of
        the number of sites where the people are known and no images are asked for.

    Examples
    --------
    >>> print(Support(1, 50))
    fewer than 1 site or 50 images
    >>> print(Support(1, 0, 0.5))
    less than 50 % of its people within reach of a supported prediction
    """

    sites: int = 3
    images: int = 50
    people: float | None = None

    @property
    def words(self) -> Phrase:
        """When a district is not supported, in words."""
        people = None if self.people is None else phrase("support.people", share=Percent(self.people))
        if people is not None and not self.images:
            return people
        key = f"support.sites{'_images' if self.images else ''}{'' if people is None else '_people'}"
        sites, images = phrase("counts.sites", count=self.sites), phrase("counts.images", count=self.images)
        return phrase(key, sites=sites, images=images, people=people or "")

    def __str__(self) -> str:
        return str(self.words)

    def holds(
        self, n_sites: np.ndarray, n_images: np.ndarray, people_supported: np.ndarray | None = None
    ) -> np.ndarray:
        """Return whether districts with so many sites and images, and such a share of people, are supported.

        Examples
        --------
        >>> Support(3, 50).holds(np.array([3, 2]), np.array([50, 500]))
        array([ True, False])
        >>> Support(3, 0, 0.5).holds(np.array([0, 9]), np.array([0, 0]), np.array([0.7, 0.4]))
        array([ True, False])
        """
        enough = (np.asarray(n_sites) >= self.sites) & (np.asarray(n_images) >= self.images)
        if self.people is None or people_supported is None:
            return enough
        # nobody, or nobody known, is no support
        reached = np.nan_to_num(np.asarray(people_supported, float)) >= max(self.people, 1e-9)
        return enough & reached if self.images else reached


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
    """Average sites over districts, with intervals for the means.

    Each site counts equally: its number of images depends on who takes photos and not on who lives there.

    Parameters
    ----------
    districts : GeoDataFrame
        `district_id`, `district`, `state`, `geometry`.
    sites : GeoDataFrame
        Points with the columns `name` and `n_images`. Sites whose optional column `applicable` is false are left out.
    name : str
        Column of the indicator.
    error : DistrictError
        Its `shared` is one number for all sites, or an array with one number for each.
    support : Support
    level : float
        Level of the intervals.
    threshold : float or None
        Value from which on a label is 1.
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
    ids = districts["district_id"]
    counts = _counts(sites, district, ids)
    supported = support.holds(counts["n_sites"], counts["n_images"])
    value = sites[name].groupby(district).mean().reindex(ids).to_numpy(float)
    mean_error = error.of_means(sites[name].to_numpy(float), district, ids)
    return _table(districts, name, value, mean_error, counts, supported, level, threshold, limits)


def districts_from_cells(
    districts: gpd.GeoDataFrame,
    sites: gpd.GeoDataFrame,
    shares: pd.DataFrame,
    name: str,
    error: DistrictError,
    support: Support,
    level: float,
    threshold: float | None,
    limits: tuple[float, float] = (-np.inf, np.inf),
    *,
    complete: bool = True,
) -> gpd.GeoDataFrame:
    """Average predictions over the people of districts, with intervals for the means.

    Parameters
    ----------
    districts, name, support, level, threshold, limits
        As for `districts_from_sites`.
    sites : GeoDataFrame
        Points with the column `n_images` and, optionally, `applicable`; they are counted.
    shares : DataFrame
        The people of places and districts: `district_id`, `people`, and the prediction in the column `name`, NaN where these
        people are not within reach of a supported prediction.
    error : DistrictError
        Its `shared` is one number for all rows of `shares`, or an array with one number for each.
    complete : bool
        Whether every place with people has a prediction of its own, so that the choice of places brings no error.

    Returns
    -------
    GeoDataFrame
        As `districts_from_sites` returns it, with `people` (of the raster) and `people_supported` (their share, 0 to 1, with a
        supported prediction; null where nobody lives).

    Examples
    --------
    >>> from geolive.regions import find_region
    >>> from geolive.tables import points
    >>> bihar = find_region("bihar").districts
    >>> patna = bihar.set_index("district").loc["Patna", "district_id"]
    >>> shares = pd.DataFrame({"district_id": patna, "people": [300.0, 100.0, 100.0], "pov": [1.0, 2.0, np.nan]})
    >>> sites = gpd.GeoDataFrame({"n_images": [0]}, geometry=points([85.14], [25.6]))
    >>> table = districts_from_cells(bihar, sites, shares, "pov", DistrictError(0.1, 0.1, 30), Support(3, 0, 0.5), 0.9, 0.0)
    >>> table[table.supported][["district", "pov", "people", "people_supported"]].values.tolist()
    [['Patna', 1.25, 500.0, 0.8]]
    """
    ids = districts["district_id"]
    used = sites["applicable"].to_numpy(bool) if "applicable" in sites else np.ones(len(sites), bool)
    counted = sites[used]
    counts = _counts(counted, assign_districts(counted.geometry, districts).to_numpy(), ids)
    known = np.flatnonzero(shares[name].notna())
    own, error = shares.iloc[known], error.take(known)
    weight, district = own["people"].to_numpy(float), own["district_id"].to_numpy(object)
    people = shares.groupby("district_id")["people"].sum().reindex(ids, fill_value=0.0).to_numpy()
    supported_people = own.groupby("district_id")["people"].sum().reindex(ids, fill_value=0.0).to_numpy()
    total = (own[name] * weight).groupby(district).sum().reindex(ids).to_numpy(float)
    with np.errstate(invalid="ignore"):
        value, share = total / supported_people, supported_people / people
    mean_error = error.of_means(own[name].to_numpy(float), district, ids, weight, complete=complete)
    supported = support.holds(counts["n_sites"], counts["n_images"], share)
    counts |= {"people": people, "people_supported": share}
    return _table(districts, name, value, mean_error, counts, supported, level, threshold, limits)


def _counts(sites: gpd.GeoDataFrame, district: np.ndarray, ids: pd.Series) -> dict[str, np.ndarray]:
    by_district = sites["n_images"].groupby(district)
    numbers = {"n_sites": by_district.size(), "n_images": by_district.sum()}
    return {column: count.reindex(ids, fill_value=0).to_numpy(np.int64) for column, count in numbers.items()}


def _table(
    districts: gpd.GeoDataFrame,
    name: str,
    value: np.ndarray,
    mean_error: MeanError,
    counts: dict[str, np.ndarray],
    supported: np.ndarray,
    level: float,
    threshold: float | None,
    limits: tuple[float, float],
) -> gpd.GeoDataFrame:
    """Make the districts table from means and their errors."""
    value = np.where(supported, value, np.nan)
    half = mean_error.half_width(level)
    lower, upper = (np.where(supported, np.clip(end, *limits), np.nan) for end in (value - half, value + half))
    label = np.full(len(value), np.nan) if threshold is None else (value >= threshold).astype(float)
    best, worst = rank_sets(value, mean_error.standard_error, level, freedom=mean_error.freedom)
    columns = {
        name: value,
        f"{name}_lower": lower,
        f"{name}_upper": upper,
        f"{name}_label": np.where(supported, label, np.nan),
        **counts,
        "supported": supported,
        "rank_best": best,
        "rank_worst": worst,
    }
    return districts[["district_id", "district", "state", "geometry"]].reset_index(drop=True).assign(**columns)


def with_estimates(
    districts: gpd.GeoDataFrame,
    estimates: pd.DataFrame,
    name: str,
    estimator: str,
    support: Support,
    level: float,
    threshold: float | None,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> gpd.GeoDataFrame:
    """Set the values of districts to an estimator's, beside what the survey and the model alone say.

    Parameters
    ----------
    districts : GeoDataFrame
        As `districts_from_sites` returns it.
    estimates : DataFrame
        As `geolive.mapping.composite.estimate_districts` makes it, with a row for each district.
    name : str
        Column of the indicator.
    estimator : {"composite", "spatial", "predicted", "direct"}
        Whose value and interval NAME, NAME_lower and NAME_upper hold.
    support : Support
        A district with as many surveyed places as it asks for sites is supported, too, unless the value is the predicted one.
    level : float
        Level of the intervals.
    threshold : float or None
        Value from which on a label is 1.
    limits : tuple of float
        Values that cannot be exceeded.

    Returns
    -------
    GeoDataFrame
        With the columns `n_clusters`, NAME_direct, NAME_direct_error (standard error), NAME_predicted, NAME_predicted_lower,
        NAME_predicted_upper and, where there is a composite, NAME_synthetic (the prediction calibrated to the survey), NAME_gamma
        (weight of the survey in the composite) and, with benchmarking, NAME_unbenchmarked.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60, most_images=5)
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Forest(n_estimators=5), "pov"), "bihar", min_sites=1)
    >>> table = result.districts.dropna(subset=["pov_direct", "pov_gamma"])
    >>> table["pov_gamma"].between(0, 1).all().item()
    True
    """
    own = estimates.reindex(districts["district_id"]).reset_index(drop=True)
    predicted = {f"{name}_predicted{end}": districts[f"{name}{end}"].to_numpy() for end in ("", "_lower", "_upper")}
    composite = [part for part in ("synthetic", "gamma", "unbenchmarked") if part in own]
    table = districts.assign(
        n_clusters=own["n_clusters"].fillna(0).astype(int).to_numpy(),
        **{f"{name}_direct": own["direct"].to_numpy(), f"{name}_direct_error": own["direct_error"].to_numpy()},
        **predicted,
        **{f"{name}_{part}": own[part].to_numpy() for part in composite},
    )
    if estimator == "predicted":
        return table
    surveyed = table["n_clusters"].to_numpy() >= support.sites
    if estimator == "direct":
        supported = surveyed
        value, error = own["direct"].to_numpy(), own["direct_error"].to_numpy()
        half = normal_quantile(level) * error
        lower, upper = np.clip(value - half, *limits), np.clip(value + half, *limits)
    else:
        supported = surveyed | table["supported"].to_numpy()
        value, error = own["estimate"].to_numpy(), own["error"].to_numpy()
        lower, upper = own["lower"].to_numpy(), own["upper"].to_numpy()
    supported = supported & np.isfinite(value)
    label = np.full(len(table), np.nan) if threshold is None else (value >= threshold).astype(float)
    best, worst = rank_sets(np.where(supported, value, np.nan), error, level, freedom=max(len(estimates) - 1, 1))
    columns = {name: value, f"{name}_lower": lower, f"{name}_upper": upper, f"{name}_label": label}
    columns = {column: np.where(supported, numbers, np.nan) for column, numbers in columns.items()}
    return table.assign(**columns, supported=supported, rank_best=best, rank_worst=worst)
