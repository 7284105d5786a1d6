"""A survey in a file: one row a surveyed place, its position and what was measured there."""

import re
import shlex
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset, add_labels
from geolive.errors import InputError
from geolive.sources.survey import columns
from geolive.sources.survey.tables import SurveyTable, is_geospatial, read_table, require
from geolive.tables import CLUSTER_COLUMNS, IMAGE_COLUMNS, points

_OPTIONAL = ("year", "weight")


def read_survey(
    path: str | Path,
    lon: str | None = None,
    lat: str | None = None,
    values: dict[str, str] | None = None,
    id: str | None = None,
    group: str | None = None,
    drop_invalid: bool = False,
    *,
    year: str | None = None,
    urban: str | None = None,
    weight: str | None = None,
    country: str | None = None,
) -> Dataset:
    """Read a survey into a dataset without images.

    Parameters
    ----------
    path : str or Path
        CSV (UTF-8, comma-separated, with a header), GeoPackage, GeoJSON, Shapefile, FlatGeobuf or GeoParquet.
    lon, lat : str, optional
        Columns of longitude and latitude, WGS 84, degrees. Without them positions are the points of a geospatial file,
        converted from its coordinate reference system; a CSV file needs them.
    values : dict of str to str
        For each indicator the column of its measured values, a number in every row.
    id : str, optional
        Column of unique names. Without it rows are numbered in the file's order: "row-0001", as wide as needed.
    group : str, optional
        Column of administrative or other units that share a fold; kept as `district_id`.
    drop_invalid : bool
        Leave out the rows that cannot be used and list them in `rejects`, instead of raising at the first.
    year, urban, weight : str, optional
        Columns of whole years; of urban (U, urban, 1, true) and rural (R, rural, 0, false), which may be missing; of weights.
        Kept as `year`, `urban` and `weight`.
    country : str, optional
        A column, or else a code of two or three letters for every row. Without it, the column `country` where there is one.

    Returns
    -------
    Dataset
        Clusters in the file's order, `country` "" where it is not known; labels by the median. `rejects` holds `row` (line
        number in a CSV file, the header being line 1; else 1 for the first row) and `reason`.

    Raises
    ------
    InputError
        The file cannot be read, a column is missing, a row cannot be used (unless `drop_invalid`), or none can.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "survey.csv"
    >>> _ = path.write_text("x,y,wealth,zone\\n85.1,25.6,0.5,U\\n84.0,25.0,-0.5,R\\n84.0,,0.1,R\\n")
    >>> survey = read_survey(path, "x", "y", {"pov": "wealth"}, drop_invalid=True, urban="zone")
    >>> survey.clusters[["unique_cluster", "urban", "pov", "pov_label"]]
      unique_cluster  urban  pov  pov_label
    0          row-1   True  0.5        1.0
    1          row-2  False -0.5        0.0
    >>> survey.rejects
       row                           reason
    0    4  column 'y': missing coordinate
    """
    path, values = Path(path), values or {}
    _check_positions_named(path, lon, lat)
    _check_names(path, values)
    asked = [lon, lat, *values.values(), id, group, year, urban, weight]
    table = read_table(path, lambda header: _chosen(path, header, asked, country), with_positions=lon is None)
    x, y = _positions(table, lon, lat)
    measured = {name: columns.numbers(table, column) for name, column in values.items()}
    width = len(str(len(table)))
    ids = columns.unique_names(table, id) if id else [f"row-{i + 1:0{width}d}" for i in range(len(table))]
    optional = {
        "district_id": columns.names(table, group) if group else None,
        "urban": columns.urban(table, urban) if urban else None,
        "year": columns.years(table, year) if year else None,
        "weight": columns.weights(table, weight) if weight else None,
    }
    keep = columns.usable(table, drop_invalid)

    rows = pd.DataFrame({"unique_cluster": ids, "country": _countries(table, country)}).astype("str")
    rows = rows.assign(state=None, n_images=0, split=None, district_id=None, urban=None)
    rows = rows.assign(**{name: _column(name, found) for name, found in optional.items() if found is not None})
    rows = rows.assign(**measured)[keep].reset_index(drop=True)
    clusters = gpd.GeoDataFrame(rows, geometry=points(x[keep], y[keep]))
    kept = [name for name in _OPTIONAL if optional[name] is not None]
    clusters, thresholds = add_labels(clusters[[*CLUSTER_COLUMNS, *kept, *values]], list(values))
    rejects = [(row, why) for row, why in zip(table.row_numbers, table.reasons, strict=True) if why]
    command = _command(
        path, lon, lat, values, drop_invalid, id=id, group=group, year=year, urban=urban, weight=weight, country=country
    )
    return Dataset(
        no_images(),
        clusters,
        {},
        list(values),
        path.name,
        command,
        False,
        thresholds,
        pd.DataFrame(rejects, columns=["row", "reason"]),
    )


def no_images() -> gpd.GeoDataFrame:
    """The images table of a dataset that has none.

    Examples
    --------
    >>> len(no_images())
    0
    """
    return gpd.GeoDataFrame(dict.fromkeys(IMAGE_COLUMNS[:-1], pd.Series(dtype="str")), geometry=points([], []))


def check_indicator_name(name: str) -> None:
    """Raise InputError where an indicator cannot have this name, for it would be no word or another column's.

    Examples
    --------
    >>> check_indicator_name("year")
    Traceback (most recent call last):
    geolive.errors.InputError: indicator 'year': the clusters table has a column of that name; use --value NAME=COLUMN
    """
    if not re.fullmatch(r"[^\W\d]\w*", name):
        raise InputError(f"indicator {name!r}: a name has only letters, digits and _; use --value NAME=COLUMN")
    if name in (*CLUSTER_COLUMNS, *_OPTIONAL):
        raise InputError(f"indicator {name!r}: the clusters table has a column of that name; use --value NAME=COLUMN")


def _check_positions_named(path: Path, lon: str | None, lat: str | None) -> None:
    if (lon is None) != (lat is None):
        raise InputError(f"{path}: --lon and --lat belong together; give both, or neither for a geospatial file")
    if lon is None or lat is None:
        if not is_geospatial(path):
            raise InputError(
                f"{path}: name the columns of positions with --lon and --lat (only .gpkg, .geojson, .shp, .fgb and .parquet "
                "files have their own)"
            )
        return
    if lon == lat:
        raise InputError(
            f"{path}: column {lon!r} is given as longitude and as latitude; give --lon and --lat a column each"
        )
    if lon.lower().startswith("lat") or lat.lower().startswith("lon"):
        raise InputError(
            f"{path}: column {lon!r} as longitude and {lat!r} as latitude look swapped; exchange --lon and --lat, or "
            "rename the columns if they are right"
        )


def _check_names(path: Path, values: dict[str, str]) -> None:
    if not values:
        raise InputError(f"{path}: no column of measured values is given; add --value NAME=COLUMN")
    for name in values:
        check_indicator_name(name)
        if name.endswith("_label") and name.removesuffix("_label") in values:
            raise InputError(
                f"indicator {name!r}: the clusters table has a column of that name; use --value NAME=COLUMN"
            )


def _chosen(path: Path, header: list[str], asked: list[str | None], country: str | None) -> list[str]:
    chosen = require(path, header, [name for name in asked if name is not None])
    if country is None:
        return chosen + (["country"] if header.count("country") == 1 else [])
    if country in header or not re.fullmatch(r"[A-Za-z]{2,3}", country):
        return chosen + require(path, header, [country])
    return chosen


def _countries(table: SurveyTable, country: str | None) -> list[str] | str:
    return table.texts.get(country or "country", country or "")


def _positions(table: SurveyTable, lon: str | None, lat: str | None) -> tuple[np.ndarray, np.ndarray]:
    if lon is None or lat is None:
        x, y = table.positions.T
        columns.check_positions(table, "geometry (x)", "geometry (y)", x, y)
        return x, y
    x, y = (columns.numbers(table, column, "coordinate") for column in (lon, lat))
    columns.check_positions(table, lon, lat, x, y)
    return x, y


def _column(name: str, found) -> pd.Series:
    """Flags stay objects, so that True, False and None survive a file."""
    return pd.Series(found, dtype=object if name == "urban" else None)


def _command(path, lon, lat, values, drop_invalid, **options) -> str:
    words = ["geolive", "ingest", "survey", str(path)]
    words += ["--lon", lon, "--lat", lat] if lon else []
    for name, column in values.items():
        words += ["--value", name if name == column else f"{name}={column}"]
    for name, column in options.items():
        words += [f"--{name}", column] if column else []
    words += ["--drop-invalid"] if drop_invalid else []
    return shlex.join(words)
