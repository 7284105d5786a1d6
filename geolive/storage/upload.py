"""Uploads finished files so that a reader never sees half of them: the file that lists the others goes last."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from geolive.dataset_facts import FACTS
from geolive.errors import InputError
from geolive.remote_paths import inside
from geolive.storage.filesystem import filesystem, storage_errors
from geolive.storage.listing import FORMER, UNFINISHED, read_object
from geolive.storage.objects import several_at_once

# a folder is whole when it has one of these
_LAST = (FACTS, "card.json", "results.csv")


def check_free(address: str) -> None:
    """Check that a new folder can be made in object storage, before long work begins.

    Parameters
    ----------
    address : str
        A folder that a stopped upload has left unfinished counts as free.

    Raises
    ------
    InputError
        Something is there, or the storage cannot be reached.
    """
    files = filesystem(address)
    with storage_errors(address):
        try:
            found = files.ls(address, detail=False)
        except FileNotFoundError:
            found = []
    names = [path.rstrip("/").split("/")[-1] for path in found]
    if names and UNFINISHED not in names:
        raise InputError(
            f"{address}: exists already, and geolive overwrites nothing; choose another folder, or remove it first",
            parameter="out",
        )
    check_writable(address)


def check_writable(address: str) -> None:
    """Check that the bucket of an address exists and that the key is accepted.

    Raises
    ------
    InputError
        It does not exist, or cannot be reached.
    """
    files = filesystem(address)
    bucket = "/".join(address.split("/")[:3])
    with storage_errors(address):
        try:
            files.ls(bucket, detail=False)
        except PermissionError:
            return  # a key may be allowed to write in a folder and not to list the bucket
        except FileNotFoundError:
            raise FileNotFoundError("The specified bucket does not exist") from None


def upload_folder(folder: Path, address: str, done: Callable[[str], None], already: Sequence[str] = ()) -> None:
    """Upload a new folder; until its last file is there, it is marked as unfinished.

    Parameters
    ----------
    folder : Path
    address : str
    done : callable
        Called with the name of each file that is uploaded.
    already : sequence of str
        Names of files that an upload which was stopped had finished.

    Raises
    ------
    InputError
        The storage refuses a file, or cannot be reached.
    """
    names = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    last = [name for name in names if name.split("/")[-1] in _LAST]
    put_object(inside(address, UNFINISHED), b"")
    upload_files({name: folder / name for name in names if name not in (*last, *already)}, address, done)
    # the one of the folder itself after those of folders in it
    for name in sorted(last, key=lambda name: -name.count("/")):
        upload_files({name: folder / name}, address, done)
    remove_objects(address, [UNFINISHED])


def upload_changes(folder: Path, address: str, before: bytes) -> None:
    """Upload what a command has added to a dataset; dataset.json goes last.

    A file whose content changes is first copied within the storage, where readers of the former dataset.json find it, and
    removed when the new one is in place. So the dataset can be read at any time, also if the upload is stopped.

    Parameters
    ----------
    folder : Path
        The changed copy.
    address : str
        The dataset.
    before : bytes
        The dataset.json that the copy was made from.

    Raises
    ------
    InputError
        Another command has changed the dataset in the meantime, or the storage refuses a file.
    """
    after = (folder / FACTS).read_bytes()
    if after == before:
        return
    old, new = json.loads(before)["checksums"], json.loads(after)["checksums"]
    facts = inside(address, FACTS)
    if read_object(facts) != before:
        raise InputError(f"{address}: another command has changed it in the meantime; run the same command again")
    replaced = [name for name in old if name in new and old[name] != new[name]]
    files = filesystem(address)
    for name in replaced:
        former = inside(address, FORMER, old[name])
        with storage_errors(former):
            # a stopped upload may have replaced the file itself already, and copied it before
            if not files.exists(former):
                files.copy(inside(address, name), former)
    changed = {name: folder / name for name in new if old.get(name) != new[name]}
    upload_files(changed, address, lambda name: None)
    if read_object(facts) != before:
        raise InputError(f"{address}: another command has changed it in the meantime; run the same command again")
    put_object(facts, after)
    gone = [name for name in old if name not in new]
    remove_objects(address, [*(f"{FORMER}/{old[name]}" for name in replaced), *gone])


def upload_files(files: Mapping[str, Path], address: str, done: Callable[[str], None]) -> None:
    """Upload files, several at a time; each appears whole or not at all.

    Parameters
    ----------
    files : dict of str to Path
        Local file of each name.
    address : str
        The folder that they go into.
    done : callable
        Called with the name of each file that is uploaded.
    """

    def put(name: str) -> str:
        target = inside(address, name)
        with storage_errors(target):
            filesystem(target).put_file(str(files[name]), target)
        return name

    for name in several_at_once(put, files):
        done(name)


def put_object(address: str, content: bytes) -> None:
    """Write a small object whole."""
    with storage_errors(address):
        filesystem(address).pipe_file(address, content)


def remove_objects(address: str, names: Sequence[str]) -> None:
    """Remove objects from a folder; that one is missing already is no error."""
    files = filesystem(address)
    for name in names:
        target = inside(address, name)
        with storage_errors(target):
            if files.exists(target):
                files.rm_file(target)
