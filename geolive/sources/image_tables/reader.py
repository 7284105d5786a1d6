"""Reads a table of images without their photos: positions, and what else is known of each image."""

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.object_classes import read_classes
from geolive.sources.capture_times import capture_times
from geolive.sources.image_tables.blocks import ImageTable, open_image_table
from geolive.sources.image_tables.cells import numbers_of, texts_of
from geolive.sources.image_tables.count_columns import ClassColumns, ListedObjects, WideCounts
from geolive.sources.image_tables.feature_columns import find_feature_columns
from geolive.sources.image_tables.image_keys import check_rows_are_images
from geolive.sources.paper.rows import SIMULATED_PREFIX
from geolive.sources.survey import columns as column_checks
from geolive.sources.survey.tables import SurveyTable, is_geospatial, read_table, require
from geolive.storage.views import local_input
from geolive.tables import N_CLASSES, empty_clusters, points, vistas_classes
from geolive.wording import count_of

OBJECTS = "objects"
_MOST_COUNT = np.iinfo(np.uint16).max
_MOST_LISTED = 100
_ROW_AN_OBJECT = (
    "read the images without counts and add the objects by add_object_counts(path='FILE', folder='DATASET', "
    "class_column='COLUMN')"
)
# a larger array is kept in a temporary file
_MOST_IN_MEMORY = 1 << 28


class _Rows(NamedTuple):
    """All rows of the table: number, key, position (degrees, NaN where there is none), and the other columns as texts."""

    numbers: np.ndarray
    keys: pd.Series
    lon: np.ndarray
    lat: np.ndarray
    texts: dict[str, pd.Series]
    reasons: list[str | None]
    broken: list[tuple[int, str]]


def read_images(
    path: str | Path,
    key: str = "key",
    lon: str | None = None,
    lat: str | None = None,
    *,
    sequence: str | None = None,
    captured_at: str | None = None,
    creator: str | None = None,
    country: str | None = None,
    counts: bool = False,
    list_column: str | None = None,
    classes: str | Path | None = None,
    features: Mapping[str, str] | None = None,
    encoding: str | None = None,
    layer: str | None = None,
    crs: str | None = None,
    command: str = "",
    progress: Callable[[str], None] | None = None,
) -> Dataset:
    """Read a table with one image in each row into a dataset without photos and without a survey.

    Parameters
    ----------
    path : str or Path
        CSV (plain, gzip or zstd), Parquet, or a file of points: GeoPackage, GeoJSON, Shapefile, FlatGeobuf, GeoParquet.
    key : str
        Column with the images' keys, which are unique.
    lon, lat : str, optional
        Columns of longitude and latitude, WGS 84, degrees. Without them, positions are the points of the file.
    sequence, captured_at, creator : str, optional
        Columns of sequences, of times (`geolive.sources.capture_times`) and of creators.
    country : str, optional
        A column, or a code of two or three letters for every row.
    counts : bool
        Read object counts from the columns that have the name of a class.
    list_column : str, optional
        Column with the objects of each image, as `geolive.sources.image_tables.object_lists.objects_in` reads them.
    classes : str or Path, optional
        CSV file with the dataset's class for each of the table's classes (`geolive.object_classes.read_classes`).
    features : mapping of str to str, optional
        Feature sets: name, and the column of lists or the pattern of columns of numbers, such as {"net": "f*"}.
    encoding, layer, crs : str, optional
        Encoding of the texts, layer, and coordinate reference system of the points, as `geolive.read_survey` takes them.
    command : str
        The command that makes the dataset.
    progress : callable, optional
        Called with a short text about the progress.

    Returns
    -------
    Dataset
        Images in the order of the table. `rejects` holds `row` (from 1, without the line of column names and empty
        lines), `reason` and `key` of rows that cannot be used: a repeated key, a position that is missing, out of
        range or 0, 0, or objects that are not counts. An image without usable features has NaN in their row.
        `extra["images_table"]` holds notes for the user: `objects_without_class`, `columns_of_one_class`,
        `columns_not_counted`, `times_not_understood`, `encoding`.

    Raises
    ------
    InputError
        The file cannot be read, a column is missing, longitudes and latitudes look exchanged, or no row can be used.

    See Also
    --------
    geolive.read_photos : Read positions and times from photos.
    geolive.add_object_counts : Add object counts of another tool to a dataset.

    Examples
    --------
    >>> path = Path(tempfile.mkdtemp()) / "images.csv"
    >>> _ = path.write_text("id,x,y,Car,f0,f1\\na,85.1,25.6,2,0.5,1\\nb,0,0,1,0.5,1\\n")
    >>> dataset = read_images(path, "id", "x", "y", counts=True, features={"net": "f*"})
    >>> dataset.images["key"].tolist(), dataset.features["net"].tolist(), dataset.rejects["reason"].tolist()
    (['a'], [[0.5, 1.0]], ['not located: the position is 0, 0'])
    """
    if (lon is None) != (lat is None):
        raise InputError("lon and lat: give both columns of positions, or neither; add lon='COLUMN' and lat='COLUMN'")
    path = local_input(path)
    table = open_image_table(path, encoding, layer)
    if lon is None and not is_geospatial(path):
        raise InputError(f"{path}: has no points; name the columns of positions with lon='COLUMN' and lat='COLUMN'")
    named = {"sequence_id": sequence, "captured_at": captured_at, "creator": creator}
    if country is not None and (country in table.header or not re.fullmatch(r"[A-Za-z]{2,3}", country)):
        named["country"] = country
    chosen = {name: column for name, column in named.items() if column is not None}
    rows = _read_rows(table, key, lon, lat, chosen, crs, progress)
    told: dict[str, Any] = {"encoding": table.encoding} if table.guessed else {}
    objects = None
    if counts or list_column is not None:
        _check_rows_are_images(table, rows)
        objects = _read_counts(table, [key, lon, lat, *chosen.values()], list_column, classes, rows, told, progress)
    kept = np.array([reason is None for reason in rows.reasons], bool)
    if not kept.any():
        raise InputError(_no_row(table, rows))
    images = _images(rows, kept, "" if "country" in chosen else country or "", told)
    sets = {OBJECTS: objects[kept]} if objects is not None else {}
    place = np.full(int(rows.numbers.max(initial=0)) + 1, -1)
    place[rows.numbers[kept]] = np.arange(kept.sum())
    for name, pattern in (features or {}).items():
        sets[name] = _read_features(table, name, pattern, place, int(kept.sum()), progress)
    wrong = np.flatnonzero(~kept)
    rejected = [(int(rows.numbers[i]), str(rows.reasons[i]), str(rows.keys.iloc[i])) for i in wrong]
    rejected += [(number, reason, "") for number, reason in rows.broken]
    rejects = pd.DataFrame(sorted(rejected), columns=["row", "reason", "key"])
    return Dataset(
        images,
        empty_clusters(),
        sets,
        [],
        f"images in {Path(path).name}",
        command,
        bool(images["key"].str.startswith(SIMULATED_PREFIX).any()),
        rejects=rejects,
        extra={"images_table": told},
    )


def _read_rows(
    table: ImageTable,
    key: str,
    lon: str | None,
    lat: str | None,
    named: Mapping[str, str],
    crs: str | None,
    progress: Callable[[str], None] | None,
) -> _Rows:
    """Read key, position and the named columns of all rows, and note what is wrong with them."""
    wanted = [key, *named.values()]
    if lon is None or lat is None:
        read = read_table(
            table.path,
            lambda header: require(table.path, header, wanted),
            with_positions=True,
            encoding=table.encoding,
            layer=table.layer,
            crs=crs,
        )
        assert read.positions is not None  # they were asked for
        texts = {name: pd.Series(read.texts[column], dtype="str") for name, column in named.items()}
        x, y = read.positions.T
        keys = pd.Series(read.texts[key], dtype="str")
        rows = _Rows(np.array(read.row_numbers), keys, x, y, texts, read.reasons, [])
        names = "geometry (x)", "geometry (y)"
    else:
        rows, names = _rows_of_blocks(table, key, lon, lat, named, progress), (lon, lat)
    checked = SurveyTable(table.path, "row", rows.numbers, {}, rows.reasons)  # type: ignore[arg-type]
    column_checks.check_positions(checked, *names, rows.lon, rows.lat)
    _note_keys(rows, key)
    return rows


def _rows_of_blocks(
    table: ImageTable,
    key: str,
    lon: str,
    lat: str,
    named: Mapping[str, str],
    progress: Callable[[str], None] | None,
) -> _Rows:
    numbers: list[np.ndarray] = []
    positions: dict[str, list[np.ndarray]] = {lon: [], lat: []}
    texts: dict[str, list[pa.Array]] = {name: [] for name in (key, *named.values())}
    reasons: list[str | None] = []
    broken: list[tuple[int, str]] = []
    for block in table.blocks([key, lon, lat, *named.values()]):
        numbers.append(block.numbers)
        broken += block.broken
        some: list[str | None] = [None] * len(block)
        for name in (lon, lat):
            values = numbers_of(block.columns[name]).values
            positions[name].append(values)
            _note_numbers(table, name, block.columns[name], block.numbers, np.isnan(values), some)
        reasons += some
        for name, arrays in texts.items():
            arrays.append(texts_of(block.columns[name]).cast(pa.large_string()))
        if progress:
            progress(f"{len(reasons):,} rows")
    if not reasons:
        raise InputError(f"{table.path}: has column names but no rows; it needs a row for each image")
    columns = {name: pd.Series(pa.chunked_array(arrays).to_pandas(), dtype="str") for name, arrays in texts.items()}
    return _Rows(
        np.concatenate(numbers),
        columns[key],
        np.concatenate(positions[lon]),
        np.concatenate(positions[lat]),
        {name: columns[column] for name, column in named.items()},
        reasons,
        broken,
    )


def _note_numbers(
    table: ImageTable, name: str, column: pa.Array, numbers: np.ndarray, wrong: np.ndarray, reasons: list[str | None]
) -> None:
    """Note what is wrong with coordinates that are no numbers, in the words of the readers of surveys."""
    at = np.flatnonzero(wrong)
    if not len(at):
        return
    texts = texts_of(column.take(pa.array(at))).to_pylist()
    some = SurveyTable(table.path, "row", numbers[at].tolist(), {name: texts}, [reasons[i] for i in at])
    column_checks.numbers(some, name, "coordinate")
    for i, reason in zip(at, some.reasons, strict=True):
        reasons[i] = reason


def _check_rows_are_images(table: ImageTable, rows: _Rows) -> None:
    """Raise where rows with counts are objects: of each image, all but one would be left out."""
    repeated = np.flatnonzero(rows.keys.duplicated() & (rows.keys != ""))
    if len(repeated):
        first = int(rows.numbers[repeated[0]]), rows.keys.iloc[repeated[0]]
        check_rows_are_images(table.path, len(repeated), rows.keys.nunique(), first, _ROW_AN_OBJECT)


def _note_keys(rows: _Rows, key: str) -> None:
    """Note missing keys, and the second row of a key; of a repeated key the first usable row is kept."""
    usable = np.array([reason is None for reason in rows.reasons], bool)
    missing = (rows.keys == "").to_numpy()
    for i in np.flatnonzero(missing & usable):
        rows.reasons[i] = f"column {key!r}: missing"
    usable &= ~missing
    repeated = np.zeros(len(usable), bool)
    repeated[usable] = rows.keys[usable].duplicated().to_numpy()
    for i in np.flatnonzero(repeated):
        rows.reasons[i] = f"column {key!r}: {rows.keys.iloc[i]!r:.60} occurs already"


def _read_counts(
    table: ImageTable,
    others: list[str | None],
    list_column: str | None,
    classes: str | Path | None,
    rows: _Rows,
    told: dict[str, Any],
    progress: Callable[[str], None] | None,
) -> np.ndarray:
    """Return the object counts of all rows; note rows whose objects are no counts, and classes that the dataset lacks."""
    numbered, renamed = read_classes(classes) if classes is not None else ([], {})
    matcher = ClassColumns(vistas_classes()["name"].tolist(), renamed, numbered)
    counter: WideCounts | ListedObjects
    if list_column is None:
        counter = WideCounts(table, matcher, [name for name in others if name is not None], _ROW_AN_OBJECT)
    else:
        counter = ListedObjects(list_column, matcher)
    objects, done = _array((len(rows.numbers), N_CLASSES), np.uint16), 0
    for block in table.blocks(counter.columns):
        counted = counter.count(block.columns)
        objects[done : done + len(block)] = np.minimum(counted.counts, _MOST_COUNT)
        for i, reason in counted.reasons.items():
            rows.reasons[done + i] = rows.reasons[done + i] or reason
        done += len(block)
        if progress:
            progress(f"objects of {done:,} rows")
    if matcher.unmatched:
        told["objects_without_class"] = dict(matcher.unmatched.most_common(_MOST_LISTED))
    if counter.added:
        told["columns_of_one_class"] = {name: list(columns) for name, columns in counter.added.items()}
    if counter.ignored:
        told["columns_not_counted"] = list(counter.ignored)[:_MOST_LISTED]
    return objects


def _read_features(
    table: ImageTable,
    name: str,
    pattern: str,
    place: np.ndarray,
    n: int,
    progress: Callable[[str], None] | None,
) -> np.ndarray:
    """Return the features of the kept rows; `place` is the row of the images table for each number of a row, −1 for none."""
    found = find_feature_columns(table, name, pattern)
    array, done = _array((n, found.width), np.float32), 0
    for block in table.blocks(found.columns):
        rows = place[block.numbers]
        array[rows[rows >= 0]] = found.values(block.columns)[rows >= 0]
        done += len(block)
        if progress:
            progress(f"features of {done:,} rows")
    if np.isnan(array[:, 0]).all():
        raise InputError(
            f"{table.path}: features {name!r}: no image has {count_of(found.width, 'finite number')} in {pattern!r}; check "
            "the columns"
        )
    return array


def _images(rows: _Rows, kept: np.ndarray, country: str, told: dict[str, Any]) -> gpd.GeoDataFrame:
    """Make the images table of the rows that are kept."""
    n = int(kept.sum())
    texts = {name: column[kept].reset_index(drop=True) for name, column in rows.texts.items()}
    columns: dict[str, Any] = {
        "key": rows.keys[kept].reset_index(drop=True),
        "country": texts.get("country", pd.Series(country, index=range(n), dtype="str")),
        "unique_cluster": pd.Series(None, index=range(n), dtype="str"),
    }
    for name in ("sequence_id", "creator"):
        if name in texts:
            columns[name] = texts[name].where(texts[name] != "")
    if "captured_at" in texts:
        times = capture_times(texts["captured_at"])
        columns["captured_at"] = times.dt.tz_localize("UTC")
        if not_understood := int((times.isna() & (texts["captured_at"] != "")).sum()):
            told["times_not_understood"] = not_understood
    return gpd.GeoDataFrame(columns, geometry=points(rows.lon[kept], rows.lat[kept]))


def _no_row(table: ImageTable, rows: _Rows) -> str:
    others = ", nor can any other row be used" if len(rows.reasons) > 1 else ""
    return f"{table.path}: row {rows.numbers[0]}, {rows.reasons[0]}{others}; check the columns that are named"


def _array(shape: tuple[int, int], kind: type) -> np.ndarray:
    """Make an array without content, in a temporary file where it is large."""
    if shape[0] * shape[1] * np.dtype(kind).itemsize <= _MOST_IN_MEMORY:
        return np.empty(shape, kind)
    return np.memmap(tempfile.TemporaryFile(), kind, "w+", shape=shape)
