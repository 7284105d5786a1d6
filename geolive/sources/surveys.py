"""A survey in a CSV file: one row a surveyed place, its position and what was measured there."""

import csv
import difflib
import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset, add_labels
from geolive.errors import InputError
from geolive.tables import CLUSTER_COLUMNS, IMAGE_COLUMNS, bad_positions, points, swapped_hint

_MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>"}
_INFINITE = {"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_LARGEST = float(np.finfo(np.float32).max)
# where more rows than this look swapped, it is the columns that are, and leaving rows out would keep wrong ones
_MOST_SWAPPED_ROWS = 0.1
_MOST_SHOWN = 40


def read_survey(
    path: str | Path,
    lon: str,
    lat: str,
    values: dict[str, str],
    id: str | None = None,
    group: str | None = None,
    drop_invalid: bool = False,
) -> Dataset:
    """Read a survey from a CSV file (UTF-8, comma-separated, with a header) into a dataset without images.

    Parameters
    ----------
    path : str or Path
    lon, lat : str
        Columns of longitude and latitude, WGS 84, degrees.
    values : dict of str to str
        For each indicator the column of its measured values, a number in every row.
    id : str, optional
        Column of unique names. Without it rows are numbered in the file's order: "row-0001", as wide as needed.
    group : str, optional
        Column of administrative or other units that share a fold; kept as `district_id`.
    drop_invalid : bool
        Leave out the rows that cannot be used and list them in `rejects`, instead of raising at the first.

    Returns
    -------
    Dataset
        Clusters in the file's order, `country` from the column of that name where the file has one, else ""; labels by
        the median. `rejects` holds `row` (line number in the file, the header being line 1) and `reason`.

    Raises
    ------
    InputError
        The file cannot be read, a column is missing, a row cannot be used (unless `drop_invalid`), or none can.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "survey.csv"
    >>> _ = path.write_text("x,y,wealth\\n85.1,25.6,0.5\\n84.0,25.0,-0.5\\n84.0,,0.1\\n")
    >>> survey = read_survey(path, lon="x", lat="y", values={"pov": "wealth"}, drop_invalid=True)
    >>> survey.clusters[["unique_cluster", "pov", "pov_label"]]
      unique_cluster  pov  pov_label
    0          row-1  0.5        1.0
    1          row-2 -0.5        0.0
    >>> survey.rejects
       row                           reason
    0    4  column 'y': missing coordinate
    """
    path = Path(path)
    _check_names(path, lon, lat, values)
    lines, texts, reasons = _read_columns(path, [lon, lat, *values.values(), *filter(None, (id, group))])
    x, y = (_numbers(texts[column], column, "coordinate", reasons) for column in (lon, lat))
    _check_positions(path, lon, lat, x, y, reasons)
    measured = {name: _numbers(texts[column], column, "value", reasons) for name, column in values.items()}
    width = len(str(len(lines)))
    ids = _names(texts[id], id, lines, reasons) if id else [f"row-{i + 1:0{width}d}" for i in range(len(lines))]
    for column in filter(None, (id, group)):
        _note(reasons, column, texts[column], [not text for text in texts[column]], "missing")
    keep = _usable(path, lines, reasons, drop_invalid)

    table = pd.DataFrame({"unique_cluster": ids, "country": texts.get("country", "")}).astype("str")
    table = table.assign(state=None, district_id=texts[group] if group else None, urban=None, n_images=0, split=None)
    table = table.assign(**measured)[keep].reset_index(drop=True)
    clusters = gpd.GeoDataFrame(table, geometry=points(x[keep], y[keep]))
    clusters, thresholds = add_labels(clusters[[*CLUSTER_COLUMNS, *values]], list(values))
    images = gpd.GeoDataFrame(dict.fromkeys(IMAGE_COLUMNS[:-1], pd.Series(dtype="str")), geometry=points([], []))
    rejects = pd.DataFrame(
        [(line, why) for line, why in zip(lines, reasons, strict=True) if why], columns=["row", "reason"]
    )
    command = _command(path, lon, lat, values, id, group, drop_invalid)
    return Dataset(images, clusters, {}, list(values), path.name, command, False, thresholds, rejects)


def _check_names(path: Path, lon: str, lat: str, values: dict[str, str]) -> None:
    if lon == lat:
        raise InputError(
            f"{path}: column {lon!r} is given as longitude and as latitude; give --lon and --lat a column each"
        )
    if lon.lower().startswith("lat") or lat.lower().startswith("lon"):
        raise InputError(
            f"{path}: column {lon!r} as longitude and {lat!r} as latitude look swapped; exchange --lon and --lat, or "
            "rename the columns if they are right"
        )
    if not values:
        raise InputError(f"{path}: no column of measured values is given; add --value NAME=COLUMN")
    for name in values:
        if not re.fullmatch(r"[^\W\d]\w*", name):
            raise InputError(f"indicator {name!r}: a name has only letters, digits and _; use --value NAME=COLUMN")
        if name in CLUSTER_COLUMNS or (name.endswith("_label") and name.removesuffix("_label") in values):
            raise InputError(
                f"indicator {name!r}: the clusters table has a column of that name; use --value NAME=COLUMN"
            )


def _read_columns(path: Path, wanted: list[str]) -> tuple[list[int], dict[str, list[str]], list[str | None]]:
    """Line number of each row, the texts of the wanted columns (and of `country`), and what is wrong with a row."""
    lines, rows, header, at = [], [], None, 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # the csv module, for it knows the line of each row even after blank lines and quoted line breaks
            reader = csv.reader(file, strict=True)
            for row in reader:
                line, at = at + 1, reader.line_num
                row = [text.strip() for text in row]
                if not any(row):
                    continue
                if header is None:
                    header, column_numbers = row, _column_numbers(path, row, wanted)
                    continue
                texts = [row[i] if i < len(row) else "" for i in column_numbers.values()]
                lines.append(line)
                rows.append((*texts, None if len(row) == len(header) else _n_fields(len(row), len(header))))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder; name the CSV file in it") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the file and its permissions") from None
    except UnicodeDecodeError:
        raise InputError(
            f"{path}: is not a text file in UTF-8; save the table as 'CSV UTF-8 (comma-delimited)'"
        ) from None
    except csv.Error as error:
        raise InputError(
            f"{path}: the row that begins in line {at + 1} is no CSV ({error}); correct its quotes"
        ) from None
    if header is None:
        raise InputError(f"{path}: is empty; it needs a line of column names and a row for each surveyed place")
    if not rows:
        raise InputError(f"{path}: has column names but no rows; it needs a row for each surveyed place")
    *columns, reasons = (list(column) for column in zip(*rows, strict=True))
    return lines, dict(zip(column_numbers, columns, strict=True)), reasons


def _column_numbers(path: Path, header: list[str], wanted: list[str]) -> dict[str, int]:
    if any("\0" in name for name in header):
        raise InputError(f"{path}: is not a text file; save the table as 'CSV UTF-8 (comma-delimited)'")
    for name in wanted:
        if name not in header:
            alike = sorted(
                filter(None, dict.fromkeys(header)),
                key=lambda column: -difflib.SequenceMatcher(None, name.lower(), column.lower()[:100]).ratio(),
            )
            listed = ", ".join(map(_shown, alike[:20])) + (", …" if len(alike) > 20 else "")
            one = "; separate columns with commas" if len(alike) == 1 else ""
            raise InputError(f"{path}: no column {name!r}; its columns are: {listed}{one}")
        if header.count(name) > 1:
            raise InputError(f"{path}: column {name!r} occurs {header.count(name)} times; rename all but one")
    chosen = [*dict.fromkeys(wanted)]
    if header.count("country") == 1 and "country" not in chosen:
        chosen.append("country")
    return {name: header.index(name) for name in chosen}


def _numbers(texts: list[str], column: str, meaning: str, reasons: list[str | None]) -> np.ndarray:
    """Texts as numbers; NaN, with the reason noted, where a text is none that can be used."""
    missing = [text.lower() in _MISSING for text in texts]
    _note(reasons, column, texts, missing, f"missing {meaning}")
    numbers = np.array([float(text) if _NUMBER.fullmatch(text) else math.nan for text in texts])
    infinite = [text.lower() in _INFINITE or abs(n) > _LARGEST for text, n in zip(texts, numbers, strict=True)]
    _note(reasons, column, texts, infinite, "infinite or too large")
    _note(reasons, column, texts, np.isnan(numbers), "not a number")
    return np.where(infinite, math.nan, numbers)


def _check_positions(path: Path, lon: str, lat: str, x: np.ndarray, y: np.ndarray, reasons: list[str | None]) -> None:
    given = np.isfinite(x) & np.isfinite(y)
    hint = swapped_hint(x[given], y[given])
    # no survey reaches so near to a pole: a latitude that only the exchange explains
    swapped = given & bool(hint) & ((y >= 79) | (y <= -60))
    if swapped.sum() > _MOST_SWAPPED_ROWS * len(x):
        raise InputError(
            f"{path}: columns {lon!r} and {lat!r}: {swapped.sum()} of {len(x)} latitudes are out of range or next to a "
            f"pole{hint}; exchange --lon and --lat"
        )
    for column, numbers, others, limit in ((lon, x, np.zeros_like(x), 180), (lat, np.zeros_like(y), y, 90)):
        wrong = given & bad_positions(numbers, others)
        own = x if column == lon else y
        _note(reasons, column, [f"{n:g}" for n in own], wrong, f"out of range, −{limit} to {limit} degrees{hint},")
    _note(reasons, lat, [f"{n:g}" for n in y], swapped, f"next to a pole{hint},")


def _names(texts: list[str], column: str, lines: list[int], reasons: list[str | None]) -> list[str]:
    first: dict[str, int] = {}
    for i, text in enumerate(texts):
        if text and first.setdefault(text, i) != i and reasons[i] is None:
            where = f"occurs already in line {lines[first[text]]} (without --id rows are numbered)"
            reasons[i] = f"column {column!r}: name {_shown(text)} {where}"
    return texts


def _note(reasons: list[str | None], column: str, texts: list[str], wrong: Sequence[bool], what: str) -> None:
    """Note what is wrong with rows in which nothing was wrong so far."""
    for i in np.flatnonzero(wrong):
        if reasons[i] is None:
            reasons[i] = f"column {column!r}: {what}" + (f" {_shown(texts[i])}" if texts[i] else "")


def _usable(path: Path, lines: list[int], reasons: list[str | None], drop_invalid: bool) -> np.ndarray:
    keep = np.array([reason is None for reason in reasons])
    first = int(np.argmin(keep))
    where = f"{path}: line {lines[first]}, {reasons[first]}"
    if not keep.any():
        others = (
            ", nor can any other row be used; check the columns that are named" if len(keep) > 1 else "; correct it"
        )
        raise InputError(where + others)
    if not keep.all() and not drop_invalid:
        count = f"{(~keep).sum()} of {len(keep)}"
        raise InputError(f"{where}; correct it, or leave such rows out with --drop-invalid ({count})")
    return keep


def _n_fields(found: int, expected: int) -> str:
    return f"{found} fields where the header has {expected}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…")


def _command(path, lon, lat, values, id, group, drop_invalid) -> str:
    words = ["geolive", "ingest", "survey", str(path), "--lon", lon, "--lat", lat]
    for name, column in values.items():
        words += ["--value", name if name == column else f"{name}={column}"]
    words += ["--id", id] if id else []
    words += ["--group", group] if group else []
    words += ["--drop-invalid"] if drop_invalid else []
    return shlex.join(words)
