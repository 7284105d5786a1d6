"""Read chosen columns of a large table in blocks of rows: CSV (plain, gzip or zstd), Parquet, or a file of points."""

import codecs
import contextlib
import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from geolive.errors import InputError
from geolive.sources.paper.lines import LONGEST_LINE, read_line_blocks
from geolive.sources.survey.tables import is_geospatial, read_table, require
from geolive.table_files import WITH_DECIMAL_COMMA, WITH_GROUPS, check_expansion, delimiter_of, has_decimal_comma
from geolive.text_encodings import encoding_of_text, not_text

ROWS_AT_ONCE = 1 << 16
_BLOCK_BYTES = 4 << 20
_ROWS_LOOKED_AT = 1000
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows of a table.

    Parameters
    ----------
    numbers : array of int, shape (rows,)
        Number of each row in the file, from 1; the line of column names and empty lines do not count.
    columns : dict of str to arrow Array
        The chosen columns. Those of a CSV file are texts.
    broken : list of (int, str)
        Number and reason of rows of the file, before the end of this block, that are no rows of the table.
    """

    numbers: np.ndarray
    columns: dict[str, pa.Array]
    broken: list[tuple[int, str]]

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, eq=False)
class ImageTable:
    """A table with one image in each row, which is read in blocks.

    Parameters
    ----------
    path : Path
    header : list of str
        Names of the columns.
    encoding : str, optional
        Encoding of the texts.
    guessed : bool
        Whether the encoding is a guess.
    layer : str, optional
        Layer of a file of points with several.
    delimiter : str
        What separates the cells of a CSV file: a comma, a semicolon or a tab.
    decimal_comma : bool
        Whether a CSV file writes 0,5 for a half.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "images.csv"
    >>> _ = path.write_text("key,Car\\na,3\\nb,0\\n")
    >>> table = open_image_table(path)
    >>> [block.columns["Car"].to_pylist() for block in table.blocks(["Car"])]
    [['3', '0']]
    """

    path: Path
    header: list[str]
    encoding: str | None = None
    guessed: bool = False
    layer: str | None = None
    delimiter: str = ","
    decimal_comma: bool = False

    def blocks(self, names: Sequence[str]) -> Iterator[Block]:
        """Read the named columns, in blocks of rows.

        Raises
        ------
        InputError
            A column is missing or occurs twice, or the file cannot be read.
        """
        chosen = require(self.path, self.header, [*dict.fromkeys(names)])
        if _is_parquet(self.path):
            return _parquet_blocks(self.path, chosen)
        if is_geospatial(self.path):
            return _vector_blocks(self, chosen)
        return _csv_blocks(self, chosen)


def open_image_table(path: str | Path, encoding: str | None = None, layer: str | None = None) -> ImageTable:
    """Read the names of a table's columns.

    Parameters
    ----------
    path : str or Path
        CSV (plain, gzip or zstd), Parquet, or a file of points that GDAL reads.
    encoding : str, optional
        Encoding of the texts; by default UTF-8, UTF-16 where a CSV file begins so, and CP1252 where it cannot be read so.
    layer : str, optional
        Layer of a file of points with several.

    Raises
    ------
    InputError
        The file cannot be read, or is empty.

    Examples
    --------
    >>> open_image_table("no/such.csv")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such.csv: no such file; check the name
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file in it")
    if not path.exists():
        raise InputError(f"{path}: no such file; check the name")
    if _is_parquet(path):
        with _arrow_errors_named(path):
            import pyarrow.parquet as pq

            check_expansion(path)
            return ImageTable(path, list(pq.read_schema(path).names))
    if is_geospatial(path):
        header: list[str] = []

        def first_column(names: list[str]) -> list[str]:
            header.extend(names)
            return require(path, names, names[:1] or ["key"])

        read_table(path, first_column, with_positions=False, encoding=encoding, layer=layer)
        return ImageTable(path, header, encoding, layer=layer)
    try:
        with path.open("rb") as file:
            compressed = file.read(4).startswith(_COMPRESSED)
        found = encoding_of_text(path, "UTF-8" if compressed and encoding is None else encoding)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file and its permissions") from None
    table = ImageTable(path, [], found.name, found.guessed)
    with _Utf8Lines(table) as stream:
        line = _first_line(stream)
        delimiter = delimiter_of(line)
        try:
            first = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:  # such as a line break of old Macintoshes
            raise InputError(
                f"{path}: its line of column names is not CSV; save the table as 'CSV UTF-8 (comma-delimited)'"
            ) from None
        decimal_comma = has_decimal_comma(delimiter, _cells_at_the_beginning(stream, delimiter))
    header = [name.strip() for name in first]
    if not any(header):
        raise InputError(f"{path}: is empty; it needs a line of column names and a row for each image")
    if any("\0" in name for name in header):
        raise not_text(path, found.name)
    return ImageTable(path, header, found.name, found.guessed, None, delimiter, decimal_comma)


def _cells_at_the_beginning(stream: "_Utf8Lines", delimiter: str) -> Iterator[str]:
    """Yield the cells of the first rows below the column names."""
    lines = (stream.readline(LONGEST_LINE + 1).decode(errors="replace") for _ in range(_ROWS_LOOKED_AT))
    with contextlib.suppress(csv.Error):  # what is wrong with a row is said when it is read
        for row in csv.reader(itertools.takewhile(bool, lines), delimiter=delimiter):
            yield from (cell.strip() for cell in row)


def _with_decimal_points(column: pa.Array) -> pa.Array:
    """Write the numbers of a column of texts with decimal points in place of decimal commas."""
    import pyarrow.compute as pc

    bare = pc.utf8_trim_whitespace(column)
    numbers = pc.or_(pc.match_substring_regex(bare, WITH_DECIMAL_COMMA), pc.match_substring_regex(bare, WITH_GROUPS))
    return pc.if_else(numbers, pc.replace_substring(pc.replace_substring(bare, ".", ""), ",", "."), column)


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower().endswith("parquet")


@contextlib.contextmanager
def _arrow_errors_named(path: Path) -> Iterator[None]:
    """Name the file that Arrow cannot read."""
    try:
        yield
    except InputError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path}: cannot be read ({said}); check that the file is whole") from None


def _parquet_blocks(path: Path, chosen: list[str]) -> Iterator[Block]:
    import pyarrow.parquet as pq

    done = 0
    with _arrow_errors_named(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=chosen):
            columns = {name: batch.column(name) for name in chosen}
            for column in columns.values():
                # texts that are not UTF-8, and lists that end outside of their values
                column.validate(full=True)
            yield Block(np.arange(done + 1, done + len(batch) + 1), columns, [])
            done += len(batch)


def _vector_blocks(table: ImageTable, chosen: list[str]) -> Iterator[Block]:
    read = read_table(table.path, lambda _: chosen, with_positions=False, encoding=table.encoding, layer=table.layer)
    columns = {name: pa.array(read.texts[name], pa.string()) for name in chosen}
    yield Block(np.array(read.row_numbers), columns, [])


def _csv_blocks(table: ImageTable, chosen: list[str]) -> Iterator[Block]:
    from pyarrow import csv as arrow_csv

    # by number, since a header may have a name twice
    numbers = [str(i) for i in range(len(table.header))]
    place = {name: str(table.header.index(name)) for name in chosen}
    broken: list[tuple[int, str]] = []

    def note_broken(row: Any) -> str:
        broken.append((row.number, f"{row.actual_columns} fields where the header has {row.expected_columns}"))
        return "skip"

    with _arrow_errors_named(table.path), _Utf8Lines(table) as stream:
        _first_line(stream)
        try:
            batches = arrow_csv.open_csv(
                pa.PythonFile(stream, "r"),
                arrow_csv.ReadOptions(column_names=numbers, block_size=_BLOCK_BYTES, use_threads=False),
                arrow_csv.ParseOptions(
                    delimiter=table.delimiter, newlines_in_values=True, invalid_row_handler=note_broken
                ),
                arrow_csv.ConvertOptions(
                    include_columns=list(place.values()),
                    column_types=dict.fromkeys(place.values(), pa.string()),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return
            raise
        done, told = 0, 0
        for batch in batches:
            rows = _numbers_without(done + 1, len(batch), {number for number, _ in broken})
            done = int(rows[-1]) if len(rows) else done
            columns = {name: batch.column(batch.schema.get_field_index(place[name])) for name in chosen}
            if table.decimal_comma:
                columns = {name: _with_decimal_points(column) for name, column in columns.items()}
            yield Block(rows, columns, broken[told:])
            told = len(broken)
        if told < len(broken):
            yield Block(np.zeros(0, int), {name: pa.array([], pa.string()) for name in chosen}, broken[told:])


def _numbers_without(first: int, n: int, left_out: set[int]) -> np.ndarray:
    """Return n numbers from `first` on, without those that are left out."""
    numbers = np.arange(first, first + n + len(left_out))
    if left_out:
        numbers = numbers[~np.isin(numbers, np.fromiter(left_out, int))]
    return numbers[:n]


def _first_line(stream: "_Utf8Lines") -> str:
    """Read the line of column names, the first that is not empty."""
    while line := stream.readline(LONGEST_LINE + 1):
        if line.strip():
            return line.decode(errors="replace").rstrip("\r\n")
    return ""


class _Utf8Lines(io.RawIOBase):
    """The text of a CSV file as UTF-8, without a byte order mark, read with limits on its lines and its expansion."""

    def __init__(self, table: ImageTable) -> None:
        self._table = table
        self._blocks = self._encoded(read_line_blocks(table.path))
        self._rest = memoryview(b"")

    def _encoded(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(self._table.encoding or "utf-8")()
        try:
            for i, block in enumerate(blocks):
                text = decoder.decode(block)
                yield (text.removeprefix("\ufeff") if i == 0 else text).encode()
            # the reader of lines ends the last one with a newline of one byte, which is half a letter in UTF-16
            if decoder.getstate()[0] != b"\n":
                yield decoder.decode(b"", final=True).encode()
        except UnicodeError:
            raise not_text(self._table.path, str(self._table.encoding)) from None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not len(self._rest):
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        n = min(len(buffer), len(self._rest))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n

    def readline(self, size: int | None = -1, /) -> bytes:
        line = b""
        most = LONGEST_LINE if size is None or size < 0 else size
        while not line.endswith(b"\n") and len(line) < most:
            if not len(self._rest):
                block = next(self._blocks, None)
                if block is None:
                    break
                self._rest = memoryview(block)
                continue
            head = bytes(self._rest[: most - len(line)])
            end = head.find(b"\n") + 1 or len(head)
            line += head[:end]
            self._rest = self._rest[end:]
        return line
