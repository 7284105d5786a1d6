"""Add covariates from rasters and tables to a dataset, in memory or in its folder."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from geolive.boundary_files import Boundaries
from geolive.covariate_tables import CovariateTables, next_part, part_files
from geolive.covariates.raster_grids import open_grid
from geolive.covariates.raster_names import RasterCovariate, as_rasters
from geolive.covariates.sampling import RasterSample, sample_raster
from geolive.covariates.table_join import table_covariates
from geolive.dataset import Dataset, check_dataset
from geolive.dataset_facts import FACTS, read_facts
from geolive.dataset_files import write_table
from geolive.engine.interface import Engine
from geolive.errors import InputError
from geolive.files import checksum, replacing
from geolive.partition_files import Partitions, covariates_file, rows_of_partitions
from geolive.tables import lonlat
from geolive.temporary_files import locked

# the DHS displaces its points by so much
BUFFER_KM = {"urban": 2.0, "rural": 5.0}
KINDS = ("urban", "rural", "unknown")
# a raster with so many bands is an embedding
_MANY_BANDS = 32


def add_covariates(
    dataset: Dataset,
    rasters: Iterable[str | RasterCovariate] | Mapping[str, str | Path] = (),
    *,
    buffer_km: float | Mapping[str, float] | None = None,
    table: str | Path | None = None,
    join: str | None = None,
    columns: Sequence[str] | None = None,
    boundaries: Boundaries | None = None,
    progress: Callable[[str], None] | None = None,
) -> Dataset:
    """Return a dataset with covariates of its clusters and images from rasters, a table, or both.

    Parameters
    ----------
    dataset : Dataset
    rasters : list of str, or dict of str to path
        "NAME=FILE" or "NAME=FILE:BAND"; see `geolive.covariates.sampling.covariates_at`.
    buffer_km : float or dict of str to float, optional
        Radius in km of the buffer over which the mean of a raster is taken. The default, {"urban": 2, "rural": 5},
        covers the displacement of the DHS and uses the column `urban` of clusters. Clusters without this value, and
        images of no cluster, use the radius "unknown", or else the largest one. 0 takes the value of the cell.
    table : str or Path, optional
        A table with a row for each cluster or district; see `geolive.covariates.table_join.table_covariates`.
    join, columns, boundaries
        With `table`: its column of keys, the columns to add, and a file of districts.
    progress : callable, optional
        Called with a sentence about the progress.

    Returns
    -------
    Dataset
        A new dataset, whose `covariates` holds the numbers. The first dataset is not changed.

    Raises
    ------
    InputError
        Neither a raster nor a table is given, a file cannot be used, a name is taken, no cluster has a value, or there would be
        more covariates than clusters.

    See Also
    --------
    geolive.read_survey : Read a table of surveyed places.
    geolive.Kriging : Kriging of the survey, with or without covariates.

    Examples
    --------
    >>> import tempfile
    >>> import geolive
    >>> dataset = geolive.make_sample("goa")
    >>> path = Path(tempfile.mkdtemp()) / "heights.csv"
    >>> dataset.clusters[["unique_cluster"]].assign(height=12.5).to_csv(path, index=False)
    >>> geolive.add_covariates(dataset, table=path, join="unique_cluster").covariates.names
    ('height',)
    """
    check_dataset(dataset)
    new = compute_covariates(
        dataset,
        rasters,
        buffer_km=buffer_km,
        table=table,
        join=join,
        columns=columns,
        boundaries=boundaries,
        progress=progress,
    )
    return dataset.with_covariates(new)


def compute_covariates(
    dataset: Dataset,
    rasters: Iterable[str | RasterCovariate] | Mapping[str, str | Path] = (),
    *,
    buffer_km: float | Mapping[str, float] | None = None,
    table: str | Path | None = None,
    join: str | None = None,
    columns: Sequence[str] | None = None,
    boundaries: Boundaries | None = None,
    progress: Callable[[str], None] | None = None,
    engine: Engine | None = None,
) -> CovariateTables:
    """Compute the covariates that `add_covariates` adds to a dataset, which may be placed in its folder.

    With an engine (`geolive.engine.choosing.choose_engine`), rasters are read by its workers, with equal results.
    """
    chosen = as_rasters(rasters)
    if not chosen and table is None:
        raise InputError(
            "rasters: neither a raster nor a table is given; give NAME=FILE, or table='FILE'", parameter="rasters"
        )
    if (table is None) != (join is None):
        raise InputError(
            "table and join belong together; give table='FILE' and join='COLUMN', its column of clusters or districts",
            parameter="join",
        )
    if table is None and (columns or boundaries is not None):
        raise InputError("columns and boundaries need a table; give it with table='FILE'", parameter="table")
    found: list[CovariateTables] = []
    # names are known before long work begins
    names = [name for raster in chosen for name in _names(raster)]
    if table is not None and join is not None:
        found.append(table_covariates(dataset, table, join, columns, boundaries))
        names += found[0].names
    _check_names(dataset, names)
    radius = _radius_of_kinds(buffer_km)
    found += [_of_raster(dataset, raster, radius, progress, engine) for raster in chosen]
    joined = found[0]
    for other in found[1:]:
        joined = joined.joined(other)
    _check_values(dataset, joined)
    return joined


def place_covariates(folder: str | Path, tables: CovariateTables) -> None:
    """Write covariates into a dataset folder. Nothing else in it is altered; `dataset.json` is written last.

    Parameters
    ----------
    folder : str or Path
        A dataset whose clusters and images the rows belong to.
    tables : CovariateTables

    Raises
    ------
    InputError
        Another process has added a covariate of one of the names in the meantime.

    Examples
    --------
    >>> import tempfile
    >>> import geolive
    >>> folder = geolive.write_dataset(geolive.make_sample("goa"), Path(tempfile.mkdtemp()) / "goa")
    >>> dataset = geolive.read_dataset(folder)
    >>> ones = [pd.DataFrame({"one": np.ones(len(table))}) for table in (dataset.clusters, dataset.images)]
    >>> place_covariates(folder, CovariateTables(*ones, {"one": {"kind": "table", "file": "ones.csv"}}))
    >>> geolive.read_dataset(folder).covariates.names
    ('one',)
    """
    folder = Path(folder)
    for name in ("features", "covariates"):
        (folder / name).mkdir(exist_ok=True)
    # whoever adds a feature set or covariates waits for the same lock
    with locked(folder / "features"), ExitStack() as stack:
        facts = read_facts(folder)
        taken = [name for name in tables.names if name in facts.get("covariates", {})]
        if taken:
            raise InputError(
                f"{folder}: has a covariate {taken[0]!r} already, and geolive overwrites nothing; use another name"
            )
        # the facts take their place last, when the files that they list are there
        new_facts = stack.enter_context(replacing(folder / FACTS))
        for name, table in _files_of_next_part(folder, facts, tables):
            file = stack.enter_context(replacing(folder / name))
            write_table(table, file)
            facts["checksums"][name] = checksum(file)
        facts["covariates"] = facts.get("covariates", {}) | tables.about
        new_facts.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _files_of_next_part(folder: Path, facts: dict, tables: CovariateTables) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each file that the tables become in a dataset folder, with what it holds."""
    number = next_part(facts["checksums"])
    of_clusters, of_images = part_files(number)
    yield of_clusters, tables.clusters
    partitions = Partitions.from_facts(facts)
    if partitions is None:
        yield of_images, tables.images
    else:
        for name, rows in rows_of_partitions(folder, partitions):
            yield covariates_file(number, name), tables.images.iloc[rows].reset_index(drop=True)


def _names(raster: RasterCovariate) -> tuple[str, ...]:
    with open_grid(raster, raster.files[0]) as grid:
        return grid.names


def _check_names(dataset: Dataset, names: list[str]) -> None:
    there = dataset.covariates.names if dataset.covariates else ()
    for i, name in enumerate(names):
        if name in there:
            raise InputError(
                f"{dataset.name}: has a covariate {name!r} already, and geolive overwrites nothing; choose another name",
                parameter="rasters",
            )
        if name in names[:i]:
            raise InputError(
                f"rasters: the name {name!r} occurs twice; give each covariate its own name", parameter="rasters"
            )
    total, clusters = len(there) + len(names), len(dataset.clusters)
    if total > clusters > 0:
        raise InputError(
            f"{dataset.name}: {total:,} covariates would be more than its {clusters:,} clusters, which no model can learn from; "
            "choose fewer bands or columns",
            parameter="rasters",
        )


def _radius_of_kinds(buffer_km: float | Mapping[str, float] | None) -> dict[str, float]:
    """Return the radius of the buffer for each kind of place, km."""
    given = BUFFER_KM if buffer_km is None else buffer_km
    radius = dict(given) if isinstance(given, Mapping) else dict.fromkeys(KINDS, given)
    known = {"urban", "rural"} <= set(radius) <= set(KINDS)
    try:
        radius = {kind: float(km) for kind, km in radius.items()}
    except (TypeError, ValueError):
        known = False
    if not known or not all(np.isfinite(km) and km >= 0 for km in radius.values()):
        raise InputError(
            f"buffer_km={given}: must be a distance in km of 0 or more, or one each for urban and rural places; give for example "
            "buffer_km=5",
            parameter="buffer_km",
        )
    radius.setdefault("unknown", max(radius.values()))
    return {kind: radius[kind] for kind in KINDS}


def _of_raster(
    dataset: Dataset,
    raster: RasterCovariate,
    radius: dict[str, float],
    progress: Callable[[str], None] | None,
    engine: Engine | None,
) -> CovariateTables:
    clusters, images = dataset.clusters, dataset.images
    kind = _kinds(clusters["urban"])
    kind_of_image = kind.set_axis(clusters["unique_cluster"]).reindex(images["unique_cluster"]).fillna("unknown")
    radius_km = np.concatenate([kind.map(radius).to_numpy(float), kind_of_image.map(radius).to_numpy(float)])
    positions = np.concatenate([lonlat(table.geometry) for table in (clusters, images)])
    sample = sample_raster(raster, positions, radius_km, progress, engine)
    n = len(clusters)
    _check_some_value(raster, sample, n)
    # the share is of clusters, which a model learns from
    share = sample.nodata_share[:n] if n else sample.nodata_share
    facts: dict[str, Any] = {
        "kind": "raster",
        "file": raster.file_name,
        "sha256": raster.checksum(),
        "statistic": _statistic(sample, radius_km),
        "buffer_km": radius,
        "nodata_share": float(share.mean()) if len(share) else None,
    }
    about = {name: facts | {"band": band} for name, band in zip(sample.values, sample.bands, strict=True)}
    # half the memory for embeddings, whose stored numbers have 8 bits
    values = sample.values.astype(np.float32) if len(about) >= _MANY_BANDS else sample.values
    return CovariateTables(values.iloc[:n], values.iloc[n:], about)


def _statistic(sample: RasterSample, radius_km: np.ndarray) -> str:
    taken = "mean" if radius_km.any() else "value"
    return f"{taken}, scaled to length 1" if sample.unit_length else taken


def _kinds(urban: pd.Series) -> pd.Series:
    flag = urban.astype("boolean")
    return pd.Series(np.where(flag.isna(), "unknown", np.where(flag.fillna(False), "urban", "rural")), dtype=object)


def _check_some_value(raster: RasterCovariate, sample: RasterSample, n_clusters: int) -> None:
    for what, rows in (("clusters", slice(0, n_clusters)), ("images", slice(n_clusters, None))):
        values = sample.values.iloc[rows]
        if len(values) and values.isna().all(axis=None):
            if not sample.inside[rows].any():
                raise InputError(
                    f"{raster.file}: does not cover the region: none of the {len(values):,} {what} lies in it; give a raster of "
                    "the region"
                )
            raise InputError(
                f"{raster.file}: holds no data at any of the {len(values):,} {what}; check its nodata value, or choose a larger "
                "buffer_km=5"
            )
        if what == "clusters" and len(values):
            return


def _check_values(dataset: Dataset, tables: CovariateTables) -> None:
    for name in tables.names:
        values = tables.clusters[name].to_numpy(float)
        if len(values) and np.isnan(values).all():
            raise InputError(
                f"{dataset.name}: no cluster has a value of the covariate {name!r}; check that it is of this region"
            )
        for indicator in dataset.indicators:
            measured = dataset.clusters[indicator].to_numpy(float)
            both = np.isfinite(values) & np.isfinite(measured)
            if both.sum() > 2 and np.ptp(measured[both]) > 0 and np.allclose(values[both], measured[both], rtol=1e-9):
                raise InputError(
                    f"{dataset.name}: the covariate {name!r} holds the measured values of {indicator!r}, which would predict "
                    "themselves; leave it out"
                )
