"""Read randomly damaged copies of small files of all kinds, and count how the reading ends.

    python -m benchmarks.damaged_files [--tries 2000] [--seed 0]

Files of districts, surveys (CSV, geospatial, Stata, SPSS), photos, tables of images and DHS recodes are made, a copy of one is
damaged (bytes changed, removed, doubled or cut off), and the command line reads it in a process of its own. Its exit code must
be 0 or 2; every other ending is printed with the number and the seed of the try, and the exit code of this program is 1 then.
Counts are
printed every 200 tries.
"""

import argparse
import contextlib
import importlib
import os
import random
import resource
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

# copies of a process that has threads could wait for each other
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", ARROW_DEFAULT_MEMORY_POOL="system")
SECONDS = 60
MODULES = "modules.txt"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts: dict[str, Counter[int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        cases = make_cases(Path(folder))
        for kind, path, command in cases:
            code, said = try_damaged(None, Path(folder), path, command)
            assert code == 0, f"{kind} is not read whole: {said}"
        load_modules(Path(folder) / MODULES)
        for number in range(options.tries):
            rng = random.Random(f"{options.seed} {number}")
            kind, path, command = rng.choice(cases)
            code, said = try_damaged(rng, Path(folder), path, command)
            counts.setdefault(kind, Counter())[code] += 1
            if code not in (0, 2):
                print(f"try {number} of seed {options.seed}: {kind}: exit code {code}: {said}", flush=True)
            if number % 200 == 199:
                print(f"{number + 1:,} tries: {summary_of(counts)}", flush=True)
    for kind, codes in sorted(counts.items()):
        print(f"{kind}: " + ", ".join(f"{n:,} times {code}" for code, n in sorted(codes.items())))
    print(summary_of(counts))
    sys.exit(1 if any(code not in (0, 2) for codes in counts.values() for code in codes) else 0)


def summary_of(counts: dict[str, Counter[int]]) -> str:
    every = sum(counts.values(), Counter())
    wrong = sum(n for code, n in every.items() if code not in (0, 2))
    return f"{sum(every.values()):,} damaged files: {every[0]:,} read, {every[2]:,} refused, {wrong:,} ended otherwise"


def make_cases(folder: Path) -> list[tuple[str, Path, list[str]]]:
    """Make the files; return for each its kind, itself, and the command that reads it, in which OUT is to be replaced."""
    import geopandas as gpd
    import numpy as np
    import shapely

    from geolive.sources.photos.exif import read_facts  # noqa: F401  (loaded before the copies of this process are made)
    from geolive.sources.survey.dhs import read_dhs  # noqa: F401
    from geolive.sources.survey.reader import read_survey
    from tests.sources.photos.photofiles import with_xmp, write_photo
    from tests.sources.survey.data.make_dhs import make_dhs

    rng = np.random.default_rng(0)
    squares = [shapely.box(84 + i % 3, 25 + i // 3, 85 + i % 3, 26 + i // 3) for i in range(9)]
    districts = gpd.GeoDataFrame({"name": [f"Ouémé {i}" for i in range(9)]}, geometry=squares, crs=4326)
    places = gpd.GeoDataFrame(
        {"wealth": rng.normal(size=30), "town": [f"Thiès {i}" for i in range(30)]},
        geometry=gpd.points_from_xy(rng.uniform(84, 87, 30), rng.uniform(25, 28, 30), crs=4326),
    )
    made: list[tuple[str, Path, list[str]]] = []
    dataset = folder / "dataset"
    table = places.assign(lon=places.geometry.x, lat=places.geometry.y).drop(columns="geometry")
    table.to_csv(folder / "survey.csv", index=False)
    survey = ["ingest", "survey", "FILE", "--value", "pov=wealth", "--id", "town", "--out", "OUT"]
    csv = [*with_file(survey, folder / "survey.csv"), "--lon", "lon", "--lat", "lat", "--drop-invalid"]
    made.append(("survey.csv", folder / "survey.csv", csv))
    from geolive.dataset_folder import write_dataset

    write_dataset(read_survey(folder / "survey.csv", "lon", "lat", {"pov": "wealth"}), dataset)
    draw = ["predict", "--dataset", str(dataset), "--model", "mean", "--min-images", "0", "--out", "OUT.csv"]
    for suffix in (".geojson", ".gpkg", ".fgb", ".shp", ".parquet"):
        for name, frame in (("districts", districts), ("survey", places)):
            path = folder / f"{name}{suffix}"
            frame.to_parquet(path) if suffix == ".parquet" else frame.to_file(path)
            command = [*draw, "--boundaries", str(path)] if name == "districts" else with_file(survey, path)
            parts = [path.with_suffix(".dbf"), path.with_suffix(".shx")] if suffix == ".shp" else []
            made += [(part.name, part, command) for part in (path, *parts)]
    photos = folder / "photos"
    for i, suffix in enumerate((".jpg", ".png", ".webp", ".tif")):
        write_photo(photos / f"a{suffix}", 85.1 + i / 1000, 25.6, "2020:01:02 03:04:05")
        made.append((f"photo{suffix}", photos / f"a{suffix}", ["ingest", "photos", str(photos), "--out", "OUT"]))
    (photos / "x.jpg").write_bytes(with_xmp(".jpg", 'exif:GPSLatitude="25,36.0N" exif:GPSLongitude="85,6.0E"'))
    made.append(("photo with XMP", photos / "x.jpg", ["ingest", "photos", str(photos), "--out", "OUT"]))
    (folder / "dhs").mkdir()
    files = make_dhs(folder / "dhs")
    dhs = ["ingest", "dhs", str(files["gps"]), "--recode", str(files["households"]), "--recode", str(files["women"])]
    made += [(f"DHS {name}", files[name], [*dhs, "--out", "OUT"]) for name in ("gps", "households", "women")]
    return made + labelled_cases(folder) + image_table_cases(folder)


def labelled_cases(folder: Path) -> list[tuple[str, Path, list[str]]]:
    """Make surveys of households in files of SPSS and Stata, with labels and missing values, and positions of their clusters."""
    import numpy as np
    import pandas as pd
    import pyreadstat

    rng, n = np.random.default_rng(1), 40
    rows = pd.DataFrame({"HH1": np.repeat(np.arange(1.0, 11.0), 4), "HH6": 1.0 + (np.arange(n) // 4) % 2})
    rows = rows.assign(wscore=rng.normal(size=n).round(4), HH48=rng.integers(1, 9, n) * 1.0)
    ascii_rows = rows.assign(town=[f"town {i}" for i in range(n)])
    rows["town"] = [f"Thiès {i}" for i in range(n)]
    labels = {"HH6": {1: "Urban", 2: "Rural"}, "HH48": {99: "Missing"}}
    titles = {"HH1": "Cluster number", "wscore": "Combined wealth score"}
    positions = folder / "positions.csv"
    at = pd.DataFrame({"HH1": range(1, 11), "lon": rng.uniform(84, 87, 10), "lat": rng.uniform(25, 28, 10)})
    at.to_csv(positions, index=False)
    command = ["ingest", "survey", "FILE", "--positions", str(positions), "--on", "HH1", "--lon", "lon", "--lat", "lat"]
    command += [
        "--value",
        "pov=wscore",
        "--urban",
        "HH6",
        "--households",
        "HH1",
        "--household-size",
        "HH48",
        "--out",
        "OUT",
    ]
    how = {"variable_value_labels": labels, "column_labels": titles}
    for name, options in (("hh.sav", {}), ("packed.sav", {"row_compress": True}), ("hh.zsav", {"compress": True})):
        pyreadstat.write_sav(rows, folder / name, missing_ranges={"HH48": [98.0]}, **how, **options)
    for version in (8, 12, 13, 15):
        pyreadstat.write_dta(
            rows if version == 15 else ascii_rows, folder / f"stata{version}.dta", version=version, **how
        )
    names = ["hh.sav", "packed.sav", "hh.zsav", *(f"stata{version}.dta" for version in (8, 12, 13, 15))]
    made = [(name, folder / name, with_file(command, folder / name)) for name in names]
    return [*made, ("positions.csv", positions, with_file(command, folder / "hh.sav"))]


def image_table_cases(folder: Path) -> list[tuple[str, Path, list[str]]]:
    """Make tables of images with counts, lists of objects and features, as CSV, compressed, Parquet and points."""
    import gzip

    import geopandas as gpd
    import numpy as np
    import pandas as pd

    from geolive.sources.image_tables.reader import read_images  # noqa: F401  (loaded before the copies of this process)

    rng, n = np.random.default_rng(2), 30
    table = pd.DataFrame(
        {"key": [f"Thiès {i}" for i in range(n)], "lon": rng.uniform(84, 87, n), "lat": rng.uniform(25, 28, n)}
    )
    table["Car"], table["person"] = rng.integers(0, 9, (2, n))
    table["taken"] = pd.date_range("2020-01-01", periods=n).astype(str)
    table["objects"] = [str(["car"] * cars) for cars in table["Car"]]
    lists = table.assign(net=list(rng.normal(size=(n, 3))))
    table.to_csv(folder / "images.csv", index=False)
    (folder / "images.csv.gz").write_bytes(gzip.compress((folder / "images.csv").read_bytes()))
    lists.to_parquet(folder / "images.parquet")
    placed = gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table["lon"], table["lat"], crs=4326))
    placed.to_file(folder / "images.gpkg")
    command = ["ingest", "images", "FILE", "--captured-at", "taken", "--out", "OUT"]
    columns = ["--lon", "lon", "--lat", "lat"]
    ways = {
        "images.csv": [*columns, "--counts"],
        "images.csv.gz": [*columns, "--list-column", "objects"],
        "images.parquet": [*columns, "--counts", "--features", "net=net"],
        "images.gpkg": ["--list-column", "objects"],
    }
    return [(name, folder / name, with_file([*command, *way], folder / name)) for name, way in ways.items()]


def load_modules(listed: Path) -> None:
    """Import what the copies of this process imported, so that the next copies need not; no module is run otherwise."""
    for name in sorted(set(listed.read_text().split())):
        with contextlib.suppress(Exception):
            importlib.import_module(name)


def with_file(command: list[str], path: Path) -> list[str]:
    return [str(path) if word == "FILE" else word for word in command]


def try_damaged(rng: random.Random | None, folder: Path, path: Path, command: list[str]) -> tuple[int, str]:
    """Damage a file, or without `rng` leave it whole, read it, and put it right again; return the exit code and the last line."""
    whole = path.read_bytes()
    out = folder / "out"
    path.write_bytes(whole if rng is None else damaged(rng, whole))
    words = [str(out) + word.removeprefix("OUT") if word.startswith("OUT") else word for word in command]
    try:
        return run_apart(words, folder / "said.txt", folder / MODULES if rng is None else None)
    finally:
        path.write_bytes(whole)
        shutil.rmtree(out, ignore_errors=True)
        for left in folder.glob("out*"):
            left.unlink()


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Change, remove, double or cut off some bytes."""
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(max(len(content), 1))
        length = rng.choice((1, 1, 2, 4, 64))
        how = rng.choice(("change", "change", "change", "remove", "double", "zero", "cut"))
        if how == "change":
            content[at : at + length] = rng.randbytes(length)
        elif how == "remove":
            del content[at : at + length]
        elif how == "double":
            content[at:at] = content[at : at + length]
        elif how == "zero":
            content[at : at + length] = bytes(length)
        elif rng.random() < 0.2:
            del content[at:]
    return bytes(content)


def run_apart(words: list[str], said: Path, modules: Path | None) -> tuple[int, str]:
    """Run a command in a copy of this process; return its exit code, negative for a signal, and the last line that it printed.

    With `modules`, the names of the modules that it imported are added to that file.
    """
    copy = os.fork()
    if copy == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.argv = ["geolive", *words]
        from geolive.cli import main as command_line

        try:
            command_line()
        except SystemExit as ended:
            if modules is not None:
                with modules.open("a") as file:
                    file.write("\n".join([*sys.modules, ""]))
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended.code if isinstance(ended.code, int) else 1)
        except BaseException:
            os._exit(99)
        os._exit(0)
    _, status = os.waitpid(copy, 0)
    lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return os.waitstatus_to_exitcode(status), lines[-1][:300] if lines else ""


if __name__ == "__main__":
    main()
