"""Read a survey from a table with a row for each surveyed place: its position, and what was measured there."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.labels import add_labels
from geolive.shares_below import FACT, fact, with_share_below
from geolive.sources.survey import columns
from geolive.sources.survey.data_frames import name_of_frame, read_frame
from geolive.sources.survey.households import places_of_households, places_that_vary
from geolive.sources.survey.joined_positions import PositionFile, joined_positions, position_file
from geolive.sources.survey.measures import Measure, measure_of, measured_values
from geolive.sources.survey.missing_codes import known_codes
from geolive.sources.survey.options import (
    check_households,
    check_names,
    check_positions_named,
    checked_thresholds,
    recorded_command,
)
from geolive.sources.survey.row_filter import Where, pooled_years, rows_where, wanted_values
from geolive.sources.survey.tables import SurveyTable, read_table, require
from geolive.storage.views import local_input
from geolive.tables import CLUSTER_COLUMNS, IMAGE_COLUMNS, not_located, points
from geolive.terminal_text import as_unicode

# the column of years that is taken without being named
YEAR = "year"
# columns of the survey's design and date that a clusters table may have
_OPTIONAL = ("year", "weight", "stratum", "psu")


def read_survey(
    path: str | Path | pd.DataFrame,
    lon: str | None = None,
    lat: str | None = None,
    values: Mapping[str, str] | None = None,
    id: str | None = None,
    group: str | None = None,
    drop_invalid: bool = False,
    *,
    year: str | None = None,
    urban: str | None = None,
    weight: str | None = None,
    strata: str | None = None,
    psu: str | None = None,
    country: str | None = None,
    missing: Sequence[float] = (),
    encoding: str | None = None,
    layer: str | None = None,
    crs: str | None = None,
    households: str | None = None,
    household_size: str | None = None,
    thresholds: Mapping[str, float] | None = None,
    positions: str | Path | None = None,
    on: str | None = None,
    where: Where | None = None,
) -> Dataset:
    """Read a survey into a dataset without images.

    Parameters
    ----------
    path : str, Path, DataFrame or GeoDataFrame
        CSV, GeoPackage, GeoJSON, Shapefile, FlatGeobuf, GeoParquet, Stata (.dta) or SPSS (.sav, .zsav), or the table itself.
        The labels of Stata and SPSS files are used: codes with labels such as "missing" and
        "don't know" are missing, and labels say which codes are urban and rural, and name the units of `group` and
        `strata`.
    lon, lat : str, optional
        Columns of longitude and latitude, WGS 84, degrees. Without them, positions are the points of a geospatial file or of
        a GeoDataFrame, converted from its coordinate reference system; other tables need them.
    values : dict of str to str
        For each indicator the column of its measured values. A row needs a number for at least one of them. Give a
        rate as "NUMERATOR/DENOMINATOR", for example {"stunted": "cases/children"}.
    id : str, optional
        Column of unique names. Without it, rows are numbered in the file's order: "row-0001", as wide as needed.
    group : str, optional
        Column of administrative or other units that share a fold; kept as `district_id`.
    drop_invalid : bool
        Leave out the rows that cannot be used and list them in `rejects`. Without it, the first such row raises an
        error.
    year, urban : str, optional
        Columns of whole years, and of urban (U, urban, 1, true) and rural (R, rural, 0, false), which may be missing. Kept as
        `year` and `urban`. Without `year`, the column `year` if there is one and all of it are years.
    weight, strata, psu : str, optional
        Columns of the survey's design: sampling weights, strata and primary sampling units. Kept as `weight`, `stratum` and
        `psu` for the survey's own estimates of districts.
    country : str, optional
        A column, or else a code of two or three letters for every row. Without it, the column `country` if there is one.
    missing : sequence of float
        Values that mean "missing" in the columns of `values`, in addition to the known codes of DHS, MICS and LSMS
        files (`geolive.sources.survey.missing_codes`).
    encoding : str, optional
        Encoding of a CSV, GeoJSON, Stata or SPSS file or a Shapefile. By default the encoding that the file states,
        else UTF-8, or CP1252 if the file is not UTF-8.
    layer : str, optional
        Layer of a file with several layers of points.
    crs : str, optional
        Coordinate reference system of the geometry, for example "EPSG:32645", if the file names none or a wrong one.
    households : str, optional
        If rows are households, the column with the place of each household. The clusters of the dataset are these
        places.
    household_size : str, optional
        With `households`, the column with the number of members. Means and shares are then over people, not over
        households.
    thresholds : dict of str to float, optional
        A threshold for an indicator NAME makes a further indicator NAME_below. With data of households it is the
        share of households (or people) below the threshold; otherwise it says whether the value of a place is below.
        If the values of households have a zero, such as consumption, there is also NAME_gap: the mean shortfall as a
        share of the threshold.
    positions : str or Path, optional
        A second file with a position for each place, such as the GPS file or the centroids of clusters. `lon`, `lat`,
        `layer` and `crs` then belong to this file. Rows whose place is not in this file are left out and counted.
    on : str, optional
        With `positions`, the column that both files have, such as "HH1", or "COLUMN=KEY" for a column of the survey and one of
        the file of positions.
    where : dict of str to str or number or sequence of these, optional
        Reads only the rows that have this value, or one of these values, in the column, for example {"year": 2015} of a panel.
        Rows must fit in all of the columns. The labels of codes count, too.

    Returns
    -------
    Dataset
        Clusters in the file's order, `country` "" where it is not known, and labels by the median. A rate NAME has also
        `NAME_n`, its denominator, and `NAME_se`, the binomial standard error. Rows at 0, 0 are left out. `rejects` holds `row`
        (the line number in a CSV file, where the header is line 1; else 1 for the first row) and `reason`. `extra["survey"]`
        names codes that count as missing, values that may be such codes, rows without a value of some indicator, what the join
        with a file of positions left out, columns in which the households of a place differ, the rows of each year where rows
        of several years are read (`years`, of the column `year_column`), how many rows `where` left out (`rows_not_wanted`), and
        whether a column `year` holds something else than years (`year_not_taken`).

    Raises
    ------
    InputError
        The file cannot be read, a column is missing, a row cannot be used (unless `drop_invalid`), or no row can be used.

    See Also
    --------
    geolive.read_dhs : Read the files of a DHS survey.
    geolive.read_photos : Read positions and times from photos.
    geolive.add_covariates : Add numbers from rasters and tables to a dataset.

    Notes
    -----
    The standard error of a rate p of n cases is sqrt(p (1 - p) / n). It would be 0 where p is 0 or 1. There p is
    replaced by (x + 1/2) / (n + 1) with x positive cases (the mean of the Jeffreys posterior).

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

    A table in memory is read in the same way:

    >>> read_survey(pd.read_csv(path).dropna(), "x", "y", {"pov": "wealth"})
    <Dataset: 0 images, 2 clusters with pov>
    """
    if not isinstance(values or {}, Mapping):
        raise InputError(
            f"values={values!r}: must name the column of each indicator; give values={{'NAME': 'COLUMN'}}", "values"
        )
    frame = path if isinstance(path, pd.DataFrame) else None
    path, values = name_of_frame(path) if isinstance(path, pd.DataFrame) else local_input(path), dict(values or {})
    file = position_file(path, positions, on, lon, lat, layer, crs)
    if not isinstance(frame, gpd.GeoDataFrame) or file is not None or lon is not None or lat is not None:
        check_positions_named(path if file is None else file.path, lon, lat)
    check_names(path, values)
    thresholds = checked_thresholds(path, values, thresholds or {})
    check_households(path, id, households, household_size)
    wanted = wanted_values(path, where)
    measures: list[Measure] = []

    def choose(header: list[str]) -> list[str]:
        measures.extend(measure_of(name, text, header) for name, text in values.items())
        asked = [lon, lat] if file is None else [file.column]
        asked += [id, group, year, urban, weight, strata, psu, households, household_size, *wanted]
        return _chosen(path, header, [*asked, *(column for one in measures for column in one.columns)], country)

    own = file is None
    if frame is not None:
        table = read_frame(frame, choose, own and lon is None, crs if own else None)
    else:
        table = read_table(
            path,
            choose,
            with_positions=own and lon is None,
            encoding=encoding,
            layer=layer if own else None,
            crs=crs if own else None,
        )
    n_rows, table = len(table), rows_where(table, wanted)
    year = year or (YEAR if columns.has_years(table, YEAR) else None)
    measured, counts = measured_values(table, measures, missing)
    if year is None and YEAR in table.texts:
        counts["year_not_taken"] = True
    if n_rows > len(table):
        counts["rows_not_wanted"] = n_rows - len(table)
    x, y = _positions(table, lon, lat) if file is None else _joined(table, file, drop_invalid, counts)
    described = _described(table, id, country) | _optional(table, group, urban, year, weight, strata, psu)
    if households:
        measured |= _of_households(table, households, household_size)
    keep = columns.usable(table, drop_invalid)
    if table.encoding is not None and table.encoding.guessed:
        counts["encoding"] = table.encoding.name

    rows = pd.DataFrame(described | measured)[keep].reset_index(drop=True)
    rows = rows.assign(lon=x[keep], lat=y[keep])
    if year and len(years := pooled_years(rows["year"].to_numpy())) > 1:
        counts |= {"years": years, "year_column": year}
    if households:
        named = {"district_id": group, "stratum": strata, "psu": psu, "urban": urban, "year": year, "country": country}
        if varying := {named[name] or name: n for name, n in places_that_vary(rows).items()}:
            counts["varying"] = varying
        rows = places_of_households(path, rows, list(values), thresholds)
    clusters = gpd.GeoDataFrame(rows, geometry=points(rows["lon"], rows["lat"]))
    names = _indicator_names(values, rows.columns)
    kept = [name for name in (*_OPTIONAL, *_numbers_of(names)) if name in rows]
    clusters, labels = add_labels(clusters[[*CLUSTER_COLUMNS, *kept]], names)
    rejects = [(row, why) for row, why in zip(table.row_numbers, table.reasons, strict=True) if why]
    options = {"id": id, "group": group, "year": year, "urban": urban, "weight": weight, "strata": strata, "psu": psu}
    options |= {"country": country, "encoding": encoding, "layer": layer, "crs": crs}
    options |= {"households": households, "household-size": household_size}
    options |= {"positions": None if positions is None else str(positions), "on": on}
    units = "people" if household_size else "households"
    made = [fact(f"{name}_{end}", name, line, units) for name, line in thresholds.items() for end in ("below", "gap")]
    facts = {name: about for one in made for name, about in one.items() if name in names}
    extra = ({"survey": counts} if counts else {}) | ({FACT: facts} if facts else {})
    command = recorded_command(path, lon, lat, values, drop_invalid, options, missing, thresholds, wanted)
    dataset = Dataset(
        no_images(),
        clusters,
        {},
        names,
        source=as_unicode(path.name),
        # no command reads a table that is in memory
        command=command if frame is None else f"geolive.read_survey({path})",
        simulated=False,
        thresholds=labels,
        rejects=pd.DataFrame(rejects, columns=["row", "reason"]),
        extra=extra,
    )
    if households:
        return dataset
    for name, threshold in thresholds.items():
        dataset = with_share_below(dataset, name, threshold)
    return dataset


def no_images() -> gpd.GeoDataFrame:
    """Return the images table of a dataset without images.

    Examples
    --------
    >>> len(no_images())
    0
    """
    return gpd.GeoDataFrame(dict.fromkeys(IMAGE_COLUMNS[:-1], pd.Series(dtype="str")), geometry=points([], []))


def design_columns(dataset: Dataset) -> list[str]:
    """Return the columns of the clusters table that describe the survey's design and the precision of its values.

    Examples
    --------
    >>> import geolive
    >>> design_columns(geolive.make_sample("goa"))
    []
    """
    wanted = ["weight", "stratum", "psu", "n_households"]
    wanted += [f"{name}_n" for name in dataset.indicators if not dataset.is_rate(name)]
    wanted += [f"{name}_se" for name in dataset.indicators]
    return [name for name in wanted if name in dataset.clusters]


def _of_households(table: SurveyTable, households: str, size: str | None) -> dict[str, Any]:
    """Return the place of each household, and its number of members where the file has it."""
    read: dict[str, Any] = {"place": columns.names(table, households)}
    if size:
        numbers = columns.numbers(table, size, "number of members")
        coded = known_codes(size, "household_size", numbers)
        columns.note(table, size, table.texts[size], coded, "missing number of members, by its code")
        read["household_size"] = np.where(coded, np.nan, numbers)
        columns.note(table, size, table.texts[size], read["household_size"] <= 0, "not a number of members above 0")
    return read


def _indicator_names(values: Mapping[str, str], found: pd.Index) -> list[str]:
    """Return the indicators of the file, each followed by those that were made from it."""
    made = [name for value in values for name in (value, f"{value}_below", f"{value}_gap") if name in found]
    return list(dict.fromkeys(made))


def _numbers_of(names: list[str]) -> list[str]:
    """Return the columns of the indicators, with those of their cases and errors."""
    return ["n_households", *(f"{name}{end}" for name in names for end in ("", "_n", "_se"))]


def _described(table: SurveyTable, id: str | None, country: str | None) -> dict:
    """Return the columns that identify a place, and those that are empty in a survey without images and folds."""
    width = len(str(len(table)))
    ids = columns.unique_names(table, id) if id else [f"row-{i + 1:0{width}d}" for i in range(len(table))]
    of_country = table.texts.get(country or "country", [country or ""] * len(table))
    return {
        "unique_cluster": pd.Series(ids, dtype="str"),
        "country": pd.Series(of_country, dtype="str"),
        "state": None,
        "n_images": 0,
        "split": None,
        "district_id": None,
        "urban": None,
    }


def _optional(
    table: SurveyTable,
    group: str | None,
    urban: str | None,
    year: str | None,
    weight: str | None,
    strata: str | None,
    psu: str | None,
) -> dict:
    """Return the columns that the user named, by their names in a clusters table."""
    read = {
        "district_id": (group, columns.labelled_names),
        # flags stay objects, so that True, False and None survive a file
        "urban": (urban, lambda table, column: pd.Series(columns.urban(table, column), dtype=object)),
        "year": (year, columns.years),
        "weight": (weight, columns.weights),
        "stratum": (strata, columns.labelled_names),
        "psu": (psu, columns.names),
    }
    return {name: reader(table, column) for name, (column, reader) in read.items() if column}


def _chosen(path: Path, header: list[str], asked: list[str | None], country: str | None) -> list[str]:
    chosen = require(path, header, [name for name in asked if name is not None])
    chosen += [YEAR] if header.count(YEAR) == 1 else []
    if country is None:
        return chosen + (["country"] if header.count("country") == 1 else [])
    if country in header or not re.fullmatch(r"[A-Za-z]{2,3}", country):
        return chosen + require(path, header, [country])
    return chosen


def _joined(
    table: SurveyTable, file: PositionFile, drop_invalid: bool, told: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the survey's rows from a second file, and add to `told` what the join left out."""
    x, y, left_out = joined_positions(table, file, drop_invalid)
    if left_out["rows"] or left_out["unused"]:
        told["positions"] = left_out
    for i in np.flatnonzero(not_located(x, y)):
        table.reasons[i] = table.reasons[i] or columns.NOT_LOCATED
    return x, y


def _positions(table: SurveyTable, lon: str | None, lat: str | None) -> tuple[np.ndarray, np.ndarray]:
    if lon is None or lat is None:
        assert table.positions is not None  # read_table was asked for them
        x, y = table.positions.T
        columns.check_positions(table, "geometry (x)", "geometry (y)", x, y)
        return x, y
    x, y = (columns.numbers(table, column, "coordinate") for column in (lon, lat))
    columns.check_positions(table, lon, lat, x, y)
    return x, y
