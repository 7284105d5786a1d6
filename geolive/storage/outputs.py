"""Outputs to object storage: a command writes to a local folder, which is uploaded when the command has ended well."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from geolive.dataset_facts import FACTS
from geolive.errors import InputError
from geolive.files import replacing
from geolive.remote_paths import address_of, inside, parent_and_name, stands_for
from geolive.storage.listing import read_object
from geolive.storage.upload import check_free, check_writable, upload_changes, upload_files, upload_folder
from geolive.storage.views import changeable_copy, storage_folder

_FINISHED, _BEFORE = ".finished.json", ".before.json"


class Outputs:
    """The local places of one command's outputs to object storage.

    Parameters
    ----------
    addresses : sequence of str
        All outputs of the command. Unfinished work is kept for the same outputs of the same kind of command.
    kind : str
        Name of the command without its options.
    command : str
        Words of the command that decide its result: where this command had finished and only its upload was stopped, the upload
        goes on.

    Attributes
    ----------
    finished : bool
        Whether only the upload is left to do.

    Examples
    --------
    >>> Outputs(["s3://maps/goa.html"], "predict", "predict --region goa --out s3://maps/goa.html").finished
    False
    """

    def __init__(self, addresses: Sequence[str], kind: str, command: str) -> None:
        key = hashlib.sha256("\n".join([kind, *sorted(addresses)]).encode()).hexdigest()[:32]
        self._root = storage_folder() / "outputs" / key
        self._command = command
        self._folders: dict[str, Path] = {}
        self._files: dict[str, Path] = {}
        self._changed: dict[str, tuple[Path, bytes]] = {}
        record = self._root / _FINISHED
        said = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
        self.finished: bool = said.get("command") == command
        self._uploaded: list[str] = said.get("uploaded", []) if self.finished else []
        # results of another command with the same outputs are outdated; unfinished work is not, and has no record
        if said and not self.finished:
            shutil.rmtree(self._root)

    def new_folder(self, address: str) -> Path:
        """Return the local place of a folder to make.

        Raises
        ------
        InputError
            Something is at that address already, or the storage cannot be reached.
        """
        self._folders[address] = self._new_place(address)
        check_free(address)
        return self._folders[address]

    def file(self, address: str, *, replace: bool = True) -> Path:
        """Return the local place of a file to write; files that the command writes beside it are uploaded, too.

        Raises
        ------
        InputError
            The storage cannot be reached, or there is such a file and it is not to be replaced.
        """
        self._files[address] = self._new_place(address)
        if not replace:
            check_free(address)
        check_writable(address)
        return self._files[address]

    def changed_dataset(self, address: str) -> Path:
        """Return a local copy of a dataset that the command adds to.

        Raises
        ------
        InputError
            There is no dataset at that address, or it cannot be read.
        """
        place = self._place(address)
        facts = read_object(inside(address, FACTS), missing_ok=True)
        if facts is None:
            raise InputError(f"{address}: not a dataset (no {FACTS}); make one with sample or ingest")
        base = place.parent / _BEFORE
        if not (place.exists() and base.exists() and base.read_bytes() == facts):
            shutil.rmtree(place.parent, ignore_errors=True)
            place.parent.mkdir(parents=True)
            self.finished = False
            changeable_copy(address, place)
            base.write_bytes(facts)
        stands_for(place, address)
        self._changed[address] = (place, facts)
        return place

    def upload(self) -> None:
        """Upload everything that the command has written, and remove the local files."""
        self._note()
        for address, folder in self._folders.items():
            if folder.is_dir():
                begin = f"{address}/"
                already = [name.removeprefix(begin) for name in self._uploaded if name.startswith(begin)]
                upload_folder(folder, address, partial(self._note_within, address), already)
        for parent in {parent_and_name(address)[0] for address in (*self._folders, *self._files)}:
            self._upload_beside(parent)
        for address, (folder, before) in self._changed.items():
            upload_changes(folder, address, before)
        shutil.rmtree(self._root, ignore_errors=True)

    def _upload_beside(self, parent: str) -> None:
        """Upload the named files of a folder, after those that the command wrote beside them: exports, logs."""
        place = self._place(inside(parent, "x")).parent
        named = {path.name: path for path in self._files.values() if path.parent == place and path.is_file()}
        others = {path.name for path in (*self._folders.values(), *(folder for folder, _ in self._changed.values()))}
        beside: dict[str, Path] = {}
        for path in sorted(place.iterdir()):
            # hidden names are unfinished work
            if path.name.startswith(".") or path.name in named or path.name in others:
                continue
            inner = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
            beside |= {file.relative_to(place).as_posix(): file for file in inner}
        upload_files(beside, parent, lambda name: None)
        upload_files(named, parent, lambda name: None)

    def _place(self, address: str) -> Path:
        """The local place of an address: outputs in one folder of the storage are in one local folder."""
        if address.count("/") < 3:
            raise InputError(f"{address}: is a whole bucket; name a folder or a file in it: {address}/NAME", "out")
        parent, name = parent_and_name(address)
        folder = self._root / hashlib.sha256(parent.encode()).hexdigest()[:8]
        folder.mkdir(parents=True, exist_ok=True)
        stands_for(folder, parent)
        return folder / name

    def _new_place(self, address: str) -> Path:
        """The local place of an address, without what an earlier try left there; unfinished work has hidden names."""
        place = self._place(address)
        if not self.finished:
            if place.is_dir():
                shutil.rmtree(place)
            place.unlink(missing_ok=True)
        return place

    def _note_within(self, address: str, name: str) -> None:
        self._uploaded.append(inside(address, name))
        self._note()

    def _note(self) -> None:
        """Record that the command has finished, and what is uploaded."""
        with replacing(self._root / _FINISHED) as temporary:
            temporary.write_text(json.dumps({"command": self._command, "uploaded": self._uploaded}), encoding="utf-8")


@contextlib.contextmanager
def remote_folder(address: str | Path) -> Iterator[Path]:
    """Give a local folder to make, which is uploaded to a new folder in object storage when the block ends without an error.

    Parameters
    ----------
    address : str or Path
        `s3://…` or `gs://…`; nothing may be there.

    Yields
    ------
    Path
        Does not exist yet.

    Raises
    ------
    InputError
        Something is at that address already, or the storage cannot be reached.
    """
    address = address_of(address)
    outputs = Outputs([address], "python", "")
    place = outputs.new_folder(address)
    shutil.rmtree(place, ignore_errors=True)
    yield place
    outputs.upload()
