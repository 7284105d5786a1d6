"""Memory and time of covariates from rasters: memory must not grow with the raster's size.

    python -m benchmarks.raster_covariates [--sides 5000 40000] [--places 500 100000] [--radii 2 5 20]

For each side a square Cloud-Optimized layout over 4 × 4 degrees is written (tiles of 512 cells, float32, deflate): once sparse,
with data in one tile of ten, and once with data in every tile. For each number of places and each radius, a process of its own
reads the means over buffers at random places. The table shows the processor time, and by how much the process
grew while it read.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measured import record

ROOT = Path(__file__).parent.parent
BLOCK = 512
WEST, NORTH, WIDTH = 84.0, 27.0, 4.0

READ = """
import json, resource, sys, time
import numpy as np
import rasterio
from geolive.covariates.sampling import covariates_at
path, places, radius = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
positions = np.random.default_rng(0).uniform([84.3, 23.3], [87.7, 26.7], (places, 2))
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
values = covariates_at([f"v={path}"], positions, radius)["v"]
seconds, after = time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "grown": (after - before) / 1024, "missing": float(values.isna().mean())}))
"""


def write(path: Path, side: int, share: float) -> None:
    """Write a raster whose tiles each hold one number; a share of the tiles has data."""
    import rasterio

    transform = rasterio.Affine(WIDTH / side, 0, WEST, 0, -WIDTH / side, NORTH)
    about = {
        "driver": "GTiff",
        "count": 1,
        "width": side,
        "height": side,
        "dtype": "float32",
        "nodata": -1,
        "crs": 4326,
    }
    options = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "sparse_ok": True}
    rng = np.random.default_rng(0)
    with rasterio.open(path, "w", transform=transform, **about, **options) as raster:
        for _, window in raster.block_windows(1):
            if rng.random() < share:
                raster.write(np.full((window.height, window.width), rng.random(), np.float32), 1, window=window)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[5_000, 40_000])
    parser.add_argument("--places", type=int, nargs="+", default=[500, 100_000])
    parser.add_argument("--radii", type=float, nargs="+", default=[2, 5])
    options = parser.parse_args()
    print("| raster | tiles with data | places | radius | processor time | memory grew by | places without data |")
    print("|---|---|---|---|---|---|---|")
    grown = []
    with tempfile.TemporaryDirectory() as folder:
        for side in options.sides:
            for share in (0.1, 1.0):
                path = Path(folder) / f"{side}-{share}.tif"
                write(path, side, share)
                for places in options.places:
                    for radius in options.radii:
                        words = [sys.executable, "-c", READ, str(path), str(places), str(radius)]
                        ended = subprocess.run(words, capture_output=True, text=True, check=True, cwd=ROOT)
                        found = json.loads(ended.stdout)
                        grown.append(found["grown"])
                        print(
                            f"| {side:,} × {side:,} | {share:.0%} | {places:,} | {radius:g} km | {found['seconds']:.1f} s | "
                            f"{found['grown']:.0f} MB | {found['missing']:.0%} |",
                            flush=True,
                        )
                path.unlink()
    side = max(options.sides)
    record(
        f"covariates from rasters of up to {side:,} × {side:,} cells: memory while reading, largest", max(grown), "MB"
    )


if __name__ == "__main__":
    main()
