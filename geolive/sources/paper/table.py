"""All rows of the paper's data.csv, read block by block, and the lines that cannot be used."""

import csv
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from geolive.errors import InputError
from geolive.sources.paper.blocks import read_blocks
from geolive.sources.paper.lines import read_line_blocks
from geolive.sources.paper.rows import OPTIONAL, REQUIRED, Cluster, RowReader
from geolive.sources.survey.tables import require


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
        Name of each class index.
    rejects : list of (int, str)
        Line and reason of every other row.
    """

    rows: pd.DataFrame
    objects: np.ndarray
    clusters: list[Cluster]
    class_names: dict[int, str]
    rejects: list[tuple[int, str]]


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
        The file cannot be read, is empty or lacks a column, or two lines give a class different names.

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
    blocks = read_line_blocks(path)
    first, _, rest = next(blocks, b"").partition(b"\n")
    reader, parts, n_rows = RowReader(_header(path, first)), [], 0
    try:
        for rows in read_blocks(reader, itertools.chain([rest], blocks), 2):
            parts.append(rows)
            n_rows += len(rows.objects) + len(rows.rejects)
            if progress:
                progress(f"{n_rows:,} rows")
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(f"{path}:") else f"{path}, {error}") from None
    table = pa.concat_tables([rows.table for rows in parts])
    rows = table.to_pandas(types_mapper={pa.large_string(): pd.StringDtype(na_value=np.nan)}.get)
    return PaperTable(
        rows,
        np.concatenate([rows.objects for rows in parts]),
        reader.clusters,
        reader.class_names,
        [reject for rows in parts for reject in rows.rejects],
    )


def _header(path: str | Path, line: bytes) -> list[str]:
    if not line:
        raise InputError(f"{path}: is empty; check the file")
    try:
        text = line.decode("utf-8-sig").rstrip("\r")
        header = next(csv.reader((text,), strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        header = ["\0"]
    if any("\0" in name for name in header):
        raise InputError(
            f"{path}: is not a text file; give the paper's data.csv, as it is or compressed by gzip or zstd"
        )
    header = [name.strip() for name in header]
    require(path, header, list(REQUIRED))
    for name in OPTIONAL:
        if header.count(name) > 1:
            require(path, header, [name])
    return header
