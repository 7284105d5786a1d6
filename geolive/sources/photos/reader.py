"""Reads a folder of photos: the position, time and heading of each from its EXIF, and the sequences of photos."""

import collections
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.command_line import command_line
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.geodesy import chord_to_km, unit_sphere
from geolive.places import natural_order
from geolive.remote_paths import remote_origin
from geolive.sources.photos.exif import PhotoFacts, read_facts
from geolive.sources.photos.image_files import UnusableImageError, open_image, open_plain
from geolive.sources.photos.position_table import PHOTO, TABLE_ROW, FoundRows, PositionTable
from geolive.sources.photos.xmp import read_xmp
from geolive.storage.views import local_input
from geolive.tables import empty_clusters, points
from geolive.terminal_text import as_unicode

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".tif", ".tiff")
OTHER_PHOTOS = (".heic", ".heif", ".avif", ".jxl", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")
GAP_SECONDS = 120.0
GAP_METRES = 300.0
_MOST_REASONS = 3


def read_photos(
    folder: str | Path,
    *,
    gap_seconds: float = GAP_SECONDS,
    gap_metres: float = GAP_METRES,
    leave_out_panoramas: bool = False,
    positions: PositionTable | None = None,
    progress: Callable[[str], None] | None = None,
    command: str = "",
) -> Dataset:
    """Read a folder of photos, and the folders in it, into a dataset without a survey.

    Parameters
    ----------
    folder : str or Path
        A folder, or its address in object storage (`s3://…`). The function reads files whose names end in one of `SUFFIXES`, in
        upper or lower case. It skips names that begin with a dot, and follows a link only to a photo inside the folder.
    gap_seconds, gap_metres : float
        Largest time and distance between two successive photos of a sequence. A sequence holds photos of one folder only.
        Photos without a time are taken in the order of their names.
    leave_out_panoramas : bool
        Leave out equirectangular panoramas. Otherwise later steps cut each panorama into four views.
    positions : PositionTable, optional
        A table of positions, and optionally of times, sequences and creators, in place of those in the photos;
        `read_positions` reads it. `rejects` lists photos that are not in the table, rows without a photo, and photos
        whose name fits several rows because the table gives no folders. Its column `kind` distinguishes photos from
        rows.
    progress : callable, optional
        Called with a short text about the progress.
    command : str
        With `positions`: the command that makes the dataset.

    Returns
    -------
    Dataset
        Its images are in the natural order of their names (IMG_2 before IMG_10). Their columns are `key` and
        `img_path` (both hold the path within the folder), `sequence_id`, `captured_at` (in UTC), `captured_at_zone`
        ("UTC", or "unknown" where the time zone of the camera is unknown and `captured_at` is the time of its clock),
        `compass_angle` (degrees clockwise from north, NaN where unknown) and `is_pano` (whether it is a panorama of
        the whole sphere). `rejects` holds `row` (number of the photo in that order, from 1), `reason` and `path`.
        `extra` holds `photos_folder`, the absolute path of the folder, and `other_files`, the number of other files,
        by their endings.

    Raises
    ------
    InputError
        The folder does not exist, it holds no photos, or no photo has a position.

    See Also
    --------
    geolive.read_images : Read a table of images without photos.
    geolive.add_object_counts : Add object counts of another tool to a dataset.

    Examples
    --------
    >>> read_photos("no/such/folder")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/folder: no such folder; name the folder that holds the photos
    """
    folder = local_input(folder)
    if not folder.is_dir():
        cause = "is a file, not a folder" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {cause}; name the folder that holds the photos")
    others: collections.Counter[str] = collections.Counter()
    files = sorted(_files(folder, others), key=lambda file: natural_order(file.path))
    paths: list[str] = []
    facts: list[PhotoFacts] = []
    found = None if positions is None else _rows_of(files, positions)
    rejects: list[tuple[int, str, str]] = []
    for row, file in enumerate(files, start=1):
        if progress and row % 100 == 0:
            progress(f"{row:,} of {len(files):,} photos")
        try:
            fact = _facts_of(folder.resolve(), file, positions, found)
            if fact.is_pano and leave_out_panoramas:
                raise UnusableImageError("a panorama")
            facts.append(fact)
            paths.append(file.path)
        except UnusableImageError as error:
            rejects.append((row, str(error), file.printable))
    if not files:
        raise InputError(f"{folder}: holds no photos ({', '.join(SUFFIXES)}); name the folder that holds them")
    if not paths:
        raise InputError(f"{folder}: none of its {len(files):,} photos can be used: {_most_common(rejects)}")
    images = _table(paths, facts, gap_seconds, gap_metres)
    left_out = pd.DataFrame(rejects, columns=["row", "reason", "path"])
    if positions is not None and found is not None:
        rows = pd.DataFrame(found.left_out, columns=left_out.columns)
        left_out = pd.concat([left_out.assign(kind=PHOTO), rows.assign(kind=TABLE_ROW)], ignore_index=True)
        images = _with_columns_of(images, positions, found)
    return Dataset(
        images,
        empty_clusters(),
        {},
        [],
        f"photos in {as_unicode(folder.resolve().name)}",
        _command(folder, gap_seconds, gap_metres, leave_out_panoramas) if positions is None else command,
        False,
        rejects=left_out,
        extra={"photos_folder": remote_origin(folder.absolute()) or str(folder.resolve())}
        | ({"other_files": dict(others.most_common())} if others else {}),
    )


@dataclass(frozen=True)
class _File:
    """The path of a photo within its folder, and the reason where it cannot be used."""

    path: str
    reason: str = ""

    @property
    def printable(self) -> str:
        """The path, with bytes that are not UTF-8 written as escapes."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")


def _files(folder: Path, others: collections.Counter[str]) -> Iterator[_File]:
    """Yield the photos of a folder, and files that look like photos but cannot be read; count all other files by ending."""
    unread: list[_File] = []
    root = folder.resolve()

    def note_unread(error: OSError) -> None:
        unread.append(_File(_inside(root, error.filename), f"a folder that cannot be read ({error.strerror})"))

    for parent, folders, names in os.walk(root, onerror=note_unread):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in [*names, *folders]:
            path, suffix = Path(parent, name), PurePosixPath(name).suffix.lower()
            if name.startswith(".") or (name in folders and not path.is_symlink()):
                continue
            within = _inside(root, path)
            if name in folders:
                yield _File(within, "a link to a folder; links to folders are not followed")
            elif suffix in SUFFIXES:
                yield _File(within, _link_reason(root, path) if path.is_symlink() else "")
            elif suffix in OTHER_PHOTOS:
                yield _File(within, f"a kind that is not read ({suffix}); convert it to JPEG, with its EXIF")
            else:
                others[suffix or "no ending"] += 1
    yield from unread


def _inside(root: Path, path: str | Path) -> str:
    """Return a path relative to the folder, with slashes on every system."""
    return Path(path).relative_to(root).as_posix()


def _link_reason(root: Path, link: Path) -> str:
    """Return the reason why a link is not followed, or an empty text where it is followed."""
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return "a link to nothing"
    if not target.is_relative_to(root):
        return "a link that leads out of the folder"
    within = target.relative_to(root)
    hidden = any(part.startswith(".") for part in within.parts)
    return "" if hidden or target.suffix.lower() not in SUFFIXES else "a link to another photo of the folder"


def _rows_of(files: list[_File], positions: PositionTable) -> FoundRows:
    """Find the rows of a folder's photos in a table."""
    return positions.find(
        [file.path for file in files if not file.reason], [file.path for file in files if file.reason]
    )


def _with_columns_of(images: gpd.GeoDataFrame, positions: PositionTable, found: FoundRows) -> gpd.GeoDataFrame:
    """Return the images with the sequences and creators of the table, where it has them."""
    rows = [found.rows[path] for path in images["img_path"]]
    for name, texts in (("sequence_id", positions.sequences), ("creator", positions.creators)):
        if texts is not None:
            images = images.assign(**{name: pd.Series([texts[row] or None for row in rows], dtype="str")})
    return images


def _facts_of(root: Path, file: _File, positions: PositionTable | None, found: FoundRows | None) -> PhotoFacts:
    """Read the EXIF of a photo, or its row of a table; raise UnusableImageError with the reason where it cannot be used."""
    if file.reason:
        raise UnusableImageError(file.reason)
    try:
        file.path.encode()
    except UnicodeEncodeError:
        raise UnusableImageError("its name is not UTF-8; rename it") from None
    with open_plain(root / file.path) as opened:
        image = open_image(opened)
        if positions is None or found is None:
            facts = read_facts(image.exif, read_xmp(image.xmp))
        else:
            if file.path in found.reasons:
                raise UnusableImageError(found.reasons[file.path])
            facts = replace(positions.facts[found.rows[file.path]], is_pano=read_xmp(image.xmp).whole_sphere)
        # what is not twice as wide as high is no whole sphere, whatever it says
        return replace(facts, is_pano=facts.is_pano and image.width == 2 * image.height)


def _table(paths: list[str], facts: list[PhotoFacts], gap_seconds: float, gap_metres: float) -> gpd.GeoDataFrame:
    """Make the images table of the dataset."""
    positions = points([fact.lon for fact in facts], [fact.lat for fact in facts])
    time = pd.Series([fact.time for fact in facts], dtype="datetime64[us]")
    images = gpd.GeoDataFrame(
        {
            "key": pd.Series(paths, dtype="str"),
            "country": pd.Series("", index=range(len(paths)), dtype="str"),
            "unique_cluster": pd.Series(None, index=range(len(paths)), dtype="str"),
            "img_path": pd.Series(paths, dtype="str"),
            "captured_at": time.dt.tz_localize("UTC"),
            "captured_at_zone": pd.Series([fact.zone for fact in facts], dtype="str"),
            "compass_angle": np.array([fact.compass_angle for fact in facts], float),
            "is_pano": np.array([fact.is_pano for fact in facts], bool),
        },
        geometry=positions,
    )
    return images.assign(sequence_id=_sequences(images, gap_seconds, gap_metres))


def _sequences(images: gpd.GeoDataFrame, gap_seconds: float, gap_metres: float) -> pd.Series:
    """Return the name of each photo's sequence; photos of different folders are never in the same sequence."""
    folder = images["img_path"].map(lambda path: str(PurePosixPath(path).parent))
    # times in UTC cannot be compared with times of clocks whose zone is unknown
    group = pd.factorize(folder + "/" + images["captured_at_zone"].fillna("none"))[0]
    seconds = images["captured_at"].dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64) / 1e6
    seconds = np.where(images["captured_at"].isna(), 0.0, seconds)
    order = np.lexsort((np.arange(len(images)), seconds, group))
    positions = unit_sphere(np.column_stack([images.geometry.x, images.geometry.y]))[order]
    metres = chord_to_km(np.linalg.norm(np.diff(positions, axis=0), axis=1)) * 1000
    begins = np.ones(len(images), bool)
    begins[1:] = (np.diff(group[order]) != 0) | (np.diff(seconds[order]) > gap_seconds) | (metres > gap_metres)
    number = np.empty(len(images), np.int64)
    number[order] = np.cumsum(begins)
    return pd.Series([f"sequence-{i:05d}" for i in number], index=images.index, dtype="str")


def _most_common(rejects: list[tuple[int, str, str]]) -> str:
    """List the most common reasons with their numbers of photos."""
    counts = collections.Counter(reason for _, reason, _ in rejects).most_common()
    shown = "; ".join(f"{reason} ({count:,})" for reason, count in counts[:_MOST_REASONS])
    return shown + ("; …" if len(counts) > _MOST_REASONS else "")


def _command(folder: Path, gap_seconds: float, gap_metres: float, leave_out_panoramas: bool) -> str:
    """Return the command that makes the same dataset."""
    words = ["ingest", "photos", str(folder)]
    words += ["--gap-seconds", f"{gap_seconds:g}"] if gap_seconds != GAP_SECONDS else []
    words += ["--gap-metres", f"{gap_metres:g}"] if gap_metres != GAP_METRES else []
    words += ["--leave-out-panoramas"] if leave_out_panoramas else []
    return command_line(*words, "--out", "photos")
