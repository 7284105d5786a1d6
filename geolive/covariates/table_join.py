"""Covariates from a table whose rows are clusters or districts."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geolive.boundary_files import Boundaries
from geolive.covariate_tables import CovariateTables, check_covariate_names
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.files import checksum
from geolive.regions import find_region
from geolive.sources.survey.tables import SurveyTable, read_table, require, shown
from geolive.tables import lonlat

_MISSING = {"", "na", "nan", "null", "none", "."}


def table_covariates(
    dataset: Dataset,
    table: str | Path,
    join: str,
    columns: Sequence[str] | None = None,
    boundaries: Boundaries | None = None,
) -> CovariateTables:
    """Join the numbers of a table to the clusters and images of a dataset.

    Parameters
    ----------
    dataset : Dataset
    table : str or Path
        CSV, GeoPackage, GeoJSON, Shapefile, FlatGeobuf or Parquet, with a row for each cluster or district.
    join : str
        Column whose values are the names of clusters (`unique_cluster`) or the ids or names of districts; or two columns, as
        "lon,lat", of the clusters' positions in degrees.
    columns : sequence of str, optional
        Columns to take; by default all that hold numbers only, but those that have the name of an indicator.
    boundaries : str, Path or BoundaryFile, optional
        A file of districts: each place belongs to the district that it lies in. Without it, districts are those of the clusters'
        `district_id`.

    Returns
    -------
    CovariateTables
        An image has the values of its cluster, or of the district that it lies in; NaN where the table has none.

    Raises
    ------
    InputError
        The table or a column cannot be read, a key occurs twice, or no key is one of the dataset.

    Examples
    --------
    >>> import tempfile
    >>> import geolive
    >>> dataset = geolive.make_sample("goa")
    >>> path = Path(tempfile.mkdtemp()) / "heights.csv"
    >>> _ = path.write_text(f"cluster,height\\n{dataset.clusters['unique_cluster'][0]},12.5\\n")
    >>> table_covariates(dataset, path, "cluster").clusters["height"][:2].tolist()
    [12.5, nan]
    """
    table = Path(table)
    values = _read_values(table, join, columns, dataset.indicators)
    of_cluster, of_image, kind = _keys(dataset, table, join, values.index, boundaries)
    clusters, images = (values.reindex(keys).reset_index(drop=True) for keys in (of_cluster, of_image))
    facts = {"kind": "table", "file": table.name, "sha256": checksum(table), "join": kind}
    about = {
        name: facts | {"column": name, "nodata_share": float(clusters[name].isna().mean()) if len(clusters) else None}
        for name in values
    }
    return CovariateTables(clusters, images, about)


def _read_values(path: Path, join: str, columns: Sequence[str] | None, indicators: Sequence[str]) -> pd.DataFrame:
    """Read the numbers of a table; the index is the key."""
    keyed: list[str] = []

    def choose(header: list[str]) -> list[str]:
        keyed.extend(require(path, header, [join] if join in header or "," not in join else _two(path, join)))
        return [*require(path, header, list(columns) if columns else [name for name in header if name]), *keyed]

    read = read_table(path, choose, with_positions=False)
    wrong = next((i for i, reason in enumerate(read.reasons) if reason), None)
    if wrong is not None:
        raise InputError(f"{path}, {read.place_of(wrong)}: {read.reasons[wrong]}; correct the row")
    if len(keyed) == 1:
        keys = pd.Index(read.texts[join], name=join)
    else:
        keys = pd.Index(_position_keys(*(_numbers(read, name) for name in keyed)), name=join)
    _check_keys(read, keys, join)
    if columns:
        values = {name: _numbers(read, name) for name in dict.fromkeys(columns)}
    else:
        others = [name for name in read.texts if name not in keyed and name not in indicators]
        values = {name: found for name in others if (found := _numbers_only(read, name)) is not None}
        if not values:
            raise InputError(
                f"{path}: none of its columns beside {join!r} holds numbers only; name some with columns=['COLUMN']"
            )
    check_covariate_names(values, f"{path}")
    return pd.DataFrame(values, index=keys)


def _two(path: Path, join: str) -> list[str]:
    names = [name.strip() for name in join.split(",")]
    if len(names) != 2 or not all(names):
        raise InputError(
            f"join={join!r}: must be one column of {path}, or two of longitude and latitude; give for example join='lon,lat'",
            parameter="join",
        )
    return names


def _position_keys(lon: np.ndarray, lat: np.ndarray) -> list[str]:
    """Write positions as texts, to the sixth decimal, a tenth of a metre; empty where one is missing."""
    # adding 0 makes the sign of a negative zero vanish
    rounded = np.round(np.column_stack([lon, lat]), 6) + 0.0
    return [f"{x:.6f},{y:.6f}" if np.isfinite(x + y) else "" for x, y in rounded]


def _check_keys(read: SurveyTable, keys: pd.Index, join: str) -> None:
    wrong = np.flatnonzero((keys == "") | keys.duplicated())
    if len(wrong):
        i = int(wrong[0])
        what = f"{shown(keys[i])} occurs twice; keep one of its rows" if keys[i] else "is empty; fill it in"
        raise InputError(f"{read.path}, {read.place_of(i)}: column {join!r}: {what}")


def _numbers(read: SurveyTable, name: str) -> np.ndarray:
    values = np.full(len(read), np.nan)
    for i, text in enumerate(read.texts[name]):
        if text.lower() in _MISSING:
            continue
        try:
            values[i] = float(text)
        except ValueError:
            values[i] = np.inf
        if not np.isfinite(values[i]):
            raise InputError(
                f"{read.path}, {read.place_of(i)}: column {name!r}: {shown(text)} is not a number; correct it, or leave it empty"
            )
    return values


def _numbers_only(read: SurveyTable, name: str) -> np.ndarray | None:
    """Return a column if all its cells are numbers or missing, and one is a number."""
    try:
        values = _numbers(read, name)
    except InputError:
        return None
    return values if np.isfinite(values).any() else None


def _keys(
    dataset: Dataset,
    path: Path,
    join: str,
    index: pd.Index,
    boundaries: Boundaries | None,
) -> tuple[pd.Series, pd.Series, str]:
    """Return the key of each cluster and of each image, and what kind of key the table has."""
    clusters, images = dataset.clusters, dataset.images
    candidates: dict[str, tuple[pd.Series, pd.Series]] = {}
    if boundaries is not None:
        districts = find_region(None, boundaries).districts
        rows = [_district_of(table, districts) for table in (clusters, images)]
        for kind in ("district_id", "district"):
            names = districts[kind].astype(str).reindex([*range(len(districts)), -1])
            candidates[kind] = tuple(names.reindex(row) for row in rows)
    else:
        columns = {kind: clusters[kind].astype(object) for kind in ("unique_cluster", "district_id")}
        if "," in join:
            columns["position"] = pd.Series(_position_keys(*lonlat(clusters.geometry).T), dtype=object)
        for kind, column in columns.items():
            of_cluster = column.where(column.notna(), None)
            of_name = of_cluster.set_axis(clusters["unique_cluster"])
            candidates[kind] = of_cluster, of_name.reindex(images["unique_cluster"])
    for kind, (of_cluster, of_image) in candidates.items():
        if of_cluster.isin(index).any() or of_image.isin(index).any():
            return of_cluster, of_image, kind
    kinds = " or ".join(candidates)
    theirs = [str(key) for keys in candidates.values() for key in keys[0].dropna().unique()[:2]]
    raise InputError(
        f"{path}: column {join!r} holds no {kinds} of {dataset.name}: it begins with {', '.join(map(shown, index[:3]))}, and the "
        f"dataset has {', '.join(map(shown, theirs)) or 'none'}; name another column with join='COLUMN'"
        + ("" if boundaries is not None else ", or give the districts with boundaries='FILE'"),
        parameter="join",
    )


def _district_of(table: gpd.GeoDataFrame, districts: gpd.GeoDataFrame) -> np.ndarray:
    """Return the row of the district that each place lies in, −1 where there is none."""
    district = np.full(len(table), -1)
    point, found = shapely.STRtree(districts.geometry.values).query(table.geometry.values, predicate="intersects")
    # of a place on a border, the first district counts
    district[point[::-1]] = found[::-1]
    return district
