"""What a population raster brings to a map, on simulated countries whose truth is known.

    python -m benchmarks.people_as_weights [--countries 20] [--seed 0]

Towns are wealthier than the villages around them, and most people live in towns. The survey chooses its clusters by people, as
the DHS does. Maps by kriging with a covariate are compared with the districts' true means over people: once with sites that
count alike, once with cells that count by their people. Printed are the mean error (bias), the root of the mean squared error,
and the share of districts whose 90 % interval holds the truth.
"""

import argparse
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
from rasterio import Affine
from scipy.ndimage import gaussian_filter

import geolive as gl
from geolive.regions import Region

GRID = Affine(0.05, 0, 10.0, 0, -0.05, 8.0)
SIZE, DISTRICT, CLUSTERS = 64, 8, 250


def smooth(rng: np.random.Generator, width: float) -> np.ndarray:
    """Make a smooth field of mean 0 and variance 1."""
    field = gaussian_filter(rng.normal(size=(SIZE, SIZE)), width, mode="wrap")
    return (field - field.mean()) / field.std()


def write(path: Path, values: np.ndarray) -> str:
    """Write one band as GeoTIFF."""
    about = {"driver": "GTiff", "width": SIZE, "height": SIZE, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    with rasterio.open(path, "w", transform=GRID, **about) as raster:
        raster.write(values.astype(np.float32), 1)
    return str(path)


def squares() -> Region:
    """Make districts of 8 x 8 cells."""
    n = SIZE // DISTRICT
    row, column = np.indices((n, n)).reshape(2, -1)
    step = DISTRICT * 0.05
    west, north = 10 + column * step, 8 - row * step
    names = [f"{i:02d}" for i in range(n * n)]
    boxes = shapely.multipolygons([[one] for one in shapely.box(west, north - step, west + step, north)])
    table = gpd.GeoDataFrame({"district_id": names, "district": names, "state": ""}, geometry=boxes, crs="EPSG:4326")
    return Region("Squares", shapely.union_all(boxes), table, "squares")


def country(seed: int, folder: Path) -> pd.DataFrame:
    """Simulate a country, map it both ways, and compare each district's value and interval with its truth."""
    rng = np.random.default_rng(seed)
    town = np.maximum(smooth(rng, 0.8) - 1.0, 0.0)
    people = np.exp(2.0 * town + 0.5 * rng.normal(size=town.shape) + 4)
    wealth = 0.7 * town + 0.5 * smooth(rng, 6) + 0.15 * rng.normal(size=town.shape)
    rasters = {"lights": write(folder / "lights.tif", town + 0.1 * rng.normal(size=town.shape))}
    population = write(folder / "people.tif", people)
    cell = rng.choice(SIZE**2, CLUSTERS, p=people.ravel() / people.sum())
    row, column = np.divmod(cell, SIZE)
    survey = pd.DataFrame({"lon": GRID.c + 0.05 * (column + rng.uniform(size=CLUSTERS))})
    survey["lat"] = GRID.f - 0.05 * (row + rng.uniform(size=CLUSTERS))
    survey["wealth"] = wealth.ravel()[cell] + 0.3 * rng.normal(size=CLUSTERS)
    survey.to_csv(folder / "survey.csv", index=False)
    dataset = gl.read_survey(folder / "survey.csv", "lon", "lat", {"wealth": "wealth"})
    dataset = gl.add_covariates(dataset, rasters, buffer_km=0)
    trained = gl.train(dataset, gl.Kriging(inputs="covariates"), "wealth")
    whole = (SIZE // DISTRICT, DISTRICT, SIZE // DISTRICT, DISTRICT)
    truth = ((wealth * people).reshape(whole).sum(axis=(1, 3)) / people.reshape(whole).sum(axis=(1, 3))).ravel()
    rows = []
    for weights, given in (("sites alike", None), ("people", population)):
        for estimator in ("predicted", "composite"):
            options = {"population": given, "rasters": rasters, "estimator": estimator}
            drawn = gl.predict(dataset, trained, squares(), **options)
            table = drawn.districts.assign(truth=truth)
            table = table[table["supported"]]
            inside = (table["wealth_lower"] <= table["truth"]) & (table["truth"] <= table["wealth_upper"])
            error = table["wealth"] - table["truth"]
            rows.append(
                pd.DataFrame({"weights": weights, "estimator": estimator, "error": error, "held": inside, "seed": seed})
            )
    return pd.concat(rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--countries", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = []
    for seed in range(options.seed, options.seed + options.countries):
        with tempfile.TemporaryDirectory() as folder:
            found.append(country(seed, Path(folder)))
    groups = pd.concat(found).groupby(["weights", "estimator"])
    table = groups.agg(
        bias=("error", "mean"),
        rmse=("error", lambda e: np.sqrt(np.mean(e**2))),
        held=("held", "mean"),
        n=("held", "size"),
    )
    print(table.round(3).to_string())


if __name__ == "__main__":
    main()
