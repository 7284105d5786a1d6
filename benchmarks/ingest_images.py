"""Reading a large table of images without photos: `ingest images` with counts of 20 classes, from CSV and from Parquet.

    python -m benchmarks.ingest_images [--rows 1000000]

A table of random rows is made; then each command runs in a process of its own, which reads, checks, counts and writes the whole
dataset. Processor time and memory are those of that process, as the system counts them.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measured import of_command, record
from geolive.tables import vistas_classes

CLI = str(Path(__file__).parent.parent / "cli.py")
N_CLASSES = 20


def make_table(rows: int) -> pd.DataFrame:
    """Images over northern India, in sequences of 50, with counts of the first classes."""
    rng = np.random.default_rng(0)
    number = np.arange(rows)
    table = {
        "key": (9_007_199_254_740_993 + number).astype(str),
        "lon": rng.uniform(70, 95, rows).round(6),
        "lat": rng.uniform(10, 30, rows).round(6),
        "sequence": np.char.add("s", (number // 50).astype(str)),
        "taken": 1_577_836_800_000 + 1000 * number,
    }
    return pd.DataFrame(table | {name: rng.integers(0, 9, rows) for name in vistas_classes()["name"][:N_CLASSES]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        table = make_table(rows)
        table.to_csv(folder / "images.csv", index=False)
        table.to_parquet(folder / "images.parquet")
        del table
        columns = ["--lon", "lon", "--lat", "lat", "--sequence", "sequence", "--captured-at", "taken", "--counts"]
        for name in ("images.csv", "images.parquet"):
            size = (folder / name).stat().st_size / 1e6
            command = [
                sys.executable,
                CLI,
                "ingest",
                "images",
                str(folder / name),
                *columns,
                "--out",
                f"{folder}/{name}-data",
            ]
            _, seconds, memory = of_command(*command)
            kind = name.split(".")[1]
            print(f"{name}: {rows:,} rows, {size:.0f} MB")
            record(
                f"ingest images --counts, {rows:,} rows ({kind}): rows a second of the processor",
                rows / seconds,
                "rows/s",
            )
            record(f"ingest images --counts ({kind}): peak memory", memory, "MB")


if __name__ == "__main__":
    main()
