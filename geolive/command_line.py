"""How geolive's commands are written in messages, on pages and in datasets, so that a reader can paste them."""

import shlex
import sys
from pathlib import Path

from geolive.remote_paths import with_addresses
from geolive.terminal_text import as_unicode


def program() -> str:
    """Return the words that start geolive here: `python cli.py` where that file runs, else the installed `geolive`.

    Examples
    --------
    >>> program()
    'geolive'
    """
    return "python cli.py" if Path(sys.argv[0]).name == "cli.py" else "geolive"


def command_line(*words: object) -> str:
    """Write a command of geolive so that it works when pasted into a shell.

    Parameters
    ----------
    *words : object
        The command's name, its options and their values; each is quoted where the shell asks for it. Local copies of files in
        object storage are named by their addresses.

    Examples
    --------
    >>> command_line("sample", "--region", "Tamil Nadu", "--seed", 3)
    "geolive sample --region 'Tamil Nadu' --seed 3"
    """
    return f"{program()} {shlex.join(as_unicode(with_addresses(str(word))) for word in words)}"
