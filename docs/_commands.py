"""Loaded by the kernel that runs the tutorials: the cell magic %%sh."""

import os
import subprocess

from IPython.core.magic import register_cell_magic


@register_cell_magic
def sh(_: str, cell: str) -> None:
    """Run commands as a terminal does, and print what they print; raise where one fails."""
    colours = {"FORCE_COLOR", "CLICOLOR_FORCE"}
    environment = {name: value for name, value in os.environ.items() if name not in colours} | {"TERM": "dumb"}
    ended = subprocess.run(
        ["sh", "-e", "-c", cell],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    print(ended.stdout)
    ended.check_returncode()
