"""All rows of the paper's data.csv, block by block: what is kept of each, and the lines that were left out."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.sources.paper_lines import read_line_blocks
from geolive.sources.paper_rows import REQUIRED, VOID_INDEX, BadRow, Cluster, Row, RowReader
from geolive.sources.survey_tables import require
from geolive.tables import N_CLASSES, VOID

_COLUMN_OF_CLASS = np.arange(256)
_COLUMN_OF_CLASS[VOID_INDEX] = VOID


@dataclass(frozen=True)
class PaperTable:
    """The rows of a table, each of which is valid by itself.

    Parameters
    ----------
    rows : DataFrame
        An image a row, in the file's order: `line` (its number in the file, the header being line 1), `key`, `lon`, `lat`
        (degrees), `cluster` (row of `clusters`), `img_path` (empty where the table has none).
    objects : array of uint16, shape (rows, 66)
        Object counts.
    clusters : list of Cluster
        Every different thing that rows say of their cluster; of one cluster there may be several.
    class_names : dict of int to str
        What the file calls each class index.
    rejects : list of (int, str)
        Line and reason of every other row.
    """

    rows: pd.DataFrame
    objects: np.ndarray
    clusters: list[Cluster]
    class_names: dict[int, str]
    rejects: list[tuple[int, str]]


def read_table(path: str | Path, tell: Callable[[str], None] = lambda words: None) -> PaperTable:
    """Read a data.csv, plain, gzip or zstd, or "-" for standard input.

    Memory holds positions, keys and object counts, not the file.

    Parameters
    ----------
    path : str or Path
    tell : callable, optional
        Takes words on how far it is.

    Returns
    -------
    PaperTable

    Raises
    ------
    InputError
        The file cannot be read, is empty, lacks a column, or contradicts itself on the name of a class.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "data.csv"
    >>> header = "key,unique_cluster,ilon,ilat,features,features_name,confidence,"
    >>> header += "pov,pov_label,pop,pop_label,bmi,bmi_label"
    >>> _ = path.write_text(header + '\\na,ia_50001,85.1,25.6,"[2]","[""Wall""]","[0.9]",-0.5,0,900,1,20,0\\nnonsense\\n')
    >>> table = read_table(path)
    >>> table.rows
       line key   lon   lat  cluster img_path
    0     2   a  85.1  25.6        0
    >>> table.rejects
    [(3, 'line: wrong number of fields')]
    """
    blocks = map(_lines, read_line_blocks(path))
    first = next(blocks, [])
    reader = RowReader(_header(path, first))
    tables, objects, rejects, number = [], [], [], 2
    for lines in itertools.chain([first[1:]], blocks):
        try:
            rows = _read_lines(reader, lines, number, rejects)
        except InputError as error:
            raise InputError(f"{path}, {error}") from None
        tables.append(_table(rows))
        objects.append(_histograms([row.classes for _, row in rows]))
        number += len(lines)
        tell(f"{number - 2:,} lines")
    return PaperTable(
        pd.concat(tables, ignore_index=True), np.concatenate(objects), reader.clusters, reader.class_names, rejects
    )


def _lines(block: bytes) -> list[str | None]:
    """Lines without their breaks; None where one is not UTF-8."""
    try:
        lines = block.decode().split("\n")
    except UnicodeDecodeError:
        lines = [_decoded(line) for line in block.split(b"\n")]
    return lines if lines[-1] != "" else lines[:-1]


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _header(path: str | Path, lines: list[str | None]) -> list[str]:
    if not lines:
        raise InputError(f"{path}: is empty; check the file")
    if lines[0] is None or "\0" in lines[0]:
        raise InputError(
            f"{path}: is not a text file; give the paper's data.csv, as it is or compressed by gzip or zstd"
        )
    # a header has no lists in it, so a comma is a separator
    header = [name.strip().strip('"') for name in lines[0].removeprefix("\ufeff").rstrip("\r").split(",")]
    require(path, header, list(REQUIRED))
    return header


def _read_lines(
    reader: RowReader, lines: list[str | None], number: int, rejects: list[tuple[int, str]]
) -> list[tuple[int, Row]]:
    """Numbers and rows of the lines that can be used, of which the first has that number; the others go to `rejects`."""
    rows = []
    for at, line in enumerate(lines, number):
        try:
            if line is None:
                raise BadRow("line: not UTF-8")
            if line.endswith("\r"):
                line = line[:-1]
            if line:
                rows.append((at, reader.read(line, at)))
        except BadRow as reason:
            rejects.append((at, str(reason)))
    return rows


def _table(rows: list[tuple[int, Row]]) -> pd.DataFrame:
    numbers, read = [number for number, _ in rows], [row for _, row in rows]
    columns = dict(zip(Row._fields, zip(*read, strict=True), strict=True)) if read else dict.fromkeys(Row._fields, ())
    return pd.DataFrame(
        {
            "line": np.array(numbers, np.int64),
            "key": pd.array(columns["key"], dtype="str"),
            "lon": np.array(columns["lon"], float),
            "lat": np.array(columns["lat"], float),
            "cluster": np.array(columns["cluster"], np.int32),
            "img_path": pd.array(columns["img_path"], dtype="str"),
        }
    )


def _histograms(classes: list[bytes]) -> np.ndarray:
    """Object counts, shape (images, 66), of class indexes; a line is too short for more than 65,535 of them."""
    row = np.repeat(np.arange(len(classes)), [len(found) for found in classes])
    column = _COLUMN_OF_CLASS[np.frombuffer(b"".join(classes), np.uint8)]
    counts = np.bincount(row * N_CLASSES + column, minlength=len(classes) * N_CLASSES)
    return counts.astype(np.uint16).reshape(-1, N_CLASSES)
