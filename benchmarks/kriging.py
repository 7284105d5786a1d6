"""Kriging of 2,000 points: geolive's beside PyKrige's and gstools', with the same exponential covariance.

    pip install -e ".[bench]"
    python -m benchmarks.kriging [--points 2000] [--predicted 500] [--lsms lsms_clusters.csv]

A simulated field with a nugget is measured at points in a box of some 800 km, and predicted at others. geolive also estimates
the covariance, by restricted maximum likelihood; the others are given what it found, so that all solve the same equations, and
are also timed with estimates of their own. Predictions are compared with geolive's and with the truth. gstools inverts its
matrix directly here, since its default, a pseudoinverse, takes a minute for 2,000 points; and it multiplies the whole inverse
for every point that it predicts, so these are fewer than the measured ones. Then a table of 2,973 rows at 1,374 places is kriged
with all folds of training: that of --lsms with the columns lon, lat and asset_index, or else a simulated one. Seconds are of
processor time, and linear algebra has one thread, because threads that wait for each other count as work.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.measured import in_turns, ratios, record
from geolive.geodesy import EARTH_RADIUS_KM, unit_sphere
from geolive.models.cross_validation import cross_val_predict
from geolive.models.kriging import Kriging
from geolive.places import Places
from geolive.splits import BlockSplit, RandomSplit, fold_numbers

SILL, RANGE_KM, NUGGET, FOLDS = 1.0, 60.0, 0.3, 10
DEGREES_IN_KM = np.pi / 180 * EARTH_RADIUS_KM
Predict = Callable[[], np.ndarray]


def simulate(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions of n points, measured values, and the field without noise."""
    rng = np.random.default_rng(0)
    where = np.column_stack([rng.uniform(80, 88, n), rng.uniform(20, 27, n)])
    xyz = EARTH_RADIUS_KM * unit_sphere(where)
    squares = (xyz**2).sum(axis=1)
    km = np.sqrt(np.maximum(squares[:, None] + squares - 2 * xyz @ xyz.T, 0))
    covariance = SILL * np.exp(-km / RANGE_KM) + 1e-9 * np.eye(n)
    field = np.linalg.cholesky(covariance) @ rng.normal(size=n)
    return where, field + rng.normal(0, np.sqrt(NUGGET), n), field


def contestants(where: np.ndarray, values: np.ndarray, n: int) -> dict[str, Predict]:
    """Return the ways to predict the other points from the first n."""
    import gstools
    from pykrige.ok import OrdinaryKriging

    places = Places.without_images(np.arange(len(where)).astype(str), where)
    known, asked = places.take(np.arange(n)), places.take(np.arange(n, len(where)))
    fitted = Kriging().fit(known, values[:n]).covariance_
    lon, lat = where[:n].T
    lon_asked, lat_asked = where[n:].T

    def ours() -> np.ndarray:
        return Kriging().fit(known, values[:n]).predict(asked)

    def pykrige(given: bool = True) -> np.ndarray:
        # its exponential has 95 % of the sill at its range, in degrees
        parameters = {"psill": fitted.sill, "range": 3 * fitted.range_km / DEGREES_IN_KM, "nugget": fitted.nugget}
        model = OrdinaryKriging(
            lon, lat, values[:n], "exponential", parameters if given else None,
            exact_values=False, coordinates_type="geographic",
        )  # fmt: skip
        return np.asarray(model.execute("points", lon_asked, lat_asked)[0])

    def by_gstools(given: bool = True) -> np.ndarray:
        settings = {"latlon": True, "geo_scale": EARTH_RADIUS_KM}
        model = gstools.Exponential(var=fitted.sill, len_scale=fitted.range_km, nugget=fitted.nugget, **settings)
        if not given:
            bins, found = gstools.vario_estimate((lat, lon), values[:n], latlon=True, geo_scale=EARTH_RADIUS_KM)
            model = gstools.Exponential(**settings)
            model.fit_variogram(bins, found)
        krige = gstools.krige.Ordinary(model, (lat, lon), values[:n], exact=False, pseudo_inv=False)
        return np.asarray(krige((lat_asked, lon_asked), return_var=False))

    return {
        "geolive, which estimates the covariance": ours,
        "PyKrige, given it": pykrige,
        "gstools, given it": by_gstools,
        "PyKrige, which estimates it": lambda: pykrige(given=False),
        "gstools, which estimates it": lambda: by_gstools(given=False),
    }


def timed(predict: Predict, found: dict[str, np.ndarray], name: str) -> Callable[[], float]:
    """Return a way to measure the processor time of a prediction, which is kept."""

    def seconds() -> float:
        start = time.process_time()
        found[name] = predict()
        return time.process_time() - start

    return seconds


def beside_others(n: int, n_asked: int, rounds: int) -> None:
    """Print a table of time and predictions, and record the ratios."""
    where, values, field = simulate(n + n_asked)
    ways = contestants(where, values, n)
    found: dict[str, np.ndarray] = {}
    seconds = dict(zip(ways, in_turns(rounds, *(timed(way, found, name) for name, way in ways.items())), strict=True))
    ours, *others = ways
    truth = field[n:]
    columns = (
        f"{n:,} points, {n_asked:,} predicted",
        "CPU s",
        "R² against the field",
        "difference from geolive's (largest, in SD)",
    )
    print(f"| {' | '.join(columns)} |")
    print("|---|---|---|---|")
    for name in ways:
        r2 = 1 - ((truth - found[name]) ** 2).sum() / ((truth - truth.mean()) ** 2).sum()
        apart = np.abs(found[name] - found[ours]).max() / values.std()
        print(f"| {name} | {np.median(seconds[name]):.2f} | {r2:.4f} | {apart:.2g} |")
    for name in others:
        what = f"kriging of {n:,} points, {name}, against geolive with its estimate"
        record(what, ratios(seconds[name], seconds[ours]))


def panel() -> tuple[np.ndarray, np.ndarray]:
    """Positions and values of 1,374 simulated places, which were visited twice or three times."""
    where, values, _ = simulate(1374)
    visits = np.arange(2973) % len(where)
    return where[visits], values[visits] + np.random.default_rng(1).normal(0, 0.3, len(visits))


def all_folds(where: np.ndarray, values: np.ndarray) -> None:
    """Record the processor time of kriging places with the folds of training."""
    places = Places.without_images(np.arange(len(where)).astype(str), where)
    blocks = fold_numbers(BlockSplit(km=100, n_splits=FOLDS), places.positions)
    single = fold_numbers(RandomSplit(n_splits=FOLDS), places.positions)
    start = time.process_time()
    for folds in (blocks, single):
        cross_val_predict(Kriging(), places, values, folds)
    Kriging().fit(places, values)
    what = (
        f"kriging of {len(where):,} rows: {FOLDS} folds of blocks, {FOLDS} of single places, and all (processor time)"
    )
    record(what, time.process_time() - start, "s", at_most=10)


def main() -> None:
    """Run both parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--predicted", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--lsms", type=Path, help="a CSV file with lon, lat and asset_index")
    given = parser.parse_args()
    with threadpool_limits(1):
        beside_others(given.points, given.predicted, given.rounds)
        if given.lsms is None:
            all_folds(*panel())
            return
        rows = pd.read_csv(given.lsms)
        all_folds(rows[["lon", "lat"]].to_numpy(float), rows["asset_index"].to_numpy(float))


if __name__ == "__main__":
    main()
