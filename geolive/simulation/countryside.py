"""A simulated countryside: where places are, and how wealth, density and nutrition vary from place to place.

Everything here is simulated. Only the district polygons and, for Bihar, the districts' statistics are real. The truth is a
function of position, so that it is known at the places of the sample, at any number of further ones, and as district means.
"""

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from pyproj import Transformer

from geolive.official_statistics import bihar_statistics
from geolive.regions import Region, find_region, metric_crs

INDICATORS = ("pov", "pop", "bmi")
E_FOLD_KM = 40.0
REGIONAL_E_FOLD_KM = 150.0
N_WAVES = 2000
TRUTH_POINTS = 400


@dataclass(frozen=True)
class Recipe:
    """Mean and spread of an indicator, and the shares of its variance; the shares of the truth sum to 1.

    Parameters
    ----------
    mean, spread : float
        Of the truth over places, in the indicator's unit.
    district, field, local : float
        Shares of the true variance between districts, along a spatial field, and from one place to the next.
    noise : float
        Variance of the survey's error, as a share of the true variance.
    """

    mean: float
    spread: float
    district: float
    field: float
    local: float
    noise: float


# shares chosen so that spatial and image models score as in the paper's table: see benchmarks/sample_difficulty.py
RECIPES = {
    "pov": Recipe(mean=-0.65, spread=0.75, district=0.21, field=0.34, local=0.45, noise=0.09),
    "pop": Recipe(mean=1180.0, spread=330.0, district=0.90, field=0.05, local=0.05, noise=0.03),
    "bmi": Recipe(mean=20.8, spread=1.0, district=0.30, field=0.38, local=0.32, noise=0.08),
}


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A random generator of its own for each purpose, so that one part of a sample can change without the others.

    Examples
    --------
    >>> a, b = generator(0, "images").integers(1000), generator(0, "images").integers(1000)
    >>> bool(a == b)
    True
    """
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(purpose.encode())]))


class ExponentialField:
    """A Gaussian random field with exponential covariance, mean 0 and variance 1, as a sum of random plane waves.

    Source: spectral simulation, Mantoglou & Wilson 1982, doi 10.1029/WR018i005p01379. It is evaluated where wanted,
    without a matrix, and to the same figures on every machine.

    Parameters
    ----------
    e_fold_km : float
        Distance at which the correlation is 1/e.
    rng : numpy Generator

    Examples
    --------
    >>> field = ExponentialField(40.0, generator(0, "a field"))
    >>> field(np.zeros((3, 2))).shape
    (3,)
    """

    def __init__(self, e_fold_km: float, rng: np.random.Generator):
        # the spectral density of an exponential covariance in the plane is a bivariate Cauchy distribution
        self.waves = rng.standard_normal((N_WAVES, 2)) / np.abs(rng.standard_normal((N_WAVES, 1))) / e_fold_km
        self.phase = rng.uniform(0, 2 * np.pi, N_WAVES)

    def __call__(self, km: np.ndarray) -> np.ndarray:
        """Values at positions in kilometres, shape (n, 2) to (n,)."""
        total = np.zeros(len(km))
        for start in range(0, N_WAVES, 200):  # bounds memory at 200 numbers a point
            waves, phase = self.waves[start : start + 200], self.phase[start : start + 200]
            angle = km[:, :1] * waves[:, 0] + km[:, 1:] * waves[:, 1] + phase
            total += np.cos(angle).sum(axis=1)
        return total * np.sqrt(2 / N_WAVES)


class Countryside:
    """One simulated region: its districts, its fields, and the truth anywhere.

    Parameters
    ----------
    region : str
        A state of India. Bihar starts from its districts' real statistics, any other from random fields.
    seed : int

    Examples
    --------
    >>> land = Countryside("bihar", seed=0)
    >>> positions, district = land.draw_places(np.full(38, 2), generator(0, "example"))
    >>> land.latents(positions, district, generator(0, "local")).shape
    (76, 3)
    """

    def __init__(self, region: str = "bihar", seed: int = 0):
        self.region: Region = find_region(region)
        self.seed = seed
        self.districts = self.region.districts
        self._km = Transformer.from_crs("EPSG:4326", metric_crs(self.districts.total_bounds), always_xy=True)
        self._fields = [ExponentialField(E_FOLD_KM, generator(seed, f"field {name}")) for name in INDICATORS]
        self.population, self._district_part = self._official() if self.region.name == "Bihar" else self._invented()

    def km(self, positions: np.ndarray) -> np.ndarray:
        """Longitude and latitude in degrees to kilometres in the region's projection, both shape (n, 2)."""
        return np.column_stack(self._km.transform(positions[:, 0], positions[:, 1])) / 1000

    def degrees(self, km: np.ndarray) -> np.ndarray:
        """The inverse of `km`."""
        lonlat = self._km.transform(km[:, 0] * 1000, km[:, 1] * 1000, direction="INVERSE")
        return np.column_stack(lonlat)

    def spread_by_population(self, total: int, least: int, dark: np.ndarray) -> np.ndarray:
        """Numbers of places a district in proportion to population, at least `least`; exactly `least` where dark.

        Examples
        --------
        >>> land = Countryside("bihar", seed=0)
        >>> int(land.spread_by_population(172, 1, np.array([0, 1])).sum())
        172
        """
        weight = self.population.copy()
        weight[dark] = 0
        ideal = weight / weight.sum() * (total - least * len(weight)) if total > least * len(weight) else weight * 0
        number = np.floor(ideal).astype(int)
        rest = max(total - least * len(weight), 0) - number.sum()
        number[np.argsort(-(ideal - number), kind="stable")[:rest]] += 1
        return number + least

    def draw_places(self, number: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """So many places in each district, evenly at random.

        Parameters
        ----------
        number : array of int, shape (districts,)
        rng : numpy Generator

        Returns
        -------
        positions : array, shape (places, 2)
            Longitude, latitude in degrees.
        district : array of int, shape (places,)
            Row of the districts table.
        """
        drawn = [_points_in(polygon, int(n), rng) for polygon, n in zip(self.districts.geometry, number, strict=True)]
        return np.concatenate(drawn), np.repeat(np.arange(len(number)), number)

    def latents(self, positions: np.ndarray, district: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The truth at places in standard units: district + field + local part.

        Returns
        -------
        array, shape (places, 3)
            For pov, pop, bmi, with mean 0 and variance 1 over the region.
        """
        local = rng.standard_normal((len(positions), len(INDICATORS)))
        share = np.sqrt([RECIPES[name].local for name in INDICATORS])
        return self._expected(positions, district) + share * local

    def in_units(self, latents: np.ndarray) -> np.ndarray:
        """Standard units to the indicators' units, shape (n, 3); densities stay above 0."""
        values = np.array([RECIPES[n].mean for n in INDICATORS]) + latents * [RECIPES[n].spread for n in INDICATORS]
        values[:, 1] = np.maximum(values[:, 1], 20.0)
        return values

    def district_truth(self) -> pd.DataFrame:
        """True mean of each indicator in each district, over all of its area; index district_id.

        The local part is left out: over the thousands of settlements of a district it averages to nothing.
        """
        number = np.full(len(self.districts), TRUTH_POINTS)
        positions, district = self.draw_places(number, generator(self.seed, "truth"))
        values = self.in_units(self._expected(positions, district))
        means = pd.DataFrame(values, columns=list(INDICATORS)).groupby(district).mean()
        return means.set_index(self.districts["district_id"].to_numpy()).rename_axis("district_id")

    def _expected(self, positions: np.ndarray, district: np.ndarray) -> np.ndarray:
        km = self.km(positions)
        parts = [
            np.sqrt(RECIPES[name].district) * self._district_part[district, i]
            + np.sqrt(RECIPES[name].field) * self._fields[i](km)
            for i, name in enumerate(INDICATORS)
        ]
        return np.column_stack(parts)

    def _official(self) -> tuple[np.ndarray, np.ndarray]:
        table = bihar_statistics().loc[self.districts["district_id"]]
        population = table["population_2011"].to_numpy(float)
        # more poverty is less wealth, more women below a normal BMI is a lower mean
        part = np.column_stack(
            [
                -table["mpi_headcount_pct_2015_16"],
                table["density_per_km2_2011"],
                -table["women_bmi_below_normal_pct_2015_16"],
            ]
        )
        return population, _standardise(part, population)

    def _invented(self) -> tuple[np.ndarray, np.ndarray]:
        middle = shapely.point_on_surface(self.districts.geometry.values)
        km = self.km(shapely.get_coordinates(middle))
        fields = [ExponentialField(REGIONAL_E_FOLD_KM, generator(self.seed, f"regional {n}")) for n in INDICATORS]
        area = self.districts.to_crs(metric_crs(self.districts.total_bounds)).area.to_numpy()
        return area, _standardise(np.column_stack([field(km) for field in fields]), area)


def _standardise(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean = np.average(values, axis=0, weights=weights)
    spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    return (values - mean) / np.where(spread > 0, spread, 1)


def _points_in(polygon, n: int, rng: np.random.Generator) -> np.ndarray:
    west, south, east, north = polygon.bounds
    shapely.prepare(polygon)
    found = np.zeros((0, 2))
    while len(found) < n:
        tried = rng.uniform((west, south), (east, north), size=(4 * n + 8, 2))
        found = np.concatenate([found, tried[shapely.contains_xy(polygon, tried)]])
    return found[:n]
