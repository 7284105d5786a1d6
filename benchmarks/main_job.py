"""Wall time and peak memory of the main job, from the start of the process to the written files.

    python benchmarks/main_job.py

First with an empty cache (the sample is simulated and the forest fitted), then with what that run kept; then `--help`. A bare
`import geopandas` in the same run is the measure of the machine.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

CLI = str(Path(__file__).parent.parent / "cli.py")


def measure(*command: str, **environment: str) -> tuple[float, float]:
    """Seconds and peak memory in MB of a command."""
    start = time.perf_counter()
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | environment
    )
    _, status, usage = os.wait4(running.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Print a row for each measurement."""
    with tempfile.TemporaryDirectory() as folder:
        cache = {"GEOLIVE_CACHE": f"{folder}/cache"}
        job = (sys.executable, CLI, "predict", "--region", "bihar", "--out", f"{folder}/pov.html")
        bare = median(measure(sys.executable, "-c", "import geopandas")[0] for _ in range(5))
        rows = {"predict, empty cache": [measure(*job, **cache)]}
        rows["predict, sample and forest cached"] = [measure(*job, **cache) for _ in range(5)]
        rows["--help"] = [measure(sys.executable, CLI, "--help") for _ in range(5)]
    print(f"import geopandas: {bare:.2f} s")
    for name, found in rows.items():
        seconds, memory = median(s for s, _ in found), max(m for _, m in found)
        print(
            f"{name}: {seconds:.2f} s (median of {len(found)}), {seconds / bare:.1f} × import geopandas, peak {memory:.0f} MB"
        )


if __name__ == "__main__":
    main()
