"""Attack geolive, and print one table of what was found.

    python -m benchmarks.attack [--minutes 20] [--seed 0] [--only kills,rows] [--results FILE]

Kinds: signals at random moments, kills before changes of files, disks of every size, damaged rows, tampered bundles and datasets,
odd command lines. Each is a module of `benchmarks/attacks`. The exit code is 0 where every count of faults is 0. Equal seeds try
equal things, but signals and limits of time depend on the machine.

The minutes are shared among the kinds. With `--results` a run adds its counts to a file, and the table shows the sum of all runs
in it; `--minutes 0` only shows the table.
"""

import argparse
import datetime
import importlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

# copies of a process that has threads could wait for each other
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", ARROW_DEFAULT_MEMORY_POOL="system")
from benchmarks.attacks.base import Attack

# each with its share of the time and its largest number of tries
KINDS = {
    "kills": (0.35, 300),
    "crash_points": (0.15, 300),
    "disks": (0.15, 300),
    "rows": (0.05, 200_000),
    "bundles": (0.15, 500),
    "command_lines": (0.15, 3000),
}
FAULTS = ("crashes", "mismatches", "leaks", "half-written", "hangs")


def attack(
    kind: str,
    minutes: float,
    seed: int,
    most: int | None = None,
    commands: list[str] | None = None,
    keep: Callable[[Attack], None] | None = None,
) -> Attack:
    """Run one kind of attack."""
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        tries = min(KINDS[kind][1], most or KINDS[kind][1])
        until = time.monotonic() + 60 * minutes
        one = Attack(kind, Path(folder), random.Random(f"{seed}-{kind}"), until, tries, commands or [], keep=keep)
        importlib.import_module(f"benchmarks.attacks.{kind}").run(one)
    return one


def as_result(one: Attack, seed: int, seconds: float) -> dict[str, Any]:
    """What a run of one kind of attack found, as JSON values."""
    made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    facts = {"kind": one.name, "seed": seed, "ended": made, "seconds": round(seconds)}
    return facts | {"counts": dict(one.counts), "parts": dict(one.parts), "faults": one.faults}


def table(results: list[dict[str, Any]]) -> str:
    """A row for each kind of attack, with the sums of all runs."""
    lines = [f"{'kind':<15}{'tries':>9}" + "".join(f"{fault:>14}" for fault in FAULTS) + "   of these"]
    for kind in KINDS:
        counts, parts = Counter[str](), Counter[str]()
        for one in results:
            if one["kind"] == kind:
                counts.update(one["counts"])
                parts.update(one["parts"])
        if counts:
            of_these = ", ".join(f"{n:,} {part}" for part, n in sorted(parts.items()))
            numbers = "".join(f"{counts[fault]:>14,}" for fault in FAULTS)
            lines.append(f"{kind:<15}{counts['tries']:>9,}{numbers}   {of_these}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20, help="for all kinds together")
    parser.add_argument("--tries", type=int, help="largest number of tries of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(KINDS), help=f"kinds of attack, of {', '.join(KINDS)}")
    parser.add_argument("--commands", default="", help="long commands, such as 'embed,train gcn'")
    parser.add_argument("--results", type=Path, help="JSON file that keeps the counts of several runs")
    given = parser.parse_args()
    results = json.loads(given.results.read_text()) if given.results and given.results.exists() else []
    commands = list(filter(None, given.commands.split(",")))
    kinds = given.only.split(",") if given.minutes else []
    for kind in kinds:
        start = time.monotonic()
        minutes = given.minutes * KINDS[kind][0] / sum(KINDS[each][0] for each in kinds)
        results.append({})

        def keep(one: Attack, start: float = start) -> None:
            results[-1] = as_result(one, given.seed, time.monotonic() - start)
            if given.results:
                given.results.write_text(json.dumps(results, indent=1))

        done = attack(kind, minutes, given.seed, given.tries, commands, keep)
        keep(done)
        for line in done.faults[:20]:
            print(repr(line)[1:-1], flush=True)
    print(table(results), flush=True)
    sys.exit(any(one["counts"].get(fault) for one in results for fault in FAULTS))


if __name__ == "__main__":
    main()
