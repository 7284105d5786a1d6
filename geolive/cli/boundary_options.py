"""The options of commands that read a file of districts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.boundary_files import BoundaryFile

NameColumn = Annotated[
    str | None, typer.Option(help="Column of --boundaries with the districts' names.", metavar="COLUMN")
]
IdColumn = Annotated[str | None, typer.Option(help="Column of --boundaries with the districts' ids.", metavar="COLUMN")]
PeopleColumn = Annotated[
    str | None,
    typer.Option(help="With --benchmark: column of --boundaries with the districts' people.", metavar="COLUMN"),
]
Layer = Annotated[
    str | None, typer.Option(help="Layer of --boundaries; by default the one with the most polygons.", metavar="NAME")
]
Encoding = Annotated[
    str | None,
    typer.Option(
        help="Encoding of the names in --boundaries, such as CP1251; by default the one that the file states or that "
        "fits its bytes."
    ),
]
Crs = Annotated[
    str | None,
    typer.Option(help="Coordinate reference system of --boundaries, such as EPSG:32645, if the file names none."),
]
DropInvalid = Annotated[
    bool, typer.Option("--drop-invalid", help="Leave out units of --boundaries that have no area. A note names them.")
]


def open_boundaries(path: Path | None, **options: Any) -> "BoundaryFile | None":
    """Read a file of districts as the options say; None where none is named.

    Parameters
    ----------
    path : Path or None
    **options
        As `geolive.boundary_files.read_boundaries` takes them.

    Raises
    ------
    InputError
        The file cannot be read, or options about it are given without it.

    Examples
    --------
    >>> open_boundaries(None) is None
    True
    >>> open_boundaries(None, layer="districts")
    Traceback (most recent call last):
    geolive.errors.InputError: --layer needs a file of districts; add --boundaries FILE
    """
    if path is None:
        given = next((name for name, value in options.items() if value), None)
        if given is not None:
            raise InputError(f"--{given.replace('_', '-')} needs a file of districts; add --boundaries FILE")
        return None
    from geolive.boundary_files import read_boundaries

    return read_boundaries(path, **options)
