"""Wall time and peak memory of the main job, from the start of the process to the written files.

    python -m benchmarks.main_job

First with an empty cache (the sample is simulated and the model fitted), then with what that run kept; then `--help`.
Importing the libraries that such a map needs, in turn with the main job, is the measure of the machine.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.measured import ratios, record

LIBRARIES = "import geopandas, folium, rasterio, sklearn"
CLI = str(Path(__file__).parent.parent / "cli.py")


def measure(*command: str, **environment: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of a command."""
    # installed libraries come with their bytecode, and geolive's is kept after the first run
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=kept | environment)
    _, status, usage = os.wait4(running.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Print a row for each measurement."""
    with tempfile.TemporaryDirectory() as folder:
        cache = {"GEOLIVE_CACHE": f"{folder}/cache"}
        job = (sys.executable, CLI, "predict", "--region", "bihar", "--out", f"{folder}/pov.html")
        rows = {"predict, empty cache": [measure(*job, **cache)]}
        first = rows["predict, empty cache"][0][0]
        imports, cached = [], []
        for _ in range(5):
            imports.append(measure(sys.executable, "-c", LIBRARIES))
            cached.append(measure(*job, **cache))
        rows |= {"predict, sample and model cached": cached, LIBRARIES: imports}
        rows["--help"] = [measure(sys.executable, CLI, "--help") for _ in range(5)]
    for name, found in rows.items():
        seconds, memory = median(s for s, _ in found), max(m for _, m in found)
        print(f"{name}: {seconds:.2f} s (median of {len(found)}), peak {memory:.0f} MB")
    kept, bare = [s for s, _ in cached], [s for s, _ in imports]
    record("main job, sample and model kept, against the imports", ratios(kept, bare), at_most=2)
    record("main job, first run, against the one with sample and model kept", first / median(kept), at_most=3)


if __name__ == "__main__":
    main()
