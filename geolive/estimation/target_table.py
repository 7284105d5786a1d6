"""Reading of the tables that targeting needs: estimates of districts with their errors, and the truth where it is known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.estimation.design_matrix import label
from geolive.gdal_files import vector_source
from geolive.table_files import read_csv, read_parquet

_IDS = ("district_id", "area", "id")
_SUFFIXES = {".csv", ".parquet", ".geojson", ".gpkg", ".json", ".shp", ".fgb"}


@dataclass(frozen=True)
class TargetTable:
    """Districts to choose from.

    Attributes
    ----------
    districts : DataFrame
        Index: the districts' ids. `name`, `estimate`, `standard_error`, and where known `direct`, `predicted` and
        `people`; all have an estimate.
    value : str
        Name of the column with the estimates.
    left_out : list of str
        Names of the districts without an estimate.
    simulated : bool
    """

    districts: pd.DataFrame
    value: str
    left_out: list[str]
    simulated: bool


def read_target_table(
    file: str | Path,
    value: str | None = None,
    *,
    mse: str | None = None,
    level: float = 0.9,
    direct: str | None = None,
    predicted: str | None = None,
    people: str | None = None,
    id: str | None = None,
) -> TargetTable:
    """Read districts with an estimate and its error from a table or a map that geolive wrote.

    Parameters
    ----------
    file : str or Path
        CSV, Parquet, GeoJSON, GeoPackage, Shapefile or FlatGeobuf, a row for each district.
    value : str, optional
        Column with the estimates; without it `estimate`, or the indicator of a map, which has VALUE_lower and VALUE_upper
        beside it.
    mse : str, optional
        Column with mean squared errors; without it VALUE_mse or `mse`, else the interval (VALUE_lower, VALUE_upper, or
        lower, upper) is taken as a normal one of the given level.
    level : float
        Level of that interval.
    direct, predicted : str, optional
        Columns with what the survey alone and the model alone say; without them VALUE_direct or direct, and VALUE_predicted,
        predicted or synthetic, where there are such columns.
    people : str, optional
        Column with the people of each district.
    id : str, optional
        Column with the districts' ids; without it district_id, area or id.

    Returns
    -------
    TargetTable

    Raises
    ------
    InputError
        The file cannot be read, a column lacks or is not numeric, an error or the people are 0, negative or missing, or
        an id is missing or occurs twice.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "areas.csv"
    >>> _ = file.write_text("area,direct,synthetic,estimate,mse\\na,1,2,1.5,0.04\\nb,,3,3,0.09\\n")
    >>> read_target_table(file).districts
         name  estimate  standard_error  direct  predicted
    area
    a       a       1.5             0.2     1.0        2.0
    b       b       3.0             0.3     NaN        3.0
    """
    table = read_table(file, id)
    value = value or _value_column(table, file)
    ids = _ids(table, id, file)
    estimate = _numeric(table, value, file)
    known = np.isfinite(estimate)
    if known.sum() < 2:
        raise InputError(f"{file}: column {value!r} has fewer than two numbers, so there is nothing to choose from")
    names = table["district"].astype(str) if "district" in table else ids.astype(str)
    columns = {"name": names.to_numpy(), "estimate": estimate, "standard_error": _error(table, value, mse, level, file)}
    for name, given, usual in (
        ("direct", direct, (f"{value}_direct", "direct")),
        ("predicted", predicted, (f"{value}_predicted", "predicted", "synthetic")),
    ):
        column = given or next((c for c in usual if c in table and c != value), None)
        if column is not None:
            columns[name] = _numeric(table, column, file)
    if people is not None:
        columns["people"] = _numeric(table, people, file)
    districts = pd.DataFrame(columns, index=pd.Index(ids))
    kept = districts[known]
    for name, column in (("standard_error", mse or f"error of {value}"), ("people", people)):
        if name in kept and (bad := ~(np.isfinite(kept[name]) & (kept[name] > 0)).to_numpy()).any():
            raise InputError(
                f"{file}: {column}: {label(kept.index[bad][0])}: must be a number above 0; correct or drop the row"
            )
    simulated = "simulated" in table and bool(table["simulated"].astype(str).str.lower().isin(["true", "1"]).any())
    return TargetTable(kept, value, list(districts["name"][~known]), simulated)


def read_truth(file: str | Path, column: str, ids: pd.Index, id: str | None = None) -> pd.Series:
    """Read the true values of districts, in the order of `ids`.

    Raises
    ------
    InputError
        The file cannot be read, or a column or a district lacks.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "truth.csv"
    >>> _ = file.write_text("area,poverty\\nb,0.5\\na,0.2\\n")
    >>> read_truth(file, "poverty", pd.Index(["a", "b"])).tolist()
    [0.2, 0.5]
    """
    table = read_table(file, id)
    truth = pd.Series(_numeric(table, column, file), index=pd.Index(_ids(table, id, file)))
    # ids that are numbers in one file may be text in the other
    truth.index, wanted = truth.index.astype(str), ids.astype(str)
    values = truth.reindex(wanted)
    if (absent := ~np.isfinite(values.to_numpy())).any():
        raise InputError(
            f"{file}: {column}: has no number for {absent.sum():,} of {len(ids):,} districts, the first "
            f"{str(wanted[absent][0])!r}; "
            "complete the truth table, or name the column of its ids with truth_id=COLUMN"
        )
    return values.set_axis(ids)


def read_table(file: str | Path, id: str | None = None) -> pd.DataFrame:
    """Read a table of districts; a map's geometry is left out, and ids stay text, with their zeros in front.

    Raises
    ------
    InputError
        There is no such file, or it cannot be read as what its name says.

    Examples
    --------
    >>> read_table("no.csv")
    Traceback (most recent call last):
    geolive.errors.InputError: no.csv: there is no such file
    """
    path = Path(file)
    if not path.is_file():
        raise InputError(f"{file}: there is no such file")
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{file}: cannot be read; give one of {', '.join(sorted(_SUFFIXES))}")
    try:
        if path.suffix.lower() == ".csv":
            table = read_csv(path, dtype={name: str for name in (id, "district", *_IDS) if name})
        elif path.suffix.lower() == ".parquet":
            table = read_parquet(path)
        else:
            import pyogrio

            with vector_source(path) as source:
                table = pyogrio.read_dataframe(source, read_geometry=False)
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: cannot be read as {path.suffix} ({reason})") from error
    return pd.DataFrame(table.drop(columns="geometry", errors="ignore"))


def _value_column(table: pd.DataFrame, file: str | Path) -> str:
    if "estimate" in table:
        return "estimate"
    candidates = [str(c) for c in table if f"{c}_lower" in table and f"{c}_upper" in table]
    # a map has the indicator, and beside it what the model alone predicts: pov and pov_predicted
    own = [c for c in candidates if all(other == c or other.startswith(f"{c}_") for other in candidates)]
    if own:
        return own[0]
    numeric = [str(c) for c in table if pd.api.types.is_numeric_dtype(table[c]) and table[c].dtype != bool]
    raise InputError(f"{file}: no column 'estimate'; name one with value=COLUMN, of: {', '.join(numeric)}", "value")


def _ids(table: pd.DataFrame, id: str | None, file: str | Path) -> pd.Series:
    column = id or next((name for name in _IDS if name in table), None)
    if column is None or column not in table:
        which = f"no column {id!r}" if id else f"no column of ids ({', '.join(_IDS)})"
        raise InputError(f"{file}: {which}; name it with id=COLUMN, of: {', '.join(map(str, table.columns))}", "id")
    ids = table[column]
    if ids.isna().any():
        raise InputError(f"{file}: {column}: row {ids.index[ids.isna()][0]}: is missing; give each district an id")
    if ids.duplicated().any():
        raise InputError(
            f"{file}: {column}: {ids[ids.duplicated()].iloc[0]!r} occurs twice; give each district one row"
        )
    return ids


def _numeric(table: pd.DataFrame, column: str, file: str | Path) -> np.ndarray:
    if column not in table:
        raise InputError(f"{file}: no column {column!r}; its columns are: {', '.join(map(str, table.columns))}")
    if not pd.api.types.is_numeric_dtype(table[column]) and table[column].notna().any():
        raise InputError(f"{file}: column {column!r} is not numeric; give numbers, and leave missing values empty")
    return pd.to_numeric(table[column]).to_numpy(float, na_value=np.nan)


def _error(table: pd.DataFrame, value: str, mse: str | None, level: float, file: str | Path) -> np.ndarray:
    from scipy.stats import norm

    column = mse or next((c for c in (f"{value}_mse", "mse") if c in table), None)
    if column is not None:
        squared = _numeric(table, column, file)
        return np.sqrt(np.where(squared > 0, squared, np.nan))
    for lower, upper in ((f"{value}_lower", f"{value}_upper"), ("lower", "upper")):
        if lower in table and upper in table:
            return (_numeric(table, upper, file) - _numeric(table, lower, file)) / (2 * norm.ppf((1 + level) / 2))
    raise InputError(
        f"{file}: no error of {value!r}: it needs a column {value}_mse, or {value}_lower and {value}_upper; name one with "
        "mse=COLUMN",
        "mse",
    )
