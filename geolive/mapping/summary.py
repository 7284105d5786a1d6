"""Summarise a dataset: counts, ranges and dates, as tables for a terminal or a notebook."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from geolive.antimeridian import bounds_of
from geolive.auditing.survey_imagery import years_after, years_of
from geolive.dataset import Dataset

NO_SPLIT = "no split"


@dataclass(frozen=True)
class Summary:
    """A summary of a dataset.

    Parameters
    ----------
    facts : dict of str to str
        What it was made from and by which command; how much of what it holds.
    clusters : DataFrame
        Clusters by `country` and `state`, a column for each split that occurs, and `clusters`, their sum.
    images_per_cluster : dict of str to float
        `clusters`, `without_images`, `min`, `median`, `mean`, `max`; empty where there is no cluster.
    indicators : DataFrame
        `indicator`, `n`, `mean`, `sd`, `min`, `max`, `threshold`, `share_1`: the share of labels that are 1.
    features : DataFrame
        `feature set`, `shape`, `dtype`.
    covariates : DataFrame
        `covariate`, `from` (the file, and its band), `buffer`, `clusters` and `images` with a value, `mean`, `min`, `max` over
        clusters.
    dates : DataFrame
        `year` (str), `images` taken and `clusters` surveyed in it.
    years_after : dict of str to float
        By how many years images of clusters were taken after the survey: `min`, `median`, `max`, and `n` images; empty
        where one of the two is not known.
    rejects : DataFrame
        `reason`, `count`, the most frequent first.
    """

    facts: dict[str, str]
    clusters: pd.DataFrame
    images_per_cluster: dict[str, float]
    indicators: pd.DataFrame
    features: pd.DataFrame
    covariates: pd.DataFrame
    dates: pd.DataFrame
    years_after: dict[str, float]
    rejects: pd.DataFrame


def summarise(dataset: Dataset) -> Summary:
    """Summarise what a dataset holds.

    Parameters
    ----------
    dataset : Dataset
        With or without images, clusters, indicators and feature sets.

    Returns
    -------
    Summary

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> summary = summarise(make_sample("goa", seed=0))
    >>> summary.indicators.indicator.tolist(), summary.facts["simulated"][:3]
    (['pov', 'pop', 'bmi'], 'yes')
    """
    return Summary(
        _facts(dataset),
        _clusters(dataset.clusters),
        _images_per_cluster(dataset),
        _indicators(dataset),
        pd.DataFrame(
            [
                (name, " × ".join(f"{n:,}" for n in array.shape), str(array.dtype))
                for name, array in sorted(dataset.features.items())
            ],
            columns=["feature set", "shape", "dtype"],
        ),
        _covariates(dataset),
        _dates(dataset),
        _years_after(dataset),
        _rejects(dataset.rejects),
    )


def _facts(dataset: Dataset) -> dict[str, str]:
    images, clusters = dataset.images, dataset.clusters
    facts = {
        "source": dataset.source,
        "command": dataset.command,
        "simulated": "yes: survey or imagery are SIMULATED" if dataset.simulated else "no",
        "images": f"{len(images):,}",
        "clusters": f"{len(clusters):,}",
    }
    if len(images):
        surveyed = int(images["unique_cluster"].notna().sum())
        facts["images"] += f" ({surveyed:,} of clusters, {len(images) - surveyed:,} elsewhere)"
    if dataset.partitions is not None:
        facts["partitions"] = f"{len(dataset.partitions):,}, by {dataset.partitions.by}"
    if "sequence_id" in images and len(images):
        facts["sequences"] = f"{images['sequence_id'].nunique():,}"
    places = np.concatenate([table.geometry.to_numpy() for table in (images, clusters)])
    if len(places):
        west, south, east, north = bounds_of(places)
        facts["bounds"] = f"{west:.4f},{south:.4f},{east:.4f},{north:.4f} (west, south, east, north)"
    if "captured_at" in images and len(images):
        facts["photos taken"] = _span(images["captured_at"])
    if folder := dataset.extra.get("photos_folder"):
        facts["photos"] = str(folder)
    return facts


def _span(times: pd.Series) -> str:
    times, missing = times.dropna(), int(times.isna().sum())
    if times.empty:
        return "at no known time"
    first, last = times.min().date(), times.max().date()
    span = f"{first}" if first == last else f"{first} to {last}"
    return span + (f"; {missing:,} at no known time" if missing else "")


def _clusters(clusters: pd.DataFrame) -> pd.DataFrame:
    names = ["country", "state"]
    where = clusters[names].astype(object)
    where = where.where(where.notna() & (where != ""), "–")
    split = clusters["split"].astype(object)
    table = pd.crosstab([where["country"], where["state"]], split.where(split.notna(), NO_SPLIT))
    known = [name for name in ("train", "val", "test", NO_SPLIT) if name in table.columns]
    table = table.reindex(columns=known).assign(clusters=table.sum(axis=1)).rename_axis(columns=None)
    return table.reset_index() if len(table) else pd.DataFrame(columns=[*names, "clusters"])


def _images_per_cluster(dataset: Dataset) -> dict[str, float]:
    if dataset.clusters.empty:
        return {}
    counts = dataset.images["unique_cluster"].value_counts()
    n = counts.reindex(dataset.clusters["unique_cluster"], fill_value=0).to_numpy()
    return {
        "clusters": len(n),
        "without_images": int((n == 0).sum()),
        "min": int(n.min()),
        "median": float(np.median(n)),
        "mean": float(n.mean()),
        "max": int(n.max()),
    }


def _indicators(dataset: Dataset) -> pd.DataFrame:
    rows = []
    for name in dataset.indicators:
        values = dataset.clusters[name].dropna()
        label = dataset.clusters[f"{name}_label"].dropna()
        threshold = dataset.thresholds.get(name, np.nan)
        rows.append(
            (name, len(values), values.mean(), values.std(), values.min(), values.max(), threshold, label.mean())
        )
    columns = ["indicator", "n", "mean", "sd", "min", "max", "threshold", "share_1"]
    return pd.DataFrame(rows, columns=columns)


def _covariates(dataset: Dataset) -> pd.DataFrame:
    columns = ["covariate", "from", "buffer", "clusters", "images", "mean", "min", "max"]
    tables = dataset.covariates
    if tables is None:
        return pd.DataFrame(columns=columns)
    rows = []
    for name in tables.names:
        facts, values = tables.about[name], tables.clusters[name]
        band = f", band {facts['band']}" if facts.get("band") else ""
        counts = int(values.notna().sum()), int(tables.images[name].notna().sum())
        spread = float(values.mean()), float(values.min()), float(values.max())
        rows.append((name, f"{facts.get('file', '')}{band}", _buffer(facts.get("buffer_km")), *counts, *spread))
    return pd.DataFrame(rows, columns=columns)


def _buffer(radius: dict[str, float] | None) -> str:
    if not radius:
        return "–"
    if len(set(radius.values())) == 1:
        return f"{next(iter(radius.values())):g} km"
    return ", ".join(f"{kind} {km:g} km" for kind, km in radius.items())


def _dates(dataset: Dataset) -> pd.DataFrame:
    counts = {"images": years_of(dataset.images, "captured_at"), "clusters": years_of(dataset.clusters, "year")}
    table = pd.DataFrame({name: years.dropna().astype(int).value_counts() for name, years in counts.items()})
    table = table.fillna(0).astype(int).sort_index().rename_axis("year").reset_index()
    return table.assign(year=table["year"].astype(str))


def _years_after(dataset: Dataset) -> dict[str, float]:
    after = years_after(dataset)
    if not len(after):
        return {}
    return {
        "n": len(after),
        "min": float(after.min()),
        "median": float(np.median(after)),
        "max": float(after.max()),
    }


def _rejects(rejects: pd.DataFrame) -> pd.DataFrame:
    reasons = rejects["reason"]
    return reasons.value_counts().rename_axis("reason").rename("count").reset_index()
