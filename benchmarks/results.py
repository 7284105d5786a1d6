"""What the benchmarks measured, kept for the page on performance."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.measured import Measured

HEADER = ["what", "median", "lowest to highest", "rounds", "wanted", "kept"]


class Results:
    """The results that docs/performance.md includes.

    `results.json` has the quantities and the machine of each benchmark, `table.md` is made from it, and a benchmark that prints
    tables has them in a file of its own name. `order` has the names of all benchmarks; results of others are dropped.
    """

    def __init__(self, folder: Path, order: list[str]) -> None:
        self.folder, self.order = folder, order
        folder.mkdir(parents=True, exist_ok=True)

    def replace(self, name: str, machine: list[str], rows: list[Measured], printed: str) -> None:
        """Replace what is kept of one benchmark, and make the table anew."""
        kept = self.folder / "results.json"
        results = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
        results[name] = {"machine": machine, "rows": [asdict(row) for row in rows]}
        results = {each: results[each] for each in self.order if each in results}
        replace_file(kept, [json.dumps(results, ensure_ascii=False, indent=1), ""])
        replace_file(self.folder / "table.md", list(_as_page(results)))
        tables = _tables(printed)
        if tables:
            replace_file(self.folder / f"{re.sub('[^a-z0-9]+', '_', name)}.md", tables)


def _as_page(results: dict[str, dict]) -> Iterator[str]:
    """Yield a table of the quantities of each machine and day."""
    openings = list(dict.fromkeys(tuple(each["machine"]) for each in results.values()))
    for opening in openings:
        yield from (*opening, "")
        own = [each["rows"] for each in results.values() if tuple(each["machine"]) == opening]
        yield from (*table_of([Measured(**row) for rows in own for row in rows]), "")


def table_of(rows: list[Measured]) -> list[str]:
    """Return the lines of the table of these quantities."""
    cells = [HEADER, ["---"] * len(HEADER), *(row.cells() for row in rows)]
    return [f"| {' | '.join(each)} |" for each in cells]


def _tables(printed: str) -> list[str]:
    """Return the lines of the tables among what was printed, an empty line after each."""
    lines: list[str] = []
    for line in printed.splitlines():
        if line.startswith("|"):
            lines.append(line)
        elif lines and lines[-1]:
            lines.append("")
    return lines


def replace_file(path: Path, lines: list[str]) -> None:
    """Write lines to a file beside it, then give it the name."""
    part = path.with_name(path.name + ".part")
    part.write_text("\n".join(lines), encoding="utf-8")
    part.replace(path)
