"""`ingest plugin`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, ingest
from geolive.cli.next_steps import say_next
from geolive.errors import InputError


@ingest.command("plugin")
def ingest_plugin(
    name: Annotated[str, typer.Argument(help="Name of the reader; plugins lists them.", metavar="NAME")],
    file: Annotated[Path, typer.Argument(help="File that the reader reads.", metavar="FILE")],
    out: NewFolder,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the reader. May be repeated.", metavar="NAME=VALUE"),
    ] = None,
) -> None:
    """Read a file with a reader that another package adds."""
    from geolive.console import say, step
    from geolive.dataset_folder import write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.added import read_added
    from geolive.wording import count_of

    named = named_options(options or [])
    check_new_folder(out)
    with step(f"Reading {file}"):
        dataset = read_added(name, file, named)
    with step(f"Writing {out}"):
        write_dataset(dataset, out)
    simulated = "SIMULATED: " if dataset.simulated else ""
    clusters, images = count_of(len(dataset.clusters), "cluster"), count_of(len(dataset.images), "image")
    left_out = f"; {len(dataset.rejects):,} left out, listed in {out}/rejects.parquet" if len(dataset.rejects) else ""
    say(f"{out}: {simulated}{clusters}, {images}{left_out}")
    say_next("info", out, to="shows what it holds")


def named_options(values: list[str]) -> dict[str, str]:
    """Read the options `--set NAME=VALUE`.

    Examples
    --------
    >>> named_options(["round=3", "note=a=b"])
    {'round': '3', 'note': 'a=b'}
    >>> named_options(["round"])
    Traceback (most recent call last):
    geolive.errors.InputError: --set 'round': give a name and a value, for example --set round=3
    """
    named: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        name = name.strip()
        if not (name and equals):
            raise InputError(f"--set {value!r}: give a name and a value, for example --set round=3")
        if name in named:
            raise InputError(f"--set {value!r}: {name!r} is given twice; give it once")
        named[name] = text.strip()
    return named
