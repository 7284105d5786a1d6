"""Area-level estimation on the columns of one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolive.errors import InputError
from geolive.estimation.area_checks import check_areas, check_choice
from geolive.estimation.benchmarking import benchmark
from geolive.estimation.fay_herriot import FayHerriot
from geolive.estimation.spatial_fay_herriot import SpatialFayHerriot
from geolive.estimation.transformations import TRANSFORMATIONS, back_transform, transform_rates
from geolive.table_files import read_csv, read_parquet

COLUMNS = ["direct", "synthetic", "estimate", "mse", "lower", "upper", "gamma"]


@dataclass(frozen=True)
class AreaResult:
    """Estimates of areas, and the models that they come from.

    Attributes
    ----------
    table : DataFrame
        `area`, the group's column where there is one, `direct`, `synthetic`, `estimate`, `mse`, `lower`, `upper` and
        `gamma`, in the order of the input.
    models : dict
        The fitted model of each group; of the whole table under the name "all".
    """

    table: pd.DataFrame
    models: dict[str, FayHerriot | SpatialFayHerriot]


def estimate_areas(
    table: pd.DataFrame,
    *,
    direct: str,
    covariates: Sequence[str],
    area: str,
    variance: str | None = None,
    sample_size: str | None = None,
    effective_sample_size: str | None = None,
    group: str | None = None,
    proximity: pd.DataFrame | NDArray[np.float64] | None = None,
    method: str | None = None,
    transformation: str | None = None,
    fit_intercept: bool = True,
    level: float = 0.95,
    interval: str = "normal",
    random_state: int = 0,
    benchmark_method: str | None = None,
    population: str | None = None,
    target: float | None = None,
) -> AreaResult:
    """Estimate areas by a Fay-Herriot model from the columns of a table.

    Parameters
    ----------
    table : DataFrame
        One row for each area.
    direct : str
        Column of direct estimates. Its cells are empty for areas that the survey did not visit.
    covariates : sequence of str
        Columns of covariates; text columns become dummies, and `factor(NAME)` makes dummies of a numeric column.
    area : str
        Column that names the areas.
    variance : str, optional
        Column of the direct estimates' sampling variances.
    sample_size : str, optional
        In place of `variance`: column of sample sizes (clusters, or households). The sampling variances are taken to be
        proportional to 1 / sample size, and their factor is estimated (ampl and amrl only).
    effective_sample_size : str, optional
        Column of sample sizes divided by the design effect, for the arcsine transformation; it takes the place of
        `variance`.
    group : str, optional
        Column of groups, such as countries. Each group gets its own model.
    proximity : DataFrame or array of shape (n, n), optional
        Row-standardised proximity of the areas in the table's order, for the spatial model.
    method : str, optional
        ampl (the default), amrl, ampl_yl, reml, ml or fh; with proximity reml (the default) or ml.
    transformation : {"arcsine", "logit"}, optional
        For rates in [0, 1].
    fit_intercept : bool
        Whether the regression has an intercept.
    level : float
        Probability of the intervals.
    interval : {"normal", "bootstrap"}
        Kind of the intervals (see `FayHerriot`).
    random_state : int
        Seed of the bootstrap.
    benchmark_method : {"ratio", "difference", "bell-datta-ghosh"}, optional
        Moves the estimates so that their population-weighted mean is the target (`benchmark`).
    population : str, optional
        Column of populations, for benchmarking.
    target : float, optional
        Value of the whole region. Without it, the target of each group is the population-weighted mean of the direct
        estimates, if every area has one.

    Returns
    -------
    AreaResult

    Raises
    ------
    InputError
        A column is missing or has values that cannot be used, options exclude each other, or the estimation does not
        converge.

    See Also
    --------
    geolive.FayHerriot : The area-level model with fitted parameters.
    geolive.direct_estimates : Estimates of districts from the survey alone.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({
    ...     "district": list("abcdef"),
    ...     "y": [1.2, 1.7, 3.6, 3.5, 5.4, None],
    ...     "v": [0.1, 0.1, 0.2, 0.2, 0.4, None],
    ...     "photos": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    ... })
    >>> result = estimate_areas(table, direct="y", variance="v", covariates=["photos"], area="district")
    >>> result.table[["area", "direct", "synthetic", "estimate", "gamma"]].round(2).tail(2)
      area  direct  synthetic  estimate  gamma
    4    e     5.4       5.05      5.20   0.42
    5    f     NaN       6.05      6.05   0.00
    """
    columns = [_plain(name) for name in covariates]
    given = [area, direct, variance, sample_size, effective_sample_size, group, *columns]
    _check_columns(table, [name for name in given if name is not None])
    if (benchmark_method is None) != (population is None) or (target is not None and benchmark_method is None):
        raise InputError(
            "benchmark_method, population, target: give the method with the population, and the target with both"
        )
    if population is not None:
        _check_columns(table, [population])
    _check_options(variance, sample_size, effective_sample_size, transformation, proximity, group, interval)
    check_areas(table[area])
    numbers = table.set_index(pd.Index(table[area].astype(str)))
    options = {
        "method": method or ("ampl" if proximity is None else "reml"),
        "fit_intercept": fit_intercept,
        "level": level,
    }
    if proximity is None:
        options |= {"interval": interval, "random_state": random_state}
        options["sampling_variance"] = "known" if sample_size is None else "proportional"
    job = _Job(direct, variance, sample_size, effective_sample_size, list(covariates), transformation, options)
    models: dict[str, FayHerriot | SpatialFayHerriot] = {}
    parts = []
    for name, rows in [("all", numbers)] if group is None else _groups(numbers, group):
        try:
            part, models[name] = _estimate(rows, job, proximity)
        except InputError as error:
            raise InputError(str(error) if group is None else f"{group} {name}: {error}") from error
        parts.append(part)
    result = pd.concat(parts).loc[numbers.index].reset_index(drop=True)
    if benchmark_method is not None and population is not None:
        names = None if group is None else numbers[group].astype(str).reset_index(drop=True)
        weights = _numeric(numbers[population]).reset_index(drop=True)
        targets = _direct_means(result, weights, names) if target is None else target
        result = benchmark(result, weights, targets, method=benchmark_method, group=names)
    result.insert(0, "area", table[area].to_numpy())
    if group is not None:
        result.insert(1, group, table[group].to_numpy())
    return AreaResult(result, models)


def read_area_table(path: str | Path, area: str) -> pd.DataFrame:
    """Read a table of areas from a CSV or Parquet file; names of areas stay text, with their zeros in front.

    Raises
    ------
    InputError
        There is no such file, or it cannot be read as a table.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "areas.csv"
    >>> _ = path.write_text("id,y\\n01,2.5\\n")
    >>> read_area_table(path, "id").to_dict("list")
    {'id': ['01'], 'y': [2.5]}
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        parquet = Path(path).suffix == ".parquet"
        table = read_parquet(path) if parquet else read_csv(path, dtype={area: str})
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as a table ({' '.join(str(error).split())}); give CSV or Parquet"
        ) from error
    if table.empty:
        raise InputError(f"{path}: has no rows; give a row for each area")
    return table


@dataclass(frozen=True)
class _Job:
    direct: str
    variance: str | None
    sample_size: str | None
    effective_sample_size: str | None
    covariates: list[str]
    transformation: str | None
    options: dict


def _estimate(
    rows: pd.DataFrame, job: _Job, proximity: pd.DataFrame | NDArray[np.float64] | None
) -> tuple[pd.DataFrame, FayHerriot | SpatialFayHerriot]:
    x = pd.DataFrame({name: _column(rows, name) for name in job.covariates}, index=rows.index)
    y = rows[job.direct]
    d = _variances(rows, job)
    scale = TRANSFORMATIONS.get(job.transformation or "")
    if scale is not None:
        sizes = rows[job.effective_sample_size] if job.effective_sample_size else None
        y, d = transform_rates(scale, _numeric(y), d, sizes)
    assert d is not None
    model: FayHerriot | SpatialFayHerriot
    if proximity is None:
        model = FayHerriot(**job.options).fit(x, y, d)
        estimates = model.predict(x, y, d)
        conditional, effects = (1 - estimates["gamma"].to_numpy()) * model.sigma2_u_, np.full(len(x), model.sigma2_u_)
    else:
        model = SpatialFayHerriot(**job.options).fit(x, y, d, proximity)
        estimates = model.estimates_
        conditional, effects = model.conditional_variance_, model.effect_variance_
    if scale is not None:
        estimates = back_transform(scale, estimates, rows[job.direct], conditional, effects)
    return estimates[COLUMNS], model


def _variances(rows: pd.DataFrame, job: _Job) -> pd.Series | None:
    if job.sample_size is None:
        return None if job.variance is None else rows[job.variance]
    sizes = _numeric(rows[job.sample_size])
    wrong = rows[job.direct].notna() & ~(sizes > 0)
    if wrong.any():
        raise InputError(
            f"{job.sample_size}: area {rows.index[wrong.to_numpy()][0]}: is {sizes[wrong].iloc[0]:g}, and must be above 0 beside "
            "a direct estimate; leave the direct estimate empty where nothing was sampled"
        )
    return (1 / sizes.where(sizes > 0)).rename(job.sample_size)


def _direct_means(result: pd.DataFrame, weights: pd.Series, groups: pd.Series | None) -> dict[str, float]:
    """Return the weighted mean of each group's direct estimates: the target of groups without a given one."""
    if result["direct"].isna().any():
        raise InputError(
            "target: is not given, and areas without a direct estimate leave no weighted mean of the direct ones; give "
            "target=NUMBER",
            "target",
        )
    names = pd.Series("all", index=result.index) if groups is None else groups
    sums = (weights * result["direct"]).groupby(names).sum() / weights.groupby(names).sum()
    return {str(name): float(value) for name, value in sums.items()}


def _groups(table: pd.DataFrame, group: str) -> list[tuple[str, pd.DataFrame]]:
    absent = table[group].isna()
    if absent.any():
        raise InputError(f"{group}: area {table.index[absent.to_numpy()][0]}: has no group; fill it in")
    return [(str(name), rows) for name, rows in table.groupby(group, sort=True)]


def _check_columns(table: pd.DataFrame, names: list[str]) -> None:
    for name in names:
        if name not in table.columns:
            raise InputError(f"table: no column {name!r}; its columns are: {', '.join(map(str, table.columns))}")


def _check_options(
    variance: str | None,
    sample_size: str | None,
    effective_sample_size: str | None,
    transformation: str | None,
    proximity: object,
    group: str | None,
    interval: str,
) -> None:
    if transformation is not None:
        check_choice("transformation", transformation, list(TRANSFORMATIONS))
    if effective_sample_size is not None and transformation != "arcsine":
        raise InputError(
            "effective_sample_size: is for the arcsine transformation only; add it, or give the variance instead"
        )
    if sum(name is not None for name in (variance, sample_size, effective_sample_size)) != 1:
        raise InputError(
            "variance: sampling variances come from one column; give exactly one of variance='COLUMN', sample_size='COLUMN' and, "
            "with the arcsine transformation, effective_sample_size='COLUMN'",
            "variance",
        )
    if sample_size is not None and (transformation is not None or proximity is not None):
        raise InputError(
            "sample_size: goes neither with a transformation nor with proximity; give the variance instead"
        )
    if proximity is not None and group is not None:
        raise InputError(
            "proximity: does not go with group, since each group is fitted alone; estimate one group at a time"
        )
    if proximity is not None and interval != "normal":
        raise InputError(f"interval {interval!r}: is not there for the spatial model; leave it out")


def _plain(covariate: str) -> str:
    return covariate[7:-1].strip() if covariate.startswith("factor(") and covariate.endswith(")") else covariate


def _column(rows: pd.DataFrame, covariate: str) -> pd.Series:
    column = rows[_plain(covariate)]
    return column if _plain(covariate) == covariate else column.astype("category")


def _numeric(column: pd.Series) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(column):
        bad = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
        where = f"area {bad.index[0]}: {bad.iloc[0]!r}" if len(bad) else f"type {column.dtype}"
        raise InputError(f"{column.name}: {where} is not a number; give numbers, and leave missing values empty")
    return column
