"""Results of partitions as files: each is written whole, with its checksum, and is not computed again after an interruption."""

import hashlib
import io
import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import numpy as np

from geolive.engine.interface import Engine, Maker
from geolive.errors import InputError, RestartWarning
from geolive.files import checksum, replacing
from geolive.temporary_files import lock_alone

# the result of a partition: arrays, and facts that JSON can hold
Part = tuple[dict[str, np.ndarray], dict[str, Any]]


class PartFolder:
    """A folder of unfinished work with a file for each partition that is done.

    Parameters
    ----------
    folder : Path
        Created if it is missing. Only one process at a time can open it.
    made_by : dict
        Everything that the parts depend on, as JSON; parts that were made with other values are not used.

    Attributes
    ----------
    done : set of int
        Numbers of the partitions that were done before.

    Raises
    ------
    InputError
        The folder holds work with other settings, or another process uses it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp()) / ".work"
    >>> with PartFolder(folder, {"model": "a"}) as parts:
    ...     write_part(folder, 2, ({"rows": np.ones(3)}, {"failures": {}}))
    >>> with PartFolder(folder, {"model": "a"}) as parts:
    ...     parts.done, parts.read(2)[0]["rows"].tolist()
    ({2}, [1.0, 1.0, 1.0])
    """

    def __init__(self, folder: Path, made_by: Mapping[str, Any]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("wb")
        try:
            lock_alone(self._lock, folder)
            self._check_made_by(json.loads(json.dumps(made_by)))
            self.done = self._sound_parts()
        except BaseException:
            self._lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.close()

    def read(self, number: int) -> Part:
        """Return the result of a partition.

        Raises
        ------
        InputError
            It is missing or damaged.
        """
        data, about = _paths(self.folder, number)
        try:
            facts = json.loads(about.read_text(encoding="utf-8"))
            content = data.read_bytes()
            if hashlib.sha256(content).hexdigest() != facts["sha256"]:
                raise ValueError("its checksum differs")
            with np.load(io.BytesIO(content), allow_pickle=False) as held:
                return {name: held[name] for name in held.files}, facts["about"]
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise InputError(f"{data}: cannot be read ({error}); run the same command again") from None

    def remove(self) -> None:
        """Remove the folder, when its parts are no longer needed."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _check_made_by(self, made_by: dict[str, Any]) -> None:
        path = self.folder / "made_by.json"
        before: Any = None
        with suppress(OSError, ValueError):
            before = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(before, dict) and before != made_by:
            names = sorted(name for name in {*before, *made_by} if before.get(name) != made_by.get(name))
            raise InputError(
                f"{self.folder}: holds work that was started with another {' and '.join(names)}; run the command with the "
                "former settings to finish it, or remove this folder to start again"
            )
        if before is None:
            for file in self.folder.glob("part-*"):
                file.unlink()
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(made_by), encoding="utf-8")

    def _sound_parts(self) -> set[int]:
        """Numbers of the parts whose files have their checksums; others are removed."""
        done = set()
        for about in self.folder.glob("part-*.json"):
            number = int(about.stem.removeprefix("part-"))
            data = about.with_suffix(".npz")
            with suppress(OSError, ValueError, KeyError):
                if checksum(data) == json.loads(about.read_text(encoding="utf-8"))["sha256"]:
                    done.add(number)
            if number not in done:
                warnings.warn(f"unfinished work is damaged, so it is done again: {data}", RestartWarning, stacklevel=2)
                about.unlink()
        return done


def write_part(folder: Path, number: int, part: Part) -> None:
    """Write the result of a partition into a folder of unfinished work, whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_part(folder, 7, ({"rows": np.ones(3)}, {}))
    >>> sorted(file.name for file in folder.iterdir())
    ['part-00000007.json', 'part-00000007.npz']
    """
    data, about = _paths(folder, number)
    arrays, facts = part
    with io.BytesIO() as file:
        np.savez(file, allow_pickle=False, **arrays)
        content = file.getvalue()
    with replacing(data) as temporary:
        temporary.write_bytes(content)
    # the facts last: a part without them does not exist
    with replacing(about) as temporary:
        written = {"sha256": hashlib.sha256(content).hexdigest(), "about": facts}
        temporary.write_text(json.dumps(written), encoding="utf-8")


def _paths(folder: Path, number: int) -> tuple[Path, Path]:
    data = folder / f"part-{number:08d}.npz"
    return data, data.with_suffix(".json")


def run_parts(
    engine: Engine,
    make: Maker,
    partitions: Sequence[Any],
    parts: PartFolder,
    *,
    device: str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> Iterator[Part]:
    """Compute the partitions that are left by an engine, and yield the results of all in order.

    Parameters
    ----------
    engine : Engine
    make : callable
        Makes the function, which takes a partition and returns arrays by name, and facts.
    partitions : sequence
    parts : PartFolder
        Where results are kept.
    device : str
        cuda where workers need a GPU.
    progress : callable, optional
        Called with the number of partitions that are done.

    Raises
    ------
    InputError
        As `Engine.map_partitions`.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.engine.local import LocalEngine
    >>> def squares():
    ...     return lambda n: ({"square": np.array(n * n)}, {})
    >>> with PartFolder(Path(tempfile.mkdtemp()) / ".work", {}) as parts:
    ...     [int(arrays["square"]) for arrays, _ in run_parts(LocalEngine(), squares, [2, 3], parts)]
    [4, 9]
    """
    left = [(number, partition) for number, partition in enumerate(partitions) if number not in parts.done]
    done = len(parts.done)
    # results come to this process, so that the machines of a cluster need no folder that all can write to
    for place, result in engine.map_partitions(make, [partition for _, partition in left], device=device):
        write_part(parts.folder, left[place][0], result)
        done += 1
        if progress is not None:
            progress(done)
    for number in range(len(partitions)):
        yield parts.read(number)
