"""Read CSV and Parquet files that users give, with limits on what a small or damaged file may take of the memory."""

import csv
import itertools
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from geolive.errors import InputError

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

# no table has longer lines; a proximity matrix of 50,000 areas has lines of this length
LONGEST_LINE = 1 << 20
# tables are compressed to a tenth or so; a small file that becomes a hundred times as large is none
MOST_EXPANSION, ANY_EXPANSION = 100, 1 << 30
_NUMBER_BYTES, _TEXT_BYTES = 8, 16
# what spreadsheet programs write between cells; with a decimal comma it is the semicolon
_DELIMITERS = (",", ";", "\t")
# numbers as 0,5 or 1.234,5, and as 1.234 where the comma is the decimal sign
WITH_DECIMAL_COMMA = r"^[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+),[0-9]+(?:[eE][+-]?[0-9]+)?$"
WITH_GROUPS = r"^[+-]?[0-9]{1,3}(?:\.[0-9]{3})+$"
WITH_DECIMAL_POINT = r"^[+-]?[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?$"
_LINES_LOOKED_AT = 1000


def delimiter_of(header: str) -> str:
    """Return what separates the cells of a CSV file, by its line of column names: a comma, a semicolon or a tab.

    Examples
    --------
    >>> delimiter_of("name,lon,lat"), delimiter_of("name;lon;lat"), delimiter_of('"a;b;c;d",e')
    (',', ';', ',')
    """
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=bare.count)


def has_decimal_comma(delimiter: str, cells: Iterable[str]) -> bool:
    """Return whether a CSV file writes 0,5 for a half, as spreadsheet programs do in many countries.

    Parameters
    ----------
    delimiter : str
        As `delimiter_of` returns it. A file with commas between its cells has no decimal commas.
    cells : iterable of str
        One number such as 0.5, which cannot be a group of thousands, shows that the file has decimal points.

    Examples
    --------
    >>> has_decimal_comma(";", ["Cotonou", "2,43"]), has_decimal_comma(";", ["Cotonou", "2.43"])
    (True, False)
    >>> has_decimal_comma(";", ["2,43", "85.1"])
    False
    """
    found = False
    for cell in cells if delimiter != "," else ():
        if re.match(WITH_DECIMAL_POINT, cell) and not re.match(WITH_GROUPS, cell):
            return False
        found = found or re.match(WITH_DECIMAL_COMMA, cell) is not None
    return found


def with_decimal_point(cell: str) -> str:
    """Return a cell of a file with decimal commas, its number written with a decimal point; other texts do not change.

    Examples
    --------
    >>> [with_decimal_point(cell) for cell in ["0,5", "1.234,5", "1.234", "Porto-Novo, 1"]]
    ['0.5', '1234.5', '1234', 'Porto-Novo, 1']
    """
    if re.match(WITH_DECIMAL_COMMA, cell) or re.match(WITH_GROUPS, cell):
        return cell.replace(".", "").replace(",", ".")
    return cell


def read_csv(path: str | Path, **options: Any) -> "pd.DataFrame":
    """Read a plain CSV file with pandas; cells may be separated by commas, or by semicolons or tabs with decimal commas.

    Parameters
    ----------
    path : str or Path
    **options
        As for `pandas.read_csv`. With `header=None` commas separate the cells.

    Raises
    ------
    InputError
        There is no such file, or a line is longer than any table's.
    OSError, ValueError
        The file cannot be read as a table.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "areas.csv"
    >>> _ = path.write_text("area,pov\\n01,0.5\\n")
    >>> read_csv(path, dtype={"area": str}).to_dict("list")
    {'area': ['01'], 'pov': [0.5]}
    """
    import pandas as pd

    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file")
    with Path(path).open(encoding="utf-8", newline="") as file:
        lines = bounded_lines(path, file)
        first = list(itertools.islice(lines, _LINES_LOOKED_AT))
        for _ in lines:
            pass
    if "header" not in options:
        options = _separators(first) | options
    # a name that ends with .gz or .zip would otherwise be expanded without a limit
    return pd.read_csv(path, compression=None, **options)


def _separators(lines: list[str]) -> dict[str, str]:
    """Return the options of pandas for the delimiter and the decimal sign of a CSV file, by its first lines."""
    delimiter = delimiter_of(next((line for line in lines if line.strip()), ""))
    if delimiter == ",":
        return {}
    cells = itertools.chain.from_iterable(csv.reader(lines[1:], delimiter=delimiter))
    if has_decimal_comma(delimiter, (cell.strip() for cell in cells)):
        return {"sep": delimiter, "decimal": ",", "thousands": "."}
    return {"sep": delimiter}


def bounded_lines(path: str | Path, file: TextIO) -> Iterator[str]:
    """Read the lines of a text; one that is longer than any table's is refused before it takes memory.

    Parameters
    ----------
    path : str or Path
        Names the file in the error.
    file : text file

    Raises
    ------
    InputError

    Examples
    --------
    >>> import io
    >>> list(bounded_lines("a.csv", io.StringIO("a,b\\n1,2")))
    ['a,b\\n', '1,2']
    """
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise InputError(
                f"{path}: line {number} has more than {LONGEST_LINE:,} characters; save the table with a line for each row"
            )
        yield line


def read_parquet(path: str | Path, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Read a Parquet file with pandas.

    Parameters
    ----------
    path : str or Path
    columns : sequence of str, optional
        The columns to read; without it all.

    Raises
    ------
    InputError
        The file is small and its table would be very large.
    OSError, ValueError
        The file cannot be read as a table.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> path = Path(tempfile.mkdtemp()) / "areas.parquet"
    >>> pd.DataFrame({"area": ["01"], "pov": [0.5]}).to_parquet(path)
    >>> read_parquet(path, ["pov"]).to_dict("list")
    {'pov': [0.5]}
    """
    import pandas as pd

    check_expansion(path)
    return pd.read_parquet(path, columns=None if columns is None else list(columns))


def read_geoparquet(path: str | Path, columns: Sequence[str] | None = None) -> "gpd.GeoDataFrame":
    """Read a GeoParquet file with geopandas.

    Parameters
    ----------
    path : str or Path
    columns : sequence of str, optional
        The columns to read, in the order of the file; those that it does not have are left out. Without it all.

    Raises
    ------
    InputError
        The file is small and its table would be very large.
    OSError, ValueError
        The file cannot be read as a table with positions.

    Examples
    --------
    >>> import tempfile
    >>> import geopandas as gpd, shapely
    >>> path = Path(tempfile.mkdtemp()) / "places.parquet"
    >>> gpd.GeoDataFrame(geometry=[shapely.Point(85.1, 25.6)], crs=4326).to_parquet(path)
    >>> read_geoparquet(path).geometry.iloc[0].wkt
    'POINT (85.1 25.6)'
    """
    import geopandas as gpd
    import pyarrow.parquet as pq

    check_expansion(path)
    if columns is not None:
        columns = [name for name in pq.read_schema(path).names if name in columns]
    # what is wrong with a geometry, the caller says
    with warnings.catch_warnings(action="ignore"):
        return gpd.read_parquet(path, columns=columns)


def check_expansion(path: str | Path) -> None:
    """Check that a Parquet file does not become more than a hundred times as large as it is, by what it says of its sizes.

    A column of texts that are often the same holds each text once, and numbers in place of the rows; so its longest text counts
    for each row.

    Raises
    ------
    InputError
        It does, and its table would take more than a gigabyte.
    OSError, ValueError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> path = Path(tempfile.mkdtemp()) / "areas.parquet"
    >>> pd.DataFrame({"area": ["01"]}).to_parquet(path)
    >>> check_expansion(path)
    """
    import pyarrow.parquet as pq

    most = max(ANY_EXPANSION, MOST_EXPANSION * Path(path).stat().st_size)
    with pq.ParquetFile(path) as file:
        facts, total = file.metadata, 0
        for group in range(facts.num_row_groups):
            for number in range(facts.num_columns):
                column = facts.row_group(group).column(number)
                total += max(0, column.total_uncompressed_size)
                total += max(0, column.num_values) * _NUMBER_BYTES
        if total <= most:
            total += _bytes_of_repeated_texts(path, facts, most)
    if total > most:
        raise InputError(
            f"{path}: its table would take {total / 1e9:,.1f} GB of memory, more than {MOST_EXPANSION} times its size on the "
            "disk; get the file again"
        )


def _bytes_of_repeated_texts(path: str | Path, facts: Any, most: int) -> int:
    """At most how many bytes the texts take that are written once and used by many rows; counts on only up to `most`."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    total = 0
    for number in range(facts.num_columns):
        chunks = [facts.row_group(group).column(number) for group in range(facts.num_row_groups)]
        if all(
            chunk.physical_type not in ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY") or not chunk.has_dictionary_page
            for chunk in chunks
        ):
            continue
        name = chunks[0].path_in_schema
        with pq.ParquetFile(path, read_dictionary=[name]) as file:
            for group, chunk in enumerate(chunks):
                first = next(file.iter_batches(batch_size=1, row_groups=[group], columns=[name]), None)
                if first is None or not first.num_columns:
                    continue
                if hasattr(first.column(0), "dictionary"):
                    longest = pc.max(pc.binary_length(first.column(0).dictionary)).as_py() or 0
                else:  # texts in lists
                    longest = chunk.total_uncompressed_size
                total += max(0, chunk.num_values) * (longest if longest > _TEXT_BYTES else 0)
        if total > most:
            break
    return total
