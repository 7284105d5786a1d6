"""Attack geolive for up to 20 minutes, and print one table of what was found.

    python benchmarks/attack.py [--minutes 20] [--seed 0] [--only kills,rows]

Kinds: kills at random moments, disks of every size, damaged rows, tampered bundles and datasets, odd command lines. Each is a
module of `benchmarks/attacks`. The exit code is 0 where every count of faults is 0. Equal seeds try equal things, but kills and
limits of time depend on the machine.
"""

import argparse
import importlib
import os
import random
import sys
import tempfile
import time
from pathlib import Path

# copies of a process that has threads could wait for each other
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.attacks.base import Attack

# each with its share of the time and its largest number of tries
KINDS = {
    "kills": (0.35, 150),
    "disks": (0.15, 150),
    "rows": (0.1, 200_000),
    "bundles": (0.2, 300),
    "command_lines": (0.2, 2000),
}
FAULTS = ("crashes", "mismatches", "leaks", "half-written", "hangs")


def attack(minutes: float, seed: int, kinds: list[str], most: int | None = None) -> list[Attack]:
    """Run kinds of attack one after the other; each has its share of the time."""
    done, shares = [], sum(KINDS[kind][0] for kind in kinds)
    for kind in kinds:
        share, tries = KINDS[kind]
        with tempfile.TemporaryDirectory(prefix="attack-") as folder:
            until = time.monotonic() + 60 * minutes * share / shares
            one = Attack(kind, Path(folder), random.Random(f"{seed}-{kind}"), until, min(tries, most or tries))
            importlib.import_module(f"benchmarks.attacks.{kind}").run(one)
        done.append(one)
        print(_line(one), flush=True)
    return done


def _line(one: Attack) -> str:
    return f"{one.name:<16}{one.counts['tries']:>9,}" + "".join(f"{one.counts[fault]:>14}" for fault in FAULTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(KINDS))
    given = parser.parse_args()
    print(f"{'kind':<16}{'tries':>9}" + "".join(f"{fault:>14}" for fault in FAULTS), flush=True)
    done = attack(min(given.minutes, 20), given.seed, given.only.split(","))
    for one in done:
        for line in one.faults[:20]:
            print(repr(line)[1:-1])
    sys.exit(any(one.counts[fault] for one in done for fault in FAULTS))


if __name__ == "__main__":
    main()
