"""The paper's full size from its table to the map of India: time, peak memory and bytes on disk of each step.

    python -m benchmarks.full_size --ids SPLITS --out FOLDER [--clusters 300] [--epochs 2] [--states Goa,Bihar]

The table is a stand-in with as many clusters as the authors' (SIMULATED). Each step is a command as a user runs it, in a process
of its own. Steps that FOLDER already has are skipped, so a run that was stopped goes on; the table of all steps is printed at
the end, and kept in FOLDER/steps.md. At most 4 GB a step are wanted, and 45 minutes for all steps after the stand-in is made, on
two cores that have nothing else to do.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measured import record

CLI = str(Path(__file__).parent.parent / "cli.py")
WANTED_MB, WANTED_MINUTES = 4096, 45
# a model of areas with one covariate says nothing of fewer
FEWEST_AREAS = 10
# India and its states show as one page each; the other files beside a page are left out
STATES_STEP = "every state"


@dataclass(frozen=True)
class Step:
    """A step, its commands, and what they write."""

    name: str
    commands: list[list[str]]
    outputs: list[Path]


@dataclass(frozen=True)
class Spent:
    """What a step took: seconds, seconds of the processor, MB of its largest process, and bytes that it wrote."""

    seconds: float
    processor: float
    megabytes: float
    written: int


def steps(ids: str, folder: Path, clusters: int, epochs: int | None, states: list[str]) -> list[Step]:
    """Return the steps in order."""
    table, data, maps = folder / "table", folder / "dataset", folder / "maps"
    passes = [] if epochs is None else ["--epochs", str(epochs)]
    ensemble, network, india = folder / "ensemble", folder / "gcn", maps / "india.csv"
    draw = ["predict", "--dataset", str(data), "--model", str(ensemble)]
    pages = [[*draw, "--region", name, "--no-exports", "--out", str(maps / f"{name}.html")] for name in states]
    return [
        Step("stand-in", [["sample", "--paper-format", "--clusters", str(clusters), "--ids", ids, "--out", str(table)]], [table]),
        Step("ingest", [["ingest", "paper", str(table / "data.csv"), "--splits", str(table), "--out", str(data)]], [data]),
        Step("train clusterwise", [["train", "clusterwise", str(data), "--out", str(ensemble)]], [ensemble]),
        Step("train gcn", [["train", "gcn", str(data), "--arch", "gcn", *passes, "--out", str(network)]], [network]),
        Step(
            "evaluate, official split",
            [["evaluate", str(data), "--models", "mean,neighbours,forest,gcn-obj", "--indicators", "pov", "--split", "official",
              *passes, "--out", str(folder / "evaluated")]],
            [folder / "evaluated"],
        ),
        Step(STATES_STEP, pages, [maps / f"{name}.html" for name in states]),
        Step(
            "map of India",
            [[*draw, "--region", "india", "--out", str(maps / "india.html"), "--out", str(india)]],
            [*(maps / f"india{end}" for end in (".html", ".csv", ".geojson", "_surface.tif"))],
        ),
        Step(
            "estimate areas",
            [["estimate", "areas", str(folder / "areas.csv"), "--direct", "direct", "--variance", "variance", "--covariates",
              "predicted", "--area", "district_id", "--out", str(folder / "estimates.csv")]],
            [folder / "estimates.csv"],
        ),
    ]  # fmt: skip


def names_of_states() -> list[str]:
    """Return the names of India's states and territories."""
    from geolive.regions import read_districts

    return sorted(read_districts()["state"].unique())


def write_areas(districts: Path, out: Path) -> int:
    """Write the table that `estimate areas` takes, from the map of India; return how many districts have a direct estimate."""
    surveyed = 0
    with districts.open(encoding="utf-8", newline="") as source, out.open("w", encoding="utf-8", newline="") as target:
        rows = csv.writer(target)
        rows.writerow(["district_id", "direct", "variance", "predicted"])
        for row in csv.DictReader(source):
            error = row.get("pov_direct_error") or ""
            direct = row.get("pov_direct") or "" if error else ""
            if row.get("pov_predicted"):
                surveyed += bool(direct)
                rows.writerow([row["district_id"], direct, float(error) ** 2 if error else "", row["pov_predicted"]])
    return surveyed


def run(step: Step) -> Spent:
    """Run the commands of a step; a command of several whose output is there already is skipped."""
    seconds = processor = megabytes = 0.0
    for words, output in _commands(step):
        if output.exists():
            continue
        print(f"+ geolive {' '.join(words)}", flush=True)
        started = time.perf_counter()
        child = subprocess.Popen([sys.executable, CLI, *words])
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        # a region in which nothing was surveyed may have no map: the benchmark goes on, and the list says so
        if child.returncode and step.name != STATES_STEP:
            raise SystemExit(f"{step.name}: ended with code {child.returncode}")
        if child.returncode:
            print(f"  no map: code {child.returncode}", flush=True)
        seconds += time.perf_counter() - started
        processor += used.ru_utime + used.ru_stime
        megabytes = max(megabytes, used.ru_maxrss / 1024)
    return Spent(seconds, processor, megabytes, sum(_bytes(path) for path in step.outputs))


def _commands(step: Step) -> Iterator[tuple[list[str], Path]]:
    outputs = step.outputs if len(step.commands) == len(step.outputs) else [step.outputs[0]] * len(step.commands)
    yield from zip(step.commands, outputs, strict=True)


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.is_file() else 0


def report(spent: dict[str, Spent], clusters: int) -> str:
    """Return the table as Markdown."""
    lines = ["| step | time | processor time | peak memory | on disk |", "|---|---|---|---|---|"]
    for name, one in spent.items():
        lines.append(
            f"| {name} | {one.seconds:,.0f} s | {one.processor:,.0f} s | {one.megabytes:,.0f} MB | {one.written / 1e6:,.1f} MB |"
        )
    counted = [one for name, one in spent.items() if name != "stand-in"]
    total, processor = sum(one.seconds for one in counted), sum(one.processor for one in counted)
    written = sum(one.written for one in counted) / 1e6
    peak = max((one.megabytes for one in counted), default=0.0)
    lines.append(
        f"| all after the stand-in | {total:,.0f} s | {processor:,.0f} s | {peak:,.0f} MB | {written:,.1f} MB |"
    )
    about = f"{clusters:,} clusters, SIMULATED; {os.cpu_count()} cores, {platform.machine()}; peak memory of the largest process"
    return "\n".join([about, "", *lines, ""])


def main() -> None:
    """Run the steps that are not done, and print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ids", required=True, help="folder of split lists (train_clusters_ia.txt, …)")
    options.add_argument("--out", required=True, type=Path)
    options.add_argument("--clusters", type=int, default=7117)
    options.add_argument("--epochs", type=int, help="passes of the networks; by default their own")
    options.add_argument("--states", help="names joined by commas; by default all of India's states and territories")
    options.add_argument("--again", nargs="*", default=[], help="names of steps to measure anew")
    chosen = options.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    ledger = chosen.out / "steps.json"
    known = json.loads(ledger.read_text()) if ledger.exists() else {}
    spent = {name: Spent(**one) for name, one in known.items()}
    states = chosen.states.split(",") if chosen.states else names_of_states()
    for step in steps(chosen.ids, chosen.out, chosen.clusters, chosen.epochs, states):
        if step.name in chosen.again:
            for path in step.outputs:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        elif step.name in spent:
            continue
        if step.name == "estimate areas":
            surveyed = write_areas(chosen.out / "maps" / "india.csv", chosen.out / "areas.csv")
            if surveyed < FEWEST_AREAS:
                print(f"estimate areas: left out, since only {surveyed} districts have a direct estimate")
                continue
        spent[step.name] = run(step)
        ledger.write_text(json.dumps({name: asdict(one) for name, one in spent.items()}, indent=1))
        (chosen.out / "steps.md").write_text(report(spent, chosen.clusters))
    print(report(spent, chosen.clusters))
    counted = [one for name, one in spent.items() if name != "stand-in"]
    record("full size: all steps", sum(one.seconds for one in counted) / 60, "min", at_most=WANTED_MINUTES)
    record("full size: largest step", max(one.megabytes for one in counted), "MB", at_most=WANTED_MB)


if __name__ == "__main__":
    main()
