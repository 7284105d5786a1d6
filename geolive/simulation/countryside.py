"""A simulated countryside: where places are, and how wealth, density and nutrition vary from place to place.

Only the district polygons and, for Bihar, the statistics of the districts are real; everything else is simulated. The truth
is a function of position, so it is known at the places of the sample, at any other place, and as district means.
"""

import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from pyproj import Transformer

from geolive.geodesy import metric_crs
from geolive.official_statistics import bihar_statistics
from geolive.processors import available_processors
from geolive.regions import Region, find_region

INDICATORS = ("pov", "pop", "bmi")
E_FOLD_KM = 40.0
REGIONAL_E_FOLD_KM = 150.0
N_WAVES = 2000
# as many points at a time as make a block of numbers that stays in the processor's cache
_BLOCK = 256
TRUTH_POINTS = 400


@dataclass(frozen=True)
class Recipe:
    """How an indicator varies: its mean, its standard deviation, and the sources of its variance.

    Parameters
    ----------
    mean, spread : float
        Mean and standard deviation of the true values over places, in the unit of the indicator.
    district, field, local : float
        Shares of the true variance between districts, along a spatial field, and between neighbouring places; they sum to 1.
    noise : float
        Variance of the survey's error, as a share of the true variance.
    """

    mean: float
    spread: float
    district: float
    field: float
    local: float
    noise: float


# with these shares, spatial and image models score as in the paper's table (benchmarks/sample_difficulty.py)
RECIPES = {
    "pov": Recipe(mean=-0.65, spread=0.75, district=0.21, field=0.34, local=0.45, noise=0.09),
    "pop": Recipe(mean=1180.0, spread=330.0, district=0.90, field=0.05, local=0.05, noise=0.03),
    "bmi": Recipe(mean=20.8, spread=1.0, district=0.30, field=0.38, local=0.32, noise=0.08),
}


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return a random generator for one purpose, so that one part of a sample can change without the others.

    Examples
    --------
    >>> a, b = generator(0, "images").integers(1000), generator(0, "images").integers(1000)
    >>> bool(a == b)
    True
    """
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(purpose.encode())]))


class ExponentialField:
    """A Gaussian random field with exponential covariance, mean 0 and variance 1, as a sum of random plane waves.

    Source: spectral simulation, Mantoglou & Wilson 1982, doi 10.1029/WR018i005p01379. The field can be evaluated anywhere; it
    needs no covariance matrix and gives the same numbers on every machine.

    Parameters
    ----------
    e_fold_km : float
        Distance at which the correlation is 1/e, in kilometres.
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

    def __call__(self, km: np.ndarray, *, single_precision: bool = False, threads: int | None = None) -> np.ndarray:
        """Return the values at positions in kilometres, shape (n, 2), as an array of shape (n,).

        In single precision they are exact to about 1e-6 and take a third of the time. The blocks of positions are shared among
        threads, by default one for each processor, and each is summed by one of them, so the values are the same on any number
        of threads.
        """
        type_of = np.float32 if single_precision else np.float64
        with ThreadPoolExecutor(threads or available_processors()) as pool:
            blocks = pool.map(lambda start: self._sum(km[start : start + _BLOCK], type_of), range(0, len(km), _BLOCK))
            return np.concatenate([np.zeros(0), *blocks]) * np.sqrt(2 / N_WAVES)

    def _sum(self, km: np.ndarray, type_of: type[np.floating]) -> np.ndarray:
        total, km_and_one = np.zeros(len(km)), np.column_stack([km, np.ones(len(km))])
        waves_and_phase = np.column_stack([self.waves, self.phase]) / (2 * np.pi)
        for start in range(0, N_WAVES, 200):
            turns = km_and_one @ waves_and_phase[start : start + 200].T
            # whole turns change nothing, and without them single precision is enough
            turns -= np.rint(turns)
            total += _cosine_of_turns(turns.astype(type_of, copy=False)).sum(axis=1, dtype=np.float64)
        return total


# the series of the cosine, in powers of the square of the angle
_SERIES = [(-1) ** n / math.factorial(2 * n) for n in range(11)]


def _cosine_of_turns(turns: np.ndarray) -> np.ndarray:
    """Return cos(2πx) of turns between -1/2 and 1/2, exact to rounding, in the array of the turns.

    NumPy computes a cosine of single precision with vector instructions, but one of double precision number by number; the
    series of half the angle takes a quarter of the time.
    """
    if turns.dtype == np.float32:
        turns *= np.float32(2 * np.pi)
        return np.cos(turns, out=turns)
    turns *= np.pi
    turns *= turns
    cosine = np.full_like(turns, _SERIES[-1])
    for coefficient in _SERIES[-2::-1]:
        cosine *= turns
        cosine += coefficient
    # cos(2x) = 2 cos(x)² - 1
    cosine *= cosine
    cosine *= 2
    cosine -= 1
    return cosine


class Countryside:
    """One simulated region: its districts, its random fields, and the true values at any place.

    Parameters
    ----------
    region : str
        A state of India, or "india". Bihar starts from the real statistics of its districts, any other region from random fields.
    seed : int
        Seed of the random numbers.

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
        self.population, self._district_part = (
            self._from_statistics() if self.region.name == "Bihar" else self._from_fields()
        )

    def km(self, positions: np.ndarray) -> np.ndarray:
        """Project longitude and latitude in degrees, shape (n, 2), to kilometres in the projection of the region."""
        return np.column_stack(self._km.transform(positions[:, 0], positions[:, 1])) / 1000

    def degrees(self, km: np.ndarray) -> np.ndarray:
        """Return longitude and latitude of positions in kilometres: the inverse of `km`."""
        lonlat = self._km.transform(km[:, 0] * 1000, km[:, 1] * 1000, direction="INVERSE")
        return np.column_stack(lonlat)

    def spread_by_population(self, total: int, least: int, dark: np.ndarray) -> np.ndarray:
        """Divide places among the districts in proportion to population.

        Parameters
        ----------
        total : int
            Number of places.
        least : int
            Smallest number of places of a district.
        dark : array of int
            Rows of the districts that get exactly `least` places.

        Returns
        -------
        array of int, shape (districts,)

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
        """Draw places uniformly at random in each district.

        Parameters
        ----------
        number : array of int, shape (districts,)
            Number of places in each district.
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
        """Return the true values at places in standard units: the sum of a district part, a field and a local part.

        Returns
        -------
        array, shape (places, 3)
            Values of pov, pop, bmi, with mean 0 and variance 1 over the region.
        """
        local = rng.standard_normal((len(positions), len(INDICATORS)))
        share = np.sqrt([RECIPES[name].local for name in INDICATORS])
        return self.expected(positions, district) + share * local

    def expected(
        self,
        positions: np.ndarray,
        district: np.ndarray,
        *,
        single_precision: bool = False,
        threads: int | None = None,
    ) -> np.ndarray:
        """Return what is true around places in standard units: the district part and the field, without the local part.

        Returns
        -------
        array, shape (places, 3)
        """
        km = self.km(positions)
        parts = [
            np.sqrt(RECIPES[name].district) * self._district_part[district, i]
            + np.sqrt(RECIPES[name].field) * self._fields[i](km, single_precision=single_precision, threads=threads)
            for i, name in enumerate(INDICATORS)
        ]
        return np.column_stack(parts)

    def in_units(self, latents: np.ndarray) -> np.ndarray:
        """Convert standard units to the units of the indicators, shape (n, 3); densities are at least 20."""
        values = np.array([RECIPES[n].mean for n in INDICATORS]) + latents * [RECIPES[n].spread for n in INDICATORS]
        values[:, 1] = np.maximum(values[:, 1], 20.0)
        return values

    def district_truth(self, threads: int | None = None) -> pd.DataFrame:
        """Return the true mean of each indicator over the area of each district; the index is district_id.

        The local part is left out, because over the thousands of settlements of a district its mean is near 0. By default each
        processor has a thread.
        """
        number = np.full(len(self.districts), TRUTH_POINTS)
        positions, district = self.draw_places(number, generator(self.seed, "truth"))
        values = self.in_units(self.expected(positions, district, single_precision=True, threads=threads))
        means = pd.DataFrame(values, columns=list(INDICATORS)).groupby(district).mean()
        return means.set_index(self.districts["district_id"].to_numpy()).rename_axis("district_id")

    def _from_statistics(self) -> tuple[np.ndarray, np.ndarray]:
        table = bihar_statistics().loc[self.districts["district_id"]]
        population = table["population_2011"].to_numpy(float)
        # more poverty means less wealth; more women below a normal BMI mean a lower mean BMI
        part = np.column_stack(
            [
                -table["mpi_headcount_pct_2015_16"],
                table["density_per_km2_2011"],
                -table["women_bmi_below_normal_pct_2015_16"],
            ]
        )
        return population, _standardise(part, population)

    def _from_fields(self) -> tuple[np.ndarray, np.ndarray]:
        middle = shapely.point_on_surface(self.districts.geometry.values)
        km = self.km(shapely.get_coordinates(middle))
        fields = [ExponentialField(REGIONAL_E_FOLD_KM, generator(self.seed, f"regional {n}")) for n in INDICATORS]
        area = self.districts.to_crs(metric_crs(self.districts.total_bounds)).area.to_numpy()
        return area, _standardise(np.column_stack([field(km) for field in fields]), area)


def _standardise(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean = np.average(values, axis=0, weights=weights)
    spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    return (values - mean) / np.where(spread > 0, spread, 1)


def _points_in(polygon: shapely.Polygon | shapely.MultiPolygon, n: int, rng: np.random.Generator) -> np.ndarray:
    west, south, east, north = polygon.bounds
    shapely.prepare(polygon)
    inside = np.zeros((0, 2))
    while len(inside) < n:
        candidates = rng.uniform((west, south), (east, north), size=(4 * n + 8, 2))
        inside = np.concatenate([inside, candidates[shapely.contains_xy(polygon, candidates)]])
    return inside[:n]
