"""Makes the dataset folder from the ledger of a fetch."""

import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.clusters import join_images
from geolive.dataset import Dataset
from geolive.dataset_folder import write_dataset
from geolive.errors import InputError
from geolive.files import place_folder
from geolive.sources.imagery.area import Area
from geolive.sources.imagery.ledger import Ledger
from geolive.sources.imagery.sampling import Wanted
from geolive.sources.imagery.source import Source
from geolive.tables import CRS, N_CLASSES, empty_clusters, points

PHOTOS = "photos"
_MOST_LISTED = 100


def make_dataset(
    ledger: Ledger, source: Source, area: Area, wanted: Wanted, failed: dict[str, str], command: str, request: dict
) -> Dataset:
    """Make a dataset of the images in a ledger.

    Parameters
    ----------
    ledger : Ledger
    source : Source
    area : Area
    wanted : Wanted
    failed : dict of str to str
        Reasons for the images that could not be fetched, by id.
    command : str
        The command that dataset.json records.
    request : dict
        The request that dataset.json records.

    Returns
    -------
    Dataset
        Images in the order of their ids, with `img_path` (relative to the dataset folder) and `sha256` of each photo, the
        facts and the columns of the source. Deleted and failed images are in `rejects` (`row`: number in the sample; `key`).
        For an area around a survey, each image belongs to the nearest cluster, and clusters, indicators and labels are those
        of the survey.

    Raises
    ------
    InputError
        There is no image left.
    """
    rows = ledger.images()
    not_fetched = rows["id"].map({id: f"not fetched: {why}" for id, why in failed.items()})
    reason = rows["gone"].where(rows["gone"].notna(), not_fetched)
    kept = rows[reason.isna()].reset_index(drop=True)
    if kept.empty:
        raise InputError(
            f"{area.name}: none of {len(rows):,} images can be used ({reason.mode()[0]}); "
            + ("name another area" if area.keys is None else "check the keys")
        )
    rejects = pd.DataFrame({"row": np.arange(len(rows)) + 1, "reason": reason, "key": rows["id"].astype(str)})
    rejects = rejects[rejects["reason"].notna()].reset_index(drop=True)
    images, clusters = _images_table(kept, source, area), empty_clusters()
    if area.survey is not None:
        images, clusters = join_images(images, area.survey.clusters)
    features, unmatched = _object_counts(kept, source) if wanted.objects else ({}, Counter())
    attribution, licence = source.credit(images)
    extra = {"fetch": request, "attribution": attribution, "licence": licence}
    if unmatched:
        extra["detections_without_class"] = dict(unmatched.most_common(_MOST_LISTED))
    survey = area.survey
    return Dataset(
        images,
        clusters,
        features,
        survey.indicators if survey else [],
        f"{attribution}; {area.name}" if survey is None else f"{attribution}; survey: {survey.source}",
        command,
        survey.simulated if survey else False,
        survey.thresholds if survey else {},
        rejects,
        extra,
    )


def move_into_place(dataset: Dataset, work: Path, out: Path) -> None:
    """Write the dataset to the work folder, move the photos into it, and rename it to `out`.

    After a kill between any two steps, the next run can continue: the photos are in one of two known folders.
    """
    ready, photos = work / "dataset", work / PHOTOS
    rescue_photos(work)
    shutil.rmtree(ready, ignore_errors=True)
    write_dataset(dataset, ready)
    if dataset.images["img_path"].notna().any():
        photos.rename(ready / PHOTOS)
    place_folder(ready, out)


def rescue_photos(work: Path) -> None:
    """Move the photos out of a dataset that is not yet in place."""
    inner = work / "dataset" / PHOTOS
    if inner.is_dir():
        shutil.rmtree(work / PHOTOS, ignore_errors=True)
        inner.rename(work / PHOTOS)


def _images_table(kept: pd.DataFrame, source: Source, area: Area) -> gpd.GeoDataFrame:
    facts = pd.DataFrame(list(kept["facts"]), columns=[*_FACTS, *source.columns], dtype=object)
    where = facts[["lon", "lat"]].to_numpy(float)
    taken = facts["captured_at"].where(facts["captured_at"].notna(), kept["tile_captured_at"])
    columns = {
        "key": kept["id"].astype("str"),
        "country": pd.Series(area.country, index=kept.index, dtype="str"),
        "unique_cluster": pd.Series(None, index=kept.index, dtype="str"),
        "img_path": _texts(
            f"{PHOTOS}/{id}.jpg" if sha else None for id, sha in zip(kept["id"], kept["sha256"], strict=True)
        ),
        "sha256": _texts(kept["sha256"]),
        "sequence_id": _texts(facts["sequence_id"]),
        "captured_at": pd.to_datetime(pd.to_numeric(taken).astype("Int64"), unit="ms", utc=True),
        "compass_angle": facts["compass_angle"].astype(float),
        "is_pano": facts["is_pano"].astype(bool),
        "creator": _texts(facts["creator"]),
        "creator_id": _texts(facts["creator_id"]),
    }
    for name, kind in source.columns.items():
        columns[name] = facts[name].astype(float) if kind == "float" else _texts(facts[name])
    return gpd.GeoDataFrame(columns, geometry=points(*where.T), crs=CRS)


_FACTS = ["lon", "lat", "captured_at", "sequence_id", "compass_angle", "is_pano", "creator", "creator_id"]


def _texts(values: Iterable[str | None]) -> pd.Series:
    # with a type, so that a column without any value is text, too
    return pd.Series(list(values), dtype="str")


def _object_counts(kept: pd.DataFrame, source: Source) -> tuple[dict[str, np.ndarray], Counter[str]]:
    counts = np.zeros((len(kept), N_CLASSES), np.uint16)
    unmatched: Counter[str] = Counter()
    for row, values in enumerate(kept["detections"]):
        counts[row], without = source.count_objects(values)
        unmatched.update(without)
    return {"objects": counts}, unmatched
