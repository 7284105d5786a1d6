"""Run every benchmark of speed, one after the other, and write one report.

    python -m benchmarks.all --out report.md [--only main_job] [--photos FOLDER] [--inputs FOLDER] [--ids SPLITS] [--quick]

Each benchmark is a process of its own. Ours and the peer take turns inside it, so that a ratio is of one run. The report opens
with a table of all quantities: median, spread, number of rounds and limit. Below it stands what each benchmark printed.

--inputs is a folder for the stand-in of the paper's table, which is simulated there once (1.5 GB; --quick takes a small one).
--ids is the folder of the paper's split lists, which the stand-in follows; without it, its benchmarks are left out.
--photos is a folder of JPEG files; without it, the benchmarks of pixels are left out, and the report says so.
--docs is the folder of what docs/performance.md includes: docs/measured. There, a benchmark replaces its own earlier results and
leaves those of the others, so that a run with --only brings the page up to date.
The machine should have nothing else to do: the report names its load.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from benchmarks.measured import ROWS, Measured
from benchmarks.results import Results, replace_file, table_of

ROOT = Path(__file__).parent.parent
LIBRARIES = (
    "numpy scipy pandas pyarrow geopandas shapely scikit-learn torch polars libpysal pykrige gstools pillow simplejpeg"
)
LONGEST_SECONDS = 900


@dataclass(frozen=True)
class Benchmark:
    """A module of benchmarks and its arguments; {standin}, {dataset}, {photos} and {folder} stand for what the user has."""

    module: str
    arguments: str = ""
    quick: str = ""

    def command(self, inputs: dict[str, str], quick: bool) -> list[str]:
        """Return the command line."""
        arguments = self.quick or self.arguments if quick else self.arguments
        return [
            sys.executable,
            "-m",
            f"benchmarks.{self.module}",
            *(word.format(**inputs) for word in arguments.split()),
        ]

    def name(self) -> str:
        """Return the module and those arguments that name no input, such as "graph_network --threads 2"."""
        words = [word for word in self.arguments.split() if "{" not in word and word != "--ids"]
        return " ".join([self.module, *words])

    def needs(self, name: str) -> bool:
        """Return whether an argument stands for an input of this name."""
        return f"{{{name}}}" in self.arguments


BENCHMARKS = [
    Benchmark("main_job"),
    Benchmark("all_india", quick="--sites 5000"),
    Benchmark("all_regions", "--without-browser", "--regions goa,sikkim --without-browser"),
    Benchmark("page_weight", "--region bihar --sites 600"),
    Benchmark("ingest_paper", "{standin}", "{standin} 1"),
    Benchmark("ingest_images", quick="--rows 20000"),
    Benchmark("ingest_survey", quick="--rows 20000"),
    Benchmark("ingest_photos", quick="--photos 500"),
    Benchmark("growth", quick="--most 10000"),
    Benchmark("forest", quick="--clusters 100 --sites 1000"),
    Benchmark("evaluate_baselines", "--clusters 20000", "--clusters 2000"),
    Benchmark("kriging", quick="--points 300"),
    Benchmark("raster_covariates", "--sides 5000 40000 --places 500 --radii 5", "--sides 2000 --places 100 --radii 2"),
    Benchmark("graph_network", "{dataset}", "{dataset} --graphs 64"),
    Benchmark("graph_network", "{dataset} --threads 2", "{dataset} --graphs 64 --threads 2"),
    Benchmark("stacked_network", quick="--epochs 2"),
    Benchmark(
        "evaluate_all", "{folder} --ids {ids} --indicators pov", "{folder} --ids {ids} --clusters 100 --indicators pov"
    ),
    Benchmark("graph_batches", "edges"),
    Benchmark("graph_batches", "first {dataset}"),
    Benchmark("decoding", "{photos}"),
    Benchmark("embedding", "{photos}", "{photos} --images 64 --rounds 1"),
    Benchmark("imagewise_training", quick="--images 16 --batch-size 8 --epochs 2 --rounds 1"),
    Benchmark("gpu"),
]


def main() -> None:
    """Run what is asked for, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--docs", type=Path, help="folder of the results that docs/performance.md includes")
    parser.add_argument("--only", default="", help="names of modules, separated by commas")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--inputs", type=Path)
    parser.add_argument("--ids", type=Path)
    parser.add_argument("--quick", action="store_true", help="small inputs: whether all runs, not how fast")
    given = parser.parse_args()
    only = [name for name in given.only.split(",") if name]
    unknown = sorted(set(only) - {each.module for each in BENCHMARKS})
    if unknown:
        parser.error(f"--only: there is no benchmark {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as scratch:
        chosen = [each for each in BENCHMARKS if not only or each.module in only]
        inputs = {"folder": scratch} | ({"photos": str(given.photos)} if given.photos else {})
        inputs |= {"ids": str(given.ids.resolve())} if given.ids else {}
        if given.ids and any(each.needs("standin") or each.needs("dataset") for each in chosen):
            inputs |= standin(given.inputs or Path(scratch), given.ids, given.quick)
        report = Report(given.out, given.docs, given.quick)
        for each in chosen:
            if each.needs("photos") and not given.photos:
                report.leave_out(each.name(), "it needs photos; name a folder of JPEG files with --photos")
            elif not given.ids and any(each.needs(name) for name in ("standin", "dataset", "ids")):
                report.leave_out(each.name(), "it needs split lists; name their folder with --ids")
            else:
                report.run(each.name(), each.command(inputs, given.quick))
    if report.failed:
        raise SystemExit(f"failed: {', '.join(report.failed)}; {given.out} says how")


class Report:
    """The report, written anew after every benchmark, so that one that is interrupted keeps what it has."""

    def __init__(self, out: Path, docs: Path | None, quick: bool) -> None:
        self.out, self.docs = out, docs
        self.failed: list[str] = []
        self._machine = list(machine())
        self._opening = [f"Load of the machine at the start: {os.getloadavg()[0]:.1f}.", ""]
        self._opening += ["**Small inputs (--quick): these figures say nothing.**", ""] if quick else []
        self._rows: list[Measured] = []
        self._sections: list[str] = []

    def run(self, name: str, command: list[str]) -> None:
        """Run a benchmark; add its rows, and a section of what it printed."""
        print(f"== {' '.join(command[2:])}", flush=True)
        started, used = time.perf_counter(), sum(os.times()[2:4])
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as lines:
            printed, failure = _run(command, os.environ | {ROWS: lines.name})
            rows = [Measured(**json.loads(line)) for line in lines]
        took, worked = time.perf_counter() - started, sum(os.times()[2:4]) - used
        print(printed, flush=True)
        if failure:
            self.failed.append(name)
            printed += f"\n\nFAILED {failure}"
        elif self.docs is not None:
            order = [each.name() for each in BENCHMARKS]
            Results(self.docs, order).replace(name, self._machine, rows, printed)
        shown = " ".join(["python", *(word.replace(str(Path.home()), "~") for word in command[1:])])
        self._rows += rows
        self._sections += [
            f"## {name}",
            "",
            "```sh",
            shown,
            "```",
            "",
            *_as_markdown(printed),
            "",
            f"It took {took:.0f} s, of which {worked:.0f} s of processor time.",
            "",
        ]
        self._write()

    def leave_out(self, name: str, why: str) -> None:
        """Add a section that says why a benchmark was not run."""
        print(f"== {name}: left out, because {why}", flush=True)
        self._sections += [f"## {name}", "", f"Left out, because {why}.", ""]
        self._write()

    def _write(self) -> None:
        table = table_of(self._rows)
        replace_file(self.out, ["# Measured", "", *self._machine, "", *self._opening, *table, "", *self._sections])


def _run(command: list[str], environment: dict[str, str]) -> tuple[str, str]:
    """Run a command, and end it and its processes where it takes too long; return what it printed, and why it failed."""
    running = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, errors = running.communicate(timeout=LONGEST_SECONDS)
        failure = f"with exit code {running.returncode}:" if running.returncode else ""
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        printed, errors = running.communicate()
        failure = f"because it took more than {LONGEST_SECONDS} s:"
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    return printed.strip(), f"{failure}\n{errors[-2000:].strip()}" if failure else ""


def machine() -> Iterator[str]:
    """Yield the lines that tell on what the figures were measured."""
    processor = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield (
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {processor}, {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}."
    )
    yield f"Versions: {', '.join(_versions())}."


def standin(folder: Path, ids: Path, quick: bool) -> dict[str, str]:
    """Return the folder of the paper's table (simulated) and of its dataset; make them where they are not there yet."""
    made = folder / ("standin-small" if quick else "standin")
    cli = [sys.executable, str(ROOT / "cli.py")]
    if not (made / "data.csv").exists():
        size = "100" if quick else "7117"
        wanted = ["--paper-format", "--clusters", size, "--ids", str(ids.resolve())]
        subprocess.run([*cli, "sample", *wanted, "--out", str(made)], check=True)
    if not (made / "dataset").exists():
        table = [str(made / "data.csv"), "--splits", str(made)]
        subprocess.run([*cli, "ingest", "paper", *table, "--out", str(made / "dataset")], check=True)
    return {"standin": str(made), "dataset": str(made / "dataset")}


def _as_markdown(printed: str) -> list[str]:
    """Leave tables as they are; put all else into blocks of text."""
    lines: list[str] = []
    inside = False
    for line in printed.splitlines():
        if line.startswith("|") == inside:
            lines += ["```", ""] if inside else ["", "```text"]
            inside = not inside
        lines.append(line)
    return [*lines, *(["```"] if inside else [])]


def _versions() -> Iterator[str]:
    for name in LIBRARIES.split():
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    main()
