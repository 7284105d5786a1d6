"""A real file system of a given size (tmpfs), where the system lets tests mount one."""

import contextlib
import subprocess

import pytest


@contextlib.contextmanager
def small_disk(folder, size, read_only=False):
    """Mount a disk of that size at a folder; skip the test where mounting is not allowed."""
    folder.mkdir(exist_ok=True)
    options = f"size={size}{',ro' if read_only else ''}"
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
        )
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
