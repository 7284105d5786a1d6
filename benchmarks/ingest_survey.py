"""Reading a large survey: `ingest survey` of a table of points, and what pandas takes to read the same file.

    python -m benchmarks.ingest_survey [--rows 1000000]

A table of random rows is made: an id, a position, a district, urban or rural, a weight and two values. The whole command is one
process, and pandas.read_csv another. Then the parts of the command are timed in this process. All times are of the processor.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measured import of_command, record

CLI = str(Path(__file__).parent.parent / "cli.py")
BARE = "import sys, pandas; pandas.read_csv(sys.argv[1])"
COLUMNS = {"lon": "lon", "lat": "lat", "id": "id", "group": "district", "urban": "urban", "weight": "weight"}


def make_table(rows: int) -> pd.DataFrame:
    """Households over northern India."""
    rng = np.random.default_rng(0)
    columns = {
        "id": np.arange(rows),
        "lon": rng.uniform(70, 95, rows).round(6),
        "lat": rng.uniform(10, 30, rows).round(6),
        "district": np.char.add("d", rng.integers(0, 700, rows).astype(str)),
        "urban": rng.choice(["U", "R"], rows),
        "weight": rng.uniform(0.2, 3, rows).round(4),
        "wealth": rng.normal(size=rows).round(4),
        "bmi": rng.normal(21, 2, rows).round(2),
    }
    return pd.DataFrame(columns)


def main() -> None:
    """Print and record the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as temporary:
        table, out = Path(temporary) / "survey.csv", Path(temporary) / "data"
        make_table(rows).to_csv(table, index=False)
        options = [word for name, column in COLUMNS.items() for word in (f"--{name}", column)]
        options += ["--value", "wealth", "--value", "bmi"]
        bare = of_command(sys.executable, "-c", BARE, str(table)).processor
        _, seconds, memory = of_command(
            sys.executable, CLI, "ingest", "survey", str(table), *options, "--out", f"{out}-1"
        )
        record(f"ingest survey, {rows:,} rows: rows a second of the processor", rows / seconds, "rows/s")
        record("ingest survey: peak memory", memory, "MB")
        record("ingest survey / pandas.read_csv", seconds / bare)
        _parts(table, out)


def _parts(table: Path, out: Path) -> None:
    from geolive.dataset_folder import read_dataset, write_dataset
    from geolive.sources.survey.reader import read_survey

    started = time.process_time()
    pd.read_csv(table)
    parsed = time.process_time()
    dataset = read_survey(table, values={"wealth": "wealth", "bmi": "bmi"}, **COLUMNS)
    read = time.process_time()
    write_dataset(dataset, out)
    written = time.process_time()
    read_dataset(out)
    print("| part | processor time, s |\n|---|---|")
    print(f"| pandas.read_csv alone | {parsed - started:.1f} |")
    print(f"| read_survey: reading, checks, labels | {read - parsed:.1f} |")
    print(f"| write_dataset | {written - read:.1f} |")
    print(f"| read_dataset | {time.process_time() - written:.1f} |", flush=True)


if __name__ == "__main__":
    main()
