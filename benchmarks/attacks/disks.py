"""Run commands on disks of every size, and with limits on the size of files: they end with 0 or 2 and leave nothing half-written.

Where the system allows it, the disk is a small file system in memory (tmpfs). Afterwards the disk is made large, and the same
command must end as if the disk had always been large.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.attacks.base import Attack, content, load_libraries
from benchmarks.attacks.long_commands import LongCommand, differences, half_written, libraries, long_commands

LARGE = 1 << 32


def run(attack: Attack) -> None:
    load_libraries(*libraries(attack))
    mountable = _mountable(attack.folder / "work")
    with long_commands(attack) as commands:
        while attack.more():
            command = commands[attack.counts["tries"] % len(commands)]
            attack.counts["tries"] += 1
            if mountable and attack.random.random() < 0.6:
                _small_disk(attack, command)
            else:
                _small_files(attack, command)


def _small_files(attack: Attack, command: LongCommand) -> None:
    size = int(2 ** attack.random.uniform(9, 21))
    work = command.begin(attack.folder)
    what = f"{command.name}, files of {size} bytes"
    attack.parts["limits of file size"] += 1
    _check(attack, command, work, attack.run(*command.words, limit_bytes=size).code, what)


def _small_disk(attack: Attack, command: LongCommand) -> None:
    prepared = sum(map(len, content(command.prepared).values())) + 4096 * 2 * len(content(command.prepared)) + (1 << 17)
    grown = sum(len(data) for name, data in command.after.items() if name not in command.before)
    size = prepared + int(2 ** attack.random.uniform(12, max(13, (3 * grown + 1).bit_length())))
    work = attack.folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    attack.parts["small file systems"] += 1
    with _disk(work, size):
        shutil.copytree(command.prepared, work, dirs_exist_ok=True)
        what = f"{command.name}, a disk of {size} bytes"
        ended = attack.run(*command.words)
        _check(attack, command, work, ended.code, what)
        if ended.code == 2:
            subprocess.run(["mount", "-o", f"remount,size={LARGE}", work], check=True)
            attack.run(*command.words, expected=(0,))
            if wrong := differences(command, work):
                attack.fault("mismatches", f"{what}, then a large one: {wrong[:5]}")


def _check(attack: Attack, command: LongCommand, work: Path, code: int, what: str) -> None:
    attack.parts[command.name] += 1
    attack.parts["full" if code == 2 else "large enough"] += 1
    if code == 0:
        if wrong := differences(command, work):
            attack.fault("mismatches", f"{what}: {wrong[:5]}")
    elif wrong := half_written(command, work):
        attack.fault("half-written", f"{what}: {wrong[:5]}")


def _mountable(folder: Path) -> bool:
    try:
        with _disk(folder, 1 << 20):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextlib.contextmanager
def _disk(folder: Path, size: int) -> Iterator[None]:
    """Mount a file system of that size at a folder."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
