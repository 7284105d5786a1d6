"""Write a dataset to a folder, and read it: tables, feature sets, covariates, and the facts that list them with checksums."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.covariate_tables import read_covariates, write_covariates
from geolive.dataset import Dataset
from geolive.dataset_facts import FACTS, SCHEMA_VERSION, read_facts
from geolive.dataset_files import (
    SITE_OF_IMAGE,
    SITES,
    check_listed_files,
    read_array,
    read_plain_table,
    read_sites,
    read_table,
    write_table,
)
from geolive.errors import InputError
from geolive.files import checksum, new_folder


def write_dataset(dataset: Dataset, folder: str | Path, extra_files: dict[str, pd.DataFrame] | None = None) -> Path:
    """Write a dataset to a new folder, whole or not at all.

    Parameters
    ----------
    dataset : Dataset
    folder : str or Path
        Must not exist, or be empty.
    extra_files : dict of str to DataFrame, optional
        Further tables to keep beside, by file name (the sample's truth).

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    InputError
        A table breaks its contract, or the folder is not free.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.simulation.sample import make_sample
    >>> folder = Path(tempfile.mkdtemp()) / "bihar"
    >>> made = make_sample("bihar", n_clusters=40, n_sites=10)
    >>> len(read_dataset(write_dataset(made, folder)).clusters)
    40
    """
    with new_folder(folder) as temporary:
        write_table(dataset.images, temporary / "images.parquet")
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
        (temporary / FACTS).write_text(
            json.dumps(_facts(dataset, temporary), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return Path(folder)


def read_dataset(folder: str | Path) -> Dataset:
    """Read a dataset folder. Feature sets are mapped from disk and not loaded.

    Raises
    ------
    InputError
        The folder is no dataset, one of its files is missing, altered or cut short, or a table breaks its contract.

    Examples
    --------
    >>> read_dataset("no/such/folder")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/folder: no such dataset folder; make one with sample or ingest
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such dataset folder; make one with sample or ingest")
    facts = read_facts(folder)
    check_listed_files(folder, facts)
    try:
        dataset = Dataset(
            read_table(folder / "images.parquet"),
            read_table(folder / "clusters.parquet"),
            {name: read_array(folder / "features" / f"{name}.npy") for name in facts["features"]},
            facts["indicators"],
            facts["source"],
            facts["command"],
            bool(facts["simulated"]),
            facts["thresholds"],
            read_plain_table(folder / "rejects.parquet"),
            facts["extra"],
            read_covariates(folder, facts),
        )
    except InputError as error:
        raise InputError(f"{folder}: {error}; make the dataset again") from None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:  # facts that geolive did not write
        said = f"{type(error).__name__}: {error}"
        raise InputError(f"{folder}: not a dataset that geolive wrote ({said}); make the dataset again") from error
    object.__setattr__(dataset, "path", folder)
    object.__setattr__(dataset, "_folder_checksum", checksum(folder / FACTS))
    object.__setattr__(dataset, "_listed", frozenset(facts["checksums"]))
    if SITES in facts["checksums"]:
        dataset.__dict__["_sites_and_images"] = read_sites(folder, len(dataset.images))
    return dataset


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
