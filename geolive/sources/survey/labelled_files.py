"""Read files of Stata (.dta) and SPSS (.sav, .zsav): numbers and texts, with the labels of variables and of values.

A process of its own reads the file (`labelled_process`), with limits on its memory and time, and may end without harm.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from geolive.errors import InputError
from geolive.extras import require_extra
from geolive.text_encodings import Encoding, check_encoding
from geolive.user_files import opening

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SUFFIXES = (".dta", ".sav", ".zsav")
_BEGINNINGS = {".dta": (b"<stata_dta>", *(bytes([n]) for n in range(104, 116))), ".sav": (b"$FL2", b"$FL3")}
_PROGRAM = Path(__file__).with_name("labelled_process.py")
# what the process may take, beside what it takes for a small file, for each megabyte of the file
_MEGABYTES, _TIMES_THE_FILE = 4_000, 20
_SECONDS, _MEGABYTES_A_SECOND = 120, 1
_LONGEST_LINE = 1 << 28
_LARGEST_WHOLE = 2**53

# takes the names of a file's columns, and returns those wanted
Chooser = Callable[[list[str]], list[str]]


class Header(list[str]):
    """The names of a file's columns, with their labels, for messages.

    Parameters
    ----------
    names : list of str
    titles : mapping of str to str

    Examples
    --------
    >>> header = Header(["HH1"], {"HH1": "Cluster number"})
    >>> header, header.titles
    (['HH1'], {'HH1': 'Cluster number'})
    """

    def __init__(self, names: list[str], titles: Mapping[str, str]) -> None:
        super().__init__(names)
        self.titles = titles


@dataclass(frozen=True)
class LabelledTable:
    """The chosen columns of a Stata or SPSS file.

    Parameters
    ----------
    columns : DataFrame
        Floats or texts; NaN and None where a cell is missing, also by a missing value that the file declares.
    titles : dict of str to str
        The variables' labels.
    labels : dict of str to dict of (float or str) to str
        The value labels of each column.
    short : frozenset of str
        Columns whose numbers have seven digits.
    encoding : Encoding or None
        Encoding of the texts, where the file does not state it.
    """

    columns: "pd.DataFrame"
    titles: dict[str, str]
    labels: dict[str, dict[float | str, str]]
    short: frozenset[str]
    encoding: Encoding | None = None

    def texts(self, name: str) -> list[str]:
        """Return a column as texts: whole numbers without a point, and "" where a cell is missing."""
        digits = name in self.short
        return ["" if _is_missing(cell) else code_text(cell, digits) for cell in self.columns[name].tolist()]


def is_labelled(path: str | Path) -> bool:
    """Return whether a file of this name is one of Stata or SPSS.

    Examples
    --------
    >>> is_labelled("hh.sav"), is_labelled("hh.csv")
    (True, False)
    """
    return Path(path).suffix.lower() in SUFFIXES


def code_text(code: float | str, seven_digits: bool = False) -> str:
    """Return a cell or a code as text: a whole number without a point.

    Examples
    --------
    >>> code_text(3.0), code_text(0.25), code_text("  a "), code_text(0.10000000149011612, seven_digits=True)
    ('3', '0.25', 'a', '0.1')
    """
    if isinstance(code, str):
        return code.strip()
    if code == np.floor(code) and abs(code) < _LARGEST_WHOLE:
        return str(int(code))
    return str(np.float32(code)) if seven_digits else repr(float(code))


def read_labelled(path: str | Path, choose: Chooser, encoding: str | None = None) -> LabelledTable:
    """Read the chosen columns of a Stata or SPSS file.

    Values that an SPSS file declares to be missing, and Stata's missing values, are missing.

    Parameters
    ----------
    path : str or Path
        A .dta file of any version from 104 on, a .sav or a .zsav file.
    choose : callable
        Takes the names of the variables (a `Header`) and returns those wanted, or raises InputError.
    encoding : str, optional
        Encoding of the texts; by default as the file states, and for .dta files before version 14, which state none, UTF-8, or
        CP1252 where they cannot be read so.

    Raises
    ------
    InputError
        The file cannot be read, or pyreadstat is not installed.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> path = Path(tempfile.mkdtemp()) / "hh.dta"
    >>> rows = pd.DataFrame({"hv001": [1, 2], "hv025": [1, 2]})
    >>> rows.to_stata(path, write_index=False, value_labels={"hv025": {1: "urban", 2: "rural"}})
    >>> table = read_labelled(path, lambda names: names)
    >>> table.texts("hv001"), table.labels
    (['1', '2'], {'hv025': {1.0: 'urban', 2.0: 'rural'}})
    """
    path = Path(path)
    _check_beginning(path)
    require_extra("surveys")
    if encoding is not None:
        check_encoding(encoding)
    process = _start(path, encoding)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        about = _line(path, process, encoding)
        variables = _checked(about["variables"])
        titles = {name: title for name, title, _, _ in variables if title}
        chosen = list(dict.fromkeys(choose(Header([name for name, _, _, _ in variables], titles))))
        process.stdin.write(json.dumps(chosen).encode("ascii") + b"\n")
        process.stdin.flush()
        used = _line(path, process, encoding)["encoding"] if chosen else ""
        columns = _columns(path, process.stdout, chosen)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error
    finally:
        process.kill()
        process.communicate()
    labels = {name: {_code(code): label for code, label in codes} for name, _, _, codes in variables if codes}
    short = frozenset(name for name, _, seven_digits, _ in variables if seven_digits)
    guessed = Encoding(used, guessed=True) if used == "CP1252" and encoding is None else None
    return LabelledTable(columns, titles, labels, short, guessed)


def _check_beginning(path: Path) -> None:
    kind = ".dta" if path.suffix.lower() == ".dta" else ".sav"
    with opening(path), path.open("rb") as file:
        beginning = file.read(16)
    if not beginning.startswith(_BEGINNINGS[kind]):
        program = "Stata" if kind == ".dta" else "SPSS"
        raise InputError(
            f"{path}: does not begin as a file of {program} does; check what it is and name it accordingly"
        )


def _start(path: Path, encoding: str | None) -> "subprocess.Popen[bytes]":
    size = path.stat().st_size >> 20
    megabytes, seconds = _MEGABYTES + _TIMES_THE_FILE * size, _SECONDS + size // _MEGABYTES_A_SECOND
    kind = "dta" if path.suffix.lower() == ".dta" else "sav"
    # one thread: each takes address space, of which there is a limit
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
    # -P: the modules beside the program are no packages that it may import
    words = [sys.executable, "-P", str(_PROGRAM), kind, str(path), encoding or "", str(megabytes), str(seconds)]
    return subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )


def _line(path: Path, process: "subprocess.Popen[bytes]", encoding: str | None) -> dict[str, Any]:
    """Read one line of JSON from the process; raise InputError where it ended or found the file to be wrong."""
    assert process.stdout is not None
    line = process.stdout.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise _unreadable(path, "the reader of such files ended on it")
    words = json.loads(line)
    if "error" in words:
        if "onvert" in words["error"]:
            named = encoding or "the encoding that the file states"
            raise InputError(
                f"{path}: its texts are not encoded in {named}; give another encoding, for example encoding='CP1252'",
                "encoding",
            )
        raise _unreadable(path, words["error"])
    return words


def _checked(variables: Any) -> list[tuple[str, str, bool, list[tuple[float | str, str]]]]:
    """Return the variables, or raise ValueError where a damaged file makes one nameless."""
    checked = []
    for name, title, seven_digits, codes in variables:
        if not (isinstance(name, str) and name and isinstance(title, str)):
            raise ValueError("a variable has no name")
        checked.append((name, title, bool(seven_digits), [(code, str(label)) for code, label in codes]))
    return checked


def _columns(path: Path, stream: IO[bytes], chosen: list[str]) -> "pd.DataFrame":
    import pandas as pd
    import pyarrow as pa

    if not chosen:
        return pd.DataFrame()
    try:
        with pa.ipc.open_stream(stream) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "the reader of such files ended on it") from error
    if table.num_columns != len(chosen):
        raise _unreadable(path, "columns are missing")
    return pd.DataFrame({name: _values(table.column(i)) for i, name in enumerate(chosen)})


def _values(column: "pa.ChunkedArray") -> Any:
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        return column.to_numpy()
    return np.array(column.to_pylist(), dtype=object)


def _code(code: float | str) -> float | str:
    return code if isinstance(code, str) else float(code)


def _is_missing(cell: object) -> bool:
    return cell is None or cell != cell


def _unreadable(path: Path, reason: str) -> InputError:
    program = "Stata" if path.suffix.lower() == ".dta" else "SPSS"
    return InputError(f"{path}: cannot be read as a file of {program} ({reason[:100]}); get the file again")
