"""Positions of photos from a table, for photos whose EXIF was removed, as Mapillary, KartaView and research sets deliver them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from geolive.errors import InputError
from geolive.sources.capture_times import capture_times
from geolive.sources.photos.exif import PhotoFacts
from geolive.sources.survey import columns
from geolive.sources.survey.tables import read_table, require

# what `rejects` says that its row is about
PHOTO, TABLE_ROW = "photo", "table row"

_NOT_IN_TABLE = "not in the table of positions"
_NO_PHOTO = "without a photo in the folder"
_SEVERAL = (
    "its name in the table fits several photos of the folder; give the path within the folder, such as sub/1.jpg, in the column "
    "of keys"
)


class FoundRows(NamedTuple):
    """Which photo each row of a table is about.

    Parameters
    ----------
    rows : dict of str to int
        For the path of each photo that can be placed, its row in `PositionTable.facts`.
    reasons : dict of str to str
        For the path of each other photo, why it cannot be placed.
    left_out : list of (int, str, str)
        Number, reason and key of the table's rows that no photo has, or that repeat another row.
    """

    rows: dict[str, int]
    reasons: dict[str, str]
    left_out: list[tuple[int, str, str]]


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
    """

    path: Path
    rows: dict[str, int]
    facts: list[PhotoFacts]
    sequences: list[str] | None
    creators: list[str] | None
    rejects: list[tuple[int, str, str]]
    numbers: list[int]

    def find(self, photos: Sequence[str], unread: Sequence[str] = ()) -> FoundRows:
        """Find the row of each photo: its key is the path within the folder, the file's name, or that without its ending.

        Parameters
        ----------
        photos : sequence of str
            Paths of the photos within their folder.
        unread : sequence of str
            Paths of photos that cannot be read, whose rows are not without a photo.

        Examples
        --------
        >>> facts = [PhotoFacts(85.1, 25.6, None, None, 0.0)] * 2
        >>> table = PositionTable(Path("t.csv"), {"1.jpg": 0, "2": 1}, facts, None, None, [], [2, 3])
        >>> found = table.find(["a/1.jpg", "b/1.jpg", "b/2.jpg"])
        >>> found.rows, list(found.reasons)
        ({'b/2.jpg': 1}, ['a/1.jpg', 'b/1.jpg'])
        """
        unusable = {key: reason for _, reason, key in reversed(self.rejects) if key not in self.rows}
        known = self.rows.keys() | unusable.keys()
        keys = {path: _key_of(path, known) for path in photos}
        times = Counter(keys.values())
        # a table with paths means by a bare name the photo in the folder itself
        has_paths = any("/" in key for key in known)
        rows, reasons = {}, {}
        for path, key in keys.items():
            if key is None:
                reasons[path] = _NOT_IN_TABLE
            elif times[key] > 1 and not (has_paths and key == path):
                reasons[path] = _SEVERAL
            elif key in self.rows:
                rows[path] = self.rows[key]
            else:
                reasons[path] = unusable[key]
        used = {*keys.values(), *(_key_of(path, known) for path in unread)}
        # the reason of an unusable row is that of its photo
        left_out = [one for one in self.rejects if one[2] not in used or one[2] in self.rows]
        left_out += [(self.numbers[row], _NO_PHOTO, key) for key, row in self.rows.items() if key not in used]
        return FoundRows(rows, reasons, left_out)


def _key_of(path: str, known: Collection[str]) -> str | None:
    """Return how a table names a photo."""
    name = PurePosixPath(path)
    return next((key for key in (path, name.name, name.stem) if key in known), None)


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
    >>> positions.find(["b/498763468214164.jpg"]).rows, positions.rejects
    ({'b/498763468214164.jpg': 0}, [(3, 'not located: the position is 0, 0', '2')])
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
