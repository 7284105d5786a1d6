"""Write a dataset to a folder, and read it: tables, feature sets, covariates, and the facts that list them with checksums."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.covariate_tables import CovariateTables, read_covariates, write_covariates
from geolive.dataset import Dataset
from geolive.dataset_facts import FACTS, SCHEMA_VERSION, read_facts
from geolive.dataset_files import (
    IMAGES,
    SITE_OF_IMAGE,
    SITES,
    check_listed_files,
    check_sites,
    read_array,
    read_plain_table,
    read_sites,
    read_table,
    write_table,
)
from geolive.errors import InputError
from geolive.files import checksum, new_folder
from geolive.partition_files import Box, Partitions, files_of, read_features_array, read_partitions
from geolive.partitioned_array import FeatureArray
from geolive.remote_paths import address_of, addresses_in_errors, is_remote, local_path
from geolive.storage.outputs import remote_folder
from geolive.storage.views import local_copy
from geolive.tables import IMAGE_COLUMNS, lonlat


def write_dataset(
    dataset: Dataset, folder: str | Path, extra_files: dict[str, pd.DataFrame] | None = None
) -> str | Path:
    """Write a dataset to a new folder, completely or not at all.

    Parameters
    ----------
    dataset : Dataset
    folder : str or Path
        Must not exist, or must be empty. An address in object storage (`s3://…`) is written when the local work is
        done.
    extra_files : dict of str to DataFrame, optional
        Further tables to write, by file name (the sample's truth).

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    InputError
        A table breaks its contract, or the folder is not free.

    See Also
    --------
    geolive.read_dataset : Read a dataset from its folder.
    geolive.partition_dataset : Write a dataset in partitions, for datasets larger than the memory.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.simulation.sample import make_sample
    >>> folder = Path(tempfile.mkdtemp()) / "bihar"
    >>> made = make_sample("bihar", n_clusters=40, n_sites=10)
    >>> len(read_dataset(write_dataset(made, folder)).clusters)
    40
    """
    if is_remote(folder):
        with remote_folder(folder) as local:
            write_dataset(dataset, local, extra_files)
        return address_of(folder)
    folder = Path(local_path(folder))
    with new_folder(folder) as temporary, ThreadPoolExecutor(1) as pool:
        # the largest table, while the others and the features are written
        images = pool.submit(write_table, dataset.images, temporary / IMAGES)
        write_table(dataset.clusters, temporary / "clusters.parquet")
        dataset.rejects.astype({"row": "int64", "reason": "str"}).to_parquet(temporary / "rejects.parquet", index=False)
        for name, array in dataset.features.items():
            (temporary / "features").mkdir(exist_ok=True)
            np.save(temporary / "features" / f"{name}.npy", array, allow_pickle=False)
            about = {"name": name, "shape": list(array.shape), "dtype": str(array.dtype)}
            (temporary / "features" / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        if len(dataset.sites):
            write_table(dataset.sites, temporary / SITES)
            np.save(temporary / SITE_OF_IMAGE, dataset.site_of_image, allow_pickle=False)
        if dataset.covariates is not None:
            write_covariates(dataset.covariates, temporary)
        for name, table in (extra_files or {}).items():
            (temporary / name).parent.mkdir(exist_ok=True)
            write_table(table, temporary / name)
        images.result()
        (temporary / FACTS).write_text(
            json.dumps(_facts(dataset, temporary), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return folder


@addresses_in_errors()
def read_dataset(folder: str | Path, *, columns: Sequence[str] | None = None, box: Box | None = None) -> Dataset:
    """Read a dataset folder, plain or partitioned. Feature sets are mapped into memory and not loaded.

    Parameters
    ----------
    folder : str or Path
        A folder, or its address in object storage (`s3://…`, `gs://…`). The cache keeps a copy of object storage; of
        a partitioned dataset it keeps only the partitions that are read.
    columns : sequence of str, optional
        Columns of images to read beside key, country, unique_cluster and geometry; by default all. Columns that the
        dataset does not have are left out.
    box : tuple of float, optional
        West, south, east, north in degrees. Images outside the box are left out, as by `Dataset.select_images`, and
        only the partitions that overlap the box are read. Sites stay those of the whole dataset.

    Returns
    -------
    Dataset
        The dataset, with its folder as `path`.

    Raises
    ------
    InputError
        The folder is not a dataset, a file is missing, altered or cut short, or a table breaks its contract.

    See Also
    --------
    geolive.write_dataset : Write a dataset to a new folder.
    geolive.audit : Check the quality of a dataset, a model or a map.

    Examples
    --------
    >>> read_dataset("no/such/folder")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/folder: no such dataset folder; make one with sample or ingest
    """
    if is_remote(folder):
        folder = local_copy(folder, None if box is None else partial(_elsewhere, box))
    folder = Path(local_path(folder))
    if not folder.is_dir():
        raise InputError(f"{folder}: no such dataset folder; make one with sample or ingest")
    facts = read_facts(folder)
    dataset = _read(folder, facts, None if columns is None else [*IMAGE_COLUMNS, *columns], box)
    return dataset if box is None else _within(dataset, box)


def _elsewhere(box: Box, facts: dict) -> set[str]:
    """The files of partitions that have nothing within a box."""
    whole = Partitions.from_facts(facts)
    if whole is None:
        return set()
    # one partition tells which columns there are, also where none is in the box
    read = whole.touching(box).names or whole.names[:1]
    return files_of(whole.names, facts["checksums"]) - files_of(read, facts["checksums"])


def _read(folder: Path, facts: dict, columns: Sequence[str] | None, box: Box | None) -> Dataset:
    whole = Partitions.from_facts(facts)
    partitions = whole if whole is None or box is None else whole.touching(box)
    if whole is not None and partitions is not None and not len(partitions):
        # an empty table has the columns and types of any partition
        partitions = whole.take([0])
    unread = set(whole.names) - set(partitions.names) if whole and partitions else set()
    check_listed_files(folder, facts, files_of(list(unread), facts["checksums"]))
    try:
        images, features, covariates, site_of_image = (
            _plain_images(folder, facts, columns)
            if partitions is None
            else _partitioned_images(folder, facts, partitions, columns)
        )
        dataset = Dataset(
            images,
            read_table(folder / "clusters.parquet"),
            features,
            facts["indicators"],
            facts["source"],
            facts["command"],
            bool(facts["simulated"]),
            facts["thresholds"],
            read_plain_table(folder / "rejects.parquet"),
            facts["extra"],
            covariates,
        )
    except InputError as error:
        raise InputError(f"{folder}: {error}; make the dataset again") from None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:  # facts that geolive did not write
        said = f"{type(error).__name__}: {error}"
        raise InputError(f"{folder}: not a dataset that geolive wrote ({said}); make the dataset again") from error
    object.__setattr__(dataset, "path", folder)
    object.__setattr__(dataset, "partitions", partitions)
    object.__setattr__(dataset, "_folder_checksum", checksum(folder / FACTS))
    object.__setattr__(dataset, "_listed", frozenset(facts["checksums"]))
    if SITES in facts["checksums"]:
        if site_of_image is None:
            dataset.__dict__["_sites_and_images"] = read_sites(folder, len(dataset.images))
        else:
            sites = read_table(folder / SITES)
            check_sites(folder / "images", sites, site_of_image, len(dataset.images))
            dataset.__dict__["_sites_and_images"] = sites, site_of_image
    return dataset


_Images = tuple[gpd.GeoDataFrame, dict[str, FeatureArray], CovariateTables | None, np.ndarray | None]


def _plain_images(folder: Path, facts: dict, columns: Sequence[str] | None) -> _Images:
    features: dict[str, FeatureArray] = {
        name: read_array(folder / "features" / f"{name}.npy") for name in facts["features"]
    }
    return read_table(folder / IMAGES, columns), features, read_covariates(folder, facts), None


def _partitioned_images(folder: Path, facts: dict, partitions: Partitions, columns: Sequence[str] | None) -> _Images:
    images, order, site = read_partitions(folder, partitions, columns)
    features: dict[str, FeatureArray] = {
        name: read_features_array(folder, partitions, name, order) for name in facts["features"]
    }
    return images, features, read_covariates(folder, facts, partitions, order), site


def _within(dataset: Dataset, box: Box) -> Dataset:
    """The images of a dataset that lie in a box, with the sites of the whole dataset."""
    west, south, east, north = box
    lon, lat = lonlat(dataset.images.geometry).T
    inside = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    chosen = dataset.select_images(inside)
    chosen.__dict__["_sites_and_images"] = dataset.sites, dataset.site_of_image[inside]
    return chosen


def _facts(dataset: Dataset, folder: Path) -> dict:
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {
        "schema_version": SCHEMA_VERSION,
        "source": dataset.source,
        "command": dataset.command,
        "simulated": dataset.simulated,
        "counts": {"images": len(dataset.images), "clusters": len(dataset.clusters)},
        "indicators": dataset.indicators,
        "thresholds": dataset.thresholds,
        "features": sorted(dataset.features),
        **({"covariates": dataset.covariates.about} if dataset.covariates else {}),
        "extra": dataset.extra,
        "checksums": {name: checksum(folder / name) for name in files},
    }
