"""Reads the paper's data.csv and split lists into a dataset."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.command_line import command_line
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.labels import add_labels
from geolive.regions import assign_districts, read_districts
from geolive.sources.paper.nfhs_states import state_of_cluster
from geolive.sources.paper.rows import INDICATORS, SIMULATED_PREFIX
from geolive.sources.paper.split_lists import read_split_lists
from geolive.sources.paper.table import PaperTable, read_table
from geolive.tables import points

# survey points are displaced by up to 10 km, so some are in a gap between districts or off the coast
_GAP_DEGREES = 0.1
UNMATCHED = "split_lists_unmatched.parquet"


def read_paper(
    path: str | Path,
    splits: str | Path,
    strict: bool = False,
    progress: Callable[[str], None] | None = None,
) -> tuple[Dataset, pd.DataFrame]:
    """Read the paper's table and split lists.

    Parameters
    ----------
    path : str or Path
        data.csv, plain, gzip or zstd, or "-" for standard input.
    splits : str or Path
        Folder with `train_clusters_ia.txt`, `val_clusters_ia.txt` and so on.
    strict : bool
        Raise an error where any row cannot be used, instead of leaving the row out.
    progress : callable, optional
        Called with words that say how many rows are read.

    Returns
    -------
    dataset : Dataset
        Images and clusters in the order of the file, with object counts. Labels are those of the table; where it has none, the
        median decides. A cluster is at `lon`, `lat`, or at the mean position of its images where the table lacks these columns;
        its district is the one that contains this point. `rejects` has the line (`row`) and the reason of each row left out.
        `extra` holds `rows` (read, kept, rejected by reason), `class_names`, `labels_off_median` and `split_lists`.
    unmatched : DataFrame
        Clusters that are only in a list or only in the table: `unique_cluster`, `country`, `split`, `where`.

    Raises
    ------
    InputError
        A file cannot be read or lacks a column, a cluster is in two lists,
        or no row can be used.

    Notes
    -----
    Where the rows of a cluster say different things about it, the most frequent statement holds (among equally frequent ones,
    the first), and the other rows are rejected. Of several rows with the same key, only the first is kept.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train_clusters_ia.txt").write_text("ia_50001")
    >>> _ = (folder / "data.csv").write_text(
    ...     "key,unique_cluster,ilon,ilat,features,features_name,confidence,pov,pov_label,pop,pop_label,bmi,bmi_label\\n"
    ...     'a,ia_50001,85.1,25.6,"[2]","[""Wall""]","[0.9]",-0.5,1,900,1,20,1\\n')
    >>> dataset, unmatched = read_paper(folder / "data.csv", folder)
    >>> dataset.clusters[["unique_cluster", "state", "n_images", "split", "pov"]]
      unique_cluster  state  n_images  split  pov
    0       ia_50001  Bihar         1  train -0.5
    """
    lists = read_split_lists(splits)
    table = read_table(path, progress)
    if progress:
        progress("checking keys and clusters")
    kept, rejects = _consistent_rows(table)
    _check_rejects(path, rejects, len(kept), strict)
    images, clusters = _images(table, kept), _clusters(table, kept)
    indicators = [name for name in INDICATORS if clusters[name].notna().any()]
    clusters = clusters.drop(columns=[f"{n}{end}" for n in INDICATORS if n not in indicators for end in ("", "_label")])
    clusters, thresholds, off_median = _labels(clusters, indicators)
    clusters, unmatched = _with_splits(clusters, lists)
    dataset = Dataset(
        images,
        clusters,
        {"objects": table.objects if len(kept) == len(table.rows) else table.objects[kept["image"].to_numpy()]},
        indicators,
        source="standard input" if str(path) == "-" else Path(path).name,
        command=_command(path, splits, strict),
        simulated=bool(images["key"].str.startswith(SIMULATED_PREFIX).any()),
        thresholds=thresholds,
        rejects=rejects,
        extra={
            "rows": {"read": len(kept) + len(rejects), "kept": len(kept), "rejected": count_reasons(rejects)},
            "class_names": {str(index): table.class_names[index] for index in sorted(table.class_names)},
            "labels_off_median": off_median,
            "split_lists": {
                "matched": int(clusters["split"].notna().sum()),
                **unmatched["where"].value_counts().sort_index().to_dict(),
            },
        },
    )
    return dataset, unmatched


def count_reasons(rejects: pd.DataFrame) -> dict[str, int]:
    """Count the rows left out for each reason, the most frequent first.

    Examples
    --------
    >>> count_reasons(pd.DataFrame({"row": [2, 5, 9], "reason": ["key: empty", "duplicate key", "duplicate key"]}))
    {'duplicate key': 2, 'key: empty': 1}
    """
    return {reason: int(n) for reason, n in rejects["reason"].value_counts().items()}


def _command(path: str | Path, splits: str | Path, strict: bool) -> str:
    out = "paper" if str(path) == "-" else Path(path).name.split(".")[0]
    return command_line("ingest", "paper", path, "--splits", splits, *(["--strict"] if strict else []), "--out", out)


def _consistent_rows(table: PaperTable) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that agree with the others, with the column `image` (row of the table), and all rejects."""
    rows = table.rows.drop(columns="key").assign(image=np.arange(len(table.rows)))
    repeated = table.rows["key"].duplicated().to_numpy()
    # number of the cluster of each statement, in the order of first appearance
    cluster_of, _ = pd.factorize(np.array([cluster.unique_cluster for cluster in table.clusters], dtype=object))
    n_rows = np.bincount(rows["cluster"][~repeated], minlength=len(cluster_of))
    order = np.lexsort((np.arange(len(n_rows)), -n_rows, cluster_of))
    most_frequent = order[np.unique(cluster_of[order], return_index=True)[1]] if len(order) else order
    version = rows["cluster"].to_numpy()
    differs = most_frequent[cluster_of[version]] != version if len(version) else np.zeros(0, bool)
    late = [(int(line), "key: repeated") for line in rows["line"][repeated]]
    late += [(int(line), "unique_cluster: two values for one cluster") for line in rows["line"][differs & ~repeated]]
    more = pd.DataFrame(late, columns=["row", "reason"]).astype({"row": "int64", "reason": "str"})
    rejects = pd.concat([table.rejects, more]).sort_values(["row", "reason"], ignore_index=True)
    keep = ~(repeated | differs)
    return rows if keep.all() else rows[keep].reset_index(drop=True), rejects


def _check_rejects(path: str | Path, rejects: pd.DataFrame, n_kept: int, strict: bool) -> None:
    if n_kept and not (strict and len(rejects)):
        return
    if rejects.empty:
        raise InputError(f"{path}: has a header but no row; check the file")
    counted = "; ".join(f"{reason} ({n:,})" for reason, n in count_reasons(rejects).items())
    remedy = "correct them, or leave out strict=True" if n_kept else "check that it is the paper's data.csv"
    first = rejects["row"].iloc[0]
    raise InputError(
        f"{path}: {len(rejects):,} of {n_kept + len(rejects):,} rows cannot be used, the first in line {first}: {counted}; "
        f"{remedy}"
    )


def _images(table: PaperTable, kept: pd.DataFrame) -> gpd.GeoDataFrame:
    version = kept["cluster"].to_numpy()
    key = table.rows["key"]
    columns = {"key": key if len(kept) == len(key) else key.take(kept["image"]).reset_index(drop=True)}
    for name in ("country", "unique_cluster"):
        facts = pd.Series([getattr(cluster, name) for cluster in table.clusters], dtype="str")
        columns[name] = facts.take(version).reset_index(drop=True)
    if kept["img_path"].ne("").any():
        columns["img_path"] = kept["img_path"]
    return gpd.GeoDataFrame(columns, geometry=points(kept["lon"], kept["lat"]))


def _clusters(table: PaperTable, kept: pd.DataFrame) -> gpd.GeoDataFrame:
    """Return a row for each cluster with an image, in the order of first appearance."""
    by_version = kept.groupby("cluster", sort=False)
    versions = [table.clusters[version] for version in by_version.size().index]
    middle = by_version[["lon", "lat"]].mean().to_numpy()
    where = np.array([m if c.position is None else c.position for c, m in zip(versions, middle, strict=True)])
    ids = [cluster.unique_cluster for cluster in versions]
    columns = {
        "unique_cluster": pd.array(ids, dtype="str"),
        "country": pd.array([cluster.country for cluster in versions], dtype="str"),
        "state": np.array([state_of_cluster(name) for name in ids], dtype=object),
        "district_id": _districts(where, [cluster.country for cluster in versions]),
        "urban": None,
        "n_images": by_version.size().to_numpy(),
    }
    surveyed = np.array([cluster.surveyed for cluster in versions], dtype=float)
    for i, name in enumerate(INDICATORS):
        columns |= {name: surveyed[:, 2 * i], f"{name}_label": surveyed[:, 2 * i + 1]}
    return gpd.GeoDataFrame(columns, geometry=points(*where.T))


def _districts(where: np.ndarray, countries: list[str]) -> np.ndarray:
    """Return the district that contains each Indian cluster, so that folds can keep districts whole; null elsewhere."""
    in_india = np.array([country == "ia" for country in countries])
    district_ids = np.full(len(where), None, dtype=object)
    if in_india.any():
        district_ids[in_india] = assign_districts(points(*where[in_india].T), read_districts(), _GAP_DEGREES)
    return district_ids


def _labels(
    clusters: gpd.GeoDataFrame, indicators: list[str]
) -> tuple[gpd.GeoDataFrame, dict[str, float], dict[str, int]]:
    """Return the clusters with all labels, the medians, and how many labels of the table do not follow the median."""
    by_median, thresholds = add_labels(clusters, indicators)
    off = {}
    for name in indicators:
        delivered, expected = clusters[f"{name}_label"], by_median[f"{name}_label"]
        off[name] = int((delivered.notna() & (delivered != expected)).sum())
        clusters = clusters.assign(**{f"{name}_label": delivered.fillna(expected)})
    return clusters, thresholds, off


def _with_splits(clusters: gpd.GeoDataFrame, lists: pd.DataFrame) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Return the clusters with their split, and the clusters that are only in the table or only in a list."""
    on = ["unique_cluster", "country"]
    both = clusters[on].merge(lists, on=on, how="outer", indicator="where")
    alone = both[both["where"] != "both"].reset_index(drop=True)
    where = alone["where"].map({"left_only": "only in the table", "right_only": "only in a list"}).astype("str")
    split = clusters[on].merge(lists, on=on, how="left")["split"].astype(object)
    split = split.where(split.notna(), None)
    return clusters.assign(split=split), alone.assign(where=where)
