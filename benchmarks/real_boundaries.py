"""Read every polygon file of a folder as districts, and report which are read, refused with a reason, or crash.

    python -m benchmarks.real_boundaries FOLDER [--all]

Files of the formats that geolive reads are looked for in the folder and all folders in it. Each is read and cleaned as a map's
districts are (`find_region`), in a process of its own, since a damaged file may end a process. The exit code is 0 where none
crashed. `--all` prints a line for the files that are read, too.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path

SECONDS = 300
READ, REFUSED, CRASHED = "read", "refused", "crashed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--all", action="store_true", help="print a line for the files that are read, too")
    options = parser.parse_args()
    # imported before the processes begin, so that none of them has to
    import geolive.regions  # noqa: F401
    from geolive.gdal_files import VECTOR_SUFFIXES

    suffixes = {*VECTOR_SUFFIXES, ".parquet", ".geoparquet"}
    files = sorted(path for path in options.folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    counts: Counter[str] = Counter()
    for path in files:
        start = time.perf_counter()
        ending, words = read_apart(path)
        counts[ending] += 1
        if options.all or ending != READ:
            print(f"{ending}\t{time.perf_counter() - start:.1f} s\t{path}\t{words}", flush=True)
    total = ", ".join(f"{counts[ending]:,} {ending}" for ending in (READ, REFUSED, CRASHED))
    print(f"{len(files):,} files: {total}")
    sys.exit(1 if counts[CRASHED] else 0)


def read_apart(path: Path) -> tuple[str, str]:
    """Read a file in another process; return how that ended, and its words."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_read, args=(path, theirs))
    process.start()
    theirs.close()
    ending = (CRASHED, f"took more than {SECONDS} s")
    if ours.poll(SECONDS):
        try:
            ending = ours.recv()
        except EOFError:
            ending = (CRASHED, "the process ended")
    process.kill()
    process.join()
    return ending


def _read(path: Path, answer: "multiprocessing.connection.Connection") -> None:
    from geolive.errors import InputError
    from geolive.regions import find_region

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        region = find_region(boundaries=path)
        notes = "".join(f"; note: {words}" for words in region.notes)
        answer.send((READ, f"{len(region.districts):,} districts, {region.source}{notes}"))
    except InputError as error:
        answer.send((REFUSED, " ".join(str(error).split())))
    except BaseException as error:
        answer.send((CRASHED, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))


if __name__ == "__main__":
    main()
