"""Loaded by the kernel that runs the tutorials: the cell magics %%sh and %%recorded."""

import math
import os
import re
import subprocess
import textwrap
from pathlib import Path

from IPython.core.magic import register_cell_magic
from IPython.display import Image, Markdown

# a folder of the user's with the files of the tutorial on Benin, which may not be part of geolive
DATA = "GEOLIVE_BENIN"
# where it is set to anything, results are written to docs/recorded
RECORD = "GEOLIVE_RECORD"
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*\.?\d*")


@register_cell_magic
def sh(_: str, cell: str) -> None:
    """Run commands as a terminal does, and print what they print; raise where one fails."""
    print(_wrapped(_printed(cell)))


@register_cell_magic
def recorded(name: str, cell: str) -> None:
    """Run commands on the user's files and print what they print; without the files, print the record of it.

    What they print is compared with the record, so that no record is out of date.
    """
    record = _records() / f"{name.strip()}.txt"
    if DATA in os.environ:
        for path in Path(os.environ[DATA]).resolve().iterdir():
            if not Path(path.name).exists():
                Path(path.name).symlink_to(path)
        # times differ from run to run
        printed = re.sub(r" \(\d+\.\d s\)$", "", _printed(cell), flags=re.MULTILINE)
        if RECORD in os.environ:
            record.write_text(printed, encoding="utf-8")
        if not _same(printed, record.read_text(encoding="utf-8")):
            raise ValueError(f"docs/recorded/{record.name} is out of date; build the site with {RECORD}=1:\n{printed}")
    print(_wrapped(record.read_text(encoding="utf-8")))


def say_whether_recorded() -> Markdown:
    """Say whether the results on the page are of this build."""
    if DATA in os.environ:
        return Markdown("**These commands ran on the real files as this page was built.**")
    return Markdown(
        "**These commands did not run as this page was built**, because the files are not part of geolive. What follows was "
        f"recorded when they ran. To run them, build the site with `{DATA}=FOLDER`."
    )


def recorded_picture(name: str) -> Image:
    """Return a picture that the commands made, or the recorded one."""
    record = _records() / name
    if DATA in os.environ and RECORD in os.environ:
        from PIL import Image as Picture

        with Picture.open(name) as picture:
            picture.thumbnail((900, 1400))
            picture.convert("P", palette=Picture.Palette.ADAPTIVE, dither=Picture.Dither.NONE).save(
                record, optimize=True
            )
    return Image(filename=name if DATA in os.environ else str(record))


def _records() -> Path:
    return Path(os.environ["GEOLIVE_DOCS"]) / "recorded"


def _printed(cell: str) -> str:
    colours = {"FORCE_COLOR", "CLICOLOR_FORCE"}
    environment = {name: value for name, value in os.environ.items() if name not in colours} | {"TERM": "dumb"}
    ended = subprocess.run(
        ["sh", "-e", "-c", cell],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    if ended.returncode:
        raise RuntimeError(f"exit code {ended.returncode}:\n{ended.stdout}")
    return ended.stdout


def _wrapped(text: str) -> str:
    """Break long sentences as a terminal does, and leave tables and commands, whose columns stand apart, as they are."""
    width = int(os.environ["COLUMNS"])
    lines = text.splitlines()
    return "\n".join(line if "  " in line else textwrap.fill(line, width, break_long_words=False) for line in lines)


def _same(one: str, other: str) -> bool:
    """Whether two texts have the same words, and the same numbers up to what differs from processor to processor."""
    numbers = [[float(number.replace(",", "")) for number in _NUMBER.findall(text)] for text in (one, other)]
    words = [_NUMBER.sub("#", text).split() for text in (one, other)]
    if words[0] != words[1] or len(numbers[0]) != len(numbers[1]):
        return False
    return all(math.isclose(a, b, rel_tol=0.02, abs_tol=0.011) for a, b in zip(*numbers, strict=True))
