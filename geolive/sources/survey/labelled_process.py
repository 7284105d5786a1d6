"""The process that reads a Stata or SPSS file with pyreadstat, apart from geolive's: its C code ends on some damaged files.

`labelled_files.read_labelled` starts it with the arguments FORMAT, FILE, ENCODING, MEGABYTES and SECONDS. It writes the file's
variables as one line of JSON, reads the chosen names as one line of JSON, and writes their columns as a stream of Arrow.
"""

import json
import sys
from pathlib import Path
from typing import Any

_FIRST_IN_UTF8 = 118


def main() -> None:
    kind, path, encoding, megabytes, seconds = sys.argv[1:]
    _limit(int(megabytes), int(seconds))
    import pyarrow as pa

    with Path(path).open("rb") as file:
        try:
            about, _, used = _read(kind, file, encoding, metadataonly=True)
            _say({"variables": _variables(about), "encoding": used})
            chosen = json.loads(sys.stdin.buffer.readline())
            if not chosen:
                return
            _, columns, used = _read(kind, file, encoding, usecols=chosen, output_format="dict")
        except MemoryError:
            _say({"error": "it takes more memory than a file of its size may"})
            return
        except Exception as error:  # any error of pyreadstat about a user's file
            _say({"error": " ".join(str(error).split())[:200] or type(error).__name__})
            return
    _say({"encoding": used})
    arrays = [_array(pa, columns[name]) for name in chosen]
    table = pa.Table.from_arrays(arrays, names=[str(i) for i in range(len(chosen))])
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)
    sys.stdout.buffer.flush()


def _read(kind: str, file: Any, encoding: str, **options: Any) -> tuple[Any, Any, str]:
    """Return the file's description, its columns, and the encoding of its texts where the file does not state it."""
    import pyreadstat

    read = pyreadstat.read_dta if kind == "dta" else pyreadstat.read_sav
    attempts = [encoding]
    if kind == "dta" and not encoding and _version(file) < _FIRST_IN_UTF8:
        attempts = ["UTF-8", "CP1252"]
    for attempt in attempts:
        file.seek(0)
        try:
            columns, about = read(file, encoding=attempt or None, **options)
            return about, columns, attempt
        except Exception as error:
            # ReadStat's words for bytes that are no text in the encoding
            if attempt == attempts[-1] or "onvert" not in str(error):
                raise
    raise AssertionError("there is an attempt")


def _version(file: Any) -> int:
    """Return the version of a Stata file's format."""
    file.seek(0)
    beginning = file.read(64)
    at = beginning.find(b"<release>")
    digits = beginning[at + 9 : at + 12]
    if beginning.startswith(b"<stata_dta>"):
        return int(digits) if at > 0 and digits.isdigit() else _FIRST_IN_UTF8
    return beginning[0] if beginning else 0


def _variables(about: Any) -> list[list[Any]]:
    """Return for each variable its name, its label, whether its numbers have seven digits, and its value labels."""
    return [
        [
            name,
            about.column_names_to_labels.get(name) or "",
            about.readstat_variable_types.get(name) == "float",
            [[code, str(label)] for code, label in about.variable_value_labels.get(name, {}).items() if _is_code(code)],
        ]
        for name in about.column_names
    ]


def _is_code(code: object) -> bool:
    return isinstance(code, str) or (isinstance(code, int | float) and code == code and abs(code) != float("inf"))


def _array(pa: Any, values: Any) -> Any:
    """Return numbers as they are, and everything else as texts."""
    if all(value is None or isinstance(value, int | float) for value in values):
        return pa.array([None if value is None or value != value else float(value) for value in values], pa.float64())
    return pa.array([None if value is None or value != value else str(value) for value in values], pa.string())


def _say(words: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(words).encode("ascii") + b"\n")
    sys.stdout.buffer.flush()


def _limit(megabytes: int, seconds: int) -> None:
    """Limit this process's memory and time, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = ((resource.RLIMIT_AS, megabytes * 2**20), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0))
    for what, most in limits:
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):  # macOS does not limit the memory
            continue


if __name__ == "__main__":
    main()
