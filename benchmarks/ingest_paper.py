"""Reading the paper's table: `ingest paper`, polars and a plain loop, on one file in one run.

    python cli.py sample --paper-format --clusters 7117 --ids SPLITS --out /tmp/standin
    python -m benchmarks.ingest_paper /tmp/standin [ROUNDS]

Each is a process of its own, timed from its start to its end, and they take turns:

- a bare polars.read_csv of all columns, which leaves three columns of lists as the JSON text that they are in the file;
- the same, and polars' decoding of the lists;
- the same dataset with polars: decoding, counts of objects, a search for repeated keys, files and checksums, but no check of a
  single row;
- `ingest paper`, which checks every row;
- a plain loop: pandas.read_csv, json.loads and a histogram per row, and a groupby per cluster. It writes nothing.

Needs polars (the extra `bench`).
"""

import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.measured import Used, of_command, ratios, record

CLI = str(Path(__file__).parent.parent / "cli.py")
BARE = "import sys, polars; polars.read_csv(sys.argv[1])"
DECODED = """
import sys, polars
table = polars.read_csv(sys.argv[1])
kinds = {"features": polars.Int64, "features_name": polars.String, "confidence": polars.Float64}
table = table.with_columns(polars.col(name).str.json_decode(polars.List(kind)) for name, kind in kinds.items())
"""
SAME = f"""{DECODED}
import hashlib, pathlib
import numpy as np
out = pathlib.Path(sys.argv[2])
out.mkdir()
of_row = np.repeat(np.arange(len(table)), table["features"].list.len().to_numpy())
classes = np.minimum(table["features"].list.explode(empty_as_null=False).to_numpy(), 65)
counts = np.bincount(66 * of_row + classes, minlength=66 * len(table)).reshape(-1, 66).astype(np.uint16)
assert not table["key"].is_duplicated().any()
images = table.select("key", "unique_cluster", "ilon", "ilat")
images.write_parquet(out / "images.parquet", compression="zstd")
table.unique("unique_cluster").drop("features", "features_name", "confidence").write_parquet(out / "clusters.parquet")
np.save(out / "objects.npy", counts)
for path in out.iterdir():
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
"""
PLAIN = """
import json, sys
import numpy as np, pandas as pd
table = pd.read_csv(sys.argv[1])
counts = np.array([np.bincount(json.loads(text), minlength=256) for text in table["features"]])
pd.DataFrame(counts).groupby(table["unique_cluster"].to_numpy()).sum()
"""


def main() -> None:
    """Print a row for each, and record the ratios."""
    standin = Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    table = str(standin / "data.csv")
    bare, decoded = "a bare polars.read_csv of all columns", "polars.read_csv and polars' decoding of the lists"
    same, own, plain = "the same dataset with polars, without checks", "ingest paper", "the plain loop"
    found: dict[str, list[Used]] = {name: [] for name in (bare, decoded, same, own, plain)}
    with tempfile.TemporaryDirectory(dir=standin) as folder:
        for i in range(rounds):
            scripts = {bare: (BARE,), decoded: (DECODED,), same: (SAME, f"{folder}/polars-{i}")}
            for name, (script, *out) in scripts.items():
                found[name].append(of_command(sys.executable, "-c", script, table, *out))
            out = ["--splits", str(standin), "--out", f"{folder}/{i}"]
            found[own].append(of_command(sys.executable, CLI, "ingest", "paper", table, *out))
        found[plain].append(of_command(sys.executable, "-c", PLAIN, table))
    print(f"{Path(table).stat().st_size / 1e9:.2f} GB\n")
    print("| what | time, s | processor time, s | peak memory, MB |\n|---|---|---|---|")
    for name, measured in found.items():
        wall, processor, memory = (median(each) for each in zip(*measured, strict=True))
        print(f"| {name} | {wall:.1f} | {processor:.1f} | {memory:,.0f} |")
    seconds = {name: [each.elapsed for each in measured] for name, measured in found.items()}
    record(f"ingest paper against {bare}", ratios(seconds[own], seconds[bare]), at_most=2.5)
    record(f"{same}, against {bare}", ratios(seconds[same], seconds[bare]))
    record(f"ingest paper against {same}", ratios(seconds[own], seconds[same]), at_most=1)
    record(f"ingest paper against {decoded}", ratios(seconds[own], seconds[decoded]))
    record("ingest paper: peak memory", [each.memory for each in found[own]], "MB", at_most=1500)
    record("the plain loop against ingest paper", median(seconds[plain]) / median(seconds[own]))


if __name__ == "__main__":
    main()
