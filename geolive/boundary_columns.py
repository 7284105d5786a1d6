"""The columns of a file of districts that hold their names, their ids and the states that they belong to."""

import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError

# columns of names, each with the administrative level that it names: 1 is a state, 2 a district
_NAME_PATTERNS = (
    (r"(?:name|adm|admin)_?(?P<level>[1-5])(?:_?(?:en|fr|es|pt|name|ref))?", None),
    (r"(?:village|gram|ward|locality|settlement|suco)(?:_?(?:name|nm))?", 4),
    (r"(?:sub_?district|sub_?county|block|taluka?|tehsil|mandal|commune|municipality|sdt|blk)(?:_?(?:name|nm))?", 3),
    (r"(?:district|dist|dt|county|zila|department|departement)(?:_?(?:name|nm))?", 2),
    (r"shapename|name|unit(?:_?name)?", 2.5),
    (r"(?:state|st|state_ut|province|region|division)(?:_?(?:name|nm))?", 1),
)
_ID_PATTERNS = (
    (r"(?:gid|adm|admin)_?(?P<level>[1-5])(?:_?(?:pcode|code|id))?", None),
    (r"(?:sub_?district|block|taluka?|tehsil|sdt)(?:_?(?:id|code|lgd|pcode))", 3),
    (r"(?:district|dist|dt)_?(?:id|code|lgd|pcode|cen_cd)", 2),
    (r"shapeid|id|code|pcode|fid|geoid", 2.5),
)
_STATE_LEVEL = 1
# a column of districts may hold some names twice (Aurangabad is in two states of India); fewer distinct names are another level's
_LEAST_DISTINCT = 0.9


def named_districts(
    path: Path, raw: gpd.GeoDataFrame, name_column: str | None, id_column: str | None
) -> tuple[pd.DataFrame, str]:
    """Return id, name and state of each district, and the column that the names were taken from.

    Parameters
    ----------
    path : Path
        The file, for messages.
    raw : GeoDataFrame
        Its rows.
    name_column, id_column : str or None
        The columns that the user named; None for those that look like names and ids.

    Returns
    -------
    columns : DataFrame
        `district_id` (unique), `district` and `state` ("" where the file does not say), all of them text.
    name_column : str

    Raises
    ------
    InputError
        A column is missing, or holds no name or no unique id in some row.

    Examples
    --------
    >>> raw = gpd.GeoDataFrame({"NAME_1": ["Bihar"], "NAME_2": ["Gaya"], "geometry": [None]})
    >>> columns, column = named_districts(Path("bihar.geojson"), raw, None, None)
    >>> columns.values.tolist(), column
    ([['Gaya', 'Gaya', 'Bihar']], 'NAME_2')
    """
    name_column = _given(path, raw, name_column, "name_column") or _find_name_column(path, raw)
    id_column = _given(path, raw, id_column, "id_column")
    name = _texts(path, raw, name_column, "name")
    state = _states(raw, name_column)
    columns = {"district_id": _ids(path, raw, name, state, id_column), "district": name, "state": state}
    return pd.DataFrame(columns).astype(object), name_column


def people_of_districts(path: Path, raw: gpd.GeoDataFrame, column: str) -> pd.Series:
    """Return the number of people of each district.

    Parameters
    ----------
    path : Path
        The file, for messages.
    raw : GeoDataFrame
        Its rows.
    column : str
        The column that the user named.

    Raises
    ------
    InputError
        There is no such column, or a number is missing or negative.

    Examples
    --------
    >>> raw = gpd.GeoDataFrame({"census": ["1200", "-1"], "geometry": [None, None]})
    >>> people_of_districts(Path("bihar.geojson"), raw, "census")
    Traceback (most recent call last):
    geolive.errors.InputError: bihar.geojson: column 'census', row 1: '-1' is not a number of people; give 0 or more
    """
    _given(path, raw, column, "people_column")
    people = pd.to_numeric(raw[column], errors="coerce").astype(float)
    wrong = ~((people >= 0) & np.isfinite(people)).to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"{path}: column {column!r}, row {row}: {raw[column].iloc[row]!r} is not a number of people; give 0 or more",
            parameter="people_column",
        )
    return people


def _given(path: Path, raw: gpd.GeoDataFrame, column: str | None, parameter: str) -> str | None:
    """Return a column that the user named."""
    if column is not None and (column not in raw.columns or column == raw.geometry.name):
        raise InputError(
            f"{parameter}={column!r} is not a column of {path}; its columns are: {_listed(raw)}", parameter=parameter
        )
    return column


def _find_name_column(path: Path, raw: gpd.GeoDataFrame) -> str:
    """Return the most specific column of names whose values are unique."""
    known = _known_columns(raw, _NAME_PATTERNS)
    distinct = {column: raw[column].nunique() for column in raw.columns.drop(raw.geometry.name)}
    best = max(known, key=lambda column: (distinct[column], known[column]), default=None)
    if best is None or distinct[best] < _LEAST_DISTINCT * len(raw):
        # a column of an unusual name may hold the names of the units
        others = [column for column in distinct if distinct[column] == len(raw) and _holds_names(raw[column])]
        best = next((column for column in others if column not in known), best)
    if not distinct:
        raise InputError(f"{path}: has no columns, so its units have no names; add a column with a name for each")
    if best is None:
        raise InputError(
            f"{path}: no column is known to hold the districts' names; choose one of [{_listed(raw)}] with "
            f"name_column={_listed(raw).split(', ')[0]!r}",
            parameter="name_column",
        )
    return best


def _ids(path: Path, raw: gpd.GeoDataFrame, name: pd.Series, state: pd.Series, column: str | None) -> pd.Series:
    """Return unique ids: those of the column that the user named, of a usual column, or made of the names."""
    if column is not None:
        ids = _texts(path, raw, column, "id")
        if ids.duplicated().any():
            row = int(np.argmax(ids.duplicated()))
            raise InputError(
                f"id_column={column!r} of {path}: {ids.iloc[row]!r} in row {row} occurs twice; choose a column of unique ids",
                parameter="id_column",
            )
        return ids
    known = _known_columns(raw, _ID_PATTERNS)
    unique = [column for column in known if raw[column].is_unique and raw[column].notna().all()]
    if unique:
        return _as_texts(raw[max(unique, key=lambda column: known[column])])
    for ids in (name, state + "/" + name):
        if ids.is_unique:
            return ids
    return name + "/" + pd.Series(np.arange(len(raw)) + 1, index=raw.index).astype(str)


def _states(raw: gpd.GeoDataFrame, name_column: str) -> pd.Series:
    """Return the state of each district; "" where the file does not say."""
    known = _known_columns(raw, _NAME_PATTERNS)
    column = next((c for c in known if known[c] == _STATE_LEVEL and c != name_column), None)
    return _as_texts(raw[column]) if column else pd.Series("", index=raw.index)


def _known_columns(raw: gpd.GeoDataFrame, patterns: tuple) -> dict[str, float]:
    """Return the columns with a usual name, each with its administrative level."""
    levels: dict[str, float] = {}
    for column in raw.columns.drop(raw.geometry.name):
        for pattern, level in patterns:
            match = re.fullmatch(pattern, str(column), re.IGNORECASE)
            if match:
                levels[column] = float(match["level"]) if level is None else level
                break
    return levels


def _holds_names(column: pd.Series) -> bool:
    """Return whether most values are words without digits, unlike ids."""
    texts = column.dropna().astype(str)
    return bool(len(texts) == len(column) and texts.str.fullmatch(r"[^\d]*[^\W\d_]{2}[^\d]*").mean() > 0.5)


def _texts(path: Path, raw: gpd.GeoDataFrame, column: str, what: str) -> pd.Series:
    texts = _as_texts(raw[column])
    if texts.eq("").any():
        row = int(np.argmax(texts.eq("")))
        raise InputError(f"{path}: column {column!r}, row {row}: no {what}; fill it in")
    return texts


def _as_texts(column: pd.Series) -> pd.Series:
    """Return a column as text, "" where it is missing or blank; whole numbers have no decimals."""
    if pd.api.types.is_float_dtype(column) and (column.dropna() == column.dropna().round()).all():
        column = column.astype("Int64")
    # an empty column of text may hold None alone
    return column.astype(object).where(column.notna(), "").astype(str).str.strip()


def _listed(raw: gpd.GeoDataFrame) -> str:
    return ", ".join(map(str, raw.columns.drop(raw.geometry.name)))
