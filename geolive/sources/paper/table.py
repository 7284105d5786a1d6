"""All rows of the paper's data.csv, read block by block, and the lines that cannot be used."""

import csv
import itertools
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from geolive.errors import InputError
from geolive.sources.paper.blocks import read_blocks
from geolive.sources.paper.lines import find_line_blocks
from geolive.sources.paper.rows import OPTIONAL, REQUIRED, Cluster, RowReader
from geolive.sources.survey.tables import require
from geolive.tables import VOID

# a table of more rows that cannot be used than that, and than others, is another table
MOST_REJECTS = 1_000_000
MISNAMED = "features_name: a class has another name than in most rows"


@dataclass(frozen=True)
class PaperTable:
    """The rows of a table; each row is valid by itself.

    Parameters
    ----------
    rows : DataFrame
        One image per row, in the order of the file: `line` (number in the file; the header is line 1), `key`, `lon`, `lat`
        (degrees), `cluster` (row of `clusters`), `img_path` (empty where the table has none).
    objects : array of uint16, shape (rows, 66)
        Object counts.
    clusters : list of Cluster
        All different statements of rows about their cluster; a cluster may have several.
    class_names : dict of int to str
        Name of each class index: the one that most rows give it.
    rejects : DataFrame
        `row` (line) and `reason` of every other row.
    """

    rows: pd.DataFrame
    objects: np.ndarray
    clusters: list[Cluster]
    class_names: dict[int, str]
    rejects: pd.DataFrame


def read_table(path: str | Path, progress: Callable[[str], None] | None = None) -> PaperTable:
    """Read a data.csv, plain, gzip or zstd, or "-" for standard input.

    Memory holds positions, keys and object counts, but not the file.

    Parameters
    ----------
    path : str or Path
    progress : callable, optional
        Called with words that say how many rows are read.

    Returns
    -------
    PaperTable

    Raises
    ------
    InputError
        The file cannot be read, is empty or lacks a column, or more than a million lines and more than half cannot be used.

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
       row                        reason
    0    3  line: wrong number of fields
    """
    blocks = find_line_blocks(path)
    first, _, rest = next(blocks, bytes)().partition(b"\n")
    reader, parts, rejects, n_rows = RowReader(_header(path, first)), [], _Rejects(), 0
    for rows in read_blocks(reader, itertools.chain([partial(bytes, rest)], blocks), 2):
        parts.append(rows)
        n_rows += len(rows.objects)
        rejects.add(rows.rejects)
        if len(rejects.lines) > max(MOST_REJECTS, n_rows):
            raise InputError(
                f"{path}: {len(rejects.lines):,} of the first {n_rows + len(rejects.lines):,} rows cannot be used, the first in "
                f"line {rejects.lines[0]} ({rejects.reasons[rejects.codes[0]]}); check that it is the paper's data.csv"
            )
        if progress:
            progress(f"{n_rows + len(rejects.lines):,} rows")
    # one chunk: pandas takes three times as long to find repeated keys in many
    table = pa.concat_tables([rows.table for rows in parts]).combine_chunks()
    rows = table.to_pandas(types_mapper={pa.large_string(): pd.StringDtype(na_value=np.nan)}.get)
    objects = np.concatenate([rows.objects for rows in parts])
    names, misnamed = _decide_names(reader, rows["line"].to_numpy(), objects)
    if misnamed.any():
        rejects.add([(int(line), MISNAMED) for line in rows["line"][misnamed]])
        rows, objects = rows[~misnamed].reset_index(drop=True), objects[~misnamed]
    return PaperTable(rows, objects, reader.clusters, names, rejects.table())


def _decide_names(reader: RowReader, lines: np.ndarray, objects: np.ndarray) -> tuple[dict[int, str], np.ndarray]:
    """The name that most rows give each class, among equals the first; and which rows give a class another one."""
    names, misnamed = dict(reader.class_names), np.zeros(len(lines), bool)
    for index in {index for index, _ in reader.other_names}:
        others = {name: np.isin(lines, said) for (i, name), said in reader.other_names.items() if i == index}
        first = (objects[:, min(index, VOID)] > 0) & ~np.logical_or.reduce([*others.values()])
        rows_of = {reader.class_names[index]: first} | others
        names[index] = max(rows_of, key=lambda name: rows_of[name].sum())
        for name, said in rows_of.items():
            if name != names[index]:
                misnamed |= said
    return names, misnamed


class _Rejects:
    """Lines that cannot be used, in a few bytes each, since a file may hold millions."""

    def __init__(self) -> None:
        self.lines, self.codes = array("q"), array("H")
        self.reasons: list[str] = []
        self._code_of: dict[str, int] = {}

    def add(self, rejects: list[tuple[int, str]]) -> None:
        for line, reason in rejects:
            code = self._code_of.setdefault(reason, len(self.reasons))
            if code == len(self.reasons):
                self.reasons.append(reason)
            self.lines.append(line)
            self.codes.append(code)

    def table(self) -> pd.DataFrame:
        lines, codes = np.array(self.lines, np.int64), np.array(self.codes, np.int64)
        order = np.argsort(lines, kind="stable")
        reasons = pd.array(self.reasons, dtype="str").take(codes[order]) if self.reasons else pd.array([], dtype="str")
        return pd.DataFrame({"row": lines[order], "reason": reasons})


def _header(path: str | Path, line: bytes) -> list[str]:
    if not line:
        raise InputError(f"{path}: is empty; check the file")
    try:
        text = line.decode("utf-8-sig").rstrip("\r")
        header = next(csv.reader((text,), strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        header = ["\0"]
    if any("\0" in name for name in header):
        raise InputError(f"{path}: is not a text file; give the paper's data.csv, plain or compressed by gzip or zstd")
    header = [name.strip() for name in header]
    require(path, header, list(REQUIRED))
    for name in OPTIONAL:
        if header.count(name) > 1:
            require(path, header, [name])
    return header
