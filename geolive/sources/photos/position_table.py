"""Positions of photos from a table, for photos whose EXIF was removed, as Mapillary, KartaView and research sets deliver them."""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from geolive.errors import InputError
from geolive.sources.capture_times import capture_times
from geolive.sources.photos.exif import PhotoFacts
from geolive.sources.survey import columns
from geolive.sources.survey.tables import read_table, require


@dataclass(frozen=True, eq=False)
class PositionTable:
    """Where and when photos were taken, by their names.

    Parameters
    ----------
    path : Path
    rows : dict of str to int
        The row of each photo in `facts`, by its key as the table writes it.
    facts : list of PhotoFacts
    sequences, creators : list of str, or None
        Of each row, where the table has them.
    rejects : list of (int, str, str)
        Number of the row, the reason and the key of rows that cannot be used.
    numbers : list of int
        Number of each row in the file.
    used : set of int
        Rows that a photo was found for.
    """

    path: Path
    rows: dict[str, int]
    facts: list[PhotoFacts]
    sequences: list[str] | None
    creators: list[str] | None
    rejects: list[tuple[int, str, str]]
    numbers: list[int]
    used: set[int] = field(default_factory=set)

    def row_of(self, path: str) -> int | None:
        """Return the row of a photo: its key is the path within the folder, the file's name, or that without its ending."""
        name = PurePosixPath(path)
        row = next((self.rows[key] for key in (path, name.name, name.stem) if key in self.rows), None)
        if row is not None:
            self.used.add(row)
        return row

    def unused(self) -> list[tuple[int, str, str]]:
        """Return number, reason and key of the rows that no photo was found for."""
        keys = {row: key for key, row in self.rows.items()}
        return [
            (self.numbers[row], "a row of the table whose photo is not in the folder", keys[row])
            for row in sorted(set(keys) - self.used)
        ]


def read_positions(
    path: str | Path,
    key: str,
    lon: str,
    lat: str,
    *,
    captured_at: str | None = None,
    sequence: str | None = None,
    creator: str | None = None,
) -> PositionTable:
    """Read the positions of photos from a table.

    Parameters
    ----------
    path : str or Path
        CSV or any format of `geolive.sources.survey.tables.read_table`.
    key : str
        Column with the photos' paths within their folder, their names, or their names without the ending.
    lon, lat : str
        Columns of longitude and latitude, WGS 84, degrees.
    captured_at : str, optional
        Column of times, for example 2020-01-02T03:04:05Z; without a zone they are in UTC. Milliseconds since 1970 are understood.
    sequence, creator : str, optional
        Columns of sequences and of creators.

    Raises
    ------
    InputError
        The file cannot be read, a column is missing, a key occurs twice, or no row can be used.

    Examples
    --------
    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp()) / "images.csv"
    >>> _ = table.write_text("id,x,y\\n498763468214164,85.1,25.6\\n2,0,0\\n")
    >>> positions = read_positions(table, "id", "x", "y")
    >>> positions.row_of("b/498763468214164.jpg"), positions.rejects
    (0, [(3, 'not located: the position is 0, 0', '2')])
    """
    asked = [key, lon, lat, *(name for name in (captured_at, sequence, creator) if name is not None)]
    table = read_table(path, lambda header: require(path, header, asked), with_positions=False)
    x, y = (columns.numbers(table, name, "coordinate") for name in (lon, lat))
    columns.check_positions(table, lon, lat, x, y)
    keys = columns.unique_names(table, key)
    if captured_at is None:
        times = [None] * len(table)
    else:
        times = [None if pd.isna(time) else time.to_pydatetime() for time in capture_times(table.texts[captured_at])]
    good = [i for i, reason in enumerate(table.reasons) if reason is None]
    if not good:
        raise InputError(
            f"{path}: {table.place_of(0)}, {table.reasons[0]}, nor can any other row be used; check the columns"
        )
    facts = [PhotoFacts(x[i], y[i], times[i], "UTC" if times[i] else None, float("nan")) for i in good]
    return PositionTable(
        Path(path),
        {keys[i]: row for row, i in enumerate(good)},
        facts,
        None if sequence is None else [table.texts[sequence][i] for i in good],
        None if creator is None else [table.texts[creator][i] for i in good],
        [(table.row_numbers[i], str(reason), keys[i]) for i, reason in enumerate(table.reasons) if reason],
        [table.row_numbers[i] for i in good],
    )
