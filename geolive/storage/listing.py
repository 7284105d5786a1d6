"""Which objects a file or folder in object storage consists of, and which version of each is there now."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from geolive.dataset_facts import FACTS
from geolive.errors import InputError
from geolive.remote_paths import inside, parent_and_name
from geolive.storage.filesystem import filesystem, storage_errors

# objects that belong to an upload under way: the mark of a folder that is not whole, and files that are being replaced
UNFINISHED, FORMER = ".geolive-unfinished", ".geolive-former"
_SHAPEFILE = (".dbf", ".shx", ".prj", ".cpg")


@dataclass(frozen=True)
class StoredFile:
    """One object.

    Parameters
    ----------
    address : str
    name : str
        Its path within the folder that was asked for.
    sha256 : str, optional
        Its checksum, where dataset.json of its folder lists it.
    size : int, optional
        Bytes, where a listing named them.
    version : str
        Entity tag or generation, which changes with the content.
    content : bytes, optional
        A small object that is already read.
    """

    address: str
    name: str
    sha256: str | None = None
    size: int | None = None
    version: str = ""
    content: bytes | None = None

    @property
    def key(self) -> str:
        """Name of its content in the cache."""
        if self.sha256 is not None:
            return self.sha256
        return hashlib.sha256(f"{self.address}\n{self.size}\n{self.version}".encode()).hexdigest()


def stored_files(address: str, unneeded: Callable[[dict[str, Any]], set[str]] | None = None) -> list[StoredFile]:
    """List the objects of a file or folder.

    Of a dataset these are the files that its dataset.json lists, so photos in its folder are left alone. A shapefile comes with
    the files beside it that belong to it.

    Parameters
    ----------
    address : str
    unneeded : callable, optional
        Called with the content of a dataset's dataset.json; returns names of files to leave out.

    Returns
    -------
    list of StoredFile
        One with the name "" where the address is an object itself.

    Raises
    ------
    InputError
        There is no such object or folder, or it cannot be read.
    """
    if facts := read_object(inside(address, FACTS), missing_ok=True):
        return _files_of_dataset(address, facts, unneeded)
    files = filesystem(address)
    with storage_errors(address):
        try:
            about = files.info(address)
        except FileNotFoundError:
            # a folder exists by its objects alone; the listing of a bucket that does not exist says so
            about = {"type": "directory"}
        if about["type"] == "file":
            return _one_file(address, about)
        found = files.find(address, detail=True)
    listed = []
    for path, about in sorted(found.items()):
        name = path.removeprefix(address.partition("://")[2]).strip("/")
        if name and FORMER not in name.split("/"):
            listed.append(_stored(inside(address, name), name, about))
    if any(file.name == UNFINISHED for file in listed):
        raise InputError(f"{address}: is not whole, since its upload was stopped; run the command that makes it again")
    if not listed:
        raise InputError(f"{address}: no such object or folder; check the address")
    return listed


def check_folder(address: str) -> None:
    """Check that there is a folder with at least one object.

    Raises
    ------
    InputError
        There is none, or it cannot be read.
    """
    with storage_errors(address):
        if not filesystem(address).ls(address, detail=False):
            raise FileNotFoundError(address)


def current_version(address: str) -> tuple[int, str]:
    """Return size and entity tag of an object as it is now.

    Raises
    ------
    InputError
        There is no such object.
    """
    with storage_errors(address):
        about = filesystem(address).info(address)
    stored = _stored(address, "", about)
    return stored.size or 0, stored.version


def read_object(address: str, *, missing_ok: bool = False, most_bytes: int | None = None) -> bytes | None:
    """Read a small object, at most its first `most_bytes`; None where there is none and `missing_ok`.

    Raises
    ------
    InputError
        It is missing or cannot be read.
    """
    with storage_errors(address):
        try:
            content: bytes = filesystem(address).cat_file(address, end=most_bytes)
        except FileNotFoundError as error:
            if missing_ok and "bucket" not in str(error).lower():
                return None
            raise
    return content


def _files_of_dataset(
    address: str, facts: bytes, unneeded: Callable[[dict[str, Any]], set[str]] | None
) -> list[StoredFile]:
    """The files that dataset.json lists, and itself, last."""
    try:
        checksums = json.loads(facts)["checksums"]
        left_out = unneeded(json.loads(facts)) if unneeded else set()
        names = sorted(checksums)
        sound = all(isinstance(checksums[name], str) and not _leads_out(name) for name in names)
    except (ValueError, TypeError, KeyError):
        sound, names, checksums, left_out = False, [], {}, set()
    if not sound:
        raise InputError(f"{inside(address, FACTS)}: is not in geolive's format; make the dataset again")
    listed = [StoredFile(inside(address, name), name, sha256=checksums[name]) for name in names if name not in left_out]
    return [
        *listed,
        StoredFile(inside(address, FACTS), FACTS, sha256=hashlib.sha256(facts).hexdigest(), content=facts),
    ]


def _leads_out(name: str) -> bool:
    return name.startswith("/") or ".." in name.split("/") or "\\" in name


def _one_file(address: str, about: dict[str, Any]) -> list[StoredFile]:
    name = parent_and_name(address)[1]
    files = [_stored(address, name, about)]
    if name.lower().endswith(".shp"):
        stem = address[: -len(".shp")]
        for ending in _SHAPEFILE:
            try:
                beside = filesystem(address).info(stem + ending)
            except FileNotFoundError:
                continue
            files.append(_stored(stem + ending, parent_and_name(stem + ending)[1], beside))
    return files


def _stored(address: str, name: str, about: dict[str, Any]) -> StoredFile:
    version = about.get("ETag") or about.get("etag") or about.get("generation") or about.get("md5Hash") or ""
    return StoredFile(address, name, size=about.get("size"), version=str(version).strip('"'))
