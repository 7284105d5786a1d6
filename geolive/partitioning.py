"""Divide a dataset folder into partitions, or put it together again."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from geolive.covariate_tables import covariate_parts, part_files
from geolive.dataset_facts import FACTS, read_facts
from geolive.dataset_files import IMAGES, SITE_OF_IMAGE, check_listed_files, read_array
from geolive.errors import InputError
from geolive.files import checksum, new_folder
from geolive.npy_file import NpyFile
from geolive.partition_files import (
    ROW,
    SITE,
    Partitions,
    covariates_file,
    features_file,
    files_of,
    images_file,
    positions_of,
    read_arrow,
    read_features_array,
    read_images_tables,
    write_array,
    write_arrow,
    write_images,
)
from geolive.partition_scheme import parse_scheme
from geolive.partitioned_array import FeatureArray
from geolive.remote_paths import is_remote, local_path, remote_origin
from geolive.storage.outputs import remote_folder
from geolive.storage.views import local_copy
from geolive.wording import count_of

if TYPE_CHECKING:
    import pyarrow as pa

PLAIN = "none"
_ROWS_AT_ONCE = 65536


def partition_dataset(
    folder: str | Path, by: str, out: str | Path, *, progress: Callable[[str], None] | None = None
) -> Partitions | None:
    """Copy a dataset folder with its images divided into partitions, or with its partitions joined again.

    The column `_row` of the partitions keeps the order of the images. Every command therefore gives equal results on
    both forms, and a dataset that is joined again has the bytes of the first one. Photos are not copied.

    Parameters
    ----------
    folder : str or Path
        A dataset, plain or partitioned.
    by : str
        country, quadkey:LEVEL or h3:RESOLUTION (`geolive.partition_scheme`), or none for a plain dataset.
    out : str or Path
        The folder to make, or its address in object storage. It must not exist, or must be empty.
    progress : callable, optional
        Called with a short text about the progress.

    Returns
    -------
    Partitions or None
        None for a plain dataset.

    Raises
    ------
    InputError
        `by` is not a known scheme, the folder is not a complete dataset or has no images, or `out` is not free.

    See Also
    --------
    geolive.write_dataset : Write a dataset to a new folder.
    geolive.read_dataset : Read a dataset from its folder.

    Examples
    --------
    >>> import tempfile
    >>> import geolive
    >>> folder = geolive.write_dataset(geolive.make_sample("goa"), Path(tempfile.mkdtemp()) / "goa")
    >>> partition_dataset(folder, "quadkey:7", folder.with_name("parts")).names
    ('ia/1233030',)
    >>> geolive.read_dataset(folder.with_name("parts")).images["key"].equals(geolive.read_dataset(folder).images["key"])
    True
    """
    if is_remote(out):
        with remote_folder(out) as local:
            return partition_dataset(folder, by, local, progress=progress)
    folder = Path(local_copy(folder) if is_remote(folder) else local_path(folder))
    out = Path(local_path(out))
    scheme = None if by == PLAIN else parse_scheme(by)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such dataset folder; make one with sample or ingest")
    facts = read_facts(folder)
    check_listed_files(folder, facts)
    say = progress or (lambda words: None)
    source = _Source.opened(folder, facts)
    if not source.images.num_rows:
        raise InputError(f"{folder}: has no images to divide; add some with ingest photos or fetch images")
    with new_folder(out) as temporary:
        made: Partitions | None = None
        if scheme is None:
            _write_plain(source, temporary, say)
        else:
            country = source.images["country"].to_numpy(zero_copy_only=False).astype(str)
            names = scheme.names(country, positions_of(source.images))
            made = _write_partitions(source, str(scheme), names, temporary, say)
        _write_facts(source, made, temporary)
    return made


@dataclass(frozen=True)
class _Source:
    """The parts of a dataset that partitions divide, in the order of its images."""

    folder: Path
    facts: dict[str, Any]
    images: "pa.Table"
    site: np.ndarray | None
    features: dict[str, FeatureArray]
    covariates: dict[int, "pa.Table"]
    # of the folder's files, those that hold these
    files: set[str]

    @classmethod
    def opened(cls, folder: Path, facts: dict[str, Any]) -> "_Source":
        listed, numbers = facts["checksums"], covariate_parts(facts["checksums"])
        partitions = Partitions.from_facts(facts)
        if partitions is None:
            features: dict[str, FeatureArray] = {
                name: read_array(folder / f"features/{name}.npy") for name in facts["features"]
            }
            covariates = {number: read_arrow(folder / part_files(number)[1]) for number in numbers}
            site = np.array(read_array(folder / SITE_OF_IMAGE)) if SITE_OF_IMAGE in listed else None
            files = {IMAGES, SITE_OF_IMAGE, *(f"features/{name}.npy" for name in features)}
            files |= {part_files(number)[1] for number in numbers}
            return cls(folder, facts, read_arrow(folder / IMAGES), site, features, covariates, files & set(listed))
        table = read_images_tables(folder, partitions)
        order = np.argsort(table[ROW].to_numpy(), kind="stable")
        features = {name: read_features_array(folder, partitions, name, order) for name in facts["features"]}
        covariates = {
            number: read_arrow(*(folder / covariates_file(number, name) for name in partitions.names)).take(order)
            for number in numbers
        }
        site = table[SITE].to_numpy().astype(np.int32)[order] if "sites.parquet" in listed else None
        images = table.drop_columns([ROW, SITE]).take(order)
        return cls(folder, facts, images, site, features, covariates, files_of(partitions.names, listed))


def _write_partitions(
    source: _Source, by: str, names: np.ndarray, folder: Path, say: Callable[[str], None]
) -> Partitions:
    import pyarrow as pa

    site = np.full(source.images.num_rows, -1, np.int32) if source.site is None else source.site
    made: list[tuple[str, int, tuple]] = []
    # rows are taken from a table in one piece: of one in many, Arrow copies the whole for each partition
    whole = source.images.combine_chunks()
    covariates = {number: table.combine_chunks() for number, table in source.covariates.items()}
    for name, rows in _rows_by_name(names):
        images = whole.take(rows)
        images = images.append_column(ROW, pa.array(rows, pa.int64()))
        images = images.append_column(SITE, pa.array(site[rows].astype(np.int32), pa.int32()))
        box = write_images(images, folder / images_file(name))
        for feature_set, array in source.features.items():
            write_array(array[rows], folder / features_file(feature_set, name))
        for number, table in covariates.items():
            write_arrow(table.take(rows), folder / covariates_file(number, name))
        made.append((name, len(rows), box or ()))
        say(f"{count_of(len(made), 'partition')}, {sum(size for _, size, _ in made):,} of {len(names):,} images")
    parts = zip(*made, strict=True)
    return Partitions(by, *parts)


def _rows_by_name(names: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Each name, in order, with its rows, ascending."""
    known, code = np.unique(names, return_inverse=True)
    order = np.argsort(code, kind="stable")
    ends = np.cumsum(np.bincount(code, minlength=len(known)))
    yield from zip(known.tolist(), np.split(order, ends[:-1]), strict=True)


def _write_plain(source: _Source, folder: Path, say: Callable[[str], None]) -> None:
    say("writing the images")
    write_images(source.images, folder / IMAGES)
    for name, array in source.features.items():
        say(f"writing the features {name}")
        (folder / "features").mkdir(exist_ok=True)
        with NpyFile(folder / f"features/{name}.npy", array.shape, array.dtype) as file:
            for start in range(0, len(array), _ROWS_AT_ONCE):
                some = array[start : start + _ROWS_AT_ONCE]
                file.write(np.arange(start, start + len(some)), some)
    for number, table in source.covariates.items():
        write_arrow(table, folder / part_files(number)[1])
    if source.site is not None:
        write_array(source.site, folder / SITE_OF_IMAGE)


def _write_facts(source: _Source, made: Partitions | None, folder: Path) -> None:
    """Copy the files that partitions do not divide, and write dataset.json."""
    checksums = {}
    for name in set(source.facts["checksums"]) - source.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.folder / name, folder / name)
        checksums[name] = source.facts["checksums"][name]
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in checksums:
            checksums[name] = checksum(path)
    facts = {name: value for name, value in source.facts.items() if name not in ("partitions", "checksums")}
    if "photos_folder" not in facts["extra"] and "img_path" in source.images.column_names:
        # paths of photos start at the folder of the dataset that they were made with
        origin = remote_origin(source.folder) or str(source.folder.resolve())
        facts["extra"] = facts["extra"] | {"photos_folder": origin}
    if made is not None:
        facts["partitions"] = made.facts()
    facts["checksums"] = dict(sorted(checksums.items()))
    (folder / FACTS).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
